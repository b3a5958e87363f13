/* What the dialect builds against what an independent client library built for the same operation
 * (tests/vectors/s3_client_requests.json): method, host, path, query, headers, body, and where both
 * sign the same headers the signature. The differences that are meant:
 *
 *   headers of `skipped`, and on copies and tags those that `foreign` says
 *   trailers       they send a checksum behind the body in chunks; pail reads the source twice and
 *                  sends it in a header, or in the signature
 *   CreateBucket   pail asks the region where the bucket shall be
 *   us-east-1      they use the old global host name, which pail calls the region "aws-global" */
#include <jansson.h>

#include "codec/base64.h"
#include "codec/date.h"
#include "codec/url.h"
#include "codec/xml.h"
#include "provider/s3.h"
#include "sign/canonical.h"
#include "test.h"

static const struct {
    const char *header, *why;
} skipped[] = {
    {"expect", "the engine's affair"},
    {"content-length", "the engine's affair"},
    {"accept-encoding", "pail never takes compressed bytes for the object's"},
    {"x-amz-sdk-checksum-algorithm", "nothing but a repetition of the checksum's name"},
    {"authorization", "compared by itself where both sign the same headers"},
};

enum { TEXTS = 4096 };
struct texts { /* the leaves of an XML body */
    struct pl_arena arena;
    struct {
        const char *name, *text;
    } all[TEXTS];
    size_t count;
};

struct sdk_case {
    const json_t *in;
    struct pl_url url;
    struct pl_settings settings;
    struct pl_dialect *dialect;
    struct pl_op op;
    struct pl_attempt attempt;
    struct pl_body body;
    struct pl_buf raw;
    struct texts texts;
    pail_attributes attr;
    bool foreign; /* the library sent what pail never does: signatures must differ */
    bool trailer, elsewhere;
};

static const char *input(const struct sdk_case *c, const char *name)
{
    return json_string_value(json_object_get(c->in, name));
}

static const char *their_header(const struct sdk_case *c, const char *name)
{
    size_t i;
    json_t *pair;
    json_array_foreach(json_object_get(c->in, "headers"), i, pair)
    {
        const char *n = json_string_value(json_array_get(pair, 0));
        if (pl_str_ieq(pl_str_c(n), pl_str_c(name))) {
            return json_string_value(json_array_get(pair, 1));
        }
    }
    return NULL;
}

static const char *decoded(struct sdk_case *c, struct pl_str text)
{
    struct pl_buf out = PL_BUF_MAX(1 << 16);
    const char *copy =
        pl_url_decode(&out, text) ? pl_arena_dup(&c->texts.arena, pl_buf_view(&out)) : NULL;
    pl_buf_dispose(&out);
    return copy;
}

static const char *parameter(struct sdk_case *c, const char *wanted)
{
    struct pl_str query = c->url.query, name, value;
    while (pl_url_query_next(&query, &name, &value)) {
        if (pl_str_is(name, wanted)) {
            return decoded(c, value);
        }
    }
    return NULL;
}

static pail_code on_close(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    struct texts *t = ctx;
    (void)depth;
    if (t->count < TEXTS) {
        t->all[t->count].name = pl_arena_dup(&t->arena, name);
        t->all[t->count++].text = pl_arena_dup(&t->arena, text);
    }
    return PAIL_OK;
}

static void read_xml(struct sdk_case *c)
{
    static const struct pl_xml_events events = {.close = on_close};
    struct pl_xml xml = {0};
    if (c->raw.len) {
        CHECK(!pl_xml_init(&xml, &events, &c->texts, 1 << 16, NULL) &&
              !pl_xml_feed(&xml, c->raw.ptr, c->raw.len, NULL) && !pl_xml_finish(&xml, NULL));
        pl_xml_dispose(&xml);
    }
}

static void *room(struct sdk_case *c, size_t size)
{
    return pl_arena_alloc(&c->texts.arena, size);
}

static void attributes(struct sdk_case *c)
{
    size_t i;
    json_t *pair;
    pail_kv *meta = room(c, 64 * sizeof *meta);
    c->attr.metadata = meta;
    c->attr.content_type = their_header(c, "content-type");
    c->attr.content_encoding =
        their_header(c, "x-amz-trailer") ? NULL : their_header(c, "content-encoding");
    c->attr.content_disposition = their_header(c, "content-disposition");
    c->attr.cache_control = their_header(c, "cache-control");
    c->attr.storage_class = their_header(c, "x-amz-storage-class");
    c->attr.canned_acl = their_header(c, "x-amz-acl");
    json_array_foreach(json_object_get(c->in, "headers"), i, pair)
    {
        const char *n = json_string_value(json_array_get(pair, 0));
        if (strncmp(n, "x-amz-meta-", 11) == 0) {
            meta[c->attr.metadata_count++] =
                (pail_kv){n + 11, json_string_value(json_array_get(pair, 1))};
        }
    }
    c->op.attr = &c->attr;
    if (c->op.kind != PL_OP_COPY) {
        const char *sse = their_header(c, "x-amz-server-side-encryption");
        pail_encryption *e = room(c, sizeof *e);
        e->algorithm = sse;
        c->op.encryption = e;
    }
}

static void parts(struct sdk_case *c)
{
    struct pl_part *all = room(c, TEXTS * sizeof *all);
    size_t n = 0;
    const char *etag = NULL;
    for (size_t i = 0; i < c->texts.count; i++) {
        const char *name = c->texts.all[i].name, *text = c->texts.all[i].text;
        if (strcmp(name, "ETag") == 0) {
            etag = pl_arena_dup(&c->texts.arena, pl_str_n(text + 1, strlen(text) - 2));
        } else if (strcmp(name, "PartNumber") == 0) {
            all[n].number = (uint32_t)atoi(text);
            all[n++].etag = etag;
        }
    }
    c->op.in.mp.parts = all;
    c->op.in.mp.count = n;
    c->op.in.mp.upload_id = parameter(c, "uploadId");
}

static void names(struct sdk_case *c)
{
    struct pl_name *all = room(c, TEXTS * sizeof *all);
    size_t n = 0;
    for (size_t i = 0; i < c->texts.count; i++) {
        if (strcmp(c->texts.all[i].name, "Key") == 0) {
            all[n++].key = c->texts.all[i].text;
        }
    }
    c->op.in.delete_many.names = all;
    c->op.in.delete_many.count = n;
}

static void tags(struct sdk_case *c)
{
    pail_kv *all = room(c, TEXTS * sizeof *all);
    size_t n = 0;
    for (size_t i = 0; i + 1 < c->texts.count; i++) {
        if (strcmp(c->texts.all[i].name, "Key") == 0) {
            all[n].name = c->texts.all[i].text;
            all[n++].value = c->texts.all[i + 1].text;
        }
    }
    c->op.in.tags.tags = all;
    c->op.in.tags.count = n;
    c->foreign = true; /* a checksum of the body, which the signature covers already */
}

static void copy(struct sdk_case *c)
{
    struct pl_str key = pl_str_c(their_header(c, "x-amz-copy-source"));
    struct pl_str bucket = pl_str_split(&key, '/'), query = key;
    key = pl_str_split(&query, '?');
    c->op.in.copy.bucket = decoded(c, bucket);
    c->op.in.copy.key = decoded(c, key);
    if (query.ptr && query.len > 10) {
        c->op.in.copy.version = decoded(c, pl_str_n(query.ptr + 10, query.len - 10));
    }
    const char *directive = their_header(c, "x-amz-metadata-directive");
    if (directive && strcmp(directive, "REPLACE") == 0) {
        attributes(c);
        c->foreign = true; /* pail replaces the tags as well */
    } else {
        c->foreign = directive != NULL; /* the default, said aloud */
    }
}

static void list(struct sdk_case *c)
{
    const char *token = parameter(c, "continuation-token");
    const char *max = parameter(c, "max-keys");
    c->op.in.list.prefix = parameter(c, "prefix");
    c->op.in.list.delimiter = parameter(c, "delimiter");
    c->op.in.list.start_after = parameter(c, "start-after");
    c->op.in.list.max = max ? (uint32_t)atoi(max) : 0;
    if (token) {
        char *ours = room(c, strlen(token) + 3);
        c->op.in.list.token = strcat(strcpy(ours, "2 "), token);
    }
}

static void get(struct sdk_case *c)
{
    const char *range = their_header(c, "range");
    unsigned long long first = 0, last = 0;
    if (range && sscanf(range, "bytes=%llu-%llu", &first, &last) == 2) {
        c->attempt.range =
            (struct pl_range){.kind = PL_RANGE_SPAN, .offset = first, .length = last - first + 1};
    } else if (range && sscanf(range, "bytes=-%llu", &last) == 1) {
        c->attempt.range = (struct pl_range){.kind = PL_RANGE_SUFFIX, .length = last};
    }
    c->op.version = parameter(c, "versionId");
    c->op.cond.if_none_match = their_header(c, "if-none-match");
    c->op.cond.if_match = c->attempt.if_match = their_header(c, "if-match");
}

static void put(struct sdk_case *c)
{
    const char *number = parameter(c, "partNumber");
    c->body.kind = PL_BODY_MEM;
    c->body.ptr = c->raw.ptr;
    c->body.len = c->raw.len;
    c->op.in.put.source = &c->body;
    c->op.in.put.upload_id = parameter(c, "uploadId");
    c->op.in.put.number = number ? (uint32_t)atoi(number) : 0;
}

static bool fill(struct sdk_case *c)
{
    static const struct {
        const char *name;
        enum pl_op_kind kind;
        bool xml;
        void (*more)(struct sdk_case *c);
    } kinds[] = {{"part", PL_OP_MP_PART, false, put},
                 {"put", PL_OP_PUT, false, put},
                 {"list", PL_OP_LIST, false, list},
                 {"mpu", PL_OP_MP_BEGIN, false, attributes},
                 {"createbucket", PL_OP_BUCKET_CREATE, true, NULL},
                 {"copy", PL_OP_COPY, false, copy},
                 {"get", PL_OP_GET, false, get},
                 {"head", PL_OP_STAT, false, get},
                 {"delete", PL_OP_DELETE, false, get},
                 {"deletes", PL_OP_DELETE_MANY, true, names},
                 {"complete", PL_OP_MP_FINISH, true, parts},
                 {"tag", PL_OP_TAGS_SET, true, tags}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, input(c, "operation")) == 0) {
            c->op.kind = kinds[i].kind;
            if (kinds[i].xml) {
                read_xml(c);
            }
            if (kinds[i].more) {
                kinds[i].more(c);
            }
            if (c->op.kind == PL_OP_PUT) {
                attributes(c);
            }
            if (c->op.kind == PL_OP_BUCKET_CREATE && c->texts.count) {
                c->op.in.bucket_create.location = c->texts.all[0].text;
                c->elsewhere =
                    !input(c, "endpoint") && strcmp(c->texts.all[0].text, input(c, "region")) != 0;
            }
            c->trailer = their_header(c, "x-amz-trailer") != NULL;
            return true;
        }
    }
    return false;
}

static void set(struct sdk_case *c, const char *name, const char *value)
{
    CHECK_INT(pl_settings_set(&c->settings, name, value, "test", NULL), PAIL_OK);
}

static void settings(struct sdk_case *c)
{
    bool sum = their_header(c, "x-amz-checksum-crc32") || their_header(c, "x-amz-checksum-mode");
    const char *hash = input(c, "payload_hash");
    set(c, "aws_access_key_id", input(c, "access_key"));
    set(c, "aws_secret_access_key", input(c, "secret_key"));
    bool global = strcmp(input(c, "region"), "us-east-1") == 0 && !input(c, "endpoint");
    set(c, "aws_region", global ? "aws-global" : input(c, "region"));
    set(c, "s3_style", strcmp(input(c, "addressing"), "virtual") == 0 ? "virtual" : "path");
    set(c, "s3_sums", sum ? "crc32" : "none");
    set(c, "s3_delete_sum", "crc32");
    set(c, "s3_list_urlenc", "true");
    set(c, "s3_location", "false");
    set(c, "s3_payload", strcmp(hash, "UNSIGNED-PAYLOAD") == 0 ? "unsigned_tls" : "signed");
    if (input(c, "session_token")) {
        set(c, "aws_session_token", input(c, "session_token"));
    }
    if (input(c, "endpoint")) {
        set(c, "aws_endpoint_url", input(c, "endpoint"));
    }
}

static bool is_skipped(struct pl_str name)
{
    for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++) {
        if (pl_str_ieq(name, pl_str_c(skipped[i].header))) {
            return true;
        }
    }
    return false;
}

static bool is_of_trailer(const struct sdk_case *c, struct pl_str name)
{
    return c->trailer && (pl_str_ieq(name, PL_STR("x-amz-trailer")) ||
                          pl_str_ieq(name, PL_STR("transfer-encoding")) ||
                          pl_str_ieq(name, PL_STR("content-encoding")) ||
                          pl_str_ieq(name, PL_STR("x-amz-content-sha256")) ||
                          pl_str_ieq(name, PL_STR("x-amz-decoded-content-length")));
}

static void check_headers(struct sdk_case *c, const struct pl_http_request *r)
{
    size_t i;
    json_t *pair;
    json_array_foreach(json_object_get(c->in, "headers"), i, pair)
    {
        struct pl_str name = pl_str_c(json_string_value(json_array_get(pair, 0)));
        const char *value = json_string_value(json_array_get(pair, 1));
        bool found = is_skipped(name) || is_of_trailer(c, name) ||
                     (c->foreign && (pl_str_ieq(name, PL_STR("x-amz-checksum-crc32")) ||
                                     pl_str_ieq(name, PL_STR("x-amz-metadata-directive"))));
        for (size_t j = 0; j < r->header_count && !found; j++) {
            found = pl_str_ieq(r->headers[j].name, name) && pl_str_is(r->headers[j].value, value);
        }
        if (!found) {
            printf("# %s: they send %.*s: %s\n", input(c, "operation"), (int)name.len, name.ptr,
                   value);
            test_failed = 1;
        }
    }
    for (size_t j = 0; j < r->header_count; j++) {
        char name[64] = {0};
        memcpy(name, r->headers[j].name.ptr, r->headers[j].name.len);
        if (!is_skipped(r->headers[j].name) && !their_header(c, name) &&
            !(c->foreign && strcmp(name, "x-amz-tagging-directive") == 0)) {
            printf("# %s: only we send %s\n", input(c, "operation"), name);
            test_failed = 1;
        }
    }
}

static void check_target(struct sdk_case *c, struct pl_http_request *r)
{
    struct pl_buf theirs = PL_BUF_MAX(1 << 16), ours = PL_BUF_MAX(1 << 16);
    struct pl_buf scratch = PL_BUF_MAX(1 << 16);
    struct pl_str query = pl_str_c(r->target), path = pl_str_split(&query, '?');
    pl_url_host_header(&theirs, &c->url);
    if (!c->elsewhere) {
        CHECK_STR(pl_http_host(r), theirs.ptr);
    }
    CHECK(pl_str_eq(path, c->url.path.len ? c->url.path : PL_STR("/")));
    pl_buf_clear(&theirs);
    CHECK(pl_canonical_query(&theirs, &scratch, c->url.query));
    CHECK(pl_canonical_query(&ours, &scratch, query.ptr ? query : PL_STR("")));
    CHECK_STR(ours.ptr ? ours.ptr : "", theirs.ptr ? theirs.ptr : "");
    pl_buf_dispose(&theirs);
    pl_buf_dispose(&ours);
    pl_buf_dispose(&scratch);
}

/* Whether they sign only what pail signs. */
static bool same_signed(const char *authorization)
{
    const char *at = strstr(authorization, "SignedHeaders=");
    struct pl_str rest = at ? pl_str_c(at + 14) : (struct pl_str){0};
    struct pl_str all = pl_str_split(&rest, ',');
    while (all.len) {
        struct pl_str name = pl_str_split(&all, ';');
        if (!pl_str_is(name, "host") && !pl_str_starts(name, PL_STR("content-type")) &&
            !pl_str_starts(name, PL_STR("content-md5")) &&
            (!pl_str_starts(name, PL_STR("x-amz-")) ||
             pl_str_is(name, "x-amz-sdk-checksum-algorithm"))) {
            return false;
        }
    }
    return true;
}

static int compared;
static void check_signature(struct sdk_case *c, const struct pl_http_request *r,
                            const char *authorization)
{
    if (c->foreign || c->trailer || c->elsewhere || !same_signed(authorization)) {
        return;
    }
    for (size_t j = 0; j < r->header_count; j++) {
        if (pl_str_is(r->headers[j].name, "authorization")) {
            compared++;
            CHECK(pl_str_is(r->headers[j].value, authorization));
        }
    }
}

static void run_case(const json_t *whole)
{
    struct sdk_case c = {.in = json_object_get(whole, "input"), .raw = PL_BUF_MAX(1 << 20)};
    struct pl_http_request r = {0};
    struct pail_error *err = NULL;
    const json_t *expected = json_object_get(whole, "expected");
    CHECK(!pl_url_parse(pl_str_c(input(&c, "url")), &c.url, NULL));
    CHECK(pl_base64_decode(&c.raw, pl_str_c(input(&c, "body_base64"))));
    CHECK(pl_date_basic_parse(pl_str_c(input(&c, "time")), &c.attempt.now_ms));
    c.op.bucket = input(&c, "bucket");
    c.op.key = input(&c, "key");
    CHECK(fill(&c));
    settings(&c);
    struct pl_provider_env env = {.settings = &c.settings};
    CHECK_INT(pl_s3_dialect_new(&env, &c.dialect, &err), PAIL_OK);
    pthread_mutex_init(&c.dialect->lock, NULL);
    pail_code rc = c.dialect->ops->build(c.dialect, &c.op, &c.attempt, &r, &err);
    if (rc) {
        printf("# %s: %s\n", input(&c, "operation"), pail_error_message(err));
        test_failed = 1;
    } else {
        CHECK_STR(r.method, input(&c, "method"));
        check_target(&c, &r);
        check_headers(&c, &r);
        CHECK(c.raw.len == (r.body ? r.body->len : 0) &&
              (!c.raw.len || memcmp(c.raw.ptr, r.body->ptr, c.raw.len) == 0));
        check_signature(&c, &r, json_string_value(json_object_get(expected, "authorization")));
    }
    pail_error_free(err);
    pl_http_request_dispose(&r);
    pthread_mutex_destroy(&c.dialect->lock);
    c.dialect->ops->free(c.dialect);
    pl_op_dispose(&c.op);
    pl_settings_dispose(&c.settings);
    pl_buf_dispose(&c.raw);
    pl_arena_dispose(&c.texts.arena);
}

static const char *vectors;
static void test_requests__are_those_of_an_independent_client(void)
{
    json_error_t why;
    size_t i;
    json_t *all = json_load_file(vectors, 0, &why), *one;
    REQUIRE(all != NULL);
    json_array_foreach(json_object_get(all, "cases"), i, one)
    {
        run_case(one);
    }
    CHECK_INT(json_array_size(json_object_get(all, "cases")), 119);
    printf("# %d of them with the same signature\n", compared);
    CHECK(compared > 60);
    json_decref(all);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        return 2;
    }
    vectors = argv[1];
    RUN(test_requests__are_those_of_an_independent_client);
    return test_end();
}
