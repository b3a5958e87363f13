/* Numbers and names of content files.
 *
 * Numbers come in blocks of 1,024, each a folder, that the index gives to one process; the lock
 * byte of that process says whether it lives. What a killed process left unfinished can so be found
 * by looking into its folders alone. */
#ifndef PL_LOCAL_IDS_H
#define PL_LOCAL_IDS_H

#include "local/commit.h"

enum { PL_ID_BITS = 10, PL_TAIL_MAX = 96, PL_CONTENT_PATH_MAX = 160 };

/* A number for a file to be made now. Give it back with pl_ids_done once it is committed, or its
 * file is gone. May wait for a commit. */
PAIL_MUST pail_code pl_ids_take(struct pl_store *s, int64_t *id, struct pail_error **err);
void pl_ids_done(struct pl_store *s, int64_t id);

/* Where a content is, below the data folder. */
void pl_content_path(int64_t id, const char *tail, char room[PL_CONTENT_PATH_MAX]);
/* The folder alone. */
void pl_content_folder(int64_t id, char room[PL_CONTENT_PATH_MAX]);
/* The end of a file's name, made from the end of a key, for the eyes of people. */
void pl_content_tail(const char *key, uint32_t part, char room[PL_TAIL_MAX]);
/* The number in a file's name; 0: it has none. */
int64_t pl_content_id(const char *name);

/* Removes from the folder of a block what the index does not name; the block's owner is dead. */
PAIL_MUST pail_code pl_tx_clean_block(struct pl_tx *tx, int64_t block, struct pail_error **err);
/* Makes this process an owner, whose death others notice. */
PAIL_MUST pail_code pl_tx_become_owner(struct pl_tx *tx, struct pail_error **err);
PAIL_MUST pail_code pl_tx_next(struct pl_tx *tx, const char *counter, int64_t *value,
                               struct pail_error **err);

#endif
