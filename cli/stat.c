/* pail stat: what is known of objects and buckets; the way to find one by its name. */
#include "fail.h"
#include "json.h"
#include "mem.h"
#include "out.h"
#include "target.h"

static struct {
    const char *version;
} opt;

static void field(const char *name, const char *value)
{
    if (value != NULL && *value != '\0') {
        out_printf("%s: ", name);
        out_name(value);
        out_text("\n");
    }
}

static void fields(const char *kind, const pail_kv *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *name = mem_printf("%s.%s", kind, pairs[i].name);
        char *shown = out_escape(name);
        field(shown, pairs[i].value);
        mem_free(shown);
        mem_free(name);
    }
}

static void show(const char *url, const pail_info *info)
{
    char time[OUT_ROOM], size[OUT_ROOM];
    field("url", url);
    field("size", out_size(size, info->size, false));
    field("modified", out_time(time, info->mtime_ms, false));
    field("etag", info->etag);
    field("version", info->version);
    field("content-type", info->content_type);
    field("content-encoding", info->content_encoding);
    field("content-language", info->content_language);
    field("content-disposition", info->content_disposition);
    field("cache-control", info->cache_control);
    field("storage-class", info->storage_class);
    field("checksum", info->checksum);
    field("encryption", info->encryption);
    fields("meta", info->metadata, info->metadata_count);
    fields("tag", info->tags, info->tag_count);
}

static int stat_bucket(const struct target *target)
{
    bool found = false;
    pail_error *err = NULL;
    if (pail_bucket_exists(target->client, target->bucket_name, NULL, &found, &err) != PAIL_OK) {
        int status = fail_error(target->text, err);
        pail_error_free(err);
        return status;
    }
    if (!found) {
        return fail_with(PAIL_E_BUCKET_NOT_FOUND, target->text, "no such bucket", NULL);
    }
    if (app.json) {
        json_begin("bucket");
        json_text("name", target->bucket_name);
        json_end();
    } else {
        field("bucket", target->bucket_name);
    }
    return 0;
}

static int stat_object(const struct target *target)
{
    pail_info *info = NULL;
    pail_error *err = NULL;
    int status = 0;
    pail_stat_opts opts = {.size = sizeof opts, .call = cli_call(), .version = opt.version};
    if (pail_stat(target->bucket, target->key, &opts, &info, &err) != PAIL_OK) {
        status = fail_error(target->text, err);
    } else if (app.json) {
        json_info("object", target->text, target->bucket_name, info);
    } else {
        show(target->text, info);
    }
    pail_info_free(info);
    pail_error_free(err);
    return status;
}

static int run(int argc, char **argv)
{
    struct tally tally = {0};
    for (int i = 0; i < argc && !app.interrupted; i++) {
        struct target target;
        int status = target_need_prefix(argv[i], &target);
        if (i > 0 && !app.json && tally.done > 0) {
            out_text("\n");
        }
        if (status == 0) {
            status = *target.key == '\0' ? stat_bucket(&target) : stat_object(&target);
        }
        tally_add(&tally, status);
        target_dispose(&target);
    }
    return tally_status(&tally);
}

static const struct opt opts[] = {
    {"version-id", 0, OPT_TEXT, &opt.version, "ID", "that version", NULL},
};
const struct command cmd_stat = {
    .name = "stat",
    .usage = "URL...",
    .summary = "show what is known of objects or buckets",
    .details = "Prints \"name: value\" lines, among them size (bytes), modified (UTC) and etag.\n"
               "The exit status is 4 where there is no such object.",
    .opts = opts,
    .opt_count = CLI_COUNT(opts),
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
