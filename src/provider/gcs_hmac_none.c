/* A build without S3 has no way to the XML API. */
#include "provider/gcs.h"

pail_code pl_gcs_hmac_new(const struct pl_provider_env *env, struct pl_provider **out,
                          struct pail_error **err)
{
    (void)env, (void)out;
    pail_code rc = pl_fail(err, PAIL_E_UNSUPPORTED,
                           "requests by HMAC key need S3, which this build leaves out");
    pl_error_hint(err, "log in by another way, such as google_application_credentials");
    return rc;
}
