#include "sign/aws_chunked_read.h"

#include "codec/hex.h"

/* Sources: Amazon S3 API Reference, "Signature calculations for the Authorization header:
 * transferring payload in multiple chunks" and "... including trailing headers". */

enum { HEAD = 0, DATA, DATA_CR, DATA_LF, TRAILER, ENDED };
enum { TRAILERS_BYTES = PL_TRAILERS_MAX * PL_TRAILER_LINE_MAX };

static pail_code refuse(struct pl_aws_chunked_reader *r, const char *wrong, bool forged)
{
    r->wrong = wrong;
    r->forged = forged;
    return PAIL_E_PROTOCOL;
}

pail_code pl_aws_chunked_read_init(struct pl_aws_chunked_reader *r, enum pl_aws_chunked_kind kind,
                                   const struct pl_sigv4_claim *claim,
                                   const unsigned char key[PL_SHA256_BYTES], pl_chunked_fn fn,
                                   void *ctx)
{
    *r = (struct pl_aws_chunked_reader){.kind = kind,
                                        .fn = fn,
                                        .ctx = ctx,
                                        .line = PL_BUF_MAX(PL_TRAILER_LINE_MAX),
                                        .text = PL_BUF_MAX(PL_TRAILER_LINE_MAX),
                                        .trailers = PL_BUF_MAX(TRAILERS_BYTES)};
    if (kind == PL_AWS_CHUNKED_UNSIGNED_TRAILER) {
        return PAIL_OK;
    }
    struct pl_buf scope = PL_BUF_MAX(sizeof r->scope - 1);
    pl_buf_str(&scope, claim->date);
    pl_buf_putc(&scope, '\n');
    pl_buf_str(&scope, claim->scope);
    pl_buf_putc(&scope, '\n');
    pail_code rc = pl_buf_rc(&scope);
    if (rc == PAIL_OK) {
        memcpy(r->scope, scope.ptr, scope.len + 1);
        memcpy(r->previous, claim->signature.ptr, sizeof r->previous - 1);
        rc = pl_hmac_init(&r->hmac, NULL);
    }
    rc = rc ? rc : pl_digest_init(&r->chunk, PL_SUM_SHA256, NULL);
    pl_buf_dispose(&scope);
    return rc || pl_hmac_key(&r->hmac, key, PL_SHA256_BYTES) ? rc : PAIL_E_NO_MEMORY;
}

/* The signature that follows the last one, for bytes with that hash. */
static bool next_signature(struct pl_aws_chunked_reader *r, bool trailer, const char *hash)
{
    unsigned char mac[PL_SHA256_BYTES];
    pl_buf_clear(&r->text);
    pl_buf_puts(&r->text, trailer ? "AWS4-HMAC-SHA256-TRAILER\n" : "AWS4-HMAC-SHA256-PAYLOAD\n");
    pl_buf_puts(&r->text, r->scope);
    pl_buf_puts(&r->text, r->previous);
    pl_buf_putc(&r->text, '\n');
    if (!trailer) {
        pl_buf_str(&r->text, PL_SIGV4_EMPTY_HASH);
        pl_buf_putc(&r->text, '\n');
    }
    pl_buf_puts(&r->text, hash);
    if (pl_buf_rc(&r->text) || !pl_hmac_sum(&r->hmac, pl_buf_view(&r->text), mac)) {
        return false;
    }
    pl_hex_encode(r->previous, mac, sizeof mac);
    return true;
}

static pail_code compare(struct pl_aws_chunked_reader *r, const char *wrong)
{
    return pl_sigv4_same(pl_str_c(r->previous), pl_str_c(r->signature)) ? PAIL_OK
                                                                        : refuse(r, wrong, true);
}

static pail_code chunk_ended(struct pl_aws_chunked_reader *r)
{
    struct pl_sum_value sum;
    char hash[PL_SHA256_HEX];
    if (r->kind == PL_AWS_CHUNKED_UNSIGNED_TRAILER) {
        return PAIL_OK;
    }
    pail_code rc = pl_digest_final(&r->chunk, &sum, NULL);
    rc = rc ? rc : pl_digest_init(&r->chunk, PL_SUM_SHA256, NULL);
    if (rc) {
        return rc;
    }
    pl_hex_encode(hash, sum.bytes, sum.len);
    return next_signature(r, false, hash)
               ? compare(r, "a chunk does not have the signature it says")
               : PAIL_E_NO_MEMORY;
}

/* "SIZE[;chunk-signature=HEX]" */
static pail_code take_head(struct pl_aws_chunked_reader *r)
{
    struct pl_str rest = pl_buf_view(&r->line), size = pl_str_split(&rest, ';');
    uint64_t n = 0;
    for (size_t i = 0; i < size.len; i++) {
        int digit = pl_hex_digit(size.ptr[i]);
        if (digit < 0 || n >> 40) {
            return refuse(r, "the size of a chunk is no hexadecimal number", false);
        }
        n = n << 4 | (unsigned)digit;
    }
    if (size.len == 0) {
        return refuse(r, "a chunk has no size", false);
    }
    if (r->kind != PL_AWS_CHUNKED_UNSIGNED_TRAILER) {
        struct pl_str start = PL_STR("chunk-signature=");
        if (!rest.ptr || !pl_str_starts(rest, start) || rest.len != start.len + PL_SHA256_HEX - 1) {
            return refuse(r, "a chunk has no signature", true);
        }
        memcpy(r->signature, rest.ptr + start.len, PL_SHA256_HEX - 1);
    }
    r->left = n;
    r->total += n;
    r->state = n ? DATA : TRAILER;
    return n ? PAIL_OK : chunk_ended(r);
}

/* What was hashed so far are the lines before this one. */
static pail_code check_trailers(struct pl_aws_chunked_reader *r, struct pl_str signature)
{
    char hash[PL_SHA256_HEX];
    if (signature.len != PL_SHA256_HEX - 1) {
        return refuse(r, "the trailers have no signature", true);
    }
    memcpy(r->signature, signature.ptr, signature.len);
    return pl_hmac_sha256_hex(&r->hmac, pl_buf_view(&r->trailers), hash) &&
                   next_signature(r, true, hash)
               ? compare(r, "the trailers do not have the signature they say")
               : PAIL_E_NO_MEMORY;
}

static pail_code take_trailer(struct pl_aws_chunked_reader *r)
{
    struct pl_str value = pl_buf_view(&r->line);
    if (value.len == 0) {
        bool wants = r->kind == PL_AWS_CHUNKED_SIGNED_TRAILER;
        r->state = ENDED;
        return wants && !pl_str_is(pl_str_c(r->signature), r->previous)
                   ? refuse(r, "the trailers have no signature", true)
                   : PAIL_OK;
    }
    if (r->kind == PL_AWS_CHUNKED_SIGNED) {
        return refuse(r, "there are bytes behind the last chunk", false);
    }
    struct pl_str name = pl_str_trim(pl_str_split(&value, ':'));
    if (pl_str_ieq(name, PL_STR("x-amz-trailer-signature"))) {
        return check_trailers(r, pl_str_trim(value));
    }
    pl_buf_str(&r->trailers, name);
    pl_buf_putc(&r->trailers, ':');
    pl_buf_str(&r->trailers, pl_str_trim(value));
    pl_buf_putc(&r->trailers, '\n');
    /* A line that comes after the signature was not signed. */
    memset(r->signature, 0, sizeof r->signature);
    return pl_buf_rc(&r->trailers) ? refuse(r, "the trailers are too long", false) : PAIL_OK;
}

static pail_code take_line(struct pl_aws_chunked_reader *r)
{
    if (r->line.len && r->line.ptr[r->line.len - 1] == '\r') {
        r->line.ptr[--r->line.len] = '\0';
    }
    pail_code rc = r->state == HEAD ? take_head(r) : take_trailer(r);
    pl_buf_clear(&r->line);
    return rc;
}

static pail_code take_data(struct pl_aws_chunked_reader *r, const char **data, size_t *n)
{
    size_t take = *n < r->left ? *n : (size_t)r->left;
    if (r->kind != PL_AWS_CHUNKED_UNSIGNED_TRAILER) {
        pl_digest_update(&r->chunk, *data, take);
    }
    pail_code rc = r->fn(r->ctx, *data, take);
    *data += take;
    *n -= take;
    r->left -= take;
    if (rc == PAIL_OK && r->left == 0) {
        r->state = DATA_CR;
        rc = chunk_ended(r);
    }
    return rc;
}

static pail_code take_byte(struct pl_aws_chunked_reader *r, char c)
{
    switch (r->state) {
    case DATA_CR:
        r->state = DATA_LF;
        return c == '\r' ? PAIL_OK : refuse(r, "a chunk is longer than it says", false);
    case DATA_LF:
        r->state = HEAD;
        return c == '\n' ? PAIL_OK : refuse(r, "a chunk is longer than it says", false);
    case ENDED: return refuse(r, "there are bytes behind the last chunk", false);
    default: break;
    }
    if (c == '\n') {
        return take_line(r);
    }
    pl_buf_putc(&r->line, c);
    return pl_buf_rc(&r->line) ? refuse(r, "a line of the chunked body is too long", false)
                               : PAIL_OK;
}

pail_code pl_aws_chunked_read(struct pl_aws_chunked_reader *r, const char *data, size_t n)
{
    pail_code rc = PAIL_OK;
    while (rc == PAIL_OK && n) {
        if (r->state == DATA) {
            rc = take_data(r, &data, &n);
        } else {
            rc = take_byte(r, *data++);
            n--;
        }
    }
    return rc;
}

/* The last chunk is there; the empty line behind it may be missing, as with some clients. */
pail_code pl_aws_chunked_read_end(struct pl_aws_chunked_reader *r)
{
    if (r->state == TRAILER && r->line.len == 0) {
        return take_trailer(r);
    }
    return r->state == ENDED ? PAIL_OK : refuse(r, "the chunked body is cut off", false);
}

struct pl_str pl_aws_chunked_trailer(const struct pl_aws_chunked_reader *r, struct pl_str name)
{
    struct pl_str rest = pl_buf_view(&r->trailers);
    while (rest.ptr && rest.len) {
        struct pl_str value = pl_str_split(&rest, '\n');
        if (pl_str_ieq(pl_str_split(&value, ':'), name)) {
            return value;
        }
    }
    return (struct pl_str){0};
}

void pl_aws_chunked_read_dispose(struct pl_aws_chunked_reader *r)
{
    pl_hmac_dispose(&r->hmac);
    pl_digest_dispose(&r->chunk);
    pl_buf_dispose(&r->line);
    pl_buf_dispose(&r->text);
    pl_buf_dispose(&r->trailers);
    *r = (struct pl_aws_chunked_reader){0};
}
