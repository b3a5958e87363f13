#include "local/vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/sys.h"

#define VFS_NAME "pail-local"

/* Frames of the log are written over old ones most of the time, and a sync is then cheaper, as the
 * file does not grow: so it grows in steps, with zeros, which no reader takes for a frame. */
enum { WAL_STEP_MIN = 64 << 10, WAL_STEP_MAX = 1 << 20, ZEROS = 64 << 10 };
/* SQLite writes each frame in two pieces; a commit gathers them and writes them at once. */
enum { GATHER = 256 << 10 };

struct file {
    sqlite3_file base;
    struct pl_index_files *files;
    int fd; /* of the log: owned; of the index: the store's */
    bool is_wal;
    off_t size;     /* of the log, as far as known to this connection */
    char *gathered; /* bytes of the log from gathered_at, not yet written */
    size_t gathered_count;
    off_t gathered_at;
    struct pl_shm_use use;
};

static struct file *of(sqlite3_file *f)
{
    return (struct file *)(void *)f;
}

/* What is gathered and not written at the end belongs to no commit. */
static int file_close(sqlite3_file *f)
{
    if (of(f)->is_wal) {
        pl_sys.close(of(f)->fd);
        pl_free(of(f)->gathered);
    }
    return SQLITE_OK;
}

static int flush(struct file *f);

static int file_read(sqlite3_file *f, void *buf, int n, sqlite3_int64 at)
{
    int done = 0, rc = flush(of(f));
    if (rc) {
        return rc;
    }
    while (done < n) {
        ssize_t got = pl_sys.pread(of(f)->fd, (char *)buf + done, (size_t)(n - done), at + done);
        if (got < 0) {
            return SQLITE_IOERR_READ;
        }
        if (got == 0) {
            memset((char *)buf + done, 0, (size_t)(n - done));
            return SQLITE_IOERR_SHORT_READ;
        }
        done += (int)got;
    }
    return SQLITE_OK;
}

/* Under the gate, so nobody else writes meanwhile. A full disk is no error here: the frames
 * themselves are in the file. */
static void grow_ahead(struct file *f, off_t end)
{
    static char zeros[ZEROS]; /* not const, so that it takes no room in the library's file */
    struct stat st;
    if (pl_sys.fstat(f->fd, &st) != 0) {
        return;
    }
    f->size = st.st_size;
    if (end < f->size) {
        return;
    }
    off_t step = end / 2 < WAL_STEP_MIN ? WAL_STEP_MIN : end / 2;
    off_t to = (end + (step > WAL_STEP_MAX ? WAL_STEP_MAX : step)) / ZEROS * ZEROS;
    while (f->size < to) {
        size_t n = (size_t)(to - f->size) < ZEROS ? (size_t)(to - f->size) : ZEROS;
        if (!pl_sys_write_full(f->fd, zeros, n, (uint64_t)f->size)) {
            return;
        }
        f->size += (off_t)n;
    }
}

static int write_now(struct file *f, const void *buf, size_t n, off_t at)
{
    if (!pl_sys_write_full(f->fd, buf, n, (uint64_t)at)) {
        return errno == ENOSPC || errno == EDQUOT ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    if (f->is_wal && at + (off_t)n > f->size) {
        grow_ahead(f, at + (off_t)n);
    }
    return SQLITE_OK;
}

static int flush(struct file *f)
{
    size_t n = f->gathered_count;
    f->gathered_count = 0;
    return n ? write_now(f, f->gathered, n, f->gathered_at) : SQLITE_OK;
}

static int gather(struct file *f, const void *buf, size_t n, off_t at)
{
    bool fits = f->gathered_count == 0 || (f->gathered_at + (off_t)f->gathered_count == at &&
                                           f->gathered_count + n <= GATHER);
    int rc = fits ? SQLITE_OK : flush(f);
    if (rc) {
        return rc;
    }
    f->gathered_at = f->gathered_count ? f->gathered_at : at;
    memcpy(f->gathered + f->gathered_count, buf, n);
    f->gathered_count += n;
    return SQLITE_OK;
}

static int file_write(sqlite3_file *file, const void *buf, int n, sqlite3_int64 at)
{
    struct file *f = of(file);
    if (f->is_wal && f->files->gather && n <= GATHER) {
        f->gathered = f->gathered ? f->gathered : pl_alloc(GATHER);
        if (f->gathered) {
            return gather(f, buf, (size_t)n, at);
        }
    }
    int rc = flush(f);
    return rc ? rc : write_now(f, buf, (size_t)n, at);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int rc = flush(of(f));
    of(f)->size = 0;
    return rc ? rc : pl_sys.ftruncate(of(f)->fd, size) == 0 ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static int file_sync(sqlite3_file *f, int flags)
{
    (void)flags;
    int rc = flush(of(f));
    return rc ? rc : pl_sys.fdatasync(of(f)->fd) == 0 ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *out)
{
    struct stat st;
    int rc = flush(of(f));
    if (rc || pl_sys.fstat(of(f)->fd, &st) != 0) {
        return rc ? rc : SQLITE_IOERR_FSTAT;
    }
    *out = st.st_size;
    return SQLITE_OK;
}

/* The store holds the shared lock as long as it is open; nobody needs more, and whoever asks for
 * the whole file would take it from others. */
static int file_lock(sqlite3_file *f, int level)
{
    (void)f;
    return level <= SQLITE_LOCK_SHARED ? SQLITE_OK : SQLITE_BUSY;
}
static int file_unlock(sqlite3_file *f, int level)
{
    (void)f;
    (void)level;
    return SQLITE_OK;
}
static int file_check_reserved(sqlite3_file *f, int *out)
{
    (void)f;
    *out = 0;
    return SQLITE_OK;
}
static int file_control(sqlite3_file *f, int op, void *arg)
{
    (void)f;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}
static int file_sector(sqlite3_file *f)
{
    (void)f;
    return 4096;
}
static int file_traits(sqlite3_file *f)
{
    (void)f;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **out)
{
    return pl_shm_map(of(f)->files, region, size, extend != 0, out);
}
static int shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return pl_shm_lock(of(f)->files, &of(f)->use, at, n, flags);
}
static void shm_barrier(sqlite3_file *f)
{
    atomic_thread_fence(memory_order_seq_cst);
    pthread_mutex_lock(&of(f)->files->lock);
    pthread_mutex_unlock(&of(f)->files->lock);
}
static int shm_unmap(sqlite3_file *f, int delete_file)
{
    (void)delete_file; /* mapped and kept as long as the store is open */
    struct file *x = of(f);
    for (int i = 0; i < PL_SHM_LOCKS; i++) {
        if ((x->use.shared | x->use.exclusive) & (1u << i)) {
            (void)pl_shm_lock(x->files, &x->use, i, 1, SQLITE_SHM_UNLOCK);
        }
    }
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

static sqlite3_vfs *below(sqlite3_vfs *v)
{
    return v->pAppData;
}

static int open_wal(struct file *f, int flags)
{
    struct stat st;
    const char *name = PL_INDEX_NAME "-wal";
    bool is_new = pl_sys.stat(f->files->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0;
    f->fd = pl_sys.open(f->files->dir_fd, name, O_RDWR | O_NOFOLLOW | (is_new ? O_CREAT : 0), 0600);
    if (f->fd < 0 || (is_new && pl_sys.fsync(f->files->dir_fd) != 0)) {
        if (f->fd >= 0) {
            pl_sys.close(f->fd);
        }
        return SQLITE_CANTOPEN;
    }
    (void)flags;
    return SQLITE_OK;
}

static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct file *f = of(file);
    if (!(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL))) {
        return below(v)->xOpen(below(v), name, file, flags, out_flags);
    }
    *f = (struct file){.is_wal = (flags & SQLITE_OPEN_WAL) != 0};
    const char *main_name = f->is_wal ? sqlite3_filename_database(name) : name;
    f->files = (struct pl_index_files *)(uintptr_t)sqlite3_uri_int64(main_name, "files", 0);
    if (!f->files) {
        return SQLITE_CANTOPEN;
    }
    f->fd = f->files->db_fd;
    int rc = f->is_wal ? open_wal(f, flags) : SQLITE_OK;
    if (rc == SQLITE_OK) {
        f->base.pMethods = &methods;
        if (out_flags) {
            *out_flags = flags;
        }
    }
    return rc;
}

/* Nothing of the index is ever deleted: its log is emptied, and it has no rollback journal. */
static int vfs_delete(sqlite3_vfs *v, const char *name, int sync_folder)
{
    (void)v;
    (void)name;
    (void)sync_folder;
    return SQLITE_IOERR_DELETE;
}
/* Asked only for the journal, which an index of ours never has, and for the log, which it always
 * has: opening makes it. */
static int vfs_access(sqlite3_vfs *v, const char *name, int flags, int *out)
{
    (void)v;
    (void)flags;
    *out = pl_str_ends(pl_str_c(name), PL_STR("-wal"));
    return SQLITE_OK;
}
static int vfs_full_path(sqlite3_vfs *v, const char *name, int size, char *out)
{
    (void)v;
    return snprintf(out, (size_t)size, "%s", name) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}
static int vfs_random(sqlite3_vfs *v, int n, char *out)
{
    (void)v;
    return pl_sys.random(out, (size_t)n) ? n : 0;
}
static int vfs_sleep(sqlite3_vfs *v, int us)
{
    return below(v)->xSleep(below(v), us);
}
static int vfs_time(sqlite3_vfs *v, double *out)
{
    return below(v)->xCurrentTime(below(v), out);
}
static int vfs_last_error(sqlite3_vfs *v, int n, char *out)
{
    (void)v;
    (void)n;
    (void)out;
    return errno;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int registered = SQLITE_ERROR;

static void register_vfs(void)
{
    static sqlite3_vfs vfs = {.iVersion = 1,
                              .mxPathname = 4096,
                              .zName = VFS_NAME,
                              .xOpen = vfs_open,
                              .xDelete = vfs_delete,
                              .xAccess = vfs_access,
                              .xFullPathname = vfs_full_path,
                              .xRandomness = vfs_random,
                              .xSleep = vfs_sleep,
                              .xCurrentTime = vfs_time,
                              .xGetLastError = vfs_last_error};
    sqlite3_vfs *standard = sqlite3_vfs_find(NULL);
    if (standard) {
        vfs.pAppData = standard;
        vfs.szOsFile = standard->szOsFile > (int)sizeof(struct file) ? standard->szOsFile
                                                                     : (int)sizeof(struct file);
        registered = sqlite3_vfs_register(&vfs, 0);
    }
}

pail_code pl_vfs_register(struct pail_error **err)
{
    pthread_once(&once, register_vfs);
    return registered == SQLITE_OK ? PAIL_OK
                                   : pl_fail(err, PAIL_E_INTERNAL, "SQLite could not be set up");
}

void pl_vfs_uri(const struct pl_index_files *f, char *room, size_t size)
{
    /* The path is only a name here: files are opened relative to the store's folder. */
    snprintf(room, size, "file:/%s?vfs=" VFS_NAME "&files=%llu", PL_INDEX_NAME,
             (unsigned long long)(uintptr_t)f);
}
