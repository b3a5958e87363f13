/* The subject token of a workload on AWS: a call of STS GetCallerIdentity, signed but not sent, by
 * which Google learns from AWS who asks. Source: google.aip.dev/auth/4117 "AWS"; Amazon EC2 User
 * Guide "Use the Instance Metadata Service". */
#include "base/sys.h"
#include "codec/url.h"
#include "cred/gcs_auth.h"
#include "sign/sigv4.h"

enum { BEGIN, SESSION, REGION, ROLE, KEYS }; /* what the answer is of */
enum { TEXT_MAX = 16 * 1024, WORD_MAX = 1024 };

static const char *variable(const struct pl_gcs_subject_walk *w, const char *name)
{
    const char *value = w->auth->ignore_environment ? NULL : pl_sys.env(name);
    return value && *value ? value : NULL;
}

static void take_word(struct pl_buf *to, struct pl_str text)
{
    to->max = TEXT_MAX;
    pl_buf_clear(to);
    pl_buf_str(to, text);
}

static void read_variables(struct pl_gcs_subject_walk *w)
{
    const char *access = variable(w, "AWS_ACCESS_KEY_ID"),
               *secret = variable(w, "AWS_SECRET_ACCESS_KEY"),
               *token = variable(w, "AWS_SESSION_TOKEN"), *region = variable(w, "AWS_REGION");
    region = region ? region : variable(w, "AWS_DEFAULT_REGION");
    if (region) {
        take_word(&w->region, pl_str_c(region));
    }
    if (access && secret) {
        take_word(&w->access_key, pl_str_c(access));
        take_word(&w->secret_key, pl_str_c(secret));
        take_word(&w->token, pl_str_c(token));
    }
}

/* ---- The metadata service */

static enum pl_errand_step ask(struct pl_gcs_subject_walk *w, int at, const char *url,
                               struct pl_str role, struct pl_http_request *out,
                               struct pail_error **err)
{
    struct pl_buf text = PL_BUF_MAX(4096);
    pl_buf_puts(&text, url);
    pl_buf_puts(&text, role.len ? "/" : "");
    pl_url_encode(&text, role, 0);
    pail_code rc = pl_buf_rc(&text)
                       ? pl_fail(err, PAIL_E_BAD_CONFIG, "a URL is too long")
                       : pl_gcs_ask(out, at == SESSION ? "PUT" : "GET", pl_buf_view(&text), err);
    pl_buf_dispose(&text);
    if (rc) {
        return PL_ERRAND_FAIL;
    }
    if (at == SESSION) {
        pl_http_add_c(out, "x-aws-ec2-metadata-token-ttl-seconds", "300");
    } else if (w->session.len) {
        pl_http_add(out, "x-aws-ec2-metadata-token", pl_buf_view(&w->session));
    }
    out->direct = true;
    w->at = at;
    w->timeout_ms = PL_GCS_METADATA_MS;
    return PL_ERRAND_SEND;
}

static pail_code lacks(const char *what, const char *variables, const char *member,
                       struct pail_error **err)
{
    pail_code rc = pl_fail(err, PAIL_E_NO_CREDENTIALS,
                           "no AWS %s: tried %s (not set), then the metadata service (the file "
                           "names no %s)",
                           what, variables, member);
    pl_error_hint(err, "set the variables, or add %s to credential_source", member);
    return rc;
}

/* What is still missing, in order. */
static enum pl_errand_step go_on(struct pl_gcs_subject_walk *w, int64_t now_ms,
                                 struct pl_http_request *out, struct pail_error **err)
{
    const struct pl_gcs_external *x = &w->auth->external;
    bool complete = w->region.len && w->access_key.len;
    if (complete) {
        return pl_gcs_aws_subject(w, now_ms, err) ? PL_ERRAND_FAIL : PL_ERRAND_DONE;
    }
    if (w->at < SESSION && x->session_url) {
        return ask(w, SESSION, x->session_url, PL_STR(""), out, err);
    }
    if (!w->region.len && !x->region_url) {
        (void)lacks("region", "AWS_REGION and AWS_DEFAULT_REGION", "region_url", err);
        return PL_ERRAND_FAIL;
    }
    if (!w->region.len) {
        return ask(w, REGION, x->region_url, PL_STR(""), out, err);
    }
    if (!x->url) {
        (void)lacks("keys", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "url", err);
        return PL_ERRAND_FAIL;
    }
    return ask(w, ROLE, x->url, PL_STR(""), out, err);
}

static bool read_keys(struct pl_gcs_subject_walk *w, struct pl_str text)
{
    json_t *root = NULL;
    const struct {
        const char *name;
        struct pl_buf *to;
    } all[] = {
        {"AccessKeyId", &w->access_key}, {"SecretAccessKey", &w->secret_key}, {"Token", &w->token}};
    bool fine = pl_json_parse(text, "keys", &root, NULL) == PAIL_OK;
    for (size_t i = 0; fine && i < sizeof all / sizeof *all; i++) {
        const char *value = pl_json_text(root, all[i].name);
        fine = value && *value && pl_header_safe(pl_str_c(value));
        if (fine) {
            take_word(all[i].to, pl_str_c(value));
        }
    }
    pl_json_free_secret(root);
    return fine;
}

static bool is_word(struct pl_str s)
{
    bool fine = s.len > 0 && s.len < WORD_MAX;
    for (size_t i = 0; i < s.len && fine; i++) {
        fine = s.ptr[i] > ' ' && s.ptr[i] <= '~';
    }
    return fine;
}

enum pl_errand_step pl_gcs_aws_next(struct pl_gcs_subject_walk *w, int64_t now_ms,
                                    const struct pl_http_response *answer,
                                    struct pl_http_request *out, struct pail_error **err)
{
    static const char *const names[] = {"", "session token", "region", "role", "keys"};
    const struct pl_gcs_external *x = &w->auth->external;
    if (w->at == BEGIN) {
        read_variables(w);
        return go_on(w, now_ms, out, err);
    }
    struct pl_str word = pl_str_trim(pl_buf_view(&answer->body));
    bool fine = !answer->fail && answer->status == 200 && (w->at == KEYS || is_word(word));
    if (fine && w->at == SESSION) {
        take_word(&w->session, word);
    } else if (fine && w->at == REGION) { /* of the zone "us-east-2b" */
        take_word(&w->region, pl_str_n(word.ptr, word.len - 1));
        fine = w->region.len > 0;
    } else if (fine && w->at == ROLE) {
        return ask(w, KEYS, x->url, word, out, err);
    } else if (fine) {
        fine = read_keys(w, pl_buf_view(&answer->body));
    }
    if (fine) {
        return go_on(w, now_ms, out, err);
    }
    const char *urls[] = {"", x->session_url, x->region_url, x->url, x->url};
    struct pl_buf what = PL_BUF_MAX(256);
    pl_buf_printf(&what, "AWS %s (no variables are set)", names[w->at]);
    (void)pl_gcs_blame(answer, PAIL_E_NO_CREDENTIALS, what.ptr ? what.ptr : "keys", urls[w->at],
                       err);
    pl_buf_dispose(&what);
    return PL_ERRAND_FAIL;
}

/* ---- The signed call */

static bool add_header(struct pl_buf *json, struct pl_str name, struct pl_str value)
{
    pl_buf_puts(json, json->ptr[json->len - 1] == '[' ? "{\"key\":" : ",{\"key\":");
    bool fine = pl_json_quote(json, name);
    pl_buf_puts(json, ",\"value\":");
    fine = pl_json_quote(json, value) && fine;
    pl_buf_puts(json, "}");
    return fine;
}

/* "{region}" of the template replaced. */
static void fill_region(struct pl_buf *out, const char *pattern, struct pl_str region)
{
    const char *at = strstr(pattern, "{region}");
    pl_buf_str(out, pl_str_n(pattern, at ? (size_t)(at - pattern) : strlen(pattern)));
    if (at) {
        pl_buf_str(out, region);
        pl_buf_puts(out, at + 8);
    }
}

static pail_code serialize(struct pl_gcs_subject_walk *w, struct pl_str url, struct pl_str host,
                           const struct pl_header *target, const struct pl_sigv4_headers *made,
                           struct pail_error **err)
{
    struct pl_buf json = PL_BUF_MAX(32 * 1024);
    pl_buf_puts(&json, "{\"url\":");
    bool fine = pl_json_quote(&json, url);
    pl_buf_puts(&json, ",\"method\":\"POST\",\"headers\":[");
    fine = fine && !pl_buf_rc(&json) && add_header(&json, PL_STR("host"), host) &&
           add_header(&json, target->name, target->value);
    for (size_t i = 0; fine && i < made->count; i++) {
        fine = add_header(&json, made->headers[i].name, made->headers[i].value);
    }
    pl_buf_puts(&json, "]}");
    w->subject.max = 96 * 1024;
    pl_url_encode(&w->subject, pl_buf_view(&json), 0);
    fine = fine && !pl_buf_rc(&json) && !pl_buf_rc(&w->subject);
    pl_gcs_wipe(&json);
    return fine ? PAIL_OK : pl_fail(err, PAIL_E_BAD_CONFIG, "the call of AWS cannot be written");
}

pail_code pl_gcs_aws_subject(struct pl_gcs_subject_walk *w, int64_t now_ms, struct pail_error **err)
{
    const struct pl_gcs_external *x = &w->auth->external;
    struct pl_buf url = PL_BUF_MAX(2048), host = PL_BUF_MAX(512), target = PL_BUF_MAX(2048);
    struct pl_header audience = {PL_STR("x-goog-cloud-target-resource"), pl_str_c(x->audience)};
    struct pl_sigv4 v4 = {0};
    struct pl_sigv4_headers made = {0};
    struct pl_url parts;
    fill_region(&url, x->verification_url, pl_buf_view(&w->region));
    pail_code rc =
        pl_buf_rc(&url) ? pl_gcs_no_memory(err) : pl_url_parse(pl_buf_view(&url), &parts, err);
    if (!rc) {
        pl_url_host_header(&host, &parts);
        pl_buf_str(&target, parts.path.len ? parts.path : PL_STR("/"));
        pl_buf_puts(&target, parts.has_query ? "?" : "");
        pl_buf_str(&target, parts.has_query ? parts.query : PL_STR(""));
        rc = pl_buf_rc(&host) || pl_buf_rc(&target) ? pl_gcs_no_memory(err)
                                                    : pl_sigv4_init(&v4, err);
    }
    if (!rc) {
        struct pl_sigv4_identity who = {.access_key = pl_buf_view(&w->access_key),
                                        .secret_key = pl_buf_view(&w->secret_key),
                                        .token = pl_buf_view(&w->token),
                                        .region = pl_buf_view(&w->region),
                                        .service = PL_STR("sts"),
                                        .time_ms = now_ms,
                                        .flags = PL_SIGV4_GENERAL};
        struct pl_sigv4_request call = {.method = PL_STR("POST"),
                                        .target = pl_buf_view(&target),
                                        .host = pl_buf_view(&host),
                                        .headers = &audience,
                                        .header_count = 1,
                                        .payload_hash = PL_SIGV4_EMPTY_HASH};
        rc = pl_sigv4_sign(&v4, &who, &call, &made, err);
    }
    rc = rc ? rc : serialize(w, pl_buf_view(&url), pl_buf_view(&host), &audience, &made, err);
    pl_sigv4_dispose(&v4);
    pl_buf_dispose(&url);
    pl_buf_dispose(&host);
    pl_buf_dispose(&target);
    return rc;
}
