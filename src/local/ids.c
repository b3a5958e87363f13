#include "local/ids.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/sys.h"
#include "codec/hex.h"

/* ---- names ---- */

void pl_content_folder(int64_t id, char room[PL_CONTENT_PATH_MAX])
{
    snprintf(room, PL_CONTENT_PATH_MAX, "%08llx", (unsigned long long)id >> PL_ID_BITS);
}

void pl_content_path(int64_t id, const char *tail, char room[PL_CONTENT_PATH_MAX])
{
    snprintf(room, PL_CONTENT_PATH_MAX, "%08llx/%llx-%s", (unsigned long long)id >> PL_ID_BITS,
             (unsigned long long)id, tail);
}

int64_t pl_content_id(const char *name)
{
    int64_t id = 0;
    const char *p = name;
    for (; p - name < 15 && pl_hex_digit(*p) >= 0; p++) {
        id = id << 4 | pl_hex_digit(*p);
    }
    return *p == '-' ? id : 0;
}

void pl_content_tail(const char *key, uint32_t part, char room[PL_TAIL_MAX])
{
    size_t n = strlen(key), room_left = PL_TAIL_MAX - 16;
    while (n && key[n - 1] == '/') {
        n--;
    }
    size_t from = n;
    while (from && key[from - 1] != '/' && n - from < room_left) {
        from--;
    }
    while (from < n && ((unsigned char)key[from] & 0xc0) == 0x80) {
        from++; /* not into the middle of a character */
    }
    size_t at = 0;
    for (; from < n; from++) {
        unsigned char c = (unsigned char)key[from];
        room[at++] = c < 0x20 || c == 0x7f || c == '/' ? '_' : (char)c;
    }
    room[at] = '\0';
    if (part) {
        snprintf(room + at, PL_TAIL_MAX - at, ".part%05u", part);
    }
}

/* ---- blocks, in the committer's transactions ---- */

pail_code pl_tx_next(struct pl_tx *tx, const char *counter, int64_t *value, struct pail_error **err)
{
    sqlite3_stmt *get = pl_conn_query(tx->conn, PL_Q_META_GET);
    sqlite3_stmt *set = pl_conn_query(tx->conn, PL_Q_META_SET);
    if (!get || !set) {
        return pl_tx_fail(tx, err, "counting");
    }
    sqlite3_bind_text(get, 1, counter, -1, SQLITE_STATIC);
    bool ok = sqlite3_step(get) == SQLITE_ROW;
    *value = sqlite3_column_int64(get, 0);
    sqlite3_reset(get);
    sqlite3_bind_text(set, 1, counter, -1, SQLITE_STATIC);
    sqlite3_bind_int64(set, 2, *value + 1);
    ok = ok && sqlite3_step(set) == SQLITE_DONE;
    sqlite3_reset(set);
    return ok ? PAIL_OK : pl_tx_fail(tx, err, "counting");
}

pail_code pl_tx_become_owner(struct pl_tx *tx, struct pail_error **err)
{
    struct pl_store *s = tx->store;
    int64_t number;
    do {
        pail_code rc = pl_tx_next(tx, "owner", &number, err);
        if (rc) {
            return rc;
        }
        if (s->ids.owner == 0) {
            if (pl_owner_claim(s, number)) {
                s->ids.owner = number;
            } else if (errno != EAGAIN && errno != EACCES) {
                tx->broken = true;
                return pl_fail_errno(err, errno, "locking %s/" PL_GATE_NAME, s->home);
            }
        }
    } while (s->ids.owner == 0 || number < s->ids.owner); /* one may have been claimed in a
                                                             transaction that was undone */
    return PAIL_OK;
}

struct cleaning {
    struct pl_tx *tx;
    char folder[PL_CONTENT_PATH_MAX];
    bool failed;
};

static bool clean_one(const char *name, void *ctx)
{
    struct cleaning *c = ctx;
    char path[PL_CONTENT_PATH_MAX + NAME_MAX + 2];
    sqlite3_stmt *s = pl_conn_query(c->tx->conn, PL_Q_GC_HAS);
    if (!s) {
        c->failed = true;
        return false;
    }
    sqlite3_bind_int64(s, 1, pl_content_id(name));
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    if (rc == SQLITE_DONE) {
        snprintf(path, sizeof path, "%s/%s", c->folder, name);
        (void)pl_sys.unlink(c->tx->store->data_fd, path, 0);
    }
    c->failed = rc != SQLITE_DONE && rc != SQLITE_ROW;
    return !c->failed;
}

pail_code pl_tx_clean_block(struct pl_tx *tx, int64_t block, struct pail_error **err)
{
    struct cleaning c = {.tx = tx};
    pl_content_folder(block << PL_ID_BITS, c.folder);
    bool listed = pl_sys_list(tx->store->data_fd, c.folder, clean_one, &c);
    if (c.failed || !pl_conn_run(tx->conn, PL_Q_SUMS_ORPHANS, block, 0, 0)) {
        return pl_tx_fail(tx, err, "looking for what a killed process left");
    }
    if (!listed && errno != ENOENT) {
        tx->broken = true;
        return pl_fail_errno(err, errno, "listing %s/" PL_DATA_NAME "/%s", tx->store->home,
                             c.folder);
    }
    return PAIL_OK;
}

struct fetch {
    struct pl_commit commit;
    int64_t block, next;
    int64_t dropped[PL_IDS_HELD];
    int dropped_count;
};

static struct fetch *fetch_of(struct pl_commit *c)
{
    return (struct fetch *)(void *)c;
}

/* Blocks of ours that are used up and have no file under way need no owner any more. */
static pail_code drop_used(struct pl_tx *tx, struct fetch *f)
{
    struct pl_ids *ids = &tx->store->ids;
    f->dropped_count = 0;
    pthread_mutex_lock(&ids->lock);
    for (int i = 0; i < ids->held_count; i++) {
        if (ids->held[i].staged == 0) {
            f->dropped[f->dropped_count++] = ids->held[i].block;
        }
    }
    pthread_mutex_unlock(&ids->lock);
    for (int i = 0; i < f->dropped_count; i++) {
        if (!pl_conn_run(tx->conn, PL_Q_BLOCK_DROP, f->dropped[i], 0, 0)) {
            return pl_tx_fail(tx, f->commit.err, "giving back numbers");
        }
    }
    return PAIL_OK;
}

/* A block that somebody left unfinished; false: there is none. */
static bool find_free(struct pl_tx *tx, struct fetch *f)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_BLOCK_LIST);
    bool found = false;
    while (s && !found && sqlite3_step(s) == SQLITE_ROW) {
        f->block = sqlite3_column_int64(s, 0);
        f->next = sqlite3_column_int64(s, 1);
        found = sqlite3_column_int64(s, 2) == 0 && f->next < (f->block + 1) << PL_ID_BITS;
    }
    sqlite3_reset(s);
    return found;
}

static pail_code take_block(struct pl_tx *tx, struct fetch *f)
{
    struct pail_error **err = f->commit.err;
    bool ok;
    if (find_free(tx, f)) {
        ok = pl_conn_run(tx->conn, PL_Q_BLOCK_OWNER, f->block, tx->store->ids.owner, 0);
    } else {
        pail_code rc = pl_tx_next(tx, "block", &f->block, err);
        if (rc) {
            return rc;
        }
        f->next = f->block << PL_ID_BITS;
        ok = pl_conn_run(tx->conn, PL_Q_BLOCK_ADD, f->block, f->next, tx->store->ids.owner);
    }
    return ok ? PAIL_OK : pl_tx_fail(tx, err, "taking numbers");
}

static pail_code apply_fetch(struct pl_tx *tx, struct pl_commit *c)
{
    struct fetch *f = fetch_of(c);
    struct pl_store *s = tx->store;
    char folder[PL_CONTENT_PATH_MAX];
    pail_code rc = pl_tx_become_owner(tx, c->err);
    rc = rc ? rc : drop_used(tx, f);
    rc = rc ? rc : take_block(tx, f);
    if (rc) {
        return rc;
    }
    pl_content_folder(f->next, folder);
    int made = pl_sys.mkdir(s->data_fd, folder, 0700);
    if (made != 0 && errno == EEXIST) {
        return pl_tx_clean_block(tx, f->block, c->err);
    }
    if (made != 0 || pl_sys.fsync(s->data_fd) != 0) {
        tx->broken = true;
        return pl_fail_errno(c->err, errno, "making %s/" PL_DATA_NAME "/%s", s->home, folder);
    }
    return PAIL_OK;
}

/* ---- numbers, on any thread ---- */

static void forget_held(struct pl_ids *ids, int64_t block)
{
    for (int i = 0; i < ids->held_count; i++) {
        if (ids->held[i].block == block) {
            ids->held[i] = ids->held[--ids->held_count];
            return;
        }
    }
}

static pail_code fetch_block(struct pl_store *s, struct pail_error **err)
{
    struct pl_ids *ids = &s->ids;
    struct fetch f = {.commit = {.apply = apply_fetch, .err = err, .durability = PL_DURABLE_FULL}};
    pail_code rc = pl_commit_run(s, &f.commit);
    if (rc) {
        return rc;
    }
    pthread_mutex_lock(&ids->lock);
    for (int i = 0; i < f.dropped_count; i++) {
        forget_held(ids, f.dropped[i]);
    }
    if (ids->held_count == PL_IDS_HELD) {
        forget_held(ids, ids->held[0].block); /* cleaned after the end of this process */
    }
    ids->held[ids->held_count].block = f.block;
    ids->held[ids->held_count++].staged = 0;
    ids->next = f.next;
    ids->end = (f.block + 1) << PL_ID_BITS;
    pthread_mutex_unlock(&ids->lock);
    return PAIL_OK;
}

static void count_staged(struct pl_ids *ids, int64_t id, int change)
{
    for (int i = 0; i < ids->held_count; i++) {
        if (ids->held[i].block == id >> PL_ID_BITS) {
            ids->held[i].staged += (unsigned)change;
        }
    }
}

static bool take_held(struct pl_ids *ids, int64_t *id)
{
    pthread_mutex_lock(&ids->lock);
    bool have = ids->next < ids->end;
    if (have) {
        *id = ids->next++;
        count_staged(ids, *id, 1);
    }
    pthread_mutex_unlock(&ids->lock);
    return have;
}

pail_code pl_ids_take(struct pl_store *s, int64_t *id, struct pail_error **err)
{
    pail_code rc = PAIL_OK;
    if (take_held(&s->ids, id)) {
        return rc;
    }
    pthread_mutex_lock(&s->ids.fetching);
    while (rc == PAIL_OK && !take_held(&s->ids, id)) {
        rc = fetch_block(s, err);
    }
    pthread_mutex_unlock(&s->ids.fetching);
    return rc;
}

void pl_ids_done(struct pl_store *s, int64_t id)
{
    pthread_mutex_lock(&s->ids.lock);
    count_staged(&s->ids, id, -1);
    pthread_mutex_unlock(&s->ids.lock);
}
