/* What an application of Entra ID proves itself by instead of a secret: a JSON Web Token signed
 * with the key of a certificate that is registered for it. Source: "Microsoft identity platform
 * application authentication certificate credentials"; RFC 7518 section 3.5. */
#ifndef PL_SIGN_AZURE_ASSERTION_H
#define PL_SIGN_AZURE_ASSERTION_H

#include "base/error.h"

struct evp_pkey_st; /* OpenSSL's EVP_PKEY */

/* Zero: nothing to dispose of. */
struct pl_azure_certificate {
    struct evp_pkey_st *key;
    unsigned char sha256[32]; /* of the certificate in DER */
};

/* Borrowed for the call. */
struct pl_azure_claims {
    const char *audience; /* the URL that the token is posted to */
    const char *client;   /* the application's id */
    const char *id;       /* of this token alone */
    int64_t now_s;        /* Unix time; it serves ten minutes */
};

/* Reads a private RSA key and the certificate that belongs to it, in PEM and in either order.
 * password: of an encrypted key; may be NULL. name: the file, for messages. out: dispose.
 * Errors: PAIL_E_BAD_CONFIG says which of the two is missing or does not open; never their text. */
PAIL_MUST pail_code pl_azure_certificate_parse(struct pl_str pem, const char *password,
                                               const char *name, struct pl_azure_certificate *out,
                                               struct pail_error **err);
void pl_azure_certificate_dispose(struct pl_azure_certificate *c);
/* Adds the signed token. Errors: PAIL_E_BAD_CONFIG for a client id that is no UTF-8. */
PAIL_MUST pail_code pl_azure_assertion(const struct pl_azure_certificate *c,
                                       const struct pl_azure_claims *claims, struct pl_buf *out,
                                       struct pail_error **err);

#endif
