#include "transfer/source.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/sys.h"

static const char *name_of(const struct pl_source *s)
{
    return s->user->kind == PAIL_BODY_PATH ? s->user->path : "the source";
}

/* A regular file becomes a range that can be read again, anything else a stream. */
static pail_code open_fd(struct pl_source *s, struct pail_error **err)
{
    if (pl_sys.fstat(s->fd, &s->before) < 0) {
        return pl_fail_errno(err, errno, "looking at %s", name_of(s));
    }
    if (S_ISDIR(s->before.st_mode)) {
        pl_fail(err, PAIL_E_BAD_ARGUMENT, "%s is a directory", name_of(s));
        pl_error_hint(err, "name a file, or copy the directory recursively");
        return PAIL_E_BAD_ARGUMENT;
    }
    off_t at = S_ISREG(s->before.st_mode) ? lseek(s->fd, 0, SEEK_CUR) : -1;
    if (at >= 0) {
        s->kind = PL_BODY_FILE;
        s->offset = (uint64_t)at;
        s->size = s->before.st_size > at ? (uint64_t)(s->before.st_size - at) : 0;
    }
    return PAIL_OK;
}

static pail_code open_path(struct pl_source *s, struct pail_error **err)
{
    s->fd = s->user->path ? pl_sys.open(AT_FDCWD, s->user->path, O_RDONLY, 0) : -1;
    if (s->fd < 0) {
        int number = s->user->path ? errno : EINVAL;
        pail_code rc = pl_fail_errno(err, number, "opening %s",
                                     s->user->path ? s->user->path : "a file without a name");
        if (number == ENOENT) {
            pl_error_hint(err, "there is no such file; a bare name is always a local path");
        }
        return rc;
    }
    s->owns_fd = true;
    return open_fd(s, err);
}

pail_code pl_source_open(struct pl_source *s, pail_body *user, struct pail_error **err)
{
    *s = (struct pl_source){.user = user, .fd = -1};
    user->used = 0;
    switch (user->kind) {
    case PAIL_BODY_BUF:
        s->kind = PL_BODY_MEM;
        s->size = user->len;
        return user->buf || user->len == 0
                   ? PAIL_OK
                   : pl_fail(err, PAIL_E_BAD_ARGUMENT, "the buffer is NULL");
    case PAIL_BODY_PATH: return open_path(s, err);
    case PAIL_BODY_FD: s->fd = user->fd; return open_fd(s, err);
    case PAIL_BODY_FN:
        return user->fn ? PAIL_OK : pl_fail(err, PAIL_E_BAD_ARGUMENT, "the body has no function");
    case PAIL_BODY_ROOM: break;
    }
    return pl_fail(err, PAIL_E_BAD_ARGUMENT, "the kind of body %d is unknown", (int)user->kind);
}

void pl_source_body(const struct pl_source *s, uint64_t at, uint64_t n, struct pl_body *body)
{
    body->kind = s->kind;
    body->ptr = s->kind == PL_BODY_MEM ? (char *)s->user->buf + at : NULL;
    body->fd = s->fd;
    body->before = s->kind == PL_BODY_FILE ? &s->before : NULL;
    body->offset = s->offset + at;
    body->len = n;
    atomic_store(&body->done, 0);
}

int64_t pl_source_pull(struct pl_source *s, void *buf, size_t n, struct pail_error **err)
{
    size_t at = 0;
    while (at < n) {
        int64_t got = s->fd >= 0 ? pl_sys.read(s->fd, (char *)buf + at, n - at)
                                 : s->user->fn((char *)buf + at, n - at, s->user->ctx);
        if (got < 0 && s->fd >= 0) {
            return pl_fail_errno(err, errno, "reading %s", name_of(s));
        }
        if (got < 0 || (uint64_t)got > n - at) {
            return pl_fail(err, PAIL_E_CALLBACK, "the source's function asked to stop");
        }
        if (got == 0) {
            break;
        }
        at += (size_t)got;
    }
    s->user->used += at;
    return (int64_t)at;
}

pail_code pl_source_unchanged(const struct pl_source *s, struct pail_error **err)
{
    struct stat now;
    if (s->kind != PL_BODY_FILE) {
        return PAIL_OK;
    }
    if (pl_sys.fstat(s->fd, &now) < 0) {
        return pl_fail_errno(err, errno, "looking at %s", name_of(s));
    }
    const struct stat *was = &s->before;
    if (now.st_size == was->st_size && now.st_mtim.tv_sec == was->st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == was->st_mtim.tv_nsec) {
        return PAIL_OK;
    }
    pl_fail(err, PAIL_E_CHANGED, "%s changed while it was read", name_of(s));
    pl_error_hint(err, "try again when nobody writes to it");
    return PAIL_E_CHANGED;
}

void pl_source_close(struct pl_source *s)
{
    if (s->owns_fd) {
        pl_sys.close(s->fd);
    }
    *s = (struct pl_source){.fd = -1};
}
