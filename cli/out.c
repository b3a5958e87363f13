#include "out.h"

#include "fail.h"
#include "mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define OUT_BUFFER ((size_t)64 * 1024)

static struct {
    char *buffer;
    size_t used;
    int error; /* errno of the first write that failed */
} out;

static bool write_all(const char *data, size_t n)
{
    while (n > 0 && out.error == 0) {
        ssize_t done = write(STDOUT_FILENO, data, n);
        if (done >= 0) {
            data += done;
            n -= (size_t)done;
        } else if (errno != EINTR || app.interrupted) {
            out.error = errno;
        }
    }
    return out.error == 0;
}

bool out_flush(void)
{
    size_t n = out.used;
    out.used = 0;
    return write_all(out.buffer, n);
}

bool out_write_through(const void *data, size_t n)
{
    return out_flush() && write_all(data, n);
}

bool out_ok(void)
{
    return out.error == 0;
}

void out_bytes(const void *data, size_t n)
{
    if (out.buffer == NULL) {
        out.buffer = mem_new(OUT_BUFFER);
    }
    if (n > OUT_BUFFER - out.used) {
        out_flush();
    }
    if (n > OUT_BUFFER) {
        write_all(data, n);
        return;
    }
    memcpy(out.buffer + out.used, data, n);
    out.used += n;
}

void out_text(const char *text)
{
    out_bytes(text, strlen(text));
}

void out_printf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n > 0) {
        out_bytes(text, (size_t)n);
    }
    mem_free(text);
}

/* SPEC RFC 3629 section 4. */
size_t out_sequence(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] < 0x80) {
        return 1;
    }
    size_t n = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
               : (p[0] & 0xf0) == 0xe0        ? 3
               : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                              : 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) {
        return 0;
    }
    return n;
}

/* Length of what may be shown as it is: no control character (C1 too, which terminals obey), and
 * nothing that is not UTF-8. */
static size_t showable(const char *p)
{
    unsigned char c = (unsigned char)p[0];
    bool control = c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)p[1] < 0xa0);
    return control ? 0 : out_sequence(p);
}

void out_name(const char *name)
{
    char *shown = out_escape(name);
    out_text(shown);
    mem_free(shown);
}

char *out_escape(const char *text)
{
    char *escaped = mem_new(strlen(text) * 4 + 1);
    char *to = escaped;
    for (const char *p = text; *p != '\0';) {
        size_t n = showable(p);
        if (n > 0) {
            memcpy(to, p, n);
            to += n;
            p += n;
        } else {
            to += snprintf(to, 5, "\\x%02x", (unsigned char)*p++);
        }
    }
    return escaped;
}

int out_finish(int status)
{
    out_flush();
    if (out.error == EPIPE) {
        status = 141;
    } else if (out.error != 0 && !app.interrupted) {
        status = fail_errno("standard output", out.error, 1);
    }
    mem_free(out.buffer);
    out.buffer = NULL;
    return status;
}

char *out_time(char *room, int64_t unix_ms, bool with_ms)
{
    if (unix_ms < 0) {
        snprintf(room, OUT_ROOM, "-");
        return room;
    }
    struct tm tm;
    time_t seconds = (time_t)(unix_ms / 1000);
    gmtime_r(&seconds, &tm);
    size_t n = strftime(room, OUT_ROOM, "%Y-%m-%dT%H:%M:%S", &tm);
    if (with_ms) {
        n += (size_t)snprintf(room + n, OUT_ROOM - n, ".%03d", (int)(unix_ms % 1000));
    }
    snprintf(room + n, OUT_ROOM - n, "Z");
    return room;
}

char *out_size(char *room, uint64_t bytes, bool human)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    double value = (double)bytes;
    while (human && value >= 1024 && unit + 1 < CLI_COUNT(units)) {
        value /= 1024;
        unit++;
    }
    if (unit == 0) {
        snprintf(room, OUT_ROOM, "%llu%s", (unsigned long long)bytes, human ? " B" : "");
    } else {
        snprintf(room, OUT_ROOM, "%.1f %s", value, units[unit]);
    }
    return room;
}
