/* PostObject: a file that a browser posts as multipart/form-data, with its rights in fields before
 * it. SPEC S3 "POST Object"; RFC 7578 and RFC 2046 5.1 for the form. The file is kept in memory
 * until all of it is there, and only of those whose policy was let in. */
#include "gateway/gateway.h"

#include "codec/base64.h"
#include "codec/hex.h"
#include "codec/url.h"

enum {
    FIELDS_MAX = 100,
    FIELDS_BYTES = 20 << 10, /* SPEC S3 "POST Object": the fields before the file */
    BOUNDARY_MAX = 70,       /* RFC 2046 5.1.1 */
    DELIMITER_MAX = BOUNDARY_MAX + 5,
    KEY_MAX = 1024
};

static bool malformed(struct pl_gw_call *c, const char *message)
{
    pl_gw_fail(c, "MalformedPOSTRequest", message);
    return false;
}

const char *pl_gw_field(const struct pl_gw_call *c, const char *name)
{
    for (size_t i = 0; i < c->form.count; i++) {
        if (pl_str_ieq(c->form.fields[i].name, pl_str_c(name))) {
            return c->form.fields[i].value.ptr;
        }
    }
    return NULL;
}

/* ---- the form taken apart ---- */

/* Where the text is; SIZE_MAX: nowhere. */
static size_t find(struct pl_str in, struct pl_str text)
{
    const char *at = in.len ? memmem(in.ptr, in.len, text.ptr, text.len) : NULL;
    return at ? (size_t)(at - in.ptr) : SIZE_MAX;
}

static struct pl_str from(struct pl_str s, size_t at)
{
    return pl_str_n(s.ptr + at, s.len - at);
}

/* A parameter of a header's value, with or without quotes; ptr NULL: not there. */
static struct pl_str param(struct pl_str value, const char *name)
{
    (void)pl_str_split(&value, ';');
    while (value.ptr) {
        value = pl_str_trim(value);
        struct pl_str key = {value.ptr, 0};
        while (key.len < value.len && value.ptr[key.len] != '=' && value.ptr[key.len] != ';') {
            key.len++;
        }
        value = from(value, key.len);
        struct pl_str text = {0};
        if (value.len > 1 && value.ptr[0] == '=' && value.ptr[1] == '"') {
            value = from(value, 2);
            text = pl_str_split(&value, '"');
            (void)pl_str_split(&value, ';');
        } else {
            text = pl_str_split(&value, ';');
            text = text.len ? from(text, 1) : text;
        }
        if (pl_str_ieq(pl_str_trim(key), pl_str_c(name))) {
            return text.ptr ? text : PL_STR("");
        }
    }
    return (struct pl_str){0};
}

/* "\r\n--BOUNDARY"; empty: the request has none. */
static struct pl_str delimiter(const struct pl_gw_call *c, char room[DELIMITER_MAX])
{
    struct pl_str type = pl_http_call_header(c->http, "content-type");
    struct pl_str boundary = param(type, "boundary"), kind = PL_STR("multipart/form-data");
    if (type.len < kind.len || !pl_str_ieq(pl_str_n(type.ptr, kind.len), kind) ||
        boundary.len == 0 || boundary.len > BOUNDARY_MAX) {
        return (struct pl_str){0};
    }
    memcpy(room, "\r\n--", 4);
    memcpy(room + 4, boundary.ptr, boundary.len);
    return pl_str_n(room, 4 + boundary.len);
}

static struct pl_str disposition(struct pl_str headers)
{
    struct pl_str name = PL_STR("content-disposition:");
    while (headers.ptr) {
        struct pl_str line = pl_str_trim(pl_str_split(&headers, '\n'));
        if (line.len > name.len && pl_str_ieq(pl_str_n(line.ptr, name.len), name)) {
            return from(line, name.len);
        }
    }
    return (struct pl_str){0};
}

enum found { FOUND_FILE, FOUND_PART, FOUND_WAIT, FOUND_BAD };

/* One part from *rest on, which is moved behind it; of the file, to its first byte. */
static enum found take_part(struct pl_gw_call *c, struct pl_str delimiter_text, struct pl_str *rest,
                            struct pl_str *filename)
{
    size_t end = find(*rest, PL_STR("\r\n\r\n"));
    if (end == SIZE_MAX) {
        return FOUND_WAIT;
    }
    struct pl_str said = disposition(pl_str_n(rest->ptr, end)), name = param(said, "name");
    struct pl_str value = from(*rest, end + 4);
    if (!name.len) {
        return FOUND_BAD;
    }
    if (pl_str_ieq(name, PL_STR("file"))) {
        *filename = param(said, "filename");
        *rest = value;
        return FOUND_FILE;
    }
    size_t n = find(value, delimiter_text);
    if (n == SIZE_MAX || value.len < n + delimiter_text.len + 2) {
        return FOUND_WAIT;
    }
    *rest = from(value, n + delimiter_text.len);
    if (c->form.count == FIELDS_MAX || !pl_str_starts(*rest, PL_STR("\r\n")) ||
        memchr(value.ptr, '\0', n)) {
        return FOUND_BAD;
    }
    *rest = from(*rest, 2);
    c->form.fields[c->form.count++] = (struct pl_header){name, pl_str_n(value.ptr, n)};
    return FOUND_PART;
}

/* The fields as views of what has come. */
static enum found take_fields(struct pl_gw_call *c, struct pl_str *rest, struct pl_str *filename)
{
    char room[DELIMITER_MAX];
    struct pl_str text = delimiter(c, room), first = from(text, 2);
    c->form.count = 0;
    if (rest->len < first.len + 2) {
        return FOUND_WAIT;
    }
    if (!pl_str_starts(*rest, first) || !pl_str_starts(from(*rest, first.len), PL_STR("\r\n"))) {
        return FOUND_BAD;
    }
    *rest = from(*rest, first.len + 2);
    enum found found;
    do {
        found = take_part(c, text, rest, filename);
    } while (found == FOUND_PART);
    return found;
}

/* ---- the fields are there ---- */

/* The views become texts of the call's own. A second value of a field would be one that no
 * condition was held against. */
static bool keep_fields(struct pl_gw_call *c)
{
    for (size_t i = 0; i < c->form.count; i++) {
        struct pl_header *f = &c->form.fields[i];
        for (size_t k = 0; k < i; k++) {
            if (pl_str_ieq(f->name, c->form.fields[k].name)) {
                return malformed(c, "a field is there twice");
            }
        }
        f->name.ptr = pl_arena_dup(c->arena, f->name);
        f->value.ptr = pl_arena_dup(c->arena, f->value);
        if (!f->name.ptr || !f->value.ptr) {
            pl_gw_fail(c, "SlowDown", NULL);
            return false;
        }
    }
    return true;
}

/* SPEC S3 "POST Object": ${filename} in the key stands for the name of the file. */
static bool take_key(struct pl_gw_call *c, struct pl_str filename)
{
    struct pl_str mark = PL_STR("${filename}"), said = pl_str_c(pl_gw_field(c, "key"));
    for (size_t i = filename.len; i > 0; i--) { /* some browsers send the whole path */
        if (filename.ptr[i - 1] == '/' || filename.ptr[i - 1] == '\\') {
            filename = from(filename, i);
            break;
        }
    }
    if (!said.len) {
        pl_gw_fail(c, "InvalidArgument", "the form needs a field `key` before the file");
        return false;
    }
    struct pl_buf key = PL_BUF_MAX(64 << 10);
    for (size_t at; (at = find(said, mark)) != SIZE_MAX; said = from(said, at + mark.len)) {
        pl_buf_add(&key, said.ptr, at);
        pl_buf_str(&key, filename);
    }
    pl_buf_str(&key, said);
    bool good = !pl_buf_rc(&key) && key.len > 0 && key.len <= KEY_MAX &&
                pl_utf8_valid(pl_buf_view(&key)) && !memchr(key.ptr, '\0', key.len);
    c->key = good ? pl_arena_dup(c->arena, pl_buf_view(&key)) : NULL;
    if (!c->key) {
        pl_gw_fail(c, key.len > KEY_MAX ? "KeyTooLongError" : "InvalidArgument",
                   "the key of the form is none that an object may have");
    }
    pl_buf_dispose(&key);
    return c->key != NULL;
}

/* The fields say what the headers of a PUT say. */
static bool take_attributes(struct pl_gw_call *c)
{
    const struct pl_header *headers = c->http->headers;
    size_t count = c->http->header_count;
    if (pl_gw_field(c, "tagging")) {
        pl_gw_fail(c, "NotImplemented", "tags of a posted form are not taken");
        return false;
    }
    for (size_t i = 0; i < c->form.count; i++) {
        if (!pl_header_safe(c->form.fields[i].value)) {
            pl_gw_fail(c, "InvalidArgument", "a field has a byte that no header may have");
            return false;
        }
    }
    c->http->headers = c->form.fields;
    c->http->header_count = c->form.count;
    bool ok = pl_gw_take_attributes(c, &c->attr);
    c->http->headers = headers;
    c->http->header_count = count;
    return ok;
}

bool pl_gw_form_data(struct pl_gw_call *c)
{
    struct pl_buf *b = &c->body.small;
    struct pl_str rest = pl_buf_view(b), filename = {0};
    char room[DELIMITER_MAX];
    if (c->form.in_file) {
        if (b->len > DELIMITER_MAX + FIELDS_BYTES &&
            b->len - DELIMITER_MAX - FIELDS_BYTES > c->form.most) {
            pl_gw_fail(c, "EntityTooLarge", NULL);
        }
        return !c->error;
    }
    if (!delimiter(c, room).ptr) {
        pl_gw_fail(c, "PreconditionFailed", "a POST to a bucket must be multipart/form-data");
        return false;
    }
    if (!c->form.fields) {
        c->form.fields = pl_arena_alloc(c->arena, FIELDS_MAX * sizeof *c->form.fields);
    }
    enum found found = c->form.fields ? take_fields(c, &rest, &filename) : FOUND_WAIT;
    size_t before = b->len - rest.len;
    if (found == FOUND_BAD) {
        return malformed(c, NULL);
    }
    if ((found == FOUND_WAIT ? b->len : before) > FIELDS_BYTES) {
        pl_gw_fail(c, "MaxPostPreDataLengthExceededError", NULL);
        return false;
    }
    if (found == FOUND_WAIT) {
        return true;
    }
    c->form.in_file = true;
    c->form.most = UINT64_MAX;
    if (!keep_fields(c) || !pl_gw_admit_form(c) || !take_key(c, filename) ||
        !pl_gw_policy_allows(c) || !take_attributes(c)) {
        return false;
    }
    c->http->trusted = true;
    memmove(b->ptr, b->ptr + before, rest.len);
    b->len = rest.len;
    return true;
}

/* ---- the file is there ---- */

/* x-amz-checksum-NAME as a field. */
static bool check_sums(struct pl_gw_call *c)
{
    for (size_t i = 0; i < c->form.count; i++) {
        struct pl_sum_value v;
        char text[PL_SUM_BASE64_MAX];
        bool is;
        enum pl_sum kind = pl_gw_sum_kind(c->form.fields[i].name, &is);
        if (!is) {
            continue;
        }
        if (kind == PL_SUM_NONE) {
            pl_gw_fail(c, "InvalidRequest",
                       "the algorithm of an x-amz-checksum- field is not known");
            return false;
        }
        if (pl_sum_of(kind, c->body.small.ptr, c->body.small.len, &v, NULL) ||
            !pl_str_is(pl_str_trim(c->form.fields[i].value), pl_sum_base64(&v, text))) {
            pl_gw_fail(c, "BadDigest", NULL);
            return false;
        }
    }
    return true;
}

/* Cuts off what stands behind the file: SPEC S3 "POST Object": fields there are ignored. */
static bool cut_file(struct pl_gw_call *c)
{
    char room[DELIMITER_MAX];
    struct pl_gw_body *b = &c->body;
    struct pl_sum_value v;
    size_t n = c->form.in_file ? find(pl_buf_view(&b->small), delimiter(c, room)) : SIZE_MAX;
    if (n == SIZE_MAX) {
        return malformed(c, c->form.in_file ? "the form does not end with its boundary"
                                            : "the form has no file");
    }
    b->small.len = n;
    if (n < c->form.least || n > c->form.most) {
        pl_gw_fail(c, n < c->form.least ? "EntityTooSmall" : "EntityTooLarge",
                   "the file has not as many bytes as the policy asks for");
        return false;
    }
    if (c->g->caps.keeps_etag && pl_sum_of(PL_SUM_MD5, b->small.ptr, n, &v, NULL) == PAIL_OK) {
        pl_hex_encode(b->md5_hex, v.bytes, v.len);
        b->has_md5 = true;
    }
    return check_sums(c);
}

static bool redirect(struct pl_gw_call *c)
{
    const char *to = pl_gw_field(c, "success_action_redirect");
    to = to ? to : pl_gw_field(c, "redirect");
    if (!to || (strncmp(to, "http://", 7) != 0 && strncmp(to, "https://", 8) != 0)) {
        return false;
    }
    struct pl_buf url = PL_BUF_MAX(64 << 10);
    pl_buf_puts(&url, to);
    pl_buf_puts(&url, strchr(to, '?') ? "&bucket=" : "?bucket=");
    pl_url_encode(&url, pl_str_c(c->bucket), 0);
    pl_buf_puts(&url, "&key=");
    pl_url_encode(&url, pl_str_c(c->key), 0);
    pl_buf_puts(&url, "&etag=%22");
    pl_url_encode(&url, pl_str_c(c->worker.etag), 0);
    pl_buf_puts(&url, "%22");
    bool ok = !pl_buf_rc(&url);
    if (ok) {
        pl_http_reply_header(c->http, "Location", pl_buf_view(&url));
        pl_gw_reply(c, 303);
    }
    pl_buf_dispose(&url);
    return ok;
}

void pl_gw_post_object(struct pl_gw_call *c)
{
    if (!cut_file(c)) {
        return;
    }
    pl_gw_put_small(c);
    if (c->error) {
        return;
    }
    pl_gw_etag_header(c, c->worker.etag);
    if (redirect(c)) {
        return;
    }
    const char *status = pl_gw_field(c, "success_action_status");
    struct pl_buf place = PL_BUF_MAX(64 << 10);
    pl_buf_printf(&place, "/%s/", c->bucket);
    pl_url_encode(&place, pl_str_c(c->key), PL_URL_KEEP_SLASH);
    pl_http_reply_header(c->http, "Location", pl_buf_view(&place));
    if (status && strcmp(status, "201") == 0) {
        struct pl_buf *b = pl_gw_xml(c, "PostResponse");
        pl_gw_text(b, "Location", pl_arena_dup(c->arena, pl_buf_view(&place)));
        pl_gw_text(b, "Bucket", c->bucket);
        pl_gw_key_text(b, "Key", c->key, false);
        pl_gw_etag(b, c->worker.etag);
        pl_gw_xml_end(c, "PostResponse");
        c->http->status = 201;
    } else {
        pl_gw_reply(c, status && strcmp(status, "200") == 0 ? 200 : 204);
    }
    pl_buf_dispose(&place);
}
