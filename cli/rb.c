/* pail rb: remove buckets. */
#include "fail.h"
#include "target.h"

static struct {
    bool force;
} opt;

static int remove_bucket(const char *text)
{
    struct target target;
    int status = target_need_bucket(text, &target);
    if (status == 0) {
        pail_error *err = NULL;
        pail_bucket_opts opts = {
            .size = sizeof opts, .call = cli_call(), .delete_contents = opt.force};
        if (pail_bucket_delete(target.client, target.bucket_name, &opts, &err) != PAIL_OK) {
            status = fail_error(target.text, err);
        }
        pail_error_free(err);
    }
    target_dispose(&target);
    return status;
}

static int run(int argc, char **argv)
{
    struct tally tally = {0};
    for (int i = 0; i < argc && !app.interrupted; i++) {
        tally_add(&tally, remove_bucket(argv[i]));
    }
    return tally_status(&tally);
}

static const struct opt opts[] = {
    {"force", 0, OPT_FLAG, &opt.force, NULL, "delete all that is in it first", NULL},
};
const struct command cmd_rb = {
    .name = "rb",
    .usage = "[--force] URL...",
    .summary = "remove buckets",
    .opts = opts,
    .opt_count = CLI_COUNT(opts),
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
