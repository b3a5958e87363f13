#include "sign/azure_assertion.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "codec/json.h"
#include "sign/jwt.h"

enum { SIGNATURE_MAX = 2048, TEXT_MAX = 16 * 1024, SERVES_S = 600, CERTIFICATES_MAX = 64 };

/* OpenSSL asks where a key is encrypted; asked is how we know that it was. */
struct passphrase {
    const char *text;
    bool asked;
};

static int give_passphrase(char *room, int size, int for_writing, void *ctx)
{
    struct passphrase *p = ctx;
    size_t n = p->text ? strlen(p->text) : 0;
    (void)for_writing;
    p->asked = true;
    if (!n || size <= 0 || n > (size_t)size) {
        return -1;
    }
    memcpy(room, p->text, n);
    return (int)n;
}

/* The line on which a block of this kind begins (RFC 7468); 0: there is none. */
static unsigned line_of(struct pl_str pem, const char *kind)
{
    for (unsigned n = 1; pem.ptr; n++) {
        struct pl_str line = pl_str_trim(pl_str_split(&pem, '\n'));
        if (pl_str_starts(line, PL_STR("-----BEGIN ")) &&
            memmem(line.ptr, line.len, kind, strlen(kind))) {
            return n;
        }
    }
    return 0;
}

static pail_code read_key(struct pl_str pem, const char *password, const char *name,
                          struct evp_pkey_st **out, struct pail_error **err)
{
    struct passphrase phrase = {.text = password};
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    *out = bio ? PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &phrase) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    if (!*out && phrase.asked) {
        return pl_fail(err, PAIL_E_BAD_CONFIG, "the key in %s is encrypted, and %s", name,
                       password ? "its password is another one" : "no password is given");
    }
    if (!*out || EVP_PKEY_get_base_id(*out) != EVP_PKEY_RSA ||
        EVP_PKEY_get_size(*out) > SIGNATURE_MAX) {
        unsigned line = line_of(pem, "PRIVATE KEY");
        return line ? pl_fail(err, PAIL_E_BAD_CONFIG,
                              "what begins on line %u of %s is no private RSA key in PEM", line,
                              name)
                    : pl_fail(err, PAIL_E_BAD_CONFIG, "%s has no private RSA key in PEM", name);
    }
    return PAIL_OK;
}

/* Among the certificates of a chain, that of the key. */
static bool read_certificate(struct pl_str pem, struct pl_azure_certificate *c)
{
    bool found = false;
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    for (int i = 0; bio && !found && i < CERTIFICATES_MAX; i++) {
        unsigned int n = 0;
        X509 *one = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (!one) {
            break;
        }
        found = X509_check_private_key(one, c->key) == 1 &&
                X509_digest(one, EVP_sha256(), c->sha256, &n) == 1 && n == sizeof c->sha256;
        X509_free(one);
    }
    BIO_free(bio);
    ERR_clear_error();
    return found;
}

pail_code pl_azure_certificate_parse(struct pl_str pem, const char *password, const char *name,
                                     struct pl_azure_certificate *out, struct pail_error **err)
{
    *out = (struct pl_azure_certificate){0};
    pail_code rc = pem.len <= INT_MAX ? read_key(pem, password, name, &out->key, err)
                                      : pl_fail(err, PAIL_E_TOO_LARGE, "%s is too large", name);
    if (!rc && !read_certificate(pem, out)) {
        rc = pl_fail(err, PAIL_E_BAD_CONFIG, "%s has no certificate of its key", name);
    }
    if (rc) {
        pl_azure_certificate_dispose(out);
    }
    return rc;
}

void pl_azure_certificate_dispose(struct pl_azure_certificate *c)
{
    EVP_PKEY_free(c->key);
    *c = (struct pl_azure_certificate){0};
}

/* SPEC "certificate credentials", header and claims. */
static bool write_texts(const struct pl_azure_certificate *c, const struct pl_azure_claims *claims,
                        struct pl_buf *header, struct pl_buf *body)
{
    const struct {
        const char *name, *value;
    } texts[] = {{"aud", claims->audience},
                 {"iss", claims->client},
                 {"sub", claims->client},
                 {"jti", claims->id}};
    bool fine = true;
    pl_buf_puts(header, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"");
    pl_base64url(header, pl_str_n((const char *)c->sha256, sizeof c->sha256));
    pl_buf_puts(header, "\"}");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        pl_buf_printf(body, "%c\"%s\":", i ? ',' : '{', texts[i].name);
        fine = fine && pl_json_quote(body, pl_str_c(texts[i].value));
    }
    pl_buf_printf(body, ",\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld}", (long long)claims->now_s,
                  (long long)claims->now_s, (long long)claims->now_s + SERVES_S);
    return fine;
}

pail_code pl_azure_assertion(const struct pl_azure_certificate *c,
                             const struct pl_azure_claims *claims, struct pl_buf *out,
                             struct pail_error **err)
{
    struct pl_buf header = PL_BUF_MAX(TEXT_MAX), body = PL_BUF_MAX(TEXT_MAX);
    struct pl_buf signature = PL_BUF_MAX(SIGNATURE_MAX);
    size_t start = out->len;
    pail_code rc = write_texts(c, claims, &header, &body)
                       ? PAIL_OK
                       : pl_fail(err, PAIL_E_BAD_CONFIG, "the client id is no UTF-8");
    rc = rc ? rc : pl_buf_rc(&header);
    rc = rc ? rc : pl_buf_rc(&body);
    pl_base64url(out, pl_buf_view(&header));
    pl_buf_putc(out, '.');
    pl_base64url(out, pl_buf_view(&body));
    rc = rc ? rc : pl_buf_rc(out);
    rc =
        rc ? pl_fail(err, rc, "no room for a token")
           : pl_rsa_sign_pss(c->key, pl_str_n(out->ptr + start, out->len - start), &signature, err);
    if (!rc) {
        pl_buf_putc(out, '.');
        pl_base64url(out, pl_buf_view(&signature));
        rc = pl_buf_rc(out) ? pl_fail(err, pl_buf_rc(out), "no room for a token") : PAIL_OK;
    }
    pl_buf_dispose(&header);
    pl_buf_dispose(&body);
    pl_buf_dispose(&signature);
    return rc;
}
