/* "gs:" by an HMAC key alone: the XML API, which takes requests as S3's with Signature Version 4.
 * Source: Cloud Storage "HMAC keys", "Simple migration from Amazon S3". */
#include "provider/gcs.h"
#include "provider/http_provider.h"
#include "provider/s3.h"

/* Into the place of whatever there is: S3's own settings are not meant for gs:. */
static pail_code translate(struct pl_settings *s, struct pail_error **err)
{
    static const char key[] = "google_hmac_access_id", secret[] = "google_hmac_secret";
    const char *given = pl_settings_get(s, "gcs_endpoint");
    struct pl_buf endpoint = PL_BUF_MAX(2048);
    bool own = given && *given;
    pl_buf_puts(&endpoint, own && !strstr(given, "://") ? "http://" : "");
    pl_buf_puts(&endpoint, own ? given : "https://storage.googleapis.com");
    pail_code rc =
        pl_buf_rc(&endpoint)
            ? pl_fail(err, PAIL_E_BAD_CONFIG, "gcs_endpoint is too long")
            : pl_settings_set(s, "aws_endpoint_url", endpoint.ptr,
                              own ? pl_settings_origin(s, "gcs_endpoint") : "Google", err);
    rc = rc ? rc : pl_settings_set(s, "aws_access_key_id", pl_settings_get(s, key), key, err);
    rc = rc ? rc
            : pl_settings_set(s, "aws_secret_access_key", pl_settings_get(s, secret), secret, err);
    rc = rc ? rc : pl_settings_set(s, "s3_service", "gcs", key, err);
    rc = rc ? rc : pl_settings_set(s, "aws_region", "auto", key, err);
    pl_settings_unset(s, "aws_session_token");
    pl_settings_unset(s, "aws_skip_signature");
    pl_buf_dispose(&endpoint);
    return rc;
}

pail_code pl_gcs_hmac_new(const struct pl_provider_env *env, struct pl_provider **out,
                          struct pail_error **err)
{
    struct pl_provider_env keys_only = *env;
    struct pl_dialect *d;
    struct pl_provider *http;
    if (pl_settings_get(env->settings, "google_user_project")) {
        pail_code rc = pl_fail(err, PAIL_E_UNSUPPORTED,
                               "google_user_project is not sent with requests by HMAC key");
        pl_error_hint(err, "log in by another way: the JSON API bills another project");
        return rc;
    }
    keys_only.ignore_environment = true; /* of AWS: no chain of credentials */
    pail_code rc = translate(env->settings, err);
    rc = rc ? rc : pl_s3_dialect_new(&keys_only, &d, err);
    rc = rc ? rc : pl_http_provider_new(env, d, &http, err);
    return rc ? rc : pl_s3_probe_new((struct pl_s3 *)d, http, out, err);
}
