/* Pail's own memory: the one place that reaches the allocator. */
#ifndef PL_BASE_MEM_H
#define PL_BASE_MEM_H

#include <pail.h>

/* Each returns NULL when out of memory; pl_free and pl_free_secret accept NULL. */
void *pl_alloc(size_t size);
void *pl_calloc(size_t count, size_t size); /* zeroed; NULL also when count * size overflows */
void *pl_realloc(void *ptr, size_t size);
void pl_free(void *ptr);
char *pl_strdup(const char *s);
char *pl_strndup(const char *s, size_t n);

/* Overwrites n bytes in a way that the compiler may not leave out. */
void pl_zero(void *ptr, size_t n);
/* Zeroes the string, then frees it. */
void pl_free_secret(char *s);

#endif
