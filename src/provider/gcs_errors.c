/* What the service's errors mean and what to do about each. Source: Cloud Storage JSON API v1
 * "HTTP status and error codes for JSON"; "Retry strategy". */
#include "cred/gcs.h"
#include "provider/gcs.h"

static const struct {
    const char *reason;
    pail_code code;
    enum pl_next next;
} reasons[] = {
    {"authError", PAIL_E_UNAUTHENTICATED, PL_NEXT_CREDENTIALS},
    {"required", PAIL_E_BAD_ARGUMENT, PL_NEXT_FAIL}, /* 401 "required" is a login: by status */
    {"expired", PAIL_E_EXPIRED_CREDENTIALS, PL_NEXT_CREDENTIALS},
    {"rateLimitExceeded", PAIL_E_THROTTLED, PL_NEXT_THROTTLED},
    {"userRateLimitExceeded", PAIL_E_THROTTLED, PL_NEXT_THROTTLED},
    {"quotaExceeded", PAIL_E_THROTTLED, PL_NEXT_THROTTLED},
    {"objectUnderActiveHold", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"retentionPolicyNotMet", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"uploadTooLarge", PAIL_E_TOO_LARGE, PL_NEXT_FAIL},
};

static struct {
    int status;
    pail_code code;
    enum pl_next next;
} const statuses[] = {
    {304, PAIL_E_NOT_MODIFIED, PL_NEXT_FAIL}, {401, PAIL_E_UNAUTHENTICATED, PL_NEXT_CREDENTIALS},
    {403, PAIL_E_FORBIDDEN, PL_NEXT_FAIL},    {404, PAIL_E_NOT_FOUND, PL_NEXT_FAIL},
    {405, PAIL_E_UNSUPPORTED, PL_NEXT_FAIL},  {408, PAIL_E_TIMEOUT, PL_NEXT_RETRY},
    {409, PAIL_E_CONFLICT, PL_NEXT_FAIL},     {410, PAIL_E_NOT_FOUND, PL_NEXT_FAIL},
    {412, PAIL_E_PRECONDITION, PL_NEXT_FAIL}, {413, PAIL_E_TOO_LARGE, PL_NEXT_FAIL},
    {416, PAIL_E_BAD_RANGE, PL_NEXT_FAIL},    {429, PAIL_E_THROTTLED, PL_NEXT_THROTTLED},
    {501, PAIL_E_UNSUPPORTED, PL_NEXT_FAIL},  {503, PAIL_E_UNAVAILABLE, PL_NEXT_THROTTLED},
};

/* What holds for one kind of operation in particular. */
static pail_code refine(pail_code code, const struct pl_op *op)
{
    const pail_conditions *c = &op->cond;
    bool writes = pl_op_writes(op->kind);
    switch ((int)code) {
    case PAIL_E_PRECONDITION:
        if (op->kind == PL_OP_BUCKET_DELETE) { /* it has no other condition */
            return PAIL_E_BUCKET_NOT_EMPTY;
        }
        return writes && c->if_none_match && strcmp(c->if_none_match, "*") == 0 ? PAIL_E_EXISTS
                                                                                : code;
    case PAIL_E_NOT_FOUND:
        return !op->key                                            ? PAIL_E_BUCKET_NOT_FOUND
               : writes && c->if_match && op->kind != PL_OP_DELETE ? PAIL_E_PRECONDITION
               : op->version                                       ? PAIL_E_VERSION_NOT_FOUND
                                                                   : code;
    case PAIL_E_CONFLICT:
        return op->kind == PL_OP_BUCKET_CREATE   ? PAIL_E_BUCKET_EXISTS
               : op->kind == PL_OP_BUCKET_DELETE ? PAIL_E_BUCKET_NOT_EMPTY
                                                 : code;
    default: return code;
    }
}

pail_code pl_gcs_code(int status, struct pl_str reason, const struct pl_op *op, enum pl_next *next)
{
    pail_code code = status >= 500   ? PAIL_E_UNAVAILABLE
                     : status >= 400 ? PAIL_E_BAD_ARGUMENT
                                     : PAIL_E_PROTOCOL;
    *next = status >= 500 ? PL_NEXT_RETRY : PL_NEXT_FAIL;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (statuses[i].status == status) {
            code = statuses[i].code;
            *next = statuses[i].next;
        }
    }
    for (size_t i = 0; status != 401 && i < sizeof reasons / sizeof *reasons; i++) {
        if (pl_str_is(reason, reasons[i].reason)) {
            code = reasons[i].code;
            *next = reasons[i].next;
        }
    }
    return refine(code, op);
}

static bool says(const char *message, const char *word)
{
    return message && strcasestr(message, word);
}

/* The words of a 400 or 404 tell which of several things it is. */
static pail_code by_words(pail_code code, int status, const char *message, const struct pl_op *op)
{
    if (status == 400 &&
        (says(message, "crc32c") || says(message, "md5") || says(message, "hash"))) {
        return PAIL_E_CHECKSUM;
    }
    if (status == 400 && says(message, "bucket name")) {
        return PAIL_E_BAD_BUCKET_NAME;
    }
    if (status == 404 &&
        (says(message, "bucket does not exist") || says(message, "bucket was not found"))) {
        return PAIL_E_BUCKET_NOT_FOUND;
    }
    /* A write's own object need not be there: what is missing is the bucket. */
    if (status == 404 && code == PAIL_E_NOT_FOUND && op->kind == PL_OP_PUT) {
        return PAIL_E_BUCKET_NOT_FOUND;
    }
    return code;
}

static void hint(const struct pl_gcs *gcs, pail_code code, struct pail_error **err)
{
    switch ((int)code) {
    case PAIL_E_UNAUTHENTICATED:
    case PAIL_E_EXPIRED_CREDENTIALS:
        pl_error_hint(err, "the credentials used are: %s", pl_gcs_auth_name(gcs->auth));
        break;
    case PAIL_E_FORBIDDEN:
        pl_error_hint(err, "give this account the role it needs on the bucket: %s",
                      pl_gcs_auth_name(gcs->auth));
        break;
    case PAIL_E_BUCKET_NOT_FOUND: pl_error_hint(err, "create the bucket first"); break;
    case PAIL_E_BUCKET_EXISTS:
        pl_error_hint(err, "bucket names are shared by all of Google Cloud: take another");
        break;
    default: break;
    }
}

static const char *plain_words(pail_code code)
{
    switch ((int)code) {
    case PAIL_E_NOT_FOUND: return "no such object";
    case PAIL_E_BUCKET_NOT_FOUND: return "no such bucket";
    case PAIL_E_VERSION_NOT_FOUND: return "no such generation";
    case PAIL_E_UPLOAD_NOT_FOUND: return "no such upload; it may have been finished or aborted";
    case PAIL_E_NOT_MODIFIED: return "the object has not changed";
    case PAIL_E_PRECONDITION:
        return "the condition does not hold: the object is another one by now, or gone";
    case PAIL_E_EXISTS: return "the object exists already";
    default: return NULL;
    }
}

void pl_gcs_parse_error(struct pl_gcs *gcs, struct pl_op *op, struct pl_attempt *a,
                        const struct pl_http_response *r, struct pl_verdict *out,
                        struct pail_error **err)
{
    json_t *root = NULL;
    (void)a;
    /* A body that is no JSON is some proxy's, or a download's: then the status alone speaks. */
    bool parsed = pl_json_parse(pl_buf_view(&r->body), "error", &root, NULL) == PAIL_OK;
    const json_t *error = parsed ? json_object_get(root, "error") : NULL;
    const char *message = pl_json_text(error, "message");
    if (!parsed && r->body.len && r->body.len < 512) { /* a download's: plain text */
        message = pl_arena_dup(&op->arena, pl_buf_view(&r->body));
    }
    const char *reason =
        pl_json_text(json_array_get(json_object_get(error, "errors"), 0), "reason");
    pail_code code = pl_gcs_code(r->status, pl_str_c(reason), op, &out->next);
    code = by_words(code, r->status, message, op);
    const char *plain = plain_words(code);
    out->code = code;
    out->never_applied = r->status >= 400 && r->status < 500;
    if (plain || !message || !*message) {
        pl_fail(err, code, "%s",
                plain ? plain : "the service refused the request without a reason");
    } else {
        pl_fail(err, code, "%.300s", message);
    }
    if (err && *err && !(*err)->is_static) {
        pl_error_set(&(*err)->service_code, pl_str_c(reason));
        pl_error_set(&(*err)->request_id, pl_http_header(r, "x-guploader-uploadid"));
        (*err)->http_status = r->status;
    }
    hint(gcs, code, err);
    json_decref(root);
}
