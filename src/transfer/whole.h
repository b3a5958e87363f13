/* The MD5 of a whole object that is read in ranges, where the service tells no other checksum of it
 * (Azure): computed over the parts in their order, from memory or from the file's cached pages. */
#ifndef PL_TRANSFER_WHOLE_H
#define PL_TRANSFER_WHOLE_H

#include "codec/digest.h"
#include "transfer/sink.h"

/* Zero: nothing is computed. */
struct pl_whole {
    bool active;
    struct pl_digest digest;
};

#ifdef PL_WITH_AZURE
/* Begins where info tells an MD5 and this machine computes one. */
void pl_whole_begin(struct pl_whole *w, const pail_info *info);
/* The next len bytes, which lie at `at` of the sink, or for a stream in buffer. A destination that
 * cannot be read back ends it: then nothing is verified. */
void pl_whole_add(struct pl_whole *w, const struct pl_sink *sink, const char *buffer, uint64_t at,
                  uint64_t len);
/* After all bytes. Errors: PAIL_E_CHECKSUM. */
PAIL_MUST pail_code pl_whole_check(struct pl_whole *w, const pail_info *info,
                                   struct pail_error **err);
void pl_whole_dispose(struct pl_whole *w);
#else /* no other store needs it, and whoever leaves Azure out counts bytes */
static inline void pl_whole_begin(struct pl_whole *w, const pail_info *info)
{
    (void)w, (void)info;
}
static inline void pl_whole_add(struct pl_whole *w, const struct pl_sink *sink, const char *buffer,
                                uint64_t at, uint64_t len)
{
    (void)w, (void)sink, (void)buffer, (void)at, (void)len;
}
static inline pail_code pl_whole_check(struct pl_whole *w, const pail_info *info,
                                       struct pail_error **err)
{
    (void)w, (void)info, (void)err;
    return PAIL_OK;
}
static inline void pl_whole_dispose(struct pl_whole *w)
{
    (void)w;
}
#endif

#endif
