#include "codec/hex.h"

void pl_hex_encode(char *out, const void *data, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = '\0';
}

int pl_hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool pl_hex_decode(void *out, size_t n, struct pl_str text)
{
    unsigned char *p = out;
    if (text.len != 2 * n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        int high = pl_hex_digit(text.ptr[2 * i]), low = pl_hex_digit(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        p[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
