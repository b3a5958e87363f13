/* Transfers that are one operation, or one after another. */
#ifndef PL_TRANSFER_SIMPLE_H
#define PL_TRANSFER_SIMPLE_H

#include "transfer/task.h"

/* A task of a single operation, which the caller fills: init, fill o->op.in, then run; the op stays
 * until dispose. */
struct pl_simple {
    struct pl_task task; /* first */
    struct pl_task_op *op;
    bool wants_info; /* task.info is set from the op's */
    /* Frees what the caller keeps for the op; may be NULL. Once, with the task. */
    void (*release)(struct pl_simple *s);
};

/* Set task.provider, .call, .deadline_ns first. NULL: out of memory. */
struct pl_op *pl_simple_init(struct pl_simple *s, enum pl_op_kind kind, const char *bucket,
                             const char *key);

/* Deletes names in batches of what the service takes, or one by one where it has no batches. */
struct pl_delete_many {
    struct pl_task task; /* first */
    const char *bucket;
    const struct pl_name *names;
    size_t count;
    pail_deleted_fn each;
    void *each_ctx;
    size_t at; /* names before it are done or under way */
    size_t batch;
    bool one_by_one;
    pail_code first; /* the first name's failure */
    struct pail_error *first_error;
};
void pl_delete_many_init(struct pl_delete_many *d);

#endif
