#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

char *pl_buf_reserve(struct pl_buf *b, size_t n)
{
    if (b->rc) {
        return NULL;
    }
    if (n > b->max || b->len > b->max - n) {
        b->rc = PAIL_E_TOO_LARGE;
        return NULL;
    }
    size_t need = b->len + n + 1;
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 64;
        cap = cap < need ? need : cap;
        char *ptr = pl_realloc(b->ptr, cap);
        if (!ptr) {
            b->rc = PAIL_E_NO_MEMORY;
            return NULL;
        }
        b->ptr = ptr;
        b->cap = cap;
    }
    return b->ptr + b->len;
}

void pl_buf_add(struct pl_buf *b, const void *data, size_t n)
{
    char *room = pl_buf_reserve(b, n);
    if (room) {
        if (n) {
            memcpy(room, data, n);
        }
        b->len += n;
        b->ptr[b->len] = '\0';
    }
}

void pl_buf_str(struct pl_buf *b, struct pl_str s)
{
    pl_buf_add(b, s.ptr, s.len);
}

void pl_buf_puts(struct pl_buf *b, const char *s)
{
    pl_buf_add(b, s, strlen(s));
}

void pl_buf_putc(struct pl_buf *b, char c)
{
    pl_buf_add(b, &c, 1);
}

void pl_buf_u64(struct pl_buf *b, uint64_t n)
{
    char digits[20];
    size_t i = sizeof digits;
    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    pl_buf_add(b, digits + i, sizeof digits - i);
}

void pl_buf_printf(struct pl_buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *room = n >= 0 ? pl_buf_reserve(b, (size_t)n) : NULL;
    if (room) {
        (void)vsnprintf(room, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

pail_code pl_buf_rc(const struct pl_buf *b)
{
    return b->rc;
}

struct pl_str pl_buf_view(const struct pl_buf *b)
{
    return pl_str_n(b->ptr ? b->ptr : "", b->len);
}

char *pl_buf_take(struct pl_buf *b)
{
    pl_buf_add(b, "", 0); /* an untouched buffer gives "" */
    char *ptr = b->rc ? NULL : b->ptr;
    if (ptr) {
        *b = (struct pl_buf){.max = b->max};
    } else {
        pl_buf_dispose(b);
    }
    return ptr;
}

void pl_buf_clear(struct pl_buf *b)
{
    b->len = 0;
    b->rc = PAIL_OK;
    if (b->ptr) {
        b->ptr[0] = '\0';
    }
}

void pl_buf_dispose(struct pl_buf *b)
{
    pl_free(b->ptr);
    *b = (struct pl_buf){.max = b->max};
}
