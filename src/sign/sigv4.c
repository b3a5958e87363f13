#include "sign/sigv4.h"

#include "codec/hex.h"
#include "codec/url.h"
#include "sign/canonical.h"

/* Sources: AWS "Signature Version 4 signing process" (canonical request, string to sign, signing
 * key) and Amazon S3 API Reference, "Authenticating Requests". */

enum { TEXT_MAX = 1 << 20, DAY = 8, EXPIRES_MAX_S = 604800, OWN_HEADERS = 4 };

#define ALGORITHM "AWS4-HMAC-SHA256"

pail_code pl_sigv4_init(struct pl_sigv4 *s, struct pail_error **err)
{
    *s = (struct pl_sigv4){0};
    struct pl_buf *bufs[] = {&s->key_of, &s->canonical,  &s->to_sign,     &s->query,
                             &s->text,   &s->credential, &s->signed_names};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) {
        *bufs[i] = PL_BUF_MAX(TEXT_MAX);
    }
    return pl_hmac_init(&s->hmac, err);
}

static void dispose_secret(struct pl_buf *b)
{
    if (b->ptr) {
        pl_zero(b->ptr, b->cap);
    }
    pl_buf_dispose(b);
}

void pl_sigv4_dispose(struct pl_sigv4 *s)
{
    pl_hmac_dispose(&s->hmac);
    dispose_secret(&s->key_of);
    dispose_secret(&s->canonical); /* holds the session token */
    dispose_secret(&s->query);
    pl_buf_dispose(&s->to_sign);
    pl_buf_dispose(&s->signed_names);
    pl_buf_dispose(&s->credential);
    pl_buf_dispose(&s->text);
    pl_zero(s->key, sizeof s->key);
    *s = (struct pl_sigv4){0};
}

/* Ends a call: OpenSSL's own failures stand as missing memory, the only cause it has here. */
static pail_code check(struct pl_sigv4 *s, bool ok, struct pail_error **err)
{
    const struct pl_buf *bufs[] = {&s->key_of, &s->canonical,  &s->to_sign,     &s->query,
                                   &s->text,   &s->credential, &s->signed_names};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) {
        pail_code rc = pl_buf_rc(bufs[i]);
        if (rc == PAIL_E_TOO_LARGE) {
            return pl_fail(err, PAIL_E_BAD_ARGUMENT, "the request is too long to be signed");
        }
        ok = ok && !rc;
    }
    return ok ? PAIL_OK : pl_fail(err, PAIL_E_NO_MEMORY, "no memory to sign a request");
}

static struct pl_str day(const struct pl_sigv4 *s)
{
    return pl_str_n(s->date, DAY);
}

/* "20130524/us-east-1/s3/aws4_request", the end of the credential. */
static struct pl_str scope(const struct pl_sigv4 *s)
{
    struct pl_str c = pl_buf_view(&s->credential);
    return s->scope_at <= c.len ? pl_str_n(c.ptr + s->scope_at, c.len - s->scope_at) : PL_STR("");
}

/* SPEC AWS SigV4 "Calculate the signature": the key is HMAC over day, region, service and a word,
 * each with the result of the last as its key. */
static bool derive_key(struct pl_sigv4 *s, const struct pl_sigv4_identity *who)
{
    struct pl_str words[] = {day(s), who->region, who->service, PL_STR("aws4_request")};
    struct pl_buf first = PL_BUF_MAX(TEXT_MAX);
    pl_buf_puts(&first, "AWS4");
    pl_buf_str(&first, who->secret_key);
    bool ok = !pl_buf_rc(&first) && pl_hmac_key(&s->hmac, first.ptr, first.len);
    for (size_t i = 0; ok && i < sizeof words / sizeof *words; i++) {
        ok =
            pl_hmac_sum(&s->hmac, words[i], s->key) && pl_hmac_key(&s->hmac, s->key, sizeof s->key);
    }
    dispose_secret(&first);
    return ok;
}

/* Derives the key unless the last one fits: that is 10 of the 12 HMACs of a request. */
static bool set_key(struct pl_sigv4 *s, const struct pl_sigv4_identity *who)
{
    struct pl_str secret = who->secret_key, cached = pl_buf_view(&s->key_of), of = scope(s);
    if (of.len && cached.len == of.len + secret.len && pl_str_starts(cached, of) &&
        memcmp(cached.ptr + of.len, secret.ptr, secret.len) == 0) {
        return true;
    }
    pl_buf_clear(&s->key_of);
    if (!derive_key(s, who)) {
        return false;
    }
    pl_buf_str(&s->key_of, of);
    pl_buf_str(&s->key_of, secret);
    return true;
}

/* SPEC AWS SigV4 "Create a canonical request". The query is in s->query. */
static bool build_canonical(struct pl_sigv4 *s, const struct pl_sigv4_identity *who,
                            const struct pl_sigv4_request *r, const struct pl_header *headers,
                            size_t count)
{
    struct pl_buf *c = &s->canonical;
    struct pl_str query = r->target, path = pl_str_split(&query, '?');
    pl_buf_clear(c);
    pl_buf_clear(&s->signed_names);
    pl_buf_str(c, r->method);
    pl_buf_putc(c, '\n');
    if (who->flags & PL_SIGV4_ENCODE_PATH) {
        pl_canonical_path(c, path, who->flags & PL_SIGV4_NORMALIZE_PATH);
    } else {
        pl_buf_str(c, path.len ? path : PL_STR("/"));
    }
    pl_buf_putc(c, '\n');
    bool fits = pl_canonical_query(c, &s->text, pl_buf_view(&s->query));
    pl_buf_putc(c, '\n');
    fits = fits && pl_canonical_headers(c, &s->signed_names, headers, count);
    pl_buf_putc(c, '\n');
    pl_buf_str(c, pl_buf_view(&s->signed_names));
    pl_buf_putc(c, '\n');
    pl_buf_str(c, r->payload_hash);
    return fits;
}

/* SPEC AWS SigV4 "Create a string to sign"; the canonical request stands. */
static bool compute_signature(struct pl_sigv4 *s, const struct pl_sigv4_identity *who)
{
    char hash[PL_SHA256_HEX];
    unsigned char mac[PL_SHA256_BYTES];
    struct pl_buf *t = &s->to_sign;
    if (!pl_hmac_sha256_hex(&s->hmac, pl_buf_view(&s->canonical), hash)) {
        return false;
    }
    pl_buf_clear(t);
    pl_buf_str(t, PL_STR(ALGORITHM "\n"));
    pl_buf_add(t, s->date, sizeof s->date - 1);
    pl_buf_putc(t, '\n');
    pl_buf_str(t, scope(s));
    pl_buf_putc(t, '\n');
    pl_buf_puts(t, hash);
    if (!set_key(s, who) || !pl_hmac_sum(&s->hmac, pl_buf_view(t), mac)) {
        return false;
    }
    pl_hex_encode(s->signature, mac, sizeof mac);
    return true;
}

static void begin(struct pl_sigv4 *s, const struct pl_sigv4_identity *who)
{
    if (!s->date[0] || s->date_s != who->time_ms / 1000) {
        s->date_s = who->time_ms / 1000;
        pl_date_basic(who->time_ms, s->date);
    }
    pl_buf_clear(&s->query);
    pl_buf_clear(&s->credential);
    pl_buf_str(&s->credential, who->access_key);
    pl_buf_putc(&s->credential, '/');
    s->scope_at = s->credential.len;
    pl_buf_str(&s->credential, day(s));
    pl_buf_putc(&s->credential, '/');
    pl_buf_str(&s->credential, who->region);
    pl_buf_putc(&s->credential, '/');
    pl_buf_str(&s->credential, who->service);
    pl_buf_str(&s->credential, PL_STR("/aws4_request"));
}

/* All headers that are signed: host, ours, the caller's. False: too many. */
static bool gather(struct pl_header all[PL_CANONICAL_MAX], size_t *count,
                   const struct pl_sigv4_request *r, const struct pl_sigv4_headers *own)
{
    if (r->header_count > PL_CANONICAL_MAX - OWN_HEADERS - 1) {
        return false;
    }
    size_t n = 0;
    all[n++] = (struct pl_header){PL_STR("host"), r->host};
    for (size_t i = 0; i < own->count; i++) {
        all[n++] = own->headers[i];
    }
    for (size_t i = 0; i < r->header_count; i++) {
        all[n++] = r->headers[i];
    }
    *count = n;
    return true;
}

static pail_code too_many(struct pl_sigv4 *s, struct pail_error **err)
{
    pail_code rc = check(s, true, err); /* a buffer that failed stops the count as well */
    return rc ? rc
              : pl_fail(err, PAIL_E_BAD_ARGUMENT,
                        "the request has more headers or parameters than can be signed");
}

static void put_header(struct pl_sigv4_headers *out, struct pl_str name, struct pl_str value)
{
    out->headers[out->count++] = (struct pl_header){name, value};
}

pail_code pl_sigv4_sign(struct pl_sigv4 *s, const struct pl_sigv4_identity *who,
                        const struct pl_sigv4_request *r, struct pl_sigv4_headers *out,
                        struct pail_error **err)
{
    struct pl_header all[PL_CANONICAL_MAX];
    struct pl_header token = {who->flags & PL_SIGV4_BUCKET_SESSION ? PL_STR("x-amz-s3session-token")
                                                                   : PL_STR("x-amz-security-token"),
                              who->token};
    struct pl_str query = r->target;
    size_t count = 0;
    (void)pl_str_split(&query, '?');
    begin(s, who);
    pl_buf_str(&s->query, query.ptr ? query : PL_STR(""));
    *out = (struct pl_sigv4_headers){0};
    put_header(out, PL_STR("x-amz-date"), pl_str_n(s->date, sizeof s->date - 1));
    if (!(who->flags & PL_SIGV4_NO_HASH_HEADER)) {
        put_header(out, PL_STR("x-amz-content-sha256"), r->payload_hash);
    }
    if (token.value.len && !(who->flags & PL_SIGV4_TOKEN_UNSIGNED)) {
        put_header(out, token.name, token.value);
    }
    if (!gather(all, &count, r, out) || !build_canonical(s, who, r, all, count)) {
        return too_many(s, err);
    }
    bool ok = compute_signature(s, who);
    if (token.value.len && (who->flags & PL_SIGV4_TOKEN_UNSIGNED)) {
        put_header(out, token.name, token.value);
    }
    pl_buf_clear(&s->text);
    pl_buf_str(&s->text, PL_STR(ALGORITHM " Credential="));
    pl_buf_str(&s->text, pl_buf_view(&s->credential));
    pl_buf_str(&s->text, PL_STR(", SignedHeaders="));
    pl_buf_str(&s->text, pl_buf_view(&s->signed_names));
    pl_buf_str(&s->text, PL_STR(", Signature="));
    pl_buf_add(&s->text, s->signature, sizeof s->signature - 1);
    put_header(out, PL_STR("authorization"), pl_buf_view(&s->text));
    return check(s, ok, err);
}

/* The parameters that are signed, behind those of the caller. The names of the signed headers are
 * needed here before the canonical request is built. */
static bool build_query(struct pl_sigv4 *s, const struct pl_sigv4_identity *who,
                        const struct pl_header *headers, size_t count, uint64_t expires_s)
{
    pl_buf_clear(&s->text);
    pl_buf_clear(&s->signed_names);
    bool fits = pl_canonical_headers(&s->text, &s->signed_names, headers, count);
    pl_buf_clear(&s->text);
    pl_buf_u64(&s->text, expires_s);
    pl_url_query_add(&s->query, "X-Amz-Algorithm", PL_STR(ALGORITHM));
    pl_url_query_add(&s->query, "X-Amz-Credential", pl_buf_view(&s->credential));
    pl_url_query_add(&s->query, "X-Amz-Date", pl_str_c(s->date));
    pl_url_query_add(&s->query, "X-Amz-Expires", pl_buf_view(&s->text));
    pl_url_query_add(&s->query, "X-Amz-SignedHeaders", pl_buf_view(&s->signed_names));
    if (who->token.len && !(who->flags & PL_SIGV4_TOKEN_UNSIGNED)) {
        pl_url_query_add(&s->query,
                         who->flags & PL_SIGV4_BUCKET_SESSION ? "X-Amz-S3session-Token"
                                                              : "X-Amz-Security-Token",
                         who->token);
    }
    return fits;
}

pail_code pl_sigv4_presign(struct pl_sigv4 *s, const struct pl_sigv4_identity *who,
                           const struct pl_sigv4_request *r, uint64_t expires_s, struct pl_buf *out,
                           struct pail_error **err)
{
    struct pl_header all[PL_CANONICAL_MAX];
    struct pl_sigv4_headers none = {0};
    size_t count = 0;
    if (expires_s < 1 || expires_s > EXPIRES_MAX_S) {
        pail_code rc = pl_fail(err, PAIL_E_BAD_ARGUMENT, "a presigned URL cannot live %llu seconds",
                               (unsigned long long)expires_s);
        pl_error_hint(err, "the service takes 1 second to 7 days (604800)");
        return rc;
    }
    begin(s, who);
    struct pl_str query = r->target, path = pl_str_split(&query, '?');
    pl_buf_str(&s->query, query.ptr ? query : PL_STR(""));
    if (!gather(all, &count, r, &none) || !build_query(s, who, all, count, expires_s) ||
        !build_canonical(s, who, r, all, count)) {
        return too_many(s, err);
    }
    bool ok = compute_signature(s, who);
    if (who->token.len && (who->flags & PL_SIGV4_TOKEN_UNSIGNED)) {
        pl_url_query_add(&s->query, "X-Amz-Security-Token", who->token);
    }
    pl_url_query_add(&s->query, "X-Amz-Signature", pl_str_c(s->signature));
    pl_buf_str(out, path.len ? path : PL_STR("/"));
    pl_buf_putc(out, '?');
    pl_buf_str(out, pl_buf_view(&s->query));
    pail_code rc = check(s, ok, err);
    if (!rc && pl_buf_rc(out)) {
        rc = pl_fail(err, pl_buf_rc(out), "no room for a presigned URL");
    }
    return rc;
}
