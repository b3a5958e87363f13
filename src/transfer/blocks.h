/* One version of an object, read anywhere in it: blocks in part buffers, more ahead of a reader
 * that goes on in order. */
#ifndef PL_TRANSFER_BLOCKS_H
#define PL_TRANSFER_BLOCKS_H

#include "transfer/plan.h"
#include "transfer/pool.h"
#include "transfer/queue.h"

enum { PL_BLOCKS = 8 };

struct pl_block {
    struct pl_op op;
    struct pl_body body;
    struct pl_blocks *blocks;
    uint64_t index;
    char *buffer; /* NULL: the slot has none yet */
    bool in_use;  /* has bytes, or will */
    bool under_way;
    uint64_t used_at; /* for choosing the one to give up */
};

struct pl_blocks {
    struct pl_provider *provider;
    struct pl_pool *pool;
    struct pl_queue queue;
    const char *bucket, *key, *etag, *version;
    const pail_encryption *encryption;
    const struct pail_cancel *cancel;
    pail_progress_fn progress; /* called while the caller waits; NULL: none */
    void *progress_ctx;
    uint32_t deadline_ms; /* for each wait */
    uint64_t size, block_size;
    bool direct; /* a store on this machine: each read goes straight to it */
    struct pl_block slots[PL_BLOCKS];
    uint64_t last, clock; /* the block read last */
    unsigned ahead;       /* blocks to ask for in advance; grows while reads go on in order */
};

/* Set the fields down to block_size first (queue apart). Reserves one buffer: PAIL_E_NO_MEMORY
 * where there is none. */
PAIL_MUST pail_code pl_blocks_init(struct pl_blocks *b, struct pail_error **err);
/* Up to n bytes at offset; fewer only at the end of the object. */
PAIL_MUST pail_code pl_blocks_read(struct pl_blocks *b, void *buf, size_t n, uint64_t offset,
                                   size_t *got, struct pail_error **err);
void pl_blocks_dispose(struct pl_blocks *b);

#endif
