/* Uploads in parts by the caller's own hand: parts in any order, from any thread or process. */
#include <limits.h>
#include <stdlib.h>

#include "api/verbs.h"
#include "codec/digest.h"

/* Only what can be sent again: memory and files. */
static pail_code open_source(struct pl_source *s, pail_body *src, struct pail_error **err)
{
    pail_code rc =
        src ? pl_source_open(s, src, err) : pl_fail(err, PAIL_E_BAD_ARGUMENT, "the source is NULL");
    if (rc == PAIL_OK && s->kind == PL_BODY_NONE) {
        pl_source_close(s);
        s->fd = -1;
        rc = pl_fail(err, PAIL_E_BAD_ARGUMENT, "a part comes from memory or a file, not a stream");
        pl_error_hint(err, "read it into a buffer first, or use a writer");
    }
    return rc;
}

/* "crc64nvme:BASE64" as a number; one of another kind is none. */
static struct pl_part_sum parse_sum(const char *text)
{
    struct pl_part_sum sum = {0};
    const char *colon = text ? strchr(text, ':') : NULL;
    struct pl_buf bytes = PL_BUF_MAX(64);
    enum pl_sum kind =
        colon ? pl_sum_by_name((struct pl_str){text, (size_t)(colon - text)}) : PL_SUM_NONE;
    bool is_crc = kind == PL_SUM_CRC64NVME || kind == PL_SUM_CRC32C || kind == PL_SUM_CRC32;
    if (is_crc && pl_base64_decode(&bytes, pl_str_c(colon + 1)) && !pl_buf_rc(&bytes) &&
        bytes.len == pl_sum_size(kind)) {
        sum.algorithm = (int)kind;
        for (size_t i = 0; i < bytes.len; i++) {
            sum.value = sum.value << 8 | (unsigned char)bytes.ptr[i];
        }
    }
    pl_buf_dispose(&bytes);
    return sum;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = ((const struct pl_part *)a)->number, y = ((const struct pl_part *)b)->number;
    return x < y ? -1 : x > y;
}

/* In order of number, each once; *size: of all. NULL with rc. */
static struct pl_part *order_parts(const pail_part *parts, size_t count, uint64_t *size,
                                   pail_code *rc, struct pail_error **err)
{
    struct pl_part *made = pl_calloc(count ? count : 1, sizeof *made);
    *rc = made ? PAIL_OK : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for %zu parts", count);
    *size = 0;
    for (size_t i = 0; *rc == PAIL_OK && i < count; i++) {
        made[i] = (struct pl_part){.number = parts[i].number,
                                   .etag = parts[i].etag ? parts[i].etag : "",
                                   .size = parts[i].size,
                                   .sum = parse_sum(parts[i].checksum)};
        *size += parts[i].size;
    }
    if (*rc == PAIL_OK) {
        qsort(made, count, sizeof *made, by_number);
    }
    for (size_t i = 0; *rc == PAIL_OK && i < count; i++) {
        if (made[i].number < 1 || (i && made[i].number == made[i - 1].number)) {
            *rc = pl_fail(err, PAIL_E_BAD_ARGUMENT, "the part number %u is %s", made[i].number,
                          made[i].number ? "there twice" : "not one");
        }
    }
    if (*rc) {
        pl_free(made);
        made = NULL;
    }
    return made;
}

static void release(struct pl_simple *s)
{
    struct pl_upload *u = (struct pl_upload *)s;
    pl_source_close(&u->source);
    pl_free(u->parts);
    u->parts = NULL;
}

static enum pl_op_kind kind_of(pail_verb verb)
{
    switch (verb) {
    case PAIL_UPLOAD_BEGIN: return PL_OP_MP_BEGIN;
    case PAIL_UPLOAD_PART: return PL_OP_MP_PART;
    case PAIL_UPLOAD_FINISH: return PL_OP_MP_FINISH;
    default: return PL_OP_MP_ABORT;
    }
}

static pail_code take_opts(struct pl_upload *u, const pail_request *r, struct pail_error **err)
{
    pail_code rc = r->verb == PAIL_UPLOAD_ABORT
                       ? pl_take_opts(&u->abort_opts, sizeof u->abort_opts, r->opts, err)
                       : pl_take_opts(&u->opts, sizeof u->opts, r->opts, err);
    if (rc == PAIL_OK && r->verb == PAIL_UPLOAD_ABORT) {
        u->opts.call = u->abort_opts.call;
    }
    rc = rc ? rc : pl_call_check(&u->opts.call, err);
    return rc ? rc : pl_attributes_check(&u->opts.attr, err);
}

static pail_code check(struct pl_upload *u, const pail_request *r, struct pail_error **err)
{
    pail_code rc = pl_bucket_usable(r->bucket, r->key, err);
    rc = rc ? rc : take_opts(u, r, err);
    if (rc == PAIL_OK && r->verb != PAIL_UPLOAD_BEGIN && (!r->upload_id || !*r->upload_id)) {
        rc = pl_fail(err, PAIL_E_BAD_ARGUMENT, "the upload id is missing");
    }
    if (rc == PAIL_OK && r->verb == PAIL_UPLOAD_PART && r->number < 1) {
        rc = pl_fail(err, PAIL_E_BAD_ARGUMENT, "parts are counted from 1");
    }
    if (rc == PAIL_OK && pail_supports(r->bucket->client, PAIL_CAN_MULTIPART) == PAIL_NO) {
        rc = pl_fail(err, PAIL_E_UNSUPPORTED, "this store takes no uploads in parts");
    }
    return rc;
}

static void fill(struct pl_upload *u, const pail_request *r, uint64_t size, struct pl_op *op)
{
    op->cond = u->opts.cond;
    op->attr = &u->opts.attr;
    op->encryption = &u->opts.encryption;
    if (r->verb == PAIL_UPLOAD_PART) {
        pl_source_body(&u->source, 0, u->source.size, &u->simple.op->body);
        op->in.put.source = &u->simple.op->body;
        op->in.put.upload_id = r->upload_id;
        op->in.put.number = r->number;
        r->body->used = u->source.size;
    } else if (r->verb != PAIL_UPLOAD_BEGIN) {
        op->in.mp.upload_id = r->upload_id;
        op->in.mp.parts = u->parts;
        op->in.mp.count = u->parts ? r->count : 0;
        op->in.mp.size = size;
    }
}

pail_code pl_upload_prepare(struct pl_upload *u, const pail_request *r, struct pail_error **err)
{
    uint64_t size = 0;
    u->source.fd = -1;
    pail_code rc = check(u, r, err);
    if (rc == PAIL_OK && r->verb == PAIL_UPLOAD_PART) {
        rc = open_source(&u->source, r->body, err);
    } else if (rc == PAIL_OK && r->verb == PAIL_UPLOAD_FINISH) {
        u->parts = order_parts(r->parts, r->count, &size, &rc, err);
    }
    if (rc) {
        return rc;
    }
    u->simple.wants_info = r->verb != PAIL_UPLOAD_ABORT;
    u->simple.release = release;
    pl_task_aim(&u->simple.task, r->bucket->client, &u->opts.call);
    struct pl_op *op = pl_simple_init(&u->simple, kind_of(r->verb), r->bucket->name, r->key);
    if (!op) {
        return pl_task_result(&u->simple.task, NULL, err);
    }
    fill(u, r, size, op);
    return PAIL_OK;
}

static pail_code run(const pail_request *r, pail_info **info, struct pail_error **err)
{
    struct pl_upload u = {.opts = {0}};
    if (info) {
        *info = NULL;
    }
    pail_code rc = pl_upload_prepare(&u, r, err);
    if (rc == PAIL_OK) {
        (void)pl_task_run(&u.simple.task);
        rc = pl_task_result(&u.simple.task, info, err);
    }
    return rc;
}

PAIL_API pail_code pail_upload_begin(pail_bucket *b, const char *key, const pail_put_opts *opts,
                                     char **upload_id, pail_error **err)
{
    pail_info *info = NULL;
    *upload_id = NULL;
    pail_code rc =
        run(&(pail_request){.verb = PAIL_UPLOAD_BEGIN, .bucket = b, .key = key, .opts = opts},
            &info, err);
    if (rc == PAIL_OK) {
        *upload_id = pl_strdup(info->upload_id);
        rc = *upload_id ? PAIL_OK : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for an upload id");
    }
    pail_info_free(info);
    return rc;
}

PAIL_API pail_code pail_upload_part(pail_bucket *b, const char *key, const char *upload_id,
                                    uint32_t number, pail_body *src, const pail_put_opts *opts,
                                    pail_info **info, pail_error **err)
{
    return run(&(pail_request){.verb = PAIL_UPLOAD_PART,
                               .bucket = b,
                               .key = key,
                               .opts = opts,
                               .upload_id = upload_id,
                               .number = number,
                               .body = src},
               info, err);
}

PAIL_API pail_code pail_upload_finish(pail_bucket *b, const char *key, const char *upload_id,
                                      const pail_part *parts, size_t count,
                                      const pail_put_opts *opts, pail_info **info, pail_error **err)
{
    return run(&(pail_request){.verb = PAIL_UPLOAD_FINISH,
                               .bucket = b,
                               .key = key,
                               .opts = opts,
                               .upload_id = upload_id,
                               .parts = parts,
                               .count = count},
               info, err);
}

PAIL_API pail_code pail_upload_abort(pail_bucket *b, const char *key, const char *upload_id,
                                     const pail_delete_opts *opts, pail_error **err)
{
    return run(&(pail_request){.verb = PAIL_UPLOAD_ABORT,
                               .bucket = b,
                               .key = key,
                               .opts = opts,
                               .upload_id = upload_id},
               NULL, err);
}
