#include <stdio.h>

#include "codec/crc.h"
#include "codec/digest.h"
#include "codec/hex.h"
#include "runner.h"

enum { STATE = 624, PARTS_MAX = 64 };

/* Python's generator (MT19937, seeded by an array of one word), for data that is given as a seed.
 */
struct generator {
    uint32_t state[STATE];
    int at;
};

static void seed(struct generator *g, uint32_t key)
{
    uint32_t *s = g->state;
    int i = 1;
    s[0] = 19650218u;
    for (int k = 1; k < STATE; k++) {
        s[k] = 1812433253u * (s[k - 1] ^ s[k - 1] >> 30) + (uint32_t)k;
    }
    for (int k = 0; k < STATE; k++) {
        s[i] = (s[i] ^ (s[i - 1] ^ s[i - 1] >> 30) * 1664525u) + key;
        if (++i == STATE) {
            s[0] = s[STATE - 1];
            i = 1;
        }
    }
    for (int k = 1; k < STATE; k++) {
        s[i] = (s[i] ^ (s[i - 1] ^ s[i - 1] >> 30) * 1566083941u) - (uint32_t)i;
        if (++i == STATE) {
            s[0] = s[STATE - 1];
            i = 1;
        }
    }
    s[0] = 0x80000000u;
    g->at = STATE;
}

static uint32_t next_word(struct generator *g)
{
    uint32_t *s = g->state;
    if (g->at == STATE) {
        for (int k = 0; k < STATE; k++) {
            uint32_t y = (s[k] & 0x80000000u) | (s[(k + 1) % STATE] & 0x7fffffffu);
            s[k] = s[(k + 397) % STATE] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
        }
        g->at = 0;
    }
    uint32_t y = s[g->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* random.Random(key).randbytes(n): words in little-endian order, of the last its high bits. */
static void add_random(struct pl_buf *out, uint32_t key, size_t n)
{
    static struct generator g;
    seed(&g, key);
    for (size_t left = n; left; left -= left < 4 ? left : 4) {
        uint32_t word = next_word(&g);
        size_t bytes = left < 4 ? left : 4;
        word >>= 32 - 8 * bytes;
        for (size_t i = 0; i < bytes; i++, word >>= 8) {
            pl_buf_putc(out, (char)(word & 0xff));
        }
    }
}

static struct pl_sum_value sum_of(enum pl_sum sum, struct pl_str data)
{
    struct pl_sum_value v = {0};
    return pl_sum_of(sum, data.ptr, data.len, &v, NULL) ? (struct pl_sum_value){0} : v;
}

static void check_base64(struct run *run, const json_t *expected, const char *field,
                         enum pl_sum sum, struct pl_str data)
{
    char text[PL_SUM_BASE64_MAX];
    struct pl_sum_value v = sum_of(sum, data);
    same_c(run, field, pl_sum_base64(&v, text), member_c(expected, field));
}

static void check_hex(struct run *run, const char *field, enum pl_sum sum, struct pl_str data,
                      const char *expected)
{
    char text[2 * PL_SUM_BYTES_MAX + 1];
    struct pl_sum_value v = sum_of(sum, data);
    pl_hex_encode(text, v.bytes, v.len);
    same_c(run, field, text, expected);
}

static const enum pl_sum crcs[] = {PL_SUM_CRC32, PL_SUM_CRC32C, PL_SUM_CRC64NVME};

static uint64_t number_of(const struct pl_sum_value *v)
{
    uint64_t n = 0;
    for (size_t i = 0; i < v->len; i++) {
        n = n << 8 | v->bytes[i];
    }
    return n;
}

static uint64_t combine(enum pl_sum sum, uint64_t a, uint64_t b, uint64_t b_bytes)
{
    return sum == PL_SUM_CRC32    ? pl_crc32_combine((uint32_t)a, (uint32_t)b, b_bytes)
           : sum == PL_SUM_CRC32C ? pl_crc32c_combine((uint32_t)a, (uint32_t)b, b_bytes)
                                  : pl_crc64nvme_combine(a, b, b_bytes);
}

/* The CRC of each part, and of the whole out of those alone. */
static void check_parts(struct run *run, const json_t *expected, const struct pl_str *parts,
                        size_t count)
{
    for (size_t k = 0; k < sizeof crcs / sizeof *crcs; k++) {
        uint64_t whole = 0;
        char text[17];
        for (size_t i = 0; i < count; i++) {
            const json_t *of_part = json_array_get(json_object_get(expected, "part_crcs_hex"), i);
            struct pl_sum_value v = sum_of(crcs[k], parts[i]);
            check_hex(run, "part_crcs_hex", crcs[k], parts[i],
                      json_string_value(json_array_get(of_part, k)));
            whole = combine(crcs[k], whole, number_of(&v), parts[i].len);
        }
        struct pl_sum_value v = pl_sum_of_crc(crcs[k], whole);
        pl_hex_encode(text, v.bytes, v.len);
        same_c(run, "crc_hex combined of parts", text,
               json_string_value(json_array_get(json_object_get(expected, "crc_hex"), k)));
    }
}

/* The sum of the sums of the parts, as base64 or hex, each part's as bytes or as hex. */
static void check_composite(struct run *run, const char *field, enum pl_sum sum,
                            const struct pl_str *parts, size_t count, bool hex_inside,
                            const char *expected)
{
    struct pl_buf all = PL_BUF_MAX(64 << 10), got = PL_BUF_MAX(1024);
    char text[2 * PL_SUM_BYTES_MAX + 1];
    for (size_t i = 0; i < count; i++) {
        struct pl_sum_value v = sum_of(sum, parts[i]);
        pl_hex_encode(text, v.bytes, v.len);
        pl_buf_add(&all, hex_inside ? text : (const char *)v.bytes, hex_inside ? 2 * v.len : v.len);
    }
    struct pl_sum_value v = sum_of(sum, pl_buf_view(&all));
    if (sum == PL_SUM_MD5) {
        pl_hex_encode(text, v.bytes, v.len);
        pl_buf_puts(&got, text);
    } else {
        pl_base64_encode(&got, v.bytes, v.len);
    }
    if (!hex_inside) {
        pl_buf_printf(&got, "-%zu", count);
    }
    same(run, field, pl_buf_view(&got), pl_str_c(expected));
    pl_buf_dispose(&all);
    pl_buf_dispose(&got);
}

static void check_data(struct run *run, const json_t *one, struct pl_str data)
{
    const json_t *expected = json_object_get(one, "expected");
    const json_t *lengths = json_object_get(json_object_get(one, "input"), "part_lengths");
    const json_t *composite = json_object_get(expected, "composite");
    struct pl_str parts[PARTS_MAX];
    size_t count = json_array_size(lengths), at = 0;
    check_hex(run, "md5_hex", PL_SUM_MD5, data, member_c(expected, "md5_hex"));
    check_base64(run, expected, "content_md5", PL_SUM_MD5, data);
    check_base64(run, expected, "sha1", PL_SUM_SHA1, data);
    check_base64(run, expected, "sha256", PL_SUM_SHA256, data);
    check_base64(run, expected, "x_amz_checksum_crc32", PL_SUM_CRC32, data);
    check_base64(run, expected, "x_amz_checksum_crc32c", PL_SUM_CRC32C, data);
    check_base64(run, expected, "x_amz_checksum_crc64nvme", PL_SUM_CRC64NVME, data);
    check_base64(run, expected, "x_goog_hash_crc32c", PL_SUM_CRC32C, data);
    for (size_t i = 0; i < count && i < PARTS_MAX; i++) {
        size_t n = (size_t)json_integer_value(json_array_get(lengths, i));
        n = n < data.len - at ? n : data.len - at;
        parts[i] = pl_str_n(data.ptr + at, n);
        at += n;
    }
    if (count > PARTS_MAX || at != data.len) {
        broken(run, "the parts do not make the whole");
        return;
    }
    check_parts(run, expected, parts, count);
    for (int i = PL_SUM_CRC64NVME; i <= PL_SUM_SHA1; i++) {
        const char *name = pl_sum_name((enum pl_sum)i);
        if (json_object_get(composite, name)) {
            check_composite(run, name, (enum pl_sum)i, parts, count, false,
                            member_c(composite, name));
        }
    }
    check_composite(run, "s3_multipart_etag", PL_SUM_MD5, parts, count, false,
                    member_c(expected, "s3_multipart_etag"));
    check_composite(run, "swift_slo_etag", PL_SUM_MD5, parts, count, true,
                    member_c(expected, "swift_slo_etag"));
}

/* Fields of sums that no supported service needs (sha512, xxhash) are not compared. */
void run_checksums(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input");
    size_t length = (size_t)json_integer_value(json_object_get(input, "length"));
    struct pl_buf data = decoded(run, member(input, "data_base64"));
    if (!json_is_string(json_object_get(input, "data_base64"))) {
        json_int_t key = json_integer_value(json_object_get(input, "python_random_seed"));
        add_random(&data, (uint32_t)key, length);
    }
    if (data.len != length) {
        broken(run, "the data has %zu bytes, not %zu", data.len, length);
    } else {
        check_data(run, one, pl_buf_view(&data));
    }
    pl_buf_dispose(&data);
}
