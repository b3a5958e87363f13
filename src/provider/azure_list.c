/* Listings: their queries, pages and tokens. Source: Azure Blob Storage REST API "List Blobs",
 * "List Containers". */
#include <stdlib.h>

#include "codec/date.h"
#include "codec/url.h"
#include "codec/xml.h"
#include "provider/azure.h"

enum { TEXT_MAX = 64 * 1024, ITEMS_MAX = 100000 };

/* A token of ours: the name to start after (percent-encoded), a blank, the service's marker. There
 * is no start in List Blobs: what stands before it is passed over here, on each page. */
struct token {
    struct pl_buf after;
    const char *marker;
};

static bool read_token(const char *text, const char *start_after, struct token *out)
{
    *out = (struct token){.after = PL_BUF_MAX(TEXT_MAX), .marker = ""};
    if (!text) {
        pl_buf_puts(&out->after, start_after ? start_after : "");
        return !pl_buf_rc(&out->after);
    }
    const char *blank = strchr(text, ' ');
    if (!blank || !pl_url_decode(&out->after, pl_str_n(text, (size_t)(blank - text)))) {
        return false;
    }
    out->marker = blank + 1;
    return !pl_buf_rc(&out->after);
}

static const char *make_token(struct pl_arena *arena, const struct token *t, struct pl_str marker)
{
    struct pl_buf text = PL_BUF_MAX(4 * TEXT_MAX);
    pl_url_encode(&text, pl_buf_view(&t->after), PL_URL_KEEP_SLASH);
    pl_buf_putc(&text, ' ');
    pl_buf_str(&text, marker);
    const char *made = pl_buf_rc(&text) ? NULL : pl_arena_dup(arena, pl_buf_view(&text));
    pl_buf_dispose(&text);
    return made;
}

pail_code pl_azure_list_query(struct pl_azure_build *b)
{
    const struct pl_op *op = b->op;
    struct token t;
    bool buckets = op->kind == PL_OP_BUCKET_LIST;
    b->r->method = "GET";
    b->on_service = buckets;
    b->on_container = !buckets;
    if (!read_token(op->in.list.token, op->in.list.start_after, &t)) {
        pl_buf_dispose(&t.after);
        return pl_fail(b->err, PAIL_E_BAD_ARGUMENT,
                       "the token of the listing is not one of Pail's");
    }
    pl_azure_parameter(b, "restype", buckets ? NULL : "container");
    pl_azure_parameter(b, "comp", "list");
    pl_azure_parameter(b, "prefix", op->in.list.prefix);
    pl_azure_parameter(b, "delimiter", op->in.list.delimiter);
    pl_azure_parameter(b, "marker", t.marker);
    pl_buf_dispose(&t.after);
    if (op->in.list.max) {
        struct pl_buf n = PL_BUF_MAX(16);
        pl_buf_u64(&n, op->in.list.max);
        pl_azure_parameter(b, "maxresults", n.ptr);
        pl_buf_dispose(&n);
    }
    if (op->kind == PL_OP_MP_LIST) {
        pl_azure_parameter(b, "include", "uncommittedblobs");
    } else if (op->in.list.versions) {
        pl_azure_parameter(b, "include", "snapshots,versions");
    }
    return PAIL_OK;
}

struct page {
    struct pl_op *op;
    struct pl_arena *arena;
    pail_info *list, now;
    size_t count, cap;
    bool in_entry, is_list, is_uncommitted, is_snapshot, is_current, has_version, is_encoded;
    char *next;
};

static pail_code add_item(struct page *p)
{
    if (!p->now.key || p->count == ITEMS_MAX) {
        return PAIL_E_PROTOCOL;
    }
    if (p->count == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 64;
        pail_info *grown = pl_arena_alloc(p->arena, cap * sizeof *grown);
        if (!grown) {
            return PAIL_E_NO_MEMORY;
        }
        if (p->count) {
            memcpy(grown, p->list, p->count * sizeof *grown);
        }
        p->list = grown;
        p->cap = cap;
    }
    p->list[p->count++] = p->now;
    return PAIL_OK;
}

static pail_code on_open(void *ctx, int depth, struct pl_str name)
{
    struct page *p = ctx;
    if (depth == 1) {
        p->is_list = pl_str_is(name, "EnumerationResults");
    } else if (depth == 3) {
        bool prefix = pl_str_is(name, "BlobPrefix");
        p->in_entry = prefix || pl_str_is(name, "Blob") || pl_str_is(name, "Container");
        p->is_uncommitted = p->op->kind == PL_OP_MP_LIST;
        p->is_snapshot = p->is_current = p->has_version = false;
        p->now = (pail_info){.mtime_ms = -1, .is_prefix = prefix};
    } else if (depth == 4) {
        p->is_encoded = false;
    }
    return PAIL_OK;
}

static pail_code on_attribute(void *ctx, int depth, const char *name, const char *value)
{
    struct page *p = ctx;
    if (depth == 4 && strcmp(name, "Encoded") == 0) {
        p->is_encoded = strcmp(value, "true") == 0;
    }
    return PAIL_OK;
}

static pail_code keep(struct page *p, const char **to, struct pl_str text)
{
    *to = pl_arena_dup(p->arena, text);
    return *to ? PAIL_OK : PAIL_E_NO_MEMORY;
}

static struct pl_str unquoted(struct pl_str etag)
{
    bool quoted = etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"';
    return quoted ? pl_str_n(etag.ptr + 1, etag.len - 2) : etag;
}

static pail_code snapshot(struct page *p, struct pl_str text)
{
    struct pl_buf version = PL_BUF_MAX(256);
    pl_buf_puts(&version, "snapshot:");
    pl_buf_str(&version, text);
    p->is_snapshot = true;
    pail_code rc = pl_buf_rc(&version);
    rc = rc ? rc : keep(p, &p->now.version, pl_buf_view(&version));
    pl_buf_dispose(&version);
    return rc;
}

/* SPEC "List Blobs": the name of a blob or prefix with characters that XML cannot hold (U+FFFE,
 * U+FFFF) is percent-encoded, and Encoded="true". */
static pail_code keep_encoded(struct page *p, struct pl_str text)
{
    struct pl_buf name = PL_BUF_MAX(TEXT_MAX);
    pail_code rc = pl_url_decode(&name, text) && !(name.len && memchr(name.ptr, 0, name.len))
                       ? pl_buf_rc(&name)
                       : PAIL_E_PROTOCOL;
    rc = rc ? rc : keep(p, &p->now.key, pl_buf_view(&name));
    pl_buf_dispose(&name);
    return rc;
}

static pail_code entry_field(struct page *p, struct pl_str name, struct pl_str text)
{
    if (pl_str_is(name, "Name")) {
        return p->is_encoded ? keep_encoded(p, text) : keep(p, &p->now.key, text);
    }
    if (pl_str_is(name, "Snapshot") && text.len) {
        return snapshot(p, text);
    }
    if (pl_str_is(name, "VersionId") && text.len) {
        p->has_version = true;
        return keep(p, &p->now.version, text);
    }
    if (pl_str_is(name, "IsCurrentVersion")) {
        p->is_current = pl_str_is(pl_str_trim(text), "true");
    }
    return PAIL_OK;
}

static pail_code property(struct page *p, struct pl_str name, struct pl_str text)
{
    if (pl_str_is(name, "Content-Length")) {
        return pl_str_u64(pl_str_trim(text), &p->now.size) ? PAIL_OK : PAIL_E_PROTOCOL;
    }
    if (pl_str_is(name, "Last-Modified")) {
        if (!pl_date_http_parse(pl_str_trim(text), &p->now.mtime_ms)) {
            p->now.mtime_ms = -1;
        }
        return PAIL_OK;
    }
    if (pl_str_is(name, "Etag") && text.len) {
        return keep(p, &p->now.etag, unquoted(text));
    }
    if (pl_str_is(name, "AccessTier") && text.len) {
        return keep(p, &p->now.storage_class, text);
    }
    if (pl_str_is(name, "Content-Type") && text.len) {
        p->is_uncommitted = false; /* only what was committed has one */
        return keep(p, &p->now.content_type, text);
    }
    return PAIL_OK;
}

static pail_code end_entry(struct page *p)
{
    p->in_entry = false;
    if (p->op->kind == PL_OP_MP_LIST) {
        /* Which upload the blocks are of is not told; nothing that takes an id asks for more. */
        p->now.upload_id = "uncommitted";
        p->now.size = 0;
        return p->is_uncommitted ? add_item(p) : PAIL_OK;
    }
    p->now.is_latest = p->op->in.list.versions && !p->now.is_prefix && !p->is_snapshot &&
                       (p->is_current || !p->has_version);
    return add_item(p);
}

static pail_code on_close(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    struct page *p = ctx;
    if (depth == 2 && pl_str_is(name, "NextMarker") && text.len) {
        p->next = pl_arena_dup(p->arena, text);
        return p->next ? PAIL_OK : PAIL_E_NO_MEMORY;
    }
    if (!p->in_entry) {
        return PAIL_OK;
    }
    return depth == 3   ? end_entry(p)
           : depth == 4 ? entry_field(p, name, text)
           : depth == 5 ? property(p, name, text)
                        : PAIL_OK;
}

static pail_code read_page(struct page *p, struct pl_str body)
{
    static const struct pl_xml_events events = {
        .open = on_open, .close = on_close, .attribute = on_attribute};
    struct pl_xml xml = {0};
    if (pl_str_starts(body, PL_STR("\xef\xbb\xbf"))) {
        body = pl_str_n(body.ptr + 3, body.len - 3);
    }
    pail_code rc = pl_xml_init(&xml, &events, p, TEXT_MAX, NULL);
    rc = rc ? rc : pl_xml_feed(&xml, body.ptr, body.len, NULL);
    rc = rc ? rc : pl_xml_finish(&xml, NULL);
    pl_xml_dispose(&xml);
    return rc ? rc : p->is_list ? PAIL_OK : PAIL_E_PROTOCOL;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const pail_info *)a)->key, ((const pail_info *)b)->key);
}

static bool in_order(const struct page *p)
{
    for (size_t i = 1; i < p->count; i++) {
        if (strcmp(p->list[i - 1].key, p->list[i].key) > 0) {
            return false;
        }
    }
    return true;
}

static bool is_wanted(const pail_info *i, const char *after)
{
    return !after || !*after || strcmp(i->key, after) > 0 ||
           (i->is_prefix && pl_str_starts(pl_str_c(after), pl_str_c(i->key)));
}

static void fail(struct pl_verdict *out, enum pl_next next, pail_code code, struct pail_error **err,
                 const char *why)
{
    *out = (struct pl_verdict){.next = next, .code = code};
    pl_fail(err, code, "%s", why);
}

static void use_page(struct pl_op *op, struct page *p, const struct token *t,
                     struct pl_verdict *out, struct pail_error **err)
{
    size_t n = 0;
    if (!in_order(p)) {
        qsort(p->list, p->count, sizeof *p->list, by_key);
    }
    for (size_t i = 0; i < p->count; i++) {
        if (is_wanted(&p->list[i], t->after.ptr)) {
            p->list[n++] = p->list[i];
        }
    }
    op->out.items = p->list;
    op->out.item_count = n;
    if (p->next && strcmp(p->next, t->marker) == 0) {
        fail(out, PL_NEXT_FAIL, PAIL_E_PROTOCOL, err, "the service's listing repeats itself");
        return;
    }
    op->out.next_token = p->next ? make_token(p->arena, t, pl_str_c(p->next)) : NULL;
    if (p->next && !op->out.next_token) {
        fail(out, PL_NEXT_FAIL, PAIL_E_NO_MEMORY, err, "no memory for a page of the listing");
    }
}

void pl_azure_parse_list(struct pl_op *op, const struct pl_http_response *r, struct pl_verdict *out,
                         struct pail_error **err)
{
    struct page p = {.op = op, .arena = &op->arena};
    struct token t;
    bool of_listing = op->kind != PL_OP_BUCKET_DELETE;
    bool fine = read_token(of_listing ? op->in.list.token : NULL,
                           of_listing ? op->in.list.start_after : NULL, &t);
    pail_code rc = read_page(&p, pl_buf_view(&r->body));
    op->out.items = NULL;
    op->out.item_count = 0;
    op->out.next_token = NULL;
    if (rc == PAIL_E_NO_MEMORY) {
        fail(out, PL_NEXT_FAIL, rc, err, "no memory for a page of the listing");
    } else if (rc || !fine) {
        fail(out, PL_NEXT_RETRY, PAIL_E_PROTOCOL, err, "the service's answer is no listing");
    } else {
        use_page(op, &p, &t, out, err);
    }
    pl_buf_dispose(&t.after);
}
