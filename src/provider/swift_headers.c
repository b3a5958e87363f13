/* The headers of a request and the checksum of its body. Source: Object Storage API "Create or
 * replace object", "Get object content and metadata". */
#include <errno.h>

#include "codec/date.h"
#include "codec/hex.h"
#include "provider/request.h"
#include "provider/swift.h"

pail_code pl_swift_refuse(struct pl_swift_build *b, const char *what, const char *hint)
{
    pail_code rc = pl_fail(b->err, PAIL_E_UNSUPPORTED, "Swift has no %s", what);
    if (hint) {
        pl_error_hint(b->err, "%s", hint);
    }
    return rc;
}

/* Swift's servers drop a header with an underscore in its name without a word, and blanks at the
 * ends of values are not part of them (RFC 9110 section 5.5). Other text goes as it is, in UTF-8.
 */
static pail_code add_metadata(struct pl_swift_build *b, const pail_kv *kv)
{
    struct pl_str name = pl_str_c(kv->name), value = pl_str_c(kv->value);
    struct pl_buf header = PL_BUF_MAX(1024);
    if (!pl_header_token(name) || strchr(kv->name, '_')) {
        pail_code rc = pl_fail(b->err, PAIL_E_BAD_ARGUMENT,
                               "metadata name \"%s\" cannot be kept by Swift: letters, digits, "
                               "hyphens and dots can",
                               kv->name && pl_header_safe(name) ? kv->name : "?");
        pl_error_hint(b->err, "use a hyphen instead of an underscore");
        return rc;
    }
    if (!pl_header_safe(value) || pl_str_trim(value).len != value.len) {
        return pl_fail(b->err, PAIL_E_BAD_ARGUMENT,
                       "the value of metadata \"%s\" has a control character, or a blank at an end",
                       kv->name);
    }
    pl_buf_puts(&header, "x-object-meta-");
    for (const char *c = kv->name; *c; c++) {
        pl_buf_putc(&header, *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c);
    }
    b->r->failed |= pl_buf_rc(&header) != PAIL_OK;
    if (!pl_buf_rc(&header)) {
        pl_http_add(b->r, header.ptr, value);
    }
    pl_buf_dispose(&header);
    return PAIL_OK;
}

static bool over(size_t n, uint32_t max)
{
    return max && n > max;
}

static pail_code too_large(struct pl_swift_build *b, const char *what, const char *name,
                           uint32_t max, const char *limit)
{
    bool fine = pl_header_safe(pl_str_c(name));
    return pl_fail(b->err, PAIL_E_TOO_LARGE,
                   "%s%s%.60s is over the service's limit of %u (/info: %s)", what,
                   *name ? " " : "", fine ? name : "?", (unsigned)max, limit);
}

/* What /info told already is held against before any data is sent. SPEC Swift "Discoverability",
 * "Constraints": names and values are counted in bytes of UTF-8. */
static pail_code check_limits(struct pl_swift_build *b, const pail_attributes *attr)
{
    const struct pl_swift_info *info = &b->info;
    size_t all = 0;
    for (size_t i = 0; i < attr->metadata_count; i++) {
        const pail_kv *kv = &attr->metadata[i];
        size_t name = strlen(kv->name ? kv->name : ""), value = strlen(kv->value ? kv->value : "");
        all += name + value;
        if (over(name, info->meta_name_max)) {
            return too_large(b, "the metadata name", kv->name, info->meta_name_max,
                             "max_meta_name_length");
        }
        if (over(value, info->meta_value_max)) {
            return too_large(b, "the value of metadata", kv->name, info->meta_value_max,
                             "max_meta_value_length");
        }
    }
    if (over(attr->metadata_count, info->meta_count_max)) {
        return too_large(b, "the count of metadata", "", info->meta_count_max, "max_meta_count");
    }
    return over(all, info->meta_overall_max)
               ? too_large(b, "the metadata together", "", info->meta_overall_max,
                           "max_meta_overall_size")
               : PAIL_OK;
}

pail_code pl_swift_add_attributes(struct pl_swift_build *b, const pail_attributes *attr)
{
    const pail_encryption *e = b->op->encryption;
    if (e && (e->algorithm || e->kms_key_id || e->customer_key_base64)) {
        return pl_swift_refuse(b, "encryption that a client asks for",
                               "the operator of the service turns it on for everything");
    }
    if (!attr) {
        return PAIL_OK;
    }
    if (attr->tag_count) {
        return pl_swift_refuse(b, "tags", "store them as metadata");
    }
    if (attr->canned_acl) {
        return pl_swift_refuse(b, "rights of single objects", "they are set on containers");
    }
    if (attr->expires) {
        return pl_swift_refuse(b, "Expires header", "set Cache-Control instead");
    }
    if (attr->storage_class) {
        return pl_swift_refuse(b, "storage class of single objects",
                               "a container has a storage policy: create it with "
                               "swift_storage_policy=NAME");
    }
    const struct {
        const char *name, *value;
    } headers[] = {{"content-type", attr->content_type},
                   {"content-encoding", attr->content_encoding},
                   {"content-language", attr->content_language},
                   {"content-disposition", attr->content_disposition},
                   {"cache-control", attr->cache_control}};
    pail_code rc = check_limits(b, attr);
    for (size_t i = 0; !rc && i < sizeof headers / sizeof *headers; i++) {
        if (headers[i].value && over(strlen(headers[i].value), b->info.header_max)) {
            rc = too_large(b, "header", headers[i].name, b->info.header_max, "max_header_size");
        } else if (headers[i].value) {
            pl_http_add_c(b->r, headers[i].name, headers[i].value);
        }
    }
    for (size_t i = 0; !rc && i < attr->metadata_count; i++) {
        rc = add_metadata(b, &attr->metadata[i]);
    }
    return rc;
}

static void add_etag(struct pl_swift_build *b, const char *name, const char *etag)
{
    struct pl_buf value = PL_BUF_MAX(1024);
    bool bare = strcmp(etag, "*") != 0 && etag[0] != '"';
    pl_buf_printf(&value, "%s%s%s", bare ? "\"" : "", etag, bare ? "\"" : "");
    b->r->failed |= pl_buf_rc(&value) != PAIL_OK;
    if (!pl_buf_rc(&value)) {
        pl_http_add(b->r, name, pl_buf_view(&value));
    }
    pl_buf_dispose(&value);
}

static void add_date(struct pl_swift_build *b, const char *name, int64_t ms)
{
    char date[PL_DATE_HTTP_SIZE];
    pl_http_add_c(b->r, name, pl_date_http(ms, date));
}

pail_code pl_swift_add_read_conditions(struct pl_swift_build *b, const pail_conditions *cond)
{
    if (cond->if_match) {
        add_etag(b, "if-match", cond->if_match);
    }
    if (cond->if_none_match) {
        add_etag(b, "if-none-match", cond->if_none_match);
    }
    if (cond->if_modified_since_ms) {
        add_date(b, "if-modified-since", cond->if_modified_since_ms);
    }
    if (cond->if_unmodified_since_ms) {
        add_date(b, "if-unmodified-since", cond->if_unmodified_since_ms);
    }
    return PAIL_OK;
}

/* SPEC Object Storage API "Create or replace object": If-None-Match takes "*" alone; there is no
 * If-Match. A copy hands its conditions to the reading of the source. Never emulated. */
pail_code pl_swift_add_write_conditions(struct pl_swift_build *b)
{
    const pail_conditions *c = &b->op->cond;
    bool create_only = c->if_none_match && strcmp(c->if_none_match, "*") == 0 && !c->if_match &&
                       !c->if_modified_since_ms && !c->if_unmodified_since_ms;
    if (!pl_conditions_any(c)) {
        return PAIL_OK;
    }
    if (!create_only || b->op->kind == PL_OP_COPY || b->op->kind == PL_OP_DELETE) {
        pail_code rc = pl_fail(b->err, PAIL_E_UNSUPPORTED, "Swift checks no such condition on %s",
                               pl_op_name(b->op->kind));
        pl_error_hint(b->err, "a put or upload may be create-only (if_none_match \"*\")");
        return rc;
    }
    if (b->op->kind != PL_OP_MP_BEGIN) { /* told early, sent with the end */
        pl_http_add_c(b->r, "if-none-match", "*");
    }
    return PAIL_OK;
}

static const char *const reserved[] = {
    "host",        "content-length", "transfer-encoding", "connection",      "x-auth-token",
    "etag",        "range",          "if-match",          "if-none-match",   "expect",
    "x-copy-from", "destination",    "x-object-manifest", "accept-encoding", "accept",
    NULL};

/* SPEC Object Storage API "Create or replace object" X-Delete-After: parts end by themselves, too;
 * a day later, so that no object outlives them that was long in the making. */
static void add_expiry(struct pl_swift_build *b)
{
    enum { LATER_S = 86400 };
    uint64_t after_s = pl_settings_u64(b->s->settings, "swift_delete_after", 0);
    struct pl_buf text = PL_BUF_MAX(32);
    enum pl_op_kind kind = b->op->kind;
    bool part = kind == PL_OP_MP_PART || kind == PL_OP_MP_COPY_PART;
    bool whole = kind == PL_OP_PUT || kind == PL_OP_COPY || kind == PL_OP_MP_FINISH;
    for (size_t i = 0; i < b->op->header_count; i++) {
        whole &= !pl_str_ieq(pl_str_c(b->op->headers[i].name), PL_STR("x-delete-at"));
    }
    if (after_s && (part || whole)) {
        pl_buf_u64(&text, part ? after_s + LATER_S : after_s);
        pl_http_add(b->r, "x-delete-after", pl_buf_view(&text));
    }
    pl_buf_dispose(&text);
}

pail_code pl_swift_add_extra(struct pl_swift_build *b)
{
    add_expiry(b);
    return pl_request_add_extra(b->r, b->op, reserved, b->err);
}

/* ---- The body */

static pail_code compute(struct pl_swift_build *b)
{
    struct pl_sum_value v;
    struct pail_error *e = NULL;
    pail_code rc = pl_request_sum_source(PL_SUM_MD5, b->op->in.put.source, &v, &e);
    if (rc == PAIL_E_UNSUPPORTED) { /* a FIPS provider has none; the length still counts */
        pail_error_free(e);
        return PAIL_OK;
    }
    if (rc) {
        *b->err = e;
        return rc;
    }
    pl_hex_encode(b->memo->md5, v.bytes, v.len);
    return PAIL_OK;
}

/* SPEC Object Storage API "Create or replace object": a request with an ETag is refused (422) where
 * the MD5 of what arrived is another. */
pail_code pl_swift_add_body(struct pl_swift_build *b)
{
    if (b->s->verify && !b->memo->md5[0]) {
        pail_code rc = compute(b);
        if (rc) {
            return rc;
        }
    }
    if (b->memo->md5[0]) {
        pl_http_add_c(b->r, "etag", b->memo->md5);
    }
    b->r->body = b->op->in.put.source;
    return PAIL_OK;
}
