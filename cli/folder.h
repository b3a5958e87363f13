/* A destination folder that nothing may be written outside of, whatever the keys are called and
 * whatever symbolic links lie in it. */
#ifndef PAIL_CLI_FOLDER_H
#define PAIL_CLI_FOLDER_H

#include <stdbool.h>

struct folder {
    char *path;
    int fd;
    bool by_component; /* the kernel has no openat2 */
};

/* One file below a folder: the directory it goes into is open, so that its name cannot be turned
 * elsewhere any more. */
struct place {
    int dir_fd;
    char *path;  /* for opening */
    char *shown; /* for messages */
};

/* Why a relative name cannot be a file below a folder, or NULL. */
const char *folder_refusal(const char *rel);
/* Opens the folder, making it and its parents where missing. Returns 0 or an errno. */
int folder_open(struct folder *folder, const char *path);
void folder_close(struct folder *folder);
/* Finds the place of a name that folder_refusal accepts, making the directories on the way.
 * Returns 0 or an errno; EXDEV where a symbolic link leads out. */
int folder_place(struct folder *folder, const char *rel, struct place *out);
/* Makes a directory below the folder. Returns 0 or an errno. */
int folder_make(struct folder *folder, const char *rel);
void folder_leave(struct place *place);

/* A name for a temporary file in the directory of `path`. Yours, mem_free. */
char *folder_temporary(const char *path);
/* Renames `from` to `to` unless that exists. Returns 0 or an errno (EEXIST). */
int folder_claim(const char *from, const char *to);

#endif
