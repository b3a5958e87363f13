/* Signed URLs of Google Cloud Storage, version 4, by an RSA key or an HMAC key. Source: Cloud
 * Storage "Signatures", "Canonical requests". */
#ifndef PL_SIGN_GCS_V4_H
#define PL_SIGN_GCS_V4_H

#include "base/error.h"
#include "codec/header.h"

struct evp_pkey_st; /* OpenSSL's EVP_PKEY */

/* All borrowed for the call. */
struct pl_gcs_v4 {
    const char *id;          /* the service account's address, or the HMAC key's access id */
    struct evp_pkey_st *key; /* RSA; NULL: HMAC with secret */
    struct pl_str secret;
    /* An RSA key that somebody else has: what it made of *to_sign, raw; empty: only to_sign is
     * wanted. */
    bool is_elsewhere;
    struct pl_str signature;
    const char *method, *scheme, *host; /* "https"; host as the Host header will say it */
    const char *signed_host; /* NULL: host; Google's own clients sign one without its port */
    struct pl_str path;      /* encoded as on the wire */
    struct pl_str query;     /* encoded, without what the signature adds */
    const struct pl_header *headers; /* without Host; whoever uses the URL must send them so */
    size_t header_count;
    uint64_t expires_s; /* 1 to 604,800 */
    int64_t time_ms;
};

/* Adds the URL; out NULL: it is not wanted. canonical, to_sign: for tests and to compare with what
 * the service says; may be NULL. Errors: PAIL_E_BAD_ARGUMENT (expiry; too many headers),
 * PAIL_E_NO_MEMORY. */
PAIL_MUST pail_code pl_gcs_v4_url(const struct pl_gcs_v4 *in, struct pl_buf *out,
                                  struct pl_buf *canonical, struct pl_buf *to_sign,
                                  struct pail_error **err);

#endif
