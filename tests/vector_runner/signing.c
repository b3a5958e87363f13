#include "signing.h"

#include "codec/hex.h"

bool signing_init(struct signing *s, struct run *run, const json_t *input)
{
    *s = (struct signing){.host = PL_BUF_MAX(4096), .target = PL_BUF_MAX(1 << 20)};
    s->who = (struct pl_sigv4_identity){
        .access_key = member(input, "access_key"),
        .secret_key = member(input, "secret_key"),
        .token = member(input, "session_token"),
        .region = member(input, "region"),
        .service = PL_STR("s3"),
    };
    s->request.headers = s->headers;
    s->request.method = member(input, "method");
    s->request.payload_hash = PL_SIGV4_EMPTY_HASH;
    if (!pl_date_basic_parse(member(input, "time"), &s->who.time_ms)) {
        broken(run, "no time: %s", member_c(input, "time"));
        return false;
    }
    if (pl_sigv4_init(&s->sigv4, NULL)) {
        broken(run, "no signer");
        return false;
    }
    return true;
}

void signing_dispose(struct signing *s)
{
    pl_sigv4_dispose(&s->sigv4);
    pl_buf_dispose(&s->host);
    pl_buf_dispose(&s->target);
}

void signing_url(struct signing *s, struct run *run, struct pl_str url)
{
    struct pl_url parts;
    struct pail_error *err = NULL;
    if (pl_url_parse(url, &parts, &err)) {
        broken(run, "%s", pail_error_message(err));
        pail_error_free(err);
        return;
    }
    pl_url_host_header(&s->host, &parts);
    pl_buf_str(&s->target, parts.path.len ? parts.path : PL_STR("/"));
    if (parts.has_query) {
        pl_buf_putc(&s->target, '?');
        pl_buf_str(&s->target, parts.query);
    }
}

void signing_header(struct signing *s, struct pl_str name, struct pl_str value)
{
    if (s->request.header_count < HEADERS_MAX) {
        s->headers[s->request.header_count++] = (struct pl_header){name, value};
    }
}

void signing_body(struct signing *s, struct run *run, struct pl_str body)
{
    if (!pl_hmac_sha256_hex(&s->sigv4.hmac, body, s->body_hash)) {
        broken(run, "no hash");
    }
    s->request.payload_hash = pl_str_c(s->body_hash);
}

void signing_check(struct signing *s, struct run *run, const json_t *expected)
{
    struct pail_error *err = NULL;
    s->request.host = pl_buf_view(&s->host);
    s->request.target = pl_buf_view(&s->target);
    if (pl_sigv4_sign(&s->sigv4, &s->who, &s->request, &s->added, &err)) {
        broken(run, "%s", pail_error_message(err));
        pail_error_free(err);
        return;
    }
    same(run, "canonical_request", pl_buf_view(&s->sigv4.canonical),
         member(expected, "canonical_request"));
    same(run, "string_to_sign", pl_buf_view(&s->sigv4.to_sign), member(expected, "string_to_sign"));
    same(run, "authorization", s->added.headers[s->added.count - 1].value,
         member(expected, "authorization"));
}
