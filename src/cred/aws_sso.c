/* Keys of single sign-on, by the token that `aws sso login` left. Source: AWS SDKs and Tools
 * Reference Guide "IAM Identity Center credential provider"; the portal's "GetRoleCredentials";
 * OIDC "CreateToken". */
#include <errno.h>
#include <fcntl.h>

#include "base/sys.h"
#include "codec/date.h"
#include "codec/digest.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/url.h"
#include "cred/aws_walk.h"

enum { CACHE_MAX = 64 << 10, AHEAD_MS = 5 * 60 * 1000 };
enum { START, REFRESH, ROLE }; /* what the answer is of */

static void hint_login(const struct pl_aws_walk *w, struct pail_error **err)
{
    pl_error_hint(err, "run: aws sso login --profile %s", w->plan.profile);
}

/* ~/.aws/sso/cache/SHA1.json, of the session's name or else of the start URL. */
static pail_code cache_path(struct pl_aws_walk *w, struct pl_buf *path, struct pail_error **err)
{
    const char *home = pl_aws_env_get(w->env, "HOME");
    const char *name = w->plan.sso_session ? w->plan.sso_session : w->plan.sso_start_url;
    struct pl_sum_value sum;
    char hex[41];
    if (!home) {
        return pl_fail(err, PAIL_E_NO_CREDENTIALS,
                       "HOME is not set, so nobody knows where the token of %s is", name);
    }
    pail_code rc = pl_sum_of(PL_SUM_SHA1, name, strlen(name), &sum, err);
    if (!rc) {
        pl_hex_encode(hex, sum.bytes, sum.len);
        pl_buf_printf(path, "%s/.aws/sso/cache/%s.json", home, hex);
        rc = pl_buf_rc(path) ? pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a path") : PAIL_OK;
    }
    return rc;
}

static pail_code read_cache(struct pl_aws_walk *w, const char *path, json_t **out,
                            struct pail_error **err)
{
    size_t len = 0;
    char room[128];
    char *text = pl_sys_read_file(path, CACHE_MAX, &len);
    if (!text) {
        pail_code rc = pl_fail(err, errno == ENOMEM ? PAIL_E_NO_MEMORY : PAIL_E_NO_CREDENTIALS,
                               "there is no token of single sign-on: cannot read %s: %s", path,
                               pl_errno_text(errno, room, sizeof room));
        hint_login(w, err);
        return rc;
    }
    pail_code rc = pl_json_parse(pl_str_n(text, len), path, out, err);
    pl_zero(text, len);
    pl_free(text);
    return rc;
}

/* ---- The token */

static int64_t date_of(const json_t *root, const char *member)
{
    int64_t ms = 0;
    const char *text = pl_json_text(root, member);
    return text && pl_date_iso_parse(pl_str_c(text), &ms) ? ms : 0;
}

static bool can_refresh(const struct pl_aws_walk *w, const json_t *cache)
{
    return w->plan.sso_session && pl_json_text(cache, "refreshToken") &&
           pl_json_text(cache, "clientId") && pl_json_text(cache, "clientSecret") &&
           date_of(cache, "registrationExpiresAt") > w->now_ms;
}

static pail_code ask_refresh(struct pl_aws_walk *w, const json_t *cache,
                             struct pl_http_request *out, struct pail_error **err)
{
    struct pl_buf url = PL_BUF_MAX(4096), body = PL_BUF_MAX(CACHE_MAX);
    static const char *const members[] = {"clientId", "clientSecret", "refreshToken"};
    bool plain = true;
    pl_buf_puts(&body, "{\"grantType\":\"refresh_token\"");
    for (size_t i = 0; i < 3; i++) {
        pl_buf_printf(&body, ",\"%s\":", members[i]);
        plain &= pl_json_quote(&body, pl_str_c(pl_json_text(cache, members[i])));
    }
    pl_buf_putc(&body, '}');
    pail_code rc = plain ? pl_aws_service_url(w, "sso_oidc", "oidc", w->plan.sso_region, &url, err)
                         : pl_fail(err, PAIL_E_NO_CREDENTIALS, "the cached token is no text");
    rc = rc ? rc : pl_aws_ask(out, "POST", url.ptr, "/token", err);
    if (!rc) {
        pl_http_add_c(out, "content-type", "application/json");
        pl_http_set_text(out, pl_buf_view(&body));
        rc = pl_buf_rc(&body) || out->failed
                 ? pl_fail(err, PAIL_E_NO_MEMORY, "no memory to renew a token")
                 : PAIL_OK;
    }
    pl_buf_dispose(&url);
    pl_aws_wipe(&body);
    return rc;
}

static int add_piece(const char *piece, size_t n, void *to)
{
    pl_buf_add(to, piece, n);
    return 0;
}

/* The new token, where the AWS tools will find it too: refresh tokens are good once. What cannot
 * be written is only kept here. */
static void write_cache(const char *path, const json_t *cache)
{
    struct pl_buf temp = PL_BUF_MAX(8192), text = PL_BUF_MAX(CACHE_MAX);
    pl_buf_printf(&temp, "%s.pail", path);
    bool made = json_dump_callback(cache, add_piece, &text, JSON_INDENT(2)) == 0 &&
                !pl_buf_rc(&text) && !pl_buf_rc(&temp);
    int fd = made ? pl_sys.open(AT_FDCWD, temp.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600)
                  : -1;
    if (fd >= 0) {
        bool written = pl_sys_write_full(fd, text.ptr, text.len, 0);
        (void)pl_sys.close(fd);
        if (!written || pl_sys.rename(AT_FDCWD, temp.ptr, AT_FDCWD, path, 0) < 0) {
            (void)pl_sys.unlink(AT_FDCWD, temp.ptr, 0);
        }
    }
    pl_aws_wipe(&text);
    pl_buf_dispose(&temp);
}

static pail_code keep_token(struct pl_aws_walk *w, const json_t *root, struct pail_error **err)
{
    struct pl_str token = pl_str_c(pl_json_text(root, "accessToken"));
    pl_aws_wipe(&w->secret);
    pl_buf_str(&w->secret, token);
    if (!token.len || !pl_header_safe(token)) {
        pail_code rc = pl_fail(err, PAIL_E_NO_CREDENTIALS,
                               "the token of single sign-on is not there or no text");
        hint_login(w, err);
        return rc;
    }
    return pl_buf_rc(&w->secret) ? pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a token")
                                 : PAIL_OK;
}

/* ---- The keys */

static enum pl_errand_step ask_role(struct pl_aws_walk *w, struct pl_http_request *out,
                                    struct pail_error **err)
{
    struct pl_buf url = PL_BUF_MAX(4096), query = PL_BUF_MAX(4096), path = PL_BUF_MAX(8192);
    pl_url_query_add(&query, "account_id", pl_str_c(w->plan.sso_account));
    pl_url_query_add(&query, "role_name", pl_str_c(w->plan.sso_role));
    pl_buf_printf(&path, "/federation/credentials?%s", query.ptr ? query.ptr : "");
    pail_code rc = pl_buf_rc(&query) || pl_buf_rc(&path)
                       ? pl_fail(err, PAIL_E_NO_MEMORY, "no memory to ask for keys")
                       : pl_aws_service_url(w, "sso", "portal.sso", w->plan.sso_region, &url, err);
    rc = rc ? rc : pl_aws_ask(out, "GET", url.ptr, path.ptr, err);
    if (!rc) {
        pl_http_add(out, "x-amz-sso_bearer_token", pl_buf_view(&w->secret));
        w->at = ROLE;
    }
    pl_buf_dispose(&url);
    pl_buf_dispose(&query);
    pl_buf_dispose(&path);
    return rc ? PL_ERRAND_FAIL : PL_ERRAND_SEND;
}

static enum pl_errand_step start(struct pl_aws_walk *w, struct pl_http_request *out,
                                 struct pail_error **err)
{
    json_t *cache = NULL;
    if (!w->plan.sso_account) {
        (void)pl_fail(err, PAIL_E_NO_CREDENTIALS,
                      "%s line %u: profile %s names no sso_account_id and sso_role_name, so there "
                      "is a token but no keys",
                      w->plan.at->file, w->plan.at->line, w->plan.profile);
        return PL_ERRAND_FAIL;
    }
    pl_buf_clear(&w->text);
    pail_code rc = cache_path(w, &w->text, err);
    rc = rc ? rc : read_cache(w, w->text.ptr, &cache, err);
    if (rc) {
        return PL_ERRAND_FAIL;
    }
    enum pl_errand_step next = PL_ERRAND_FAIL;
    int64_t expires_ms = date_of(cache, "expiresAt");
    bool alive = expires_ms > w->now_ms;
    if (w->at == START && expires_ms - AHEAD_MS <= w->now_ms && can_refresh(w, cache)) {
        w->at = REFRESH;
        next = ask_refresh(w, cache, out, err) ? PL_ERRAND_FAIL : PL_ERRAND_SEND;
    } else if (!alive) {
        (void)pl_fail(err, PAIL_E_NO_CREDENTIALS, "the token of single sign-on has expired (%s)",
                      w->text.ptr);
        hint_login(w, err);
    } else if (!keep_token(w, cache, err)) {
        next = ask_role(w, out, err);
    }
    pl_json_free_secret(cache);
    return next;
}

static void put_text(json_t *cache, const char *member, const char *value)
{
    if (value) {
        (void)json_object_set_new(cache, member, json_string(value));
    }
}

/* SPEC OIDC "CreateToken": accessToken, expiresIn in seconds, perhaps a new refreshToken. */
static enum pl_errand_step refreshed(struct pl_aws_walk *w, const struct pl_http_response *answer,
                                     struct pl_http_request *out, struct pail_error **err)
{
    json_t *root = NULL, *cache = NULL;
    uint64_t seconds = 0;
    char date[PL_DATE_ISO_SIZE];
    enum pl_errand_step next = PL_ERRAND_FAIL;
    if (answer->fail || answer->status != 200 ||
        pl_json_parse(pl_buf_view(&answer->body), "the token endpoint's answer", &root, NULL) ||
        !pl_json_text(root, "accessToken") || !pl_json_u64(root, "expiresIn", &seconds) ||
        seconds > UINT32_MAX) {
        pl_json_free_secret(root);
        return start(w, out, err); /* the old one may still do; else it says how to log in */
    }
    if (!read_cache(w, w->text.ptr, &cache, err)) {
        put_text(cache, "accessToken", pl_json_text(root, "accessToken"));
        put_text(cache, "refreshToken", pl_json_text(root, "refreshToken"));
        put_text(cache, "expiresAt", pl_date_iso(w->now_ms + (int64_t)seconds * 1000, date));
        write_cache(w->text.ptr, cache);
        next = keep_token(w, root, err) ? PL_ERRAND_FAIL : ask_role(w, out, err);
    }
    pl_json_free_secret(cache);
    pl_json_free_secret(root);
    return next;
}

static enum pl_errand_step keys(struct pl_aws_walk *w, const struct pl_http_response *answer,
                                struct pail_error **err)
{
    json_t *root = NULL;
    uint64_t expires_ms = 0;
    if (answer->fail || answer->status != 200) {
        (void)pl_aws_blame(answer, "GetRoleCredentials", (struct pl_str){0}, err);
        if (answer->status == 401) {
            hint_login(w, err);
        }
        return PL_ERRAND_FAIL;
    }
    pail_code rc = pl_json_parse(pl_buf_view(&answer->body), "its answer", &root, err);
    if (!rc) {
        const json_t *made = json_object_get(root, "roleCredentials");
        (void)pl_json_u64(made, "expiration", &expires_ms);
        rc = pl_aws_take(w, pl_str_c(pl_json_text(made, "accessKeyId")),
                         pl_str_c(pl_json_text(made, "secretAccessKey")),
                         pl_str_c(pl_json_text(made, "sessionToken")),
                         expires_ms < INT64_MAX ? (int64_t)expires_ms : INT64_MAX, err);
    }
    pl_json_free_secret(root);
    return rc ? PL_ERRAND_FAIL : PL_ERRAND_DONE;
}

enum pl_errand_step pl_aws_sso(struct pl_aws_walk *w, const struct pl_http_response *answer,
                               struct pl_http_request *out, struct pail_error **err)
{
    if (!answer) {
        return start(w, out, err);
    }
    if (w->at == REFRESH) {
        return refreshed(w, answer, out, err);
    }
    return pl_aws_again(w, answer, PL_AWS_FAR) ? ask_role(w, out, err) : keys(w, answer, err);
}
