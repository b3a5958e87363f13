#include "api/url.h"

#include "api/registry.h"
#include "base/str.h"

/* The bucket ends at the first slash; all behind that is the raw key. A query counts only before
 * any slash. */
static void split(struct pl_str rest, struct pl_target *out)
{
    size_t end = 0;
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?') {
        end++;
    }
    struct pl_str behind =
        end < rest.len ? pl_str_n(rest.ptr + end + 1, rest.len - end - 1) : (struct pl_str){0};
    if (end) {
        out->bucket = pl_str_n(rest.ptr, end);
    }
    if (end < rest.len && rest.ptr[end] == '/') {
        out->key = behind.len ? behind : (struct pl_str){0};
    } else if (end < rest.len) {
        out->query = behind;
    }
}

static pail_code unknown_scheme(struct pl_str scheme, struct pail_error **err)
{
    char name[32];
    size_t n = scheme.len < sizeof name - 1 ? scheme.len : sizeof name - 1;
    memcpy(name, scheme.ptr, n);
    name[n] = '\0';
    const char *near = pl_registry_nearest(name);
    pl_fail(err, PAIL_E_BAD_CONFIG, "unknown scheme \"%s:\"%s%s%s", name,
            near ? "; did you mean \"" : "", near ? near : "", near ? ":\"?" : "");
    pl_error_hint(err, "the schemes of this build are %s", pl_registry_schemes());
    return PAIL_E_BAD_CONFIG;
}

pail_code pl_target_parse(const char *url, struct pl_target *out, struct pail_error **err)
{
    *out = (struct pl_target){0};
    struct pl_str text = pl_str_c(url ? url : "local:");
    const char *colon = memchr(text.ptr, ':', text.len);
    if (!colon) {
        pl_fail(err, PAIL_E_BAD_CONFIG, "\"%.80s\" has no scheme", url);
        pl_error_hint(err, "write local:%.80s or s3://%.80s", url, url);
        return PAIL_E_BAD_CONFIG;
    }
    struct pl_str scheme = pl_str_n(text.ptr, (size_t)(colon - text.ptr));
    out->scheme = pl_registry_scheme(scheme);
    if (!out->scheme) {
        return unknown_scheme(scheme, err);
    }
    struct pl_str rest = pl_str_n(colon + 1, text.len - scheme.len - 1);
    if (pl_str_starts(rest, PL_STR("//"))) {
        rest = pl_str_n(rest.ptr + 2, rest.len - 2);
    }
    if (strcmp(out->scheme, "file") == 0) {
        out->path = rest;
        return rest.len && rest.ptr[0] == '/'
                   ? PAIL_OK
                   : pl_fail(err, PAIL_E_BAD_CONFIG,
                             "\"%.80s\" names no absolute folder; write file:///dir", url);
    }
    split(rest, out);
    return PAIL_OK;
}

PAIL_API pail_code pail_split_url(const char *url, char **account, char **bucket, char **key,
                                  pail_error **err)
{
    struct pl_target t;
    *account = *bucket = *key = NULL;
    pail_code rc = pl_target_parse(url, &t, err);
    if (rc) {
        return rc;
    }
    bool is_file = t.path.ptr != NULL;
    struct pl_buf b = PL_BUF_MAX(1 << 20);
    pl_buf_printf(&b, "%s://", t.scheme);
    pl_buf_str(&b, is_file ? t.path : pl_str_n("?", t.query.ptr ? 1 : 0));
    pl_buf_str(&b, is_file || !t.query.ptr ? PL_STR("") : t.query);
    pl_buf_putc(&b, '\0');
    size_t bucket_at = b.len;
    pl_buf_str(&b, t.bucket.ptr ? t.bucket : PL_STR(""));
    pl_buf_putc(&b, '\0');
    size_t key_at = b.len;
    pl_buf_str(&b, t.key.ptr ? t.key : PL_STR(""));
    char *all = pl_buf_take(&b);
    if (!all) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a URL");
    }
    *account = all;
    *bucket = t.bucket.ptr ? all + bucket_at : NULL;
    *key = t.key.ptr ? all + key_at : NULL;
    return PAIL_OK;
}
