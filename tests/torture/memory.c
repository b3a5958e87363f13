/* torture_memory URL: each allocation fails once, and all behind it; the verb answers no_memory,
 * nothing leaks (under ASan), nothing that was stored is harmed, and the next try works. */
#include <stdatomic.h>

#include "../unit/test.h"
#include "torture.h"

static atomic_int left = -1; /* allocations until they fail; -1: never */

static void *failing(void *ptr, size_t size, void *ctx)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    int now = atomic_load(&left);
    while (now > 0 && !atomic_compare_exchange_weak(&left, &now, now - 1)) {
    }
    return now == 0 ? NULL : realloc(ptr, size);
}

static pail_bucket *bucket;
static const struct torture_verb *verb;

enum { ENOUGH = 5000 };

static void every_allocation(void)
{
    for (int n = 0; n < ENOUGH; n++) {
        pail_error *err = NULL;
        atomic_store(&left, n);
        pail_code rc = verb->run(bucket, &err);
        bool reached = atomic_exchange(&left, -1) == 0;
        bool fine = rc == PAIL_OK || (rc == PAIL_E_NO_MEMORY && reached);
        if (!fine) {
            printf("# %s, allocation %d: %s: %s\n", verb->name, n, pail_code_name(rc),
                   pail_error_message(err));
        }
        pail_error_free(err);
        CHECK(fine);
        if (verb->writes) {
            REQUIRE(torture_is_whole(bucket));
        }
        if (!reached) {
            CHECK_INT(rc, PAIL_OK);
            return;
        }
    }
    bool has_enough_at_last = false;
    CHECK(has_enough_at_last);
}

int main(int argc, char **argv)
{
    pail_allocator allocator = {failing, NULL};
    if (argc != 2 || pail_set_allocator(&allocator)) {
        return 2;
    }
    bucket = torture_bucket(argv[1]);
    for (int i = 0; i < torture_verb_count; i++) {
        verb = &torture_verbs[i];
        const char *without = getenv("PAIL_TORTURE_WITHOUT"); /* what this store has not */
        if (without && strstr(without, verb->name)) {
            continue;
        }
        test_run(verb->name, every_allocation);
    }
    pail_bucket_close(bucket);
    return test_end();
}
