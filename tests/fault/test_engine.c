/* The engine against a server that misbehaves. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/test.h"
#include "base/sys.h"
#include "codec/digest.h"
#include "http/engine.h"
#include "loopback.h"

#define OK_HEAD(n) "HTTP/1.1 200 OK\r\nContent-Length: " #n "\r\n\r\n"

struct call {
    struct pl_http_exchange x;
    sem_t done;
    int times;
    struct pl_body *sink;
    struct pl_digest *digest;
};

static void call_done(struct pl_http_exchange *x)
{
    struct call *c = x->ctx;
    c->times++;
    sem_post(&c->done);
}

static bool take_sink(struct pl_http_exchange *x)
{
    struct call *c = x->ctx;
    x->response.sink = c->sink;
    x->response.digest = c->digest;
    return true;
}

static void call_init(struct call *c, const char *method, uint16_t port, const char *target)
{
    memset(c, 0, sizeof *c);
    sem_init(&c->done, 0, 0);
    c->x.ctx = c;
    c->x.done = call_done;
    c->x.on_head = take_sink;
    c->x.request.method = method;
    c->x.request.origin = (struct pl_origin){false, "127.0.0.1", port};
    c->x.request.target = target;
}

static void call_wait(struct call *c)
{
    while (sem_wait(&c->done) && errno == EINTR) {
    }
}

static void call_run(struct pl_http_engine *e, struct call *c)
{
    pl_http_submit(e, &c->x);
    call_wait(c);
}

static void call_free(struct call *c)
{
    pl_http_request_dispose(&c->x.request);
    pl_http_response_dispose(&c->x.response);
    sem_destroy(&c->done);
}

static struct pl_http_engine *engine(struct pl_http_config config)
{
    struct pl_http_engine *e = NULL;
    if (pl_http_engine_get(&config, &e, NULL) != PAIL_OK) {
        exit(1);
    }
    return e;
}

static void test_get__the_target_and_headers_arrive_exactly_and_connections_are_kept(void)
{
    static const struct loopback_step steps[] = {
        {.send = OK_HEAD(5) "hello"},
        {.send = OK_HEAD(0)},
    };
    struct loopback s;
    loopback_start(&s, steps, 2);
    struct pl_http_engine *e = engine((struct pl_http_config){0});
    struct call c;
    call_init(&c, "GET", s.port, "/b/a//../%2F/./x%20y?z=%2f&empty=");
    pl_http_add_c(&c.x.request, "x-empty", "");
    pl_http_add_c(&c.x.request, "x-one", "two words");
    call_run(e, &c);
    CHECK_INT(c.x.response.fail, PL_HTTP_OK);
    CHECK_INT(c.x.response.status, 200);
    CHECK(pl_str_is(pl_buf_view(&c.x.response.body), "hello"));
    CHECK(!c.x.response.reused_connection && c.x.response.timing.total_us > 0);
    char host[64];
    snprintf(host, sizeof host, "Host: 127.0.0.1:%u", s.port);
    CHECK(loopback_has(&s, 0, "GET /b/a//../%2F/./x%20y?z=%2f&empty= HTTP/1.1"));
    CHECK(loopback_has(&s, 0, host) && loopback_has(&s, 0, "User-Agent: pail/" PAIL_VERSION));
    CHECK(loopback_has(&s, 0, "x-empty:") && loopback_has(&s, 0, "x-one: two words"));
    CHECK(s.heads[0] && !strcasestr(s.heads[0], "\naccept") && !strcasestr(s.heads[0], "\nexpect"));
    call_free(&c);
    call_init(&c, "GET", s.port, "/");
    call_run(e, &c);
    CHECK(c.x.response.reused_connection && s.connections == 1);
    call_free(&c);
    pl_http_engine_put(e);
    loopback_stop(&s);
}

static void test_methods__each_says_its_length_and_no_content_type_of_its_own(void)
{
    static const struct loopback_step steps[] = {{.send = OK_HEAD(0), .for_ever = true}};
    static const struct {
        const char *method, *body, *line;
    } cases[] = {{"PUT", "abc", "Content-Length: 3"},   {"PUT", NULL, "Content-Length: 0"},
                 {"POST", "", "Content-Length: 0"},     {"POST", "<a/>", "Content-Length: 4"},
                 {"HEAD", NULL, "HEAD / HTTP/1.1"},     {"DELETE", NULL, "DELETE / HTTP/1.1"},
                 {"GET", NULL, "GET / HTTP/1.1"},       {"DELETE", "x", "Content-Length: 1"},
                 {"PUT", "again", "Content-Length: 5"}, {"GET", NULL, "GET / HTTP/1.1"}};
    struct loopback s;
    loopback_start(&s, steps, 1);
    struct pl_http_engine *e = engine((struct pl_http_config){0});
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        struct call c;
        call_init(&c, cases[i].method, s.port, "/");
        if (cases[i].body) {
            pl_http_set_text(&c.x.request, pl_str_c(cases[i].body));
        }
        call_run(e, &c);
        CHECK_INT(c.x.response.fail, PL_HTTP_OK);
        CHECK(loopback_has(&s, i, cases[i].line));
        CHECK(s.heads[i] && !strcasestr(s.heads[i], "content-type") &&
              !strcasestr(s.heads[i], "transfer-encoding"));
        CHECK_STR(s.bodies[i], cases[i].body ? cases[i].body : "");
        CHECK(c.x.response.sent_bytes > 0);
        call_free(&c);
    }
    CHECK_INT(s.connections, 1);
    pl_http_engine_put(e);
    loopback_stop(&s);
}

static void test_put__large_bodies_come_from_memory_and_from_a_file_range(void)
{
    static const struct loopback_step steps[] = {{.send = OK_HEAD(0), .for_ever = true}};
    enum { SIZE = 700000 };
    struct loopback s;
    loopback_start(&s, steps, 1);
    struct pl_http_engine *e = engine((struct pl_http_config){0});
    char *data = malloc(SIZE), path[] = "/tmp/pail-engine-XXXXXX";
    for (int i = 0; i < SIZE; i++) {
        data[i] = (char)(i * 7);
    }
    int fd = mkstemp(path);
    REQUIRE(fd >= 0 && write(fd, data, SIZE) == SIZE);
    const uint64_t lengths[] = {SIZE - 1000, 5000};
    for (int i = 0; i < 4; i++) {
        struct call c;
        struct pl_body body = {.kind = i % 2 ? PL_BODY_FILE : PL_BODY_MEM,
                               .ptr = data + 1000,
                               .fd = fd,
                               .offset = 1000,
                               .len = lengths[i / 2]};
        call_init(&c, "PUT", s.port, "/k");
        c.x.request.body = &body;
        call_run(e, &c);
        CHECK_INT(c.x.response.status, 200);
        CHECK(s.body_lengths[i] == body.len && atomic_load(&body.done) == body.len);
        CHECK(s.bodies[i] && memcmp(s.bodies[i], data + 1000, (size_t)body.len) == 0);
        call_free(&c);
    }
    struct call c;
    struct pl_body too_long = {.kind = PL_BODY_FILE, .fd = fd, .len = SIZE + 5};
    call_init(&c, "PUT", s.port, "/k");
    c.x.request.body = &too_long;
    call_run(e, &c);
    CHECK_INT(c.x.response.fail, PL_HTTP_SOURCE);
    CHECK_INT(c.x.response.sys_errno, 0);
    call_free(&c);
    close(fd);
    unlink(path);
    free(data);
    pl_http_engine_put(e);
    loopback_stop(&s);
}

static void test_get__a_sink_takes_the_body_and_its_checksum_runs_along(void)
{
    static const struct loopback_step steps[] = {
        {.send = OK_HEAD(1500000), .fill = 1500000, .for_ever = true}};
    enum { SIZE = 1500000 };
    struct loopback s;
    loopback_start(&s, steps, 1);
    struct pl_http_engine *e = engine((struct pl_http_config){0});
    char *data = calloc(1, SIZE + 2), path[] = "/tmp/pail-engine-XXXXXX";
    int fd = mkstemp(path);
    for (int i = 0; i < 2; i++) {
        struct pl_body sink = {.kind = i ? PL_BODY_FILE : PL_BODY_MEM,
                               .ptr = data + 1,
                               .fd = fd,
                               .offset = 10,
                               .len = SIZE};
        struct pl_digest digest = {0};
        struct call c;
        struct pl_sum_value sum, want;
        CHECK(pl_digest_init(&digest, PL_SUM_CRC64NVME, NULL) == PAIL_OK);
        call_init(&c, "GET", s.port, "/k");
        c.sink = &sink;
        c.digest = &digest;
        call_run(e, &c);
        CHECK_INT(c.x.response.fail, PL_HTTP_OK);
        CHECK_INT(c.x.response.body_bytes, SIZE);
        CHECK_INT(atomic_load(&sink.done), SIZE);
        CHECK(pl_digest_final(&digest, &sum, NULL) == PAIL_OK);
        CHECK(data[0] == 0 && data[1] == 'x' && data[SIZE] == 'x' && data[SIZE + 1] == 0);
        CHECK(pl_sum_of(PL_SUM_CRC64NVME, data + 1, SIZE, &want, NULL) == PAIL_OK);
        CHECK(memcmp(sum.bytes, want.bytes, sum.len) == 0);
        call_free(&c);
    }
    CHECK_INT(lseek(fd, 0, SEEK_END), SIZE + 10);
    close(fd);
    unlink(path);
    free(data);
    pl_http_engine_put(e);
    loopback_stop(&s);
}

static void test_sink__more_than_its_room_or_a_failing_write_ends_the_exchange(void)
{
    static const struct loopback_step steps[] = {
        {.send = OK_HEAD(100000), .fill = 100000, .for_ever = true}};
    struct loopback s;
    loopback_start(&s, steps, 1);
    struct pl_http_engine *e = engine((struct pl_http_config){0});
    char room[1000];
    struct pl_body small = {.kind = PL_BODY_MEM, .ptr = room, .len = sizeof room};
    struct call c;
    call_init(&c, "GET", s.port, "/k");
    c.sink = &small;
    call_run(e, &c);
    CHECK_INT(c.x.response.fail, PL_HTTP_TOO_LARGE);
    call_free(&c);
    struct pl_body closed = {.kind = PL_BODY_FILE, .fd = -1, .len = 100000};
    call_init(&c, "GET", s.port, "/k");
    c.sink = &closed;
    call_run(e, &c);
    CHECK_INT(c.x.response.fail, PL_HTTP_SINK);
    CHECK_INT(c.x.response.sys_errno, EBADF);
    call_free(&c);
    pl_http_engine_put(e);
    loopback_stop(&s);
}

/* What a broken server does, and what it is called. */
static const struct {
    const char *name;
    struct loopback_step step;
    enum pl_http_fail fail;
    int status;
    uint64_t bytes; /* that came before */
} faults[] = {
    {"reset before the head", {.then = RESET}, PL_HTTP_BROKEN, 0, 0},
    {"closed before the head", {.then = CLOSE}, PL_HTTP_BROKEN, 0, 0},
    {"head cut", {.send = "HTTP/1.1 200 OK\r\nContent-", .then = CLOSE}, PL_HTTP_BROKEN, 0, 0},
    {"body cut", {.send = OK_HEAD(10) "half", .then = CLOSE}, PL_HTTP_BROKEN, 200, 4},
    {"body reset", {.send = OK_HEAD(10) "half", .then = RESET}, PL_HTTP_BROKEN, 200, 4},
    {"chunk cut",
     {.send = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf", .then = CLOSE},
     PL_HTTP_BROKEN,
     200,
     4},
    {"not HTTP", {.send = "220 mail.example ESMTP\r\n", .then = CLOSE}, PL_HTTP_GARBAGE, 0, 0},
    {"binary", {.send = "\x16\x03\x01\x02\xff\xff\xff", .then = CLOSE}, PL_HTTP_GARBAGE, 0, 0},
};

static void test_faults__are_told_apart(void)
{
    for (int i = 0; i < (int)(sizeof faults / sizeof *faults); i++) {
        struct loopback s;
        loopback_start(&s, &faults[i].step, 1);
        struct pl_http_engine *e = engine((struct pl_http_config){0});
        struct call c;
        char room[100];
        struct pl_body sink = {.kind = PL_BODY_MEM, .ptr = room, .len = sizeof room};
        call_init(&c, "GET", s.port, "/k");
        c.sink = &sink;
        call_run(e, &c);
        const struct pl_http_response *r = &c.x.response;
        if (r->fail != faults[i].fail || r->status != faults[i].status || !r->why[0] ||
            (r->body_bytes != faults[i].bytes && faults[i].step.then != RESET)) {
            printf("# %s: fail %d, status %d, %s\n", faults[i].name, r->fail, r->status, r->why);
            CHECK(false && "as expected");
        }
        CHECK_INT(r->sends, 1);
        call_free(&c);
        pl_http_engine_put(e);
        loopback_stop(&s);
    }
}

static void test_head_flood__ends_the_exchange(void)
{
    static const struct loopback_step steps[] = {
        {.send = "HTTP/1.1 200 OK\r\nX-Flood: ", .fill = 1u << 20, .then = CLOSE}};
    struct loopback s;
    loopback_start(&s, steps, 1);
    struct pl_http_engine *e = engine((struct pl_http_config){0});
    struct call c;
    call_init(&c, "GET", s.port, "/k");
    call_run(e, &c);
    CHECK_INT(c.x.response.fail, PL_HTTP_GARBAGE);
    call_free(&c);
    pl_http_engine_put(e);
    loopback_stop(&s);
}

static void test_bodies__error_pages_are_cut_and_endless_answers_refused(void)
{
    static const struct loopback_step steps[] = {
        {.send = "HTTP/1.1 503 No\r\nContent-Length: 1000000\r\n\r\n", .fill = 1000000},
        {.send = "HTTP/1.1 200 OK\r\n\r\n", .fill = 1u << 30, .then = CLOSE}};
    struct loopback s;
    loopback_start(&s, steps, 2);
    struct pl_http_engine *e = engine((struct pl_http_config){0});
    struct call c;
    call_init(&c, "GET", s.port, "/k");
    call_run(e, &c);
    CHECK_INT(c.x.response.fail, PL_HTTP_OK);
    CHECK_INT(c.x.response.status, 503);
    CHECK_INT(c.x.response.body.len, PL_HTTP_ERROR_BYTES_MAX);
    call_free(&c);
    call_init(&c, "GET", s.port, "/k");
    c.x.request.body_bytes_max = 100000;
    call_run(e, &c);
    CHECK_INT(c.x.response.fail, PL_HTTP_TOO_LARGE);
    call_free(&c);
    pl_http_engine_put(e);
    loopback_stop(&s);
}

/* then: as if it had been closed while idle, or by a server that read it all and fell over. */
static void stale(enum loopback_then then)
{
    const struct loopback_step steps[] = {
        {.send = OK_HEAD(0)}, {.then = then}, {.send = OK_HEAD(0)}};
    struct loopback s;
    loopback_start(&s, steps, 3);
    struct pl_http_engine *e = engine((struct pl_http_config){0});
    struct call c;
    call_init(&c, "POST", s.port, "/k");
    pl_http_set_text(&c.x.request, PL_STR("small"));
    call_run(e, &c);
    call_free(&c);
    enum { SIZE = 8700000, KEPT = 1 << 20 }; /* of a body by the server */
    char *data = calloc(1, SIZE);
    memset(data, 'y', SIZE);
    struct pl_body body = {.kind = PL_BODY_MEM, .ptr = data, .len = SIZE};
    call_init(&c, "PUT", s.port, "/k");
    c.x.request.body = &body;
    call_run(e, &c);
    bool again = c.x.response.fail == PL_HTTP_OK;
    CHECK(again ? c.x.response.sends == 2 : c.x.response.fail == PL_HTTP_STALE);
    CHECK(!again ||
          (s.bodies[2] && s.body_lengths[2] == SIZE && memcmp(s.bodies[2], data, KEPT) == 0));
    call_free(&c);
    free(data);
    pl_http_engine_put(e);
    loopback_stop(&s);
}

static void test_stale_connection__is_replaced_once_and_the_body_sent_whole(void)
{
    stale(CLOSE);
    stale(RESET);
}

static void test_redirect__is_an_answer_like_any_other(void)
{
    static const struct loopback_step steps[] = {
        {.send = "HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n"}};
    struct loopback s;
    loopback_start(&s, steps, 1);
    struct pl_http_engine *e = engine((struct pl_http_config){0});
    struct call c;
    call_init(&c, "GET", s.port, "/k");
    call_run(e, &c);
    CHECK_INT(c.x.response.status, 307);
    CHECK_INT(s.requests, 1);
    call_free(&c);
    pl_http_engine_put(e);
    loopback_stop(&s);
}

static void test_connect__refused_is_told(void)
{
    struct loopback s;
    loopback_start(&s, NULL, 0);
    uint16_t port = s.port;
    loopback_stop(&s);
    struct pl_http_engine *e = engine((struct pl_http_config){0});
    struct call c;
    call_init(&c, "GET", port, "/k");
    call_run(e, &c);
    CHECK_INT(c.x.response.fail, PL_HTTP_CONNECT);
    CHECK_INT(c.x.response.sends, 0);
    call_free(&c);
    pl_http_engine_put(e);
}

static void test_proxy__an_unreachable_one_is_not_taken_for_the_host(void)
{
    static const struct loopback_step steps[] = {
        {.send = "HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n", .for_ever = true}};
    struct loopback s;
    loopback_start(&s, steps, 1);
    char proxy[64];
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", s.port);
    struct pl_http_engine *e =
        engine((struct pl_http_config){.proxy_http = proxy, .proxy_https = proxy});
    struct call c;
    call_init(&c, "GET", 1, "/k");
    c.x.request.origin = (struct pl_origin){true, "store.invalid", 443};
    call_run(e, &c);
    CHECK_INT(c.x.response.fail, PL_HTTP_PROXY);
    CHECK(loopback_has(&s, 0, "CONNECT store.invalid:443 HTTP/1.1"));
    call_free(&c);
    pl_http_engine_put(e);
    e = engine((struct pl_http_config){.proxy_http = proxy, .no_proxy = "127.0.0.1"});
    call_init(&c, "GET", s.port, "/direct");
    call_run(e, &c);
    CHECK(loopback_has(&s, 1, "GET /direct HTTP/1.1"));
    call_free(&c);
    pl_http_engine_put(e);
    loopback_stop(&s);
}

static void test_tls__only_a_trusted_certificate_of_that_name_will_do(void)
{
    static const struct loopback_step steps[] = {{.send = OK_HEAD(0), .for_ever = true}};
    char ca[] = "/tmp/pail-ca-XXXXXX";
    close(mkstemp(ca));
    struct loopback s = {0};
    loopback_start_tls(&s, steps, 1, ca);
    struct {
        const char *host, *ca;
        bool insecure;
        enum pl_http_fail fail;
    } cases[] = {{"localhost", NULL, false, PL_HTTP_TLS},
                 {"localhost", ca, false, PL_HTTP_OK},
                 {"127.0.0.1", ca, false, PL_HTTP_TLS},
                 {"127.0.0.1", NULL, true, PL_HTTP_OK},
                 {"localhost", "/nowhere/ca.pem", false, PL_HTTP_TLS}};
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        struct pl_http_engine *e =
            engine((struct pl_http_config){.ca_file = cases[i].ca, .insecure = cases[i].insecure});
        struct call c;
        call_init(&c, "GET", s.port, "/k");
        c.x.request.origin = (struct pl_origin){true, cases[i].host, s.port};
        call_run(e, &c);
        CHECK_INT(c.x.response.fail, cases[i].fail);
        call_free(&c);
        pl_http_engine_put(e);
    }
    unlink(ca);
    loopback_stop(&s);
}

static void test_time__silence_drips_and_deadlines_end_an_exchange(void)
{
    static const struct loopback_step steps[] = {
        {.then = HANG}, {.send = "HTTP/1.1 200 OK\r\nX-Slow: ", .drip = true}, {.then = HANG}};
    struct loopback s;
    loopback_start(&s, steps, 3);
    struct pl_http_engine *e = engine((struct pl_http_config){0});
    for (int i = 0; i < 3; i++) {
        struct call c;
        call_init(&c, "GET", s.port, "/k");
        c.x.idle_timeout_ms = i < 2 ? 100 : 100000;
        c.x.deadline_ns = i < 2 ? 0 : pl_sys.mono_ns() + 50000000;
        call_run(e, &c);
        CHECK_INT(c.x.response.fail, i < 2 ? PL_HTTP_IDLE : PL_HTTP_DEADLINE);
        call_free(&c);
    }
    pl_http_engine_put(e);
    loopback_stop(&s);
}

static void test_cancel__ends_what_runs_and_what_waits_exactly_once(void)
{
    static const struct loopback_step steps[] = {{.then = HANG, .for_ever = true}};
    enum { N = 40 };
    static struct call calls[N];
    struct loopback s;
    loopback_start(&s, steps, 1);
    struct pl_http_engine *e = engine((struct pl_http_config){.connections_per_origin = 4});
    for (int i = 0; i < N; i++) {
        call_init(&calls[i], "GET", s.port, "/k");
        pl_http_submit(e, &calls[i].x);
    }
    for (int i = N - 1; i >= 0; i--) {
        pl_http_cancel(e, &calls[i].x);
        call_wait(&calls[i]);
    }
    pl_http_engine_put(e);
    CHECK(s.connections <= 4);
    for (int i = 0; i < N; i++) {
        CHECK_INT(calls[i].times, 1);
        CHECK_INT(calls[i].x.response.fail, PL_HTTP_CANCELLED);
        call_free(&calls[i]);
    }
    loopback_stop(&s);
}

static void test_admission__many_exchanges_share_few_connections(void)
{
    static const struct loopback_step steps[] = {{.send = OK_HEAD(2) "ok", .for_ever = true}};
    enum { N = 500 };
    static struct call calls[N];
    struct loopback s;
    loopback_start(&s, steps, 1);
    struct pl_http_engine *e = engine((struct pl_http_config){.connections_per_origin = 3});
    for (int i = 0; i < N; i++) {
        call_init(&calls[i], "GET", s.port, "/k");
        pl_http_submit(e, &calls[i].x);
    }
    int fine = 0;
    for (int i = 0; i < N; i++) {
        call_wait(&calls[i]);
        fine += calls[i].x.response.status == 200;
        call_free(&calls[i]);
    }
    CHECK_INT(fine, N);
    CHECK(s.connections <= 3);
    struct pl_buf text = PL_BUF_MAX(1000);
    pl_http_engine_explain(e, &text);
    CHECK(text.ptr && strstr(text.ptr, "http connections = 3 of at most 6"));
    pl_buf_dispose(&text);
    pl_http_engine_put(e);
    loopback_stop(&s);
}

/* libcurl calls this one: a resolver that does not answer. */
static sem_t resolver_called, resolver_may_end;
static bool resolver_gave_up;
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **out)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (strcmp(node, "slow.invalid") == 0) {
        struct timespec end;
        clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec += 5;
        sem_post(&resolver_called);
        resolver_gave_up = sem_timedwait(&resolver_may_end, &end) != 0;
        sem_post(&resolver_called);
        return EAI_NONAME;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, out);
}

static void test_dns__a_slow_resolver_does_not_hold_up_cancel_or_other_exchanges(void)
{
    static const struct loopback_step steps[] = {{.send = OK_HEAD(0), .for_ever = true}};
    struct loopback s;
    loopback_start(&s, steps, 1);
    struct pl_http_engine *e = engine((struct pl_http_config){0});
    struct call c, other;
    sem_init(&resolver_called, 0, 0);
    sem_init(&resolver_may_end, 0, 0);
    call_init(&c, "GET", 80, "/k");
    c.x.request.origin = (struct pl_origin){false, "slow.invalid", 80};
    pl_http_submit(e, &c.x);
    sem_wait(&resolver_called);
    pl_http_cancel(e, &c.x);
    call_wait(&c);
    call_init(&other, "GET", s.port, "/k");
    call_run(e, &other);
    CHECK_INT(c.x.response.fail, PL_HTTP_CANCELLED);
    CHECK_INT(other.x.response.status, 200);
    pl_http_engine_put(e);
    sem_post(&resolver_may_end);
    sem_wait(&resolver_called);
    CHECK(!resolver_gave_up);
    call_free(&c);
    call_free(&other);
    loopback_stop(&s);
}

static void test_engines__equal_configurations_share_one(void)
{
    struct pl_http_engine *a = engine((struct pl_http_config){.no_proxy = "x"});
    char text[] = "x";
    struct pl_http_engine *b = engine((struct pl_http_config){.no_proxy = text});
    struct pl_http_engine *c = engine((struct pl_http_config){.no_proxy = "x", .insecure = true});
    CHECK(a == b && a != c);
    pl_http_engine_put(a);
    pl_http_engine_put(b);
    pl_http_engine_put(c);
    pl_http_engine_put(NULL);
}

static void test_fork__the_child_makes_its_own_engine_and_leaves_the_parents_alone(void)
{
#ifdef __SANITIZE_THREAD__
    SKIP("TSan takes no threads after a fork");
#endif
    static const struct loopback_step steps[] = {{.send = OK_HEAD(2) "ok", .for_ever = true}};
    struct loopback s;
    loopback_start(&s, steps, 1);
    struct pl_http_engine *e = engine((struct pl_http_config){0});
    struct call c;
    call_init(&c, "GET", s.port, "/k");
    call_run(e, &c);
    call_free(&c);
    pid_t child = fork();
    if (child == 0) {
        pl_http_engine_put(e);
        struct pl_http_engine *own = engine((struct pl_http_config){0});
        call_init(&c, "GET", s.port, "/k");
        call_run(own, &c);
        _exit(own != e && c.x.response.status == 200 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
    call_init(&c, "GET", s.port, "/k");
    call_run(e, &c);
    CHECK(c.x.response.status == 200 && c.x.response.reused_connection);
    call_free(&c);
    pl_http_engine_put(e);
    loopback_stop(&s);
}

static void test_connections__are_not_inherited_by_programs_that_are_started(void)
{
    static const struct loopback_step steps[] = {{.send = OK_HEAD(0)}};
    struct loopback s;
    loopback_start(&s, steps, 1);
    struct pl_http_engine *e = engine((struct pl_http_config){0});
    struct call c;
    call_init(&c, "GET", s.port, "/");
    call_run(e, &c);
    int found = 0;
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in a = {0};
        socklen_t n = sizeof a;
        if (getpeername(fd, (struct sockaddr *)&a, &n) == 0 && ntohs(a.sin_port) == s.port) {
            found++;
            CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        }
    }
    CHECK_INT(found, 1);
    call_free(&c);
    pl_http_engine_put(e);
    loopback_stop(&s);
}

static void test_unsafe_requests__are_refused_before_anything_is_sent(void)
{
    static const struct loopback_step steps[] = {{.send = OK_HEAD(0), .for_ever = true}};
    static const char *const targets[] = {"/a b", "/a\r\nX: y", "/a#b", "no-slash", "/\xc3\xa4"};
    struct loopback s;
    loopback_start(&s, steps, 1);
    struct pl_http_engine *e = engine((struct pl_http_config){0});
    for (int i = 0; i < (int)(sizeof targets / sizeof *targets); i++) {
        struct call c;
        call_init(&c, "GET", s.port, targets[i]);
        call_run(e, &c);
        CHECK_INT(c.x.response.fail, PL_HTTP_BAD_REQUEST);
        call_free(&c);
    }
    struct call c;
    call_init(&c, "GET", s.port, "/");
    pl_http_add_c(&c.x.request, "x-amz-meta-a", "one\r\nx-two: 2");
    call_run(e, &c);
    CHECK_INT(c.x.response.fail, PL_HTTP_BAD_REQUEST);
    call_free(&c);
    CHECK_INT(s.requests, 0);
    pl_http_engine_put(e);
    loopback_stop(&s);
}

int main(void)
{
    int before = loopback_open_files();
    RUN(test_get__the_target_and_headers_arrive_exactly_and_connections_are_kept);
    RUN(test_methods__each_says_its_length_and_no_content_type_of_its_own);
    RUN(test_put__large_bodies_come_from_memory_and_from_a_file_range);
    RUN(test_get__a_sink_takes_the_body_and_its_checksum_runs_along);
    RUN(test_sink__more_than_its_room_or_a_failing_write_ends_the_exchange);
    RUN(test_faults__are_told_apart);
    RUN(test_head_flood__ends_the_exchange);
    RUN(test_bodies__error_pages_are_cut_and_endless_answers_refused);
    RUN(test_stale_connection__is_replaced_once_and_the_body_sent_whole);
    RUN(test_redirect__is_an_answer_like_any_other);
    RUN(test_connect__refused_is_told);
    RUN(test_proxy__an_unreachable_one_is_not_taken_for_the_host);
    RUN(test_tls__only_a_trusted_certificate_of_that_name_will_do);
    RUN(test_time__silence_drips_and_deadlines_end_an_exchange);
    RUN(test_cancel__ends_what_runs_and_what_waits_exactly_once);
    RUN(test_admission__many_exchanges_share_few_connections);
    RUN(test_dns__a_slow_resolver_does_not_hold_up_cancel_or_other_exchanges);
    RUN(test_engines__equal_configurations_share_one);
    RUN(test_fork__the_child_makes_its_own_engine_and_leaves_the_parents_alone);
    RUN(test_connections__are_not_inherited_by_programs_that_are_started);
    RUN(test_unsafe_requests__are_refused_before_anything_is_sent);
    if (loopback_open_files() > before) {
        printf("# %d descriptors were open at first, %d at the end\n", before,
               loopback_open_files());
        test_failures++;
    }
    return test_end();
}
