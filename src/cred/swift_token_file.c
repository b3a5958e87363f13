/* A token that something else keeps fresh in a file. */
#include <errno.h>

#include "base/sys.h"
#include "cred/swift_login.h"

enum { TOKEN_MAX = 64 * 1024 };

struct file_errand {
    struct pl_errand base; /* first */
    const char *path;      /* the settings' */
    pl_swift_login_fn give;
    void *ctx;
    bool read;
    char *text; /* NULL: number says why */
    size_t len;
    int number;
};

static void file_work(struct pl_errand *base)
{
    struct file_errand *e = (struct file_errand *)base;
    errno = 0;
    e->text = pl_sys_read_file(e->path, TOKEN_MAX, &e->len);
    e->number = errno;
    e->read = true;
}

static enum pl_errand_step file_next(struct pl_errand *base, int64_t now_ms,
                                     const struct pl_http_response *answer,
                                     struct pl_http_request *out, struct pail_error **err)
{
    struct file_errand *e = (struct file_errand *)base;
    (void)now_ms;
    (void)answer;
    (void)out;
    if (!e->read) {
        return PL_ERRAND_WORK;
    }
    if (!e->text) {
        char room[128];
        pl_fail(err, PAIL_E_NO_CREDENTIALS, "os_auth_token_file: cannot read %s: %s", e->path,
                pl_errno_text(e->number, room, sizeof room));
        return PL_ERRAND_FAIL;
    }
    struct pl_str token = pl_str_trim(pl_str_n(e->text, e->len));
    if (!token.len || !pl_header_safe(token)) {
        pl_fail(err, PAIL_E_NO_CREDENTIALS, "os_auth_token_file: %s has no token in it", e->path);
        return PL_ERRAND_FAIL;
    }
    e->text[(size_t)(token.ptr - e->text) + token.len] = '\0';
    struct pl_swift_login got = {.token = token.ptr};
    e->give(e->ctx, &got);
    return PL_ERRAND_DONE;
}

static void file_free(struct pl_errand *base)
{
    struct file_errand *e = (struct file_errand *)base;
    if (e->text) {
        pl_zero(e->text, e->len);
    }
    pl_free(e->text);
    pl_free(e);
}

struct pl_errand *pl_swift_file_errand(const char *path, pl_swift_login_fn give, void *ctx,
                                       struct pail_error **err)
{
    struct file_errand *e = pl_calloc(1, sizeof *e);
    if (!e) {
        pl_fail(err, PAIL_E_NO_MEMORY, "no memory to log in");
        return NULL;
    }
    *e = (struct file_errand){.base = {.next = file_next, .work = file_work, .free = file_free},
                              .path = path,
                              .give = give,
                              .ctx = ctx};
    return &e->base;
}
