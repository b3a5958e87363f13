#include "api/server.h"

#include "gateway/gateway.h"

struct pail_server {
    struct pl_gateway gateway;
    pail_client *client;
    bool holds_client;
    struct pl_serve_record record;
    char *address;
    pail_access_fn access;
    void *access_ctx;
    struct pl_arena arena; /* copies of the options */
};

/* Of client->server and client->own_server. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

enum { CONNECTIONS_MOST = 65536 };

static void tell(const struct pl_gw_access *a, void *ctx)
{
    pail_server *s = ctx;
    char method[16] = "";
    size_t n = a->http->method.len < sizeof method ? a->http->method.len : sizeof method - 1;
    memcpy(method, a->http->method.ptr, n);
    pail_access out = {.size = sizeof out,
                       .remote = a->http->remote.ptr,
                       .request_id = a->request_id,
                       .operation = a->operation,
                       .method = method,
                       .bucket = a->bucket,
                       .key = a->key,
                       .access_key = a->access_key,
                       .error = a->error,
                       .status = a->http->status,
                       .received_bytes = a->bytes_in,
                       .sent_bytes = a->bytes_out,
                       .took_us = a->took_us,
                       .at_ms = a->at_ms,
                       .complete = a->complete};
    s->access(&out, s->access_ctx);
}

/* ---- options ---- */

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static pail_code check_keys(const pail_server_key *keys, size_t count, struct pail_error **err)
{
    for (size_t i = 0; i < count; i++) {
        const pail_server_key *k = &keys[i];
        if (!k->id || !*k->id || !k->secret || !*k->secret || strchr(k->id, '/') ||
            !pl_header_safe(pl_str_c(k->id))) {
            return pl_fail(err, PAIL_E_BAD_ARGUMENT,
                           "key %zu has no id or secret, or a character that no id may have",
                           i + 1);
        }
    }
    return PAIL_OK;
}

static pail_code check(const pail_server_opts *o, const char *address, struct pail_error **err)
{
    pail_code rc = check_keys(o->keys, o->key_count, err);
    if (rc) {
        return rc;
    }
    if (o->key_count == 0 && !is_loopback(address)) {
        pl_fail(err, PAIL_E_BAD_ARGUMENT,
                "%s can be reached from other machines, and no key was given", address);
        pl_error_hint(err, "give a key (--key ID:SECRET or --credentials FILE), or serve on "
                           "127.0.0.1");
        return PAIL_E_BAD_ARGUMENT;
    }
    if (!o->tls_cert != !o->tls_key) {
        return pl_fail(err, PAIL_E_BAD_ARGUMENT, "TLS needs a certificate and its key");
    }
    return o->connections <= CONNECTIONS_MOST
               ? PAIL_OK
               : pl_fail(err, PAIL_E_BAD_ARGUMENT, "%u connections are too many", o->connections);
}

static const char *const *copy_list(struct pl_arena *a, const char *const *list, size_t count)
{
    const char **copy = list ? pl_arena_alloc(a, (count + 1) * sizeof *copy) : NULL;
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = pl_arena_dup_c(a, list[i]);
    }
    return copy;
}

/* The store's own key, and those given. */
static pail_code set_keys(pail_server *s, const pail_server_key *keys, size_t count,
                          struct pail_error **err)
{
    struct pl_gw_key *list = NULL;
    pail_code rc = pl_gateway_key(&list, s->record.id, s->record.secret, NULL, 0, false, err);
    for (size_t i = 0; rc == PAIL_OK && i < count; i++) {
        rc = pl_gateway_key(&list, keys[i].id, keys[i].secret, keys[i].buckets,
                            keys[i].bucket_count, keys[i].read_only, err);
    }
    if (rc) {
        pl_gateway_free_keys(list);
    } else {
        pl_gateway_set_keys(&s->gateway, list);
    }
    return rc;
}

static pail_code fill(pail_server *s, const pail_server_opts *o, struct pail_error **err)
{
    struct pl_arena *a = &s->arena;
    struct pl_gateway *g = &s->gateway;
    g->provider = s->client->provider;
    g->pool = &s->client->pool;
    g->region = pl_arena_dup_c(a, o->region ? o->region : "us-east-1");
    g->store_id = s->record.store;
    g->domain = pl_arena_dup_c(a, o->domain);
    g->read_only = o->read_only;
    g->public_read = copy_list(a, o->public_read, o->public_read_count);
    g->public_count = g->public_read ? o->public_read_count : 0;
    g->only = copy_list(a, o->buckets, o->bucket_count);
    g->only_count = g->only ? o->bucket_count : 0;
    g->cors = copy_list(a, o->cors, o->cors_count);
    g->cors_count = g->cors ? o->cors_count : 0;
    s->access = o->access;
    s->access_ctx = o->access_ctx;
    g->access = o->access ? tell : NULL;
    g->access_ctx = s;
    return a->failed ? pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a server") : PAIL_OK;
}

/* ---- life ---- */

static pail_code listen_on(pail_server *s, const pail_server_opts *o, const char *address,
                           struct pail_error **err)
{
    struct pl_buf b = PL_BUF_MAX(256);
    struct pl_http_server_opts h = {.address = address,
                                    .port = o->port,
                                    .listen_fd = -1,
                                    .tls_cert = o->tls_cert,
                                    .tls_key = o->tls_key,
                                    .connections = o->connections,
                                    .idle_s = o->idle_s};
    pail_code rc = pl_gateway_start(&s->gateway, &h, err);
    if (rc) {
        return rc;
    }
    bool six = strchr(address, ':') != NULL;
    pl_buf_printf(&b, "%s://%s%s%s:%u", o->tls_cert ? "https" : "http", six ? "[" : "", address,
                  six ? "]" : "", (unsigned)pl_http_server_port(s->gateway.http));
    s->address = pl_buf_take(&b);
    pl_free(s->record.address);
    s->record.address = s->address ? pl_strdup(s->address) : NULL;
    return s->record.address ? pl_serve_record_save(s->client, &s->record, err)
                             : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a server");
}

static void dispose(pail_server *s, uint32_t wait_ms)
{
    pl_gateway_stop(&s->gateway, wait_ms);
    pl_serve_record_dispose(&s->record);
    pl_free(s->address);
    pl_arena_dispose(&s->arena);
    if (s->holds_client) {
        pail_close(s->client);
    }
    pl_free(s);
}

static pail_code start(pail_client *c, const pail_server_opts *o, bool holds, pail_server **out,
                       struct pail_error **err)
{
    const char *address = o->address ? o->address : "127.0.0.1";
    pail_code rc = check(o, address, err);
    pail_server *s = rc ? NULL : pl_calloc(1, sizeof *s);
    if (!s) {
        return rc ? rc : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a server");
    }
    s->client = c;
    pthread_rwlock_init(&s->gateway.keys_lock, NULL);
    rc = pl_serve_record_open(c, &s->record, err);
    rc = rc ? rc : fill(s, o, err);
    rc = rc ? rc : set_keys(s, o->keys, o->key_count, err);
    rc = rc ? rc : listen_on(s, o, address, err);
    if (rc) {
        dispose(s, 0);
        return rc;
    }
    s->holds_client = holds;
    if (holds) {
        pl_client_ref(c);
    }
    *out = s;
    return PAIL_OK;
}

PAIL_API pail_code pail_server_start(pail_client *c, const pail_server_opts *user,
                                     pail_server **out, pail_error **err)
{
    pail_server_opts o;
    *out = NULL;
    pail_code rc = pl_client_usable(c, err);
    rc = rc ? rc : pl_take_opts(&o, sizeof o, user, err);
    rc = rc ? rc : start(c, &o, true, out, err);
    if (rc == PAIL_OK) {
        pthread_mutex_lock(&lock);
        c->server = *out;
        pthread_mutex_unlock(&lock);
    }
    return rc;
}

PAIL_API void pail_server_stop(pail_server *s, uint32_t wait_ms)
{
    if (!s) {
        return;
    }
    pthread_mutex_lock(&lock);
    if (s->client->server == s) {
        s->client->server = NULL;
    }
    pthread_mutex_unlock(&lock);
    dispose(s, wait_ms);
}

PAIL_API pail_code pail_server_set_keys(pail_server *s, const pail_server_key *keys, size_t count,
                                        pail_error **err)
{
    if (!s || (count && !keys)) {
        return pl_fail(err, PAIL_E_BAD_ARGUMENT, "there is no server, or no list of keys");
    }
    pail_code rc = check_keys(keys, count, err);
    return rc ? rc : set_keys(s, keys, count, err);
}

PAIL_API const char *pail_server_address(const pail_server *s)
{
    return s ? s->address : NULL;
}

PAIL_API const char *pail_server_key_id(const pail_server *s)
{
    return s ? s->record.id : NULL;
}

PAIL_API const char *pail_server_key_secret(const pail_server *s)
{
    return s ? s->record.secret : NULL;
}

bool pl_server_here(pail_client *c, struct pl_serve_record *out)
{
    pthread_mutex_lock(&lock);
    pail_server *s = c->server;
    *out = (struct pl_serve_record){0};
    if (s) {
        out->id = pl_strdup(s->record.id);
        out->secret = pl_strdup(s->record.secret);
        out->address = pl_strdup(s->address);
    }
    pthread_mutex_unlock(&lock);
    if (out->id && out->secret && out->address) {
        return true;
    }
    pl_serve_record_dispose(out);
    return false;
}

pail_code pl_server_own(pail_client *c, struct pail_error **err)
{
    static const pail_server_opts defaults = {.size = sizeof defaults};
    pail_code rc = PAIL_OK;
    pthread_mutex_lock(&lock);
    if (!c->server) {
        rc = start(c, &defaults, false, &c->own_server, err);
        c->server = rc ? NULL : c->own_server;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}
