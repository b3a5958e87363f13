#include "test.h"

#include "codec/hex.h"
#include "sign/aws_chunked.h"
#include "sign/canonical.h"

/* The example of AWS's documentation, "Authenticating Requests: Using the Authorization Header". */
static struct pl_sigv4_identity example(void)
{
    return (struct pl_sigv4_identity){
        .access_key = PL_STR("AKIAIOSFODNN7EXAMPLE"),
        .secret_key = PL_STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        .region = PL_STR("us-east-1"),
        .service = PL_STR("s3"),
        .time_ms = 1369353600000,
    };
}

static void test_sigv4__ranged_get_of_the_documentation(void)
{
    struct pl_sigv4 s;
    struct pl_sigv4_identity who = example();
    struct pl_header range = {PL_STR("Range"), PL_STR("bytes=0-9")};
    struct pl_sigv4_request r = {.method = PL_STR("GET"),
                                 .target = PL_STR("/test.txt"),
                                 .host = PL_STR("examplebucket.s3.amazonaws.com"),
                                 .headers = &range,
                                 .header_count = 1,
                                 .payload_hash = PL_SIGV4_EMPTY_HASH};
    struct pl_sigv4_headers out;
    CHECK_INT(pl_sigv4_init(&s, NULL), PAIL_OK);
    for (int again = 0; again < 2; again++) { /* the second time with the cached key */
        CHECK_INT(pl_sigv4_sign(&s, &who, &r, &out, NULL), PAIL_OK);
        CHECK_STR(s.signature, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    }
    CHECK_INT(out.count, 3);
    CHECK(pl_str_is(out.headers[2].value,
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
                    "aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                    "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
    pl_sigv4_dispose(&s);
}

static void test_sigv4__presigned_get_of_the_documentation(void)
{
    struct pl_sigv4 s;
    struct pl_sigv4_identity who = example();
    struct pl_sigv4_request r = {.method = PL_STR("GET"),
                                 .target = PL_STR("/test.txt"),
                                 .host = PL_STR("examplebucket.s3.amazonaws.com"),
                                 .payload_hash = PL_SIGV4_UNSIGNED};
    struct pl_buf out = PL_BUF_MAX(4096);
    CHECK_INT(pl_sigv4_init(&s, NULL), PAIL_OK);
    CHECK_INT(pl_sigv4_presign(&s, &who, &r, 86400, &out, NULL), PAIL_OK);
    CHECK_STR(out.ptr,
              "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F"
              "20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires="
              "86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
              "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    pl_buf_dispose(&out);
    pl_sigv4_dispose(&s);
}

static void test_sigv4__presign_refuses_lifetimes_that_no_service_takes(void)
{
    struct pl_sigv4 s;
    struct pl_sigv4_identity who = example();
    struct pl_sigv4_request r = {.method = PL_STR("GET"),
                                 .target = PL_STR("/"),
                                 .host = PL_STR("h"),
                                 .payload_hash = PL_SIGV4_UNSIGNED};
    struct pl_buf out = PL_BUF_MAX(4096);
    CHECK_INT(pl_sigv4_init(&s, NULL), PAIL_OK);
    CHECK_INT(pl_sigv4_presign(&s, &who, &r, 0, &out, NULL), PAIL_E_BAD_ARGUMENT);
    CHECK_INT(pl_sigv4_presign(&s, &who, &r, 604801, &out, NULL), PAIL_E_BAD_ARGUMENT);
    CHECK_INT(out.len, 0);
    pl_buf_dispose(&out);
    pl_sigv4_dispose(&s);
}

static void sign_with(struct pl_sigv4 *s, const struct pl_sigv4_identity *who, char *signature)
{
    struct pl_sigv4_request r = {.method = PL_STR("GET"),
                                 .target = PL_STR("/"),
                                 .host = PL_STR("h"),
                                 .payload_hash = PL_SIGV4_EMPTY_HASH};
    struct pl_sigv4_headers out;
    CHECK_INT(pl_sigv4_sign(s, who, &r, &out, NULL), PAIL_OK);
    memcpy(signature, s->signature, sizeof s->signature);
}

static void test_sigv4__cached_key_follows_every_part_of_the_identity(void)
{
    struct pl_sigv4_identity who[5];
    char fresh[PL_SHA256_HEX], cached[PL_SHA256_HEX];
    struct pl_sigv4 shared;
    for (int i = 0; i < 5; i++) {
        who[i] = example();
    }
    who[1].secret_key = PL_STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEZ");
    who[2].region = PL_STR("us-east-2");
    who[3].service = PL_STR("st");
    who[4].time_ms += 86400000;
    CHECK_INT(pl_sigv4_init(&shared, NULL), PAIL_OK);
    for (int i = 0; i < 25; i++) {
        struct pl_sigv4 alone;
        CHECK_INT(pl_sigv4_init(&alone, NULL), PAIL_OK);
        sign_with(&alone, &who[i % 5], fresh);
        sign_with(&shared, &who[i % 5], cached);
        CHECK_STR(cached, fresh);
        sign_with(&shared, &who[i / 5], cached);
        pl_sigv4_dispose(&alone);
    }
    pl_sigv4_dispose(&shared);
}

static void test_sigv4__token_is_a_signed_header_or_comes_behind_the_signature(void)
{
    struct pl_sigv4 s;
    struct pl_sigv4_identity who = example();
    char bare[PL_SHA256_HEX], with[PL_SHA256_HEX], late[PL_SHA256_HEX];
    CHECK_INT(pl_sigv4_init(&s, NULL), PAIL_OK);
    sign_with(&s, &who, bare);
    who.token = PL_STR("token");
    sign_with(&s, &who, with);
    CHECK(strcmp(bare, with) != 0);
    CHECK(strstr(s.canonical.ptr, "x-amz-security-token:token\n") != NULL);
    who.flags = PL_SIGV4_TOKEN_UNSIGNED;
    sign_with(&s, &who, late);
    CHECK_STR(late, bare);
    pl_sigv4_dispose(&s);
}

static void test_sigv4__refuses_more_headers_than_it_can_sign(void)
{
    struct pl_sigv4 s;
    struct pl_sigv4_identity who = example();
    struct pl_header many[PL_CANONICAL_MAX];
    for (int i = 0; i < PL_CANONICAL_MAX; i++) {
        many[i] = (struct pl_header){PL_STR("x-a"), PL_STR("b")};
    }
    struct pl_sigv4_request r = {.method = PL_STR("GET"),
                                 .target = PL_STR("/"),
                                 .host = PL_STR("h"),
                                 .headers = many,
                                 .header_count = PL_CANONICAL_MAX,
                                 .payload_hash = PL_SIGV4_EMPTY_HASH};
    struct pl_sigv4_headers out;
    CHECK_INT(pl_sigv4_init(&s, NULL), PAIL_OK);
    CHECK_INT(pl_sigv4_sign(&s, &who, &r, &out, NULL), PAIL_E_BAD_ARGUMENT);
    r.header_count = 70;
    CHECK_INT(pl_sigv4_sign(&s, &who, &r, &out, NULL), PAIL_OK);
    pl_sigv4_dispose(&s);
}

static void check_path(const char *path, const char *want)
{
    struct pl_buf b = PL_BUF_MAX(256);
    pl_canonical_path(&b, pl_str_c(path), true);
    CHECK_STR(b.ptr, want);
    pl_buf_dispose(&b);
}

static void test_canonical__path_is_normalised(void)
{
    check_path("", "/");
    check_path("//", "/");
    check_path("/.", "/");
    check_path("/../../a", "/a");
    check_path("/a/b/..", "/a");
    check_path("/a/./b/../c/", "/a/c/");
    check_path("//a//b%20//", "/a/b%2520/");
}

static void test_canonical__query_is_sorted_by_encoded_name_then_value(void)
{
    struct pl_buf b = PL_BUF_MAX(256), scratch = PL_BUF_MAX(256);
    CHECK(pl_canonical_query(&b, &scratch, PL_STR("b=2&a-1=x&a=2&a=%31&uploads&%7e=%zz+&c%2f")));
    CHECK_STR(b.ptr, "a=1&a=2&a-1=x&b=2&c%2F=&uploads=&~=%25zz%2B");
    pl_buf_dispose(&b);
    pl_buf_dispose(&scratch);
}

static void test_canonical__headers_are_sorted_joined_and_squeezed(void)
{
    const struct pl_header in[] = {
        {PL_STR("X-Amz-Meta-B"), PL_STR("  one \t two ")},
        {PL_STR("User-Agent"), PL_STR("x")},
        {PL_STR("x-amz-meta-a"), PL_STR("2")},
        {PL_STR("X-AMZ-META-A"), PL_STR("1")},
        {PL_STR("Proxy-Authorization"), PL_STR("x")},
        {PL_STR("Host"), PL_STR("h")},
        {PL_STR("Authorization"), PL_STR("x")},
        {PL_STR("x-empty"), PL_STR("")},
    };
    struct pl_buf b = PL_BUF_MAX(256), names = PL_BUF_MAX(256);
    CHECK(pl_canonical_headers(&b, &names, in, sizeof in / sizeof *in));
    CHECK_STR(b.ptr, "host:h\nx-amz-meta-a:2,1\nx-amz-meta-b:one two\nx-empty:\n");
    CHECK_STR(names.ptr, "host;x-amz-meta-a;x-amz-meta-b;x-empty");
    pl_buf_dispose(&b);
    pl_buf_dispose(&names);
}

/* Frames body_bytes of 'a' and gives the whole; the documentation's chunk size is 64 KiB. */
static struct pl_buf frame(enum pl_aws_chunked_kind kind, const struct pl_sigv4 *s,
                           const struct pl_sigv4_identity *who, size_t body_bytes, size_t chunk)
{
    struct pl_buf out = PL_BUF_MAX(1 << 20);
    struct pl_aws_chunked c;
    char *body = malloc(body_bytes ? body_bytes : 1);
    memset(body, 'a', body_bytes);
    CHECK_INT(pl_aws_chunked_init(&c, kind, s, who, NULL), PAIL_OK);
    for (size_t at = 0, n; at < body_bytes; at += n) {
        n = body_bytes - at < chunk ? body_bytes - at : chunk;
        CHECK_INT(pl_aws_chunked_head(&c, &out, body + at, n, NULL), PAIL_OK);
        pl_buf_add(&out, body + at, n);
        pl_buf_puts(&out, "\r\n");
    }
    CHECK_INT(
        pl_aws_chunked_end(&c, &out, PL_STR("x-amz-checksum-crc32c"), PL_STR("AAAAAA=="), NULL),
        PAIL_OK);
    CHECK_INT(pl_buf_rc(&out), PAIL_OK);
    pl_aws_chunked_dispose(&c);
    free(body);
    return out;
}

static void test_chunked__signatures_of_the_documentation(void)
{
    struct pl_sigv4 s;
    struct pl_sigv4_identity who = example();
    const struct pl_header headers[] = {
        {PL_STR("x-amz-storage-class"), PL_STR("REDUCED_REDUNDANCY")},
        {PL_STR("Content-Encoding"), PL_STR("aws-chunked")},
        {PL_STR("x-amz-decoded-content-length"), PL_STR("66560")},
        {PL_STR("Content-Length"), PL_STR("66824")}};
    struct pl_sigv4_request r = {.method = PL_STR("PUT"),
                                 .target = PL_STR("/examplebucket/chunkObject.txt"),
                                 .host = PL_STR("s3.amazonaws.com"),
                                 .headers = headers,
                                 .header_count = 4,
                                 .payload_hash = PL_SIGV4_CHUNKED};
    struct pl_sigv4_headers out;
    CHECK_INT(pl_sigv4_init(&s, NULL), PAIL_OK);
    CHECK_INT(pl_sigv4_sign(&s, &who, &r, &out, NULL), PAIL_OK);
    CHECK_STR(s.signature, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    struct pl_buf b = frame(PL_AWS_CHUNKED_SIGNED, &s, &who, 66560, 65536);
    CHECK_INT(b.len, 66824);
    CHECK(strstr(b.ptr, "10000;chunk-signature="
                        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\na"));
    CHECK(strstr(b.ptr, "400;chunk-signature="
                        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\na"));
    CHECK(strstr(b.ptr,
                 "\r\n0;chunk-signature="
                 "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"));
    pl_buf_dispose(&b);
    pl_sigv4_dispose(&s);
}

static void test_chunked__length_up_front_is_the_length_sent(void)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 255, 256, 1000, 4096, 4097, 70000};
    struct pl_sigv4 s;
    struct pl_sigv4_identity who = example();
    char signature[PL_SHA256_HEX];
    CHECK_INT(pl_sigv4_init(&s, NULL), PAIL_OK);
    sign_with(&s, &who, signature);
    for (int kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct pl_buf b = frame((enum pl_aws_chunked_kind)kind, &s, &who, sizes[i], 256);
            CHECK_INT(pl_aws_chunked_length((enum pl_aws_chunked_kind)kind, sizes[i], 256, 21, 8),
                      b.len);
            pl_buf_dispose(&b);
        }
    }
    pl_sigv4_dispose(&s);
}

static void test_chunked__unsigned_trailer_is_plain_chunked(void)
{
    struct pl_buf b = frame(PL_AWS_CHUNKED_UNSIGNED_TRAILER, NULL, NULL, 17, 16);
    CHECK_STR(b.ptr,
              "10\r\naaaaaaaaaaaaaaaa\r\n1\r\na\r\n0\r\nx-amz-checksum-crc32c:AAAAAA==\r\n\r\n");
    pl_buf_dispose(&b);
}

int main(void)
{
    RUN(test_sigv4__ranged_get_of_the_documentation);
    RUN(test_sigv4__presigned_get_of_the_documentation);
    RUN(test_sigv4__presign_refuses_lifetimes_that_no_service_takes);
    RUN(test_sigv4__cached_key_follows_every_part_of_the_identity);
    RUN(test_sigv4__token_is_a_signed_header_or_comes_behind_the_signature);
    RUN(test_sigv4__refuses_more_headers_than_it_can_sign);
    RUN(test_canonical__path_is_normalised);
    RUN(test_canonical__query_is_sorted_by_encoded_name_then_value);
    RUN(test_canonical__headers_are_sorted_joined_and_squeezed);
    RUN(test_chunked__signatures_of_the_documentation);
    RUN(test_chunked__length_up_front_is_the_length_sent);
    RUN(test_chunked__unsigned_trailer_is_plain_chunked);
    return test_end();
}
