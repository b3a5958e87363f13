/* What a client knows of its Swift: the place, the token, what the service offers, and of some
 * containers whether they have large objects. */
#include <errno.h>
#include <fcntl.h>

#include "base/sys.h"
#include "codec/url.h"
#include "provider/swift.h"

enum { AHEAD_MS = 5 * 60 * 1000, LOOK_EVERY_MS = 1000 };

/* ---- The place */

static char *lower(struct pl_str s)
{
    char *text = pl_strndup(s.ptr, s.len);
    for (char *c = text; c && *c; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    }
    return text;
}

pail_code pl_swift_place_read(const char *url, const char *origin, struct pl_swift_place *out,
                              struct pail_error **err)
{
    struct pl_url u;
    *out = (struct pl_swift_place){0};
    pail_code rc = pl_url_parse(pl_str_c(url), &u, err);
    if (rc || u.has_query) {
        rc = rc ? rc : pl_fail(err, PAIL_E_BAD_CONFIG, "the storage URL has a query");
        pl_error_hint(err, "the storage URL (%s) looks like https://HOST/v1/AUTH_account", origin);
        return rc;
    }
    while (u.path.len && u.path.ptr[u.path.len - 1] == '/') {
        u.path.len--;
    }
    if (!u.path.len) {
        rc = pl_fail(err, PAIL_E_BAD_CONFIG, "the storage URL has no path: it names no account");
        pl_error_hint(err, "the storage URL (%s) looks like https://HOST/v1/AUTH_account", origin);
        return rc;
    }
    *out =
        (struct pl_swift_place){u.tls, u.port, lower(u.host), pl_strndup(u.path.ptr, u.path.len)};
    if (!out->host || !out->path) {
        pl_swift_place_dispose(out);
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for the storage URL");
    }
    return PAIL_OK;
}

void pl_swift_place_dispose(struct pl_swift_place *place)
{
    pl_free(place->host);
    pl_free(place->path);
    *place = (struct pl_swift_place){0};
}

/* ---- Containers */

static struct pl_swift_bucket *find_locked(struct pl_swift *s, const char *name)
{
    for (size_t i = 0; name && i < s->bucket_count; i++) {
        if (strcmp(s->buckets[i].name, name) == 0) {
            return &s->buckets[i];
        }
    }
    return NULL;
}

static void forget(struct pl_swift_bucket *b)
{
    pl_free(b->name);
    pl_free_secret(b->tempurl_key);
    *b = (struct pl_swift_bucket){0};
}

struct pl_swift_bucket *pl_swift_bucket_locked(struct pl_swift *s, const char *name)
{
    struct pl_swift_bucket *b = find_locked(s, name);
    char *copy = b ? NULL : pl_strdup(name);
    if (b || !copy) {
        return b;
    }
    if (s->bucket_count < PL_SWIFT_BUCKETS_REMEMBERED) {
        b = &s->buckets[s->bucket_count++];
    } else {
        b = &s->buckets[s->bucket_next++ % PL_SWIFT_BUCKETS_REMEMBERED];
        forget(b);
    }
    b->name = copy;
    return b;
}

struct pl_swift_bucket pl_swift_bucket_view(struct pl_swift *s, const char *name)
{
    pthread_mutex_lock(&s->dialect.lock);
    const struct pl_swift_bucket *b = find_locked(s, name);
    struct pl_swift_bucket view = b ? *b : (struct pl_swift_bucket){0};
    pthread_mutex_unlock(&s->dialect.lock);
    view.name = view.tempurl_key = NULL;
    return view;
}

struct pl_swift_info pl_swift_info_view(struct pl_swift *s)
{
    pthread_mutex_lock(&s->dialect.lock);
    struct pl_swift_info view = s->info;
    view.bulk_delete &= !s->no_bulk;
    pthread_mutex_unlock(&s->dialect.lock);
    return view;
}

void pl_swift_saw(struct pl_swift *s, const char *name)
{
    pthread_mutex_lock(&s->dialect.lock);
    struct pl_swift_bucket *b = name ? pl_swift_bucket_locked(s, name) : NULL;
    if (b) {
        b->exists = true;
        b->unsure = false;
    }
    pthread_mutex_unlock(&s->dialect.lock);
}

void pl_swift_state_dispose(struct pl_swift *s)
{
    for (size_t i = 0; i < s->bucket_count; i++) {
        forget(&s->buckets[i]);
    }
    pl_swift_place_dispose(&s->place);
    pl_free_secret(s->token);
    pl_free_secret(s->refused);
}

bool pl_swift_may_have_segments(const char *bucket)
{
    return strlen(bucket) + sizeof PL_SWIFT_SEGMENTS - 1 <= PL_SWIFT_NAME_MAX;
}

/* ---- What is lacking */

static uint64_t hash(const char *name)
{
    uint32_t h = 2166136261U;
    for (; *name; name++) {
        h = (h ^ (unsigned char)*name) * 16777619U;
    }
    return h;
}

/* Somebody keeps a fresh token in the file: it counts as soon as it is there. */
static bool file_changed_locked(struct pl_swift *s, int64_t now_ms)
{
    struct stat st;
    if (s->mode != PL_SWIFT_FILE || (s->looked_ms && now_ms - s->looked_ms < LOOK_EVERY_MS)) {
        return false;
    }
    s->looked_ms = now_ms;
    if (pl_sys.stat(AT_FDCWD, s->token_file, &st, 0)) {
        return false; /* what is known may still do */
    }
    int64_t mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    bool changed = mtime_ns != s->file_mtime_ns || st.st_ino != s->file_inode;
    s->file_mtime_ns = mtime_ns;
    s->file_inode = st.st_ino;
    return changed;
}

static void need_auth_locked(struct pl_swift *s, int64_t now_ms, struct pl_need *out)
{
    if (s->mode == PL_SWIFT_STATIC) {
        return;
    }
    bool changed = file_changed_locked(s, now_ms);
    if (!s->token || !s->place.host || changed || (s->expires_ms && now_ms >= s->expires_ms)) {
        *out = (struct pl_need){PL_SWIFT_NEED_AUTH, true};
    } else if (s->expires_ms && now_ms >= s->expires_ms - AHEAD_MS) {
        *out = (struct pl_need){PL_SWIFT_NEED_AUTH, false};
    }
}

static bool wants_bucket(const struct pl_swift *s, const struct pl_op *op)
{
    switch (op->kind) {
    case PL_OP_MP_BEGIN: return true;
    case PL_OP_PUT:
    case PL_OP_COPY:
    case PL_OP_DELETE:
    case PL_OP_DELETE_MANY:
    case PL_OP_MP_FINISH: return s->remove_segments;
    default: return false;
    }
}

static bool wants_info(const struct pl_op *op, const struct pl_swift_bucket *b, bool asks_list)
{
    switch (op->kind) {
    case PL_OP_MP_BEGIN:
    case PL_OP_MP_FINISH:
    case PL_OP_MP_ABORT:
    case PL_OP_DELETE_MANY:
    case PL_OP_PRESIGN: return true;
    case PL_OP_PUT:
    case PL_OP_COPY:
    case PL_OP_DELETE: return b && (b->segments || b->others);
    case PL_OP_LIST:
    case PL_OP_BUCKET_LIST:
    case PL_OP_MP_LIST: return asks_list;
    default: return false;
    }
}

static void need_more_locked(struct pl_swift *s, const struct pl_op *op, int64_t now_ms,
                             struct pl_need *out)
{
    const struct pl_swift_bucket *b = find_locked(s, op->bucket);
    bool stale = !b || !b->known || now_ms >= b->until_ms;
    if (op->bucket &&
        ((stale && wants_bucket(s, op)) || (b && b->unsure && op->kind == PL_OP_GET))) {
        *out = (struct pl_need){PL_SWIFT_NEED_BUCKET | hash(op->bucket), true};
    } else if (!s->info.known && wants_info(op, b, s->asks_list)) {
        *out = (struct pl_need){PL_SWIFT_NEED_INFO, true};
    } else if (op->kind == PL_OP_PRESIGN && !(b && now_ms < b->key_until_ms) &&
               !pl_settings_get(s->settings, "swift_tempurl_key")) {
        *out = (struct pl_need){PL_SWIFT_NEED_KEY | hash(op->bucket), true};
    }
}

void pl_swift_need(struct pl_dialect *d, const struct pl_op *op, int64_t now_ms,
                   struct pl_need *out)
{
    struct pl_swift *s = (struct pl_swift *)d;
    pthread_mutex_lock(&d->lock);
    need_auth_locked(s, now_ms, out);
    if (!out->what) {
        need_more_locked(s, op, now_ms, out);
    }
    pthread_mutex_unlock(&d->lock);
}

pail_code pl_swift_refresh(struct pl_dialect *d, struct pail_error **err)
{
    struct pl_swift *s = (struct pl_swift *)d;
    if (s->mode == PL_SWIFT_STATIC) {
        return pl_fail(err, PAIL_E_EXPIRED_CREDENTIALS,
                       "the token was given and cannot be renewed");
    }
    pthread_mutex_lock(&d->lock);
    if (s->token) {
        pl_free_secret(s->refused);
        s->refused = s->token;
    }
    s->token = NULL;
    pthread_mutex_unlock(&d->lock);
    return PAIL_OK;
}
