/* pail mb: make buckets. */
#include "fail.h"
#include "json.h"
#include "target.h"

static struct {
    const char *location;
    bool exist_ok;
} opt;

static int make(const char *text)
{
    struct target target;
    int status = target_need_bucket(text, &target);
    if (status == 0) {
        pail_error *err = NULL;
        pail_bucket_opts opts = {.size = sizeof opts,
                                 .call = cli_call(),
                                 .location = opt.location,
                                 .exist_ok = opt.exist_ok};
        if (pail_bucket_create(target.client, target.bucket_name, &opts, &err) != PAIL_OK) {
            status = fail_error(target.text, err);
        } else if (app.json) {
            json_begin("bucket");
            json_text("name", target.bucket_name);
            json_end();
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
        tally_add(&tally, make(argv[i]));
    }
    return tally_status(&tally);
}

static const struct opt opts[] = {
    {"exist-ok", 0, OPT_FLAG, &opt.exist_ok, NULL, "an own bucket of that name is fine", NULL},
    {"location", 0, OPT_TEXT, &opt.location, "NAME", "the region to make it in", NULL},
};
const struct command cmd_mb = {
    .name = "mb",
    .usage = "URL...",
    .summary = "make buckets",
    .opts = opts,
    .opt_count = CLI_COUNT(opts),
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
