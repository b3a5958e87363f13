/* Helper programs that write keys or tokens. */
#ifndef PL_CRED_COMMAND_H
#define PL_CRED_COMMAND_H

#include "base/buf.h"
#include "base/error.h"

enum { PL_COMMAND_MS = 60000, PL_COMMAND_OUTPUT_MAX = 64 << 10 };

struct pl_command {
    struct pl_buf output; /* a secret; its maximum is PL_COMMAND_OUTPUT_MAX + 1 */
    int status;           /* 0: it ended well; -1: `number`, an errno, says why it did not */
    int number;
};

/* Runs a line of words with quotes as in a shell, by a shell where it needs one, and keeps what it
 * writes. Waits for it, PL_COMMAND_MS at most. */
void pl_command_run(const char *line, struct pl_command *out);
/* The error of a command that did not end well. who: "FILE line 3: the credential_process". */
pail_code pl_command_fail(const struct pl_command *c, const char *who, struct pail_error **err);

#endif
