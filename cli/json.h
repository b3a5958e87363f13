/* JSON lines on standard output: one object a line with "v" and "type" first. */
#ifndef PAIL_CLI_JSON_H
#define PAIL_CLI_JSON_H

#include <pail.h>

void json_begin(const char *type);
/* Nothing where value is NULL. Text that is not UTF-8 goes as NAME_b64 in base64. */
void json_text(const char *name, const char *value);
void json_int(const char *name, int64_t value);
void json_uint(const char *name, uint64_t value);
void json_bool(const char *name, bool value);
/* RFC 3339 with milliseconds; nothing where unknown. */
void json_time(const char *name, int64_t unix_ms);
/* An object of names and values; nothing where there are none. */
void json_pairs(const char *name, const pail_kv *pairs, size_t count);
void json_end(void);

/* What is known of an object, version, upload or prefix, and its URL. */
void json_info(const char *type, const char *url, const char *bucket, const pail_info *info);

#endif
