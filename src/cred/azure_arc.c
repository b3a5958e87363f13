/* How a machine that Azure Arc manages proves itself to its own agent: by a file that only its
 * administrators can read. Source: "Authenticate against Azure resources with Azure Arc-enabled
 * servers". */
#include <errno.h>

#include "base/sys.h"
#include "cred/azure_login.h"

enum { KEY_MAX = 4096 };

#define FOLDER "/var/opt/azcmagent/tokens/"

/* "Basic realm=/var/opt/azcmagent/tokens/NAME.key". Whoever answers must not choose another file to
 * be sent to him (CVE-2024-35255). */
static const char *key_file(struct pl_arena *arena, const struct pl_http_response *r)
{
    struct pl_str value = pl_str_trim(pl_http_header(r, "www-authenticate"));
    struct pl_str start = PL_STR("Basic realm="), folder = PL_STR(FOLDER);
    if (value.len <= start.len || !pl_str_ieq(pl_str_n(value.ptr, start.len), start)) {
        return NULL;
    }
    value = pl_str_n(value.ptr + start.len, value.len - start.len);
    if (value.len > 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"') {
        value = pl_str_n(value.ptr + 1, value.len - 2);
    }
    bool fine = pl_str_starts(value, folder) && pl_str_ends(value, PL_STR(".key")) &&
                value.len < 256 && !memchr(value.ptr + folder.len, '/', value.len - folder.len) &&
                !memchr(value.ptr, 0, value.len);
    return fine ? pl_arena_dup(arena, value) : NULL;
}

pail_code pl_azure_arc_prove(struct pl_azure_fetch *f, const struct pl_http_response *r,
                             struct pail_error **err)
{
    struct pl_arena arena = {0};
    size_t len = 0;
    char room[128];
    pail_code rc = PAIL_OK;
    char *key = NULL;
    const char *path = key_file(&arena, r);
    if (!path) {
        rc = pl_fail(err, arena.failed ? PAIL_E_NO_MEMORY : PAIL_E_NO_CREDENTIALS,
                     "managed identity of Azure Arc: the agent names no file of " FOLDER);
        goto out;
    }
    key = pl_sys_read_file(path, KEY_MAX, &len);
    struct pl_str text = pl_str_trim(pl_str_n(key ? key : "", len));
    if (!text.len || !pl_header_safe(text)) {
        rc =
            pl_fail(err, PAIL_E_NO_CREDENTIALS, "managed identity of Azure Arc: cannot read %s: %s",
                    path, key ? "it is no key" : pl_errno_text(errno, room, sizeof room));
        pl_error_hint(err, "its readers are root and the group himds");
        goto out;
    }
    f->proof.max = KEY_MAX + 16;
    pl_buf_puts(&f->proof, "Basic ");
    pl_buf_str(&f->proof, text);
    rc = pl_buf_rc(&f->proof) ? pl_fail(err, pl_buf_rc(&f->proof), "no room for a key") : PAIL_OK;
out:
    if (key) {
        pl_zero(key, len);
    }
    pl_free(key);
    pl_arena_dispose(&arena);
    return rc;
}
