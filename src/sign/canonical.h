/* The canonical form of a request, as SigV4 and its relatives hash it. */
#ifndef PL_SIGN_CANONICAL_H
#define PL_SIGN_CANONICAL_H

#include "base/buf.h"
#include "codec/header.h"

enum { PL_CANONICAL_MAX = 80 }; /* headers, and parameters, of one request */

/* Each adds to out; false: more than PL_CANONICAL_MAX pieces. */

/* Encoded once more; with `normalize` after dot segments and double slashes are resolved. */
void pl_canonical_path(struct pl_buf *out, struct pl_str path, bool normalize);
/* Names and values decoded, encoded, sorted by name, then value. scratch: emptied and used. */
PAIL_MUST bool pl_canonical_query(struct pl_buf *out, struct pl_buf *scratch, struct pl_str query);
/* "name:value\n" for each, sorted; those of one name joined with ','. names: "a;b;c". Headers that
 * a hop may change or that are added behind the signature are left out. */
PAIL_MUST bool pl_canonical_headers(struct pl_buf *out, struct pl_buf *names,
                                    const struct pl_header *headers, size_t count);

#endif
