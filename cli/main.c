/* pail: the command line of libpail. */
#include "args.h"
#include "fail.h"
#include "mem.h"
#include "out.h"
#include "progress.h"
#include "target.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct app app = {.command = ""};

/* A store must never get descriptor 0, 1 or 2: what is printed would land in it. The stand-ins
 * fail when they are used, as a closed descriptor does. */
static void keep_standard_descriptors(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1) {
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

/* The first signal stops the transfers cleanly; the handler is gone for the second. */
static void interrupt(int number)
{
    (void)number;
    app.interrupted = 1;
    if (app.cancel != NULL) {
        pail_cancel_fire(app.cancel);
    }
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static int check_operands(const struct command *command, int count)
{
    if (!command->two_sides && app.src.count + app.dst.count > 0) {
        return fail_usage("--%s: %s has no source and no destination; use --set",
                          app.src.count > 0 ? "src" : "dst", command->name);
    }
    if (count < command->min_args) {
        return fail_usage("usage: pail %s %s", command->name, command->usage);
    }
    if (command->max_args >= 0 && count > command->max_args) {
        return fail_usage("too many arguments; usage: pail %s %s", command->name, command->usage);
    }
    return 0;
}

static int run(const struct command *command, int count, char **operands)
{
    if (app.help) {
        char *name = mem_text(command->name);
        int status = cmd_help.run(1, &name);
        mem_free(name);
        return status;
    }
    int status = check_operands(command, count);
    if (status != 0) {
        return status;
    }
    if (command != &cmd_version && command != &cmd_help) {
        app.cancel = pail_cancel_new();
        catch_signals();
    }
    return command->run(count, operands);
}

int main(int argc, char **argv)
{
    const struct command *command = NULL;
    int count = 0;
    keep_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    int status = args_parse(argc, argv, &command, &count);
    if (status == 0 && command == NULL) {
        status = app.help ? cmd_help.run(0, NULL) : fail_usage("a command is missing");
    } else if (status == 0) {
        status = run(command, count, argv);
    }
    progress_end();
    status = out_finish(app.interrupted ? 130 : status);
    fail_finish();
    target_close_clients();
    pail_cancel *cancel = app.cancel;
    app.cancel = NULL;
    pail_cancel_free(cancel);
    return status;
}
