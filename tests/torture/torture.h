/* Every verb of the public API with the first, second, ... allocation or file call failing. */
#ifndef PAIL_TEST_TORTURE_H
#define PAIL_TEST_TORTURE_H

#include <pail.h>

enum { BIG_BYTES = 300000, PART_BYTES = 65536 };

/* One thing a program does; b is a bucket with the objects "small" and "big". */
struct torture_verb {
    const char *name;
    pail_code (*run)(pail_bucket *b, pail_error **err);
    bool writes; /* "target" may be there afterwards, whole, or as it was */
};
extern const struct torture_verb torture_verbs[];
extern const int torture_verb_count;

/* The bytes that every object here is made of: those of "big". */
extern char torture_bytes[BIG_BYTES];
/* Whether "small" and "big" are as they were, and "target" is absent or whole. */
bool torture_is_whole(pail_bucket *b);
/* A bucket with its two objects; ends the program where it cannot be made. */
pail_bucket *torture_bucket(const char *url);

#endif
