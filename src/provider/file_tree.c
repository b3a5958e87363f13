#include "provider/file.h"

#include <errno.h>
#include <fcntl.h>

#ifndef O_PATH
#define O_PATH 0
#endif

enum { FOLDER = O_PATH | O_DIRECTORY, DEPTH_MAX = 600 /* more than a key can have */ };

/* ---- keys ---- */

const char *pl_file_segment_rule(struct pl_str s)
{
    if (s.len == 0) {
        return "it may not begin or end with \"/\", nor have \"//\" in it";
    }
    if (pl_str_is(s, ".") || pl_str_is(s, "..")) {
        return "no segment may be \".\" or \"..\"";
    }
    if (s.len > PL_FILE_SEGMENT_MAX) {
        return "a segment may have at most 255 bytes";
    }
    return pl_str_starts(s, PL_STR(PL_FILE_OURS)) ? "no segment may begin with \"" PL_FILE_OURS
                                                    "\", which is for temporary files"
                                                  : NULL;
}

static pail_code bad_key(struct pail_error **err, const char *key, const char *why)
{
    pl_fail(err, PAIL_E_BAD_KEY, "the key \"%s\" cannot be a file: %s", key, why);
    pl_error_hint(err, "a LOCAL store, local:BUCKET, takes any key");
    return PAIL_E_BAD_KEY;
}

pail_code pl_file_key_check(const char *key, struct pail_error **err)
{
    struct pl_str rest = pl_str_c(key);
    if (rest.len > PL_FILE_KEY_MAX) {
        return bad_key(err, key, "it may have at most 1024 bytes");
    }
    do {
        const char *rule = pl_file_segment_rule(pl_str_split(&rest, '/'));
        if (rule) {
            return bad_key(err, key, rule);
        }
    } while (rest.ptr);
    return PAIL_OK;
}

/* ---- errors and folders ---- */

pail_code pl_file_fail(struct pail_error **err, int number, const char *what, const char *name)
{
    char room[128];
    if (number == EACCES || number == EPERM || number == EROFS) {
        return pl_fail(err, PAIL_E_FORBIDDEN, "%s \"%s\": %s", what, name,
                       pl_errno_text(number, room, sizeof room));
    }
    return number == ENAMETOOLONG
               ? bad_key(err, name, "a segment is longer than this file system allows")
               : pl_fail_errno(err, number, "%s \"%s\"", what, name);
}

void pl_file_close(int fd)
{
    int saved = errno;
    if (fd >= 0) {
        pl_sys.close(fd);
    }
    errno = saved;
}

pail_code pl_file_root(const struct pl_file *f, int *fd, struct pail_error **err)
{
    *fd = pl_sys.open(AT_FDCWD, f->root, FOLDER, 0);
    if (*fd >= 0) {
        return PAIL_OK;
    }
    pail_code rc = pl_file_fail(err, errno, "opening the folder of buckets", f->root);
    pl_error_hint(err, "make the folder first; its subfolders are the buckets");
    return rc;
}

int pl_file_folder(int parent, const char *name)
{
    return pl_sys.open(parent, name, FOLDER | O_NOFOLLOW, 0);
}

static bool is_missing(int number)
{
    return number == ENOENT || number == ENOTDIR || number == ELOOP;
}

pail_code pl_file_bucket(const struct pl_file *f, const char *bucket, int *fd,
                         struct pail_error **err)
{
    int root = pl_sys.open(AT_FDCWD, f->root, FOLDER, 0);
    *fd = root < 0 ? -1 : pl_file_folder(root, bucket);
    int saved = errno;
    struct stat st;
    bool is_link = root >= 0 && *fd < 0 && is_missing(saved) &&
                   pl_sys.stat(root, bucket, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
    pl_file_close(root);
    if (*fd >= 0) {
        return PAIL_OK;
    }
    if (!is_missing(saved)) {
        return pl_file_fail(err, saved, "opening the bucket", bucket);
    }
    pl_fail(err, PAIL_E_BUCKET_NOT_FOUND,
            is_link ? "\"%s\" in %s is a symbolic link, and no bucket" : "no folder \"%s\" in %s",
            bucket, f->root);
    if (is_link) {
        pl_error_hint(err, "links are not followed; name the folder that it points to");
    }
    return PAIL_E_BUCKET_NOT_FOUND;
}

/* ---- the way to a key ---- */

/* The folder of one segment; makes it where `make` says so. -1 with errno. */
static int step_into(int parent, struct pl_str segment, bool make)
{
    char name[PL_FILE_SEGMENT_MAX + 1];
    memcpy(name, segment.ptr, segment.len);
    name[segment.len] = '\0';
    int fd = pl_file_folder(parent, name);
    if (fd < 0 && errno == ENOENT && make) {
        if (pl_sys.mkdir(parent, name, 0777) < 0 && errno != EEXIST) {
            return -1;
        }
        fd = pl_file_folder(parent, name);
    }
    return fd;
}

/* What went wrong on the way, behind the first `n` bytes of the key. */
static pail_code way_failed(const char *key, size_t n, bool make, struct pail_error **err)
{
    int number = errno;
    if (number == ENOENT || (!make && is_missing(number))) {
        return PAIL_E_NOT_FOUND;
    }
    if (!is_missing(number)) {
        return pl_file_fail(err, number, "opening the folder of", key);
    }
    pl_fail(err, PAIL_E_BAD_KEY,
            "the key \"%s\" needs a folder \"%.*s\", where a file or a link is", key, (int)n, key);
    pl_error_hint(err, "a LOCAL store, local:BUCKET, keeps \"a\" and \"a/b\" side by side");
    return PAIL_E_BAD_KEY;
}

static pail_code walk(int bucket, const char *key, bool make, struct pl_file_place *out,
                      struct pail_error **err)
{
    *out = (struct pl_file_place){-1, NULL};
    pail_code rc = pl_file_key_check(key, err);
    int fd = rc ? -1 : pl_file_folder(bucket, ".");
    if (rc == PAIL_OK && fd < 0) {
        return way_failed(key, 0, make, err);
    }
    const char *at = key, *slash;
    while (rc == PAIL_OK && (slash = strchr(at, '/')) != NULL) {
        int next = step_into(fd, pl_str_n(at, (size_t)(slash - at)), make);
        pl_file_close(fd);
        fd = next;
        rc = fd < 0 ? way_failed(key, (size_t)(slash - key), make, err) : PAIL_OK;
        at = slash + 1;
    }
    if (rc == PAIL_OK) {
        *out = (struct pl_file_place){fd, at};
    }
    return rc;
}

pail_code pl_file_find(int bucket, const char *key, struct pl_file_place *out,
                       struct pail_error **err)
{
    return walk(bucket, key, false, out, err);
}

pail_code pl_file_make(int bucket, const char *key, struct pl_file_place *out,
                       struct pail_error **err)
{
    return walk(bucket, key, true, out, err);
}

void pl_file_prune(int bucket, const char *key)
{
    char path[PL_FILE_KEY_MAX + 1];
    size_t n = strlen(key);
    bool removed = n < sizeof path;
    memcpy(path, key, removed ? n + 1 : 0);
    for (char *slash; removed && (slash = strrchr(path, '/')) != NULL;) {
        struct pl_file_place at;
        *slash = '\0';
        removed = pl_file_find(bucket, path, &at, NULL) == PAIL_OK &&
                  pl_sys.unlink(at.folder, at.name, AT_REMOVEDIR) == 0;
        pl_file_close(at.folder);
    }
}

pail_code pl_file_open(const struct pl_file_place *at, int *fd, struct stat *st,
                       struct pail_error **err)
{
    /* Not to wait for the other end of a named pipe. */
    *fd = pl_sys.open(at->folder, at->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
    if (*fd < 0) {
        return is_missing(errno) || errno == ENXIO ? PAIL_E_NOT_FOUND
                                                   : pl_file_fail(err, errno, "opening", at->name);
    }
    pail_code rc = pl_sys.fstat(*fd, st) < 0 ? pl_file_fail(err, errno, "reading", at->name)
                   : S_ISREG(st->st_mode)    ? PAIL_OK
                                             : PAIL_E_NOT_FOUND;
    if (rc) {
        pl_file_close(*fd);
        *fd = -1;
    }
    return rc;
}

/* ---- folders without files ---- */

struct clearing {
    int folder;
    unsigned depth;
    bool remove;
    struct pail_error **err;
    pail_code rc;
};

static bool clear_entry(const char *name, enum pl_entry kind, void *ctx)
{
    struct clearing *c = ctx;
    int fd = kind == PL_ENTRY_FOLDER && c->depth < DEPTH_MAX ? pl_file_folder(c->folder, name) : -1;
    if (fd < 0) {
        c->rc = pl_fail(c->err, PAIL_E_BUCKET_NOT_EMPTY, "the bucket is not empty: \"%s\" is in it",
                        name);
        return false;
    }
    struct clearing below = {fd, c->depth + 1, c->remove, c->err, PAIL_OK};
    if (!pl_sys_scan(fd, clear_entry, &below) && !below.rc) {
        below.rc = pl_file_fail(c->err, errno, "reading the folder", name);
    }
    pl_file_close(fd);
    c->rc = below.rc;
    if (c->rc == PAIL_OK && c->remove) {
        pl_sys.unlink(c->folder, name, AT_REMOVEDIR); /* the bucket's own removal tells */
    }
    return c->rc == PAIL_OK;
}

pail_code pl_file_clear(int folder, struct pail_error **err)
{
    struct clearing c = {.folder = folder, .err = err};
    for (int pass = 0; pass < 2 && c.rc == PAIL_OK; pass++) { /* looks first, then removes */
        c.remove = pass == 1;
        if (!pl_sys_scan(folder, clear_entry, &c) && !c.rc) {
            c.rc = pl_file_fail(err, errno, "reading the folder", "of the bucket");
        }
    }
    return c.rc;
}
