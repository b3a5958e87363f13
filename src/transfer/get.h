/* Reading one object or a range of it: one request, or ranges in parallel, all pinned to the
 * version that the first saw. */
#ifndef PL_TRANSFER_GET_H
#define PL_TRANSFER_GET_H

#include "transfer/plan.h"
#include "transfer/sink.h"
#include "transfer/task.h"
#include "transfer/whole.h"

enum { PL_GET_RING = 2 * PL_PLAN_WINDOW };

/* A part that is under way, or done but not yet folded into the whole. */
struct pl_get_slot {
    bool done;
    struct pl_part_sum sum;
    uint64_t len;
    char *buffer; /* streams */
};

struct pl_get {
    struct pl_task task; /* first */
    const char *bucket, *key;
    pail_get_opts opts;
    struct pl_caps caps;
    struct pl_sink sink;
    uint64_t part_size;
    unsigned window;
    struct pl_range want;
    bool whole;     /* the user asked for all of the object */
    bool retried;   /* the whole object was asked for without a range */
    bool sized;     /* offset and total are known */
    bool asked_sum; /* the checksum of the whole object was asked for */
    uint64_t offset, total;
    char *etag; /* of the version that the first request saw; NULL: the service tells none */
    struct pl_get_slot ring[PL_GET_RING];
    uint64_t next, folded;  /* parts: the next to ask for, the next to fold */
    struct pl_part_sum sum; /* of what was folded; algorithm PL_SUM_NONE where it cannot be told */
    struct pl_whole md5;
    uint64_t delivered;
    char *spare[PL_PLAN_WINDOW];
    size_t spare_count;
};

/* Set task.provider, .pool, .call, .deadline_ns, bucket, key, opts and an open sink first. */
void pl_get_init(struct pl_get *g);

/* Appends the checksum of the next len bytes to that of what came before; NONE where the algorithms
 * differ. */
void pl_sum_append(struct pl_part_sum *whole, bool first, struct pl_part_sum next, uint64_t len);
/* PAIL_E_CHECKSUM where info->checksum is of the algorithm of sum and says something else. */
PAIL_MUST pail_code pl_sum_verify(const pail_info *info, struct pl_part_sum sum,
                                  struct pail_error **err);

#endif
