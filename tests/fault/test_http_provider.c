/* One operation done over broken transports and by servers in trouble. */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/test.h"
#include "base/sys.h"
#include "codec/digest.h"
#include "loopback.h"
#include "plain.h"

#define EMPTY(status) "HTTP/1.1 " #status " X\r\nContent-Length: 0\r\n\r\n"
#define SERVE(s, ...)                                                                              \
    static const struct loopback_step steps_[] = {__VA_ARGS__};                                    \
    struct loopback s;                                                                             \
    loopback_start(&s, steps_, (int)(sizeof steps_ / sizeof *steps_))

static struct plain_client client;
static struct plain_call call;
static char room[64];
static struct pl_body sink, source;

/* A client and an op of that kind, with a body where it has one. */
static void begin(uint16_t port, enum pl_op_kind kind)
{
    plain_clock_start();
    plain_open(&client, port);
    plain_call_init(&call, kind);
    memset(room, 0, sizeof room);
    sink = (struct pl_body){.kind = PL_BODY_MEM, .ptr = room, .len = 10};
    source = (struct pl_body){.kind = PL_BODY_MEM, .ptr = (char *)(uintptr_t) "body", .len = 4};
    if (kind == PL_OP_GET) {
        call.op.in.get.sink = &sink;
    } else if (kind == PL_OP_PUT) {
        call.op.in.put.source = &source;
    }
}

static void end(struct loopback *s)
{
    CHECK_INT(call.times, 1);
    CHECK(!client.logged.ptr || !strstr(client.logged.ptr, "SECRET"));
    CHECK(!strstr(pail_error_message(call.op.error), "SECRET"));
    plain_call_free(&call);
    plain_close(&client);
    plain_clock_stop();
    if (s) {
        loopback_stop(s);
    }
}

static void test_retry__goes_on_until_the_service_is_well(void)
{
    SERVE(s, {.send = EMPTY(500)}, {.send = EMPTY(502)},
          {.send = "HTTP/1.1 400 X\r\nContent-Length: 14\r\n\r\nRequestTimeout"},
          {.send = EMPTY(200)});
    begin(s.port, PL_OP_PUT);
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK_INT(s.requests, 4);
    CHECK_INT(client.events, 4);
    CHECK_INT(client.event_status[1], 502);
    CHECK_INT(client.event_code[3], PAIL_OK);
    CHECK_STR(s.bodies[0], "body");
    CHECK_STR(s.bodies[3], "body");
    end(&s);
}

static void test_retry__ends_after_max_attempts_with_the_whole_story(void)
{
    SERVE(s, {.send = "HTTP/1.1 500 X\r\nX-Request-Id: r-7\r\nContent-Length: 0\r\n\r\n",
              .for_ever = true});
    begin(s.port, PL_OP_PUT);
    CHECK_INT(plain_run(&client, &call), PAIL_E_UNAVAILABLE);
    const pail_error *e = call.op.error;
    CHECK_INT(pail_error_attempts(e), 5);
    CHECK_INT(pail_error_http_status(e), 500);
    CHECK_STR(pail_error_request_id(e), "r-7");
    CHECK_STR(pail_error_operation(e), "put");
    CHECK_STR(pail_error_bucket(e), "b");
    CHECK_STR(pail_error_key(e), "k");
    CHECK(pail_error_maybe_applied(e));
    CHECK(pail_error_retryable(e));
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", s.port);
    CHECK_STR(pail_error_endpoint(e), endpoint);
    end(&s);
}

static void test_answers__that_are_final_are_not_retried(void)
{
    static const struct {
        const char *send;
        pail_code rc;
    } cases[] = {{EMPTY(404), PAIL_E_NOT_FOUND},
                 {EMPTY(412), PAIL_E_PRECONDITION},
                 {EMPTY(301), PAIL_E_WRONG_REGION},
                 {EMPTY(400), PAIL_E_BAD_ARGUMENT}};
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        const struct loopback_step step = {.send = cases[i].send};
        struct loopback s;
        loopback_start(&s, &step, 1);
        begin(s.port, PL_OP_PUT);
        CHECK_INT(plain_run(&client, &call), cases[i].rc);
        CHECK_INT(pail_error_attempts(call.op.error), 1);
        CHECK(!pail_error_maybe_applied(call.op.error));
        end(&s);
    }
}

static void test_retry_after__is_honoured_in_seconds_and_as_a_date_but_not_for_ever(void)
{
    static const struct {
        const char *send;
        int64_t least, most;
    } cases[] = {
        {"HTTP/1.1 503 X\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 7000, 7001},
        {"HTTP/1.1 429 X\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
         "Retry-After: Sun, 06 Nov 1994 08:49:48 GMT\r\nContent-Length: 0\r\n\r\n",
         11000, 11001},
        {"HTTP/1.1 503 X\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n", 60000, 60001},
        {"HTTP/1.1 503 X\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", 0, 1}};
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        const struct loopback_step steps[] = {{.send = cases[i].send}, {.send = EMPTY(200)}};
        struct loopback s;
        loopback_start(&s, steps, 2);
        begin(s.port, PL_OP_DELETE);
        CHECK_INT(plain_run(&client, &call), PAIL_OK);
        CHECK(plain_waited_ms() >= cases[i].least && plain_waited_ms() <= cases[i].most);
        end(&s);
    }
}

static void test_deadline__is_never_slept_past(void)
{
    SERVE(s, {.send = "HTTP/1.1 503 X\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n"});
    begin(s.port, PL_OP_DELETE);
    call.op.deadline_ns = pl_sys.mono_ns() + 1000000000;
    CHECK_INT(plain_run(&client, &call), PAIL_E_THROTTLED);
    CHECK_INT(plain_waited_ms(), 0);
    CHECK(strstr(pail_error_hint(call.op.error), "deadline"));
    end(&s);
}

static void test_lost_answer__of_a_put_is_tried_again(void)
{
    SERVE(s, {.then = RESET}, {.then = CLOSE}, {.send = EMPTY(200)});
    begin(s.port, PL_OP_PUT);
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK_INT(s.requests, 3);
    end(&s);
}

static void test_lost_answers__say_that_the_write_may_have_taken_effect(void)
{
    SERVE(s, {.then = CLOSE, .for_ever = true});
    begin(s.port, PL_OP_PUT);
    CHECK_INT(plain_run(&client, &call), PAIL_E_CONNECT);
    CHECK(pail_error_maybe_applied(call.op.error));
    CHECK_INT(pail_error_http_status(call.op.error), 0);
    end(&s);
}

static void test_create_only__that_won_unheard_is_a_success(void)
{
    SERVE(s, {.then = RESET}, {.send = EMPTY(412)},
          {.send = "HTTP/1.1 200 X\r\nETag: own\r\nContent-Length: 4\r\n\r\n"});
    begin(s.port, PL_OP_PUT);
    call.op.cond.if_none_match = "*";
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK_STR(call.op.out.info.etag, "own");
    CHECK(loopback_has(&s, 2, "HEAD /b/k HTTP/1.1"));
    CHECK(s.heads[2] && !strstr(s.heads[2], "If-None-Match"));
    end(&s);
}

static void test_create_only__that_another_won_exists(void)
{
    SERVE(s, {.then = RESET}, {.send = EMPTY(412)},
          {.send = "HTTP/1.1 200 X\r\nETag: other\r\nContent-Length: 4\r\n\r\n"},
          {.send = EMPTY(412)}, {.then = RESET}, {.send = EMPTY(412)}, {.then = RESET});
    begin(s.port, PL_OP_PUT);
    call.op.cond.if_none_match = "*";
    CHECK_INT(plain_run(&client, &call), PAIL_E_EXISTS);
    CHECK(pail_error_maybe_applied(call.op.error));
    CHECK_INT(s.requests, 3);
    plain_call_free(&call);
    plain_call_init(&call, PL_OP_PUT); /* a first answer is believed without a look */
    call.op.in.put.source = &source;
    call.op.cond.if_none_match = "*";
    CHECK_INT(plain_run(&client, &call), PAIL_E_EXISTS);
    CHECK(!pail_error_maybe_applied(call.op.error));
    CHECK_INT(s.requests, 4);
    plain_call_free(&call);
    plain_call_init(&call, PL_OP_PUT); /* nor does the look help where it breaks too */
    call.op.in.put.source = &source;
    call.op.cond.if_none_match = "*";
    CHECK_INT(plain_run(&client, &call), PAIL_E_EXISTS);
    CHECK(pail_error_maybe_applied(call.op.error));
    end(&s);
}

static void test_abort__that_was_done_unheard_is_done(void)
{
    SERVE(s, {.then = RESET}, {.send = EMPTY(404)});
    begin(s.port, PL_OP_MP_ABORT);
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    end(&s);
}

static void test_error_inside_200__is_an_error(void)
{
    SERVE(s, {.send = "HTTP/1.1 200 X\r\nContent-Length: 12\r\n\r\n<Error>oops>"},
          {.send = EMPTY(200)});
    begin(s.port, PL_OP_MP_FINISH);
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK_INT(s.requests, 2);
    end(&s);
}

#define TAIL                                                                                       \
    "HTTP/1.1 206 X\r\nETag: \"e\"\r\nContent-Length: 6\r\nContent-Range: bytes 4-9/10\r\n\r\n"
#define HALF "HTTP/1.1 200 X\r\nETag: \"e\"\r\nContent-Length: 10\r\n\r\nhalf"

static void test_get__a_broken_body_goes_on_where_it_broke_pinned(void)
{
    SERVE(s, {.send = HALF, .then = CLOSE}, {.send = EMPTY(503)},
          {.send = TAIL "-w", .then = CLOSE},
          {.send = "HTTP/1.1 206 X\r\nETag: \"e\"\r\nContent-Length: 4\r\n"
                   "Content-Range: bytes 6-9/10\r\n\r\nhole"});
    begin(s.port, PL_OP_GET);
    client.d->sum = PL_SUM_SHA256;
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK_STR(room, "half-whole");
    CHECK_INT(call.op.out.range_offset, 0);
    CHECK(s.heads[0] && !strstr(s.heads[0], "If-Match") && !strstr(s.heads[0], "Range"));
    CHECK(loopback_has(&s, 1, "Range: bytes=4-9") && loopback_has(&s, 1, "If-Match: e"));
    CHECK(loopback_has(&s, 3, "Range: bytes=6-9"));
    end(&s);
}

static void test_get__the_checksum_runs_over_all_attempts(void)
{
    SERVE(s, {.send = HALF, .then = CLOSE}, {.send = TAIL "-whole"});
    begin(s.port, PL_OP_GET);
    client.d->sum = PL_SUM_CRC32C;
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    struct pl_sum_value want, got = pl_sum_of_crc(PL_SUM_CRC32C, call.op.out.sum.value);
    CHECK(pl_sum_of(PL_SUM_CRC32C, "half-whole", 10, &want, NULL) == PAIL_OK);
    CHECK_INT(call.op.out.sum.algorithm, PL_SUM_CRC32C);
    CHECK(memcmp(got.bytes, want.bytes, want.len) == 0);
    end(&s);
}

static void test_get__ranges_resume_at_their_place(void)
{
    SERVE(s,
          {.send = "HTTP/1.1 206 X\r\nETag: \"e\"\r\nContent-Length: 5\r\n"
                   "Content-Range: bytes 95-99/100\r\n\r\nab",
           .then = RESET},
          {.send = "HTTP/1.1 206 X\r\nETag: \"e\"\r\nContent-Length: 3\r\n"
                   "Content-Range: bytes 97-99/100\r\n\r\ncde"});
    begin(s.port, PL_OP_GET);
    call.op.in.get.range = (struct pl_range){PL_RANGE_SUFFIX, 0, 5};
    pail_code rc = plain_run(&client, &call);
    /* A reset may take bytes with it that had come. */
    CHECK(rc == PAIL_OK || rc == PAIL_E_PROTOCOL);
    CHECK(rc || strcmp(room, "abcde") == 0);
    CHECK_INT(call.op.out.range_offset, 95);
    CHECK(loopback_has(&s, 0, "Range: bytes=-5"));
    end(&s);
}

static void test_get__another_version_in_the_tail_is_changed(void)
{
    static const char *const tails[] = {EMPTY(412), EMPTY(404),
                                        "HTTP/1.1 206 X\r\nETag: \"f\"\r\nContent-Length: 6\r\n"
                                        "Content-Range: bytes 4-9/10\r\n\r\nforged",
                                        "HTTP/1.1 206 X\r\nETag: \"e\"\r\nContent-Length: 4\r\n"
                                        "Content-Range: bytes 4-7/8\r\n\r\nless"};
    for (int i = 0; i < (int)(sizeof tails / sizeof *tails); i++) {
        const struct loopback_step steps[] = {{.send = HALF, .then = CLOSE}, {.send = tails[i]}};
        struct loopback s;
        loopback_start(&s, steps, 2);
        begin(s.port, PL_OP_GET);
        CHECK_INT(plain_run(&client, &call), PAIL_E_CHANGED);
        CHECK_STR(room, "half");
        end(&s);
    }
}

static void test_get__what_cannot_be_pinned_is_not_resumed(void)
{
    SERVE(s, {.send = "HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nhalf", .then = CLOSE},
          {.send = HALF, .then = CLOSE});
    begin(s.port, PL_OP_GET);
    CHECK_INT(plain_run(&client, &call), PAIL_E_CONNECT);
    CHECK_INT(s.requests, 1);
    CHECK(!pail_error_maybe_applied(call.op.error));
    end(&s);
}

static void test_get__other_bytes_than_asked_for_are_refused(void)
{
    static const struct {
        const char *send;
        pail_code rc;
    } cases[] = {
        {"HTTP/1.1 206 X\r\nContent-Length: 2\r\nContent-Range: bytes 0-1/100\r\n\r\nab",
         PAIL_E_PROTOCOL},
        {"HTTP/1.1 206 X\r\nContent-Length: 2\r\n\r\nab", PAIL_E_PROTOCOL},
        {"HTTP/1.1 206 X\r\nContent-Length: 5\r\nContent-Range: bytes 50-51/100\r\n\r\nabcde",
         PAIL_E_PROTOCOL},
        {"HTTP/1.1 206 X\r\nContent-Length: 1\r\nContent-Range: bytes 50-50/100\r\n\r\na",
         PAIL_E_PROTOCOL},
        {"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n", PAIL_E_PROTOCOL},
        {"HTTP/1.1 206 X\r\nContent-Length: 2\r\nContent-Range: bytes 50-51/100\r\n\r\nab",
         PAIL_OK},
        {"HTTP/1.1 206 X\r\nContent-Length: 1\r\nContent-Range: bytes 50-50/51\r\n\r\na", PAIL_OK}};
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        const struct loopback_step step = {.send = cases[i].send};
        struct loopback s;
        loopback_start(&s, &step, 1);
        begin(s.port, PL_OP_GET);
        call.op.in.get.range = (struct pl_range){PL_RANGE_SPAN, 50, 2};
        CHECK_INT(plain_run(&client, &call), cases[i].rc);
        CHECK_INT(s.requests, 1);
        end(&s);
    }
}

static void test_get__an_object_larger_than_the_room_is_told_before_a_byte_comes(void)
{
    SERVE(s, {.send = "HTTP/1.1 200 X\r\nContent-Length: 11\r\n\r\n12345678901"});
    begin(s.port, PL_OP_GET);
    CHECK_INT(plain_run(&client, &call), PAIL_E_TOO_LARGE);
    CHECK_STR(room, "");
    end(&s);
}

static void test_clock__is_set_once_by_the_answers_date(void)
{
    SERVE(s, {.send = "HTTP/1.1 403 X\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                      "Content-Length: 0\r\n\r\n",
              .for_ever = true});
    begin(s.port, PL_OP_DELETE);
    CHECK_INT(plain_run(&client, &call), PAIL_E_CLOCK_SKEW);
    CHECK_INT(s.requests, 2);
    const char *at = s.heads[1] ? strstr(s.heads[1], "x-now: ") : NULL;
    long long now = at ? atoll(at + 7) : 0;
    CHECK(now >= 784111777000 - 2000 && now <= 784111777000 + 60000);
    end(&s);
}

static void test_clock__of_a_cached_answer_is_not_believed(void)
{
    SERVE(s, {.send = "HTTP/1.1 403 X\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nAge: 5\r\n"
                      "Content-Length: 0\r\n\r\n",
              .for_ever = true});
    begin(s.port, PL_OP_DELETE);
    CHECK_INT(plain_run(&client, &call), PAIL_E_CLOCK_SKEW);
    CHECK_INT(s.requests, 1);
    end(&s);
}

static void test_credentials__are_refreshed_once(void)
{
    SERVE(s, {.send = EMPTY(401), .for_ever = true});
    begin(s.port, PL_OP_DELETE);
    client.d->can_refresh = true;
    CHECK_INT(plain_run(&client, &call), PAIL_E_EXPIRED_CREDENTIALS);
    CHECK_INT(client.d->refreshes, 1);
    CHECK_INT(s.requests, 2);
    end(&s);
}

static void test_learning__leads_to_one_more_request_never_to_a_loop(void)
{
    SERVE(s, {.send = EMPTY(409), .for_ever = true});
    begin(s.port, PL_OP_DELETE);
    CHECK_INT(plain_run(&client, &call), PAIL_E_CONFLICT);
    CHECK_INT(s.requests, 2);
    CHECK_INT(plain_waited_ms(), 0);
    end(&s);
}

static void test_redirect__to_another_host_takes_no_secret_there(void)
{
    static const struct loopback_step other_step = {.send = EMPTY(200), .for_ever = true};
    struct loopback other, s;
    loopback_start(&other, &other_step, 1);
    char answer[128];
    snprintf(answer, sizeof answer,
             "HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:%u/b/k\r\nContent-Length: 0\r\n\r\n",
             other.port);
    const struct loopback_step step = {.send = answer};
    loopback_start(&s, &step, 1);
    begin(s.port, PL_OP_PUT);
    CHECK_INT(plain_run(&client, &call), PAIL_E_WRONG_REGION);
    CHECK_INT(other.connections, 0);
    CHECK_INT(s.requests, 1);
    end(&s);
    loopback_stop(&other);
}

static void test_refused_connection__names_the_endpoint_and_what_to_check(void)
{
    struct loopback s;
    loopback_start(&s, NULL, 0);
    uint16_t port = s.port;
    loopback_stop(&s);
    begin(port, PL_OP_PUT);
    CHECK_INT(plain_run(&client, &call), PAIL_E_CONNECT);
    CHECK_INT(pail_error_attempts(call.op.error), 5);
    CHECK(!pail_error_maybe_applied(call.op.error));
    CHECK(strstr(pail_error_message(call.op.error), "127.0.0.1"));
    CHECK(*pail_error_hint(call.op.error));
    end(NULL);
}

static void test_garbage__is_not_asked_again(void)
{
    SERVE(s, {.send = "220 mail.example ESMTP\r\n", .then = CLOSE, .for_ever = true});
    begin(s.port, PL_OP_STAT);
    CHECK_INT(plain_run(&client, &call), PAIL_E_PROTOCOL);
    CHECK_INT(s.requests, 1);
    end(&s);
}

static void test_source__that_became_shorter_is_changed(void)
{
    SERVE(s, {.send = EMPTY(200), .for_ever = true});
    char path[] = "/tmp/pail-source-XXXXXX";
    int fd = mkstemp(path);
    begin(s.port, PL_OP_PUT);
    source = (struct pl_body){.kind = PL_BODY_FILE, .fd = fd, .len = 200000};
    CHECK_INT(plain_run(&client, &call), PAIL_E_CHANGED);
    close(fd);
    unlink(path);
    end(&s);
}

static void test_log__takes_no_line_breaks_from_keys(void)
{
    SERVE(s, {.send = EMPTY(404)});
    begin(s.port, PL_OP_DELETE);
    CHECK_INT(plain_run(&client, &call), PAIL_E_NOT_FOUND);
    pl_log(&client.log, PAIL_LOG_INFO, "key %s", "one\ntwo\x1b[31m");
    CHECK(client.logged.ptr && strstr(client.logged.ptr, "key one?two?[31m\n"));
    end(&s);
}

static void test_sink__without_space_is_final(void)
{
    SERVE(s, {.send = "HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\n0123456789"});
    int fd = open("/dev/full", O_WRONLY);
    REQUIRE(fd >= 0);
    begin(s.port, PL_OP_GET);
    sink = (struct pl_body){.kind = PL_BODY_FILE, .fd = fd, .len = 10};
    CHECK_INT(plain_run(&client, &call), PAIL_E_NO_SPACE);
    CHECK_INT(s.requests, 1);
    close(fd);
    end(&s);
}

static void test_build__errors_and_control_characters_end_before_any_request(void)
{
    SERVE(s, {.send = EMPTY(200), .for_ever = true});
    begin(s.port, PL_OP_COPY);
    CHECK_INT(plain_run(&client, &call), PAIL_E_UNSUPPORTED);
    CHECK_INT(pail_error_attempts(call.op.error), 0);
    plain_call_free(&call);
    plain_call_init(&call, PL_OP_DELETE);
    const pail_kv injected = {"x-amz-meta-a", "1\r\nx-evil: 2"};
    call.op.headers = &injected;
    call.op.header_count = 1;
    CHECK_INT(plain_run(&client, &call), PAIL_E_BAD_ARGUMENT);
    CHECK_INT(s.requests, 0);
    end(&s);
}

static void test_presign__needs_no_network(void)
{
    begin(1, PL_OP_PRESIGN);
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK_STR(call.op.out.presigned.url, "http://signed.invalid/");
    CHECK_INT(client.events, 0);
    end(NULL);
}

static void test_cancel__ends_an_op_that_is_being_answered(void)
{
    SERVE(s, {.then = HANG, .for_ever = true});
    begin(s.port, PL_OP_PUT);
    client.p->ops->submit(client.p, &call.op);
    loopback_wait(&s, 1);
    client.p->ops->cancel(client.p, &call.op);
    plain_wait(&call);
    CHECK_INT(call.op.rc, PAIL_E_CANCELLED);
    CHECK(pail_error_maybe_applied(call.op.error));
    client.p->ops->cancel(client.p, &call.op); /* too late is fine */
    end(&s);
}

static void test_cancel__ends_an_op_that_waits_for_its_next_attempt(void)
{
    SERVE(s, {.send = "HTTP/1.1 503 X\r\nRetry-After: 50\r\nContent-Length: 0\r\n\r\n"});
    begin(s.port, PL_OP_DELETE);
    plain_clock_stop(); /* it would really wait */
    client.p->ops->submit(client.p, &call.op);
    bool waits = false;
    while (!waits) {
        pthread_mutex_lock(&client.log.lock);
        waits = client.logged.ptr && strstr(client.logged.ptr, "again in 50000 ms");
        pthread_mutex_unlock(&client.log.lock);
    }
    client.p->ops->cancel(client.p, &call.op);
    plain_wait(&call);
    CHECK_INT(call.op.rc, PAIL_E_CANCELLED);
    CHECK_INT(s.requests, 1);
    plain_clock_start();
    end(&s);
}

static void test_budget__a_dead_service_is_not_beaten_with_retries(void)
{
    enum { N = 40 };
    static struct plain_call calls[N];
    SERVE(s, {.send = EMPTY(500), .for_ever = true});
    begin(s.port, PL_OP_DELETE);
    for (int i = 0; i < N; i++) {
        plain_call_init(&calls[i], PL_OP_DELETE);
        CHECK_INT(plain_run(&client, &calls[i]), PAIL_E_UNAVAILABLE);
        plain_call_free(&calls[i]);
    }
    CHECK_INT(s.requests, N + 100);
    CHECK_INT(plain_run(&client, &call), PAIL_E_UNAVAILABLE);
    CHECK_INT(s.requests, N + 101);
    end(&s);
}

static void test_fork__a_handle_of_the_parent_says_so_and_touches_nothing(void)
{
    SERVE(s, {.send = EMPTY(200), .for_ever = true});
    begin(s.port, PL_OP_DELETE);
    pid_t child = fork();
    if (child == 0) {
        bool said = plain_run(&client, &call) == PAIL_E_FORKED;
        client.p->ops->cancel(client.p, &call.op);
        client.p->ops->free(client.p);
        _exit(said ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    end(&s);
}

/* The child's own clients work while the transfers of its parent go on, which it leaves alone. */
static void test_fork__beside_a_transfer_both_sides_go_on(void)
{
    SKIP_UNDER_ASAN();
    SERVE(s,
          {.send = "HTTP/1.1 200 X\r\nETag: \"v\"\r\nContent-Length: 10\r\n\r\n0123456789",
           .drip = true},
          {.send = EMPTY(200), .for_ever = true});
    begin(s.port, PL_OP_GET);
    plain_clock_stop();
    client.p->ops->submit(client.p, &call.op);
    loopback_wait(&s, 1);
    pid_t child = fork();
    if (child == 0) {
        static struct plain_client own;
        static struct plain_call other, refused;
        plain_open(&own, s.port);
        plain_call_init(&other, PL_OP_DELETE);
        plain_call_init(&refused, PL_OP_DELETE);
        bool fine =
            plain_run(&own, &other) == PAIL_OK && plain_run(&client, &refused) == PAIL_E_FORKED;
        plain_close(&own);
        client.p->ops->free(client.p);
        _exit(fine ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
    plain_wait(&call);
    CHECK_INT(call.op.rc, PAIL_OK);
    CHECK(memcmp(room, "0123456789", 10) == 0);
    plain_clock_start();
    end(&s);
}

int main(void)
{
    int before = loopback_open_files();
    RUN(test_retry__goes_on_until_the_service_is_well);
    RUN(test_retry__ends_after_max_attempts_with_the_whole_story);
    RUN(test_answers__that_are_final_are_not_retried);
    RUN(test_retry_after__is_honoured_in_seconds_and_as_a_date_but_not_for_ever);
    RUN(test_deadline__is_never_slept_past);
    RUN(test_lost_answer__of_a_put_is_tried_again);
    RUN(test_lost_answers__say_that_the_write_may_have_taken_effect);
    RUN(test_create_only__that_won_unheard_is_a_success);
    RUN(test_create_only__that_another_won_exists);
    RUN(test_abort__that_was_done_unheard_is_done);
    RUN(test_error_inside_200__is_an_error);
    RUN(test_get__a_broken_body_goes_on_where_it_broke_pinned);
    RUN(test_get__the_checksum_runs_over_all_attempts);
    RUN(test_get__ranges_resume_at_their_place);
    RUN(test_get__another_version_in_the_tail_is_changed);
    RUN(test_get__what_cannot_be_pinned_is_not_resumed);
    RUN(test_get__other_bytes_than_asked_for_are_refused);
    RUN(test_get__an_object_larger_than_the_room_is_told_before_a_byte_comes);
    RUN(test_clock__is_set_once_by_the_answers_date);
    RUN(test_clock__of_a_cached_answer_is_not_believed);
    RUN(test_credentials__are_refreshed_once);
    RUN(test_learning__leads_to_one_more_request_never_to_a_loop);
    RUN(test_redirect__to_another_host_takes_no_secret_there);
    RUN(test_refused_connection__names_the_endpoint_and_what_to_check);
    RUN(test_garbage__is_not_asked_again);
    RUN(test_source__that_became_shorter_is_changed);
    RUN(test_log__takes_no_line_breaks_from_keys);
    RUN(test_sink__without_space_is_final);
    RUN(test_build__errors_and_control_characters_end_before_any_request);
    RUN(test_presign__needs_no_network);
    RUN(test_cancel__ends_an_op_that_is_being_answered);
    RUN(test_cancel__ends_an_op_that_waits_for_its_next_attempt);
    RUN(test_budget__a_dead_service_is_not_beaten_with_retries);
    RUN(test_fork__a_handle_of_the_parent_says_so_and_touches_nothing);
    if (loopback_open_files() > before) {
        printf("# %d descriptors were open at first, %d at the end\n", before,
               loopback_open_files());
        test_failures++;
    }
    RUN(test_fork__beside_a_transfer_both_sides_go_on);
    return test_end();
}
