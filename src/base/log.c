#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"
#include "base/sys.h"

static const char *const names[] = {"", "error", "warn", "info", "debug", "trace"};

static void to_stderr(pail_level level, const char *message, void *ctx)
{
    (void)ctx;
    char line[2200];
    int n = snprintf(line, sizeof line, "pail %s: %s\n", names[level], message);
    if (n > 0) {
        size_t len = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
        (void)!pl_sys.write(STDERR_FILENO, line, len);
    }
}

void pl_log_init(struct pl_log *log, pail_log_fn fn, void *ctx, pail_level level,
                 bool ignore_environment)
{
    *log = (struct pl_log){.fn = fn, .ctx = ctx, .level = level ? level : PAIL_LOG_INFO};
    pthread_mutex_init(&log->lock, NULL);
    const char *wish = fn || ignore_environment ? NULL : pl_sys.env("PAIL_LOG");
    for (int i = PAIL_LOG_ERROR; wish && i <= PAIL_LOG_TRACE; i++) {
        if (pl_str_ieq(pl_str_c(wish), pl_str_c(names[i]))) {
            log->fn = to_stderr;
            log->level = (pail_level)i;
        }
    }
}

void pl_log_dispose(struct pl_log *log)
{
    pthread_mutex_destroy(&log->lock);
    log->fn = NULL;
}

void pl_log(struct pl_log *log, pail_level level, const char *format, ...)
{
    if (!pl_log_on(log, level)) {
        return;
    }
    char text[2048];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c; c++) { /* a key with a line break makes no line of its own */
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
    }
    pthread_mutex_lock(&log->lock);
    log->fn(level, text, log->ctx);
    pthread_mutex_unlock(&log->lock);
}
