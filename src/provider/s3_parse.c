/* From an answer to what the operation asked for. A 200 is no success before its body is a
 * well-formed result: copies and completions answer early and may fail later. */
#include "codec/base64.h"
#include "codec/date.h"
#include "codec/encoded_word.h"
#include "codec/hex.h"
#include "codec/url.h"
#include "provider/s3.h"

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

#define META "x-amz-meta-"

static bool is_meta(struct pl_str name)
{
    struct pl_str start = PL_STR(META);
    return name.len > start.len && pl_str_ieq(pl_str_n(name.ptr, start.len), start);
}

static void read_metadata(struct pl_arena *arena, const struct pl_http_response *r, pail_info *info)
{
    size_t count = 0, skip = sizeof META - 1;
    for (size_t i = 0; i < r->header_count; i++) {
        count += is_meta(r->headers[i].name);
    }
    pail_kv *kv = count ? pl_arena_alloc(arena, count * sizeof *kv) : NULL;
    size_t n = 0;
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
        kv[n++].value = pl_encoded_word_read(arena, r->headers[i].value);
    }
    info->metadata = kv;
    info->metadata_count = n;
}

static const enum pl_sum strong_first[] = {PL_SUM_CRC64NVME, PL_SUM_CRC32C, PL_SUM_CRC32,
                                           PL_SUM_SHA256, PL_SUM_SHA1};

/* The checksum of the whole object among the headers. One with "-N" is of checksums of parts. */
static struct pl_str whole_sum(const struct pl_http_response *r, enum pl_sum *sum)
{
    struct pl_str type = pl_http_header(r, "x-amz-checksum-type");
    *sum = PL_SUM_NONE;
    for (size_t i = 0; i < sizeof strong_first / sizeof *strong_first; i++) {
        struct pl_buf name = PL_BUF_MAX(64);
        pl_buf_printf(&name, "x-amz-checksum-%s", pl_sum_name(strong_first[i]));
        struct pl_str value = pl_buf_rc(&name) ? (struct pl_str){0} : pl_http_header(r, name.ptr);
        pl_buf_dispose(&name);
        if (value.len && !memchr(value.ptr, '-', value.len) &&
            !pl_str_ieq(type, PL_STR("COMPOSITE"))) {
            *sum = strong_first[i];
            return value;
        }
    }
    return (struct pl_str){0};
}

static void set_sum(struct pl_arena *arena, pail_info *info, enum pl_sum sum, struct pl_str value)
{
    struct pl_buf text = PL_BUF_MAX(256);
    pl_buf_printf(&text, "%s:", pl_sum_name(sum));
    pl_buf_str(&text, value);
    info->checksum = pl_buf_rc(&text) ? NULL : pl_arena_dup(arena, pl_buf_view(&text));
    pl_buf_dispose(&text);
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
                   {"expires", &info->expires},
                   {"x-amz-storage-class", &info->storage_class},
                   {"x-amz-version-id", &info->version},
                   {"x-amz-server-side-encryption", &info->encryption}};
    enum pl_sum sum;
    *info = (pail_info){.key = pl_arena_dup_c(arena, op->key)};
    bool whole = is_whole(r, &info->size);
    info->size = info->size == UINT64_MAX ? 0 : info->size;
    info->mtime_ms = pl_http_header_date(r, "last-modified");
    info->etag = keep(arena, unquoted(pl_http_header(r, "etag")));
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        *headers[i].to = keep(arena, pl_http_header(r, headers[i].name));
    }
    if (!info->encryption &&
        pl_http_header(r, "x-amz-server-side-encryption-customer-algorithm").len) {
        info->encryption = "customer";
    }
    read_metadata(arena, r, info);
    struct pl_str value = whole_sum(r, &sum);
    if (sum != PL_SUM_NONE && whole) {
        set_sum(arena, info, sum, value);
    }
    info->is_latest = !op->version;
}

/* The MD5 that the ETag is, in base64, where the service says so and nothing speaks against it.
 * SPEC Amazon S3 API "Object": not of uploads in parts, nor with keys of KMS or the customer. */
static bool md5_of_etag(const struct pl_http_response *r, char out[PL_SUM_BASE64_MAX])
{
    struct pl_sum_value md5 = {.len = 16};
    struct pl_str etag = unquoted(pl_http_header(r, "etag"));
    if (pl_str_starts(pl_http_header(r, "x-amz-server-side-encryption"), PL_STR("aws:")) ||
        pl_http_header(r, "x-amz-server-side-encryption-customer-algorithm").len ||
        etag.len != 2 * md5.len || !pl_hex_decode(md5.bytes, md5.len, etag)) {
        return false;
    }
    (void)pl_sum_base64(&md5, out);
    struct pl_sum_value any; /* a FIPS provider has no MD5 */
    return pl_sum_of(PL_SUM_MD5, "", 0, &any, NULL) == PAIL_OK;
}

void pl_s3_head(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                const struct pl_http_response *r)
{
    const struct pl_s3 *s3 = (const struct pl_s3 *)d;
    struct pl_s3_memo *memo = a->memo;
    uint64_t size;
    enum pl_sum sum;
    if (!s3->verify || !memo) {
        return;
    }
    if (!is_whole(r, &size)) {
        /* Of a range the service tells no checksum, or one of something else. Who reads all ranges
         * puts theirs together and asks for that of the object. */
        a->sum = s3->profile.sums & 1u << PL_SUM_CRC64NVME ? PL_SUM_CRC64NVME : PL_SUM_NONE;
        return;
    }
    struct pl_str value = whole_sum(r, &sum);
    if (sum != PL_SUM_NONE && value.len < sizeof memo->expected) {
        memcpy(memo->expected, value.ptr, value.len);
        memo->expected[value.len] = '\0';
    } else if (s3->profile.etag_md5 && !pl_s3_is_express(s3, op->bucket) &&
               md5_of_etag(r, memo->expected)) {
        sum = PL_SUM_MD5;
    } else {
        return;
    }
    memo->sum = sum;
    a->sum = (int)sum;
}

/* Some services ignore the conditions of reads. The answer tells what it is of, so that its bytes
 * are judged by that. */
static void check_conditions(struct pl_op *op, struct pl_verdict *out, struct pail_error **err)
{
    pail_code rc =
        op->out.info.etag ? pl_conditions_check(&op->cond, &op->out.info, false) : PAIL_OK;
    if (rc) {
        *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = rc};
        pl_fail(err, rc, "%s",
                rc == PAIL_E_NOT_MODIFIED
                    ? "the object has not changed"
                    : "the service gave another object than the one asked for");
    }
}

static void parse_get(struct pl_op *op, struct pl_attempt *a, const struct pl_http_response *r,
                      struct pl_verdict *out, struct pail_error **err)
{
    const struct pl_s3_memo *memo = a->memo;
    char got[PL_SUM_BASE64_MAX];
    read_info(op, r);
    if (!memo || !memo->expected[0]) {
        return;
    }
    /* After a broken body the last answer is only the tail; the first head spoke of all bytes, and
     * the pin makes them those of one version. */
    set_sum(&op->arena, &op->out.info, memo->sum, pl_str_c(memo->expected));
    if (a->sum_value && a->sum == (int)memo->sum &&
        strcmp(memo->expected, pl_sum_base64(a->sum_value, got)) != 0) {
        *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = PAIL_E_CHECKSUM};
        pl_fail(err, PAIL_E_CHECKSUM, "the bytes received have %s %s, the service says %s",
                pl_sum_name(memo->sum), got, memo->expected);
    }
}

/* What a write's headers tell. */
static void read_written(struct pl_op *op, const struct pl_http_response *r)
{
    struct pl_arena *arena = &op->arena;
    pail_info *info = &op->out.info;
    enum pl_sum sum;
    *info = (pail_info){.key = pl_arena_dup_c(arena, op->key), .mtime_ms = -1};
    info->etag = keep(arena, unquoted(pl_http_header(r, "etag")));
    info->version = keep(arena, pl_http_header(r, "x-amz-version-id"));
    info->encryption = keep(arena, pl_http_header(r, "x-amz-server-side-encryption"));
    struct pl_str value = whole_sum(r, &sum);
    if (sum != PL_SUM_NONE) {
        set_sum(arena, info, sum, value);
    }
    info->is_delete_marker = pl_str_is(pl_http_header(r, "x-amz-delete-marker"), "true");
}

static void parse_put(struct pl_op *op, const struct pl_http_response *r)
{
    read_written(op, r);
    op->out.info.size = op->in.put.source ? op->in.put.source->len : 0;
}

static void parse_part(struct pl_op *op, const struct pl_http_response *r, struct pl_verdict *out,
                       struct pail_error **err)
{
    op->out.etag = keep(&op->arena, unquoted(pl_http_header(r, "etag")));
    if (!op->out.etag) {
        *out = (struct pl_verdict){.next = PL_NEXT_RETRY, .code = PAIL_E_PROTOCOL};
        pl_fail(err, PAIL_E_PROTOCOL, "the service took a part but gave no ETag for it");
    }
}

/* The result element that must be there, as the body arrived whole. */
static bool read_result(struct pl_s3 *s3, struct pl_op *op, struct pl_attempt *a,
                        const struct pl_http_response *r, const char *root,
                        struct pl_s3_answer *answer, struct pl_verdict *out,
                        struct pail_error **err)
{
    pail_code rc = pl_s3_read_answer(&op->arena, pl_buf_view(&r->body), answer, NULL);
    if (!rc && pl_str_is(answer->root, root)) {
        return true;
    }
    if (!rc && pl_str_is(answer->root, "Error")) {
        pl_s3_parse_error(s3, op, a, r, out, err);
        return false;
    }
    *out = (struct pl_verdict){.next = PL_NEXT_RETRY,
                               .code = rc == PAIL_E_NO_MEMORY ? rc : PAIL_E_PROTOCOL};
    pl_fail(err, out->code, "the service answered HTTP %d, but its body is no %s", r->status, root);
    return false;
}

static void use_result(struct pl_op *op, const struct pl_s3_answer *answer)
{
    int64_t mtime;
    struct pl_str etag = unquoted(answer->etag);
    if (etag.len) {
        op->out.info.etag = keep(&op->arena, etag);
    }
    if (pl_date_iso_parse(answer->last_modified, &mtime)) {
        op->out.info.mtime_ms = mtime;
    }
    if (answer->sum != PL_SUM_NONE && !memchr(answer->sum_text.ptr, '-', answer->sum_text.len) &&
        !pl_str_is(answer->sum_type, "COMPOSITE")) {
        set_sum(&op->arena, &op->out.info, answer->sum, answer->sum_text);
    }
}

static void use_part_sum(struct pl_op *op, const struct pl_s3_answer *answer)
{
    struct pl_buf bytes = PL_BUF_MAX(64);
    if ((answer->sum == PL_SUM_CRC64NVME || answer->sum == PL_SUM_CRC32C ||
         answer->sum == PL_SUM_CRC32) &&
        pl_base64_decode(&bytes, answer->sum_text) && bytes.len == pl_sum_size(answer->sum)) {
        op->out.sum.algorithm = (int)answer->sum;
        op->out.sum.value = 0;
        for (size_t i = 0; i < bytes.len; i++) {
            op->out.sum.value = op->out.sum.value << 8 | (unsigned char)bytes.ptr[i];
        }
    }
    pl_buf_dispose(&bytes);
}

static void parse_result(struct pl_s3 *s3, struct pl_op *op, struct pl_attempt *a,
                         const struct pl_http_response *r, struct pl_verdict *out,
                         struct pail_error **err)
{
    static const struct {
        enum pl_op_kind kind;
        const char *root;
    } roots[] = {{PL_OP_COPY, "CopyObjectResult"},
                 {PL_OP_MP_BEGIN, "InitiateMultipartUploadResult"},
                 {PL_OP_MP_COPY_PART, "CopyPartResult"},
                 {PL_OP_MP_FINISH, "CompleteMultipartUploadResult"}};
    struct pl_s3_answer answer;
    size_t i = 0;
    while (roots[i].kind != op->kind) {
        i++;
    }
    read_written(op, r);
    if (!read_result(s3, op, a, r, roots[i].root, &answer, out, err)) {
        return;
    }
    if (op->kind == PL_OP_COPY || op->kind == PL_OP_MP_FINISH) {
        use_result(op, &answer);
        op->out.info.size = op->kind == PL_OP_MP_FINISH ? op->in.mp.size : 0;
        return;
    }
    op->out.upload_id = keep(&op->arena, answer.upload_id);
    op->out.etag = keep(&op->arena, unquoted(answer.etag));
    use_part_sum(op, &answer);
    if (op->kind == PL_OP_MP_BEGIN && pl_http_header(r, "x-openstack-request-id").ptr) {
        pthread_mutex_lock(&s3->dialect.lock);
        s3->learned.is_swift = true;
        pthread_mutex_unlock(&s3->dialect.lock);
    }
    if (op->kind == PL_OP_MP_BEGIN ? !op->out.upload_id : !op->out.etag) {
        *out = (struct pl_verdict){.next = PL_NEXT_RETRY, .code = PAIL_E_PROTOCOL};
        pl_fail(err, PAIL_E_PROTOCOL, "the service's %s has no %s", roots[i].root,
                op->kind == PL_OP_MP_BEGIN ? "UploadId" : "ETag");
    }
}

static void parse_many(struct pl_s3 *s3, struct pl_op *op, struct pl_attempt *a,
                       const struct pl_http_response *r, struct pl_verdict *out,
                       struct pail_error **err)
{
    struct pl_s3_answer answer;
    bool tags = op->kind == PL_OP_TAGS_GET;
    const char *root = tags ? "Tagging" : "DeleteResult";
    if (!tags) { /* of an earlier attempt */
        for (size_t i = 0; i < op->out.error_count; i++) {
            pail_error_free(op->out.errors[i]);
        }
        op->out.errors = NULL;
        op->out.error_count = 0;
    } else {
        read_written(op, r);
    }
    pail_code rc = tags ? pl_s3_read_tags(op, pl_buf_view(&r->body), &answer, NULL)
                        : pl_s3_read_delete(op, pl_buf_view(&r->body), &answer, NULL);
    if (!rc && pl_str_is(answer.root, root)) {
        return;
    }
    if (!rc && pl_str_is(answer.root, "Error")) {
        pl_s3_parse_error(s3, op, a, r, out, err);
        return;
    }
    *out = (struct pl_verdict){.next = PL_NEXT_RETRY,
                               .code = rc == PAIL_E_NO_MEMORY ? rc : PAIL_E_PROTOCOL};
    pl_fail(err, out->code, "the service answered HTTP %d, but its body is no %s", r->status, root);
}

/* A delete of what is not there is a success; so is the end of an upload that has ended. */
static bool is_gone(struct pl_op *op, const struct pl_http_response *r)
{
    struct pl_s3_answer answer;
    if (op->kind != PL_OP_DELETE || r->status != 404 || op->cond.if_match) {
        return false;
    }
    if (pl_s3_read_answer(&op->arena, pl_buf_view(&r->body), &answer, NULL)) {
        return r->body.len == 0;
    }
    return pl_str_is(answer.code, "NoSuchKey") || pl_str_is(answer.code, "NoSuchVersion");
}

/* SPEC Amazon S3 API "GetObjectTagging" of others: no tags may be an error. */
static bool has_no_tags(struct pl_op *op, const struct pl_http_response *r)
{
    struct pl_s3_answer answer;
    return op->kind == PL_OP_TAGS_GET && r->status == 404 &&
           !pl_s3_read_answer(&op->arena, pl_buf_view(&r->body), &answer, NULL) &&
           pl_str_is(answer.code, "NoSuchTagSet");
}

void pl_s3_parse(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                 const struct pl_http_response *r, struct pl_verdict *out, struct pail_error **err)
{
    struct pl_s3 *s3 = (struct pl_s3 *)d;
    *out = (struct pl_verdict){.next = PL_NEXT_DONE};
    if (is_gone(op, r) || has_no_tags(op, r)) {
        read_written(op, r);
        return;
    }
    if (r->status < 200 || r->status > 299) {
        pl_s3_parse_error(s3, op, a, r, out, err);
        return;
    }
    switch (op->kind) {
    case PL_OP_STAT:
        read_info(op, r);
        check_conditions(op, out, err);
        break;
    case PL_OP_GET:
        parse_get(op, a, r, out, err);
        if (out->next == PL_NEXT_DONE) {
            check_conditions(op, out, err);
        }
        break;
    case PL_OP_PUT: parse_put(op, r); break;
    case PL_OP_DELETE:
    case PL_OP_TAGS_SET:
    case PL_OP_MP_ABORT:
    case PL_OP_BUCKET_CREATE:
    case PL_OP_BUCKET_DELETE:
    case PL_OP_BUCKET_STAT: read_written(op, r); break;
    case PL_OP_MP_PART: parse_part(op, r, out, err); break;
    case PL_OP_COPY:
    case PL_OP_MP_BEGIN:
    case PL_OP_MP_COPY_PART:
    case PL_OP_MP_FINISH: parse_result(s3, op, a, r, out, err); break;
    case PL_OP_DELETE_MANY:
    case PL_OP_TAGS_GET: parse_many(s3, op, a, r, out, err); break;
    case PL_OP_LIST:
    case PL_OP_MP_LIST:
    case PL_OP_BUCKET_LIST: pl_s3_parse_list(s3, op, a, r, out, err); break;
    case PL_OP_PRESIGN:
    case PL_OP_KIND_COUNT: break;
    }
    if (out->next == PL_NEXT_DONE && op->arena.failed) {
        *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = PAIL_E_NO_MEMORY};
        pl_fail(err, PAIL_E_NO_MEMORY, "no memory for the answer");
    }
}
