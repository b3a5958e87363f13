#include "folder.h"

#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__linux__) && defined(SYS_openat2)
#include <linux/openat2.h>
#define HAVE_OPENAT2 1
#else
#define HAVE_OPENAT2 0
#endif

#ifndef O_PATH
#define O_PATH O_RDONLY
#endif
#define FOLDER_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)

const char *folder_refusal(const char *rel)
{
    const char *part = rel;
    if (*rel == '/') {
        return "the key begins with '/', which would leave the target folder";
    }
    while (*part != '\0') {
        size_t n = strcspn(part, "/");
        if (n == 2 && strncmp(part, "..", 2) == 0) {
            return "the key has a \"..\" part, which would leave the target folder";
        }
        if (n == 1 && *part == '.') {
            return "the key has a \".\" part, which no file name can have";
        }
        if (n == 0) {
            return "the key has an empty part (\"//\"), which no file name can have";
        }
        part += n + (part[n] == '/');
    }
    return NULL;
}

static int make_path(const char *path)
{
    char *copy = mem_text(path);
    int error = 0;
    for (char *p = copy + 1; error == 0; p++) {
        char c = *p;
        if (c != '/' && c != '\0') {
            continue;
        }
        *p = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
            error = errno;
        }
        *p = c;
        if (c == '\0') {
            break;
        }
    }
    mem_free(copy);
    return error;
}

int folder_open(struct folder *folder, const char *path)
{
    *folder = (struct folder){.fd = open(path, FOLDER_FLAGS), .by_component = !HAVE_OPENAT2};
    if (folder->fd < 0 && errno == ENOENT) {
        int error = make_path(path);
        if (error != 0) {
            return error;
        }
        folder->fd = open(path, FOLDER_FLAGS);
    }
    if (folder->fd < 0) {
        return errno;
    }
    size_t n = strlen(path);
    folder->path = mem_text(path);
    while (n > 1 && folder->path[n - 1] == '/') {
        folder->path[--n] = '\0';
    }
    return 0;
}

void folder_close(struct folder *folder)
{
    if (folder->path != NULL) {
        close(folder->fd);
        mem_free(folder->path);
        folder->path = NULL;
    }
}

/* Opens `rel`, all of it below the folder. Returns a descriptor or -1. */
static int open_beneath(struct folder *folder, const char *rel)
{
#if HAVE_OPENAT2
    if (!folder->by_component) {
        struct open_how how = {.flags = FOLDER_FLAGS,
                               .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
        int fd = (int)syscall(SYS_openat2, folder->fd, rel, &how, sizeof how);
        if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return fd;
        }
        folder->by_component = true;
    }
#endif
    (void)rel;
    (void)folder;
    errno = ENOSYS;
    return -1;
}

/* Opens or makes one part; without openat2 a symbolic link is never followed. */
static int step(struct folder *folder, int at, const char *name, const char *so_far)
{
    for (int tries = 0;; tries++) {
        int fd = folder->by_component ? -1 : open_beneath(folder, so_far);
        if (folder->by_component) {
            fd = openat(at, name, FOLDER_FLAGS | O_NOFOLLOW);
        }
        if (fd >= 0 || errno != ENOENT || tries > 0) {
            return fd;
        }
        if (mkdirat(at, name, 0777) != 0 && errno != EEXIST) {
            return -1;
        }
    }
}

/* Opens the directory of `rel` ("a/b" of "a/b/c"), making what is missing. */
static int open_parent(struct folder *folder, const char *rel, size_t length)
{
    char *path = mem_text(rel);
    int fd = dup(folder->fd);
    path[length] = '\0';
    for (char *part = path; fd >= 0 && *part != '\0';) {
        size_t n = strcspn(part, "/");
        char end = part[n];
        part[n] = '\0';
        int next = step(folder, fd, part, path);
        int error = errno;
        close(fd);
        errno = error;
        fd = next;
        part[n] = end;
        part += n + (end == '/');
    }
    mem_free(path);
    return fd;
}

/* Most files share their directory with the one before: try the whole way at once. */
static int enter(struct folder *folder, const char *rel, size_t length)
{
    if (length > 0 && !folder->by_component) {
        char *path = mem_text(rel);
        path[length] = '\0';
        int fd = open_beneath(folder, path);
        mem_free(path);
        if (fd >= 0) {
            return fd;
        }
    }
    return open_parent(folder, rel, length);
}

int folder_place(struct folder *folder, const char *rel, struct place *out)
{
    const char *slash = strrchr(rel, '/');
    const char *name = slash != NULL ? slash + 1 : rel;
    int fd = enter(folder, rel, slash != NULL ? (size_t)(slash - rel) : 0);
    if (fd < 0) {
        return errno;
    }
    out->dir_fd = fd;
    out->shown = mem_printf("%s%s%s", folder->path, folder->path[1] == '\0' ? "" : "/", rel);
    out->path = mem_printf("/proc/self/fd/%d/", fd);
    bool by_descriptor = access(out->path, F_OK) == 0;
    mem_free(out->path);
    out->path = by_descriptor ? mem_printf("/proc/self/fd/%d/%s", fd, name) : mem_text(out->shown);
    return 0;
}

int folder_make(struct folder *folder, const char *rel)
{
    size_t n = strlen(rel);
    while (n > 0 && rel[n - 1] == '/') {
        n--;
    }
    int fd = enter(folder, rel, n);
    if (fd < 0) {
        return errno;
    }
    close(fd);
    return 0;
}

void folder_leave(struct place *place)
{
    if (place->path != NULL) {
        close(place->dir_fd);
        mem_free(place->path);
        mem_free(place->shown);
        *place = (struct place){.dir_fd = -1};
    }
}

char *folder_temporary(const char *path)
{
    static unsigned counter;
    const char *slash = strrchr(path, '/');
    int length = slash != NULL ? (int)(slash - path + 1) : 0;
    return mem_printf("%.*s.pail-%ld-%u.tmp", length, path, (long)getpid(), counter++);
}

int folder_claim(const char *from, const char *to)
{
#ifdef RENAME_NOREPLACE
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return errno;
    }
#endif
    /* A file system without that flag: a link refuses an existing name too. */
    if (link(from, to) != 0) {
        return errno;
    }
    unlink(from);
    return 0;
}
