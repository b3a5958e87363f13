/* Stat and get. */
#include <errno.h>

#include "codec/crc.h"
#include "codec/digest.h"
#include "local/job.h"

/* The number of the column behind those of pl_row_read. */
enum { COLUMN_BYTES = 10 };

/* A part of a content that a get needs. */
struct piece {
    int64_t content;
    uint64_t offset, length;
};

/* What is to be read, found in one short look at the index. */
struct plan {
    struct piece one, *pieces; /* pieces: of a list; owned */
    size_t count;
};

static pail_code plan_list(struct pl_conn *c, int64_t list, uint64_t offset, uint64_t length,
                           struct plan *p, struct pail_error **err)
{
    enum { PARTS_MAX = 1 << PL_PART_BITS };
    sqlite3_stmt *s = pl_conn_query(c, PL_Q_PARTS);
    size_t room = 0;
    int rc = SQLITE_ERROR;
    uint64_t at = 0, end = offset + length;
    pail_code code = PAIL_OK;
    if (s) {
        sqlite3_bind_int64(s, 1, list);
    }
    while (code == PAIL_OK && s && (rc = sqlite3_step(s)) == SQLITE_ROW && at < end) {
        uint64_t size = (uint64_t)sqlite3_column_int64(s, 2), from = at;
        at += size;
        if (at <= offset || size == 0) {
            continue;
        }
        if (p->count == room) {
            room = room ? room * 2 : 64;
            struct piece *more = pl_realloc(p->pieces, room * sizeof *more);
            if (!more) {
                code = pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a list of parts");
                break;
            }
            p->pieces = more;
        }
        uint64_t first = from < offset ? offset - from : 0, last = (at < end ? at : end) - from;
        p->pieces[p->count++] = (struct piece){sqlite3_column_int64(s, 1), first, last - first};
    }
    sqlite3_reset(s);
    if (code == PAIL_OK && rc != SQLITE_ROW && rc != SQLITE_DONE) {
        code = pl_conn_fail(c, err, "looking up parts");
    }
    return code ? code : at < end ? PAIL_E_NOT_FOUND : PAIL_OK;
}

static pail_code send_inline(sqlite3_stmt *s, const struct pl_row *row, uint64_t offset,
                             uint64_t length, const struct pl_moving *m, struct pail_error **err)
{
    const char *bytes = sqlite3_column_blob(s, COLUMN_BYTES);
    size_t n = bytes ? (size_t)sqlite3_column_bytes(s, COLUMN_BYTES) : 0;
    if (n != row->size || pl_crc64nvme(0, bytes, n) != row->crc) {
        pl_fail(err, PAIL_E_CHECKSUM,
                "the object is damaged at rest: the index has other bytes "
                "than were written");
        pl_error_hint(err, "run `pail fsck` to see all damage, and bring the object back from a "
                           "copy");
        return PAIL_E_CHECKSUM;
    }
    return !m->sink || pl_body_write(m->sink, bytes + offset, (size_t)length)
               ? PAIL_OK
               : pl_fail_errno(err, errno, "writing what was read");
}

/* Small bytes are sent at once, as they lie in the row; for others the plan is made. */
static pail_code plan_read(struct pl_conn *c, sqlite3_stmt *s, const struct pl_row *row,
                           uint64_t offset, uint64_t length, const struct pl_moving *m,
                           struct plan *p, struct pail_error **err)
{
    if (length == 0) {
        return PAIL_OK;
    }
    switch (pl_place_kind(row->place)) {
    case PL_PLACE_EMPTY: return PAIL_OK;
    case PL_PLACE_INLINE: return send_inline(s, row, offset, length, m, err);
    case PL_PLACE_FILE:
        p->one = (struct piece){pl_place_id(row->place), offset, length};
        p->count = 1;
        return PAIL_OK;
    case PL_PLACE_LIST: return plan_list(c, pl_place_id(row->place), offset, length, p, err);
    }
    return PAIL_E_INTERNAL;
}

static pail_code read_piece(struct pl_store *s, const struct piece *piece,
                            const struct pl_moving *m, struct pail_error **err)
{
    struct pl_conn *c;
    struct pl_content content;
    pail_code rc = pl_reader_take(s, &c, err);
    if (rc) {
        return rc;
    }
    rc = pl_content_find(c, piece->content, &content, err);
    pl_reader_give(s, c);
    return rc ? rc : pl_content_read(s, &content, piece->offset, piece->length, m, err);
}

static pail_code read_plan(struct pl_store *s, struct plan *p, const struct pl_moving *m,
                           struct pail_error **err)
{
    const struct piece *pieces = p->pieces ? p->pieces : &p->one;
    pail_code rc = PAIL_OK;
    for (size_t i = 0; rc == PAIL_OK && i < p->count; i++) {
        rc = read_piece(s, &pieces[i], m, err);
    }
    pl_free(p->pieces);
    p->pieces = NULL;
    return rc;
}

/* ---- operations ---- */

static struct pl_wanted wanted(const struct pl_op *op, enum pl_query query)
{
    return (struct pl_wanted){op->bucket, op->key, op->version, query};
}

static pail_code tell(struct pl_op *op, const struct pl_row *row)
{
    pl_row_info(row, &op->arena, op->key, &op->out.info);
    return op->arena.failed ? PAIL_E_NO_MEMORY
                            : pl_conditions_check(&op->cond, &op->out.info, false);
}

pail_code pl_read_stat(struct pl_job *j)
{
    struct pl_conn *c;
    sqlite3_stmt *s;
    struct pl_row row;
    struct pl_wanted w = wanted(j->op, PL_Q_STAT);
    pail_code rc = pl_reader_take(j->store, &c, &j->op->error);
    if (rc) {
        return rc;
    }
    rc = pl_find(c, &w, &s, &row, &j->op->error);
    if (rc == PAIL_OK) {
        rc = tell(j->op, &row);
        sqlite3_reset(s);
    }
    pl_reader_give(j->store, c);
    return rc;
}

static pail_code resolve(struct pl_op *op, uint64_t size, uint64_t *length)
{
    struct pl_body *sink = op->in.get.sink;
    pail_code rc = pl_range_resolve(&op->in.get.range, size, &op->out.range_offset, length);
    if (rc == PAIL_OK && *length > sink->len) {
        rc = pl_fail(&op->error, PAIL_E_TOO_LARGE, "%llu bytes do not fit into %llu",
                     (unsigned long long)*length, (unsigned long long)sink->len);
    }
    return rc;
}

/* *vanished: the index named bytes that were not there any more. */
static pail_code get_once(struct pl_job *j, const struct pl_moving *m, bool *vanished)
{
    struct pl_op *op = j->op;
    struct pl_conn *c;
    sqlite3_stmt *s;
    struct pl_row row;
    struct plan p = {0};
    uint64_t length = 0;
    struct pl_wanted w = wanted(op, PL_Q_GET);
    *vanished = false;
    pail_code rc = pl_reader_take(j->store, &c, &op->error);
    if (rc) {
        return rc;
    }
    rc = pl_find(c, &w, &s, &row, &op->error);
    if (rc == PAIL_OK) {
        rc = tell(op, &row);
        rc = rc ? rc : resolve(op, row.size, &length);
        rc = rc ? rc : plan_read(c, s, &row, op->out.range_offset, length, m, &p, &op->error);
        *vanished = rc == PAIL_E_NOT_FOUND;
        sqlite3_reset(s);
    }
    pl_reader_give(j->store, c);
    if (rc == PAIL_OK && p.count) {
        rc = read_plan(j->store, &p, m, &op->error);
        *vanished = rc == PAIL_E_NOT_FOUND;
    }
    pl_free(p.pieces);
    if (rc == PAIL_OK && length == row.size) {
        op->out.sum = (struct pl_part_sum){PL_SUM_CRC64NVME, row.crc};
    }
    return rc;
}

/* Bytes that the index names twice in a row and that are not there have not been replaced. */
static pail_code missing(struct pail_error **err)
{
    pl_fail(err, PAIL_E_CHECKSUM, "the object is damaged at rest: its content file is missing");
    pl_error_hint(err, "run `pail fsck` to see all damage, and bring the object back from a copy");
    return PAIL_E_CHECKSUM;
}

pail_code pl_read_get(struct pl_job *j)
{
    struct pl_body *sink = j->op->in.get.sink;
    struct pl_moving m = {sink, &j->cancelled, j->op->deadline_ns};
    uint64_t before = sink ? atomic_load(&sink->done) : 0;
    char version[2][17] = {"", ""};
    for (int i = 0; i < 2; i++) {
        bool vanished;
        pail_code rc = get_once(j, &m, &vanished);
        if (!vanished) {
            return rc;
        }
        if (sink && atomic_load(&sink->done) != before) {
            return PAIL_E_CHANGED;
        }
        memcpy(version[i], j->op->out.info.version, sizeof version[i]);
    }
    return strcmp(version[0], version[1]) == 0 ? missing(&j->op->error) : PAIL_E_CHANGED;
}

pail_code pl_read_span(struct pl_store *store, const struct pl_span *span,
                       const struct pl_moving *m, struct pail_error **err)
{
    struct pl_conn *c;
    sqlite3_stmt *s;
    struct pl_row row;
    struct plan p = {0};
    pail_code rc = pl_reader_take(store, &c, err);
    if (rc) {
        return rc;
    }
    rc = pl_find(c, &span->want, &s, &row, err);
    if (rc == PAIL_OK) {
        rc = span->offset > row.size || span->length > row.size - span->offset
                 ? PAIL_E_BAD_RANGE
                 : plan_read(c, s, &row, span->offset, span->length, m, &p, err);
        rc = rc == PAIL_E_NOT_FOUND ? PAIL_E_CHANGED : rc;
        sqlite3_reset(s);
    }
    pl_reader_give(store, c);
    if (rc == PAIL_OK && p.count) {
        rc = read_plan(store, &p, m, err);
        rc = rc == PAIL_E_NOT_FOUND ? PAIL_E_CHANGED : rc;
    }
    pl_free(p.pieces);
    return rc;
}

pail_code pl_read_bucket(struct pl_job *j)
{
    struct pl_conn *c;
    struct pl_op *op = j->op;
    pail_code rc = pl_reader_take(j->store, &c, &op->error);
    if (rc) {
        return rc;
    }
    sqlite3_stmt *s = pl_conn_query(c, PL_Q_BUCKET_STAT);
    int step = SQLITE_ERROR;
    if (s) {
        sqlite3_bind_text(s, 1, op->bucket, -1, SQLITE_STATIC);
        step = sqlite3_step(s);
        op->out.info.key = op->bucket;
        op->out.info.mtime_ms = sqlite3_column_int64(s, 0);
        sqlite3_reset(s);
    }
    if (step != SQLITE_ROW) {
        rc = step == SQLITE_DONE ? pl_fail(&op->error, PAIL_E_BUCKET_NOT_FOUND,
                                           "no bucket \"%s\" in this LOCAL store", op->bucket)
                                 : pl_conn_fail(c, &op->error, "looking up a bucket");
    }
    pl_reader_give(j->store, c);
    return rc;
}
