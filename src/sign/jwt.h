/* JSON Web Tokens signed by an RSA key. Source: RFC 7515, RFC 7519, RFC 7518 section 3.3. */
#ifndef PL_SIGN_JWT_H
#define PL_SIGN_JWT_H

#include "base/error.h"

struct evp_pkey_st; /* OpenSSL's EVP_PKEY */

/* Reads a private key in PEM (PKCS#8 or PKCS#1, without a passphrase). name: whose it is, for the
 * message. out: pl_rsa_free. Errors: PAIL_E_BAD_CONFIG for what is no RSA key; never with its text.
 */
PAIL_MUST pail_code pl_rsa_parse(struct pl_str pem, const char *name, struct evp_pkey_st **out,
                                 struct pail_error **err);
void pl_rsa_free(struct evp_pkey_st *key); /* accepts NULL */
/* RSASSA-PKCS1-v1_5 with SHA-256, raw bytes: deterministic. Safe from any thread. */
PAIL_MUST pail_code pl_rsa_sign(struct evp_pkey_st *key, struct pl_str text, struct pl_buf *out,
                                struct pail_error **err);
/* The same with RSASSA-PSS, a salt of the digest's size: another signature each time. */
PAIL_MUST pail_code pl_rsa_sign_pss(struct evp_pkey_st *key, struct pl_str text, struct pl_buf *out,
                                    struct pail_error **err);
/* Base64 with '-' and '_' and without padding (RFC 4648 section 5). */
void pl_base64url(struct pl_buf *out, struct pl_str bytes);
/* Adds "HEADER.CLAIMS.SIGNATURE". header and claims: JSON texts. */
PAIL_MUST pail_code pl_jwt_rs256(struct evp_pkey_st *key, struct pl_str header,
                                 struct pl_str claims, struct pl_buf *out, struct pail_error **err);

#endif
