#include "gateway/http_watch.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/mem.h"
#include "base/sys.h"

void pl_http_watch_phase(struct pl_http_peer *p, enum pl_http_phase phase)
{
    if (p) {
        atomic_store(&p->since_ns, pl_sys.mono_ns());
        atomic_store(&p->phase, (int)phase);
    }
}

struct pl_http_peer *pl_http_watch_add(struct pl_http_watch *w, int fd)
{
    struct pl_http_peer *p = pl_calloc(1, sizeof *p);
    if (!p) {
        return NULL;
    }
    p->fd = fd;
    pl_http_watch_phase(p, PL_HTTP_IDLE);
    pthread_mutex_lock(&w->lock);
    p->surplus = ++w->count > w->most;
    p->next = w->peers;
    p->link = &w->peers;
    if (p->next) {
        p->next->link = &p->next;
    }
    w->peers = p;
    pthread_mutex_unlock(&w->lock);
    return p;
}

void pl_http_watch_remove(struct pl_http_watch *w, struct pl_http_peer *p)
{
    if (p) {
        pthread_mutex_lock(&w->lock);
        w->count--;
        *p->link = p->next;
        if (p->next) {
            p->next->link = p->link;
        }
        pthread_mutex_unlock(&w->lock);
        pl_free(p);
    }
}

/* Under lock, so that no descriptor is another's by now. An idle one is cut by the library when it
 * was silent for so long; twice the time is for a request line that comes in drops. */
static void cut_late(struct pl_http_watch *w)
{
    int64_t now = pl_sys.mono_ns(), idle = (int64_t)w->idle_s * 1000000000;
    for (struct pl_http_peer *p = w->peers; p; p = p->next) {
        int phase = atomic_load(&p->phase);
        int64_t most = phase == PL_HTTP_IDLE ? 2 * idle : idle;
        if (phase != PL_HTTP_FREE && now - atomic_load(&p->since_ns) > most) {
            (void)shutdown(p->fd, SHUT_RDWR); /* its thread sees the end and closes it */
        }
    }
}

static void *watch(void *arg)
{
    struct pl_http_watch *w = arg;
    int64_t step = (int64_t)w->idle_s * 1000000000 / 4;
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        int64_t until = pl_sys.mono_ns() + step;
        struct timespec at = {until / 1000000000, until % 1000000000};
        (void)pthread_cond_timedwait(&w->stopping, &w->lock, &at);
        cut_late(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

bool pl_http_watch_start(struct pl_http_watch *w)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->stopping, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&w->lock, NULL);
    w->runs = pthread_create(&w->thread, NULL, watch, w) == 0;
    return w->runs;
}

void pl_http_watch_stop(struct pl_http_watch *w)
{
    if (w->runs) {
        pthread_mutex_lock(&w->lock);
        w->stop = true;
        pthread_cond_signal(&w->stopping);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    pthread_cond_destroy(&w->stopping);
    pthread_mutex_destroy(&w->lock);
}

void pl_http_linger(int fd, bool tls)
{
    enum { MOST_S = 30, QUIET_MS = 5000, MOST_SHIFT = 30, BLOCK = 64 << 10 };
    char block[BLOCK];
    int64_t until = pl_sys.mono_ns() + (int64_t)MOST_S * 1000000000;
    uint64_t seen = 0;
    if (!tls) {
        (void)shutdown(fd, SHUT_WR);
    }
    while (!(seen >> MOST_SHIFT) && pl_sys.mono_ns() < until) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, QUIET_MS) != 1) {
            return;
        }
        ssize_t n = recv(fd, block, sizeof block, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            return;
        }
        seen += n > 0 ? (uint64_t)n : 0;
    }
}
