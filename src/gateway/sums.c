/* S3's additional checksums: their names, and those of objects that came in parts.
 * SPEC S3 "Checking object integrity": a composite checksum is that of the checksums of the parts,
 * with their number behind it; a full object one is that of all bytes, and only of CRCs. */
#include "gateway/gateway.h"

#include "codec/crc.h"

const char *pl_gw_sum_upper(enum pl_sum sum, char out[PL_GW_SUM_NAME])
{
    const char *name = pl_sum_name(sum);
    size_t n = 0;
    for (; name[n] && n + 1 < PL_GW_SUM_NAME; n++) {
        out[n] = (char)(name[n] >= 'a' && name[n] <= 'z' ? name[n] - 'a' + 'A' : name[n]);
    }
    out[n] = '\0';
    return out;
}

/* Apart: "sha256:BASE64". PL_SUM_NONE: it is none. */
static enum pl_sum split(const char *text, struct pl_str *value)
{
    *value = pl_str_c(text);
    struct pl_str name = text ? pl_str_split(value, ':') : (struct pl_str){0};
    return name.ptr && value->ptr ? pl_sum_by_name(name) : PL_SUM_NONE;
}

void pl_gw_sum_text(struct pl_buf *b, const char *checksum)
{
    char name[PL_GW_SUM_NAME];
    struct pl_str value;
    enum pl_sum sum = split(checksum, &value);
    if (sum != PL_SUM_NONE && sum != PL_SUM_MD5) {
        pl_gw_sum_upper(sum, name);
        pl_buf_printf(b, "<Checksum%s>%.*s</Checksum%s>", name, (int)value.len, value.ptr, name);
    }
}

bool pl_gw_sum_header(struct pl_gw_call *c, const char *checksum)
{
    struct pl_str value;
    struct pl_buf header = PL_BUF_MAX(64);
    enum pl_sum sum = split(checksum, &value);
    if (sum == PL_SUM_NONE || sum == PL_SUM_MD5) {
        return false;
    }
    pl_buf_printf(&header, "x-amz-checksum-%s", pl_sum_name(sum));
    if (!pl_buf_rc(&header)) {
        pl_http_reply_header(c->http, header.ptr, value);
    }
    pl_buf_dispose(&header);
    return true;
}

/* ---- what a request says of its body ---- */

static const struct pl_str prefix = {"x-amz-checksum-", 15};

static bool invalid(struct pl_gw_call *c, const char *message)
{
    pl_gw_fail(c, "InvalidRequest", message);
    return false;
}

enum pl_sum pl_gw_sum_kind(struct pl_str name, bool *is)
{
    static const struct pl_str others[] = {{"mode", 4}, {"type", 4}, {"algorithm", 9}};
    *is = name.len > prefix.len && pl_str_ieq(pl_str_n(name.ptr, prefix.len), prefix);
    if (!*is) {
        return PL_SUM_NONE;
    }
    name = pl_str_n(name.ptr + prefix.len, name.len - prefix.len);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        *is = *is && !pl_str_ieq(name, others[i]);
    }
    enum pl_sum sum = pl_sum_by_name(name);
    return sum == PL_SUM_MD5 ? PL_SUM_NONE : sum;
}

/* Headers. With CompleteMultipartUpload it is that of the object, not of the XML. A value that is
 * no checksum at all is a wrong one: BadDigest, once the bytes are there. */
static bool take_header(struct pl_gw_call *c)
{
    struct pl_gw_body *b = &c->body;
    bool of_object = c->route->run == pl_gw_finish_upload, is;
    for (size_t i = 0; i < c->http->header_count; i++) {
        enum pl_sum kind = pl_gw_sum_kind(c->http->headers[i].name, &is);
        struct pl_str value = pl_str_trim(c->http->headers[i].value);
        if (!is) {
            continue;
        }
        if (kind == PL_SUM_NONE) {
            return invalid(c, "the algorithm of an x-amz-checksum- header is not known here");
        }
        if (b->sum_kind != PL_SUM_NONE || b->said_kind != PL_SUM_NONE) {
            return invalid(c, "there is more than one checksum");
        }
        if (of_object) {
            b->said_kind = kind;
            b->said = value;
        } else {
            b->sum_kind = kind;
            b->want_sum = value;
        }
    }
    return true;
}

/* x-amz-trailer: names with commas between, of which S3 knows its checksums only. */
static bool take_trailer(struct pl_gw_call *c)
{
    struct pl_gw_body *b = &c->body;
    struct pl_str rest = pl_str_trim(pl_http_call_header(c->http, "x-amz-trailer"));
    bool is, comes = c->payload == PL_GW_CHUNKED_TRAILER || c->payload == PL_GW_UNSIGNED_TRAILER;
    while (rest.ptr && rest.len) {
        struct pl_str name = pl_str_trim(pl_str_split(&rest, ','));
        enum pl_sum kind = pl_gw_sum_kind(name, &is);
        if (kind == PL_SUM_NONE || !comes) {
            return invalid(c, comes ? "x-amz-trailer names what is not known here"
                                    : "x-amz-trailer needs a body with a trailer");
        }
        if (b->sum_kind != PL_SUM_NONE) {
            return invalid(c, "there is more than one checksum");
        }
        b->trailer = name;
        b->sum_kind = kind;
    }
    return true;
}

/* SPEC S3 PutObject, x-amz-sdk-checksum-algorithm: with it there must be its checksum or trailer,
 * "otherwise, Amazon S3 fails the request with 400 Bad Request". */
static bool is_promised(struct pl_gw_call *c)
{
    struct pl_str name = pl_str_trim(pl_http_call_header(c->http, "x-amz-sdk-checksum-algorithm"));
    enum pl_sum sent = c->body.sum_kind != PL_SUM_NONE ? c->body.sum_kind : c->body.said_kind;
    return name.len == 0 || (sent != PL_SUM_NONE && sent == pl_sum_by_name(name)) ||
           invalid(c,
                   "x-amz-sdk-checksum-algorithm names a checksum that the request does not have");
}

bool pl_gw_sum_take(struct pl_gw_call *c)
{
    return !c->body.wanted || (take_header(c) && take_trailer(c) && is_promised(c));
}

bool pl_gw_sum_suits_upload(struct pl_gw_call *c)
{
    struct pl_simple s;
    struct pl_gw_sum_rule rule;
    if (c->body.sum_kind == PL_SUM_NONE || !c->g->caps.keeps_sums) {
        return true;
    }
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_MP_LIST, c->bucket, c->key);
    if (!op) {
        return false;
    }
    op->in.list.upload_id = pl_gw_upload_id(c);
    op->in.list.max = 1; /* it is the upload's note that is asked for */
    bool other = pl_gw_run(&s) == PAIL_OK && pl_gw_sum_rule_read(op->out.note, &rule) &&
                 rule.sum != c->body.sum_kind;
    pl_gw_op_end(c, &s, true);
    return !other || invalid(c, "the upload was begun with another checksum algorithm");
}

/* ---- the rule of an upload ---- */

bool pl_gw_sum_rule_read(const char *note, struct pl_gw_sum_rule *out)
{
    struct pl_str rest = pl_str_c(note);
    struct pl_str name = note ? pl_str_split(&rest, ' ') : (struct pl_str){0};
    out->sum = name.ptr ? pl_sum_by_name(name) : PL_SUM_NONE;
    out->composite = pl_str_is(rest, "COMPOSITE");
    return out->sum != PL_SUM_NONE;
}

bool pl_gw_sum_rule_take(struct pl_gw_call *c, struct pl_gw_sum_rule *out)
{
    const char *name = pl_gw_header(c, "x-amz-checksum-algorithm");
    const char *type = pl_gw_header(c, "x-amz-checksum-type");
    *out = (struct pl_gw_sum_rule){.sum = PL_SUM_NONE};
    if (!name) {
        return !type || pl_str_ieq(pl_str_c(type), PL_STR("FULL_OBJECT")) ||
               (pl_gw_fail(c, "InvalidRequest",
                           "x-amz-checksum-type needs x-amz-checksum-algorithm"),
                false);
    }
    out->sum = pl_sum_by_name(pl_str_c(name));
    bool hash = out->sum == PL_SUM_SHA1 || out->sum == PL_SUM_SHA256;
    bool full = type && pl_str_ieq(pl_str_c(type), PL_STR("FULL_OBJECT"));
    bool composite = type && pl_str_ieq(pl_str_c(type), PL_STR("COMPOSITE"));
    /* SPEC S3 CreateMultipartUpload, x-amz-checksum-type: which algorithm may be which. */
    if (out->sum == PL_SUM_NONE || out->sum == PL_SUM_MD5 || (type && !full && !composite) ||
        (hash && full) || (out->sum == PL_SUM_CRC64NVME && composite)) {
        pl_gw_fail(c, "InvalidRequest",
                   "the algorithm and the type of the checksum do not go together");
        return false;
    }
    out->composite = composite || (!type && out->sum != PL_SUM_CRC64NVME);
    return true;
}

/* ---- computed from those of the parts ---- */

/* The bytes of a part's checksum, if it is of that algorithm. */
static bool part_value(const struct pl_part *p, enum pl_sum sum, struct pl_sum_value *out)
{
    struct pl_str text;
    if (split(p->checksum, &text) != sum) {
        bool own = p->sum.algorithm == (int)sum && sum != PL_SUM_NONE;
        *out = own ? pl_sum_of_crc(sum, p->sum.value) : (struct pl_sum_value){.len = 0};
        return own;
    }
    struct pl_buf b = PL_BUF_MAX(64);
    bool ok = pl_base64_decode(&b, text) && !pl_buf_rc(&b) && b.len == pl_sum_size(sum);
    if (ok) {
        memcpy(out->bytes, b.ptr, b.len);
        out->len = b.len;
    }
    pl_buf_dispose(&b);
    return ok;
}

static uint64_t number_of(const struct pl_sum_value *v)
{
    uint64_t n = 0;
    for (size_t i = 0; i < v->len; i++) {
        n = n << 8 | v->bytes[i];
    }
    return n;
}

static uint64_t combine(enum pl_sum sum, uint64_t a, uint64_t b, uint64_t b_bytes)
{
    return sum == PL_SUM_CRC64NVME ? pl_crc64nvme_combine(a, b, b_bytes)
           : sum == PL_SUM_CRC32C  ? pl_crc32c_combine((uint32_t)a, (uint32_t)b, b_bytes)
                                   : pl_crc32_combine((uint32_t)a, (uint32_t)b, b_bytes);
}

static bool full_value(const struct pl_part *parts, size_t count, enum pl_sum sum,
                       struct pl_sum_value *out)
{
    struct pl_sum_value v;
    uint64_t crc = 0;
    for (size_t i = 0; i < count; i++) {
        if (!part_value(&parts[i], sum, &v)) {
            return false;
        }
        crc = i ? combine(sum, crc, number_of(&v), parts[i].size) : number_of(&v);
    }
    *out = pl_sum_of_crc(sum, crc);
    return true;
}

static bool composite_value(const struct pl_part *parts, size_t count, enum pl_sum sum,
                            struct pl_sum_value *out)
{
    struct pl_digest d = {0};
    struct pl_sum_value v;
    bool ok = pl_digest_init(&d, sum, NULL) == PAIL_OK;
    for (size_t i = 0; ok && i < count; i++) {
        ok = part_value(&parts[i], sum, &v);
        pl_digest_update(&d, v.bytes, ok ? v.len : 0);
    }
    ok = ok && pl_digest_final(&d, out, NULL) == PAIL_OK;
    pl_digest_dispose(&d);
    return ok;
}

const char *pl_gw_sum_of_parts(struct pl_gw_call *c, const struct pl_gw_sum_rule *rule,
                               const struct pl_part *parts, size_t count)
{
    struct pl_sum_value v;
    char text[PL_SUM_BASE64_MAX];
    bool ok = rule->composite ? composite_value(parts, count, rule->sum, &v)
                              : full_value(parts, count, rule->sum, &v);
    if (!ok) {
        return NULL;
    }
    struct pl_buf b = PL_BUF_MAX(128);
    pl_buf_printf(&b, "%s:%s", pl_sum_name(rule->sum), pl_sum_base64(&v, text));
    if (rule->composite) {
        pl_buf_printf(&b, "-%zu", count);
    }
    const char *made = pl_arena_dup(c->arena, pl_buf_view(&b));
    pl_buf_dispose(&b);
    return made;
}
