/* "s3://": the dialect, the provider that gets its operations done, and the probe before it. */
#include "provider/s3.h"

#include "cred/aws.h"
#include "provider/http_provider.h"

pail_code pl_s3_new(const struct pl_provider_env *env, struct pl_provider **out,
                    struct pail_error **err)
{
    struct pl_dialect *d;
    struct pl_provider *http;
    pail_code rc = env->ignore_environment ? PAIL_OK : pl_aws_profile_apply(env->settings, err);
    rc = rc ? rc : pl_s3_dialect_new(env, &d, err);
    rc = rc ? rc : pl_http_provider_new(env, d, &http, err);
    return rc ? rc : pl_s3_probe_new((struct pl_s3 *)d, http, out, err);
}
