/* The queue form: the same transfers, moved on by whoever dispatches the user's queue. */
#include "api/verbs.h"
#include "base/sys.h"

struct pail_queue {
    struct pl_queue queue;
    struct pail_op *ops; /* started and not completed */
    unsigned forks;
    int completed; /* in this dispatch */
};

struct pail_op {
    struct pail_queue *queue;
    struct pail_op *prev, *next;
    struct pl_task *task; /* of `as` */
    pail_done_fn done;
    void *ctx;
    pail_delete_opts delete_opts;
    pail_stat_opts stat_opts;
    union {
        struct pl_get get;
        struct pl_put put;
        struct pl_copy copy;
        struct pl_simple simple;
    } as;
};

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
    pail_code rc = pl_task_result(op->task, &info, &err);
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
        bool watched = op->task->deadline_ns || (call && (call->cancel || call->progress));
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

/* ---- starting ---- */

static pail_code prepare_stat(pail_op *op, const pail_request *r, struct pail_error **err)
{
    struct pl_simple *s = &op->as.simple;
    pail_stat_opts *o = &op->stat_opts;
    pail_code rc = pl_bucket_usable(r->bucket, r->key, err);
    rc = rc ? rc : pl_take_opts(o, sizeof *o, r->opts, err);
    rc = rc ? rc : pl_call_check(&o->call, err);
    if (rc) {
        return rc;
    }
    s->wants_info = true;
    pl_task_aim(&s->task, r->bucket->client, &o->call);
    struct pl_op *stat = pl_simple_init(s, PL_OP_STAT, r->bucket->name, r->key);
    if (!stat) {
        return pl_task_result(&s->task, NULL, err);
    }
    stat->version = o->version;
    stat->cond = o->cond;
    stat->encryption = &o->encryption;
    return PAIL_OK;
}

static pail_code prepare_delete(pail_op *op, const pail_request *r, struct pail_error **err)
{
    struct pl_simple *s = &op->as.simple;
    pail_code rc = pl_delete_prepare(s, &op->delete_opts, r->bucket, r->key, r->opts, err);
    if (rc == PAIL_OK && op->delete_opts.missing_is_error) {
        (void)pl_task_result(&s->task, NULL, NULL);
        pl_fail(err, PAIL_E_UNSUPPORTED, "missing_is_error is for the blocking call only");
        pl_error_hint(err, "submit a stat first");
        return PAIL_E_UNSUPPORTED;
    }
    return rc;
}

static pail_code prepare(pail_op *op, const pail_request *r, struct pail_error **err)
{
    switch (r->verb) {
    case PAIL_GET:
        op->task = &op->as.get.task;
        return pl_get_prepare(&op->as.get, r->bucket, r->key, r->body, r->opts, err);
    case PAIL_PUT:
        op->task = &op->as.put.task;
        return pl_put_prepare(&op->as.put, r->bucket, r->key, r->body, r->opts, err);
    case PAIL_STAT: op->task = &op->as.simple.task; return prepare_stat(op, r, err);
    case PAIL_DELETE: op->task = &op->as.simple.task; return prepare_delete(op, r, err);
    case PAIL_COPY:
        op->task = &op->as.copy.task;
        return pl_copy_prepare(&op->as.copy, r->bucket, r->key, r->dst_bucket, r->dst_key, r->opts,
                               err);
    }
    return pl_fail(err, PAIL_E_BAD_ARGUMENT, "the verb %d is unknown", (int)r->verb);
}

PAIL_API pail_code pail_submit(pail_queue *q, const pail_request *request, pail_done_fn done,
                               void *ctx, pail_op **out, pail_error **err)
{
    pail_request r;
    if (out) {
        *out = NULL;
    }
    pail_code rc = pl_take_opts(&r, sizeof r, request, err);
    rc = rc || q ? rc : pl_fail(err, PAIL_E_BAD_ARGUMENT, "the queue is NULL");
    pail_op *op = rc ? NULL : pl_calloc(1, sizeof *op);
    if (!op) {
        return rc ? rc : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for an operation");
    }
    rc = prepare(op, &r, err);
    if (rc) {
        pl_free(op);
        return rc;
    }
    op->queue = q;
    op->done = done;
    op->ctx = ctx;
    op->next = q->ops;
    if (q->ops) {
        q->ops->prev = op;
    }
    q->ops = op;
    op->task->queue = &q->queue;
    op->task->may_block = false;
    op->task->owner = op;
    pl_task_start(op->task);
    if (op->task->finished) {
        pl_queue_kick(&q->queue);
    }
    if (out) {
        *out = op;
    }
    return PAIL_OK;
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
