/* What Azure is asked before an operation can be built: a token, and for URLs without the account's
 * key a user delegation key. Source: Azure Storage REST API "Get User Delegation Key". */
#include "codec/date.h"
#include "codec/xml.h"
#include "provider/azure.h"

enum { TOKEN = 1, DELEGATION = 2 }; /* of pl_need.what */
enum { ANSWER_MAX = 64 * 1024, SKEW_MS = 15 * 60 * 1000, SLACK_MS = 2 * SKEW_MS };

/* SPEC "Get User Delegation Key": valid for seven days at most. */
static const int64_t WEEK_MS = INT64_C(7) * 24 * 3600 * 1000;

void pl_azure_need(struct pl_dialect *d, const struct pl_op *op, int64_t now_ms,
                   struct pl_need *out)
{
    struct pl_azure *az = (struct pl_azure *)d;
    bool by_token = az->auth == PL_AZURE_LOGIN || az->auth == PL_AZURE_BEARER;
    bool now = false;
    if (az->auth == PL_AZURE_LOGIN && pl_azure_login_lacks(az->login, now_ms, &now)) {
        *out = (struct pl_need){.what = TOKEN, .now = now};
    }
    if (now || op->kind != PL_OP_PRESIGN || !by_token) {
        return;
    }
    pthread_mutex_lock(&az->dialect.lock);
    bool have = az->delegation.key_ready &&
                az->delegation.expires_ms >= now_ms + pl_azure_url_ms(op) - SLACK_MS;
    pthread_mutex_unlock(&az->dialect.lock);
    if (!have) {
        *out = (struct pl_need){.what = DELEGATION, .now = true};
    }
}

pail_code pl_azure_refresh(struct pl_dialect *d, struct pail_error **err)
{
    struct pl_azure *az = (struct pl_azure *)d;
    if (az->auth != PL_AZURE_LOGIN) {
        return pl_fail(err, PAIL_E_EXPIRED_CREDENTIALS,
                       "the credentials were given and cannot be renewed");
    }
    pl_azure_login_forget(az->login);
    return PAIL_OK;
}

/* ---- The key */

struct ask {
    struct pl_errand errand; /* first */
    struct pl_azure *az;
    struct pl_arena arena;
    char *oid, *tid, *start, *expiry, *service, *version, *value; /* of the answer */
};

static pail_code close_element(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    struct ask *k = ctx;
    const struct {
        const char *name;
        char **to;
    } all[] = {{"SignedOid", &k->oid},
               {"SignedTid", &k->tid},
               {"SignedStart", &k->start},
               {"SignedExpiry", &k->expiry},
               {"SignedService", &k->service},
               {"SignedVersion", &k->version},
               {"Value", &k->value}};
    for (size_t i = 0; depth == 2 && i < sizeof all / sizeof *all; i++) {
        if (pl_str_is(name, all[i].name)) {
            *all[i].to = pl_arena_dup(&k->arena, pl_str_trim(text));
        }
    }
    return PAIL_OK;
}

static pail_code read_key(struct ask *k, struct pl_str text, struct pail_error **err)
{
    static const struct pl_xml_events events = {.close = close_element};
    struct pl_xml x = {0};
    pail_code rc = pl_xml_init(&x, &events, k, ANSWER_MAX, err);
    rc = rc ? rc : pl_xml_feed(&x, text.ptr, text.len, err);
    rc = rc ? rc : pl_xml_finish(&x, err);
    pl_xml_dispose(&x);
    return rc;
}

/* The texts are used as the service wrote them: they are signed. */
static pail_code keep(struct ask *k, struct pail_error **err)
{
    struct pl_azure_delegation_key fresh = {0};
    int64_t expires_ms = 0;
    bool whole = k->oid && k->tid && k->start && k->expiry && k->service && k->version && k->value;
    if (!whole || !pl_date_iso_parse(pl_str_c(k->expiry), &expires_ms)) {
        return pl_fail(err, PAIL_E_PROTOCOL, "the service's user delegation key is not whole");
    }
    pail_code rc = pl_azure_key_init(&fresh.key, pl_str_c(k->value), err);
    if (rc) {
        return rc;
    }
    fresh.arena = k->arena;
    k->arena = (struct pl_arena){0};
    fresh.is =
        (struct pl_azure_delegation){k->oid, k->tid, k->start, k->expiry, k->service, k->version};
    pl_zero(k->value, strlen(k->value));
    k->value = NULL;
    fresh.expires_ms = expires_ms;
    fresh.key_ready = true;
    pthread_mutex_lock(&k->az->dialect.lock);
    struct pl_azure_delegation_key old = k->az->delegation;
    k->az->delegation = fresh;
    pthread_mutex_unlock(&k->az->dialect.lock);
    pl_azure_delegation_dispose(&old);
    return PAIL_OK;
}

void pl_azure_delegation_dispose(struct pl_azure_delegation_key *k)
{
    pl_azure_key_dispose(&k->key);
    pl_arena_dispose(&k->arena);
    *k = (struct pl_azure_delegation_key){0};
}

static pail_code ask_service(struct ask *k, int64_t now_ms, struct pl_http_request *out,
                             struct pail_error **err)
{
    struct pl_azure *az = k->az;
    struct pl_attempt a = {.now_ms = now_ms};
    char start[PL_DATE_ISO_SIZE], expiry[PL_DATE_ISO_SIZE];
    struct pl_buf target = PL_BUF_MAX(2048), body = PL_BUF_MAX(512);
    pl_azure_path(az, NULL, NULL, &target);
    pl_buf_puts(&target, "?restype=service&comp=userdelegationkey");
    pl_buf_printf(&body,
                  "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo><Start>%s</Start>"
                  "<Expiry>%s</Expiry></KeyInfo>",
                  pl_azure_iso(now_ms - SKEW_MS, start),
                  pl_azure_iso(now_ms - SKEW_MS + WEEK_MS, expiry));
    out->method = "POST";
    out->origin = (struct pl_origin){.tls = az->tls, .host = az->host, .port = az->port};
    out->target = pl_buf_rc(&target) ? NULL : pl_arena_dup(&out->arena, pl_buf_view(&target));
    out->body_bytes_max = ANSWER_MAX;
    pl_http_add_c(out, "content-type", "application/xml");
    pl_http_set_text(out, pl_buf_view(&body));
    bool fine = out->target && !pl_buf_rc(&body);
    pl_buf_dispose(&target);
    pl_buf_dispose(&body);
    return fine ? pl_azure_authorize(az, &a, out, err)
                : pl_fail(err, PAIL_E_NO_MEMORY, "no memory to ask for a key");
}

static pail_code blame(struct ask *k, const struct pl_http_response *r, struct pail_error **err)
{
    struct pl_str name = r->fail ? (struct pl_str){0} : pl_azure_error_code(&k->arena, r);
    pail_code code = r->fail || r->status >= 500 ? PAIL_E_UNAVAILABLE
                     : r->status == 401          ? PAIL_E_UNAUTHENTICATED
                                                 : PAIL_E_FORBIDDEN;
    if (r->fail) {
        pl_fail(err, code, "no user delegation key to sign a URL with: %s", r->why);
    } else {
        pl_fail(err, code, "no user delegation key to sign a URL with: HTTP %d %.*s", r->status,
                name.len < 80 ? (int)name.len : 80, name.len ? name.ptr : "");
    }
    pl_error_hint(err, "the identity needs a role with generateUserDelegationKey, such as Storage "
                       "Blob Delegator; or set azure_storage_account_key");
    return code;
}

static enum pl_errand_step next(struct pl_errand *e, int64_t now_ms,
                                const struct pl_http_response *answer, struct pl_http_request *out,
                                struct pail_error **err)
{
    struct ask *k = (struct ask *)e;
    if (!answer) {
        return ask_service(k, now_ms, out, err) ? PL_ERRAND_FAIL : PL_ERRAND_SEND;
    }
    pail_code rc = answer->fail || answer->status != 200 ? blame(k, answer, err) : PAIL_OK;
    rc = rc ? rc : read_key(k, pl_buf_view(&answer->body), err);
    rc = rc ? rc : keep(k, err);
    return rc ? PL_ERRAND_FAIL : PL_ERRAND_DONE;
}

static void ask_free(struct pl_errand *e)
{
    struct ask *k = (struct ask *)e;
    if (k->value) {
        pl_zero(k->value, strlen(k->value));
    }
    pl_arena_dispose(&k->arena);
    pl_free(k);
}

struct pl_errand *pl_azure_errand(struct pl_dialect *d, const struct pl_op *op, uint64_t what,
                                  struct pail_error **err)
{
    struct pl_azure *az = (struct pl_azure *)d;
    (void)op;
    if (what == TOKEN) {
        return pl_azure_login_errand(az->login, err);
    }
    struct ask *k = pl_calloc(1, sizeof *k);
    if (!k) {
        pl_fail(err, PAIL_E_NO_MEMORY, "no memory to ask for a key");
        return NULL;
    }
    k->errand = (struct pl_errand){.next = next, .free = ask_free};
    k->az = az;
    return &k->errand;
}
