/* An HTTP/1.1 server for one application; nothing here knows which library it is made of. */
#ifndef PL_GATEWAY_HTTP_SERVER_H
#define PL_GATEWAY_HTTP_SERVER_H

#include "base/arena.h"
#include "base/error.h"
#include "codec/header.h"

/* One request and its reply. Made and freed by the server; each runs on one thread, which may
 * block: that is how back-pressure reaches the client. */
struct pl_http_call {
    /* The request; alive as long as the call. */
    struct pl_str method;
    struct pl_str target; /* as on the wire, never decoded */
    const struct pl_header *headers;
    size_t header_count;
    struct pl_str remote; /* address of the client */
    bool has_body;
    enum pl_http_wrong {
        PL_HTTP_FINE,
        PL_HTTP_BUSY,    /* there are more connections than may be */
        PL_HTTP_WORDY,   /* there were more headers than are kept */
        PL_HTTP_UNFRAMED /* two lengths, or a length and chunks: another may see another end */
    } wrong;             /* refuse it, the connection closes */
    /* Set by the application: the client has shown who it is, and may take its time. */
    bool trusted;
    struct pl_arena arena; /* freed with the call */
    void *app;             /* the application's own */

    /* The reply, filled before PL_HTTP_REPLY is answered. */
    int status;
    struct pl_header *reply_headers; /* in arena */
    size_t reply_header_count, reply_header_room;
    struct pl_buf body;  /* what is sent, unless: */
    uint64_t body_bytes; /* streamed or head_only: how long the body is */
    bool streamed;       /* `pull` gives it */
    bool head_only;      /* HEAD: the length is told, nothing is sent */
    bool closes;         /* the connection is of no more use */
    bool started;        /* a reply has been handed to the server */
};
/* Adds a header to the reply; the texts are copied. Values with control bytes are left out. */
void pl_http_reply_header(struct pl_http_call *c, const char *name, struct pl_str value);
/* A header of the request; ptr NULL: none. */
struct pl_str pl_http_call_header(const struct pl_http_call *c, const char *name);

enum pl_http_step { PL_HTTP_MORE, PL_HTTP_REPLY };

struct pl_http_app {
    /* The headers are there. REPLY: the body is not wanted. */
    enum pl_http_step (*begin)(struct pl_http_call *c, void *ctx);
    /* Some of the body. */
    enum pl_http_step (*data)(struct pl_http_call *c, const char *data, size_t n, void *ctx);
    /* All of the body was there; the reply follows. */
    void (*end)(struct pl_http_call *c, void *ctx);
    /* The next n > 0 or fewer bytes of a streamed body; negative: it cannot be completed, and the
     * connection is cut. */
    int64_t (*pull)(struct pl_http_call *c, char *buf, size_t n, void *ctx);
    /* Last of all, once, whatever happened; complete: the reply has gone out. */
    void (*done)(struct pl_http_call *c, bool complete, void *ctx);
};

struct pl_http_server_opts {
    const char *address;            /* "127.0.0.1", "::1" */
    uint16_t port;                  /* 0: any free one */
    int listen_fd;                  /* -1; else a socket that listens already: it is copied */
    const char *tls_cert, *tls_key; /* PEM texts; NULL: plain HTTP */
    /* 0: 60 s without a byte, also for all of the head; 512. */
    unsigned idle_s, connections;
};
struct pl_http_server;

/* The address of a TCP socket that listens. Errors: PAIL_E_BAD_ARGUMENT, it is another thing. */
enum { PL_LISTEN_ADDRESS_SIZE = 46 };
PAIL_MUST pail_code pl_listen_address(int fd, char text[PL_LISTEN_ADDRESS_SIZE],
                                      struct pail_error **err);
int pl_listen_copy(int fd, struct pail_error **err); /* -1: err is set */
PAIL_MUST pail_code pl_http_server_start(const struct pl_http_server_opts *opts,
                                         const struct pl_http_app *app, void *ctx,
                                         struct pl_http_server **out, struct pail_error **err);
uint16_t pl_http_server_port(const struct pl_http_server *s);
/* Takes no more connections (refuses them, where the socket is its own), lets what is under way end
 * for up to wait_ms, then cuts the rest. */
void pl_http_server_stop(struct pl_http_server *s, unsigned wait_ms);

#endif
