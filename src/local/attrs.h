/* Headers, metadata and tags of an object as the index keeps them: a letter and a NUL-terminated
 * text for each. */
#ifndef PL_LOCAL_ATTRS_H
#define PL_LOCAL_ATTRS_H

#include "provider/op.h"

/* A content type alone stands in the object's row, up to this length. */
enum { PL_TYPE_MAX = 64 };

struct pl_attrs {
    const char *type;           /* alone: goes into the row. Borrowed. */
    struct pl_buf fields, tags; /* else all of them; dispose */
};
/* attr may be NULL. Errors: PAIL_E_TOO_LARGE, PAIL_E_NO_MEMORY, PAIL_E_UNSUPPORTED for a storage
 * class or ACL, which LOCAL does not have. */
PAIL_MUST pail_code pl_attrs_write(const pail_attributes *attr, struct pl_attrs *out,
                                   struct pail_error **err);
void pl_attrs_dispose(struct pl_attrs *a);
PAIL_MUST pail_code pl_tags_write(const pail_kv *tags, size_t count, struct pl_buf *out,
                                  struct pail_error **err);
/* Adds the checksum that a writer gave ("sha256:BASE64", or with "-N" behind it that of N parts'
 * checksums), or what an upload is begun with; NULL: nothing. */
PAIL_MUST pail_code pl_attrs_add_sum(struct pl_buf *fields, const char *sum,
                                     struct pail_error **err);
PAIL_MUST pail_code pl_attrs_add_note(struct pl_buf *fields, const char *note,
                                      struct pail_error **err);
const char *pl_attrs_note(struct pl_str fields, struct pl_arena *arena); /* NULL: none */
/* Adds to `to` what was written: either the checksums, or all but them and a note. */
PAIL_MUST pail_code pl_attrs_copy(struct pl_buf *to, struct pl_str fields, bool sums,
                                  struct pail_error **err);
/* Copies into the arena what was written. */
void pl_attrs_read(struct pl_str fields, struct pl_str tags, struct pl_arena *arena,
                   pail_info *out);

#endif
