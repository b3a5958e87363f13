#include "cred/gcs.h"

#include <errno.h>
#include <fcntl.h>

#include "base/sys.h"
#include "codec/json.h"
#include "cred/gcs_auth.h"
#include "sign/jwt.h"

enum {
    FILE_BYTES_MAX = 1 << 20,
    HOUR_MS = 3600 * 1000,
    AHEAD_MS = 225 * 1000,
    LATE_MS = 10 * 1000
};

static pail_code out_of_memory(struct pail_error **err)
{
    return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for credentials");
}

static bool copy(char **to, const char *text)
{
    *to = text ? pl_strdup(text) : NULL;
    return !text || *to;
}

static bool set_name(struct pl_gcs_auth *a, const char *kind, const char *who, const char *where)
{
    struct pl_buf text = PL_BUF_MAX(4096);
    pl_buf_printf(&text, "%s%s%s (%s)", kind, who ? " " : "", who ? who : "", where);
    pl_free(a->name);
    a->name = pl_buf_take(&text);
    pl_buf_dispose(&text);
    return a->name != NULL;
}

static pail_code lacks(const char *where, const char *member, struct pail_error **err)
{
    return pl_fail(err, PAIL_E_BAD_CONFIG, "%s has no \"%s\"", where, member);
}

static pail_code read_account(struct pl_gcs_auth *a, const json_t *root, const char *where,
                              struct pail_error **err)
{
    const char *email = pl_json_text(root, "client_email"),
               *pem = pl_json_text(root, "private_key");
    if (!email || !pem) {
        return lacks(where, email ? "private_key" : "client_email", err);
    }
    a->source = PL_GCS_ACCOUNT;
    bool fine = copy(&a->email, email) && copy(&a->key_id, pl_json_text(root, "private_key_id")) &&
                copy(&a->project, pl_json_text(root, "project_id")) &&
                copy(&a->token_uri, pl_json_text(root, "token_uri")) &&
                set_name(a, "service account", email, where);
    return fine ? pl_rsa_parse(pl_str_c(pem), where, &a->key, err) : out_of_memory(err);
}

static pail_code read_user(struct pl_gcs_auth *a, const json_t *root, const char *where,
                           struct pail_error **err)
{
    static const char *const names[] = {"client_id", "client_secret", "refresh_token"};
    char **to[] = {&a->client_id, &a->client_secret, &a->refresh_token};
    for (size_t i = 0; i < 3; i++) {
        const char *value = pl_json_text(root, names[i]);
        if (!value) {
            return lacks(where, names[i], err);
        }
        if (!copy(to[i], value)) {
            return out_of_memory(err);
        }
    }
    a->source = PL_GCS_USER;
    bool fine = copy(&a->token_uri, pl_json_text(root, "token_uri")) &&
                copy(&a->project, pl_json_text(root, "quota_project_id")) &&
                set_name(a, "user login", NULL, where);
    return fine ? PAIL_OK : out_of_memory(err);
}

/* where: the file, or the setting that holds the text. */
static pail_code read_json(struct pl_gcs_auth *a, struct pl_str text, const char *where,
                           struct pail_error **err)
{
    json_t *root = NULL;
    if (pl_json_parse(text, where, &root, err)) {
        if (err && *err) {
            (*err)->code = PAIL_E_BAD_CONFIG;
        }
        return PAIL_E_BAD_CONFIG;
    }
    const char *type = pl_json_text(root, "type");
    pail_code rc = PAIL_OK;
    if (type && strcmp(type, "service_account") == 0) {
        rc = read_account(a, root, where, err);
    } else if (type && strcmp(type, "authorized_user") == 0) {
        rc = read_user(a, root, where, err);
    } else {
        rc = pl_fail(err, PAIL_E_BAD_CONFIG, "%s is a credential of type \"%.40s\"", where,
                     type ? type : "");
        pl_error_hint(err, "the types known are service_account and authorized_user; or set "
                           "google_token");
    }
    json_decref(root);
    return rc;
}

static pail_code read_file(struct pl_gcs_auth *a, const char *path, struct pail_error **err)
{
    size_t len = 0;
    char *text = pl_sys_read_file(path, FILE_BYTES_MAX, &len);
    if (!text) {
        char room[128];
        return pl_fail(err, PAIL_E_BAD_CONFIG, "cannot read the credentials in %s: %s", path,
                       pl_errno_text(errno, room, sizeof room));
    }
    pail_code rc = read_json(a, pl_str_n(text, len), path, err);
    pl_zero(text, len);
    pl_free(text);
    return rc;
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
                       : read_file(a, path.ptr, err);
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
        return set_name(a, "none", NULL, "google_skip_signature") ? PAIL_OK : out_of_memory(err);
    }
    if (token) {
        a->source = PL_GCS_BEARER;
        a->expires_ms = INT64_MAX;
        return copy(&a->token, token) &&
                       set_name(a, "bearer token", NULL, pl_settings_origin(s, "google_token"))
                   ? PAIL_OK
                   : out_of_memory(err);
    }
    if (text) {
        return read_json(a, pl_str_c(text), "google_service_account_key", err);
    }
    for (size_t i = 0; i < 2; i++) {
        if (pl_settings_get(s, files[i])) {
            return read_file(a, pl_settings_get(s, files[i]), err);
        }
    }
    if (emulator && !pl_settings_get(s, "gcs_metadata_host")) {
        return set_name(a, "none", NULL, "an endpoint of its own without credentials")
                   ? PAIL_OK
                   : out_of_memory(err);
    }
    pail_code rc = ignore_environment ? PAIL_OK : read_well_known(a, err);
    if (rc || a->source != PL_GCS_NOBODY) {
        return rc;
    }
    a->source = PL_GCS_METADATA;
    return set_name(a, "this machine's account", NULL, "metadata server") ? PAIL_OK
                                                                          : out_of_memory(err);
}

pail_code pl_gcs_auth_new(const struct pl_settings *settings, bool ignore_environment,
                          bool emulator, struct pl_gcs_auth **out, struct pail_error **err)
{
    const char *host = pl_settings_get(settings, "gcs_metadata_host");
    struct pl_gcs_auth *a = pl_calloc(1, sizeof *a);
    if (!a) {
        return out_of_memory(err);
    }
    pthread_mutex_init(&a->lock, NULL);
    a->exchange = pl_settings_bool(settings, "google_token_exchange", false);
    pail_code rc = copy(&a->metadata_host, host ? host : "metadata.google.internal")
                       ? find(a, settings, ignore_environment, emulator, err)
                       : out_of_memory(err);
    if (!rc && !a->token_uri && !copy(&a->token_uri, "https://oauth2.googleapis.com/token")) {
        rc = out_of_memory(err);
    }
    if (rc) {
        pl_gcs_auth_free(a);
        return rc;
    }
    *out = a;
    return PAIL_OK;
}

void pl_gcs_auth_free(struct pl_gcs_auth *a)
{
    if (!a) {
        return;
    }
    pthread_mutex_destroy(&a->lock);
    pl_rsa_free(a->key);
    pl_free_secret(a->token);
    pl_free_secret(a->client_secret);
    pl_free_secret(a->refresh_token);
    char *plain[] = {a->name,      a->email,     a->key_id,       a->project,
                     a->token_uri, a->client_id, a->metadata_host};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        pl_free(plain[i]);
    }
    pl_free(a);
}

static bool is_fetched(const struct pl_gcs_auth *a)
{
    return a->source == PL_GCS_USER || a->source == PL_GCS_METADATA ||
           (a->source == PL_GCS_ACCOUNT && a->exchange);
}

bool pl_gcs_auth_lacks(struct pl_gcs_auth *a, int64_t now_ms, bool *now)
{
    if (!is_fetched(a)) {
        return false;
    }
    pthread_mutex_lock(&a->lock);
    *now = !a->token || a->expires_ms - now_ms < LATE_MS;
    bool soon = a->token && a->expires_ms - now_ms < AHEAD_MS && now_ms - a->failed_ms > 30 * 1000;
    pthread_mutex_unlock(&a->lock);
    return *now || soon;
}

bool pl_gcs_auth_forget(struct pl_gcs_auth *a)
{
    if (a->source == PL_GCS_NOBODY || a->source == PL_GCS_BEARER) {
        return false;
    }
    pthread_mutex_lock(&a->lock);
    pl_free_secret(a->token);
    a->token = NULL;
    pthread_mutex_unlock(&a->lock);
    return true;
}

void pl_gcs_auth_keep(struct pl_gcs_auth *a, const char *token, int64_t expires_ms)
{
    char *kept = pl_strdup(token);
    pthread_mutex_lock(&a->lock);
    if (kept) {
        pl_free_secret(a->token);
        a->token = kept;
        a->expires_ms = expires_ms;
    }
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
        pl_buf_puts(&claims,
                    ",\"scope\":\"https://www.googleapis.com/auth/devstorage.full_control\"");
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
        pl_gcs_auth_keep(a, token.ptr, now_ms + HOUR_MS);
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
    bool stale = !a->token || a->expires_ms - now_ms < AHEAD_MS;
    pthread_mutex_unlock(&a->lock);
    pail_code rc =
        stale && a->source == PL_GCS_ACCOUNT && !a->exchange ? renew(a, now_ms, err) : PAIL_OK;
    pthread_mutex_lock(&a->lock);
    if (a->token) {
        pl_buf_puts(out, "Bearer ");
        pl_buf_puts(out, a->token);
    }
    bool have = a->token && !pl_buf_rc(out);
    pthread_mutex_unlock(&a->lock);
    return rc || have ? rc : pl_fail(err, PAIL_E_NO_CREDENTIALS, "there is no token for Google");
}

const char *pl_gcs_auth_project(const struct pl_gcs_auth *a)
{
    return a->project;
}

bool pl_gcs_auth_key(const struct pl_gcs_auth *a, const char **email, struct evp_pkey_st **key)
{
    if (a->key && email && key) {
        *email = a->email;
        *key = a->key;
    }
    return a->key != NULL;
}

const char *pl_gcs_auth_name(const struct pl_gcs_auth *a)
{
    return a->name ? a->name : "none";
}
