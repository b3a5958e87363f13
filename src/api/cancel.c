#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/sys.h"
#include "provider/op.h"

PAIL_API pail_cancel *pail_cancel_new(void)
{
    pail_cancel *c = pl_calloc(1, sizeof *c);
    if (c) {
        atomic_init(&c->fired, false);
        c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    if (c && c->fd < 0) {
        pl_free(c);
        return NULL;
    }
    return c;
}

/* Async-signal-safe: an atomic store and write(2); errno is kept for the interrupted code. */
PAIL_API void pail_cancel_fire(pail_cancel *c)
{
    if (c) {
        int saved = errno;
        uint64_t one = 1;
        atomic_store(&c->fired, true);
        (void)!write(c->fd, &one, sizeof one);
        errno = saved;
    }
}

PAIL_API void pail_cancel_free(pail_cancel *c)
{
    if (c) {
        pl_sys.close(c->fd);
        pl_free(c);
    }
}
