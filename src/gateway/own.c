/* Pages of the server itself, below "/-/", which is no name of a bucket. Where the host names the
 * bucket it is a key like any other. */
#include "gateway/gateway.h"

static void plain(struct pl_gw_call *c, int status, const char *type)
{
    pl_gw_header_text(c, "Content-Type", type);
    pl_gw_header_text(c, "Cache-Control", "no-store");
    pl_gw_reply(c, status);
}

/* Alive, and whose store this is: a signed URL counts only where the id is that of its store. */
static void health(struct pl_gw_call *c)
{
    pl_buf_printf(&c->http->body, "pail %s\n", c->g->store_id ? c->g->store_id : "-");
    plain(c, 200, "text/plain");
}

static void ready(struct pl_gw_call *c)
{
    struct pl_simple s;
    bool stops = atomic_load(&c->g->stopping), ok = false;
    struct pl_op *op = stops ? NULL : pl_gw_op(c, &s, PL_OP_BUCKET_LIST, NULL, NULL);
    if (op) {
        op->in.list.max = 1;
        ok = pl_gw_run(&s) == PAIL_OK;
        pl_gw_op_end(c, &s, true);
    }
    pl_buf_clear(&c->http->body);
    pl_buf_puts(&c->http->body, ok      ? "ready\n"
                                : stops ? "the server ends\n"
                                        : "the store does not answer\n");
    plain(c, ok ? 200 : 503, "text/plain");
}

static void metrics(struct pl_gw_call *c)
{
    static const struct {
        const char *name, *help;
    } counters[PL_GW_COUNTS] = {
        [PL_GW_REQUESTS] = {"pail_requests_total", "Requests that were answered"},
        [PL_GW_ERRORS_4XX] = {"pail_client_errors_total", "Answers of 400 to 499"},
        [PL_GW_ERRORS_5XX] = {"pail_server_errors_total", "Answers of 500 and more"},
        [PL_GW_REFUSED] = {"pail_refused_total", "Requests without a right to what they ask"},
        [PL_GW_BYTES_IN] = {"pail_received_bytes_total", "Bytes of bodies received"},
        [PL_GW_BYTES_OUT] = {"pail_sent_bytes_total", "Bytes of objects sent"},
        [PL_GW_CUT] = {"pail_cut_total", "Connections that ended before their answer"},
    };
    for (size_t i = 0; i < PL_GW_COUNTS; i++) {
        pl_buf_printf(&c->http->body, "# HELP %s %s\n# TYPE %s counter\n%s %llu\n",
                      counters[i].name, counters[i].help, counters[i].name, counters[i].name,
                      (unsigned long long)atomic_load(&c->g->counts[i]));
    }
    plain(c, 200, "text/plain; version=0.0.4");
}

bool pl_gw_own_page(struct pl_gw_call *c)
{
    static const struct {
        const char *path;
        void (*run)(struct pl_gw_call *c);
    } pages[] = {{"/-/healthz", health}, {"/-/readyz", ready}, {"/-/metrics", metrics}};
    struct pl_str rest = c->http->target, path = pl_str_split(&rest, '?'), bucket;
    if (pl_gw_bucket_of_host(c, &bucket)) {
        return false;
    }
    bool reads = pl_str_is(c->http->method, "GET") || pl_str_is(c->http->method, "HEAD");
    for (size_t i = 0; reads && i < sizeof pages / sizeof *pages; i++) {
        if (pl_str_is(path, pages[i].path)) {
            pages[i].run(c);
            return true;
        }
    }
    return pl_gw_page(c, path);
}
