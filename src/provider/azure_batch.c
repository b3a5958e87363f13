/* Many deletes in one request. Source: Azure Storage REST API "Blob Batch". */
#include <stdio.h>

#include "provider/azure.h"

enum { BODY_MAX = 4 << 20, TARGET_MAX = 16 * 1024 }; /* SPEC "Blob Batch": 4 MiB, 256 calls */

#define BOUNDARY "batch_pail"

/* SPEC "Blob Batch": each call is authorized alone, and has no version of its own. */
static pail_code add_call(struct pl_azure_build *b, struct pl_buf *body, size_t i,
                          const struct pl_name *name)
{
    struct pl_azure *az = b->az;
    struct pl_http_request sub = {.method = "DELETE"};
    struct pl_buf target = PL_BUF_MAX(TARGET_MAX), query = PL_BUF_MAX(TARGET_MAX);
    if (strchr(name->key, '\\')) { /* a slash to the service */
        return pl_fail(b->err, PAIL_E_UNSUPPORTED, "a name with a backslash is asked for alone");
    }
    pl_azure_add_snapshots(az, &sub, name->version);
    pl_azure_path(az, b->op->bucket, name->key, &target);
    pl_azure_version(&query, name->version);
    if (az->auth == PL_AZURE_SAS) {
        pl_buf_puts(&query, query.len ? "&" : "");
        pl_buf_puts(&query, az->sas);
    }
    pl_buf_puts(&target, query.len ? "?" : "");
    pl_buf_str(&target, pl_buf_view(&query));
    bool fits = !pl_buf_rc(&target) && !pl_buf_rc(&query);
    sub.target = target.ptr;
    pail_code rc = fits ? pl_azure_sign(az, b->a, &sub, b->err)
                        : pl_fail(b->err, PAIL_E_TOO_LARGE, "a name is too long for a batch");
    pl_buf_printf(body,
                  "--" BOUNDARY "\r\nContent-Type: application/http\r\n"
                  "Content-Transfer-Encoding: binary\r\nContent-ID: %zu\r\n\r\nDELETE ",
                  i);
    pl_buf_str(body, pl_buf_view(&target));
    pl_buf_puts(body, " HTTP/1.1\r\n");
    for (size_t h = 0; h < sub.header_count; h++) {
        pl_buf_str(body, sub.headers[h].name);
        pl_buf_puts(body, ": ");
        pl_buf_str(body, sub.headers[h].value);
        pl_buf_puts(body, "\r\n");
    }
    pl_buf_puts(body, "Content-Length: 0\r\n\r\n");
    b->r->failed |= sub.failed;
    pl_http_request_dispose(&sub);
    pl_buf_dispose(&target);
    pl_buf_dispose(&query);
    return rc;
}

pail_code pl_azure_add_batch(struct pl_azure_build *b)
{
    size_t count = b->op->in.delete_many.count;
    struct pl_buf body = PL_BUF_MAX(BODY_MAX);
    pail_code rc = PAIL_OK;
    if (count > PL_AZURE_BATCH_MAX) {
        return pl_fail(b->err, PAIL_E_TOO_LARGE, "Azure takes %d calls in one batch",
                       PL_AZURE_BATCH_MAX);
    }
    b->r->method = "POST";
    b->on_container = true;
    pl_azure_parameter(b, "restype", "container");
    pl_azure_parameter(b, "comp", "batch");
    for (size_t i = 0; !rc && i < count; i++) {
        rc = add_call(b, &body, i, &b->op->in.delete_many.names[i]);
    }
    pl_buf_puts(&body, "--" BOUNDARY "--\r\n");
    if (!rc && pl_buf_rc(&body)) {
        rc = pl_fail(b->err, pl_buf_rc(&body), "the batch is too large");
    }
    if (!rc) {
        pl_http_add_c(b->r, "content-type", "multipart/mixed; boundary=" BOUNDARY);
        pl_http_set_text(b->r, pl_buf_view(&body));
    }
    if (body.ptr) {
        pl_zero(body.ptr, body.len);
    }
    pl_buf_dispose(&body);
    return rc;
}

/* ---- The answer: multipart/mixed of application/http */

struct result {
    int status; /* 0: none came */
    struct pl_str code;
};

/* The value of a header among lines; empty: none. */
static struct pl_str header_of(struct pl_str lines, const char *name)
{
    struct pl_str wanted = pl_str_c(name);
    while (lines.ptr && lines.len) {
        struct pl_str value = pl_str_trim(pl_str_split(&lines, '\n'));
        struct pl_str key = pl_str_split(&value, ':');
        if (value.ptr && pl_str_ieq(key, wanted)) {
            return pl_str_trim(value);
        }
    }
    return (struct pl_str){0};
}

static void read_part(struct pl_str part, struct result *results, size_t count)
{
    const char *http = memmem(part.ptr, part.len, "HTTP/1.1 ", 9);
    uint64_t i, status;
    if (!http) {
        return;
    }
    struct pl_str head = pl_str_n(part.ptr, (size_t)(http - part.ptr));
    struct pl_str inner = pl_str_n(http + 9, part.len - head.len - 9);
    const char *end = memmem(inner.ptr, inner.len, "\r\n\r\n", 4);
    inner.len = end ? (size_t)(end - inner.ptr) : inner.len;
    if (inner.len >= 3 && pl_str_u64(header_of(head, "content-id"), &i) && i < count &&
        pl_str_u64(pl_str_n(inner.ptr, 3), &status) && status >= 100) {
        results[i] = (struct result){(int)status, header_of(inner, "x-ms-error-code")};
    }
}

static bool read_parts(const struct pl_http_response *r, struct result *results, size_t count)
{
    char room[128];
    struct pl_str type = pl_http_header(r, "content-type"), rest = pl_buf_view(&r->body);
    const char *at = type.len ? memmem(type.ptr, type.len, "boundary=", 9) : NULL;
    struct pl_str word = at ? pl_str_n(at + 9, type.len - (size_t)(at + 9 - type.ptr)) : type;
    word = pl_str_trim(pl_str_split(&word, ';'));
    if (!at || !word.len || word.len > 100) {
        return false;
    }
    size_t n = (size_t)snprintf(room, sizeof room, "--%.*s", (int)word.len, word.ptr);
    const char *from = rest.len ? memmem(rest.ptr, rest.len, room, n) : NULL;
    while (from) {
        size_t left = rest.len - (size_t)(from + n - rest.ptr);
        rest = pl_str_n(from + n, left);
        from = left ? memmem(rest.ptr, left, room, n) : NULL;
        read_part(pl_str_n(rest.ptr, from ? (size_t)(from - rest.ptr) : left), results, count);
    }
    return true;
}

/* As if the one call had been asked alone. */
static enum pl_next judge(struct pl_azure *az, struct pl_op *op, struct pl_attempt *a, size_t i,
                          const struct result *got, struct pail_error **err)
{
    const struct pl_name *name = &op->in.delete_many.names[i];
    struct pl_header h = {PL_STR("x-ms-error-code"), got->code};
    struct pl_http_response r = {.status = got->status, .headers = &h};
    struct pl_verdict v = {.next = PL_NEXT_DONE};
    struct pl_op one = *op;
    r.header_count = got->code.len ? 1 : 0;
    one.kind = PL_OP_DELETE;
    one.key = name->key;
    one.version = name->version;
    one.arena = (struct pl_arena){0};
    if (got->status / 100 != 2 && !(got->status == 404 && pl_str_is(got->code, "BlobNotFound"))) {
        pl_azure_parse_error(az, &one, a, &r, &v, err);
        pl_error_context(*err, "delete", op->bucket, name->key);
    }
    pl_arena_dispose(&one.arena);
    return v.next;
}

void pl_azure_parse_batch(struct pl_azure *az, struct pl_op *op, struct pl_attempt *a,
                          const struct pl_http_response *r, struct pl_verdict *out,
                          struct pail_error **err)
{
    struct result results[PL_AZURE_BATCH_MAX] = {{0}};
    size_t count = op->in.delete_many.count;
    for (size_t i = 0; i < op->out.error_count; i++) { /* of an earlier attempt */
        pail_error_free(op->out.errors[i]);
    }
    op->out.error_count = 0;
    op->out.errors = pl_arena_alloc(&op->arena, (count + 1) * sizeof *op->out.errors);
    if (!op->out.errors) {
        return; /* the arena's failure is told behind */
    }
    bool whole = read_parts(r, results, count);
    for (size_t i = 0; i < count; i++) {
        whole &= results[i].status != 0;
    }
    if (!whole) {
        *out = (struct pl_verdict){.next = PL_NEXT_RETRY, .code = PAIL_E_PROTOCOL};
        pl_fail(err, PAIL_E_PROTOCOL, "the service's answer to a batch is not whole");
        return;
    }
    op->out.error_count = count;
    for (size_t i = 0; i < count; i++) {
        enum pl_next next = judge(az, op, a, i, &results[i], &op->out.errors[i]);
        if (next == PL_NEXT_RETRY || next == PL_NEXT_THROTTLED || next == PL_NEXT_CREDENTIALS) {
            *out = (struct pl_verdict){.next = next, .code = PAIL_E_UNAVAILABLE};
        }
    }
    if (out->next != PL_NEXT_DONE && err && !*err) {
        pl_fail(err, out->code, "the service did not do all calls of a batch");
    }
}
