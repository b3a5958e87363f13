/* pail help [COMMAND] */
#include "args.h"
#include "fail.h"
#include "out.h"

#include <stdio.h>
#include <string.h>

static void show_option(const struct opt *opt)
{
    char left[64];
    char letter[] = {opt->letter != 0 ? '-' : ' ', opt->letter != 0 ? opt->letter : ' ',
                     opt->letter != 0 ? ',' : ' ', '\0'};
    if (opt->arg != NULL) {
        snprintf(left, sizeof left, "%s --%s %s", letter, opt->name, opt->arg);
    } else {
        snprintf(left, sizeof left, "%s --%s", letter, opt->name);
    }
    out_printf("  %-28s %s\n", left, opt->help);
}

static void show_options(const char *title, const struct opt *opts, size_t count)
{
    out_printf("\n%s:\n", title);
    for (size_t i = 0; i < count; i++) {
        show_option(&opts[i]);
    }
}

static void show_command(const struct command *command)
{
    out_printf("pail %s %s\n\n%s\n", command->name, command->usage, command->summary);
    if (command->details != NULL) {
        out_printf("\n%s\n", command->details);
    }
    if (command->opt_count > 0) {
        show_options("Flags", command->opts, command->opt_count);
    }
    out_text("\nFlags of every command: pail help\n");
}

static void show_all(void)
{
    out_text("pail COMMAND [FLAGS] ARGUMENTS\n\n"
             "Object storage: an embedded store, S3 and what speaks its language, Google Cloud "
             "Storage,\n"
             "Azure Blob Storage, OpenStack Swift.\n\nCommands:\n");
    for (size_t i = 0; i < args_command_count; i++) {
        out_printf("  %-8s %s\n", args_commands[i]->name, args_commands[i]->summary);
    }
    show_options("Flags of every command, before or behind its name", args_globals,
                 args_global_count);
    out_text(
        "\nAddresses:\n"
        "  local:BUCKET/KEY     the embedded store: no server, no account\n"
        "  s3://BUCKET/KEY      S3; another server by --endpoint-url\n"
        "  gs://BUCKET/KEY      Google Cloud Storage\n"
        "  az://CONTAINER/KEY   Azure Blob Storage\n"
        "  swift://CONTAINER/KEY  OpenStack Swift\n"
        "  memory:BUCKET/KEY    gone when the program ends\n"
        "  file:///DIR/FILE     the same as the plain path /DIR/FILE\n"
        "  URL?NAME=VALUE&...   settings, where no /KEY follows the bucket\n"
        "  -                    standard input or output\n"
        "  anything else        a local path; write ./a:b for a file with a colon\n"
        "\nExit status: 0 done; 1 some failed, or a local error; 2 usage; 4 not found; 5 access\n"
        "or credentials; 6 exists, not empty or a condition not met; 7 temporary, try again;\n"
        "9 damaged bytes; 10 configuration; 11 unsupported; 12 network; 130 interrupted;\n"
        "141 broken pipe.\n");
}

static int run(int argc, char **argv)
{
    if (argc == 0) {
        show_all();
        return 0;
    }
    const struct command *command = args_find(argv[0]);
    if (command == NULL) {
        const char *nearest = args_nearest_command(argv[0]);
        return nearest != NULL ? fail_usage("no command \"%s\"; did you mean %s?", argv[0], nearest)
                               : fail_usage("no command \"%s\"", argv[0]);
    }
    show_command(command);
    return 0;
}

const struct command cmd_help = {
    .name = "help",
    .usage = "[COMMAND]",
    .summary = "show the help, or that of one command",
    .max_args = 1,
    .run = run,
};
