/* Which request is which operation. */
#include "gateway/gateway.h"

#define NO    PL_GW_NO_BODY
#define XML   PL_GW_XML
#define BYTES PL_GW_BYTES
#define FORM  PL_GW_FORM

/* The first that fits counts: those that need a parameter or a header stand before those without.
 */
static const struct pl_gw_route routes[] = {
    {"ListBuckets", "GET", PL_GW_SERVICE, NULL, NULL, false, NO, pl_gw_list_buckets, NULL},

    {"GetBucketLocation", "GET", PL_GW_BUCKET, "location", NULL, false, NO, pl_gw_bucket_location,
     NULL},
    {"ListObjectVersions", "GET", PL_GW_BUCKET, "versions", NULL, false, NO, pl_gw_list_versions,
     NULL},
    {"ListMultipartUploads", "GET", PL_GW_BUCKET, "uploads", NULL, false, NO, pl_gw_list_uploads,
     NULL},
    {"GetBucketVersioning", "GET", PL_GW_BUCKET, "versioning", NULL, false, NO, pl_gw_bucket_answer,
     NULL},
    {"GetBucketAcl", "GET", PL_GW_BUCKET, "acl", NULL, false, NO, pl_gw_bucket_answer, NULL},
    {"GetBucketPolicy", "GET", PL_GW_BUCKET, "policy", NULL, false, NO, pl_gw_bucket_answer, NULL},
    {"GetBucketPolicyStatus", "GET", PL_GW_BUCKET, "policyStatus", NULL, false, NO,
     pl_gw_bucket_answer, NULL},
    {"GetPublicAccessBlock", "GET", PL_GW_BUCKET, "publicAccessBlock", NULL, false, NO,
     pl_gw_bucket_answer, NULL},
    {"GetBucketCors", "GET", PL_GW_BUCKET, "cors", NULL, false, NO, pl_gw_bucket_answer, NULL},
    {"GetBucketLifecycleConfiguration", "GET", PL_GW_BUCKET, "lifecycle", NULL, false, NO,
     pl_gw_bucket_answer, NULL},
    {"GetBucketTagging", "GET", PL_GW_BUCKET, "tagging", NULL, false, NO, pl_gw_bucket_answer,
     NULL},
    {"GetBucketWebsite", "GET", PL_GW_BUCKET, "website", NULL, false, NO, pl_gw_bucket_answer,
     NULL},
    {"GetBucketEncryption", "GET", PL_GW_BUCKET, "encryption", NULL, false, NO, pl_gw_bucket_answer,
     NULL},
    {"GetObjectLockConfiguration", "GET", PL_GW_BUCKET, "object-lock", NULL, false, NO,
     pl_gw_bucket_answer, NULL},
    {"GetBucketReplication", "GET", PL_GW_BUCKET, "replication", NULL, false, NO,
     pl_gw_bucket_answer, NULL},
    {"GetBucketOwnershipControls", "GET", PL_GW_BUCKET, "ownershipControls", NULL, false, NO,
     pl_gw_bucket_answer, NULL},
    {"ListObjectsV2", "GET", PL_GW_BUCKET, "list-type", NULL, false, NO, pl_gw_list_v2, NULL},
    {"ListObjects", "GET", PL_GW_BUCKET, NULL, NULL, false, NO, pl_gw_list_v1, NULL},
    {"PutBucketAcl", "PUT", PL_GW_BUCKET, "acl", NULL, true, XML, pl_gw_put_acl, NULL},
    {"HeadBucket", "HEAD", PL_GW_BUCKET, NULL, NULL, false, NO, pl_gw_head_bucket, NULL},
    {"CreateBucket", "PUT", PL_GW_BUCKET, NULL, NULL, true, XML, pl_gw_create_bucket, NULL},
    {"DeleteBucket", "DELETE", PL_GW_BUCKET, NULL, NULL, true, NO, pl_gw_delete_bucket, NULL},
    {"DeleteObjects", "POST", PL_GW_BUCKET, "delete", NULL, true, XML, pl_gw_delete_objects, NULL},

    {"PostObject", "POST", PL_GW_BUCKET, NULL, "content-type", true, FORM, pl_gw_post_object, NULL},

    {"ListParts", "GET", PL_GW_OBJECT, "uploadId", NULL, false, NO, pl_gw_list_parts, NULL},
    {"GetObjectTagging", "GET", PL_GW_OBJECT, "tagging", NULL, false, NO, pl_gw_get_tags, NULL},
    {"GetObjectAttributes", "GET", PL_GW_OBJECT, "attributes", NULL, false, NO,
     pl_gw_object_attributes, NULL},
    {"GetObjectAcl", "GET", PL_GW_OBJECT, "acl", NULL, false, NO, pl_gw_object_acl, NULL},
    {"GetObject", "GET", PL_GW_OBJECT, NULL, NULL, false, NO, pl_gw_get_object, NULL},
    {"HeadObject", "HEAD", PL_GW_OBJECT, NULL, NULL, false, NO, pl_gw_get_object, NULL},
    {"UploadPartCopy", "PUT", PL_GW_OBJECT, "uploadId", "x-amz-copy-source", true, NO,
     pl_gw_copy_part, NULL},
    {"UploadPart", "PUT", PL_GW_OBJECT, "uploadId", NULL, true, BYTES, pl_gw_put_part,
     pl_gw_put_finish},
    {"PutObjectTagging", "PUT", PL_GW_OBJECT, "tagging", NULL, true, XML, pl_gw_put_tags, NULL},
    {"PutObjectAcl", "PUT", PL_GW_OBJECT, "acl", NULL, true, XML, pl_gw_put_acl, NULL},
    {"CopyObject", "PUT", PL_GW_OBJECT, NULL, "x-amz-copy-source", true, NO, pl_gw_copy_object,
     NULL},
    {"PutObject", "PUT", PL_GW_OBJECT, NULL, NULL, true, BYTES, pl_gw_put_object, pl_gw_put_finish},
    {"CreateMultipartUpload", "POST", PL_GW_OBJECT, "uploads", NULL, true, NO, pl_gw_begin_upload,
     NULL},
    {"CompleteMultipartUpload", "POST", PL_GW_OBJECT, "uploadId", NULL, true, XML,
     pl_gw_finish_upload, NULL},
    {"AbortMultipartUpload", "DELETE", PL_GW_OBJECT, "uploadId", NULL, true, NO, pl_gw_abort_upload,
     NULL},
    {"DeleteObjectTagging", "DELETE", PL_GW_OBJECT, "tagging", NULL, true, NO, pl_gw_delete_tags,
     NULL},
    {"DeleteObject", "DELETE", PL_GW_OBJECT, NULL, NULL, true, NO, pl_gw_delete_object, NULL},
};

/* Parameters that make another operation of a request. One that no route asked for must not let
 * the request pass as the plain one: PUT ?acl would replace an object. */
static const char *const subresources[] = {
    "accelerate",   "acl",           "analytics",
    "attributes",   "cors",          "delete",
    "encryption",   "inventory",     "intelligent-tiering",
    "legal-hold",   "lifecycle",     "location",
    "logging",      "metadataTable", "metrics",
    "object-lock",  "notification",  "ownershipControls",
    "policy",       "policyStatus",  "publicAccessBlock",
    "renameObject", "replication",   "requestPayment",
    "restore",      "retention",     "select",
    "session",      "tagging",       "torrent",
    "uploadId",     "uploads",       "versioning",
    "versions",     "website",       "append",
};

static bool is_plain(const struct pl_gw_call *c)
{
    for (size_t i = 0; i < sizeof subresources / sizeof *subresources; i++) {
        if (pl_gw_param(c, subresources[i])) {
            return false;
        }
    }
    return true;
}

static bool fits(const struct pl_gw_call *c, const struct pl_gw_route *r, enum pl_gw_level level)
{
    if (r->level != level || !pl_str_is(c->http->method, r->method) ||
        (r->header && !pl_http_call_header(c->http, r->header).ptr)) {
        return false;
    }
    return r->param ? pl_gw_param(c, r->param) != NULL : is_plain(c);
}

const struct pl_gw_route *pl_gw_find_route(struct pl_gw_call *c)
{
    enum pl_gw_level level = c->key ? PL_GW_OBJECT : c->bucket ? PL_GW_BUCKET : PL_GW_SERVICE;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (fits(c, &routes[i], level)) {
            return &routes[i];
        }
    }
    static const char *const methods[] = {"GET", "HEAD", "PUT", "POST", "DELETE"};
    bool known = false;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        known = known || pl_str_is(c->http->method, methods[i]);
    }
    pl_gw_fail(c, known && !is_plain(c) ? "NotImplemented" : "MethodNotAllowed", NULL);
    return NULL;
}
