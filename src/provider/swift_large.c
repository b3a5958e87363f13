/* Large objects: uploads in parts become static large objects, and what was one is taken away with
 * its parts. Source: Swift "Static Large Objects", "Dynamic Large Objects", "Bulk Operations". */
#include "base/sys.h"
#include "codec/base64.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/url.h"
#include "provider/swift.h"

enum { MANIFEST_MAX = 8 << 20, PATHS_MAX = 200000, UPLOAD_NAMES = 10000 };

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

/* ---- Looking */

bool pl_swift_looks_first(const struct pl_swift_build *b)
{
    const struct pl_op *op = b->op;
    bool replaces = op->kind == PL_OP_PUT || op->kind == PL_OP_COPY || op->kind == PL_OP_MP_FINISH;
    bool create_only = op->cond.if_none_match && strcmp(op->cond.if_none_match, "*") == 0;
    if (!b->s->remove_segments || !b->bucket.segments || b->bucket.versioned) {
        return false;
    }
    return op->kind == PL_OP_DELETE || (replaces && !create_only);
}

pail_code pl_swift_build_look(struct pl_swift_build *b)
{
    b->r->method = "HEAD";
    pl_swift_path(b, b->op->bucket, NULL, b->op->key);
    return PAIL_OK;
}

static bool is_true(struct pl_str v)
{
    bool on;
    return pl_str_bool(v, &on) && on;
}

/* "CONTAINER/PREFIX", decoded; NULL where it is none, or names what may be anybody's. */
static const char *read_dlo(const struct pl_swift_answer *x, struct pl_str header)
{
    struct pl_buf text = PL_BUF_MAX(4096);
    const char *made = NULL;
    const char *slash;
    if (header.len && pl_url_decode(&text, header) && !pl_buf_rc(&text) && text.len &&
        (slash = strchr(text.ptr, '/')) && slash[1] &&
        pl_str_ends(pl_str_n(text.ptr, (size_t)(slash - text.ptr)), PL_STR("segments"))) {
        made = pl_arena_dup(&x->op->arena, pl_buf_view(&text));
    }
    pl_buf_dispose(&text);
    return made;
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
    memo->dlo = status == 404 ? NULL : read_dlo(x, pl_http_header(x->r, "x-object-manifest"));
    /* The deletion of a static one takes its parts with it; a replacement does not. */
    bool asks = memo->dlo || (memo->is_slo && x->op->kind != PL_OP_DELETE);
    memo->stage = asks ? PL_SWIFT_PARTS : PL_SWIFT_MAIN;
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
    if (op->kind == PL_OP_MP_ABORT) {
        struct pl_buf prefix = PL_BUF_MAX(4096);
        if (!pl_swift_is_upload_id(pl_str_c(op->in.mp.upload_id))) {
            return pl_fail(b->err, PAIL_E_UPLOAD_NOT_FOUND, "no such upload");
        }
        pl_swift_path(b, op->bucket, PL_SWIFT_SEGMENTS, NULL);
        pl_buf_printf(&prefix, "%s/%s", op->key, op->in.mp.upload_id);
        pl_url_query_add(&b->query, "prefix", pl_buf_view(&prefix));
        b->r->failed |= pl_buf_rc(&prefix) != PAIL_OK;
        pl_buf_dispose(&prefix);
    } else if (b->memo->is_slo) {
        pl_swift_path(b, op->bucket, NULL, op->key);
        pl_buf_puts(&b->query, "multipart-manifest=get");
    } else {
        split_dlo(b);
    }
    pl_buf_puts(&b->query, b->query.len ? "&format=json" : "format=json");
    return PAIL_OK;
}

/* Only parts that lie where those of this very key do: a manifest may point to anybody's. */
static bool is_own(const struct pl_op *op, struct pl_str path)
{
    struct pl_buf start = PL_BUF_MAX(4096);
    pl_buf_printf(&start, "%s" PL_SWIFT_SEGMENTS "/%s/", op->bucket, op->key);
    bool own = !pl_buf_rc(&start) && pl_str_starts(path, pl_buf_view(&start));
    pl_buf_dispose(&start);
    return own;
}

static bool take_part(const struct pl_swift_answer *x, const json_t *entry, const char *container)
{
    const char *name = pl_json_text(entry, "name");
    struct pl_str path = pl_str_c(name);
    struct pl_buf full = PL_BUF_MAX(4096);
    bool fine = true;
    if (!name) {
        return true;
    }
    if (container) {
        pl_buf_printf(&full, "%s/%s", container, name);
        path = pl_buf_view(&full);
    } else if (path.len && path.ptr[0] == '/') {
        path = pl_str_n(path.ptr + 1, path.len - 1); /* a manifest's "/CONTAINER/KEY" */
    }
    if (container || is_own(x->op, path)) {
        fine = !pl_buf_rc(&full) && pl_swift_add_path(x->op, x->memo, path);
    }
    pl_buf_dispose(&full);
    return fine;
}

/* NULL: the names are whole paths of a manifest. */
static const char *container_of_parts(const struct pl_swift_answer *x)
{
    struct pl_buf name = PL_BUF_MAX(1024);
    if (x->op->kind == PL_OP_MP_ABORT) {
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

static void upload_gone(const struct pl_swift_answer *x)
{
    x->out->next = PL_NEXT_FAIL;
    x->out->code =
        pl_fail(x->err, PAIL_E_UPLOAD_NOT_FOUND, "no such upload: it was finished or aborted");
    x->out->never_applied = true;
}

void pl_swift_parse_parts(const struct pl_swift_answer *x)
{
    json_t *root = NULL, *entry;
    size_t i;
    bool abort = x->op->kind == PL_OP_MP_ABORT, fine = true;
    const char *container = container_of_parts(x);
    if (x->r->status / 100 != 2 && x->r->status != 404) {
        pl_swift_parse_error(x);
        x->out->never_applied = true;
        return;
    }
    if (x->r->status == 200 &&
        pl_json_parse_array(pl_buf_view(&x->r->body), "the list of parts", &root, NULL)) {
        pl_swift_garbled(x, "list of parts");
        return;
    }
    json_array_foreach(root, i, entry)
    {
        fine = fine && take_part(x, entry, container);
    }
    json_decref(root);
    if (!fine) {
        x->out->next = PL_NEXT_FAIL;
        x->out->code = pl_fail(x->err, PAIL_E_NO_MEMORY, "no memory for the names of parts");
    } else if (abort && !x->memo->path_count) {
        upload_gone(x);
    } else {
        x->memo->stage = abort ? PL_SWIFT_CLEAN : PL_SWIFT_MAIN;
        x->out->next = PL_NEXT_MORE;
    }
}

/* ---- Removing names */

static pail_code write_bulk(struct pl_swift_build *b, const char *const *paths, size_t count)
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
        return write_bulk(b, memo->paths + memo->path_at, memo->path_sent);
    }
    b->r->method = "DELETE";
    pl_buf_putc(&b->path, '/');
    pl_url_encode(&b->path, pl_str_c(memo->paths[memo->path_at]), PL_URL_KEEP_SLASH);
    return PAIL_OK;
}

static bool is_bulk_answer(const struct pl_swift_answer *x, json_t **root)
{
    *root = NULL;
    return x->r->status == 200 &&
           !pl_json_parse(pl_buf_view(&x->r->body), "the answer", root, NULL) &&
           pl_json_text(*root, "Response Status");
}

/* The operation itself is done by now: what cannot be cleared up is left behind. */
void pl_swift_parse_clean(const struct pl_swift_answer *x)
{
    struct pl_swift_memo *memo = x->memo;
    json_t *root;
    if (x->r->status == 401) {
        pl_swift_parse_error(x);
        return;
    }
    if (memo->path_sent > 1 && !is_bulk_answer(x, &root)) {
        pthread_mutex_lock(&x->s->dialect.lock);
        bool news = !x->s->no_bulk;
        x->s->no_bulk = true; /* one by one then */
        pthread_mutex_unlock(&x->s->dialect.lock);
        memo->path_sent = news && x->r->status < 500 ? 0 : memo->path_sent;
        json_decref(root);
    } else if (memo->path_sent > 1) {
        json_decref(root);
    }
    memo->path_at += memo->path_sent;
    x->out->next = memo->path_at < memo->path_count ? PL_NEXT_MORE : PL_NEXT_DONE;
}

void pl_swift_then_clean(const struct pl_swift_answer *x)
{
    if (x->out->next == PL_NEXT_DONE && x->memo->path_count) {
        x->memo->stage = PL_SWIFT_CLEAN;
        x->out->next = PL_NEXT_MORE;
    }
}

/* ---- Uploads in parts */

static void part_path(struct pl_swift_build *b, const char *upload_id, uint32_t number)
{
    struct pl_buf key = PL_BUF_MAX(4096);
    pl_buf_printf(&key, number ? "%s/%s/%u" : "%s/%s", b->op->key, upload_id, (unsigned)number);
    b->r->failed |= pl_buf_rc(&key) != PAIL_OK;
    pl_swift_path(b, b->op->bucket, PL_SWIFT_SEGMENTS, key.ptr ? key.ptr : "");
    pl_buf_dispose(&key);
}

static pail_code check_begin(struct pl_swift_build *b)
{
    if (b->info.known && !b->info.slo) {
        return pl_swift_refuse(b, "static large objects here (/info does not offer them)",
                               "objects up to the service's largest can be put in one request");
    }
    if (b->bucket.known && !b->bucket.exists) {
        return pl_fail(b->err, PAIL_E_BUCKET_NOT_FOUND, "no such bucket");
    }
    pail_code rc = pl_swift_add_write_conditions(b);
    return rc ? rc : pl_swift_add_attributes(b, b->op->attr);
}

/* Makes the mark of the upload, and before it, where there is none yet, the container of segments,
 * in the policy of the bucket. */
pail_code pl_swift_build_begin(struct pl_swift_build *b)
{
    unsigned char random[PL_SWIFT_UPLOAD_ID / 2];
    pail_code rc = check_begin(b);
    if (rc) {
        return rc;
    }
    if (!b->memo->upload_id[0]) {
        if (!pl_sys.random(random, sizeof random)) {
            return pl_fail(b->err, PAIL_E_IO, "the system gives no random numbers");
        }
        pl_hex_encode(b->memo->upload_id, random, sizeof random);
    }
    b->r->header_count = 0; /* attributes were only checked; the manifest has them */
    b->r->method = "PUT";
    if (!b->bucket.segments && !b->memo->made) {
        b->memo->stage = PL_SWIFT_MAKE;
        pl_swift_path(b, b->op->bucket, PL_SWIFT_SEGMENTS, NULL);
        if (b->bucket.policy[0]) {
            pl_http_add_c(b->r, "x-storage-policy", b->bucket.policy);
        }
        return PAIL_OK;
    }
    part_path(b, b->memo->upload_id, 0);
    pl_http_add_c(b->r, "content-type", "application/octet-stream");
    return PAIL_OK;
}

/* A part that was under way when the upload was aborted may have come after all: only the mark
 * tells that the upload is not over. */
pail_code pl_swift_build_check(struct pl_swift_build *b)
{
    if (!pl_swift_is_upload_id(pl_str_c(b->op->in.mp.upload_id))) {
        return pl_fail(b->err, PAIL_E_UPLOAD_NOT_FOUND, "no such upload");
    }
    b->r->method = "HEAD";
    part_path(b, b->op->in.mp.upload_id, 0);
    return PAIL_OK;
}

void pl_swift_parse_check(const struct pl_swift_answer *x)
{
    if (x->r->status == 404) {
        upload_gone(x);
    } else if (x->r->status / 100 != 2) {
        pl_swift_parse_error(x);
        x->out->never_applied = true;
    } else {
        x->memo->checked = true;
        x->memo->stage = PL_SWIFT_FIRST;
        x->out->next = PL_NEXT_MORE;
    }
}

pail_code pl_swift_build_part(struct pl_swift_build *b)
{
    b->r->method = "PUT";
    part_path(b, b->op->in.put.upload_id, b->op->in.put.number);
    pl_http_add_c(b->r, "content-type", "application/octet-stream");
    return pl_swift_add_body(b);
}

/* The Range of a copy is that of its source, in Swift's copy middleware as in its S3 layer. */
pail_code pl_swift_build_copy_part(struct pl_swift_build *b)
{
    const struct pl_op *op = b->op;
    struct pl_buf range = PL_BUF_MAX(64);
    b->r->method = "PUT";
    pl_swift_path(b, op->in.copy.bucket, NULL, op->in.copy.key);
    b->r->failed |= pl_buf_rc(&b->path) != PAIL_OK;
    pl_http_add(b->r, "x-copy-from", pl_buf_view(&b->path));
    pl_buf_clear(&b->path);
    part_path(b, op->in.copy.upload_id, op->in.copy.number);
    pl_buf_printf(&range, "bytes=%llu-%llu", (unsigned long long)op->in.copy.offset,
                  (unsigned long long)(op->in.copy.offset + op->in.copy.length - 1));
    pl_http_add(b->r, "range", pl_buf_view(&range));
    pl_buf_dispose(&range);
    pl_http_add_c(b->r, "x-fresh-metadata", "true");
    pl_http_add_c(b->r, "content-type", "application/octet-stream");
    return pl_swift_add_read_conditions(b, &op->in.copy.cond);
}

static bool write_manifest(struct pl_swift_build *b, struct pl_buf *text)
{
    const struct pl_op *op = b->op;
    bool fine = true;
    pl_buf_putc(text, '[');
    for (size_t i = 0; i < op->in.mp.count; i++) {
        const struct pl_part *part = &op->in.mp.parts[i];
        struct pl_buf path = PL_BUF_MAX(4096);
        pl_buf_printf(&path, "/%s" PL_SWIFT_SEGMENTS "/%s/%s/%u", op->bucket, op->key,
                      op->in.mp.upload_id, (unsigned)part->number);
        pl_buf_puts(text, i ? ",{\"path\":" : "{\"path\":");
        fine = fine && !pl_buf_rc(&path) && pl_json_quote(text, pl_buf_view(&path));
        pl_buf_puts(text, ",\"etag\":");
        fine = fine && pl_json_quote(text, pl_str_c(part->etag));
        if (part->size) { /* who finishes another's upload may not know it; the MD5 still counts */
            pl_buf_printf(text, ",\"size_bytes\":%llu", (unsigned long long)part->size);
        }
        pl_buf_putc(text, '}');
        pl_buf_dispose(&path);
    }
    pl_buf_putc(text, ']');
    return fine && !pl_buf_rc(text);
}

/* SPEC Swift "Static Large Objects" #uploading-the-manifest: the server compares MD5 and size of
 * each part; the ETag of the whole is the MD5 of those MD5s. */
pail_code pl_swift_build_finish(struct pl_swift_build *b)
{
    struct pl_buf text = PL_BUF_MAX(MANIFEST_MAX), mark = PL_BUF_MAX(4096);
    const struct pl_op *op = b->op;
    b->r->method = "PUT";
    pl_swift_path(b, op->bucket, NULL, op->key);
    pl_buf_puts(&b->query, "multipart-manifest=put");
    pail_code rc = pl_swift_add_write_conditions(b);
    rc = rc ? rc : pl_swift_add_attributes(b, op->attr);
    if (!rc && !write_manifest(b, &text)) {
        rc = pl_fail(b->err, PAIL_E_TOO_LARGE, "the manifest of %zu parts is too long",
                     op->in.mp.count);
    }
    if (!rc) {
        pl_http_set_text(b->r, pl_buf_view(&text));
        pl_buf_printf(&mark, "%s" PL_SWIFT_SEGMENTS "/%s/%s", op->bucket, op->key,
                      op->in.mp.upload_id);
    }
    if (!rc && !b->memo->made) {
        b->memo->made = true;
        if (pl_buf_rc(&mark) || !pl_swift_add_path(b->op, b->memo, pl_buf_view(&mark))) {
            rc = pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory for the manifest");
        }
    }
    pl_buf_dispose(&text);
    pl_buf_dispose(&mark);
    return rc;
}

bool pl_swift_manifest_etag(const struct pl_part *parts, size_t count, char out[33])
{
    struct pl_digest d = {0};
    struct pl_sum_value v;
    if (pl_digest_init(&d, PL_SUM_MD5, NULL)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        pl_digest_update(&d, parts[i].etag, strlen(parts[i].etag));
    }
    bool fine = pl_digest_final(&d, &v, NULL) == PAIL_OK;
    pl_digest_dispose(&d);
    if (fine) {
        pl_hex_encode(out, v.bytes, v.len);
    }
    return fine;
}

/* ---- Many names at once */

pail_code pl_swift_build_bulk(struct pl_swift_build *b)
{
    const struct pl_op *op = b->op;
    size_t n = op->in.delete_many.count;
    pail_code rc = PAIL_OK;
    if (!b->info.bulk_delete && b->info.known) {
        return pl_swift_refuse(b, "bulk deletion here (/info does not offer it)", NULL);
    }
    /* A bulk deletion leaves the parts of large objects behind. */
    if (b->bucket.segments && !b->bucket.versioned && b->s->remove_segments) {
        return pl_swift_refuse(b, "bulk deletion with the parts of large objects", NULL);
    }
    if (b->info.delete_max && n > b->info.delete_max) {
        return pl_fail(b->err, PAIL_E_TOO_LARGE, "the service deletes %u names in one request",
                       b->info.delete_max);
    }
    const char **paths = pl_alloc((n + 1) * sizeof *paths);
    struct pl_arena arena = {0};
    for (size_t i = 0; paths && i < n; i++) {
        struct pl_buf path = PL_BUF_MAX(4096);
        pl_buf_printf(&path, "%s/%s", op->bucket, op->in.delete_many.names[i].key);
        paths[i] = pl_arena_dup(&arena, pl_buf_view(&path));
        arena.failed |= pl_buf_rc(&path) != PAIL_OK;
        pl_buf_dispose(&path);
    }
    if (!paths || arena.failed) {
        rc = pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory for the names to delete");
    }
    rc = rc ? rc : write_bulk(b, paths, n);
    pl_arena_dispose(&arena);
    pl_free(paths);
    return rc;
}

/* Errors name "/CONTAINER/KEY", percent-encoded or not, as the versions of Swift do it. */
static bool is_name(const struct pl_swift_answer *x, const char *found, const char *key)
{
    struct pl_buf plain = PL_BUF_MAX(4096), decoded = PL_BUF_MAX(4096);
    struct pl_str name = pl_str_c(found);
    name = name.len && name.ptr[0] == '/' ? pl_str_n(name.ptr + 1, name.len - 1) : name;
    pl_buf_printf(&plain, "%s/%s", x->op->bucket, key);
    bool same =
        pl_str_eq(name, pl_buf_view(&plain)) ||
        (pl_url_decode(&decoded, name) && pl_str_eq(pl_buf_view(&decoded), pl_buf_view(&plain)));
    pl_buf_dispose(&plain);
    pl_buf_dispose(&decoded);
    return same;
}

static struct pail_error *bulk_error(const char *status)
{
    struct pail_error *e = NULL;
    pail_code code = strncmp(status, "401", 3) == 0   ? PAIL_E_UNAUTHENTICATED
                     : strncmp(status, "403", 3) == 0 ? PAIL_E_FORBIDDEN
                     : strncmp(status, "409", 3) == 0 ? PAIL_E_CONFLICT
                     : status[0] == '4'               ? PAIL_E_BAD_ARGUMENT
                                                      : PAIL_E_UNAVAILABLE;
    pl_fail(&e, code, "the service did not delete it: %.80s", status);
    return e;
}

static bool take_errors(const struct pl_swift_answer *x, const json_t *errors)
{
    struct pl_op *op = x->op;
    size_t n = op->in.delete_many.count, i;
    json_t *one;
    if (!json_array_size(errors)) {
        return true;
    }
    op->out.errors = pl_arena_alloc(&op->arena, n * sizeof *op->out.errors);
    op->out.error_count = op->out.errors ? n : 0;
    json_array_foreach((json_t *)(uintptr_t)errors, i, one)
    {
        const char *name = json_string_value(json_array_get(one, 0));
        const char *status = json_string_value(json_array_get(one, 1));
        size_t at = 0;
        while (name && at < n && !is_name(x, name, op->in.delete_many.names[at].key)) {
            at++;
        }
        if (!name || !status || at == n || !op->out.errors) {
            return false;
        }
        if (!op->out.errors[at]) {
            op->out.errors[at] = bulk_error(status);
        }
    }
    return true;
}

static void drop_errors(struct pl_op *op)
{
    for (size_t i = 0; i < op->out.error_count; i++) {
        pail_error_free(op->out.errors[i]);
    }
    op->out.errors = NULL;
    op->out.error_count = 0;
}

/* SPEC Swift "Bulk Operations" #bulk-delete-response: always 200; what happened is in the body. */
void pl_swift_parse_bulk(const struct pl_swift_answer *x)
{
    json_t *root;
    drop_errors(x->op); /* of an earlier attempt */
    if (!is_bulk_answer(x, &root)) {
        json_decref(root);
        pthread_mutex_lock(&x->s->dialect.lock);
        x->s->no_bulk = true; /* the layer above deletes one by one */
        pthread_mutex_unlock(&x->s->dialect.lock);
        x->out->next = PL_NEXT_FAIL;
        x->out->code =
            pl_fail(x->err, PAIL_E_UNSUPPORTED, "the service does not know bulk deletion");
        return;
    }
    const json_t *errors = json_object_get(root, "Errors");
    const char *status = pl_json_text(root, "Response Status");
    bool refused = status[0] != '2' && !json_array_size(errors);
    if (refused || !take_errors(x, errors)) {
        drop_errors(x->op);
        *x->out = (struct pl_verdict){.next = PL_NEXT_RETRY, .code = PAIL_E_UNAVAILABLE};
        pl_fail(x->err, PAIL_E_UNAVAILABLE, "the bulk deletion ended with %.60s", status);
    }
    json_decref(root);
}
