/* pail du: how many objects and bytes there are. */
#include "fail.h"
#include "json.h"
#include "out.h"
#include "tree.h"

static struct {
    bool human, versions;
} opt;

static int count(struct target *target, uint64_t *objects, uint64_t *bytes)
{
    struct tree tree;
    tree_open(&tree, target, &(pail_list_opts){.versions = opt.versions});
    const pail_info *item;
    pail_error *err = NULL;
    pail_code code;
    while ((code = tree_next(&tree, &item, &err)) == PAIL_OK) {
        *objects += 1;
        *bytes += item->is_delete_marker ? 0 : item->size;
    }
    int status = code < 0 ? fail_error(target->text, err) : 0;
    pail_error_free(err);
    tree_close(&tree);
    return status;
}

static int usage(const char *text)
{
    struct target target;
    uint64_t objects = 0, bytes = 0;
    int status = target_need_prefix(text, &target);
    status = status != 0 ? status : count(&target, &objects, &bytes);
    if (status == 0 && app.json) {
        json_begin("usage");
        json_text("url", target.text);
        json_uint("objects", objects);
        json_uint("bytes", bytes);
        json_end();
    } else if (status == 0) {
        char size[OUT_ROOM];
        out_printf("%llu objects  %s%s  ", (unsigned long long)objects,
                   out_size(size, bytes, opt.human), opt.human ? "" : " bytes");
        out_name(target.text);
        out_text("\n");
    }
    target_dispose(&target);
    return status;
}

static int run(int argc, char **argv)
{
    struct tally tally = {0};
    for (int i = 0; i < argc && out_ok() && !app.interrupted; i++) {
        tally_add(&tally, usage(argv[i]));
    }
    return tally_status(&tally);
}

static const struct opt opts[] = {
    {"human-readable", 'h', OPT_FLAG, &opt.human, NULL, "sizes as 1.5 MiB", NULL},
    {"versions", 0, OPT_FLAG, &opt.versions, NULL, "count every version", NULL},
};
const struct command cmd_du = {
    .name = "du",
    .usage = "[-h] URL...",
    .summary = "count objects and bytes",
    .details = "Prints \"N objects  M bytes  URL\".",
    .opts = opts,
    .opt_count = CLI_COUNT(opts),
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
