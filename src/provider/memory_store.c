#include "provider/memory_store.h"

#include "base/sys.h"
#include "codec/crc.h"

static void set_names(struct pl_mem_object *o, const char *etag, uint64_t serial)
{
    char text[PL_ETAG_MAX];
    if (!etag) {
        pl_etag_text(text, pl_crc64nvme(0, o->data, o->info.size), o->info.size);
    }
    o->info.etag = pl_arena_dup_c(&o->arena, etag ? etag : text);
    *pl_hex16(text, serial) = '\0';
    o->info.version = pl_arena_dup_c(&o->arena, text);
}

static void set_attributes(struct pl_mem_object *o, const pail_attributes *attr)
{
    struct pl_arena *a = &o->arena;
    o->info.content_type = pl_arena_dup_c(a, attr->content_type);
    o->info.content_encoding = pl_arena_dup_c(a, attr->content_encoding);
    o->info.content_language = pl_arena_dup_c(a, attr->content_language);
    o->info.content_disposition = pl_arena_dup_c(a, attr->content_disposition);
    o->info.cache_control = pl_arena_dup_c(a, attr->cache_control);
    o->info.expires = pl_arena_dup_c(a, attr->expires);
    o->info.metadata = pl_arena_dup_kv(a, attr->metadata, attr->metadata_count);
    o->info.metadata_count = attr->metadata_count;
    o->info.tags = pl_arena_dup_kv(a, attr->tags, attr->tag_count);
    o->info.tag_count = attr->tag_count;
}

struct pl_mem_object *pl_mem_object_new(char *data, uint64_t size, const pail_attributes *attr,
                                        const char *etag, uint64_t serial)
{
    struct pl_mem_object *o = pl_calloc(1, sizeof *o);
    if (!o) {
        pl_free(data);
        return NULL;
    }
    atomic_init(&o->refs, 1);
    o->data = data;
    o->info.size = size;
    o->info.mtime_ms = pl_sys.wall_ms();
    set_names(o, etag, serial);
    o->info.is_latest = true;
    if (attr) {
        set_attributes(o, attr);
    }
    if (o->arena.failed) {
        pl_mem_object_unref(o);
        return NULL;
    }
    return o;
}

bool pl_mem_object_given(struct pl_mem_object *o, const char *checksum)
{
    if (checksum) {
        const char **to = strchr(checksum, '-') ? &o->info.composite_checksum : &o->info.checksum;
        *to = pl_arena_dup_c(&o->arena, checksum);
    }
    return !o->arena.failed;
}

bool pl_mem_object_parts(struct pl_mem_object *o, const struct pl_part *parts, size_t count)
{
    o->parts = count ? pl_arena_alloc(&o->arena, count * sizeof *o->parts) : NULL;
    o->part_count = o->parts ? count : 0;
    for (size_t i = 0; i < o->part_count; i++) {
        o->parts[i] = parts[i];
        o->parts[i].etag = pl_arena_dup_c(&o->arena, parts[i].etag);
        o->parts[i].checksum = pl_arena_dup_c(&o->arena, parts[i].checksum);
    }
    return !o->arena.failed;
}

struct pl_mem_object *pl_mem_object_ref(struct pl_mem_object *o)
{
    atomic_fetch_add(&o->refs, 1);
    return o;
}

void pl_mem_object_unref(struct pl_mem_object *o)
{
    if (o && atomic_fetch_sub(&o->refs, 1) == 1) {
        pl_arena_dispose(&o->arena);
        pl_free(o->data);
        pl_free(o);
    }
}

struct pl_mem_upload *pl_mem_upload_new(const char *key, const pail_attributes *attr,
                                        const char *note, uint64_t serial)
{
    static const pail_attributes none;
    struct pl_mem_upload *u = pl_calloc(1, sizeof *u);
    if (!u) {
        return NULL;
    }
    u->begun_ms = pl_sys.wall_ms();
    u->key = pl_strdup(key);
    u->attributes = pl_mem_object_new(NULL, 0, attr ? attr : &none, NULL, serial);
    u->id = u->attributes ? pl_strdup(u->attributes->info.version) : NULL;
    u->note = note ? pl_strdup(note) : NULL;
    if (!u->key || !u->id || (note && !u->note)) {
        pl_mem_upload_free(u);
        return NULL;
    }
    return u;
}

void pl_mem_upload_free(struct pl_mem_upload *u)
{
    if (u) {
        for (size_t i = 0; i < 10000; i++) {
            pl_mem_object_unref(u->parts[i]);
        }
        pl_mem_object_unref(u->attributes);
        pl_free(u->key);
        pl_free(u->id);
        pl_free(u->note);
        pl_free(u);
    }
}

static const struct pl_mem_object *find_part(const struct pl_mem_upload *u,
                                             const struct pl_part *part)
{
    const struct pl_mem_object *o =
        part->number >= 1 && part->number <= 10000 ? u->parts[part->number - 1] : NULL;
    return o && part->etag && strcmp(part->etag, o->info.etag) == 0 ? o : NULL;
}

struct pl_part *pl_mem_upload_parts(const struct pl_mem_upload *u, struct pl_arena *arena,
                                    const struct pl_part *parts, size_t count)
{
    struct pl_part *made = pl_arena_alloc(arena, (count + 1) * sizeof *made);
    for (size_t i = 0; made && i < count; i++) {
        const struct pl_mem_object *o = find_part(u, &parts[i]);
        made[i] = (struct pl_part){.number = parts[i].number,
                                   .etag = parts[i].etag,
                                   .size = o ? o->info.size : 0,
                                   .checksum = o ? o->info.checksum : NULL};
    }
    return made;
}

char *pl_mem_upload_join(const struct pl_mem_upload *u, const struct pl_part *parts, size_t count,
                         uint64_t *size, pail_code *rc, struct pail_error **err)
{
    *size = 0;
    for (size_t i = 0; i < count; i++) {
        const struct pl_mem_object *o = find_part(u, &parts[i]);
        if (!o || (i && parts[i].number <= parts[i - 1].number)) {
            *rc = pl_fail(err, PAIL_E_BAD_ARGUMENT,
                          "part %u is missing, has another ETag, or stands out of order",
                          parts[i].number);
            return NULL;
        }
        *size += o->info.size;
    }
    char *data = pl_alloc(*size), *at = data;
    *rc = data ? PAIL_OK
               : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for an object of %llu bytes",
                         (unsigned long long)*size);
    for (size_t i = 0; data && i < count; i++) {
        const struct pl_mem_object *o = find_part(u, &parts[i]);
        memcpy(at, o->data, o->info.size);
        at += o->info.size;
    }
    return data;
}

void pl_mem_bucket_free(struct pl_mem_bucket *b)
{
    if (b) {
        for (size_t i = 0; i < b->objects.count; i++) {
            pl_mem_object_unref(b->objects.entries[i].value);
        }
        for (size_t i = 0; i < b->uploads.count; i++) {
            pl_mem_upload_free(b->uploads.entries[i].value);
        }
        pl_keymap_dispose(&b->objects);
        pl_keymap_dispose(&b->uploads);
        pl_free(b);
    }
}
