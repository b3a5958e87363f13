/* A map from keys to pointers in byte order. Owned keys, borrowed values. Not thread-safe. */
#ifndef PL_PROVIDER_KEYMAP_H
#define PL_PROVIDER_KEYMAP_H

#include "base/mem.h"

struct pl_keymap_entry {
    char *key;
    void *value;
};
struct pl_keymap {
    struct pl_keymap_entry *entries; /* sorted by key */
    size_t count, cap;
};

/* The first entry whose key is not less than `key`; count where there is none. *exact (may be
 * NULL): it is equal. */
size_t pl_keymap_seek(const struct pl_keymap *m, const char *key, bool *exact);
void *pl_keymap_get(const struct pl_keymap *m, const char *key); /* NULL: not there */
/* Sets key to value. *old: what was there, or NULL. false: out of memory, nothing changed. */
bool pl_keymap_set(struct pl_keymap *m, const char *key, void *value, void **old);
void *pl_keymap_remove(struct pl_keymap *m, const char *key); /* what was there, or NULL */
void pl_keymap_dispose(struct pl_keymap *m);                  /* frees keys, not values */

#endif
