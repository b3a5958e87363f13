/* A copy of a store as it is at one moment, made while others use it: the index by SQLite's backup,
 * content files, which never change, by links where the file system can, else by copying. While it
 * lasts, a pin in the index keeps the files of deleted objects. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/sys.h"
#include "local/gc.h"
#include "local/ids.h"
#include "local/maintain.h"

/* ---- the pin ---- */

static pail_code apply_pin(struct pl_tx *tx, struct pl_commit *c)
{
    pail_code rc = pl_tx_become_owner(tx, c->err);
    return rc || pl_conn_run(tx->conn, PL_Q_PIN_ADD, tx->store->ids.owner, 0, 0)
               ? rc
               : pl_tx_fail(tx, c->err, "beginning a backup");
}

/* Also deletes what others left for the time of the backup. */
static pail_code apply_unpin(struct pl_tx *tx, struct pl_commit *c)
{
    return pl_conn_run(tx->conn, PL_Q_PIN_DROP, tx->store->ids.owner, 0, 0)
               ? pl_tx_recover(tx, c->err)
               : pl_tx_fail(tx, c->err, "ending a backup");
}

static pail_code commit(struct pl_store *s, pail_code (*apply)(struct pl_tx *, struct pl_commit *),
                        struct pail_error **err)
{
    struct pl_commit c = {.apply = apply, .err = err, .durability = PL_DURABLE_FULL};
    return pl_commit_run(s, &c);
}

/* ---- the index ---- */

static pail_code copy_pages(struct pl_conn *from, const char *path, struct pail_error **err)
{
    sqlite3 *to = NULL;
    int rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    sqlite3_backup *b = rc ? NULL : sqlite3_backup_init(to, "main", from->db, "main");
    if (b) {
        (void)sqlite3_backup_step(b, -1);
        rc = sqlite3_backup_finish(b);
    } else {
        rc = rc ? rc : sqlite3_errcode(to);
    }
    pail_code code = rc == SQLITE_OK
                         ? PAIL_OK
                         : pl_fail(err, rc == SQLITE_FULL ? PAIL_E_NO_SPACE : PAIL_E_IO,
                                   "copying the index to %s: %s", path, sqlite3_errstr(rc));
    sqlite3_close(to);
    return code;
}

/* Whatever is under way in the store is not in the copy. */
static pail_code tidy(struct pl_conn *c, struct pail_error **err)
{
    static const char sql[] = "BEGIN; DELETE FROM gc; DELETE FROM pins;"
                              "UPDATE idblocks SET owner=0;"
                              "DELETE FROM sums WHERE id>>20 NOT IN (SELECT id FROM contents);"
                              "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)";
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? PAIL_OK
               : pl_conn_fail(c, err, "finishing the copy of the index");
}

/* ---- content files ---- */

struct copying {
    struct pl_store *store;
    const char *folder;
    int dir_fd, data_fd; /* of the copy */
    int64_t block;       /* whose folder is there; 0: none */
    bool may_link;
};

static pail_code copy_bytes(struct copying *k, const char *path, struct pail_error **err)
{
    enum { ROOM = 1 << 20 };
    char *room = pl_alloc(ROOM);
    int from = pl_sys.open(k->store->data_fd, path, O_RDONLY | O_NOFOLLOW, 0);
    int to = pl_sys.open(k->data_fd, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    bool ok = room && from >= 0 && to >= 0;
    uint64_t at = 0;
    ssize_t n = 1;
    while (ok && n > 0) {
        n = pl_sys.pread(from, room, ROOM, (off_t)at);
        ok = n >= 0 && (n == 0 || pl_sys_write_full(to, room, (size_t)n, at));
        at += n > 0 ? (uint64_t)n : 0;
    }
    ok = ok && pl_sys.fsync(to) == 0;
    int saved = room ? errno : ENOMEM;
    if (from >= 0) {
        pl_sys.close(from);
    }
    if (to >= 0) {
        pl_sys.close(to);
    }
    pl_free(room);
    return ok ? PAIL_OK : pl_fail_errno(err, saved, "copying %s to %s", path, k->folder);
}

static pail_code sync_block(struct copying *k, struct pail_error **err)
{
    char name[PL_CONTENT_PATH_MAX];
    if (k->block == 0) {
        return PAIL_OK;
    }
    pl_content_folder(k->block << PL_ID_BITS, name);
    int fd = pl_sys.open(k->data_fd, name, O_RDONLY | O_DIRECTORY, 0);
    bool ok = fd >= 0 && pl_sys.fsync(fd) == 0;
    int saved = errno;
    if (fd >= 0) {
        pl_sys.close(fd);
    }
    return ok ? PAIL_OK : pl_fail_errno(err, saved, "syncing %s", k->folder);
}

static pail_code enter_block(struct copying *k, int64_t block, struct pail_error **err)
{
    char name[PL_CONTENT_PATH_MAX];
    if (block == k->block) {
        return PAIL_OK;
    }
    pail_code rc = sync_block(k, err);
    k->block = block;
    pl_content_folder(block << PL_ID_BITS, name);
    if (rc == PAIL_OK && pl_sys.mkdir(k->data_fd, name, 0700) != 0) {
        rc = pl_fail_errno(err, errno, "making %s/" PL_DATA_NAME "/%s", k->folder, name);
    }
    return rc;
}

static pail_code copy_content(struct copying *k, int64_t id, const char *tail,
                              struct pail_error **err)
{
    char path[PL_CONTENT_PATH_MAX];
    pail_code rc = enter_block(k, id >> PL_ID_BITS, err);
    if (rc) {
        return rc;
    }
    pl_content_path(id, tail, path);
    if (k->may_link && pl_sys.link(k->store->data_fd, path, k->data_fd, path, 0) == 0) {
        return PAIL_OK;
    }
    if (k->may_link && errno == ENOENT) {
        return pl_fail(err, PAIL_E_CHECKSUM, "the content file " PL_DATA_NAME "/%s is missing",
                       path);
    }
    k->may_link = k->may_link && errno == EMLINK;
    return copy_bytes(k, path, err);
}

static pail_code copy_contents(struct copying *k, struct pl_conn *c, struct pail_error **err)
{
    sqlite3_stmt *s = pl_conn_query(c, PL_Q_CONTENTS);
    pail_code rc = PAIL_OK;
    int step = SQLITE_ERROR;
    while (rc == PAIL_OK && s && (step = sqlite3_step(s)) == SQLITE_ROW) {
        const char *tail = (const char *)sqlite3_column_text(s, 1);
        rc = copy_content(k, sqlite3_column_int64(s, 0), tail ? tail : "", err);
    }
    sqlite3_reset(s);
    rc = rc || step == SQLITE_DONE ? rc : pl_conn_fail(c, err, "listing contents");
    return rc ? rc : sync_block(k, err);
}

/* ---- the folder ---- */

static bool remove_file(const char *name, void *ctx)
{
    (void)pl_sys.unlink(*(int *)ctx, name, 0);
    return true;
}

static bool remove_block(const char *name, void *ctx)
{
    int data_fd = *(int *)ctx, fd = pl_sys.open(data_fd, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd >= 0) {
        (void)pl_sys_list(fd, ".", remove_file, &fd);
        pl_sys.close(fd);
    }
    (void)pl_sys.unlink(data_fd, name, AT_REMOVEDIR);
    return true;
}

/* What an interrupted backup made; without a format file it would be no store anyway. */
static void remove_all(struct copying *k)
{
    if (k->data_fd >= 0) {
        (void)pl_sys_list(k->data_fd, ".", remove_block, &k->data_fd);
        (void)pl_sys.unlink(k->dir_fd, PL_DATA_NAME, AT_REMOVEDIR);
    }
    if (k->dir_fd >= 0) {
        (void)pl_sys_list(k->dir_fd, ".", remove_file, &k->dir_fd);
        (void)pl_sys.unlink(AT_FDCWD, k->folder, AT_REMOVEDIR);
    }
}

static pail_code make_folder(struct copying *k, struct pail_error **err)
{
    if (pl_sys.mkdir(AT_FDCWD, k->folder, 0700) != 0) {
        return errno == EEXIST
                   ? pl_fail(err, PAIL_E_EXISTS, "%s is there already; a backup makes its folder",
                             k->folder)
                   : pl_fail_errno(err, errno, "making %s", k->folder);
    }
    k->dir_fd = pl_sys.open(AT_FDCWD, k->folder, O_RDONLY | O_DIRECTORY, 0);
    if (k->dir_fd >= 0 && pl_sys.mkdir(k->dir_fd, PL_DATA_NAME, 0700) == 0) {
        k->data_fd = pl_sys.open(k->dir_fd, PL_DATA_NAME, O_RDONLY | O_DIRECTORY, 0);
    }
    return k->data_fd >= 0 ? PAIL_OK : pl_fail_errno(err, errno, "making %s", k->folder);
}

static pail_code sync_folder(struct copying *k, struct pail_error **err)
{
    int fd = pl_sys.open(k->dir_fd, PL_INDEX_NAME, O_RDWR, 0);
    bool ok = fd >= 0 && pl_sys.fsync(fd) == 0 && pl_sys.fsync(k->data_fd) == 0 &&
              pl_sys.fsync(k->dir_fd) == 0;
    int saved = errno;
    if (fd >= 0) {
        pl_sys.close(fd);
    }
    return ok ? PAIL_OK : pl_fail_errno(err, saved, "syncing %s", k->folder);
}

static pail_code copy_store(struct copying *k, struct pail_error **err)
{
    char path[PATH_MAX];
    struct pl_conn *from, *to = NULL;
    if (snprintf(path, sizeof path, "%s/" PL_INDEX_NAME, k->folder) >= (int)sizeof path) {
        return pl_fail(err, PAIL_E_BAD_ARGUMENT, "the path %.80s... is too long", k->folder);
    }
    int fd = pl_sys.open(k->dir_fd, PL_INDEX_NAME, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0) {
        return pl_fail_errno(err, errno, "making %s", path);
    }
    pl_sys.close(fd);
    pail_code rc = pl_reader_take(k->store, &from, err);
    if (rc) {
        return rc;
    }
    rc = copy_pages(from, path, err);
    pl_reader_give(k->store, from);
    rc = rc ? rc : pl_conn_open_alone(path, &to, err);
    rc = rc ? rc : copy_contents(k, to, err);
    rc = rc ? rc : tidy(to, err);
    pl_conn_close(to);
    (void)pl_sys.unlink(k->dir_fd, PL_INDEX_NAME "-wal", 0);
    (void)pl_sys.unlink(k->dir_fd, PL_INDEX_NAME "-shm", 0);
    rc = rc ? rc : sync_folder(k, err);
    return rc ? rc : pl_home_write(k->dir_fd, k->store->id, err);
}

static pail_code run(struct copying *k, struct pail_error **err)
{
    pail_code rc = make_folder(k, err);
    rc = rc ? rc : commit(k->store, apply_pin, err);
    if (rc == PAIL_OK) {
        rc = copy_store(k, err);
        pail_code end = commit(k->store, apply_unpin, rc ? NULL : err);
        rc = rc ? rc : end;
    }
    if (rc && rc != PAIL_E_EXISTS) {
        remove_all(k);
    }
    return rc;
}

pail_code pl_store_backup(struct pl_store *s, const char *folder, struct pail_error **err)
{
    struct copying k = {s, folder, -1, -1, 0, true};
    pthread_mutex_lock(&s->backup);
    pail_code rc = run(&k, err);
    pthread_mutex_unlock(&s->backup);
    if (k.data_fd >= 0) {
        pl_sys.close(k.data_fd);
    }
    if (k.dir_fd >= 0) {
        pl_sys.close(k.dir_fd);
    }
    return rc;
}
