/* Keys from a helper program. Source: AWS SDKs and Tools Reference Guide "Process credential
 * provider". */
#include <errno.h>

#include "base/sys.h"
#include "codec/json.h"
#include "cred/aws_walk.h"

enum { TIMEOUT_MS = 60000, OUTPUT_MAX = 64 << 10, WORDS_MAX = 64 };

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

void pl_aws_process_work(struct pl_errand *e)
{
    struct pl_aws_walk *w = (struct pl_aws_walk *)e;
    const char *shell[] = {"/bin/sh", "-c", w->plan.process, NULL};
    const char *words[WORDS_MAX + 1];
    bool by_shell = needs_shell(w->plan.process);
    char *line = by_shell ? NULL : pl_strdup(w->plan.process);
    w->status = -1;
    w->number = ENOMEM;
    char *room = pl_buf_reserve(&w->output, OUTPUT_MAX);
    if (room && (by_shell || line)) {
        if (by_shell || split(line, words)) {
            size_t len = 0;
            w->status = pl_sys.run(by_shell ? shell : words, TIMEOUT_MS, room, OUTPUT_MAX, &len);
            w->number = errno;
            w->output.len = len;
        } else {
            w->number = EINVAL;
        }
    }
    pl_free_secret(line); /* may hold a password */
}

static enum pl_errand_step fail(struct pl_aws_walk *w, struct pail_error **err)
{
    const struct pl_aws_entry *at = w->plan.at;
    char room[128];
    if (w->status > 0) {
        (void)pl_fail(err, PAIL_E_NO_CREDENTIALS,
                      "%s line %u: the credential_process ended with status %d", at->file, at->line,
                      w->status);
    } else if (w->number == ETIMEDOUT) {
        (void)pl_fail(err, PAIL_E_NO_CREDENTIALS,
                      "%s line %u: the credential_process was stopped after %d s", at->file,
                      at->line, TIMEOUT_MS / 1000);
    } else if (w->number == EFBIG) {
        (void)pl_fail(err, PAIL_E_NO_CREDENTIALS,
                      "%s line %u: the credential_process wrote more than 64 KiB", at->file,
                      at->line);
    } else {
        (void)pl_fail(err, w->number == ENOMEM ? PAIL_E_NO_MEMORY : PAIL_E_NO_CREDENTIALS,
                      "%s line %u: the credential_process cannot be run: %s", at->file, at->line,
                      w->number == EINVAL ? "a quote is not closed, or there are too many words"
                                          : pl_errno_text(w->number, room, sizeof room));
    }
    pl_error_hint(err, "run the command by hand");
    return PL_ERRAND_FAIL;
}

enum pl_errand_step pl_aws_process(struct pl_aws_walk *w, const struct pl_http_response *answer,
                                   struct pl_http_request *out, struct pail_error **err)
{
    json_t *root = NULL;
    uint64_t version = 0;
    (void)answer;
    (void)out;
    if (w->at == 0) {
        w->at = 1;
        w->output.max = OUTPUT_MAX + 1;
        return PL_ERRAND_WORK;
    }
    if (w->status != 0) {
        return fail(w, err);
    }
    pail_code rc = pl_json_parse(pl_buf_view(&w->output), "its output", &root, err);
    if (!rc && (!pl_json_u64(root, "Version", &version) || version != 1)) {
        rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "it wrote no \"Version\": 1");
    }
    pl_json_free_secret(root);
    rc = rc ? rc : pl_aws_take_json(w, pl_buf_view(&w->output), "SessionToken", err);
    pl_aws_wipe(&w->output);
    return rc ? PL_ERRAND_FAIL : PL_ERRAND_DONE;
}
