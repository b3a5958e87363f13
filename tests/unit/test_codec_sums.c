#include "test.h"

#include "codec/crc.h"
#include "codec/digest.h"
#include "codec/hex.h"

static unsigned char sample[5000];

static void fill_sample(void)
{
    uint32_t x = 12345;
    for (size_t i = 0; i < sizeof sample; i++) {
        x = x * 1664525 + 1013904223;
        sample[i] = (unsigned char)(x >> 24);
    }
}

static void test_crc__check_values_of_the_catalogue(void)
{
    for (enum pl_crc_way way = PL_CRC_TABLE; way <= PL_CRC_WIDE_CLMUL; way++) {
        pl_crc_use(way);
        CHECK(pl_crc64nvme(0, "123456789", 9) == UINT64_C(0xae8b14860a799888));
        CHECK(pl_crc32c(0, "123456789", 9) == 0xe3069283);
        CHECK(pl_crc32(0, "123456789", 9) == 0xcbf43926);
        CHECK(pl_crc64nvme(0, "", 0) == 0 && pl_crc32c(0, "", 0) == 0 && pl_crc32(0, "", 0) == 0);
    }
}

static void test_crc__kernel_equals_table_at_every_length_and_alignment(void)
{
    fill_sample();
    for (size_t n = 0; n < 1400; n++) {
        const unsigned char *p = sample + n % 67;
        uint64_t crc[PL_CRC_WIDE_CLMUL + 1][3];
        for (enum pl_crc_way way = PL_CRC_TABLE; way <= PL_CRC_WIDE_CLMUL; way++) {
            pl_crc_use(way);
            crc[way][0] = pl_crc64nvme(n * 7, p, n);
            crc[way][1] = pl_crc32c((uint32_t)n, p, n);
            crc[way][2] = pl_crc32((uint32_t)n, p, n);
        }
        CHECK(memcmp(crc[PL_CRC_TABLE], crc[PL_CRC_CLMUL], sizeof crc[0]) == 0);
        CHECK(memcmp(crc[PL_CRC_TABLE], crc[PL_CRC_WIDE_CLMUL], sizeof crc[0]) == 0);
    }
}

static void test_crc__any_split_gives_the_same_and_parts_combine(void)
{
    fill_sample();
    const size_t n = sizeof sample;
    uint64_t whole64 = pl_crc64nvme(0, sample, n);
    uint32_t whole32c = pl_crc32c(0, sample, n), whole32 = pl_crc32(0, sample, n);
    for (size_t at = 0; at <= n; at += 37) {
        const unsigned char *rest = sample + at;
        CHECK(pl_crc64nvme(pl_crc64nvme(0, sample, at), rest, n - at) == whole64);
        CHECK(pl_crc64nvme_combine(pl_crc64nvme(0, sample, at), pl_crc64nvme(0, rest, n - at),
                                   n - at) == whole64);
        CHECK(pl_crc32c_combine(pl_crc32c(0, sample, at), pl_crc32c(0, rest, n - at), n - at) ==
              whole32c);
        CHECK(pl_crc32_combine(pl_crc32(0, sample, at), pl_crc32(0, rest, n - at), n - at) ==
              whole32);
    }
}

static void test_crc__combining_knows_lengths_beyond_32_bits(void)
{
    /* 2^33 zero bytes, as two halves and as eight eighths: the order of combining is free. */
    const uint64_t eighth = UINT64_C(1) << 30;
    static const unsigned char zeros[1 << 16];
    uint64_t crc = pl_crc64nvme(0, zeros, sizeof zeros), len = sizeof zeros;
    for (; len < eighth; len *= 2) {
        crc = pl_crc64nvme_combine(crc, crc, len);
    }
    uint64_t left = crc, right = crc;
    for (int i = 1; i < 8; i++) {
        left = pl_crc64nvme_combine(left, crc, eighth);
        right = pl_crc64nvme_combine(crc, right, eighth * (uint64_t)i);
    }
    CHECK(left == right);
}

static void check_sum(enum pl_sum sum, const char *want)
{
    struct pl_sum_value v, whole;
    struct pl_digest d = {0};
    char hex[2 * PL_SUM_BYTES_MAX + 1];
    CHECK_INT(pl_digest_init(&d, sum, NULL), PAIL_OK);
    pl_digest_update(&d, "a", 1);
    pl_digest_update(&d, "", 0);
    pl_digest_update(&d, "bc", 2);
    CHECK_INT(pl_digest_final(&d, &v, NULL), PAIL_OK);
    CHECK_INT(v.len, pl_sum_size(sum));
    pl_hex_encode(hex, v.bytes, v.len);
    CHECK_STR(hex, want);
    CHECK_INT(pl_sum_of(sum, "abc", 3, &whole, NULL), PAIL_OK);
    CHECK(memcmp(v.bytes, whole.bytes, v.len) == 0);
    CHECK_INT(pl_digest_init(&d, sum, NULL), PAIL_OK); /* used again */
    pl_digest_dispose(&d);
    CHECK(pl_sum_by_name(pl_str_c(pl_sum_name(sum))) == sum);
}

static void test_digest__abc_in_pieces_by_every_sum(void)
{
    check_sum(PL_SUM_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_sum(PL_SUM_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d");
    check_sum(PL_SUM_MD5, "900150983cd24fb0d6963f7d28e17f72");
    check_sum(PL_SUM_CRC32, "352441c2");
    check_sum(PL_SUM_CRC32C, "364b3fb7");
    check_sum(PL_SUM_CRC64NVME, "05e5cabb3fc1faeb");
    CHECK(pl_sum_by_name(PL_STR("CRC32C")) == PL_SUM_CRC32C);
    CHECK(pl_sum_by_name(PL_STR("crc64")) == PL_SUM_NONE);
}

static void test_digest__crc_is_rendered_big_endian(void)
{
    char text[PL_SUM_BASE64_MAX];
    struct pl_sum_value v = pl_sum_of_crc(PL_SUM_CRC32, 0x1f03798e);
    CHECK_STR(pl_sum_base64(&v, text), "HwN5jg==");
    v = pl_sum_of_crc(PL_SUM_CRC64NVME, UINT64_C(0x08e5e058406cf2f5));
    CHECK_STR(pl_sum_base64(&v, text), "COXgWEBs8vU=");
}

int main(void)
{
    RUN(test_crc__check_values_of_the_catalogue);
    RUN(test_crc__kernel_equals_table_at_every_length_and_alignment);
    RUN(test_crc__any_split_gives_the_same_and_parts_combine);
    RUN(test_crc__combining_knows_lengths_beyond_32_bits);
    RUN(test_digest__abc_in_pieces_by_every_sum);
    RUN(test_digest__crc_is_rendered_big_endian);
    return test_end();
}
