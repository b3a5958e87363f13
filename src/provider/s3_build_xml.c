/* The XML bodies of requests. Source: Amazon S3 API Reference "DeleteObjects",
 * "CompleteMultipartUpload", "PutObjectTagging", "CreateBucket". */
#include "codec/xml.h"
#include "provider/s3.h"

#define XMLNS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

enum { BODY_MAX = 8 * 1024 * 1024 };

static void element(struct pl_buf *out, const char *name, struct pl_str text, bool *legal)
{
    pl_buf_printf(out, "<%s>", name);
    *legal &= pl_xml_escape(out, text);
    pl_buf_printf(out, "</%s>", name);
}

static pail_code use(struct pl_s3_build *b, struct pl_buf *xml)
{
    pail_code rc = pl_buf_rc(xml);
    if (rc) {
        rc = pl_fail(b->err, rc, "the body of %s does not fit", pl_op_name(b->op->kind));
    } else {
        pl_http_set_text(b->r, pl_buf_view(xml));
    }
    pl_buf_dispose(xml);
    return rc;
}

static pail_code add_delete_sum(struct pl_s3_build *b, struct pl_str body)
{
    enum pl_sum sum = b->view.p.delete_sum;
    struct pl_sum_value v;
    char text[PL_SUM_BASE64_MAX];
    if (sum == PL_SUM_NONE) {
        return PAIL_OK;
    }
    pail_code rc = pl_sum_of(sum, body.ptr, body.len, &v, sum == PL_SUM_MD5 ? NULL : b->err);
    if (rc == PAIL_E_UNSUPPORTED && sum == PL_SUM_MD5) { /* a cryptography library under FIPS */
        sum = PL_SUM_SHA256;
        rc = pl_sum_of(sum, body.ptr, body.len, &v, b->err);
    }
    if (rc) {
        return rc;
    }
    b->memo->sent_md5 = sum == PL_SUM_MD5;
    struct pl_buf name = PL_BUF_MAX(32);
    pl_buf_puts(&name, sum == PL_SUM_MD5 ? "content-md5" : "x-amz-checksum-");
    pl_buf_puts(&name, sum == PL_SUM_MD5 ? "" : pl_sum_name(sum));
    b->r->failed |= pl_buf_rc(&name) != PAIL_OK;
    pl_http_add_c(b->r, name.ptr ? name.ptr : "x", pl_sum_base64(&v, text));
    pl_buf_dispose(&name);
    return PAIL_OK;
}

pail_code pl_s3_xml_delete(struct pl_s3_build *b)
{
    struct pl_buf xml = PL_BUF_MAX(BODY_MAX);
    bool legal = true;
    pl_buf_puts(&xml, "<Delete" XMLNS ">");
    for (size_t i = 0; i < b->op->in.delete_many.count; i++) {
        const struct pl_name *n = &b->op->in.delete_many.names[i];
        pl_buf_puts(&xml, "<Object>");
        element(&xml, "Key", pl_str_c(n->key), &legal);
        if (n->version) {
            element(&xml, "VersionId", pl_str_c(n->version), &legal);
        }
        pl_buf_puts(&xml, "</Object>");
    }
    pl_buf_puts(&xml, "<Quiet>true</Quiet></Delete>");
    pail_code rc = PAIL_OK;
    if (!legal) {
        rc = pl_fail(b->err, PAIL_E_UNSUPPORTED,
                     "a key has a control character, which DeleteObjects cannot carry");
        pl_buf_dispose(&xml);
        return rc;
    }
    rc = pl_buf_rc(&xml) ? PAIL_OK : add_delete_sum(b, pl_buf_view(&xml));
    if (rc) {
        pl_buf_dispose(&xml);
        return rc;
    }
    return use(b, &xml);
}

/* Some services want each part's checksum again where the upload was begun with checksums. */
static void add_part_sum(struct pl_buf *xml, enum pl_sum sum, const struct pl_part *p)
{
    const char *name = sum == PL_SUM_CRC64NVME ? "ChecksumCRC64NVME"
                       : sum == PL_SUM_CRC32C  ? "ChecksumCRC32C"
                                               : "ChecksumCRC32";
    if (sum != PL_SUM_NONE && p->sum.algorithm == (int)sum) {
        struct pl_sum_value v = pl_sum_of_crc(sum, p->sum.value);
        char text[PL_SUM_BASE64_MAX];
        pl_buf_printf(xml, "<%s>%s</%s>", name, pl_sum_base64(&v, text), name);
    }
}

pail_code pl_s3_xml_complete(struct pl_s3_build *b, enum pl_sum sum)
{
    struct pl_buf xml = PL_BUF_MAX(BODY_MAX);
    bool legal = true;
    pl_buf_puts(&xml, "<CompleteMultipartUpload" XMLNS ">");
    for (size_t i = 0; i < b->op->in.mp.count; i++) {
        const struct pl_part *p = &b->op->in.mp.parts[i];
        pl_buf_puts(&xml, "<Part><ETag>\"");
        legal &= pl_xml_escape(&xml, pl_str_c(p->etag));
        pl_buf_puts(&xml, "\"</ETag>");
        add_part_sum(&xml, sum, p);
        pl_buf_puts(&xml, "<PartNumber>");
        pl_buf_u64(&xml, p->number);
        pl_buf_puts(&xml, "</PartNumber></Part>");
    }
    pl_buf_puts(&xml, "</CompleteMultipartUpload>");
    if (!legal) {
        pl_buf_dispose(&xml);
        return pl_fail(b->err, PAIL_E_PROTOCOL, "a part's ETag has a control character");
    }
    return use(b, &xml);
}

pail_code pl_s3_xml_tags(struct pl_s3_build *b)
{
    struct pl_buf xml = PL_BUF_MAX(BODY_MAX);
    bool legal = true;
    pl_buf_puts(&xml, "<Tagging" XMLNS "><TagSet>");
    for (size_t i = 0; i < b->op->in.tags.count; i++) {
        pl_buf_puts(&xml, "<Tag>");
        element(&xml, "Key", pl_str_c(b->op->in.tags.tags[i].name), &legal);
        element(&xml, "Value", pl_str_c(b->op->in.tags.tags[i].value), &legal);
        pl_buf_puts(&xml, "</Tag>");
    }
    pl_buf_puts(&xml, "</TagSet></Tagging>");
    if (!legal) {
        pl_buf_dispose(&xml);
        return pl_fail(b->err, PAIL_E_BAD_ARGUMENT, "a tag has a control character");
    }
    return use(b, &xml);
}

/* SPEC Amazon S3 API "CreateBucket", "LocationInfo": the ID of a Local Zone has one part more than
 * that of an Availability Zone: usw2-lax1-az1. */
static pail_code directory_location(struct pl_s3_build *b)
{
    pail_code rc = pl_s3_express_check(b->op->bucket, b->err);
    if (rc) {
        return rc;
    }
    struct pl_buf xml = PL_BUF_MAX(BODY_MAX);
    struct pl_str zone = pl_s3_express_zone(b->op->bucket);
    const char *kind = memchr(zone.ptr, '-', zone.len) != memrchr(zone.ptr, '-', zone.len)
                           ? "Local"
                           : "Availability";
    pl_buf_puts(&xml, "<CreateBucketConfiguration" XMLNS "><Location><Name>");
    pl_buf_str(&xml, zone); /* a host label */
    pl_buf_printf(&xml,
                  "</Name><Type>%sZone</Type></Location><Bucket><DataRedundancy>Single%sZone"
                  "</DataRedundancy><Type>Directory</Type></Bucket></CreateBucketConfiguration>",
                  kind, kind);
    return use(b, &xml);
}

/* SPEC Amazon S3 API "CreateBucket": no body stands for us-east-1, and naming it is an error. */
pail_code pl_s3_xml_location(struct pl_s3_build *b)
{
    if (b->view.express) {
        return directory_location(b);
    }
    const char *asked = b->op->in.bucket_create.location;
    struct pl_str location = pl_str_c(asked ? asked : b->view.p.location ? b->view.region : "");
    if (location.len == 0 || b->view.learned.no_location || pl_str_is(location, "us-east-1") ||
        pl_str_is(location, "auto")) {
        return PAIL_OK;
    }
    struct pl_buf xml = PL_BUF_MAX(BODY_MAX);
    bool legal = true;
    pl_buf_puts(&xml, "<CreateBucketConfiguration" XMLNS ">");
    element(&xml, "LocationConstraint", location, &legal);
    pl_buf_puts(&xml, "</CreateBucketConfiguration>");
    if (!legal) {
        pl_buf_dispose(&xml);
        return pl_fail(b->err, PAIL_E_BAD_ARGUMENT, "the location has a control character");
    }
    b->memo->sent_body = true;
    return use(b, &xml);
}
