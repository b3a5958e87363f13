/* One operation on its way through http_provider. */
#ifndef PL_PROVIDER_HTTP_RUN_H
#define PL_PROVIDER_HTTP_RUN_H

#include "codec/digest.h"
#include "http/engine.h"
#include "http/retry.h"
#include "provider/http_provider.h"

struct pl_http_run;
struct pl_http_errand; /* http_errand.c */

struct pl_http_provider {
    struct pl_provider base; /* first */
    /* set once */
    struct pl_provider_ops ops;
    struct pl_dialect *dialect;
    struct pl_http_engine *engine;
    unsigned forks; /* pl_fork_count() of the process that may use it */
    int max_attempts;
    uint32_t idle_timeout_ms;
    struct pl_log *log;
    pail_event_fn event;
    void *event_ctx;
    pthread_mutex_t event_lock; /* one event at a time */

    /* under lock */
    pthread_mutex_t lock;
    struct pl_http_run *runs; /* all that are under way */
    int64_t clock_offset_ms;  /* of the service's clock from ours */
    int budget;               /* of retries, see http/retry.h */
    struct pl_http_errand *errand;
    /* OPEN; CLOSING: whoever frees the provider waits for its errand's step to end; CLOSED: the end
     * of the errand frees it. */
    enum { PL_HTTP_OPEN, PL_HTTP_CLOSING, PL_HTTP_CLOSED } state;
    pthread_cond_t stepped;
};

struct pl_http_run {
    struct pl_http_provider *p;
    struct pl_op *op;
    struct pl_http_run *next, *prev; /* under p->lock */
    bool cancelled;                  /* under p->lock */
    uint64_t awaits;     /* under p->lock: the need whose errand it waits for; 0: none */
    pail_code errand_rc; /* under p->lock: how that errand ended, and with what words */
    struct pail_error *errand_error;

    struct pl_http_exchange x;
    struct pl_http_timer timer;
    struct pl_attempt a;
    int sent;     /* attempts whose exchange ended: what an error counts */
    int failures; /* that cost an attempt; max_attempts ends it */
    int errands;  /* that it asked for */
    int paid;     /* out of the budget, for the next attempt */
    unsigned learned;
    bool refreshed, clock_set, freed_stale; /* each once */
    bool ambiguous; /* a request of this write went out and its outcome is unknown */

    /* GET: what was begun. */
    bool begun;
    uint64_t end; /* of the delivered span in the object; UINT64_MAX: unknown */
    struct pl_digest digest;
    struct pl_sum_value sum;

    /* Asking whether an own earlier attempt won. */
    bool checking;
    struct pl_op check;
    struct pl_attempt check_attempt;
    pail_code rc; /* what the op ends with if not */
    struct pail_error *error;
};

/* Takes the op from submit on. */
void pl_http_run_start(struct pl_http_provider *p, struct pl_op *op);

/* Where a run goes on that waited for an errand; reactor. */
void pl_http_run_go_on(struct pl_http_run *run);

/* http_errand.c: what is fetched before an op can be built. */
/* Whether the op lacks nothing, so that it can be built. False: the run waits, and goes on with
 * pl_http_run_go_on. */
bool pl_http_errand_ready(struct pl_http_run *run, const struct pl_op *op, int64_t now_ms);
/* Ends an errand that nobody waits for. Afterwards it reads nothing of the client's. True: the
 * provider is to be freed now; false: the errand's end does it. */
bool pl_http_errand_close(struct pl_http_provider *p);
/* Frees a provider that nobody uses. */
void pl_http_provider_dispose(struct pl_http_provider *p);

/* http_get.c: the bytes of a GET. */
/* The head of a 2xx answer: checks that it delivers what was asked for and sets the sink. */
bool pl_http_get_head(struct pl_http_run *run);
/* After a broken body: whether the missing tail can be asked for; then run->a asks for it. */
bool pl_http_get_resume(struct pl_http_run *run);
/* After a whole body: the checksum is there for parse. */
PAIL_MUST pail_code pl_http_get_finish(struct pl_http_run *run, struct pail_error **err);

/* http_report.c: what the user hears. */
/* What an exchange without a (whole) answer means; sets *err with words and a hint. */
pail_code pl_http_report_failure(const struct pl_http_run *run, struct pail_error **err);
/* The per-attempt event and a debug line. */
void pl_http_report_attempt(struct pl_http_run *run, pail_code code, const struct pail_error *err);
void pl_http_report_retry(struct pl_http_run *run, const struct pail_error *err, int64_t wait_ms);
/* Endpoint, count of attempts, maybe_applied. */
void pl_http_report_context(const struct pl_http_run *run, struct pail_error *err);

#endif
