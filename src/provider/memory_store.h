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
    bool etag_kept; /* the writer's, not a serial number */
};

struct pl_mem_upload {
    char *id, *key;
    int64_t begun_ms;
    struct pl_mem_object *attributes;   /* without data */
    struct pl_mem_object *parts[10000]; /* by number - 1 */
};

struct pl_mem_bucket {
    int64_t made_ms;
    struct pl_keymap objects; /* struct pl_mem_object */
    struct pl_keymap uploads; /* struct pl_mem_upload, by key, newline, id: keys in order, many
                                 uploads for one */
};

/* One reference, the caller's; data (may be NULL) is taken over. NULL: out of memory, data freed.
 */
struct pl_mem_object *pl_mem_object_new(char *data, uint64_t size, const pail_attributes *attr,
                                        uint64_t serial);
/* Gives it the writer's ETag, before anybody else sees it. False: out of memory. */
bool pl_mem_object_etag(struct pl_mem_object *o, const char *etag);
struct pl_mem_object *pl_mem_object_ref(struct pl_mem_object *o);
void pl_mem_object_unref(struct pl_mem_object *o); /* NULL is fine */

struct pl_mem_upload *pl_mem_upload_new(const char *key, const pail_attributes *attr,
                                        uint64_t serial);
void pl_mem_upload_free(struct pl_mem_upload *u);
/* The bytes of the parts one after another; NULL with the reason in *rc. */
char *pl_mem_upload_join(const struct pl_mem_upload *u, const struct pl_part *parts, size_t count,
                         uint64_t *size, pail_code *rc, struct pail_error **err);

void pl_mem_bucket_free(struct pl_mem_bucket *b);

#endif
