#include "base/str.h"

bool pl_str_starts(struct pl_str s, struct pl_str start)
{
    return s.len >= start.len && memcmp(s.ptr, start.ptr, start.len) == 0;
}

bool pl_str_ends(struct pl_str s, struct pl_str end)
{
    return s.len >= end.len && memcmp(s.ptr + s.len - end.len, end.ptr, end.len) == 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool pl_str_ieq(struct pl_str a, struct pl_str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct pl_str pl_str_trim(struct pl_str s)
{
    while (s.len && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && is_blank(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

bool pl_str_u64(struct pl_str s, uint64_t *out)
{
    uint64_t n = 0;
    if (s.len == 0) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || __builtin_mul_overflow(n, UINT64_C(10), &n) ||
            __builtin_add_overflow(n, (uint64_t)(s.ptr[i] - '0'), &n)) {
            return false;
        }
    }
    *out = n;
    return true;
}

static int unit_shift(struct pl_str unit)
{
    static const struct {
        const char *names[3];
        int shift;
    } units[] = {{{"", "b", "b"}, 0},      {{"k", "kb", "kib"}, 10}, {{"m", "mb", "mib"}, 20},
                 {{"g", "gb", "gib"}, 30}, {{"t", "tb", "tib"}, 40}, {{"p", "pb", "pib"}, 50}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        for (size_t j = 0; j < 3; j++) {
            if (pl_str_ieq(unit, pl_str_c(units[i].names[j]))) {
                return units[i].shift;
            }
        }
    }
    return -1;
}

bool pl_str_size(struct pl_str s, uint64_t *out)
{
    size_t digits = 0;
    while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9') {
        digits++;
    }
    uint64_t whole;
    if (!pl_str_u64(pl_str_n(s.ptr, digits), &whole)) {
        return false;
    }
    double fraction = 0;
    size_t i = digits;
    if (i < s.len && s.ptr[i] == '.') {
        double place = 0.1;
        for (i++; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++) {
            fraction += place * (s.ptr[i] - '0');
            place /= 10;
        }
    }
    int shift = unit_shift(pl_str_n(s.ptr + i, s.len - i));
    if (shift < 0 || (whole << shift) >> shift != whole) {
        return false;
    }
    *out = (whole << shift) + (uint64_t)(fraction * (double)(UINT64_C(1) << shift));
    return true;
}

bool pl_str_bool(struct pl_str s, bool *out)
{
    static const char *const words[] = {"false", "no", "off", "0", "true", "yes", "on", "1"};
    for (size_t i = 0; i < 8; i++) {
        if (pl_str_ieq(s, pl_str_c(words[i]))) {
            *out = i >= 4;
            return true;
        }
    }
    return false;
}

struct pl_str pl_str_split(struct pl_str *rest, char sep)
{
    const char *end = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;
    if (!end) {
        struct pl_str all = *rest;
        *rest = (struct pl_str){NULL, 0};
        return all;
    }
    struct pl_str head = pl_str_n(rest->ptr, (size_t)(end - rest->ptr));
    rest->ptr = end + 1;
    rest->len -= head.len + 1;
    return head;
}

/* The length of the UTF-8 sequence that starts at s, 0 where it is malformed. */
static size_t utf8_sequence(const unsigned char *s, size_t n)
{
    if (s[0] < 0x80) {
        return 1;
    }
    size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n < len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] >= 0xa0;
    bool beyond = s[0] == 0xf4 && s[1] >= 0x90;
    return overlong || surrogate || beyond ? 0 : len;
}

bool pl_utf8_valid(struct pl_str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    for (size_t i = 0; i < s.len;) {
        size_t len = utf8_sequence(p + i, s.len - i);
        if (len == 0) {
            return false;
        }
        i += len;
    }
    return true;
}

bool pl_header_safe(struct pl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

bool pl_header_token(struct pl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c && strchr("!#$%&'*+-.^_`|~", c)))) {
            return false;
        }
    }
    return s.len > 0;
}

/* Matches one [set] at *p against c and moves *p behind it. A set without its ] is a literal [. */
static bool match_set(const char **p, char c)
{
    const char *s = *p + 1;
    bool negate = *s == '!' || *s == '^', hit = false;
    s += negate;
    const char *first = s;
    while (*s && (*s != ']' || s == first)) {
        char low = *s, high = *s;
        if (s[1] == '-' && s[2] && s[2] != ']') {
            high = s[2];
            s += 2;
        }
        hit |= (unsigned char)c >= (unsigned char)low && (unsigned char)c <= (unsigned char)high;
        s++;
    }
    if (!*s) {
        *p += 1;
        return c == '[';
    }
    *p = s + 1;
    return hit != negate;
}

bool pl_glob_match(const char *pattern, const char *name)
{
    const char *star = NULL, *retry = NULL;
    const char *p = pattern, *n = name;
    while (*n) {
        bool ok = false;
        if (*p == '*') {
            star = ++p;
            retry = n;
            continue;
        }
        if (*p == '[') {
            ok = match_set(&p, *n);
        } else if (*p == '?') {
            ok = true;
            p++;
        } else if (*p) {
            p += *p == '\\' && p[1];
            ok = *p++ == *n;
        }
        if (ok) {
            n++;
        } else if (star) {
            p = star;
            n = ++retry;
        } else {
            return false;
        }
    }
    while (*p == '*') {
        p++;
    }
    return !*p;
}

size_t pl_glob_literal(const char *pattern)
{
    return strcspn(pattern, "*?[\\");
}

size_t pl_edit_distance(const char *a, const char *b)
{
    enum { MOST = 64 };
    size_t row[MOST + 1], la = strlen(a), lb = strlen(b);
    if (la > MOST || lb > MOST) {
        return MOST;
    }
    for (size_t j = 0; j <= lb; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t change = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));
            diagonal = row[j];
            size_t least = row[j] < row[j - 1] ? row[j] : row[j - 1];
            row[j] = change < least + 1 ? change : least + 1;
        }
    }
    return row[lb];
}
