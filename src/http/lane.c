#include "http/lane.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/sys.h"
#include "codec/digest.h"

static void blame(struct pl_http_exchange *x, enum pl_http_fail fail, const char *why)
{
    if (!x->response.fail) {
        x->response.fail = fail;
        struct pl_str text = pl_str_c(why);
        size_t n = text.len < sizeof x->response.why ? text.len : sizeof x->response.why - 1;
        memcpy(x->response.why, text.ptr, n);
        x->response.why[n] = '\0';
    }
}

/* ---- Callbacks of libcurl */

/* Runs each time a request is about to go out: also where libcurl sends it again because a kept
 * connection turned out to be closed. After an exchange with POSTFIELDS 7.88 does not rewind the
 * body then, and waits for ever. */
static int about_to_send(void *ctx, char *ip, char *local_ip, int port, int local_port)
{
    (void)ip, (void)local_ip, (void)port, (void)local_port;
    struct pl_http_lane *lane = ctx;
    lane->x->response.sends++;
    lane->source_at = 0;
    return CURL_PREREQFUNC_OK;
}

static size_t take_head(char *data, size_t one, size_t n, void *ctx)
{
    struct pl_http_exchange *x = ((struct pl_http_lane *)ctx)->x;
    struct pl_http_response *r = &x->response;
    bool complete = pl_http_response_line(r, pl_str_n(data, one * n));
    if (complete) {
        bool success = r->status / 100 == 2;
        size_t max = x->request.body_bytes_max ? x->request.body_bytes_max : PL_HTTP_BODY_BYTES_MAX;
        r->body.max = success ? max : PL_HTTP_ERROR_BYTES_MAX;
        if (success && x->on_head && !x->on_head(x)) {
            blame(x, PL_HTTP_REFUSED, "the answer was refused");
        }
    }
    return r->fail ? 0 : one * n;
}

static bool flush(struct pl_http_lane *lane)
{
    size_t n = lane->staged;
    lane->staged = 0;
    if (n && !pl_body_write(lane->x->response.sink, lane->staging, n)) {
        lane->x->response.sys_errno = errno;
        blame(lane->x, PL_HTTP_SINK, "writing what was received");
        return false;
    }
    return true;
}

static bool stage(struct pl_http_lane *lane, const char *data, size_t n)
{
    if (!lane->staging) {
        lane->staging = pl_alloc(PL_LANE_STAGING);
        if (!lane->staging) {
            blame(lane->x, PL_HTTP_NO_MEMORY, "no memory for a buffer");
            return false;
        }
    }
    if (lane->staged + n > PL_LANE_STAGING && !flush(lane)) {
        return false;
    }
    memcpy(lane->staging + lane->staged, data, n);
    lane->staged += n;
    return true;
}

static bool to_sink(struct pl_http_lane *lane, const char *data, size_t n)
{
    struct pl_http_response *r = &lane->x->response;
    if (atomic_load_explicit(&r->sink->done, memory_order_relaxed) + lane->staged + n >
        r->sink->len) {
        blame(lane->x, PL_HTTP_TOO_LARGE, "more bytes came than were asked for");
        return false;
    }
    if (r->sink_bytes && r->body_bytes + n > r->sink_bytes) {
        blame(lane->x, PL_HTTP_TOO_LARGE, "more bytes came than were announced");
        return false;
    }
    if (r->digest) {
        pl_digest_update(r->digest, data, n);
    }
    if (r->sink->kind == PL_BODY_FILE) {
        return stage(lane, data, n);
    }
    if (!pl_body_write(r->sink, data, n)) {
        r->sys_errno = errno;
        blame(lane->x, PL_HTTP_SINK, "keeping what was received");
    }
    return !r->fail;
}

static bool to_buffer(struct pl_http_lane *lane, const char *data, size_t n)
{
    struct pl_http_response *r = &lane->x->response;
    size_t room = r->body.max - r->body.len;
    if (n > room && r->status / 100 != 2) {
        pl_buf_add(&r->body, data, room);
        lane->enough = true;
        return false;
    }
    pl_buf_add(&r->body, data, n);
    if (pl_buf_rc(&r->body) == PAIL_E_TOO_LARGE) {
        blame(lane->x, PL_HTTP_TOO_LARGE, "the answer is larger than any such answer should be");
    } else if (pl_buf_rc(&r->body)) {
        blame(lane->x, PL_HTTP_NO_MEMORY, "no memory for the answer");
    }
    return !r->fail;
}

static size_t take_body(char *data, size_t one, size_t n, void *ctx)
{
    struct pl_http_lane *lane = ctx;
    struct pl_http_response *r = &lane->x->response;
    size_t bytes = one * n;
    bool ok = r->sink ? to_sink(lane, data, bytes) : to_buffer(lane, data, bytes);
    r->body_bytes += bytes;
    return ok ? bytes : 0;
}

/* With what is sent around the body. */
static uint64_t body_bytes(const struct pl_http_request *q)
{
    return q->body ? q->before.len + q->body->len + q->after.len : 0;
}

/* Bytes of the whole from `at` on, of one of its three pieces; 0: errno says why. */
static size_t read_piece(const struct pl_http_request *q, uint64_t at, char *room, size_t n)
{
    struct pl_str text = q->before;
    if (at >= text.len) {
        at -= text.len;
        if (at < q->body->len) {
            n = n < q->body->len - at ? n : (size_t)(q->body->len - at);
            return pl_body_read(q->body, at, room, n) ? n : 0;
        }
        at -= q->body->len;
        text = q->after;
    }
    n = n < text.len - at ? n : (size_t)(text.len - at);
    memcpy(room, text.ptr + at, n);
    return n;
}

static bool read_source(struct pl_http_lane *lane, uint64_t at, char *room, size_t n)
{
    struct pl_http_request *q = &lane->x->request;
    for (size_t have = 0; have < n;) {
        size_t got = read_piece(q, at + have, room + have, n - have);
        if (!got) {
            lane->x->response.sys_errno = errno;
            blame(lane->x, PL_HTTP_SOURCE, "reading the body to send");
            return false;
        }
        have += got;
    }
    uint64_t end = at + n > q->before.len ? at + n - q->before.len : 0;
    end = end < q->body->len ? end : q->body->len;
    atomic_store_explicit(&q->body->done, end, memory_order_relaxed);
    return true;
}

static size_t give_body(char *room, size_t one, size_t n, void *ctx)
{
    struct pl_http_lane *lane = ctx;
    uint64_t left = body_bytes(&lane->x->request) - lane->source_at;
    size_t bytes = left < one * n ? (size_t)left : one * n;
    if (!read_source(lane, lane->source_at, room, bytes)) {
        return CURL_READFUNC_ABORT;
    }
    lane->source_at += bytes;
    return bytes;
}

static int rewind_body(void *ctx, curl_off_t offset, int whence)
{
    if (whence != SEEK_SET || offset < 0) {
        return CURL_SEEKFUNC_CANTSEEK;
    }
    ((struct pl_http_lane *)ctx)->source_at = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* So that programs which the user's program starts do not inherit connections. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    (void)ctx, (void)purpose;
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- Setting up */

static void set_callbacks(struct pl_http_lane *lane)
{
    CURL *c = lane->easy;
    curl_easy_setopt(c, CURLOPT_PRIVATE, lane);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, lane->text);
    curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, about_to_send);
    curl_easy_setopt(c, CURLOPT_PREREQDATA, lane);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_head);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, lane);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, lane);
    curl_easy_setopt(c, CURLOPT_READFUNCTION, give_body);
    curl_easy_setopt(c, CURLOPT_READDATA, lane);
    curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, rewind_body);
    curl_easy_setopt(c, CURLOPT_SEEKDATA, lane);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
}

/* Measured: the default buffers cost 1.8 times the CPU; without QUICK_EXIT a cancel or timeout
 * while a name is looked up blocks the whole reactor until the resolver answers. */
static void set_ways(CURL *c)
{
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)PL_LANE_CURL_BUFFER);
    curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, (long)PL_LANE_CURL_BUFFER);
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
}

static void set_config(CURL *c, const struct pl_http_config *f)
{
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION,
                     (long)(f->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, f->insecure ? 0L : 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, f->insecure ? 0L : 2L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)f->connect_timeout_ms);
    /* Set in any case, so that libcurl reads no variables of its own accord. */
    curl_easy_setopt(c, CURLOPT_NOPROXY, f->no_proxy ? f->no_proxy : "");
    if (f->ca_file) {
        curl_easy_setopt(c, CURLOPT_CAINFO, f->ca_file);
        curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
    }
    if (f->client_cert_file) {
        curl_easy_setopt(c, CURLOPT_SSLCERT, f->client_cert_file);
        curl_easy_setopt(c, CURLOPT_SSLKEY,
                         f->client_key_file ? f->client_key_file : f->client_cert_file);
    }
    if (f->unix_socket) {
        curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, f->unix_socket);
    }
}

struct pl_http_lane *pl_http_lane_new(const struct pl_http_config *config)
{
    struct pl_http_lane *lane = pl_calloc(1, sizeof *lane);
    if (!lane) {
        return NULL;
    }
    lane->config = config;
    lane->url.max = 64 * 1024;
    lane->lines.max = 256 * 1024;
    lane->small_body.max = PL_LANE_POST_MAX;
    lane->easy = curl_easy_init();
    if (!lane->easy) {
        pl_http_lane_free(lane);
        return NULL;
    }
    set_callbacks(lane);
    set_ways(lane->easy);
    set_config(lane->easy, config);
    return lane;
}

void pl_http_lane_free(struct pl_http_lane *lane)
{
    if (!lane) {
        return;
    }
    if (lane->easy) {
        curl_easy_cleanup(lane->easy);
    }
    pl_buf_dispose(&lane->url);
    pl_buf_dispose(&lane->lines);
    pl_buf_dispose(&lane->small_body);
    pl_free(lane->nodes);
    pl_free(lane->staging);
    pl_free(lane);
}

/* ---- One exchange */

/* Where a line begins is remembered as an offset: the buffer may move while it grows. */
static void add_line(struct pl_http_lane *lane, size_t *count, const char *name,
                     struct pl_str value)
{
    if (*count == lane->node_cap) {
        size_t cap = lane->node_cap ? lane->node_cap * 2 : 32;
        struct curl_slist *more = pl_realloc(lane->nodes, cap * sizeof *more);
        if (!more) {
            lane->lines.rc = PAIL_E_NO_MEMORY;
            return;
        }
        lane->nodes = more;
        lane->node_cap = cap;
    }
    lane->nodes[(*count)++].data = (char *)(uintptr_t)lane->lines.len;
    pl_buf_puts(&lane->lines, name);
    pl_buf_puts(&lane->lines, value.len ? ": " : ";"); /* libcurl drops "name:", sends "name;" */
    pl_buf_str(&lane->lines, value);
    pl_buf_putc(&lane->lines, '\0');
}

/* Takes out a header that libcurl would add by itself. */
static void no_header(struct pl_http_lane *lane, size_t *count, const char *line)
{
    add_line(lane, count, line, pl_str_n("", 0));
    if (!lane->lines.rc) {
        lane->lines.ptr[lane->lines.len - 2] = '\0'; /* "name:" without the ';' */
    }
}

static bool set_headers(struct pl_http_lane *lane, struct pl_http_request *q)
{
    size_t count = 0;
    bool typed = false;
    pl_buf_clear(&lane->lines);
    const char *host = pl_http_host(q);
    if (!host) {
        return false;
    }
    add_line(lane, &count, "Host", pl_str_c(host));
    add_line(lane, &count, "User-Agent", pl_str_c(lane->config->user_agent));
    no_header(lane, &count, "Accept:");
    no_header(lane, &count, "Expect:");
    for (size_t i = 0; i < q->header_count; i++) {
        add_line(lane, &count, q->headers[i].name.ptr, q->headers[i].value);
        typed |= pl_str_ieq(q->headers[i].name, PL_STR("content-type"));
    }
    if (!typed) {
        no_header(lane, &count, "Content-Type:");
    }
    if (pl_buf_rc(&lane->lines)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        lane->nodes[i].data = lane->lines.ptr + (size_t)(uintptr_t)lane->nodes[i].data;
        lane->nodes[i].next = i + 1 < count ? &lane->nodes[i + 1] : NULL;
    }
    curl_easy_setopt(lane->easy, CURLOPT_HTTPHEADER, lane->nodes);
    return true;
}

/* SPEC RFC 3986#2: what may stand in a target is printable ASCII; a '#' would end it. */
static bool set_url(struct pl_http_lane *lane, const struct pl_http_request *q)
{
    char room[320];
    pl_buf_clear(&lane->url);
    pl_buf_puts(&lane->url, pl_origin_text(&q->origin, room, sizeof room));
    pl_buf_puts(&lane->url, q->target);
    if (pl_buf_rc(&lane->url) || !*room || q->target[0] != '/') {
        return false;
    }
    for (size_t i = 0; i < lane->url.len; i++) {
        if (lane->url.ptr[i] <= ' ' || lane->url.ptr[i] >= 0x7f || lane->url.ptr[i] == '#') {
            return false;
        }
    }
    const struct pl_http_config *f = lane->config;
    const char *proxy = q->direct ? NULL : q->origin.tls ? f->proxy_https : f->proxy_http;
    curl_easy_setopt(lane->easy, CURLOPT_PROXY, proxy ? proxy : "");
    if (f->unix_socket) {
        curl_easy_setopt(lane->easy, CURLOPT_UNIX_SOCKET_PATH, q->direct ? NULL : f->unix_socket);
    }
    return curl_easy_setopt(lane->easy, CURLOPT_URL, lane->url.ptr) == CURLE_OK;
}

/* A small body goes out in one write with its head, without callbacks: 5 us less per request. */
static bool set_small_body(struct pl_http_lane *lane, const struct pl_http_request *q)
{
    struct pl_body *body = q->body;
    const char *data = body ? body->ptr : "";
    uint64_t len = body_bytes(q);
    if (body && (body->kind == PL_BODY_FILE || len > body->len)) {
        pl_buf_clear(&lane->small_body);
        char *room = pl_buf_reserve(&lane->small_body, (size_t)len);
        if (!room) {
            blame(lane->x, PL_HTTP_NO_MEMORY, "no memory for the body");
            return false;
        }
        if (!read_source(lane, 0, room, (size_t)len)) {
            return false;
        }
        data = room;
    }
    curl_easy_setopt(lane->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
    curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDS, len ? data : "");
    if (body) {
        atomic_store_explicit(&body->done, body->len, memory_order_relaxed);
    }
    return true;
}

static bool set_method(struct pl_http_lane *lane, struct pl_http_request *q)
{
    CURL *c = lane->easy;
    bool put = strcmp(q->method, "PUT") == 0, post = strcmp(q->method, "POST") == 0;
    curl_easy_setopt(c, CURLOPT_HTTPGET, 1L); /* undoes what the exchange before set */
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, NULL);
    if (q->body && body_bytes(q) > PL_LANE_POST_MAX) {
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)body_bytes(q));
        atomic_store_explicit(&q->body->done, 0, memory_order_relaxed);
    } else if (q->body || put || post) {
        if (!set_small_body(lane, q)) {
            return false;
        }
    } else if (strcmp(q->method, "HEAD") == 0) {
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
        return true;
    }
    if (strcmp(q->method, "GET") != 0) {
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
    }
    return true;
}

bool pl_http_lane_start(struct pl_http_lane *lane, struct pl_http_exchange *x)
{
    struct pl_http_request *q = &x->request;
    lane->x = x;
    lane->source_at = 0;
    lane->staged = 0;
    lane->enough = false;
    lane->text[0] = '\0';
    if (q->failed || !set_url(lane, q) || !set_headers(lane, q)) {
        bool memory = q->arena.failed || pl_buf_rc(&lane->lines) == PAIL_E_NO_MEMORY;
        blame(x, memory ? PL_HTTP_NO_MEMORY : PL_HTTP_BAD_REQUEST,
              memory ? "no memory for the request"
                     : "the request holds a control character or is too large");
    } else if (set_method(lane, q)) {
        return true;
    }
    lane->x = NULL;
    return false;
}

uint64_t pl_http_lane_moved(const struct pl_http_lane *lane)
{
    curl_off_t up = 0;
    long request = 0;
    curl_easy_getinfo(lane->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(lane->easy, CURLINFO_REQUEST_SIZE, &request);
    const struct pl_http_response *r = &lane->x->response;
    return (uint64_t)up + (uint64_t)request + r->received_bytes + r->body_bytes;
}

/* ---- Its end */

static enum pl_http_fail fail_of(CURLcode rc, const struct pl_http_response *r, bool by_proxy)
{
    switch ((int)rc) {
    case CURLE_COULDNT_RESOLVE_HOST: return PL_HTTP_DNS;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY: return PL_HTTP_PROXY;
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT: return PL_HTTP_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return PL_HTTP_TLS;
    case CURLE_OUT_OF_MEMORY: /* also what 7.88 says of a head line beyond its own limit */
        return r->sends && !r->head_done ? PL_HTTP_GARBAGE : PL_HTTP_NO_MEMORY;
    case 100: /* CURLE_TOO_LARGE of 8.6 and later */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING: return PL_HTTP_GARBAGE;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        if (r->sends == 0) {
            return by_proxy ? PL_HTTP_PROXY : PL_HTTP_CONNECT;
        }
        return r->reused_connection && !r->received_bytes ? PL_HTTP_STALE : PL_HTTP_BROKEN;
    default: return PL_HTTP_BROKEN;
    }
}

static int64_t info_us(CURL *c, CURLINFO which)
{
    curl_off_t us = 0;
    curl_easy_getinfo(c, which, &us);
    return us;
}

static void take_facts(struct pl_http_lane *lane, struct pl_http_response *r)
{
    long opened = 0, request = 0;
    curl_off_t up = 0;
    curl_easy_getinfo(lane->easy, CURLINFO_NUM_CONNECTS, &opened);
    curl_easy_getinfo(lane->easy, CURLINFO_REQUEST_SIZE, &request);
    curl_easy_getinfo(lane->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    r->reused_connection = opened == 0 && r->sends > 0;
    r->sent_bytes = (uint64_t)request + (uint64_t)up;
    r->received_bytes += r->body_bytes;
    r->timing.dns_us = opened ? info_us(lane->easy, CURLINFO_NAMELOOKUP_TIME_T) : 0;
    r->timing.connect_us = opened ? info_us(lane->easy, CURLINFO_CONNECT_TIME_T) : 0;
    r->timing.tls_us = opened ? info_us(lane->easy, CURLINFO_APPCONNECT_TIME_T) : 0;
    r->timing.first_byte_us = info_us(lane->easy, CURLINFO_STARTTRANSFER_TIME_T);
    r->timing.total_us = info_us(lane->easy, CURLINFO_TOTAL_TIME_T);
    r->done_wall_ms = pl_sys.wall_ms();
}

void pl_http_lane_end(struct pl_http_lane *lane, CURLcode rc)
{
    struct pl_http_exchange *x = lane->x;
    struct pl_http_response *r = &x->response;
    if (r->sink && r->sink->kind == PL_BODY_FILE) {
        (void)flush(lane); /* its failure is in r->fail */
    }
    take_facts(lane, r);
    if (rc != CURLE_OK && !(lane->enough && rc == CURLE_WRITE_ERROR)) {
        const struct pl_http_config *f = lane->config;
        blame(x, fail_of(rc, r, x->request.origin.tls ? f->proxy_https : f->proxy_http),
              lane->text[0] ? lane->text : curl_easy_strerror(rc));
    } else if (!r->head_done) {
        blame(x, PL_HTTP_BROKEN, "the connection ended in the middle of the head");
    }
    pl_zero(lane->lines.ptr, lane->lines.len); /* signatures and tokens */
    lane->x = NULL;
}
