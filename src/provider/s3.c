/* "s3://": the dialect, the provider that gets its operations done, and the probe before it. */
#include "provider/s3.h"

#include "cred/aws.h"
#include "provider/http_provider.h"

/* Public data needs no keys, so it matters little that a profile has them in a way that is not
 * supported. */
static pail_code read_profile(const struct pl_provider_env *env, struct pail_error **err)
{
    bool anonymous = pl_settings_bool(env->settings, "aws_skip_signature", false);
    if (env->ignore_environment) {
        return PAIL_OK;
    }
    struct pail_error *why = NULL;
    pail_code rc = pl_aws_profile_apply(env->settings, &why);
    if (rc && !(anonymous && rc == PAIL_E_UNSUPPORTED) && err && !*err) {
        *err = why;
        return rc;
    }
    pail_error_free(why);
    return anonymous && rc == PAIL_E_UNSUPPORTED ? PAIL_OK : rc;
}

pail_code pl_s3_new(const struct pl_provider_env *env, struct pl_provider **out,
                    struct pail_error **err)
{
    struct pl_dialect *d;
    struct pl_provider *http;
    pail_code rc = read_profile(env, err);
    rc = rc ? rc : pl_s3_dialect_new(env, &d, err);
    rc = rc ? rc : pl_http_provider_new(env, d, &http, err);
    return rc ? rc : pl_s3_probe_new((struct pl_s3 *)d, http, out, err);
}
