/* Names in byte order, some at a time: a folder of any size is read in bounded memory. */
#ifndef PL_PROVIDER_FILE_ORDER_H
#define PL_PROVIDER_FILE_ORDER_H

#include "base/error.h"

/* As memcmp of the shorter length; then the shorter comes first. */
int pl_order_compare(struct pl_str a, struct pl_str b);

/* The least of what is offered that is behind `after`. */
struct pl_window {
    struct pl_str after;
    struct pl_str *at; /* a heap, the greatest first */
    size_t count, room, most;
    bool overflow, failed;
};
void pl_window_offer(struct pl_window *w, struct pl_str text);

struct pl_order {
    /* Offers all names there are. */
    pail_code (*fill)(struct pl_window *w, void *ctx);
    /* Takes the next one; PAIL_DONE ends it. The text lives during the call. */
    pail_code (*visit)(struct pl_str text, void *ctx);
    void *ctx;
};
/* Visits all that fill offers, in order, filling again after every `most` names. PAIL_OK at the
 * end, else what visit or fill said. */
pail_code pl_order_run(const struct pl_order *order, size_t most);

#endif
