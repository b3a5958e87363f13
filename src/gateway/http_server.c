/* The HTTP server over libmicrohttpd: a thread for each connection. A thread that waits for the
 * store or for a slow peer holds up nobody else, and while it waits it reads nothing, so the
 * client's window fills. */
#include "gateway/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/sys.h"
#include "gateway/http_watch.h"

enum {
    STACK_BYTES = 512 << 10,
    CONNECTION_BYTES = 64 << 10, /* request line, headers and the read buffer */
    BLOCK_BYTES = 1 << 20,       /* of a streamed body */
    SHORT =
        1 << 20,  /* an unwanted body up to here is read before the reply: the connection stays */
    DRAIN_S = 30, /* the rest of a body that turned out wrong is read over for so long, */
    DRAIN_SHIFT = 30, /* ... and up to 1 GiB: the library takes no reply before its end */
    HEADERS_MAX = 128,
    IDLE_S = 60,
    CONNECTIONS = 512,
    SURPLUS = 32 /* connections beyond, to tell clients that there are too many */
};

struct pl_http_server {
    struct MHD_Daemon *daemon;
    const struct pl_http_app *app;
    void *ctx;
    uint16_t port;
    bool tls, listens; /* listens: the socket is its own */
    atomic_bool stopping;
    struct pl_http_watch watch;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    unsigned under_way; /* under lock */
};

struct call {
    struct pl_http_call pub; /* first */
    struct pl_http_server *server;
    struct MHD_Connection *connection;
    struct pl_http_peer *peer; /* NULL: not watched */
    bool free;                 /* trusted, and the watch knows */
    bool begun, replies;       /* replies: the rest of the body is thrown away */
    bool whole;                /* the body was read to its end */
    uint64_t drained;
    int64_t drain_until_ns;
    char address[INET6_ADDRSTRLEN];
};

void pl_http_reply_header(struct pl_http_call *c, const char *name, struct pl_str value)
{
    if (c->reply_header_count == c->reply_header_room) {
        size_t room = c->reply_header_room ? 2 * c->reply_header_room : 16;
        struct pl_header *more = pl_arena_alloc(&c->arena, room * sizeof *more);
        if (!more) {
            return;
        }
        if (c->reply_header_count) {
            memcpy(more, c->reply_headers, c->reply_header_count * sizeof *more);
        }
        c->reply_headers = more;
        c->reply_header_room = room;
    }
    if (value.len == 0) {
        value = PL_STR(" "); /* the library refuses an empty value; a blank reads as one */
    }
    char *copy = pl_header_safe(value) ? pl_arena_dup(&c->arena, value) : NULL;
    char *name_copy = copy ? pl_arena_dup_c(&c->arena, name) : NULL;
    if (name_copy) {
        c->reply_headers[c->reply_header_count++] =
            (struct pl_header){pl_str_c(name_copy), pl_str_n(copy, value.len)};
    }
}

struct pl_str pl_http_call_header(const struct pl_http_call *c, const char *name)
{
    for (size_t i = 0; i < c->header_count; i++) {
        if (pl_str_ieq(c->headers[i].name, pl_str_c(name))) {
            return c->headers[i].value;
        }
    }
    return (struct pl_str){0};
}

/* ---- the request ---- */

struct gather {
    struct pl_header *headers;
    size_t count;
    bool full;
};

static enum MHD_Result take_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct gather *g = cls;
    (void)kind;
    if (g->count == HEADERS_MAX) {
        g->full = true;
        return MHD_NO;
    }
    g->headers[g->count++] = (struct pl_header){pl_str_c(name), pl_str_c(value)};
    return MHD_YES;
}

static void take_address(struct call *k)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(k->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *a = info ? info->client_addr : NULL;
    const void *from =
        !a ? NULL
        : a->sa_family == AF_INET
            ? (const void *)&((const struct sockaddr_in *)(const void *)a)->sin_addr
        : a->sa_family == AF_INET6
            ? (const void *)&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr
            : NULL;
    if (!from || !inet_ntop(a->sa_family, from, k->address, sizeof k->address)) {
        k->address[0] = '\0';
    }
    k->pub.remote = pl_str_c(k->address);
}

/* SPEC RFC 9112#6.3: with more than one of these a proxy in front may see another end of the body
 * than we do. */
static int framings(const struct gather *g)
{
    int n = 0;
    for (size_t i = 0; i < g->count; i++) {
        n += pl_str_ieq(g->headers[i].name, PL_STR("content-length")) ||
             pl_str_ieq(g->headers[i].name, PL_STR("transfer-encoding"));
    }
    return n;
}

static bool take_request(struct call *k, const char *method)
{
    struct gather g = {pl_arena_alloc(&k->pub.arena, HEADERS_MAX * sizeof *g.headers), 0, false};
    if (!g.headers) {
        return false;
    }
    MHD_get_connection_values(k->connection, MHD_HEADER_KIND, take_header, &g);
    k->pub.method = pl_str_c(method);
    k->pub.headers = g.headers;
    k->pub.header_count = g.count;
    k->pub.wrong = k->peer && k->peer->surplus ? PL_HTTP_BUSY
                   : g.full                    ? PL_HTTP_WORDY
                   : framings(&g) > 1          ? PL_HTTP_UNFRAMED
                                               : PL_HTTP_FINE;
    k->pub.closes = k->pub.wrong != PL_HTTP_FINE;
    struct pl_str length = pl_http_call_header(&k->pub, "content-length");
    uint64_t n = 0;
    k->pub.has_body = pl_http_call_header(&k->pub, "transfer-encoding").ptr ||
                      (length.ptr && (!pl_str_u64(length, &n) || n > 0));
    take_address(k);
    return true;
}

/* ---- the reply ---- */

static ssize_t give_body(void *cls, uint64_t at, char *buf, size_t max)
{
    struct call *k = cls;
    (void)at;
    int64_t n = k->server->app->pull(&k->pub, buf, max, k->server->ctx);
    return n > 0 ? (ssize_t)n : MHD_CONTENT_READER_END_WITH_ERROR;
}

/* A body whose length is told and that is never sent. */
static ssize_t give_nothing(void *cls, uint64_t at, char *buf, size_t max)
{
    (void)cls;
    (void)at;
    (void)buf;
    (void)max;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static enum MHD_Result reply(struct call *k)
{
    struct pl_http_call *c = &k->pub;
    struct MHD_Response *r;
    bool streams = c->streamed && !c->head_only;
    if (streams || (c->head_only && c->body_bytes)) {
        r = MHD_create_response_from_callback(c->body_bytes, BLOCK_BYTES,
                                              streams ? give_body : give_nothing, k, NULL);
    } else {
        r = MHD_create_response_from_buffer(c->head_only ? 0 : c->body.len, c->body.ptr,
                                            MHD_RESPMEM_PERSISTENT);
    }
    if (!r) {
        return MHD_NO;
    }
    if (c->closes ||
        atomic_load(
            &k->server->stopping)) { /* first: the library forgets by it that it was given a Date */
        MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    for (size_t i = 0; i < c->reply_header_count; i++) {
        MHD_add_response_header(r, c->reply_headers[i].name.ptr, c->reply_headers[i].value.ptr);
    }
    c->started = true;
    enum MHD_Result ok = MHD_queue_response(k->connection, (unsigned)c->status, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result drain(struct call *k, size_t *n)
{
    int64_t now = pl_sys.mono_ns();
    k->drain_until_ns = k->drain_until_ns ? k->drain_until_ns : now + (int64_t)DRAIN_S * 1000000000;
    k->drained += *n;
    *n = 0;
    return k->drained >> DRAIN_SHIFT || now > k->drain_until_ns ? MHD_NO : MHD_YES;
}

/* A short unwanted body is read first; a long one is answered at once, and the connection ends, as
 * the library does to all that are answered before their end: see call_free. */
static enum MHD_Result refuse_body(struct call *k)
{
    uint64_t n = 0;
    bool is_short = pl_str_u64(pl_http_call_header(&k->pub, "content-length"), &n) && n <= SHORT;
    bool waits = pl_http_call_header(&k->pub, "expect").ptr != NULL;
    if (!k->pub.has_body || (is_short && !waits)) {
        return MHD_YES;
    }
    k->pub.closes = true;
    return reply(k);
}

static void take_trust(struct call *k)
{
    if (k->pub.trusted && !k->free) {
        k->free = true;
        pl_http_watch_phase(k->peer, PL_HTTP_FREE);
    }
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data, size_t *n,
                              void **own)
{
    struct pl_http_server *s = cls;
    struct call *k = *own;
    (void)url;
    (void)version;
    if (!k) {
        return MHD_NO;
    }
    if (!k->begun) {
        k->begun = true;
        k->connection = connection;
        if (!take_request(k, method)) {
            return MHD_NO;
        }
        k->replies = s->app->begin(&k->pub, s->ctx) == PL_HTTP_REPLY;
        take_trust(k);
        return k->replies ? refuse_body(k) : MHD_YES;
    }
    if (*n) {
        if (k->replies) {
            return drain(k, n);
        }
        k->replies = s->app->data(&k->pub, data, *n, s->ctx) == PL_HTTP_REPLY;
        take_trust(k);
        *n = 0;
        return MHD_YES;
    }
    k->whole = true;
    if (!k->replies) {
        k->replies = true;
        s->app->end(&k->pub, s->ctx);
    }
    return k->pub.started ? MHD_YES : reply(k);
}

/* ---- a call's life ---- */

static void count_call(struct pl_http_server *s, int change)
{
    pthread_mutex_lock(&s->lock);
    s->under_way += (unsigned)change;
    pthread_cond_broadcast(&s->ended);
    pthread_mutex_unlock(&s->lock);
}

static struct pl_http_peer *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* A connection comes, or is about to be closed. */
static void note_connection(void *cls, struct MHD_Connection *connection, void **context,
                            enum MHD_ConnectionNotificationCode what)
{
    struct pl_http_server *s = cls;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = info ? pl_http_watch_add(&s->watch, info->connect_fd) : NULL;
    } else {
        pl_http_watch_remove(&s->watch, *context);
        *context = NULL;
    }
}

static void *call_new(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct pl_http_server *s = cls;
    struct call *k = pl_calloc(1, sizeof *k);
    if (k) {
        k->server = s;
        k->connection = connection;
        k->peer = peer_of(connection);
        pl_http_watch_phase(k->peer, PL_HTTP_ASKS);
        k->pub.body = PL_BUF_MAX(64 << 20);
        k->pub.status = 500;
        k->pub.target = pl_str_c(pl_arena_dup_c(&k->pub.arena, uri));
        count_call(s, 1);
    }
    return k;
}

static void call_free(void *cls, struct MHD_Connection *connection, void **own,
                      enum MHD_RequestTerminationCode why)
{
    struct pl_http_server *s = cls;
    struct call *k = *own;
    if (!k) {
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    bool lingers = why == MHD_REQUEST_TERMINATED_COMPLETED_OK && k->pub.has_body && !k->whole &&
                   k->pub.wrong == PL_HTTP_FINE && info;
    if (k->begun) {
        s->app->done(&k->pub, why == MHD_REQUEST_TERMINATED_COMPLETED_OK, s->ctx);
    }
    pl_http_watch_phase(k->peer, PL_HTTP_IDLE);
    pl_buf_dispose(&k->pub.body);
    pl_arena_dispose(&k->pub.arena);
    pl_free(k);
    *own = NULL;
    count_call(s, -1);
    if (lingers) {
        pl_http_linger(info->connect_fd, s->tls);
    }
}

/* The application decodes what it needs itself. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *s)
{
    (void)cls;
    (void)connection;
    return strlen(s);
}

static void say_nothing(void *cls, const char *format, va_list args)
{
    (void)cls;
    (void)format;
    (void)args;
}

/* ---- the server's life ---- */

static int listen_on(const struct pl_http_server_opts *o, struct pail_error **err)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(o->port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(o->port)};
    bool is_six = inet_pton(AF_INET6, o->address, &six.sin6_addr) == 1;
    if (!is_six && inet_pton(AF_INET, o->address, &four.sin_addr) != 1) {
        pl_fail(err, PAIL_E_BAD_ARGUMENT, "\"%s\" is no IP address to listen on", o->address);
        return -1;
    }
    int on = 1;
    int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr *a =
        is_six ? (const struct sockaddr *)&six : (const struct sockaddr *)&four;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, a, is_six ? sizeof six : sizeof four) < 0 || listen(fd, SOMAXCONN) < 0) {
        int saved = errno;
        pl_fail_errno(err, saved, "listening on %s port %u", o->address, (unsigned)o->port);
        if (saved == EADDRINUSE) {
            pl_error_hint(err, "another program has this port; choose another one");
        }
        if (fd >= 0) {
            pl_sys.close(fd);
        }
        return -1;
    }
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &n) < 0) {
        return 0;
    }
    return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
                                         : ((struct sockaddr_in *)&a)->sin_port);
}

static struct MHD_Daemon *start(struct pl_http_server *s, const struct pl_http_server_opts *o,
                                int fd)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
                     MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG |
                     (o->tls_cert ? MHD_USE_TLS : 0);
    unsigned idle = s->watch.idle_s, connections = s->watch.most + SURPLUS;
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)o->tls_cert},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)o->tls_key},
                                   {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(
        flags, 0, NULL, NULL, handle, s, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, call_new, s,
        MHD_OPTION_NOTIFY_COMPLETED, call_free, s, MHD_OPTION_NOTIFY_CONNECTION, note_connection, s,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_CONNECTION_TIMEOUT, idle,
        MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)4096,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES, MHD_OPTION_ARRAY,
        o->tls_cert ? tls : none, MHD_OPTION_END);
}

pail_code pl_http_server_start(const struct pl_http_server_opts *o, const struct pl_http_app *app,
                               void *ctx, struct pl_http_server **out, struct pail_error **err)
{
    int fd = o->listen_fd >= 0 ? pl_listen_copy(o->listen_fd, err) : listen_on(o, err);
    if (fd < 0) {
        return pail_error_code(err ? *err : NULL) ? (*err)->code : PAIL_E_IO;
    }
    struct pl_http_server *s = pl_calloc(1, sizeof *s);
    if (!s) {
        pl_sys.close(fd);
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a server");
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&s->lock, NULL);
    s->app = app;
    s->ctx = ctx;
    s->port = port_of(fd);
    s->tls = o->tls_cert != NULL;
    s->listens = o->listen_fd < 0;
    s->watch.idle_s = o->idle_s ? o->idle_s : IDLE_S;
    s->watch.most = o->connections ? o->connections : CONNECTIONS;
    s->daemon = pl_http_watch_start(&s->watch) ? start(s, o, fd) : NULL;
    if (!s->daemon) {
        pl_sys.close(fd);
        pl_http_watch_stop(&s->watch);
        pthread_cond_destroy(&s->ended);
        pthread_mutex_destroy(&s->lock);
        pl_free(s);
        pl_fail(err, PAIL_E_IO, "the HTTP server does not start on %s port %u", o->address,
                (unsigned)o->port);
        if (o->tls_cert) {
            pl_error_hint(err,
                          "see whether the certificate and the key are PEM and belong together");
        }
        return PAIL_E_IO;
    }
    *out = s;
    return PAIL_OK;
}

uint16_t pl_http_server_port(const struct pl_http_server *s)
{
    return s->port;
}

static void wait_for_calls(struct pl_http_server *s, unsigned wait_ms)
{
    int64_t until = pl_sys.mono_ns() + (int64_t)wait_ms * 1000000;
    struct timespec at = {until / 1000000000, until % 1000000000};
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    while (s->under_way && rc == 0) {
        rc = pthread_cond_timedwait(&s->ended, &s->lock, &at);
    }
    pthread_mutex_unlock(&s->lock);
}

void pl_http_server_stop(struct pl_http_server *s, unsigned wait_ms)
{
    if (!s) {
        return;
    }
    atomic_store(&s->stopping, true);
    MHD_socket fd = MHD_quiesce_daemon(s->daemon);
    if (fd >= 0 && s->listens) {
        (void)shutdown(fd, SHUT_RDWR); /* who comes now is refused, not left to wait; a manager's
                                          socket goes on, for the next server */
    }
    wait_for_calls(s, wait_ms);
    if (fd >= 0) {
        pl_sys.close(fd);
    }
    MHD_stop_daemon(s->daemon);
    pl_http_watch_stop(&s->watch);
    pthread_cond_destroy(&s->ended);
    pthread_mutex_destroy(&s->lock);
    pl_free(s);
}
