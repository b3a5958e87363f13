/* One operation: the smallest single exchange with a store. This file is the one list of them.
 *
 * A caller fills kind, names and `in`, submits, and owns the op again when `done` runs - exactly
 * once, also after a cancel, on any thread. Everything `in` points to is borrowed until then. What
 * `out` points to lives in `arena`. */
#ifndef PL_PROVIDER_OP_H
#define PL_PROVIDER_OP_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/body.h"
#include "base/error.h"

enum pl_op_kind {
    PL_OP_STAT = 1,
    PL_OP_GET,
    PL_OP_PUT,
    PL_OP_DELETE,
    PL_OP_DELETE_MANY,
    PL_OP_COPY,
    PL_OP_LIST,
    PL_OP_MP_BEGIN,
    PL_OP_MP_PART,
    PL_OP_MP_COPY_PART,
    PL_OP_MP_FINISH,
    PL_OP_MP_ABORT,
    PL_OP_MP_LIST, /* the unfinished uploads of a bucket */
    PL_OP_TAGS_GET,
    PL_OP_TAGS_SET,
    PL_OP_BUCKET_CREATE,
    PL_OP_BUCKET_DELETE,
    PL_OP_BUCKET_STAT,
    PL_OP_BUCKET_LIST,
    PL_OP_PRESIGN,
    PL_OP_KIND_COUNT
};
/* "put", "list", ...: for messages and events. Static. */
const char *pl_op_name(enum pl_op_kind kind);
bool pl_op_writes(enum pl_op_kind kind);

struct pail_cancel {
    atomic_bool fired;
    int fd; /* an eventfd: wakes whoever waits */
};

enum pl_range_kind { PL_RANGE_ALL = 0, PL_RANGE_SPAN, PL_RANGE_SUFFIX };
struct pl_range {
    enum pl_range_kind kind;
    uint64_t offset, length; /* SPAN: length >= 1, cut at the end of the object; SUFFIX: the last
                                `length` bytes */
};

/* A running checksum of the bytes that a part or range has, in the algorithm of the whole object's
 * (`enum pl_sum` of codec/digest.h). Only those that combine: crc64nvme, crc32c,
 * crc32. */
struct pl_part_sum {
    int algorithm;
    uint64_t value;
};

struct pl_part {
    uint32_t number; /* from 1 */
    const char *etag;
    uint64_t size;
    struct pl_part_sum sum;
    const char *checksum; /* what the part's writer gave, "sha256:BASE64"; NULL: nothing */
};

struct pl_name {
    const char *key, *version;
};

struct pl_op {
    enum pl_op_kind kind;
    bool may_block; /* the submitting thread may be used until the op is done */
    const char *bucket, *key, *version;
    const pail_kv *headers; /* the caller's extra ones */
    size_t header_count;
    const char *request_payer;
    pail_conditions
        cond; /* stat, get; put, copy, mp_finish (and mp_begin, told early); delete: if_match */
    const pail_attributes *attr;       /* put, mp_begin; copy: NULL keeps the source's */
    const pail_encryption *encryption; /* NULL: none */
    int64_t deadline_ns;               /* monotonic; 0: none */

    union {
        struct {
            struct pl_range range;
            struct pl_body *sink; /* a failed get may have filled some of it */
        } get;
        struct {
            struct pl_body *source;
            const char *upload_id; /* mp_part */
            uint32_t number;
            const char *etag; /* NULL: the store's own; else kept as it stands when the source has
                                 ended. Only where caps.keeps_etag. */
            const char *checksum; /* "sha256:BASE64" of the bytes, told again by stat and get or in
                                     the list of parts; read when the source has ended. Only where
                                     caps.keeps_sums. */
        } put;                    /* put, mp_part */
        struct {
            const struct pl_name *names;
            size_t count;
        } delete_many;
        struct {
            const char *bucket, *key, *version;
            pail_conditions cond;
            const pail_encryption *encryption;
            uint64_t offset, length; /* mp_copy_part: the span of the source */
            const char *upload_id;   /* mp_copy_part */
            uint32_t number;
        } copy; /* where from: copy, mp_copy_part */
        struct {
            const char *prefix, *delimiter, *start_after,
                *token;   /* each may be NULL; a token excludes start_after */
            uint32_t max; /* entries; 0: the service's most */
            bool versions;
            const char *after_upload; /* mp_list, caps.lists_parts: behind this upload of the key
                                         start_after; NULL: behind all of them */
            const char *upload_id; /* mp_list, caps.lists_parts: the parts of this upload of key */
            bool of_object;        /* ... or those that the finished object of key is made of */
            uint32_t after_part;   /* ... behind this number */
        } list;                    /* list, mp_list, bucket_list */
        struct {
            const char *upload_id;
            const struct pl_part *parts; /* finish: in order of number */
            size_t count;
            uint64_t size;        /* finish: of the whole object; 0: not known */
            const char *etag;     /* finish: as in put */
            const char *checksum; /* finish: as in put; "sha256:BASE64-3" is one of the checksums of
                                     the parts */
            const char *note;     /* begin: a text that is told again as out.note; keeps_sums */
        } mp;                     /* mp_begin, mp_finish, mp_abort */
        struct {
            const pail_kv *tags;
            size_t count;
        } tags;
        struct {
            const char *location; /* NULL: the provider's region */
        } bucket_create;
        struct {
            const char *method;
            uint32_t expires_s;
            const char *content_type, *response_content_type, *response_content_disposition;
        } presign;
    } in;

    /* Filled by the provider; strings and arrays in `arena`. */
    struct {
        pail_info info; /* stat, get, put, copy, mp_finish, tags_get, delete: what is known */
        uint64_t range_offset; /* get: where the delivered bytes begin in the object */
        struct pl_part_sum
            sum; /* get, put, mp_part, mp_copy_part: of the bytes moved, where computed */
        const char *upload_id; /* mp_begin */
        const char *etag;      /* mp_part, mp_copy_part */
        pail_info *items;      /* list, mp_list, bucket_list */
        size_t item_count;
        struct pl_part *parts; /* mp_list of one upload */
        size_t part_count;
        bool more_parts;
        const char *note;           /* mp_list of one upload: what mp_begin was given */
        const char *next_token;     /* NULL: the last page */
        struct pail_error **errors; /* delete_many: one per name, NULL where deleted; NULL: all
                                       were; owned by the op */
        size_t error_count;
        pail_presigned presigned;
    } out;
    struct pl_arena arena;
    pail_code rc;
    struct pail_error *error;

    void (*done)(struct pl_op *op);
    void *ctx;          /* the submitter's */
    void *provider_ctx; /* the provider's, while it has the op */
    struct pl_op *next; /* of whoever has the op in a list */
};

/* Frees what `out`, `error` and the arena own and makes the op ready to be filled anew. */
void pl_op_dispose(struct pl_op *op);
/* Sets rc, adds operation and names to the error, makes one where there is none, and runs done. */
void pl_op_complete(struct pl_op *op, pail_code rc);

/* A deep copy as the public API hands it out: pail_info_free. NULL: out of memory. */
pail_info *pl_info_dup(const pail_info *info);
/* Copies all fields into the arena. */
void pl_info_copy(struct pl_arena *arena, pail_info *to, const pail_info *from);
/* What a copy of the object is stored with, to keep what it has; borrows from info. */
pail_attributes pl_info_attributes(const pail_info *info);
/* Names of metadata are the same in any case: they travel as names of headers (RFC 9110 section
 * 5.1). One that is there twice would be lost, joined or refused by the service. */
PAIL_MUST pail_code pl_metadata_check(const pail_attributes *attr, struct pail_error **err);

/* "0123456789abcdef-1f": the ETag that Pail's own stores give to bytes whose writer gave none:
 * their CRC64-NVME and their number. Nobody takes what has a hyphen for an MD5. Returns the end, a
 * NUL. */
enum { PL_ETAG_MAX = 16 + 1 + 16 + 1 };
char *pl_etag_text(char *room, uint64_t crc, uint64_t size);
char *pl_hex16(char *room, uint64_t n); /* 16 digits without a NUL; returns the end */

/* The conditions against what is there (info NULL: nothing). PAIL_OK, PAIL_E_PRECONDITION,
 * PAIL_E_NOT_MODIFIED (reads), PAIL_E_EXISTS (writes with if_none_match "*"), PAIL_E_NOT_FOUND
 * never. RFC 9110 section 13.2.2. */
pail_code pl_conditions_check(const pail_conditions *cond, const pail_info *info, bool is_write);
bool pl_conditions_any(const pail_conditions *cond);

/* Cuts a range to an object of `size` bytes: [*offset, *offset + *length). PAIL_E_BAD_RANGE where
 * it starts at or past the end; ALL never fails. */
pail_code pl_range_resolve(const struct pl_range *range, uint64_t size, uint64_t *offset,
                           uint64_t *length);

#endif
