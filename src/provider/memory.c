/* "memory:": objects in this client's memory, gone with it. Every operation runs inline, under one
 * lock. */
#include <errno.h>
#include <pthread.h>

#include "base/sys.h"
#include "provider/memory_store.h"
#include "provider/provider.h"

struct memory {
    struct pl_provider base;
    unsigned forks;
    pthread_mutex_t lock;
    struct pl_keymap buckets;    /* struct pl_mem_bucket; under lock, as all in them */
    atomic_uint_fast64_t serial; /* not under it */
};

static struct memory *of(struct pl_provider *p)
{
    return (struct memory *)p;
}

static pail_code find_bucket(struct memory *m, struct pl_op *op, const char *name,
                             struct pl_mem_bucket **out)
{
    *out = pl_keymap_get(&m->buckets, name);
    return *out ? PAIL_OK
                : pl_fail(&op->error, PAIL_E_BUCKET_NOT_FOUND,
                          "no bucket \"%s\" in this memory store", name);
}

/* The object that an op names, if its version is the one that is here; conditions are not looked
 * at. */
static pail_code find_object(struct memory *m, struct pl_op *op, const char *bucket,
                             const char *key, const char *version, struct pl_mem_object **out)
{
    struct pl_mem_bucket *b;
    pail_code rc = find_bucket(m, op, bucket, &b);
    if (rc) {
        return rc;
    }
    *out = pl_keymap_get(&b->objects, key);
    if (*out && version && strcmp(version, (*out)->info.version) != 0) {
        *out = NULL;
    }
    return *out ? PAIL_OK : version ? PAIL_E_VERSION_NOT_FOUND : PAIL_E_NOT_FOUND;
}

static pail_code do_stat(struct memory *m, struct pl_op *op)
{
    struct pl_mem_object *o;
    pail_code rc = find_object(m, op, op->bucket, op->key, op->version, &o);
    rc = rc ? rc : pl_conditions_check(&op->cond, &o->info, false);
    if (rc == PAIL_OK) {
        pl_info_copy(&op->arena, &op->out.info, &o->info);
        op->out.info.key = op->key;
    }
    return rc;
}

static pail_code do_get(struct memory *m, struct pl_op *op)
{
    struct pl_mem_object *o;
    pail_code rc = do_stat(m, op);
    rc = rc ? rc : find_object(m, op, op->bucket, op->key, op->version, &o);
    if (rc) {
        return rc;
    }
    uint64_t length;
    rc = pl_range_resolve(&op->in.get.range, o->info.size, &op->out.range_offset, &length);
    if (rc) {
        return rc;
    }
    struct pl_body *sink = op->in.get.sink;
    if (length > sink->len) {
        return pl_fail(&op->error, PAIL_E_TOO_LARGE, "%llu bytes do not fit into %llu",
                       (unsigned long long)length, (unsigned long long)sink->len);
    }
    return length == 0 || pl_body_write(sink, o->data + op->out.range_offset, length)
               ? PAIL_OK
               : pl_fail_errno(&op->error, errno, "writing what was read of \"%s\"", op->key);
}

static uint64_t next_serial(struct memory *m)
{
    return atomic_fetch_add(&m->serial, 1) + 1;
}

/* The source's bytes as an object, which is op->provider_ctx then. No lock is held: a slow source,
 * and the work on many bytes, hold up nobody else. */
static pail_code read_source(struct memory *m, struct pl_op *op)
{
    static const pail_attributes none;
    struct pl_body *source = op->in.put.source;
    char *data = pl_alloc(source->len);
    if (!data) {
        return pl_fail(&op->error, PAIL_E_NO_MEMORY, "no memory for %llu bytes",
                       (unsigned long long)source->len);
    }
    errno = 0;
    if (source->len && !pl_body_read(source, 0, data, source->len)) {
        pl_free(data);
        return errno ? pl_fail_errno(&op->error, errno, "reading the source")
                     : pl_fail(&op->error, PAIL_E_CHANGED, "the source changed while it was read");
    }
    atomic_store(&source->done, source->len);
    const pail_attributes *attr = op->kind != PL_OP_PUT ? NULL : op->attr ? op->attr : &none;
    struct pl_mem_object *o =
        pl_mem_object_new(data, source->len, attr, op->in.put.etag, next_serial(m));
    if (o && !pl_mem_object_given(o, op->in.put.checksum)) {
        pl_mem_object_unref(o);
        o = NULL;
    }
    op->provider_ctx = o;
    return o ? PAIL_OK : PAIL_E_NO_MEMORY;
}

/* Makes `o` the object of its key if the conditions hold; takes the reference in every case. */
static pail_code publish(struct memory *m, struct pl_op *op, struct pl_mem_object *o)
{
    struct pl_mem_bucket *b;
    void *old = NULL;
    pail_code rc = o ? find_bucket(m, op, op->bucket, &b) : PAIL_E_NO_MEMORY;
    if (rc == PAIL_OK) {
        struct pl_mem_object *there = pl_keymap_get(&b->objects, op->key);
        rc = pl_conditions_check(&op->cond, there ? &there->info : NULL, true);
    }
    if (rc == PAIL_OK && !pl_keymap_set(&b->objects, op->key, o, &old)) {
        rc = PAIL_E_NO_MEMORY;
    }
    if (rc) {
        pl_mem_object_unref(o);
        return rc;
    }
    pl_info_copy(&op->arena, &op->out.info, &o->info);
    op->out.info.key = op->key;
    pl_mem_object_unref(old);
    return PAIL_OK;
}

static pail_code delete_one(struct memory *m, struct pl_op *op, const char *key,
                            const char *version, const pail_conditions *cond)
{
    struct pl_mem_object *o = NULL;
    struct pl_mem_bucket *b;
    pail_code rc = find_bucket(m, op, op->bucket, &b);
    if (rc) {
        return rc;
    }
    rc = find_object(m, op, op->bucket, key, version, &o);
    if (cond && cond->if_match) {
        pail_code held = pl_conditions_check(cond, o ? &o->info : NULL, true);
        if (held) {
            return held;
        }
    }
    if (rc == PAIL_OK) {
        pl_mem_object_unref(pl_keymap_remove(&b->objects, key));
    }
    return rc == PAIL_E_NOT_FOUND ? PAIL_OK : rc;
}

static pail_code do_delete_many(struct memory *m, struct pl_op *op)
{
    struct pl_mem_bucket *b;
    pail_code rc = find_bucket(m, op, op->bucket, &b);
    for (size_t i = 0; rc == PAIL_OK && i < op->in.delete_many.count; i++) {
        const struct pl_name *n = &op->in.delete_many.names[i];
        (void)delete_one(m, op, n->key, n->version,
                         NULL); /* a version that is not there is as good as deleted */
    }
    return rc;
}

/* The source of a copy, checked, with a reference. */
static pail_code copy_source(struct memory *m, struct pl_op *op, struct pl_mem_object **out)
{
    pail_code rc =
        find_object(m, op, op->in.copy.bucket, op->in.copy.key, op->in.copy.version, out);
    rc = rc ? rc : pl_conditions_check(&op->in.copy.cond, &(*out)->info, false);
    if (rc == PAIL_OK) {
        pl_mem_object_ref(*out);
    }
    return rc == PAIL_E_NOT_MODIFIED ? PAIL_E_PRECONDITION : rc;
}

static char *copy_bytes(const char *data, uint64_t n)
{
    char *copy = pl_alloc(n);
    if (copy && n) {
        memcpy(copy, data, n);
    }
    return copy;
}

static pail_code do_copy(struct memory *m, struct pl_op *op)
{
    struct pl_mem_object *from;
    pail_code rc = copy_source(m, op, &from);
    if (rc) {
        return rc;
    }
    pail_attributes kept = pl_info_attributes(&from->info);
    char *data = copy_bytes(from->data, from->info.size);
    struct pl_mem_object *o =
        data ? pl_mem_object_new(data, from->info.size, op->attr ? op->attr : &kept,
                                 from->info.etag, next_serial(m))
             : NULL;
    const pail_info *i = &from->info;
    if (o &&
        !(pl_mem_object_given(o, i->composite_checksum) && pl_mem_object_given(o, i->checksum) &&
          pl_mem_object_parts(o, from->parts, from->part_count))) {
        pl_mem_object_unref(o);
        o = NULL;
    }
    rc = publish(m, op, o);
    pl_mem_object_unref(from);
    return rc;
}

/* ---- listings: keys of a map from a place on, common prefixes as one entry ---- */

struct pager {
    struct pl_op *op;
    const char *prefix, *delimiter;
    size_t max;
};

static struct pager pager_of(struct pl_op *op)
{
    uint32_t max = op->in.list.max && op->in.list.max < 1000 ? op->in.list.max : 1000;
    return (struct pager){
        .op = op,
        .prefix = op->in.list.prefix ? op->in.list.prefix : "",
        .delimiter = op->in.list.delimiter && *op->in.list.delimiter ? op->in.list.delimiter : NULL,
        .max = max};
}

/* Where a page begins: behind the token or start_after, and not before the prefix. */
static size_t page_start(const struct pl_keymap *map, const struct pager *g)
{
    const char *after = g->op->in.list.token ? g->op->in.list.token : g->op->in.list.start_after;
    size_t i = pl_keymap_seek(map, g->prefix, NULL);
    if (after && *after) {
        bool exact;
        size_t j = pl_keymap_seek(map, after, &exact);
        j += exact;
        i = j > i ? j : i;
    }
    return i;
}

/* The length of the common prefix that a key belongs to, 0: none. */
static size_t group_length(const struct pager *g, const char *key)
{
    const char *hit = g->delimiter ? strstr(key + strlen(g->prefix), g->delimiter) : NULL;
    return hit ? (size_t)(hit - key) + strlen(g->delimiter) : 0;
}

typedef void (*fill_fn)(struct pl_op *op, pail_info *item, const struct pl_keymap_entry *entry);

static void fill_object(struct pl_op *op, pail_info *item, const struct pl_keymap_entry *e)
{
    const struct pl_mem_object *o = e->value;
    pl_info_copy(&op->arena, item, &o->info);
    item->key = pl_arena_dup_c(&op->arena, e->key);
}

static void fill_upload(struct pl_op *op, pail_info *item, const struct pl_keymap_entry *e)
{
    const struct pl_mem_upload *u = e->value;
    item->key = pl_arena_dup_c(&op->arena, u->key);
    item->upload_id = pl_arena_dup_c(&op->arena, u->id);
    item->mtime_ms = u->begun_ms;
}

static void fill_bucket(struct pl_op *op, pail_info *item, const struct pl_keymap_entry *e)
{
    item->key = pl_arena_dup_c(&op->arena, e->key);
    item->mtime_ms = ((const struct pl_mem_bucket *)e->value)->made_ms;
}

static pail_code fill_page(const struct pl_keymap *map, struct pl_op *op, fill_fn fill)
{
    struct pager g = pager_of(op);
    pail_info *items = pl_arena_alloc(&op->arena, g.max * sizeof *items);
    size_t n = 0;
    struct pl_str prefix = pl_str_c(g.prefix);
    const char *after = op->in.list.token ? op->in.list.token : op->in.list.start_after;
    const char *last = NULL;
    for (size_t i = page_start(map, &g); items && i < map->count; i++) {
        const char *key = map->entries[i].key;
        if (!pl_str_starts(pl_str_c(key), prefix)) {
            break;
        }
        size_t group = group_length(&g, key);
        if (group && ((after && strncmp(after, key, group) == 0) ||
                      (last && strncmp(last, key, group) == 0))) {
            continue; /* of a prefix that was given already */
        }
        if (n == g.max) {
            op->out.next_token = last;
            break;
        }
        pail_info *item = &items[n++];
        if (group) {
            item->key = pl_arena_dup(&op->arena, pl_str_n(key, group));
            item->is_prefix = true;
            item->mtime_ms = -1;
            last = item->key;
        } else {
            fill(op, item, &map->entries[i]);
            last = pl_arena_dup_c(&op->arena, key);
        }
    }
    op->out.items = items;
    op->out.item_count = n;
    return op->arena.failed ? PAIL_E_NO_MEMORY : PAIL_OK;
}

static pail_code do_list(struct memory *m, struct pl_op *op)
{
    struct pl_mem_bucket *b;
    pail_code rc = find_bucket(m, op, op->bucket, &b);
    return rc ? rc : fill_page(&b->objects, op, fill_object);
}

/* ---- multipart ---- */

static char *upload_name(struct pl_op *op, const char *key, const char *id)
{
    struct pl_buf b = PL_BUF_MAX(4096);
    pl_buf_printf(&b, "%s\001%s", key, id ? id : "");
    char *name = pl_arena_dup(&op->arena, pl_buf_view(&b));
    pl_buf_dispose(&b);
    return name;
}

static pail_code find_upload(struct memory *m, struct pl_op *op, const char *id,
                             struct pl_mem_upload **out)
{
    struct pl_mem_bucket *b;
    pail_code rc = find_bucket(m, op, op->bucket, &b);
    char *name = rc ? NULL : upload_name(op, op->key, id);
    *out = name ? pl_keymap_get(&b->uploads, name) : NULL;
    return rc ? rc : !name ? PAIL_E_NO_MEMORY : *out ? PAIL_OK : PAIL_E_UPLOAD_NOT_FOUND;
}

/* The parts of a finished object behind a number. */
static pail_code do_object_parts(struct memory *m, struct pl_op *op)
{
    struct pl_mem_object *o;
    pail_code rc = find_object(m, op, op->bucket, op->key, op->version, &o);
    if (rc) {
        return rc;
    }
    pl_info_copy(&op->arena, &op->out.info, &o->info);
    op->out.info.key = op->key;
    op->out.parts = pl_arena_alloc(&op->arena, (o->part_count + 1) * sizeof *op->out.parts);
    for (size_t i = 0; op->out.parts && i < o->part_count; i++) {
        if (o->parts[i].number > op->in.list.after_part) {
            struct pl_part *p = &op->out.parts[op->out.part_count++];
            *p = o->parts[i];
            p->etag = pl_arena_dup_c(&op->arena, p->etag);
            p->checksum = pl_arena_dup_c(&op->arena, p->checksum);
        }
    }
    return op->arena.failed ? PAIL_E_NO_MEMORY : PAIL_OK;
}

/* The parts of one upload behind a number. */
static pail_code do_parts(struct memory *m, struct pl_op *op)
{
    struct pl_mem_upload *u;
    pail_code rc = find_upload(m, op, op->in.list.upload_id, &u);
    op->out.note = rc ? NULL : pl_arena_dup_c(&op->arena, u->note);
    uint32_t max = op->in.list.max && op->in.list.max < 1000 ? op->in.list.max : 1000;
    op->out.parts = rc ? NULL : pl_arena_alloc(&op->arena, max * sizeof *op->out.parts);
    for (uint32_t i = op->in.list.after_part; op->out.parts && i < 10000; i++) {
        const struct pl_mem_object *part = u->parts[i];
        if (part && op->out.part_count == max) {
            op->out.more_parts = true;
            break;
        }
        if (part) {
            op->out.parts[op->out.part_count++] =
                (struct pl_part){.number = i + 1,
                                 .etag = pl_arena_dup_c(&op->arena, part->info.etag),
                                 .size = part->info.size,
                                 .checksum = pl_arena_dup_c(&op->arena, part->info.checksum)};
        }
    }
    return rc ? rc : op->arena.failed ? PAIL_E_NO_MEMORY : PAIL_OK;
}

static pail_code do_uploads(struct memory *m, struct pl_op *op)
{
    struct pl_mem_bucket *b;
    if (op->in.list.upload_id || op->in.list.of_object) {
        return op->in.list.of_object ? do_object_parts(m, op) : do_parts(m, op);
    }
    pail_code rc = find_bucket(m, op, op->bucket, &b);
    const char *key = op->in.list.start_after, *id = op->in.list.after_upload;
    if (rc == PAIL_OK && !op->in.list.token && key && *key) {
        op->in.list.start_after = upload_name(op, key, id ? id : "g"); /* behind all digits */
        rc = op->in.list.start_after ? PAIL_OK : PAIL_E_NO_MEMORY;
    }
    return rc ? rc : fill_page(&b->uploads, op, fill_upload);
}

static pail_code do_begin(struct memory *m, struct pl_op *op)
{
    struct pl_mem_bucket *b;
    pail_code rc = find_bucket(m, op, op->bucket, &b);
    if (rc) {
        return rc;
    }
    void *old = NULL;
    struct pl_mem_upload *u = pl_mem_upload_new(op->key, op->attr, op->in.mp.note, next_serial(m));
    char *name = u ? upload_name(op, op->key, u->id) : NULL;
    if (!name || !pl_keymap_set(&b->uploads, name, u, &old)) {
        pl_mem_upload_free(u);
        return PAIL_E_NO_MEMORY;
    }
    op->out.upload_id = pl_arena_dup_c(&op->arena, u->id);
    return PAIL_OK;
}

/* Takes the part over. */
static pail_code store_part(struct memory *m, struct pl_op *op, const char *upload_id,
                            uint32_t number, struct pl_mem_object *part)
{
    struct pl_mem_upload *u;
    pail_code rc = find_upload(m, op, upload_id, &u);
    if (rc == PAIL_OK && (number < 1 || number > 10000)) {
        rc = pl_fail(&op->error, PAIL_E_BAD_ARGUMENT, "part number %u is not 1 to 10000", number);
    }
    if (rc) {
        pl_mem_object_unref(part);
        return rc;
    }
    pl_mem_object_unref(u->parts[number - 1]);
    u->parts[number - 1] = part;
    op->out.etag = pl_arena_dup_c(&op->arena, part->info.etag);
    return PAIL_OK;
}

static pail_code do_part(struct memory *m, struct pl_op *op)
{
    return store_part(m, op, op->in.put.upload_id, op->in.put.number, op->provider_ctx);
}

static pail_code do_copy_part(struct memory *m, struct pl_op *op)
{
    struct pl_mem_object *from;
    pail_code rc = copy_source(m, op, &from);
    if (rc) {
        return rc;
    }
    uint64_t offset = op->in.copy.offset, length = op->in.copy.length;
    if (offset > from->info.size || length > from->info.size - offset) {
        rc = PAIL_E_BAD_RANGE;
    } else {
        char *data = copy_bytes(from->data + offset, length);
        struct pl_mem_object *part =
            data ? pl_mem_object_new(data, length, NULL, NULL, next_serial(m)) : NULL;
        rc = part ? store_part(m, op, op->in.copy.upload_id, op->in.copy.number, part)
                  : PAIL_E_NO_MEMORY;
    }
    pl_mem_object_unref(from);
    return rc;
}

static void drop_upload(struct memory *m, struct pl_op *op, const char *id)
{
    struct pl_mem_bucket *b = pl_keymap_get(&m->buckets, op->bucket);
    char *name = upload_name(op, op->key, id);
    pl_mem_upload_free(b && name ? pl_keymap_remove(&b->uploads, name) : NULL);
}

static pail_code do_finish(struct memory *m, struct pl_op *op)
{
    struct pl_mem_upload *u;
    uint64_t size;
    pail_code rc = find_upload(m, op, op->in.mp.upload_id, &u);
    if (rc) {
        return rc;
    }
    char *data = pl_mem_upload_join(u, op->in.mp.parts, op->in.mp.count, &size, &rc, &op->error);
    if (rc) {
        return rc;
    }
    pail_attributes attr = pl_info_attributes(&u->attributes->info);
    struct pl_mem_object *o = pl_mem_object_new(data, size, &attr, op->in.mp.etag, next_serial(m));
    struct pl_part *parts = pl_mem_upload_parts(u, &op->arena, op->in.mp.parts, op->in.mp.count);
    if (o && !(parts && pl_mem_object_parts(o, parts, op->in.mp.count) &&
               pl_mem_object_given(o, op->in.mp.checksum))) {
        pl_mem_object_unref(o);
        o = NULL;
    }
    rc = publish(m, op, o);
    if (rc == PAIL_OK) {
        drop_upload(m, op, op->in.mp.upload_id);
    }
    return rc;
}

static pail_code do_abort(struct memory *m, struct pl_op *op)
{
    struct pl_mem_upload *u;
    pail_code rc = find_upload(m, op, op->in.mp.upload_id, &u);
    if (rc == PAIL_OK) {
        drop_upload(m, op, op->in.mp.upload_id);
    }
    return rc;
}

/* ---- tags and buckets ---- */

static pail_code do_tags_set(struct memory *m, struct pl_op *op)
{
    struct pl_mem_object *o;
    pail_code rc = find_object(m, op, op->bucket, op->key, op->version, &o);
    if (rc) {
        return rc;
    }
    pail_kv *tags = pl_arena_dup_kv(&o->arena, op->in.tags.tags, op->in.tags.count);
    if (o->arena.failed) {
        return PAIL_E_NO_MEMORY;
    }
    o->info.tags = tags;
    o->info.tag_count = op->in.tags.count;
    return PAIL_OK;
}

static pail_code do_bucket_create(struct memory *m, struct pl_op *op)
{
    if (pl_keymap_get(&m->buckets, op->bucket)) {
        return PAIL_E_BUCKET_EXISTS;
    }
    void *old = NULL;
    struct pl_mem_bucket *b = pl_calloc(1, sizeof *b);
    if (!b || !pl_keymap_set(&m->buckets, op->bucket, b, &old)) {
        pl_free(b);
        return PAIL_E_NO_MEMORY;
    }
    b->made_ms = pl_sys.wall_ms();
    return PAIL_OK;
}

static pail_code do_bucket_delete(struct memory *m, struct pl_op *op)
{
    struct pl_mem_bucket *b;
    pail_code rc = find_bucket(m, op, op->bucket, &b);
    if (rc || b->objects.count) {
        return rc ? rc : PAIL_E_BUCKET_NOT_EMPTY;
    }
    pl_mem_bucket_free(pl_keymap_remove(&m->buckets, op->bucket));
    return PAIL_OK;
}

static pail_code run(struct memory *m, struct pl_op *op)
{
    struct pl_mem_bucket *b;
    switch (op->kind) {
    case PL_OP_STAT:
    case PL_OP_TAGS_GET: return do_stat(m, op);
    case PL_OP_GET: return do_get(m, op);
    case PL_OP_PUT: return publish(m, op, op->provider_ctx);
    case PL_OP_DELETE: return delete_one(m, op, op->key, op->version, &op->cond);
    case PL_OP_DELETE_MANY: return do_delete_many(m, op);
    case PL_OP_COPY: return do_copy(m, op);
    case PL_OP_LIST: return do_list(m, op);
    case PL_OP_MP_BEGIN: return do_begin(m, op);
    case PL_OP_MP_PART: return do_part(m, op);
    case PL_OP_MP_COPY_PART: return do_copy_part(m, op);
    case PL_OP_MP_FINISH: return do_finish(m, op);
    case PL_OP_MP_ABORT: return do_abort(m, op);
    case PL_OP_MP_LIST: return do_uploads(m, op);
    case PL_OP_TAGS_SET: return do_tags_set(m, op);
    case PL_OP_BUCKET_CREATE: return do_bucket_create(m, op);
    case PL_OP_BUCKET_DELETE: return do_bucket_delete(m, op);
    case PL_OP_BUCKET_STAT: return find_bucket(m, op, op->bucket, &b);
    case PL_OP_BUCKET_LIST: return fill_page(&m->buckets, op, fill_bucket);
    case PL_OP_PRESIGN:
        pl_fail(&op->error, PAIL_E_UNSUPPORTED,
                "a memory store has no server that could answer a signed URL");
        pl_error_hint(&op->error, "use a store that others can reach, such as s3://");
        return PAIL_E_UNSUPPORTED;
    case PL_OP_KIND_COUNT: break;
    }
    return PAIL_E_INTERNAL;
}

static enum pl_submit submit(struct pl_provider *p, struct pl_op *op)
{
    struct memory *m = of(p);
    pail_code rc = PAIL_E_FORKED;
    if (m->forks == pl_fork_count()) {
        bool has_source = op->kind == PL_OP_PUT || op->kind == PL_OP_MP_PART;
        rc = has_source ? read_source(m, op) : PAIL_OK;
        if (rc == PAIL_OK) {
            pthread_mutex_lock(&m->lock);
            rc = run(m, op);
            pthread_mutex_unlock(&m->lock);
        }
    }
    pl_op_complete(op, rc);
    return PL_COMPLETED;
}

static void cancel(struct pl_provider *p, struct pl_op *op)
{
    (void)p; /* every op has ended when submit returns */
    (void)op;
}

static void caps(struct pl_provider *p, struct pl_caps *out)
{
    (void)p;
    memset(out->ability, PAIL_NATIVE, sizeof out->ability);
    static const unsigned char missing[] = {PAIL_CAN_STORAGE_CLASS, PAIL_CAN_ENCRYPT,
                                            PAIL_CAN_VERSIONS, PAIL_CAN_PRESIGN_GET,
                                            PAIL_CAN_PRESIGN_PUT};
    for (size_t i = 0; i < sizeof missing; i++) {
        out->ability[missing[i]] = PAIL_NO;
    }
    for (size_t i = 0; i < PAIL_LIMIT_COUNT; i++) {
        out->limit[i] = UINT64_MAX;
    }
    out->limit[PAIL_LIMIT_PART_MIN] = 1;
    out->limit[PAIL_LIMIT_PARTS] = 10000;
    out->limit[PAIL_LIMIT_LIST_PAGE] = 1000;
    out->limit[PAIL_LIMIT_DELETE_MANY] = 1000;
    out->part_best = 1 << 20;
    out->put_best = out->get_best = UINT64_MAX;
    out->concurrency = 1;
    out->takes_pull = out->keeps_etag = out->keeps_sums = out->lists_parts = true;
}

static pail_code check_bucket(struct pl_provider *p, const char *name, struct pail_error **err)
{
    (void)p;
    return pl_bucket_name_check(name, err);
}

static void free_memory(struct pl_provider *p)
{
    struct memory *m = of(p);
    for (size_t i = 0; i < m->buckets.count; i++) {
        pl_mem_bucket_free(m->buckets.entries[i].value);
    }
    pl_keymap_dispose(&m->buckets);
    pthread_mutex_destroy(&m->lock);
    pl_free(m);
}

static const struct pl_provider_ops memory_ops = {.scheme = "memory",
                                                  .caps = caps,
                                                  .submit = submit,
                                                  .cancel = cancel,
                                                  .check_bucket = check_bucket,
                                                  .free = free_memory};

pail_code pl_memory_new(const struct pl_provider_env *env, struct pl_provider **out,
                        struct pail_error **err)
{
    (void)env;
    struct memory *m = pl_calloc(1, sizeof *m);
    if (!m) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a memory store");
    }
    m->base.ops = &memory_ops;
    m->forks = pl_fork_count();
    pthread_mutex_init(&m->lock, NULL);
    *out = &m->base;
    return PAIL_OK;
}
