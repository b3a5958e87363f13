/* What an operation looks like on one cloud: build, sign, parse, classify. Pure: no sockets, no
 * clock, no retry; all of that is http_provider's. */
#ifndef PL_PROVIDER_DIALECT_H
#define PL_PROVIDER_DIALECT_H

#include <pthread.h>

#include "cred/errand.h"
#include "provider/provider.h"

struct pl_sum_value; /* codec/digest.h */

/* One attempt at one operation. The same struct goes through build, head and parse of it and
 * through all later attempts of the op. */
struct pl_attempt {
    int number;     /* 1 is the first */
    int64_t now_ms; /* Unix time as the service sees it: ours plus the clock offset learned */
    /* GET: what this attempt asks for. The op's own range and if_match at first; after a broken
     * body the missing tail, pinned by the ETag of what was begun. Ask for these, not for the op's.
     */
    struct pl_range range;
    const char *if_match;
    /* GET: `head` chooses a checksum by setting `sum` (an enum pl_sum of codec/digest.h) on the
     * first 2xx head; parse finds that of all delivered bytes, over all attempts, in sum_value. The
     * provider sets op->out.sum itself where it is a CRC. */
    int sum;
    bool is_settled; /* set by the dialect: what the op is for is done and in op->out; what is left
                        of it - cleaning up - may fail without making the op fail */
    const struct pl_sum_value *sum_value; /* parse of a GET; NULL: none was chosen */
    /* The dialect's own for this op, e.g. checksums of a source, which no retry computes again.
     * Memory of op->arena. */
    void *memo;
};

enum pl_next {
    PL_NEXT_DONE = 0,    /* op->out is filled */
    PL_NEXT_FAIL,        /* final, with verdict.code */
    PL_NEXT_RETRY,       /* the service stumbled: again, with back-off */
    PL_NEXT_THROTTLED,   /* the same with the back-off of throttling */
    PL_NEXT_CREDENTIALS, /* expired: refresh, then once more */
    PL_NEXT_CLOCK,       /* our clock is off: take the answer's Date, then once more */
    PL_NEXT_LEARNED,     /* the dialect has changed what it knows (region, style, checksums, ...):
                            verdict.learned names it; build anew, once for each bit */
    PL_NEXT_MORE /* this exchange did its share: build the op's next one, after verdict.wait_ms.
                    What it is stands in attempt.memo; the dialect sees to it that there is an end
                  */
};

enum pl_learned {
    PL_LEARNED_REGION = 1,
    PL_LEARNED_STYLE = 2,
    PL_LEARNED_SUMS = 4,
    PL_LEARNED_PAYLOAD = 8,
    PL_LEARNED_LIST = 16,
    PL_LEARNED_BODY = 32, /* e.g. CreateBucket without a body */
    PL_LEARNED_OTHER = 64
};

struct pl_verdict {
    enum pl_next next;
    unsigned learned;   /* LEARNED: one bit of enum pl_learned */
    pail_code code;     /* what it is when it ends here; set for all but DONE */
    int64_t wait_ms;    /* the service's own wish beyond Retry-After; 0: none */
    bool never_applied; /* the answer proves that a write did not take effect */
};

/* What an op lacks before it can be built. */
struct pl_need {
    uint64_t what; /* 0: nothing. Ops with the same number wait for the same errand */
    bool now; /* false: what is there will do; it is fetched beside the op, ahead of its expiry */
};

struct pl_dialect;
struct pl_dialect_ops {
    const char *scheme;
    const char *request_id_header; /* for events of attempts that succeed; NULL: none */
    void (*caps)(struct pl_dialect *d, struct pl_caps *out);
    /* Fills and signs the request (zeroed, but for an empty arena). Runs on the submitter's thread
     * for the first attempt, on the reactor for later ones. An error ends the op before any
     * request: PAIL_E_UNSUPPORTED, PAIL_E_NO_CREDENTIALS, PAIL_E_CHANGED (source too short), ...
     * out->method left NULL: nothing needs to be asked (any more), and op->out is filled. */
    pail_code (*build)(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                       struct pl_http_request *out, struct pail_error **err);
    /* GET only, reactor: the head of a 2xx answer has arrived; chooses a->sum. The sink, the
     * digest, Content-Range and the pin are http_provider's. NULL: nothing to choose. */
    void (*head)(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                 const struct pl_http_response *r);
    /* Reactor: a whole answer is there. Fills op->out on DONE; else *err (message, service code,
     * request id, http status, hint) which the provider completes with the names, the endpoint and
     * the count of attempts. For GET op->out.range_offset is set already. */
    void (*parse)(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                  const struct pl_http_response *r, struct pl_verdict *out,
                  struct pail_error **err);
    /* Fills op->out.presigned; no network. */
    pail_code (*presign)(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                         struct pail_error **err);
    /* An earlier attempt of this write may have won without our hearing of it: is `found` what the
     * op writes? Only on evidence (checksum, MD5 ETag, count of parts), never on size alone. */
    bool (*is_own_write)(struct pl_dialect *d, const struct pl_op *op, const struct pl_attempt *a,
                         const pail_info *found);
    /* Whether op, at now_ms, lacks something that an errand fetches; asked before each build and
     * before presign. An errand that failed beside ops (now: false) is not asked for again at once.
     * NULL: never. */
    void (*need)(struct pl_dialect *d, const struct pl_op *op, int64_t now_ms, struct pl_need *out);
    /* The errand for what `need` named; at most one is under way at a time. NULL with *err: it
     * cannot be begun. */
    struct pl_errand *(*errand)(struct pl_dialect *d, const struct pl_op *op, uint64_t what,
                                struct pail_error **err);
    /* The service refused the credentials as expired: forgets them, so that `need` asks for new
     * ones. PAIL_OK: another attempt makes sense. NULL: there is no way. */
    pail_code (*refresh)(struct pl_dialect *d, struct pail_error **err);
    /* Lines "name = value  (origin)" for pail_client_explain; NULL: none. */
    void (*explain)(struct pl_dialect *d, struct pl_buf *out);
    /* NULL or PAIL_E_BAD_BUCKET_NAME with the rule that it breaks. */
    pail_code (*check_bucket)(struct pl_dialect *d, const char *name, struct pail_error **err);
    /* PAIL_E_BAD_KEY where the service has no such key; asked before any errand and request. NULL:
     * every key that pl_key_check lets pass. */
    pail_code (*check_key)(struct pl_dialect *d, const char *key, struct pail_error **err);
    void (*free)(struct pl_dialect *d);
};

/* The first member of each dialect's own struct. */
struct pl_dialect {
    const struct pl_dialect_ops *ops;
    /* Guards what the dialect learns and caches; made and destroyed by http_provider. Never held
     * while calling out. */
    pthread_mutex_t lock;
};

#endif
