#include "progress.h"

#include "cli.h"
#include "out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define QUIET_MS 500 /* short commands stay silent */
#define FRAME_MS 100

static struct {
    bool active, drawn, listed;
    const char *label;
    int64_t begun_ms, drawn_ms;
    uint64_t bytes, bytes_total, objects, objects_total;
} bar;

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void progress_begin(const char *label)
{
    const char *term = getenv("TERM");
    if (app.json || app.quiet || !isatty(STDERR_FILENO) ||
        (term != NULL && strcmp(term, "dumb") == 0)) {
        return;
    }
    memset(&bar, 0, sizeof bar);
    bar.active = true;
    bar.label = label;
    bar.begun_ms = now_ms();
}

bool progress_active(void)
{
    return bar.active;
}

static int columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1) {
        return size.ws_col - 1;
    }
    return 79;
}

static void draw(int64_t now)
{
    char done[OUT_ROOM], total[OUT_ROOM], rate[OUT_ROOM], line[256], left[32] = "";
    double seconds = (double)(now - bar.begun_ms) / 1000;
    double per_second = (double)bar.bytes / seconds;
    if (bar.listed && bar.bytes_total > bar.bytes && per_second >= 1) {
        long eta = (long)((double)(bar.bytes_total - bar.bytes) / per_second);
        snprintf(left, sizeof left, "  eta %ld:%02ld", eta / 60, eta % 60);
    }
    const char *about = bar.listed ? "" : "~";
    int n = snprintf(line, sizeof line, "%s  %s", bar.label, out_size(done, bar.bytes, true));
    if (bar.bytes_total >= bar.bytes && bar.bytes_total > 0) {
        n += snprintf(line + n, sizeof line - (size_t)n, " / %s%s", about,
                      out_size(total, bar.bytes_total, true));
    }
    n += snprintf(line + n, sizeof line - (size_t)n, "  %s/s%s",
                  out_size(rate, (uint64_t)per_second, true), left);
    if (bar.objects_total > 1 || !bar.listed) {
        snprintf(line + n, sizeof line - (size_t)n, "  %llu/%s%llu objects",
                 (unsigned long long)bar.objects, about, (unsigned long long)bar.objects_total);
    }
    fprintf(stderr, "\r%.*s\x1b[K", columns(), line);
    bar.drawn = true;
    bar.drawn_ms = now;
}

static void maybe_draw(void)
{
    if (!bar.active) {
        return;
    }
    int64_t now = now_ms();
    if (now - bar.begun_ms >= QUIET_MS && now - bar.drawn_ms >= FRAME_MS) {
        draw(now);
    }
}

void progress_expect(uint64_t bytes, uint64_t objects)
{
    bar.bytes_total += bytes;
    bar.objects_total += objects;
    maybe_draw();
}

void progress_listed(void)
{
    bar.listed = true;
}

void progress_advance(int64_t bytes)
{
    bar.bytes = bytes < 0 && (uint64_t)-bytes > bar.bytes ? 0 : bar.bytes + (uint64_t)bytes;
    maybe_draw();
}

void progress_object_done(void)
{
    bar.objects++;
    maybe_draw();
}

void progress_clear(void)
{
    if (bar.drawn) {
        fputs("\r\x1b[K", stderr);
        bar.drawn = false;
    }
}

void progress_end(void)
{
    progress_clear();
    bar.active = false;
}
