/* An owned, growing byte buffer with a declared maximum and a sticky error. */
#ifndef PL_BASE_BUF_H
#define PL_BASE_BUF_H

#include "base/mem.h"
#include "base/str.h"

/* Appends return nothing: after the first failure they do nothing, and pl_buf_rc() tells once, at
 * the end. */
struct pl_buf {
    char *ptr; /* always NUL-terminated once something was appended */
    size_t len, cap, max;
    pail_code rc;
};

#define PL_BUF_MAX(bytes) ((struct pl_buf){.max = (bytes)})

void pl_buf_add(struct pl_buf *b, const void *data, size_t n);
void pl_buf_str(struct pl_buf *b, struct pl_str s);
void pl_buf_puts(struct pl_buf *b, const char *s);
void pl_buf_putc(struct pl_buf *b, char c);
void pl_buf_u64(struct pl_buf *b, uint64_t n);
void pl_buf_printf(struct pl_buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for n more bytes; NULL on failure. Then set b->len yourself. */
char *pl_buf_reserve(struct pl_buf *b, size_t n);
/* PAIL_OK, PAIL_E_NO_MEMORY, or PAIL_E_TOO_LARGE where the maximum was passed. */
PAIL_MUST pail_code pl_buf_rc(const struct pl_buf *b);
struct pl_str pl_buf_view(const struct pl_buf *b);
/* The bytes, NUL-terminated, now the caller's (pl_free); NULL after a failure. The buffer is empty
 * again. */
char *pl_buf_take(struct pl_buf *b);
void pl_buf_clear(struct pl_buf *b); /* keeps the memory and the maximum, forgets the error */
void pl_buf_dispose(struct pl_buf *b);

#endif
