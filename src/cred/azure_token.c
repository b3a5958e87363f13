/* The fetching of a token: one request to the authority, to the app's own service of identities or
 * to the machine's metadata service. */
#include <errno.h>

#include "base/sys.h"
#include "codec/json.h"
#include "codec/url.h"
#include "cred/azure_login.h"

#define RESOURCE "https://storage.azure.com/"

enum {
    ANSWER_MAX = 64 * 1024,
    FORM_MAX = 128 * 1024,
    FILE_MAX = 64 * 1024,
    METADATA_MS = 1000, /* a machine without the service costs one of them */
    TRIES = 3,
    AGAIN_MS = 100,
    DAY_S = 24 * 3600
};

struct fetch {
    struct pl_errand errand; /* first */
    struct pl_azure_login *login;
    int tries;
};

static bool of_application(const struct pl_azure_login *l)
{
    return l->source == PL_AZURE_SECRET || l->source == PL_AZURE_WORKLOAD;
}

static void wipe(struct pl_buf *b)
{
    if (b->ptr) {
        pl_zero(b->ptr, b->cap);
    }
    pl_buf_dispose(b);
}

/* Begins a request to url with `path` behind it. */
static pail_code ask(struct pl_http_request *out, const char *method, const char *url,
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

/* ---- An application */

static pail_code add_assertion(const struct pl_azure_login *l, struct pl_buf *form,
                               struct pail_error **err)
{
    size_t len = 0;
    char room[128];
    char *text = pl_sys_read_file(l->token_file, FILE_MAX, &len);
    if (!text) {
        return pl_fail(err, PAIL_E_NO_CREDENTIALS, "workload identity: cannot read %s: %s",
                       l->token_file, pl_errno_text(errno, room, sizeof room));
    }
    struct pl_str token = pl_str_trim(pl_str_n(text, len));
    pl_url_query_add(form, "client_assertion_type",
                     PL_STR("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
    pl_url_query_add(form, "client_assertion", token);
    pail_code rc = token.len ? PAIL_OK
                             : pl_fail(err, PAIL_E_NO_CREDENTIALS, "workload identity: %s is empty",
                                       l->token_file);
    pl_zero(text, len);
    pl_free(text);
    return rc;
}

/* SPEC "OAuth 2.0 client credentials flow": first case (a shared secret) and third case (a
 * federated credential). */
static pail_code ask_authority(const struct pl_azure_login *l, struct pl_http_request *out,
                               struct pail_error **err)
{
    struct pl_buf form = PL_BUF_MAX(FORM_MAX), path = PL_BUF_MAX(1024);
    pail_code rc = PAIL_OK;
    pl_buf_printf(&path, "/%s/oauth2/v2.0/token", l->tenant);
    pl_url_query_add(&form, "grant_type", PL_STR("client_credentials"));
    pl_url_query_add(&form, "client_id", pl_str_c(l->client));
    pl_url_query_add(&form, "scope", PL_STR(RESOURCE ".default"));
    if (l->source == PL_AZURE_SECRET) {
        pl_url_query_add(&form, "client_secret", pl_str_c(l->secret));
    } else {
        rc = add_assertion(l, &form, err);
    }
    if (!rc && pl_buf_rc(&form)) {
        rc = pl_fail(err, pl_buf_rc(&form), "no room to ask for a token");
    }
    rc = rc ? rc : ask(out, "POST", l->authority, &path, err);
    if (!rc) {
        pl_http_add_c(out, "content-type", "application/x-www-form-urlencoded");
        pl_http_set_text(out, pl_buf_view(&form));
    }
    wipe(&form);
    pl_buf_dispose(&path);
    return rc;
}

/* ---- The machine */

/* SPEC "Get a token using HTTP" of managed identities (2018-02-01); of App Service (2019-08-01). */
static pail_code ask_metadata(struct fetch *f, struct pl_http_request *out, struct pail_error **err)
{
    const struct pl_azure_login *l = f->login;
    bool app = l->source == PL_AZURE_SERVICE;
    struct pl_buf path = PL_BUF_MAX(2048);
    pl_buf_puts(&path, app ? "" : "/metadata/identity/oauth2/token");
    pl_buf_printf(&path, "?api-version=%s", app ? "2019-08-01" : "2018-02-01");
    pl_url_query_add(&path, "resource", PL_STR(RESOURCE));
    if (l->client) {
        pl_url_query_add(&path, "client_id", pl_str_c(l->client));
    }
    pail_code rc = ask(out, "GET", l->endpoint, &path, err);
    pl_buf_dispose(&path);
    if (!rc) {
        pl_http_add_c(out, app ? "x-identity-header" : "metadata", app ? l->header : "true");
        out->direct = true;
        f->errand.timeout_ms = METADATA_MS;
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

static void say_tried(const struct pl_azure_login *l, struct pail_error **err)
{
    if (of_application(l)) {
        pl_error_hint(err, "the %s of application %s in tenant %s was used", pl_azure_login_name(l),
                      l->client, l->tenant);
    } else if (l->asked_for) {
        pl_error_hint(err, "see that the machine or app has an identity, and whose id "
                           "azure_client_id is; or log in by another way");
    } else {
        pl_error_hint(err, "set azure_storage_account_key, azure_storage_sas_token, "
                           "azure_storage_token, azure_storage_connection_string, or "
                           "azure_client_id, azure_tenant_id and azure_client_secret; for public "
                           "data azure_skip_signature=true");
    }
}

static pail_code blame(const struct pl_azure_login *l, const struct pl_http_response *r,
                       const char *why, struct pail_error **err)
{
    const char *where = of_application(l) ? l->authority : l->endpoint;
    const char *before =
        l->asked_for ? ""
                     : "no credentials for Azure; tried key, SAS and token: not set; client "
                       "secret: azure_client_secret is not set; workload identity: "
                       "azure_federated_token_file is not set; ";
    pail_code code = !of_application(l)            ? PAIL_E_NO_CREDENTIALS
                     : r->fail || r->status >= 500 ? PAIL_E_UNAVAILABLE
                                                   : PAIL_E_UNAUTHENTICATED;
    if (r->fail) {
        pl_fail(err, code, "%s%s: no token from %s: %s", before, pl_azure_login_name(l), where,
                r->why);
    } else {
        pl_fail(err, code, "%s%s: no token from %s: HTTP %d%s", before, pl_azure_login_name(l),
                where, r->status, why);
    }
    say_tried(l, err);
    return code;
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

static pail_code take(struct fetch *f, int64_t now_ms, const struct pl_http_response *r,
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
        } else {
            error_words(root, &why);
        }
        rc = blame(f->login, r, why.ptr ? why.ptr : "", err);
        pthread_mutex_lock(&f->login->lock);
        f->login->failed_ms = now_ms;
        pthread_mutex_unlock(&f->login->lock);
    }
    pl_json_free_secret(root);
    pl_buf_dispose(&why);
    return rc;
}

/* The service stumbled, or the identity is not up yet (404 and 410 of the metadata service). */
static bool again(struct fetch *f, const struct pl_http_response *r)
{
    bool starting = f->login->source == PL_AZURE_MACHINE && (r->status == 404 || r->status == 410);
    bool stumbled = !r->fail && (r->status >= 500 || r->status == 429 || starting);
    return stumbled && f->tries < TRIES;
}

static enum pl_errand_step next(struct pl_errand *e, int64_t now_ms,
                                const struct pl_http_response *answer, struct pl_http_request *out,
                                struct pail_error **err)
{
    struct fetch *f = (struct fetch *)e;
    if (answer && !again(f, answer)) {
        return take(f, now_ms, answer, err) ? PL_ERRAND_FAIL : PL_ERRAND_DONE;
    }
    f->tries++;
    e->wait_ms = answer ? AGAIN_MS : 0;
    pail_code rc =
        of_application(f->login) ? ask_authority(f->login, out, err) : ask_metadata(f, out, err);
    return rc ? PL_ERRAND_FAIL : PL_ERRAND_SEND;
}

static void fetch_free(struct pl_errand *e)
{
    pl_free(e);
}

struct pl_errand *pl_azure_login_errand(struct pl_azure_login *l, struct pail_error **err)
{
    struct fetch *f = pl_calloc(1, sizeof *f);
    if (!f) {
        pl_fail(err, PAIL_E_NO_MEMORY, "no memory to ask for a token");
        return NULL;
    }
    f->errand = (struct pl_errand){.next = next, .free = fetch_free};
    f->login = l;
    return &f->errand;
}
