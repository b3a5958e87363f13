/* Golden cases: FOLDER/<operation>/<case>/ has op.json (settings, time, operation), request.http
 * (what is built of it, signed), response.http (what a service answers) and result.json (what comes
 * of that). Where the dialect learned something and asks again, or has more to ask, request-2.http
 * and response-2.http follow; errand.http and errand-response.http are what is asked before, where
 * op.json has "errands". Heads have LF line ends; bodies are byte for byte.
 *
 *     golden FOLDER          compares; TAP
 *     golden --write FOLDER  writes request*.http and result.json anew, for review */
#include <dirent.h>
#include <jansson.h>
#include <sys/stat.h>

#include "../unit/test.h"
#include "codec/date.h"
#include "codec/digest.h"
#ifdef PL_WITH_AZURE
#include "provider/azure.h"
#endif
#ifdef PL_WITH_GCS
#include "provider/gcs.h"
#endif
#ifdef PL_WITH_S3
#include "provider/s3.h"
#endif
#ifdef PL_WITH_SWIFT
#include "provider/swift.h"
#endif

static bool writing;

struct golden {
    const char *folder;
    json_t *spec;
    struct pl_settings settings;
    struct pl_dialect *dialect;
    struct pl_op op;
    struct pl_attempt attempt;
    struct pl_body body;
    char *body_text;
    int errands; /* exchanges of errands so far */
    bool failed;
};

static void path_of(const struct golden *g, char *out, size_t size, const char *name, int round)
{
    if (round > 1) {
        const char *dot = strchr(name, '.');
        snprintf(out, size, "%s/%.*s-%d%s", g->folder, (int)(dot - name), name, round, dot);
    } else {
        snprintf(out, size, "%s/%s", g->folder, name);
    }
}

static char *read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        return NULL;
    }
    char *text = calloc(1, 1 << 20);
    *len = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    return text;
}

static void complain(struct golden *g, const char *what, const char *got, const char *want)
{
    g->failed = true;
    test_failed = 1;
    printf("# %s: %s\n#   got:\n%s\n#   want:\n%s\n", g->folder, what, got, want ? want : "(none)");
}

/* Compares with the file, or writes it. */
static void check_file(struct golden *g, const char *name, int round, const char *got, size_t len)
{
    char path[2048];
    size_t want_len = 0;
    path_of(g, path, sizeof path, name, round);
    if (writing) {
        FILE *f = fopen(path, "wb");
        if (!f || fwrite(got, 1, len, f) != len) {
            complain(g, "cannot write", path, "");
        }
        if (f) {
            fclose(f);
        }
        return;
    }
    char *want = read_file(path, &want_len);
    if (!want || want_len != len || memcmp(got, want, len) != 0) {
        complain(g, path, got, want);
    }
    free(want);
}

static const char *text_of(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static uint64_t number_of(const json_t *o, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(o, name));
}

static pail_kv *kv_of(struct golden *g, const json_t *object, size_t *count)
{
    const char *name;
    json_t *value;
    size_t n = 0;
    *count = json_object_size(object);
    pail_kv *kv = pl_arena_alloc(&g->op.arena, (*count + 1) * sizeof *kv);
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        kv[n].name = name;
        kv[n++].value = json_string_value(value);
    }
    return kv;
}

static pail_conditions cond_of(const json_t *o)
{
    pail_conditions c = {.if_match = text_of(o, "if_match"),
                         .if_none_match = text_of(o, "if_none_match"),
                         .if_modified_since_ms = (int64_t)number_of(o, "if_modified_since_ms"),
                         .if_unmodified_since_ms = (int64_t)number_of(o, "if_unmodified_since_ms")};
    return c;
}

static pail_encryption *encryption_of(struct golden *g, const json_t *o)
{
    pail_encryption *e = o ? pl_arena_alloc(&g->op.arena, sizeof *e) : NULL;
    if (e) {
        *e = (pail_encryption){text_of(o, "algorithm"), text_of(o, "kms_key_id"),
                               text_of(o, "customer_key_base64")};
    }
    return e;
}

static pail_attributes *attributes_of(struct golden *g, const json_t *o)
{
    pail_attributes *a = o ? pl_arena_alloc(&g->op.arena, sizeof *a) : NULL;
    if (!a) {
        return NULL;
    }
    *a = (pail_attributes){.content_type = text_of(o, "content_type"),
                           .content_encoding = text_of(o, "content_encoding"),
                           .content_language = text_of(o, "content_language"),
                           .content_disposition = text_of(o, "content_disposition"),
                           .cache_control = text_of(o, "cache_control"),
                           .storage_class = text_of(o, "storage_class"),
                           .canned_acl = text_of(o, "canned_acl")};
    a->metadata = kv_of(g, json_object_get(o, "metadata"), &a->metadata_count);
    a->tags = kv_of(g, json_object_get(o, "tags"), &a->tag_count);
    return a;
}

static enum pl_op_kind kind_of(const char *name)
{
    for (int i = 1; i < PL_OP_KIND_COUNT; i++) {
        if (name && strcmp(name, pl_op_name((enum pl_op_kind)i)) == 0) {
            return (enum pl_op_kind)i;
        }
    }
    return PL_OP_KIND_COUNT;
}

static void fill_body(struct golden *g, const json_t *in)
{
    const char *text = text_of(in, "body");
    size_t n = text ? strlen(text) : (size_t)number_of(in, "body_size");
    g->body_text = calloc(1, n + 1);
    if (text) {
        memcpy(g->body_text, text, n);
    }
    g->body.kind = PL_BODY_MEM;
    g->body.ptr = g->body_text;
    g->body.len = n;
    g->op.in.put.source = &g->body;
    g->op.in.put.upload_id = text_of(in, "upload_id");
    g->op.in.put.number = (uint32_t)number_of(in, "number");
}

static void fill_copy(struct golden *g, const json_t *in)
{
    g->op.in.copy.bucket = text_of(in, "bucket");
    g->op.in.copy.key = text_of(in, "key");
    g->op.in.copy.version = text_of(in, "version");
    g->op.in.copy.cond = cond_of(json_object_get(in, "cond"));
    g->op.in.copy.encryption = encryption_of(g, json_object_get(in, "encryption"));
    g->op.in.copy.offset = number_of(in, "offset");
    g->op.in.copy.length = number_of(in, "length");
    g->op.in.copy.upload_id = text_of(in, "upload_id");
    g->op.in.copy.number = (uint32_t)number_of(in, "number");
}

static void fill_parts(struct golden *g, const json_t *in)
{
    const json_t *parts = json_object_get(in, "parts");
    size_t n = json_array_size(parts);
    struct pl_part *all = pl_arena_alloc(&g->op.arena, (n + 1) * sizeof *all);
    for (size_t i = 0; i < n; i++) {
        const json_t *p = json_array_get(parts, i);
        all[i] = (struct pl_part){.number = (uint32_t)number_of(p, "number"),
                                  .etag = text_of(p, "etag"),
                                  .size = number_of(p, "size")};
        all[i].sum.algorithm = (int)pl_sum_by_name(pl_str_c(text_of(p, "sum")));
        all[i].sum.value = number_of(p, "sum_value");
    }
    g->op.in.mp.upload_id = text_of(in, "upload_id");
    g->op.in.mp.parts = all;
    g->op.in.mp.count = n;
    g->op.in.mp.size = number_of(in, "size");
}

static void fill_names(struct golden *g, const json_t *in)
{
    const json_t *names = json_object_get(in, "names");
    size_t n = json_array_size(names);
    struct pl_name *all = pl_arena_alloc(&g->op.arena, (n + 1) * sizeof *all);
    for (size_t i = 0; i < n; i++) {
        all[i].key = text_of(json_array_get(names, i), "key");
        all[i].version = text_of(json_array_get(names, i), "version");
    }
    g->op.in.delete_many.names = all;
    g->op.in.delete_many.count = n;
}

static void fill_range(struct golden *g, const json_t *in)
{
    struct pl_range *r = &g->op.in.get.range;
    r->offset = number_of(in, "offset");
    r->length = number_of(in, "length");
    r->kind = PL_RANGE_ALL;
    if (json_object_get(in, "length")) {
        r->kind = PL_RANGE_SPAN;
    } else if (json_object_get(in, "suffix")) {
        r->kind = PL_RANGE_SUFFIX;
        r->length = number_of(in, "suffix");
    }
    g->attempt.range = *r;
    g->attempt.if_match = g->op.cond.if_match;
}

static void fill_list(struct golden *g, const json_t *in)
{
    g->op.in.list.prefix = text_of(in, "prefix");
    g->op.in.list.delimiter = text_of(in, "delimiter");
    g->op.in.list.start_after = text_of(in, "start_after");
    g->op.in.list.token = text_of(in, "token");
    g->op.in.list.max = (uint32_t)number_of(in, "max");
    g->op.in.list.versions = json_is_true(json_object_get(in, "versions"));
}

static void fill_in(struct golden *g, const json_t *in)
{
    switch (g->op.kind) {
    case PL_OP_GET: fill_range(g, in); break;
    case PL_OP_PUT:
    case PL_OP_MP_PART: fill_body(g, in); break;
    case PL_OP_DELETE_MANY: fill_names(g, in); break;
    case PL_OP_COPY:
    case PL_OP_MP_COPY_PART: fill_copy(g, in); break;
    case PL_OP_LIST:
    case PL_OP_MP_LIST:
    case PL_OP_BUCKET_LIST: fill_list(g, in); break;
    case PL_OP_MP_FINISH:
    case PL_OP_MP_ABORT: fill_parts(g, in); break;
    case PL_OP_TAGS_SET:
        g->op.in.tags.tags = kv_of(g, json_object_get(in, "tags"), &g->op.in.tags.count);
        break;
    case PL_OP_BUCKET_CREATE: g->op.in.bucket_create.location = text_of(in, "location"); break;
    case PL_OP_PRESIGN:
        g->op.in.presign.method = text_of(in, "method");
        g->op.in.presign.expires_s = (uint32_t)number_of(in, "expires_s");
        g->op.in.presign.content_type = text_of(in, "content_type");
        g->op.in.presign.response_content_type = text_of(in, "response_content_type");
        g->op.in.presign.response_content_disposition = text_of(in, "response_content_disposition");
        break;
    default: break;
    }
}

typedef pail_code (*open_fn)(const struct pl_provider_env *, struct pl_dialect **,
                             struct pail_error **);

/* By the folder's name, with the keys that a case has unless it says otherwise. */
static const struct {
    const char *folder;
    open_fn open;
    const char *keys[2][2];
} dialects[] = {
#ifdef PL_WITH_AZURE
    {"/golden/azure/",
     pl_azure_dialect_new,
     {{"azure_storage_account_name", "acct"},
      {"azure_storage_account_key", "BD5CY5BSgCGlrmfGIakIy60PnLPPznDqU18tS3Xhq7s="}}},
#endif
#ifdef PL_WITH_S3
    {"/golden/s3/",
     pl_s3_dialect_new,
     {{"aws_access_key_id", "AKIDEXAMPLE"},
      {"aws_secret_access_key", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}}},
#endif
#ifdef PL_WITH_GCS
    {"/golden/gcs/", pl_gcs_dialect_new, {{NULL}}},
#endif
#ifdef PL_WITH_SWIFT
    {"/golden/swift/", pl_swift_dialect_new, {{NULL}}},
#endif
};

static bool open_dialect(struct golden *g, struct pail_error **err)
{
    struct pl_provider_env env = {.settings = &g->settings, .ignore_environment = true};
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++) {
        if (!strstr(g->folder, dialects[i].folder)) {
            continue;
        }
        bool keys = !json_is_true(json_object_get(g->spec, "no_keys"));
        for (int k = 0; keys && k < 2 && dialects[i].keys[k][0]; k++) {
            g->failed |= pl_settings_default(&g->settings, dialects[i].keys[k][0],
                                             dialects[i].keys[k][1], "test") != PAIL_OK;
        }
        return !g->failed && dialects[i].open(&env, &g->dialect, err) == PAIL_OK;
    }
    return false;
}

static bool open_case(struct golden *g)
{
    char path[2048];
    json_error_t why;
    const char *name;
    json_t *value;
    struct pail_error *err = NULL;
    path_of(g, path, sizeof path, "op.json", 1);
    g->spec = json_load_file(path, 0, &why);
    if (!g->spec) {
        complain(g, path, why.text, "JSON");
        return false;
    }
    json_object_foreach(json_object_get(g->spec, "settings"), name, value)
    {
        if (pl_settings_set(&g->settings, name, json_string_value(value), "option", &err)) {
            complain(g, name, pail_error_message(err), "a setting");
        }
    }
    if (!g->failed && !open_dialect(g, &err)) {
        complain(g, "opening", pail_error_message(err), "");
    }
    pail_error_free(err);
    return !g->failed;
}

static void fill_op(struct golden *g)
{
    const json_t *o = g->spec;
    struct pl_op *op = &g->op;
    const char *time = text_of(o, "time");
    op->kind = kind_of(text_of(o, "operation"));
    op->bucket = text_of(o, "bucket");
    op->key = text_of(o, "key");
    op->version = text_of(o, "version");
    op->request_payer = text_of(o, "request_payer");
    op->headers = kv_of(g, json_object_get(o, "headers"), &op->header_count);
    op->cond = cond_of(json_object_get(o, "cond"));
    op->attr = attributes_of(g, json_object_get(o, "attr"));
    op->encryption = encryption_of(g, json_object_get(o, "encryption"));
    fill_in(g, json_object_get(o, "in"));
    if (!pl_date_basic_parse(pl_str_c(time ? time : "20150830T123600Z"), &g->attempt.now_ms)) {
        complain(g, "time", time, "20150830T123600Z");
    }
    if (op->kind == PL_OP_KIND_COUNT) {
        complain(g, "operation", text_of(o, "operation"), "a name of op.c");
    }
}

/* ---- Requests */

static void check_request(struct golden *g, struct pl_http_request *r, const char *name, int round)
{
    struct pl_buf text = PL_BUF_MAX(1 << 20);
    pl_buf_printf(&text, "%s %s HTTP/1.1\nhost: %s\n", r->method, r->target, pl_http_host(r));
    if (r->origin.tls) {
        pl_buf_puts(&text, "# over TLS\n");
    }
    for (size_t i = 0; i < r->header_count; i++) {
        pl_buf_str(&text, r->headers[i].name);
        pl_buf_puts(&text, ": ");
        pl_buf_str(&text, r->headers[i].value);
        pl_buf_putc(&text, '\n');
    }
    pl_buf_putc(&text, '\n');
    if (r->body) {
        pl_buf_add(&text, r->body->ptr, (size_t)r->body->len);
    }
    check_file(g, name, round, text.ptr, text.len);
    pl_buf_dispose(&text);
}

/* ---- Answers */

struct answer {
    char *text;
    size_t len;
    struct pl_http_response r;
    struct pl_sum_value sum;
};

static bool read_answer(struct golden *g, struct answer *a, const char *name, int round)
{
    char path[2048];
    path_of(g, path, sizeof path, name, round);
    a->text = read_file(path, &a->len);
    if (!a->text) {
        return false;
    }
    pl_http_response_clear(&a->r);
    struct pl_str rest = pl_str_n(a->text, a->len);
    for (bool ended = false; !ended && rest.len;) {
        struct pl_str text = pl_str_split(&rest, '\n');
        struct pl_buf line = PL_BUF_MAX(64 * 1024);
        pl_buf_str(&line, text);
        pl_buf_puts(&line, "\r\n");
        ended = pl_http_response_line(&a->r, pl_buf_view(&line));
        pl_buf_dispose(&line);
    }
    if (!a->r.head_done || a->r.fail) {
        complain(g, path, a->r.why, "a head");
        return false;
    }
    a->r.body = PL_BUF_MAX(1 << 20);
    pl_buf_str(&a->r.body, rest.ptr ? rest : PL_STR(""));
    a->r.body_bytes = rest.len;
    return true;
}

static void use_answer(struct golden *g, struct answer *a, struct pl_verdict *v,
                       struct pail_error **err)
{
    if (g->op.kind == PL_OP_GET && a->r.status / 100 == 2) {
        g->dialect->ops->head(g->dialect, &g->op, &g->attempt, &a->r);
        if (g->attempt.sum &&
            !pl_sum_of((enum pl_sum)g->attempt.sum, a->r.body.ptr, a->r.body.len, &a->sum, NULL)) {
            g->attempt.sum_value = &a->sum;
        }
    }
    g->dialect->ops->parse(g->dialect, &g->op, &g->attempt, &a->r, v, err);
}

/* ---- Results */

static void put_text(json_t *o, const char *name, const char *value)
{
    if (value && *value) {
        json_object_set_new(o, name, json_string(value));
    }
}

static void put_number(json_t *o, const char *name, uint64_t value)
{
    if (value) {
        json_object_set_new(o, name, json_integer((json_int_t)value));
    }
}

static void put_kv(json_t *o, const char *name, const pail_kv *kv, size_t count)
{
    json_t *all = json_object();
    for (size_t i = 0; i < count; i++) {
        json_object_set_new(all, kv[i].name, json_string(kv[i].value));
    }
    if (count) {
        json_object_set(o, name, all);
    }
    json_decref(all);
}

static json_t *info_json(const pail_info *i)
{
    json_t *o = json_object();
    put_text(o, "key", i->key);
    put_number(o, "size", i->size);
    if (i->mtime_ms > 0) {
        put_number(o, "mtime_ms", (uint64_t)i->mtime_ms);
    }
    put_text(o, "etag", i->etag);
    put_text(o, "version", i->version);
    put_text(o, "content_type", i->content_type);
    put_text(o, "content_encoding", i->content_encoding);
    put_text(o, "content_language", i->content_language);
    put_text(o, "content_disposition", i->content_disposition);
    put_text(o, "cache_control", i->cache_control);
    put_text(o, "storage_class", i->storage_class);
    put_text(o, "checksum", i->checksum);
    put_text(o, "upload_id", i->upload_id);
    put_text(o, "encryption", i->encryption);
    put_kv(o, "metadata", i->metadata, i->metadata_count);
    put_kv(o, "tags", i->tags, i->tag_count);
    put_number(o, "is_prefix", i->is_prefix);
    put_number(o, "is_latest", i->is_latest);
    put_number(o, "is_delete_marker", i->is_delete_marker);
    return o;
}

static json_t *error_json(const struct pail_error *e)
{
    json_t *o = json_object();
    put_text(o, "code", pail_code_name(pail_error_code(e)));
    put_text(o, "message", pail_error_message(e));
    put_text(o, "hint", pail_error_hint(e));
    put_text(o, "service_code", pail_error_service_code(e));
    put_text(o, "request_id", pail_error_request_id(e));
    put_number(o, "http_status", (uint64_t)pail_error_http_status(e));
    return o;
}

static json_t *done_json(const struct pl_op *op)
{
    json_t *o = json_object();
    json_object_set_new(o, "info", info_json(&op->out.info));
    put_text(o, "upload_id", op->out.upload_id);
    put_text(o, "etag", op->out.etag);
    put_text(o, "next_token", op->out.next_token);
    put_text(o, "sum",
             op->out.sum.algorithm ? pl_sum_name((enum pl_sum)op->out.sum.algorithm) : "");
    put_number(o, "sum_value", op->out.sum.value);
    put_text(o, "url", op->out.presigned.url);
    put_kv(o, "headers", op->out.presigned.headers, op->out.presigned.header_count);
    if (op->out.item_count) {
        json_t *items = json_array();
        for (size_t i = 0; i < op->out.item_count; i++) {
            json_array_append_new(items, info_json(&op->out.items[i]));
        }
        json_object_set_new(o, "items", items);
    }
    if (op->out.error_count) {
        json_t *errors = json_array();
        for (size_t i = 0; i < op->out.error_count; i++) {
            json_array_append_new(errors,
                                  op->out.errors[i] ? error_json(op->out.errors[i]) : json_null());
        }
        json_object_set_new(o, "errors", errors);
    }
    return o;
}

static json_t *verdict_json(const struct pl_verdict *v, struct pl_op *op,
                            const struct pail_error *e)
{
    static const char *const nexts[] = {"done",        "fail",  "retry",   "throttled",
                                        "credentials", "clock", "learned", "more"};
    json_t *o = v->next == PL_NEXT_DONE ? done_json(op) : error_json(e);
    put_text(o, "next", nexts[v->next]);
    put_number(o, "learned", v->learned);
    put_number(o, "wait_ms", (uint64_t)v->wait_ms);
    if (v->next != PL_NEXT_DONE) {
        put_text(o, "code", pail_code_name(v->code));
        put_number(o, "never_applied", v->never_applied);
    }
    return o;
}

static void check_results(struct golden *g, json_t *results)
{
    char *text = json_dumps(results, JSON_INDENT(2) | JSON_SORT_KEYS);
    char *line = calloc(1, strlen(text) + 2);
    strcat(strcat(line, text), "\n");
    check_file(g, "result.json", 1, line, strlen(line));
    free(line);
    free(text);
}

/* One errand to its end. */
static pail_code run_errand(struct golden *g, uint64_t what, struct pail_error **err)
{
    struct pl_errand *e = g->dialect->ops->errand(g->dialect, &g->op, what, err);
    struct answer a = {0};
    enum pl_errand_step step = PL_ERRAND_SEND;
    for (bool first = true; e && step == PL_ERRAND_SEND && !g->failed; first = false) {
        struct pl_http_request r = {0};
        step = e->next(e, g->attempt.now_ms, first ? NULL : &a.r, &r, err);
        pl_http_response_dispose(&a.r);
        free(a.text);
        a = (struct answer){0};
        if (step == PL_ERRAND_SEND) {
            check_request(g, &r, "errand.http", ++g->errands);
            g->failed |= !read_answer(g, &a, "errand-response.http", g->errands);
        }
        pl_http_request_dispose(&r);
    }
    pl_http_response_dispose(&a.r);
    free(a.text);
    if (e) {
        e->free(e);
    }
    return step == PL_ERRAND_DONE ? PAIL_OK : *err ? (*err)->code : PAIL_E_INTERNAL;
}

static pail_code run_errands(struct golden *g, struct pail_error **err)
{
    pail_code rc = PAIL_OK;
    for (int i = 0; i < 8 && !rc && json_is_true(json_object_get(g->spec, "errands")); i++) {
        struct pl_need need = {0};
        g->dialect->ops->need(g->dialect, &g->op, g->attempt.now_ms, &need);
        if (!need.what) {
            break;
        }
        rc = run_errand(g, need.what, err);
    }
    return rc;
}

static void run_rounds(struct golden *g)
{
    json_t *results = json_array();
    bool again = true;
    for (int round = 1; again && !g->failed; round++) {
        struct pl_http_request r = {0};
        struct answer a = {0};
        struct pl_verdict v = {0};
        struct pail_error *err = NULL;
        again = false;
        g->attempt.number = round;
        const struct pl_dialect_ops *ops = g->dialect->ops;
        bool checks = ops->check_key && g->op.key;
        pail_code rc = checks ? ops->check_key(g->dialect, g->op.key, &err) : PAIL_OK;
        rc = rc ? rc : run_errands(g, &err);
        if (!rc) {
            rc = g->op.kind == PL_OP_PRESIGN
                     ? ops->presign(g->dialect, &g->op, &g->attempt, &err)
                     : ops->build(g->dialect, &g->op, &g->attempt, &r, &err);
        }
        if (rc) {
            json_array_append_new(results, error_json(err));
        } else if (g->op.kind == PL_OP_PRESIGN || !r.method) {
            json_array_append_new(results, done_json(&g->op));
        } else {
            check_request(g, &r, "request.http", round);
            if (read_answer(g, &a, "response.http", round)) {
                use_answer(g, &a, &v, &err);
                json_array_append_new(results, verdict_json(&v, &g->op, err));
                again = v.next == PL_NEXT_LEARNED || v.next == PL_NEXT_MORE;
            }
        }
        pail_error_free(err);
        pl_http_response_dispose(&a.r);
        free(a.text);
        pl_http_request_dispose(&r);
    }
    check_results(g, results);
    json_decref(results);
}

static const char *current;
static void run_case(void)
{
    struct golden g = {.folder = current};
    if (open_case(&g)) {
        pthread_mutex_init(&g.dialect->lock, NULL);
        fill_op(&g);
        if (!g.failed) {
            run_rounds(&g);
        }
        pthread_mutex_destroy(&g.dialect->lock);
        g.dialect->ops->free(g.dialect);
    }
    free(g.body_text);
    pl_op_dispose(&g.op);
    pl_settings_dispose(&g.settings);
    json_decref(g.spec);
}

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static void run_folder(const char *folder, int depth)
{
    struct dirent **names = NULL;
    int n = scandir(folder, &names, visible, alphasort);
    for (int i = 0; i < n; i++) {
        char path[1024], spec[1100];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        snprintf(spec, sizeof spec, "%s/op.json", path);
        if (stat(spec, &st) == 0) {
            current = path;
            test_run(path, run_case);
        } else if (depth < 2 && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            run_folder(path, depth + 1);
        }
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    writing = argc > 2 && strcmp(argv[1], "--write") == 0;
    if (argc < 2) {
        return 2;
    }
    run_folder(argv[argc - 1], 0);
    CHECK(test_number > 0);
    return test_end() || test_failed;
}
