/* PutObject and UploadPart. A small body is stored when all of it is there and verified. A large
 * one goes through a relay to a thread that has the store's op, and the store sees the last byte
 * only when all is verified: what is wrong is never made visible. */
#include "gateway/gateway.h"

#include "transfer/put.h"

enum {
    SMALL = 512 << 10,
    STACK = 512 << 10,
    PART_NUMBER_MAX = 10000,
    PART_MAX = 64 << 20, /* of a part that is kept in memory */
    WAIT_S = 30
};
static const uint64_t put_max = (uint64_t)5 << 30; /* SPEC S3 "Quotas": in one PUT */

static bool is_part(const struct pl_gw_call *c)
{
    return c->route->run == pl_gw_put_part;
}

/* Sets what both forms have; of a thread's own too, so it sets no error. NULL: no memory. */
static struct pl_op *make_op(struct pl_gw_call *c, struct pl_simple *s, struct pl_body *source)
{
    bool part = is_part(c);
    struct pl_op *op = pl_gw_op_apart(c, s, part ? PL_OP_MP_PART : PL_OP_PUT, c->bucket, c->key);
    if (!op) {
        return NULL;
    }
    op->in.put.source = source;
    op->in.put.etag = c->g->caps.keeps_etag && c->body.has_md5 ? c->body.md5_hex : NULL;
    op->in.put.checksum = c->g->caps.keeps_sums && c->body.has_sum ? c->body.sum_text : NULL;
    if (part) {
        bool bad;
        op->in.put.upload_id = pl_gw_upload_id(c);
        op->in.put.number = pl_gw_number(c, "partNumber", 0, &bad);
    } else {
        op->attr = &c->attr;
        op->cond = c->cond;
    }
    return op;
}

/* What the reply needs; it outlives the op. */
static void keep_result(struct pl_gw_call *c, const struct pl_op *op)
{
    const char *etag = is_part(c) ? op->out.etag : op->out.info.etag;
    c->worker.etag = pl_strdup(etag ? etag : "");
    c->worker.rc = c->worker.etag ? PAIL_OK : PAIL_E_NO_MEMORY;
}

/* ---- a thread's own op: the reply is the connection's, so that only c->worker is written ---- */

static void run_pulled(struct pl_gw_call *c)
{
    struct pl_simple s;
    struct pl_body source = {.kind = PL_BODY_PULL,
                             .len = c->body.length,
                             .pull = pl_gw_relay_take,
                             .lend = pl_gw_relay_lend,
                             .pull_ctx = c->body.relay};
    struct pl_op *op = make_op(c, &s, &source);
    if (!op) {
        c->worker.rc = PAIL_E_NO_MEMORY;
        return;
    }
    c->worker.rc = pl_gw_run(&s);
    if (c->worker.rc == PAIL_OK) {
        keep_result(c, op);
    }
    op->in.put.source = NULL;
    (void)pl_task_result(&s.task, NULL, &c->worker.error);
}

/* The stream of a store that wants to read its sources again: parts are buffered. */
struct stream {
    struct pl_gw_relay *relay;
    uint64_t left;
};

static int64_t give(void *buf, size_t n, void *ctx)
{
    struct stream *s = ctx;
    size_t take = n < s->left ? n : (size_t)s->left;
    if (take && !pl_gw_relay_take(s->relay, buf, take)) {
        return -1;
    }
    s->left -= take;
    return (int64_t)take;
}

static void run_streamed(struct pl_gw_call *c)
{
    struct stream stream = {c->body.relay, c->body.length};
    pail_body user = {
        .kind = PAIL_BODY_FN, .fn = give, .ctx = &stream, .expected_size = c->body.length};
    struct pl_put *p = pl_calloc(1, sizeof *p);
    pail_info *info = NULL;
    c->worker.rc = p ? pl_source_open(&p->source, &user, &c->worker.error) : PAIL_E_NO_MEMORY;
    if (c->worker.rc == PAIL_OK) {
        p->task.provider = c->g->provider;
        p->task.pool = c->g->pool;
        p->bucket = c->bucket;
        p->key = c->key;
        p->opts = (pail_put_opts){.size = sizeof p->opts, .attr = c->attr, .cond = c->cond};
        pl_put_init(p);
        (void)pl_task_run(&p->task);
        c->worker.rc = pl_task_result(&p->task, &info, &c->worker.error);
    }
    if (info) {
        c->worker.etag = pl_strdup(info->etag ? info->etag : "");
    }
    pail_info_free(info);
    pl_free(p);
}

static void *work(void *arg)
{
    struct pl_gw_call *c = arg;
    if (c->g->caps.takes_pull) {
        run_pulled(c);
    } else {
        run_streamed(c);
    }
    pl_gw_relay_stop(c->body.relay);
    return NULL;
}

static void start_worker(struct pl_gw_call *c)
{
    pthread_attr_t attr;
    c->body.relay = pl_gw_relay_new(c->g->pool, &c->g->large_blocks, c->body.length);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    c->worker.runs = c->body.relay && pthread_create(&c->worker.thread, &attr, work, c) == 0;
    pthread_attr_destroy(&attr);
    if (!c->worker.runs) {
        pl_gw_fail(c, "SlowDown", NULL);
    }
}

void pl_gw_worker_join(struct pl_gw_call *c)
{
    if (c->worker.runs) {
        pl_gw_relay_end(c->body.relay, false); /* does nothing to a verified one */
        pthread_join(c->worker.thread, NULL);
        c->worker.runs = false;
    }
}

/* ---- begin ---- */

/* A store that reads its sources again gets a part from memory, which counts with all other. Who
 * finds none free waits with its bytes unread. */
static void take_room(struct pl_gw_call *c, uint64_t n)
{
    if (n > PART_MAX || n > c->g->pool->limit) {
        pl_gw_fail(c, "EntityTooLarge",
                   n > PART_MAX ? "a part for this store has at most 64 MiB"
                                : "a part is larger than the setting memory_limit");
        return;
    }
    c->body.part =
        pl_pool_take(c->g->pool, (size_t)n, c->begun_ns + (int64_t)WAIT_S * 1000000000, NULL);
    if (!c->body.part) {
        pl_gw_fail(c, "SlowDown", NULL);
    }
}

static void begin(struct pl_gw_call *c)
{
    uint64_t n = c->body.length;
    bool known = n != UINT64_MAX;
    if (known && n > put_max) {
        pl_gw_fail(c, "EntityTooLarge", "a PUT takes 5 GiB at most; use a multipart upload");
        return;
    }
    if (!known || n <= SMALL || !pl_gw_check_names(c, c->bucket, c->key)) {
        return;
    }
    if (c->g->caps.takes_pull || !is_part(c)) {
        start_worker(c);
    } else {
        take_room(c, n);
    }
}

void pl_gw_put_object(struct pl_gw_call *c)
{
    pl_gw_take_conditions(c, "", &c->cond);
    if (pl_gw_take_attributes(c, &c->attr)) {
        begin(c);
    }
}

void pl_gw_put_part(struct pl_gw_call *c)
{
    bool bad;
    uint32_t number = pl_gw_number(c, "partNumber", 0, &bad);
    if (bad || number < 1 || number > PART_NUMBER_MAX) {
        pl_gw_fail(c, "InvalidArgument", "Part number must be an integer between 1 and 10000");
        return;
    }
    if (pl_gw_sum_suits_upload(c)) {
        begin(c);
    }
}

/* ---- end ---- */

void pl_gw_put_small(struct pl_gw_call *c)
{
    struct pl_simple s;
    static char nothing;
    struct pl_body source = {.kind = PL_BODY_MEM,
                             .ptr = c->body.small.ptr ? c->body.small.ptr : &nothing,
                             .len = c->body.small.len};
    if (c->body.part) {
        source.ptr = c->body.part;
        source.len = c->body.length;
    }
    if (!pl_gw_check_names(c, c->bucket, c->key)) {
        return;
    }
    struct pl_op *op = make_op(c, &s, &source);
    if (!op) {
        pl_gw_fail(c, "SlowDown", NULL);
        return;
    }
    if (pl_gw_run(&s) == PAIL_OK) {
        keep_result(c, op);
    }
    op->in.put.source = NULL;
    struct pail_error *e = NULL;
    pail_code rc = pl_task_result(&s.task, NULL, &e);
    if (rc) {
        pl_gw_fail_write(c, rc, e);
    }
    pail_error_free(e);
}

static void reply(struct pl_gw_call *c)
{
    const struct pl_gw_body *b = &c->body;
    pl_gw_etag_header(c, c->worker.etag);
    if (b->has_sum && pl_gw_sum_header(c, b->sum_text) && !is_part(c)) {
        pl_gw_header_text(c, "x-amz-checksum-type", "FULL_OBJECT");
    }
    pl_gw_reply(c, 200);
}

void pl_gw_put_finish(struct pl_gw_call *c)
{
    if (c->worker.runs) {
        pl_gw_worker_join(c);
        if (!c->error && c->worker.rc) {
            pl_gw_fail_write(c, c->worker.rc, c->worker.error);
        }
    } else if (!c->error) {
        pl_gw_put_small(c);
    }
    if (!c->error) {
        reply(c);
    }
}
