/* Every allocation fails once: the answer is no_memory, nothing leaks, and the next try works. */
#include "test.h"

#include "codec/base64.h"
#include "codec/ini.h"
#include "codec/xml.h"
#include "cred/aws_files.h"
#include "sign/aws_chunked.h"

static int left = -1; /* allocations until one fails; -1: never */

static void *failing(void *ptr, size_t size, void *ctx)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    if (left == 0) {
        return NULL; /* and all behind it: memory stays out */
    }
    left -= left > 0;
    return realloc(ptr, size);
}

/* Runs it with the first, second, ... allocation failing until none does. */
static void torture(pail_code (*run)(struct pail_error **err))
{
    for (int n = 0; n < 500; n++) {
        struct pail_error *err = NULL;
        left = n;
        pail_code rc = run(&err);
        left = -1;
        if (rc == PAIL_OK) {
            CHECK(err == NULL && n > 0);
            return;
        }
        CHECK_INT(rc, PAIL_E_NO_MEMORY);
        CHECK_INT(pail_error_code(err), PAIL_E_NO_MEMORY);
        pail_error_free(err);
    }
    CHECK(left == 0); /* it never works */
}

static pail_code sign(struct pail_error **err)
{
    struct pl_header header = {PL_STR("x-amz-meta-a"), PL_STR("b")};
    struct pl_sigv4 s;
    struct pl_aws_chunked c = {0};
    struct pl_sigv4_headers added;
    struct pl_buf out = PL_BUF_MAX(1 << 20);
    struct pl_sigv4_identity who = {.access_key = PL_STR("AK"),
                                    .secret_key = PL_STR("SK"),
                                    .token = PL_STR("T"),
                                    .region = PL_STR("r"),
                                    .service = PL_STR("s3"),
                                    .flags = PL_SIGV4_GENERAL};
    struct pl_sigv4_request r = {.method = PL_STR("PUT"),
                                 .target = PL_STR("/a/../b?c=d&a=b"),
                                 .host = PL_STR("h"),
                                 .headers = &header,
                                 .header_count = 1,
                                 .payload_hash = PL_SIGV4_CHUNKED_TRAILER};
    pail_code rc = pl_sigv4_init(&s, err);
    rc = rc ? rc : pl_sigv4_presign(&s, &who, &r, 60, &out, err);
    pl_buf_dispose(&out);
    out = PL_BUF_MAX(1 << 20);
    rc = rc ? rc : pl_sigv4_sign(&s, &who, &r, &added, err);
    rc = rc ? rc : pl_aws_chunked_init(&c, PL_AWS_CHUNKED_SIGNED_TRAILER, &s, &who, err);
    rc = rc ? rc : pl_aws_chunked_head(&c, &out, "abc", 3, err);
    rc = rc ? rc : pl_aws_chunked_end(&c, &out, PL_STR("n"), PL_STR("v"), err);
    pl_buf_dispose(&out);
    pl_aws_chunked_dispose(&c);
    pl_sigv4_dispose(&s);
    return rc;
}

static pail_code read_files(struct pail_error **err)
{
    struct pl_aws_files f = {0};
    pail_code rc =
        pl_aws_files_add(&f, PL_STR("[profile a]\nregion = b\n s = \ns3 =\n a = b\n[default]\nk=v"),
                         false, "config", err);
    rc = rc ? rc : pl_aws_files_add(&f, PL_STR("[a]\nk = v\n"), true, "credentials", err);
    pl_aws_files_dispose(&f);
    return rc;
}

static pail_code on_close(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    (void)ctx, (void)depth, (void)name, (void)text;
    return PAIL_OK;
}

static pail_code read_xml(struct pail_error **err)
{
    static const struct pl_xml_events events = {.close = on_close};
    struct pl_xml x = {0};
    char text[600];
    snprintf(text, sizeof text, "<R a='b'><Key>%0500d</Key><A/></R>", 1);
    pail_code rc = pl_xml_init(&x, &events, NULL, 4096, err);
    for (size_t i = 0; !rc && text[i]; i++) {
        rc = pl_xml_feed(&x, text + i, 1, err);
    }
    rc = rc ? rc : pl_xml_finish(&x, err);
    pl_xml_dispose(&x);
    return rc;
}

static void test_oom__signing_says_so_and_leaks_nothing(void)
{
    torture(sign);
}

static void test_oom__reading_the_aws_files_says_so_and_leaks_nothing(void)
{
    torture(read_files);
}

static void test_oom__reading_xml_says_so_and_leaks_nothing(void)
{
    torture(read_xml);
}

int main(void)
{
    const pail_allocator allocator = {failing, NULL};
    if (pail_set_allocator(&allocator)) {
        return 1;
    }
    RUN(test_oom__signing_says_so_and_leaks_nothing);
    RUN(test_oom__reading_the_aws_files_says_so_and_leaks_nothing);
    RUN(test_oom__reading_xml_says_so_and_leaks_nothing);
    return test_end();
}
