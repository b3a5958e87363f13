/* S3 in trouble: what the service says, and what the user hears. */
#include "../unit/test.h"
#include "base/sys.h"
#include "loopback.h"
#include "plain.h"

#define XML(status, headers, length, text)                                                         \
    "HTTP/1.1 " status "\r\nx-amz-request-id: REQ1\r\nContent-Type: application/xml\r\n" headers   \
    "Content-Length: " #length "\r\n\r\n" text
#define EMPTY(status, headers) "HTTP/1.1 " status "\r\n" headers "Content-Length: 0\r\n\r\n"
#define STORED                 EMPTY("200 OK", "ETag: \"e\"\r\n")
#define SECRET                 "marker-secret-key"
#define TOKEN                  "marker-session-token"

static struct plain_client client;
static struct plain_call call;
static struct loopback server;
static struct pl_body source;

static void set(struct plain_client *c, const char *name, const char *value)
{
    if (pl_settings_set(&c->settings, name, value, "test", NULL)) {
        exit(1);
    }
}

static pail_code make_s3(struct plain_client *c, const struct pl_provider_env *env, void *ctx)
{
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", server.port);
    set(c, "aws_endpoint_url", endpoint);
    set(c, "aws_access_key_id", "key");
    set(c, "aws_secret_access_key", SECRET);
    set(c, "aws_session_token", TOKEN);
    if (ctx) {
        set(c, ctx, "native");
    }
    return pl_s3_new(env, &c->p, NULL);
}

static void begin_with(const struct loopback_step *steps, int count, enum pl_op_kind kind,
                       const char *native)
{
    loopback_start(&server, steps, count);
    plain_clock_start();
    plain_open_as(&client, make_s3, (void *)(uintptr_t)native);
    plain_call_init(&call, kind);
    call.op.bucket = "bucket";
    source = (struct pl_body){.kind = PL_BODY_MEM, .ptr = (char *)(uintptr_t) "body", .len = 4};
    if (kind == PL_OP_PUT) {
        call.op.in.put.source = &source;
    }
}

#define BEGIN(kind, ...)                                                                           \
    static const struct loopback_step steps_[] = {__VA_ARGS__};                                    \
    begin_with(steps_, (int)(sizeof steps_ / sizeof *steps_), kind, NULL)

static bool tells_secrets(const char *text)
{
    return text && (strstr(text, SECRET) || strstr(text, TOKEN) || strstr(text, "Signature"));
}

static void end(void)
{
    CHECK_INT(call.times, 1);
    CHECK(!tells_secrets(client.logged.ptr));
    CHECK(!tells_secrets(pail_error_message(call.op.error)));
    CHECK(!tells_secrets(pail_error_hint(call.op.error)));
    plain_call_free(&call);
    plain_close(&client);
    plain_clock_stop();
    loopback_stop(&server);
}

static void test_put__goes_on_after_timeouts_throttling_and_pages_of_proxies(void)
{
    BEGIN(PL_OP_PUT,
          {.send = XML("400 Bad Request", "", 42, "<Error><Code>RequestTimeout</Code></Error>")},
          {.send = XML("503 Slow Down", "Retry-After: 3\r\n", 36,
                       "<Error><Code>SlowDown</Code></Error>")},
          {.send = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n"
                   "Content-Length: 22\r\n\r\n<html>no gate</html>\r\n"},
          {.send = STORED});
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK_INT(server.requests, 4);
    CHECK(plain_waited_ms() >= 3000);
    CHECK_STR(call.op.out.info.etag, "e");
    end();
}

static void test_error__tells_status_code_request_id_and_attempts(void)
{
    BEGIN(PL_OP_PUT, {.send = XML("500 Oops", "", 41, "<Error><Code>InternalError</Code></Error>"),
                      .for_ever = true});
    CHECK_INT(plain_run(&client, &call), PAIL_E_UNAVAILABLE);
    const pail_error *e = call.op.error;
    CHECK_STR(pail_error_service_code(e), "InternalError");
    CHECK_STR(pail_error_request_id(e), "REQ1");
    CHECK_INT(pail_error_http_status(e), 500);
    CHECK_INT(pail_error_attempts(e), 5);
    CHECK(pail_error_maybe_applied(e));
    end();
}

static void test_forbidden__is_never_tried_again(void)
{
    BEGIN(PL_OP_PUT, {.send = XML("403 No", "", 40, "<Error><Code>AccessDenied</Code></Error>"),
                      .for_ever = true});
    CHECK_INT(plain_run(&client, &call), PAIL_E_FORBIDDEN);
    CHECK_INT(server.requests, 1);
    CHECK(!pail_error_maybe_applied(call.op.error));
    end();
}

static void test_clock__a_skewed_one_is_corrected(void)
{
    BEGIN(PL_OP_PUT,
          {.send = XML("403 No", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 48,
                       "<Error><Code>RequestTimeTooSkewed</Code></Error>")},
          {.send = STORED});
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK(server.heads[1] && strstr(server.heads[1], "x-amz-date: 19941106T08"));
    end();
}

static void test_copy__an_error_inside_200_is_no_success(void)
{
    BEGIN(PL_OP_COPY, {.send = XML("200 OK", "", 41, "<Error><Code>InternalError</Code></Error>")},
          {.send = XML("200 OK", "", 19, "<CopyObjectResult><")},
          {.send = XML("200 OK", "", 70,
                       "<CopyObjectResult><ETag>&quot;n&quot;</ETag></CopyObjectResult>       ")});
    call.op.in.copy.bucket = "bucket";
    call.op.in.copy.key = "from";
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK_INT(server.requests, 3);
    CHECK_STR(call.op.out.info.etag, "n");
    end();
}

static void test_redirect__without_location_or_region_is_an_error_with_a_hint(void)
{
    BEGIN(PL_OP_PUT, {.send = EMPTY("301 Moved", ""), .for_ever = true});
    CHECK_INT(plain_run(&client, &call), PAIL_E_WRONG_REGION);
    CHECK(server.requests <= 2);
    CHECK(*pail_error_hint(call.op.error));
    end();
}

static void test_redirect__to_another_host_takes_neither_token_nor_signature_there(void)
{
    static const struct loopback_step there = {.send = STORED, .for_ever = true};
    struct loopback other;
    char answer[256];
    loopback_start(&other, &there, 1);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:%u/bucket/k\r\n"
             "x-amz-bucket-region: evil.example/x\r\nContent-Length: 0\r\n\r\n",
             other.port);
    const struct loopback_step steps[] = {{.send = answer, .for_ever = true}};
    begin_with(steps, 1, PL_OP_PUT, NULL);
    CHECK(plain_run(&client, &call) != PAIL_OK);
    CHECK_INT(other.connections, 0);
    for (int i = 0; i < server.requests && i < LOOPBACK_REQUESTS; i++) {
        CHECK(!strstr(server.heads[i], "evil"));
    }
    end();
    loopback_stop(&other);
}

static void test_region__of_the_answer_is_used_and_remembered(void)
{
    BEGIN(PL_OP_PUT,
          {.send = XML("400 Bad Request", "x-amz-bucket-region: eu-west-9\r\n", 86,
                       "<Error><Code>AuthorizationHeaderMalformed</Code>"
                       "<Region>eu-west-9</Region></Error>    ")},
          {.send = STORED, .for_ever = true});
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK(server.heads[1] && strstr(server.heads[1], "/eu-west-9/s3/aws4_request"));
    plain_call_free(&call);
    plain_call_init(&call, PL_OP_DELETE);
    call.op.bucket = "bucket";
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK(server.heads[2] && strstr(server.heads[2], "/eu-west-9/s3/aws4_request"));
    end();
}

static void test_create_only__that_won_unheard_is_found_by_its_checksum_or_md5(void)
{
    /* MD5 of "body", as the ETag of an object put in one piece. */
    static const struct loopback_step steps[] = {
        {.then = RESET},
        {.send = XML("412 No", "", 46, "<Error><Code>PreconditionFailed</Code></Error>")},
        {.send = "HTTP/1.1 200 OK\r\nETag: \"841a2d689ad86bd1611447453c22c6fc\"\r\n"
                 "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 4\r\n\r\n"}};
    begin_with(steps, 3, PL_OP_PUT, "s3_cond_put");
    call.op.cond.if_none_match = "*";
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK_INT(server.requests, 3);
    end();
}

static void test_create_only__that_another_won_is_not_claimed(void)
{
    static const struct loopback_step steps[] = {
        {.then = RESET},
        {.send = XML("412 No", "", 46, "<Error><Code>PreconditionFailed</Code></Error>")},
        {.send = "HTTP/1.1 200 OK\r\nETag: \"00000000000000000000000000000000\"\r\n"
                 "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 4\r\n\r\n"}};
    begin_with(steps, 3, PL_OP_PUT, "s3_cond_put");
    call.op.cond.if_none_match = "*";
    CHECK_INT(plain_run(&client, &call), PAIL_E_EXISTS);
    CHECK(pail_error_maybe_applied(call.op.error));
    end();
}

static void test_list__garbage_for_xml_is_a_protocol_error(void)
{
    BEGIN(PL_OP_LIST, {.send = XML("200 OK", "", 12, "not any xml!"), .for_ever = true});
    call.op.key = NULL;
    pail_code rc = plain_run(&client, &call);
    CHECK(rc == PAIL_E_PROTOCOL || rc == PAIL_E_UNAVAILABLE);
    CHECK(server.requests <= 6);
    end();
}

static void test_cancel__before_the_answer(void)
{
    BEGIN(PL_OP_LIST, {.then = HANG, .for_ever = true});
    call.op.key = NULL;
    client.p->ops->submit(client.p, &call.op);
    loopback_wait(&server, 1);
    client.p->ops->cancel(client.p, &call.op);
    plain_wait(&call);
    CHECK_INT(call.op.rc, PAIL_E_CANCELLED);
    end();
}

int main(void)
{
    int before = loopback_open_files();
    RUN(test_put__goes_on_after_timeouts_throttling_and_pages_of_proxies);
    RUN(test_error__tells_status_code_request_id_and_attempts);
    RUN(test_forbidden__is_never_tried_again);
    RUN(test_clock__a_skewed_one_is_corrected);
    RUN(test_copy__an_error_inside_200_is_no_success);
    RUN(test_redirect__without_location_or_region_is_an_error_with_a_hint);
    RUN(test_redirect__to_another_host_takes_neither_token_nor_signature_there);
    RUN(test_region__of_the_answer_is_used_and_remembered);
    RUN(test_create_only__that_won_unheard_is_found_by_its_checksum_or_md5);
    RUN(test_create_only__that_another_won_is_not_claimed);
    RUN(test_list__garbage_for_xml_is_a_protocol_error);
    RUN(test_cancel__before_the_answer);
    if (loopback_open_files() > before) {
        printf("# %d descriptors were open at first, %d at the end\n", before,
               loopback_open_files());
        test_failures++;
    }
    return test_end();
}
