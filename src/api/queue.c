/* The queue form: the same transfers, moved on by whoever dispatches the user's queue. */
#include "api/queue.h"
#include "base/sys.h"

PAIL_API pail_queue *pail_queue_new(void)
{
    pail_queue *q = pl_calloc(1, sizeof *q);
    if (!q) {
        return NULL;
    }
    pl_queue_init(&q->queue);
    q->queue.always_signal = true;
    q->forks = pl_fork_count();
    if (!pl_queue_open_fd(&q->queue)) {
        pail_queue_free(q);
        return NULL;
    }
    return q;
}

PAIL_API void pail_queue_free(pail_queue *q)
{
    if (q) {
        PL_ASSERT(!q->ops);
        pl_queue_dispose(&q->queue);
        pl_free(q);
    }
}

PAIL_API int pail_queue_fd(const pail_queue *q)
{
    return q ? q->queue.fd : -1;
}

static void unlink_op(pail_op *op)
{
    if (op->prev) {
        op->prev->next = op->next;
    } else {
        op->queue->ops = op->next;
    }
    if (op->next) {
        op->next->prev = op->prev;
    }
}

/* The task has finished: tells the user, then all is gone. */
static void complete(pail_op *op)
{
    pail_info *info = NULL;
    struct pail_error *err = NULL;
    unlink_op(op);
    op->queue->completed++;
    pail_code rc = op->task->rc;
    if (op->iter && rc == PAIL_OK) { /* the page goes to the listing before its task is gone */
        rc = pl_iter_accept(op->iter, &op->as.simple.op->op, &err);
        (void)pl_task_result(op->task, NULL, NULL);
    } else {
        rc = pl_task_result(op->task, &info, &err);
    }
    pl_free(op->names);
    if (op->done) {
        op->done(op, rc, info, err, op->ctx);
    }
    pail_info_free(info);
    pail_error_free(err);
    pl_free(op);
}

/* Fired cancels and passed deadlines of what is under way. */
static void look_at_all(pail_queue *q)
{
    pail_op *next;
    for (pail_op *op = q->ops; op; op = next) {
        next = op->next;
        if (!op->task->finished) {
            pl_task_look(op->task);
        }
        if (op->task->stalled && !op->task->finished) {
            pl_task_start(op->task);
        }
        if (op->task->finished) {
            complete(op);
        }
    }
}

/* How long to sleep: to the nearest deadline; a cancel or progress is looked for ten times a
 * second. */
static int sleep_ms(const pail_queue *q, int timeout_ms)
{
    int64_t wait = timeout_ms < 0 ? 60000 : timeout_ms;
    for (const pail_op *op = q->ops; op; op = op->next) {
        const pail_call *call = op->task->call;
        bool watched = op->task->deadline_ns || op->task->stalled ||
                       (call && (call->cancel || call->progress));
        wait = watched && wait > 100 ? 100 : wait;
    }
    return (int)wait;
}

static bool step_one(pail_queue *q)
{
    struct pl_op *op = pl_queue_pop(&q->queue);
    if (!op) {
        return false;
    }
    struct pl_task *t = ((struct pl_task_op *)op->ctx)->task;
    pail_op *owner = t->owner;
    pl_task_step(op);
    pl_task_check_alive(t);
    if (t->finished) {
        complete(owner);
    }
    return true;
}

PAIL_API int pail_queue_dispatch(pail_queue *q, int timeout_ms)
{
    if (!q || q->forks != pl_fork_count()) {
        return 0;
    }
    int64_t until = timeout_ms < 0 ? INT64_MAX : pl_sys.mono_ns() + (int64_t)timeout_ms * 1000000;
    q->completed = 0;
    for (;;) {
        while (step_one(q)) {
        }
        look_at_all(q);
        int64_t left = until == INT64_MAX ? -1 : (until - pl_sys.mono_ns()) / 1000000;
        if (q->completed || !q->ops || (timeout_ms >= 0 && left <= 0)) {
            return q->completed;
        }
        pl_queue_wait(&q->queue, NULL, sleep_ms(q, left > 60000 ? 60000 : (int)left));
    }
}

PAIL_API void pail_op_cancel(pail_op *op)
{
    if (op && !op->task->finished) {
        struct pail_error *e = NULL;
        pl_fail(&e, PAIL_E_CANCELLED, "cancelled");
        pl_task_fail(op->task, PAIL_E_CANCELLED, e);
        pl_queue_kick(&op->queue->queue);
    }
}
