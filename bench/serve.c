/* `pail serve` over LOCAL beside versitygw and MinIO, with the same load and at equal durability:
 * `batch` beside versitygw, which never syncs, `full` beside MinIO. What is told is the CPU of the
 * server process; that of the load is not in it. bench/serve PAIL [PART...], PART: small large
 * latency memory. The peers' programs: PAIL_SERVERS_DIR/bin. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <pail.h>

#include "load.h"
#include "slices.h"

enum {
    SERVERS = 4,
    KEYS = 512,
    SMALL = 4096,
    UPLOADERS = 256,
    UPLOAD_MIB = 32,
    UPLOADED = 1 << 20, /* of each, when the memory is read */
    TRICKLE = 16 << 10
};
#define ID     "bench-key"
#define SECRET "bench-secret-that-is-long"

/* What is compared with what: each of Pail's with its peer at equal durability. */
enum { BATCH, VERSITYGW, FULL, MINIO };
static struct server {
    const char *name, *durability;
    pid_t pid;
    uint16_t port;
    pail_bucket *bucket;
    struct load_request get[KEYS], put[KEYS];
    double rate[2]; /* of GET and PUT, when driven as fast as it goes */
} servers[SERVERS] = {[BATCH] = {.name = "pail, batch", .durability = "batch"},
                      [VERSITYGW] = {.name = "versitygw"},
                      [FULL] = {.name = "pail, full", .durability = "full"},
                      [MINIO] = {.name = "MinIO"}};
static char folder[256], pail_path[256], bin[256];
static size_t rounds;
static int missed;
static char trouble[256]; /* why the last one does not start */

/* ---- the servers ---- */

static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) ||
        getsockname(fd, (struct sockaddr *)&a, &n)) {
        load_stop("port");
    }
    close(fd);
    return ntohs(a.sin_port);
}

static void exec_server(const struct server *s, const char *data, const char *addr)
{
    char program[512];
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    setenv("HOME", data, 1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (s->durability) {
        setenv("PAIL_HOME", data, 1);
        setenv("PAIL_LOCAL_DURABILITY", s->durability, 1);
        execl(pail_path, "pail", "serve", "--addr", addr, "--access-log", "off", "--key",
              ID ":" SECRET, "local:", (char *)NULL);
    } else if (s == &servers[VERSITYGW]) {
        dup2(null, 2);
        setenv("ROOT_ACCESS_KEY", ID, 1);
        setenv("ROOT_SECRET_KEY", SECRET, 1);
        snprintf(program, sizeof program, "%s/versitygw", bin);
        execl(program, program, "--quiet", "--port", addr, "posix", data, (char *)NULL);
    } else {
        dup2(null, 2);
        setenv("MINIO_ROOT_USER", ID, 1);
        setenv("MINIO_ROOT_PASSWORD", SECRET, 1);
        setenv("MINIO_BROWSER", "off", 1);
        setenv("MINIO_UPDATE", "off", 1);
        snprintf(program, sizeof program, "%s/minio", bin);
        execl(program, program, "server", "--quiet", "--address", addr, data, (char *)NULL);
    }
    _exit(127);
}

static void stop_server(struct server *s)
{
    pail_bucket_close(s->bucket);
    s->bucket = NULL;
    if (s->pid > 0) {
        kill(s->pid, SIGTERM);
        waitpid(s->pid, NULL, 0);
    }
    s->pid = 0;
}

/* The bucket, made where it is not there yet; false: the server does not answer. */
static bool open_bucket(struct server *s)
{
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", s->port);
    const pail_kv settings[] = {{"aws_endpoint_url", endpoint},
                                {"aws_access_key_id", ID},
                                {"aws_secret_access_key", SECRET},
                                {"aws_region", "us-east-1"},
                                {"max_attempts", "1"}};
    pail_client_opts opts = {.size = sizeof opts,
                             .settings = settings,
                             .settings_count = sizeof settings / sizeof *settings,
                             .ignore_environment = true};
    pail_bucket_opts create = {.size = sizeof create, .exist_ok = true};
    pail_client *client = NULL;
    pail_error *err = NULL;
    bool ok = pail_open("s3:", &opts, &client, &err) == PAIL_OK &&
              pail_bucket_create(client, "bench", &create, &err) == PAIL_OK &&
              pail_open_bucket("s3://bench", &opts, &s->bucket, &err) == PAIL_OK;
    snprintf(trouble, sizeof trouble, "%s", pail_error_message(err));
    pail_error_free(err);
    pail_close(client);
    return ok;
}

static bool start_server(struct server *s)
{
    char data[512], addr[64];
    snprintf(data, sizeof data, "%s/%d-%d", folder, (int)(s - servers), (int)getpid());
    s->port = free_port();
    snprintf(addr, sizeof addr, "127.0.0.1:%u", s->port);
    mkdir(data, 0755);
    s->pid = fork();
    if (s->pid == 0) {
        exec_server(s, data, addr);
    }
    for (int tries = 0; tries < 300 && waitpid(s->pid, NULL, WNOHANG) == 0; tries++) {
        int fd = load_connect(s->port, false);
        if (fd >= 0) {
            close(fd);
            if (open_bucket(s)) {
                return true;
            }
        }
        load_wait(load_now() + 0.1);
    }
    printf("  %s does not start (%s): left out\n", s->name, trouble);
    s->pid = 0;
    stop_server(s);
    return false;
}

/* Seconds of CPU, of all threads that are and were. */
static double cpu_of(const struct server *s)
{
    char path[64], text[1024];
    unsigned long long t[4];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)s->pid);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = '\0';
    const char *after = strrchr(text, ')');
    if (!after || sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu",
                         &t[0], &t[1], &t[2], &t[3]) != 4) {
        load_stop(path);
    }
    fclose(f);
    return (double)(t[0] + t[1] + t[2] + t[3]) / (double)sysconf(_SC_CLK_TCK);
}

/* ---- requests ---- */

/* The head of a request with a signed URL; body: that many bytes follow. */
static struct load_request sign(const struct server *s, const char *method, const char *key,
                                uint64_t body, uint64_t with)
{
    pail_presign_opts o = {.size = sizeof o, .method = method, .expires_s = 86400};
    pail_presigned *url = NULL;
    struct load_request r = {0};
    if (pail_presign(s->bucket, key, &o, &url, NULL) != PAIL_OK) {
        load_stop("presign");
    }
    const char *path = strchr(strstr(url->url, "://") + 3, '/');
    size_t room = strlen(path) + 256 + (size_t)with;
    r.bytes = calloc(1, room);
    r.len = (size_t)snprintf(r.bytes, room, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n", method,
                             path, s->port);
    if (body) {
        r.len += (size_t)snprintf(r.bytes + r.len, room - r.len, "Content-Length: %llu\r\n",
                                  (unsigned long long)body);
    }
    r.len += (size_t)snprintf(r.bytes + r.len, room - r.len, "\r\n");
    for (uint64_t i = 0; i < with; i++) {
        r.bytes[r.len++] = (char)(i * 31 + i / 256);
    }
    pail_presigned_free(url);
    return r;
}

static void sign_small(struct server *s)
{
    char key[32];
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "small/%03d/%06d", i % 16, i);
        free(s->get[i].bytes);
        free(s->put[i].bytes);
        s->get[i] = sign(s, "GET", key, 0, 0);
        s->put[i] = sign(s, "PUT", key, SMALL, SMALL);
    }
}

static struct load small_load(struct server *s, bool put, size_t total)
{
    return (struct load){.port = s->port,
                         .requests = put ? s->put : s->get,
                         .count = KEYS,
                         .total = total,
                         .want_body = put ? 0 : SMALL};
}

/* ---- CPU ---- */

struct small {
    struct server *server;
    bool put;
};

static double small_cost(void *ctx)
{
    struct small *c = ctx;
    struct load l = small_load(c->server, c->put, c->put ? 3008 : 6016);
    double before = cpu_of(c->server), took = load_run(&l);
    c->server->rate[c->put] = (double)l.total / took;
    return (cpu_of(c->server) - before) * 1e6 / (double)l.total;
}

static double large_put(void *ctx)
{
    struct server *s = ctx;
    uint64_t size = (uint64_t)bench_env("BENCH_MIB", 1024) << 20, body;
    bool closes;
    static char piece[LOAD_PIECE];
    struct load_request r = sign(s, "PUT", "large", size, 0);
    for (size_t i = 0; i < sizeof piece; i++) {
        piece[i] = (char)(i * 131 + i / 251);
    }
    int fd = load_connect(s->port, true);
    double before = cpu_of(s);
    load_send(fd, r.bytes, r.len);
    for (uint64_t at = 0; at < size; at += LOAD_PIECE) {
        load_send(fd, piece, LOAD_PIECE);
    }
    int status = load_answer(fd, piece, &body, &closes);
    if (status != 200) {
        fprintf(stderr, "%s answers %d to a large PUT\n%s\n", s->name, status, piece);
        exit(1);
    }
    close(fd);
    free(r.bytes);
    return cpu_of(s) - before;
}

static double large_get(void *ctx)
{
    struct server *s = ctx;
    uint64_t size = (uint64_t)bench_env("BENCH_MIB", 1024) << 20, body;
    bool closes;
    static char piece[LOAD_PIECE];
    struct load_request r = sign(s, "GET", "large", 0, 0);
    int fd = load_connect(s->port, true);
    double before = cpu_of(s);
    load_send(fd, r.bytes, r.len);
    if (load_answer(fd, piece, &body, &closes) != 200 || body != size) {
        load_stop("large GET");
    }
    close(fd);
    free(r.bytes);
    return cpu_of(s) - before;
}

static double ratio(const struct bench_result *r, int a, int b)
{
    return servers[a].pid && servers[b].pid ? r[a].median / r[b].median : 0;
}

/* reads: nothing is written, so that Pail is held against the better peer. */
static void compare(const char *what, const char *unit, double (*slice)(void *), void *ctx[SERVERS],
                    bool reads, double goal)
{
    struct bench_case cases[SERVERS];
    struct bench_result r[SERVERS] = {0}, in_order[SERVERS];
    int place[SERVERS], n = 0;
    for (int i = 0; i < SERVERS; i++) {
        if (servers[i].pid) {
            (void)slice(ctx[i]); /* warm */
            place[n] = i;
            cases[n++] = (struct bench_case){servers[i].name, slice, ctx[i]};
        }
    }
    bench_run(cases, (size_t)n, rounds, in_order);
    bench_print(what, unit, cases, (size_t)n, in_order);
    for (int i = 0; i < n; i++) {
        r[place[i]] = in_order[i];
    }
    double to_versitygw = ratio(r, BATCH, VERSITYGW);
    double to_minio = ratio(r, reads ? BATCH : FULL, MINIO);
    if (to_versitygw > 0) {
        missed +=
            bench_goal(reads ? "to versitygw" : "batch to versitygw", to_versitygw, "<=", goal);
    }
    if (to_minio > 0) {
        missed += bench_goal(reads ? "to MinIO" : "full to MinIO", to_minio, "<=", goal);
    }
}

static void measure_small(void)
{
    struct small c[2][SERVERS];
    void *ctx[2][SERVERS];
    for (int i = 0; i < SERVERS; i++) {
        for (int put = 0; put < 2; put++) {
            c[put][i] = (struct small){&servers[i], put};
            ctx[put][i] = &c[put][i];
        }
    }
    compare("4 KiB PUT, 16 connections: CPU of the server", "us", small_cost, ctx[1], false, 0.4);
    compare("4 KiB GET, 16 connections: CPU of the server", "us", small_cost, ctx[0], true, 0.4);
    printf("  requests a second, last round:");
    for (int i = 0; i < SERVERS; i++) {
        printf("  %s GET %.0f PUT %.0f", servers[i].name, servers[i].rate[0], servers[i].rate[1]);
    }
    printf("\n");
}

static void measure_large(void)
{
    void *ctx[SERVERS] = {&servers[0], &servers[1], &servers[2], &servers[3]};
    compare("large PUT: CPU of the server", "s", large_put, ctx, false, 0.6);
    compare("large GET: CPU of the server", "s", large_get, ctx, true, 1.0);
}

/* ---- latency ---- */

static double load_rate;

/* The 99th percentile in milliseconds, at load_rate. */
static double p99(void *ctx)
{
    struct small *c = ctx;
    size_t total = (size_t)(load_rate * 3 / 2) / LOAD_CONNECTIONS * LOAD_CONNECTIONS;
    struct load l = small_load(c->server, c->put, total);
    l.period = LOAD_CONNECTIONS / load_rate;
    l.latency = calloc(total, sizeof *l.latency);
    load_run(&l);
    qsort(l.latency, total, sizeof *l.latency, bench_order);
    double value = l.latency[total * 99 / 100] * 1e3;
    free(l.latency);
    return value;
}

/* All are asked at the same rate: half of what the slowest of them reaches. */
static void measure_latency(void)
{
    for (int put = 1; put >= 0; put--) {
        struct small c[SERVERS];
        void *ctx[SERVERS];
        load_rate = 0;
        for (int i = 0; i < SERVERS; i++) {
            c[i] = (struct small){&servers[i], put};
            ctx[i] = &c[i];
            if (servers[i].pid) {
                (void)small_cost(&c[i]);
                double half = servers[i].rate[put] / 2;
                load_rate = load_rate > 0 && load_rate < half ? load_rate : half;
            }
        }
        rounds = 2 * bench_env("BENCH_ROUNDS", 5) + 1; /* shorter, as other load counts */
        char title[128];
        snprintf(title, sizeof title, "4 KiB %s, %.0f a second: 99th percentile",
                 put ? "PUT" : "GET", load_rate);
        compare(title, "ms", p99, ctx, !put, 1.0);
    }
}

/* ---- memory ---- */

static long status_kib(const struct server *s, const char *field)
{
    char path[64], line[256];
    long kib = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)s->pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, field, strlen(field)) == 0) {
            kib = strtol(line + strlen(field) + 1, NULL, 10);
        }
    }
    if (f) {
        fclose(f);
    }
    return kib;
}

static void trickle(const int *fds)
{
    static char piece[TRICKLE];
    for (size_t sent = 0; sent < UPLOADED; sent += TRICKLE) {
        for (int i = 0; i < UPLOADERS; i++) {
            load_send(fds[i], piece, TRICKLE);
        }
        load_wait(load_now() + 0.1);
    }
}

static void measure_memory(struct server *s)
{
    int fds[UPLOADERS];
    char key[32];
    for (int i = 0; i < UPLOADERS; i++) {
        snprintf(key, sizeof key, "slow/%d", i);
        struct load_request r = sign(s, "PUT", key, (uint64_t)UPLOAD_MIB << 20, 0);
        fds[i] = load_connect(s->port, true);
        load_send(fds[i], r.bytes, r.len);
        free(r.bytes);
    }
    trickle(fds);
    double peak = (double)status_kib(s, "VmHWM:") / 1024;
    printf("  %-20s peak %.1f MiB, of it anonymous now %.1f MiB, threads %ld\n", s->name, peak,
           (double)status_kib(s, "RssAnon:") / 1024, status_kib(s, "Threads:"));
    for (int i = 0; i < UPLOADERS; i++) {
        close(fds[i]);
    }
    if (s->durability) {
        missed += bench_goal("MiB resident", peak, "<=", 64);
    }
}

/* In servers that were just started. */
static void measure_all_memory(void)
{
    printf("\n%d connections upload %d MiB each, slowly: memory after 1 MiB of each\n", UPLOADERS,
           UPLOAD_MIB);
    for (int i = 0; i < SERVERS; i++) {
        stop_server(&servers[i]);
        if (i != FULL && start_server(&servers[i])) {
            measure_memory(&servers[i]);
            stop_server(&servers[i]);
        }
    }
}

static void remove_all(void)
{
    char command[600];
    for (int i = 0; i < SERVERS; i++) {
        stop_server(&servers[i]);
        snprintf(command, sizeof command, "rm -rf '%s/%d-%d'", folder, i, (int)getpid());
        (void)!system(command);
    }
}

int main(int argc, char **argv)
{
    const char *dir = getenv("BENCH_DIR"), *home = getenv("HOME"),
               *own = getenv("PAIL_SERVERS_DIR");
    bool all = argc <= 2, small = all, large = all, latency = all, memory = all;
    for (int i = 2; i < argc; i++) {
        small |= strcmp(argv[i], "small") == 0;
        large |= strcmp(argv[i], "large") == 0;
        latency |= strcmp(argv[i], "latency") == 0;
        memory |= strcmp(argv[i], "memory") == 0;
    }
    if (argc < 2 || !realpath(argv[1], pail_path)) {
        fprintf(stderr, "usage: serve PAIL [small] [large] [latency] [memory]\n");
        return 2;
    }
    snprintf(folder, sizeof folder, "%s/pail-bench-serve", dir ? dir : "/tmp");
    mkdir(folder, 0700);
    snprintf(bin, sizeof bin, "%s%s/bin",
             own    ? own
             : home ? home
                    : "",
             own ? "" : "/.cache/pail-servers");
    rounds = bench_env("BENCH_ROUNDS", 5);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < SERVERS && (small || large || latency); i++) {
        if (start_server(&servers[i])) {
            sign_small(&servers[i]);
        }
    }
    if (small) {
        measure_small();
    }
    if (large) {
        measure_large();
    }
    if (latency) {
        measure_latency();
    }
    if (memory) {
        measure_all_memory();
    }
    remove_all();
    return missed > 0;
}
