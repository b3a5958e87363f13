#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"
#include "codec/base64.h"
#include "runner.h"

enum { FILE_MAX_BYTES = 256 << 20 };

static void print_text(const struct run *run, const char *label, struct pl_str text)
{
    printf("%s  %s: ", run->tap ? "# " : "", label);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '\n') {
            fputs("\\n", stdout);
        } else if (c < 0x20 || c == 0x7f) {
            printf("\\x%02x", c);
        } else {
            putchar(c);
        }
    }
    putchar('\n');
}

bool same(struct run *run, const char *field, struct pl_str got, struct pl_str expected)
{
    if (pl_str_eq(got, expected)) {
        return true;
    }
    run->case_failed = true;
    printf("%sFAIL %s %s: %s\n", run->tap ? "# " : "", run->path, run->what, field);
    print_text(run, "expected", expected);
    print_text(run, "got     ", got);
    return false;
}

bool same_c(struct run *run, const char *field, const char *got, const char *expected)
{
    return same(run, field, pl_str_c(got), pl_str_c(expected));
}

void broken(struct run *run, const char *format, ...)
{
    va_list args;
    run->case_failed = true;
    printf("%sFAIL %s %s: ", run->tap ? "# " : "", run->path, run->what);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

void skip_case(struct run *run, const char *reason)
{
    run->case_skipped = true;
    run->reason = reason;
}

void end_case(struct run *run)
{
    run->file.failed += run->case_failed;
    run->file.skipped += run->case_skipped && !run->case_failed;
    run->file.passed += !run->case_skipped && !run->case_failed;
    run->case_failed = run->case_skipped = false;
}

struct pl_str member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) ? pl_str_n(json_string_value(value), json_string_length(value))
                                 : PL_STR("");
}

const char *member_c(const json_t *object, const char *name)
{
    return member(object, name).ptr;
}

struct pl_buf decoded(struct run *run, struct pl_str base64)
{
    struct pl_buf out = PL_BUF_MAX(FILE_MAX_BYTES);
    if (!pl_base64_decode(&out, base64) || pl_buf_rc(&out)) {
        broken(run, "no base64: %.*s", (int)base64.len, base64.ptr);
    }
    pl_buf_puts(&out, ""); /* a pointer even where there is nothing */
    return out;
}

char *read_text(const char *path, size_t *len)
{
    return pl_sys_read_file(path, FILE_MAX_BYTES, len);
}
