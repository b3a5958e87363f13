/* Abort of an upload in parts: whatever of it is there goes, by listing. Source: Cloud Storage JSON
 * API v1 "Objects: list"; "Sending batch requests". */
#include "provider/gcs.h"

enum { LATE_MS = 200 };

void pl_gcs_list_parts(struct pl_gcs_build *b, struct pl_str hex, const char *most)
{
    struct pl_buf prefix = PL_BUF_MAX(256);
    pl_buf_printf(&prefix, PL_GCS_PARTS "%.*s/", (int)hex.len, hex.ptr);
    b->r->method = "GET";
    pl_gcs_object_path(&b->path, "", b->op->bucket, NULL);
    pl_gcs_query(b, "prefix", prefix.ptr ? prefix.ptr : "");
    pl_gcs_query(b, "maxResults", most);
    pl_buf_dispose(&prefix);
}

pail_code pl_gcs_build_abort(struct pl_gcs_build *b, struct pl_str hex)
{
    if (b->memo->phase == PL_GCS_SWEEP) {
        struct pl_name names[PL_GCS_BATCH_MAX] = {{0}};
        for (size_t i = 0; i < b->memo->name_count; i++) {
            names[i].key = b->memo->names[i];
        }
        return pl_gcs_add_batch(b, names, b->memo->name_count);
    }
    pl_gcs_list_parts(b, hex, "100");
    return PAIL_OK;
}

static void listed(struct pl_gcs *gcs, struct pl_op *op, struct pl_gcs_memo *memo,
                   const struct pl_http_response *r, struct pl_verdict *out,
                   struct pail_error **err)
{
    json_t *root = pl_gcs_answer(r, out, err);
    if (!root) {
        return;
    }
    const json_t *items = json_object_get(root, "items");
    size_t n = json_array_size(items);
    n = n < PL_GCS_BATCH_MAX ? n : PL_GCS_BATCH_MAX;
    memo->names = pl_arena_alloc(&op->arena, (n + 1) * sizeof *memo->names);
    memo->name_count = 0;
    for (size_t i = 0; memo->names && i < n; i++) {
        const char *name = pl_json_text(json_array_get(items, i), "name");
        if (name && pl_str_starts(pl_str_c(name), PL_STR(PL_GCS_PARTS))) {
            memo->names[memo->name_count++] = pl_arena_dup_c(&op->arena, name);
        }
    }
    json_decref(root);
    if (memo->name_count && !op->arena.failed && memo->sweeps++ > PL_GCS_PARTS_MAX / 50) {
        pl_gcs_fail(out, PL_NEXT_FAIL, PAIL_E_CONFLICT, err,
                    "parts of the upload are still there, or come anew");
        pl_error_hint(err, "end whatever still sends parts of it, then abort it again");
    } else if (memo->name_count && !op->arena.failed) {
        memo->found = true;
        memo->phase = PL_GCS_SWEEP;
        *out = (struct pl_verdict){.next = PL_NEXT_MORE};
    } else if (!memo->looked_again) { /* a part that was given up may be on its way still */
        memo->looked_again = true;
        *out = (struct pl_verdict){.next = PL_NEXT_MORE, .wait_ms = LATE_MS};
    } else if (!pl_gcs_forget_upload(gcs, op->in.mp.upload_id) && !memo->found) {
        *out = (struct pl_verdict){
            .next = PL_NEXT_FAIL, .code = pl_gcs_no_such_upload(err), .never_applied = true};
    }
}

/* Where not one of a batch's parts has gone, asking again at once would change nothing. */
static void swept(struct pl_op *op, struct pl_gcs_memo *memo, const struct pl_http_response *r,
                  struct pl_verdict *out, struct pail_error **err)
{
    struct pl_gcs_batch_result results[PL_GCS_BATCH_MAX] = {0};
    struct pl_op one = {.kind = PL_OP_DELETE, .bucket = op->bucket, .key = op->key};
    bool any = false;
    if (!pl_gcs_read_batch(r, results, memo->name_count)) {
        pl_gcs_fail(out, PL_NEXT_RETRY, PAIL_E_PROTOCOL, err,
                    "the service's answer to a batch is no multipart/mixed");
        return;
    }
    for (size_t i = 0; i < memo->name_count; i++) {
        any |= results[i].status / 100 == 2 || results[i].status == 404;
    }
    if (any) { /* look again: a part may have come late */
        memo->phase = PL_GCS_FIRST;
        *out = (struct pl_verdict){.next = PL_NEXT_MORE};
        return;
    }
    enum pl_next next = PL_NEXT_RETRY;
    int status = results[0].status;
    pail_code code =
        status ? pl_gcs_code(status, (struct pl_str){0}, &one, &next) : PAIL_E_PROTOCOL;
    *out = (struct pl_verdict){.next = next, .code = code};
    pl_fail(err, code, "the parts of the upload cannot be deleted: HTTP %d", status);
    pl_error_hint(err, "see that the account may delete objects there, and that no retention "
                       "policy or hold keeps them");
}

void pl_gcs_parse_abort(struct pl_gcs *gcs, struct pl_op *op, struct pl_attempt *a,
                        const struct pl_http_response *r, struct pl_verdict *out,
                        struct pail_error **err)
{
    struct pl_gcs_memo *memo = a->memo;
    if (r->status / 100 != 2) {
        pl_gcs_parse_error(gcs, op, a, r, out, err);
    } else if (memo->phase == PL_GCS_SWEEP) {
        swept(op, memo, r, out, err);
    } else {
        listed(gcs, op, memo, r, out, err);
    }
}
