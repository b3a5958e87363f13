/* Who asks Google, and with what: a bearer token of the caller's, a service account's key, a user's
 * refresh token, the metadata server, or nobody. Thread-safe. Source: RFC 7523, RFC 6749;
 * google.aip.dev/auth 4110 to 4115. */
#ifndef PL_CRED_GCS_H
#define PL_CRED_GCS_H

#include "base/settings.h"
#include "cred/errand.h"

struct pl_gcs_auth;
struct evp_pkey_st; /* OpenSSL's EVP_PKEY */

/* Reads settings and the credential file they name; no network. emulator: an endpoint that is not
 * Google's, so without credentials it is asked anonymously. Errors: PAIL_E_BAD_CONFIG with the
 * file's name for a file that is not there, no JSON or of an unknown kind. */
PAIL_MUST pail_code pl_gcs_auth_new(const struct pl_settings *settings, bool ignore_environment,
                                    bool emulator, struct pl_gcs_auth **out,
                                    struct pail_error **err);
void pl_gcs_auth_free(struct pl_gcs_auth *auth);
/* Whether a token has to be fetched; *now: before anything can be asked. */
bool pl_gcs_auth_lacks(struct pl_gcs_auth *auth, int64_t now_ms, bool *now);
/* The fetching of it. Borrows auth. NULL with *err: there is no way. */
struct pl_errand *pl_gcs_auth_errand(struct pl_gcs_auth *auth, struct pail_error **err);
/* Forgets the token; false: there is no other to be had. */
bool pl_gcs_auth_forget(struct pl_gcs_auth *auth);
/* Adds "Bearer TOKEN"; nothing where it is anonymous. Zero the buffer after use. */
PAIL_MUST pail_code pl_gcs_auth_header(struct pl_gcs_auth *auth, int64_t now_ms, struct pl_buf *out,
                                       struct pail_error **err);
/* The project that the credentials belong to; NULL: they do not say. */
const char *pl_gcs_auth_project(const struct pl_gcs_auth *auth);
/* For signed URLs: the account and its RSA key. False: there is no key at hand. */
bool pl_gcs_auth_key(const struct pl_gcs_auth *auth, const char **email, struct evp_pkey_st **key);
/* Whether an account signs whose key is not here: by IAM's signBlob. *email: whose address stands
 * in what is signed; NULL: it has to be fetched first. */
bool pl_gcs_auth_signs_elsewhere(struct pl_gcs_auth *auth, const char **email);
/* The fetching of that address, from the metadata server. Borrows auth. NULL with *err. */
struct pl_errand *pl_gcs_email_errand(struct pl_gcs_auth *auth, struct pail_error **err);
/* What a signature is wanted of, and what becomes of it. */
struct pl_gcs_blob_use {
    /* Adds what is to be signed by email. */
    pail_code (*write)(void *ctx, const char *email, int64_t now_ms, struct pl_buf *to_sign,
                       struct pail_error **err);
    /* The signature's bytes are there. */
    pail_code (*done)(void *ctx, struct pl_str signature, struct pail_error **err);
    void (*free)(void *ctx);
};
/* The fetching of a signature; address and token must be there. Borrows auth, takes ctx. NULL with
 * *err. Source: IAM Service Account Credentials API "signBlob". */
struct pl_errand *pl_gcs_blob_errand(struct pl_gcs_auth *auth, const struct pl_gcs_blob_use *use,
                                     void *ctx, struct pail_error **err);
/* "service account NAME (FILE)", ...: what is used, for explain. */
const char *pl_gcs_auth_name(const struct pl_gcs_auth *auth);

#endif
