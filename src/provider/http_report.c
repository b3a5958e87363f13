/* What the user hears of attempts: errors, events, log lines. Never a secret, never a target: a
 * signed one is a key. */
#include <inttypes.h>

#include "provider/http_run.h"

/* One row per way to fail. */
static const struct {
    pail_code code;
    const char *what, *hint;
} failures[] = {
    [PL_HTTP_BAD_REQUEST] = {PAIL_E_BAD_ARGUMENT, "the request cannot be sent", NULL},
    [PL_HTTP_NO_MEMORY] = {PAIL_E_NO_MEMORY, "out of memory", NULL},
    [PL_HTTP_CANCELLED] = {PAIL_E_CANCELLED, "cancelled", NULL},
    [PL_HTTP_DEADLINE] = {PAIL_E_TIMEOUT, "the deadline passed", NULL},
    [PL_HTTP_DNS] = {PAIL_E_DNS, "the host is not known",
                     "check the spelling of the endpoint and the network"},
    [PL_HTTP_CONNECT] = {PAIL_E_CONNECT, "no connection",
                         "check that the server runs there, and the settings for endpoint and "
                         "proxy"},
    [PL_HTTP_PROXY] = {PAIL_E_CONNECT, "no connection by the proxy",
                       "check proxy_url, or name the host in no_proxy"},
    [PL_HTTP_TLS] = {PAIL_E_TLS, "no trusted connection",
                     "if the server has an authority of its own, name its certificate in ca_file "
                     "(AWS_CA_BUNDLE)"},
    [PL_HTTP_STALE] = {PAIL_E_CONNECT, "the server closed the connection", NULL},
    [PL_HTTP_BROKEN] = {PAIL_E_CONNECT, "the connection broke", NULL},
    [PL_HTTP_IDLE] = {PAIL_E_TIMEOUT, "nothing moved", "idle_timeout_ms sets how long to wait"},
    [PL_HTTP_GARBAGE] = {PAIL_E_PROTOCOL, "the answer is not HTTP",
                         "check the endpoint: its port, and whether it wants http or https"},
    [PL_HTTP_TOO_LARGE] = {PAIL_E_PROTOCOL, "the answer is too large", NULL},
    [PL_HTTP_SOURCE] = {PAIL_E_IO, "reading what is to be sent", NULL},
    [PL_HTTP_SINK] = {PAIL_E_IO, "writing what was received", NULL},
    [PL_HTTP_REFUSED] = {PAIL_E_PROTOCOL, "the answer was refused", NULL},
};

pail_code pl_http_report_failure(const struct pl_http_run *run, struct pail_error **err)
{
    const struct pl_http_response *r = &run->x.response;
    char endpoint[320];
    if (r->fail == PL_HTTP_SOURCE && r->sys_errno == 0) {
        return pl_fail(err, PAIL_E_CHANGED, "the source changed while it was sent");
    }
    if (r->fail == PL_HTTP_SOURCE || r->fail == PL_HTTP_SINK) {
        return pl_fail_errno(err, r->sys_errno, "%s", failures[r->fail].what);
    }
    pl_origin_text(&run->x.request.origin, endpoint, sizeof endpoint);
    bool plain = r->fail == PL_HTTP_CANCELLED || r->fail == PL_HTTP_NO_MEMORY;
    pail_code rc =
        pl_fail(err, failures[r->fail].code, "%s%s%s%s%s", failures[r->fail].what,
                plain ? "" : " (", plain ? "" : endpoint, plain ? "" : "): ", plain ? "" : r->why);
    if (failures[r->fail].hint) {
        pl_error_hint(err, "%s", failures[r->fail].hint);
    }
    if (err && *err && !(*err)->is_static) {
        (*err)->http_status = r->status;
    }
    return rc;
}

void pl_http_report_context(const struct pl_http_run *run, struct pail_error *err)
{
    if (!err || err->is_static) {
        return;
    }
    char endpoint[320];
    err->attempts = run->sent;
    err->maybe_applied = run->ambiguous;
    if (run->x.request.origin.host) {
        pl_origin_text(&run->x.request.origin, endpoint, sizeof endpoint);
        pl_error_set(&err->endpoint, pl_str_c(endpoint));
    }
}

/* The request's id as the service gave it: from the error, else from its header. */
static struct pl_str request_id(const struct pl_http_run *run, const struct pail_error *err)
{
    const char *header = run->p->dialect->ops->request_id_header;
    if (err && err->request_id) {
        return pl_str_c(err->request_id);
    }
    return header ? pl_http_header(&run->x.response, header) : pl_str_n(NULL, 0);
}

static void send_event(struct pl_http_run *run, pail_code code, const char *id)
{
    const struct pl_http_response *r = &run->x.response;
    const struct pl_op *op = run->op;
    struct pl_http_provider *p = run->p;
    char endpoint[320];
    pail_event e = {
        .size = sizeof e,
        .operation = pl_op_name(run->checking ? PL_OP_STAT : op->kind),
        .bucket = op->bucket,
        .key = op->key,
        .method = run->x.request.method,
        .endpoint = pl_origin_text(&run->x.request.origin, endpoint, sizeof endpoint),
        .request_id = id,
        .attempt = run->sent,
        .http_status = r->status,
        .reused_connection = r->reused_connection,
        .code = code,
        .sent_bytes = r->sent_bytes,
        .received_bytes = r->received_bytes,
        .dns_us = r->timing.dns_us,
        .connect_us = r->timing.connect_us,
        .tls_us = r->timing.tls_us,
        .first_byte_us = r->timing.first_byte_us,
        .total_us = r->timing.total_us,
        .server_time_ms = pl_http_header_date(r, "date"),
    };
    pthread_mutex_lock(&p->event_lock);
    p->event(&e, p->event_ctx);
    pthread_mutex_unlock(&p->event_lock);
}

void pl_http_report_attempt(struct pl_http_run *run, pail_code code, const struct pail_error *err)
{
    const struct pl_http_response *r = &run->x.response;
    char id[128];
    struct pl_str text = request_id(run, err);
    size_t n = text.len < sizeof id ? text.len : sizeof id - 1;
    if (!run->p->event && !pl_log_on(run->p->log, PAIL_LOG_DEBUG)) {
        return;
    }
    memcpy(id, n ? text.ptr : "", n);
    id[n] = '\0';
    if (run->p->event) {
        send_event(run, code, id);
    }
    pl_log(run->p->log, PAIL_LOG_DEBUG,
           "%s %s%s%s: attempt %d, %s, status %d, %" PRId64 " us, sent %" PRIu64
           ", received %" PRIu64 "%s%s",
           pl_op_name(run->checking ? PL_OP_STAT : run->op->kind),
           run->op->bucket ? run->op->bucket : "", run->op->key ? "/" : "",
           run->op->key ? run->op->key : "", run->sent, pail_code_name(code), r->status,
           r->timing.total_us, r->sent_bytes, r->received_bytes, n ? ", request " : "", id);
}

void pl_http_report_retry(struct pl_http_run *run, const struct pail_error *err, int64_t wait_ms)
{
    pl_log(run->p->log, PAIL_LOG_INFO, "%s %s%s%s: attempt %d ended: %s; again in %" PRId64 " ms",
           pl_op_name(run->op->kind), run->op->bucket ? run->op->bucket : "",
           run->op->key ? "/" : "", run->op->key ? run->op->key : "", run->sent,
           err && err->message ? err->message : "to try another way", wait_ms);
}
