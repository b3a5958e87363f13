/* Pages of keys, uploads and buckets: each entry is found by a seek, however many keys a common
 * prefix has. */
#include "codec/digest.h"
#include "local/job.h"

enum { PAGE_MAX = 1000 };

struct page {
    struct pl_op *op;
    struct pl_str prefix, delimiter; /* delimiter empty: none */
    size_t max, count;
    pail_info *items;
};

static pail_code page_of(struct pl_op *op, struct page *p)
{
    uint32_t max = op->in.list.max && op->in.list.max < PAGE_MAX ? op->in.list.max : PAGE_MAX;
    *p = (struct page){.op = op,
                       .prefix = pl_str_c(op->in.list.prefix),
                       .delimiter = pl_str_c(op->in.list.delimiter),
                       .max = max};
    p->items = pl_arena_alloc(&op->arena, max * sizeof *p->items);
    op->out.items = p->items;
    return p->items ? PAIL_OK : PAIL_E_NO_MEMORY;
}

/* The first text behind all that begin with `s`; in room of s.len + 1 bytes. Texts are UTF-8, so
 * 0xff is behind all of them. */
static struct pl_str successor(struct pl_str s, char *room)
{
    if (s.len) {
        memcpy(room, s.ptr, s.len);
    }
    room[s.len] = '\xff';
    return pl_str_n(room, s.len + 1);
}

/* The length of the common prefix that a key belongs to, 0: none. */
static size_t group_length(const struct page *p, const char *key, size_t n)
{
    if (p->delimiter.len == 0 || n < p->prefix.len) {
        return 0;
    }
    const char *hit =
        p->delimiter.len == 1
            ? memchr(key + p->prefix.len, *p->delimiter.ptr, n - p->prefix.len)
            : memmem(key + p->prefix.len, n - p->prefix.len, p->delimiter.ptr, p->delimiter.len);
    return hit ? (size_t)(hit - key) + p->delimiter.len : 0;
}

static const char *place_after(const struct pl_op *op)
{
    const char *after = op->in.list.token ? op->in.list.token : op->in.list.start_after;
    return after && *after ? after : NULL;
}

/* ---- objects ---- */

enum { KEY_ROOM = 1024 + 2 };

/* Where a statement goes on: behind `at`, or from it. */
struct cursor {
    struct pl_conn *conn;
    sqlite3_stmt *s; /* the one that is stepped */
    int64_t bucket;
    struct pl_str end;
};

/* text: valid until the next seek. */
static bool seek(struct cursor *c, struct pl_str at, bool inclusive)
{
    sqlite3_reset(c->s);
    c->s = pl_conn_query(c->conn, inclusive ? PL_Q_PAGE_FROM : PL_Q_PAGE_AFTER);
    if (c->s) {
        sqlite3_bind_int64(c->s, 1, c->bucket);
        sqlite3_bind_text(c->s, 2, at.ptr, (int)at.len, SQLITE_STATIC);
        sqlite3_bind_text(c->s, 3, c->end.ptr, (int)c->end.len, SQLITE_STATIC);
    }
    return c->s != NULL;
}

static bool seek_first(struct cursor *c, const struct page *p, char *room)
{
    const char *after = place_after(p->op);
    size_t n = after ? strlen(after) : 0;
    int order = after ? memcmp(after, p->prefix.ptr, n < p->prefix.len ? n : p->prefix.len) : -1;
    if (order < 0 || (order == 0 && n < p->prefix.len)) {
        return seek(c, p->prefix, true);
    }
    size_t group = order == 0 ? group_length(p, after, n) : 0;
    return group && group + 1 < KEY_ROOM ? seek(c, successor(pl_str_n(after, group), room), true)
                                         : seek(c, pl_str_n(after, n), false);
}

static bool add_prefix(struct page *p, const char *key, size_t n)
{
    pail_info *item = &p->items[p->count++];
    item->key = pl_arena_dup(&p->op->arena, pl_str_n(key, n));
    item->is_prefix = true;
    item->mtime_ms = -1;
    return item->key != NULL;
}

static bool add_object(struct page *p, sqlite3_stmt *s, const char *key, size_t n)
{
    pail_info *item = &p->items[p->count++];
    char *room = pl_arena_alloc(&p->op->arena, n + 1 + 17 + PL_ETAG_MAX);
    if (!room) {
        return false;
    }
    memcpy(room, key, n);
    item->key = room;
    item->version = room + n + 1;
    item->etag = room + n + 1 + 17;
    item->size = (uint64_t)sqlite3_column_int64(s, 1);
    item->mtime_ms = sqlite3_column_int64(s, 2);
    item->is_latest = true;
    pl_hex16(room + n + 1, (uint64_t)sqlite3_column_int64(s, 4));
    const char *etag = (const char *)sqlite3_column_text(s, 5);
    if (etag) {
        item->etag = pl_arena_dup_c(&p->op->arena, etag);
    } else {
        pl_etag_text(room + n + 1 + 17, (uint64_t)sqlite3_column_int64(s, 3), item->size);
    }
    return item->etag != NULL;
}

/* Fills the page; SQLITE_ROW: there is more. */
static int fill(struct page *p, struct cursor *c)
{
    char room[KEY_ROOM];
    if (!seek_first(c, p, room)) {
        return SQLITE_ERROR;
    }
    int rc;
    while ((rc = sqlite3_step(c->s)) == SQLITE_ROW && p->count < p->max) {
        const char *key = sqlite3_column_blob(c->s, 0);
        size_t n = (size_t)sqlite3_column_bytes(c->s, 0), group = group_length(p, key, n);
        if (!(group ? add_prefix(p, key, group) : add_object(p, c->s, key, n))) {
            return SQLITE_NOMEM;
        }
        if (group &&
            (group + 1 >= KEY_ROOM ||
             !seek(c, successor(pl_str_n(p->items[p->count - 1].key, group), room), true))) {
            return SQLITE_ERROR;
        }
    }
    return rc;
}

/* The end of a page, alike for all of them. */
static pail_code close_page(struct page *p, struct pl_conn *c, int rc, const char *token)
{
    struct pl_op *op = p->op;
    op->out.item_count = p->count;
    if (rc == SQLITE_ROW && p->count) {
        op->out.next_token = token;
    }
    return op->arena.failed || rc == SQLITE_NOMEM  ? PAIL_E_NO_MEMORY
           : rc == SQLITE_ROW || rc == SQLITE_DONE ? PAIL_OK
                                                   : pl_conn_fail(c, &op->error, "listing");
}

/* An empty page may come from a bucket that is not the one that this connection remembers. */
static pail_code list_objects(struct pl_op *op, struct pl_conn *conn)
{
    struct page p;
    char end[KEY_ROOM];
    pail_code rc = page_of(op, &p);
    if (rc) {
        return rc;
    }
    if (p.prefix.len + 1 >= KEY_ROOM) {
        return pl_bucket_id_known(conn, op->bucket, true, &(int64_t){0}, &op->error);
    }
    struct cursor c = {.conn = conn, .end = successor(p.prefix, end)};
    int step = SQLITE_DONE;
    bool many = p.delimiter.len > 0; /* seeks: one look at the index for all of them */
    if (many && !pl_conn_run(conn, PL_Q_LOOK, 0, 0, 0)) {
        return pl_conn_fail(conn, &op->error, "listing");
    }
    for (int fresh = 0; fresh < 2 && step == SQLITE_DONE && p.count == 0; fresh++) {
        int64_t before = c.bucket;
        rc = pl_bucket_id_known(conn, op->bucket, fresh, &c.bucket, &op->error);
        if (rc || c.bucket == before) {
            break;
        }
        step = fill(&p, &c);
        sqlite3_reset(c.s);
    }
    if (many && !pl_conn_run(conn, PL_Q_COMMIT, 0, 0, 0) && rc == PAIL_OK) {
        rc = pl_conn_fail(conn, &op->error, "listing");
    }
    return rc ? rc : close_page(&p, conn, step, p.count ? p.items[p.count - 1].key : NULL);
}

/* ---- uploads: the token is an id, a blank, and the key; of a common prefix the id is 0 ---- */

/* Where to go on: behind (key, id). */
static void place_of_uploads(const struct page *p, char *room, struct pl_str *key, int64_t *id)
{
    const char *token = p->op->in.list.token;
    *id = 0;
    *key = pl_str_c(p->op->in.list.start_after);
    if (token && strlen(token) > 17 && token[16] == ' ') {
        for (int i = 0; i < 16; i++) {
            char d = token[i];
            *id = *id << 4 | (d <= '9' ? d - '0' : d - 'a' + 10);
        }
        *key = pl_str_c(token + 17);
    } else if (key->len && p->op->in.list.after_upload) {
        *id = pl_upload_id(p->op->in.list.after_upload);
    }
    if (key->len < p->prefix.len || memcmp(key->ptr, p->prefix.ptr, p->prefix.len) < 0) {
        *key = p->prefix; /* ids are above 0, so those of this very key come too */
        *id = 0;
        return;
    }
    size_t group = group_length(p, key->ptr, key->len);
    if (group && group + 1 < KEY_ROOM) {
        *key = successor(pl_str_n(key->ptr, group), room);
    } else if (*id == 0) {
        *id = INT64_MAX;
    }
}

static bool add_upload(struct page *p, sqlite3_stmt *s)
{
    pail_info *item = &p->items[p->count++];
    char *id = pl_arena_alloc(&p->op->arena, 17);
    struct pl_str key = pl_str_c((const char *)sqlite3_column_text(s, 0));
    item->key = pl_arena_dup(&p->op->arena, key);
    item->mtime_ms = sqlite3_column_int64(s, 2);
    item->upload_id = id;
    if (id) {
        pl_hex16(id, (uint64_t)sqlite3_column_int64(s, 1));
    }
    return id && item->key;
}

static char *upload_token(struct page *p)
{
    const pail_info *last = p->count ? &p->items[p->count - 1] : NULL;
    char *token = last ? pl_arena_alloc(&p->op->arena, 18 + strlen(last->key)) : NULL;
    if (token) {
        memcpy(token, last->upload_id ? last->upload_id : "0000000000000000", 16);
        token[16] = ' ';
        memcpy(token + 17, last->key, strlen(last->key));
    }
    return token;
}

static int fill_uploads(struct page *p, sqlite3_stmt *s)
{
    struct pl_str group = {0}; /* the last one given */
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(s, 0);
        size_t n = (size_t)sqlite3_column_bytes(s, 0), length = group_length(p, key, n);
        if (length && length == group.len && memcmp(key, group.ptr, length) == 0) {
            continue;
        }
        if (p->count == p->max) {
            return rc;
        }
        if (!(length ? add_prefix(p, key, length) : add_upload(p, s))) {
            return SQLITE_NOMEM;
        }
        group = length ? pl_str_c(p->items[p->count - 1].key) : group;
    }
    return rc;
}

static pail_code list_uploads(struct pl_op *op, struct pl_conn *conn)
{
    struct page p;
    char end[KEY_ROOM], from[KEY_ROOM];
    int64_t bucket, id;
    struct pl_str key;
    pail_code rc = page_of(op, &p);
    rc = rc ? rc : pl_bucket_id(conn, op->bucket, &bucket, &op->error);
    if (rc || p.prefix.len + 1 >= KEY_ROOM) {
        return rc;
    }
    place_of_uploads(&p, from, &key, &id);
    sqlite3_stmt *s = pl_conn_query(conn, PL_Q_UPLOAD_PAGE);
    struct pl_str last = successor(p.prefix, end);
    int step = SQLITE_ERROR;
    if (s) {
        sqlite3_bind_int64(s, 1, bucket);
        sqlite3_bind_text(s, 2, key.ptr, (int)key.len, SQLITE_STATIC);
        sqlite3_bind_text(s, 3, last.ptr, (int)last.len, SQLITE_STATIC);
        sqlite3_bind_int64(s, 4, id);
        step = fill_uploads(&p, s);
        sqlite3_reset(s);
    }
    return close_page(&p, conn, step, upload_token(&p));
}

/* ---- buckets ---- */

static pail_code list_buckets(struct pl_op *op, struct pl_conn *conn)
{
    struct page p;
    char end[KEY_ROOM];
    pail_code rc = page_of(op, &p);
    if (rc || p.prefix.len + 1 >= KEY_ROOM) {
        return rc;
    }
    sqlite3_stmt *s = pl_conn_query(conn, PL_Q_BUCKET_LIST);
    struct pl_str last = successor(p.prefix, end);
    int step = SQLITE_ERROR;
    if (s) {
        const char *after = place_after(op);
        sqlite3_bind_text(s, 1, after ? after : "", -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, p.prefix.ptr, (int)p.prefix.len, SQLITE_STATIC);
        sqlite3_bind_text(s, 3, last.ptr, (int)last.len, SQLITE_STATIC);
    }
    while (s && (step = sqlite3_step(s)) == SQLITE_ROW && p.count < p.max) {
        pail_info *item = &p.items[p.count++];
        item->key = pl_arena_dup_c(&op->arena, (const char *)sqlite3_column_text(s, 0));
        item->mtime_ms = sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
    return close_page(&p, conn, step, p.count ? p.items[p.count - 1].key : NULL);
}

static pail_code with_reader(struct pl_job *j, pail_code (*list)(struct pl_op *, struct pl_conn *))
{
    struct pl_conn *c;
    pail_code rc = pl_reader_take(j->store, &c, &j->op->error);
    if (rc) {
        return rc;
    }
    rc = list(j->op, c);
    pl_reader_give(j->store, c);
    return rc;
}

pail_code pl_read_list(struct pl_job *j)
{
    return with_reader(j, list_objects);
}
pail_code pl_read_uploads(struct pl_job *j)
{
    return with_reader(j, list_uploads);
}
pail_code pl_read_buckets(struct pl_job *j)
{
    return with_reader(j, list_buckets);
}

/* ---- the parts of one upload ---- */

static pail_code fill_parts(struct pl_op *op, sqlite3_stmt *s, int64_t upload)
{
    struct pl_arena *a = &op->arena;
    uint32_t max = op->in.list.max && op->in.list.max < PAGE_MAX ? op->in.list.max : PAGE_MAX;
    struct pl_part *parts = pl_arena_alloc(a, max * sizeof *parts);
    sqlite3_bind_int64(s, 1, upload);
    int step = SQLITE_ERROR;
    while (parts && (step = sqlite3_step(s)) == SQLITE_ROW) {
        uint32_t number = (uint32_t)(sqlite3_column_int64(s, 0) & ((1 << PL_PART_BITS) - 1));
        if (number <= op->in.list.after_part) {
            continue;
        }
        if (op->out.part_count == max) {
            op->out.more_parts = true;
            step = SQLITE_DONE;
            break;
        }
        struct pl_part *p = &parts[op->out.part_count++];
        char etag[PL_ETAG_MAX];
        const char *own = (const char *)sqlite3_column_text(s, 4);
        p->number = number;
        p->size = (uint64_t)sqlite3_column_int64(s, 2);
        p->sum = (struct pl_part_sum){PL_SUM_CRC64NVME, (uint64_t)sqlite3_column_int64(s, 3)};
        pl_etag_text(etag, p->sum.value, p->size);
        p->etag = pl_arena_dup_c(a, own ? own : etag);
        p->checksum = pl_arena_dup_c(a, (const char *)sqlite3_column_text(s, 5));
    }
    op->out.parts = parts;
    return a->failed ? PAIL_E_NO_MEMORY : step == SQLITE_DONE ? PAIL_OK : PAIL_E_IO;
}

/* The list that an object is; *id 0: it is one piece. As long as *held is not reset, the parts are
 * read as they were at this moment, whatever others write. */
static pail_code object_list(struct pl_conn *c, struct pl_op *op, int64_t *id, sqlite3_stmt **held)
{
    struct pl_wanted w = {op->bucket, op->key, op->version, PL_Q_STAT};
    struct pl_row row;
    pail_code rc = pl_find(c, &w, held, &row, &op->error);
    if (rc == PAIL_OK) {
        pl_row_info(&row, &op->arena, op->key, &op->out.info);
        *id = pl_place_kind(row.place) == PL_PLACE_LIST ? pl_place_id(row.place) : 0;
    }
    return rc;
}

static pail_code upload_list(struct pl_conn *c, struct pl_op *op, int64_t *id, sqlite3_stmt **held)
{
    int64_t bucket;
    *id = pl_upload_id(op->in.list.upload_id);
    pail_code rc = pl_bucket_id(c, op->bucket, &bucket, &op->error);
    sqlite3_stmt *s = rc ? NULL : pl_conn_query(c, PL_Q_UPLOAD);
    if (!s) {
        return rc ? rc : pl_conn_fail(c, &op->error, "looking up an upload");
    }
    sqlite3_bind_int64(s, 1, bucket);
    sqlite3_bind_text(s, 2, op->key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, *id);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW) {
        size_t n = (size_t)sqlite3_column_bytes(s, 2);
        op->out.note = pl_attrs_note(pl_str_n(sqlite3_column_blob(s, 2), n), &op->arena);
    }
    *held = s;
    return step == SQLITE_ROW    ? PAIL_OK
           : step == SQLITE_DONE ? PAIL_E_UPLOAD_NOT_FOUND
                                 : pl_conn_fail(c, &op->error, "looking up an upload");
}

pail_code pl_read_parts(struct pl_job *j)
{
    struct pl_op *op = j->op;
    struct pl_conn *c;
    int64_t id = 0;
    pail_code rc = pl_reader_take(j->store, &c, &op->error);
    if (rc) {
        return rc;
    }
    sqlite3_stmt *held = NULL;
    rc = op->in.list.of_object ? object_list(c, op, &id, &held) : upload_list(c, op, &id, &held);
    sqlite3_stmt *parts = rc || !id ? NULL : pl_conn_query(c, PL_Q_PARTS);
    if (parts) {
        rc = fill_parts(op, parts, id);
        sqlite3_reset(parts);
    }
    rc = rc || parts || !id ? rc : pl_conn_fail(c, &op->error, "listing parts");
    sqlite3_reset(held);
    pl_reader_give(j->store, c);
    return rc;
}
