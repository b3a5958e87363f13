/* Uploads in parts: each part is an object of its own under PL_GCS_PARTS, all sent at once; at the
 * end they are composed into the object - whose condition the last compose checks - and deleted.
 * Beginning asks nobody: the upload's id carries what the object shall have, and each part carries
 * the id, so that any client can list, end or abort it. Source: Cloud Storage JSON API v1 "Objects:
 * compose"; "Parallel composite uploads".
 *
 * An id is HEX "." BASE64 [ "." ACL ], the base64 of the object's resource. */
#include <stdio.h>

#include "base/sys.h"
#include "codec/crc.h"
#include "codec/hex.h"
#include "codec/url.h"
#include "provider/gcs.h"

enum { LATE_MS = 200, ID_MAX = 8000 /* SPEC "Quotas": custom metadata of one object: 8 KiB */ };

static pail_code no_such_upload(struct pail_error **err)
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
        return no_such_upload(err);
    }
    return PAIL_OK;
}

static void part_name(struct pl_buf *out, struct pl_str hex, uint32_t number)
{
    pl_buf_puts(out, PL_GCS_PARTS);
    pl_buf_str(out, hex);
    pl_buf_printf(out, "/%05u", (unsigned)number);
}

static void step_name(struct pl_buf *out, struct pl_str hex, size_t step)
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

static bool forget(struct pl_gcs *gcs, const char *id)
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
    part_name(&name, u.hex, op->in.put.number);
    pl_buf_putc(&resource, '{');
    bool fine = !pl_buf_rc(&name) && pl_gcs_member(&resource, "name", name.ptr);
    pl_buf_puts(&resource, ",\"metadata\":{");
    fine = pl_gcs_member(&resource, "pail-upload", op->in.put.upload_id) && fine;
    pl_buf_puts(&resource, "}");
    rc = fine ? pl_gcs_add_encryption(b, op->encryption, false) : no_such_upload(b->err);
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

/* One compose: what was composed so far and the next parts, into the next step or the object. */
static pail_code compose(struct pl_gcs_build *b, const struct upload *u)
{
    struct pl_op *op = b->op;
    struct pl_gcs_memo *memo = b->memo;
    struct pl_buf json = PL_BUF_MAX(96 * 1024), name = PL_BUF_MAX(256);
    size_t room = PL_GCS_COMPOSE_MAX - (memo->step > 0), left = op->in.mp.count - memo->at;
    bool fine = true, last = left <= room;
    memo->phase = PL_GCS_COMPOSE;
    memo->took = last ? left : room;
    pl_buf_puts(&json, "{\"sourceObjects\":[");
    if (memo->step > 0) {
        step_name(&name, u->hex, memo->step - 1);
        add_source(&json, &name, NULL, &fine);
    }
    for (size_t i = 0; i < memo->took; i++) {
        const struct pl_part *p = &op->in.mp.parts[memo->at + i];
        part_name(&name, u->hex, p->number);
        add_source(&json, &name, p->etag, &fine);
    }
    pl_buf_puts(&json, "],\"destination\":");
    pl_buf_str(&json, last ? pl_buf_view(&u->resource) : PL_STR("{}"));
    pl_buf_putc(&json, '}');
    step_name(&name, u->hex, memo->step);
    fine = fine && !pl_buf_rc(&name);
    b->r->method = "POST";
    pl_gcs_object_path(&b->path, "", op->bucket, last || !fine ? op->key : name.ptr);
    pl_buf_puts(&b->path, "/compose");
    pail_code rc = fine ? pl_gcs_add_encryption(b, op->encryption, false)
                        : pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory for a compose");
    rc = rc || !last ? rc : pl_gcs_add_conditions(b, &op->cond, "if", true);
    if (last && u->acl.len) {
        pl_url_query_add(&b->query, "destinationPredefinedAcl", u->acl);
    }
    if (op->encryption && op->encryption->kms_key_id) {
        pl_gcs_query(b, "kmsKeyName", op->encryption->kms_key_id);
    }
    pl_gcs_set_json(b, &json);
    pl_buf_dispose(&name);
    return rc;
}

/* The next hundred of the parts and the steps. */
static pail_code sweep(struct pl_gcs_build *b, const struct upload *u)
{
    struct pl_op *op = b->op;
    struct pl_gcs_memo *memo = b->memo;
    struct pl_name names[PL_GCS_BATCH_MAX] = {{0}};
    struct pl_buf name = PL_BUF_MAX(256);
    size_t all = op->in.mp.count + memo->step, n = 0;
    for (; n < PL_GCS_BATCH_MAX && memo->at + n < all; n++) {
        size_t i = memo->at + n;
        if (i < op->in.mp.count) {
            part_name(&name, u->hex, op->in.mp.parts[i].number);
        } else {
            step_name(&name, u->hex, i - op->in.mp.count);
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

static void list_parts(struct pl_gcs_build *b, const struct upload *u, const char *most)
{
    struct pl_buf prefix = PL_BUF_MAX(256);
    pl_buf_printf(&prefix, PL_GCS_PARTS "%.*s/", (int)u->hex.len, u->hex.ptr);
    b->r->method = "GET";
    pl_gcs_object_path(&b->path, "", b->op->bucket, NULL);
    pl_gcs_query(b, "prefix", prefix.ptr ? prefix.ptr : "");
    pl_gcs_query(b, "maxResults", most);
    pl_buf_dispose(&prefix);
}

static pail_code finish(struct pl_gcs_build *b)
{
    struct upload u;
    pail_code rc = open_id(b->op, b->op->in.mp.upload_id, &u, b->err);
    if (!rc && !b->op->in.mp.count) {
        rc = pl_fail(b->err, PAIL_E_BAD_ARGUMENT, "an upload needs at least one part");
    }
    if (!rc && b->memo->phase == PL_GCS_LOOK) {
        list_parts(b, &u, "1000");
    } else if (!rc) {
        rc = b->memo->phase == PL_GCS_SWEEP ? sweep(b, &u) : compose(b, &u);
    }
    pl_buf_dispose(&u.resource);
    return rc;
}

/* ---- Abort: whatever of it is there goes, by listing */

static pail_code abort_upload(struct pl_gcs_build *b)
{
    struct upload u;
    pail_code rc = open_id(b->op, b->op->in.mp.upload_id, &u, b->err);
    if (rc) {
        return rc;
    }
    if (b->memo->phase == PL_GCS_SWEEP) {
        struct pl_name names[PL_GCS_BATCH_MAX] = {{0}};
        for (size_t i = 0; i < b->memo->name_count; i++) {
            names[i].key = b->memo->names[i];
        }
        rc = pl_gcs_add_batch(b, names, b->memo->name_count);
    } else {
        list_parts(b, &u, "100");
    }
    pl_buf_dispose(&u.resource);
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
    memo->at = last ? 0 : memo->at + memo->took;
    memo->step += !last;
    memo->phase = last ? PL_GCS_SWEEP : PL_GCS_COMPOSE;
    a->is_settled = last; /* the object is there: parts that cannot be deleted are listed */
    *out = (struct pl_verdict){.next = PL_NEXT_MORE};
}

/* The generation that a listing has of a part; NULL: it has none. */
static const char *generation_of(const json_t *items, struct pl_str name)
{
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *text = pl_json_text(item, "name");
        if (text && pl_str_eq(pl_str_c(text), name)) {
            return pl_json_text(item, "generation");
        }
    }
    return NULL;
}

/* What a listing has of the parts that were to be composed. */
struct finding {
    const struct pl_part *bad; /* the first that is not as it was sent; NULL: behind the page */
    char there[24];            /* its generation by now; "": none */
    size_t missing, others;    /* not there at all; there with another generation */
};

static void find_bad(const struct pl_op *op, const struct pl_gcs_memo *memo, const json_t *root,
                     struct finding *f)
{
    struct pl_str rest = pl_str_c(op->in.mp.upload_id), hex = pl_str_split(&rest, '.');
    struct pl_buf name = PL_BUF_MAX(256);
    bool whole = !json_object_get(root, "nextPageToken");
    for (size_t i = 0; i < memo->took; i++) {
        const struct pl_part *p = &op->in.mp.parts[memo->at + i];
        pl_buf_clear(&name);
        part_name(&name, hex, p->number);
        const char *there = generation_of(json_object_get(root, "items"), pl_buf_view(&name));
        bool missing = whole && !there, other = there && p->etag && strcmp(there, p->etag) != 0;
        f->missing += missing;
        f->others += other;
        if (!f->bad && (missing || other)) {
            f->bad = p;
            snprintf(f->there, sizeof f->there, "%s", there ? there : "");
        }
    }
    pl_buf_dispose(&name);
}

static pail_code blame_part(const struct finding *f, struct pail_error **err)
{
    pail_code rc = PAIL_E_BAD_ARGUMENT;
    if (!f->bad) {
        pl_fail(err, rc, "a part of the upload is not there as it was sent");
    } else if (*f->there) {
        pl_fail(err, rc, "part %u is generation %s by now, not %.20s", (unsigned)f->bad->number,
                f->there, f->bad->etag);
    } else {
        pl_fail(err, rc, "part %u, generation %.20s, is not there", (unsigned)f->bad->number,
                f->bad->etag ? f->bad->etag : "unknown");
    }
    pl_error_hint(err, "send that part again and finish with its new ETag, or abort the upload");
    return rc;
}

/* A part was not there. Where more are missing than are left, the upload was aborted or ended, and
 * what came late goes as well; else all stays for another finish or an abort. */
static void looked(struct pl_gcs *gcs, struct pl_op *op, struct pl_gcs_memo *memo,
                   const struct pl_http_response *r, struct pl_verdict *out,
                   struct pail_error **err)
{
    struct finding f = {0};
    json_t *root = pl_gcs_answer(r, out, err);
    if (!root) {
        return;
    }
    size_t left = json_array_size(json_object_get(root, "items"));
    find_bad(op, memo, root, &f);
    json_decref(root);
    *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .never_applied = true};
    if (left && (f.others || f.missing <= left)) {
        out->code = blame_part(&f, err);
        return;
    }
    (void)forget(gcs, op->in.mp.upload_id);
    if (!left) {
        out->code = no_such_upload(err);
        return;
    }
    memo->gone = true;
    memo->at = 0;
    memo->phase = PL_GCS_SWEEP;
    *out = (struct pl_verdict){.next = PL_NEXT_MORE};
}

static void parse_finish(struct pl_gcs *gcs, struct pl_op *op, struct pl_attempt *a,
                         const struct pl_http_response *r, struct pl_verdict *out,
                         struct pail_error **err)
{
    struct pl_gcs_memo *memo = a->memo;
    if (memo->phase == PL_GCS_SWEEP) { /* the object is there: what stays of the parts is listed */
        memo->at += memo->took;
        bool done = memo->at >= op->in.mp.count + memo->step;
        *out = (struct pl_verdict){.next = done ? PL_NEXT_DONE : PL_NEXT_MORE};
        if (done && memo->gone) {
            *out = (struct pl_verdict){
                .next = PL_NEXT_FAIL, .code = no_such_upload(err), .never_applied = true};
        }
        return;
    }
    if (r->status / 100 == 2) {
        if (memo->phase == PL_GCS_LOOK) {
            looked(gcs, op, memo, r, out, err);
        } else {
            composed(gcs, op, a, r, out, err);
        }
        return;
    }
    struct pail_error *why = NULL;
    pl_gcs_parse_error(gcs, op, a, r, out, &why);
    if (memo->phase == PL_GCS_COMPOSE && r->status == 404 && out->code != PAIL_E_BUCKET_NOT_FOUND) {
        pail_error_free(why);
        memo->phase = PL_GCS_LOOK;
        *out = (struct pl_verdict){.next = PL_NEXT_MORE};
    } else if (err && !*err) {
        *err = why;
    } else {
        pail_error_free(why);
    }
}

static void listed(struct pl_gcs *gcs, struct pl_op *op, struct pl_gcs_memo *memo,
                   const struct pl_http_response *r, struct pl_verdict *out,
                   struct pail_error **err)
{
    json_t *root = pl_gcs_answer(r, out, err);
    if (!root) {
        return;
    }
    const json_t *items = json_object_get(root, "items");
    size_t n = json_array_size(items);
    n = n < PL_GCS_BATCH_MAX ? n : PL_GCS_BATCH_MAX;
    memo->names = pl_arena_alloc(&op->arena, (n + 1) * sizeof *memo->names);
    memo->name_count = 0;
    for (size_t i = 0; memo->names && i < n; i++) {
        const char *name = pl_json_text(json_array_get(items, i), "name");
        if (name && pl_str_starts(pl_str_c(name), PL_STR(PL_GCS_PARTS))) {
            memo->names[memo->name_count++] = pl_arena_dup_c(&op->arena, name);
        }
    }
    json_decref(root);
    if (memo->name_count && !op->arena.failed && memo->sweeps++ > PL_GCS_PARTS_MAX / 50) {
        pl_gcs_fail(out, PL_NEXT_FAIL, PAIL_E_CONFLICT, err,
                    "parts of the upload are still there, or come anew");
        pl_error_hint(err, "end whatever still sends parts of it, then abort it again");
    } else if (memo->name_count && !op->arena.failed) {
        memo->found = true;
        memo->phase = PL_GCS_SWEEP;
        *out = (struct pl_verdict){.next = PL_NEXT_MORE};
    } else if (!memo->looked_again) { /* a part that was given up may be on its way still */
        memo->looked_again = true;
        *out = (struct pl_verdict){.next = PL_NEXT_MORE, .wait_ms = LATE_MS};
    } else if (!forget(gcs, op->in.mp.upload_id) && !memo->found) {
        *out = (struct pl_verdict){
            .next = PL_NEXT_FAIL, .code = no_such_upload(err), .never_applied = true};
    }
}

/* Where not one of a batch's parts has gone, asking again at once would change nothing. */
static void swept(struct pl_op *op, struct pl_gcs_memo *memo, const struct pl_http_response *r,
                  struct pl_verdict *out, struct pail_error **err)
{
    struct pl_gcs_batch_result results[PL_GCS_BATCH_MAX] = {0};
    struct pl_op one = {.kind = PL_OP_DELETE, .bucket = op->bucket, .key = op->key};
    bool any = false;
    if (!pl_gcs_read_batch(r, results, memo->name_count)) {
        pl_gcs_fail(out, PL_NEXT_RETRY, PAIL_E_PROTOCOL, err,
                    "the service's answer to a batch is no multipart/mixed");
        return;
    }
    for (size_t i = 0; i < memo->name_count; i++) {
        any |= results[i].status / 100 == 2 || results[i].status == 404;
    }
    if (any) { /* look again: a part may have come late */
        memo->phase = PL_GCS_FIRST;
        *out = (struct pl_verdict){.next = PL_NEXT_MORE};
        return;
    }
    enum pl_next next = PL_NEXT_RETRY;
    int status = results[0].status;
    pail_code code =
        status ? pl_gcs_code(status, (struct pl_str){0}, &one, &next) : PAIL_E_PROTOCOL;
    *out = (struct pl_verdict){.next = next, .code = code};
    pl_fail(err, code, "the parts of the upload cannot be deleted: HTTP %d", status);
    pl_error_hint(err, "see that the account may delete objects there, and that no retention "
                       "policy or hold keeps them");
}

static void parse_abort(struct pl_gcs *gcs, struct pl_op *op, struct pl_attempt *a,
                        const struct pl_http_response *r, struct pl_verdict *out,
                        struct pail_error **err)
{
    struct pl_gcs_memo *memo = a->memo;
    if (r->status / 100 != 2) {
        pl_gcs_parse_error(gcs, op, a, r, out, err);
    } else if (memo->phase == PL_GCS_SWEEP) {
        swept(op, memo, r, out, err);
    } else {
        listed(gcs, op, memo, r, out, err);
    }
}

void pl_gcs_parse_upload(struct pl_gcs *gcs, struct pl_op *op, struct pl_attempt *a,
                         const struct pl_http_response *r, struct pl_verdict *out,
                         struct pail_error **err)
{
    switch ((int)op->kind) {
    case PL_OP_MP_PART: parse_part(op, r, out, err); break;
    case PL_OP_MP_FINISH: parse_finish(gcs, op, a, r, out, err); break;
    default: parse_abort(gcs, op, a, r, out, err); break;
    }
}
