#include "api/client.h"

#include "api/registry.h"
#include "api/server.h"
#include "api/url.h"
#include "base/sys.h"
#include "codec/url.h"

enum { MEMORY_LIMIT = 128 << 20, MEMORY_LEAST = 16 << 20 };

PAIL_API const char *pail_version(void)
{
    return PAIL_VERSION;
}

/* ---- settings ---- */

static pail_code decoded(struct pl_str text, char **out, struct pail_error **err)
{
    struct pl_buf b = PL_BUF_MAX(64 << 10);
    bool ok = pl_url_decode(&b, text);
    *out = ok ? pl_buf_take(&b) : NULL;
    pl_buf_dispose(&b);
    return *out ? PAIL_OK
                : pl_fail(err, PAIL_E_BAD_CONFIG,
                          "malformed percent-encoding in the settings of the URL");
}

static pail_code settings_from_query(struct pl_settings *s, struct pl_str query,
                                     struct pail_error **err)
{
    struct pl_str name, value;
    pail_code rc = PAIL_OK;
    while (rc == PAIL_OK && query.ptr && pl_url_query_next(&query, &name, &value)) {
        char *n = NULL, *v = NULL;
        rc = decoded(name, &n, err);
        rc = rc ? rc : decoded(value, &v, err);
        rc = rc ? rc : pl_settings_set(s, n, v, "URL", err);
        pl_free(n);
        pl_free_secret(v);
    }
    return rc;
}

static pail_code gather_settings(pail_client *c, const struct pl_target *t,
                                 const pail_client_opts *o, struct pail_error **err)
{
    pail_code rc = settings_from_query(&c->settings, t->query, err);
    for (size_t i = 0; rc == PAIL_OK && i < o->settings_count; i++) {
        rc =
            pl_settings_set(&c->settings, o->settings[i].name, o->settings[i].value, "option", err);
    }
    if (rc == PAIL_OK && !o->ignore_environment) {
        rc = pl_settings_from_env(&c->settings, c->scheme, err);
    }
    return rc;
}

static void apply_settings(pail_client *c)
{
    uint64_t limit = pl_settings_u64(&c->settings, "memory_limit", MEMORY_LIMIT);
    pl_pool_init(&c->pool, limit < MEMORY_LEAST ? MEMORY_LEAST : limit);
    c->deadline_ms = (uint32_t)pl_settings_u64(&c->settings, "deadline_ms", 0);
    c->part_size = pl_settings_u64(&c->settings, "part_size", 0);
    c->concurrency = (uint32_t)pl_settings_u64(&c->settings, "concurrency", 0);
}

pail_code pl_take_opts(void *to, size_t to_size, const void *from, struct pail_error **err)
{
    memset(to, 0, to_size);
    if (!from) {
        return PAIL_OK;
    }
    size_t size;
    memcpy(&size, from, sizeof size);
    if (size < sizeof size || size > 64 << 10) {
        pl_fail(err, PAIL_E_BAD_ARGUMENT, "the options do not say their size");
        pl_error_hint(err, "write PAIL_OPTS(...), or set .size = sizeof the struct");
        return PAIL_E_BAD_ARGUMENT;
    }
    memcpy(to, from, size < to_size ? size : to_size);
    return PAIL_OK;
}

/* ---- open and close ---- */

static void destroy(pail_client *c)
{
    if (c->forks == pl_fork_count()) {
        pail_server_stop(c->own_server, 0);
    }
    if (c->provider) {
        c->provider->ops->free(c->provider);
    }
    if (c->forks ==
        pl_fork_count()) { /* else a lock may have been held by another thread of the parent's */
        pl_pool_dispose(&c->pool);
        pl_log_dispose(&c->log);
    }
    pl_settings_dispose(&c->settings);
    pl_free(c->path);
    pl_free(c);
}

/* The folder of a "file:" URL, without slashes at its end. For a bucket: its parent, and the
 * bucket's name. */
static pail_code file_path(const struct pl_target *t, bool as_bucket, char **path, char **bucket,
                           struct pail_error **err)
{
    struct pl_str p = t->path;
    while (p.len > 1 && p.ptr[p.len - 1] == '/') {
        p.len--;
    }
    struct pl_str parent = p;
    while (as_bucket && parent.len && parent.ptr[parent.len - 1] != '/') {
        parent.len--;
    }
    if (as_bucket) {
        if (parent.len == p.len) {
            return pl_fail(err, PAIL_E_BAD_CONFIG, "the root folder cannot be a bucket");
        }
        *bucket = pl_strndup(p.ptr + parent.len, p.len - parent.len);
        parent.len -= parent.len > 1;
    }
    *path = pl_strndup(parent.ptr, parent.len);
    return *path && (!as_bucket || *bucket)
               ? PAIL_OK
               : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a path");
}

static pail_code open_client(const struct pl_target *t, char *path, const pail_client_opts *user,
                             pail_client **out, struct pail_error **err)
{
    pail_client_opts o;
    pail_code rc = pl_take_opts(&o, sizeof o, user, err);
    pail_client *c = rc ? NULL : pl_calloc(1, sizeof *c);
    if (!c) {
        pl_free(path);
        return rc ? rc : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a client");
    }
    atomic_init(&c->refs, 1);
    c->forks = pl_fork_count();
    c->scheme = t->scheme;
    c->ignores_environment = o.ignore_environment;
    c->path = path;
    pl_log_init(&c->log, o.log, o.log_ctx, o.log_level, o.ignore_environment);
    rc = gather_settings(c, t, &o, err);
    apply_settings(c);
    struct pl_provider_env env = {.settings = &c->settings,
                                  .log = &c->log,
                                  .event = o.event,
                                  .event_ctx = o.event_ctx,
                                  .ignore_environment = o.ignore_environment,
                                  .path = c->path};
    rc = rc ? rc : pl_registry_open(c->scheme, &env, &c->provider, err);
    if (rc) {
        destroy(c);
        return rc;
    }
    *out = c;
    return PAIL_OK;
}

PAIL_API pail_code pail_open(const char *url, const pail_client_opts *opts, pail_client **out,
                             pail_error **err)
{
    struct pl_target t;
    char *path = NULL;
    *out = NULL;
    pail_code rc = pl_target_parse(url, &t, err);
    if (rc == PAIL_OK && t.bucket.ptr) {
        pl_fail(err, PAIL_E_BAD_CONFIG, "\"%.80s\" names a bucket", url);
        pl_error_hint(err, "open it with pail_open_bucket, or leave the bucket out");
        return PAIL_E_BAD_CONFIG;
    }
    rc = rc || !t.path.ptr ? rc : file_path(&t, false, &path, NULL, err);
    return rc ? rc : open_client(&t, path, opts, out, err);
}

PAIL_API pail_code pail_open_bucket(const char *url, const pail_client_opts *opts,
                                    pail_bucket **out, pail_error **err)
{
    struct pl_target t;
    char *path = NULL, *name = NULL;
    pail_client *c = NULL;
    *out = NULL;
    pail_code rc = pl_target_parse(url, &t, err);
    if (rc == PAIL_OK && t.key.ptr) {
        pl_fail(err, PAIL_E_BAD_CONFIG, "\"%.80s\" names an object", url);
        pl_error_hint(err, "name the bucket here and give the key to the call");
        return PAIL_E_BAD_CONFIG;
    }
    if (rc == PAIL_OK && t.path.ptr) {
        rc = file_path(&t, true, &path, &name, err);
    } else if (rc == PAIL_OK) {
        name = t.bucket.ptr ? pl_strndup(t.bucket.ptr, t.bucket.len) : NULL;
        rc = name ? PAIL_OK
                  : pl_fail(err, PAIL_E_BAD_CONFIG, "\"%.80s\" names no bucket",
                            url ? url : "local:");
    }
    rc = rc ? rc : open_client(&t, path, opts, &c, err);
    rc = rc ? rc : pail_bucket_open(c, name, out, err);
    pail_close(c); /* the bucket holds its own reference */
    pl_free(name);
    return rc;
}

void pl_client_ref(pail_client *c)
{
    atomic_fetch_add(&c->refs, 1);
}

PAIL_API void pail_close(pail_client *c)
{
    if (c && atomic_fetch_sub(&c->refs, 1) == 1) {
        destroy(c);
    }
}

PAIL_API pail_code pail_bucket_open(pail_client *c, const char *name, pail_bucket **out,
                                    pail_error **err)
{
    *out = NULL;
    pail_code rc = pl_client_usable(c, err);
    rc = rc ? rc : c->provider->ops->check_bucket(c->provider, name, err);
    pail_bucket *b = rc ? NULL : pl_calloc(1, sizeof *b);
    char *copy = b ? pl_strdup(name) : NULL;
    if (!copy) {
        pl_free(b);
        return rc ? rc : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a bucket handle");
    }
    b->client = c;
    b->name = copy;
    pl_client_ref(c);
    *out = b;
    return PAIL_OK;
}

PAIL_API void pail_bucket_close(pail_bucket *b)
{
    if (b) {
        pail_close(b->client);
        pl_free(b->name);
        pl_free(b);
    }
}

/* ---- questions ---- */

PAIL_API pail_client *pail_bucket_client(const pail_bucket *b)
{
    return b ? b->client : NULL;
}

PAIL_API const char *pail_bucket_name(const pail_bucket *b)
{
    return b ? b->name : NULL;
}

PAIL_API const char *pail_client_scheme(const pail_client *c)
{
    return c ? c->scheme : NULL;
}

PAIL_API const char *pail_client_setting(const pail_client *c, const char *name)
{
    return c && name && pl_settings_name(name) ? pl_settings_get(&c->settings, name) : NULL;
}

PAIL_API pail_code pail_client_explain(pail_client *c, char **out, pail_error **err)
{
    *out = NULL;
    pail_code rc = pl_client_usable(c, err);
    if (rc) {
        return rc;
    }
    struct pl_buf b = PL_BUF_MAX(1 << 20);
    pl_buf_printf(&b, "scheme = %s  (URL)\n", c->scheme);
    pl_settings_explain(&c->settings, &b);
    if (!pl_settings_get(&c->settings, "memory_limit")) {
        pl_buf_printf(&b, "memory_limit = %d  (default)\n", MEMORY_LIMIT);
    }
    if (c->provider->ops->explain) {
        c->provider->ops->explain(c->provider, &b);
    }
    *out = pl_buf_take(&b);
    return *out ? PAIL_OK : pl_fail(err, PAIL_E_NO_MEMORY, "no memory to explain the settings");
}

/* What other requests give where the service itself has it not. A copy goes through memory then,
 * and the condition is the service's own at the put. */
static pail_support emulated(const struct pl_caps *caps, pail_ability ability)
{
    switch ((int)ability) {
    case PAIL_CAN_COPY:
    case PAIL_CAN_DELETE_MANY: return PAIL_EMULATED;
    case PAIL_CAN_COPY_CREATE_ONLY:
        return caps->ability[PAIL_CAN_PUT_CREATE_ONLY] ? PAIL_EMULATED : PAIL_NO;
    case PAIL_CAN_COPY_IF_MATCH:
        return caps->ability[PAIL_CAN_PUT_IF_MATCH] ? PAIL_EMULATED : PAIL_NO;
    default: return PAIL_NO;
    }
}

PAIL_API pail_support pail_supports(pail_client *c, pail_ability ability)
{
    struct pl_caps caps = {0};
    if (!c || ability < 0 || ability >= PAIL_ABILITY_COUNT) {
        return PAIL_NO;
    }
    c->provider->ops->caps(c->provider, &caps);
    if ((ability == PAIL_CAN_PRESIGN_GET || ability == PAIL_CAN_PRESIGN_PUT) &&
        pl_server_presigns(c)) {
        return PAIL_EMULATED; /* by a server of ours, which must run */
    }
    return caps.ability[ability] == PAIL_NO ? emulated(&caps, ability)
                                            : (pail_support)caps.ability[ability];
}

PAIL_API uint64_t pail_client_limit(pail_client *c, pail_limit limit)
{
    struct pl_caps caps = {0};
    if (!c || limit < 0 || limit >= PAIL_LIMIT_COUNT) {
        return 0;
    }
    c->provider->ops->caps(c->provider, &caps);
    return caps.limit[limit];
}

/* ---- checks that every call makes ---- */

pail_code pl_client_usable(const pail_client *c, struct pail_error **err)
{
    if (!c) {
        return pl_fail(err, PAIL_E_BAD_ARGUMENT, "the handle is NULL");
    }
    return c->forks == pl_fork_count()
               ? PAIL_OK
               : pl_fail(err, PAIL_E_FORKED,
                         "this handle was made before a fork; open a new client in the child");
}

pail_code pl_bucket_usable(const pail_bucket *b, const char *key, struct pail_error **err)
{
    pail_code rc = pl_client_usable(b ? b->client : NULL, err);
    return rc ? rc : pl_key_check(key, err);
}

static pail_code check_pairs(const pail_kv *kv, size_t count, const char *what,
                             struct pail_error **err)
{
    for (size_t i = 0; i < count; i++) {
        if (!kv[i].name || !*kv[i].name || !kv[i].value || !pl_header_safe(pl_str_c(kv[i].name)) ||
            !pl_header_safe(pl_str_c(kv[i].value))) {
            return pl_fail(err, PAIL_E_BAD_ARGUMENT,
                           "%s %zu has no name or value, or a control character in one", what, i);
        }
    }
    return PAIL_OK;
}

pail_code pl_call_check(const pail_call *call, struct pail_error **err)
{
    return check_pairs(call->headers, call->header_count, "header", err);
}

pail_code pl_attributes_check(const pail_attributes *a, struct pail_error **err)
{
    const char *const texts[] = {a->content_type,        a->content_encoding, a->content_language,
                                 a->content_disposition, a->cache_control,    a->storage_class,
                                 a->canned_acl,          a->expires};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i] && !pl_header_safe(pl_str_c(texts[i]))) {
            return pl_fail(err, PAIL_E_BAD_ARGUMENT, "a content header has a control character");
        }
    }
    pail_code rc = check_pairs(a->metadata, a->metadata_count, "metadata", err);
    rc = rc ? rc : pl_metadata_check(a, err);
    return rc ? rc : check_pairs(a->tags, a->tag_count, "tag", err);
}

void pl_task_aim(struct pl_task *t, pail_client *c, const pail_call *call)
{
    uint32_t ms = call && call->deadline_ms ? call->deadline_ms : c->deadline_ms;
    t->provider = c->provider;
    t->pool = &c->pool;
    t->call = call;
    t->deadline_ns = ms ? pl_sys.mono_ns() + (int64_t)ms * 1000000 : 0;
}
