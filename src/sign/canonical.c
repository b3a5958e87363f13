#include "sign/canonical.h"

#include "codec/hex.h"
#include "codec/url.h"

/* Takes the last "/segment" off what stands behind `start`. */
static void drop_segment(struct pl_buf *out, size_t start)
{
    while (out->len > start && out->ptr[out->len - 1] != '/') {
        out->len--;
    }
    out->len -= out->len > start;
    if (out->ptr) {
        out->ptr[out->len] = '\0';
    }
}

void pl_canonical_path(struct pl_buf *out, struct pl_str path, bool normalize)
{
    if (!normalize) {
        pl_url_encode(out, path.len ? path : PL_STR("/"), PL_URL_KEEP_SLASH);
        return;
    }
    /* SPEC RFC 3986#5.2.4, with empty segments dropped as well. Unlike there, a path that ends in a
     * dot segment gets no slash: so do the AWS SDKs, and the services accept theirs. */
    size_t start = out->len;
    bool slash_at_end = pl_str_ends(path, PL_STR("/"));
    while (path.ptr && path.len && !pl_buf_rc(out)) {
        struct pl_str segment = pl_str_split(&path, '/');
        if (pl_str_is(segment, "..")) {
            drop_segment(out, start);
        } else if (segment.len && !pl_str_is(segment, ".")) {
            pl_buf_putc(out, '/');
            pl_url_encode(out, segment, 0);
        }
    }
    if (slash_at_end || out->len == start) {
        pl_buf_putc(out, '/');
    }
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* One name or value: whatever way it is encoded on the wire, it is signed encoded our way. */
static void encode_again(struct pl_buf *out, struct pl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        size_t plain = i;
        while (i < text.len && is_unreserved(text.ptr[i])) {
            i++;
        }
        pl_buf_add(out, text.ptr + plain, i - plain);
        if (i == text.len) {
            break;
        }
        unsigned char byte;
        char c = text.ptr[i];
        if (c == '%' && text.len - i > 2 &&
            pl_hex_decode(&byte, 1, pl_str_n(text.ptr + i + 1, 2))) {
            c = (char)byte;
            i += 2;
        }
        pl_url_encode(out, pl_str_n(&c, 1), 0);
    }
}

struct pair {
    size_t at, name_len, value_len; /* of "name=value" in the scratch buffer */
};

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare_pairs(const char *text, const struct pair *a, const struct pair *b)
{
    const char *p = text + a->at, *q = text + b->at;
    int order = compare_bytes(p, a->name_len, q, b->name_len);
    return order ? order
                 : compare_bytes(p + a->name_len + 1, a->value_len, q + b->name_len + 1,
                                 b->value_len);
}

bool pl_canonical_query(struct pl_buf *out, struct pl_buf *scratch, struct pl_str query)
{
    struct pair pairs[PL_CANONICAL_MAX];
    struct pl_str name, value;
    size_t count = 0;
    pl_buf_clear(scratch);
    while (pl_url_query_next(&query, &name, &value)) {
        struct pair pair = {.at = scratch->len};
        encode_again(scratch, name);
        pair.name_len = scratch->len - pair.at;
        pl_buf_putc(scratch, '=');
        encode_again(scratch, value);
        pair.value_len = scratch->len - pair.at - pair.name_len - 1;
        if (count == PL_CANONICAL_MAX || pl_buf_rc(scratch)) {
            return false;
        }
        size_t at = count++; /* few, and mostly in order already */
        for (; at > 0 && compare_pairs(scratch->ptr, &pairs[at - 1], &pair) > 0; at--) {
            pairs[at] = pairs[at - 1];
        }
        pairs[at] = pair;
    }
    for (size_t i = 0; i < count; i++) {
        if (i) {
            pl_buf_putc(out, '&');
        }
        pl_buf_add(out, scratch->ptr + pairs[i].at, pairs[i].name_len + 1 + pairs[i].value_len);
    }
    return true;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static int compare_names(struct pl_str a, struct pl_str b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        int order = (unsigned char)lower(a.ptr[i]) - (unsigned char)lower(b.ptr[i]);
        if (order) {
            return order;
        }
    }
    return (a.len > b.len) - (a.len < b.len);
}

/* Hops change or drop these, tracing adds them late, the engine sends its own. */
static bool is_signed(struct pl_str name)
{
    static const struct {
        size_t len;
        char name[18];
    } left_out[] = {
        {13, "authorization"},
        {7, "baggage"},
        {10, "connection"},
        {6, "expect"},
        {10, "keep-alive"},
        {2, "te"},
        {7, "trailer"},
        {11, "traceparent"},
        {10, "tracestate"},
        {7, "upgrade"},
        {17, "transfer-encoding"},
        {10, "user-agent"},
        {15, "x-amzn-trace-id"},
    };
    if (name.len > 5 && name.ptr[4] == 'z' && name.ptr[5] == '-') {
        return true; /* x-amz-..., the most */
    }
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++) {
        if (name.len == left_out[i].len && pl_str_ieq(name, pl_str_n(left_out[i].name, name.len))) {
            return false;
        }
    }
    return !(name.len > 6 && pl_str_ieq(pl_str_n(name.ptr, 6), PL_STR("proxy-")));
}

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ' && (c == ' ' || c == '\t' || c == '\r' || c == '\n');
}

/* Without blanks at both ends, and each run of blanks inside as one. */
static void add_value(struct pl_buf *out, struct pl_str value)
{
    value = pl_str_trim(value);
    for (size_t i = 0; i < value.len;) {
        size_t word = i;
        while (i < value.len && !is_blank(value.ptr[i])) {
            i++;
        }
        pl_buf_add(out, value.ptr + word, i - word);
        if (i < value.len) {
            pl_buf_putc(out, ' ');
        }
        while (i < value.len && is_blank(value.ptr[i])) {
            i++;
        }
    }
}

static void add_lower(struct pl_buf *out, struct pl_str name)
{
    char *room = pl_buf_reserve(out, name.len);
    for (size_t i = 0; room && i < name.len; i++) {
        room[i] = lower(name.ptr[i]);
    }
    if (room) {
        room[name.len] = '\0';
        out->len += name.len;
    }
}

bool pl_canonical_headers(struct pl_buf *out, struct pl_buf *names, const struct pl_header *headers,
                          size_t count)
{
    const struct pl_header *sorted[PL_CANONICAL_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_signed(headers[i].name)) {
            continue;
        }
        if (n == PL_CANONICAL_MAX) {
            return false;
        }
        size_t at = n++; /* inserted behind its equals: repeated headers keep their order */
        for (; at > 0 && compare_names(sorted[at - 1]->name, headers[i].name) > 0; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = &headers[i];
    }
    bool again = false;
    for (size_t i = 0; i < n; i++) {
        if (!again) {
            size_t at = out->len;
            pl_buf_add(names, ";", i > 0);
            add_lower(out, sorted[i]->name);
            if (!pl_buf_rc(out)) {
                pl_buf_add(names, out->ptr + at, out->len - at);
            }
        }
        pl_buf_putc(out, again ? ',' : ':');
        add_value(out, sorted[i]->value);
        again = i + 1 < n && compare_names(sorted[i]->name, sorted[i + 1]->name) == 0;
        if (!again) {
            pl_buf_putc(out, '\n');
        }
    }
    return true;
}
