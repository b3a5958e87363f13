#include "sign/aws_chunked.h"

#include "codec/hex.h"

/* Sources: Amazon S3 API Reference, "Signature calculations for the Authorization header:
 * transferring payload in multiple chunks" and "... including trailing headers". */

enum {
    CRLF = 2,
    SIGNATURE = sizeof ";chunk-signature=" - 1 + 64,
    TRAILER_SIGNATURE = sizeof "x-amz-trailer-signature:" - 1 + 64
};

static uint64_t hex_digits(uint64_t n)
{
    uint64_t digits = 1;
    for (; n > 15; n >>= 4) {
        digits++;
    }
    return digits;
}

static uint64_t frame(enum pl_aws_chunked_kind kind, uint64_t n)
{
    bool is_signed = kind != PL_AWS_CHUNKED_UNSIGNED_TRAILER;
    return hex_digits(n) + (is_signed ? SIGNATURE : 0) + CRLF;
}

uint64_t pl_aws_chunked_length(enum pl_aws_chunked_kind kind, uint64_t body_bytes,
                               uint64_t chunk_bytes, size_t trailer_name, size_t trailer_value)
{
    uint64_t rest = body_bytes % chunk_bytes;
    uint64_t total = body_bytes / chunk_bytes * (frame(kind, chunk_bytes) + chunk_bytes + CRLF);
    total += rest ? frame(kind, rest) + rest + CRLF : 0;
    total += frame(kind, 0) + CRLF; /* the last chunk, and the empty line at the end */
    total += kind != PL_AWS_CHUNKED_SIGNED ? trailer_name + 1 + trailer_value + CRLF : 0;
    total += kind == PL_AWS_CHUNKED_SIGNED_TRAILER ? TRAILER_SIGNATURE + CRLF : 0;
    return total;
}

pail_code pl_aws_chunked_init(struct pl_aws_chunked *c, enum pl_aws_chunked_kind kind,
                              const struct pl_sigv4 *signer, const struct pl_sigv4_identity *who,
                              struct pail_error **err)
{
    *c = (struct pl_aws_chunked){
        .kind = kind, .text = PL_BUF_MAX(64 << 10), .scope = PL_BUF_MAX(64 << 10)};
    if (kind == PL_AWS_CHUNKED_UNSIGNED_TRAILER) {
        return PAIL_OK;
    }
    pail_code rc = pl_hmac_init(&c->hmac, err);
    if (rc) {
        return rc;
    }
    memcpy(c->previous, signer->signature, sizeof c->previous);
    pl_buf_printf(&c->scope, "%s\n%.8s/%.*s/%.*s/aws4_request\n", signer->date, signer->date,
                  (int)who->region.len, who->region.ptr, (int)who->service.len, who->service.ptr);
    if (!pl_hmac_key(&c->hmac, signer->key, sizeof signer->key) || pl_buf_rc(&c->scope)) {
        rc = pl_fail(err, PAIL_E_NO_MEMORY, "no memory to sign a chunked body");
    }
    return rc;
}

/* SPEC S3 "Calculating the signature of a chunk": algorithm, time and scope, the signature before
 * this one, [the hash of nothing,] the hash of the bytes; its own signature goes into the next. */
static bool chain(struct pl_aws_chunked *c, const char *algorithm, bool empty_hash,
                  struct pl_str data)
{
    char hash[PL_SHA256_HEX];
    unsigned char mac[PL_SHA256_BYTES];
    if (!pl_hmac_sha256_hex(&c->hmac, data, hash)) {
        return false;
    }
    pl_buf_clear(&c->text);
    pl_buf_puts(&c->text, algorithm);
    pl_buf_str(&c->text, pl_buf_view(&c->scope));
    pl_buf_puts(&c->text, c->previous);
    pl_buf_putc(&c->text, '\n');
    if (empty_hash) {
        pl_buf_str(&c->text, PL_SIGV4_EMPTY_HASH);
        pl_buf_putc(&c->text, '\n');
    }
    pl_buf_puts(&c->text, hash);
    if (pl_buf_rc(&c->text) || !pl_hmac_sum(&c->hmac, pl_buf_view(&c->text), mac)) {
        return false;
    }
    pl_hex_encode(c->previous, mac, sizeof mac);
    return true;
}

static bool add_head(struct pl_aws_chunked *c, struct pl_buf *out, struct pl_str data)
{
    pl_buf_printf(out, "%zx", data.len);
    if (c->kind != PL_AWS_CHUNKED_UNSIGNED_TRAILER) {
        if (!chain(c, "AWS4-HMAC-SHA256-PAYLOAD\n", true, data)) {
            return false;
        }
        pl_buf_puts(out, ";chunk-signature=");
        pl_buf_puts(out, c->previous);
    }
    pl_buf_puts(out, "\r\n");
    return true;
}

static pail_code finish(const struct pl_buf *out, bool ok, struct pail_error **err)
{
    return ok && !pl_buf_rc(out) ? PAIL_OK
                                 : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a chunked body");
}

pail_code pl_aws_chunked_head(struct pl_aws_chunked *c, struct pl_buf *out, const void *data,
                              size_t n, struct pail_error **err)
{
    return finish(out, add_head(c, out, pl_str_n(data, n)), err);
}

pail_code pl_aws_chunked_end(struct pl_aws_chunked *c, struct pl_buf *out, struct pl_str name,
                             struct pl_str value, struct pail_error **err)
{
    bool ok = add_head(c, out, PL_STR(""));
    if (ok && c->kind != PL_AWS_CHUNKED_SIGNED) {
        struct pl_buf line = PL_BUF_MAX(64 << 10);
        pl_buf_str(&line, name);
        pl_buf_putc(&line, ':');
        pl_buf_str(&line, value);
        pl_buf_str(out, pl_buf_view(&line));
        pl_buf_puts(out, "\r\n");
        pl_buf_putc(&line, '\n'); /* the hash is over lines that end in LF alone */
        ok = !pl_buf_rc(&line);
        if (ok && c->kind == PL_AWS_CHUNKED_SIGNED_TRAILER) {
            ok = chain(c, "AWS4-HMAC-SHA256-TRAILER\n", false, pl_buf_view(&line));
            pl_buf_puts(out, "x-amz-trailer-signature:");
            pl_buf_puts(out, c->previous);
            pl_buf_puts(out, "\r\n");
        }
        pl_buf_dispose(&line);
    }
    pl_buf_puts(out, "\r\n");
    return finish(out, ok, err);
}

void pl_aws_chunked_dispose(struct pl_aws_chunked *c)
{
    pl_hmac_dispose(&c->hmac);
    pl_buf_dispose(&c->text);
    pl_buf_dispose(&c->scope);
    *c = (struct pl_aws_chunked){0};
}
