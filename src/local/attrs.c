#include "local/attrs.h"

enum { ATTRS_MAX = 1 << 20 };
/* On disk: letters keep their meaning for ever. */
enum letter {
    TYPE = 'T',
    ENCODING = 'E',
    LANGUAGE = 'L',
    DISPOSITION = 'D',
    CACHE = 'C',
    NAME = 'N',
    VALUE = 'V',
    EXPIRES = 'X',
    SUM = 'S',       /* of the object, where its writer gave another than the row has */
    COMPOSITE = 'M', /* of the checksums of the parts */
    NOTE = 'K'       /* of an upload */
};

static void add(struct pl_buf *b, enum letter letter, const char *text)
{
    if (text) {
        pl_buf_putc(b, (char)letter);
        pl_buf_add(b, text, strlen(text) + 1);
    }
}

static void add_pairs(struct pl_buf *b, const pail_kv *kv, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add(b, NAME, kv[i].name);
        add(b, VALUE, kv[i].value ? kv[i].value : "");
    }
}

static pail_code checked(const struct pl_buf *b, struct pail_error **err)
{
    pail_code rc = pl_buf_rc(b);
    return rc == PAIL_OK ? rc
                         : pl_fail(err, rc, "metadata and tags of one object may have 1 MiB each");
}

pail_code pl_tags_write(const pail_kv *tags, size_t count, struct pl_buf *out,
                        struct pail_error **err)
{
    *out = PL_BUF_MAX(ATTRS_MAX);
    add_pairs(out, tags, count);
    return checked(out, err);
}

pail_code pl_attrs_write(const pail_attributes *a, struct pl_attrs *out, struct pail_error **err)
{
    *out = (struct pl_attrs){.fields = PL_BUF_MAX(ATTRS_MAX), .tags = PL_BUF_MAX(ATTRS_MAX)};
    if (!a) {
        return PAIL_OK;
    }
    if (a->storage_class || a->canned_acl) {
        return pl_fail(err, PAIL_E_UNSUPPORTED, "a LOCAL store has no storage classes and no ACLs");
    }
    bool alone = !a->content_encoding && !a->content_language && !a->content_disposition &&
                 !a->cache_control && !a->expires && !a->metadata_count && !a->tag_count;
    if (alone && (!a->content_type || strlen(a->content_type) <= PL_TYPE_MAX)) {
        out->type = a->content_type;
        return PAIL_OK;
    }
    struct pl_buf *f = &out->fields;
    add(f, TYPE, a->content_type);
    add(f, ENCODING, a->content_encoding);
    add(f, LANGUAGE, a->content_language);
    add(f, DISPOSITION, a->content_disposition);
    add(f, CACHE, a->cache_control);
    add(f, EXPIRES, a->expires);
    add_pairs(f, a->metadata, a->metadata_count);
    pail_code rc = checked(f, err);
    return rc ? rc : pl_tags_write(a->tags, a->tag_count, &out->tags, err);
}

/* A damaged row must not lead out of its bytes: it ends with a NUL, and each value has a name. */
static bool well_formed(struct pl_str s)
{
    bool named = false;
    if (s.len && s.ptr[s.len - 1] != '\0') {
        return false;
    }
    for (const char *p = s.ptr, *end = p + s.len; p < end; p += strlen(p) + 1) {
        if ((*p == VALUE) != named) {
            return false;
        }
        named = *p == NAME;
    }
    return !named;
}

pail_code pl_attrs_add_note(struct pl_buf *fields, const char *note, struct pail_error **err)
{
    add(fields, NOTE, note);
    return checked(fields, err);
}

/* The checksum that stands in the row of every object needs no second place. */
pail_code pl_attrs_add_sum(struct pl_buf *fields, const char *sum, struct pail_error **err)
{
    bool composite = sum && strchr(sum, '-');
    if (composite || !pl_str_starts(pl_str_c(sum), PL_STR("crc64nvme:"))) {
        add(fields, composite ? COMPOSITE : SUM, sum);
    }
    return checked(fields, err);
}

pail_code pl_attrs_copy(struct pl_buf *to, struct pl_str fields, bool sums, struct pail_error **err)
{
    const char *end = fields.ptr + (well_formed(fields) ? fields.len : 0);
    for (const char *p = fields.ptr; p < end; p += strlen(p) + 1) {
        bool is_sum = *p == SUM || *p == COMPOSITE;
        if (*p != NOTE && is_sum == sums) {
            pl_buf_add(to, p, strlen(p) + 1);
        }
    }
    return checked(to, err);
}

const char *pl_attrs_note(struct pl_str fields, struct pl_arena *arena)
{
    const char *end = fields.ptr + (well_formed(fields) ? fields.len : 0);
    for (const char *p = fields.ptr; p < end; p += strlen(p) + 1) {
        if (*p == NOTE) {
            return pl_arena_dup_c(arena, p + 1);
        }
    }
    return NULL;
}

void pl_attrs_dispose(struct pl_attrs *a)
{
    pl_buf_dispose(&a->fields);
    pl_buf_dispose(&a->tags);
}

static size_t count_names(struct pl_str s)
{
    size_t n = 0;
    for (const char *p = s.ptr, *end = p + s.len; p < end; p += strlen(p) + 1) {
        n += *p == NAME;
    }
    return n;
}

/* Fields point into the copy; pairs go to kv, which has room for all names. */
static void read_fields(struct pl_str s, pail_kv *kv, pail_info *out)
{
    for (const char *p = s.ptr, *end = p + s.len; p < end; p += strlen(p) + 1) {
        const char *text = p + 1;
        switch ((enum letter) * p) {
        case TYPE: out->content_type = text; break;
        case ENCODING: out->content_encoding = text; break;
        case LANGUAGE: out->content_language = text; break;
        case DISPOSITION: out->content_disposition = text; break;
        case CACHE: out->cache_control = text; break;
        case EXPIRES: out->expires = text; break;
        case SUM: out->checksum = text; break;
        case COMPOSITE: out->composite_checksum = text; break;
        case NOTE: break;
        case NAME: kv->name = text; break;
        case VALUE: kv++->value = text; break;
        }
    }
}

static const pail_kv *read_blob(struct pl_str blob, struct pl_arena *arena, pail_info *out,
                                size_t *count)
{
    if (blob.len == 0 || !well_formed(blob)) {
        return NULL;
    }
    struct pl_str copy = pl_str_n(pl_arena_dup(arena, blob), blob.len);
    *count = copy.ptr ? count_names(copy) : 0;
    pail_kv *kv = *count ? pl_arena_alloc(arena, *count * sizeof *kv) : NULL;
    if (copy.ptr && (kv || *count == 0)) {
        read_fields(copy, kv, out);
        return kv;
    }
    *count = 0;
    return NULL;
}

void pl_attrs_read(struct pl_str fields, struct pl_str tags, struct pl_arena *arena, pail_info *out)
{
    out->metadata = read_blob(fields, arena, out, &out->metadata_count);
    out->tags = read_blob(tags, arena, out, &out->tag_count);
}
