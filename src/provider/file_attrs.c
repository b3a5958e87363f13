/* What a file keeps beside its bytes: extended attributes named user.pail.*, each of them one text.
 * Metadata and tags are one query string each, "name=value&name=value", percent-encoded. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "codec/mime.h"
#include "codec/url.h"
#include "provider/file.h"

#define OURS     "user.pail."
#define TYPE     OURS "content-type"
#define METADATA OURS "metadata"
#define TAGS     OURS "tags"

enum { VALUE_MAX = 64 << 10 /* Linux's XATTR_SIZE_MAX */ };

/* The texts; the content type is left out where the name says it. */
static const struct {
    const char *name;
    size_t in, out; /* where it is in pail_attributes and in pail_info */
} texts[] = {
    {TYPE, offsetof(pail_attributes, content_type), offsetof(pail_info, content_type)},
    {OURS "content-encoding", offsetof(pail_attributes, content_encoding),
     offsetof(pail_info, content_encoding)},
    {OURS "content-language", offsetof(pail_attributes, content_language),
     offsetof(pail_info, content_language)},
    {OURS "content-disposition", offsetof(pail_attributes, content_disposition),
     offsetof(pail_info, content_disposition)},
    {OURS "cache-control", offsetof(pail_attributes, cache_control),
     offsetof(pail_info, cache_control)},
    {OURS "expires", offsetof(pail_attributes, expires), offsetof(pail_info, expires)},
};
enum { TEXTS = sizeof texts / sizeof *texts };

/* ---- of the file itself ---- */

const char *pl_file_etag(char out[PL_FILE_ETAG], const struct stat *st)
{
    uint64_t ns = (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec;
    snprintf(out, PL_FILE_ETAG, "%llx-%llx-%llx", (unsigned long long)st->st_ino,
             (unsigned long long)st->st_size, (unsigned long long)ns);
    return out;
}

void pl_file_info_of(struct pl_arena *a, pail_info *info, const struct stat *st)
{
    char etag[PL_FILE_ETAG];
    info->size = (uint64_t)st->st_size;
    info->mtime_ms = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
    info->etag = info->version = pl_arena_dup_c(a, pl_file_etag(etag, st));
    info->is_latest = true;
}

/* ---- reading ---- */

/* NULL where there is none, or one that could not be a header. */
static char *get_text(int fd, const char *name, struct pl_arena *a)
{
    ssize_t size = pl_sys.getxattr(fd, name, NULL, 0);
    char *text = size > 0 && size <= VALUE_MAX ? pl_arena_alloc(a, (size_t)size + 1) : NULL;
    ssize_t got = text ? pl_sys.getxattr(fd, name, text, (size_t)size) : -1;
    bool usable = got > 0 && strlen(text) == (size_t)got && pl_header_safe(pl_str_c(text));
    return usable ? text : NULL;
}

static char *decoded(struct pl_arena *a, struct pl_str text)
{
    struct pl_buf b = PL_BUF_MAX(VALUE_MAX);
    bool ok = pl_url_decode(&b, text);
    a->failed |= pl_buf_rc(&b) == PAIL_E_NO_MEMORY;
    ok = ok && !a->failed && pl_header_safe(pl_buf_view(&b));
    char *copy = ok ? pl_arena_dup(a, pl_buf_view(&b)) : NULL;
    pl_buf_dispose(&b);
    return copy;
}

static const pail_kv *get_pairs(int fd, const char *name, struct pl_arena *a, size_t *count)
{
    struct pl_str text = pl_str_c(get_text(fd, name, a)), key, value;
    size_t room = text.len ? 1 : 0;
    for (size_t i = 0; i < text.len; i++) {
        room += text.ptr[i] == '&';
    }
    pail_kv *pairs = room ? pl_arena_alloc(a, room * sizeof *pairs) : NULL;
    *count = 0;
    while (pairs && pl_url_query_next(&text, &key, &value)) {
        pail_kv one = {decoded(a, key), decoded(a, value)};
        if (one.name && one.value) {
            pairs[(*count)++] = one;
        }
    }
    return *count ? pairs : NULL;
}

/* 1: it has some of ours; 0: none; -1 with errno. */
static int has_ours(int fd)
{
    char room[1024];
    ssize_t n = pl_sys.listxattr(fd, room, sizeof room);
    if (n < 0) {
        return errno == ENOTSUP ? 0 : errno == ERANGE ? 1 : -1;
    }
    for (ssize_t at = 0; at < n; at += (ssize_t)strlen(room + at) + 1) {
        if (strncmp(room + at, OURS, strlen(OURS)) == 0) {
            return 1;
        }
    }
    return 0;
}

pail_code pl_file_info(int fd, const char *key, struct pl_arena *a, pail_info *info,
                       struct pail_error **err)
{
    struct stat st;
    int ours = pl_sys.fstat(fd, &st) < 0 ? -1 : has_ours(fd);
    if (ours < 0) {
        return pl_file_fail(err, errno, "reading the attributes of", key);
    }
    *info = (pail_info){.key = key};
    pl_file_info_of(a, info, &st);
    for (size_t i = 0; ours && i < TEXTS; i++) {
        const char *text = get_text(fd, texts[i].name, a);
        memcpy((char *)info + texts[i].out, &text, sizeof text);
    }
    if (ours) {
        info->metadata = get_pairs(fd, METADATA, a, &info->metadata_count);
        info->tags = get_pairs(fd, TAGS, a, &info->tag_count);
    }
    if (!info->content_type) {
        info->content_type = pl_mime_by_name(pl_str_c(key));
    }
    return a->failed ? PAIL_E_NO_MEMORY : PAIL_OK;
}

/* ---- writing ---- */

static pail_code set_failed(const char *key, size_t bytes, struct pail_error **err)
{
    int number = errno;
    if (number == ENOTSUP) {
        pl_fail(
            err, PAIL_E_UNSUPPORTED,
            "the file system of \"%s\" keeps no extended attributes, and so no content headers, "
            "metadata and tags",
            key);
        pl_error_hint(err, "leave them out, use a folder on another file system, or a LOCAL store "
                           "(local:BUCKET)");
        return PAIL_E_UNSUPPORTED;
    }
    if (number == E2BIG || number == ERANGE || number == ENOSPC) {
        /* ext4 says ENOSPC for both. */
        pl_fail(err, number == ENOSPC ? PAIL_E_NO_SPACE : PAIL_E_TOO_LARGE,
                "no room for %zu bytes of attributes beside \"%s\": the disk is full, or they are "
                "more than this file system keeps of one file (often 4 KiB)",
                bytes, key);
        return number == ENOSPC ? PAIL_E_NO_SPACE : PAIL_E_TOO_LARGE;
    }
    return pl_file_fail(err, number, "setting the attributes of", key);
}

static pail_code set_text(int fd, const char *key, const char *name, struct pl_str text,
                          struct pail_error **err)
{
    return pl_sys.setxattr(fd, name, text.ptr, text.len) < 0 ? set_failed(key, text.len, err)
                                                             : PAIL_OK;
}

static pail_code set_pairs(int fd, const char *key, const char *name, const pail_kv *pairs,
                           size_t count, struct pail_error **err)
{
    struct pl_buf b = PL_BUF_MAX(VALUE_MAX);
    for (size_t i = 0; i < count; i++) {
        struct pl_buf one = PL_BUF_MAX(VALUE_MAX);
        pl_url_encode(&one, pl_str_c(pairs[i].name), 0);
        pl_buf_puts(&b, b.len ? "&" : "");
        pl_buf_str(&b, pl_buf_view(&one));
        pl_buf_putc(&b, '=');
        pl_url_encode(&b, pl_str_c(pairs[i].value), 0);
        b.rc = b.rc ? b.rc : one.rc;
        pl_buf_dispose(&one);
    }
    pail_code rc = pl_buf_rc(&b);
    rc = rc == PAIL_E_TOO_LARGE
             ? pl_fail(err, rc, "the metadata or tags of \"%s\" are more than 64 KiB", key)
         : rc ? rc
              : set_text(fd, key, name, pl_buf_view(&b), err);
    pl_buf_dispose(&b);
    return rc;
}

/* Whether the name of the object says its type already. */
static bool is_guessed(const char *key, const char *type)
{
    const char *guess = pl_mime_by_name(pl_str_c(key));
    return guess && strcmp(guess, type) == 0;
}

pail_code pl_file_attributes_set(int fd, const char *key, const pail_attributes *attr,
                                 struct pail_error **err)
{
    if (!attr) {
        return PAIL_OK;
    }
    if (attr->storage_class || attr->canned_acl) {
        return pl_fail(err, PAIL_E_UNSUPPORTED, "plain files have no storage classes and no ACLs");
    }
    pail_code rc = PAIL_OK;
    for (size_t i = 0; rc == PAIL_OK && i < TEXTS; i++) {
        const char *text;
        memcpy(&text, (const char *)attr + texts[i].in, sizeof text);
        if (text && *text && (i || !is_guessed(key, text))) {
            rc = set_text(fd, key, texts[i].name, pl_str_c(text), err);
        }
    }
    if (rc == PAIL_OK && attr->metadata_count) {
        rc = set_pairs(fd, key, METADATA, attr->metadata, attr->metadata_count, err);
    }
    return rc || !attr->tag_count ? rc
                                  : pl_file_tags_set(fd, key, attr->tags, attr->tag_count, err);
}

pail_code pl_file_tags_set(int fd, const char *key, const pail_kv *tags, size_t count,
                           struct pail_error **err)
{
    if (count) {
        return set_pairs(fd, key, TAGS, tags, count, err);
    }
    if (pl_sys.removexattr(fd, TAGS) < 0 && errno != ENODATA && errno != ENOTSUP) {
        return pl_file_fail(err, errno, "removing the tags of", key);
    }
    return PAIL_OK;
}
