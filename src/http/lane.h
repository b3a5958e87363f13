/* One libcurl handle, used for one exchange after the other. Reactor only. */
#ifndef PL_HTTP_LANE_H
#define PL_HTTP_LANE_H

#include <curl/curl.h>

#include "http/engine.h"

enum {
    PL_LANE_CURL_BUFFER = 256 * 1024, /* each way: smaller ones cost up to twice the CPU */
    PL_LANE_STAGING = 512 * 1024,     /* what comes for a file is written in pieces of this size */
    PL_LANE_POST_MAX = 64 * 1024      /* bodies up to here go out without a read callback */
};

struct pl_http_lane {
    CURL *easy;
    struct pl_http_exchange *x; /* NULL: idle */
    struct pl_http_lane *next;
    const struct pl_http_config *config;
    struct pl_buf url, lines, small_body;
    struct curl_slist *nodes; /* one per header line, in one piece */
    size_t node_cap;
    char *staging; /* kept between exchanges, once made */
    size_t staged;
    uint64_t source_at; /* of the body to send */
    bool enough;        /* an error body beyond its limit was cut: the answer counts as whole */
    char text[CURL_ERROR_SIZE];
};

/* NULL: out of memory. config lives longer. */
struct pl_http_lane *pl_http_lane_new(const struct pl_http_config *config);
/* Sets the handle up for x. false: x->response.fail says why. */
bool pl_http_lane_start(struct pl_http_lane *lane, struct pl_http_exchange *x);
/* Bytes moved so far, both ways. */
uint64_t pl_http_lane_moved(const struct pl_http_lane *lane);
/* The transfer ended so: fills x->response and detaches x. */
void pl_http_lane_end(struct pl_http_lane *lane, CURLcode rc);
void pl_http_lane_free(struct pl_http_lane *lane);

#endif
