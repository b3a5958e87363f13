/* One call from its headers to its end. */
#include "gateway/gateway.h"

#include "base/sys.h"

static void give_id(struct pl_gw_call *c)
{
    static const char digits[] = "0123456789ABCDEF";
    uint64_t n = atomic_fetch_add(&c->g->serial, 1);
    for (int i = 15; i >= 0; i--, n >>= 4) {
        c->request_id[i] = digits[n & 15];
    }
}

/* Everything up to the admission; REPLY: it is answered already. */
static enum pl_http_step admit(struct pl_gw_call *c)
{
    static const char *const wrong[] = {[PL_HTTP_BUSY] = "SlowDown",
                                        [PL_HTTP_WORDY] = "RequestHeaderSectionTooLarge",
                                        [PL_HTTP_UNFRAMED] = "BadRequest"};
    if (c->http->wrong) {
        pl_gw_fail(c, wrong[c->http->wrong], NULL);
        return PL_HTTP_REPLY;
    }
    if (pl_gw_own_page(c) || !pl_gw_parse(c) || pl_gw_preflight(c)) {
        return PL_HTTP_REPLY;
    }
    c->route = pl_gw_find_route(c);
    if (!c->route || !pl_gw_admit(c)) {
        return PL_HTTP_REPLY;
    }
    c->http->trusted = c->route->body != PL_GW_FORM;
    return pl_gw_body_begin(c) ? PL_HTTP_MORE : PL_HTTP_REPLY;
}

static enum pl_http_step begin(struct pl_http_call *h, void *ctx)
{
    struct pl_gw_call *c = pl_arena_alloc(&h->arena, sizeof *c);
    h->app = c;
    if (!c) {
        h->status = 503;
        return PL_HTTP_REPLY;
    }
    c->g = ctx;
    c->http = h;
    c->arena = &h->arena;
    c->begun_ns = pl_sys.mono_ns();
    c->begun_ms = pl_sys.wall_ms();
    give_id(c);
    if (admit(c) == PL_HTTP_REPLY) {
        return PL_HTTP_REPLY;
    }
    if (c->route->body == PL_GW_BYTES) {
        c->route->run(c);
    }
    return c->error ? PL_HTTP_REPLY : PL_HTTP_MORE;
}

static enum pl_http_step data(struct pl_http_call *h, const char *bytes, size_t n, void *ctx)
{
    struct pl_gw_call *c = h->app;
    (void)ctx;
    if (pl_gw_body_data(c, bytes, n)) {
        return PL_HTTP_MORE;
    }
    pl_gw_worker_join(c);
    return PL_HTTP_REPLY;
}

static void end(struct pl_http_call *h, void *ctx)
{
    struct pl_gw_call *c = h->app;
    (void)ctx;
    bool good = pl_gw_body_end(c);
    if (c->route->finish) {
        c->route->finish(c);
    } else if (good) {
        c->route->run(c);
    }
}

static int64_t pull(struct pl_http_call *h, char *buf, size_t n, void *ctx)
{
    (void)ctx;
    return pl_gw_get_pull(h->app, buf, n);
}

static void count(struct pl_gw_call *c, bool complete)
{
    struct pl_gateway *g = c->g;
    int status = c->http->status;
    atomic_fetch_add(&g->counts[PL_GW_REQUESTS], 1);
    if (status >= 400) {
        atomic_fetch_add(&g->counts[status < 500 ? PL_GW_ERRORS_4XX : PL_GW_ERRORS_5XX], 1);
    }
    if (!complete) {
        atomic_fetch_add(&g->counts[PL_GW_CUT], 1);
    }
    atomic_fetch_add(&g->counts[PL_GW_BYTES_IN], c->body.raw);
    atomic_fetch_add(&g->counts[PL_GW_BYTES_OUT], c->bytes_out);
}

static void tell(struct pl_gw_call *c, bool complete)
{
    struct pl_gw_access a = {.http = c->http,
                             .request_id = c->request_id,
                             .operation = c->route ? c->route->operation : "-",
                             .bucket = c->bucket,
                             .key = c->key,
                             .access_key = c->access_key,
                             .error = c->error,
                             .bytes_in = c->body.raw,
                             .bytes_out = c->bytes_out,
                             .took_us = (pl_sys.mono_ns() - c->begun_ns) / 1000,
                             .at_ms = c->begun_ms,
                             .complete = complete};
    if (c->g->access) {
        c->g->access(&a, c->g->access_ctx);
    }
}

static void done(struct pl_http_call *h, bool complete, void *ctx)
{
    struct pl_gw_call *c = h->app;
    (void)ctx;
    if (!c) {
        return;
    }
    pl_gw_worker_join(c);
    count(c, complete);
    tell(c, complete);
    pl_gw_stream_dispose(c);
    pl_gw_body_dispose(c);
    pail_error_free(c->worker.error);
    pl_free(c->worker.etag);
    pl_zero(c->signing_key, sizeof c->signing_key);
}

/* ---- the server ---- */

static const struct pl_http_app app = {begin, data, end, pull, done};

pail_code pl_gateway_start(struct pl_gateway *g, const struct pl_http_server_opts *opts,
                           struct pail_error **err)
{
    uint64_t first = 0;
    if (!pl_sys.random(&first, sizeof first)) {
        return pl_fail(err, PAIL_E_IO, "the system gives no random numbers");
    }
    atomic_store(&g->serial, first);
    g->provider->ops->caps(g->provider, &g->caps);
    g->tls = opts->tls_cert != NULL;
    return pl_http_server_start(opts, &app, g, &g->http, err);
}

static void free_key(struct pl_gw_key *k)
{
    for (size_t i = 0; i < k->bucket_count && k->buckets; i++) {
        pl_free(k->buckets[i]);
    }
    pl_free(k->buckets);
    pl_free(k->id);
    pl_free_secret(k->secret);
    pl_free(k);
}

pail_code pl_gateway_key(struct pl_gw_key **list, const char *id, const char *secret,
                         const char *const *buckets, size_t count_of, bool read_only,
                         struct pail_error **err)
{
    struct pl_gw_key *k = pl_calloc(1, sizeof *k);
    bool ok = k != NULL;
    if (ok) {
        k->id = pl_strdup(id);
        k->secret = pl_strdup(secret);
        k->read_only = read_only;
        k->buckets = buckets ? pl_calloc(count_of + 1, sizeof *k->buckets) : NULL;
        ok = k->id && k->secret && (!buckets || k->buckets);
    }
    for (size_t i = 0; ok && buckets && i < count_of; i++) {
        k->buckets[i] = pl_strdup(buckets[i]);
        k->bucket_count = i + 1;
        ok = k->buckets[i] != NULL;
    }
    if (!ok) {
        if (k) {
            free_key(k);
        }
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a key");
    }
    k->next = *list;
    *list = k;
    return PAIL_OK;
}

void pl_gateway_free_keys(struct pl_gw_key *list)
{
    while (list) {
        struct pl_gw_key *next = list->next;
        free_key(list);
        list = next;
    }
}

void pl_gateway_set_keys(struct pl_gateway *g, struct pl_gw_key *list)
{
    pthread_rwlock_wrlock(&g->keys_lock);
    struct pl_gw_key *before = g->keys;
    g->keys = list;
    pthread_rwlock_unlock(&g->keys_lock);
    pl_gateway_free_keys(before); /* calls have copies of what they need */
}

void pl_gateway_stop(struct pl_gateway *g, unsigned wait_ms)
{
    atomic_store(&g->stopping, true);
    pl_http_server_stop(g->http, wait_ms);
    g->http = NULL;
    pl_gateway_free_keys(g->keys);
    g->keys = NULL;
    pthread_rwlock_destroy(&g->keys_lock);
}
