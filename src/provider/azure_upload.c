/* Bodies, uploads in blocks, and tags. Source: Azure Blob Storage REST API "Put Blob", "Put Block",
 * "Put Block List", "Set Blob Tags". */
#include <errno.h>

#include "base/sys.h"
#include "codec/base64.h"
#include "codec/hex.h"
#include "codec/url.h"
#include "codec/xml.h"
#include "provider/azure.h"
#include "provider/request.h"

enum { ID_BYTES = 12, XML_MAX = 8 << 20 };

static pail_code compute(struct pl_azure_build *b, enum pl_sum sum)
{
    pail_code rc = pl_request_sum_source(sum, b->op->in.put.source, &b->memo->sum_value, b->err);
    b->memo->sum = rc ? PL_SUM_NONE : sum;
    return rc;
}

/* SPEC "x-ms-content-crc64": the CRC of the body, in base64 of its bytes from the lowest on. */
void pl_azure_crc_text(const struct pl_sum_value *v, char text[PL_SUM_BASE64_MAX])
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = v->bytes[sizeof bytes - 1 - i];
    }
    pl_base64_text(text, bytes, sizeof bytes);
}

static uint64_t crc_number(const struct pl_sum_value *v)
{
    uint64_t n = 0;
    for (size_t i = 0; i < v->len; i++) {
        n = n << 8 | v->bytes[i];
    }
    return n;
}

/* The service refuses a body that has another checksum than the header says. */
pail_code pl_azure_add_body(struct pl_azure_build *b)
{
    struct pl_azure_memo *memo = b->memo;
    char text[PL_SUM_BASE64_MAX];
    pthread_mutex_lock(&b->az->dialect.lock);
    enum pl_sum sum = b->az->no_crc ? PL_SUM_MD5 : PL_SUM_CRC64NVME;
    pthread_mutex_unlock(&b->az->dialect.lock);
    b->op->out.sum = (struct pl_part_sum){0};
    b->r->body = b->op->in.put.source;
    if (!b->az->verify) {
        return PAIL_OK;
    }
    pail_code rc = memo->sum == sum ? PAIL_OK : compute(b, sum);
    if (rc) {
        return rc;
    }
    if (sum == PL_SUM_MD5) {
        pl_http_add_c(b->r, "content-md5", pl_sum_base64(&memo->sum_value, text));
        return PAIL_OK;
    }
    pl_azure_crc_text(&memo->sum_value, text);
    pl_http_add_c(b->r, "x-ms-content-crc64", text);
    b->op->out.sum =
        (struct pl_part_sum){.algorithm = PL_SUM_CRC64NVME, .value = crc_number(&memo->sum_value)};
    return PAIL_OK;
}

/* The attributes stand in the upload's id, as a query: Azure takes them with the list of blocks,
 * and who ends an upload need not know what it was begun with. */
static void attributes_text(struct pl_buf *out, const pail_attributes *a)
{
    const struct {
        const char *name, *value;
    } texts[] = {{"t", a->content_type},     {"e", a->content_encoding},
                 {"l", a->content_language}, {"d", a->content_disposition},
                 {"c", a->cache_control},    {"s", a->storage_class}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i].value) {
            pl_url_query_add(out, texts[i].name, pl_str_c(texts[i].value));
        }
    }
    const struct {
        char kind;
        const pail_kv *kv;
        size_t count;
    } lists[] = {{'m', a->metadata, a->metadata_count}, {'g', a->tags, a->tag_count}};
    for (size_t l = 0; l < 2; l++) {
        for (size_t i = 0; i < lists[l].count; i++) {
            struct pl_buf name = PL_BUF_MAX(4096);
            pl_buf_putc(&name, lists[l].kind);
            pl_buf_puts(&name, lists[l].kv[i].name);
            out->rc = pl_buf_rc(&name) ? pl_buf_rc(&name) : out->rc;
            if (!pl_buf_rc(&name)) {
                pl_url_query_add(out, name.ptr, pl_str_c(lists[l].kv[i].value));
            }
            pl_buf_dispose(&name);
        }
    }
}

static const char *decoded(struct pl_arena *arena, struct pl_str text)
{
    struct pl_buf plain = PL_BUF_MAX(64 * 1024);
    bool fine =
        pl_url_decode(&plain, text) && !pl_buf_rc(&plain) && pl_header_safe(pl_buf_view(&plain));
    const char *copy = fine ? pl_arena_dup(arena, pl_buf_view(&plain)) : NULL;
    pl_buf_dispose(&plain);
    return copy;
}

static bool one_attribute(pail_attributes *a, const char *name, const char *value,
                          pail_kv *metadata, pail_kv *tags)
{
    const struct {
        char letter;
        const char **to;
    } texts[] = {{'t', &a->content_type},     {'e', &a->content_encoding},
                 {'l', &a->content_language}, {'d', &a->content_disposition},
                 {'c', &a->cache_control},    {'s', &a->storage_class}};
    if (!name || !value) {
        return false;
    }
    if (*name == 'm') {
        metadata[a->metadata_count++] = (pail_kv){name + 1, value};
        return true;
    }
    if (*name == 'g') {
        tags[a->tag_count++] = (pail_kv){name + 1, value};
        return true;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (name[0] == texts[i].letter && !name[1]) {
            *texts[i].to = value;
            return true;
        }
    }
    return false;
}

/* The id is the caller's to give, so it is read as one of a stranger's. */
static bool read_attributes(struct pl_arena *arena, const char *id, pail_attributes *out)
{
    struct pl_str query = pl_str_c(id + 2 * ID_BYTES + 1), name, value;
    size_t most = 1;
    for (const char *c = query.ptr; *c; c++) {
        most += *c == '&';
    }
    pail_kv *metadata = pl_arena_alloc(arena, most * sizeof *metadata);
    pail_kv *tags = pl_arena_alloc(arena, most * sizeof *tags);
    *out = (pail_attributes){.metadata = metadata, .tags = tags};
    bool fine = metadata && tags;
    while (fine && pl_url_query_next(&query, &name, &value)) {
        fine = one_attribute(out, decoded(arena, name), decoded(arena, value), metadata, tags);
    }
    return fine;
}

/* An upload is no more than a number from which its blocks have their names: no request. */
pail_code pl_azure_begin(struct pl_azure_build *b)
{
    unsigned char bytes[ID_BYTES];
    char id[2 * ID_BYTES + 1];
    struct pl_http_request probe = {0};
    struct pl_azure_build check = *b;
    check.r = &probe;
    /* What the end would refuse is refused before gigabytes were sent. */
    pail_code rc = pl_azure_add_attributes(&check, b->op->attr);
    rc = rc ? rc : pl_azure_add_encryption(&check, b->op->encryption);
    if (!rc && probe.failed) {
        rc = pl_fail(b->err, PAIL_E_BAD_ARGUMENT,
                     "the attributes do not fit into headers, or have a control character");
    }
    pl_http_request_dispose(&probe);
    if (rc) {
        return rc;
    }
    if (!pl_sys.random(bytes, sizeof bytes)) {
        return pl_fail(b->err, PAIL_E_IO, "the system gives no random numbers");
    }
    pl_hex_encode(id, bytes, sizeof bytes);
    struct pl_buf text = PL_BUF_MAX(64 * 1024), attributes = PL_BUF_MAX(64 * 1024);
    if (b->op->attr) {
        attributes_text(&attributes, b->op->attr);
    }
    pl_buf_puts(&text, id);
    pl_buf_putc(&text, '.');
    pl_buf_str(&text, pl_buf_view(&attributes));
    bool fits = !pl_buf_rc(&text) && !pl_buf_rc(&attributes);
    b->op->out.upload_id = fits ? pl_arena_dup(&b->op->arena, pl_buf_view(&text)) : NULL;
    pl_buf_dispose(&text);
    pl_buf_dispose(&attributes);
    return b->op->out.upload_id ? PAIL_OK
                                : pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory for an upload");
}

static bool is_upload(const char *id)
{
    unsigned char bytes[ID_BYTES];
    return id && strlen(id) > 2 * ID_BYTES && id[2 * ID_BYTES] == '.' &&
           pl_hex_decode(bytes, sizeof bytes, pl_str_n(id, 2 * ID_BYTES));
}

/* SPEC "Put Block": all ids of a blob are of one length. */
void pl_azure_block_id(struct pl_buf *out, const char *upload_id, uint32_t number)
{
    struct pl_buf name = PL_BUF_MAX(64);
    pl_buf_printf(&name, "%.*s%08u", 2 * ID_BYTES, upload_id, number);
    if (pl_buf_rc(&name)) {
        out->rc = pl_buf_rc(&name);
    } else {
        pl_base64_encode(out, name.ptr, name.len);
    }
    pl_buf_dispose(&name);
}

static pail_code unknown_upload(struct pl_azure_build *b)
{
    return pl_fail(b->err, PAIL_E_UPLOAD_NOT_FOUND, "that is no upload id of Pail's for Azure");
}

pail_code pl_azure_part(struct pl_azure_build *b)
{
    struct pl_buf id = PL_BUF_MAX(256);
    if (!is_upload(b->op->in.put.upload_id)) {
        return unknown_upload(b);
    }
    b->r->method = "PUT";
    pl_azure_block_id(&id, b->op->in.put.upload_id, b->op->in.put.number);
    pl_azure_parameter(b, "comp", "block");
    pl_azure_parameter(b, "blockid", id.ptr);
    b->op->out.etag = pl_buf_rc(&id) ? NULL : pl_arena_dup(&b->op->arena, pl_buf_view(&id));
    pl_buf_dispose(&id);
    if (!b->op->out.etag) {
        return pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory for a block's id");
    }
    pail_code rc = pl_azure_add_encryption(b, b->op->encryption);
    return rc ? rc : pl_azure_add_body(b);
}

static pail_code set_xml(struct pl_azure_build *b, struct pl_buf *xml)
{
    pail_code rc = pl_buf_rc(xml);
    if (!rc) {
        pl_http_set_text(b->r, pl_buf_view(xml));
        pl_http_add_c(b->r, "content-type", "application/xml");
    }
    pl_buf_dispose(xml);
    return rc ? pl_fail(b->err, rc, "no room for the body of the request") : PAIL_OK;
}

pail_code pl_azure_finish(struct pl_azure_build *b)
{
    struct pl_buf xml = PL_BUF_MAX(XML_MAX);
    pail_attributes attr;
    if (!is_upload(b->op->in.mp.upload_id) ||
        !read_attributes(&b->r->arena, b->op->in.mp.upload_id, &attr)) {
        return unknown_upload(b);
    }
    if (pl_azure_looks_at_blocks(b->op, b->a)) {
        pl_azure_look_at_blocks(b);
        return PAIL_OK;
    }
    b->r->method = "PUT";
    pl_azure_parameter(b, "comp", "blocklist");
    pl_azure_add_conditions(b, &b->op->cond, "");
    pail_code rc = pl_azure_add_attributes(b, &attr);
    rc = rc ? rc : pl_azure_add_encryption(b, b->op->encryption);
    if (rc) {
        return rc;
    }
    pl_buf_puts(&xml, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    for (size_t i = 0; i < b->op->in.mp.count; i++) {
        pl_buf_puts(&xml, "<Latest>");
        pl_azure_block_id(&xml, b->op->in.mp.upload_id, b->op->in.mp.parts[i].number);
        pl_buf_puts(&xml, "</Latest>");
    }
    pl_buf_puts(&xml, "</BlockList>");
    return set_xml(b, &xml);
}

pail_code pl_azure_tags(struct pl_azure_build *b)
{
    struct pl_buf xml = PL_BUF_MAX(64 * 1024);
    b->r->method = b->op->kind == PL_OP_TAGS_SET ? "PUT" : "GET";
    pl_azure_parameter(b, "comp", "tags");
    pl_azure_version(&b->query, b->op->version);
    if (b->op->kind == PL_OP_TAGS_GET) {
        return PAIL_OK;
    }
    bool fine = true;
    pl_buf_puts(&xml, "<?xml version=\"1.0\" encoding=\"utf-8\"?><Tags><TagSet>");
    for (size_t i = 0; i < b->op->in.tags.count; i++) {
        pl_buf_puts(&xml, "<Tag><Key>");
        fine = fine && pl_xml_escape(&xml, pl_str_c(b->op->in.tags.tags[i].name));
        pl_buf_puts(&xml, "</Key><Value>");
        fine = fine && pl_xml_escape(&xml, pl_str_c(b->op->in.tags.tags[i].value));
        pl_buf_puts(&xml, "</Value></Tag>");
    }
    pl_buf_puts(&xml, "</TagSet></Tags>");
    if (!fine) {
        pl_buf_dispose(&xml);
        return pl_fail(b->err, PAIL_E_BAD_ARGUMENT, "a tag has a character that cannot be sent");
    }
    return set_xml(b, &xml);
}
