/* pail rm: delete objects. */
#include "fail.h"
#include "json.h"
#include "mem.h"
#include "out.h"
#include "progress.h"
#include "tree.h"

#include <stdio.h>

#define BATCH 1000

static struct {
    bool recursive, versions, dry_run, force;
    const char *version, *if_match;
} opt;

struct sweep {
    struct target *target;
    struct tally tally;
    char *keys[BATCH];
    size_t count;
};

static void report(const struct target *target, const char *key, const char *version)
{
    char *url = target_url(target, key);
    if (app.json) {
        json_begin("transfer");
        json_text("op", "delete");
        json_text("src", url);
        json_text("version", version);
        json_bool("dry_run", opt.dry_run);
        json_end();
    } else if (opt.dry_run) {
        out_text("rm ");
        out_name(url);
        out_text("\n");
    } else if (app.verbose > 0) {
        fail_note(NULL, url);
    }
    mem_free(url);
}

static int delete_one(const struct target *target, const char *key, const char *version)
{
    if (opt.dry_run) {
        report(target, key, version);
        return 0;
    }
    pail_error *err = NULL;
    pail_delete_opts opts = {.size = sizeof opts,
                             .call = cli_call(),
                             .version = version,
                             .if_match = opt.if_match,
                             .missing_is_error = !opt.force};
    int status = 0;
    if (pail_delete(target->bucket, key, &opts, &err) == PAIL_OK) {
        report(target, key, version);
    } else {
        char *url = target_url(target, key);
        status = fail_error(url, err);
        mem_free(url);
    }
    pail_error_free(err);
    return status;
}

static void deleted(const char *key, const pail_error *err, void *ctx)
{
    struct sweep *sweep = ctx;
    if (err == NULL) {
        report(sweep->target, key, NULL);
        tally_add(&sweep->tally, 0);
        progress_object_done();
        return;
    }
    char *url = target_url(sweep->target, key);
    tally_add(&sweep->tally, fail_error(url, err));
    mem_free(url);
}

/* Deletes the keys collected so far. Returns 0, or the status of a failure before any of them. */
static int flush(struct sweep *sweep)
{
    if (sweep->count == 0) {
        return 0;
    }
    uint64_t before = sweep->tally.done + sweep->tally.failed;
    pail_error *err = NULL;
    int status = 0;
    pail_delete_opts opts = {.size = sizeof opts, .call = cli_call()};
    pail_code code = pail_delete_many(sweep->target->bucket, (const char *const *)sweep->keys,
                                      sweep->count, deleted, sweep, &opts, &err);
    if (code != PAIL_OK && sweep->tally.done + sweep->tally.failed == before) {
        status = fail_error(sweep->target->text, err);
        tally_add(&sweep->tally, status);
    }
    pail_error_free(err);
    for (size_t i = 0; i < sweep->count; i++) {
        mem_free(sweep->keys[i]);
    }
    sweep->count = 0;
    return status;
}

static int take(struct sweep *sweep, const pail_info *item)
{
    if (opt.dry_run || opt.versions) {
        tally_add(&sweep->tally,
                  delete_one(sweep->target, item->key, opt.versions ? item->version : NULL));
        return 0;
    }
    sweep->keys[sweep->count++] = mem_text(item->key);
    progress_expect(0, 1);
    return sweep->count == BATCH ? flush(sweep) : 0;
}

static int delete_tree(struct target *target)
{
    struct sweep *sweep = mem_new(sizeof *sweep);
    sweep->target = target;
    struct tree tree;
    tree_open(&tree, target, &(pail_list_opts){.versions = opt.versions});
    const pail_info *item;
    pail_error *err = NULL;
    pail_code code = PAIL_OK;
    int status = 0;
    while (status == 0 && !app.interrupted && (code = tree_next(&tree, &item, &err)) == PAIL_OK) {
        status = take(sweep, item);
    }
    if (status == 0) {
        (void)flush(sweep);
    }
    if (code < 0) {
        tally_add(&sweep->tally, fail_error(target->text, err));
    } else if (sweep->tally.done + sweep->tally.failed == 0 && *target->key != '\0' && !opt.force) {
        tally_add(&sweep->tally,
                  fail_with(PAIL_E_NOT_FOUND, target->text, "no such key or prefix", NULL));
    }
    status = tally_status(&sweep->tally);
    pail_error_free(err);
    tree_close(&tree);
    mem_free(sweep);
    return status;
}

static int check_flags(void)
{
    if (opt.recursive && (opt.version != NULL || opt.if_match != NULL)) {
        return fail_usage("--version-id and --if-match name one object; leave out -r");
    }
    if (opt.versions && !opt.recursive) {
        return fail_usage("--versions deletes every version below a URL; it needs -r");
    }
    return 0;
}

static int run(int argc, char **argv)
{
    struct tally tally = {0};
    int status = check_flags();
    if (status != 0) {
        return status;
    }
    progress_begin("rm");
    for (int i = 0; i < argc && out_ok() && !app.interrupted; i++) {
        struct target target;
        status = opt.recursive ? target_need_prefix(argv[i], &target)
                               : target_need_object(argv[i], &target);
        if (status == 0) {
            status =
                opt.recursive ? delete_tree(&target) : delete_one(&target, target.key, opt.version);
        }
        tally_add(&tally, status);
        target_dispose(&target);
    }
    return tally_status(&tally);
}

static const struct opt opts[] = {
    {"recursive", 'r', OPT_FLAG, &opt.recursive, NULL, "the key and all below it", NULL},
    {"force", 'f', OPT_FLAG, &opt.force, NULL, "an object that is not there is fine", NULL},
    {"dry-run", 0, OPT_FLAG, &opt.dry_run, NULL, "only say what would be deleted", NULL},
    {"versions", 0, OPT_FLAG, &opt.versions, NULL, "with -r: every version", NULL},
    {"version-id", 0, OPT_TEXT, &opt.version, "ID", "that version", NULL},
    {"if-match", 0, OPT_TEXT, &opt.if_match, "ETAG", "only if it still has that ETag", NULL},
};
const struct command cmd_rm = {
    .name = "rm",
    .usage = "[-rf] [--dry-run] URL...",
    .summary = "delete objects",
    .details = "With -r, BUCKET/NAME is the key NAME and what begins with NAME/, never NAMEfoo.",
    .opts = opts,
    .opt_count = CLI_COUNT(opts),
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
