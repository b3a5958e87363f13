#include "transfer/plan.h"

enum { MIB = 1 << 20 };

static uint64_t round_up(uint64_t n)
{
    return n > UINT64_MAX - MIB ? n : (n + MIB - 1) / MIB * MIB;
}

uint64_t pl_plan_part(const struct pl_caps *caps, uint64_t size, uint64_t wish,
                      struct pail_error **err)
{
    uint64_t least = caps->limit[PAIL_LIMIT_PART_MIN], most = caps->limit[PAIL_LIMIT_PART_MAX];
    uint64_t parts = caps->limit[PAIL_LIMIT_PARTS];
    uint64_t part = wish ? wish : caps->part_best;
    if (wish && (wish < least || wish > most)) {
        pl_fail(err, PAIL_E_BAD_ARGUMENT, "a part size of %llu bytes is not within %llu to %llu",
                (unsigned long long)wish, (unsigned long long)least, (unsigned long long)most);
        return 0;
    }
    part = part < least ? least : part > most ? most : part;
    if (size / part + (size % part != 0) > parts) {
        part = round_up(size / parts + (size % parts != 0));
    }
    if (part > most) {
        pl_fail(err, PAIL_E_TOO_LARGE, "%llu bytes are more than the %llu that the service takes",
                (unsigned long long)size, (unsigned long long)(most * parts));
        return 0;
    }
    return part;
}

uint64_t pl_plan_range(const struct pl_caps *caps, uint64_t wish)
{
    uint64_t part = wish ? wish : caps->part_best;
    return part ? part : 8 * MIB;
}

unsigned pl_plan_window(const struct pl_caps *caps, uint32_t wish)
{
    uint32_t n = wish ? wish : caps->concurrency;
    return n < 1 ? 1 : n > PL_PLAN_WINDOW ? PL_PLAN_WINDOW : n;
}
