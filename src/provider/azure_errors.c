/* What the service's error codes mean and what to do about each. Source: Azure Storage REST API
 * "Blob service error codes", "Common REST API error codes". */
#include "codec/xml.h"
#include "provider/azure.h"

enum { TEXT_MAX = 64 * 1024 };

static const struct code {
    const char *name;
    pail_code code;
    enum pl_next next;
} codes[] = {
    {"AccountBeingCreated", PAIL_E_UNAVAILABLE, PL_NEXT_THROTTLED},
    {"AccountIsDisabled", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"AuthenticationFailed", PAIL_E_UNAUTHENTICATED, PL_NEXT_FAIL},
    {"AuthorizationFailure", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"AuthorizationPermissionMismatch", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"AuthorizationProtocolMismatch", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"AuthorizationResourceTypeMismatch", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"AuthorizationServiceMismatch", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"AuthorizationSourceIPMismatch", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"BlobAlreadyExists", PAIL_E_EXISTS, PL_NEXT_FAIL},
    {"BlobArchived", PAIL_E_ARCHIVED, PL_NEXT_FAIL},
    {"BlobBeingRehydrated", PAIL_E_ARCHIVED, PL_NEXT_FAIL},
    {"BlobCustomerSpecifiedEncryptionMismatch", PAIL_E_BAD_ARGUMENT, PL_NEXT_FAIL},
    {"BlobDoesNotUseCustomerSpecifiedEncryption", PAIL_E_BAD_ARGUMENT, PL_NEXT_FAIL},
    {"BlobImmutableDueToPolicy", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"BlobNotFound", PAIL_E_NOT_FOUND, PL_NEXT_FAIL},
    {"BlobUsesCustomerSpecifiedEncryption", PAIL_E_BAD_ARGUMENT, PL_NEXT_FAIL},
    {"CannotVerifyCopySource", PAIL_E_NOT_FOUND, PL_NEXT_FAIL},
    {"ConditionNotMet", PAIL_E_PRECONDITION, PL_NEXT_FAIL},
    {"ContainerAlreadyExists", PAIL_E_BUCKET_EXISTS, PL_NEXT_FAIL},
    {"ContainerBeingDeleted", PAIL_E_CONFLICT, PL_NEXT_THROTTLED},
    {"ContainerDisabled", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"ContainerNotFound", PAIL_E_BUCKET_NOT_FOUND, PL_NEXT_FAIL},
    {"Crc64Mismatch", PAIL_E_CHECKSUM, PL_NEXT_RETRY},
    {"FeatureNotSupported", PAIL_E_UNSUPPORTED, PL_NEXT_FAIL},
    {"InsufficientAccountPermissions", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"InternalError", PAIL_E_UNAVAILABLE, PL_NEXT_RETRY},
    {"InvalidAuthenticationInfo", PAIL_E_UNAUTHENTICATED, PL_NEXT_FAIL},
    {"InvalidBlobTier", PAIL_E_BAD_ARGUMENT, PL_NEXT_FAIL},
    {"InvalidBlockId", PAIL_E_CONFLICT, PL_NEXT_FAIL},
    {"InvalidBlobOrBlock", PAIL_E_CONFLICT, PL_NEXT_FAIL},
    {"InvalidBlockList", PAIL_E_UPLOAD_NOT_FOUND, PL_NEXT_FAIL},
    {"InvalidRange", PAIL_E_BAD_RANGE, PL_NEXT_FAIL},
    {"InvalidResourceName", PAIL_E_BAD_BUCKET_NAME, PL_NEXT_FAIL},
    {"Md5Mismatch", PAIL_E_CHECKSUM, PL_NEXT_RETRY},
    {"MetadataTooLarge", PAIL_E_TOO_LARGE, PL_NEXT_FAIL},
    {"NoAuthenticationInformation", PAIL_E_UNAUTHENTICATED, PL_NEXT_FAIL},
    {"NotImplemented", PAIL_E_UNSUPPORTED, PL_NEXT_FAIL},
    {"OperationTimedOut", PAIL_E_UNAVAILABLE, PL_NEXT_RETRY},
    {"OutOfRangeInput", PAIL_E_BAD_ARGUMENT, PL_NEXT_FAIL},
    {"PublicAccessNotPermitted", PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
    {"RequestBodyTooLarge", PAIL_E_TOO_LARGE, PL_NEXT_FAIL},
    {"ResourceNotFound", PAIL_E_NOT_FOUND, PL_NEXT_FAIL},
    {"ServerBusy", PAIL_E_THROTTLED, PL_NEXT_THROTTLED},
    {"SnapshotsPresent", PAIL_E_CONFLICT, PL_NEXT_FAIL},
    {"SourceConditionNotMet", PAIL_E_PRECONDITION, PL_NEXT_FAIL},
    {"TargetConditionNotMet", PAIL_E_PRECONDITION, PL_NEXT_FAIL},
    {"UnauthorizedBlobOverwrite", PAIL_E_EXISTS, PL_NEXT_FAIL},
};

struct answer {
    struct pl_arena *arena;
    struct pl_str code, message, detail;
};

static pail_code on_close(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    struct answer *a = ctx;
    struct pl_str *to = pl_str_is(name, "Code")                        ? &a->code
                        : pl_str_is(name, "Message")                   ? &a->message
                        : pl_str_is(name, "AuthenticationErrorDetail") ? &a->detail
                                                                       : NULL;
    if (depth == 2 && to) {
        char *copy = pl_arena_dup(a->arena, text);
        *to = pl_str_c(copy);
        return copy ? PAIL_OK : PAIL_E_NO_MEMORY;
    }
    return PAIL_OK;
}

static struct answer read_answer(struct pl_arena *arena, const struct pl_http_response *r)
{
    static const struct pl_xml_events events = {.close = on_close};
    struct answer a = {.arena = arena};
    struct pl_xml xml = {0};
    struct pl_str body = pl_buf_view(&r->body);
    if (pl_str_starts(body, PL_STR("\xef\xbb\xbf"))) {
        body = pl_str_n(body.ptr + 3, body.len - 3);
    }
    pail_code rc = body.len ? pl_xml_init(&xml, &events, &a, TEXT_MAX, NULL) : PAIL_E_PROTOCOL;
    rc = rc ? rc : pl_xml_feed(&xml, body.ptr, body.len, NULL);
    rc = rc ? rc : pl_xml_finish(&xml, NULL);
    pl_xml_dispose(&xml);
    if (rc) {
        a.code = a.message = a.detail = (struct pl_str){0};
    }
    struct pl_str header = pl_http_header(r, "x-ms-error-code");
    a.code = header.len ? header : a.code;
    return a;
}

struct pl_str pl_azure_error_code(struct pl_arena *arena, const struct pl_http_response *r)
{
    return read_answer(arena, r).code;
}

static struct code by_status(int status, const struct pl_op *op)
{
    bool of_container = !op->key;
    switch (status) {
    case 304: return (struct code){"", PAIL_E_NOT_MODIFIED, PL_NEXT_FAIL};
    case 400: return (struct code){"", PAIL_E_BAD_ARGUMENT, PL_NEXT_FAIL};
    case 401: return (struct code){"", PAIL_E_UNAUTHENTICATED, PL_NEXT_FAIL};
    case 403: return (struct code){"", PAIL_E_FORBIDDEN, PL_NEXT_FAIL};
    case 404:
        return (struct code){"", of_container ? PAIL_E_BUCKET_NOT_FOUND : PAIL_E_NOT_FOUND,
                             PL_NEXT_FAIL};
    case 408: return (struct code){"", PAIL_E_TIMEOUT, PL_NEXT_RETRY};
    case 409: return (struct code){"", PAIL_E_CONFLICT, PL_NEXT_FAIL};
    case 411:
    case 413: return (struct code){"", PAIL_E_TOO_LARGE, PL_NEXT_FAIL};
    case 412: return (struct code){"", PAIL_E_PRECONDITION, PL_NEXT_FAIL};
    case 416: return (struct code){"", PAIL_E_BAD_RANGE, PL_NEXT_FAIL};
    case 429: return (struct code){"", PAIL_E_THROTTLED, PL_NEXT_THROTTLED};
    case 501: return (struct code){"", PAIL_E_UNSUPPORTED, PL_NEXT_FAIL};
    case 503: return (struct code){"", PAIL_E_UNAVAILABLE, PL_NEXT_THROTTLED};
    default: break;
    }
    return status >= 500 ? (struct code){"", PAIL_E_UNAVAILABLE, PL_NEXT_RETRY}
                         : (struct code){"", PAIL_E_PROTOCOL, PL_NEXT_FAIL};
}

static void refine(const struct pl_op *op, int status, struct pl_str name, struct pl_verdict *out)
{
    const pail_conditions *c = &op->cond;
    if (out->code == PAIL_E_PRECONDITION && c->if_none_match && !c->if_match) {
        out->code = pl_op_writes(op->kind) ? PAIL_E_EXISTS : PAIL_E_NOT_MODIFIED;
    } else if (out->code == PAIL_E_NOT_FOUND && c->if_match &&
               (op->kind == PL_OP_PUT || op->kind == PL_OP_MP_FINISH)) {
        out->code = PAIL_E_PRECONDITION;
    }
    if (pl_str_is(name, "SourceConditionNotMet")) {
        out->code = PAIL_E_PRECONDITION;
    }
    if (op->version && out->code == PAIL_E_NOT_FOUND) {
        out->code = PAIL_E_VERSION_NOT_FOUND;
    }
    if (pl_str_is(name, "InvalidResourceName") && op->key) {
        out->code = PAIL_E_BAD_KEY;
    }
    out->never_applied = status >= 400 && status < 500;
}

const char *pl_azure_plain_words(pail_code code)
{
    switch ((int)code) {
    case PAIL_E_NOT_FOUND: return "no such object";
    case PAIL_E_BUCKET_NOT_FOUND: return "no such container";
    case PAIL_E_VERSION_NOT_FOUND: return "no such version";
    case PAIL_E_NOT_MODIFIED: return "the object has not changed";
    case PAIL_E_PRECONDITION:
        return "the condition does not hold: the object is another one by now, or gone";
    case PAIL_E_EXISTS: return "the object exists already";
    case PAIL_E_UPLOAD_NOT_FOUND: return "the upload's blocks are gone";
    case PAIL_E_FORBIDDEN: return "the service refuses access";
    case PAIL_E_UNAUTHENTICATED: return "the service does not accept the credentials";
    case PAIL_E_UNAVAILABLE: return "the service is not available";
    case PAIL_E_ARCHIVED: return "the blob is in the archive tier and cannot be read there";
    default: return "the service refused the request without a reason";
    }
}

static void hint(const struct pl_azure *az, struct pl_str name, pail_code code,
                 struct pail_error **err)
{
    bool refused = code == PAIL_E_FORBIDDEN || code == PAIL_E_UNAUTHENTICATED;
    if (pl_str_is(name, "AuthorizationPermissionMismatch")) {
        pl_error_hint(err, az->auth == PL_AZURE_BEARER || az->login
                               ? "the identity needs a role such as Storage Blob Data Contributor"
                               : "the SAS does not permit this: see its sp=");
    } else if (refused && az->auth == PL_AZURE_KEY) {
        pl_error_hint(err,
                      "check azure_storage_account_key against the account %s, whether the account "
                      "permits keys at all, its firewall, and this machine's clock",
                      az->account);
    } else if (refused && az->auth == PL_AZURE_SAS) {
        pl_error_hint(err, "check azure_storage_sas_token: its end (se=), services (ss=), resource "
                           "types (srt=) and permissions (sp=)");
    } else if (refused && az->auth == PL_AZURE_BEARER) {
        pl_error_hint(err, "check azure_storage_token: is it for https://storage.azure.com, and "
                           "not expired?");
    } else if (refused && az->login) {
        pl_error_hint(err,
                      "the %s was used: has it a role on the account %s, such as Storage Blob "
                      "Data Contributor?",
                      pl_azure_login_name(az->login), az->account ? az->account : "");
    } else if (az->auth == PL_AZURE_ANONYMOUS &&
               (refused || code == PAIL_E_NOT_FOUND || code == PAIL_E_BUCKET_NOT_FOUND)) {
        pl_error_hint(err, "the request was not signed (azure_skip_signature); what is not public "
                           "is hidden");
    } else if (pl_str_is(name, "SnapshotsPresent")) {
        pl_error_hint(err, "the blob has snapshots: delete them first, each by its version "
                           "(snapshot:TIME), or all with it by azure_delete_snapshots=true");
    } else if (pl_str_is(name, "InvalidBlobType")) {
        pl_error_hint(err, "what is there is an append or page blob, which an upload in parts "
                           "cannot replace: delete it first");
    } else if (pl_str_is(name, "InvalidBlobOrBlock") || pl_str_is(name, "InvalidBlockId")) {
        pl_error_hint(err, "another program has begun an upload of this name; write it whole, or "
                           "wait a week until its blocks are forgotten");
    } else if (name.len && memmem(name.ptr, name.len, "SpecifiedEncryption", 19)) {
        pl_error_hint(err, "%s",
                      pl_str_starts(name, PL_STR("BlobDoesNot"))
                          ? "the blob has no customer key: leave it out"
                          : "the blob was written with a customer key: give that one");
    } else if (code == PAIL_E_ARCHIVED) {
        pl_error_hint(err, "%s",
                      pl_str_is(name, "BlobBeingRehydrated")
                          ? "it is on its way back from the archive, which takes up to 15 hours"
                          : "bring it back by another tier (az storage blob set-tier --tier Hot), "
                            "which takes up to 15 hours");
    } else if (code == PAIL_E_BUCKET_NOT_FOUND) {
        pl_error_hint(err, "create it first, or check azure_storage_account_name");
    }
}

/* Azurite knows no x-ms-content-crc64 and says so (seen 2026-11 with 3.35). */
static void learn_no_crc(struct pl_azure *az, const struct pl_attempt *a, struct pl_str name,
                         struct pl_verdict *out)
{
    const struct pl_azure_memo *memo = a->memo;
    bool used = memo && (memo->sum == PL_SUM_CRC64NVME || memo->asks_crc);
    if (!used || !pl_str_is(name, "FeatureNotSupported")) {
        return;
    }
    pthread_mutex_lock(&az->dialect.lock);
    az->no_crc = true;
    pthread_mutex_unlock(&az->dialect.lock);
    *out = (struct pl_verdict){.next = PL_NEXT_LEARNED,
                               .learned = PL_LEARNED_SUMS,
                               .code = PAIL_E_UNSUPPORTED,
                               .never_applied = true};
}

static struct pl_str first_line(struct pl_str text)
{
    struct pl_str line = pl_str_trim(pl_str_split(&text, '\n'));
    while (line.len && (line.ptr[line.len - 1] == '.' || line.len > 300)) {
        line.len--;
    }
    return line;
}

void pl_azure_parse_error(struct pl_azure *az, struct pl_op *op, struct pl_attempt *a,
                          const struct pl_http_response *r, struct pl_verdict *out,
                          struct pail_error **err)
{
    struct answer said = read_answer(&op->arena, r);
    struct code verdict = by_status(r->status, op);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (pl_str_is(said.code, codes[i].name)) {
            verdict = codes[i];
        }
    }
    *out = (struct pl_verdict){.next = verdict.next, .code = verdict.code};
    refine(op, r->status, said.code, out);
    learn_no_crc(az, a, said.code, out);
    if (az->login && r->status == 401) { /* the token may have been revoked */
        out->next = PL_NEXT_CREDENTIALS;
    }
    pl_azure_doubt_refusal(op, a, r, out);
    pl_azure_doubt_copy(op, a, out);
    if (op->kind == PL_OP_DELETE_MANY && out->next == PL_NEXT_FAIL && r->status != 404) {
        out->code = PAIL_E_UNSUPPORTED; /* then they are deleted one by one, if they may be */
    }
    if (out->next == PL_NEXT_MORE) {
        return;
    }
    /* The message's later lines are the request's id and the time. Of why a request is not
     * authentic it says nothing; the detail does (a SAS that has ended). */
    struct pl_str line = first_line(said.detail.len ? said.detail : said.message);
    bool ours = out->code == PAIL_E_EXISTS || out->code == PAIL_E_PRECONDITION ||
                out->code == PAIL_E_VERSION_NOT_FOUND;
    pl_fail(err, out->code, "%.*s", line.len && !ours ? (int)line.len : 200,
            line.len && !ours ? line.ptr : pl_azure_plain_words(out->code));
    if (err && *err && !(*err)->is_static) {
        pl_error_set(&(*err)->service_code, said.code);
        pl_error_set(&(*err)->request_id, pl_http_header(r, "x-ms-request-id"));
        (*err)->http_status = r->status;
    }
    hint(az, said.code, out->code, err);
}
