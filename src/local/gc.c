#include "local/gc.h"

#include <errno.h>

#include "base/sys.h"
#include "local/ids.h"

void pl_dead_free(struct pl_dead *list)
{
    while (list) {
        struct pl_dead *next = list->next;
        pl_free(list);
        list = next;
    }
}

/* Out of memory: the index still names the file, and the next start deletes it. */
static void add_dead(struct pl_tx *tx, int64_t id, const char *tail)
{
    size_t n = strlen(tail) + 1;
    struct pl_dead *d = pl_alloc(sizeof *d + n);
    if (d) {
        d->id = id;
        memcpy(d->tail, tail, n);
        d->next = tx->dead;
        tx->dead = d;
    }
}

/* ---- references ---- */

static pail_code drop_content(struct pl_tx *tx, int64_t id, const char *tail,
                              struct pail_error **err)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_GC_ADD);
    bool ok = s != NULL;
    if (ok) {
        sqlite3_bind_int64(s, 1, id);
        sqlite3_bind_text(s, 2, tail, -1, SQLITE_STATIC);
        ok = sqlite3_step(s) == SQLITE_DONE;
        sqlite3_reset(s);
    }
    if (!ok || !pl_conn_run(tx->conn, PL_Q_CONTENT_DROP, id, 0, 0) ||
        !pl_conn_run(tx->conn, PL_Q_SUMS_DROP, id, 0, 0)) {
        return pl_tx_fail(tx, err, "dropping a content");
    }
    add_dead(tx, id, tail);
    return PAIL_OK;
}

pail_code pl_tx_unref_content(struct pl_tx *tx, int64_t id, struct pail_error **err)
{
    char tail[PL_TAIL_MAX] = "";
    sqlite3_stmt *s = id ? pl_conn_query(tx->conn, PL_Q_CONTENT) : NULL;
    if (id == 0) {
        return PAIL_OK;
    }
    int rc = SQLITE_ERROR;
    int64_t refs = 0;
    if (s) {
        sqlite3_bind_int64(s, 1, id);
        rc = sqlite3_step(s);
        refs = sqlite3_column_int64(s, 3);
        const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 2) : NULL;
        if (text && strlen(text) < sizeof tail) {
            memcpy(tail, text, strlen(text) + 1);
        }
        sqlite3_reset(s);
    }
    if (rc == SQLITE_DONE) {
        return PAIL_OK; /* a damaged index: nothing to free */
    }
    if (rc != SQLITE_ROW || (refs > 1 && !pl_conn_run(tx->conn, PL_Q_CONTENT_REFS, id, -1, 0))) {
        return pl_tx_fail(tx, err, "dropping a content");
    }
    return refs > 1 ? PAIL_OK : drop_content(tx, id, tail, err);
}

pail_code pl_tx_drop_parts(struct pl_tx *tx, int64_t list, struct pail_error **err)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_PARTS);
    if (!s) {
        return pl_tx_fail(tx, err, "dropping parts");
    }
    pail_code code = PAIL_OK;
    int rc;
    sqlite3_bind_int64(s, 1, list);
    while (code == PAIL_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        code = pl_tx_unref_content(tx, sqlite3_column_int64(s, 1), err);
    }
    sqlite3_reset(s);
    if (code == PAIL_OK &&
        (rc != SQLITE_DONE || !pl_conn_run(tx->conn, PL_Q_PARTS_DROP, list, 0, 0))) {
        code = pl_tx_fail(tx, err, "dropping parts");
    }
    return code;
}

static pail_code unref_list(struct pl_tx *tx, int64_t list, struct pail_error **err)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_LIST_GET);
    int64_t refs = 0;
    bool ok = s != NULL;
    if (ok) {
        sqlite3_bind_int64(s, 1, list);
        ok = sqlite3_step(s) == SQLITE_ROW;
        refs = sqlite3_column_int64(s, 0);
        sqlite3_reset(s);
    }
    ok = ok && (refs > 1 ? pl_conn_run(tx->conn, PL_Q_LIST_REFS, list, -1, 0)
                         : pl_conn_run(tx->conn, PL_Q_LIST_DROP, list, 0, 0));
    if (!ok) {
        return pl_tx_fail(tx, err, "dropping a list of contents");
    }
    return refs > 1 ? PAIL_OK : pl_tx_drop_parts(tx, list, err);
}

pail_code pl_tx_unref_place(struct pl_tx *tx, int64_t place, struct pail_error **err)
{
    int64_t id = pl_place_id(place);
    switch (pl_place_kind(place)) {
    case PL_PLACE_EMPTY: return PAIL_OK;
    case PL_PLACE_INLINE:
        return pl_conn_run(tx->conn, PL_Q_INLINE_DROP, id, 0, 0)
                   ? PAIL_OK
                   : pl_tx_fail(tx, err, "dropping a small content");
    case PL_PLACE_FILE: return pl_tx_unref_content(tx, id, err);
    case PL_PLACE_LIST: return unref_list(tx, id, err);
    }
    return PAIL_E_INTERNAL;
}

/* ---- deleting files ---- */

void pl_tx_look_for_pins(struct pl_tx *tx)
{
    sqlite3_stmt *s = tx->dead ? pl_conn_query(tx->conn, PL_Q_PIN_LIST) : NULL;
    while (s && !tx->pinned && sqlite3_step(s) == SQLITE_ROW) {
        tx->pinned = pl_owner_lives(tx->store, sqlite3_column_int64(s, 0));
    }
    sqlite3_reset(s);
}

struct burial {
    struct pl_work work;
    struct pl_store *store;
    struct pl_dead *dead;
};

static void bury(struct pl_work *w)
{
    struct burial *b = (struct burial *)(void *)w;
    char path[PL_CONTENT_PATH_MAX];
    struct pl_dead *last = NULL;
    for (struct pl_dead *d = b->dead; d; d = d->next) {
        pl_content_path(d->id, d->tail, path);
        (void)pl_sys.unlink(b->store->data_fd, path, 0);
        last = d;
    }
    pthread_mutex_lock(&b->store->gc_lock);
    last->next = b->store->gc_done;
    b->store->gc_done = b->dead;
    pthread_mutex_unlock(&b->store->gc_lock);
    pl_free(b);
}

void pl_dead_bury(struct pl_store *s, struct pl_tx *tx)
{
    struct burial *b = tx->dead && !tx->pinned ? pl_calloc(1, sizeof *b) : NULL;
    if (b) {
        *b = (struct burial){.work.run = bury, .store = s, .dead = tx->dead};
        pl_workers_add(&s->workers, &b->work);
    } else {
        pl_dead_free(tx->dead);
    }
    tx->dead = NULL;
}

bool pl_gc_forget(struct pl_tx *tx)
{
    struct pl_store *s = tx->store;
    pthread_mutex_lock(&s->gc_lock);
    struct pl_dead *list = s->gc_done;
    s->gc_done = NULL;
    pthread_mutex_unlock(&s->gc_lock);
    for (struct pl_dead *d = list; d && !tx->broken; d = d->next) {
        tx->broken = !pl_conn_run(tx->conn, PL_Q_GC_DROP, d->id, 0, 0);
    }
    pl_dead_free(list);
    return !tx->broken;
}

/* ---- after a kill ---- */

enum { SEEN_MAX = 256 };
struct seen {
    int64_t id, next;
};

/* The owners of pins or blocks that are dead, up to SEEN_MAX; next is 0 for pins. */
static int list_orphaned(struct pl_tx *tx, enum pl_query q, int owner_column, struct seen *out)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, q);
    int n = 0, rc = SQLITE_ERROR;
    while (s && n < SEEN_MAX && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        int64_t owner = sqlite3_column_int64(s, owner_column);
        if (owner != 0 && !pl_owner_lives(tx->store, owner)) {
            out[n].id = sqlite3_column_int64(s, 0);
            out[n++].next = owner_column ? sqlite3_column_int64(s, 1) : 0;
        }
    }
    sqlite3_reset(s);
    return rc == SQLITE_DONE || n == SEEN_MAX ? n : -1;
}

static pail_code recover_pins(struct pl_tx *tx, struct pail_error **err)
{
    struct seen pins[SEEN_MAX];
    int n = list_orphaned(tx, PL_Q_PIN_LIST, 0, pins);
    for (int i = 0; i < n; i++) {
        if (!pl_conn_run(tx->conn, PL_Q_PIN_DROP, pins[i].id, 0, 0)) {
            n = -1;
        }
    }
    return n < 0 ? pl_tx_fail(tx, err, "ending an interrupted backup") : PAIL_OK;
}

static pail_code recover_blocks(struct pl_tx *tx, struct pail_error **err)
{
    struct seen blocks[SEEN_MAX];
    int n = list_orphaned(tx, PL_Q_BLOCK_LIST, 2, blocks);
    pail_code rc = n < 0 ? pl_tx_fail(tx, err, "looking for killed processes") : PAIL_OK;
    for (int i = 0; rc == PAIL_OK && i < n; i++) {
        rc = pl_tx_clean_block(tx, blocks[i].id, err);
        bool used_up = blocks[i].next >= (blocks[i].id + 1) << PL_ID_BITS;
        if (rc == PAIL_OK && !pl_conn_run(tx->conn, used_up ? PL_Q_BLOCK_DROP : PL_Q_BLOCK_OWNER,
                                          blocks[i].id, 0, 0)) {
            rc = pl_tx_fail(tx, err, "looking for killed processes");
        }
    }
    return rc;
}

static pail_code recover_dead(struct pl_tx *tx, struct pail_error **err)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_GC_LIST);
    int rc = SQLITE_ERROR;
    while (s && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        const char *tail = (const char *)sqlite3_column_text(s, 1);
        add_dead(tx, sqlite3_column_int64(s, 0), tail ? tail : "");
    }
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? PAIL_OK : pl_tx_fail(tx, err, "looking for files to delete");
}

pail_code pl_tx_recover(struct pl_tx *tx, struct pail_error **err)
{
    pail_code rc = recover_pins(tx, err);
    rc = rc ? rc : recover_blocks(tx, err);
    return rc ? rc : recover_dead(tx, err);
}

pail_code pl_gc_recover(struct pl_store *s, struct pl_conn *conn, struct pail_error **err)
{
    struct pl_tx tx = {.store = s, .conn = conn};
    pail_code rc = pl_gate_enter(s, err);
    if (rc) {
        return rc;
    }
    rc = pl_conn_run(conn, PL_Q_BEGIN, 0, 0, 0) ? pl_tx_recover(&tx, err)
                                                : pl_conn_fail(conn, err, "beginning");
    pl_tx_look_for_pins(&tx);
    if (rc == PAIL_OK && !pl_conn_run(conn, PL_Q_COMMIT, 0, 0, 0)) {
        rc = pl_conn_fail(conn, err, "committing");
    }
    if (rc) {
        if (!sqlite3_get_autocommit(conn->db)) {
            sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
        }
        tx.pinned = true;
    }
    pl_dead_bury(s, &tx);
    pl_gate_leave(s);
    return rc;
}
