#include "provider/keymap.h"

#include <string.h>

size_t pl_keymap_seek(const struct pl_keymap *m, const char *key, bool *exact)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(m->entries[middle].key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (exact) {
        *exact = low < m->count && strcmp(m->entries[low].key, key) == 0;
    }
    return low;
}

void *pl_keymap_get(const struct pl_keymap *m, const char *key)
{
    bool exact;
    size_t i = pl_keymap_seek(m, key, &exact);
    return exact ? m->entries[i].value : NULL;
}

static bool grow(struct pl_keymap *m)
{
    if (m->count < m->cap) {
        return true;
    }
    size_t cap = m->cap ? m->cap * 2 : 16;
    struct pl_keymap_entry *entries = pl_realloc(m->entries, cap * sizeof *entries);
    if (entries) {
        m->entries = entries;
        m->cap = cap;
    }
    return entries != NULL;
}

bool pl_keymap_set(struct pl_keymap *m, const char *key, void *value, void **old)
{
    bool exact;
    size_t i = pl_keymap_seek(m, key, &exact);
    *old = exact ? m->entries[i].value : NULL;
    if (!exact) {
        char *copy = grow(m) ? pl_strdup(key) : NULL;
        if (!copy) {
            return false;
        }
        memmove(m->entries + i + 1, m->entries + i, (m->count - i) * sizeof *m->entries);
        m->entries[i].key = copy;
        m->count++;
    }
    m->entries[i].value = value;
    return true;
}

void *pl_keymap_remove(struct pl_keymap *m, const char *key)
{
    bool exact;
    size_t i = pl_keymap_seek(m, key, &exact);
    if (!exact) {
        return NULL;
    }
    void *value = m->entries[i].value;
    pl_free(m->entries[i].key);
    m->count--;
    memmove(m->entries + i, m->entries + i + 1, (m->count - i) * sizeof *m->entries);
    return value;
}

void pl_keymap_dispose(struct pl_keymap *m)
{
    for (size_t i = 0; i < m->count; i++) {
        pl_free(m->entries[i].key);
    }
    pl_free(m->entries);
    *m = (struct pl_keymap){0};
}
