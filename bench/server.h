/* The S3 server of the benchmarks: generates what it sends, forgets what it gets, answers as fast
 * as blocking sockets can. A thread for each connection; nothing is checked.
 *
 * GET and HEAD of a key that ends in "-BYTES" (else 1,000 bytes), with or without a range; PUT and
 * the requests of an upload in parts; GET ?list-type=2 gives pages of 1,000 keys, of as many as the
 * prefix "n-COUNT/" says. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SERVER_PIECE = 1 << 20, SERVER_PAGE = 1000 };

static bool send_all(int fd, const char *data, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, data, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        data += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* ---- GET of an object */

/* The number behind the last '-' of the path; 1,000 where there is none. */
static uint64_t server_size(const char *head)
{
    const char *path = strchr(head, '/'), *end = path + strcspn(path, "? "), *at = end;
    while (at > path && at[-1] != '-') {
        at--;
    }
    return at > path ? strtoull(at, NULL, 10) : 1000;
}

/* more: header lines of a dialect. */
static bool server_get(int fd, const char *head, uint64_t size, bool body, const char *more)
{
    static char block[SERVER_PIECE];
    char text[8192];
    uint64_t first = 0, last = size - 1;
    const char *range = strcasestr(head, "range: bytes="); /* Azure's is x-ms-range */
    if (range) {
        sscanf(range + 13, "%" SCNu64 "-%" SCNu64, &first, &last);
        last = last < size ? last : size - 1;
    }
    int n = snprintf(text, 1024,
                     "HTTP/1.1 %s\r\nETag: \"0123456789abcdef-1\"\r\n"
                     "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                     "Content-Length: %" PRIu64 "\r\n%s",
                     range ? "206 Partial Content" : "200 OK", last - first + 1, more);
    if (range) {
        n += snprintf(text + n, 512, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n",
                      first, last, size);
    }
    n += snprintf(text + n, 8, "\r\n");
    uint64_t left = body ? last - first + 1 : 0;
    if (left && left <= sizeof text - (size_t)n) { /* a small answer is one segment */
        memset(text + n, 'x', (size_t)left);
        n += (int)left;
        left = 0;
    }
    bool fine = send_all(fd, text, (size_t)n);
    while (fine && left) {
        size_t piece = left < SERVER_PIECE ? (size_t)left : SERVER_PIECE;
        fine = send_all(fd, block, piece);
        left -= piece;
    }
    return fine;
}

/* ---- Lists and uploads */

static bool server_xml(int fd, const char *xml, size_t n)
{
    char head[256];
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n"
                       "ETag: \"0123456789abcdef-1\"\r\nContent-Length: %zu\r\n\r\n",
                       n);
    return send_all(fd, head, (size_t)len) && send_all(fd, xml, n);
}

static bool server_list(int fd, const char *query, char *room, size_t cap)
{
    const char *n = strstr(query, "prefix=n-"), *token = strstr(query, "continuation-token=");
    uint64_t count = n ? strtoull(n + 9, NULL, 10) : 0;
    uint64_t at = token ? strtoull(token + 19, NULL, 10) : 0;
    uint64_t end = at + SERVER_PAGE < count ? at + SERVER_PAGE : count;
    size_t len = (size_t)snprintf(room, cap,
                                  "<ListBucketResult><Name>bench</Name><IsTruncated>%s"
                                  "</IsTruncated>",
                                  end < count ? "true" : "false");
    for (uint64_t i = at; i < end; i++) {
        len += (size_t)snprintf(room + len, cap - len,
                                "<Contents><Key>n-%" PRIu64 "/key-%08" PRIu64 "</Key><LastModified>"
                                "2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;"
                                "0123456789abcdef0123456789abcdef&quot;</ETag><Size>1000</Size>"
                                "<StorageClass>STANDARD</StorageClass></Contents>",
                                count, i);
    }
    if (end < count) {
        len += (size_t)snprintf(room + len, cap - len,
                                "<NextContinuationToken>%" PRIu64 "</NextContinuationToken>", end);
    }
    len += (size_t)snprintf(room + len, cap - len, "</ListBucketResult>");
    return server_xml(fd, room, len);
}

static bool server_post(int fd, const char *head)
{
    static const char begun[] = "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
                                "</InitiateMultipartUploadResult>";
    static const char done[] = "<CompleteMultipartUploadResult><ETag>&quot;0123456789abcdef-1"
                               "&quot;</ETag></CompleteMultipartUploadResult>";
    size_t line = strcspn(head, "\r");
    bool begins = memmem(head, line, "uploads", 7) != NULL;
    return begins ? server_xml(fd, begun, sizeof begun - 1) : server_xml(fd, done, sizeof done - 1);
}

static bool server_answer(int fd, const char *head, char *room, size_t cap)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nETag: \"0123456789abcdef\"\r\n"
                             "Content-Length: 0\r\n\r\n";
    size_t line = strcspn(head, "\r");
    if (memmem(head, line, "list-type=2", 11)) {
        return server_list(fd, head, room, cap);
    }
    switch (head[0]) {
    case 'G':
    case 'H': return server_get(fd, head, server_size(head), head[0] == 'G', "");
    case 'P': return head[1] == 'O' ? server_post(fd, head) : send_all(fd, ok, sizeof ok - 1);
    default: return send_all(fd, ok, sizeof ok - 1);
    }
}

/* ---- Connections */

/* Answers instead, where a program sets it: `body` bytes came with the request. */
static bool (*server_dialect)(int fd, const char *head, uint64_t body);

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg, one = 1;
    char *data = malloc(SERVER_PIECE + 1), *head = malloc(16384);
    size_t len = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (bool fine = data && head; fine;) {
        char *end = NULL;
        data[len] = '\0';
        while (fine && !(end = strstr(data, "\r\n\r\n"))) {
            ssize_t n = len < SERVER_PIECE ? recv(fd, data + len, SERVER_PIECE - len, 0) : 0;
            fine = n > 0;
            len += fine ? (size_t)n : 0;
            data[len] = '\0';
        }
        size_t bytes = fine ? (size_t)(end - data) + 4 : 0;
        if (!fine || bytes >= 16384) {
            break;
        }
        memcpy(head, data, bytes);
        head[bytes] = '\0';
        const char *at = strcasestr(head, "\ncontent-length:");
        uint64_t body = at ? strtoull(at + 16, NULL, 10) : 0, whole = body;
        if (strcasestr(head, "\nexpect: 100")) {
            fine = send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        }
        len -= bytes;
        memmove(data, data + bytes, len);
        while (fine && body > len) {
            body -= len;
            ssize_t n = recv(fd, data, SERVER_PIECE, 0);
            fine = n > 0;
            len = fine ? (size_t)n : 0;
        }
        len -= fine ? (size_t)body : 0;
        memmove(data, data + body, len);
        fine = fine && (server_dialect ? server_dialect(fd, head, whole)
                                       : server_answer(fd, head, data + len, SERVER_PIECE - len));
    }
    free(data);
    free(head);
    close(fd);
    return NULL;
}

/* A listening socket on 127.0.0.1 and its port; -1: errno says why. */
static int server_listen(uint16_t *port)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    if (listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 256) ||
        getsockname(listener, (struct sockaddr *)&a, &n)) {
        return -1;
    }
    *port = ntohs(a.sin_port);
    return listener;
}

/* Serves until the process ends. */
static void server_run(int listener)
{
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd)) {
            close(fd);
        } else {
            pthread_detach(thread);
        }
    }
}

#endif
