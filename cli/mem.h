/* Memory of the command line: an allocation that fails ends the program with a message. */
#ifndef PAIL_CLI_MEM_H
#define PAIL_CLI_MEM_H

#include <stdarg.h>
#include <stddef.h>

/* Zeroed. Yours, mem_free. */
void *mem_new(size_t size);
/* As realloc. */
void *mem_grow(void *ptr, size_t size);
void mem_free(void *ptr);
/* A copy of the text; NULL stays NULL. Yours, mem_free. */
char *mem_text(const char *text);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
