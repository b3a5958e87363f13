#include "test.h"

#include <errno.h>
#include <unistd.h>

#include "base/sys.h"
#include "codec/digest.h"
#include "codec/hex.h"
#include "codec/md5x4.h"
#include "provider/request.h"
#include "transfer/ahead.h"

enum { LONGEST = 40000 };
static unsigned char sample[4][LONGEST];

static void fill(unsigned char *p, size_t n, uint32_t x)
{
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = (unsigned char)(x >> 24);
    }
}

static bool equals_openssl(const void *data, size_t n, const unsigned char md5[PL_MD5_BYTES])
{
    struct pl_sum_value v;
    return !pl_sum_of(PL_SUM_MD5, data, n, &v, NULL) && memcmp(v.bytes, md5, PL_MD5_BYTES) == 0;
}

/* The blocks that all four have, then those of each lane beside bytes of another. */
static void four(const unsigned char *const data[4], const size_t n[4], size_t blocks_at_once,
                 unsigned char out[4][PL_MD5_BYTES])
{
    struct pl_md5x4 m;
    size_t done = 0, most = 0;
    pl_md5x4_init(&m);
    for (int i = 0; i < 4; i++) {
        most = n[i] > most ? n[i] : most;
    }
    for (;;) {
        const void *at[4];
        const unsigned char *longest = NULL;
        size_t step = blocks_at_once;
        for (int i = 0; i < 4; i++) {
            size_t left = n[i] > done ? (n[i] - done) / PL_MD5_BLOCK : 0;
            longest = n[i] == most ? data[i] + done : longest;
            step = left && left < step ? left : step;
            if (done <= n[i] && n[i] - done < PL_MD5_BLOCK) {
                pl_md5x4_end(&m, i, data[i] + done, n[i], out[i]);
            }
        }
        if (most - done < PL_MD5_BLOCK) {
            return;
        }
        for (int i = 0; i < 4; i++) {
            at[i] = done + PL_MD5_BLOCK <= n[i] ? data[i] + done : longest;
        }
        pl_md5x4_blocks(&m, at, step);
        done += step * PL_MD5_BLOCK;
    }
}

/* SPEC RFC 1321 appendix A.5 */
static void test_md5x4__the_rfcs_vectors_in_each_lane(void)
{
    static const struct {
        const char *text, *md5;
    } cases[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    enum { CASES = sizeof cases / sizeof *cases };
    for (size_t c = 0; c < CASES; c++) {
        const unsigned char *data[4];
        unsigned char out[4][PL_MD5_BYTES];
        size_t n[4];
        for (size_t lane = 0; lane < 4; lane++) {
            data[lane] = (const unsigned char *)cases[(c + lane) % CASES].text;
            n[lane] = strlen(cases[(c + lane) % CASES].text);
        }
        four(data, n, 1, out);
        for (size_t lane = 0; lane < 4; lane++) {
            char hex[2 * PL_MD5_BYTES + 1];
            pl_hex_encode(hex, out[lane], PL_MD5_BYTES);
            CHECK_STR(hex, cases[(c + lane) % CASES].md5);
        }
    }
}

static void test_md5x4__all_short_lengths_beside_others_at_any_alignment(void)
{
    for (size_t i = 0; i < 4; i++) {
        fill(sample[i], LONGEST, (uint32_t)i + 1);
    }
    for (size_t length = 0; length <= 300; length++) {
        unsigned char out[4][PL_MD5_BYTES];
        const unsigned char *data[4];
        size_t n[4];
        for (size_t i = 0; i < 4; i++) {
            data[i] = sample[i] + (length + i) % 19;
            n[i] = i ? (length * (i + 6) + 31 * i) % 301 : length;
        }
        four(data, n, length % 5 + 1, out);
        for (size_t i = 0; i < 4; i++) {
            CHECK(equals_openssl(data[i], n[i], out[i]));
        }
    }
}

static void test_md5x4__long_messages_in_pieces_of_any_size(void)
{
    uint32_t x = 7;
    for (int round = 0; round < 50; round++) {
        unsigned char out[4][PL_MD5_BYTES];
        const unsigned char *data[4];
        size_t n[4];
        for (size_t i = 0; i < 4; i++) {
            x = x * 1664525 + 1013904223;
            data[i] = sample[i];
            n[i] = round % 3 && i ? n[0] : (x >> 8) % LONGEST;
        }
        four(data, n, (size_t)(x >> 20) % 70 + 1, out);
        for (size_t i = 0; i < 4; i++) {
            CHECK(equals_openssl(data[i], n[i], out[i]));
        }
    }
}

/* From 512 MiB on, the length in bits needs its upper half. */
static void test_md5x4__a_length_beyond_32_bits(void)
{
    enum { PIECE = 1 << 20, PIECES = 513 };
    struct pl_md5x4 m;
    struct pl_digest d = {0};
    struct pl_sum_value v;
    unsigned char out[PL_MD5_BYTES], *piece = calloc(1, PIECE);
    REQUIRE(piece && !pl_digest_init(&d, PL_SUM_MD5, NULL));
    const void *const at[4] = {piece, piece, piece, piece};
    pl_md5x4_init(&m);
    for (int i = 0; i < PIECES; i++) {
        pl_md5x4_blocks(&m, at, PIECE / PL_MD5_BLOCK);
        pl_digest_update(&d, piece, PIECE);
    }
    CHECK(!pl_digest_final(&d, &v, NULL));
    pl_md5x4_end(&m, 2, "", (uint64_t)PIECE * PIECES, out);
    CHECK(memcmp(v.bytes, out, sizeof out) == 0);
    pl_digest_dispose(&d);
    free(piece);
}

/* ---- The parts of an upload */

enum { PART = 5000, PARTS = 43, LAST = 77, SIZE = (PARTS - 1) * PART + LAST };
static unsigned char bytes[SIZE];
static unsigned reads;

static ssize_t counting_pread(int fd, void *buf, size_t n, off_t offset)
{
    reads++;
    return pread(fd, buf, n, offset);
}

/* Bytes from `skip` on are the source, as where a descriptor stands behind the beginning. */
static bool open_file(struct pl_source *s, pail_body *user, size_t skip)
{
    FILE *f = tmpfile();
    int fd = f ? dup(fileno(f)) : -1;
    bool fine = f && fd >= 0 && fwrite(bytes, 1, SIZE, f) == SIZE && fflush(f) == 0 &&
                lseek(fd, (off_t)skip, SEEK_SET) >= 0;
    if (f) {
        fclose(f);
    }
    *user = *PAIL_FD(fd);
    fine = fine && !pl_source_open(s, user, NULL);
    s->owns_fd = true;
    return fine;
}

static struct pl_body part_of(struct pl_ahead *a, const struct pl_source *s, uint64_t number)
{
    struct pl_body body = {0};
    uint64_t at = number * PART, left = s->size - at;
    pl_source_body(s, at, left < PART ? left : PART, &body);
    pl_ahead_offer(a, &body);
    return body;
}

static bool sum_is_right(struct pl_ahead *a, const struct pl_source *s, size_t skip, uint64_t n)
{
    struct pl_sum_value v;
    struct pl_body part = part_of(a, s, n);
    return !pl_request_sum_source(PL_SUM_MD5, &part, &v, NULL) && v.len == PL_MD5_BYTES &&
           equals_openssl(bytes + skip + n * PART, part.len, v.bytes);
}

static void test_ahead__each_part_in_any_order_from_memory_and_file(void)
{
    enum { SKIP = 1234 };
    fill(bytes, SIZE, 99);
    for (size_t kind = 0; kind < 3; kind++) {
        struct pl_source s;
        struct pl_ahead a = {0};
        size_t skip = kind == 2 ? SKIP : 0;
        pail_body user = *PAIL_BUF(bytes, SIZE);
        bool fine = kind ? open_file(&s, &user, skip) : !pl_source_open(&s, &user, NULL);
        REQUIRE(fine);
        size_t count = (s.size + PART - 1) / PART;
        pl_ahead_begin(&a, &s, PART);
        for (uint64_t n = 0; n < count; n++) {
            CHECK(sum_is_right(&a, &s, skip, n));
        }
        for (uint64_t n = 0; n < count; n++) { /* far apart: groups are forgotten and made again */
            CHECK(sum_is_right(&a, &s, skip, n * 17 % count));
        }
        pl_ahead_end(&a);
        pl_source_close(&s);
    }
}

static void test_ahead__a_group_is_read_once(void)
{
    struct pl_source s;
    struct pl_ahead a = {0};
    pail_body user;
    REQUIRE(open_file(&s, &user, 0));
    pl_ahead_begin(&a, &s, PART);
    pl_sys.pread = counting_pread;
    reads = 0;
    for (uint64_t n = 0; n < 16; n++) {
        CHECK(sum_is_right(&a, &s, 0, n));
    }
    CHECK_INT(reads, 16);
    struct pl_body part = part_of(&a, &s, 3);
    unsigned char md5[PL_MD5_BYTES];
    CHECK(part.md5(part.md5_ctx, &part, md5)); /* parts of one size: all ended in one piece */
    CHECK_INT(reads, 16);
    pl_sys.pread = pread;
    pl_ahead_end(&a);
    pl_source_close(&s);
}

static void test_ahead__what_is_no_part_or_alone_is_not_told(void)
{
    struct pl_source s;
    struct pl_ahead a = {0};
    unsigned char md5[PL_MD5_BYTES];
    pail_body user = *PAIL_BUF(bytes, 4 * PART + 1);
    REQUIRE(!pl_source_open(&s, &user, NULL));
    pl_ahead_begin(&a, &s, PART);
    struct pl_body part = part_of(&a, &s, 4);
    CHECK(part.len == 1 && part.md5 && !part.md5(part.md5_ctx, &part, md5));
    CHECK(sum_is_right(&a, &s, 0, 4));
    part = part_of(&a, &s, 1);
    part.len--;
    CHECK(!part.md5(part.md5_ctx, &part, md5));
    part.ptr++;
    CHECK(!part.md5(part.md5_ctx, &part, md5));
    pl_ahead_end(&a);
    pl_source_close(&s);
}

/* A part before the bytes that are gone is as good as it was; one of the others is not, and says
 * so as it does without company. */
static void test_ahead__a_source_that_changed_or_lost_its_end_is_an_error(void)
{
    for (int cut = 0; cut < 2; cut++) {
        struct pl_source s;
        struct pl_ahead a = {0};
        pail_body user;
        struct pl_sum_value v;
        struct pail_error *e = NULL;
        REQUIRE(open_file(&s, &user, 0));
        pl_ahead_begin(&a, &s, PART);
        CHECK(sum_is_right(&a, &s, 0, 0));
        CHECK(cut ? ftruncate(s.fd, 6 * PART + 1) == 0 : pl_sys.touch(s.fd) == 0);
        for (uint64_t n = 4; n < 8; n++) {
            struct pl_body part = part_of(&a, &s, n);
            CHECK_INT(pl_request_sum_source(PL_SUM_MD5, &part, &v, &e), PAIL_E_CHANGED);
            pail_error_free(e);
            e = NULL;
        }
        pl_ahead_end(&a);
        pl_source_close(&s);
    }
}

static off_t bad_from;
static ssize_t bad_pread(int fd, void *buf, size_t n, off_t offset)
{
    if (offset >= bad_from) {
        errno = EIO;
        return -1;
    }
    return pread(fd, buf, n, offset);
}

static void test_ahead__a_part_is_not_blamed_for_its_neighbour(void)
{
    struct pl_source s;
    struct pl_ahead a = {0};
    pail_body user;
    struct pl_sum_value v;
    struct pail_error *e = NULL;
    REQUIRE(open_file(&s, &user, 0));
    pl_ahead_begin(&a, &s, PART);
    pl_sys.pread = bad_pread;
    bad_from = 2 * PART;
    CHECK(sum_is_right(&a, &s, 0, 0));
    CHECK(sum_is_right(&a, &s, 0, 1));
    struct pl_body part = part_of(&a, &s, 2);
    CHECK_INT(pl_request_sum_source(PL_SUM_MD5, &part, &v, &e), PAIL_E_IO);
    pl_sys.pread = pread;
    pail_error_free(e);
    pl_ahead_end(&a);
    pl_source_close(&s);
}

struct worker {
    struct pl_ahead *a;
    const struct pl_source *s;
    uint64_t from;
    bool wrong;
};

static void *ask_all(void *arg)
{
    struct worker *w = arg;
    for (uint64_t n = 0; n < PARTS; n++) {
        w->wrong |= !sum_is_right(w->a, w->s, 0, (w->from + n) % PARTS);
    }
    return NULL;
}

static void test_ahead__many_threads_ask_at_once(void)
{
    enum { THREADS = 4 };
    struct pl_source s;
    struct pl_ahead a = {0};
    pail_body user;
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    REQUIRE(open_file(&s, &user, 0));
    pl_ahead_begin(&a, &s, PART);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){&a, &s, (uint64_t)i / 2 * 20, false};
        REQUIRE(pthread_create(&threads[i], NULL, ask_all, &workers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(!workers[i].wrong);
    }
    pl_ahead_end(&a);
    pl_source_close(&s);
}

int main(void)
{
    RUN(test_md5x4__the_rfcs_vectors_in_each_lane);
    RUN(test_md5x4__all_short_lengths_beside_others_at_any_alignment);
    RUN(test_md5x4__long_messages_in_pieces_of_any_size);
    RUN(test_md5x4__a_length_beyond_32_bits);
    RUN(test_ahead__each_part_in_any_order_from_memory_and_file);
    RUN(test_ahead__a_group_is_read_once);
    RUN(test_ahead__what_is_no_part_or_alone_is_not_told);
    RUN(test_ahead__a_source_that_changed_or_lost_its_end_is_an_error);
    RUN(test_ahead__a_part_is_not_blamed_for_its_neighbour);
    RUN(test_ahead__many_threads_ask_at_once);
    return test_end();
}
