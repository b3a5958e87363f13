/* What a request says, taken apart. */
#include "gateway/gateway.h"

#include "codec/mime.h"
#include "codec/url.h"

enum { PARAMS_MAX = 64, METADATA_MAX = 2048, TAGS_MAX = 10 };

/* Decoded, without NUL; NULL: it cannot be. plus: '+' stands for a blank. */
static char *decode(struct pl_gw_call *c, struct pl_str text, bool plus)
{
    struct pl_buf b = PL_BUF_MAX(64 << 10), plain = PL_BUF_MAX(64 << 10);
    for (size_t i = 0; plus && i < text.len; i++) {
        pl_buf_putc(&plain, text.ptr[i] == '+' ? ' ' : text.ptr[i]);
    }
    pl_buf_puts(&b, "");
    bool ok = pl_url_decode(&b, plus ? pl_buf_view(&plain) : text) && !pl_buf_rc(&b) &&
              !pl_buf_rc(&plain) && (b.len == 0 || !memchr(b.ptr, '\0', b.len)) &&
              pl_utf8_valid(pl_buf_view(&b));
    char *copy = ok ? pl_arena_dup(c->arena, pl_buf_view(&b)) : NULL;
    pl_buf_dispose(&b);
    pl_buf_dispose(&plain);
    return copy;
}

static bool take_params(struct pl_gw_call *c)
{
    struct pl_str rest = c->query, name, value;
    c->params = pl_arena_alloc(c->arena, PARAMS_MAX * sizeof *c->params);
    while (c->params && pl_url_query_next(&rest, &name, &value)) {
        if (c->param_count == PARAMS_MAX) {
            return false;
        }
        pail_kv *kv = &c->params[c->param_count++];
        kv->name = decode(c, name, true);
        kv->value = decode(c, value, true);
        if (!kv->name || !kv->value) {
            return false;
        }
    }
    return c->params != NULL;
}

static bool ends_with_host(struct pl_str host, const char *domain, struct pl_str *bucket)
{
    size_t n = strlen(domain);
    if (host.len < n + 2 || host.ptr[host.len - n - 1] != '.' ||
        !pl_str_ieq(pl_str_n(host.ptr + host.len - n, n), pl_str_c(domain))) {
        return false;
    }
    *bucket = pl_str_n(host.ptr, host.len - n - 1);
    return true;
}

bool pl_gw_bucket_of_host(const struct pl_gw_call *c, struct pl_str *bucket)
{
    struct pl_str rest = pl_http_call_header(c->http, "host"), host = pl_str_split(&rest, ':');
    return (c->g->domain && ends_with_host(host, c->g->domain, bucket)) ||
           ends_with_host(host, "localhost", bucket);
}

static bool take_names(struct pl_gw_call *c)
{
    struct pl_str bucket, rest = c->path;
    if (rest.len == 0 || rest.ptr[0] != '/') {
        return false;
    }
    rest = pl_str_n(rest.ptr + 1, rest.len - 1);
    if (!pl_gw_bucket_of_host(c, &bucket)) {
        bucket = pl_str_split(&rest, '/');
    }
    c->bucket = bucket.len ? decode(c, bucket, false) : NULL;
    c->key = rest.ptr && rest.len ? decode(c, rest, false) : NULL;
    return (!bucket.len || c->bucket) && (!rest.ptr || !rest.len || c->key) &&
           (!c->key || c->bucket);
}

bool pl_gw_parse(struct pl_gw_call *c)
{
    c->query = c->http->target;
    c->path = pl_str_split(&c->query, '?');
    if (!take_params(c) || !take_names(c)) {
        c->bucket = c->key = NULL;
        pl_gw_fail(c, "InvalidURI", NULL);
        return false;
    }
    if (c->key && strlen(c->key) > 1024) {
        c->key = NULL;
        pl_gw_fail(c, "KeyTooLongError", NULL);
        return false;
    }
    return true;
}

const char *pl_gw_decoded(struct pl_gw_call *c, struct pl_str text)
{
    return decode(c, text, true);
}

const char *pl_gw_param(const struct pl_gw_call *c, const char *name)
{
    for (size_t i = 0; i < c->param_count; i++) {
        if (strcmp(c->params[i].name, name) == 0) {
            return c->params[i].value;
        }
    }
    return NULL;
}

const char *pl_gw_header(const struct pl_gw_call *c, const char *name)
{
    struct pl_str value = pl_http_call_header(c->http, name);
    return value.ptr ? pl_arena_dup(c->arena, pl_str_trim(value)) : NULL;
}

uint32_t pl_gw_number(const struct pl_gw_call *c, const char *name, uint32_t unset, bool *bad)
{
    const char *text = pl_gw_param(c, name);
    uint64_t n = 0;
    *bad = text && *text && (!pl_str_u64(pl_str_c(text), &n) || n > INT32_MAX);
    return text && *text && !*bad ? (uint32_t)n : unset;
}

const char *pl_gw_version(const struct pl_gw_call *c, const char *text)
{
    bool history = c->g->caps.ability[PAIL_CAN_VERSIONS] != PAIL_NO;
    return text && *text && (history || strcmp(text, "null") != 0) ? text : NULL;
}

/* ---- attributes ---- */

static bool starts_without_case(struct pl_str s, struct pl_str start)
{
    return s.len >= start.len && pl_str_ieq(pl_str_n(s.ptr, start.len), start);
}

static char *lower(struct pl_arena *a, struct pl_str s)
{
    char *copy = pl_arena_dup(a, s);
    for (char *p = copy; p && *p; p++) {
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + ('a' - 'A') : *p);
    }
    return copy;
}

static void add_metadata(struct pl_gw_call *c, pail_attributes *out, pail_kv *kv,
                         struct pl_str name, struct pl_str value, size_t *bytes)
{
    struct pl_str prefix = PL_STR("x-amz-meta-");
    if (starts_without_case(name, prefix) && name.len > prefix.len) {
        name = pl_str_n(name.ptr + prefix.len, name.len - prefix.len);
        kv[out->metadata_count++] =
            (pail_kv){lower(c->arena, name), pl_arena_dup(c->arena, pl_str_trim(value))};
        *bytes += name.len + value.len;
    }
}

/* SDKs that sign URLs put the headers of the request into the query. */
static bool take_metadata(struct pl_gw_call *c, pail_attributes *out)
{
    size_t bytes = 0, most = c->http->header_count + c->param_count;
    pail_kv *kv = pl_arena_alloc(c->arena, (most + 1) * sizeof *kv);
    out->metadata = kv;
    for (size_t i = 0; kv && i < c->http->header_count; i++) {
        add_metadata(c, out, kv, c->http->headers[i].name, c->http->headers[i].value, &bytes);
    }
    for (size_t i = 0; kv && i < c->param_count; i++) {
        struct pl_str value = pl_str_c(c->params[i].value);
        if (pl_header_safe(value)) {
            add_metadata(c, out, kv, pl_str_c(c->params[i].name), value, &bytes);
        }
    }
    if (bytes > METADATA_MAX) {
        pl_gw_fail(c, "InvalidArgument", "the metadata has more than 2 KB");
        return false;
    }
    return kv != NULL;
}

size_t pl_gw_characters(struct pl_str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        n += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    }
    return n;
}

static bool is_tag(const pail_kv *tags, size_t n)
{
    const pail_kv *t = &tags[n];
    if (!t->name || !*t->name || !t->value ||
        pl_gw_characters(pl_str_c(t->name)) > PL_GW_TAG_KEY_MAX ||
        pl_gw_characters(pl_str_c(t->value)) > PL_GW_TAG_VALUE_MAX) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(tags[i].name, t->name) == 0) {
            return false;
        }
    }
    return true;
}

bool pl_gw_take_tags(struct pl_gw_call *c, const char *text, pail_attributes *out)
{
    struct pl_str rest = pl_str_c(text), name, value;
    pail_kv *kv = pl_arena_alloc(c->arena, TAGS_MAX * sizeof *kv);
    size_t n = 0;
    while (kv && pl_url_query_next(&rest, &name, &value)) {
        if (n == TAGS_MAX) {
            pl_gw_fail(c, "InvalidTag", "an object has 10 tags at most");
            return false;
        }
        kv[n].name = decode(c, name, true);
        kv[n].value = decode(c, value, true);
        if (!is_tag(kv, n)) {
            pl_gw_fail(c, "InvalidTag", PL_GW_TAG_RULE);
            return false;
        }
        n++;
    }
    out->tags = kv;
    out->tag_count = n;
    return true;
}

/* What was put on for the way only. */
static const char *without_aws_chunked(struct pl_gw_call *c, const char *encoding)
{
    struct pl_str rest = pl_str_c(encoding);
    struct pl_buf b = PL_BUF_MAX(8192);
    while (rest.ptr && rest.len) {
        struct pl_str one = pl_str_trim(pl_str_split(&rest, ','));
        if (one.len && !pl_str_ieq(one, PL_STR("aws-chunked"))) {
            pl_buf_puts(&b, b.len ? ", " : "");
            pl_buf_str(&b, one);
        }
    }
    const char *left = b.len ? pl_arena_dup(c->arena, pl_buf_view(&b)) : NULL;
    pl_buf_dispose(&b);
    return left;
}

/* SPEC S3 "Access control list (ACL) overview", canned ACL: what they are to do is another matter.
 */
static bool is_canned(struct pl_gw_call *c)
{
    static const char *const canned[] = {"private",
                                         "public-read",
                                         "public-read-write",
                                         "aws-exec-read",
                                         "authenticated-read",
                                         "bucket-owner-read",
                                         "bucket-owner-full-control",
                                         "log-delivery-write"};
    const char *acl = pl_gw_header(c, "x-amz-acl");
    bool known = !acl || !*acl;
    for (size_t i = 0; !known && i < sizeof canned / sizeof *canned; i++) {
        known = strcmp(canned[i], acl) == 0;
    }
    if (!known) {
        pl_gw_fail(c, "InvalidArgument", "x-amz-acl is none of S3's canned ACLs");
    }
    return known;
}

static bool cannot(struct pl_gw_call *c, struct pl_str header)
{
    struct pl_buf b = PL_BUF_MAX(1024);
    pl_buf_printf(&b, "%.*s asks for what is not done here; leave it out",
                  (int)(header.len < 80 ? header.len : 80), header.ptr);
    pl_gw_fail(c, "NotImplemented", pl_buf_rc(&b) ? NULL : b.ptr);
    pl_buf_dispose(&b);
    return false;
}

/* What a client believes its object to have, or its request to do, must not be dropped unsaid. */
bool pl_gw_can_all(struct pl_gw_call *c)
{
    static const struct {
        const char *beginning, *none; /* none: the value that asks for nothing */
    } headers[] = {
        {"x-amz-server-side-encryption", ""},    {"x-amz-copy-source-server-side-encryption", ""},
        {"x-amz-object-lock-", "OFF"},           {"x-amz-bucket-object-lock-", "false"},
        {"x-amz-bucket-namespace", "global"},    {"x-amz-grant-", ""},
        {"x-amz-website-redirect-location", ""}, {"x-amz-write-offset-bytes", ""},
        {"x-amz-object-annotation-", ""},        {"x-amz-if-match-initiated-time", ""},
    };
    for (size_t i = 0; i < c->http->header_count; i++) {
        struct pl_str name = c->http->headers[i].name,
                      value = pl_str_trim(c->http->headers[i].value);
        for (size_t k = 0; value.len && k < sizeof headers / sizeof *headers; k++) {
            if (starts_without_case(name, pl_str_c(headers[k].beginning)) &&
                !pl_str_ieq(value, pl_str_c(headers[k].none))) {
                return cannot(c, name);
            }
        }
    }
    return is_canned(c);
}

bool pl_gw_take_attributes(struct pl_gw_call *c, pail_attributes *out)
{
    if (!pl_gw_can_all(c)) {
        return false;
    }
    const char *storage = pl_gw_header(c, "x-amz-storage-class");
    const char *tags = pl_gw_header(c, "x-amz-tagging");
    *out = (pail_attributes){.content_type = pl_gw_header(c, "content-type"),
                             .content_encoding =
                                 without_aws_chunked(c, pl_gw_header(c, "content-encoding")),
                             .content_language = pl_gw_header(c, "content-language"),
                             .content_disposition = pl_gw_header(c, "content-disposition"),
                             .cache_control = pl_gw_header(c, "cache-control"),
                             .expires = pl_gw_header(c, "expires")};
    if (!out->content_type || !*out->content_type) {
        const char *guess = c->key ? pl_mime_by_name(pl_str_c(c->key)) : NULL;
        out->content_type = guess ? guess : "binary/octet-stream";
    }
    if (storage && strcmp(storage, "STANDARD") != 0) {
        out->storage_class = storage;
    }
    return take_metadata(c, out) && (!tags || pl_gw_take_tags(c, tags, out));
}

/* A list of several, and a weak one, stay as they are: so providers take them. */
const char *pl_gw_unquoted(struct pl_gw_call *c, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    if (n >= 2 && text[0] == '"' && text[n - 1] == '"' && !memchr(text + 1, '"', n - 2)) {
        return pl_arena_dup(c->arena, pl_str_n(text + 1, n - 2));
    }
    return text;
}

static int64_t time_of(const char *text)
{
    int64_t ms = 0;
    return text && pl_date_http_parse(pl_str_c(text), &ms) ? ms : 0;
}

static const char *prefixed(struct pl_gw_call *c, const char *prefix, const char *name)
{
    char full[64];
    size_t a = strlen(prefix), b = strlen(name);
    if (a + b >= sizeof full) {
        return NULL;
    }
    memcpy(full, prefix, a);
    memcpy(full + a, name, b + 1);
    return pl_gw_header(c, full);
}

void pl_gw_take_conditions(struct pl_gw_call *c, const char *prefix, pail_conditions *out)
{
    out->if_match = pl_gw_unquoted(c, prefixed(c, prefix, "if-match"));
    out->if_none_match = pl_gw_unquoted(c, prefixed(c, prefix, "if-none-match"));
    out->if_modified_since_ms = time_of(prefixed(c, prefix, "if-modified-since"));
    out->if_unmodified_since_ms = time_of(prefixed(c, prefix, "if-unmodified-since"));
}
