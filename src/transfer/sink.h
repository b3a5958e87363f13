/* Where the bytes of a get go to: pail_body as providers and tasks see it. */
#ifndef PL_TRANSFER_SINK_H
#define PL_TRANSFER_SINK_H

#include "provider/op.h"

struct pl_sink {
    enum pl_body_kind kind; /* MEM, FILE: any part may come at any time; NONE: a stream, in order;
                               GROW: MEM as soon as the size is known */
    pail_body *user;
    int fd; /* FILE, or a stream to a descriptor; -1: the user's function */
    uint64_t offset;
    /* PATH: the temporary file beside the target. */
    int dir;
    char *temporary;
    const char *name;
};

PAIL_MUST pail_code pl_sink_open(struct pl_sink *s, pail_body *user, struct pail_error **err);
/* Where the bytes [at, at + n) of what is read belong. Not a stream. */
void pl_sink_body(const struct pl_sink *s, uint64_t at, uint64_t n, struct pl_body *body);
/* Hands the next bytes of a stream on. */
PAIL_MUST pail_code pl_sink_push(struct pl_sink *s, const void *data, size_t n,
                                 struct pail_error **err);
/* Tells how much will come, once known. */
PAIL_MUST pail_code pl_sink_expect(struct pl_sink *s, uint64_t size, struct pail_error **err);
/* All `size` bytes are there and right: puts the file in its place. */
PAIL_MUST pail_code pl_sink_commit(struct pl_sink *s, uint64_t size, bool sync,
                                   struct pail_error **err);
void pl_sink_close(struct pl_sink *s); /* not committed: removes the temporary file */

#endif
