/* The grammar of the AWS config and credentials files. */
#ifndef PL_CODEC_INI_H
#define PL_CODEC_INI_H

#include "base/error.h"

/* One thing that stands in the file, in order: the start of a section (key empty) or a property.
 * section: trimmed, without the brackets. key: lower case. value: as it ends up, so the lines of a
 * continued value are joined with '\n'; one that begins with '\n' has sub-properties
 * ("s3 =\n name = value" gives "\nname = value"). All borrowed for the call. */
struct pl_ini_item {
    struct pl_str section, key, value;
    unsigned line; /* from 1 */
};
typedef pail_code (*pl_ini_fn)(void *ctx, const struct pl_ini_item *item, struct pail_error **err);

/* Hands each item to fn and stops at the first that it refuses. file: for messages. Errors:
 * PAIL_E_BAD_CONFIG with file and line; that of fn. */
PAIL_MUST pail_code pl_ini_parse(struct pl_str text, const char *file, pl_ini_fn fn, void *ctx,
                                 struct pail_error **err);
/* Takes the next "name = value" off the sub-properties of a value. False at the end. */
bool pl_ini_sub(struct pl_str *value, struct pl_str *name, struct pl_str *text);

#endif
