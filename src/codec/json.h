/* JSON of others, over jansson: bounded, no duplicate names, errors by line. */
#ifndef PL_CODEC_JSON_H
#define PL_CODEC_JSON_H

#include <jansson.h>

#include "base/error.h"

enum { PL_JSON_MAX = 40 << 20, PL_JSON_DEPTH_MAX = 32 };

/* Parses a whole text whose root is an object. name: what it is, for the message ("the token
 * endpoint's answer", a file's name). out: json_decref. Errors: PAIL_E_PROTOCOL with line and
 * column, never with the text. */
PAIL_MUST pail_code pl_json_parse(struct pl_str text, const char *name, json_t **out,
                                  struct pail_error **err);
/* The same for a text whose root is an array. */
PAIL_MUST pail_code pl_json_parse_array(struct pl_str text, const char *name, json_t **out,
                                        struct pail_error **err);
/* The member's text, as long as the object lives; NULL: it is not there or no string. */
const char *pl_json_text(const json_t *object, const char *member);
/* The member as a number, also where it is written as a string of digits ("size": "17"). */
bool pl_json_u64(const json_t *object, const char *member, uint64_t *out);

/* Frees an object after zeroing the texts in it and in the objects and arrays below; NULL is fine.
 */
void pl_json_free_secret(json_t *object);

/* Adds a string with its quotes and escapes. False: it is not UTF-8. */
PAIL_MUST bool pl_json_quote(struct pl_buf *out, struct pl_str text);

#endif
