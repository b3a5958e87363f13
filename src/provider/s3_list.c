/* Listings: their queries, pages and tokens. The order, the prefix and the start are enforced here,
 * since some services do not; a page that goes backwards or repeats itself is an error, not a loop.
 * Source: Amazon S3 API Reference "ListObjectsV2", "ListObjects", "ListObjectVersions",
 * "ListMultipartUploads", "ListBuckets". */
#include <stdlib.h>

#include "codec/date.h"
#include "codec/hex.h"
#include "codec/url.h"
#include "codec/xml.h"
#include "provider/s3.h"

enum { TEXT_MAX = 64 * 1024, ITEMS_MAX = 100000 };

/* A token of ours: a letter for the kind, the last name seen (percent-encoded), a blank, and what
 * the service gave to go on with. */
enum { TOKEN_V2 = '2', TOKEN_V1 = '1', TOKEN_MARKERS = 'm', TOKEN_KEY = 'k' };
struct token {
    char kind; /* 0: none */
    struct pl_buf last;
    const char *rest;
};

static bool read_token(const char *text, struct token *out)
{
    *out = (struct token){.last = PL_BUF_MAX(TEXT_MAX), .rest = ""};
    if (!text) {
        return true;
    }
    const char *blank = strchr(text, ' ');
    bool known = *text && strchr("12mk", *text);
    if (!known || !blank ||
        !pl_url_decode(&out->last, pl_str_n(text + 1, (size_t)(blank - text) - 1))) {
        return false;
    }
    out->kind = *text;
    out->rest = blank + 1;
    return !pl_buf_rc(&out->last);
}

static const char *make_token(struct pl_arena *arena, char kind, const char *last,
                              struct pl_str rest)
{
    struct pl_buf text = PL_BUF_MAX(4 * TEXT_MAX);
    pl_buf_putc(&text, kind);
    pl_url_encode(&text, pl_str_c(last), PL_URL_KEEP_SLASH);
    pl_buf_putc(&text, ' ');
    pl_buf_str(&text, rest);
    const char *made = pl_buf_rc(&text) ? NULL : pl_arena_dup(arena, pl_buf_view(&text));
    pl_buf_dispose(&text);
    return made;
}

static void parameter(struct pl_s3_build *b, const char *name, const char *value)
{
    if (value && *value) { /* an empty one is left out: some services stumble over it */
        pl_url_query_add(&b->query, name, pl_str_c(value));
    }
}

static void objects_query(struct pl_s3_build *b, const struct token *t)
{
    const char *last = t->last.ptr ? t->last.ptr : "";
    const char *after = b->op->in.list.start_after;
    bool v1 = b->view.p.list == PL_S3_V1 || t->kind == TOKEN_V1;
    b->memo->sent_v1 = v1;
    b->memo->sent_plain = b->op->in.list.versions;
    if (!v1) {
        parameter(b, "list-type", "2");
        parameter(b, "continuation-token", t->rest);
        parameter(b, "start-after", t->kind ? NULL : after);
    } else {
        parameter(b, "marker", t->kind ? last : after);
    }
}

static void markers_query(struct pl_s3_build *b, const struct token *t, const char *bare,
                          const char *second)
{
    pl_buf_puts(&b->query, bare);
    parameter(b, "key-marker", t->kind ? t->last.ptr : b->op->in.list.start_after);
    parameter(b, second, t->rest);
}

pail_code pl_s3_add_list_query(struct pl_s3_build *b)
{
    struct token t;
    pail_code rc = PAIL_OK;
    bool uploads = b->op->kind == PL_OP_MP_LIST;
    if (!read_token(b->op->in.list.token, &t)) {
        rc = pl_fail(b->err, PAIL_E_BAD_ARGUMENT, "the token of the listing is not one of Pail's");
        goto out;
    }
    if (b->op->kind == PL_OP_BUCKET_LIST) {
        parameter(b, "continuation-token", t.rest);
        goto out;
    }
    if (pl_s3_gathers(&b->view, b->op)) {
        rc = pl_s3_gather_query(b);
        goto out;
    }
    if (uploads) {
        markers_query(b, &t, "uploads", "upload-id-marker");
    } else if (b->op->in.list.versions && b->view.p.versions) {
        markers_query(b, &t, "versions", "version-id-marker");
    } else {
        objects_query(b, &t);
    }
    parameter(b, "prefix", b->op->in.list.prefix);
    parameter(b, "delimiter", b->op->in.list.delimiter);
    if (b->op->in.list.max) {
        struct pl_buf n = PL_BUF_MAX(16);
        pl_buf_u64(&n, b->op->in.list.max);
        parameter(b, uploads ? "max-uploads" : "max-keys", n.ptr);
        pl_buf_dispose(&n);
    }
    if (b->view.p.list_urlenc || b->memo->wants_urlenc) {
        parameter(b, "encoding-type", "url");
        b->memo->sent_urlenc = true;
    }
out:
    pl_buf_dispose(&t.last);
    return rc;
}

/* One growing list of the arena's. */
struct items {
    pail_info *list;
    size_t count, cap;
};
struct page {
    struct pl_arena *arena;
    struct pl_str root;
    struct items entries, prefixes;
    pail_info now;
    bool truncated, url_encoded, in_entry, in_prefix;
    bool versions; /* of keys; where the service has none they were asked for as keys */
    char *next, *next_key, *next_second;
};

static pail_code add_item(struct page *p, struct items *to, const pail_info *item)
{
    if (to->count == ITEMS_MAX) {
        return PAIL_E_PROTOCOL;
    }
    if (to->count == to->cap) {
        size_t cap = to->cap ? to->cap * 2 : 64;
        pail_info *grown = pl_arena_alloc(p->arena, cap * sizeof *grown);
        if (!grown) {
            return PAIL_E_NO_MEMORY;
        }
        if (to->count) {
            memcpy(grown, to->list, to->count * sizeof *grown);
        }
        to->list = grown;
        to->cap = cap;
    }
    to->list[to->count++] = *item;
    return PAIL_OK;
}

static bool is_entry(struct pl_str name)
{
    static const char *const names[] = {"Contents", "Version", "DeleteMarker", "Upload"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (pl_str_is(name, names[i])) {
            return true;
        }
    }
    return false;
}

static bool is_buckets(const struct page *p)
{
    return pl_str_is(p->root, "ListAllMyBucketsResult") ||
           pl_str_is(p->root, "ListAllMyDirectoryBucketsResult");
}

static int entry_depth(const struct page *p)
{
    return is_buckets(p) ? 3 : 2;
}

static pail_code on_open(void *ctx, int depth, struct pl_str name)
{
    struct page *p = ctx;
    if (depth == 1) {
        char *root = pl_arena_dup(p->arena, name);
        p->root = pl_str_c(root);
        return root ? PAIL_OK : PAIL_E_NO_MEMORY;
    }
    if (depth == entry_depth(p)) {
        p->in_entry = is_buckets(p) ? pl_str_is(name, "Bucket") : is_entry(name);
        p->in_prefix = pl_str_is(name, "CommonPrefixes");
        p->now = (pail_info){.mtime_ms = -1,
                             .is_delete_marker = pl_str_is(name, "DeleteMarker"),
                             .is_prefix = p->in_prefix};
    }
    return PAIL_OK;
}

static struct pl_str unquoted(struct pl_str etag)
{
    bool quoted = etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"';
    return quoted ? pl_str_n(etag.ptr + 1, etag.len - 2) : etag;
}

static pail_code entry_field(struct page *p, struct pl_str name, struct pl_str text)
{
    pail_info *now = &p->now;
    const struct {
        const char *name, **to;
    } texts[] = {{"Key", &now->key},
                 {"Name", &now->key},
                 {"VersionId", &now->version},
                 {"UploadId", &now->upload_id},
                 {"StorageClass", &now->storage_class},
                 {"ETag", &now->etag}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (pl_str_is(name, texts[i].name)) {
            *texts[i].to = pl_arena_dup(p->arena, unquoted(text));
            return *texts[i].to ? PAIL_OK : PAIL_E_NO_MEMORY;
        }
    }
    if (pl_str_is(name, "Size")) {
        return pl_str_u64(pl_str_trim(text), &now->size) ? PAIL_OK : PAIL_E_PROTOCOL;
    }
    if (pl_str_is(name, "LastModified") || pl_str_is(name, "Initiated") ||
        pl_str_is(name, "CreationDate")) {
        if (!pl_date_iso_parse(pl_str_trim(text), &now->mtime_ms)) {
            now->mtime_ms = -1;
        }
    } else if (pl_str_is(name, "IsLatest")) {
        now->is_latest = pl_str_is(pl_str_trim(text), "true");
    }
    return PAIL_OK;
}

static pail_code page_field(struct page *p, struct pl_str name, struct pl_str text)
{
    const struct {
        const char *name;
        char **to;
    } texts[] = {{"NextContinuationToken", &p->next},
                 {"ContinuationToken", &p->next},
                 {"NextMarker", &p->next_key},
                 {"NextKeyMarker", &p->next_key},
                 {"NextVersionIdMarker", &p->next_second},
                 {"NextUploadIdMarker", &p->next_second}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        /* Of objects, ContinuationToken is only what was sent. */
        if (pl_str_is(name, texts[i].name) && (i != 1 || is_buckets(p)) && text.len) {
            *texts[i].to = pl_arena_dup(p->arena, text);
            return *texts[i].to ? PAIL_OK : PAIL_E_NO_MEMORY;
        }
    }
    if (pl_str_is(name, "IsTruncated")) {
        p->truncated = pl_str_is(pl_str_trim(text), "true");
    } else if (pl_str_is(name, "EncodingType")) {
        p->url_encoded = pl_str_is(pl_str_trim(text), "url");
    }
    return PAIL_OK;
}

static pail_code on_close(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    struct page *p = ctx;
    int at = entry_depth(p);
    if (depth == at && p->in_entry) {
        p->in_entry = false;
        return p->now.key ? add_item(p, &p->entries, &p->now) : PAIL_E_PROTOCOL;
    }
    if (depth == at) {
        p->in_prefix = false;
    }
    if (depth == at + 1 && p->in_entry) {
        return entry_field(p, name, text);
    }
    if (depth == at + 1 && p->in_prefix && pl_str_is(name, "Prefix")) {
        p->now.key = pl_arena_dup(p->arena, text);
        return p->now.key ? add_item(p, &p->prefixes, &p->now) : PAIL_E_NO_MEMORY;
    }
    return depth == 2 ? page_field(p, name, text) : PAIL_OK;
}

/* The names were encoded as a form does it: '+' is a blank. In place; what is not encoded stays. */
static void decode(const char *text)
{
    char *to = (char *)(uintptr_t)text;
    for (const char *from = text; from && *from; to++) {
        int high = from[0] == '%' ? pl_hex_digit(from[1]) : -1;
        int low = high >= 0 ? pl_hex_digit(from[2]) : -1;
        if (low >= 0 && high + low > 0) {
            *to = (char)(high * 16 + low);
            from += 3;
        } else {
            *to = *from == '+' ? ' ' : *from;
            from++;
        }
    }
    if (to) {
        *to = '\0';
    }
}

static void decode_page(struct page *p)
{
    for (size_t i = 0; i < p->entries.count; i++) {
        decode(p->entries.list[i].key);
    }
    for (size_t i = 0; i < p->prefixes.count; i++) {
        decode(p->prefixes.list[i].key);
    }
    decode(p->next_key);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const pail_info *)a)->key, ((const pail_info *)b)->key);
}

static bool in_order(const struct items *items)
{
    for (size_t i = 1; i < items->count; i++) {
        if (strcmp(items->list[i - 1].key, items->list[i].key) > 0) {
            return false;
        }
    }
    return true;
}

/* Entries and prefixes into one list in byte order; false: the versions of keys are mixed up, which
 * cannot be mended. */
static bool merge(struct pl_op *op, struct page *p)
{
    bool versions = p->versions;
    struct items *all[] = {&p->entries, &p->prefixes};
    for (int i = 0; i < 2; i++) {
        if (!in_order(all[i])) {
            if (versions && i == 0) {
                return false;
            }
            qsort(all[i]->list, all[i]->count, sizeof *all[i]->list, by_key);
        }
    }
    size_t count = p->entries.count + p->prefixes.count, e = 0, q = 0;
    pail_info *out =
        p->prefixes.count ? pl_arena_alloc(p->arena, count * sizeof *out) : p->entries.list;
    for (size_t i = 0; p->prefixes.count && out && i < count; i++) {
        bool entry =
            q == p->prefixes.count ||
            (e < p->entries.count && strcmp(p->entries.list[e].key, p->prefixes.list[q].key) <= 0);
        out[i] = entry ? p->entries.list[e++] : p->prefixes.list[q++];
    }
    op->out.items = out;
    op->out.item_count = out ? count : 0;
    return true;
}

static bool starts_with(const char *s, const char *start)
{
    return pl_str_starts(pl_str_c(s), pl_str_c(start));
}

/* Whether the caller wants the entry; *backwards: it ought not to be on this page at all. */
static bool is_wanted(const struct pl_op *op, const struct page *p, const struct token *t,
                      const pail_info *i, bool *backwards)
{
    const char *prefix = op->in.list.prefix, *after = op->in.list.start_after;
    const char *last = t->kind && t->last.ptr ? t->last.ptr : NULL;
    bool repeats = p->versions || op->kind == PL_OP_MP_LIST;
    if (last && op->kind != PL_OP_BUCKET_LIST) {
        int order = strcmp(i->key, last);
        if (order == 0 && i->is_prefix) {
            return false;
        }
        *backwards |= repeats ? order < 0 : order <= 0;
    }
    if (prefix && !starts_with(i->key, prefix)) {
        return false;
    }
    /* A prefix that holds the start has names behind it. */
    return !after || t->kind || strcmp(i->key, after) > 0 ||
           (i->is_prefix && starts_with(after, i->key));
}

/* Where the page ends, whoever says so. */
static const char *greatest(const struct pl_op *op, const struct page *p)
{
    size_t n = op->out.item_count;
    const char *last = n ? op->out.items[n - 1].key : "";
    return p->next_key && strcmp(p->next_key, last) > 0 ? p->next_key : last;
}

/* The token to go on with; false: going on would be a loop. */
static bool set_next(struct pl_s3 *s3, struct pl_op *op, const struct page *p,
                     const struct token *t, const char *end)
{
    const char *last = t->last.ptr ? t->last.ptr : "";
    bool markers = op->kind == PL_OP_MP_LIST || p->versions;
    if (op->kind == PL_OP_BUCKET_LIST) {
        if (p->next && t->kind && strcmp(p->next, t->rest) == 0) {
            return false;
        }
        op->out.next_token =
            p->next ? make_token(p->arena, TOKEN_MARKERS, "", pl_str_c(p->next)) : NULL;
        return !p->next || op->out.next_token;
    }
    if (!p->truncated) {
        return true;
    }
    if (markers) {
        const char *key = p->next_key ? p->next_key : end;
        const char *second = p->next_second ? p->next_second : "";
        if (!*key || (t->kind && strcmp(key, last) == 0 && strcmp(second, t->rest) == 0) ||
            strcmp(key, last) < 0) {
            return false;
        }
        op->out.next_token = make_token(p->arena, TOKEN_MARKERS, key, pl_str_c(second));
    } else if (p->next) {
        if (t->kind == TOKEN_V2 && strcmp(p->next, t->rest) == 0) {
            return false;
        }
        op->out.next_token = make_token(p->arena, TOKEN_V2, *end ? end : last, pl_str_c(p->next));
    } else {
        if (strcmp(end, last) <= 0) {
            return false;
        }
        pthread_mutex_lock(&s3->dialect.lock);
        s3->learned.list_v1 |= s3->profile.list == PL_S3_V2; /* V2 has a token of its own */
        pthread_mutex_unlock(&s3->dialect.lock);
        op->out.next_token = make_token(p->arena, TOKEN_V1, end, (struct pl_str){0});
    }
    return true;
}

static void fail(struct pl_verdict *out, enum pl_next next, pail_code code, struct pail_error **err,
                 const char *why)
{
    *out = (struct pl_verdict){.next = next, .code = code};
    pl_fail(err, code, "%s", why);
}

static const char *root_of(const struct pl_s3 *s3, const struct pl_op *op, bool versions)
{
    return op->kind == PL_OP_BUCKET_LIST
               ? s3->list_directories ? "ListAllMyDirectoryBucketsResult" : "ListAllMyBucketsResult"
           : op->kind == PL_OP_MP_LIST ? "ListMultipartUploadsResult"
           : versions                  ? "ListVersionsResult"
                                       : "ListBucketResult";
}

static pail_code read_page(struct page *p, struct pl_str body)
{
    static const struct pl_xml_events events = {.open = on_open, .close = on_close};
    struct pl_xml xml = {0};
    pail_code rc = pl_xml_init(&xml, &events, p, TEXT_MAX, NULL);
    rc = rc ? rc : pl_xml_feed(&xml, body.ptr, body.len, NULL);
    rc = rc ? rc : pl_xml_finish(&xml, NULL);
    pl_xml_dispose(&xml);
    return rc;
}

/* A name may hold what XML cannot: then it has to come encoded. */
static bool react_garbage(const struct pl_op *op, struct pl_s3_memo *memo, struct pl_verdict *out)
{
    if (op->kind == PL_OP_BUCKET_LIST || !memo || memo->sent_urlenc) {
        return false;
    }
    memo->wants_urlenc = true;
    *out = (struct pl_verdict){
        .next = PL_NEXT_LEARNED, .learned = PL_LEARNED_OTHER, .code = PAIL_E_PROTOCOL};
    return true;
}

/* Some servers put U+FFFD for what XML cannot carry: then the names are not the objects'. */
static bool has_replacement(const struct page *p)
{
    const struct items *all[] = {&p->entries, &p->prefixes};
    for (int i = 0; i < 2; i++) {
        for (size_t j = 0; j < all[i]->count; j++) {
            if (strstr(all[i]->list[j].key, "\xef\xbf\xbd")) {
                return true;
            }
        }
    }
    return false;
}

static void use_page(struct pl_s3 *s3, struct pl_op *op, struct page *p, const struct token *t,
                     struct pl_verdict *out, struct pail_error **err)
{
    bool backwards = false;
    if (p->url_encoded) {
        decode_page(p);
    }
    if (!merge(op, p)) {
        fail(out, PL_NEXT_FAIL, PAIL_E_PROTOCOL, err, "the service lists versions out of order");
        return;
    }
    const char *end = greatest(op, p);
    size_t n = 0;
    for (size_t i = 0; i < op->out.item_count; i++) {
        op->out.items[i].is_latest |=
            op->in.list.versions && !p->versions && !op->out.items[i].is_prefix;
        if (is_wanted(op, p, t, &op->out.items[i], &backwards)) {
            op->out.items[n++] = op->out.items[i];
        }
    }
    op->out.item_count = n;
    if (backwards) {
        fail(out, PL_NEXT_FAIL, PAIL_E_PROTOCOL, err,
             "the service's listing goes backwards or repeats itself");
    } else if (!set_next(s3, op, p, t, end)) {
        fail(out, PL_NEXT_FAIL, PAIL_E_PROTOCOL, err,
             "the service's listing is cut off without a way to go on");
    }
}

static void gather_page(struct pl_op *op, struct pl_s3_memo *memo, struct page *p,
                        const struct token *t, struct pl_verdict *out, struct pail_error **err)
{
    const struct items *all[] = {&p->entries, &p->prefixes};
    const char *after = t->kind ? t->last.ptr : NULL;
    pail_code rc = PAIL_OK;
    if (p->url_encoded) {
        decode_page(p);
    }
    for (int i = 0; i < 2 && !rc; i++) {
        rc = pl_s3_gather_add(op, memo, all[i]->list, all[i]->count, after);
    }
    switch (rc ? PL_S3_GATHER_NO_MEMORY
               : pl_s3_gather_next(op, memo, p->truncated,
                                   op->kind == PL_OP_MP_LIST ? p->next_key : p->next)) {
    case PL_S3_GATHER_ALL: return;
    case PL_S3_GATHER_CUT:
        op->out.next_token = make_token(&op->arena, TOKEN_KEY,
                                        op->out.items[op->out.item_count - 1].key, PL_STR(""));
        return;
    case PL_S3_GATHER_MORE: out->next = PL_NEXT_MORE; return;
    case PL_S3_GATHER_LOOP:
        fail(out, PL_NEXT_FAIL, PAIL_E_PROTOCOL, err,
             "the service's listing is cut off without a way to go on");
        return;
    case PL_S3_GATHER_NO_MEMORY:
        fail(out, PL_NEXT_FAIL, PAIL_E_NO_MEMORY, err, "no memory for a listing");
        return;
    }
}

void pl_s3_parse_list(struct pl_s3 *s3, struct pl_op *op, struct pl_attempt *a,
                      const struct pl_http_response *r, struct pl_verdict *out,
                      struct pail_error **err)
{
    struct pl_s3_memo *memo = a->memo;
    struct pl_arena once = {0};
    struct page p = {.arena = memo && memo->gather ? &once : &op->arena,
                     .versions = op->kind == PL_OP_LIST && op->in.list.versions &&
                                 !(memo && memo->sent_plain)};
    struct token t = {0};
    pail_code rc = read_page(&p, pl_buf_view(&r->body));
    op->out.items = NULL;
    op->out.item_count = 0;
    op->out.next_token = NULL;
    if (rc == PAIL_E_NO_MEMORY) {
        fail(out, PL_NEXT_FAIL, rc, err, "no memory for a page of the listing");
    } else if (rc) {
        if (!react_garbage(op, a->memo, out)) {
            fail(out, PL_NEXT_RETRY, PAIL_E_PROTOCOL, err, "the service's listing is no XML");
        }
    } else if (pl_str_is(p.root, "Error")) {
        pl_s3_parse_error(s3, op, a, r, out, err);
    } else if (has_replacement(&p) && react_garbage(op, a->memo, out)) {
        goto out;
    } else if (!pl_str_is(p.root, root_of(s3, op, p.versions)) ||
               !read_token(op->in.list.token, &t)) {
        fail(out, PL_NEXT_RETRY, PAIL_E_PROTOCOL, err, "the service's answer is no listing");
    } else if (memo && memo->gather) {
        gather_page(op, memo, &p, &t, out, err);
    } else {
        use_page(s3, op, &p, &t, out, err);
    }
out:
    pl_arena_dispose(&once);
    pl_buf_dispose(&t.last);
}
