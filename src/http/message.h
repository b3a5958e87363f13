/* One HTTP exchange: what is asked, what came back. Plain data; no socket, no clock. */
#ifndef PL_HTTP_MESSAGE_H
#define PL_HTTP_MESSAGE_H

#include "base/arena.h"
#include "base/body.h"
#include "base/error.h"
#include "codec/header.h"

struct pl_digest; /* codec/digest.h */

enum {
    PL_HTTP_HEADERS_MAX = 512,                 /* of one message */
    PL_HTTP_HEAD_BYTES_MAX = 64 * 1024,        /* of one answer: beyond it is refused */
    PL_HTTP_BODY_BYTES_MAX = 16 * 1024 * 1024, /* of a buffered 2xx answer, unless told otherwise */
    PL_HTTP_ERROR_BYTES_MAX = 64 * 1024        /* of a buffered other answer; the rest is dropped */
};

struct pl_origin {
    bool tls;
    const char *host; /* lower case; IPv6 without brackets */
    uint16_t port;    /* never 0 */
};

/* Filled anew for each attempt. Strings live in `arena` or outlive the exchange. */
struct pl_http_request {
    struct pl_arena arena;
    const char *method; /* "GET", ...: static */
    struct pl_origin origin;
    const char *target; /* path?query exactly as on the wire; begins with '/' */
    /* Without Host, Content-Length, User-Agent, Connection and Accept: these are the engine's. Host
     * on the wire is pl_http_host(). Sign that and send no other. */
    struct pl_header *headers; /* in the arena */
    size_t header_count, header_cap;
    /* NULL: none (PUT and POST then say Content-Length: 0). Its `done` counts what was sent. */
    struct pl_body *body;
    struct pl_body text; /* where a small body of the builder's own is described: body = &text */
    struct pl_str before, after; /* sent around the body, which is then not NULL; in the arena */
    bool direct;                 /* to the host itself, whatever proxy is configured */
    bool failed;                 /* sticky: out of memory, too many headers, a control character */
    size_t body_bytes_max;       /* of a buffered 2xx answer; 0: PL_HTTP_BODY_BYTES_MAX */
};

/* Adds a header; name and value are copied. Refused (sticky `failed`): bytes below 0x20 and 0x7f,
 * an empty name. An empty value is sent as it is. */
void pl_http_add(struct pl_http_request *r, const char *name, struct pl_str value);
void pl_http_add_c(struct pl_http_request *r, const char *name, const char *value);
/* Sets a body in memory; the bytes are copied into the arena. */
void pl_http_set_text(struct pl_http_request *r, struct pl_str text);
/* "host" or "host:port", the port only where it is not the scheme's own; IPv6 in brackets. In the
 * arena; NULL: out of memory. */
const char *pl_http_host(struct pl_http_request *r);
/* "https://host:port" of an origin, for messages and events. Returns room. */
const char *pl_origin_text(const struct pl_origin *o, char *room, size_t size);
/* Empties the request, keeping nothing. */
void pl_http_request_dispose(struct pl_http_request *r);

/* Why there is no (whole) answer. */
enum pl_http_fail {
    PL_HTTP_OK = 0,
    PL_HTTP_BAD_REQUEST, /* refused before anything was sent */
    PL_HTTP_NO_MEMORY,
    PL_HTTP_CANCELLED,
    PL_HTTP_DEADLINE, /* the deadline of the call passed */
    PL_HTTP_DNS,
    PL_HTTP_CONNECT,   /* refused, unreachable, or no connection within the connect timeout */
    PL_HTTP_PROXY,     /* the proxy could not be reached or refused */
    PL_HTTP_TLS,       /* handshake or certificate */
    PL_HTTP_STALE,     /* a kept connection had been closed: no byte of an answer came */
    PL_HTTP_BROKEN,    /* the connection ended in the middle, or the body came short */
    PL_HTTP_IDLE,      /* nothing moved for the idle timeout */
    PL_HTTP_GARBAGE,   /* not HTTP, or a head beyond its limit */
    PL_HTTP_TOO_LARGE, /* a 2xx body beyond body_bytes_max or the sink's room */
    PL_HTTP_SOURCE,    /* reading the body to send failed (sys_errno; 0: it changed) */
    PL_HTTP_SINK,      /* writing what was received failed (sys_errno) */
    PL_HTTP_REFUSED    /* the head callback said no */
};

struct pl_http_timing { /* microseconds since the start of the exchange; 0: did not happen */
    int64_t dns_us, connect_us, tls_us, first_byte_us, total_us;
};

struct pl_http_response {
    int status;                /* of the final head; 0: none came */
    struct pl_header *headers; /* views of `head` */
    size_t header_count, header_cap;
    struct pl_buf head;  /* the bytes of the final head */
    struct pl_buf body;  /* what did not go to a sink */
    uint64_t body_bytes; /* of the body, wherever it went */
    bool head_done;      /* status and headers are final */
    bool has_length;     /* the answer said how long its body is */
    uint64_t content_length;

    /* Chosen by the head callback. */
    struct pl_body *sink;     /* takes the body at sink->done on; NULL: it is buffered */
    uint64_t sink_bytes;      /* that may come to it, where the head announced how many; 0: any */
    struct pl_digest *digest; /* updated with each byte that goes to the sink; may be NULL */

    enum pl_http_fail fail;
    int sys_errno; /* SOURCE, SINK */
    char why[160]; /* one line in words, where fail is set; never a secret */
    int sends; /* how often the server may have seen the request: 0 never, 2 where a kept connection
                  was found closed and the request went out again on a new one */
    bool reused_connection;
    uint64_t sent_bytes, received_bytes; /* on the wire, heads included */
    struct pl_http_timing timing;
    int64_t done_wall_ms; /* when it ended */
};

/* The value of the first header of that name, without case; ptr NULL: there is none. */
struct pl_str pl_http_header(const struct pl_http_response *r, const char *name);
bool pl_http_header_u64(const struct pl_http_response *r, const char *name, uint64_t *out);
/* Unix ms of a header with an HTTP date; -1: none or no date. */
int64_t pl_http_header_date(const struct pl_http_response *r, const char *name);
/* "bytes 0-9/100": false where there is none or it is no such thing. *size UINT64_MAX for '*'. */
bool pl_http_content_range(const struct pl_http_response *r, uint64_t *first, uint64_t *last,
                           uint64_t *size);
/* Makes it ready for another exchange; the buffers' memory is kept. */
void pl_http_response_clear(struct pl_http_response *r);
/* Takes one line of a head (with its CRLF) and, where the line ends the head of a final answer,
 * returns true with status, headers and content_length set. fail is set where it is no HTTP or too
 * much; earlier heads (1xx) and trailers are passed over. */
bool pl_http_response_line(struct pl_http_response *r, struct pl_str line);
void pl_http_response_dispose(struct pl_http_response *r);

#endif
