/* The queue form's beginning: requests become transfers. */
#include "api/queue.h"

static struct pl_op *prepare_simple(pail_op *op, const pail_request *r, enum pl_op_kind kind,
                                    const char *key, const pail_call *call, pail_code *rc,
                                    struct pail_error **err)
{
    struct pl_simple *s = &op->as.simple;
    op->task = &s->task;
    pl_task_aim(&s->task, r->bucket->client, call);
    struct pl_op *made = pl_simple_init(s, kind, r->bucket->name, key);
    *rc = made ? PAIL_OK : pl_task_result(&s->task, NULL, err);
    return made;
}

/* stat, tags_get, tags_set */
static pail_code prepare_stat(pail_op *op, const pail_request *r, enum pl_op_kind kind,
                              struct pail_error **err)
{
    pail_stat_opts *o = &op->stat_opts;
    op->attr = (pail_attributes){.tags = r->tags, .tag_count = r->count};
    pail_code rc = pl_bucket_usable(r->bucket, r->key, err);
    rc = rc ? rc : pl_take_opts(o, sizeof *o, r->opts, err);
    rc = rc ? rc : pl_call_check(&o->call, err);
    rc = rc || kind != PL_OP_TAGS_SET ? rc : pl_attributes_check(&op->attr, err);
    if (rc) {
        return rc;
    }
    op->as.simple.wants_info = kind != PL_OP_TAGS_SET;
    struct pl_op *made = prepare_simple(op, r, kind, r->key, &o->call, &rc, err);
    if (made) {
        made->version = o->version;
        made->cond = o->cond;
        made->encryption = &o->encryption;
    }
    if (made && kind == PL_OP_TAGS_SET) {
        made->in.tags.tags = r->tags;
        made->in.tags.count = r->count;
    }
    return rc;
}

static pail_code prepare_delete(pail_op *op, const pail_request *r, struct pail_error **err)
{
    struct pl_simple *s = &op->as.simple;
    op->task = &s->task;
    pail_code rc = pl_delete_prepare(s, &op->delete_opts, r->bucket, r->key, r->opts, err);
    if (rc == PAIL_OK && op->delete_opts.missing_is_error) {
        (void)pl_task_result(&s->task, NULL, NULL);
        pl_fail(err, PAIL_E_UNSUPPORTED, "missing_is_error is for the blocking call only");
        pl_error_hint(err, "submit a stat first");
        return PAIL_E_UNSUPPORTED;
    }
    return rc;
}

static pail_code prepare_delete_many(pail_op *op, const pail_request *r, struct pail_error **err)
{
    struct pl_delete_many *d = &op->as.delete_many;
    pail_delete_opts *o = &op->delete_opts;
    pail_code rc = pl_client_usable(r->bucket ? r->bucket->client : NULL, err);
    rc = rc ? rc : pl_take_opts(o, sizeof *o, r->opts, err);
    rc = rc ? rc : pl_call_check(&o->call, err);
    for (size_t i = 0; rc == PAIL_OK && i < r->count; i++) {
        rc = pl_key_check(r->keys[i], err);
    }
    op->names = rc ? NULL : pl_calloc(r->count ? r->count : 1, sizeof *op->names);
    if (!op->names) {
        return rc ? rc : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for %zu names", r->count);
    }
    for (size_t i = 0; i < r->count; i++) {
        op->names[i].key = r->keys[i];
    }
    *d = (struct pl_delete_many){.bucket = r->bucket->name,
                                 .names = op->names,
                                 .count = r->count,
                                 .each = r->each,
                                 .each_ctx = r->each_ctx};
    op->task = &d->task;
    pl_task_aim(&d->task, r->bucket->client, &o->call);
    pl_delete_many_init(d);
    return PAIL_OK;
}

static pail_code prepare_ranges(pail_op *op, const pail_request *r, struct pail_error **err)
{
    struct pl_ranges *g = &op->as.ranges;
    *g = (struct pl_ranges){.key = r->key,
                            .ranges = r->ranges,
                            .bufs = r->bufs,
                            .got = r->got,
                            .count = r->count,
                            .gap = r->coalesce_gap};
    pail_code rc = pl_bucket_usable(r->bucket, r->key, err);
    rc = rc ? rc : pl_take_opts(&g->opts, sizeof g->opts, r->opts, err);
    rc = rc ? rc : pl_call_check(&g->opts.call, err);
    if (rc) {
        return rc;
    }
    g->bucket = r->bucket->name;
    op->task = &g->task;
    pl_task_aim(&g->task, r->bucket->client, &g->opts.call);
    return pl_ranges_init(g, err);
}

static pail_code prepare_bucket(pail_op *op, const pail_request *r, enum pl_op_kind kind,
                                struct pail_error **err)
{
    pail_bucket_opts *o = &op->bucket_opts;
    pail_code rc = pl_client_usable(r->bucket ? r->bucket->client : NULL, err);
    rc = rc ? rc : pl_take_opts(o, sizeof *o, r->opts, err);
    rc = rc ? rc : pl_call_check(&o->call, err);
    if (rc == PAIL_OK && (o->exist_ok || o->delete_contents)) {
        rc = pl_fail(err, PAIL_E_UNSUPPORTED,
                     "exist_ok and delete_contents are for the blocking calls only");
    }
    if (rc) {
        return rc;
    }
    struct pl_op *made = prepare_simple(op, r, kind, NULL, &o->call, &rc, err);
    if (made && kind == PL_OP_BUCKET_CREATE) {
        made->in.bucket_create.location = o->location;
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
    case PAIL_STAT: return prepare_stat(op, r, PL_OP_STAT, err);
    case PAIL_DELETE: return prepare_delete(op, r, err);
    case PAIL_COPY:
        op->task = &op->as.copy.task;
        return pl_copy_prepare(&op->as.copy, r->bucket, r->key, r->dst_bucket, r->dst_key, r->opts,
                               err);
    case PAIL_GET_RANGES: return prepare_ranges(op, r, err);
    case PAIL_DELETE_MANY: return prepare_delete_many(op, r, err);
    case PAIL_TAGS_GET: return prepare_stat(op, r, PL_OP_TAGS_GET, err);
    case PAIL_TAGS_SET: return prepare_stat(op, r, PL_OP_TAGS_SET, err);
    case PAIL_BUCKET_CREATE: return prepare_bucket(op, r, PL_OP_BUCKET_CREATE, err);
    case PAIL_BUCKET_EXISTS: return prepare_bucket(op, r, PL_OP_BUCKET_STAT, err);
    case PAIL_BUCKET_DELETE: return prepare_bucket(op, r, PL_OP_BUCKET_DELETE, err);
    case PAIL_UPLOAD_BEGIN:
    case PAIL_UPLOAD_PART:
    case PAIL_UPLOAD_FINISH:
    case PAIL_UPLOAD_ABORT:
        op->task = &op->as.upload.simple.task;
        return pl_upload_prepare(&op->as.upload, r, err);
    }
    return pl_fail(err, PAIL_E_BAD_ARGUMENT, "the verb %d is unknown", (int)r->verb);
}

static pail_code new_op(pail_queue *q, pail_done_fn done, void *ctx, pail_op **out,
                        struct pail_error **err)
{
    *out = NULL;
    if (!q) {
        return pl_fail(err, PAIL_E_BAD_ARGUMENT, "the queue is NULL");
    }
    pail_op *op = pl_calloc(1, sizeof *op);
    if (!op) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for an operation");
    }
    op->queue = q;
    op->done = done;
    op->ctx = ctx;
    *out = op;
    return PAIL_OK;
}

static void start(pail_op *op)
{
    pail_queue *q = op->queue;
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
}

PAIL_API pail_code pail_submit(pail_queue *q, const pail_request *request, pail_done_fn done,
                               void *ctx, pail_op **out, pail_error **err)
{
    pail_request r;
    pail_op *op = NULL;
    if (out) {
        *out = NULL;
    }
    pail_code rc = pl_take_opts(&r, sizeof r, request, err);
    rc = rc ? rc : new_op(q, done, ctx, &op, err);
    rc = rc ? rc : prepare(op, &r, err);
    if (rc) {
        pl_free(op ? op->names : NULL);
        pl_free(op);
        return rc;
    }
    start(op);
    if (out) {
        *out = op;
    }
    return PAIL_OK;
}

PAIL_API pail_code pail_iter_submit(pail_queue *q, pail_iter *it, pail_done_fn done, void *ctx,
                                    pail_op **out, pail_error **err)
{
    pail_op *op = NULL;
    if (out) {
        *out = NULL;
    }
    pail_code rc = new_op(q, done, ctx, &op, err);
    rc = rc ? rc : pl_iter_ask(it, &op->as.simple, &op->call, err);
    if (rc) {
        pl_free(op);
        return rc;
    }
    op->iter = it;
    op->task = &op->as.simple.task;
    start(op);
    if (out) {
        *out = op;
    }
    return PAIL_OK;
}
