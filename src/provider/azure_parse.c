/* From an answer to what the operation asked for. */
#include "codec/date.h"
#include "codec/encoded_word.h"
#include "codec/xml.h"
#include "provider/azure.h"

enum { TAGS_MAX = 64, TEXT_MAX = 64 * 1024 };

static const char *keep(struct pl_arena *arena, struct pl_str text)
{
    return text.len ? pl_arena_dup(arena, text) : NULL;
}

static struct pl_str unquoted(struct pl_str etag)
{
    bool quoted = etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"';
    return quoted ? pl_str_n(etag.ptr + 1, etag.len - 2) : etag;
}

#define META "x-ms-meta-"

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
        if (key) {
            pl_azure_metadata_name_decode(key);
        }
        kv[n].name = key;
        kv[n++].value = pl_encoded_word_read(arena, r->headers[i].value);
    }
    info->metadata = kv;
    info->metadata_count = n;
}

/* Whether the answer is the blob from its first byte to its last. */
static bool is_whole(const struct pl_http_response *r, uint64_t *size)
{
    uint64_t first, last;
    if (r->status == 206 && pl_http_content_range(r, &first, &last, size)) {
        return first == 0 && *size != UINT64_MAX && last + 1 == *size;
    }
    *size = r->has_length ? r->content_length : r->body_bytes;
    return true;
}

static void set_md5(struct pl_arena *arena, pail_info *info, struct pl_str md5)
{
    struct pl_buf text = PL_BUF_MAX(256);
    pl_buf_puts(&text, "md5:");
    pl_buf_str(&text, md5);
    info->checksum = pl_buf_rc(&text) ? NULL : pl_arena_dup(arena, pl_buf_view(&text));
    pl_buf_dispose(&text);
}

/* SPEC "Get Blob": of a range, x-ms-blob-content-md5 is that of the whole; Content-MD5 may not be
 * there. */
static struct pl_str whole_md5(const struct pl_http_response *r)
{
    struct pl_str of_blob = pl_http_header(r, "x-ms-blob-content-md5");
    return of_blob.len || r->status == 206 ? of_blob : pl_http_header(r, "content-md5");
}

static const char *version_of(struct pl_op *op, const struct pl_http_response *r)
{
    return keep(&op->arena, pl_http_header(r, "x-ms-version-id"));
}

static void read_info(struct pl_op *op, const struct pl_http_response *r)
{
    struct pl_arena *arena = &op->arena;
    pail_info *info = &op->out.info;
    const struct {
        const char *name, **to;
    } headers[] = {{"content-type", &info->content_type},
                   {"content-encoding", &info->content_encoding},
                   {"content-language", &info->content_language},
                   {"content-disposition", &info->content_disposition},
                   {"cache-control", &info->cache_control},
                   {"x-ms-access-tier", &info->storage_class}};
    *info = (pail_info){.key = pl_arena_dup_c(arena, op->key)};
    (void)is_whole(r, &info->size);
    info->size = info->size == UINT64_MAX ? 0 : info->size;
    info->mtime_ms = pl_http_header_date(r, "last-modified");
    info->etag = keep(arena, unquoted(pl_http_header(r, "etag")));
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        *headers[i].to = keep(arena, pl_http_header(r, headers[i].name));
    }
    info->version = op->version ? pl_arena_dup_c(arena, op->version) : version_of(op, r);
    if (pl_http_header(r, "x-ms-encryption-key-sha256").len) {
        info->encryption = "customer";
    }
    read_metadata(arena, r, info);
    if (whole_md5(r).len) {
        set_md5(arena, info, whole_md5(r));
    }
    info->is_latest = !op->version;
}

void pl_azure_head(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                   const struct pl_http_response *r)
{
    const struct pl_azure *az = (const struct pl_azure *)d;
    struct pl_azure_memo *memo = a->memo;
    struct pl_str md5 = whole_md5(r);
    uint64_t size;
    (void)op;
    if (!az->verify || !memo) {
        return;
    }
    struct pl_str crc = pl_http_header(r, "x-ms-content-crc64");
    if (is_whole(r, &size) && md5.len && md5.len < sizeof memo->expected_md5) {
        memcpy(memo->expected_md5, md5.ptr, md5.len);
        a->sum = PL_SUM_MD5;
        return;
    }
    if (memo->asks_crc && crc.len && crc.len < sizeof memo->expected_crc) {
        memcpy(memo->expected_crc, crc.ptr, crc.len);
    }
    a->sum = PL_SUM_CRC64NVME; /* also of ranges without: whoever reads all joins theirs */
}

/* The size is known now: asks for the last bytes of what was looked at. */
static void parse_size(struct pl_op *op, struct pl_attempt *a, const struct pl_http_response *r,
                       struct pl_verdict *out, struct pail_error **err)
{
    uint64_t size = r->has_length ? r->content_length : 0, offset, length;
    pail_code rc = pl_range_resolve(&a->range, size, &offset, &length);
    if (rc) {
        *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = rc};
        pl_fail(err, rc, "the range is not in the object, which has %llu bytes",
                (unsigned long long)size);
        return;
    }
    a->range = (struct pl_range){PL_RANGE_SPAN, offset, length};
    a->if_match = keep(&op->arena, unquoted(pl_http_header(r, "etag")));
    *out = (struct pl_verdict){.next = PL_NEXT_MORE};
}

static void check_sum(const char *want, const char *got, const char *kind, struct pl_verdict *out,
                      struct pail_error **err)
{
    if (strcmp(want, got) != 0) {
        *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = PAIL_E_CHECKSUM};
        pl_fail(err, PAIL_E_CHECKSUM, "the bytes received have %s %s, the service says %s", kind,
                got, want);
    }
}

static void parse_get(struct pl_op *op, struct pl_attempt *a, const struct pl_http_response *r,
                      struct pl_verdict *out, struct pail_error **err)
{
    const struct pl_azure_memo *memo = a->memo;
    char got[PL_SUM_BASE64_MAX];
    if (a->range.kind == PL_RANGE_SUFFIX) {
        parse_size(op, a, r, out, err);
        return;
    }
    read_info(op, r);
    if (memo && memo->expected_crc[0] && a->sum_value && a->sum == PL_SUM_CRC64NVME) {
        pl_azure_crc_text(a->sum_value, got);
        check_sum(memo->expected_crc, got, "crc64", out, err);
    }
    if (!memo || !memo->expected_md5[0]) {
        return;
    }
    set_md5(&op->arena, &op->out.info, pl_str_c(memo->expected_md5));
    if (a->sum_value && a->sum == PL_SUM_MD5) {
        check_sum(memo->expected_md5, pl_sum_base64(a->sum_value, got), "md5", out, err);
    }
}

/* What a write's headers tell. */
static void read_written(struct pl_op *op, const struct pl_http_response *r)
{
    pail_info *info = &op->out.info;
    *info = (pail_info){.key = pl_arena_dup_c(&op->arena, op->key),
                        .mtime_ms = pl_http_header_date(r, "last-modified")};
    info->etag = keep(&op->arena, unquoted(pl_http_header(r, "etag")));
    info->version = version_of(op, r);
}

/* The service says which checksum it found. */
static bool is_as_sent(const struct pl_azure_memo *memo, const struct pl_http_response *r)
{
    char sent[PL_SUM_BASE64_MAX];
    bool md5 = memo && memo->sum == PL_SUM_MD5;
    struct pl_str found = pl_http_header(r, md5 ? "content-md5" : "x-ms-content-crc64");
    if (!memo || !memo->sum || !found.len) {
        return true;
    }
    if (md5) {
        (void)pl_sum_base64(&memo->sum_value, sent);
    } else {
        pl_azure_crc_text(&memo->sum_value, sent);
    }
    return pl_str_is(found, sent);
}

static void parse_written(struct pl_op *op, struct pl_attempt *a, const struct pl_http_response *r,
                          struct pl_verdict *out, struct pail_error **err)
{
    read_written(op, r);
    if (!is_as_sent(a->memo, r)) {
        *out = (struct pl_verdict){.next = PL_NEXT_RETRY, .code = PAIL_E_CHECKSUM};
        pl_fail(err, PAIL_E_CHECKSUM, "the service received other bytes than were sent");
        return;
    }
    op->out.info.size = op->kind == PL_OP_MP_FINISH ? op->in.mp.size
                        : op->in.put.source         ? op->in.put.source->len
                                                    : 0;
}

struct tags {
    struct pl_op *op;
    struct pl_str key, value;
};

static pail_code close_tag(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    struct tags *t = ctx;
    struct pl_arena *arena = &t->op->arena;
    pail_info *info = &t->op->out.info;
    if (depth == 4 && (pl_str_is(name, "Key") || pl_str_is(name, "Value"))) {
        char *copy = pl_arena_dup(arena, text);
        *(pl_str_is(name, "Key") ? &t->key : &t->value) = pl_str_c(copy);
        return copy ? PAIL_OK : PAIL_E_NO_MEMORY;
    }
    if (depth == 3 && pl_str_is(name, "Tag")) {
        pail_kv *all = pl_arena_alloc(arena, (info->tag_count + 1) * sizeof *all);
        if (!all || info->tag_count == TAGS_MAX) {
            return all ? PAIL_E_PROTOCOL : PAIL_E_NO_MEMORY;
        }
        if (info->tag_count) {
            memcpy(all, info->tags, info->tag_count * sizeof *all);
        }
        all[info->tag_count++] =
            (pail_kv){t->key.ptr ? t->key.ptr : "", t->value.ptr ? t->value.ptr : ""};
        info->tags = all;
        t->key = t->value = (struct pl_str){0};
    }
    return PAIL_OK;
}

static void parse_tags(struct pl_op *op, const struct pl_http_response *r, struct pl_verdict *out,
                       struct pail_error **err)
{
    static const struct pl_xml_events events = {.close = close_tag};
    struct tags t = {.op = op};
    struct pl_xml xml = {0};
    read_written(op, r);
    pail_code rc = pl_xml_init(&xml, &events, &t, TEXT_MAX, NULL);
    rc = rc ? rc : pl_xml_feed(&xml, r->body.ptr, r->body.len, NULL);
    rc = rc ? rc : pl_xml_finish(&xml, NULL);
    pl_xml_dispose(&xml);
    if (rc) {
        rc = rc == PAIL_E_NO_MEMORY ? rc : PAIL_E_PROTOCOL;
        *out = (struct pl_verdict){.next = PL_NEXT_RETRY, .code = rc};
        pl_fail(err, rc, "the service's answer is no list of tags");
    }
}

/* The container was looked into before it is deleted. */
static void parse_bucket_delete(struct pl_op *op, struct pl_attempt *a,
                                const struct pl_http_response *r, struct pl_verdict *out,
                                struct pail_error **err)
{
    struct pl_azure_memo *memo = a->memo;
    if (memo->stage) {
        return;
    }
    pl_azure_parse_list(op, r, out, err);
    if (out->next != PL_NEXT_DONE) {
        return;
    }
    if (op->out.item_count || op->out.next_token) {
        *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = PAIL_E_BUCKET_NOT_EMPTY};
        pl_fail(err, PAIL_E_BUCKET_NOT_EMPTY, "the container has blobs in it");
        return;
    }
    memo->stage = 1;
    *out = (struct pl_verdict){.next = PL_NEXT_MORE};
}

static void parse_success(struct pl_op *op, struct pl_attempt *a, const struct pl_http_response *r,
                          struct pl_verdict *out, struct pail_error **err)
{
    switch (op->kind) {
    case PL_OP_STAT: read_info(op, r); break;
    case PL_OP_GET: parse_get(op, a, r, out, err); break;
    case PL_OP_PUT:
    case PL_OP_MP_FINISH: parse_written(op, a, r, out, err); break;
    case PL_OP_MP_PART: {
        const char *id = op->out.etag;
        parse_written(op, a, r, out, err);
        op->out.etag = id;
        break;
    }
    case PL_OP_COPY:
        read_written(op, r);
        pl_azure_parse_copy(op, a, r, out, err);
        break;
    case PL_OP_TAGS_GET: parse_tags(op, r, out, err); break;
    case PL_OP_BUCKET_DELETE: parse_bucket_delete(op, a, r, out, err); break;
    case PL_OP_LIST:
    case PL_OP_MP_LIST:
    case PL_OP_BUCKET_LIST: pl_azure_parse_list(op, r, out, err); break;
    default: read_written(op, r); break;
    }
}

/* A delete of what is not there is a success. */
static bool is_gone(struct pl_op *op, const struct pl_http_response *r)
{
    return op->kind == PL_OP_DELETE && r->status == 404 && !op->cond.if_match &&
           pl_str_is(pl_azure_error_code(&op->arena, r), "BlobNotFound");
}

void pl_azure_parse(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                    const struct pl_http_response *r, struct pl_verdict *out,
                    struct pail_error **err)
{
    *out = (struct pl_verdict){.next = PL_NEXT_DONE};
    if (is_gone(op, r)) {
        read_written(op, r);
        return;
    }
    if (pl_azure_looks_at_blocks(op, a) && r->status < 500) {
        pl_azure_parse_blocks(op, a, r, out, err);
        if (out->next != PL_NEXT_DONE) {
            return;
        }
    }
    if (r->status < 200 || r->status > 299) {
        pl_azure_parse_error((struct pl_azure *)d, op, a, r, out, err);
        return;
    }
    if (op->kind == PL_OP_DELETE_MANY) {
        pl_azure_parse_batch((struct pl_azure *)d, op, a, r, out, err);
    } else {
        parse_success(op, a, r, out, err);
    }
    if (out->next == PL_NEXT_DONE && op->arena.failed) {
        *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = PAIL_E_NO_MEMORY};
        pl_fail(err, PAIL_E_NO_MEMORY, "no memory for the answer");
    }
}
