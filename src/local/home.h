/* The folder of a store: where it is, whether it can be used, and what says which form it has. */
#ifndef PL_LOCAL_HOME_H
#define PL_LOCAL_HOME_H

#include "provider/provider.h"

enum { PL_STORE_ID_MAX = 33 };

/* `local_home`, else $XDG_DATA_HOME/pail, else ~/.local/share/pail; absolute. *home: pl_free. */
PAIL_MUST pail_code pl_home_path(const struct pl_provider_env *env, char **home,
                                 struct pail_error **err);
/* Opens the folder; makes it (and those above it) where `create`. *fd is -1 where it is not there.
 * Errors: PAIL_E_UNSUPPORTED on a network file system. */
PAIL_MUST pail_code pl_home_open(const char *home, bool create, int *fd, struct pail_error **err);
/* Reads the format file. *found false: the folder holds no store. Errors: PAIL_E_UNSUPPORTED for a
 * format that this version does not know. *old: the index is to be renewed. */
PAIL_MUST pail_code pl_home_read(int fd, const char *home, bool *found, bool *old,
                                 char id[PL_STORE_ID_MAX], struct pail_error **err);
/* Makes an empty store in the folder; the caller holds the gate. Errors: PAIL_E_BAD_CONFIG where
 * other things are in it. */
PAIL_MUST pail_code pl_home_create(int fd, const char *home, char id[PL_STORE_ID_MAX],
                                   struct pail_error **err);
/* Writes the format file, which makes the folder a store. */
PAIL_MUST pail_code pl_home_write(int fd, const char *id, struct pail_error **err);

#define PL_GATE_NAME "gate"
#define PL_DATA_NAME "data"

#endif
