/* Sockets that somebody else has opened, such as a service manager. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "gateway/http_server.h"

pail_code pl_listen_address(int fd, char text[PL_LISTEN_ADDRESS_SIZE], struct pail_error **err)
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a, m = sizeof(int);
    int listens = 0;
    if (getsockname(fd, (struct sockaddr *)&a, &n) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &m) < 0) {
        return pl_fail_errno(err, errno, "descriptor %d", fd);
    }
    const void *of = a.ss_family == AF_INET    ? (void *)&((struct sockaddr_in *)&a)->sin_addr
                     : a.ss_family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)&a)->sin6_addr
                                               : NULL;
    if (!listens || !of || !inet_ntop(a.ss_family, of, text, PL_LISTEN_ADDRESS_SIZE)) {
        return pl_fail(err, PAIL_E_BAD_ARGUMENT,
                       "descriptor %d is no TCP socket that listens (ListenStream=ADDRESS:PORT)",
                       fd);
    }
    return PAIL_OK;
}

int pl_listen_copy(int fd, struct pail_error **err)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) {
        pl_fail_errno(err, errno, "taking a copy of descriptor %d", fd);
    }
    return copy;
}
