/* The body of a request: its framing taken off, its checksums held against what was said. */
#include "gateway/gateway.h"

#include <stdio.h>

#include "codec/hex.h"

enum { XML_MAX = 2 << 20, MD5_MAX = 64 << 20 };

static bool bad(struct pl_gw_call *c, const char *code, const char *message)
{
    if (c->body.relay) {
        pl_gw_relay_end(c->body.relay, false);
    }
    if (!c->error) {
        pl_gw_fail(c, code, message);
    }
    return false;
}

/* ---- what is announced ---- */

static bool take_length(struct pl_gw_call *c)
{
    struct pl_str length = pl_http_call_header(c->http, "content-length"),
                  decoded = pl_http_call_header(c->http, "x-amz-decoded-content-length");
    bool chunks = pl_http_call_header(c->http, "transfer-encoding").ptr != NULL;
    struct pl_gw_body *b = &c->body;
    b->length = UINT64_MAX;
    if (b->is_chunked) {
        return (decoded.ptr && pl_str_u64(pl_str_trim(decoded), &b->length)) ||
               bad(c, "MissingContentLength", "x-amz-decoded-content-length is needed");
    }
    if (length.ptr) {
        return pl_str_u64(pl_str_trim(length), &b->length) ||
               bad(c, "InvalidArgument", "Content-Length is no number");
    }
    if (!chunks) {
        b->length = 0;
        bool needs = c->route->body == PL_GW_BYTES;
        return !needs || bad(c, "MissingContentLength", NULL);
    }
    return true;
}

static bool take_md5(struct pl_gw_call *c)
{
    struct pl_buf out = PL_BUF_MAX(64);
    struct pl_str said = pl_http_call_header(c->http, "content-md5");
    if (!said.ptr) {
        return true;
    }
    c->body.want_md5 = pl_str_trim(said);
    bool ok = pl_base64_decode(&out, c->body.want_md5) && out.len == 16;
    pl_buf_dispose(&out);
    return ok || bad(c, "InvalidDigest", NULL);
}

static bool begin_chunks(struct pl_gw_call *c);

/* For the ETag, where the store keeps it. An MD5 is most of what a large upload costs. Clients that
 * look whether an ETag is the MD5 send such bodies in parts, and the parts have MD5s; whoever sends
 * an object whole and wants the MD5 says Content-MD5. */
static bool wants_md5(const struct pl_gw_call *c)
{
    return c->body.want_md5.ptr || (c->route->body == PL_GW_BYTES && c->g->caps.keeps_etag &&
                                    (c->route->run == pl_gw_put_part || c->body.length <= MD5_MAX ||
                                     c->body.length == UINT64_MAX));
}

bool pl_gw_body_begin(struct pl_gw_call *c)
{
    struct pl_gw_body *b = &c->body;
    b->is_chunked = c->payload >= PL_GW_CHUNKED;
    b->small = PL_BUF_MAX(PL_GW_KEPT_MAX);
    b->wanted = c->route->body != PL_GW_NO_BODY;
    bool form = c->route->body == PL_GW_FORM; /* what is said of a file stands in its fields */
    if (!take_length(c) || (!form && (!take_md5(c) || !pl_gw_sum_take(c)))) {
        return false;
    }
    if (c->route->body == PL_GW_XML && b->length != UINT64_MAX && b->length > XML_MAX) {
        return bad(c, "MaxMessageLengthExceeded", NULL);
    }
    if (form && b->length != UINT64_MAX && b->length > PL_GW_KEPT_MAX) {
        return bad(c, "EntityTooLarge", NULL);
    }
    if (c->payload == PL_GW_HASHED) {
        b->hashes = pl_digest_init(&b->hash, PL_SUM_SHA256, NULL) == PAIL_OK;
    }
    b->has_md5 = wants_md5(c) && pl_digest_init(&b->md5, PL_SUM_MD5, NULL) == PAIL_OK;
    b->has_sum =
        b->sum_kind != PL_SUM_NONE && pl_digest_init(&b->sum, b->sum_kind, NULL) == PAIL_OK;
    if ((c->payload == PL_GW_HASHED && !b->hashes) || (b->want_md5.ptr && !b->has_md5) ||
        (b->sum_kind != PL_SUM_NONE && !b->has_sum)) {
        return bad(c, "NotImplemented", "a checksum of the request cannot be computed here");
    }
    return !b->is_chunked || begin_chunks(c);
}

/* ---- the bytes ---- */

static pail_code take_bytes(void *ctx, const void *data, size_t n)
{
    struct pl_gw_call *c = ctx;
    struct pl_gw_body *b = &c->body;
    b->seen += n;
    if (b->length != UINT64_MAX && b->seen > b->length) {
        bad(c, "IncompleteBody", "the body is longer than was announced");
        return PAIL_E_TOO_LARGE;
    }
    if (b->dropped) {
        return PAIL_OK;
    }
    if (b->has_md5) {
        pl_digest_update(&b->md5, data, n);
    }
    if (b->has_sum) {
        pl_digest_update(&b->sum, data, n);
    }
    if (b->relay) {
        if (!pl_gw_relay_put(b->relay, data, n)) {
            b->dropped = true; /* the store has said no; the end will tell why */
        }
        return PAIL_OK;
    }
    if (b->part) {
        memcpy(b->part + (b->seen - n), data, n);
        return PAIL_OK;
    }
    if (c->route->body == PL_GW_XML && b->seen > XML_MAX) {
        bad(c, "MaxMessageLengthExceeded", NULL);
        return PAIL_E_TOO_LARGE;
    }
    if (!pl_gw_keep_room(c, n)) {
        return PAIL_OK; /* the end will tell why */
    }
    pl_buf_add(&b->small, data, n);
    if (pl_buf_rc(&b->small)) {
        bad(c, pl_buf_rc(&b->small) == PAIL_E_NO_MEMORY ? "SlowDown" : "EntityTooLarge", NULL);
        return PAIL_E_NO_MEMORY;
    }
    return c->route->body != PL_GW_FORM || pl_gw_form_data(c) ? PAIL_OK : PAIL_E_BAD_ARGUMENT;
}

static bool begin_chunks(struct pl_gw_call *c)
{
    enum pl_aws_chunked_kind kind = c->payload == PL_GW_CHUNKED ? PL_AWS_CHUNKED_SIGNED
                                    : c->payload == PL_GW_CHUNKED_TRAILER
                                        ? PL_AWS_CHUNKED_SIGNED_TRAILER
                                        : PL_AWS_CHUNKED_UNSIGNED_TRAILER;
    return pl_aws_chunked_read_init(&c->body.chunked, kind, &c->claim, c->signing_key, take_bytes,
                                    c) == PAIL_OK ||
           bad(c, "SlowDown", NULL);
}

static bool chunked_failed(struct pl_gw_call *c, pail_code rc)
{
    const struct pl_aws_chunked_reader *r = &c->body.chunked;
    if (rc == PAIL_E_PROTOCOL) {
        return bad(c, r->forged ? "SignatureDoesNotMatch" : "IncompleteBody", r->wrong);
    }
    return bad(c, "SlowDown", NULL);
}

bool pl_gw_body_data(struct pl_gw_call *c, const char *data, size_t n)
{
    struct pl_gw_body *b = &c->body;
    b->raw += n;
    if (b->refusal && b->raw > 2 * PL_GW_KEPT_MAX) {
        return bad(c, b->refusal, b->refusal_text); /* it may never end */
    }
    if (!b->wanted || b->dropped) {
        return true; /* some clients send one where none is asked for; it is read over */
    }
    if (b->hashes) {
        pl_digest_update(&b->hash, data, n);
    }
    pail_code rc =
        b->is_chunked ? pl_aws_chunked_read(&b->chunked, data, n) : take_bytes(c, data, n);
    if (rc == PAIL_OK) {
        return true;
    }
    return c->error ? false : chunked_failed(c, rc);
}

/* ---- the end ---- */

static bool check_hash(struct pl_gw_call *c)
{
    struct pl_sum_value v;
    char hex[PL_SHA256_HEX];
    if (!c->body.hashes) {
        return true;
    }
    if (pl_digest_final(&c->body.hash, &v, NULL)) {
        return bad(c, "InternalError", NULL);
    }
    pl_hex_encode(hex, v.bytes, v.len);
    return pl_sigv4_same(pl_str_c(hex), c->payload_hash) ||
           bad(c, "XAmzContentSHA256Mismatch", NULL);
}

static bool check_md5(struct pl_gw_call *c)
{
    struct pl_gw_body *b = &c->body;
    struct pl_sum_value v;
    char text[PL_SUM_BASE64_MAX];
    if (!b->has_md5) {
        return true;
    }
    if (pl_digest_final(&b->md5, &v, NULL)) {
        return bad(c, "InternalError", NULL);
    }
    pl_hex_encode(b->md5_hex, v.bytes, v.len);
    return !b->want_md5.ptr || pl_str_is(b->want_md5, pl_sum_base64(&v, text)) ||
           bad(c, "BadDigest", NULL);
}

/* What nobody announced would be read over, be it a checksum. */
static bool is_announced(const struct pl_gw_body *b)
{
    struct pl_str lines = pl_buf_view(&b->chunked.trailers);
    size_t came = 0;
    for (size_t i = 0; i < lines.len; i++) {
        came += lines.ptr[i] == '\n';
    }
    return came <= (b->trailer.ptr ? 1 : 0);
}

static bool check_sum(struct pl_gw_call *c)
{
    struct pl_gw_body *b = &c->body;
    struct pl_sum_value v;
    if (!is_announced(b)) {
        return bad(c, "InvalidRequest", "a trailer came that x-amz-trailer does not name");
    }
    if (!b->has_sum) {
        return true;
    }
    if (b->trailer.ptr) {
        b->want_sum = pl_aws_chunked_trailer(&b->chunked, b->trailer);
        if (!b->want_sum.ptr) {
            return bad(c, "InvalidRequest", "the checksum that x-amz-trailer names did not come");
        }
    }
    if (pl_digest_final(&b->sum, &v, NULL)) {
        return bad(c, "InternalError", NULL);
    }
    char text[PL_SUM_BASE64_MAX];
    snprintf(b->sum_text, sizeof b->sum_text, "%s:%s", pl_sum_name(b->sum_kind),
             pl_sum_base64(&v, text));
    return pl_str_is(b->want_sum, text) || bad(c, "BadDigest", NULL);
}

bool pl_gw_body_end(struct pl_gw_call *c)
{
    struct pl_gw_body *b = &c->body;
    b->ended = true;
    if (b->refusal) {
        return bad(c, b->refusal, b->refusal_text);
    }
    if (!b->wanted || b->dropped) {
        return true;
    }
    if (b->is_chunked) {
        pail_code rc = pl_aws_chunked_read_end(&b->chunked);
        if (rc) {
            return chunked_failed(c, rc);
        }
    }
    if (b->length != UINT64_MAX && b->seen != b->length) {
        return bad(c, "IncompleteBody", NULL);
    }
    if (!check_hash(c) || !check_md5(c) || !check_sum(c)) {
        return false;
    }
    if (b->relay) {
        pl_gw_relay_end(b->relay, true);
    }
    return true;
}

void pl_gw_body_dispose(struct pl_gw_call *c)
{
    struct pl_gw_body *b = &c->body;
    pl_aws_chunked_read_dispose(&b->chunked);
    pl_digest_dispose(&b->hash);
    pl_digest_dispose(&b->md5);
    pl_digest_dispose(&b->sum);
    pl_gw_keep_dispose(c);
    pl_pool_give(c->g->pool, b->part, (size_t)b->length);
    b->part = NULL;
    pl_gw_relay_free(b->relay);
    b->relay = NULL;
}
