#include "http/waiting.h"

enum { HOSTS_KEPT = 32 };

static bool is_host(const struct pl_http_host *h, const struct pl_origin *o)
{
    return h->port == o->port && h->tls == o->tls && strcmp(h->name, o->host) == 0;
}

/* Forgets origins that nobody uses or waits for, once there are many. */
static void forget_some(struct pl_waiting *w)
{
    for (struct pl_http_host **at = &w->hosts; *at && w->host_count > HOSTS_KEPT;) {
        struct pl_http_host *h = *at;
        if (h->running || h->first) {
            at = &h->next;
        } else {
            *at = h->next;
            w->host_count--;
            pl_free(h);
        }
    }
}

static struct pl_http_host *host_of(struct pl_waiting *w, const struct pl_origin *o)
{
    for (struct pl_http_host *h = w->hosts; h; h = h->next) {
        if (is_host(h, o)) {
            return h;
        }
    }
    forget_some(w);
    size_t n = strlen(o->host) + 1;
    struct pl_http_host *h = pl_calloc(1, sizeof *h + n);
    if (h) {
        memcpy(h->name, o->host, n);
        h->tls = o->tls;
        h->port = o->port;
        h->end = &h->first;
        h->next = w->hosts;
        w->hosts = h;
        w->host_count++;
    }
    return h;
}

bool pl_waiting_add(struct pl_waiting *w, struct pl_http_exchange *x)
{
    x->host = host_of(w, &x->request.origin);
    x->next = NULL;
    if (!x->host) {
        return false;
    }
    *x->host->end = x;
    x->host->end = &x->next;
    w->count++;
    return true;
}

/* The host goes behind the others. */
static void take_turn(struct pl_waiting *w, struct pl_http_host **at)
{
    struct pl_http_host *h = *at;
    *at = h->next;
    struct pl_http_host **end = &w->hosts;
    while (*end) {
        end = &(*end)->next;
    }
    *end = h;
    h->next = NULL;
}

struct pl_http_exchange *pl_waiting_take(struct pl_waiting *w, uint32_t per_origin)
{
    for (struct pl_http_host **at = &w->hosts; w->count && *at; at = &(*at)->next) {
        struct pl_http_host *h = *at;
        if (h->first && h->running < per_origin) {
            struct pl_waiting_at first = {h, &h->first, h->first};
            struct pl_http_exchange *x = h->first;
            pl_waiting_remove(w, &first);
            h->running++;
            if (w->host_count > 1) {
                take_turn(w, at);
            }
            return x;
        }
    }
    return NULL;
}

void pl_waiting_ended(struct pl_waiting *w, struct pl_http_exchange *x)
{
    (void)w;
    x->host->running--;
    x->host = NULL;
}

static void skip_empty(struct pl_waiting_at *at)
{
    while (!at->x && at->host->next) {
        at->host = at->host->next;
        at->link = &at->host->first;
        at->x = at->host->first;
    }
}

struct pl_waiting_at pl_waiting_first(struct pl_waiting *w)
{
    struct pl_waiting_at at = {w->hosts, NULL, NULL};
    if (at.host) {
        at.link = &at.host->first;
        at.x = at.host->first;
        skip_empty(&at);
    }
    return at;
}

void pl_waiting_next(struct pl_waiting_at *at)
{
    at->link = &at->x->next;
    at->x = at->x->next;
    skip_empty(at);
}

void pl_waiting_remove(struct pl_waiting *w, struct pl_waiting_at *at)
{
    struct pl_http_exchange *x = at->x;
    *at->link = x->next;
    if (at->host->end == &x->next) {
        at->host->end = at->link;
    }
    at->x = x->next;
    x->next = NULL;
    w->count--;
    skip_empty(at);
}

void pl_waiting_dispose(struct pl_waiting *w)
{
    while (w->hosts) {
        struct pl_http_host *h = w->hosts;
        w->hosts = h->next;
        pl_free(h);
    }
}
