/* Deletes, tags, and the calls of a multipart upload that move no bytes. */
#include "gateway/gateway.h"

#include "codec/hex.h"

/* ---- deletes ---- */

void pl_gw_delete_object(struct pl_gw_call *c)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_DELETE, c->bucket, c->key);
    if (!op) {
        return;
    }
    pl_gw_take_conditions(c, "", &op->cond);
    op->version = pl_gw_version(c, pl_gw_param(c, "versionId"));
    pail_code rc = pl_gw_run(&s);
    /* SPEC S3 DeleteObject: what is not there is as good as deleted. */
    bool gone = rc == PAIL_E_NOT_FOUND || rc == PAIL_E_VERSION_NOT_FOUND;
    pl_gw_op_end(c, &s, gone);
    if (rc == PAIL_OK || gone) {
        pl_gw_reply(c, 204);
    }
}

struct deletes {
    struct pl_buf *b;
    const struct pl_gw_names *names;
    size_t at;
};

static void one_deleted(const char *key, const pail_error *err, void *ctx)
{
    struct deletes *d = ctx;
    const char *version = d->names->names[d->at++].version;
    bool gone = !err || err->code == PAIL_E_NOT_FOUND || err->code == PAIL_E_VERSION_NOT_FOUND;
    if (gone && d->names->quiet) {
        return;
    }
    pl_buf_puts(d->b, gone ? "<Deleted>" : "<Error>");
    pl_gw_text(d->b, "Key", key);
    pl_gw_text(d->b, "VersionId", version);
    if (!gone) {
        pl_gw_text(d->b, "Code", pl_gw_error_code(err->code));
        pl_gw_text(d->b, "Message", pail_error_message(err));
    }
    pl_buf_puts(d->b, gone ? "</Deleted>" : "</Error>");
}

/* Keys that no store takes do not exist. */
static void drop_impossible(struct pl_gw_names *names, struct deletes *d)
{
    size_t n = 0;
    for (size_t i = 0; i < names->count; i++) {
        if (pl_key_check(names->names[i].key, NULL) == PAIL_OK) {
            names->names[n++] = names->names[i];
        } else if (!names->quiet) {
            pl_buf_puts(d->b, "<Deleted>");
            pl_gw_text(d->b, "Key", names->names[i].key);
            pl_buf_puts(d->b, "</Deleted>");
        }
    }
    names->count = n;
}

void pl_gw_delete_objects(struct pl_gw_call *c)
{
    struct pl_gw_names names = {0};
    struct pail_error *e = NULL;
    if (!pl_gw_read_delete(c, &names)) {
        return;
    }
    struct pl_buf *b = pl_gw_xml(c, "DeleteResult");
    struct deletes d = {.b = b, .names = &names};
    struct pl_delete_many many = {.task = {.provider = c->g->provider, .pool = c->g->pool},
                                  .bucket = c->bucket,
                                  .each = one_deleted,
                                  .each_ctx = &d};
    drop_impossible(&names, &d);
    many.names = names.names;
    many.count = names.count;
    if (names.count) {
        pl_delete_many_init(&many);
        (void)pl_task_run(&many.task);
        pail_code rc = pl_task_result(&many.task, NULL, &e);
        bool all_told = d.at == names.count; /* then each failure stands in the reply */
        if (rc && !all_told) {
            pl_gw_fail_op(c, rc, e);
        }
        pail_error_free(e);
    }
    if (!c->error) {
        pl_gw_xml_end(c, "DeleteResult");
    }
}

/* ---- tags ---- */

void pl_gw_get_tags(struct pl_gw_call *c)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_TAGS_GET, c->bucket, c->key);
    if (!op) {
        return;
    }
    op->version = pl_gw_version(c, pl_gw_param(c, "versionId"));
    if (pl_gw_run(&s) == PAIL_OK) {
        struct pl_buf *b = pl_gw_xml(c, "Tagging");
        pl_buf_puts(b, "<TagSet>");
        for (size_t i = 0; i < op->out.info.tag_count; i++) {
            pl_buf_puts(b, "<Tag>");
            pl_gw_text(b, "Key", op->out.info.tags[i].name);
            pl_gw_text(b, "Value", op->out.info.tags[i].value);
            pl_buf_puts(b, "</Tag>");
        }
        pl_buf_puts(b, "</TagSet>");
        pl_gw_xml_end(c, "Tagging");
    }
    pl_gw_op_end(c, &s, false);
}

static void set_tags(struct pl_gw_call *c, const pail_kv *tags, size_t count, int status)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_TAGS_SET, c->bucket, c->key);
    if (!op) {
        return;
    }
    op->version = pl_gw_version(c, pl_gw_param(c, "versionId"));
    op->in.tags.tags = tags;
    op->in.tags.count = count;
    pail_code rc = pl_gw_run(&s);
    pl_gw_op_end(c, &s, false);
    if (rc == PAIL_OK) {
        pl_gw_reply(c, status);
    }
}

void pl_gw_put_tags(struct pl_gw_call *c)
{
    pail_kv *tags;
    size_t count;
    if (pl_gw_read_tags(c, &tags, &count)) {
        set_tags(c, tags, count, 200);
    }
}

void pl_gw_delete_tags(struct pl_gw_call *c)
{
    set_tags(c, NULL, 0, 204);
}

/* ---- multipart ---- */

void pl_gw_begin_upload(struct pl_gw_call *c)
{
    struct pl_simple s;
    if (!pl_gw_take_attributes(c, &c->attr)) {
        return;
    }
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_MP_BEGIN, c->bucket, c->key);
    if (!op) {
        return;
    }
    op->attr = &c->attr;
    pl_gw_take_conditions(c, "", &op->cond);
    if (pl_gw_run(&s) == PAIL_OK) {
        struct pl_buf *b = pl_gw_xml(c, "InitiateMultipartUploadResult");
        pl_gw_text(b, "Bucket", c->bucket);
        pl_gw_text(b, "Key", c->key);
        pl_gw_text(b, "UploadId", op->out.upload_id);
        pl_gw_xml_end(c, "InitiateMultipartUploadResult");
    }
    pl_gw_op_end(c, &s, false);
}

void pl_gw_abort_upload(struct pl_gw_call *c)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_MP_ABORT, c->bucket, c->key);
    if (!op) {
        return;
    }
    op->in.mp.upload_id = pl_gw_param(c, "uploadId");
    pail_code rc = pl_gw_run(&s);
    pl_gw_op_end(c, &s, false);
    if (rc == PAIL_OK) {
        pl_gw_reply(c, 204);
    }
}

/* The form that S3 gives: MD5 of the parts' MD5s, and their number. Parts that were copied have an
 * ETag of another form, whose text counts. NULL: no memory, or no MD5 here. */
static const char *etag_of(struct pl_gw_call *c, const struct pl_part *parts, size_t count)
{
    struct pl_digest d = {0};
    struct pl_sum_value v;
    char hex[33];
    if (pl_digest_init(&d, PL_SUM_MD5, NULL)) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        unsigned char md5[16];
        bool is_md5 = pl_hex_decode(md5, sizeof md5, pl_str_c(parts[i].etag));
        pl_digest_update(&d, is_md5 ? (const void *)md5 : parts[i].etag,
                         is_md5 ? sizeof md5 : strlen(parts[i].etag));
    }
    pail_code rc = pl_digest_final(&d, &v, NULL);
    pl_digest_dispose(&d);
    if (rc) {
        return NULL;
    }
    struct pl_buf b = PL_BUF_MAX(64);
    pl_hex_encode(hex, v.bytes, v.len);
    pl_buf_printf(&b, "%s-%zu", hex, count);
    const char *text = pl_arena_dup(c->arena, pl_buf_view(&b));
    pl_buf_dispose(&b);
    return text;
}

static void finished(struct pl_gw_call *c, const char *etag)
{
    struct pl_buf *b = pl_gw_xml(c, "CompleteMultipartUploadResult");
    struct pl_str host = pl_http_call_header(c->http, "host");
    struct pl_buf location = PL_BUF_MAX(8192);
    pl_buf_printf(&location, "http://%.*s/%s/%s", (int)host.len, host.ptr ? host.ptr : "",
                  c->bucket, c->key);
    pl_gw_text(b, "Location", pl_buf_rc(&location) ? NULL : location.ptr);
    pl_gw_text(b, "Bucket", c->bucket);
    pl_gw_text(b, "Key", c->key);
    pl_gw_etag(b, etag);
    pl_buf_dispose(&location);
    pl_gw_xml_end(c, "CompleteMultipartUploadResult");
}

void pl_gw_finish_upload(struct pl_gw_call *c)
{
    struct pl_simple s;
    struct pl_part *parts;
    size_t count;
    if (!pl_gw_read_parts(c, &parts, &count)) {
        return;
    }
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_MP_FINISH, c->bucket, c->key);
    if (!op) {
        return;
    }
    pl_gw_take_conditions(c, "", &op->cond);
    op->in.mp.upload_id = pl_gw_param(c, "uploadId");
    op->in.mp.parts = parts;
    op->in.mp.count = count;
    op->in.mp.etag = c->g->caps.keeps_etag ? etag_of(c, parts, count) : NULL;
    pail_code rc = pl_gw_run(&s);
    if (rc == PAIL_OK) {
        finished(c, op->out.info.etag);
    }
    pl_gw_op_end(c, &s, rc == PAIL_E_BAD_ARGUMENT);
    if (rc == PAIL_E_BAD_ARGUMENT) { /* a part is not as the list says */
        pl_gw_fail(c, "InvalidPart", NULL);
    }
}
