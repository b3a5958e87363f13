#include "local/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>

#include "base/sys.h"
#include "local/commit.h"
#include "local/gc.h"

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pl_store *all;       /* under all_lock */
static struct pl_store *inherited; /* of a parent: never touched again */

/* ---- fork: a child finds no store open and no lock held ---- */

/* Those of SQLite's locks that a thread may hold while another forks, in the order in which SQLite
 * takes them: choosing its first random number it looks for a VFS. */
static const int sqlite_locks[] = {SQLITE_MUTEX_STATIC_PRNG, SQLITE_MUTEX_STATIC_MAIN,
                                   SQLITE_MUTEX_STATIC_OPEN, SQLITE_MUTEX_STATIC_VFS1,
                                   SQLITE_MUTEX_STATIC_LRU,  SQLITE_MUTEX_STATIC_PMEM,
                                   SQLITE_MUTEX_STATIC_MEM};
enum { SQLITE_LOCKS = sizeof sqlite_locks / sizeof *sqlite_locks };

static void before_fork(void)
{
    pthread_mutex_lock(&all_lock);
    for (int i = 0; i < SQLITE_LOCKS; i++) {
        sqlite3_mutex_enter(sqlite3_mutex_alloc(sqlite_locks[i]));
    }
}

static void after_fork_parent(void)
{
    for (int i = SQLITE_LOCKS - 1; i >= 0; i--) {
        sqlite3_mutex_leave(sqlite3_mutex_alloc(sqlite_locks[i]));
    }
    pthread_mutex_unlock(&all_lock);
}

static void after_fork_child(void)
{
    if (all) {
        struct pl_store **end = &inherited;
        while (*end) {
            end = &(*end)->next;
        }
        *end = all;
        all = NULL;
    }
    after_fork_parent();
}

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static void watch_forks(void)
{
    sqlite3_initialize();
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* ---- the gate ---- */

pail_code pl_gate_enter(struct pl_store *s, struct pail_error **err)
{
    pthread_mutex_lock(&s->gate);
    while (pl_sys.lock(s->gate_fd, F_WRLCK, true, 0, 1) != 0) {
        /* The kernel takes two processes with two stores for a deadlock, as it does not know
         * threads; one of them goes on within one commit. */
        if (errno != EDEADLK) {
            pail_code rc = pl_fail_errno(err, errno, "locking %s/" PL_GATE_NAME, s->home);
            pthread_mutex_unlock(&s->gate);
            return rc;
        }
        sched_yield();
    }
    return PAIL_OK;
}

void pl_gate_leave(struct pl_store *s)
{
    (void)pl_sys.lock(s->gate_fd, F_UNLCK, false, 0, 1);
    pthread_mutex_unlock(&s->gate);
}

bool pl_owner_claim(struct pl_store *s, int64_t owner)
{
    return pl_sys.lock(s->gate_fd, F_WRLCK, false, owner, 1) == 0;
}

bool pl_owner_lives(struct pl_store *s, int64_t owner)
{
    return owner == s->ids.owner || (owner > 0 && pl_sys.lock_held(s->gate_fd, owner) != 0);
}

/* ---- opening and closing ---- */

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        pl_sys.close(*fd);
        *fd = -1;
    }
}

static void dispose_locks(struct pl_store *s)
{
    pthread_mutex_destroy(&s->gate);
    pthread_mutex_destroy(&s->readers_lock);
    pthread_cond_destroy(&s->readers_free);
    pthread_mutex_destroy(&s->ids.lock);
    pthread_mutex_destroy(&s->ids.fetching);
    pthread_mutex_destroy(&s->gc_lock);
    pthread_mutex_destroy(&s->backup);
}

static void free_store(struct pl_store *s)
{
    pl_workers_dispose(&s->workers);
    pl_committer_dispose(s);
    while (s->readers) {
        struct pl_conn *c = s->readers;
        s->readers = c->next;
        pl_conn_close(c);
    }
    if (s->db_fd >= 0) {
        pl_index_files_close(&s->files);
    }
    close_fd(&s->db_fd);
    close_fd(&s->gate_fd);
    close_fd(&s->data_fd);
    close_fd(&s->dir_fd);
    pl_dead_free(s->gc_done);
    dispose_locks(s);
    pl_free(s->home);
    pl_free(s);
}

static pail_code new_store(const char *home, int dir_fd, const struct stat *st,
                           struct pl_store **out, struct pail_error **err)
{
    struct pl_store *s = pl_calloc(1, sizeof *s);
    char *copy = pl_strdup(home);
    if (!s || !copy) {
        pl_free(s);
        pl_free(copy);
        pl_sys.close(dir_fd);
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a LOCAL store");
    }
    s->dev = st->st_dev;
    s->ino = st->st_ino;
    s->home = copy;
    s->dir_fd = dir_fd;
    s->data_fd = s->gate_fd = s->db_fd = -1;
    s->refs = 1;
    pthread_mutex_init(&s->gate, NULL);
    pthread_mutex_init(&s->readers_lock, NULL);
    pthread_cond_init(&s->readers_free, NULL);
    pthread_mutex_init(&s->ids.lock, NULL);
    pthread_mutex_init(&s->ids.fetching, NULL);
    pthread_mutex_init(&s->gc_lock, NULL);
    pthread_mutex_init(&s->backup, NULL);
    pl_workers_init(&s->workers);
    pl_committer_init(&s->queue);
    *out = s;
    return PAIL_OK;
}

static pail_code open_file(struct pl_store *s, const char *name, int flags, int *fd,
                           struct pail_error **err)
{
    *fd = pl_sys.open(s->dir_fd, name, flags | O_NOFOLLOW, 0600);
    return *fd >= 0 ? PAIL_OK : pl_fail_errno(err, errno, "opening %s/%s", s->home, name);
}

/* Under the gate: makes the store where it is not, opens its files, and reads once, so that what a
 * crash left in the log is taken over while nobody commits. */
static pail_code open_gated(struct pl_store *s, bool create, bool *found, struct pail_error **err)
{
    bool old = false;
    pail_code rc = pl_home_read(s->dir_fd, s->home, found, &old, s->id, err);
    if (rc == PAIL_OK && !*found && create) {
        rc = pl_home_create(s->dir_fd, s->home, s->id, err);
        *found = rc == PAIL_OK;
    }
    if (rc || !*found) {
        return rc;
    }
    rc = open_file(s, PL_DATA_NAME, O_RDONLY | O_DIRECTORY, &s->data_fd, err);
    rc = rc ? rc : open_file(s, PL_INDEX_NAME, O_RDWR, &s->db_fd, err);
    if (rc) {
        close_fd(&s->db_fd);
        return rc;
    }
    rc = pl_index_files_open(&s->files, s->dir_fd, s->db_fd, err);
    if (rc) {
        close_fd(&s->db_fd);
        return rc;
    }
    struct pl_conn *c = NULL;
    rc = pl_conn_open(&s->files, &c, err);
    if (rc == PAIL_OK) {
        s->readers = c;
        s->reader_count = 1;
    }
    if (rc == PAIL_OK && old) {
        rc = pl_index_renew(c, err);
        rc = rc ? rc : pl_home_write(s->dir_fd, s->id, err);
    }
    return rc;
}

/* Takes dir_fd. */
static pail_code open_new(const char *home, bool create, int dir_fd, const struct stat *st,
                          struct pl_store **out, struct pail_error **err)
{
    struct pl_store *s = NULL;
    bool found = false;
    pail_code rc = pl_vfs_register(err);
    if (rc) {
        pl_sys.close(dir_fd);
        return rc;
    }
    rc = new_store(home, dir_fd, st, &s, err);
    if (rc) {
        return rc;
    }
    if (!create) { /* a folder that is no store stays as it is */
        bool old;
        rc = pl_home_read(dir_fd, home, &found, &old, s->id, err);
    }
    if (rc == PAIL_OK && (create || found)) {
        rc = open_file(s, PL_GATE_NAME, O_RDWR | O_CREAT, &s->gate_fd, err);
        rc = rc ? rc : pl_gate_enter(s, err);
        if (rc == PAIL_OK) {
            rc = open_gated(s, create, &found, err);
            pl_gate_leave(s);
        }
    }
    if (rc || !found) {
        free_store(s);
        return rc;
    }
    s->next = all;
    all = s;
    *out = s;
    return PAIL_OK;
}

pail_code pl_store_open(const char *home, bool create, struct pl_store **out,
                        struct pail_error **err)
{
    int fd;
    struct stat st;
    *out = NULL;
    pthread_once(&fork_once, watch_forks);
    pail_code rc = pl_home_open(home, create, &fd, err);
    if (rc || fd < 0) {
        return rc;
    }
    if (pl_sys.fstat(fd, &st) != 0) {
        rc = pl_fail_errno(err, errno, "looking at %s", home);
        pl_sys.close(fd);
        return rc;
    }
    pthread_mutex_lock(&all_lock);
    struct pl_store *s = all;
    while (s && (s->dev != st.st_dev || s->ino != st.st_ino)) {
        s = s->next;
    }
    if (s) {
        s->refs++;
        *out = s;
        pl_sys.close(fd);
    } else {
        rc = open_new(home, create, fd, &st, out, err);
    }
    pthread_mutex_unlock(&all_lock);
    return rc;
}

/* Under the lock to the end: closing a descriptor of the gate drops the locks of this process on
 * it, also those of a store opened anew meanwhile. */
void pl_store_release(struct pl_store *s)
{
    if (!s) {
        return;
    }
    pthread_mutex_lock(&all_lock);
    if (--s->refs == 0) {
        struct pl_store **at = &all;
        while (*at != s) {
            at = &(*at)->next;
        }
        *at = s->next;
        free_store(s);
    }
    pthread_mutex_unlock(&all_lock);
}

/* ---- connections for reading ---- */

pail_code pl_reader_take(struct pl_store *s, struct pl_conn **out, struct pail_error **err)
{
    pthread_mutex_lock(&s->readers_lock);
    while (!s->readers && s->reader_count >= PL_READERS_MAX) {
        pthread_cond_wait(&s->readers_free, &s->readers_lock);
    }
    struct pl_conn *c = s->readers;
    if (c) {
        s->readers = c->next;
    } else {
        s->reader_count++;
    }
    pthread_mutex_unlock(&s->readers_lock);
    *out = c;
    pail_code rc = c ? PAIL_OK : pl_conn_open(&s->files, out, err);
    if (rc) {
        pthread_mutex_lock(&s->readers_lock);
        s->reader_count--;
        pthread_cond_signal(&s->readers_free);
        pthread_mutex_unlock(&s->readers_lock);
    }
    return rc;
}

void pl_reader_give(struct pl_store *s, struct pl_conn *c)
{
    pthread_mutex_lock(&s->readers_lock);
    c->next = s->readers;
    s->readers = c;
    pthread_cond_signal(&s->readers_free);
    pthread_mutex_unlock(&s->readers_lock);
}
