#include "local/index.h"

#include <stdio.h>

#include "codec/base64.h"
#include "local/attrs.h"

/* A page holds about 40 keys. `inline` keeps small contents out of the tree of keys; so does
 * `attrs` with metadata, where 1.2 KB cost 4.7 KB in a row without rowid. */
static const char schema[] =
    "PRAGMA page_size=4096; PRAGMA journal_mode=WAL;"
    "BEGIN;"
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('owner', 1), ('block', 1), ('list', 1);"
    "CREATE TABLE buckets(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
    " made_ms INTEGER NOT NULL);"
    "CREATE TABLE objects(bucket INTEGER NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL,"
    " mtime_ms INTEGER NOT NULL, crc INTEGER NOT NULL, version INTEGER NOT NULL,"
    " place INTEGER NOT NULL, type TEXT, etag TEXT, attrs INTEGER,"
    " PRIMARY KEY(bucket, key)) WITHOUT ROWID;"
    "CREATE TABLE inline(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE attrs(id INTEGER PRIMARY KEY, fields BLOB, tags BLOB);"
    "CREATE TABLE contents(id INTEGER PRIMARY KEY, refs INTEGER NOT NULL, size INTEGER NOT NULL,"
    " crc INTEGER NOT NULL, tail TEXT NOT NULL);"
    "CREATE TABLE sums(id INTEGER PRIMARY KEY, crcs BLOB NOT NULL);"
    "CREATE TABLE lists(id INTEGER PRIMARY KEY, refs INTEGER NOT NULL);"
    "CREATE TABLE parts(id INTEGER PRIMARY KEY, content INTEGER NOT NULL, size INTEGER NOT NULL,"
    " crc INTEGER NOT NULL, etag TEXT, sum TEXT);"
    "CREATE TABLE uploads(bucket INTEGER NOT NULL, key TEXT NOT NULL, id INTEGER NOT NULL,"
    " made_ms INTEGER NOT NULL, type TEXT, attrs INTEGER, PRIMARY KEY(bucket, key, id))"
    " WITHOUT ROWID;"
    "CREATE TABLE gc(id INTEGER PRIMARY KEY, tail TEXT NOT NULL);"
    "CREATE TABLE pins(owner INTEGER PRIMARY KEY);"
    "CREATE TABLE idblocks(id INTEGER PRIMARY KEY, next INTEGER NOT NULL, owner INTEGER NOT NULL);"
    "COMMIT;";

#define ROW                                                                                        \
    "SELECT o.size, o.mtime_ms, o.crc, o.version, o.place, o.type, o.etag, o.attrs, a.fields, "    \
    "a.tags"
#define PAGE                                                                                       \
    "SELECT key, size, mtime_ms, crc, version, etag FROM objects WHERE bucket=?1 AND key<?3 AND "

static const char *const queries[PL_Q_COUNT] = {
    [PL_Q_BUCKET_ID] = "SELECT id FROM buckets WHERE name=?1",
    [PL_Q_BUCKET_STAT] = "SELECT made_ms FROM buckets WHERE name=?1",
    [PL_Q_BUCKET_LIST] = "SELECT name, made_ms FROM buckets WHERE name>?1 AND name>=?2 AND name<?3"
                         " ORDER BY name",
    [PL_Q_STAT] = ROW " FROM objects o LEFT JOIN attrs a ON a.id=o.attrs WHERE o.bucket=?1 AND "
                      "o.key=?2",
    [PL_Q_GET] = ROW ", i.bytes FROM objects o LEFT JOIN attrs a ON a.id=o.attrs"
                     " LEFT JOIN inline i ON i.id=iif(o.place&3=1, o.place>>2, NULL)"
                     " WHERE o.bucket=?1 AND o.key=?2",
    [PL_Q_PAGE_AFTER] = PAGE "key>?2 ORDER BY key",
    [PL_Q_PAGE_FROM] = PAGE "key>=?2 ORDER BY key",
    [PL_Q_CONTENT] = "SELECT size, crc, tail, refs FROM contents WHERE id=?1",
    [PL_Q_SUMS] = "SELECT crcs FROM sums WHERE id=?1",
    [PL_Q_PARTS] =
        "SELECT id, content, size, crc, etag, sum FROM parts WHERE id>=?1<<14 AND id<(?1+1)<<14"
        " ORDER BY id",
    [PL_Q_UPLOAD] = "SELECT u.type, u.attrs, a.fields FROM uploads u LEFT JOIN attrs a ON"
                    " a.id=u.attrs WHERE u.bucket=?1 AND u.key=?2 AND u.id=?3",
    [PL_Q_UPLOAD_PAGE] = "SELECT key, id, made_ms FROM uploads WHERE bucket=?1 AND"
                         " (key, id)>(?2, ?4) AND key<?3 ORDER BY key, id",
    [PL_Q_UPLOAD_PARTS] = "SELECT b.name, u.key, p.content FROM uploads u"
                          " JOIN buckets b ON b.id=u.bucket"
                          " JOIN parts p ON p.id>=u.id<<14 AND p.id<(u.id+1)<<14 WHERE p.content",
    [PL_Q_CHECK_PAGE] = "SELECT b.id, b.name, o.key, o.size, o.version FROM objects o"
                        " JOIN buckets b ON b.id=o.bucket WHERE (o.bucket, o.key)>(?1, ?2)"
                        " ORDER BY o.bucket, o.key LIMIT 1",
    [PL_Q_CHECK_INDEX] = "PRAGMA integrity_check",
    [PL_Q_CHECK_REFS] = "SELECT c.id, c.refs, coalesce(r.n, 0) FROM contents c LEFT JOIN"
                        " (SELECT id, count(*) AS n FROM (SELECT place>>2 AS id FROM objects"
                        " WHERE place&3=2 UNION ALL SELECT content FROM parts) GROUP BY id) r"
                        " ON r.id=c.id WHERE c.refs<>coalesce(r.n, 0)",
    [PL_Q_CONTENTS] = "SELECT id, tail FROM contents ORDER BY id",
    [PL_Q_LOOK] = "BEGIN",
    [PL_Q_COMMIT] = "COMMIT",
    [PL_Q_BEGIN] = "BEGIN IMMEDIATE",
    [PL_Q_META_GET] = "SELECT value FROM meta WHERE name=?1",
    [PL_Q_META_SET] = "UPDATE meta SET value=?2 WHERE name=?1",
    [PL_Q_BUCKET_ADD] = "INSERT INTO buckets(name, made_ms) VALUES(?1, ?2)",
    [PL_Q_BUCKET_DROP] = "DELETE FROM buckets WHERE id=?1",
    [PL_Q_BUCKET_USED] = "SELECT 1 FROM objects WHERE bucket=?1 LIMIT 1",
    [PL_Q_OBJECT_SET] = "REPLACE INTO objects VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [PL_Q_OBJECT_DROP] = "DELETE FROM objects WHERE bucket=?1 AND key=?2",
    [PL_Q_OBJECT_ATTRS] = "UPDATE objects SET attrs=?3 WHERE bucket=?1 AND key=?2",
    [PL_Q_INLINE_ADD] = "INSERT INTO inline(bytes) VALUES(?1)",
    [PL_Q_INLINE_SET] = "UPDATE inline SET bytes=?1 WHERE id=?2",
    [PL_Q_INLINE_COPY] = "INSERT INTO inline(bytes) SELECT bytes FROM inline WHERE id=?1",
    [PL_Q_INLINE_DROP] = "DELETE FROM inline WHERE id=?1",
    [PL_Q_ATTRS_ADD] = "INSERT INTO attrs(fields, tags) VALUES(?1, ?2)",
    [PL_Q_ATTRS_COPY] = "INSERT INTO attrs(fields, tags) SELECT fields, tags FROM attrs WHERE"
                        " id=?1",
    [PL_Q_ATTRS_FIELDS] = "UPDATE attrs SET fields=?2 WHERE id=?1",
    [PL_Q_ATTRS_TAGS] = "UPDATE attrs SET tags=?2 WHERE id=?1",
    [PL_Q_ATTRS_DROP] = "DELETE FROM attrs WHERE id=?1",
    [PL_Q_CONTENT_ADD] = "INSERT INTO contents VALUES(?1, 1, ?2, ?3, ?4)",
    [PL_Q_CONTENT_REFS] = "UPDATE contents SET refs=refs+?2 WHERE id=?1",
    [PL_Q_CONTENT_DROP] = "DELETE FROM contents WHERE id=?1",
    [PL_Q_SUMS_ADD] = "INSERT INTO sums VALUES(?1, ?2)",
    [PL_Q_SUMS_DROP] = "DELETE FROM sums WHERE id>=?1<<20 AND id<(?1+1)<<20",
    [PL_Q_SUMS_ORPHANS] = "DELETE FROM sums WHERE id>=?1<<30 AND id<(?1+1)<<30 AND"
                          " id>>20 NOT IN (SELECT id FROM contents)",
    [PL_Q_LIST_ADD] = "INSERT INTO lists VALUES(?1, 1)",
    [PL_Q_LIST_REFS] = "UPDATE lists SET refs=refs+?2 WHERE id=?1",
    [PL_Q_LIST_GET] = "SELECT refs FROM lists WHERE id=?1",
    [PL_Q_LIST_DROP] = "DELETE FROM lists WHERE id=?1",
    [PL_Q_PART_SET] = "REPLACE INTO parts VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [PL_Q_PART_GET] = "SELECT content, size, crc, etag FROM parts WHERE id=?1",
    [PL_Q_PART_DROP] = "DELETE FROM parts WHERE id=?1",
    [PL_Q_PARTS_DROP] = "DELETE FROM parts WHERE id>=?1<<14 AND id<(?1+1)<<14",
    [PL_Q_UPLOAD_ADD] = "INSERT INTO uploads VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [PL_Q_UPLOAD_DROP] = "DELETE FROM uploads WHERE bucket=?1 AND key=?2 AND id=?3",
    [PL_Q_UPLOAD_OF_BUCKET] = "SELECT key, id, attrs FROM uploads WHERE bucket=?1 LIMIT 1",
    [PL_Q_GC_ADD] = "INSERT OR IGNORE INTO gc VALUES(?1, ?2)",
    [PL_Q_GC_LIST] = "SELECT id, tail FROM gc ORDER BY id LIMIT 16384",
    [PL_Q_GC_DROP] = "DELETE FROM gc WHERE id=?1",
    [PL_Q_GC_HAS] = "SELECT 1 FROM gc WHERE id=?1 UNION ALL SELECT 1 FROM contents WHERE id=?1",
    [PL_Q_PIN_ADD] = "INSERT OR IGNORE INTO pins VALUES(?1)",
    [PL_Q_PIN_LIST] = "SELECT owner FROM pins",
    [PL_Q_PIN_DROP] = "DELETE FROM pins WHERE owner=?1",
    [PL_Q_BLOCK_ADD] = "INSERT INTO idblocks VALUES(?1, ?2, ?3)",
    [PL_Q_BLOCK_LIST] = "SELECT id, next, owner FROM idblocks ORDER BY id",
    [PL_Q_BLOCK_NEXT] = "UPDATE idblocks SET next=?2 WHERE id=?1 AND next<?2",
    [PL_Q_BLOCK_GET] = "SELECT owner FROM idblocks WHERE id=?1",
    [PL_Q_BLOCK_OWNER] = "UPDATE idblocks SET owner=?2 WHERE id=?1",
    [PL_Q_BLOCK_DROP] = "DELETE FROM idblocks WHERE id=?1",
};

static pail_code code_of(int sqlite)
{
    switch (sqlite & 0xff) {
    case SQLITE_FULL: return PAIL_E_NO_SPACE;
    case SQLITE_NOMEM: return PAIL_E_NO_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return PAIL_E_CHECKSUM;
    default: return PAIL_E_IO;
    }
}

pail_code pl_conn_fail(struct pl_conn *c, struct pail_error **err, const char *what)
{
    int rc = sqlite3_extended_errcode(c->db);
    pail_code code = code_of(rc);
    pl_fail(err, code, "%s: the index says \"%s\" (SQLite %d)", what, sqlite3_errmsg(c->db), rc);
    if (code == PAIL_E_CHECKSUM) {
        pl_error_hint(err, "run `pail fsck`, and bring back a backup if it finds damage");
    } else if (code == PAIL_E_NO_SPACE) {
        pl_error_hint(err, "free some space, or choose another place");
    }
    return code;
}

pail_code pl_index_create(const char *path, struct pail_error **err)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(path, &db, flags, NULL);
    rc = rc ? rc : sqlite3_exec(db, schema, NULL, NULL, NULL);
    pail_code code = PAIL_OK;
    if (rc) {
        code = pl_fail(err, code_of(rc), "making the index %s: %s", path,
                       db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    }
    sqlite3_close(db); /* the last connection: writes its log back and removes it */
    return code;
}

static int note_frames(void *ctx, sqlite3 *db, const char *name, int frames)
{
    (void)db;
    (void)name;
    ((struct pl_conn *)ctx)->log_frames = frames;
    return SQLITE_OK;
}

/* secure_delete is on in some builds and doubles the writes. The busy timeout counts only where
 * another process was killed while it changed the shared memory and a reader repairs that. */
static const char settings[] = "PRAGMA secure_delete=OFF; PRAGMA temp_store=MEMORY;"
                               "PRAGMA mmap_size=0; PRAGMA cache_size=-2048;"
                               "PRAGMA busy_timeout=60000; PRAGMA wal_autocheckpoint=0;"
                               "PRAGMA synchronous=FULL;";

static pail_code open_at(const char *uri, struct pl_conn **out, struct pail_error **err)
{
    struct pl_conn *c = pl_calloc(1, sizeof *c);
    if (!c) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a connection to the index");
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(uri, &c->db, flags, NULL);
    rc = rc ? rc : sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    rc = rc ? rc : sqlite3_exec(c->db, settings, NULL, NULL, NULL);
    rc = rc ? rc : sqlite3_exec(c->db, "SELECT count(*) FROM meta", NULL, NULL, NULL);
    if (rc) {
        pail_code code = pl_conn_fail(c, err, "opening the index");
        pl_conn_close(c);
        return code;
    }
    sqlite3_wal_hook(c->db, note_frames, c);
    *out = c;
    return PAIL_OK;
}

pail_code pl_conn_open(const struct pl_index_files *files, struct pl_conn **out,
                       struct pail_error **err)
{
    char uri[128];
    pl_vfs_uri(files, uri, sizeof uri);
    return open_at(uri, out, err);
}

pail_code pl_conn_open_alone(const char *path, struct pl_conn **out, struct pail_error **err)
{
    return open_at(path, out, err);
}

pail_code pl_index_renew(struct pl_conn *c, struct pail_error **err)
{
    static const char text[] = "ALTER TABLE parts ADD COLUMN sum TEXT";
    sqlite3_stmt *s = NULL;
    bool done = sqlite3_prepare_v2(c->db, "SELECT sum FROM parts", -1, &s, NULL) == SQLITE_OK;
    sqlite3_finalize(s);
    int rc = done ? SQLITE_OK : sqlite3_exec(c->db, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
    rc = done || rc ? rc : sqlite3_exec(c->db, text, NULL, NULL, NULL);
    return rc ? pl_conn_fail(c, err, "renewing the index") : PAIL_OK;
}

void pl_conn_close(struct pl_conn *c)
{
    if (c) {
        for (int i = 0; i < PL_Q_COUNT; i++) {
            sqlite3_finalize(c->statements[i]);
        }
        sqlite3_close(c->db);
        pl_free(c);
    }
}

sqlite3_stmt *pl_conn_query(struct pl_conn *c, enum pl_query q)
{
    if (!c->statements[q]) {
        (void)sqlite3_prepare_v3(c->db, queries[q], -1, SQLITE_PREPARE_PERSISTENT,
                                 &c->statements[q], NULL);
    }
    return c->statements[q];
}

bool pl_conn_run(struct pl_conn *c, enum pl_query q, int64_t a, int64_t b, int64_t d)
{
    sqlite3_stmt *s = pl_conn_query(c, q);
    if (!s) {
        return false;
    }
    int64_t values[] = {a, b, d};
    int n = sqlite3_bind_parameter_count(s);
    for (int i = 0; i < n && i < 3; i++) {
        sqlite3_bind_int64(s, i + 1, values[i]);
    }
    int rc = sqlite3_step(s);
    return (sqlite3_reset(s) == SQLITE_OK) && (rc == SQLITE_DONE || rc == SQLITE_ROW);
}

pail_code pl_bucket_id(struct pl_conn *c, const char *name, int64_t *id, struct pail_error **err)
{
    sqlite3_stmt *s = pl_conn_query(c, PL_Q_BUCKET_ID);
    if (!s) {
        return pl_conn_fail(c, err, "looking up a bucket");
    }
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    *id = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    return rc == SQLITE_ROW ? PAIL_OK
           : rc == SQLITE_DONE
               ? pl_fail(err, PAIL_E_BUCKET_NOT_FOUND, "no bucket \"%s\" in this LOCAL store", name)
               : pl_conn_fail(c, err, "looking up a bucket");
}

pail_code pl_bucket_id_known(struct pl_conn *c, const char *name, bool fresh, int64_t *id,
                             struct pail_error **err)
{
    unsigned at = c->known_next++ % PL_BUCKETS_KNOWN;
    for (unsigned i = 0; i < PL_BUCKETS_KNOWN; i++) {
        if (strcmp(c->known[i].name, name) == 0) {
            if (!fresh) {
                c->known_next--;
                *id = c->known[i].id;
                return PAIL_OK;
            }
            at = i;
        }
    }
    c->known[at].name[0] = '\0';
    pail_code rc = pl_bucket_id(c, name, id, err);
    if (rc == PAIL_OK && strlen(name) < PL_BUCKET_NAME_MAX) {
        memcpy(c->known[at].name, name, strlen(name) + 1);
        c->known[at].id = *id;
    }
    return rc;
}

static struct pl_str column_blob(sqlite3_stmt *s, int i)
{
    const char *p = sqlite3_column_blob(s, i);
    return pl_str_n(p, p ? (size_t)sqlite3_column_bytes(s, i) : 0);
}

void pl_row_read(sqlite3_stmt *s, struct pl_row *row)
{
    row->size = (uint64_t)sqlite3_column_int64(s, 0);
    row->mtime_ms = sqlite3_column_int64(s, 1);
    row->crc = (uint64_t)sqlite3_column_int64(s, 2);
    row->version = (uint64_t)sqlite3_column_int64(s, 3);
    row->place = sqlite3_column_int64(s, 4);
    row->type = (const char *)sqlite3_column_text(s, 5);
    row->etag = (const char *)sqlite3_column_text(s, 6);
    row->attrs = sqlite3_column_int64(s, 7);
    row->fields = column_blob(s, 8);
    row->tags = column_blob(s, 9);
}

#define SUM_NAME "crc64nvme:"
enum { SUM_MAX = sizeof SUM_NAME - 1 + PL_BASE64_SIZE(8) };

void pl_row_info(const struct pl_row *row, struct pl_arena *arena, const char *key, pail_info *out)
{
    char *room = pl_arena_alloc(arena, PL_ETAG_MAX + 17 + SUM_MAX);
    if (!room) {
        return;
    }
    out->key = key;
    out->size = row->size;
    out->mtime_ms = row->mtime_ms;
    out->is_latest = true;
    out->etag = row->etag ? pl_arena_dup_c(arena, row->etag) : room;
    pl_etag_text(room, row->crc, row->size);
    room += PL_ETAG_MAX;
    out->version = room;
    *pl_hex16(room, row->version) = '\0';
    room += 17;
    out->checksum = room;
    memcpy(room, SUM_NAME, sizeof SUM_NAME - 1);
    uint64_t big = __builtin_bswap64(row->crc);
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) {
        big = row->crc;
    }
    pl_base64_text(room + sizeof SUM_NAME - 1, &big, sizeof big);
    out->content_type = pl_arena_dup_c(arena, row->type);
    pl_attrs_read(row->fields, row->tags, arena, out);
}

/* Whether a version that a caller names is that of the row. */
static bool is_version(const char *wanted, uint64_t version)
{
    char text[17];
    *pl_hex16(text, version) = '\0';
    return !wanted || strcmp(wanted, text) == 0;
}

pail_code pl_find(struct pl_conn *c, const struct pl_wanted *w, sqlite3_stmt **out,
                  struct pl_row *row, struct pail_error **err)
{
    *out = NULL;
    sqlite3_stmt *s = pl_conn_query(c, w->query);
    if (!s) {
        return pl_conn_fail(c, err, "looking up an object");
    }
    int rc = SQLITE_DONE;
    int64_t bucket, before = 0;
    for (int fresh = 0; fresh < 2 && rc == SQLITE_DONE; fresh++) {
        pail_code code = pl_bucket_id_known(c, w->bucket, fresh, &bucket, err);
        if (code || bucket == before) {
            return code ? code : w->version ? PAIL_E_VERSION_NOT_FOUND : PAIL_E_NOT_FOUND;
        }
        before = bucket;
        sqlite3_bind_int64(s, 1, bucket);
        sqlite3_bind_text(s, 2, w->key, -1, SQLITE_STATIC);
        rc = sqlite3_step(s);
        if (rc != SQLITE_ROW) {
            sqlite3_reset(s);
        }
    }
    if (rc != SQLITE_ROW) {
        return rc == SQLITE_DONE ? PAIL_E_NOT_FOUND : pl_conn_fail(c, err, "looking up an object");
    }
    pl_row_read(s, row);
    if (!is_version(w->version, row->version)) {
        sqlite3_reset(s);
        return PAIL_E_VERSION_NOT_FOUND;
    }
    *out = s;
    return PAIL_OK;
}
