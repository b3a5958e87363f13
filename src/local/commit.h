/* The committer: one thread per store and process, which commits all that waits in one transaction.
 * A caller that finds it idle plays its part itself. */
#ifndef PL_LOCAL_COMMIT_H
#define PL_LOCAL_COMMIT_H

#include <semaphore.h>

#include "local/store.h"

/* The transaction that a change is applied in. */
struct pl_tx {
    struct pl_store *store;
    struct pl_conn *conn;
    struct pl_dead *dead; /* content files to delete once it is committed */
    bool pinned;          /* ... but not while a backup needs them */
    bool broken;          /* a change was applied by half: the transaction must be undone */
};

/* One change. Tested and applied in the order of submitting; a refused one leaves its neighbours
 * alone. */
struct pl_commit {
    /* Looks first and changes then; may run more than once, the last run counts. Every failure of
     * the index or after the first change goes through pl_tx_fail. */
    pail_code (*apply)(struct pl_tx *tx, struct pl_commit *c);
    /* After the commit, with rc: on the thread that committed, no lock held; c may be gone then. */
    void (*done)(struct pl_commit *c);
    struct pail_error **err;
    enum pl_durability durability;
    size_t bytes;
    int64_t deadline_ns; /* 0: none; not begun after it */
    pail_code rc;
    sem_t *waiter; /* of pl_commit_run */
    struct pl_commit *next;
};

void pl_committer_init(struct pl_committer *q);
void pl_committer_dispose(struct pl_store *s);
/* Starts the committer with the first one. */
void pl_commit_submit(struct pl_store *s, struct pl_commit *c);
/* Submits it and waits. `done` is ours. */
PAIL_MUST pail_code pl_commit_run(struct pl_store *s, struct pl_commit *c);

/* Marks the transaction as broken and makes the index's error of it. */
pail_code pl_tx_fail(struct pl_tx *tx, struct pail_error **err, const char *what);
/* A version id that no other object has. */
uint64_t pl_tx_version(struct pl_tx *tx);

#endif
