#include "contract.h"

static void test_bucket__create_of_an_own_one_is_exists_unless_that_is_fine(void)
{
    CODE(pail_bucket_create(client, bucket_name, PAIL_OPTS(bucket, .exist_ok = true), &err),
         PAIL_OK);
    pail_code rc = pail_bucket_create(client, bucket_name, NULL, NULL);
    CHECK(rc == PAIL_E_BUCKET_EXISTS ||
          rc == PAIL_OK); /* S3's us-east-1 answers 200 to its owner */
}

static void test_bucket__exists_by_exact_name(void)
{
    bool there = false;
    char longer[80];
    pail_cancel *cancel = pail_cancel_new();
    pail_cancel_fire(cancel);
    CODE(pail_bucket_exists(client, bucket_name, PAIL_OPTS(bucket, .call.cancel = cancel), &there,
                            &err),
         PAIL_E_CANCELLED);
    pail_cancel_free(cancel);
    OK(pail_bucket_exists(client, bucket_name, NULL, &there, &err));
    CHECK(there);
    snprintf(longer, sizeof longer, "x%s", bucket_name);
    OK(pail_bucket_exists(client, longer, NULL, &there, &err));
    CHECK(!there);
}

static void test_bucket__is_listed_and_found_by_pattern_only_when_asked(void)
{
    pail_iter *it = NULL;
    const pail_info *i;
    int plain = 0, matched = 0;
    OK(pail_bucket_list(client, NULL, &it, &err));
    while (pail_iter_next(it, &i, &err) == PAIL_OK) {
        plain += strcmp(i->key, bucket_name) == 0;
    }
    pail_iter_free(it);
    OK(pail_bucket_list(client, PAIL_OPTS(list, .pattern = "pail-contract-*"), &it, &err));
    while (pail_iter_next(it, &i, &err) == PAIL_OK) {
        matched += strcmp(i->key, bucket_name) == 0;
        CHECK(strncmp(i->key, "pail-contract-", 14) == 0);
    }
    pail_iter_free(it);
    CHECK_INT(plain, 1);
    CHECK_INT(matched, 1);
}

static void test_bucket__bad_names_are_refused_before_any_request(void)
{
    static const char *const bad[] = {"",    "ab",  "Upper",       "a_b", "a..b",
                                      "-ab", "ab-", "192.168.1.1", "a/b"};
    pail_bucket *b = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *scheme = pail_client_scheme(client);
        bool is_free = strcmp(scheme, "file") == 0 || strcmp(scheme, "swift") == 0;
        if (is_free && *bad[i] && !strchr(bad[i], '/')) {
            continue; /* any folder may be a bucket there, and any text a container */
        }
        if (strcmp(pail_client_scheme(client), "gs") == 0 && strchr(bad[i], '_')) {
            continue; /* Google allows it */
        }
        CODE(pail_bucket_open(client, bad[i], &b, &err), PAIL_E_BAD_BUCKET_NAME);
        CHECK(b == NULL);
    }
}

static void test_bucket__delete_refuses_one_that_is_not_empty(void)
{
    put_text("k", "x");
    CODE(pail_bucket_delete(client, bucket_name, NULL, &err), PAIL_E_BUCKET_NOT_EMPTY);
    CHECK(*pail_error_hint(err));
    expect_text("k", "x");
}

static void test_bucket__delete_with_contents_takes_objects_and_uploads(void)
{
    put_text("a/b", "x");
    put_text("c", "x");
    OK(pail_bucket_delete(client, bucket_name, PAIL_OPTS(bucket, .delete_contents = true), &err));
    bool there = true;
    OK(pail_bucket_exists(client, bucket_name, NULL, &there, &err));
    CHECK(!there);
}

static void test_bucket__what_is_in_a_missing_one_is_bucket_not_found(void)
{
    pail_bucket *b = NULL;
    char name[80];
    snprintf(name, sizeof name, "gone-%s", bucket_name);
    OK(pail_bucket_open(client, name, &b, &err));
    CODE(pail_get(b, "k", PAIL_BUF(name, sizeof name), NULL, NULL, &err), PAIL_E_BUCKET_NOT_FOUND);
    CODE(pail_put(b, "k", PAIL_BUF("x", 1), NULL, NULL, &err), PAIL_E_BUCKET_NOT_FOUND);
    pail_iter *it = NULL;
    const pail_info *i;
    CODE(pail_list(b, NULL, &it, &err), PAIL_OK);
    CODE(pail_iter_next(it, &i, &err), PAIL_E_BUCKET_NOT_FOUND);
    pail_iter_free(it);
    CODE(pail_bucket_delete(client, name, NULL, &err), PAIL_E_BUCKET_NOT_FOUND);
    pail_bucket_close(b);
}

void bucket_suite(void)
{
    CONTRACT(test_bucket__create_of_an_own_one_is_exists_unless_that_is_fine);
    CONTRACT(test_bucket__exists_by_exact_name);
    CONTRACT(test_bucket__is_listed_and_found_by_pattern_only_when_asked);
    CONTRACT(test_bucket__bad_names_are_refused_before_any_request);
    CONTRACT(test_bucket__delete_refuses_one_that_is_not_empty);
    CONTRACT(test_bucket__delete_with_contents_takes_objects_and_uploads);
    CONTRACT(test_bucket__what_is_in_a_missing_one_is_bucket_not_found);
}
