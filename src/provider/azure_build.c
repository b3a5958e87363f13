/* From an operation to a request. Source: Azure Blob Storage REST API, the operation of each name.
 */
#include "codec/date.h"
#include "codec/url.h"
#include "codec/xml.h"
#include "provider/azure.h"

enum { TARGET_MAX = 16 * 1024, CRC_RANGE_MAX = 4 << 20 };

void pl_azure_parameter(struct pl_azure_build *b, const char *name, const char *value)
{
    if (value && *value) {
        pl_url_query_add(&b->query, name, pl_str_c(value));
    }
}

void pl_azure_path(const struct pl_azure *az, const char *container, const char *blob,
                   struct pl_buf *out)
{
    pl_buf_puts(out, az->base_path);
    pl_buf_putc(out, '/');
    if (container) {
        pl_url_encode(out, pl_str_c(container), 0);
    }
    if (blob) {
        pl_buf_putc(out, '/');
        pl_url_encode(out, pl_str_c(blob), PL_URL_KEEP_SLASH);
    }
}

void pl_azure_version(struct pl_buf *query, const char *version)
{
    struct pl_str v = pl_str_c(version), snapshot = PL_STR("snapshot:");
    if (version && pl_str_starts(v, snapshot)) {
        pl_url_query_add(query, "snapshot", pl_str_n(v.ptr + snapshot.len, v.len - snapshot.len));
    } else if (version) {
        pl_url_query_add(query, "versionid", v);
    }
}

static pail_code reading(struct pl_azure_build *b, const char *method)
{
    b->r->method = method;
    pl_azure_version(&b->query, b->op->version);
    return pl_azure_add_encryption(b, b->op->encryption);
}

static pail_code build_stat(struct pl_azure_build *b)
{
    pl_azure_add_conditions(b, &b->op->cond, "");
    return reading(b, "HEAD");
}

/* SPEC "Get Blob", x-ms-range-get-content-crc64: for a range of at most 4 MiB the service tells its
 * checksum; a longer one would be refused. Longer ranges are not cut for it: that would be four
 * requests for one. */
static void ask_for_crc(struct pl_azure_build *b, uint64_t length)
{
    pthread_mutex_lock(&b->az->dialect.lock);
    b->memo->asks_crc = b->az->verify && !b->az->no_crc && length <= CRC_RANGE_MAX;
    pthread_mutex_unlock(&b->az->dialect.lock);
    if (b->memo->asks_crc) {
        pl_http_add_c(b->r, "x-ms-range-get-content-crc64", "true");
    }
}

/* SPEC "Specifying the range header for Blob service operations": there is no range of the last
 * bytes, so the size is asked for first; the ETag pins what follows to it. */
static pail_code build_get(struct pl_azure_build *b)
{
    const struct pl_range *range = &b->a->range;
    pail_conditions cond = b->op->cond;
    if (range->kind == PL_RANGE_SUFFIX) {
        return build_stat(b);
    }
    if (range->kind == PL_RANGE_SPAN) {
        ask_for_crc(b, range->length);
        struct pl_buf v = PL_BUF_MAX(64);
        uint64_t last = range->offset + range->length - 1;
        last = last < range->offset || last > INT64_MAX ? INT64_MAX : last;
        pl_buf_printf(&v, "bytes=%llu-%llu", (unsigned long long)range->offset,
                      (unsigned long long)last);
        pl_http_add(b->r, "x-ms-range", pl_buf_view(&v));
        pl_buf_dispose(&v);
    }
    cond.if_match = b->a->if_match;
    pl_azure_add_conditions(b, &cond, "");
    return reading(b, "GET");
}

static pail_code build_put(struct pl_azure_build *b)
{
    b->r->method = "PUT";
    pl_http_add_c(b->r, "x-ms-blob-type", "BlockBlob");
    pl_azure_add_conditions(b, &b->op->cond, "");
    pail_code rc = pl_azure_add_attributes(b, b->op->attr);
    rc = rc ? rc : pl_azure_add_encryption(b, b->op->encryption);
    return rc ? rc : pl_azure_add_body(b);
}

void pl_azure_add_snapshots(const struct pl_azure *az, struct pl_http_request *r,
                            const char *version)
{
    if (az->deletes_snapshots && !version) {
        pl_http_add_c(r, "x-ms-delete-snapshots", "include");
    }
}

static pail_code build_delete(struct pl_azure_build *b)
{
    b->r->method = "DELETE";
    pl_azure_version(&b->query, b->op->version);
    pl_azure_add_snapshots(b->az, b->r, b->op->version);
    pl_azure_add_conditions(b, &b->op->cond, "");
    return PAIL_OK;
}

static pail_code build_container(struct pl_azure_build *b)
{
    b->on_container = true;
    pl_azure_parameter(b, "restype", "container");
    switch (b->op->kind) {
    case PL_OP_BUCKET_CREATE: b->r->method = "PUT"; return PAIL_OK;
    case PL_OP_BUCKET_STAT: b->r->method = "HEAD"; return PAIL_OK;
    default: break;
    }
    /* SPEC "Delete Container" takes all blobs along. Whoever deletes a bucket wants an error where
     * it is not empty, so that is looked up first. */
    if (b->memo->stage == 0) {
        b->r->method = "GET";
        pl_azure_parameter(b, "comp", "list");
        pl_azure_parameter(b, "maxresults", "1");
        return PAIL_OK;
    }
    b->r->method = "DELETE";
    return PAIL_OK;
}

static pail_code build_kind(struct pl_azure_build *b)
{
    switch (b->op->kind) {
    case PL_OP_STAT: return build_stat(b);
    case PL_OP_GET: return build_get(b);
    case PL_OP_PUT: return build_put(b);
    case PL_OP_DELETE: return build_delete(b);
    case PL_OP_COPY: return pl_azure_copy(b);
    case PL_OP_LIST:
    case PL_OP_MP_LIST:
    case PL_OP_BUCKET_LIST: return pl_azure_list_query(b);
    case PL_OP_MP_BEGIN: return pl_azure_begin(b);
    case PL_OP_MP_PART: return pl_azure_part(b);
    case PL_OP_MP_FINISH: return pl_azure_finish(b);
    /* Blocks that no list names are forgotten after a week; nothing takes them back earlier. */
    case PL_OP_MP_ABORT: return PAIL_OK;
    case PL_OP_TAGS_GET:
    case PL_OP_TAGS_SET: return pl_azure_tags(b);
    case PL_OP_BUCKET_CREATE:
    case PL_OP_BUCKET_DELETE:
    case PL_OP_BUCKET_STAT: return build_container(b);
    case PL_OP_DELETE_MANY: return pl_azure_add_batch(b);
    case PL_OP_MP_COPY_PART:
    case PL_OP_PRESIGN:
    case PL_OP_KIND_COUNT: break;
    }
    return pl_fail(b->err, PAIL_E_UNSUPPORTED, "Azure has no such operation");
}

static pail_code set_target(struct pl_azure_build *b)
{
    const struct pl_azure *az = b->az;
    struct pl_buf target = PL_BUF_MAX(TARGET_MAX);
    b->r->origin = (struct pl_origin){.tls = az->tls, .host = az->host, .port = az->port};
    pl_azure_path(az, b->on_service ? NULL : b->op->bucket,
                  b->on_service || b->on_container ? NULL : b->op->key, &target);
    if (az->auth == PL_AZURE_SAS) {
        pl_buf_puts(&b->query, b->query.len ? "&" : "");
        pl_buf_puts(&b->query, az->sas);
    }
    if (b->query.len) {
        pl_buf_putc(&target, '?');
        pl_buf_str(&target, pl_buf_view(&b->query));
    }
    bool fits = !pl_buf_rc(&target) && !pl_buf_rc(&b->query);
    b->r->target = fits ? pl_arena_dup(&b->r->arena, pl_buf_view(&target)) : NULL;
    if (target.ptr) {
        pl_zero(target.ptr, target.len);
    }
    pl_buf_dispose(&target);
    if (!fits) {
        return pl_fail(b->err, PAIL_E_TOO_LARGE, "the address of the request is too long");
    }
    return b->r->target ? PAIL_OK : pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory for a request");
}

pail_code pl_azure_build(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                         struct pl_http_request *out, struct pail_error **err)
{
    struct pl_azure *az = (struct pl_azure *)d;
    if (!a->memo) {
        a->memo = pl_arena_alloc(&op->arena, sizeof(struct pl_azure_memo));
    }
    struct pl_azure_build b = {.az = az,
                               .op = op,
                               .a = a,
                               .memo = a->memo,
                               .r = out,
                               .err = err,
                               .query = PL_BUF_MAX(TARGET_MAX)};
    if (!b.memo) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a request");
    }
    pail_code rc = build_kind(&b);
    if (!rc && out->method) {
        rc = pl_azure_add_extra(&b);
        rc = rc ? rc : set_target(&b);
        rc = rc ? rc : pl_azure_authorize(az, a, out, err);
        if (!rc && out->failed) {
            rc = pl_fail(err, PAIL_E_BAD_ARGUMENT,
                         "the request has too many headers, or one with a control character");
        }
    }
    pl_buf_dispose(&b.query);
    return rc;
}
