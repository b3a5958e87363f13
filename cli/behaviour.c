#include "behaviour.h"

#include "cli.h"
#include "mem.h"

#include <string.h>

static const char text[] = "The quick brown fox jumps over the lazy dog";
enum { TEXT_BYTES = sizeof text - 1 };
#define TEXT_BODY PAIL_BUF(text, TEXT_BYTES)

/* ---- helpers: keys below the prefix, and comparing what came back ---- */

static char *key_of(const struct scratch *s, const char *name)
{
    return mem_printf("%s%s", s->prefix, name);
}

static pail_code put(const struct scratch *s, const char *name, const pail_put_opts *more,
                     pail_error **err)
{
    pail_put_opts opts = more != NULL ? *more : (pail_put_opts){0};
    opts.size = sizeof opts;
    opts.call = cli_call();
    char *key = key_of(s, name);
    pail_code code = pail_put(s->bucket, key, TEXT_BODY, &opts, NULL, err);
    mem_free(key);
    return code;
}

static pail_code wrong_unless(bool right)
{
    return right ? PAIL_OK : PAIL_E_INTERNAL;
}

/* The range of `name` must be `want`. */
static pail_code get(const struct scratch *s, const char *name, pail_range range, const char *want,
                     pail_error **err)
{
    char room[256];
    char *key = key_of(s, name);
    pail_body body = {.buf = room, .len = sizeof room};
    pail_get_opts opts = {.size = sizeof opts, .call = cli_call(), .range = range};
    pail_code code = pail_get(s->bucket, key, &body, &opts, NULL, err);
    mem_free(key);
    return code ? code
                : wrong_unless(body.used == strlen(want) && memcmp(room, want, body.used) == 0);
}

static pail_code stat_of(const struct scratch *s, const char *name, pail_info **info,
                         pail_error **err)
{
    char *key = key_of(s, name);
    pail_stat_opts opts = {.size = sizeof opts, .call = cli_call()};
    pail_code code = pail_stat(s->bucket, key, &opts, info, err);
    mem_free(key);
    return code;
}

/* A call that must end with `want`: another end is wrong, an error that is no answer stays one. */
static pail_code must_be(pail_code code, pail_code want, pail_error **err)
{
    if (code != want && code != PAIL_OK) {
        return code;
    }
    pail_error_free(*err);
    *err = NULL;
    return wrong_unless(code == want);
}

static bool is(const char *got, const char *want)
{
    return got != NULL && strcmp(got, want) == 0;
}

/* ---- bytes ---- */

static pail_code put_and_get(const struct scratch *s, pail_error **err)
{
    pail_code code = put(s, "plain", NULL, err);
    return code ? code : get(s, "plain", (pail_range){0}, text, err);
}

static pail_code empty_object(const struct scratch *s, pail_error **err)
{
    char *key = key_of(s, "empty");
    pail_code code = pail_put(s->bucket, key, PAIL_BUF("", 0), NULL, NULL, err);
    mem_free(key);
    return code ? code : get(s, "empty", (pail_range){0}, "", err);
}

static pail_code ranges(const struct scratch *s, pail_error **err)
{
    pail_code code = put(s, "plain", NULL, err);
    return code ? code : get(s, "plain", (pail_range){.offset = 4, .length = 5}, "quick", err);
}

static pail_code suffix(const struct scratch *s, pail_error **err)
{
    pail_code code = put(s, "plain", NULL, err);
    return code ? code : get(s, "plain", (pail_range){.suffix = 3}, "dog", err);
}

static pail_code missing(const struct scratch *s, pail_error **err)
{
    return must_be(get(s, "no such key", (pail_range){0}, "", err), PAIL_E_NOT_FOUND, err);
}

static pail_code any_key(const struct scratch *s, pail_error **err)
{
    static const char *const names[] = {"a b+c", "p/\xc3\xa9", "a//b", "q?x=1#f", "%41", "..x"};
    pail_code code = PAIL_OK;
    for (size_t i = 0; code == PAIL_OK && i < CLI_COUNT(names); i++) {
        code = put(s, names[i], NULL, err);
        code = code ? code : get(s, names[i], (pail_range){0}, text, err);
    }
    return code;
}

static int64_t feed(void *buf, size_t n, void *ctx)
{
    uint64_t *left = ctx;
    n = n < *left ? n : (size_t)*left;
    memset(buf, 'x', n);
    *left -= n;
    return (int64_t)n;
}

static pail_code put_parts(const struct scratch *s, const char *name, const pail_conditions *cond,
                           pail_error **err)
{
    uint64_t part = pail_client_limit(pail_bucket_client(s->bucket), PAIL_LIMIT_PART_MIN);
    part = part > 65536 ? part : 65536;
    uint64_t size = part + 1, left = size;
    pail_put_opts opts = {.size = sizeof opts, .call = cli_call(), .part_size = part};
    opts.cond = cond != NULL ? *cond : opts.cond;
    char *key = key_of(s, name);
    pail_info *info = NULL;
    pail_code code = pail_put(s->bucket, key, PAIL_FN(feed, &left), &opts, NULL, err);
    code = code ? code : pail_stat(s->bucket, key, NULL, &info, err);
    code = code ? code : wrong_unless(info->size == size);
    pail_info_free(info);
    mem_free(key);
    return code;
}

static pail_code parts(const struct scratch *s, pail_error **err)
{
    return put_parts(s, "parts", NULL, err);
}

/* ---- what stands beside the bytes ---- */

static pail_code attributes(const struct scratch *s, pail_error **err)
{
    pail_put_opts opts = {.attr = {.content_type = "text/x-pail", .cache_control = "no-cache"}};
    pail_info *info = NULL;
    pail_code code = put(s, "typed", &opts, err);
    code = code ? code : stat_of(s, "typed", &info, err);
    code = code ? code
                : wrong_unless(is(info->content_type, "text/x-pail") &&
                               is(info->cache_control, "no-cache"));
    pail_info_free(info);
    return code;
}

static pail_code metadata(const struct scratch *s, pail_error **err)
{
    pail_kv pairs[] = {{"color", "blue"}};
    pail_put_opts opts = {.attr = {.metadata = pairs, .metadata_count = 1}};
    pail_info *info = NULL;
    pail_code code = put(s, "meta", &opts, err);
    code = code ? code : stat_of(s, "meta", &info, err);
    code = code ? code
                : wrong_unless(info->metadata_count == 1 && is(info->metadata[0].name, "color") &&
                               is(info->metadata[0].value, "blue"));
    pail_info_free(info);
    return code;
}

static pail_code tags(const struct scratch *s, pail_error **err)
{
    pail_kv pairs[] = {{"team", "red"}};
    pail_info *info = NULL;
    char *key = key_of(s, "tagged");
    pail_code code = put(s, "tagged", NULL, err);
    code = code ? code : pail_tags_set(s->bucket, key, pairs, 1, NULL, err);
    code = code ? code : pail_tags_get(s->bucket, key, NULL, &info, err);
    code = code ? code : wrong_unless(info->tag_count == 1 && is(info->tags[0].value, "red"));
    pail_info_free(info);
    mem_free(key);
    return code;
}

/* SPEC RFC 1321 A.5 has the MD5 of other texts; this one's is that of the usual pangram. */
static pail_code etag_md5(const struct scratch *s, pail_error **err)
{
    pail_info *info = NULL;
    pail_code code = put(s, "plain", NULL, err);
    code = code ? code : stat_of(s, "plain", &info, err);
    code = code                                                 ? code
           : is(info->etag, "9e107d9d372bb6826bd81d3542a419d6") ? PAIL_OK
                                                                : PAIL_E_UNSUPPORTED;
    pail_info_free(info);
    return code;
}

/* ---- listings ---- */

/* Counts the entries and checks that they come in byte order. */
static pail_code list(const struct scratch *s, pail_list_opts opts, int want, pail_error **err)
{
    char *prefix = key_of(s, "list/"), *last = NULL;
    pail_iter *iter = NULL;
    const pail_info *item;
    int count = 0;
    bool ordered = true;
    opts.size = sizeof opts;
    opts.call = cli_call();
    opts.prefix = prefix;
    pail_code code = pail_list(s->bucket, &opts, &iter, err);
    while (code == PAIL_OK && (code = pail_iter_next(iter, &item, err)) == PAIL_OK) {
        ordered = ordered && (last == NULL || strcmp(last, item->key) < 0);
        mem_free(last);
        last = mem_text(item->key);
        count++;
    }
    pail_iter_free(iter);
    mem_free(last);
    mem_free(prefix);
    return code == PAIL_DONE ? wrong_unless(ordered && count == want) : code;
}

static pail_code fill_list(const struct scratch *s, pail_error **err)
{
    static const char *const names[] = {"list/a", "list/b c+d", "list/p/1", "list/p/2", "list/z"};
    pail_code code = PAIL_OK;
    for (size_t i = 0; code == PAIL_OK && i < CLI_COUNT(names); i++) {
        code = put(s, names[i], NULL, err);
    }
    return code;
}

static pail_code list_pages(const struct scratch *s, pail_error **err)
{
    pail_code code = fill_list(s, err);
    return code ? code : list(s, (pail_list_opts){.page_size = 2}, 5, err);
}

static pail_code list_delimiter(const struct scratch *s, pail_error **err)
{
    pail_code code = fill_list(s, err);
    return code ? code : list(s, (pail_list_opts){.delimiter = "/"}, 4, err);
}

static pail_code list_after(const struct scratch *s, pail_error **err)
{
    char *after = key_of(s, "list/b c+d");
    pail_code code = fill_list(s, err);
    code = code ? code : list(s, (pail_list_opts){.start_after = after}, 3, err);
    mem_free(after);
    return code;
}

/* ---- conditions: tried where they hold, and where they must not ---- */

static pail_code create_only(const struct scratch *s, pail_error **err)
{
    pail_put_opts opts = {.cond.if_none_match = "*"};
    pail_code code = put(s, "once", &opts, err);
    return code ? code : must_be(put(s, "once", &opts, err), PAIL_E_EXISTS, err);
}

static pail_code if_match(const struct scratch *s, pail_error **err)
{
    pail_info *info = NULL;
    pail_code code = put(s, "matched", NULL, err);
    code = code ? code : stat_of(s, "matched", &info, err);
    pail_put_opts right = {.cond.if_match = info ? info->etag : NULL};
    pail_put_opts other = {.cond.if_match = "00000000000000000000000000000000"};
    code = code ? code : put(s, "matched", &right, err);
    code = code ? code : must_be(put(s, "matched", &other, err), PAIL_E_PRECONDITION, err);
    pail_info_free(info);
    return code;
}

static pail_code parts_create_only(const struct scratch *s, pail_error **err)
{
    pail_conditions cond = {.if_none_match = "*"};
    pail_code code = put_parts(s, "parts once", &cond, err);
    return code ? code : must_be(put_parts(s, "parts once", &cond, err), PAIL_E_EXISTS, err);
}

static pail_code conditional_get(const struct scratch *s, pail_error **err)
{
    pail_info *info = NULL;
    pail_code code = put(s, "plain", NULL, err);
    code = code ? code : stat_of(s, "plain", &info, err);
    char *key = key_of(s, "plain"), room[256];
    pail_get_opts known = {.size = sizeof known, .cond.if_none_match = info ? info->etag : NULL};
    if (code == PAIL_OK) {
        code = must_be(pail_get(s->bucket, key, PAIL_BUF(room, sizeof room), &known, NULL, err),
                       PAIL_E_NOT_MODIFIED, err);
    }
    mem_free(key);
    pail_info_free(info);
    return code;
}

static pail_code conditional_delete(const struct scratch *s, pail_error **err)
{
    char *key = key_of(s, "kept");
    pail_code code = put(s, "kept", NULL, err);
    if (code == PAIL_OK) {
        pail_delete_opts opts = {.size = sizeof opts,
                                 .if_match = "00000000000000000000000000000000"};
        code = must_be(pail_delete(s->bucket, key, &opts, err), PAIL_E_PRECONDITION, err);
    }
    mem_free(key);
    return code ? code : get(s, "kept", (pail_range){0}, text, err);
}

/* ---- copies, deletes, versions, URLs ---- */

static pail_code copy_to(const struct scratch *s, const char *name, const pail_conditions *cond,
                         pail_error **err)
{
    char *from = key_of(s, "plain"), *to = key_of(s, name);
    pail_copy_opts opts = {.size = sizeof opts, .call = cli_call()};
    opts.cond = cond != NULL ? *cond : opts.cond;
    pail_code code = put(s, "plain", NULL, err);
    code = code ? code : pail_copy(s->bucket, from, s->bucket, to, &opts, NULL, err);
    code = code ? code : get(s, name, (pail_range){0}, text, err);
    mem_free(from);
    mem_free(to);
    return code;
}

static pail_code copy(const struct scratch *s, pail_error **err)
{
    return copy_to(s, "copied", NULL, err);
}

static pail_code copy_create_only(const struct scratch *s, pail_error **err)
{
    pail_conditions cond = {.if_none_match = "*"};
    pail_code code = copy_to(s, "copied once", &cond, err);
    return code ? code : must_be(copy_to(s, "copied once", &cond, err), PAIL_E_EXISTS, err);
}

static pail_code delete_many(const struct scratch *s, pail_error **err)
{
    char *keys[] = {key_of(s, "gone 1"), key_of(s, "gone 2")};
    const char *names[] = {keys[0], keys[1]};
    pail_code code = put(s, "gone 1", NULL, err);
    code = code ? code : put(s, "gone 2", NULL, err);
    code = code ? code : pail_delete_many(s->bucket, names, 2, NULL, NULL, NULL, err);
    mem_free(keys[0]);
    mem_free(keys[1]);
    return code ? code : must_be(get(s, "gone 2", (pail_range){0}, "", err), PAIL_E_NOT_FOUND, err);
}

static pail_code presign(const struct scratch *s, const char *method, pail_error **err)
{
    char *key = key_of(s, "plain");
    pail_presign_opts opts = {.size = sizeof opts, .method = method, .expires_s = 60};
    pail_presigned *made = NULL;
    pail_code code = pail_presign(s->bucket, key, &opts, &made, err);
    code = code ? code : wrong_unless(strncmp(made->url, "http", 4) == 0);
    pail_presigned_free(made);
    mem_free(key);
    return code;
}

static pail_code presign_get(const struct scratch *s, pail_error **err)
{
    return presign(s, "GET", err);
}

static pail_code presign_put(const struct scratch *s, pail_error **err)
{
    return presign(s, "PUT", err);
}

const struct behaviour behaviours[] = {
    {"put_get", "an object comes back as it went", -1, put_and_get},
    {"empty", "an object of no bytes", -1, empty_object},
    {"missing", "a key that is not there is \"not found\"", -1, missing},
    {"keys", "blanks, plus, percent, Unicode, empty segments in keys", -1, any_key},
    {"range", "a range", -1, ranges},
    {"range_suffix", "the last bytes", PAIL_CAN_SUFFIX_RANGE, suffix},
    {"multipart", "an upload in parts", PAIL_CAN_MULTIPART, parts},
    {"headers", "content type and cache control", -1, attributes},
    {"metadata", "user metadata", PAIL_CAN_METADATA, metadata},
    {"tags", "tags", PAIL_CAN_TAGS, tags},
    {"etag_md5", "the ETag is the MD5", -1, etag_md5},
    {"list", "every key once, in byte order, over pages", -1, list_pages},
    {"list_delimiter", "prefixes by a delimiter", -1, list_delimiter},
    {"list_start_after", "a listing that begins in the middle", PAIL_CAN_START_AFTER, list_after},
    {"cond_get", "get unless it is known", PAIL_CAN_GET_IF, conditional_get},
    {"cond_put", "create only", PAIL_CAN_PUT_CREATE_ONLY, create_only},
    {"cond_put_match", "replace one version only", PAIL_CAN_PUT_IF_MATCH, if_match},
    {"cond_multipart", "create only, in parts", PAIL_CAN_MULTIPART_CREATE_ONLY, parts_create_only},
    {"cond_copy", "copy to a new key only", PAIL_CAN_COPY_CREATE_ONLY, copy_create_only},
    {"cond_delete", "delete one version only", PAIL_CAN_DELETE_IF_MATCH, conditional_delete},
    {"copy", "a copy", PAIL_CAN_COPY, copy},
    {"delete_many", "many keys at once", PAIL_CAN_DELETE_MANY, delete_many},
    {"presign_get", "signed URLs to get", PAIL_CAN_PRESIGN_GET, presign_get},
    {"presign_put", "signed URLs to put", PAIL_CAN_PRESIGN_PUT, presign_put},
};
const int behaviour_count = CLI_COUNT(behaviours);
