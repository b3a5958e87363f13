/* Azure Blob in trouble: what the service says, and what the user hears. */
#include <unistd.h>

#include "../unit/test.h"
#include "base/sys.h"
#include "loopback.h"
#include "plain.h"

#define ANSWER(status, headers, body_length, body)                                                 \
    "HTTP/1.1 " status "\r\nx-ms-request-id: R1\r\n" headers "Content-Length: " #body_length       \
    "\r\n\r\n" body
#define EMPTY(status, headers) ANSWER(status, headers, 0, "")
#define REFUSED(status, name)  EMPTY(status, "x-ms-error-code: " name "\r\n")
#define BLOB                   "ETag: \"0x8D\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define SECRET                 "bWFya2VyLXNlY3JldA==" /* marker-secret */
#define UPLOAD                 "000102030405060708090a0b."

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

static pail_code make_azure(struct plain_client *c, const struct pl_provider_env *env, void *ctx)
{
    char endpoint[64];
    (void)ctx;
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", server.port);
    set(c, "azure_endpoint", endpoint);
    set(c, "azure_storage_account_name", "acct");
    set(c, "azure_storage_account_key", SECRET);
    return pl_azure_new(env, &c->p, NULL);
}

static void begin_with(const struct loopback_step *steps, int count, enum pl_op_kind kind)
{
    loopback_start(&server, steps, count);
    plain_clock_start();
    plain_open_as(&client, make_azure, NULL);
    plain_call_init(&call, kind);
    call.op.bucket = "con";
    call.op.key = "key";
    source = (struct pl_body){.kind = PL_BODY_MEM, .ptr = (char *)(uintptr_t) "body", .len = 4};
    if (kind == PL_OP_PUT) {
        call.op.in.put.source = &source;
    }
}

#define BEGIN(kind, ...)                                                                           \
    static const struct loopback_step steps_[] = {__VA_ARGS__};                                    \
    begin_with(steps_, (int)(sizeof steps_ / sizeof *steps_), kind)

static void expect_requests(int count, const char *const *lines)
{
    CHECK_INT(server.requests, count);
    for (int i = 0; i < count && i < server.requests; i++) {
        if (strncmp(server.heads[i], lines[i], strlen(lines[i])) != 0) {
            test_failed = 1;
            printf("# request %d is %.100s, want %s\n", i + 1, server.heads[i], lines[i]);
        }
    }
}

static void end(void)
{
    CHECK_INT(call.times, 1);
    CHECK(!client.logged.ptr || !strstr(client.logged.ptr, SECRET));
    plain_call_free(&call);
    plain_close(&client);
    plain_clock_stop();
    loopback_stop(&server);
}

/* ---- A write whose answer was lost */

static const char *const commit_and_look[] = {
    "PUT /acct/con/key?comp=blocklist ", "PUT /acct/con/key?comp=blocklist ",
    "GET /acct/con/key?comp=blocklist&blocklisttype=committed ", "HEAD /acct/con/key "};

static void commit(const struct loopback_step *steps, int count)
{
    static const struct pl_part parts[] = {{.number = 1, .size = 2}, {.number = 2, .size = 2}};
    begin_with(steps, count, PL_OP_MP_FINISH);
    call.op.in.mp.upload_id = UPLOAD;
    call.op.in.mp.parts = parts;
    call.op.in.mp.count = 2;
    call.op.in.mp.size = 4;
    call.op.cond.if_none_match = "*";
}

/* Base64 of UPLOAD's number and 00000001, 00000002. */
#define BLOCKS(first, second)                                                                      \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList><CommittedBlocks><Block><Name>" first    \
    "</Name><Size>2</Size></Block><Block><Name>" second                                            \
    "</Name><Size>2</Size></Block></CommittedBlocks></BlockList>"
#define BLOCK_1 "MDAwMTAyMDMwNDA1MDYwNzA4MDkwYTBiMDAwMDAwMDE="
#define BLOCK_2 "MDAwMTAyMDMwNDA1MDYwNzA4MDkwYTBiMDAwMDAwMDI="
#define LISTED(first, second)                                                                      \
    ANSWER("200 OK", BLOB "Content-Type: application/xml\r\n", 268, BLOCKS(first, second))

static void test_commit__that_won_unheard_is_known_by_its_blocks(void)
{
    static const struct loopback_step steps[] = {{.then = RESET},
                                                 {.send = REFUSED("409 No", "BlobAlreadyExists")},
                                                 {.send = LISTED(BLOCK_1, BLOCK_2)}};
    CHECK_INT(sizeof BLOCKS(BLOCK_1, BLOCK_2) - 1, 268);
    commit(steps, 3);
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK_STR(call.op.out.info.etag, "0x8D");
    CHECK_INT(call.op.out.info.size, 4);
    CHECK_INT(call.op.out.info.mtime_ms, 784111777000);
    expect_requests(3, commit_and_look);
    end();
}

static void test_commit__of_another_that_won_is_not_claimed(void)
{
    static const char *const others[] = {
        LISTED(BLOCK_2, BLOCK_1), LISTED(BLOCK_1, BLOCK_1),
        ANSWER("200 OK", BLOB, 40, "<BlockList><CommittedBlocks/></BlockList>"),
        ANSWER("200 OK", BLOB, 5, "<html"), REFUSED("404 No", "BlobNotFound")};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const struct loopback_step steps[] = {{.then = RESET},
                                              {.send = REFUSED("409 No", "BlobAlreadyExists")},
                                              {.send = others[i]},
                                              {.send = EMPTY("200 OK", BLOB)}};
        commit(steps, 4);
        CHECK_INT(plain_run(&client, &call), PAIL_E_EXISTS);
        CHECK_STR(pail_error_message(call.op.error), "the object exists already");
        end();
    }
}

static void test_commit__that_is_refused_at_once_costs_no_look(void)
{
    static const struct loopback_step steps[] = {{.send = REFUSED("412 No", "ConditionNotMet")}};
    commit(steps, 1);
    CHECK_INT(plain_run(&client, &call), PAIL_E_EXISTS);
    expect_requests(1, commit_and_look);
    end();
}

static void test_put__that_won_unheard_is_known_by_its_md5(void)
{
    static const char *const lines[] = {"PUT /acct/con/key ", "PUT /acct/con/key ",
                                        "HEAD /acct/con/key "};
    BEGIN(PL_OP_PUT, {.then = RESET}, {.send = REFUSED("409 No", "BlobAlreadyExists")},
          {.send = ANSWER("200 OK", BLOB "Content-MD5: hBotaJrYa9FhFEdFPCLG/A==\r\n", 4, "")});
    call.op.cond.if_none_match = "*";
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK_STR(call.op.out.info.etag, "0x8D");
    expect_requests(3, lines);
    end();
}

/* ---- Copies that take their time */

#define STATE(status, state, more)                                                                 \
    EMPTY(status, BLOB "x-ms-copy-id: I\r\nx-ms-copy-status: " state "\r\n" more)

static void begin_copy(const struct loopback_step *steps, int count)
{
    begin_with(steps, count, PL_OP_COPY);
    call.op.in.copy.bucket = "con";
    call.op.in.copy.key = "from";
}

static void test_copy__is_waited_for(void)
{
    static const char *const lines[] = {"PUT /acct/con/key ", "HEAD /acct/con/key ",
                                        "HEAD /acct/con/key "};
    static const struct loopback_step steps[] = {{.send = STATE("202 Accepted", "pending", "")},
                                                 {.send = STATE("200 OK", "pending", "")},
                                                 {.send = STATE("200 OK", "success", "")}};
    begin_copy(steps, 3);
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK_STR(call.op.out.info.etag, "0x8D");
    CHECK(plain_waited_ms() >= 1000 && plain_waited_ms() < 3000);
    expect_requests(3, lines);
    end();
}

static void test_copy__that_fails_or_is_aborted_says_which_and_why(void)
{
    static const struct loopback_step failed[] = {
        {.send = STATE("202 Accepted", "pending", "")},
        {.send = STATE("200 OK", "failed",
                       "x-ms-copy-status-description: 404 BlobNotFound \"Copy failed\"\r\n")}};
    static const struct loopback_step aborted[] = {{.send = STATE("202 Accepted", "pending", "")},
                                                   {.send = STATE("200 OK", "aborted", "")}};
    begin_copy(failed, 2);
    CHECK_INT(plain_run(&client, &call), PAIL_E_UNAVAILABLE);
    CHECK_STR(pail_error_message(call.op.error),
              "the service's copy failed: 404 BlobNotFound \"Copy failed\"");
    end();
    begin_copy(aborted, 2);
    CHECK_INT(plain_run(&client, &call), PAIL_E_CONFLICT);
    CHECK_STR(pail_error_message(call.op.error), "the service's copy was aborted");
    end();
}

static void test_copy__another_copy_to_the_same_name_is_not_taken_for_ours(void)
{
    static const struct loopback_step steps[] = {
        {.send = STATE("202 Accepted", "pending", "")},
        {.send = EMPTY("200 OK", BLOB "x-ms-copy-id: J\r\nx-ms-copy-status: success\r\n")}};
    begin_copy(steps, 2);
    CHECK_INT(plain_run(&client, &call), PAIL_E_CONFLICT);
    CHECK_STR(pail_error_message(call.op.error), "another write took the place of the copy");
    end();
}

static void copy_with_attributes(const struct loopback_step *steps, int count)
{
    static const pail_attributes attr = {.content_type = "text/x"};
    begin_copy(steps, count);
    call.op.attr = &attr;
}

static void test_copy__whose_attributes_were_set_unheard_is_done(void)
{
    static const char *const lines[] = {"PUT /acct/con/key ",
                                        "PUT /acct/con/key?comp=properties ",
                                        "PUT /acct/con/key?comp=properties ",
                                        "HEAD /acct/con/key ",
                                        "PUT /acct/con/key?comp=properties ",
                                        "PUT /acct/con/key?comp=metadata "};
    static const struct loopback_step steps[] = {
        {.send = STATE("202 Accepted", "success", "")},
        {.then = RESET},
        {.send = REFUSED("412 No", "ConditionNotMet")},
        {.send = EMPTY("200 OK", "ETag: \"0x9D\"\r\nx-ms-copy-id: I\r\n")},
        {.send = EMPTY("200 OK", "ETag: \"0xAD\"\r\n")},
        {.send = EMPTY("200 OK", "ETag: \"0xBD\"\r\n")}};
    copy_with_attributes(steps, 6);
    CHECK_INT(plain_run(&client, &call), PAIL_OK);
    CHECK_STR(call.op.out.info.etag, "0xBD");
    expect_requests(6, lines);
    CHECK(loopback_has(&server, 4, "if-match: \"0x9D\""));
    CHECK(loopback_has(&server, 5, "if-match: \"0xAD\""));
    end();
}

static void test_copy__that_another_replaced_gets_no_attributes(void)
{
    static const struct loopback_step steps[] = {{.send = STATE("202 Accepted", "success", "")},
                                                 {.send = REFUSED("412 No", "ConditionNotMet")},
                                                 {.send = EMPTY("200 OK", "ETag: \"0x9D\"\r\n")}};
    copy_with_attributes(steps, 3);
    CHECK_INT(plain_run(&client, &call), PAIL_E_CONFLICT);
    CHECK_INT(server.requests, 3);
    end();
}

static void test_copy__ends_with_its_deadline(void)
{
    static const struct loopback_step steps[] = {
        {.send = STATE("202 Accepted", "pending", "")},
        {.send = STATE("200 OK", "pending", ""), .for_ever = true}};
    begin_copy(steps, 2);
    call.op.deadline_ns = pl_sys.mono_ns() + INT64_C(5000000000);
    CHECK_INT(plain_run(&client, &call), PAIL_E_TIMEOUT);
    CHECK(plain_waited_ms() <= 5000);
    end();
}

/* ---- A customer's key goes along with each call that needs it, over TLS */

#define CUSTOMER_KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static char ca_path[64];

static pail_bucket *open_tls(const struct loopback_step *steps, int count)
{
    char ca[] = "/tmp/pail-ca-XXXXXX", endpoint[64];
    pail_bucket *bucket = NULL;
    close(mkstemp(ca));
    loopback_start_tls(&server, steps, count, ca);
    snprintf(endpoint, sizeof endpoint, "https://localhost:%u/acct", server.port);
    const pail_kv settings[] = {
        {"azure_endpoint", endpoint}, {"azure_storage_account_key", SECRET}, {"ca_file", ca}};
    const pail_client_opts opts = {
        .size = sizeof opts, .settings = settings, .settings_count = 3, .ignore_environment = true};
    CHECK_INT(pail_open_bucket("az://con", &opts, &bucket, NULL), PAIL_OK);
    snprintf(ca_path, sizeof ca_path, "%s", ca);
    return bucket;
}

static void expect_keys(int requests, int parts)
{
    int blocks = 0;
    CHECK_INT(server.requests, requests);
    for (int i = 0; i < server.requests; i++) {
        blocks += strstr(server.heads[i], "?comp=block&") != NULL;
        CHECK(loopback_has(&server, i, "x-ms-encryption-key: " CUSTOMER_KEY));
        CHECK(loopback_has(
            &server, i,
            "x-ms-encryption-key-sha256: Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0="));
        CHECK(loopback_has(&server, i, "x-ms-encryption-algorithm: AES256"));
    }
    CHECK_INT(blocks, parts);
}

static void test_customer_key__goes_with_each_write(void)
{
    static const struct loopback_step steps[] = {
        {.send = EMPTY("201 Created", BLOB), .for_ever = true}};
    static char data[3 << 20];
    pail_bucket *bucket = open_tls(steps, 1);
    pail_put_opts put = {.size = sizeof put,
                         .encryption = {.customer_key_base64 = CUSTOMER_KEY},
                         .part_size = 1 << 20};
    CHECK_INT(pail_put(bucket, "k", PAIL_BUF(data, sizeof data), &put, NULL, NULL), PAIL_OK);
    expect_keys(4, 3); /* N parts are N + 1 requests */
    put.part_size = 0;
    CHECK_INT(pail_put(bucket, "k", PAIL_BUF(data, 5), &put, NULL, NULL), PAIL_OK);
    expect_keys(5, 3);
    pail_bucket_close(bucket);
    loopback_stop(&server);
    unlink(ca_path);
}

static void test_customer_key__goes_with_each_read(void)
{
    static const struct loopback_step steps[] = {
        {.send = "HTTP/1.1 206 Partial\r\n" BLOB
                 "Content-Range: bytes 0-1/5\r\nContent-Length: 2\r\n\r\nab"},
        {.send = "HTTP/1.1 206 Partial\r\n" BLOB
                 "Content-Range: bytes 2-3/5\r\nContent-Length: 2\r\n\r\ncd"},
        {.send = "HTTP/1.1 206 Partial\r\n" BLOB
                 "Content-Range: bytes 4-4/5\r\nContent-Length: 1\r\n\r\ne"},
        {.send = "HTTP/1.1 200 OK\r\n" BLOB "Content-Length: 5\r\n\r\n"}};
    char data[8];
    pail_info *info = NULL;
    pail_bucket *bucket = open_tls(steps, 4);
    pail_get_opts get = {.size = sizeof get,
                         .encryption = {.customer_key_base64 = CUSTOMER_KEY},
                         .part_size = 2,
                         .concurrency = 1};
    pail_stat_opts stat = {.size = sizeof stat,
                           .encryption = {.customer_key_base64 = CUSTOMER_KEY}};
    CHECK_INT(pail_get(bucket, "k", PAIL_BUF(data, sizeof data), &get, NULL, NULL), PAIL_OK);
    CHECK(memcmp(data, "abcde", 5) == 0);
    CHECK_INT(pail_stat(bucket, "k", &stat, &info, NULL), PAIL_OK);
    expect_keys(4, 0);
    pail_info_free(info);
    pail_bucket_close(bucket);
    loopback_stop(&server);
    unlink(ca_path);
}

/* ---- An object that is read in ranges, against the MD5 of the whole */

#define PART(span, length, bytes, md5)                                                             \
    {                                                                                              \
        .send =                                                                                    \
            ANSWER("206 Partial",                                                                  \
                   BLOB "Content-Range: bytes " span "/5\r\nx-ms-blob-content-md5: " md5 "\r\n",   \
                   length, bytes)                                                                  \
    }
#define RIGHT "q1a02StAcTrMWviZhdS3hg==" /* of "abcde" */
#define WRONG "hBotaJrYa9FhFEdFPCLG/A=="

static int64_t take(void *data, size_t n, void *ctx)
{
    pl_buf_add(ctx, data, n);
    return (int64_t)n;
}

static pail_code read_whole(const struct loopback_step *steps, pail_body *to, const char *verify)
{
    char endpoint[64];
    pail_bucket *bucket = NULL;
    loopback_start(&server, steps, 3);
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u/acct", server.port);
    const pail_kv settings[] = {
        {"azure_endpoint", endpoint}, {"azure_storage_account_key", SECRET}, {"verify", verify}};
    const pail_client_opts opts = {
        .size = sizeof opts, .settings = settings, .settings_count = 3, .ignore_environment = true};
    const pail_get_opts get = {.size = sizeof get, .part_size = 2, .concurrency = 1};
    CHECK_INT(pail_open_bucket("az://con", &opts, &bucket, NULL), PAIL_OK);
    pail_code rc = pail_get(bucket, "k", to, &get, NULL, NULL);
    CHECK_INT(server.requests, 3); /* and none for a checksum */
    pail_bucket_close(bucket);
    loopback_stop(&server);
    return rc;
}

static void check_whole(const struct loopback_step *steps, const char *verify, pail_code want)
{
    char data[8] = "", path[] = "/tmp/pail-azure-XXXXXX";
    struct pl_buf got = PL_BUF_MAX(64);
    struct stat st;
    close(mkstemp(path));
    unlink(path);
    CHECK_INT(read_whole(steps, PAIL_BUF(data, sizeof data), verify), want);
    CHECK_INT(read_whole(steps, PAIL_FN(take, &got), verify), want);
    CHECK_INT(read_whole(steps, PAIL_PATH(path), verify), want);
    CHECK_STR(data, "abcde");
    CHECK_STR(got.ptr, "abcde");
    CHECK_INT(stat(path, &st), want ? -1 : 0); /* nothing that is wrong is put in place */
    unlink(path);
    pl_buf_dispose(&got);
}

static void test_whole__that_is_read_in_ranges_is_held_against_its_md5(void)
{
    static const struct loopback_step right[] = {
        PART("0-1", 2, "ab", RIGHT), PART("2-3", 2, "cd", RIGHT), PART("4-4", 1, "e", RIGHT)};
    static const struct loopback_step wrong[] = {
        PART("0-1", 2, "ab", WRONG), PART("2-3", 2, "cd", WRONG), PART("4-4", 1, "e", WRONG)};
    check_whole(right, "true", PAIL_OK);
    check_whole(wrong, "true", PAIL_E_CHECKSUM);
    check_whole(wrong, "false", PAIL_OK);
}

/* ---- Others */

static void test_archived__says_how_it_is_brought_back(void)
{
    BEGIN(PL_OP_STAT, {.send = REFUSED("409 No", "BlobArchived")});
    CHECK_INT(plain_run(&client, &call), PAIL_E_ARCHIVED);
    CHECK(strstr(pail_error_hint(call.op.error), "az storage blob set-tier"));
    end();
}

int main(void)
{
    RUN(test_commit__that_won_unheard_is_known_by_its_blocks);
    RUN(test_commit__of_another_that_won_is_not_claimed);
    RUN(test_commit__that_is_refused_at_once_costs_no_look);
    RUN(test_put__that_won_unheard_is_known_by_its_md5);
    RUN(test_copy__is_waited_for);
    RUN(test_copy__that_fails_or_is_aborted_says_which_and_why);
    RUN(test_copy__another_copy_to_the_same_name_is_not_taken_for_ours);
    RUN(test_copy__whose_attributes_were_set_unheard_is_done);
    RUN(test_copy__that_another_replaced_gets_no_attributes);
    RUN(test_copy__ends_with_its_deadline);
    RUN(test_customer_key__goes_with_each_write);
    RUN(test_customer_key__goes_with_each_read);
    RUN(test_whole__that_is_read_in_ranges_is_held_against_its_md5);
    RUN(test_archived__says_how_it_is_brought_back);
    return test_end();
}
