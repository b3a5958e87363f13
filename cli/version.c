/* pail version: opens nothing, so that it is quick. */
#include "cli.h"
#include "json.h"
#include "out.h"

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (app.json) {
        json_begin("version");
        json_text("version", pail_version());
        json_end();
    } else {
        out_printf("pail %s\n", pail_version());
    }
    return 0;
}

const struct command cmd_version = {
    .name = "version",
    .usage = "",
    .summary = "print the version",
    .run = run,
};
