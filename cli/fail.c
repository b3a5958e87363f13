#include "fail.h"

#include "cli.h"
#include "json.h"
#include "mem.h"
#include "out.h"
#include "progress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINES_SHOWN 10

static uint64_t lines;

/* Control bytes of names must not reach a terminal. */
static void print(const char *subject, const char *message, const char *note, const char *hint)
{
    char *what =
        mem_printf("%s%s%s%s%s%s", app.command, *app.command != '\0' ? ": " : "",
                   subject != NULL ? subject : "", subject != NULL ? ": " : "", message, note);
    char *shown = out_escape(what);
    fprintf(stderr, "pail: %s\n", shown);
    mem_free(shown);
    mem_free(what);
    if (hint != NULL && *hint != '\0') {
        shown = out_escape(hint);
        fprintf(stderr, "  hint: %s\n", shown);
        mem_free(shown);
    }
}

static void line(const char *subject, const char *message, const char *note, const char *hint)
{
    if (lines++ < LINES_SHOWN) {
        progress_clear();
        print(subject, message, note, hint);
    }
}

int fail_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *message = NULL;
    if (vasprintf(&message, format, args) < 0) {
        message = NULL;
    }
    va_end(args);
    char *hint = mem_printf("see: pail help%s%s", *app.command != '\0' ? " " : "", app.command);
    line(NULL, message != NULL ? message : format, "", hint);
    mem_free(hint);
    mem_free(message);
    return 2;
}

static void record(pail_code code, const char *subject, const char *message, const char *hint,
                   const pail_error *err)
{
    if (!app.json) {
        return;
    }
    json_begin("error");
    json_text("code", pail_code_name(code));
    json_text("message", message);
    if (hint != NULL && *hint != '\0') {
        json_text("hint", hint);
    }
    json_text("url", subject);
    if (pail_error_http_status(err) != 0) {
        json_int("http_status", pail_error_http_status(err));
        json_text("provider_code", pail_error_service_code(err));
        json_text("request_id", pail_error_request_id(err));
        json_int("attempts", pail_error_attempts(err));
    }
    json_bool("retryable", pail_error_retryable(err));
    json_end();
}

/* " (NoSuchKey, HTTP 404, request id X)", as much of it as is known. */
static char *note_of(const pail_error *err)
{
    const char *service = pail_error_service_code(err), *id = pail_error_request_id(err);
    if (pail_error_http_status(err) == 0) {
        return mem_text("");
    }
    return mem_printf(" (%s%sHTTP %d%s%s)", service, *service != '\0' ? ", " : "",
                      pail_error_http_status(err), *id != '\0' ? ", request id " : "", id);
}

int fail_error(const char *subject, const pail_error *err)
{
    pail_code code = pail_error_code(err);
    int status = exit_status(code);
    if (app.interrupted) {
        return 130;
    }
    const char *message = pail_error_message(err), *hint = pail_error_hint(err);
    if (*message == '\0') {
        message = pail_code_name(code);
    }
    char *note = note_of(err);
    line(subject, message, note, hint);
    mem_free(note);
    record(code, subject, message, hint, err);
    return status != 0 ? status : 1;
}

int fail_with(pail_code code, const char *subject, const char *message, const char *hint)
{
    line(subject, message, "", hint);
    record(code, subject, message, hint, NULL);
    return exit_status(code);
}

static pail_code code_of(int error_number)
{
    switch (error_number) {
    case ENOENT: return PAIL_E_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS: return PAIL_E_FORBIDDEN;
    case EEXIST:
    case EISDIR:
    case ENOTDIR:
    case ENOTEMPTY: return PAIL_E_EXISTS;
    case ENOSPC:
    case EDQUOT: return PAIL_E_NO_SPACE;
    default: return PAIL_E_IO;
    }
}

static const char *hint_of(int error_number)
{
    switch (error_number) {
    case EISDIR: return "a folder has that name: choose another, or move the folder away";
    case ENOTDIR: return "a part of the path is a file";
    case ENOSPC:
    case EDQUOT: return "free some space, or choose another place";
    default: return NULL;
    }
}

int fail_errno(const char *subject, int error_number, int otherwise)
{
    if (app.interrupted) {
        return 130;
    }
    char room[128];
    pail_code code = code_of(error_number);
    const char *message = strerror_r(error_number, room, sizeof room);
    line(subject, message, "", hint_of(error_number));
    record(code, subject, message, hint_of(error_number), NULL);
    int status = exit_status(code);
    return status != 1 ? status : otherwise;
}

/* From any thread: it touches nothing shared. */
void fail_note(const char *subject, const char *message)
{
    if (!app.quiet) {
        print(subject, message, "", NULL);
    }
}

void fail_finish(void)
{
    if (lines > LINES_SHOWN) {
        fprintf(stderr, "pail: %s: and %llu more like these\n", app.command,
                (unsigned long long)(lines - LINES_SHOWN));
    }
}

void tally_add(struct tally *tally, int status)
{
    if (status == 0) {
        tally->done++;
        return;
    }
    tally->status = tally->failed == 0 || tally->status == status ? status : 1;
    tally->failed++;
}

int tally_status(const struct tally *tally)
{
    if (app.interrupted) {
        return 130;
    }
    if (tally->failed > 0 && tally->done + tally->skipped > 0) {
        return 1;
    }
    return tally->failed > 0 ? tally->status : 0;
}
