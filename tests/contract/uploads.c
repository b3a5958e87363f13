#include <unistd.h>

#include "contract.h"

static size_t part_bytes(void)
{
    uint64_t part = pail_client_limit(client, PAIL_LIMIT_PART_MIN);
    return part < 256 << 10 ? 256 << 10 : (size_t)part;
}

static int count_uploads(char *key, char *id)
{
    pail_iter *it = NULL;
    const pail_info *i;
    int n = 0;
    CODE(pail_uploads(bucket, NULL, &it, &err), PAIL_OK);
    while (it && pail_iter_next(it, &i, &err) == PAIL_OK) {
        n++;
        snprintf(key, 64, "%s", i->key);
        snprintf(id, 1024, "%s", i->upload_id ? i->upload_id : "");
    }
    pail_iter_free(it);
    return n;
}

static void test_upload__writer_in_parts_is_visible_only_after_commit(void)
{
    size_t part = part_bytes(), n = 2 * part + 5;
    unsigned char *data = pattern(n, 2);
    pail_writer *w = NULL;
    pail_info *info = NULL;
    OK(pail_writer_open(bucket, "k",
                        PAIL_OPTS(put, .part_size = part, .attr = {.content_type = "text/x-w"}), &w,
                        &err));
    for (size_t at = 0; at < n;) {
        size_t step = n - at < 100003 ? n - at : 100003;
        OK(pail_writer_write(w, data + at, step, &err));
        at += step;
    }
    CHECK(!object_there("k"));
    CODE(pail_writer_commit(w, &info, &err), PAIL_OK);
    CHECK(info && info->size == n);
    CODE(pail_writer_write(w, "x", 1, &err), PAIL_E_BAD_ARGUMENT);
    pail_writer_free(w);
    pail_info_free(info);
    void *got = NULL;
    size_t len = 0;
    OK(pail_get_alloc(bucket, "k", NULL, &got, &len, &err));
    CHECK(len == n && memcmp(got, data, n) == 0);
    pail_free(got);
    OK(pail_stat(bucket, "k", NULL, &info, &err));
    CHECK_STR(info->content_type, "text/x-w");
    pail_info_free(info);
    free(data);
}

static void test_upload__dropped_writer_leaves_nothing(void)
{
    size_t part = part_bytes();
    unsigned char *data = pattern(part + 1, 2);
    char key[64], id[1024];
    pail_writer *w = NULL;
    OK(pail_writer_open(bucket, "k", PAIL_OPTS(put, .part_size = part), &w, &err));
    OK(pail_writer_write(w, data, part + 1, &err));
    pail_writer_free(w);
    CHECK(!object_there("k"));
    CHECK_INT(count_uploads(key, id), 0);
    OK(pail_writer_open(bucket, "k", NULL, &w, &err)); /* before anything was sent */
    pail_writer_free(w);
    CHECK(!object_there("k"));
    free(data);
}

static void test_upload__small_and_empty_writers_are_one_object(void)
{
    pail_writer *w = NULL;
    OK(pail_writer_open(bucket, "small", NULL, &w, &err));
    OK(pail_writer_write(w, "ab", 2, &err));
    OK(pail_writer_write(w, "c", 1, &err));
    CODE(pail_writer_commit(w, NULL, &err), PAIL_OK);
    pail_writer_free(w);
    expect_text("small", "abc");
    OK(pail_writer_open(bucket, "none", NULL, &w, &err));
    CODE(pail_writer_commit(w, NULL, &err), PAIL_OK);
    pail_writer_free(w);
    expect_text("none", "");
}

static void test_upload__unfinished_ones_are_listed_and_aborted(void)
{
    size_t part = part_bytes();
    unsigned char *data = pattern(3 * part + 1, 2);
    char key[64] = "", id[1024] = "";
    pail_writer *w = NULL;
    /* One request at once, so that the first part is surely there when the third is taken. */
    OK(pail_writer_open(bucket, "k", PAIL_OPTS(put, .part_size = part, .concurrency = 1), &w,
                        &err));
    OK(pail_writer_write(w, data, 3 * part + 1, &err));
    CHECK_INT(count_uploads(key, id), 1);
    CHECK_STR(key, "k");
    pail_cancel *cancel = pail_cancel_new();
    pail_cancel_fire(cancel);
    CODE(pail_upload_abort(bucket, key, id, PAIL_OPTS(delete, .call.cancel = cancel), &err),
         PAIL_E_CANCELLED);
    pail_cancel_free(cancel);
    OK(pail_upload_abort(bucket, key, id, NULL, &err));
    CHECK_INT(count_uploads(key, id), 0);
    pail_code rc = pail_writer_commit(w, NULL, &err);
    CHECK(rc == PAIL_E_UPLOAD_NOT_FOUND);
    pail_writer_free(w);
    CHECK(!object_there("k"));
    CODE(pail_upload_abort(bucket, "k", id, NULL, &err), PAIL_E_UPLOAD_NOT_FOUND);
    free(data);
}

/* Part 2 is sent before part 1, and part 1 twice. */
static void test_upload__parts_by_hand_in_any_order(void)
{
    size_t part = part_bytes(), n = part + 7;
    unsigned char *data = pattern(n, 3);
    char *id = NULL, key[64], listed[1024];
    pail_info *second = NULL, *first = NULL, *info = NULL;
    const pail_put_opts *opts = PAIL_OPTS(put, .attr = {.content_type = "text/x-h"});
    OK(pail_upload_begin(bucket, "k", opts, &id, &err));
    OK(pail_upload_part(bucket, "k", id, 2, PAIL_BUF(data + part, 7), NULL, &second, &err));
    OK(pail_upload_part(bucket, "k", id, 1, PAIL_BUF(data + 1, part), NULL, NULL, &err));
    OK(pail_upload_part(bucket, "k", id, 1, PAIL_BUF(data, part), NULL, &first, &err));
    CHECK_INT(count_uploads(key, listed), 1);
    CHECK(!object_there("k"));
    pail_part parts[] = {{2, second->size, second->etag, second->checksum},
                         {1, first->size, first->etag, first->checksum}};
    OK(pail_upload_finish(bucket, "k", id, parts, 2, opts, &info, &err));
    CHECK(info && info->size == n);
    /* An abort that comes behind the finish, as after an answer that was lost, takes nothing away.
     */
    (void)!pail_upload_abort(bucket, "k", id, NULL, NULL);
    void *got = NULL;
    size_t len = 0;
    OK(pail_get_alloc(bucket, "k", NULL, &got, &len, &err));
    CHECK(len == n && memcmp(got, data, n) == 0);
    pail_free(got);
    pail_info_free(info);
    OK(pail_stat(bucket, "k", NULL, &info, &err));
    CHECK_STR(info->content_type, "text/x-h");
    pail_info_free(info);
    pail_info_free(first);
    pail_info_free(second);
    pail_free(id);
    free(data);
}

/* A store that is told checksums before the bytes refuses those of other bytes. */
static void test_upload__many_parts_with_a_short_last_one_from_memory_and_file(void)
{
    size_t part = part_bytes(), n = (part > 1 << 20 ? 2 : 10) * part + 77;
    unsigned char *data = pattern(n, 5);
    for (unsigned round = 0; round < 4; round++) {
        char path[] = "/tmp/pail-contract-XXXXXX", key[16];
        int fd = mkstemp(path);
        pail_put_opts opts = {
            .size = sizeof opts, .part_size = part, .concurrency = round / 2 ? 1 : 0};
        pail_body *body = round % 2 ? PAIL_PATH(path) : PAIL_BUF(data, n);
        void *got = NULL;
        size_t len = 0;
        CHECK(fd >= 0 && write(fd, data, n) == (ssize_t)n);
        close(fd);
        snprintf(key, sizeof key, "parts-%u", round);
        CODE(pail_put(bucket, key, body, &opts, NULL, &err), PAIL_OK);
        OK(pail_get_alloc(bucket, key, NULL, &got, &len, &err));
        CHECK(len == n && got && memcmp(got, data, n) == 0);
        pail_free(got);
        unlink(path);
    }
    free(data);
}

static void test_upload__by_hand_refuses_what_makes_no_sense(void)
{
    char *id = NULL;
    OK(pail_upload_begin(bucket, "k", NULL, &id, &err));
    pail_part twice[] = {{1, 1, "a", NULL}, {1, 1, "b", NULL}}, zero = {0, 1, "a", NULL};
    CODE(pail_upload_finish(bucket, "k", id, twice, 2, NULL, NULL, &err), PAIL_E_BAD_ARGUMENT);
    CODE(pail_upload_finish(bucket, "k", id, &zero, 1, NULL, NULL, &err), PAIL_E_BAD_ARGUMENT);
    CODE(pail_upload_part(bucket, "k", id, 0, PAIL_BUF("a", 1), NULL, NULL, &err),
         PAIL_E_BAD_ARGUMENT);
    CODE(pail_upload_part(bucket, "k", "", 1, PAIL_BUF("a", 1), NULL, NULL, &err),
         PAIL_E_BAD_ARGUMENT);
    OK(pail_upload_abort(bucket, "k", id, NULL, &err));
    /* A service that keeps no list of uploads takes the part; nobody can finish with it. */
    pail_code rc = pail_upload_part(bucket, "k", id, 1, PAIL_BUF("a", 1), NULL, NULL, NULL);
    CHECK(rc == PAIL_E_UPLOAD_NOT_FOUND || rc == PAIL_OK);
    CHECK(!object_there("k"));
    (void)!pail_upload_abort(bucket, "k", id, NULL, NULL);
    pail_free(id);
}

void upload_suite(void)
{
    CONTRACT(test_upload__writer_in_parts_is_visible_only_after_commit);
    CONTRACT(test_upload__dropped_writer_leaves_nothing);
    CONTRACT(test_upload__small_and_empty_writers_are_one_object);
    CONTRACT(test_upload__unfinished_ones_are_listed_and_aborted);
    CONTRACT(test_upload__parts_by_hand_in_any_order);
    CONTRACT(test_upload__many_parts_with_a_short_last_one_from_memory_and_file);
    CONTRACT(test_upload__by_hand_refuses_what_makes_no_sense);
}
