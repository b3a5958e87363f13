/* From an answer to what the operation asked for. */
#include "codec/hex.h"
#include "provider/gcs.h"

void pl_gcs_fail(struct pl_verdict *out, enum pl_next next, pail_code code, struct pail_error **err,
                 const char *why)
{
    *out = (struct pl_verdict){.next = next, .code = code};
    pl_fail(err, code, "%s", why);
}

json_t *pl_gcs_answer(const struct pl_http_response *r, struct pl_verdict *out,
                      struct pail_error **err)
{
    json_t *root = NULL;
    pail_code rc = pl_json_parse(pl_buf_view(&r->body), "the service's answer", &root, err);
    if (rc) {
        *out = (struct pl_verdict){.next = PL_NEXT_RETRY, .code = rc};
    }
    return root;
}

/* Whether the answer is the object from its first byte to its last. */
static bool is_whole(const struct pl_http_response *r)
{
    uint64_t first, last, size;
    return r->status != 206 || (pl_http_content_range(r, &first, &last, &size) && first == 0 &&
                                size != UINT64_MAX && last + 1 == size);
}

/* The service unpacks what is stored as gzip unless it is told not to; its hash is of the stored
 * bytes. */
static bool is_unpacked(const struct pl_http_response *r)
{
    return pl_str_ieq(pl_http_header(r, "x-goog-stored-content-encoding"), PL_STR("gzip")) &&
           !pl_str_ieq(pl_http_header(r, "content-encoding"), PL_STR("gzip"));
}

void pl_gcs_head(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                 const struct pl_http_response *r)
{
    struct pl_gcs_memo *memo = a->memo;
    struct pl_str generation = pl_http_header(r, "x-goog-generation");
    struct pl_str crc = pl_gcs_hash(r, "crc32c="), md5 = pl_gcs_hash(r, "md5=");
    (void)op;
    if (generation.len && generation.len < sizeof memo->generation) {
        memcpy(memo->generation, generation.ptr, generation.len);
    }
    if (!((struct pl_gcs *)d)->verify || is_unpacked(r)) {
        return;
    }
    if (!is_whole(r)) { /* who reads all ranges puts theirs together */
        a->sum = PL_SUM_CRC32C;
        return;
    }
    struct pl_str value = crc.len ? crc : md5;
    if (value.len && value.len < sizeof memo->expected) {
        memcpy(memo->expected, value.ptr, value.len);
        a->sum = crc.len ? PL_SUM_CRC32C : PL_SUM_MD5;
    }
}

/* Reads take no dates; the answer tells what it is of, so it is judged by that. */
static void check_conditions(struct pl_op *op, struct pl_verdict *out, struct pail_error **err)
{
    pail_code rc = pl_conditions_check(&op->cond, &op->out.info, false);
    if (op->out.info.etag && rc) {
        pl_gcs_fail(out, PL_NEXT_FAIL, rc, err,
                    rc == PAIL_E_NOT_MODIFIED ? "the object has not changed"
                                              : "the object is not the one asked for");
    }
}

static void parse_get(struct pl_op *op, struct pl_attempt *a, const struct pl_http_response *r,
                      struct pl_verdict *out, struct pail_error **err)
{
    const struct pl_gcs_memo *memo = a->memo;
    char got[PL_SUM_BASE64_MAX];
    pl_gcs_read_headers(op, r);
    if (memo->expected[0] && a->sum_value &&
        strcmp(memo->expected, pl_sum_base64(a->sum_value, got)) != 0) {
        *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = PAIL_E_CHECKSUM};
        pl_fail(err, PAIL_E_CHECKSUM, "the bytes received have %s %s, the service says %s",
                pl_sum_name((enum pl_sum)a->sum), got, memo->expected);
        return;
    }
    check_conditions(op, out, err);
}

static void parse_resource(struct pl_op *op, const struct pl_http_response *r,
                           struct pl_verdict *out, struct pail_error **err)
{
    json_t *root = pl_gcs_answer(r, out, err);
    if (root && !pl_gcs_read_resource(&op->arena, root, &op->out.info)) {
        pl_gcs_fail(out, PL_NEXT_RETRY, PAIL_E_PROTOCOL, err,
                    "the service's answer is no object resource");
    }
    json_decref(root);
}

void pl_gcs_parse_stored(struct pl_op *op, const struct pl_gcs_memo *memo,
                         const struct pl_http_response *r, struct pl_verdict *out,
                         struct pail_error **err)
{
    char text[PL_SUM_BASE64_MAX];
    parse_resource(op, r, out, err);
    const char *sum = op->out.info.checksum;
    if (out->next == PL_NEXT_DONE && memo->has_sum && sum &&
        pl_str_starts(pl_str_c(sum), PL_STR("crc32c:")) &&
        strcmp(sum + 7, pl_sum_base64(&memo->crc32c, text)) != 0) {
        *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = PAIL_E_CHECKSUM};
        pl_fail(err, PAIL_E_CHECKSUM, "the bytes sent have crc32c %s, the service stored %s", text,
                sum + 7);
    }
}

static void parse_copy(struct pl_op *op, struct pl_attempt *a, const struct pl_http_response *r,
                       struct pl_verdict *out, struct pail_error **err)
{
    struct pl_gcs_memo *memo = a->memo;
    json_t *root = pl_gcs_answer(r, out, err);
    if (!root) {
        return;
    }
    const char *token = pl_json_text(root, "rewriteToken");
    if (json_is_true(json_object_get(root, "done"))) {
        if (!pl_gcs_read_resource(&op->arena, json_object_get(root, "resource"), &op->out.info)) {
            pl_gcs_fail(out, PL_NEXT_RETRY, PAIL_E_PROTOCOL, err,
                        "the service's answer to a rewrite has no resource");
        }
    } else if (token && *token) {
        memo->phase = PL_GCS_REWRITE;
        memo->token = pl_arena_dup_c(&op->arena, token);
        *out = (struct pl_verdict){.next = PL_NEXT_MORE};
    } else {
        pl_gcs_fail(out, PL_NEXT_RETRY, PAIL_E_PROTOCOL, err,
                    "the service's rewrite is neither done nor says how to go on");
    }
    json_decref(root);
}

static void parse_success(struct pl_gcs *gcs, struct pl_op *op, struct pl_attempt *a,
                          const struct pl_http_response *r, struct pl_verdict *out,
                          struct pail_error **err)
{
    switch (op->kind) {
    case PL_OP_STAT:
        parse_resource(op, r, out, err);
        if (out->next == PL_NEXT_DONE) {
            check_conditions(op, out, err);
        }
        break;
    case PL_OP_GET: parse_get(op, a, r, out, err); break;
    case PL_OP_PUT: pl_gcs_parse_stored(op, a->memo, r, out, err); break;
    case PL_OP_COPY: parse_copy(op, a, r, out, err); break;
    case PL_OP_DELETE_MANY: pl_gcs_parse_delete_many(gcs, op, r, out, err); break;
    case PL_OP_LIST:
    case PL_OP_MP_LIST:
    case PL_OP_BUCKET_LIST: pl_gcs_parse_list(op, r, out, err); break;
    case PL_OP_MP_BEGIN:
    case PL_OP_MP_PART:
    case PL_OP_MP_FINISH:
    case PL_OP_MP_ABORT: pl_gcs_parse_upload(gcs, op, a, r, out, err); break;
    default: op->out.info = (pail_info){.key = pl_arena_dup_c(&op->arena, op->key), .mtime_ms = -1};
    }
}

void pl_gcs_parse(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                  const struct pl_http_response *r, struct pl_verdict *out, struct pail_error **err)
{
    struct pl_gcs *gcs = (struct pl_gcs *)d;
    bool upload = op->kind == PL_OP_MP_FINISH || op->kind == PL_OP_MP_ABORT;
    const struct pl_gcs_memo *memo = a->memo;
    *out = (struct pl_verdict){.next = PL_NEXT_DONE};
    if (memo->by_session) {
        pl_gcs_parse_session(gcs, op, a, r, out, err);
    } else if (upload) { /* it knows which failures do not count */
        pl_gcs_parse_upload(gcs, op, a, r, out, err);
    } else if (r->status / 100 == 2) {
        parse_success(gcs, op, a, r, out, err);
    } else {
        enum pl_next next;
        pail_code code = pl_gcs_code(r->status, (struct pl_str){0}, op, &next);
        bool gone = op->kind == PL_OP_DELETE && code == PAIL_E_NOT_FOUND && !op->cond.if_match;
        pl_gcs_parse_error(gcs, op, a, r, out, gone ? NULL : err);
        if (gone && out->code == PAIL_E_NOT_FOUND) { /* deleting what is not there is a success */
            *out = (struct pl_verdict){.next = PL_NEXT_DONE};
        } else if (gone) {
            pl_gcs_parse_error(gcs, op, a, r, out, err);
        }
    }
    if (out->next == PL_NEXT_DONE && op->arena.failed) {
        pl_gcs_fail(out, PL_NEXT_FAIL, PAIL_E_NO_MEMORY, err, "no memory for the answer");
    }
}
