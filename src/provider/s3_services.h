/* S3-compatible services as data: what each one takes and refuses, found by its host name or by the
 * setting s3_service. A profile is a starting point; settings overrule it and answers correct it.
 */
#ifndef PL_PROVIDER_S3_SERVICES_H
#define PL_PROVIDER_S3_SERVICES_H

#include "base/settings.h"
#include "codec/digest.h"

enum pl_s3_style { PL_S3_PATH, PL_S3_VIRTUAL };
enum pl_s3_payload { PL_S3_SIGNED, PL_S3_UNSIGNED_TLS };
enum pl_s3_list { PL_S3_V2, PL_S3_V1 };
enum pl_s3_sse { PL_S3_SSE_ALL, PL_S3_SSE_CUSTOMER, PL_S3_SSE_NONE };

/* Who answers a conditional write. */
enum pl_s3_cond_kind {
    PL_S3_COND_NONE,
    PL_S3_COND_PROBE,  /* nobody knows: ask the endpoint before the first one */
    PL_S3_COND_NATIVE, /* If-Match and If-None-Match */
    PL_S3_COND_CREATE, /* If-None-Match: * only */
    PL_S3_COND_HEADER, /* create-only, by a header of the service's own */
    PL_S3_COND_PREFIX  /* both, with `name` before the header's name */
};
struct pl_s3_cond {
    enum pl_s3_cond_kind kind;
    struct pl_str name, value; /* of the setting's text */
};

/* All texts point into the settings that it was read from. */
struct pl_s3_profile {
    const char *service; /* "aws", "r2", ..., "other" */
    enum pl_s3_style style;
    enum pl_s3_payload payload;
    unsigned sums;          /* 1 << enum pl_sum each: header checksums that the service checks */
    enum pl_sum put_sum;    /* the first of the list */
    uint32_t delete_max;    /* keys of one DeleteObjects; 0: it has none */
    enum pl_sum delete_sum; /* MD5: as Content-MD5 */
    enum pl_s3_list list;
    bool list_urlenc; /* encoding-type=url may be asked for */
    uint32_t parts_max;
    uint64_t part_min, put_max, copy_max;
    bool part_equal, copy_part;
    struct pl_s3_cond cond_put, cond_multipart, cond_copy, cond_delete;
    struct pl_s3_cond cond_extra; /* HEADER: sent with every conditional request */
    bool location;                /* a bucket is created with its region in the body */
    bool versions, acl, tags, storage_class, etag_md5;
    enum pl_s3_sse sse;
};

/* A row of the table of services. */
struct pl_s3_service {
    const char *name;
    const char *hosts[6]; /* patterns: "*" is one or more labels, "{region}" exactly one */
    const char *region;   /* NULL: from the host, else us-east-1 */
    const char *fields;   /* "style=virtual parts_max=1000 ...": what differs from `safe` */
};

/* The row for a host name, "other" where none fits; *region: the label that stands for it, or
 * empty. */
const struct pl_s3_service *pl_s3_service_of_host(struct pl_str host, struct pl_str *region);
/* The row of a name; NULL: unknown. */
const struct pl_s3_service *pl_s3_service_named(const char *name);
/* The name that is most like it, for "did you mean"; NULL: none is near. */
const char *pl_s3_service_near(const char *name);
/* Whether the pattern has no other unknown than the region, and so gives an address by itself. */
bool pl_s3_service_address(const struct pl_s3_service *service, struct pl_str region,
                           struct pl_buf *out);

/* Puts the row's fields, and the safe ones for the rest, behind what the user set; then reads all
 * of them. Errors: PAIL_E_BAD_CONFIG names the setting, its value and what it takes. */
PAIL_MUST pail_code pl_s3_profile_load(struct pl_s3_profile *out,
                                       const struct pl_s3_service *service,
                                       struct pl_settings *settings, struct pail_error **err);

#endif
