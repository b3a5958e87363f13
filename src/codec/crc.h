/* The three CRCs of object storage, and the CRC of a concatenation from those of its parts. */
#ifndef PL_CODEC_CRC_H
#define PL_CODEC_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Running: start with 0, then give the last result. All are pure and safe from any thread. */
uint64_t pl_crc64nvme(uint64_t crc, const void *data, size_t n); /* also the CRC64 of Azure */
uint32_t pl_crc32c(uint32_t crc, const void *data, size_t n);    /* Castagnoli */
uint32_t pl_crc32(uint32_t crc, const void *data, size_t n);     /* that of zlib */

/* The CRC of a followed by b, from the CRC of each and the length of b in bytes. */
uint64_t pl_crc64nvme_combine(uint64_t a, uint64_t b, uint64_t b_bytes);
uint32_t pl_crc32c_combine(uint32_t a, uint32_t b, uint64_t b_bytes);
uint32_t pl_crc32_combine(uint32_t a, uint32_t b, uint64_t b_bytes);

/* Tests only: nothing better than this is used, as on a machine without the instructions. */
enum pl_crc_way { PL_CRC_TABLE, PL_CRC_CLMUL, PL_CRC_WIDE_CLMUL /* AVX-512 */ };
void pl_crc_use(enum pl_crc_way at_most);

#endif
