#include "plain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/sys.h"

/* ---- The dialect */

static const char *method_of(enum pl_op_kind kind)
{
    switch ((int)kind) {
    case PL_OP_GET: return "GET";
    case PL_OP_STAT: return "HEAD";
    case PL_OP_PUT: return "PUT";
    case PL_OP_MP_FINISH: return "POST";
    default: return "DELETE";
    }
}

static void add_range(struct pl_http_request *r, const struct pl_range *range)
{
    struct pl_buf text = PL_BUF_MAX(100);
    if (range->kind == PL_RANGE_SPAN) {
        pl_buf_printf(&text, "bytes=%" PRIu64 "-%" PRIu64, range->offset,
                      range->offset + range->length - 1);
    } else if (range->kind == PL_RANGE_SUFFIX) {
        pl_buf_printf(&text, "bytes=-%" PRIu64, range->length);
    }
    if (text.len) {
        pl_http_add(r, "Range", pl_buf_view(&text));
    }
    pl_buf_dispose(&text);
}

static pail_code build(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                       struct pl_http_request *r, struct pail_error **err)
{
    struct plain *p = (struct plain *)d;
    struct pl_buf text = PL_BUF_MAX(1000);
    if (op->kind == PL_OP_COPY) {
        return pl_fail(err, PAIL_E_UNSUPPORTED, "plain servers copy nothing");
    }
    if (op->kind == PL_OP_DELETE && p->exchanges == 0) {
        return PAIL_OK;
    }
    r->method = method_of(op->kind);
    r->origin = (struct pl_origin){false, "127.0.0.1", p->port};
    pl_buf_printf(&text, "/%s/%s", op->bucket, op->key);
    r->target = pl_arena_dup(&r->arena, pl_buf_view(&text));
    pl_http_add_c(r, "Authorization", "SECRET");
    pl_buf_clear(&text);
    pl_buf_printf(&text, "%" PRId64, a->now_ms);
    pl_http_add(r, "x-now", pl_buf_view(&text));
    pl_buf_dispose(&text);
    if (op->kind == PL_OP_GET) {
        add_range(r, &a->range);
    }
    const char *match = op->kind == PL_OP_GET ? a->if_match : op->cond.if_match;
    if (match) {
        pl_http_add_c(r, "If-Match", match);
    }
    if (op->cond.if_none_match) {
        pl_http_add_c(r, "If-None-Match", op->cond.if_none_match);
    }
    for (size_t i = 0; i < op->header_count; i++) {
        pl_http_add_c(r, op->headers[i].name, op->headers[i].value);
    }
    r->body = op->kind == PL_OP_PUT ? op->in.put.source : NULL;
    return PAIL_OK;
}

static void head(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                 const struct pl_http_response *r)
{
    (void)op, (void)r;
    a->sum = ((struct plain *)d)->sum;
}

static struct pl_verdict verdict(const struct pl_op *op, const struct pl_http_response *r)
{
    struct pl_str body = pl_buf_view(&r->body);
    switch (r->status) {
    case 400:
        return pl_str_is(body, "RequestTimeout")
                   ? (struct pl_verdict){.next = PL_NEXT_RETRY, .code = PAIL_E_TIMEOUT}
                   : (struct pl_verdict){.next = PL_NEXT_FAIL, .code = PAIL_E_BAD_ARGUMENT};
    case 401:
        return (struct pl_verdict){.next = PL_NEXT_CREDENTIALS, .code = PAIL_E_EXPIRED_CREDENTIALS};
    case 403: return (struct pl_verdict){.next = PL_NEXT_CLOCK, .code = PAIL_E_CLOCK_SKEW};
    case 404:
        return (struct pl_verdict){.next = PL_NEXT_FAIL,
                                   .code = op->kind == PL_OP_MP_ABORT ? PAIL_E_UPLOAD_NOT_FOUND
                                                                      : PAIL_E_NOT_FOUND};
    case 409:
        return (struct pl_verdict){
            .next = PL_NEXT_LEARNED, .learned = PL_LEARNED_STYLE, .code = PAIL_E_CONFLICT};
    case 412:
        return (struct pl_verdict){.next = PL_NEXT_FAIL,
                                   .code = op->cond.if_none_match ? PAIL_E_EXISTS
                                                                  : PAIL_E_PRECONDITION};
    case 429:
    case 503: return (struct pl_verdict){.next = PL_NEXT_THROTTLED, .code = PAIL_E_THROTTLED};
    default:
        return (struct pl_verdict){.next = r->status / 100 == 5 ? PL_NEXT_RETRY : PL_NEXT_FAIL,
                                   .code = r->status / 100 == 5 ? PAIL_E_UNAVAILABLE
                                                                : PAIL_E_WRONG_REGION};
    }
}

static void parse(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                  const struct pl_http_response *r, struct pl_verdict *out, struct pail_error **err)
{
    struct plain *p = (struct plain *)d;
    (void)a;
    if (op->kind == PL_OP_DELETE && r->status == 200 && p->exchanges > 1) {
        p->exchanges--;
        *out = (struct pl_verdict){.next = PL_NEXT_MORE, .wait_ms = 250};
        return;
    }
    bool error_inside = op->kind == PL_OP_MP_FINISH && r->body.len &&
                        pl_str_starts(pl_buf_view(&r->body), PL_STR("<Error>"));
    if (r->status / 100 == 2 && !error_inside) {
        struct pl_str etag = pl_http_header(r, "etag");
        op->out.info.etag = etag.ptr ? pl_arena_dup(&op->arena, etag) : NULL;
        op->out.info.size = r->content_length;
        out->next = PL_NEXT_DONE;
        return;
    }
    *out = verdict(op, r);
    if (error_inside) {
        *out = (struct pl_verdict){.next = PL_NEXT_RETRY, .code = PAIL_E_UNAVAILABLE};
    }
    pl_fail(err, out->code, "status %d", r->status);
    (*err)->http_status = r->status;
    struct pl_str id = pl_http_header(r, "x-request-id");
    pl_error_set(&(*err)->request_id, id.ptr ? id : PL_STR(""));
}

static pail_code presign(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                         struct pail_error **err)
{
    (void)d, (void)a, (void)err;
    op->out.presigned.url = "http://signed.invalid/";
    return PAIL_OK;
}

static bool is_own_write(struct pl_dialect *d, const struct pl_op *op, const struct pl_attempt *a,
                         const pail_info *found)
{
    (void)d, (void)op, (void)a;
    return found->etag && strcmp(found->etag, "own") == 0;
}

static pail_code refresh(struct pl_dialect *d, struct pail_error **err)
{
    struct plain *p = (struct plain *)d;
    p->refreshes++;
    return p->can_refresh ? PAIL_OK : pl_fail(err, PAIL_E_NO_CREDENTIALS, "none");
}

/* ---- Its errand */

struct plain_errand {
    struct pl_errand base; /* first */
    struct plain *d;
    bool worked;
    uint64_t what;
};

static enum pl_errand_step errand_next(struct pl_errand *base, int64_t now_ms,
                                       const struct pl_http_response *answer,
                                       struct pl_http_request *out, struct pail_error **err)
{
    struct plain_errand *e = (struct plain_errand *)base;
    (void)now_ms;
    if (answer) {
        if (answer->fail || answer->status != 200) {
            pl_fail(err, PAIL_E_NO_CREDENTIALS, "no token: %s, status %d", answer->why,
                    answer->status);
            return PL_ERRAND_FAIL;
        }
        e->d->token = !e->d->never_there && !e->d->each;
        e->d->tokens[e->what % 128] = 1;
        return PL_ERRAND_DONE;
    }
    if (e->d->work_first && !e->worked) {
        return PL_ERRAND_WORK;
    }
    out->method = "GET";
    out->origin = (struct pl_origin){false, "127.0.0.1", e->d->port};
    out->target = "/token";
    return PL_ERRAND_SEND;
}

static void errand_work(struct pl_errand *base)
{
    struct plain_errand *e = (struct plain_errand *)base;
    e->worked = true;
    e->d->works++;
}

static void errand_free(struct pl_errand *base)
{
    pl_free(base);
}

static void need(struct pl_dialect *d, const struct pl_op *op, int64_t now_ms, struct pl_need *out)
{
    struct plain *p = (struct plain *)d;
    uint64_t what = p->each ? (unsigned char)*op->key : 1;
    (void)now_ms;
    if (p->need != PLAIN_NO_NEED && !p->token && !(p->each && p->tokens[what % 128])) {
        *out = (struct pl_need){.what = what, .now = p->need == PLAIN_NEED_NOW};
    }
}

static struct pl_errand *errand(struct pl_dialect *d, const struct pl_op *op, uint64_t what,
                                struct pail_error **err)
{
    struct plain_errand *e = pl_calloc(1, sizeof *e);
    (void)op, (void)err;
    e->what = what;
    e->base = (struct pl_errand){errand_next, errand_work, errand_free, 0, 0};
    e->d = (struct plain *)d;
    e->d->errands++;
    return &e->base;
}

static void caps(struct pl_dialect *d, struct pl_caps *out)
{
    (void)d;
    memset(out, 0, sizeof *out);
}

static void plain_free(struct pl_dialect *d)
{
    pl_free(d);
}

static const struct pl_dialect_ops ops = {.scheme = "plain",
                                          .request_id_header = "x-request-id",
                                          .caps = caps,
                                          .build = build,
                                          .head = head,
                                          .parse = parse,
                                          .presign = presign,
                                          .is_own_write = is_own_write,
                                          .need = need,
                                          .errand = errand,
                                          .refresh = refresh,
                                          .free = plain_free};

/* ---- The client */

static void take_event(const pail_event *e, void *ctx)
{
    struct plain_client *c = ctx;
    if (c->events < PLAIN_EVENTS) {
        c->event_status[c->events] = e->http_status;
        c->event_code[c->events] = e->code;
    }
    c->events++;
}

static void take_line(pail_level level, const char *text, void *ctx)
{
    (void)level;
    struct plain_client *c = ctx;
    pl_buf_puts(&c->logged, text);
    pl_buf_putc(&c->logged, '\n');
}

void plain_open_as(struct plain_client *c, plain_make make, void *ctx)
{
    memset(c, 0, sizeof *c);
    c->logged.max = 1 << 20;
    pl_log_init(&c->log, take_line, c, PAIL_LOG_TRACE, true);
    struct pl_provider_env env = {.settings = &c->settings,
                                  .log = &c->log,
                                  .event = take_event,
                                  .event_ctx = c,
                                  .ignore_environment = true};
    if (make(c, &env, ctx)) {
        exit(1);
    }
}

static pail_code make_plain(struct plain_client *c, const struct pl_provider_env *env, void *ctx)
{
    c->d = pl_calloc(1, sizeof *c->d);
    c->d->dialect.ops = &ops;
    c->d->port = *(uint16_t *)ctx;
    c->d->exchanges = -1;
    return pl_http_provider_new(env, &c->d->dialect, &c->p, NULL);
}

void plain_open(struct plain_client *c, uint16_t port)
{
    plain_open_as(c, make_plain, &port);
}

void plain_close(struct plain_client *c)
{
    c->p->ops->free(c->p);
    pl_log_dispose(&c->log);
    pl_settings_dispose(&c->settings);
    pl_buf_dispose(&c->logged);
}

static void call_done(struct pl_op *op)
{
    struct plain_call *call = op->ctx;
    call->times++;
    sem_post(&call->done);
}

void plain_call_init(struct plain_call *call, enum pl_op_kind kind)
{
    memset(call, 0, sizeof *call);
    sem_init(&call->done, 0, 0);
    call->op = (struct pl_op){.kind = kind, .bucket = "b", .key = "k"};
    call->op.done = call_done;
    call->op.ctx = call;
}

void plain_wait(struct plain_call *call)
{
    while (sem_wait(&call->done) && errno == EINTR) {
    }
}

pail_code plain_run(struct plain_client *c, struct plain_call *call)
{
    c->p->ops->submit(c->p, &call->op);
    plain_wait(call);
    return call->op.rc;
}

void plain_call_free(struct plain_call *call)
{
    pl_op_dispose(&call->op);
    sem_destroy(&call->done);
}

/* ---- The clock */

static struct pl_sys real;
static atomic_int_fast64_t waited_ms;

static int64_t still_mono_ns(void)
{
    return 1000000000 + (int64_t)waited_ms * 1000000;
}

static int64_t skip_ms(int64_t ms)
{
    waited_ms += ms;
    return 0;
}

static bool no_jitter(void *buf, size_t n)
{
    memset(buf, 0, n);
    return true;
}

void plain_clock_start(void)
{
    real = pl_sys;
    waited_ms = 0;
    pl_sys.mono_ns = still_mono_ns;
    pl_sys.wait_ms = skip_ms;
    pl_sys.random = no_jitter;
}

void plain_clock_stop(void)
{
    pl_sys = real;
}

int64_t plain_waited_ms(void)
{
    return waited_ms;
}
