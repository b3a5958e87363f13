#include "transfer/list.h"

#include "base/sys.h"

static void page_done(struct pl_op *op)
{
    struct pl_page *page = op->ctx;
    pl_queue_push(&page->list->queue, op);
}

static void free_page(struct pl_page *page)
{
    if (page) {
        pl_op_dispose(&page->op);
        pl_free(page);
    }
}

static void fill_request(const struct pl_list *l, struct pl_op *op, const char *token)
{
    op->in.list.prefix = l->prefix;
    op->in.list.delimiter = l->delimiter;
    op->in.list.start_after = token ? NULL : l->start_after;
    op->in.list.token = token;
    op->in.list.max = l->page_size;
    op->in.list.versions = l->versions;
}

/* Asks for the page behind `token` (NULL: the first); the token must live as long as the request.
 */
static struct pl_page *ask(struct pl_list *l, const char *token)
{
    struct pl_page *page = pl_calloc(1, sizeof *page);
    if (!page) {
        return NULL;
    }
    struct pl_op *op = &page->op;
    page->list = l;
    op->kind = l->kind;
    op->bucket = l->bucket;
    op->may_block = !l->read_ahead;
    op->headers = l->headers;
    op->header_count = l->header_count;
    op->request_payer = l->request_payer;
    op->deadline_ns = l->deadline_ms ? pl_sys.mono_ns() + (int64_t)l->deadline_ms * 1000000 : 0;
    fill_request(l, op, token);
    op->done = page_done;
    op->ctx = page;
    page->under_way = true;
    (void)l->provider->ops->submit(l->provider, op);
    return page;
}

enum { LOOK_EVERY_MS = 100 };

static bool told_to_end(struct pl_list *l)
{
    return (l->cancel && atomic_load(&l->cancel->fired)) ||
           (l->progress && l->progress(l->given, -1, l->progress_ctx));
}

/* Waits for a page. A fired cancel, a progress hook that says so, or a passed deadline ends the
 * request, and this then sees its error. */
static void await(struct pl_list *l, struct pl_page *page)
{
    bool cancelled = false;
    while (page->under_way) {
        struct pl_op *op = pl_queue_pop(&l->queue);
        if (op) {
            ((struct pl_page *)op->ctx)->under_way = false;
            continue;
        }
        if (!cancelled && told_to_end(l)) {
            l->provider->ops->cancel(l->provider, &page->op);
            cancelled = true;
        } else {
            pl_queue_wait(&l->queue, cancelled ? NULL : l->cancel,
                          l->progress && !cancelled ? LOOK_EVERY_MS : -1);
        }
    }
}

static pail_code fail(struct pl_list *l, struct pl_page *page, struct pail_error **err)
{
    l->rc = page ? page->op.rc : PAIL_E_NO_MEMORY;
    if (err && page && page->op.error) {
        *err = page->op.error;
        page->op.error = NULL;
    }
    return page ? l->rc : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a page of a listing");
}

static pail_code check_moves(struct pl_list *l, const char *token, const char *next,
                             struct pail_error **err)
{
    bool stuck = next && token && strcmp(next, token) == 0;
    return stuck
               ? l->rc = pl_fail(err, PAIL_E_PROTOCOL,
                                 "the listing of \"%s\" does not move on: a page repeats its token",
                                 l->bucket ? l->bucket : "")
               : PAIL_OK;
}

/* Makes the next page current. PAIL_DONE behind the last. */
static pail_code turn(struct pl_list *l, struct pail_error **err)
{
    struct pl_page *old = l->page;
    const char *token = old ? old->op.out.next_token : NULL;
    if (l->begun && !token) {
        return PAIL_DONE;
    }
    struct pl_page *page = l->ahead ? l->ahead : ask(l, token);
    l->ahead = NULL;
    l->begun = true;
    if (page) {
        await(l, page);
    }
    pail_code rc = page && page->op.rc == PAIL_OK ? PAIL_OK : fail(l, page, err);
    const char *next = rc == PAIL_OK ? page->op.out.next_token : NULL;
    rc = rc ? rc : check_moves(l, token, next, err);
    if (rc) {
        free_page(page);
        return rc;
    }
    free_page(old); /* its token was borrowed by the request that has ended */
    l->page = page;
    l->at = 0;
    if (next && l->read_ahead && old) { /* who wants the first page only pays for one */
        l->ahead = ask(l, next);
    }
    return PAIL_OK;
}

pail_code pl_list_next(struct pl_list *l, const pail_info **item, struct pail_error **err)
{
    if (l->rc) {
        return pl_fail(err, l->rc, "the listing has failed before");
    }
    if (l->cancel && atomic_load(&l->cancel->fired)) {
        return pl_fail(err, PAIL_E_CANCELLED, "cancelled");
    }
    for (;;) {
        while (l->page && l->at < l->page->op.out.item_count) {
            const pail_info *i = &l->page->op.out.items[l->at++];
            if (!l->pattern || pl_glob_match(l->pattern, i->key)) {
                *item = i;
                l->given++;
                return PAIL_OK;
            }
        }
        pail_code rc = turn(l, err);
        if (rc) {
            return rc;
        }
    }
}

pail_code pl_list_ask(struct pl_list *l, struct pl_op *op, struct pail_error **err)
{
    const char *token = l->page ? l->page->op.out.next_token : NULL;
    if (l->rc || l->ahead) {
        return pl_fail(err, l->rc ? l->rc : PAIL_E_BAD_ARGUMENT,
                       l->rc ? "the listing has failed before"
                             : "the listing reads ahead by itself");
    }
    if (l->begun && !token) {
        return PAIL_DONE;
    }
    fill_request(l, op, token);
    return PAIL_OK;
}

pail_code pl_list_accept(struct pl_list *l, struct pl_op *op, struct pail_error **err)
{
    struct pl_page *page = pl_calloc(1, sizeof *page), *old = l->page;
    if (!page) {
        return l->rc = pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a page of a listing");
    }
    page->list = l;
    page->op.out = op->out;
    page->op.arena = op->arena;
    memset(&op->out, 0, sizeof op->out);
    op->arena = (struct pl_arena){0};
    pail_code rc = check_moves(l, op->in.list.token, page->op.out.next_token, err);
    free_page(old);
    l->page = page;
    l->at = 0;
    l->begun = true;
    return rc;
}

bool pl_list_ready(const struct pl_list *l)
{
    for (size_t i = l->at; l->page && i < l->page->op.out.item_count; i++) {
        if (!l->pattern || pl_glob_match(l->pattern, l->page->op.out.items[i].key)) {
            return true;
        }
    }
    return false;
}

void pl_list_init(struct pl_list *l)
{
    struct pl_caps caps = {0};
    l->provider->ops->caps(l->provider, &caps);
    /* A store that reads everything in one go is on this machine: there is nothing to wait for. */
    l->read_ahead = caps.get_best != UINT64_MAX;
    pl_queue_init(&l->queue);
}

void pl_list_dispose(struct pl_list *l)
{
    if (l->ahead && l->ahead->under_way) {
        l->provider->ops->cancel(l->provider, &l->ahead->op);
        l->cancel = NULL; /* nobody is to be asked any more */
        l->progress = NULL;
        await(l, l->ahead);
    }
    free_page(l->ahead);
    free_page(l->page);
    pl_queue_dispose(&l->queue);
    pl_free(l->bucket);
    pl_free(l->prefix);
    pl_free(l->delimiter);
    pl_free(l->start_after);
    pl_free(l->pattern);
    pl_free(l->request_payer);
    pl_arena_dispose(&l->arena);
}
