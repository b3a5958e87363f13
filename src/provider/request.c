#include "provider/request.h"

#include <errno.h>

enum { CHUNK = 256 * 1024 };

static bool is_reserved(const char *const *reserved, struct pl_str name)
{
    while (*reserved && !pl_str_ieq(name, pl_str_c(*reserved))) {
        reserved++;
    }
    return *reserved != NULL;
}

pail_code pl_request_add_extra(struct pl_http_request *r, const struct pl_op *op,
                               const char *const *reserved, struct pail_error **err)
{
    for (size_t i = 0; i < op->header_count; i++) {
        struct pl_str name = pl_str_c(op->headers[i].name);
        struct pl_str value = pl_str_c(op->headers[i].value);
        if (!pl_header_token(name) || !pl_header_safe(value)) {
            return pl_fail(err, PAIL_E_BAD_ARGUMENT,
                           "an extra header has a name or value that cannot be sent");
        }
        if (is_reserved(reserved, name)) {
            return pl_fail(err, PAIL_E_BAD_ARGUMENT, "header %s is set by the request itself",
                           op->headers[i].name);
        }
        size_t j = 0;
        while (j < r->header_count && !pl_str_ieq(r->headers[j].name, name)) {
            j++;
        }
        if (j < r->header_count) { /* the caller's own word for it counts */
            char *copy = pl_arena_dup(&r->arena, value);
            r->failed |= !copy;
            r->headers[j].value = pl_str_c(copy);
        } else {
            pl_http_add(r, op->headers[i].name, value);
        }
    }
    return PAIL_OK;
}

static void update(struct pl_digest *d, struct pl_digest *also, const void *data, size_t n)
{
    pl_digest_update(d, data, n);
    if (also) {
        pl_digest_update(also, data, n);
    }
}

pail_code pl_request_digest_source(struct pl_digest *d, struct pl_digest *also,
                                   const struct pl_body *source, struct pail_error **err)
{
    if (source->kind == PL_BODY_MEM) {
        update(d, also, source->ptr, (size_t)source->len);
        return PAIL_OK;
    }
    char *chunk = source->len ? pl_alloc(CHUNK) : NULL;
    if (source->len && !chunk) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory to read the source");
    }
    pail_code rc = PAIL_OK;
    for (uint64_t at = 0; at < source->len && !rc;) {
        size_t n = source->len - at < CHUNK ? (size_t)(source->len - at) : CHUNK;
        if (!pl_body_read(source, at, chunk, n)) {
            rc = errno ? pl_fail_errno(err, errno, "cannot read the source")
                       : pl_fail(err, PAIL_E_CHANGED, "the source changed while it was read");
        }
        update(d, also, chunk, rc ? 0 : n);
        at += n;
    }
    pl_free(chunk);
    return rc;
}

pail_code pl_request_sum_source(enum pl_sum sum, const struct pl_body *source,
                                struct pl_sum_value *out, struct pail_error **err)
{
    struct pl_digest d = {0};
    pail_code rc = pl_digest_init(&d, sum, err); /* whoever computes it: OpenSSL's word counts */
    if (!rc && sum == PL_SUM_MD5 && source->md5 &&
        source->md5(source->md5_ctx, source, out->bytes)) {
        out->len = pl_sum_size(sum);
    } else {
        rc = rc ? rc : pl_request_digest_source(&d, NULL, source, err);
        rc = rc ? rc : pl_digest_final(&d, out, err);
    }
    pl_digest_dispose(&d);
    return rc;
}
