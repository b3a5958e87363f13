/* Log lines to the client's hook, or to stderr where PAIL_LOG asks for it. */
#ifndef PL_BASE_LOG_H
#define PL_BASE_LOG_H

#include <pail.h>
#include <pthread.h>

struct pl_log {
    pail_log_fn fn; /* NULL: nobody listens */
    void *ctx;
    pail_level level;
    pthread_mutex_t lock; /* one line at a time */
};

/* fn NULL: PAIL_LOG decides, unless ignore_environment. */
void pl_log_init(struct pl_log *log, pail_log_fn fn, void *ctx, pail_level level,
                 bool ignore_environment);
void pl_log_dispose(struct pl_log *log);
static inline bool pl_log_on(const struct pl_log *log, pail_level level)
{
    return log && log->fn && level <= log->level;
}
/* The caller leaves secrets out: never a signature, token, key or signed URL. */
void pl_log(struct pl_log *log, pail_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
