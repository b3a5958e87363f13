#include "transfer/task.h"

#include "base/sys.h"

static void op_completed(struct pl_op *op)
{
    struct pl_task_op *o = op->ctx;
    pl_queue_push(o->task->queue, op);
}

struct pl_task_op *pl_task_op_new(struct pl_task *t, enum pl_op_kind kind, const char *bucket,
                                  const char *key)
{
    struct pl_task_op *o = pl_calloc(1, sizeof *o);
    if (!o) {
        pl_task_fail(t, PAIL_E_NO_MEMORY, NULL);
        return NULL;
    }
    o->task = t;
    o->provider = t->provider;
    o->op.kind = kind;
    o->op.bucket = bucket;
    o->op.key = key;
    o->op.deadline_ns = t->deadline_ns;
    if (t->call) {
        o->op.headers = t->call->headers;
        o->op.header_count = t->call->header_count;
        o->op.request_payer = t->call->request_payer;
    }
    o->op.done = op_completed;
    o->op.ctx = o;
    return o;
}

void pl_task_op_free(struct pl_task_op *o)
{
    if (o) {
        if (o->body.kind == PL_BODY_GROW) {
            pl_free(o->body.ptr);
        }
        pl_op_dispose(&o->op);
        pl_free(o);
    }
}

bool pl_task_may_stand(const struct pl_task_op *o)
{
    const struct pail_error *e = o->op.error;
    return o->op.kind == PL_OP_MP_FINISH &&
           (o->op.rc == PAIL_OK || !e || e->is_static || e->maybe_applied);
}

enum { HERE_MOST = 16 << 20 };

/* A store on this machine may use the caller's thread, but while it moves many bytes somebody must
 * look at his cancel and tell his progress. */
static bool may_keep_thread(const struct pl_task *t, const struct pl_task_op *o)
{
    return o->body.len <= HERE_MOST || !t->call || (!t->call->cancel && !t->call->progress);
}

void pl_task_submit(struct pl_task *t, struct pl_task_op *o)
{
    o->op.may_block = t->may_block && may_keep_thread(t, o);
    o->prev = NULL;
    o->next = t->flying;
    if (t->flying) {
        t->flying->prev = o;
    }
    t->flying = o;
    t->in_flight++;
    (void)o->provider->ops->submit(o->provider, &o->op);
}

void pl_task_finish(struct pl_task *t)
{
    PL_ASSERT(t->in_flight == 0);
    t->finished = true;
}

/* After a failure: when the last op is back, clean up once, then finish. */
static void wind_down(struct pl_task *t)
{
    if (!t->failing || t->in_flight || t->finished) {
        return;
    }
    if (!t->cleaning && t->ops->clean_up) {
        t->cleaning = true;
        t->ops->clean_up(t);
    }
    if (t->in_flight == 0) {
        pl_task_finish(t);
    }
}

void pl_task_fail(struct pl_task *t, pail_code rc, struct pail_error *error)
{
    if (t->failing) {
        pail_error_free(error);
        return;
    }
    t->failing = true;
    t->rc = rc;
    t->error = error;
    if (!error) {
        pl_fail(&t->error, rc, "%s", rc == PAIL_E_NO_MEMORY ? "out of memory" : pail_code_name(rc));
    }
    for (struct pl_task_op *o = t->flying; o; o = o->next) {
        o->provider->ops->cancel(o->provider, &o->op);
    }
}

void pl_task_fail_op(struct pl_task *t, struct pl_task_op *o)
{
    struct pail_error *error = o->op.error;
    o->op.error = NULL;
    pl_task_fail(t, o->op.rc, error);
}

void pl_task_stall(struct pl_task *t, size_t size)
{
    struct pail_error *e = NULL;
    PL_ASSERT(t->in_flight == 0);
    t->stalled = t->owner != NULL && !t->failing && pl_pool_will_give(t->pool, size, &e);
    if (!t->stalled) {
        pl_task_fail(t, PAIL_E_NO_MEMORY, e);
    }
}

void pl_task_start(struct pl_task *t)
{
    t->stalled = false;
    t->ops->start(t);
    wind_down(t);
}

void pl_task_step(struct pl_op *op)
{
    struct pl_task_op *o = op->ctx;
    struct pl_task *t = o->task;
    if (o->prev) {
        o->prev->next = o->next;
    } else {
        t->flying = o->next;
    }
    if (o->next) {
        o->next->prev = o->prev;
    }
    t->in_flight--;
    t->ops->op_done(t, o);
    wind_down(t);
}

static void tell_progress(struct pl_task *t)
{
    if (t->failing || !t->call || !t->call->progress) {
        return;
    }
    uint64_t bytes = t->moved;
    for (struct pl_task_op *o = t->flying; o; o = o->next) {
        bytes += atomic_load_explicit(&o->body.done, memory_order_relaxed);
    }
    if (t->call->progress(bytes, t->total, t->call->progress_ctx)) {
        struct pail_error *e = NULL;
        pl_fail(&e, PAIL_E_CALLBACK, "the progress callback asked to stop");
        pl_task_fail(t, PAIL_E_CALLBACK, e);
    }
}

void pl_task_look(struct pl_task *t)
{
    struct pail_error *e = NULL;
    if (t->call && t->call->cancel && atomic_load(&t->call->cancel->fired) && !t->failing) {
        pl_fail(&e, PAIL_E_CANCELLED, "cancelled");
        pl_task_fail(t, PAIL_E_CANCELLED, e);
    } else if (t->deadline_ns && !t->failing && pl_sys.mono_ns() >= t->deadline_ns) {
        pl_fail(&e, PAIL_E_TIMEOUT, "the deadline passed");
        pl_error_hint(&e, "raise deadline_ms");
        pl_task_fail(t, PAIL_E_TIMEOUT, e);
    }
    tell_progress(t);
    wind_down(t);
}

enum { PROGRESS_EVERY_MS = 100 };

static int wait_ms(const struct pl_task *t)
{
    int64_t wait = t->call && t->call->progress ? PROGRESS_EVERY_MS : -1;
    if (t->deadline_ns && !t->failing) {
        int64_t left = (t->deadline_ns - pl_sys.mono_ns()) / 1000000 + 1;
        left = left < 0 ? 0 : left;
        wait = wait < 0 || left < wait ? left : wait;
    }
    return wait > 60000 ? 60000 : (int)wait;
}

void pl_task_check_alive(struct pl_task *t)
{
    if (!t->finished && !t->failing && !t->stalled && t->in_flight == 0) {
        PL_ASSERT(false);
        pl_task_fail(t, PAIL_E_INTERNAL, NULL);
        wind_down(t);
    }
}

pail_code pl_task_run(struct pl_task *t)
{
    struct pl_queue queue;
    pl_queue_init(&queue);
    t->queue = &queue;
    t->may_block = true;
    pl_task_look(t);
    if (!t->failing) {
        pl_task_start(t);
    }
    while (!t->finished) {
        struct pl_op *op = pl_queue_pop(&queue);
        if (op) {
            pl_task_step(op);
            pl_task_check_alive(t);
        } else {
            /* A fired cancel stays readable: once noticed, wait for completions only. */
            const struct pail_cancel *cancel = t->call && !t->failing ? t->call->cancel : NULL;
            pl_queue_wait(&queue, cancel, wait_ms(t));
        }
        if (!t->finished) {
            pl_task_look(t);
        }
    }
    pl_queue_dispose(&queue);
    t->queue = NULL;
    return t->rc;
}

pail_code pl_task_result(struct pl_task *t, pail_info **info, struct pail_error **err)
{
    pail_code rc = t->rc;
    if (err && rc < 0) {
        *err = t->error;
        t->error = NULL;
    }
    if (info) {
        *info = rc < 0 ? NULL : t->info;
        t->info = rc < 0 ? t->info : NULL;
    }
    pail_error_free(t->error);
    pail_info_free(t->info);
    t->error = NULL;
    t->info = NULL;
    if (t->ops->dispose) {
        t->ops->dispose(t);
    }
    return rc;
}
