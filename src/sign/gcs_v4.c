#include "sign/gcs_v4.h"

#include <stdio.h>

#include "codec/date.h"
#include "codec/hex.h"
#include "codec/url.h"
#include "sign/canonical.h"
#include "sign/hmac.h"
#include "sign/jwt.h"

enum { TEXT_MAX = 64 * 1024, WEEK_S = 7 * 24 * 3600 };

/* What one signature is made of; disposed of at its end. */
struct work {
    const struct pl_gcs_v4 *in;
    const char *algorithm;
    char date[PL_DATE_BASIC_SIZE];
    char scope[64];
    struct pl_buf headers, names, query, canonical, to_sign, signature;
    struct pail_error **err;
};

static bool is_rsa(const struct pl_gcs_v4 *in)
{
    return in->key || in->is_elsewhere;
}

static pail_code canonical_headers(struct work *w, struct pl_str *payload)
{
    struct pl_header all[PL_CANONICAL_MAX];
    size_t n = w->in->header_count;
    *payload = PL_STR("UNSIGNED-PAYLOAD");
    if (n + 1 > PL_CANONICAL_MAX) {
        return PAIL_E_BAD_ARGUMENT;
    }
    all[0] = (struct pl_header){PL_STR("host"),
                                pl_str_c(w->in->signed_host ? w->in->signed_host : w->in->host)};
    for (size_t i = 0; i < n; i++) {
        all[i + 1] = w->in->headers[i];
        if (pl_str_ieq(all[i + 1].name, PL_STR("x-goog-content-sha256"))) {
            *payload = pl_str_trim(all[i + 1].value);
        }
    }
    return pl_canonical_headers(&w->headers, &w->names, all, n + 1) ? PAIL_OK : PAIL_E_BAD_ARGUMENT;
}

static pail_code canonical_query(struct work *w)
{
    struct pl_buf all = PL_BUF_MAX(TEXT_MAX), scratch = PL_BUF_MAX(TEXT_MAX),
                  text = PL_BUF_MAX(1024);
    pl_buf_str(&all, w->in->query);
    pl_url_query_add(&all, "X-Goog-Algorithm", pl_str_c(w->algorithm));
    pl_buf_printf(&text, "%s/%s", w->in->id, w->scope);
    pl_url_query_add(&all, "X-Goog-Credential", pl_buf_view(&text));
    pl_url_query_add(&all, "X-Goog-Date", pl_str_c(w->date));
    pail_code rc = pl_buf_rc(&text);
    pl_buf_clear(&text);
    pl_buf_u64(&text, w->in->expires_s);
    pl_url_query_add(&all, "X-Goog-Expires", pl_buf_view(&text));
    pl_url_query_add(&all, "X-Goog-SignedHeaders", pl_buf_view(&w->names));
    rc = rc ? rc : pl_buf_rc(&all);
    if (!rc && !pl_canonical_query(&w->query, &scratch, pl_buf_view(&all))) {
        rc = PAIL_E_BAD_ARGUMENT;
    }
    pl_buf_dispose(&all);
    pl_buf_dispose(&scratch);
    pl_buf_dispose(&text);
    return rc;
}

/* SPEC "HMAC keys": HMAC chained over date, location, service and request type, from "GOOG4" and
 * the secret. */
static bool sign_hmac(struct work *w, struct pl_hmac *h)
{
    struct pl_buf secret = PL_BUF_MAX(1024);
    unsigned char key[PL_SHA256_BYTES];
    char hex[PL_SHA256_HEX];
    const struct pl_str steps[] = {pl_str_n(w->date, 8), PL_STR("auto"), PL_STR("storage"),
                                   PL_STR("goog4_request"), pl_buf_view(&w->to_sign)};
    pl_buf_puts(&secret, "GOOG4");
    pl_buf_str(&secret, w->in->secret);
    bool fine = !pl_buf_rc(&secret) && pl_hmac_key(h, secret.ptr, secret.len);
    for (size_t i = 0; fine && i < sizeof steps / sizeof *steps; i++) {
        fine = (i == 0 || pl_hmac_key(h, key, sizeof key)) && pl_hmac_sum(h, steps[i], key);
    }
    pl_hex_encode(hex, key, sizeof key);
    pl_buf_puts(&w->signature, fine ? hex : "");
    pl_zero(key, sizeof key);
    if (secret.ptr) {
        pl_zero(secret.ptr, secret.cap);
    }
    pl_buf_dispose(&secret);
    return fine;
}

static pail_code sign_rsa(struct work *w)
{
    struct pl_buf raw = PL_BUF_MAX(8 * 1024);
    pail_code rc = PAIL_OK;
    if (w->in->is_elsewhere) {
        pl_buf_str(&raw, w->in->signature);
    } else {
        rc = pl_rsa_sign(w->in->key, pl_buf_view(&w->to_sign), &raw, w->err);
    }
    rc = rc ? rc : pl_buf_rc(&raw);
    char *room = rc ? NULL : pl_buf_reserve(&w->signature, 2 * raw.len + 1);
    if (room) {
        pl_hex_encode(room, raw.ptr, raw.len);
        w->signature.len += 2 * raw.len;
    }
    pl_buf_dispose(&raw);
    return rc ? rc : pl_buf_rc(&w->signature);
}

static pail_code sign(struct work *w, struct pl_str payload)
{
    struct pl_hmac h = {0};
    char hash[PL_SHA256_HEX];
    pl_buf_printf(&w->canonical, "%s\n%.*s\n%.*s\n", w->in->method, (int)w->in->path.len,
                  w->in->path.ptr, (int)w->query.len, w->query.ptr);
    pl_buf_str(&w->canonical, pl_buf_view(&w->headers));
    pl_buf_putc(&w->canonical, '\n');
    pl_buf_str(&w->canonical, pl_buf_view(&w->names));
    pl_buf_putc(&w->canonical, '\n');
    pl_buf_str(&w->canonical, payload);
    pail_code rc = pl_buf_rc(&w->canonical);
    rc = rc ? rc : pl_hmac_init(&h, w->err);
    if (!rc && !pl_hmac_sha256_hex(&h, pl_buf_view(&w->canonical), hash)) {
        rc = PAIL_E_UNSUPPORTED;
    }
    if (!rc) {
        pl_buf_printf(&w->to_sign, "%s\n%s\n%s\n%s", w->algorithm, w->date, w->scope, hash);
        rc = pl_buf_rc(&w->to_sign);
    }
    if (!rc) {
        rc = is_rsa(w->in)      ? sign_rsa(w)
             : sign_hmac(w, &h) ? pl_buf_rc(&w->signature)
                                : PAIL_E_UNSUPPORTED;
    }
    pl_hmac_dispose(&h);
    return rc;
}

pail_code pl_gcs_v4_url(const struct pl_gcs_v4 *in, struct pl_buf *out, struct pl_buf *canonical,
                        struct pl_buf *to_sign, struct pail_error **err)
{
    struct work w = {.in = in,
                     .algorithm = is_rsa(in) ? "GOOG4-RSA-SHA256" : "GOOG4-HMAC-SHA256",
                     .headers = PL_BUF_MAX(TEXT_MAX),
                     .names = PL_BUF_MAX(TEXT_MAX),
                     .query = PL_BUF_MAX(TEXT_MAX),
                     .canonical = PL_BUF_MAX(4 * TEXT_MAX),
                     .to_sign = PL_BUF_MAX(1024),
                     .signature = PL_BUF_MAX(8 * 1024),
                     .err = err};
    struct pl_str payload;
    if (in->expires_s < 1 || in->expires_s > WEEK_S) {
        return pl_fail(err, PAIL_E_BAD_ARGUMENT,
                       "a signed URL is good for 1 second to 7 days (604,800 seconds)");
    }
    (void)pl_date_basic(in->time_ms, w.date);
    snprintf(w.scope, sizeof w.scope, "%.8s/auto/storage/goog4_request", w.date);
    pail_code rc = canonical_headers(&w, &payload);
    rc = rc ? rc : canonical_query(&w);
    rc = rc ? rc : sign(&w, payload);
    if (!rc && out) {
        pl_buf_printf(out, "%s://%s", in->scheme, in->host);
        pl_buf_str(out, in->path);
        pl_buf_putc(out, '?');
        pl_buf_str(out, pl_buf_view(&w.query));
        pl_buf_puts(out, "&X-Goog-Signature=");
        pl_buf_str(out, pl_buf_view(&w.signature));
        rc = pl_buf_rc(out);
    }
    if (canonical) {
        pl_buf_str(canonical, pl_buf_view(&w.canonical));
    }
    if (to_sign) {
        pl_buf_str(to_sign, pl_buf_view(&w.to_sign));
    }
    struct pl_buf *all[] = {&w.headers, &w.names, &w.query, &w.canonical, &w.to_sign, &w.signature};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        pl_buf_dispose(all[i]);
    }
    return rc ? pl_fail(err, rc, "the URL cannot be signed: too many or too long headers or values")
              : PAIL_OK;
}
