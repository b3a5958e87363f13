/* Signed URLs of stores that have no server but ours. */
#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "api/server.h"
#include "base/sys.h"
#include "codec/url.h"
#include "sign/sigv4.h"

enum { PROBE_S = 2, ANSWER_MAX = 4096 };

bool pl_server_presigns(const pail_client *c)
{
    return strcmp(c->scheme, "local") == 0 || strcmp(c->scheme, "file") == 0 ||
           strcmp(c->scheme, "memory") == 0;
}

/* ---- does the address still answer for this store? ---- */

static int connect_to(const struct pl_url *url)
{
    struct pl_buf host = PL_BUF_MAX(256), port = PL_BUF_MAX(16);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *list = NULL;
    struct timeval wait = {PROBE_S, 0};
    pl_buf_str(&host, url->host);
    pl_buf_u64(&port, url->port);
    int fd = -1;
    if (!pl_buf_rc(&host) && !pl_buf_rc(&port) &&
        getaddrinfo(host.ptr, port.ptr, &hints, &list) == 0) {
        fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) < 0 ||
                    connect(fd, list->ai_addr, list->ai_addrlen) < 0)) {
        pl_sys.close(fd);
        fd = -1;
    }
    if (list) {
        freeaddrinfo(list);
    }
    pl_buf_dispose(&host);
    pl_buf_dispose(&port);
    return fd;
}

/* Over TLS it is only seen that somebody listens: the URL itself is verified by whoever uses it. */
static bool answers(const struct pl_serve_record *r)
{
    static const char ask[] = "GET /-/healthz HTTP/1.0\r\nHost: pail\r\n\r\n";
    struct pl_url url;
    char text[ANSWER_MAX];
    size_t n = 0;
    ssize_t got = 1;
    if (!r->address || pl_url_parse(pl_str_c(r->address), &url, NULL)) {
        return false;
    }
    int fd = connect_to(&url);
    if (fd < 0) {
        return false;
    }
    bool ok = url.tls;
    if (!ok && send(fd, ask, sizeof ask - 1, MSG_NOSIGNAL) == (ssize_t)(sizeof ask - 1)) {
        while (got > 0 && n < sizeof text - 1) {
            got = recv(fd, text + n, sizeof text - 1 - n, 0);
            n += got > 0 ? (size_t)got : 0;
        }
        text[n] = '\0';
        ok = strstr(text, r->store) != NULL;
    }
    pl_sys.close(fd);
    return ok;
}

static pail_code no_server(struct pail_error **err)
{
    pl_fail(err, PAIL_E_UNSUPPORTED,
            "a signed URL needs a server that answers it, and none serves "
            "this store now");
    pl_error_hint(err, "run `pail serve` beside, or `pail presign --serve`; in a program set "
                       "local_presign=serve or call pail_server_start");
    return PAIL_E_UNSUPPORTED;
}

static pail_code find_server(pail_client *c, struct pl_serve_record *r, struct pail_error **err)
{
    const char *how = pl_settings_get(&c->settings, "local_presign");
    if (pl_server_here(c, r)) {
        return PAIL_OK;
    }
    pail_code rc = pl_serve_record_read(c, r, err);
    if (rc == PAIL_OK && answers(r)) {
        return PAIL_OK;
    }
    pl_serve_record_dispose(r);
    if (rc && rc != PAIL_E_NOT_FOUND) {
        return rc;
    }
    if (how && strcmp(how, "serve") == 0) {
        rc = pl_server_own(c, err);
        return rc ? rc : pl_server_here(c, r) ? PAIL_OK : no_server(err);
    }
    return no_server(err);
}

/* ---- the URL ---- */

static void add_target(struct pl_buf *b, const struct pl_op *op)
{
    struct pl_buf query = PL_BUF_MAX(32 << 10);
    pl_buf_printf(b, "/%s/", op->bucket);
    pl_url_encode(b, pl_str_c(op->key), PL_URL_KEEP_SLASH);
    if (op->in.presign.response_content_type) {
        pl_url_query_add(&query, "response-content-type",
                         pl_str_c(op->in.presign.response_content_type));
    }
    if (op->in.presign.response_content_disposition) {
        pl_url_query_add(&query, "response-content-disposition",
                         pl_str_c(op->in.presign.response_content_disposition));
    }
    if (op->version) {
        pl_url_query_add(&query, "versionId", pl_str_c(op->version));
    }
    if (query.len) {
        pl_buf_putc(b, '?');
        pl_buf_str(b, pl_buf_view(&query));
    }
    pl_buf_dispose(&query);
}

static pail_code sign(const struct pl_serve_record *r, struct pl_op *op, struct pl_buf *out,
                      struct pail_error **err)
{
    struct pl_sigv4 s = {0};
    struct pl_buf target = PL_BUF_MAX(64 << 10);
    struct pl_header type = {PL_STR("content-type"), pl_str_c(op->in.presign.content_type)};
    struct pl_sigv4_identity who = {.access_key = pl_str_c(r->id),
                                    .secret_key = pl_str_c(r->secret),
                                    .token = PL_STR(""),
                                    .region = PL_STR("us-east-1"),
                                    .service = PL_STR("s3"),
                                    .time_ms = pl_sys.wall_ms()};
    add_target(&target, op);
    struct pl_sigv4_request q = {.method = pl_str_c(op->in.presign.method),
                                 .target = pl_buf_view(&target),
                                 .host = pl_str_c(strstr(r->address, "://") + 3),
                                 .headers = &type,
                                 .header_count = type.value.len > 0,
                                 .payload_hash = PL_SIGV4_UNSIGNED};
    pl_buf_puts(out, r->address);
    pail_code rc = pl_sigv4_init(&s, err);
    rc = rc ? rc : pl_sigv4_presign(&s, &who, &q, op->in.presign.expires_s, out, err);
    op->out.presigned.expires_ms = who.time_ms + (int64_t)op->in.presign.expires_s * 1000;
    pl_sigv4_dispose(&s);
    pl_buf_dispose(&target);
    return rc;
}

static void add_header(struct pl_op *op)
{
    pail_kv *kv = op->in.presign.content_type ? pl_arena_alloc(&op->arena, sizeof *kv) : NULL;
    if (kv) {
        kv->name = "Content-Type";
        kv->value = pl_arena_dup_c(&op->arena, op->in.presign.content_type);
        op->out.presigned.headers = kv;
        op->out.presigned.header_count = 1;
    }
}

pail_code pl_server_presign(pail_client *c, struct pl_op *op, struct pail_error **err)
{
    struct pl_serve_record r;
    struct pl_buf url = PL_BUF_MAX(64 << 10);
    pail_code rc = find_server(c, &r, err);
    if (rc) {
        return rc;
    }
    rc = sign(&r, op, &url, err);
    if (rc == PAIL_OK) {
        op->out.presigned.url = pl_arena_dup(&op->arena, pl_buf_view(&url));
        add_header(op);
        rc = op->arena.failed ? pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a signed URL") : rc;
    }
    if (url.ptr) {
        pl_zero(url.ptr, url.cap);
    }
    pl_buf_dispose(&url);
    pl_serve_record_dispose(&r);
    return rc;
}
