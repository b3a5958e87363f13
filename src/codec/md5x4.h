/* MD5 of four messages side by side (RFC 1321), one in each lane of a vector: about the time of one
 * alone, because MD5 waits for its own last step and not for the machine. */
#ifndef PL_CODEC_MD5X4_H
#define PL_CODEC_MD5X4_H

#include <stddef.h>
#include <stdint.h>

enum { PL_MD5_LANES = 4, PL_MD5_BLOCK = 64, PL_MD5_BYTES = 16 };

/* Words A to D of each lane. Copied freely. */
struct pl_md5x4 {
    uint32_t state[4][PL_MD5_LANES];
};

void pl_md5x4_init(struct pl_md5x4 *m);
/* `blocks` times PL_MD5_BLOCK more bytes of each message. A lane whose message has ended, or that
 * has none, gets the bytes of another: nobody asks for what comes of it. */
void pl_md5x4_blocks(struct pl_md5x4 *m, const void *const at[PL_MD5_LANES], size_t blocks);
/* The MD5 of a lane's message, `size` bytes long. tail: its bytes behind the last whole block that
 * was given, less than a block. The state stays as it is. */
void pl_md5x4_end(const struct pl_md5x4 *m, int lane, const void *tail, uint64_t size,
                  unsigned char out[PL_MD5_BYTES]);

#endif
