/* The one place that names concrete providers. */
#ifndef PL_API_REGISTRY_H
#define PL_API_REGISTRY_H

#include "provider/provider.h"

/* The static name of a scheme, aliases resolved; NULL: unknown. */
const char *pl_registry_scheme(struct pl_str name);
const char *pl_registry_nearest(const char *name); /* NULL: nothing is near */
const char *pl_registry_schemes(void);             /* "local:, memory:, ..." for a hint; static */
PAIL_MUST pail_code pl_registry_open(const char *scheme, const struct pl_provider_env *env,
                                     struct pl_provider **out, struct pail_error **err);

#endif
