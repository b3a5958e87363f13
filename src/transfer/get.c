#include "transfer/get.h"

#include "codec/crc.h"
#include "codec/digest.h"

static struct pl_get *of(struct pl_task *t)
{
    return (struct pl_get *)t;
}

/* ---- checksums of concatenations ---- */

void pl_sum_append(struct pl_part_sum *whole, bool first, struct pl_part_sum next, uint64_t len)
{
    if (first) {
        *whole = next;
        return;
    }
    if (whole->algorithm != next.algorithm) {
        whole->algorithm = PL_SUM_NONE;
    }
    switch ((enum pl_sum)whole->algorithm) {
    case PL_SUM_CRC64NVME:
        whole->value = pl_crc64nvme_combine(whole->value, next.value, len);
        break;
    case PL_SUM_CRC32C:
        whole->value = pl_crc32c_combine((uint32_t)whole->value, (uint32_t)next.value, len);
        break;
    case PL_SUM_CRC32:
        whole->value = pl_crc32_combine((uint32_t)whole->value, (uint32_t)next.value, len);
        break;
    case PL_SUM_NONE:
    case PL_SUM_SHA256:
    case PL_SUM_SHA1:
    case PL_SUM_MD5: whole->algorithm = PL_SUM_NONE; break;
    }
}

pail_code pl_sum_verify(const pail_info *info, struct pl_part_sum sum, struct pail_error **err)
{
    const char *colon = info->checksum ? strchr(info->checksum, ':') : NULL;
    if (!colon || sum.algorithm == PL_SUM_NONE ||
        (int)pl_sum_by_name(pl_str_n(info->checksum, (size_t)(colon - info->checksum))) !=
            sum.algorithm) {
        return PAIL_OK;
    }
    char text[PL_SUM_BASE64_MAX];
    struct pl_sum_value value = pl_sum_of_crc((enum pl_sum)sum.algorithm, sum.value);
    if (strcmp(pl_sum_base64(&value, text), colon + 1) == 0) {
        return PAIL_OK;
    }
    pl_fail(err, PAIL_E_CHECKSUM, "the bytes that came have %s %s, the object has %s",
            pl_sum_name((enum pl_sum)sum.algorithm), text, colon + 1);
    pl_error_hint(err, "try again; if it stays so, the stored object is damaged");
    return PAIL_E_CHECKSUM;
}

/* ---- asking ---- */

static bool is_stream(const struct pl_get *g)
{
    return g->sink.kind == PL_BODY_NONE;
}

/* A store that reads ranges of any size at once is asked for all in one: but not into memory that
 * grows meanwhile. */
static bool comes_at_once(const struct pl_get *g)
{
    return g->caps.get_best == UINT64_MAX && !is_stream(g) && g->sink.kind != PL_BODY_GROW;
}

static char *get_buffer(struct pl_get *g, bool first)
{
    if (g->spare_count) {
        return g->spare[--g->spare_count];
    }
    if (!first || !g->task.may_block) {
        return pl_pool_try(g->task.pool, g->part_size);
    }
    struct pail_error *e = NULL;
    char *buffer = pl_pool_take(g->task.pool, g->part_size, g->task.deadline_ns, &e);
    if (!buffer) {
        pl_task_fail(&g->task, PAIL_E_NO_MEMORY, e);
    }
    return buffer;
}

static void rest_buffer(struct pl_get *g, char *buffer)
{
    if (buffer && g->spare_count < PL_PLAN_WINDOW) {
        g->spare[g->spare_count++] = buffer;
    }
}

/* Asks for one range as part `index`; its bytes are [at, at + room) of what is read. false: no
 * buffer, or failed. */
static bool submit_get(struct pl_get *g, uint64_t index, const struct pl_range *range, uint64_t at,
                       uint64_t room)
{
    char *buffer = NULL;
    if (is_stream(g)) {
        buffer = get_buffer(g, g->task.in_flight == 0);
        if (!buffer) {
            if (index == 0 && !g->etag) {
                pl_task_stall(&g->task, g->part_size);
            } else if (!g->task.failing && g->task.in_flight == 0 && g->folded == index) {
                pl_task_fail(&g->task, PAIL_E_NO_MEMORY, NULL);
            }
            return false;
        }
    }
    struct pl_task_op *o = pl_task_op_new(&g->task, PL_OP_GET, g->bucket, g->key);
    if (!o) {
        rest_buffer(g, buffer);
        return false;
    }
    if (buffer) {
        o->body.kind = PL_BODY_MEM;
        o->body.ptr = buffer;
        o->body.len = g->part_size;
        o->buffer = buffer;
    } else {
        pl_sink_body(&g->sink, at, room, &o->body);
    }
    o->index = index;
    o->op.version = g->opts.version;
    o->op.encryption = &g->opts.encryption;
    o->op.cond = g->opts.cond;
    if (index && g->etag) {
        o->op.cond = (pail_conditions){.if_match = g->etag};
    }
    o->op.in.get.range = *range;
    o->op.in.get.sink = &o->body;
    g->ring[index % PL_GET_RING] = (struct pl_get_slot){0};
    g->next = index + 1;
    pl_task_submit(&g->task, o);
    return true;
}

/* For the first request, which tells the size: no more than it asks for, or than a part. */
static uint64_t room_for(const struct pl_get *g, const struct pl_range *range)
{
    return g->sink.kind == PL_BODY_MEM                                   ? g->sink.user->len
           : range->kind == PL_RANGE_ALL || range->length > g->part_size ? g->part_size
                                                                         : range->length;
}

static void submit_stat(struct pl_get *g)
{
    struct pl_task_op *o = pl_task_op_new(&g->task, PL_OP_STAT, g->bucket, g->key);
    if (o) {
        o->op.version = g->opts.version;
        o->op.cond = g->etag ? (pail_conditions){.if_match = g->etag} : g->opts.cond;
        o->op.encryption = &g->opts.encryption;
        pl_task_submit(&g->task, o);
    }
}

/* The first request also tells the size. */
static void submit_first(struct pl_get *g)
{
    struct pl_range range = g->want;
    uint64_t room = g->sink.kind == PL_BODY_MEM ? g->sink.user->len : UINT64_MAX;
    bool at_once = comes_at_once(g);
    if (range.kind == PL_RANGE_SUFFIX && range.length > g->part_size && !at_once) {
        submit_stat(g);
        return;
    }
    if (at_once) {
        g->part_size = UINT64_MAX; /* one part is all of it */
    } else if (range.kind != PL_RANGE_SUFFIX) {
        uint64_t most = range.kind == PL_RANGE_SPAN && range.length < g->part_size ? range.length
                                                                                   : g->part_size;
        most = room < most ? room : most;
        range.kind = PL_RANGE_SPAN;
        range.length =
            most ? most : 1; /* no room at all: an object that is not empty answers too_large */
    }
    submit_get(g, 0, &range, 0, room_for(g, &range));
}

static void start(struct pl_task *t)
{
    struct pl_get *g = of(t);
    const pail_range *r = &g->opts.range;
    g->part_size = pl_plan_range(&g->caps, g->opts.part_size);
    if (comes_at_once(g)) {
        g->part_size = UINT64_MAX; /* all comes with the first request, whatever was asked for */
    }
    g->window = pl_plan_window(&g->caps, g->opts.concurrency);
    g->whole = !r->offset && !r->length && !r->suffix;
    g->want = (struct pl_range){.kind = PL_RANGE_ALL};
    if (r->suffix) {
        g->want = (struct pl_range){.kind = PL_RANGE_SUFFIX, .length = r->suffix};
    } else if (!g->whole) {
        uint64_t most = UINT64_MAX - r->offset;
        g->want = (struct pl_range){PL_RANGE_SPAN, r->offset,
                                    r->length && r->length < most ? r->length : most};
    }
    submit_first(g);
}

enum { STREAM_BYTES = 32 << 20 }; /* of one stream's buffers: enough to keep a fast network busy */

/* How many parts may be asked for and not yet folded. */
static uint64_t ahead(const struct pl_get *g)
{
    uint64_t buffers = STREAM_BYTES / g->part_size;
    return !is_stream(g)              ? PL_GET_RING
           : buffers < 2              ? 2
           : buffers < PL_PLAN_WINDOW ? buffers
                                      : PL_PLAN_WINDOW;
}

/* Asks for what comes next, as far as the window and the buffers go. */
static void pump(struct pl_get *g)
{
    while (!g->task.failing && g->sized && g->task.in_flight < g->window &&
           g->next < g->folded + ahead(g)) {
        uint64_t at = g->next * g->part_size;
        if (at >= g->total) {
            return;
        }
        uint64_t n = g->total - at < g->part_size ? g->total - at : g->part_size;
        struct pl_range range = {PL_RANGE_SPAN, g->offset + at, n};
        if (!submit_get(g, g->next, &range, at, n)) {
            return;
        }
    }
}

/* ---- answers ---- */

/* The size is known: how much will come, and is there room for it? */
static void set_size(struct pl_get *g, uint64_t full, uint64_t offset)
{
    struct pail_error *e = NULL;
    uint64_t rest = full > offset ? full - offset : 0;
    g->offset = offset;
    g->total = g->want.kind != PL_RANGE_ALL && g->want.length < rest ? g->want.length : rest;
    g->sized = true;
    g->task.total = (int64_t)g->total;
    pail_code rc = pl_sink_expect(&g->sink, g->total, &e);
    if (rc) {
        pl_task_fail(&g->task, rc, e);
    }
}

static void take_info(struct pl_get *g, struct pl_task_op *o)
{
    o->op.out.info.key = g->key;
    g->task.info = pl_info_dup(&o->op.out.info);
    g->etag = pl_strdup(o->op.out.info.etag);
    if (!g->task.info || (o->op.out.info.etag && !g->etag)) {
        pl_task_fail(&g->task, PAIL_E_NO_MEMORY, NULL);
    }
}

static void stat_done(struct pl_get *g, struct pl_task_op *o)
{
    uint64_t full = o->op.out.info.size, n = g->want.length < full ? g->want.length : full;
    if (n == 0) {
        pl_task_fail(&g->task, PAIL_E_BAD_RANGE, NULL);
        return;
    }
    take_info(g, o);
    set_size(g, full, full - n);
}

static void fail_changed(struct pl_get *g, const char *what)
{
    struct pail_error *e = NULL;
    pl_fail(&e, PAIL_E_CHANGED, "\"%s\" was %s while it was read", g->key, what);
    pl_error_hint(&e, "try again");
    pl_error_context(e, "get", g->bucket, g->key);
    pl_task_fail(&g->task, PAIL_E_CHANGED, e);
}

/* A part is whole and of the version that the first request saw. */
static bool accept(struct pl_get *g, struct pl_task_op *o)
{
    uint64_t got = atomic_load(&o->body.done), at = o->index * g->part_size;
    uint64_t want = g->total - at;
    want = want > g->part_size ? g->part_size : want;
    if (o->index && g->etag && o->op.out.info.etag && strcmp(g->etag, o->op.out.info.etag) != 0) {
        fail_changed(g, "replaced");
        return false;
    }
    if (got != want) {
        struct pail_error *e = NULL;
        pl_fail(&e, PAIL_E_PROTOCOL, "%llu bytes came where %llu were asked for",
                (unsigned long long)got, (unsigned long long)want);
        pl_task_fail(&g->task, PAIL_E_PROTOCOL, e);
        return false;
    }
    return true;
}

/* The first of several parts of an object of whose ranges the service tells nothing that adds up;
 * without a checksum of the part none is wanted. */
static bool is_hashed(const struct pl_get *g, const struct pl_get_slot *first)
{
    return g->folded == 0 && g->whole && g->caps.no_whole_sum && first->len < g->total &&
           first->sum.algorithm != PL_SUM_NONE;
}

/* Takes finished parts in order: streams are handed on, checksums put together. */
static void fold(struct pl_get *g)
{
    struct pl_get_slot *slot;
    while (!g->task.failing && (slot = &g->ring[g->folded % PL_GET_RING])->done) {
        struct pail_error *e = NULL;
        if (is_hashed(g, slot)) {
            pl_whole_begin(&g->md5, g->task.info);
        }
        pl_whole_add(&g->md5, &g->sink, slot->buffer, g->delivered, slot->len);
        pail_code rc = slot->buffer ? pl_sink_push(&g->sink, slot->buffer, slot->len, &e) : PAIL_OK;
        rest_buffer(g, slot->buffer);
        pl_sum_append(&g->sum, g->folded == 0, slot->sum, slot->len);
        g->delivered += slot->len;
        g->task.moved = g->delivered;
        *slot = (struct pl_get_slot){0};
        g->folded++;
        if (rc) {
            pl_task_fail(&g->task, rc, e);
        }
    }
}

/* A service that tells no checksum with a range is asked for that of the whole object, once all of
 * its parts are here. What it does not tell is not verified. */
static bool asks_for_sum(struct pl_get *g)
{
    if (!g->whole || g->folded < 2 || g->sum.algorithm == PL_SUM_NONE || g->task.info->checksum ||
        g->asked_sum || g->caps.no_whole_sum) {
        return false;
    }
    g->asked_sum = true;
    submit_stat(g);
    return true;
}

static void sum_told(struct pl_get *g, struct pl_task_op *o)
{
    struct pail_error *e = NULL;
    pail_code rc = o->op.rc ? PAIL_OK : pl_sum_verify(&o->op.out.info, g->sum, &e);
    if (rc) {
        pl_error_context(e, "get", g->bucket, g->key);
        pl_task_fail(&g->task, rc, e);
    }
}

static void finish(struct pl_get *g)
{
    struct pail_error *e = NULL;
    if (asks_for_sum(g)) {
        return;
    }
    pail_code rc = g->whole ? pl_sum_verify(g->task.info, g->sum, &e) : PAIL_OK;
    rc = rc ? rc : pl_whole_check(&g->md5, g->task.info, &e);
    rc = rc ? rc : pl_sink_commit(&g->sink, g->delivered, g->opts.sync, &e);
    if (rc) {
        pl_error_context(e, "get", g->bucket, g->key);
        pl_task_fail(&g->task, rc, e);
        return;
    }
    pl_task_finish(&g->task);
}

static void get_failed(struct pl_get *g, struct pl_task_op *o)
{
    pail_code rc = o->op.rc;
    if (o->index == 0 && rc == PAIL_E_BAD_RANGE && g->whole && !g->retried && !g->task.failing) {
        /* SPEC RFC 9110#15.5.17: no range of an empty object can be satisfied. */
        struct pl_range all = {.kind = PL_RANGE_ALL};
        g->retried = true;
        rest_buffer(g, o->buffer);
        submit_get(g, 0, &all, 0, room_for(g, &all));
        return;
    }
    rest_buffer(g, o->buffer);
    if (o->index &&
        (rc == PAIL_E_PRECONDITION || rc == PAIL_E_NOT_FOUND || rc == PAIL_E_VERSION_NOT_FOUND)) {
        fail_changed(g, rc == PAIL_E_PRECONDITION ? "replaced" : "deleted");
        return;
    }
    pl_task_fail_op(&g->task, o);
}

static void get_done(struct pl_get *g, struct pl_task_op *o)
{
    if (o->index == 0 && !g->sized) {
        take_info(g, o);
        set_size(g, o->op.out.info.size, o->op.out.range_offset);
    }
    if (g->task.failing || !accept(g, o)) {
        rest_buffer(g, o->buffer);
        return;
    }
    if (o->body.kind == PL_BODY_GROW && o->body.ptr) {
        memcpy(g->sink.user->buf, o->body.ptr, (size_t)atomic_load(&o->body.done));
    }
    struct pl_get_slot *slot = &g->ring[o->index % PL_GET_RING];
    *slot = (struct pl_get_slot){true, o->op.out.sum, atomic_load(&o->body.done), o->buffer};
    fold(g);
}

static void op_done(struct pl_task *t, struct pl_task_op *o)
{
    struct pl_get *g = of(t);
    if (g->asked_sum && o->op.kind == PL_OP_STAT) {
        sum_told(g, o);
    } else if (o->op.rc) {
        get_failed(g, o);
    } else if (o->op.kind == PL_OP_STAT) {
        if (!t->failing) {
            stat_done(g, o);
        }
    } else {
        get_done(g, o);
    }
    pl_task_op_free(o);
    pump(g);
    if (!t->failing && g->sized && g->delivered == g->total && t->in_flight == 0) {
        finish(g);
    }
}

static void dispose(struct pl_task *t)
{
    struct pl_get *g = of(t);
    for (size_t i = 0; i < PL_GET_RING; i++) {
        pl_pool_give(t->pool, g->ring[i].buffer, g->part_size);
        g->ring[i].buffer = NULL;
    }
    for (size_t i = 0; i < g->spare_count; i++) {
        pl_pool_give(t->pool, g->spare[i], g->part_size);
    }
    g->spare_count = 0;
    pl_sink_close(&g->sink);
    pl_whole_dispose(&g->md5);
    pl_free(g->etag);
    g->etag = NULL;
}

static const struct pl_task_ops get_ops = {start, op_done, NULL, dispose};

void pl_get_init(struct pl_get *g)
{
    g->task.ops = &get_ops;
    g->task.total = -1;
    g->task.provider->ops->caps(g->task.provider, &g->caps);
}
