/* HMAC-SHA256 and SHA-256 with contexts that are made once and used again. */
#ifndef PL_SIGN_HMAC_H
#define PL_SIGN_HMAC_H

#include "base/error.h"

enum { PL_SHA256_BYTES = 32, PL_SHA256_HEX = 65 /* with a NUL */ };

/* Zero: nothing to dispose of. One thread at a time. */
struct pl_hmac {
    struct evp_mac_ctx_st *mac;
    struct evp_md_ctx_st *hash;
};

PAIL_MUST pail_code pl_hmac_init(struct pl_hmac *h, struct pail_error **err);
/* Sets the key of the following pl_hmac_sum. False (here and below): OpenSSL refused. */
PAIL_MUST bool pl_hmac_key(struct pl_hmac *h, const void *key, size_t n);
PAIL_MUST bool pl_hmac_sum(struct pl_hmac *h, struct pl_str text,
                           unsigned char out[PL_SHA256_BYTES]);
/* The hash alone, as lower-case hex. */
PAIL_MUST bool pl_hmac_sha256_hex(struct pl_hmac *h, struct pl_str text, char out[PL_SHA256_HEX]);
void pl_hmac_dispose(struct pl_hmac *h);

#endif
