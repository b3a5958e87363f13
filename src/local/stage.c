/* Bringing bytes in before the commit that makes them an object's. */
#include <errno.h>

#include "codec/crc.h"
#include "codec/digest.h"
#include "local/job.h"

static pail_code source_failed(struct pail_error **err)
{
    return errno ? pl_fail_errno(err, errno, "reading the source")
                 : pl_fail(err, PAIL_E_CHANGED, "the source changed while it was read");
}

/* ---- bytes of the caller's ---- */

struct body_feed {
    struct pl_feed feed;
    const struct pl_body *source;
};

static pail_code next_of_body(struct pl_feed *f, uint64_t at, size_t n, char *room,
                              const char **data, struct pail_error **err)
{
    const struct pl_body *source = ((struct body_feed *)(void *)f)->source;
    if (source->kind == PL_BODY_MEM) {
        *data = source->ptr + at;
        return PAIL_OK;
    }
    *data = room;
    errno = 0;
    return pl_body_read(source, at, room, n) ? PAIL_OK : source_failed(err);
}

static pail_code lend_of_body(struct pl_feed *f, const char **data, size_t *n,
                              struct pail_error **err)
{
    const struct pl_body *source = ((struct body_feed *)(void *)f)->source;
    errno = 0;
    *data = source->lend(source->pull_ctx, n);
    return *data ? PAIL_OK : source_failed(err);
}

static pail_code stage_inline(struct pl_job *j, struct pl_body *source)
{
    struct pl_staged *g = &j->staged;
    size_t n = source ? (size_t)source->len : 0;
    if (n && source->kind != PL_BODY_MEM) {
        g->owned = pl_alloc(n);
        if (!g->owned) {
            return pl_fail(&j->op->error, PAIL_E_NO_MEMORY, "no memory for %zu bytes", n);
        }
        errno = 0;
        if (!pl_body_read(source, 0, g->owned, n)) {
            return source_failed(&j->op->error);
        }
    }
    g->bytes = g->owned ? g->owned : n ? source->ptr : "";
    g->size = n;
    g->crc = pl_crc64nvme(0, g->bytes, n);
    if (source) {
        atomic_store(&source->done, n);
    }
    return PAIL_OK;
}

/* What would be refused after all the bytes is refused before them; the commit looks again. */
static pail_code check_early(struct pl_job *j)
{
    struct pl_op *op = j->op;
    struct pl_conn *c;
    sqlite3_stmt *s;
    struct pl_row row;
    struct pl_arena arena = {0};
    pail_info info = {0};
    struct pl_wanted w = {op->bucket, op->key, NULL, PL_Q_STAT};
    pail_code rc = pl_reader_take(j->store, &c, &op->error);
    if (rc) {
        return rc;
    }
    rc = pl_find(c, &w, &s, &row, &op->error);
    if (rc == PAIL_OK) {
        pl_row_info(&row, &arena, op->key, &info);
        sqlite3_reset(s);
    }
    if (rc == PAIL_OK || rc == PAIL_E_NOT_FOUND) {
        rc = arena.failed ? PAIL_E_NO_MEMORY
                          : pl_conditions_check(&op->cond, rc ? NULL : &info, true);
    }
    pl_arena_dispose(&arena);
    pl_reader_give(j->store, c);
    return rc;
}

static pail_code stage_body(struct pl_job *j, uint32_t part)
{
    struct pl_op *op = j->op;
    struct pl_body *source = op->in.put.source;
    bool is_small = !source || source->len <= (part ? 0 : PL_INLINE_MAX);
    if (is_small) {
        return stage_inline(j, source);
    }
    pail_code rc = check_early(j);
    if (rc) {
        return rc;
    }
    struct body_feed f = {
        .feed = {.next = next_of_body,
                 .lend = source->kind == PL_BODY_PULL && source->lend ? lend_of_body : NULL,
                 .size = source->len,
                 .direct = source->kind == PL_BODY_MEM,
                 .done = &source->done,
                 .cancelled = &j->cancelled,
                 .deadline_ns = op->deadline_ns},
        .source = source};
    return pl_content_write(j->store, &f.feed, op->key, part, j->durability, &j->staged,
                            &op->error);
}

/* ---- bytes of another object ---- */

struct object_feed {
    struct pl_feed feed;
    struct pl_store *store;
    struct pl_span span;
};

static pail_code next_of_object(struct pl_feed *f, uint64_t at, size_t n, char *room,
                                const char **data, struct pail_error **err)
{
    struct object_feed *o = (struct object_feed *)(void *)f;
    struct pl_body sink = {.kind = PL_BODY_MEM, .ptr = room, .len = n};
    struct pl_moving m = {&sink, f->cancelled, f->deadline_ns};
    struct pl_span span = o->span;
    span.offset += at;
    span.length = n;
    *data = room;
    return pl_read_span(o->store, &span, &m, err);
}

/* The source as it is now: tests its conditions and pins its version. */
static pail_code pin_source(struct pl_job *j, char version[17], uint64_t *size)
{
    struct pl_op *op = j->op;
    struct pl_conn *c;
    sqlite3_stmt *s;
    struct pl_row row;
    struct pl_arena arena = {0};
    pail_info info = {0};
    struct pl_wanted w = {op->in.copy.bucket, op->in.copy.key, op->in.copy.version, PL_Q_STAT};
    pail_code rc = pl_reader_take(j->store, &c, &op->error);
    if (rc) {
        return rc;
    }
    rc = pl_find(c, &w, &s, &row, &op->error);
    if (rc == PAIL_OK) {
        pl_row_info(&row, &arena, op->in.copy.key, &info);
        rc = arena.failed ? PAIL_E_NO_MEMORY : pl_conditions_check(&op->in.copy.cond, &info, false);
        *pl_hex16(version, row.version) = '\0';
        *size = row.size;
        sqlite3_reset(s);
    }
    pl_arena_dispose(&arena);
    pl_reader_give(j->store, c);
    return rc == PAIL_E_NOT_MODIFIED ? PAIL_E_PRECONDITION : rc;
}

static pail_code stage_span(struct pl_job *j)
{
    struct pl_op *op = j->op;
    char version[17];
    uint64_t size = 0, offset = op->in.copy.offset, length = op->in.copy.length;
    pail_code rc = pin_source(j, version, &size);
    if (rc == PAIL_OK && (offset > size || length > size - offset)) {
        rc = PAIL_E_BAD_RANGE;
    }
    if (rc || length == 0) {
        return rc;
    }
    struct object_feed f = {
        .feed = {.next = next_of_object,
                 .size = length,
                 .cancelled = &j->cancelled,
                 .deadline_ns = op->deadline_ns},
        .store = j->store,
        .span = {{op->in.copy.bucket, op->in.copy.key, version, PL_Q_GET}, offset, length}};
    rc = pl_content_write(j->store, &f.feed, op->key, op->in.copy.number, j->durability, &j->staged,
                          &op->error);
    return rc == PAIL_E_VERSION_NOT_FOUND ? PAIL_E_CHANGED : rc;
}

/* ---- */

bool pl_stage_blocks(const struct pl_op *op)
{
    const struct pl_body *source = op->in.put.source;
    switch ((int)op->kind) {
    case PL_OP_PUT:
        return source && source->len &&
               (source->kind != PL_BODY_MEM || source->len > PL_INLINE_MAX);
    case PL_OP_MP_PART: return source && source->len;
    case PL_OP_MP_COPY_PART: return true;
    default: return false;
    }
}

static pail_code check_number(struct pl_op *op, uint32_t number)
{
    return number >= 1 && number <= 10000 ? PAIL_OK
                                          : pl_fail(&op->error, PAIL_E_BAD_ARGUMENT,
                                                    "part number %u is not 1 to 10000", number);
}

pail_code pl_stage(struct pl_job *j)
{
    struct pl_op *op = j->op;
    pail_code rc = PAIL_OK;
    switch ((int)op->kind) {
    case PL_OP_PUT:
        rc = pl_attrs_write(op->attr, &j->attrs, &op->error);
        rc = rc ? rc : stage_body(j, 0);
        rc = rc ? rc : pl_attrs_add_sum(&j->attrs.fields, op->in.put.checksum, &op->error);
        break;
    case PL_OP_MP_BEGIN:
        rc = pl_attrs_write(op->attr, &j->attrs, &op->error);
        return rc ? rc : pl_attrs_add_note(&j->attrs.fields, op->in.mp.note, &op->error);
    case PL_OP_COPY: return pl_attrs_write(op->attr, &j->attrs, &op->error);
    case PL_OP_TAGS_SET:
        return pl_tags_write(op->in.tags.tags, op->in.tags.count, &j->attrs.tags, &op->error);
    case PL_OP_MP_PART:
        rc = check_number(op, op->in.put.number);
        rc = rc ? rc : stage_body(j, op->in.put.number);
        break;
    case PL_OP_MP_COPY_PART:
        rc = check_number(op, op->in.copy.number);
        rc = rc ? rc : stage_span(j);
        break;
    default: return PAIL_OK;
    }
    op->out.sum = (struct pl_part_sum){PL_SUM_CRC64NVME, j->staged.crc};
    return rc;
}
