/* pail config explain: every setting that counts for a URL, and where it came from. */
#include "explain.h"
#include "fail.h"
#include "json.h"
#include "mem.h"
#include "out.h"
#include "target.h"

#include <string.h>

static void show_line(char *line)
{
    struct explained setting;
    if (app.json && explain_cut(line, &setting)) {
        json_begin("setting");
        json_text("name", setting.name);
        json_text("value", setting.value);
        json_text("origin", setting.origin);
        json_end();
    } else if (!app.json) {
        out_name(line);
        out_text("\n");
    }
}

static void show(char *explained)
{
    char *rest = NULL;
    for (char *line = strtok_r(explained, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        show_line(line);
    }
}

static int run(int argc, char **argv)
{
    if (strcmp(argv[0], "explain") != 0) {
        return fail_usage("usage: pail config %s", cmd_config.usage);
    }
    struct target target;
    int status = target_parse(argc > 1 ? argv[1] : "local:", SIDE_NONE, &target);
    if (status == 0 && target.account == NULL) {
        status = fail_with(PAIL_E_BAD_ARGUMENT, target.text, "this is a local path, not a store",
                           "use local: or s3://");
    }
    status = status != 0 ? status : target_client(&target);
    if (status == 0) {
        char *explained = NULL;
        pail_error *err = NULL;
        if (pail_client_explain(target.client, &explained, &err) == PAIL_OK) {
            show(explained);
        } else {
            status = fail_error(target.text, err);
        }
        pail_free(explained);
        pail_error_free(err);
    }
    target_dispose(&target);
    return status;
}

const struct command cmd_config = {
    .name = "config",
    .usage = "explain [URL]",
    .summary = "show each setting and where it came from",
    .details = "Prints \"name = value  (origin)\" lines; secrets are shown as ***.",
    .min_args = 1,
    .max_args = 2,
    .run = run,
};
