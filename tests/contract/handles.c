#include "contract.h"

#include <sys/wait.h>
#include <unistd.h>

static void test_reader__seeks_reads_and_preads(void)
{
    enum { N = 500000 };
    unsigned char *want = pattern(N, 21);
    char buf[70000];
    size_t got = 0;
    uint64_t at = 0;
    pail_reader *r = NULL;
    put_bytes("k", want, N);
    OK(pail_reader_open(bucket, "k", PAIL_OPTS(get, .part_size = 64 << 10), &r, &err));
    CHECK_INT(pail_reader_info(r)->size, N);
    size_t total = 0;
    pail_code rc;
    while ((rc = pail_reader_read(r, buf, 33333, &got, &err)) == PAIL_OK) {
        CHECK(memcmp(buf, want + total, got) == 0);
        total += got;
    }
    CHECK_INT(rc, PAIL_DONE);
    CHECK_INT(total, N);
    CODE(pail_reader_seek(r, -10, SEEK_END, &at, &err), PAIL_OK);
    CHECK_INT(at, N - 10);
    CODE(pail_reader_read(r, buf, sizeof buf, &got, &err), PAIL_OK);
    CHECK_INT(got, 10);
    CHECK(memcmp(buf, want + N - 10, 10) == 0);
    CODE(pail_reader_pread(r, buf, sizeof buf, 123456, &got, &err), PAIL_OK);
    CHECK_INT(got, sizeof buf);
    CHECK(memcmp(buf, want + 123456, got) == 0);
    CODE(pail_reader_seek(r, -1, SEEK_SET, NULL, &err), PAIL_E_BAD_ARGUMENT);
    CODE(pail_reader_seek(r, N + 5, SEEK_SET, NULL, &err), PAIL_OK);
    CODE(pail_reader_read(r, buf, 1, &got, &err), PAIL_DONE);
    pail_reader_free(r);
    free(want);
}

static void test_reader__sees_one_version_or_says_changed(void)
{
    enum { N = 300000 };
    unsigned char *first = pattern(N, 1), *second = pattern(N, 2);
    char buf[1000];
    size_t got = 0;
    pail_reader *r = NULL;
    put_bytes("k", first, N);
    OK(pail_reader_open(bucket, "k", PAIL_OPTS(get, .part_size = 64 << 10), &r, &err));
    OK(pail_reader_read(r, buf, sizeof buf, &got, &err));
    put_bytes("k", second, N);
    CODE(pail_reader_pread(r, buf, sizeof buf, N - 2000, &got, &err), PAIL_E_CHANGED);
    pail_reader_free(r);
    CODE(pail_reader_open(bucket, "gone", NULL, &r, &err), PAIL_E_NOT_FOUND);
    free(first);
    free(second);
}

static void test_fork__handle_of_the_parent_answers_forked_and_frees(void)
{
    put_text("k", "x");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        pail_code rc = pail_stat(bucket, "k", NULL, NULL, NULL);
        pail_bucket_close(bucket);
        _exit(rc == PAIL_E_FORKED ? 0 : 1);
    }
    int status = 0;
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    expect_text("k", "x");
}

static void test_options__without_a_size_are_refused(void)
{
    pail_put_opts o = {0};
    CODE(pail_put(bucket, "k", PAIL_BUF("x", 1), &o, NULL, &err), PAIL_E_BAD_ARGUMENT);
    CHECK(strstr(pail_error_hint(err), "PAIL_OPTS") != NULL);
}

void handle_suite(void)
{
    CONTRACT(test_reader__seeks_reads_and_preads);
    CONTRACT(test_reader__sees_one_version_or_says_changed);
    CONTRACT(test_fork__handle_of_the_parent_answers_forked_and_frees);
    CONTRACT(test_options__without_a_size_are_refused);
}
