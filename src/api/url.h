/* "SCHEME://BUCKET[/KEY]", "SCHEME:BUCKET[/KEY]", a query of settings where no slash follows the
 * bucket. */
#ifndef PL_API_URL_H
#define PL_API_URL_H

#include "base/error.h"

/* Views into the text; ptr NULL: not there. */
struct pl_target {
    const char *scheme; /* of registry.c; static */
    struct pl_str bucket, key, query;
    struct pl_str path; /* "file:" only */
};

/* NULL means "local:". Errors: PAIL_E_BAD_CONFIG. */
PAIL_MUST pail_code pl_target_parse(const char *url, struct pl_target *out,
                                    struct pail_error **err);

#endif
