#include "local/content.h"

#include <errno.h>
#include <fcntl.h>

#include "base/sys.h"
#include "codec/crc.h"

/* Checksums of 1,024 blocks, a gigabyte, are one row of the index, so that nothing grows with the
 * size of an object. */
enum {
    CHUNK = 1024,
    SUM = 8,
    SYNC_EVERY = 32 << 20,
    DIRECT_FROM = 4 << 20, /* smaller ones may as well stay in the page cache */
    DIRECT_ALIGN = 4096
};

pail_code pl_moving_check(const atomic_bool *cancelled, int64_t deadline_ns)
{
    if (cancelled && atomic_load_explicit(cancelled, memory_order_relaxed)) {
        return PAIL_E_CANCELLED;
    }
    return deadline_ns && pl_sys.mono_ns() > deadline_ns ? PAIL_E_TIMEOUT : PAIL_OK;
}

static void put_sum(char *to, uint64_t crc)
{
    for (int i = 0; i < SUM; i++) {
        to[i] = (char)(crc >> 8 * (SUM - 1 - i));
    }
}

static uint64_t get_sum(const char *from)
{
    uint64_t crc = 0;
    for (int i = 0; i < SUM; i++) {
        crc = crc << 8 | (unsigned char)from[i];
    }
    return crc;
}

/* ---- the index ---- */

static pail_code add_sums(struct pl_tx *tx, const struct pl_staged *g, struct pail_error **err)
{
    sqlite3_stmt *s = pl_conn_query(tx->conn, PL_Q_SUMS_ADD);
    bool ok = s != NULL;
    if (ok) {
        sqlite3_bind_int64(s, 1, g->id << PL_CHUNK_BITS | g->chunk);
        sqlite3_bind_blob(s, 2, g->sums, (int)(g->sum_count * SUM), SQLITE_STATIC);
        ok = sqlite3_step(s) == SQLITE_DONE;
        sqlite3_reset(s);
        sqlite3_clear_bindings(s);
    }
    return ok ? PAIL_OK : pl_tx_fail(tx, err, "keeping checksums");
}

pail_code pl_tx_add_content(struct pl_tx *tx, const struct pl_staged *g, struct pail_error **err)
{
    sqlite3_stmt *s = g->id ? pl_conn_query(tx->conn, PL_Q_CONTENT_ADD) : NULL;
    if (g->id == 0) {
        return PAIL_OK;
    }
    bool ok = s != NULL;
    if (ok) {
        sqlite3_bind_int64(s, 1, g->id);
        sqlite3_bind_int64(s, 2, (int64_t)g->size);
        sqlite3_bind_int64(s, 3, (int64_t)g->crc);
        sqlite3_bind_text(s, 4, g->tail, -1, SQLITE_STATIC);
        ok = sqlite3_step(s) == SQLITE_DONE;
        sqlite3_reset(s);
    }
    if (!ok || !pl_conn_run(tx->conn, PL_Q_BLOCK_NEXT, g->id >> PL_ID_BITS, g->id + 1, 0)) {
        return pl_tx_fail(tx, err, "adding a content");
    }
    return g->size > PL_BLOCK && g->sum_count ? add_sums(tx, g, err) : PAIL_OK;
}

struct flush {
    struct pl_commit commit;
    const struct pl_staged *staged;
};

static pail_code apply_flush(struct pl_tx *tx, struct pl_commit *c)
{
    return add_sums(tx, ((struct flush *)(void *)c)->staged, c->err);
}

/* ---- writing ---- */

static pail_code note_block(struct pl_store *s, struct pl_staged *g, uint64_t crc, size_t n,
                            struct pail_error **err)
{
    if (g->sum_count == CHUNK) {
        struct flush f = {.commit = {.apply = apply_flush, .err = err}, .staged = g};
        pail_code rc = pl_commit_run(s, &f.commit);
        if (rc) {
            return rc;
        }
        g->chunk++;
        g->sum_count = 0;
    }
    put_sum(g->sums + g->sum_count++ * SUM, crc);
    g->crc = g->size ? pl_crc64nvme_combine(g->crc, crc, n) : crc;
    g->size += n;
    return PAIL_OK;
}

static pail_code write_block(struct pl_store *s, int fd, struct pl_feed *feed,
                             const struct pl_block *b, struct pl_staged *g, struct pail_error **err)
{
    if (!pl_sys_write_full(fd, b->data, b->n, g->size)) {
        return pl_fail_errno(err, errno, "writing to %s/" PL_DATA_NAME, s->home);
    }
    pail_code rc = note_block(s, g, b->crc, b->n, err);
    if (rc == PAIL_OK && feed->done) {
        atomic_store_explicit(feed->done, g->size, memory_order_relaxed);
    }
    if (rc == PAIL_OK && g->size % SYNC_EVERY == 0) {
        (void)pl_sys.sync_range(fd, (off_t)(g->size - SYNC_EVERY), SYNC_EVERY);
    }
    return rc;
}

static pail_code write_blocks(struct pl_store *s, int fd, struct pl_feed *feed, struct pl_staged *g,
                              struct pail_error **err)
{
    struct pl_pump pump;
    pail_code rc = pl_pump_start(&pump, feed, PL_BLOCK, err);
    if (rc) {
        return rc;
    }
    while (rc == PAIL_OK && g->size < feed->size) {
        struct pl_block *b;
        rc = pl_pump_take(&pump, &b, err);
        if (rc == PAIL_OK) {
            rc = write_block(s, fd, feed, b, g, err);
            pl_pump_drop(&pump);
        }
    }
    pl_pump_stop(&pump);
    return rc;
}

/* ---- bytes that are written where they lie ---- */

/* The sums are of whole blocks, what is lent is not. */
struct lent {
    uint64_t crc;
    size_t n;
    bool direct;
};

static pail_code sum_lent(struct pl_store *s, struct lent *l, struct pl_staged *g, const char *data,
                          size_t n, uint64_t size, struct pail_error **err)
{
    pail_code rc = PAIL_OK;
    while (rc == PAIL_OK && n) {
        size_t take = n < PL_BLOCK - l->n ? n : PL_BLOCK - l->n;
        l->crc = pl_crc64nvme(l->crc, data, take);
        l->n += take;
        data += take;
        n -= take;
        if (l->n == PL_BLOCK || g->size + l->n == size) {
            rc = note_block(s, g, l->crc, l->n, err);
            l->crc = 0;
            l->n = 0;
        }
    }
    return rc;
}

static bool write_lent_bytes(int fd, struct lent *l, const char *data, size_t n, uint64_t at)
{
    if (l->direct && n % DIRECT_ALIGN) {
        l->direct = false;
        (void)pl_sys.direct(fd, false);
    }
    if (pl_sys_write_full(fd, data, n, at)) {
        return true;
    }
    if (!l->direct || errno != EINVAL) {
        return false;
    }
    l->direct = false; /* this file system wants more than 4096 */
    return pl_sys.direct(fd, false) == 0 && pl_sys_write_full(fd, data, n, at);
}

/* Past the page cache where that can be: a copy less, and an upload does not push out what is
 * read. */
static pail_code write_lent(struct pl_store *s, int fd, struct pl_feed *feed, struct pl_staged *g,
                            struct pail_error **err)
{
    struct lent l = {.direct = feed->size >= DIRECT_FROM && pl_sys.direct(fd, true) == 0};
    uint64_t at = 0;
    pail_code rc = PAIL_OK;
    while (rc == PAIL_OK && at < feed->size) {
        const char *data = NULL;
        size_t n = 0;
        rc = feed->lend(feed, &data, &n, err);
        rc = rc ? rc : pl_moving_check(feed->cancelled, feed->deadline_ns);
        rc = rc ? rc : sum_lent(s, &l, g, data, n, feed->size, err);
        if (rc == PAIL_OK && !write_lent_bytes(fd, &l, data, n, at)) {
            rc = pl_fail_errno(err, errno, "writing to %s/" PL_DATA_NAME, s->home);
        }
        at += n;
        if (rc == PAIL_OK && feed->done) {
            atomic_store_explicit(feed->done, at, memory_order_relaxed);
        }
        if (rc == PAIL_OK && !l.direct && at % SYNC_EVERY == 0) {
            (void)pl_sys.sync_range(fd, (off_t)(at - SYNC_EVERY), SYNC_EVERY);
        }
    }
    return rc;
}

static pail_code sync_folder(struct pl_store *s, int64_t id, struct pail_error **err)
{
    char folder[PL_CONTENT_PATH_MAX];
    pl_content_folder(id, folder);
    int fd = pl_sys.open(s->data_fd, folder, O_RDONLY | O_DIRECTORY, 0);
    bool ok = fd >= 0 && pl_sys.fsync(fd) == 0;
    int saved = errno;
    if (fd >= 0) {
        pl_sys.close(fd);
    }
    return ok ? PAIL_OK
              : pl_fail_errno(err, saved, "syncing %s/" PL_DATA_NAME "/%s", s->home, folder);
}

static pail_code fill_file(struct pl_store *s, int fd, struct pl_feed *feed, enum pl_durability d,
                           struct pl_staged *g, struct pail_error **err)
{
    g->sums = pl_alloc(CHUNK * SUM);
    pail_code rc = g->sums ? PAIL_OK : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for checksums");
    if (rc == PAIL_OK && pl_sys.fallocate(fd, (off_t)feed->size) != 0 &&
        (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) {
        rc = errno == EFBIG
                 ? pl_fail(err, PAIL_E_TOO_LARGE, "%llu bytes are more than a file may have in %s",
                           (unsigned long long)feed->size, s->home)
                 : pl_fail_errno(err, errno, "%llu bytes for %s", (unsigned long long)feed->size,
                                 s->home);
    }
    rc = rc ? rc : feed->lend ? write_lent(s, fd, feed, g, err) : write_blocks(s, fd, feed, g, err);
    /* Also with `batch`: the index must never name bytes that a power cut can take. */
    if (rc == PAIL_OK && d != PL_DURABLE_OFF && pl_sys.fdatasync(fd) != 0) {
        rc = pl_fail_errno(err, errno, "syncing a content of %s", s->home);
    }
    return rc;
}

pail_code pl_content_write(struct pl_store *s, struct pl_feed *feed, const char *key, uint32_t part,
                           enum pl_durability d, struct pl_staged *g, struct pail_error **err)
{
    char path[PL_CONTENT_PATH_MAX];
    *g = (struct pl_staged){0};
    pl_content_tail(key, part, g->tail);
    pail_code rc = pl_ids_take(s, &g->id, err);
    if (rc) {
        g->id = 0;
        return rc;
    }
    pl_content_path(g->id, g->tail, path);
    int fd = pl_sys.open(s->data_fd, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return pl_fail_errno(err, errno, "making %s/" PL_DATA_NAME "/%s", s->home, path);
    }
    rc = fill_file(s, fd, feed, d, g, err);
    pl_sys.close(fd);
    return rc || d == PL_DURABLE_OFF ? rc : sync_folder(s, g->id, err);
}

void pl_staged_keep(struct pl_store *s, struct pl_staged *g)
{
    if (g->id) {
        pl_ids_done(s, g->id);
        g->id = 0;
    }
}

void pl_staged_dispose(struct pl_store *s, struct pl_staged *g)
{
    if (g->id) {
        char path[PL_CONTENT_PATH_MAX];
        pl_content_path(g->id, g->tail, path);
        (void)pl_sys.unlink(s->data_fd, path, 0);
        pl_ids_done(s, g->id);
    }
    pl_free(g->owned);
    pl_free(g->sums);
    *g = (struct pl_staged){0};
}

/* ---- reading ---- */

pail_code pl_content_find(struct pl_conn *c, int64_t id, struct pl_content *out,
                          struct pail_error **err)
{
    sqlite3_stmt *s = pl_conn_query(c, PL_Q_CONTENT);
    if (!s) {
        return pl_conn_fail(c, err, "looking up a content");
    }
    *out = (struct pl_content){.id = id};
    sqlite3_bind_int64(s, 1, id);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        out->size = (uint64_t)sqlite3_column_int64(s, 0);
        out->crc = (uint64_t)sqlite3_column_int64(s, 1);
        const char *tail = (const char *)sqlite3_column_text(s, 2);
        if (tail && strlen(tail) < sizeof out->tail) {
            memcpy(out->tail, tail, strlen(tail) + 1);
        }
    }
    sqlite3_reset(s);
    return rc == SQLITE_ROW    ? PAIL_OK
           : rc == SQLITE_DONE ? PAIL_E_NOT_FOUND
                               : pl_conn_fail(c, err, "looking up a content");
}

/* One content being read. */
struct reading {
    struct pl_store *store;
    const struct pl_content *content;
    const struct pl_moving *moving;
    int fd;
    char *room; /* for blocks that do not go straight to their place */
    char *sums; /* of chunk `chunk`, `sum_count` of them */
    size_t sum_count;
    int64_t chunk;
};

static pail_code load_sums(struct reading *r, int64_t chunk, struct pail_error **err)
{
    struct pl_conn *c;
    r->chunk = chunk;
    r->sum_count = 0;
    r->sums = r->sums ? r->sums : pl_alloc(CHUNK * SUM);
    if (!r->sums) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for checksums");
    }
    pail_code rc = pl_reader_take(r->store, &c, err);
    if (rc) {
        return rc;
    }
    sqlite3_stmt *s = pl_conn_query(c, PL_Q_SUMS);
    int step = SQLITE_ERROR;
    if (s) {
        sqlite3_bind_int64(s, 1, r->content->id << PL_CHUNK_BITS | chunk);
        step = sqlite3_step(s);
        const void *blob = step == SQLITE_ROW ? sqlite3_column_blob(s, 0) : NULL;
        size_t n = blob ? (size_t)sqlite3_column_bytes(s, 0) : 0;
        if (n && n <= CHUNK * SUM) {
            memcpy(r->sums, blob, n);
            r->sum_count = n / SUM;
        }
        sqlite3_reset(s);
    }
    if (step != SQLITE_ROW && step != SQLITE_DONE) {
        rc = pl_conn_fail(c, err, "looking up checksums");
    }
    pl_reader_give(r->store, c);
    return rc ? rc : step == SQLITE_DONE ? PAIL_E_NOT_FOUND : PAIL_OK;
}

static pail_code sum_of_block(struct reading *r, uint64_t block, uint64_t *sum,
                              struct pail_error **err)
{
    *sum = r->content->crc;
    if (r->content->size <= PL_BLOCK) {
        return PAIL_OK;
    }
    int64_t chunk = (int64_t)(block / CHUNK);
    if (r->chunk != chunk) {
        pail_code rc = load_sums(r, chunk, err);
        if (rc) {
            return rc;
        }
    }
    if (block % CHUNK >= r->sum_count) {
        return pl_fail(err, PAIL_E_CHECKSUM,
                       "the index has no checksum for a block of content %llx",
                       (unsigned long long)r->content->id);
    }
    *sum = get_sum(r->sums + block % CHUNK * SUM);
    return PAIL_OK;
}

static pail_code damaged(struct reading *r, uint64_t block, const char *how,
                         struct pail_error **err)
{
    char path[PL_CONTENT_PATH_MAX];
    pl_content_path(r->content->id, r->content->tail, path);
    pl_fail(err, PAIL_E_CHECKSUM,
            "the object is damaged at rest: %s/" PL_DATA_NAME "/%s %s at %llu", r->store->home,
            path, how, (unsigned long long)(block * PL_BLOCK));
    pl_error_hint(err, "run `pail fsck` to see all damage, and bring the object back from a copy");
    return PAIL_E_CHECKSUM;
}

/* Reads piece by piece, so that each is still in the cache for its checksum. */
static bool read_block(int fd, char *to, size_t n, uint64_t at, uint64_t *crc)
{
    enum { PIECE = 256 << 10 };
    *crc = 0;
    for (size_t i = 0; i < n; i += PIECE) {
        size_t piece = n - i < PIECE ? n - i : PIECE;
        if (!pl_sys_read_full(fd, to + i, piece, at + i)) {
            return false;
        }
        *crc = pl_crc64nvme(*crc, to + i, piece);
    }
    return true;
}

/* Moves [from, to) of one block to the sink once all of the block is verified. */
static pail_code move_block(struct reading *r, uint64_t block, uint64_t from, uint64_t to,
                            struct pail_error **err)
{
    struct pl_body *sink = r->moving->sink;
    uint64_t begin = block * PL_BLOCK, left = r->content->size - begin, sum = 0, crc;
    size_t n = left < PL_BLOCK ? (size_t)left : PL_BLOCK;
    bool straight = sink && sink->kind == PL_BODY_MEM && from == begin && to == begin + n;
    if (!straight && !r->room) {
        r->room = pl_alloc(PL_BLOCK);
    }
    char *place = straight ? sink->ptr + atomic_load(&sink->done) : r->room;
    pail_code rc = place ? sum_of_block(r, block, &sum, err)
                         : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a block of 1 MiB");
    if (rc) {
        return rc;
    }
    if (!read_block(r->fd, place, n, begin, &crc)) {
        return errno ? pl_fail_errno(err, errno, "reading a content of %s", r->store->home)
                     : damaged(r, block, "ends too early", err);
    }
    if (crc != sum) {
        return damaged(r, block, "has other bytes than were written", err);
    }
    if (straight) {
        atomic_fetch_add_explicit(&sink->done, n, memory_order_relaxed);
    } else if (sink && !pl_body_write(sink, place + (from - begin), (size_t)(to - from))) {
        return pl_fail_errno(err, errno, "writing what was read");
    }
    return PAIL_OK;
}

pail_code pl_content_read(struct pl_store *s, const struct pl_content *c, uint64_t offset,
                          uint64_t length, const struct pl_moving *m, struct pail_error **err)
{
    char path[PL_CONTENT_PATH_MAX];
    struct reading r = {.store = s, .content = c, .moving = m, .chunk = -1};
    pl_content_path(c->id, c->tail, path);
    r.fd = pl_sys.open(s->data_fd, path, O_RDONLY | O_NOFOLLOW, 0);
    if (r.fd < 0) {
        return errno == ENOENT
                   ? PAIL_E_NOT_FOUND
                   : pl_fail_errno(err, errno, "opening %s/" PL_DATA_NAME "/%s", s->home, path);
    }
    pail_code rc = PAIL_OK;
    for (uint64_t at = offset, end = offset + length; rc == PAIL_OK && at < end;) {
        uint64_t block = at / PL_BLOCK, to = (block + 1) * PL_BLOCK;
        to = to < end ? to : end;
        rc = pl_moving_check(m->cancelled, m->deadline_ns);
        rc = rc ? rc : move_block(&r, block, at, to, err);
        at = to;
    }
    pl_sys.close(r.fd);
    pl_free(r.room);
    pl_free(r.sums);
    return rc;
}
