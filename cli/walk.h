/* The files below a local directory, one after the other; symbolic links are not followed. */
#ifndef PAIL_CLI_WALK_H
#define PAIL_CLI_WALK_H

#include <stdint.h>

enum walk_kind {
    WALK_END,
    WALK_FILE,
    WALK_ENTER, /* a directory, before what is in it */
    WALK_LEAVE, /* the same behind it */
    WALK_OTHER, /* a symbolic link, socket or device */
    WALK_ERROR  /* could not be read; the walk goes on */
};
struct walk_item {
    enum walk_kind kind;
    const char *path, *rel; /* valid until the next call; rel is "" for the root */
    uint64_t size;
    int error; /* errno */
};

struct walk;
/* Always succeeds: a root that cannot be read is the first WALK_ERROR. Yours, walk_close. */
struct walk *walk_open(const char *root);
/* Memory grows with the depth only. */
void walk_next(struct walk *walk, struct walk_item *item);
void walk_close(struct walk *walk);

#endif
