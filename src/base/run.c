/* Helper programs: started, watched, ended. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"

extern char **environ;

enum { LOOK_MS = 10 }; /* between looks whether a helper that closed its output has ended */

/* Its own process group, no blocked signals, input from nowhere, output into the pipe. Returns an
 * errno. */
static int spawn(const char *const *argv, int out, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    int number = posix_spawn_file_actions_init(&files);
    if (number) {
        return number;
    }
    number = posix_spawnattr_init(&attr);
    if (!number) {
        (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                  POSIX_SPAWN_SETSIGDEF);
        (void)posix_spawnattr_setpgroup(&attr, 0);
        (void)posix_spawnattr_setsigmask(&attr, &none);
        (void)posix_spawnattr_setsigdefault(&attr, &usual);
        number = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
        number = number ? number : posix_spawn_file_actions_adddup2(&files, out, 1);
        /* posix_spawn changes none of the strings. */
        number = number ? number
                        : posix_spawnp(pid, argv[0], &files, &attr, (char *const *)(uintptr_t)argv,
                                       environ);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&files);
    return number;
}

static int64_t left_ms(int64_t end_ns)
{
    int64_t left = (end_ns - pl_sys.mono_ns() + 999999) / 1000000;
    return left > 0 ? left : 0;
}

/* Reads to the end of the output. Returns an errno. */
static int drain(int fd, int64_t end_ns, char *out, size_t room, size_t *len)
{
    for (;;) {
        char beyond;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left = left_ms(end_ns);
        int ready = left ? poll(&p, 1, left < 1000000 ? (int)left : 1000000) : 0;
        if (ready == 0 && !left_ms(end_ns)) {
            return ETIMEDOUT;
        }
        if (ready <= 0) {
            if (ready < 0 && errno != EINTR) {
                return errno;
            }
            continue;
        }
        bool full = *len == room;
        ssize_t n = pl_sys.read(fd, full ? &beyond : out + *len, full ? 1 : room - *len);
        if (n <= 0) {
            return n < 0 ? errno : 0;
        }
        if (full) {
            return EFBIG;
        }
        *len += (size_t)n;
    }
}

/* Its exit status; -1: not within the time. */
static int reap(pid_t pid, int64_t end_ns)
{
    for (;;) {
        int status = 0;
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        if (got < 0 && errno != EINTR) {
            return 0; /* the program has SIGCHLD ignored: the output has to tell */
        }
        if (!left_ms(end_ns)) {
            return -1;
        }
        (void)poll(NULL, 0, LOOK_MS);
    }
}

int pl_sys_run(const char *const *argv, int64_t timeout_ms, char *out, size_t room, size_t *len)
{
    int64_t end_ns = pl_sys.mono_ns() + timeout_ms * 1000000;
    int ends[2];
    pid_t pid = 0;
    *len = 0;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return -1;
    }
    int number = spawn(argv, ends[1], &pid);
    (void)pl_sys.close(ends[1]);
    int status = -1;
    if (!number) {
        number = drain(ends[0], end_ns, out, room, len);
        status = number ? -1 : reap(pid, end_ns);
        if (status < 0) {
            number = number ? number : ETIMEDOUT;
            (void)kill(-pid, SIGKILL);
            (void)reap(pid, pl_sys.mono_ns() + INT64_C(1000000000));
        }
    }
    (void)pl_sys.close(ends[0]);
    errno = number;
    return number ? -1 : status;
}
