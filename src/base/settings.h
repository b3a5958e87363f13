/* Named values with where each came from. The one list of all settings is in settings.c. */
#ifndef PL_BASE_SETTINGS_H
#define PL_BASE_SETTINGS_H

#include "base/error.h"

enum { PL_SETTINGS_MAX = 192 };

/* Indexed as the table of settings. Zero: nothing is set. Owned strings; secrets are zeroed. */
struct pl_settings {
    char *value[PL_SETTINGS_MAX];
    char *origin[PL_SETTINGS_MAX];
};

/* Sets a value under its name or an alias, without regard to case; a later call replaces an earlier
 * one. Errors: PAIL_E_BAD_CONFIG for an unknown name (says the nearest) or a value that is no
 * number, size or boolean. */
PAIL_MUST pail_code pl_settings_set(struct pl_settings *s, const char *name, const char *value,
                                    const char *origin, struct pail_error **err);
/* Sets a value only where none is set. The name must be of the table. PAIL_OK or PAIL_E_NO_MEMORY.
 */
PAIL_MUST pail_code pl_settings_default(struct pl_settings *s, const char *name, const char *value,
                                        const char *origin);
/* Forgets a value. The name must be of the table. */
void pl_settings_unset(struct pl_settings *s, const char *name);
/* Fills what is unset from the environment variables of the table that belong to `scheme` or to
 * all. */
PAIL_MUST pail_code pl_settings_from_env(struct pl_settings *s, const char *scheme,
                                         struct pail_error **err);

const char *pl_settings_get(const struct pl_settings *s, const char *name); /* NULL: unset */
const char *pl_settings_origin(const struct pl_settings *s, const char *name);
/* Values are checked when set, so these cannot fail: unset gives the given default. */
uint64_t pl_settings_u64(const struct pl_settings *s, const char *name,
                         uint64_t unset); /* numbers and sizes */
bool pl_settings_bool(const struct pl_settings *s, const char *name, bool unset);

/* The table's name of a setting given under any of its names; NULL: unknown. */
const char *pl_settings_name(const char *name);
/* A line "name = value  (origin)" for each that is set; secrets as ***. */
void pl_settings_explain(const struct pl_settings *s, struct pl_buf *out);
void pl_settings_dispose(struct pl_settings *s);

#endif
