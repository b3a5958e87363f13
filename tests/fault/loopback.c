#include "loopback.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct connection {
    struct loopback *s;
    int fd;
    SSL *ssl;
    char *data; /* read and not yet used */
    size_t len, cap;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static long get(struct connection *c, void *buf, size_t n)
{
    return c->ssl ? SSL_read(c->ssl, buf, (int)n) : recv(c->fd, buf, n, 0);
}

static bool put(struct connection *c, const char *data, size_t n)
{
    while (n) {
        long sent = c->ssl ? SSL_write(c->ssl, data, (int)n) : send(c->fd, data, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        data += sent;
        n -= (size_t)sent;
    }
    return true;
}

static bool more(struct connection *c)
{
    if (c->cap - c->len < 65536) {
        c->cap = c->cap * 2 + 131072;
        c->data = realloc(c->data, c->cap);
    }
    long n = get(c, c->data + c->len, 65535);
    if (n <= 0) {
        return false;
    }
    c->len += (size_t)n;
    c->data[c->len] = '\0';
    return true;
}

static void use(struct connection *c, size_t n)
{
    memmove(c->data, c->data + n, c->len - n + 1);
    c->len -= n;
}

/* Reads a head; NULL: the peer went away. */
static char *read_head(struct connection *c)
{
    char *end = NULL;
    while (!c->data || !(end = strstr(c->data, "\r\n\r\n"))) {
        if (!more(c)) {
            return NULL;
        }
    }
    size_t n = (size_t)(end - c->data) + 4;
    char *head = strndup(c->data, n);
    use(c, n);
    return head;
}

static uint64_t length_of(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");
    return at ? strtoull(at + 17, NULL, 10) : 0;
}

/* Keeps the first megabyte. */
static bool read_body(struct connection *c, uint64_t length, char **kept)
{
    enum { KEPT = 1 << 20 };
    size_t keep = length < KEPT ? (size_t)length : KEPT, have = 0;
    *kept = calloc(1, keep + 1);
    for (uint64_t left = length; left;) {
        if (c->len == 0 && !more(c)) {
            return false;
        }
        size_t n = c->len < left ? c->len : (size_t)left;
        size_t copy = n < keep - have ? n : keep - have;
        memcpy(*kept + have, c->data, copy);
        have += copy;
        use(c, n);
        left -= n;
    }
    return true;
}

static struct loopback_step next_step(struct loopback *s, char *head, int *index)
{
    static const struct loopback_step past = {
        .send = "HTTP/1.1 500 Past The Script\r\nContent-Length: 0\r\n\r\n"};
    pthread_mutex_lock(&s->lock);
    struct loopback_step step = s->at < s->step_count ? s->steps[s->at] : past;
    s->at += !step.for_ever;
    *index = s->requests < LOOPBACK_REQUESTS ? s->requests : -1;
    if (*index >= 0) {
        s->heads[*index] = head;
        s->body_lengths[*index] = length_of(head);
    }
    s->requests++;
    pthread_cond_broadcast(&s->seen);
    pthread_mutex_unlock(&s->lock);
    return step;
}

static bool send_step(struct connection *c, const struct loopback_step *step)
{
    char fill[65536];
    memset(fill, 'x', sizeof fill);
    size_t n = step->send ? strlen(step->send) : 0;
    if (step->drip) {
        for (size_t i = 0;; i++) {
            if (!put(c, i < n ? step->send + i : "x", 1)) {
                return false;
            }
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        }
    }
    if (n && !put(c, step->send, n)) {
        return false;
    }
    for (uint64_t left = step->fill; left;) {
        size_t piece = left < sizeof fill ? (size_t)left : sizeof fill;
        if (!put(c, fill, piece)) {
            return false;
        }
        left -= piece;
    }
    return true;
}

static void hang(struct connection *c)
{
    char byte;
    while (get(c, &byte, 1) > 0) {
    }
}

static bool serve_one(struct connection *c)
{
    char *head = read_head(c), *body = NULL;
    if (!head) {
        return false;
    }
    int index;
    uint64_t length = length_of(head);
    struct loopback_step step = next_step(c->s, head, &index);
    bool fine = step.unread || read_body(c, length, &body);
    if (index >= 0) {
        c->s->bodies[index] = body;
    } else {
        free(body);
        free(head);
    }
    if (!fine || !send_step(c, &step)) {
        return false;
    }
    switch (step.then) {
    case KEEP: return !step.unread;
    case HANG: hang(c); return false;
    case RESET:
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        return false;
    case CLOSE: return false;
    }
    return false;
}

static void *serve(void *arg)
{
    struct connection *c = arg;
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    bool ready = true;
    if (c->s->tls) {
        c->ssl = SSL_new(c->s->tls);
        SSL_set_fd(c->ssl, c->fd);
        ready = SSL_accept(c->ssl) == 1;
    }
    while (ready && serve_one(c)) {
    }
    SSL_free(c->ssl);
    pthread_mutex_lock(&c->s->lock);
    for (int i = 0; i < c->s->open_count; i++) {
        if (c->s->open[i] == c->fd) {
            c->s->open[i] = -1;
        }
    }
    close(c->fd);
    pthread_mutex_unlock(&c->s->lock);
    free(c->data);
    free(c);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct loopback *s = arg;
    sigset_t pipe; /* what TLS may raise on a connection that the client has closed */
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    for (int fd; (fd = accept(s->listener, NULL, NULL)) >= 0;) {
        pthread_mutex_lock(&s->lock);
        if (s->stopping || s->worker_count == 256) {
            close(fd);
        } else {
            struct connection *c = calloc(1, sizeof *c);
            c->s = s;
            c->fd = fd;
            s->open[s->open_count++] = fd;
            s->connections++;
            pthread_create(&s->workers[s->worker_count++], NULL, serve, c);
        }
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

static void start(struct loopback *s, const struct loopback_step *steps, int count, void *tls)
{
    memset(s, 0, sizeof *s);
    s->tls = tls;
    s->steps = steps;
    s->step_count = count;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->seen, NULL);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&a, sizeof a) ||
        listen(s->listener, 128) || getsockname(s->listener, (struct sockaddr *)&a, &n)) {
        die("loopback");
    }
    s->port = ntohs(a.sin_port);
    pthread_create(&s->acceptor, NULL, accept_all, s);
}

void loopback_start(struct loopback *s, const struct loopback_step *steps, int count)
{
    start(s, steps, count, NULL);
}

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(x, name);
    X509_EXTENSION *alt = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(x, alt, -1);
    X509_EXTENSION_free(alt);
    X509_sign(x, key, EVP_sha256());
    return x;
}

void loopback_start_tls(struct loopback *s, const struct loopback_step *steps, int count,
                        const char *ca_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = make_certificate(key);
    FILE *f = fopen(ca_path, "w");
    if (!f || !PEM_write_X509(f, certificate) || fclose(f)) {
        die(ca_path);
    }
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(ctx, certificate);
    SSL_CTX_use_PrivateKey(ctx, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    start(s, steps, count, ctx);
}

void loopback_wait(struct loopback *s, int requests)
{
    pthread_mutex_lock(&s->lock);
    while (s->requests < requests) {
        pthread_cond_wait(&s->seen, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
}

bool loopback_has(struct loopback *s, int i, const char *line)
{
    char *wanted = NULL;
    if (i >= s->requests || !s->heads[i] || asprintf(&wanted, "%s\r\n", line) < 0) {
        return false;
    }
    const char *at = strstr(s->heads[i], wanted);
    free(wanted);
    return at && (at == s->heads[i] || at[-1] == '\n');
}

void loopback_stop(struct loopback *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    shutdown(s->listener, SHUT_RDWR);
    for (int i = 0; i < s->open_count; i++) {
        if (s->open[i] >= 0) {
            shutdown(s->open[i], SHUT_RDWR);
        }
    }
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->acceptor, NULL);
    for (int i = 0; i < s->worker_count; i++) {
        pthread_join(s->workers[i], NULL);
    }
    close(s->listener);
    for (int i = 0; i < LOOPBACK_REQUESTS; i++) {
        free(s->heads[i]);
        free(s->bodies[i]);
    }
    SSL_CTX_free(s->tls);
    pthread_cond_destroy(&s->seen);
    pthread_mutex_destroy(&s->lock);
    memset(s, 0, sizeof *s);
}

int loopback_open_files(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d)) {
        n++;
    }
    if (d) {
        closedir(d);
    }
    return n;
}
