/* Large objects: what was one is taken away with its parts. Source: Swift "Static Large Objects",
 * "Dynamic Large Objects", "Bulk Operations". */
#include <stdlib.h>

#include "codec/hex.h"
#include "codec/json.h"
#include "codec/url.h"
#include "provider/swift.h"

enum { PATHS_MAX = 200000, LIST_MAX = 10000 };

bool pl_swift_is_upload_id(struct pl_str text)
{
    unsigned char bytes[PL_SWIFT_UPLOAD_ID / 2];
    return pl_hex_decode(bytes, sizeof bytes, text);
}

bool pl_swift_add_path(struct pl_op *op, struct pl_swift_memo *memo, struct pl_str path)
{
    if (memo->path_count == memo->path_cap) {
        size_t cap = memo->path_cap ? memo->path_cap * 2 : 32;
        const char **more = cap > PATHS_MAX ? NULL : pl_arena_alloc(&op->arena, cap * sizeof *more);
        if (!more) {
            return false;
        }
        memcpy(more, memo->paths ? memo->paths : more, memo->path_count * sizeof *more);
        memo->paths = more;
        memo->path_cap = cap;
    }
    const char *copy = pl_arena_dup(&op->arena, path);
    memo->paths[memo->path_count] = copy;
    memo->path_count += copy != NULL;
    return copy != NULL;
}

bool pl_swift_add_mark(struct pl_op *op, struct pl_swift_memo *memo)
{
    struct pl_buf mark = PL_BUF_MAX(4096);
    pl_buf_printf(&mark, "%s" PL_SWIFT_SEGMENTS "/%s/%s", op->bucket, op->key, op->in.mp.upload_id);
    bool fine = !pl_buf_rc(&mark) && pl_swift_add_path(op, memo, pl_buf_view(&mark));
    pl_buf_dispose(&mark);
    return fine;
}

/* ---- Looking */

bool pl_swift_removes_parts(const struct pl_swift_build *b)
{
    bool parts = b->bucket.segments || b->bucket.others;
    return b->s->remove_segments && parts && !b->bucket.versioned;
}

bool pl_swift_looks_first(const struct pl_swift_build *b)
{
    const struct pl_op *op = b->op;
    bool replaces = op->kind == PL_OP_PUT || op->kind == PL_OP_COPY || op->kind == PL_OP_MP_FINISH;
    bool create_only = op->cond.if_none_match && strcmp(op->cond.if_none_match, "*") == 0;
    if (!pl_swift_removes_parts(b)) {
        return false;
    }
    return op->kind == PL_OP_DELETE || (replaces && !create_only);
}

/* An upload that is to be aborted may have been finished, with the answer lost: then its parts are
 * an object's. */
pail_code pl_swift_build_look(struct pl_swift_build *b)
{
    if (b->op->kind == PL_OP_MP_ABORT && !pl_swift_is_upload_id(pl_str_c(b->op->in.mp.upload_id))) {
        return pl_fail(b->err, PAIL_E_UPLOAD_NOT_FOUND, "no such upload");
    }
    b->r->method = "HEAD";
    pl_swift_path(b, b->op->bucket, NULL, b->op->key);
    return PAIL_OK;
}

static bool is_true(struct pl_str v)
{
    bool on;
    return pl_str_bool(v, &on) && on;
}

const char *pl_swift_read_dlo(const struct pl_swift_answer *x, struct pl_str header)
{
    struct pl_buf text = PL_BUF_MAX(4096);
    const char *made = NULL;
    const char *slash;
    if (header.len && pl_url_decode(&text, header) && !pl_buf_rc(&text) && text.len &&
        (slash = strchr(text.ptr, '/')) && slash[1] &&
        pl_swift_is_segments(x->op->bucket, pl_str_n(text.ptr, (size_t)(slash - text.ptr)))) {
        made = pl_arena_dup(&x->op->arena, pl_buf_view(&text));
    }
    pl_buf_dispose(&text);
    return made;
}

/* Is it what the upload makes? Then an earlier attempt may have won; its manifest tells. */
static void look_at_own(const struct pl_swift_answer *x)
{
    char want[33];
    pl_swift_read_written(x);
    x->op->out.info.size = x->op->in.mp.size;
    x->memo->is_same = x->op->out.info.etag &&
                       pl_swift_manifest_etag(x->op->in.mp.parts, x->op->in.mp.count, want) &&
                       strcmp(x->op->out.info.etag, want) == 0;
}

void pl_swift_parse_look(const struct pl_swift_answer *x)
{
    struct pl_swift_memo *memo = x->memo;
    int status = x->r->status;
    if (status / 100 != 2 && status != 404) {
        pl_swift_parse_error(x);
        x->out->never_applied = true;
        return;
    }
    x->out->next = PL_NEXT_MORE;
    memo->is_slo = status != 404 && is_true(pl_http_header(x->r, "x-static-large-object"));
    memo->dlo = status == 404 || x->op->kind == PL_OP_MP_ABORT
                    ? NULL
                    : pl_swift_read_dlo(x, pl_http_header(x->r, "x-object-manifest"));
    if (x->op->kind == PL_OP_MP_FINISH && memo->is_slo) {
        look_at_own(x);
    }
    memo->stage = memo->dlo || memo->is_slo       ? PL_SWIFT_PARTS
                  : x->op->kind == PL_OP_MP_ABORT ? PL_SWIFT_SCAN
                                                  : PL_SWIFT_MAIN;
}

/* ---- The parts of what is there, or of an upload */

static void split_dlo(struct pl_swift_build *b)
{
    const char *slash = strchr(b->memo->dlo, '/');
    char *name =
        pl_arena_dup(&b->op->arena, pl_str_n(b->memo->dlo, (size_t)(slash - b->memo->dlo)));
    pl_swift_path(b, name, NULL, NULL);
    pl_url_query_add(&b->query, "prefix", pl_str_c(slash + 1));
}

pail_code pl_swift_build_parts(struct pl_swift_build *b)
{
    const struct pl_op *op = b->op;
    b->r->method = "GET";
    if (b->memo->stage == PL_SWIFT_SCAN) {
        struct pl_buf prefix = PL_BUF_MAX(4096);
        pl_swift_path(b, op->bucket, PL_SWIFT_SEGMENTS, NULL);
        pl_buf_printf(&prefix, "%s/%s", op->key, op->in.mp.upload_id);
        pl_url_query_add(&b->query, "prefix", pl_buf_view(&prefix));
        b->r->failed |= pl_buf_rc(&prefix) != PAIL_OK;
        pl_buf_dispose(&prefix);
    } else if (b->memo->is_slo) {
        pl_swift_path(b, op->bucket, NULL, op->key ? op->key : pl_swift_many_key(b->memo));
        pl_buf_puts(&b->query, "multipart-manifest=get");
    } else {
        split_dlo(b);
    }
    pl_buf_puts(&b->query, b->query.len ? "&format=json" : "format=json");
    if (b->memo->parts_marker) {
        pl_url_query_add(&b->query, "marker", pl_str_c(b->memo->parts_marker));
    }
    return PAIL_OK;
}

/* Whether a part is of this upload. */
static bool is_of_upload(const struct pl_op *op, struct pl_str path)
{
    struct pl_buf start = PL_BUF_MAX(4096);
    pl_buf_printf(&start, "%s" PL_SWIFT_SEGMENTS "/%s/%s/", op->bucket, op->key,
                  op->in.mp.upload_id);
    bool below = !pl_buf_rc(&start) && pl_str_starts(path, pl_buf_view(&start));
    pl_buf_dispose(&start);
    return below;
}

/* Only parts of this very key: a manifest may point to anybody's. Those of the upload that is being
 * finished or aborted are there because an earlier attempt did it. */
static bool is_own(const struct pl_swift_answer *x, struct pl_str path)
{
    const char *key = x->op->key ? x->op->key : pl_swift_many_key(x->memo);
    bool uploads = x->op->kind == PL_OP_MP_FINISH || x->op->kind == PL_OP_MP_ABORT;
    if (uploads && is_of_upload(x->op, path)) {
        x->memo->is_own = true;
        return false;
    }
    return x->op->kind != PL_OP_MP_ABORT && pl_swift_is_part(x->op->bucket, key, path);
}

static bool take_part(const struct pl_swift_answer *x, const json_t *entry, const char *container)
{
    const char *name = pl_json_text(entry, "name");
    struct pl_str path = pl_str_c(name);
    struct pl_buf full = PL_BUF_MAX(4096);
    bool fine = true;
    if (!name || json_is_true(json_object_get(entry, "sub_slo"))) {
        return true; /* a manifest of its own: what it names is not seen here */
    }
    if (container) {
        pl_buf_printf(&full, "%s/%s", container, name);
        path = pl_buf_view(&full);
    } else if (path.len && path.ptr[0] == '/') {
        path = pl_str_n(path.ptr + 1, path.len - 1); /* a manifest's "/CONTAINER/KEY" */
    }
    if (x->memo->stage == PL_SWIFT_SCAN || is_own(x, path)) {
        fine = !pl_buf_rc(&full) && pl_swift_add_path(x->op, x->memo, path);
    }
    pl_buf_dispose(&full);
    return fine;
}

/* NULL: the names are whole paths of a manifest. */
static const char *container_of_parts(const struct pl_swift_answer *x)
{
    struct pl_buf name = PL_BUF_MAX(1024);
    if (x->memo->stage == PL_SWIFT_SCAN) {
        pl_buf_printf(&name, "%s" PL_SWIFT_SEGMENTS, x->op->bucket);
    } else if (x->memo->dlo && !x->memo->is_slo) {
        pl_buf_str(&name, pl_str_n(x->memo->dlo, strcspn(x->memo->dlo, "/")));
    } else {
        return NULL;
    }
    const char *made = pl_arena_dup(&x->op->arena, pl_buf_view(&name));
    pl_buf_dispose(&name);
    return made;
}

void pl_swift_upload_gone(const struct pl_swift_answer *x)
{
    x->out->next = PL_NEXT_FAIL;
    x->out->code =
        pl_fail(x->err, PAIL_E_UPLOAD_NOT_FOUND, "no such upload: it was finished or aborted");
    x->out->never_applied = true;
}

static void parts_stay(const struct pl_swift_answer *x)
{
    int status = x->memo->refused;
    pail_code code = status == 401 || status == 403 ? PAIL_E_FORBIDDEN
                     : status == 409                ? PAIL_E_CONFLICT
                     : status / 100 == 4            ? PAIL_E_BAD_ARGUMENT
                                                    : PAIL_E_UNAVAILABLE;
    x->out->next = PL_NEXT_FAIL;
    x->out->code = pl_fail(x->err, code,
                           "the service did not delete all parts of the upload: HTTP %d", status);
    pl_error_hint(x->err, "the upload stays listed: abort it again, with the right to delete");
}

/* What comes after the names of parts are known. */
static void after_parts(const struct pl_swift_answer *x)
{
    struct pl_swift_memo *memo = x->memo;
    bool abort = x->op->kind == PL_OP_MP_ABORT;
    if (x->op->kind == PL_OP_DELETE_MANY) {
        pl_swift_many_took_parts(x);
        x->out->next = PL_NEXT_MORE;
        return;
    }
    if (memo->stage == PL_SWIFT_SCAN && memo->path_count && memo->refused) {
        parts_stay(x);
        return;
    }
    if (memo->stage == PL_SWIFT_SCAN && !memo->path_count) {
        if (!memo->swept) {
            pl_swift_upload_gone(x);
        }
        return;
    }
    if (abort && memo->stage == PL_SWIFT_PARTS) {
        memo->stage = memo->is_own ? PL_SWIFT_CLEAN : PL_SWIFT_SCAN;
        if (memo->is_own && !pl_swift_add_mark(x->op, memo)) {
            x->out->next = PL_NEXT_FAIL;
            x->out->code = pl_fail(x->err, PAIL_E_NO_MEMORY, "no memory for the names of parts");
            return;
        }
    } else {
        memo->stage = abort || (memo->is_own && memo->is_same) ? PL_SWIFT_CLEAN : PL_SWIFT_MAIN;
        x->a->is_settled = !abort && memo->stage == PL_SWIFT_CLEAN; /* an earlier attempt did it */
    }
    x->out->next = PL_NEXT_MORE;
}

/* Whether a listing of parts may have another page. */
static bool goes_on(const struct pl_swift_answer *x, const json_t *page)
{
    struct pl_swift_info info = pl_swift_info_view(x->s);
    size_t n = json_array_size(page), full = info.list_max ? info.list_max : LIST_MAX;
    const char *last = n ? pl_json_text(json_array_get(page, n - 1), "name") : NULL;
    bool more =
        n >= full && last && (!x->memo->parts_marker || strcmp(last, x->memo->parts_marker) > 0);
    x->memo->parts_marker = more ? pl_arena_dup_c(&x->op->arena, last) : NULL;
    return x->memo->parts_marker != NULL;
}

void pl_swift_parse_parts(const struct pl_swift_answer *x)
{
    json_t *root = NULL, *entry;
    size_t i;
    bool fine = true;
    const char *container = container_of_parts(x);
    if (x->r->status / 100 != 2 && x->r->status != 404) {
        pl_swift_parse_error(x);
        x->out->never_applied = true;
        return;
    }
    bool removes = x->op->kind == PL_OP_DELETE || x->op->kind == PL_OP_DELETE_MANY;
    bool other = removes && x->memo->is_slo && /* by now */
                 !is_true(pl_http_header(x->r, "x-static-large-object"));
    if (x->r->status == 200 &&
        pl_json_parse_array(pl_buf_view(&x->r->body), "the list of parts", &root, NULL) && !other) {
        pl_swift_garbled(x, "list of parts");
        return;
    }
    json_array_foreach(root, i, entry)
    {
        fine = fine && take_part(x, entry, container);
    }
    bool more = fine && container && goes_on(x, root);
    json_decref(root);
    if (!fine) {
        x->out->next = PL_NEXT_FAIL;
        x->out->code = pl_fail(x->err, PAIL_E_NO_MEMORY, "no memory for the names of parts");
    } else if (more) {
        x->out->next = PL_NEXT_MORE;
    } else {
        after_parts(x);
    }
}

/* ---- Removing names */

pail_code pl_swift_write_bulk(struct pl_swift_build *b, const char *const *paths, size_t count)
{
    struct pl_buf text = PL_BUF_MAX(32 << 20);
    for (size_t i = 0; i < count; i++) {
        pl_url_encode(&text, pl_str_c(paths[i]), PL_URL_KEEP_SLASH);
        pl_buf_putc(&text, '\n');
    }
    pail_code rc = pl_buf_rc(&text);
    if (!rc) {
        pl_http_set_text(b->r, pl_buf_view(&text));
    }
    pl_buf_dispose(&text);
    b->r->method = "POST";
    pl_buf_puts(&b->query, "bulk-delete");
    pl_http_add_c(b->r, "content-type", "text/plain");
    pl_http_add_c(b->r, "accept", "application/json");
    return rc ? pl_fail(b->err, rc, "the names to delete do not fit into a request") : PAIL_OK;
}

pail_code pl_swift_build_clean(struct pl_swift_build *b)
{
    struct pl_swift_memo *memo = b->memo;
    size_t left = memo->path_count - memo->path_at;
    if (!left) {
        return PAIL_OK; /* done */
    }
    bool bulk = b->info.known && b->info.bulk_delete && left > 1;
    memo->path_sent = !bulk ? 1 : left < b->info.delete_max ? left : b->info.delete_max;
    if (bulk) {
        return pl_swift_write_bulk(b, memo->paths + memo->path_at, memo->path_sent);
    }
    b->r->method = "DELETE";
    pl_buf_putc(&b->path, '/');
    pl_url_encode(&b->path, pl_str_c(memo->paths[memo->path_at]), PL_URL_KEEP_SLASH);
    return PAIL_OK;
}

bool pl_swift_is_bulk_answer(const struct pl_swift_answer *x, json_t **root)
{
    *root = NULL;
    return x->r->status == 200 &&
           !pl_json_parse(pl_buf_view(&x->r->body), "the answer", root, NULL) &&
           pl_json_text(*root, "Response Status");
}

/* Trouble that may be over soon. */
static bool is_trouble(int status)
{
    return status >= 500 || status == 429 || status == 498;
}

/* Keeps the first status of a name that was not deleted, which an abort tells. */
static void note_refusal(const struct pl_swift_answer *x, const json_t *bulk)
{
    const json_t *errors = json_object_get(bulk, "Errors");
    const char *status = json_string_value(json_array_get(json_array_get(errors, 0), 1));
    const char *whole = bulk ? pl_json_text(bulk, "Response Status") : NULL;
    int found = 0;
    if (!bulk) {
        found = x->r->status / 100 == 2 || x->r->status == 404 ? 0 : x->r->status;
    } else if (status || whole[0] != '2') {
        found = (int)strtol(status ? status : whole, NULL, 10);
        found = found ? found : 500;
    }
    x->memo->refused = x->memo->refused ? x->memo->refused : found;
}

/* What follows when all names of an abort were asked for. */
static void end_abort(const struct pl_swift_answer *x)
{
    struct pl_swift_memo *memo = x->memo;
    if (memo->is_own) {
        pl_swift_upload_gone(x); /* finished: only its mark was left */
    } else if (!memo->swept) {
        memo->swept = true; /* parts that were under way may have come meanwhile */
        memo->path_count = memo->path_at = 0;
        memo->stage = PL_SWIFT_SCAN;
        x->out->next = PL_NEXT_MORE;
    } else if (memo->refused) {
        parts_stay(x);
    }
}

/* The operation itself is done by now: what cannot be cleared up is left behind. An abort is this
 * clearing up, and fails with it. */
void pl_swift_parse_clean(const struct pl_swift_answer *x)
{
    struct pl_swift_memo *memo = x->memo;
    json_t *root = NULL;
    bool abort = x->op->kind == PL_OP_MP_ABORT, trouble = is_trouble(x->r->status);
    if (x->r->status == 401 || (abort && trouble)) {
        pl_swift_parse_error(x);
        return;
    }
    bool no_bulk = memo->path_sent > 1 && !pl_swift_is_bulk_answer(x, &root) && !trouble;
    if (no_bulk) {
        pthread_mutex_lock(&x->s->dialect.lock);
        x->s->no_bulk = true;
        pthread_mutex_unlock(&x->s->dialect.lock);
        memo->path_sent = 0; /* one by one then */
    } else if (abort) {
        note_refusal(x, memo->path_sent > 1 ? root : NULL);
    }
    json_decref(root);
    memo->path_at += memo->path_sent;
    x->out->next = memo->path_at < memo->path_count ? PL_NEXT_MORE : PL_NEXT_DONE;
    if (abort && x->out->next == PL_NEXT_DONE) {
        end_abort(x);
    }
}

/* SPEC Object Storage API "Create or replace object": 202 says that a newer write is there already,
 * as of another client's with a clock ahead. Then the parts that were seen are those of what stays.
 */
void pl_swift_then_clean(const struct pl_swift_answer *x)
{
    if (x->r->status == 202 && pl_op_writes(x->op->kind)) {
        x->memo->path_count = x->op->kind == PL_OP_MP_FINISH ? 1 : 0; /* the mark comes first */
    }
    if (x->out->next == PL_NEXT_DONE && x->memo->path_count) {
        x->memo->stage = PL_SWIFT_CLEAN;
        x->out->next = PL_NEXT_MORE;
        x->a->is_settled = !x->op->arena.failed; /* whatever becomes of the clearing up */
    }
}
