/* What the service's error codes mean and what to do about each. Source: Amazon S3 API Reference
 * "Error responses"; the other services' documents and reports. */
#include "codec/url.h"
#include "provider/s3.h"

/* Sorted by name for nobody but the reader. */
static const struct pl_s3_code codes[] = {
    {"AccessDenied", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"AccountProblem", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"AllAccessDisabled", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"AuthorizationHeaderMalformed", PAIL_E_WRONG_REGION, PL_NEXT_FAIL},
    {"AuthorizationQueryParametersError", PAIL_E_BAD_ARGUMENT, PL_NEXT_FAIL},
    {"BadDigest", PAIL_E_CHECKSUM, PL_NEXT_FAIL},
    {"BadRequest", PAIL_E_BAD_ARGUMENT, PL_NEXT_FAIL},
    {"BucketAlreadyExists", PAIL_E_BUCKET_EXISTS, PL_NEXT_FAIL},
    {"BucketAlreadyOwnedByYou", PAIL_E_BUCKET_EXISTS, PL_NEXT_FAIL},
    {"BucketNameUnavailable", PAIL_E_BUCKET_EXISTS, PL_NEXT_FAIL},
    {"BucketNotEmpty", PAIL_E_BUCKET_NOT_EMPTY, PL_NEXT_FAIL},
    {"ConditionalRequestConflict", PAIL_E_CONFLICT, PL_NEXT_RETRY},
    {"ContentMD5EmptyOrMissing", PAIL_E_BAD_ARGUMENT, PL_NEXT_FAIL},
    {"ContentSHA256Mismatch", PAIL_E_CHECKSUM, PL_NEXT_FAIL},
    {"EntityTooLarge", PAIL_E_TOO_LARGE, PL_NEXT_FAIL},
    {"EntityTooSmall", PAIL_E_BAD_ARGUMENT, PL_NEXT_FAIL},
    {"ExpiredToken", PAIL_E_EXPIRED_CREDENTIALS, PL_NEXT_CREDENTIALS},
    {"ExpiredTokenException", PAIL_E_EXPIRED_CREDENTIALS, PL_NEXT_CREDENTIALS},
    {"FileAlreadyExists", PAIL_E_EXISTS, PL_NEXT_FAIL},
    {"IllegalLocationConstraintException", PAIL_E_WRONG_REGION, PL_NEXT_FAIL},
    {"IncompleteBody", PAIL_E_UNAVAILABLE, PL_NEXT_RETRY},
    {"InternalError", PAIL_E_UNAVAILABLE, PL_NEXT_RETRY},
    {"InvalidAccessKeyId", PAIL_E_UNAUTHENTICATED, PL_NEXT_FAIL},
    {"InvalidBucketName", PAIL_E_BAD_BUCKET_NAME, PL_NEXT_FAIL},
    {"InvalidDigest", PAIL_E_CHECKSUM, PL_NEXT_FAIL},
    {"InvalidLocationConstraint", PAIL_E_WRONG_REGION, PL_NEXT_FAIL},
    {"InvalidObjectState", PAIL_E_ARCHIVED, PL_NEXT_FAIL},
    {"InvalidPart", PAIL_E_CHANGED, PL_NEXT_FAIL},
    {"InvalidPartOrder", PAIL_E_BAD_ARGUMENT, PL_NEXT_FAIL},
    {"InvalidRange", PAIL_E_BAD_RANGE, PL_NEXT_FAIL},
    {"InvalidSecurity", PAIL_E_UNAUTHENTICATED, PL_NEXT_FAIL},
    {"InvalidToken", PAIL_E_UNAUTHENTICATED, PL_NEXT_FAIL},
    {"InvalidTokenId", PAIL_E_UNAUTHENTICATED, PL_NEXT_FAIL},
    {"KeyTooLongError", PAIL_E_BAD_KEY, PL_NEXT_FAIL},
    {"MetadataTooLarge", PAIL_E_TOO_LARGE, PL_NEXT_FAIL},
    {"MethodNotAllowed", PAIL_E_UNSUPPORTED, PL_NEXT_FAIL},
    {"MissingSecurityHeader", PAIL_E_UNAUTHENTICATED, PL_NEXT_FAIL},
    {"NoSuchBucket", PAIL_E_BUCKET_NOT_FOUND, PL_NEXT_FAIL},
    {"NoSuchKey", PAIL_E_NOT_FOUND, PL_NEXT_FAIL},
    {"NoSuchUpload", PAIL_E_UPLOAD_NOT_FOUND, PL_NEXT_FAIL},
    {"NoSuchVersion", PAIL_E_VERSION_NOT_FOUND, PL_NEXT_FAIL},
    {"NotImplemented", PAIL_E_UNSUPPORTED, PL_NEXT_FAIL},
    {"NotSignedUp", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"OperationAborted", PAIL_E_CONFLICT, PL_NEXT_RETRY},
    {"PermanentRedirect", PAIL_E_WRONG_REGION, PL_NEXT_FAIL},
    {"PreconditionFailed", PAIL_E_PRECONDITION, PL_NEXT_FAIL},
    {"QuotaExceeded", PAIL_E_NO_SPACE, PL_NEXT_FAIL},
    {"Redirect", PAIL_E_WRONG_REGION, PL_NEXT_FAIL},
    {"RequestExpired", PAIL_E_CLOCK_SKEW, PL_NEXT_CLOCK},
    {"RequestInTheFuture", PAIL_E_CLOCK_SKEW, PL_NEXT_CLOCK},
    {"RequestLimitExceeded", PAIL_E_THROTTLED, PL_NEXT_THROTTLED},
    {"RequestTimeTooSkewed", PAIL_E_CLOCK_SKEW, PL_NEXT_CLOCK},
    {"RequestTimeout", PAIL_E_TIMEOUT, PL_NEXT_RETRY},
    {"ServiceUnavailable", PAIL_E_UNAVAILABLE, PL_NEXT_THROTTLED},
    {"SignatureDoesNotMatch", PAIL_E_UNAUTHENTICATED, PL_NEXT_FAIL},
    {"SlowDown", PAIL_E_THROTTLED, PL_NEXT_THROTTLED},
    {"SlowDownRead", PAIL_E_THROTTLED, PL_NEXT_THROTTLED},
    {"SlowDownWrite", PAIL_E_THROTTLED, PL_NEXT_THROTTLED},
    {"TemporaryRedirect", PAIL_E_WRONG_REGION, PL_NEXT_FAIL},
    {"Throttling", PAIL_E_THROTTLED, PL_NEXT_THROTTLED},
    {"ThrottlingException", PAIL_E_THROTTLED, PL_NEXT_THROTTLED},
    {"TokenRefreshRequired", PAIL_E_EXPIRED_CREDENTIALS, PL_NEXT_CREDENTIALS},
    {"TooManyBuckets", PAIL_E_TOO_LARGE, PL_NEXT_FAIL},
    {"TooManyRequests", PAIL_E_THROTTLED, PL_NEXT_THROTTLED},
    {"Unauthorized", PAIL_E_UNAUTHENTICATED, PL_NEXT_FAIL},
    {"XAmzContentChecksumMismatch", PAIL_E_CHECKSUM, PL_NEXT_FAIL},
    {"XAmzContentSHA256Mismatch", PAIL_E_CHECKSUM, PL_NEXT_FAIL},
    {"XMinioStorageFull", PAIL_E_NO_SPACE, PL_NEXT_FAIL},
};

const struct pl_s3_code *pl_s3_code_find(struct pl_str name)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (pl_str_is(name, codes[i].name)) {
            return &codes[i];
        }
    }
    return NULL;
}

/* An answer without a code that is known: HEAD never has a body. */
static struct pl_s3_code by_status(int status, const struct pl_op *op)
{
    bool of_bucket = !op->key;
    switch (status) {
    case 304: return (struct pl_s3_code){"", PAIL_E_NOT_MODIFIED, PL_NEXT_FAIL};
    case 401: return (struct pl_s3_code){"", PAIL_E_UNAUTHENTICATED, PL_NEXT_FAIL};
    case 403: return (struct pl_s3_code){"", PAIL_E_FORBIDDEN, PL_NEXT_FAIL};
    case 404:
        return (struct pl_s3_code){"",
                                   of_bucket     ? PAIL_E_BUCKET_NOT_FOUND
                                   : op->version ? PAIL_E_VERSION_NOT_FOUND
                                                 : PAIL_E_NOT_FOUND,
                                   PL_NEXT_FAIL};
    case 405: return (struct pl_s3_code){"", PAIL_E_UNSUPPORTED, PL_NEXT_FAIL};
    case 408: return (struct pl_s3_code){"", PAIL_E_TIMEOUT, PL_NEXT_RETRY};
    case 409: return (struct pl_s3_code){"", PAIL_E_CONFLICT, PL_NEXT_FAIL};
    case 412: return (struct pl_s3_code){"", PAIL_E_PRECONDITION, PL_NEXT_FAIL};
    case 413: return (struct pl_s3_code){"", PAIL_E_TOO_LARGE, PL_NEXT_FAIL};
    case 416: return (struct pl_s3_code){"", PAIL_E_BAD_RANGE, PL_NEXT_FAIL};
    case 429: return (struct pl_s3_code){"", PAIL_E_THROTTLED, PL_NEXT_THROTTLED};
    case 501: return (struct pl_s3_code){"", PAIL_E_UNSUPPORTED, PL_NEXT_FAIL};
    case 503: return (struct pl_s3_code){"", PAIL_E_UNAVAILABLE, PL_NEXT_THROTTLED};
    case 507: return (struct pl_s3_code){"", PAIL_E_NO_SPACE, PL_NEXT_FAIL};
    default: break;
    }
    if (status >= 500) {
        return (struct pl_s3_code){"", PAIL_E_UNAVAILABLE, PL_NEXT_RETRY};
    }
    if (status >= 300 && status < 400) {
        return (struct pl_s3_code){"", PAIL_E_WRONG_REGION, PL_NEXT_FAIL};
    }
    return (struct pl_s3_code){"", PAIL_E_BAD_ARGUMENT, PL_NEXT_FAIL};
}

/* One answer on its way to a verdict. */
struct failure {
    struct pl_s3 *s3;
    struct pl_op *op;
    const struct pl_s3_memo *memo;
    const struct pl_http_response *r;
    struct pl_s3_answer answer;
    struct pl_verdict *out;
};

static bool holds(struct pl_str text, const char *word)
{
    return text.len && memmem(text.ptr, text.len, word, strlen(word));
}

static bool says(const struct failure *f, const char *word)
{
    return holds(f->answer.message, word) || holds(f->answer.argument, word) ||
           holds(f->answer.value, word) || holds(f->answer.header, word);
}

static bool code_is(const struct failure *f, const char *name)
{
    return pl_str_is(f->answer.code, name);
}

static void learned(struct failure *f, unsigned bit)
{
    f->out->next = PL_NEXT_LEARNED;
    f->out->learned = bit;
}

/* The region that the answer names; empty: none. */
static struct pl_str named_region(const struct failure *f)
{
    struct pl_str region = pl_http_header(f->r, "x-amz-bucket-region");
    if (region.len == 0) {
        region = f->answer.region;
    }
    if (region.len == 0 && f->answer.endpoint.len) { /* "bucket.s3.eu-west-1.amazonaws.com" */
        struct pl_str host = f->answer.endpoint;
        const char *at = memmem(host.ptr, host.len, "s3.", 3);
        if (at) {
            host = pl_str_n(at, host.len - (size_t)(at - host.ptr));
            (void)pl_s3_service_of_host(host, &region);
        }
    }
    return region;
}

static bool react_region(struct failure *f)
{
    int s = f->r->status;
    struct pl_str region = named_region(f);
    bool fits = s == 301 || s == 302 || s == 307 || s == 308 || s == 400 ||
                code_is(f, "AuthorizationHeaderMalformed");
    if (!fits || region.len == 0 || pl_str_is(region, f->memo->region)) {
        return false;
    }
    (void)pl_s3_learn_region(f->s3, f->s3->custom ? NULL : f->op->bucket, region);
    f->out->code = PAIL_E_WRONG_REGION;
    learned(f, PL_LEARNED_REGION);
    return true;
}

/* A session may end before its time; a HEAD is told no reason. */
static bool react_session(struct failure *f)
{
    int s = f->r->status;
    bool refused = code_is(f, "ExpiredToken") || code_is(f, "InvalidToken") ||
                   code_is(f, "InvalidAccessKeyId") || s == 401 ||
                   (f->op->kind == PL_OP_STAT && (s == 400 || s == 403));
    if (!f->memo->session_until || !refused) {
        return false;
    }
    pl_s3_session_drop(f->s3, f->op->bucket, f->memo->session_until);
    learned(f, PL_LEARNED_OTHER);
    return true;
}

static bool names_checksums(const struct failure *f)
{
    return says(f, "x-amz-checksum") || says(f, "x-amz-sdk-checksum") || says(f, "STREAMING-") ||
           says(f, "aws-chunked") || says(f, "UNSIGNED-PAYLOAD");
}

/* Some services refuse what AWS takes: a checksum header, or a payload that is not signed. */
static bool react_sums(struct failure *f)
{
    bool refused = f->r->status == 501 || code_is(f, "NotImplemented") ||
                   code_is(f, "InvalidArgument") || code_is(f, "InvalidRequest");
    bool mismatch = code_is(f, "XAmzContentSHA256Mismatch") || code_is(f, "SignatureDoesNotMatch");
    if (!f->memo->sent_sum && !f->memo->sent_unsigned) {
        return false;
    }
    if (!((refused && names_checksums(f)) || code_is(f, "ExcessHeaderValues") ||
          (mismatch && f->s3->custom))) {
        return false;
    }
    pthread_mutex_lock(&f->s3->dialect.lock);
    bool news = !f->s3->learned.no_sums || !f->s3->learned.signed_only;
    f->s3->learned.no_sums = f->s3->learned.signed_only = true;
    pthread_mutex_unlock(&f->s3->dialect.lock);
    if (news) {
        learned(f, PL_LEARNED_SUMS);
    }
    return news;
}

static bool learn_flag(struct failure *f, bool *flag, unsigned bit)
{
    pthread_mutex_lock(&f->s3->dialect.lock);
    bool news = !*flag;
    *flag = true;
    pthread_mutex_unlock(&f->s3->dialect.lock);
    if (news) {
        learned(f, bit);
    }
    return news;
}

static bool react_delete_many(struct failure *f)
{
    size_t count = f->op->in.delete_many.count;
    bool wants_md5 = code_is(f, "MissingContentMD5") || code_is(f, "ContentMD5EmptyOrMissing") ||
                     says(f, "Content-MD5") || (code_is(f, "InvalidRequest") && !f->memo->sent_md5);
    if (wants_md5 && !f->memo->sent_md5 && f->r->status < 500) {
        return learn_flag(f, &f->s3->learned.delete_md5, PL_LEARNED_BODY);
    }
    if (f->r->status == 501 || f->r->status == 405 || code_is(f, "NotImplemented") ||
        (wants_md5 && f->r->status < 500)) {
        pthread_mutex_lock(&f->s3->dialect.lock);
        f->s3->learned.no_delete_many = true; /* the layer above deletes one by one */
        pthread_mutex_unlock(&f->s3->dialect.lock);
        f->out->next = PL_NEXT_FAIL;
        f->out->code = PAIL_E_UNSUPPORTED;
        return true;
    }
    if (code_is(f, "InternalError") && count > 700) {
        pthread_mutex_lock(&f->s3->dialect.lock);
        f->s3->learned.delete_max = (uint32_t)(count / 2);
        pthread_mutex_unlock(&f->s3->dialect.lock);
        f->out->next = PL_NEXT_FAIL;
        f->out->code = PAIL_E_TOO_LARGE; /* the layer above asks for the limit again */
        return true;
    }
    return false;
}

static bool react_style(struct failure *f)
{
    if (!f->s3->custom) {
        return false;
    }
    bool to_host = !f->memo->sent_virtual && f->op->bucket &&
                   (code_is(f, "SecondLevelDomainForbidden") ||
                    (f->r->status == 400 && says(f, "virtual host")));
    /* A known service means it when it says that there is no such bucket. */
    bool to_path = f->memo->sent_virtual && strcmp(f->s3->profile.service, "other") == 0 &&
                   (code_is(f, "NoSuchBucket") || code_is(f, "InvalidBucketName"));
    pthread_mutex_lock(&f->s3->dialect.lock);
    bool news = (to_host || to_path) && !f->s3->learned.style_known;
    if (news) {
        f->s3->learned.style_known = true;
        f->s3->learned.style = to_host ? PL_S3_VIRTUAL : PL_S3_PATH;
    }
    pthread_mutex_unlock(&f->s3->dialect.lock);
    if (news) {
        learned(f, PL_LEARNED_STYLE);
    }
    return news;
}

static bool react_list(struct failure *f)
{
    struct pl_s3_learned *l = &f->s3->learned;
    bool unknown_there = f->r->status == 501 || f->r->status == 405;
    if (f->op->in.list.versions && !f->memo->sent_plain) {
        return unknown_there && learn_flag(f, &l->no_versions, PL_LEARNED_OTHER);
    }
    return !f->memo->sent_v1 && (unknown_there || code_is(f, "InvalidArgument")) &&
           learn_flag(f, &l->list_v1, PL_LEARNED_LIST);
}

static bool react_kind(struct failure *f)
{
    struct pl_s3_learned *l = &f->s3->learned;
    int status = f->r->status;
    switch (f->op->kind) {
    case PL_OP_DELETE_MANY: return react_delete_many(f);
    case PL_OP_LIST: return react_list(f);
    case PL_OP_BUCKET_CREATE:
        return f->memo->sent_body &&
               (code_is(f, "InvalidLocationConstraint") || code_is(f, "MalformedXML") ||
                code_is(f, "IllegalLocationConstraintException")) &&
               f->s3->custom && learn_flag(f, &l->no_location, PL_LEARNED_BODY);
    case PL_OP_MP_COPY_PART:
        if (status == 501 || code_is(f, "NotImplemented")) {
            pthread_mutex_lock(&f->s3->dialect.lock);
            l->no_copy_part = true;
            pthread_mutex_unlock(&f->s3->dialect.lock);
        }
        return false;
    case PL_OP_MP_PART:
        if (code_is(f, "InvalidArgument") && f->op->in.put.number > 1000 && says(f, "art number")) {
            pthread_mutex_lock(&f->s3->dialect.lock);
            l->parts_max = 1000;
            pthread_mutex_unlock(&f->s3->dialect.lock);
            f->out->next = PL_NEXT_FAIL;
            f->out->code = PAIL_E_TOO_LARGE;
            return true;
        }
        return false;
    default: return false;
    }
}

/* What holds for one kind of operation in particular. */
static void refine(struct failure *f)
{
    struct pl_op *op = f->op;
    const pail_conditions *c = &op->cond;
    pail_code code = f->out->code;
    bool writes = pl_op_writes(op->kind);
    if (code == PAIL_E_PRECONDITION && writes && c->if_none_match) {
        f->out->code = PAIL_E_EXISTS;
    } else if (code == PAIL_E_PRECONDITION && !writes && c->if_none_match && !c->if_match) {
        f->out->code = PAIL_E_NOT_MODIFIED;
    } else if (code == PAIL_E_NOT_FOUND && c->if_match &&
               (op->kind == PL_OP_PUT || op->kind == PL_OP_MP_FINISH)) {
        /* An If-Match on a key that is not there answers 404 on AWS. */
        f->out->code = PAIL_E_PRECONDITION;
    } else if (op->kind == PL_OP_BUCKET_CREATE && f->r->status == 409 && code == PAIL_E_CONFLICT &&
               f->out->next == PL_NEXT_FAIL) {
        f->out->code = PAIL_E_BUCKET_EXISTS;
    } else if (f->r->status == 405 && pl_http_header(f->r, "x-amz-delete-marker").len) {
        f->out->code = PAIL_E_NOT_FOUND;
    }
    if (code == PAIL_E_BAD_ARGUMENT && says(f, "nsupported header")) {
        f->out->code = PAIL_E_UNSUPPORTED;
    }
    f->out->never_applied = f->r->status >= 400 && f->r->status < 500;
    if (code == PAIL_E_THROTTLED && (f->r->status == 429 || code_is(f, "10058"))) {
        f->out->wait_ms = 1000; /* some services count writes to one key by the second */
    }
}

static void hint(struct failure *f, struct pail_error **err)
{
    const struct pl_s3 *s3 = f->s3;
    const char *where = pl_settings_origin(s3->settings, "aws_access_key_id");
    if (code_is(f, "InvalidAccessKeyId") || code_is(f, "InvalidTokenId")) {
        pl_error_hint(err,
                      "the service does not know aws_access_key_id (%s): is it of this "
                      "endpoint (aws_endpoint_url)?",
                      where ? where : "unset");
    } else if (code_is(f, "SignatureDoesNotMatch")) {
        pl_error_hint(err, "check aws_secret_access_key, then aws_region (now %s)",
                      f->memo->region);
    } else if (code_is(f, "AuthorizationHeaderMalformed") || says(f, "unexpected scope")) {
        pl_error_hint(err,
                      "set aws_region to that of the server; now it is %s (for Garage the "
                      "region of its configuration, by default garage)",
                      f->memo->region);
    } else if (f->out->code == PAIL_E_CLOCK_SKEW) {
        pl_error_hint(err, "set this machine's clock: the service refuses its time");
    } else if (f->out->code == PAIL_E_EXPIRED_CREDENTIALS) {
        pl_error_hint(err, "get new temporary credentials (aws_session_token)");
    } else if (f->out->code == PAIL_E_WRONG_REGION) {
        struct pl_str region = named_region(f);
        pl_error_hint(err, "set aws_region%s%.*s", region.len ? "=" : " to the bucket's region",
                      (int)region.len, region.len ? region.ptr : "");
    } else if (code_is(f, "InvalidToken")) {
        pl_error_hint(err, "aws_session_token does not belong to aws_access_key_id (%s)",
                      where ? where : "unset");
    } else if (f->out->code == PAIL_E_FORBIDDEN && s3->anonymous) {
        pl_error_hint(err, "the request was not signed (aws_skip_signature)");
    } else if (f->out->code == PAIL_E_FORBIDDEN && f->answer.code.len == 0) {
        pl_error_hint(err,
                      "the answer to this request has no reason in it (a listing's has): check "
                      "aws_access_key_id (%s), aws_secret_access_key and the bucket's policy",
                      where ? where : "unset");
    } else if (f->out->code == PAIL_E_ARCHIVED) {
        pl_error_hint(err, "restore the object before it can be read");
    } else if (f->out->code == PAIL_E_BUCKET_NOT_FOUND && s3->custom) {
        pl_error_hint(err, "create it first, or check aws_endpoint_url");
    }
}

/* What is said where the service gave a status and no words: a HEAD cannot. */
static const char *plain_words(pail_code code)
{
    switch ((int)code) {
    case PAIL_E_NOT_FOUND: return "no such object";
    case PAIL_E_BUCKET_NOT_FOUND: return "no such bucket";
    case PAIL_E_VERSION_NOT_FOUND: return "no such version";
    case PAIL_E_NOT_MODIFIED: return "the object has not changed";
    case PAIL_E_PRECONDITION:
        return "the condition does not hold: the object is another one by now, or gone";
    case PAIL_E_EXISTS: return "the object exists already";
    case PAIL_E_FORBIDDEN: return "the service refuses access";
    case PAIL_E_UNAUTHENTICATED: return "the service does not accept the credentials";
    case PAIL_E_WRONG_REGION: return "the bucket is in another region";
    case PAIL_E_THROTTLED: return "the service asks to slow down";
    case PAIL_E_UNAVAILABLE: return "the service is not available";
    case PAIL_E_UNSUPPORTED: return "the service cannot do this";
    default: return "the service refused the request without a reason";
    }
}

static void describe(struct failure *f, struct pail_error **err)
{
    struct pl_str message = pl_str_trim(f->answer.message), code = f->answer.code;
    while (message.len && (message.ptr[message.len - 1] == '.' || message.len > 300)) {
        message.len--;
    }
    bool of_condition = f->out->code == PAIL_E_EXISTS || f->out->code == PAIL_E_PRECONDITION;
    if (message.len && !of_condition) {
        pl_fail(err, f->out->code, "%.*s", (int)message.len, message.ptr);
    } else {
        pl_fail(err, f->out->code, "%s", plain_words(f->out->code));
    }
    if (err && *err && !(*err)->is_static) {
        struct pl_str id = pl_http_header(f->r, "x-amz-request-id");
        pl_error_set(&(*err)->service_code, code);
        pl_error_set(&(*err)->request_id, id.len ? id : f->answer.request_id);
        (*err)->http_status = f->r->status;
    }
    hint(f, err);
}

void pl_s3_parse_error(struct pl_s3 *s3, struct pl_op *op, struct pl_attempt *a,
                       const struct pl_http_response *r, struct pl_verdict *out,
                       struct pail_error **err)
{
    static const struct pl_s3_memo none = {0};
    struct failure f = {.s3 = s3, .op = op, .memo = a->memo ? a->memo : &none, .r = r, .out = out};
    /* A body that is no XML is some proxy's: then the status alone speaks. */
    if (pl_s3_read_answer(&op->arena, pl_buf_view(&r->body), &f.answer, NULL) ||
        !pl_str_is(f.answer.root, "Error")) {
        f.answer = (struct pl_s3_answer){0};
    }
    const struct pl_s3_code *known = pl_s3_code_find(f.answer.code);
    struct pl_s3_code verdict = known ? *known : by_status(r->status, op);
    if (r->status >= 200 && r->status < 300 && !known) {
        verdict = (struct pl_s3_code){"", PAIL_E_UNAVAILABLE, PL_NEXT_RETRY};
    }
    out->code = verdict.code;
    out->next = verdict.next;
    bool handled = react_session(&f) || react_region(&f) || react_sums(&f) || react_style(&f) ||
                   react_kind(&f);
    if (!handled) {
        refine(&f);
    }
    describe(&f, err);
}
