/* The server of ../server.h as a program, for benchmarks that are not in C: prints its port, then
 * serves until it or its parent ends. */
#include <signal.h>
#include <sys/prctl.h>

#include "../server.h"

int main(void)
{
    uint16_t port = 0;
    int listener = server_listen(&port);
    if (listener < 0) {
        perror("answers");
        return 1;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    printf("%u\n", port);
    fflush(stdout);
    server_run(listener);
    return 0;
}
