/* Borrowed views of bytes, and small questions about text. */
#ifndef PL_BASE_STR_H
#define PL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct pl_str {
    const char *ptr; /* not NUL-terminated */
    size_t len;
};

#define PL_STR(literal) ((struct pl_str){(literal), sizeof(literal) - 1})

static inline struct pl_str pl_str_n(const char *ptr, size_t len)
{
    return (struct pl_str){ptr, len};
}
/* A NULL pointer gives the empty view. */
static inline struct pl_str pl_str_c(const char *s)
{
    return (struct pl_str){s ? s : "", s ? strlen(s) : 0};
}
static inline bool pl_str_eq(struct pl_str a, struct pl_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool pl_str_is(struct pl_str a, const char *s)
{
    return pl_str_eq(a, pl_str_c(s));
}

bool pl_str_starts(struct pl_str s, struct pl_str start);
bool pl_str_ends(struct pl_str s, struct pl_str end);
bool pl_str_ieq(struct pl_str a, struct pl_str b); /* ASCII letters without case */
struct pl_str pl_str_trim(struct pl_str s); /* without blanks, tabs, CR and LF at both ends */
/* Decimal digits only; false on anything else or beyond UINT64_MAX. */
bool pl_str_u64(struct pl_str s, uint64_t *out);
/* "64M", "1.5k", "10GiB": powers of 1,024; a bare number is bytes. */
bool pl_str_size(struct pl_str s, uint64_t *out);
/* true|yes|on|1 and false|no|off|0, without case. */
bool pl_str_bool(struct pl_str s, bool *out);
/* Takes what stands before the first sep off *rest and returns it; at the end *rest becomes empty
 * with ptr NULL. */
struct pl_str pl_str_split(struct pl_str *rest, char sep);

bool pl_utf8_valid(
    struct pl_str s); /* RFC 3629: no overlong forms, no surrogates, at most U+10FFFF */
/* Whether s may stand in a header: no byte below 0x20 but the tab inside a value, no 0x7f. */
bool pl_header_safe(struct pl_str s);
/* Whether s may be the name of a header. SPEC RFC 9110#5.6.2: one or more tchar. */
bool pl_header_token(struct pl_str s);
/* Shell-like match of a whole name: * ? [a-z] [!a-z], backslash quotes. */
bool pl_glob_match(const char *pattern, const char *name);
/* How many leading bytes of the pattern are literal. */
size_t pl_glob_literal(const char *pattern);
/* Edits between two short words, for "did you mean". */
size_t pl_edit_distance(const char *a, const char *b);

#endif
