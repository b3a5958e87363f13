/* A transfer: a state machine that submits operations and is moved on when they complete, always on
 * the thread that dispatches its queue. So a task needs no locks, and callbacks of users run on
 * their own threads only. */
#ifndef PL_TRANSFER_TASK_H
#define PL_TRANSFER_TASK_H

#include "provider/provider.h"
#include "transfer/pool.h"
#include "transfer/queue.h"

struct pl_task;

/* One operation of a task. */
struct pl_task_op {
    struct pl_op op;
    struct pl_task *task;
    struct pl_provider *provider;   /* that has it */
    struct pl_task_op *prev, *next; /* in task->flying */
    struct pl_body body;            /* what op.in points to, where it moves bytes */
    uint64_t index;                 /* the task's: part number and the like */
    void *buffer;                   /* the task's */
};

struct pl_task_ops {
    /* Submits the first operations, or finishes. */
    void (*start)(struct pl_task *t);
    /* One has completed, successfully or not. The task frees it or submits it again. */
    void (*op_done)(struct pl_task *t, struct pl_task_op *op);
    /* After pl_task_fail, when nothing is under way any more: may submit operations that clean up.
     * NULL: nothing to do. */
    void (*clean_up)(struct pl_task *t);
    /* Frees what the task holds. */
    void (*dispose)(struct pl_task *t);
};

struct pl_task {
    const struct pl_task_ops *ops;
    struct pl_queue *queue;
    struct pl_provider *provider;
    struct pl_pool *pool;
    const pail_call *call; /* borrowed; may be NULL */
    int64_t deadline_ns;
    bool may_block; /* a blocking call: its thread may be used */

    struct pl_task_op *flying;
    unsigned in_flight;
    bool failing, cleaning, finished;
    bool stalled; /* the queue form: no buffer for a beginning; it is started again */
    pail_code rc;
    struct pail_error *error;
    pail_info *info; /* the result, where there is one */
    uint64_t moved;  /* bytes of completed operations */
    int64_t total;   /* -1: unknown */
    void *owner;     /* of whoever runs it: the queue form's operation */
};

/* A new operation for the task's provider with names, the call's headers and deadline set; NULL:
 * the task fails. */
struct pl_task_op *pl_task_op_new(struct pl_task *t, enum pl_op_kind kind, const char *bucket,
                                  const char *key);
void pl_task_op_free(struct pl_task_op *op);
/* Whether a mp_finish took effect, or may have: its upload then must not be aborted everywhere. */
bool pl_task_may_stand(const struct pl_task_op *op);
void pl_task_submit(struct pl_task *t, struct pl_task_op *op);
/* Ends without or with an error; the error of a failed op is taken over. */
void pl_task_finish(struct pl_task *t);
/* Records the first failure, asks what is under way to stop, and finishes when all of it has. */
void pl_task_fail(struct pl_task *t, pail_code rc, struct pail_error *error);
void pl_task_fail_op(struct pl_task *t, struct pl_task_op *op);

/* No buffer of `size` bytes and no operation under way: in the queue form, which may not wait, the
 * task is started again when others have given theirs back; else, or where they never could give
 * enough, it fails. It may hold no buffer itself, and its `start` goes on from where it is. */
void pl_task_stall(struct pl_task *t, size_t size);
/* Starts the task on its queue. */
void pl_task_start(struct pl_task *t);
/* Runs it to its end on the calling thread, with a queue of its own. */
pail_code pl_task_run(struct pl_task *t);
/* Moves the task of a popped op on. */
void pl_task_step(struct pl_op *op);
/* A transfer that neither ended nor waits for anything would wait for ever: a bug of ours becomes
 * an error. Not for writers, who wait for their user. */
void pl_task_check_alive(struct pl_task *t);
/* Notices a fired cancel, a passed deadline, and tells the progress. */
void pl_task_look(struct pl_task *t);
/* Hands out error and info, then frees all the task holds. */
pail_code pl_task_result(struct pl_task *t, pail_info **info, struct pail_error **err);

#endif
