/* The same requests, built by the S3 dialect from what was asked for. */
#include <stdio.h>
#include <string.h>

#include "codec/date.h"
#include "codec/url.h"
#include "codec/xml.h"
#include "provider/s3.h"
#include "runner.h"
#include "sign/canonical.h"

enum { ITEMS_MAX = 64 };

struct built {
    struct run *run;
    const json_t *input;
    struct pl_settings settings;
    struct pl_arena arena;
    struct pl_dialect *dialect;
    struct pl_op op;
    struct pl_attempt attempt;
    struct pl_http_request r;
    pail_attributes attr;
    struct pl_body body;
    struct pl_buf bytes; /* of the captured body */
    pail_kv extra[ITEMS_MAX], metadata[ITEMS_MAX], tags[ITEMS_MAX];
    struct pl_name names[ITEMS_MAX];
    struct pl_part parts[ITEMS_MAX];
    size_t items;
    bool differs; /* in a way that is meant, so the signature cannot be the same */
    bool no_xml;  /* the captured body is none: there is nothing to ask for */
};

static const struct {
    const char *name;
    enum pl_op_kind kind;
} operations[] = {
    {"put", PL_OP_PUT},
    {"get", PL_OP_GET},
    {"head", PL_OP_STAT},
    {"delete", PL_OP_DELETE},
    {"part", PL_OP_MP_PART},
    {"list", PL_OP_LIST},
    {"mpu", PL_OP_MP_BEGIN},
    {"copy", PL_OP_COPY},
    {"complete", PL_OP_MP_FINISH},
    {"deletes", PL_OP_DELETE_MANY},
    {"tag", PL_OP_TAGS_SET},
    {"createbucket", PL_OP_BUCKET_CREATE},
};

static const char *dup_str(struct built *b, struct pl_str s)
{
    const char *copy = pl_arena_dup(&b->arena, s);
    return copy ? copy : "";
}

static const char *decoded_part(struct built *b, struct pl_str s)
{
    struct pl_buf text = PL_BUF_MAX(1 << 16);
    if (!pl_url_decode(&text, s)) {
        broken(b->run, "malformed URL");
    }
    const char *copy = dup_str(b, pl_buf_view(&text));
    pl_buf_dispose(&text);
    return copy;
}

static void set(struct built *b, const char *name, const char *value)
{
    if (*value && pl_settings_set(&b->settings, name, value, "vector", NULL)) {
        broken(b->run, "setting %s refused", name);
    }
}

/* The ways of the client that made the vectors. Its legacy endpoint of us-east-1 is that of
 * aws-global. */
static void fill_settings(struct built *b)
{
    const json_t *input = b->input;
    const char *region = member_c(input, "region"), *endpoint = member_c(input, "endpoint");
    set(b, "aws_access_key_id", member_c(input, "access_key"));
    set(b, "aws_secret_access_key", member_c(input, "secret_key"));
    set(b, "aws_session_token", member_c(input, "session_token"));
    set(b, "aws_region", strcmp(region, "us-east-1") == 0 && !*endpoint ? "aws-global" : region);
    set(b, "s3_style", member_c(input, "addressing"));
    set(b, "s3_sums", "none");
    set(b, "s3_delete_sum", "none");
    set(b, "s3_payload", "signed");
    set(b, "s3_list", "v2");
    set(b, "s3_list_urlenc", "true");
    set(b, "aws_endpoint_url", endpoint);
}

static void fill_query(struct built *b, struct pl_str query)
{
    struct pl_op *op = &b->op;
    struct pl_str name, value;
    while (pl_url_query_next(&query, &name, &value)) {
        const char *text = decoded_part(b, value);
        uint64_t n = 0;
        if (pl_str_is(name, "prefix")) {
            op->in.list.prefix = text;
        } else if (pl_str_is(name, "delimiter")) {
            op->in.list.delimiter = text;
        } else if (pl_str_is(name, "continuation-token")) {
            struct pl_buf token = PL_BUF_MAX(1 << 16); /* as a page of ours would have given it */
            pl_buf_printf(&token, "2 %s", text);
            op->in.list.token = dup_str(b, pl_buf_view(&token));
            pl_buf_dispose(&token);
        } else if (pl_str_is(name, "uploadId")) {
            *(op->kind == PL_OP_MP_PART ? &op->in.put.upload_id : &op->in.mp.upload_id) = text;
        } else if (pl_str_is(name, "partNumber") && pl_str_u64(value, &n)) {
            op->in.put.number = (uint32_t)n;
        }
    }
}

static pail_code on_close(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    struct built *b = ctx;
    bool deletes = b->op.kind == PL_OP_DELETE_MANY;
    uint64_t n = 0;
    (void)depth;
    if (b->items >= ITEMS_MAX) {
        return PAIL_E_TOO_LARGE;
    }
    if (pl_str_is(name, "Key")) {
        *(deletes ? &b->names[b->items].key : &b->tags[b->items].name) = dup_str(b, text);
        b->items += deletes;
    } else if (pl_str_is(name, "Value")) {
        b->tags[b->items++].value = dup_str(b, text);
    } else if (pl_str_is(name, "ETag")) {
        b->parts[b->items].etag = dup_str(b, pl_str_n(text.ptr + 1, text.len - 2));
    } else if (pl_str_is(name, "PartNumber") && pl_str_u64(text, &n)) {
        b->parts[b->items++].number = (uint32_t)n;
    } else if (pl_str_is(name, "LocationConstraint")) {
        b->op.in.bucket_create.location = dup_str(b, text);
    }
    return PAIL_OK;
}

static void fill_body(struct built *b)
{
    static const struct pl_xml_events events = {.close = on_close};
    struct pl_xml x = {0};
    pail_code rc = PAIL_OK;
    struct pl_op *op = &b->op;
    b->body = (struct pl_body){.kind = PL_BODY_MEM, .ptr = b->bytes.ptr, .len = b->bytes.len};
    if (op->kind == PL_OP_PUT || op->kind == PL_OP_MP_PART) {
        op->in.put.source = &b->body;
        return;
    }
    if (b->bytes.len) {
        rc = pl_xml_init(&x, &events, b, 1 << 16, NULL);
        rc = rc ? rc : pl_xml_feed(&x, b->bytes.ptr, b->bytes.len, NULL);
        rc = rc ? rc : pl_xml_finish(&x, NULL);
        pl_xml_dispose(&x);
    }
    b->no_xml = rc != PAIL_OK; /* a control character as it is: Pail refuses to send such a body */
    if (op->kind == PL_OP_DELETE_MANY) {
        op->in.delete_many.names = b->names;
        op->in.delete_many.count = b->items;
    } else if (op->kind == PL_OP_TAGS_SET) {
        op->in.tags.tags = b->tags;
        op->in.tags.count = b->items;
    } else if (op->kind == PL_OP_MP_FINISH) {
        op->in.mp.parts = b->parts;
        op->in.mp.count = b->items;
    }
}

static bool is_left_out(struct pl_str name)
{
    static const char *const names[] = {"expect", "content-length", "x-amz-date",
                                        "x-amz-content-sha256", "x-amz-security-token"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (pl_str_ieq(name, pl_str_c(names[i]))) {
            return true;
        }
    }
    return false;
}

static void fill_range(struct built *b, const char *value)
{
    unsigned long long first, last;
    if (sscanf(value, "bytes=%llu-%llu", &first, &last) == 2) {
        b->attempt.range = (struct pl_range){PL_RANGE_SPAN, first, last - first + 1};
        b->op.in.get.range = b->attempt.range;
    }
}

static void fill_source(struct built *b, struct pl_str value)
{
    b->op.in.copy.bucket = decoded_part(b, pl_str_split(&value, '/'));
    b->op.in.copy.key = decoded_part(b, value);
}

/* What the operation has a place for goes there, the client's own additions as extra headers. */
static void fill_header(struct built *b, const char *name, const char *value)
{
    struct pl_str prefix = PL_STR("x-amz-meta-"), n = pl_str_c(name);
    if (is_left_out(n)) {
        return;
    }
    if (pl_str_starts(n, prefix)) {
        b->metadata[b->attr.metadata_count++] = (pail_kv){name + prefix.len, value};
        b->attr.metadata = b->metadata;
        b->op.attr = &b->attr;
    } else if (pl_str_ieq(n, PL_STR("content-type"))) {
        b->attr.content_type = value;
        b->op.attr = &b->attr;
    } else if (pl_str_ieq(n, PL_STR("range"))) {
        fill_range(b, value);
    } else if (pl_str_ieq(n, PL_STR("if-none-match"))) {
        b->op.cond.if_none_match = dup_str(b, pl_str_n(value + 1, strlen(value) - 2));
    } else if (pl_str_ieq(n, PL_STR("x-amz-copy-source"))) {
        fill_source(b, pl_str_c(value));
    } else {
        b->extra[b->op.header_count++] = (pail_kv){name, value};
        b->op.headers = b->extra;
    }
}

static bool fill(struct built *b, const json_t *one)
{
    const json_t *header;
    struct pl_url url;
    size_t i;
    b->input = json_object_get(one, "input");
    fill_settings(b);
    for (i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (pl_str_is(member(b->input, "operation"), operations[i].name)) {
            b->op.kind = operations[i].kind;
        }
    }
    if (!b->op.kind || pl_url_parse(member(b->input, "url"), &url, NULL) ||
        !pl_date_basic_parse(member(b->input, "time"), &b->attempt.now_ms)) {
        broken(b->run, "unknown operation %s", member_c(b->input, "operation"));
        return false;
    }
    b->op.bucket = member_c(b->input, "bucket");
    b->op.key = member_c(b->input, "key");
    b->attempt.number = 1;
    fill_query(b, url.query);
    json_array_foreach(json_object_get(b->input, "headers"), i, header)
    {
        fill_header(b, json_string_value(json_array_get(header, 0)),
                    json_string_value(json_array_get(header, 1)));
    }
    b->bytes = decoded(b->run, member(b->input, "body_base64"));
    fill_body(b);
    return !b->run->case_failed && !b->no_xml;
}

/* Pail asks AWS for a new bucket where it shall be, that client where it happens to be. */
static bool goes_elsewhere(const struct built *b)
{
    return b->op.kind == PL_OP_BUCKET_CREATE && !*member_c(b->input, "endpoint");
}

/* A listing of ours says nothing where it asks for nothing: no "prefix=". */
static bool lacks_empty(const struct built *b, struct pl_str query)
{
    struct pl_str name, value;
    while (b->op.kind == PL_OP_LIST && pl_url_query_next(&query, &name, &value)) {
        if (!value.len) {
            return true;
        }
    }
    return false;
}

static void compare_target(struct built *b)
{
    struct pl_str ours = pl_str_c(b->r.target), theirs = {0}, our_path, their_path;
    struct pl_buf got = PL_BUF_MAX(1 << 16), want = PL_BUF_MAX(1 << 16),
                  scratch = PL_BUF_MAX(1 << 16);
    struct pl_url url;
    (void)!pl_url_parse(member(b->input, "url"), &url, NULL);
    theirs = url.query;
    our_path = pl_str_split(&ours, '?');
    their_path = url.path.len ? url.path : PL_STR("/");
    pl_url_host_header(&want, &url);
    if (!goes_elsewhere(b)) {
        same_c(b->run, "built: host", pl_http_host(&b->r), want.ptr);
    }
    same(b->run, "built: path", our_path, their_path);
    pl_buf_clear(&want);
    if (!pl_canonical_query(&got, &scratch, ours) || !pl_canonical_query(&want, &scratch, theirs)) {
        broken(b->run, "too many parameters");
    }
    b->differs |= lacks_empty(b, theirs);
    if (!b->differs) {
        same(b->run, "built: query", pl_buf_view(&got), pl_buf_view(&want));
    }
    pl_buf_dispose(&got);
    pl_buf_dispose(&want);
    pl_buf_dispose(&scratch);
}

static struct pl_str header_of(const struct built *b, struct pl_str name)
{
    for (size_t i = 0; i < b->r.header_count; i++) {
        if (pl_str_ieq(b->r.headers[i].name, name)) {
            return b->r.headers[i].value;
        }
    }
    return PL_STR("(none)");
}

static bool was_captured(const struct built *b, struct pl_str name)
{
    const json_t *header;
    size_t i;
    json_array_foreach(json_object_get(b->input, "headers"), i, header)
    {
        if (pl_str_ieq(name, pl_str_c(json_string_value(json_array_get(header, 0))))) {
            return true;
        }
    }
    return false;
}

/* Every captured header is ours too, and the other way round. Expect and Content-Length are the
 * engine's. */
static void compare_headers(struct built *b)
{
    const json_t *header;
    size_t i;
    json_array_foreach(json_object_get(b->input, "headers"), i, header)
    {
        struct pl_str name = pl_str_c(json_string_value(json_array_get(header, 0)));
        if (!pl_str_ieq(name, PL_STR("expect")) && !pl_str_ieq(name, PL_STR("content-length"))) {
            char field[128];
            struct pl_str got = header_of(b, name);
            struct pl_str want = pl_str_c(json_string_value(json_array_get(header, 1)));
            snprintf(field, sizeof field, "built: %s", name.ptr);
            /* Metadata that a hop would change, as "a  b", goes encoded. */
            if (pl_str_starts(got, PL_STR("=?UTF-8?B?")) && !pl_str_eq(got, want)) {
                b->differs = true;
            } else {
                same(b->run, field, got, want);
            }
        }
    }
    for (i = 0; i < b->r.header_count; i++) {
        struct pl_str name = b->r.headers[i].name;
        if (!pl_str_ieq(name, PL_STR("accept-encoding")) &&
            !pl_str_ieq(name, PL_STR("authorization")) && !was_captured(b, name)) {
            broken(b->run, "built: header %.*s is too much", (int)name.len, name.ptr);
        }
    }
}

static pail_code on_flat_close(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    pl_buf_printf(ctx, "%d %.*s %.*s\n", depth, (int)name.len, name.ptr, (int)text.len, text.ptr);
    return PAIL_OK;
}

static void flatten(struct pl_str body, struct pl_buf *out)
{
    static const struct pl_xml_events events = {.close = on_flat_close};
    struct pl_xml x = {0};
    pail_code rc = pl_xml_init(&x, &events, out, 1 << 16, NULL);
    rc = rc ? rc : pl_xml_feed(&x, body.ptr, body.len, NULL);
    rc = rc ? rc : pl_xml_finish(&x, NULL);
    pl_xml_dispose(&x);
    if (rc) {
        pl_buf_str(out, body);
    }
}

/* Byte for byte, or what the two say as XML: there is more than one way to escape. */
static void compare_body(struct built *b, struct pl_str body)
{
    struct pl_buf got = PL_BUF_MAX(1 << 20), want = PL_BUF_MAX(1 << 20);
    if (!pl_str_eq(body, pl_buf_view(&b->bytes))) {
        flatten(body, &got);
        flatten(pl_buf_view(&b->bytes), &want);
        same(b->run, "built: body", pl_buf_view(&got), pl_buf_view(&want));
        b->differs = true;
    }
    pl_buf_dispose(&got);
    pl_buf_dispose(&want);
}

static void compare(struct built *b, const json_t *expected)
{
    struct pl_str body = b->r.body ? pl_str_n(b->r.body->ptr, (size_t)b->r.body->len) : PL_STR("");
    same_c(b->run, "built: method", b->r.method, member_c(b->input, "method"));
    compare_target(b);
    compare_headers(b);
    compare_body(b, body);
    /* Ours signs no Range and no If-None-Match, which hops may change. */
    if (b->op.kind != PL_OP_GET && !goes_elsewhere(b) && !b->differs) {
        same(b->run, "built: authorization", header_of(b, PL_STR("authorization")),
             member(expected, "authorization"));
    }
}

void check_built_request(struct run *run, const json_t *one)
{
    struct built *b = pl_calloc(1, sizeof *b);
    struct pail_error *err = NULL;
    if (!b) {
        broken(run, "out of memory");
        return;
    }
    b->run = run;
    struct pl_provider_env env = {.settings = &b->settings};
    if (fill(b, one)) {
        pail_code rc = pl_s3_dialect_new(&env, &b->dialect, &err);
        if (!rc) {
            pthread_mutex_init(&b->dialect->lock, NULL);
            rc = b->dialect->ops->build(b->dialect, &b->op, &b->attempt, &b->r, &err);
        }
        if (rc) {
            broken(run, "not built: %s", pail_error_message(err));
        } else {
            compare(b, json_object_get(one, "expected"));
        }
    }
    if (b->dialect) {
        pthread_mutex_destroy(&b->dialect->lock);
        b->dialect->ops->free(b->dialect);
    }
    pail_error_free(err);
    pl_http_request_dispose(&b->r);
    pl_arena_dispose(&b->op.arena);
    pl_arena_dispose(&b->arena);
    pl_buf_dispose(&b->bytes);
    pl_settings_dispose(&b->settings);
    pl_free(b);
}
