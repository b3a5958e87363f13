#include "transfer/copy.h"

#include "base/sys.h"
#include "codec/digest.h"

enum { CLEAN_UP_MS = 30000, WINDOW_BYTES = 64 << 20 };

static struct pl_copy *of(struct pl_task *t)
{
    return (struct pl_copy *)t;
}

static void rest_buffer(struct pl_copy *c, char *buffer)
{
    if (buffer && c->spare_count < PL_PLAN_WINDOW) {
        c->spare[c->spare_count++] = buffer;
    }
}

static char *get_buffer(struct pl_copy *c)
{
    if (c->spare_count) {
        return c->spare[--c->spare_count];
    }
    struct pail_error *e = NULL;
    bool first = c->task.in_flight == 0, waits = first && c->task.may_block;
    char *buffer = waits ? pl_pool_take(c->task.pool, c->room, c->task.deadline_ns, &e)
                         : pl_pool_try(c->task.pool, c->room);
    if (!buffer && waits) {
        pl_task_fail(&c->task, PAIL_E_NO_MEMORY, e);
    } else if (!buffer && first) {
        pl_task_stall(&c->task, c->room);
    }
    return buffer;
}

static struct pl_task_op *to_op(struct pl_copy *c, enum pl_op_kind kind)
{
    struct pl_task_op *o = pl_task_op_new(&c->task, kind, c->to_bucket, c->to_key);
    if (o) {
        o->provider = c->to;
        o->op.encryption = &c->opts.encryption;
    }
    return o;
}

/* ---- by the service ---- */

static void fill_source(struct pl_copy *c, struct pl_task_op *o)
{
    o->op.in.copy.bucket = c->bucket;
    o->op.in.copy.key = c->key;
    o->op.in.copy.version = c->opts.source_version;
    o->op.in.copy.cond = c->opts.source_cond;
    o->op.in.copy.encryption = &c->opts.source_encryption;
}

static void submit_service_copy(struct pl_copy *c)
{
    struct pl_task_op *o = to_op(c, PL_OP_COPY);
    if (o) {
        fill_source(c, o);
        o->op.cond = c->opts.cond;
        o->op.attr = c->opts.attr;
        pl_task_submit(&c->task, o);
    }
}

/* ---- through memory, and large ones by the service in parts ---- */

static void submit_get(struct pl_copy *c, uint64_t index)
{
    char *buffer = get_buffer(c);
    struct pl_task_op *o = buffer ? pl_task_op_new(&c->task, PL_OP_GET, c->bucket, c->key) : NULL;
    if (!o) {
        rest_buffer(c, buffer);
        return;
    }
    uint64_t at = index * c->part_size;
    uint64_t n = c->sized && c->size - at < c->part_size ? c->size - at : c->part_size;
    o->body.kind = PL_BODY_MEM;
    o->body.ptr = buffer;
    o->body.len = c->room;
    o->buffer = buffer;
    o->index = index;
    o->op.version = c->opts.source_version;
    o->op.encryption = &c->opts.source_encryption;
    o->op.cond = c->opts.source_cond;
    if (c->source && c->source->etag) {
        o->op.cond = (pail_conditions){.if_match = c->source->etag};
    }
    o->op.in.get.range = (struct pl_range){n ? PL_RANGE_SPAN : PL_RANGE_ALL, at, n};
    o->op.in.get.sink = &o->body;
    c->next = index + 1;
    pl_task_submit(&c->task, o);
}

static void submit_stat(struct pl_copy *c)
{
    struct pl_task_op *o = pl_task_op_new(&c->task, PL_OP_STAT, c->bucket, c->key);
    if (o) {
        o->op.version = c->opts.source_version;
        o->op.cond = c->opts.source_cond;
        o->op.encryption = &c->opts.source_encryption;
        pl_task_submit(&c->task, o);
    }
}

static void pump(struct pl_copy *c);

/* Also where it waited for a buffer. */
static void go_on(struct pl_copy *c)
{
    if (c->in_parts) {
        pump(c);
    } else {
        submit_get(c, 0);
    }
}

static void start(struct pl_task *t)
{
    struct pl_copy *c = of(t);
    if (c->sized) {
        go_on(c);
        return;
    }
    c->by_service = c->to == t->provider && c->from_caps.ability[PAIL_CAN_COPY] == PAIL_NATIVE;
    if (c->by_service) {
        submit_service_copy(c);
    } else {
        submit_stat(c);
    }
}

/* What the new object has: what was asked for, else what the source has. */
static bool set_attributes(struct pl_copy *c)
{
    struct pail_error *e = NULL;
    if (c->opts.attr) {
        c->attr = *c->opts.attr;
        return true;
    }
    c->attr = pl_info_attributes(c->source);
    if (!c->to_caps.ability[PAIL_CAN_TAGS]) {
        c->attr.tags = NULL;
        c->attr.tag_count = 0;
    }
    if (c->to_caps.no_expires) {
        c->attr.expires = NULL;
    }
    pail_code rc = pl_metadata_check(&c->attr, &e);
    if (rc) {
        pl_task_fail(&c->task, rc, e);
    }
    return !rc;
}

static void set_common(struct pl_copy *c, struct pl_task_op *o)
{
    o->op.cond = c->opts.cond;
    o->op.attr = &c->attr;
}

/* A larger part than the store's best costs more memory, so it is only taken where the object needs
 * it. */
static bool plan(struct pl_copy *c)
{
    struct pail_error *e = NULL;
    c->part_size = pl_plan_part(&c->to_caps, c->size, c->opts.part_size, &e);
    if (!c->part_size) {
        pl_task_fail(&c->task, pail_error_code(e), e);
        return false;
    }
    uint64_t by_memory = c->by_service ? PL_PLAN_WINDOW : WINDOW_BYTES / c->part_size;
    c->window = pl_plan_window(&c->to_caps, c->opts.concurrency);
    c->window = by_memory < 2 ? 2 : by_memory < c->window ? (unsigned)by_memory : c->window;
    c->window = c->to_caps.parts_in_order ? 1 : c->window;
    c->in_parts = c->by_service || c->size > c->part_size;
    c->room = c->in_parts ? c->part_size : c->size ? c->size : 1;
    c->part_count = c->in_parts ? (size_t)((c->size + c->part_size - 1) / c->part_size) : 1;
    c->parts = pl_calloc(c->part_count, sizeof *c->parts);
    c->sums = pl_calloc(c->part_count, sizeof *c->sums);
    if (!c->parts || !c->sums) {
        pl_task_fail(&c->task, PAIL_E_NO_MEMORY, NULL);
    }
    return !c->task.failing;
}

static void submit_begin(struct pl_copy *c)
{
    struct pl_task_op *o = to_op(c, PL_OP_MP_BEGIN);
    if (o) {
        set_common(c, o);
        pl_task_submit(&c->task, o);
    }
}

static void stat_done(struct pl_copy *c, struct pl_task_op *o)
{
    o->op.out.info.key = c->key;
    c->source = pl_info_dup(&o->op.out.info);
    if (!c->source) {
        pl_task_fail(&c->task, PAIL_E_NO_MEMORY, NULL);
        return;
    }
    c->size = c->source->size;
    c->task.total = (int64_t)c->size;
    c->sized = true;
    if (!set_attributes(c) || !plan(c)) {
        return;
    }
    if (c->in_parts) {
        submit_begin(c);
    } else {
        go_on(c);
    }
}

static void submit_copy_part(struct pl_copy *c, uint64_t index)
{
    struct pl_task_op *o = to_op(c, PL_OP_MP_COPY_PART);
    if (!o) {
        return;
    }
    uint64_t at = index * c->part_size;
    fill_source(c, o);
    o->op.in.copy.cond = (pail_conditions){.if_match = c->source->etag};
    o->op.in.copy.offset = at;
    o->op.in.copy.length = c->size - at < c->part_size ? c->size - at : c->part_size;
    o->op.in.copy.upload_id = c->upload_id;
    o->op.in.copy.number = (uint32_t)index + 1;
    o->index = index;
    c->next = index + 1;
    pl_task_submit(&c->task, o);
}

/* Writes what was read: the buffer goes on with the new op. */
static void submit_write(struct pl_copy *c, struct pl_task_op *read)
{
    struct pl_task_op *o = to_op(c, c->in_parts ? PL_OP_MP_PART : PL_OP_PUT);
    if (!o) {
        rest_buffer(c, read->buffer);
        return;
    }
    o->index = read->index;
    o->buffer = read->buffer;
    o->body.kind = PL_BODY_MEM;
    o->body.ptr = read->buffer;
    o->body.len = atomic_load(&read->body.done);
    o->op.in.put.source = &o->body;
    if (c->in_parts) {
        o->op.in.put.upload_id = c->upload_id;
        o->op.in.put.number = (uint32_t)o->index + 1;
    } else {
        set_common(c, o);
    }
    c->sums[o->index] = read->op.out.sum;
    pl_task_submit(&c->task, o);
}

static void get_done(struct pl_copy *c, struct pl_task_op *o)
{
    uint64_t at = o->index * c->part_size;
    uint64_t want = c->size - at < c->part_size ? c->size - at : c->part_size;
    if (atomic_load(&o->body.done) != want) {
        struct pail_error *e = NULL;
        pl_fail(&e, PAIL_E_CHANGED, "\"%s\" was replaced while it was copied", c->key);
        pl_task_fail(&c->task, PAIL_E_CHANGED, e);
    }
    if (c->task.failing) {
        rest_buffer(c, o->buffer);
        return;
    }
    if (!c->in_parts) { /* the whole object is here: is it what the source says? */
        struct pail_error *e = NULL;
        pail_code rc = pl_sum_verify(c->source, o->op.out.sum, &e);
        if (rc) {
            rest_buffer(c, o->buffer);
            pl_task_fail(&c->task, rc, e);
            return;
        }
    }
    submit_write(c, o);
}

/* All parts are written: what was read must be what the source says it is, then they become the
 * object. */
static void submit_finish(struct pl_copy *c)
{
    struct pail_error *e = NULL;
    struct pl_part_sum whole = {0};
    for (size_t i = 0; !c->by_service && i < c->part_count; i++) {
        pl_sum_append(&whole, i == 0, c->sums[i], c->parts[i].size);
    }
    pail_code rc = pl_sum_verify(c->source, whole, &e);
    if (rc) {
        pl_task_fail(&c->task, rc, e);
        return;
    }
    struct pl_task_op *o = to_op(c, PL_OP_MP_FINISH);
    if (o) {
        c->finishing = true;
        set_common(c, o);
        o->op.in.mp.upload_id = c->upload_id;
        o->op.in.mp.parts = c->parts;
        o->op.in.mp.count = c->part_count;
        o->op.in.mp.size = c->size;
        pl_task_submit(&c->task, o);
    }
}

static void pump(struct pl_copy *c)
{
    while (!c->task.failing && c->upload_id && c->next < c->part_count &&
           c->task.in_flight < c->window) {
        uint64_t before = c->next;
        if (c->by_service) {
            submit_copy_part(c, c->next);
        } else {
            submit_get(c, c->next);
        }
        if (c->next == before) {
            return;
        }
    }
    if (!c->task.failing && c->upload_id && !c->finishing && c->next == c->part_count &&
        !c->task.in_flight) {
        submit_finish(c);
    }
}

static void written(struct pl_copy *c, struct pl_task_op *o)
{
    uint64_t at = o->index * c->part_size;
    struct pl_part *part = &c->parts[o->index];
    part->number = (uint32_t)o->index + 1;
    part->size = c->size - at < c->part_size ? c->size - at : c->part_size;
    part->etag = pl_arena_dup_c(&c->arena, o->op.out.etag ? o->op.out.etag : "");
    part->sum = o->op.out.sum;
    c->task.moved += part->size;
    if (!part->etag) {
        pl_task_fail(&c->task, PAIL_E_NO_MEMORY, NULL);
    }
}

static void all_done(struct pl_copy *c, struct pl_task_op *o)
{
    pl_free(c->upload_id);
    c->upload_id = NULL;
    o->op.out.info.key = c->to_key;
    o->op.out.info.size = c->sized ? c->size : o->op.out.info.size;
    c->task.info = pl_info_dup(&o->op.out.info);
    if (c->task.info) {
        pl_task_finish(&c->task);
    } else {
        pl_task_fail(&c->task, PAIL_E_NO_MEMORY, NULL);
    }
}

static void op_failed(struct pl_copy *c, struct pl_task_op *o)
{
    if (o->op.kind == PL_OP_COPY && !c->task.failing &&
        (o->op.rc == PAIL_E_TOO_LARGE || o->op.rc == PAIL_E_UNSUPPORTED)) {
        /* Too large for one request: in parts. No copies at all: through memory. */
        c->by_service = o->op.rc == PAIL_E_TOO_LARGE;
        submit_stat(c);
        return;
    }
    pl_task_fail_op(&c->task, o);
}

static void succeeded(struct pl_copy *c, struct pl_task_op *o)
{
    switch (o->op.kind) {
    case PL_OP_STAT: stat_done(c, o); break;
    case PL_OP_GET: get_done(c, o); break;
    case PL_OP_MP_PART:
    case PL_OP_MP_COPY_PART: written(c, o); break;
    case PL_OP_PUT:
    case PL_OP_COPY:
    case PL_OP_MP_FINISH: all_done(c, o); break;
    default: break;
    }
}

static void op_done(struct pl_task *t, struct pl_task_op *o)
{
    struct pl_copy *c = of(t);
    bool reading = o->op.kind == PL_OP_GET && o->op.rc == PAIL_OK && !t->failing;
    if (!reading) {
        rest_buffer(c, o->buffer);
    }
    if (o->op.kind == PL_OP_MP_ABORT) {
        pl_task_op_free(o);
        return;
    }
    c->may_stand |= pl_task_may_stand(o);
    if (o->op.kind == PL_OP_MP_BEGIN && o->op.rc == PAIL_OK) {
        c->upload_id = pl_strdup(o->op.out.upload_id);
        if (!c->upload_id) {
            pl_task_fail(t, PAIL_E_NO_MEMORY, NULL);
        }
    } else if (o->op.rc) {
        op_failed(c, o);
    } else if (!t->failing) {
        succeeded(c, o);
    }
    pl_task_op_free(o);
    pump(c);
}

static void clean_up(struct pl_task *t)
{
    struct pl_copy *c = of(t);
    c->to->ops->caps(c->to, &c->to_caps); /* by now it may know the service better */
    bool aborts = c->upload_id && !(c->may_stand && c->to_caps.finish_lingers);
    struct pl_task_op *o = aborts ? to_op(c, PL_OP_MP_ABORT) : NULL;
    if (o) {
        o->op.deadline_ns = pl_sys.mono_ns() + (int64_t)CLEAN_UP_MS * 1000000;
        o->op.in.mp.upload_id = c->upload_id;
        pl_task_submit(t, o);
    }
}

static void dispose(struct pl_task *t)
{
    struct pl_copy *c = of(t);
    for (size_t i = 0; i < c->spare_count; i++) {
        pl_pool_give(t->pool, c->spare[i], c->room);
    }
    c->spare_count = 0;
    pail_info_free(c->source);
    pl_free(c->upload_id);
    pl_free(c->parts);
    pl_free(c->sums);
    pl_arena_dispose(&c->arena);
}

static const struct pl_task_ops copy_ops = {start, op_done, clean_up, dispose};

void pl_copy_init(struct pl_copy *c)
{
    c->task.ops = &copy_ops;
    c->task.total = -1;
    c->task.provider->ops->caps(c->task.provider, &c->from_caps);
    c->to->ops->caps(c->to, &c->to_caps);
}
