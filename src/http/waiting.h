/* Exchanges that wait for a connection: first come first served per origin, origins in turn. */
#ifndef PL_HTTP_WAITING_H
#define PL_HTTP_WAITING_H

#include "http/engine.h"

struct pl_http_host {
    bool tls;
    uint16_t port;
    uint32_t running;
    struct pl_http_exchange *first, **end;
    struct pl_http_host *next;
    char name[];
};

struct pl_waiting {
    struct pl_http_host *hosts; /* the next to have its turn first */
    size_t host_count, count;
};

/* An exchange among the waiting, and where it hangs. */
struct pl_waiting_at {
    struct pl_http_host *host;
    struct pl_http_exchange **link, *x; /* x NULL: the end */
};

/* false: out of memory. */
bool pl_waiting_add(struct pl_waiting *w, struct pl_http_exchange *x);
/* The next to start, counted as running from now on; NULL: none may. */
struct pl_http_exchange *pl_waiting_take(struct pl_waiting *w, uint32_t per_origin);
/* An exchange that was taken has ended. */
void pl_waiting_ended(struct pl_waiting *w, struct pl_http_exchange *x);
struct pl_waiting_at pl_waiting_first(struct pl_waiting *w);
void pl_waiting_next(struct pl_waiting_at *at);
/* Takes one out; `at` then stands at the next. */
void pl_waiting_remove(struct pl_waiting *w, struct pl_waiting_at *at);
void pl_waiting_dispose(struct pl_waiting *w);

#endif
