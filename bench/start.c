/* What starting the command costs: `pail version` next to an empty program with the same
 * libraries. bench/start PAIL EMPTY. */
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { RUNS = 100, ROUNDS = 15, GOAL_KIB = 10 * 1024 };
static const double GOAL_RATIO = 1.2;

extern char **environ;
static long resident_kib; /* of the last run of pail */

static void run_once(char *const *argv)
{
    posix_spawn_file_actions_t quiet;
    pid_t pid;
    int status = -1;
    struct rusage used;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawn(&pid, argv[0], &quiet, NULL, argv, environ) != 0 ||
        wait4(pid, &status, 0, &used) != pid || status != 0) {
        fprintf(stderr, "%s does not run\n", argv[0]);
        exit(1);
    }
    posix_spawn_file_actions_destroy(&quiet);
    resident_kib = used.ru_maxrss;
}

static void run(void *ctx)
{
    for (int i = 0; i < RUNS; i++) {
        run_once(ctx);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: start PAIL EMPTY\n");
        return 2;
    }
    char *pail[] = {argv[1], (char[]){"version"}, NULL}, *empty[] = {argv[2], NULL};
    struct bench_row rows[] = {{.name = "empty program", .run = run, .ctx = empty},
                               {.name = "pail version", .run = run, .ctx = pail}};
    bench_compare_rows("start", rows, 2, ROUNDS, 1e3 / RUNS, "ms");
    double ratio = rows[1].wall[ROUNDS / 2] / rows[0].wall[ROUNDS / 2];
    run_once(pail);
    printf("  pail version takes %.2fx the time (goal <= %.1fx), %.1f MiB resident (goal <= 10)\n",
           ratio, GOAL_RATIO, (double)resident_kib / 1024);
    return ratio > GOAL_RATIO || resident_kib > GOAL_KIB;
}
