/* What is behind pail_queue and pail_op. */
#ifndef PL_API_QUEUE_H
#define PL_API_QUEUE_H

#include "api/verbs.h"
#include "transfer/ranges.h"

struct pail_queue {
    struct pl_queue queue;
    struct pail_op *ops; /* started and not completed */
    unsigned forks;
    int completed; /* in this dispatch */
};

struct pail_op {
    struct pail_queue *queue;
    struct pail_op *prev, *next;
    struct pl_task *task; /* of `as` */
    pail_done_fn done;
    void *ctx;
    pail_call call; /* of a page */
    pail_delete_opts delete_opts;
    pail_stat_opts stat_opts;
    pail_bucket_opts bucket_opts;
    pail_attributes attr;
    struct pl_name *names; /* owned: of a delete_many */
    pail_iter *iter;       /* borrowed: the listing that a page is for */
    union {
        struct pl_get get;
        struct pl_put put;
        struct pl_copy copy;
        struct pl_simple simple;
        struct pl_upload upload;
        struct pl_delete_many delete_many;
        struct pl_ranges ranges;
    } as;
};

#endif
