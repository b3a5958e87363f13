/* Dates as HTTP, ISO 8601 and the AWS signature write them; all in UTC, as Unix milliseconds. */
#ifndef PL_CODEC_DATE_H
#define PL_CODEC_DATE_H

#include "base/str.h"

enum { PL_DATE_HTTP_SIZE = 30, PL_DATE_ISO_SIZE = 25, PL_DATE_BASIC_SIZE = 17 }; /* with a NUL */

/* Each writes its size above and returns out. Years 0 to 9999; others are taken to the nearest. */
const char *pl_date_http(int64_t ms,
                         char out[PL_DATE_HTTP_SIZE]);           /* Sun, 06 Nov 1994 08:49:37 GMT */
const char *pl_date_iso(int64_t ms, char out[PL_DATE_ISO_SIZE]); /* 1994-11-06T08:49:37.000Z */
const char *pl_date_basic(int64_t ms, char out[PL_DATE_BASIC_SIZE]); /* 19941106T084937Z */

/* False: not that form, or no such day. */
bool pl_date_http_parse(struct pl_str text, int64_t *ms); /* IMF-fixdate of RFC 7231 7.1.1.1 */
/* Any fraction of a second; Z or an offset. */
bool pl_date_iso_parse(struct pl_str text, int64_t *ms);
bool pl_date_basic_parse(struct pl_str text, int64_t *ms);

#endif
