/* An object's resource, both ways. Source: Cloud Storage JSON API v1 "Objects" (resource
 * representation, insert), "Hashes and ETags". */
#include <errno.h>

#include "base/sys.h"
#include "codec/crc.h"
#include "codec/date.h"
#include "codec/hex.h"
#include "provider/gcs.h"

enum { CHUNK = 256 * 1024 };

bool pl_gcs_member(struct pl_buf *out, const char *name, const char *value)
{
    if (out->len && out->ptr[out->len - 1] != '{') {
        pl_buf_putc(out, ',');
    }
    bool fine = pl_json_quote(out, pl_str_c(name));
    pl_buf_putc(out, ':');
    return pl_json_quote(out, pl_str_c(value)) && fine;
}

static pail_code write_metadata(struct pl_buf *out, const pail_kv *kv, size_t count,
                                struct pail_error **err)
{
    struct pl_buf object = PL_BUF_MAX(64 * 1024);
    bool fine = true;
    pl_buf_putc(&object, '{');
    for (size_t i = 0; fine && i < count; i++) {
        struct pl_str value = pl_str_c(kv[i].value);
        char name[1024];
        size_t n = strlen(kv[i].name);
        fine =
            n && n < sizeof name && pl_header_safe(value) && pl_header_safe(pl_str_c(kv[i].name));
        for (size_t j = 0; fine && j <= n; j++) {
            char c = kv[i].name[j];
            name[j] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        }
        fine = fine && pl_gcs_member(&object, name, kv[i].value);
    }
    pl_buf_puts(&object, "}");
    pl_buf_puts(out, out->len && out->ptr[out->len - 1] != '{' ? "," : "");
    pl_buf_puts(out, "\"metadata\":");
    pl_buf_str(out, pl_buf_view(&object));
    fine = fine && !pl_buf_rc(&object);
    pl_buf_dispose(&object);
    return fine ? PAIL_OK
                : pl_fail(err, PAIL_E_BAD_ARGUMENT,
                          "the metadata hold control characters, are not UTF-8 or too much");
}

pail_code pl_gcs_write_attributes(struct pl_buf *out, const pail_attributes *attr,
                                  const pail_encryption *e, struct pail_error **err)
{
    if (e && e->algorithm && !e->customer_key_base64) {
        pail_code rc = pl_fail(err, PAIL_E_UNSUPPORTED,
                               "Cloud Storage encrypts by itself and takes no algorithm");
        pl_error_hint(err, "give a KMS key or a customer key, or nothing");
        return rc;
    }
    if (!attr) {
        return PAIL_OK;
    }
    if (attr->tag_count) {
        return pl_fail(err, PAIL_E_UNSUPPORTED, "Cloud Storage has no tags of objects");
    }
    if (attr->expires) {
        pl_fail(err, PAIL_E_UNSUPPORTED, "Cloud Storage keeps no Expires header");
        pl_error_hint(err, "set Cache-Control instead");
        return PAIL_E_UNSUPPORTED;
    }
    const struct {
        const char *name, *value;
    } members[] = {{"contentType", attr->content_type},
                   {"contentEncoding", attr->content_encoding},
                   {"contentLanguage", attr->content_language},
                   {"contentDisposition", attr->content_disposition},
                   {"cacheControl", attr->cache_control},
                   {"storageClass", attr->storage_class}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct pl_str value = pl_str_c(members[i].value);
        if (members[i].value &&
            (!pl_header_safe(value) || !pl_gcs_member(out, members[i].name, members[i].value))) {
            return pl_fail(err, PAIL_E_BAD_ARGUMENT, "%s has control characters or is not UTF-8",
                           members[i].name);
        }
    }
    /* Empty ones as well: a copy shall not keep its source's. */
    return write_metadata(out, attr->metadata, attr->metadata_count, err);
}

/* One pass over the source; a later attempt knows it. */
pail_code pl_gcs_source_sum(struct pl_gcs_build *b)
{
    const struct pl_body *source = b->op->in.put.source;
    uint32_t crc = 0;
    pail_code rc = PAIL_OK;
    if (b->memo->has_sum) {
        return PAIL_OK;
    }
    if (source->kind == PL_BODY_MEM) {
        crc = pl_crc32c(0, source->ptr, (size_t)source->len);
    } else {
        char *chunk = pl_alloc(CHUNK);
        if (!chunk) {
            return pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory to read the source");
        }
        for (uint64_t at = 0; at < source->len && !rc;) {
            size_t n = source->len - at < CHUNK ? (size_t)(source->len - at) : CHUNK;
            if (!pl_body_read(source, at, chunk, n)) {
                rc = errno
                         ? pl_fail_errno(b->err, errno, "cannot read the source")
                         : pl_fail(b->err, PAIL_E_CHANGED, "the source changed while it was read");
            }
            crc = pl_crc32c(crc, chunk, rc ? 0 : n);
            at += n;
        }
        pl_free(chunk);
    }
    b->memo->has_sum = rc == PAIL_OK;
    b->memo->crc32c = pl_sum_of_crc(PL_SUM_CRC32C, crc);
    b->op->out.sum = (struct pl_part_sum){PL_SUM_CRC32C, crc};
    return rc;
}

static bool make_boundary(struct pl_gcs_memo *memo)
{
    unsigned char random[16];
    if (memo->boundary[0]) {
        return true;
    }
    if (!pl_sys.random(random, sizeof random)) {
        return false;
    }
    memcpy(memo->boundary, "pail-", 5);
    pl_hex_encode(memo->boundary + 5, random, sizeof random);
    return true;
}

/* SPEC Objects: insert, "Multipart upload": the resource, then the bytes. The service checks the
 * crc32c of the resource against them and refuses with 400. */
pail_code pl_gcs_add_insert(struct pl_gcs_build *b, struct pl_buf *resource)
{
    char text[PL_SUM_BASE64_MAX];
    struct pl_buf frame = PL_BUF_MAX(80 * 1024);
    const pail_attributes *attr = b->op->kind == PL_OP_PUT ? b->op->attr : NULL;
    pail_code rc = b->gcs->verify ? pl_gcs_source_sum(b) : PAIL_OK;
    if (rc) {
        return rc;
    }
    bool fine = make_boundary(b->memo) &&
                (!b->gcs->verify ||
                 pl_gcs_member(resource, "crc32c", pl_sum_base64(&b->memo->crc32c, text)));
    b->r->method = "POST";
    pl_gcs_object_path(&b->path, "/upload", b->op->bucket, NULL);
    pl_gcs_query(b, "uploadType", "multipart");
    pl_buf_printf(&frame, "multipart/related; boundary=%s", b->memo->boundary);
    pl_http_add_c(b->r, "content-type", frame.ptr ? frame.ptr : "");
    pl_buf_clear(&frame);
    pl_buf_printf(&frame, "--%s\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n",
                  b->memo->boundary);
    pl_buf_str(&frame, pl_buf_view(resource));
    pl_buf_printf(&frame, "}\r\n--%s\r\ncontent-type: %s\r\n\r\n", b->memo->boundary,
                  attr && attr->content_type ? attr->content_type : "application/octet-stream");
    fine = fine && !pl_buf_rc(&frame) && !pl_buf_rc(resource);
    char *before = fine ? pl_arena_dup(&b->r->arena, pl_buf_view(&frame)) : NULL;
    size_t before_len = frame.len;
    pl_buf_clear(&frame);
    pl_buf_printf(&frame, "\r\n--%s--\r\n", b->memo->boundary);
    char *after =
        fine && !pl_buf_rc(&frame) ? pl_arena_dup(&b->r->arena, pl_buf_view(&frame)) : NULL;
    b->r->before = pl_str_n(before, before ? before_len : 0);
    b->r->after = pl_str_c(after);
    b->r->body = b->op->in.put.source;
    pl_buf_dispose(&frame);
    return before && after ? PAIL_OK
                           : pl_fail(b->err, PAIL_E_TOO_LARGE, "the attributes are too much");
}

/* ---- Back */

static const char *text_of(struct pl_arena *arena, const json_t *o, const char *member)
{
    return pl_arena_dup_c(arena, pl_json_text(o, member));
}

static const char *checksum(struct pl_arena *arena, const char *name, const char *value)
{
    struct pl_buf text = PL_BUF_MAX(256);
    pl_buf_printf(&text, "%s:%s", name, value);
    const char *copy = pl_buf_rc(&text) ? NULL : pl_arena_dup(arena, pl_buf_view(&text));
    pl_buf_dispose(&text);
    return copy;
}

static void read_metadata(struct pl_arena *arena, const json_t *all, pail_info *info)
{
    size_t count = json_object_size(all), n = 0;
    pail_kv *kv = count ? pl_arena_alloc(arena, count * sizeof *kv) : NULL;
    const char *name;
    json_t *value, *object = (json_t *)(uintptr_t)all;
    if (!kv) {
        return;
    }
    json_object_foreach(object, name, value)
    {
        if (json_is_string(value)) {
            kv[n].name = pl_arena_dup_c(arena, name);
            kv[n++].value = pl_arena_dup_c(arena, json_string_value(value));
        }
    }
    info->metadata = kv;
    info->metadata_count = n;
}

bool pl_gcs_read_resource(struct pl_arena *arena, const json_t *o, pail_info *info)
{
    const char *updated = pl_json_text(o, "updated");
    const char *created = pl_json_text(o, "timeCreated");
    const char *crc = pl_json_text(o, "crc32c"), *md5 = pl_json_text(o, "md5Hash");
    *info = (pail_info){.key = text_of(arena, o, "name"), .mtime_ms = -1};
    if (!info->key || !pl_json_text(o, "generation") || !pl_json_u64(o, "size", &info->size)) {
        return false;
    }
    /* When the bytes came; `updated` also moves with the metadata. */
    if (!pl_date_iso_parse(pl_str_c(created), &info->mtime_ms)) {
        (void)pl_date_iso_parse(pl_str_c(updated), &info->mtime_ms);
    }
    info->etag = info->version = text_of(arena, o, "generation");
    info->content_type = text_of(arena, o, "contentType");
    info->content_encoding = text_of(arena, o, "contentEncoding");
    info->content_language = text_of(arena, o, "contentLanguage");
    info->content_disposition = text_of(arena, o, "contentDisposition");
    info->cache_control = text_of(arena, o, "cacheControl");
    info->storage_class = text_of(arena, o, "storageClass");
    info->encryption = json_object_get(o, "customerEncryption") ? "customer"
                       : json_object_get(o, "kmsKeyName")       ? "kms"
                                                                : NULL;
    info->checksum = crc   ? checksum(arena, "crc32c", crc)
                     : md5 ? checksum(arena, "md5", md5)
                           : NULL;
    info->is_latest = !json_object_get(o, "timeDeleted");
    read_metadata(arena, json_object_get(o, "metadata"), info);
    return true;
}

struct pl_str pl_gcs_hash(const struct pl_http_response *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++) { /* one header with both, or two */
        struct pl_str rest = r->headers[i].value;
        while (pl_str_ieq(r->headers[i].name, PL_STR("x-goog-hash")) && rest.ptr) {
            struct pl_str one = pl_str_trim(pl_str_split(&rest, ','));
            if (pl_str_starts(one, pl_str_c(name))) {
                return pl_str_n(one.ptr + strlen(name), one.len - strlen(name));
            }
        }
    }
    return (struct pl_str){0};
}

static const char *header(struct pl_arena *arena, const struct pl_http_response *r,
                          const char *name)
{
    struct pl_str value = pl_http_header(r, name);
    return value.len ? pl_arena_dup(arena, value) : NULL;
}

static void read_meta_headers(struct pl_arena *arena, const struct pl_http_response *r,
                              pail_info *info)
{
    struct pl_str start = PL_STR("x-goog-meta-");
    size_t n = 0;
    pail_kv *kv = pl_arena_alloc(arena, (r->header_count + 1) * sizeof *kv);
    for (size_t i = 0; kv && i < r->header_count; i++) {
        struct pl_str name = r->headers[i].name;
        if (name.len <= start.len || !pl_str_ieq(pl_str_n(name.ptr, start.len), start)) {
            continue;
        }
        char *key = pl_arena_dup(arena, pl_str_n(name.ptr + start.len, name.len - start.len));
        for (char *c = key; c && *c; c++) {
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
        }
        kv[n].name = key;
        kv[n++].value = pl_arena_dup(arena, r->headers[i].value);
    }
    info->metadata = kv;
    info->metadata_count = n;
}

void pl_gcs_read_headers(struct pl_op *op, const struct pl_http_response *r)
{
    struct pl_arena *arena = &op->arena;
    pail_info *info = &op->out.info;
    uint64_t first, last;
    struct pl_str crc = pl_gcs_hash(r, "crc32c=");
    *info = (pail_info){.key = pl_arena_dup_c(arena, op->key), .is_latest = !op->version};
    if (r->status != 206 || !pl_http_content_range(r, &first, &last, &info->size)) {
        info->size = r->has_length ? r->content_length : r->body_bytes;
    }
    info->mtime_ms = pl_http_header_date(r, "last-modified");
    info->etag = info->version = header(arena, r, "x-goog-generation");
    info->content_type = header(arena, r, "content-type");
    info->content_encoding = header(arena, r, "content-encoding");
    info->content_language = header(arena, r, "content-language");
    info->content_disposition = header(arena, r, "content-disposition");
    info->cache_control = header(arena, r, "cache-control");
    info->storage_class = header(arena, r, "x-goog-storage-class");
    info->encryption = pl_http_header(r, "x-goog-encryption-algorithm").len ? "customer" : NULL;
    if (crc.len && crc.len < 64) {
        char text[64];
        memcpy(text, crc.ptr, crc.len);
        text[crc.len] = '\0';
        info->checksum = checksum(arena, "crc32c", text);
    }
    read_meta_headers(arena, r, info);
}
