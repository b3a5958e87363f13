/* "gs://": the dialect and the provider that gets its operations done. */
#include "provider/gcs.h"

#include "provider/http_provider.h"

pail_code pl_gcs_new(const struct pl_provider_env *env, struct pl_provider **out,
                     struct pail_error **err)
{
    struct pl_dialect *d;
    pail_code rc = pl_gcs_dialect_new(env, &d, err);
    return rc ? rc : pl_http_provider_new(env, d, out, err);
}
