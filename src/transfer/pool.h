/* Part buffers under one hard limit. Only streams need them: files and the caller's memory are
 * never copied. */
#ifndef PL_TRANSFER_POOL_H
#define PL_TRANSFER_POOL_H

#include <pthread.h>

#include "base/error.h"

enum { PL_POOL_CACHED = 16 };

struct pl_pool {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    uint64_t limit, used; /* under lock; `used` counts cached buffers too */
    uint64_t held_by_handles;
    struct {
        void *ptr;
        size_t size;
    } cache[PL_POOL_CACHED]; /* the last ones given back, hot in the cache */
};

void pl_pool_init(struct pl_pool *pool, uint64_t limit);
void pl_pool_dispose(struct pl_pool *pool);
/* A buffer of exactly `size` bytes, or NULL where the limit or the memory does not allow it now. */
void *pl_pool_try(struct pl_pool *pool, size_t size);
/* As pl_pool_try, but waits for others to give back until deadline_ns (monotonic, 0: for ever). For
 * a call's first buffer only: who holds one already must not wait for another. Sets an error on
 * NULL. */
void *pl_pool_take(struct pl_pool *pool, size_t size, int64_t deadline_ns, struct pail_error **err);
/* After pl_pool_try gave none: whether it may, once others have given back. Sets an error if not.
 */
bool pl_pool_will_give(struct pl_pool *pool, size_t size, struct pail_error **err);
/* As pl_pool_try for a reader or writer, which keep a buffer while they are open: all of them
 * together get at most half of the limit, so that calls always go on. Sets an error on NULL. Give
 * back with pl_pool_give_handle. */
void *pl_pool_take_handle(struct pl_pool *pool, size_t size, struct pail_error **err);
void pl_pool_give(struct pl_pool *pool, void *ptr, size_t size); /* ptr NULL is fine */
void pl_pool_give_handle(struct pl_pool *pool, void *ptr, size_t size);

#endif
