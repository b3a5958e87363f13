#include "codec/base64.h"

void pl_base64_text(char *out, const void *data, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = data;
    for (; n; p += 3, n -= n < 3 ? n : 3) {
        unsigned v = (unsigned)p[0] << 16 | (n > 1 ? (unsigned)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = n > 1 ? digits[v >> 6 & 63] : '=';
        *out++ = n > 2 ? digits[v & 63] : '=';
    }
    *out = '\0';
}

void pl_base64_encode(struct pl_buf *out, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t step; n; p += step, n -= step) {
        char text[PL_BASE64_SIZE(48)];
        step = n < 48 ? n : 48;
        pl_base64_text(text, p, step);
        pl_buf_puts(out, text);
    }
}

static int value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool pl_base64_decode(struct pl_buf *out, struct pl_str text)
{
    if (text.len % 4 != 0) {
        return false;
    }
    for (size_t at = 0; at < text.len; at += 4) {
        const char *p = text.ptr + at;
        bool last = at + 4 == text.len;
        int pad = !last ? 0 : p[3] != '=' ? 0 : p[2] != '=' ? 1 : 2;
        unsigned v = 0;
        for (int i = 0; i < 4; i++) {
            int digit = i < 4 - pad ? value(p[i]) : 0;
            if (digit < 0) {
                return false;
            }
            v = v << 6 | (unsigned)digit;
        }
        if (v & ((1u << (8 * pad)) - 1)) {
            return false;
        }
        char three[3] = {(char)(v >> 16), (char)(v >> 8 & 0xff), (char)(v & 0xff)};
        pl_buf_add(out, three, (size_t)(3 - pad));
    }
    return true;
}
