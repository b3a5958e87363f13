/* Which service a host is, what its profile says, and where buckets are. With PAIL_VECTORS also the
 * public test cases of the endpoint rules, as far as they are about plain buckets. */
#include <jansson.h>

#include "codec/url.h"
#include "codec/encoded_word.h"
#include "provider/s3.h"
#include "test.h"

struct made {
    struct pl_settings settings;
    struct pl_dialect *dialect;
    struct pail_error *err;
    pail_code rc;
};

static void make(struct made *m, const char *const *pairs)
{
    *m = (struct made){0};
    for (size_t i = 0; pairs[i]; i += 2) {
        CHECK_INT(pl_settings_set(&m->settings, pairs[i], pairs[i + 1], "option", NULL), PAIL_OK);
    }
    struct pl_provider_env env = {.settings = &m->settings};
    m->rc = pl_s3_dialect_new(&env, &m->dialect, &m->err);
    if (!m->rc) {
        pthread_mutex_init(&m->dialect->lock, NULL);
    }
}

static void unmake(struct made *m)
{
    if (!m->rc) {
        pthread_mutex_destroy(&m->dialect->lock);
        m->dialect->ops->free(m->dialect);
    }
    pail_error_free(m->err);
    pl_settings_dispose(&m->settings);
}

/* "https://host[:port]/path" of a bucket. */
static const char *address(struct made *m, const char *bucket, char *room, size_t size)
{
    struct pl_s3_view view;
    struct pl_http_request r = {0};
    struct pl_buf target = PL_BUF_MAX(4096);
    pl_s3_view((struct pl_s3 *)m->dialect, bucket, &view);
    CHECK_INT(pl_s3_locate((struct pl_s3 *)m->dialect, &view, bucket, NULL, &r, &target, NULL),
              PAIL_OK);
    snprintf(room, size, "%s://%s%s", r.origin.tls ? "https" : "http", pl_http_host(&r),
             target.ptr);
    pl_buf_dispose(&target);
    pl_http_request_dispose(&r);
    return room;
}

static void test_services__are_found_by_their_host(void)
{
    static const char *const hosts[][3] = {
        {"s3.eu-west-1.amazonaws.com", "aws", "eu-west-1"},
        {"s3.cn-north-1.amazonaws.com.cn", "aws", "cn-north-1"},
        {"bucket.vpce-1a2b-5e6f.s3.us-west-2.vpce.amazonaws.com", "aws", "us-west-2"},
        {"abc.r2.cloudflarestorage.com", "r2", ""},
        {"abc.eu.r2.cloudflarestorage.com", "r2", ""},
        {"s3.us-west-004.backblazeb2.com", "b2", "us-west-004"},
        {"s3.wasabisys.com", "wasabi", ""},
        {"S3.EU-Central-2.WasabiSys.com", "wasabi", "EU-Central-2"},
        {"nyc3.digitaloceanspaces.com", "spaces", "nyc3"},
        {"fsn1.your-objectstorage.com", "hetzner", "fsn1"},
        {"storage.googleapis.com", "gcs", ""},
        {"ns.compat.objectstorage.us-ashburn-1.oraclecloud.com", "oci", "us-ashburn-1"},
        {"oss-cn-hangzhou.aliyuncs.com", "oss", "oss-cn-hangzhou"},
        {"oss-cn-hangzhou-internal.aliyuncs.com", "oss", "oss-cn-hangzhou"},
        {"cos.ap-guangzhou.myqcloud.com", "cos", "ap-guangzhou"},
        {"s3.fr-par.scw.cloud", "scaleway", "fr-par"},
        {"s3.gra.io.cloud.ovh.net", "ovh", "gra"},
        {"t3.storage.dev", "tigris", ""},
        {"r2.cloudflarestorage.com", "other", ""},
        {"nyc3.digitaloceanspaces.com.evil.example", "other", ""},
        {"127.0.0.1", "other", ""},
    };
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct pl_str region;
        const struct pl_s3_service *s = pl_s3_service_of_host(pl_str_c(hosts[i][0]), &region);
        CHECK_STR(s->name, hosts[i][1]);
        CHECK(pl_str_is(region.ptr ? region : PL_STR(""), hosts[i][2]));
    }
}

static void test_services__every_row_can_be_read(void)
{
    static const char *const names[] = {
        "aws",   "r2",     "b2",    "wasabi", "spaces",    "minio",    "ceph",        "hetzner",
        "swift", "gcs",    "oci",   "ibm",    "oss",       "cos",      "obs",         "garage",
        "ovh",   "tigris", "storj", "incus",  "seaweedfs", "scaleway", "storagegrid", "other"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct made m;
        make(&m, (const char *[]){"s3_service", names[i], "aws_endpoint_url", "http://h:1", NULL});
        CHECK_INT(m.rc, PAIL_OK);
        CHECK_STR(pl_settings_get(&m.settings, "s3_service"), names[i]);
        unmake(&m);
    }
}

static void test_settings__overrule_the_profile_and_say_so(void)
{
    struct made m;
    make(&m, (const char *[]){"aws_endpoint_url", "https://a.r2.cloudflarestorage.com",
                              "s3_delete_max", "10", NULL});
    const struct pl_s3_profile *p = &((struct pl_s3 *)m.dialect)->profile;
    CHECK_INT(p->delete_max, 10);
    CHECK_INT(p->cond_put.kind, PL_S3_COND_NATIVE);
    CHECK_INT(p->versions, false);
    CHECK_STR(pl_settings_origin(&m.settings, "s3_delete_max"), "option");
    CHECK_STR(pl_settings_origin(&m.settings, "s3_cond_put"), "profile r2");
    CHECK_STR(pl_settings_origin(&m.settings, "s3_list"), "safe for any service");
    CHECK_STR(((struct pl_s3 *)m.dialect)->region, "auto");
    unmake(&m);
}

static void refuses(const char *const *pairs, const char *word)
{
    struct made m;
    make(&m, pairs);
    CHECK_INT(m.rc, PAIL_E_BAD_CONFIG);
    CHECK(strstr(pail_error_message(m.err), word) != NULL);
    unmake(&m);
}

static void test_settings__wrong_values_are_named(void)
{
    refuses((const char *[]){"s3_style", "sideways", NULL}, "path virtual");
    refuses((const char *[]){"s3_cond_put", "perhaps", NULL}, "header:NAME=VALUE");
    refuses((const char *[]){"s3_sums", "crc32,md4", NULL}, "crc64nvme");
    refuses((const char *[]){"s3_service", "wasabbi", NULL}, "wasabi");
    refuses((const char *[]){"s3_service", "r2", NULL}, "needs its address");
    refuses((const char *[]){"aws_endpoint_url", "ftp://x", NULL}, "");
    refuses((const char *[]){"aws_endpoint_url", "https://user:pw@x", NULL}, "");
    refuses((const char *[]){"aws_region", "eu west", NULL}, "aws_region");
}

static void test_service__gives_its_address_by_name_and_region(void)
{
    struct made m;
    char room[256];
    make(&m, (const char *[]){"s3_service", "b2", "aws_region", "eu-central-003", NULL});
    CHECK_STR(address(&m, "bkt", room, sizeof room),
              "https://s3.eu-central-003.backblazeb2.com/bkt");
    unmake(&m);
}

static void check_refused(const char *const *pairs, const char *words)
{
    struct made m;
    make(&m, pairs);
    CHECK_INT(m.rc, PAIL_E_BAD_CONFIG);
    CHECK(m.err && strstr(pail_error_message(m.err), words));
    unmake(&m);
}

static void test_region__empty_is_an_error_that_says_how(void)
{
    const char *empty[] = {"aws_region", "", NULL};
    check_refused(empty, "a region must be set");
    struct made m = {0};
    struct pl_provider_env env = {.settings = &m.settings};
    CHECK_INT(pl_settings_set(&m.settings, "aws_region", "", "environment AWS_REGION", NULL),
              PAIL_OK);
    CHECK_INT(pl_s3_dialect_new(&env, &m.dialect, NULL), PAIL_OK);
    CHECK_STR(((struct pl_s3 *)m.dialect)->region, "us-east-1");
    m.dialect->ops->free(m.dialect);
    pl_settings_dispose(&m.settings);
}

static void test_accelerate__is_refused_where_it_is_not(void)
{
    const char *fips[] = {"s3_accelerate", "true", "aws_use_fips_endpoint", "true", NULL};
    const char *china[] = {"s3_accelerate", "true", "aws_region", "cn-north-1", NULL};
    const char *other[] = {"s3_accelerate", "true", "aws_endpoint_url", "http://host", NULL};
    check_refused(fips, "no transfer acceleration with aws_use_fips_endpoint");
    check_refused(china, "no transfer acceleration with cn-north-1");
    check_refused(other, "s3_accelerate cannot be combined with an endpoint of your own");
}

static void test_region__learned_of_a_bucket_moves_only_that_bucket(void)
{
    struct made m;
    char room[256];
    make(&m, (const char *[]){"aws_region", "eu-west-1", NULL});
    struct pl_s3 *s3 = (struct pl_s3 *)m.dialect;
    CHECK(pl_s3_learn_region(s3, "away", PL_STR("us-west-2")));
    CHECK(!pl_s3_learn_region(s3, "away", PL_STR("us-west-2")));
    CHECK(!pl_s3_learn_region(s3, "away", PL_STR("evil.example/")));
    CHECK_STR(address(&m, "away", room, sizeof room), "https://away.s3.us-west-2.amazonaws.com/");
    CHECK_STR(address(&m, "here", room, sizeof room), "https://here.s3.eu-west-1.amazonaws.com/");
    for (int i = 0; i < 200; i++) { /* bounded: the oldest are forgotten */
        char name[16];
        snprintf(name, sizeof name, "b%d", i);
        CHECK(pl_s3_learn_region(s3, name, PL_STR("ap-south-1")));
    }
    CHECK_STR(address(&m, "away", room, sizeof room), "https://away.s3.eu-west-1.amazonaws.com/");
    unmake(&m);
}

static void test_metadata__round_trips(void)
{
    static const char *const values[] = {
        "",
        "plain",
        " lead",
        "two  blanks",
        "\xc3\xa4",
        "=?UTF-8?B?eA==?=",
        "a\nb",
        "x ",
        ("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e and a text that is longer than one encoded word may "
         "be"),
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct pl_arena arena = {0};
        struct pl_buf wire = PL_BUF_MAX(4096);
        pl_encoded_word_write(&wire, pl_str_c(values[i]));
        CHECK(pl_header_safe(pl_buf_view(&wire)));
        CHECK_STR(pl_encoded_word_read(&arena, pl_buf_view(&wire)), values[i]);
        pl_buf_dispose(&wire);
        pl_arena_dispose(&arena);
    }
    struct pl_arena arena = {0};
    CHECK_STR(pl_encoded_word_read(&arena, PL_STR("=?UTF-8?Q?a_=C3=A4?=")), "a \xc3\xa4");
    CHECK_STR(pl_encoded_word_read(&arena, PL_STR("=?UTF-8?B?broken")), "=?UTF-8?B?broken");
    CHECK_STR(pl_encoded_word_read(&arena, PL_STR("=?UTF-8?B?AA==?=")), "=?UTF-8?B?AA==?=");
    pl_arena_dispose(&arena);
}

static bool is_plain(const json_t *p)
{
    static const char *const others[] = {"Accelerate", "UseS3ExpressControlEndpoint",
                                         "UseObjectLambdaEndpoint", "DisableS3ExpressSessionAuth"};
    const char *bucket = json_string_value(json_object_get(p, "Bucket"));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (json_is_true(json_object_get(p, others[i]))) {
            return false;
        }
    }
    return json_object_get(p, "Region") && json_object_get(p, "Bucket") &&
           !strstr(bucket, "arn:") && !strstr(bucket, "--") && !strstr(bucket, ":");
}

static void one_rule(const json_t *test)
{
    const json_t *p = json_object_get(test, "params"), *expect = json_object_get(test, "expect");
    const char *region = json_string_value(json_object_get(p, "Region"));
    const char *endpoint = json_string_value(json_object_get(p, "Endpoint"));
    const char *bucket = json_string_value(json_object_get(p, "Bucket"));
    const char *url =
        json_string_value(json_object_get(json_object_get(expect, "endpoint"), "url"));
    bool global = json_is_true(json_object_get(p, "UseGlobalEndpoint")) &&
                  strcmp(region, "us-east-1") == 0 && !endpoint;
    const char *pairs[16] = {"aws_region", global ? "aws-global" : region};
    size_t n = 2;
    pairs[n++] = "s3_style";
    pairs[n++] = json_is_true(json_object_get(p, "ForcePathStyle")) ? "path" : "virtual";
    pairs[n++] = "aws_use_fips_endpoint";
    pairs[n++] = json_is_true(json_object_get(p, "UseFIPS")) ? "true" : "false";
    pairs[n++] = "aws_use_dualstack_endpoint";
    pairs[n++] = json_is_true(json_object_get(p, "UseDualStack")) ? "true" : "false";
    if (endpoint) {
        pairs[n++] = "aws_endpoint_url";
        pairs[n++] = endpoint;
    }
    struct made m;
    char room[512] = "an error";
    make(&m, pairs);
    size_t len = m.rc ? strlen(room) : strlen(address(&m, bucket, room, sizeof room));
    if (room[len - 1] == '/') {
        room[len - 1] = '\0';
    }
    if (strcmp(room, url ? url : "an error") != 0) {
        printf("# %s: %s, not %s\n", json_string_value(json_object_get(test, "documentation")),
               room, url ? url : "an error");
        test_failed = 1;
    }
    unmake(&m);
}

static void test_endpoints__follow_the_public_rules(void)
{
    const char *root = getenv("PAIL_VECTORS");
    char path[1024];
    json_error_t why;
    size_t i, done = 0;
    json_t *one;
    snprintf(path, sizeof path, "%s/s3-endpoint-rules/endpoint-tests-1.json", root ? root : "");
    json_t *all = root ? json_load_file(path, 0, &why) : NULL;
    if (!all) {
        SKIP("PAIL_VECTORS does not name a folder with s3-endpoint-rules");
    }
    json_array_foreach(json_object_get(all, "testCases"), i, one)
    {
        if (is_plain(json_object_get(one, "params"))) {
            one_rule(one);
            done++;
        }
    }
    printf("# %zu cases about plain buckets\n", done);
    CHECK(done > 50);
    json_decref(all);
}

int main(void)
{
    RUN(test_services__are_found_by_their_host);
    RUN(test_services__every_row_can_be_read);
    RUN(test_settings__overrule_the_profile_and_say_so);
    RUN(test_settings__wrong_values_are_named);
    RUN(test_service__gives_its_address_by_name_and_region);
    RUN(test_region__empty_is_an_error_that_says_how);
    RUN(test_accelerate__is_refused_where_it_is_not);
    RUN(test_region__learned_of_a_bucket_moves_only_that_bucket);
    RUN(test_metadata__round_trips);
    RUN(test_endpoints__follow_the_public_rules);
    return test_end();
}
