/* Whole transfers with servers that are of little help. */
#include <pail.h>

#include "../unit/test.h"
#include "loopback.h"

enum { MIB = 1 << 20, ENDLESS = 256 * MIB };

static size_t largest; /* allocation */

static void *watched(void *ptr, size_t size, void *ctx)
{
    (void)ctx;
    largest = size > largest ? size : largest;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

static pail_code open_at(const struct loopback *s, pail_bucket **b, pail_error **err)
{
    char url[256];
    snprintf(url, sizeof url,
             "s3://bucket?aws_endpoint_url=http://127.0.0.1:%u&aws_region=us-east-1"
             "&aws_access_key_id=a&aws_secret_access_key=b&max_attempts=1",
             s->port);
    return pail_open_bucket(url, NULL, b, err);
}

/* ---- reading into memory that grows, from servers that send without end ---- */

/* One object read whole, from a server that goes by the script; what failed, in *err. */
static pail_code get(const struct loopback_step *steps, int count, void **data, size_t *len,
                     pail_error **err)
{
    struct loopback s;
    pail_bucket *b;
    loopback_start(&s, steps, count);
    largest = 0;
    *data = NULL;
    pail_code rc = open_at(&s, &b, err);
    if (rc == PAIL_OK) {
        rc = pail_get_alloc(b, "key", NULL, data, len, err);
        pail_bucket_close(b);
    }
    loopback_stop(&s);
    return rc;
}

static void refuses(const struct loopback_step *steps, int count)
{
    void *data;
    size_t len;
    pail_error *err = NULL;
    CHECK_INT(get(steps, count, &data, &len, &err), PAIL_E_PROTOCOL);
    CHECK(strstr(pail_error_message(err), "more bytes came than were"));
    CHECK(largest <= 16 * MIB);
    pail_error_free(err);
    pail_free(data);
}

static void test_room__is_that_of_the_range_that_was_announced(void)
{
    static const struct loopback_step steps[] = {
        {.send = "HTTP/1.1 206 X\r\nETag: \"e\"\r\nContent-Range: bytes 0-9/10\r\n\r\n",
         .fill = ENDLESS,
         .then = CLOSE}};
    refuses(steps, 1);
    CHECK(largest <= MIB);
}

static void test_room__of_an_object_that_was_empty_is_that_of_one_request(void)
{
    static const struct loopback_step steps[] = {
        {.send = "HTTP/1.1 416 X\r\nContent-Length: 0\r\n\r\n"},
        {.send = "HTTP/1.1 200 X\r\nETag: \"e\"\r\n\r\n", .fill = ENDLESS, .then = CLOSE}};
    refuses(steps, 2);
}

static void test_room__holds_what_was_announced(void)
{
    static const struct loopback_step steps[] = {
        {.send = "HTTP/1.1 206 X\r\nETag: \"e\"\r\nContent-Range: bytes 0-9/10\r\n\r\n",
         .fill = 10,
         .then = CLOSE}};
    void *data;
    size_t len = 0;
    pail_error *err = NULL;
    CHECK_INT(get(steps, 1, &data, &len, &err), PAIL_OK);
    CHECK_INT(len, 10);
    CHECK(data && memcmp(data, "xxxxxxxxxx", 10) == 0);
    pail_error_free(err);
    pail_free(data);
}

/* ---- a finish of an upload that got no answer ---- */

#define BEGUN                                                                                      \
    "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
#define HALF "HTTP/1.1 200 X\r\nContent-Length: 500\r\n\r\n<"
#define PART "HTTP/1.1 200 X\r\nETag: \"e\"\r\nContent-Length: 0\r\n\r\n"

/* Whether the upload is aborted; `more`: headers of the answer that began it. */
static bool aborts(const char *more)
{
    char begun[512];
    struct loopback s;
    pail_bucket *b;
    pail_error *err = NULL;
    const size_t n = 6 * MIB;
    char *data = calloc(1, n);
    snprintf(begun, sizeof begun, "HTTP/1.1 200 X\r\n%sContent-Length: %zu\r\n\r\n%s", more,
             strlen(BEGUN), BEGUN);
    const struct loopback_step steps[] = {{.send = begun},
                                          {.send = PART},
                                          {.send = PART},
                                          {.send = HALF, .then = CLOSE},
                                          {.send = "HTTP/1.1 204 X\r\n\r\n"}};
    loopback_start(&s, steps, 5);
    CHECK_INT(open_at(&s, &b, NULL), PAIL_OK);
    pail_body body = *PAIL_BUF(data, n);
    pail_put_opts opts = {.size = sizeof opts, .part_size = 5 * MIB};
    CHECK_INT(pail_put(b, "key", &body, &opts, NULL, &err), PAIL_E_CONNECT);
    CHECK(pail_error_maybe_applied(err));
    CHECK(s.heads[3] && strncmp(s.heads[3], "POST ", 5) == 0);
    bool abort = s.requests == 5;
    CHECK(!abort || strncmp(s.heads[4], "DELETE ", 7) == 0);
    pail_error_free(err);
    pail_bucket_close(b);
    loopback_stop(&s);
    free(data);
    return abort;
}

/* Seen with Swift 2.38.3 (2026-11): its S3 layer answers both with success and deletes the parts of
 * the object, where the finish is still being worked on as the abort comes. */
static void test_lost_finish__is_followed_by_an_abort_only_where_that_takes_no_part_away(void)
{
    CHECK(aborts("x-amz-request-id: tx1\r\n"));
    CHECK(!aborts("X-Trans-Id: tx1\r\nX-Openstack-Request-Id: tx1\r\n"));
}

int main(void)
{
    const pail_allocator allocator = {watched, NULL};
    if (pail_set_allocator(&allocator)) {
        return 1;
    }
    RUN(test_room__is_that_of_the_range_that_was_announced);
    RUN(test_room__of_an_object_that_was_empty_is_that_of_one_request);
    RUN(test_room__holds_what_was_announced);
    RUN(test_lost_finish__is_followed_by_an_abort_only_where_that_takes_no_part_away);
    return test_end();
}
