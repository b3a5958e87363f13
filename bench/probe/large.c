/* One large object into memory and out of it by the C library, for ../python/large.py:
 *     large ENDPOINT get|put BYTES
 * prints the seconds of CPU and of time that the call took. */
#include <pail.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: large ENDPOINT get|put BYTES\n");
        return 2;
    }
    size_t size = strtoull(argv[3], NULL, 10), got = 0;
    const pail_kv settings[] = {{"aws_endpoint_url", argv[1]},
                                {"aws_access_key_id", "key"},
                                {"aws_secret_access_key", "secret"},
                                {"aws_region", "us-east-1"}};
    pail_client_opts opts = {.size = sizeof opts,
                             .settings = settings,
                             .settings_count = sizeof settings / sizeof *settings,
                             .ignore_environment = true};
    char key[64];
    void *data = NULL;
    pail_bucket *b = NULL;
    pail_error *err = NULL;
    snprintf(key, sizeof key, "x-%zu", size);
    pail_code rc = pail_open_bucket("s3://bench", &opts, &b, &err);
    bool put = strcmp(argv[2], "put") == 0;
    if (rc == PAIL_OK && put && (data = malloc(size))) {
        memset(data, 'x', size);
    }
    double cpu = cpu_seconds(), wall = seconds();
    if (rc == PAIL_OK && put) {
        rc = pail_put(b, key, PAIL_BUF(data, size), NULL, NULL, &err);
    } else if (rc == PAIL_OK) {
        rc = pail_get_alloc(b, key, NULL, &data, &got, &err);
    }
    cpu = cpu_seconds() - cpu;
    wall = seconds() - wall;
    if (rc || (!put && got != size)) {
        fprintf(stderr, "pail: %s\n", err ? pail_error_message(err) : "short");
        return 1;
    }
    printf("%.6f %.6f\n", cpu, wall);
    pail_bucket_close(b);
    return 0;
}
