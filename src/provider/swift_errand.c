/* What Swift is asked before an operation can be built: a token, what the service offers, whether a
 * container has large objects, and the key of temporary URLs. */
#include <limits.h>
#include <stdlib.h>

#include "base/sys.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/url.h"
#include "provider/swift.h"

enum {
    KNOWN_MS = 5 * 60 * 1000, /* others may begin to store large objects there, or change a key */
    INFO_MS = 10000,          /* how long /info may take: without it things go on, too */
    UNKNOWN_MS = 5000,
    KEY_BYTES = 32
};

/* ---- A token */

static void take_login(void *ctx, const struct pl_swift_login *got)
{
    struct pl_swift *s = ctx;
    struct pl_swift_place place = {0};
    char *token = pl_strdup(got->token);
    bool wants_place = !s->fixed_place && got->storage_url;
    if (wants_place && pl_swift_place_read(got->storage_url, "of the login", &place, NULL)) {
        wants_place = false;
    }
    pthread_mutex_lock(&s->dialect.lock);
    pl_free_secret(s->token);
    s->token = token;
    s->same_again = token && s->refused && strcmp(token, s->refused) == 0;
    s->expires_ms = got->expires_ms;
    if (wants_place) {
        pl_swift_place_dispose(&s->place);
        s->place = place;
    }
    pthread_mutex_unlock(&s->dialect.lock);
}

static struct pl_errand *login_errand(struct pl_swift *s, struct pail_error **err)
{
    switch (s->mode) {
    case PL_SWIFT_FILE: return pl_swift_token_errand(s->token_file, NULL, take_login, s, err);
    case PL_SWIFT_COMMAND: return pl_swift_token_errand(NULL, s->token_command, take_login, s, err);
    case PL_SWIFT_V1: return pl_swift_v1_errand(s->settings, take_login, s, err);
    case PL_SWIFT_KEYSTONE: return pl_keystone_errand(s->settings, take_login, s, err);
    case PL_SWIFT_STATIC: break;
    }
    pl_fail(err, PAIL_E_NO_CREDENTIALS, "the token was given and cannot be renewed");
    return NULL;
}

/* ---- Questions to the account */

enum question {
    ASK_INFO,
    ASK_BUCKET,
    ASK_SEGMENTS,
    ASK_OTHERS,
    ASK_BUCKET_KEY,
    ASK_ACCOUNT_KEY,
    SET_KEY,
    END
};

struct ask_errand {
    struct pl_errand base; /* first */
    struct pl_swift *s;
    enum question at;
    char *bucket;
    struct pl_swift_bucket found;
    char *key;
    int64_t now_ms;
};

static void write_target(struct ask_errand *e, struct pl_buf *target)
{
    struct pl_str path = pl_str_c(e->s->place.path);
    if (e->at == ASK_INFO) { /* SPEC Swift "Discoverability": /info beside /v1 */
        const char *v1 = memmem(path.ptr, path.len, "/v1", 3);
        pl_buf_str(target, v1 ? pl_str_n(path.ptr, (size_t)(v1 - path.ptr)) : PL_STR(""));
        pl_buf_puts(target, "/info");
        return;
    }
    pl_buf_str(target, path);
    if (e->at != ASK_ACCOUNT_KEY) {
        pl_buf_putc(target, '/');
        pl_url_encode(target, pl_str_c(e->bucket), 0);
    }
    if (e->at == ASK_SEGMENTS || e->at == ASK_OTHERS) {
        pl_url_encode(target, pl_str_c(e->at == ASK_OTHERS ? PL_SWIFT_OTHERS : PL_SWIFT_SEGMENTS),
                      0);
    }
}

static enum pl_errand_step send_question(struct ask_errand *e, struct pl_http_request *out,
                                         struct pail_error **err)
{
    struct pl_buf target = PL_BUF_MAX(8192);
    e->base.timeout_ms = e->at == ASK_INFO ? INFO_MS : 0;
    out->method = e->at == ASK_INFO ? "GET" : e->at == SET_KEY ? "POST" : "HEAD";
    pthread_mutex_lock(&e->s->dialect.lock);
    write_target(e, &target);
    out->origin = (struct pl_origin){e->s->place.tls, pl_arena_dup_c(&out->arena, e->s->place.host),
                                     e->s->place.port};
    if (e->s->token && e->at != ASK_INFO) {
        pl_http_add_c(out, "x-auth-token", e->s->token);
    }
    pthread_mutex_unlock(&e->s->dialect.lock);
    if (e->at == SET_KEY) {
        pl_http_add_c(out, "x-container-meta-temp-url-key", e->key);
    }
    out->target = pl_arena_dup(&out->arena, pl_buf_view(&target));
    pail_code rc = pl_buf_rc(&target);
    pl_buf_dispose(&target);
    if (rc || !out->target || !out->origin.host) {
        pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a request");
        return PL_ERRAND_FAIL;
    }
    return PL_ERRAND_SEND;
}

/* ---- Answers */

static uint32_t limit_of(const json_t *section, const char *name, uint32_t unset)
{
    uint64_t n;
    return pl_json_u64(section, name, &n) && n > 0 && n < UINT32_MAX ? (uint32_t)n : unset;
}

/* Whether listings have a slo_etag. OpenStack's release notes of Swift 2.18; others that speak
 * Swift count otherwise. */
static bool lists_large(const char *version)
{
    enum { SINCE = 20 };
    return version && strncmp(version, "2.", 2) == 0 && strtoul(version + 2, NULL, 10) >= SINCE;
}

static bool has_text(const json_t *list, const char *text)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        const char *value = json_string_value(one);
        if (value && strcmp(value, text) == 0) {
            return true;
        }
    }
    return false;
}

/* SPEC Swift "Temporary URL middleware": allowed_digests and methods of its configuration. Before
 * there were any digests to allow it knew SHA-1 alone. */
static void read_tempurl(const json_t *section, struct pl_swift_info *info)
{
    const json_t *digests = json_object_get(section, "allowed_digests");
    const json_t *methods = json_object_get(section, "methods");
    if (section && !has_text(digests, "sha256")) {
        info->digest = has_text(digests, "sha512") ? PL_TEMPURL_SHA512 : PL_TEMPURL_SHA1;
    }
    if (json_array_size(methods)) {
        info->methods = 0;
    }
    for (size_t i = 0; pl_swift_methods[i]; i++) {
        info->methods |= has_text(methods, pl_swift_methods[i]) ? 1U << i : 0;
    }
}

/* A service that shows nothing is taken to have what every Swift has by default; each use of it
 * checks that it was understood. */
static void take_info(struct ask_errand *e, const struct pl_http_response *answer)
{
    struct pl_swift_info info = {.known = true,
                                 .slo = true,
                                 .bulk_delete = true,
                                 .tempurl = true,
                                 .digest = PL_TEMPURL_SHA256,
                                 .methods = UINT_MAX,
                                 .parts_max = 1000,
                                 .part_min = 1,
                                 .delete_max = 10000,
                                 .list_max = 10000};
    json_t *root = NULL;
    if (!answer->fail && answer->status == 200 &&
        !pl_json_parse(pl_buf_view(&answer->body), "/info", &root, NULL)) {
        const json_t *swift = json_object_get(root, "swift");
        const json_t *slo = json_object_get(root, "slo");
        const json_t *bulk = json_object_get(root, "bulk_delete");
        info.offered = json_is_object(swift);
        info.slo = slo || !info.offered;
        info.bulk_delete = bulk || !info.offered;
        info.tempurl = json_object_get(root, "tempurl") || !info.offered;
        info.lists_large = lists_large(pl_json_text(swift, "version"));
        read_tempurl(json_object_get(root, "tempurl"), &info);
        info.parts_max = limit_of(slo, "max_manifest_segments", info.parts_max);
        info.part_min = limit_of(slo, "min_segment_size", 1);
        info.delete_max = limit_of(bulk, "max_deletes_per_request", info.delete_max);
        info.list_max = limit_of(swift, "container_listing_limit", info.list_max);
        info.meta_name_max = limit_of(swift, "max_meta_name_length", 0);
        info.meta_value_max = limit_of(swift, "max_meta_value_length", 0);
        info.meta_count_max = limit_of(swift, "max_meta_count", 0);
        info.meta_overall_max = limit_of(swift, "max_meta_overall_size", 0);
        info.header_max = limit_of(swift, "max_header_size", 0);
        if (!pl_json_u64(swift, "max_file_size", &info.put_max)) {
            info.put_max = 0;
        }
    }
    json_decref(root);
    pthread_mutex_lock(&e->s->dialect.lock);
    e->s->info = info;
    pthread_mutex_unlock(&e->s->dialect.lock);
}

static bool is_set(const struct pl_http_response *answer, const char *name)
{
    struct pl_str v = pl_http_header(answer, name);
    bool on = false;
    return v.len && (!pl_str_bool(v, &on) || on);
}

static void take_bucket(struct ask_errand *e, const struct pl_http_response *answer)
{
    struct pl_str policy = pl_http_header(answer, "x-storage-policy");
    e->found.exists = answer->status / 100 == 2;
    /* SPEC Swift "Object Versioning" and "Versioned Writes": what is replaced is kept. */
    e->found.versioned = is_set(answer, "x-versions-enabled") ||
                         pl_http_header(answer, "x-versions-location").len ||
                         pl_http_header(answer, "x-history-location").len;
    if (policy.len < sizeof e->found.policy) {
        memcpy(e->found.policy, policy.ptr ? policy.ptr : "", policy.len);
        e->found.policy[policy.len] = '\0';
    }
}

static void keep_bucket(struct ask_errand *e, int64_t until_ms)
{
    pthread_mutex_lock(&e->s->dialect.lock);
    struct pl_swift_bucket *b = pl_swift_bucket_locked(e->s, e->bucket);
    if (b) {
        b->known = true;
        b->unsure = false;
        b->exists = e->found.exists;
        b->segments = e->found.segments;
        b->others = e->found.others;
        b->versioned = e->found.versioned;
        memcpy(b->policy, e->found.policy, sizeof b->policy);
        b->until_ms = until_ms;
    }
    pthread_mutex_unlock(&e->s->dialect.lock);
}

static void keep_key(struct ask_errand *e)
{
    pthread_mutex_lock(&e->s->dialect.lock);
    struct pl_swift_bucket *b = pl_swift_bucket_locked(e->s, e->bucket);
    if (b) {
        pl_free_secret(b->tempurl_key);
        b->tempurl_key = e->key;
        b->key_hidden = e->found.key_hidden;
        b->key_until_ms = e->now_ms + (e->key ? KNOWN_MS : UNKNOWN_MS);
        e->key = NULL;
    }
    pthread_mutex_unlock(&e->s->dialect.lock);
}

static bool read_key(struct ask_errand *e, const struct pl_http_response *answer, bool account)
{
    static const char *const names[2][2] = {
        {"x-container-meta-temp-url-key", "x-container-meta-temp-url-key-2"},
        {"x-account-meta-temp-url-key", "x-account-meta-temp-url-key-2"}};
    for (int i = 0; i < 2 && !e->key; i++) {
        struct pl_str v = pl_http_header(answer, names[account][i]);
        e->key = v.len ? pl_strndup(v.ptr, v.len) : NULL;
    }
    return e->key != NULL;
}

static bool make_key(struct ask_errand *e)
{
    unsigned char bytes[KEY_BYTES];
    char text[2 * KEY_BYTES + 1];
    if (!pl_settings_bool(e->s->settings, "swift_tempurl_key_create", false) ||
        !pl_sys.random(bytes, sizeof bytes)) {
        return false;
    }
    pl_hex_encode(text, bytes, sizeof bytes);
    e->key = pl_strdup(text);
    pl_zero(bytes, sizeof bytes);
    pl_zero(text, sizeof text);
    return e->key != NULL;
}

/* The token has ended: another is fetched first, and then this is asked for again. */
static bool is_refused(struct ask_errand *e, const struct pl_http_response *answer)
{
    return !answer->fail && answer->status == 401 && e->at != ASK_INFO &&
           pl_swift_refresh(&e->s->dialect, NULL) == PAIL_OK;
}

/* Where an answer says nothing the op goes on without, and meets the same trouble itself. */
static enum question take_bucket_answer(struct ask_errand *e, int64_t now_ms,
                                        const struct pl_http_response *answer)
{
    bool ok = !answer->fail && answer->status / 100 == 2;
    bool known = ok || (!answer->fail && answer->status == 404);
    if (e->at == ASK_BUCKET && ok) {
        take_bucket(e, answer);
        if (pl_swift_may_have_segments(e->bucket)) {
            return ASK_SEGMENTS;
        }
    }
    e->found.segments = e->at == ASK_SEGMENTS && ok;
    e->found.others = e->at == ASK_OTHERS && ok;
    if (e->at == ASK_SEGMENTS && known && !ok) {
        return ASK_OTHERS; /* where there are own ones, everything is looked at anyway */
    }
    e->found.exists |= !known;                           /* nobody knows */
    e->found.versioned |= !known && e->at == ASK_BUCKET; /* nor this: so nothing is removed */
    keep_bucket(e, now_ms + (known && e->found.exists ? KNOWN_MS : UNKNOWN_MS));
    return END;
}

static enum question take_key_answer(struct ask_errand *e, const struct pl_http_response *answer,
                                     struct pail_error **err)
{
    bool ok = !answer->fail && answer->status / 100 == 2;
    if (e->at == SET_KEY) {
        if (!ok) {
            pl_fail(err, PAIL_E_FORBIDDEN, "the container takes no key for temporary URLs: HTTP %d",
                    answer->status);
        } else {
            keep_key(e);
        }
        return END;
    }
    if (ok && read_key(e, answer, e->at == ASK_ACCOUNT_KEY)) {
        keep_key(e);
        return END;
    }
    if (e->at == ASK_BUCKET_KEY && answer->status != 404) {
        return ASK_ACCOUNT_KEY;
    }
    if (e->at == ASK_BUCKET_KEY) {
        pl_fail(err, PAIL_E_BUCKET_NOT_FOUND, "no such container: no key to sign a URL with");
        return END;
    }
    e->found.key_hidden = !ok; /* perhaps it has one: an own key on the container still works */
    if (make_key(e)) {
        return SET_KEY;
    }
    keep_key(e); /* none */
    return END;
}

static enum pl_errand_step ask_next(struct pl_errand *base, int64_t now_ms,
                                    const struct pl_http_response *answer,
                                    struct pl_http_request *out, struct pail_error **err)
{
    struct ask_errand *e = (struct ask_errand *)base;
    e->now_ms = now_ms;
    if (!answer) {
        return send_question(e, out, err);
    }
    if (is_refused(e, answer)) {
        return PL_ERRAND_DONE;
    }
    switch (e->at) {
    case ASK_INFO:
        take_info(e, answer);
        e->at = END;
        break;
    case ASK_BUCKET:
    case ASK_SEGMENTS:
    case ASK_OTHERS: e->at = take_bucket_answer(e, now_ms, answer); break;
    case ASK_BUCKET_KEY:
    case ASK_ACCOUNT_KEY:
    case SET_KEY: e->at = take_key_answer(e, answer, err); break;
    case END: break;
    }
    if (*err) {
        return PL_ERRAND_FAIL;
    }
    return e->at == END ? PL_ERRAND_DONE : send_question(e, out, err);
}

static void ask_free(struct pl_errand *base)
{
    struct ask_errand *e = (struct ask_errand *)base;
    pl_free(e->bucket);
    pl_free_secret(e->key);
    pl_free(e);
}

struct pl_errand *pl_swift_errand(struct pl_dialect *d, const struct pl_op *op, uint64_t what,
                                  struct pail_error **err)
{
    struct pl_swift *s = (struct pl_swift *)d;
    if (what == PL_SWIFT_NEED_AUTH) {
        return login_errand(s, err);
    }
    struct ask_errand *e = pl_calloc(1, sizeof *e);
    char *bucket = e ? pl_strdup(op->bucket ? op->bucket : "") : NULL;
    if (!bucket) {
        pl_free(e);
        pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a request");
        return NULL;
    }
    *e = (struct ask_errand){.base = {.next = ask_next, .free = ask_free},
                             .s = s,
                             .bucket = bucket,
                             .at = what == PL_SWIFT_NEED_INFO    ? ASK_INFO
                                   : what & PL_SWIFT_NEED_BUCKET ? ASK_BUCKET
                                                                 : ASK_BUCKET_KEY};
    return &e->base;
}
