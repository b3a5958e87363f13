/* What no object needs any more: references, files to delete, and what killed processes left. */
#ifndef PL_LOCAL_GC_H
#define PL_LOCAL_GC_H

#include "local/commit.h"

/* A content file to delete. */
struct pl_dead {
    struct pl_dead *next;
    int64_t id;
    char tail[];
};
void pl_dead_free(struct pl_dead *list);

/* Take one reference away, and with the last one the content. Errors mark the transaction. */
PAIL_MUST pail_code pl_tx_unref_content(struct pl_tx *tx, int64_t id, struct pail_error **err);
PAIL_MUST pail_code pl_tx_unref_place(struct pl_tx *tx, int64_t place, struct pail_error **err);
/* The parts of an upload or list, and their contents. */
PAIL_MUST pail_code pl_tx_drop_parts(struct pl_tx *tx, int64_t list, struct pail_error **err);

/* Before a commit that frees contents: whether a backup still needs their files. */
void pl_tx_look_for_pins(struct pl_tx *tx);
/* After it: has the files deleted, by a worker. */
void pl_dead_bury(struct pl_store *s, struct pl_tx *tx);
/* In the next transaction: forgets those that are deleted. False: the transaction is broken. */
bool pl_gc_forget(struct pl_tx *tx);

/* Under the gate, before the first commit of a process: ends what killed processes began. Looks
 * only at what the index names, so it costs nothing where nobody was killed. */
PAIL_MUST pail_code pl_gc_recover(struct pl_store *s, struct pl_conn *conn,
                                  struct pail_error **err);
/* The same in a transaction. */
PAIL_MUST pail_code pl_tx_recover(struct pl_tx *tx, struct pail_error **err);

#endif
