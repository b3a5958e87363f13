#include "contract.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_put__overwrites_as_a_whole(void)
{
    put_text("k", "first and long");
    put_text("k", "2nd");
    expect_text("k", "2nd");
}

static void test_put__headers_metadata_and_type_come_back(void)
{
    static const pail_kv metadata[] = {{"colour", "blue"}, {"two-words", "a b"}};
    pail_info *info = NULL;
    OK(pail_put(bucket, "k.bin", PAIL_BUF("x", 1),
                PAIL_OPTS(put, .attr = {.content_type = "text/x-test",
                                        .content_encoding = "identity-not",
                                        .content_language = "de",
                                        .content_disposition = "attachment",
                                        .cache_control = "no-cache",
                                        .metadata = metadata,
                                        .metadata_count = 2}),
                &info, &err));
    CHECK_STR(info->key, "k.bin");
    CHECK_INT(info->size, 1);
    pail_info_free(info);
    OK(pail_stat(bucket, "k.bin", NULL, &info, &err));
    CHECK_STR(info->content_type, "text/x-test");
    CHECK_STR(info->content_encoding, "identity-not");
    CHECK_STR(info->content_language, "de");
    CHECK_STR(info->content_disposition, "attachment");
    CHECK_STR(info->cache_control, "no-cache");
    CHECK_INT(info->metadata_count, 2);
    for (size_t i = 0; i < info->metadata_count; i++) {
        bool colour = strcmp(info->metadata[i].name, "colour") == 0;
        CHECK_STR(info->metadata[i].name, colour ? "colour" : "two-words");
        CHECK_STR(info->metadata[i].value, colour ? "blue" : "a b");
    }
    pail_info_free(info);
    put_text("k.bin", "plain"); /* the old metadata goes with the old object */
    OK(pail_stat(bucket, "k.bin", NULL, &info, &err));
    CHECK_INT(info->metadata_count, 0);
    pail_info_free(info);
}

static void test_put__type_is_guessed_from_the_name(void)
{
    pail_info *info = NULL;
    put_text("page.html", "<p>");
    OK(pail_stat(bucket, "page.html", NULL, &info, &err));
    CHECK(info->content_type && strncmp(info->content_type, "text/html", 9) == 0);
    pail_info_free(info);
}

static void test_put__metadata_whose_names_differ_in_case_alone_is_refused(void)
{
    static const pail_kv metadata[] = {{"a", "1"}, {"other", "2"}, {"A", "3"}};
    CODE(pail_put(bucket, "twice", PAIL_BUF("x", 1),
                  PAIL_OPTS(put, .attr = {.metadata = metadata, .metadata_count = 3}), NULL, &err),
         PAIL_E_BAD_ARGUMENT);
    CHECK(strstr(pail_error_message(err), "\"a\"") && strstr(pail_error_message(err), "\"A\""));
    CHECK(!object_there("twice"));
}

static void test_put__control_characters_in_metadata_are_refused(void)
{
    static const pail_kv metadata[] = {{"a", "b\r\nx-evil: 1"}};
    CODE(pail_put(bucket, "k", PAIL_BUF("x", 1),
                  PAIL_OPTS(put, .attr = {.metadata = metadata, .metadata_count = 1}), NULL, &err),
         PAIL_E_BAD_ARGUMENT);
    CODE(pail_put(bucket, "k", PAIL_BUF("x", 1), PAIL_OPTS(put, .attr = {.content_type = "a\nb"}),
                  NULL, &err),
         PAIL_E_BAD_ARGUMENT);
    CHECK(!object_there("k"));
}

static void test_put__tags_come_back_and_can_be_changed(void)
{
    if (!supports(PAIL_CAN_TAGS)) {
        SKIP("no tags here");
    }
    /* Only characters that S3 allows in tags. */
    static const pail_kv tags[] = {{"a", "1"}, {"b c", "x=y:z/@"}};
    pail_info *info = NULL;
    OK(pail_put(bucket, "k", PAIL_BUF("x", 1),
                PAIL_OPTS(put, .attr = {.tags = tags, .tag_count = 2}), NULL, &err));
    OK(pail_tags_get(bucket, "k", NULL, &info, &err));
    CHECK_INT(info->tag_count, 2);
    pail_info_free(info);
    OK(pail_tags_set(bucket, "k", tags + 1, 1, NULL, &err));
    OK(pail_tags_get(bucket, "k", NULL, &info, &err));
    CHECK_INT(info->tag_count, 1);
    if (info->tag_count == 1) {
        CHECK_STR(info->tags[0].name, "b c");
        CHECK_STR(info->tags[0].value, "x=y:z/@");
    }
    pail_info_free(info);
    expect_text("k", "x");
}

/* A stream of `left` bytes. */
struct stream {
    unsigned char *data;
    size_t at, n, step;
};

static int64_t produce(void *buf, size_t n, void *ctx)
{
    struct stream *s = ctx;
    size_t left = s->n - s->at, take = left < n ? left : n;
    take = take < s->step ? take : s->step;
    memcpy(buf, s->data + s->at, take);
    s->at += take;
    return (int64_t)take;
}

static void expect_bytes(const char *key, const unsigned char *want, size_t n)
{
    void *got = NULL;
    size_t len = 0;
    CODE(pail_get_alloc(bucket, key, NULL, &got, &len, &err), PAIL_OK);
    CHECK_INT(len, n);
    CHECK(len == n && got && memcmp(got, want, n) == 0);
    pail_free(got);
}

static void test_put__stream_of_unknown_length_around_a_part(void)
{
    uint64_t part = pail_client_limit(client, PAIL_LIMIT_PART_MIN);
    part = part < 256 << 10 ? 256 << 10 : part;
    const size_t sizes[] = {0, 1, part - 1, part, part + 1, 2 * part + 3};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct stream s = {pattern(sizes[i], 7), 0, sizes[i], 70001};
        pail_body body = {.kind = PAIL_BODY_FN, .fn = produce, .ctx = &s};
        pail_info *info = NULL;
        OK(pail_put(bucket, "s", &body, PAIL_OPTS(put, .part_size = part), &info, &err));
        CHECK_INT(body.used, sizes[i]);
        CHECK_INT(info->size, sizes[i]);
        pail_info_free(info);
        expect_bytes("s", s.data, sizes[i]);
        free(s.data);
    }
}

static int64_t break_off(void *buf, size_t n, void *ctx)
{
    size_t *left = ctx;
    if (*left == 0) {
        return -1;
    }
    size_t take = n < *left ? n : *left;
    memset(buf, 'x', take);
    *left -= take;
    return (int64_t)take;
}

static void test_put__source_that_stops_leaves_the_old_object_and_no_parts(void)
{
    uint64_t part = pail_client_limit(client, PAIL_LIMIT_PART_MIN);
    part = part < 256 << 10 ? 256 << 10 : part;
    size_t left = 2 * part + 10;
    put_text("k", "old");
    CODE(pail_put(bucket, "k", PAIL_FN(break_off, &left), PAIL_OPTS(put, .part_size = part), NULL,
                  &err),
         PAIL_E_CALLBACK);
    expect_text("k", "old");
    pail_iter *it = NULL;
    const pail_info *i;
    OK(pail_uploads(bucket, NULL, &it, &err));
    CODE(pail_iter_next(it, &i, &err), PAIL_DONE);
    pail_iter_free(it);
}

static void test_put__file_in_parts_equals_the_file(void)
{
    uint64_t part = pail_client_limit(client, PAIL_LIMIT_PART_MIN);
    part = part < 256 << 10 ? 256 << 10 : part;
    size_t n = 2 * part + 12345;
    unsigned char *data = pattern(n, 11);
    char path[] = "/tmp/pail-contract-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0 && write(fd, data, n) == (ssize_t)n);
    pail_body body = {.kind = PAIL_BODY_PATH, .path = path};
    CODE(pail_put(bucket, "f", &body, PAIL_OPTS(put, .part_size = part, .concurrency = 2), NULL,
                  &err),
         PAIL_OK);
    CHECK_INT(body.used, n);
    expect_bytes("f", data, n);
    lseek(fd, 100, SEEK_SET); /* a descriptor is read from where it stands */
    CODE(pail_put(bucket, "f", PAIL_FD(fd), NULL, NULL, &err), PAIL_OK);
    expect_bytes("f", data + 100, n - 100);
    close(fd);
    unlink(path);
    free(data);
}

static void test_put__missing_file_and_folder_are_clear_errors(void)
{
    put_text("k", "old");
    CODE(pail_put(bucket, "k", PAIL_PATH("/nonexistent/file"), NULL, NULL, &err), PAIL_E_IO);
    CHECK(strstr(pail_error_message(err), "/nonexistent/file") != NULL);
    CODE(pail_put(bucket, "k", PAIL_PATH("/tmp"), NULL, NULL, &err), PAIL_E_BAD_ARGUMENT);
    CHECK(strstr(pail_error_message(err), "directory") != NULL);
    expect_text("k", "old");
}

/* Writes to the file as soon as some of it was read. */
static int change_file(uint64_t done, int64_t total, void *ctx)
{
    int *fd = ctx;
    (void)total;
    (void)done;
    if (*fd >= 0) {
        static time_t when;
        when++;
        struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};
        (void)futimens(*fd, times);
        *fd = -1;
    }
    return 0;
}

static void test_put__file_that_changes_is_refused_and_the_old_object_stays(void)
{
    uint64_t part = pail_client_limit(client, PAIL_LIMIT_PART_MIN);
    part = part < 256 << 10 ? 256 << 10 : part;
    size_t n = 2 * part + 1;
    unsigned char *data = pattern(n, 13);
    char path[] = "/tmp/pail-contract-XXXXXX";
    int fd = mkstemp(path), once = fd;
    REQUIRE(fd >= 0 && write(fd, data, n) == (ssize_t)n);
    put_text("k", "old");
    pail_call call = {.progress = change_file, .progress_ctx = &once};
    CODE(pail_put(bucket, "k", PAIL_PATH(path), PAIL_OPTS(put, .part_size = part, .call = call),
                  NULL, &err),
         PAIL_E_CHANGED);
    expect_text("k", "old");
    once = fd;
    CODE(pail_put(bucket, "k", PAIL_PATH(path), PAIL_OPTS(put, .call = call), NULL, &err),
         PAIL_E_CHANGED);
    expect_text("k", "old");
    close(fd);
    unlink(path);
    free(data);
}

static int stop_progress(uint64_t done, int64_t total, void *ctx)
{
    int *calls = ctx;
    (void)done;
    (void)total;
    return ++*calls > 0;
}

static void test_put__progress_may_stop_it(void)
{
    int calls = 0;
    CODE(pail_put(bucket, "k", PAIL_BUF("x", 1),
                  PAIL_OPTS(put, .call = {.progress = stop_progress, .progress_ctx = &calls}), NULL,
                  &err),
         PAIL_E_CALLBACK);
    CHECK(calls > 0);
    CHECK(!object_there("k"));
}

static void test_put__nothing_exists_until_content_was_uploaded(void)
{
    CHECK(!object_there("later"));
    CHECK_STR(keys_of(NULL), "");
}

void write_suite(void)
{
    CONTRACT(test_put__overwrites_as_a_whole);
    CONTRACT(test_put__headers_metadata_and_type_come_back);
    CONTRACT(test_put__type_is_guessed_from_the_name);
    CONTRACT(test_put__metadata_whose_names_differ_in_case_alone_is_refused);
    CONTRACT(test_put__control_characters_in_metadata_are_refused);
    CONTRACT(test_put__tags_come_back_and_can_be_changed);
    CONTRACT(test_put__stream_of_unknown_length_around_a_part);
    CONTRACT(test_put__source_that_stops_leaves_the_old_object_and_no_parts);
    CONTRACT(test_put__file_in_parts_equals_the_file);
    CONTRACT(test_put__missing_file_and_folder_are_clear_errors);
    CONTRACT(test_put__file_that_changes_is_refused_and_the_old_object_stays);
    CONTRACT(test_put__progress_may_stop_it);
    CONTRACT(test_put__nothing_exists_until_content_was_uploaded);
}
