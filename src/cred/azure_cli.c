/* The token of whoever is logged in with the az command. Source: Azure CLI reference "az account
 * get-access-token". */
#include <errno.h>
#include <time.h>

#include "base/sys.h"
#include "codec/date.h"
#include "codec/json.h"
#include "cred/azure_login.h"

enum { OUTPUT_MAX = 64 * 1024, TIMEOUT_MS = 20000, NOT_FOUND = 127 };

/* az writes on its standard error what would otherwise stand in the middle of a program's own; the
 * words are fixed, the shell only sends that away. */
void pl_azure_cli_work(struct pl_errand *e)
{
    struct pl_azure_fetch *f = (struct pl_azure_fetch *)e;
    const char *tenant = f->login->tenant;
    const char *words[] = {"/bin/sh",
                           "-c",
                           "exec az \"$@\" 2>/dev/null",
                           "sh",
                           "account",
                           "get-access-token",
                           "--output",
                           "json",
                           "--resource",
                           PL_AZURE_RESOURCE,
                           tenant ? "--tenant" : NULL,
                           tenant,
                           NULL};
    f->status = -1;
    f->number = ENOMEM;
    f->output.max = OUTPUT_MAX + 1;
    char *room = pl_buf_reserve(&f->output, OUTPUT_MAX);
    if (room) {
        size_t len = 0;
        f->status = pl_sys.run(words, TIMEOUT_MS, room, OUTPUT_MAX, &len);
        f->number = errno;
        f->output.len = len;
    }
}

/* "2026-01-02 03:04:05.000000", in the machine's time zone: what az wrote before it had
 * expires_on. */
static bool local_time(const char *text, int64_t *ms)
{
    static const char form[] = "dddd-dd-dd dd:dd:dd";
    struct tm t = {.tm_isdst = -1};
    const struct {
        size_t at, len;
        int *to;
    } fields[] = {{0, 4, &t.tm_year},  {5, 2, &t.tm_mon},  {8, 2, &t.tm_mday},
                  {11, 2, &t.tm_hour}, {14, 2, &t.tm_min}, {17, 2, &t.tm_sec}};
    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        bool fine = form[i] == 'd' ? digit : text[i] == form[i] || (i == 10 && text[i] == 'T');
        if (!fine) { /* also at the end of a shorter text */
            return false;
        }
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        uint64_t n = 0;
        (void)pl_str_u64(pl_str_n(text + fields[i].at, fields[i].len), &n);
        *fields[i].to = (int)n;
    }
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    time_t at = mktime(&t);
    *ms = (int64_t)at * 1000;
    return at != (time_t)-1;
}

static bool expiry(const json_t *root, int64_t *ms)
{
    uint64_t at = 0;
    const char *text = pl_json_text(root, "expiresOn");
    if (pl_json_u64(root, "expires_on", &at) && at < (UINT64_C(1) << 40)) {
        *ms = (int64_t)at * 1000;
        return true;
    }
    return text && (pl_date_iso_parse(pl_str_c(text), ms) || local_time(text, ms));
}

static pail_code blame(const struct pl_azure_fetch *f, struct pail_error **err)
{
    char room[128];
    if (f->status == NOT_FOUND || (f->status < 0 && f->number == ENOENT)) {
        return pl_fail(err, PAIL_E_NO_CREDENTIALS, "az command: it is not in the PATH");
    }
    if (f->status > 0) {
        return pl_fail(err, PAIL_E_NO_CREDENTIALS,
                       "az command: it ended with status %d, as where nobody is logged in",
                       f->status);
    }
    if (f->number == ETIMEDOUT) {
        return pl_fail(err, PAIL_E_NO_CREDENTIALS, "az command: it was stopped after %d s",
                       TIMEOUT_MS / 1000);
    }
    if (f->number == EFBIG) {
        return pl_fail(err, PAIL_E_NO_CREDENTIALS, "az command: it wrote more than 64 KiB");
    }
    return pl_fail(err, f->number == ENOMEM ? PAIL_E_NO_MEMORY : PAIL_E_NO_CREDENTIALS,
                   "az command: it cannot be run: %s", pl_errno_text(f->number, room, sizeof room));
}

pail_code pl_azure_cli_take(struct pl_azure_fetch *f, int64_t now_ms, struct pail_error **err)
{
    json_t *root = NULL;
    int64_t expires_ms = 0;
    pail_code rc = f->status ? blame(f, err) : PAIL_OK;
    if (!rc && pl_json_parse(pl_buf_view(&f->output), "its output", &root, NULL)) {
        rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "az command: its output is no JSON");
    }
    const char *token = rc ? NULL : pl_json_text(root, "accessToken");
    if (!rc && (!token || !*token || !pl_header_safe(pl_str_c(token)))) {
        rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "az command: its output has no accessToken");
    }
    if (!rc && !expiry(root, &expires_ms)) {
        rc = pl_fail(err, PAIL_E_NO_CREDENTIALS,
                     "az command: its output has no expires_on or expiresOn");
    }
    if (!rc && expires_ms <= now_ms) {
        rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "az command: its token has expired already");
    }
    rc = rc ? rc : pl_azure_login_keep(f->login, token, expires_ms, err);
    pl_json_free_secret(root);
    pl_azure_wipe(&f->output);
    return rc;
}
