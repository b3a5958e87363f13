#include "codec/crc.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#define HAVE_CLMUL 1
#include <immintrin.h>
#else
#define HAVE_CLMUL 0
#endif

/* All three are "reflected": bit 0 of a byte is the highest power of x. A remainder of width w is
 * held in the low w bits, where bit w-1 stands for x^0 and bit 0 for x^(w-1). */
struct tables {
    uint64_t power[67];     /* x^(2^k) mod poly */
    uint64_t table[8][256]; /* slicing by 8 */
    uint64_t fold_128[2];   /* to move 16 bytes on by 16 bytes: for the first, second half */
    uint64_t fold_1024[2];  /* ... by 128 bytes */
    uint64_t fold_2048[2];  /* ... by 256 bytes */
};
/* The tables stand apart: of zeros until the first use, they take no room in a file. */
struct crc {
    unsigned width;
    uint64_t poly;
    struct tables *t;
    void (*init)(void);
    pthread_once_t once;
};

static enum pl_crc_way way_allowed = PL_CRC_WIDE_CLMUL;

void pl_crc_use(enum pl_crc_way at_most)
{
    way_allowed = at_most;
}

/* a times b mod poly. */
static uint64_t multiply(const struct crc *c, uint64_t a, uint64_t b)
{
    uint64_t product = 0;
    for (uint64_t bit = UINT64_C(1) << (c->width - 1); bit && a; bit >>= 1) {
        if (a & bit) {
            product ^= b;
            a ^= bit;
        }
        b = (b & 1) ? (b >> 1) ^ c->poly : b >> 1;
    }
    return product;
}

/* x^(exponent << shift) mod poly. */
static uint64_t x_power(const struct crc *c, uint64_t exponent, unsigned shift)
{
    uint64_t result = UINT64_C(1) << (c->width - 1);
    for (unsigned k = shift; exponent; exponent >>= 1, k++) {
        if (exponent & 1) {
            result = multiply(c, c->t->power[k], result);
        }
    }
    return result;
}

/* The constants of folding: a carry-less product of two reflected 64-bit words comes out one power
 * of x too high, hence the -1; narrower remainders stand at the top of the word. */
static void fold_constants(const struct crc *c, uint64_t distance_bits, uint64_t out[2])
{
    out[0] = x_power(c, distance_bits + 63, 0) << (64 - c->width);
    out[1] = x_power(c, distance_bits - 1, 0) << (64 - c->width);
}

static void init_tables(struct crc *c)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t r = byte;
        for (int bit = 0; bit < 8; bit++) {
            r = (r & 1) ? (r >> 1) ^ c->poly : r >> 1;
        }
        c->t->table[0][byte] = r;
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        for (int slice = 1; slice < 8; slice++) {
            uint64_t r = c->t->table[slice - 1][byte];
            c->t->table[slice][byte] = (r >> 8) ^ c->t->table[0][r & 0xff];
        }
    }
    c->t->power[0] = UINT64_C(1) << (c->width - 2);
    for (int k = 1; k < 67; k++) {
        c->t->power[k] = multiply(c, c->t->power[k - 1], c->t->power[k - 1]);
    }
    fold_constants(c, 128, c->t->fold_128);
    fold_constants(c, 1024, c->t->fold_1024);
    fold_constants(c, 2048, c->t->fold_2048);
}

static void init_64nvme(void);
static void init_32c(void);
static void init_32(void);
static struct tables tables_64nvme, tables_32c, tables_32;
static struct crc crc64nvme = {64, UINT64_C(0x9a6c9329ac4bc9b5), &tables_64nvme, init_64nvme,
                               PTHREAD_ONCE_INIT};
static struct crc crc32c = {32, 0x82f63b78, &tables_32c, init_32c, PTHREAD_ONCE_INIT};
static struct crc crc32 = {32, 0xedb88320, &tables_32, init_32, PTHREAD_ONCE_INIT};

static void init_64nvme(void)
{
    init_tables(&crc64nvme);
}
static void init_32c(void)
{
    init_tables(&crc32c);
}
static void init_32(void)
{
    init_tables(&crc32);
}

static uint64_t load_le64(const unsigned char *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) {
        v = v << 8 | p[i];
    }
    return v;
}

static uint64_t by_table(const struct crc *c, uint64_t r, const unsigned char *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t v = load_le64(p) ^ r;
        r = c->t->table[7][v & 0xff] ^ c->t->table[6][v >> 8 & 0xff] ^
            c->t->table[5][v >> 16 & 0xff] ^ c->t->table[4][v >> 24 & 0xff] ^
            c->t->table[3][v >> 32 & 0xff] ^ c->t->table[2][v >> 40 & 0xff] ^
            c->t->table[1][v >> 48 & 0xff] ^ c->t->table[0][v >> 56];
    }
    for (; n; p++, n--) {
        r = (r >> 8) ^ c->t->table[0][(r ^ *p) & 0xff];
    }
    return r;
}

#if HAVE_CLMUL

enum {
    LANES = 8,
    LANE = 16,
    STRIDE = LANES * LANE,
    WIDE_LANES = 4,
    WIDE_LANE = 64,
    WIDE_STRIDE = WIDE_LANES * WIDE_LANE
};

__attribute__((target("pclmul,sse4.1"))) static inline __m128i fold(__m128i v, __m128i k,
                                                                    __m128i next)
{
    __m128i first = _mm_clmulepi64_si128(v, k, 0x00);
    __m128i second = _mm_clmulepi64_si128(v, k, 0x11);
    return _mm_xor_si128(_mm_xor_si128(first, second), next);
}

__attribute__((target("pclmul,sse4.1"))) static inline __m128i load(const unsigned char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* What the lanes hold, folded into one; its 16 bytes leave the same remainder as all before them,
 * and go through the table. */
__attribute__((target("pclmul,sse4.1"))) static uint64_t
fold_all(const struct crc *c, const __m128i *lane, int lanes, const unsigned char *p, size_t n)
{
    const __m128i near = _mm_set_epi64x((long long)c->t->fold_128[1], (long long)c->t->fold_128[0]);
    __m128i all = lane[0];
    for (int i = 1; i < lanes; i++) {
        all = fold(all, near, lane[i]);
    }
    for (; n >= LANE; p += LANE, n -= LANE) {
        all = fold(all, near, load(p));
    }
    unsigned char last[LANE];
    _mm_storeu_si128((__m128i *)(void *)last, all);
    return by_table(c, by_table(c, 0, last, sizeof last), p, n);
}

/* Eight lanes of 16 bytes are folded 128 bytes on until the data ends. n >= STRIDE.
 * Method: V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ". */
__attribute__((target("pclmul,sse4.1"))) static uint64_t by_clmul(const struct crc *c, uint64_t r,
                                                                  const unsigned char *p, size_t n)
{
    const __m128i far =
        _mm_set_epi64x((long long)c->t->fold_1024[1], (long long)c->t->fold_1024[0]);
    __m128i lane[LANES];
    for (int i = 0; i < LANES; i++) {
        lane[i] = load(p + i * LANE);
    }
    lane[0] = _mm_xor_si128(lane[0], _mm_set_epi64x(0, (long long)r));
    for (p += STRIDE, n -= STRIDE; n >= STRIDE; p += STRIDE, n -= STRIDE) {
        for (int i = 0; i < LANES; i++) {
            lane[i] = fold(lane[i], far, load(p + i * LANE));
        }
    }
    return fold_all(c, lane, LANES, p, n);
}

/* The same with four lanes to a register and four registers, 256 bytes on. n >= WIDE_STRIDE. */
#define WIDE __attribute__((target("pclmul,sse4.1,avx512f,vpclmulqdq")))

WIDE static inline __m512i fold_wide(__m512i v, __m512i k, const unsigned char *next)
{
    return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(v, k, 0x00),
                                     _mm512_clmulepi64_epi128(v, k, 0x11), _mm512_loadu_si512(next),
                                     0x96 /* the three xored */);
}

WIDE static uint64_t by_wide_clmul(const struct crc *c, uint64_t r, const unsigned char *p,
                                   size_t n)
{
    const __m512i far = _mm512_broadcast_i32x4(
        _mm_set_epi64x((long long)c->t->fold_2048[1], (long long)c->t->fold_2048[0]));
    __m512i lane[WIDE_LANES];
    for (int i = 0; i < WIDE_LANES; i++) {
        lane[i] = _mm512_loadu_si512(p + i * WIDE_LANE);
    }
    lane[0] = _mm512_xor_si512(lane[0], _mm512_zextsi128_si512(_mm_set_epi64x(0, (long long)r)));
    for (p += WIDE_STRIDE, n -= WIDE_STRIDE; n >= WIDE_STRIDE; p += WIDE_STRIDE, n -= WIDE_STRIDE) {
        for (int i = 0; i < WIDE_LANES; i++) {
            lane[i] = fold_wide(lane[i], far, p + i * WIDE_LANE);
        }
    }
    __m128i narrow[WIDE_STRIDE / LANE];
    memcpy(narrow, lane, sizeof narrow);
    return fold_all(c, narrow, WIDE_STRIDE / LANE, p, n);
}

static bool use_clmul(size_t n)
{
    return n >= STRIDE && way_allowed >= PL_CRC_CLMUL && __builtin_cpu_supports("pclmul") &&
           __builtin_cpu_supports("sse4.1");
}

static bool use_wide_clmul(size_t n)
{
    return n >= WIDE_STRIDE && way_allowed >= PL_CRC_WIDE_CLMUL &&
           __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq");
}

#endif

static uint64_t run(struct crc *c, uint64_t crc, const void *data, size_t n)
{
    (void)pthread_once(&c->once, c->init);
    const uint64_t ones = ~UINT64_C(0) >> (64 - c->width);
    uint64_t r = crc ^ ones;
#if HAVE_CLMUL
    if (use_clmul(n) && use_wide_clmul(n)) {
        return by_wide_clmul(c, r, data, n) ^ ones;
    }
    if (use_clmul(n)) {
        return by_clmul(c, r, data, n) ^ ones;
    }
#endif
    return by_table(c, r, data, n) ^ ones;
}

static uint64_t combine(struct crc *c, uint64_t a, uint64_t b, uint64_t b_bytes)
{
    (void)pthread_once(&c->once, c->init);
    return multiply(c, x_power(c, b_bytes, 3), a) ^ b;
}

uint64_t pl_crc64nvme(uint64_t crc, const void *data, size_t n)
{
    return run(&crc64nvme, crc, data, n);
}
uint32_t pl_crc32c(uint32_t crc, const void *data, size_t n)
{
    return (uint32_t)run(&crc32c, crc, data, n);
}
uint32_t pl_crc32(uint32_t crc, const void *data, size_t n)
{
    return (uint32_t)run(&crc32, crc, data, n);
}
uint64_t pl_crc64nvme_combine(uint64_t a, uint64_t b, uint64_t b_bytes)
{
    return combine(&crc64nvme, a, b, b_bytes);
}
uint32_t pl_crc32c_combine(uint32_t a, uint32_t b, uint64_t b_bytes)
{
    return (uint32_t)combine(&crc32c, a, b, b_bytes);
}
uint32_t pl_crc32_combine(uint32_t a, uint32_t b, uint64_t b_bytes)
{
    return (uint32_t)combine(&crc32, a, b, b_bytes);
}
