/* Azure Storage's Shared Key: a signature over method, headers and resource. */
#ifndef PL_SIGN_AZURE_KEY_H
#define PL_SIGN_AZURE_KEY_H

#include "base/buf.h"
#include "codec/header.h"
#include "sign/hmac.h"

/* What is signed. All borrowed for the call. */
struct pl_azure_request {
    struct pl_str method, account;
    struct pl_str target; /* path?query as on the wire */
    const struct pl_header *headers;
    size_t header_count;
    uint64_t body_bytes;
};

/* Zero, then init. One thread at a time. */
struct pl_azure_key {
    struct pl_hmac hmac;
    struct pl_buf to_sign; /* of the last call, for tests */
};

/* key_base64: the account's key as the portal shows it. Errors: PAIL_E_BAD_CONFIG where it is no
 * base64; PAIL_E_NO_MEMORY. */
PAIL_MUST pail_code pl_azure_key_init(struct pl_azure_key *k, struct pl_str key_base64,
                                      struct pail_error **err);
/* Adds "SharedKey account:signature" to out. The request has x-ms-date or Date already. Errors:
 * PAIL_E_NO_MEMORY; PAIL_E_BAD_ARGUMENT for more than 80 headers or parameters. */
PAIL_MUST pail_code pl_azure_key_sign(struct pl_azure_key *k, const struct pl_azure_request *r,
                                      struct pl_buf *out, struct pail_error **err);
/* Adds the base64 HMAC-SHA256 of text. */
PAIL_MUST pail_code pl_azure_key_sum(struct pl_azure_key *k, struct pl_str text, struct pl_buf *out,
                                     struct pail_error **err);
void pl_azure_key_dispose(struct pl_azure_key *k);

/* The service's order of header names, which is not that of bytes. As strcmp. */
int pl_azure_header_order(struct pl_str a, struct pl_str b);

#endif
