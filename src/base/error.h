/* What went wrong, in full: set once, where it is detected. */
#ifndef PL_BASE_ERROR_H
#define PL_BASE_ERROR_H

#include "base/buf.h"

/* Strings are owned; NULL means empty. Made only by pl_fail. */
struct pail_error {
    pail_code code;
    char *message, *hint;
    char *service_code, *request_id, *operation, *bucket, *key, *endpoint;
    int http_status, attempts;
    bool retryable, maybe_applied;
    bool is_static; /* the one that stands for PAIL_E_NO_MEMORY */
};

/* Sets *err (when err is not NULL and *err is NULL) and returns the code, so that callers write
 * `return pl_fail(...)`. The message is one line without a final period: what, where, why. */
pail_code pl_fail(struct pail_error **err, pail_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* As pl_fail with what the system said of errno value `number`. ENOSPC, EDQUOT: no_space; ENOMEM:
 * no_memory; EACCES, EPERM, EROFS: forbidden; else io. */
pail_code pl_fail_errno(struct pail_error **err, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds what to try. Does nothing where there is no error or it has a hint. */
void pl_error_hint(struct pail_error **err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Adds the operation and the names it was about, each unless set already; any may be NULL. */
void pl_error_context(struct pail_error *err, const char *operation, const char *bucket,
                      const char *key);
/* Replaces one owned string field: pl_error_set(&err->request_id, text). */
void pl_error_set(char **field, struct pl_str text);
/* Whether a retry of the same call may succeed, by code alone. */
bool pl_code_retryable(pail_code code);
/* A text for an errno value; writes into and returns room. */
const char *pl_errno_text(int number, char *room, size_t size);
struct pail_error *pl_error_dup(const struct pail_error *err);

/* A broken invariant of ours, never an error of a caller or a server. Checked in test builds only.
 */
#ifdef PL_CHECKS
#define PL_ASSERT(x) ((x) ? (void)0 : __builtin_trap())
#else
#define PL_ASSERT(x) ((void)0)
#endif

#endif
