#include "provider/http_provider.h"

#include "base/sys.h"
#include "provider/http_run.h"

static struct pl_http_provider *self(struct pl_provider *p)
{
    return (struct pl_http_provider *)p;
}

static void caps(struct pl_provider *p, struct pl_caps *out)
{
    struct pl_dialect *d = self(p)->dialect;
    d->ops->caps(d, out);
}

/* Whether the URL can be signed without asking anybody. */
static bool presign_here(struct pl_http_provider *p, struct pl_op *op)
{
    struct pl_dialect *d = p->dialect;
    struct pl_need need = {0};
    struct pl_attempt a = {.number = 1};
    pthread_mutex_lock(&p->lock);
    a.now_ms = pl_sys.wall_ms() + p->clock_offset_ms;
    pthread_mutex_unlock(&p->lock);
    if (d->ops->need) {
        d->ops->need(d, op, a.now_ms, &need);
    }
    if (need.what) {
        return false;
    }
    pl_op_complete(op, d->ops->presign(d, op, &a, &op->error));
    return true;
}

static enum pl_submit submit(struct pl_provider *base, struct pl_op *op)
{
    struct pl_http_provider *p = self(base);
    if (p->forks != pl_fork_count()) {
        pl_op_complete(op, PAIL_E_FORKED);
        return PL_COMPLETED;
    }
    if (op->kind == PL_OP_PRESIGN && presign_here(p, op)) {
        return PL_COMPLETED;
    }
    pl_http_run_start(p, op);
    return PL_STARTED;
}

/* Whatever the op waits for - a connection, an answer, its next attempt - ends at once. */
static void cancel(struct pl_provider *base, struct pl_op *op)
{
    struct pl_http_provider *p = self(base);
    if (p->forks != pl_fork_count()) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    struct pl_http_run *run = op->provider_ctx;
    if (run) {
        run->cancelled = true;
        pl_http_cancel(p->engine, &run->x);
        pl_http_timer_hurry(p->engine, &run->timer);
    }
    pthread_mutex_unlock(&p->lock);
}

static void explain(struct pl_provider *base, struct pl_buf *out)
{
    struct pl_http_provider *p = self(base);
    if (p->dialect->ops->explain) {
        p->dialect->ops->explain(p->dialect, out);
    }
    pl_http_engine_explain(p->engine, out);
}

static pail_code check_bucket(struct pl_provider *base, const char *name, struct pail_error **err)
{
    struct pl_dialect *d = self(base)->dialect;
    return d->ops->check_bucket ? d->ops->check_bucket(d, name, err) : PAIL_OK;
}

void pl_http_provider_dispose(struct pl_http_provider *p)
{
    if (p->forks == pl_fork_count()) {
        PL_ASSERT(!p->runs);
        pl_http_engine_put(p->engine);
    }
    pthread_mutex_destroy(&p->dialect->lock);
    p->dialect->ops->free(p->dialect);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->event_lock);
    pthread_cond_destroy(&p->stepped);
    pl_free(p);
}

static void provider_free(struct pl_provider *base)
{
    if (pl_http_errand_close(self(base))) {
        pl_http_provider_dispose(self(base));
    }
}

/* The names that other programs read as well. Only the lower-case http_proxy counts: in a CGI
 * program HTTP_PROXY is a header of the visitor's. */
static void proxies_from_env(struct pl_http_config *c)
{
    const char *all = pl_sys.env("all_proxy") ? pl_sys.env("all_proxy") : pl_sys.env("ALL_PROXY");
    const char *http = pl_sys.env("http_proxy"), *https = pl_sys.env("https_proxy");
    https = https ? https : pl_sys.env("HTTPS_PROXY");
    c->proxy_http = http ? http : all;
    c->proxy_https = https ? https : all;
    if (!c->no_proxy) {
        c->no_proxy = pl_sys.env("no_proxy") ? pl_sys.env("no_proxy") : pl_sys.env("NO_PROXY");
    }
}

static uint32_t small(const struct pl_settings *s, const char *name, uint32_t unset)
{
    enum { MOST = 86400000 };
    uint64_t n = pl_settings_u64(s, name, unset);
    return n < MOST ? (uint32_t)n : MOST;
}

static struct pl_http_config config_of(const struct pl_provider_env *env)
{
    const struct pl_settings *s = env->settings;
    struct pl_http_config c = {
        .proxy_http = pl_settings_get(s, "proxy_url"),
        .proxy_https = pl_settings_get(s, "proxy_url"),
        .no_proxy = pl_settings_get(s, "no_proxy"),
        .ca_file = pl_settings_get(s, "ca_file"),
        .client_cert_file = pl_settings_get(s, "client_cert_file"),
        .client_key_file = pl_settings_get(s, "client_key_file"),
        .unix_socket = pl_settings_get(s, "unix_socket"),
        .user_agent = pl_settings_get(s, "user_agent"),
        .insecure = pl_settings_bool(s, "insecure", false),
        .http2 = pl_settings_bool(s, "http2", false),
        .connections_per_origin = small(s, "max_connections", 0),
        .connect_timeout_ms = small(s, "connect_timeout_ms", 0),
    };
    c.connections_per_origin = c.connections_per_origin < 1024 ? c.connections_per_origin : 1024;
    if (!c.proxy_http && !env->ignore_environment) {
        proxies_from_env(&c);
    }
    return c;
}

pail_code pl_http_provider_new(const struct pl_provider_env *env, struct pl_dialect *dialect,
                               struct pl_provider **out, struct pail_error **err)
{
    struct pl_http_provider *p = pl_calloc(1, sizeof *p);
    if (!p) {
        dialect->ops->free(dialect);
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a provider");
    }
    pthread_mutex_init(&dialect->lock, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->event_lock, NULL);
    pthread_cond_init(&p->stepped, NULL);
    p->ops = (struct pl_provider_ops){.scheme = dialect->ops->scheme,
                                      .caps = caps,
                                      .submit = submit,
                                      .cancel = cancel,
                                      .explain = explain,
                                      .check_bucket = check_bucket,
                                      .free = provider_free};
    p->base.ops = &p->ops;
    p->dialect = dialect;
    p->forks = pl_fork_count();
    p->log = env->log;
    p->event = env->event;
    p->event_ctx = env->event_ctx;
    p->budget = PL_RETRY_BUDGET;
    p->max_attempts = (int)small(env->settings, "max_attempts", PL_RETRY_ATTEMPTS);
    p->idle_timeout_ms = small(env->settings, "idle_timeout_ms", 0);
    struct pl_http_config config = config_of(env);
    pail_code rc = pl_http_engine_get(&config, &p->engine, err);
    if (rc) {
        provider_free(&p->base);
        return rc;
    }
    *out = &p->base;
    return PAIL_OK;
}
