#include "test.h"

#include <errno.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/settings.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_buf__refuses_to_grow_past_its_maximum(void)
{
    struct pl_buf b = PL_BUF_MAX(8);
    pl_buf_puts(&b, "12345678");
    CHECK_INT(pl_buf_rc(&b), PAIL_OK);
    pl_buf_putc(&b, '9');
    CHECK_INT(pl_buf_rc(&b), PAIL_E_TOO_LARGE);
    CHECK(pl_buf_take(&b) == NULL);
}

static void test_buf__take_of_an_untouched_buffer_is_an_empty_string(void)
{
    struct pl_buf b = PL_BUF_MAX(8);
    char *s = pl_buf_take(&b);
    CHECK_STR(s, "");
    pl_free(s);
}

static void test_str__sizes_know_units_and_fractions(void)
{
    uint64_t n = 0;
    CHECK(pl_str_size(PL_STR("64M"), &n) && n == 64u << 20);
    CHECK(pl_str_size(PL_STR("1.5k"), &n) && n == 1536);
    CHECK(pl_str_size(PL_STR("10GiB"), &n) && n == UINT64_C(10) << 30);
    CHECK(!pl_str_size(PL_STR("10X"), &n) && !pl_str_size(PL_STR(""), &n) &&
          !pl_str_size(PL_STR("-1"), &n));
    CHECK(!pl_str_size(PL_STR("99999999999P"), &n));
}

static void test_utf8__refuses_overlong_surrogate_and_truncated_forms(void)
{
    CHECK(pl_utf8_valid(PL_STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")));
    CHECK(!pl_utf8_valid(PL_STR("\xc0\x80")));
    CHECK(!pl_utf8_valid(PL_STR("\xe0\x80\x80")));
    CHECK(!pl_utf8_valid(PL_STR("\xed\xa0\x80")));
    CHECK(!pl_utf8_valid(PL_STR("\xf4\x90\x80\x80")));
    CHECK(!pl_utf8_valid(PL_STR("\xe2\x82")));
    CHECK(!pl_utf8_valid(PL_STR("\xff")));
}

static void test_glob__matches_whole_names(void)
{
    CHECK(pl_glob_match("*.txt", "a.txt") && !pl_glob_match("*.txt", "a.txt.gz"));
    CHECK(pl_glob_match("a?c", "abc") && !pl_glob_match("a?c", "ac"));
    CHECK(pl_glob_match("[a-c]x", "bx") && !pl_glob_match("[!a-c]x", "bx"));
    CHECK(pl_glob_match("a[", "a[") && pl_glob_match("\\*", "*") && !pl_glob_match("\\*", "x"));
    CHECK(pl_glob_match("*a*b", "xxaxxab") && !pl_glob_match("*a*b", "xxaxxabc"));
    CHECK_INT(pl_glob_literal("abc*"), 3);
}

static void test_error__keeps_the_first_message_and_adds_context(void)
{
    struct pail_error *e = NULL;
    CHECK_INT(pl_fail(&e, PAIL_E_BAD_KEY, "key %d", 1), PAIL_E_BAD_KEY);
    CHECK_INT(pl_fail(&e, PAIL_E_IO, "later"), PAIL_E_IO);
    pl_error_context(e, "put", "b", NULL);
    pl_error_context(e, "get", NULL, "k");
    CHECK_STR(pail_error_message(e), "key 1");
    CHECK_STR(pail_error_operation(e), "put");
    CHECK_STR(pail_error_bucket(e), "b");
    CHECK_STR(pail_error_key(e), "k");
    struct pail_error *copy = pl_error_dup(e);
    pail_error_free(e);
    CHECK_STR(pail_error_message(copy), "key 1");
    CHECK_INT(pail_error_code(copy), PAIL_E_BAD_KEY);
    pail_error_free(copy);
}

static void test_settings__unknown_name_gets_the_nearest(void)
{
    struct pl_settings s = {0};
    struct pail_error *e = NULL;
    CHECK_INT(pl_settings_set(&s, "aws_regoin", "x", "option", &e), PAIL_E_BAD_CONFIG);
    CHECK(strstr(pail_error_message(e), "aws_region") != NULL);
    pail_error_free(e);
    pl_settings_dispose(&s);
}

static void test_settings__aliases_mean_the_same_and_the_first_origin_wins(void)
{
    struct pl_settings s = {0};
    CHECK_INT(pl_settings_set(&s, "AWS_ACCESS_KEY", "id", "option", NULL), PAIL_OK);
    CHECK_INT(pl_settings_default(&s, "aws_access_key_id", "other", "environment"), PAIL_OK);
    CHECK_STR(pl_settings_get(&s, "aws_access_key_id"), "id");
    CHECK_STR(pl_settings_origin(&s, "aws_access_key_id"), "option");
    pl_settings_dispose(&s);
}

static void test_settings__explain_hides_secrets(void)
{
    struct pl_settings s = {0};
    struct pl_buf b = PL_BUF_MAX(1 << 20);
    CHECK_INT(pl_settings_set(&s, "aws_secret_access_key", "hush", "option", NULL), PAIL_OK);
    pl_settings_explain(&s, &b);
    CHECK(strstr(b.ptr, "aws_secret_access_key = ***") && !strstr(b.ptr, "hush"));
    pl_buf_dispose(&b);
    pl_settings_dispose(&s);
}

static bool count_up_to_two(const char *name, void *ctx)
{
    (void)name;
    return ++*(int *)ctx < 2;
}

static void test_sys__list_names_each_entry_until_told_to_stop(void)
{
    char folder[] = "/tmp/pail-list-XXXXXX";
    REQUIRE(mkdtemp(folder) != NULL);
    int dir = pl_sys.open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0), seen = 0;
    CHECK(pl_sys_list(dir, ".", count_up_to_two, &seen) && seen == 0);
    for (int i = 0; i < 3; i++) {
        char name[2] = {(char)('a' + i), 0};
        pl_sys.close(pl_sys.open(dir, name, O_CREAT | O_WRONLY, 0600));
    }
    CHECK(!pl_sys_list(dir, ".", count_up_to_two, &seen) && errno == 0);
    CHECK_INT(seen, 2);
    CHECK(!pl_sys_list(dir, "missing", count_up_to_two, &seen) && errno == ENOENT);
    for (int i = 0; i < 3; i++) {
        char name[2] = {(char)('a' + i), 0};
        pl_sys.unlink(dir, name, 0);
    }
    pl_sys.close(dir);
    rmdir(folder);
}

static void test_sys__a_record_lock_is_seen_by_others_and_ends_with_its_process(void)
{
    char path[] = "/tmp/pail-lock-XXXXXX", c = 0;
    int fd = mkstemp(path), ready[2], go[2];
    REQUIRE(fd >= 0 && pipe(ready) == 0 && pipe(go) == 0);
    pid_t child = fork();
    if (child == 0) {
        c = pl_sys.lock(fd, F_WRLCK, true, 7, 1) == 0 ? 'y' : 'n';
        _exit(write(ready[1], &c, 1) == 1 && read(go[0], &c, 1) == 1 ? 0 : 1);
    }
    CHECK(read(ready[0], &c, 1) == 1 && c == 'y');
    CHECK_INT(pl_sys.lock_held(fd, 7), 1);
    CHECK_INT(pl_sys.lock_held(fd, 8), 0);
    CHECK_INT(pl_sys.lock(fd, F_WRLCK, false, 7, 1), -1);
    CHECK(write(go[1], &c, 1) == 1 && waitpid(child, NULL, 0) == child);
    CHECK_INT(pl_sys.lock_held(fd, 7), 0);
    close(fd);
    unlink(path);
}

static void test_error__of_the_system_has_a_code_of_its_kind(void)
{
    static const struct {
        int number;
        pail_code code;
    } cases[] = {{ENOSPC, PAIL_E_NO_SPACE},  {EDQUOT, PAIL_E_NO_SPACE}, {ENOMEM, PAIL_E_NO_MEMORY},
                 {EACCES, PAIL_E_FORBIDDEN}, {EROFS, PAIL_E_FORBIDDEN}, {EIO, PAIL_E_IO}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pail_error *e = NULL;
        CHECK_INT(pl_fail_errno(&e, cases[i].number, "opening f"), cases[i].code);
        CHECK_INT(pail_error_code(e), cases[i].code);
        CHECK(strncmp(pail_error_message(e), "opening f: ", 11) == 0);
        pail_error_free(e);
    }
}

int main(void)
{
    RUN(test_error__of_the_system_has_a_code_of_its_kind);
    RUN(test_buf__refuses_to_grow_past_its_maximum);
    RUN(test_buf__take_of_an_untouched_buffer_is_an_empty_string);
    RUN(test_str__sizes_know_units_and_fractions);
    RUN(test_utf8__refuses_overlong_surrogate_and_truncated_forms);
    RUN(test_glob__matches_whole_names);
    RUN(test_error__keeps_the_first_message_and_adds_context);
    RUN(test_settings__unknown_name_gets_the_nearest);
    RUN(test_settings__aliases_mean_the_same_and_the_first_origin_wins);
    RUN(test_settings__explain_hides_secrets);
    RUN(test_sys__list_names_each_entry_until_told_to_stop);
    RUN(test_sys__a_record_lock_is_seen_by_others_and_ends_with_its_process);
    return test_end();
}
