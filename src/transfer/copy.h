/* Copying one object: by the service, or through bounded memory between any two stores. */
#ifndef PL_TRANSFER_COPY_H
#define PL_TRANSFER_COPY_H

#include "transfer/get.h"

/* One part of a copy: first it is read, then it is written. */
struct pl_copy {
    struct pl_task task; /* first; its provider is the source's */
    struct pl_provider *to;
    const char *bucket, *key, *to_bucket, *to_key;
    pail_copy_opts opts;
    struct pl_caps from_caps, to_caps;
    bool by_service;                /* one store: the service moves the bytes */
    uint64_t part_size, size, next; /* next: the part to begin with next */
    uint64_t room;                  /* bytes of a buffer */
    unsigned window;
    bool sized, in_parts, finishing;
    pail_info *source;    /* what the first request saw */
    pail_attributes attr; /* what the new object gets */
    char *upload_id;
    bool may_stand; /* the finish was sent, and whether it took effect is not known */
    struct pl_part *parts;
    struct pl_part_sum *sums; /* of what was read, part by part */
    size_t part_count;
    struct pl_arena arena;
    char *spare[PL_PLAN_WINDOW];
    size_t spare_count;
};

/* Set task.provider (the source's), .pool, .call, .deadline_ns, `to`, the names and opts first. */
void pl_copy_init(struct pl_copy *c);

#endif
