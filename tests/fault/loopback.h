/* A server on 127.0.0.1 that plays a script: what to do with the first request, the second, ... */
#ifndef PAIL_TEST_LOOPBACK_H
#define PAIL_TEST_LOOPBACK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum loopback_then {
    KEEP = 0, /* wait for the next request on this connection */
    CLOSE,
    RESET, /* a TCP reset */
    HANG   /* say nothing more until the server stops */
};

struct loopback_step {
    const char *send; /* NULL: nothing */
    uint64_t fill;    /* then so many bytes of 'x' */
    enum loopback_then then;
    bool unread;   /* do this when the head has come, without reading the body */
    bool drip;     /* send one byte at a time, 20 ms apart, until nobody listens */
    bool for_ever; /* the script stays at this step */
};

enum { LOOPBACK_REQUESTS = 64 };
struct loopback {
    uint16_t port;
    atomic_int requests;    /* seen in full (or in their heads, where unread) */
    atomic_int connections; /* accepted */
    char *heads[LOOPBACK_REQUESTS];
    char *bodies[LOOPBACK_REQUESTS];
    uint64_t body_lengths[LOOPBACK_REQUESTS];

    /* its own */
    const struct loopback_step *steps;
    int step_count, at;
    int listener, open[256], open_count;
    bool stopping;
    void *tls; /* SSL_CTX */
    pthread_mutex_t lock;
    pthread_cond_t seen;
    pthread_t acceptor, workers[256];
    int worker_count;
};

/* Exits the test program where no server can be had. The steps live until stop. Past the last step
 * every request is answered with 500. */
void loopback_start(struct loopback *s, const struct loopback_step *steps, int count);
/* The same with TLS and a certificate of its own for "localhost", also written to ca_path. */
void loopback_start_tls(struct loopback *s, const struct loopback_step *steps, int count,
                        const char *ca_path);
/* Returns when so many requests have been seen. */
void loopback_wait(struct loopback *s, int requests);
/* Whether the head of request i has this line (without its end). */
bool loopback_has(struct loopback *s, int i, const char *line);
void loopback_stop(struct loopback *s);

/* How many descriptors the process has open. */
int loopback_open_files(void);

#endif
