#include "base/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/fs.h>
#endif

#include "base/mem.h"

#define RESTART(call)                                                                              \
    __extension__({                                                                                \
        __typeof__(call) result;                                                                   \
        do {                                                                                       \
            result = (call);                                                                       \
        } while (result == -1 && errno == EINTR);                                                  \
        result;                                                                                    \
    })

static int64_t sys_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t sys_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t sys_wait_ms(int64_t ms)
{
    return ms;
}

static bool sys_random(void *buf, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = RESTART(getrandom((char *)buf + at, n - at, 0));
        if (got < 0) {
            return false;
        }
        at += (size_t)got;
    }
    return true;
}

static const char *sys_env(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static int sys_open(int dir, const char *path, int flags, mode_t mode)
{
    return RESTART(openat(dir, path, flags | O_CLOEXEC, mode));
}
static int sys_close(int fd)
{
    return close(fd); /* Linux has closed it even when it says EINTR */
}
static ssize_t sys_read(int fd, void *buf, size_t n)
{
    return RESTART(read(fd, buf, n));
}
static ssize_t sys_write(int fd, const void *buf, size_t n)
{
    return RESTART(write(fd, buf, n));
}
static ssize_t sys_pread(int fd, void *buf, size_t n, off_t offset)
{
    return RESTART(pread(fd, buf, n, offset));
}
static ssize_t sys_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    return RESTART(pwrite(fd, buf, n, offset));
}
static int sys_fsync(int fd)
{
    return RESTART(fsync(fd));
}
static int sys_fdatasync(int fd)
{
    return RESTART(fdatasync(fd));
}
static int sys_ftruncate(int fd, off_t size)
{
    return RESTART(ftruncate(fd, size));
}
static int sys_fallocate(int fd, off_t size)
{
#ifdef __linux__
    return size ? RESTART(fallocate(fd, 0, 0, size)) : 0;
#else
    (void)fd;
    (void)size;
    errno = EOPNOTSUPP;
    return -1;
#endif
}
static int sys_direct(int fd, bool on)
{
#ifdef O_DIRECT
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT);
#else
    (void)fd;
    (void)on;
    errno = EINVAL;
    return -1;
#endif
}

static int sys_sync_range(int fd, off_t offset, off_t n)
{
#ifdef __linux__
    return RESTART(sync_file_range(fd, offset, n, SYNC_FILE_RANGE_WRITE));
#else
    (void)fd;
    (void)offset;
    (void)n;
    return 0;
#endif
}
static int sys_stat(int dir, const char *path, struct stat *st, int flags)
{
    return fstatat(dir, path, st, flags);
}
static int sys_fstat(int fd, struct stat *st)
{
    return fstat(fd, st);
}
static int sys_mkdir(int dir, const char *path, mode_t mode)
{
    return mkdirat(dir, path, mode);
}
static int sys_rename(int old_dir, const char *old_path, int new_dir, const char *new_path,
                      unsigned flags)
{
    return renameat2(old_dir, old_path, new_dir, new_path, flags);
}
static int sys_link(int old_dir, const char *old_path, int new_dir, const char *new_path, int flags)
{
    return linkat(old_dir, old_path, new_dir, new_path, flags);
}
static int sys_unlink(int dir, const char *path, int flags)
{
    return unlinkat(dir, path, flags);
}
static int sys_touch(int fd)
{
    struct timespec both[2];
    clock_gettime(CLOCK_REALTIME, &both[0]);
    both[1] = both[0];
    return futimens(fd, both);
}
static int sys_clone(int to, int from)
{
#ifdef FICLONE
    return RESTART(ioctl(to, FICLONE, from));
#else
    (void)to;
    (void)from;
    errno = EOPNOTSUPP;
    return -1;
#endif
}
static ssize_t sys_listxattr(int fd, char *names, size_t size)
{
    return flistxattr(fd, names, size);
}
static ssize_t sys_getxattr(int fd, const char *name, void *value, size_t size)
{
    return fgetxattr(fd, name, value, size);
}
static int sys_setxattr(int fd, const char *name, const void *value, size_t size)
{
    return fsetxattr(fd, name, value, size, 0);
}
static int sys_removexattr(int fd, const char *name)
{
    return fremovexattr(fd, name);
}
static int sys_lock(int fd, int type, bool wait, off_t at, off_t n)
{
    struct flock l = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = at, .l_len = n};
    return RESTART(fcntl(fd, wait ? F_SETLKW : F_SETLK, &l));
}
static int sys_lock_held(int fd, off_t at)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
    return fcntl(fd, F_GETLK, &l) < 0 ? -1 : l.l_type != F_UNLCK;
}
static int sys_fstatfs(int fd, struct statfs *st)
{
    return RESTART(fstatfs(fd, st));
}

struct pl_sys pl_sys = {.wall_ms = sys_wall_ms,
                        .mono_ns = sys_mono_ns,
                        .wait_ms = sys_wait_ms,
                        .random = sys_random,
                        .env = sys_env,
                        .open = sys_open,
                        .close = sys_close,
                        .read = sys_read,
                        .write = sys_write,
                        .pread = sys_pread,
                        .pwrite = sys_pwrite,
                        .fsync = sys_fsync,
                        .fdatasync = sys_fdatasync,
                        .ftruncate = sys_ftruncate,
                        .fallocate = sys_fallocate,
                        .sync_range = sys_sync_range,
                        .direct = sys_direct,
                        .stat = sys_stat,
                        .fstat = sys_fstat,
                        .mkdir = sys_mkdir,
                        .rename = sys_rename,
                        .link = sys_link,
                        .unlink = sys_unlink,
                        .touch = sys_touch,
                        .clone = sys_clone,
                        .listxattr = sys_listxattr,
                        .getxattr = sys_getxattr,
                        .setxattr = sys_setxattr,
                        .removexattr = sys_removexattr,
                        .lock = sys_lock,
                        .lock_held = sys_lock_held,
                        .fstatfs = sys_fstatfs,
                        .run = pl_sys_run};

bool pl_sys_read_full(int fd, void *buf, size_t n, uint64_t offset)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = pl_sys.pread(fd, (char *)buf + at, n - at, (off_t)(offset + at));
        if (got <= 0) {
            errno = got == 0 ? 0 : errno;
            return false;
        }
        at += (size_t)got;
    }
    return true;
}

bool pl_sys_write_full(int fd, const void *buf, size_t n, uint64_t offset)
{
    for (size_t at = 0; at < n;) {
        ssize_t put = pl_sys.pwrite(fd, (const char *)buf + at, n - at, (off_t)(offset + at));
        if (put < 0) {
            return false;
        }
        at += (size_t)put;
    }
    return true;
}

/* Reads fd to its end into a new buffer. */
static char *read_all(int fd, size_t max, size_t *len)
{
    size_t cap = 4096, used = 0;
    char *data = pl_alloc(cap);
    while (data) {
        if (used + 1 == cap) {
            char *more = used > max ? NULL : pl_realloc(data, cap * 2);
            if (!more) {
                errno = used > max ? EFBIG : ENOMEM;
                break;
            }
            data = more;
            cap *= 2;
        }
        ssize_t got = pl_sys.read(fd, data + used, cap - used - 1);
        if (got <= 0) {
            if (got == 0 && used <= max) {
                data[used] = '\0';
                *len = used;
                return data;
            }
            errno = got == 0 ? EFBIG : errno;
            break;
        }
        used += (size_t)got;
    }
    pl_free(data);
    return NULL;
}

char *pl_sys_read_file(const char *path, size_t max, size_t *len)
{
    int fd = pl_sys.open(AT_FDCWD, path, O_RDONLY, 0);
    if (fd < 0) {
        return NULL;
    }
    char *data = read_all(fd, max, len);
    int saved = errno;
    pl_sys.close(fd);
    errno = saved;
    return data;
}

/* Calls each(dir, entry, ctx) for the entries of a folder until it says false. */
static bool each_entry(int dir, const char *path,
                       bool (*each)(int dir, const struct dirent *e, void *ctx), void *ctx)
{
    int fd = pl_sys.open(dir, path, O_RDONLY | O_DIRECTORY, 0);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        int saved = errno;
        if (fd >= 0) {
            pl_sys.close(fd);
        }
        errno = saved;
        return false;
    }
    bool more = true;
    struct dirent *e = NULL;
    do {
        errno = 0;
        e = readdir(d);
        if (e && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            more = each(fd, e, ctx);
        }
    } while (e && more);
    int saved = more ? errno : 0;
    closedir(d);
    errno = saved;
    return more && saved == 0;
}

struct names {
    bool (*each)(const char *name, void *ctx);
    void *ctx;
};

static bool give_name(int dir, const struct dirent *e, void *ctx)
{
    (void)dir;
    const struct names *n = ctx;
    return n->each(e->d_name, n->ctx);
}

bool pl_sys_list(int dir, const char *path, bool (*each)(const char *name, void *ctx), void *ctx)
{
    struct names n = {each, ctx};
    return each_entry(dir, path, give_name, &n);
}

struct kinds {
    bool (*each)(const char *name, enum pl_entry kind, void *ctx);
    void *ctx;
};

/* Some file systems do not tell the kind with the name. */
static enum pl_entry kind_of(int dir, const struct dirent *e)
{
    struct stat st;
    switch (e->d_type) {
    case DT_REG: return PL_ENTRY_FILE;
    case DT_DIR: return PL_ENTRY_FOLDER;
    case DT_UNKNOWN: break;
    default: return PL_ENTRY_OTHER;
    }
    if (pl_sys.stat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return PL_ENTRY_OTHER;
    }
    return S_ISREG(st.st_mode)   ? PL_ENTRY_FILE
           : S_ISDIR(st.st_mode) ? PL_ENTRY_FOLDER
                                 : PL_ENTRY_OTHER;
}

static bool give_kind(int dir, const struct dirent *e, void *ctx)
{
    const struct kinds *k = ctx;
    return k->each(e->d_name, kind_of(dir, e), k->ctx);
}

bool pl_sys_scan(int dir, bool (*each)(const char *name, enum pl_entry kind, void *ctx), void *ctx)
{
    struct kinds k = {each, ctx};
    return each_entry(dir, ".", give_kind, &k);
}

static atomic_uint forks;
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    atomic_fetch_add(&forks, 1);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

unsigned pl_fork_count(void)
{
    pthread_once(&watch_once, watch_forks);
    return atomic_load(&forks);
}
