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
    if (!w->keeps_lock) {
        PyEval_RestoreThread(w->thread);
        w->thread = NULL;
    }
}

/* In the queue form other callbacks run before the failed call has ended: the exception waits. */
static void keep_exception(struct wait *w)
{
    PyObject *type, *traceback;
    if (PyErr_Occurred() && !w->raised) {
        PyErr_Fetch(&type, &w->raised, &traceback);
        PyErr_NormalizeException(&type, &w->raised, &traceback);
        Py_XDECREF(type);
        Py_XDECREF(traceback);
    }
}

void py_wait_drop(struct wait *w)
{
    if (w->keeps_lock) {
        keep_exception(w);
    } else {
        w->thread = PyEval_SaveThread();
    }
}

static bool tell(PyObject *progress, uint64_t done, int64_t total)
{
    PyObject *answer =
        total < 0
            ? PyObject_CallFunction(progress, "KO", (unsigned long long)done, Py_None)
            : PyObject_CallFunction(progress, "KL", (unsigned long long)done, (long long)total);
    Py_XDECREF(answer);
    return answer != NULL;
}

/* Most calls end before it is time to look, so they never pay for the lock. */
static int look(uint64_t done, int64_t total, void *ctx)
{
    struct wait *w = ctx;
    int64_t now = now_ms();
    if (!w->failed && now - w->looked_ms >= LOOK_EVERY_MS) {
        w->looked_ms = now;
        py_wait_hold(w);
        w->failed = (!w->keeps_lock && PyErr_CheckSignals() < 0) ||
                    (w->progress && !tell(w->progress, done, total));
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

bool py_wait_end(struct wait *w, uint64_t bytes)
{
    w->failed = w->progress && !tell(w->progress, bytes, (int64_t)bytes);
    return !w->failed;
}
