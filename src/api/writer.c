#include "api/verbs.h"
#include "base/sys.h"

struct pail_writer {
    pail_bucket *bucket; /* its own handle */
    char *key;
    struct pl_queue queue;
    struct pl_put put;
    struct pl_arena arena; /* copies of the options' strings, which outlive the open call */
    bool ended;
};

/* The options' strings must live until the commit. */
static void keep_options(struct pail_writer *w, pail_put_opts *o)
{
    struct pl_arena *a = &w->arena;
    o->size = sizeof *o;
    const char **const texts[] = {&o->attr.content_type,
                                  &o->attr.content_encoding,
                                  &o->attr.content_language,
                                  &o->attr.content_disposition,
                                  &o->attr.cache_control,
                                  &o->attr.storage_class,
                                  &o->attr.canned_acl,
                                  &o->attr.expires,
                                  &o->cond.if_match,
                                  &o->cond.if_none_match,
                                  &o->encryption.algorithm,
                                  &o->encryption.kms_key_id,
                                  &o->encryption.customer_key_base64,
                                  &o->call.request_payer};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i] = pl_arena_dup_c(a, *texts[i]);
    }
    o->attr.metadata = pl_arena_dup_kv(a, o->attr.metadata, o->attr.metadata_count);
    o->attr.tags = pl_arena_dup_kv(a, o->attr.tags, o->attr.tag_count);
    o->call.headers = pl_arena_dup_kv(a, o->call.headers, o->call.header_count);
}

static pail_code open_writer(struct pail_writer *w, pail_bucket *b, const char *key,
                             const pail_put_opts *opts, struct pail_error **err)
{
    pail_put_opts o;
    pail_code rc = pl_bucket_usable(b, key, err);
    rc = rc ? rc : pl_take_opts(&o, sizeof o, opts, err);
    rc = rc ? rc : pail_bucket_open(b->client, b->name, &w->bucket, err);
    if (rc) {
        return rc;
    }
    keep_options(w, &o);
    w->key = pl_strdup(key);
    if (!w->key || w->arena.failed) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a writer");
    }
    w->put.is_writer = true;
    rc = pl_put_prepare(&w->put, w->bucket, w->key, NULL, &o, err);
    if (rc) {
        return rc;
    }
    w->put.task.queue = &w->queue;
    w->put.task.may_block = true;
    pl_task_start(&w->put.task);
    return w->put.task.failing ? pl_task_result(&w->put.task, NULL, err) : PAIL_OK;
}

PAIL_API pail_code pail_writer_open(pail_bucket *b, const char *key, const pail_put_opts *opts,
                                    pail_writer **out, pail_error **err)
{
    *out = NULL;
    pail_writer *w = pl_calloc(1, sizeof *w);
    if (!w) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a writer");
    }
    pl_queue_init(&w->queue);
    pail_code rc = open_writer(w, b, key, opts, err);
    if (rc) {
        w->ended = true;
        pail_writer_free(w);
        return rc;
    }
    *out = w;
    return PAIL_OK;
}

/* After a failure: the error goes to the caller once, later calls say that it failed before. */
static pail_code ended(struct pail_writer *w, struct pail_error **err)
{
    return w->ended ? pl_fail(err, PAIL_E_BAD_ARGUMENT, "the writer has ended")
                    : pl_client_usable(w->bucket->client, err);
}

PAIL_API pail_code pail_writer_write(pail_writer *w, const void *buf, size_t n, pail_error **err)
{
    pail_code rc = w ? ended(w, err) : pl_fail(err, PAIL_E_BAD_ARGUMENT, "the writer is NULL");
    if (rc) {
        return rc;
    }
    rc = pl_put_write(&w->put, buf, n);
    if (rc) {
        w->ended = true;
        return pl_task_result(&w->put.task, NULL, err);
    }
    return PAIL_OK;
}

PAIL_API pail_code pail_writer_commit(pail_writer *w, pail_info **info, pail_error **err)
{
    if (info) {
        *info = NULL;
    }
    pail_code rc = w ? ended(w, err) : pl_fail(err, PAIL_E_BAD_ARGUMENT, "the writer is NULL");
    if (rc) {
        return rc;
    }
    (void)pl_put_commit(&w->put);
    w->ended = true;
    return pl_task_result(&w->put.task, info, err);
}

PAIL_API void pail_writer_free(pail_writer *w)
{
    if (!w) {
        return;
    }
    bool ours = w->bucket && w->bucket->client->forks == pl_fork_count();
    if (!w->ended && ours) {
        pl_put_drop(&w->put);
        (void)pl_task_result(&w->put.task, NULL, NULL);
    }
    pl_queue_dispose(&w->queue);
    pail_bucket_close(w->bucket);
    pl_free(w->key);
    pl_arena_dispose(&w->arena);
    pl_free(w);
}
