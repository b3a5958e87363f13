#include "http/retry.h"

int64_t pl_retry_delay_ms(bool throttled, int failures, uint32_t random)
{
    enum { MOST = 20000 };
    int64_t most = throttled ? 1000 : 50;
    for (int i = 1; i < failures && most < MOST; i++) {
        most *= 2;
    }
    most = most < MOST ? most : MOST;
    return (int64_t)(((uint64_t)random * (uint64_t)(most + 1)) >> 32);
}

/* RFC 9110 section 10.2.3. */
int64_t pl_retry_after_ms(const struct pl_http_response *r, int64_t now_ms)
{
    uint64_t seconds;
    int64_t ms = 0;
    if (pl_http_header_u64(r, "retry-after", &seconds)) {
        ms = seconds < PL_RETRY_WISH_MS / 1000 ? (int64_t)seconds * 1000 : PL_RETRY_WISH_MS;
    } else {
        int64_t date = pl_http_header_date(r, "retry-after");
        int64_t server_now = pl_http_header_date(r, "date");
        ms = date < 0 ? 0 : date - (server_now < 0 ? now_ms : server_now);
    }
    return ms < 0 ? 0 : ms < PL_RETRY_WISH_MS ? ms : PL_RETRY_WISH_MS;
}
