/* The fetching of a token: one request to the token endpoint or the metadata server. Source: RFC
 * 7523 section 2.1, RFC 6749 section 6; Compute Engine "Authenticate workloads with service
 * accounts". */
#include "codec/json.h"
#include "codec/url.h"
#include "cred/gcs_auth.h"

enum { ANSWER_MAX = 64 * 1024, ENDPOINT_MS = 30000, METADATA_MS = 1500, DAY_S = 24 * 3600 };

struct fetch {
    struct pl_errand errand; /* first */
    struct pl_gcs_auth *auth;
    bool sent;
};

static pail_code set_origin(struct pl_http_request *out, struct pl_str text,
                            struct pail_error **err)
{
    struct pl_url url;
    struct pl_buf host = PL_BUF_MAX(512), target = PL_BUF_MAX(4096);
    pail_code rc = pl_url_parse(text, &url, err);
    if (rc) {
        return rc;
    }
    for (size_t i = 0; i < url.host.len; i++) {
        char c = url.host.ptr[i];
        pl_buf_putc(&host, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
    pl_buf_str(&target, url.path.len ? url.path : PL_STR("/"));
    pl_buf_puts(&target, url.has_query ? "?" : "");
    pl_buf_str(&target, url.has_query ? url.query : PL_STR(""));
    out->origin = (struct pl_origin){.tls = url.tls, .port = url.port};
    out->origin.host = pl_arena_dup(&out->arena, pl_buf_view(&host));
    out->target = pl_arena_dup(&out->arena, pl_buf_view(&target));
    bool fine = !pl_buf_rc(&host) && !pl_buf_rc(&target) && out->origin.host && out->target;
    pl_buf_dispose(&host);
    pl_buf_dispose(&target);
    return fine ? PAIL_OK : pl_fail(err, PAIL_E_NO_MEMORY, "no memory to ask for a token");
}

/* SPEC RFC 7523#2.1 for a service account, RFC 6749#6 for a user. */
static pail_code write_form(struct pl_gcs_auth *a, int64_t now_ms, struct pl_buf *form,
                            struct pail_error **err)
{
    if (a->source == PL_GCS_ACCOUNT) {
        struct pl_buf assertion = PL_BUF_MAX(16 * 1024);
        pail_code rc = pl_gcs_self_signed(a, true, now_ms, &assertion, err);
        pl_url_query_add(form, "grant_type", PL_STR("urn:ietf:params:oauth:grant-type:jwt-bearer"));
        pl_url_query_add(form, "assertion", pl_buf_view(&assertion));
        if (assertion.ptr) {
            pl_zero(assertion.ptr, assertion.cap);
        }
        pl_buf_dispose(&assertion);
        return rc;
    }
    pl_url_query_add(form, "grant_type", PL_STR("refresh_token"));
    pl_url_query_add(form, "client_id", pl_str_c(a->client_id));
    pl_url_query_add(form, "client_secret", pl_str_c(a->client_secret));
    pl_url_query_add(form, "refresh_token", pl_str_c(a->refresh_token));
    return PAIL_OK;
}

static pail_code ask_endpoint(struct fetch *f, int64_t now_ms, struct pl_http_request *out,
                              struct pail_error **err)
{
    struct pl_buf form = PL_BUF_MAX(64 * 1024);
    pail_code rc = set_origin(out, pl_str_c(f->auth->token_uri), err);
    rc = rc ? rc : write_form(f->auth, now_ms, &form, err);
    if (!rc && pl_buf_rc(&form)) {
        rc = pl_fail(err, pl_buf_rc(&form), "the request for a token is too large");
    }
    if (!rc) {
        out->method = "POST";
        pl_http_add_c(out, "content-type", "application/x-www-form-urlencoded");
        pl_http_set_text(out, pl_buf_view(&form));
        f->errand.timeout_ms = ENDPOINT_MS;
    }
    if (form.ptr) {
        pl_zero(form.ptr, form.cap);
    }
    pl_buf_dispose(&form);
    return rc;
}

static pail_code ask_metadata(struct fetch *f, struct pl_http_request *out, struct pail_error **err)
{
    struct pl_buf url = PL_BUF_MAX(1024);
    pl_buf_printf(&url, "http://%s/computeMetadata/v1/instance/service-accounts/default/token",
                  f->auth->metadata_host);
    pail_code rc = pl_buf_rc(&url);
    rc = rc ? pl_fail(err, PAIL_E_BAD_CONFIG, "gcs_metadata_host is too long")
            : set_origin(out, pl_buf_view(&url), err);
    pl_buf_dispose(&url);
    if (!rc) {
        out->method = "GET";
        out->direct = true;
        pl_http_add_c(out, "metadata-flavor", "Google");
        f->errand.timeout_ms = METADATA_MS;
    }
    return rc;
}

static void say_failed(struct fetch *f, const struct pl_http_response *r, const char *why,
                       struct pail_error **err)
{
    struct pl_gcs_auth *a = f->auth;
    bool metadata = a->source == PL_GCS_METADATA;
    pail_code code = metadata ? PAIL_E_NO_CREDENTIALS : PAIL_E_UNAUTHENTICATED;
    if (!metadata && (r->fail || r->status >= 500)) {
        code = PAIL_E_UNAVAILABLE;
    }
    if (r->fail) {
        pl_fail(err, code, "no token from %s: %s", metadata ? a->metadata_host : a->token_uri,
                r->why);
    } else {
        pl_fail(err, code, "no token from %s: HTTP %d%s%s",
                metadata ? a->metadata_host : a->token_uri, r->status, *why ? ", " : "", why);
    }
    if (metadata) {
        pl_error_hint(err, "tried in order: google_token, google_service_account_key, "
                           "google_service_account, google_application_credentials, gcloud's file "
                           "and the metadata server; none of the first is set. For public data set "
                           "google_skip_signature=true");
    } else {
        pl_error_hint(err, "the credentials used are: %s", a->name);
    }
}

/* "error" of RFC 6749#5.2: a word of few letters, so that nothing of the answer leaks. */
static void error_word(const json_t *root, char room[64])
{
    const char *word = pl_json_text(root, "error");
    size_t n = 0;
    for (; word && word[n] && n < 63; n++) {
        room[n] = (word[n] >= 'a' && word[n] <= 'z') || word[n] == '_' ? word[n] : '?';
    }
    room[n] = '\0';
}

static enum pl_errand_step use(struct fetch *f, int64_t now_ms, const struct pl_http_response *r,
                               struct pail_error **err)
{
    json_t *root = NULL;
    char word[64] = "";
    uint64_t seconds = 0;
    bool flavoured = f->auth->source != PL_GCS_METADATA ||
                     pl_str_ieq(pl_http_header(r, "metadata-flavor"), PL_STR("Google"));
    bool parsed = !r->fail && pl_json_parse(pl_buf_view(&r->body), "token", &root, NULL) == PAIL_OK;
    const char *token = r->status == 200 ? pl_json_text(root, "access_token") : NULL;
    bool fine = parsed && flavoured && token && *token && pl_header_safe(pl_str_c(token));
    if (fine) {
        if (!pl_json_u64(root, "expires_in", &seconds) || seconds > DAY_S) {
            seconds = 3600;
        }
        pl_gcs_auth_keep(f->auth, token, now_ms + (int64_t)seconds * 1000);
    } else {
        error_word(root, word);
        say_failed(f, r, *word ? word : r->status == 200 ? "an answer without a token" : "", err);
        pthread_mutex_lock(&f->auth->lock);
        f->auth->failed_ms = now_ms;
        pthread_mutex_unlock(&f->auth->lock);
    }
    json_decref(root);
    return fine ? PL_ERRAND_DONE : PL_ERRAND_FAIL;
}

static enum pl_errand_step next(struct pl_errand *e, int64_t now_ms,
                                const struct pl_http_response *answer, struct pl_http_request *out,
                                struct pail_error **err)
{
    struct fetch *f = (struct fetch *)e;
    if (f->sent && answer) {
        return use(f, now_ms, answer, err);
    }
    pail_code rc = f->auth->source == PL_GCS_METADATA ? ask_metadata(f, out, err)
                                                      : ask_endpoint(f, now_ms, out, err);
    f->sent = true;
    out->body_bytes_max = ANSWER_MAX;
    return rc ? PL_ERRAND_FAIL : PL_ERRAND_SEND;
}

static void fetch_free(struct pl_errand *e)
{
    pl_free(e);
}

struct pl_errand *pl_gcs_auth_errand(struct pl_gcs_auth *a, struct pail_error **err)
{
    struct fetch *f = pl_calloc(1, sizeof *f);
    if (!f) {
        pl_fail(err, PAIL_E_NO_MEMORY, "no memory to ask for a token");
        return NULL;
    }
    f->errand = (struct pl_errand){.next = next, .free = fetch_free};
    f->auth = a;
    return &f->errand;
}
