/* The credential files. Source: google.aip.dev/auth 4112 (service accounts), 4113 (user logins),
 * 4117 (external accounts); IAM "Create short-lived credentials" (impersonation). */
#include <errno.h>
#include <stdio.h>

#include "base/sys.h"
#include "codec/url.h"
#include "cred/gcs_auth.h"
#include "sign/jwt.h"

enum { FILE_BYTES_MAX = 1 << 20, NESTED_MAX = 2 };

pail_code pl_gcs_no_memory(struct pail_error **err)
{
    return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for credentials");
}

static bool copy(char **to, const char *text)
{
    pl_free(*to);
    *to = text ? pl_strdup(text) : NULL;
    return !text || *to;
}

bool pl_gcs_set_name(struct pl_gcs_auth *a, const char *kind, const char *who, const char *where)
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

/* ---- Whom a file may send a secret to */

static bool is_label(struct pl_str s)
{
    return s.len && !memchr(s.ptr, '.', s.len);
}

static bool ends(struct pl_str s, struct pl_str tail, struct pl_str *before)
{
    bool fine = s.len >= tail.len && pl_str_ieq(pl_str_n(s.ptr + s.len - tail.len, tail.len), tail);
    *before = pl_str_n(s.ptr, fine ? s.len - tail.len : 0);
    return fine;
}

/* SPEC google.aip.dev/auth/4117#url-validation: SERVICE, X.SERVICE, SERVICE.X, X-SERVICE and
 * SERVICE-X.p, before ".googleapis.com" and with ".mtls" or without. */
static bool is_google(struct pl_str host, const char *service)
{
    char with_dot[32], with_dash[32];
    struct pl_str s, rest, word = pl_str_c(service);
    if (!ends(host, PL_STR(".googleapis.com"), &s)) {
        return false;
    }
    if (ends(s, PL_STR(".mtls"), &rest)) {
        s = rest;
    }
    snprintf(with_dot, sizeof with_dot, ".%s", service);
    snprintf(with_dash, sizeof with_dash, "-%s", service);
    bool starts = s.len > word.len + 1 && pl_str_ieq(pl_str_n(s.ptr, word.len), word);
    struct pl_str behind =
        starts ? pl_str_n(s.ptr + word.len + 1, s.len - word.len - 1) : (struct pl_str){0};
    char sign = starts ? s.ptr[word.len] : '\0';
    return pl_str_ieq(s, word) || (ends(s, pl_str_c(with_dot), &rest) && is_label(rest)) ||
           (ends(s, pl_str_c(with_dash), &rest) && is_label(rest)) ||
           (sign == '.' && is_label(behind)) ||
           (sign == '-' && ends(behind, PL_STR(".p"), &rest) && is_label(rest));
}

/* What token_uri was in files of before oauth2.googleapis.com. */
static bool is_older(struct pl_str host, const char *service)
{
    return strcmp(service, "oauth2") == 0 && (pl_str_ieq(host, PL_STR("accounts.google.com")) ||
                                              pl_str_ieq(host, PL_STR("www.googleapis.com")));
}

/* service: "sts", "iamcredentials", "oauth2". The host of gcs_endpoint, which is set by whoever
 * runs this and not by the file, is trusted as well. */
static pail_code check_url(const struct pl_gcs_auth *a, const char *text, const char *service,
                           const char *where, struct pail_error **err)
{
    struct pl_url url;
    pail_code rc = pl_url_parse(pl_str_c(text), &url, err);
    if (rc) {
        return rc;
    }
    if ((a->own_host && pl_str_ieq(url.host, pl_str_c(a->own_host))) ||
        (url.tls && url.port == 443 &&
         (is_google(url.host, service) || is_older(url.host, service)))) {
        return PAIL_OK;
    }
    rc = pl_fail(err, PAIL_E_BAD_CONFIG,
                 "%s: %s://%.*s is not where Google's %s service is, and gets no secret", where,
                 url.tls ? "https" : "http",
                 (int)(url.host_port.len < 200 ? url.host_port.len : 200), url.host_port.ptr,
                 service);
    pl_error_hint(err,
                  "the URLs of such a file are https://%s.googleapis.com or its regional names; "
                  "for a server of yours set gcs_endpoint to the same host",
                  service);
    return rc;
}

pail_code pl_gcs_check_token_uri(const struct pl_gcs_auth *a, const char *where,
                                 struct pail_error **err)
{
    struct pl_buf field = PL_BUF_MAX(8192);
    pl_buf_printf(&field, "\"token_uri\" in %s", where);
    const char *named = pl_buf_rc(&field) ? where : field.ptr;
    pail_code rc = a->token_uri ? check_url(a, a->token_uri, "oauth2", named, err) : PAIL_OK;
    pl_buf_dispose(&field);
    return rc;
}

/* SPEC google.aip.dev/auth/4117: AWS's metadata service only. */
static pail_code check_aws_url(const struct pl_gcs_auth *a, const char *text, const char *where,
                               struct pail_error **err)
{
    struct pl_url url;
    pail_code rc = text ? pl_url_parse(pl_str_c(text), &url, err) : PAIL_OK;
    if (rc || !text || pl_str_is(url.host, "169.254.169.254") ||
        pl_str_ieq(url.host, PL_STR("fd00:ec2::254")) ||
        (a->own_host && pl_str_ieq(url.host, pl_str_c(a->own_host)))) {
        return rc;
    }
    return pl_fail(err, PAIL_E_BAD_CONFIG,
                   "%s: %.*s is not AWS's metadata service (169.254.169.254)", where,
                   (int)(url.host.len < 200 ? url.host.len : 200), url.host.ptr);
}

/* ---- Impersonation */

/* Behind whom there is already, which so becomes one of those between. */
static pail_code set_target(struct pl_gcs_auth *a, struct pl_str who, struct pail_error **err)
{
    struct pl_buf list = PL_BUF_MAX(16 * 1024), name = PL_BUF_MAX(1024);
    bool fine = who.len > 0 && memchr(who.ptr, '@', who.len);
    for (size_t i = 0; i < who.len; i++) {
        fine = fine && who.ptr[i] > ' ' && who.ptr[i] < 0x7f && !strchr("/?#%\"\\:", who.ptr[i]);
    }
    if (!fine) {
        return pl_fail(err, PAIL_E_BAD_CONFIG,
                       "whom to impersonate is a service account's address, NAME@PROJECT.iam."
                       "gserviceaccount.com");
    }
    if (a->target) {
        pl_buf_puts(&list, a->delegates ? a->delegates : "");
        pl_buf_puts(&list, a->delegates ? "," : "");
        pl_buf_printf(&name, "projects/-/serviceAccounts/%s", a->target);
        fine = pl_json_quote(&list, pl_buf_view(&name)) && !pl_buf_rc(&list) && !pl_buf_rc(&name);
        pl_free(a->delegates);
        a->delegates = pl_buf_take(&list);
    }
    pl_free(a->target);
    a->target = fine ? pl_strndup(who.ptr, who.len) : NULL;
    pl_buf_dispose(&list);
    pl_buf_dispose(&name);
    return a->target ? PAIL_OK : pl_gcs_no_memory(err);
}

static pail_code set_target_url(struct pl_gcs_auth *a, struct pail_error **err)
{
    struct pl_buf url = PL_BUF_MAX(4096);
    pl_buf_printf(&url, "%s/v1/projects/-/serviceAccounts/%s:generateAccessToken", a->iam_endpoint,
                  a->target);
    pl_free(a->target_url);
    a->target_url = pl_buf_take(&url);
    pl_buf_dispose(&url);
    return a->target_url ? PAIL_OK : pl_gcs_no_memory(err);
}

static pail_code name_target(struct pl_gcs_auth *a, struct pail_error **err)
{
    struct pl_buf text = PL_BUF_MAX(4096);
    pl_buf_printf(&text, "service account %s by %s", a->target, a->name ? a->name : "nobody");
    pl_free(a->name);
    a->name = pl_buf_take(&text);
    pl_buf_dispose(&text);
    return a->name ? PAIL_OK : pl_gcs_no_memory(err);
}

pail_code pl_gcs_impersonate(struct pl_gcs_auth *a, const char *chain, struct pail_error **err)
{
    struct pl_str rest = pl_str_c(chain);
    pail_code rc = PAIL_OK;
    if (a->source == PL_GCS_NOBODY) {
        return pl_fail(err, PAIL_E_BAD_CONFIG,
                       "google_impersonate_service_account needs credentials to begin with");
    }
    while (rest.ptr && !rc) {
        rc = set_target(a, pl_str_trim(pl_str_split(&rest, ',')), err);
    }
    rc = rc ? rc : set_target_url(a, err);
    return rc ? rc : name_target(a, err);
}

/* "https://HOST/v1/projects/-/serviceAccounts/WHO:generateAccessToken". */
static pail_code read_target(struct pl_gcs_auth *a, const char *url, const char *where,
                             struct pail_error **err)
{
    static const char before[] = "/serviceAccounts/", after[] = ":generateAccessToken";
    const char *at = strstr(url, before), *end = at ? strstr(at, after) : NULL;
    pail_code rc = check_url(a, url, "iamcredentials", where, err);
    if (!rc && (!end || end[sizeof after - 1])) {
        rc = pl_fail(err, PAIL_E_BAD_CONFIG,
                     "%s: service_account_impersonation_url is no generateAccessToken", where);
    }
    if (rc) {
        return rc;
    }
    at += sizeof before - 1;
    rc = set_target(a, pl_str_n(at, (size_t)(end - at)), err);
    if (!rc && !copy(&a->target_url, url)) {
        rc = pl_gcs_no_memory(err);
    }
    return rc ? rc : name_target(a, err);
}

/* ---- Kinds of files */

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
                pl_gcs_set_name(a, "service account", email, where);
    if (!fine) {
        return pl_gcs_no_memory(err);
    }
    struct pl_buf who = PL_BUF_MAX(8192);
    pl_buf_printf(&who, "\"private_key\" in %s", where);
    pail_code rc = pl_rsa_parse(pl_str_c(pem), pl_buf_rc(&who) ? where : who.ptr, &a->key, err);
    pl_buf_dispose(&who);
    return rc;
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
            return pl_gcs_no_memory(err);
        }
    }
    a->source = PL_GCS_USER;
    bool fine = copy(&a->token_uri, pl_json_text(root, "token_uri")) &&
                copy(&a->project, pl_json_text(root, "quota_project_id")) &&
                pl_gcs_set_name(a, "user login", NULL, where);
    return fine ? pl_gcs_check_token_uri(a, where, err) : pl_gcs_no_memory(err);
}

static pail_code read_headers(struct pl_gcs_external *x, const json_t *headers, const char *where,
                              struct pail_error **err)
{
    size_t n = 0;
    const char *name;
    json_t *value, *object = (json_t *)(uintptr_t)headers;
    json_object_foreach(object, name, value)
    {
        const char *text = json_string_value(value);
        if (!text || n == PL_GCS_HEADERS_MAX || !pl_header_safe(pl_str_c(text)) ||
            !pl_header_safe(pl_str_c(name))) {
            return pl_fail(err, PAIL_E_BAD_CONFIG, "%s: the headers of credential_source", where);
        }
        if (!copy(&x->header_names[n], name) || !copy(&x->header_values[n], text)) {
            return pl_gcs_no_memory(err);
        }
        n++;
    }
    return PAIL_OK;
}

static pail_code read_aws(struct pl_gcs_auth *a, const json_t *source, const char *where,
                          struct pail_error **err)
{
    struct pl_gcs_external *x = &a->external;
    const char *environment = pl_json_text(source, "environment_id");
    if (strcmp(environment, "aws1") != 0) {
        return pl_fail(err, PAIL_E_BAD_CONFIG, "%s: environment_id \"%.20s\" is not known", where,
                       environment);
    }
    x->kind = PL_GCS_SUBJECT_AWS;
    bool fine = copy(&x->url, pl_json_text(source, "url")) &&
                copy(&x->region_url, pl_json_text(source, "region_url")) &&
                copy(&x->session_url, pl_json_text(source, "imdsv2_session_token_url")) &&
                copy(&x->verification_url, pl_json_text(source, "regional_cred_verification_url"));
    if (!fine) {
        return pl_gcs_no_memory(err);
    }
    if (!x->verification_url) {
        return lacks(where, "regional_cred_verification_url", err);
    }
    pail_code rc = check_aws_url(a, x->url, where, err);
    rc = rc ? rc : check_aws_url(a, x->region_url, where, err);
    return rc ? rc : check_aws_url(a, x->session_url, where, err);
}

/* SPEC google.aip.dev/auth/4117: file, url, aws, executable; certificate (X.509) came later. */
static pail_code read_source(struct pl_gcs_auth *a, const json_t *source, const char *where,
                             struct pail_error **err)
{
    struct pl_gcs_external *x = &a->external;
    const json_t *format = json_object_get(source, "format");
    const char *type = pl_json_text(format, "type");
    if (json_object_get(source, "executable") || json_object_get(source, "certificate")) {
        pail_code rc =
            pl_fail(err, PAIL_E_UNSUPPORTED, "%s: a subject token from an %s is not taken here",
                    where, json_object_get(source, "executable") ? "executable" : "certificate");
        pl_error_hint(err, "let the program write its token to a file and name that "
                           "(credential_source.file), or set google_token");
        return rc;
    }
    if (pl_json_text(source, "environment_id")) {
        return read_aws(a, source, where, err);
    }
    bool json = type && strcmp(type, "json") == 0;
    const char *field = pl_json_text(format, "subject_token_field_name");
    if (type && !json && strcmp(type, "text") != 0) {
        return pl_fail(err, PAIL_E_BAD_CONFIG, "%s: format \"%.20s\" is neither text nor json",
                       where, type);
    }
    if (json && !field) {
        return lacks(where, "subject_token_field_name", err);
    }
    x->kind = pl_json_text(source, "file") ? PL_GCS_SUBJECT_FILE : PL_GCS_SUBJECT_URL;
    if (!copy(&x->file, pl_json_text(source, "file")) ||
        !copy(&x->url, pl_json_text(source, "url")) || !copy(&x->field, json ? field : NULL)) {
        return pl_gcs_no_memory(err);
    }
    if (!x->file && !x->url) {
        return pl_fail(err, PAIL_E_BAD_CONFIG,
                       "%s: credential_source has no \"file\", \"url\" or \"environment_id\"",
                       where);
    }
    return read_headers(x, json_object_get(source, "headers"), where, err);
}

static pail_code read_external(struct pl_gcs_auth *a, const json_t *root, const char *where,
                               struct pail_error **err)
{
    struct pl_gcs_external *x = &a->external;
    const struct {
        const char *name;
        char **to;
    } wanted[] = {{"audience", &x->audience},
                  {"subject_token_type", &x->subject_type},
                  {"token_url", &a->token_uri}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const char *value = pl_json_text(root, wanted[i].name);
        if (!value) {
            return lacks(where, wanted[i].name, err);
        }
        if (!copy(wanted[i].to, value)) {
            return pl_gcs_no_memory(err);
        }
    }
    a->source = PL_GCS_EXTERNAL;
    bool fine = copy(&a->client_id, pl_json_text(root, "client_id")) &&
                copy(&a->client_secret, pl_json_text(root, "client_secret")) &&
                copy(&a->project, pl_json_text(root, "quota_project_id")) &&
                copy(&x->project, pl_json_text(root, "workforce_pool_user_project")) &&
                pl_gcs_set_name(a, "external account", NULL, where);
    pail_code rc = fine ? check_url(a, a->token_uri, "sts", where, err) : pl_gcs_no_memory(err);
    rc = rc ? rc : read_source(a, json_object_get(root, "credential_source"), where, err);
    const char *url = pl_json_text(root, "service_account_impersonation_url");
    if (!rc && url) {
        (void)pl_json_u64(json_object_get(root, "service_account_impersonation"),
                          "token_lifetime_seconds", &a->lifetime_s);
        rc = read_target(a, url, where, err);
    }
    return rc;
}

static pail_code read_kind(struct pl_gcs_auth *a, const json_t *root, const char *where, int depth,
                           struct pail_error **err);

static pail_code read_impersonated(struct pl_gcs_auth *a, const json_t *root, const char *where,
                                   int depth, struct pail_error **err)
{
    const json_t *delegates = json_object_get(root, "delegates");
    const char *url = pl_json_text(root, "service_account_impersonation_url");
    if (!url || !json_object_get(root, "source_credentials")) {
        return lacks(where, url ? "source_credentials" : "service_account_impersonation_url", err);
    }
    pail_code rc = read_kind(a, json_object_get(root, "source_credentials"), where, depth + 1, err);
    for (size_t i = 0; i < json_array_size(delegates) && !rc; i++) {
        const char *full = json_string_value(json_array_get(delegates, i));
        const char *name = full ? strrchr(full, '/') : NULL;
        rc = set_target(a, pl_str_c(name ? name + 1 : full ? full : ""), err);
    }
    return rc ? rc : read_target(a, url, where, err);
}

static pail_code read_kind(struct pl_gcs_auth *a, const json_t *root, const char *where, int depth,
                           struct pail_error **err)
{
    const char *type = pl_json_text(root, "type");
    if (type && strcmp(type, "service_account") == 0) {
        return read_account(a, root, where, err);
    }
    if (type && strcmp(type, "authorized_user") == 0) {
        return read_user(a, root, where, err);
    }
    if (type && strcmp(type, "external_account") == 0) {
        return read_external(a, root, where, err);
    }
    if (type && depth < NESTED_MAX && strcmp(type, "impersonated_service_account") == 0) {
        return read_impersonated(a, root, where, depth, err);
    }
    pail_code rc = pl_fail(err, PAIL_E_BAD_CONFIG, "%s is a credential of type \"%.40s\"", where,
                           type ? type : "");
    pl_error_hint(err, "the types known are service_account, authorized_user, external_account and "
                       "impersonated_service_account; or set google_token");
    return rc;
}

pail_code pl_gcs_read_json(struct pl_gcs_auth *a, struct pl_str text, const char *where,
                           struct pail_error **err)
{
    json_t *root = NULL;
    if (pl_json_parse(text, where, &root, err)) {
        if (err && *err) {
            (*err)->code = PAIL_E_BAD_CONFIG;
        }
        return PAIL_E_BAD_CONFIG;
    }
    pail_code rc = read_kind(a, root, where, 0, err);
    pl_json_free_secret(root);
    return rc;
}

pail_code pl_gcs_read_file(struct pl_gcs_auth *a, const char *path, struct pail_error **err)
{
    size_t len = 0;
    char *text = pl_sys_read_file(path, FILE_BYTES_MAX, &len);
    if (!text) {
        char room[128];
        return pl_fail(err, PAIL_E_BAD_CONFIG, "cannot read the credentials in %s: %s", path,
                       pl_errno_text(errno, room, sizeof room));
    }
    pail_code rc = pl_gcs_read_json(a, pl_str_n(text, len), path, err);
    pl_zero(text, len);
    pl_free(text);
    return rc;
}
