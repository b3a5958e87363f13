#include <limits.h>

#include "api/server.h"
#include "api/verbs.h"
#include "codec/mime.h"
#include "transfer/copy.h"
#include "transfer/get.h"
#include "transfer/put.h"
#include "transfer/simple.h"

/* ---- stat ---- */

static pail_code run_stat(pail_bucket *b, enum pl_op_kind kind, const char *key,
                          const pail_stat_opts *user, pail_info **info, struct pail_error **err)
{
    pail_stat_opts o;
    struct pl_simple s = {.wants_info = true};
    pail_code rc = pl_bucket_usable(b, key, err);
    rc = rc ? rc : pl_take_opts(&o, sizeof o, user, err);
    rc = rc ? rc : pl_call_check(&o.call, err);
    if (rc) {
        return rc;
    }
    pl_task_aim(&s.task, b->client, &o.call);
    struct pl_op *op = pl_simple_init(&s, kind, b->name, key);
    if (op) {
        op->version = o.version;
        op->cond = o.cond;
        op->encryption = &o.encryption;
        (void)pl_task_run(&s.task);
    }
    return pl_task_result(&s.task, info, err);
}

PAIL_API pail_code pail_stat(pail_bucket *b, const char *key, const pail_stat_opts *opts,
                             pail_info **info, pail_error **err)
{
    if (info) {
        *info = NULL;
    }
    return run_stat(b, PL_OP_STAT, key, opts, info, err);
}

PAIL_API pail_code pail_tags_get(pail_bucket *b, const char *key, const pail_stat_opts *opts,
                                 pail_info **info, pail_error **err)
{
    if (info) {
        *info = NULL;
    }
    return run_stat(b, PL_OP_TAGS_GET, key, opts, info, err);
}

PAIL_API pail_code pail_tags_set(pail_bucket *b, const char *key, const pail_kv *tags,
                                 size_t tag_count, const pail_stat_opts *user, pail_error **err)
{
    pail_stat_opts o;
    struct pl_simple s = {0};
    pail_attributes attr = {.tags = tags, .tag_count = tag_count};
    pail_code rc = pl_bucket_usable(b, key, err);
    rc = rc ? rc : pl_take_opts(&o, sizeof o, user, err);
    rc = rc ? rc : pl_attributes_check(&attr, err);
    if (rc) {
        return rc;
    }
    pl_task_aim(&s.task, b->client, &o.call);
    struct pl_op *op = pl_simple_init(&s, PL_OP_TAGS_SET, b->name, key);
    if (op) {
        op->version = o.version;
        op->in.tags.tags = tags;
        op->in.tags.count = tag_count;
        (void)pl_task_run(&s.task);
    }
    return pl_task_result(&s.task, NULL, err);
}

/* ---- get ---- */

pail_code pl_get_prepare(struct pl_get *g, pail_bucket *b, const char *key, pail_body *dst,
                         const pail_get_opts *user, struct pail_error **err)
{
    pail_code rc = pl_bucket_usable(b, key, err);
    rc = rc ? rc : pl_take_opts(&g->opts, sizeof g->opts, user, err);
    rc = rc ? rc : pl_call_check(&g->opts.call, err);
    const pail_range *r = &g->opts.range;
    if (rc == PAIL_OK && r->suffix && (r->offset || r->length)) {
        rc = pl_fail(err, PAIL_E_BAD_ARGUMENT,
                     "a range is a suffix or an offset with a length, not both");
    }
    rc = rc    ? rc
         : dst ? pl_sink_open(&g->sink, dst, err)
               : pl_fail(err, PAIL_E_BAD_ARGUMENT, "the destination is NULL");
    if (rc) {
        return rc;
    }
    g->opts.part_size = g->opts.part_size ? g->opts.part_size : b->client->part_size;
    g->opts.concurrency = g->opts.concurrency ? g->opts.concurrency : b->client->concurrency;
    pl_task_aim(&g->task, b->client, &g->opts.call);
    g->bucket = b->name;
    g->key = key;
    pl_get_init(g);
    return PAIL_OK;
}

PAIL_API pail_code pail_get(pail_bucket *b, const char *key, pail_body *dst,
                            const pail_get_opts *opts, pail_info **info, pail_error **err)
{
    if (info) {
        *info = NULL;
    }
    struct pl_get *g = pl_calloc(1, sizeof *g);
    pail_code rc = g ? pl_get_prepare(g, b, key, dst, opts, err)
                     : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a transfer");
    if (rc == PAIL_OK) {
        (void)pl_task_run(&g->task);
        rc = pl_task_result(&g->task, info, err);
    }
    pl_free(g);
    return rc;
}

struct alloc {
    char *data;
    bool failed;
};

/* With a NUL behind it. */
static void *take_room(uint64_t size, void *ctx)
{
    struct alloc *all = ctx;
    all->data = size < SIZE_MAX ? pl_alloc((size_t)size + 1) : NULL;
    all->failed = !all->data;
    if (all->data) {
        all->data[size] = '\0';
    }
    return all->data;
}

PAIL_API pail_code pail_get_alloc(pail_bucket *b, const char *key, const pail_get_opts *opts,
                                  void **data, size_t *len, pail_error **err)
{
    struct alloc all = {0};
    pail_body body = *PAIL_ROOM(take_room, &all);
    *data = NULL;
    *len = 0;
    pail_code rc = pail_get(b, key, &body, opts, NULL, err);
    if (rc && all.failed && err) {
        pail_error_free(*err);
        *err = NULL;
    }
    if (rc) {
        pl_free(all.data);
        return all.failed ? pl_fail(err, PAIL_E_NO_MEMORY, "no memory for the whole of \"%s\"", key)
                          : rc;
    }
    *data = all.data;
    *len = (size_t)body.used;
    return PAIL_OK;
}

/* ---- put ---- */

pail_code pl_put_prepare(struct pl_put *p, pail_bucket *b, const char *key, pail_body *src,
                         const pail_put_opts *user, struct pail_error **err)
{
    p->source.fd = -1;
    pail_code rc = pl_bucket_usable(b, key, err);
    rc = rc ? rc : pl_take_opts(&p->opts, sizeof p->opts, user, err);
    rc = rc ? rc : pl_call_check(&p->opts.call, err);
    rc = rc ? rc : pl_attributes_check(&p->opts.attr, err);
    if (rc == PAIL_OK && !src && !p->is_writer) {
        rc = pl_fail(err, PAIL_E_BAD_ARGUMENT, "the source is NULL");
    }
    rc = rc || !src ? rc : pl_source_open(&p->source, src, err);
    if (rc) {
        return rc;
    }
    if (!p->opts.attr.content_type) {
        p->opts.attr.content_type = pl_mime_by_name(pl_str_c(key));
    }
    p->opts.part_size = p->opts.part_size ? p->opts.part_size : b->client->part_size;
    p->opts.concurrency = p->opts.concurrency ? p->opts.concurrency : b->client->concurrency;
    pl_task_aim(&p->task, b->client, &p->opts.call);
    p->bucket = b->name;
    p->key = key;
    pl_put_init(p);
    return PAIL_OK;
}

PAIL_API pail_code pail_put(pail_bucket *b, const char *key, pail_body *src,
                            const pail_put_opts *opts, pail_info **info, pail_error **err)
{
    if (info) {
        *info = NULL;
    }
    struct pl_put *p = pl_calloc(1, sizeof *p);
    pail_code rc = p ? pl_put_prepare(p, b, key, src, opts, err)
                     : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a transfer");
    if (rc == PAIL_OK) {
        (void)pl_task_run(&p->task);
        rc = pl_task_result(&p->task, info, err);
    }
    pl_free(p);
    return rc;
}

/* ---- delete ---- */

static pail_code must_exist(pail_bucket *b, const char *key, const pail_delete_opts *o,
                            struct pail_error **err)
{
    pail_stat_opts s = {.size = sizeof s, .call = o->call, .version = o->version};
    return o->missing_is_error ? pail_stat(b, key, &s, NULL, err) : PAIL_OK;
}

pail_code pl_delete_prepare(struct pl_simple *s, pail_delete_opts *o, pail_bucket *b,
                            const char *key, const pail_delete_opts *user, struct pail_error **err)
{
    pail_code rc = pl_bucket_usable(b, key, err);
    rc = rc ? rc : pl_take_opts(o, sizeof *o, user, err);
    rc = rc ? rc : pl_call_check(&o->call, err);
    if (rc) {
        return rc;
    }
    pl_task_aim(&s->task, b->client, &o->call);
    struct pl_op *op = pl_simple_init(s, PL_OP_DELETE, b->name, key);
    if (!op) {
        return pl_task_result(&s->task, NULL, err);
    }
    op->version = o->version;
    op->cond.if_match = o->if_match;
    return PAIL_OK;
}

PAIL_API pail_code pail_delete(pail_bucket *b, const char *key, const pail_delete_opts *opts,
                               pail_error **err)
{
    pail_delete_opts o;
    struct pl_simple s = {0};
    pail_code rc = pl_delete_prepare(&s, &o, b, key, opts, err);
    if (rc) {
        return rc;
    }
    rc = must_exist(b, key, &o, err);
    if (rc == PAIL_OK) {
        (void)pl_task_run(&s.task);
        return pl_task_result(&s.task, NULL, err);
    }
    (void)pl_task_result(&s.task, NULL, NULL);
    return rc;
}

PAIL_API pail_code pail_delete_many(pail_bucket *b, const char *const *keys, size_t count,
                                    pail_deleted_fn each, void *each_ctx,
                                    const pail_delete_opts *user, pail_error **err)
{
    pail_delete_opts o;
    pail_code rc = pl_client_usable(b ? b->client : NULL, err);
    rc = rc ? rc : pl_take_opts(&o, sizeof o, user, err);
    for (size_t i = 0; rc == PAIL_OK && i < count; i++) {
        rc = pl_key_check(keys[i], err);
    }
    if (rc || count == 0) {
        return rc;
    }
    struct pl_name *names = pl_calloc(count, sizeof *names);
    if (!names) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for %zu names", count);
    }
    for (size_t i = 0; i < count; i++) {
        names[i].key = keys[i];
    }
    rc = pl_delete_names(b, names, count, each, each_ctx, &o.call, err);
    pl_free(names);
    return rc;
}

pail_code pl_delete_names(pail_bucket *b, const struct pl_name *names, size_t count,
                          pail_deleted_fn each, void *each_ctx, const pail_call *call,
                          struct pail_error **err)
{
    struct pl_delete_many d = {
        .bucket = b->name, .names = names, .count = count, .each = each, .each_ctx = each_ctx};
    pl_task_aim(&d.task, b->client, call);
    pl_delete_many_init(&d);
    (void)pl_task_run(&d.task);
    return pl_task_result(&d.task, NULL, err);
}

/* ---- copy and rename ---- */

pail_code pl_copy_prepare(struct pl_copy *c, pail_bucket *from, const char *key, pail_bucket *to,
                          const char *to_key, const pail_copy_opts *user, struct pail_error **err)
{
    pail_code rc = pl_bucket_usable(from, key, err);
    rc = rc ? rc : pl_bucket_usable(to, to_key, err);
    rc = rc ? rc : pl_take_opts(&c->opts, sizeof c->opts, user, err);
    rc = rc ? rc : pl_call_check(&c->opts.call, err);
    rc = rc || !c->opts.attr ? rc : pl_attributes_check(c->opts.attr, err);
    if (rc) {
        return rc;
    }
    pl_task_aim(&c->task, from->client, &c->opts.call);
    c->to = to->client->provider;
    c->bucket = from->name;
    c->key = key;
    c->to_bucket = to->name;
    c->to_key = to_key;
    pl_copy_init(c);
    return PAIL_OK;
}

PAIL_API pail_code pail_copy(pail_bucket *from, const char *key, pail_bucket *to,
                             const char *to_key, const pail_copy_opts *opts, pail_info **info,
                             pail_error **err)
{
    if (info) {
        *info = NULL;
    }
    struct pl_copy *c = pl_calloc(1, sizeof *c);
    pail_code rc = c ? pl_copy_prepare(c, from, key, to, to_key, opts, err)
                     : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a transfer");
    if (rc == PAIL_OK) {
        (void)pl_task_run(&c->task);
        rc = pl_task_result(&c->task, info, err);
    }
    pl_free(c);
    return rc;
}

PAIL_API pail_code pail_rename(pail_bucket *b, const char *key, const char *to_key,
                               const pail_copy_opts *opts, pail_error **err)
{
    if (key && to_key && strcmp(key, to_key) == 0) {
        return pl_fail(err, PAIL_E_BAD_ARGUMENT, "\"%s\" cannot be renamed to itself", key);
    }
    pail_code rc = pail_copy(b, key, b, to_key, opts, NULL, err);
    pail_delete_opts o = {.size = sizeof o};
    return rc ? rc : pail_delete(b, key, &o, err);
}

/* ---- presign ---- */

struct owned_presigned {
    pail_presigned pub;
    struct pl_arena arena;
};

enum { EXPIRES_S = 3600, EXPIRES_MOST_S = 604800 };

static pail_code fill_presign(struct pl_op *op, const pail_presign_opts *o, struct pail_error **err)
{
    op->version = o->version;
    op->in.presign.method = o->method ? o->method : "GET";
    op->in.presign.expires_s = o->expires_s ? o->expires_s : EXPIRES_S;
    op->in.presign.content_type = o->content_type;
    op->in.presign.response_content_type = o->response_content_type;
    op->in.presign.response_content_disposition = o->response_content_disposition;
    const char *method = op->in.presign.method;
    bool get = strcmp(method, "GET") == 0;
    if (!get && strcmp(method, "PUT") != 0 && strcmp(method, "HEAD") != 0 &&
        strcmp(method, "DELETE") != 0) {
        return pl_fail(err, PAIL_E_BAD_ARGUMENT,
                       "a URL can be signed for GET, HEAD, PUT or DELETE, not for \"%.20s\"",
                       method);
    }
    if (op->in.presign.expires_s > EXPIRES_MOST_S) {
        return pl_fail(err, PAIL_E_BAD_ARGUMENT, "a signed URL may live %d seconds at most, not %u",
                       EXPIRES_MOST_S, o->expires_s);
    }
    if (!get && (o->response_content_type || o->response_content_disposition)) {
        return pl_fail(err, PAIL_E_BAD_ARGUMENT, "response headers can be set for GET only");
    }
    return PAIL_OK;
}

static pail_presigned *take_presigned(struct pl_op *op)
{
    struct owned_presigned *p = pl_calloc(1, sizeof *p);
    if (p) {
        p->pub = op->out.presigned;
        pl_arena_take(&p->arena, &op->arena);
    }
    return p ? &p->pub : NULL;
}

PAIL_API pail_code pail_presign(pail_bucket *b, const char *key, const pail_presign_opts *user,
                                pail_presigned **out, pail_error **err)
{
    pail_presign_opts o;
    struct pl_simple s = {0};
    *out = NULL;
    pail_code rc = pl_bucket_usable(b, key, err);
    rc = rc ? rc : pl_take_opts(&o, sizeof o, user, err);
    if (rc) {
        return rc;
    }
    pl_task_aim(&s.task, b->client, &o.call);
    struct pl_op *op = pl_simple_init(&s, PL_OP_PRESIGN, b->name, key);
    rc = op ? fill_presign(op, &o, err) : PAIL_OK;
    if (op && rc == PAIL_OK && pl_server_presigns(b->client)) {
        rc = pl_server_presign(b->client, op, err);
        *out = rc ? NULL : take_presigned(op);
        rc = rc || *out ? rc : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a signed URL");
        (void)pl_task_result(&s.task, NULL, NULL);
        return rc;
    }
    if (op && rc == PAIL_OK && pl_task_run(&s.task) == PAIL_OK) {
        *out = take_presigned(op);
        rc = *out ? PAIL_OK : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a signed URL");
    }
    pail_code ran = pl_task_result(&s.task, NULL, rc ? NULL : err);
    return rc ? rc : ran;
}

PAIL_API void pail_presigned_free(pail_presigned *signed_url)
{
    struct owned_presigned *p = (struct owned_presigned *)(void *)signed_url;
    if (p) {
        pl_zero((void *)(uintptr_t)p->pub.url, strlen(p->pub.url));
        pl_arena_dispose(&p->arena);
        pl_free(p);
    }
}
