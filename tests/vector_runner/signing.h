/* What the kinds that sign share. */
#ifndef PAIL_VECTOR_SIGNING_H
#define PAIL_VECTOR_SIGNING_H

#include "codec/url.h"
#include "runner.h"
#include "sign/sigv4.h"

enum { HEADERS_MAX = 64 };

/* A request to sign; all views but those of the buffers are of the case. */
struct signing {
    struct pl_sigv4 sigv4;
    struct pl_sigv4_identity who;
    struct pl_sigv4_request request;
    struct pl_sigv4_headers added;
    struct pl_header headers[HEADERS_MAX];
    struct pl_buf host, target;
    char body_hash[PL_SHA256_HEX];
};

/* Keys, region and time of `input`; service s3. False: the case is broken. */
bool signing_init(struct signing *s, struct run *run, const json_t *input);
void signing_dispose(struct signing *s);
/* Host and target of a URL. */
void signing_url(struct signing *s, struct run *run, struct pl_str url);
void signing_header(struct signing *s, struct pl_str name, struct pl_str value);
/* Sets the payload hash to that of the body. */
void signing_body(struct signing *s, struct run *run, struct pl_str body);
/* Signs by header and compares canonical_request, string_to_sign and authorization. */
void signing_check(struct signing *s, struct run *run, const json_t *expected);

#endif
