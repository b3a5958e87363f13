#include "gateway/gateway.h"

#include "codec/url.h"
#include "codec/xml.h"

#define XMLNS "http://s3.amazonaws.com/doc/2006-03-01/"

void pl_gw_reply(struct pl_gw_call *c, int status)
{
    struct pl_http_call *h = c->http;
    char date[PL_DATE_HTTP_SIZE];
    h->status = status;
    h->head_only = pl_str_is(h->method, "HEAD");
    if (h->head_only && !h->streamed && !h->body_bytes) {
        h->body_bytes = 0;
        pl_buf_clear(&h->body);
    }
    pl_http_reply_header(h, "x-amz-request-id", pl_str_c(c->request_id));
    pl_gw_cors_headers(c);
    pl_http_reply_header(h, "Server", PL_STR("pail"));
    pl_http_reply_header(h, "Date", pl_str_c(pl_date_http(c->begun_ms, date)));
    if (pl_buf_rc(&h->body)) {
        pl_buf_clear(&h->body);
        h->status = 500;
        c->error = "InternalError";
    }
}

struct pl_buf *pl_gw_xml(struct pl_gw_call *c, const char *root)
{
    struct pl_buf *b = &c->http->body;
    pl_buf_clear(b);
    pl_buf_printf(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s xmlns=\"" XMLNS "\">", root);
    return b;
}

void pl_gw_xml_end(struct pl_gw_call *c, const char *root)
{
    pl_buf_printf(&c->http->body, "</%s>", root);
    pl_http_reply_header(c->http, "Content-Type", PL_STR("application/xml"));
    pl_gw_reply(c, 200);
}

/* Characters that XML 1.0 cannot carry stand as U+FFFD: a client that has such keys asks for
 * encoding-type=url. */
static void add_text(struct pl_buf *b, struct pl_str text)
{
    size_t before = b->len, n;
    if (pl_xml_escape(b, text)) {
        return;
    }
    b->len = before;
    for (size_t i = 0; i < text.len; i += n) {
        size_t illegal = pl_xml_illegal(pl_str_n(text.ptr + i, text.len - i));
        n = illegal ? illegal : 1;
        if (illegal || !pl_xml_escape(b, pl_str_n(text.ptr + i, 1))) {
            pl_buf_puts(b, "\xef\xbf\xbd");
        }
    }
}

void pl_gw_text(struct pl_buf *b, const char *name, const char *value)
{
    if (value) {
        pl_buf_printf(b, "<%s>", name);
        add_text(b, pl_str_c(value));
        pl_buf_printf(b, "</%s>", name);
    }
}

void pl_gw_u64(struct pl_buf *b, const char *name, uint64_t value)
{
    pl_buf_printf(b, "<%s>%llu</%s>", name, (unsigned long long)value, name);
}

void pl_gw_bool(struct pl_buf *b, const char *name, bool value)
{
    pl_gw_text(b, name, value ? "true" : "false");
}

void pl_gw_time(struct pl_buf *b, const char *name, int64_t ms)
{
    char text[PL_DATE_ISO_SIZE];
    if (ms >= 0) {
        pl_gw_text(b, name, pl_date_iso(ms, text));
    }
}

void pl_gw_etag(struct pl_buf *b, const char *etag)
{
    if (etag) {
        pl_buf_puts(b, "<ETag>&quot;");
        add_text(b, pl_str_c(etag));
        pl_buf_puts(b, "&quot;</ETag>");
    }
}

void pl_gw_owner(struct pl_buf *b, const char *element)
{
    pl_buf_printf(b, "<%s><ID>pail</ID><DisplayName>pail</DisplayName></%s>", element, element);
}

void pl_gw_key_text(struct pl_buf *b, const char *name, const char *value, bool encoded)
{
    if (!value || !encoded) {
        pl_gw_text(b, name, value);
        return;
    }
    pl_buf_printf(b, "<%s>", name);
    pl_url_encode(b, pl_str_c(value), PL_URL_KEEP_SLASH);
    pl_buf_printf(b, "</%s>", name);
}

void pl_gw_header_text(struct pl_gw_call *c, const char *name, const char *value)
{
    if (value) {
        pl_http_reply_header(c->http, name, pl_str_c(value));
    }
}

void pl_gw_etag_header(struct pl_gw_call *c, const char *etag)
{
    struct pl_buf b = PL_BUF_MAX(4096);
    if (etag) {
        pl_buf_printf(&b, "\"%s\"", etag);
        pl_http_reply_header(c->http, "ETag", pl_buf_view(&b));
    }
    pl_buf_dispose(&b);
}

static void metadata_headers(struct pl_gw_call *c, const pail_info *i)
{
    for (size_t m = 0; m < i->metadata_count; m++) {
        struct pl_buf name = PL_BUF_MAX(4096);
        pl_buf_printf(&name, "x-amz-meta-%s", i->metadata[m].name);
        if (!pl_buf_rc(&name)) {
            pl_gw_header_text(c, name.ptr, i->metadata[m].value);
        }
        pl_buf_dispose(&name);
    }
}

/* Where it was asked for. Not with a range: it is the whole object's, and clients hold it against
 * the bytes that they got. With partNumber it is that of the part. */
static void checksum_header(struct pl_gw_call *c, const pail_info *i)
{
    const char *mode = pl_gw_header(c, "x-amz-checksum-mode"), *sum = c->out.part_sum;
    if (!mode || !pl_str_ieq(pl_str_c(mode), PL_STR("ENABLED")) || pl_gw_header(c, "range")) {
        return;
    }
    if (!c->out.of_part) {
        sum = i->composite_checksum ? i->composite_checksum : i->checksum;
    }
    if (pl_gw_sum_header(c, sum)) {
        pl_gw_header_text(c, "x-amz-checksum-type",
                          i->composite_checksum ? "COMPOSITE" : "FULL_OBJECT");
    }
}

void pl_gw_object_headers(struct pl_gw_call *c, const pail_info *i)
{
    char date[PL_DATE_HTTP_SIZE];
    struct pl_buf tags = PL_BUF_MAX(32);
    pl_gw_etag_header(c, i->etag);
    if (i->mtime_ms >= 0) {
        pl_gw_header_text(c, "Last-Modified", pl_date_http(i->mtime_ms, date));
    }
    pl_gw_header_text(c, "Accept-Ranges", "bytes");
    /* SPEC S3 GetObject: response-* parameters override what is stored, in signed requests. */
    const struct {
        const char *header, *param, *value;
    } fields[] = {
        {"Content-Type", "response-content-type",
         i->content_type ? i->content_type : "binary/octet-stream"},
        {"Content-Encoding", "response-content-encoding", i->content_encoding},
        {"Content-Language", "response-content-language", i->content_language},
        {"Content-Disposition", "response-content-disposition", i->content_disposition},
        {"Cache-Control", "response-cache-control", i->cache_control},
        {"Expires", "response-expires", i->expires},
    };
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        const char *set = c->who ? pl_gw_param(c, fields[f].param) : NULL;
        pl_gw_header_text(c, fields[f].header, set ? set : fields[f].value);
    }
    metadata_headers(c, i);
    if (i->tag_count) {
        pl_buf_u64(&tags, i->tag_count);
        pl_http_reply_header(c->http, "x-amz-tagging-count", pl_buf_view(&tags));
    }
    if (i->storage_class && strcmp(i->storage_class, "STANDARD") != 0) {
        pl_gw_header_text(c, "x-amz-storage-class", i->storage_class);
    }
    checksum_header(c, i);
    pl_buf_dispose(&tags);
}
