/* The gateway's handling of one request, without a connection. */
#include "gateway/gateway.h"
#include "test.h"

struct bed {
    struct pl_gateway gateway;
    struct pl_http_call http;
    struct pl_gw_route route;
    struct pl_gw_call call;
};

static void bed_make(struct bed *b, const struct pl_header *headers, size_t count)
{
    *b = (struct bed){.route = {.operation = "PutObject", .body = PL_GW_BYTES},
                      .http = {.headers = headers, .header_count = count}};
    b->call = (struct pl_gw_call){
        .g = &b->gateway, .http = &b->http, .arena = &b->http.arena, .route = &b->route};
}

static void bed_free(struct bed *b)
{
    pl_gw_body_dispose(&b->call);
    pl_buf_dispose(&b->http.body);
    pl_arena_dispose(&b->http.arena);
}

static bool computes_md5(bool keeps_etag, bool said)
{
    const struct pl_header headers[] = {
        {PL_STR("content-length"), PL_STR("3")},
        {PL_STR("content-md5"), PL_STR("kAFQmDzST7DWlj99KOF/cg==")}};
    struct bed b;
    bed_make(&b, headers, said ? 2 : 1);
    b.gateway.caps.keeps_etag = keeps_etag;
    CHECK(pl_gw_body_begin(&b.call));
    CHECK(pl_gw_body_data(&b.call, "abc", 3));
    CHECK(pl_gw_body_end(&b.call));
    bool has = b.call.body.has_md5;
    CHECK_STR(b.call.body.md5_hex, has ? "900150983cd24fb0d6963f7d28e17f72" : "");
    bed_free(&b);
    return has;
}

static void test_md5__only_where_somebody_reads_it(void)
{
    CHECK(computes_md5(true, false));
    CHECK(computes_md5(true, true));
    CHECK(computes_md5(false, true));
    CHECK(!computes_md5(false, false));
}

int main(void)
{
    RUN(test_md5__only_where_somebody_reads_it);
    return test_end();
}
