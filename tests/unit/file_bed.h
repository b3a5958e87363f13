/* A folder of buckets under /tmp, and the tree in it seen from outside. */
#ifndef PAIL_TEST_FILE_BED_H
#define PAIL_TEST_FILE_BED_H

#include "test.h"

#include <pail.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"

/* Each test program needs some of these. */
#define USED __attribute__((unused))

static char root[] = "/tmp/pail-test-file-XXXXXX";
static pail_client *client;
static pail_bucket *bucket; /* "b" */
static pail_error *err;
static struct pl_sys real;

#define CODE(expression, want)                                                                     \
    do {                                                                                           \
        pail_error_free(err);                                                                      \
        err = NULL;                                                                                \
        CHECK_STR(pail_code_name(expression), pail_code_name(want));                               \
    } while (0)

/* ---- the tree, seen from outside ---- */

USED static const char *path_of(const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

USED static void write_file(const char *name, const char *text)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

USED static bool there(const char *name)
{
    struct stat st;
    return lstat(path_of(name), &st) == 0;
}

USED static const char *text_of(const char *name)
{
    static char text[64];
    int fd = open(path_of(name), O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    close(fd);
    return text;
}

USED static void make_link(const char *to, const char *name)
{
    char target[4096];
    snprintf(target, sizeof target, "%s", path_of(to));
    CHECK(symlink(target, path_of(name)) == 0);
}

USED static pail_code put(const char *key, const char *text)
{
    return pail_put(bucket, key, PAIL_BUF(text, strlen(text)), NULL, NULL, &err);
}

USED static const char *keys_of(const pail_list_opts *opts)
{
    static char text[8192];
    pail_iter *it = NULL;
    const pail_info *i;
    size_t n = 0;
    text[0] = '\0';
    CODE(pail_list(bucket, opts, &it, &err), PAIL_OK);
    pail_code rc = PAIL_DONE;
    while (it && (rc = pail_iter_next(it, &i, &err)) == PAIL_OK) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? "|" : "", i->key);
    }
    CHECK_STR(pail_code_name(rc), "done");
    pail_iter_free(it);
    return text;
}

/* How many entries of the bucket's folder begin with ".pail-". */
USED static bool count_ours(const char *name, void *ctx)
{
    *(int *)ctx += strncmp(name, ".pail-", 6) == 0;
    return true;
}

USED static int leftovers(void)
{
    int n = 0;
    (void)pl_sys_list(AT_FDCWD, path_of("b"), count_ours, &n);
    return n;
}

USED static bool count_any(const char *name, void *ctx)
{
    (void)name;
    ++*(int *)ctx;
    return true;
}

USED static int open_descriptors(void)
{
    int n = 0;
    (void)pl_sys_list(AT_FDCWD, "/proc/self/fd", count_any, &n);
    return n;
}

/* ---- a fresh bucket for each test ---- */

USED static void in_bucket(const char *name, void (*fn)(void))
{
    char command[256];
    CHECK(mkdir(path_of("b"), 0755) == 0);
    CHECK(pail_bucket_open(client, "b", &bucket, NULL) == PAIL_OK);
    test_run(name, fn);
    pl_sys = real;
    pail_bucket_close(bucket);
    pail_error_free(err);
    err = NULL;
    snprintf(command, sizeof command, "rm -rf '%s' && mkdir '%s'", root, root);
    CHECK(system(command) == 0);
}
#define IN_BUCKET(fn) in_bucket(#fn, fn)

USED static bool open_root(void)
{
    char url[64];
    real = pl_sys;
    if (!mkdtemp(root)) {
        return false;
    }
    snprintf(url, sizeof url, "file://%s", root);
    bool ok = pail_open(url, NULL, &client, &err) == PAIL_OK;
    if (!ok) {
        printf("Bail out! %s\n", pail_error_message(err));
    }
    return ok;
}

USED static int close_root(void)
{
    pail_close(client);
    rmdir(root);
    return test_end();
}

#endif
