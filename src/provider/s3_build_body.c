/* The body of a put or part: its checksum header and what the signature says of it. Source: Amazon
 * S3 User Guide "Checking object integrity"; "Signature Calculations: Transferring Payload". */
#include "codec/hex.h"
#include "provider/request.h"
#include "provider/s3.h"

struct sums {
    struct pl_digest wanted, sha256;
    bool with_wanted, with_sha256;
};

static pail_code finish(struct sums *s, struct pl_s3_memo *memo, struct pail_error **err)
{
    if (s->with_wanted) {
        pail_code rc = pl_digest_final(&s->wanted, &memo->sum_value, err);
        if (rc) {
            return rc;
        }
        memo->has_sum = true;
        memo->sum = s->wanted.sum;
    }
    if (s->with_sha256) {
        struct pl_sum_value v;
        pail_code rc = pl_digest_final(&s->sha256, &v, err);
        if (rc) {
            return rc;
        }
        pl_hex_encode(memo->sha256, v.bytes, v.len);
        memo->has_sha256 = true;
    }
    return PAIL_OK;
}

/* One pass over the source for whatever is wanted and not known from an earlier attempt. */
static pail_code compute(struct pl_s3_build *b, enum pl_sum sum, bool sha256)
{
    struct sums s = {.with_wanted =
                         sum != PL_SUM_NONE && !(b->memo->has_sum && b->memo->sum == sum),
                     .with_sha256 = sha256 && !b->memo->has_sha256};
    if (!s.with_wanted && !s.with_sha256) {
        return PAIL_OK;
    }
    pail_code rc = s.with_wanted ? pl_digest_init(&s.wanted, sum, b->err) : PAIL_OK;
    rc = rc || !s.with_sha256 ? rc : pl_digest_init(&s.sha256, PL_SUM_SHA256, b->err);
    struct pl_digest *also = s.with_wanted && s.with_sha256 ? &s.sha256 : NULL;
    rc = rc ? rc
            : pl_request_digest_source(s.with_wanted ? &s.wanted : &s.sha256, also,
                                       b->op->in.put.source, b->err);
    rc = rc ? rc : finish(&s, b->memo, b->err);
    pl_digest_dispose(&s.wanted);
    pl_digest_dispose(&s.sha256);
    return rc;
}

static uint64_t crc_number(const struct pl_sum_value *v)
{
    uint64_t n = 0;
    for (size_t i = 0; i < v->len; i++) {
        n = n << 8 | v->bytes[i];
    }
    return n;
}

static bool is_crc(enum pl_sum sum)
{
    return sum == PL_SUM_CRC64NVME || sum == PL_SUM_CRC32C || sum == PL_SUM_CRC32;
}

pail_code pl_s3_add_body(struct pl_s3_build *b)
{
    enum pl_sum sum = b->s3->verify ? b->view.p.put_sum : PL_SUM_NONE;
    /* Over TLS a checksum in a header is as good as one in the signature, and cheaper; without any
     * the signature has to do it. */
    bool unsigned_ok = b->s3->tls && b->view.p.payload == PL_S3_UNSIGNED_TLS;
    bool is_unsigned = b->s3->anonymous || (unsigned_ok && (sum || !b->s3->verify));
    b->op->out.sum = (struct pl_part_sum){0};
    pail_code rc = compute(b, sum, !is_unsigned);
    if (rc) {
        return rc;
    }
    if (sum) {
        char name[32], text[PL_SUM_BASE64_MAX];
        struct pl_buf n = PL_BUF_MAX(sizeof name);
        pl_buf_printf(&n, "x-amz-checksum-%s", pl_sum_name(sum));
        if (!pl_buf_rc(&n)) {
            pl_http_add_c(b->r, n.ptr, pl_sum_base64(&b->memo->sum_value, text));
        }
        b->r->failed |= pl_buf_rc(&n) != PAIL_OK;
        pl_buf_dispose(&n);
        if (is_crc(sum)) {
            b->op->out.sum = (struct pl_part_sum){.algorithm = (int)sum,
                                                  .value = crc_number(&b->memo->sum_value)};
        }
    }
    b->memo->sent_sum = sum != PL_SUM_NONE;
    b->memo->sent_unsigned = is_unsigned;
    b->payload_hash = is_unsigned ? "UNSIGNED-PAYLOAD" : b->memo->sha256;
    b->r->body = b->op->in.put.source;
    return PAIL_OK;
}
