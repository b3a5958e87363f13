/* pail uploads: unfinished multipart uploads, which cost money until they are ended. */
#include "fail.h"
#include "json.h"
#include "mem.h"
#include "out.h"
#include "target.h"

#include <string.h>

static struct {
    bool all;
} opt;

/* One that was listed may have ended meanwhile, or be the rest of one that was finished unheard. */
static int abort_one(const struct target *target, const char *key, const char *id, bool listed)
{
    pail_error *err = NULL;
    int status = 0;
    pail_code code = pail_upload_abort(target->bucket, key, id, NULL, &err);
    if (code != PAIL_OK && !(listed && code == PAIL_E_UPLOAD_NOT_FOUND)) {
        char *url = target_url(target, key);
        status = fail_error(url, err);
        mem_free(url);
    }
    pail_error_free(err);
    return status;
}

static int show_one(const struct target *target, const pail_info *item)
{
    char *url = target_url(target, item->key);
    if (app.json) {
        json_info("upload", url, target->bucket_name, item);
    } else {
        char time[OUT_ROOM];
        out_printf("%20s  %s  ", out_time(time, item->mtime_ms, false), item->upload_id);
        out_name(item->key);
        out_text("\n");
    }
    mem_free(url);
    return 0;
}

static int for_each(const struct target *target,
                    int (*act)(const struct target *target, const pail_info *item))
{
    struct tally tally = {0};
    pail_iter *iter = NULL;
    pail_error *err = NULL;
    pail_list_opts opts = {.size = sizeof opts, .call = cli_call(), .prefix = target->key};
    pail_code code = pail_uploads(target->bucket, &opts, &iter, &err);
    const pail_info *item;
    while (code == PAIL_OK && out_ok()) {
        code = pail_iter_next(iter, &item, &err);
        if (code == PAIL_OK) {
            tally_add(&tally, act(target, item));
        }
    }
    int status = code < 0 ? fail_error(target->text, err) : tally_status(&tally);
    pail_iter_free(iter);
    pail_error_free(err);
    return status;
}

static int abort_item(const struct target *target, const pail_info *item)
{
    return abort_one(target, item->key, item->upload_id, true);
}

static int run(int argc, char **argv)
{
    bool ends = strcmp(argv[0], "abort") == 0;
    bool named = ends || strcmp(argv[0], "ls") == 0;
    argv += named;
    argc -= named;
    if (argc < 1 || argc > (ends && !opt.all ? 2 : 1) || (ends && !opt.all && argc != 2)) {
        return fail_usage("usage: pail uploads %s", cmd_uploads.usage);
    }
    struct target target;
    bool one = ends && !opt.all;
    int status = one ? target_need_object(argv[0], &target) : target_need_prefix(argv[0], &target);
    if (status == 0) {
        status = one ? abort_one(&target, target.key, argv[1], false)
                     : for_each(&target, ends ? abort_item : show_one);
    }
    target_dispose(&target);
    return status;
}

static const struct opt opts[] = {
    {"all", 0, OPT_FLAG, &opt.all, NULL, "abort: every upload below the URL", NULL},
};
const struct command cmd_uploads = {
    .name = "uploads",
    .usage = "ls URL | abort URL UPLOAD-ID | abort --all URL",
    .summary = "list or end unfinished uploads",
    .details = "Each line is TIME UPLOAD-ID KEY. Aborting frees the parts.",
    .opts = opts,
    .opt_count = CLI_COUNT(opts),
    .min_args = 1,
    .max_args = 3,
    .run = run,
};
