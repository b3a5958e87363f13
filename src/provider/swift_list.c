/* Listings: JSON pages of names in byte order. Swift does not say whether a page is the last: a
 * full one may have a successor. Source: Object Storage API "Show container details and list
 * objects", "Show account details and list containers". */
#include "codec/date.h"
#include "codec/json.h"
#include "codec/url.h"
#include "provider/swift.h"

/* A page of the longest names in JSON, where each character may be written as six. */
enum { PAGE = 10000, PAGE_BYTES_MAX = PL_JSON_MAX };

static void parameter(struct pl_swift_build *b, const char *name, const char *value)
{
    if (value && *value) {
        pl_url_query_add(&b->query, name, pl_str_c(value));
    }
}

/* A page of the service's may hold nothing to show, so a page here has at most what it may hold. */
static uint32_t page_size(const struct pl_swift_build *b)
{
    uint32_t most = b->info.list_max ? b->info.list_max : PAGE;
    uint32_t wish = b->op->in.list.max;
    return b->op->kind == PL_OP_LIST && wish && wish < most ? wish : most;
}

pail_code pl_swift_add_list_query(struct pl_swift_build *b)
{
    const struct pl_op *op = b->op;
    struct pl_buf n = PL_BUF_MAX(16);
    bool uploads = op->kind == PL_OP_MP_LIST;
    const char *marker = op->in.list.token ? op->in.list.token : op->in.list.start_after;
    if (op->kind != PL_OP_BUCKET_LIST) {
        pl_swift_path(b, op->bucket, uploads ? PL_SWIFT_SEGMENTS : NULL, NULL);
    }
    if (uploads && !pl_swift_may_have_segments(op->bucket)) {
        b->r->method = NULL; /* none then */
        return PAIL_OK;
    }
    b->memo->sent_limit = page_size(b);
    b->r->body_bytes_max = PAGE_BYTES_MAX;
    pl_buf_u64(&n, b->memo->sent_limit);
    pl_buf_puts(&b->query, "format=json");
    parameter(b, "limit", n.ptr);
    parameter(b, "marker", marker);
    parameter(b, "prefix", op->in.list.prefix);
    if (op->kind == PL_OP_LIST) {
        parameter(b, "delimiter", op->in.list.delimiter);
    }
    pl_buf_dispose(&n);
    return PAIL_OK;
}

/* "2026-11-25T06:16:58.123456", in UTC without saying so. */
static int64_t time_of(const json_t *entry)
{
    const char *text = pl_json_text(entry, "last_modified");
    struct pl_buf iso = PL_BUF_MAX(64);
    int64_t ms = -1;
    pl_buf_printf(&iso, "%sZ", text ? text : "");
    if (!text || pl_buf_rc(&iso) || !pl_date_iso_parse(pl_buf_view(&iso), &ms)) {
        ms = -1;
    }
    pl_buf_dispose(&iso);
    return ms;
}

static void object_item(struct pl_arena *arena, const json_t *entry, const char *name,
                        pail_info *item)
{
    uint64_t size = 0;
    const char *hash = pl_json_text(entry, "hash");
    const char *large = pl_json_text(entry, "slo_etag"); /* what a stat gives */
    (void)pl_json_u64(entry, "bytes", &size);
    struct pl_str etag = pl_str_c(large ? large : hash);
    if (etag.len > 1 && etag.ptr[0] == '"') {
        etag = pl_str_n(etag.ptr + 1, etag.len - 2);
    }
    *item = (pail_info){.key = pl_arena_dup_c(arena, name),
                        .size = size,
                        .mtime_ms = time_of(entry),
                        .etag = etag.len ? pl_arena_dup(arena, etag) : NULL,
                        .content_type = pl_arena_dup_c(arena, pl_json_text(entry, "content_type")),
                        .is_latest = true};
}

/* The mark of an unfinished upload, KEY/UPLOAD; else the item stays as it is. */
static bool upload_item(struct pl_arena *arena, const json_t *entry, const char *name,
                        pail_info *item)
{
    const char *slash = strrchr(name, '/');
    if (!slash || slash == name || !pl_swift_is_upload_id(pl_str_c(slash + 1))) {
        return false;
    }
    *item = (pail_info){.key = pl_arena_dup(arena, pl_str_n(name, (size_t)(slash - name))),
                        .upload_id = pl_arena_dup_c(arena, slash + 1),
                        .mtime_ms = time_of(entry)};
    return true;
}

static bool bucket_item(struct pl_arena *arena, const json_t *entry, const char *name,
                        pail_info *item)
{
    if (pl_str_ends(pl_str_c(name), PL_STR(PL_SWIFT_SEGMENTS))) {
        return false; /* Pail's own, as in the S3 layer of Swift */
    }
    *item = (pail_info){.key = pl_arena_dup_c(arena, name), .mtime_ms = time_of(entry)};
    return true;
}

/* The name that goes into the next page's marker; NULL: no entry of a listing. */
static const char *take_entry(struct pl_op *op, const json_t *entry)
{
    pail_info *item = &op->out.items[op->out.item_count];
    const char *name = pl_json_text(entry, "name"), *prefix = pl_json_text(entry, "subdir");
    if (prefix) {
        *item = (pail_info){
            .key = pl_arena_dup_c(&op->arena, prefix), .mtime_ms = -1, .is_prefix = true};
        op->out.item_count++;
        return prefix;
    }
    if (!name) {
        return NULL;
    }
    switch ((int)op->kind) {
    case PL_OP_MP_LIST: op->out.item_count += upload_item(&op->arena, entry, name, item); break;
    case PL_OP_BUCKET_LIST: op->out.item_count += bucket_item(&op->arena, entry, name, item); break;
    default:
        object_item(&op->arena, entry, name, item);
        op->out.item_count++;
        break;
    }
    return name;
}

/* A page that goes backwards would make a loop of the listing. */
static bool take_all(struct pl_op *op, const json_t *root, const char **last)
{
    const char *before = op->in.list.token ? op->in.list.token : "";
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)(uintptr_t)root, i, entry)
    {
        const char *name = take_entry(op, entry);
        if (!name || strcmp(name, before) <= 0) {
            return false;
        }
        before = *last = name;
    }
    return true;
}

void pl_swift_parse_list(const struct pl_swift_answer *x)
{
    struct pl_op *op = x->op;
    json_t *root = NULL;
    const char *last = NULL;
    op->out.items = NULL;
    op->out.item_count = 0;
    op->out.next_token = NULL;
    if (x->r->status == 204 || x->r->status == 404) {
        return;
    }
    if (pl_json_parse_array(pl_buf_view(&x->r->body), "a listing", &root, NULL)) {
        pl_swift_garbled(x, "listing in JSON");
        return;
    }
    size_t count = json_array_size(root);
    op->out.items = count ? pl_arena_alloc(&op->arena, count * sizeof *op->out.items) : NULL;
    bool fine = !count || (op->out.items && take_all(op, root, &last));
    if (fine && last && count >= x->memo->sent_limit) {
        op->out.next_token = pl_arena_dup_c(&op->arena, last);
    }
    json_decref(root);
    if (!fine) {
        op->out.item_count = 0;
        pl_swift_garbled(x, "listing in order");
    }
}
