#include "cred/aws_partition.h"

#include "base/str.h"

/* Source: the AWS SDKs' partitions.json. */
static const struct {
    const char *prefix, *domain, *dual;
} partitions[] = {{"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
                  {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
                  {"us-isob-", "sc2s.sgov.gov", "api.aws.scloud"},
                  {"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
                  {"us-iso-", "c2s.ic.gov", "api.aws.ic.gov"},
                  {"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
                  {"", "amazonaws.com", "api.aws"}};

const char *pl_aws_domain(const char *region)
{
    size_t i = 0;
    while (!pl_str_starts(pl_str_c(region), pl_str_c(partitions[i].prefix))) {
        i++;
    }
    return partitions[i].domain;
}

const char *pl_aws_dual_domain(const char *region)
{
    size_t i = 0;
    while (!pl_str_starts(pl_str_c(region), pl_str_c(partitions[i].prefix))) {
        i++;
    }
    return partitions[i].dual;
}
