/* The fetching of a token along the sources of a login: one request to the authority, to the app's
 * own service of identities or to the machine's metadata service, or a run of az. */
#include "codec/json.h"
#include "codec/url.h"
#include "cred/azure_login.h"

enum {
    ANSWER_MAX = 64 * 1024,
    TRIED_MAX = 4 * 1024,
    METADATA_MS = 1000, /* a machine without the service costs one of them */
    SLOW_MS = 3000,
    TRIES = 3,
    KNOWN_TRIES = 5,
    UPDATE_TRIES = 8, /* 76 s */
    AGAIN_MS = 100,
    KNOWN_AGAIN_MS = 600, /* both then twice as long each time */
    DAY_S = 24 * 3600
};

static enum pl_azure_source source_of(const struct pl_azure_fetch *f)
{
    return f->login->sources[f->at];
}

static bool of_application(const struct pl_azure_fetch *f)
{
    return source_of(f) <= PL_AZURE_WORKLOAD;
}

pail_code pl_azure_ask(struct pl_http_request *out, const char *method, const char *url,
                       const struct pl_buf *path, struct pail_error **err)
{
    struct pl_url u;
    struct pl_buf target = PL_BUF_MAX(8 * 1024);
    pail_code rc = pl_url_parse(pl_str_c(url), &u, err);
    if (rc) {
        return rc;
    }
    while (u.path.len && u.path.ptr[u.path.len - 1] == '/') {
        u.path.len--;
    }
    pl_buf_str(&target, u.path);
    pl_buf_str(&target, pl_buf_view(path));
    out->method = method;
    out->origin = (struct pl_origin){.tls = u.tls, .port = u.port};
    char *host = pl_arena_dup(&out->arena, u.host);
    for (char *c = host; c && *c; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    }
    bool fine = !pl_buf_rc(&target) && !pl_buf_rc(path);
    out->origin.host = host;
    out->target = fine ? pl_arena_dup(&out->arena, pl_buf_view(&target)) : NULL;
    out->body_bytes_max = ANSWER_MAX;
    pl_buf_dispose(&target);
    return host && out->target ? PAIL_OK
                               : pl_fail(err, PAIL_E_NO_MEMORY, "no memory to ask for a token");
}

/* ---- The machine */

/* SPEC "Get a token using HTTP" of managed identities (2018-02-01); of App Service (2019-08-01); of
 * Arc-enabled servers (2020-06-01). */
static pail_code ask_metadata(struct pl_azure_fetch *f, struct pl_http_request *out,
                              struct pail_error **err)
{
    const struct pl_azure_login *l = f->login;
    bool app = source_of(f) == PL_AZURE_SERVICE, arc = source_of(f) == PL_AZURE_ARC;
    struct pl_buf path = PL_BUF_MAX(2048);
    pl_buf_puts(&path, app || arc ? "" : "/metadata/identity/oauth2/token");
    pl_buf_printf(&path, "?api-version=%s", app ? "2019-08-01" : arc ? "2020-06-01" : "2018-02-01");
    pl_url_query_add(&path, "resource", PL_STR(PL_AZURE_RESOURCE));
    if (l->client && !arc) { /* there it has one identity alone */
        pl_url_query_add(&path, "client_id", pl_str_c(l->client));
    }
    pail_code rc = pl_azure_ask(out, "GET", l->endpoint, &path, err);
    pl_buf_dispose(&path);
    if (!rc) {
        pl_http_add_c(out, app ? "x-identity-header" : "metadata", app ? l->header : "true");
        if (f->proof.len) {
            pl_http_add(out, "authorization", pl_buf_view(&f->proof));
        }
        out->direct = true;
        f->errand.timeout_ms = f->met || l->on_azure ? SLOW_MS : METADATA_MS;
    }
    return rc;
}

/* ---- Answers */

/* "invalid_client AADSTS7000215": a word and a number, so that nothing else of the answer is shown.
 * SPEC "OAuth 2.0 client credentials flow", error response; RFC 6749#5.2. */
static void error_words(const json_t *root, struct pl_buf *out)
{
    const char *word = root ? pl_json_text(root, "error") : NULL;
    const char *more = root ? pl_json_text(root, "error_description") : NULL;
    size_t n = word ? strspn(word, "abcdefghijklmnopqrstuvwxyz_") : 0;
    if (n && n < 64 && !word[n]) {
        pl_buf_printf(out, ", %s", word);
    }
    if (more && strncmp(more, "AADSTS", 6) == 0) {
        n = strspn(more + 6, "0123456789");
        pl_buf_printf(out, " AADSTS%.*s", n < 12 ? (int)n : 0, more + 6);
    }
}

static void say_tried(const struct pl_azure_fetch *f, struct pail_error **err)
{
    const struct pl_azure_login *l = f->login;
    if (of_application(f)) {
        pl_error_hint(err, "the %s of application %s in tenant %s was used",
                      pl_azure_source_name(source_of(f)), l->client, l->tenant);
    } else if (!l->asked_for) {
        pl_error_hint(err, "set azure_storage_account_key, azure_storage_sas_token, "
                           "azure_storage_token, azure_storage_connection_string, or "
                           "azure_client_id, azure_tenant_id and azure_client_secret; or run az "
                           "login; for public data azure_skip_signature=true");
    } else if (source_of(f) == PL_AZURE_CLI && l->count == 1) {
        pl_error_hint(err, "run az login, then by hand: az account get-access-token "
                           "--resource " PL_AZURE_RESOURCE);
    } else {
        pl_error_hint(err, "see that the machine or app has an identity, and whose id "
                           "azure_client_id is; or log in by another way");
    }
}

static pail_code blame(const struct pl_azure_fetch *f, const struct pl_http_response *r,
                       const char *why, struct pail_error **err)
{
    const char *where = of_application(f) ? f->login->authority : f->login->endpoint;
    const char *name = pl_azure_source_name(source_of(f));
    pail_code code = !of_application(f)            ? PAIL_E_NO_CREDENTIALS
                     : r->fail || r->status >= 500 ? PAIL_E_UNAVAILABLE
                                                   : PAIL_E_UNAUTHENTICATED;
    return r->fail
               ? pl_fail(err, code, "%s: no token from %s: %s", name, where, r->why)
               : pl_fail(err, code, "%s: no token from %s: HTTP %d%s", name, where, r->status, why);
}

static int64_t expiry(const json_t *root, int64_t now_ms)
{
    uint64_t seconds = 3600, at = 0;
    if (pl_json_u64(root, "expires_in", &seconds)) {
        seconds = seconds > DAY_S ? DAY_S : seconds;
    } else if (pl_json_u64(root, "expires_on", &at) && at < (UINT64_C(1) << 40)) {
        return (int64_t)at * 1000;
    }
    return now_ms + (int64_t)seconds * 1000;
}

static pail_code take(struct pl_azure_fetch *f, int64_t now_ms, const struct pl_http_response *r,
                      struct pail_error **err)
{
    json_t *root = NULL;
    struct pl_buf why = PL_BUF_MAX(256);
    bool parsed = !r->fail && pl_json_parse(pl_buf_view(&r->body), "token", &root, NULL) == PAIL_OK;
    const char *token = parsed && r->status == 200 ? pl_json_text(root, "access_token") : NULL;
    pail_code rc;
    if (token && *token && pl_header_safe(pl_str_c(token))) {
        rc = pl_azure_login_keep(f->login, token, expiry(root, now_ms), err);
    } else {
        if (r->status == 200) {
            pl_buf_puts(&why, ", an answer without a token");
        } else if (r->status / 100 == 3) {
            pl_buf_puts(&why, ", a redirect, which is not followed");
        } else {
            error_words(root, &why);
        }
        rc = blame(f, r, why.ptr ? why.ptr : "", err);
    }
    pl_json_free_secret(root);
    pl_buf_dispose(&why);
    return rc;
}

/* The token before was of this source, so it is there. */
static bool is_known(const struct pl_azure_fetch *f)
{
    struct pl_azure_login *l = f->login;
    pthread_mutex_lock(&l->lock);
    bool known = l->token && l->good == f->at;
    pthread_mutex_unlock(&l->lock);
    return known;
}

/* How often in all to ask a machine's or app's service that gave no answer. */
static int tries_without(struct pl_azure_fetch *f, const struct pl_http_response *r)
{
    bool cut = pl_errand_cut(r);
    f->met |= cut;
    return cut ? KNOWN_TRIES : f->met || f->login->on_azure || is_known(f) ? TRIES : 0;
}

/* How often in all, where this is the answer. SPEC "How to use managed identities for Azure
 * resources on an Azure VM to acquire an access token", error handling: 404, 410, 429 and 5xx of
 * the machine's service are retried with growing waits, for 70 s where it is being updated (410).
 * At its address other clouds have one of their own, which says 404 to this path. */
static int tries_with(struct pl_azure_fetch *f, int status)
{
    const struct pl_azure_login *l = f->login;
    bool machine = source_of(f) == PL_AZURE_MACHINE;
    bool stumbled = status >= 500 || status == 429, none = machine && status == 404;
    if (of_application(f)) {
        return stumbled ? TRIES : 0;
    }
    f->met |= stumbled || (machine && status == 410) ||
              (none && (l->on_azure || l->asked_for || is_known(f)));
    return machine && status == 410 ? UPDATE_TRIES
           : stumbled || none       ? f->met ? KNOWN_TRIES : TRIES
                                    : 0;
}

static bool again(struct pl_azure_fetch *f, const struct pl_http_response *r)
{
    int tries = !r->fail ? tries_with(f, r->status) : of_application(f) ? 0 : tries_without(f, r);
    if (f->tries >= tries) {
        return false;
    }
    f->errand.wait_ms = (uint32_t)(f->met ? KNOWN_AGAIN_MS : AGAIN_MS) << (f->tries - 1);
    return true;
}

/* ---- The walk */

static enum pl_errand_step begin(struct pl_azure_fetch *f, int64_t now_ms,
                                 struct pl_http_request *out, struct pail_error **err);

/* A source gave nothing: on to the next, or the error that says what was tried. Takes why. */
static enum pl_errand_step fall(struct pl_azure_fetch *f, int64_t now_ms, struct pail_error *why,
                                struct pl_http_request *out, struct pail_error **err)
{
    struct pl_azure_login *l = f->login;
    const char *text = why->message;
    if (why->is_static) {
        *err = why;
        return PL_ERRAND_FAIL;
    }
    if (f->at + 1 < l->count) {
        pl_buf_printf(&f->tried, "%s; ", text);
        pail_error_free(why);
        f->at++;
        f->tries = 0;
        f->met = false;
        return begin(f, now_ms, out, err);
    }
    pthread_mutex_lock(&l->lock);
    l->failed_ms = now_ms;
    l->good = 0;
    pthread_mutex_unlock(&l->lock);
    if (l->asked_for && !f->tried.len) {
        *err = why;
    } else {
        (void)pl_fail(err, PAIL_E_NO_CREDENTIALS, "no credentials for Azure; tried %s; %s%s",
                      PL_AZURE_UNSET, f->tried.ptr ? f->tried.ptr : "", text);
        pail_error_free(why);
    }
    say_tried(f, err);
    return PL_ERRAND_FAIL;
}

static enum pl_errand_step done(struct pl_azure_fetch *f)
{
    pthread_mutex_lock(&f->login->lock);
    f->login->good = f->at;
    pthread_mutex_unlock(&f->login->lock);
    return PL_ERRAND_DONE;
}

static enum pl_errand_step begin(struct pl_azure_fetch *f, int64_t now_ms,
                                 struct pl_http_request *out, struct pail_error **err)
{
    struct pail_error *why = NULL;
    pail_code rc;
    f->tries++;
    if (source_of(f) == PL_AZURE_CLI) {
        f->worked = true;
        return PL_ERRAND_WORK;
    }
    rc = of_application(f) ? pl_azure_ask_authority(f->login, source_of(f), now_ms, out, &why)
                           : ask_metadata(f, out, &why);
    return rc ? fall(f, now_ms, why, out, err) : PL_ERRAND_SEND;
}

static enum pl_errand_step next(struct pl_errand *e, int64_t now_ms,
                                const struct pl_http_response *answer, struct pl_http_request *out,
                                struct pail_error **err)
{
    struct pl_azure_fetch *f = (struct pl_azure_fetch *)e;
    struct pail_error *why = NULL;
    if (!answer && !f->worked) {
        return begin(f, now_ms, out, err);
    }
    if (answer && again(f, answer)) {
        return begin(f, now_ms, out, err);
    }
    if (answer && source_of(f) == PL_AZURE_ARC && answer->status == 401 && !f->proof.len) {
        return pl_azure_arc_prove(f, answer, &why) ? fall(f, now_ms, why, out, err)
                                                   : begin(f, now_ms, out, err);
    }
    pail_code rc = answer ? take(f, now_ms, answer, &why) : pl_azure_cli_take(f, now_ms, &why);
    return rc ? fall(f, now_ms, why, out, err) : done(f);
}

static void fetch_free(struct pl_errand *e)
{
    struct pl_azure_fetch *f = (struct pl_azure_fetch *)e;
    pl_buf_dispose(&f->tried);
    pl_azure_wipe(&f->output);
    pl_azure_wipe(&f->proof);
    pl_free(f);
}

struct pl_errand *pl_azure_login_errand(struct pl_azure_login *l, struct pail_error **err)
{
    struct pl_azure_fetch *f = pl_calloc(1, sizeof *f);
    if (!f) {
        pl_fail(err, PAIL_E_NO_MEMORY, "no memory to ask for a token");
        return NULL;
    }
    f->errand = (struct pl_errand){.next = next, .work = pl_azure_cli_work, .free = fetch_free};
    f->login = l;
    f->tried.max = TRIED_MAX; /* a machine whose identity failed once is itself again later */
    return &f->errand;
}
