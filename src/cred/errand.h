/* What has to be fetched before an operation can be built: a token, a role's keys, a delegation
 * key. A small state machine over exchanges, which the http provider makes one after the other. */
#ifndef PL_CRED_ERRAND_H
#define PL_CRED_ERRAND_H

#include "http/message.h"

enum pl_errand_step {
    PL_ERRAND_SEND, /* *out is the next request */
    PL_ERRAND_WORK, /* `work` may wait for a helper process or a file: it gets a thread of its own
                     */
    PL_ERRAND_DONE, /* what was wanted is where its owner looks for it */
    PL_ERRAND_FAIL  /* *err says which sources were tried and why each failed */
};

struct pl_errand {
    /* The next step. answer: of the exchange that the last SEND asked for, also where it failed
     * (answer->fail), so that a chain can go on to its next source; NULL: the first step, or after
     * WORK. Answers are untrusted: bounded, parsed strictly, never shown. Runs on the submitter's
     * thread or on the reactor, one step at a time. */
    enum pl_errand_step (*next)(struct pl_errand *e, int64_t now_ms,
                                const struct pl_http_response *answer, struct pl_http_request *out,
                                struct pail_error **err);
    void (*work)(struct pl_errand *e); /* NULL: never asked for */
    void (*free)(struct pl_errand *e);
    /* Set by `next` with a SEND: how long the exchange may take (0: 30 s), and how long to wait
     * before it. Redirects are answers like any other; nobody follows them. */
    uint32_t timeout_ms, wait_ms;
};

/* Whether a server was there and cut the connection, as one that has just been started. */
static inline bool pl_errand_cut(const struct pl_http_response *r)
{
    return r->fail == PL_HTTP_BROKEN || r->fail == PL_HTTP_STALE;
}

#endif
