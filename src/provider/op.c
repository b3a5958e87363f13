#include "provider/op.h"

#include <errno.h>

#include "base/sys.h"

static const char *const names[PL_OP_KIND_COUNT] = {
    [PL_OP_STAT] = "stat",
    [PL_OP_GET] = "get",
    [PL_OP_PUT] = "put",
    [PL_OP_DELETE] = "delete",
    [PL_OP_DELETE_MANY] = "delete_many",
    [PL_OP_COPY] = "copy",
    [PL_OP_LIST] = "list",
    [PL_OP_MP_BEGIN] = "begin_upload",
    [PL_OP_MP_PART] = "upload_part",
    [PL_OP_MP_COPY_PART] = "copy_part",
    [PL_OP_MP_FINISH] = "finish_upload",
    [PL_OP_MP_ABORT] = "abort_upload",
    [PL_OP_MP_LIST] = "list_uploads",
    [PL_OP_TAGS_GET] = "get_tags",
    [PL_OP_TAGS_SET] = "set_tags",
    [PL_OP_BUCKET_CREATE] = "create_bucket",
    [PL_OP_BUCKET_DELETE] = "delete_bucket",
    [PL_OP_BUCKET_STAT] = "stat_bucket",
    [PL_OP_BUCKET_LIST] = "list_buckets",
    [PL_OP_PRESIGN] = "presign",
};

const char *pl_op_name(enum pl_op_kind kind)
{
    return kind > 0 && kind < PL_OP_KIND_COUNT ? names[kind] : "operation";
}

bool pl_op_writes(enum pl_op_kind kind)
{
    switch (kind) {
    case PL_OP_PUT:
    case PL_OP_DELETE:
    case PL_OP_DELETE_MANY:
    case PL_OP_COPY:
    case PL_OP_MP_BEGIN:
    case PL_OP_MP_PART:
    case PL_OP_MP_COPY_PART:
    case PL_OP_MP_FINISH:
    case PL_OP_MP_ABORT:
    case PL_OP_TAGS_SET:
    case PL_OP_BUCKET_CREATE:
    case PL_OP_BUCKET_DELETE: return true;
    case PL_OP_STAT:
    case PL_OP_GET:
    case PL_OP_LIST:
    case PL_OP_MP_LIST:
    case PL_OP_TAGS_GET:
    case PL_OP_BUCKET_STAT:
    case PL_OP_BUCKET_LIST:
    case PL_OP_PRESIGN:
    case PL_OP_KIND_COUNT: return false;
    }
    return false;
}

void pl_op_dispose(struct pl_op *op)
{
    for (size_t i = 0; op->out.errors && i < op->out.error_count; i++) {
        pail_error_free(op->out.errors[i]);
    }
    pail_error_free(op->error);
    pl_arena_dispose(&op->arena);
    memset(&op->out, 0, sizeof op->out);
    op->error = NULL;
    op->rc = PAIL_OK;
}

/* What is said where a provider gave a code and no words. */
static const char *plain_words(pail_code rc)
{
    switch ((int)rc) {
    case PAIL_E_NOT_FOUND: return "no such object";
    case PAIL_E_BUCKET_NOT_FOUND: return "no such bucket";
    case PAIL_E_VERSION_NOT_FOUND: return "no such version";
    case PAIL_E_UPLOAD_NOT_FOUND: return "no such upload; it may have been finished or aborted";
    case PAIL_E_EXISTS: return "the object exists already";
    case PAIL_E_BUCKET_EXISTS: return "the bucket exists already";
    case PAIL_E_BUCKET_NOT_EMPTY: return "the bucket is not empty";
    case PAIL_E_PRECONDITION:
        return "the condition does not hold: the object is another one by now, or gone";
    case PAIL_E_NOT_MODIFIED: return "the object has not changed";
    case PAIL_E_BAD_RANGE: return "the range begins at or past the end of the object";
    case PAIL_E_CANCELLED: return "cancelled";
    case PAIL_E_TIMEOUT: return "the deadline passed";
    case PAIL_E_NO_MEMORY: return "out of memory";
    case PAIL_E_CHECKSUM: return "the bytes do not have the checksum of the object";
    case PAIL_E_CHANGED: return "the object changed while it was read";
    case PAIL_E_FORKED: return "this handle was made before a fork; open a new client in the child";
    default: return pail_code_name(rc);
    }
}

void pl_op_complete(struct pl_op *op, pail_code rc)
{
    op->rc = rc;
    if (rc) {
        pl_fail(&op->error, rc, "%s", plain_words(rc));
        pl_error_context(op->error, pl_op_name(op->kind), op->bucket, op->key);
    }
    op->done(op);
}

bool pl_conditions_any(const pail_conditions *c)
{
    return c->if_match || c->if_none_match || c->if_modified_since_ms || c->if_unmodified_since_ms;
}

/* Whether a field value such as `*`, `abc` or `"abc", "def"` names the ETag. */
/* SPEC RFC 9110#13.1.1, 13.1.2: If-Match compares strongly, so that a weak one never holds. */
static bool etag_matches(const char *wanted, const char *etag, bool weak)
{
    struct pl_str rest = pl_str_c(wanted);
    if (pl_str_is(pl_str_trim(rest), "*")) {
        return true;
    }
    while (rest.ptr) {
        struct pl_str one = pl_str_trim(pl_str_split(&rest, ','));
        if (weak && pl_str_starts(one, PL_STR("W/"))) {
            one = pl_str_n(one.ptr + 2, one.len - 2);
        }
        if (one.len >= 2 && one.ptr[0] == '"' && one.ptr[one.len - 1] == '"') {
            one = pl_str_n(one.ptr + 1, one.len - 2);
        }
        if (etag && pl_str_is(one, etag)) {
            return true;
        }
    }
    return false;
}

/* SPEC RFC 9110#13.2.2: if-match, else if-unmodified-since; then if-none-match, else
 * if-modified-since. */
pail_code pl_conditions_check(const pail_conditions *c, const pail_info *info, bool is_write)
{
    int64_t mtime_s = info ? info->mtime_ms / 1000 : 0;
    if (c->if_match) {
        if (!info || !etag_matches(c->if_match, info->etag, false)) {
            return PAIL_E_PRECONDITION;
        }
    } else if (c->if_unmodified_since_ms && info && mtime_s > c->if_unmodified_since_ms / 1000) {
        return PAIL_E_PRECONDITION;
    }
    if (c->if_none_match) {
        if (info && etag_matches(c->if_none_match, info->etag, true)) {
            bool create_only = strcmp(c->if_none_match, "*") == 0;
            return !is_write     ? PAIL_E_NOT_MODIFIED
                   : create_only ? PAIL_E_EXISTS
                                 : PAIL_E_PRECONDITION;
        }
    } else if (c->if_modified_since_ms && info && !is_write &&
               mtime_s <= c->if_modified_since_ms / 1000) {
        return PAIL_E_NOT_MODIFIED;
    }
    return PAIL_OK;
}

pail_code pl_range_resolve(const struct pl_range *range, uint64_t size, uint64_t *offset,
                           uint64_t *length)
{
    *offset = 0;
    *length = size;
    switch (range->kind) {
    case PL_RANGE_ALL: return PAIL_OK;
    case PL_RANGE_SPAN:
        if (range->offset >= size) {
            return PAIL_E_BAD_RANGE;
        }
        *offset = range->offset;
        *length = range->length < size - range->offset ? range->length : size - range->offset;
        return PAIL_OK;
    case PL_RANGE_SUFFIX:
        if (size == 0 || range->length == 0) {
            return PAIL_E_BAD_RANGE;
        }
        *length = range->length < size ? range->length : size;
        *offset = size - *length;
        return PAIL_OK;
    }
    return PAIL_E_INTERNAL;
}
