/* The headers of a request: each only where the caller asked for it. Source: Azure Blob Storage
 * REST API "Put Blob", "Put Block List", "Copy Blob", "Specifying conditional headers". */
#include "codec/base64.h"
#include "codec/date.h"
#include "codec/encoded_word.h"
#include "codec/hex.h"
#include "codec/url.h"
#include "provider/request.h"
#include "provider/azure.h"

/* SPEC "Naming and referencing metadata": names are C# identifiers. Other characters become _xHHHH_
 * as .NET's XmlConvert.EncodeLocalName writes them, and so does what looks like that. */
static bool looks_encoded(struct pl_str s)
{
    if (s.len < 7 || s.ptr[0] != '_' || s.ptr[1] != 'x' || s.ptr[6] != '_') {
        return false;
    }
    for (int i = 2; i < 6; i++) {
        if (pl_hex_digit(s.ptr[i]) < 0) {
            return false;
        }
    }
    return true;
}

void pl_azure_metadata_name(struct pl_buf *out, struct pl_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'z';
        bool plain = letter || (digit && i > 0) ||
                     (c == '_' && !looks_encoded(pl_str_n(name.ptr + i, name.len - i)));
        if (plain) {
            pl_buf_putc(out, c);
        } else {
            pl_buf_printf(out, "_x%04x_", (unsigned)(unsigned char)c);
        }
    }
}

void pl_azure_metadata_name_decode(char *name)
{
    char *to = name;
    for (const char *from = name; *from; to++) {
        unsigned char byte = 0;
        if (looks_encoded(pl_str_c(from)) && from[2] == '0' && from[3] == '0' &&
            pl_hex_decode(&byte, 1, pl_str_n(from + 4, 2)) && byte > 0x20 && byte < 0x7f) {
            *to = (char)byte;
            from += 7;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

static pail_code add_one(struct pl_azure_build *b, const pail_kv *kv)
{
    struct pl_buf low = PL_BUF_MAX(1024), name = PL_BUF_MAX(8192), value = PL_BUF_MAX(64 * 1024);
    pail_code rc = PAIL_OK;
    if (!pl_header_token(pl_str_c(kv->name))) {
        rc = pl_fail(b->err, PAIL_E_BAD_ARGUMENT,
                     "metadata name \"%s\" cannot stand in a header: letters, digits and - . _ do",
                     kv->name && pl_header_safe(pl_str_c(kv->name)) ? kv->name : "?");
        goto out;
    }
    for (const char *c = kv->name; *c; c++) {
        pl_buf_putc(&low, *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c);
    }
    pl_buf_puts(&name, "x-ms-meta-");
    pl_azure_metadata_name(&name, pl_buf_view(&low));
    pl_encoded_word_write(&value, pl_str_c(kv->value));
    rc = pl_buf_rc(&low)    ? pl_buf_rc(&low)
         : pl_buf_rc(&name) ? pl_buf_rc(&name)
                            : pl_buf_rc(&value);
    if (rc) {
        rc = pl_fail(b->err, rc, "the metadata do not fit into headers");
        goto out;
    }
    pl_http_add(b->r, name.ptr, pl_buf_view(&value));
out:
    pl_buf_dispose(&low);
    pl_buf_dispose(&name);
    pl_buf_dispose(&value);
    return rc;
}

pail_code pl_azure_add_metadata(struct pl_azure_build *b, const pail_attributes *attr)
{
    for (size_t i = 0; i < attr->metadata_count; i++) {
        pail_code rc = add_one(b, &attr->metadata[i]);
        if (rc) {
            return rc;
        }
    }
    return PAIL_OK;
}

void pl_azure_add_content(struct pl_azure_build *b, const pail_attributes *attr)
{
    const struct {
        const char *name, *value;
    } headers[] = {{"x-ms-blob-content-type", attr->content_type},
                   {"x-ms-blob-content-encoding", attr->content_encoding},
                   {"x-ms-blob-content-language", attr->content_language},
                   {"x-ms-blob-content-disposition", attr->content_disposition},
                   {"x-ms-blob-cache-control", attr->cache_control}};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        if (headers[i].value) {
            pl_http_add_c(b->r, headers[i].name, headers[i].value);
        }
    }
}

static pail_code add_tags(struct pl_azure_build *b, const pail_attributes *attr)
{
    struct pl_buf text = PL_BUF_MAX(16 * 1024);
    for (size_t i = 0; i < attr->tag_count; i++) {
        pl_url_query_add(&text, attr->tags[i].name, pl_str_c(attr->tags[i].value));
    }
    pail_code rc = pl_buf_rc(&text);
    if (!rc && attr->tag_count) {
        pl_http_add(b->r, "x-ms-tags", pl_buf_view(&text));
    }
    pl_buf_dispose(&text);
    return rc ? pl_fail(b->err, rc, "the tags do not fit into a header") : PAIL_OK;
}

pail_code pl_azure_add_attributes(struct pl_azure_build *b, const pail_attributes *attr)
{
    if (!attr) {
        return PAIL_OK;
    }
    if (attr->canned_acl) {
        pail_code rc = pl_fail(b->err, PAIL_E_UNSUPPORTED, "Azure has no ACL of single blobs");
        pl_error_hint(b->err, "give access by a role, or by a presigned URL");
        return rc;
    }
    if (attr->expires) {
        pail_code rc = pl_fail(b->err, PAIL_E_UNSUPPORTED, "Azure keeps no Expires header");
        pl_error_hint(b->err, "set Cache-Control instead");
        return rc;
    }
    pl_azure_add_content(b, attr);
    if (attr->storage_class) {
        pl_http_add_c(b->r, "x-ms-access-tier", attr->storage_class);
    }
    pail_code rc = pl_azure_add_metadata(b, attr);
    return rc ? rc : add_tags(b, attr);
}

/* SPEC "Provide an encryption key on a request to Blob Storage". */
pail_code pl_azure_add_encryption(struct pl_azure_build *b, const pail_encryption *e)
{
    if (!e || (!e->algorithm && !e->kms_key_id && !e->customer_key_base64)) {
        return PAIL_OK;
    }
    if (!e->customer_key_base64) {
        pail_code rc =
            pl_fail(b->err, PAIL_E_UNSUPPORTED, "Azure encrypts by itself, with its account's key");
        pl_error_hint(b->err, "leave encryption out, or give a customer key");
        return rc;
    }
    if (!b->az->tls) {
        pail_code rc =
            pl_fail(b->err, PAIL_E_UNSUPPORTED, "a customer key is not sent over plain HTTP");
        pl_error_hint(b->err, "use an https endpoint");
        return rc;
    }
    struct pl_buf key = PL_BUF_MAX(64);
    struct pl_sum_value sum;
    pail_code rc = PAIL_OK;
    if (!pl_base64_decode(&key, pl_str_c(e->customer_key_base64)) || key.len != 32) {
        rc = pl_fail(b->err, PAIL_E_BAD_ARGUMENT, "a customer key is 32 bytes in base64");
    }
    rc = rc ? rc : pl_sum_of(PL_SUM_SHA256, key.ptr, key.len, &sum, b->err);
    if (!rc) {
        char text[PL_SUM_BASE64_MAX];
        pl_http_add_c(b->r, "x-ms-encryption-key", e->customer_key_base64);
        pl_http_add_c(b->r, "x-ms-encryption-key-sha256", pl_sum_base64(&sum, text));
        pl_http_add_c(b->r, "x-ms-encryption-algorithm", "AES256");
    }
    if (key.ptr) {
        pl_zero(key.ptr, key.len);
    }
    pl_buf_dispose(&key);
    return rc;
}

static void add_prefixed(struct pl_azure_build *b, const char *prefix, const char *name,
                         struct pl_str value)
{
    struct pl_buf header = PL_BUF_MAX(128);
    pl_buf_puts(&header, prefix);
    pl_buf_puts(&header, name);
    if (pl_buf_rc(&header)) {
        b->r->failed = true;
    } else {
        pl_http_add(b->r, header.ptr, value);
    }
    pl_buf_dispose(&header);
}

static void add_etag(struct pl_azure_build *b, const char *prefix, const char *name,
                     const char *etag)
{
    struct pl_buf value = PL_BUF_MAX(1024);
    bool bare =
        strcmp(etag, "*") != 0 && etag[0] != '"' && !pl_str_starts(pl_str_c(etag), PL_STR("W/\""));
    pl_buf_puts(&value, bare ? "\"" : "");
    pl_buf_puts(&value, etag);
    pl_buf_puts(&value, bare ? "\"" : "");
    b->r->failed |= pl_buf_rc(&value) != PAIL_OK;
    add_prefixed(b, prefix, name, pl_buf_view(&value));
    pl_buf_dispose(&value);
}

void pl_azure_add_conditions(struct pl_azure_build *b, const pail_conditions *cond,
                             const char *prefix)
{
    char date[PL_DATE_HTTP_SIZE];
    if (cond->if_match) {
        add_etag(b, prefix, "if-match", cond->if_match);
    }
    if (cond->if_none_match) {
        add_etag(b, prefix, "if-none-match", cond->if_none_match);
    }
    if (cond->if_modified_since_ms) {
        add_prefixed(b, prefix, "if-modified-since",
                     pl_str_c(pl_date_http(cond->if_modified_since_ms, date)));
    }
    if (cond->if_unmodified_since_ms) {
        add_prefixed(b, prefix, "if-unmodified-since",
                     pl_str_c(pl_date_http(cond->if_unmodified_since_ms, date)));
    }
}

/* What the signature, the engine or the operation itself decide. */
static const char *const reserved[] = {
    "host",       "authorization",   "content-length", "transfer-encoding",
    "connection", "x-ms-date",       "x-ms-version",   "x-ms-range",
    "range",      "if-match",        "if-none-match",  "x-ms-copy-source",
    "expect",     "accept-encoding", "x-ms-blob-type", NULL};

pail_code pl_azure_add_extra(struct pl_azure_build *b)
{
    return pl_request_add_extra(b->r, b->op, reserved, b->err);
}
