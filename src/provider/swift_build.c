/* From an operation to a request. Source: Object Storage API, the request of each name. */
#include "codec/url.h"
#include "provider/swift.h"

enum { TARGET_MAX = 16 * 1024 };

void pl_swift_path(struct pl_swift_build *b, const char *container, const char *suffix,
                   const char *key)
{
    pl_buf_putc(&b->path, '/');
    pl_url_encode(&b->path, pl_str_c(container), 0);
    pl_url_encode(&b->path, pl_str_c(suffix), 0);
    if (key) {
        pl_buf_putc(&b->path, '/');
        pl_url_encode(&b->path, pl_str_c(key), PL_URL_KEEP_SLASH);
    }
}

static void object(struct pl_swift_build *b, const char *method)
{
    b->r->method = method;
    pl_swift_path(b, b->op->bucket, NULL, b->op->key);
}

static void container(struct pl_swift_build *b, const char *method)
{
    b->r->method = method;
    pl_swift_path(b, b->op->bucket, NULL, NULL);
}

static pail_code version(struct pl_swift_build *b)
{
    return b->op->version && *b->op->version
               ? pl_swift_refuse(b, "versions that can be asked for here", NULL)
               : PAIL_OK;
}

/* Compressed bytes are not the object's. */
static pail_code reading(struct pl_swift_build *b, const pail_conditions *cond)
{
    pail_code rc = version(b);
    pail_conditions sent = *cond;
    pl_http_add_c(b->r, "accept-encoding", "identity");
    if (b->memo->by_etag || b->memo->stage == PL_SWIFT_COMPARE) {
        sent.if_match = NULL;
    }
    rc = rc ? rc : pl_swift_add_attributes(b, NULL);
    return rc ? rc : pl_swift_add_read_conditions(b, &sent);
}

static pail_code build_get(struct pl_swift_build *b)
{
    const struct pl_range *range = &b->a->range;
    struct pl_buf v = PL_BUF_MAX(64);
    pail_conditions cond = b->op->cond;
    if (b->memo->missed) { /* the container was asked for meanwhile */
        return b->bucket.exists ? pl_fail(b->err, PAIL_E_NOT_FOUND, "no such object")
                                : pl_fail(b->err, PAIL_E_BUCKET_NOT_FOUND, "no such bucket");
    }
    object(b, "GET");
    if (range->kind == PL_RANGE_SPAN) {
        uint64_t last = range->offset + range->length - 1;
        pl_buf_printf(&v, "bytes=%llu-%llu", (unsigned long long)range->offset,
                      (unsigned long long)(last < range->offset ? UINT64_MAX : last));
    } else if (range->kind == PL_RANGE_SUFFIX) {
        pl_buf_printf(&v, "bytes=-%llu", (unsigned long long)range->length);
    }
    if (v.len) {
        pl_http_add(b->r, "range", pl_buf_view(&v));
    }
    pl_buf_dispose(&v);
    cond.if_match = b->a->if_match;
    return reading(b, &cond);
}

static pail_code build_put(struct pl_swift_build *b)
{
    object(b, "PUT");
    pail_code rc = pl_swift_add_write_conditions(b);
    rc = rc ? rc : pl_swift_add_attributes(b, b->op->attr);
    return rc ? rc : pl_swift_add_body(b);
}

static pail_code build_delete(struct pl_swift_build *b)
{
    object(b, "DELETE");
    pail_code rc = version(b);
    return rc ? rc : pl_swift_add_write_conditions(b);
}

/* SPEC Object Storage API "Create or replace object" X-Copy-From; X-Fresh-Metadata leaves the
 * source's behind. */
static pail_code build_copy(struct pl_swift_build *b)
{
    const struct pl_op *op = b->op;
    if (op->in.copy.version && *op->in.copy.version) {
        return pl_swift_refuse(b, "versions that can be asked for here", NULL);
    }
    pl_swift_path(b, op->in.copy.bucket, NULL, op->in.copy.key);
    pl_http_add(b->r, "x-copy-from", pl_buf_view(&b->path));
    b->r->failed |= pl_buf_rc(&b->path) != PAIL_OK;
    pl_buf_clear(&b->path);
    object(b, "PUT");
    pail_code rc = pl_swift_add_write_conditions(b);
    rc = rc ? rc : pl_swift_add_read_conditions(b, &op->in.copy.cond);
    if (!rc && op->attr) {
        pl_http_add_c(b->r, "x-fresh-metadata", "true");
    }
    return rc ? rc : pl_swift_add_attributes(b, op->attr);
}

static pail_code build_create(struct pl_swift_build *b)
{
    const char *policy = pl_settings_get(b->s->settings, "swift_storage_policy");
    if (b->op->in.bucket_create.location) {
        return pl_swift_refuse(b, "containers in other regions",
                               "os_region_name chooses the region of all containers");
    }
    if (pl_str_ends(pl_str_c(b->op->bucket), PL_STR(PL_SWIFT_SEGMENTS))) {
        return pl_fail(b->err, PAIL_E_BAD_BUCKET_NAME,
                       "bad container name \"%.80s\": containers of this ending hold the parts of "
                       "others, and are in no list of buckets",
                       b->op->bucket);
    }
    container(b, "PUT");
    if (policy && *policy) {
        pl_http_add_c(b->r, "x-storage-policy", policy);
    }
    return PAIL_OK;
}

static pail_code build_bucket_delete(struct pl_swift_build *b)
{
    b->r->method = "DELETE";
    pl_swift_path(b, b->op->bucket, b->memo->stage == PL_SWIFT_LAST ? PL_SWIFT_SEGMENTS : NULL,
                  NULL);
    return PAIL_OK;
}

static pail_code build_main(struct pl_swift_build *b)
{
    switch (b->op->kind) {
    case PL_OP_STAT: return object(b, "HEAD"), reading(b, &b->op->cond);
    case PL_OP_GET: return build_get(b);
    case PL_OP_PUT: return build_put(b);
    case PL_OP_DELETE: return build_delete(b);
    case PL_OP_DELETE_MANY: return pl_swift_build_bulk(b);
    case PL_OP_COPY: return build_copy(b);
    case PL_OP_LIST:
    case PL_OP_MP_LIST:
    case PL_OP_BUCKET_LIST: return b->r->method = "GET", pl_swift_add_list_query(b);
    case PL_OP_MP_BEGIN: return pl_swift_build_begin(b);
    case PL_OP_MP_PART: return pl_swift_build_part(b);
    case PL_OP_MP_COPY_PART: return pl_swift_build_copy_part(b);
    case PL_OP_MP_FINISH: return pl_swift_build_finish(b);
    case PL_OP_TAGS_GET:
    case PL_OP_TAGS_SET: return pl_swift_refuse(b, "tags", "store them as metadata");
    case PL_OP_BUCKET_CREATE: return build_create(b);
    case PL_OP_BUCKET_DELETE: return build_bucket_delete(b);
    case PL_OP_BUCKET_STAT: return container(b, "HEAD"), PAIL_OK;
    case PL_OP_MP_ABORT: /* has only parts and a clearing up */
    case PL_OP_PRESIGN:
    case PL_OP_KIND_COUNT: break;
    }
    return pl_fail(b->err, PAIL_E_UNSUPPORTED, "Swift has no such operation");
}

/* Whether what is there has to be looked at before; how depends on the operation. */
static pail_code build_first(struct pl_swift_build *b)
{
    enum pl_op_kind kind = b->op->kind;
    pail_code rc = kind == PL_OP_DELETE_MANY ? pl_swift_check_bulk(b) : PAIL_OK;
    if (rc) {
        return rc;
    }
    if (kind == PL_OP_DELETE_MANY && pl_swift_removes_parts(b)) {
        b->memo->stage = PL_SWIFT_SURVEY;
        return pl_swift_build_many(b);
    }
    if (kind == PL_OP_MP_ABORT || (kind != PL_OP_MP_FINISH && pl_swift_looks_first(b))) {
        b->memo->stage = PL_SWIFT_LOOK;
        return pl_swift_build_look(b);
    }
    b->memo->stage =
        kind == PL_OP_MP_FINISH && pl_swift_looks_first(b) ? PL_SWIFT_TRY : PL_SWIFT_MAIN;
    return build_main(b);
}

static pail_code build_stage(struct pl_swift_build *b)
{
    switch (b->memo->stage) {
    case PL_SWIFT_FIRST: return build_first(b);
    case PL_SWIFT_LOOK: return pl_swift_build_look(b);
    case PL_SWIFT_COMPARE: return object(b, "HEAD"), reading(b, &b->op->cond);
    case PL_SWIFT_PARTS:
    case PL_SWIFT_SCAN: return pl_swift_build_parts(b);
    case PL_SWIFT_SURVEY:
    case PL_SWIFT_SURVEY_PARTS:
    case PL_SWIFT_EACH: return pl_swift_build_many(b);
    case PL_SWIFT_TRY:
    case PL_SWIFT_MAKE:
    case PL_SWIFT_MAIN:
    case PL_SWIFT_LAST: return build_main(b);
    case PL_SWIFT_CLEAN: return pl_swift_build_clean(b);
    }
    return PAIL_E_INTERNAL;
}

/* The place and the token as they are now. */
static pail_code set_target(struct pl_swift_build *b)
{
    struct pl_buf target = PL_BUF_MAX(TARGET_MAX);
    struct pl_swift *s = b->s;
    pthread_mutex_lock(&s->dialect.lock);
    bool ready = s->token && s->place.host;
    if (ready) {
        b->r->origin = (struct pl_origin){s->place.tls, pl_arena_dup_c(&b->r->arena, s->place.host),
                                          s->place.port};
        pl_buf_puts(&target, s->place.path);
        pl_http_add_c(b->r, "x-auth-token", s->token);
    }
    pthread_mutex_unlock(&s->dialect.lock);
    pl_buf_str(&target, pl_buf_view(&b->path));
    if (b->query.len) {
        pl_buf_putc(&target, '?');
        pl_buf_str(&target, pl_buf_view(&b->query));
    }
    bool too_long = pl_buf_rc(&target) || pl_buf_rc(&b->path) || pl_buf_rc(&b->query);
    b->r->target = too_long ? NULL : pl_arena_dup(&b->r->arena, pl_buf_view(&target));
    pl_buf_dispose(&target);
    if (!ready) {
        return pl_fail(b->err, PAIL_E_NO_CREDENTIALS, "there is no token for Swift");
    }
    if (too_long) {
        return pl_fail(b->err, PAIL_E_TOO_LARGE, "the address of the request is too long");
    }
    return b->r->target && b->r->origin.host
               ? PAIL_OK
               : pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory for a request");
}

/* Extra headers belong to the operation's own exchange, not to those beside it. */
static bool takes_extra(const struct pl_swift_build *b)
{
    return b->memo->stage == PL_SWIFT_MAIN || b->memo->stage == PL_SWIFT_TRY;
}

pail_code pl_swift_build(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                         struct pl_http_request *out, struct pail_error **err)
{
    struct pl_swift *s = (struct pl_swift *)d;
    struct pl_swift_build b = {.s = s,
                               .op = op,
                               .a = a,
                               .r = out,
                               .err = err,
                               .memo = a->memo,
                               .path = PL_BUF_MAX(TARGET_MAX),
                               .query = PL_BUF_MAX(TARGET_MAX),
                               .bucket = pl_swift_bucket_view(s, op->bucket),
                               .info = pl_swift_info_view(s)};
    if (!b.memo) {
        b.memo = a->memo = pl_arena_alloc(&op->arena, sizeof *b.memo);
    }
    if (!b.memo) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a request");
    }
    pail_code rc = build_stage(&b);
    if (!rc && out->method) {
        rc = takes_extra(&b) ? pl_swift_add_extra(&b) : PAIL_OK;
        rc = rc ? rc : set_target(&b);
        if (!rc && out->failed) {
            rc = pl_fail(err, PAIL_E_BAD_ARGUMENT,
                         "the request has too many headers, or one with a control character");
        }
    }
    pl_buf_dispose(&b.path);
    pl_buf_dispose(&b.query);
    return rc;
}
