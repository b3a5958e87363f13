/* The index: SQLite connections, their statements, and rows as values. */
#ifndef PL_LOCAL_INDEX_H
#define PL_LOCAL_INDEX_H

#include <sqlite3.h>

#include "local/vfs.h"
#include "provider/op.h"

/* Where the bytes of an object are: id << 2 | kind; 0: it has none. */
enum pl_place { PL_PLACE_EMPTY = 0, PL_PLACE_INLINE, PL_PLACE_FILE, PL_PLACE_LIST };
#define PL_PLACE(id, kind) ((int64_t)(id) << 2 | (kind))
static inline int64_t pl_place_id(int64_t place)
{
    return place >> 2;
}
static inline enum pl_place pl_place_kind(int64_t place)
{
    return (enum pl_place)(place & 3);
}

/* Parts of a list and block checksums of a content have row ids made of two numbers. */
enum { PL_PART_BITS = 14, PL_CHUNK_BITS = 20 };

enum pl_query {
    PL_Q_BUCKET_ID,
    PL_Q_BUCKET_STAT,
    PL_Q_BUCKET_LIST,
    PL_Q_STAT,
    PL_Q_GET,
    PL_Q_PAGE_AFTER,
    PL_Q_PAGE_FROM,
    PL_Q_CONTENT,
    PL_Q_SUMS,
    PL_Q_PARTS,
    PL_Q_UPLOAD,
    PL_Q_UPLOAD_PAGE,
    PL_Q_UPLOAD_PARTS,
    PL_Q_CHECK_PAGE,
    PL_Q_CHECK_INDEX,
    PL_Q_CHECK_REFS,
    PL_Q_CONTENTS,
    PL_Q_LOOK, /* begins a look at one state of the index; PL_Q_COMMIT ends it */
    PL_Q_COMMIT,
    /* From here on only in the committer's transactions. */
    PL_Q_BEGIN,
    PL_Q_META_GET,
    PL_Q_META_SET,
    PL_Q_BUCKET_ADD,
    PL_Q_BUCKET_DROP,
    PL_Q_BUCKET_USED,
    PL_Q_OBJECT_SET,
    PL_Q_OBJECT_DROP,
    PL_Q_OBJECT_ATTRS,
    PL_Q_INLINE_ADD,
    PL_Q_INLINE_SET,
    PL_Q_INLINE_COPY,
    PL_Q_INLINE_DROP,
    PL_Q_ATTRS_ADD,
    PL_Q_ATTRS_COPY,
    PL_Q_ATTRS_FIELDS,
    PL_Q_ATTRS_TAGS,
    PL_Q_ATTRS_DROP,
    PL_Q_CONTENT_ADD,
    PL_Q_CONTENT_REFS,
    PL_Q_CONTENT_DROP,
    PL_Q_SUMS_ADD,
    PL_Q_SUMS_DROP,
    PL_Q_SUMS_ORPHANS,
    PL_Q_LIST_ADD,
    PL_Q_LIST_REFS,
    PL_Q_LIST_GET,
    PL_Q_LIST_DROP,
    PL_Q_PART_SET,
    PL_Q_PART_GET,
    PL_Q_PART_DROP,
    PL_Q_PARTS_DROP,
    PL_Q_UPLOAD_ADD,
    PL_Q_UPLOAD_DROP,
    PL_Q_UPLOAD_OF_BUCKET,
    PL_Q_GC_ADD,
    PL_Q_GC_LIST,
    PL_Q_GC_DROP,
    PL_Q_GC_HAS,
    PL_Q_PIN_ADD,
    PL_Q_PIN_LIST,
    PL_Q_PIN_DROP,
    PL_Q_BLOCK_ADD,
    PL_Q_BLOCK_LIST,
    PL_Q_BLOCK_NEXT,
    PL_Q_BLOCK_GET,
    PL_Q_BLOCK_OWNER,
    PL_Q_BLOCK_DROP,
    PL_Q_COUNT
};

enum { PL_BUCKETS_KNOWN = 4, PL_BUCKET_NAME_MAX = 64 };

/* One connection with its statements, prepared at first use. One thread at a time. */
struct pl_conn {
    sqlite3 *db;
    sqlite3_stmt *statements[PL_Q_COUNT];
    struct { /* ids are never given twice, so a stale one finds nothing and is looked up again */
        char name[PL_BUCKET_NAME_MAX];
        int64_t id;
    } known[PL_BUCKETS_KNOWN];
    unsigned known_next;
    int log_frames; /* of the last commit */
    struct pl_conn *next;
};

/* A new, empty index at `path`, closed again and in the form that pl_conn_open takes. */
PAIL_MUST pail_code pl_index_create(const char *path, struct pail_error **err);
PAIL_MUST pail_code pl_conn_open(const struct pl_index_files *files, struct pl_conn **out,
                                 struct pail_error **err);
/* A closed index that nobody else uses, such as that of a backup under way. */
PAIL_MUST pail_code pl_conn_open_alone(const char *path, struct pl_conn **out,
                                       struct pail_error **err);
/* Brings the index of a store of format 2 to that of this version. Under the gate; may have been
 * done before. */
PAIL_MUST pail_code pl_index_renew(struct pl_conn *c, struct pail_error **err);
void pl_conn_close(struct pl_conn *c);

/* The statement, ready to be bound and stepped; NULL: see pl_conn_fail. Reset it when done. */
sqlite3_stmt *pl_conn_query(struct pl_conn *c, enum pl_query q);
/* Runs a query that gives no rows with up to four numbers; false: see pl_conn_fail. */
bool pl_conn_run(struct pl_conn *c, enum pl_query q, int64_t a, int64_t b, int64_t d);
/* The error of the last statement in our terms. */
pail_code pl_conn_fail(struct pl_conn *c, struct pail_error **err, const char *what);

/* PAIL_OK, PAIL_E_BUCKET_NOT_FOUND or an error of the index. */
PAIL_MUST pail_code pl_bucket_id(struct pl_conn *c, const char *name, int64_t *id,
                                 struct pail_error **err);
/* The same from what the connection remembers; *id may be stale: then nothing is found under it. */
PAIL_MUST pail_code pl_bucket_id_known(struct pl_conn *c, const char *name, bool fresh, int64_t *id,
                                       struct pail_error **err);

/* What the index says of one object. Pointers live as long as the statement's row. */
struct pl_row {
    uint64_t size, crc, version;
    int64_t mtime_ms, place, attrs;
    const char *type, *etag;
    struct pl_str fields, tags; /* of attrs */
};
/* Of PL_Q_STAT and PL_Q_GET. */
void pl_row_read(sqlite3_stmt *s, struct pl_row *row);
/* All that is known of an object, into the arena; the key is not copied. */
void pl_row_info(const struct pl_row *row, struct pl_arena *arena, const char *key, pail_info *out);

/* Finds an object: PAIL_OK with the statement at its row (reset it), else PAIL_E_NOT_FOUND,
 * PAIL_E_VERSION_NOT_FOUND, PAIL_E_BUCKET_NOT_FOUND or an error of the index, and *s is NULL. */
struct pl_wanted {
    const char *bucket, *key, *version;
    enum pl_query query; /* PL_Q_STAT or PL_Q_GET */
};
PAIL_MUST pail_code pl_find(struct pl_conn *c, const struct pl_wanted *w, sqlite3_stmt **s,
                            struct pl_row *row, struct pail_error **err);

#endif
