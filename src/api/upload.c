/* Uploads in parts by the caller's own hand: parts in any order, from any thread or process. */
#include <limits.h>
#include <stdlib.h>

#include "api/verbs.h"
#include "codec/digest.h"

struct upload_call {
    pail_put_opts opts;
    struct pl_simple simple;
    struct pl_source source;
};

/* An operation on an upload, ready to run; NULL with rc where it cannot be. */
static struct pl_op *prepare(struct upload_call *u, enum pl_op_kind kind, pail_bucket *b,
                             const char *key, const char *upload_id, const pail_put_opts *user,
                             pail_code *rc, struct pail_error **err)
{
    *rc = pl_bucket_usable(b, key, err);
    *rc = *rc ? *rc : pl_take_opts(&u->opts, sizeof u->opts, user, err);
    *rc = *rc ? *rc : pl_call_check(&u->opts.call, err);
    *rc = *rc ? *rc : pl_attributes_check(&u->opts.attr, err);
    if (*rc == PAIL_OK && kind != PL_OP_MP_BEGIN && (!upload_id || !*upload_id)) {
        *rc = pl_fail(err, PAIL_E_BAD_ARGUMENT, "the upload id is missing");
    }
    if (*rc == PAIL_OK && pail_supports(b->client, PAIL_CAN_MULTIPART) == PAIL_NO) {
        *rc = pl_fail(err, PAIL_E_UNSUPPORTED, "this store takes no uploads in parts");
    }
    if (*rc) {
        return NULL;
    }
    pl_task_aim(&u->simple.task, b->client, &u->opts.call);
    struct pl_op *op = pl_simple_init(&u->simple, kind, b->name, key);
    if (!op) {
        *rc = pl_task_result(&u->simple.task, NULL, err);
        return NULL;
    }
    op->cond = u->opts.cond;
    op->attr = &u->opts.attr;
    op->encryption = &u->opts.encryption;
    return op;
}

PAIL_API pail_code pail_upload_begin(pail_bucket *b, const char *key, const pail_put_opts *opts,
                                     char **upload_id, pail_error **err)
{
    struct upload_call u = {.source.fd = -1};
    pail_code rc;
    *upload_id = NULL;
    struct pl_op *op = prepare(&u, PL_OP_MP_BEGIN, b, key, NULL, opts, &rc, err);
    if (!op) {
        return rc;
    }
    if (pl_task_run(&u.simple.task) == PAIL_OK) {
        *upload_id = pl_strdup(op->out.upload_id ? op->out.upload_id : "");
    }
    rc = pl_task_result(&u.simple.task, NULL, err);
    return rc || *upload_id ? rc : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for an upload id");
}

/* Only what can be sent again: memory and files. */
static pail_code open_source(struct pl_source *s, pail_body *src, struct pail_error **err)
{
    pail_code rc =
        src ? pl_source_open(s, src, err) : pl_fail(err, PAIL_E_BAD_ARGUMENT, "the source is NULL");
    if (rc == PAIL_OK && s->kind == PL_BODY_NONE) {
        pl_source_close(s);
        rc = pl_fail(err, PAIL_E_BAD_ARGUMENT, "a part comes from memory or a file, not a stream");
        pl_error_hint(err, "read it into a buffer first, or use a writer");
    }
    return rc;
}

/* What the service said of a part, for pail_upload_finish. */
static pail_info *part_info(const struct pl_op *op, uint64_t size)
{
    struct pl_buf sum = PL_BUF_MAX(128);
    if (op->out.sum.algorithm) {
        char text[PL_SUM_BASE64_MAX];
        enum pl_sum kind = (enum pl_sum)op->out.sum.algorithm;
        struct pl_sum_value v = pl_sum_of_crc(kind, op->out.sum.value);
        pl_buf_printf(&sum, "%s:%s", pl_sum_name(kind), pl_sum_base64(&v, text));
    }
    pail_info i = {.key = op->key,
                   .size = size,
                   .mtime_ms = -1,
                   .etag = op->out.etag,
                   .checksum = sum.ptr,
                   .upload_id = op->in.put.upload_id};
    pail_info *made = pl_buf_rc(&sum) ? NULL : pl_info_dup(&i);
    pl_buf_dispose(&sum);
    return made;
}

PAIL_API pail_code pail_upload_part(pail_bucket *b, const char *key, const char *upload_id,
                                    uint32_t number, pail_body *src, const pail_put_opts *opts,
                                    pail_info **info, pail_error **err)
{
    struct upload_call u = {.source.fd = -1};
    pail_info *made = NULL;
    pail_code rc = number >= 1 ? open_source(&u.source, src, err)
                               : pl_fail(err, PAIL_E_BAD_ARGUMENT, "parts are counted from 1");
    if (info) {
        *info = NULL;
    }
    struct pl_op *op = rc ? NULL : prepare(&u, PL_OP_MP_PART, b, key, upload_id, opts, &rc, err);
    if (op) {
        struct pl_body *body = &u.simple.op->body;
        pl_source_body(&u.source, 0, u.source.size, body);
        op->in.put.source = body;
        op->in.put.upload_id = upload_id;
        op->in.put.number = number;
        if (pl_task_run(&u.simple.task) == PAIL_OK) {
            made = part_info(op, body->len);
            src->used = body->len;
        }
        rc = pl_task_result(&u.simple.task, NULL, err);
        rc = rc || made ? rc : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a part's ETag");
    }
    pl_source_close(&u.source);
    if (rc || !info) {
        pail_info_free(made);
    } else {
        *info = made;
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

PAIL_API pail_code pail_upload_finish(pail_bucket *b, const char *key, const char *upload_id,
                                      const pail_part *parts, size_t count,
                                      const pail_put_opts *opts, pail_info **info, pail_error **err)
{
    struct upload_call u = {.source.fd = -1, .simple.wants_info = true};
    uint64_t size;
    pail_code rc;
    if (info) {
        *info = NULL;
    }
    struct pl_part *ordered = order_parts(parts, count, &size, &rc, err);
    struct pl_op *op =
        ordered ? prepare(&u, PL_OP_MP_FINISH, b, key, upload_id, opts, &rc, err) : NULL;
    if (op) {
        op->in.mp.upload_id = upload_id;
        op->in.mp.parts = ordered;
        op->in.mp.count = count;
        op->in.mp.size = size;
        (void)pl_task_run(&u.simple.task);
        if (u.simple.task.info) {
            u.simple.task.info->size = size;
        }
        rc = pl_task_result(&u.simple.task, info, err);
    }
    pl_free(ordered);
    return rc;
}
