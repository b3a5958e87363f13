/* Bytes of a large upload, from the thread that reads its connection to the one that has the
 * store's op, in blocks that the store writes as they lie. A slow upload has one small block of its
 * own, so that hundreds of them fit into little memory. One whose bytes come fast gets large ones
 * while there are some, two in turn: one fills while the other is written. */
#include "gateway/gateway.h"

#include "base/sys.h"

enum {
    SMALL_BLOCK = 64 << 10,
    LARGE_BLOCK = 1 << 20,
    ALIGN = 4096,             /* what writing past the page cache asks for */
    LARGE_AT_ONCE = 16,       /* of all uploads together */
    FAST_BYTES_A_MS = 8 << 10 /* 8 MiB/s */
};

struct pl_gw_block {
    char *room, *data; /* data: in room, aligned */
    size_t size, len;
    bool large;
};

struct pl_gw_relay {
    struct pl_pool *pool;
    atomic_int *large; /* how many there are; the gateway's */
    uint64_t total;
    /* The connection's side. */
    struct pl_gw_block small, *fill; /* small: in fill, in ready, or free (len 0) */
    int64_t begun_ns;                /* when fill was */
    uint64_t in;
    bool fast;
    /* The store's side. */
    const char *left; /* of what was lent, for those who take bytes */
    size_t left_len;
    bool lent; /* ready is with the store */

    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct pl_gw_block *ready; /* under lock, as all below */
    bool small_is_out;         /* small is in ready */
    bool failed, stopped;      /* nothing more comes; nobody takes any more */
};

struct pl_gw_relay *pl_gw_relay_new(struct pl_pool *pool, atomic_int *large, uint64_t total)
{
    struct pl_gw_relay *r = pl_calloc(1, sizeof *r);
    char *room = r ? pl_alloc(SMALL_BLOCK + ALIGN) : NULL;
    if (!room) {
        pl_free(r);
        return NULL;
    }
    r->pool = pool;
    r->large = large;
    r->total = total;
    r->small = (struct pl_gw_block){.room = room, .size = SMALL_BLOCK};
    r->small.data = room + (ALIGN - (uintptr_t)room % ALIGN) % ALIGN;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->moved, NULL);
    return r;
}

static struct pl_gw_block *large_block(struct pl_gw_relay *r)
{
    struct pl_gw_block *b = NULL;
    if (atomic_fetch_add(r->large, 1) < LARGE_AT_ONCE) {
        char *room = pl_pool_try(r->pool, LARGE_BLOCK + ALIGN);
        b = room ? pl_calloc(1, sizeof *b) : NULL;
        if (b) {
            *b = (struct pl_gw_block){.room = room, .size = LARGE_BLOCK, .large = true};
            b->data = room + (ALIGN - (uintptr_t)room % ALIGN) % ALIGN;
            return b;
        }
        pl_pool_give(r->pool, room, LARGE_BLOCK + ALIGN);
    }
    atomic_fetch_sub(r->large, 1);
    return b;
}

/* Under lock or when only one thread is left. */
static void free_block(struct pl_gw_relay *r, struct pl_gw_block *b)
{
    if (b == &r->small) {
        r->small_is_out = false;
        b->len = 0;
    } else if (b) {
        pl_pool_give(r->pool, b->room, LARGE_BLOCK + ALIGN);
        pl_free(b);
        atomic_fetch_sub(r->large, 1);
    }
}

void pl_gw_relay_free(struct pl_gw_relay *r)
{
    if (r) {
        free_block(r, r->ready);
        free_block(r, r->fill);
        pthread_mutex_destroy(&r->lock);
        pthread_cond_destroy(&r->moved);
        pl_free(r->small.room);
        pl_free(r);
    }
}

/* ---- in ---- */

/* A block to fill; NULL: the other side takes no more. */
static struct pl_gw_block *next_block(struct pl_gw_relay *r)
{
    struct pl_gw_block *b = r->fast ? large_block(r) : NULL;
    if (!b) {
        pthread_mutex_lock(&r->lock);
        while (r->small_is_out && !r->stopped) {
            pthread_cond_wait(&r->moved, &r->lock);
        }
        b = r->stopped ? NULL : &r->small;
        pthread_mutex_unlock(&r->lock);
    }
    r->begun_ns = pl_sys.mono_ns();
    return b;
}

/* False: the other side takes no more. */
static bool hand_over(struct pl_gw_relay *r)
{
    int64_t took_ms = (pl_sys.mono_ns() - r->begun_ns) / 1000000;
    r->fast = r->fill->len / FAST_BYTES_A_MS >= (uint64_t)took_ms;
    pthread_mutex_lock(&r->lock);
    while (r->ready && !r->stopped) {
        pthread_cond_wait(&r->moved, &r->lock);
    }
    bool ok = !r->stopped;
    if (ok) {
        r->ready = r->fill;
        r->small_is_out = r->small_is_out || r->fill == &r->small;
        r->fill = NULL;
        pthread_cond_broadcast(&r->moved);
    }
    pthread_mutex_unlock(&r->lock);
    return ok;
}

bool pl_gw_relay_put(struct pl_gw_relay *r, const char *data, size_t n)
{
    while (n) {
        r->fill = r->fill ? r->fill : next_block(r);
        if (!r->fill) {
            return false;
        }
        struct pl_gw_block *b = r->fill;
        size_t take = n < b->size - b->len ? n : b->size - b->len;
        memcpy(b->data + b->len, data, take);
        b->len += take;
        r->in += take;
        data += take;
        n -= take;
        /* The last one waits for pl_gw_relay_end. */
        if (b->len == b->size && r->in < r->total && !hand_over(r)) {
            return false;
        }
    }
    return true;
}

void pl_gw_relay_end(struct pl_gw_relay *r, bool good)
{
    if (good && r->in == r->total && r->fill) {
        (void)hand_over(r);
        return;
    }
    pthread_mutex_lock(&r->lock);
    r->failed = r->failed || r->in < r->total || r->fill;
    pthread_cond_broadcast(&r->moved);
    pthread_mutex_unlock(&r->lock);
}

/* ---- out ---- */

const char *pl_gw_relay_lend(void *relay, size_t *n)
{
    struct pl_gw_relay *r = relay;
    const char *data = NULL;
    pthread_mutex_lock(&r->lock);
    if (r->lent) {
        free_block(r, r->ready);
        r->ready = NULL;
        r->lent = false;
        pthread_cond_broadcast(&r->moved);
    }
    while (!r->ready && !r->failed) {
        pthread_cond_wait(&r->moved, &r->lock);
    }
    if (r->ready) {
        r->lent = true;
        data = r->ready->data;
        *n = r->ready->len;
    }
    pthread_mutex_unlock(&r->lock);
    return data;
}

bool pl_gw_relay_take(void *relay, void *buf, size_t n)
{
    struct pl_gw_relay *r = relay;
    for (char *to = buf; n;) {
        if (!r->left_len) {
            r->left = pl_gw_relay_lend(r, &r->left_len);
            if (!r->left) {
                r->left_len = 0;
                return false;
            }
        }
        size_t take = r->left_len < n ? r->left_len : n;
        memcpy(to, r->left, take);
        r->left += take;
        r->left_len -= take;
        to += take;
        n -= take;
    }
    return true;
}

void pl_gw_relay_stop(struct pl_gw_relay *r)
{
    pthread_mutex_lock(&r->lock);
    r->stopped = true;
    pthread_cond_broadcast(&r->moved);
    pthread_mutex_unlock(&r->lock);
}
