#include "local/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <time.h>

#include "base/sys.h"
#include "local/gc.h"

/* A batch is capped by count and bytes, so that its callers do not wait for ever, and by time, so
 * that other processes get their turn at the gate. */
enum { BATCH_COUNT = 256, BATCH_BYTES = 1 << 20, BATCH_NS = 20 * 1000 * 1000 };
/* Frames of 4 KiB in the log before it is written back: when nobody waits, and in any case; and
 * what is left to the next process, which reads it when it opens the index. */
enum { CHECKPOINT_IDLE = 1000, CHECKPOINT_BUSY = 4000, CHECKPOINT_CLOSE = 256 };
/* With durability `batch` no more than this is lost with the power. */
enum { BATCH_SYNC_NS = 50 * 1000 * 1000 };

void pl_committer_init(struct pl_committer *q)
{
    *q = (struct pl_committer){.last = &q->first, .synchronous = PL_DURABLE_FULL};
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->wake, &attr);
    pthread_condattr_destroy(&attr);
}

pail_code pl_tx_fail(struct pl_tx *tx, struct pail_error **err, const char *what)
{
    tx->broken = true;
    return pl_conn_fail(tx->conn, err, what);
}

uint64_t pl_tx_version(struct pl_tx *tx)
{
    return ++tx->store->queue.version;
}

/* ---- the log of the index ---- */

static void checkpoint(struct pl_store *s, int mode)
{
    /* One that does not get through leaves the rest to the next. */
    if (pl_gate_enter(s, NULL) == PAIL_OK) {
        sqlite3_busy_timeout(s->queue.conn->db, 0);
        (void)sqlite3_wal_checkpoint_v2(s->queue.conn->db, NULL, mode, NULL, NULL);
        sqlite3_busy_timeout(s->queue.conn->db, 60000);
        s->queue.frames_written_back = s->queue.conn->log_frames;
        pl_gate_leave(s);
    }
}

/* Frames since the last time. The log begins anew when no reader needs the old one. */
static int frames_waiting(const struct pl_committer *q)
{
    int all = q->conn ? q->conn->log_frames : 0;
    return all < q->frames_written_back ? all : all - q->frames_written_back;
}

static void sync_log(struct pl_store *s)
{
    int fd = pl_sys.open(s->dir_fd, PL_INDEX_NAME "-wal", O_RDWR, 0);
    if (fd >= 0) {
        (void)pl_sys.fdatasync(fd);
        pl_sys.close(fd);
    }
    s->queue.unsynced = false;
}

static bool set_synchronous(struct pl_store *s, enum pl_durability d)
{
    struct pl_committer *q = &s->queue;
    static const char *const pragmas[] = {"PRAGMA synchronous=OFF", "PRAGMA synchronous=NORMAL",
                                          "PRAGMA synchronous=FULL"};
    if (q->synchronous != d) {
        if (sqlite3_exec(q->conn->db, pragmas[d], NULL, NULL, NULL) != SQLITE_OK) {
            return false;
        }
        q->synchronous = d;
    }
    s->files.gather = d == PL_DURABLE_FULL;
    return true;
}

/* ---- one transaction ---- */

static enum pl_durability strongest(const struct pl_commit *list)
{
    enum pl_durability d = PL_DURABLE_OFF;
    for (; list; list = list->next) {
        d = list->durability > d ? list->durability : d;
    }
    return d;
}

static void fail_all(struct pl_commit *list, pail_code rc, struct pail_error *err)
{
    for (; list; list = list->next) {
        list->rc = rc;
        if (list->err && !*list->err) {
            *list->err = pl_error_dup(err);
        }
    }
}

static void apply_one(struct pl_tx *tx, struct pl_commit *c)
{
    if (c->err) {
        pail_error_free(*c->err); /* of an earlier try */
        *c->err = NULL;
    }
    c->rc = c->deadline_ns && pl_sys.mono_ns() > c->deadline_ns ? PAIL_E_TIMEOUT : c->apply(tx, c);
}

static pail_code begin(struct pl_tx *tx, enum pl_durability d, struct pail_error **err)
{
    if (!set_synchronous(tx->store, d) || !pl_conn_run(tx->conn, PL_Q_BEGIN, 0, 0, 0)) {
        return pl_conn_fail(tx->conn, err, "beginning a transaction");
    }
    return PAIL_OK;
}

static void undo(struct pl_tx *tx)
{
    if (!sqlite3_get_autocommit(tx->conn->db)) {
        sqlite3_exec(tx->conn->db, "ROLLBACK", NULL, NULL, NULL);
    }
    pl_dead_free(tx->dead);
    tx->dead = NULL;
}

/* A commit whose log could not be synced may still be found after a crash. */
static pail_code commit(struct pl_tx *tx, struct pail_error **err)
{
    pl_tx_look_for_pins(tx);
    if (!tx->broken && pl_conn_run(tx->conn, PL_Q_COMMIT, 0, 0, 0)) {
        return PAIL_OK;
    }
    pail_code rc = pl_conn_fail(tx->conn, err, "committing");
    if (*err && !(*err)->is_static && rc == PAIL_E_IO) {
        (*err)->maybe_applied = true;
    }
    return rc;
}

static void run_alone(struct pl_store *s, struct pl_commit *c)
{
    struct pl_tx tx = {.store = s, .conn = s->queue.conn};
    struct pail_error *e = NULL;
    pail_code rc = begin(&tx, c->durability, &e);
    if (rc == PAIL_OK) {
        apply_one(&tx, c);
        rc = tx.broken ? c->rc : commit(&tx, &e);
    }
    if (rc) {
        undo(&tx);
        c->rc = rc;
        if (c->err && !*c->err && e) {
            *c->err = e;
            e = NULL;
        }
    }
    pail_error_free(e);
    pl_dead_bury(s, &tx);
}

static struct pl_commit *take(struct pl_committer *q, size_t *count, size_t *bytes);

/* Applies the list and what comes in meanwhile, as long as the caps allow. */
static bool apply_all(struct pl_tx *tx, struct pl_commit **list, size_t *count, size_t *bytes)
{
    int64_t until = pl_sys.mono_ns() + BATCH_NS;
    struct pl_commit **at = list;
    enum pl_durability d = tx->store->queue.synchronous;
    while (!tx->broken) {
        for (; *at && !tx->broken; at = &(*at)->next) {
            apply_one(tx, *at);
        }
        if (tx->broken || pl_sys.mono_ns() > until) {
            break;
        }
        *at = take(&tx->store->queue, count, bytes);
        if (!*at) {
            break;
        }
        if (strongest(*at) > d) {
            return false; /* what was asked to be durable may not ride on less */
        }
    }
    return !tx->broken;
}

/* Fewer at a time where something went wrong: each for itself. */
static void run_batch(struct pl_store *s, struct pl_commit **list, size_t *count, size_t *bytes)
{
    struct pl_tx tx = {.store = s, .conn = s->queue.conn};
    struct pail_error *e = NULL;
    pail_code rc = pl_gate_enter(s, &e);
    if (rc) {
        fail_all(*list, rc, e);
        pail_error_free(e);
        return;
    }
    bool ok = begin(&tx, strongest(*list), &e) == PAIL_OK && pl_gc_forget(&tx) &&
              apply_all(&tx, list, count, bytes) && commit(&tx, &e) == PAIL_OK;
    if (ok) {
        pl_dead_bury(s, &tx);
    } else {
        undo(&tx);
        for (struct pl_commit *c = *list; c; c = c->next) {
            run_alone(s, c);
        }
    }
    pail_error_free(e);
    if (s->queue.synchronous == PL_DURABLE_BATCH && !s->queue.unsynced) {
        s->queue.sync_at_ns = pl_sys.mono_ns() + BATCH_SYNC_NS;
        s->queue.unsynced = true;
    }
    pl_gate_leave(s);
}

/* ---- the thread ---- */

/* The first of what waits, up to the caps. */
static struct pl_commit *take_locked(struct pl_committer *q, size_t *count, size_t *bytes)
{
    struct pl_commit *list = q->first, **at = &q->first;
    while (*at && *count < BATCH_COUNT && (*count == 0 || *bytes + (*at)->bytes <= BATCH_BYTES)) {
        ++*count;
        *bytes += (*at)->bytes;
        at = &(*at)->next;
    }
    if (at == &q->first) {
        return NULL;
    }
    q->first = *at;
    *at = NULL;
    q->last = q->first ? q->last : &q->first;
    return list;
}

static struct pl_commit *take(struct pl_committer *q, size_t *count, size_t *bytes)
{
    pthread_mutex_lock(&q->lock);
    struct pl_commit *list = take_locked(q, count, bytes);
    pthread_mutex_unlock(&q->lock);
    return list;
}

static void finish(struct pl_commit *list)
{
    while (list) {
        struct pl_commit *next = list->next;
        list->done(list);
        list = next;
    }
}

/* Of whoever has the committer's part: commits the list and answers it. */
static void serve_list(struct pl_store *s, struct pl_commit *list, size_t count, size_t bytes)
{
    struct pl_committer *q = &s->queue;
    struct pail_error *e = NULL;
    pail_code rc = q->conn ? PAIL_OK : pl_conn_open(&s->files, &q->conn, &e);
    rc = rc || q->recovered ? rc : pl_gc_recover(s, q->conn, &e);
    if (rc) {
        fail_all(list, rc, e);
        pail_error_free(e);
    } else {
        q->recovered = true;
        run_batch(s, &list, &count, &bytes);
    }
    q->last_batch = count;
    finish(list);
}

enum task { WAIT, BATCH, CHECKPOINT, SYNC, STOP };

static enum task task_locked(const struct pl_committer *q)
{
    if (q->busy) {
        return WAIT;
    }
    if (frames_waiting(q) >= (q->first ? CHECKPOINT_BUSY : CHECKPOINT_IDLE)) {
        return CHECKPOINT;
    }
    if (q->first) {
        return BATCH;
    }
    if (q->unsynced && (q->stop || pl_sys.mono_ns() >= q->sync_at_ns)) {
        return SYNC;
    }
    return q->stop ? STOP : WAIT;
}

/* What the one at work writes - it has not the lock - is read only while nobody is. */
static void wait_locked(struct pl_committer *q)
{
    if (!q->busy && q->unsynced) {
        struct timespec t = {.tv_sec = q->sync_at_ns / 1000000000,
                             .tv_nsec = q->sync_at_ns % 1000000000};
        (void)pthread_cond_timedwait(&q->wake, &q->lock, &t);
    } else {
        (void)pthread_cond_wait(&q->wake, &q->lock);
    }
}

static void run_task(struct pl_store *s, enum task task)
{
    size_t count = 0, bytes = 0;
    if (task == CHECKPOINT) {
        checkpoint(s, SQLITE_CHECKPOINT_PASSIVE);
    } else if (task == SYNC) {
        sync_log(s);
    } else {
        struct pl_commit *list = take(&s->queue, &count, &bytes);
        serve_list(s, list, count, bytes);
        if (s->queue.last_batch > 1) {
            sched_yield(); /* callers that were served together come back together */
        }
    }
}

static void *serve(void *arg)
{
    struct pl_store *s = arg;
    struct pl_committer *q = &s->queue;
    enum task task;
    pthread_mutex_lock(&q->lock);
    while ((task = task_locked(q)) != STOP) {
        if (task == WAIT) {
            wait_locked(q);
            continue;
        }
        q->busy = true;
        pthread_mutex_unlock(&q->lock);
        run_task(s, task);
        pthread_mutex_lock(&q->lock);
        q->busy = false;
    }
    pthread_mutex_unlock(&q->lock);
    if (frames_waiting(q) >= CHECKPOINT_CLOSE) {
        checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE);
    }
    pl_conn_close(q->conn);
    q->conn = NULL;
    return NULL;
}

static bool start_locked(struct pl_store *s)
{
    struct pl_committer *q = &s->queue;
    if (!q->started) {
        q->started =
            pl_sys.random(&q->version, sizeof q->version) && pl_thread_start(&q->thread, serve, s);
    }
    return q->started;
}

void pl_commit_submit(struct pl_store *s, struct pl_commit *c)
{
    struct pl_committer *q = &s->queue;
    c->next = NULL;
    pthread_mutex_lock(&q->lock);
    bool started = start_locked(s);
    if (started) {
        bool was_empty = !q->first;
        *q->last = c;
        q->last = &c->next;
        if (was_empty && !q->busy) {
            pthread_cond_signal(&q->wake);
        }
    }
    pthread_mutex_unlock(&q->lock);
    if (!started) {
        c->rc = pl_fail(c->err, PAIL_E_NO_MEMORY, "no thread for the commits of %s", s->home);
        c->done(c);
    }
}

static void wake(struct pl_commit *c)
{
    sem_post(c->waiter);
}

static void answer_nobody(struct pl_commit *c)
{
    (void)c;
}

/* A caller that nobody shares a batch with commits on its own thread: two changes of thread cost
 * as much as a fast disk's sync. */
static bool take_part(struct pl_store *s)
{
    struct pl_committer *q = &s->queue;
    pthread_mutex_lock(&q->lock);
    bool mine = start_locked(s) && !q->busy && !q->first && q->last_batch <= 1;
    q->busy |= mine;
    pthread_mutex_unlock(&q->lock);
    return mine;
}

static void give_part_back(struct pl_store *s)
{
    struct pl_committer *q = &s->queue;
    pthread_mutex_lock(&q->lock);
    q->busy = false;
    if (q->unsynced || task_locked(q) != WAIT) {
        pthread_cond_signal(&q->wake);
    }
    pthread_mutex_unlock(&q->lock);
}

pail_code pl_commit_run(struct pl_store *s, struct pl_commit *c)
{
    sem_t waiter;
    if (take_part(s)) {
        c->done = answer_nobody;
        c->next = NULL;
        serve_list(s, c, 1, c->bytes);
        give_part_back(s);
        return c->rc;
    }
    sem_init(&waiter, 0, 0);
    c->waiter = &waiter;
    c->done = wake;
    pl_commit_submit(s, c);
    while (sem_wait(&waiter) != 0) {
    }
    sem_destroy(&waiter);
    return c->rc;
}

void pl_committer_dispose(struct pl_store *s)
{
    struct pl_committer *q = &s->queue;
    pthread_mutex_lock(&q->lock);
    q->stop = true;
    pthread_cond_signal(&q->wake);
    pthread_mutex_unlock(&q->lock);
    if (q->started) {
        pthread_join(q->thread, NULL);
    }
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->wake);
}
