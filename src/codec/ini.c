#include "codec/ini.h"

/* Rules: AWS SDKs and Tools Reference Guide, "Shared config and credentials files", and the shared
 * parser tests of the SDKs:
 * - a line that begins with '#' or ';' is a comment, one of blanks alone is nothing;
 * - '[' begins a section; a '#' or ';' anywhere behind the ']' begins a comment;
 * - a line that begins with a blank goes on with the property above, comment signs and all;
 * - every other line is "key = value", where a '#' or ';' behind a blank begins a comment;
 * - where the value is empty, the lines that go on with it must be "name = value" themselves. */

enum { VALUE_MAX = 64 << 10 };

struct parser {
    const char *file;
    pl_ini_fn fn;
    void *ctx;
    struct pl_str section; /* ptr NULL: none yet */
    bool in_property, has_subs;
    unsigned line, property_line;
    struct pl_buf key, value;
};

static pail_code bad(const struct parser *p, const char *what, struct pail_error **err)
{
    return pl_fail(err, PAIL_E_BAD_CONFIG, "%s line %u: %s", p->file, p->line, what);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Without what stands behind a comment sign. */
static struct pl_str cut_comment(struct pl_str line, bool needs_blank)
{
    for (size_t i = 0; i < line.len; i++) {
        bool sign = line.ptr[i] == '#' || line.ptr[i] == ';';
        if (sign && (!needs_blank || (i > 0 && is_blank(line.ptr[i - 1])))) {
            return pl_str_trim(pl_str_n(line.ptr, i));
        }
    }
    return pl_str_trim(line);
}

static pail_code end_property(struct parser *p, struct pail_error **err)
{
    if (!p->in_property) {
        return PAIL_OK;
    }
    p->in_property = false;
    pail_code rc = pl_buf_rc(&p->key) ? pl_buf_rc(&p->key) : pl_buf_rc(&p->value);
    if (rc) {
        return rc == PAIL_E_NO_MEMORY ? pl_fail(err, rc, "no memory to read %s", p->file)
                                      : bad(p, "the value is too long", err);
    }
    struct pl_ini_item item = {.section = p->section,
                               .key = pl_buf_view(&p->key),
                               .value = pl_buf_view(&p->value),
                               .line = p->property_line};
    return p->fn(p->ctx, &item, err);
}

static pail_code on_section(struct parser *p, struct pl_str line, struct pail_error **err)
{
    line = cut_comment(line, false);
    if (!pl_str_ends(line, PL_STR("]"))) {
        return bad(p, "a profile definition must end with ']'", err);
    }
    p->section = pl_str_trim(pl_str_n(line.ptr + 1, line.len - 2));
    struct pl_ini_item item = {
        .section = p->section, .key = PL_STR(""), .value = PL_STR(""), .line = p->line};
    return p->fn(p->ctx, &item, err);
}

static pail_code on_property(struct parser *p, struct pl_str line, struct pail_error **err)
{
    if (!p->section.ptr) {
        return bad(p, "expected a profile definition such as [default]", err);
    }
    line = cut_comment(line, true);
    struct pl_str value = line;
    struct pl_str key = pl_str_trim(pl_str_split(&value, '='));
    if (!value.ptr) {
        return bad(p, "expected an '=' sign defining a property", err);
    }
    if (!key.len) {
        return bad(p, "the property did not have a name", err);
    }
    pl_buf_clear(&p->key);
    pl_buf_clear(&p->value);
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        pl_buf_putc(&p->key, c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c);
    }
    value = pl_str_trim(value);
    pl_buf_str(&p->value, value);
    p->in_property = true;
    p->has_subs = value.len == 0;
    p->property_line = p->line;
    return PAIL_OK;
}

static pail_code on_continuation(struct parser *p, struct pl_str line, struct pail_error **err)
{
    if (!p->section.ptr) {
        return bad(p, "expected a profile definition such as [default]", err);
    }
    if (!p->in_property) {
        return bad(p, "expected a property definition above a line that begins with a blank", err);
    }
    line = pl_str_trim(line);
    if (p->has_subs) {
        struct pl_str value = cut_comment(line, true);
        struct pl_str name = pl_str_trim(pl_str_split(&value, '='));
        if (!value.ptr) {
            return bad(p, "expected an '=' sign defining a sub-property", err);
        }
        if (!name.len) {
            return bad(p, "the sub-property did not have a name", err);
        }
    }
    pl_buf_putc(&p->value, '\n');
    pl_buf_str(&p->value, line);
    return PAIL_OK;
}

static pail_code on_line(struct parser *p, struct pl_str line, struct pail_error **err)
{
    if (pl_str_trim(line).len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';') {
        return PAIL_OK;
    }
    if (is_blank(line.ptr[0])) {
        return on_continuation(p, line, err);
    }
    pail_code rc = end_property(p, err);
    if (rc) {
        return rc;
    }
    return line.ptr[0] == '[' ? on_section(p, line, err) : on_property(p, line, err);
}

pail_code pl_ini_parse(struct pl_str text, const char *file, pl_ini_fn fn, void *ctx,
                       struct pail_error **err)
{
    struct parser p = {.file = file,
                       .fn = fn,
                       .ctx = ctx,
                       .key = PL_BUF_MAX(VALUE_MAX),
                       .value = PL_BUF_MAX(VALUE_MAX)};
    pail_code rc = PAIL_OK;
    if (pl_str_starts(text, PL_STR("\xef\xbb\xbf"))) {
        text = pl_str_n(text.ptr + 3, text.len - 3); /* the mark that some editors put first */
    }
    while (!rc && text.ptr && text.len) {
        struct pl_str line = pl_str_split(&text, '\n');
        p.line++;
        rc = on_line(&p, line, err);
    }
    if (!rc) {
        rc = end_property(&p, err);
    }
    if (p.value.ptr) {
        pl_zero(p.value.ptr, p.value.cap);
    }
    pl_buf_dispose(&p.key);
    pl_buf_dispose(&p.value);
    return rc;
}

bool pl_ini_sub(struct pl_str *value, struct pl_str *name, struct pl_str *text)
{
    while (value->ptr && value->len) {
        struct pl_str line = cut_comment(pl_str_split(value, '\n'), true);
        if (line.len) {
            *text = line;
            *name = pl_str_trim(pl_str_split(text, '='));
            *text = text->ptr ? pl_str_trim(*text) : PL_STR("");
            return true;
        }
    }
    return false;
}
