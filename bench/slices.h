/* Rates instead of costs (bench.h): competitors take turns, slice by slice, so that a noisy machine
 * is noisy for all of them; what counts is the median of the ratios within each round. */
#ifndef PAIL_BENCH_SLICES_H
#define PAIL_BENCH_SLICES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BENCH_ROUNDS_MAX = 64, BENCH_CASES_MAX = 8 };

struct bench_case {
    const char *name;
    double (*slice)(void *ctx); /* runs a while and returns units per second, or seconds */
    void *ctx;
};

struct bench_result {
    double median, low, high;            /* of all rounds; low and high: quartiles */
    double ratio, ratio_low, ratio_high; /* to the first case */
};

static inline double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline size_t bench_env(const char *name, size_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? (size_t)strtoull(text, NULL, 10) : otherwise;
}

static inline int bench_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values: low quartile, median, high quartile. */
static inline void bench_quartiles(double *v, size_t n, double *low, double *mid, double *high)
{
    qsort(v, n, sizeof *v, bench_order);
    *low = v[n / 4];
    *mid = n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
    *high = v[n - 1 - n / 4];
}

/* The first case is what the others are compared with. */
static inline void bench_run(const struct bench_case *cases, size_t count, size_t rounds,
                             struct bench_result *out)
{
    static double values[BENCH_CASES_MAX][BENCH_ROUNDS_MAX], ratios[BENCH_ROUNDS_MAX];
    rounds = rounds > BENCH_ROUNDS_MAX ? BENCH_ROUNDS_MAX : rounds;
    for (size_t r = 0; r < rounds; r++) {
        for (size_t c = 0; c < count; c++) {
            size_t turn = (c + r) % count; /* nobody is always first */
            values[turn][r] = cases[turn].slice(cases[turn].ctx);
        }
    }
    for (size_t c = count; c-- > 0;) { /* the first last: its values are sorted then */
        for (size_t r = 0; r < rounds; r++) {
            ratios[r] = values[c][r] / values[0][r];
        }
        bench_quartiles(ratios, rounds, &out[c].ratio_low, &out[c].ratio, &out[c].ratio_high);
        bench_quartiles(values[c], rounds, &out[c].low, &out[c].median, &out[c].high);
    }
}

static inline void bench_print(const char *title, const char *unit, const struct bench_case *cases,
                               size_t count, const struct bench_result *r)
{
    printf("\n%s (%s; median, quartiles; ratio to the first)\n", title, unit);
    for (size_t c = 0; c < count; c++) {
        printf("  %-46s %12.4g  [%10.4g %10.4g]   %6.2fx [%.2f %.2f]\n", cases[c].name, r[c].median,
               r[c].low, r[c].high, r[c].ratio, r[c].ratio_low, r[c].ratio_high);
    }
}

/* One line for each thing that must be reached. */
static inline int bench_goal(const char *what, double got, const char *relation, double goal)
{
    int ok = relation[0] == '>' ? got >= goal : got <= goal;
    printf("  %s %s: %.2f (wanted %s %.2f)\n", ok ? "reached" : "MISSED ", what, got, relation,
           goal);
    return ok ? 0 : 1;
}

#endif
