/* The keys of a container's or pod's role. Source: AWS SDKs and Tools Reference Guide "Container
 * credential provider". */
#include "codec/url.h"
#include "cred/aws_walk.h"

enum { TIMEOUT_MS = 1000 };

/* Only hosts of this machine may see the token in the clear; any host may over TLS. */
static bool is_near(const struct pl_url *u)
{
    static const char *const near[] = {"localhost", "169.254.170.2", "169.254.170.23",
                                       "fd00:ec2::23", "::1"};
    uint64_t piece;
    int dots = 0;
    for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
        if (pl_str_ieq(u->host, pl_str_c(near[i]))) {
            return true;
        }
    }
    if (!pl_str_starts(u->host, PL_STR("127."))) {
        return false;
    }
    for (struct pl_str rest = u->host; rest.ptr; dots++) {
        struct pl_str part = pl_str_split(&rest, '.');
        if (!pl_str_u64(part, &piece) || piece > 255) {
            return false;
        }
    }
    return dots == 4;
}

static pail_code full_url(const char *url, struct pail_error **err)
{
    struct pl_url u;
    pail_code rc = pl_url_parse(pl_str_c(url), &u, err);
    if (rc) {
        pl_error_hint(err, "AWS_CONTAINER_CREDENTIALS_FULL_URI is such a URL");
        return rc;
    }
    if (u.tls || is_near(&u)) {
        return PAIL_OK;
    }
    rc = pl_fail(err, PAIL_E_BAD_CONFIG,
                 "AWS_CONTAINER_CREDENTIALS_FULL_URI names host %.*s over plain HTTP",
                 (int)(u.host.len < 200 ? u.host.len : 200), u.host.ptr);
    pl_error_hint(err, "only this machine's own addresses may be asked without TLS");
    return rc;
}

/* The address as a whole; the token into w->secret. */
static pail_code locate(struct pl_aws_walk *w, struct pl_buf *url, struct pail_error **err)
{
    const char *relative = pl_aws_env_get(w->env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = pl_aws_env_get(w->env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *token = pl_aws_env_get(w->env, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    const char *file = pl_aws_env_get(w->env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    if (!relative && !full) {
        return pl_fail(err, PAIL_E_NO_CREDENTIALS,
                       "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor "
                       "AWS_CONTAINER_CREDENTIALS_FULL_URI is set");
    }
    if (relative && relative[0] != '/') {
        return pl_fail(err, PAIL_E_BAD_CONFIG,
                       "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with '/'");
    }
    if (!relative) {
        pail_code rc = full_url(full, err);
        if (rc) {
            return rc;
        }
    }
    pl_buf_puts(url, relative ? "http://169.254.170.2" : full);
    pl_buf_puts(url, relative ? relative : "");
    pl_aws_wipe(&w->secret);
    if (file) {
        return pl_aws_read_token(file, &w->secret, err);
    }
    if (token && !pl_header_safe(pl_str_c(token))) {
        return pl_fail(err, PAIL_E_BAD_CONFIG,
                       "AWS_CONTAINER_AUTHORIZATION_TOKEN has a line break or another control "
                       "character");
    }
    pl_buf_puts(&w->secret, token ? token : "");
    return pl_buf_rc(&w->secret) || pl_buf_rc(url)
               ? pl_fail(err, PAIL_E_NO_MEMORY, "no memory for an address")
               : PAIL_OK;
}

static enum pl_errand_step ask(struct pl_aws_walk *w, struct pl_http_request *out,
                               struct pail_error **err)
{
    struct pl_buf url = PL_BUF_MAX(8192);
    pail_code rc = locate(w, &url, err);
    rc = rc ? rc : pl_aws_ask(out, "GET", url.ptr, "", err);
    pl_buf_dispose(&url);
    if (rc) {
        return PL_ERRAND_FAIL;
    }
    if (w->secret.len) {
        pl_http_add(out, "authorization", pl_buf_view(&w->secret));
    }
    out->direct = true;
    w->errand.timeout_ms = TIMEOUT_MS;
    return PL_ERRAND_SEND;
}

enum pl_errand_step pl_aws_container(struct pl_aws_walk *w, const struct pl_http_response *answer,
                                     struct pl_http_request *out, struct pail_error **err)
{
    if (!answer || pl_aws_again(w, answer, PL_AWS_PROMISED)) {
        return ask(w, out, err);
    }
    if (answer->fail || answer->status != 200) {
        (void)pl_aws_blame(answer, "its service of credentials", (struct pl_str){0}, err);
        return PL_ERRAND_FAIL;
    }
    return pl_aws_take_json(w, pl_buf_view(&answer->body), "Token", err) ? PL_ERRAND_FAIL
                                                                         : PL_ERRAND_DONE;
}
