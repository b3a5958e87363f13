/* The parts of AWS that have a domain of their own. */
#ifndef PL_CRED_AWS_PARTITION_H
#define PL_CRED_AWS_PARTITION_H

/* By the beginning of a region's name: "amazonaws.com", "amazonaws.com.cn", ... */
const char *pl_aws_domain(const char *region);
/* For services other than S3 over IPv6: "api.aws"; that of the region where it has none. */
const char *pl_aws_dual_domain(const char *region);

#endif
