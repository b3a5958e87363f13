/* Listings: ListObjects, ListObjectsV2, ListObjectVersions, ListMultipartUploads. */
#include "gateway/gateway.h"

#include "codec/base64.h"

enum { PAGE = 1000 };

struct listing {
    struct pl_simple s;
    struct pl_op *op;
    struct pl_buf *b;
    const char *prefix, *delimiter, *after, *after_upload;
    uint32_t max;
    bool encoded;
};

/* A provider's token is any text; in XML and in a query it travels as base64. */
const char *pl_gw_pack_token(struct pl_gw_call *c, const char *token)
{
    struct pl_buf b = PL_BUF_MAX(8192);
    pl_base64_encode(&b, token, strlen(token));
    const char *text = pl_arena_dup(c->arena, pl_buf_view(&b));
    pl_buf_dispose(&b);
    return text;
}

const char *pl_gw_unpack_token(struct pl_gw_call *c, const char *text)
{
    struct pl_buf b = PL_BUF_MAX(8192);
    bool ok = text && pl_base64_decode(&b, pl_str_c(text)) && !pl_buf_rc(&b) && b.len &&
              !memchr(b.ptr, '\0', b.len);
    const char *token = ok ? pl_arena_dup(c->arena, pl_buf_view(&b)) : NULL;
    pl_buf_dispose(&b);
    return token;
}

/* The parameters that all of them have. False: an error was set. */
static bool take(struct pl_gw_call *c, struct listing *l, const char *max_name)
{
    bool bad;
    const char *encoding = pl_gw_param(c, "encoding-type");
    l->prefix = pl_gw_param(c, "prefix");
    l->delimiter = pl_gw_param(c, "delimiter");
    l->max = pl_gw_number(c, max_name, PAGE, &bad);
    l->encoded = encoding && strcmp(encoding, "url") == 0;
    if (bad || (encoding && *encoding && !l->encoded)) {
        pl_gw_fail(c, "InvalidArgument",
                   bad ? "the number of entries is not valid" : "encoding-type can only be url");
        return false;
    }
    l->max = l->max < PAGE ? l->max : PAGE;
    return true;
}

/* Runs the listing. False: an error was set, and the op is gone. */
static bool run(struct pl_gw_call *c, struct listing *l, enum pl_op_kind kind, const char *token)
{
    l->op = pl_gw_op(c, &l->s, kind, c->bucket, NULL);
    if (!l->op) {
        return false;
    }
    l->op->in.list.prefix = l->prefix;
    l->op->in.list.delimiter = l->delimiter && *l->delimiter ? l->delimiter : NULL;
    l->op->in.list.token = token;
    l->op->in.list.start_after = token || !l->after || !*l->after ? NULL : l->after;
    l->op->in.list.after_upload = l->after_upload;
    l->op->in.list.max = l->max ? l->max : 1; /* of 0: whether the bucket is there */
    l->op->in.list.versions =
        c->route->run == pl_gw_list_versions && c->g->caps.ability[PAIL_CAN_VERSIONS];
    if (pl_gw_run(&l->s)) {
        pl_gw_op_end(c, &l->s, false);
        return false;
    }
    if (l->max == 0) {
        l->op->out.item_count = 0;
        l->op->out.next_token = NULL;
    }
    return true;
}

static const char *last_key(const struct listing *l)
{
    return l->op->out.item_count ? l->op->out.items[l->op->out.item_count - 1].key : "";
}

/* "" for a prefix, which stands for all uploads below it. */
static const char *last_upload(const struct listing *l)
{
    size_t n = l->op->out.item_count;
    const char *id = n ? l->op->out.items[n - 1].upload_id : NULL;
    return id ? id : "";
}

static void head(struct pl_gw_call *c, struct listing *l, const char *root)
{
    l->b = pl_gw_xml(c, root);
    pl_gw_text(l->b, "Name", c->bucket);
    pl_gw_key_text(l->b, "Prefix", l->prefix ? l->prefix : "", l->encoded);
    if (l->delimiter && *l->delimiter) {
        pl_gw_key_text(l->b, "Delimiter", l->delimiter, l->encoded);
    }
    pl_gw_text(l->b, "EncodingType", l->encoded ? "url" : NULL);
    pl_gw_bool(l->b, "IsTruncated", l->op->out.next_token != NULL);
}

static void prefixes(struct listing *l)
{
    for (size_t i = 0; i < l->op->out.item_count; i++) {
        if (l->op->out.items[i].is_prefix) {
            pl_buf_puts(l->b, "<CommonPrefixes>");
            pl_gw_key_text(l->b, "Prefix", l->op->out.items[i].key, l->encoded);
            pl_buf_puts(l->b, "</CommonPrefixes>");
        }
    }
}

static void object(struct listing *l, const pail_info *i, const char *element, bool owner)
{
    pl_buf_printf(l->b, "<%s>", element);
    pl_gw_key_text(l->b, "Key", i->key, l->encoded);
    if (strcmp(element, "Contents") != 0) {
        bool known = l->op->in.list.versions && i->version;
        pl_gw_text(l->b, "VersionId", known ? i->version : "null");
        pl_gw_bool(l->b, "IsLatest", known ? i->is_latest : true);
    }
    pl_gw_time(l->b, "LastModified", i->mtime_ms);
    if (!i->is_delete_marker) {
        pl_gw_etag(l->b, i->etag);
        pl_gw_u64(l->b, "Size", i->size);
        pl_gw_text(l->b, "StorageClass", i->storage_class ? i->storage_class : "STANDARD");
    }
    if (owner) {
        pl_gw_owner(l->b, "Owner");
    }
    pl_buf_printf(l->b, "</%s>", element);
}

static void objects(struct listing *l, bool owner)
{
    for (size_t i = 0; i < l->op->out.item_count; i++) {
        if (!l->op->out.items[i].is_prefix) {
            object(l, &l->op->out.items[i], "Contents", owner);
        }
    }
}

static void end(struct pl_gw_call *c, struct listing *l, const char *root)
{
    pl_gw_xml_end(c, root);
    pl_gw_op_end(c, &l->s, false);
}

void pl_gw_list_v1(struct pl_gw_call *c)
{
    struct listing l = {.after = pl_gw_param(c, "marker")};
    if (!take(c, &l, "max-keys") || !run(c, &l, PL_OP_LIST, NULL)) {
        return;
    }
    head(c, &l, "ListBucketResult");
    pl_gw_key_text(l.b, "Marker", l.after ? l.after : "", l.encoded);
    pl_gw_u64(l.b, "MaxKeys", l.max);
    if (l.op->out.next_token && l.op->in.list.delimiter) {
        pl_gw_key_text(l.b, "NextMarker", last_key(&l), l.encoded);
    }
    objects(&l, true);
    prefixes(&l);
    end(c, &l, "ListBucketResult");
}

void pl_gw_list_v2(struct pl_gw_call *c)
{
    struct listing l = {.after = pl_gw_param(c, "start-after")};
    const char *said = pl_gw_param(c, "continuation-token"), *owner = pl_gw_param(c, "fetch-owner");
    const char *token = pl_gw_unpack_token(c, said);
    if (said && *said && !token) {
        pl_gw_fail(c, "InvalidArgument", "The continuation token provided is incorrect");
        return;
    }
    if (!take(c, &l, "max-keys") || !run(c, &l, PL_OP_LIST, token)) {
        return;
    }
    head(c, &l, "ListBucketResult");
    pl_gw_u64(l.b, "KeyCount", l.op->out.item_count);
    pl_gw_u64(l.b, "MaxKeys", l.max);
    pl_gw_text(l.b, "ContinuationToken", said);
    pl_gw_key_text(l.b, "StartAfter", l.after, l.encoded);
    if (l.op->out.next_token) {
        pl_gw_text(l.b, "NextContinuationToken", pl_gw_pack_token(c, l.op->out.next_token));
    }
    objects(&l, owner && strcmp(owner, "true") == 0);
    prefixes(&l);
    end(c, &l, "ListBucketResult");
}

/* A store without a history has one version of each object, which is called "null". */
void pl_gw_list_versions(struct pl_gw_call *c)
{
    struct listing l = {.after = pl_gw_param(c, "key-marker")};
    const char *marker = pl_gw_param(c, "version-id-marker");
    const char *token =
        marker && strcmp(marker, "null") != 0 ? pl_gw_unpack_token(c, marker) : NULL;
    if (!take(c, &l, "max-keys") || !run(c, &l, PL_OP_LIST, token)) {
        return;
    }
    head(c, &l, "ListVersionsResult");
    pl_gw_key_text(l.b, "KeyMarker", l.after ? l.after : "", l.encoded);
    pl_gw_text(l.b, "VersionIdMarker", marker ? marker : "");
    pl_gw_u64(l.b, "MaxKeys", l.max);
    if (l.op->out.next_token) {
        pl_gw_key_text(l.b, "NextKeyMarker", last_key(&l), l.encoded);
        pl_gw_text(l.b, "NextVersionIdMarker", pl_gw_pack_token(c, l.op->out.next_token));
    }
    for (size_t i = 0; i < l.op->out.item_count; i++) {
        const pail_info *item = &l.op->out.items[i];
        if (!item->is_prefix) {
            object(&l, item, item->is_delete_marker ? "DeleteMarker" : "Version", true);
        }
    }
    prefixes(&l);
    end(c, &l, "ListVersionsResult");
}

/* SPEC S3 ListMultipartUploads: with key-marker alone the keys behind it; upload-id-marker adds the
 * uploads of that key behind that one, and without key-marker it is ignored. Where the store does
 * not go on from an upload, its token is told for one. */
void pl_gw_list_uploads(struct pl_gw_call *c)
{
    struct listing l = {.after = pl_gw_param(c, "key-marker")};
    const char *marker = pl_gw_param(c, "upload-id-marker");
    bool knows = c->g->caps.lists_parts;
    const char *token = knows ? NULL : pl_gw_unpack_token(c, marker);
    l.after_upload = knows && marker && *marker ? marker : NULL;
    if (!take(c, &l, "max-uploads") || !run(c, &l, PL_OP_MP_LIST, token)) {
        return;
    }
    l.b = pl_gw_xml(c, "ListMultipartUploadsResult");
    pl_gw_text(l.b, "Bucket", c->bucket);
    pl_gw_key_text(l.b, "KeyMarker", l.after ? l.after : "", l.encoded);
    pl_gw_text(l.b, "UploadIdMarker", marker ? marker : "");
    if (l.op->out.next_token) {
        pl_gw_key_text(l.b, "NextKeyMarker", last_key(&l), l.encoded);
        pl_gw_text(l.b, "NextUploadIdMarker",
                   knows ? last_upload(&l) : pl_gw_pack_token(c, l.op->out.next_token));
    }
    pl_gw_key_text(l.b, "Prefix", l.prefix ? l.prefix : "", l.encoded);
    pl_gw_key_text(l.b, "Delimiter", l.delimiter, l.encoded);
    pl_gw_text(l.b, "EncodingType", l.encoded ? "url" : NULL);
    pl_gw_u64(l.b, "MaxUploads", l.max);
    pl_gw_bool(l.b, "IsTruncated", l.op->out.next_token != NULL);
    for (size_t i = 0; i < l.op->out.item_count; i++) {
        const pail_info *item = &l.op->out.items[i];
        if (!item->is_prefix) {
            pl_buf_puts(l.b, "<Upload>");
            pl_gw_key_text(l.b, "Key", item->key, l.encoded);
            pl_gw_text(l.b, "UploadId", item->upload_id);
            pl_gw_owner(l.b, "Initiator");
            pl_gw_owner(l.b, "Owner");
            pl_gw_text(l.b, "StorageClass", "STANDARD");
            pl_gw_time(l.b, "Initiated", item->mtime_ms);
            pl_buf_puts(l.b, "</Upload>");
        }
    }
    prefixes(&l);
    end(c, &l, "ListMultipartUploadsResult");
}
