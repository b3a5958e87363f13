/* Access points in the place of a bucket. Source: Amazon S3 User Guide "Referencing access points
 * for general purpose buckets"; the endpoint rules' public test cases. */
#include "cred/aws_partition.h"
#include "provider/s3.h"

bool pl_s3_is_arn(const char *bucket)
{
    return bucket && pl_str_starts(pl_str_c(bucket), PL_STR("arn:"));
}

static bool is_label(struct pl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-')) {
            return false;
        }
    }
    return s.len > 0 && s.len <= 63;
}

static pail_code bad(const char *bucket, const char *why, struct pail_error **err)
{
    pail_code rc = pl_fail(err, PAIL_E_BAD_BUCKET_NAME, "bad ARN \"%.200s\": %s", bucket, why);
    pl_error_hint(err, "an access point is arn:aws:s3:REGION:ACCOUNT:accesspoint:NAME");
    return rc;
}

pail_code pl_s3_arn_parse(const char *bucket, struct pl_s3_arn *out, struct pail_error **err)
{
    struct pl_str rest = pl_str_c(bucket);
    struct pl_str arn = pl_str_split(&rest, ':');
    (void)arn;
    out->partition = pl_str_split(&rest, ':');
    struct pl_str service = pl_str_split(&rest, ':');
    out->region = pl_str_split(&rest, ':');
    out->account = pl_str_split(&rest, ':');
    if (!rest.ptr) {
        return bad(bucket, "it has fewer than six parts", err);
    }
    if (!pl_str_is(service, "s3")) {
        return bad(bucket, "only access points of service s3 are supported", err);
    }
    struct pl_str kind = PL_STR("accesspoint");
    bool is_point = pl_str_starts(rest, kind) && rest.len > kind.len &&
                    (rest.ptr[kind.len] == ':' || rest.ptr[kind.len] == '/');
    if (!is_point) {
        return bad(bucket, "it names no access point", err);
    }
    out->name = pl_str_n(rest.ptr + kind.len + 1, rest.len - kind.len - 1);
    if (!out->region.len) {
        return bad(bucket, "access points of several regions are not supported", err);
    }
    if (!pl_s3_region_valid(out->region) || !is_label(out->account) || !is_label(out->name) ||
        out->account.len + 1 + out->name.len > 63) {
        return bad(bucket, "region, account and name may only have letters, digits and hyphens",
                   err);
    }
    return PAIL_OK;
}

static const char *partition_of(const char *region)
{
    const char *domain = pl_aws_domain(region);
    static const char *const names[][2] = {
        {"amazonaws.com.cn", "aws-cn"}, {"amazonaws.eu", "aws-eusc"},
        {"sc2s.sgov.gov", "aws-iso-b"}, {"csp.hci.ic.gov", "aws-iso-f"},
        {"c2s.ic.gov", "aws-iso"},      {"cloud.adc-e.uk", "aws-iso-e"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(domain, names[i][0]) == 0) {
            return names[i][1];
        }
    }
    return pl_str_starts(pl_str_c(region), PL_STR("us-gov-")) ? "aws-us-gov" : "aws";
}

pail_code pl_s3_arn_host(const struct pl_s3 *s3, const char *bucket, struct pl_buf *host,
                         struct pail_error **err)
{
    struct pl_s3_arn a;
    char region[PL_S3_REGION_MAX];
    pail_code rc = pl_s3_arn_parse(bucket, &a, err);
    if (rc) {
        return rc;
    }
    memcpy(region, a.region.ptr, a.region.len);
    region[a.region.len] = '\0';
    bool same = strcmp(region, s3->region) == 0;
    if (!s3->use_arn_region && !same) {
        return pl_fail(err, PAIL_E_BAD_CONFIG,
                       "the ARN is of region %s, the client of %s, and s3_use_arn_region is false",
                       region, s3->region);
    }
    if (!pl_str_is(a.partition, partition_of(s3->region)) ||
        strcmp(partition_of(region), partition_of(s3->region)) != 0) {
        return bad(bucket, "it is of another part of AWS than the client's region", err);
    }
    if (s3->custom && pl_s3_is_address(s3->host)) {
        return pl_fail(err, PAIL_E_BAD_CONFIG,
                       "an access point stands before the endpoint's name, and %s is an address",
                       s3->host);
    }
    pl_buf_printf(host, "%.*s-%.*s.", (int)a.name.len, a.name.ptr, (int)a.account.len,
                  a.account.ptr);
    if (s3->custom) {
        pl_buf_puts(host, s3->host);
    } else {
        pl_buf_printf(host, "s3-accesspoint%s%s.%s.%s", s3->fips ? "-fips" : "",
                      s3->dualstack ? ".dualstack" : "", region, pl_aws_domain(region));
    }
    return PAIL_OK;
}
