#include "gateway/gateway.h"

struct pl_gw_ring *pl_gw_ring_new(size_t size, uint64_t total)
{
    struct pl_gw_ring *r = pl_calloc(1, sizeof *r);
    char *room = r ? pl_alloc(size) : NULL;
    if (!room) {
        pl_free(r);
        return NULL;
    }
    r->room = room;
    r->size = size;
    r->total = total;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->moved, NULL);
    return r;
}

void pl_gw_ring_free(struct pl_gw_ring *r)
{
    if (r) {
        pthread_mutex_destroy(&r->lock);
        pthread_cond_destroy(&r->moved);
        pl_free(r->room);
        pl_free(r);
    }
}

bool pl_gw_ring_put(struct pl_gw_ring *r, const char *data, size_t n)
{
    pthread_mutex_lock(&r->lock);
    while (n && !r->stopped) {
        size_t filled = (size_t)(r->in - r->out), at = (size_t)(r->in % r->size);
        if (filled == r->size) {
            pthread_cond_wait(&r->moved, &r->lock);
            continue;
        }
        size_t room = r->size - filled, to_end = r->size - at;
        size_t take = room < to_end ? room : to_end;
        take = take < n ? take : n;
        memcpy(r->room + at, data, take);
        r->in += take;
        data += take;
        n -= take;
        pthread_cond_broadcast(&r->moved);
    }
    bool ok = !r->stopped;
    pthread_mutex_unlock(&r->lock);
    return ok;
}

bool pl_gw_ring_take(void *ring, void *buf, size_t n)
{
    struct pl_gw_ring *r = ring;
    char *to = buf;
    pthread_mutex_lock(&r->lock);
    while (!r->failed && (n || (r->out == r->total && !r->verified))) {
        size_t filled = (size_t)(r->in - r->out), at = (size_t)(r->out % r->size);
        if (!n || !filled) {
            pthread_cond_wait(&r->moved, &r->lock);
            continue;
        }
        size_t to_end = r->size - at, take = filled < to_end ? filled : to_end;
        take = take < n ? take : n;
        memcpy(to, r->room + at, take);
        r->out += take;
        to += take;
        n -= take;
        pthread_cond_broadcast(&r->moved);
    }
    bool ok = !r->failed;
    pthread_mutex_unlock(&r->lock);
    return ok;
}

void pl_gw_ring_end(struct pl_gw_ring *r, bool good)
{
    pthread_mutex_lock(&r->lock);
    if (!r->verified && !r->failed) {
        r->verified = good;
        r->failed = !good;
    }
    pthread_cond_broadcast(&r->moved);
    pthread_mutex_unlock(&r->lock);
}

void pl_gw_ring_stop(struct pl_gw_ring *r)
{
    pthread_mutex_lock(&r->lock);
    r->stopped = true;
    pthread_cond_broadcast(&r->moved);
    pthread_mutex_unlock(&r->lock);
}
