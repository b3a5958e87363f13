/* Memory that is given piece by piece and freed whole: one per request or page. */
#ifndef PL_BASE_ARENA_H
#define PL_BASE_ARENA_H

#include "base/mem.h"
#include "base/str.h"

struct pl_arena_block;
struct pl_arena {
    struct pl_arena_block *head; /* zero: empty and ready */
    bool failed;                 /* sticky: some allocation failed */
};

void *pl_arena_alloc(struct pl_arena *a,
                     size_t size); /* zeroed, aligned for any type; NULL: out of memory */
char *pl_arena_dup(struct pl_arena *a, struct pl_str s); /* NUL-terminated copy */
/* NULL stays NULL, and is no failure. */
char *pl_arena_dup_c(struct pl_arena *a, const char *s);
/* Copies of an array of names and values; NULL for none. */
pail_kv *pl_arena_dup_kv(struct pl_arena *a, const pail_kv *kv, size_t count);
void pl_arena_dispose(struct pl_arena *a);
/* Moves all memory of `from` behind that of `to`; `from` is empty then. */
void pl_arena_take(struct pl_arena *to, struct pl_arena *from);

#endif
