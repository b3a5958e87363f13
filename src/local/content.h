/* Content files: written once, synced, never changed; read block by block against their sums. */
#ifndef PL_LOCAL_CONTENT_H
#define PL_LOCAL_CONTENT_H

#include "local/ids.h"
#include "local/pump.h"

/* Bytes on their way in: small ones in memory, others in a file that no object names yet. */
struct pl_staged {
    uint64_t size, crc;
    const char *bytes; /* at most PL_INLINE_MAX; of `owned` or the caller's */
    char *owned;
    int64_t id; /* of the file; 0: none */
    char tail[PL_TAIL_MAX];
    char *sums; /* of the last blocks, those before are in the index; one block needs none */
    size_t sum_count;
    uint32_t chunk;
};

/* Makes a content file of the feed's bytes, synced as `d` asks. Dispose of it in every case. */
PAIL_MUST pail_code pl_content_write(struct pl_store *s, struct pl_feed *feed, const char *key,
                                     uint32_t part, enum pl_durability d, struct pl_staged *out,
                                     struct pail_error **err);
/* After its commit: the file is an object's now. */
void pl_staged_keep(struct pl_store *s, struct pl_staged *g);
/* Removes the file unless it was kept. */
void pl_staged_dispose(struct pl_store *s, struct pl_staged *g);
/* In a transaction: makes the file a content with one reference. Nothing for other stagings. */
PAIL_MUST pail_code pl_tx_add_content(struct pl_tx *tx, const struct pl_staged *g,
                                      struct pail_error **err);

/* A content file as the index knows it. */
struct pl_content {
    int64_t id;
    uint64_t size, crc;
    char tail[PL_TAIL_MAX];
};
/* PAIL_E_NOT_FOUND where the index has none of that number. */
PAIL_MUST pail_code pl_content_find(struct pl_conn *c, int64_t id, struct pl_content *out,
                                    struct pail_error **err);

struct pl_moving {
    struct pl_body *sink; /* NULL: only verify */
    const atomic_bool *cancelled;
    int64_t deadline_ns;
};
/* Reads and verifies a span of a content file and appends it to the sink. Errors:
 * PAIL_E_NOT_FOUND (file or sums are gone: a delete came between, or damage), PAIL_E_CHECKSUM,
 * PAIL_E_CANCELLED, PAIL_E_TIMEOUT. */
PAIL_MUST pail_code pl_content_read(struct pl_store *s, const struct pl_content *c, uint64_t offset,
                                    uint64_t length, const struct pl_moving *m,
                                    struct pail_error **err);

pail_code pl_moving_check(const atomic_bool *cancelled, int64_t deadline_ns);

#endif
