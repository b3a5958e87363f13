/* Uploads in parts: they become static large objects. Source: Swift "Static Large Objects". */
#include "base/sys.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/url.h"
#include "provider/swift.h"

enum { MANIFEST_MAX = 8 << 20, KEY_MAX = 1024, NUMBER_ROOM = 7 /* "/UPLOAD/12345" */ };

static void part_path(struct pl_swift_build *b, const char *upload_id, uint32_t number)
{
    struct pl_buf key = PL_BUF_MAX(4096);
    pl_buf_printf(&key, number ? "%s/%s/%u" : "%s/%s", b->op->key, upload_id, (unsigned)number);
    b->r->failed |= pl_buf_rc(&key) != PAIL_OK;
    pl_swift_path(b, b->op->bucket, PL_SWIFT_SEGMENTS, key.ptr ? key.ptr : "");
    pl_buf_dispose(&key);
}

static pail_code check_begin(struct pl_swift_build *b)
{
    if (b->info.known && !b->info.slo) {
        return pl_swift_refuse(b, "static large objects here (/info does not offer them)",
                               "objects up to the service's largest can be put in one request");
    }
    if (!pl_swift_may_have_segments(b->op->bucket)) {
        return pl_swift_refuse(b, "room in the name of this container for that of its parts",
                               "with \"" PL_SWIFT_SEGMENTS "\" behind it, it has to have at most "
                               "256 bytes");
    }
    if (strlen(b->op->key) + PL_SWIFT_UPLOAD_ID + NUMBER_ROOM > KEY_MAX) {
        return pl_swift_refuse(b, "room in a name for the parts of so long a key",
                               "a key of an upload in parts has to have at most 985 bytes");
    }
    if (b->bucket.known && !b->bucket.exists) {
        return pl_fail(b->err, PAIL_E_BUCKET_NOT_FOUND, "no such bucket");
    }
    pail_code rc = pl_swift_add_write_conditions(b);
    return rc ? rc : pl_swift_add_attributes(b, b->op->attr);
}

/* Makes the mark of the upload, and before it, where there is none yet, the container of segments,
 * in the policy of the bucket. */
pail_code pl_swift_build_begin(struct pl_swift_build *b)
{
    unsigned char random[PL_SWIFT_UPLOAD_ID / 2];
    pail_code rc = check_begin(b);
    if (rc) {
        return rc;
    }
    if (!b->memo->upload_id[0]) {
        if (!pl_sys.random(random, sizeof random)) {
            return pl_fail(b->err, PAIL_E_IO, "the system gives no random numbers");
        }
        pl_hex_encode(b->memo->upload_id, random, sizeof random);
    }
    b->r->header_count = 0; /* attributes were only checked; the manifest has them */
    b->r->method = "PUT";
    if (!b->bucket.segments && !b->memo->made) {
        b->memo->stage = PL_SWIFT_MAKE;
        pl_swift_path(b, b->op->bucket, PL_SWIFT_SEGMENTS, NULL);
        if (b->bucket.policy[0]) {
            pl_http_add_c(b->r, "x-storage-policy", b->bucket.policy);
        }
        return PAIL_OK;
    }
    part_path(b, b->memo->upload_id, 0);
    pl_http_add_c(b->r, "content-type", "application/octet-stream");
    return PAIL_OK;
}

pail_code pl_swift_build_part(struct pl_swift_build *b)
{
    b->r->method = "PUT";
    part_path(b, b->op->in.put.upload_id, b->op->in.put.number);
    pl_http_add_c(b->r, "content-type", "application/octet-stream");
    return pl_swift_add_body(b);
}

/* The Range of a copy is that of its source, in Swift's copy middleware as in its S3 layer. */
pail_code pl_swift_build_copy_part(struct pl_swift_build *b)
{
    const struct pl_op *op = b->op;
    struct pl_buf range = PL_BUF_MAX(64);
    b->r->method = "PUT";
    pl_swift_path(b, op->in.copy.bucket, NULL, op->in.copy.key);
    b->r->failed |= pl_buf_rc(&b->path) != PAIL_OK;
    pl_http_add(b->r, "x-copy-from", pl_buf_view(&b->path));
    pl_buf_clear(&b->path);
    part_path(b, op->in.copy.upload_id, op->in.copy.number);
    pl_buf_printf(&range, "bytes=%llu-%llu", (unsigned long long)op->in.copy.offset,
                  (unsigned long long)(op->in.copy.offset + op->in.copy.length - 1));
    pl_http_add(b->r, "range", pl_buf_view(&range));
    pl_buf_dispose(&range);
    pl_http_add_c(b->r, "x-fresh-metadata", "true");
    pl_http_add_c(b->r, "content-type", "application/octet-stream");
    return pl_swift_add_read_conditions(b, &op->in.copy.cond);
}

static bool write_manifest(struct pl_swift_build *b, struct pl_buf *text)
{
    const struct pl_op *op = b->op;
    bool fine = true;
    pl_buf_putc(text, '[');
    for (size_t i = 0; i < op->in.mp.count; i++) {
        const struct pl_part *part = &op->in.mp.parts[i];
        struct pl_buf path = PL_BUF_MAX(4096);
        pl_buf_printf(&path, "/%s" PL_SWIFT_SEGMENTS "/%s/%s/%u", op->bucket, op->key,
                      op->in.mp.upload_id, (unsigned)part->number);
        pl_buf_puts(text, i ? ",{\"path\":" : "{\"path\":");
        fine = fine && !pl_buf_rc(&path) && pl_json_quote(text, pl_buf_view(&path));
        pl_buf_puts(text, ",\"etag\":");
        fine = fine && pl_json_quote(text, pl_str_c(part->etag));
        if (part->size) { /* who finishes another's upload may not know it; the MD5 still counts */
            pl_buf_printf(text, ",\"size_bytes\":%llu", (unsigned long long)part->size);
        }
        pl_buf_putc(text, '}');
        pl_buf_dispose(&path);
    }
    pl_buf_putc(text, ']');
    return fine && !pl_buf_rc(text);
}

/* SPEC Swift "Static Large Objects" #uploading-the-manifest: the server compares MD5 and size of
 * each part; the ETag of the whole is the MD5 of those MD5s. Where something may be replaced whose
 * parts have to go, the first try is create-only: that saves asking what is there. */
pail_code pl_swift_build_finish(struct pl_swift_build *b)
{
    struct pl_buf text = PL_BUF_MAX(MANIFEST_MAX);
    const struct pl_op *op = b->op;
    b->r->method = "PUT";
    pl_swift_path(b, op->bucket, NULL, op->key);
    pl_buf_puts(&b->query, "multipart-manifest=put");
    pail_code rc = pl_swift_add_write_conditions(b);
    rc = rc ? rc : pl_swift_add_attributes(b, op->attr);
    if (b->memo->stage == PL_SWIFT_TRY) {
        pl_http_add_c(b->r, "if-none-match", "*");
    }
    if (!pl_swift_is_upload_id(pl_str_c(op->in.mp.upload_id))) {
        rc = pl_fail(b->err, PAIL_E_UPLOAD_NOT_FOUND, "no such upload");
    }
    if (!rc && !write_manifest(b, &text)) {
        rc = pl_fail(b->err, PAIL_E_TOO_LARGE, "the manifest of %zu parts is too long",
                     op->in.mp.count);
    }
    if (!rc) {
        pl_http_set_text(b->r, pl_buf_view(&text));
    }
    if (!rc && !b->memo->made) {
        b->memo->made = true;
        if (!pl_swift_add_mark(b->op, b->memo)) {
            rc = pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory for the manifest");
        }
    }
    pl_buf_dispose(&text);
    return rc;
}

bool pl_swift_manifest_etag(const struct pl_part *parts, size_t count, char out[33])
{
    struct pl_digest d = {0};
    struct pl_sum_value v;
    if (pl_digest_init(&d, PL_SUM_MD5, NULL)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        pl_digest_update(&d, parts[i].etag, strlen(parts[i].etag));
    }
    bool fine = pl_digest_final(&d, &v, NULL) == PAIL_OK;
    pl_digest_dispose(&d);
    if (fine) {
        pl_hex_encode(out, v.bytes, v.len);
    }
    return fine;
}
