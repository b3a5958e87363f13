/* The bytes of a GET: what came must be what was asked for, each byte once, all of one version. */
#include "provider/http_run.h"

static bool refuse(struct pl_http_run *run, pail_code rc, const char *why)
{
    pl_fail(&run->error, rc, "%s", why);
    if (!run->error->is_static) {
        run->error->http_status = run->x.response.status;
    }
    return false;
}

/* Where the delivered bytes lie in the object: [*first, *end), *end UINT64_MAX unknown. */
static bool delivered_span(struct pl_http_run *run, uint64_t *first, uint64_t *end, uint64_t *size)
{
    const struct pl_http_response *r = &run->x.response;
    if (r->status == 206) {
        uint64_t last = 0;
        bool fine = pl_http_content_range(r, first, &last, size) && last < UINT64_MAX;
        *end = last + 1;
        return fine && (!r->has_length || r->content_length == *end - *first);
    }
    *first = 0;
    *end = *size = r->has_length ? r->content_length : UINT64_MAX;
    return true;
}

/* SPEC RFC 9110#14.2: a server may ignore Range and send all; then it must be all that was asked.
 */
static bool is_asked(const struct pl_range *range, int status, uint64_t first, uint64_t end,
                     uint64_t size)
{
    switch (range->kind) {
    case PL_RANGE_ALL: return first == 0 && (size == UINT64_MAX || end == size);
    case PL_RANGE_SPAN: {
        uint64_t most =
            range->length < UINT64_MAX - range->offset ? range->offset + range->length : UINT64_MAX;
        if (status != 206) {
            return range->offset == 0 && end <= most;
        }
        return first == range->offset && end <= most &&
               (end == most || size == UINT64_MAX || end == size);
    }
    case PL_RANGE_SUFFIX:
        if (status != 206) {
            return end <= range->length;
        }
        return end - first <= range->length &&
               (size == UINT64_MAX ||
                (end == size && (end - first == range->length || first == 0)));
    }
    return false;
}

/* The ETag without quotes; NULL where there is none that pins bytes (a weak one does not). */
static const char *strong_etag(struct pl_arena *arena, const struct pl_http_response *r)
{
    struct pl_str etag = pl_http_header(r, "etag");
    if (!etag.ptr || !etag.len || pl_str_starts(etag, PL_STR("W/"))) {
        return NULL;
    }
    if (etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"') {
        etag = pl_str_n(etag.ptr + 1, etag.len - 2);
    }
    return pl_arena_dup(arena, etag);
}

/* The first head of an op: what is begun here, later attempts must go on with. */
static void begin(struct pl_http_run *run, uint64_t first, uint64_t end)
{
    struct pl_dialect *d = run->p->dialect;
    struct pl_op *op = run->op;
    const struct pl_http_response *r = &run->x.response;
    struct pail_error *err = NULL;
    if (d->ops->head) {
        d->ops->head(d, op, &run->a, r);
    }
    if (run->a.sum && pl_digest_init(&run->digest, (enum pl_sum)run->a.sum, &err)) {
        run->a.sum = PL_SUM_NONE; /* this machine cannot compute it; the length still counts */
        pail_error_free(err);
    }
    run->begun = true;
    run->end = end;
    run->a.if_match = strong_etag(&op->arena, r);
    op->out.range_offset = first;
}

bool pl_http_get_head(struct pl_http_run *run)
{
    struct pl_http_response *r = &run->x.response;
    struct pl_body *sink = run->op->in.get.sink;
    uint64_t first = 0, end = 0, size = 0;
    uint64_t have = atomic_load_explicit(&sink->done, memory_order_relaxed);
    if (!delivered_span(run, &first, &end, &size) ||
        !is_asked(&run->a.range, r->status, first, end, size)) {
        return refuse(run, PAIL_E_PROTOCOL,
                      "the server sent other bytes than those that were asked for "
                      "(Content-Range)");
    }
    if (end != UINT64_MAX && end - first > sink->len - have) {
        return refuse(run, PAIL_E_TOO_LARGE, "the object is larger than the room for it");
    }
    if (run->begun) {
        const char *etag = strong_etag(&run->op->arena, r);
        if (end != run->end || (etag && strcmp(etag, run->a.if_match) != 0)) {
            return refuse(run, PAIL_E_CHANGED, "the object changed while it was read");
        }
    } else {
        begin(run, first, end);
    }
    r->sink = sink;
    r->sink_bytes = end == UINT64_MAX ? 0 : end - first;
    r->digest = run->a.sum ? &run->digest : NULL;
    return true;
}

bool pl_http_get_resume(struct pl_http_run *run)
{
    struct pl_op *op = run->op;
    uint64_t have = atomic_load_explicit(&op->in.get.sink->done, memory_order_relaxed);
    uint64_t at = op->out.range_offset + have;
    if (!run->a.if_match || run->end == UINT64_MAX || at >= run->end) {
        return false;
    }
    enum { WORTHWHILE = 1 << 20 };
    if (run->x.response.body_bytes >= WORTHWHILE) {
        run->failures = 0; /* it moves on: only attempts in a row count */
    }
    run->a.range = (struct pl_range){PL_RANGE_SPAN, at, run->end - at};
    return true;
}

static uint64_t crc_of(const struct pl_sum_value *v)
{
    uint64_t crc = 0;
    for (size_t i = 0; i < v->len; i++) {
        crc = crc << 8 | v->bytes[i];
    }
    return crc;
}

pail_code pl_http_get_finish(struct pl_http_run *run, struct pail_error **err)
{
    if (!run->begun || run->x.response.status / 100 != 2 || !run->a.sum) {
        return PAIL_OK;
    }
    pail_code rc = pl_digest_final(&run->digest, &run->sum, err);
    if (rc) {
        return rc;
    }
    run->a.sum_value = &run->sum;
    switch ((enum pl_sum)run->a.sum) {
    case PL_SUM_CRC64NVME:
    case PL_SUM_CRC32C:
    case PL_SUM_CRC32:
        run->op->out.sum = (struct pl_part_sum){run->a.sum, crc_of(&run->sum)};
        break;
    case PL_SUM_NONE:
    case PL_SUM_SHA256:
    case PL_SUM_SHA1:
    case PL_SUM_MD5: break;
    }
    return PAIL_OK;
}
