/* Text beyond printable ASCII in a header: encoded words (RFC 2047). */
#ifndef PL_CODEC_ENCODED_WORD_H
#define PL_CODEC_ENCODED_WORD_H

#include "base/arena.h"
#include "base/buf.h"

/* Adds the value, as it is where it is printable ASCII that no reader would take for encoded. */
void pl_encoded_word_write(struct pl_buf *out, struct pl_str value);
/* The text; the value itself where it is no encoded words of valid UTF-8. NULL: out of memory. */
char *pl_encoded_word_read(struct pl_arena *arena, struct pl_str value);

#endif
