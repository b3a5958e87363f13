/* From an answer to what the operation asked for. */
#include "codec/hex.h"
#include "codec/url.h"
#include "provider/swift.h"

static struct pl_str unquoted(struct pl_str etag)
{
    if (etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"') {
        return pl_str_n(etag.ptr + 1, etag.len - 2);
    }
    return etag;
}

static const char *keep(struct pl_arena *arena, struct pl_str text)
{
    return text.len ? pl_arena_dup(arena, text) : NULL;
}

#define META "x-object-meta-"

static bool is_meta(struct pl_str name)
{
    struct pl_str start = PL_STR(META);
    return name.len > start.len && pl_str_ieq(pl_str_n(name.ptr, start.len), start);
}

static void read_metadata(struct pl_arena *arena, const struct pl_http_response *r, pail_info *info)
{
    size_t count = 0, n = 0, skip = sizeof META - 1;
    for (size_t i = 0; i < r->header_count; i++) {
        count += is_meta(r->headers[i].name);
    }
    pail_kv *kv = count ? pl_arena_alloc(arena, count * sizeof *kv) : NULL;
    for (size_t i = 0; kv && i < r->header_count; i++) {
        struct pl_str name = r->headers[i].name;
        if (!is_meta(name)) {
            continue;
        }
        char *key = pl_arena_dup(arena, pl_str_n(name.ptr + skip, name.len - skip));
        for (char *c = key; c && *c; c++) {
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
        }
        kv[n].name = key;
        kv[n++].value = pl_arena_dup(arena, r->headers[i].value);
    }
    info->metadata = kv;
    info->metadata_count = n;
}

/* Whether the answer is the object from its first byte to its last. */
static bool is_whole(const struct pl_http_response *r, uint64_t *size)
{
    uint64_t first, last;
    if (r->status == 206 && pl_http_content_range(r, &first, &last, size)) {
        return first == 0 && *size != UINT64_MAX && last + 1 == *size;
    }
    *size = r->has_length ? r->content_length : r->body_bytes;
    return true;
}

/* SPEC Object Storage API "Get object content and metadata": the ETag of a large object is not the
 * MD5 of its bytes. */
static bool is_md5(const struct pl_http_response *r, struct pl_sum_value *out)
{
    bool large = false;
    *out = (struct pl_sum_value){.len = 16};
    if (pl_str_bool(pl_http_header(r, "x-static-large-object"), &large) && large) {
        return false;
    }
    struct pl_str etag = unquoted(pl_http_header(r, "etag"));
    return !pl_http_header(r, "x-object-manifest").len && etag.len == 2 * out->len &&
           pl_hex_decode(out->bytes, out->len, etag);
}

static void set_md5(struct pl_arena *arena, pail_info *info, const char *base64)
{
    struct pl_buf text = PL_BUF_MAX(128);
    pl_buf_printf(&text, "md5:%s", base64);
    info->checksum = pl_buf_rc(&text) ? NULL : pl_arena_dup(arena, pl_buf_view(&text));
    pl_buf_dispose(&text);
}

static void read_info(const struct pl_swift_answer *x)
{
    struct pl_arena *arena = &x->op->arena;
    const struct pl_http_response *r = x->r;
    pail_info *info = &x->op->out.info;
    struct pl_sum_value md5;
    char text[PL_SUM_BASE64_MAX];
    const struct {
        const char *name, **to;
    } headers[] = {{"content-type", &info->content_type},
                   {"content-encoding", &info->content_encoding},
                   {"content-language", &info->content_language},
                   {"content-disposition", &info->content_disposition},
                   {"cache-control", &info->cache_control}};
    *info = (pail_info){.key = pl_arena_dup_c(arena, x->op->key)};
    (void)is_whole(r, &info->size);
    info->size = info->size == UINT64_MAX ? 0 : info->size;
    info->mtime_ms = pl_http_header_date(r, "last-modified");
    info->etag = keep(arena, unquoted(pl_http_header(r, "etag")));
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        *headers[i].to = keep(arena, pl_http_header(r, headers[i].name));
    }
    read_metadata(arena, r, info);
    if (is_md5(r, &md5)) {
        set_md5(arena, info, pl_sum_base64(&md5, text));
    }
    info->is_latest = true;
}

void pl_swift_head(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                   const struct pl_http_response *r)
{
    const struct pl_swift *s = (const struct pl_swift *)d;
    struct pl_swift_memo *memo = a->memo;
    struct pl_sum_value md5, any;
    uint64_t size;
    (void)op;
    if (s->verify && memo && memo->stage != PL_SWIFT_COMPARE && is_whole(r, &size) &&
        is_md5(r, &md5) &&
        !pl_sum_of(PL_SUM_MD5, "", 0, &any, NULL)) { /* a FIPS provider has no MD5 */
        (void)pl_sum_base64(&md5, memo->expected);
        a->sum = PL_SUM_MD5;
    }
}

static void parse_get(const struct pl_swift_answer *x)
{
    char got[PL_SUM_BASE64_MAX];
    read_info(x);
    if (!x->memo->expected[0]) {
        return;
    }
    set_md5(&x->op->arena, &x->op->out.info, x->memo->expected);
    if (x->a->sum_value && x->a->sum == PL_SUM_MD5 &&
        strcmp(x->memo->expected, pl_sum_base64(x->a->sum_value, got)) != 0) {
        *x->out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = PAIL_E_CHECKSUM};
        pl_fail(x->err, PAIL_E_CHECKSUM, "the bytes received have md5 %s, the service says %s", got,
                x->memo->expected);
    }
}

void pl_swift_read_written(const struct pl_swift_answer *x)
{
    struct pl_arena *arena = &x->op->arena;
    pail_info *info = &x->op->out.info;
    *info = (pail_info){.key = pl_arena_dup_c(arena, x->op->key)};
    info->mtime_ms = pl_http_header_date(x->r, "last-modified");
    info->etag = keep(arena, unquoted(pl_http_header(x->r, "etag")));
}

void pl_swift_garbled(const struct pl_swift_answer *x, const char *what)
{
    *x->out = (struct pl_verdict){.next = PL_NEXT_RETRY, .code = PAIL_E_PROTOCOL};
    pl_fail(x->err, PAIL_E_PROTOCOL, "the service answered HTTP %d, but its body is no %s",
            x->r->status, what);
}

/* The service keeps what it received; its MD5 tells whether that is what was sent. */
static bool is_as_sent(const struct pl_swift_answer *x)
{
    struct pl_str etag = unquoted(pl_http_header(x->r, "etag"));
    if (!x->memo->md5[0] || !etag.len || pl_str_ieq(etag, pl_str_c(x->memo->md5))) {
        return true;
    }
    *x->out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = PAIL_E_CHECKSUM};
    pl_fail(x->err, PAIL_E_CHECKSUM, "the service stored bytes with md5 %.*s, sent were %s",
            (int)(etag.len < 40 ? etag.len : 40), etag.ptr, x->memo->md5);
    return false;
}

static void parse_put(const struct pl_swift_answer *x)
{
    struct pl_sum_value md5 = {.len = 16};
    char text[PL_SUM_BASE64_MAX];
    pl_swift_read_written(x);
    x->op->out.info.size = x->op->in.put.source ? x->op->in.put.source->len : 0;
    if (!is_as_sent(x)) {
        return;
    }
    if (x->memo->md5[0] && pl_hex_decode(md5.bytes, md5.len, pl_str_c(x->memo->md5))) {
        set_md5(&x->op->arena, &x->op->out.info, pl_sum_base64(&md5, text));
    }
    pl_swift_then_clean(x);
}

static void parse_part(const struct pl_swift_answer *x)
{
    struct pl_str etag = unquoted(pl_http_header(x->r, "etag"));
    if (!is_as_sent(x)) {
        return;
    }
    x->op->out.etag = keep(&x->op->arena, etag);
    if (!x->op->out.etag) {
        *x->out = (struct pl_verdict){.next = PL_NEXT_RETRY, .code = PAIL_E_PROTOCOL};
        pl_fail(x->err, PAIL_E_PROTOCOL, "the service took a part but gave no ETag for it");
    }
}

static void parse_begin(const struct pl_swift_answer *x)
{
    if (x->memo->stage == PL_SWIFT_MAKE) {
        pthread_mutex_lock(&x->s->dialect.lock);
        struct pl_swift_bucket *b = pl_swift_bucket_locked(x->s, x->op->bucket);
        if (b) {
            b->segments = true;
        }
        pthread_mutex_unlock(&x->s->dialect.lock);
        x->memo->made = true;
        x->memo->stage = PL_SWIFT_MAIN;
        x->out->next = PL_NEXT_MORE;
        return;
    }
    x->op->out.upload_id = pl_arena_dup_c(&x->op->arena, x->memo->upload_id);
}

/* A service without static large objects would have stored the manifest itself as the object. */
static void parse_finish(const struct pl_swift_answer *x)
{
    char want[33];
    struct pl_str etag = unquoted(pl_http_header(x->r, "etag"));
    pl_swift_read_written(x);
    x->op->out.info.size = x->op->in.mp.size;
    if (etag.len && pl_swift_manifest_etag(x->op->in.mp.parts, x->op->in.mp.count, want) &&
        !pl_str_ieq(etag, pl_str_c(want))) {
        *x->out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = PAIL_E_CHECKSUM};
        pl_fail(x->err, PAIL_E_CHECKSUM,
                "the object made of the parts has another ETag than they give");
        pl_error_hint(x->err, "does this Swift have static large objects (slo in /info)?");
        return;
    }
    pl_swift_then_clean(x);
}

static void forget_bucket(const struct pl_swift_answer *x)
{
    pthread_mutex_lock(&x->s->dialect.lock);
    struct pl_swift_bucket *b = pl_swift_bucket_locked(x->s, x->op->bucket);
    if (b) {
        b->known = b->unsure = b->exists = b->segments = b->others = b->key_hidden = false;
        b->key_until_ms = 0;
        pl_free_secret(b->tempurl_key);
        b->tempurl_key = NULL;
    }
    pthread_mutex_unlock(&x->s->dialect.lock);
}

/* SPEC Object Storage API "Create container": 202 says that it was there before. */
static void parse_create(const struct pl_swift_answer *x)
{
    forget_bucket(x);
    pl_swift_read_written(x);
    if (x->r->status == 202) {
        *x->out = (struct pl_verdict){
            .next = PL_NEXT_FAIL, .code = PAIL_E_BUCKET_EXISTS, .never_applied = true};
        pl_fail(x->err, PAIL_E_BUCKET_EXISTS, "the container exists already");
    }
}

/* The container of segments goes with its bucket, unless something is left in it. */
static void parse_bucket_delete(const struct pl_swift_answer *x)
{
    pl_swift_read_written(x);
    if (x->memo->stage != PL_SWIFT_LAST) {
        forget_bucket(x);
        x->memo->stage = PL_SWIFT_LAST;
        x->out->next = PL_NEXT_MORE;
    }
}

/* Reads whose If-Match did not hold. Of a copy that the service made of a static large object it
 * tells the ETag of the bytes, and holds conditions against that of the manifest which it was made
 * of (seen 2026-11 with 2.38). So what is there is looked at, and where it has the ETag that is
 * asked for, its bytes are asked for without the condition and judged by the ETag that they came
 * with. */
static const char *asked_etag(const struct pl_swift_answer *x)
{
    return x->op->kind == PL_OP_GET    ? x->a->if_match
           : x->op->kind == PL_OP_STAT ? x->op->cond.if_match
                                       : NULL;
}

static bool compares(const struct pl_swift_answer *x)
{
    return x->memo->stage == PL_SWIFT_MAIN && x->r->status == 412 && asked_etag(x) &&
           !x->memo->by_etag;
}

static bool is_the_asked(const struct pl_swift_answer *x)
{
    pail_conditions cond = {.if_match = asked_etag(x)};
    return pl_conditions_check(&cond, &x->op->out.info, false) == PAIL_OK;
}

static void refuse_other(const struct pl_swift_answer *x)
{
    *x->out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = PAIL_E_PRECONDITION};
    pl_fail(x->err, PAIL_E_PRECONDITION, "the object has another ETag than the one asked for");
}

static void parse_compare(const struct pl_swift_answer *x)
{
    read_info(x);
    if (!is_the_asked(x)) {
        refuse_other(x);
    } else if (x->op->kind == PL_OP_GET) {
        x->memo->by_etag = true;
        x->memo->stage = PL_SWIFT_MAIN;
        x->out->next = PL_NEXT_MORE;
    }
}

static void parse_main(const struct pl_swift_answer *x)
{
    switch (x->op->kind) {
    case PL_OP_STAT: read_info(x); break;
    case PL_OP_GET:
        parse_get(x);
        if (x->memo->by_etag && x->out->next == PL_NEXT_DONE && !is_the_asked(x)) {
            refuse_other(x);
        }
        break;
    case PL_OP_PUT: parse_put(x); break;
    case PL_OP_DELETE:
    case PL_OP_COPY:
        pl_swift_read_written(x);
        pl_swift_then_clean(x);
        break;
    case PL_OP_BUCKET_STAT: pl_swift_read_written(x); break;
    case PL_OP_DELETE_MANY:
        pl_swift_parse_bulk(x);
        pl_swift_many_keep_parts(x);
        pl_swift_then_clean(x);
        break;
    case PL_OP_LIST:
    case PL_OP_MP_LIST:
    case PL_OP_BUCKET_LIST: pl_swift_parse_list(x); break;
    case PL_OP_MP_BEGIN: parse_begin(x); break;
    case PL_OP_MP_PART:
    case PL_OP_MP_COPY_PART: parse_part(x); break;
    case PL_OP_MP_FINISH: parse_finish(x); break;
    case PL_OP_BUCKET_CREATE: parse_create(x); break;
    case PL_OP_BUCKET_DELETE: parse_bucket_delete(x); break;
    case PL_OP_MP_ABORT:
    case PL_OP_TAGS_GET:
    case PL_OP_TAGS_SET:
    case PL_OP_PRESIGN:
    case PL_OP_KIND_COUNT: break;
    }
}

/* What is as good as a success. */
static bool is_fine(const struct pl_swift_answer *x)
{
    int status = x->r->status;
    if (status / 100 == 2) {
        return true;
    }
    switch ((int)x->op->kind) {
    case PL_OP_BUCKET_DELETE: return x->memo->stage == PL_SWIFT_LAST && status != 401;
    case PL_OP_MP_LIST: return status == 404 && x->memo->stage == PL_SWIFT_MAIN;
    default: return false;
    }
}

static void parse_stage(const struct pl_swift_answer *x)
{
    switch (x->memo->stage) {
    case PL_SWIFT_LOOK: pl_swift_parse_look(x); return;
    case PL_SWIFT_PARTS:
    case PL_SWIFT_SCAN: pl_swift_parse_parts(x); return;
    case PL_SWIFT_CLEAN: pl_swift_parse_clean(x); return;
    case PL_SWIFT_SURVEY:
    case PL_SWIFT_SURVEY_PARTS:
    case PL_SWIFT_EACH: pl_swift_parse_many(x); return;
    case PL_SWIFT_TRY:
        if (x->r->status == 412) { /* there is something: what is it? */
            x->memo->stage = PL_SWIFT_LOOK;
            x->out->next = PL_NEXT_MORE;
            return;
        }
        break;
    case PL_SWIFT_COMPARE:
        if (is_fine(x)) {
            parse_compare(x);
            return;
        }
        break;
    case PL_SWIFT_FIRST:
    case PL_SWIFT_MAKE:
    case PL_SWIFT_MAIN:
    case PL_SWIFT_LAST: break;
    }
    if (compares(x)) {
        x->memo->stage = PL_SWIFT_COMPARE;
        x->out->next = PL_NEXT_MORE;
    } else if (!is_fine(x)) {
        pl_swift_parse_error(x);
    } else {
        parse_main(x);
    }
}

void pl_swift_parse(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                    const struct pl_http_response *r, struct pl_verdict *out,
                    struct pail_error **err)
{
    struct pl_swift_answer x = {.s = (struct pl_swift *)d,
                                .op = op,
                                .a = a,
                                .memo = a->memo,
                                .r = r,
                                .out = out,
                                .err = err};
    *out = (struct pl_verdict){.next = PL_NEXT_DONE};
    parse_stage(&x);
    if (out->next == PL_NEXT_DONE && op->bucket && op->kind != PL_OP_BUCKET_DELETE &&
        op->kind != PL_OP_MP_LIST) {
        pl_swift_saw(x.s, op->bucket);
    }
    if (out->next == PL_NEXT_DONE && op->arena.failed) {
        *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = PAIL_E_NO_MEMORY};
        pl_fail(err, PAIL_E_NO_MEMORY, "no memory for the answer");
    }
}
