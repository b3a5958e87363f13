/* Changes of objects, in the committer's transactions. */
#include "base/sys.h"
#include "local/job.h"

/* ---- what is there ---- */

/* Conditions of the op on what the row says. NULL: there is nothing. */
static pail_code test(const pail_conditions *cond, const struct pl_row *row, bool is_write)
{
    char etag[PL_ETAG_MAX];
    if (!pl_conditions_any(cond)) {
        return PAIL_OK;
    }
    if (!row) {
        return pl_conditions_check(cond, NULL, is_write);
    }
    pl_etag_text(etag, row->crc, row->size);
    pail_info info = {.etag = row->etag ? row->etag : etag, .mtime_ms = row->mtime_ms};
    return pl_conditions_check(cond, &info, is_write);
}

/* The row of an object; *s is to be reset where there is one, else NULL. */
static pail_code find(struct pl_tx *tx, int64_t bucket, const char *key, sqlite3_stmt **out,
                      struct pl_row *row, struct pail_error **err)
{
    *out = NULL;
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_STAT);
    if (!s) {
        return pl_tx_fail(tx, err, "looking up an object");
    }
    sqlite3_bind_int64(s, 1, bucket);
    sqlite3_bind_text(s, 2, key, -1, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        pl_row_read(s, row);
        *out = s;
        return PAIL_OK;
    }
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? PAIL_OK : pl_tx_fail(tx, err, "looking up an object");
}

static bool is_version(const char *wanted, uint64_t version)
{
    char text[17];
    *pl_hex16(text, version) = '\0';
    return strcmp(wanted, text) == 0;
}

pail_code pl_tx_check(struct pl_tx *tx, struct pl_op *op, int64_t *bucket,
                      struct pl_old_object *old)
{
    sqlite3_stmt *s;
    struct pl_row row;
    *old = (struct pl_old_object){0};
    pail_code rc = pl_bucket_id(tx->conn, op->bucket, bucket, &op->error);
    rc = rc ? rc : find(tx, *bucket, op->key, &s, &row, &op->error);
    if (rc) {
        return rc;
    }
    rc = test(&op->cond, s ? &row : NULL, true);
    if (s) {
        *old = (struct pl_old_object){true, row.place, row.attrs};
        sqlite3_reset(s);
    }
    return rc;
}

/* ---- attributes ---- */

pail_code pl_tx_add_attrs(struct pl_tx *tx, struct pl_str fields, struct pl_str tags, int64_t *id,
                          struct pail_error **err)
{
    *id = 0;
    if (fields.len == 0 && tags.len == 0) {
        return PAIL_OK;
    }
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_ATTRS_ADD);
    if (!s) {
        return pl_tx_fail(tx, err, "keeping metadata");
    }
    sqlite3_bind_blob(s, 1, fields.ptr, (int)fields.len, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, tags.ptr, (int)tags.len, SQLITE_STATIC);
    bool ok = sqlite3_step(s) == SQLITE_DONE;
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    *id = sqlite3_last_insert_rowid(tx->conn->db);
    return ok ? PAIL_OK : pl_tx_fail(tx, err, "keeping metadata");
}

pail_code pl_tx_drop_attrs(struct pl_tx *tx, int64_t id, struct pail_error **err)
{
    return id == 0 || pl_conn_run(tx->conn, PL_Q_ATTRS_DROP, id, 0, 0)
               ? PAIL_OK
               : pl_tx_fail(tx, err, "dropping metadata");
}

/* ---- the row ---- */

static pail_code set_row(struct pl_tx *tx, const struct pl_new_object *o, const struct pl_row *row,
                         struct pail_error **err)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_OBJECT_SET);
    if (!s) {
        return pl_tx_fail(tx, err, "keeping an object");
    }
    sqlite3_bind_int64(s, 1, o->bucket);
    sqlite3_bind_text(s, 2, o->key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, (int64_t)o->size);
    sqlite3_bind_int64(s, 4, row->mtime_ms);
    sqlite3_bind_int64(s, 5, (int64_t)o->crc);
    sqlite3_bind_int64(s, 6, (int64_t)row->version);
    sqlite3_bind_int64(s, 7, o->place);
    sqlite3_bind_text(s, 8, o->type, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 9, o->etag, -1, SQLITE_STATIC);
    if (o->attrs) {
        sqlite3_bind_int64(s, 10, o->attrs);
    } else {
        sqlite3_bind_null(s, 10);
    }
    bool ok = sqlite3_step(s) == SQLITE_DONE;
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return ok ? PAIL_OK : pl_tx_fail(tx, err, "keeping an object");
}

pail_code pl_tx_publish(struct pl_tx *tx, struct pl_op *op, const struct pl_new_object *o,
                        const struct pl_old_object *old)
{
    struct pl_row row = {.size = o->size,
                         .crc = o->crc,
                         .version = pl_tx_version(tx),
                         .mtime_ms = pl_sys.wall_ms(),
                         .type = o->type,
                         .etag = o->etag,
                         .fields = o->fields,
                         .tags = o->tags};
    pail_code rc = set_row(tx, o, &row, &op->error);
    rc = rc || old->place == o->place ? rc : pl_tx_unref_place(tx, old->place, &op->error);
    rc = rc ? rc : pl_tx_drop_attrs(tx, old->attrs, &op->error);
    if (rc == PAIL_OK) {
        pl_row_info(&row, &op->arena, op->key, &op->out.info);
        if (op->arena.failed) {
            tx->broken = true;
            return PAIL_E_NO_MEMORY;
        }
    }
    return rc;
}

/* ---- put ---- */

/* Small bytes go where small bytes of the old object were: equal sizes then change no other page. A
 * damaged index may have lost that row. */
static pail_code add_inline(struct pl_tx *tx, const struct pl_staged *g, int64_t old,
                            int64_t *place, struct pail_error **err)
{
    bool again = pl_place_kind(old) == PL_PLACE_INLINE;
    sqlite3_stmt *s = pl_conn_query(tx->conn, again ? PL_Q_INLINE_SET : PL_Q_INLINE_ADD);
    if (!s) {
        return pl_tx_fail(tx, err, "keeping bytes");
    }
    sqlite3_bind_blob(s, 1, g->bytes, (int)g->size, SQLITE_STATIC);
    if (again) {
        sqlite3_bind_int64(s, 2, pl_place_id(old));
    }
    bool ok = sqlite3_step(s) == SQLITE_DONE;
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    if (ok && again && sqlite3_changes(tx->conn->db) == 0) {
        return add_inline(tx, g, 0, place, err);
    }
    *place = again ? old : PL_PLACE(sqlite3_last_insert_rowid(tx->conn->db), PL_PLACE_INLINE);
    return ok ? PAIL_OK : pl_tx_fail(tx, err, "keeping bytes");
}

static pail_code add_bytes(struct pl_tx *tx, const struct pl_staged *g, int64_t old, int64_t *place,
                           struct pail_error **err)
{
    *place = 0;
    if (g->size == 0) {
        return PAIL_OK;
    }
    if (g->id == 0) {
        return add_inline(tx, g, old, place, err);
    }
    *place = PL_PLACE(g->id, PL_PLACE_FILE);
    return pl_tx_add_content(tx, g, err);
}

pail_code pl_apply_put(struct pl_tx *tx, struct pl_commit *c)
{
    struct pl_job *j = pl_job_of(c);
    struct pl_op *op = j->op;
    struct pl_old_object old;
    struct pl_new_object o = {.key = op->key,
                              .size = j->staged.size,
                              .crc = j->staged.crc,
                              .type = j->attrs.type,
                              .etag = op->in.put.etag,
                              .fields = pl_buf_view(&j->attrs.fields),
                              .tags = pl_buf_view(&j->attrs.tags)};
    pail_code rc = pl_tx_check(tx, op, &o.bucket, &old);
    rc = rc ? rc : pl_tx_add_attrs(tx, o.fields, o.tags, &o.attrs, &op->error);
    rc = rc ? rc : add_bytes(tx, &j->staged, old.place, &o.place, &op->error);
    return rc ? rc : pl_tx_publish(tx, op, &o, &old);
}

/* ---- copy ---- */

/* The same bytes once more: small ones as a new row, others by one reference more. */
static pail_code add_reference(struct pl_tx *tx, int64_t place, int64_t *out,
                               struct pail_error **err)
{
    int64_t id = pl_place_id(place);
    bool ok = true;
    *out = place;
    switch (pl_place_kind(place)) {
    case PL_PLACE_EMPTY: break;
    case PL_PLACE_INLINE:
        ok = pl_conn_run(tx->conn, PL_Q_INLINE_COPY, id, 0, 0);
        *out = PL_PLACE(sqlite3_last_insert_rowid(tx->conn->db), PL_PLACE_INLINE);
        break;
    case PL_PLACE_FILE: ok = pl_conn_run(tx->conn, PL_Q_CONTENT_REFS, id, 1, 0); break;
    case PL_PLACE_LIST: ok = pl_conn_run(tx->conn, PL_Q_LIST_REFS, id, 1, 0); break;
    }
    return ok ? PAIL_OK : pl_tx_fail(tx, err, "copying an object");
}

/* Other headers and metadata leave the bytes, and so their checksums, as they are. */
static struct pl_str new_fields(struct pl_job *j, struct pl_str old)
{
    struct pl_buf both = PL_BUF_MAX(2 << 20);
    pl_buf_str(&both, pl_buf_view(&j->attrs.fields));
    bool ok = pl_attrs_copy(&both, old, true, NULL) == PAIL_OK;
    const char *copy = pl_arena_dup(&j->op->arena, pl_buf_view(&both));
    struct pl_str fields = pl_str_n(copy, both.len);
    j->op->arena.failed |= !ok;
    pl_buf_dispose(&both);
    return fields;
}

/* Reads the source of the copy into o, its texts into the op's arena. */
static pail_code copy_source(struct pl_tx *tx, struct pl_job *j, struct pl_new_object *o)
{
    struct pl_op *op = j->op;
    struct pl_arena *a = &op->arena;
    sqlite3_stmt *s;
    struct pl_row row;
    int64_t bucket;
    pail_code rc = pl_bucket_id(tx->conn, op->in.copy.bucket, &bucket, &op->error);
    rc = rc ? rc : find(tx, bucket, op->in.copy.key, &s, &row, &op->error);
    if (rc) {
        return rc;
    }
    if (!s || (op->in.copy.version && !is_version(op->in.copy.version, row.version))) {
        sqlite3_reset(s);
        return op->in.copy.version ? PAIL_E_VERSION_NOT_FOUND : PAIL_E_NOT_FOUND;
    }
    rc = test(&op->in.copy.cond, &row, false);
    o->size = row.size;
    o->crc = row.crc;
    o->place = row.place;
    o->etag = pl_arena_dup_c(a, row.etag);
    o->type = op->attr ? j->attrs.type : pl_arena_dup_c(a, row.type);
    o->fields = op->attr ? new_fields(j, row.fields)
                         : pl_str_n(pl_arena_dup(a, row.fields), row.fields.len);
    o->tags =
        op->attr ? pl_buf_view(&j->attrs.tags) : pl_str_n(pl_arena_dup(a, row.tags), row.tags.len);
    sqlite3_reset(s);
    rc = rc == PAIL_E_NOT_MODIFIED ? PAIL_E_PRECONDITION : rc;
    return rc ? rc : a->failed ? PAIL_E_NO_MEMORY : PAIL_OK;
}

pail_code pl_apply_copy(struct pl_tx *tx, struct pl_commit *c)
{
    struct pl_job *j = pl_job_of(c);
    struct pl_op *op = j->op;
    struct pl_old_object old;
    struct pl_new_object o = {.key = op->key};
    pail_code rc = copy_source(tx, j, &o);
    int64_t from = o.place;
    rc = rc ? rc : pl_tx_check(tx, op, &o.bucket, &old);
    rc = rc ? rc : pl_tx_add_attrs(tx, o.fields, o.tags, &o.attrs, &op->error);
    rc = rc ? rc : add_reference(tx, from, &o.place, &op->error);
    if (rc == PAIL_OK && old.place == o.place) { /* onto the same bytes: one reference is enough */
        rc = pl_tx_unref_place(tx, old.place, &op->error);
    }
    return rc ? rc : pl_tx_publish(tx, op, &o, &old);
}

/* ---- delete ---- */

static pail_code delete_one(struct pl_tx *tx, int64_t bucket, const struct pl_name *name,
                            const pail_conditions *cond, struct pail_error **err)
{
    sqlite3_stmt *s;
    struct pl_row row;
    pail_code rc = find(tx, bucket, name->key, &s, &row, err);
    if (rc) {
        return rc;
    }
    rc = cond ? test(cond, s ? &row : NULL, true) : PAIL_OK;
    bool other = name->version && (!s || !is_version(name->version, row.version));
    int64_t place = row.place, attrs = row.attrs;
    sqlite3_reset(s);
    if (rc || !s || other) {
        return rc ? rc : other ? PAIL_E_VERSION_NOT_FOUND : PAIL_OK;
    }
    sqlite3_stmt *drop = pl_conn_query(tx->conn, PL_Q_OBJECT_DROP);
    bool ok = drop != NULL;
    if (ok) {
        sqlite3_bind_int64(drop, 1, bucket);
        sqlite3_bind_text(drop, 2, name->key, -1, SQLITE_STATIC);
        ok = sqlite3_step(drop) == SQLITE_DONE;
        sqlite3_reset(drop);
    }
    rc = ok ? pl_tx_unref_place(tx, place, err) : pl_tx_fail(tx, err, "deleting an object");
    return rc ? rc : pl_tx_drop_attrs(tx, attrs, err);
}

pail_code pl_apply_delete(struct pl_tx *tx, struct pl_commit *c)
{
    struct pl_op *op = pl_job_of(c)->op;
    struct pl_name name = {op->key, op->version};
    pail_conditions cond = {.if_match = op->cond.if_match};
    int64_t bucket;
    pail_code rc = pl_bucket_id(tx->conn, op->bucket, &bucket, &op->error);
    return rc ? rc : delete_one(tx, bucket, &name, &cond, &op->error);
}

/* A version that is not there is as good as deleted. */
pail_code pl_apply_delete_many(struct pl_tx *tx, struct pl_commit *c)
{
    struct pl_op *op = pl_job_of(c)->op;
    int64_t bucket;
    pail_code rc = pl_bucket_id(tx->conn, op->bucket, &bucket, &op->error);
    for (size_t i = 0; rc == PAIL_OK && i < op->in.delete_many.count; i++) {
        rc = delete_one(tx, bucket, &op->in.delete_many.names[i], NULL, &op->error);
        rc = rc == PAIL_E_VERSION_NOT_FOUND ? PAIL_OK : rc;
    }
    return rc;
}

/* ---- tags ---- */

static pail_code set_tags(struct pl_tx *tx, int64_t attrs, struct pl_str tags,
                          struct pail_error **err)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_ATTRS_TAGS);
    if (!s) {
        return pl_tx_fail(tx, err, "keeping tags");
    }
    sqlite3_bind_int64(s, 1, attrs);
    sqlite3_bind_blob(s, 2, tags.ptr, (int)tags.len, SQLITE_STATIC);
    bool ok = sqlite3_step(s) == SQLITE_DONE;
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return ok ? PAIL_OK : pl_tx_fail(tx, err, "keeping tags");
}

static pail_code add_tags(struct pl_tx *tx, struct pl_op *op, int64_t bucket, struct pl_str tags)
{
    int64_t attrs;
    pail_code rc = pl_tx_add_attrs(tx, pl_str_n("", 0), tags, &attrs, &op->error);
    if (rc || attrs == 0) {
        return rc;
    }
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_OBJECT_ATTRS);
    if (!s) {
        return pl_tx_fail(tx, &op->error, "keeping tags");
    }
    sqlite3_bind_int64(s, 1, bucket);
    sqlite3_bind_text(s, 2, op->key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, attrs);
    bool ok = sqlite3_step(s) == SQLITE_DONE;
    sqlite3_reset(s);
    return ok ? PAIL_OK : pl_tx_fail(tx, &op->error, "keeping tags");
}

pail_code pl_apply_tags(struct pl_tx *tx, struct pl_commit *c)
{
    struct pl_job *j = pl_job_of(c);
    struct pl_op *op = j->op;
    sqlite3_stmt *s;
    struct pl_row row;
    int64_t bucket;
    pail_code rc = pl_bucket_id(tx->conn, op->bucket, &bucket, &op->error);
    rc = rc ? rc : find(tx, bucket, op->key, &s, &row, &op->error);
    if (rc) {
        return rc;
    }
    if (!s || (op->version && !is_version(op->version, row.version))) {
        sqlite3_reset(s);
        return op->version ? PAIL_E_VERSION_NOT_FOUND : PAIL_E_NOT_FOUND;
    }
    rc = test(&op->cond, &row, true);
    sqlite3_reset(s);
    if (rc) {
        return rc;
    }
    struct pl_str tags = pl_buf_view(&j->attrs.tags);
    return row.attrs ? set_tags(tx, row.attrs, tags, &op->error) : add_tags(tx, op, bucket, tags);
}
