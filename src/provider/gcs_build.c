/* From an operation to a request. Source: Cloud Storage JSON API v1, "Objects", "Buckets". */
#include <stdio.h>

#include "codec/base64.h"
#include "codec/url.h"
#include "cred/gcs.h"
#include "provider/gcs.h"

void pl_gcs_query(struct pl_gcs_build *b, const char *name, const char *value)
{
    pl_url_query_add(&b->query, name, pl_str_c(value));
}

static void query_u64(struct pl_gcs_build *b, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    pl_gcs_query(b, name, text);
}

/* SPEC "Encoding URI path parts": '/' of an object's name is encoded as well. */
void pl_gcs_object_path(struct pl_buf *out, const char *service, const char *bucket,
                        const char *key)
{
    pl_buf_puts(out, service);
    pl_buf_puts(out, "/storage/v1/b/");
    pl_url_encode(out, pl_str_c(bucket), 0);
    pl_buf_puts(out, "/o");
    if (key) {
        pl_buf_putc(out, '/');
        pl_url_encode(out, pl_str_c(key), 0);
    }
}

static void bucket_path(struct pl_gcs_build *b, const char *bucket)
{
    pl_buf_puts(&b->path, "/storage/v1/b");
    if (bucket) {
        pl_buf_putc(&b->path, '/');
        pl_url_encode(&b->path, pl_str_c(bucket), 0);
    }
}

/* A generation as a condition; what is none names no object there ever was. */
static void query_generation(struct pl_gcs_build *b, const char *prefix, const char *name,
                             const char *etag)
{
    char full[64], value[24];
    uint64_t generation;
    struct pl_str text = pl_str_trim(pl_str_c(etag));
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"') {
        text = pl_str_n(text.ptr + 1, text.len - 2);
    }
    snprintf(full, sizeof full, "%s%s", prefix, name);
    snprintf(value, sizeof value, "%llu",
             pl_str_u64(text, &generation) && generation ? (unsigned long long)generation : 1ULL);
    pl_gcs_query(b, full, value);
}

pail_code pl_gcs_add_conditions(struct pl_gcs_build *b, const pail_conditions *c,
                                const char *prefix, bool is_write)
{
    char name[64];
    if (is_write && (c->if_modified_since_ms || c->if_unmodified_since_ms)) {
        return pl_fail(b->err, PAIL_E_UNSUPPORTED,
                       "Cloud Storage takes no date as a condition of a %s",
                       pl_op_name(b->op->kind));
    }
    if (c->if_match && strcmp(c->if_match, "*") == 0) {
        snprintf(name, sizeof name, "%sGenerationNotMatch", prefix);
        pl_gcs_query(b, name, "0");
    } else if (c->if_match) {
        query_generation(b, prefix, "GenerationMatch", c->if_match);
    }
    if (c->if_none_match && strcmp(c->if_none_match, "*") != 0) {
        query_generation(b, prefix, "GenerationNotMatch", c->if_none_match);
    } else if (c->if_none_match && is_write) {
        snprintf(name, sizeof name, "%sGenerationMatch", prefix);
        pl_gcs_query(b, name, "0"); /* SPEC "Request preconditions": 0 means that there is none */
    }
    return PAIL_OK;
}

pail_code pl_gcs_add_encryption(struct pl_gcs_build *b, const pail_encryption *e, bool of_source)
{
    if (!e || !e->customer_key_base64) {
        return PAIL_OK;
    }
    if (!b->gcs->tls) {
        pail_code rc =
            pl_fail(b->err, PAIL_E_UNSUPPORTED, "a customer key is not sent over plain HTTP");
        pl_error_hint(b->err, "use an https endpoint");
        return rc;
    }
    struct pl_buf key = PL_BUF_MAX(64);
    struct pl_sum_value hash;
    pail_code rc = PAIL_OK;
    if (!pl_base64_decode(&key, pl_str_c(e->customer_key_base64)) || key.len != 32) {
        rc = pl_fail(b->err, PAIL_E_BAD_ARGUMENT, "a customer key is 32 bytes in base64");
    }
    rc = rc ? rc : pl_sum_of(PL_SUM_SHA256, key.ptr, key.len, &hash, b->err);
    if (!rc) {
        char text[PL_SUM_BASE64_MAX];
        const char *names[][3] = {{"x-goog-encryption-algorithm", "x-goog-encryption-key",
                                   "x-goog-encryption-key-sha256"},
                                  {"x-goog-copy-source-encryption-algorithm",
                                   "x-goog-copy-source-encryption-key",
                                   "x-goog-copy-source-encryption-key-sha256"}};
        pl_http_add_c(b->r, names[of_source][0], "AES256");
        pl_http_add_c(b->r, names[of_source][1], e->customer_key_base64);
        pl_http_add_c(b->r, names[of_source][2], pl_sum_base64(&hash, text));
    }
    if (key.ptr) {
        pl_zero(key.ptr, key.len);
    }
    pl_buf_dispose(&key);
    return rc;
}

void pl_gcs_set_json(struct pl_gcs_build *b, struct pl_buf *json)
{
    b->r->failed |= pl_buf_rc(json) != PAIL_OK;
    pl_http_add_c(b->r, "content-type", "application/json");
    pl_http_set_text(b->r, pl_buf_view(json));
    pl_buf_dispose(json);
}

static void version(struct pl_gcs_build *b)
{
    if (b->op->version) {
        pl_gcs_query(b, "generation", b->op->version);
    }
}

static pail_code build_stat(struct pl_gcs_build *b)
{
    b->r->method = "GET";
    pl_gcs_object_path(&b->path, "", b->op->bucket, b->op->key);
    version(b);
    pl_gcs_query(b, "projection", "noAcl");
    pail_code rc = pl_gcs_add_encryption(b, b->op->encryption, false);
    return rc ? rc : pl_gcs_add_conditions(b, &b->op->cond, "if", false);
}

static pail_code build_get(struct pl_gcs_build *b)
{
    const struct pl_range *range = &b->a->range;
    char text[64];
    b->r->method = "GET";
    pl_gcs_object_path(&b->path, "", b->op->bucket, b->op->key);
    pl_gcs_query(b, "alt", "media");
    if (b->memo->generation[0]) { /* the tail of what was begun */
        pl_gcs_query(b, "generation", b->memo->generation);
    } else {
        version(b);
    }
    if (range->kind != PL_RANGE_ALL) {
        uint64_t last = range->offset + range->length - 1;
        if (range->kind == PL_RANGE_SUFFIX) {
            snprintf(text, sizeof text, "bytes=-%llu", (unsigned long long)range->length);
        } else {
            snprintf(text, sizeof text, "bytes=%llu-%llu", (unsigned long long)range->offset,
                     (unsigned long long)(last < range->offset ? UINT64_MAX : last));
        }
        pl_http_add_c(b->r, "range", text);
    }
    /* SPEC "Transcoding of gzip-compressed files": with it the bytes come as they are stored. */
    pl_http_add_c(b->r, "accept-encoding", "gzip");
    pail_code rc = pl_gcs_add_encryption(b, b->op->encryption, false);
    return rc ? rc : pl_gcs_add_conditions(b, &b->op->cond, "if", false);
}

static pail_code build_put(struct pl_gcs_build *b)
{
    struct pl_buf resource = PL_BUF_MAX(64 * 1024);
    bool by_session = b->op->in.put.source->len > b->gcs->session_min;
    pl_buf_putc(&resource, '{');
    pail_code rc = pl_gcs_member(&resource, "name", b->op->key)
                       ? PAIL_OK
                       : pl_fail(b->err, PAIL_E_BAD_KEY, "the key is not UTF-8");
    rc = rc ? rc : pl_gcs_write_attributes(&resource, b->op->attr, b->op->encryption, b->err);
    if (rc || by_session) {
        rc = rc ? rc : pl_gcs_build_session_put(b, &resource);
        pl_buf_dispose(&resource);
        return rc;
    }
    rc = pl_gcs_add_conditions(b, &b->op->cond, "if", true);
    rc = rc ? rc : pl_gcs_add_encryption(b, b->op->encryption, false);
    if (!rc && b->op->attr && b->op->attr->canned_acl) {
        pl_gcs_query(b, "predefinedAcl", b->op->attr->canned_acl);
    }
    if (!rc && b->op->encryption && b->op->encryption->kms_key_id) {
        pl_gcs_query(b, "kmsKeyName", b->op->encryption->kms_key_id);
    }
    rc = rc ? rc : pl_gcs_add_insert(b, &resource);
    pl_buf_dispose(&resource);
    return rc;
}

static pail_code build_delete(struct pl_gcs_build *b)
{
    b->r->method = "DELETE";
    pl_gcs_object_path(&b->path, "", b->op->bucket, b->op->key);
    version(b);
    return pl_gcs_add_conditions(b, &b->op->cond, "if", true);
}

/* SPEC Objects: rewrite: any size, again with rewriteToken until it is done. */
static pail_code build_copy(struct pl_gcs_build *b)
{
    struct pl_op *op = b->op;
    struct pl_buf json = PL_BUF_MAX(64 * 1024);
    b->r->method = "POST";
    pl_gcs_object_path(&b->path, "", op->in.copy.bucket, op->in.copy.key);
    pl_buf_puts(&b->path, "/rewriteTo/b/");
    pl_url_encode(&b->path, pl_str_c(op->bucket), 0);
    pl_buf_puts(&b->path, "/o/");
    pl_url_encode(&b->path, pl_str_c(op->key), 0);
    if (op->in.copy.version) {
        pl_gcs_query(b, "sourceGeneration", op->in.copy.version);
    }
    if (b->memo->token) {
        pl_gcs_query(b, "rewriteToken", b->memo->token);
    }
    pl_buf_putc(&json, '{');
    pail_code rc = pl_gcs_write_attributes(&json, op->attr, op->encryption, b->err);
    /* An empty resource keeps the source's attributes; one with a member replaces all. */
    if (!rc && op->attr && !op->attr->content_type &&
        !pl_gcs_member(&json, "contentType", "application/octet-stream")) {
        rc = PAIL_E_NO_MEMORY;
    }
    pl_buf_putc(&json, '}');
    rc = rc ? rc : pl_gcs_add_conditions(b, &op->cond, "if", true);
    rc = rc ? rc : pl_gcs_add_conditions(b, &op->in.copy.cond, "ifSource", true);
    rc = rc ? rc : pl_gcs_add_encryption(b, op->encryption, false);
    rc = rc ? rc : pl_gcs_add_encryption(b, op->in.copy.encryption, true);
    if (!rc && op->encryption && op->encryption->kms_key_id) {
        pl_gcs_query(b, "destinationKmsKeyName", op->encryption->kms_key_id);
    }
    pl_gcs_set_json(b, &json);
    return rc;
}

static pail_code add_project(struct pl_gcs_build *b)
{
    const char *project = pl_settings_get(b->gcs->settings, "google_project_id");
    project = project ? project : pl_gcs_auth_project(b->gcs->auth);
    if (!project) {
        pail_code rc = pl_fail(b->err, PAIL_E_BAD_CONFIG,
                               "buckets belong to a project, and none is "
                               "known");
        pl_error_hint(b->err, "set google_project_id (GOOGLE_CLOUD_PROJECT)");
        return rc;
    }
    pl_gcs_query(b, "project", project);
    return PAIL_OK;
}

static pail_code build_bucket_create(struct pl_gcs_build *b)
{
    struct pl_buf json = PL_BUF_MAX(4096);
    const char *location = b->op->in.bucket_create.location, *name = b->op->bucket;
    const char *rule = strncmp(name, "goog", 4) == 0 ? "it begins with \"goog\""
                       : strstr(name, "google")      ? "it contains \"google\""
                                                     : NULL;
    if (rule) { /* SPEC "Bucket names" */
        return pl_fail(b->err, PAIL_E_BAD_BUCKET_NAME, "bucket name \"%.80s\" is refused: %s", name,
                       rule);
    }
    b->r->method = "POST";
    bucket_path(b, NULL);
    pl_buf_putc(&json, '{');
    bool fine = pl_gcs_member(&json, "name", name) &&
                (!location || pl_gcs_member(&json, "location", location));
    pl_buf_putc(&json, '}');
    pl_gcs_set_json(b, &json);
    return fine ? add_project(b) : pl_fail(b->err, PAIL_E_BAD_ARGUMENT, "a name is not UTF-8");
}

static pail_code build_buckets(struct pl_gcs_build *b)
{
    b->r->method = "GET";
    bucket_path(b, NULL);
    if (b->op->in.list.prefix && *b->op->in.list.prefix) {
        pl_gcs_query(b, "prefix", b->op->in.list.prefix);
    }
    if (b->op->in.list.token) {
        pl_gcs_query(b, "pageToken", b->op->in.list.token);
    }
    if (b->op->in.list.max) {
        query_u64(b, "maxResults", b->op->in.list.max);
    }
    return add_project(b);
}

static pail_code build_kind(struct pl_gcs_build *b)
{
    switch (b->op->kind) {
    case PL_OP_STAT: return build_stat(b);
    case PL_OP_GET: return build_get(b);
    case PL_OP_PUT: return build_put(b);
    case PL_OP_DELETE: return build_delete(b);
    case PL_OP_DELETE_MANY:
        return pl_gcs_add_batch(b, b->op->in.delete_many.names, b->op->in.delete_many.count);
    case PL_OP_COPY: return build_copy(b);
    case PL_OP_LIST:
    case PL_OP_MP_LIST: return pl_gcs_build_list(b);
    case PL_OP_MP_BEGIN:
    case PL_OP_MP_PART:
    case PL_OP_MP_FINISH:
    case PL_OP_MP_ABORT: return pl_gcs_build_upload(b);
    case PL_OP_BUCKET_CREATE: return build_bucket_create(b);
    case PL_OP_BUCKET_DELETE:
        b->r->method = "DELETE";
        return bucket_path(b, b->op->bucket), PAIL_OK;
    case PL_OP_BUCKET_STAT: b->r->method = "GET"; return bucket_path(b, b->op->bucket), PAIL_OK;
    case PL_OP_BUCKET_LIST: return build_buckets(b);
    case PL_OP_MP_COPY_PART:
        return pl_fail(b->err, PAIL_E_UNSUPPORTED, "Cloud Storage copies whole objects only");
    case PL_OP_TAGS_GET:
    case PL_OP_TAGS_SET:
        return pl_fail(b->err, PAIL_E_UNSUPPORTED, "Cloud Storage has no tags of objects");
    case PL_OP_PRESIGN:
    case PL_OP_KIND_COUNT: break;
    }
    return pl_fail(b->err, PAIL_E_UNSUPPORTED, "Cloud Storage has no such operation");
}

static pail_code add_extra(struct pl_gcs_build *b)
{
    static const char *const reserved[] = {
        "host",  "authorization", "content-length",  "transfer-encoding", "connection",
        "range", "expect",        "accept-encoding", "content-type"};
    for (size_t i = 0; i < b->op->header_count; i++) {
        const pail_kv *kv = &b->op->headers[i];
        for (size_t j = 0; j < sizeof reserved / sizeof *reserved; j++) {
            if (pl_str_ieq(pl_str_c(kv->name), pl_str_c(reserved[j]))) {
                return pl_fail(b->err, PAIL_E_BAD_ARGUMENT,
                               "header %s is set by the request itself", kv->name);
            }
        }
        pl_http_add_c(b->r, kv->name ? kv->name : "", kv->value);
    }
    return PAIL_OK;
}

static pail_code set_target(struct pl_gcs_build *b)
{
    const char *payer = pl_settings_get(b->gcs->settings, "google_user_project");
    struct pl_buf target = PL_BUF_MAX(2 * PL_GCS_TARGET_MAX);
    if (payer) {
        pl_gcs_query(b, "userProject", payer);
    }
    b->r->origin = (struct pl_origin){b->gcs->tls, b->gcs->host, b->gcs->port};
    pl_buf_puts(&target, b->gcs->base_path);
    pl_buf_str(&target, pl_buf_view(&b->path));
    pl_buf_puts(&target, b->query.len ? "?" : "");
    pl_buf_str(&target, pl_buf_view(&b->query));
    bool fine = !pl_buf_rc(&target) && !pl_buf_rc(&b->path) && !pl_buf_rc(&b->query);
    b->r->target = fine ? pl_arena_dup(&b->r->arena, pl_buf_view(&target)) : NULL;
    pl_buf_dispose(&target);
    return b->r->target ? PAIL_OK
           : fine       ? pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory for a request")
                  : pl_fail(b->err, PAIL_E_TOO_LARGE, "the address of the request is too long");
}

static pail_code authorize(struct pl_gcs_build *b)
{
    struct pl_buf value = PL_BUF_MAX(16 * 1024);
    pail_code rc = pl_gcs_auth_header(b->gcs->auth, b->a->now_ms, &value, b->err);
    if (!rc && value.len) {
        pl_http_add(b->r, "authorization", pl_buf_view(&value));
    }
    if (value.ptr) {
        pl_zero(value.ptr, value.cap);
    }
    pl_buf_dispose(&value);
    return rc;
}

pail_code pl_gcs_build(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                       struct pl_http_request *out, struct pail_error **err)
{
    if (!a->memo) {
        a->memo = pl_arena_alloc(&op->arena, sizeof(struct pl_gcs_memo));
    }
    if (!a->memo) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a request");
    }
    struct pl_gcs_build b = {.gcs = (struct pl_gcs *)d,
                             .op = op,
                             .a = a,
                             .r = out,
                             .err = err,
                             .memo = a->memo,
                             .path = PL_BUF_MAX(PL_GCS_TARGET_MAX),
                             .query = PL_BUF_MAX(PL_GCS_TARGET_MAX)};
    pail_code rc = build_kind(&b);
    if (!rc && out->method) {
        rc = add_extra(&b);
        rc = rc ? rc : set_target(&b);
        rc = rc ? rc : authorize(&b);
        if (!rc && out->failed) {
            rc = pl_fail(err, PAIL_E_BAD_ARGUMENT,
                         "the request has too many headers, or one with a control character");
        }
    }
    pl_buf_dispose(&b.path);
    pl_buf_dispose(&b.query);
    return rc;
}
