/* From an operation to a request. Source: Amazon S3 API Reference, the action of each name. */
#include "codec/url.h"
#include "provider/s3.h"

enum { TARGET_MAX = 16 * 1024 };

static void bare(struct pl_s3_build *b, const char *name)
{
    pl_buf_puts(&b->query, b->query.len ? "&" : "");
    pl_buf_puts(&b->query, name);
}

static void version(struct pl_s3_build *b)
{
    if (b->op->version) {
        pl_url_query_add(&b->query, "versionId", pl_str_c(b->op->version));
    }
}

static void upload(struct pl_s3_build *b, const char *id, uint32_t number)
{
    if (number) {
        struct pl_buf n = PL_BUF_MAX(16);
        pl_buf_u64(&n, number);
        pl_url_query_add(&b->query, "partNumber", pl_buf_view(&n));
        pl_buf_dispose(&n);
    }
    pl_url_query_add(&b->query, "uploadId", pl_str_c(id));
}

static void add_printed(struct pl_s3_build *b, const char *name, struct pl_buf *value)
{
    b->r->failed |= pl_buf_rc(value) != PAIL_OK;
    if (!pl_buf_rc(value)) {
        pl_http_add(b->r, name, pl_buf_view(value));
    }
    pl_buf_dispose(value);
}

/* A whole read or a stat: the stored checksum comes only where it is asked for. */
static pail_code reading(struct pl_s3_build *b)
{
    version(b);
    /* Unsigned and never gzip: a front end may rewrite it, and compressed bytes are not the
     * object's. */
    pl_http_add_c(b->r, "accept-encoding", "identity");
    if (b->view.p.sums && b->s3->verify) {
        pl_http_add_c(b->r, "x-amz-checksum-mode", "ENABLED");
        b->memo->sent_sum = true;
    }
    return pl_s3_add_customer_key(b, b->op->encryption, false);
}

static pail_code build_stat(struct pl_s3_build *b)
{
    b->r->method = "HEAD";
    pail_code rc = reading(b);
    return rc ? rc : pl_s3_add_conditions(b, &b->op->cond, "");
}

static pail_code build_get(struct pl_s3_build *b)
{
    const struct pl_range *range = &b->a->range;
    struct pl_buf v = PL_BUF_MAX(64);
    pail_conditions cond = b->op->cond;
    b->r->method = "GET";
    if (range->kind == PL_RANGE_SPAN) {
        uint64_t last = range->offset + range->length - 1;
        pl_buf_printf(&v, "bytes=%llu-%llu", (unsigned long long)range->offset,
                      (unsigned long long)(last < range->offset ? UINT64_MAX : last));
        add_printed(b, "range", &v);
    } else if (range->kind == PL_RANGE_SUFFIX) {
        pl_buf_printf(&v, "bytes=-%llu", (unsigned long long)range->length);
        add_printed(b, "range", &v);
    }
    cond.if_match = b->a->if_match;
    pail_code rc = reading(b);
    return rc ? rc : pl_s3_add_conditions(b, &cond, "");
}

static pail_code build_put(struct pl_s3_build *b)
{
    b->r->method = "PUT";
    pail_code rc = pl_s3_add_write_conditions(b);
    rc = rc ? rc : pl_s3_add_attributes(b, b->op->attr, true);
    rc = rc ? rc : pl_s3_add_encryption(b, b->op->encryption);
    return rc ? rc : pl_s3_add_body(b);
}

static pail_code build_part(struct pl_s3_build *b)
{
    b->r->method = "PUT";
    upload(b, b->op->in.put.upload_id, b->op->in.put.number);
    pail_code rc = pl_s3_add_customer_key(b, b->op->encryption, false);
    return rc ? rc : pl_s3_add_body(b);
}

static pail_code build_delete(struct pl_s3_build *b)
{
    b->r->method = "DELETE";
    version(b);
    return pl_s3_add_write_conditions(b);
}

static pail_code build_delete_many(struct pl_s3_build *b)
{
    b->r->method = "POST";
    bare(b, "delete");
    if (b->view.p.delete_max == 0) {
        return pl_fail(b->err, PAIL_E_UNSUPPORTED, "service %s has no DeleteObjects",
                       b->view.p.service);
    }
    if (b->op->in.delete_many.count > b->view.p.delete_max) {
        return pl_fail(b->err, PAIL_E_TOO_LARGE, "service %s takes %u keys in one DeleteObjects",
                       b->view.p.service, b->view.p.delete_max);
    }
    return pl_s3_xml_delete(b);
}

static void add_source(struct pl_s3_build *b)
{
    struct pl_buf v = PL_BUF_MAX(8 * 1024);
    pl_url_encode(&v, pl_str_c(b->op->in.copy.bucket), 0);
    /* SPEC "CopyObject" x-amz-copy-source: of an access point ARN/object/KEY. */
    pl_buf_puts(&v, pl_s3_is_arn(b->op->in.copy.bucket) ? "/object/" : "/");
    pl_url_encode(&v, pl_str_c(b->op->in.copy.key), PL_URL_KEEP_SLASH);
    if (b->op->in.copy.version) {
        pl_buf_puts(&v, "?versionId=");
        pl_url_encode(&v, pl_str_c(b->op->in.copy.version), 0);
    }
    add_printed(b, "x-amz-copy-source", &v);
}

static pail_code copy_source(struct pl_s3_build *b)
{
    add_source(b);
    pail_code rc = pl_s3_add_conditions(b, &b->op->in.copy.cond, "x-amz-copy-source-");
    return rc ? rc : pl_s3_add_customer_key(b, b->op->in.copy.encryption, true);
}

static pail_code build_copy(struct pl_s3_build *b)
{
    b->r->method = "PUT";
    pail_code rc = copy_source(b);
    if (b->op->attr) {
        pl_http_add_c(b->r, "x-amz-metadata-directive", "REPLACE");
        /* SPEC "CopyObject" x-amz-tagging-directive: without it a directory bucket refuses an
         * object that has tags. */
        if (b->view.p.tags || b->view.express) {
            pl_http_add_c(b->r, "x-amz-tagging-directive", "REPLACE");
        }
    }
    rc = rc ? rc : pl_s3_add_write_conditions(b);
    rc = rc ? rc : pl_s3_add_attributes(b, b->op->attr, true);
    return rc ? rc : pl_s3_add_encryption(b, b->op->encryption);
}

static pail_code build_copy_part(struct pl_s3_build *b)
{
    struct pl_buf v = PL_BUF_MAX(64);
    b->r->method = "PUT";
    if (!b->view.p.copy_part) {
        return pl_fail(b->err, PAIL_E_UNSUPPORTED, "service %s has no UploadPartCopy",
                       b->view.p.service);
    }
    upload(b, b->op->in.copy.upload_id, b->op->in.copy.number);
    pl_buf_printf(&v, "bytes=%llu-%llu", (unsigned long long)b->op->in.copy.offset,
                  (unsigned long long)(b->op->in.copy.offset + b->op->in.copy.length - 1));
    add_printed(b, "x-amz-copy-source-range", &v);
    pail_code rc = copy_source(b);
    return rc ? rc : pl_s3_add_customer_key(b, b->op->encryption, false);
}

/* The parts' CRCs can be joined to that of the whole only where the upload was begun so. */
static enum pl_sum whole_sum(const struct pl_s3_build *b)
{
    enum pl_sum sum = b->s3->verify ? b->view.p.put_sum : PL_SUM_NONE;
    return sum == PL_SUM_SHA256 || sum == PL_SUM_SHA1 ? PL_SUM_NONE : sum;
}

static pail_code build_begin(struct pl_s3_build *b)
{
    enum pl_sum sum = whole_sum(b);
    b->r->method = "POST";
    bare(b, "uploads");
    pail_code rc = pl_s3_add_write_conditions(b);
    rc = rc ? rc : pl_s3_add_attributes(b, b->op->attr, true);
    rc = rc ? rc : pl_s3_add_encryption(b, b->op->encryption);
    if (sum) {
        pl_http_add_c(b->r, "x-amz-checksum-algorithm",
                      sum == PL_SUM_CRC64NVME ? "CRC64NVME"
                      : sum == PL_SUM_CRC32C  ? "CRC32C"
                                              : "CRC32");
        pl_http_add_c(b->r, "x-amz-checksum-type", "FULL_OBJECT");
        b->memo->sent_sum = true;
    }
    return rc;
}

static uint64_t joined(enum pl_sum sum, uint64_t crc, const struct pl_part *p)
{
    switch (sum) {
    case PL_SUM_CRC64NVME: return pl_crc64nvme_combine(crc, p->sum.value, p->size);
    case PL_SUM_CRC32C: return pl_crc32c_combine((uint32_t)crc, (uint32_t)p->sum.value, p->size);
    default: return pl_crc32_combine((uint32_t)crc, (uint32_t)p->sum.value, p->size);
    }
}

static void add_whole_sum(struct pl_s3_build *b, enum pl_sum sum)
{
    uint64_t crc = 0;
    for (size_t i = 0; i < b->op->in.mp.count; i++) {
        const struct pl_part *p = &b->op->in.mp.parts[i];
        if (p->sum.algorithm != (int)sum) {
            return;
        }
        crc = i ? joined(sum, crc, p) : p->sum.value;
    }
    struct pl_sum_value v = pl_sum_of_crc(sum, crc);
    char text[PL_SUM_BASE64_MAX];
    struct pl_buf name = PL_BUF_MAX(64);
    pl_buf_printf(&name, "x-amz-checksum-%s", pl_sum_name(sum));
    b->r->failed |= pl_buf_rc(&name) != PAIL_OK;
    pl_http_add_c(b->r, name.ptr ? name.ptr : "x", pl_sum_base64(&v, text));
    pl_http_add_c(b->r, "x-amz-checksum-type", "FULL_OBJECT");
    pl_buf_dispose(&name);
    b->memo->sent_sum = true;
    b->memo->has_sum = true;
    b->memo->sum = sum;
    b->memo->sum_value = v;
}

static pail_code build_finish(struct pl_s3_build *b)
{
    enum pl_sum sum = whole_sum(b);
    b->r->method = "POST";
    upload(b, b->op->in.mp.upload_id, 0);
    pail_code rc = pl_s3_add_write_conditions(b);
    rc = rc ? rc : pl_s3_add_customer_key(b, b->op->encryption, false);
    if (sum && b->op->in.mp.count) {
        struct pl_buf size = PL_BUF_MAX(32);
        add_whole_sum(b, sum);
        pl_buf_u64(&size, b->op->in.mp.size);
        if (b->memo->sent_sum) {
            pl_http_add(b->r, "x-amz-mp-object-size", pl_buf_view(&size));
        }
        pl_buf_dispose(&size);
    }
    return rc ? rc : pl_s3_xml_complete(b, sum);
}

static pail_code build_tags(struct pl_s3_build *b, bool set)
{
    b->r->method = set ? "PUT" : "GET";
    bare(b, "tagging");
    version(b);
    if (!b->view.p.tags) {
        return pl_s3_unsupported(b, "tags", "s3_tags=true");
    }
    return set ? pl_s3_xml_tags(b) : PAIL_OK;
}

static pail_code build_kind(struct pl_s3_build *b)
{
    switch (b->op->kind) {
    case PL_OP_STAT: return build_stat(b);
    case PL_OP_GET: return build_get(b);
    case PL_OP_PUT: return build_put(b);
    case PL_OP_DELETE: return build_delete(b);
    case PL_OP_DELETE_MANY: return build_delete_many(b);
    case PL_OP_COPY: return build_copy(b);
    case PL_OP_LIST:
    case PL_OP_MP_LIST:
    case PL_OP_BUCKET_LIST: return b->r->method = "GET", pl_s3_add_list_query(b);
    case PL_OP_MP_BEGIN: return build_begin(b);
    case PL_OP_MP_PART: return build_part(b);
    case PL_OP_MP_COPY_PART: return build_copy_part(b);
    case PL_OP_MP_FINISH: return build_finish(b);
    case PL_OP_MP_ABORT:
        b->r->method = "DELETE";
        upload(b, b->op->in.mp.upload_id, 0);
        return PAIL_OK;
    case PL_OP_TAGS_GET: return build_tags(b, false);
    case PL_OP_TAGS_SET: return build_tags(b, true);
    case PL_OP_BUCKET_CREATE: return b->r->method = "PUT", pl_s3_xml_location(b);
    case PL_OP_BUCKET_DELETE: return b->r->method = "DELETE", PAIL_OK;
    case PL_OP_BUCKET_STAT: return b->r->method = "HEAD", PAIL_OK;
    case PL_OP_PRESIGN:
    case PL_OP_KIND_COUNT: break;
    }
    return pl_fail(b->err, PAIL_E_UNSUPPORTED, "S3 has no such operation");
}

/* Whether the operation is about one object; else its path is the bucket's. */
static bool has_key(enum pl_op_kind kind)
{
    switch (kind) {
    case PL_OP_DELETE_MANY:
    case PL_OP_LIST:
    case PL_OP_MP_LIST:
    case PL_OP_BUCKET_CREATE:
    case PL_OP_BUCKET_DELETE:
    case PL_OP_BUCKET_STAT:
    case PL_OP_BUCKET_LIST: return false;
    default: return true;
    }
}

static pail_code set_target(struct pl_s3_build *b, struct pl_buf *target)
{
    const struct pl_op *op = b->op;
    const char *bucket = op->kind == PL_OP_BUCKET_LIST ? NULL : op->bucket;
    pail_code rc = pl_s3_locate(b->s3, &b->view, bucket, has_key(op->kind) ? op->key : NULL, b->r,
                                target, b->err);
    if (b->query.len) {
        pl_buf_putc(target, '?');
        pl_buf_str(target, pl_buf_view(&b->query));
    }
    if (!rc && (pl_buf_rc(target) || pl_buf_rc(&b->query))) {
        rc = pl_fail(b->err, PAIL_E_TOO_LARGE, "the address of the request is too long");
    }
    b->r->target = rc ? NULL : pl_arena_dup(&b->r->arena, pl_buf_view(target));
    return rc || b->r->target ? rc : pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory for a request");
}

static struct pl_s3_memo *memo_of(struct pl_op *op, struct pl_attempt *a)
{
    struct pl_s3_memo *memo = a->memo;
    if (!memo) {
        memo = a->memo = pl_arena_alloc(&op->arena, sizeof *memo);
    }
    if (memo) {
        memo->sent_sum = memo->sent_unsigned = memo->sent_body = memo->sent_urlenc = false;
        memo->sent_virtual = memo->sent_v1 = memo->sent_md5 = memo->sent_plain = false;
    }
    return memo;
}

/* A new bucket is asked for where it shall be: other regions of AWS refuse to make it. */
static void go_to_location(struct pl_s3_build *b)
{
    if (b->op->kind != PL_OP_BUCKET_CREATE || b->s3->custom) {
        return;
    }
    struct pl_str location = pl_str_c(b->op->in.bucket_create.location);
    if (pl_s3_region_valid(location)) {
        memcpy(b->view.region, location.ptr, location.len + 1);
    }
}

pail_code pl_s3_build(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                      struct pl_http_request *out, struct pail_error **err)
{
    struct pl_s3 *s3 = (struct pl_s3 *)d;
    struct pl_s3_build b = {.s3 = s3,
                            .op = op,
                            .a = a,
                            .r = out,
                            .err = err,
                            .memo = memo_of(op, a),
                            .query = PL_BUF_MAX(TARGET_MAX)};
    struct pl_buf target = PL_BUF_MAX(TARGET_MAX);
    pail_code rc = PAIL_OK;
    if (!b.memo) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a request");
    }
    pl_s3_view_op(s3, op, &b.view);
    go_to_location(&b);
    rc = build_kind(&b);
    rc = rc ? rc : pl_s3_add_extra(&b);
    rc = rc ? rc : set_target(&b, &target);
    if (!rc && out->failed) {
        rc = pl_fail(err, PAIL_E_BAD_ARGUMENT,
                     "the request has too many headers, or one with a control character");
    }
    rc = rc ? rc : pl_s3_sign(s3, &b.view, a, out, b.payload_hash, err);
    if (!rc) {
        b.memo->sent_virtual = b.view.p.style == PL_S3_VIRTUAL;
        memcpy(b.memo->region, b.view.region, sizeof b.memo->region);
    }
    pl_buf_dispose(&b.query);
    pl_buf_dispose(&target);
    return rc;
}
