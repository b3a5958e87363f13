/* Completed operations on their way to the one thread that moves their transfers on. */
#ifndef PL_TRANSFER_QUEUE_H
#define PL_TRANSFER_QUEUE_H

#include <pthread.h>

#include "provider/op.h"

struct pl_queue {
    pthread_mutex_t lock;
    pthread_cond_t pushed;
    struct pl_op *head, *tail; /* under lock */
    bool waiting;              /* under lock: the dispatcher sleeps */
    bool signalled;            /* under lock: the descriptor is readable */
    struct pl_op *taken;       /* dispatcher only: off the queue, not yet handed out */
    bool always_signal;        /* set once: the descriptor is a user's, who polls it himself */
    int fd;                    /* an eventfd, made when first needed; -1 */
};

void pl_queue_init(struct pl_queue *q);
void pl_queue_dispose(struct pl_queue *q);
/* Makes the descriptor now. false: errno. */
bool pl_queue_open_fd(struct pl_queue *q);
void pl_queue_push(struct pl_queue *q, struct pl_op *op); /* any thread */
/* Makes a user's descriptor readable although nothing was pushed. Any thread. */
void pl_queue_kick(struct pl_queue *q);
struct pl_op *pl_queue_pop(struct pl_queue *q); /* the dispatcher; NULL: empty */
/* Sleeps until something was pushed, `cancel` fired (may be NULL) or timeout_ms passed (-1: never).
 * The dispatcher. A call's own queue needs no descriptor unless it looks at a cancel. */
void pl_queue_wait(struct pl_queue *q, const struct pail_cancel *cancel, int timeout_ms);

#endif
