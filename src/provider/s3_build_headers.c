/* The headers of a request: each only where the caller asked for it. Source: Amazon S3 API
 * Reference "PutObject", "CopyObject", "GetObject"; "Working with object metadata". */
#include "codec/base64.h"
#include "codec/date.h"
#include "codec/encoded_word.h"
#include "codec/url.h"
#include "provider/request.h"
#include "provider/s3.h"

pail_code pl_s3_unsupported(struct pl_s3_build *b, const char *what, const char *setting)
{
    if (b->view.express) {
        return pl_fail(b->err, PAIL_E_UNSUPPORTED, "a directory bucket takes no %s", what);
    }
    pail_code rc =
        pl_fail(b->err, PAIL_E_UNSUPPORTED, "service %s takes no %s", b->view.p.service, what);
    pl_error_hint(b->err, "set %s if yours does", setting);
    return rc;
}

static pail_code add_metadata(struct pl_s3_build *b, const pail_kv *kv)
{
    struct pl_buf name = PL_BUF_MAX(1024), value = PL_BUF_MAX(64 * 1024);
    pail_code rc = PAIL_OK;
    if (!pl_header_token(pl_str_c(kv->name))) {
        rc = pl_fail(b->err, PAIL_E_BAD_ARGUMENT,
                     "metadata name \"%s\" cannot stand in a header: letters, digits and - . _ do",
                     kv->name && pl_header_safe(pl_str_c(kv->name)) ? kv->name : "?");
        goto out;
    }
    pl_buf_puts(&name, "x-amz-meta-");
    for (const char *c = kv->name; *c; c++) {
        pl_buf_putc(&name, *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c);
    }
    pl_encoded_word_write(&value, pl_str_c(kv->value));
    rc = pl_buf_rc(&name) ? pl_buf_rc(&name) : pl_buf_rc(&value);
    if (rc) {
        rc = pl_fail(b->err, rc, "the metadata do not fit into headers");
        goto out;
    }
    pl_http_add(b->r, name.ptr, pl_buf_view(&value));
out:
    pl_buf_dispose(&name);
    pl_buf_dispose(&value);
    return rc;
}

static pail_code add_tags(struct pl_s3_build *b, const pail_kv *tags, size_t count)
{
    struct pl_buf text = PL_BUF_MAX(16 * 1024);
    for (size_t i = 0; i < count; i++) {
        pl_url_query_add(&text, tags[i].name, pl_str_c(tags[i].value));
    }
    pail_code rc = pl_buf_rc(&text);
    if (!rc) {
        pl_http_add(b->r, "x-amz-tagging", pl_buf_view(&text));
    }
    pl_buf_dispose(&text);
    return rc ? pl_fail(b->err, rc, "the tags do not fit into a header") : PAIL_OK;
}

pail_code pl_s3_add_attributes(struct pl_s3_build *b, const pail_attributes *attr, bool with_tags)
{
    if (!attr) {
        return PAIL_OK;
    }
    const struct {
        const char *name, *value;
    } headers[] = {{"content-type", attr->content_type},
                   {"content-encoding", attr->content_encoding},
                   {"content-language", attr->content_language},
                   {"content-disposition", attr->content_disposition},
                   {"cache-control", attr->cache_control},
                   {"expires", attr->expires},
                   {"x-amz-storage-class", attr->storage_class},
                   {"x-amz-acl", attr->canned_acl}};
    if (attr->storage_class && !b->view.p.storage_class) {
        return pl_s3_unsupported(b, "storage class", "s3_class=true");
    }
    if (attr->canned_acl && !b->view.p.acl) {
        return pl_s3_unsupported(b, "canned ACL", "s3_acl=true");
    }
    if (attr->tag_count && !b->view.p.tags) {
        return pl_s3_unsupported(b, "tags", "s3_tags=true");
    }
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        if (headers[i].value) {
            pl_http_add_c(b->r, headers[i].name, headers[i].value);
        }
    }
    for (size_t i = 0; i < attr->metadata_count; i++) {
        pail_code rc = add_metadata(b, &attr->metadata[i]);
        if (rc) {
            return rc;
        }
    }
    return with_tags && attr->tag_count ? add_tags(b, attr->tags, attr->tag_count) : PAIL_OK;
}

#define SSE        "x-amz-server-side-encryption"
#define SOURCE_SSE "x-amz-copy-source-server-side-encryption"

pail_code pl_s3_add_customer_key(struct pl_s3_build *b, const pail_encryption *e, bool of_source)
{
    if (!e || !e->customer_key_base64) {
        return PAIL_OK;
    }
    if (b->view.express && !of_source) {
        return pl_s3_unsupported(b, "customer keys", NULL);
    }
    if (!b->s3->tls) {
        pail_code rc =
            pl_fail(b->err, PAIL_E_UNSUPPORTED, "a customer key is not sent over plain HTTP");
        pl_error_hint(b->err, "use an https endpoint");
        return rc;
    }
    struct pl_buf key = PL_BUF_MAX(64);
    struct pl_sum_value md5;
    pail_code rc = PAIL_OK;
    if (!pl_base64_decode(&key, pl_str_c(e->customer_key_base64)) || key.len != 32) {
        rc = pl_fail(b->err, PAIL_E_BAD_ARGUMENT, "a customer key is 32 bytes in base64");
    }
    rc = rc ? rc : pl_sum_of(PL_SUM_MD5, key.ptr, key.len, &md5, b->err);
    if (!rc) {
        char text[PL_SUM_BASE64_MAX];
        pl_http_add_c(b->r,
                      of_source ? SOURCE_SSE "-customer-algorithm" : SSE "-customer-algorithm",
                      "AES256");
        pl_http_add_c(b->r, of_source ? SOURCE_SSE "-customer-key" : SSE "-customer-key",
                      e->customer_key_base64);
        pl_http_add_c(b->r, of_source ? SOURCE_SSE "-customer-key-md5" : SSE "-customer-key-md5",
                      pl_sum_base64(&md5, text));
    }
    if (key.ptr) {
        pl_zero(key.ptr, key.len);
    }
    pl_buf_dispose(&key);
    return rc;
}

pail_code pl_s3_add_encryption(struct pl_s3_build *b, const pail_encryption *e)
{
    if (!e || (!e->algorithm && !e->kms_key_id && !e->customer_key_base64)) {
        return PAIL_OK;
    }
    if (b->view.p.sse == PL_S3_SSE_NONE ||
        (b->view.p.sse == PL_S3_SSE_CUSTOMER && (e->algorithm || e->kms_key_id))) {
        return pl_s3_unsupported(b, "server-side encryption of this kind", "s3_sse=all");
    }
    if (e->algorithm && !e->customer_key_base64) {
        pl_http_add_c(b->r, SSE, e->algorithm);
    }
    if (e->kms_key_id) {
        pl_http_add_c(b->r, SSE "-aws-kms-key-id", e->kms_key_id);
    }
    return pl_s3_add_customer_key(b, e, false);
}

/* An entity tag as RFC 9110 section 8.8.3 writes it. */
static void add_etag(struct pl_http_request *r, const char *prefix, const char *name,
                     const char *etag)
{
    struct pl_buf header = PL_BUF_MAX(128), value = PL_BUF_MAX(1024);
    bool bare =
        strcmp(etag, "*") != 0 && etag[0] != '"' && !pl_str_starts(pl_str_c(etag), PL_STR("W/\""));
    pl_buf_puts(&header, prefix);
    pl_buf_puts(&header, name);
    pl_buf_puts(&value, bare ? "\"" : "");
    pl_buf_puts(&value, etag);
    pl_buf_puts(&value, bare ? "\"" : "");
    if (pl_buf_rc(&header) || pl_buf_rc(&value)) {
        r->failed = true;
    } else {
        pl_http_add(r, header.ptr, pl_buf_view(&value));
    }
    pl_buf_dispose(&header);
    pl_buf_dispose(&value);
}

static void add_date(struct pl_http_request *r, const char *prefix, const char *name, int64_t ms)
{
    struct pl_buf header = PL_BUF_MAX(128);
    char date[PL_DATE_HTTP_SIZE];
    pl_buf_puts(&header, prefix);
    pl_buf_puts(&header, name);
    if (pl_buf_rc(&header)) {
        r->failed = true;
    } else {
        pl_http_add_c(r, header.ptr, pl_date_http(ms, date));
    }
    pl_buf_dispose(&header);
}

pail_code pl_s3_add_conditions(struct pl_s3_build *b, const pail_conditions *cond,
                               const char *prefix)
{
    if (cond->if_match) {
        add_etag(b->r, prefix, "if-match", cond->if_match);
    }
    if (cond->if_none_match) {
        add_etag(b->r, prefix, "if-none-match", cond->if_none_match);
    }
    if (cond->if_modified_since_ms) {
        add_date(b->r, prefix, "if-modified-since", cond->if_modified_since_ms);
    }
    if (cond->if_unmodified_since_ms) {
        add_date(b->r, prefix, "if-unmodified-since", cond->if_unmodified_since_ms);
    }
    return PAIL_OK;
}

static const struct pl_s3_cond *gate_of(const struct pl_s3_build *b)
{
    switch (b->op->kind) {
    case PL_OP_COPY: return &b->view.p.cond_copy;
    case PL_OP_DELETE: return &b->view.p.cond_delete;
    case PL_OP_MP_BEGIN:
    case PL_OP_MP_FINISH: return &b->view.p.cond_multipart;
    default: return &b->view.p.cond_put;
    }
}

static bool probed_well(const struct pl_s3_build *b)
{
    const struct pl_s3_learned *l = &b->view.learned;
    bool multipart = b->op->kind == PL_OP_MP_BEGIN || b->op->kind == PL_OP_MP_FINISH;
    enum pl_s3_probed create = multipart ? l->multipart_create : l->put_create;
    enum pl_s3_probed match = multipart ? l->multipart_match : l->put_match;
    return pl_s3_is_probe(b->op) || ((!b->op->cond.if_none_match || create == PL_S3_KEPT) &&
                                     (!b->op->cond.if_match || match == PL_S3_KEPT));
}

/* Whether the service checks these conditions in the write itself. Never emulated. */
static bool passes_gate(const struct pl_s3_build *b, const struct pl_s3_cond *gate)
{
    const pail_conditions *c = &b->op->cond;
    bool create_only = c->if_none_match && strcmp(c->if_none_match, "*") == 0 && !c->if_match;
    if (c->if_modified_since_ms || c->if_unmodified_since_ms ||
        (c->if_none_match && strcmp(c->if_none_match, "*") != 0)) {
        return false;
    }
    switch (gate->kind) {
    case PL_S3_COND_NONE: return false;
    case PL_S3_COND_PROBE: return probed_well(b);
    case PL_S3_COND_NATIVE:
    case PL_S3_COND_PREFIX: return true;
    case PL_S3_COND_CREATE:
    case PL_S3_COND_HEADER: return create_only;
    }
    return false;
}

static pail_code refuse_condition(struct pl_s3_build *b, const struct pl_s3_cond *gate)
{
    const char *setting = b->op->kind == PL_OP_COPY     ? "s3_cond_copy"
                          : b->op->kind == PL_OP_DELETE ? "s3_cond_delete"
                          : gate == &b->view.p.cond_put ? "s3_cond_put"
                                                        : "s3_cond_multipart";
    const char *why = gate->kind == PL_S3_COND_PROBE ? "this endpoint was asked and does not check"
                                                     : "the service is not known to check";
    pail_code rc = pl_fail(b->err, PAIL_E_UNSUPPORTED, "%s such a condition on %s (service %s)",
                           why, pl_op_name(b->op->kind), b->view.p.service);
    pl_error_hint(b->err,
                  "set %s=native only if it surely does: one that ignores the condition "
                  "overwrites silently",
                  setting);
    return rc;
}

pail_code pl_s3_add_write_conditions(struct pl_s3_build *b)
{
    if (!pl_conditions_any(&b->op->cond)) {
        return PAIL_OK;
    }
    const struct pl_s3_cond *gate = gate_of(b);
    if (!passes_gate(b, gate)) {
        return refuse_condition(b, gate);
    }
    if (b->op->kind == PL_OP_MP_BEGIN) {
        return PAIL_OK; /* told early, sent with the end */
    }
    char name[128], *prefix = NULL;
    if (gate->kind == PL_S3_COND_HEADER || gate->kind == PL_S3_COND_PREFIX) {
        size_t n = gate->name.len < sizeof name ? gate->name.len : sizeof name - 1;
        memcpy(name, gate->name.ptr, n);
        name[n] = '\0';
        prefix = name;
    }
    const struct pl_s3_cond *extra = &b->view.p.cond_extra;
    if (extra->kind == PL_S3_COND_HEADER) {
        char *header = pl_arena_dup(&b->r->arena, extra->name);
        b->r->failed |= !header;
        if (header) {
            pl_http_add(b->r, header, extra->value);
        }
    }
    if (gate->kind == PL_S3_COND_HEADER) {
        pl_http_add(b->r, name, gate->value);
        return PAIL_OK;
    }
    return pl_s3_add_conditions(b, &b->op->cond, prefix ? prefix : "");
}

/* What the signature, the engine or the operation itself decide. */
static const char *const reserved[] = {"host",
                                       "authorization",
                                       "content-length",
                                       "transfer-encoding",
                                       "connection",
                                       "x-amz-content-sha256",
                                       "x-amz-security-token",
                                       "x-amz-s3session-token",
                                       "x-amz-date",
                                       "range",
                                       "if-match",
                                       "if-none-match",
                                       "x-amz-copy-source",
                                       "expect",
                                       "accept-encoding",
                                       NULL};

pail_code pl_s3_add_extra(struct pl_s3_build *b)
{
    if (b->op->request_payer && *b->op->request_payer) {
        pl_http_add_c(b->r, "x-amz-request-payer", b->op->request_payer);
    }
    return pl_request_add_extra(b->r, b->op, reserved, b->err);
}
