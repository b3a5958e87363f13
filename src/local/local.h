/* "local:": the embedded store in one folder of this machine. */
#ifndef PL_LOCAL_LOCAL_H
#define PL_LOCAL_LOCAL_H

#include "provider/provider.h"

/* Opens the store if it is there; else the first bucket that is created makes it, and until then
 * it looks like an empty one. Errors: PAIL_E_BAD_CONFIG (no place is known, an unknown
 * durability), PAIL_E_UNSUPPORTED (a network file system, a newer format). */
PAIL_MUST pail_code pl_local_new(const struct pl_provider_env *env, struct pl_provider **out,
                                 struct pail_error **err);

#endif
