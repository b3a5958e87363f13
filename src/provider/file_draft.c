/* How an object comes to be: written beside its place under a temporary name, then renamed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "codec/hex.h"
#include "provider/file.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

enum { TRIES = 100 };

/* ---- conditions ---- */

static bool create_only(const struct pl_op *op)
{
    return op->cond.if_none_match != NULL;
}

pail_code pl_file_write_conditions(struct pl_op *op)
{
    const pail_conditions *c = &op->cond;
    bool other = c->if_none_match && strcmp(c->if_none_match, "*") != 0;
    if (!c->if_match && !c->if_modified_since_ms && !c->if_unmodified_since_ms && !other) {
        return PAIL_OK;
    }
    pl_fail(&op->error, PAIL_E_UNSUPPORTED,
            "plain files can be created only where nothing is, and know no other condition of a "
            "write");
    pl_error_hint(&op->error, "a LOCAL store, local:BUCKET, checks every condition");
    return PAIL_E_UNSUPPORTED;
}

/* ---- bytes ---- */

static pail_code pour_failed(struct pl_op *op, bool reading, const char *name)
{
    return errno     ? pl_file_fail(&op->error, errno, reading ? "reading" : "writing", name)
           : reading ? pl_fail(&op->error, PAIL_E_CHANGED,
                               "\"%s\" became shorter while it was read", name)
                     : PAIL_E_IO;
}

/* Moves n bytes at `at`, without a copy between where one side is memory. */
static bool move_step(struct pl_body *from, uint64_t at, struct pl_body *to, char *room, size_t n,
                      bool *reading)
{
    uint64_t done = atomic_load(&to->done);
    *reading = true;
    errno = 0;
    if (to->kind == PL_BODY_MEM) {
        bool ok = pl_body_read(from, at, to->ptr + done, n);
        atomic_store(&to->done, ok ? done + n : done);
        return ok;
    }
    if (from->kind != PL_BODY_MEM && !pl_body_read(from, at, room, n)) {
        return false;
    }
    *reading = false;
    return pl_body_write(to, from->kind == PL_BODY_MEM ? from->ptr + at : room, n);
}

pail_code pl_file_pour(struct pl_op *op, struct pl_body *from, const char *from_name,
                       struct pl_body *to, const char *to_name)
{
    pail_code rc = PAIL_OK;
    bool direct = from->kind == PL_BODY_MEM || to->kind == PL_BODY_MEM, reading;
    size_t step = from->len < PL_FILE_STEP ? (size_t)from->len : PL_FILE_STEP;
    char *room = direct || step == 0 ? NULL : pl_alloc(step);
    if (!room && !direct && step) {
        return pl_fail(&op->error, PAIL_E_NO_MEMORY, "no memory for %zu bytes", step);
    }
    for (uint64_t at = 0; rc == PAIL_OK && at < from->len;) {
        size_t n = from->len - at < step ? (size_t)(from->len - at) : step;
        if (op->deadline_ns && pl_sys.mono_ns() > op->deadline_ns) {
            rc = PAIL_E_TIMEOUT;
        } else if (!move_step(from, at, to, room, n, &reading)) {
            rc = pour_failed(op, reading, reading ? from_name : to_name);
        }
        at += n;
        if (rc == PAIL_OK) {
            atomic_store(&from->done, at);
        }
    }
    pl_free(room);
    return rc;
}

/* ---- temporary files ---- */

int pl_file_temp(int folder, char name[32], mode_t mode)
{
    for (int i = 0; i < TRIES; i++) {
        unsigned char random[8];
        char digits[17];
        if (!pl_sys.random(random, sizeof random)) {
            return -1;
        }
        pl_hex_encode(digits, random, sizeof random);
        snprintf(name, 32, PL_FILE_OURS "%s", digits);
        int fd = pl_sys.open(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
    return -1;
}

/* What stands at the place of the draft must be an object or nothing. The new file gets its rights,
 * so that a private one stays private. */
static pail_code look_at_target(struct pl_op *op, const struct pl_file_draft *d, mode_t *mode)
{
    struct stat st;
    if (pl_sys.stat(d->place.folder, d->place.name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? PAIL_OK : pl_file_fail(&op->error, errno, "looking at", d->key);
    }
    if (S_ISREG(st.st_mode)) {
        *mode = (st.st_mode & 0777) | 0600;
        return create_only(op) ? PAIL_E_EXISTS : PAIL_OK;
    }
    pl_fail(&op->error, PAIL_E_BAD_KEY, "the key \"%s\" is the name of a %s, which is not replaced",
            d->key, S_ISDIR(st.st_mode) ? "folder" : "link or device");
    pl_error_hint(&op->error, "a LOCAL store, local:BUCKET, keeps \"a\" and \"a/b\" side by side");
    return PAIL_E_BAD_KEY;
}

/* PAIL_E_NOT_FOUND: a folder on the way was deleted meanwhile. */
static pail_code try_open(struct pl_op *op, struct pl_file_draft *d)
{
    mode_t mode = 0666;
    pail_code rc = pl_file_make(d->bucket, d->key, &d->place, &op->error);
    rc = rc ? rc : look_at_target(op, d, &mode);
    if (rc == PAIL_OK) {
        d->fd = pl_file_temp(d->place.folder, d->name, mode);
        if (d->fd < 0) {
            rc = errno == ENOENT
                     ? PAIL_E_NOT_FOUND
                     : pl_file_fail(&op->error, errno, "making a temporary file for", d->key);
        }
    }
    return rc;
}

pail_code pl_file_draft_open(const struct pl_file *f, struct pl_op *op, struct pl_file_draft *d)
{
    pail_code rc = PAIL_E_NOT_FOUND;
    d->key = op->key;
    for (int i = 0; i < TRIES && rc == PAIL_E_NOT_FOUND; i++) {
        pl_file_draft_close(d);
        rc = pl_file_bucket(f, op->bucket, &d->bucket, &op->error);
        rc = rc ? rc : try_open(op, d);
    }
    if (rc) {
        pl_file_draft_close(d);
    }
    return rc == PAIL_E_NOT_FOUND ? PAIL_E_CONFLICT : rc;
}

/* ---- the end of a draft ---- */

static int rename_new(const struct pl_file_draft *d)
{
    int folder = d->place.folder;
    if (pl_sys.rename(folder, d->name, folder, d->place.name, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -1;
    }
    /* A file system without that flag: a second name, which is never put over another. */
    if (pl_sys.link(folder, d->name, folder, d->place.name, 0) < 0) {
        return -1;
    }
    pl_sys.unlink(folder, d->name, 0);
    return 0;
}

static pail_code publish(struct pl_op *op, struct pl_file_draft *d)
{
    int folder = d->place.folder;
    int done =
        create_only(op) ? rename_new(d) : pl_sys.rename(folder, d->name, folder, d->place.name, 0);
    if (done == 0) {
        d->name[0] = '\0';
        return PAIL_OK;
    }
    return errno == EEXIST && create_only(op)
               ? PAIL_E_EXISTS
               : pl_file_fail(&op->error, errno, "renaming the temporary file of", d->key);
}

pail_code pl_file_draft_commit(struct pl_op *op, struct pl_file_draft *d,
                               const pail_attributes *attr)
{
    pail_code rc = pl_file_attributes_set(d->fd, d->key, attr, &op->error);
    if (rc == PAIL_OK && pl_sys.touch(d->fd) < 0) {
        rc = pl_file_fail(&op->error, errno, "setting the time of", d->key);
    }
    rc = rc ? rc : pl_file_info(d->fd, d->key, &op->arena, &op->out.info, &op->error);
    return rc ? rc : publish(op, d);
}

void pl_file_draft_close(struct pl_file_draft *d)
{
    bool dropped = d->bucket >= 0 && (d->fd < 0 || d->name[0]);
    if (d->fd >= 0 && d->name[0]) {
        pl_sys.unlink(d->place.folder, d->name, 0);
    }
    pl_file_close(d->fd);
    pl_file_close(d->place.folder);
    if (dropped) {
        pl_file_prune(d->bucket, d->key); /* folders that were made for it */
    }
    pl_file_close(d->bucket);
    const char *key = d->key;
    *d = PL_FILE_DRAFT;
    d->key = key;
}
