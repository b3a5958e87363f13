/* Signatures of requests and presigned URLs. Source: Amazon S3 API Reference "Authenticating
 * Requests (AWS Signature Version 4)". */
#include "sign/sigv4.h"

#include "codec/hex.h"
#include "codec/url.h"
#include "provider/s3.h"

enum { DEFAULT_EXPIRES_S = 3600, URL_MAX = 32 * 1024 };

struct pl_s3_signer {
    struct pl_sigv4 v4;
};

void pl_s3_signer_free(struct pl_s3_signer *signer)
{
    if (signer) {
        pl_sigv4_dispose(&signer->v4);
        pl_free(signer);
    }
}

static pail_code signer_locked(struct pl_s3 *s3, struct pl_sigv4 **out, struct pail_error **err)
{
    if (!s3->signer) {
        s3->signer = pl_calloc(1, sizeof *s3->signer);
        pail_code rc = s3->signer ? pl_sigv4_init(&s3->signer->v4, err)
                                  : pl_fail(err, PAIL_E_NO_MEMORY, "no memory to sign");
        if (rc) {
            pl_s3_signer_free(s3->signer);
            s3->signer = NULL;
            return rc;
        }
    }
    *out = &s3->signer->v4;
    return PAIL_OK;
}

/* held: keeps the keys alive; pl_aws_keys_release. NULL: they are those of the settings. */
static pail_code identify(struct pl_s3 *s3, const struct pl_s3_view *view, int64_t now_ms,
                          struct pl_sigv4_identity *out, struct pl_aws_keys **held,
                          struct pail_error **err)
{
    const struct pl_aws_keys *k = *held = view->session_of
                                              ? pl_s3_session_keys(s3, view->session_of)
                                          : s3->chain ? pl_aws_chain_keys(s3->chain)
                                                      : NULL;
    if (view->session_of && !k) {
        return pl_fail(err, PAIL_E_NO_CREDENTIALS, "there is no session of directory bucket %s",
                       view->session_of);
    }
    const char *access = k ? k->access_key : pl_settings_get(s3->settings, "aws_access_key_id");
    const char *secret = k ? k->secret_key : pl_settings_get(s3->settings, "aws_secret_access_key");
    const char *token = k ? k->token : pl_settings_get(s3->settings, "aws_session_token");
    *out = (struct pl_sigv4_identity){.access_key = pl_str_c(access),
                                      .secret_key = pl_str_c(secret),
                                      .token = pl_str_c(token),
                                      .region = pl_str_c(view->region),
                                      .service = view->express ? PL_STR("s3express") : PL_STR("s3"),
                                      .flags = view->session_of ? PL_SIGV4_BUCKET_SESSION : 0,
                                      .time_ms = now_ms};
    if (out->access_key.len && out->secret_key.len) {
        return PAIL_OK;
    }
    pail_code rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "there is no %s for S3",
                           out->access_key.len ? "secret key" : "access key");
    pl_error_hint(err, "set aws_access_key_id and aws_secret_access_key (as settings, as "
                       "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in the profile of "
                       "~/.aws/credentials); for public data set aws_skip_signature=true");
    return rc;
}

/* Only what no hop changes: some front ends rewrite the others. */
static bool is_signed(struct pl_str name)
{
    return pl_str_ieq(name, PL_STR("content-type")) || pl_str_ieq(name, PL_STR("content-md5")) ||
           (name.len > 6 && pl_str_ieq(pl_str_n(name.ptr, 6), PL_STR("x-amz-")));
}

static pail_code hash_of(struct pl_http_request *r, char hex[65], struct pail_error **err)
{
    struct pl_sum_value v;
    if (!r->body || r->body->len == 0) {
        struct pl_str empty = PL_SIGV4_EMPTY_HASH;
        memcpy(hex, empty.ptr, empty.len + 1);
        return PAIL_OK;
    }
    pail_code rc = pl_sum_of(PL_SUM_SHA256, r->body->ptr, (size_t)r->body->len, &v, err);
    if (!rc) {
        pl_hex_encode(hex, v.bytes, v.len);
    }
    return rc;
}

pail_code pl_s3_sign(struct pl_s3 *s3, const struct pl_s3_view *view, const struct pl_attempt *a,
                     struct pl_http_request *r, const char *payload_hash, struct pail_error **err)
{
    struct pl_sigv4_identity who;
    struct pl_header headers[PL_HTTP_HEADERS_MAX];
    struct pl_sigv4_headers made;
    struct pl_sigv4 *v4;
    char hex[65];
    if (s3->anonymous) {
        return PAIL_OK;
    }
    struct pl_sigv4_request request = {.method = pl_str_c(r->method),
                                       .target = pl_str_c(r->target),
                                       .host = pl_str_c(pl_http_host(r)),
                                       .headers = headers};
    for (size_t i = 0; i < r->header_count; i++) {
        if (is_signed(r->headers[i].name)) {
            headers[request.header_count++] = r->headers[i];
        }
    }
    struct pl_aws_keys *held;
    pail_code rc = identify(s3, view, a->now_ms, &who, &held, err);
    if (a->memo) {
        ((struct pl_s3_memo *)a->memo)->session_until =
            view->session_of && held ? held->expires_ms : 0;
    }
    rc = rc || payload_hash ? rc : hash_of(r, hex, err);
    if (rc) {
        pl_aws_keys_release(held);
        return rc;
    }
    request.payload_hash = pl_str_c(payload_hash ? payload_hash : hex);
    pthread_mutex_lock(&s3->dialect.lock);
    rc = signer_locked(s3, &v4, err);
    rc = rc ? rc : pl_sigv4_sign(v4, &who, &request, &made, err);
    for (size_t i = 0; !rc && i < made.count; i++) {
        char name[64];
        size_t n = made.headers[i].name.len < sizeof name ? made.headers[i].name.len : 0;
        memcpy(name, made.headers[i].name.ptr, n);
        name[n] = '\0';
        pl_http_add(r, name, made.headers[i].value);
    }
    pthread_mutex_unlock(&s3->dialect.lock);
    pl_aws_keys_release(held);
    return rc || !r->failed ? rc : pl_fail(err, PAIL_E_NO_MEMORY, "no room for the signature");
}

static void add_presign_query(struct pl_op *op, struct pl_buf *query)
{
    const struct {
        const char *name, *value;
    } parameters[] = {
        {"versionId", op->version},
        {"response-content-type", op->in.presign.response_content_type},
        {"response-content-disposition", op->in.presign.response_content_disposition}};
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        if (parameters[i].value) {
            pl_url_query_add(query, parameters[i].name, pl_str_c(parameters[i].value));
        }
    }
}

static pail_code give_presigned(struct pl_op *op, struct pl_attempt *a, uint32_t expires_s,
                                struct pl_http_request *r, struct pl_str target)
{
    struct pl_buf url = PL_BUF_MAX(URL_MAX);
    pl_buf_puts(&url, r->origin.tls ? "https://" : "http://");
    pl_buf_puts(&url, pl_http_host(r));
    pl_buf_str(&url, target);
    op->out.presigned.url = pl_buf_rc(&url) ? NULL : pl_arena_dup(&op->arena, pl_buf_view(&url));
    pl_buf_dispose(&url);
    op->out.presigned.expires_ms = a->now_ms + (int64_t)expires_s * 1000;
    if (op->in.presign.content_type) {
        pail_kv kv = {"content-type", op->in.presign.content_type};
        op->out.presigned.headers = pl_arena_dup_kv(&op->arena, &kv, 1);
        op->out.presigned.header_count = op->out.presigned.headers ? 1 : 0;
    }
    return op->arena.failed || !op->out.presigned.url ? PAIL_E_NO_MEMORY : PAIL_OK;
}

pail_code pl_s3_presign(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                        struct pail_error **err)
{
    struct pl_s3 *s3 = (struct pl_s3 *)d;
    struct pl_s3_view view;
    struct pl_http_request r = {.method = op->in.presign.method ? op->in.presign.method : "GET"};
    struct pl_buf target = PL_BUF_MAX(URL_MAX), query = PL_BUF_MAX(URL_MAX),
                  made = PL_BUF_MAX(URL_MAX);
    uint32_t expires_s = op->in.presign.expires_s ? op->in.presign.expires_s : DEFAULT_EXPIRES_S;
    struct pl_sigv4_identity who;
    struct pl_sigv4 *v4;
    struct pl_header type = {PL_STR("content-type"), pl_str_c(op->in.presign.content_type)};
    pl_s3_view_op(s3, op, &view);
    struct pl_aws_keys *held;
    pail_code rc = identify(s3, &view, a->now_ms, &who, &held, err);
    rc = rc ? rc : pl_s3_locate(s3, &view, op->bucket, op->key, &r, &target, err);
    if (rc) {
        goto out;
    }
    add_presign_query(op, &query);
    pl_buf_puts(&target, query.len ? "?" : "");
    pl_buf_str(&target, pl_buf_view(&query));
    struct pl_sigv4_request request = {.method = pl_str_c(r.method),
                                       .target = pl_buf_view(&target),
                                       .host = pl_str_c(pl_http_host(&r)),
                                       .headers = &type,
                                       .header_count = op->in.presign.content_type ? 1 : 0,
                                       .payload_hash = PL_SIGV4_UNSIGNED};
    pthread_mutex_lock(&s3->dialect.lock);
    rc = signer_locked(s3, &v4, err);
    rc = rc ? rc : pl_sigv4_presign(v4, &who, &request, expires_s, &made, err);
    pthread_mutex_unlock(&s3->dialect.lock);
    rc = rc ? rc : give_presigned(op, a, expires_s, &r, pl_buf_view(&made));
    if (held && held->expires_ms && op->out.presigned.expires_ms > held->expires_ms) {
        op->out.presigned.expires_ms = held->expires_ms; /* the URL dies with its keys */
    }
    if (rc == PAIL_E_NO_MEMORY) {
        pl_fail(err, rc, "no memory for a presigned URL");
    }
out:
    pl_aws_keys_release(held);
    pl_buf_dispose(&target);
    pl_buf_dispose(&query);
    pl_buf_dispose(&made);
    pl_http_request_dispose(&r);
    return rc;
}
