/* Who asks, and URLs that others may ask with. Source: Azure Storage REST API "Authorize requests
 * to Azure Storage"; "Create a service SAS", "Create a user delegation SAS". */
#include "codec/date.h"
#include "codec/url.h"
#include "provider/azure.h"

enum { DEFAULT_EXPIRES_S = 3600, URL_MAX = 32 * 1024, SKEW_MS = 15 * 60 * 1000 };

static pail_code no_credentials(const struct pl_azure *az, struct pail_error **err)
{
    pail_code rc = pl_fail(err, PAIL_E_NO_CREDENTIALS,
                           "no credentials for Azure; tried " PL_AZURE_UNSET
                           "; managed identity, az command: not "
                           "asked, as %s",
                           !az->tls ? "the endpoint is not TLS and no setting names them"
                           : !pl_azure_is_own(az->host)
                               ? "the endpoint is none of Azure's own and no setting names them"
                               : "the environment is left out and no setting names them");
    pl_error_hint(err,
                  "set azure_storage_account_key, azure_storage_sas_token, "
                  "azure_storage_token or azure_storage_connection_string (or their "
                  "AZURE_STORAGE_... variables); for public data set azure_skip_signature=true");
    return rc;
}

static pail_code sign_by_key(struct pl_azure *az, struct pl_http_request *r,
                             struct pail_error **err)
{
    struct pl_buf text = PL_BUF_MAX(1024);
    struct pl_azure_request request = {.method = pl_str_c(r->method),
                                       .account = pl_str_c(az->account),
                                       .target = pl_str_c(r->target),
                                       .headers = r->headers,
                                       .header_count = r->header_count,
                                       .body_bytes = r->body ? r->body->len : 0};
    pthread_mutex_lock(&az->dialect.lock);
    pail_code rc = pl_azure_key_sign(&az->key, &request, &text, err);
    pthread_mutex_unlock(&az->dialect.lock);
    if (!rc) {
        pl_http_add(r, "authorization", pl_buf_view(&text));
    }
    pl_buf_dispose(&text);
    return rc;
}

static void bearer(struct pl_http_request *r, struct pl_str token)
{
    struct pl_buf text = PL_BUF_MAX(64 * 1024);
    pl_buf_puts(&text, "Bearer ");
    pl_buf_str(&text, token);
    r->failed |= pl_buf_rc(&text) != PAIL_OK;
    pl_http_add(r, "authorization", pl_buf_view(&text));
    if (text.ptr) {
        pl_zero(text.ptr, text.len);
    }
    pl_buf_dispose(&text);
}

static pail_code by_login(struct pl_azure *az, struct pl_http_request *r, struct pail_error **err)
{
    struct pl_buf token = PL_BUF_MAX(64 * 1024);
    pail_code rc = pl_azure_login_token(az->login, &token, err);
    if (!rc) {
        bearer(r, pl_buf_view(&token));
    }
    if (token.ptr) {
        pl_zero(token.ptr, token.len);
    }
    pl_buf_dispose(&token);
    return rc;
}

pail_code pl_azure_sign(struct pl_azure *az, const struct pl_attempt *a, struct pl_http_request *r,
                        struct pail_error **err)
{
    char date[PL_DATE_HTTP_SIZE];
    pl_http_add_c(r, "x-ms-date", pl_date_http(a->now_ms, date));
    switch (az->auth) {
    case PL_AZURE_NONE: return no_credentials(az, err);
    case PL_AZURE_ANONYMOUS:
    case PL_AZURE_SAS: return PAIL_OK;
    case PL_AZURE_BEARER: bearer(r, pl_str_c(az->token)); return PAIL_OK;
    case PL_AZURE_LOGIN: return by_login(az, r, err);
    case PL_AZURE_KEY: return sign_by_key(az, r, err);
    }
    return PAIL_OK;
}

pail_code pl_azure_authorize(struct pl_azure *az, const struct pl_attempt *a,
                             struct pl_http_request *r, struct pail_error **err)
{
    pl_http_add_c(r, "x-ms-version", PL_AZURE_VERSION);
    return pl_azure_sign(az, a, r, err);
}

const char *pl_azure_iso(int64_t ms, char *out)
{
    pl_date_iso(ms, out);
    memcpy(out + 19, "Z", 2);
    return out;
}

int64_t pl_azure_url_ms(const struct pl_op *op)
{
    uint32_t s = op->in.presign.expires_s;
    return (int64_t)(s ? s : DEFAULT_EXPIRES_S) * 1000;
}

/* Exactly what was asked for: who may write does not read. */
static const char *permission_of(const char *method)
{
    static const char *const all[][2] = {
        {"GET", "r"}, {"HEAD", "r"}, {"PUT", "cw"}, {"DELETE", "d"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(method, all[i][0]) == 0) {
            return all[i][1];
        }
    }
    return NULL;
}

static pail_code token(struct pl_azure *az, struct pl_op *op, const struct pl_attempt *a,
                       int64_t *expires_ms, struct pl_buf *out, struct pail_error **err)
{
    char start[PL_DATE_ISO_SIZE], expiry[PL_DATE_ISO_SIZE];
    struct pl_str version = pl_str_c(op->version);
    bool snapshot = pl_str_starts(version, PL_STR("snapshot:"));
    const char *permission = permission_of(op->in.presign.method ? op->in.presign.method : "GET");
    struct pl_azure_sas sas = {.version = PL_AZURE_VERSION,
                               .permission = permission,
                               .start = pl_azure_iso(a->now_ms - SKEW_MS, start),
                               .protocol = az->tls ? "https" : NULL,
                               .account = az->account,
                               .container = op->bucket,
                               .blob = op->key,
                               .snapshot = snapshot ? op->version + 9 : NULL,
                               .blob_version = snapshot ? NULL : op->version,
                               .content_type = op->in.presign.response_content_type,
                               .content_disposition = op->in.presign.response_content_disposition};
    if (!permission) {
        return pl_fail(err, PAIL_E_UNSUPPORTED, "Azure has no URL for %s", op->in.presign.method);
    }
    if (!az->account) {
        return pl_fail(err, PAIL_E_BAD_CONFIG,
                       "a URL for others names the account: set azure_storage_account_name");
    }
    pthread_mutex_lock(&az->dialect.lock);
    struct pl_azure_delegation_key *by = &az->delegation;
    if (az->auth != PL_AZURE_KEY && !by->key_ready) {
        pthread_mutex_unlock(&az->dialect.lock);
        pail_code rc = pl_fail(err, PAIL_E_UNSUPPORTED,
                               "a URL for others is signed with the account's key or by a login, "
                               "neither of which is there");
        pl_error_hint(err, "set azure_storage_account_key or azure_storage_token");
        return rc;
    }
    if (az->auth != PL_AZURE_KEY) {
        sas.delegation = &by->is;
        *expires_ms = *expires_ms < by->expires_ms ? *expires_ms : by->expires_ms;
    }
    sas.expiry = pl_azure_iso(*expires_ms, expiry);
    pail_code rc = pl_azure_sas_blob(sas.delegation ? &by->key : &az->key, &sas, out, err);
    pthread_mutex_unlock(&az->dialect.lock);
    return rc;
}

static void give_headers(struct pl_op *op)
{
    pail_kv kv[2];
    size_t n = 0;
    /* SPEC "Put Blob": required, also where the URL is signed. */
    if (op->in.presign.method && strcmp(op->in.presign.method, "PUT") == 0) {
        kv[n++] = (pail_kv){"x-ms-blob-type", "BlockBlob"};
    }
    if (op->in.presign.content_type) {
        kv[n++] = (pail_kv){"content-type", op->in.presign.content_type};
    }
    op->out.presigned.headers = pl_arena_dup_kv(&op->arena, kv, n);
    op->out.presigned.header_count = op->out.presigned.headers ? n : 0;
}

pail_code pl_azure_presign(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                           struct pail_error **err)
{
    struct pl_azure *az = (struct pl_azure *)d;
    struct pl_http_request r = {.origin = {az->tls, az->host, az->port}};
    struct pl_buf url = PL_BUF_MAX(URL_MAX), query = PL_BUF_MAX(URL_MAX);
    int64_t expires_ms = a->now_ms + pl_azure_url_ms(op);
    const char *host = pl_http_host(&r);
    pl_azure_version(&query, op->version);
    pail_code rc = token(az, op, a, &expires_ms, &query, err);
    pl_buf_puts(&url, az->tls ? "https://" : "http://");
    pl_buf_puts(&url, host ? host : "");
    pl_azure_path(az, op->bucket, op->key, &url);
    pl_buf_putc(&url, '?');
    pl_buf_str(&url, pl_buf_view(&query));
    if (!rc) {
        op->out.presigned.url =
            pl_buf_rc(&url) ? NULL : pl_arena_dup(&op->arena, pl_buf_view(&url));
        op->out.presigned.expires_ms = expires_ms;
        give_headers(op);
        if (!host || !op->out.presigned.url || op->arena.failed) {
            rc = pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a presigned URL");
        }
    }
    pl_buf_dispose(&url);
    pl_buf_dispose(&query);
    pl_http_request_dispose(&r);
    return rc;
}
