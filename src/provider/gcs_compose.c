/* Uploads in parts: each part is an object of its own under PL_GCS_PARTS, all sent at once; at the
 * end they are composed into the object - whose condition the last compose checks - and deleted.
 * Beginning asks nobody: the upload's id carries what the object shall have, and each part carries
 * the id, so that any client can list, end or abort it. Source: Cloud Storage JSON API v1 "Objects:
 * compose"; "Parallel composite uploads"; "Composite objects#Limited append and edit", by which a
 * compose may write over one of its sources.
 *
 * Parts that are too many for one compose go by steps: a step's result takes the name of the first
 * part of its own group, so that nothing is there to delete but the parts, and is the first source
 * of the next. Not one name for all of them - SPEC "Quotas": one write a second to one name - and a
 * name's first write, the part, is the oldest of its group. Each result carries PL_GCS_MARK, by
 * which a finish knows what an earlier try, or an earlier process, has done: gcs_look.c.
 *
 * An id is HEX "." BASE64 [ "." ACL ], the base64 of the object's resource. */
#include <stdio.h>

#include "base/sys.h"
#include "codec/crc.h"
#include "codec/hex.h"
#include "codec/url.h"
#include "provider/gcs.h"

enum { ID_MAX = 8000 /* SPEC "Quotas": custom metadata of one object: 8 KiB */ };

pail_code pl_gcs_no_such_upload(struct pail_error **err)
{
    return pl_fail(err, PAIL_E_UPLOAD_NOT_FOUND,
                   "no such upload; it may have been finished or aborted");
}

struct upload {
    struct pl_str hex, acl;
    struct pl_buf resource; /* pl_buf_dispose */
};

static pail_code open_id(const struct pl_op *op, const char *id, struct upload *u,
                         struct pail_error **err)
{
    struct pl_str rest = pl_str_c(id);
    json_t *root = NULL;
    *u = (struct upload){.resource = PL_BUF_MAX(64 * 1024), .hex = pl_str_split(&rest, '.')};
    unsigned char bytes[PL_GCS_ID_HEX / 2];
    bool fine = pl_hex_decode(bytes, sizeof bytes, u->hex) && rest.ptr &&
                pl_base64_decode(&u->resource, pl_str_split(&rest, '.')) &&
                !pl_buf_rc(&u->resource) &&
                !pl_json_parse(pl_buf_view(&u->resource), "upload", &root, NULL);
    const char *name = pl_json_text(root, "name");
    fine = fine && name && op->key && strcmp(name, op->key) == 0;
    u->acl = rest.ptr ? rest : (struct pl_str){0};
    json_decref(root);
    if (!fine) {
        pl_buf_dispose(&u->resource);
        return pl_gcs_no_such_upload(err);
    }
    return PAIL_OK;
}

void pl_gcs_part_name(struct pl_buf *out, struct pl_str hex, uint32_t number)
{
    pl_buf_puts(out, PL_GCS_PARTS);
    pl_buf_str(out, hex);
    pl_buf_printf(out, "/%05u", (unsigned)number);
}

void pl_gcs_step_name(struct pl_buf *out, struct pl_str hex, size_t step)
{
    pl_buf_puts(out, PL_GCS_PARTS);
    pl_buf_str(out, hex);
    pl_buf_printf(out, "/c%05zu", step);
}

/* Of an upload without parts the service knows nothing: only who began it. */
static void remember(struct pl_gcs *gcs, const char *hex)
{
    pthread_mutex_lock(&gcs->dialect.lock);
    memcpy(gcs->begun[gcs->begun_next], hex, PL_GCS_ID_HEX);
    gcs->begun_next = (gcs->begun_next + 1) % PL_GCS_BEGUN;
    pthread_mutex_unlock(&gcs->dialect.lock);
}

bool pl_gcs_forget_upload(struct pl_gcs *gcs, const char *id)
{
    bool known = false;
    pthread_mutex_lock(&gcs->dialect.lock);
    for (size_t i = 0; i < PL_GCS_BEGUN; i++) {
        if (memcmp(gcs->begun[i], id, PL_GCS_ID_HEX) == 0) {
            memset(gcs->begun[i], 0, PL_GCS_ID_HEX);
            known = true;
        }
    }
    pthread_mutex_unlock(&gcs->dialect.lock);
    return known;
}

/* ---- Begin: no request */

static pail_code begin(struct pl_gcs_build *b)
{
    struct pl_op *op = b->op;
    struct pl_buf resource = PL_BUF_MAX(64 * 1024), id = PL_BUF_MAX(96 * 1024);
    unsigned char random[PL_GCS_ID_HEX / 2];
    char hex[PL_GCS_ID_HEX + 1];
    pl_buf_putc(&resource, '{');
    bool fine = pl_sys.random(random, sizeof random) && pl_gcs_member(&resource, "name", op->key);
    pail_code rc = fine ? PAIL_OK : pl_fail(b->err, PAIL_E_BAD_KEY, "the key is not UTF-8");
    rc = rc ? rc : pl_gcs_write_attributes(&resource, op->attr, op->encryption, b->err);
    pl_buf_putc(&resource, '}');
    pl_hex_encode(hex, random, sizeof random);
    pl_buf_printf(&id, "%s.", hex);
    pl_base64_encode(&id, resource.ptr, resource.len);
    if (op->attr && op->attr->canned_acl) {
        pl_buf_printf(&id, ".%s", op->attr->canned_acl);
    }
    if (!rc && (pl_buf_rc(&resource) || pl_buf_rc(&id) || id.len > ID_MAX)) {
        rc = pl_fail(b->err, PAIL_E_TOO_LARGE,
                     "key and attributes of an upload in parts take more than %d bytes", ID_MAX);
        pl_error_hint(b->err, "send it in one request: a part_size beyond the object's size");
    }
    if (!rc) {
        remember(b->gcs, hex);
    }
    op->out.upload_id = rc ? NULL : pl_arena_dup(&op->arena, pl_buf_view(&id));
    pl_buf_dispose(&resource);
    pl_buf_dispose(&id);
    return rc || op->out.upload_id ? rc : PAIL_E_NO_MEMORY;
}

/* ---- A part */

static pail_code part(struct pl_gcs_build *b)
{
    struct pl_op *op = b->op;
    struct upload u;
    struct pl_buf name = PL_BUF_MAX(256), resource = PL_BUF_MAX(64 * 1024);
    pail_code rc = open_id(op, op->in.put.upload_id, &u, b->err);
    if (rc) {
        return rc;
    }
    pl_gcs_part_name(&name, u.hex, op->in.put.number);
    pl_buf_putc(&resource, '{');
    bool fine = !pl_buf_rc(&name) && pl_gcs_member(&resource, "name", name.ptr);
    pl_buf_puts(&resource, ",\"metadata\":{");
    fine = pl_gcs_member(&resource, "pail-upload", op->in.put.upload_id) && fine;
    pl_buf_puts(&resource, "}");
    rc = fine ? pl_gcs_add_encryption(b, op->encryption, false) : pl_gcs_no_such_upload(b->err);
    rc = rc ? rc : pl_gcs_add_insert(b, &resource);
    pl_buf_dispose(&name);
    pl_buf_dispose(&resource);
    pl_buf_dispose(&u.resource);
    return rc;
}

/* ---- The end */

bool pl_gcs_whole_sum(const struct pl_op *op, struct pl_sum_value *out)
{
    uint32_t crc = 0;
    for (size_t i = 0; i < op->in.mp.count; i++) {
        const struct pl_part *p = &op->in.mp.parts[i];
        if (p->sum.algorithm != PL_SUM_CRC32C) {
            return false;
        }
        crc = i ? pl_crc32c_combine(crc, (uint32_t)p->sum.value, p->size) : (uint32_t)p->sum.value;
    }
    *out = pl_sum_of_crc(PL_SUM_CRC32C, crc);
    return op->in.mp.count > 0;
}

static void add_source(struct pl_buf *json, struct pl_buf *name, const char *generation, bool *fine)
{
    *fine = *fine && !pl_buf_rc(name) &&
            (pl_buf_puts(json, json->ptr[json->len - 1] == '[' ? "{" : ",{"), true) &&
            pl_gcs_member(json, "name", name->ptr) &&
            (!generation || pl_gcs_member(json, "generation", generation));
    pl_buf_putc(json, '}');
    pl_buf_clear(name);
}

/* Where what was composed so far is. */
static void base_name(struct pl_buf *out, struct pl_str hex, const struct pl_op *op,
                      const struct pl_gcs_memo *memo)
{
    if (memo->base_apart) {
        pl_gcs_step_name(out, hex, memo->step - 1);
    } else {
        pl_gcs_part_name(out, hex, op->in.mp.parts[memo->base].number);
    }
}

/* The mark of the step that is next: the SHA-256 of the mark before it and of each of its parts. It
 * says of which parts' which generations a result is made, in which order. */
static pail_code mark_step(const struct pl_op *op, struct pl_gcs_memo *memo,
                           struct pail_error **err)
{
    struct pl_buf text = PL_BUF_MAX(8 * 1024);
    struct pl_sum_value sum = {.len = 0};
    pl_buf_puts(&text, memo->mark);
    for (size_t i = 0; i < memo->took; i++) {
        const struct pl_part *p = &op->in.mp.parts[memo->at + i];
        pl_buf_printf(&text, ";%u=%s", (unsigned)p->number, p->etag);
    }
    pail_code rc = pl_buf_rc(&text);
    rc = rc ? pl_fail(err, rc, "the ETags of the parts are too long")
            : pl_sum_of(PL_SUM_SHA256, text.ptr, text.len, &sum, err);
    if (!rc) {
        pl_hex_encode(memo->next_mark, sum.bytes, PL_GCS_MARK_HEX / 2);
    }
    pl_buf_dispose(&text);
    return rc;
}

static bool step_resource(struct pl_buf *json, const struct pl_op *op,
                          const struct pl_gcs_memo *memo)
{
    pl_buf_puts(json, "{\"metadata\":{");
    bool fine = pl_gcs_member(json, "pail-upload", op->in.mp.upload_id) &&
                pl_gcs_member(json, PL_GCS_MARK, memo->next_mark);
    pl_buf_puts(json, "}}");
    return fine;
}

static bool add_sources(struct pl_buf *json, const struct upload *u, const struct pl_op *op,
                        const struct pl_gcs_memo *memo)
{
    struct pl_buf name = PL_BUF_MAX(256);
    bool fine = true;
    if (memo->step > 0) {
        base_name(&name, u->hex, op, memo);
        add_source(json, &name, memo->generation, &fine);
    }
    for (size_t i = 0; i < memo->took; i++) {
        const struct pl_part *p = &op->in.mp.parts[memo->at + i];
        pl_gcs_part_name(&name, u->hex, p->number);
        add_source(json, &name, p->etag, &fine);
    }
    pl_buf_dispose(&name);
    return fine;
}

/* A step that is sent twice, or comes late, finds its condition broken: it never composes what it
 * has composed. SPEC "Request preconditions": ifGenerationMatch. */
static void address_step(struct pl_gcs_build *b, const struct upload *u)
{
    const struct pl_gcs_memo *memo = b->memo;
    const struct pl_part *first = &b->op->in.mp.parts[memo->at];
    struct pl_buf name = PL_BUF_MAX(256);
    if (memo->apart) {
        pl_gcs_step_name(&name, u->hex, memo->step);
    } else {
        pl_gcs_part_name(&name, u->hex, first->number);
        pl_gcs_query(b, "ifGenerationMatch", first->etag);
    }
    pl_gcs_object_path(&b->path, "", b->op->bucket, name.ptr ? name.ptr : "");
    b->r->failed |= pl_buf_rc(&name) != PAIL_OK;
    pl_buf_dispose(&name);
}

/* One compose: what was composed so far and the next parts, into the next step or the object. */
static pail_code compose(struct pl_gcs_build *b, const struct upload *u)
{
    struct pl_op *op = b->op;
    struct pl_gcs_memo *memo = b->memo;
    struct pl_buf json = PL_BUF_MAX(96 * 1024);
    size_t room = PL_GCS_COMPOSE_MAX - (memo->step > 0), left = op->in.mp.count - memo->at;
    bool last = left <= room;
    memo->phase = PL_GCS_COMPOSE;
    memo->took = last ? left : room;
    pail_code rc = last ? PAIL_OK : mark_step(op, memo, b->err);
    pl_buf_puts(&json, "{\"sourceObjects\":[");
    bool fine = add_sources(&json, u, op, memo);
    pl_buf_puts(&json, "],\"destination\":");
    if (last) {
        pl_buf_str(&json, pl_buf_view(&u->resource));
    } else {
        fine = step_resource(&json, op, memo) && fine;
    }
    pl_buf_putc(&json, '}');
    b->r->method = "POST";
    if (last) {
        pl_gcs_object_path(&b->path, "", op->bucket, op->key);
    } else {
        address_step(b, u);
    }
    pl_buf_puts(&b->path, "/compose");
    rc = rc || fine ? rc : pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory for a compose");
    rc = rc ? rc : pl_gcs_add_encryption(b, op->encryption, false);
    rc = rc || !last ? rc : pl_gcs_add_conditions(b, &op->cond, "if", true);
    if (last && u->acl.len) {
        pl_url_query_add(&b->query, "destinationPredefinedAcl", u->acl);
    }
    if (op->encryption && op->encryption->kms_key_id) {
        pl_gcs_query(b, "kmsKeyName", op->encryption->kms_key_id);
    }
    pl_gcs_set_json(b, &json);
    return rc;
}

/* What there is to delete: the parts, and the steps where those have names of their own. */
static size_t sweep_count(const struct pl_op *op, const struct pl_gcs_memo *memo)
{
    return op->in.mp.count + (memo->apart ? memo->step : 0);
}

/* The next hundred of that. */
static pail_code sweep(struct pl_gcs_build *b, const struct upload *u)
{
    struct pl_op *op = b->op;
    struct pl_gcs_memo *memo = b->memo;
    struct pl_name names[PL_GCS_BATCH_MAX] = {{0}};
    struct pl_buf name = PL_BUF_MAX(256);
    size_t all = sweep_count(op, memo), n = 0;
    for (; n < PL_GCS_BATCH_MAX && memo->at + n < all; n++) {
        size_t i = memo->at + n;
        if (i < op->in.mp.count) {
            pl_gcs_part_name(&name, u->hex, op->in.mp.parts[i].number);
        } else {
            pl_gcs_step_name(&name, u->hex, i - op->in.mp.count);
        }
        names[n].key = pl_buf_rc(&name) ? NULL : pl_arena_dup(&b->r->arena, pl_buf_view(&name));
        pl_buf_clear(&name);
        if (!names[n].key) {
            pl_buf_dispose(&name);
            return pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory for a batch");
        }
    }
    memo->took = n;
    pl_buf_dispose(&name);
    return n ? pl_gcs_add_batch(b, names, n) : PAIL_OK;
}

static pail_code finish(struct pl_gcs_build *b)
{
    struct upload u;
    pail_code rc = open_id(b->op, b->op->in.mp.upload_id, &u, b->err);
    if (!rc && !b->op->in.mp.count) {
        rc = pl_fail(b->err, PAIL_E_BAD_ARGUMENT, "an upload needs at least one part");
    }
    for (size_t i = 0; !rc && i < b->op->in.mp.count; i++) { /* it says which bytes are meant */
        const struct pl_part *p = &b->op->in.mp.parts[i];
        if (!p->etag || !*p->etag) {
            rc = pl_fail(b->err, PAIL_E_BAD_ARGUMENT, "part %u has no ETag", (unsigned)p->number);
            pl_error_hint(b->err, "give the ETag that the upload of the part answered");
        }
    }
    if (!rc && b->memo->phase == PL_GCS_LOOK) {
        pl_gcs_list_parts(b, u.hex, "1000");
        pl_gcs_look_from(b, u.hex);
    } else if (!rc) {
        rc = b->memo->phase == PL_GCS_SWEEP ? sweep(b, &u) : compose(b, &u);
    }
    pl_buf_dispose(&u.resource);
    return rc;
}

static pail_code abort_upload(struct pl_gcs_build *b)
{
    struct upload u;
    pail_code rc = open_id(b->op, b->op->in.mp.upload_id, &u, b->err);
    if (!rc) {
        rc = pl_gcs_build_abort(b, u.hex);
        pl_buf_dispose(&u.resource);
    }
    return rc;
}

pail_code pl_gcs_build_upload(struct pl_gcs_build *b)
{
    const struct pl_op *op = b->op;
    if (op->kind == PL_OP_MP_BEGIN
            ? b->gcs->by_session
            : pl_gcs_is_session(op->kind == PL_OP_MP_PART ? op->in.put.upload_id
                                                          : op->in.mp.upload_id)) {
        return pl_gcs_build_session(b);
    }
    switch ((int)op->kind) {
    case PL_OP_MP_BEGIN: return begin(b);
    case PL_OP_MP_PART: return part(b);
    case PL_OP_MP_FINISH: return finish(b);
    default: return abort_upload(b);
    }
}

/* ---- Answers */

static void parse_part(struct pl_op *op, const struct pl_http_response *r, struct pl_verdict *out,
                       struct pail_error **err)
{
    pail_info info;
    json_t *root = pl_gcs_answer(r, out, err);
    if (root && !pl_gcs_read_resource(&op->arena, root, &info)) {
        pl_gcs_fail(out, PL_NEXT_RETRY, PAIL_E_PROTOCOL, err,
                    "the service's answer is no object resource");
    } else if (root) {
        op->out.etag = info.etag;
    }
    json_decref(root);
}

static void composed(struct pl_gcs *gcs, struct pl_op *op, struct pl_attempt *a,
                     const struct pl_http_response *r, struct pl_verdict *out,
                     struct pail_error **err)
{
    struct pl_gcs_memo *memo = a->memo;
    char text[PL_SUM_BASE64_MAX];
    json_t *root = pl_gcs_answer(r, out, err);
    if (!root) {
        return;
    }
    bool fine = pl_gcs_read_resource(&op->arena, root, &op->out.info);
    json_decref(root);
    if (!fine) {
        pl_gcs_fail(out, PL_NEXT_RETRY, PAIL_E_PROTOCOL, err,
                    "the service's answer is no object resource");
        return;
    }
    const char *sum = op->out.info.checksum;
    bool last = memo->at + memo->took == op->in.mp.count;
    if (last && gcs->verify && sum && strncmp(sum, "crc32c:", 7) == 0 &&
        pl_gcs_whole_sum(op, &memo->crc32c) &&
        strcmp(sum + 7, pl_sum_base64(&memo->crc32c, text)) != 0) {
        *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = PAIL_E_CHECKSUM};
        pl_fail(err, PAIL_E_CHECKSUM, "the parts together have crc32c %s, the object has %s", text,
                sum + 7);
        return;
    }
    if (!last) {
        pl_gcs_step_done(memo, op->out.info.etag);
    } else {
        memo->at = 0;
        memo->phase = PL_GCS_SWEEP;
        a->is_settled = true; /* the object is there: parts that cannot be deleted are listed */
    }
    *out = (struct pl_verdict){.next = PL_NEXT_MORE};
}

void pl_gcs_step_done(struct pl_gcs_memo *memo, const char *generation)
{
    snprintf(memo->generation, sizeof memo->generation, "%s", generation);
    memcpy(memo->mark, memo->next_mark, sizeof memo->mark);
    memo->base = memo->at;
    memo->base_apart = memo->apart;
    memo->at += memo->took;
    memo->step++;
    memo->phase = PL_GCS_COMPOSE;
}

/* A compose that was refused. True: the op goes on. */
static bool goes_on(const struct pl_op *op, struct pl_gcs_memo *memo, int status, pail_code code)
{
    bool last = memo->at + memo->took == op->in.mp.count;
    if (memo->phase != PL_GCS_COMPOSE || code == PAIL_E_BUCKET_NOT_FOUND) {
        return false;
    }
    if (status == 404 || (status == 412 && !last)) { /* a source, or what a step writes over */
        pl_gcs_look_begin(memo, false);
        return true;
    }
    /* SPEC "Compose objects": storage.objects.delete is needed to write over a name; a retention
     * policy and a hold forbid it. Such an account cannot delete the parts either. Then a step that
     * was done, but whose answer was lost, cannot be done again. */
    if (status != 403 || code != PAIL_E_FORBIDDEN || last) {
        return false;
    }
    if (memo->apart) {
        pl_gcs_look_begin(memo, true);
    }
    memo->apart = true;
    return true;
}

static void parse_finish(struct pl_gcs *gcs, struct pl_op *op, struct pl_attempt *a,
                         const struct pl_http_response *r, struct pl_verdict *out,
                         struct pail_error **err)
{
    struct pl_gcs_memo *memo = a->memo;
    if (memo->phase == PL_GCS_SWEEP) { /* the object is there: what stays of the parts is listed */
        memo->at += memo->took;
        bool done = memo->at >= sweep_count(op, memo);
        *out = (struct pl_verdict){.next = done ? PL_NEXT_DONE : PL_NEXT_MORE};
        if (done && memo->gone) {
            *out = (struct pl_verdict){
                .next = PL_NEXT_FAIL, .code = pl_gcs_no_such_upload(err), .never_applied = true};
        }
        return;
    }
    if (r->status / 100 == 2) {
        if (memo->phase == PL_GCS_LOOK) {
            pl_gcs_looked(gcs, op, memo, r, out, err);
        } else {
            composed(gcs, op, a, r, out, err);
        }
        return;
    }
    struct pail_error *why = NULL;
    pl_gcs_parse_error(gcs, op, a, r, out, &why);
    if (goes_on(op, memo, r->status, out->code)) {
        pail_error_free(why);
        *out = (struct pl_verdict){.next = PL_NEXT_MORE};
    } else if (err && !*err) {
        *err = why;
    } else {
        pail_error_free(why);
    }
}

void pl_gcs_parse_upload(struct pl_gcs *gcs, struct pl_op *op, struct pl_attempt *a,
                         const struct pl_http_response *r, struct pl_verdict *out,
                         struct pail_error **err)
{
    switch ((int)op->kind) {
    case PL_OP_MP_PART: parse_part(op, r, out, err); break;
    case PL_OP_MP_FINISH: parse_finish(gcs, op, a, r, out, err); break;
    default: pl_gcs_parse_abort(gcs, op, a, r, out, err); break;
    }
}
