/* The shared memory of the index and its locks: the same bytes of the same file as SQLite's `unix`
 * VFS uses, but kept per store, not per process (see vfs.h). */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sys.h"
#include "local/vfs.h"

/* SPEC sqlite.org/walformat.html#locks: bytes 120..127 of the -shm file; the byte behind them says
 * that the file is in use (os_unix.c, "the DMS lock"). SHARED_FIRST and its length are those of
 * sqlite.org/lockingv3.html. */
enum { LOCK_BASE = 120, LOCK_IN_USE = 128, SHARED_FIRST = 0x40000002, SHARED_LENGTH = 510 };
#define SHM_NAME PL_INDEX_NAME "-shm"

/* Whoever finds the file unused empties it: what is in it may be of a crash. */
static int enter(int fd)
{
    if (pl_sys.lock(fd, F_WRLCK, false, LOCK_IN_USE, 1) == 0 && pl_sys.ftruncate(fd, 0) != 0) {
        return -1;
    }
    return pl_sys.lock(fd, F_RDLCK, true, LOCK_IN_USE, 1);
}

pail_code pl_index_files_open(struct pl_index_files *f, int dir_fd, int db_fd,
                              struct pail_error **err)
{
    *f = (struct pl_index_files){.dir_fd = dir_fd, .db_fd = db_fd, .shm_fd = -1};
    pthread_mutex_init(&f->lock, NULL);
    f->shm_fd = pl_sys.open(dir_fd, SHM_NAME, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (f->shm_fd < 0 || pl_sys.lock(db_fd, F_RDLCK, true, SHARED_FIRST, SHARED_LENGTH) != 0 ||
        enter(f->shm_fd) != 0) {
        pail_code rc = pl_fail_errno(err, errno, "opening the shared memory of the index");
        pl_index_files_close(f);
        return rc;
    }
    return PAIL_OK;
}

static size_t region_bytes(int size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return page > (size_t)size ? page : (size_t)size;
}

enum { REGION = 32768 };

void pl_index_files_close(struct pl_index_files *f)
{
    size_t bytes = region_bytes(REGION), per = bytes / REGION;
    for (int i = 0; i < f->region_count; i += (int)per) {
        munmap(f->regions[i], bytes);
    }
    pl_free(f->regions);
    f->regions = NULL;
    f->region_count = 0;
    if (f->shm_fd >= 0) {
        pl_sys.close(f->shm_fd);
        f->shm_fd = -1;
    }
    pthread_mutex_destroy(&f->lock);
}

/* Blocks are really taken, so that a full disk is an error here and no signal later. */
static int grow(int fd, off_t size, bool extend)
{
    static const char zero;
    struct stat st;
    if (pl_sys.fstat(fd, &st) != 0) {
        return SQLITE_IOERR_SHMSIZE;
    }
    if (st.st_size >= size) {
        return SQLITE_OK;
    }
    for (off_t at = st.st_size / 4096 * 4096; extend && at < size; at += 4096) {
        if (pl_sys.pwrite(fd, &zero, 1, at + 4095) != 1) {
            return errno == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_SHMSIZE;
        }
    }
    return extend ? SQLITE_OK : -1;
}

static int map_more(struct pl_index_files *f, size_t bytes, int per)
{
    char **more = pl_realloc(f->regions, (size_t)(f->region_count + per) * sizeof *more);
    if (!more) {
        return SQLITE_NOMEM;
    }
    f->regions = more;
    off_t at = (off_t)f->region_count * REGION;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f->shm_fd, at);
    if (p == MAP_FAILED) {
        return SQLITE_IOERR_SHMMAP;
    }
    for (int i = 0; i < per; i++) {
        f->regions[f->region_count++] = (char *)p + (size_t)i * REGION;
    }
    return SQLITE_OK;
}

int pl_shm_map(struct pl_index_files *f, int region, int size, bool extend, void volatile **out)
{
    *out = NULL;
    if (size != REGION) {
        return SQLITE_IOERR_SHMMAP;
    }
    size_t bytes = region_bytes(REGION);
    int per = (int)(bytes / REGION), rc = SQLITE_OK;
    pthread_mutex_lock(&f->lock);
    while (rc == SQLITE_OK && f->region_count <= region) {
        rc = grow(f->shm_fd, (off_t)(f->region_count + per) * REGION, extend);
        rc = rc == SQLITE_OK ? map_more(f, bytes, per) : rc;
    }
    if (rc == SQLITE_OK) {
        *out = f->regions[region];
    }
    pthread_mutex_unlock(&f->lock);
    return rc < 0 ? SQLITE_OK : rc; /* not there and not wanted: NULL is the answer */
}

static int system_lock(struct pl_index_files *f, int type, int at, int n)
{
    if (pl_sys.lock(f->shm_fd, type, false, LOCK_BASE + at, n) == 0) {
        return SQLITE_OK;
    }
    return errno == EACCES || errno == EAGAIN ? SQLITE_BUSY : SQLITE_IOERR_SHMLOCK;
}

static int unlock(struct pl_index_files *f, struct pl_shm_use *use, int at, int n, unsigned mask)
{
    int rc = SQLITE_OK;
    if (use->shared & mask) {
        rc = f->held[at] > 1 ? SQLITE_OK : system_lock(f, F_UNLCK, at, n);
        if (rc == SQLITE_OK) {
            f->held[at]--;
            use->shared &= ~mask;
        }
    } else if (use->exclusive & mask) {
        rc = system_lock(f, F_UNLCK, at, n);
        for (int i = at; rc == SQLITE_OK && i < at + n; i++) {
            f->held[i] = 0;
        }
        use->exclusive &= ~mask;
    }
    return rc;
}

static int lock_shared(struct pl_index_files *f, struct pl_shm_use *use, int at, unsigned mask)
{
    if (use->shared & mask) {
        return SQLITE_OK;
    }
    int rc = f->held[at] < 0 ? SQLITE_BUSY : SQLITE_OK;
    if (rc == SQLITE_OK && f->held[at] == 0) {
        rc = system_lock(f, F_RDLCK, at, 1);
    }
    if (rc == SQLITE_OK) {
        f->held[at]++;
        use->shared |= mask;
    }
    return rc;
}

static int lock_exclusive(struct pl_index_files *f, struct pl_shm_use *use, int at, int n,
                          unsigned mask)
{
    for (int i = at; i < at + n; i++) {
        if (f->held[i]) {
            return SQLITE_BUSY;
        }
    }
    int rc = system_lock(f, F_WRLCK, at, n);
    for (int i = at; rc == SQLITE_OK && i < at + n; i++) {
        f->held[i] = -1;
    }
    use->exclusive |= rc == SQLITE_OK ? mask : 0;
    return rc;
}

int pl_shm_lock(struct pl_index_files *f, struct pl_shm_use *use, int at, int n, int flags)
{
    unsigned mask = (1u << (at + n)) - (1u << at);
    pthread_mutex_lock(&f->lock);
    int rc = flags & SQLITE_SHM_UNLOCK   ? unlock(f, use, at, n, mask)
             : flags & SQLITE_SHM_SHARED ? lock_shared(f, use, at, mask)
                                         : lock_exclusive(f, use, at, n, mask);
    pthread_mutex_unlock(&f->lock);
    return rc;
}
