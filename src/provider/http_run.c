/* The life of one operation: build, send, judge the answer; then done, or once more. */
#include "base/sys.h"
#include "provider/http_run.h"

static void attempt(struct pl_http_run *run);

static struct pl_op *current_op(struct pl_http_run *run)
{
    return run->checking ? &run->check : run->op;
}

static struct pl_attempt *current_attempt(struct pl_http_run *run)
{
    return run->checking ? &run->check_attempt : &run->a;
}

/* ---- The end */

static void give_back(struct pl_http_provider *p, int tokens)
{
    pthread_mutex_lock(&p->lock);
    p->budget += tokens;
    p->budget = p->budget < PL_RETRY_BUDGET ? p->budget : PL_RETRY_BUDGET;
    pthread_mutex_unlock(&p->lock);
}

/* The op may be gone after this, and the provider as well. */
static void finish(struct pl_http_run *run, pail_code rc, struct pail_error *err)
{
    struct pl_http_provider *p = run->p;
    struct pl_op *op = run->op;
    rc = run->a.is_settled ? PAIL_OK : rc;
    if (rc && !err) {
        pl_fail(&err, rc, "%s", pail_code_name(rc));
    }
    /* With no memory for its words, every finding - a request cut short, an answer that does not
     * parse - is doubtful; what is sure is that memory is out. */
    rc = rc && err->is_static ? PAIL_E_NO_MEMORY : rc;
    if (rc) {
        pl_http_report_context(run, err);
        op->error = err;
    } else {
        pail_error_free(err);
    }
    pthread_mutex_lock(&p->lock);
    *(run->prev ? &run->prev->next : &p->runs) = run->next;
    if (run->next) {
        run->next->prev = run->prev;
    }
    op->provider_ctx = NULL;
    pthread_mutex_unlock(&p->lock);
    pl_http_request_dispose(&run->x.request);
    pl_http_response_dispose(&run->x.response);
    pl_digest_dispose(&run->digest);
    pl_op_dispose(&run->check);
    pail_error_free(run->error);
    pail_error_free(run->errand_error);
    pl_free(run);
    pl_op_complete(op, rc);
}

/* ---- Once more */

static bool is_cancelled(struct pl_http_run *run)
{
    pthread_mutex_lock(&run->p->lock);
    bool cancelled = run->cancelled;
    pthread_mutex_unlock(&run->p->lock);
    return cancelled;
}

static void wake(struct pl_http_timer *t)
{
    attempt(t->ctx);
}

/* Whether another attempt may be paid for. */
static bool pay(struct pl_http_run *run)
{
    struct pl_http_provider *p = run->p;
    pthread_mutex_lock(&p->lock);
    bool can = p->budget >= PL_RETRY_COST;
    p->budget -= can ? PL_RETRY_COST : 0;
    pthread_mutex_unlock(&p->lock);
    run->paid += can ? PL_RETRY_COST : 0;
    return can;
}

/* Waits and tries again, or ends with rc. Takes err. */
static void back_off(struct pl_http_run *run, bool throttled, int64_t wish_ms, pail_code rc,
                     struct pail_error *err)
{
    struct pl_http_provider *p = run->p;
    uint32_t random = 0;
    run->failures++;
    if (run->failures >= p->max_attempts || !pay(run) || is_cancelled(run)) {
        finish(run, rc, err);
        return;
    }
    (void)pl_sys.random(&random, sizeof random);
    int64_t wait_ms = pl_retry_delay_ms(throttled, run->failures, random);
    wish_ms = wish_ms < PL_RETRY_WISH_MS ? wish_ms : PL_RETRY_WISH_MS;
    wait_ms = wait_ms > wish_ms ? wait_ms : wish_ms;
    int64_t at_ns = pl_sys.mono_ns() + wait_ms * 1000000;
    if (run->op->deadline_ns && at_ns >= run->op->deadline_ns) {
        pl_error_hint(&err, "the deadline leaves no time for another attempt");
        finish(run, rc, err);
        return;
    }
    pl_http_report_retry(run, err, wait_ms);
    pail_error_free(err);
    run->timer.at_ns = at_ns;
    run->timer.fire = wake;
    run->timer.ctx = run;
    (void)pl_http_timer_start(p->engine, &run->timer); /* on the reactor: it cannot fail */
}

static void at_once(struct pl_http_run *run, struct pail_error *err)
{
    pl_http_report_retry(run, err, 0);
    pail_error_free(err);
    attempt(run);
}

/* The op's next exchange, after a wait that costs no attempt. */
static void next_exchange(struct pl_http_run *run, int64_t wait_ms, struct pail_error *err)
{
    pail_error_free(err);
    run->failures = 0;
    run->learned = 0;
    if (wait_ms <= 0) {
        attempt(run);
        return;
    }
    run->timer.at_ns = pl_sys.mono_ns() + wait_ms * 1000000;
    if (run->op->deadline_ns && run->timer.at_ns >= run->op->deadline_ns) {
        struct pail_error *late = NULL;
        pail_code rc =
            pl_fail(&late, PAIL_E_TIMEOUT, "the deadline passed before the service was done");
        finish(run, rc, late);
        return;
    }
    run->timer.fire = wake;
    run->timer.ctx = run;
    (void)pl_http_timer_start(run->p->engine, &run->timer);
}

/* ---- Did an own earlier attempt win? */

/* The answer says that the write cannot be done - perhaps because it was done already, by an
 * attempt whose answer was lost. */
static bool may_be_own(const struct pl_http_run *run, pail_code rc)
{
    if (!run->ambiguous) {
        return false;
    }
    switch ((int)run->op->kind) {
    case PL_OP_PUT:
    case PL_OP_COPY: return rc == PAIL_E_EXISTS || rc == PAIL_E_PRECONDITION;
    case PL_OP_MP_FINISH:
        return rc == PAIL_E_EXISTS || rc == PAIL_E_PRECONDITION || rc == PAIL_E_UPLOAD_NOT_FOUND;
    default: return false;
    }
}

/* What was to go is gone, and an attempt of ours may have done it. */
static bool is_own_removal(const struct pl_http_run *run, pail_code rc)
{
    return run->ambiguous &&
           ((run->op->kind == PL_OP_MP_ABORT && rc == PAIL_E_UPLOAD_NOT_FOUND) ||
            (run->op->kind == PL_OP_BUCKET_DELETE && rc == PAIL_E_BUCKET_NOT_FOUND));
}

static void start_check(struct pl_http_run *run, pail_code rc, struct pail_error *err)
{
    run->checking = true;
    run->rc = rc;
    run->error = err;
    run->check = (struct pl_op){.kind = PL_OP_STAT,
                                .bucket = run->op->bucket,
                                .key = run->op->key,
                                .headers = run->op->headers,
                                .header_count = run->op->header_count,
                                .request_payer = run->op->request_payer,
                                .encryption = run->op->encryption,
                                .deadline_ns = run->op->deadline_ns};
    run->check_attempt = (struct pl_attempt){0};
    attempt(run);
}

/* The check's answer, or none: without evidence the first verdict stands. */
static void end_check(struct pl_http_run *run, bool answered)
{
    struct pl_dialect *d = run->p->dialect;
    const pail_info *found = &run->check.out.info;
    struct pail_error *err = run->error;
    run->error = NULL;
    if (answered && d->ops->is_own_write && d->ops->is_own_write(d, run->op, &run->a, found)) {
        pl_info_copy(&run->op->arena, &run->op->out.info, found);
        pail_error_free(err);
        finish(run, PAIL_OK, NULL);
        return;
    }
    finish(run, run->rc, err);
}

/* ---- The answer */

/* SPEC research of clients: the Date of an answer from a cache (Age), or of a slow exchange, says
 * nothing of the clock. True: there is a new offset to try. */
static bool set_clock(struct pl_http_run *run)
{
    enum { SLOW_US = 900 * 1000000, WORTHWHILE_MS = 30000 };
    const struct pl_http_response *r = &run->x.response;
    int64_t date = pl_http_header_date(r, "date");
    if (run->clock_set || date < 0 || pl_http_header(r, "age").ptr ||
        r->timing.total_us > SLOW_US) {
        return false;
    }
    struct pl_http_provider *p = run->p;
    int64_t offset = date - r->done_wall_ms;
    pthread_mutex_lock(&p->lock);
    int64_t used = run->a.now_ms - r->done_wall_ms;
    p->clock_offset_ms = offset;
    pthread_mutex_unlock(&p->lock);
    run->clock_set = true;
    return offset - used > WORTHWHILE_MS || used - offset > WORTHWHILE_MS;
}

static bool refresh(struct pl_http_run *run)
{
    struct pl_dialect *d = run->p->dialect;
    bool again = !run->refreshed && d->ops->refresh && d->ops->refresh(d, NULL) == PAIL_OK;
    run->refreshed = true;
    return again;
}

static void end_with(struct pl_http_run *run, pail_code rc, struct pail_error *err)
{
    if (is_own_removal(run, rc)) {
        finish(run, PAIL_OK, err);
    } else if (may_be_own(run, rc)) {
        start_check(run, rc, err);
    } else {
        finish(run, rc, err);
    }
}

static void obey(struct pl_http_run *run, const struct pl_verdict *v, struct pail_error *err)
{
    const struct pl_http_response *r = &run->x.response;
    int64_t wish = pl_retry_after_ms(r, r->done_wall_ms);
    wish = v->wait_ms > wish ? v->wait_ms : wish;
    bool delivered = run->begun && r->status / 100 == 2; /* each byte goes to the sink once */
    switch (delivered && v->next != PL_NEXT_DONE ? PL_NEXT_FAIL : v->next) {
    case PL_NEXT_DONE:
        give_back(run->p, run->paid ? run->paid : 1);
        finish(run, PAIL_OK, err);
        return;
    case PL_NEXT_RETRY:
    case PL_NEXT_THROTTLED: back_off(run, v->next == PL_NEXT_THROTTLED, wish, v->code, err); return;
    case PL_NEXT_LEARNED:
        if (v->learned && !(run->learned & v->learned)) {
            run->learned |= v->learned;
            at_once(run, err);
            return;
        }
        break;
    case PL_NEXT_CREDENTIALS:
        if (refresh(run)) {
            at_once(run, err);
            return;
        }
        break;
    case PL_NEXT_CLOCK:
        if (set_clock(run)) {
            at_once(run, err);
            return;
        }
        break;
    case PL_NEXT_MORE: next_exchange(run, v->wait_ms, err); return;
    case PL_NEXT_FAIL: break;
    }
    end_with(run, v->code, err);
}

/* A server error after which a write may be there all the same. */
static void note_outcome(struct pl_http_run *run, const struct pl_verdict *v)
{
    int status = run->x.response.status;
    bool refused = status / 100 == 4 || status / 100 == 3 || v->never_applied;
    bool done = v->next == PL_NEXT_DONE || v->next == PL_NEXT_MORE;
    if (pl_op_writes(run->op->kind) && !done && !refused) {
        run->ambiguous = true;
    }
}

/* What was begun is not there any more: the tail that was asked for belongs to another version. */
static bool lost_pin(const struct pl_http_run *run, pail_code code)
{
    return run->begun && !run->checking && run->x.response.status / 100 != 2 &&
           (code == PAIL_E_PRECONDITION || code == PAIL_E_NOT_FOUND || code == PAIL_E_BAD_RANGE);
}

static void judge(struct pl_http_run *run)
{
    struct pl_dialect *d = run->p->dialect;
    struct pl_verdict v = {.next = PL_NEXT_FAIL, .code = PAIL_E_INTERNAL};
    struct pail_error *err = NULL;
    pail_code rc = pl_http_get_finish(run, &err);
    if (rc) {
        v.code = rc;
    } else {
        d->ops->parse(d, current_op(run), current_attempt(run), &run->x.response, &v, &err);
    }
    if (v.next == PL_NEXT_FAIL && lost_pin(run, v.code)) {
        pail_error_free(err);
        err = NULL;
        v.code = pl_fail(&err, PAIL_E_CHANGED, "the object changed while it was read");
        pl_error_hint(&err, "read it again from the start");
    }
    bool fine = v.next == PL_NEXT_DONE || v.next == PL_NEXT_MORE;
    pl_http_report_attempt(run, fine ? PAIL_OK : v.code, err);
    if (run->checking) {
        pail_error_free(err);
        end_check(run, v.next == PL_NEXT_DONE);
        return;
    }
    note_outcome(run, &v);
    obey(run, &v, err);
}

/* Nothing that another attempt would change. */
static bool is_final(enum pl_http_fail fail)
{
    switch (fail) {
    case PL_HTTP_DNS:
    case PL_HTTP_CONNECT:
    case PL_HTTP_PROXY:
    case PL_HTTP_STALE:
    case PL_HTTP_BROKEN:
    case PL_HTTP_IDLE: return false;
    case PL_HTTP_OK:
    case PL_HTTP_BAD_REQUEST:
    case PL_HTTP_NO_MEMORY:
    case PL_HTTP_CANCELLED:
    case PL_HTTP_DEADLINE:
    case PL_HTTP_TLS:
    case PL_HTTP_GARBAGE:
    case PL_HTTP_TOO_LARGE:
    case PL_HTTP_SOURCE:
    case PL_HTTP_SINK:
    case PL_HTTP_REFUSED: return true;
    }
    return true;
}

static void fall(struct pl_http_run *run)
{
    struct pl_http_response *r = &run->x.response;
    struct pail_error *err = run->error && r->fail == PL_HTTP_REFUSED ? run->error : NULL;
    if (err) {
        run->error = NULL; /* of http_get_head, which knows more */
    }
    pail_code rc = err ? err->code : pl_http_report_failure(run, &err);
    pl_http_report_attempt(run, rc, err);
    if (run->checking) {
        pail_error_free(err);
        end_check(run, false);
        return;
    }
    run->ambiguous |= r->sends > 0 && pl_op_writes(run->op->kind);
    if (is_final(r->fail) || (run->begun && !pl_http_get_resume(run))) {
        finish(run, rc, err);
    } else if (r->fail == PL_HTTP_STALE && !run->freed_stale) {
        run->freed_stale = true;
        at_once(run, err);
    } else {
        back_off(run, false, 0, rc, err);
    }
}

static void answered(struct pl_http_exchange *x)
{
    struct pl_http_run *run = x->ctx;
    run->sent++;
    if (x->response.sends > 1 && pl_op_writes(run->op->kind)) {
        run->ambiguous = true; /* it went out twice */
    }
    if (x->response.fail) {
        fall(run);
    } else {
        judge(run);
    }
}

static bool head_arrived(struct pl_http_exchange *x)
{
    struct pl_http_run *run = x->ctx;
    /* A dialect without ranges of the last bytes asks for the size first. */
    bool only_head = strcmp(x->request.method, "HEAD") == 0;
    return run->checking || run->op->kind != PL_OP_GET || only_head || pl_http_get_head(run);
}

/* ---- The beginning */

static void send(struct pl_http_run *run)
{
    struct pl_http_provider *p = run->p;
    run->x.ctx = run;
    run->x.deadline_ns = run->op->deadline_ns;
    run->x.idle_timeout_ms = p->idle_timeout_ms;
    run->x.on_head = head_arrived;
    run->x.done = answered;
    pl_http_submit(p->engine, &run->x);
}

static void build(struct pl_http_run *run)
{
    struct pl_dialect *d = run->p->dialect;
    struct pail_error *err = NULL;
    struct pl_http_request *request = &run->x.request;
    pl_http_request_dispose(request);
    pail_code rc = d->ops->build(d, current_op(run), current_attempt(run), request, &err);
    if (rc && run->checking) {
        pail_error_free(err);
        end_check(run, false);
    } else if (rc || (!request->method && !run->checking)) {
        finish(run, rc, err);
    } else {
        send(run);
    }
}

static void attempt(struct pl_http_run *run)
{
    struct pl_http_provider *p = run->p;
    struct pl_attempt *a = current_attempt(run);
    if (is_cancelled(run)) {
        finish(run, PAIL_E_CANCELLED, NULL);
        return;
    }
    const struct pl_dialect_ops *ops = p->dialect->ops;
    struct pail_error *err = NULL;
    if (ops->check_key && run->op->key && ops->check_key(p->dialect, run->op->key, &err)) {
        finish(run, PAIL_E_BAD_KEY, err);
        return;
    }
    pthread_mutex_lock(&p->lock);
    int64_t offset = p->clock_offset_ms;
    pthread_mutex_unlock(&p->lock);
    a->now_ms = pl_sys.wall_ms() + offset;
    if (!pl_http_errand_ready(run, current_op(run), a->now_ms)) {
        return;
    }
    a->number++;
    if (run->op->kind == PL_OP_PRESIGN) {
        pail_code rc = ops->presign(p->dialect, run->op, a, &err);
        finish(run, rc, err);
    } else {
        build(run);
    }
}

void pl_http_run_go_on(struct pl_http_run *run)
{
    struct pl_http_provider *p = run->p;
    pthread_mutex_lock(&p->lock);
    pail_code rc = run->errand_rc;
    struct pail_error *err = run->errand_error;
    run->errand_error = NULL;
    run->errand_rc = PAIL_OK;
    run->awaits = 0;
    if (!run->cancelled) {
        atomic_store(&run->timer.at_once, false);
    }
    pthread_mutex_unlock(&p->lock);
    if (rc && run->checking) {
        pail_error_free(err);
        end_check(run, false);
    } else if (rc) {
        finish(run, rc, err);
    } else if (run->op->deadline_ns && pl_sys.mono_ns() >= run->op->deadline_ns) {
        rc = pl_fail(&err, PAIL_E_TIMEOUT, "the deadline passed while credentials were fetched");
        finish(run, rc, err);
    } else {
        attempt(run);
    }
}

void pl_http_run_start(struct pl_http_provider *p, struct pl_op *op)
{
    struct pl_http_run *run = pl_calloc(1, sizeof *run);
    if (!run) {
        pl_op_complete(op, PAIL_E_NO_MEMORY);
        return;
    }
    run->p = p;
    run->op = op;
    if (op->kind == PL_OP_GET) {
        run->a.range = op->in.get.range;
        run->a.if_match = op->cond.if_match;
    }
    pthread_mutex_lock(&p->lock);
    run->next = p->runs;
    if (run->next) {
        run->next->prev = run;
    }
    p->runs = run;
    op->provider_ctx = run;
    pthread_mutex_unlock(&p->lock);
    attempt(run);
}
