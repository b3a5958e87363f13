#include "cred/gcs.h"

#include <fcntl.h>

#include "base/sys.h"
#include "codec/url.h"
#include "cred/gcs_auth.h"
#include "sign/jwt.h"

enum { HOUR_MS = 3600 * 1000, AHEAD_MS = 225 * 1000, LATE_MS = 10 * 1000 };

static bool copy(char **to, const char *text)
{
    *to = text ? pl_strdup(text) : NULL;
    return !text || *to;
}

/* What "gcloud auth application-default login" writes; not there: PAIL_OK with NOBODY. */
static pail_code read_well_known(struct pl_gcs_auth *a, struct pail_error **err)
{
    struct pl_buf path = PL_BUF_MAX(4096);
    const char *folder = pl_sys.env("CLOUDSDK_CONFIG"), *home = pl_sys.env("HOME");
    struct stat st;
    if (!folder && !home) {
        return PAIL_OK;
    }
    pl_buf_puts(&path, folder ? folder : home);
    pl_buf_puts(&path, folder ? "" : "/.config/gcloud");
    pl_buf_puts(&path, "/application_default_credentials.json");
    pail_code rc = pl_buf_rc(&path) || pl_sys.stat(AT_FDCWD, path.ptr, &st, 0)
                       ? PAIL_OK
                       : pl_gcs_read_file(a, path.ptr, err);
    pl_buf_dispose(&path);
    return rc;
}

static pail_code find(struct pl_gcs_auth *a, const struct pl_settings *s, bool ignore_environment,
                      bool emulator, struct pail_error **err)
{
    static const char *const files[] = {"google_service_account", "google_application_credentials"};
    const char *token = pl_settings_get(s, "google_token");
    const char *text = pl_settings_get(s, "google_service_account_key");
    if (pl_settings_bool(s, "google_skip_signature", false)) {
        return pl_gcs_set_name(a, "none", NULL, "google_skip_signature") ? PAIL_OK
                                                                         : pl_gcs_no_memory(err);
    }
    if (token) {
        a->source = PL_GCS_BEARER;
        pl_gcs_token_set(&a->token, token, INT64_MAX);
        return a->token.text && pl_gcs_set_name(a, "bearer token", NULL,
                                                pl_settings_origin(s, "google_token"))
                   ? PAIL_OK
                   : pl_gcs_no_memory(err);
    }
    if (text) {
        return pl_gcs_read_json(a, pl_str_c(text), "google_service_account_key", err);
    }
    for (size_t i = 0; i < 2; i++) {
        if (pl_settings_get(s, files[i])) {
            return pl_gcs_read_file(a, pl_settings_get(s, files[i]), err);
        }
    }
    if (emulator && !pl_settings_get(s, "gcs_metadata_host")) {
        return pl_gcs_set_name(a, "none", NULL, "an endpoint of its own without credentials")
                   ? PAIL_OK
                   : pl_gcs_no_memory(err);
    }
    pail_code rc = ignore_environment ? PAIL_OK : read_well_known(a, err);
    if (rc || a->source != PL_GCS_NOBODY) {
        return rc;
    }
    a->source = PL_GCS_METADATA;
    a->on_google = pl_gcs_machine_is_googles();
    return pl_gcs_set_name(a, "this machine's account", NULL, "metadata server")
               ? PAIL_OK
               : pl_gcs_no_memory(err);
}

/* The host of gcs_endpoint, which whoever runs this has chosen. */
static bool set_own_host(struct pl_gcs_auth *a, const struct pl_settings *s)
{
    const char *given = pl_settings_get(s, "gcs_endpoint");
    struct pl_buf text = PL_BUF_MAX(2048);
    struct pl_url url;
    pl_buf_puts(&text, given && !strstr(given, "://") ? "http://" : "");
    pl_buf_puts(&text, given ? given : "");
    if (given && *given && !pl_url_parse(pl_buf_view(&text), &url, NULL)) {
        a->own_host = pl_strndup(url.host.ptr, url.host.len);
    } else {
        given = NULL;
    }
    pl_buf_dispose(&text);
    return !given || a->own_host;
}

static pail_code prepare(struct pl_gcs_auth *a, const struct pl_settings *s,
                         struct pail_error **err)
{
    const char *host = pl_settings_get(s, "gcs_metadata_host");
    const char *iam = pl_settings_get(s, "google_iam_endpoint");
    a->exchange = pl_settings_bool(s, "google_token_exchange", false);
    a->lifetime_s = HOUR_MS / 1000;
    return copy(&a->metadata_host, host ? host : "metadata.google.internal") &&
                   copy(&a->iam_endpoint, iam ? iam : "https://iamcredentials.googleapis.com") &&
                   set_own_host(a, s)
               ? PAIL_OK
               : pl_gcs_no_memory(err);
}

pail_code pl_gcs_auth_new(const struct pl_settings *settings, bool ignore_environment,
                          bool emulator, struct pl_gcs_auth **out, struct pail_error **err)
{
    const char *target = pl_settings_get(settings, "google_impersonate_service_account");
    struct pl_gcs_auth *a = pl_calloc(1, sizeof *a);
    if (!a) {
        return pl_gcs_no_memory(err);
    }
    pthread_mutex_init(&a->lock, NULL);
    a->ignore_environment = ignore_environment;
    pail_code rc = prepare(a, settings, err);
    rc = rc ? rc : find(a, settings, ignore_environment, emulator, err);
    rc = rc || !target ? rc : pl_gcs_impersonate(a, target, err);
    if (!rc && a->target && a->source == PL_GCS_BEARER) { /* what is given is not the last one */
        a->base = a->token;
        a->token = (struct pl_gcs_token){0};
    }
    if (!rc && a->source == PL_GCS_ACCOUNT && (a->exchange || a->target)) { /* is asked, then */
        rc = pl_gcs_check_token_uri(a, a->name, err);
    }
    if (!rc && !a->token_uri && !copy(&a->token_uri, "https://oauth2.googleapis.com/token")) {
        rc = pl_gcs_no_memory(err);
    }
    if (rc) {
        pl_gcs_auth_free(a);
        return rc;
    }
    *out = a;
    return PAIL_OK;
}

static void external_dispose(struct pl_gcs_external *x)
{
    char *plain[] = {x->audience,   x->subject_type, x->project,         x->file, x->url, x->field,
                     x->region_url, x->session_url,  x->verification_url};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        pl_free(plain[i]);
    }
    for (size_t i = 0; i < PL_GCS_HEADERS_MAX; i++) {
        pl_free(x->header_names[i]);
        pl_free_secret(x->header_values[i]);
    }
}

void pl_gcs_auth_free(struct pl_gcs_auth *a)
{
    if (!a) {
        return;
    }
    pthread_mutex_destroy(&a->lock);
    pl_rsa_free(a->key);
    pl_free_secret(a->token.text);
    pl_free_secret(a->base.text);
    pl_free_secret(a->client_secret);
    pl_free_secret(a->refresh_token);
    external_dispose(&a->external);
    char *plain[] = {a->name,      a->email,      a->key_id,   a->project,       a->token_uri,
                     a->client_id, a->machine,    a->own_host, a->metadata_host, a->iam_endpoint,
                     a->target,    a->target_url, a->delegates};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        pl_free(plain[i]);
    }
    pl_free(a);
}

static bool is_fetched(const struct pl_gcs_auth *a)
{
    return a->target || a->source == PL_GCS_USER || a->source == PL_GCS_METADATA ||
           a->source == PL_GCS_EXTERNAL || (a->source == PL_GCS_ACCOUNT && a->exchange);
}

bool pl_gcs_auth_lacks(struct pl_gcs_auth *a, int64_t now_ms, bool *now)
{
    if (!is_fetched(a)) {
        return false;
    }
    pthread_mutex_lock(&a->lock);
    const struct pl_gcs_token *t = &a->token;
    *now = !t->text || t->expires_ms - now_ms < LATE_MS;
    bool soon = t->text && t->expires_ms - now_ms < AHEAD_MS && now_ms - a->failed_ms > 30 * 1000;
    pthread_mutex_unlock(&a->lock);
    return *now || soon;
}

bool pl_gcs_auth_forget(struct pl_gcs_auth *a)
{
    if (!a->target && (a->source == PL_GCS_NOBODY || a->source == PL_GCS_BEARER)) {
        return false;
    }
    pthread_mutex_lock(&a->lock);
    pl_gcs_token_set(&a->token, NULL, 0);
    pthread_mutex_unlock(&a->lock);
    return true;
}

void pl_gcs_token_set(struct pl_gcs_token *to, const char *text, int64_t expires_ms)
{
    char *kept = text ? pl_strdup(text) : NULL;
    if (kept || !text) {
        pl_free_secret(to->text);
        *to = (struct pl_gcs_token){kept, expires_ms};
    }
}

void pl_gcs_auth_keep(struct pl_gcs_auth *a, const char *token, int64_t expires_ms,
                      const struct pl_gcs_token *base)
{
    pthread_mutex_lock(&a->lock);
    if (base) { /* renewed together */
        pl_gcs_token_set(&a->base, base->text, base->expires_ms);
        expires_ms = expires_ms < base->expires_ms ? expires_ms : base->expires_ms;
    }
    pl_gcs_token_set(&a->token, token, expires_ms);
    pthread_mutex_unlock(&a->lock);
}

pail_code pl_gcs_self_signed(const struct pl_gcs_auth *a, bool for_exchange, int64_t now_ms,
                             struct pl_buf *out, struct pail_error **err)
{
    struct pl_buf header = PL_BUF_MAX(4096), claims = PL_BUF_MAX(8192);
    pl_buf_puts(&header, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":");
    bool fine = pl_json_quote(&header, pl_str_c(a->key_id));
    pl_buf_putc(&header, '}');
    pl_buf_puts(&claims, "{\"iss\":");
    fine = pl_json_quote(&claims, pl_str_c(a->email)) && fine;
    if (for_exchange) { /* SPEC RFC 7523#3; a subject would ask for somebody else's token */
        pl_buf_printf(&claims, ",\"scope\":\"%s\"",
                      a->target ? PL_GCS_SCOPE_CLOUD : PL_GCS_SCOPE_STORAGE);
        pl_buf_puts(&claims, ",\"aud\":");
        fine = pl_json_quote(&claims, pl_str_c(a->token_uri)) && fine;
    } else { /* SPEC google.aip.dev/auth/4111: no exchange */
        pl_buf_puts(&claims, ",\"sub\":");
        fine = pl_json_quote(&claims, pl_str_c(a->email)) && fine;
        pl_buf_puts(&claims, ",\"aud\":\"https://storage.googleapis.com/\"");
    }
    pl_buf_printf(&claims, ",\"iat\":%lld,\"exp\":%lld}", (long long)(now_ms / 1000),
                  (long long)((now_ms + HOUR_MS) / 1000));
    fine = fine && !pl_buf_rc(&header) && !pl_buf_rc(&claims);
    pail_code rc = fine ? pl_jwt_rs256(a->key, pl_buf_view(&header), pl_buf_view(&claims), out, err)
                        : pl_fail(err, PAIL_E_BAD_CONFIG, "the account's name is not UTF-8");
    pl_buf_dispose(&header);
    pl_buf_dispose(&claims);
    return rc;
}

/* A self-signed token is made where it is missing; signing costs a millisecond an hour. */
static pail_code renew(struct pl_gcs_auth *a, int64_t now_ms, struct pail_error **err)
{
    struct pl_buf token = PL_BUF_MAX(16 * 1024);
    pail_code rc = pl_gcs_self_signed(a, false, now_ms, &token, err);
    if (!rc) {
        pl_gcs_auth_keep(a, token.ptr, now_ms + HOUR_MS, NULL);
        pl_zero(token.ptr, token.cap);
    }
    pl_buf_dispose(&token);
    return rc;
}

pail_code pl_gcs_auth_header(struct pl_gcs_auth *a, int64_t now_ms, struct pl_buf *out,
                             struct pail_error **err)
{
    if (a->source == PL_GCS_NOBODY) {
        return PAIL_OK;
    }
    pthread_mutex_lock(&a->lock);
    bool stale = !a->token.text || a->token.expires_ms - now_ms < AHEAD_MS;
    pthread_mutex_unlock(&a->lock);
    pail_code rc =
        stale && !is_fetched(a) && a->source == PL_GCS_ACCOUNT ? renew(a, now_ms, err) : PAIL_OK;
    pthread_mutex_lock(&a->lock);
    if (a->token.text) {
        pl_buf_puts(out, "Bearer ");
        pl_buf_puts(out, a->token.text);
    }
    bool have = a->token.text && !pl_buf_rc(out);
    pthread_mutex_unlock(&a->lock);
    return rc || have ? rc : pl_fail(err, PAIL_E_NO_CREDENTIALS, "there is no token for Google");
}

const char *pl_gcs_auth_project(const struct pl_gcs_auth *a)
{
    return a->project;
}

bool pl_gcs_auth_key(const struct pl_gcs_auth *a, const char **email, struct evp_pkey_st **key)
{
    bool own = a->key && !a->target;
    if (own && email && key) {
        *email = a->email;
        *key = a->key;
    }
    return own;
}

const char *pl_gcs_auth_name(const struct pl_gcs_auth *a)
{
    return a->name ? a->name : "none";
}
