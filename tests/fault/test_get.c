/* Reading into memory that grows, from servers that send without end. */
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

/* One object read whole, from a server that goes by the script; what failed, in *err. */
static pail_code get(const struct loopback_step *steps, int count, void **data, size_t *len,
                     pail_error **err)
{
    struct loopback s;
    char url[256];
    pail_bucket *b;
    loopback_start(&s, steps, count);
    snprintf(url, sizeof url,
             "s3://bucket?aws_endpoint_url=http://127.0.0.1:%u&aws_region=us-east-1"
             "&aws_access_key_id=a&aws_secret_access_key=b&max_attempts=1",
             s.port);
    largest = 0;
    *data = NULL;
    pail_code rc = pail_open_bucket(url, NULL, &b, err);
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

int main(void)
{
    const pail_allocator allocator = {watched, NULL};
    if (pail_set_allocator(&allocator)) {
        return 1;
    }
    RUN(test_room__is_that_of_the_range_that_was_announced);
    RUN(test_room__of_an_object_that_was_empty_is_that_of_one_request);
    RUN(test_room__holds_what_was_announced);
    return test_end();
}
