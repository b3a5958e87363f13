/* pail serve: an S3 server in front of any store. */
#include "fail.h"
#include "json.h"
#include "mem.h"
#include "out.h"
#include "serve.h"
#include "systemd.h"
#include "target.h"

#include <sys/stat.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STOP_MS = 30000, KEYS_MAX = 64, LIST_MAX = 64, TEXT_MAX = 1 << 20, PORT = 9000 };
enum { CONNECTIONS_MAX = 65536, IDLE_MAX_S = 86400 };

static struct {
    const char *addr, *key, *credentials, *buckets, *public_read, *domain, *tls_cert, *tls_key,
        *log;
    struct pairs cors;
    uint64_t connections, idle_s;
    bool read_only;
} opt;

/* ---- the access log ---- */

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

/* The bytes of a character at s that might end a line or steer a terminal: controls, C1 (U+0080 to
 * U+009F) among them, and U+2028 and U+2029. 0: it is another. Keys are UTF-8. */
static size_t control_at(const unsigned char *s, unsigned *code)
{
    *code = s[0];
    if (s[0] < 0x20 || s[0] == 0x7f) {
        return 1;
    }
    if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0) {
        *code = s[1];
        return 2;
    }
    if (s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9)) {
        *code = 0x2000U + s[2] - 0x80U;
        return 3;
    }
    return 0;
}

/* Control characters, quotes and backslashes as JSON writes them; a log line stays a line. */
static void quote(FILE *f, const char *text)
{
    const unsigned char *s = (const unsigned char *)(text != NULL ? text : "");
    unsigned code;
    fputc('"', f);
    while (*s != '\0') {
        size_t n = control_at(s, &code);
        if (n != 0) {
            fprintf(f, "\\u%04x", code);
        } else if (*s == '"' || *s == '\\') {
            fprintf(f, "\\%c", *s);
        } else {
            fputc(*s, f);
        }
        s += n != 0 ? n : 1;
    }
    fputc('"', f);
}

static void log_json(const pail_access *a, const char *when)
{
    const struct {
        const char *name, *value;
    } texts[] = {{"remote", a->remote},         {"request_id", a->request_id},
                 {"operation", a->operation},   {"method", a->method},
                 {"bucket", a->bucket},         {"key", a->key},
                 {"access_key", a->access_key}, {"error", a->error}};
    fprintf(stderr, "{\"time\":\"%s\"", when);
    for (size_t i = 0; i < CLI_COUNT(texts); i++) {
        if (texts[i].value != NULL) {
            fprintf(stderr, ",\"%s\":", texts[i].name);
            quote(stderr, texts[i].value);
        }
    }
    fprintf(stderr,
            ",\"status\":%d,\"received\":%llu,\"sent\":%llu,\"took_us\":%lld,\"complete\":%s}\n",
            a->status, (unsigned long long)a->received_bytes, (unsigned long long)a->sent_bytes,
            (long long)a->took_us, a->complete ? "true" : "false");
}

static void log_text(const pail_access *a, const char *when)
{
    fprintf(stderr, "%s %s %s %d %s %s ", when, a->remote,
            a->access_key != NULL ? a->access_key : "-", a->status, a->operation,
            a->error != NULL ? a->error : "-");
    quote(stderr, a->bucket);
    fputc('/', stderr);
    quote(stderr, a->key);
    fprintf(stderr, " in=%llu out=%llu us=%lld%s\n", (unsigned long long)a->received_bytes,
            (unsigned long long)a->sent_bytes, (long long)a->took_us, a->complete ? "" : " cut");
}

static void log_access(const pail_access *a, void *ctx)
{
    char when[32] = "";
    time_t at = (time_t)(a->at_ms / 1000);
    struct tm tm;
    (void)ctx;
    if (gmtime_r(&at, &tm) != NULL) {
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    pthread_mutex_lock(&log_lock);
    if (strcmp(opt.log, "json") == 0) {
        log_json(a, when);
    } else {
        log_text(a, when);
    }
    pthread_mutex_unlock(&log_lock);
}

/* ---- options ---- */

/* "a,b,c" in place. False: there are more than LIST_MAX. */
static bool split_list(char *text, const char **list, size_t *count)
{
    char *save = NULL, *one = text != NULL ? strtok_r(text, ",", &save) : NULL;
    for (*count = 0; one != NULL && *count < LIST_MAX; one = strtok_r(NULL, ",", &save)) {
        list[(*count)++] = one;
    }
    return one == NULL;
}

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = f != NULL ? calloc(1, TEXT_MAX + 1) : NULL;
    if (text != NULL && fread(text, 1, TEXT_MAX, f) == 0) {
        free(text);
        text = NULL;
    }
    if (f != NULL) {
        fclose(f);
    }
    return text;
}

static void free_secret(char *text, size_t n)
{
    if (text != NULL) {
        explicit_bzero(text, n);
        free(text);
    }
}

static char *copy(const char *text)
{
    return text != NULL ? mem_text(text) : NULL;
}

struct keys {
    pail_server_key keys[KEYS_MAX];
    const char *buckets[KEYS_MAX][LIST_MAX];
    size_t count;
};

/* "ID:SECRET" in place. */
static bool add_pair(struct keys *k, char *text)
{
    char *colon = strchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == '\0' || k->count == KEYS_MAX) {
        return false;
    }
    *colon = '\0';
    k->keys[k->count++] = (pail_server_key){.id = text, .secret = colon + 1};
    return true;
}

/* A line "ID SECRET [read-only] [buckets=a,b]"; '#' begins a comment. */
static bool add_line(struct keys *k, char *line)
{
    char *save = NULL;
    char *id = strtok_r(line, " \t\r", &save), *secret = strtok_r(NULL, " \t\r", &save);
    if (id == NULL || *id == '#') {
        return true;
    }
    if (secret == NULL || k->count == KEYS_MAX) {
        return false;
    }
    pail_server_key *key = &k->keys[k->count];
    *key = (pail_server_key){.id = id, .secret = secret};
    for (char *word = strtok_r(NULL, " \t\r", &save); word != NULL;
         word = strtok_r(NULL, " \t\r", &save)) {
        if (strcmp(word, "read-only") == 0) {
            key->read_only = true;
        } else if (strncmp(word, "buckets=", 8) == 0) {
            key->buckets = k->buckets[k->count];
            if (!split_list(word + 8, k->buckets[k->count], &key->bucket_count)) {
                return false;
            }
        } else {
            return false;
        }
    }
    k->count++;
    return true;
}

static int read_keys(struct keys *k, char *pair, char *file)
{
    if (pair != NULL && !add_pair(k, pair)) {
        return fail_usage("--key: write ID:SECRET");
    }
    char *save = NULL;
    size_t before = k->count;
    unsigned number = 0;
    for (char *line = file != NULL ? strtok_r(file, "\n", &save) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        number++;
        bool full = k->count == KEYS_MAX;
        if (!add_line(k, line)) {
            return full ? fail_usage("--credentials: more than %d keys; the server takes no more",
                                     KEYS_MAX)
                        : fail_usage("--credentials: entry %u is not `ID SECRET [read-only] "
                                     "[buckets=A,B]` with %d buckets at most",
                                     number, LIST_MAX);
        }
    }
    return opt.credentials != NULL && k->count == before
               ? fail_usage("--credentials: %s has no key", opt.credentials)
               : 0;
}

/* "127.0.0.1:9000", "[::1]:9000", ":9000", "9000". */
static bool split_addr(char *text, pail_server_opts *o)
{
    char *colon = strrchr(text, ':');
    char *port = colon != NULL ? colon + 1 : text, *end = NULL;
    unsigned long n = strtoul(port, &end, 10);
    if (*port < '0' || *port > '9' || *end != '\0' || n > UINT16_MAX) {
        return false;
    }
    o->port = (uint16_t)n;
    if (colon != NULL && colon > text) {
        *colon = '\0';
        o->address = text;
        if (*text == '[' && colon[-1] == ']') {
            colon[-1] = '\0';
            o->address = text + 1;
        }
    }
    return true;
}

/* ---- running ---- */

static void greet(const pail_server *server, bool own_key, const char *url)
{
    const char *address = pail_server_address(server);
    if (app.json) {
        json_begin("serving");
        json_text("address", address);
        json_end();
        out_flush();
        return;
    }
    out_printf("serving %s at %s (Ctrl-C ends it)\n", url, address);
    if (own_key && isatty(STDERR_FILENO)) { /* never into a log */
        fprintf(stderr,
                "key of this store, made by Pail:\n  export AWS_ACCESS_KEY_ID=%s\n"
                "  export AWS_SECRET_ACCESS_KEY=%s\n",
                pail_server_key_id(server), pail_server_key_secret(server));
    }
    out_printf("use it: AWS_ENDPOINT_URL=%s, region us-east-1, addressing by path\n", address);
    out_printf("in a browser: %s/-/ui\n", address);
    out_flush();
}

void serve_wait(int64_t ms)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t end = now.tv_sec * 1000 + now.tv_nsec / 1000000 + ms;
    while (!app.interrupted) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        int64_t left = end - (now.tv_sec * 1000 + now.tv_nsec / 1000000);
        if (ms >= 0 && left <= 0) {
            return;
        }
        (void)poll(NULL, 0, ms < 0 || left > 500 ? 500 : (int)left);
    }
}

static atomic_int reload_asked;

static void ask_reload(int number)
{
    (void)number;
    reload_asked = 1;
}

/* Reads --credentials again. What cannot be read changes nothing. */
static void reload(pail_server *server)
{
    pail_error *err = NULL;
    struct keys *keys = mem_new(sizeof *keys);
    char *pair = copy(opt.key), *file = read_text(opt.credentials);
    if (file == NULL) {
        (void)fail_usage("cannot read %s; the keys stay as they were", opt.credentials);
    } else if (read_keys(keys, pair, file) == 0 &&
               pail_server_set_keys(server, keys->keys, keys->count, &err) != PAIL_OK) {
        (void)fail_error(opt.credentials, err);
    }
    pail_error_free(err);
    free_secret(file, TEXT_MAX);
    mem_free(pair);
    mem_free(keys);
}

/* SIGHUP ends a server only where it has nothing to read again. */
static void run_until_interrupt(pail_server *server)
{
    while (!app.interrupted) {
        serve_wait(500);
        if (reload_asked) {
            reload_asked = 0;
            systemd_tell_reloading();
            reload(server);
            systemd_tell("READY=1");
        }
    }
}

static void catch_hangup(void)
{
    struct sigaction action = {.sa_handler = ask_reload};
    sigemptyset(&action.sa_mask);
    if (opt.credentials != NULL) {
        sigaction(SIGHUP, &action, NULL);
    }
}

static int serve(pail_client *client, const char *text, const pail_server_opts *o)
{
    pail_server *server = NULL;
    pail_error *err = NULL;
    int status = 0;
    if (pail_server_start(client, o, &server, &err) != PAIL_OK) {
        status = fail_error(text, err);
    } else {
        catch_hangup();
        greet(server, o->key_count == 0, text);
        systemd_tell("READY=1");
        run_until_interrupt(server);
        systemd_tell("STOPPING=1");
        app.interrupted = 0; /* that is how it ends: no failure */
        pail_server_stop(server, STOP_MS);
    }
    pail_error_free(err);
    return status;
}

/* Elsewhere "file:///dir" is the plain path /dir; here it is a store whose buckets are folders. */
static int serve_folder(const char *url, const pail_server_opts *o)
{
    pail_client *client = NULL;
    pail_error *err = NULL;
    struct stat st;
    const char *path = strncmp(url, "file://", 7) == 0 ? url + 7 : url + 5;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return fail_with(PAIL_E_NOT_FOUND, url, "there is no such folder",
                         "make it: its subfolders are the buckets");
    }
    int status = target_open_url(url, &client, &err) == PAIL_OK ? serve(client, url, o)
                                                                : fail_error(url, err);
    pail_close(client);
    pail_error_free(err);
    return status;
}

static int serve_url(const char *url, const pail_server_opts *o)
{
    struct target target = {0};
    if (strncmp(url, "file:", 5) == 0) {
        return serve_folder(url, o);
    }
    int status = target_need_account(url, &target);
    status = status != 0 ? status : serve(target.client, target.text, o);
    target_dispose(&target);
    return status;
}

static int run(int argc, char **argv)
{
    static struct keys keys;
    const char *buckets[LIST_MAX], *public_read[LIST_MAX], *cors[LIST_MAX];
    pail_server_opts o = {.size = sizeof o, .port = PORT, .domain = opt.domain};
    opt.log = opt.log == NULL ? "text" : opt.log;
    char *addr = copy(opt.addr), *pair = copy(opt.key), *only = copy(opt.buckets),
         *open = copy(opt.public_read);
    char *file = opt.credentials != NULL ? read_text(opt.credentials) : NULL;
    char *cert = opt.tls_cert != NULL ? read_text(opt.tls_cert) : NULL;
    char *tls_key = opt.tls_key != NULL ? read_text(opt.tls_key) : NULL;
    int status = 0, sockets = systemd_sockets();
    if ((opt.credentials && !file) || (opt.tls_cert && !cert) || (opt.tls_key && !tls_key)) {
        status = fail_usage("cannot read %s", opt.credentials && !file ? opt.credentials
                                              : opt.tls_cert && !cert  ? opt.tls_cert
                                                                       : opt.tls_key);
    } else if (addr != NULL && !split_addr(addr, &o)) {
        status = fail_usage("--addr: \"%s\" is not ADDRESS:PORT", opt.addr);
    } else if (sockets > 1 || (sockets == 1 && addr != NULL)) {
        status =
            fail_usage(sockets > 1 ? "more than one socket was passed (LISTEN_FDS): it takes one"
                                   : "--addr: a socket was passed, with an address of its own");
    } else if (strcmp(opt.log, "text") != 0 && strcmp(opt.log, "json") != 0 &&
               strcmp(opt.log, "off") != 0) {
        status = fail_usage("--access-log: \"%s\" is not text, json or off", opt.log);
    } else if (opt.connections > CONNECTIONS_MAX || opt.idle_s > IDLE_MAX_S) {
        status = fail_usage("--connections: at most %d; --idle-timeout: at most %d seconds",
                            CONNECTIONS_MAX, IDLE_MAX_S);
    } else if (opt.cors.count > LIST_MAX) {
        status = fail_usage("--cors: more than %d origins", LIST_MAX);
    } else {
        status = read_keys(&keys, pair, file);
    }
    o.keys = keys.keys;
    o.key_count = keys.count;
    o.listen_fd = sockets == 1 ? SYSTEMD_FIRST : 0;
    o.read_only = opt.read_only;
    o.connections = (uint32_t)opt.connections;
    o.idle_s = (uint32_t)opt.idle_s;
    if (!split_list(only, buckets, &o.bucket_count) ||
        !split_list(open, public_read, &o.public_read_count)) {
        status = fail_usage("--bucket, --public-read: more than %d names", LIST_MAX);
    }
    o.buckets = only != NULL ? buckets : NULL;
    o.public_read = open != NULL ? public_read : NULL;
    for (; o.cors_count < opt.cors.count && o.cors_count < LIST_MAX; o.cors_count++) {
        cors[o.cors_count] = opt.cors.items[o.cors_count].name;
    }
    o.cors = cors;
    o.tls_cert = cert;
    o.tls_key = tls_key;
    o.access = strcmp(opt.log, "off") == 0 ? NULL : log_access;
    status = status != 0 ? status : serve_url(argc > 0 ? argv[0] : "local:", &o);
    free_secret(file, TEXT_MAX);
    free(cert);
    free_secret(tls_key, TEXT_MAX);
    mem_free(addr);
    mem_free(pair);
    mem_free(only);
    mem_free(open);
    return status;
}

static const struct opt opts[] = {
    {"addr", 0, OPT_TEXT, &opt.addr, "ADDRESS:PORT",
     "where to listen (127.0.0.1:9000; port 0: any)", NULL},
    {"key", 0, OPT_TEXT, &opt.key, "ID:SECRET", "the key that clients use", NULL},
    {"credentials", 0, OPT_TEXT, &opt.credentials, "FILE",
     "keys: lines `ID SECRET [read-only] [buckets=A,B]`", NULL},
    {"read-only", 0, OPT_FLAG, &opt.read_only, NULL, "nobody may write", NULL},
    {"bucket", 0, OPT_TEXT, &opt.buckets, "NAME,...", "serve only these buckets", NULL},
    {"public-read", 0, OPT_TEXT, &opt.public_read, "NAME,...",
     "buckets that anybody may read and list", NULL},
    {"cors", 0, OPT_MANY, &opt.cors, "ORIGIN",
     "pages of this origin may read answers (\"*\": any); may be given again", NULL},
    {"domain", 0, OPT_TEXT, &opt.domain, "NAME", "buckets also as BUCKET.NAME in the Host", NULL},
    {"tls-cert", 0, OPT_TEXT, &opt.tls_cert, "FILE", "serve HTTPS with this certificate", NULL},
    {"tls-key", 0, OPT_TEXT, &opt.tls_key, "FILE", "... and its key", NULL},
    {"connections", 0, OPT_NUMBER, &opt.connections, "N",
     "at once (512); more get 503 and come again", NULL},
    {"idle-timeout", 0, OPT_SECONDS, &opt.idle_s, "TIME",
     "cut a connection without a byte, or a head that takes longer (60s)", NULL},
    {"access-log", 0, OPT_TEXT, &opt.log, "text|json|off", "one line a request on stderr (text)",
     NULL},
};
const struct command cmd_serve = {
    .name = "serve",
    .usage = "[--addr ADDRESS:PORT] [--key ID:SECRET] [URL]",
    .summary = "serve a store as S3",
    .details =
        "URL is that of a store: local: (the default), s3:, file:///dir, memory:\n"
        "Without --key or --credentials the store's own key is used; it is shown on a\n"
        "terminal only. Ends cleanly on SIGINT and SIGTERM; SIGHUP reads --credentials again.\n"
        "A service manager may pass the socket (LISTEN_FDS) and hear of it (NOTIFY_SOCKET).",
    .opts = opts,
    .opt_count = CLI_COUNT(opts),
    .min_args = 0,
    .max_args = 1,
    .run = run,
};
