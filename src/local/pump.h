/* Blocks on their way into a content file: fetched and summed, for large ones by a thread of their
 * own, while the block before is written. */
#ifndef PL_LOCAL_PUMP_H
#define PL_LOCAL_PUMP_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/error.h"

enum { PL_PUMP_SLOTS = 4 };

/* Where bytes come from: *data is set to n bytes from `at`, in room or elsewhere. */
struct pl_feed {
    pail_code (*next)(struct pl_feed *f, uint64_t at, size_t n, char *room, const char **data,
                      struct pail_error **err);
    /* Instead, may be NULL: see pl_body.lend. */
    pail_code (*lend)(struct pl_feed *f, const char **data, size_t *n, struct pail_error **err);
    uint64_t size;
    bool direct;                /* needs no room */
    atomic_uint_fast64_t *done; /* moves on with the bytes; may be NULL */
    const atomic_bool *cancelled;
    int64_t deadline_ns;
};

struct pl_block {
    char *room; /* NULL where the feed is direct */
    const char *data;
    size_t n;
    uint64_t crc;
};

struct pl_pump {
    struct pl_feed *feed;
    size_t block_bytes;
    struct pl_block blocks[PL_PUMP_SLOTS];
    uint64_t at; /* fetched so far; the fetching thread's */
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned filled, taken; /* under lock, as all below: counts, which wrap */
    bool stop;
    pail_code rc;
    struct pail_error *error;
};

PAIL_MUST pail_code pl_pump_start(struct pl_pump *p, struct pl_feed *feed, size_t block_bytes,
                                  struct pail_error **err);
/* The next block; valid until pl_pump_drop. Errors: those of the feed, cancel and deadline. */
PAIL_MUST pail_code pl_pump_take(struct pl_pump *p, struct pl_block **block,
                                 struct pail_error **err);
void pl_pump_drop(struct pl_pump *p);
/* Ends it, also in the middle; the feed is not touched any more. */
void pl_pump_stop(struct pl_pump *p);

#endif
