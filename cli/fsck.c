/* pail fsck: read every byte of a local store and compare it with the index. */
#include "fail.h"
#include "json.h"
#include "mem.h"
#include "out.h"
#include "target.h"

static struct {
    bool repair;
} opt;

static void show_finding(const char *bucket, const char *key, const char *finding, void *ctx)
{
    (void)ctx;
    if (app.json) {
        json_begin("finding");
        json_text("bucket", bucket);
        json_text("key", key);
        json_text("finding", finding);
        json_end();
        return;
    }
    if (bucket != NULL) {
        char *name = mem_printf("%s%s%s: ", bucket, key != NULL ? "/" : "", key != NULL ? key : "");
        out_name(name);
        mem_free(name);
    }
    out_name(finding);
    out_text("\n");
}

static void show_report(const pail_fsck_report *report)
{
    if (app.json) {
        json_begin("summary");
        json_text("command", "fsck");
        json_bool("ok", report->damaged == 0);
        json_uint("objects", report->objects);
        json_uint("bytes", report->bytes);
        json_uint("damaged", report->damaged);
        json_uint("orphans", report->orphans);
        json_end();
        return;
    }
    out_printf("%llu objects, %llu bytes checked; %llu damaged; %llu orphan files%s\n",
               (unsigned long long)report->objects, (unsigned long long)report->bytes,
               (unsigned long long)report->damaged, (unsigned long long)report->orphans,
               opt.repair && report->orphans > 0 ? " removed" : "");
}

static int run(int argc, char **argv)
{
    struct target target;
    int status = target_need_account(argc > 0 ? argv[0] : "local:", &target);
    if (status == 0) {
        pail_fsck_report report = {0};
        pail_error *err = NULL;
        pail_code code = pail_fsck(target.client, opt.repair, show_finding, NULL, &report, &err);
        if (code == PAIL_OK || code == PAIL_E_CHECKSUM) {
            show_report(&report);
        }
        status = code == PAIL_OK ? 0 : fail_error(target.text, err);
        pail_error_free(err);
    }
    target_dispose(&target);
    return status;
}

static const struct opt opts[] = {
    {"repair", 0, OPT_FLAG, &opt.repair, NULL, "remove files that no object owns", NULL},
};
const struct command cmd_fsck = {
    .name = "fsck",
    .usage = "[--repair] [local:]",
    .summary = "check the embedded store",
    .details = "Prints each finding, then the counts. The exit status is 9 for damage.",
    .opts = opts,
    .opt_count = CLI_COUNT(opts),
    .max_args = 1,
    .run = run,
};
