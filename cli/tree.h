/* Everything under a prefix, as a folder would have it: "PREFIX" means the key itself and what
 * begins with "PREFIX/", never "PREFIXfoo". Streams; memory does not grow with the listing. */
#ifndef PAIL_CLI_TREE_H
#define PAIL_CLI_TREE_H

#include "target.h"

struct tree {
    const struct target *target;
    pail_list_opts opts;
    char *folder; /* "PREFIX/", or NULL in the bucket's root */
    pail_iter *iter;
    bool at_key; /* still at the key itself */
};

/* target: with its bucket open; borrowed. opts: prefix and call are set here. */
void tree_open(struct tree *tree, const struct target *target, const pail_list_opts *opts);
/* PAIL_OK with *item (valid until the next call), PAIL_DONE or an error. */
pail_code tree_next(struct tree *tree, const pail_info **item, pail_error **err);
void tree_close(struct tree *tree);

#endif
