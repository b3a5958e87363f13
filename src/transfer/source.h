/* Where the bytes of a put come from: pail_body as providers and tasks see it. */
#ifndef PL_TRANSFER_SOURCE_H
#define PL_TRANSFER_SOURCE_H

#include <sys/stat.h>

#include "provider/op.h"

struct pl_source {
    enum pl_body_kind
        kind; /* MEM, FILE: of known size and readable again; NONE: a stream, read once */
    pail_body *user;
    int fd; /* FILE, or a stream of a descriptor; -1: the user's function */
    bool owns_fd;
    uint64_t offset, size; /* FILE: where it begins; MEM, FILE: how long it is */
    struct stat before;    /* FILE */
};

PAIL_MUST pail_code pl_source_open(struct pl_source *s, pail_body *user, struct pail_error **err);
/* The bytes [at, at + n) as an operation's body. MEM and FILE. */
void pl_source_body(const struct pl_source *s, uint64_t at, uint64_t n, struct pl_body *body);
/* Fills buf from a stream: fewer than n bytes only at the end. Negative: a pail_code, with *err. */
int64_t pl_source_pull(struct pl_source *s, void *buf, size_t n, struct pail_error **err);
/* PAIL_E_CHANGED where a file is no longer as it was when opened. */
PAIL_MUST pail_code pl_source_unchanged(const struct pl_source *s, struct pail_error **err);
void pl_source_close(struct pl_source *s);

#endif
