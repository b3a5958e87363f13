/* pail cat: objects, or a range of them, to standard output. */
#include "args.h"
#include "fail.h"
#include "mem.h"
#include "out.h"
#include "target.h"

#include <string.h>

static struct {
    const char *range, *version;
    uint64_t offset, count, tail;
} opt;

static int64_t push(void *buf, size_t n, void *ctx)
{
    (void)ctx;
    return out_write_through(buf, n) && !app.interrupted ? 0 : -1;
}

static bool whole_number(const char *text, size_t length, uint64_t *out)
{
    char *copy = mem_text(text);
    copy[length] = '\0';
    bool ok = length > 0 && strspn(copy, "0123456789") == length && args_size(copy, out);
    mem_free(copy);
    return ok;
}

/* "A-B" with both ends, "A-" or "-N", as in HTTP (RFC 9110 section 14.1.2). */
static bool parse_range(const char *text, pail_range *out)
{
    const char *dash = strchr(text, '-');
    if (dash == NULL) {
        return false;
    }
    if (dash == text) {
        return whole_number(dash + 1, strlen(dash + 1), &out->suffix) && out->suffix > 0;
    }
    uint64_t last;
    if (!whole_number(text, (size_t)(dash - text), &out->offset)) {
        return false;
    }
    if (dash[1] == '\0') {
        return true;
    }
    if (!whole_number(dash + 1, strlen(dash + 1), &last) || last < out->offset ||
        last == UINT64_MAX) {
        return false;
    }
    out->length = last - out->offset + 1;
    return true;
}

static int choose_range(pail_range *out)
{
    int ways = (opt.range != NULL) + (opt.tail > 0) + (opt.offset > 0 || opt.count > 0);
    *out = (pail_range){.offset = opt.offset, .length = opt.count, .suffix = opt.tail};
    if (ways > 1) {
        return fail_usage("--range, --tail and --offset with --count exclude each other");
    }
    if (opt.range != NULL && !parse_range(opt.range, out)) {
        return fail_usage("--range: \"%s\" is not a range such as 0-99, 100- or -50", opt.range);
    }
    return 0;
}

static int show(const struct target *target, const pail_range *range)
{
    pail_error *err = NULL;
    pail_body body = {.kind = PAIL_BODY_FN, .fn = push};
    pail_get_opts opts = {
        .size = sizeof opts, .call = cli_call(), .range = *range, .version = opt.version};
    int status = 0;
    if (pail_get(target->bucket, target->key, &body, &opts, NULL, &err) != PAIL_OK && out_ok()) {
        status = fail_error(target->text, err);
    }
    pail_error_free(err);
    return status;
}

static int run(int argc, char **argv)
{
    struct tally tally = {0};
    pail_range range;
    int status = choose_range(&range);
    if (status != 0) {
        return status;
    }
    for (int i = 0; i < argc && out_ok() && !app.interrupted; i++) {
        struct target target;
        status = target_need_object(argv[i], &target);
        tally_add(&tally, status != 0 ? status : show(&target, &range));
        target_dispose(&target);
    }
    return tally_status(&tally);
}

static const struct opt opts[] = {
    {"range", 0, OPT_TEXT, &opt.range, "A-B", "bytes A to B, both of them; also A- and -N", NULL},
    {"offset", 0, OPT_SIZE, &opt.offset, "N", "begin at byte N", NULL},
    {"count", 0, OPT_SIZE, &opt.count, "N", "at most N bytes", NULL},
    {"tail", 0, OPT_SIZE, &opt.tail, "N", "the last N bytes", NULL},
    {"version-id", 0, OPT_TEXT, &opt.version, "ID", "that version", NULL},
};
const struct command cmd_cat = {
    .name = "cat",
    .usage = "URL...",
    .summary = "write objects to standard output",
    .opts = opts,
    .opt_count = CLI_COUNT(opts),
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
