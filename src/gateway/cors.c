/* What browsers ask before pages of another origin may read an answer. It is no right: who may do
 * what is decided by auth.c alone.
 * SPEC S3 "Using cross-origin resource sharing (CORS)": origins with at most one "*"; the rest as
 * a rule that allows every method and header and exposes what S3's clients read. */
#include "gateway/gateway.h"

#define METHODS "GET, PUT, POST, DELETE, HEAD"
#define VARY    "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
#define EXPOSED                                                                                    \
    "ETag, Content-Length, Content-Range, Content-Disposition, Last-Modified, x-amz-request-id, "  \
    "x-amz-version-id, x-amz-checksum-crc32, x-amz-checksum-crc32c, x-amz-checksum-crc64nvme, "    \
    "x-amz-checksum-sha1, x-amz-checksum-sha256, x-amz-mp-parts-count"

static bool matches(const char *rule, struct pl_str origin)
{
    const char *star = strchr(rule, '*');
    if (!star) {
        return pl_str_is(origin, rule);
    }
    size_t before = (size_t)(star - rule), behind = strlen(star + 1);
    return origin.len >= before + behind && memcmp(origin.ptr, rule, before) == 0 &&
           memcmp(origin.ptr + origin.len - behind, star + 1, behind) == 0;
}

/* The rule that the request's origin falls under; NULL: none, or no origin. */
static const char *find_rule(const struct pl_gw_call *c)
{
    struct pl_str origin = pl_http_call_header(c->http, "origin");
    for (size_t i = 0; origin.ptr && i < c->g->cors_count; i++) {
        if (matches(c->g->cors[i], origin)) {
            return c->g->cors[i];
        }
    }
    return NULL;
}

void pl_gw_cors_headers(struct pl_gw_call *c)
{
    /* The server's own pages are nobody else's. */
    const char *rule = c->path.ptr ? find_rule(c) : NULL;
    if (!rule) {
        return;
    }
    if (strcmp(rule, "*") == 0) {
        pl_gw_header_text(c, "Access-Control-Allow-Origin", "*");
    } else {
        pl_http_reply_header(c->http, "Access-Control-Allow-Origin",
                             pl_http_call_header(c->http, "origin"));
        pl_gw_header_text(c, "Access-Control-Allow-Credentials", "true");
    }
    pl_gw_header_text(c, "Access-Control-Expose-Headers", EXPOSED);
    pl_gw_header_text(c, "Vary", VARY);
}

static bool is_method(struct pl_str method)
{
    static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "HEAD"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (pl_str_is(method, methods[i])) {
            return true;
        }
    }
    return false;
}

bool pl_gw_preflight(struct pl_gw_call *c)
{
    static const struct pl_gw_route route = {.operation = "Preflight", .method = "OPTIONS"};
    if (!pl_str_is(c->http->method, "OPTIONS")) {
        return false;
    }
    c->route = &route;
    struct pl_str method = pl_http_call_header(c->http, "access-control-request-method"),
                  headers = pl_http_call_header(c->http, "access-control-request-headers");
    if (!pl_http_call_header(c->http, "origin").ptr || !method.ptr) {
        pl_gw_fail(c, "BadRequest",
                   "Insufficient information: Origin and Access-Control-Request-Method are needed");
    } else if (!find_rule(c) || !is_method(method)) {
        pl_gw_fail(c, "AccessForbidden", "CORSResponse: This CORS request is not allowed");
    } else {
        pl_gw_header_text(c, "Access-Control-Allow-Methods", METHODS);
        if (headers.ptr) {
            pl_http_reply_header(c->http, "Access-Control-Allow-Headers", headers);
        }
        pl_gw_header_text(c, "Access-Control-Max-Age", "3000");
        pl_gw_reply(c, 200);
    }
    return true;
}
