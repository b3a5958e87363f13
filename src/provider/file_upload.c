/* Uploads in parts: BUCKET/.pail-uploads/ID/ has one file per part, and "key", which says what it
 * is for and carries the attributes that the object will have. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "codec/hex.h"
#include "provider/file.h"

#define KEY_FILE "key"
enum { ID = 16, PART_NAME = 8, TRIES = 100 };

/* An open upload; UPLOAD is none. */
struct upload {
    int bucket, uploads, folder;
    const char *id;
};
#define UPLOAD ((struct upload){-1, -1, -1, NULL})

static bool is_id(const char *id)
{
    return id && strlen(id) == ID && strspn(id, "0123456789abcdef") == ID;
}

/* The key of an upload from its folder; false with errno 0 where it is not yet written. */
static bool read_key(int folder, char key[PL_FILE_KEY_MAX + 1], struct stat *st)
{
    struct pl_file_place at = {folder, KEY_FILE};
    int fd = -1;
    errno = 0;
    if (pl_file_open(&at, &fd, st, NULL)) {
        return false;
    }
    size_t n = (uint64_t)st->st_size <= PL_FILE_KEY_MAX ? (size_t)st->st_size : 0;
    bool ok = n && pl_sys_read_full(fd, key, n, 0) && pl_utf8_valid(pl_str_n(key, n));
    pl_file_close(fd);
    key[ok ? n : 0] = '\0';
    return ok && strlen(key) == n;
}

bool pl_file_upload_read(int uploads, const char *id, char key[PL_FILE_KEY_MAX + 1],
                         int64_t *begun_ms)
{
    struct stat st;
    int folder = is_id(id) ? pl_file_folder(uploads, id) : -1;
    bool ok = folder >= 0 && read_key(folder, key, &st);
    pl_file_close(folder);
    if (ok) {
        *begun_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    }
    return ok;
}

static void close_upload(struct upload *u)
{
    pl_file_close(u->folder);
    pl_file_close(u->uploads);
    pl_file_close(u->bucket);
    *u = UPLOAD;
}

/* Opens the upload of op->key. */
static pail_code open_upload(const struct pl_file *f, struct pl_op *op, const char *id,
                             struct upload *u)
{
    char key[PL_FILE_KEY_MAX + 1];
    struct stat st;
    *u = UPLOAD;
    pail_code rc = pl_file_bucket(f, op->bucket, &u->bucket, &op->error);
    if (rc == PAIL_OK) {
        u->uploads = is_id(id) ? pl_file_folder(u->bucket, PL_FILE_UPLOADS) : -1;
        u->folder = u->uploads < 0 ? -1 : pl_file_folder(u->uploads, id);
        u->id = id;
        bool ok = u->folder >= 0 && read_key(u->folder, key, &st) && strcmp(key, op->key) == 0;
        rc = ok ? PAIL_OK : PAIL_E_UPLOAD_NOT_FOUND;
    }
    if (rc) {
        close_upload(u);
    }
    return rc;
}

/* ---- begin ---- */

/* Writes the key behind the attributes: an upload without its key is none yet. */
static pail_code write_key(struct pl_op *op, int folder)
{
    int fd = pl_sys.open(folder, KEY_FILE, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
    if (fd < 0) {
        return pl_file_fail(&op->error, errno, "beginning an upload of", op->key);
    }
    pail_code rc = pl_file_attributes_set(fd, op->key, op->attr, &op->error);
    if (rc == PAIL_OK && !pl_sys_write_full(fd, op->key, strlen(op->key), 0)) {
        rc = pl_file_fail(&op->error, errno, "beginning an upload of", op->key);
    }
    pl_file_close(fd);
    return rc;
}

/* The folder of a new upload. PAIL_E_NOT_FOUND: another removed the folder of uploads meanwhile. */
static pail_code make_upload(struct pl_op *op, int bucket, struct upload *u, char id[ID + 1])
{
    unsigned char random[ID / 2];
    if (!pl_sys.random(random, sizeof random) ||
        (pl_sys.mkdir(bucket, PL_FILE_UPLOADS, 0777) < 0 && errno != EEXIST)) {
        return pl_file_fail(&op->error, errno, "beginning an upload of", op->key);
    }
    pl_hex_encode(id, random, sizeof random);
    u->uploads = pl_file_folder(bucket, PL_FILE_UPLOADS);
    if (u->uploads >= 0 && pl_sys.mkdir(u->uploads, id, 0777) == 0) {
        u->folder = pl_file_folder(u->uploads, id);
    }
    return u->folder >= 0 ? PAIL_OK
           : errno == ENOENT || errno == EEXIST
               ? PAIL_E_NOT_FOUND
               : pl_file_fail(&op->error, errno, "beginning an upload of", op->key);
}

static void drop_upload(const struct upload *u);

pail_code pl_file_begin(const struct pl_file *f, struct pl_op *op)
{
    struct upload u = UPLOAD;
    struct pl_file_draft d = PL_FILE_DRAFT;
    char id[ID + 1];
    pail_code rc = pl_file_write_conditions(op);
    rc = rc ? rc : pl_file_draft_open(f, op, &d); /* finds what would be in the way at the end */
    pl_file_draft_close(&d);
    rc = rc ? rc : PAIL_E_NOT_FOUND;
    for (int i = 0; i < TRIES && rc == PAIL_E_NOT_FOUND; i++) {
        close_upload(&u);
        rc = pl_file_bucket(f, op->bucket, &u.bucket, &op->error);
        rc = rc ? rc : make_upload(op, u.bucket, &u, id);
    }
    u.id = id;
    if (rc == PAIL_OK) {
        rc = write_key(op, u.folder);
        op->out.upload_id = rc ? NULL : pl_arena_dup_c(&op->arena, id);
        rc = rc || op->out.upload_id ? rc : PAIL_E_NO_MEMORY;
        if (rc) {
            drop_upload(&u);
        }
    }
    close_upload(&u);
    return rc == PAIL_E_NOT_FOUND ? PAIL_E_CONFLICT : rc;
}

/* ---- the end of an upload ---- */

static bool drop_entry(const char *name, enum pl_entry kind, void *ctx)
{
    const struct upload *u = ctx;
    if (kind != PL_ENTRY_FOLDER && strcmp(name, KEY_FILE) != 0) {
        pl_sys.unlink(u->folder, name, 0);
    }
    return true;
}

/* Its key goes last: until then it is listed, and can be dropped again. */
static void drop_upload(const struct upload *u)
{
    struct upload copy = *u;
    bool again = true;
    for (int i = 0; again && i < TRIES; i++) { /* a part may come between */
        (void)pl_sys_scan(u->folder, drop_entry, &copy);
        pl_sys.unlink(u->folder, KEY_FILE, 0);
        again = pl_sys.unlink(u->uploads, u->id, AT_REMOVEDIR) < 0 &&
                (errno == ENOTEMPTY || errno == EEXIST);
    }
    pl_sys.unlink(u->bucket, PL_FILE_UPLOADS, AT_REMOVEDIR); /* where it was the last */
}

pail_code pl_file_abort(const struct pl_file *f, struct pl_op *op)
{
    struct upload u;
    pail_code rc = open_upload(f, op, op->in.mp.upload_id, &u);
    if (rc == PAIL_OK) {
        drop_upload(&u);
    }
    close_upload(&u);
    return rc;
}

/* ---- parts ---- */

static void part_name(char name[PART_NAME], uint32_t number)
{
    snprintf(name, PART_NAME, "%05u", number % 100000);
}

/* Stores a part from `source` as part `number`. */
static pail_code store_part(struct pl_op *op, const struct upload *u, uint32_t number,
                            struct pl_body *source, const char *source_name)
{
    char temp[32], name[PART_NAME], etag[PL_FILE_ETAG];
    struct stat st;
    int fd = pl_file_temp(u->folder, temp, 0666);
    if (fd < 0) {
        return errno == ENOENT
                   ? PAIL_E_UPLOAD_NOT_FOUND
                   : pl_file_fail(&op->error, errno, "making a temporary file for", op->key);
    }
    struct pl_body to = {.kind = PL_BODY_FILE, .fd = fd, .len = source->len};
    pail_code rc = pl_file_pour(op, source, source_name, &to, op->key);
    part_name(name, number);
    if (rc == PAIL_OK && (pl_sys.touch(fd) < 0 || pl_sys.fstat(fd, &st) < 0 ||
                          pl_sys.rename(u->folder, temp, u->folder, name, 0) < 0)) {
        rc = errno == ENOENT ? PAIL_E_UPLOAD_NOT_FOUND
                             : pl_file_fail(&op->error, errno, "writing a part of", op->key);
    }
    if (rc) {
        pl_sys.unlink(u->folder, temp, 0);
    } else {
        op->out.etag = pl_arena_dup_c(&op->arena, pl_file_etag(etag, &st));
        rc = op->out.etag ? PAIL_OK : PAIL_E_NO_MEMORY;
    }
    pl_file_close(fd);
    return rc;
}

static pail_code check_number(struct pl_op *op, uint32_t number)
{
    return number >= 1 && number <= PL_FILE_PARTS_MAX
               ? PAIL_OK
               : pl_fail(&op->error, PAIL_E_BAD_ARGUMENT, "part number %u is not 1 to %d", number,
                         PL_FILE_PARTS_MAX);
}

pail_code pl_file_part(const struct pl_file *f, struct pl_op *op)
{
    struct upload u = UPLOAD;
    pail_code rc = check_number(op, op->in.put.number);
    rc = rc ? rc : open_upload(f, op, op->in.put.upload_id, &u);
    rc = rc ? rc : store_part(op, &u, op->in.put.number, op->in.put.source, "the source");
    close_upload(&u);
    return rc;
}

pail_code pl_file_copy_part(const struct pl_file *f, struct pl_op *op)
{
    struct upload u = UPLOAD;
    int from = -1;
    pail_info info;
    uint64_t offset = op->in.copy.offset, length = op->in.copy.length;
    pail_code rc = check_number(op, op->in.copy.number);
    rc = rc ? rc : pl_file_copy_source(f, op, &from, &info);
    if (rc == PAIL_OK && (offset > info.size || length > info.size - offset)) {
        rc = PAIL_E_BAD_RANGE;
    }
    rc = rc ? rc : open_upload(f, op, op->in.copy.upload_id, &u);
    if (rc == PAIL_OK) {
        struct pl_body span = {.kind = PL_BODY_FILE, .fd = from, .offset = offset, .len = length};
        rc = store_part(op, &u, op->in.copy.number, &span, op->in.copy.key);
        rc = rc ? rc : pl_file_unchanged(from, &info, &op->error);
    }
    close_upload(&u);
    pl_file_close(from);
    return rc;
}

/* ---- finish ---- */

/* The part that the caller means, open. */
static pail_code open_part(struct pl_op *op, const struct upload *u, size_t i, int *fd,
                           uint64_t *size)
{
    const struct pl_part *part = &op->in.mp.parts[i];
    char name[PART_NAME], etag[PL_FILE_ETAG];
    struct stat st;
    *fd = -1;
    part_name(name, part->number);
    struct pl_file_place at = {u->folder, name};
    pail_code rc = check_number(op, part->number);
    rc = rc ? rc : pl_file_open(&at, fd, &st, &op->error);
    bool in_order = i == 0 || part->number > part[-1].number;
    if (rc == PAIL_E_NOT_FOUND ||
        (rc == PAIL_OK &&
         (!in_order || !part->etag || strcmp(part->etag, pl_file_etag(etag, &st))))) {
        rc = pl_fail(&op->error, PAIL_E_BAD_ARGUMENT,
                     "part %u is missing, has another ETag, or stands out of order", part->number);
    }
    if (rc) {
        pl_file_close(*fd);
        *fd = -1;
        return rc;
    }
    *size = (uint64_t)st.st_size;
    return PAIL_OK;
}

/* Before a byte is copied: all parts are here, and are as long together as the caller says. */
static pail_code check_parts(struct pl_op *op, const struct upload *u)
{
    uint64_t all = 0, size;
    int fd;
    pail_code rc = PAIL_OK;
    for (size_t i = 0; rc == PAIL_OK && i < op->in.mp.count; i++) {
        rc = open_part(op, u, i, &fd, &size);
        pl_file_close(fd);
        all += rc ? 0 : size;
    }
    if (rc == PAIL_OK && op->in.mp.size && op->in.mp.size != all) {
        rc = pl_fail(&op->error, PAIL_E_BAD_ARGUMENT, "the parts have %llu bytes, not %llu",
                     (unsigned long long)all, (unsigned long long)op->in.mp.size);
    }
    return rc;
}

static pail_code join_parts(struct pl_op *op, const struct upload *u, int to)
{
    uint64_t at = 0, size;
    pail_code rc = PAIL_OK;
    for (size_t i = 0; rc == PAIL_OK && i < op->in.mp.count; i++) {
        int fd;
        rc = open_part(op, u, i, &fd, &size);
        if (rc == PAIL_OK) {
            struct pl_body from = {.kind = PL_BODY_FILE, .fd = fd, .len = size};
            struct pl_body sink = {.kind = PL_BODY_FILE, .fd = to, .offset = at, .len = size};
            rc = pl_file_pour(op, &from, op->key, &sink, op->key);
            at += size;
        }
        pl_file_close(fd);
    }
    return rc;
}

/* What the object will have, from where it was told at the beginning. */
static pail_code told_attributes(struct pl_op *op, const struct upload *u, pail_attributes *out)
{
    struct pl_file_place at = {u->folder, KEY_FILE};
    struct stat st;
    pail_info info;
    int fd;
    pail_code rc = pl_file_open(&at, &fd, &st, &op->error);
    rc = rc ? rc : pl_file_info(fd, op->key, &op->arena, &info, &op->error);
    pl_file_close(fd);
    if (rc == PAIL_OK) {
        *out = pl_info_attributes(&info);
    }
    return rc == PAIL_E_NOT_FOUND ? PAIL_E_UPLOAD_NOT_FOUND : rc;
}

pail_code pl_file_finish(const struct pl_file *f, struct pl_op *op)
{
    struct upload u = UPLOAD;
    struct pl_file_draft d = PL_FILE_DRAFT;
    pail_attributes attr;
    pail_code rc = pl_file_write_conditions(op);
    rc = rc ? rc : open_upload(f, op, op->in.mp.upload_id, &u);
    rc = rc ? rc : told_attributes(op, &u, &attr);
    rc = rc ? rc : check_parts(op, &u);
    rc = rc ? rc : pl_file_draft_open(f, op, &d);
    rc = rc ? rc : join_parts(op, &u, d.fd);
    rc = rc ? rc : pl_file_draft_commit(op, &d, &attr);
    pl_file_draft_close(&d);
    if (rc == PAIL_OK) {
        drop_upload(&u);
    }
    close_upload(&u);
    return rc;
}
