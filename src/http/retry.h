/* How long to wait before another attempt, and whether there is one. */
#ifndef PL_HTTP_RETRY_H
#define PL_HTTP_RETRY_H

#include "http/message.h"

enum {
    PL_RETRY_ATTEMPTS = 5,   /* in all, where no setting says otherwise */
    PL_RETRY_BUDGET = 500,   /* of a client; a retry costs, a success gives back */
    PL_RETRY_COST = 5,       /* so 100 retries may be under way before some request succeeds */
    PL_RETRY_WISH_MS = 60000 /* a Retry-After beyond this is cut to it */
};

/* Full jitter: from 0 up to 50 ms (throttled: 1 s), doubled with each failure before, at most 20 s.
 * failures: from 1. random: 32 bits of it. */
int64_t pl_retry_delay_ms(bool throttled, int failures, uint32_t random);
/* What Retry-After says, in seconds or as a date; 0: nothing. now_ms: Unix time. */
int64_t pl_retry_after_ms(const struct pl_http_response *r, int64_t now_ms);

#endif
