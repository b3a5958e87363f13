/* Reading every byte of a store and comparing it with the index, while others use it. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/sys.h"
#include "local/job.h"
#include "local/maintain.h"

struct check {
    struct pl_store *store;
    pail_fsck_fn each;
    void *ctx;
    pail_fsck_report *report;
    bool repair, index_damaged;
};

static void find(struct check *k, const char *bucket, const char *key, const char *what)
{
    if (k->each) {
        k->each(bucket, key, what, k->ctx);
    }
}

/* ---- objects ---- */

/* The object to check next: behind the last one. */
struct current {
    int64_t bucket;
    char name[PL_BUCKET_NAME_MAX], key[1025], version[17];
    uint64_t size;
};

static void copy_text(char *to, size_t room, const unsigned char *text)
{
    snprintf(to, room, "%s", text ? (const char *)text : "");
}

/* PAIL_DONE at the end. Each look at the index is a short one, so that the log stays small. */
static pail_code next_object(struct check *k, struct current *o, struct pail_error **err)
{
    struct pl_conn *c;
    pail_code rc = pl_reader_take(k->store, &c, err);
    if (rc) {
        return rc;
    }
    sqlite3_stmt *s = pl_conn_query(c, PL_Q_CHECK_PAGE);
    int step = SQLITE_ERROR;
    if (s) {
        sqlite3_bind_int64(s, 1, o->bucket);
        sqlite3_bind_text(s, 2, o->key, -1, SQLITE_TRANSIENT);
        step = sqlite3_step(s);
    }
    if (step == SQLITE_ROW) {
        o->bucket = sqlite3_column_int64(s, 0);
        copy_text(o->name, sizeof o->name, sqlite3_column_text(s, 1));
        copy_text(o->key, sizeof o->key, sqlite3_column_text(s, 2));
        o->size = (uint64_t)sqlite3_column_int64(s, 3);
        *pl_hex16(o->version, (uint64_t)sqlite3_column_int64(s, 4)) = '\0';
    }
    sqlite3_reset(s);
    rc = step == SQLITE_ROW    ? PAIL_OK
         : step == SQLITE_DONE ? PAIL_DONE
                               : pl_conn_fail(c, err, "checking objects");
    pl_reader_give(k->store, c);
    return rc;
}

/* What it says is damage, or that the object is another one by now. */
static pail_code check_object(struct check *k, const struct current *o, struct pail_error **err)
{
    struct pl_span span = {{o->name, o->key, o->version, PL_Q_GET}, 0, o->size};
    struct pl_moving m = {0};
    struct pail_error *e = NULL;
    pail_code rc = pl_read_span(k->store, &span, &m, &e);
    if (rc == PAIL_E_CHANGED) { /* its file went away: it was replaced, or is really missing */
        rc = pl_read_span(k->store, &span, &m, &e);
    }
    bool damaged = rc == PAIL_E_CHECKSUM || rc == PAIL_E_CHANGED || rc == PAIL_E_IO;
    if (damaged) {
        k->report->damaged++;
        find(k, o->name, o->key,
             rc == PAIL_E_CHANGED ? "its content file is missing" : pail_error_message(e));
    }
    bool gone =
        rc == PAIL_E_VERSION_NOT_FOUND || rc == PAIL_E_NOT_FOUND || rc == PAIL_E_BUCKET_NOT_FOUND;
    if (rc == PAIL_OK) {
        k->report->bytes += o->size;
    }
    if (!gone) {
        k->report->objects++;
    }
    if (rc == PAIL_OK || damaged || gone) {
        pail_error_free(e);
        return PAIL_OK;
    }
    *err = e;
    return rc;
}

static pail_code check_objects(struct check *k, struct pail_error **err)
{
    struct current o = {0};
    pail_code rc;
    while ((rc = next_object(k, &o, err)) == PAIL_OK) {
        rc = check_object(k, &o, err);
        if (rc) {
            return rc;
        }
    }
    return rc == PAIL_DONE ? PAIL_OK : rc;
}

/* ---- parts of unfinished uploads ---- */

/* Whether the index as it is now has a content. */
static bool is_named(struct check *k, int64_t id)
{
    struct pl_conn *c;
    struct pl_content content;
    if (pl_reader_take(k->store, &c, NULL) != PAIL_OK) {
        return true;
    }
    pail_code rc = pl_content_find(c, id, &content, NULL);
    pl_reader_give(k->store, c);
    return rc != PAIL_E_NOT_FOUND;
}

static void check_part(struct check *k, struct pl_conn *c, sqlite3_stmt *s)
{
    struct pl_content content;
    struct pl_moving m = {0};
    struct pail_error *e = NULL;
    pail_code rc = pl_content_find(c, sqlite3_column_int64(s, 2), &content, &e);
    rc = rc ? rc : pl_content_read(k->store, &content, 0, content.size, &m, &e);
    if (rc == PAIL_E_NOT_FOUND && !is_named(k, content.id)) {
        return; /* the upload has ended meanwhile */
    }
    if (rc && rc != PAIL_E_NO_MEMORY) {
        k->report->damaged++;
        find(k, (const char *)sqlite3_column_text(s, 0), (const char *)sqlite3_column_text(s, 1),
             rc == PAIL_E_NOT_FOUND ? "a part of an unfinished upload is missing"
                                    : pail_error_message(e));
    }
    pail_error_free(e);
}

/* ---- the index itself ---- */

static pail_code run_check(struct check *k, struct pl_conn *c, enum pl_query q,
                           void (*row)(struct check *, struct pl_conn *, sqlite3_stmt *),
                           struct pail_error **err)
{
    sqlite3_stmt *s = pl_conn_query(c, q);
    int step = SQLITE_ERROR;
    while (s && (step = sqlite3_step(s)) == SQLITE_ROW) {
        row(k, c, s);
    }
    sqlite3_reset(s);
    return step == SQLITE_DONE ? PAIL_OK : pl_conn_fail(c, err, "checking the index");
}

static void index_row(struct check *k, struct pl_conn *c, sqlite3_stmt *s)
{
    (void)c;
    const char *text = (const char *)sqlite3_column_text(s, 0);
    if (text && strcmp(text, "ok") != 0) {
        k->index_damaged = true;
        find(k, NULL, NULL, text);
    }
}

static void refs_row(struct check *k, struct pl_conn *c, sqlite3_stmt *s)
{
    char text[128];
    (void)c;
    snprintf(text, sizeof text, "content %llx is named %lld times, the index counts %lld",
             (unsigned long long)sqlite3_column_int64(s, 0), (long long)sqlite3_column_int64(s, 2),
             (long long)sqlite3_column_int64(s, 1));
    k->index_damaged = true;
    find(k, NULL, NULL, text);
}

static pail_code check_index(struct check *k, struct pail_error **err)
{
    struct pl_conn *c;
    pail_code rc = pl_reader_take(k->store, &c, err);
    if (rc) {
        return rc;
    }
    rc = run_check(k, c, PL_Q_CHECK_INDEX, index_row, err);
    rc = rc ? rc : run_check(k, c, PL_Q_CHECK_REFS, refs_row, err);
    rc = rc ? rc : run_check(k, c, PL_Q_UPLOAD_PARTS, check_part, err);
    pl_reader_give(k->store, c);
    return rc;
}

/* ---- files that nobody owns ---- */

/* One folder at a time under the gate, so that none is handed out meanwhile. */
struct sweep {
    struct pl_commit commit;
    struct check *check;
    int64_t block;
    struct pl_tx *tx;
    char folder[PL_CONTENT_PATH_MAX];
};

static bool sweep_file(const char *name, void *ctx)
{
    struct sweep *w = ctx;
    sqlite3_stmt *s = pl_conn_query(w->tx->conn, PL_Q_GC_HAS);
    int step = SQLITE_ERROR;
    if (s) {
        sqlite3_bind_int64(s, 1, pl_content_id(name));
        step = sqlite3_step(s);
        sqlite3_reset(s);
    }
    if (step == SQLITE_DONE) {
        char path[PL_CONTENT_PATH_MAX + NAME_MAX + 64];
        snprintf(path, sizeof path, "the file " PL_DATA_NAME "/%s/%s belongs to no object%s",
                 w->folder, name, w->check->repair ? ": removed" : "");
        w->check->report->orphans++;
        find(w->check, NULL, NULL, path);
    }
    return true;
}

/* A process that lives may have files under way. */
static bool is_in_use(struct pl_tx *tx, int64_t block)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_BLOCK_GET);
    bool used = true;
    if (s) {
        sqlite3_bind_int64(s, 1, block);
        int step = sqlite3_step(s);
        int64_t owner = step == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
        used = owner != 0 && pl_owner_lives(tx->store, owner);
        sqlite3_reset(s);
    }
    return used;
}

static pail_code apply_sweep(struct pl_tx *tx, struct pl_commit *c)
{
    struct sweep *w = (struct sweep *)(void *)c;
    if (is_in_use(tx, w->block)) {
        return PAIL_OK;
    }
    w->tx = tx;
    (void)pl_sys_list(tx->store->data_fd, w->folder, sweep_file, w);
    return w->check->repair ? pl_tx_clean_block(tx, w->block, c->err) : PAIL_OK;
}

struct sweeping {
    struct check *check;
    struct pail_error **err;
    pail_code rc;
};

static bool sweep_folder(const char *name, void *ctx)
{
    struct sweeping *all = ctx;
    struct sweep w = {.commit = {.apply = apply_sweep, .err = all->err}, .check = all->check};
    unsigned long long block = 0;
    int used = 0;
    if (sscanf(name, "%8llx%n", &block, &used) == 1 && name[used] == '\0') {
        w.block = (int64_t)block;
        pl_content_folder(w.block << PL_ID_BITS, w.folder);
        all->rc = pl_commit_run(all->check->store, &w.commit);
    }
    return all->rc == PAIL_OK;
}

static pail_code check_files(struct check *k, struct pail_error **err)
{
    struct sweeping all = {.check = k, .err = err};
    if (!pl_sys_list(k->store->data_fd, ".", sweep_folder, &all) && all.rc == PAIL_OK) {
        return pl_fail_errno(err, errno, "listing %s/" PL_DATA_NAME, k->store->home);
    }
    return all.rc;
}

pail_code pl_store_check(struct pl_store *s, bool repair, pail_fsck_fn each, void *ctx,
                         pail_fsck_report *report, struct pail_error **err)
{
    pail_fsck_report none = {0};
    struct check k = {s, each, ctx, report ? report : &none, repair, false};
    *k.report = none;
    pail_code rc = check_index(&k, err);
    rc = rc ? rc : check_objects(&k, err);
    rc = rc ? rc : check_files(&k, err);
    if (rc == PAIL_OK && (k.report->damaged || k.index_damaged)) {
        rc = pl_fail(err, PAIL_E_CHECKSUM, "%llu objects of %s are damaged%s",
                     (unsigned long long)k.report->damaged, s->home,
                     k.index_damaged ? ", and so is the index" : "");
        pl_error_hint(err, "bring them back from a copy or backup");
    }
    return rc;
}
