/* Running a helper program. Source: AWS SDKs and Tools Reference Guide "Process credential
 * provider", whose lines most tools hand to a shell. */
#include "cred/command.h"

#include <errno.h>
#include <string.h>

#include "base/sys.h"

enum { WORDS_MAX = 64 };

/* Whether the line needs a shell: most of the AWS tools always use one, botocore never does. Ours
 * is used only where plain words with quotes would not do. */
static bool needs_shell(const char *line)
{
    char quote = 0;
    for (const char *c = line; *c; c++) {
        if (quote) {
            if (quote == '"' && (*c == '$' || *c == '`')) {
                return true;
            }
            quote = *c == quote ? 0 : quote;
        } else if (*c == '"' || *c == '\'') {
            quote = *c;
        } else if (strchr("|&;<>()$`*?[~#\n", *c)) {
            return true;
        } else if (*c == '\\' && c[1]) {
            c++;
        }
    }
    return false;
}

/* Splits a line into words in place; quotes and backslashes as in a shell. False: a quote is not
 * closed, or there are too many words. */
static bool split(char *line, const char **words)
{
    size_t count = 0;
    char *to = line;
    for (char *c = line; *c;) {
        while (*c == ' ' || *c == '\t') {
            c++;
        }
        if (!*c) {
            break;
        }
        if (count == WORDS_MAX) {
            return false;
        }
        char quote = 0;
        words[count++] = to;
        for (; *c && (quote || (*c != ' ' && *c != '\t')); c++) {
            if (quote ? *c == quote : *c == '"' || *c == '\'') {
                quote = quote ? 0 : *c;
            } else {
                c += *c == '\\' && quote != '\'' && c[1] ? 1 : 0;
                *to++ = *c;
            }
        }
        if (quote) {
            return false;
        }
        bool more = *c != '\0';
        *to++ = '\0';
        c += more;
        if (!more) {
            break;
        }
    }
    words[count] = NULL;
    return count > 0;
}

void pl_command_run(const char *line, struct pl_command *out)
{
    const char *shell[] = {"/bin/sh", "-c", line, NULL};
    const char *words[WORDS_MAX + 1];
    bool by_shell = needs_shell(line);
    char *copy = by_shell ? NULL : pl_strdup(line);
    char *room = pl_buf_reserve(&out->output, PL_COMMAND_OUTPUT_MAX);
    out->status = -1;
    out->number = ENOMEM;
    if (room && (by_shell || copy)) {
        if (by_shell || split(copy, words)) {
            size_t len = 0;
            out->status = pl_sys.run(by_shell ? shell : words, PL_COMMAND_MS, room,
                                     PL_COMMAND_OUTPUT_MAX, &len);
            out->number = errno;
            out->output.len = len;
        } else {
            out->number = EINVAL;
        }
    }
    pl_free_secret(copy); /* may hold a password */
}

pail_code pl_command_fail(const struct pl_command *c, const char *who, struct pail_error **err)
{
    char room[128];
    pail_code rc = PAIL_E_NO_CREDENTIALS;
    if (c->status > 0) {
        rc = pl_fail(err, rc, "%s ended with status %d", who, c->status);
    } else if (c->number == ETIMEDOUT) {
        rc = pl_fail(err, rc, "%s was stopped after %d s", who, PL_COMMAND_MS / 1000);
    } else if (c->number == EFBIG) {
        rc = pl_fail(err, rc, "%s wrote more than 64 KiB", who);
    } else {
        rc = pl_fail(err, c->number == ENOMEM ? PAIL_E_NO_MEMORY : rc, "%s cannot be run: %s", who,
                     c->number == EINVAL ? "a quote is not closed, or there are too many words"
                                         : pl_errno_text(c->number, room, sizeof room));
    }
    pl_error_hint(err, "run the command by hand");
    return rc;
}
