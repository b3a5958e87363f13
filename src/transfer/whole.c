#include "transfer/whole.h"

enum { CHUNK = 256 << 10 };

#define MD5 "md5:"

void pl_whole_begin(struct pl_whole *w, const pail_info *info)
{
    w->active = info->checksum && pl_str_starts(pl_str_c(info->checksum), PL_STR(MD5)) &&
                !pl_digest_init(&w->digest, PL_SUM_MD5, NULL);
}

static bool add_file(struct pl_whole *w, struct pl_body *body)
{
    char *chunk = pl_alloc(CHUNK);
    bool fine = chunk != NULL;
    for (uint64_t at = 0; fine && at < body->len; at += CHUNK) {
        size_t n = body->len - at < CHUNK ? (size_t)(body->len - at) : CHUNK;
        fine = pl_body_read(body, at, chunk, n);
        pl_digest_update(&w->digest, chunk, fine ? n : 0);
    }
    pl_free(chunk);
    return fine;
}

void pl_whole_add(struct pl_whole *w, const struct pl_sink *sink, const char *buffer, uint64_t at,
                  uint64_t len)
{
    struct pl_body body = {0};
    if (!w->active) {
        return;
    }
    if (buffer) {
        pl_digest_update(&w->digest, buffer, (size_t)len);
        return;
    }
    pl_sink_body(sink, at, len, &body);
    if (body.kind == PL_BODY_MEM) {
        pl_digest_update(&w->digest, body.ptr, (size_t)len);
    } else {
        w->active = add_file(w, &body);
    }
}

pail_code pl_whole_check(struct pl_whole *w, const pail_info *info, struct pail_error **err)
{
    struct pl_sum_value value;
    char text[PL_SUM_BASE64_MAX];
    if (!w->active || pl_digest_final(&w->digest, &value, NULL)) {
        return PAIL_OK;
    }
    const char *want = info->checksum + sizeof MD5 - 1;
    if (strcmp(pl_sum_base64(&value, text), want) == 0) {
        return PAIL_OK;
    }
    pl_fail(err, PAIL_E_CHECKSUM, "the bytes that came have md5 %s, the object has %s", text, want);
    pl_error_hint(err, "try again; if it stays so, the stored object is damaged");
    return PAIL_E_CHECKSUM;
}

void pl_whole_dispose(struct pl_whole *w)
{
    pl_digest_dispose(&w->digest);
    *w = (struct pl_whole){0};
}
