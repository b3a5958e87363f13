/* AWS Signature Version 4: signed headers and presigned queries. */
#ifndef PL_SIGN_SIGV4_H
#define PL_SIGN_SIGV4_H

#include "codec/date.h"
#include "codec/header.h"
#include "sign/hmac.h"

/* Payload hashes that are words instead of a hex SHA-256. */
#define PL_SIGV4_UNSIGNED         PL_STR("UNSIGNED-PAYLOAD")
#define PL_SIGV4_UNSIGNED_TRAILER PL_STR("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
#define PL_SIGV4_CHUNKED          PL_STR("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
#define PL_SIGV4_CHUNKED_TRAILER  PL_STR("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
#define PL_SIGV4_EMPTY_HASH                                                                        \
    PL_STR("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

enum pl_sigv4_flags {
    /* What S3 wants: the path signed as it is on the wire, and x-amz-content-sha256 sent. */
    PL_SIGV4_S3 = 0,
    PL_SIGV4_ENCODE_PATH = 1,     /* every other service: the path is encoded once more */
    PL_SIGV4_NORMALIZE_PATH = 2,  /* ... after "." and ".." and "//" are resolved */
    PL_SIGV4_NO_HASH_HEADER = 4,  /* ... and x-amz-content-sha256 is not sent */
    PL_SIGV4_TOKEN_UNSIGNED = 8,  /* a few: the session token is added after signing */
    PL_SIGV4_BUCKET_SESSION = 16, /* S3: the token is of a directory bucket's session */
    PL_SIGV4_GENERAL = PL_SIGV4_ENCODE_PATH | PL_SIGV4_NORMALIZE_PATH | PL_SIGV4_NO_HASH_HEADER
};

/* Who signs what for, and when. All borrowed for the call. */
struct pl_sigv4_identity {
    struct pl_str access_key, secret_key, token; /* token empty: long-lived keys */
    struct pl_str region, service;
    int64_t time_ms;
    unsigned flags; /* enum pl_sigv4_flags */
};

/* What is signed. All borrowed for the call. */
struct pl_sigv4_request {
    struct pl_str method;
    struct pl_str target; /* path?query as on the wire */
    struct pl_str host;   /* as the Host header will say it */
    /* In any order and case, without Host; those that a proxy may change are left out. */
    const struct pl_header *headers;
    size_t header_count;
    struct pl_str payload_hash; /* lower-case hex, or one of the words above */
};

/* Zero, then init. Keeps the signing key of the last identity. One thread at a time. */
struct pl_sigv4 {
    struct pl_hmac hmac;
    struct pl_buf key_of;               /* what the key in hmac was derived from; secret */
    unsigned char key[PL_SHA256_BYTES]; /* secret */
    /* Of the last call, for tests and to compare with what a server says. */
    struct pl_buf canonical, to_sign;
    struct pl_buf query, signed_names, credential, text; /* scratch of one call */
    size_t scope_at;                                     /* in credential, behind the access key */
    int64_t date_s;                                      /* the second that date stands for */
    char date[PL_DATE_BASIC_SIZE];                       /* "": none yet */
    char signature[PL_SHA256_HEX];
};

/* The headers to add to the request; they are views into the context and the identity, good until
 * the next call. */
struct pl_sigv4_headers {
    struct pl_header headers[4];
    size_t count;
};

PAIL_MUST pail_code pl_sigv4_init(struct pl_sigv4 *s, struct pail_error **err);
/* Signs by header: x-amz-date, the session token, the payload hash and Authorization.
 * Errors: PAIL_E_NO_MEMORY; PAIL_E_BAD_ARGUMENT for more than 80 headers or parameters. */
PAIL_MUST pail_code pl_sigv4_sign(struct pl_sigv4 *s, const struct pl_sigv4_identity *who,
                                  const struct pl_sigv4_request *request,
                                  struct pl_sigv4_headers *out, struct pail_error **err);
/* Adds to `out` the target with the signature in its query. Whoever uses it must send the headers
 * of the request as they are. expires_s: 1 to 604,800. */
PAIL_MUST pail_code pl_sigv4_presign(struct pl_sigv4 *s, const struct pl_sigv4_identity *who,
                                     const struct pl_sigv4_request *request, uint64_t expires_s,
                                     struct pl_buf *out, struct pail_error **err);
void pl_sigv4_dispose(struct pl_sigv4 *s);

#endif
