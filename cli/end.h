/* One end of a transfer: a file, an object, standard input or output. */
#ifndef PAIL_CLI_END_H
#define PAIL_CLI_END_H

#include "folder.h"
#include "target.h"

enum end_kind { END_STDIO, END_PATH, END_OBJECT };
struct end {
    enum end_kind kind;
    const struct target *target; /* END_OBJECT: whose bucket; borrowed */
    char *key;
    struct place place; /* END_PATH: where dir_fd is -1 the path is as the user wrote it */
    char *shown;        /* for messages */
};

struct end end_stdio(bool output);
struct end end_path(const char *path);
struct end end_place(struct place *place); /* takes it */
struct end end_object(const struct target *target, const char *key);
void end_dispose(struct end *end);

#endif
