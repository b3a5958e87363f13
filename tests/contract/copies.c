#include "contract.h"

static void put_with_metadata(void)
{
    static const pail_kv metadata[] = {{"m", "1"}};
    CODE(pail_put(bucket, "from", PAIL_BUF("content", 7),
                  PAIL_OPTS(put, .attr = {.content_type = "text/x-a",
                                          .metadata = metadata,
                                          .metadata_count = 1}),
                  NULL, &err),
         PAIL_OK);
}

static void expect_info(const char *key, const char *type, size_t metadata)
{
    pail_info *info = NULL;
    OK(pail_stat(bucket, key, NULL, &info, &err));
    CHECK_STR(info->content_type, type);
    CHECK_INT(info->metadata_count, metadata);
    pail_info_free(info);
}

static void test_copy__keeps_bytes_headers_and_metadata(void)
{
    put_with_metadata();
    pail_info *info = NULL;
    OK(pail_copy(bucket, "from", bucket, "to \xc3\xa9+%", NULL, &info, &err));
    CHECK_STR(info->key, "to \xc3\xa9+%");
    pail_info_free(info);
    expect_text("to \xc3\xa9+%", "content");
    expect_info("to \xc3\xa9+%", "text/x-a", 1);
    expect_text("from", "content");
}

static void test_copy__replaces_headers_when_told(void)
{
    static const pail_attributes attr = {.content_type = "text/x-b"};
    put_with_metadata();
    OK(pail_copy(bucket, "from", bucket, "to", PAIL_OPTS(copy, .attr = &attr), NULL, &err));
    expect_info("to", "text/x-b", 0);
    expect_text("to", "content");
}

static void test_copy__of_a_missing_object_is_not_found(void)
{
    CODE(pail_copy(bucket, "gone", bucket, "to", NULL, NULL, &err), PAIL_E_NOT_FOUND);
    CHECK(!object_there("to"));
}

static void test_copy__to_another_bucket_and_store_and_back(void)
{
    pail_bucket *other = NULL;
    enum { N = 700001 };
    unsigned char *data = pattern(N, 3);
    put_bytes("k", data, N);
    OK(pail_open_bucket("memory:elsewhere", NULL, &other, &err));
    OK(pail_bucket_create(pail_bucket_client(other), "elsewhere", NULL, &err));
    OK(pail_copy(bucket, "k", other, "k", NULL, NULL, &err));
    OK(pail_copy(other, "k", bucket, "back", NULL, NULL, &err));
    void *got = NULL;
    size_t n = 0;
    OK(pail_get_alloc(bucket, "back", NULL, &got, &n, &err));
    CHECK_INT(n, N);
    CHECK(n == N && memcmp(got, data, N) == 0);
    pail_free(got);
    put_text("empty", "");
    OK(pail_copy(bucket, "empty", other, "empty", NULL, NULL, &err));
    free(data);
    pail_bucket_close(other);
}

static void test_copy__through_memory_in_parts(void)
{
    pail_bucket *other = NULL;
    uint64_t part = pail_client_limit(client, PAIL_LIMIT_PART_MIN);
    part = part < 256 << 10 ? 256 << 10 : part;
    size_t len = 2 * part + 77;
    unsigned char *data = pattern(len, 9);
    OK(pail_open_bucket("memory:elsewhere", NULL, &other, &err));
    OK(pail_bucket_create(pail_bucket_client(other), "elsewhere", NULL, &err));
    OK(pail_put(other, "k", PAIL_BUF(data, len), NULL, NULL, &err));
    OK(pail_copy(other, "k", bucket, "parts", PAIL_OPTS(copy, .part_size = part), NULL, &err));
    void *got = NULL;
    size_t n = 0;
    OK(pail_get_alloc(bucket, "parts", NULL, &got, &n, &err));
    CHECK(n == len && memcmp(got, data, len) == 0);
    pail_free(got);
    free(data);
    pail_bucket_close(other);
}

static void test_rename__moves_and_refuses_itself(void)
{
    put_text("a", "x");
    CODE(pail_rename(bucket, "a", "b", NULL, &err), PAIL_OK);
    CHECK_STR(keys_of(NULL), "b");
    CODE(pail_rename(bucket, "b", "b", NULL, &err), PAIL_E_BAD_ARGUMENT);
    CODE(pail_rename(bucket, "gone", "c", NULL, &err), PAIL_E_NOT_FOUND);
    expect_text("b", "x");
}

void copy_suite(void)
{
    CONTRACT(test_copy__keeps_bytes_headers_and_metadata);
    CONTRACT(test_copy__replaces_headers_when_told);
    CONTRACT(test_copy__of_a_missing_object_is_not_found);
    CONTRACT(test_copy__to_another_bucket_and_store_and_back);
    CONTRACT(test_copy__through_memory_in_parts);
    CONTRACT(test_rename__moves_and_refuses_itself);
}
