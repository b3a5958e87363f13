/* What is fetched before an op can be built: one errand at a time, for all the ops that wait for
 * it. Ops that need it now wait on their timers; others go on and it runs beside them. */
#include <signal.h>

#include "base/sys.h"
#include "provider/http_run.h"

enum { EXCHANGE_MS = 30000, ERRANDS_MAX = 8 /* of one op: what is fetched must serve at last */ };

struct pl_http_errand {
    struct pl_http_provider *p;
    struct pl_errand *e;
    uint64_t what;
    bool busy; /* under p->lock: in a step, or at work on a thread of its own */
    struct pl_http_exchange x;
    struct pl_http_timer timer;
};

static int64_t now_ms(struct pl_http_provider *p)
{
    pthread_mutex_lock(&p->lock);
    int64_t offset = p->clock_offset_ms;
    pthread_mutex_unlock(&p->lock);
    return pl_sys.wall_ms() + offset;
}

/* ---- The end */

/* Wakes those who wait: for this errand with its result, for a place with none. */
static void wake_locked(struct pl_http_provider *p, uint64_t what, pail_code rc,
                        const struct pail_error *err)
{
    for (struct pl_http_run *run = p->runs; run; run = run->next) {
        if (!run->awaits) {
            continue;
        }
        if (rc && run->awaits == what && !run->errand_rc) {
            run->errand_rc = rc;
            run->errand_error = pl_error_dup(err);
        }
        pl_http_timer_hurry(p->engine, &run->timer);
    }
}

/* Takes err. The provider may be gone after this. */
static void end(struct pl_http_errand *h, pail_code rc, struct pail_error *err)
{
    struct pl_http_provider *p = h->p;
    if (h->e) {
        h->e->free(h->e);
    }
    pl_http_request_dispose(&h->x.request);
    pl_http_response_dispose(&h->x.response);
    pthread_mutex_lock(&p->lock);
    p->errand = NULL;
    wake_locked(p, h->what, rc, err);
    bool closed = p->state == PL_HTTP_CLOSED;
    pthread_cond_broadcast(&p->stepped);
    pthread_mutex_unlock(&p->lock);
    pail_error_free(err);
    pl_free(h);
    if (closed) {
        pl_http_provider_dispose(p);
    }
}

/* ---- The steps */

static void step(struct pl_http_errand *h, const struct pl_http_response *answer);

static void answered(struct pl_http_exchange *x)
{
    step(x->ctx, &x->response);
}

static void send_now(struct pl_http_timer *t)
{
    struct pl_http_errand *h = t->ctx;
    uint32_t ms = h->e->timeout_ms ? h->e->timeout_ms : EXCHANGE_MS;
    h->x.ctx = h;
    h->x.deadline_ns = pl_sys.mono_ns() + (int64_t)ms * 1000000;
    h->x.done = answered;
    pl_http_submit(h->p->engine, &h->x);
}

static void send_request(struct pl_http_errand *h)
{
    h->timer.fire = send_now;
    h->timer.ctx = h;
    if (!h->e->wait_ms) {
        send_now(&h->timer);
        return;
    }
    h->timer.at_ns = pl_sys.mono_ns() + (int64_t)h->e->wait_ms * 1000000;
    if (!pl_http_timer_start(h->p->engine, &h->timer)) {
        end(h, PAIL_E_NO_MEMORY, NULL);
    }
}

/* False: the provider is being closed, and the errand ends here. */
static bool enter(struct pl_http_errand *h)
{
    struct pl_http_provider *p = h->p;
    pthread_mutex_lock(&p->lock);
    bool open = p->state == PL_HTTP_OPEN;
    h->busy = open;
    pthread_mutex_unlock(&p->lock);
    if (!open) {
        end(h, PAIL_E_CANCELLED, NULL);
    }
    return open;
}

static void leave(struct pl_http_errand *h)
{
    pthread_mutex_lock(&h->p->lock);
    h->busy = false;
    pthread_cond_broadcast(&h->p->stepped);
    pthread_mutex_unlock(&h->p->lock);
}

static void *work(void *arg)
{
    struct pl_http_errand *h = arg;
    h->e->work(h->e);
    step(h, NULL);
    return NULL;
}

/* The thread takes no signals: they are the program's. */
static bool start_work(struct pl_http_errand *h)
{
    pthread_t thread;
    pthread_attr_t attr;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, &attr, work, h) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return started;
}

/* Tokens and keys that went by. */
static void forget_secrets(struct pl_http_errand *h)
{
    struct pl_buf *body = &h->x.response.body;
    struct pl_http_request *r = &h->x.request;
    if (body->ptr) {
        pl_zero(body->ptr, body->cap);
    }
    if (r->body == &r->text && r->text.ptr) {
        pl_zero(r->text.ptr, (size_t)r->text.len);
    }
}

static void step(struct pl_http_errand *h, const struct pl_http_response *answer)
{
    struct pail_error *err = NULL;
    struct pl_http_request request = {0};
    if (!enter(h)) {
        return;
    }
    h->e->timeout_ms = h->e->wait_ms = 0;
    enum pl_errand_step next = h->e->next(h->e, now_ms(h->p), answer, &request, &err);
    forget_secrets(h);
    pl_http_request_dispose(&h->x.request);
    h->x.request = request;
    if (request.body == &request.text) { /* a small body is described inside the request */
        h->x.request.body = &h->x.request.text;
    }
    if (next == PL_ERRAND_WORK && start_work(h)) {
        return; /* busy until its next step */
    }
    leave(h);
    switch (next) {
    case PL_ERRAND_SEND: send_request(h); return;
    case PL_ERRAND_WORK: end(h, PAIL_E_NO_MEMORY, NULL); return;
    case PL_ERRAND_DONE: end(h, PAIL_OK, err); return;
    case PL_ERRAND_FAIL: end(h, err ? err->code : PAIL_E_NO_CREDENTIALS, err); return;
    }
}

/* ---- The beginning */

static void fire(struct pl_http_timer *t)
{
    pl_http_run_go_on(t->ctx);
}

/* Either the place of the errand is ours, or the run waits for it if it has to. It then waits on
 * its timer, which its deadline, a cancel or the errand's end makes fire. */
static bool claim(struct pl_http_run *run, const struct pl_need *need, struct pl_http_errand *mine)
{
    struct pl_http_provider *p = run->p;
    pthread_mutex_lock(&p->lock);
    bool free = !p->errand;
    /* To wait until the errands of others give the place free is not to ask: many may be ahead. */
    run->errands += free || p->errand->what == need->what;
    if (free) {
        p->errand = mine;
    }
    if (need->now) {
        run->awaits = need->what;
        run->errand_rc = PAIL_OK;
        run->timer.at_ns = run->op->deadline_ns ? run->op->deadline_ns : INT64_MAX;
        run->timer.fire = fire;
        run->timer.ctx = run;
    }
    pthread_mutex_unlock(&p->lock);
    return free;
}

static void wait_for_end(struct pl_http_run *run)
{
    struct pl_http_provider *p = run->p;
    if (!pl_http_timer_start(p->engine, &run->timer)) {
        pthread_mutex_lock(&p->lock);
        run->errand_rc = run->errand_rc ? run->errand_rc : PAIL_E_NO_MEMORY;
        pthread_mutex_unlock(&p->lock);
        pl_http_run_go_on(run);
    }
}

bool pl_http_errand_ready(struct pl_http_run *run, const struct pl_op *op, int64_t at_ms)
{
    struct pl_http_provider *p = run->p;
    struct pl_dialect *d = p->dialect;
    struct pl_need need = {0};
    struct pail_error *err = NULL;
    if (d->ops->need) {
        d->ops->need(d, op, at_ms, &need);
    }
    if (!need.what || run->errands >= ERRANDS_MAX) {
        return true;
    }
    struct pl_http_errand *h = pl_calloc(1, sizeof *h);
    if (!h) { /* without it the op says what it lacks */
        return true;
    }
    h->p = p;
    h->what = need.what;
    bool mine = claim(run, &need, h);
    if (!mine) {
        pl_free(h);
    } else { /* made while the op is surely there: once it waits, a cancel may end it */
        h->e = d->ops->errand(d, op, need.what, &err);
    }
    if (need.now) {
        wait_for_end(run);
    }
    if (mine && h->e) {
        step(h, NULL);
    } else if (mine) {
        end(h, err ? err->code : PAIL_E_NO_MEMORY, err);
    }
    return !need.now;
}

bool pl_http_errand_close(struct pl_http_provider *p)
{
    if (p->forks != pl_fork_count()) {
        return true;
    }
    pthread_mutex_lock(&p->lock);
    p->state = PL_HTTP_CLOSING;
    if (p->errand) {
        pl_http_cancel(p->engine, &p->errand->x);
        pl_http_timer_hurry(p->engine, &p->errand->timer);
    }
    while (p->errand && p->errand->busy) {
        pthread_cond_wait(&p->stepped, &p->lock);
    }
    bool ended = !p->errand;
    p->state = ended ? PL_HTTP_CLOSING : PL_HTTP_CLOSED;
    pthread_mutex_unlock(&p->lock);
    return ended;
}
