#include "pump.h"

#include "cli.h"
#include "folder.h"
#include "mem.h"
#include "out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)1024 * 1024)

int64_t pump_read_input(void *buf, size_t n)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    while (!app.interrupted) {
        /* The time limit covers a signal that comes between the test and the wait. */
        int ready = poll(&input, 1, 500);
        ssize_t got = ready > 0 ? read(STDIN_FILENO, buf, n) : -1;
        if (got >= 0) {
            return got;
        }
        if (ready > 0 && errno != EINTR && errno != EAGAIN) {
            return -1;
        }
    }
    errno = EINTR;
    return -1;
}

static int64_t read_some(int fd, void *buf, size_t n)
{
    ssize_t got;
    do {
        got = read(fd, buf, n);
    } while (got < 0 && errno == EINTR && !app.interrupted);
    return got;
}

static int write_file(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, data, n);
        if (done < 0 && (errno != EINTR || app.interrupted)) {
            return errno;
        }
        if (done > 0) {
            data += done;
            n -= (size_t)done;
        }
    }
    return 0;
}

static int copy(struct pump *pump, int in, int out)
{
    char *chunk = mem_new(CHUNK);
    int error = 0;
    while (error == 0) {
        int64_t got =
            in == STDIN_FILENO ? pump_read_input(chunk, CHUNK) : read_some(in, chunk, CHUNK);
        if (got < 0) {
            pump->failed = PUMP_SOURCE;
            error = errno;
        }
        if (got <= 0) {
            break;
        }
        if (out == STDOUT_FILENO) {
            error = out_write_through(chunk, (size_t)got) ? 0 : EPIPE;
        } else {
            error = write_file(out, chunk, (size_t)got);
        }
        pump->failed = error != 0 ? PUMP_SINK : PUMP_NONE;
        pump->moved += (uint64_t)got;
        if (pump->progress != NULL) {
            pump->progress(pump->moved, pump->ctx);
        }
        error = error == 0 && app.interrupted ? EINTR : error;
    }
    mem_free(chunk);
    return error;
}

static void sync_folder(const char *path)
{
    char *folder = mem_text(path);
    char *slash = folder;
    for (char *p = folder; *p != '\0'; p++) {
        slash = *p == '/' ? p + 1 : slash;
    }
    *slash = '\0';
    int fd = open(*folder != '\0' ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    mem_free(folder);
}

/* A new file beside the target takes its name when it is whole. */
static int replace(struct pump *pump, int in, mode_t mode)
{
    char *temporary = folder_temporary(pump->to);
    int out = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    int error = out < 0 ? errno : copy(pump, in, out);
    if (out >= 0) {
        if (error == 0 && pump->sync && fsync(out) != 0) {
            error = errno;
        }
        if (close(out) != 0 && error == 0) {
            error = errno;
        }
        if (error == 0) {
            error = pump->no_clobber                   ? folder_claim(temporary, pump->to)
                    : rename(temporary, pump->to) != 0 ? errno
                                                       : 0;
        }
        if (error != 0) {
            unlink(temporary);
        } else if (pump->sync) {
            sync_folder(pump->to);
        }
    }
    if (error != 0 && pump->failed == PUMP_NONE) {
        pump->failed = PUMP_SINK;
    }
    mem_free(temporary);
    return error;
}

static int to_path(struct pump *pump, int in, const struct stat *source)
{
    struct stat target;
    bool there = stat(pump->to, &target) == 0;
    pump->failed = PUMP_SINK;
    if (there && pump->no_clobber) {
        return EEXIST;
    }
    if (there && S_ISDIR(target.st_mode)) {
        return EISDIR;
    }
    pump->failed = PUMP_NONE;
    if (there && !S_ISREG(target.st_mode)) {
        int out = open(pump->to, O_WRONLY | O_CLOEXEC);
        int error = out < 0 ? errno : copy(pump, in, out);
        if (out >= 0 && close(out) != 0 && error == 0) {
            error = errno;
        }
        return error;
    }
    return replace(pump, in, S_ISREG(source->st_mode) ? source->st_mode & 0777 : 0666);
}

int pump_run(struct pump *pump)
{
    struct stat source;
    int in = pump->from == NULL ? STDIN_FILENO : open(pump->from, O_RDONLY | O_CLOEXEC);
    if (in < 0 || fstat(in, &source) != 0) {
        pump->failed = PUMP_SOURCE;
        return errno;
    }
    int error = pump->to == NULL ? copy(pump, in, STDOUT_FILENO) : to_path(pump, in, &source);
    if (in != STDIN_FILENO) {
        close(in);
    }
    return error;
}
