/* S3 over loopback, against a server that generates what it sends and forgets what it gets:
 * the CPU of large and small transfers next to blocking sockets and rclone, and the memory of a
 * large download. bench/README.md says how to read it. */
#include <fcntl.h>
#include <pail.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "bench.h"
#include "server.h"

enum { SMALL = 4096, SMALL_COUNT = 4000, IN_FLIGHT = 64, PIECE = 1 << 20 };
static const uint64_t MIB = 1 << 20;
static char endpoint[64], file_path[4096];
static uint16_t port;
static pail_bucket *bucket;

static void stop(const char *what)
{
    perror(what);
    exit(1);
}

static pid_t start_server(void)
{
    int listener = server_listen(&port);
    if (listener < 0) {
        stop("server");
    }
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", port);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        server_run(listener);
        _exit(0);
    }
    close(listener);
    return pid;
}

/* ---- Probes: one blocking socket */

static int probe_connect(void)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a)) {
        stop("probe");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Reads a head and the part of the body that came with it into room; how much of it that is. */
static size_t probe_head(int fd, char *room, size_t cap)
{
    size_t len = 0;
    for (char *end = NULL; !end;) {
        ssize_t n = recv(fd, room + len, cap - len - 1, 0);
        if (n <= 0) {
            stop("probe: answer");
        }
        len += (size_t)n;
        room[len] = '\0';
        end = strstr(room, "\r\n\r\n");
        if (end) {
            size_t head = (size_t)(end - room) + 4;
            memmove(room, room + head, len - head);
            return len - head;
        }
    }
    return 0;
}

static void probe_large(void *ctx)
{
    uint64_t size = *(uint64_t *)ctx, at = 0;
    char *room = malloc(PIECE), text[256];
    int fd = probe_connect();
    unlink(file_path);
    int out = open(file_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fallocate(out, 0, 0, (off_t)size)) {
        stop(file_path);
    }
    int n =
        snprintf(text, sizeof text, "GET /bench/x-%" PRIu64 " HTTP/1.1\r\nHost: x\r\n\r\n", size);
    send_all(fd, text, (size_t)n);
    size_t have = probe_head(fd, room, PIECE);
    while (at + have < size) {
        ssize_t got = recv(fd, room + have, PIECE - have, MSG_WAITALL);
        if (got <= 0) {
            stop("probe: body");
        }
        have += (size_t)got;
        if (pwrite(out, room, have, (off_t)at) != (ssize_t)have) {
            stop("probe: write");
        }
        at += have;
        have = 0;
    }
    close(out);
    close(fd);
    free(room);
}

static void probe_small(void *ctx)
{
    bool put = *(bool *)ctx;
    char room[16384], request[SMALL + 256];
    int fd = probe_connect();
    int n = put ? snprintf(request, sizeof request,
                           "PUT /bench/k HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", SMALL)
                : snprintf(request, sizeof request, "GET /bench/x-%d HTTP/1.1\r\nHost: x\r\n\r\n",
                           SMALL);
    size_t bytes = (size_t)n + (put ? SMALL : 0);
    memset(request + n, 0, sizeof request - (size_t)n);
    for (int i = 0; i < SMALL_COUNT; i++) {
        send_all(fd, request, bytes);
        size_t have = probe_head(fd, room, sizeof room);
        for (; !put && have < SMALL;) {
            ssize_t got = recv(fd, room + have, SMALL - have, 0);
            if (got <= 0) {
                stop("probe: body");
            }
            have += (size_t)got;
        }
    }
    close(fd);
}

/* ---- Pail */

/* err: where the call puts what went wrong, to be read after it. */
static void check(pail_code rc, pail_error **err)
{
    if (rc) {
        fprintf(stderr, "pail: %s\n", pail_error_message(*err));
        exit(1);
    }
}

static pail_bucket *open_bucket(void)
{
    const pail_kv settings[] = {{"aws_endpoint_url", endpoint},
                                {"aws_access_key_id", "key"},
                                {"aws_secret_access_key", "secret"},
                                {"aws_region", "us-east-1"}};
    pail_client_opts opts = {.size = sizeof opts,
                             .settings = settings,
                             .settings_count = sizeof settings / sizeof *settings,
                             .ignore_environment = true};
    pail_bucket *b = NULL;
    pail_error *err = NULL;
    check(pail_open_bucket("s3://bench", &opts, &b, &err), &err);
    return b;
}

static void pail_large(void *ctx)
{
    char key[64];
    pail_error *err = NULL;
    snprintf(key, sizeof key, "x-%" PRIu64, *(uint64_t *)ctx);
    unlink(file_path);
    check(pail_get(bucket, key, PAIL_PATH(file_path), NULL, NULL, &err), &err);
}

static void small_done(pail_op *op, pail_code rc, const pail_info *info, const pail_error *err,
                       void *ctx)
{
    (void)op, (void)info, (void)ctx;
    if (rc) {
        fprintf(stderr, "pail: %s\n", pail_error_message(err));
        exit(1);
    }
}

static void pail_small(void *ctx)
{
    static char rooms[IN_FLIGHT][SMALL];
    static pail_body bodies[SMALL_COUNT];
    bool put = *(bool *)ctx;
    pail_queue *queue = pail_queue_new();
    int under_way = 0, started = 0;
    while (started < SMALL_COUNT || under_way) {
        while (started < SMALL_COUNT && under_way < IN_FLIGHT) {
            pail_error *err = NULL;
            bodies[started] = *PAIL_BUF(rooms[started % IN_FLIGHT], SMALL);
            pail_request r = {.size = sizeof r,
                              .verb = put ? PAIL_PUT : PAIL_GET,
                              .bucket = bucket,
                              .key = put ? "k" : "x-4096",
                              .body = &bodies[started]};
            check(pail_submit(queue, &r, small_done, NULL, NULL, &err), &err);
            started++;
            under_way++;
        }
        under_way -= pail_queue_dispatch(queue, -1);
    }
    pail_queue_free(queue);
}

static void rclone_large(void *ctx)
{
    char source[64];
    snprintf(source, sizeof source, "r:bench/x-%" PRIu64, *(uint64_t *)ctx);
    unlink(file_path);
    pid_t pid = fork();
    if (pid == 0) {
        unsetenv("AWS_CA_BUNDLE");
        setenv("RCLONE_CONFIG", "/dev/null", 1);
        setenv("RCLONE_CONFIG_R_TYPE", "s3", 1);
        setenv("RCLONE_CONFIG_R_PROVIDER", "Other", 1);
        setenv("RCLONE_CONFIG_R_ENDPOINT", endpoint, 1);
        setenv("RCLONE_CONFIG_R_ACCESS_KEY_ID", "key", 1);
        setenv("RCLONE_CONFIG_R_SECRET_ACCESS_KEY", "secret", 1);
        execlp("rclone", "rclone", "copyto", "--ignore-times", source, file_path, (char *)NULL);
        _exit(127);
    }
    int status;
    waitpid(pid, &status, 0);
    if (status) {
        fprintf(stderr, "rclone ended with %d\n", status);
        exit(1);
    }
}

static bool have_rclone(void)
{
    return system("rclone version >/dev/null 2>&1") == 0;
}

/* ---- Memory: a download into a callback that drops it, in a process of its own */

static int64_t drop(void *data, size_t n, void *ctx)
{
    (void)data;
    *(uint64_t *)ctx += n;
    return 0;
}

static long peak_kib(uint64_t size)
{
    pid_t pid = fork();
    if (pid == 0) {
        char key[64];
        uint64_t got = 0;
        pail_error *err = NULL;
        pail_bucket *b = open_bucket();
        snprintf(key, sizeof key, "x-%" PRIu64, size);
        check(pail_get(b, key, PAIL_FN(drop, &got), NULL, NULL, &err), &err);
        _exit(got == size ? 0 : 1);
    }
    int status;
    struct rusage usage;
    wait4(pid, &status, 0, &usage);
    if (status) {
        fprintf(stderr, "the download of %" PRIu64 " bytes failed\n", size);
        exit(1);
    }
    return usage.ru_maxrss;
}

static void show_memory(uint64_t large)
{
    long a = peak_kib(64 * MIB), b = peak_kib(large);
    printf("peak memory of a GET into a callback: 64 MiB %.1f MiB, %" PRIu64
           " GiB %.1f MiB, difference %.1f MiB\n",
           (double)a / 1024, large >> 30, (double)b / 1024, (double)(b - a) / 1024);
}

static void compare_large(bool full)
{
    uint64_t large = 1024 * MIB;
    struct bench_row rows[3] = {{"pail", pail_large, &large, {0}, {0}},
                                {"one blocking socket", probe_large, &large, {0}, {0}},
                                {"rclone", rclone_large, &large, {0}, {0}}};
    bench_compare_rows("1 GiB GET to a fresh file", rows, have_rclone() ? 3 : 2, full ? 9 : 3, 1,
                       "s");
    unlink(file_path);
}

static void compare_small(bool full)
{
    bool ways[2] = {false, true};
    for (int i = 0; i < 2; i++) {
        struct bench_row rows[2] = {{"pail, 64 in flight", pail_small, &ways[i], {0}, {0}},
                                    {"one blocking socket", probe_small, &ways[i], {0}, {0}}};
        bench_compare_rows(ways[i] ? "4 KiB PUT" : "4 KiB GET", rows, 2, full ? 9 : 5,
                           1e6 / SMALL_COUNT, "us");
    }
}

int main(int argc, char **argv)
{
    bool full = false, memory = argc == 1, large = argc == 1, small = argc == 1;
    for (int i = 1; i < argc; i++) {
        full |= strcmp(argv[i], "--full") == 0;
        memory |= strcmp(argv[i], "memory") == 0 || (full && argc == 2);
        large |= strcmp(argv[i], "large") == 0 || (full && argc == 2);
        small |= strcmp(argv[i], "small") == 0 || (full && argc == 2);
    }
    const char *folder = getenv("BENCH_DIR") ? getenv("BENCH_DIR") : "/tmp";
    pid_t server = start_server();
    snprintf(file_path, sizeof file_path, "%s/pail-bench-%d", folder, (int)getpid());
    if (memory) {
        show_memory((full ? 64 : 8) * 1024 * MIB);
    }
    bucket = open_bucket();
    if (large) {
        compare_large(full);
    }
    if (small) {
        compare_small(full);
    }
    pail_bucket_close(bucket);
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    return 0;
}
