#include "provider/file.h"

#include <errno.h>
#include <fcntl.h>

static struct pl_file *of(struct pl_provider *p)
{
    return (struct pl_file *)p;
}

/* ---- buckets ---- */

static pail_code create_bucket(const struct pl_file *f, struct pl_op *op)
{
    int root = -1;
    pail_code rc = pl_file_root(f, &root, &op->error);
    if (rc == PAIL_OK && pl_sys.mkdir(root, op->bucket, 0777) < 0) {
        rc = errno == EEXIST ? PAIL_E_BUCKET_EXISTS
                             : pl_file_fail(&op->error, errno, "making the folder", op->bucket);
    }
    pl_file_close(root);
    return rc;
}

static pail_code stat_bucket(const struct pl_file *f, struct pl_op *op)
{
    int bucket;
    pail_code rc = pl_file_bucket(f, op->bucket, &bucket, &op->error);
    pl_file_close(bucket);
    return rc;
}

/* Folders without any file are no objects, and go with the bucket. */
static pail_code delete_bucket(const struct pl_file *f, struct pl_op *op)
{
    int root = -1, bucket;
    pail_code rc = pl_file_bucket(f, op->bucket, &bucket, &op->error);
    rc = rc ? rc : pl_file_root(f, &root, &op->error);
    rc = rc ? rc : pl_file_clear(bucket, &op->error);
    if (rc == PAIL_OK && pl_sys.unlink(root, op->bucket, AT_REMOVEDIR) < 0) {
        rc = errno == ENOTEMPTY || errno == EEXIST ? PAIL_E_BUCKET_NOT_EMPTY
             : errno == ENOENT                     ? PAIL_E_BUCKET_NOT_FOUND
                               : pl_file_fail(&op->error, errno, "deleting the folder", op->bucket);
    }
    pl_file_close(bucket);
    pl_file_close(root);
    return rc;
}

/* ---- the provider ---- */

static bool encrypts(const pail_encryption *e)
{
    return e && (e->algorithm || e->kms_key_id || e->customer_key_base64);
}

static pail_code refuse_foreign(struct pl_op *op)
{
    bool copies = op->kind == PL_OP_COPY || op->kind == PL_OP_MP_COPY_PART;
    return encrypts(op->encryption) || (copies && encrypts(op->in.copy.encryption))
               ? pl_fail(&op->error, PAIL_E_UNSUPPORTED, "plain files are not encrypted")
               : PAIL_OK;
}

static pail_code run(const struct pl_file *f, struct pl_op *op)
{
    switch (op->kind) {
    case PL_OP_STAT:
    case PL_OP_TAGS_GET: return pl_file_stat(f, op);
    case PL_OP_GET: return pl_file_get(f, op);
    case PL_OP_PUT: return pl_file_put(f, op);
    case PL_OP_DELETE: return pl_file_delete(f, op);
    case PL_OP_DELETE_MANY: return pl_file_delete_many(f, op);
    case PL_OP_COPY: return pl_file_copy(f, op);
    case PL_OP_LIST: return pl_file_list(f, op);
    case PL_OP_MP_BEGIN: return pl_file_begin(f, op);
    case PL_OP_MP_PART: return pl_file_part(f, op);
    case PL_OP_MP_COPY_PART: return pl_file_copy_part(f, op);
    case PL_OP_MP_FINISH: return pl_file_finish(f, op);
    case PL_OP_MP_ABORT: return pl_file_abort(f, op);
    case PL_OP_MP_LIST: return pl_file_list_uploads(f, op);
    case PL_OP_TAGS_SET: return pl_file_tags(f, op);
    case PL_OP_BUCKET_CREATE: return create_bucket(f, op);
    case PL_OP_BUCKET_DELETE: return delete_bucket(f, op);
    case PL_OP_BUCKET_STAT: return stat_bucket(f, op);
    case PL_OP_BUCKET_LIST: return pl_file_list_buckets(f, op);
    case PL_OP_PRESIGN:
        pl_fail(&op->error, PAIL_E_UNSUPPORTED,
                "a signed URL needs a server, which plain files have none of");
        pl_error_hint(&op->error, "use a store that others can reach, such as s3://, for signed "
                                  "URLs");
        return PAIL_E_UNSUPPORTED;
    case PL_OP_KIND_COUNT: break;
    }
    return PAIL_E_INTERNAL;
}

static enum pl_submit submit(struct pl_provider *p, struct pl_op *op)
{
    const struct pl_file *f = of(p);
    pail_code rc = f->forks == pl_fork_count() ? refuse_foreign(op) : PAIL_E_FORKED;
    pl_op_complete(op, rc ? rc : run(f, op));
    return PL_COMPLETED;
}

static void cancel(struct pl_provider *p, struct pl_op *op)
{
    (void)p; /* every op has ended when submit returns */
    (void)op;
}

static void caps(struct pl_provider *p, struct pl_caps *out)
{
    memset(out->ability, PAIL_NATIVE, sizeof out->ability);
    static const unsigned char missing[] = {
        PAIL_CAN_PUT_IF_MATCH,    PAIL_CAN_MULTIPART_IF_MATCH, PAIL_CAN_COPY_IF_MATCH,
        PAIL_CAN_DELETE_IF_MATCH, PAIL_CAN_STORAGE_CLASS,      PAIL_CAN_ENCRYPT,
        PAIL_CAN_VERSIONS,        PAIL_CAN_PRESIGN_GET,        PAIL_CAN_PRESIGN_PUT};
    for (size_t i = 0; i < sizeof missing; i++) {
        out->ability[missing[i]] = PAIL_NO;
    }
    if (!of(p)->has_attributes) {
        out->ability[PAIL_CAN_METADATA] = out->ability[PAIL_CAN_TAGS] = PAIL_NO;
    }
    for (size_t i = 0; i < PAIL_LIMIT_COUNT; i++) {
        out->limit[i] = UINT64_MAX;
    }
    out->limit[PAIL_LIMIT_PUT] = out->limit[PAIL_LIMIT_OBJECT] = out->limit[PAIL_LIMIT_COPY] =
        out->limit[PAIL_LIMIT_PART_MAX] = INT64_MAX;
    out->limit[PAIL_LIMIT_PART_MIN] = 1;
    out->limit[PAIL_LIMIT_PARTS] = PL_FILE_PARTS_MAX;
    out->limit[PAIL_LIMIT_LIST_PAGE] = PL_FILE_PAGE_MAX;
    out->limit[PAIL_LIMIT_DELETE_MANY] = 1000;
    out->part_best = 8 << 20;
    out->put_best = out->get_best = UINT64_MAX;
    out->concurrency = 1;
    out->takes_pull = true;
}

static void explain(struct pl_provider *p, struct pl_buf *out)
{
    pl_buf_printf(out, "folder = %s  (URL)\n", of(p)->root);
}

static pail_code check_bucket(struct pl_provider *p, const char *name, struct pail_error **err)
{
    (void)p;
    const char *rule = !name || !*name     ? "it is empty"
                       : strchr(name, '/') ? "it is one folder, and may have no \"/\""
                       : strlen(name) > PL_FILE_SEGMENT_MAX ? "it may have at most 255 bytes"
                       : pl_file_segment_rule(pl_str_c(name))
                           ? "it may not be \".\" or \"..\", nor begin with \"" PL_FILE_OURS "\""
                           : NULL;
    return rule ? pl_fail(err, PAIL_E_BAD_BUCKET_NAME, "bad bucket name \"%s\": %s",
                          name ? name : "", rule)
                : PAIL_OK;
}

static void free_file(struct pl_provider *p)
{
    pl_free(of(p)->root);
    pl_free(p);
}

static const struct pl_provider_ops file_ops = {.scheme = "file",
                                                .caps = caps,
                                                .submit = submit,
                                                .cancel = cancel,
                                                .explain = explain,
                                                .check_bucket = check_bucket,
                                                .free = free_file};

/* A folder that is not there yet may be on a good one. */
static bool keeps_attributes(const char *root)
{
    int fd = pl_sys.open(AT_FDCWD, root, O_RDONLY | O_DIRECTORY, 0);
    bool refused =
        fd >= 0 && pl_sys.getxattr(fd, "user.pail.none", NULL, 0) < 0 && errno == ENOTSUP;
    pl_file_close(fd);
    return !refused;
}

pail_code pl_file_new(const struct pl_provider_env *env, struct pl_provider **out,
                      struct pail_error **err)
{
    struct pl_file *f = pl_calloc(1, sizeof *f);
    char *root = f ? pl_strdup(env->path ? env->path : "/") : NULL;
    if (!root) {
        pl_free(f);
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a store of files");
    }
    f->base.ops = &file_ops;
    f->forks = pl_fork_count();
    f->root = root;
    f->has_attributes = keeps_attributes(root);
    *out = &f->base;
    return PAIL_OK;
}
