/* Measures things side by side: in turn, several rounds, medians with their spread, and ratios to
 * the first. CPU is that of this process and of the children it has waited for. */
#ifndef PAIL_BENCH_H
#define PAIL_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { BENCH_ROUNDS_MAX = 64, BENCH_ROWS_MAX = 8 };

struct bench_row {
    const char *name;
    void (*run)(void *ctx);
    void *ctx;
    double cpu[BENCH_ROUNDS_MAX], wall[BENCH_ROUNDS_MAX];
};

static double bench_seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double bench_cpu(void)
{
    struct rusage self, children;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    return bench_seconds(self.ru_utime) + bench_seconds(self.ru_stime) +
           bench_seconds(children.ru_utime) + bench_seconds(children.ru_stime);
}

static double bench_wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* scale and unit: what a round's seconds are multiplied by for printing, e.g. 1e6 / 5000, "us". */
static void bench_compare_rows(const char *title, struct bench_row *rows, int count, int rounds,
                               double scale, const char *unit)
{
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < count; i++) {
            double cpu = bench_cpu(), wall = bench_wall();
            rows[i].run(rows[i].ctx);
            rows[i].cpu[r] = bench_cpu() - cpu;
            rows[i].wall[r] = bench_wall() - wall;
        }
    }
    printf("%s (%d rounds in turn; CPU median, least to most; wall median)\n", title, rounds);
    for (int i = 0; i < count; i++) {
        double *cpu = rows[i].cpu, *wall = rows[i].wall;
        qsort(cpu, (size_t)rounds, sizeof *cpu, bench_compare);
        qsort(wall, (size_t)rounds, sizeof *wall, bench_compare);
        double first = rows[0].cpu[rounds / 2], median = cpu[rounds / 2];
        printf("  %-28s %9.2f %s  [%.2f - %.2f]  wall %.2f %s", rows[i].name, median * scale, unit,
               cpu[0] * scale, cpu[rounds - 1] * scale, wall[rounds / 2] * scale, unit);
        if (i > 0) {
            printf("   %s is %.2fx of this", rows[0].name, first / median);
        }
        printf("\n");
    }
    fflush(stdout);
}

#endif
