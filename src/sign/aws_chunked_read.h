/* The aws-chunked body as it arrives at a server: the framing is taken off and verified. */
#ifndef PL_SIGN_AWS_CHUNKED_READ_H
#define PL_SIGN_AWS_CHUNKED_READ_H

#include "codec/digest.h"
#include "sign/aws_chunked.h"
#include "sign/sigv4_verify.h"

enum { PL_TRAILERS_MAX = 8, PL_TRAILER_LINE_MAX = 4096 };

/* The bytes of the body, in order; not PAIL_OK stops the reader with that code. */
typedef pail_code (*pl_chunked_fn)(void *ctx, const void *data, size_t n);

/* Zero: nothing to dispose of. Any split of the input gives the same result. A chunk is handed on
 * as it comes, before its signature can be judged: whoever takes the bytes must not make them
 * visible before pl_aws_chunked_read_end. */
struct pl_aws_chunked_reader {
    enum pl_aws_chunked_kind kind;
    pl_chunked_fn fn;
    void *ctx;
    int state;
    struct pl_buf line, text, trailers; /* trailers: "name:value\n" as they are signed */
    uint64_t left, total;               /* of this chunk; of the body so far */
    struct pl_hmac hmac;
    struct pl_digest chunk;
    char signature[PL_SHA256_HEX], previous[PL_SHA256_HEX];
    char scope[256];   /* "date\nscope\n" */
    const char *wrong; /* why it was refused; static */
    bool forged;       /* ... because a signature is not right */
};

/* key and claim: of the verified request; not used where the kind has no signatures. */
PAIL_MUST pail_code pl_aws_chunked_read_init(struct pl_aws_chunked_reader *r,
                                             enum pl_aws_chunked_kind kind,
                                             const struct pl_sigv4_claim *claim,
                                             const unsigned char key[PL_SHA256_BYTES],
                                             pl_chunked_fn fn, void *ctx);
/* PAIL_OK; PAIL_E_PROTOCOL with r->wrong set; PAIL_E_NO_MEMORY; the function's code. */
PAIL_MUST pail_code pl_aws_chunked_read(struct pl_aws_chunked_reader *r, const char *data,
                                        size_t n);
/* The body has ended: PAIL_E_PROTOCOL where it is cut off. */
PAIL_MUST pail_code pl_aws_chunked_read_end(struct pl_aws_chunked_reader *r);
/* The value of a trailer; ptr NULL: it did not come. */
struct pl_str pl_aws_chunked_trailer(const struct pl_aws_chunked_reader *r, struct pl_str name);
void pl_aws_chunked_read_dispose(struct pl_aws_chunked_reader *r);

#endif
