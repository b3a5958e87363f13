#include "api/verbs.h"
#include "transfer/list.h"

struct pail_iter {
    pail_client *client; /* holds a reference */
    struct pl_list list;
};

/* Copies what the listing keeps; a text of "" counts as unset. */
static bool keep(char **to, const char *from)
{
    *to = from && *from ? pl_strdup(from) : NULL;
    return !from || !*from || *to;
}

/* A pattern's literal beginning is a prefix that the service can use. */
static bool keep_prefix(struct pl_list *l, const pail_list_opts *o)
{
    bool from_pattern = o->pattern && !(o->prefix && *o->prefix);
    if (!from_pattern) {
        return keep(&l->prefix, o->prefix);
    }
    l->prefix = pl_strndup(o->pattern, pl_glob_literal(o->pattern));
    return l->prefix != NULL;
}

static pail_code fill(struct pl_list *l, const char *bucket, const pail_list_opts *o)
{
    bool ok = keep(&l->bucket, bucket) && keep_prefix(l, o) && keep(&l->delimiter, o->delimiter) &&
              keep(&l->start_after, o->start_after) && keep(&l->pattern, o->pattern) &&
              keep(&l->request_payer, o->call.request_payer);
    l->versions = o->versions;
    l->page_size = o->page_size;
    l->cancel = o->call.cancel;
    l->progress = o->call.progress;
    l->progress_ctx = o->call.progress_ctx;
    l->headers = pl_arena_dup_kv(&l->arena, o->call.headers, o->call.header_count);
    l->header_count = o->call.header_count;
    return ok && !l->arena.failed ? PAIL_OK : PAIL_E_NO_MEMORY;
}

static pail_code open_iter(pail_client *c, enum pl_op_kind kind, const char *bucket,
                           const pail_list_opts *user, pail_iter **out, struct pail_error **err)
{
    pail_list_opts o;
    *out = NULL;
    pail_code rc = pl_client_usable(c, err);
    rc = rc ? rc : pl_take_opts(&o, sizeof o, user, err);
    rc = rc ? rc : pl_call_check(&o.call, err);
    pail_iter *it = rc ? NULL : pl_calloc(1, sizeof *it);
    if (!it) {
        return rc ? rc : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a listing");
    }
    it->client = c;
    pl_client_ref(c);
    it->list.provider = c->provider;
    it->list.kind = kind;
    it->list.deadline_ms = o.call.deadline_ms ? o.call.deadline_ms : c->deadline_ms;
    rc = fill(&it->list, bucket, &o);
    pl_list_init(&it->list);
    if (rc) {
        pail_iter_free(it);
        return pl_fail(err, rc, "no memory for a listing");
    }
    *out = it;
    return PAIL_OK;
}

PAIL_API pail_code pail_bucket_list(pail_client *c, const pail_list_opts *opts, pail_iter **out,
                                    pail_error **err)
{
    return open_iter(c, PL_OP_BUCKET_LIST, NULL, opts, out, err);
}

PAIL_API pail_code pail_list(pail_bucket *b, const pail_list_opts *opts, pail_iter **out,
                             pail_error **err)
{
    return open_iter(b ? b->client : NULL, PL_OP_LIST, b ? b->name : NULL, opts, out, err);
}

PAIL_API pail_code pail_uploads(pail_bucket *b, const pail_list_opts *opts, pail_iter **out,
                                pail_error **err)
{
    return open_iter(b ? b->client : NULL, PL_OP_MP_LIST, b ? b->name : NULL, opts, out, err);
}

PAIL_API pail_code pail_iter_next(pail_iter *it, const pail_info **item, pail_error **err)
{
    *item = NULL;
    pail_code rc = pl_client_usable(it ? it->client : NULL, err);
    return rc ? rc : pl_list_next(&it->list, item, err);
}

PAIL_API bool pail_iter_ready(const pail_iter *it)
{
    return it && pl_list_ready(&it->list);
}

pail_code pl_iter_ask(pail_iter *it, struct pl_simple *s, pail_call *call, struct pail_error **err)
{
    pail_code rc = pl_client_usable(it ? it->client : NULL, err);
    if (rc) {
        return rc;
    }
    const struct pl_list *l = &it->list;
    *call = (pail_call){.cancel = (pail_cancel *)(uintptr_t)l->cancel,
                        .deadline_ms = l->deadline_ms,
                        .headers = l->headers,
                        .header_count = l->header_count,
                        .request_payer = l->request_payer};
    pl_task_aim(&s->task, it->client, call);
    struct pl_op *op = pl_simple_init(s, l->kind, l->bucket, NULL);
    rc = op ? pl_list_ask(&it->list, op, err) : PAIL_E_NO_MEMORY;
    if (rc) {
        pail_code none = pl_task_result(&s->task, NULL, op ? NULL : err);
        return op ? rc : none;
    }
    return PAIL_OK;
}

pail_code pl_iter_accept(pail_iter *it, struct pl_op *op, struct pail_error **err)
{
    return pl_list_accept(&it->list, op, err);
}

PAIL_API void pail_iter_free(pail_iter *it)
{
    if (it) {
        pl_list_dispose(&it->list);
        pail_close(it->client);
        pl_free(it);
    }
}
