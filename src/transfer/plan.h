/* How a transfer is cut into requests: arithmetic, no state. */
#ifndef PL_TRANSFER_PLAN_H
#define PL_TRANSFER_PLAN_H

#include "provider/provider.h"

/* The size of the parts of an upload of `size` bytes (of a stream: the most that is expected; 0:
 * unknown), at least `wish` (0: the provider's best) and within its limits. 0 where it cannot be
 * done: *err says the largest size. */
uint64_t pl_plan_part(const struct pl_caps *caps, uint64_t size, uint64_t wish,
                      struct pail_error **err);
/* The size of one ranged get, `wish` 0: the provider's best. */
uint64_t pl_plan_range(const struct pl_caps *caps, uint64_t wish);
/* How many requests at once, `wish` 0: the provider's best; 1 to PL_PLAN_WINDOW. */
enum { PL_PLAN_WINDOW = 64 };
unsigned pl_plan_window(const struct pl_caps *caps, uint32_t wish);

#endif
