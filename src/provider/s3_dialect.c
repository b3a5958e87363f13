/* The S3 dialect: its table, limits and making. */
#include "provider/s3.h"

#include "codec/date.h"
#include "codec/hex.h"

static const uint64_t MIB = UINT64_C(1) << 20, GIB = UINT64_C(1) << 30;

enum { LIST_PAGE = 1000, TRANSFER_CONCURRENCY = 8 };

static struct pl_s3 *of(struct pl_dialect *d)
{
    return (struct pl_s3 *)d;
}

/* EMULATED stands for "the endpoint is asked first", since nobody knows. */
static unsigned char support_of(const struct pl_s3_cond *gate, enum pl_s3_probed probed, bool match)
{
    switch (gate->kind) {
    case PL_S3_COND_NONE: return PAIL_NO;
    case PL_S3_COND_PROBE:
        return probed == PL_S3_KEPT      ? PAIL_NATIVE
               : probed == PL_S3_IGNORED ? PAIL_NO
                                         : PAIL_EMULATED;
    case PL_S3_COND_NATIVE:
    case PL_S3_COND_PREFIX: return PAIL_NATIVE;
    case PL_S3_COND_CREATE:
    case PL_S3_COND_HEADER: return match ? PAIL_NO : PAIL_NATIVE;
    }
    return PAIL_NO;
}

/* Only writes of one object and of an upload are probed. */
static unsigned char unprobed(const struct pl_s3_cond *gate, bool match)
{
    return gate->kind == PL_S3_COND_PROBE ? PAIL_NO : support_of(gate, PL_S3_UNTRIED, match);
}

static void conditions(const struct pl_s3_view *v, unsigned char *can)
{
    const struct pl_s3_learned *l = &v->learned;
    can[PAIL_CAN_PUT_CREATE_ONLY] = support_of(&v->p.cond_put, l->put_create, false);
    can[PAIL_CAN_PUT_IF_MATCH] = support_of(&v->p.cond_put, l->put_match, true);
    can[PAIL_CAN_MULTIPART_CREATE_ONLY] =
        support_of(&v->p.cond_multipart, l->multipart_create, false);
    can[PAIL_CAN_MULTIPART_IF_MATCH] = support_of(&v->p.cond_multipart, l->multipart_match, true);
    can[PAIL_CAN_COPY_CREATE_ONLY] = unprobed(&v->p.cond_copy, false);
    can[PAIL_CAN_COPY_IF_MATCH] = unprobed(&v->p.cond_copy, true);
    can[PAIL_CAN_DELETE_IF_MATCH] = unprobed(&v->p.cond_delete, true);
}

static void s3_caps(struct pl_dialect *d, struct pl_caps *out)
{
    struct pl_s3_view v;
    pl_s3_view(of(d), NULL, &v);
    unsigned char *can = out->ability;
    *out = (struct pl_caps){0};
    conditions(&v, can);
    can[PAIL_CAN_COPY_SOURCE_IF_MATCH] = can[PAIL_CAN_GET_IF] = PAIL_NATIVE;
    can[PAIL_CAN_DELETE_MANY] = v.p.delete_max ? PAIL_NATIVE : PAIL_EMULATED;
    can[PAIL_CAN_COPY] = can[PAIL_CAN_SUFFIX_RANGE] = can[PAIL_CAN_MULTIPART] = PAIL_NATIVE;
    can[PAIL_CAN_METADATA] = can[PAIL_CAN_START_AFTER] = PAIL_NATIVE;
    can[PAIL_CAN_TAGS] = v.p.tags ? PAIL_NATIVE : PAIL_NO;
    can[PAIL_CAN_STORAGE_CLASS] = v.p.storage_class ? PAIL_NATIVE : PAIL_NO;
    can[PAIL_CAN_ENCRYPT] = v.p.sse == PL_S3_SSE_NONE ? PAIL_NO : PAIL_NATIVE;
    can[PAIL_CAN_VERSIONS] = v.p.versions ? PAIL_NATIVE : PAIL_NO;
    can[PAIL_CAN_PRESIGN_GET] = can[PAIL_CAN_PRESIGN_PUT] =
        of(d)->anonymous ? PAIL_NO : PAIL_NATIVE;
    out->limit[PAIL_LIMIT_PART_MIN] = v.p.part_min;
    out->limit[PAIL_LIMIT_PART_MAX] = v.p.put_max < 5 * GIB ? v.p.put_max : 5 * GIB;
    out->limit[PAIL_LIMIT_PARTS] = v.p.parts_max;
    out->limit[PAIL_LIMIT_PUT] = v.p.put_max;
    out->limit[PAIL_LIMIT_OBJECT] = out->limit[PAIL_LIMIT_PART_MAX] * v.p.parts_max;
    out->limit[PAIL_LIMIT_LIST_PAGE] = LIST_PAGE;
    out->limit[PAIL_LIMIT_DELETE_MANY] = v.p.delete_max ? v.p.delete_max : 1;
    out->limit[PAIL_LIMIT_COPY] = v.p.copy_max;
    out->part_best = v.p.part_min > 16 * MIB ? v.p.part_min : 16 * MIB;
    out->put_best = out->get_best = 2 * out->part_best;
    out->concurrency = TRANSFER_CONCURRENCY;
    out->parts_equal = v.p.part_equal;
    out->uploads_inside = true;
    /* Swift's S3 layer, 2.38.3, seen 2026-11: an abort that comes while a finish is being worked on
     * deletes the parts of the object, and both succeed. Elsewhere, and here later, it harms none.
     */
    out->finish_lingers = v.learned.is_swift;
}

/* SPEC Amazon S3 User Guide "Checking object integrity": the ETag of an upload in parts is the MD5
 * of the parts' MD5s, a hyphen and their number. */
static bool is_own_upload(const struct pl_op *op, const pail_info *found)
{
    struct pl_buf all = PL_BUF_MAX(16 * 10000), want = PL_BUF_MAX(64);
    struct pl_sum_value md5;
    bool own = false;
    for (size_t i = 0; i < op->in.mp.count; i++) {
        char *room = pl_buf_reserve(&all, 16);
        if (!room || !pl_hex_decode(room, 16, pl_str_c(op->in.mp.parts[i].etag))) {
            goto out;
        }
        all.len += 16;
    }
    if (!pl_sum_of(PL_SUM_MD5, all.ptr, all.len, &md5, NULL)) {
        char hex[33];
        pl_hex_encode(hex, md5.bytes, md5.len);
        pl_buf_printf(&want, "%s-%zu", hex, op->in.mp.count);
        own = !pl_buf_rc(&want) && found->etag && strcmp(want.ptr, found->etag) == 0 &&
              found->size == op->in.mp.size;
    }
out:
    pl_buf_dispose(&all);
    pl_buf_dispose(&want);
    return own;
}

static bool has_sum(const struct pl_s3_memo *memo, const pail_info *found)
{
    char text[PL_SUM_BASE64_MAX];
    struct pl_buf want = PL_BUF_MAX(128);
    pl_buf_printf(&want, "%s:%s", pl_sum_name(memo->sum), pl_sum_base64(&memo->sum_value, text));
    bool same = !pl_buf_rc(&want) && strcmp(found->checksum, want.ptr) == 0;
    pl_buf_dispose(&want);
    return same;
}

/* Where the service keeps no checksum its ETag may be the MD5; if it is not, that proves nothing.
 */
static bool has_md5(const struct pl_body *source, const pail_info *found)
{
    unsigned char want[16];
    struct pl_sum_value md5;
    return source->kind == PL_BODY_MEM && found->etag && found->size == source->len &&
           pl_hex_decode(want, sizeof want, pl_str_c(found->etag)) &&
           !pl_sum_of(PL_SUM_MD5, source->ptr, (size_t)source->len, &md5, NULL) &&
           memcmp(md5.bytes, want, sizeof want) == 0;
}

static bool s3_is_own_write(struct pl_dialect *d, const struct pl_op *op,
                            const struct pl_attempt *a, const pail_info *found)
{
    const struct pl_s3_memo *memo = a->memo;
    (void)d;
    if (found->checksum && memo && memo->has_sum) {
        return has_sum(memo, found);
    }
    return op->kind == PL_OP_MP_FINISH ? is_own_upload(op, found)
           : op->kind == PL_OP_PUT     ? has_md5(op->in.put.source, found)
                                       : false;
}

static void line(struct pl_buf *out, bool known, const char *name, const char *value)
{
    if (known) {
        pl_buf_printf(out, "%s = %s  (learned)\n", name, value);
    }
}

static void explain_keys(struct pl_s3 *s3, struct pl_buf *out)
{
    struct pl_aws_keys *keys = s3->chain ? pl_aws_chain_keys(s3->chain) : NULL;
    if (keys) {
        char date[PL_DATE_ISO_SIZE];
        pl_buf_printf(out, "aws_access_key_id = %s  (%s%s%s)\n", keys->access_key, keys->source,
                      keys->expires_ms ? ", until " : "",
                      keys->expires_ms ? pl_date_iso(keys->expires_ms, date) : "");
    }
    pl_aws_keys_release(keys);
}

static void s3_explain(struct pl_dialect *d, struct pl_buf *out)
{
    struct pl_s3 *s3 = of(d);
    struct pl_s3_view v;
    pl_s3_view(s3, NULL, &v);
    const struct pl_s3_learned *l = &v.learned;
    static const char *const answers[] = {"", "native", "none"};
    line(out, l->no_sums, "s3_sums", "none");
    line(out, l->signed_only, "s3_payload", "signed");
    line(out, l->list_v1, "s3_list", "v1");
    line(out, l->delete_md5, "s3_delete_sum", "md5");
    line(out, l->no_delete_many, "s3_delete_max", "0");
    line(out, l->no_copy_part, "s3_copy_part", "false");
    line(out, l->no_versions, "s3_versions", "false");
    line(out, l->no_location, "s3_location", "false");
    line(out, l->style_known, "s3_style", l->style == PL_S3_PATH ? "path" : "virtual");
    line(out, l->put_create, "s3_cond_put create-only", answers[l->put_create]);
    line(out, l->put_match, "s3_cond_put if-match", answers[l->put_match]);
    line(out, l->multipart_create, "s3_cond_multipart create-only", answers[l->multipart_create]);
    line(out, l->multipart_match, "s3_cond_multipart if-match", answers[l->multipart_match]);
    pthread_mutex_lock(&s3->dialect.lock);
    for (size_t i = 0; i < s3->region_count; i++) {
        const char *bucket = s3->regions[i].bucket;
        pl_buf_printf(out, "aws_region = %s  (learned%s%s)\n", s3->regions[i].name,
                      bucket ? ", bucket " : "", bucket ? bucket : "");
    }
    pthread_mutex_unlock(&s3->dialect.lock);
    explain_keys(s3, out);
}

static pail_code s3_check_bucket(struct pl_dialect *d, const char *name, struct pail_error **err)
{
    struct pl_s3_arn arn;
    if (pl_s3_is_express(of(d), name)) {
        return pl_s3_express_check(name, err);
    }
    return pl_s3_is_arn(name) ? pl_s3_arn_parse(name, &arn, err) : pl_bucket_name_check(name, err);
}

/* ---- Keys that have to be fetched */

enum { NEED_KEYS = 1 };

static void s3_need(struct pl_dialect *d, const struct pl_op *op, int64_t now_ms,
                    struct pl_need *out)
{
    struct pl_aws_chain *chain = of(d)->chain;
    out->what = chain && pl_aws_chain_wants(chain, now_ms, &out->now) ? NEED_KEYS : 0;
    if (!out->what || !out->now) { /* without keys there is nothing to ask for a session with */
        pl_s3_session_need(of(d), op, now_ms, out);
    }
}

static struct pl_errand *s3_errand(struct pl_dialect *d, const struct pl_op *op, uint64_t what,
                                   struct pail_error **err)
{
    if (what != NEED_KEYS) {
        return pl_s3_session_errand(of(d), op->bucket, err);
    }
    return pl_aws_chain_errand(of(d)->chain, err);
}

static pail_code s3_refresh(struct pl_dialect *d, struct pail_error **err)
{
    return of(d)->chain ? pl_aws_chain_refuse(of(d)->chain, err) : PAIL_E_EXPIRED_CREDENTIALS;
}

static void s3_free(struct pl_dialect *d)
{
    struct pl_s3 *s3 = of(d);
    pl_aws_chain_free(s3->chain);
    for (size_t i = 0; i < s3->region_count; i++) {
        pl_free(s3->regions[i].bucket);
    }
    pl_s3_sessions_free(s3);
    pl_s3_signer_free(s3->signer);
    pl_free(s3->host);
    pl_free(s3->base_path);
    pl_free(s3);
}

static const struct pl_dialect_ops ops = {.scheme = "s3",
                                          .request_id_header = "x-amz-request-id",
                                          .caps = s3_caps,
                                          .build = pl_s3_build,
                                          .head = pl_s3_head,
                                          .parse = pl_s3_parse,
                                          .presign = pl_s3_presign,
                                          .is_own_write = s3_is_own_write,
                                          .need = s3_need,
                                          .errand = s3_errand,
                                          .refresh = s3_refresh,
                                          .explain = s3_explain,
                                          .check_bucket = s3_check_bucket,
                                          .free = s3_free};

pail_code pl_s3_dialect_new(const struct pl_provider_env *env, struct pl_dialect **out,
                            struct pail_error **err)
{
    struct pl_s3 *s3 = pl_calloc(1, sizeof *s3);
    if (!s3) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for an S3 client");
    }
    s3->dialect.ops = &ops;
    s3->settings = env->settings;
    s3->log = env->log;
    s3->anonymous = pl_settings_bool(env->settings, "aws_skip_signature", false);
    s3->verify = pl_settings_bool(env->settings, "verify", true);
    pail_code rc = pl_s3_configure(s3, env->settings, err);
    if (!rc && !s3->anonymous && !env->ignore_environment) {
        rc = pl_aws_chain_new(env->settings, &s3->chain, err);
    }
    if (rc) {
        s3_free(&s3->dialect);
        return rc;
    }
    *out = &s3->dialect;
    return PAIL_OK;
}
