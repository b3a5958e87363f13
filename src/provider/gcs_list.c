/* Listing pages: objects, generations, buckets, and the uploads that are under way. Source: Cloud
 * Storage JSON API v1 "Objects: list", "Buckets: list". */
#include <stdio.h>
#include <stdlib.h>

#include "codec/base64.h"
#include "codec/date.h"
#include "provider/gcs.h"

pail_code pl_gcs_build_list(struct pl_gcs_build *b)
{
    const struct pl_op *op = b->op;
    bool uploads = op->kind == PL_OP_MP_LIST;
    const char *prefix = uploads ? PL_GCS_PARTS : op->in.list.prefix;
    b->r->method = "GET";
    pl_gcs_object_path(&b->path, "", op->bucket, NULL);
    pl_gcs_query(b, "projection", "noAcl");
    if (prefix && *prefix) {
        pl_gcs_query(b, "prefix", prefix);
    }
    if (uploads) { /* our own token: behind all parts of the last upload of the page before */
        if (op->in.list.token) {
            pl_gcs_query(b, "startOffset", op->in.list.token);
        }
        return PAIL_OK;
    }
    if (op->in.list.delimiter && *op->in.list.delimiter) {
        pl_gcs_query(b, "delimiter", op->in.list.delimiter);
    }
    if (op->in.list.token) {
        pl_gcs_query(b, "pageToken", op->in.list.token);
    } else if (op->in.list.start_after) { /* inclusive: the first one is left out below */
        pl_gcs_query(b, "startOffset", op->in.list.start_after);
    }
    if (op->in.list.versions) {
        pl_gcs_query(b, "versions", "true");
    }
    if (op->in.list.max) {
        char text[16];
        snprintf(text, sizeof text, "%u", op->in.list.max);
        pl_gcs_query(b, "maxResults", text);
    }
    return PAIL_OK;
}

/* By key; generations of one key from the newest. */
static int in_order(const void *a, const void *b)
{
    const pail_info *x = a, *y = b;
    uint64_t left = 0, right = 0;
    int order = strcmp(x->key, y->key);
    if (order || !x->version || !y->version) {
        return order;
    }
    (void)(pl_str_u64(pl_str_c(x->version), &left) && pl_str_u64(pl_str_c(y->version), &right));
    return left < right ? 1 : left > right ? -1 : 0;
}

static bool is_hidden(const char *key)
{
    return pl_str_starts(pl_str_c(key), PL_STR(PL_GCS_PARTS));
}

static bool is_wanted(const struct pl_op *op, const pail_info *i)
{
    const char *after = op->in.list.token ? NULL : op->in.list.start_after;
    return !is_hidden(i->key) &&
           (!after || strcmp(i->key, after) > 0 ||
            (i->is_prefix && pl_str_starts(pl_str_c(after), pl_str_c(i->key))));
}

static bool read_objects(struct pl_op *op, const json_t *root)
{
    const json_t *items = json_object_get(root, "items"),
                 *prefixes = json_object_get(root, "prefixes");
    size_t count = json_array_size(items), folders = json_array_size(prefixes), n = 0;
    pail_info *list = pl_arena_alloc(&op->arena, (count + folders + 1) * sizeof *list);
    bool fine = list != NULL;
    for (size_t i = 0; fine && i < count; i++) {
        fine = pl_gcs_read_resource(&op->arena, json_array_get(items, i), &list[n]);
        n += fine && is_wanted(op, &list[n]);
    }
    for (size_t i = 0; fine && i < folders; i++) {
        const char *name = json_string_value(json_array_get(prefixes, i));
        list[n] =
            (pail_info){.key = pl_arena_dup_c(&op->arena, name), .is_prefix = true, .mtime_ms = -1};
        fine = list[n].key != NULL;
        n += fine && is_wanted(op, &list[n]);
    }
    if (fine && n) {
        qsort(list, n, sizeof *list, in_order);
    }
    op->out.items = list;
    op->out.item_count = n;
    return fine;
}

/* SPEC "Buckets" (resource representation). */
static bool read_buckets(struct pl_op *op, const json_t *root)
{
    const json_t *items = json_object_get(root, "items");
    size_t count = json_array_size(items);
    pail_info *list = pl_arena_alloc(&op->arena, (count + 1) * sizeof *list);
    for (size_t i = 0; list && i < count; i++) {
        const json_t *bucket = json_array_get(items, i);
        const char *made = pl_json_text(bucket, "timeCreated");
        list[i] = (pail_info){.key = pl_arena_dup_c(&op->arena, pl_json_text(bucket, "name")),
                              .mtime_ms = -1};
        (void)pl_date_iso_parse(pl_str_c(made), &list[i].mtime_ms);
        if (!list[i].key) {
            return false;
        }
    }
    op->out.items = list;
    op->out.item_count = count;
    return list != NULL;
}

/* An upload's id carries what it shall be: see gcs_compose.c. */
static bool read_upload(struct pl_op *op, const char *id, pail_info *info)
{
    struct pl_str rest = pl_str_c(id);
    struct pl_buf text = PL_BUF_MAX(64 * 1024);
    json_t *root = NULL;
    (void)pl_str_split(&rest, '.');
    bool fine = rest.ptr && pl_base64_decode(&text, pl_str_split(&rest, '.')) &&
                !pl_json_parse(pl_buf_view(&text), "upload", &root, NULL);
    *info = (pail_info){.key = pl_arena_dup_c(&op->arena, pl_json_text(root, "name")),
                        .upload_id = pl_arena_dup_c(&op->arena, id),
                        .mtime_ms = -1};
    json_decref(root);
    pl_buf_dispose(&text);
    return fine && info->key;
}

static bool read_uploads(struct pl_op *op, const json_t *root)
{
    enum { HEAD = sizeof PL_GCS_PARTS - 1 + PL_GCS_ID_HEX };
    const json_t *items = json_object_get(root, "items");
    size_t count = json_array_size(items), n = 0;
    pail_info *list = pl_arena_alloc(&op->arena, (count + 1) * sizeof *list);
    const char *before = "", *prefix = op->in.list.prefix ? op->in.list.prefix : "";
    for (size_t i = 0; list && i < count; i++) {
        const json_t *o = json_array_get(items, i);
        const char *name = pl_json_text(o, "name"), *made = pl_json_text(o, "timeCreated");
        const char *id = pl_json_text(json_object_get(o, "metadata"), "pail-upload");
        if (!name || strlen(name) < HEAD || !id || strncmp(name, before, HEAD) == 0 ||
            !read_upload(op, id, &list[n])) {
            continue;
        }
        before = name;
        (void)pl_date_iso_parse(pl_str_c(made), &list[n].mtime_ms);
        n += pl_str_starts(pl_str_c(list[n].key), pl_str_c(prefix));
    }
    if (list && *before && pl_json_text(root, "nextPageToken")) {
        char *next = pl_arena_dup(&op->arena, pl_str_n(before, HEAD + 1));
        if (next) { /* '0' follows '/' */
            next[HEAD] = '0';
        }
        op->out.next_token = next;
    }
    if (list && n) {
        qsort(list, n, sizeof *list, in_order);
    }
    op->out.items = list;
    op->out.item_count = n;
    return list != NULL;
}

void pl_gcs_parse_list(struct pl_op *op, const struct pl_http_response *r, struct pl_verdict *out,
                       struct pail_error **err)
{
    op->out.next_token = NULL;
    json_t *root = pl_gcs_answer(r, out, err);
    if (!root) {
        return;
    }
    bool uploads = op->kind == PL_OP_MP_LIST;
    const char *next = pl_json_text(root, "nextPageToken");
    bool fine = uploads                         ? read_uploads(op, root)
                : op->kind == PL_OP_BUCKET_LIST ? read_buckets(op, root)
                                                : read_objects(op, root);
    if (!fine) {
        pl_gcs_fail(out, PL_NEXT_RETRY, PAIL_E_PROTOCOL, err, "the service's answer is no listing");
    } else if (!uploads && next && *next) {
        op->out.next_token = pl_arena_dup_c(&op->arena, next);
        if (op->in.list.token && strcmp(next, op->in.list.token) == 0) {
            pl_gcs_fail(out, PL_NEXT_FAIL, PAIL_E_PROTOCOL, err,
                        "the service's listing repeats itself");
        }
    }
    json_decref(root);
}
