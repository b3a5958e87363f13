/* Runs transfers: one in the foreground, or a few at once from a queue. */
#ifndef PAIL_CLI_TRANSFER_H
#define PAIL_CLI_TRANSFER_H

#include "end.h"
#include "fail.h"

struct transfer_opts {
    bool move, no_clobber, sync, dry_run;
    bool tree; /* one of many: an existing target with no_clobber is skipped, not an error */
    const char *if_match, *version;
    const char *content_type, *content_encoding, *content_disposition, *cache_control;
    const char *storage_class;
    struct pairs metadata, tags;
    uint64_t expected_size, part_size, concurrency;
};

struct transfers {
    const struct transfer_opts *opts;
    struct tally tally;
    pail_queue *queue; /* NULL: one at a time */
    unsigned running, limit;
    struct job *waiting; /* copied, and the source still to be deleted */
};

void transfers_open(struct transfers *all, const struct transfer_opts *opts, unsigned limit);
/* Runs one; size -1: unknown. Takes both ends. With a queue it may still run afterwards. */
void transfers_run(struct transfers *all, struct end *from, struct end *to, int64_t size);
/* Waits for all. */
void transfers_close(struct transfers *all);

#endif
