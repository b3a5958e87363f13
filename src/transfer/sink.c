#include "transfer/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/sys.h"

enum { PREALLOCATE_FROM = 1 << 20 };

static const char *name_of(const struct pl_sink *s)
{
    return s->user->kind == PAIL_BODY_PATH ? s->user->path : "the destination";
}

/* A regular file takes parts at their places; a pipe, device or file opened to append takes them in
 * order. */
static void open_fd(struct pl_sink *s)
{
    struct stat st;
    int flags = fcntl(s->fd, F_GETFL);
    off_t at = lseek(s->fd, 0, SEEK_CUR);
    if (pl_sys.fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode) && at >= 0 && flags >= 0 &&
        !(flags & O_APPEND)) {
        s->kind = PL_BODY_FILE;
        s->offset = (uint64_t)at;
    }
}

static pail_code open_temporary(struct pl_sink *s, mode_t mode, struct pail_error **err)
{
    for (int tries = 0; tries < 8; tries++) {
        uint64_t random;
        if (!pl_sys.random(&random, sizeof random)) {
            return pl_fail_errno(err, errno, "asking the system for a random name");
        }
        struct pl_buf b = PL_BUF_MAX(4096);
        pl_buf_printf(&b, ".%.200s.pail-%08llx", s->name,
                      (unsigned long long)(random & 0xffffffff));
        s->temporary = pl_buf_take(&b);
        if (!s->temporary) {
            return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a file name");
        }
        s->fd = pl_sys.open(s->dir, s->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
        if (s->fd >= 0) {
            s->kind = PL_BODY_FILE;
            return PAIL_OK;
        }
        int number = errno;
        pl_free(s->temporary);
        s->temporary = NULL;
        if (number != EEXIST) {
            return pl_fail_errno(err, number, "making a file beside %s", name_of(s));
        }
    }
    return pl_fail(err, PAIL_E_IO, "no free name for a temporary file beside %s", name_of(s));
}

static int open_folder(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    char *folder =
        slash ? pl_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : pl_strdup(".");
    int fd = folder ? pl_sys.open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0) : -1;
    int number = folder ? errno : ENOMEM;
    pl_free(folder);
    errno = number;
    return fd;
}

static pail_code open_path(struct pl_sink *s, struct pail_error **err)
{
    struct stat st;
    const char *path = s->user->path;
    if (!path || !*path) {
        return pl_fail(err, PAIL_E_BAD_ARGUMENT, "the destination has no name");
    }
    bool there = pl_sys.stat(AT_FDCWD, path, &st, 0) == 0;
    if ((there && S_ISDIR(st.st_mode)) || path[strlen(path) - 1] == '/') {
        pl_fail(err, PAIL_E_BAD_ARGUMENT, "%s is a directory", path);
        pl_error_hint(err, "name a file in it");
        return PAIL_E_BAD_ARGUMENT;
    }
    if (there && !S_ISREG(st.st_mode)) { /* a device or pipe is written as it is */
        s->fd = pl_sys.open(AT_FDCWD, path, O_WRONLY, 0);
        return s->fd >= 0 ? PAIL_OK : pl_fail_errno(err, errno, "opening %s", path);
    }
    s->dir = open_folder(path, &s->name);
    if (s->dir < 0) {
        return pl_fail_errno(err, errno, "opening the folder of %s", path);
    }
    return open_temporary(s, there ? st.st_mode & 0777 : 0666, err);
}

pail_code pl_sink_open(struct pl_sink *s, pail_body *user, struct pail_error **err)
{
    *s = (struct pl_sink){.user = user, .fd = -1, .dir = -1};
    user->used = 0;
    switch (user->kind) {
    case PAIL_BODY_BUF:
        s->kind = PL_BODY_MEM;
        return user->buf || user->len == 0
                   ? PAIL_OK
                   : pl_fail(err, PAIL_E_BAD_ARGUMENT, "the buffer is NULL");
    case PAIL_BODY_PATH: return open_path(s, err);
    case PAIL_BODY_FD:
        s->fd = user->fd;
        open_fd(s);
        return PAIL_OK;
    case PAIL_BODY_FN:
        return user->fn ? PAIL_OK : pl_fail(err, PAIL_E_BAD_ARGUMENT, "the body has no function");
    case PAIL_BODY_ROOM:
        s->kind = PL_BODY_GROW;
        return user->room ? PAIL_OK : pl_fail(err, PAIL_E_BAD_ARGUMENT, "the body has no function");
    }
    return pl_fail(err, PAIL_E_BAD_ARGUMENT, "the kind of body %d is unknown", (int)user->kind);
}

void pl_sink_body(const struct pl_sink *s, uint64_t at, uint64_t n, struct pl_body *body)
{
    body->kind = s->kind;
    body->ptr = s->kind == PL_BODY_MEM ? (char *)s->user->buf + at : NULL;
    body->fd = s->fd;
    body->offset = s->offset + at;
    body->len = n;
    atomic_store(&body->done, 0);
}

pail_code pl_sink_push(struct pl_sink *s, const void *data, size_t n, struct pail_error **err)
{
    for (size_t at = 0; s->fd >= 0 && at < n;) {
        ssize_t put = pl_sys.write(s->fd, (const char *)data + at, n - at);
        if (put < 0) {
            return pl_fail_errno(err, errno, "writing to %s", name_of(s));
        }
        at += (size_t)put;
    }
    if (s->fd < 0 && n && s->user->fn((void *)(uintptr_t)data, n, s->user->ctx) < 0) {
        return pl_fail(err, PAIL_E_CALLBACK, "the destination's function asked to stop");
    }
    return PAIL_OK;
}

/* Once the size is known the sink is memory like any other. */
static pail_code take_room(struct pl_sink *s, uint64_t size, struct pail_error **err)
{
    s->kind = PL_BODY_MEM;
    if (s->user->buf && size <= s->user->len) {
        return PAIL_OK;
    }
    s->user->buf = size <= SIZE_MAX ? s->user->room(size, s->user->ctx) : NULL;
    s->user->len = s->user->buf ? (size_t)size : 0;
    return s->user->buf ? PAIL_OK
                        : pl_fail(err, PAIL_E_CALLBACK, "there is no room for %llu bytes",
                                  (unsigned long long)size);
}

pail_code pl_sink_expect(struct pl_sink *s, uint64_t size, struct pail_error **err)
{
    if (s->kind == PL_BODY_GROW) {
        return take_room(s, size, err);
    }
    if (s->kind == PL_BODY_MEM && size > s->user->len) {
        pl_fail(err, PAIL_E_TOO_LARGE, "%llu bytes do not fit into a buffer of %zu",
                (unsigned long long)size, s->user->len);
        pl_error_hint(err, "use a larger buffer, a range, or pail_get_alloc");
        return PAIL_E_TOO_LARGE;
    }
    if (s->temporary && size >= PREALLOCATE_FROM && pl_sys.fallocate(s->fd, (off_t)size) < 0 &&
        (errno == ENOSPC || errno == EDQUOT)) {
        return pl_fail_errno(err, errno, "making room for %llu bytes of %s",
                             (unsigned long long)size, name_of(s));
    }
    return PAIL_OK;
}

pail_code pl_sink_commit(struct pl_sink *s, uint64_t size, bool sync, struct pail_error **err)
{
    s->user->used = size;
    if (s->kind == PL_BODY_FILE && !s->temporary &&
        lseek(s->fd, (off_t)(s->offset + size), SEEK_SET) < 0) {
        return pl_fail_errno(err, errno, "moving the position of %s", name_of(s));
    }
    if (!s->temporary) {
        return PAIL_OK;
    }
    if (pl_sys.ftruncate(s->fd, (off_t)size) < 0 || (sync && pl_sys.fsync(s->fd) < 0) ||
        pl_sys.rename(s->dir, s->temporary, s->dir, s->name, 0) < 0 ||
        (sync && pl_sys.fsync(s->dir) < 0)) {
        return pl_fail_errno(err, errno, "finishing %s", name_of(s));
    }
    pl_free(s->temporary);
    s->temporary = NULL;
    return PAIL_OK;
}

void pl_sink_close(struct pl_sink *s)
{
    if (s->temporary) {
        (void)pl_sys.unlink(s->dir, s->temporary, 0);
    }
    if (s->fd >= 0 && s->user && s->user->kind == PAIL_BODY_PATH) {
        pl_sys.close(s->fd);
    }
    if (s->dir >= 0) {
        pl_sys.close(s->dir);
    }
    pl_free(s->temporary);
    *s = (struct pl_sink){.fd = -1, .dir = -1};
}
