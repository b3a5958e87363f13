/* "gs://": the dialect and the provider that gets its operations done. */
#include "provider/gcs.h"

#include "provider/http_provider.h"

/* An HMAC key counts for requests where nothing else is given; else it only signs URLs. */
static bool is_by_hmac(const struct pl_settings *s)
{
    static const char *const others[] = {"google_token", "google_service_account_key",
                                         "google_service_account",
                                         "google_application_credentials"};
    if (!pl_settings_get(s, "google_hmac_access_id") || !pl_settings_get(s, "google_hmac_secret") ||
        pl_settings_bool(s, "google_skip_signature", false)) {
        return false;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (pl_settings_get(s, others[i])) {
            return false;
        }
    }
    return true;
}

/* One half of a key is no key, and no reason to look for other credentials. */
static pail_code check_halves(const struct pl_settings *s, struct pail_error **err)
{
    bool id = pl_settings_get(s, "google_hmac_access_id") != NULL;
    bool secret = pl_settings_get(s, "google_hmac_secret") != NULL;
    return id == secret ? PAIL_OK
                        : pl_fail(err, PAIL_E_BAD_CONFIG, "%s is set without %s",
                                  id ? "google_hmac_access_id" : "google_hmac_secret",
                                  id ? "google_hmac_secret" : "google_hmac_access_id");
}

pail_code pl_gcs_new(const struct pl_provider_env *env, struct pl_provider **out,
                     struct pail_error **err)
{
    struct pl_dialect *d;
    pail_code rc = check_halves(env->settings, err);
    if (rc) {
        return rc;
    }
    if (is_by_hmac(env->settings)) {
        return pl_gcs_hmac_new(env, out, err);
    }
    rc = pl_gcs_dialect_new(env, &d, err);
    return rc ? rc : pl_http_provider_new(env, d, out, err);
}
