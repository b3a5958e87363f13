/* The protocols of sockets that are passed and of readiness, without a library.
 * Source: sd_listen_fds(3), "Notes"; sd_notify(3), "Notes" and "Well-known assignments". */
#include "systemd.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { SOCKETS_MAX = 64 };

static long number(const char *name)
{
    const char *text = getenv(name);
    char *end = NULL;
    long n = text != NULL ? strtol(text, &end, 10) : -1;
    return text != NULL && end != text && *end == '\0' ? n : -1;
}

static struct sockaddr_un notified = {.sun_family = AF_UNIX};
static size_t notified_length; /* of its path; 0: nobody is told */

/* "@..." is a name in the abstract space, which begins with a NUL. Programs that this one starts
 * have nothing to tell. */
static void take_notify_socket(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (path != NULL && (*path == '/' || *path == '@') && strlen(path) < sizeof notified.sun_path) {
        notified_length = strlen(path);
        memcpy(notified.sun_path, path, notified_length + 1);
        notified.sun_path[0] = *path == '@' ? '\0' : '/';
    }
    unsetenv("NOTIFY_SOCKET");
}

int systemd_sockets(void)
{
    take_notify_socket();
    long count = number("LISTEN_PID") == (long)getpid() ? number("LISTEN_FDS") : 0;
    count = count > 0 && count <= SOCKETS_MAX ? count : 0;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    for (int i = 0; i < count; i++) {
        (void)fcntl(SYSTEMD_FIRST + i, F_SETFD, FD_CLOEXEC);
    }
    return (int)count;
}

void systemd_tell(const char *state)
{
    int fd = notified_length > 0 ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    if (fd >= 0) {
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&notified,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + notified_length));
        close(fd);
    }
}

void systemd_tell_reloading(void)
{
    struct timespec now;
    char text[64];
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    systemd_tell(text);
}
