/* pail ls: list buckets, or the keys and prefixes of a bucket. */
#include "fail.h"
#include "json.h"
#include "mem.h"
#include "out.h"
#include "tree.h"

#include <string.h>

static struct {
    bool length, recursive, zero, versions, human;
    const char *pattern;
} opt;

static void show_columns(const pail_info *info, bool sized)
{
    char size[OUT_ROOM] = "-", time[OUT_ROOM];
    if (sized && !info->is_delete_marker) {
        out_size(size, info->size, opt.human);
    }
    out_printf("%12s  %20s  ", size, out_time(time, info->mtime_ms, false));
}

static void end_line(const char *name)
{
    if (opt.zero) {
        out_bytes(name, strlen(name) + 1);
        return;
    }
    out_name(name);
    out_text("\n");
}

static void show_key(const struct target *target, const pail_info *info)
{
    if (app.json) {
        char *url = target_url(target, info->key);
        const char *type = info->is_prefix          ? "prefix"
                           : info->is_delete_marker ? "delete_marker"
                                                    : "object";
        json_info(type, url, target->bucket_name, info);
        mem_free(url);
        return;
    }
    if (opt.length) {
        pail_info shown = *info;
        shown.mtime_ms = info->is_prefix ? -1 : info->mtime_ms;
        show_columns(&shown, !info->is_prefix);
    }
    if (opt.versions && !info->is_prefix) {
        out_printf("%s%s  ", info->version != NULL ? info->version : "-",
                   info->is_delete_marker ? " (deleted)" : "");
    }
    end_line(info->key);
}

static int list_keys(struct target *target)
{
    struct tree tree;
    pail_list_opts opts = {
        .delimiter = opt.recursive ? NULL : "/", .pattern = opt.pattern, .versions = opt.versions};
    tree_open(&tree, target, &opts);
    const pail_info *item;
    pail_error *err = NULL;
    pail_code code;
    uint64_t shown = 0;
    int status = 0;
    while ((code = tree_next(&tree, &item, &err)) == PAIL_OK && out_ok()) {
        show_key(target, item);
        shown++;
    }
    if (code < 0) {
        status = fail_error(target->text, err);
    } else if (shown == 0 && opt.pattern != NULL) {
        status = fail_with(PAIL_E_NOT_FOUND, target->text, "no key matches the pattern", NULL);
    } else if (shown == 0 && *target->key != '\0') {
        status = fail_with(PAIL_E_NOT_FOUND, target->text, "no such key or prefix",
                           "a prefix ends at a '/'; part of a name is a --pattern");
    }
    pail_error_free(err);
    tree_close(&tree);
    return status;
}

static void show_bucket(const pail_info *info)
{
    if (app.json) {
        json_begin("bucket");
        json_text("name", info->key);
        json_time("created", info->mtime_ms);
        json_end();
        return;
    }
    if (opt.length) {
        show_columns(info, false);
    }
    end_line(info->key);
}

static int list_buckets(struct target *target)
{
    int status = target_client(target);
    if (status != 0) {
        return status;
    }
    pail_iter *iter = NULL;
    pail_error *err = NULL;
    pail_list_opts opts = {.size = sizeof opts, .call = cli_call(), .pattern = opt.pattern};
    pail_code code = pail_bucket_list(target->client, &opts, &iter, &err);
    const pail_info *item;
    uint64_t shown = 0;
    while (code == PAIL_OK && out_ok()) {
        code = pail_iter_next(iter, &item, &err);
        if (code == PAIL_OK) {
            show_bucket(item);
            shown++;
        }
    }
    if (code < 0) {
        status = fail_error(target->text, err);
    } else if (shown == 0 && opt.pattern != NULL) {
        status = fail_with(PAIL_E_NOT_FOUND, target->text, "no bucket matches the pattern", NULL);
    }
    pail_iter_free(iter);
    pail_error_free(err);
    return status;
}

static int list(const char *text)
{
    struct target target;
    int status = target_parse(text, SIDE_NONE, &target);
    if (status == 0 && target.kind == TARGET_ACCOUNT) {
        status = list_buckets(&target);
    } else if (status == 0) {
        target_dispose(&target);
        status = target_need_prefix(text, &target);
        status = status != 0 ? status : list_keys(&target);
    }
    target_dispose(&target);
    return status;
}

static int run(int argc, char **argv)
{
    struct tally tally = {0};
    if (argc == 0) {
        return list("local:");
    }
    for (int i = 0; i < argc && out_ok() && !app.interrupted; i++) {
        tally_add(&tally, list(argv[i]));
    }
    return tally_status(&tally);
}

static const struct opt opts[] = {
    {"long", 'l', OPT_FLAG, &opt.length, NULL, "size in bytes and time first", NULL},
    {"recursive", 'r', OPT_FLAG, &opt.recursive, NULL, "every key, whole, in byte order", NULL},
    {"null", '0', OPT_FLAG, &opt.zero, NULL, "raw names, each with a NUL behind it", NULL},
    {"human-readable", 'h', OPT_FLAG, &opt.human, NULL, "sizes as 1.5 MiB", NULL},
    {"pattern", 0, OPT_TEXT, &opt.pattern, "PATTERN", "only names that match: * ? [a-z]", NULL},
    {"versions", 0, OPT_FLAG, &opt.versions, NULL, "all versions, newest first", NULL},
};
const struct command cmd_ls = {
    .name = "ls",
    .usage = "[-lrh0] [URL...]",
    .summary = "list buckets, or keys and prefixes",
    .details = "Without a URL: the buckets of local:. Keys are shown whole, prefixes end in '/',\n"
               "control bytes are written \\xNN. BUCKET/NAME is the key NAME and all that begins\n"
               "with NAME/. With -l each line is SIZE TIME NAME.",
    .opts = opts,
    .opt_count = CLI_COUNT(opts),
    .max_args = -1,
    .run = run,
};
