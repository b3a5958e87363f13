/* Swift's temporary URLs, and what Keystone is asked. */
#include "codec/url.h"
#include "cred/swift_login.h"
#include "runner.h"
#include "sign/swift_tempurl.h"

static enum pl_tempurl_digest digest_of(struct pl_str name)
{
    return pl_str_is(name, "sha1")     ? PL_TEMPURL_SHA1
           : pl_str_is(name, "sha512") ? PL_TEMPURL_SHA512
                                       : PL_TEMPURL_SHA256;
}

/* The vectors' URLs are not encoded; what Pail writes has to decode to them. */
static void check_target(struct run *run, const struct pl_tempurl *u, const json_t *input,
                         const json_t *expected)
{
    struct pl_buf target = PL_BUF_MAX(64 * 1024), plain = PL_BUF_MAX(64 * 1024);
    struct pl_str prefix = PL_STR("");
    struct pl_str rest = u->path;
    for (int slashes = 0; u->prefix && rest.len; rest = pl_str_n(rest.ptr + 1, rest.len - 1)) {
        slashes += rest.ptr[0] == '/';
        if (slashes == 4) { /* "/v1/ACCOUNT/CONTAINER/PREFIX" */
            prefix = pl_str_n(rest.ptr + 1, rest.len - 1);
            break;
        }
    }
    bool iso8601 = json_is_true(json_object_get(input, "iso8601"));
    if (pl_tempurl_target(u, prefix, iso8601, &target, NULL)) {
        broken(run, "no URL");
    } else if (strpbrk(target.ptr, " \"<>") || !pl_url_decode(&plain, pl_buf_view(&target))) {
        broken(run, "the URL is not encoded: %s", target.ptr);
    } else {
        same(run, "url_unescaped", pl_buf_view(&plain), member(expected, "url_unescaped"));
    }
    pl_buf_dispose(&target);
    pl_buf_dispose(&plain);
}

void run_swift_tempurl(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input"),
                 *expected = json_object_get(one, "expected");
    struct pl_buf sum = PL_BUF_MAX(256);
    struct pl_tempurl u = {.digest = digest_of(member(input, "digest")),
                           .method = member(input, "method"),
                           .expires_s =
                               (int64_t)json_integer_value(json_object_get(input, "expires")),
                           .path = member(input, "path"),
                           .key = member(input, "key"),
                           .ip_range = member(input, "ip_range"),
                           .prefix = json_is_true(json_object_get(input, "prefix"))};
    if (pl_tempurl_sign(&u, &sum, NULL)) {
        broken(run, "no signature");
    } else {
        same(run, "sig", pl_buf_view(&sum), member(expected, "sig"));
        check_target(run, &u, input, expected);
    }
    pl_buf_dispose(&sum);
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static struct pl_keystone_ask ask_of(const json_t *in)
{
    return (struct pl_keystone_ask){
        .auth_url = text_of(in, "auth_url"),
        .application_credential_id = text_of(in, "application_credential_id"),
        .application_credential_name = text_of(in, "application_credential_name"),
        .application_credential_secret = text_of(in, "application_credential_secret"),
        .user_id = text_of(in, "user_id"),
        .username = text_of(in, "username"),
        .password = text_of(in, "password"),
        .user_domain_id = text_of(in, "user_domain_id"),
        .user_domain_name = text_of(in, "user_domain_name"),
        .token = text_of(in, "token"),
        .project_id = text_of(in, "project_id"),
        .project_name = text_of(in, "project_name"),
        .project_domain_id = text_of(in, "project_domain_id"),
        .project_domain_name = text_of(in, "project_domain_name"),
        .domain_id = text_of(in, "domain_id"),
        .domain_name = text_of(in, "domain_name"),
        .trust_id = text_of(in, "trust_id"),
        .system = json_object_get(in, "system_scope") != NULL,
        .unscoped = json_is_true(json_object_get(in, "unscoped"))};
}

void run_keystone_v3_auth(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input"),
                 *expected = json_object_get(one, "expected");
    struct pl_keystone_ask ask = ask_of(input);
    struct pl_buf url = PL_BUF_MAX(4096), body = PL_BUF_MAX(64 * 1024);
    json_error_t why;
    if (!pl_keystone_write(&ask, &url, &body)) {
        broken(run, "not written");
    } else {
        json_t *got = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, &why);
        same(run, "url", pl_buf_view(&url), member(expected, "url"));
        if (!got || !json_equal(got, json_object_get(expected, "body"))) {
            broken(run, "body: %s", body.ptr);
        }
        json_decref(got);
    }
    pl_buf_dispose(&url);
    pl_buf_dispose(&body);
}
