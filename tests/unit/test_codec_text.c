#include "test.h"

#include "codec/base64.h"
#include "codec/date.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/mime.h"
#include "codec/url.h"

static void test_base64__test_vectors_of_rfc_4648(void)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct pl_buf b = PL_BUF_MAX(64);
        pl_base64_encode(&b, pairs[i][0], strlen(pairs[i][0]));
        CHECK(pl_str_is(pl_buf_view(&b), pairs[i][1]));
        pl_buf_clear(&b);
        CHECK(pl_base64_decode(&b, pl_str_c(pairs[i][1])));
        CHECK(pl_str_is(pl_buf_view(&b), pairs[i][0]));
        pl_buf_dispose(&b);
    }
}

static void test_base64__refuses_what_no_encoder_writes(void)
{
    static const char *const bad[] = {
        "Zg=", "Zg", "Zh==", "Zm9=", "Z===", "====", "Zm 9v", "Zg==Zg==", "Zm9v\n", "Zm-_"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pl_buf b = PL_BUF_MAX(64);
        CHECK(!pl_base64_decode(&b, pl_str_c(bad[i])));
        pl_buf_dispose(&b);
    }
}

static void test_base64__every_byte_and_length_comes_back(void)
{
    unsigned char data[256];
    for (int i = 0; i < 256; i++) {
        data[i] = (unsigned char)(i * 7);
    }
    for (size_t n = 0; n <= 256; n++) {
        struct pl_buf text = PL_BUF_MAX(1024), back = PL_BUF_MAX(1024);
        pl_base64_encode(&text, data, n);
        CHECK(pl_base64_decode(&back, pl_buf_view(&text)));
        CHECK(back.len == n && (n == 0 || memcmp(back.ptr, data, n) == 0));
        pl_buf_dispose(&text);
        pl_buf_dispose(&back);
    }
}

static void test_hex__both_ways(void)
{
    char text[7];
    unsigned char bytes[3];
    pl_hex_encode(text, "\x00\xaf\xff", 3);
    CHECK_STR(text, "00afff");
    CHECK(pl_hex_decode(bytes, 3, PL_STR("00AFff")) && memcmp(bytes, "\x00\xaf\xff", 3) == 0);
    CHECK(!pl_hex_decode(bytes, 3, PL_STR("00AFf")) && !pl_hex_decode(bytes, 3, PL_STR("00AFfg")));
}

static void test_url__encodes_all_but_unreserved(void)
{
    struct pl_buf b = PL_BUF_MAX(2048);
    pl_url_encode(&b, PL_STR("a/b c+~-._\xc3\xa9%"), PL_URL_KEEP_SLASH);
    CHECK(pl_str_is(pl_buf_view(&b), "a/b%20c%2B~-._%C3%A9%25"));
    pl_buf_clear(&b);
    pl_url_encode(&b, PL_STR("/"), 0);
    CHECK(pl_str_is(pl_buf_view(&b), "%2F"));
    pl_buf_dispose(&b);
}

static void test_url__decoding_undoes_encoding_for_every_byte(void)
{
    char all[256];
    struct pl_buf text = PL_BUF_MAX(2048), back = PL_BUF_MAX(2048);
    for (int i = 0; i < 256; i++) {
        all[i] = (char)i;
    }
    pl_url_encode(&text, pl_str_n(all, 256), 0);
    CHECK(pl_url_decode(&back, pl_buf_view(&text)));
    CHECK(back.len == 256 && memcmp(back.ptr, all, 256) == 0);
    CHECK(!pl_url_decode(&back, PL_STR("a%2")) && !pl_url_decode(&back, PL_STR("a%zz")));
    pl_buf_dispose(&text);
    pl_buf_dispose(&back);
}

static void test_url__query_is_built_and_taken_apart(void)
{
    struct pl_buf b = PL_BUF_MAX(256);
    pl_url_query_add(&b, "prefix", PL_STR("a b/c"));
    pl_url_query_add(&b, "acl", PL_STR(""));
    CHECK(pl_str_is(pl_buf_view(&b), "prefix=a%20b%2Fc&acl="));
    pl_buf_dispose(&b);
    struct pl_str query = PL_STR("uploads&&x=1=2&"), name, value;
    CHECK(pl_url_query_next(&query, &name, &value) && pl_str_is(name, "uploads") && !value.len);
    CHECK(pl_url_query_next(&query, &name, &value) && pl_str_is(name, "x") &&
          pl_str_is(value, "1=2"));
    CHECK(!pl_url_query_next(&query, &name, &value));
}

static void test_url__parts_of_good_ones(void)
{
    struct pl_url u;
    CHECK_INT(pl_url_parse(PL_STR("https://S3.Example.com:8443/a%2Fb/?x=1"), &u, NULL), PAIL_OK);
    CHECK(u.tls && u.port == 8443 && pl_str_is(u.host, "S3.Example.com") &&
          pl_str_is(u.path, "/a%2Fb/") && u.has_query && pl_str_is(u.query, "x=1") &&
          pl_str_is(u.host_port, "S3.Example.com:8443"));
    CHECK_INT(pl_url_parse(PL_STR("HTTP://127.0.0.1"), &u, NULL), PAIL_OK);
    CHECK(!u.tls && u.port == 80 && u.path.len == 0 && !u.has_query);
    CHECK_INT(pl_url_parse(PL_STR("http://[::1]:9000?"), &u, NULL), PAIL_OK);
    CHECK(u.ipv6 && pl_str_is(u.host, "::1") && u.port == 9000 && u.has_query && !u.query.len);
    CHECK_INT(pl_url_parse(PL_STR("https://my_host.internal./"), &u, NULL), PAIL_OK);
}

static void test_url__host_header_is_lower_case_without_the_default_port(void)
{
    static const char *const pairs[][2] = {{"https://S3.Example.com:443/", "s3.example.com"},
                                           {"http://h:443", "h:443"},
                                           {"http://h:80", "h"},
                                           {"http://[::A]:9000/", "[::a]:9000"}};
    for (size_t i = 0; i < 4; i++) {
        struct pl_url u;
        struct pl_buf b = PL_BUF_MAX(64);
        CHECK_INT(pl_url_parse(pl_str_c(pairs[i][0]), &u, NULL), PAIL_OK);
        pl_url_host_header(&b, &u);
        CHECK(pl_str_is(pl_buf_view(&b), pairs[i][1]));
        pl_buf_dispose(&b);
    }
}

static void test_url__refuses_bad_ones_without_showing_secrets(void)
{
    static const char *const bad[] = {"s3.example.com",
                                      "ftp://h/",
                                      "http:/h",
                                      "http://",
                                      "http://:80/",
                                      "https:///b",
                                      "http://user:hunter2@h/",
                                      "http://h%2Fx/",
                                      "http://h\\x/",
                                      "http://[::1/",
                                      "http://[::1]x/",
                                      "http://[1234]/",
                                      "http://[g::]/",
                                      "http://h:0/",
                                      "http://h:65536/",
                                      "http://h:8a/",
                                      "http://h/#hunter2",
                                      "http://h/a b",
                                      "http://h/\x7f",
                                      "http://.h/",
                                      "http://h/\xc3\xa9",
                                      ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pl_url u;
        struct pail_error *e = NULL;
        CHECK_INT(pl_url_parse(pl_str_c(bad[i]), &u, &e), PAIL_E_BAD_CONFIG);
        CHECK(strstr(pail_error_message(e), "hunter2") == NULL);
        pail_error_free(e);
    }
}

static void check_date(int64_t ms, const char *http, const char *iso, const char *basic)
{
    char a[PL_DATE_HTTP_SIZE], b[PL_DATE_ISO_SIZE], c[PL_DATE_BASIC_SIZE];
    int64_t back = 1;
    CHECK_STR(pl_date_http(ms, a), http);
    CHECK_STR(pl_date_iso(ms, b), iso);
    CHECK_STR(pl_date_basic(ms, c), basic);
    CHECK(pl_date_http_parse(pl_str_c(http), &back) && back == ms);
    CHECK(pl_date_iso_parse(pl_str_c(iso), &back) && back == ms);
    CHECK(pl_date_basic_parse(pl_str_c(basic), &back) && back == ms);
}

static void test_date__known_days_in_all_forms(void)
{
    check_date(784111777000, "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z",
               "19941106T084937Z");
    check_date(0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z", "19700101T000000Z");
    check_date(951782400000, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00.000Z",
               "20000229T000000Z");
    check_date(-1000, "Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31T23:59:59.000Z",
               "19691231T235959Z");
    check_date(4102444799000, "Thu, 31 Dec 2099 23:59:59 GMT", "2099-12-31T23:59:59.000Z",
               "20991231T235959Z");
}

static void test_date__every_day_of_800_years_comes_back(void)
{
    for (int64_t day = -150000; day < 150000; day += 1) {
        char text[PL_DATE_ISO_SIZE];
        int64_t back = 1;
        CHECK(pl_date_iso_parse(pl_str_c(pl_date_iso(day * 86400000, text)), &back));
        CHECK(back == day * 86400000);
    }
}

static void test_date__iso_knows_fractions_and_offsets(void)
{
    int64_t ms = 0;
    CHECK(pl_date_iso_parse(PL_STR("1994-11-06T08:49:37Z"), &ms) && ms == 784111777000);
    CHECK(pl_date_iso_parse(PL_STR("1994-11-06t08:49:37.1239z"), &ms) && ms == 784111777123);
    CHECK(pl_date_iso_parse(PL_STR("1994-11-06T10:19:37+01:30"), &ms) && ms == 784111777000);
    CHECK(pl_date_iso_parse(PL_STR("1994-11-06T07:49:37.5-01:00"), &ms) && ms == 784111777500);
}

static void test_date__refuses_what_is_no_date(void)
{
    int64_t ms;
    static const char *const iso[] = {"1994-11-06",
                                      "1994-11-06T08:49:37",
                                      "1994-02-30T00:00:00Z",
                                      "1994-11-06T24:00:00Z",
                                      "1994-11-06T08:49:37.Z",
                                      "1994-13-06T08:49:37Z",
                                      "1994-11-06T08:49:37Zx",
                                      ""};
    for (size_t i = 0; i < sizeof iso / sizeof *iso; i++) {
        CHECK(!pl_date_iso_parse(pl_str_c(iso[i]), &ms));
    }
    CHECK(!pl_date_http_parse(PL_STR("Sun, 06 Now 1994 08:49:37 GMT"), &ms));
    CHECK(!pl_date_http_parse(PL_STR("Sun, 06 Nov 1994 08:49:37 UTC"), &ms));
    CHECK(!pl_date_http_parse(PL_STR("Sun, 6 Nov 1994 08:49:37 GMT"), &ms));
    CHECK(!pl_date_basic_parse(PL_STR("19941106T084937"), &ms));
}

static void test_date__far_years_stay_in_four_digits(void)
{
    char text[PL_DATE_ISO_SIZE];
    CHECK_STR(pl_date_iso(INT64_MAX, text), "9999-12-31T23:59:59.999Z");
    CHECK_STR(pl_date_iso(INT64_MIN, text), "0000-01-01T00:00:00.000Z");
}

static void test_mime__by_ending_without_case(void)
{
    CHECK_STR(pl_mime_by_name(PL_STR("a/b.TXT")), "text/plain");
    CHECK_STR(pl_mime_by_name(PL_STR("a.tar.gz")), "application/gzip");
    CHECK_STR(pl_mime_by_name(PL_STR("x.7z")), "application/x-7z-compressed");
    CHECK_STR(pl_mime_by_name(PL_STR("x.zst")), "application/zstd");
    CHECK(!pl_mime_by_name(PL_STR("a.txt/b")) && !pl_mime_by_name(PL_STR("a")));
    CHECK(!pl_mime_by_name(PL_STR(".txt")) && !pl_mime_by_name(PL_STR("d/.txt")));
    CHECK(!pl_mime_by_name(PL_STR("a.")) && !pl_mime_by_name(PL_STR("")));
    CHECK(!pl_mime_by_name(PL_STR("a.averyveryverylongending")));
}

static bool nests(const char *open, const char *close, int depth)
{
    struct pl_buf b = PL_BUF_MAX(1 << 20);
    json_t *value = NULL;
    pl_buf_puts(&b, "{\"a\\\\\\\"[[[\":\"\\\\\",\"b\":");
    for (int i = 1; i < depth; i++) {
        pl_buf_puts(&b, open);
    }
    pl_buf_puts(&b, "1");
    for (int i = 1; i < depth; i++) {
        pl_buf_puts(&b, close);
    }
    pl_buf_puts(&b, "}");
    bool ok = pl_json_parse(pl_buf_view(&b), "a test", &value, NULL) == PAIL_OK;
    json_decref(value);
    pl_buf_dispose(&b);
    return ok;
}

static void test_json__is_refused_before_it_fills_the_stack(void)
{
    CHECK(nests("[", "]", PL_JSON_DEPTH_MAX) && nests("{\"]\":", "}", PL_JSON_DEPTH_MAX));
    CHECK(!nests("[", "]", PL_JSON_DEPTH_MAX + 1) && !nests("{\"]\":", "}", 40));
    CHECK(!nests("[", "]", 100000) && !nests("[", "", 100000));
}

int main(void)
{
    RUN(test_base64__test_vectors_of_rfc_4648);
    RUN(test_base64__refuses_what_no_encoder_writes);
    RUN(test_base64__every_byte_and_length_comes_back);
    RUN(test_hex__both_ways);
    RUN(test_url__encodes_all_but_unreserved);
    RUN(test_url__decoding_undoes_encoding_for_every_byte);
    RUN(test_url__query_is_built_and_taken_apart);
    RUN(test_url__parts_of_good_ones);
    RUN(test_url__host_header_is_lower_case_without_the_default_port);
    RUN(test_url__refuses_bad_ones_without_showing_secrets);
    RUN(test_date__known_days_in_all_forms);
    RUN(test_date__every_day_of_800_years_comes_back);
    RUN(test_date__iso_knows_fractions_and_offsets);
    RUN(test_date__refuses_what_is_no_date);
    RUN(test_date__far_years_stay_in_four_digits);
    RUN(test_json__is_refused_before_it_fills_the_stack);
    RUN(test_mime__by_ending_without_case);
    return test_end();
}
