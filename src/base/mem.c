#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static pail_allocator allocator; /* set once, before the first allocation */
static atomic_bool used;

PAIL_API pail_code pail_set_allocator(const pail_allocator *a)
{
    if (atomic_load(&used) || (a && !a->realloc_fn)) {
        return PAIL_E_BAD_ARGUMENT;
    }
    allocator = a ? *a : (pail_allocator){0};
    return PAIL_OK;
}

PAIL_API void pail_free(void *ptr)
{
    pl_free(ptr);
}

void *pl_realloc(void *ptr, size_t size)
{
    if (!atomic_load_explicit(&used, memory_order_relaxed)) {
        atomic_store(&used, true);
    }
    if (allocator.realloc_fn) {
        return allocator.realloc_fn(ptr, size ? size : 1, allocator.ctx);
    }
    return realloc(ptr, size ? size : 1);
}

void *pl_alloc(size_t size)
{
    return pl_realloc(NULL, size);
}

void *pl_calloc(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        return NULL;
    }
    void *p = pl_alloc(total);
    if (p) {
        memset(p, 0, total);
    }
    return p;
}

void pl_free(void *ptr)
{
    if (!ptr) {
        return;
    }
    if (allocator.realloc_fn) {
        (void)allocator.realloc_fn(ptr, 0, allocator.ctx);
        return;
    }
    free(ptr);
}

char *pl_strndup(const char *s, size_t n)
{
    if (!s) {
        return NULL;
    }
    char *copy = pl_alloc(n + 1);
    if (copy) {
        memcpy(copy, s, n);
        copy[n] = '\0';
    }
    return copy;
}

char *pl_strdup(const char *s)
{
    return s ? pl_strndup(s, strlen(s)) : NULL;
}

void pl_zero(void *ptr, size_t n)
{
    if (ptr && n) {
        explicit_bzero(ptr, n);
    }
}

void pl_free_secret(char *s)
{
    if (s) {
        pl_zero(s, strlen(s));
        pl_free(s);
    }
}
