#include "test.h"

#include "codec/ini.h"

static pail_code record(void *ctx, const struct pl_ini_item *item, struct pail_error **err)
{
    (void)err;
    pl_buf_printf(ctx, "%u[%.*s]%.*s=%.*s|", item->line, (int)item->section.len, item->section.ptr,
                  (int)item->key.len, item->key.ptr, (int)item->value.len, item->value.ptr);
    return PAIL_OK;
}

static void check_items(const char *text, const char *want)
{
    struct pl_buf b = PL_BUF_MAX(4096);
    struct pail_error *e = NULL;
    CHECK_INT(pl_ini_parse(pl_str_c(text), "f", record, &b, &e), PAIL_OK);
    CHECK_STR(pail_error_message(e), "");
    CHECK_STR(b.ptr ? b.ptr : "", want);
    pail_error_free(e);
    pl_buf_dispose(&b);
}

static void check_error(const char *text, const char *want)
{
    struct pl_buf b = PL_BUF_MAX(4096);
    struct pail_error *e = NULL;
    CHECK_INT(pl_ini_parse(pl_str_c(text), "f", record, &b, &e), PAIL_E_BAD_CONFIG);
    CHECK_STR(pail_error_message(e), want);
    pail_error_free(e);
    pl_buf_dispose(&b);
}

static void test_ini__sections_properties_and_comments(void)
{
    check_items("", "");
    check_items("# c\n; c\n[ a b ] # c\nKey =  v=1 # c\nk2=x#y;z ;\n[d];c",
                "3[a b]=|4[a b]key=v=1|5[a b]k2=x#y;z|6[d]=|");
    check_items("\xef\xbb\xbf[a]\r\nk = v\r\n\r\n", "1[a]=|2[a]k=v|");
}

static void test_ini__values_go_on_with_their_comment_signs(void)
{
    check_items("[a]\nk = v\n \t-w # c \n\n\t; x\nj=1", "1[a]=|2[a]k=v\n-w # c\n; x|6[a]j=1|");
}

static void test_ini__sub_properties_are_checked_and_taken_apart(void)
{
    check_items("[a]\ns3 =\n endpoint_url = http://h\n\n x =", "1[a]=|2[a]s3=\nendpoint_url = "
                                                               "http://h\nx =|");
    struct pl_str value = PL_STR("\nendpoint_url = http://h # c\nx ="), name, text;
    CHECK(pl_ini_sub(&value, &name, &text));
    CHECK(pl_str_is(name, "endpoint_url") && pl_str_is(text, "http://h"));
    CHECK(pl_ini_sub(&value, &name, &text) && pl_str_is(name, "x") && text.len == 0);
    CHECK(!pl_ini_sub(&value, &name, &text));
}

static void test_ini__errors_name_file_and_line(void)
{
    check_error("\n[a", "f line 2: a profile definition must end with ']'");
    check_error("a = b", "f line 1: expected a profile definition such as [default]");
    check_error(" -a", "f line 1: expected a profile definition such as [default]");
    check_error("[a]\nb : c", "f line 2: expected an '=' sign defining a property");
    check_error("[a]\n= c", "f line 2: the property did not have a name");
    check_error("[a]\n -c",
                "f line 2: expected a property definition above a line that begins with a blank");
    check_error("[a]\ns =\n c", "f line 3: expected an '=' sign defining a sub-property");
    check_error("[a]\ns =\n = c", "f line 3: the sub-property did not have a name");
}

static pail_code refuse(void *ctx, const struct pl_ini_item *item, struct pail_error **err)
{
    ++*(int *)ctx;
    return item->key.len ? pl_fail(err, PAIL_E_UNSUPPORTED, "no") : PAIL_OK;
}

static void test_ini__stops_where_the_reader_says_so(void)
{
    int calls = 0;
    CHECK_INT(pl_ini_parse(PL_STR("[a]\nx=1\ny=2\n"), "f", refuse, &calls, NULL),
              PAIL_E_UNSUPPORTED);
    CHECK_INT(calls, 2);
}

int main(void)
{
    RUN(test_ini__sections_properties_and_comments);
    RUN(test_ini__values_go_on_with_their_comment_signs);
    RUN(test_ini__sub_properties_are_checked_and_taken_apart);
    RUN(test_ini__errors_name_file_and_line);
    RUN(test_ini__stops_where_the_reader_says_so);
    return test_end();
}
