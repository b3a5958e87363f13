/* One client, four clouds: what a GiB and a small request cost over each dialect on loopback, next
 * to S3 in the same run. Ends with 1 where one costs more than 1.2 times what S3 does. */
#include <openssl/evp.h>
#include <pail.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "bench.h"
#include "server.h"

enum { SMALL = 4096, SMALL_COUNT = 4000, IN_FLIGHT = 64, CLOUDS = 5, ROUNDS = 9 };
static const uint64_t LARGE = 1024 << 20, LARGE_PUT = 256 << 20, PART = 16 << 20;
static const double LIMIT = 1.2;
static uint16_t port;
static char *zeros; /* LARGE_PUT of them */
static char md5_small[33], md5_part[33], md5_large[33];

static void stop(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- The server: the least that each dialect takes for an answer; nothing is verified */

static bool reply(int fd, const char *status, const char *headers, const char *body)
{
    char text[2048];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                     headers, strlen(body), body);
    return send_all(fd, text, (size_t)n);
}

/* Swift's answer is the MD5 of what it got; that to a manifest is not looked at. */
static bool put_swift(int fd, uint64_t body)
{
    char headers[128] = "";
    const char *md5 = body == SMALL       ? md5_small
                      : body == PART      ? md5_part
                      : body == LARGE_PUT ? md5_large
                                          : NULL;
    if (md5) {
        snprintf(headers, sizeof headers, "Etag: %s\r\n", md5);
    }
    return reply(fd, "201 Created", headers, "");
}

static bool put_gcs(int fd, uint64_t body)
{
    char json[512];
    snprintf(json, sizeof json,
             "{\"kind\":\"storage#object\",\"bucket\":\"bench\",\"name\":\"k\","
             "\"generation\":\"1\",\"metageneration\":\"1\",\"etag\":\"CAE=\","
             "\"updated\":\"2026-01-01T00:00:00.000Z\",\"size\":\"%" PRIu64 "\"}",
             body);
    return reply(fd, "200 OK", "Content-Type: application/json\r\n", json);
}

/* A resumable session: the bytes come with a PUT to it. */
static bool post_gcs(int fd, const char *head, uint64_t body)
{
    char location[128];
    if (!memmem(head, strcspn(head, "\r"), "uploadType=resumable", 20)) {
        return put_gcs(fd, body);
    }
    snprintf(location, sizeof location,
             "Location: http://127.0.0.1:%u/upload/storage/v1/b/bench/o?upload_id=u\r\n", port);
    return reply(fd, "200 OK", location, "");
}

static bool get(int fd, const char *head, const char *more)
{
    return server_get(fd, head, server_size(head), *head == 'G', more);
}

static bool answer_any(int fd, const char *head, uint64_t body)
{
    bool put = *head == 'P';
    const char *path = strchr(head, ' ') + 1, *gcs = strstr(path, "storage/v1/b/");
    const char *etag = "ETag: \"0123456789abcdef-1\"\r\n";
    if (strncmp(path, "/bench/", 7) == 0) {
        return strncmp(head, "POST", 4) == 0 ? server_post(fd, head)
               : put                         ? reply(fd, "200 OK", etag, "")
                                             : get(fd, head, "");
    }
    if (strncmp(path, "/acct/bench/", 12) == 0) {
        return put ? reply(fd, "201 Created", etag, "") : get(fd, head, "");
    }
    if (gcs && gcs < path + 10) {
        return put ? post_gcs(fd, head, body)
                   : get(fd, head, "X-Goog-Generation: 1\r\nX-Goog-Metageneration: 1\r\n");
    }
    bool swift = strncmp(path, "/v1/AUTH_a/bench", 16) == 0;
    if (swift && put) {
        return put_swift(fd, body);
    }
    if (swift && path[16] == '/' && strchr("GH", *head)) {
        return get(fd, head, "");
    }
    return reply(fd, swift ? "204 No Content" : "404 Not Found", "", ""); /* no /info */
}

static pid_t start_server(void)
{
    int listener = server_listen(&port);
    pid_t pid = listener < 0 ? -1 : fork();
    if (pid < 0) {
        stop("server");
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        server_dialect = answer_any;
        server_run(listener);
        _exit(0);
    }
    close(listener);
    return pid;
}

/* ---- Pail */

struct cloud {
    bool for_whole_puts; /* only; its sibling without it is not held to the limit there */
    const char *name, *url;
    pail_kv settings[5];
    pail_bucket *bucket;
};
static char origin[64], azure[80], swift[80];
static struct cloud clouds[CLOUDS] = {
    {false,
     "s3",
     "s3://bench",
     {{"aws_endpoint_url", origin},
      {"aws_access_key_id", "key"},
      {"aws_secret_access_key", "secret"},
      {"aws_region", "us-east-1"},
      {"s3_sums", "crc64nvme"}}, /* as Amazon's own */
     NULL},
    {false,
     "azure",
     "az://bench",
     {{"azure_endpoint", azure},
      {"azure_storage_account_name", "acct"},
      {"azure_storage_account_key", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}},
     NULL},
    {false, "gcs", "gs://bench", {{"gcs_endpoint", origin}, {"google_token", "token"}}, NULL},
    {false,
     "swift",
     "swift://bench",
     {{"os_storage_url", swift}, {"os_auth_token", "token"}},
     NULL},
    /* What Swift verifies is an MD5, and no machine computes one of one message at the speed of the
     * sums of the others, only of the parts of an upload; this is all the rest. */
    {true,
     "swift without MD5",
     "swift://bench",
     {{"os_storage_url", swift}, {"os_auth_token", "token"}, {"verify", "false"}},
     NULL},
};

static void check(pail_code rc, pail_error *err)
{
    if (rc) {
        fprintf(stderr, "pail: %s: %s\n", pail_code_name(rc), pail_error_message(err));
        exit(1);
    }
}

static bool open_cloud(struct cloud *c)
{
    pail_client_opts opts = {
        .size = sizeof opts, .settings = c->settings, .ignore_environment = true};
    pail_error *err = NULL;
    while (opts.settings_count < 5 && c->settings[opts.settings_count].name) {
        opts.settings_count++;
    }
    pail_code rc = pail_open_bucket(c->url, &opts, &c->bucket, &err);
    if (rc) {
        printf("%s: left out: %s\n", c->name, pail_error_message(err));
        pail_error_free(err);
    }
    return !rc;
}

static int64_t drop(void *data, size_t n, void *ctx)
{
    (void)data;
    *(uint64_t *)ctx += n;
    return 0;
}

static void get_large(void *ctx)
{
    char key[64];
    uint64_t got = 0;
    pail_error *err = NULL;
    snprintf(key, sizeof key, "x-%" PRIu64, LARGE);
    pail_bucket *bucket = ((struct cloud *)ctx)->bucket;
    pail_code rc = pail_get(bucket, key, PAIL_FN(drop, &got), NULL, NULL, &err);
    check(rc, err);
    if (got != LARGE) {
        stop("short");
    }
}

/* In parts, where that is what the client takes for the best. */
static void put_large(void *ctx)
{
    pail_error *err = NULL;
    pail_bucket *bucket = ((struct cloud *)ctx)->bucket;
    pail_code rc = pail_put(bucket, "k", PAIL_BUF(zeros, LARGE_PUT), NULL, NULL, &err);
    check(rc, err);
}

static void put_whole(void *ctx)
{
    pail_error *err = NULL;
    pail_put_opts opts = {.size = sizeof opts, .part_size = LARGE_PUT};
    pail_bucket *bucket = ((struct cloud *)ctx)->bucket;
    pail_code rc = pail_put(bucket, "k", PAIL_BUF(zeros, LARGE_PUT), &opts, NULL, &err);
    check(rc, err);
}

static void small_done(pail_op *op, pail_code rc, const pail_info *info, const pail_error *err,
                       void *ctx)
{
    (void)op, (void)info, (void)ctx;
    if (rc) {
        fprintf(stderr, "pail: %s: %s\n", pail_code_name(rc), pail_error_message(err));
        exit(1);
    }
}

static void small(struct cloud *c, pail_verb verb)
{
    static char rooms[IN_FLIGHT][SMALL];
    static pail_body bodies[SMALL_COUNT];
    pail_queue *queue = pail_queue_new();
    int under_way = 0, started = 0;
    while (started < SMALL_COUNT || under_way) {
        while (started < SMALL_COUNT && under_way < IN_FLIGHT) {
            pail_error *err = NULL;
            bodies[started] =
                *PAIL_BUF(verb == PAIL_PUT ? zeros : rooms[started % IN_FLIGHT], SMALL);
            pail_request r = {.size = sizeof r,
                              .verb = verb,
                              .bucket = c->bucket,
                              .key = verb == PAIL_PUT ? "k" : "x-4096",
                              .body = &bodies[started]};
            pail_code rc = pail_submit(queue, &r, small_done, NULL, NULL, &err);
            check(rc, err);
            started++;
            under_way++;
        }
        under_way -= pail_queue_dispatch(queue, -1);
    }
    pail_queue_free(queue);
}

static void get_small(void *ctx)
{
    small(ctx, PAIL_GET);
}

static void put_small(void *ctx)
{
    small(ctx, PAIL_PUT);
}

/* ---- The comparison */

/* False where a cloud is beyond the limit. The rows are sorted by then: medians. */
static bool within(const struct bench_row *rows, int count, int rounds)
{
    bool fine = true;
    printf("  to S3:");
    for (int i = 1; i < count; i++) {
        bool held = count < CLOUDS || strcmp(rows[i].name, "swift") != 0;
        double ratio = rows[i].cpu[rounds / 2] / rows[0].cpu[rounds / 2];
        bool over = held && ratio > LIMIT;
        fine = fine && !over;
        printf("  %s %.2fx%s", rows[i].name, ratio, over ? " OVER THE LIMIT" : "");
    }
    printf("\n");
    return fine;
}

static bool compare(const char *title, void (*run)(void *), int rounds, double scale,
                    const char *unit)
{
    struct bench_row rows[CLOUDS] = {{0}};
    int count = 0;
    for (int i = 0; i < CLOUDS; i++) {
        if (clouds[i].bucket && (!clouds[i].for_whole_puts || run == put_whole)) {
            rows[count++] =
                (struct bench_row){.name = clouds[i].name, .run = run, .ctx = &clouds[i]};
            run(&clouds[i]); /* warm-up */
        }
    }
    bench_compare_rows(title, rows, count, rounds, scale, unit);
    return within(rows, count, rounds);
}

static void md5_of_zeros(uint64_t n, char out[33])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (!EVP_Digest(zeros, n, digest, NULL, EVP_md5(), NULL)) {
        stop("md5");
    }
    for (int i = 0; i < 16; i++) {
        snprintf(out + 2 * (size_t)i, 3, "%02x", digest[i]);
    }
}

int main(int argc, char **argv)
{
    bool fine = true, large = argc == 1 || strcmp(argv[1], "large") == 0;
    bool few = argc == 1 || strcmp(argv[1], "small") == 0;
    zeros = calloc(1, LARGE_PUT);
    if (!zeros) {
        stop("memory");
    }
    md5_of_zeros(SMALL, md5_small);
    md5_of_zeros(PART, md5_part);
    md5_of_zeros(LARGE_PUT, md5_large);
    pid_t server = start_server();
    snprintf(origin, sizeof origin, "http://127.0.0.1:%u", port);
    snprintf(azure, sizeof azure, "%s/acct", origin);
    snprintf(swift, sizeof swift, "%s/v1/AUTH_a", origin);
    for (int i = 0; i < CLOUDS; i++) {
        open_cloud(&clouds[i]);
    }
    if (few) {
        fine &= compare("4 KiB GET", get_small, ROUNDS, 1e6 / SMALL_COUNT, "us");
        fine &= compare("4 KiB PUT", put_small, ROUNDS, 1e6 / SMALL_COUNT, "us");
    }
    if (large) {
        fine &= compare("1 GiB GET", get_large, 5, 1, "s/GiB");
        fine &= compare("256 MiB PUT", put_large, 5, 4, "s/GiB");
        fine &= compare("256 MiB PUT in one request", put_whole, 5, 4, "s/GiB");
    }
    for (int i = 0; i < CLOUDS; i++) {
        pail_bucket_close(clouds[i].bucket);
    }
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    free(zeros);
    return fine ? 0 : 1;
}
