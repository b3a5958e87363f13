#include "http/message.h"
#include "test.h"

static bool feed(struct pl_http_response *r, const char *text)
{
    struct pl_str rest = pl_str_c(text);
    bool complete = false;
    while (rest.len && !r->fail) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t n = end ? (size_t)(end + 1 - rest.ptr) : rest.len;
        complete |= pl_http_response_line(r, pl_str_n(rest.ptr, n));
        rest = pl_str_n(rest.ptr + n, rest.len - n);
    }
    return complete;
}

static void test_head__earlier_heads_and_trailers_are_passed_over(void)
{
    struct pl_http_response r = {0};
    pl_http_response_clear(&r);
    CHECK(feed(&r, "HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\n"
                   "HTTP/1.1 206 Partial Content\r\nETag: \"e\"\r\nContent-Length: 10\r\n"
                   "content-range: bytes 5-14/100\r\n\r\nX-Late: 1\r\n"));
    CHECK_INT(r.status, 206);
    CHECK(r.has_length && r.content_length == 10);
    CHECK(pl_str_is(pl_http_header(&r, "ETAG"), "\"e\""));
    CHECK(!pl_http_header(&r, "x-a").ptr && !pl_http_header(&r, "x-late").ptr);
    uint64_t first, last, size;
    CHECK(pl_http_content_range(&r, &first, &last, &size));
    CHECK(first == 5 && last == 14 && size == 100);
    pl_http_response_dispose(&r);
}

static void test_content_range__odd_forms_are_refused(void)
{
    static const char *const odd[] = {"bytes 5-4/10", "bytes 0-10/10", "bytes */10",
                                      "items 0-1/2",  "bytes 0-1",     "bytes -1/3"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct pl_http_response r = {0};
        pl_http_response_clear(&r);
        struct pl_buf text = PL_BUF_MAX(200);
        pl_buf_printf(&text, "HTTP/1.1 206 x\r\nContent-Range: %s\r\n\r\n", odd[i]);
        uint64_t first, last, size;
        CHECK(feed(&r, text.ptr) && !pl_http_content_range(&r, &first, &last, &size));
        pl_buf_dispose(&text);
        pl_http_response_dispose(&r);
    }
}

static void test_head__a_flood_of_headers_is_garbage(void)
{
    struct pl_http_response r = {0};
    pl_http_response_clear(&r);
    feed(&r, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 5000 && !r.fail; i++) {
        feed(&r, "X-Filler: 0123456789012345678901234567890123456789\r\n");
    }
    CHECK_INT(r.fail, PL_HTTP_GARBAGE);
    pl_http_response_clear(&r);
    feed(&r, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 600; i++) {
        feed(&r, "a:b\r\n");
    }
    feed(&r, "\r\n");
    CHECK_INT(r.fail, PL_HTTP_GARBAGE);
    pl_http_response_dispose(&r);
}

static void test_request__control_characters_are_refused(void)
{
    struct {
        const char *name, *value;
        bool refused;
    } cases[] = {{"x-amz-meta-a", "fine\twith tab", false},
                 {"x-amz-meta-a", "one\r\nInjected: 1", true},
                 {"x-amz-meta-a", "del\x7f", true},
                 {"x-bad\r\n", "v", true},
                 {"x bad", "v", true},
                 {"x:bad", "v", true},
                 {"", "v", true},
                 {"x-empty", "", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pl_http_request r = {0};
        pl_http_add_c(&r, cases[i].name, cases[i].value);
        CHECK_INT(r.failed, cases[i].refused);
        CHECK_INT(r.header_count, !cases[i].refused);
        pl_http_request_dispose(&r);
    }
}

static void test_request__takes_many_headers_but_not_endless_ones(void)
{
    struct pl_http_request r = {0};
    for (int i = 0; i < 300; i++) {
        pl_http_add_c(&r, "x-amz-meta-a", "v");
    }
    CHECK(!r.failed);
    CHECK_INT(r.header_count, 300);
    for (int i = 0; i < 300; i++) {
        pl_http_add_c(&r, "x-amz-meta-a", "v");
    }
    CHECK(r.failed);
    pl_http_request_dispose(&r);
}

static void test_host__says_the_port_only_where_it_is_not_the_schemes_own(void)
{
    struct {
        struct pl_origin origin;
        const char *host, *text;
    } cases[] = {{{true, "a.example", 443}, "a.example", "https://a.example"},
                 {{false, "a.example", 80}, "a.example", "http://a.example"},
                 {{false, "a.example", 443}, "a.example:443", "http://a.example:443"},
                 {{false, "::1", 9000}, "[::1]:9000", "http://[::1]:9000"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pl_http_request r = {.origin = cases[i].origin};
        char room[64];
        CHECK_STR(pl_http_host(&r), cases[i].host);
        CHECK_STR(pl_origin_text(&r.origin, room, sizeof room), cases[i].text);
        pl_http_request_dispose(&r);
    }
}

int main(void)
{
    RUN(test_head__earlier_heads_and_trailers_are_passed_over);
    RUN(test_content_range__odd_forms_are_refused);
    RUN(test_head__a_flood_of_headers_is_garbage);
    RUN(test_request__control_characters_are_refused);
    RUN(test_request__takes_many_headers_but_not_endless_ones);
    RUN(test_host__says_the_port_only_where_it_is_not_the_schemes_own);
    return test_end();
}
