/* What every dialect does alike while it builds a request. */
#ifndef PL_PROVIDER_REQUEST_H
#define PL_PROVIDER_REQUEST_H

#include "codec/digest.h"
#include "http/message.h"
#include "provider/op.h"

/* Adds the caller's extra headers, in the place of one of that name that the request has. reserved:
 * names that the request itself sets, ended by NULL. Errors: PAIL_E_BAD_ARGUMENT for one of these
 * and for what cannot be sent. */
PAIL_MUST pail_code pl_request_add_extra(struct pl_http_request *r, const struct pl_op *op,
                                         const char *const *reserved, struct pail_error **err);

/* Feeds the whole source to the digest, and to `also` if it is not NULL. Errors: PAIL_E_CHANGED (it
 * became shorter), PAIL_E_IO and its kin, PAIL_E_NO_MEMORY. */
PAIL_MUST pail_code pl_request_digest_source(struct pl_digest *d, struct pl_digest *also,
                                             const struct pl_body *source, struct pail_error **err);
/* One checksum of the whole source, by source->md5 where that tells it. Errors: as above, and
 * PAIL_E_UNSUPPORTED where OpenSSL's configuration has no such hash (MD5 under FIPS). */
PAIL_MUST pail_code pl_request_sum_source(enum pl_sum sum, const struct pl_body *source,
                                          struct pl_sum_value *out, struct pail_error **err);

#endif
