/* The aws-chunked body: framing of an upload with a signature per chunk or a checksum behind it. */
#ifndef PL_SIGN_AWS_CHUNKED_H
#define PL_SIGN_AWS_CHUNKED_H

#include "sign/sigv4.h"

enum pl_aws_chunked_kind {
    PL_AWS_CHUNKED_SIGNED,           /* payload hash PL_SIGV4_CHUNKED */
    PL_AWS_CHUNKED_SIGNED_TRAILER,   /* PL_SIGV4_CHUNKED_TRAILER */
    PL_AWS_CHUNKED_UNSIGNED_TRAILER, /* PL_SIGV4_UNSIGNED_TRAILER; over TLS only */
};

/* The length of the whole body, for Content-Length: many servers refuse a body without one. All
 * chunks but the last have chunk_bytes. trailer_*: of the one trailer; not used when SIGNED. */
uint64_t pl_aws_chunked_length(enum pl_aws_chunked_kind kind, uint64_t body_bytes,
                               uint64_t chunk_bytes, size_t trailer_name, size_t trailer_value);

/* Zero: nothing to dispose of. A copy of the key lives in hmac. */
struct pl_aws_chunked {
    enum pl_aws_chunked_kind kind;
    struct pl_hmac hmac;
    struct pl_buf text, scope; /* scope: "time\nscope\n", the same in each string to sign */
    char previous[PL_SHA256_HEX];
};

/* Begins the body of the request that `signer` signed last for `who`; both are needed only here. */
PAIL_MUST pail_code pl_aws_chunked_init(struct pl_aws_chunked *c, enum pl_aws_chunked_kind kind,
                                        const struct pl_sigv4 *signer,
                                        const struct pl_sigv4_identity *who,
                                        struct pail_error **err);
/* Adds to `out` what stands before a chunk of those n > 0 bytes; the caller sends that, the bytes
 * and CR LF. */
PAIL_MUST pail_code pl_aws_chunked_head(struct pl_aws_chunked *c, struct pl_buf *out,
                                        const void *data, size_t n, struct pail_error **err);
/* Adds the last chunk, and the trailer where the kind has one. */
PAIL_MUST pail_code pl_aws_chunked_end(struct pl_aws_chunked *c, struct pl_buf *out,
                                       struct pl_str trailer_name, struct pl_str trailer_value,
                                       struct pail_error **err);
void pl_aws_chunked_dispose(struct pl_aws_chunked *c);

#endif
