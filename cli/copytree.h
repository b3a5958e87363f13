/* cp -r: a local directory or everything below a prefix. */
#ifndef PAIL_CLI_COPYTREE_H
#define PAIL_CLI_COPYTREE_H

#include "transfer.h"

/* Whether a destination stands for a folder: a directory, a bucket, or with a '/' at its end. */
bool copytree_is_folder(const struct target *target);
/* Whether a local path is a directory. */
bool copytree_is_directory(const char *path);
/* The last part of a path or key; "" where it ends in '/'. Borrowed. */
const char *copytree_base(const char *path);

/* Copies all below the source. Returns 0, or an exit status after a message where it could not
 * begin or list; what single transfers did is in all->tally. */
int copytree_run(struct transfers *all, const struct target *from, const struct target *to);

#endif
