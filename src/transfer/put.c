#include "transfer/put.h"

#include <errno.h>

#include "base/sys.h"

enum { CLEAN_UP_MS = 30000, LOOK_EVERY_MS = 100 };

static struct pl_put *of(struct pl_task *t)
{
    return (struct pl_put *)t;
}

/* ---- buffers ---- */

/* A buffer of part_size bytes, or NULL where there is none now. The first is waited for: nothing
 * else would end. */
static char *get_buffer(struct pl_put *p, bool first)
{
    if (p->spare_count) {
        return p->spare[--p->spare_count];
    }
    if (!first) {
        return pl_pool_try(p->task.pool, p->part_size);
    }
    struct pail_error *e = NULL;
    char *buffer = p->is_writer ? pl_pool_take_handle(p->task.pool, p->part_size, &e)
                   : p->task.may_block
                       ? pl_pool_take(p->task.pool, p->part_size, p->task.deadline_ns, &e)
                       : pl_pool_try(p->task.pool, p->part_size);
    if (!buffer && p->state == PL_PUT_FILLING && !p->is_writer && !e) {
        pl_task_stall(&p->task, p->part_size);
    } else if (!buffer) {
        pl_task_fail(&p->task, PAIL_E_NO_MEMORY, e);
    }
    return buffer;
}

static void rest_buffer(struct pl_put *p, char *buffer)
{
    if (buffer && p->spare_count < PL_PLAN_WINDOW) {
        p->spare[p->spare_count++] = buffer;
    }
}

/* ---- single put ---- */

static void set_common(struct pl_put *p, struct pl_task_op *o)
{
    o->op.cond = p->opts.cond;
    o->op.attr = &p->opts.attr;
    o->op.encryption = &p->opts.encryption;
}

static void submit_single(struct pl_put *p, const struct pl_put_buffer *buffer)
{
    struct pl_task_op *o = pl_task_op_new(&p->task, PL_OP_PUT, p->bucket, p->key);
    if (!o) {
        rest_buffer(p, buffer ? buffer->ptr : NULL);
        return;
    }
    p->state = PL_PUT_SINGLE;
    set_common(p, o);
    if (buffer) {
        o->body.kind = PL_BODY_MEM;
        o->body.ptr = buffer->ptr;
        o->body.len = buffer->len;
        o->buffer = buffer->ptr;
    } else {
        pl_source_body(&p->source, 0, p->source.size, &o->body);
    }
    p->task.total = (int64_t)o->body.len;
    o->op.in.put.source = &o->body;
    pl_task_submit(&p->task, o);
}

/* ---- parts ---- */

static bool may_begin(struct pl_put *p)
{
    struct pail_error *e = NULL;
    if (!p->caps.ability[PAIL_CAN_MULTIPART]) {
        pl_fail(&e, PAIL_E_UNSUPPORTED, "this store takes no uploads in parts");
        pl_task_fail(&p->task, PAIL_E_UNSUPPORTED, e);
    }
    return !e;
}

static void submit_begin(struct pl_put *p)
{
    struct pl_task_op *o =
        may_begin(p) ? pl_task_op_new(&p->task, PL_OP_MP_BEGIN, p->bucket, p->key) : NULL;
    if (o) {
        p->state = PL_PUT_BEGIN;
        set_common(p, o);
        pl_task_submit(&p->task, o);
    }
}

/* Room for one more part of `size` bytes; NULL: the task has failed. */
static struct pl_part *add_part(struct pl_put *p, uint64_t size)
{
    if (p->part_count == p->caps.limit[PAIL_LIMIT_PARTS]) {
        struct pail_error *e = NULL;
        pl_fail(&e, PAIL_E_TOO_LARGE, "the stream is longer than %llu parts of %llu bytes",
                (unsigned long long)p->part_count, (unsigned long long)p->part_size);
        pl_error_hint(&e, "tell the expected size, so that larger parts are used");
        pl_task_fail(&p->task, PAIL_E_TOO_LARGE, e);
        return NULL;
    }
    if (p->part_count == p->part_room) {
        size_t room = p->part_room ? p->part_room * 2 : 16;
        struct pl_part *parts = pl_realloc(p->parts, room * sizeof *parts);
        if (!parts) {
            pl_task_fail(&p->task, PAIL_E_NO_MEMORY, NULL);
            return NULL;
        }
        p->parts = parts;
        p->part_room = room;
    }
    struct pl_part *part = &p->parts[p->part_count++];
    *part = (struct pl_part){.number = (uint32_t)p->part_count, .size = size};
    return part;
}

static void submit_part(struct pl_put *p, const struct pl_put_buffer *buffer, uint64_t n)
{
    struct pl_part *part = add_part(p, n);
    struct pl_task_op *o = part ? pl_task_op_new(&p->task, PL_OP_MP_PART, p->bucket, p->key) : NULL;
    if (!o) {
        rest_buffer(p, buffer ? buffer->ptr : NULL);
        return;
    }
    if (buffer) {
        o->body.kind = PL_BODY_MEM;
        o->body.ptr = buffer->ptr;
        o->body.len = n;
        o->buffer = buffer->ptr;
    } else {
        pl_source_body(&p->source, p->planned, n, &o->body);
        pl_ahead_offer(&p->ahead, &o->body);
    }
    p->planned += n;
    o->index = part->number - 1;
    o->op.encryption = &p->opts.encryption;
    o->op.in.put.source = &o->body;
    o->op.in.put.upload_id = p->upload_id;
    o->op.in.put.number = part->number;
    pl_task_submit(&p->task, o);
}

static void submit_finish(struct pl_put *p)
{
    struct pail_error *e = NULL;
    pail_code rc = pl_source_unchanged(&p->source, &e);
    if (rc) {
        pl_task_fail(&p->task, rc, e);
        return;
    }
    struct pl_task_op *o = pl_task_op_new(&p->task, PL_OP_MP_FINISH, p->bucket, p->key);
    if (!o) {
        return;
    }
    p->state = PL_PUT_FINISH;
    set_common(p, o);
    o->op.in.mp.upload_id = p->upload_id;
    o->op.in.mp.parts = p->parts;
    o->op.in.mp.count = p->part_count;
    o->op.in.mp.size = p->planned;
    pl_task_submit(&p->task, o);
}

/* Fills the next part of a stream, if there is a buffer for it. */
static void fill_next(struct pl_put *p)
{
    bool first = p->state == PL_PUT_FILLING || p->task.in_flight == 0;
    char *buffer = get_buffer(p, first);
    if (!buffer) {
        return;
    }
    struct pail_error *e = NULL;
    int64_t n = pl_source_pull(&p->source, buffer, p->part_size, &e);
    if (n < 0) {
        rest_buffer(p, buffer);
        pl_task_fail(&p->task, (pail_code)n, e);
        return;
    }
    p->ended = (uint64_t)n < p->part_size;
    p->full = (struct pl_put_buffer){buffer, (size_t)n};
}

/* Sends what can be sent now. */
static void pump(struct pl_put *p)
{
    while (!p->task.failing && p->state == PL_PUT_PARTS && p->task.in_flight < p->window) {
        bool known = p->source.kind != PL_BODY_NONE;
        if (known && p->planned < p->source.size) {
            uint64_t left = p->source.size - p->planned;
            submit_part(p, NULL, left < p->part_size ? left : p->part_size);
            p->ended = p->planned == p->source.size;
        } else if (p->full.ptr) {
            struct pl_put_buffer full = p->full;
            p->full = (struct pl_put_buffer){0};
            if (full.len) {
                submit_part(p, &full, full.len);
            } else {
                rest_buffer(p, full.ptr);
            }
        } else if (!known && !p->is_writer && !p->ended) {
            fill_next(p);
            if (!p->full.ptr) {
                return;
            }
        } else {
            break;
        }
    }
    if (!p->task.failing && p->state == PL_PUT_PARTS && p->ended && !p->full.ptr &&
        p->task.in_flight == 0) {
        submit_finish(p);
    }
}

/* The first part of a stream is full, or all there is: one request or many? */
static void stream_decide(struct pl_put *p)
{
    if (p->ended && p->full.len <= p->caps.limit[PAIL_LIMIT_PUT]) {
        struct pl_put_buffer all = p->full;
        p->full = (struct pl_put_buffer){0};
        submit_single(p, &all);
    } else {
        submit_begin(p);
    }
}

static void start(struct pl_task *t)
{
    struct pl_put *p = of(t);
    struct pail_error *e = NULL;
    bool known = !p->is_writer && p->source.kind != PL_BODY_NONE;
    uint64_t size = known ? p->source.size : p->is_writer ? 0 : p->source.user->expected_size;
    uint64_t single = p->caps.put_best < p->caps.limit[PAIL_LIMIT_PUT]
                          ? p->caps.put_best
                          : p->caps.limit[PAIL_LIMIT_PUT];
    single = p->opts.part_size ? p->opts.part_size : single;
    single = p->caps.ability[PAIL_CAN_MULTIPART] ? single : p->caps.limit[PAIL_LIMIT_PUT];
    if (known && size <= single) {
        submit_single(p, NULL);
        return;
    }
    p->part_size = pl_plan_part(&p->caps, size, p->opts.part_size, &e);
    p->window = p->caps.parts_in_order ? 1 : pl_plan_window(&p->caps, p->opts.concurrency);
    if (!p->part_size) {
        pl_task_fail(t, pail_error_code(e), e);
        return;
    }
    if (known) {
        t->total = (int64_t)size;
        submit_begin(p);
        return;
    }
    t->total = size ? (int64_t)size : -1;
    if (p->is_writer) {
        p->filling.ptr = get_buffer(p, true);
        return;
    }
    fill_next(p);
    if (p->full.ptr) {
        stream_decide(p);
    }
}

static void take_info(struct pl_put *p, struct pl_task_op *o)
{
    o->op.out.info.key = p->key;
    p->task.info = pl_info_dup(&o->op.out.info);
    if (!p->task.info) {
        pl_task_fail(&p->task, PAIL_E_NO_MEMORY, NULL);
    }
}

static void single_done(struct pl_put *p, struct pl_task_op *o)
{
    o->op.out.info.size = o->body.len;
    p->task.moved = o->body.len;
    if (p->source.user) {
        p->source.user->used = o->body.len;
    }
    take_info(p, o);
    if (!p->task.failing) {
        pl_task_finish(&p->task);
    }
}

static void part_done(struct pl_put *p, struct pl_task_op *o)
{
    struct pl_part *part = &p->parts[o->index];
    part->etag = pl_arena_dup_c(&p->arena, o->op.out.etag ? o->op.out.etag : "");
    part->sum = o->op.out.sum;
    p->task.moved += part->size;
    if (!part->etag) {
        pl_task_fail(&p->task, PAIL_E_NO_MEMORY, NULL);
    }
}

static void finish_done(struct pl_put *p, struct pl_task_op *o)
{
    pl_free(p->upload_id);
    p->upload_id = NULL;
    o->op.out.info.size = p->planned;
    if (p->source.user) {
        p->source.user->used = p->planned;
    }
    take_info(p, o);
    if (!p->task.failing) {
        pl_task_finish(&p->task);
    }
}

/* By now the provider may know the service's limits better. */
static void begin_done(struct pl_put *p, struct pl_task_op *o)
{
    struct pail_error *e = NULL;
    p->upload_id = pl_strdup(o->op.out.upload_id);
    p->state = PL_PUT_PARTS;
    p->task.provider->ops->caps(p->task.provider, &p->caps);
    if (p->source.kind != PL_BODY_NONE && !p->is_writer) {
        p->part_size = pl_plan_part(&p->caps, p->source.size, p->opts.part_size, &e);
        if (p->part_size) {
            pl_ahead_begin(&p->ahead, &p->source, p->part_size);
        }
    }
    if (!p->upload_id || !p->part_size) {
        pl_task_fail(&p->task, e ? e->code : PAIL_E_NO_MEMORY, e);
    }
}

/* The service turned out to take no uploads in parts: then as a whole, if it may be that large. */
static bool goes_whole(struct pl_put *p, const struct pl_task_op *o)
{
    if (o->op.kind != PL_OP_MP_BEGIN || o->op.rc != PAIL_E_UNSUPPORTED || p->task.failing) {
        return false;
    }
    p->task.provider->ops->caps(p->task.provider, &p->caps);
    return !p->is_writer && p->source.kind != PL_BODY_NONE &&
           p->source.size <= p->caps.limit[PAIL_LIMIT_PUT];
}

static void op_done(struct pl_task *t, struct pl_task_op *o)
{
    struct pl_put *p = of(t);
    rest_buffer(p, o->buffer);
    if (o->op.kind == PL_OP_MP_ABORT) {
        pl_task_op_free(o);
        return;
    }
    p->may_stand |= pl_task_may_stand(o);
    if (o->op.kind == PL_OP_MP_BEGIN && o->op.rc == PAIL_OK) {
        begin_done(p, o); /* also when failing: the upload must be aborted */
    } else if (o->op.rc && goes_whole(p, o)) {
        submit_single(p, NULL);
    } else if (o->op.rc) {
        pl_task_fail_op(t, o);
    } else if (!t->failing) {
        switch (o->op.kind) {
        case PL_OP_PUT: single_done(p, o); break;
        case PL_OP_MP_PART: part_done(p, o); break;
        case PL_OP_MP_FINISH: finish_done(p, o); break;
        default: break;
        }
    } else if (o->op.kind == PL_OP_PUT || o->op.kind == PL_OP_MP_FINISH) {
        t->error->maybe_applied = !t->error->is_static; /* it took effect after all */
    }
    pl_task_op_free(o);
    pump(p);
}

static void clean_up(struct pl_task *t)
{
    struct pl_put *p = of(t);
    bool aborts = p->upload_id && !(p->may_stand && p->caps.finish_lingers);
    struct pl_task_op *o = aborts ? pl_task_op_new(t, PL_OP_MP_ABORT, p->bucket, p->key) : NULL;
    if (o) {
        o->op.deadline_ns = pl_sys.mono_ns() + (int64_t)CLEAN_UP_MS * 1000000;
        o->op.in.mp.upload_id = p->upload_id;
        pl_task_submit(t, o);
    }
}

static void give_buffer(struct pl_put *p, char *buffer, bool as_handle)
{
    if (as_handle) {
        pl_pool_give_handle(p->task.pool, buffer, p->part_size);
    } else {
        pl_pool_give(p->task.pool, buffer, p->part_size);
    }
}

static void dispose(struct pl_task *t)
{
    struct pl_put *p = of(t);
    rest_buffer(p, p->full.ptr);
    rest_buffer(p, p->filling.ptr);
    for (size_t i = 0; i < p->spare_count; i++) {
        give_buffer(p, p->spare[i],
                    p->is_writer && i == 0); /* a writer took its first one as a handle */
    }
    pl_ahead_end(&p->ahead);
    pl_source_close(&p->source);
    pl_free(p->upload_id);
    pl_free(p->parts);
    pl_arena_dispose(&p->arena);
    p->spare_count = 0;
    p->full = p->filling = (struct pl_put_buffer){0};
    p->upload_id = NULL;
    p->parts = NULL;
}

static const struct pl_task_ops put_ops = {start, op_done, clean_up, dispose};

void pl_put_init(struct pl_put *p)
{
    p->task.ops = &put_ops;
    p->task.total = -1;
    p->task.provider->ops->caps(p->task.provider, &p->caps);
}

/* ---- a writer's side ---- */

/* Moves the task on until its full buffer was sent, or it has failed or finished. */
static void dispatch_while(struct pl_put *p, bool (*busy)(const struct pl_put *))
{
    struct pl_task *t = &p->task;
    while (!t->finished && busy(p)) {
        struct pl_op *op = pl_queue_pop(t->queue);
        if (op) {
            pl_task_step(op);
        } else {
            pl_queue_wait(t->queue, t->call && !t->failing ? t->call->cancel : NULL,
                          t->call && t->call->progress ? LOOK_EVERY_MS : -1);
        }
        if (!t->finished) {
            pl_task_look(t);
        }
    }
}

static bool has_full(const struct pl_put *p)
{
    return p->full.ptr || p->task.failing;
}

static bool not_finished(const struct pl_put *p)
{
    return !p->task.finished;
}

static bool all_in_flight(const struct pl_put *p)
{
    return (p->spare_count == 0 && p->task.in_flight > 0) || p->task.failing;
}

/* Hands the filling buffer over as a part and finds another. */
static void next_buffer(struct pl_put *p)
{
    p->full = p->filling;
    p->filling = (struct pl_put_buffer){0};
    if (p->state == PL_PUT_FILLING) {
        stream_decide(p);
    }
    pump(p);
    pl_task_look(&p->task);
    dispatch_while(p, has_full);
    if (p->task.finished) {
        return;
    }
    char *buffer = get_buffer(p, false);
    if (!buffer) {
        dispatch_while(p, all_in_flight);
        buffer = p->spare_count ? p->spare[--p->spare_count] : NULL;
    }
    p->filling.ptr = buffer;
}

pail_code pl_put_write(struct pl_put *p, const void *data, size_t n)
{
    const char *at = data;
    while (n && !p->task.finished) {
        size_t room = p->part_size - p->filling.len;
        size_t take = n < room ? n : room;
        memcpy(p->filling.ptr + p->filling.len, at, take);
        p->filling.len += take;
        at += take;
        n -= take;
        if (n && p->filling.len ==
                     p->part_size) { /* a full last part waits for the commit: it may be all */
            next_buffer(p);
        }
    }
    return p->task.rc;
}

pail_code pl_put_commit(struct pl_put *p)
{
    if (!p->task.finished) {
        p->ended = true;
        p->full = p->filling;
        p->filling = (struct pl_put_buffer){0};
        if (p->state == PL_PUT_FILLING) {
            stream_decide(p);
        }
        pump(p);
        pl_task_look(&p->task);
        dispatch_while(p, not_finished);
    }
    return p->task.rc;
}

void pl_put_drop(struct pl_put *p)
{
    if (!p->task.finished) {
        pl_task_fail(&p->task, PAIL_E_CANCELLED, NULL);
        pl_task_look(&p->task);
        dispatch_while(p, not_finished);
    }
}
