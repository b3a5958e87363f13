/* Source: RFC 2047. */
#include "codec/encoded_word.h"

#include "codec/base64.h"
#include "codec/url.h"

static bool is_plain(struct pl_str v)
{
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.ptr[i];
        if (c < 0x20 || c > 0x7e || (c == ' ' && i + 1 < v.len && v.ptr[i + 1] == ' ')) {
            return false;
        }
    }
    /* What looks encoded would be decoded on the way back. */
    return v.len == 0 ||
           (v.ptr[0] != ' ' && v.ptr[v.len - 1] != ' ' && !pl_str_starts(v, PL_STR("=?")));
}

void pl_encoded_word_write(struct pl_buf *out, struct pl_str value)
{
    if (is_plain(value)) {
        pl_buf_str(out, value);
        return;
    }
    /* SPEC RFC 2047 #2: an encoded word is at most 75 characters: 45 bytes of text. A character is
     * never cut. */
    for (size_t at = 0; at < value.len;) {
        size_t n = value.len - at < 45 ? value.len - at : 45;
        while (at + n < value.len && n > 1 && ((unsigned char)value.ptr[at + n] & 0xc0) == 0x80) {
            n--;
        }
        pl_buf_puts(out, at ? " =?UTF-8?B?" : "=?UTF-8?B?");
        pl_base64_encode(out, value.ptr + at, n);
        pl_buf_puts(out, "?=");
        at += n;
    }
}

/* "q" encoding of RFC 2047: _ is a blank, =XX a byte. */
static bool decode_q(struct pl_buf *out, struct pl_str text)
{
    struct pl_buf percent = PL_BUF_MAX(64 * 1024);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            pl_buf_puts(&percent, "%25");
        } else {
            pl_buf_putc(&percent, c == '_' ? ' ' : c == '=' ? '%' : c);
        }
    }
    bool ok = !pl_buf_rc(&percent) && pl_url_decode(out, pl_buf_view(&percent));
    pl_buf_dispose(&percent);
    return ok;
}

/* Takes one "=?UTF-8?B?...?=" off *text and decodes it. */
static bool decode_word(struct pl_buf *out, struct pl_str *text)
{
    struct pl_str start = PL_STR("=?UTF-8?");
    if (text->len < start.len + 4 || !pl_str_ieq(pl_str_n(text->ptr, start.len), start) ||
        text->ptr[start.len + 1] != '?') {
        return false;
    }
    char how = text->ptr[start.len];
    const char *from = text->ptr + start.len + 2;
    size_t left = text->len - start.len - 2;
    const char *end = memmem(from, left, "?=", 2);
    if (!end) {
        return false;
    }
    struct pl_str word = pl_str_n(from, (size_t)(end - from));
    *text = pl_str_trim(pl_str_n(end + 2, left - word.len - 2));
    if (how == 'B' || how == 'b') {
        return pl_base64_decode(out, word);
    }
    return (how == 'Q' || how == 'q') && decode_q(out, word);
}

char *pl_encoded_word_read(struct pl_arena *arena, struct pl_str value)
{
    struct pl_buf text = PL_BUF_MAX(64 * 1024);
    struct pl_str rest = value;
    bool ok = rest.len > 0;
    while (ok && rest.len) {
        ok = decode_word(&text, &rest);
    }
    ok = ok && !pl_buf_rc(&text) && pl_utf8_valid(pl_buf_view(&text)) &&
         !memchr(text.ptr, 0, text.len);
    char *copy = pl_arena_dup(arena, ok ? pl_buf_view(&text) : value);
    pl_buf_dispose(&text);
    return copy;
}
