/* Looking after a store: checking all its bytes, and copying it while it is used. */
#ifndef PL_LOCAL_MAINTAIN_H
#define PL_LOCAL_MAINTAIN_H

#include "local/store.h"

/* See pail_fsck. */
PAIL_MUST pail_code pl_store_check(struct pl_store *s, bool repair, pail_fsck_fn each, void *ctx,
                                   pail_fsck_report *report, struct pail_error **err);
/* See pail_backup. */
PAIL_MUST pail_code pl_store_backup(struct pl_store *s, const char *folder,
                                    struct pail_error **err);

#endif
