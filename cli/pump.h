/* Bytes between local files, standard input and standard output. */
#ifndef PAIL_CLI_PUMP_H
#define PAIL_CLI_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pump_side { PUMP_NONE, PUMP_SOURCE, PUMP_SINK };

struct pump {
    const char *from; /* NULL: standard input */
    const char *to;   /* NULL: standard output */
    bool no_clobber, sync;
    void (*progress)(uint64_t done, void *ctx);
    void *ctx;
    uint64_t moved;        /* out */
    enum pump_side failed; /* out: where the error is from */
};

/* Copies. A file is replaced at the end in one step; a pipe or device is written as it comes.
 * Returns 0 or an errno; EEXIST with no_clobber, EINTR after an interrupt. */
int pump_run(struct pump *pump);
/* Reads from standard input; stops at an interrupt, also while it waits. -1 with errno. */
int64_t pump_read_input(void *buf, size_t n);

#endif
