/* Keystone v3: a POST of JSON, answered by a token in a header and a catalog. Source: OpenStack
 * Identity API v3 "Password authentication ...", "Authenticating with an Application Credential",
 * "Token authentication ...". */
#include "codec/date.h"
#include "codec/json.h"
#include "cred/swift_login.h"

enum { TRIES = 3, FIRST_WAIT_MS = 400, BODY_MAX = 64 * 1024 };

/* ---- What is asked */

static pail_code missing(const char *what, struct pail_error **err)
{
    pail_code rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "to log in with Keystone %s", what);
    pl_error_hint(err, "the settings are those of an openrc file: os_auth_url, os_username, "
                       "os_password, os_project_name, os_user_domain_name, ... "
                       "or os_application_credential_id and _secret, or os_cloud");
    return rc;
}

static pail_code check(const struct pl_keystone_ask *a, struct pail_error **err)
{
    bool credential = a->application_credential_id || a->application_credential_name;
    if (!a->auth_url) {
        return missing("os_auth_url is missing", err);
    }
    if (credential) {
        if (!a->application_credential_secret) {
            return missing("os_application_credential_secret is missing", err);
        }
        return a->application_credential_id || a->user_id || a->username
                   ? PAIL_OK
                   : missing("by the name of an application credential os_username is missing",
                             err);
    }
    if (a->user_id || a->username) {
        return a->password || a->token ? PAIL_OK : missing("os_password is missing", err);
    }
    return a->token ? PAIL_OK
                    : missing("there is neither os_username, os_application_credential_id nor "
                              "os_auth_token",
                              err);
}

pail_code pl_keystone_ask(const struct pl_settings *s, struct pl_keystone_ask *out,
                          struct pail_error **err)
{
    const struct {
        const char *name, **to;
    } fields[] = {{"os_auth_url", &out->auth_url},
                  {"os_application_credential_id", &out->application_credential_id},
                  {"os_application_credential_name", &out->application_credential_name},
                  {"os_application_credential_secret", &out->application_credential_secret},
                  {"os_user_id", &out->user_id},
                  {"os_username", &out->username},
                  {"os_password", &out->password},
                  {"os_user_domain_id", &out->user_domain_id},
                  {"os_user_domain_name", &out->user_domain_name},
                  {"os_auth_token", &out->token},
                  {"os_project_id", &out->project_id},
                  {"os_project_name", &out->project_name},
                  {"os_project_domain_id", &out->project_domain_id},
                  {"os_project_domain_name", &out->project_domain_name},
                  {"os_domain_id", &out->domain_id},
                  {"os_domain_name", &out->domain_name},
                  {"os_trust_id", &out->trust_id},
                  {"os_region_name", &out->region},
                  {"os_interface", &out->interface}};
    *out = (struct pl_keystone_ask){0};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *value = pl_settings_get(s, fields[i].name);
        *fields[i].to = value && *value ? value : NULL;
    }
    const char *fallback = pl_settings_get(s, "os_default_domain");
    fallback = fallback && *fallback ? fallback : "default";
    if (out->username && !out->user_domain_id && !out->user_domain_name) {
        out->user_domain_id = fallback;
    }
    if (out->project_name && !out->project_domain_id && !out->project_domain_name) {
        out->project_domain_id = out->user_domain_id;
        out->project_domain_name = out->user_domain_name;
        if (!out->user_domain_id && !out->user_domain_name) {
            out->project_domain_id = fallback;
        }
    }
    const char *system = pl_settings_get(s, "os_system_scope");
    out->system = system && strcmp(system, "all") == 0;
    return check(out, err);
}

/* ---- How it is written */

struct writer {
    struct pl_buf *out;
    bool failed;
};

static void text(struct writer *w, const char *name, const char *value)
{
    char last = w->out->len ? w->out->ptr[w->out->len - 1] : '{';
    if (!value) {
        return;
    }
    pl_buf_puts(w->out, last == '{' ? "" : ",");
    w->failed |= !pl_json_quote(w->out, pl_str_c(name));
    pl_buf_putc(w->out, ':');
    w->failed |= !pl_json_quote(w->out, pl_str_c(value));
}

static void open_object(struct writer *w, const char *name)
{
    char last = w->out->len ? w->out->ptr[w->out->len - 1] : '{';
    pl_buf_printf(w->out, "%s\"%s\":{", last == '{' ? "" : ",", name);
}

static void close_object(struct writer *w)
{
    pl_buf_putc(w->out, '}');
}

static void write_domain(struct writer *w, const char *id, const char *name)
{
    if (id || name) {
        open_object(w, "domain");
        text(w, id ? "id" : "name", id ? id : name);
        close_object(w);
    }
}

static void write_user(struct writer *w, const struct pl_keystone_ask *a, bool with_password)
{
    open_object(w, "user");
    text(w, "password", with_password ? a->password : NULL);
    text(w, a->user_id ? "id" : "name", a->user_id ? a->user_id : a->username);
    if (!a->user_id) {
        write_domain(w, a->user_domain_id, a->user_domain_name);
    }
    close_object(w);
}

enum method { BY_PASSWORD, BY_TOKEN, BY_CREDENTIAL };

static enum method method_of(const struct pl_keystone_ask *a)
{
    if (a->application_credential_id || a->application_credential_name) {
        return BY_CREDENTIAL;
    }
    return a->password && (a->user_id || a->username) ? BY_PASSWORD : BY_TOKEN;
}

static void write_identity(struct writer *w, const struct pl_keystone_ask *a)
{
    static const char *const names[] = {"password", "token", "application_credential"};
    enum method method = method_of(a);
    open_object(w, "identity");
    pl_buf_printf(w->out, "\"methods\":[\"%s\"]", names[method]);
    open_object(w, names[method]);
    switch (method) {
    case BY_PASSWORD: write_user(w, a, true); break;
    case BY_TOKEN: text(w, "id", a->token); break;
    case BY_CREDENTIAL:
        text(w, "secret", a->application_credential_secret);
        if (a->application_credential_id) {
            text(w, "id", a->application_credential_id);
        } else {
            text(w, "name", a->application_credential_name);
            write_user(w, a, false);
        }
        break;
    }
    close_object(w);
    close_object(w);
}

static void write_project(struct writer *w, const struct pl_keystone_ask *a)
{
    open_object(w, "project");
    text(w, a->project_id ? "id" : "name", a->project_id ? a->project_id : a->project_name);
    if (!a->project_id) {
        write_domain(w, a->project_domain_id, a->project_domain_name);
    }
    close_object(w);
}

/* SPEC Identity API v3 "Authentication and token management": one scope at most; an application
 * credential has its own and may name none. */
static void write_scope(struct writer *w, const struct pl_keystone_ask *a)
{
    bool domain = a->domain_id || a->domain_name;
    bool project = a->project_id || a->project_name;
    if (method_of(a) == BY_CREDENTIAL) {
        return;
    }
    if (a->unscoped) {
        pl_buf_puts(w->out, ",\"scope\":\"unscoped\"");
        return;
    }
    if (!domain && !project && !a->trust_id && !a->system) {
        return;
    }
    open_object(w, "scope");
    if (project) {
        write_project(w, a);
    } else if (domain) {
        write_domain(w, a->domain_id, a->domain_name);
    } else if (a->trust_id) {
        open_object(w, "OS-TRUST:trust");
        text(w, "id", a->trust_id);
        close_object(w);
    } else {
        pl_buf_puts(w->out, "\"system\":{\"all\":true}");
    }
    close_object(w);
}

bool pl_keystone_write(const struct pl_keystone_ask *ask, struct pl_buf *url, struct pl_buf *body)
{
    struct writer w = {.out = body};
    struct pl_str base = pl_str_c(ask->auth_url);
    while (base.len && base.ptr[base.len - 1] == '/') {
        base.len--;
    }
    pl_buf_str(url, base);
    pl_buf_puts(url, pl_str_ends(base, PL_STR("/v3")) ? "/auth/tokens" : "/v3/auth/tokens");
    pl_buf_putc(body, '{');
    open_object(&w, "auth");
    write_identity(&w, ask);
    write_scope(&w, ask);
    pl_buf_puts(body, "}}");
    return !w.failed;
}

/* ---- What is answered */

/* "publicURL" is how older clients say "public". */
static bool is_interface(const char *wish, const char *found)
{
    struct pl_str w = pl_str_c(wish ? wish : "public");
    if (pl_str_ends(w, PL_STR("URL"))) {
        w.len -= 3;
    }
    return found && pl_str_ieq(w, pl_str_c(found));
}

static bool is_region(const char *wish, const json_t *endpoint)
{
    const char *region = pl_json_text(endpoint, "region_id");
    region = region ? region : pl_json_text(endpoint, "region");
    return !wish || (region && strcmp(wish, region) == 0);
}

static const char *find_endpoint(const struct pl_keystone_ask *ask, const json_t *catalog,
                                 struct pl_buf *others)
{
    size_t i, j;
    json_t *service, *endpoint;
    json_array_foreach((json_t *)(uintptr_t)catalog, i, service)
    {
        const char *type = pl_json_text(service, "type");
        if (!type || strcmp(type, "object-store") != 0) {
            continue;
        }
        json_array_foreach(json_object_get(service, "endpoints"), j, endpoint)
        {
            const char *face = pl_json_text(endpoint, "interface");
            const char *region = pl_json_text(endpoint, "region_id");
            if (is_interface(ask->interface, face) && is_region(ask->region, endpoint)) {
                return pl_json_text(endpoint, "url");
            }
            pl_buf_printf(others, "%s%.60s in %.60s", others->len ? ", " : "", face ? face : "?",
                          region ? region : "?");
        }
    }
    return NULL;
}

pail_code pl_keystone_read(const struct pl_keystone_ask *ask, struct pl_str body,
                           struct pl_arena *arena, const char **url, int64_t *expires_ms,
                           struct pail_error **err)
{
    json_t *root = NULL;
    struct pl_buf others = PL_BUF_MAX(2048);
    *url = NULL;
    *expires_ms = 0;
    pail_code rc = pl_json_parse(body, "Keystone's answer", &root, err);
    if (rc) {
        return rc;
    }
    const json_t *token = json_object_get(root, "token");
    const char *expires = pl_json_text(token, "expires_at");
    const json_t *catalog = json_object_get(token, "catalog");
    if (!expires || !pl_date_iso_parse(pl_str_c(expires), expires_ms)) {
        *expires_ms = 0;
    }
    const char *found = find_endpoint(ask, catalog, &others);
    if (!json_is_object(token)) {
        rc = pl_fail(err, PAIL_E_PROTOCOL, "Keystone's answer has no token in it");
    } else if (found) {
        *url = pl_arena_dup_c(arena, found);
        rc = *url ? PAIL_OK : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for the catalog");
    } else if (json_array_size(catalog)) {
        rc = pl_fail(err, PAIL_E_BAD_CONFIG,
                     "Keystone's catalog has no %s endpoint of object-store%s%s",
                     ask->interface ? ask->interface : "public", ask->region ? " in region " : "",
                     ask->region ? ask->region : "");
        pl_error_hint(err, "it has %s: set os_region_name and os_interface, or os_storage_url",
                      others.len && !pl_buf_rc(&others) ? others.ptr : "none at all");
    }
    pl_buf_dispose(&others);
    json_decref(root);
    return rc;
}

/* ---- The errand */

struct keystone_errand {
    struct pl_errand base; /* first */
    const struct pl_settings *settings;
    struct pl_keystone_ask ask;
    bool has_storage_url;
    pl_swift_login_fn give;
    void *ctx;
    unsigned tries;
};

static enum pl_errand_step take(struct keystone_errand *e, const struct pl_http_response *answer,
                                struct pail_error **err)
{
    struct pl_arena arena = {0};
    struct pl_str token = pl_http_header(answer, "x-subject-token");
    struct pl_swift_login got = {.token = pl_arena_dup(&arena, token)};
    pail_code rc = PAIL_OK;
    if (!token.len || !got.token) {
        rc = pl_fail(err, PAIL_E_PROTOCOL, "os_auth_url (%.*s) answered HTTP %d without a token",
                     (int)strcspn(e->ask.auth_url, "?#"), e->ask.auth_url, answer->status);
        pl_error_hint(err, "is os_auth_url the address of a Keystone?");
        goto out;
    }
    rc = pl_keystone_read(&e->ask, pl_buf_view(&answer->body), &arena, &got.storage_url,
                          &got.expires_ms, e->has_storage_url ? NULL : err);
    if (e->has_storage_url) { /* the catalog does not matter then */
        rc = PAIL_OK;
    } else if (!rc && !got.storage_url) {
        rc = pl_fail(err, PAIL_E_BAD_CONFIG,
                     "the token of Keystone has no catalog: it is not of a project");
        pl_error_hint(err, "set os_project_name or os_project_id, or os_storage_url");
    }
    if (!rc) {
        e->give(e->ctx, &got);
    }
    pl_zero((char *)(uintptr_t)got.token, strlen(got.token));
out:
    pl_arena_dispose(&arena);
    return rc ? PL_ERRAND_FAIL : PL_ERRAND_DONE;
}

static enum pl_errand_step ask_again(struct keystone_errand *e, struct pl_http_request *out,
                                     struct pail_error **err)
{
    struct pl_buf url = PL_BUF_MAX(4096), body = PL_BUF_MAX(BODY_MAX);
    bool fine = pl_keystone_write(&e->ask, &url, &body);
    pail_code rc = pl_buf_rc(&url) ? pl_buf_rc(&url) : pl_buf_rc(&body);
    if (!fine || rc) {
        rc = pl_fail(err, PAIL_E_BAD_CONFIG, "an os_ setting is not UTF-8 or too long");
    }
    rc = rc ? rc : pl_swift_aim(out, "POST", url.ptr, "os_auth_url", err);
    if (!rc) {
        pl_http_add_c(out, "accept", "application/json");
        pl_http_add_c(out, "content-type", "application/json");
        if (method_of(&e->ask) == BY_TOKEN) {
            pl_http_add_c(out, "x-auth-token", e->ask.token);
        }
        pl_http_set_text(out, pl_buf_view(&body));
    }
    if (body.ptr) {
        pl_zero(body.ptr, body.len);
    }
    pl_buf_dispose(&url);
    pl_buf_dispose(&body);
    e->tries++;
    return rc ? PL_ERRAND_FAIL : PL_ERRAND_SEND;
}

static void hint(const struct keystone_errand *e, struct pail_error **err)
{
    const struct pl_keystone_ask *a = &e->ask;
    const char *user = a->user_id ? "os_user_id" : "os_username";
    switch (method_of(a)) {
    case BY_PASSWORD: pl_swift_login_hint(e->settings, user, "os_password", err); break;
    case BY_TOKEN: pl_swift_login_hint(e->settings, "os_auth_url", "os_auth_token", err); break;
    case BY_CREDENTIAL:
        pl_swift_login_hint(e->settings,
                            a->application_credential_id ? "os_application_credential_id"
                                                         : "os_application_credential_name",
                            "os_application_credential_secret", err);
        break;
    }
}

/* SPEC Identity API v3 "Token authentication with scoped authorization": 404 for a token that has
 * ended or never was one; an address without Keystone answers with no error of its form. */
static bool not_known(const struct keystone_errand *e, const struct pl_http_response *answer)
{
    json_t *root = NULL;
    bool of_keystone = method_of(&e->ask) == BY_TOKEN && !answer->fail && answer->status == 404 &&
                       !pl_json_parse(pl_buf_view(&answer->body), "the answer", &root, NULL) &&
                       json_is_object(json_object_get(root, "error"));
    json_decref(root);
    return of_keystone;
}

static enum pl_errand_step keystone_next(struct pl_errand *base, int64_t now_ms,
                                         const struct pl_http_response *answer,
                                         struct pl_http_request *out, struct pail_error **err)
{
    struct keystone_errand *e = (struct keystone_errand *)base;
    (void)now_ms;
    if (answer && !answer->fail && answer->status / 100 == 2) {
        return take(e, answer, err);
    }
    if (answer && not_known(e, answer)) {
        pl_fail(err, PAIL_E_UNAUTHENTICATED,
                "no token from os_auth_url (%.*s): it does not know the token that it was given "
                "(HTTP 404)",
                (int)strcspn(e->ask.auth_url, "?#"), e->ask.auth_url);
        pl_error_hint(err, "os_auth_token has ended or is of another cloud: get a new one there");
        return PL_ERRAND_FAIL;
    }
    if (answer) {
        struct pail_error *why = NULL;
        if (pl_swift_login_failed(answer, "os_auth_url", e->ask.auth_url, &why) ||
            e->tries >= TRIES) {
            hint(e, &why);
            *err = why;
            return PL_ERRAND_FAIL;
        }
        pail_error_free(why);
        e->base.wait_ms = FIRST_WAIT_MS << e->tries;
    }
    return ask_again(e, out, err);
}

static void keystone_free(struct pl_errand *base)
{
    pl_free(base);
}

struct pl_errand *pl_keystone_errand(const struct pl_settings *s, pl_swift_login_fn give, void *ctx,
                                     struct pail_error **err)
{
    struct pl_keystone_ask ask;
    if (pl_keystone_ask(s, &ask, err)) {
        return NULL;
    }
    struct keystone_errand *e = pl_calloc(1, sizeof *e);
    if (!e) {
        pl_fail(err, PAIL_E_NO_MEMORY, "no memory to log in");
        return NULL;
    }
    *e = (struct keystone_errand){.base = {.next = keystone_next, .free = keystone_free},
                                  .settings = s,
                                  .ask = ask,
                                  .has_storage_url = pl_settings_get(s, "os_storage_url") != NULL,
                                  .give = give,
                                  .ctx = ctx};
    return &e->base;
}
