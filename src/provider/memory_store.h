/* The data of a memory store: buckets of immutable objects and unfinished uploads. The caller holds
 * the store's lock, except for pl_mem_object_free and reading an object that it holds a reference
 * to. */
#ifndef PL_PROVIDER_MEMORY_STORE_H
#define PL_PROVIDER_MEMORY_STORE_H

#include "provider/keymap.h"
#include "provider/op.h"

struct pl_mem_object {
    atomic_uint refs;
    char *data;
    pail_info info; /* strings in the arena; key is the map's */
    struct pl_arena arena;
    struct pl_part *parts; /* that it was made of, in the arena; NULL: it came in one piece */
    size_t part_count;
};

struct pl_mem_upload {
    char *id, *key, *note;
    int64_t begun_ms;
    struct pl_mem_object *attributes;   /* without data */
    struct pl_mem_object *parts[10000]; /* by number - 1 */
};

struct pl_mem_bucket {
    int64_t made_ms;
    struct pl_keymap objects; /* struct pl_mem_object */
    struct pl_keymap uploads; /* struct pl_mem_upload, by key, the byte 1, id: keys in order, many
                                 uploads for one */
};

/* One reference, the caller's; data (may be NULL) is taken over. etag: the writer's; NULL: made of
 * the bytes, which are read for it. NULL: out of memory, data freed. */
struct pl_mem_object *pl_mem_object_new(char *data, uint64_t size, const pail_attributes *attr,
                                        const char *etag, uint64_t serial);
/* Gives it the writer's checksum (may be NULL), before anybody else sees it. False: out of memory.
 */
bool pl_mem_object_given(struct pl_mem_object *o, const char *checksum);
/* ... and the parts that it is made of, whose texts are copied. */
bool pl_mem_object_parts(struct pl_mem_object *o, const struct pl_part *parts, size_t count);
struct pl_mem_object *pl_mem_object_ref(struct pl_mem_object *o);
void pl_mem_object_unref(struct pl_mem_object *o); /* NULL is fine */

struct pl_mem_upload *pl_mem_upload_new(const char *key, const pail_attributes *attr,
                                        const char *note, uint64_t serial);
void pl_mem_upload_free(struct pl_mem_upload *u);
/* The same parts as the store knows them, for pl_mem_object_parts; NULL: out of memory. */
struct pl_part *pl_mem_upload_parts(const struct pl_mem_upload *u, struct pl_arena *arena,
                                    const struct pl_part *parts, size_t count);
/* The bytes of the parts one after another; NULL with the reason in *rc. */
char *pl_mem_upload_join(const struct pl_mem_upload *u, const struct pl_part *parts, size_t count,
                         uint64_t *size, pail_code *rc, struct pail_error **err);

void pl_mem_bucket_free(struct pl_mem_bucket *b);

#endif
