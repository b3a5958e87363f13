/* The one seam to the machine: clocks, random, environment, files. Tests replace entries to fail,
 * record or cut. */
#ifndef PL_BASE_SYS_H
#define PL_BASE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct statfs;

/* Entries behave as the system call of that name (-1 and errno), restarted after EINTR. */
struct pl_sys {
    int64_t (*wall_ms)(void); /* Unix time */
    int64_t (*mono_ns)(void);
    /* Asked by a loop that waits only for a moment `ms` away: how long to really wait. A clock of
     * tests moves on by ms and answers 0. */
    int64_t (*wait_ms)(int64_t ms);
    bool (*random)(void *buf, size_t n);
    const char *(*env)(const char *name); /* NULL: unset or empty */

    int (*open)(int dir, const char *path, int flags, mode_t mode); /* O_CLOEXEC is added */
    int (*close)(int fd);
    ssize_t (*read)(int fd, void *buf, size_t n);
    ssize_t (*write)(int fd, const void *buf, size_t n);
    ssize_t (*pread)(int fd, void *buf, size_t n, off_t offset);
    ssize_t (*pwrite)(int fd, const void *buf, size_t n, off_t offset);
    int (*fsync)(int fd);
    int (*fdatasync)(int fd);
    int (*ftruncate)(int fd, off_t size);
    int (*fallocate)(int fd, off_t size); /* from 0; EOPNOTSUPP where the file system cannot */
    int (*sync_range)(int fd, off_t offset, off_t n); /* starts writing back, does not wait */
    int (*direct)(int fd, bool on); /* past the page cache; EINVAL where that cannot be */
    int (*stat)(int dir, const char *path, struct stat *st, int flags);
    int (*fstat)(int fd, struct stat *st);
    int (*mkdir)(int dir, const char *path, mode_t mode);
    int (*rename)(int old_dir, const char *old_path, int new_dir, const char *new_path,
                  unsigned flags);
    int (*link)(int old_dir, const char *old_path, int new_dir, const char *new_path, int flags);
    int (*unlink)(int dir, const char *path, int flags);
    int (*touch)(int fd);           /* modified now, to the nanosecond */
    int (*clone)(int to, int from); /* the same bytes without copying them; fails where it cannot */
    ssize_t (*listxattr)(int fd, char *names, size_t size);
    ssize_t (*getxattr)(int fd, const char *name, void *value, size_t size);
    int (*setxattr)(int fd, const char *name, const void *value, size_t size);
    int (*removexattr)(int fd, const char *name);

    /* POSIX record lock of this process on n bytes from `at`: F_RDLCK, F_WRLCK or F_UNLCK. Closing
     * any descriptor of the file drops all of them. */
    int (*lock)(int fd, int type, bool wait, off_t at, off_t n);
    int (*lock_held)(int fd, off_t at); /* 1: another process holds a lock there, 0: none does */
    int (*fstatfs)(int fd, struct statfs *st);

    /* Runs a helper program (found by PATH) and waits for it, at most timeout_ms: then it and what
     * it started in its process group is killed. Its input is empty, its standard error ours; what
     * it writes goes to out, at most `room` bytes. The exit status (128 and more: a signal), or -1
     * with errno: ETIMEDOUT, EFBIG, or why it could not be started. */
    int (*run)(const char *const *argv, int64_t timeout_ms, char *out, size_t room, size_t *len);
};
extern struct pl_sys pl_sys;

/* run.c: the entry as it is */
int pl_sys_run(const char *const *argv, int64_t timeout_ms, char *out, size_t room, size_t *len);

/* All n bytes or an error: false with errno (0 for an early end of file). */
bool pl_sys_read_full(int fd, void *buf, size_t n, uint64_t offset);
bool pl_sys_write_full(int fd, const void *buf, size_t n, uint64_t offset);
/* Reads a whole small file; NULL with errno, EFBIG beyond max. The result is NUL-terminated,
 * pl_free. */
char *pl_sys_read_file(const char *path, size_t max, size_t *len);
/* Calls each(name, ctx) for the entries of a folder but "." and "..", in no order, until it says
 * false. False with errno (0: each said false). */
bool pl_sys_list(int dir, const char *path, bool (*each)(const char *name, void *ctx), void *ctx);

enum pl_entry { PL_ENTRY_FILE, PL_ENTRY_FOLDER, PL_ENTRY_OTHER };
/* As pl_sys_list for the folder open at `dir`, and tells what each entry is; links are not
 * followed.
 */
bool pl_sys_scan(int dir, bool (*each)(const char *name, enum pl_entry kind, void *ctx), void *ctx);

/* Counts forks: a handle remembers the count at its making and compares. */
unsigned pl_fork_count(void);

#endif
