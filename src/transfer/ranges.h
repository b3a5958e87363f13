/* Many ranges of one object at once: those that lie near each other share a request. */
#ifndef PL_TRANSFER_RANGES_H
#define PL_TRANSFER_RANGES_H

#include "transfer/plan.h"
#include "transfer/task.h"

/* One request: the ranges order[first .. first + count). */
struct pl_run {
    uint64_t offset, length;
    size_t first, count;
};

struct pl_ranges {
    struct pl_task task; /* first */
    const char *bucket, *key;
    pail_get_opts opts;
    struct pl_caps caps;
    const pail_range *ranges;
    void *const *bufs;
    size_t *got;
    size_t count;
    uint64_t gap;
    size_t *order; /* indexes of ranges by offset */
    struct pl_run *runs;
    size_t run_count, next;
    uint64_t run_max; /* bytes of a run of more than one range */
    unsigned window;
    char *etag;
    bool begun; /* the first run has come: the version is known */
};

/* Set task.provider, .pool, .call, .deadline_ns and the fields down to gap first. */
PAIL_MUST pail_code pl_ranges_init(struct pl_ranges *r, struct pail_error **err);

#endif
