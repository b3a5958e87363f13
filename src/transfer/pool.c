#include "transfer/pool.h"

#include <errno.h>
#include <time.h>

void pl_pool_init(struct pl_pool *pool, uint64_t limit)
{
    *pool = (struct pl_pool){.limit = limit};
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->freed, &attr);
    pthread_condattr_destroy(&attr);
}

static void drop_cached(struct pl_pool *pool)
{
    for (size_t i = 0; i < PL_POOL_CACHED; i++) {
        if (pool->cache[i].ptr) {
            pl_free(pool->cache[i].ptr);
            pool->used -= pool->cache[i].size;
            pool->cache[i].ptr = NULL;
        }
    }
}

void pl_pool_dispose(struct pl_pool *pool)
{
    drop_cached(pool);
    pthread_cond_destroy(&pool->freed);
    pthread_mutex_destroy(&pool->lock);
}

static void *take_locked(struct pl_pool *pool, size_t size)
{
    for (size_t i = 0; i < PL_POOL_CACHED; i++) {
        if (pool->cache[i].ptr && pool->cache[i].size == size) {
            void *ptr = pool->cache[i].ptr;
            pool->cache[i].ptr = NULL;
            return ptr;
        }
    }
    if (pool->used + size > pool->limit) {
        drop_cached(pool);
    }
    void *ptr = pool->used + size > pool->limit ? NULL : pl_alloc(size);
    pool->used += ptr ? size : 0;
    return ptr;
}

void *pl_pool_try(struct pl_pool *pool, size_t size)
{
    pthread_mutex_lock(&pool->lock);
    void *ptr = take_locked(pool, size);
    pthread_mutex_unlock(&pool->lock);
    return ptr;
}

static void give_locked(struct pl_pool *pool, void *ptr, size_t size)
{
    for (size_t i = 0; i < PL_POOL_CACHED; i++) {
        if (!pool->cache[i].ptr) {
            pool->cache[i].ptr = ptr;
            pool->cache[i].size = size;
            ptr = NULL;
            break;
        }
    }
    if (ptr) {
        pl_free(ptr);
        pool->used -= size;
    }
    pthread_cond_broadcast(&pool->freed);
}

static void fail(struct pl_pool *pool, size_t size, struct pail_error **err)
{
    pl_fail(err, PAIL_E_NO_MEMORY,
            "no room for a buffer of %zu bytes under the memory limit of %llu bytes", size,
            (unsigned long long)pool->limit);
    pl_error_hint(err,
                  "raise the setting memory_limit, lower part_size, or close readers and writers");
}

/* Others can give back what they hold of the limit; that the machine has no more is final. */
static bool may_come(const struct pl_pool *pool, size_t size)
{
    return pool->used + size > pool->limit && size <= pool->limit - pool->held_by_handles &&
           pool->used > 0;
}

void *pl_pool_take(struct pl_pool *pool, size_t size, int64_t deadline_ns, struct pail_error **err)
{
    struct timespec until = {.tv_sec = deadline_ns / 1000000000,
                             .tv_nsec = deadline_ns % 1000000000};
    pthread_mutex_lock(&pool->lock);
    void *ptr = take_locked(pool, size);
    while (!ptr && may_come(pool, size)) {
        if (!deadline_ns) {
            pthread_cond_wait(&pool->freed, &pool->lock);
        } else if (pthread_cond_timedwait(&pool->freed, &pool->lock, &until) == ETIMEDOUT) {
            break;
        }
        ptr = take_locked(pool, size);
    }
    pthread_mutex_unlock(&pool->lock);
    if (!ptr) {
        fail(pool, size, err);
    }
    return ptr;
}

bool pl_pool_will_give(struct pl_pool *pool, size_t size, struct pail_error **err)
{
    pthread_mutex_lock(&pool->lock);
    void *ptr = take_locked(pool, size); /* there may be one by now */
    bool will = ptr || may_come(pool, size);
    if (ptr) {
        give_locked(pool, ptr, size);
    }
    pthread_mutex_unlock(&pool->lock);
    if (!will) {
        fail(pool, size, err);
    }
    return will;
}

void *pl_pool_take_handle(struct pl_pool *pool, size_t size, struct pail_error **err)
{
    pthread_mutex_lock(&pool->lock);
    void *ptr = pool->held_by_handles + size <= pool->limit / 2 ? take_locked(pool, size) : NULL;
    pool->held_by_handles += ptr ? size : 0;
    pthread_mutex_unlock(&pool->lock);
    if (!ptr) {
        fail(pool, size, err);
    }
    return ptr;
}

void pl_pool_give(struct pl_pool *pool, void *ptr, size_t size)
{
    if (ptr) {
        pthread_mutex_lock(&pool->lock);
        give_locked(pool, ptr, size);
        pthread_mutex_unlock(&pool->lock);
    }
}

void pl_pool_give_handle(struct pl_pool *pool, void *ptr, size_t size)
{
    if (ptr) {
        pthread_mutex_lock(&pool->lock);
        pool->held_by_handles -= size;
        give_locked(pool, ptr, size);
        pthread_mutex_unlock(&pool->lock);
    }
}
