/* Bytes in one direction: memory, a range of a file, or a stream that comes once. */
#ifndef PL_BASE_BODY_H
#define PL_BASE_BODY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* Never buffered whole. MEM and FILE are replayable, so that a source may be read twice (once for
 * its checksum, once to send) and sent again. PULL, a source only for providers whose caps say so,
 * is read once and in order, on a thread that it may block. GROW, a sink only, is memory of its own
 * that grows with what comes. Source: exactly `len` bytes. Sink: room for `len` bytes, of which the
 * first `done` are filled, each once. */
enum pl_body_kind { PL_BODY_NONE = 0, PL_BODY_MEM, PL_BODY_FILE, PL_BODY_PULL, PL_BODY_GROW };
struct pl_body {
    enum pl_body_kind kind;
    char *ptr;  /* MEM; a source is only read. GROW: whoever made the body frees it */
    size_t cap; /* GROW: bytes at ptr */
    int fd;     /* FILE: pread or pwrite at `offset`, never the file position */
    uint64_t offset, len;
    bool (*pull)(void *ctx, void *buf, size_t n); /* PULL: exactly n more bytes, or errno */
    /* PULL, instead, may be NULL: the next bytes where they lie, good until the next call; at 4096
     * times something, and as many unless they are the last. NULL, or errno: there are none. */
    const char *(*lend)(void *ctx, size_t *n);
    void *pull_ctx;
    /* MEM or FILE source, may be NULL: tells the MD5 of all `len` bytes where that is cheaper than
     * to read them alone. false: it does not; then read them, which also says what may be wrong. */
    bool (*md5)(void *ctx, const struct pl_body *source, unsigned char out[16]);
    void *md5_ctx;
    const struct stat *before; /* FILE source: as the file was; NULL: not watched */
    atomic_uint_fast64_t done; /* bytes moved so far: any thread may look, for progress */
};

/* The read of a source's last byte also looks whether the file is as it was, so that no mixture of
 * old and new bytes becomes an object. false: errno says why (0: the source changed while it was
 * read). */
bool pl_body_read(const struct pl_body *source, uint64_t at, void *buf, size_t n);
bool pl_body_write(struct pl_body *sink, const void *data,
                   size_t n); /* at sink->done, which moves on */

#endif
