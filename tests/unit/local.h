/* A LOCAL store in a folder of its own, and its operations as one call each. */
#ifndef PAIL_TEST_LOCAL_H
#define PAIL_TEST_LOCAL_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "local/local.h"
#include "test.h"

struct store {
    char home[128];
    struct pl_settings settings;
    struct pl_provider *p;
};

static inline void store_folder(struct store *s)
{
    const char *tmp = getenv("TMPDIR");
    memset(s, 0, sizeof *s);
    snprintf(s->home, sizeof s->home, "%s/pail-local-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(s->home)) {
        perror(s->home);
        exit(1);
    }
}

static inline pail_code store_open_err(struct store *s, const char *durability,
                                       struct pail_error **err)
{
    s->settings = (struct pl_settings){0};
    s->p = NULL;
    struct pl_provider_env env = {.settings = &s->settings, .ignore_environment = true};
    if (pl_settings_set(&s->settings, "local_home", s->home, "test", NULL) != PAIL_OK ||
        (durability &&
         pl_settings_set(&s->settings, "local_durability", durability, "test", NULL) != PAIL_OK)) {
        exit(1);
    }
    pail_code rc = pl_local_new(&env, &s->p, err);
    if (rc) {
        pl_settings_dispose(&s->settings);
    }
    return rc;
}
static inline pail_code store_open(struct store *s)
{
    return store_open_err(s, NULL, NULL);
}
static inline void store_close(struct store *s)
{
    if (s->p) {
        s->p->ops->free(s->p);
        s->p = NULL;
        pl_settings_dispose(&s->settings);
    }
}
static inline int store_unlink_one(const char *path, const struct stat *st, int type,
                                   struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}
static inline void remove_tree(const char *path)
{
    nftw(path, store_unlink_one, 16, FTW_DEPTH | FTW_PHYS);
}
static inline void store_remove(struct store *s)
{
    store_close(s);
    remove_tree(s->home);
}

/* ---- the seam: put in place once, before there are threads; then a hook is one atomic ---- */

static struct pl_sys real;
static struct {
    _Atomic(int (*)(int)) fsync, fdatasync;
    _Atomic(ssize_t (*)(int, const void *, size_t, off_t)) pwrite;
    _Atomic(int (*)(int, const char *, int, mode_t)) open;
    _Atomic(int (*)(int, const char *, int)) unlink;
    _Atomic(int (*)(int, const char *, int, const char *, int)) link;
    _Atomic(int (*)(int, struct statfs *)) fstatfs;
} hook;

static inline int hooked_fsync(int fd)
{
    int (*f)(int) = atomic_load(&hook.fsync);
    return f ? f(fd) : real.fsync(fd);
}
static inline int hooked_fdatasync(int fd)
{
    int (*f)(int) = atomic_load(&hook.fdatasync);
    return f ? f(fd) : real.fdatasync(fd);
}
static inline ssize_t hooked_pwrite(int fd, const void *buf, size_t n, off_t at)
{
    ssize_t (*f)(int, const void *, size_t, off_t) = atomic_load(&hook.pwrite);
    return f ? f(fd, buf, n, at) : real.pwrite(fd, buf, n, at);
}
static inline int hooked_open(int dir, const char *path, int flags, mode_t mode)
{
    int (*f)(int, const char *, int, mode_t) = atomic_load(&hook.open);
    return f ? f(dir, path, flags, mode) : real.open(dir, path, flags, mode);
}
static inline int hooked_unlink(int dir, const char *path, int flags)
{
    int (*f)(int, const char *, int) = atomic_load(&hook.unlink);
    return f ? f(dir, path, flags) : real.unlink(dir, path, flags);
}
static inline int hooked_link(int old_dir, const char *old_path, int new_dir, const char *new_path,
                              int flags)
{
    int (*f)(int, const char *, int, const char *, int) = atomic_load(&hook.link);
    return (f ? f : real.link)(old_dir, old_path, new_dir, new_path, flags);
}
static inline int hooked_fstatfs(int fd, struct statfs *st)
{
    int (*f)(int, struct statfs *) = atomic_load(&hook.fstatfs);
    return f ? f(fd, st) : real.fstatfs(fd, st);
}
static inline void hook_the_seam(void)
{
    real = pl_sys;
    pl_sys.fsync = hooked_fsync;
    pl_sys.fdatasync = hooked_fdatasync;
    pl_sys.pwrite = hooked_pwrite;
    pl_sys.open = hooked_open;
    pl_sys.unlink = hooked_unlink;
    pl_sys.link = hooked_link;
    pl_sys.fstatfs = hooked_fstatfs;
}

/* TSan cannot follow threads that a forked child starts. */
#ifdef __SANITIZE_THREAD__
#define SKIP_UNDER_TSAN() SKIP("threads in a forked child, under TSan")
#else
#define SKIP_UNDER_TSAN() (void)0
#endif

/* ---- operations ---- */

static inline void op_done(struct pl_op *op)
{
    if (op->ctx) {
        sem_post(op->ctx);
    }
}
/* A blocking operation; dispose of it. */
static inline pail_code run(struct store *s, struct pl_op *op)
{
    op->may_block = true;
    op->done = op_done;
    s->p->ops->submit(s->p, op);
    return op->rc;
}
/* The same on its way without a thread: finished when the semaphore says so. */
static inline void start(struct store *s, struct pl_op *op, sem_t *sem)
{
    op->may_block = false;
    op->done = op_done;
    op->ctx = sem;
    s->p->ops->submit(s->p, op);
}
static inline pail_code run_and_dispose(struct store *s, struct pl_op *op)
{
    pail_code rc = run(s, op);
    pl_op_dispose(op);
    return rc;
}

static inline pail_code make_bucket(struct store *s, const char *name)
{
    struct pl_op op = {.kind = PL_OP_BUCKET_CREATE, .bucket = name};
    return run_and_dispose(s, &op);
}
static inline struct pl_body mem_body(void *data, size_t n)
{
    return (struct pl_body){.kind = PL_BODY_MEM, .ptr = data, .len = n};
}
static inline pail_code put(struct store *s, const char *key, const void *data, size_t n)
{
    struct pl_body body = mem_body((void *)(uintptr_t)data, n);
    struct pl_op op = {.kind = PL_OP_PUT, .bucket = "bucket", .key = key, .in.put.source = &body};
    return run_and_dispose(s, &op);
}
/* Returns the code; *n is the room before and the bytes after. */
static inline pail_code get_range(struct store *s, const char *key, struct pl_range range,
                                  void *data, size_t *n)
{
    struct pl_body body = mem_body(data, *n);
    struct pl_op op = {.kind = PL_OP_GET,
                       .bucket = "bucket",
                       .key = key,
                       .in.get = {.range = range, .sink = &body}};
    pail_code rc = run_and_dispose(s, &op);
    *n = (size_t)atomic_load(&body.done);
    return rc;
}
static inline pail_code get(struct store *s, const char *key, void *data, size_t *n)
{
    return get_range(s, key, (struct pl_range){0}, data, n);
}
static inline pail_code del(struct store *s, const char *key)
{
    struct pl_op op = {.kind = PL_OP_DELETE, .bucket = "bucket", .key = key};
    return run_and_dispose(s, &op);
}
static inline pail_code copy(struct store *s, const char *from, const char *to)
{
    struct pl_op op = {.kind = PL_OP_COPY,
                       .bucket = "bucket",
                       .key = to,
                       .in.copy = {.bucket = "bucket", .key = from}};
    return run_and_dispose(s, &op);
}
/* The text of an object, in a static room; NULL: the get failed. */
static inline const char *text_of(struct store *s, const char *key)
{
    static char room[4096];
    size_t n = sizeof room - 1;
    if (get(s, key, room, &n) != PAIL_OK) {
        return NULL;
    }
    room[n] = '\0';
    return room;
}
/* n bytes that depend on the seed; free(). */
static inline char *pattern(size_t n, unsigned seed)
{
    char *p = malloc(n ? n : 1);
    uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; p && i < n; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        p[i] = (char)(x >> 56);
    }
    return p;
}
static inline bool has_pattern(struct store *s, const char *key, size_t n, unsigned seed)
{
    char *want = pattern(n, seed), *got = malloc(n + 1);
    size_t room = n + 1;
    bool same = get(s, key, got, &room) == PAIL_OK && room == n && memcmp(want, got, n) == 0;
    free(want);
    free(got);
    return same;
}

/* ---- the folder ---- */

static int store_files;
static char store_file[512]; /* the last one seen */
static inline int store_count_one(const char *path, const struct stat *st, int type,
                                  struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type == FTW_F) {
        store_files++;
        snprintf(store_file, sizeof store_file, "%s", path);
    }
    return 0;
}
/* How many content files there are. */
static inline int count_files(struct store *s)
{
    char path[160];
    snprintf(path, sizeof path, "%s/data", s->home);
    store_files = 0;
    nftw(path, store_count_one, 16, FTW_PHYS);
    return store_files;
}
static inline pail_code fsck(struct store *s, bool repair, pail_fsck_report *report)
{
    return s->p->ops->fsck(s->p, repair, NULL, NULL, report, NULL);
}

#endif
