/* Who asks, and whether they may: the one place where it is decided. */
#include "gateway/gateway.h"

#include "base/sys.h"
#include "codec/url.h"

enum { SKEW_MS = 15 * 60 * 1000, EXPIRES_MAX_S = 7 * 24 * 3600 };

static bool refuse(struct pl_gw_call *c, const char *code, const char *message)
{
    atomic_fetch_add(&c->g->counts[PL_GW_REFUSED], 1);
    pl_gw_fail(c, code, message);
    return false;
}

static bool is_one_of(const char *bucket, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], bucket) == 0) {
            return true;
        }
    }
    return false;
}

/* To anybody at all, whatever the rights of who asks. */
static bool is_served(const struct pl_gateway *g, const char *bucket)
{
    return !g->only || is_one_of(bucket, g->only, g->only_count);
}

bool pl_gw_may(const struct pl_gw_call *c, const char *bucket, bool write)
{
    const struct pl_gateway *g = c->g;
    if (!c->who || (bucket && !is_served(g, bucket)) ||
        (write && (g->read_only || c->who->read_only))) {
        return false;
    }
    bool mine = !bucket || !c->who->buckets;
    for (size_t i = 0; !mine && i < c->who->bucket_count; i++) {
        mine = strcmp(c->who->buckets[i], bucket) == 0;
    }
    return mine;
}

static bool is_public(const struct pl_gw_call *c)
{
    return c->bucket && is_served(c->g, c->bucket) &&
           is_one_of(c->bucket, c->g->public_read, c->g->public_count);
}

/* What anybody may do: read the objects of the buckets that were opened for that as they are now,
 * and list them. Uploads that are not finished, older versions, tags and ACLs are others' matter.
 */
static bool public_may(struct pl_gw_call *c)
{
    void (*run)(struct pl_gw_call *) = c->route->run;
    struct pl_str response = PL_STR("response-");
    if (!is_public(c) || pl_gw_param(c, "versionId") ||
        (run != pl_gw_get_object && run != pl_gw_list_v1 && run != pl_gw_list_v2 &&
         run != pl_gw_head_bucket && run != pl_gw_bucket_location)) {
        return refuse(c, "AccessDenied", NULL);
    }
    /* SPEC S3 GetObject, "Overriding response header values through the request": these need a
     * signature. */
    for (size_t i = 0; i < c->param_count; i++) {
        if (pl_str_starts(pl_str_c(c->params[i].name), response)) {
            pl_gw_fail(c, "InvalidRequest",
                       "Request specific response headers cannot be used for anonymous GET "
                       "requests.");
            return false;
        }
    }
    return true;
}

/* ---- the signature ---- */

/* Copies the key's rights into the call and derives its signing key; the secret stays where it is.
 */
static int find_key(struct pl_gw_call *c, struct pl_hmac *h)
{
    int found = 0;
    pthread_rwlock_rdlock(&c->g->keys_lock);
    for (struct pl_gw_key *k = c->g->keys; k && !found; k = k->next) {
        if (!pl_str_is(c->claim.access_key, k->id)) {
            continue;
        }
        struct pl_gw_key *copy = pl_arena_alloc(c->arena, sizeof *copy);
        char **buckets = pl_arena_alloc(c->arena, (k->bucket_count + 1) * sizeof *buckets);
        for (size_t i = 0; buckets && i < k->bucket_count; i++) {
            buckets[i] = pl_arena_dup_c(c->arena, k->buckets[i]);
        }
        found =
            copy && buckets && pl_sigv4_claim_key(&c->claim, h, pl_str_c(k->secret), c->signing_key)
                ? 1
                : -1;
        if (found == 1) {
            *copy = (struct pl_gw_key){.id = pl_arena_dup_c(c->arena, k->id),
                                       .buckets = k->buckets ? buckets : NULL,
                                       .bucket_count = k->bucket_count,
                                       .read_only = k->read_only};
            c->who = copy;
        }
    }
    pthread_rwlock_unlock(&c->g->keys_lock);
    return found;
}

/* SPEC S3 "Authenticating requests": all x-amz-* headers of a request must be signed. In a
 * presigned request the hash of the payload need not be. */
static bool all_signed(const struct pl_gw_call *c)
{
    for (size_t i = 0; i < c->http->header_count; i++) {
        struct pl_str name = c->http->headers[i].name;
        bool amz = name.len > 6 && pl_str_ieq(pl_str_n(name.ptr, 6), PL_STR("x-amz-"));
        bool hash = pl_str_ieq(name, PL_STR("x-amz-content-sha256")) && c->claim.in_query;
        if (amz && !hash && !pl_sigv4_is_signed(&c->claim, name)) {
            return false;
        }
    }
    return true;
}

/* What a claim's key lets in, once its signature is known to be right or wrong. */
static bool accept(struct pl_gw_call *c, enum pl_sigv4_verdict v)
{
    if (v == PL_SIGV4_GOOD) {
        c->access_key = c->who->id;
        return true;
    }
    c->who = NULL;
    if (v == PL_SIGV4_BAD) {
        return refuse(c, "SignatureDoesNotMatch", NULL);
    }
    pl_gw_fail(c, "SlowDown", NULL);
    return false;
}

static bool verify(struct pl_gw_call *c, struct pl_hmac *h)
{
    int found = find_key(c, h);
    if (found == 0) {
        return refuse(c, "InvalidAccessKeyId", NULL);
    }
    struct pl_sigv4_request r = {.method = c->http->method,
                                 .target = c->http->target,
                                 .headers = c->http->headers,
                                 .header_count = c->http->header_count,
                                 .payload_hash = c->payload_hash};
    enum pl_sigv4_verdict v =
        found < 0 ? PL_SIGV4_FAILED : pl_sigv4_verify(&c->claim, h, c->signing_key, &r);
    if (!accept(c, v)) {
        return false;
    }
    if (!all_signed(c)) {
        c->who = NULL;
        c->access_key = NULL;
        return refuse(c, "AccessDenied", "an x-amz- header of the request is not signed");
    }
    return true;
}

/* ---- when and what ---- */

static bool in_time(struct pl_gw_call *c)
{
    int64_t now = pl_sys.wall_ms(), at = c->claim.time_ms;
    if (c->claim.in_query) {
        if (now > at + (int64_t)c->claim.expires_s * 1000) {
            return refuse(c, "AccessDenied", "Request has expired");
        }
        return now >= at - SKEW_MS || refuse(c, "AccessDenied", "Request is not valid yet");
    }
    return (now <= at + SKEW_MS && now >= at - SKEW_MS) || refuse(c, "RequestTimeTooSkewed", NULL);
}

static bool is_hash(struct pl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool digit = (s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f');
        if (!digit) {
            return false;
        }
    }
    return s.len == PL_SHA256_HEX - 1;
}

/* SPEC S3 "Authenticating requests": x-amz-content-sha256 is a hash or one of five words. */
static bool take_payload(struct pl_gw_call *c)
{
    struct pl_str said = pl_str_trim(pl_http_call_header(c->http, "x-amz-content-sha256"));
    if (c->claim.in_query && !pl_sigv4_is_signed(&c->claim, PL_STR("x-amz-content-sha256"))) {
        said = PL_SIGV4_UNSIGNED;
    }
    c->payload_hash = said;
    if (pl_str_eq(said, PL_SIGV4_UNSIGNED)) {
        c->payload = PL_GW_PLAIN;
    } else if (pl_str_eq(said, PL_SIGV4_UNSIGNED_TRAILER)) {
        c->payload = PL_GW_UNSIGNED_TRAILER;
    } else if (pl_str_eq(said, PL_SIGV4_CHUNKED)) {
        c->payload = PL_GW_CHUNKED;
    } else if (pl_str_eq(said, PL_SIGV4_CHUNKED_TRAILER)) {
        c->payload = PL_GW_CHUNKED_TRAILER;
    } else if (is_hash(said)) {
        c->payload = PL_GW_HASHED;
    } else {
        pl_gw_fail(c, said.len ? "InvalidArgument" : "InvalidRequest",
                   "x-amz-content-sha256 must be a SHA-256 in lower-case hexadecimal digits, "
                   "UNSIGNED-PAYLOAD or one of the STREAMING- words");
        return false;
    }
    return true;
}

/* A number of seconds that is over already, or longer than a link may last. */
static bool is_no_time(struct pl_str text)
{
    uint64_t n = 0;
    bool negative = text.len > 1 && text.ptr[0] == '-';
    text = negative ? pl_str_n(text.ptr + 1, text.len - 1) : text;
    return pl_str_u64(text, &n) && (negative || n < 1 || n > EXPIRES_MAX_S);
}

static bool claim_of_query(struct pl_gw_call *c)
{
    const char *algorithm = pl_gw_param(c, "X-Amz-Algorithm");
    if (!algorithm || strcmp(algorithm, "AWS4-HMAC-SHA256") != 0) {
        return refuse(c, "AuthorizationQueryParametersError",
                      "X-Amz-Algorithm must be AWS4-HMAC-SHA256");
    }
    if (is_no_time(pl_str_c(pl_gw_param(c, "X-Amz-Expires")))) {
        return refuse(c, "AccessDenied", "X-Amz-Expires is not 1 to 604800 seconds");
    }
    const char *wrong = pl_sigv4_claim_query(
        &c->claim, pl_str_c(pl_gw_param(c, "X-Amz-Credential")),
        pl_str_c(pl_gw_param(c, "X-Amz-Date")), pl_str_c(pl_gw_param(c, "X-Amz-Expires")),
        pl_str_c(pl_gw_param(c, "X-Amz-SignedHeaders")),
        pl_str_c(pl_gw_param(c, "X-Amz-Signature")));
    return !wrong || refuse(c, "AuthorizationQueryParametersError", wrong);
}

/* An HTTP date, whose zone boto3 writes as RFC 5322 has it: "-0000". */
static bool date_of(struct pl_str text, int64_t *ms)
{
    static const struct pl_str zone = {" -0000", 6};
    text = pl_str_trim(text);
    if (text.len <= zone.len ||
        !pl_str_eq(pl_str_n(text.ptr + text.len - zone.len, zone.len), zone)) {
        return pl_date_http_parse(text, ms);
    }
    struct pl_buf b = PL_BUF_MAX(64);
    pl_buf_add(&b, text.ptr, text.len - zone.len);
    pl_buf_puts(&b, " GMT");
    bool ok = !pl_buf_rc(&b) && pl_date_http_parse(pl_buf_view(&b), ms);
    pl_buf_dispose(&b);
    return ok;
}

static bool other_scheme(struct pl_gw_call *c)
{
    return refuse(c, "InvalidRequest",
                  "The authorization mechanism you have provided is not supported. Please use "
                  "AWS4-HMAC-SHA256.");
}

/* Signature version 2 is "AWS KEY:SIGNATURE"; other words that begin so are AWS's too. */
static bool check_scheme(struct pl_gw_call *c, struct pl_str authorization)
{
    struct pl_str word = pl_str_split(&authorization, ' '), hmac = PL_STR("AWS4-HMAC-SHA256");
    if (word.len == 0) {
        return refuse(c, "AccessDenied", NULL);
    }
    if (pl_str_starts(word, hmac)) {
        return true;
    }
    return pl_str_starts(word, PL_STR("AWS"))
               ? other_scheme(c)
               : refuse(c, "InvalidArgument", "Unsupported Authorization Type");
}

static bool claim_of_header(struct pl_gw_call *c, struct pl_str authorization)
{
    struct pl_str date = pl_http_call_header(c->http, "x-amz-date");
    int64_t ms;
    /* SPEC S3 "Common request headers": x-amz-date goes before Date; both may be HTTP dates. */
    struct pl_str http = date.ptr ? date : pl_http_call_header(c->http, "date");
    if (date_of(http, &ms)) {
        char *text = pl_arena_alloc(c->arena, PL_DATE_BASIC_SIZE);
        date = pl_str_c(text ? pl_date_basic(ms, text) : NULL);
    }
    if (!check_scheme(c, authorization)) {
        return false;
    }
    if (!pl_date_basic_parse(pl_str_trim(date), &ms)) {
        return refuse(c, "AccessDenied",
                      "AWS authentication requires a valid Date or x-amz-date header");
    }
    const char *wrong = pl_sigv4_claim_header(&c->claim, authorization, pl_str_trim(date));
    return !wrong || refuse(c, "AuthorizationHeaderMalformed", wrong);
}

static bool authenticate(struct pl_gw_call *c)
{
    struct pl_hmac h = {0};
    struct pl_str authorization = pl_http_call_header(c->http, "authorization");
    bool by_query = pl_gw_param(c, "X-Amz-Signature") || pl_gw_param(c, "X-Amz-Algorithm");
    if (authorization.ptr && by_query) {
        pl_gw_fail(c, "InvalidArgument", "Only one auth mechanism allowed");
        return false;
    }
    if (!(by_query ? claim_of_query(c) : claim_of_header(c, pl_str_trim(authorization))) ||
        !take_payload(c) || !in_time(c)) {
        return false;
    }
    if (pl_hmac_init(&h, NULL)) {
        pl_gw_fail(c, "SlowDown", NULL);
        return false;
    }
    bool ok = verify(c, &h);
    pl_hmac_dispose(&h);
    return ok;
}

bool pl_gw_admit(struct pl_gw_call *c)
{
    bool signs = pl_http_call_header(c->http, "authorization").ptr ||
                 pl_gw_param(c, "X-Amz-Signature") || pl_gw_param(c, "X-Amz-Algorithm") ||
                 pl_gw_param(c, "X-Amz-Credential");
    if (c->route->body == PL_GW_FORM) { /* pl_gw_admit_form decides, when the fields are there */
        return !signs || refuse(c, "AccessDenied", "a form is signed by its policy");
    }
    if (!signs) {
        return pl_gw_param(c, "AWSAccessKeyId") ? other_scheme(c) : public_may(c);
    }
    if (!authenticate(c)) {
        return false;
    }
    return pl_gw_may(c, c->bucket, c->route->writes) ||
           refuse(c, "AccessDenied", "The access key has no right to do that");
}

bool pl_gw_admit_form(struct pl_gw_call *c)
{
    struct pl_hmac h = {0};
    const char *algorithm = pl_gw_field(c, "x-amz-algorithm"), *policy = pl_gw_field(c, "policy");
    if (!policy) {
        return refuse(c, "AccessDenied", "the form has no policy");
    }
    if (!algorithm || strcmp(algorithm, "AWS4-HMAC-SHA256") != 0 ||
        !pl_gw_field(c, "x-amz-signature")) {
        pl_gw_fail(c, "InvalidArgument",
                   "the form needs x-amz-algorithm=AWS4-HMAC-SHA256 and x-amz-signature before "
                   "the file");
        return false;
    }
    const char *wrong = pl_sigv4_claim_post(&c->claim, pl_str_c(pl_gw_field(c, "x-amz-credential")),
                                            pl_str_c(pl_gw_field(c, "x-amz-date")),
                                            pl_str_c(pl_gw_field(c, "x-amz-signature")));
    if (wrong) {
        return refuse(c, "AccessDenied", wrong);
    }
    if (pl_hmac_init(&h, NULL)) {
        pl_gw_fail(c, "SlowDown", NULL);
        return false;
    }
    int found = find_key(c, &h);
    bool ok = found == 0 ? refuse(c, "InvalidAccessKeyId", NULL)
                         : accept(c, found < 0 ? PL_SIGV4_FAILED
                                               : pl_sigv4_verify_post(&c->claim, &h, c->signing_key,
                                                                      pl_str_c(policy)));
    pl_hmac_dispose(&h);
    return ok && (pl_gw_may(c, c->bucket, true) ||
                  refuse(c, "AccessDenied", "The access key has no right to do that"));
}
