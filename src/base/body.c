#include "base/body.h"

#include <errno.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/sys.h"

static bool unchanged(const struct pl_body *source)
{
    struct stat now;
    const struct stat *was = source->before;
    if (!was) {
        return true;
    }
    if (pl_sys.fstat(source->fd, &now) < 0) {
        return false;
    }
    errno = 0;
    return now.st_size == was->st_size && now.st_mtim.tv_sec == was->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == was->st_mtim.tv_nsec;
}

bool pl_body_read(const struct pl_body *source, uint64_t at, void *buf, size_t n)
{
    if (source->kind == PL_BODY_FILE) {
        return pl_sys_read_full(source->fd, buf, n, source->offset + at) &&
               (at + n < source->len || unchanged(source));
    }
    if (source->kind == PL_BODY_PULL) {
        return source->pull(source->pull_ctx, buf, n);
    }
    memcpy(buf, source->ptr + at, n);
    return true;
}

/* Mostly all comes at once, or its first piece says little of how much will come. */
static bool grow(struct pl_body *sink, uint64_t need)
{
    if (need > sink->cap) {
        uint64_t cap = sink->cap ? 4 * (uint64_t)sink->cap : need;
        cap = cap < need ? need : cap > sink->len ? sink->len : cap;
        char *more = cap > SIZE_MAX ? NULL : pl_realloc(sink->ptr, (size_t)cap);
        if (!more) {
            errno = ENOMEM;
            return false;
        }
        sink->ptr = more;
        sink->cap = (size_t)cap;
    }
    return true;
}

bool pl_body_write(struct pl_body *sink, const void *data, size_t n)
{
    uint64_t done = atomic_load_explicit(&sink->done, memory_order_relaxed);
    PL_ASSERT(done + n <= sink->len);
    if (sink->kind == PL_BODY_FILE) {
        if (!pl_sys_write_full(sink->fd, data, n, sink->offset + done)) {
            return false;
        }
    } else if (sink->kind == PL_BODY_GROW && !grow(sink, done + n)) {
        return false;
    } else if (n) {
        memcpy(sink->ptr + done, data, n);
    }
    atomic_store_explicit(&sink->done, done + n, memory_order_relaxed);
    return true;
}
