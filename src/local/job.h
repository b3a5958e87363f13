/* One operation on its way through a store. */
#ifndef PL_LOCAL_JOB_H
#define PL_LOCAL_JOB_H

#include "local/attrs.h"
#include "local/content.h"
#include "local/gc.h"

struct pl_job {
    struct pl_commit commit; /* first: apply and done get this */
    struct pl_work work;
    struct pl_store *store;
    struct pl_provider *provider;
    struct pl_op *op;
    enum pl_durability durability;
    struct pl_attrs attrs;   /* writes: what goes into the index with the bytes */
    struct pl_staged staged; /* writes: the bytes */
    atomic_bool cancelled;
    struct pl_job *next_running; /* under the provider's lock */
};
static inline struct pl_job *pl_job_of(struct pl_commit *c)
{
    return (struct pl_job *)(void *)c;
}

/* ---- reads: on any thread that may block (read.c, list.c) ---- */

PAIL_MUST pail_code pl_read_stat(struct pl_job *j);
PAIL_MUST pail_code pl_read_get(struct pl_job *j);
PAIL_MUST pail_code pl_read_list(struct pl_job *j);
PAIL_MUST pail_code pl_read_uploads(struct pl_job *j);
PAIL_MUST pail_code pl_read_parts(struct pl_job *j);
PAIL_MUST pail_code pl_read_buckets(struct pl_job *j);
PAIL_MUST pail_code pl_read_bucket(struct pl_job *j);

/* Bytes [offset, offset + length) of one object, verified, appended to the sink. `want->version`
 * pins it: PAIL_E_VERSION_NOT_FOUND where another one has come. */
struct pl_span {
    struct pl_wanted want;
    uint64_t offset, length;
};
PAIL_MUST pail_code pl_read_span(struct pl_store *s, const struct pl_span *span,
                                 const struct pl_moving *m, struct pail_error **err);

/* ---- staging: on any thread that may block, before the commit (stage.c) ---- */

/* Whether the op has bytes to bring in before its commit can be asked for without blocking. */
bool pl_stage_blocks(const struct pl_op *op);
/* Brings them in, and writes down the attributes. */
PAIL_MUST pail_code pl_stage(struct pl_job *j);

/* ---- changes: in a transaction (apply.c, multipart.c, bucket.c) ---- */

pail_code pl_apply_put(struct pl_tx *tx, struct pl_commit *c);
pail_code pl_apply_copy(struct pl_tx *tx, struct pl_commit *c);
pail_code pl_apply_delete(struct pl_tx *tx, struct pl_commit *c);
pail_code pl_apply_delete_many(struct pl_tx *tx, struct pl_commit *c);
pail_code pl_apply_tags(struct pl_tx *tx, struct pl_commit *c);
pail_code pl_apply_begin(struct pl_tx *tx, struct pl_commit *c);
pail_code pl_apply_part(struct pl_tx *tx, struct pl_commit *c);
pail_code pl_apply_finish(struct pl_tx *tx, struct pl_commit *c);
pail_code pl_apply_abort(struct pl_tx *tx, struct pl_commit *c);
pail_code pl_apply_bucket_create(struct pl_tx *tx, struct pl_commit *c);
pail_code pl_apply_bucket_delete(struct pl_tx *tx, struct pl_commit *c);

/* The number that an upload's id stands for; 0: it is none of ours. */
int64_t pl_upload_id(const char *text);

/* What an object will be. */
struct pl_new_object {
    int64_t bucket;
    const char *key;
    uint64_t size, crc;
    int64_t place, attrs;
    const char *type, *etag;    /* etag NULL: made from the checksum */
    struct pl_str fields, tags; /* of attrs, for what the caller is told */
};
/* What an object is now. */
struct pl_old_object {
    bool there;
    int64_t place, attrs;
};
/* Finds the bucket and the object of the op and tests the op's conditions. */
PAIL_MUST pail_code pl_tx_check(struct pl_tx *tx, struct pl_op *op, int64_t *bucket,
                                struct pl_old_object *old);
/* Puts the row in place of the old one and drops what the old one had; tells the op. */
PAIL_MUST pail_code pl_tx_publish(struct pl_tx *tx, struct pl_op *op, const struct pl_new_object *o,
                                  const struct pl_old_object *old);
/* A row for headers, metadata and tags; *id 0: none is needed. */
PAIL_MUST pail_code pl_tx_add_attrs(struct pl_tx *tx, struct pl_str fields, struct pl_str tags,
                                    int64_t *id, struct pail_error **err);
PAIL_MUST pail_code pl_tx_drop_attrs(struct pl_tx *tx, int64_t id, struct pail_error **err);

#endif
