#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "codec/digest.h"
#include "signing.h"

/* The requests that S3's operations make of their parameters. */
static const struct operation {
    const char *name, *method, *query;
} operations[] = {
    {"get_object", "GET", ""},
    {"head_object", "HEAD", ""},
    {"put_object", "PUT", ""},
    {"delete_object", "DELETE", ""},
    {"list_objects_v2", "GET", "list-type=2"},
    {"create_multipart_upload", "POST", "uploads="},
    {"upload_part", "PUT", ""},
    {"complete_multipart_upload", "POST", ""},
    {"abort_multipart_upload", "DELETE", ""},
    {"list_parts", "GET", ""},
    {"list_multipart_uploads", "GET", "uploads="},
    {"list_objects", "GET", ""},
    {"head_bucket", "HEAD", ""},
    {"create_bucket", "PUT", ""},
    {"delete_bucket", "DELETE", ""},
    {"delete_objects", "POST", "delete="},
    {"get_object_tagging", "GET", "tagging="},
    {"put_object_tagging", "PUT", "tagging="},
    {"delete_object_tagging", "DELETE", "tagging="},
};

/* Where a parameter goes; one that is in neither is a header called so, or unknown. */
static const struct param {
    const char *name, *query, *header;
} params[] = {
    {"VersionId", "versionId", NULL},
    {"PartNumber", "partNumber", NULL},
    {"UploadId", "uploadId", NULL},
    {"Prefix", "prefix", NULL},
    {"Delimiter", "delimiter", NULL},
    {"MaxKeys", "max-keys", NULL},
    {"EncodingType", "encoding-type", NULL},
    {"ResponseContentDisposition", "response-content-disposition", NULL},
    {"ResponseContentType", "response-content-type", NULL},
    {"ResponseContentEncoding", "response-content-encoding", NULL},
    {"ResponseContentLanguage", "response-content-language", NULL},
    {"ResponseCacheControl", "response-cache-control", NULL},
    {"ContinuationToken", "continuation-token", NULL},
    {"StartAfter", "start-after", NULL},
    {"Marker", "marker", NULL},
    {"IfMatch", NULL, "if-match"},
    {"IfNoneMatch", NULL, "if-none-match"},
    {"ContentMD5", NULL, "content-md5"},
    {"ContentEncoding", NULL, "content-encoding"},
    {"ContentLanguage", NULL, "content-language"},
    {"ContentDisposition", NULL, "content-disposition"},
    {"CacheControl", NULL, "cache-control"},
    {"StorageClass", NULL, "x-amz-storage-class"},
    {"ServerSideEncryption", NULL, "x-amz-server-side-encryption"},
    {"RequestPayer", NULL, "x-amz-request-payer"},
    {"Tagging", NULL, "x-amz-tagging"},
    {"Range", NULL, "range"},
    {"ContentType", NULL, "content-type"},
    {"ACL", NULL, "x-amz-acl"},
};

static const struct param *find_param(const char *name)
{
    for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
        if (strcmp(params[i].name, name) == 0) {
            return &params[i];
        }
    }
    return NULL;
}

/* The endpoint of a case: its own, or that of the region. */
static void add_endpoint(struct pl_buf *out, const json_t *input)
{
    struct pl_str endpoint = member(input, "endpoint"), region = member(input, "region");
    if (endpoint.len) {
        pl_buf_str(out, endpoint);
    } else if (pl_str_is(region, "us-east-1")) {
        pl_buf_puts(out, "https://s3.amazonaws.com");
    } else {
        pl_buf_printf(out, "https://s3.%s.amazonaws.com%s", region.ptr,
                      pl_str_starts(region, PL_STR("cn-")) ? ".cn" : "");
    }
}

/* scheme://host of the request, and the start of its path. */
static void add_bucket(struct pl_buf *url, const json_t *input, struct pl_str bucket)
{
    add_endpoint(url, input);
    if (!pl_str_is(member(input, "addressing"), "virtual")) {
        pl_buf_putc(url, '/');
        pl_buf_str(url, bucket);
        return;
    }
    struct pl_buf plain = *url;
    const char *host = strstr(plain.ptr, "://") + 3;
    *url = PL_BUF_MAX(plain.max);
    pl_buf_add(url, plain.ptr, (size_t)(host - plain.ptr));
    pl_buf_str(url, bucket);
    pl_buf_putc(url, '.');
    pl_buf_puts(url, host);
    pl_buf_dispose(&plain);
}

static void add_metadata(struct signing *s, const json_t *metadata, struct pl_arena *arena)
{
    const char *name;
    const json_t *value;
    void *iter = json_object_iter((json_t *)(uintptr_t)metadata);
    for (; iter; iter = json_object_iter_next((json_t *)(uintptr_t)metadata, iter)) {
        struct pl_buf b = PL_BUF_MAX(4096);
        name = json_object_iter_key(iter);
        value = json_object_iter_value(iter);
        pl_buf_printf(&b, "x-amz-meta-%s", name);
        signing_header(s, pl_str_c(pl_arena_dup(arena, pl_buf_view(&b))),
                       pl_str_c(json_string_value(value)));
        pl_buf_dispose(&b);
    }
}

static void add_param(struct signing *s, struct run *run, struct pl_buf *query, const char *name,
                      const json_t *value, struct pl_arena *arena)
{
    const struct param *p = find_param(name);
    char number[32];
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    struct pl_str text = pl_str_c(json_is_string(value) ? json_string_value(value) : number);
    if (strcmp(name, "Bucket") == 0 || strcmp(name, "Key") == 0) {
        return;
    }
    if (strcmp(name, "Metadata") == 0) {
        add_metadata(s, value, arena);
    } else if (!p) {
        broken(run, "unknown parameter %s", name);
    } else if (p->query) {
        pl_url_query_add(query, p->query, text);
    } else {
        signing_header(s, pl_str_c(p->header), text);
    }
}

static void presign(struct signing *s, struct run *run, const json_t *input, const json_t *expected,
                    struct pl_buf *url)
{
    struct pl_url parts;
    struct pl_buf got = PL_BUF_MAX(1 << 20);
    uint64_t expires = (uint64_t)json_integer_value(json_object_get(input, "expires"));
    if (pl_url_parse(pl_buf_view(url), &parts, NULL)) {
        broken(run, "malformed URL %s", url->ptr);
        return;
    }
    signing_url(s, run, pl_buf_view(url));
    s->request.host = pl_buf_view(&s->host);
    s->request.target = pl_buf_view(&s->target);
    pl_buf_add(&got, url->ptr, (size_t)(parts.host_port.ptr + parts.host_port.len - url->ptr));
    if (pl_sigv4_presign(&s->sigv4, &s->who, &s->request, expires, &got, NULL)) {
        broken(run, "not signed");
    }
    same(run, "canonical_request", pl_buf_view(&s->sigv4.canonical),
         member(expected, "canonical_request"));
    same(run, "string_to_sign", pl_buf_view(&s->sigv4.to_sign), member(expected, "string_to_sign"));
    same(run, "url", pl_buf_view(&got), member(expected, "url"));
    pl_buf_dispose(&got);
}

static const struct operation *find_operation(struct pl_str name)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (pl_str_is(name, operations[i].name)) {
            return &operations[i];
        }
    }
    return NULL;
}

void run_s3_presign_url(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input"), *given = json_object_get(input, "params");
    const struct operation *op = find_operation(member(input, "operation"));
    struct pl_buf url = PL_BUF_MAX(1 << 20), query = PL_BUF_MAX(1 << 20);
    struct pl_arena arena = {0};
    struct signing s;
    const char *name;
    const json_t *value;
    bool ok = signing_init(&s, run, input);
    if (!op) {
        broken(run, "unknown operation %s", member_c(input, "operation"));
    } else if (ok) {
        s.request.method = pl_str_c(op->method);
        s.request.payload_hash = PL_SIGV4_UNSIGNED;
        add_bucket(&url, input, member(given, "Bucket"));
        if (json_object_get(given, "Key")) {
            pl_buf_putc(&url, '/');
            pl_url_encode(&url, member(given, "Key"), PL_URL_KEEP_SLASH);
        } else if (pl_str_is(member(input, "addressing"), "virtual")) {
            pl_buf_putc(&url, '/');
        }
        pl_buf_puts(&query, op->query);
        json_object_foreach((json_t *)(uintptr_t)given, name, value)
        {
            add_param(&s, run, &query, name, value, &arena);
        }
        if (query.len) {
            pl_buf_putc(&url, '?');
            pl_buf_str(&url, pl_buf_view(&query));
        }
        presign(&s, run, input, json_object_get(one, "expected"), &url);
    }
    signing_dispose(&s);
    pl_arena_dispose(&arena);
    pl_buf_dispose(&url);
    pl_buf_dispose(&query);
}

/* Headers that the signer adds itself, or that are put in behind the signature. */
static bool is_added_later(struct pl_str name)
{
    static const char *const later[] = {"x-amz-date", "x-amz-security-token",
                                        "x-amz-content-sha256", "content-length"};
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        if (pl_str_ieq(name, pl_str_c(later[i]))) {
            return true;
        }
    }
    return false;
}

/* What the request says of its body must be true of it. */
static void check_body(struct run *run, struct pl_str name, struct pl_str value, struct pl_str body)
{
    const struct pl_str prefix = PL_STR("x-amz-checksum-");
    char text[PL_SUM_BASE64_MAX];
    struct pl_sum_value sum;
    enum pl_sum kind = pl_str_ieq(name, PL_STR("content-md5")) ? PL_SUM_MD5 : PL_SUM_NONE;
    if (pl_str_starts(name, prefix)) {
        kind = pl_sum_by_name(pl_str_n(name.ptr + prefix.len, name.len - prefix.len));
    }
    if (kind && !pl_sum_of(kind, body.ptr, body.len, &sum, NULL)) {
        same(run, "checksum of the body", pl_str_c(pl_sum_base64(&sum, text)), value);
    }
    if (pl_str_ieq(name, PL_STR("content-length"))) {
        snprintf(text, sizeof text, "%zu", body.len);
        same(run, "length of the body", pl_str_c(text), value);
    }
}

void run_s3_client_requests(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input"), *header;
    struct pl_buf body = decoded(run, member(input, "body_base64"));
    struct signing s;
    size_t i;
    if (signing_init(&s, run, input)) {
        struct pl_str hash = member(input, "payload_hash");
        signing_url(&s, run, member(input, "url"));
        json_array_foreach(json_object_get(input, "headers"), i, header)
        {
            struct pl_str name = pl_str_c(json_string_value(json_array_get(header, 0)));
            struct pl_str value = pl_str_c(json_string_value(json_array_get(header, 1)));
            if (!is_added_later(name)) {
                signing_header(&s, name, value);
            }
            if (hash.len == 64) { /* else what was captured is not the framed body */
                check_body(run, name, value, pl_buf_view(&body));
            }
        }
        signing_body(&s, run, pl_buf_view(&body));
        if (hash.len == 64) {
            same_c(run, "payload_hash", s.body_hash, hash.ptr);
        }
        s.request.payload_hash = hash;
        signing_check(&s, run, json_object_get(one, "expected"));
        if (hash.len == 64) { /* Pail never sends a trailer */
            check_built_request(run, one);
        }
    }
    signing_dispose(&s);
    pl_buf_dispose(&body);
}
