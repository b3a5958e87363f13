/* Messages on standard error and the exit status that goes with them. */
#ifndef PAIL_CLI_FAIL_H
#define PAIL_CLI_FAIL_H

#include <pail.h>

/* The exit status of a code (exit.c): the numbers that scripts rely on. */
int exit_status(pail_code code);

/* "pail: COMMAND: MESSAGE" and a hint at the help. Returns 2. */
int fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "pail: COMMAND: SUBJECT: what went wrong (service code, HTTP status, request id)", then the hint.
 * subject: a URL or path, or NULL. Returns the exit status. Prints nothing after an interrupt. */
int fail_error(const char *subject, const pail_error *err);
/* The same for a system error. Returns 4 for a missing file, 5 for access, 6 for "exists", else
 * `otherwise`. */
int fail_errno(const char *subject, int error_number, int otherwise);
/* A message of our own, its code for --json, and a hint or NULL. Returns exit_status(code). */
int fail_with(pail_code code, const char *subject, const char *message, const char *hint);
/* Something worth knowing that is no failure; not with -q. */
void fail_note(const char *subject, const char *message);
/* Says how many messages were left out after the first ten of a command on many objects. */
void fail_finish(void);

/* The results of many operations. */
struct tally {
    uint64_t done, failed, skipped, bytes;
    int status; /* of the failures: the common one, or 1 */
};
void tally_add(struct tally *tally, int status);
/* 0 when none failed; their common exit status; 1 where only some failed or they differ. */
int tally_status(const struct tally *tally);

#endif
