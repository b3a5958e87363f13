/* Swift in trouble while a large object is sent: each part says the MD5 of the bytes that it is. */
#include <fcntl.h>
#include <unistd.h>

#include "../unit/test.h"
#include "base/sys.h"
#include "codec/digest.h"
#include "codec/hex.h"
#include "loopback.h"
#include "plain.h"

#define EMPTY(status, headers) "HTTP/1.1 " status "\r\n" headers "Content-Length: 0\r\n\r\n"

enum { PART = 10000, PARTS = 11, SIZE = (PARTS - 1) * PART + 123, STEPS = 32, BEFORE = 4 };
static char data[SIZE], md5[PARTS][33], answers[PARTS][128];
static char path[] = "/tmp/pail-swift-XXXXXX";
static struct loopback server;
static struct loopback_step steps[STEPS];
static int step_count;
static pail_bucket *bucket;

static void then(const char *answer)
{
    steps[step_count++] = (struct loopback_step){.send = answer};
}

/* What comes before the parts: the container, that of its segments, /info, the mark. */
static void begin_script(void)
{
    step_count = 0;
    then(EMPTY("204 No Content", ""));
    then(EMPTY("204 No Content", ""));
    then(EMPTY("404 Not Found", ""));
    then(EMPTY("201 Created", ""));
}

static void open_bucket(void)
{
    char endpoint[64];
    loopback_start(&server, steps, step_count);
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u/v1/A", server.port);
    const pail_kv settings[] = {{"os_storage_url", endpoint}, {"os_auth_token", "T"}};
    const pail_client_opts opts = {
        .size = sizeof opts, .settings = settings, .settings_count = 2, .ignore_environment = true};
    plain_clock_start();
    CHECK_INT(pail_open_bucket("swift://con", &opts, &bucket, NULL), PAIL_OK);
}

static void close_bucket(void)
{
    pail_bucket_close(bucket);
    plain_clock_stop();
    loopback_stop(&server);
}

static pail_code put(pail_body *body, unsigned concurrency, const pail_call *call)
{
    pail_put_opts opts = {.size = sizeof opts, .part_size = PART, .concurrency = concurrency};
    if (call) {
        opts.call = *call;
    }
    return pail_put(bucket, "k", body, &opts, NULL, NULL);
}

static bool is_part(int request, int number)
{
    char end[32];
    size_t line = strcspn(server.heads[request], "\r");
    int n = snprintf(end, sizeof end, "/%d HTTP/1.1", number);
    return strncmp(server.heads[request], "PUT /v1/A/con%2Bsegments/k/", 27) == 0 &&
           strncmp(server.heads[request] + line - n, end, (size_t)n) == 0;
}

/* Whether the request sends part `number` and says the MD5 of just these bytes. */
static void expect_part(int request, int number)
{
    char etag[64];
    size_t at = (size_t)(number - 1) * PART, n = number < PARTS ? PART : SIZE - at;
    snprintf(etag, sizeof etag, "etag: %s", md5[number - 1]);
    REQUIRE(request < server.requests);
    CHECK(is_part(request, number));
    CHECK(loopback_has(&server, request, etag));
    CHECK(server.body_lengths[request] == n && memcmp(server.bodies[request], data + at, n) == 0);
}

static bool was_finished(void)
{
    bool found = false;
    for (int i = 0; i < server.requests; i++) {
        found |= strstr(server.heads[i], "multipart-manifest=put") != NULL;
    }
    return found;
}

/* ---- */

static void test_parts__each_says_its_md5_also_when_it_is_sent_again(void)
{
    for (int from_file = 0; from_file < 2; from_file++) {
        int at = BEFORE;
        begin_script();
        for (int i = 1; i <= PARTS; i++) {
            if (i == 2 || i == 7) {
                then(i == 2 ? EMPTY("503 Later", "") : EMPTY("422 Not so", ""));
            }
            then(answers[i - 1]);
        }
        then(EMPTY("201 Created", ""));
        then(EMPTY("204 No Content", ""));
        open_bucket();
        CHECK_INT(put(from_file ? PAIL_PATH(path) : PAIL_BUF(data, SIZE), 1, NULL), PAIL_OK);
        CHECK_INT(server.requests, BEFORE + PARTS + 4);
        for (int i = 1; i <= PARTS; i++) {
            expect_part(at++, i);
            if (i == 2 || i == 7) {
                expect_part(at++, i);
            }
        }
        CHECK(was_finished());
        close_bucket();
    }
}

static int touch_after_a_part(uint64_t done, int64_t total, void *ctx)
{
    (void)total;
    return done > PART && pl_sys.touch(*(int *)ctx) ? -1 : 0;
}

/* The parts that follow were hashed before the change, and are sent after it. */
static void test_parts__of_a_file_that_changes_behind_their_hashing_are_an_error(void)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    pail_call call = {.progress = touch_after_a_part, .progress_ctx = &fd};
    begin_script();
    for (int i = 1; i <= PARTS; i++) {
        then(answers[i - 1]);
    }
    open_bucket();
    CHECK_INT(put(PAIL_PATH(path), 1, &call), PAIL_E_CHANGED);
    CHECK(!was_finished());
    close_bucket();
    close(fd);
}

static pail_cancel *cancel;
static ssize_t (*plain_pread)(int fd, void *buf, size_t n, off_t offset);
static ssize_t cancelling_pread(int fd, void *buf, size_t n, off_t offset)
{
    if (cancel) {
        pail_cancel_fire(cancel);
    }
    return plain_pread(fd, buf, n, offset);
}

static void test_parts__a_cancel_while_they_are_hashed_ends_the_upload(void)
{
    cancel = pail_cancel_new();
    pail_call call = {.cancel = cancel};
    begin_script();
    for (int i = BEFORE; i < STEPS; i++) {
        then(EMPTY("204 No Content", ""));
    }
    open_bucket();
    plain_pread = pl_sys.pread;
    pl_sys.pread = cancelling_pread;
    CHECK_INT(put(PAIL_PATH(path), 8, &call), PAIL_E_CANCELLED);
    pl_sys.pread = plain_pread;
    CHECK(!was_finished());
    close_bucket();
    pail_cancel_free(cancel);
}

static void prepare(void)
{
    uint32_t x = 5;
    for (size_t i = 0; i < SIZE; i++) {
        x = x * 1664525 + 1013904223;
        data[i] = (char)(x >> 24);
    }
    for (size_t i = 0; i < PARTS; i++) {
        struct pl_sum_value v;
        size_t n = i + 1 < PARTS ? PART : SIZE - i * PART;
        if (pl_sum_of(PL_SUM_MD5, data + i * PART, n, &v, NULL)) {
            exit(1);
        }
        pl_hex_encode(md5[i], v.bytes, v.len);
        snprintf(answers[i], sizeof *answers, EMPTY("201 Created", "Etag: %s\r\n"), md5[i]);
    }
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, data, SIZE) != SIZE) {
        exit(1);
    }
    close(fd);
}

int main(void)
{
    prepare();
    RUN(test_parts__each_says_its_md5_also_when_it_is_sent_again);
    RUN(test_parts__of_a_file_that_changes_behind_their_hashing_are_an_error);
    RUN(test_parts__a_cancel_while_they_are_hashed_ends_the_upload);
    unlink(path);
    return test_end();
}
