#include "transfer/simple.h"
#include "base/sys.h"
#include "codec/digest.h"

enum { CLEAN_UP_MS = 30000 };

static void simple_start(struct pl_task *t)
{
    pl_task_submit(t, ((struct pl_simple *)t)->op);
}

/* "crc64nvme:BASE64" of a part, as pail_upload_finish takes it. */
static void write_sum(struct pl_buf *to, const struct pl_op *op)
{
    if (op->out.sum.algorithm) {
        char text[PL_SUM_BASE64_MAX];
        enum pl_sum kind = (enum pl_sum)op->out.sum.algorithm;
        struct pl_sum_value v = pl_sum_of_crc(kind, op->out.sum.value);
        pl_buf_printf(to, "%s:%s", pl_sum_name(kind), pl_sum_base64(&v, text));
    }
}

/* What is known of the object; of an upload its id, of a part what finishing needs. */
static pail_info *info_of(const struct pl_op *op)
{
    struct pl_buf sum = PL_BUF_MAX(128);
    pail_info i = op->out.info;
    i.key = i.key ? i.key : op->key;
    if (op->kind == PL_OP_MP_BEGIN) {
        i.upload_id = op->out.upload_id ? op->out.upload_id : "";
        i.mtime_ms = -1;
    } else if (op->kind == PL_OP_MP_FINISH) {
        i.size = op->in.mp.size;
    } else if (op->kind == PL_OP_MP_PART) {
        write_sum(&sum, op);
        i = (pail_info){.key = op->key,
                        .size = op->in.put.source->len,
                        .mtime_ms = -1,
                        .etag = op->out.etag,
                        .checksum = sum.ptr,
                        .upload_id = op->in.put.upload_id};
    }
    pail_info *made = pl_buf_rc(&sum) ? NULL : pl_info_dup(&i);
    pl_buf_dispose(&sum);
    return made;
}

static void simple_done(struct pl_task *t, struct pl_task_op *o)
{
    struct pl_simple *s = (struct pl_simple *)t;
    if (o != s->op) { /* of clean_up */
        pl_task_op_free(o);
        return;
    }
    if (o->op.rc) {
        pl_task_fail_op(t, o);
        return;
    }
    if (t->failing) { /* too late to stop it */
        t->error->maybe_applied = !t->error->is_static && pl_op_writes(o->op.kind);
        return;
    }
    if (s->wants_info) {
        t->info = info_of(&o->op);
    }
    if (s->wants_info && !t->info) {
        pl_task_fail(t, PAIL_E_NO_MEMORY, NULL);
    } else {
        pl_task_finish(t);
    }
}

/* An upload that was begun although its caller had given up: nobody would learn its id. */
static void simple_clean_up(struct pl_task *t)
{
    const struct pl_task_op *begun = ((struct pl_simple *)t)->op;
    if (!begun || begun->op.kind != PL_OP_MP_BEGIN || begun->op.rc || !begun->op.out.upload_id) {
        return;
    }
    struct pl_task_op *o = pl_task_op_new(t, PL_OP_MP_ABORT, begun->op.bucket, begun->op.key);
    if (o) {
        o->op.deadline_ns = pl_sys.mono_ns() + (int64_t)CLEAN_UP_MS * 1000000;
        o->op.in.mp.upload_id = begun->op.out.upload_id;
        pl_task_submit(t, o);
    }
}

static void simple_dispose(struct pl_task *t)
{
    struct pl_simple *s = (struct pl_simple *)t;
    pl_task_op_free(s->op);
    s->op = NULL;
    if (s->release) {
        s->release(s);
    }
}

static const struct pl_task_ops simple_ops = {simple_start, simple_done, simple_clean_up,
                                              simple_dispose};

struct pl_op *pl_simple_init(struct pl_simple *s, enum pl_op_kind kind, const char *bucket,
                             const char *key)
{
    s->task.ops = &simple_ops;
    s->task.total = -1;
    s->op = pl_task_op_new(&s->task, kind, bucket, key);
    return s->op ? &s->op->op : NULL;
}

/* ---- many deletes ---- */

enum { ONE_BY_ONE_WINDOW = 16 };

static void submit_batch(struct pl_delete_many *d)
{
    size_t n = d->count - d->at < d->batch ? d->count - d->at : d->batch;
    struct pl_task_op *o = pl_task_op_new(&d->task, PL_OP_DELETE_MANY, d->bucket, NULL);
    if (o) {
        o->index = d->at;
        o->op.in.delete_many.names = d->names + d->at;
        o->op.in.delete_many.count = n;
        d->at += n;
        pl_task_submit(&d->task, o);
    }
}

static void submit_single(struct pl_delete_many *d)
{
    const struct pl_name *name = &d->names[d->at];
    struct pl_task_op *o = pl_task_op_new(&d->task, PL_OP_DELETE, d->bucket, name->key);
    if (o) {
        o->index = d->at++;
        o->op.version = name->version;
        pl_task_submit(&d->task, o);
    }
}

static void many_pump(struct pl_delete_many *d)
{
    unsigned window = d->one_by_one ? ONE_BY_ONE_WINDOW : 1;
    while (!d->task.failing && d->at < d->count && d->task.in_flight < window) {
        if (d->one_by_one) {
            submit_single(d);
        } else {
            submit_batch(d);
        }
    }
    if (!d->task.failing && !d->task.in_flight && d->at == d->count) {
        d->task.rc = d->first;
        d->task.error = d->first_error;
        d->first_error = NULL;
        pl_task_finish(&d->task);
    }
}

static void tell(struct pl_delete_many *d, size_t i, struct pail_error *e)
{
    pl_error_context(e, "delete", d->bucket, d->names[i].key);
    if (e && !d->first) {
        d->first = e->code;
        d->first_error = pl_error_dup(e);
    }
    if (d->each) {
        d->each(d->names[i].key, e, d->each_ctx);
    }
}

static void read_limits(struct pl_delete_many *d)
{
    struct pl_caps caps = {0};
    d->task.provider->ops->caps(d->task.provider, &caps);
    d->batch =
        caps.limit[PAIL_LIMIT_DELETE_MANY] < 1 ? 1 : (size_t)caps.limit[PAIL_LIMIT_DELETE_MANY];
    d->one_by_one = caps.ability[PAIL_CAN_DELETE_MANY] != PAIL_NATIVE;
}

static void many_start(struct pl_task *t)
{
    struct pl_delete_many *d = (struct pl_delete_many *)t;
    read_limits(d);
    many_pump(d);
}

/* The service turned out to have no batches, or only smaller ones: the same names again. */
static bool goes_again(struct pl_delete_many *d, const struct pl_task_op *o)
{
    if (o->op.kind != PL_OP_DELETE_MANY || d->task.failing) {
        return false;
    }
    if (o->op.rc == PAIL_E_TOO_LARGE) {
        read_limits(d);
    } else if (o->op.rc == PAIL_E_UNSUPPORTED) {
        d->one_by_one = true;
    }
    return d->one_by_one ? o->op.rc != PAIL_OK
                         : o->op.rc == PAIL_E_TOO_LARGE && d->batch < o->op.in.delete_many.count;
}

static void many_done(struct pl_task *t, struct pl_task_op *o)
{
    struct pl_delete_many *d = (struct pl_delete_many *)t;
    size_t n = o->op.kind == PL_OP_DELETE_MANY ? o->op.in.delete_many.count : 1;
    if (goes_again(d, o)) {
        d->at = o->index;
        n = 0;
    } else if (o->op.rc && o->op.kind == PL_OP_DELETE_MANY) {
        pl_task_fail_op(t, o);
        n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        struct pail_error *e = o->op.kind == PL_OP_DELETE ? o->op.error
                               : o->op.out.errors         ? o->op.out.errors[i]
                                                          : NULL;
        tell(d, o->index + i, e);
    }
    pl_task_op_free(o);
    many_pump(d);
}

static void many_dispose(struct pl_task *t)
{
    pail_error_free(((struct pl_delete_many *)t)->first_error);
}

static const struct pl_task_ops many_ops = {many_start, many_done, NULL, many_dispose};

void pl_delete_many_init(struct pl_delete_many *d)
{
    d->task.ops = &many_ops;
    d->task.total = -1;
}
