/* Checksums by name, computed piece by piece. */
#ifndef PL_CODEC_DIGEST_H
#define PL_CODEC_DIGEST_H

#include "base/error.h"
#include "codec/base64.h"

enum pl_sum {
    PL_SUM_NONE,
    PL_SUM_CRC64NVME,
    PL_SUM_CRC32C,
    PL_SUM_CRC32,
    PL_SUM_SHA256,
    PL_SUM_SHA1,
    PL_SUM_MD5,
};
enum { PL_SUM_BYTES_MAX = 32, PL_SUM_BASE64_MAX = PL_BASE64_SIZE(PL_SUM_BYTES_MAX) };

/* Zero: nothing to dispose of. Not copied while in use. */
struct pl_digest {
    enum pl_sum sum;
    uint64_t crc;
    struct evp_md_ctx_st *hash; /* NULL for a CRC */
    bool failed;                /* sticky: the hash refused an update */
};

/* The bytes of a finished checksum: a CRC big-endian, as AWS and Google write it. */
struct pl_sum_value {
    unsigned char bytes[PL_SUM_BYTES_MAX];
    size_t len;
};

/* "crc64nvme", "crc32c", "crc32", "sha256", "sha1", "md5"; "none". */
const char *pl_sum_name(enum pl_sum sum);
enum pl_sum pl_sum_by_name(struct pl_str name); /* without case; PL_SUM_NONE: unknown */
size_t pl_sum_size(enum pl_sum sum);            /* in bytes */

/* Errors: PAIL_E_UNSUPPORTED where OpenSSL's configuration has no such hash (MD5 under FIPS). */
PAIL_MUST pail_code pl_digest_init(struct pl_digest *d, enum pl_sum sum, struct pail_error **err);
void pl_digest_update(struct pl_digest *d, const void *data, size_t n);
/* Ends it; init again before more. */
PAIL_MUST pail_code pl_digest_final(struct pl_digest *d, struct pl_sum_value *out,
                                    struct pail_error **err);
void pl_digest_dispose(struct pl_digest *d);

/* All at once. */
PAIL_MUST pail_code pl_sum_of(enum pl_sum sum, const void *data, size_t n, struct pl_sum_value *out,
                              struct pail_error **err);
/* As the value of x-amz-checksum-NAME and Content-MD5; NUL-terminated. Returns out. */
const char *pl_sum_base64(const struct pl_sum_value *v, char out[PL_SUM_BASE64_MAX]);
/* Of a CRC kept as a number. */
struct pl_sum_value pl_sum_of_crc(enum pl_sum sum, uint64_t crc);

#endif
