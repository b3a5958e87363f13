/* The lines "name = value  (origin)" of pail_client_explain. */
#ifndef PAIL_CLI_EXPLAIN_H
#define PAIL_CLI_EXPLAIN_H

#include <stdbool.h>

struct explained {
    char *name, *value, *origin; /* into the line */
};
/* Cuts one line up in place. False where it has another form. */
bool explain_cut(char *line, struct explained *out);
/* The setting of that name in the whole text, which stays as it is. Yours: mem_free(out->name). */
bool explain_find(const char *text, const char *name, struct explained *out);

#endif
