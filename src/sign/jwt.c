#include "sign/jwt.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "codec/base64.h"

enum { SIGNATURE_MAX = 2048 /* bytes: an RSA key of 16,384 bits */ };

/* A key with a passphrase is refused: nobody is there to be asked. */
static int no_passphrase(char *room, int size, int for_writing, void *ctx)
{
    (void)room, (void)size, (void)for_writing, (void)ctx;
    return -1;
}

/* The first line that cannot be one of a key in PEM (RFC 7468); 0: all can. */
static unsigned bad_line(struct pl_str pem)
{
    struct pl_str line = pl_str_trim(pl_str_split(&pem, '\n'));
    unsigned n = 1;
    if (!pl_str_starts(line, PL_STR("-----BEGIN "))) {
        return n;
    }
    while (pem.ptr) {
        line = pl_str_trim(pl_str_split(&pem, '\n'));
        n++;
        if (pl_str_starts(line, PL_STR("-----END "))) {
            return 0;
        }
        for (size_t i = 0; i < line.len; i++) {
            char c = line.ptr[i];
            if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '+' || c == '/' || c == '=')) {
                return n;
            }
        }
    }
    return n; /* its end is missing */
}

static pail_code no_key(struct pl_str pem, const char *name, struct pail_error **err)
{
    unsigned line = bad_line(pem);
    pail_code rc = line ? pl_fail(err, PAIL_E_BAD_CONFIG,
                                  "%s is no RSA private key in PEM: line %u of the key", name, line)
                        : pl_fail(err, PAIL_E_BAD_CONFIG,
                                  "%s is no RSA private key in PEM without a passphrase", name);
    pl_error_hint(err, "take the file as it was downloaded: in JSON each line of the key ends with "
                       "\\n, from -----BEGIN PRIVATE KEY----- to -----END PRIVATE KEY-----");
    return rc;
}

pail_code pl_rsa_parse(struct pl_str pem, const char *name, struct evp_pkey_st **out,
                       struct pail_error **err)
{
    BIO *bio = pem.len <= INT_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
    *out = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    if (!*out || EVP_PKEY_get_base_id(*out) != EVP_PKEY_RSA ||
        EVP_PKEY_get_size(*out) > SIGNATURE_MAX) {
        EVP_PKEY_free(*out);
        *out = NULL;
        return no_key(pem, name, err);
    }
    return PAIL_OK;
}

void pl_rsa_free(struct evp_pkey_st *key)
{
    EVP_PKEY_free(key);
}

/* SPEC RFC 7518#3.5: PS256 is RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of the digest's
 * size. */
static bool set_pss(EVP_PKEY_CTX *how)
{
    return EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static pail_code sign(struct evp_pkey_st *key, bool pss, struct pl_str text, struct pl_buf *out,
                      struct pail_error **err)
{
    EVP_PKEY_CTX *how = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = SIGNATURE_MAX;
    char *room = pl_buf_reserve(out, n);
    bool fine = ctx && room && EVP_DigestSignInit(ctx, &how, EVP_sha256(), NULL, key) == 1 &&
                (!pss || set_pss(how)) &&
                EVP_DigestSign(ctx, (unsigned char *)room, &n, (const unsigned char *)text.ptr,
                               text.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    if (!fine) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "OpenSSL cannot sign with this RSA key");
    }
    out->len += n;
    return PAIL_OK;
}

pail_code pl_rsa_sign(struct evp_pkey_st *key, struct pl_str text, struct pl_buf *out,
                      struct pail_error **err)
{
    return sign(key, false, text, out, err);
}

pail_code pl_rsa_sign_pss(struct evp_pkey_st *key, struct pl_str text, struct pl_buf *out,
                          struct pail_error **err)
{
    return sign(key, true, text, out, err);
}

void pl_base64url(struct pl_buf *out, struct pl_str bytes)
{
    size_t start = out->len;
    pl_base64_encode(out, bytes.ptr, bytes.len);
    if (pl_buf_rc(out)) {
        return;
    }
    while (out->len > start && out->ptr[out->len - 1] == '=') {
        out->ptr[--out->len] = '\0';
    }
    for (size_t i = start; i < out->len; i++) {
        char c = out->ptr[i];
        out->ptr[i] = c == '+' ? '-' : c == '/' ? '_' : c;
    }
}

pail_code pl_jwt_rs256(struct evp_pkey_st *key, struct pl_str header, struct pl_str claims,
                       struct pl_buf *out, struct pail_error **err)
{
    struct pl_buf signature = PL_BUF_MAX(2 * SIGNATURE_MAX);
    size_t start = out->len;
    pl_base64url(out, header);
    pl_buf_putc(out, '.');
    pl_base64url(out, claims);
    pail_code rc = pl_buf_rc(out);
    rc = rc ? pl_fail(err, rc, "no room for a token")
            : pl_rsa_sign(key, pl_str_n(out->ptr + start, out->len - start), &signature, err);
    if (!rc) {
        pl_buf_putc(out, '.');
        pl_base64url(out, pl_buf_view(&signature));
        rc = pl_buf_rc(out) ? pl_fail(err, pl_buf_rc(out), "no room for a token") : PAIL_OK;
    }
    pl_buf_dispose(&signature);
    return rc;
}
