/* Small XML answers: errors, results of copies and uploads, DeleteObjects, tags. */
#include "codec/xml.h"
#include "provider/s3.h"

enum { TEXT_MAX = 64 * 1024, TAGS_MAX = 64 };

struct reading {
    struct pl_arena *arena;
    struct pl_s3_answer *answer;
    pail_code (*close)(struct reading *r, int depth, struct pl_str name, struct pl_str text);
    struct pl_op *op;
    /* of the entry that is open: a deleted key, a tag */
    struct pl_str key, version, code, message, value;
    bool in_error;
};

static pail_code keep(struct reading *r, struct pl_str *to, struct pl_str text)
{
    char *copy = pl_arena_dup(r->arena, text);
    *to = pl_str_n(copy, copy ? text.len : 0);
    return copy ? PAIL_OK : PAIL_E_NO_MEMORY;
}

static pail_code on_open(void *ctx, int depth, struct pl_str name)
{
    struct reading *r = ctx;
    if (depth == 1) {
        return keep(r, &r->answer->root, name);
    }
    if (depth == 2) {
        r->key = r->version = r->code = r->message = r->value = (struct pl_str){0};
        r->in_error = pl_str_is(name, "Error");
    }
    return PAIL_OK;
}

static pail_code on_close(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    struct reading *r = ctx;
    return r->close(r, depth, name, text);
}

static pail_code read_all(struct reading *r, struct pl_str body, struct pail_error **err)
{
    static const struct pl_xml_events events = {.open = on_open, .close = on_close};
    struct pl_xml xml = {0};
    *r->answer = (struct pl_s3_answer){0};
    pail_code rc = pl_xml_init(&xml, &events, r, TEXT_MAX, err);
    rc = rc ? rc : pl_xml_feed(&xml, body.ptr, body.len, err);
    rc = rc ? rc : pl_xml_finish(&xml, err);
    pl_xml_dispose(&xml);
    return rc;
}

/* "ChecksumCRC32C" -> PL_SUM_CRC32C. */
static enum pl_sum sum_element(struct pl_str name)
{
    struct pl_str start = PL_STR("Checksum");
    if (!pl_str_starts(name, start)) {
        return PL_SUM_NONE;
    }
    return pl_sum_by_name(pl_str_n(name.ptr + start.len, name.len - start.len));
}

static pail_code close_answer(struct reading *r, int depth, struct pl_str name, struct pl_str text)
{
    struct pl_s3_answer *a = r->answer;
    const struct {
        const char *name;
        struct pl_str *to;
    } elements[] = {{"Code", &a->code},
                    {"Message", &a->message},
                    {"Region", &a->region},
                    {"Endpoint", &a->endpoint},
                    {"RequestId", &a->request_id},
                    {"ArgumentName", &a->argument},
                    {"ArgumentValue", &a->value},
                    {"Header", &a->header},
                    {"ETag", &a->etag},
                    {"UploadId", &a->upload_id},
                    {"LastModified", &a->last_modified},
                    {"ChecksumType", &a->sum_type}};
    if (depth != 2) {
        return PAIL_OK;
    }
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) {
        if (pl_str_is(name, elements[i].name)) {
            return keep(r, elements[i].to, text);
        }
    }
    enum pl_sum sum = sum_element(name);
    if (sum != PL_SUM_NONE) {
        a->sum = sum;
        return keep(r, &a->sum_text, text);
    }
    return PAIL_OK;
}

pail_code pl_s3_read_answer(struct pl_arena *arena, struct pl_str body, struct pl_s3_answer *out,
                            struct pail_error **err)
{
    struct reading r = {.arena = arena, .answer = out, .close = close_answer};
    return read_all(&r, body, err);
}

static pail_code close_session(struct reading *r, int depth, struct pl_str name, struct pl_str text)
{
    struct pl_s3_answer *a = r->answer;
    struct pl_str *to = depth != 3                           ? NULL
                        : pl_str_is(name, "AccessKeyId")     ? &a->access_key
                        : pl_str_is(name, "SecretAccessKey") ? &a->secret_key
                        : pl_str_is(name, "SessionToken")    ? &a->token
                        : pl_str_is(name, "Expiration")      ? &a->expiration
                                                             : NULL;
    return to ? keep(r, to, pl_str_trim(text)) : PAIL_OK;
}

pail_code pl_s3_read_session(struct pl_arena *arena, struct pl_str body, struct pl_s3_answer *out)
{
    struct reading r = {.arena = arena, .answer = out, .close = close_session};
    return read_all(&r, body, NULL);
}

/* An error for one key; it belongs to every name in the request that is this key. */
static pail_code fail_name(struct reading *r)
{
    struct pl_op *op = r->op;
    const struct pl_s3_code *known = pl_s3_code_find(r->code);
    size_t count = op->in.delete_many.count;
    if (known && (known->code == PAIL_E_NOT_FOUND || known->code == PAIL_E_VERSION_NOT_FOUND)) {
        return PAIL_OK; /* gone is what was asked for */
    }
    if (!op->out.errors) {
        op->out.errors = pl_arena_alloc(&op->arena, count * sizeof *op->out.errors);
        op->out.error_count = op->out.errors ? count : 0;
    }
    for (size_t i = 0; i < op->out.error_count; i++) {
        const struct pl_name *n = &op->in.delete_many.names[i];
        if (op->out.errors[i] || !pl_str_is(r->key, n->key) ||
            (n->version && r->version.len && !pl_str_is(r->version, n->version))) {
            continue;
        }
        struct pl_str why = r->message.len ? r->message : r->code;
        pl_fail(&op->out.errors[i], known ? known->code : PAIL_E_UNAVAILABLE, "%.*s",
                (int)(why.len > 300 ? 300 : why.len), why.len ? why.ptr : "");
        if (op->out.errors[i] && !op->out.errors[i]->is_static) {
            pl_error_set(&op->out.errors[i]->service_code, r->code);
            pl_error_context(op->out.errors[i], pl_op_name(op->kind), op->bucket, n->key);
        }
    }
    return op->out.errors ? PAIL_OK : PAIL_E_NO_MEMORY;
}

static pail_code close_delete(struct reading *r, int depth, struct pl_str name, struct pl_str text)
{
    if (pl_str_is(r->answer->root, "Error")) {
        return close_answer(r, depth, name, text);
    }
    if (depth == 2 && r->in_error) {
        return fail_name(r);
    }
    if (depth != 3 || !r->in_error) {
        return PAIL_OK;
    }
    return pl_str_is(name, "Key")         ? keep(r, &r->key, text)
           : pl_str_is(name, "VersionId") ? keep(r, &r->version, text)
           : pl_str_is(name, "Code")      ? keep(r, &r->code, text)
           : pl_str_is(name, "Message")   ? keep(r, &r->message, text)
                                          : PAIL_OK;
}

pail_code pl_s3_read_delete(struct pl_op *op, struct pl_str body, struct pl_s3_answer *out,
                            struct pail_error **err)
{
    struct reading r = {.arena = &op->arena, .answer = out, .close = close_delete, .op = op};
    return read_all(&r, body, err);
}

static pail_code add_tag(struct reading *r)
{
    pail_info *info = &r->op->out.info;
    pail_kv *all = pl_arena_alloc(r->arena, (info->tag_count + 1) * sizeof *all);
    if (!all || info->tag_count == TAGS_MAX) {
        return all ? PAIL_E_PROTOCOL : PAIL_E_NO_MEMORY;
    }
    if (info->tag_count) {
        memcpy(all, info->tags, info->tag_count * sizeof *all);
    }
    all[info->tag_count++] =
        (pail_kv){r->key.ptr ? r->key.ptr : "", r->value.ptr ? r->value.ptr : ""};
    info->tags = all;
    return PAIL_OK;
}

static pail_code close_tags(struct reading *r, int depth, struct pl_str name, struct pl_str text)
{
    if (pl_str_is(r->answer->root, "Error")) {
        return close_answer(r, depth, name, text);
    }
    if (depth == 4) {
        return pl_str_is(name, "Key")     ? keep(r, &r->key, text)
               : pl_str_is(name, "Value") ? keep(r, &r->value, text)
                                          : PAIL_OK;
    }
    if (depth == 3 && pl_str_is(name, "Tag")) {
        pail_code rc = add_tag(r);
        r->key = r->value = (struct pl_str){0};
        return rc;
    }
    return PAIL_OK;
}

pail_code pl_s3_read_tags(struct pl_op *op, struct pl_str body, struct pl_s3_answer *out,
                          struct pail_error **err)
{
    struct reading r = {.arena = &op->arena, .answer = out, .close = close_tags, .op = op};
    op->out.info.tags = NULL;
    op->out.info.tag_count = 0;
    return read_all(&r, body, err);
}
