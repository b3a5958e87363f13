/* CopyObject and UploadPartCopy. */
#include "gateway/gateway.h"

#include "codec/url.h"
#include "transfer/copy.h"

struct source {
    const char *bucket, *key, *version;
    pail_conditions cond;
};

/* SPEC S3 CopyObject: x-amz-copy-source is "[/]BUCKET/KEY[?versionId=ID]", percent-encoded. */
static bool take_source(struct pl_gw_call *c, struct source *s)
{
    struct pl_str rest = pl_str_c(pl_gw_header(c, "x-amz-copy-source")),
                  raw = pl_str_split(&rest, '?');
    struct pl_buf b = PL_BUF_MAX(8192);
    struct pl_str version = PL_STR("versionId=");
    bool ok = pl_url_decode(&b, raw) && !pl_buf_rc(&b) && b.len && !memchr(b.ptr, '\0', b.len);
    struct pl_str key = pl_str_c(ok ? pl_arena_dup(c->arena, pl_buf_view(&b)) : NULL);
    pl_buf_dispose(&b);
    if (key.len && key.ptr[0] == '/') {
        key = pl_str_n(key.ptr + 1, key.len - 1);
    }
    struct pl_str bucket = pl_str_split(&key, '/');
    if (!ok || !bucket.len || !key.ptr || !key.len) {
        pl_gw_fail(c, "InvalidArgument", "x-amz-copy-source is not BUCKET/KEY");
        return false;
    }
    s->bucket = pl_arena_dup(c->arena, bucket);
    s->key = key.ptr;
    if (rest.ptr && pl_str_starts(rest, version)) {
        s->version = pl_gw_version(
            c, pl_arena_dup(c->arena, pl_str_n(rest.ptr + version.len, rest.len - version.len)));
    }
    pl_gw_take_conditions(c, "x-amz-copy-source-", &s->cond);
    if (!pl_gw_may(c, s->bucket, false)) {
        pl_gw_fail(c, "AccessDenied", "The access key may not read the source");
        return false;
    }
    return true;
}

/* What the source is now; its texts in the call's arena. False: an error was set. */
static bool stat_source(struct pl_gw_call *c, const struct source *from, pail_info *info)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_STAT, from->bucket, from->key);
    if (!op) {
        return false;
    }
    op->version = from->version;
    bool ok = pl_gw_run(&s) == PAIL_OK;
    if (ok) {
        pl_info_copy(c->arena, info, &op->out.info);
    }
    pl_gw_op_end(c, &s, false);
    return ok;
}

static bool stat_tags(struct pl_gw_call *c, const struct source *from, pail_attributes *out)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_TAGS_GET, from->bucket, from->key);
    if (!op) {
        return false;
    }
    op->version = from->version;
    bool ok = pl_gw_run(&s) == PAIL_OK;
    if (ok) {
        out->tags = pl_arena_dup_kv(c->arena, op->out.info.tags, op->out.info.tag_count);
        out->tag_count = op->out.info.tag_count;
    }
    pl_gw_op_end(c, &s, false);
    return ok;
}

/* A directive is COPY, where it is not given, or REPLACE. False: an error was set. */
static bool take_directive(struct pl_gw_call *c, const char *header, bool *replace)
{
    const char *text = pl_gw_header(c, header);
    *replace = text && strcmp(text, "REPLACE") == 0;
    if (text && !*replace && strcmp(text, "COPY") != 0) {
        pl_gw_fail(c, "InvalidArgument", "a directive of a copy is COPY or REPLACE");
        return false;
    }
    return true;
}

/* The attributes of the copy. *kept: they are the source's. */
static bool take_attributes(struct pl_gw_call *c, const struct source *from, bool *kept)
{
    bool replace, retag;
    const char *tags = pl_gw_header(c, "x-amz-tagging"),
               *storage = pl_gw_header(c, "x-amz-storage-class");
    pail_info info;
    if (!take_directive(c, "x-amz-metadata-directive", &replace) ||
        !take_directive(c, "x-amz-tagging-directive", &retag)) {
        return false;
    }
    storage = storage && strcmp(storage, "STANDARD") != 0 ? storage : NULL;
    *kept = !replace && !retag && !storage;
    if (*kept) {
        return true;
    }
    if (replace) {
        return pl_gw_take_attributes(c, &c->attr) && (retag || stat_tags(c, from, &c->attr));
    }
    if (!stat_source(c, from, &info)) {
        return false;
    }
    c->attr = pl_info_attributes(&info);
    c->attr.storage_class = storage ? storage : c->attr.storage_class;
    return retag ? pl_gw_take_tags(c, tags ? tags : "", &c->attr) : stat_tags(c, from, &c->attr);
}

static void result(struct pl_gw_call *c, const char *root, const char *etag, int64_t mtime_ms)
{
    struct pl_buf *b = pl_gw_xml(c, root);
    pl_gw_time(b, "LastModified", mtime_ms > 0 ? mtime_ms : c->begun_ms);
    pl_gw_etag(b, etag);
    pl_gw_xml_end(c, root);
}

static void copy(struct pl_gw_call *c, const struct source *from, bool kept)
{
    struct pail_error *e = NULL;
    pail_info *info = NULL;
    struct pl_copy *k = pl_calloc(1, sizeof *k);
    pail_code rc = PAIL_E_NO_MEMORY;
    if (k) {
        k->task.provider = k->to = c->g->provider;
        k->task.pool = c->g->pool;
        k->bucket = from->bucket;
        k->key = from->key;
        k->to_bucket = c->bucket;
        k->to_key = c->key;
        k->opts = (pail_copy_opts){.size = sizeof k->opts,
                                   .source_version = from->version,
                                   .source_cond = from->cond,
                                   .cond = c->cond,
                                   .attr = kept ? NULL : &c->attr};
        pl_copy_init(k);
        (void)pl_task_run(&k->task);
        rc = pl_task_result(&k->task, &info, &e);
    }
    if (rc) {
        pl_gw_fail_write(c, rc == PAIL_E_NOT_MODIFIED ? PAIL_E_PRECONDITION : rc, e);
    } else {
        result(c, "CopyObjectResult", info ? info->etag : NULL, info ? info->mtime_ms : 0);
    }
    pail_info_free(info);
    pail_error_free(e);
    pl_free(k);
}

void pl_gw_copy_object(struct pl_gw_call *c)
{
    struct source from = {0};
    bool kept;
    pl_gw_take_conditions(c, "", &c->cond);
    if (!take_source(c, &from) || !take_attributes(c, &from, &kept)) {
        return;
    }
    if (kept && strcmp(from.bucket, c->bucket) == 0 && strcmp(from.key, c->key) == 0) {
        pl_gw_fail(c, "InvalidRequest",
                   "This copy request is illegal because it is trying to copy an object to itself "
                   "without changing the object's metadata, storage class, website redirect "
                   "location or encryption attributes.");
        return;
    }
    if (pl_gw_check_names(c, c->bucket, c->key) && pl_gw_check_names(c, from.bucket, from.key)) {
        copy(c, &from, kept);
    }
}

/* ---- UploadPartCopy ---- */

/* "bytes=FIRST-LAST" within the source; all of it where nothing is said. */
static bool take_span(struct pl_gw_call *c, const struct source *from, uint64_t *offset,
                      uint64_t *length)
{
    pail_info info;
    uint64_t first = 0, last = 0;
    const char *text = pl_gw_header(c, "x-amz-copy-source-range");
    struct pl_str rest = pl_str_c(text), unit = PL_STR("bytes=");
    if (!stat_source(c, from, &info)) {
        return false;
    }
    *offset = 0;
    *length = info.size;
    if (!text) {
        return true;
    }
    rest =
        pl_str_starts(rest, unit) ? pl_str_n(rest.ptr + unit.len, rest.len - unit.len) : PL_STR("");
    struct pl_str begin = pl_str_split(&rest, '-');
    if (!rest.ptr || !pl_str_u64(begin, &first) || !pl_str_u64(rest, &last) || last < first) {
        pl_gw_fail(c, "InvalidArgument",
                   "The x-amz-copy-source-range value must be of the form bytes=first-last");
        return false;
    }
    if (last >= info.size) {
        pl_gw_fail(c, "InvalidRange", NULL);
        return false;
    }
    *offset = first;
    *length = last - first + 1;
    return true;
}

void pl_gw_copy_part(struct pl_gw_call *c)
{
    struct source from = {0};
    struct pl_simple s;
    uint64_t offset, length;
    bool bad;
    uint32_t number = pl_gw_number(c, "partNumber", 0, &bad);
    if (bad || number < 1 || number > 10000) {
        pl_gw_fail(c, "InvalidArgument", "Part number must be an integer between 1 and 10000");
        return;
    }
    if (!take_source(c, &from) || !take_span(c, &from, &offset, &length)) {
        return;
    }
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_MP_COPY_PART, c->bucket, c->key);
    if (!op) {
        return;
    }
    op->in.copy.bucket = from.bucket;
    op->in.copy.key = from.key;
    op->in.copy.version = from.version;
    op->in.copy.cond = from.cond;
    op->in.copy.offset = offset;
    op->in.copy.length = length;
    op->in.copy.upload_id = pl_gw_upload_id(c);
    op->in.copy.number = number;
    if (pl_gw_run(&s) == PAIL_OK) {
        result(c, "CopyPartResult", op->out.etag, 0);
    }
    pl_gw_op_end(c, &s, false);
}
