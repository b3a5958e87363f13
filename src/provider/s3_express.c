/* Directory buckets (S3 Express One Zone): where they are, what they have not, and the sessions
 * that their requests are signed with. Source: Amazon S3 User Guide "Directory bucket naming
 * rules", "Regional and Zonal endpoints for directory buckets", "Differences for directory
 * buckets"; Amazon S3 API Reference "CreateSession"; the endpoint rules' public test cases. */
#include "codec/date.h"
#include "cred/aws_partition.h"
#include "provider/s3.h"

enum { TRIES = 4, STUMBLE_MS = 200 };
static const int64_t AGAIN_MS = 10000;

/* ---- Names and hosts */

static const char *const suffixes[] = {"--x-s3", "--xa-s3"}; /* a bucket, an access point */

bool pl_s3_is_express(const struct pl_s3 *s3, const char *bucket)
{
    struct pl_str name = pl_str_c(bucket);
    bool ends =
        pl_str_ends(name, pl_str_c(suffixes[0])) || pl_str_ends(name, pl_str_c(suffixes[1]));
    return ends && !pl_s3_is_arn(bucket) &&
           (strcmp(s3->profile.service, "aws") == 0 || strcmp(s3->profile.service, "other") == 0);
}

/* SPEC "Directory bucket naming rules": BASE--ZONE--x-s3, the zone an ID such as usw2-az1. */
struct pl_str pl_s3_express_zone(const char *bucket)
{
    struct pl_str name = pl_str_c(bucket);
    name.len -= pl_str_ends(name, PL_STR("--x-s3")) ? 6 : 7;
    size_t at = name.len;
    while (at > 2 && !(name.ptr[at - 1] == '-' && name.ptr[at - 2] == '-')) {
        at--;
    }
    struct pl_str zone = pl_str_n(name.ptr + at, name.len - at);
    bool fits = at > 2 && zone.len > 2 && zone.ptr[0] != '-' && zone.ptr[zone.len - 1] != '-' &&
                memchr(zone.ptr, '-', zone.len);
    return fits ? zone : (struct pl_str){0};
}

pail_code pl_s3_express_check(const char *bucket, struct pail_error **err)
{
    const char *rule = strchr(bucket, '.')               ? "it may not have a dot"
                       : !pl_s3_express_zone(bucket).len ? "it has no zone such as usw2-az1"
                                                         : NULL;
    if (!rule) {
        return pl_bucket_name_check(bucket, err);
    }
    pail_code rc =
        pl_fail(err, PAIL_E_BAD_BUCKET_NAME, "bad bucket name \"%.200s\": %s", bucket, rule);
    pl_error_hint(err,
                  "a directory bucket is BASE--ZONE--x-s3, its access point NAME--ZONE--xa-s3");
    return rc;
}

bool pl_s3_express_host(const struct pl_s3 *s3, const struct pl_s3_view *view, const char *bucket,
                        struct pl_buf *host)
{
    const char *dual = s3->dualstack ? ".dualstack" : "", *fips = s3->fips ? "-fips" : "";
    const char *domain = pl_aws_domain(view->region);
    if (s3->custom) {
        return false;
    }
    if (view->of_buckets) {
        pl_buf_printf(host, "s3express-control%s%s.%s.%s", fips, dual, view->region, domain);
    } else {
        struct pl_str zone = pl_s3_express_zone(bucket);
        pl_buf_printf(host, "%s.s3express%s-%.*s%s.%s.%s", bucket, fips, (int)zone.len, zone.ptr,
                      dual, view->region, domain);
    }
    return true;
}

/* SPEC "Differences for directory buckets": no versions, tags, ACLs, customer keys; an ETag that is
 * no MD5, and no Content-MD5; encryption as the bucket or the session says. */
void pl_s3_express_profile(struct pl_s3_profile *p)
{
    p->style = PL_S3_VIRTUAL;
    p->list = PL_S3_V2;
    p->versions = p->acl = p->tags = p->etag_md5 = false;
    p->sse = PL_S3_SSE_NONE;
    p->delete_sum = PL_SUM_CRC32;
}

/* ---- Sessions */

static struct pl_s3_session *find_locked(struct pl_s3 *s3, const char *bucket)
{
    for (size_t i = 0; i < s3->session_count; i++) {
        if (strcmp(s3->sessions[i].bucket, bucket) == 0) {
            return &s3->sessions[i];
        }
    }
    return NULL;
}

static void forget_session(struct pl_s3_session *s)
{
    pl_aws_keys_release(s->keys);
    pl_free(s->bucket);
    *s = (struct pl_s3_session){0};
}

void pl_s3_sessions_free(struct pl_s3 *s3)
{
    for (size_t i = 0; i < s3->session_count; i++) {
        forget_session(&s3->sessions[i]);
    }
    s3->session_count = 0;
}

/* Takes keys. */
static pail_code keep_session(struct pl_s3 *s3, const char *bucket, struct pl_aws_keys *keys)
{
    char *name = pl_strdup(bucket);
    if (!name || !keys) {
        pl_free(name);
        pl_aws_keys_release(keys);
        return PAIL_E_NO_MEMORY;
    }
    pthread_mutex_lock(&s3->dialect.lock);
    struct pl_s3_session *s = find_locked(s3, bucket);
    if (!s && s3->session_count < PL_S3_SESSIONS_REMEMBERED) {
        s = &s3->sessions[s3->session_count++];
    } else if (!s) {
        s = &s3->sessions[s3->session_next++ % PL_S3_SESSIONS_REMEMBERED];
    }
    forget_session(s);
    s->bucket = name;
    s->keys = keys;
    pthread_mutex_unlock(&s3->dialect.lock);
    return PAIL_OK;
}

struct pl_aws_keys *pl_s3_session_keys(struct pl_s3 *s3, const char *bucket)
{
    pthread_mutex_lock(&s3->dialect.lock);
    struct pl_s3_session *s = find_locked(s3, bucket);
    struct pl_aws_keys *keys = s ? pl_aws_keys_hold(s->keys) : NULL;
    pthread_mutex_unlock(&s3->dialect.lock);
    return keys;
}

void pl_s3_session_drop(struct pl_s3 *s3, const char *bucket, int64_t expires_ms)
{
    pthread_mutex_lock(&s3->dialect.lock);
    struct pl_s3_session *s = find_locked(s3, bucket);
    if (s && s->keys && s->keys->expires_ms == expires_ms) { /* not one that came since */
        pl_aws_keys_release(s->keys);
        s->keys = NULL;
    }
    pthread_mutex_unlock(&s3->dialect.lock);
}

/* SPEC Amazon S3 API "CopyObject", "UploadPartCopy", "HeadBucket": signed with the keys proper. */
bool pl_s3_wants_session(const struct pl_s3 *s3, const struct pl_op *op)
{
    switch (op->kind) {
    case PL_OP_COPY:
    case PL_OP_MP_COPY_PART:
    case PL_OP_BUCKET_CREATE:
    case PL_OP_BUCKET_DELETE:
    case PL_OP_BUCKET_STAT:
    case PL_OP_BUCKET_LIST: return false;
    default:
        return !s3->anonymous && !s3->no_sessions && op->bucket && pl_s3_is_express(s3, op->bucket);
    }
}

/* Of the bucket's name, so that all who want its session wait for the same errand; never that of
 * the chain of keys. */
static uint64_t number_of(const char *bucket)
{
    uint64_t n = UINT64_C(0xcbf29ce484222325);
    for (const char *c = bucket; *c; c++) {
        n = (n ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    }
    return n | 2;
}

void pl_s3_session_need(struct pl_s3 *s3, const struct pl_op *op, int64_t now_ms,
                        struct pl_need *out)
{
    if (!pl_s3_wants_session(s3, op)) {
        return;
    }
    pthread_mutex_lock(&s3->dialect.lock);
    const struct pl_s3_session *s = find_locked(s3, op->bucket);
    const struct pl_aws_keys *k = s ? s->keys : NULL;
    bool now = !k || now_ms >= k->expires_ms;
    /* A quarter of its five minutes ahead, beside the work. */
    bool soon =
        k && now_ms >= k->expires_ms - (k->expires_ms - k->fetched_ms) / 4 && now_ms >= s->retry_ms;
    pthread_mutex_unlock(&s3->dialect.lock);
    if (now || (soon && !out->what)) {
        *out = (struct pl_need){.what = number_of(op->bucket), .now = now};
    }
}

/* ---- CreateSession */

struct session_errand {
    struct pl_errand errand; /* first */
    struct pl_s3 *s3;
    char *bucket;
    int tries;
    int64_t offset_ms; /* of the service's clock, learned from a refusal */
};

/* ours: a copy in the arena */
static void wipe(struct pl_str secret)
{
    if (secret.len) {
        pl_zero((char *)(uintptr_t)secret.ptr, secret.len);
    }
}

static enum pl_errand_step receive(struct session_errand *e, int64_t now_ms, struct pl_str body,
                                   struct pail_error **err)
{
    struct pl_s3_answer a;
    struct pl_arena arena = {0};
    int64_t expires_ms = 0;
    pail_code rc = pl_s3_read_session(&arena, body, &a);
    bool whole = !rc && pl_str_is(a.root, "CreateSessionResult") && a.access_key.len &&
                 a.secret_key.len && a.token.len && pl_date_iso_parse(a.expiration, &expires_ms) &&
                 expires_ms > now_ms;
    if (whole) {
        rc = keep_session(e->s3, e->bucket,
                          pl_aws_keys_new(a.access_key, a.secret_key, a.token, "CreateSession",
                                          now_ms, expires_ms));
    }
    wipe(a.secret_key);
    wipe(a.token);
    pl_arena_dispose(&arena);
    if (rc == PAIL_E_NO_MEMORY) {
        pl_fail(err, rc, "no memory for a session of the directory bucket");
    } else if (!whole) {
        rc = pl_fail(err, PAIL_E_PROTOCOL, "CreateSession of %s gave no session in its answer",
                     e->bucket);
        pl_error_hint(err, "s3_disable_express_session_auth=true does without sessions");
    }
    return rc ? PL_ERRAND_FAIL : PL_ERRAND_DONE;
}

static enum pl_errand_step ask(struct session_errand *e, int64_t now_ms,
                               struct pl_http_request *out, struct pail_error **err)
{
    struct pl_op op = {.kind = PL_OP_BUCKET_STAT, .bucket = e->bucket};
    struct pl_attempt a = {.now_ms = now_ms + e->offset_ms};
    struct pl_buf target = PL_BUF_MAX(512);
    struct pl_s3_view view;
    pl_s3_view(e->s3, op.bucket, &view);
    out->method = "GET";
    pail_code rc = pl_s3_locate(e->s3, &view, op.bucket, NULL, out, &target, err);
    pl_buf_puts(&target, "?session");
    if (!rc) {
        out->target = pl_arena_dup(&out->arena, pl_buf_view(&target));
        rc = pl_buf_rc(&target) || !out->target
                 ? pl_fail(err, PAIL_E_NO_MEMORY, "no memory to ask for a session")
                 : pl_s3_sign(e->s3, &view, &a, out, NULL, err);
    }
    pl_buf_dispose(&target);
    return rc ? PL_ERRAND_FAIL : PL_ERRAND_SEND;
}

/* Whether asking once more makes sense, by what the answer taught. */
static bool again(struct session_errand *e, const struct pl_verdict *v, int64_t now_ms,
                  const struct pl_http_response *answer)
{
    int64_t date = pl_http_header_date(answer, "date");
    if (++e->tries >= TRIES) {
        return false;
    }
    switch (v->next) {
    case PL_NEXT_RETRY:
    case PL_NEXT_THROTTLED: e->errand.wait_ms = STUMBLE_MS << e->tries; return true;
    case PL_NEXT_LEARNED: return true;
    case PL_NEXT_CLOCK: e->offset_ms = date - now_ms; return date >= 0;
    default: return false;
    }
}

static void clear(struct pail_error **err)
{
    if (err) {
        pail_error_free(*err);
        *err = NULL;
    }
}

static enum pl_errand_step session_next(struct pl_errand *errand, int64_t now_ms,
                                        const struct pl_http_response *answer,
                                        struct pl_http_request *out, struct pail_error **err)
{
    struct session_errand *e = (struct session_errand *)errand;
    struct pl_op op = {.kind = PL_OP_BUCKET_STAT, .bucket = e->bucket};
    struct pl_attempt a = {0};
    struct pl_verdict v = {.next = PL_NEXT_RETRY};
    if (!answer) {
        pthread_mutex_lock(&e->s3->dialect.lock);
        struct pl_s3_session *s = find_locked(e->s3, e->bucket);
        if (s) {
            s->retry_ms = now_ms + AGAIN_MS;
        }
        pthread_mutex_unlock(&e->s3->dialect.lock);
        return ask(e, now_ms, out, err);
    }
    if (!answer->fail && answer->status / 100 == 2) {
        return receive(e, now_ms + e->offset_ms, pl_buf_view(&answer->body), err);
    }
    if (answer->fail) {
        pl_fail(err, PAIL_E_UNAVAILABLE, "CreateSession of %s: %s", e->bucket, answer->why);
    } else {
        pl_s3_parse_error(e->s3, &op, &a, answer, &v, err);
    }
    pl_arena_dispose(&op.arena);
    if (v.next == PL_NEXT_CREDENTIALS && e->s3->chain &&
        pl_aws_chain_refuse(e->s3->chain, NULL) == PAIL_OK) {
        clear(err); /* the op that waits asks the chain for keys, then for a session */
        return PL_ERRAND_DONE;
    }
    if (!again(e, &v, now_ms, answer)) {
        if (v.code == PAIL_E_FORBIDDEN) {
            pl_error_hint(err, "does a policy allow s3express:CreateSession of %s to these keys?",
                          e->bucket);
        }
        return PL_ERRAND_FAIL;
    }
    clear(err);
    return ask(e, now_ms, out, err);
}

static void session_free(struct pl_errand *errand)
{
    struct session_errand *e = (struct session_errand *)errand;
    pl_free(e->bucket);
    pl_free(e);
}

struct pl_errand *pl_s3_session_errand(struct pl_s3 *s3, const char *bucket,
                                       struct pail_error **err)
{
    struct session_errand *e = pl_calloc(1, sizeof *e);
    char *name = pl_strdup(bucket);
    if (!e || !name) {
        pl_free(e);
        pl_free(name);
        (void)pl_fail(err, PAIL_E_NO_MEMORY, "no memory to ask for a session");
        return NULL;
    }
    e->errand = (struct pl_errand){.next = session_next, .free = session_free};
    e->s3 = s3;
    e->bucket = name;
    return &e->errand;
}
