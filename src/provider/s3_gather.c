/* Listings of directory buckets, which come in no order: all pages of the folder are read by one
 * op, and what of them comes first in byte order is its page. Memory is bounded: who has more names
 * than are kept gets the next ones by reading the folder again. Source: Amazon S3 API Reference
 * "ListObjectsV2", "ListMultipartUploads"; User Guide "Differences for directory buckets". */
#include <stdlib.h>

#include "codec/url.h"
#include "provider/s3.h"

enum { KEEP_MAX = 50000 }; /* of one page of ours; twice that while it is gathered */

struct pl_s3_gather {
    pail_info *list;
    size_t count, cap;
    const char *bound; /* what is behind it was dropped; NULL: nothing was */
    const char *token; /* of the service's next page */
};

bool pl_s3_gathers(const struct pl_s3_view *view, const struct pl_op *op)
{
    return view->express && (op->kind == PL_OP_LIST || op->kind == PL_OP_MP_LIST);
}

static void parameter(struct pl_s3_build *b, const char *name, struct pl_str value)
{
    if (value.len) {
        pl_url_query_add(&b->query, name, value);
    }
}

pail_code pl_s3_gather_query(struct pl_s3_build *b)
{
    const char *delimiter = b->op->in.list.delimiter;
    struct pl_str folder = pl_str_c(b->op->in.list.prefix);
    struct pl_s3_gather *g = b->memo->gather;
    if (delimiter && *delimiter && strcmp(delimiter, "/") != 0) {
        pail_code rc = pl_fail(b->err, PAIL_E_UNSUPPORTED,
                               "a directory bucket is listed with no delimiter but \"/\"");
        pl_error_hint(b->err, "ask for \"/\", or for none");
        return rc;
    }
    g = b->memo->gather = g ? g : pl_arena_alloc(&b->op->arena, sizeof *g);
    if (!g) {
        return pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory for a listing");
    }
    if (b->op->kind == PL_OP_MP_LIST) {
        pl_buf_puts(&b->query, "uploads");
    } else {
        parameter(b, "list-type", PL_STR("2"));
    }
    /* SPEC "ListMultipartUploads" key-marker: obfuscated, it is no key, and there is no other. */
    parameter(b, b->op->kind == PL_OP_MP_LIST ? "key-marker" : "continuation-token",
              pl_str_c(g->token));
    /* SPEC "ListObjectsV2" prefix: only prefixes that end in "/" are supported. */
    while (folder.len && folder.ptr[folder.len - 1] != '/') {
        folder.len--;
    }
    parameter(b, "prefix", folder);
    parameter(b, "delimiter", pl_str_c(delimiter));
    b->memo->sent_plain = b->op->in.list.versions;
    b->memo->sent_urlenc = b->view.p.list_urlenc || b->memo->wants_urlenc;
    parameter(b, "encoding-type", pl_str_c(b->memo->sent_urlenc ? "url" : NULL));
    return PAIL_OK;
}

static int by_key(const void *a, const void *b)
{
    const pail_info *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    if (order == 0 && x->upload_id && y->upload_id) {
        order = strcmp(x->upload_id, y->upload_id);
    }
    return order;
}

/* Sorts, and drops what is there twice: a prefix may stand on several pages. */
static void tidy(struct pl_s3_gather *g)
{
    size_t n = 0;
    if (g->count) {
        qsort(g->list, g->count, sizeof *g->list, by_key);
    }
    for (size_t i = 0; i < g->count; i++) {
        if (n == 0 || by_key(&g->list[n - 1], &g->list[i]) != 0) {
            g->list[n++] = g->list[i];
        }
    }
    g->count = n;
}

/* Leaves the first `most`, and the rest of the uploads of the last one's key: the next page begins
 * behind it. */
static void cut(struct pl_s3_gather *g, size_t most)
{
    tidy(g);
    while (most < g->count && strcmp(g->list[most].key, g->list[most - 1].key) == 0) {
        most++;
    }
    if (most < g->count) {
        g->count = most;
        g->bound = g->list[most - 1].key;
    }
}

static size_t most_of(const struct pl_op *op)
{
    uint32_t max = op->in.list.max;
    return max && max < KEEP_MAX ? max : KEEP_MAX;
}

static bool make_room(struct pl_op *op, struct pl_s3_gather *g)
{
    if (g->count < g->cap) {
        return true;
    }
    if (g->cap >= 2 * most_of(op)) {
        cut(g, most_of(op));
    }
    if (g->count < g->cap) {
        return true;
    }
    size_t cap = g->cap ? g->cap * 2 : 64;
    pail_info *grown = pl_arena_alloc(&op->arena, cap * sizeof *grown);
    if (!grown) {
        return false;
    }
    if (g->count) {
        memcpy(grown, g->list, g->count * sizeof *grown);
    }
    g->list = grown;
    g->cap = cap;
    return true;
}

/* after: the last name of the page of ours before, or NULL. */
static bool is_wanted(const struct pl_op *op, const struct pl_s3_gather *g, const pail_info *i,
                      const char *after)
{
    const char *start = op->in.list.start_after;
    if (op->in.list.prefix && !pl_str_starts(pl_str_c(i->key), pl_str_c(op->in.list.prefix))) {
        return false;
    }
    if (g->bound && strcmp(i->key, g->bound) > 0) {
        return false;
    }
    if (after) {
        return strcmp(i->key, after) > 0;
    }
    /* A prefix that holds the start has names behind it. */
    return !start || strcmp(i->key, start) > 0 ||
           (i->is_prefix && pl_str_starts(pl_str_c(start), pl_str_c(i->key)));
}

pail_code pl_s3_gather_add(struct pl_op *op, struct pl_s3_memo *memo, const pail_info *items,
                           size_t count, const char *after)
{
    struct pl_s3_gather *g = memo->gather;
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(op, g, &items[i], after)) {
            continue;
        }
        if (!make_room(op, g)) {
            return PAIL_E_NO_MEMORY;
        }
        pail_info *to = &g->list[g->count++];
        *to = items[i];
        to->key = pl_arena_dup_c(&op->arena, items[i].key);
        to->etag = pl_arena_dup_c(&op->arena, items[i].etag);
        to->upload_id = pl_arena_dup_c(&op->arena, items[i].upload_id);
        to->storage_class = pl_arena_dup_c(&op->arena, items[i].storage_class);
        to->version = NULL;
        to->is_latest |= op->in.list.versions && !to->is_prefix;
        if (op->arena.failed) {
            return PAIL_E_NO_MEMORY;
        }
    }
    return PAIL_OK;
}

enum pl_s3_gathered pl_s3_gather_next(struct pl_op *op, struct pl_s3_memo *memo, bool truncated,
                                      const char *token)
{
    struct pl_s3_gather *g = memo->gather;
    if (truncated) {
        if (!token || !*token || (g->token && strcmp(token, g->token) == 0)) {
            return PL_S3_GATHER_LOOP;
        }
        g->token = pl_arena_dup_c(&op->arena, token);
        return g->token ? PL_S3_GATHER_MORE : PL_S3_GATHER_NO_MEMORY;
    }
    cut(g, most_of(op));
    op->out.items = g->list;
    op->out.item_count = g->count;
    return g->bound ? PL_S3_GATHER_CUT : PL_S3_GATHER_ALL;
}
