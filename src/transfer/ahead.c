#include "transfer/ahead.h"

/* Of each part at once: the four pieces stay in the cache between reading and hashing. */
enum { PIECE = 64 * 1024 };

/* The parts of one group while they are hashed. */
struct lanes {
    struct pl_body part[PL_MD5_LANES];
    const void *at[PL_MD5_LANES];
    unsigned count, live; /* live: bits of those that have not ended */
    char *pieces;         /* FILE: one for each lane */
    struct pl_md5x4 md5;
};

static unsigned parts_from(const struct pl_ahead *a, uint64_t first)
{
    uint64_t left = a->source->size - first * a->part_size;
    uint64_t n = left / a->part_size + (left % a->part_size != 0);
    return n < PL_MD5_LANES ? (unsigned)n : PL_MD5_LANES;
}

/* How much of every part that has not ended is taken next: the shortest one ends first. */
static size_t next_piece(const struct lanes *l, uint64_t at)
{
    uint64_t n = l->part[0].kind == PL_BODY_FILE ? PIECE : SIZE_MAX;
    for (unsigned i = 0; i < l->count; i++) {
        uint64_t left = l->part[i].len - at;
        n = (l->live & 1U << i) && left < n ? left : n;
    }
    return (size_t)n;
}

/* Points l->at to n bytes of each part; lanes without any get those of another. */
static bool fetch(struct lanes *l, uint64_t at, size_t n)
{
    const char *any = NULL;
    for (unsigned i = 0; i < PL_MD5_LANES; i++) {
        const struct pl_body *part = &l->part[i];
        l->at[i] = NULL;
        if (l->live & 1U << i) {
            bool file = part->kind == PL_BODY_FILE;
            char *piece = file ? l->pieces + (size_t)i * PIECE : part->ptr + at;
            if (file && !pl_body_read(part, at, piece, n)) {
                return false;
            }
            l->at[i] = any = piece;
        }
    }
    for (unsigned i = 0; i < PL_MD5_LANES; i++) {
        l->at[i] = l->at[i] ? l->at[i] : any;
    }
    return true;
}

static bool hash(struct lanes *l, struct pl_ahead_group *out)
{
    pl_md5x4_init(&l->md5);
    for (uint64_t at = 0; l->live;) {
        size_t n = next_piece(l, at), whole = n - n % PL_MD5_BLOCK;
        if (!fetch(l, at, n)) {
            return false;
        }
        pl_md5x4_blocks(&l->md5, l->at, whole / PL_MD5_BLOCK);
        for (unsigned i = 0; i < l->count; i++) {
            uint64_t len = l->part[i].len;
            if ((l->live & 1U << i) && len - at == n) {
                const char *tail = (const char *)l->at[i] + whole;
                pl_md5x4_end(&l->md5, (int)i, tail, len, out->md5[i]);
                l->live &= ~(1U << i);
            }
        }
        at += whole; /* the others take what is less than a block again */
    }
    return true;
}

static bool hash_group(const struct pl_ahead *a, uint64_t first, struct pl_ahead_group *out)
{
    struct lanes l = {.count = parts_from(a, first)};
    for (unsigned i = 0; i < l.count; i++) {
        uint64_t at = (first + i) * a->part_size, left = a->source->size - at;
        pl_source_body(a->source, at, left < a->part_size ? left : a->part_size, &l.part[i]);
        l.live |= 1U << i;
    }
    if (a->source->kind == PL_BODY_FILE) {
        l.pieces = pl_alloc((size_t)PL_MD5_LANES * PIECE);
        if (!l.pieces) {
            return false;
        }
    }
    bool fine = hash(&l, out);
    out->first = fine ? first + 1 : 0;
    pl_free(l.pieces);
    return fine;
}

/* False for a range that is no part, or the only one of its group: with one message OpenSSL is
 * faster. */
static bool is_one_of_many(const struct pl_ahead *a, const struct pl_body *body, uint64_t *number)
{
    uint64_t at = body->kind == PL_BODY_FILE
                      ? body->offset - a->source->offset
                      : (uint64_t)(body->ptr - (const char *)a->source->user->buf);
    bool last = at + body->len == a->source->size;
    *number = at / a->part_size;
    return at % a->part_size == 0 && (body->len == a->part_size || last) &&
           parts_from(a, *number - *number % PL_MD5_LANES) > 1;
}

static bool tell(void *ctx, const struct pl_body *part, unsigned char out[PL_MD5_BYTES])
{
    struct pl_ahead *a = ctx;
    uint64_t number;
    if (!is_one_of_many(a, part, &number)) {
        return false;
    }
    uint64_t lane = number % PL_MD5_LANES, first = number - lane;
    struct pl_ahead_group *g = &a->groups[first / PL_MD5_LANES % PL_AHEAD_GROUPS];
    pthread_mutex_lock(&a->lock);
    bool known = g->first == first + 1;
    if (!known && !a->broken) {
        known = hash_group(a, first, g);
        a->broken = !known;
    }
    if (known) {
        memcpy(out, g->md5[lane], PL_MD5_BYTES);
    }
    pthread_mutex_unlock(&a->lock);
    return known;
}

void pl_ahead_begin(struct pl_ahead *a, const struct pl_source *source, uint64_t part_size)
{
    a->source = source;
    a->part_size = part_size;
    a->on = pthread_mutex_init(&a->lock, NULL) == 0;
}

void pl_ahead_offer(struct pl_ahead *a, struct pl_body *part)
{
    if (a->on) {
        part->md5 = tell;
        part->md5_ctx = a;
    }
}

void pl_ahead_end(struct pl_ahead *a)
{
    if (a->on) {
        pthread_mutex_destroy(&a->lock);
    }
    *a = (struct pl_ahead){0};
}
