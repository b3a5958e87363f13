#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_MAX = 4096 };

static struct pail_error out_of_memory = {.code = PAIL_E_NO_MEMORY, .is_static = true};

static const struct {
    pail_code code;
    const char *name;
    bool retryable;
} codes[] = {
    {PAIL_OK, "ok", false},
    {PAIL_DONE, "done", false},
    {PAIL_E_NOT_FOUND, "not_found", false},
    {PAIL_E_BUCKET_NOT_FOUND, "bucket_not_found", false},
    {PAIL_E_VERSION_NOT_FOUND, "version_not_found", false},
    {PAIL_E_UPLOAD_NOT_FOUND, "upload_not_found", false},
    {PAIL_E_EXISTS, "exists", false},
    {PAIL_E_BUCKET_EXISTS, "bucket_exists", false},
    {PAIL_E_BUCKET_NOT_EMPTY, "bucket_not_empty", false},
    {PAIL_E_PRECONDITION, "precondition", false},
    {PAIL_E_NOT_MODIFIED, "not_modified", false},
    {PAIL_E_CONFLICT, "conflict", true},
    {PAIL_E_UNAUTHENTICATED, "unauthenticated", false},
    {PAIL_E_FORBIDDEN, "forbidden", false},
    {PAIL_E_EXPIRED_CREDENTIALS, "expired_credentials", false},
    {PAIL_E_NO_CREDENTIALS, "no_credentials", false},
    {PAIL_E_CLOCK_SKEW, "clock_skew", false},
    {PAIL_E_BAD_ARGUMENT, "bad_argument", false},
    {PAIL_E_BAD_CONFIG, "bad_config", false},
    {PAIL_E_BAD_KEY, "bad_key", false},
    {PAIL_E_BAD_BUCKET_NAME, "bad_bucket_name", false},
    {PAIL_E_BAD_RANGE, "bad_range", false},
    {PAIL_E_TOO_LARGE, "too_large", false},
    {PAIL_E_UNSUPPORTED, "unsupported", false},
    {PAIL_E_THROTTLED, "throttled", true},
    {PAIL_E_UNAVAILABLE, "unavailable", true},
    {PAIL_E_TIMEOUT, "timeout", true},
    {PAIL_E_CANCELLED, "cancelled", false},
    {PAIL_E_ARCHIVED, "archived", false},
    {PAIL_E_DNS, "dns", true},
    {PAIL_E_CONNECT, "connect", true},
    {PAIL_E_TLS, "tls", false},
    {PAIL_E_PROTOCOL, "protocol", false},
    {PAIL_E_WRONG_REGION, "wrong_region", false},
    {PAIL_E_CHECKSUM, "checksum", false},
    {PAIL_E_CHANGED, "changed", true},
    {PAIL_E_IO, "io", false},
    {PAIL_E_NO_SPACE, "no_space", false},
    {PAIL_E_NO_MEMORY, "no_memory", false},
    {PAIL_E_CALLBACK, "callback", false},
    {PAIL_E_FORKED, "forked", false},
    {PAIL_E_INTERNAL, "internal", false},
};

PAIL_API const char *pail_code_name(pail_code code)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].code == code) {
            return codes[i].name;
        }
    }
    return "unknown";
}

bool pl_code_retryable(pail_code code)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].code == code) {
            return codes[i].retryable;
        }
    }
    return false;
}

__attribute__((format(printf, 1, 0))) static char *format_text(const char *format, va_list args)
{
    char text[MESSAGE_MAX];
    int n = vsnprintf(text, sizeof text, format, args);
    return n < 0 ? NULL : pl_strdup(text);
}

static void set_error(struct pail_error **err, pail_code code, char *message)
{
    struct pail_error *e = message ? pl_calloc(1, sizeof *e) : NULL;
    if (!e) {
        pl_free(message);
        *err = &out_of_memory;
        return;
    }
    e->code = code;
    e->message = message;
    e->retryable = pl_code_retryable(code);
    *err = e;
}

pail_code pl_fail(struct pail_error **err, pail_code code, const char *format, ...)
{
    if (err && !*err) {
        va_list args;
        va_start(args, format);
        set_error(err, code, format_text(format, args));
        va_end(args);
    }
    return code;
}

const char *pl_errno_text(int number, char *room, size_t size)
{
    return strerror_r(number, room,
                      size); /* the GNU form: may return a static text instead of room */
}

static pail_code code_of_errno(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT: return PAIL_E_NO_SPACE;
    case ENOMEM: return PAIL_E_NO_MEMORY;
    case EACCES:
    case EPERM:
    case EROFS: return PAIL_E_FORBIDDEN;
    default: return PAIL_E_IO;
    }
}

pail_code pl_fail_errno(struct pail_error **err, int number, const char *format, ...)
{
    pail_code code = code_of_errno(number);
    if (err && !*err) {
        char room[128];
        va_list args;
        va_start(args, format);
        char *what = format_text(format, args);
        va_end(args);
        struct pl_buf b = PL_BUF_MAX(2 * MESSAGE_MAX);
        pl_buf_printf(&b, "%s: %s", what ? what : "", pl_errno_text(number, room, sizeof room));
        pl_free(what);
        set_error(err, code, pl_buf_take(&b));
        if (code == PAIL_E_NO_SPACE) {
            pl_error_hint(err, "free some space, or choose another place");
        }
    }
    return code;
}

void pl_error_hint(struct pail_error **err, const char *format, ...)
{
    if (err && *err && !(*err)->is_static && !(*err)->hint) {
        va_list args;
        va_start(args, format);
        (*err)->hint = format_text(format, args);
        va_end(args);
    }
}

void pl_error_set(char **field, struct pl_str text)
{
    char *copy = pl_strndup(text.ptr, text.len);
    if (copy) {
        pl_free(*field);
        *field = copy;
    }
}

void pl_error_context(struct pail_error *err, const char *operation, const char *bucket,
                      const char *key)
{
    if (!err || err->is_static) {
        return;
    }
    struct {
        char **field;
        const char *text;
    } add[] = {{&err->operation, operation}, {&err->bucket, bucket}, {&err->key, key}};
    for (size_t i = 0; i < 3; i++) {
        if (add[i].text && !*add[i].field) {
            *add[i].field = pl_strdup(add[i].text);
        }
    }
}

struct pail_error *pl_error_dup(const struct pail_error *e)
{
    struct pail_error *copy = e && !e->is_static ? pl_calloc(1, sizeof *copy) : NULL;
    if (!copy) {
        return e ? &out_of_memory : NULL;
    }
    *copy = *e;
    copy->message = pl_strdup(e->message);
    copy->hint = pl_strdup(e->hint);
    copy->service_code = pl_strdup(e->service_code);
    copy->request_id = pl_strdup(e->request_id);
    copy->operation = pl_strdup(e->operation);
    copy->bucket = pl_strdup(e->bucket);
    copy->key = pl_strdup(e->key);
    copy->endpoint = pl_strdup(e->endpoint);
    return copy;
}

PAIL_API void pail_error_free(pail_error *e)
{
    if (!e || e->is_static) {
        return;
    }
    pl_free(e->message);
    pl_free(e->hint);
    pl_free(e->service_code);
    pl_free(e->request_id);
    pl_free(e->operation);
    pl_free(e->bucket);
    pl_free(e->key);
    pl_free(e->endpoint);
    pl_free(e);
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

PAIL_API pail_code pail_error_code(const pail_error *e)
{
    return e ? e->code : PAIL_OK;
}
PAIL_API const char *pail_error_message(const pail_error *e)
{
    return e && e->is_static ? "out of memory" : or_empty(e ? e->message : NULL);
}
PAIL_API const char *pail_error_hint(const pail_error *e)
{
    return or_empty(e ? e->hint : NULL);
}
PAIL_API int pail_error_http_status(const pail_error *e)
{
    return e ? e->http_status : 0;
}
PAIL_API const char *pail_error_service_code(const pail_error *e)
{
    return or_empty(e ? e->service_code : NULL);
}
PAIL_API const char *pail_error_request_id(const pail_error *e)
{
    return or_empty(e ? e->request_id : NULL);
}
PAIL_API const char *pail_error_operation(const pail_error *e)
{
    return or_empty(e ? e->operation : NULL);
}
PAIL_API const char *pail_error_bucket(const pail_error *e)
{
    return or_empty(e ? e->bucket : NULL);
}
PAIL_API const char *pail_error_key(const pail_error *e)
{
    return or_empty(e ? e->key : NULL);
}
PAIL_API const char *pail_error_endpoint(const pail_error *e)
{
    return or_empty(e ? e->endpoint : NULL);
}
PAIL_API int pail_error_attempts(const pail_error *e)
{
    return e ? e->attempts : 0;
}
PAIL_API bool pail_error_retryable(const pail_error *e)
{
    return e && e->retryable;
}
PAIL_API bool pail_error_maybe_applied(const pail_error *e)
{
    return e && e->maybe_applied;
}
