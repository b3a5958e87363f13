/* The MD5s of the parts of an upload, for stores that want them before the bytes (Swift; Azure
 * where it knows no CRC): when the first of four parts is asked for, all four are hashed side by
 * side. */
#ifndef PL_TRANSFER_AHEAD_H
#define PL_TRANSFER_AHEAD_H

#include <pthread.h>

#include "codec/md5x4.h"
#include "transfer/source.h"

enum { PL_AHEAD_GROUPS = 4 }; /* remembered: parts are asked for nearly in their order */

struct pl_ahead_group {
    uint64_t first; /* part, plus 1; 0: empty */
    unsigned char md5[PL_MD5_LANES][PL_MD5_BYTES];
};
/* Zero: off. */
struct pl_ahead {
    /* set once */
    bool on;
    const struct pl_source *source; /* MEM or FILE */
    uint64_t part_size;
    /* under lock */
    pthread_mutex_t lock;
    bool broken; /* the source could not be read: whoever reads a part by itself says why */
    struct pl_ahead_group groups[PL_AHEAD_GROUPS];
};

#if defined(PL_WITH_SWIFT) || defined(PL_WITH_AZURE)
/* The source and `a` stay where they are until no operation with an offered body is under way; then
 * pl_ahead_end. All parts but the last have part_size bytes. */
void pl_ahead_begin(struct pl_ahead *a, const struct pl_source *source, uint64_t part_size);
/* Lets part->md5 tell what is known here. Nothing is read before it is asked; then on the thread
 * that asks, while others that ask wait for it. */
void pl_ahead_offer(struct pl_ahead *a, struct pl_body *part);
void pl_ahead_end(struct pl_ahead *a);
#else /* no other store asks, and whoever leaves these out counts bytes */
static inline void pl_ahead_begin(struct pl_ahead *a, const struct pl_source *source,
                                  uint64_t part_size)
{
    (void)a, (void)source, (void)part_size;
}
static inline void pl_ahead_offer(struct pl_ahead *a, struct pl_body *part)
{
    (void)a, (void)part;
}
static inline void pl_ahead_end(struct pl_ahead *a)
{
    (void)a;
}
#endif

#endif
