#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *ptr)
{
    if (ptr == NULL) {
        fputs("pail: out of memory\n", stderr);
        exit(1);
    }
    return ptr;
}

void *mem_new(size_t size)
{
    return must(calloc(1, size > 0 ? size : 1));
}

void *mem_grow(void *ptr, size_t size)
{
    return must(realloc(ptr, size));
}

void mem_free(void *ptr)
{
    free(ptr);
}

char *mem_text(const char *text)
{
    return text == NULL ? NULL : must(strdup(text));
}

char *mem_printf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    return must(n < 0 ? NULL : text);
}
