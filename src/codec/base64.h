/* Base64 with the standard alphabet and padding (RFC 4648 section 4). */
#ifndef PL_CODEC_BASE64_H
#define PL_CODEC_BASE64_H

#include "base/buf.h"

#define PL_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1) /* with a NUL */

/* Writes PL_BASE64_SIZE(n) bytes. */
void pl_base64_text(char *out, const void *data, size_t n);
void pl_base64_encode(struct pl_buf *out, const void *data, size_t n);
/* Strict: padding is needed, blanks and bits behind the end are refused. False: not base64, then
 * out holds what was decoded before. Whether out had room: pl_buf_rc. */
PAIL_MUST bool pl_base64_decode(struct pl_buf *out, struct pl_str text);

#endif
