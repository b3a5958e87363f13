/* Roles: AssumeRole with the keys at hand, AssumeRoleWithWebIdentity with a token from a file.
 * Source: AWS STS API Reference. */
#include <stdio.h>

#include "codec/digest.h"
#include "codec/hex.h"
#include "codec/url.h"
#include "codec/xml.h"
#include "cred/aws_walk.h"
#include "sign/sigv4.h"

enum { FORM_MAX = 64 << 10, TEXT_MAX = 16 << 10 };

/* ---- The answer */

struct sts_answer {
    struct pl_arena arena;
    struct pl_str access_key, secret_key, token, expiration, code;
};

static pail_code on_close(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    struct sts_answer *a = ctx;
    const struct {
        const char *name;
        struct pl_str *to;
    } fields[] = {{"AccessKeyId", &a->access_key},
                  {"SecretAccessKey", &a->secret_key},
                  {"SessionToken", &a->token},
                  {"Expiration", &a->expiration},
                  {"Code", &a->code}};
    (void)depth;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (pl_str_is(name, fields[i].name)) {
            const char *copy = pl_arena_dup(&a->arena, pl_str_trim(text));
            *fields[i].to = pl_str_c(copy);
        }
    }
    return a->arena.failed ? PAIL_E_NO_MEMORY : PAIL_OK;
}

static void forget(struct sts_answer *a)
{
    struct pl_str secrets[] = {a->secret_key, a->token};
    for (size_t i = 0; i < 2; i++) {
        if (secrets[i].len) { /* ours: a copy in the arena */
            pl_zero((char *)(uintptr_t)secrets[i].ptr, secrets[i].len);
        }
    }
    pl_arena_dispose(&a->arena);
}

static pail_code read_answer(struct pl_str body, struct sts_answer *out, struct pail_error **err)
{
    static const struct pl_xml_events events = {.close = on_close};
    struct pl_xml x = {0};
    pail_code rc = pl_xml_init(&x, &events, out, TEXT_MAX, err);
    rc = rc ? rc : pl_xml_feed(&x, body.ptr, body.len, err);
    rc = rc ? rc : pl_xml_finish(&x, err);
    pl_xml_dispose(&x);
    return rc;
}

static void add_hint(const struct pl_aws_walk *w, struct pl_str code, struct pail_error **err)
{
    if (pl_str_is(code, "AccessDenied")) {
        pl_error_hint(err, "does the role's trust policy allow these keys to take it on?");
    } else if (pl_str_starts(code, PL_STR("ExpiredToken"))) {
        pl_error_hint(err, "the token in %s has expired: something has to renew it",
                      w->token_file ? w->token_file : "use");
    } else if (pl_str_is(code, "RegionDisabledException")) {
        pl_error_hint(err, "set AWS_REGION to a region that is enabled for the account");
    }
}

static enum pl_errand_step receive(struct pl_aws_walk *w, const struct pl_http_response *answer,
                                   struct pail_error **err)
{
    struct sts_answer a = {0};
    struct pl_buf who = PL_BUF_MAX(4096);
    int64_t expires_ms = 0;
    pail_code rc = PAIL_OK;
    pl_buf_printf(&who, "%s of %s", w->token_file ? "AssumeRoleWithWebIdentity" : "AssumeRole",
                  w->role.arn);
    if (answer->fail || answer->status / 100 != 2) {
        if (!answer->fail && read_answer(pl_buf_view(&answer->body), &a, NULL)) {
            a.code = (struct pl_str){0};
        }
        rc = pl_aws_blame(answer, who.ptr ? who.ptr : "STS", a.code, err);
        add_hint(w, a.code, err);
    } else if ((rc = read_answer(pl_buf_view(&answer->body), &a, NULL)) == PAIL_E_NO_MEMORY) {
        rc = pl_fail(err, rc, "no memory to read what STS says");
    } else if (rc || !pl_date_iso_parse(a.expiration, &expires_ms)) {
        rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "%s gave no credentials in its answer",
                     who.ptr ? who.ptr : "STS");
        pl_error_hint(err, "is the endpoint one of STS? AWS_ENDPOINT_URL_STS sets it");
    } else {
        rc = pl_aws_take(w, a.access_key, a.secret_key, a.token, expires_ms, err);
    }
    forget(&a);
    pl_buf_dispose(&who);
    return rc ? PL_ERRAND_FAIL : PL_ERRAND_DONE;
}

/* ---- The request */

static void add(struct pl_buf *form, const char *name, const char *value)
{
    if (value) {
        pl_url_query_add(form, name, pl_str_c(value));
    }
}

static void add_role(const struct pl_aws_walk *w, struct pl_buf *form)
{
    char made[48];
    snprintf(made, sizeof made, "pail-%lld", (long long)w->now_ms);
    add(form, "Version", "2011-06-15");
    add(form, "RoleArn", w->role.arn);
    add(form, "RoleSessionName", w->role.session ? w->role.session : made);
    add(form, "DurationSeconds", w->role.duration_s);
}

static const char *region_of(const struct pl_aws_walk *w)
{
    const char *region = pl_settings_get(w->settings, "aws_region");
    return region && *region && strcmp(region, "aws-global") != 0 ? region : "us-east-1";
}

static pail_code sign(struct pl_aws_walk *w, struct pl_http_request *r, struct pail_error **err)
{
    struct pl_sigv4 v4 = {0};
    struct pl_sigv4_headers made = {0};
    struct pl_sum_value sum;
    char hex[65];
    struct pl_sigv4_identity who = {.access_key = pl_str_c(w->keys->access_key),
                                    .secret_key = pl_str_c(w->keys->secret_key),
                                    .token = pl_str_c(w->keys->token),
                                    .region = pl_str_c(region_of(w)),
                                    .service = PL_STR("sts"),
                                    .time_ms = w->now_ms,
                                    .flags = PL_SIGV4_GENERAL};
    struct pl_sigv4_request request = {.method = pl_str_c(r->method),
                                       .target = pl_str_c(r->target),
                                       .host = pl_str_c(pl_http_host(r)),
                                       .headers = r->headers,
                                       .header_count = r->header_count};
    pail_code rc = pl_sum_of(PL_SUM_SHA256, r->body->ptr, (size_t)r->body->len, &sum, err);
    if (!rc) {
        pl_hex_encode(hex, sum.bytes, sum.len);
        request.payload_hash = pl_str_c(hex);
        rc = pl_sigv4_init(&v4, err);
    }
    rc = rc ? rc : pl_sigv4_sign(&v4, &who, &request, &made, err);
    for (size_t i = 0; !rc && i < made.count; i++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)made.headers[i].name.len,
                 made.headers[i].name.ptr);
        pl_http_add(r, name, made.headers[i].value);
    }
    pl_sigv4_dispose(&v4);
    return rc;
}

static pail_code post(struct pl_aws_walk *w, const struct pl_buf *form, bool is_signed,
                      struct pl_http_request *out, struct pail_error **err)
{
    struct pl_buf url = PL_BUF_MAX(4096);
    pail_code rc = pl_aws_service_url(w, "sts", "sts", region_of(w), &url, err);
    rc = rc ? rc : pl_aws_ask(out, "POST", url.ptr, "/", err);
    pl_buf_dispose(&url);
    if (rc) {
        return rc;
    }
    pl_http_add_c(out, "content-type", "application/x-www-form-urlencoded");
    pl_http_set_text(out, pl_buf_view(form));
    if (pl_buf_rc(form) || out->failed) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory to ask STS");
    }
    rc = is_signed ? sign(w, out, err) : PAIL_OK;
    return rc || !out->failed ? rc : pl_fail(err, PAIL_E_NO_MEMORY, "no memory to ask STS");
}

enum pl_errand_step pl_aws_assume_role(struct pl_aws_walk *w, const struct pl_http_response *answer,
                                       struct pl_http_request *out, struct pail_error **err)
{
    struct pl_buf form = PL_BUF_MAX(FORM_MAX);
    if (answer && !pl_aws_again(w, answer, PL_AWS_FAR)) {
        return receive(w, answer, err);
    }
    if (w->role.mfa_serial) {
        (void)pl_fail(err, PAIL_E_UNSUPPORTED,
                      "profile %s takes on its role with an MFA code (mfa_serial), which nobody is "
                      "asked for here",
                      w->role.profile);
        pl_error_hint(err,
                      "set the keys as variables: eval \"$(aws configure export-credentials "
                      "--profile %s --format env)\"",
                      w->role.profile);
        return PL_ERRAND_FAIL;
    }
    add(&form, "Action", "AssumeRole");
    add_role(w, &form);
    add(&form, "ExternalId", w->role.external_id);
    pail_code rc = post(w, &form, true, out, err);
    pl_buf_dispose(&form);
    return rc ? PL_ERRAND_FAIL : PL_ERRAND_SEND;
}

enum pl_errand_step pl_aws_web_identity(struct pl_aws_walk *w,
                                        const struct pl_http_response *answer,
                                        struct pl_http_request *out, struct pail_error **err)
{
    struct pl_buf form = PL_BUF_MAX(2 * FORM_MAX);
    if (answer && !pl_aws_again(w, answer, PL_AWS_FAR)) {
        return receive(w, answer, err);
    }
    pail_code rc = pl_aws_read_token(w->token_file, &w->secret, err);
    if (!rc) {
        add(&form, "Action", "AssumeRoleWithWebIdentity");
        add_role(w, &form);
        pl_url_query_add(&form, "WebIdentityToken", pl_buf_view(&w->secret));
        rc = post(w, &form, false, out, err);
    }
    pl_aws_wipe(&form);
    return rc ? PL_ERRAND_FAIL : PL_ERRAND_SEND;
}
