/* The parts of uploads and of finished objects: ListParts, and what others ask of them. */
#include "gateway/gateway.h"

enum { PAGE = 1000, PARTS_MAX = 10000 };

/* One page behind `after` into the call's arena. *more: others follow. */
static pail_code add_page(struct pl_gw_call *c, const char *upload_id, uint32_t after,
                          struct pl_gw_parts *out, bool *more)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_MP_LIST, c->bucket, c->key);
    if (!op) {
        return PAIL_E_NO_MEMORY;
    }
    op->in.list.upload_id = upload_id;
    op->in.list.of_object = !upload_id;
    op->version = upload_id ? NULL : after ? out->info.version : c->out.version;
    op->in.list.max = PAGE;
    op->in.list.after_part = after;
    pail_code rc = pl_gw_run(&s);
    *more = rc == PAIL_OK && op->out.more_parts;
    for (size_t i = 0; rc == PAIL_OK && i < op->out.part_count && out->count < PARTS_MAX; i++) {
        struct pl_part *p = &out->parts[out->count++];
        *p = op->out.parts[i];
        p->etag = pl_arena_dup_c(c->arena, p->etag);
        p->checksum = pl_arena_dup_c(c->arena, p->checksum);
    }
    if (rc == PAIL_OK && !after) {
        out->note = pl_arena_dup_c(c->arena, op->out.note);
        pl_info_copy(c->arena, &out->info, &op->out.info);
    }
    pl_gw_op_end(c, &s, true);
    return rc;
}

pail_code pl_gw_all_parts(struct pl_gw_call *c, const char *upload_id, struct pl_gw_parts *out)
{
    bool more = true;
    *out = (struct pl_gw_parts){.parts = pl_arena_alloc(c->arena, PARTS_MAX * sizeof *out->parts)};
    pail_code rc = out->parts ? PAIL_OK : PAIL_E_NO_MEMORY;
    while (rc == PAIL_OK && more) {
        uint32_t after = out->count ? out->parts[out->count - 1].number : 0;
        rc = add_page(c, upload_id, after, out, &more);
    }
    return rc;
}

bool pl_gw_find_part(struct pl_gw_call *c, uint32_t number, struct pl_gw_part *out)
{
    struct pl_gw_parts all;
    pail_code rc = pl_gw_all_parts(c, NULL, &all);
    *out = (struct pl_gw_part){.of = all.count};
    if (rc) {
        pl_gw_fail_op(c, rc, NULL);
        return false;
    }
    c->out.version = all.info.version;
    if (all.count == 0 && number == 1) { /* came in one piece */
        return true;
    }
    for (size_t i = 0; i < all.count; i++) {
        if (all.parts[i].number == number) {
            out->there = true;
            out->part = all.parts[i];
            return true;
        }
        out->offset += all.parts[i].size;
    }
    pl_gw_fail(c, "InvalidPart", NULL);
    return false;
}

/* ---- ListParts ---- */

static void one_part(struct pl_gw_call *c, struct pl_buf *b, const struct pl_part *p)
{
    pl_buf_puts(b, "<Part>");
    pl_gw_u64(b, "PartNumber", p->number);
    pl_gw_time(b, "LastModified", c->begun_ms);
    pl_gw_etag(b, p->etag);
    pl_gw_u64(b, "Size", p->size);
    pl_gw_sum_text(b, p->checksum);
    pl_buf_puts(b, "</Part>");
}

static void reply(struct pl_gw_call *c, const struct pl_op *op, uint32_t max)
{
    struct pl_buf *b = pl_gw_xml(c, "ListPartsResult");
    size_t n = max ? op->out.part_count : 0;
    struct pl_gw_sum_rule rule;
    pl_gw_text(b, "Bucket", c->bucket);
    pl_gw_text(b, "Key", c->key);
    pl_gw_text(b, "UploadId", pl_gw_param(c, "uploadId"));
    pl_gw_owner(b, "Initiator");
    pl_gw_owner(b, "Owner");
    pl_gw_text(b, "StorageClass", "STANDARD");
    pl_gw_u64(b, "PartNumberMarker", op->in.list.after_part);
    pl_gw_u64(b, "NextPartNumberMarker", n ? op->out.parts[n - 1].number : 0);
    pl_gw_u64(b, "MaxParts", max);
    pl_gw_bool(b, "IsTruncated", op->out.more_parts);
    if (pl_gw_sum_rule_read(op->out.note, &rule)) {
        char name[PL_GW_SUM_NAME];
        pl_gw_text(b, "ChecksumAlgorithm", pl_gw_sum_upper(rule.sum, name));
        pl_gw_text(b, "ChecksumType", rule.composite ? "COMPOSITE" : "FULL_OBJECT");
    }
    for (size_t i = 0; i < n; i++) {
        one_part(c, b, &op->out.parts[i]);
    }
    pl_gw_xml_end(c, "ListPartsResult");
}

void pl_gw_list_parts(struct pl_gw_call *c)
{
    struct pl_simple s;
    bool bad_max, bad_marker;
    uint32_t max = pl_gw_number(c, "max-parts", PAGE, &bad_max);
    uint32_t after = pl_gw_number(c, "part-number-marker", 0, &bad_marker);
    if (bad_max || bad_marker || !c->g->caps.lists_parts) {
        pl_gw_fail(c, bad_max || bad_marker ? "InvalidArgument" : "NotImplemented", NULL);
        return;
    }
    max = max < PAGE ? max : PAGE;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_MP_LIST, c->bucket, c->key);
    if (!op) {
        return;
    }
    op->in.list.upload_id = pl_gw_upload_id(c);
    op->in.list.max = max ? max : 1;
    op->in.list.after_part = after;
    if (pl_gw_run(&s) == PAIL_OK) {
        reply(c, op, max);
    }
    pl_gw_op_end(c, &s, false);
}
