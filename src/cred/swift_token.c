/* A token that something else provides: a file that is kept fresh, or a command that writes one. */
#include <errno.h>
#include <string.h>

#include "base/sys.h"
#include "cred/command.h"
#include "cred/swift_login.h"

enum { TOKEN_MAX = 64 * 1024 };

struct token_errand {
    struct pl_errand base; /* first */
    const char *path;      /* the settings'; NULL: `line` is run */
    const char *line;      /* the settings', perhaps with a password: never shown */
    pl_swift_login_fn give;
    void *ctx;
    bool worked;
    struct pl_command got; /* also of a file */
};

static void token_work(struct pl_errand *base)
{
    struct token_errand *e = (struct token_errand *)base;
    size_t len = 0;
    e->worked = true;
    if (e->line) {
        pl_command_run(e->line, &e->got);
        return;
    }
    errno = 0;
    char *text = pl_sys_read_file(e->path, TOKEN_MAX, &len);
    e->got.status = text ? 0 : -1;
    e->got.number = errno;
    if (text) {
        pl_buf_str(&e->got.output, pl_str_n(text, len));
        pl_zero(text, len);
    }
    pl_free(text);
}

/* A token is one word; what else a program may write, such as a warning or a table, is none. */
static struct pl_str find_token(const struct token_errand *e)
{
    struct pl_str token = pl_str_trim(pl_buf_view(&e->got.output));
    bool fine = token.len && pl_header_safe(token) && !memchr(token.ptr, ' ', token.len);
    return fine ? token : PL_STR("");
}

static enum pl_errand_step no_token(const struct token_errand *e, struct pail_error **err)
{
    char room[128];
    if (e->line && e->got.status) {
        pl_command_fail(&e->got, "os_auth_token_command", err);
    } else if (e->got.status) {
        pl_fail(err, PAIL_E_NO_CREDENTIALS, "os_auth_token_file: cannot read %s: %s", e->path,
                pl_errno_text(e->got.number, room, sizeof room));
    } else if (e->line) {
        pl_fail(err, PAIL_E_NO_CREDENTIALS,
                "os_auth_token_command wrote no token: one word is expected");
        pl_error_hint(err, "such as: openstack token issue -f value -c id");
    } else {
        pl_fail(err, PAIL_E_NO_CREDENTIALS,
                "os_auth_token_file: %s has no token in it: one word is expected", e->path);
    }
    return PL_ERRAND_FAIL;
}

static enum pl_errand_step token_next(struct pl_errand *base, int64_t now_ms,
                                      const struct pl_http_response *answer,
                                      struct pl_http_request *out, struct pail_error **err)
{
    struct token_errand *e = (struct token_errand *)base;
    (void)now_ms;
    (void)answer;
    (void)out;
    if (!e->worked) {
        return PL_ERRAND_WORK;
    }
    struct pl_str token = e->got.status ? PL_STR("") : find_token(e);
    if (!token.len) {
        return no_token(e, err);
    }
    char *text = pl_strndup(token.ptr, token.len);
    if (!text) {
        pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a token");
        return PL_ERRAND_FAIL;
    }
    struct pl_swift_login got = {.token = text};
    e->give(e->ctx, &got);
    pl_free_secret(text);
    return PL_ERRAND_DONE;
}

static void token_free(struct pl_errand *base)
{
    struct token_errand *e = (struct token_errand *)base;
    if (e->got.output.ptr) {
        pl_zero(e->got.output.ptr, e->got.output.len);
    }
    pl_buf_dispose(&e->got.output);
    pl_free(e);
}

struct pl_errand *pl_swift_token_errand(const char *path, const char *line, pl_swift_login_fn give,
                                        void *ctx, struct pail_error **err)
{
    struct token_errand *e = pl_calloc(1, sizeof *e);
    if (!e) {
        pl_fail(err, PAIL_E_NO_MEMORY, "no memory to log in");
        return NULL;
    }
    *e = (struct token_errand){.base = {.next = token_next, .work = token_work, .free = token_free},
                               .path = path,
                               .line = line,
                               .give = give,
                               .ctx = ctx,
                               .got = {.output = PL_BUF_MAX(PL_COMMAND_OUTPUT_MAX + 1)}};
    return &e->base;
}
