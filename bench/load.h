/* A load generator for HTTP/1.1 servers on loopback: blocking sockets that stay open, requests that
 * are made beforehand, answers read to their end and held against what was asked. */
#ifndef PAIL_BENCH_LOAD_H
#define PAIL_BENCH_LOAD_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LOAD_PIECE = 256 << 10, LOAD_CONNECTIONS = 16 };

static inline void load_stop(const char *what)
{
    perror(what);
    exit(1);
}

static inline int load_connect(uint16_t port, bool must)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a)) {
        if (must) {
            load_stop("connect");
        }
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static inline void load_send(int fd, const char *data, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, data, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            load_stop("send");
        }
        data += sent;
        n -= (size_t)sent;
    }
}

/* Reads one answer; its status, how long its body was, and whether the server closes now (versitygw
 * does after each PUT). room: LOAD_PIECE bytes. */
static inline int load_answer(int fd, char *room, uint64_t *body, bool *closes)
{
    size_t len = 0;
    char *end = NULL;
    while (!end) {
        ssize_t n = recv(fd, room + len, LOAD_PIECE - 1 - len, 0);
        if (n <= 0) {
            load_stop("no answer");
        }
        len += (size_t)n;
        room[len] = '\0';
        end = strstr(room, "\r\n\r\n");
    }
    const char *length = strcasestr(room, "\ncontent-length:");
    *body = length && length < end ? strtoull(length + 16, NULL, 10) : 0;
    const char *close_at = strcasestr(room, "\nconnection: close");
    int status = atoi(room + 9);
    *closes = close_at && close_at < end;
    for (uint64_t have = len - (size_t)(end + 4 - room); have < *body;) {
        uint64_t left = *body - have;
        ssize_t n = recv(fd, room, left < LOAD_PIECE ? (size_t)left : LOAD_PIECE, 0);
        if (n <= 0) {
            load_stop("the answer was cut");
        }
        have += (uint64_t)n;
    }
    return status;
}

static inline double load_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- many small requests ---- */

struct load_request {
    char *bytes;
    size_t len;
};

struct load {
    uint16_t port;
    const struct load_request *requests;
    size_t count;       /* of requests, which are taken round and round */
    size_t total;       /* to send, all connections together */
    uint64_t want_body; /* of each answer */
    double period;      /* 0: as fast as answers come; else seconds between two of a connection */
    double *latency;    /* `total` of them, where there is a period: from when it was due */
};

struct load_thread {
    struct load *load;
    size_t index;
    double begin;
    pthread_t thread;
};

static inline void load_wait(double until)
{
    struct timespec t = {(time_t)until, (long)((until - (double)(time_t)until) * 1e9)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0) {
    }
}

static inline void *load_run_one(void *arg)
{
    struct load_thread *t = arg;
    struct load *l = t->load;
    char *room = malloc(LOAD_PIECE);
    int fd = load_connect(l->port, true);
    size_t each = l->total / LOAD_CONNECTIONS;
    for (size_t i = 0; i < each; i++) {
        const struct load_request *r = &l->requests[(t->index + i * LOAD_CONNECTIONS) % l->count];
        double due = t->begin + l->period * ((double)i + (double)t->index / LOAD_CONNECTIONS);
        uint64_t body = 0;
        bool closes = false;
        if (l->period > 0) {
            load_wait(due);
        }
        load_send(fd, r->bytes, r->len);
        int status = load_answer(fd, room, &body, &closes);
        if (status != 200 || body != l->want_body) {
            fprintf(stderr, "port %u answers %d with %llu bytes to %.60s\n", l->port, status,
                    (unsigned long long)body, r->bytes);
            exit(1);
        }
        if (l->period > 0) {
            l->latency[t->index * each + i] = load_now() - due;
        }
        if (closes) {
            close(fd);
            fd = load_connect(l->port, true);
        }
    }
    close(fd);
    free(room);
    return NULL;
}

/* total: a multiple of LOAD_CONNECTIONS. The seconds that it took. */
static inline double load_run(struct load *l)
{
    struct load_thread threads[LOAD_CONNECTIONS];
    double begin = load_now() + (l->period > 0 ? 0.05 : 0);
    for (size_t i = 0; i < LOAD_CONNECTIONS; i++) {
        threads[i] = (struct load_thread){.load = l, .index = i, .begin = begin};
        pthread_create(&threads[i].thread, NULL, load_run_one, &threads[i]);
    }
    for (size_t i = 0; i < LOAD_CONNECTIONS; i++) {
        pthread_join(threads[i].thread, NULL);
    }
    return load_now() - begin;
}

#endif
