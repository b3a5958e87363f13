/* The fetching of a token: an external account's subject token first, then the token endpoint or
 * the metadata server, then that of the account to be impersonated. Source: RFC 7523 section 2.1,
 * RFC 6749 section 6, RFC 8693 section 2.1; Compute Engine "Authenticate workloads with service
 * accounts"; IAM Credentials API "generateAccessToken". */
#include <stdio.h>

#include "codec/base64.h"
#include "codec/date.h"
#include "codec/url.h"
#include "cred/gcs_auth.h"

enum { DAY_S = 24 * 3600, FORM_MAX = 128 * 1024 };

enum stage { BEGIN, SUBJECT, TOKEN, TARGET };

struct fetch {
    struct pl_errand errand; /* first */
    struct pl_gcs_auth *auth;
    enum stage stage;
    struct pl_gcs_subject_walk subject;
    struct pl_gcs_tries tries; /* of the metadata server */
    struct pl_gcs_token base;  /* with a target */
};

/* ---- Shared */

void pl_gcs_wipe(struct pl_buf *b)
{
    if (b->ptr) {
        pl_zero(b->ptr, b->cap);
    }
    pl_buf_dispose(b);
}

pail_code pl_gcs_ask(struct pl_http_request *out, const char *method, struct pl_str text,
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
    out->method = method;
    out->body_bytes_max = PL_GCS_ANSWER_MAX;
    out->origin = (struct pl_origin){.tls = url.tls, .port = url.port};
    out->origin.host = pl_arena_dup(&out->arena, pl_buf_view(&host));
    out->target = pl_arena_dup(&out->arena, pl_buf_view(&target));
    bool fine = !pl_buf_rc(&host) && !pl_buf_rc(&target) && out->origin.host && out->target;
    pl_buf_dispose(&host);
    pl_buf_dispose(&target);
    return fine ? PAIL_OK : pl_fail(err, PAIL_E_NO_MEMORY, "no memory to ask for a token");
}

/* "error" of RFC 6749#5.2, "status" of Google's APIs: a word of few letters, so that nothing of the
 * answer leaks. */
static void error_word(const json_t *root, char room[64])
{
    const char *word = pl_json_text(root, "error");
    word = word ? word : pl_json_text(json_object_get(root, "error"), "status");
    size_t n = 0;
    for (; word && word[n] && n < 63; n++) {
        char c = word[n];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        room[n] = plain ? c : '?';
    }
    room[n] = '\0';
}

pail_code pl_gcs_blame(const struct pl_http_response *r, pail_code code, const char *what,
                       const char *where, struct pail_error **err)
{
    json_t *root = NULL;
    char word[64] = "";
    if (r->fail) {
        return pl_fail(err, code, "no %s from %s: %s", what, where, r->why);
    }
    bool parsed = pl_json_parse(pl_buf_view(&r->body), "answer", &root, NULL) == PAIL_OK;
    error_word(root, word);
    pl_json_free_secret(root);
    const char *why = *word                  ? word
                      : r->status / 100 == 3 ? "a redirect, which nobody follows with a secret"
                      : !parsed              ? "an answer that is no JSON"
                      : r->status == 200     ? "an answer without it"
                                             : "";
    return pl_fail(err, code, "no %s from %s: HTTP %d%s%s", what, where, r->status,
                   *why ? ", " : "", why);
}

/* ---- What is asked */

static void add(struct pl_buf *form, const char *name, const char *value)
{
    pl_url_query_add(form, name, pl_str_c(value));
}

/* SPEC RFC 8693#2.1, google.aip.dev/auth/4117. */
static void write_exchange(struct fetch *f, struct pl_buf *form)
{
    const struct pl_gcs_auth *a = f->auth;
    const struct pl_gcs_external *x = &a->external;
    struct pl_buf options = PL_BUF_MAX(1024);
    add(form, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
    add(form, "audience", x->audience);
    add(form, "scope", a->target ? PL_GCS_SCOPE_CLOUD : PL_GCS_SCOPE_STORAGE);
    add(form, "requested_token_type", "urn:ietf:params:oauth:token-type:access_token");
    add(form, "subject_token_type", x->subject_type);
    pl_url_query_add(form, "subject_token", pl_buf_view(&f->subject.subject));
    if (x->project && !a->client_id) { /* who has a client is billed by it */
        pl_buf_puts(&options, "{\"userProject\":");
        bool fine = pl_json_quote(&options, pl_str_c(x->project));
        pl_buf_puts(&options, "}");
        pl_url_query_add(form, "options", fine ? pl_buf_view(&options) : PL_STR("{}"));
    }
    pl_buf_dispose(&options);
}

/* SPEC RFC 7523#2.1 for a service account, RFC 6749#6 for a user. */
static pail_code write_form(struct fetch *f, int64_t now_ms, struct pl_buf *form,
                            struct pail_error **err)
{
    const struct pl_gcs_auth *a = f->auth;
    if (a->source == PL_GCS_EXTERNAL) {
        write_exchange(f, form);
        return PAIL_OK;
    }
    if (a->source == PL_GCS_ACCOUNT) {
        struct pl_buf assertion = PL_BUF_MAX(16 * 1024);
        pail_code rc = pl_gcs_self_signed(a, true, now_ms, &assertion, err);
        add(form, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
        pl_url_query_add(form, "assertion", pl_buf_view(&assertion));
        pl_gcs_wipe(&assertion);
        return rc;
    }
    add(form, "grant_type", "refresh_token");
    add(form, "client_id", a->client_id);
    add(form, "client_secret", a->client_secret);
    add(form, "refresh_token", a->refresh_token);
    return PAIL_OK;
}

/* SPEC RFC 6749#2.3.1: a workforce pool's client, by Basic. */
static void add_client(const struct pl_gcs_auth *a, struct pl_http_request *out)
{
    struct pl_buf pair = PL_BUF_MAX(8192), value = PL_BUF_MAX(16 * 1024);
    pl_buf_printf(&pair, "%s:%s", a->client_id, a->client_secret ? a->client_secret : "");
    pl_buf_puts(&value, "Basic ");
    pl_base64_encode(&value, pair.ptr, pair.len);
    out->failed |= pl_buf_rc(&pair) || pl_buf_rc(&value);
    pl_http_add(out, "authorization", pl_buf_view(&value));
    pl_gcs_wipe(&pair);
    pl_gcs_wipe(&value);
}

static pail_code ask_endpoint(struct fetch *f, int64_t now_ms, struct pl_http_request *out,
                              struct pail_error **err)
{
    struct pl_buf form = PL_BUF_MAX(FORM_MAX);
    pail_code rc = pl_gcs_ask(out, "POST", pl_str_c(f->auth->token_uri), err);
    rc = rc ? rc : write_form(f, now_ms, &form, err);
    if (!rc && pl_buf_rc(&form)) {
        rc = pl_fail(err, pl_buf_rc(&form), "the request for a token is too large");
    }
    if (!rc) {
        pl_http_add_c(out, "content-type", "application/x-www-form-urlencoded");
        pl_http_set_text(out, pl_buf_view(&form));
        f->errand.timeout_ms = PL_GCS_ENDPOINT_MS;
        if (f->auth->source == PL_GCS_EXTERNAL && f->auth->client_id) {
            add_client(f->auth, out);
        }
    }
    pl_gcs_wipe(&form);
    return rc;
}

static pail_code ask_target(struct fetch *f, struct pl_http_request *out, struct pail_error **err)
{
    const struct pl_gcs_auth *a = f->auth;
    struct pl_buf body = PL_BUF_MAX(32 * 1024), bearer = PL_BUF_MAX(32 * 1024);
    pail_code rc = pl_gcs_ask(out, "POST", pl_str_c(a->target_url), err);
    if (!rc) {
        pl_buf_printf(&body, "{\"scope\":[\"%s\"],\"lifetime\":\"%llus\"", PL_GCS_SCOPE_STORAGE,
                      (unsigned long long)a->lifetime_s);
        pl_buf_printf(&body, a->delegates ? ",\"delegates\":[%s]}" : "}", a->delegates);
        pl_buf_printf(&bearer, "Bearer %s", f->base.text);
        pl_http_add_c(out, "content-type", "application/json");
        pl_http_add(out, "authorization", pl_buf_view(&bearer));
        pl_http_set_text(out, pl_buf_view(&body));
        out->failed |= pl_buf_rc(&body) || pl_buf_rc(&bearer);
        f->errand.timeout_ms = PL_GCS_ENDPOINT_MS;
    }
    pl_buf_dispose(&body);
    pl_gcs_wipe(&bearer);
    return rc;
}

/* ---- What is answered */

static void note_failure(struct fetch *f, int64_t now_ms)
{
    pthread_mutex_lock(&f->auth->lock);
    f->auth->failed_ms = now_ms;
    pthread_mutex_unlock(&f->auth->lock);
}

static void say_failed(struct fetch *f, const struct pl_http_response *r, struct pail_error **err)
{
    const struct pl_gcs_auth *a = f->auth;
    bool metadata = a->source == PL_GCS_METADATA && f->stage == TOKEN;
    pail_code code = metadata ? PAIL_E_NO_CREDENTIALS : PAIL_E_UNAUTHENTICATED;
    if (!metadata && (r->fail || r->status >= 500)) {
        code = PAIL_E_UNAVAILABLE;
    } else if (f->stage == TARGET && r->status == 403) {
        code = PAIL_E_FORBIDDEN;
    }
    pl_gcs_blame(r, code, "token",
                 f->stage == TARGET ? a->target_url
                 : metadata         ? a->metadata_host
                                    : a->token_uri,
                 err);
    if (metadata) {
        pl_error_hint(err, "tried in order: google_token, google_service_account_key, "
                           "google_service_account, google_application_credentials, "
                           "google_hmac_access_id, gcloud's file and the metadata server; none of "
                           "the first is set. For public data set google_skip_signature=true");
    } else if (f->stage == TARGET) {
        pl_error_hint(err,
                      "to impersonate an account takes the role Service Account Token Creator "
                      "on it; the credentials used are: %s",
                      a->name);
    } else {
        pl_error_hint(err, "the credentials used are: %s", a->name);
    }
}

static bool read_token(const struct fetch *f, const json_t *root, int64_t now_ms,
                       struct pl_gcs_token *out)
{
    uint64_t seconds = 0;
    int64_t at_ms = 0;
    const char *token = pl_json_text(root, f->stage == TARGET ? "accessToken" : "access_token");
    if (!token || !*token || !pl_header_safe(pl_str_c(token))) {
        return false;
    }
    if (!pl_json_u64(root, "expires_in", &seconds) || seconds > DAY_S) {
        seconds = 3600;
    }
    if (f->stage == TARGET &&
        pl_date_iso_parse(pl_str_c(pl_json_text(root, "expireTime")), &at_ms)) {
        seconds = at_ms > now_ms ? (uint64_t)(at_ms - now_ms) / 1000 : 0;
    }
    pl_gcs_token_set(out, token, now_ms + (int64_t)seconds * 1000);
    return out->text != NULL;
}

/* True: *out has what the answer gave. */
static bool receive(struct fetch *f, int64_t now_ms, const struct pl_http_response *r,
                    struct pl_gcs_token *out, struct pail_error **err)
{
    json_t *root = NULL;
    bool flavoured = f->stage == TARGET || f->auth->source != PL_GCS_METADATA ||
                     pl_str_ieq(pl_http_header(r, "metadata-flavor"), PL_STR("Google"));
    bool fine = !r->fail && r->status == 200 && flavoured &&
                pl_json_parse(pl_buf_view(&r->body), "token", &root, NULL) == PAIL_OK &&
                read_token(f, root, now_ms, out);
    pl_json_free_secret(root);
    if (!fine) {
        say_failed(f, r, err);
        note_failure(f, now_ms);
    }
    return fine;
}

/* ---- The steps */

static enum pl_errand_step ask_token(struct fetch *f, int64_t now_ms, struct pl_http_request *out,
                                     struct pail_error **err)
{
    struct pl_gcs_auth *a = f->auth;
    f->stage = TOKEN;
    pail_code rc = a->source == PL_GCS_METADATA
                       ? pl_gcs_machine_ask(a, "token", &f->errand, &f->tries, out, err)
                       : ask_endpoint(f, now_ms, out, err);
    return rc ? PL_ERRAND_FAIL : PL_ERRAND_SEND;
}

static enum pl_errand_step go_subject(struct fetch *f, int64_t now_ms,
                                      const struct pl_http_response *answer,
                                      struct pl_http_request *out, struct pail_error **err)
{
    f->stage = SUBJECT;
    enum pl_errand_step step = pl_gcs_subject_next(&f->subject, now_ms, answer, out, err);
    f->errand.timeout_ms = f->subject.timeout_ms;
    if (step == PL_ERRAND_FAIL) {
        note_failure(f, now_ms);
        pl_error_hint(err, "the credentials used are: %s", f->auth->name);
    }
    return step == PL_ERRAND_DONE ? ask_token(f, now_ms, out, err) : step;
}

static enum pl_errand_step begin(struct fetch *f, int64_t now_ms, struct pl_http_request *out,
                                 struct pail_error **err)
{
    if (f->auth->source == PL_GCS_EXTERNAL) {
        return go_subject(f, now_ms, NULL, out, err);
    }
    if (f->auth->source != PL_GCS_BEARER) {
        return ask_token(f, now_ms, out, err);
    }
    pthread_mutex_lock(&f->auth->lock);
    pl_gcs_token_set(&f->base, f->auth->base.text, INT64_MAX);
    pthread_mutex_unlock(&f->auth->lock);
    f->stage = TARGET;
    return ask_target(f, out, err) ? PL_ERRAND_FAIL : PL_ERRAND_SEND;
}

static enum pl_errand_step next(struct pl_errand *e, int64_t now_ms,
                                const struct pl_http_response *answer, struct pl_http_request *out,
                                struct pail_error **err)
{
    struct fetch *f = (struct fetch *)e;
    struct pl_gcs_token fresh = {0};
    if (f->stage == BEGIN) {
        return begin(f, now_ms, out, err);
    }
    if (f->stage == SUBJECT) {
        return go_subject(f, now_ms, answer, out, err);
    }
    if (f->stage == TOKEN && f->auth->source == PL_GCS_METADATA &&
        pl_gcs_machine_again(f->auth, &f->tries, answer)) {
        return ask_token(f, now_ms, out, err);
    }
    if (!receive(f, now_ms, answer, &fresh, err)) {
        return PL_ERRAND_FAIL;
    }
    if (f->stage == TOKEN && f->auth->target) {
        f->base = fresh;
        f->stage = TARGET;
        return ask_target(f, out, err) ? PL_ERRAND_FAIL : PL_ERRAND_SEND;
    }
    pl_gcs_auth_keep(f->auth, fresh.text, fresh.expires_ms, f->stage == TARGET ? &f->base : NULL);
    pl_free_secret(fresh.text);
    return PL_ERRAND_DONE;
}

static void fetch_free(struct pl_errand *e)
{
    struct fetch *f = (struct fetch *)e;
    pl_gcs_subject_dispose(&f->subject);
    pl_free_secret(f->base.text);
    pl_free(f);
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
    f->subject.auth = a;
    return &f->errand;
}
