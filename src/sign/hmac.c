#include "sign/hmac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>

#include "codec/hex.h"

/* Fetched once and kept for the life of the process. */
static EVP_MAC *hmac;
static EVP_MD *sha256;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
}

pail_code pl_hmac_init(struct pl_hmac *h, struct pail_error **err)
{
    (void)pthread_once(&once, fetch);
    if (!hmac || !sha256) {
        return pl_fail(err, PAIL_E_UNSUPPORTED, "the OpenSSL in use offers no HMAC with SHA-256");
    }
    char digest[] = "SHA2-256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    h->mac = EVP_MAC_CTX_new(hmac);
    h->hash = EVP_MD_CTX_new();
    if (!h->mac || !h->hash || EVP_MAC_CTX_set_params(h->mac, params) != 1 ||
        EVP_DigestInit_ex2(h->hash, sha256, NULL) != 1) {
        pl_hmac_dispose(h);
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory to sign requests");
    }
    return PAIL_OK;
}

bool pl_hmac_key(struct pl_hmac *h, const void *key, size_t n)
{
    return EVP_MAC_init(h->mac, key, n, NULL) == 1;
}

bool pl_hmac_sum(struct pl_hmac *h, struct pl_str text, unsigned char out[PL_SHA256_BYTES])
{
    size_t len = 0;
    return EVP_MAC_init(h->mac, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(h->mac, (const unsigned char *)text.ptr, text.len) == 1 &&
           EVP_MAC_final(h->mac, out, &len, PL_SHA256_BYTES) == 1 && len == PL_SHA256_BYTES;
}

bool pl_hmac_sha256_hex(struct pl_hmac *h, struct pl_str text, char out[PL_SHA256_HEX])
{
    unsigned char sum[PL_SHA256_BYTES];
    if (EVP_DigestInit_ex2(h->hash, NULL, NULL) != 1 ||
        EVP_DigestUpdate(h->hash, text.ptr, text.len) != 1 ||
        EVP_DigestFinal_ex(h->hash, sum, NULL) != 1) {
        return false;
    }
    pl_hex_encode(out, sum, sizeof sum);
    return true;
}

void pl_hmac_dispose(struct pl_hmac *h)
{
    EVP_MAC_CTX_free(h->mac);
    EVP_MD_CTX_free(h->hash);
    *h = (struct pl_hmac){0};
}
