#include "http/engine.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>

#include "base/sys.h"
#include "http/lane.h"
#include "http/waiting.h"

enum {
    CONNECTIONS = 64, /* per origin: beyond it nothing was gained in any measurement */
    CONNECT_TIMEOUT_MS = 15000,
    IDLE_TIMEOUT_MS = 60000,
    KEPT_STAGING = 8, /* file buffers that stay while nothing runs */
    LONGEST_WAIT_MS = 3600000
};

struct pl_http_engine {
    /* set once */
    struct pl_http_config config; /* strings in `arena` */
    struct pl_arena arena;
    CURLM *multi;
    uint32_t lanes_max;

    /* under the lock of the registry */
    struct pl_http_engine *next;
    unsigned users;

    /* under lock */
    pthread_mutex_t lock;
    pthread_t thread;
    bool started, stopping;
    struct pl_http_exchange *incoming, **incoming_end;
    struct pl_http_timer *incoming_timers;

    atomic_bool look;                     /* something was cancelled or hurried */
    atomic_uint lanes_open, lanes_staged; /* for explain */

    /* reactor only */
    struct pl_http_lane **lanes; /* all, of which the first `running` are in use */
    uint32_t lane_count, running;
    struct pl_waiting waiting;
    struct pl_http_timer *timers;
    int64_t check_ns; /* when a deadline, idle timeout or timer is next due */
    bool again;       /* there is work that needs no waiting */
    bool frees_itself;
};

static _Thread_local struct pl_http_engine *here; /* the engine whose reactor this thread is */

/* ---- Ends */

static void fail(struct pl_http_exchange *x, enum pl_http_fail why, const char *text)
{
    struct pl_http_response *r = &x->response;
    if (!r->fail) {
        r->fail = why;
        size_t n = strlen(text);
        memcpy(r->why, text, n + 1);
    }
}

/* Takes a lane off its transfer and gives the exchange back. The lane moves behind those in use. */
static void finish(struct pl_http_engine *e, struct pl_http_lane *lane, CURLcode rc)
{
    struct pl_http_exchange *x = lane->x;
    curl_multi_remove_handle(e->multi, lane->easy);
    pl_http_lane_end(lane, rc);
    for (uint32_t i = 0; i < e->running; i++) {
        if (e->lanes[i] == lane) {
            e->running--;
            e->lanes[i] = e->lanes[e->running];
            e->lanes[e->running] = lane;
            break;
        }
    }
    pl_waiting_ended(&e->waiting, x);
    e->again |= e->waiting.count > 0;
    x->lane = NULL;
    x->done(x);
}

static void reap(struct pl_http_engine *e)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(e->multi, &left));) {
        if (m->msg == CURLMSG_DONE) {
            CURLcode rc = m->data.result;
            char *lane = NULL;
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &lane);
            finish(e, (struct pl_http_lane *)(void *)lane, rc);
        }
    }
}

/* ---- Beginnings */

static void soon(struct pl_http_engine *e, int64_t at_ns)
{
    if (at_ns && at_ns < e->check_ns) {
        e->check_ns = at_ns;
    }
}

static void timer_add(struct pl_http_engine *e, struct pl_http_timer *t)
{
    t->next = e->timers;
    e->timers = t;
    soon(e, t->at_ns);
    if (atomic_load(&t->at_once)) {
        atomic_store(&e->look, true);
    }
}

/* Takes what was submitted. True: the engine is to stop. */
static bool intake(struct pl_http_engine *e)
{
    pthread_mutex_lock(&e->lock);
    struct pl_http_exchange *list = e->incoming;
    e->incoming = NULL;
    e->incoming_end = &e->incoming;
    struct pl_http_timer *timers = e->incoming_timers;
    e->incoming_timers = NULL;
    bool stop = e->stopping;
    pthread_mutex_unlock(&e->lock);
    while (timers) {
        struct pl_http_timer *t = timers;
        timers = t->next;
        timer_add(e, t);
    }
    while (list) {
        struct pl_http_exchange *x = list;
        list = x->next;
        soon(e, x->deadline_ns);
        if (atomic_load(&x->cancelled)) {
            atomic_store(&e->look, true);
        }
        if (!pl_waiting_add(&e->waiting, x)) {
            fail(x, PL_HTTP_NO_MEMORY, "no memory for the request");
            x->done(x);
        }
    }
    return stop;
}

static struct pl_http_lane *free_lane(struct pl_http_engine *e)
{
    if (e->running < e->lane_count) {
        return e->lanes[e->running];
    }
    struct pl_http_lane *lane = pl_http_lane_new(&e->config);
    if (lane) {
        e->lanes[e->lane_count++] = lane;
        atomic_store(&e->lanes_open, e->lane_count);
    }
    return lane;
}

static void start(struct pl_http_engine *e, struct pl_http_exchange *x)
{
    struct pl_http_lane *lane = free_lane(e);
    if (!lane) {
        fail(x, PL_HTTP_NO_MEMORY, "no memory for a connection");
    }
    if (!lane || !pl_http_lane_start(lane, x)) {
        pl_waiting_ended(&e->waiting, x);
        x->done(x);
        return;
    }
    uint32_t idle_ms = x->idle_timeout_ms ? x->idle_timeout_ms : IDLE_TIMEOUT_MS;
    x->lane = lane;
    x->moved = 0;
    x->idle_at_ns = pl_sys.mono_ns() + (int64_t)idle_ms * 1000000;
    soon(e, x->idle_at_ns);
    e->running++;
    if (curl_multi_add_handle(e->multi, lane->easy) != CURLM_OK) {
        finish(e, lane, CURLE_OUT_OF_MEMORY);
    }
}

static void admit(struct pl_http_engine *e)
{
    while (e->running < e->lanes_max) {
        struct pl_http_exchange *x = pl_waiting_take(&e->waiting, e->config.connections_per_origin);
        if (!x) {
            return;
        }
        start(e, x);
    }
}

/* ---- Time */

/* Nothing moved since the last look, or so little that someone is keeping us here on purpose: a
 * head or data that drips. A buffered answer may drip: services send blanks while they work. */
static bool is_idle(struct pl_http_exchange *x, int64_t now)
{
    enum { DRIP = 64 };
    uint32_t idle_ms = x->idle_timeout_ms ? x->idle_timeout_ms : IDLE_TIMEOUT_MS;
    uint64_t moved = pl_http_lane_moved(x->lane);
    bool may_drip = x->response.head_done && !x->response.sink;
    bool idle = moved - x->moved < (may_drip ? 1 : DRIP);
    x->moved = moved;
    x->idle_at_ns = now + (int64_t)idle_ms * 1000000;
    return idle;
}

/* Whether an exchange must end now; sets why. */
static bool is_over(struct pl_http_engine *e, struct pl_http_exchange *x, int64_t now)
{
    if (atomic_load(&x->cancelled)) {
        fail(x, PL_HTTP_CANCELLED, "cancelled");
    } else if (x->deadline_ns && now >= x->deadline_ns) {
        fail(x, PL_HTTP_DEADLINE, "the deadline passed");
    } else if (x->lane && now >= x->idle_at_ns && is_idle(x, now)) {
        fail(x, PL_HTTP_IDLE, "the server stayed silent");
    } else {
        soon(e, x->deadline_ns);
        soon(e, x->lane ? x->idle_at_ns : 0);
        return false;
    }
    return true;
}

static void check_running(struct pl_http_engine *e, int64_t now)
{
    for (uint32_t i = 0; i < e->running;) {
        struct pl_http_lane *lane = e->lanes[i];
        if (is_over(e, lane->x, now)) {
            finish(e, lane, CURLE_ABORTED_BY_CALLBACK);
        } else {
            i++;
        }
    }
}

static void check_waiting(struct pl_http_engine *e, int64_t now)
{
    struct pl_http_exchange *over = NULL;
    for (struct pl_waiting_at at = pl_waiting_first(&e->waiting); at.x;) {
        if (is_over(e, at.x, now)) {
            struct pl_http_exchange *x = at.x;
            pl_waiting_remove(&e->waiting, &at);
            x->next = over;
            over = x;
        } else {
            pl_waiting_next(&at);
        }
    }
    while (over) {
        struct pl_http_exchange *x = over;
        over = x->next;
        x->done(x);
    }
}

static void check_timers(struct pl_http_engine *e, int64_t now)
{
    struct pl_http_timer *due = NULL, **at = &e->timers;
    while (*at) {
        struct pl_http_timer *t = *at;
        if (now >= t->at_ns || atomic_load(&t->at_once)) {
            *at = t->next;
            t->next = due;
            due = t;
        } else {
            soon(e, t->at_ns);
            at = &t->next;
        }
    }
    while (due) {
        struct pl_http_timer *t = due;
        due = t->next;
        t->fire(t);
    }
}

static void check(struct pl_http_engine *e)
{
    int64_t now = pl_sys.mono_ns();
    if (!atomic_exchange(&e->look, false) && now < e->check_ns) {
        return;
    }
    e->check_ns = INT64_MAX;
    check_running(e, now);
    check_waiting(e, now);
    check_timers(e, now);
}

/* ---- The reactor */

/* While nothing runs, most of the buffers for files are given back. */
static void trim(struct pl_http_engine *e)
{
    unsigned staged = 0;
    for (uint32_t i = 0; i < e->lane_count; i++) {
        if (e->lanes[i]->staging && e->running == 0 && staged >= KEPT_STAGING) {
            pl_free(e->lanes[i]->staging);
            e->lanes[i]->staging = NULL;
        }
        staged += e->lanes[i]->staging != NULL;
    }
    atomic_store(&e->lanes_staged, staged);
}

static void wait_for_work(struct pl_http_engine *e)
{
    int64_t ms = LONGEST_WAIT_MS;
    if (e->running || e->waiting.count || e->timers) {
        int64_t left = e->check_ns == INT64_MAX ? INT64_MAX : e->check_ns - pl_sys.mono_ns();
        ms = left <= 0 ? 0 : left / 1000000 < ms ? (left + 999999) / 1000000 : ms;
        /* Timers that wait for ever (ops that wait for an errand) are no moment to go to. */
        ms = e->running || e->check_ns == INT64_MAX ? ms : pl_sys.wait_ms(ms);
    }
    if (e->running == 0) {
        trim(e);
    }
    curl_multi_poll(e->multi, NULL, 0, (int)ms, NULL);
}

/* Closes all connections. TLS says good-bye on them, which may raise SIGPIPE: so the reactor does
 * it, where signals are blocked. */
static void hang_up(struct pl_http_engine *e)
{
    for (uint32_t i = 0; i < e->lane_count; i++) {
        pl_http_lane_free(e->lanes[i]);
    }
    e->lane_count = 0;
    if (e->multi) {
        curl_multi_cleanup(e->multi);
    }
    e->multi = NULL;
}

static void engine_free(struct pl_http_engine *e)
{
    hang_up(e);
    pl_waiting_dispose(&e->waiting);
    pl_free(e->lanes);
    pl_arena_dispose(&e->arena);
    pthread_mutex_destroy(&e->lock);
    pl_free(e);
}

static void *reactor(void *arg)
{
    struct pl_http_engine *e = arg;
    here = e;
    (void)pthread_setname_np(pthread_self(), "pail-http");
    for (;;) {
        e->again = false;
        bool stop = intake(e);
        check(e);
        admit(e);
        int running;
        curl_multi_perform(e->multi, &running);
        reap(e);
        if (stop && e->running == 0 && !e->waiting.count && !e->timers) {
            break;
        }
        if (!e->again) {
            wait_for_work(e);
        }
    }
    pthread_mutex_lock(&e->lock); /* whoever wakes us is done with the handle that we close */
    pthread_mutex_unlock(&e->lock);
    hang_up(e);
    if (e->frees_itself) {
        engine_free(e);
    }
    return NULL;
}

/* The thread takes no signals: they are the program's, and a write to a closed socket then says
 * EPIPE. */
static bool start_thread_locked(struct pl_http_engine *e)
{
    if (!e->started) {
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        e->started = pthread_create(&e->thread, NULL, reactor, e) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    return e->started;
}

void pl_http_submit(struct pl_http_engine *e, struct pl_http_exchange *x)
{
    pl_http_response_clear(&x->response);
    x->next = NULL;
    x->lane = NULL;
    x->host = NULL;
    bool inside = here == e;
    if (inside) {
        e->again = true;
    }
    pthread_mutex_lock(&e->lock);
    bool started = start_thread_locked(e);
    if (started) {
        if (!e->incoming && !inside) {
            curl_multi_wakeup(e->multi);
        }
        *e->incoming_end = x;
        e->incoming_end = &x->next;
    }
    pthread_mutex_unlock(&e->lock); /* from here on the engine may be gone, and x */
    if (!started) {
        fail(x, PL_HTTP_NO_MEMORY, "no thread could be started");
        x->done(x);
    }
}

static void look(struct pl_http_engine *e)
{
    atomic_store(&e->look, true);
    if (here == e) {
        e->again = true;
    } else {
        curl_multi_wakeup(e->multi);
    }
}

void pl_http_cancel(struct pl_http_engine *e, struct pl_http_exchange *x)
{
    atomic_store(&x->cancelled, true);
    look(e);
}

bool pl_http_timer_start(struct pl_http_engine *e, struct pl_http_timer *t)
{
    if (here == e) {
        timer_add(e, t);
        e->again = true;
        return true;
    }
    pthread_mutex_lock(&e->lock);
    bool started = start_thread_locked(e);
    if (started) {
        t->next = e->incoming_timers;
        e->incoming_timers = t;
        curl_multi_wakeup(e->multi);
    }
    pthread_mutex_unlock(&e->lock);
    return started;
}

void pl_http_timer_hurry(struct pl_http_engine *e, struct pl_http_timer *t)
{
    atomic_store(&t->at_once, true);
    look(e);
}

/* ---- Sharing */

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pl_http_engine *registry, *abandoned;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool curl_ready;

/* The parent's engines stay as they are: their connections and threads are the parent's. They are
 * kept in a list so that they do not look lost. */
static void leave_to_parent(void)
{
    pthread_mutex_init(&registry_lock, NULL);
    struct pl_http_engine **end = &registry;
    while (*end) {
        end = &(*end)->next;
    }
    *end = abandoned;
    abandoned = registry;
    registry = NULL;
    here = NULL;
}

static void set_up_once(void)
{
    pthread_atfork(NULL, NULL, leave_to_parent);
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_config(const struct pl_http_config *a, const struct pl_http_config *b)
{
    return same(a->proxy_http, b->proxy_http) && same(a->proxy_https, b->proxy_https) &&
           same(a->no_proxy, b->no_proxy) && same(a->ca_file, b->ca_file) &&
           same(a->client_cert_file, b->client_cert_file) &&
           same(a->client_key_file, b->client_key_file) && same(a->unix_socket, b->unix_socket) &&
           same(a->user_agent, b->user_agent) && a->insecure == b->insecure &&
           a->http2 == b->http2 && a->connections_per_origin == b->connections_per_origin &&
           a->connect_timeout_ms == b->connect_timeout_ms;
}

static struct pl_http_config with_defaults(const struct pl_http_config *config)
{
    struct pl_http_config c = *config;
    c.user_agent = c.user_agent ? c.user_agent : "pail/" PAIL_VERSION;
    c.connections_per_origin = c.connections_per_origin ? c.connections_per_origin : CONNECTIONS;
    c.connect_timeout_ms = c.connect_timeout_ms ? c.connect_timeout_ms : CONNECT_TIMEOUT_MS;
    return c;
}

static void keep_config(struct pl_http_engine *e, const struct pl_http_config *config)
{
    struct pl_http_config *c = &e->config;
    const char **texts[] = {&c->proxy_http,  &c->proxy_https,      &c->no_proxy,
                            &c->ca_file,     &c->client_cert_file, &c->client_key_file,
                            &c->unix_socket, &c->user_agent};
    *c = *config;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i] = pl_arena_dup_c(&e->arena, *texts[i]);
    }
}

static struct pl_http_engine *engine_new(const struct pl_http_config *config)
{
    struct pl_http_engine *e = pl_calloc(1, sizeof *e);
    if (!e) {
        return NULL;
    }
    pthread_mutex_init(&e->lock, NULL);
    keep_config(e, config);
    e->incoming_end = &e->incoming;
    e->check_ns = INT64_MAX;
    e->lanes_max = 2 * config->connections_per_origin;
    e->lanes = pl_calloc(e->lanes_max, sizeof(struct pl_http_lane *));
    e->multi = curl_multi_init();
    if (!e->lanes || !e->multi || e->arena.failed) {
        engine_free(e);
        return NULL;
    }
    curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, (long)e->lanes_max + 8);
    return e;
}

pail_code pl_http_engine_get(const struct pl_http_config *config, struct pl_http_engine **out,
                             struct pail_error **err)
{
    pthread_once(&once, set_up_once);
    if (!curl_ready) {
        return pl_fail(err, PAIL_E_INTERNAL, "libcurl cannot be set up");
    }
    struct pl_http_config wanted = with_defaults(config);
    pthread_mutex_lock(&registry_lock);
    struct pl_http_engine *e = registry;
    while (e && !same_config(&e->config, &wanted)) {
        e = e->next;
    }
    if (!e && (e = engine_new(&wanted))) {
        e->next = registry;
        registry = e;
    }
    if (e) {
        e->users++;
    }
    pthread_mutex_unlock(&registry_lock);
    *out = e;
    return e ? PAIL_OK : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for an HTTP engine");
}

/* True: the last user is gone, and the engine is out of the registry. False also for one of the
 * parent's. */
static bool drop_user(struct pl_http_engine *e)
{
    bool last = false;
    pthread_mutex_lock(&registry_lock);
    for (struct pl_http_engine **at = &registry; *at; at = &(*at)->next) {
        if (*at == e) {
            last = --e->users == 0;
            if (last) {
                *at = e->next;
            }
            break;
        }
    }
    pthread_mutex_unlock(&registry_lock);
    return last;
}

void pl_http_engine_put(struct pl_http_engine *e)
{
    if (!e || !drop_user(e)) {
        return;
    }
    pthread_mutex_lock(&e->lock);
    bool started = e->started;
    pthread_t thread = e->thread;
    e->stopping = true;
    e->frees_itself = here == e;
    if (started && here != e) {
        curl_multi_wakeup(e->multi);
    }
    pthread_mutex_unlock(&e->lock);
    if (here == e) {
        pthread_detach(thread);
        e->again = true;
        return;
    }
    if (started) {
        pthread_join(thread, NULL);
    }
    engine_free(e);
}

void pl_http_engine_explain(struct pl_http_engine *e, struct pl_buf *out)
{
    unsigned open = atomic_load(&e->lanes_open), staged = atomic_load(&e->lanes_staged);
    uint64_t bytes = (uint64_t)open * 2 * PL_LANE_CURL_BUFFER + (uint64_t)staged * PL_LANE_STAGING;
    pl_buf_printf(out,
                  "http connections = %u of at most %u, %" PRIu64 " KiB of buffers  (engine)\n",
                  open, e->lanes_max, bytes / 1024);
}
