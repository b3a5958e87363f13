/* Whole credential chains against recorded answers: variables, files and HTTP of a scenario are put
 * before the errand, without a socket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "codec/url.h"
#include "cred/aws.h"
#include "cred/aws_chain.h"
#include "cred/aws_plan.h"
#include "runner.h"

enum { EVENTS_MAX = 64, TEXT_MAX = 1 << 20 };

/* The words of the recording client for what Pail says in its own. */
static const struct {
    const char *theirs, *ours;
} words[] = {
    {"No such file or directory", "No such file or directory"},
    {"profile must contain `source_profile`", "has role_arn without source_profile"},
    {"contained both source_profile", "both source_profile and credential_source"},
    {"profile missing aws_secret_access_key", "without aws_secret_access_key"},
    {"did not contain credential information", "which has none"},
    {"No profiles were defined", "there is no profile"},
    {"`role_arn` was missing", "web_identity_token_file without role_arn"},
    {"if `sso_role_name` is set", "without sso_account_id"},
    {"provider was not enabled", "there is no access key for S3; tried"},
    {"an error occurred while loading credentials: Error retrieving",
     "the credential_process cannot be run"},
    {"could not parse response", "is no JSON"},
    {"an error occurred while loading credentials", "(HTTP 503)"},
    {"InvalidIdentityTokenException", "InvalidIdentityToken"},
    {"could not parse profile file", "line 2"},
    {"will resolve an access token", "there is a token but no keys"},
    {"No environment variables were set", "FULL_URI are not set"},
    {"URI did not specify a host", "http"},
};

static void same_failure(struct run *run, const char *got, const char *theirs)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strstr(theirs, words[i].theirs)) {
            if (!strstr(got, words[i].ours)) {
                same_c(run, "error", got, words[i].ours);
            }
            return;
        }
    }
    broken(run, "no words of ours for: %s", theirs);
}

/* ---- A machine of its own: variables and a root folder */

static json_t *variables;
static char root[4096];
static int (*real_open)(int, const char *, int, mode_t);

static const char *variable(const char *name)
{
    const char *value = json_string_value(json_object_get(variables, name));
    return value && *value ? value : NULL;
}

static int rooted_open(int dir, const char *path, int flags, mode_t mode)
{
    char whole[8192];
    snprintf(whole, sizeof whole, "%s%s", path[0] == '/' ? root : "", path);
    return real_open(dir, whole, flags, mode);
}

static struct pl_sys before;

static void enter(json_t *env, const char *fs)
{
    before = pl_sys;
    real_open = pl_sys.open;
    variables = env;
    snprintf(root, sizeof root, "%s", fs);
    pl_sys.env = variable;
    pl_sys.open = rooted_open;
}

static void leave(void)
{
    pl_sys = before;
    variables = NULL;
}

/* ---- Recorded traffic */

struct exchange {
    const char *method, *uri, *sent, *got;
    const json_t *headers; /* sent */
    int status;
};

static const char *data_text(const json_t *data)
{
    return member_c(json_object_get(data, "data"), "Utf8");
}

static size_t read_traffic(const json_t *traffic, struct exchange *out)
{
    const json_t *event;
    size_t i, count = 0;
    json_array_foreach(json_object_get(traffic, "events"), i, event)
    {
        const json_t *action = json_object_get(event, "action");
        const json_t *request = json_object_get(action, "Request");
        const json_t *response = json_object_get(action, "Response");
        const json_t *data = json_object_get(action, "Data");
        if (request && count < EVENTS_MAX) {
            request = json_object_get(request, "request");
            out[count++] = (struct exchange){.method = member_c(request, "method"),
                                             .uri = member_c(request, "uri"),
                                             .headers = json_object_get(request, "headers"),
                                             .sent = "",
                                             .got = ""};
        } else if (response && count) {
            const json_t *ok = json_object_get(
                json_object_get(json_object_get(action, "Response"), "response"), "Ok");
            out[count - 1].status = (int)json_integer_value(json_object_get(ok, "status"));
        } else if (data && count) {
            bool sent = strcmp(member_c(data, "direction"), "Request") == 0;
            *(sent ? &out[count - 1].sent : &out[count - 1].got) = data_text(data);
        }
    }
    return count;
}

/* The parameters that matter: one's own session name and a throw-away token differ. */
static void same_form(struct run *run, struct pl_str got, const char *sent)
{
    struct pl_str rest = pl_str_c(sent), name, value;
    while (pl_url_query_next(&rest, &name, &value)) {
        char pair[512];
        bool differs = pl_str_is(name, "RoleSessionName") || pl_str_is(name, "WebIdentityToken") ||
                       pl_str_is(name, "RoleArn");
        snprintf(pair, sizeof pair, "%.*s=%.*s", (int)name.len, name.ptr,
                 differs ? 0 : (int)value.len, value.ptr);
        char *text = strndup(got.ptr, got.len);
        if (!strstr(text, pair)) {
            same_c(run, "form", text, pair);
        }
        free(text);
    }
}

static void add_sorted_query(struct pl_buf *out, struct pl_str query)
{
    const char *const names[] = {"account_id", "role_name"};
    for (size_t i = 0; i < 2; i++) {
        struct pl_str rest = query, name, value;
        while (pl_url_query_next(&rest, &name, &value)) {
            if (pl_str_is(name, names[i])) {
                pl_buf_printf(out, "%s=%.*s;", names[i], (int)value.len, value.ptr);
            }
        }
    }
}

static void add_place(struct pl_buf *out, struct run *run, const char *uri)
{
    struct pl_url url;
    if (pl_url_parse(pl_str_c(uri), &url, NULL)) {
        broken(run, "recorded address %s", uri);
        return;
    }
    pl_buf_printf(out, "%s %.*s:%u%.*s ", url.tls ? "tls" : "plain", (int)url.host.len,
                  url.host.ptr, url.port, url.path.len ? (int)url.path.len : 1,
                  url.path.len ? url.path.ptr : "/");
    add_sorted_query(out, url.query);
}

static void same_request(struct run *run, const struct pl_http_request *r,
                         const struct exchange *want)
{
    static const char *const headers[] = {"x-aws-ec2-metadata-token",
                                          "x-aws-ec2-metadata-token-ttl-seconds",
                                          "x-amz-sso_bearer_token", "authorization"};
    struct pl_buf uri = PL_BUF_MAX(TEXT_MAX), got = PL_BUF_MAX(TEXT_MAX),
                  expected = PL_BUF_MAX(TEXT_MAX);
    char room[512];
    pl_buf_printf(&uri, "%s%s", pl_origin_text(&r->origin, room, sizeof room), r->target);
    add_place(&got, run, uri.ptr);
    add_place(&expected, run, want->uri);
    same(run, "address", pl_buf_view(&got), pl_buf_view(&expected));
    same_c(run, "method", r->method, want->method);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const json_t *recorded = json_object_get(want->headers, headers[i]);
        const char *value = json_string_value(json_array_get(recorded, 0));
        struct pl_str sent = {0};
        for (size_t k = 0; k < r->header_count; k++) {
            if (pl_str_ieq(r->headers[k].name, pl_str_c(headers[i]))) {
                sent = r->headers[k].value;
            }
        }
        if (i == 3) { /* the signatures cover other headers; who signs is the same */
            value = value ? "AWS4-HMAC-SHA256 Credential=" : NULL;
            sent.len = sent.len > 28 ? 28 : sent.len;
        }
        same(run, headers[i], sent, pl_str_c(value));
    }
    if (r->body) {
        same_form(run, pl_str_n(r->body->ptr, (size_t)r->body->len), want->sent);
    }
    pl_buf_dispose(&uri);
    pl_buf_dispose(&got);
    pl_buf_dispose(&expected);
}

/* Runs the errand to its end. */
static pail_code drive(struct run *run, struct pl_errand *e, int64_t now_ms,
                       const struct exchange *traffic, size_t count, struct pail_error **err)
{
    struct pl_http_response answer = {.body = PL_BUF_MAX(TEXT_MAX)};
    bool answered = false;
    size_t used = 0;
    for (;;) {
        struct pl_http_request r = {0};
        enum pl_errand_step step = e->next(e, now_ms, answered ? &answer : NULL, &r, err);
        answered = step == PL_ERRAND_SEND;
        if (answered && count) { /* one that comes again is answered as before */
            size_t at = used < count ? used : count - 1;
            same_request(run, &r, &traffic[at]);
            answer.status = traffic[at].status;
            pl_buf_clear(&answer.body);
            pl_buf_puts(&answer.body, traffic[at].got);
            used = at + 1;
        } else if (answered) {
            char room[512];
            snprintf(answer.why, sizeof answer.why, "no answer was recorded from %s",
                     pl_origin_text(&r.origin, room, 100));
            answer.fail = PL_HTTP_CONNECT;
        } else if (step == PL_ERRAND_WORK) {
            e->work(e);
        }
        pl_http_request_dispose(&r);
        if (step == PL_ERRAND_DONE || step == PL_ERRAND_FAIL) {
            pl_http_response_dispose(&answer);
            if (used != count) {
                broken(run, "%zu requests, but %zu were recorded", used, count);
            }
            return step == PL_ERRAND_DONE ? PAIL_OK : PAIL_E_NO_CREDENTIALS;
        }
    }
}

static void same_keys(struct run *run, const struct pl_settings *s, struct pl_aws_chain *chain,
                      const json_t *want)
{
    struct pl_aws_keys *k = pl_aws_chain_keys(chain);
    const char *token = k ? k->token : pl_settings_get(s, "aws_session_token");
    same_c(run, "access_key_id", k ? k->access_key : pl_settings_get(s, "aws_access_key_id"),
           member_c(want, "access_key_id"));
    same_c(run, "secret_access_key",
           k ? k->secret_key : pl_settings_get(s, "aws_secret_access_key"),
           member_c(want, "secret_access_key"));
    same_c(run, "session_token", token ? token : "", member_c(want, "session_token"));
    json_int_t expiry = json_integer_value(json_object_get(want, "expiry"));
    if (k && k->expires_ms / 1000 != expiry) {
        broken(run, "expiry %lld, expected %lld", (long long)k->expires_ms / 1000,
               (long long)expiry);
    }
    pl_aws_keys_release(k);
}

/* What a client does from its making to its first signature. */
static void run_chain(struct run *run, const json_t *test, const json_t *traffic)
{
    struct exchange exchanges[EVENTS_MAX];
    size_t count = read_traffic(traffic, exchanges);
    const json_t *result = json_object_get(test, "result"), *ok = json_object_get(result, "Ok");
    struct pl_settings s = {0};
    struct pl_aws_chain *chain = NULL;
    struct pail_error *err = NULL;
    bool now = false;
    json_int_t expiry = json_integer_value(json_object_get(ok, "expiry"));
    int64_t at_ms = expiry ? ((int64_t)expiry - 3600) * 1000 : INT64_C(1600000000000);
    pail_code rc = pl_settings_from_env(&s, "s3", &err);
    rc = rc ? rc : pl_aws_profile_apply(&s, &err);
    rc = rc ? rc : pl_aws_chain_new(&s, &chain, &err);
    if (!rc && pl_aws_chain_wants(chain, at_ms, &now)) {
        struct pl_errand *e = pl_aws_chain_errand(chain, &err);
        rc = drive(run, e, at_ms, exchanges, count, &err);
        e->free(e);
    }
    if (ok && rc) {
        broken(run, "%s", pail_error_message(err));
    } else if (ok) {
        same_keys(run, &s, chain, ok);
    } else if (!rc) {
        broken(run, "it succeeded");
    } else {
        same_failure(run, pail_error_message(err), member_c(result, "ErrorContains"));
    }
    pl_aws_chain_free(chain);
    pl_settings_dispose(&s);
    pail_error_free(err);
}

static json_t *read_json(const char *folder, const char *name)
{
    char path[4096];
    size_t len = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *text = read_text(path, &len);
    json_t *value = text ? json_loadb(text, len, 0, NULL) : NULL;
    pl_free(text);
    return value;
}

void run_aws_chain(struct run *run, const char *folder)
{
    char fs[4096];
    json_t *test = read_json(folder, "test-case.json"), *env = read_json(folder, "env.json"),
           *traffic = read_json(folder, "http-traffic.json");
    if (!test || !env || !traffic) {
        broken(run, "test-case.json, env.json or http-traffic.json cannot be read");
    } else {
        snprintf(fs, sizeof fs, "%s/fs", folder);
        enter(env, fs);
        run_chain(run, test, traffic);
        leave();
    }
    json_decref(test);
    json_decref(env);
    json_decref(traffic);
}

/* ---- Plans */

static void put(json_t *to, const char *name, const char *value)
{
    if (value) {
        json_object_set_new(to, name, json_string(value));
    }
}

static json_t *role_json(const struct pl_aws_role *role, const char *token_file)
{
    json_t *o = json_object(), *outer = json_object();
    put(o, "role_arn", role->arn);
    put(o, "role_session_name", role->session);
    put(o, "external_id", role->external_id);
    put(o, "web_identity_token_file", token_file);
    json_object_set_new(outer, token_file ? "WebIdentityToken" : "AssumeRole", o);
    return outer;
}

static json_t *base_json(const struct pl_aws_plan *p)
{
    static const char *const named[] = {[PL_AWS_BASE_ENVIRONMENT] = "Environment",
                                        [PL_AWS_BASE_CONTAINER] = "EcsContainer",
                                        [PL_AWS_BASE_INSTANCE] = "Ec2InstanceMetadata"};
    json_t *o = json_object(), *outer = json_object();
    if (p->base == PL_AWS_BASE_WEB_IDENTITY) {
        json_decref(o);
        json_decref(outer);
        return role_json(&p->web, p->token_file);
    }
    if (p->base == PL_AWS_BASE_KEYS) {
        put(o, "access_key_id", p->access_key->value);
        put(o, "secret_access_key", p->secret_key->value);
        put(o, "session_token", p->token ? p->token->value : NULL);
        json_object_set_new(outer, "AccessKey", o);
    } else if (p->base == PL_AWS_BASE_SSO) {
        put(o, "sso_account_id", p->sso_account);
        put(o, "sso_role_name", p->sso_role);
        put(o, "sso_region", p->sso_region);
        put(o, "sso_start_url", p->sso_start_url);
        put(o, "sso_session", p->sso_session);
        json_object_set_new(outer, "Sso", o);
    } else {
        json_decref(o);
        put(outer, "NamedSource", named[p->base]);
    }
    return outer;
}

/* The account is of no use to S3, so a plan does not hold it. */
static void same_plan(struct run *run, const struct pl_aws_plan *p, const json_t *want)
{
    json_t *got = json_array(), *expected = json_deep_copy(want), *one;
    size_t i;
    json_array_append_new(got, base_json(p));
    for (size_t k = p->role_count; k > 0; k--) {
        json_array_append_new(got, role_json(&p->roles[k - 1], NULL));
    }
    json_array_foreach(expected, i, one)
    {
        json_object_del(json_object_get(one, "AccessKey"), "account_id");
    }
    if (!json_equal(got, expected)) {
        char *a = json_dumps(got, JSON_SORT_KEYS), *b = json_dumps(expected, JSON_SORT_KEYS);
        same_c(run, "ProfileChain", a, b);
        free(a);
        free(b);
    }
    json_decref(got);
    json_decref(expected);
}

static void write_sections(struct pl_buf *out, const char *word, json_t *sections)
{
    const char *name, *key;
    json_t *section, *value;
    json_object_foreach(sections, name, section)
    {
        pl_buf_printf(out, "[%s %s]\n", word, name);
        json_object_foreach(section, key, value)
        {
            pl_buf_printf(out, "%s = %s\n", key, json_string_value(value));
        }
    }
}

void run_assume_role(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input"), *output = json_object_get(one, "output");
    const char *profile = member_c(input, "selected_profile");
    struct pl_aws_files files = {0};
    struct pl_aws_plan plan = {0};
    struct pail_error *err = NULL;
    struct pl_buf text = PL_BUF_MAX(TEXT_MAX);
    write_sections(&text, "profile", json_object_get(input, "profiles"));
    write_sections(&text, "sso-session", json_object_get(input, "sso_sessions"));
    pail_code rc = pl_aws_files_add(&files, pl_buf_view(&text), false, "config", &err);
    if (!rc && !pl_aws_files_get(&files, PL_AWS_PROFILE, profile, "")) {
        rc = pl_fail(&err, PAIL_E_BAD_CONFIG, "there is no profile"); /* aws.c looks first */
    }
    rc = rc ? rc : pl_aws_plan_make(&files, profile, &plan, &err);
    const json_t *chain = json_object_get(output, "ProfileChain");
    if (chain && rc) {
        broken(run, "%s", pail_error_message(err));
    } else if (chain) {
        same_plan(run, &plan, chain);
    } else if (!rc) {
        broken(run, "it succeeded");
    } else {
        same_failure(run, pail_error_message(err), member_c(output, "Error"));
    }
    pail_error_free(err);
    pl_aws_files_dispose(&files);
    pl_buf_dispose(&text);
}

/* ---- Containers: which address is asked */

void run_ecs(struct run *run, const json_t *one)
{
    const char *want = member_c(json_object_get(one, "result"), "Ok"), *method = "GET";
    json_t *env = json_deep_copy(json_object_get(one, "env"));
    struct pl_settings s = {0};
    struct pl_aws_chain *chain = NULL;
    struct pail_error *err = NULL;
    struct pl_http_request r = {0};
    put(env, "AWS_EC2_METADATA_DISABLED", "true");
    enter(env, "/nonexistent");
    if (pl_aws_chain_new(&s, &chain, &err)) {
        broken(run, "%s", pail_error_message(err));
    } else {
        struct pl_errand *e = pl_aws_chain_errand(chain, &err);
        enum pl_errand_step step = e->next(e, 0, NULL, &r, &err);
        if (step == PL_ERRAND_SEND && *want) {
            char room[512], url[1024];
            snprintf(url, sizeof url, "%s%s", pl_origin_text(&r.origin, room, sizeof room),
                     r.target);
            same_c(run, "address", url, want);
            same_c(run, "method", r.method, method);
        } else if (step == PL_ERRAND_SEND || *want) {
            broken(run, "%s", *want ? pail_error_message(err) : "it succeeded");
        } else {
            same_failure(run, pail_error_message(err),
                         member_c(json_object_get(one, "result"), "ErrorContains"));
        }
        e->free(e);
    }
    leave();
    pl_http_request_dispose(&r);
    pl_aws_chain_free(chain);
    pl_settings_dispose(&s);
    pail_error_free(err);
    json_decref(env);
}
