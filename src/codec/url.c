#include "codec/url.h"

#include "codec/hex.h"

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_unreserved(char c)
{
    return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

void pl_url_encode(struct pl_buf *out, struct pl_str text, unsigned flags)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *plain = text.ptr, *end = text.ptr + text.len;
    for (const char *p = text.ptr; p < end; p++) {
        if (is_unreserved(*p) || (*p == '/' && (flags & PL_URL_KEEP_SLASH))) {
            continue;
        }
        unsigned char c = (unsigned char)*p;
        char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
        pl_buf_add(out, plain, (size_t)(p - plain));
        pl_buf_add(out, escape, sizeof escape);
        plain = p + 1;
    }
    if (plain < end) {
        pl_buf_add(out, plain, (size_t)(end - plain));
    }
}

bool pl_url_decode(struct pl_buf *out, struct pl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '%') {
            pl_buf_putc(out, text.ptr[i]);
            continue;
        }
        unsigned char byte;
        if (text.len - i < 3 || !pl_hex_decode(&byte, 1, pl_str_n(text.ptr + i + 1, 2))) {
            return false;
        }
        pl_buf_putc(out, (char)byte);
        i += 2;
    }
    return true;
}

void pl_url_query_add(struct pl_buf *query, const char *name, struct pl_str value)
{
    if (query->len) {
        pl_buf_putc(query, '&');
    }
    pl_url_encode(query, pl_str_c(name), 0);
    pl_buf_putc(query, '=');
    pl_url_encode(query, value, 0);
}

bool pl_url_query_next(struct pl_str *query, struct pl_str *name, struct pl_str *value)
{
    while (query->ptr && query->len) {
        struct pl_str pair = pl_str_split(query, '&');
        if (pair.len) {
            *value = pair;
            *name = pl_str_split(value, '=');
            *value = value->ptr ? *value : pl_str_n("", 0);
            return true;
        }
    }
    return false;
}

static pail_code bad(struct pail_error **err, struct pl_str shown, const char *why)
{
    return pl_fail(err, PAIL_E_BAD_CONFIG, "malformed URL \"%.*s\": %s", (int)shown.len, shown.ptr,
                   why);
}

/* RFC 3986 section 3.2.2; the address itself is left to the resolver. */
static const char *check_ipv6(struct pl_str host)
{
    bool colon = false;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        colon |= c == ':';
        if (pl_hex_digit(c) < 0 && c != ':' && c != '.') {
            return "the address in brackets is no IPv6 address";
        }
    }
    return colon ? NULL : "the address in brackets is no IPv6 address";
}

static const char *check_name(struct pl_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_' && c != '.') {
            return "the host has a byte that no host name has";
        }
    }
    return host.len == 0        ? "it has no host"
           : host.ptr[0] == '.' ? "the host begins with a dot"
           : host.len > 255     ? "the host is longer than 255 bytes"
                                : NULL;
}

static const char *parse_port(struct pl_url *url, struct pl_str port)
{
    uint64_t n = url->tls ? 443 : 80;
    if (port.len && (!pl_str_u64(port, &n) || n == 0 || n > 65535)) {
        return "the port is no number from 1 to 65535";
    }
    url->port = (uint16_t)n;
    return NULL;
}

static const char *parse_authority(struct pl_url *url, struct pl_str text)
{
    url->host_port = text;
    if (text.len && text.ptr[0] == '[') {
        const char *close = memchr(text.ptr, ']', text.len);
        if (!close) {
            return "the bracket of the IPv6 address is not closed";
        }
        url->ipv6 = true;
        url->host = pl_str_n(text.ptr + 1, (size_t)(close - text.ptr) - 1);
        struct pl_str rest = pl_str_n(close + 1, text.len - url->host.len - 2);
        if (rest.len && rest.ptr[0] != ':') {
            return "something stands between the IPv6 address and the port";
        }
        const char *why = check_ipv6(url->host);
        return why ? why : parse_port(url, pl_str_n(rest.ptr + !!rest.len, rest.len - !!rest.len));
    }
    struct pl_str port = text;
    url->host = pl_str_split(&port, ':');
    const char *why = check_name(url->host);
    return why ? why : parse_port(url, port.ptr ? port : PL_STR(""));
}

static size_t find_any(struct pl_str text, const char *set)
{
    size_t i = 0;
    while (i < text.len && !strchr(set, text.ptr[i])) {
        i++;
    }
    return i;
}

static const char *check_bytes(struct pl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= 0x20 || c >= 0x7f) {
            return "it has a blank, a control byte or a byte beyond ASCII; write it as %XX";
        }
        if (c == '#') {
            return "it has a fragment";
        }
    }
    return NULL;
}

pail_code pl_url_parse(struct pl_str text, struct pl_url *out, struct pail_error **err)
{
    *out = (struct pl_url){0};
    size_t colon = find_any(text, ":/?#");
    out->scheme = pl_str_n(text.ptr, colon);
    out->tls = pl_str_ieq(out->scheme, PL_STR("https"));
    struct pl_str rest = pl_str_n(text.ptr + colon, text.len - colon);
    if ((!out->tls && !pl_str_ieq(out->scheme, PL_STR("http"))) ||
        !pl_str_starts(rest, PL_STR("://"))) {
        return bad(err, out->scheme, "it does not begin with http:// or https://");
    }
    rest = pl_str_n(rest.ptr + 3, rest.len - 3);
    size_t end = find_any(rest, "/?#");
    struct pl_str authority = pl_str_n(rest.ptr, end);
    if (memchr(authority.ptr, '@', authority.len)) {
        return bad(err, out->scheme, "it has user information; give credentials as settings");
    }
    struct pl_str shown = pl_str_n(text.ptr, colon + 3 + end);
    const char *why = check_bytes(text);
    why = why ? why : parse_authority(out, authority);
    if (why) {
        return bad(err, check_bytes(shown) ? out->scheme : shown, why);
    }
    rest = pl_str_n(rest.ptr + end, rest.len - end);
    size_t mark = find_any(rest, "?");
    out->path = pl_str_n(rest.ptr, mark);
    out->has_query = mark < rest.len;
    out->query = pl_str_n(rest.ptr + mark + out->has_query, rest.len - mark - out->has_query);
    return PAIL_OK;
}

void pl_url_host_header(struct pl_buf *out, const struct pl_url *url)
{
    pl_buf_puts(out, url->ipv6 ? "[" : "");
    for (size_t i = 0; i < url->host.len; i++) {
        char c = url->host.ptr[i];
        pl_buf_putc(out, c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c);
    }
    pl_buf_puts(out, url->ipv6 ? "]" : "");
    if (url->port != (url->tls ? 443 : 80)) {
        pl_buf_putc(out, ':');
        pl_buf_u64(out, url->port);
    }
}
