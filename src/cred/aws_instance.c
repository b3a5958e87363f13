/* The keys of the machine's role. Source: Amazon EC2 User Guide "Use the Instance Metadata
 * Service", version 2 and, where that is not spoken, version 1. */
#include "cred/aws_walk.h"

#define ROLES "/latest/meta-data/iam/security-credentials/"

enum { TOKEN, ROLE, KEYS }; /* what the answer is of */
enum { TIMEOUT_MS = 1000 }; /* a machine without the service costs one timeout */

static bool is_on(const char *text)
{
    bool on = false;
    return text && pl_str_bool(pl_str_c(text), &on) && on;
}

static const char *choose(const struct pl_aws_walk *w, const char *variable, const char *property)
{
    const char *set = pl_aws_env_get(w->env, variable);
    return set ? set : pl_aws_profile_text(w, property);
}

static const char *endpoint(const struct pl_aws_walk *w)
{
    const char *url =
        choose(w, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint");
    const char *mode =
        choose(w, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode");
    bool ipv6 = mode && pl_str_ieq(pl_str_c(mode), PL_STR("IPv6"));
    return url ? url : ipv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
}

static enum pl_errand_step ask(struct pl_aws_walk *w, int at, struct pl_http_request *out,
                               struct pail_error **err)
{
    struct pl_buf path = PL_BUF_MAX(2048);
    pl_buf_puts(&path, at == TOKEN ? "/latest/api/token" : ROLES);
    if (at == KEYS) {
        pl_buf_str(&path, pl_buf_view(&w->text));
    }
    pail_code rc = pl_buf_rc(&path)
                       ? pl_fail(err, PAIL_E_NO_MEMORY, "no memory to ask the metadata service")
                       : pl_aws_ask(out, at == TOKEN ? "PUT" : "GET", endpoint(w), path.ptr, err);
    pl_buf_dispose(&path);
    if (rc) {
        return PL_ERRAND_FAIL;
    }
    if (at == TOKEN) {
        pl_http_add_c(out, "x-aws-ec2-metadata-token-ttl-seconds", "21600");
    } else if (w->secret.len) {
        pl_http_add(out, "x-aws-ec2-metadata-token", pl_buf_view(&w->secret));
    }
    out->direct = true;
    w->at = at;
    w->errand.timeout_ms = TIMEOUT_MS;
    return PL_ERRAND_SEND;
}

/* Keeps what the answer says, one line of printable text without blanks. */
static bool keep(struct pl_buf *to, const struct pl_http_response *answer)
{
    struct pl_str all = pl_buf_view(&answer->body);
    struct pl_str line = pl_str_trim(pl_str_split(&all, '\n'));
    pl_buf_clear(to);
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] <= ' ' || line.ptr[i] > '~') {
            return false;
        }
    }
    pl_buf_str(to, line);
    return line.len > 0 && line.len < 1024 && !pl_buf_rc(to);
}

static enum pl_errand_step blame(struct pl_aws_walk *w, const struct pl_http_response *answer,
                                 struct pail_error **err)
{
    if (w->at == ROLE && answer && answer->status == 404) {
        (void)pl_fail(err, PAIL_E_NO_CREDENTIALS, "this machine has no role");
    } else {
        (void)pl_aws_blame(answer, endpoint(w), (struct pl_str){0}, err);
    }
    return PL_ERRAND_FAIL;
}

/* SPEC research of clients: 403, 404 and 405 mean that only version 1 is spoken. */
static enum pl_errand_step after_token(struct pl_aws_walk *w, const struct pl_http_response *answer,
                                       struct pl_http_request *out, struct pail_error **err)
{
    bool v1 = answer->status == 403 || answer->status == 404 || answer->status == 405;
    if (answer->status == 200 && keep(&w->secret, answer)) {
        return ask(w, ROLE, out, err);
    }
    if (v1 && is_on(choose(w, "AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled"))) {
        (void)pl_fail(err, PAIL_E_NO_CREDENTIALS,
                      "%s gives no token (HTTP %d), and version 1 is switched off", endpoint(w),
                      answer->status);
        return PL_ERRAND_FAIL;
    }
    pl_aws_wipe(&w->secret);
    return v1 ? ask(w, ROLE, out, err) : blame(w, answer, err);
}

enum pl_errand_step pl_aws_instance(struct pl_aws_walk *w, const struct pl_http_response *answer,
                                    struct pl_http_request *out, struct pail_error **err)
{
    if (!answer && is_on(pl_aws_env_get(w->env, "AWS_EC2_METADATA_DISABLED"))) {
        (void)pl_fail(err, PAIL_E_NO_CREDENTIALS, "switched off by AWS_EC2_METADATA_DISABLED");
        return PL_ERRAND_FAIL;
    }
    if (!answer) {
        return ask(w, TOKEN, out, err);
    }
    if (pl_aws_again(w, answer, PL_AWS_NEAR)) {
        return ask(w, w->at, out, err);
    }
    w->tries = 0;
    if (answer->fail) {
        return blame(w, answer, err);
    }
    if (w->at == TOKEN) {
        return after_token(w, answer, out, err);
    }
    if (answer->status != 200) {
        return blame(w, answer, err);
    }
    if (w->at == ROLE) {
        return keep(&w->text, answer) ? ask(w, KEYS, out, err) : blame(w, answer, err);
    }
    return pl_aws_take_json(w, pl_buf_view(&answer->body), "Token", err) ? PL_ERRAND_FAIL
                                                                         : PL_ERRAND_DONE;
}
