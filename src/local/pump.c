#include "local/pump.h"

#include "base/mem.h"
#include "codec/crc.h"
#include "local/content.h"
#include "local/work.h"

/* Smaller ones are done before a thread has started. */
enum { THREAD_FROM = 4 << 20 };

static pail_code fetch(struct pl_pump *p, struct pl_block *b, struct pail_error **err)
{
    struct pl_feed *f = p->feed;
    uint64_t left = f->size - p->at;
    b->n = left < p->block_bytes ? (size_t)left : p->block_bytes;
    pail_code rc = pl_moving_check(f->cancelled, f->deadline_ns);
    rc = rc ? rc : f->next(f, p->at, b->n, b->room, &b->data, err);
    if (rc == PAIL_OK) {
        b->crc = pl_crc64nvme(0, b->data, b->n);
        p->at += b->n;
    }
    return rc;
}

static void *fetch_all(void *arg)
{
    struct pl_pump *p = arg;
    pthread_mutex_lock(&p->lock);
    while (p->at < p->feed->size && !p->stop && p->rc == PAIL_OK) {
        if (p->filled - p->taken == PL_PUMP_SLOTS) {
            pthread_cond_wait(&p->moved, &p->lock);
            continue;
        }
        struct pl_block *b = &p->blocks[p->filled % PL_PUMP_SLOTS];
        struct pail_error *e = NULL;
        pthread_mutex_unlock(&p->lock);
        pail_code rc = fetch(p, b, &e);
        pthread_mutex_lock(&p->lock);
        p->rc = rc;
        p->error = e;
        p->filled += rc == PAIL_OK;
        pthread_cond_signal(&p->moved);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

pail_code pl_pump_start(struct pl_pump *p, struct pl_feed *feed, size_t block_bytes,
                        struct pail_error **err)
{
    *p = (struct pl_pump){.feed = feed, .block_bytes = block_bytes};
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->moved, NULL);
    bool large = feed->size >= THREAD_FROM;
    for (int i = 0; !feed->direct && i < (large ? PL_PUMP_SLOTS : 1); i++) {
        p->blocks[i].room = pl_alloc(block_bytes);
        if (!p->blocks[i].room) {
            pl_pump_stop(p);
            return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a block of 1 MiB");
        }
    }
    p->has_thread = large && pl_thread_start(&p->thread, fetch_all, p);
    return PAIL_OK;
}

pail_code pl_pump_take(struct pl_pump *p, struct pl_block **block, struct pail_error **err)
{
    if (!p->has_thread) {
        *block = &p->blocks[0];
        return fetch(p, *block, err);
    }
    pthread_mutex_lock(&p->lock);
    while (p->filled == p->taken && p->rc == PAIL_OK) {
        pthread_cond_wait(&p->moved, &p->lock);
    }
    pail_code rc = p->filled == p->taken ? p->rc : PAIL_OK;
    if (rc && err && !*err) {
        *err = p->error;
        p->error = NULL;
    }
    *block = &p->blocks[p->taken % PL_PUMP_SLOTS];
    pthread_mutex_unlock(&p->lock);
    return rc;
}

void pl_pump_drop(struct pl_pump *p)
{
    if (p->has_thread) {
        pthread_mutex_lock(&p->lock);
        p->taken++;
        pthread_cond_signal(&p->moved);
        pthread_mutex_unlock(&p->lock);
    }
}

void pl_pump_stop(struct pl_pump *p)
{
    if (p->has_thread) {
        pthread_mutex_lock(&p->lock);
        p->stop = true;
        pthread_cond_signal(&p->moved);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, NULL);
        p->has_thread = false;
    }
    for (int i = 0; i < PL_PUMP_SLOTS; i++) {
        pl_free(p->blocks[i].room);
        p->blocks[i].room = NULL;
    }
    pail_error_free(p->error);
    p->error = NULL;
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->moved);
}
