/* Many deletes in one request. Source: Cloud Storage "Sending batch requests". */
#include <stdio.h>

#include "provider/gcs.h"

#include "codec/url.h"

static void add_call(struct pl_gcs_build *b, struct pl_buf *body, size_t i,
                     const struct pl_name *name)
{
    const char *payer = pl_settings_get(b->gcs->settings, "google_user_project");
    struct pl_buf query = PL_BUF_MAX(4096);
    pl_buf_printf(body,
                  "--%s\r\ncontent-type: application/http\r\ncontent-id: <pail+%zu>\r\n\r\nDELETE ",
                  "pail-batch", i);
    pl_gcs_object_path(body, "", b->op->bucket, name->key);
    if (name->version) {
        pl_url_query_add(&query, "generation", pl_str_c(name->version));
    }
    if (payer) {
        pl_url_query_add(&query, "userProject", pl_str_c(payer));
    }
    pl_buf_puts(body, query.len ? "?" : "");
    pl_buf_str(body, pl_buf_view(&query));
    b->r->failed |= pl_buf_rc(&query) != PAIL_OK;
    pl_buf_puts(body, " HTTP/1.1\r\ncontent-length: 0\r\n\r\n\r\n");
    pl_buf_dispose(&query);
}

pail_code pl_gcs_add_batch(struct pl_gcs_build *b, const struct pl_name *names, size_t count)
{
    struct pl_buf body = PL_BUF_MAX(1 << 20);
    if (count > PL_GCS_BATCH_MAX) {
        return pl_fail(b->err, PAIL_E_TOO_LARGE, "Cloud Storage takes %d calls in one batch",
                       PL_GCS_BATCH_MAX);
    }
    b->r->method = "POST";
    pl_buf_puts(&b->path, "/batch/storage/v1");
    for (size_t i = 0; i < count; i++) {
        add_call(b, &body, i, &names[i]);
    }
    pl_buf_puts(&body, "--pail-batch--\r\n");
    pail_code rc = pl_buf_rc(&body);
    if (!rc) {
        pl_http_add_c(b->r, "content-type", "multipart/mixed; boundary=pail-batch");
        pl_http_set_text(b->r, pl_buf_view(&body));
    }
    pl_buf_dispose(&body);
    return rc ? pl_fail(b->err, rc, "the batch is too large") : PAIL_OK;
}

/* ---- The answer: multipart/mixed of application/http */

static struct pl_str boundary_of(struct pl_str type)
{
    const char *at = type.len ? memmem(type.ptr, type.len, "boundary=", 9) : NULL;
    struct pl_str b = {0};
    if (!at || !pl_str_ieq(pl_str_n(type.ptr, type.len < 10 ? 0 : 10), PL_STR("multipart/"))) {
        return b;
    }
    b = pl_str_n(at + 9, type.len - (size_t)(at + 9 - type.ptr));
    b = pl_str_trim(pl_str_split(&b, ';'));
    if (b.len >= 2 && b.ptr[0] == '"' && b.ptr[b.len - 1] == '"') {
        b = pl_str_n(b.ptr + 1, b.len - 2);
    }
    return b;
}

static struct pl_str behind(struct pl_str s, const char *at)
{
    return pl_str_n(at, s.len - (size_t)(at - s.ptr));
}

/* What stands before the next delimiter, which is taken off *rest; false: there is none. */
static bool next_piece(struct pl_str *rest, struct pl_str delimiter, struct pl_str *piece)
{
    const char *at = rest->len ? memmem(rest->ptr, rest->len, delimiter.ptr, delimiter.len) : NULL;
    if (!at) {
        return false;
    }
    *piece = pl_str_n(rest->ptr, (size_t)(at - rest->ptr));
    *rest = behind(*rest, at + delimiter.len);
    return true;
}

/* Which call a part answers: "<response-pail+7>". */
static bool number_of(struct pl_str head, size_t *out)
{
    const char *at = memmem(head.ptr, head.len, "pail+", 5);
    struct pl_str text = at ? behind(head, at + 5) : (struct pl_str){0};
    uint64_t n;
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') {
        digits++;
    }
    if (!digits || !pl_str_u64(pl_str_n(text.ptr, digits), &n)) {
        return false;
    }
    *out = (size_t)n;
    return true;
}

static void read_part(struct pl_str part, size_t place, struct pl_gcs_batch_result *results,
                      size_t count)
{
    struct pl_str head, inner = part, line;
    uint64_t status;
    size_t i = place;
    if (!next_piece(&inner, PL_STR("\r\n\r\n"), &head)) {
        return;
    }
    (void)number_of(head, &i);
    line = inner;
    (void)pl_str_split(&line, ' '); /* HTTP/1.1 */
    line = line.ptr ? pl_str_n(line.ptr, line.len < 3 ? line.len : 3) : (struct pl_str){0};
    if (i < count && pl_str_u64(line, &status) && status >= 100) {
        results[i].status = (int)status;
        results[i].body =
            next_piece(&inner, PL_STR("\r\n\r\n"), &head) ? pl_str_trim(inner) : (struct pl_str){0};
    }
}

bool pl_gcs_read_batch(const struct pl_http_response *r, struct pl_gcs_batch_result *results,
                       size_t count)
{
    char room[96];
    struct pl_str boundary = boundary_of(pl_http_header(r, "content-type"));
    struct pl_str rest = pl_buf_view(&r->body), piece;
    if (!boundary.len || boundary.len > 80) {
        return false;
    }
    int n = snprintf(room, sizeof room, "--%.*s", (int)boundary.len, boundary.ptr);
    struct pl_str delimiter = pl_str_n(room, (size_t)n);
    bool any = next_piece(&rest, delimiter, &piece); /* the preamble */
    for (size_t i = 0; any && next_piece(&rest, delimiter, &piece); i++) {
        read_part(piece, i, results, count);
    }
    return any;
}

static void add_failure(struct pl_op *op, size_t i, const struct pl_gcs_batch_result *result,
                        pail_code code)
{
    json_t *root = NULL;
    bool parsed = pl_json_parse(result->body, "error", &root, NULL) == PAIL_OK;
    const json_t *error = parsed ? json_object_get(root, "error") : NULL;
    const char *message = pl_json_text(error, "message");
    pl_fail(&op->out.errors[i], code, "%.300s", message ? message : pail_code_name(code));
    pl_error_context(op->out.errors[i], "delete", op->bucket, op->in.delete_many.names[i].key);
    if (!op->out.errors[i]->is_static) {
        op->out.errors[i]->http_status = result->status;
    }
    json_decref(root);
}

void pl_gcs_parse_delete_many(struct pl_gcs *gcs, struct pl_op *op,
                              const struct pl_http_response *r, struct pl_verdict *out,
                              struct pail_error **err)
{
    struct pl_gcs_batch_result results[PL_GCS_BATCH_MAX] = {0};
    size_t count = op->in.delete_many.count;
    (void)gcs;
    for (size_t i = 0; i < op->out.error_count; i++) { /* of an earlier attempt */
        pail_error_free(op->out.errors[i]);
    }
    op->out.error_count = 0;
    op->out.errors = pl_arena_alloc(&op->arena, (count + 1) * sizeof *op->out.errors);
    if (!op->out.errors) {
        return; /* the arena's failure is told behind */
    }
    if (!pl_gcs_read_batch(r, results, count)) {
        pl_gcs_fail(out, PL_NEXT_RETRY, PAIL_E_PROTOCOL, err,
                    "the service's answer to a batch is no multipart/mixed");
        return;
    }
    op->out.error_count = count;
    struct pl_op one = *op;
    one.kind = PL_OP_DELETE;
    for (size_t i = 0; i < count; i++) {
        enum pl_next next = PL_NEXT_RETRY;
        pail_code code = PAIL_E_PROTOCOL;
        one.key = op->in.delete_many.names[i].key;
        one.version = op->in.delete_many.names[i].version;
        if (results[i].status / 100 == 2) {
            continue;
        }
        if (results[i].status) {
            code = pl_gcs_code(results[i].status, (struct pl_str){0}, &one, &next);
        }
        if (next == PL_NEXT_RETRY || next == PL_NEXT_THROTTLED || next == PL_NEXT_CREDENTIALS) {
            pl_gcs_fail(out, next, code, err, "the service did not do all calls of a batch");
        } else if (code != PAIL_E_NOT_FOUND && code != PAIL_E_VERSION_NOT_FOUND) {
            add_failure(op, i, &results[i], code);
        }
    }
}
