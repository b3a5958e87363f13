/* Deleting many names where some may be large objects: a listing tells which are static ones, one
 * of the container of segments which parts are theirs; objects and parts then go in bulk. An empty
 * object may be a dynamic one and is looked at. Source: Object Storage API "Show container details
 * and list objects"; Swift "Static Large Objects", "Dynamic Large Objects". */
#include <stdlib.h>

#include "codec/hex.h"
#include "codec/json.h"
#include "codec/url.h"
#include "provider/swift.h"

/* Where more than EACH_MAX names need requests of their own, or a page of the listing serves fewer
 * than one of SPARSE entries, deleting one by one, side by side, takes less. */
enum { EACH_MAX = 64, SPARSE = 50, SPARSE_PAGE = 1000, ROOM = 100 };

enum kind {
    PLAIN = 0, /* or not there */
    EMPTY,     /* may be a dynamic large object */
    LARGE,     /* a static one */
    COVERED    /* a static one all of whose parts are known */
};

struct target {
    const char *key;
    size_t index; /* in the op's names */
    enum kind kind;
    const char *etag; /* LARGE */
    size_t from, to;  /* its parts in memo->paths */
};

struct part {
    unsigned long number;
    const char *hash, *path;
};

struct pl_swift_many {
    struct target *targets; /* by key */
    size_t count, at;       /* at: of the first that the listing has not come to, or EACH's */
    size_t large;
    const char *marker;
    uint32_t limit;
    /* The parts of one upload, as they come by. */
    struct target *owner;
    char upload_id[PL_SWIFT_UPLOAD_ID + 1];
    struct part *parts;
    size_t part_count, part_cap;
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct target *)a)->key, ((const struct target *)b)->key);
}

static int by_number(const void *a, const void *b)
{
    unsigned long x = ((const struct part *)a)->number, y = ((const struct part *)b)->number;
    return (x > y) - (x < y);
}

static void give_up(const struct pl_swift_answer *x)
{
    x->out->next = PL_NEXT_FAIL;
    x->out->never_applied = true;
    x->out->code =
        pl_fail(x->err, PAIL_E_UNSUPPORTED,
                "too many of these names need requests of their own: one by one is better");
}

static void no_memory(const struct pl_swift_answer *x)
{
    x->out->next = PL_NEXT_FAIL;
    x->out->code = pl_fail(x->err, PAIL_E_NO_MEMORY, "no memory for the names to delete");
}

/* ---- Asking */

static pail_code begin(struct pl_swift_build *b)
{
    const struct pl_op *op = b->op;
    size_t n = op->in.delete_many.count;
    struct pl_swift_many *m = pl_arena_alloc(&b->op->arena, sizeof *m);
    struct target *targets = m ? pl_arena_alloc(&b->op->arena, (n + 1) * sizeof *targets) : NULL;
    if (!targets) {
        return pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory for the names to delete");
    }
    for (size_t i = 0; i < n; i++) {
        targets[i] = (struct target){.key = op->in.delete_many.names[i].key, .index = i};
    }
    qsort(targets, n, sizeof *targets, by_key);
    m->targets = targets;
    m->count = n;
    b->memo->many = m;
    return PAIL_OK;
}

/* What the names from `first` to `last` begin with, whole characters. */
static struct pl_str common(const char *first, const char *last)
{
    size_t n = 0;
    while (first[n] && first[n] == last[n]) {
        n++;
    }
    while (n && ((unsigned char)first[n] & 0xc0) == 0x80) {
        n--;
    }
    return pl_str_n(first, n);
}

/* A name before `key` with few or none between: its last character made smaller where that is
 * simple, else left away. */
static void put_before(struct pl_buf *out, const char *key)
{
    size_t n = strlen(key);
    while (n && ((unsigned char)key[n - 1] & 0xc0) == 0x80) {
        n--;
    }
    n -= n > 0;
    pl_buf_str(out, pl_str_n(key, n));
    if (key[n] > '!') {
        pl_buf_putc(out, (char)(key[n] - 1));
        pl_buf_puts(out, "\xf4\x8f\xbf\xbd"); /* U+10FFFD, the last character but two */
    }
}

static void add_span(struct pl_swift_build *b, const char *first, const char *last,
                     struct pl_str marker, const char *behind)
{
    struct pl_buf text = PL_BUF_MAX(4096);
    struct pl_str prefix = common(first, last);
    b->r->body_bytes_max = PL_JSON_MAX;
    pl_buf_printf(&text, "%u", (unsigned)b->memo->many->limit);
    pl_buf_puts(&b->query, "format=json");
    pl_url_query_add(&b->query, "limit", pl_buf_view(&text));
    if (prefix.len) {
        pl_url_query_add(&b->query, "prefix", prefix);
    }
    if (marker.len) {
        pl_url_query_add(&b->query, "marker", marker);
    }
    pl_buf_clear(&text);
    pl_buf_printf(&text, "%s%s", last, behind);
    pl_url_query_add(&b->query, "end_marker", pl_buf_view(&text));
    b->r->failed |= pl_buf_rc(&text) != PAIL_OK;
    pl_buf_dispose(&text);
}

static pail_code build_names(struct pl_swift_build *b)
{
    struct pl_swift_many *m = b->memo->many;
    const char *next = m->targets[m->at].key;
    uint64_t wish = (uint64_t)(m->count - m->at) * 4 + ROOM;
    struct pl_buf before = PL_BUF_MAX(4096);
    put_before(&before, next);
    struct pl_str marker = pl_buf_view(&before);
    if (m->marker && (!before.ptr || strcmp(m->marker, before.ptr) > 0)) {
        marker = pl_str_c(m->marker);
    }
    m->limit = wish < b->info.list_max ? (uint32_t)wish : b->info.list_max;
    b->r->method = "GET";
    pl_swift_path(b, b->op->bucket, NULL, NULL);
    add_span(b, next, m->targets[m->count - 1].key, marker, "!");
    b->r->failed |= pl_buf_rc(&before) != PAIL_OK;
    pl_buf_dispose(&before);
    return PAIL_OK;
}

static pail_code build_parts(struct pl_swift_build *b)
{
    struct pl_swift_many *m = b->memo->many;
    const char *first = NULL, *last = NULL;
    for (size_t i = 0; i < m->count; i++) {
        if (m->targets[i].kind == LARGE || m->targets[i].kind == COVERED) {
            first = first ? first : m->targets[i].key;
            last = m->targets[i].key;
        }
    }
    m->limit = b->info.list_max;
    b->r->method = "GET";
    pl_swift_path(b, b->op->bucket, PL_SWIFT_SEGMENTS, NULL);
    /* Behind KEY/... comes KEY0; what lies between is of names that begin with KEY. */
    add_span(b, first, last, pl_str_c(m->marker), "0");
    return PAIL_OK;
}

static pail_code build_each(struct pl_swift_build *b)
{
    struct pl_swift_many *m = b->memo->many;
    while (m->at < m->count && m->targets[m->at].kind != EMPTY && m->targets[m->at].kind != LARGE) {
        m->at++;
    }
    if (m->at == m->count) {
        b->memo->stage = PL_SWIFT_MAIN;
        return pl_swift_build_bulk(b);
    }
    struct target *t = &m->targets[m->at];
    b->memo->is_slo = t->kind == LARGE;
    if (t->kind == LARGE) { /* the manifest tells which parts are of this very name */
        b->memo->dlo = NULL;
        t->from = t->to = b->memo->path_count;
        b->memo->stage = PL_SWIFT_PARTS;
        return pl_swift_build_parts(b);
    }
    b->r->method = "HEAD";
    pl_swift_path(b, b->op->bucket, NULL, t->key);
    return PAIL_OK;
}

pail_code pl_swift_build_many(struct pl_swift_build *b)
{
    pail_code rc = PAIL_OK;
    switch ((int)b->memo->stage) {
    case PL_SWIFT_SURVEY: rc = b->memo->many ? PAIL_OK : begin(b); return rc ? rc : build_names(b);
    case PL_SWIFT_SURVEY_PARTS: return build_parts(b);
    default: return build_each(b);
    }
}

/* ---- Which are large */

static void classify(const struct pl_swift_answer *x, struct target *t, const json_t *entry)
{
    static const char nothing[] = "d41d8cd98f00b204e9800998ecf8427e"; /* the MD5 of no bytes */
    const char *etag = pl_json_text(entry, "slo_etag"), *hash = pl_json_text(entry, "hash");
    struct pl_str text = pl_str_c(etag);
    if (text.len > 1 && text.ptr[0] == '"') {
        text = pl_str_n(text.ptr + 1, text.len - 2);
    }
    if (etag) {
        t->kind = LARGE;
        t->etag = pl_arena_dup(&x->op->arena, text);
        x->memo->many->large++;
    } else if (hash && strcmp(hash, nothing) == 0) {
        t->kind = EMPTY;
    }
}

/* False: no listing in order. */
static bool take_names(const struct pl_swift_answer *x, const json_t *root)
{
    struct pl_swift_many *m = x->memo->many;
    const char *before = m->marker ? m->marker : "";
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)(uintptr_t)root, i, entry)
    {
        const char *name = pl_json_text(entry, "name");
        if (!name || strcmp(name, before) <= 0) {
            return false;
        }
        while (m->at < m->count && strcmp(m->targets[m->at].key, name) < 0) {
            m->at++; /* not there */
        }
        if (m->at < m->count && strcmp(m->targets[m->at].key, name) == 0) {
            classify(x, &m->targets[m->at++], entry);
        }
        before = name;
    }
    m->marker = pl_arena_dup_c(&x->op->arena, before);
    return true;
}

/* The next stage with names left to be seen to. */
static void go_on(const struct pl_swift_answer *x, enum pl_swift_stage stage)
{
    struct pl_swift_many *m = x->memo->many;
    size_t each = 0;
    m->at = 0;
    m->marker = NULL;
    for (size_t i = 0; stage == PL_SWIFT_EACH && i < m->count; i++) {
        each += m->targets[i].kind == EMPTY || m->targets[i].kind == LARGE;
    }
    x->memo->stage = stage;
    x->out->next = PL_NEXT_MORE;
    if (each > EACH_MAX) {
        give_up(x);
    }
}

static void parse_names(const struct pl_swift_answer *x, const json_t *root)
{
    struct pl_swift_many *m = x->memo->many;
    size_t count = json_array_size(root), at = m->at;
    if (!take_names(x, root)) {
        pl_swift_garbled(x, "listing in order");
    } else if (count < m->limit || m->at == m->count) {
        go_on(x, m->large ? PL_SWIFT_SURVEY_PARTS : PL_SWIFT_EACH);
    } else if (count >= SPARSE_PAGE && (m->at - at) * SPARSE < count) {
        give_up(x);
    } else {
        x->out->next = PL_NEXT_MORE;
    }
}

/* ---- Which parts they have */

/* The parts of one upload are those of the object if they give its ETag, and of nothing else: then
 * they go with it. */
static bool close_group(const struct pl_swift_answer *x)
{
    struct pl_swift_many *m = x->memo->many;
    struct target *t = m->owner;
    struct pl_part *parts = NULL;
    char etag[33];
    bool fine = true;
    if (!t || !m->part_count) {
        return true;
    }
    parts = pl_calloc(m->part_count, sizeof *parts);
    qsort(m->parts, m->part_count, sizeof *m->parts, by_number);
    for (size_t i = 0; parts && i < m->part_count; i++) {
        parts[i].etag = m->parts[i].hash;
    }
    if (parts && t->kind == LARGE && t->etag &&
        pl_swift_manifest_etag(parts, m->part_count, etag) && strcmp(etag, t->etag) == 0) {
        t->from = x->memo->path_count;
        for (size_t i = 0; fine && i < m->part_count; i++) {
            fine = pl_swift_add_path(x->op, x->memo, pl_str_c(m->parts[i].path));
        }
        t->to = x->memo->path_count;
        t->kind = COVERED;
    }
    pl_free(parts);
    m->part_count = 0;
    m->owner = NULL;
    return fine;
}

/* KEY/UPLOAD/NUMBER of a key that is to go; NULL: it is something else. */
static struct target *owner_of(struct pl_swift_many *m, const char *name, const char **upload,
                               unsigned long *number)
{
    const char *last = strrchr(name, '/'), *middle = last;
    char *end = NULL;
    if (!last || last - name <= PL_SWIFT_UPLOAD_ID || last[1] < '1' || last[1] > '9') {
        return NULL;
    }
    *number = strtoul(last + 1, &end, 10);
    middle = last - PL_SWIFT_UPLOAD_ID - 1;
    if (*end || *middle != '/' ||
        !pl_swift_is_upload_id(pl_str_n(middle + 1, PL_SWIFT_UPLOAD_ID))) {
        return NULL;
    }
    *upload = middle + 1;
    char *key = pl_strndup(name, (size_t)(middle - name));
    struct target wish = {.key = key};
    struct target *t = key ? bsearch(&wish, m->targets, m->count, sizeof wish, by_key) : NULL;
    pl_free(key);
    return t && t->kind == LARGE ? t : NULL;
}

static bool add_part(const struct pl_swift_answer *x, unsigned long number, const char *hash,
                     const char *name)
{
    struct pl_swift_many *m = x->memo->many;
    struct pl_arena *arena = &x->op->arena;
    struct pl_buf path = PL_BUF_MAX(4096);
    if (m->part_count == m->part_cap) {
        size_t cap = m->part_cap ? m->part_cap * 2 : 64;
        struct part *more = pl_arena_alloc(arena, cap * sizeof *more);
        if (!more) {
            return false;
        }
        memcpy(more, m->parts ? m->parts : more, m->part_count * sizeof *more);
        m->parts = more;
        m->part_cap = cap;
    }
    pl_buf_printf(&path, "%s" PL_SWIFT_SEGMENTS "/%s", x->op->bucket, name);
    struct part *part = &m->parts[m->part_count++];
    *part = (struct part){number, pl_arena_dup_c(arena, hash),
                          pl_buf_rc(&path) ? NULL : pl_arena_dup(arena, pl_buf_view(&path))};
    pl_buf_dispose(&path);
    return part->hash && part->path;
}

static bool take_parts(const struct pl_swift_answer *x, const json_t *root, size_t *matches)
{
    struct pl_swift_many *m = x->memo->many;
    size_t i;
    json_t *entry;
    const char *name = NULL;
    bool fine = true;
    json_array_foreach((json_t *)(uintptr_t)root, i, entry)
    {
        const char *upload = NULL, *hash = pl_json_text(entry, "hash");
        unsigned long number = 0;
        name = pl_json_text(entry, "name");
        struct target *t = name && hash ? owner_of(m, name, &upload, &number) : NULL;
        if (m->owner && (t != m->owner || strncmp(upload, m->upload_id, PL_SWIFT_UPLOAD_ID) != 0)) {
            fine = fine && close_group(x);
            t = t && t->kind == LARGE ? t : NULL;
        }
        if (t && fine) {
            m->owner = t;
            memcpy(m->upload_id, upload, PL_SWIFT_UPLOAD_ID);
            fine = add_part(x, number, hash, name);
            ++*matches;
        }
    }
    m->marker = name ? pl_arena_dup_c(&x->op->arena, name) : m->marker;
    return fine;
}

static void parse_part_names(const struct pl_swift_answer *x, const json_t *root)
{
    struct pl_swift_many *m = x->memo->many;
    size_t matches = 0;
    bool fine = take_parts(x, root, &matches);
    bool more = fine && matches && json_array_size(root) >= m->limit;
    fine = fine && (more || close_group(x));
    if (!fine) {
        give_up(x);
    } else if (more) {
        x->out->next = PL_NEXT_MORE;
    } else {
        go_on(x, PL_SWIFT_EACH);
    }
}

/* ---- One at a time */

static void parse_each(const struct pl_swift_answer *x)
{
    struct pl_swift_many *m = x->memo->many;
    struct target *t = &m->targets[m->at];
    x->out->next = PL_NEXT_MORE;
    t->kind = PLAIN;
    x->memo->dlo = pl_swift_read_dlo(x, pl_http_header(x->r, "x-object-manifest"));
    if (x->r->status != 404 && x->memo->dlo) {
        t->from = t->to = x->memo->path_count;
        x->memo->stage = PL_SWIFT_PARTS;
    }
}

const char *pl_swift_many_key(const struct pl_swift_memo *memo)
{
    return memo->many ? memo->many->targets[memo->many->at].key : NULL;
}

void pl_swift_many_took_parts(const struct pl_swift_answer *x)
{
    struct pl_swift_many *m = x->memo->many;
    m->targets[m->at].to = x->memo->path_count;
    m->targets[m->at].kind = m->targets[m->at].kind == LARGE ? COVERED : PLAIN;
    x->memo->stage = PL_SWIFT_EACH;
}

void pl_swift_parse_many(const struct pl_swift_answer *x)
{
    json_t *root = NULL;
    bool each = x->memo->stage == PL_SWIFT_EACH;
    bool parts = x->memo->stage == PL_SWIFT_SURVEY_PARTS;
    if (x->r->status / 100 != 2 && !((each || parts) && x->r->status == 404)) {
        pl_swift_parse_error(x);
        return;
    }
    if (each) {
        parse_each(x);
        return;
    }
    if (x->r->status == 200 &&
        pl_json_parse_array(pl_buf_view(&x->r->body), "a listing", &root, NULL)) {
        pl_swift_garbled(x, "listing in JSON");
        return;
    }
    if (parts) {
        parse_part_names(x, root);
    } else {
        parse_names(x, root);
    }
    json_decref(root);
    if (x->op->arena.failed) {
        no_memory(x);
    }
}

/* ---- What goes in bulk */

/* The parts of what could not be deleted stay. */
void pl_swift_many_keep_parts(const struct pl_swift_answer *x)
{
    struct pl_swift_many *m = x->memo->many;
    struct pl_swift_memo *memo = x->memo;
    for (size_t i = 0; m && i < m->count; i++) {
        struct target *t = &m->targets[i];
        bool failed = x->op->out.errors && x->op->out.errors[t->index];
        for (size_t at = t->from; failed && at < t->to; at++) {
            memo->paths[at] = NULL;
        }
    }
    size_t left = 0;
    for (size_t i = 0; i < memo->path_count; i++) {
        memo->paths[left] = memo->paths[i];
        left += memo->paths[i] != NULL;
    }
    memo->path_count = left;
}
