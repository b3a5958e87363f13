/* Uploads in parts: each part is a content file, and the finished object is the list of them. */
#include "base/sys.h"
#include "codec/crc.h"
#include "codec/hex.h"
#include "local/job.h"

enum { PL_PART_ETAG = 64 };

struct upload {
    int64_t bucket, id, attrs;
    const char *type;     /* in the op's arena, as fields */
    struct pl_str fields; /* of attrs */
};

/* Sixteen hexadecimal digits. */
int64_t pl_upload_id(const char *text)
{
    int64_t id = 0;
    size_t n = text ? strlen(text) : 0;
    for (size_t i = 0; n == 16 && i < n; i++) {
        int digit = pl_hex_digit(text[i]);
        if (digit < 0 || text[i] < '0' || (text[i] >= 'A' && text[i] <= 'F') || id >> 45) {
            return 0;
        }
        id = id << 4 | digit;
    }
    return id;
}

static pail_code find_upload(struct pl_tx *tx, struct pl_op *op, const char *text, struct upload *u)
{
    *u = (struct upload){.id = pl_upload_id(text)};
    pail_code rc = pl_bucket_id(tx->conn, op->bucket, &u->bucket, &op->error);
    if (rc || u->id == 0) {
        return rc ? rc : PAIL_E_UPLOAD_NOT_FOUND;
    }
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_UPLOAD);
    if (!s) {
        return pl_tx_fail(tx, &op->error, "looking up an upload");
    }
    sqlite3_bind_int64(s, 1, u->bucket);
    sqlite3_bind_text(s, 2, op->key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, u->id);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW) {
        u->type = pl_arena_dup_c(&op->arena, (const char *)sqlite3_column_text(s, 0));
        u->attrs = sqlite3_column_int64(s, 1);
        size_t n = (size_t)sqlite3_column_bytes(s, 2);
        u->fields = pl_str_n(pl_arena_dup(&op->arena, pl_str_n(sqlite3_column_blob(s, 2), n)), n);
    }
    sqlite3_reset(s);
    if (op->arena.failed) {
        return pl_fail(&op->error, PAIL_E_NO_MEMORY, "no memory for what an upload was begun with");
    }
    return step == SQLITE_ROW    ? PAIL_OK
           : step == SQLITE_DONE ? PAIL_E_UPLOAD_NOT_FOUND
                                 : pl_tx_fail(tx, &op->error, "looking up an upload");
}

pail_code pl_apply_begin(struct pl_tx *tx, struct pl_commit *c)
{
    struct pl_job *j = pl_job_of(c);
    struct pl_op *op = j->op;
    struct pl_old_object old;
    int64_t bucket, id, attrs;
    char *text = pl_arena_alloc(&op->arena, 17);
    pail_code rc = text ? pl_tx_check(tx, op, &bucket, &old) : PAIL_E_NO_MEMORY;
    rc = rc ? rc : pl_tx_next(tx, "list", &id, &op->error);
    rc = rc ? rc
            : pl_tx_add_attrs(tx, pl_buf_view(&j->attrs.fields), pl_buf_view(&j->attrs.tags),
                              &attrs, &op->error);
    if (rc) {
        return rc;
    }
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_UPLOAD_ADD);
    if (!s) {
        return pl_tx_fail(tx, &op->error, "beginning an upload");
    }
    sqlite3_bind_int64(s, 1, bucket);
    sqlite3_bind_text(s, 2, op->key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, id);
    sqlite3_bind_int64(s, 4, pl_sys.wall_ms());
    sqlite3_bind_text(s, 5, j->attrs.type, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 6, attrs);
    bool ok = sqlite3_step(s) == SQLITE_DONE;
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    *pl_hex16(text, (uint64_t)id) = '\0';
    op->out.upload_id = text;
    return ok ? PAIL_OK : pl_tx_fail(tx, &op->error, "beginning an upload");
}

/* ---- parts ---- */

struct part {
    int64_t content;
    uint64_t size, crc;
    char etag[PL_PART_ETAG];
};

/* PAIL_OK also where there is none: *found says. */
static pail_code find_part(struct pl_tx *tx, int64_t row, struct part *out, bool *found,
                           struct pail_error **err)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_PART_GET);
    int step = SQLITE_ERROR;
    if (s) {
        sqlite3_bind_int64(s, 1, row);
        step = sqlite3_step(s);
        out->content = sqlite3_column_int64(s, 0);
        out->size = (uint64_t)sqlite3_column_int64(s, 1);
        out->crc = (uint64_t)sqlite3_column_int64(s, 2);
        const char *etag = (const char *)sqlite3_column_text(s, 3);
        if (etag && strlen(etag) < sizeof out->etag) {
            memcpy(out->etag, etag, strlen(etag) + 1);
        } else {
            pl_etag_text(out->etag, out->crc, out->size);
        }
        sqlite3_reset(s);
    }
    *found = step == SQLITE_ROW;
    return step == SQLITE_ROW || step == SQLITE_DONE ? PAIL_OK
                                                     : pl_tx_fail(tx, err, "looking up a part");
}

/* etag and sum as the part's writer gave them; NULL: not. */
static pail_code set_part(struct pl_tx *tx, int64_t row, const struct pl_staged *g,
                          const char *const given[2], struct pail_error **err)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_PART_SET);
    bool ok = s != NULL;
    if (ok) {
        sqlite3_bind_int64(s, 1, row);
        sqlite3_bind_int64(s, 2, g->id);
        sqlite3_bind_int64(s, 3, (int64_t)g->size);
        sqlite3_bind_int64(s, 4, (int64_t)g->crc);
        sqlite3_bind_text(s, 5, given[0], -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 6, given[1], -1, SQLITE_STATIC);
        ok = sqlite3_step(s) == SQLITE_DONE;
        sqlite3_reset(s);
        sqlite3_clear_bindings(s);
    }
    return ok ? PAIL_OK : pl_tx_fail(tx, err, "keeping a part");
}

/* Of a part that comes twice, the one whose commit is later counts. */
pail_code pl_apply_part(struct pl_tx *tx, struct pl_commit *c)
{
    struct pl_job *j = pl_job_of(c);
    struct pl_op *op = j->op;
    bool copy = op->kind == PL_OP_MP_COPY_PART, found = false;
    uint32_t number = copy ? op->in.copy.number : op->in.put.number;
    struct upload u;
    struct part old = {0};
    char *etag = pl_arena_alloc(&op->arena, PL_ETAG_MAX);
    pail_code rc =
        etag ? find_upload(tx, op, copy ? op->in.copy.upload_id : op->in.put.upload_id, &u)
             : PAIL_E_NO_MEMORY;
    if (rc) {
        return rc;
    }
    int64_t row = u.id << PL_PART_BITS | number;
    rc = find_part(tx, row, &old, &found, &op->error);
    const char *own = copy ? NULL : op->in.put.etag;
    const char *const given[] = {own, copy ? NULL : op->in.put.checksum};
    rc = rc ? rc : set_part(tx, row, &j->staged, given, &op->error);
    rc = rc ? rc : pl_tx_add_content(tx, &j->staged, &op->error);
    rc = rc || !found ? rc : pl_tx_unref_content(tx, old.content, &op->error);
    pl_etag_text(etag, j->staged.crc, j->staged.size);
    op->out.etag = own ? own : etag;
    return rc;
}

/* ---- the end ---- */

/* The parts of the list must be there as their writer knows them, in order. */
static pail_code check_part(struct pl_op *op, const struct pl_part *p, const struct pl_part *before,
                            const struct part *there)
{
    if (before && p->number <= before->number) {
        return pl_fail(&op->error, PAIL_E_BAD_ARGUMENT, "part %u stands behind part %u", p->number,
                       before->number);
    }
    if (!there) {
        return pl_fail(&op->error, PAIL_E_BAD_ARGUMENT, "part %u was never uploaded", p->number);
    }
    if (!p->etag || strcmp(p->etag, there->etag) != 0 || (p->size && p->size != there->size)) {
        return pl_fail(&op->error, PAIL_E_BAD_ARGUMENT,
                       "part %u is another one than was uploaded last", p->number);
    }
    return PAIL_OK;
}

static pail_code add_up(struct pl_tx *tx, struct pl_op *op, int64_t list, struct pl_new_object *o,
                        struct part *last)
{
    const struct pl_part *parts = op->in.mp.parts;
    size_t count = op->in.mp.count;
    if (count == 0) {
        return pl_fail(&op->error, PAIL_E_BAD_ARGUMENT, "an upload needs at least one part");
    }
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        pail_code rc =
            parts[i].number >= 1 && parts[i].number <= 10000
                ? find_part(tx, list << PL_PART_BITS | parts[i].number, last, &found, &op->error)
                : PAIL_OK;
        rc = rc ? rc : check_part(op, &parts[i], i ? &parts[i - 1] : NULL, found ? last : NULL);
        if (rc) {
            return rc;
        }
        o->crc = i ? pl_crc64nvme_combine(o->crc, last->crc, last->size) : last->crc;
        o->size += last->size;
    }
    if (op->in.mp.size && op->in.mp.size != o->size) {
        return pl_fail(&op->error, PAIL_E_BAD_ARGUMENT, "the parts have %llu bytes, not %llu",
                       (unsigned long long)o->size, (unsigned long long)op->in.mp.size);
    }
    return PAIL_OK;
}

/* Drops the parts that were uploaded and are not in the list. */
static pail_code drop_unlisted(struct pl_tx *tx, struct pl_op *op, int64_t list)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_PARTS);
    uint32_t *numbers = NULL;
    size_t n = 0, at = 0;
    int step = SQLITE_ERROR;
    pail_code rc = PAIL_OK;
    if (!s) {
        return pl_tx_fail(tx, &op->error, "looking up parts");
    }
    sqlite3_bind_int64(s, 1, list);
    while (rc == PAIL_OK && (step = sqlite3_step(s)) == SQLITE_ROW) {
        uint32_t number = (uint32_t)(sqlite3_column_int64(s, 0) & ((1 << PL_PART_BITS) - 1));
        if (at < op->in.mp.count && op->in.mp.parts[at].number == number) {
            at++;
            continue;
        }
        if (n % 64 == 0) {
            uint32_t *more = pl_realloc(numbers, (n + 64) * sizeof *more);
            numbers = more ? more : numbers;
            rc = more ? PAIL_OK : PAIL_E_NO_MEMORY;
        }
        if (rc == PAIL_OK) {
            numbers[n++] = number;
            rc = pl_tx_unref_content(tx, sqlite3_column_int64(s, 1), &op->error);
        }
    }
    sqlite3_reset(s);
    for (size_t i = 0; rc == PAIL_OK && i < n; i++) {
        if (!pl_conn_run(tx->conn, PL_Q_PART_DROP, list << PL_PART_BITS | numbers[i], 0, 0)) {
            rc = pl_tx_fail(tx, &op->error, "dropping a part");
        }
    }
    pl_free(numbers);
    tx->broken |= rc != PAIL_OK;
    return rc;
}

static pail_code drop_upload(struct pl_tx *tx, int64_t bucket, const char *key, int64_t id,
                             struct pail_error **err)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_UPLOAD_DROP);
    bool ok = s != NULL;
    if (ok) {
        sqlite3_bind_int64(s, 1, bucket);
        sqlite3_bind_text(s, 2, key, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 3, id);
        ok = sqlite3_step(s) == SQLITE_DONE;
        sqlite3_reset(s);
    }
    return ok ? PAIL_OK : pl_tx_fail(tx, err, "ending an upload");
}

static pail_code set_fields(struct pl_tx *tx, int64_t attrs, struct pl_str fields,
                            struct pail_error **err)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_ATTRS_FIELDS);
    bool ok = s != NULL;
    if (ok) {
        sqlite3_bind_int64(s, 1, attrs);
        sqlite3_bind_blob(s, 2, fields.ptr, (int)fields.len, SQLITE_STATIC);
        ok = sqlite3_step(s) == SQLITE_DONE;
        sqlite3_reset(s);
        sqlite3_clear_bindings(s);
    }
    return ok ? PAIL_OK : pl_tx_fail(tx, err, "keeping metadata");
}

/* The rows of the parts become the object's list, also where there is but one: its number and
 * checksum can be asked for. */
static pail_code place_of(struct pl_tx *tx, struct pl_op *op, int64_t list, int64_t *place)
{
    *place = PL_PLACE(list, PL_PLACE_LIST);
    return pl_conn_run(tx->conn, PL_Q_LIST_ADD, list, 0, 0)
               ? PAIL_OK
               : pl_tx_fail(tx, &op->error, "finishing an upload");
}

/* The upload's row of headers and metadata becomes the object's: without the note, with the
 * checksum that the finish came with. */
static pail_code turn_attrs(struct pl_tx *tx, struct pl_op *op, const struct upload *u,
                            int64_t *attrs)
{
    struct pl_buf fields = PL_BUF_MAX(2 << 20);
    *attrs = u->attrs;
    pail_code rc = pl_attrs_copy(&fields, u->fields, false, &op->error);
    rc = rc ? rc : pl_attrs_add_sum(&fields, op->in.mp.checksum, &op->error);
    if (rc == PAIL_OK && !pl_str_eq(pl_buf_view(&fields), u->fields)) {
        rc = u->attrs
                 ? set_fields(tx, u->attrs, pl_buf_view(&fields), &op->error)
                 : pl_tx_add_attrs(tx, pl_buf_view(&fields), pl_str_n("", 0), attrs, &op->error);
    }
    tx->broken |= rc != PAIL_OK;
    pl_buf_dispose(&fields);
    return rc;
}

/* What the caller is told of the headers and metadata that came when the upload began. */
static pail_code tell_attrs(struct pl_tx *tx, struct pl_op *op, struct pl_new_object *o)
{
    struct pl_wanted w = {op->bucket, op->key, NULL, PL_Q_STAT};
    sqlite3_stmt *s;
    struct pl_row row;
    if (o->attrs == 0) {
        return PAIL_OK;
    }
    pail_code rc = pl_find(tx->conn, &w, &s, &row, &op->error);
    if (rc == PAIL_OK) {
        pl_attrs_read(row.fields, row.tags, &op->arena, &op->out.info);
        sqlite3_reset(s);
    }
    tx->broken |= rc != PAIL_OK;
    return rc;
}

pail_code pl_apply_finish(struct pl_tx *tx, struct pl_commit *c)
{
    struct pl_op *op = pl_job_of(c)->op;
    struct upload u;
    struct pl_old_object old;
    struct part last = {0};
    struct pl_new_object o = {.key = op->key};
    pail_code rc = find_upload(tx, op, op->in.mp.upload_id, &u);
    rc = rc ? rc : pl_tx_check(tx, op, &o.bucket, &old);
    rc = rc ? rc : add_up(tx, op, u.id, &o, &last);
    rc = rc ? rc : drop_unlisted(tx, op, u.id);
    rc = rc ? rc : place_of(tx, op, u.id, &o.place);
    rc = rc ? rc : drop_upload(tx, u.bucket, op->key, u.id, &op->error);
    rc = rc ? rc : turn_attrs(tx, op, &u, &o.attrs);
    o.type = u.type;
    o.etag = op->in.mp.etag;
    rc = rc ? rc : pl_tx_publish(tx, op, &o, &old);
    return rc ? rc : tell_attrs(tx, op, &o);
}

pail_code pl_apply_abort(struct pl_tx *tx, struct pl_commit *c)
{
    struct pl_op *op = pl_job_of(c)->op;
    struct upload u;
    pail_code rc = find_upload(tx, op, op->in.mp.upload_id, &u);
    rc = rc ? rc : pl_tx_drop_parts(tx, u.id, &op->error);
    rc = rc ? rc : pl_tx_drop_attrs(tx, u.attrs, &op->error);
    return rc ? rc : drop_upload(tx, u.bucket, op->key, u.id, &op->error);
}

/* ---- buckets ---- */

pail_code pl_apply_bucket_create(struct pl_tx *tx, struct pl_commit *c)
{
    struct pl_op *op = pl_job_of(c)->op;
    int64_t id;
    struct pail_error *e = NULL;
    pail_code rc = pl_bucket_id(tx->conn, op->bucket, &id, &e);
    if (rc != PAIL_E_BUCKET_NOT_FOUND) {
        op->error = e;
        return rc ? rc : PAIL_E_BUCKET_EXISTS;
    }
    pail_error_free(e);
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_BUCKET_ADD);
    if (!s) {
        return pl_tx_fail(tx, &op->error, "creating a bucket");
    }
    sqlite3_bind_text(s, 1, op->bucket, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, pl_sys.wall_ms());
    bool ok = sqlite3_step(s) == SQLITE_DONE;
    sqlite3_reset(s);
    return ok ? PAIL_OK : pl_tx_fail(tx, &op->error, "creating a bucket");
}

/* One unfinished upload of the bucket, whichever; PAIL_DONE: there is none. */
static pail_code drop_any_upload(struct pl_tx *tx, struct pl_op *op, int64_t bucket)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_UPLOAD_OF_BUCKET);
    char key[1025] = "";
    int64_t id = 0, attrs = 0;
    int step = SQLITE_ERROR;
    if (s) {
        sqlite3_bind_int64(s, 1, bucket);
        step = sqlite3_step(s);
        const char *text = step == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
        if (text && strlen(text) < sizeof key) {
            memcpy(key, text, strlen(text) + 1);
        }
        id = sqlite3_column_int64(s, 1);
        attrs = sqlite3_column_int64(s, 2);
        sqlite3_reset(s);
    }
    if (step != SQLITE_ROW) {
        return step == SQLITE_DONE ? PAIL_DONE : pl_tx_fail(tx, &op->error, "looking up uploads");
    }
    pail_code rc = pl_tx_drop_parts(tx, id, &op->error);
    rc = rc ? rc : pl_tx_drop_attrs(tx, attrs, &op->error);
    return rc ? rc : drop_upload(tx, bucket, key, id, &op->error);
}

pail_code pl_apply_bucket_delete(struct pl_tx *tx, struct pl_commit *c)
{
    struct pl_op *op = pl_job_of(c)->op;
    int64_t id;
    pail_code rc = pl_bucket_id(tx->conn, op->bucket, &id, &op->error);
    if (rc) {
        return rc;
    }
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_BUCKET_USED);
    int step = SQLITE_ERROR;
    if (s) {
        sqlite3_bind_int64(s, 1, id);
        step = sqlite3_step(s);
        sqlite3_reset(s);
    }
    if (step != SQLITE_DONE) {
        return step == SQLITE_ROW ? PAIL_E_BUCKET_NOT_EMPTY
                                  : pl_tx_fail(tx, &op->error, "looking into a bucket");
    }
    while (rc == PAIL_OK) {
        rc = drop_any_upload(tx, op, id);
    }
    if (rc == PAIL_DONE) {
        rc = pl_conn_run(tx->conn, PL_Q_BUCKET_DROP, id, 0, 0)
                 ? PAIL_OK
                 : pl_tx_fail(tx, &op->error, "deleting a bucket");
    }
    return rc;
}
