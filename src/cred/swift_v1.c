/* Auth version 1: one GET with user and key, answered by headers. TempAuth, SwiftStack and Ceph's
 * gateway have it. Source: OpenStack Swift "The Auth System". */
#include "codec/url.h"
#include "cred/swift_login.h"

enum { TRIES = 3, FIRST_WAIT_MS = 400 };

struct v1_errand {
    struct pl_errand base; /* first */
    const struct pl_settings *settings;
    struct pl_swift_v1_ask ask;
    pl_swift_login_fn give;
    void *ctx;
    unsigned tries;
};

pail_code pl_swift_v1_ask(const struct pl_settings *s, struct pl_swift_v1_ask *out,
                          struct pail_error **err)
{
    const char *st_auth = pl_settings_get(s, "st_auth");
    *out =
        (struct pl_swift_v1_ask){.auth_url = st_auth ? st_auth : pl_settings_get(s, "os_auth_url"),
                                 .user = pl_settings_get(s, "st_user"),
                                 .key = pl_settings_get(s, "st_key")};
    out->user = out->user ? out->user : pl_settings_get(s, "os_username");
    out->key = out->key ? out->key : pl_settings_get(s, "os_password");
    const char *missing = !out->auth_url ? "st_auth" : !out->user ? "st_user" : "st_key";
    if (!out->auth_url || !out->user || !out->key) {
        pail_code rc =
            pl_fail(err, PAIL_E_NO_CREDENTIALS,
                    "auth version 1 needs st_auth, st_user and st_key; %s is not set", missing);
        pl_error_hint(err, "set them, or ST_AUTH, ST_USER and ST_KEY in the environment");
        return rc;
    }
    return PAIL_OK;
}

pail_code pl_swift_aim(struct pl_http_request *r, const char *method, const char *url,
                       const char *setting, struct pail_error **err)
{
    struct pl_url u;
    struct pl_buf host = PL_BUF_MAX(512), target = PL_BUF_MAX(16 * 1024);
    pail_code rc = pl_url_parse(pl_str_c(url), &u, err);
    if (rc) {
        pl_error_hint(err, "%s looks like https://HOST[:PORT]/PATH", setting);
        return rc;
    }
    for (size_t i = 0; i < u.host.len; i++) {
        char c = u.host.ptr[i];
        pl_buf_putc(&host, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
    pl_buf_str(&target, u.path.len ? u.path : PL_STR("/"));
    if (u.has_query) {
        pl_buf_putc(&target, '?');
        pl_buf_str(&target, u.query);
    }
    r->method = method;
    r->origin = (struct pl_origin){u.tls, pl_arena_dup(&r->arena, pl_buf_view(&host)), u.port};
    r->target = pl_arena_dup(&r->arena, pl_buf_view(&target));
    if (pl_buf_rc(&host) || pl_buf_rc(&target) || !r->origin.host || !r->target) {
        rc = pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a request");
    }
    pl_buf_dispose(&host);
    pl_buf_dispose(&target);
    return rc;
}

static pail_code code_of(int status)
{
    switch (status) {
    case 400:
    case 401: return PAIL_E_UNAUTHENTICATED;
    case 403: return PAIL_E_FORBIDDEN;
    case 404:
    case 405: return PAIL_E_BAD_CONFIG;
    case 429: return PAIL_E_THROTTLED;
    default: return status >= 500 ? PAIL_E_UNAVAILABLE : PAIL_E_PROTOCOL;
    }
}

bool pl_swift_login_failed(const struct pl_http_response *answer, const char *setting,
                           const char *url, struct pail_error **err)
{
    int n = (int)strcspn(url, "?#");
    if (answer->fail) {
        pl_fail(err, answer->fail == PL_HTTP_TLS ? PAIL_E_TLS : PAIL_E_CONNECT,
                "no token from %s (%.*s): %s", setting, n, url, answer->why);
        pl_error_hint(err, "check its address, and the proxy and CA settings");
        return answer->fail == PL_HTTP_TLS || answer->fail == PL_HTTP_CANCELLED ||
               answer->fail == PL_HTTP_TOO_LARGE;
    }
    pail_code code = code_of(answer->status);
    pl_fail(err, code, "no token from %s (%.*s): it answered HTTP %d", setting, n, url,
            answer->status);
    if (err && *err && !(*err)->is_static) {
        (*err)->http_status = answer->status;
    }
    if (answer->status / 100 == 3) {
        pl_error_hint(err, "redirects are not followed with a secret: set the address it names");
    } else if (code == PAIL_E_BAD_CONFIG) {
        pl_error_hint(err, "there is no such service at this address");
    }
    return answer->status < 500 && answer->status != 429;
}

void pl_swift_login_hint(const struct pl_settings *s, const char *user, const char *secret,
                         struct pail_error **err)
{
    const char *whose = pl_settings_origin(s, user), *from = pl_settings_origin(s, secret);
    if (err && *err && (*err)->code == PAIL_E_UNAUTHENTICATED) {
        pl_error_hint(err,
                      "it refuses %s (%s) with %s (%s): is one of them wrong, or the domain or "
                      "project? Nothing else was tried, as this is what is set",
                      user, whose ? whose : "unset", secret, from ? from : "unset");
    }
}

static enum pl_errand_step v1_take(struct v1_errand *e, int64_t now_ms,
                                   const struct pl_http_response *answer, struct pail_error **err)
{
    struct pl_arena arena = {0};
    struct pl_str token = pl_http_header(answer, "x-auth-token");
    struct pl_str url = pl_http_header(answer, "x-storage-url");
    uint64_t life_s = 0;
    token = token.len ? token : pl_http_header(answer, "x-storage-token");
    struct pl_swift_login got = {.token = pl_arena_dup(&arena, token),
                                 .storage_url = url.len ? pl_arena_dup(&arena, url) : NULL};
    if (pl_http_header_u64(answer, "x-auth-token-expires", &life_s) && life_s < 1 << 30) {
        got.expires_ms = now_ms + (int64_t)life_s * 1000;
    }
    enum pl_errand_step step = PL_ERRAND_DONE;
    if (!token.len || !got.token) {
        pl_fail(err, PAIL_E_PROTOCOL, "st_auth (%.*s) answered HTTP %d without a token",
                (int)strcspn(e->ask.auth_url, "?#"), e->ask.auth_url, answer->status);
        pl_error_hint(err, "is st_auth the address of a Swift with auth version 1?");
        step = PL_ERRAND_FAIL;
    } else {
        e->give(e->ctx, &got);
        pl_zero((char *)(uintptr_t)got.token, strlen(got.token));
    }
    pl_arena_dispose(&arena);
    return step;
}

static const char *set_of(const struct v1_errand *e, const char *name, const char *other)
{
    return pl_settings_get(e->settings, name) ? name : other;
}

static enum pl_errand_step v1_next(struct pl_errand *base, int64_t now_ms,
                                   const struct pl_http_response *answer,
                                   struct pl_http_request *out, struct pail_error **err)
{
    struct v1_errand *e = (struct v1_errand *)base;
    if (answer && !answer->fail && answer->status / 100 == 2) {
        return v1_take(e, now_ms, answer, err);
    }
    if (answer) {
        struct pail_error *why = NULL;
        if (pl_swift_login_failed(answer, "st_auth", e->ask.auth_url, &why) || e->tries >= TRIES) {
            pl_swift_login_hint(e->settings, set_of(e, "st_user", "os_username"),
                                set_of(e, "st_key", "os_password"), &why);
            *err = why;
            return PL_ERRAND_FAIL;
        }
        pail_error_free(why);
        e->base.wait_ms = FIRST_WAIT_MS << e->tries;
    }
    e->tries++;
    if (pl_swift_aim(out, "GET", e->ask.auth_url, "st_auth", err)) {
        return PL_ERRAND_FAIL;
    }
    pl_http_add_c(out, "x-auth-user", e->ask.user);
    pl_http_add_c(out, "x-auth-key", e->ask.key);
    return PL_ERRAND_SEND;
}

static void v1_free(struct pl_errand *base)
{
    pl_free(base);
}

struct pl_errand *pl_swift_v1_errand(const struct pl_settings *s, pl_swift_login_fn give, void *ctx,
                                     struct pail_error **err)
{
    struct pl_swift_v1_ask ask;
    if (pl_swift_v1_ask(s, &ask, err)) {
        return NULL;
    }
    struct v1_errand *e = pl_calloc(1, sizeof *e);
    if (!e) {
        pl_fail(err, PAIL_E_NO_MEMORY, "no memory to log in");
        return NULL;
    }
    *e = (struct v1_errand){.base = {.next = v1_next, .free = v1_free},
                            .settings = s,
                            .ask = ask,
                            .give = give,
                            .ctx = ctx};
    return &e->base;
}
