/* The shared config and credentials files of the AWS tools, read and merged. */
#ifndef PL_CRED_AWS_FILES_H
#define PL_CRED_AWS_FILES_H

#include "base/arena.h"
#include "base/settings.h"

enum pl_aws_section { PL_AWS_PROFILE, PL_AWS_SSO_SESSION, PL_AWS_SERVICES };

/* One property, or with an empty key the fact that a section is there. */
struct pl_aws_entry {
    struct pl_aws_entry *next;
    enum pl_aws_section section;
    const char *name;    /* of the profile, ... */
    const char *key;     /* lower case */
    char *value;         /* may be secret; that of pl_ini_item */
    const char *file;    /* as shown to people */
    bool of_credentials; /* stands in the credentials file */
    bool is_prefixed;    /* "[profile default]", which hides "[default]" */
    unsigned line;
};

/* Zero: empty and ready. */
struct pl_aws_files {
    struct pl_arena arena;
    struct pl_aws_entry *first, *last; /* in the order read */
    bool default_is_prefixed;
};

/* Adds the content of a file; the config file first, so that the credentials file overrules it.
 * shown: its name in messages. Names that the format does not allow are passed over.
 * Errors: PAIL_E_BAD_CONFIG with file and line, PAIL_E_NO_MEMORY. */
PAIL_MUST pail_code pl_aws_files_add(struct pl_aws_files *f, struct pl_str text, bool credentials,
                                     const char *shown, struct pail_error **err);
/* Reads both files from where they are. Missing ones are no error unless they were asked for by
 * more than the environment. Errors: PAIL_E_BAD_CONFIG (malformed, unreadable), PAIL_E_NO_MEMORY.
 */
PAIL_MUST pail_code pl_aws_files_read(const struct pl_settings *s, struct pl_aws_files *f,
                                      struct pail_error **err);
/* Whether that entry counts: "[default]" of the config file does not beside "[profile default]". */
bool pl_aws_files_counts(const struct pl_aws_files *f, const struct pl_aws_entry *e);
/* The last entry of that section, name and key ("": the section itself); NULL: none. */
const struct pl_aws_entry *pl_aws_files_get(const struct pl_aws_files *f,
                                            enum pl_aws_section section, const char *name,
                                            const char *key);
void pl_aws_files_dispose(struct pl_aws_files *f);

/* Where the config or the credentials file is: as set, else in ~/.aws; pl_free. *shown (may be
 * NULL): with "~" for the home folder; pl_free. NULL: out of memory, or nothing is set and there is
 * no home. */
char *pl_aws_files_path(const struct pl_settings *s, bool credentials, char **shown);

#endif
