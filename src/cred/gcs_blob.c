/* Signatures of an account whose key is not here. Source: IAM Service Account Credentials API
 * "signBlob"; Compute Engine "View and query VM metadata" (service-accounts/default/email). */
#include "codec/base64.h"
#include "cred/gcs_auth.h"

enum { EMAIL_MAX = 320, SIGNATURE_MIN = 128, SIGNATURE_MAX = 1024 /* bytes of an RSA key */ };

bool pl_gcs_auth_signs_elsewhere(struct pl_gcs_auth *a, const char **email)
{
    if (!a->target && a->source != PL_GCS_METADATA) {
        return false;
    }
    pthread_mutex_lock(&a->lock);
    *email = a->target ? a->target : a->machine; /* once set, it stays */
    pthread_mutex_unlock(&a->lock);
    return true;
}

/* ---- The machine's account */

struct whose {
    struct pl_errand errand; /* first */
    struct pl_gcs_auth *auth;
    struct pl_gcs_tries tries;
};

static bool keep_email(struct pl_gcs_auth *a, struct pl_str text)
{
    bool fine = text.len > 2 && text.len < EMAIL_MAX && memchr(text.ptr, '@', text.len);
    for (size_t i = 0; i < text.len && fine; i++) {
        fine = text.ptr[i] > ' ' && text.ptr[i] < 0x7f && !strchr("/?#%\"\\:", text.ptr[i]);
    }
    char *copy = fine ? pl_strndup(text.ptr, text.len) : NULL;
    pthread_mutex_lock(&a->lock);
    if (!a->machine) {
        a->machine = copy;
        copy = NULL;
    }
    bool known = a->machine != NULL;
    pthread_mutex_unlock(&a->lock);
    pl_free(copy);
    return known;
}

static enum pl_errand_step next_email(struct pl_errand *e, int64_t now_ms,
                                      const struct pl_http_response *answer,
                                      struct pl_http_request *out, struct pail_error **err)
{
    struct whose *w = (struct whose *)e;
    struct pl_gcs_auth *a = w->auth;
    (void)now_ms;
    if (answer && !pl_gcs_machine_again(a, &w->tries, answer)) {
        bool fine = !answer->fail && answer->status == 200 &&
                    pl_str_ieq(pl_http_header(answer, "metadata-flavor"), PL_STR("Google")) &&
                    keep_email(a, pl_str_trim(pl_buf_view(&answer->body)));
        if (!fine) {
            (void)pl_gcs_blame(answer, PAIL_E_NO_CREDENTIALS, "address of this machine's account",
                               a->metadata_host, err);
        }
        return fine ? PL_ERRAND_DONE : PL_ERRAND_FAIL;
    }
    return pl_gcs_machine_ask(a, "email", e, &w->tries, out, err) ? PL_ERRAND_FAIL : PL_ERRAND_SEND;
}

static void whose_free(struct pl_errand *e)
{
    pl_free(e);
}

struct pl_errand *pl_gcs_email_errand(struct pl_gcs_auth *a, struct pail_error **err)
{
    struct whose *w = pl_calloc(1, sizeof *w);
    if (!w) {
        (void)pl_gcs_no_memory(err);
        return NULL;
    }
    w->errand = (struct pl_errand){.next = next_email, .free = whose_free};
    w->auth = a;
    return &w->errand;
}

/* ---- The signature */

struct blob {
    struct pl_errand errand; /* first */
    struct pl_gcs_auth *auth;
    const struct pl_gcs_blob_use *use;
    void *ctx;
};

static pail_code ask(struct blob *b, int64_t now_ms, struct pl_http_request *out,
                     struct pail_error **err)
{
    struct pl_gcs_auth *a = b->auth;
    const char *email = NULL;
    struct pl_buf url = PL_BUF_MAX(4096), body = PL_BUF_MAX(32 * 1024), bearer = PL_BUF_MAX(32768),
                  to_sign = PL_BUF_MAX(16 * 1024);
    if (!pl_gcs_auth_signs_elsewhere(a, &email) || !email) {
        return pl_fail(err, PAIL_E_NO_CREDENTIALS, "there is no account to sign as");
    }
    pail_code rc = b->use->write(b->ctx, email, now_ms, &to_sign, err);
    pl_buf_printf(&url, "%s/v1/projects/-/serviceAccounts/%s:signBlob", a->iam_endpoint, email);
    pl_buf_puts(&body, "{\"payload\":\"");
    pl_base64_encode(&body, to_sign.ptr, to_sign.len);
    pl_buf_printf(&body, a->delegates ? "\",\"delegates\":[%s]}" : "\"}", a->delegates);
    pthread_mutex_lock(&a->lock); /* who may become the account may sign as it, not it itself */
    const char *token = a->target ? a->base.text : a->token.text;
    pl_buf_printf(&bearer, "Bearer %s", token ? token : "");
    pthread_mutex_unlock(&a->lock);
    if (!rc && (pl_buf_rc(&url) || pl_buf_rc(&body) || pl_buf_rc(&bearer))) {
        rc = pl_gcs_no_memory(err);
    }
    rc = rc ? rc : pl_gcs_ask(out, "POST", pl_buf_view(&url), err);
    if (!rc) {
        pl_http_add_c(out, "content-type", "application/json");
        pl_http_add(out, "authorization", pl_buf_view(&bearer));
        pl_http_set_text(out, pl_buf_view(&body));
        b->errand.timeout_ms = PL_GCS_ENDPOINT_MS;
    }
    pl_buf_dispose(&url);
    pl_buf_dispose(&body);
    pl_buf_dispose(&to_sign);
    pl_gcs_wipe(&bearer);
    return rc;
}

static pail_code blame(struct blob *b, const struct pl_http_response *r, struct pail_error **err)
{
    pail_code code = r->fail || r->status >= 500 ? PAIL_E_UNAVAILABLE
                     : r->status == 401          ? PAIL_E_UNAUTHENTICATED
                     : r->status == 403          ? PAIL_E_FORBIDDEN
                                                 : PAIL_E_NO_CREDENTIALS;
    pl_gcs_blame(r, code, "signature for a URL", b->auth->iam_endpoint, err);
    pl_error_hint(err,
                  "signing takes the role Service Account Token Creator on the account; or "
                  "give a service account's key file, or an HMAC key. The credentials used "
                  "are: %s",
                  b->auth->name);
    return code;
}

static pail_code receive(struct blob *b, const struct pl_http_response *r, struct pail_error **err)
{
    json_t *root = NULL;
    struct pl_buf raw = PL_BUF_MAX(SIGNATURE_MAX);
    bool fine = !r->fail && r->status == 200 &&
                pl_json_parse(pl_buf_view(&r->body), "signature", &root, NULL) == PAIL_OK;
    const char *text = fine ? pl_json_text(root, "signedBlob") : NULL;
    fine = text && pl_base64_decode(&raw, pl_str_c(text)) && !pl_buf_rc(&raw) &&
           raw.len >= SIGNATURE_MIN;
    pail_code rc = fine ? b->use->done(b->ctx, pl_buf_view(&raw), err) : blame(b, r, err);
    json_decref(root);
    pl_buf_dispose(&raw);
    return rc;
}

static enum pl_errand_step next_blob(struct pl_errand *e, int64_t now_ms,
                                     const struct pl_http_response *answer,
                                     struct pl_http_request *out, struct pail_error **err)
{
    struct blob *b = (struct blob *)e;
    if (!answer) {
        return ask(b, now_ms, out, err) ? PL_ERRAND_FAIL : PL_ERRAND_SEND;
    }
    return receive(b, answer, err) ? PL_ERRAND_FAIL : PL_ERRAND_DONE;
}

static void blob_free(struct pl_errand *e)
{
    struct blob *b = (struct blob *)e;
    b->use->free(b->ctx);
    pl_free(b);
}

struct pl_errand *pl_gcs_blob_errand(struct pl_gcs_auth *a, const struct pl_gcs_blob_use *use,
                                     void *ctx, struct pail_error **err)
{
    struct blob *b = pl_calloc(1, sizeof *b);
    if (!b) {
        (void)pl_gcs_no_memory(err);
        use->free(ctx);
        return NULL;
    }
    b->errand = (struct pl_errand){.next = next_blob, .free = blob_free};
    b->auth = a;
    b->use = use;
    b->ctx = ctx;
    return &b->errand;
}
