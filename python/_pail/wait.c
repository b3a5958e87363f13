/* Waiting without the interpreter's lock, and being woken by Ctrl-C all the same: the library looks
 * at its progress hook ten times a second and after each signal, and the hook asks Python. */
#include "module.h"

#include <time.h>

enum { LOOK_EVERY_MS = 50 };

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void py_wait_hold(struct wait *w)
{
    PyEval_RestoreThread(w->thread);
    w->thread = NULL;
}

void py_wait_drop(struct wait *w)
{
    w->thread = PyEval_SaveThread();
}

/* Most calls end before it is time to look, so they never pay for the lock. */
static int look(uint64_t done, int64_t total, void *ctx)
{
    struct wait *w = ctx;
    (void)done;
    (void)total;
    int64_t now = now_ms();
    if (!w->failed && now - w->looked_ms >= LOOK_EVERY_MS) {
        w->looked_ms = now;
        py_wait_hold(w);
        w->failed = PyErr_CheckSignals() < 0;
        py_wait_drop(w);
    }
    return w->failed ? -1 : 0;
}

void py_wait_hook(struct wait *w, pail_call *call)
{
    call->progress = look;
    call->progress_ctx = w;
}

void py_wait_enter(struct wait *w)
{
    w->looked_ms = now_ms();
    w->failed = false;
    py_wait_drop(w);
}

void py_wait_leave(struct wait *w)
{
    py_wait_hold(w);
}
