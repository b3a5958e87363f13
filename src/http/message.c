#include "http/message.h"

#include "codec/date.h"

static bool grow(struct pl_http_request *r)
{
    if (r->header_count < r->header_cap) {
        return true;
    }
    size_t cap = r->header_cap ? r->header_cap * 2 : 24;
    struct pl_header *more =
        cap > PL_HTTP_HEADERS_MAX ? NULL : pl_arena_alloc(&r->arena, cap * sizeof *more);
    if (!more) {
        return false;
    }
    if (r->header_count) {
        memcpy(more, r->headers, r->header_count * sizeof *more);
    }
    r->headers = more;
    r->header_cap = cap;
    return true;
}

void pl_http_add(struct pl_http_request *r, const char *name, struct pl_str value)
{
    struct pl_str n = pl_str_c(name);
    bool fine = n.len && pl_header_safe(n) && !strpbrk(name, ": \t") && pl_header_safe(value);
    if (!fine || !grow(r)) {
        r->failed = true;
        return;
    }
    char *copied_name = pl_arena_dup(&r->arena, n), *copied = pl_arena_dup(&r->arena, value);
    if (!copied_name || !copied) {
        r->failed = true;
        return;
    }
    r->headers[r->header_count++] =
        (struct pl_header){pl_str_n(copied_name, n.len), pl_str_n(copied, value.len)};
}

void pl_http_add_c(struct pl_http_request *r, const char *name, const char *value)
{
    pl_http_add(r, name, pl_str_c(value));
}

void pl_http_set_text(struct pl_http_request *r, struct pl_str text)
{
    char *copy = pl_arena_dup(&r->arena, text);
    r->failed |= !copy;
    r->text = (struct pl_body){.kind = PL_BODY_MEM, .ptr = copy, .len = copy ? text.len : 0};
    r->body = &r->text;
}

/* RFC 9110 section 7.2: the port is left out where it is the scheme's own. */
static void host_text(const struct pl_origin *o, struct pl_buf *out)
{
    bool v6 = strchr(o->host, ':') != NULL;
    pl_buf_printf(out, v6 ? "[%s]" : "%s", o->host);
    if (o->port != (o->tls ? 443 : 80)) {
        pl_buf_printf(out, ":%u", o->port);
    }
}

const char *pl_http_host(struct pl_http_request *r)
{
    struct pl_buf text = PL_BUF_MAX(512);
    host_text(&r->origin, &text);
    char *host = pl_buf_rc(&text) ? NULL : pl_arena_dup(&r->arena, pl_buf_view(&text));
    r->failed |= !host;
    pl_buf_dispose(&text);
    return host;
}

const char *pl_origin_text(const struct pl_origin *o, char *room, size_t size)
{
    struct pl_buf text = PL_BUF_MAX(512);
    pl_buf_puts(&text, o->tls ? "https://" : "http://");
    host_text(o, &text);
    size_t n = pl_buf_rc(&text) || text.len >= size ? 0 : text.len;
    memcpy(room, n ? text.ptr : "", n);
    room[n] = '\0';
    pl_buf_dispose(&text);
    return room;
}

void pl_http_request_dispose(struct pl_http_request *r)
{
    for (size_t i = 0; i < r->header_count; i++) { /* signatures, tokens and keys are among them */
        pl_zero((char *)(uintptr_t)r->headers[i].value.ptr, r->headers[i].value.len);
    }
    pl_arena_dispose(&r->arena);
    memset(r, 0, sizeof *r);
}

struct pl_str pl_http_header(const struct pl_http_response *r, const char *name)
{
    struct pl_str wanted = pl_str_c(name);
    for (size_t i = 0; i < r->header_count; i++) {
        if (pl_str_ieq(r->headers[i].name, wanted)) {
            return r->headers[i].value;
        }
    }
    return pl_str_n(NULL, 0);
}

bool pl_http_header_u64(const struct pl_http_response *r, const char *name, uint64_t *out)
{
    struct pl_str value = pl_http_header(r, name);
    return value.ptr && pl_str_u64(value, out);
}

int64_t pl_http_header_date(const struct pl_http_response *r, const char *name)
{
    struct pl_str value = pl_http_header(r, name);
    int64_t ms;
    return value.ptr && pl_date_http_parse(value, &ms) ? ms : -1;
}

/* RFC 9110 section 14.4. */
bool pl_http_content_range(const struct pl_http_response *r, uint64_t *first, uint64_t *last,
                           uint64_t *size)
{
    struct pl_str rest = pl_http_header(r, "content-range");
    if (!rest.ptr || !pl_str_starts(rest, PL_STR("bytes "))) {
        return false;
    }
    rest = pl_str_trim(pl_str_n(rest.ptr + 6, rest.len - 6));
    struct pl_str a = pl_str_split(&rest, '-'), b = pl_str_split(&rest, '/');
    *size = UINT64_MAX;
    return rest.ptr && pl_str_u64(a, first) && pl_str_u64(b, last) && *first <= *last &&
           (pl_str_is(rest, "*") || (pl_str_u64(rest, size) && *last < *size));
}

void pl_http_response_clear(struct pl_http_response *r)
{
    struct pl_buf head = r->head, body = r->body;
    struct pl_header *headers = r->headers;
    size_t cap = r->header_cap;
    memset(r, 0, sizeof *r);
    pl_buf_clear(&head);
    pl_buf_clear(&body);
    head.max = PL_HTTP_HEAD_BYTES_MAX;
    r->head = head;
    r->body = body;
    r->headers = headers;
    r->header_cap = cap;
}

void pl_http_response_dispose(struct pl_http_response *r)
{
    pl_buf_dispose(&r->head);
    pl_buf_dispose(&r->body);
    pl_free(r->headers);
    memset(r, 0, sizeof *r);
}

static bool refuse(struct pl_http_response *r, enum pl_http_fail fail, const char *why)
{
    r->fail = fail;
    size_t n = strlen(why);
    memcpy(r->why, why, n + 1);
    return false;
}

/* "HTTP/1.1 200 OK" or "HTTP/2 200". */
static int status_of(struct pl_str line)
{
    pl_str_split(&line, ' ');
    uint64_t n;
    struct pl_str code = pl_str_n(line.ptr, line.len < 3 ? line.len : 3);
    return code.ptr && pl_str_u64(code, &n) && n >= 100 && n <= 999 ? (int)n : 0;
}

static bool add_header(struct pl_http_response *r, struct pl_str name, struct pl_str value)
{
    if (r->header_count == r->header_cap) {
        size_t cap = r->header_cap ? r->header_cap * 2 : 24;
        struct pl_header *more =
            cap > PL_HTTP_HEADERS_MAX ? NULL : pl_realloc(r->headers, cap * sizeof *more);
        if (!more) {
            return false;
        }
        r->headers = more;
        r->header_cap = cap;
    }
    r->headers[r->header_count++] = (struct pl_header){name, value};
    return true;
}

/* A header with a control byte is left out: its value may end in a message or a log line. */
static bool parse_head(struct pl_http_response *r)
{
    struct pl_str rest = pl_buf_view(&r->head);
    r->status = status_of(pl_str_split(&rest, '\n'));
    while (rest.ptr && rest.len) {
        struct pl_str line = pl_str_split(&rest, '\n');
        bool folded = line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
        struct pl_str name = pl_str_split(&line, ':');
        if (!folded && line.ptr) {
            name = pl_str_trim(name);
            line = pl_str_trim(line);
            if (pl_header_safe(name) && pl_header_safe(line) && !add_header(r, name, line)) {
                return refuse(r, PL_HTTP_GARBAGE, "the answer has too many headers");
            }
        }
    }
    r->has_length = pl_http_header_u64(r, "content-length", &r->content_length);
    r->head_done = true;
    return true;
}

bool pl_http_response_line(struct pl_http_response *r, struct pl_str line)
{
    r->received_bytes += line.len;
    if (r->head_done) {
        return false; /* a trailer */
    }
    if (pl_str_starts(line, PL_STR("HTTP/"))) {
        pl_buf_clear(&r->head);
    }
    pl_buf_str(&r->head, line);
    if (pl_buf_rc(&r->head) || r->received_bytes > PL_HTTP_HEAD_BYTES_MAX) {
        return refuse(r, PL_HTTP_GARBAGE, "the answer's head is beyond 64 KiB");
    }
    if (pl_str_trim(line).len) {
        return false;
    }
    return status_of(pl_buf_view(&r->head)) >= 200 && parse_head(r);
}
