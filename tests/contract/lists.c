#include "contract.h"

static void put_tree(void)
{
    static const char *const keys[] = {"a-b", "a.b", "a/1", "a/2", "a/b/3", "a0", "b", "c/x"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        put_text(keys[i], keys[i]);
    }
}

static void test_list__all_keys_in_byte_order(void)
{
    CHECK_STR(keys_of(NULL), "");
    put_tree();
    CHECK_STR(keys_of(NULL), "a-b|a.b|a/1|a/2|a/b/3|a0|b|c/x");
}

static void test_list__prefix_is_a_string_not_a_folder(void)
{
    put_tree();
    CHECK_STR(keys_of(PAIL_OPTS(list, .prefix = "a/")), "a/1|a/2|a/b/3");
    CHECK_STR(keys_of(PAIL_OPTS(list, .prefix = "a")), "a-b|a.b|a/1|a/2|a/b/3|a0");
    CHECK_STR(keys_of(PAIL_OPTS(list, .prefix = "a/b")), "a/b/3");
    CHECK_STR(keys_of(PAIL_OPTS(list, .prefix = "zz")), "");
}

static void test_list__delimiter_gives_prefixes_among_the_keys(void)
{
    put_tree();
    CHECK_STR(keys_of(PAIL_OPTS(list, .delimiter = "/")), "a-b|a.b|a/|a0|b|c/");
    CHECK_STR(keys_of(PAIL_OPTS(list, .delimiter = "/", .prefix = "a/")), "a/1|a/2|a/b/");
    CHECK_STR(keys_of(PAIL_OPTS(list, .delimiter = "/", .prefix = "a")), "a-b|a.b|a/|a0");
}

static void test_list__pages_of_every_size_give_the_same(void)
{
    put_tree();
    for (uint32_t size = 1; size <= 9; size++) {
        CHECK_STR(keys_of(PAIL_OPTS(list, .page_size = size)), "a-b|a.b|a/1|a/2|a/b/3|a0|b|c/x");
        CHECK_STR(keys_of(PAIL_OPTS(list, .page_size = size, .delimiter = "/")),
                  "a-b|a.b|a/|a0|b|c/");
    }
}

static void test_list__start_after_is_exclusive(void)
{
    put_tree();
    CHECK_STR(keys_of(PAIL_OPTS(list, .start_after = "a/1")), "a/2|a/b/3|a0|b|c/x");
    CHECK_STR(keys_of(PAIL_OPTS(list, .start_after = "a/1x")), "a/2|a/b/3|a0|b|c/x");
    CHECK_STR(keys_of(PAIL_OPTS(list, .start_after = "a/1", .prefix = "a/")), "a/2|a/b/3");
    CHECK_STR(keys_of(PAIL_OPTS(list, .start_after = "z")), "");
}

static void test_list__pattern_only_when_asked(void)
{
    put_tree();
    CHECK_STR(keys_of(PAIL_OPTS(list, .pattern = "a/?")), "a/1|a/2");
    CHECK_STR(keys_of(PAIL_OPTS(list, .pattern = "*3")), "a/b/3");
}

static void test_list__entries_tell_size_time_and_etag(void)
{
    pail_iter *it = NULL;
    const pail_info *i;
    put_text("k", "12345");
    OK(pail_list(bucket, NULL, &it, &err));
    CODE(pail_iter_next(it, &i, &err), PAIL_OK);
    if (i) {
        CHECK_INT(i->size, 5);
        CHECK(i->mtime_ms > INT64_C(1600000000000));
        CHECK(i->etag && i->etag[0] != '"');
        CHECK(!i->is_prefix);
    }
    CODE(pail_iter_next(it, &i, &err), PAIL_DONE);
    CODE(pail_iter_next(it, &i, &err), PAIL_DONE);
    pail_iter_free(it);
}

static void test_list__versions_show_at_least_the_current_one(void)
{
    pail_iter *it = NULL;
    const pail_info *i;
    pail_info *now = NULL;
    put_text("k", "1");
    put_text("k", "2");
    OK(pail_stat(bucket, "k", NULL, &now, &err));
    OK(pail_list(bucket, PAIL_OPTS(list, .versions = true), &it, &err));
    CODE(pail_iter_next(it, &i, &err), PAIL_OK);
    if (i) {
        CHECK_STR(i->key, "k");
        CHECK(i->is_latest);
    }
    pail_iter_free(it);
    if (now->version) {
        CODE(pail_stat(bucket, "k", PAIL_OPTS(stat, .version = now->version), NULL, &err), PAIL_OK);
    }
    pail_info_free(now);
}

static void test_list__many_pages_with_read_ahead(void)
{
    char key[32];
    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof key, "k%03d", i);
        put_text(key, "");
    }
    pail_iter *it = NULL;
    const pail_info *item;
    int n = 0;
    OK(pail_list(bucket, PAIL_OPTS(list, .page_size = 7), &it, &err));
    while (pail_iter_next(it, &item, &err) == PAIL_OK) {
        snprintf(key, sizeof key, "k%03d", n++);
        CHECK_STR(item->key, key);
    }
    CHECK_INT(n, 60);
    pail_iter_free(it);
    OK(pail_list(bucket, PAIL_OPTS(list, .page_size = 7), &it, &err)); /* left in the middle */
    CODE(pail_iter_next(it, &item, &err), PAIL_OK);
    pail_iter_free(it);
}

void list_suite(void)
{
    CONTRACT(test_list__all_keys_in_byte_order);
    CONTRACT(test_list__prefix_is_a_string_not_a_folder);
    CONTRACT(test_list__delimiter_gives_prefixes_among_the_keys);
    CONTRACT(test_list__pages_of_every_size_give_the_same);
    CONTRACT(test_list__start_after_is_exclusive);
    CONTRACT(test_list__pattern_only_when_asked);
    CONTRACT(test_list__entries_tell_size_time_and_etag);
    CONTRACT(test_list__versions_show_at_least_the_current_one);
    CONTRACT(test_list__many_pages_with_read_ahead);
}
