#include "transfer/blocks.h"

#include "base/sys.h"

enum { BLOCK = 1 << 20 };

static void block_done(struct pl_op *op)
{
    struct pl_block *k = op->ctx;
    pl_queue_push(&k->blocks->queue, op);
}

static void fill_op(struct pl_blocks *b, struct pl_op *op, struct pl_body *sink, uint64_t offset,
                    uint64_t n)
{
    op->kind = PL_OP_GET;
    op->bucket = b->bucket;
    op->key = b->key;
    op->version = b->version;
    op->encryption = b->encryption;
    op->cond.if_match = b->etag;
    op->in.get.range = (struct pl_range){PL_RANGE_SPAN, offset, n};
    op->in.get.sink = sink;
    op->deadline_ns = b->deadline_ms ? pl_sys.mono_ns() + (int64_t)b->deadline_ms * 1000000 : 0;
}

static void ask(struct pl_blocks *b, struct pl_block *k, uint64_t index)
{
    uint64_t at = index * b->block_size, n = b->size - at;
    n = n < b->block_size ? n : b->block_size;
    memset(&k->op, 0, sizeof k->op);
    k->index = index;
    k->in_use = k->under_way = true;
    k->blocks = b;
    k->body.kind = PL_BODY_MEM;
    k->body.ptr = k->buffer;
    k->body.len = n;
    atomic_store(&k->body.done, 0);
    fill_op(b, &k->op, &k->body, at, n);
    k->op.done = block_done;
    k->op.ctx = k;
    (void)b->provider->ops->submit(b->provider, &k->op);
}

static struct pl_block *find(struct pl_blocks *b, uint64_t index)
{
    for (size_t i = 0; i < PL_BLOCKS; i++) {
        if (b->slots[i].in_use && b->slots[i].index == index) {
            return &b->slots[i];
        }
    }
    return NULL;
}

static void forget(struct pl_block *k)
{
    pl_op_dispose(&k->op);
    k->in_use = false;
}

/* A slot with a buffer for another block: a free one, else the one used longest ago; NULL: all are
 * under way. */
static struct pl_block *free_slot(struct pl_blocks *b)
{
    struct pl_block *oldest = NULL;
    for (size_t i = 0; i < PL_BLOCKS; i++) {
        struct pl_block *k = &b->slots[i];
        k->buffer = k->buffer ? k->buffer : pl_pool_try(b->pool, b->block_size);
        if (k->buffer && !k->in_use) {
            return k;
        }
        if (k->buffer && !k->under_way && (!oldest || k->used_at < oldest->used_at)) {
            oldest = k;
        }
    }
    if (oldest) {
        forget(oldest);
    }
    return oldest;
}

static void cancel_all(struct pl_blocks *b)
{
    for (size_t i = 0; i < PL_BLOCKS; i++) {
        if (b->slots[i].under_way) {
            b->provider->ops->cancel(b->provider, &b->slots[i].op);
        }
    }
}

enum { LOOK_EVERY_MS = 100 };

static bool told_to_end(const struct pl_blocks *b)
{
    return (b->cancel && atomic_load(&b->cancel->fired)) ||
           (b->progress && b->progress(0, (int64_t)b->size, b->progress_ctx));
}

/* Takes one completion in, waiting for it. */
static void await_one(struct pl_blocks *b, bool *cancelled)
{
    struct pl_op *op = pl_queue_pop(&b->queue);
    if (op) {
        ((struct pl_block *)op->ctx)->under_way = false;
        return;
    }
    if (!*cancelled && told_to_end(b)) {
        cancel_all(b);
        *cancelled = true;
        return;
    }
    pl_queue_wait(&b->queue, *cancelled ? NULL : b->cancel,
                  b->progress && !*cancelled ? LOOK_EVERY_MS : -1);
}

static pail_code changed(struct pl_blocks *b, const char *what, struct pail_error **err)
{
    pl_fail(err, PAIL_E_CHANGED, "\"%s\" was %s while it was read", b->key, what);
    pl_error_hint(err, "open it anew");
    return PAIL_E_CHANGED;
}

/* What an error of a pinned read means. */
static pail_code translate(struct pl_blocks *b, struct pl_op *op, struct pail_error **err)
{
    pail_code rc = op->rc;
    if (rc == PAIL_E_PRECONDITION || rc == PAIL_E_NOT_FOUND || rc == PAIL_E_VERSION_NOT_FOUND) {
        return changed(b, rc == PAIL_E_PRECONDITION ? "replaced" : "deleted", err);
    }
    if (err) {
        *err = op->error;
        op->error = NULL;
    }
    return rc;
}

/* The block's bytes are there, or an error. */
static pail_code need(struct pl_blocks *b, uint64_t index, struct pl_block **out,
                      struct pail_error **err)
{
    bool cancelled = false;
    struct pl_block *k;
    while (!(k = find(b, index))) {
        struct pl_block *slot = free_slot(b);
        if (slot) {
            ask(b, slot, index);
        } else {
            await_one(b, &cancelled);
        }
    }
    while (k->under_way) {
        await_one(b, &cancelled);
    }
    if (k->op.rc) {
        pail_code rc = translate(b, &k->op, err);
        forget(k);
        return rc;
    }
    const char *seen = k->op.out.info.etag; /* also where the service does not look at If-Match */
    if (b->etag && seen && strcmp(b->etag, seen) != 0) {
        forget(k);
        return changed(b, "replaced", err);
    }
    if (atomic_load(&k->body.done) != k->body.len) {
        forget(k);
        return pl_fail(err, PAIL_E_CHANGED, "\"%s\" became shorter while it was read", b->key);
    }
    k->used_at = ++b->clock;
    *out = k;
    return PAIL_OK;
}

/* In order: twice as far ahead each time. Anywhere else: not at all. */
static void look_ahead(struct pl_blocks *b, uint64_t index)
{
    if (index == b->last + 1) {
        b->ahead = b->ahead ? b->ahead * 2 : 1;
        b->ahead = b->ahead < PL_BLOCKS - 1 ? b->ahead : PL_BLOCKS - 1;
    } else if (index != b->last) {
        b->ahead = 0;
    }
    b->last = index;
    for (uint64_t i = index + 1; i <= index + b->ahead && i * b->block_size < b->size; i++) {
        struct pl_block *slot = find(b, i) ? NULL : free_slot(b);
        if (slot) {
            ask(b, slot, i);
        }
    }
}

/* One operation straight into the caller's memory, on his thread. */
static pail_code read_direct(struct pl_blocks *b, void *buf, size_t n, uint64_t offset,
                             struct pail_error **err)
{
    struct pl_block *k = &b->slots[0];
    bool cancelled = false;
    memset(&k->op, 0, sizeof k->op);
    k->blocks = b;
    k->body.kind = PL_BODY_MEM;
    k->body.ptr = buf;
    k->body.len = n;
    atomic_store(&k->body.done, 0);
    fill_op(b, &k->op, &k->body, offset, n);
    k->op.may_block = true;
    k->op.done = block_done;
    k->op.ctx = k;
    k->under_way = true;
    (void)b->provider->ops->submit(b->provider, &k->op);
    while (k->under_way) {
        await_one(b, &cancelled);
    }
    pail_code rc = k->op.rc ? translate(b, &k->op, err) : PAIL_OK;
    pl_op_dispose(&k->op);
    return rc;
}

pail_code pl_blocks_read(struct pl_blocks *b, void *buf, size_t n, uint64_t offset, size_t *got,
                         struct pail_error **err)
{
    *got = 0;
    if (offset >= b->size) {
        return PAIL_OK;
    }
    n = b->size - offset < n ? (size_t)(b->size - offset) : n;
    if (b->direct) {
        pail_code rc = n ? read_direct(b, buf, n, offset, err) : PAIL_OK;
        *got = rc ? 0 : n;
        return rc;
    }
    while (*got < n) {
        struct pl_block *k = NULL;
        uint64_t at = offset + *got, index = at / b->block_size, within = at % b->block_size;
        pail_code rc = need(b, index, &k, err);
        if (rc) {
            return rc;
        }
        size_t take = n - *got < k->body.len - within ? n - *got : (size_t)(k->body.len - within);
        memcpy((char *)buf + *got, k->buffer + within, take);
        *got += take;
        look_ahead(b, index);
    }
    return PAIL_OK;
}

pail_code pl_blocks_init(struct pl_blocks *b, struct pail_error **err)
{
    struct pl_caps caps = {0};
    b->provider->ops->caps(b->provider, &caps);
    b->direct = caps.get_best == UINT64_MAX;
    b->block_size = b->block_size ? b->block_size : BLOCK;
    b->last = UINT64_MAX - 1;
    pl_queue_init(&b->queue);
    if (!b->direct) {
        b->slots[0].buffer = pl_pool_take_handle(b->pool, b->block_size, err);
        if (!b->slots[0].buffer) {
            pl_queue_dispose(&b->queue);
            return PAIL_E_NO_MEMORY;
        }
    }
    return PAIL_OK;
}

void pl_blocks_dispose(struct pl_blocks *b)
{
    bool cancelled = true;
    cancel_all(b);
    for (size_t i = 0; i < PL_BLOCKS; i++) {
        struct pl_block *k = &b->slots[i];
        while (k->under_way) {
            await_one(b, &cancelled);
        }
        pl_op_dispose(&k->op);
        if (i == 0) {
            pl_pool_give_handle(b->pool, k->buffer, b->block_size);
        } else {
            pl_pool_give(b->pool, k->buffer, b->block_size);
        }
    }
    pl_queue_dispose(&b->queue);
}
