/* Flags, from one table per command; the help is made from the same tables (help.c). */
#ifndef PAIL_CLI_ARGS_H
#define PAIL_CLI_ARGS_H

#include "cli.h"

/* The commands in the order of the help, and how many there are. */
extern const struct command *const args_commands[];
extern const size_t args_command_count;

/* Sets the command and its flags from the command line; operands are moved to the front of argv and
 * counted in *count. Returns 0, or the exit status after a message. *command: NULL where none. */
int args_parse(int argc, char **argv, const struct command **command, int *count);
const struct command *args_find(const char *name);
/* The known command nearest to the name, or NULL. */
const char *args_nearest_command(const char *name);

/* The flags that every command takes. */
extern const struct opt args_globals[];
extern const size_t args_global_count;

void pairs_add(struct pairs *pairs, const char *name, const char *value);
/* "16M", "5GiB", "100": units of 1024. False where it is none. */
bool args_size(const char *text, uint64_t *out);

#endif
