#include "transfer/ranges.h"

#include <stdlib.h>

enum { GAP = 1 << 20 };

static struct pl_ranges *of(struct pl_task *t)
{
    return (struct pl_ranges *)t;
}

static int by_offset(const void *a, const void *b, void *ctx)
{
    const struct pl_ranges *r = ctx;
    uint64_t x = r->ranges[*(const size_t *)a].offset, y = r->ranges[*(const size_t *)b].offset;
    return x < y ? -1 : x > y;
}

static uint64_t end_of(const pail_range *range)
{
    return range->offset + range->length;
}

/* Whether a range may join a run: it begins within the gap of its end, and the run stays small
 * enough to buffer. */
static bool joins(const struct pl_ranges *r, const struct pl_run *run, const pail_range *range)
{
    uint64_t end = run->offset + run->length;
    uint64_t reach = end_of(range) > end ? end_of(range) : end;
    return range->offset <= end + r->gap && reach - run->offset <= r->run_max;
}

static void make_runs(struct pl_ranges *r)
{
    for (size_t i = 0; i < r->count; i++) {
        r->order[i] = i;
    }
    qsort_r(r->order, r->count, sizeof *r->order, by_offset, r);
    for (size_t i = 0; i < r->count; i++) {
        const pail_range *range = &r->ranges[r->order[i]];
        struct pl_run *run = r->run_count ? &r->runs[r->run_count - 1] : NULL;
        r->got[r->order[i]] = 0;
        if (range->length == 0) {
            continue;
        }
        if (!run || !joins(r, run, range)) {
            r->runs[r->run_count++] = (struct pl_run){range->offset, range->length, i, 1};
        } else {
            uint64_t end = run->offset + run->length;
            run->length = (end_of(range) > end ? end_of(range) : end) - run->offset;
            run->count = i - run->first + 1;
        }
    }
}

static void submit_run(struct pl_ranges *r)
{
    struct pl_run *run = &r->runs[r->next];
    struct pl_task_op *o = pl_task_op_new(&r->task, PL_OP_GET, r->bucket, r->key);
    if (!o) {
        return;
    }
    o->index = r->next;
    o->body.kind = PL_BODY_MEM;
    o->body.len = run->length;
    if (run->count == 1) {
        o->body.ptr = r->bufs[r->order[run->first]];
    } else {
        bool first = r->task.in_flight == 0, waits = first && r->task.may_block;
        struct pail_error *e = NULL;
        o->buffer = waits ? pl_pool_take(r->task.pool, run->length, r->task.deadline_ns, &e)
                          : pl_pool_try(r->task.pool, run->length);
        o->body.ptr = o->buffer;
        if (!o->buffer) {
            pl_task_op_free(o);
            if (waits) {
                pl_task_fail(&r->task, PAIL_E_NO_MEMORY, e);
            } else if (first) {
                pl_task_stall(&r->task, run->length);
            }
            return;
        }
    }
    o->op.version = r->opts.version;
    o->op.encryption = &r->opts.encryption;
    o->op.cond = r->opts.cond;
    if (r->etag) {
        o->op.cond = (pail_conditions){.if_match = r->etag};
    }
    o->op.in.get.range = (struct pl_range){PL_RANGE_SPAN, run->offset, run->length};
    o->op.in.get.sink = &o->body;
    r->next++;
    pl_task_submit(&r->task, o);
}

static void pump(struct pl_ranges *r)
{
    unsigned window =
        r->begun ? r->window : 1; /* the first answer tells which version the others must be of */
    while (!r->task.failing && r->next < r->run_count && r->task.in_flight < window) {
        size_t before = r->next;
        submit_run(r);
        if (r->next == before) {
            return;
        }
    }
    if (!r->task.failing && r->next == r->run_count && !r->task.in_flight) {
        pl_task_finish(&r->task);
    }
}

/* Hands the bytes of a run to its ranges; `came` of them came, fewer where the object ends. */
static void scatter(struct pl_ranges *r, const struct pl_run *run, const char *data, uint64_t came)
{
    for (size_t i = run->first; i < run->first + run->count; i++) {
        const pail_range *range = &r->ranges[r->order[i]];
        uint64_t at = range->offset - run->offset;
        uint64_t n = at >= came ? 0 : came - at < range->length ? came - at : range->length;
        r->got[r->order[i]] = (size_t)n;
        if (n && data) {
            memcpy(r->bufs[r->order[i]], data + at, n);
        }
    }
}

static void fail_changed(struct pl_ranges *r)
{
    struct pail_error *e = NULL;
    pl_fail(&e, PAIL_E_CHANGED, "\"%s\" was replaced while it was read", r->key);
    pl_task_fail(&r->task, PAIL_E_CHANGED, e);
}

static void run_failed(struct pl_ranges *r, struct pl_task_op *o)
{
    pail_code rc = o->op.rc;
    if (rc == PAIL_E_BAD_RANGE) { /* past the end: no bytes, which is an answer here */
        r->begun = true;
        return;
    }
    if (r->etag && (rc == PAIL_E_PRECONDITION || rc == PAIL_E_NOT_FOUND)) {
        fail_changed(r);
        return;
    }
    pl_task_fail_op(&r->task, o);
}

static void op_done(struct pl_task *t, struct pl_task_op *o)
{
    struct pl_ranges *r = of(t);
    if (o->op.rc) {
        run_failed(r, o);
    } else if (!t->failing) {
        r->begun = true;
        const char *seen = o->op.out.info.etag;
        if (!r->etag && seen) {
            r->etag = pl_strdup(seen);
        } else if (r->etag && seen && strcmp(r->etag, seen) != 0) {
            fail_changed(r); /* the service does not look at If-Match */
        }
        scatter(r, &r->runs[o->index], o->buffer, atomic_load(&o->body.done));
    }
    pl_pool_give(t->pool, o->buffer, r->runs[o->index].length);
    pl_task_op_free(o);
    pump(r);
}

static void start(struct pl_task *t)
{
    pump(of(t));
}

static void dispose(struct pl_task *t)
{
    struct pl_ranges *r = of(t);
    pl_free(r->order);
    pl_free(r->runs);
    pl_free(r->etag);
}

static const struct pl_task_ops ranges_ops = {start, op_done, NULL, dispose};

pail_code pl_ranges_init(struct pl_ranges *r, struct pail_error **err)
{
    r->task.ops = &ranges_ops;
    r->task.total = -1;
    r->task.provider->ops->caps(r->task.provider, &r->caps);
    for (size_t i = 0; i < r->count; i++) {
        if (r->ranges[i].suffix || r->ranges[i].offset > UINT64_MAX - r->ranges[i].length) {
            return pl_fail(err, PAIL_E_BAD_ARGUMENT, "range %zu is a suffix or ends beyond 2^64",
                           i);
        }
    }
    r->gap = r->gap ? r->gap : GAP;
    r->run_max = pl_plan_range(&r->caps, r->opts.part_size);
    r->window = pl_plan_window(&r->caps, r->opts.concurrency);
    r->order = pl_calloc(r->count ? r->count : 1, sizeof *r->order);
    r->runs = pl_calloc(r->count ? r->count : 1, sizeof *r->runs);
    if (!r->order || !r->runs) {
        dispose(&r->task);
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for %zu ranges", r->count);
    }
    make_runs(r);
    return PAIL_OK;
}
