/* The order of the sources, and what is kept of them. Source: AWS SDKs and Tools Reference Guide
 * "Standardized credential providers"; the order is botocore's. */
#include "cred/aws_chain.h"

#include <stdatomic.h>
#include <stddef.h>

#include "base/sys.h"
#include "cred/aws.h"
#include "cred/aws_walk.h"

static const int64_t MINUTE_MS = 60000;

struct held_keys {
    struct pl_aws_keys keys; /* first */
    atomic_uint holders;
    size_t size; /* of text */
    char text[];
};

struct pl_aws_chain {
    const struct pl_settings *settings;
    struct pl_aws_env env;
    bool fixed;   /* the settings have keys */
    bool of_file; /* ... that a profile gave: the file may get others */
    /* under lock */
    pthread_mutex_t lock;
    struct pl_aws_keys *keys;
    struct pl_aws_keys *refused; /* keys of a file that the service called expired */
    bool look;                   /* the settings' keys were refused: look for others */
    int64_t retry_ms;            /* no sooner, after a refresh ahead of time failed */
};

/* ---- Keys */

struct pl_aws_keys *pl_aws_keys_new(struct pl_str access_key, struct pl_str secret_key,
                                    struct pl_str token, const char *source, int64_t fetched_ms,
                                    int64_t expires_ms)
{
    const struct pl_str parts[] = {access_key, secret_key, token, pl_str_c(source)};
    size_t size = 0;
    for (size_t i = 0; i < 4; i++) {
        size += parts[i].len + 1;
    }
    struct held_keys *h = pl_calloc(1, offsetof(struct held_keys, text) + size);
    if (!h) {
        return NULL;
    }
    const char **to[] = {&h->keys.access_key, &h->keys.secret_key, &h->keys.token, &h->keys.source};
    char *at = h->text;
    for (size_t i = 0; i < 4; i++) {
        if (parts[i].len) {
            memcpy(at, parts[i].ptr, parts[i].len);
        }
        *to[i] = at;
        at += parts[i].len + 1;
    }
    h->keys.fetched_ms = fetched_ms;
    h->keys.expires_ms = expires_ms;
    h->size = size;
    atomic_store(&h->holders, 1);
    return &h->keys;
}

struct pl_aws_keys *pl_aws_keys_hold(struct pl_aws_keys *keys)
{
    if (keys) {
        atomic_fetch_add(&((struct held_keys *)keys)->holders, 1);
    }
    return keys;
}

void pl_aws_keys_release(struct pl_aws_keys *keys)
{
    struct held_keys *h = (struct held_keys *)keys;
    if (h && atomic_fetch_sub(&h->holders, 1) == 1) {
        pl_zero(h->text, h->size);
        pl_free(h);
    }
}

/* ---- The chain */

static bool has(const struct pl_settings *s, const char *name)
{
    const char *value = pl_settings_get(s, name);
    return value && *value;
}

pail_code pl_aws_chain_new(const struct pl_settings *settings, struct pl_aws_chain **out,
                           struct pail_error **err)
{
    struct pl_aws_chain *chain = pl_calloc(1, sizeof *chain);
    if (!chain) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for the chain of keys");
    }
    const char *origin = pl_settings_origin(settings, "aws_access_key_id");
    pthread_mutex_init(&chain->lock, NULL);
    chain->settings = settings;
    chain->fixed = has(settings, "aws_access_key_id") || has(settings, "aws_secret_access_key");
    chain->of_file = origin && pl_str_starts(pl_str_c(origin), PL_STR("profile "));
    pail_code rc = pl_aws_env_read(&chain->env, err);
    if (rc) {
        pl_aws_chain_free(chain);
        return rc;
    }
    *out = chain;
    return PAIL_OK;
}

void pl_aws_chain_free(struct pl_aws_chain *chain)
{
    if (chain) {
        pl_aws_keys_release(chain->keys);
        pl_aws_keys_release(chain->refused);
        pl_aws_env_dispose(&chain->env);
        pthread_mutex_destroy(&chain->lock);
        pl_free(chain);
    }
}

struct pl_aws_keys *pl_aws_chain_keys(struct pl_aws_chain *chain)
{
    pthread_mutex_lock(&chain->lock);
    struct pl_aws_keys *keys = pl_aws_keys_hold(chain->keys);
    pthread_mutex_unlock(&chain->lock);
    return keys;
}

/* SPEC research of clients: 15 minutes ahead it is fetched beside the work. Keys of a short life
 * are renewed in its last quarter. */
static int64_t ahead_ms(const struct pl_aws_keys *keys)
{
    int64_t quarter = (keys->expires_ms - keys->fetched_ms) / 4;
    return quarter < 15 * MINUTE_MS ? quarter : 15 * MINUTE_MS;
}

bool pl_aws_chain_wants(struct pl_aws_chain *chain, int64_t now_ms, bool *now)
{
    bool wants = false;
    pthread_mutex_lock(&chain->lock);
    const struct pl_aws_keys *k = chain->keys;
    *now = false;
    if (!k) {
        wants = *now = !chain->fixed || chain->look;
    } else if (k->expires_ms) {
        *now = now_ms >= k->expires_ms;
        wants = *now || (now_ms >= k->expires_ms - ahead_ms(k) && now_ms >= chain->retry_ms);
    }
    pthread_mutex_unlock(&chain->lock);
    return wants;
}

pail_code pl_aws_chain_refuse(struct pl_aws_chain *chain, struct pail_error **err)
{
    pail_code rc = PAIL_OK;
    pthread_mutex_lock(&chain->lock);
    if (chain->keys) {
        pl_aws_keys_release(chain->refused);
        chain->refused = chain->keys;
        chain->keys = NULL;
    } else if (chain->fixed && chain->of_file && !chain->look) {
        const struct pl_settings *s = chain->settings;
        chain->refused =
            pl_aws_keys_new(pl_str_c(pl_settings_get(s, "aws_access_key_id")),
                            pl_str_c(pl_settings_get(s, "aws_secret_access_key")),
                            pl_str_c(pl_settings_get(s, "aws_session_token")), "", 0, 0);
        chain->look = true;
    } else {
        rc = PAIL_E_EXPIRED_CREDENTIALS;
    }
    pthread_mutex_unlock(&chain->lock);
    return rc ? pl_fail(err, rc, "the keys in use have expired, and nothing renews them") : rc;
}

/* ---- The walk */

static void empty_source(struct pl_aws_walk *w)
{
    w->at = w->tries = 0;
    w->token_file = NULL;
    pl_aws_wipe(&w->secret);
    pl_aws_wipe(&w->command.output);
    pl_buf_clear(&w->text);
}

static void begin(struct pl_aws_walk *w, const char *name, pl_aws_source *source,
                  bool is_configured)
{
    empty_source(w);
    w->name = name;
    w->source = source;
    w->is_configured = is_configured;
}

static void note(struct pl_aws_walk *w, const char *name, const char *why)
{
    pl_buf_printf(&w->tried, "%s%s: %s", w->tried.len ? "; " : "", name, why);
}

/* Keys that stand written somewhere need no fetching. */
static enum pl_errand_step written(struct pl_aws_walk *w, const struct pl_http_response *answer,
                                   struct pl_http_request *out, struct pail_error **err)
{
    const struct pl_aws_plan *p = &w->plan;
    bool of_env = p->base == PL_AWS_BASE_ENVIRONMENT;
    (void)answer;
    (void)out;
    const char *id = of_env ? pl_aws_env_get(w->env, "AWS_ACCESS_KEY_ID") : p->access_key->value;
    const char *secret =
        of_env ? pl_aws_env_get(w->env, "AWS_SECRET_ACCESS_KEY") : p->secret_key->value;
    const char *token = of_env     ? pl_aws_env_get(w->env, "AWS_SESSION_TOKEN")
                        : p->token ? p->token->value
                                   : NULL;
    if (!id || !secret) {
        (void)pl_fail(err, PAIL_E_NO_CREDENTIALS,
                      "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set");
        return PL_ERRAND_FAIL;
    }
    return pl_aws_take(w, pl_str_c(id), pl_str_c(secret), pl_str_c(token), 0, err) ? PL_ERRAND_FAIL
                                                                                   : PL_ERRAND_DONE;
}

static void begin_base(struct pl_aws_walk *w)
{
    switch (w->plan.base) {
    case PL_AWS_BASE_KEYS: begin(w, "the profile's keys", written, true); return;
    case PL_AWS_BASE_ENVIRONMENT: begin(w, "the variables", written, true); return;
    case PL_AWS_BASE_WEB_IDENTITY:
        begin(w, "web identity", pl_aws_web_identity, true);
        w->role = w->plan.web;
        w->token_file = w->plan.token_file;
        return;
    case PL_AWS_BASE_SSO: begin(w, "single sign-on", pl_aws_sso, true); return;
    case PL_AWS_BASE_PROCESS: begin(w, "the credential_process", pl_aws_process, true); return;
    case PL_AWS_BASE_CONTAINER: begin(w, "the container", pl_aws_container, true); return;
    case PL_AWS_BASE_INSTANCE:
    case PL_AWS_BASE_NONE: begin(w, "instance metadata", pl_aws_instance, true); return;
    }
}

static bool is_by_name(const struct pl_settings *s)
{
    const char *origin = pl_settings_origin(s, "aws_profile");
    return origin && !pl_str_starts(pl_str_c(origin), PL_STR("environment"));
}

/* Web identity by variables stands before all of a profile but its roles; not before a profile
 * asked for by name. */
static bool web_by_env(const struct pl_aws_walk *w)
{
    return !w->plan.role_count && w->plan.base != PL_AWS_BASE_WEB_IDENTITY &&
           !is_by_name(w->settings) && pl_aws_env_get(w->env, "AWS_WEB_IDENTITY_TOKEN_FILE") &&
           pl_aws_env_get(w->env, "AWS_ROLE_ARN");
}

/* The first source that is configured, or else the machine's own. */
static void choose(struct pl_aws_walk *w)
{
    const char *file = pl_aws_env_get(w->env, "AWS_WEB_IDENTITY_TOKEN_FILE");
    note(w, "variables",
         is_by_name(w->settings) ? "not asked, since a profile is asked for by name"
                                 : "AWS_ACCESS_KEY_ID is not set");
    if (web_by_env(w)) {
        begin(w, "web identity by variables", pl_aws_web_identity, true);
        w->role = (struct pl_aws_role){.arn = pl_aws_env_get(w->env, "AWS_ROLE_ARN"),
                                       .session = pl_aws_env_get(w->env, "AWS_ROLE_SESSION_NAME")};
        w->token_file = file;
        return;
    }
    if (w->plan.base) {
        w->roles_left = w->plan.role_count;
        begin_base(w);
        return;
    }
    struct pl_buf name = PL_BUF_MAX(1024);
    pl_buf_printf(&name, "profile %.200s", w->profile);
    note(w, name.ptr ? name.ptr : "profile", "no keys in the shared files");
    pl_buf_dispose(&name);
    note(w, "web identity",
         file ? "AWS_ROLE_ARN is not set" : "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
    if (pl_aws_env_get(w->env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") ||
        pl_aws_env_get(w->env, "AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
        begin(w, "the container", pl_aws_container, true);
        return;
    }
    note(w, "container", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set");
    begin(w, "instance metadata", pl_aws_instance, false);
}

static pail_code prepare(struct pl_aws_walk *w, struct pail_error **err)
{
    const char *profile = pl_settings_get(w->settings, "aws_profile");
    w->profile = profile ? profile : "default";
    pail_code rc = pl_aws_files_read(w->settings, &w->files, err);
    rc = rc ? rc : pl_aws_plan_make(&w->files, w->profile, &w->plan, err);
    if (!rc) {
        choose(w);
    }
    return rc;
}

/* ---- The end of it */

static bool same_keys(const struct pl_aws_keys *a, const struct pl_aws_keys *b)
{
    return a && b && strcmp(a->access_key, b->access_key) == 0 && strcmp(a->token, b->token) == 0;
}

static enum pl_errand_step finish(struct pl_aws_walk *w, struct pail_error **err)
{
    struct pl_aws_chain *chain = w->chain;
    pthread_mutex_lock(&chain->lock);
    bool refused = same_keys(chain->refused, w->keys);
    if (!refused) {
        pl_aws_keys_release(chain->keys);
        chain->keys = w->keys;
        w->keys = NULL;
        chain->retry_ms = 0;
    }
    pthread_mutex_unlock(&chain->lock);
    if (!refused) {
        return PL_ERRAND_DONE;
    }
    (void)pl_fail(err, PAIL_E_EXPIRED_CREDENTIALS,
                  "the service calls the keys of %s expired, and %s still gives the same", w->name,
                  w->name);
    pl_error_hint(err, "renew what it gives; Pail looks again with the next operation");
    return PL_ERRAND_FAIL;
}

/* A refresh ahead of time that fails is tried again later: the keys at hand are good yet. */
static bool still_good(struct pl_aws_walk *w)
{
    struct pl_aws_chain *chain = w->chain;
    pthread_mutex_lock(&chain->lock);
    bool good = chain->keys && (!chain->keys->expires_ms || w->now_ms < chain->keys->expires_ms);
    chain->retry_ms = w->now_ms + MINUTE_MS;
    pthread_mutex_unlock(&chain->lock);
    return good;
}

/* All that was tried, in its order; takes why. */
static enum pl_errand_step give_up(struct pl_aws_walk *w, struct pail_error *why,
                                   struct pail_error **err)
{
    if (still_good(w)) {
        pail_error_free(why);
        return PL_ERRAND_DONE;
    }
    if (!why || !w->name || why->code == PAIL_E_NO_MEMORY ||
        why->code == PAIL_E_EXPIRED_CREDENTIALS) {
        *err = why;
        return PL_ERRAND_FAIL;
    }
    note(w, w->name, why->message ? why->message : "out of memory");
    pail_code code = why->code == PAIL_E_PROTOCOL ? PAIL_E_NO_CREDENTIALS : why->code;
    (void)pl_fail(err, code, "there is no access key for S3; tried %s",
                  w->tried.ptr ? w->tried.ptr : w->name);
    if (why->service_code && *err && !(*err)->is_static) {
        pl_error_set(&(*err)->service_code, pl_str_c(why->service_code));
    }
    pl_error_hint(err, "%s",
                  why->hint ? why->hint
                  : w->is_configured
                      ? "mend that source, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                      : "set aws_access_key_id and aws_secret_access_key (as settings, as "
                        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in the profile of "
                        "~/.aws/credentials); for public data set aws_skip_signature=true");
    pail_error_free(why);
    return PL_ERRAND_FAIL;
}

/* ---- The errand */

static enum pl_errand_step next(struct pl_errand *e, int64_t now_ms,
                                const struct pl_http_response *answer, struct pl_http_request *out,
                                struct pail_error **err)
{
    struct pl_aws_walk *w = (struct pl_aws_walk *)e;
    struct pail_error *why = NULL;
    w->now_ms = now_ms;
    if (!w->source && prepare(w, &why)) {
        return give_up(w, why, err);
    }
    for (;;) {
        enum pl_errand_step step = w->source(w, answer, out, &why);
        if (step == PL_ERRAND_FAIL) {
            return give_up(w, why, err);
        }
        if (step != PL_ERRAND_DONE) {
            return step;
        }
        if (!w->roles_left) {
            return finish(w, &why) == PL_ERRAND_DONE ? PL_ERRAND_DONE : give_up(w, why, err);
        }
        begin(w, "the profile's role", pl_aws_assume_role, true);
        w->role = w->plan.roles[--w->roles_left];
        answer = NULL;
    }
}

static void free_walk(struct pl_errand *e)
{
    struct pl_aws_walk *w = (struct pl_aws_walk *)e;
    pl_aws_files_dispose(&w->files);
    pl_aws_keys_release(w->keys);
    pl_aws_wipe(&w->secret);
    pl_aws_wipe(&w->command.output);
    pl_buf_dispose(&w->text);
    pl_buf_dispose(&w->tried);
    pl_free(w);
}

struct pl_errand *pl_aws_chain_errand(struct pl_aws_chain *chain, struct pail_error **err)
{
    struct pl_aws_walk *w = pl_calloc(1, sizeof *w);
    if (!w) {
        (void)pl_fail(err, PAIL_E_NO_MEMORY, "no memory to look for keys");
        return NULL;
    }
    w->errand = (struct pl_errand){.next = next, .work = pl_aws_process_work, .free = free_walk};
    w->chain = chain;
    w->settings = chain->settings;
    w->env = &chain->env;
    w->tried = PL_BUF_MAX(16 << 10);
    w->secret = PL_BUF_MAX(64 << 10);
    w->command.output = PL_BUF_MAX(PL_COMMAND_OUTPUT_MAX + 1);
    w->text = PL_BUF_MAX(8 << 10);
    return &w->errand;
}
