/* Makes exchanges: many at once, on one thread of its own that starts with the first of them. */
#ifndef PL_HTTP_ENGINE_H
#define PL_HTTP_ENGINE_H

#include "http/message.h"

/* What a connection needs to know. Clients with equal ones share an engine. Strings are copied;
 * NULL: none. */
struct pl_http_config {
    const char *proxy_http, *proxy_https; /* by the scheme of the origin */
    const char *no_proxy;                 /* "host,.domain,*" */
    const char *ca_file;                  /* instead of the system's */
    const char *client_cert_file, *client_key_file;
    const char *unix_socket; /* connect there instead of to the host */
    const char *user_agent;
    bool insecure;                   /* certificates are not checked */
    bool http2;                      /* offered; else HTTP/1.1 alone */
    uint32_t connections_per_origin; /* 0: 64; twice that in all */
    uint32_t connect_timeout_ms;     /* 0: 15 s; name, TCP, proxy and TLS together */
};

struct pl_http_engine;

/* One exchange, owned by the caller and left alone by it until `done`. */
struct pl_http_exchange {
    struct pl_http_request request;
    struct pl_http_response response;
    int64_t deadline_ns;      /* monotonic; 0: none */
    uint32_t idle_timeout_ms; /* ends an exchange that moves nothing for so long; 0: 60 s */
    /* The final head of a 2xx answer: may choose response.sink and digest. False refuses the body;
     * then set response.why. NULL: the body is buffered. Reactor. */
    bool (*on_head)(struct pl_http_exchange *x);
    /* Exactly once, on the reactor; the exchange is the caller's again. */
    void (*done)(struct pl_http_exchange *x);
    void *ctx;

    /* the engine's */
    atomic_bool cancelled;
    struct pl_http_exchange *next;
    struct pl_http_host *host;
    struct pl_http_lane *lane; /* NULL: waiting */
    int64_t idle_at_ns;
    uint64_t moved; /* bytes, when the idle timeout was last looked at */
};

/* A moment on the reactor. */
struct pl_http_timer {
    int64_t at_ns; /* monotonic */
    void (*fire)(struct pl_http_timer *t);
    void *ctx;
    atomic_bool at_once; /* the engine's */
    struct pl_http_timer *next;
};

/* The engine of that configuration, made or shared; give it back with pl_http_engine_put. No thread
 * yet. After a fork the child gets a new one and leaves its parent's alone. Errors:
 * PAIL_E_NO_MEMORY, PAIL_E_BAD_CONFIG (libcurl without a needed ability). */
PAIL_MUST pail_code pl_http_engine_get(const struct pl_http_config *config,
                                       struct pl_http_engine **out, struct pail_error **err);
/* The last one ends the thread; no exchange may be under way. NULL is fine. */
void pl_http_engine_put(struct pl_http_engine *e);

/* Starts an exchange; any thread. Failures, too, come through done. */
void pl_http_submit(struct pl_http_engine *e, struct pl_http_exchange *x);
/* Asks it to end soon with PL_HTTP_CANCELLED; any thread, while the exchange is the engine's. */
void pl_http_cancel(struct pl_http_engine *e, struct pl_http_exchange *x);

/* A timer fires once, on the reactor; any thread starts it. False, only outside the reactor: there
 * is no thread, and it never fires. */
bool pl_http_timer_start(struct pl_http_engine *e, struct pl_http_timer *t);
/* Makes a started timer fire at once; any thread. */
void pl_http_timer_hurry(struct pl_http_engine *e, struct pl_http_timer *t);

/* A line "http connections = ..." with what is open and the memory that it takes. */
void pl_http_engine_explain(struct pl_http_engine *e, struct pl_buf *out);

#endif
