/* torture_files URL: the first, second, ... call to the file system fails, once; the verb answers
 * an error, what was stored stays whole, and the next try works. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>

#include "../unit/test.h"
#include "base/sys.h"
#include "torture.h"

static struct pl_sys real;
static atomic_int left = -1; /* calls until one fails; -1: never */

static bool fails(int number)
{
    int now = atomic_load(&left);
    while (now >= 0 && !atomic_compare_exchange_weak(&left, &now, now - 1)) {
    }
    errno = now == 0 ? number : errno;
    return now == 0;
}

#define FAILING(type, name, number, parameters, arguments)                                         \
    static type failing_##name parameters                                                          \
    {                                                                                              \
        return fails(number) ? -1 : real.name arguments;                                           \
    }
FAILING(int, open, EMFILE, (int d, const char *p, int f, mode_t m), (d, p, f, m))
FAILING(ssize_t, pread, EIO, (int fd, void *b, size_t n, off_t at), (fd, b, n, at))
FAILING(ssize_t, pwrite, ENOSPC, (int fd, const void *b, size_t n, off_t at), (fd, b, n, at))
FAILING(int, fsync, EIO, (int fd), (fd))
FAILING(int, fdatasync, EIO, (int fd), (fd))
FAILING(int, ftruncate, EIO, (int fd, off_t n), (fd, n))
FAILING(int, fallocate, ENOSPC, (int fd, off_t n), (fd, n))
FAILING(int, sync_range, EIO, (int fd, off_t at, off_t n), (fd, at, n))
FAILING(int, fstat, EIO, (int fd, struct stat *st), (fd, st))
FAILING(int, rename, EIO, (int od, const char *o, int nd, const char *n, unsigned f),
        (od, o, nd, n, f))
FAILING(int, link, EIO, (int od, const char *o, int nd, const char *n, int f), (od, o, nd, n, f))
FAILING(int, unlink, EIO, (int d, const char *p, int f), (d, p, f))

/* The counters by which threads wake each other are no files: they cannot fail. */
static bool is_file(int fd)
{
    struct stat st;
    return real.fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static ssize_t failing_read(int fd, void *b, size_t n)
{
    return is_file(fd) && fails(EIO) ? -1 : real.read(fd, b, n);
}

static ssize_t failing_write(int fd, const void *b, size_t n)
{
    return is_file(fd) && fails(ENOSPC) ? -1 : real.write(fd, b, n);
}

/* Giving a lock back cannot fail. */
static int failing_lock(int fd, int type, bool wait, off_t at, off_t n)
{
    return type != F_UNLCK && fails(ENOLCK) ? -1 : real.lock(fd, type, wait, at, n);
}

static void hook(void)
{
    real = pl_sys;
    pl_sys.open = failing_open;
    pl_sys.read = failing_read;
    pl_sys.write = failing_write;
    pl_sys.pread = failing_pread;
    pl_sys.pwrite = failing_pwrite;
    pl_sys.fsync = failing_fsync;
    pl_sys.fdatasync = failing_fdatasync;
    pl_sys.ftruncate = failing_ftruncate;
    pl_sys.fallocate = failing_fallocate;
    pl_sys.sync_range = failing_sync_range;
    pl_sys.fstat = failing_fstat;
    pl_sys.rename = failing_rename;
    pl_sys.link = failing_link;
    pl_sys.unlink = failing_unlink;
    pl_sys.lock = failing_lock;
}

static pail_bucket *bucket;
static const struct torture_verb *verb;

static bool is_expected(pail_code rc)
{
    return rc == PAIL_OK || rc == PAIL_E_IO || rc == PAIL_E_NO_SPACE || rc == PAIL_E_CHANGED ||
           rc == PAIL_E_CHECKSUM;
}

enum { ENOUGH = 3000 };

static void every_call(void)
{
    for (int n = 0; n < ENOUGH; n++) {
        pail_error *err = NULL;
        atomic_store(&left, n);
        pail_code rc = verb->run(bucket, &err);
        bool reached = atomic_exchange(&left, -1) < 0;
        if (!is_expected(rc) || (rc && err && !pail_error_message(err)[0])) {
            printf("# %s, call %d: %s: %s\n", verb->name, n, pail_code_name(rc),
                   pail_error_message(err));
            test_failed = 1;
        }
        pail_error_free(err);
        REQUIRE(torture_is_whole(bucket));
        if (!reached) {
            CHECK_INT(rc, PAIL_OK);
            return;
        }
    }
    bool has_enough_at_last = false;
    CHECK(has_enough_at_last);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    hook();
    bucket = torture_bucket(argv[1]);
    for (int i = 0; i < torture_verb_count; i++) {
        verb = &torture_verbs[i];
        test_run(verb->name, every_call);
    }
    pail_fsck_report report;
    pail_code rc = pail_fsck(pail_bucket_client(bucket), false, NULL, NULL, &report, NULL);
    test_failed = 0;
    CHECK(rc == PAIL_OK || rc == PAIL_E_UNSUPPORTED);
    printf("%s %d - the store is sound\n", test_failed ? "not ok" : "ok", ++test_number);
    test_failures += test_failed;
    pail_bucket_close(bucket);
    return test_end();
}
