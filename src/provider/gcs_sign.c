/* Signed URLs, by a key at hand or by IAM. Source: Cloud Storage "V4 signing process with your own
 * program". */
#include "codec/crc.h"
#include "codec/url.h"
#include "cred/gcs.h"
#include "provider/gcs.h"
#include "sign/gcs_v4.h"

enum { URL_MAX = 32 * 1024, DEFAULT_EXPIRES_S = 3600, MINUTE_MS = 60 * 1000 };

/* One URL in the making. */
struct making {
    struct pl_gcs_v4 in;
    struct pl_header type;
    struct pl_http_request r; /* for the Host header's text */
    struct pl_buf path, query;
};

/* A key at hand: an RSA key, else an HMAC key. */
static bool identify(const struct pl_gcs *gcs, struct pl_gcs_v4 *in)
{
    const char *id = pl_settings_get(gcs->settings, "google_hmac_access_id");
    const char *secret = pl_settings_get(gcs->settings, "google_hmac_secret");
    if (pl_gcs_auth_key(gcs->auth, &in->id, &in->key)) {
        return true;
    }
    in->id = id;
    in->secret = pl_str_c(secret);
    return id && secret;
}

bool pl_gcs_has_key(const struct pl_gcs *gcs)
{
    struct pl_gcs_v4 in = {0};
    return identify(gcs, &in);
}

bool pl_gcs_can_sign(const struct pl_gcs *gcs)
{
    const char *email;
    return pl_gcs_has_key(gcs) || pl_gcs_auth_signs_elsewhere(gcs->auth, &email);
}

static void add_query(const struct pl_op *op, const char *payer, struct pl_buf *query)
{
    const struct {
        const char *name, *value;
    } parameters[] = {{"generation", op->version},
                      {"response-content-type", op->in.presign.response_content_type},
                      {"response-content-disposition", op->in.presign.response_content_disposition},
                      {"userProject", payer}};
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        if (parameters[i].value) {
            pl_url_query_add(query, parameters[i].name, pl_str_c(parameters[i].value));
        }
    }
}

static pail_code give(struct pl_op *op, int64_t time_ms, uint64_t expires_s,
                      const struct pl_buf *url)
{
    op->out.presigned.url = pl_buf_rc(url) ? NULL : pl_arena_dup(&op->arena, pl_buf_view(url));
    op->out.presigned.expires_ms = time_ms + (int64_t)expires_s * 1000;
    if (op->in.presign.content_type) {
        pail_kv kv = {"content-type", op->in.presign.content_type};
        op->out.presigned.headers = pl_arena_dup_kv(&op->arena, &kv, 1);
        op->out.presigned.header_count = op->out.presigned.headers ? 1 : 0;
    }
    return op->arena.failed || !op->out.presigned.url ? PAIL_E_NO_MEMORY : PAIL_OK;
}

static void making_dispose(struct making *m)
{
    pl_buf_dispose(&m->path);
    pl_buf_dispose(&m->query);
    pl_http_request_dispose(&m->r);
}

/* All but who signs. */
static pail_code make(const struct pl_gcs *gcs, const struct pl_op *op, int64_t now_ms,
                      struct making *m)
{
    *m = (struct making){.r = {.origin = {gcs->tls, gcs->host, gcs->port}},
                         .type = {PL_STR("content-type"), pl_str_c(op->in.presign.content_type)},
                         .path = PL_BUF_MAX(URL_MAX),
                         .query = PL_BUF_MAX(URL_MAX)};
    pl_buf_puts(&m->path, gcs->base_path);
    pl_buf_putc(&m->path, '/');
    pl_url_encode(&m->path, pl_str_c(op->bucket), 0);
    pl_buf_putc(&m->path, '/');
    pl_url_encode(&m->path, pl_str_c(op->key), PL_URL_KEEP_SLASH);
    add_query(op, pl_settings_get(gcs->settings, "google_user_project"), &m->query);
    uint32_t expires_s = op->in.presign.expires_s;
    m->in = (struct pl_gcs_v4){.method = op->in.presign.method ? op->in.presign.method : "GET",
                               .scheme = gcs->tls ? "https" : "http",
                               .host = pl_http_host(&m->r),
                               .path = pl_buf_view(&m->path),
                               .query = pl_buf_view(&m->query),
                               .headers = &m->type,
                               .header_count = op->in.presign.content_type ? 1 : 0,
                               .expires_s = expires_s ? expires_s : DEFAULT_EXPIRES_S,
                               .time_ms = now_ms};
    return !m->in.host           ? PAIL_E_NO_MEMORY
           : pl_buf_rc(&m->path) ? pl_buf_rc(&m->path)
                                 : pl_buf_rc(&m->query);
}

/* ---- Signed by IAM: the URLs made are kept for a while, so that the same one asks nobody again */

/* What tells two wishes for a URL apart. */
static void write_wish(const struct making *m, struct pl_buf *out)
{
    pl_buf_printf(out, "%s %llu ", m->in.method, (unsigned long long)m->in.expires_s);
    pl_buf_str(out, m->in.path);
    pl_buf_putc(out, '?');
    pl_buf_str(out, m->in.query);
    pl_buf_putc(out, ' ');
    pl_buf_str(out, m->in.header_count ? m->type.value : PL_STR(""));
}

/* Good while hardly any of its time has gone. */
static bool is_fresh(const struct pl_gcs_signed *s, uint64_t expires_s, int64_t now_ms)
{
    int64_t most = (int64_t)expires_s * 100; /* a tenth, in ms */
    most = most < MINUTE_MS ? most : MINUTE_MS;
    return s->url && now_ms >= s->time_ms - 1000 && now_ms - s->time_ms <= most;
}

static struct pl_gcs_signed *find_locked(struct pl_gcs *gcs, struct pl_str wish, uint64_t expires_s,
                                         int64_t now_ms)
{
    for (size_t i = 0; i < PL_GCS_SIGNED; i++) {
        struct pl_gcs_signed *s = &gcs->signed_urls[i];
        if (is_fresh(s, expires_s, now_ms) && pl_str_is(wish, s->wish)) {
            return s;
        }
    }
    return NULL;
}

uint64_t pl_gcs_sign_lacks(struct pl_gcs *gcs, const struct pl_op *op, int64_t now_ms)
{
    struct making m;
    struct pl_buf wish = PL_BUF_MAX(3 * URL_MAX);
    pail_code rc = make(gcs, op, now_ms, &m);
    uint64_t what = 0;
    write_wish(&m, &wish);
    if (!rc && !pl_buf_rc(&wish)) {
        pthread_mutex_lock(&gcs->dialect.lock);
        bool have = find_locked(gcs, pl_buf_view(&wish), m.in.expires_s, now_ms) != NULL;
        pthread_mutex_unlock(&gcs->dialect.lock);
        what = have ? 0 : 1 + (uint64_t)pl_crc32c(0, wish.ptr, wish.len);
    }
    pl_buf_dispose(&wish);
    making_dispose(&m);
    return what;
}

/* What the signature is waited for with. */
struct waiting {
    struct pl_gcs *gcs;
    struct making m;
    struct pl_buf wish;
};

static void waiting_free(void *ctx)
{
    struct waiting *w = ctx;
    making_dispose(&w->m);
    pl_buf_dispose(&w->wish);
    pl_free(w);
}

static pail_code keep_url(void *ctx, struct pl_str signature, struct pail_error **err)
{
    struct waiting *w = ctx;
    struct pl_gcs *gcs = w->gcs;
    struct pl_buf url = PL_BUF_MAX(URL_MAX);
    w->m.in.signature = signature;
    pail_code rc = pl_gcs_v4_url(&w->m.in, &url, NULL, NULL, err);
    if (!rc) {
        struct pl_gcs_signed fresh = {pl_buf_take(&w->wish), pl_buf_take(&url), w->m.in.time_ms};
        pthread_mutex_lock(&gcs->dialect.lock);
        struct pl_gcs_signed *place = &gcs->signed_urls[gcs->signed_next];
        gcs->signed_next = (gcs->signed_next + 1) % PL_GCS_SIGNED;
        struct pl_gcs_signed old = *place;
        *place = fresh;
        pthread_mutex_unlock(&gcs->dialect.lock);
        pl_gcs_signed_dispose(&old);
    }
    pl_buf_dispose(&url);
    return rc;
}

void pl_gcs_signed_dispose(struct pl_gcs_signed *s)
{
    pl_free(s->wish);
    pl_free_secret(s->url);
    *s = (struct pl_gcs_signed){0};
}

static pail_code write_to_sign(void *ctx, const char *email, int64_t now_ms, struct pl_buf *to_sign,
                               struct pail_error **err)
{
    struct waiting *w = ctx;
    w->m.in.id = email;
    w->m.in.is_elsewhere = true;
    w->m.in.time_ms = now_ms;
    return pl_gcs_v4_url(&w->m.in, NULL, NULL, to_sign, err);
}

struct pl_errand *pl_gcs_sign_errand(struct pl_gcs *gcs, const struct pl_op *op,
                                     struct pail_error **err)
{
    static const struct pl_gcs_blob_use use = {
        .write = write_to_sign, .done = keep_url, .free = waiting_free};
    struct waiting *w = pl_calloc(1, sizeof *w);
    if (!w) {
        pl_fail(err, PAIL_E_NO_MEMORY, "no memory to sign a URL");
        return NULL;
    }
    w->gcs = gcs;
    w->wish = PL_BUF_MAX(3 * URL_MAX);
    pail_code rc = make(gcs, op, 0, &w->m);
    /* The op may be gone before the signature is there. */
    char *type = pl_arena_dup_c(&w->m.r.arena, op->in.presign.content_type);
    w->m.type.value = pl_str_c(type);
    w->m.in.method = w->m.in.method ? pl_arena_dup_c(&w->m.r.arena, w->m.in.method) : NULL;
    write_wish(&w->m, &w->wish);
    rc = rc ? rc : pl_buf_rc(&w->wish);
    if (rc || w->m.r.arena.failed) {
        pl_fail(err, rc ? rc : PAIL_E_NO_MEMORY, "the URL cannot be made");
        waiting_free(w);
        return NULL;
    }
    return pl_gcs_blob_errand(gcs->auth, &use, w, err);
}

/* The URL that was signed for this wish. */
static pail_code find(struct pl_gcs *gcs, struct making *m, struct pl_buf *url,
                      struct pail_error **err)
{
    struct pl_buf wish = PL_BUF_MAX(3 * URL_MAX);
    write_wish(m, &wish);
    pthread_mutex_lock(&gcs->dialect.lock);
    const struct pl_gcs_signed *s =
        find_locked(gcs, pl_buf_view(&wish), m->in.expires_s, m->in.time_ms);
    if (s) {
        pl_buf_puts(url, s->url);
        m->in.time_ms = s->time_ms;
    }
    pthread_mutex_unlock(&gcs->dialect.lock);
    pl_buf_dispose(&wish);
    return s ? pl_buf_rc(url)
             : pl_fail(err, PAIL_E_UNAVAILABLE, "there is no signature for the URL");
}

static pail_code no_key(const struct pl_gcs *gcs, struct pail_error **err)
{
    pail_code rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "there is no key to sign a URL with: %s",
                           pl_gcs_auth_name(gcs->auth));
    pl_error_hint(err, "set google_application_credentials to a service account's key file, or "
                       "google_hmac_access_id and google_hmac_secret, or "
                       "google_impersonate_service_account");
    return rc;
}

pail_code pl_gcs_presign(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                         struct pail_error **err)
{
    struct pl_gcs *gcs = (struct pl_gcs *)d;
    struct pl_buf url = PL_BUF_MAX(URL_MAX);
    struct making m;
    const char *email;
    pail_code rc = make(gcs, op, a->now_ms, &m);
    if (!rc && identify(gcs, &m.in)) {
        rc = pl_gcs_v4_url(&m.in, &url, NULL, NULL, err);
    } else if (!rc && pl_gcs_auth_signs_elsewhere(gcs->auth, &email)) {
        rc = find(gcs, &m, &url, err);
    } else if (!rc) {
        rc = no_key(gcs, err);
    }
    rc = rc ? rc : give(op, m.in.time_ms, m.in.expires_s, &url);
    if (rc) {
        pl_fail(err, rc, "the URL cannot be made");
    }
    pl_buf_dispose(&url);
    making_dispose(&m);
    return rc;
}
