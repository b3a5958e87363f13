#include "explain.h"

#include "mem.h"

#include <stddef.h>
#include <string.h>

bool explain_cut(char *line, struct explained *out)
{
    char *equals = strstr(line, " = "), *origin = NULL;
    size_t n = strlen(line);
    if (equals == NULL || line[n - 1] != ')') {
        return false;
    }
    for (char *p = strstr(equals + 3, "  ("); p != NULL; p = strstr(p + 1, "  (")) {
        origin = p;
    }
    if (origin == NULL) {
        return false;
    }
    line[n - 1] = '\0';
    *equals = '\0';
    *origin = '\0';
    *out = (struct explained){line, equals + 3, origin + 3};
    return true;
}

bool explain_find(const char *text, const char *name, struct explained *out)
{
    size_t n = strlen(name);
    for (const char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        if (strncmp(line, name, n) == 0 && strncmp(line + n, " = ", 3) == 0) {
            char *copy = mem_text(line);
            copy[length] = '\0';
            if (explain_cut(copy, out)) {
                return true;
            }
            mem_free(copy);
        }
        line += length + (line[length] == '\n');
    }
    return false;
}
