#include "contract.h"

static void test_key__every_legal_name_comes_back_as_it_was_put(void)
{
    static const char *const keys[] = {"plain",
                                       "with space",
                                       "a+b",
                                       "a%2Fb",
                                       "100%",
                                       "a&b=c?d#e",
                                       "q\"uote'",
                                       "<tag>",
                                       "back\\slash",
                                       "~tilde!*()",
                                       "caf\xc3\xa9",
                                       "cafe\xcc\x81",
                                       "\xf0\x9f\x98\x80",
                                       "deep/er/and/deeper",
                                       "semi;colon",
                                       "a:b@c,d$e",
                                       "UPPER",
                                       "upper"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        put_text(keys[i], keys[i]);
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        expect_text(keys[i], keys[i]);
    }
    pail_iter *it = NULL;
    const pail_info *item;
    size_t found = 0;
    char last[1100] = "";
    OK(pail_list(bucket, NULL, &it, &err));
    while (pail_iter_next(it, &item, &err) == PAIL_OK) {
        CHECK(strcmp(last, item->key) < 0); /* UTF-8 byte order */
        snprintf(last, sizeof last, "%s", item->key);
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            found += strcmp(keys[i], item->key) == 0;
        }
    }
    pail_iter_free(it);
    CHECK_INT(found, sizeof keys / sizeof *keys);
}

/* Puts the keys, which stand in byte order, reads them back and lists them. */
static void expect_side_by_side(const char *const *keys, size_t n)
{
    char all[256] = "";
    for (size_t i = 0; i < n; i++) {
        put_text(keys[i], keys[i]);
        strcat(strcat(all, i ? "|" : ""), keys[i]);
    }
    for (size_t i = 0; i < n; i++) {
        expect_text(keys[i], keys[i]);
    }
    CHECK_STR(keys_of(NULL), all);
}

static void test_key__object_beside_a_prefix_of_its_name(void)
{
    static const char *const keys[] = {"a", "a/b", "a/b/c"};
    expect_side_by_side(keys, 3);
}

static void test_key__trailing_slash_is_an_object_with_bytes(void)
{
    static const char *const keys[] = {"d/", "d/e"};
    expect_side_by_side(keys, 2);
}

static void test_key__empty_segments_are_kept(void)
{
    static const char *const keys[] = {"/lead", "a//b", "a/b"};
    expect_side_by_side(keys, 3);
}

static void test_key__dot_segments_are_kept(void)
{
    static const char *const keys[] = {".", "..", "../up", "a/../b", "a/./b"};
    expect_side_by_side(keys, 5);
}

static void test_key__control_characters_are_ordinary_bytes(void)
{
    static const char *const keys[] = {"new\nline", "tab\there", "\x01\x1f", "del\x7f"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        put_text(keys[i], "c");
    }
    CHECK_STR(keys_of(NULL), "\x01\x1f|del\x7f|new\nline|tab\there");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        expect_text(keys[i], "c");
        CODE(pail_delete(bucket, keys[i], NULL, &err), PAIL_OK);
    }
}

static void test_key__1024_bytes_go_and_1025_do_not(void)
{
    char key[1026];
    memset(key, 'k', sizeof key);
    key[1025] = '\0';
    CODE(pail_put(bucket, key, PAIL_BUF("x", 1), NULL, NULL, &err), PAIL_E_BAD_KEY);
    key[1024] = '\0';
    for (size_t i = 100; i < 1024; i += 100) {
        key[i] = '/'; /* some stores limit a segment */
    }
    put_text(key, "long");
    expect_text(key, "long");
}

static void test_key__empty_and_malformed_ones_are_refused(void)
{
    static const char *const bad[] = {"", "\xff", "\xc0\x80", "\xed\xa0\x80", "cut\xe2\x82"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CODE(pail_put(bucket, bad[i], PAIL_BUF("x", 1), NULL, NULL, &err), PAIL_E_BAD_KEY);
        CODE(pail_stat(bucket, bad[i], NULL, NULL, &err), PAIL_E_BAD_KEY);
    }
    CODE(pail_stat(bucket, NULL, NULL, NULL, &err), PAIL_E_BAD_KEY);
}

void keys_suite(void)
{
    CONTRACT(test_key__every_legal_name_comes_back_as_it_was_put);
    CONTRACT(test_key__object_beside_a_prefix_of_its_name);
    CONTRACT(test_key__trailing_slash_is_an_object_with_bytes);
    CONTRACT(test_key__empty_segments_are_kept);
    CONTRACT(test_key__dot_segments_are_kept);
    CONTRACT(test_key__control_characters_are_ordinary_bytes);
    CONTRACT(test_key__1024_bytes_go_and_1025_do_not);
    CONTRACT(test_key__empty_and_malformed_ones_are_refused);
}
