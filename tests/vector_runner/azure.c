/* Azure: signed requests, shared access signatures, the order of headers. */
#include "codec/url.h"
#include "runner.h"
#include "sign/azure_sas.h"

enum { PIECES_MAX = 64, TEXT_MAX = 1 << 20 };

static bool key_init(struct pl_azure_key *k, struct run *run, struct pl_str base64)
{
    struct pail_error *err = NULL;
    if (pl_azure_key_init(k, base64, &err)) {
        broken(run, "%s", pail_error_message(err));
        pail_error_free(err);
        return false;
    }
    return true;
}

static void check_request(struct run *run, const json_t *input, const json_t *expected,
                          struct pl_azure_key *k)
{
    struct pl_url url;
    struct pl_header headers[PIECES_MAX];
    struct pl_buf target = PL_BUF_MAX(TEXT_MAX), got = PL_BUF_MAX(4096);
    struct pl_azure_request r = {
        .method = member(input, "method"), .account = member(input, "account"), .headers = headers};
    const json_t *header;
    size_t i;
    uint64_t bytes = 0;
    json_array_foreach(json_object_get(input, "headers"), i, header)
    {
        struct pl_header h = {pl_str_c(json_string_value(json_array_get(header, 0))),
                              pl_str_c(json_string_value(json_array_get(header, 1)))};
        if (pl_str_ieq(h.name, PL_STR("content-length"))) {
            (void)pl_str_u64(h.value, &bytes);
        } else if (r.header_count < PIECES_MAX) {
            headers[r.header_count++] = h;
        }
    }
    r.body_bytes = bytes;
    if (pl_url_parse(member(input, "url"), &url, NULL)) {
        broken(run, "no URL: %s", member_c(input, "url"));
        return;
    }
    pl_buf_str(&target, url.path);
    pl_buf_puts(&target, url.has_query ? "?" : "");
    pl_buf_str(&target, url.query);
    r.target = pl_buf_view(&target);
    if (pl_azure_key_sign(k, &r, &got, NULL)) {
        broken(run, "not signed");
    }
    same(run, "string_to_sign", pl_buf_view(&k->to_sign), member(expected, "string_to_sign"));
    same(run, "authorization", pl_buf_view(&got), member(expected, "authorization"));
    pl_buf_dispose(&target);
    pl_buf_dispose(&got);
}

void run_azure_shared_key(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input");
    struct pl_azure_key k = {0};
    if (key_init(&k, run, member(input, "account_key"))) {
        check_request(run, input, json_object_get(one, "expected"), &k);
    }
    pl_azure_key_dispose(&k);
}

static const char *text_or_null(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static struct pl_azure_sas sas_of(const json_t *in)
{
    return (struct pl_azure_sas){
        .version = text_or_null(in, "version"),
        .permission = text_or_null(in, "permission"),
        .start = text_or_null(in, "start"),
        .expiry = text_or_null(in, "expiry"),
        .ip = text_or_null(in, "ip"),
        .protocol = text_or_null(in, "protocol"),
        .account = text_or_null(in, "account"),
        .encryption_scope = text_or_null(in, "encryption_scope"),
        .services = text_or_null(in, "services"),
        .resource_types = text_or_null(in, "resource_types"),
        .container = text_or_null(in, "container"),
        .blob = text_or_null(in, "blob"),
        .identifier = text_or_null(in, "policy_id"),
        .snapshot = text_or_null(in, "snapshot"),
        .blob_version = text_or_null(in, "version_id"),
        .cache_control = text_or_null(in, "cache_control"),
        .content_disposition = text_or_null(in, "content_disposition"),
        .content_encoding = text_or_null(in, "content_encoding"),
        .content_language = text_or_null(in, "content_language"),
        .content_type = text_or_null(in, "content_type"),
        .correlation_id = text_or_null(in, "correlation_id"),
    };
}

static size_t read_kv(const json_t *object, pail_kv *out)
{
    size_t n = 0;
    for (void *i = json_object_iter((json_t *)(uintptr_t)object); i && n < PIECES_MAX;
         i = json_object_iter_next((json_t *)(uintptr_t)object, i)) {
        out[n++] = (pail_kv){json_object_iter_key(i), json_string_value(json_object_iter_value(i))};
    }
    return n;
}

static void check_sas(struct run *run, const json_t *one, const struct pl_azure_sas *s,
                      struct pl_str key)
{
    const json_t *expected = json_object_get(one, "expected");
    struct pl_azure_key k = {0};
    struct pl_buf got = PL_BUF_MAX(TEXT_MAX);
    if (key_init(&k, run, key)) {
        if (s->services ? pl_azure_sas_account(&k, s, &got, NULL)
                        : pl_azure_sas_blob(&k, s, &got, NULL)) {
            broken(run, "not signed");
        }
        same(run, "string_to_sign", pl_buf_view(&k.to_sign), member(expected, "string_to_sign"));
        same(run, "token", pl_buf_view(&got), member(expected, "token"));
    }
    pl_buf_dispose(&got);
    pl_azure_key_dispose(&k);
}

void run_azure_sas(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input");
    struct pl_azure_sas s = sas_of(input);
    check_sas(run, one, &s, member(input, "account_key"));
}

void run_azure_user_delegation_sas(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input");
    const json_t *key = json_object_get(input, "user_delegation_key");
    pail_kv headers[PIECES_MAX], query[PIECES_MAX];
    struct pl_azure_delegation d = {.oid = text_or_null(key, "signed_oid"),
                                    .tid = text_or_null(key, "signed_tid"),
                                    .start = text_or_null(key, "signed_start"),
                                    .expiry = text_or_null(key, "signed_expiry"),
                                    .service = text_or_null(key, "signed_service"),
                                    .version = text_or_null(key, "signed_version")};
    struct pl_azure_sas s = sas_of(input);
    s.delegation = &d;
    s.request_headers = headers;
    s.request_header_count = read_kv(json_object_get(input, "request_headers"), headers);
    s.request_query = query;
    s.request_query_count = read_kv(json_object_get(input, "request_query_params"), query);
    /* The client that made the cases for 2025-07-05 took it and signed without. */
    if (s.version && strcmp(s.version, "2025-07-05") > 0) {
        s.delegated_oid = text_or_null(input, "user_delegation_oid");
    }
    check_sas(run, one, &s, member(key, "value"));
}

void run_azure_header_sort(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input"),
                 *expected = json_object_get(one, "expected"), *name;
    size_t count = json_array_size(expected), i;
    /* Each name has as many before it as its place says. */
    json_array_foreach(input, i, name)
    {
        size_t before = 0, j;
        const json_t *other;
        json_array_foreach(input, j, other)
        {
            before += pl_azure_header_order(pl_str_c(json_string_value(other)),
                                            pl_str_c(json_string_value(name))) < 0;
        }
        const char *want =
            before < count ? json_string_value(json_array_get(expected, before)) : NULL;
        same_c(run, "order", json_string_value(name), want ? want : "");
    }
}
