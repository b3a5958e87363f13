/* A few macros to write a test program: behaviour-named functions, TAP on stdout. */
#ifndef PAIL_TEST_H
#define PAIL_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef TEST_SHARED /* a program of several files defines them in one */
extern int test_number, test_failures, test_failed;
extern const char *test_skip_reason;
#else
static int test_number, test_failures, test_failed;
static const char *test_skip_reason;
#endif

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            test_failed = 1;                                                                       \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #x);                                       \
        }                                                                                          \
    } while (0)
#define CHECK_INT(got, want)                                                                       \
    do {                                                                                           \
        long long got_ = (long long)(got), want_ = (long long)(want);                              \
        if (got_ != want_) {                                                                       \
            test_failed = 1;                                                                       \
            printf("# %s:%d: %s is %lld, want %lld\n", __FILE__, __LINE__, #got, got_, want_);     \
        }                                                                                          \
    } while (0)
#define CHECK_STR(got, want)                                                                       \
    do {                                                                                           \
        const char *got_ = (got), *want_ = (want);                                                 \
        if (!got_ || !want_ || strcmp(got_, want_) != 0) {                                         \
            test_failed = 1;                                                                       \
            printf("# %s:%d: %s is \"%s\", want \"%s\"\n", __FILE__, __LINE__, #got,               \
                   got_ ? got_ : "(null)", want_ ? want_ : "(null)");                              \
        }                                                                                          \
    } while (0)
/* CHECK that ends the test function where going on makes no sense. */
#define REQUIRE(x)                                                                                 \
    do {                                                                                           \
        CHECK(x);                                                                                  \
        if (test_failed) {                                                                         \
            return;                                                                                \
        }                                                                                          \
    } while (0)
#define SKIP(reason)                                                                               \
    do {                                                                                           \
        test_skip_reason = (reason);                                                               \
        return;                                                                                    \
    } while (0)

/* The allocator of ASan keeps its locks over a fork (seen with GCC 12: a child of a process whose
 * other threads allocate waits for ever in malloc). The plain build runs these. */
#ifdef __SANITIZE_ADDRESS__
#define SKIP_UNDER_ASAN() SKIP("a fork beside threads that allocate, under ASan")
#else
#define SKIP_UNDER_ASAN() (void)0
#endif

__attribute__((unused)) static void test_run(const char *name, void (*fn)(void))
{
    test_failed = 0;
    test_skip_reason = NULL;
    fn();
    test_failures += test_failed;
    printf("%s %d - %s%s%s\n", test_failed ? "not ok" : "ok", ++test_number, name,
           test_skip_reason && !test_failed ? " # SKIP " : "",
           test_skip_reason && !test_failed ? test_skip_reason : "");
    fflush(stdout);
}
#define RUN(fn) test_run(#fn, fn)
__attribute__((unused)) static int test_end(void)
{
    printf("1..%d\n", test_number);
    return test_failures != 0;
}

#endif
