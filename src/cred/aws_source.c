/* What the sources of the chain have in common. */
#include <errno.h>
#include <stdio.h>

#include "base/sys.h"
#include "codec/date.h"
#include "codec/ini.h"
#include "codec/json.h"
#include "codec/url.h"
#include "cred/aws_partition.h"
#include "cred/aws_walk.h"

enum { KEY_MAX = 1024, TOKEN_MAX = 16 << 10, TOKEN_FILE_MAX = 64 << 10, AGAIN_MS = 250, TRIES = 3 };

void pl_aws_wipe(struct pl_buf *b)
{
    size_t max = b->max;
    if (b->ptr) {
        pl_zero(b->ptr, b->cap);
    }
    pl_buf_dispose(b);
    *b = PL_BUF_MAX(max);
}

const char *pl_aws_profile_text(const struct pl_aws_walk *w, const char *key)
{
    const struct pl_aws_entry *e = pl_aws_files_get(&w->files, PL_AWS_PROFILE, w->profile, key);
    return e && e->value[0] ? e->value : NULL;
}

/* ---- Keys */

static bool is_word(struct pl_str s, size_t max)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~') {
            return false;
        }
    }
    return s.len > 0 && s.len <= max;
}

pail_code pl_aws_take(struct pl_aws_walk *w, struct pl_str access_key, struct pl_str secret_key,
                      struct pl_str token, int64_t expires_ms, struct pail_error **err)
{
    if (!is_word(access_key, KEY_MAX) || !is_word(secret_key, KEY_MAX) ||
        (token.len && !is_word(token, TOKEN_MAX))) {
        return pl_fail(err, PAIL_E_NO_CREDENTIALS, "%s gave no access key and secret key", w->name);
    }
    if (expires_ms && expires_ms <= w->now_ms) {
        char date[PL_DATE_ISO_SIZE];
        pail_code rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "it gave keys that expired on %s",
                               pl_date_iso(expires_ms, date));
        pl_error_hint(err, "if that is in the future, set this machine's clock");
        return rc;
    }
    struct pl_aws_keys *keys =
        pl_aws_keys_new(access_key, secret_key, token, w->name, w->now_ms, expires_ms);
    if (!keys) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for keys");
    }
    pl_aws_keys_release(w->keys);
    w->keys = keys;
    return PAIL_OK;
}

pail_code pl_aws_take_json(struct pl_aws_walk *w, struct pl_str text, const char *token_name,
                           struct pail_error **err)
{
    json_t *root = NULL;
    int64_t expires_ms = 0;
    pail_code rc = pl_json_parse(text, "its answer", &root, err);
    if (rc) {
        return rc;
    }
    const char *code = pl_json_text(root, "Code"), *expires = pl_json_text(root, "Expiration");
    if (code && strcmp(code, "Success") != 0) {
        rc = pl_aws_blame(NULL, "it", pl_str_c(code), err);
    } else if (expires && !pl_date_iso_parse(pl_str_c(expires), &expires_ms)) {
        rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "it gave keys with an Expiration that is no date");
    } else {
        if (w->source == pl_aws_instance && expires && expires_ms <= w->now_ms) {
            /* SPEC AWS SDKs "IMDS static stability": keys that the machine calls expired are kept
             * in use, and asked for again later. */
            expires_ms = w->now_ms + 15 * 60 * 1000;
        }
        rc = pl_aws_take(w, pl_str_c(pl_json_text(root, "AccessKeyId")),
                         pl_str_c(pl_json_text(root, "SecretAccessKey")),
                         pl_str_c(pl_json_text(root, token_name)), expires_ms, err);
    }
    pl_json_free_secret(root);
    return rc;
}

/* ---- Requests */

pail_code pl_aws_ask(struct pl_http_request *out, const char *method, const char *url,
                     const char *path, struct pail_error **err)
{
    struct pl_url u;
    struct pl_buf target = PL_BUF_MAX(8 << 10);
    pail_code rc = pl_url_parse(pl_str_c(url), &u, err);
    if (rc) {
        return rc;
    }
    while (u.path.len && u.path.ptr[u.path.len - 1] == '/' && path[0] == '/') {
        u.path.len--;
    }
    pl_buf_str(&target, u.path);
    pl_buf_puts(&target, path);
    if (!path[0] && !u.path.len) {
        pl_buf_putc(&target, '/');
    }
    if (u.has_query) {
        pl_buf_putc(&target, '?');
        pl_buf_str(&target, u.query);
    }
    out->method = method;
    out->origin.tls = u.tls;
    out->origin.port = u.port;
    char *host = pl_arena_dup(&out->arena, u.host);
    for (char *c = host; c && *c; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    }
    out->origin.host = host;
    out->target = pl_buf_rc(&target) ? NULL : pl_arena_dup(&out->arena, pl_buf_view(&target));
    out->body_bytes_max = 64 << 10;
    pl_buf_dispose(&target);
    return out->origin.host && out->target
               ? PAIL_OK
               : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a request");
}

static bool is_code(struct pl_str code)
{
    for (size_t i = 0; i < code.len; i++) {
        char c = code.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '.')) {
            return false;
        }
    }
    return code.len > 0 && code.len <= 64;
}

pail_code pl_aws_blame(const struct pl_http_response *answer, const char *who, struct pl_str code,
                       struct pail_error **err)
{
    char status[32] = "";
    if (answer && answer->fail) {
        return pl_fail(err, PAIL_E_NO_CREDENTIALS, "%s: %s", who, answer->why);
    }
    if (answer) {
        snprintf(status, sizeof status, " (HTTP %d)", answer->status);
    }
    code = is_code(code) ? code : (struct pl_str){0};
    pail_code rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "%s refused%s%.*s%s", who,
                           code.len ? ": " : "", (int)code.len, code.len ? code.ptr : "", status);
    if (err && *err && code.len) {
        pl_error_set(&(*err)->service_code, code);
    }
    return rc;
}

bool pl_aws_again(struct pl_aws_walk *w, const struct pl_http_response *answer,
                  enum pl_aws_place place)
{
    bool there = (place != PL_AWS_FAR && pl_errand_cut(answer)) ||
                 (place == PL_AWS_PROMISED && answer->fail == PL_HTTP_CONNECT);
    bool stumbled = answer->fail ? there : answer->status >= 500 || answer->status == 429;
    if (!stumbled || ++w->tries >= TRIES) {
        w->tries = 0;
        return false;
    }
    w->errand.wait_ms = AGAIN_MS << (2 * (w->tries - 1));
    return true;
}

pail_code pl_aws_read_token(const char *path, struct pl_buf *out, struct pail_error **err)
{
    size_t len = 0;
    char room[128];
    char *text = pl_sys_read_file(path, TOKEN_FILE_MAX, &len);
    if (!text) {
        return pl_fail(err, errno == ENOMEM ? PAIL_E_NO_MEMORY : PAIL_E_NO_CREDENTIALS,
                       "cannot read %s: %s", path, pl_errno_text(errno, room, sizeof room));
    }
    struct pl_str token = pl_str_trim(pl_str_n(text, len));
    pail_code rc = PAIL_OK;
    if (!is_word(token, TOKEN_FILE_MAX)) {
        rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "%s holds no token", path);
    } else {
        pl_buf_clear(out);
        pl_buf_str(out, token);
        rc = pl_buf_rc(out) ? pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a token") : PAIL_OK;
    }
    pl_zero(text, len);
    pl_free(text);
    return rc;
}

/* ---- Where services are */

/* The first entry of "endpoint_url" of the service in the profile's services section. */
static bool url_of_section(const struct pl_aws_walk *w, const char *service, struct pl_buf *out)
{
    const char *services = pl_aws_profile_text(w, "services");
    const struct pl_aws_entry *e =
        services ? pl_aws_files_get(&w->files, PL_AWS_SERVICES, services, service) : NULL;
    struct pl_str rest = pl_str_c(e ? e->value : ""), name, text;
    while (e && pl_ini_sub(&rest, &name, &text)) {
        if (pl_str_ieq(name, PL_STR("endpoint_url")) && text.len) {
            pl_buf_str(out, text);
            return true;
        }
    }
    return false;
}

static bool ignores_urls(const struct pl_aws_walk *w)
{
    bool flag = false;
    const char *set = pl_aws_profile_text(w, "ignore_configured_endpoint_urls");
    if (pl_settings_get(w->settings, "aws_ignore_configured_endpoint_urls")) {
        return pl_settings_bool(w->settings, "aws_ignore_configured_endpoint_urls", false);
    }
    return set && pl_str_bool(pl_str_c(set), &flag) && flag;
}

/* SPEC AWS SDKs and Tools Reference Guide "Service-specific endpoints". */
static bool url_given(const struct pl_aws_walk *w, const char *service, struct pl_buf *out)
{
    bool oidc = strcmp(service, "sso_oidc") == 0;
    const char *url = pl_aws_env_get(w->env, strcmp(service, "sts") == 0 ? "AWS_ENDPOINT_URL_STS"
                                             : oidc ? "AWS_ENDPOINT_URL_SSO_OIDC"
                                                    : "AWS_ENDPOINT_URL_SSO");
    if (ignores_urls(w)) {
        return false;
    }
    url = url ? url : pl_aws_env_get(w->env, "AWS_ENDPOINT_URL");
    if (!url && url_of_section(w, service, out)) {
        return true;
    }
    url = url ? url : pl_aws_profile_text(w, "endpoint_url");
    pl_buf_puts(out, url ? url : "");
    return url != NULL;
}

static bool is_region(const char *region)
{
    size_t n = strlen(region);
    for (size_t i = 0; i < n; i++) {
        char c = region[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return n > 0 && n < 64;
}

pail_code pl_aws_service_url(struct pl_aws_walk *w, const char *service, const char *host,
                             const char *region, struct pl_buf *out, struct pail_error **err)
{
    bool fips = pl_settings_bool(w->settings, "aws_use_fips_endpoint", false);
    bool dual = pl_settings_bool(w->settings, "aws_use_dualstack_endpoint", false);
    if (!url_given(w, service, out)) {
        if (!is_region(region)) {
            return pl_fail(err, PAIL_E_BAD_CONFIG, "\"%.80s\" is no name of a region", region);
        }
        pl_buf_printf(out, "https://%s%s.%s.%s", host, fips ? "-fips" : "", region,
                      dual ? pl_aws_dual_domain(region) : pl_aws_domain(region));
    }
    return pl_buf_rc(out) ? pl_fail(err, PAIL_E_NO_MEMORY, "no memory for an address") : PAIL_OK;
}
