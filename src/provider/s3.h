/* What the files of the S3 dialect share. */
#ifndef PL_PROVIDER_S3_H
#define PL_PROVIDER_S3_H

#include "codec/crc.h"
#include "codec/digest.h"
#include "cred/aws_chain.h"
#include "provider/dialect.h"
#include "provider/s3_services.h"

enum { PL_S3_REGION_MAX = 64, PL_S3_BUCKETS_REMEMBERED = 64, PL_S3_SESSIONS_REMEMBERED = 32 };

/* Whether an endpoint checks a condition, where its profile does not know. */
enum pl_s3_probed { PL_S3_UNTRIED = 0, PL_S3_KEPT, PL_S3_IGNORED };

/* What answers taught, about the endpoint as a whole. */
struct pl_s3_learned {
    bool no_sums;       /* checksum headers are refused */
    bool signed_only;   /* UNSIGNED-PAYLOAD is refused */
    bool list_v1;       /* no ListObjectsV2 */
    bool no_delete_sum; /* DeleteObjects refused Content-MD5: nothing further to offer */
    bool delete_md5;    /* DeleteObjects wants Content-MD5 */
    bool no_delete_many;
    bool no_copy_part;
    bool no_versions;
    bool no_location; /* CreateBucket without a body */
    bool is_swift;
    bool style_known;
    enum pl_s3_style style;
    uint32_t delete_max, parts_max; /* 0: as the profile says */
    enum pl_s3_probed put_create, put_match, multipart_create, multipart_match;
};

struct pl_s3_region {
    char *bucket; /* NULL: the endpoint as a whole */
    char name[PL_S3_REGION_MAX];
};

struct pl_s3_signer; /* s3_sign.c */

/* Of a directory bucket. */
struct pl_s3_session {
    char *bucket;
    struct pl_aws_keys *keys; /* NULL: none at the moment */
    int64_t retry_ms;         /* no sooner, after one was asked for ahead of time */
};

struct pl_s3 {
    struct pl_dialect dialect; /* first */
    /* set once */
    const struct pl_settings *settings;
    struct pl_log *log;
    struct pl_s3_profile profile;
    bool custom; /* an endpoint was given; else AWS's own hosts, made from the region */
    bool dualstack, fips, global, accelerate, use_arn_region, no_sessions, list_directories;
    bool anonymous, verify;
    struct pl_aws_chain *chain; /* NULL: only keys of the settings count */
    bool tls;
    uint16_t port;
    char *host, *base_path; /* custom: lower case; "" or "/path" without a final '/' */
    char region[PL_S3_REGION_MAX];
    /* under dialect.lock */
    struct pl_s3_learned learned;
    struct pl_s3_region regions[PL_S3_BUCKETS_REMEMBERED];
    size_t region_count, region_next;
    struct pl_s3_signer *signer;
    struct pl_s3_session sessions[PL_S3_SESSIONS_REMEMBERED];
    size_t session_count, session_next;
};

/* The profile as it holds now for one bucket: what was learned put over what is configured. */
struct pl_s3_view {
    struct pl_s3_profile p;
    struct pl_s3_learned learned;
    char region[PL_S3_REGION_MAX];
    bool express;           /* a directory bucket: signed for another service */
    bool of_buckets;        /* to make, remove or list buckets themselves */
    const char *session_of; /* the bucket whose session signs; NULL: the keys */
};
void pl_s3_view(struct pl_s3 *s3, const char *bucket, struct pl_s3_view *out);
/* The same for an op, whose kind tells the last two. */
void pl_s3_view_op(struct pl_s3 *s3, const struct pl_op *op, struct pl_s3_view *out);

/* s3_endpoint.c: where a bucket is. */
/* Reads endpoint, region and profile from the settings. */
PAIL_MUST pail_code pl_s3_configure(struct pl_s3 *s3, struct pl_settings *settings,
                                    struct pail_error **err);
/* Sets the origin and adds the path of a bucket (NULL: the service) and a key (NULL: the bucket).
 */
PAIL_MUST pail_code pl_s3_locate(const struct pl_s3 *s3, const struct pl_s3_view *view,
                                 const char *bucket, const char *key, struct pl_http_request *out,
                                 struct pl_buf *target, struct pail_error **err);
/* A host label: what a region may look like before it goes into a host name. */
bool pl_s3_region_valid(struct pl_str region);
/* Whether a host is an IP address, which no name can stand before. */
bool pl_s3_is_address(const char *host);
/* Remembers the region of a bucket (NULL: of the endpoint). False: it is known or not valid. */
bool pl_s3_learn_region(struct pl_s3 *s3, const char *bucket, struct pl_str region);

/* s3_arn.c: an access point in the place of a bucket. */
struct pl_s3_arn {
    struct pl_str partition, region, account, name; /* views of the bucket's name */
};
bool pl_s3_is_arn(const char *bucket);
/* Errors: PAIL_E_BAD_BUCKET_NAME. */
PAIL_MUST pail_code pl_s3_arn_parse(const char *bucket, struct pl_s3_arn *out,
                                    struct pail_error **err);
/* Adds its host; an access point has no path of its own. */
PAIL_MUST pail_code pl_s3_arn_host(const struct pl_s3 *s3, const char *bucket, struct pl_buf *host,
                                   struct pail_error **err);

/* s3_express.c: directory buckets, which their name tells. */
bool pl_s3_is_express(const struct pl_s3 *s3, const char *bucket);
/* Errors: PAIL_E_BAD_BUCKET_NAME. */
PAIL_MUST pail_code pl_s3_express_check(const char *bucket, struct pail_error **err);
/* The ID of its zone; empty: the name has none. */
struct pl_str pl_s3_express_zone(const char *bucket);
/* Adds AWS's own host; false: it is the endpoint that was given. */
bool pl_s3_express_host(const struct pl_s3 *s3, const struct pl_s3_view *view, const char *bucket,
                        struct pl_buf *host);
/* Puts what they have not over a profile. */
void pl_s3_express_profile(struct pl_s3_profile *p);
/* Whether the op is signed with a session of its bucket. */
bool pl_s3_wants_session(const struct pl_s3 *s3, const struct pl_op *op);
void pl_s3_session_need(struct pl_s3 *s3, const struct pl_op *op, int64_t now_ms,
                        struct pl_need *out);
struct pl_errand *pl_s3_session_errand(struct pl_s3 *s3, const char *bucket,
                                       struct pail_error **err);
/* To sign with; NULL: there is no session. pl_aws_keys_release. */
struct pl_aws_keys *pl_s3_session_keys(struct pl_s3 *s3, const char *bucket);
/* The service refused the session that ends then. */
void pl_s3_session_drop(struct pl_s3 *s3, const char *bucket, int64_t expires_ms);
void pl_s3_sessions_free(struct pl_s3 *s3);

/* s3_sign.c */
enum pl_s3_hash { PL_S3_HASH_BODY, PL_S3_HASH_UNSIGNED };
PAIL_MUST pail_code pl_s3_sign(struct pl_s3 *s3, const struct pl_s3_view *view,
                               const struct pl_attempt *a, struct pl_http_request *r,
                               const char *payload_hash, struct pail_error **err);
PAIL_MUST pail_code pl_s3_presign(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                                  struct pail_error **err);
void pl_s3_signer_free(struct pl_s3_signer *signer);

/* What one op keeps over its attempts. */
struct pl_s3_memo {
    bool has_sum, has_sha256;
    enum pl_sum sum;
    struct pl_sum_value sum_value;
    char sha256[65];
    char expected[PL_SUM_BASE64_MAX]; /* get: what the first head said of the whole, in `sum` */
    /* How the last attempt was sent, for the reading of its answer. */
    bool sent_sum, sent_unsigned, sent_body, sent_urlenc, sent_virtual, sent_v1, sent_md5,
        sent_plain;
    char region[PL_S3_REGION_MAX];
    int64_t session_until; /* of the session that signed; 0: none did */
    /* list: a name holds what XML cannot. Not remembered beyond the page: encoding has its own
     * troubles on services that were not asked for it. */
    bool wants_urlenc;
    struct pl_s3_gather *gather; /* a listing of a directory bucket; NULL: of another */
};

/* s3_build.c, s3_build_headers.c, s3_build_xml.c */
struct pl_s3_build {
    struct pl_s3 *s3;
    struct pl_s3_view view;
    struct pl_op *op;
    struct pl_attempt *a;
    struct pl_s3_memo *memo;
    struct pl_http_request *r;
    struct pl_buf query;
    const char *payload_hash; /* NULL: of what the body is */
    struct pail_error **err;
};
PAIL_MUST pail_code pl_s3_build(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                                struct pl_http_request *out, struct pail_error **err);
/* That the service, or a directory bucket, does not take it; setting: what overrules that. */
PAIL_MUST pail_code pl_s3_unsupported(struct pl_s3_build *b, const char *what, const char *setting);
/* Checks every value that the caller gave for a header. */
PAIL_MUST pail_code pl_s3_add_attributes(struct pl_s3_build *b, const pail_attributes *attr,
                                         bool with_tags);
PAIL_MUST pail_code pl_s3_add_encryption(struct pl_s3_build *b, const pail_encryption *e);
PAIL_MUST pail_code pl_s3_add_customer_key(struct pl_s3_build *b, const pail_encryption *e,
                                           bool of_source);
PAIL_MUST pail_code pl_s3_add_conditions(struct pl_s3_build *b, const pail_conditions *cond,
                                         const char *prefix);
PAIL_MUST pail_code pl_s3_add_write_conditions(struct pl_s3_build *b);
PAIL_MUST pail_code pl_s3_add_extra(struct pl_s3_build *b);
PAIL_MUST pail_code pl_s3_add_body(struct pl_s3_build *b);
PAIL_MUST pail_code pl_s3_xml_delete(struct pl_s3_build *b);
/* sum: what the upload was begun with. */
PAIL_MUST pail_code pl_s3_xml_complete(struct pl_s3_build *b, enum pl_sum sum);
PAIL_MUST pail_code pl_s3_xml_tags(struct pl_s3_build *b);
PAIL_MUST pail_code pl_s3_xml_location(struct pl_s3_build *b);

/* s3_parse.c, s3_parse_xml.c, s3_list.c, s3_errors.c */
void pl_s3_head(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                const struct pl_http_response *r);
void pl_s3_parse(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                 const struct pl_http_response *r, struct pl_verdict *out, struct pail_error **err);
/* An answer that is no success, or has an error inside. */
void pl_s3_parse_error(struct pl_s3 *s3, struct pl_op *op, struct pl_attempt *a,
                       const struct pl_http_response *r, struct pl_verdict *out,
                       struct pail_error **err);

/* The texts that matter of a small answer; views of one arena. */
struct pl_s3_answer {
    struct pl_str root;
    struct pl_str code, message, region, endpoint, request_id; /* of <Error> */
    struct pl_str argument, value, header;                     /* what it complains of */
    struct pl_str etag, upload_id, last_modified, sum_text, sum_type;
    enum pl_sum sum;
    struct pl_str access_key, secret_key, token, expiration; /* of a session; two are secrets */
};
PAIL_MUST pail_code pl_s3_read_answer(struct pl_arena *arena, struct pl_str body,
                                      struct pl_s3_answer *out, struct pail_error **err);
PAIL_MUST pail_code pl_s3_read_session(struct pl_arena *arena, struct pl_str body,
                                       struct pl_s3_answer *out);
PAIL_MUST pail_code pl_s3_read_delete(struct pl_op *op, struct pl_str body,
                                      struct pl_s3_answer *out, struct pail_error **err);
PAIL_MUST pail_code pl_s3_read_tags(struct pl_op *op, struct pl_str body, struct pl_s3_answer *out,
                                    struct pail_error **err);
/* What an error code of the service means. */
struct pl_s3_code {
    const char *name;
    pail_code code;
    enum pl_next next;
};
const struct pl_s3_code *pl_s3_code_find(struct pl_str name); /* NULL: not in the table */

/* A listing page: s3_list.c */
PAIL_MUST pail_code pl_s3_add_list_query(struct pl_s3_build *b);
void pl_s3_parse_list(struct pl_s3 *s3, struct pl_op *op, struct pl_attempt *a,
                      const struct pl_http_response *r, struct pl_verdict *out,
                      struct pail_error **err);

/* s3_gather.c: listings that come in no order. */
bool pl_s3_gathers(const struct pl_s3_view *view, const struct pl_op *op);
/* The query of the next page. Errors: PAIL_E_UNSUPPORTED (a delimiter). */
PAIL_MUST pail_code pl_s3_gather_query(struct pl_s3_build *b);
/* Copies what the caller wants of a page. after: the last name that he has; NULL: none yet. */
PAIL_MUST pail_code pl_s3_gather_add(struct pl_op *op, struct pl_s3_memo *memo,
                                     const pail_info *items, size_t count, const char *after);
enum pl_s3_gathered {
    PL_S3_GATHER_ALL, /* op->out has all that is left */
    PL_S3_GATHER_CUT, /* op->out has what comes first; there is more */
    PL_S3_GATHER_MORE,
    PL_S3_GATHER_LOOP, /* the service's pages do not end */
    PL_S3_GATHER_NO_MEMORY
};
/* After a page. token: the service's, for the next one. */
enum pl_s3_gathered pl_s3_gather_next(struct pl_op *op, struct pl_s3_memo *memo, bool truncated,
                                      const char *token);

/* The dialect alone, as golden tests use it; its lock is made by http_provider. */
PAIL_MUST pail_code pl_s3_dialect_new(const struct pl_provider_env *env, struct pl_dialect **out,
                                      struct pail_error **err);

/* s3_probe.c: a provider before the http provider that asks an unknown endpoint about conditions
 * before the first conditional write. Takes `next`. */
PAIL_MUST pail_code pl_s3_probe_new(struct pl_s3 *s3, struct pl_provider *next,
                                    struct pl_provider **out, struct pail_error **err);
/* Whether the op is the probe's own, which passes the gate. */
bool pl_s3_is_probe(const struct pl_op *op);

#endif
