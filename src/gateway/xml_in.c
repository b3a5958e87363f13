/* The XML bodies of requests. */
#include "gateway/gateway.h"

#include "codec/xml.h"

enum { DELETES_MAX = 1000, PARTS_MAX = 10000, TAGS_MAX = 10, TEXT_MAX = 8192 };

static bool read_xml(struct pl_gw_call *c, const struct pl_xml_events *events, void *ctx)
{
    struct pl_xml x = {0};
    pail_code rc = pl_xml_init(&x, events, ctx, TEXT_MAX, NULL);
    rc = rc ? rc
            : pl_xml_feed(&x, c->body.small.ptr ? c->body.small.ptr : "", c->body.small.len, NULL);
    rc = rc ? rc : pl_xml_finish(&x, NULL);
    pl_xml_dispose(&x);
    if (rc && !c->error) {
        pl_gw_fail(c, rc == PAIL_E_NO_MEMORY ? "SlowDown" : "MalformedXML", NULL);
    }
    return rc == PAIL_OK;
}

static pail_code wrong_root(int depth, struct pl_str name, const char *root)
{
    return depth == 1 && !pl_str_is(name, root) ? PAIL_E_PROTOCOL : PAIL_OK;
}

/* ---- Delete ---- */

struct deletes {
    struct pl_gw_call *c;
    struct pl_gw_names *out;
    struct pl_name now;
    struct pl_gw_if now_if;
};

/* SPEC S3 ObjectIdentifier: ETag, Size and LastModifiedTime must match, or the object stays.
 * False: the text is none of its element. */
static bool take_condition(struct deletes *d, struct pl_str name, struct pl_str text)
{
    struct pl_gw_if *now = &d->now_if;
    text = pl_str_trim(text);
    if (pl_str_is(name, "ETag")) {
        now->etag = pl_gw_unquoted(d->c, pl_arena_dup(d->c->arena, text));
    } else if (pl_str_is(name, "Size")) {
        now->has_size = true;
        return pl_str_u64(text, &now->size);
    } else if (pl_str_is(name, "LastModifiedTime")) {
        now->has_mtime = true;
        return pl_date_http_parse(text, &now->mtime_ms) || pl_date_iso_parse(text, &now->mtime_ms);
    }
    return true;
}

static pail_code close_delete(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    struct deletes *d = ctx;
    struct pl_arena *a = d->c->arena;
    if (depth == 3 && pl_str_is(name, "Key")) {
        d->now.key = pl_arena_dup(a, text);
    } else if (depth == 3 && pl_str_is(name, "VersionId")) {
        d->now.version = pl_gw_version(d->c, pl_arena_dup(a, text));
    } else if (depth == 3 && !take_condition(d, name, text)) {
        return PAIL_E_PROTOCOL;
    } else if (depth == 2 && pl_str_is(name, "Quiet")) {
        d->out->quiet = pl_str_is(text, "true");
    } else if (depth == 2 && pl_str_is(name, "Object")) {
        if (!d->now.key || d->out->count == DELETES_MAX) {
            return PAIL_E_PROTOCOL;
        }
        d->out->conditions[d->out->count] = d->now_if;
        d->out->names[d->out->count++] = d->now;
        d->now = (struct pl_name){0};
        d->now_if = (struct pl_gw_if){0};
    }
    return a->failed ? PAIL_E_NO_MEMORY : wrong_root(depth, name, "Delete");
}

bool pl_gw_read_delete(struct pl_gw_call *c, struct pl_gw_names *out)
{
    struct deletes d = {.c = c, .out = out};
    static const struct pl_xml_events events = {.close = close_delete};
    out->names = pl_arena_alloc(c->arena, DELETES_MAX * sizeof *out->names);
    out->conditions = pl_arena_alloc(c->arena, DELETES_MAX * sizeof *out->conditions);
    if (!out->names || !out->conditions) {
        pl_gw_fail(c, "SlowDown", NULL);
        return false;
    }
    if (!read_xml(c, &events, &d)) {
        return false;
    }
    if (out->count == 0) {
        pl_gw_fail(c, "MalformedXML", NULL);
    }
    return out->count > 0;
}

/* ---- CompleteMultipartUpload ---- */

struct parts {
    struct pl_gw_call *c;
    struct pl_part *parts, now;
    size_t count;
    bool unordered;
};

/* <ChecksumSHA256> as "sha256:BASE64"; NULL: it is another element. */
static const char *checksum_of(struct pl_gw_call *c, struct pl_str name, struct pl_str text)
{
    enum pl_sum sum = pl_sum_by_name(pl_str_n(name.ptr + 8, name.len - 8));
    struct pl_buf b = PL_BUF_MAX(256);
    pl_buf_printf(&b, "%s:", pl_sum_name(sum));
    pl_buf_str(&b, pl_str_trim(text));
    const char *made =
        sum != PL_SUM_NONE && !pl_buf_rc(&b) ? pl_arena_dup(c->arena, pl_buf_view(&b)) : NULL;
    pl_buf_dispose(&b);
    return made;
}

static pail_code close_part(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    struct parts *p = ctx;
    uint64_t n;
    if (depth == 3 && pl_str_is(name, "PartNumber")) {
        if (!pl_str_u64(pl_str_trim(text), &n) || n < 1 || n > PARTS_MAX) {
            return PAIL_E_PROTOCOL;
        }
        p->now.number = (uint32_t)n;
    } else if (depth == 3 && pl_str_is(name, "ETag")) {
        p->now.etag = pl_gw_unquoted(p->c, pl_arena_dup(p->c->arena, pl_str_trim(text)));
    } else if (depth == 3 && pl_str_starts(name, PL_STR("Checksum"))) {
        p->now.checksum = checksum_of(p->c, name, text);
    } else if (depth == 2 && pl_str_is(name, "Part")) {
        if (!p->now.number || !p->now.etag || p->count == PARTS_MAX) {
            return PAIL_E_PROTOCOL;
        }
        p->unordered |= p->count && p->now.number <= p->parts[p->count - 1].number;
        p->parts[p->count++] = p->now;
        p->now = (struct pl_part){0};
    }
    return p->c->arena->failed ? PAIL_E_NO_MEMORY
                               : wrong_root(depth, name, "CompleteMultipartUpload");
}

bool pl_gw_read_parts(struct pl_gw_call *c, struct pl_part **out, size_t *count)
{
    struct parts p = {.c = c};
    static const struct pl_xml_events events = {.close = close_part};
    p.parts = pl_arena_alloc(c->arena, PARTS_MAX * sizeof *p.parts);
    if (!p.parts) {
        pl_gw_fail(c, "SlowDown", NULL);
        return false;
    }
    if (!read_xml(c, &events, &p)) {
        return false;
    }
    *out = p.parts;
    *count = p.count;
    if (p.count == 0 || p.unordered) {
        pl_gw_fail(c, p.count ? "InvalidPartOrder" : "MalformedXML", NULL);
    }
    return p.count && !p.unordered;
}

/* ---- Tagging ---- */

struct tags {
    struct pl_gw_call *c;
    pail_kv *tags, now;
    size_t count;
    bool wrong;
};

static pail_code close_tag(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    struct tags *t = ctx;
    if (depth == 4 && pl_str_is(name, "Key")) {
        t->now.name = pl_arena_dup(t->c->arena, text);
        t->wrong |= text.len == 0 || pl_gw_characters(text) > PL_GW_TAG_KEY_MAX;
    } else if (depth == 4 && pl_str_is(name, "Value")) {
        t->now.value = pl_arena_dup(t->c->arena, text);
        t->wrong |= pl_gw_characters(text) > PL_GW_TAG_VALUE_MAX;
    } else if (depth == 3 && pl_str_is(name, "Tag")) {
        if (!t->now.name || !t->now.value) {
            return PAIL_E_PROTOCOL;
        }
        for (size_t i = 0; i < t->count && i < TAGS_MAX; i++) {
            t->wrong |= strcmp(t->tags[i].name, t->now.name) == 0;
        }
        if (t->count < TAGS_MAX) {
            t->tags[t->count] = t->now;
        }
        t->count++;
        t->now = (pail_kv){0};
    }
    return t->c->arena->failed ? PAIL_E_NO_MEMORY : wrong_root(depth, name, "Tagging");
}

bool pl_gw_read_tags(struct pl_gw_call *c, pail_kv **out, size_t *count)
{
    struct tags t = {.c = c};
    static const struct pl_xml_events events = {.close = close_tag};
    t.tags = pl_arena_alloc(c->arena, TAGS_MAX * sizeof *t.tags);
    if (!t.tags) {
        pl_gw_fail(c, "SlowDown", NULL);
        return false;
    }
    if (!read_xml(c, &events, &t)) {
        return false;
    }
    if (t.count > TAGS_MAX || t.wrong) {
        pl_gw_fail(c, "InvalidTag", PL_GW_TAG_RULE);
        return false;
    }
    *out = t.tags;
    *count = t.count;
    return true;
}
