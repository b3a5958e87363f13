#include "contract.h"

static void test_delete__object_is_gone_and_again_is_fine(void)
{
    put_text("k", "x");
    CODE(pail_delete(bucket, "k", NULL, &err), PAIL_OK);
    CHECK(!object_there("k"));
    CODE(pail_delete(bucket, "k", NULL, &err), PAIL_OK);
    CODE(pail_delete(bucket, "k", PAIL_OPTS(delete, .missing_is_error = true), &err),
         PAIL_E_NOT_FOUND);
}

static void test_delete__leaves_the_neighbours(void)
{
    put_text("a/b", "1");
    put_text("a/bc", "2");
    put_text("ab", "3");
    CODE(pail_delete(bucket, "a/b", NULL, &err), PAIL_OK);
    CHECK_STR(keys_of(NULL), "a/bc|ab");
}

static void count_deleted(const char *key, const pail_error *e, void *ctx)
{
    int *n = ctx;
    (void)key;
    *n += e == NULL;
}

static void test_delete_many__with_odd_missing_and_repeated_keys(void)
{
    static const char *const keys[] = {"a b",     "a+b", "x&<y>\"'", "caf\xc3\xa9",
                                       "missing", "a b", "%41"};
    enum { N = sizeof keys / sizeof *keys };
    int deleted = 0;
    for (size_t i = 0; i < N; i++) {
        if (i != 4) {
            put_text(keys[i], "x");
        }
    }
    put_text("stays", "x");
    OK(pail_delete_many(bucket, keys, N, count_deleted, &deleted, NULL, &err));
    CHECK_INT(deleted, N);
    CHECK_STR(keys_of(NULL), "stays");
    OK(pail_delete_many(bucket, keys, 0, NULL, NULL, NULL, &err));
}

static void test_delete_many__one_more_than_a_request_takes(void)
{
    enum { N = 1001 };
    static char names[N][8];
    const char *keys[N];
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "%04d", i);
        keys[i] = names[i];
    }
    put_text("0000", "x");
    put_text("1000", "x");
    OK(pail_delete_many(bucket, keys, N, NULL, NULL, NULL, &err));
    CHECK_STR(keys_of(NULL), "");
}

void delete_suite(void)
{
    CONTRACT(test_delete__object_is_gone_and_again_is_fine);
    CONTRACT(test_delete__leaves_the_neighbours);
    CONTRACT(test_delete_many__with_odd_missing_and_repeated_keys);
    CONTRACT(test_delete_many__one_more_than_a_request_takes);
}
