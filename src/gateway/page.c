/* The web page at /-/ui, for a person with a browser. It is text like any other client's: it holds
 * no right and no secret, and signs with the key that the person types in. */
#include "gateway/page.h"

#include "gateway/gateway.h"

/* Nothing but the page's own files runs, and nothing leaves for another host. Objects of the store
 * have the page's origin where a signed link shows them: so no frame may hold the page, no opener
 * may reach into it, and no text may become a script (trusted types).
 * SPEC W3C "Content Security Policy Level 3"; HTML "Cross-origin opener policies". */
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "              \
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "            \
    "require-trusted-types-for 'script'; trusted-types 'none'"

static void headers(struct pl_gw_call *c, const struct pl_gw_file *f)
{
    static const char *const all[][2] = {
        {"Cache-Control", "no-cache"},
        {"Content-Security-Policy", POLICY},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Referrer-Policy", "no-referrer"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        pl_gw_header_text(c, all[i][0], all[i][1]);
    }
    pl_gw_header_text(c, "ETag", f->etag);
}

static void give(struct pl_gw_call *c, const struct pl_gw_file *f)
{
    headers(c, f);
    if (pl_str_is(pl_str_trim(pl_http_call_header(c->http, "if-none-match")), f->etag)) {
        pl_gw_reply(c, 304);
        return;
    }
    pl_gw_header_text(c, "Content-Type", f->type);
    pl_gw_header_text(c, "Content-Encoding", "gzip"); /* SPEC RFC 9110 12.5.3: every browser's */
    if (pl_str_is(c->http->method, "HEAD")) {
        c->http->body_bytes = f->size;
    } else {
        pl_buf_add(&c->http->body, f->bytes, f->size);
        c->bytes_out = f->size;
    }
    pl_gw_reply(c, 200);
}

bool pl_gw_page(struct pl_gw_call *c, struct pl_str path)
{
    static const struct pl_gw_route route = {.operation = "Page", .method = "GET"};
    bool reads = pl_str_is(c->http->method, "GET") || pl_str_is(c->http->method, "HEAD");
    const struct pl_gw_file *f = pl_gw_files;
    if (pl_str_is(path, "/-/ui/")) {
        path = PL_STR("/-/ui");
    }
    while (f->path && !pl_str_is(path, f->path)) {
        f++;
    }
    if (!f->path) {
        return false;
    }
    c->route = &route;
    if (reads) {
        give(c, f);
    } else {
        pl_gw_fail(c, "MethodNotAllowed", NULL);
    }
    return true;
}
