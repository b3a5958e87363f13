#include "codec/md5x4.h"

#include <string.h>

/* The compilers make of it what the machine has; on x86-64 that is SSE2, everywhere. */
typedef uint32_t lanes __attribute__((vector_size(16)));

void pl_md5x4_init(struct pl_md5x4 *m)
{
    /* SPEC RFC 1321#3.3: words A to D, low-order bytes first. */
    static const uint32_t begin[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    for (int word = 0; word < 4; word++) {
        for (int lane = 0; lane < PL_MD5_LANES; lane++) {
            m->state[word][lane] = begin[word];
        }
    }
}

/* Lanes i to l of x, followed by y. */
#ifdef __clang__
#define PICK(x, y, i, j, k, l) __builtin_shufflevector(x, y, i, j, k, l)
#else
#define PICK(x, y, i, j, k, l) __builtin_shuffle(x, y, (lanes){i, j, k, l})
#endif

/* Four words of one message, low-order bytes first. */
static inline lanes load(const unsigned char *p)
{
    lanes v;
    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = (v >> 24) | ((v >> 8) & 0xff00) | ((v << 8) & 0xff0000) | (v << 24);
#endif
    return v;
}

/* Four words of each of four messages: from one message in a vector to one word in a vector. */
static inline void load_words(lanes x[4], const unsigned char *const at[PL_MD5_LANES], size_t i)
{
    lanes m0 = load(at[0] + i), m1 = load(at[1] + i), m2 = load(at[2] + i), m3 = load(at[3] + i);
    lanes low01 = PICK(m0, m1, 0, 4, 1, 5), high01 = PICK(m0, m1, 2, 6, 3, 7);
    lanes low23 = PICK(m2, m3, 0, 4, 1, 5), high23 = PICK(m2, m3, 2, 6, 3, 7);
    x[0] = PICK(low01, low23, 0, 1, 4, 5);
    x[1] = PICK(low01, low23, 2, 3, 6, 7);
    x[2] = PICK(high01, high23, 0, 1, 4, 5);
    x[3] = PICK(high01, high23, 2, 3, 6, 7);
}

/* SPEC RFC 1321#3.4: the functions F to I, added to a. Of G both halves are added by themselves
 * (they have no bit in common), so that only the one with b, the word just made, is waited for. */
#define ADD_F(a, b, c, d) (a += ((c ^ d) & b) ^ d)
#define ADD_G(a, b, c, d) (a += ~d & c, a += d & b)
#define ADD_H(a, b, c, d) (a += (c ^ d) ^ b)
#define ADD_I(a, b, c, d) (a += (b | ~d) ^ c)

/* Word k of the block, the sine and the turn of one step; four of them stand in a line. */
#define STEP(add, a, b, c, d, k, t, s)                                                             \
    (a += x[k] + t, add(a, b, c, d), a = ((a << s) | (a >> (32 - s))) + b)
#define STEPS(add, s0, s1, s2, s3, k0, t0, k1, t1, k2, t2, k3, t3)                                 \
    (STEP(add, a, b, c, d, k0, t0, s0), STEP(add, d, a, b, c, k1, t1, s1),                         \
     STEP(add, c, d, a, b, k2, t2, s2), STEP(add, b, c, d, a, k3, t3, s3))
#define ROUND_1(...) STEPS(ADD_F, 7, 12, 17, 22, __VA_ARGS__)
#define ROUND_2(...) STEPS(ADD_G, 5, 9, 14, 20, __VA_ARGS__)
#define ROUND_3(...) STEPS(ADD_H, 4, 11, 16, 23, __VA_ARGS__)
#define ROUND_4(...) STEPS(ADD_I, 6, 10, 15, 21, __VA_ARGS__)

static inline void block(lanes state[4], const lanes x[16])
{
    lanes a = state[0], b = state[1], c = state[2], d = state[3];
    ROUND_1(0, 0xd76aa478, 1, 0xe8c7b756, 2, 0x242070db, 3, 0xc1bdceee);
    ROUND_1(4, 0xf57c0faf, 5, 0x4787c62a, 6, 0xa8304613, 7, 0xfd469501);
    ROUND_1(8, 0x698098d8, 9, 0x8b44f7af, 10, 0xffff5bb1, 11, 0x895cd7be);
    ROUND_1(12, 0x6b901122, 13, 0xfd987193, 14, 0xa679438e, 15, 0x49b40821);
    ROUND_2(1, 0xf61e2562, 6, 0xc040b340, 11, 0x265e5a51, 0, 0xe9b6c7aa);
    ROUND_2(5, 0xd62f105d, 10, 0x02441453, 15, 0xd8a1e681, 4, 0xe7d3fbc8);
    ROUND_2(9, 0x21e1cde6, 14, 0xc33707d6, 3, 0xf4d50d87, 8, 0x455a14ed);
    ROUND_2(13, 0xa9e3e905, 2, 0xfcefa3f8, 7, 0x676f02d9, 12, 0x8d2a4c8a);
    ROUND_3(5, 0xfffa3942, 8, 0x8771f681, 11, 0x6d9d6122, 14, 0xfde5380c);
    ROUND_3(1, 0xa4beea44, 4, 0x4bdecfa9, 7, 0xf6bb4b60, 10, 0xbebfbc70);
    ROUND_3(13, 0x289b7ec6, 0, 0xeaa127fa, 3, 0xd4ef3085, 6, 0x04881d05);
    ROUND_3(9, 0xd9d4d039, 12, 0xe6db99e5, 15, 0x1fa27cf8, 2, 0xc4ac5665);
    ROUND_4(0, 0xf4292244, 7, 0x432aff97, 14, 0xab9423a7, 5, 0xfc93a039);
    ROUND_4(12, 0x655b59c3, 3, 0x8f0ccc92, 10, 0xffeff47d, 1, 0x85845dd1);
    ROUND_4(8, 0x6fa87e4f, 15, 0xfe2ce6e0, 6, 0xa3014314, 13, 0x4e0811a1);
    ROUND_4(4, 0xf7537e82, 11, 0xbd3af235, 2, 0x2ad7d2bb, 9, 0xeb86d391);
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

void pl_md5x4_blocks(struct pl_md5x4 *m, const void *const at[PL_MD5_LANES], size_t blocks)
{
    const unsigned char *p[PL_MD5_LANES] = {at[0], at[1], at[2], at[3]};
    lanes state[4], x[16];
    memcpy(state, m->state, sizeof state);
    for (size_t i = 0; i < blocks; i++) {
        for (size_t word = 0; word < 16; word += 4) {
            load_words(x + word, p, i * PL_MD5_BLOCK + 4 * word);
        }
        block(state, x);
    }
    memcpy(m->state, state, sizeof state);
}

static void put_le(unsigned char *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++, v >>= 8) {
        p[i] = (unsigned char)(v & 0xff);
    }
}

/* SPEC RFC 1321#3.1 and 3.2: a bit of one, zeros, and the length in bits, up to a whole block. */
void pl_md5x4_end(const struct pl_md5x4 *m, int lane, const void *tail, uint64_t size,
                  unsigned char out[PL_MD5_BYTES])
{
    struct pl_md5x4 last = *m;
    unsigned char padded[2 * PL_MD5_BLOCK] = {0};
    size_t n = (size_t)(size % PL_MD5_BLOCK);
    size_t blocks = n + 1 + sizeof size <= PL_MD5_BLOCK ? 1 : 2;
    const void *const at[PL_MD5_LANES] = {padded, padded, padded, padded};
    if (n) {
        memcpy(padded, tail, n);
    }
    padded[n] = 0x80;
    put_le(padded + blocks * PL_MD5_BLOCK - sizeof size, size << 3, sizeof size);
    pl_md5x4_blocks(&last, at, blocks);
    for (size_t word = 0; word < 4; word++) {
        put_le(out + 4 * word, last.state[word][lane], 4);
    }
}
