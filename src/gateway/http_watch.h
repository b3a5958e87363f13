/* The connections of a server: how many there may be, and how long each may take to say who it is.
 * A byte now and then keeps a connection from being idle; here the whole head has a time. */
#ifndef PL_GATEWAY_HTTP_WATCH_H
#define PL_GATEWAY_HTTP_WATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum pl_http_phase {
    PL_HTTP_IDLE, /* between requests: until the next request line is there */
    PL_HTTP_ASKS, /* until the application trusts the client, or the reply is out */
    PL_HTTP_FREE  /* as long as it likes, while bytes come */
};

/* A connection. Made and freed by the watch. */
struct pl_http_peer {
    int fd;
    bool surplus; /* more than there may be: its requests are refused */
    atomic_int phase;
    atomic_int_fast64_t since_ns;
    struct pl_http_peer *next, **link; /* under the watch's lock */
};

struct pl_http_watch {
    unsigned most, idle_s; /* set before the start */
    pthread_mutex_t lock;
    pthread_cond_t stopping;
    pthread_t thread;
    struct pl_http_peer *peers; /* under lock, as all below */
    unsigned count;
    bool runs, stop;
};

/* After a reply that came before the end of its body: ends our side (TLS has done so) and reads
 * over what the peer sends until it ends its own, for 30 s, 5 s of silence or 1 GiB. To close a
 * socket with bytes unread would be a reset, which takes the reply from a peer that has not read it
 * yet. */
void pl_http_linger(int fd, bool tls);
/* False: no thread can be started. */
bool pl_http_watch_start(struct pl_http_watch *w);
void pl_http_watch_stop(struct pl_http_watch *w); /* all peers are gone */
/* NULL: no memory; the connection is not watched then. */
struct pl_http_peer *pl_http_watch_add(struct pl_http_watch *w, int fd);
/* Before its descriptor is closed. NULL is fine. */
void pl_http_watch_remove(struct pl_http_watch *w, struct pl_http_peer *p);
void pl_http_watch_phase(struct pl_http_peer *p, enum pl_http_phase phase); /* NULL is fine */

#endif
