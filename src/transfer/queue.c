#include "transfer/queue.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/sys.h"

void pl_queue_init(struct pl_queue *q)
{
    *q = (struct pl_queue){.fd = -1};
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->pushed, &attr);
    pthread_condattr_destroy(&attr);
}

void pl_queue_dispose(struct pl_queue *q)
{
    if (q->fd >= 0) {
        pl_sys.close(q->fd);
        q->fd = -1;
    }
    pthread_cond_destroy(&q->pushed);
    pthread_mutex_destroy(&q->lock);
}

bool pl_queue_open_fd(struct pl_queue *q)
{
    if (q->fd < 0) {
        q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    return q->fd >= 0;
}

static void signal_locked(struct pl_queue *q)
{
    uint64_t one = 1;
    if (!q->signalled) {
        q->signalled = true;
        (void)!pl_sys.write(q->fd, &one, sizeof one);
    }
}

void pl_queue_push(struct pl_queue *q, struct pl_op *op)
{
    op->next = NULL;
    pthread_mutex_lock(&q->lock);
    if (q->tail) {
        q->tail->next = op;
    } else {
        q->head = op;
    }
    q->tail = op;
    /* Under the lock: the dispatcher may free the queue as soon as it has this op. */
    if (q->always_signal || (q->waiting && q->fd >= 0)) {
        signal_locked(q);
    } else if (q->waiting) {
        pthread_cond_signal(&q->pushed);
    }
    pthread_mutex_unlock(&q->lock);
}

void pl_queue_kick(struct pl_queue *q)
{
    pthread_mutex_lock(&q->lock);
    signal_locked(q);
    pthread_mutex_unlock(&q->lock);
}

static void drain_locked(struct pl_queue *q)
{
    uint64_t count;
    if (q->signalled) {
        q->signalled = false;
        (void)!pl_sys.read(q->fd, &count, sizeof count);
    }
}

struct pl_op *pl_queue_pop(struct pl_queue *q)
{
    if (!q->taken) {
        pthread_mutex_lock(&q->lock);
        q->taken = q->head;
        q->head = q->tail = NULL;
        if (q->always_signal) {
            drain_locked(q);
        }
        pthread_mutex_unlock(&q->lock);
    }
    struct pl_op *op = q->taken;
    if (op) {
        q->taken = op->next;
    }
    return op;
}

/* Two calls of the system for a sleep, where a descriptor takes five. */
static void wait_here(struct pl_queue *q, int timeout_ms)
{
    int64_t at = pl_sys.mono_ns() + (int64_t)timeout_ms * 1000000;
    struct timespec until = {.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000};
    pthread_mutex_lock(&q->lock);
    q->waiting = !q->head;
    if (q->waiting && timeout_ms < 0) {
        pthread_cond_wait(&q->pushed, &q->lock);
    } else if (q->waiting) {
        pthread_cond_timedwait(&q->pushed, &q->lock, &until);
    }
    q->waiting = false;
    pthread_mutex_unlock(&q->lock);
}

void pl_queue_wait(struct pl_queue *q, const struct pail_cancel *cancel, int timeout_ms)
{
    if (!cancel && q->fd < 0) {
        wait_here(q, timeout_ms);
        return;
    }
    if (!pl_queue_open_fd(q)) {
        /* Out of descriptors: look again shortly rather than fail a transfer that is under way. */
        (void)poll(NULL, 0, 1);
        return;
    }
    pthread_mutex_lock(&q->lock);
    bool empty = !q->head;
    q->waiting = empty;
    pthread_mutex_unlock(&q->lock);
    if (!empty) {
        return;
    }
    struct pollfd fds[2] = {{.fd = q->fd, .events = POLLIN},
                            {.fd = cancel ? cancel->fd : -1, .events = POLLIN}};
    (void)poll(fds, 2, timeout_ms);
    pthread_mutex_lock(&q->lock);
    q->waiting = false;
    if (!q->always_signal) {
        drain_locked(q);
    }
    pthread_mutex_unlock(&q->lock);
}
