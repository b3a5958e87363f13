#include "codec/digest.h"

#include <openssl/evp.h>
#include <pthread.h>

#include "codec/crc.h"

static const struct {
    const char *name, *openssl;
    size_t size;
} sums[] = {
    [PL_SUM_NONE] = {"none", NULL, 0},
    [PL_SUM_CRC64NVME] = {"crc64nvme", NULL, 8},
    [PL_SUM_CRC32C] = {"crc32c", NULL, 4},
    [PL_SUM_CRC32] = {"crc32", NULL, 4},
    [PL_SUM_SHA256] = {"sha256", "SHA2-256", 32},
    [PL_SUM_SHA1] = {"sha1", "SHA1", 20},
    [PL_SUM_MD5] = {"md5", "MD5", 16},
};
enum { SUMS = sizeof sums / sizeof *sums };

/* Fetched once and kept for the life of the process: a fetch costs more than hashing 4 KiB. */
static EVP_MD *hashes[SUMS];
static pthread_once_t hashes_once = PTHREAD_ONCE_INIT;

static void fetch_hashes(void)
{
    for (int i = 0; i < SUMS; i++) {
        hashes[i] = sums[i].openssl ? EVP_MD_fetch(NULL, sums[i].openssl, NULL) : NULL;
    }
}

const char *pl_sum_name(enum pl_sum sum)
{
    return sums[sum].name;
}

enum pl_sum pl_sum_by_name(struct pl_str name)
{
    for (int i = PL_SUM_CRC64NVME; i < SUMS; i++) {
        if (pl_str_ieq(name, pl_str_c(sums[i].name))) {
            return (enum pl_sum)i;
        }
    }
    return PL_SUM_NONE;
}

size_t pl_sum_size(enum pl_sum sum)
{
    return sums[sum].size;
}

static pail_code init_hash(struct pl_digest *d, struct pail_error **err)
{
    (void)pthread_once(&hashes_once, fetch_hashes);
    EVP_MD *md = hashes[d->sum];
    if (!md) {
        pail_code rc =
            pl_fail(err, PAIL_E_UNSUPPORTED, "the OpenSSL in use offers no %s", sums[d->sum].name);
        pl_error_hint(err, "its FIPS provider has none; choose crc32c or sha256 instead");
        return rc;
    }
    if (!d->hash) {
        d->hash = EVP_MD_CTX_new();
    }
    if (!d->hash || EVP_DigestInit_ex2(d->hash, md, NULL) != 1) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a %s", sums[d->sum].name);
    }
    return PAIL_OK;
}

pail_code pl_digest_init(struct pl_digest *d, enum pl_sum sum, struct pail_error **err)
{
    d->sum = sum;
    d->crc = 0;
    d->failed = false;
    return sums[sum].openssl ? init_hash(d, err) : PAIL_OK;
}

void pl_digest_update(struct pl_digest *d, const void *data, size_t n)
{
    switch (d->sum) {
    case PL_SUM_NONE: break;
    case PL_SUM_CRC64NVME: d->crc = pl_crc64nvme(d->crc, data, n); break;
    case PL_SUM_CRC32C: d->crc = pl_crc32c((uint32_t)d->crc, data, n); break;
    case PL_SUM_CRC32: d->crc = pl_crc32((uint32_t)d->crc, data, n); break;
    case PL_SUM_SHA256:
    case PL_SUM_SHA1:
    case PL_SUM_MD5: d->failed |= !d->hash || EVP_DigestUpdate(d->hash, data, n) != 1; break;
    }
}

struct pl_sum_value pl_sum_of_crc(enum pl_sum sum, uint64_t crc)
{
    struct pl_sum_value v = {.len = sums[sum].size};
    for (size_t i = v.len; i > 0; i--, crc >>= 8) {
        v.bytes[i - 1] = (unsigned char)(crc & 0xff);
    }
    return v;
}

pail_code pl_digest_final(struct pl_digest *d, struct pl_sum_value *out, struct pail_error **err)
{
    if (!sums[d->sum].openssl) {
        *out = pl_sum_of_crc(d->sum, d->crc);
        return PAIL_OK;
    }
    unsigned len = 0;
    if (d->failed || !d->hash || EVP_DigestFinal_ex(d->hash, out->bytes, &len) != 1) {
        return pl_fail(err, PAIL_E_INTERNAL, "OpenSSL could not compute a %s", sums[d->sum].name);
    }
    out->len = len;
    return PAIL_OK;
}

void pl_digest_dispose(struct pl_digest *d)
{
    EVP_MD_CTX_free(d->hash);
    *d = (struct pl_digest){0};
}

pail_code pl_sum_of(enum pl_sum sum, const void *data, size_t n, struct pl_sum_value *out,
                    struct pail_error **err)
{
    struct pl_digest d = {0};
    pail_code rc = pl_digest_init(&d, sum, err);
    if (!rc) {
        pl_digest_update(&d, data, n);
        rc = pl_digest_final(&d, out, err);
    }
    pl_digest_dispose(&d);
    return rc;
}

const char *pl_sum_base64(const struct pl_sum_value *v, char out[PL_SUM_BASE64_MAX])
{
    pl_base64_text(out, v->bytes, v->len);
    return out;
}
