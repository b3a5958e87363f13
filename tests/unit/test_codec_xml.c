#include "test.h"

#include "codec/xml.h"

static pail_code on_open(void *ctx, int depth, struct pl_str name)
{
    pl_buf_printf(ctx, "%d<%.*s>", depth, (int)name.len, name.ptr);
    return pl_str_is(name, "Stop") ? PAIL_E_CANCELLED : PAIL_OK;
}

static pail_code on_close(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    pl_buf_printf(ctx, "%.*s</%.*s>%d", (int)text.len, text.ptr, (int)name.len, name.ptr, depth);
    return PAIL_OK;
}

static pail_code on_attribute(void *ctx, int depth, const char *name, const char *value)
{
    pl_buf_printf(ctx, "[%d %s=%s]", depth, name, value);
    return strcmp(value, "stop") == 0 ? PAIL_E_CANCELLED : PAIL_OK;
}

static const struct pl_xml_events events = {on_open, on_close, on_attribute};

/* Reads the text cut at `cut` and returns what became of it. */
static pail_code read_cut(struct pl_str text, size_t cut, struct pl_buf *seen,
                          struct pail_error **err)
{
    struct pl_xml x = {0};
    pail_code rc = pl_xml_init(&x, &events, seen, 64, err);
    rc = rc ? rc : pl_xml_feed(&x, text.ptr, cut, err);
    rc = rc ? rc : pl_xml_feed(&x, text.ptr + cut, text.len - cut, err);
    rc = rc ? rc : pl_xml_finish(&x, err);
    pl_xml_dispose(&x);
    return rc;
}

static void check_refused(struct pl_str text, const char *part)
{
    struct pl_buf seen = PL_BUF_MAX(4096);
    struct pail_error *e = NULL;
    CHECK_INT(read_cut(text, 0, &seen, &e), PAIL_E_PROTOCOL);
    CHECK(strstr(pail_error_message(e), part) != NULL);
    pail_error_free(e);
    pl_buf_dispose(&seen);
}

static void test_xml__every_split_gives_the_same(void)
{
    const struct pl_str text =
        PL_STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"http://x/\" xmlns:p=\"q\">"
               "<Key>a&amp;b&#x20AC;\xc3\xa9&lt;</Key><!-- c --><p:E a='1' "
               "b='&lt;'/><C><![CDATA[<&]]></C> </R>\n");
    const char *want =
        "1<R>[1 xmlns=http://x/][1 xmlns:p=q]2<Key>a&b\xe2\x82\xac\xc3\xa9<</Key>22<E>[2 a=1][2 "
        "b=<]</E>22<C><&</C>2 </R>1";
    for (size_t cut = 0; cut <= text.len; cut++) {
        struct pl_buf seen = PL_BUF_MAX(4096);
        CHECK_INT(read_cut(text, cut, &seen, NULL), PAIL_OK);
        CHECK_STR(seen.ptr, want);
        pl_buf_dispose(&seen);
    }
}

static void test_xml__refuses_doctype_and_entities(void)
{
    check_refused(PL_STR("<!DOCTYPE R><R/>"), "DOCTYPE");
    check_refused(PL_STR("<!DOCTYPE R [<!ENTITY a \"b\">]><R>&a;</R>"), "DOCTYPE");
    check_refused(PL_STR("<R>&a;</R>"), "undefined entity");
}

static void test_xml__refuses_what_is_cut_or_garbage(void)
{
    check_refused(PL_STR(""), "no element found");
    check_refused(PL_STR("<R><Key>a</Key>"), "line 1");
    check_refused(PL_STR("<html><br></html>"), "mismatched tag");
    check_refused(PL_STR("{\"a\":1}"), "malformed XML");
}

static void test_xml__limits_depth_and_text(void)
{
    check_refused(PL_STR("<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>"), "too deep");
    check_refused(PL_STR("<a>123456789012345678901234567890123456789012345678901234567890123456"),
                  "too long");
}

static void test_xml__refuses_a_tag_without_end(void)
{
    struct pl_xml x = {0};
    struct pl_buf seen = PL_BUF_MAX(4096);
    struct pail_error *e = NULL;
    char blanks[4096];
    memset(blanks, ' ', sizeof blanks);
    CHECK_INT(pl_xml_init(&x, &events, &seen, 64, NULL), PAIL_OK);
    pail_code rc = pl_xml_feed(&x, "<R ", 3, &e);
    for (int i = 0; !rc && i < 1000; i++) {
        rc = pl_xml_feed(&x, blanks, sizeof blanks, &e);
    }
    CHECK_INT(rc, PAIL_E_PROTOCOL);
    CHECK(strstr(pail_error_message(e), "too long") != NULL);
    pail_error_free(e);
    pl_xml_dispose(&x);
    pl_buf_dispose(&seen);
}

static void test_xml__a_handler_stops_it_with_its_own_code(void)
{
    struct pl_buf seen = PL_BUF_MAX(4096);
    CHECK_INT(read_cut(PL_STR("<R><Stop><More/></Stop></R>"), 0, &seen, NULL), PAIL_E_CANCELLED);
    CHECK_STR(seen.ptr, "1<R>2<Stop>");
    pl_buf_dispose(&seen);
}

static void test_xml__escaped_text_comes_back(void)
{
    struct pl_buf b = PL_BUF_MAX(256), seen = PL_BUF_MAX(256);
    pl_buf_puts(&b, "<K>");
    CHECK(pl_xml_escape(&b, PL_STR("a<b>&\"'\r\n\t\xc3\xa9")));
    pl_buf_puts(&b, "</K>");
    CHECK_INT(read_cut(pl_buf_view(&b), 0, &seen, NULL), PAIL_OK);
    CHECK_STR(seen.ptr, "1<K>a<b>&\"'\r\n\t\xc3\xa9</K>1");
    CHECK(!pl_xml_escape(&b, PL_STR("\x01")));
    CHECK(!pl_xml_escape(&b, PL_STR("a\xef\xbf\xbe")));
    CHECK(!pl_xml_escape(&b, PL_STR("\xef\xbf\xbf"
                                    "a")));
    CHECK(pl_xml_escape(&b, PL_STR("\xef\xbf\xbd\x7f\xee\xbf\xbf")));
    CHECK(pl_xml_illegal(PL_STR("\xef\xbf")) == 0 && pl_xml_illegal(PL_STR("")) == 0);
    pl_buf_dispose(&b);
    pl_buf_dispose(&seen);
}

int main(void)
{
    RUN(test_xml__every_split_gives_the_same);
    RUN(test_xml__refuses_doctype_and_entities);
    RUN(test_xml__refuses_what_is_cut_or_garbage);
    RUN(test_xml__limits_depth_and_text);
    RUN(test_xml__refuses_a_tag_without_end);
    RUN(test_xml__a_handler_stops_it_with_its_own_code);
    RUN(test_xml__escaped_text_comes_back);
    return test_end();
}
