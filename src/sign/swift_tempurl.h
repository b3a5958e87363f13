/* Swift's temporary URLs: what is signed, and how the signature is written. Source: OpenStack Swift
 * "Temporary URL middleware". */
#ifndef PL_SIGN_SWIFT_TEMPURL_H
#define PL_SIGN_SWIFT_TEMPURL_H

#include "base/error.h"

/* Those that Swift may allow; sha256 is what Pail itself uses. */
enum pl_tempurl_digest { PL_TEMPURL_SHA1, PL_TEMPURL_SHA256, PL_TEMPURL_SHA512 };

struct pl_tempurl {
    enum pl_tempurl_digest digest;
    struct pl_str method;
    int64_t expires_s;      /* Unix time */
    struct pl_str path;     /* "/v1/ACCOUNT/CONTAINER/KEY" (or /PREFIX), not encoded */
    struct pl_str key;      /* the account's or container's secret */
    struct pl_str ip_range; /* empty: any address */
    bool prefix;            /* path ends with a prefix: all keys below it */
};

/* Writes the value of temp_url_sig: hex digits, or "sha512:" and base64 for URLs. Errors:
 * PAIL_E_UNSUPPORTED where OpenSSL's configuration has no such hash. */
PAIL_MUST pail_code pl_tempurl_sign(const struct pl_tempurl *u, struct pl_buf *out,
                                    struct pail_error **err);
/* Adds the path, percent-encoded, and the query with the signature. prefix_text: the prefix itself,
 * where u->prefix is set. iso8601: the expiry as a date instead of a number. */
PAIL_MUST pail_code pl_tempurl_target(const struct pl_tempurl *u, struct pl_str prefix_text,
                                      bool iso8601, struct pl_buf *out, struct pail_error **err);

#endif
