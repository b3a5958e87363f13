#include "provider/file.h"

#include <errno.h>
#include <fcntl.h>

/* ---- reading ---- */

/* Opens an object of that version, if it is the one that is here. */
static pail_code open_object(const struct pl_file *f, struct pl_op *op, const struct pl_name *name,
                             const char *bucket, int *fd, pail_info *info)
{
    int folder;
    struct pl_file_place at = {-1, NULL};
    struct stat st;
    *fd = -1;
    pail_code rc = pl_file_bucket(f, bucket, &folder, &op->error);
    rc = rc ? rc : pl_file_find(folder, name->key, &at, &op->error);
    rc = rc ? rc : pl_file_open(&at, fd, &st, &op->error);
    pl_file_close(at.folder);
    pl_file_close(folder);
    rc = rc ? rc : pl_file_info(*fd, name->key, &op->arena, info, &op->error);
    if (rc == PAIL_OK && name->version && strcmp(name->version, info->version) != 0) {
        rc = PAIL_E_NOT_FOUND;
    }
    if (rc) {
        pl_file_close(*fd);
        *fd = -1;
    }
    return rc == PAIL_E_NOT_FOUND && name->version ? PAIL_E_VERSION_NOT_FOUND : rc;
}

/* The object that a read is about, its conditions checked. */
static pail_code open_read(const struct pl_file *f, struct pl_op *op, int *fd)
{
    struct pl_name name = {op->key, op->version};
    pail_info info;
    pail_code rc = open_object(f, op, &name, op->bucket, fd, &info);
    rc = rc ? rc : pl_conditions_check(&op->cond, &info, false);
    if (rc == PAIL_OK) {
        op->out.info = info;
    }
    return rc;
}

pail_code pl_file_stat(const struct pl_file *f, struct pl_op *op)
{
    int fd;
    pail_code rc = open_read(f, op, &fd);
    pl_file_close(fd);
    return rc;
}

pail_code pl_file_unchanged(int fd, const pail_info *info, struct pail_error **err)
{
    struct stat st;
    char etag[PL_FILE_ETAG];
    if (pl_sys.fstat(fd, &st) < 0) {
        return pl_file_fail(err, errno, "reading", info->key);
    }
    return strcmp(pl_file_etag(etag, &st), info->etag) == 0
               ? PAIL_OK
               : pl_fail(err, PAIL_E_CHANGED, "another program changed \"%s\" while it was read",
                         info->key);
}

pail_code pl_file_get(const struct pl_file *f, struct pl_op *op)
{
    int fd;
    uint64_t length = 0;
    struct pl_body *sink = op->in.get.sink;
    pail_code rc = open_read(f, op, &fd);
    rc =
        rc ? rc
           : pl_range_resolve(&op->in.get.range, op->out.info.size, &op->out.range_offset, &length);
    if (rc == PAIL_OK && length > sink->len) {
        rc = pl_fail(&op->error, PAIL_E_TOO_LARGE, "%llu bytes do not fit into %llu",
                     (unsigned long long)length, (unsigned long long)sink->len);
    }
    if (rc == PAIL_OK && length) {
        struct pl_body source = {
            .kind = PL_BODY_FILE, .fd = fd, .offset = op->out.range_offset, .len = length};
        rc = pl_file_pour(op, &source, op->key, sink, "the destination");
        rc = rc ? rc : pl_file_unchanged(fd, &op->out.info, &op->error);
    }
    pl_file_close(fd);
    return rc;
}

/* ---- writing ---- */

static pail_code reserve(struct pl_op *op, int fd, uint64_t size)
{
    if (size <= PL_FILE_STEP || pl_sys.fallocate(fd, (off_t)size) == 0 ||
        (errno != ENOSPC && errno != EDQUOT && errno != EFBIG)) {
        return PAIL_OK; /* a file system that cannot, or says more when it is written */
    }
    return pl_file_fail(&op->error, errno, "reserving the room for", op->key);
}

pail_code pl_file_put(const struct pl_file *f, struct pl_op *op)
{
    struct pl_file_draft d = PL_FILE_DRAFT;
    struct pl_body *source = op->in.put.source;
    pail_code rc = pl_file_write_conditions(op);
    rc = rc ? rc : pl_file_draft_open(f, op, &d);
    rc = rc ? rc : reserve(op, d.fd, source->len);
    if (rc == PAIL_OK) {
        struct pl_body to = {.kind = PL_BODY_FILE, .fd = d.fd, .len = source->len};
        rc = pl_file_pour(op, source, "the source", &to, op->key);
    }
    rc = rc ? rc : pl_file_draft_commit(op, &d, op->attr);
    pl_file_draft_close(&d);
    return rc;
}

pail_code pl_file_copy_source(const struct pl_file *f, struct pl_op *op, int *fd, pail_info *info)
{
    struct pl_name name = {op->in.copy.key, op->in.copy.version};
    pail_code rc = open_object(f, op, &name, op->in.copy.bucket, fd, info);
    rc = rc ? rc : pl_conditions_check(&op->in.copy.cond, info, false);
    return rc == PAIL_E_NOT_MODIFIED ? PAIL_E_PRECONDITION : rc;
}

static pail_code copy_bytes(struct pl_op *op, int from, uint64_t size, int to)
{
    if (size == 0 || pl_sys.clone(to, from) == 0) {
        return PAIL_OK;
    }
    pail_code rc = reserve(op, to, size);
    struct pl_body source = {.kind = PL_BODY_FILE, .fd = from, .len = size};
    struct pl_body sink = {.kind = PL_BODY_FILE, .fd = to, .len = size};
    return rc ? rc : pl_file_pour(op, &source, op->in.copy.key, &sink, op->key);
}

pail_code pl_file_copy(const struct pl_file *f, struct pl_op *op)
{
    int from = -1;
    pail_info info;
    struct pl_file_draft d = PL_FILE_DRAFT;
    pail_code rc = pl_file_write_conditions(op);
    rc = rc ? rc : pl_file_copy_source(f, op, &from, &info);
    rc = rc ? rc : pl_file_draft_open(f, op, &d);
    rc = rc ? rc : copy_bytes(op, from, info.size, d.fd);
    rc = rc ? rc : pl_file_unchanged(from, &info, &op->error);
    if (rc == PAIL_OK) {
        pail_attributes kept = pl_info_attributes(&info);
        rc = pl_file_draft_commit(op, &d, op->attr ? op->attr : &kept);
    }
    pl_file_draft_close(&d);
    pl_file_close(from);
    return rc;
}

pail_code pl_file_tags(const struct pl_file *f, struct pl_op *op)
{
    int fd;
    pail_code rc = open_read(f, op, &fd);
    rc = rc ? rc : pl_file_tags_set(fd, op->key, op->in.tags.tags, op->in.tags.count, &op->error);
    pl_file_close(fd);
    return rc;
}

/* ---- deleting ---- */

static pail_code unlink_object(const struct pl_file_place *at, const char *name,
                               struct pail_error **err)
{
    return pl_sys.unlink(at->folder, name, 0) == 0 || errno == ENOENT
               ? PAIL_OK
               : pl_file_fail(err, errno, "deleting", at->name);
}

/* One version: the file is put aside under a name of ours, and looked at there, so that one which
 * came between is not what is deleted. */
static pail_code delete_version(const struct pl_file_place *at, const char *version,
                                struct pail_error **err)
{
    char aside[32], etag[PL_FILE_ETAG];
    struct stat st;
    int fd = pl_file_temp(at->folder, aside, 0600);
    if (fd < 0) {
        return pl_file_fail(err, errno, "making a temporary file for", at->name);
    }
    pl_file_close(fd);
    pail_code rc = PAIL_OK;
    if (pl_sys.rename(at->folder, at->name, at->folder, aside, 0) < 0) {
        rc = errno == ENOENT ? PAIL_E_VERSION_NOT_FOUND
                             : pl_file_fail(err, errno, "deleting", at->name);
    } else if (pl_sys.stat(at->folder, aside, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
               strcmp(pl_file_etag(etag, &st), version) != 0) {
        rc = PAIL_E_VERSION_NOT_FOUND; /* back, unless a still newer one has taken the name */
        (void)pl_sys.link(at->folder, aside, at->folder, at->name, 0);
    }
    pail_code gone = unlink_object(at, aside, err);
    return rc ? rc : gone;
}

static pail_code delete_found(const struct pl_file_place *at, const char *version,
                              struct pail_error **err)
{
    struct stat st;
    char etag[PL_FILE_ETAG];
    if (pl_sys.stat(at->folder, at->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? PAIL_E_NOT_FOUND : pl_file_fail(err, errno, "deleting", at->name);
    }
    if (!S_ISREG(st.st_mode)) {
        return PAIL_E_NOT_FOUND; /* what is no object is left alone */
    }
    if (!version) {
        return unlink_object(at, at->name, err);
    }
    return strcmp(pl_file_etag(etag, &st), version) == 0 ? delete_version(at, version, err)
                                                         : PAIL_E_VERSION_NOT_FOUND;
}

static pail_code delete_one(int bucket, const struct pl_name *name, struct pail_error **err)
{
    struct pl_file_place at;
    pail_code rc = pl_file_find(bucket, name->key, &at, err);
    rc = rc ? rc : delete_found(&at, name->version, err);
    pl_file_close(at.folder);
    if (rc == PAIL_OK) {
        pl_file_prune(bucket, name->key);
    }
    return rc != PAIL_E_NOT_FOUND ? rc : name->version ? PAIL_E_VERSION_NOT_FOUND : PAIL_OK;
}

pail_code pl_file_delete(const struct pl_file *f, struct pl_op *op)
{
    struct pl_name name = {op->key, op->version};
    int bucket = -1;
    if (pl_conditions_any(&op->cond)) {
        pl_fail(&op->error, PAIL_E_UNSUPPORTED, "plain files cannot be deleted under a condition");
        pl_error_hint(&op->error, "a LOCAL store, local:BUCKET, checks every condition");
        return PAIL_E_UNSUPPORTED;
    }
    pail_code rc = pl_file_bucket(f, op->bucket, &bucket, &op->error);
    rc = rc ? rc : delete_one(bucket, &name, &op->error);
    pl_file_close(bucket);
    return rc;
}

pail_code pl_file_delete_many(const struct pl_file *f, struct pl_op *op)
{
    int bucket;
    size_t count = op->in.delete_many.count;
    pail_code rc = pl_file_bucket(f, op->bucket, &bucket, &op->error);
    struct pail_error **errors =
        rc ? NULL : pl_arena_alloc(&op->arena, count * sizeof(struct pail_error *));
    rc = rc ? rc : errors || !count ? PAIL_OK : PAIL_E_NO_MEMORY;
    for (size_t i = 0; rc == PAIL_OK && i < count; i++) {
        const struct pl_name *name = &op->in.delete_many.names[i];
        pail_code one = delete_one(bucket, name, &errors[i]);
        if (one && one != PAIL_E_VERSION_NOT_FOUND) { /* as good as deleted */
            pl_fail(&errors[i], one, "deleting \"%s\"", name->key);
            pl_error_context(errors[i], NULL, op->bucket, name->key);
        }
    }
    op->out.errors = errors;
    op->out.error_count = errors ? count : 0;
    pl_file_close(bucket);
    return rc;
}
