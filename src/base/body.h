/* Bytes in one direction: memory or a range of a file. */
#ifndef PL_BASE_BODY_H
#define PL_BASE_BODY_H

#include <stdatomic.h>
#include <stdint.h>

/* Never buffered whole; replayable, so that a source may be read twice (once for its checksum, once
 * to send) and sent again. Source: exactly `len` bytes. Sink: room for `len` bytes, of which the
 * first `done` are filled, each once. */
enum pl_body_kind { PL_BODY_NONE = 0, PL_BODY_MEM, PL_BODY_FILE };
struct pl_body {
    enum pl_body_kind kind;
    char *ptr; /* MEM; a source is only read */
    int fd;    /* FILE: pread or pwrite at `offset`, never the file position */
    uint64_t offset, len;
    atomic_uint_fast64_t done; /* bytes moved so far: any thread may look, for progress */
};

#endif
