/* The store of plain files over a file system that fails, and under others that write. */
#include <stdatomic.h>
#include "file_bed.h"

#include <pthread.h>

/* ---- a file system that fails ---- */

static ssize_t full_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    if (offset >= 1 << 20) {
        errno = ENOSPC;
        return -1;
    }
    return real.pwrite(fd, buf, n, offset);
}

static int full_fallocate(int fd, off_t size)
{
    (void)fd;
    (void)size;
    errno = ENOSPC;
    return -1;
}

static int no_fallocate(int fd, off_t size)
{
    (void)fd;
    (void)size;
    errno = EOPNOTSUPP;
    return -1;
}

static void test_file__full_disk_leaves_the_old_object_whole(void)
{
    static char big[3 << 20];
    CODE(put("d/k", "old"), PAIL_OK);
    pl_sys.pwrite = full_pwrite;
    pl_sys.fallocate = no_fallocate;
    CODE(pail_put(bucket, "d/k", PAIL_BUF(big, sizeof big), NULL, NULL, &err), PAIL_E_NO_SPACE);
    CODE(pail_put(bucket, "n/k", PAIL_BUF(big, sizeof big), NULL, NULL, &err), PAIL_E_NO_SPACE);
    pl_sys.fallocate = full_fallocate;
    CODE(pail_put(bucket, "d/k", PAIL_BUF(big, sizeof big), NULL, NULL, &err), PAIL_E_NO_SPACE);
    pl_sys = real;
    CHECK_STR(text_of("b/d/k"), "old");
    CHECK_STR(keys_of(NULL), "d/k");
    CHECK(!there("b/n"));
    CODE(pail_delete(bucket, "d/k", NULL, &err), PAIL_OK);
    CHECK(!there("b/d")); /* no temporary file is in it */
}

static int no_setxattr(int fd, const char *name, const void *value, size_t size)
{
    (void)fd;
    (void)name;
    (void)value;
    (void)size;
    errno = ENOTSUP;
    return -1;
}

static void test_file__attributes_where_there_are_none_are_unsupported(void)
{
    static const pail_kv pair[] = {{"a", "b"}};
    static const pail_attributes some[] = {{.content_type = "text/x-odd"},
                                           {.cache_control = "no-cache"},
                                           {.metadata = pair, .metadata_count = 1},
                                           {.tags = pair, .tag_count = 1}};
    pl_sys.setxattr = no_setxattr;
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        CODE(pail_put(bucket, "k.txt", PAIL_BUF("x", 1), PAIL_OPTS(put, .attr = some[i]), NULL,
                      &err),
             PAIL_E_UNSUPPORTED);
        CHECK(strstr(pail_error_message(err), "extended attributes") != NULL);
    }
    CHECK(!there("b/k.txt"));
    CHECK_INT(leftovers(), 0);
    CODE(pail_put(bucket, "k.txt", PAIL_BUF("x", 1),
                  PAIL_OPTS(put, .attr.content_type = "text/plain"), NULL, &err),
         PAIL_OK); /* the name says that already */
    CODE(put("k", "x"), PAIL_OK);
    pl_sys = real;
}

static int old_rename(int old_dir, const char *old_path, int new_dir, const char *new_path,
                      unsigned flags)
{
    if (flags) {
        errno = EINVAL;
        return -1;
    }
    return real.rename(old_dir, old_path, new_dir, new_path, flags);
}

/* Says that nothing is there, as if another made the file right after the look. */
static int blind_stat(int dir, const char *path, struct stat *st, int flags)
{
    (void)dir;
    (void)path;
    (void)st;
    (void)flags;
    errno = ENOENT;
    return -1;
}

static void test_file__create_only_never_replaces_what_came_between(void)
{
    const pail_put_opts *only = PAIL_OPTS(put, .cond.if_none_match = "*");
    for (int by_link = 0; by_link < 2; by_link++) {
        pl_sys.rename = by_link ? old_rename : real.rename;
        CODE(pail_put(bucket, "k", PAIL_BUF("1", 1), only, NULL, &err), PAIL_OK);
        pl_sys.stat = blind_stat;
        CODE(pail_put(bucket, "k", PAIL_BUF("2", 1), only, NULL, &err), PAIL_E_EXISTS);
        pl_sys = real;
        CHECK_STR(text_of("b/k"), "1");
        CHECK_INT(leftovers(), 0);
        CODE(pail_delete(bucket, "k", NULL, &err), PAIL_OK);
    }
}

static int racing_rename(int old_dir, const char *old_path, int new_dir, const char *new_path,
                         unsigned flags)
{
    pl_sys.rename = real.rename;
    write_file("b/newer", "newer");
    CHECK(real.rename(AT_FDCWD, path_of("b/newer"), old_dir, "k", 0) == 0);
    return real.rename(old_dir, old_path, new_dir, new_path, flags);
}

static void test_file__delete_of_a_version_spares_a_newer_one(void)
{
    pail_info *info = NULL;
    CODE(put("k", "old"), PAIL_OK);
    CODE(pail_stat(bucket, "k", NULL, &info, &err), PAIL_OK);
    CODE(pail_delete(bucket, "k", PAIL_OPTS(delete, .version = "1-2-3"), &err),
         PAIL_E_VERSION_NOT_FOUND);
    pl_sys.rename = racing_rename;
    CODE(pail_delete(bucket, "k", PAIL_OPTS(delete, .version = info->version), &err),
         PAIL_E_VERSION_NOT_FOUND);
    pl_sys = real;
    CHECK_STR(text_of("b/k"), "newer");
    CHECK_INT(leftovers(), 0);
    pail_info_free(info);
    CODE(pail_stat(bucket, "k", NULL, &info, &err), PAIL_OK);
    CODE(pail_delete(bucket, "k", PAIL_OPTS(delete, .version = info->version), &err), PAIL_OK);
    CHECK(!there("b/k"));
    pail_info_free(info);
}

static ssize_t meddling_pread(int fd, void *buf, size_t n, off_t offset)
{
    write_file("b/k", "other bytes");
    return real.pread(fd, buf, n, offset);
}

static void test_file__get_says_when_the_file_changed_meanwhile(void)
{
    char buf[16];
    CODE(put("k", "first bytes"), PAIL_OK);
    pl_sys.pread = meddling_pread;
    CODE(pail_get(bucket, "k", PAIL_BUF(buf, 16), NULL, NULL, &err), PAIL_E_CHANGED);
    CODE(pail_copy(bucket, "k", bucket, "to", NULL, NULL, &err), PAIL_E_CHANGED);
    pl_sys = real;
    CHECK(!there("b/to"));
}

static void test_file__same_name_and_size_is_another_etag(void)
{
    char last[128] = "";
    for (int i = 0; i < 50; i++) {
        pail_info *info = NULL;
        CODE(pail_put(bucket, "k", PAIL_BUF(i & 1 ? "a" : "b", 1), NULL, &info, &err), PAIL_OK);
        CHECK(info && info->etag && strcmp(info->etag, last) != 0);
        snprintf(last, sizeof last, "%s", info ? info->etag : "");
        pail_info_free(info);
    }
}

/* ---- every call fails once ---- */

static int calls_left; /* until one fails; below 0: none does */

static bool fails(void)
{
    bool now = calls_left == 0;
    calls_left -= calls_left >= 0;
    errno = now ? EIO : errno;
    return now;
}
static int f_open(int dir, const char *path, int flags, mode_t mode)
{
    return fails() ? -1 : real.open(dir, path, flags, mode);
}
static ssize_t f_pread(int fd, void *buf, size_t n, off_t offset)
{
    return fails() ? -1 : real.pread(fd, buf, n, offset);
}
static ssize_t f_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    return fails() ? -1 : real.pwrite(fd, buf, n, offset);
}
static int f_stat(int dir, const char *path, struct stat *st, int flags)
{
    return fails() ? -1 : real.stat(dir, path, st, flags);
}
static int f_fstat(int fd, struct stat *st)
{
    return fails() ? -1 : real.fstat(fd, st);
}
static int f_mkdir(int dir, const char *path, mode_t mode)
{
    return fails() ? -1 : real.mkdir(dir, path, mode);
}
static int f_rename(int old_dir, const char *old_path, int new_dir, const char *new_path,
                    unsigned flags)
{
    return fails() ? -1 : real.rename(old_dir, old_path, new_dir, new_path, flags);
}
static int f_touch(int fd)
{
    return fails() ? -1 : real.touch(fd);
}
static ssize_t f_listxattr(int fd, char *names, size_t size)
{
    return fails() ? -1 : real.listxattr(fd, names, size);
}
static int f_setxattr(int fd, const char *name, const void *value, size_t size)
{
    return fails() ? -1 : real.setxattr(fd, name, value, size);
}

static void fail_call(int n)
{
    calls_left = n;
    pl_sys.open = f_open;
    pl_sys.pread = f_pread;
    pl_sys.pwrite = f_pwrite;
    pl_sys.stat = f_stat;
    pl_sys.fstat = f_fstat;
    pl_sys.mkdir = f_mkdir;
    pl_sys.rename = f_rename;
    pl_sys.touch = f_touch;
    pl_sys.listxattr = f_listxattr;
    pl_sys.setxattr = f_setxattr;
}

static pail_code put_new(void)
{
    static const pail_kv pair[] = {{"a", "b"}};
    return pail_put(bucket, "d/k", PAIL_BUF("new", 3),
                    PAIL_OPTS(put, .attr = {.metadata = pair, .metadata_count = 1}), NULL, &err);
}
static pail_code copy_new(void)
{
    return pail_copy(bucket, "new", bucket, "d/k", NULL, NULL, &err);
}
static pail_code write_new(void)
{
    pail_writer *w = NULL;
    pail_code rc = pail_writer_open(bucket, "d/k", PAIL_OPTS(put, .part_size = 2), &w, &err);
    rc = rc ? rc : pail_writer_write(w, "new", 3, &err);
    rc = rc ? rc : pail_writer_commit(w, NULL, &err);
    pail_writer_free(w);
    return rc;
}

/* What the key holds is the old or the new, whole; nothing else is left, open or on disk. */
static void fail_every_call(pail_code (*write_it)(void))
{
    pail_code rc = PAIL_E_INTERNAL;
    for (int n = 0; rc && n < 1000; n++) {
        CODE(put("d/k", "old"), PAIL_OK);
        CODE(put("new", "new"), PAIL_OK);
        int before = open_descriptors();
        pail_error_free(err);
        err = NULL;
        fail_call(n);
        rc = write_it();
        bool none_failed = calls_left > 0;
        pl_sys = real;
        CHECK(rc == PAIL_OK || *pail_error_message(err));
        CHECK(rc != PAIL_OK || strcmp(text_of("b/d/k"), "new") == 0);
        CHECK(rc == PAIL_OK || strcmp(text_of("b/d/k"), "old") == 0);
        CHECK_INT(open_descriptors(), before);
        rc = none_failed ? rc : PAIL_E_INTERNAL;
        CODE(pail_delete(bucket, "d/k", NULL, &err), PAIL_OK);
        CHECK(!there("b/d"));
    }
    CHECK_INT(rc, PAIL_OK);
}

static void test_file__any_failing_call_leaves_the_old_object_or_the_new(void)
{
    fail_every_call(put_new);
    fail_every_call(copy_new);
    CHECK_INT(leftovers(), 0);
    fail_every_call(write_new); /* what could not be aborted is an unfinished upload */
    CODE(pail_bucket_delete(client, "b", PAIL_OPTS(bucket, .delete_contents = true), &err),
         PAIL_OK);
}

/* ---- memory runs out ---- */

static atomic_int allocations_left = -1; /* -1: without end */

static void *failing(void *ptr, size_t size, void *ctx)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    int left = atomic_load(&allocations_left);
    if (left == 0) {
        return NULL; /* and all behind it */
    }
    if (left > 0) {
        atomic_store(&allocations_left, left - 1);
    }
    return realloc(ptr, size);
}

static pail_code stat_old(void)
{
    pail_info *info = NULL;
    pail_code rc = pail_stat(bucket, "d/k", NULL, &info, &err);
    CHECK(rc || (info->metadata_count == 1 && strcmp(info->metadata[0].value, "v&w") == 0));
    pail_info_free(info);
    return rc;
}
static pail_code list_all(void)
{
    pail_iter *it = NULL;
    const pail_info *i;
    int n = 0;
    pail_code rc = pail_list(bucket, NULL, &it, &err);
    while (rc == PAIL_OK && (rc = pail_iter_next(it, &i, &err)) == PAIL_OK) {
        n++;
    }
    pail_iter_free(it);
    CHECK(rc != PAIL_DONE || n == 2);
    return rc == PAIL_DONE ? PAIL_OK : rc;
}
static pail_code delete_both(void)
{
    static const char *const keys[] = {"d/k", "new"};
    return pail_delete_many(bucket, keys, 2, NULL, NULL, NULL, &err);
}

static void run_out_of_memory(pail_code (*run)(void))
{
    static const pail_kv pair[] = {{"a", "v&w"}};
    pail_code rc = PAIL_E_NO_MEMORY;
    for (int n = 0; rc && n < 1000; n++) {
        CODE(pail_put(bucket, "d/k", PAIL_BUF("old", 3),
                      PAIL_OPTS(put, .attr = {.metadata = pair, .metadata_count = 1}), NULL, &err),
             PAIL_OK);
        CODE(put("new", "new"), PAIL_OK);
        int before = open_descriptors();
        pail_error_free(err);
        err = NULL;
        allocations_left = n;
        rc = run();
        bool none_failed = allocations_left > 0;
        allocations_left = -1;
        CHECK(rc == PAIL_OK || rc == PAIL_E_NO_MEMORY);
        CHECK_INT(open_descriptors(), before);
        rc = none_failed ? rc : PAIL_E_NO_MEMORY;
    }
    CHECK_INT(rc, PAIL_OK);
}

static void test_file__without_memory_it_says_so_and_leaves_nothing_open(void)
{
    run_out_of_memory(put_new);
    run_out_of_memory(copy_new);
    run_out_of_memory(stat_old);
    run_out_of_memory(list_all);
    run_out_of_memory(delete_both);
    run_out_of_memory(write_new);
}

/* ---- several at once ---- */

static void *put_and_delete(void *key)
{
    long failures = 0;
    for (int i = 0; i < 200; i++) {
        failures += pail_put(bucket, key, PAIL_BUF("x", 1), NULL, NULL, NULL) != PAIL_OK;
        failures += pail_delete(bucket, key, NULL, NULL) != PAIL_OK;
    }
    return (void *)failures;
}

static void test_file__folders_come_and_go_under_other_writers(void)
{
    static char keys[][16] = {"f/g/h/1", "f/g/h/2", "f/g/3"};
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++) {
        CHECK(pthread_create(&threads[i], NULL, put_and_delete, keys[i]) == 0);
    }
    for (size_t i = 0; i < 3; i++) {
        void *failures = NULL;
        pthread_join(threads[i], &failures);
        CHECK_INT((long)failures, 0);
    }
    CHECK(!there("b/f"));
}

int main(void)
{
    const pail_allocator allocator = {failing, NULL};
    if (pail_set_allocator(&allocator) || !open_root()) {
        return 1;
    }
    IN_BUCKET(test_file__full_disk_leaves_the_old_object_whole);
    IN_BUCKET(test_file__attributes_where_there_are_none_are_unsupported);
    IN_BUCKET(test_file__create_only_never_replaces_what_came_between);
    IN_BUCKET(test_file__delete_of_a_version_spares_a_newer_one);
    IN_BUCKET(test_file__get_says_when_the_file_changed_meanwhile);
    IN_BUCKET(test_file__same_name_and_size_is_another_etag);
    IN_BUCKET(test_file__any_failing_call_leaves_the_old_object_or_the_new);
    IN_BUCKET(test_file__without_memory_it_says_so_and_leaves_nothing_open);
    IN_BUCKET(test_file__folders_come_and_go_under_other_writers);
    return close_root();
}
