/* The server's side of AWS Signature Version 4: what a request claims, and whether it is so. */
#ifndef PL_SIGN_SIGV4_VERIFY_H
#define PL_SIGN_SIGV4_VERIFY_H

#include "sign/sigv4.h"

/* What a request says of its signature; views into its texts. */
struct pl_sigv4_claim {
    struct pl_str access_key, day, region, service, scope; /* scope: "day/region/service/..." */
    struct pl_str date, signed_headers, signature;
    int64_t time_ms;    /* of date */
    uint64_t expires_s; /* query only */
    bool in_query;
};

/* From "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=..." and x-amz-date (or Date
 * in its form). NULL: well-formed; else what is wrong with it, static. */
const char *pl_sigv4_claim_header(struct pl_sigv4_claim *c, struct pl_str authorization,
                                  struct pl_str date);
/* From the decoded parameters of a presigned URL. */
const char *pl_sigv4_claim_query(struct pl_sigv4_claim *c, struct pl_str credential,
                                 struct pl_str date, struct pl_str expires,
                                 struct pl_str signed_headers, struct pl_str signature);

/* From the fields of a form that a browser posts. */
const char *pl_sigv4_claim_post(struct pl_sigv4_claim *c, struct pl_str credential,
                                struct pl_str date, struct pl_str signature);

/* The signing key of a claim for a secret. False: OpenSSL refused. The caller zeroes it. */
PAIL_MUST bool pl_sigv4_claim_key(const struct pl_sigv4_claim *c, struct pl_hmac *h,
                                  struct pl_str secret, unsigned char key[PL_SHA256_BYTES]);

enum pl_sigv4_verdict { PL_SIGV4_GOOD, PL_SIGV4_BAD, PL_SIGV4_FAILED };
/* Whether the signature is that of the request under the key; compared in constant time. headers:
 * all of the request, Host among them; a signed header that is not there makes it bad.
 * request->host is not read. */
PAIL_MUST enum pl_sigv4_verdict pl_sigv4_verify(const struct pl_sigv4_claim *c, struct pl_hmac *h,
                                                const unsigned char key[PL_SHA256_BYTES],
                                                const struct pl_sigv4_request *request);
/* The same for a form: what is signed is its policy, in base64 as it came. */
PAIL_MUST enum pl_sigv4_verdict pl_sigv4_verify_post(const struct pl_sigv4_claim *c,
                                                     struct pl_hmac *h,
                                                     const unsigned char key[PL_SHA256_BYTES],
                                                     struct pl_str policy);
/* Equal texts of any length, in a time that depends on the lengths alone. */
bool pl_sigv4_same(struct pl_str a, struct pl_str b);
/* Whether a header is among those that the claim says are signed. */
bool pl_sigv4_is_signed(const struct pl_sigv4_claim *c, struct pl_str name);

#endif
