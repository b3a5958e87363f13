/* Temporary URLs. The key is the container's or the account's, read when the first URL is made; no
 * key is ever written unless a setting asks for it. Source: Swift "Temporary URL middleware". */
#include "codec/url.h"
#include "provider/swift.h"

enum { URL_MAX = 32 * 1024, DEFAULT_EXPIRES_S = 3600 };

const char *const pl_swift_methods[] = {"GET", "HEAD", "PUT", "DELETE", "POST", NULL};

static pail_code find_key(struct pl_swift *s, const char *bucket, struct pl_arena *arena,
                          const char **out, struct pail_error **err)
{
    const char *given = pl_settings_get(s->settings, "swift_tempurl_key");
    pthread_mutex_lock(&s->dialect.lock);
    const struct pl_swift_bucket *b = pl_swift_bucket_locked(s, bucket);
    *out = pl_arena_dup_c(arena, given && *given ? given : b ? b->tempurl_key : NULL);
    bool hidden = b && b->key_hidden;
    pthread_mutex_unlock(&s->dialect.lock);
    if (*out) {
        return PAIL_OK;
    }
    pail_code rc =
        pl_fail(err, PAIL_E_NO_CREDENTIALS,
                hidden ? "container \"%s\" has no key for temporary URLs, and whether its account "
                         "has one the service does not tell this user"
                       : "neither container \"%s\" nor its account has a key for temporary URLs",
                bucket);
    pl_error_hint(err,
                  "set one (swift post -m 'Temp-URL-Key: SECRET' %s), give it as "
                  "swift_tempurl_key, or let Pail make one on the container with "
                  "swift_tempurl_key_create=true",
                  bucket);
    return rc;
}

/* SPEC "Temporary URL middleware" #disposition-overrides: inline, or attachment with a name. */
static pail_code add_disposition(const char *wish, struct pl_buf *query, struct pail_error **err)
{
    struct pl_str text = pl_str_c(wish), start = PL_STR("attachment; filename=\"");
    if (!wish) {
        return PAIL_OK;
    }
    if (pl_str_is(text, "inline")) {
        pl_buf_puts(query, "&inline");
        return PAIL_OK;
    }
    if (pl_str_starts(text, start) && text.len > start.len && text.ptr[text.len - 1] == '"') {
        pl_url_query_add(query, "filename",
                         pl_str_n(text.ptr + start.len, text.len - start.len - 1));
        return PAIL_OK;
    }
    return pl_fail(err, PAIL_E_UNSUPPORTED,
                   "a temporary URL of Swift takes only inline or attachment; filename=\"NAME\" as "
                   "its disposition");
}

static pail_code check(const struct pl_op *op, const struct pl_swift_info *info,
                       struct pail_error **err)
{
    const char *method = op->in.presign.method ? op->in.presign.method : "GET";
    if (info->known && !info->tempurl) {
        pail_code rc = pl_fail(err, PAIL_E_UNSUPPORTED,
                               "this Swift has no temporary URLs (/info does not offer tempurl)");
        pl_error_hint(err, "its operator can add the middleware; or make the container readable");
        return rc;
    }
    if (op->in.presign.response_content_type) {
        return pl_fail(err, PAIL_E_UNSUPPORTED,
                       "a temporary URL of Swift cannot change the content type");
    }
    if (op->version && *op->version) {
        return pl_fail(err, PAIL_E_UNSUPPORTED, "a temporary URL of Swift is not of a version");
    }
    for (unsigned i = 0; pl_swift_methods[i]; i++) {
        if (strcmp(method, pl_swift_methods[i]) == 0) {
            return !info->known || info->methods >> i & 1
                       ? PAIL_OK
                       : pl_fail(err, PAIL_E_UNSUPPORTED,
                                 "this Swift takes no temporary URLs for %s (methods of tempurl in "
                                 "/info)",
                                 method);
        }
    }
    return pl_fail(err, PAIL_E_BAD_ARGUMENT, "a URL cannot be signed for method %.20s", method);
}

/* "https://host:port" and the account's path, decoded, as it is signed. */
static pail_code read_place(struct pl_swift *s, struct pl_buf *origin, struct pl_buf *path,
                            struct pail_error **err)
{
    char room[512];
    pthread_mutex_lock(&s->dialect.lock);
    bool ready = s->place.host != NULL;
    struct pl_origin o = {s->place.tls, s->place.host, s->place.port};
    bool fine = ready && pl_url_decode(path, pl_str_c(s->place.path));
    if (ready) {
        bool bare = s->place.port == (s->place.tls ? 443 : 80);
        struct pl_str text = pl_str_c(pl_origin_text(&o, room, sizeof room));
        struct pl_str port = PL_STR(":443");
        port = s->place.tls ? port : PL_STR(":80");
        if (bare && pl_str_ends(text, port)) {
            text.len -= port.len;
        }
        pl_buf_str(origin, text);
    }
    pthread_mutex_unlock(&s->dialect.lock);
    return fine ? PAIL_OK
                : pl_fail(err, PAIL_E_NO_CREDENTIALS, "the storage URL of Swift is not known");
}

static pail_code give(struct pl_op *op, int64_t expires_s, struct pl_str url,
                      struct pail_error **err)
{
    pail_presigned *out = &op->out.presigned;
    out->url = pl_arena_dup(&op->arena, url);
    out->expires_ms = expires_s * 1000;
    if (op->in.presign.content_type) {
        pail_kv kv = {"content-type", op->in.presign.content_type};
        out->headers = pl_arena_dup_kv(&op->arena, &kv, 1);
        out->header_count = out->headers ? 1 : 0;
    }
    return out->url && !op->arena.failed
               ? PAIL_OK
               : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a signed URL");
}

pail_code pl_swift_presign(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                           struct pail_error **err)
{
    struct pl_swift *s = (struct pl_swift *)d;
    struct pl_buf url = PL_BUF_MAX(URL_MAX), path = PL_BUF_MAX(URL_MAX);
    struct pl_arena arena = {0};
    uint32_t life_s = op->in.presign.expires_s ? op->in.presign.expires_s : DEFAULT_EXPIRES_S;
    const char *method = op->in.presign.method ? op->in.presign.method : "GET", *key = NULL;
    struct pl_swift_info info = pl_swift_info_view(s);
    struct pl_tempurl u = {.digest = info.known ? info.digest : PL_TEMPURL_SHA256,
                           .method = pl_str_c(method),
                           .expires_s = a->now_ms / 1000 + life_s};
    pail_code rc = check(op, &info, err);
    rc = rc ? rc : find_key(s, op->bucket, &arena, &key, err);
    rc = rc ? rc : read_place(s, &url, &path, err);
    if (!rc) {
        pl_buf_printf(&path, "/%s/%s", op->bucket, op->key);
        u.path = pl_buf_view(&path);
        u.key = pl_str_c(key);
        rc = pl_tempurl_target(&u, PL_STR(""), false, &url, err);
        rc = rc ? rc : add_disposition(op->in.presign.response_content_disposition, &url, err);
    }
    if (!rc && (pl_buf_rc(&url) || pl_buf_rc(&path))) {
        rc = pl_fail(err, PAIL_E_TOO_LARGE, "the signed URL is too long");
    }
    rc = rc ? rc : give(op, u.expires_s, pl_buf_view(&url), err);
    if (key) {
        pl_zero((char *)(uintptr_t)key, strlen(key));
    }
    pl_arena_dispose(&arena);
    pl_buf_dispose(&url);
    pl_buf_dispose(&path);
    return rc;
}
