/* Signed URLs. Source: Cloud Storage "V4 signing process with your own program". */
#include "codec/url.h"
#include "cred/gcs.h"
#include "provider/gcs.h"
#include "sign/gcs_v4.h"

enum { URL_MAX = 32 * 1024, DEFAULT_EXPIRES_S = 3600 };

static pail_code identify(const struct pl_gcs *gcs, struct pl_gcs_v4 *in, struct pail_error **err)
{
    const char *id = pl_settings_get(gcs->settings, "google_hmac_access_id");
    const char *secret = pl_settings_get(gcs->settings, "google_hmac_secret");
    if (pl_gcs_auth_key(gcs->auth, &in->id, &in->key)) {
        return PAIL_OK;
    }
    if (id && secret) {
        in->id = id;
        in->secret = pl_str_c(secret);
        return PAIL_OK;
    }
    pail_code rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "there is no key to sign a URL with: %s",
                           pl_gcs_auth_name(gcs->auth));
    pl_error_hint(err, "set google_application_credentials to a service account's key file, or "
                       "google_hmac_access_id and google_hmac_secret");
    return rc;
}

static void add_query(const struct pl_op *op, const char *payer, struct pl_buf *query)
{
    const struct {
        const char *name, *value;
    } parameters[] = {{"generation", op->version},
                      {"response-content-type", op->in.presign.response_content_type},
                      {"response-content-disposition", op->in.presign.response_content_disposition},
                      {"userProject", payer}};
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        if (parameters[i].value) {
            pl_url_query_add(query, parameters[i].name, pl_str_c(parameters[i].value));
        }
    }
}

static pail_code give(struct pl_op *op, struct pl_attempt *a, uint64_t expires_s,
                      const struct pl_buf *url)
{
    op->out.presigned.url = pl_buf_rc(url) ? NULL : pl_arena_dup(&op->arena, pl_buf_view(url));
    op->out.presigned.expires_ms = a->now_ms + (int64_t)expires_s * 1000;
    if (op->in.presign.content_type) {
        pail_kv kv = {"content-type", op->in.presign.content_type};
        op->out.presigned.headers = pl_arena_dup_kv(&op->arena, &kv, 1);
        op->out.presigned.header_count = op->out.presigned.headers ? 1 : 0;
    }
    return op->arena.failed || !op->out.presigned.url ? PAIL_E_NO_MEMORY : PAIL_OK;
}

pail_code pl_gcs_presign(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                         struct pail_error **err)
{
    struct pl_gcs *gcs = (struct pl_gcs *)d;
    struct pl_buf path = PL_BUF_MAX(URL_MAX), query = PL_BUF_MAX(URL_MAX),
                  url = PL_BUF_MAX(URL_MAX);
    struct pl_http_request r = {.origin = {gcs->tls, gcs->host, gcs->port}};
    struct pl_header type = {PL_STR("content-type"), pl_str_c(op->in.presign.content_type)};
    struct pl_gcs_v4 in = {.method = op->in.presign.method ? op->in.presign.method : "GET",
                           .scheme = gcs->tls ? "https" : "http",
                           .host = pl_http_host(&r),
                           .headers = &type,
                           .header_count = op->in.presign.content_type ? 1 : 0,
                           .expires_s = op->in.presign.expires_s ? op->in.presign.expires_s
                                                                 : DEFAULT_EXPIRES_S,
                           .time_ms = a->now_ms};
    pail_code rc = in.host ? identify(gcs, &in, err) : PAIL_E_NO_MEMORY;
    pl_buf_puts(&path, gcs->base_path);
    pl_buf_putc(&path, '/');
    pl_url_encode(&path, pl_str_c(op->bucket), 0);
    pl_buf_putc(&path, '/');
    pl_url_encode(&path, pl_str_c(op->key), PL_URL_KEEP_SLASH);
    add_query(op, pl_settings_get(gcs->settings, "google_user_project"), &query);
    rc = rc ? rc : pl_buf_rc(&path) ? pl_buf_rc(&path) : pl_buf_rc(&query);
    in.path = pl_buf_view(&path);
    in.query = pl_buf_view(&query);
    rc = rc ? rc : pl_gcs_v4_url(&in, &url, NULL, NULL, err);
    rc = rc ? rc : give(op, a, in.expires_s, &url);
    if (rc) {
        pl_fail(err, rc, "the URL cannot be made");
    }
    pl_buf_dispose(&path);
    pl_buf_dispose(&query);
    pl_buf_dispose(&url);
    pl_http_request_dispose(&r);
    return rc;
}
