/* Which request is which operation. */
#include "gateway/gateway.h"

#include <strings.h>

#define NO    PL_GW_NO_BODY
#define XML   PL_GW_XML
#define BYTES PL_GW_BYTES
#define FORM  PL_GW_FORM

/* What may be asked beside the parameter that makes the operation. SPEC S3, "URI request
 * parameters" of each; allow-unordered and metadata are Ceph's and MinIO's, and change no more than
 * the order and the detail of a listing. */
#define OBJECTS                                                                                    \
    "prefix delimiter encoding-type max-keys marker continuation-token start-after fetch-owner "   \
    "allow-unordered metadata"
#define VERSIONS "prefix delimiter encoding-type max-keys key-marker version-id-marker metadata"
#define UPLOADS  "prefix delimiter encoding-type max-uploads key-marker upload-id-marker"
#define READ                                                                                       \
    "versionId partNumber response-cache-control response-content-disposition "                    \
    "response-content-encoding response-content-language response-content-type response-expires"

/* The first that fits counts: those that need a parameter or a header stand before those without.
 */
static const struct pl_gw_route routes[] = {
    {"ListBuckets", "GET", PL_GW_SERVICE, NULL, NULL, false, NO, pl_gw_list_buckets, NULL,
     "max-buckets continuation-token prefix bucket-region"},

    {"GetBucketLocation", "GET", PL_GW_BUCKET, "location", NULL, false, NO, pl_gw_bucket_location,
     NULL, NULL},
    {"ListObjectVersions", "GET", PL_GW_BUCKET, "versions", NULL, false, NO, pl_gw_list_versions,
     NULL, VERSIONS},
    {"ListMultipartUploads", "GET", PL_GW_BUCKET, "uploads", NULL, false, NO, pl_gw_list_uploads,
     NULL, UPLOADS},
    {"GetBucketVersioning", "GET", PL_GW_BUCKET, "versioning", NULL, false, NO, pl_gw_bucket_answer,
     NULL, NULL},
    {"GetBucketAcl", "GET", PL_GW_BUCKET, "acl", NULL, false, NO, pl_gw_bucket_answer, NULL, NULL},
    {"GetBucketPolicy", "GET", PL_GW_BUCKET, "policy", NULL, false, NO, pl_gw_bucket_answer, NULL,
     NULL},
    {"GetBucketPolicyStatus", "GET", PL_GW_BUCKET, "policyStatus", NULL, false, NO,
     pl_gw_bucket_answer, NULL, NULL},
    {"GetPublicAccessBlock", "GET", PL_GW_BUCKET, "publicAccessBlock", NULL, false, NO,
     pl_gw_bucket_answer, NULL, NULL},
    {"GetBucketCors", "GET", PL_GW_BUCKET, "cors", NULL, false, NO, pl_gw_bucket_answer, NULL,
     NULL},
    {"GetBucketLifecycleConfiguration", "GET", PL_GW_BUCKET, "lifecycle", NULL, false, NO,
     pl_gw_bucket_answer, NULL, NULL},
    {"GetBucketTagging", "GET", PL_GW_BUCKET, "tagging", NULL, false, NO, pl_gw_bucket_answer, NULL,
     NULL},
    {"GetBucketWebsite", "GET", PL_GW_BUCKET, "website", NULL, false, NO, pl_gw_bucket_answer, NULL,
     NULL},
    {"GetBucketEncryption", "GET", PL_GW_BUCKET, "encryption", NULL, false, NO, pl_gw_bucket_answer,
     NULL, NULL},
    {"GetObjectLockConfiguration", "GET", PL_GW_BUCKET, "object-lock", NULL, false, NO,
     pl_gw_bucket_answer, NULL, NULL},
    {"GetBucketReplication", "GET", PL_GW_BUCKET, "replication", NULL, false, NO,
     pl_gw_bucket_answer, NULL, NULL},
    {"GetBucketOwnershipControls", "GET", PL_GW_BUCKET, "ownershipControls", NULL, false, NO,
     pl_gw_bucket_answer, NULL, NULL},
    {"ListObjectsV2", "GET", PL_GW_BUCKET, "list-type", NULL, false, NO, pl_gw_list_v2, NULL,
     OBJECTS},
    {"ListObjects", "GET", PL_GW_BUCKET, NULL, NULL, false, NO, pl_gw_list_v1, NULL, OBJECTS},
    {"PutBucketAcl", "PUT", PL_GW_BUCKET, "acl", NULL, true, XML, pl_gw_put_acl, NULL, NULL},
    {"HeadBucket", "HEAD", PL_GW_BUCKET, NULL, NULL, false, NO, pl_gw_head_bucket, NULL, NULL},
    {"CreateBucket", "PUT", PL_GW_BUCKET, NULL, NULL, true, XML, pl_gw_create_bucket, NULL, NULL},
    {"DeleteBucket", "DELETE", PL_GW_BUCKET, NULL, NULL, true, NO, pl_gw_delete_bucket, NULL, NULL},
    {"DeleteObjects", "POST", PL_GW_BUCKET, "delete", NULL, true, XML, pl_gw_delete_objects, NULL,
     NULL},

    {"PostObject", "POST", PL_GW_BUCKET, NULL, "content-type", true, FORM, pl_gw_post_object, NULL,
     NULL},

    {"ListParts", "GET", PL_GW_OBJECT, "uploadId", NULL, false, NO, pl_gw_list_parts, NULL,
     "max-parts part-number-marker"},
    {"GetObjectTagging", "GET", PL_GW_OBJECT, "tagging", NULL, false, NO, pl_gw_get_tags, NULL,
     "versionId"},
    {"GetObjectAttributes", "GET", PL_GW_OBJECT, "attributes", NULL, false, NO,
     pl_gw_object_attributes, NULL, "versionId"},
    {"GetObjectAcl", "GET", PL_GW_OBJECT, "acl", NULL, false, NO, pl_gw_object_acl, NULL,
     "versionId"},
    {"GetObject", "GET", PL_GW_OBJECT, NULL, NULL, false, NO, pl_gw_get_object, NULL, READ},
    {"HeadObject", "HEAD", PL_GW_OBJECT, NULL, NULL, false, NO, pl_gw_get_object, NULL, READ},
    {"UploadPartCopy", "PUT", PL_GW_OBJECT, "uploadId", "x-amz-copy-source", true, NO,
     pl_gw_copy_part, NULL, "partNumber"},
    {"UploadPart", "PUT", PL_GW_OBJECT, "uploadId", NULL, true, BYTES, pl_gw_put_part,
     pl_gw_put_finish, "partNumber"},
    {"PutObjectTagging", "PUT", PL_GW_OBJECT, "tagging", NULL, true, XML, pl_gw_put_tags, NULL,
     "versionId"},
    {"PutObjectAcl", "PUT", PL_GW_OBJECT, "acl", NULL, true, XML, pl_gw_put_acl, NULL, "versionId"},
    {"CopyObject", "PUT", PL_GW_OBJECT, NULL, "x-amz-copy-source", true, NO, pl_gw_copy_object,
     NULL, NULL},
    {"PutObject", "PUT", PL_GW_OBJECT, NULL, NULL, true, BYTES, pl_gw_put_object, pl_gw_put_finish,
     NULL},
    {"CreateMultipartUpload", "POST", PL_GW_OBJECT, "uploads", NULL, true, NO, pl_gw_begin_upload,
     NULL, NULL},
    {"CompleteMultipartUpload", "POST", PL_GW_OBJECT, "uploadId", NULL, true, XML,
     pl_gw_finish_upload, NULL, NULL},
    {"AbortMultipartUpload", "DELETE", PL_GW_OBJECT, "uploadId", NULL, true, NO, pl_gw_abort_upload,
     NULL, NULL},
    {"DeleteObjectTagging", "DELETE", PL_GW_OBJECT, "tagging", NULL, true, NO, pl_gw_delete_tags,
     NULL, "versionId"},
    {"DeleteObject", "DELETE", PL_GW_OBJECT, NULL, NULL, true, NO, pl_gw_delete_object, NULL,
     "versionId"},
};

/* Of a list with blanks between. */
static bool is_one_of(const char *name, const char *list)
{
    struct pl_str rest = pl_str_c(list);
    while (rest.ptr) {
        if (pl_str_is(pl_str_split(&rest, ' '), name)) {
            return true;
        }
    }
    return false;
}

/* Parameters that any request may have: those of its signature, and what clients say of
 * themselves. SPEC S3 "Amazon S3 server access log format", custom access log information: a name
 * that begins with x- has no meaning. Headers of S3's may stand there too, so x-amz- is no such. */
static bool is_of_any(const char *name)
{
    static const char all[] =
        "X-Amz-Algorithm X-Amz-Credential X-Amz-Date X-Amz-Expires X-Amz-SignedHeaders "
        "X-Amz-Signature X-Amz-Security-Token X-Amz-Content-Sha256 x-amz-user-agent "
        "AWSAccessKeyId Signature Expires"; /* of signature version 2, which auth.c refuses */
    bool amz = strncasecmp(name, "x-amz-", 6) == 0;
    /* What SDKs move from the headers into a signed URL: metadata counts; a checksum there is that
     * of the body that the signer had, which is none. */
    static const char *const moved[] = {"x-amz-meta-", "x-amz-checksum-", "x-amz-sdk-checksum-"};
    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++) {
        if (strncasecmp(name, moved[i], strlen(moved[i])) == 0) {
            return true;
        }
    }
    return is_one_of(name, all) || (!amz && strncasecmp(name, "x-", 2) == 0);
}

/* The first parameter that may make another operation of the request, or change what it does, and
 * that is not known here; NULL: none. What is only read may be asked with values that mean nothing
 * to S3, but a bare name is how S3 names what it has beside an object or a bucket. */
static const char *stranger(const struct pl_gw_call *c, const struct pl_gw_route *r)
{
    for (size_t i = 0; i < c->param_count; i++) {
        const char *name = c->params[i].name;
        bool known = is_of_any(name) || (r && r->param && strcmp(name, r->param) == 0) ||
                     (r && r->params && is_one_of(name, r->params));
        if (!known && (!r || r->writes || !*c->params[i].value)) {
            return name;
        }
    }
    return NULL;
}

static bool fits(const struct pl_gw_call *c, const struct pl_gw_route *r, enum pl_gw_level level)
{
    return r->level == level && pl_str_is(c->http->method, r->method) &&
           (!r->header || pl_http_call_header(c->http, r->header).ptr) &&
           (!r->param || pl_gw_param(c, r->param));
}

/* What is not known must not be passed over: PUT ?annotation would replace an object. */
static void not_done(struct pl_gw_call *c, const char *param)
{
    struct pl_buf b = PL_BUF_MAX(1024);
    pl_buf_printf(&b, "the parameter %.64s means nothing here to a %.*s of this path; leave it out",
                  param, (int)c->http->method.len, c->http->method.ptr);
    pl_gw_fail(c, "NotImplemented", pl_buf_rc(&b) ? NULL : b.ptr);
    pl_buf_dispose(&b);
}

const struct pl_gw_route *pl_gw_find_route(struct pl_gw_call *c)
{
    enum pl_gw_level level = c->key ? PL_GW_OBJECT : c->bucket ? PL_GW_BUCKET : PL_GW_SERVICE;
    const struct pl_gw_route *found = NULL;
    for (size_t i = 0; !found && i < sizeof routes / sizeof *routes; i++) {
        found = fits(c, &routes[i], level) ? &routes[i] : NULL;
    }
    static const char *const methods[] = {"GET", "HEAD", "PUT", "POST", "DELETE"};
    bool known = false;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        known = known || pl_str_is(c->http->method, methods[i]);
    }
    const char *strange = known ? stranger(c, found) : NULL;
    if (strange) {
        not_done(c, strange);
    } else if (!found) {
        pl_gw_fail(c, "MethodNotAllowed", NULL);
    }
    return found && !strange && pl_gw_can_all(c) ? found : NULL;
}
