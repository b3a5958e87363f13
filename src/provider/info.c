#include "provider/op.h"

void pl_info_copy(struct pl_arena *a, pail_info *to, const pail_info *from)
{
    *to = *from;
    const char **const fields[] = {&to->key,
                                   &to->etag,
                                   &to->version,
                                   &to->content_type,
                                   &to->content_encoding,
                                   &to->content_language,
                                   &to->content_disposition,
                                   &to->cache_control,
                                   &to->storage_class,
                                   &to->checksum,
                                   &to->composite_checksum,
                                   &to->expires,
                                   &to->upload_id,
                                   &to->encryption};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        *fields[i] = pl_arena_dup_c(a, *fields[i]);
    }
    to->metadata = pl_arena_dup_kv(a, from->metadata, from->metadata_count);
    to->tags = pl_arena_dup_kv(a, from->tags, from->tag_count);
}

pail_attributes pl_info_attributes(const pail_info *i)
{
    return (pail_attributes){.content_type = i->content_type,
                             .content_encoding = i->content_encoding,
                             .content_language = i->content_language,
                             .content_disposition = i->content_disposition,
                             .cache_control = i->cache_control,
                             .expires = i->expires,
                             .metadata = i->metadata,
                             .metadata_count = i->metadata_count,
                             .tags = i->tags,
                             .tag_count = i->tag_count};
}

pail_code pl_metadata_check(const pail_attributes *attr, struct pail_error **err)
{
    for (size_t i = 1; i < attr->metadata_count; i++) {
        for (size_t j = 0; j < i; j++) {
            const char *one = attr->metadata[j].name, *other = attr->metadata[i].name;
            if (pl_str_ieq(pl_str_c(one), pl_str_c(other))) {
                pail_code rc =
                    pl_fail(err, PAIL_E_BAD_ARGUMENT,
                            "metadata \"%.100s\" and \"%.100s\" have one name", one, other);
                pl_error_hint(err, "names are the same in upper and lower case: rename one");
                return rc;
            }
        }
    }
    return PAIL_OK;
}

/* What pail_info_free gets back: the info first, its memory behind it. */
struct owned_info {
    pail_info info;
    struct pl_arena arena;
};

pail_info *pl_info_dup(const pail_info *info)
{
    struct owned_info *o = pl_calloc(1, sizeof *o);
    if (!o) {
        return NULL;
    }
    pl_info_copy(&o->arena, &o->info, info);
    if (o->arena.failed) {
        pail_info_free(&o->info);
        return NULL;
    }
    return &o->info;
}

PAIL_API void pail_info_free(pail_info *info)
{
    struct owned_info *o = (struct owned_info *)(void *)info;
    if (o) {
        pl_arena_dispose(&o->arena);
        pl_free(o);
    }
}

char *pl_hex16(char *room, uint64_t n)
{
    for (int i = 15; i >= 0; i--, n >>= 4) {
        room[i] = "0123456789abcdef"[n & 15];
    }
    return room + 16;
}

char *pl_etag_text(char *room, uint64_t crc, uint64_t size)
{
    char *p = pl_hex16(room, crc), digits[16];
    int n = 0;
    do {
        digits[n++] = "0123456789abcdef"[size & 15];
        size >>= 4;
    } while (size);
    for (*p++ = '-'; n; n--) {
        *p++ = digits[n - 1];
    }
    *p = '\0';
    return p;
}
