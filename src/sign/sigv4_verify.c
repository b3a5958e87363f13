#include "sign/sigv4_verify.h"

#include "codec/hex.h"
#include "codec/url.h"
#include "sign/canonical.h"

/* Sources: AWS "Signature Version 4 signing process"; Amazon S3 API Reference, "Authenticating
 * Requests: Using the Authorization Header" and "... Using Query Parameters". */

enum { TEXT_MAX = 256 << 10, EXPIRES_MAX_S = 604800 };

#define ALGORITHM "AWS4-HMAC-SHA256"

/* "KEY/20130524/us-east-1/s3/aws4_request"; a key may have slashes, the rest has not. */
static const char *take_credential(struct pl_sigv4_claim *c, struct pl_str text)
{
    size_t at[4], n = 0;
    for (size_t i = text.len; i > 0 && n < 4; i--) {
        if (text.ptr[i - 1] == '/') {
            at[n++] = i - 1;
        }
    }
    if (n < 4 || at[3] == 0) {
        return "the credential is not KEY/DAY/REGION/s3/aws4_request";
    }
    c->access_key = pl_str_n(text.ptr, at[3]);
    c->day = pl_str_n(text.ptr + at[3] + 1, at[2] - at[3] - 1);
    c->region = pl_str_n(text.ptr + at[2] + 1, at[1] - at[2] - 1);
    c->service = pl_str_n(text.ptr + at[1] + 1, at[0] - at[1] - 1);
    c->scope = pl_str_n(text.ptr + at[3] + 1, text.len - at[3] - 1);
    bool ends = pl_str_is(pl_str_n(text.ptr + at[0] + 1, text.len - at[0] - 1), "aws4_request");
    return ends && pl_str_is(c->service, "s3") && c->day.len == 8
               ? NULL
               : "the credential is not KEY/DAY/REGION/s3/aws4_request";
}

static const char *check_rest(struct pl_sigv4_claim *c)
{
    if (!pl_date_basic_parse(c->date, &c->time_ms)) {
        return "the date is not YYYYMMDDTHHMMSSZ";
    }
    if (!pl_str_starts(c->date, c->day)) {
        return "the day of the credential is not that of the date";
    }
    if (!pl_sigv4_is_signed(c, PL_STR("host"))) {
        return "the host is not among the signed headers";
    }
    return c->signature.len == PL_SHA256_HEX - 1 ? NULL : "the signature is not 64 digits";
}

const char *pl_sigv4_claim_header(struct pl_sigv4_claim *c, struct pl_str text, struct pl_str date)
{
    struct pl_str credential = {0};
    *c = (struct pl_sigv4_claim){.date = date};
    if (!pl_str_starts(text, PL_STR(ALGORITHM " ")) &&
        !pl_str_starts(text, PL_STR(ALGORITHM ","))) {
        return "the authorization is not " ALGORITHM;
    }
    text.ptr += sizeof ALGORITHM - 1;
    text.len -= sizeof ALGORITHM - 1;
    while (text.ptr && text.len) {
        struct pl_str value = pl_str_trim(pl_str_split(&text, ',')),
                      name = pl_str_trim(pl_str_split(&value, '='));
        if (pl_str_is(name, "Credential")) {
            credential = value;
        } else if (pl_str_is(name, "SignedHeaders")) {
            c->signed_headers = value;
        } else if (pl_str_is(name, "Signature")) {
            c->signature = value;
        }
    }
    if (!credential.len || !c->signed_headers.len || !c->signature.len) {
        return "the authorization lacks Credential, SignedHeaders or Signature";
    }
    const char *wrong = take_credential(c, credential);
    return wrong ? wrong : check_rest(c);
}

const char *pl_sigv4_claim_query(struct pl_sigv4_claim *c, struct pl_str credential,
                                 struct pl_str date, struct pl_str expires,
                                 struct pl_str signed_headers, struct pl_str signature)
{
    *c = (struct pl_sigv4_claim){
        .date = date, .signed_headers = signed_headers, .signature = signature, .in_query = true};
    if (!pl_str_u64(expires, &c->expires_s) || c->expires_s > EXPIRES_MAX_S || c->expires_s < 1) {
        return "X-Amz-Expires is not 1 to 604800 seconds";
    }
    const char *wrong = take_credential(c, credential);
    return wrong ? wrong : check_rest(c);
}

const char *pl_sigv4_claim_post(struct pl_sigv4_claim *c, struct pl_str credential,
                                struct pl_str date, struct pl_str signature)
{
    *c = (struct pl_sigv4_claim){
        .date = date, .signed_headers = PL_STR("host"), .signature = signature};
    const char *wrong = take_credential(c, credential);
    return wrong ? wrong : check_rest(c);
}

bool pl_sigv4_claim_key(const struct pl_sigv4_claim *c, struct pl_hmac *h, struct pl_str secret,
                        unsigned char key[PL_SHA256_BYTES])
{
    struct pl_str words[] = {c->day, c->region, c->service, PL_STR("aws4_request")};
    struct pl_buf first = PL_BUF_MAX(TEXT_MAX);
    pl_buf_puts(&first, "AWS4");
    pl_buf_str(&first, secret);
    bool ok = !pl_buf_rc(&first) && pl_hmac_key(h, first.ptr, first.len);
    for (size_t i = 0; ok && i < sizeof words / sizeof *words; i++) {
        ok = pl_hmac_sum(h, words[i], key) && pl_hmac_key(h, key, PL_SHA256_BYTES);
    }
    if (first.ptr) {
        pl_zero(first.ptr, first.cap);
    }
    pl_buf_dispose(&first);
    return ok;
}

bool pl_sigv4_same(struct pl_str a, struct pl_str b)
{
    unsigned char differ = a.len != b.len;
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        differ |= (unsigned char)(a.ptr[i] ^ b.ptr[i]);
    }
    return differ == 0;
}

bool pl_sigv4_is_signed(const struct pl_sigv4_claim *c, struct pl_str name)
{
    struct pl_str rest = c->signed_headers;
    while (rest.ptr && rest.len) {
        if (pl_str_ieq(pl_str_split(&rest, ';'), name)) {
            return true;
        }
    }
    return false;
}

/* Without blanks at both ends, and each run of blanks inside as one. */
static void add_value(struct pl_buf *out, struct pl_str value)
{
    value = pl_str_trim(value);
    for (size_t i = 0; i < value.len; i++) {
        bool blank = value.ptr[i] == ' ' || value.ptr[i] == '\t';
        bool again = blank && i && (value.ptr[i - 1] == ' ' || value.ptr[i - 1] == '\t');
        if (!again) {
            pl_buf_putc(out, blank ? ' ' : value.ptr[i]);
        }
    }
}

/* The headers that the claim names, in its order. False: one is not there. */
static bool add_headers(struct pl_buf *out, const struct pl_sigv4_claim *c,
                        const struct pl_sigv4_request *r)
{
    struct pl_str rest = c->signed_headers;
    while (rest.ptr && rest.len) {
        struct pl_str name = pl_str_split(&rest, ';');
        bool found = false;
        for (size_t i = 0; i < r->header_count; i++) {
            if (pl_str_ieq(r->headers[i].name, name)) {
                if (!found) {
                    pl_buf_str(out, name);
                }
                pl_buf_putc(out, found ? ',' : ':');
                add_value(out, r->headers[i].value);
                found = true;
            }
        }
        if (!found) {
            return false;
        }
        pl_buf_putc(out, '\n');
    }
    return true;
}

/* All parameters but the signature itself. */
static bool add_query(struct pl_buf *out, const struct pl_sigv4_claim *c, struct pl_str query)
{
    struct pl_buf left = PL_BUF_MAX(TEXT_MAX), scratch = PL_BUF_MAX(TEXT_MAX);
    while (query.ptr && query.len) {
        struct pl_str pair = pl_str_split(&query, '&');
        if (!c->in_query || !pl_str_starts(pair, PL_STR("X-Amz-Signature="))) {
            if (left.len) {
                pl_buf_putc(&left, '&');
            }
            pl_buf_str(&left, pair);
        }
    }
    bool ok = !pl_buf_rc(&left) && pl_canonical_query(out, &scratch, pl_buf_view(&left));
    pl_buf_dispose(&left);
    pl_buf_dispose(&scratch);
    return ok;
}

/* Clients sign the path with everything encoded, and some send less of it so. */
static void add_path(struct pl_buf *out, struct pl_str path, bool encode_again)
{
    struct pl_buf plain = PL_BUF_MAX(TEXT_MAX);
    if (!encode_again) {
        pl_buf_str(out, path.len ? path : PL_STR("/"));
    } else if (pl_url_decode(&plain, path)) {
        pl_url_encode(out, pl_buf_view(&plain), PL_URL_KEEP_SLASH);
    }
    pl_buf_dispose(&plain);
}

static enum pl_sigv4_verdict verify(const struct pl_sigv4_claim *c, struct pl_hmac *h,
                                    const struct pl_sigv4_request *r, bool encode_again,
                                    struct pl_buf *text)
{
    char hash[PL_SHA256_HEX], hex[PL_SHA256_HEX];
    unsigned char mac[PL_SHA256_BYTES];
    struct pl_str query = r->target, path = pl_str_split(&query, '?');
    pl_buf_clear(text);
    pl_buf_str(text, r->method);
    pl_buf_putc(text, '\n');
    add_path(text, path, encode_again);
    pl_buf_putc(text, '\n');
    bool fits = add_query(text, c, query);
    pl_buf_putc(text, '\n');
    fits = fits && add_headers(text, c, r);
    pl_buf_putc(text, '\n');
    pl_buf_str(text, c->signed_headers);
    pl_buf_putc(text, '\n');
    pl_buf_str(text, r->payload_hash);
    if (!fits || pl_buf_rc(text)) {
        return PL_SIGV4_BAD;
    }
    if (!pl_hmac_sha256_hex(h, pl_buf_view(text), hash)) {
        return PL_SIGV4_FAILED;
    }
    pl_buf_clear(text);
    pl_buf_printf(text, ALGORITHM "\n%.*s\n%.*s\n%s", (int)c->date.len, c->date.ptr,
                  (int)c->scope.len, c->scope.ptr, hash);
    if (pl_buf_rc(text) || !pl_hmac_sum(h, pl_buf_view(text), mac)) {
        return PL_SIGV4_FAILED;
    }
    pl_hex_encode(hex, mac, sizeof mac);
    return pl_sigv4_same(pl_str_n(hex, sizeof hex - 1), c->signature) ? PL_SIGV4_GOOD
                                                                      : PL_SIGV4_BAD;
}

enum pl_sigv4_verdict pl_sigv4_verify(const struct pl_sigv4_claim *c, struct pl_hmac *h,
                                      const unsigned char key[PL_SHA256_BYTES],
                                      const struct pl_sigv4_request *request)
{
    struct pl_buf text = PL_BUF_MAX(TEXT_MAX);
    if (!pl_hmac_key(h, key, PL_SHA256_BYTES)) {
        return PL_SIGV4_FAILED;
    }
    enum pl_sigv4_verdict v = verify(c, h, request, false, &text);
    if (v == PL_SIGV4_BAD) {
        v = verify(c, h, request, true, &text);
    }
    pl_buf_dispose(&text);
    return v;
}

/* SPEC S3 "Authenticating requests in browser-based uploads using POST": the signature is that of
 * the policy. */
enum pl_sigv4_verdict pl_sigv4_verify_post(const struct pl_sigv4_claim *c, struct pl_hmac *h,
                                           const unsigned char key[PL_SHA256_BYTES],
                                           struct pl_str policy)
{
    unsigned char sum[PL_SHA256_BYTES];
    char hex[PL_SHA256_HEX];
    if (!pl_hmac_key(h, key, PL_SHA256_BYTES) || !pl_hmac_sum(h, policy, sum)) {
        return PL_SIGV4_FAILED;
    }
    pl_hex_encode(hex, sum, sizeof sum);
    return pl_sigv4_same(c->signature, pl_str_c(hex)) ? PL_SIGV4_GOOD : PL_SIGV4_BAD;
}
