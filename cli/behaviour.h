/* What a store does, tried on scratch objects: for pail conform. */
#ifndef PAIL_CLI_BEHAVIOUR_H
#define PAIL_CLI_BEHAVIOUR_H

#include <pail.h>

/* Where it may be tried: every key begins with `prefix`. */
struct scratch {
    pail_bucket *bucket;
    const char *prefix;
};

enum finding {
    FOUND_NATIVE,   /* the service does it */
    FOUND_EMULATED, /* Pail does it by other requests */
    FOUND_NONE,     /* it is refused before any request */
    FOUND_WRONG     /* something else came out than was asked for */
};

struct behaviour {
    const char *name; /* as the fields of service profiles are named, where there is one */
    const char *summary;
    int ability; /* a pail_ability that must be there; -1: every store has it */
    /* PAIL_OK where all came out right; PAIL_E_INTERNAL with no error where it did not. */
    pail_code (*try)(const struct scratch *s, pail_error **err);
};
extern const struct behaviour behaviours[];
extern const int behaviour_count;

#endif
