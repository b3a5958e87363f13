/* How a transfer is cut into requests. */
#include "test.h"
#include "transfer/plan.h"

static const struct pl_caps caps = {.part_best = 16 << 20,
                                    .limit = {[PAIL_LIMIT_PART_MIN] = 5 << 20,
                                              [PAIL_LIMIT_PART_MAX] = UINT64_C(5) << 30,
                                              [PAIL_LIMIT_PARTS] = 10000}};

static uint64_t part_of(uint64_t size, uint64_t wish)
{
    struct pail_error *err = NULL;
    uint64_t part = pl_plan_part(&caps, size, wish, &err);
    CHECK((part == 0) == (err != NULL));
    pail_error_free(err);
    return part;
}

static void test_parts__as_wished_up_to_the_last_that_may_be(void)
{
    const uint64_t mib = 1 << 20, wish = 6 * mib, all = 10000 * wish;
    CHECK_INT(part_of(0, 0), 16 * mib);
    CHECK_INT(part_of(all - 1, wish), wish);
    CHECK_INT(part_of(all, wish), wish);
    CHECK_INT(part_of(all + 1, wish), 7 * mib);
}

static void test_parts__no_more_and_no_larger_than_the_service_takes(void)
{
    const uint64_t gib = UINT64_C(1) << 30, most = 10000 * 5 * gib;
    CHECK_INT(part_of(most, 0), 5 * gib);
    CHECK_INT(part_of(most + 1, 0), 0);
    CHECK_INT(part_of(UINT64_MAX, 0), 0);
    CHECK_INT(part_of(gib, 6 * gib), 0);
    CHECK_INT(part_of(gib, 1), 0);
}

int main(void)
{
    RUN(test_parts__as_wished_up_to_the_last_that_may_be);
    RUN(test_parts__no_more_and_no_larger_than_the_service_takes);
    return test_end();
}
