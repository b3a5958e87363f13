/* The calls of a multipart upload that move no bytes: begin, complete, abort. */
#include "gateway/gateway.h"

#include "codec/base64.h"
#include "codec/hex.h"
#include "codec/url.h"

enum { PART_MIN = 5 << 20 /* SPEC S3 "Amazon S3 multipart upload limits": all but the last */ };

/* ---- attributes that go with the upload's id ---- */

/* Where the store wants at the end what the upload was begun with, the client keeps it for us:
 * behind the id, as a query in base64. Ids of stores have no '.'. */
enum { ATTRIBUTES_MAX = 16 << 10 };

static void add_pairs(struct pl_buf *b, char kind, const pail_kv *kv, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct pl_buf name = PL_BUF_MAX(4096);
        pl_buf_putc(&name, kind);
        pl_buf_puts(&name, kv[i].name);
        if (!pl_buf_rc(&name)) {
            pl_url_query_add(b, name.ptr, pl_str_c(kv[i].value));
        }
        pl_buf_dispose(&name);
    }
}

/* The id as the client gets it; NULL: no memory, or the attributes are too long. */
static const char *pack_id(struct pl_gw_call *c, const char *id)
{
    const pail_attributes *a = &c->attr;
    const pail_kv texts[] = {{"t", a->content_type},     {"e", a->content_encoding},
                             {"l", a->content_language}, {"d", a->content_disposition},
                             {"c", a->cache_control},    {"x", a->expires},
                             {"s", a->storage_class}};
    struct pl_buf query = PL_BUF_MAX(ATTRIBUTES_MAX), out = PL_BUF_MAX(2 * ATTRIBUTES_MAX);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i].value) {
            pl_url_query_add(&query, texts[i].name, pl_str_c(texts[i].value));
        }
    }
    add_pairs(&query, 'm', a->metadata, a->metadata_count);
    add_pairs(&query, 'g', a->tags, a->tag_count);
    pl_buf_printf(&out, "%s.", id);
    pl_base64_encode(&out, query.ptr, query.len);
    bool ok = !pl_buf_rc(&query) && !pl_buf_rc(&out);
    const char *packed = ok ? pl_arena_dup(c->arena, pl_buf_view(&out)) : NULL;
    pl_buf_dispose(&query);
    pl_buf_dispose(&out);
    return packed;
}

const char *pl_gw_upload_id(struct pl_gw_call *c)
{
    const char *said = pl_gw_param(c, "uploadId");
    if (!said || !c->g->caps.attr_at_finish) {
        return said;
    }
    struct pl_str rest = pl_str_c(said);
    return pl_arena_dup(c->arena, pl_str_split(&rest, '.'));
}

/* metadata and tags: where those of the attributes stand. */
static void unpack_one(struct pl_gw_call *c, pail_kv *metadata, pail_kv *tags, pail_kv one)
{
    const char *value = one.value;
    pail_attributes *a = &c->attr;
    switch (*one.name) {
    case 't': a->content_type = value; break;
    case 'e': a->content_encoding = value; break;
    case 'l': a->content_language = value; break;
    case 'd': a->content_disposition = value; break;
    case 'c': a->cache_control = value; break;
    case 'x': a->expires = value; break;
    case 's': a->storage_class = value; break;
    case 'm': metadata[a->metadata_count++] = (pail_kv){one.name + 1, value}; break;
    case 'g': tags[a->tag_count++] = (pail_kv){one.name + 1, value}; break;
    }
}

/* The id comes from the client: what no header may have is left out. */
static void unpack_attributes(struct pl_gw_call *c)
{
    enum { PAIRS_MAX = 256 };
    struct pl_str said = pl_str_c(pl_gw_param(c, "uploadId")), name, value;
    struct pl_buf query = PL_BUF_MAX(ATTRIBUTES_MAX);
    (void)pl_str_split(&said, '.');
    pail_kv *metadata = pl_arena_alloc(c->arena, PAIRS_MAX * sizeof *metadata);
    pail_kv *tags = pl_arena_alloc(c->arena, PAIRS_MAX * sizeof *tags);
    c->attr = (pail_attributes){.metadata = metadata, .tags = tags};
    bool ok = said.ptr && pl_base64_decode(&query, said) && metadata && tags;
    struct pl_str rest = ok ? pl_buf_view(&query) : (struct pl_str){0};
    for (int n = 0; n < PAIRS_MAX && pl_url_query_next(&rest, &name, &value); n++) {
        const char *key = pl_gw_decoded(c, name), *text = pl_gw_decoded(c, value);
        if (key && *key && text && pl_header_safe(pl_str_c(key)) &&
            pl_header_safe(pl_str_c(text))) {
            unpack_one(c, metadata, tags, (pail_kv){key, text});
        }
    }
    pl_buf_dispose(&query);
}

/* ---- CreateMultipartUpload ---- */

static void begun(struct pl_gw_call *c, const struct pl_gw_sum_rule *rule, const char *upload_id)
{
    char name[PL_GW_SUM_NAME];
    if (rule->sum != PL_SUM_NONE) {
        pl_gw_header_text(c, "x-amz-checksum-algorithm", pl_gw_sum_upper(rule->sum, name));
        pl_gw_header_text(c, "x-amz-checksum-type", rule->composite ? "COMPOSITE" : "FULL_OBJECT");
    }
    struct pl_buf *b = pl_gw_xml(c, "InitiateMultipartUploadResult");
    pl_gw_text(b, "Bucket", c->bucket);
    pl_gw_text(b, "Key", c->key);
    pl_gw_text(b, "UploadId", upload_id);
    pl_gw_xml_end(c, "InitiateMultipartUploadResult");
}

void pl_gw_begin_upload(struct pl_gw_call *c)
{
    struct pl_simple s;
    struct pl_gw_sum_rule rule;
    struct pl_buf note = PL_BUF_MAX(64);
    bool packs = c->g->caps.attr_at_finish;
    if (!pl_gw_take_attributes(c, &c->attr) || !pl_gw_sum_rule_take(c, &rule)) {
        return;
    }
    if (packs && !pack_id(c, "")) { /* before the store has begun anything */
        pl_gw_fail(c, "InvalidArgument", "metadata and tags are too long for an upload of parts");
        return;
    }
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_MP_BEGIN, c->bucket, c->key);
    if (!op) {
        return;
    }
    if (!c->g->caps.keeps_sums) {
        rule.sum = PL_SUM_NONE; /* then it is not promised either */
    } else if (rule.sum != PL_SUM_NONE) {
        pl_buf_printf(&note, "%s %s", pl_sum_name(rule.sum),
                      rule.composite ? "COMPOSITE" : "FULL_OBJECT");
        op->in.mp.note = note.ptr;
    }
    op->attr = &c->attr;
    pl_gw_take_conditions(c, "", &op->cond);
    if (pl_gw_run(&s) == PAIL_OK) {
        const char *id = packs ? pack_id(c, op->out.upload_id) : op->out.upload_id;
        if (id) {
            begun(c, &rule, id);
        } else {
            pl_gw_fail(c, "SlowDown", NULL);
        }
    }
    pl_gw_op_end(c, &s, false);
    pl_buf_dispose(&note);
}

void pl_gw_abort_upload(struct pl_gw_call *c)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_MP_ABORT, c->bucket, c->key);
    if (!op) {
        return;
    }
    op->in.mp.upload_id = pl_gw_upload_id(c);
    pail_code rc = pl_gw_run(&s);
    pl_gw_op_end(c, &s, false);
    if (rc == PAIL_OK) {
        pl_gw_reply(c, 204);
    }
}

/* ---- CompleteMultipartUpload ---- */

struct finish {
    struct pl_part *parts; /* as the request lists them */
    size_t count;
    struct pl_gw_parts there;
    struct pl_gw_sum_rule rule;
    uint64_t size;
    const char *etag, *checksum; /* of the object; NULL: the store's own */
};

/* The form that S3 gives: MD5 of the parts' MD5s, and their number. Parts that were copied have an
 * ETag of another form, whose text counts. NULL: no memory, or no MD5 here. */
static const char *etag_of(struct pl_gw_call *c, const struct pl_part *parts, size_t count)
{
    struct pl_digest d = {0};
    struct pl_sum_value v;
    char hex[33];
    if (pl_digest_init(&d, PL_SUM_MD5, NULL)) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        unsigned char md5[16];
        bool is_md5 = pl_hex_decode(md5, sizeof md5, pl_str_c(parts[i].etag));
        pl_digest_update(&d, is_md5 ? (const void *)md5 : parts[i].etag,
                         is_md5 ? sizeof md5 : strlen(parts[i].etag));
    }
    pail_code rc = pl_digest_final(&d, &v, NULL);
    pl_digest_dispose(&d);
    if (rc) {
        return NULL;
    }
    struct pl_buf b = PL_BUF_MAX(64);
    pl_hex_encode(hex, v.bytes, v.len);
    pl_buf_printf(&b, "%s-%zu", hex, count);
    const char *text = pl_arena_dup(c->arena, pl_buf_view(&b));
    pl_buf_dispose(&b);
    return text;
}

/* The object's URL as the client addresses it. */
static void location(const struct pl_gw_call *c, struct pl_buf *out)
{
    struct pl_str host = pl_http_call_header(c->http, "host"), bucket;
    pl_buf_printf(out, "%s://", c->g->tls ? "https" : "http");
    pl_buf_str(out, host);
    if (!pl_gw_bucket_of_host(c, &bucket)) {
        pl_buf_printf(out, "/%s", c->bucket);
    }
    pl_buf_putc(out, '/');
    pl_url_encode(out, pl_str_c(c->key), PL_URL_KEEP_SLASH);
}

static void finished(struct pl_gw_call *c, const char *etag, const char *checksum)
{
    struct pl_buf *b = pl_gw_xml(c, "CompleteMultipartUploadResult");
    struct pl_buf url = PL_BUF_MAX(8192);
    location(c, &url);
    pl_gw_text(b, "Location", pl_buf_rc(&url) ? NULL : url.ptr);
    pl_gw_text(b, "Bucket", c->bucket);
    pl_gw_text(b, "Key", c->key);
    pl_gw_etag(b, etag);
    if (checksum) {
        pl_gw_sum_text(b, checksum);
        pl_gw_text(b, "ChecksumType", strchr(checksum, '-') ? "COMPOSITE" : "FULL_OBJECT");
    }
    pl_buf_dispose(&url);
    pl_gw_xml_end(c, "CompleteMultipartUploadResult");
}

static bool refuse(struct pl_gw_call *c, const char *code, const char *message)
{
    pl_gw_fail(c, code, message);
    return false;
}

/* A client that lost the answer asks again: the object is there as the request would make it. */
static bool finished_before(struct pl_gw_call *c, const struct finish *f)
{
    pail_info info;
    const char *etag = etag_of(c, f->parts, f->count);
    if (!etag || !pl_gw_look(c, &info) || !info.etag || strcmp(info.etag, etag) != 0) {
        return false;
    }
    finished(c, etag, info.composite_checksum ? info.composite_checksum : info.checksum);
    return true;
}

/* The parts of the request are those that came, and large enough. They get what is known of them.
 */
static bool check_parts(struct pl_gw_call *c, struct finish *f)
{
    size_t at = 0;
    for (size_t i = 0; i < f->count; i++) {
        struct pl_part *said = &f->parts[i];
        while (at < f->there.count && f->there.parts[at].number < said->number) {
            at++;
        }
        const struct pl_part *p = at < f->there.count ? &f->there.parts[at] : NULL;
        if (!p || p->number != said->number || strcmp(p->etag, said->etag) != 0 ||
            (said->checksum && p->checksum && strcmp(said->checksum, p->checksum) != 0)) {
            return refuse(c, "InvalidPart", NULL);
        }
        if (i + 1 < f->count && p->size < PART_MIN) {
            return refuse(c, "EntityTooSmall", NULL);
        }
        *said = *p;
        f->size += p->size;
    }
    const char *size = pl_gw_header(c, "x-amz-mp-object-size");
    uint64_t n;
    return !size || (pl_str_u64(pl_str_c(size), &n) && n == f->size) ||
           refuse(c, "InvalidRequest", "x-amz-mp-object-size is not the sum of the parts");
}

/* The checksum of the object, which the request may name too. */
static bool check_sum(struct pl_gw_call *c, struct finish *f)
{
    const struct pl_gw_body *b = &c->body;
    bool ruled = pl_gw_sum_rule_read(f->there.note, &f->rule);
    if (!ruled && b->said_kind != PL_SUM_NONE) {
        f->rule = (struct pl_gw_sum_rule){b->said_kind, memchr(b->said.ptr, '-', b->said.len)};
    } else if (!ruled) {
        return true;
    }
    f->checksum = pl_gw_sum_of_parts(c, &f->rule, f->parts, f->count);
    if (b->said_kind == PL_SUM_NONE) {
        return true;
    }
    if (!f->checksum) {
        return refuse(c, "InvalidRequest", "the parts came without checksums of that algorithm");
    }
    struct pl_str value = pl_str_c(f->checksum);
    (void)pl_str_split(&value, ':');
    return (b->said_kind == f->rule.sum && pl_str_eq(value, b->said)) ||
           refuse(c, "BadDigest", NULL);
}

/* What the store knows of the upload is held against the request, where it tells. */
static bool prepare(struct pl_gw_call *c, struct finish *f)
{
    if (!pl_gw_read_parts(c, &f->parts, &f->count)) {
        return false;
    }
    if (c->g->caps.lists_parts) {
        pail_code rc = pl_gw_all_parts(c, pl_gw_upload_id(c), &f->there);
        if (rc) {
            if (rc != PAIL_E_UPLOAD_NOT_FOUND || !finished_before(c, f)) {
                pl_gw_fail_op(c, rc, NULL);
            }
            return false;
        }
        if (!check_parts(c, f) || !check_sum(c, f)) {
            return false;
        }
    }
    f->etag = c->g->caps.keeps_etag ? etag_of(c, f->parts, f->count) : NULL;
    return true;
}

void pl_gw_finish_upload(struct pl_gw_call *c)
{
    struct pl_simple s;
    struct finish f = {0};
    if (!prepare(c, &f)) {
        return;
    }
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_MP_FINISH, c->bucket, c->key);
    if (!op) {
        return;
    }
    pl_gw_take_conditions(c, "", &op->cond);
    if (c->g->caps.attr_at_finish) {
        unpack_attributes(c);
        op->attr = &c->attr;
    }
    op->in.mp.upload_id = pl_gw_upload_id(c);
    op->in.mp.parts = f.parts;
    op->in.mp.count = f.count;
    op->in.mp.etag = f.etag;
    op->in.mp.checksum = c->g->caps.keeps_sums ? f.checksum : NULL;
    c->cond = op->cond;
    struct pail_error *e = NULL;
    if (pl_gw_run(&s) == PAIL_OK) {
        finished(c, op->out.info.etag, op->in.mp.checksum);
    }
    pail_code rc = pl_task_result(&s.task, NULL, &e);
    if (rc == PAIL_E_UPLOAD_NOT_FOUND && c->g->caps.lists_parts && finished_before(c, &f)) {
        rc = PAIL_OK; /* by a request that ran while this one was held against the parts */
    }
    if (rc == PAIL_E_BAD_ARGUMENT) { /* a part is not as the list says */
        pl_gw_fail(c, "InvalidPart", NULL);
    } else if (rc) {
        pl_gw_fail_write(c, rc, e);
    }
    pail_error_free(e);
}
