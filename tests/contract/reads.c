#include "contract.h"

#include <fcntl.h>
#include <unistd.h>

static void test_get__range_begin_middle_end_and_past_the_end(void)
{
    char buf[16];
    put_text("k", "0123456789");
    static const struct {
        pail_range range;
        const char *want;
    } cases[] = {{{0, 1, 0}, "0"},   {{0, 10, 0}, "0123456789"}, {{3, 4, 0}, "3456"},
                 {{9, 1, 0}, "9"},   {{5, 100, 0}, "56789"},     {{7, 0, 0}, "789"},
                 {{0, 0, 3}, "789"}, {{0, 0, 100}, "0123456789"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pail_body body = {.kind = PAIL_BODY_BUF, .buf = buf, .len = sizeof buf};
        pail_info *info = NULL;
        CODE(pail_get(bucket, "k", &body, PAIL_OPTS(get, .range = cases[i].range), &info, &err),
             PAIL_OK);
        CHECK_INT(body.used, strlen(cases[i].want));
        CHECK(body.used == strlen(cases[i].want) && memcmp(buf, cases[i].want, body.used) == 0);
        CHECK(info && info->size == 10);
        pail_info_free(info);
    }
}

static void test_get__range_that_begins_at_or_past_the_end_is_bad_range(void)
{
    char buf[16];
    put_text("k", "0123456789");
    CODE(pail_get(bucket, "k", PAIL_BUF(buf, 16), PAIL_OPTS(get, .range = {.offset = 10}), NULL,
                  &err),
         PAIL_E_BAD_RANGE);
    CODE(pail_get(bucket, "k", PAIL_BUF(buf, 16),
                  PAIL_OPTS(get, .range = {.offset = 99, .length = 1}), NULL, &err),
         PAIL_E_BAD_RANGE);
    CODE(pail_get(bucket, "k", PAIL_BUF(buf, 16),
                  PAIL_OPTS(get, .range = {.offset = 1, .suffix = 1}), NULL, &err),
         PAIL_E_BAD_ARGUMENT);
}

static void test_get__empty_object_is_no_bytes_in_every_form(void)
{
    put_text("empty", "");
    expect_text("empty", "");
    char buf[4];
    pail_body body = {.kind = PAIL_BODY_BUF, .buf = buf, .len = 0};
    CODE(pail_get(bucket, "empty", &body, NULL, NULL, &err), PAIL_OK);
    CHECK_INT(body.used, 0);
    char path[] = "/tmp/pail-contract-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    CODE(pail_get(bucket, "empty", PAIL_PATH(path), NULL, NULL, &err), PAIL_OK);
    CHECK_INT(lseek(fd, 0, SEEK_END), 0);
    close(fd);
    unlink(path);
}

static void test_get__buffer_that_is_too_small_says_so(void)
{
    char buf[4];
    put_text("k", "0123456789");
    CODE(pail_get(bucket, "k", PAIL_BUF(buf, 4), NULL, NULL, &err), PAIL_E_TOO_LARGE);
    CODE(pail_get(bucket, "k", PAIL_BUF(buf, 0), NULL, NULL, &err), PAIL_E_TOO_LARGE);
}

static void test_get__missing_object_is_not_found_and_leaves_the_file(void)
{
    char path[] = "/tmp/pail-contract-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0 && write(fd, "old", 3) == 3);
    CODE(pail_get(bucket, "gone", PAIL_PATH(path), NULL, NULL, &err), PAIL_E_NOT_FOUND);
    CHECK_STR(pail_error_key(err), "gone");
    char back[8] = "";
    CHECK_INT(pread(fd, back, 8, 0), 3);
    CHECK_STR(back, "old");
    close(fd);
    unlink(path);
}

/* Sizes around a part, in parallel and in one piece, to memory, file and function: always the same
 * bytes. */
static int64_t collect(void *data, size_t n, void *ctx)
{
    unsigned char **at = ctx;
    memcpy(*at, data, n);
    *at += n;
    return 0;
}

/* Asked for once, and for as much as comes. */
struct room {
    void *memory;
    uint64_t size;
};

static void *exact_room(uint64_t size, void *ctx)
{
    struct room *r = ctx;
    void *memory = size == r->size ? r->memory : NULL;
    r->memory = NULL;
    return memory;
}

static void get_all_ways(size_t n, uint64_t part)
{
    unsigned char *want = pattern(n, (unsigned)n), *got = malloc(n + 1), *at = got;
    put_bytes("big", want, n);
    memset(got, 0, n + 1);
    CODE(pail_get(bucket, "big", PAIL_BUF(got, n),
                  PAIL_OPTS(get, .part_size = part, .concurrency = 3), NULL, &err),
         PAIL_OK);
    CHECK(memcmp(got, want, n) == 0);
    memset(got, 0, n + 1);
    CODE(pail_get(bucket, "big", PAIL_FN(collect, &at),
                  PAIL_OPTS(get, .part_size = part, .concurrency = 3), NULL, &err),
         PAIL_OK);
    CHECK(at == got + n && memcmp(got, want, n) == 0);
    memset(got, 0, n + 1);
    pail_body room = *PAIL_ROOM(exact_room, (&(struct room){got, n}));
    CODE(pail_get(bucket, "big", &room, PAIL_OPTS(get, .part_size = part, .concurrency = 3), NULL,
                  &err),
         PAIL_OK);
    CHECK(room.used == n && memcmp(got, want, n) == 0);
    char path[] = "/tmp/pail-contract-XXXXXX";
    int fd = mkstemp(path);
    CODE(pail_get(bucket, "big", PAIL_PATH(path), PAIL_OPTS(get, .part_size = part, .sync = true),
                  NULL, &err),
         PAIL_OK);
    close(fd);
    fd = open(path, O_RDONLY);
    memset(got, 0, n + 1);
    CHECK_INT(read(fd, got, n + 1), n);
    CHECK(memcmp(got, want, n) == 0);
    close(fd);
    unlink(path);
    free(want);
    free(got);
}

static void test_get__parallel_equals_serial_around_a_part(void)
{
    enum { PART = 64 << 10 };
    static const size_t sizes[] = {1, PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 7};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        get_all_ways(sizes[i], PART);
    }
}

static void test_get__room_for_an_empty_object_a_range_a_suffix_and_none(void)
{
    char buf[16];
    put_text("empty", "");
    put_text("k", "0123456789");
    static const struct {
        const char *key;
        pail_range range;
        const char *want;
    } cases[] = {{"empty", {0}, ""}, {"k", {3, 4, 0}, "3456"}, {"k", {0, 0, 3}, "789"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pail_body body = *PAIL_ROOM(exact_room, (&(struct room){buf, strlen(cases[i].want)}));
        CODE(pail_get(bucket, cases[i].key, &body, PAIL_OPTS(get, .range = cases[i].range), NULL,
                      &err),
             PAIL_OK);
        CHECK(body.used == strlen(cases[i].want) && memcmp(buf, cases[i].want, body.used) == 0);
    }
    pail_body little = *PAIL_ROOM(exact_room, (&(struct room){NULL, 0}));
    little.buf = buf;
    little.len = 10;
    CODE(pail_get(bucket, "k", &little, NULL, NULL, &err), PAIL_OK);
    CHECK(little.used == 10 && memcmp(buf, "0123456789", 10) == 0);
    CODE(pail_get(bucket, "k", PAIL_ROOM(exact_room, (&(struct room){NULL, 10})), NULL, NULL, &err),
         PAIL_E_CALLBACK);
    CODE(pail_put(bucket, "k", PAIL_ROOM(exact_room, NULL), NULL, NULL, &err), PAIL_E_BAD_ARGUMENT);
}

static void test_get__many_ranges_overlapping_unordered_empty_and_past_the_end(void)
{
    enum { N = 300000 };
    unsigned char *want = pattern(N, 5);
    put_bytes("k", want, N);
    static const pail_range ranges[] = {{100000, 1000, 0}, {0, 10, 0},      {5, 10, 0},
                                        {299990, 100, 0},  {400000, 10, 0}, {100500, 10, 0},
                                        {200000, 0, 0},    {0, 10, 0}};
    enum { COUNT = sizeof ranges / sizeof *ranges };
    unsigned char room[COUNT][1000];
    void *bufs[COUNT];
    size_t got[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        bufs[i] = room[i];
    }
    for (uint64_t gap = 1; gap < 1 << 20; gap += 200000) {
        OK(pail_get_ranges(bucket, "k", ranges, bufs, got, COUNT, gap, NULL, &err));
        for (size_t i = 0; i < COUNT; i++) {
            size_t left = ranges[i].offset < N ? N - ranges[i].offset : 0;
            size_t n = ranges[i].length < left ? ranges[i].length : left;
            CHECK_INT(got[i], n);
            CHECK(memcmp(room[i], want + (n ? ranges[i].offset : 0), n) == 0);
        }
    }
    free(want);
}

static void test_stat__tells_size_time_and_etag(void)
{
    pail_info *info = NULL;
    put_text("k", "0123456789");
    OK(pail_stat(bucket, "k", NULL, &info, &err));
    CHECK_STR(info->key, "k");
    CHECK_INT(info->size, 10);
    CHECK(info->mtime_ms > INT64_C(1600000000000));
    CHECK(info->etag && *info->etag && info->etag[0] != '"');
    pail_info_free(info);
    CODE(pail_stat(bucket, "gone", NULL, &info, &err), PAIL_E_NOT_FOUND);
    CHECK(info == NULL);
}

static void test_get__a_sink_that_stops_ends_the_call(void)
{
    static const char text[] = "x";
    put_text("k", text);
    pail_cancel *cancel = pail_cancel_new();
    REQUIRE(cancel != NULL);
    pail_cancel_fire(cancel);
    char buf[4];
    CODE(pail_get(bucket, "k", PAIL_BUF(buf, 4), PAIL_OPTS(get, .call.cancel = cancel), NULL, &err),
         PAIL_E_CANCELLED);
    pail_cancel_free(cancel);
}

void read_suite(void)
{
    CONTRACT(test_get__range_begin_middle_end_and_past_the_end);
    CONTRACT(test_get__range_that_begins_at_or_past_the_end_is_bad_range);
    CONTRACT(test_get__empty_object_is_no_bytes_in_every_form);
    CONTRACT(test_get__buffer_that_is_too_small_says_so);
    CONTRACT(test_get__missing_object_is_not_found_and_leaves_the_file);
    CONTRACT(test_get__parallel_equals_serial_around_a_part);
    CONTRACT(test_get__room_for_an_empty_object_a_range_a_suffix_and_none);
    CONTRACT(test_get__many_ranges_overlapping_unordered_empty_and_past_the_end);
    CONTRACT(test_stat__tells_size_time_and_etag);
    CONTRACT(test_get__a_sink_that_stops_ends_the_call);
}
