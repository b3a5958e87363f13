/* Copies by the service. Source: Azure Blob Storage REST API "Copy Blob", "Set Blob Properties",
 * "Set Blob Metadata". */
#include "codec/url.h"
#include "provider/azure.h"

/* Copy Blob keeps the content headers of the source and, where none are given, its metadata; so
 * new ones take requests of their own behind it. */
enum stage { COPY = 0, WAIT, PROPERTIES, METADATA, LOOK };
enum { URL_MAX = 16 * 1024, POLL_MS = 500, POLLS_MAX = 100000 };

static pail_code start(struct pl_azure_build *b)
{
    const struct pl_azure *az = b->az;
    struct pl_buf url = PL_BUF_MAX(URL_MAX), query = PL_BUF_MAX(URL_MAX);
    pl_buf_puts(&url, az->tls ? "https://" : "http://");
    b->r->origin = (struct pl_origin){.tls = az->tls, .host = az->host, .port = az->port};
    pl_buf_puts(&url, pl_http_host(b->r));
    pl_azure_path(az, b->op->in.copy.bucket, b->op->in.copy.key, &url);
    pl_azure_version(&query, b->op->in.copy.version);
    if (az->auth == PL_AZURE_SAS) {
        pl_buf_puts(&query, query.len ? "&" : "");
        pl_buf_puts(&query, az->sas);
    }
    pl_buf_puts(&url, query.len ? "?" : "");
    pl_buf_str(&url, pl_buf_view(&query));
    b->r->failed |= pl_buf_rc(&url) || pl_buf_rc(&query);
    b->r->method = "PUT";
    pl_http_add(b->r, "x-ms-copy-source", pl_buf_view(&url));
    pl_buf_dispose(&url);
    pl_buf_dispose(&query);
    pl_azure_add_conditions(b, &b->op->in.copy.cond, "x-ms-source-");
    pl_azure_add_conditions(b, &b->op->cond, "");
    if (!b->op->attr) {
        return PAIL_OK;
    }
    pail_attributes attr = *b->op->attr; /* the content headers come later */
    attr.content_type = attr.content_encoding = attr.content_language = NULL;
    attr.content_disposition = attr.cache_control = NULL;
    return pl_azure_add_attributes(b, &attr);
}

pail_code pl_azure_copy(struct pl_azure_build *b)
{
    const pail_encryption *to = b->op->encryption, *from = b->op->in.copy.encryption;
    pail_conditions pinned = {.if_match = b->op->out.info.etag};
    if ((to && to->customer_key_base64) || (from && from->customer_key_base64)) {
        return pl_fail(b->err, PAIL_E_UNSUPPORTED, "Azure copies no blobs with customer keys");
    }
    switch ((enum stage)b->memo->stage) {
    case COPY: return start(b);
    case WAIT: b->r->method = "HEAD"; return PAIL_OK;
    case PROPERTIES:
        b->r->method = "PUT";
        pl_azure_parameter(b, "comp", "properties");
        pl_azure_add_conditions(b, &pinned, "");
        pl_azure_add_content(b, b->op->attr);
        return PAIL_OK;
    case METADATA:
        b->r->method = "PUT";
        pl_azure_parameter(b, "comp", "metadata");
        pl_azure_add_conditions(b, &pinned, "");
        return pl_azure_add_metadata(b, b->op->attr);
    case LOOK: b->r->method = "HEAD"; return PAIL_OK;
    }
    return PAIL_E_UNSUPPORTED;
}

static void fail(struct pl_verdict *out, pail_code code, struct pail_error **err, const char *why)
{
    *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = code};
    pl_fail(err, code, "%s", why);
}

/* SPEC "Copy Blob": 202 and "pending" where it goes on behind the answer; then the state of the
 * destination tells, with the id of the copy that it is of. */
static void parse_state(struct pl_op *op, struct pl_azure_memo *memo,
                        const struct pl_http_response *r, struct pl_verdict *out,
                        struct pail_error **err)
{
    struct pl_str state = pl_http_header(r, "x-ms-copy-status");
    struct pl_str id = pl_http_header(r, "x-ms-copy-id");
    struct pl_str why = pl_http_header(r, "x-ms-copy-status-description");
    if (memo->stage == COPY) {
        memo->copy_id = id.len ? pl_arena_dup(&op->arena, id) : NULL;
    } else if (memo->copy_id && !pl_str_is(id, memo->copy_id)) {
        fail(out, PAIL_E_CONFLICT, err, "another write took the place of the copy");
    } else if (pl_str_is(state, "aborted")) {
        fail(out, PAIL_E_CONFLICT, err, "the service's copy was aborted");
    }
    if (out->next == PL_NEXT_FAIL || pl_str_is(state, "success")) {
        return;
    }
    if (!pl_str_is(state, "pending")) {
        *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = PAIL_E_UNAVAILABLE};
        pl_fail(err, PAIL_E_UNAVAILABLE, "the service's copy failed%s%.*s", why.len ? ": " : "",
                why.len < 300 ? (int)why.len : 300, why.len ? why.ptr : "");
    } else if (++memo->polls > POLLS_MAX) {
        fail(out, PAIL_E_TIMEOUT, err, "the service's copy does not come to an end");
    } else {
        memo->stage = WAIT;
        *out = (struct pl_verdict){.next = PL_NEXT_MORE, .wait_ms = POLL_MS};
    }
}

/* The attributes of a copy are pinned to its ETag, which they change: where an answer to them was
 * lost, their second try is refused. As long as the blob is of that copy they are told again. */
void pl_azure_doubt_copy(struct pl_op *op, struct pl_attempt *a, struct pl_verdict *out)
{
    struct pl_azure_memo *memo = a->memo;
    bool pinned = op->kind == PL_OP_COPY && (memo->stage == PROPERTIES || memo->stage == METADATA);
    if (pinned && out->code == PAIL_E_PRECONDITION && memo->copy_id &&
        memo->resume != memo->stage) {
        memo->resume = memo->stage;
        memo->stage = LOOK;
        *out = (struct pl_verdict){.next = PL_NEXT_MORE};
    }
}

static void parse_look(struct pl_azure_memo *memo, const struct pl_http_response *r,
                       struct pl_verdict *out, struct pail_error **err)
{
    if (pl_str_is(pl_http_header(r, "x-ms-copy-id"), memo->copy_id)) {
        memo->stage = memo->resume;
        *out = (struct pl_verdict){.next = PL_NEXT_MORE};
    } else {
        fail(out, PAIL_E_CONFLICT, err, "another write took the place of the copy");
    }
}

void pl_azure_parse_copy(struct pl_op *op, struct pl_attempt *a, const struct pl_http_response *r,
                         struct pl_verdict *out, struct pail_error **err)
{
    struct pl_azure_memo *memo = a->memo;
    if (memo->stage == LOOK) {
        parse_look(memo, r, out, err);
        return;
    }
    if (memo->stage <= WAIT) {
        parse_state(op, memo, r, out, err);
    }
    if (out->next == PL_NEXT_DONE && op->attr && memo->stage < METADATA) {
        memo->stage = memo->stage < PROPERTIES ? PROPERTIES : METADATA;
        *out = (struct pl_verdict){.next = PL_NEXT_MORE};
    }
}
