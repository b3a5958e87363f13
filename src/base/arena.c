#include "base/arena.h"

#include <stdalign.h>

struct pl_arena_block {
    struct pl_arena_block *next;
    size_t used, size;
    alignas(max_align_t) char data[];
};

enum { FIRST_BLOCK = 512, LARGEST_BLOCK = 64 * 1024 };

static struct pl_arena_block *add_block(struct pl_arena *a, size_t size)
{
    size_t want = a->head ? a->head->size * 2 : FIRST_BLOCK;
    want = want > LARGEST_BLOCK ? LARGEST_BLOCK : want;
    want = want < size ? size : want;
    struct pl_arena_block *b = pl_alloc(sizeof *b + want);
    if (b) {
        *b = (struct pl_arena_block){.next = a->head, .size = want};
        a->head = b;
    }
    return b;
}

void *pl_arena_alloc(struct pl_arena *a, size_t size)
{
    size_t need = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct pl_arena_block *b = a->head;
    if (need < size || !b || b->size - b->used < need) {
        b = need < size ? NULL : add_block(a, need);
        if (!b) {
            a->failed = true;
            return NULL;
        }
    }
    void *p = b->data + b->used;
    b->used += need;
    memset(p, 0, size);
    return p;
}

char *pl_arena_dup(struct pl_arena *a, struct pl_str s)
{
    char *copy = pl_arena_alloc(a, s.len + 1);
    if (copy && s.len) {
        memcpy(copy, s.ptr, s.len);
    }
    return copy;
}

char *pl_arena_dup_c(struct pl_arena *a, const char *s)
{
    return s ? pl_arena_dup(a, pl_str_c(s)) : NULL;
}

pail_kv *pl_arena_dup_kv(struct pl_arena *a, const pail_kv *kv, size_t count)
{
    pail_kv *copy = count ? pl_arena_alloc(a, count * sizeof *copy) : NULL;
    for (size_t i = 0; copy && i < count; i++) {
        copy[i].name = pl_arena_dup_c(a, kv[i].name);
        copy[i].value = pl_arena_dup_c(a, kv[i].value);
    }
    return copy;
}

void pl_arena_dispose(struct pl_arena *a)
{
    while (a->head) {
        struct pl_arena_block *b = a->head;
        a->head = b->next;
        pl_free(b);
    }
    a->failed = false;
}

void pl_arena_take(struct pl_arena *to, struct pl_arena *from)
{
    struct pl_arena_block **end = &to->head;
    while (*end) {
        end = &(*end)->next;
    }
    *end = from->head;
    to->failed |= from->failed;
    *from = (struct pl_arena){0};
}
