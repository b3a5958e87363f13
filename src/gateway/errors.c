#include "gateway/gateway.h"

/* Source: Amazon S3 API Reference, "Error responses", "List of error codes". */
static const struct {
    const char *code;
    int status;
    const char *message;
} errors[] = {
    {"AccessDenied", 403, "Access denied"},
    {"AccessForbidden", 403, "Access forbidden"},
    {"AuthorizationHeaderMalformed", 400, "The Authorization header is not well-formed"},
    {"AuthorizationQueryParametersError", 400, "The X-Amz- parameters are not well-formed"},
    {"BadDigest", 400, "The checksum that you sent is not that of the bytes that came"},
    {"BadRequest", 400, "The request is not complete"},
    {"BucketAlreadyExists", 409, "The bucket exists already"},
    {"BucketAlreadyOwnedByYou", 409, "The bucket exists already and is yours"},
    {"BucketNotEmpty", 409, "The bucket is not empty"},
    {"ConditionalRequestConflict", 409, "Another write came between; try again"},
    {"EntityTooLarge", 400, "The body is too large"},
    {"EntityTooSmall", 400, "A part but the last is too small"},
    {"IncompleteBody", 400, "The body is not as long as was announced"},
    {"InternalError", 500, "The server failed"},
    {"InvalidAccessKeyId", 403, "There is no such access key"},
    {"InvalidArgument", 400, "An argument is not valid"},
    {"InvalidBucketName", 400, "The name of the bucket is not valid"},
    {"InvalidDigest", 400, "The Content-MD5 or checksum is not well-formed"},
    {"InvalidPart", 400, "A part is not there, or its ETag is another"},
    {"InvalidPartOrder", 400, "The parts are not in ascending order"},
    {"InvalidPolicyDocument", 400, "The policy of the form is not well-formed"},
    {"InvalidRange", 416, "The range cannot be satisfied"},
    {"InvalidRequest", 400, "The request is not valid"},
    {"InvalidTag", 400, "A tag is not valid"},
    {"InvalidURI", 400, "The URI cannot be decoded"},
    {"KeyTooLongError", 400, "The key is too long"},
    {"MalformedPOSTRequest", 400, "The body is not well-formed multipart/form-data"},
    {"MalformedXML", 400, "The XML of the body is not well-formed or not what is expected"},
    {"MaxMessageLengthExceeded", 400, "The body is too large"},
    {"MaxPostPreDataLengthExceededError", 400, "The fields before the file are too large"},
    {"MethodNotAllowed", 405, "The method is not allowed here"},
    {"MissingContentLength", 411, "Content-Length is needed"},
    {"NoSuchBucket", 404, "There is no such bucket"},
    {"NoSuchBucketPolicy", 404, "The bucket has no policy"},
    {"NoSuchCORSConfiguration", 404, "The bucket has no CORS configuration"},
    {"NoSuchKey", 404, "There is no such key"},
    {"NoSuchLifecycleConfiguration", 404, "The bucket has no lifecycle configuration"},
    {"NoSuchPublicAccessBlockConfiguration", 404, "The bucket has no public access block"},
    {"NoSuchTagSet", 404, "There are no tags"},
    {"NoSuchUpload", 404, "There is no such upload; it may be finished or aborted"},
    {"NoSuchVersion", 404, "There is no such version"},
    {"NoSuchWebsiteConfiguration", 404, "The bucket has no website configuration"},
    {"NotImplemented", 501, "This server does not do that"},
    {"ObjectLockConfigurationNotFoundError", 404, "The bucket has no object lock configuration"},
    {"OwnershipControlsNotFoundError", 404, "The bucket has no ownership controls"},
    {"PreconditionFailed", 412, "A condition of the request does not hold"},
    {"ReplicationConfigurationNotFoundError", 404, "The bucket has no replication configuration"},
    {"RequestHeaderSectionTooLarge", 400, "The request has too many headers"},
    {"RequestTimeTooSkewed", 403, "The time of the request is too far from that of the server"},
    {"RequestTimeout", 400, "The request took too long"},
    {"ServerSideEncryptionConfigurationNotFoundError", 404, "The bucket has no encryption set"},
    {"ServiceUnavailable", 503, "The store cannot answer now; try again"},
    {"SignatureDoesNotMatch", 403, "The signature is not that of the request; see the secret key"},
    {"SlowDown", 503, "Too many requests; try again later"},
    {"UnexpectedContent", 400, "This request takes no body"},
    {"XAmzContentSHA256Mismatch", 400, "x-amz-content-sha256 is not that of the bytes that came"},
};

static const struct {
    pail_code rc;
    const char *code;
} of_store[] = {
    {PAIL_E_NOT_FOUND, "NoSuchKey"},
    {PAIL_E_BUCKET_NOT_FOUND, "NoSuchBucket"},
    {PAIL_E_VERSION_NOT_FOUND, "NoSuchVersion"},
    {PAIL_E_UPLOAD_NOT_FOUND, "NoSuchUpload"},
    {PAIL_E_EXISTS, "PreconditionFailed"},
    {PAIL_E_BUCKET_EXISTS, "BucketAlreadyOwnedByYou"},
    {PAIL_E_BUCKET_NOT_EMPTY, "BucketNotEmpty"},
    {PAIL_E_PRECONDITION, "PreconditionFailed"},
    {PAIL_E_CONFLICT, "ConditionalRequestConflict"},
    {PAIL_E_BAD_ARGUMENT, "InvalidArgument"},
    {PAIL_E_BAD_KEY, "InvalidArgument"},
    {PAIL_E_BAD_BUCKET_NAME, "InvalidBucketName"},
    {PAIL_E_BAD_RANGE, "InvalidRange"},
    {PAIL_E_TOO_LARGE, "EntityTooLarge"},
    {PAIL_E_UNSUPPORTED, "NotImplemented"},
    {PAIL_E_CHANGED, "ConditionalRequestConflict"},
    {PAIL_E_THROTTLED, "SlowDown"},
    {PAIL_E_UNAVAILABLE, "ServiceUnavailable"},
    {PAIL_E_TIMEOUT, "ServiceUnavailable"},
    {PAIL_E_DNS, "ServiceUnavailable"},
    {PAIL_E_CONNECT, "ServiceUnavailable"},
    {PAIL_E_TLS, "ServiceUnavailable"},
    {PAIL_E_NO_MEMORY, "SlowDown"},
};

const char *pl_gw_error_code(pail_code rc)
{
    for (size_t i = 0; i < sizeof of_store / sizeof *of_store; i++) {
        if (of_store[i].rc == rc) {
            return of_store[i].code;
        }
    }
    return "InternalError";
}

void pl_gw_forget(struct pl_gw_call *c)
{
    struct pl_http_call *h = c->http;
    c->error = NULL;
    pl_buf_clear(&h->body);
    h->reply_header_count = 0;
    h->streamed = false;
    h->body_bytes = 0;
}

void pl_gw_fail(struct pl_gw_call *c, const char *code, const char *message)
{
    size_t i = 0;
    while (i + 1 < sizeof errors / sizeof *errors && strcmp(errors[i].code, code) != 0) {
        i++;
    }
    PL_ASSERT(strcmp(errors[i].code, code) == 0);
    pl_gw_forget(c);
    c->error = errors[i].code;
    struct pl_buf *b = &c->http->body;
    pl_buf_puts(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    pl_gw_text(b, "Code", code);
    pl_gw_text(b, "Message", message ? message : errors[i].message);
    pl_gw_text(b, "BucketName", c->bucket);
    pl_gw_text(b, "Key", c->key);
    pl_gw_text(b, "RequestId", c->request_id);
    pl_buf_puts(b, "<HostId>pail</HostId></Error>");
    if (errors[i].status == 503) {
        pl_http_reply_header(c->http, "Retry-After", PL_STR("1"));
    }
    pl_http_reply_header(c->http, "Content-Type", PL_STR("application/xml"));
    pl_gw_reply(c, errors[i].status);
}

/* SPEC S3 PutObject, If-Match: 404 where there is no object to match. */
void pl_gw_fail_write(struct pl_gw_call *c, pail_code rc, const struct pail_error *error)
{
    pail_info info;
    bool none = rc == PAIL_E_PRECONDITION && c->cond.if_match && !pl_gw_look(c, &info);
    if (none && !c->error) {
        pl_gw_fail(c, "NoSuchKey", NULL);
    } else if (!none) {
        pl_gw_fail_op(c, rc, error);
    }
}

void pl_gw_fail_op(struct pl_gw_call *c, pail_code rc, const struct pail_error *error)
{
    if (rc == PAIL_E_NOT_MODIFIED) {
        pl_gw_forget(c);
        pl_gw_reply(c, 304);
        return;
    }
    const char *code = pl_gw_error_code(rc);
    bool told = strcmp(code, "InvalidArgument") == 0 || strcmp(code, "InvalidBucketName") == 0 ||
                strcmp(code, "NotImplemented") == 0;
    pl_gw_fail(c, code,
               told && error && *pail_error_message(error) ? pail_error_message(error) : NULL);
}
