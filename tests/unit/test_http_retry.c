#include "test.h"

#include "http/retry.h"

static void test_delay__grows_twofold_under_full_jitter_up_to_its_most(void)
{
    CHECK_INT(pl_retry_delay_ms(false, 1, 0), 0);
    CHECK_INT(pl_retry_delay_ms(false, 1, UINT32_MAX), 50);
    CHECK_INT(pl_retry_delay_ms(false, 2, UINT32_MAX), 100);
    CHECK_INT(pl_retry_delay_ms(false, 4, UINT32_MAX / 2), 200);
    CHECK_INT(pl_retry_delay_ms(true, 1, UINT32_MAX), 1000);
    CHECK_INT(pl_retry_delay_ms(true, 3, UINT32_MAX), 4000);
    CHECK_INT(pl_retry_delay_ms(false, 1000000, UINT32_MAX), 20000);
}

static int64_t after(const char *headers, int64_t now_ms)
{
    struct pl_http_response r = {0};
    struct pl_buf head = PL_BUF_MAX(1000);
    pl_http_response_clear(&r);
    pl_buf_printf(&head, "HTTP/1.1 503 X\r\n%s\r\n", headers);
    struct pl_str rest = pl_buf_view(&head);
    while (rest.len) {
        const char *line_end = memchr(rest.ptr, '\n', rest.len);
        size_t n = line_end ? (size_t)(line_end + 1 - rest.ptr) : rest.len;
        (void)pl_http_response_line(&r, pl_str_n(rest.ptr, n));
        rest = pl_str_n(rest.ptr + n, rest.len - n);
    }
    int64_t ms = pl_retry_after_ms(&r, now_ms);
    pl_http_response_dispose(&r);
    pl_buf_dispose(&head);
    return ms;
}

static void test_retry_after__reads_seconds_and_dates_and_nothing_else(void)
{
    CHECK_INT(after("Retry-After: 3\r\n", 0), 3000);
    CHECK_INT(after("Retry-After: 0\r\n", 0), 0);
    CHECK_INT(after("Retry-After: 18446744073709551615\r\n", 0), PL_RETRY_WISH_MS);
    CHECK_INT(after("Retry-After: -3\r\n", 0), 0);
    CHECK_INT(after("Retry-After: 3.5\r\n", 0), 0);
    CHECK_INT(after("", 0), 0);
    CHECK_INT(after("Retry-After: Sun, 06 Nov 1994 08:49:47 GMT\r\n", 784111777000), 10000);
    CHECK_INT(after("Retry-After: Sun, 06 Nov 1994 08:49:27 GMT\r\n", 784111777000), 0);
    CHECK_INT(after("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                    "Retry-After: Sun, 06 Nov 1994 08:49:39 GMT\r\n",
                    0),
              2000);
}

int main(void)
{
    RUN(test_delay__grows_twofold_under_full_jitter_up_to_its_most);
    RUN(test_retry_after__reads_seconds_and_dates_and_nothing_else);
    return test_end();
}
