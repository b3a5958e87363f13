/* Bytes as lower-case hexadecimal digits, and back. */
#ifndef PL_CODEC_HEX_H
#define PL_CODEC_HEX_H

#include "base/str.h"

/* Writes 2 * n digits and a NUL; out has room for 2 * n + 1. */
void pl_hex_encode(char *out, const void *data, size_t n);
/* Either case. text.len must be 2 * n; false on anything else. */
bool pl_hex_decode(void *out, size_t n, struct pl_str text);
/* The value of one digit; -1: none. */
int pl_hex_digit(char c);

#endif
