/* Deletes and tags. */
#include "gateway/gateway.h"

#include <stdlib.h>

/* ---- deletes ---- */

static bool holds(const struct pl_gw_if *i, const pail_info *info)
{
    return (!i->has_size || info->size == i->size) &&
           (!i->has_mtime || info->mtime_ms / 1000 == i->mtime_ms / 1000);
}

/* Size and time are those of an object that is then deleted by its ETag only, so nothing that comes
 * between is lost. SPEC S3 DeleteObject, x-amz-if-match-size: 412 where it does not match, 204
 * where there is no object. *etag: what the delete is to be pinned with. */
static pail_code look_first(struct pl_gw_call *c, const struct pl_name *name,
                            const struct pl_gw_if *i, const char **etag)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_STAT, c->bucket, name->key);
    if (!op) {
        return PAIL_E_NO_MEMORY;
    }
    op->version = name->version;
    pail_code rc = pl_gw_run(&s);
    if (rc == PAIL_OK && !holds(i, &op->out.info)) {
        rc = PAIL_E_PRECONDITION;
    } else if (rc == PAIL_OK && (!i->etag || strcmp(i->etag, "*") == 0)) {
        *etag = pl_arena_dup_c(c->arena, op->out.info.etag);
        rc = *etag ? PAIL_OK : PAIL_E_PRECONDITION; /* nothing to pin it with */
    }
    pl_gw_op_end(c, &s, true);
    return rc;
}

/* SPEC S3 DeleteObject: what is not there is as good as deleted. *err: yours. */
static pail_code delete_one(struct pl_gw_call *c, const struct pl_name *name,
                            const struct pl_gw_if *i, struct pail_error **err)
{
    struct pl_simple s;
    const char *etag = i->etag;
    pail_code rc = i->has_size || i->has_mtime ? look_first(c, name, i, &etag) : PAIL_OK;
    struct pl_op *op = rc ? NULL : pl_gw_op(c, &s, PL_OP_DELETE, c->bucket, name->key);
    if (op) {
        op->version = name->version;
        op->cond.if_match = etag;
        (void)pl_gw_run(&s);
        rc = pl_task_result(&s.task, NULL, err);
    } else if (!rc) {
        rc = PAIL_E_NO_MEMORY;
    }
    return rc == PAIL_E_NOT_FOUND || rc == PAIL_E_VERSION_NOT_FOUND ? PAIL_OK : rc;
}

void pl_gw_delete_object(struct pl_gw_call *c)
{
    const char *size = pl_gw_header(c, "x-amz-if-match-size"),
               *time = pl_gw_header(c, "x-amz-if-match-last-modified-time");
    struct pl_name name = {c->key, pl_gw_version(c, pl_gw_param(c, "versionId"))};
    struct pl_gw_if i = {.has_size = size != NULL, .has_mtime = time != NULL};
    struct pail_error *e = NULL;
    if ((size && !pl_str_u64(pl_str_c(size), &i.size)) ||
        (time && !pl_date_http_parse(pl_str_c(time), &i.mtime_ms) &&
         !pl_date_iso_parse(pl_str_c(time), &i.mtime_ms))) {
        pl_gw_fail(c, "InvalidArgument", "x-amz-if-match- headers are a size and a date");
        return;
    }
    pl_gw_take_conditions(c, "", &c->cond);
    if (c->cond.if_none_match || pl_gw_header(c, "if-modified-since") ||
        pl_gw_header(c, "if-unmodified-since")) { /* SPEC S3 DeleteObject knows none of them */
        pl_gw_fail(c, "NotImplemented", "the condition of a delete is If-Match");
        return;
    }
    i.etag = c->cond.if_match;
    pail_code rc = delete_one(c, &name, &i, &e);
    if (rc == PAIL_OK) {
        pl_gw_reply(c, 204);
    } else if (!c->error) {
        pl_gw_fail_op(c, rc, e);
    }
    pail_error_free(e);
}

struct deletes {
    struct pl_buf *b;
    const struct pl_gw_names *names;
    size_t at;
};

static void tell(struct deletes *d, const struct pl_name *name, const pail_error *err)
{
    bool gone = !err || err->code == PAIL_E_NOT_FOUND || err->code == PAIL_E_VERSION_NOT_FOUND;
    if (gone && d->names->quiet) {
        return;
    }
    pl_buf_puts(d->b, gone ? "<Deleted>" : "<Error>");
    pl_gw_text(d->b, "Key", name->key);
    pl_gw_text(d->b, "VersionId", name->version);
    if (!gone) {
        pl_gw_text(d->b, "Code", pl_gw_error_code(err->code));
        pl_gw_text(d->b, "Message", pail_error_message(err));
    }
    pl_buf_puts(d->b, gone ? "</Deleted>" : "</Error>");
}

static void one_deleted(const char *key, const pail_error *err, void *ctx)
{
    struct deletes *d = ctx;
    struct pl_name name = {key, d->names->names[d->at++].version};
    tell(d, &name, err);
}

/* Keys that no store takes do not exist. Those with conditions are deleted here, one by one; what
 * is left needs no look. */
static void delete_singles(struct pl_gw_call *c, struct pl_gw_names *names, struct deletes *d)
{
    size_t n = 0;
    for (size_t k = 0; k < names->count && !c->error; k++) {
        const struct pl_name name = names->names[k];
        const struct pl_gw_if *i = &names->conditions[k];
        struct pail_error *e = NULL;
        if (pl_key_check(name.key, NULL) != PAIL_OK) {
            tell(d, &name, NULL);
        } else if (!i->etag && !i->has_size && !i->has_mtime) {
            names->names[n++] = name;
        } else {
            pail_code rc = delete_one(c, &name, i, &e);
            if (c->error) { /* the reply is an error's now */
                pail_error_free(e);
                break;
            }
            if (rc && !e) {
                pl_fail(&e, rc, "a condition of the request does not hold");
            }
            tell(d, &name, e);
            pail_error_free(e);
        }
    }
    names->count = n;
}

void pl_gw_delete_objects(struct pl_gw_call *c)
{
    struct pl_gw_names names = {0};
    struct pail_error *e = NULL;
    if (!pl_gw_check_names(c, c->bucket, NULL) || !pl_gw_read_delete(c, &names)) {
        return;
    }
    struct pl_buf *b = pl_gw_xml(c, "DeleteResult");
    struct deletes d = {.b = b, .names = &names};
    struct pl_delete_many many = {.task = {.provider = c->g->provider, .pool = c->g->pool},
                                  .bucket = c->bucket,
                                  .each = one_deleted,
                                  .each_ctx = &d};
    delete_singles(c, &names, &d);
    many.names = names.names;
    many.count = names.count;
    if (names.count && !c->error) {
        pl_delete_many_init(&many);
        (void)pl_task_run(&many.task);
        pail_code rc = pl_task_result(&many.task, NULL, &e);
        bool all_told = d.at == names.count; /* then each failure stands in the reply */
        if (rc && !all_told) {
            pl_gw_fail_op(c, rc, e);
        }
        pail_error_free(e);
    }
    if (!c->error) {
        pl_gw_xml_end(c, "DeleteResult");
    }
}

/* ---- tags ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const pail_kv *)a)->name, ((const pail_kv *)b)->name);
}

/* A set has no order; by name the answer is the same whatever the store gives. */
static void tag_set(struct pl_gw_call *c, const pail_kv *tags, size_t count)
{
    pail_kv *sorted = pl_arena_alloc(c->arena, (count + 1) * sizeof *sorted);
    struct pl_buf *b = pl_gw_xml(c, "Tagging");
    for (size_t i = 0; sorted && i < count; i++) {
        sorted[i] = tags[i];
    }
    if (!sorted) {
        pl_gw_fail(c, "SlowDown", NULL);
        return;
    }
    qsort(sorted, count, sizeof *sorted, by_name);
    pl_buf_puts(b, "<TagSet>");
    for (size_t i = 0; i < count; i++) {
        pl_buf_puts(b, "<Tag>");
        pl_gw_text(b, "Key", sorted[i].name);
        pl_gw_text(b, "Value", sorted[i].value);
        pl_buf_puts(b, "</Tag>");
    }
    pl_buf_puts(b, "</TagSet>");
    pl_gw_xml_end(c, "Tagging");
}

void pl_gw_get_tags(struct pl_gw_call *c)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_TAGS_GET, c->bucket, c->key);
    if (!op) {
        return;
    }
    op->version = pl_gw_version(c, pl_gw_param(c, "versionId"));
    if (pl_gw_run(&s) == PAIL_OK) {
        tag_set(c, op->out.info.tags, op->out.info.tag_count);
    }
    pl_gw_op_end(c, &s, false);
}

static void set_tags(struct pl_gw_call *c, const pail_kv *tags, size_t count, int status)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_TAGS_SET, c->bucket, c->key);
    if (!op) {
        return;
    }
    op->version = pl_gw_version(c, pl_gw_param(c, "versionId"));
    op->in.tags.tags = tags;
    op->in.tags.count = count;
    pail_code rc = pl_gw_run(&s);
    pl_gw_op_end(c, &s, false);
    if (rc == PAIL_OK) {
        pl_gw_reply(c, status);
    }
}

void pl_gw_put_tags(struct pl_gw_call *c)
{
    pail_kv *tags;
    size_t count;
    if (pl_gw_read_tags(c, &tags, &count)) {
        set_tags(c, tags, count, 200);
    }
}

void pl_gw_delete_tags(struct pl_gw_call *c)
{
    set_tags(c, NULL, 0, 204);
}
