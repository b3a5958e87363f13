/* Google: customer keys and a project that is billed, over TLS against the strict server, which
 * refuses what comes without them. PAIL_TEST_STRICT_* name it. */
#include <pail.h>

#include "test.h"

static const char key_one[] = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
                  key_two[] = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

static pail_client *client_with(const char *name, const char *value)
{
    pail_kv settings[5] = {
        {"gcs_endpoint", getenv("PAIL_TEST_STRICT_ENDPOINT")},
        {"google_application_credentials", getenv("PAIL_TEST_STRICT_SERVICE_ACCOUNT")},
        {"ca_file", getenv("PAIL_TEST_STRICT_CA")},
        {name, value}};
    pail_client *c = NULL;
    pail_error *err = NULL;
    CHECK_INT(pail_open("gs://",
                        PAIL_OPTS(client, .settings = settings, .settings_count = name ? 4 : 3), &c,
                        &err),
              PAIL_OK);
    pail_error_free(err);
    return c;
}

static pail_bucket *bucket_of(pail_client *c, const char *name)
{
    pail_bucket *b = NULL;
    pail_code made = pail_bucket_create(c, name, NULL, NULL);
    CHECK(made == PAIL_OK || made == PAIL_E_BUCKET_EXISTS);
    CHECK_INT(pail_bucket_open(c, name, &b, NULL), PAIL_OK);
    return b;
}

/* What a read with this key (NULL: none) answers; on success the bytes are compared. */
static pail_code read_with(pail_bucket *b, const char *key, const char *customer, const char *data,
                           size_t n)
{
    void *got = NULL;
    size_t len = 0;
    pail_code rc = pail_get_alloc(
        b, key, PAIL_OPTS(get, .encryption = {.customer_key_base64 = customer}), &got, &len, NULL);
    CHECK(rc || (len == n && memcmp(got, data, n) == 0));
    pail_free(got);
    return rc;
}

static void only_the_key_reads(pail_bucket *b, const char *key, const char *data, size_t n)
{
    CHECK_INT(read_with(b, key, key_one, data, n), PAIL_OK);
    CHECK_INT(read_with(b, key, NULL, data, n), PAIL_E_BAD_ARGUMENT);
    CHECK_INT(read_with(b, key, key_two, data, n), PAIL_E_BAD_ARGUMENT);
}

static void test_customer_key__is_needed_for_each_read(void)
{
    pail_client *c = client_with(NULL, NULL);
    pail_bucket *b = bucket_of(c, "keys-one");
    pail_info *info = NULL;
    pail_put_opts opts = {.size = sizeof opts, .encryption = {.customer_key_base64 = key_one}};
    CHECK_INT(pail_put(b, "k", PAIL_BUF("secret", 6), &opts, NULL, NULL), PAIL_OK);
    only_the_key_reads(b, "k", "secret", 6);
    CHECK_INT(pail_stat(b, "k", NULL, &info, NULL), PAIL_OK); /* the service hides the hash */
    CHECK(info && !info->checksum && info->encryption);
    pail_info_free(info);
    info = NULL;
    CHECK_INT(pail_stat(b, "k", PAIL_OPTS(stat, .encryption = {.customer_key_base64 = key_one}),
                        &info, NULL),
              PAIL_OK);
    CHECK(info && info->checksum);
    pail_info_free(info);
    pail_bucket_close(b);
    pail_close(c);
}

static void in_parts(const char *setting, const char *value, uint64_t part_size)
{
    enum { SIZE = 700000 };
    pail_client *c = client_with(setting, value);
    pail_bucket *b = bucket_of(c, "keys-parts");
    char *data = calloc(1, SIZE);
    memset(data, 'p', SIZE);
    pail_put_opts opts = {.size = sizeof opts,
                          .encryption = {.customer_key_base64 = key_one},
                          .part_size = part_size};
    CHECK_INT(pail_put(b, "parts", PAIL_BUF(data, SIZE), &opts, NULL, NULL), PAIL_OK);
    only_the_key_reads(b, "parts", data, SIZE);
    free(data);
    pail_bucket_close(b);
    pail_close(c);
}

static void test_customer_key__goes_with_parts_that_are_composed(void)
{
    in_parts(NULL, NULL, 300000);
    in_parts(NULL, NULL, 10000); /* by steps */
}

static void test_customer_key__goes_with_a_session(void)
{
    in_parts("gcs_upload", "session", 300000);
}

static void test_customer_key__of_source_and_copy_are_their_own(void)
{
    pail_client *c = client_with(NULL, NULL);
    pail_bucket *b = bucket_of(c, "keys-copy");
    pail_put_opts opts = {.size = sizeof opts, .encryption = {.customer_key_base64 = key_two}};
    CHECK_INT(pail_put(b, "from", PAIL_BUF("secret", 6), &opts, NULL, NULL), PAIL_OK);
    pail_copy_opts copy = {.size = sizeof copy,
                           .encryption = {.customer_key_base64 = key_one},
                           .source_encryption = {.customer_key_base64 = key_two}};
    CHECK_INT(pail_copy(b, "from", b, "to", &copy, NULL, NULL), PAIL_OK); /* two requests */
    only_the_key_reads(b, "to", "secret", 6);
    copy.encryption.customer_key_base64 = NULL;
    CHECK_INT(pail_copy(b, "from", b, "plain", &copy, NULL, NULL), PAIL_OK);
    CHECK_INT(read_with(b, "plain", NULL, "secret", 6), PAIL_OK);
    copy.source_encryption.customer_key_base64 = key_one;
    CHECK_INT(pail_copy(b, "from", b, "no", &copy, NULL, NULL), PAIL_E_BAD_ARGUMENT);
    CHECK_INT(pail_copy(b, "from", b, "no", NULL, NULL, NULL), PAIL_E_BAD_ARGUMENT);
    pail_bucket_close(b);
    pail_close(c);
}

static void every_call(pail_client *c, pail_code want)
{
    pail_bucket *b = NULL;
    pail_info *info = NULL;
    pail_iter *it = NULL;
    const pail_info *item;
    const char *keys[] = {"k", "copy"};
    CHECK_INT(pail_bucket_open(c, "payer-one", &b, NULL), PAIL_OK);
    CHECK_INT(pail_put(b, "k", PAIL_BUF("paid", 4), NULL, NULL, NULL), want);
    CHECK_INT(read_with(b, "k", NULL, "paid", 4), want);
    CHECK_INT(pail_stat(b, "k", NULL, &info, NULL), want);
    CHECK_INT(pail_copy(b, "k", b, "copy", NULL, NULL, NULL), want);
    CHECK_INT(pail_list(b, NULL, &it, NULL), PAIL_OK);
    CHECK_INT(pail_iter_next(it, &item, NULL), want);
    CHECK_INT(
        pail_put(b, "parts", PAIL_BUF("123456", 6), PAIL_OPTS(put, .part_size = 4), NULL, NULL),
        want);
    CHECK_INT(pail_delete_many(b, keys, 2, NULL, NULL, NULL, NULL), want);
    pail_iter_free(it);
    pail_info_free(info);
    pail_bucket_close(b);
}

static void test_billed_project__goes_with_every_request(void)
{
    pail_client *payer = client_with("google_user_project", "billed-project"),
                *other = client_with(NULL, NULL);
    CHECK_INT(pail_bucket_create(payer, "payer-one", NULL, NULL), PAIL_OK);
    every_call(payer, PAIL_OK);
    every_call(other, PAIL_E_BAD_ARGUMENT);
    pail_close(payer);
    pail_close(other);
}

int main(void)
{
    RUN(test_customer_key__is_needed_for_each_read);
    RUN(test_customer_key__goes_with_parts_that_are_composed);
    RUN(test_customer_key__goes_with_a_session);
    RUN(test_customer_key__of_source_and_copy_are_their_own);
    RUN(test_billed_project__goes_with_every_request);
    return test_end();
}
