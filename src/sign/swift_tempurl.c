#include "sign/swift_tempurl.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "codec/base64.h"
#include "codec/date.h"
#include "codec/hex.h"
#include "codec/url.h"

enum { SUM_MAX = 64, TEXT_MAX = 16 * 1024 };

static char *digest_name(enum pl_tempurl_digest digest)
{
    static char names[][8] = {"SHA1", "SHA256", "SHA512"};
    return names[digest];
}

/* SPEC Swift "Temporary URL middleware" #hmac-signature: method, expiry and path, each on a line of
 * its own; before them ip=RANGE; a prefix-based signature has "prefix:" before the path. The path
 * is the one that the server sees after decoding. */
static void write_message(const struct pl_tempurl *u, struct pl_buf *out)
{
    if (u->ip_range.len) {
        pl_buf_puts(out, "ip=");
        pl_buf_str(out, u->ip_range);
        pl_buf_putc(out, '\n');
    }
    pl_buf_str(out, u->method);
    pl_buf_printf(out, "\n%lld\n%s", (long long)u->expires_s, u->prefix ? "prefix:" : "");
    pl_buf_str(out, u->path);
}

static bool hmac(const struct pl_tempurl *u, struct pl_str message, unsigned char sum[SUM_MAX],
                 size_t *len)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name(u->digest), 0),
        OSSL_PARAM_construct_end()};
    bool fine = ctx &&
                EVP_MAC_init(ctx, (const unsigned char *)u->key.ptr, u->key.len, params) == 1 &&
                EVP_MAC_update(ctx, (const unsigned char *)message.ptr, message.len) == 1 &&
                EVP_MAC_final(ctx, sum, len, SUM_MAX) == 1;
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    return fine;
}

/* SPEC Swift "Temporary URL middleware": SHA-512 is told by its name before URL-safe base64; the
 * others are hex digits of their length. */
static void write_sum(struct pl_buf *out, enum pl_tempurl_digest digest, const unsigned char *sum,
                      size_t len)
{
    char text[2 * SUM_MAX + 1];
    if (digest != PL_TEMPURL_SHA512) {
        pl_hex_encode(text, sum, len);
        pl_buf_puts(out, text);
        return;
    }
    pl_base64_text(text, sum, len);
    pl_buf_puts(out, "sha512:");
    for (const char *c = text; *c && *c != '='; c++) {
        pl_buf_putc(out, *c == '+' ? '-' : *c == '/' ? '_' : *c);
    }
}

pail_code pl_tempurl_sign(const struct pl_tempurl *u, struct pl_buf *out, struct pail_error **err)
{
    struct pl_buf message = PL_BUF_MAX(TEXT_MAX);
    unsigned char sum[SUM_MAX];
    size_t len = 0;
    write_message(u, &message);
    pail_code rc = pl_buf_rc(&message);
    if (rc) {
        rc = pl_fail(err, rc, "the path is too long to be signed");
    } else if (!hmac(u, pl_buf_view(&message), sum, &len)) {
        rc = pl_fail(err, PAIL_E_UNSUPPORTED, "the OpenSSL in use offers no HMAC with %s",
                     digest_name(u->digest));
    } else {
        write_sum(out, u->digest, sum, len);
    }
    pl_buf_dispose(&message);
    return rc;
}

static void add_expiry(const struct pl_tempurl *u, bool iso8601, struct pl_buf *query)
{
    char date[PL_DATE_ISO_SIZE];
    struct pl_buf text = PL_BUF_MAX(64);
    if (iso8601) { /* SPEC: seconds only, "2006-01-02T15:04:05Z" */
        (void)pl_date_iso(u->expires_s * 1000, date);
        pl_buf_str(&text, pl_str_n(date, 19));
        pl_buf_putc(&text, 'Z');
    } else {
        pl_buf_printf(&text, "%lld", (long long)u->expires_s);
    }
    pl_url_query_add(query, "temp_url_expires", pl_buf_view(&text));
    pl_buf_dispose(&text);
}

pail_code pl_tempurl_target(const struct pl_tempurl *u, struct pl_str prefix_text, bool iso8601,
                            struct pl_buf *out, struct pail_error **err)
{
    struct pl_buf sum = PL_BUF_MAX(256), query = PL_BUF_MAX(TEXT_MAX);
    pail_code rc = pl_tempurl_sign(u, &sum, err);
    if (!rc) {
        pl_url_query_add(&query, "temp_url_sig", pl_buf_view(&sum));
        add_expiry(u, iso8601, &query);
        if (u->ip_range.len) {
            pl_url_query_add(&query, "temp_url_ip_range", u->ip_range);
        }
        if (u->prefix) {
            pl_url_query_add(&query, "temp_url_prefix", prefix_text);
        }
        pl_url_encode(out, u->path, PL_URL_KEEP_SLASH);
        pl_buf_putc(out, '?');
        pl_buf_str(out, pl_buf_view(&query));
        rc = pl_buf_rc(&query) ? pl_buf_rc(&query) : pl_buf_rc(out);
        rc = rc ? pl_fail(err, rc, "the signed URL is too long") : PAIL_OK;
    }
    pl_buf_dispose(&sum);
    pl_buf_dispose(&query);
    return rc;
}
