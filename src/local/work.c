#include "local/work.h"

#include <signal.h>
#include <stddef.h>

void pl_workers_init(struct pl_workers *w)
{
    *w = (struct pl_workers){.last = &w->first};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
}

static struct pl_work *take_locked(struct pl_workers *w)
{
    while (!w->first && !w->stop) {
        w->idle++;
        pthread_cond_wait(&w->wake, &w->lock);
        w->idle--;
    }
    struct pl_work *work = w->first;
    if (work) {
        w->pending--;
        w->first = work->next;
        w->last = w->first ? w->last : &w->first;
    }
    return work;
}

static void *serve(void *arg)
{
    struct pl_workers *w = arg;
    struct pl_work *work;
    pthread_mutex_lock(&w->lock);
    while ((work = take_locked(w)) != NULL) {
        pthread_mutex_unlock(&w->lock);
        work->run(work);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

bool pl_thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(thread, NULL, run, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void pl_workers_add(struct pl_workers *w, struct pl_work *work)
{
    pthread_mutex_lock(&w->lock);
    if (w->pending >= w->idle && w->count < PL_WORKERS_MAX &&
        pl_thread_start(&w->threads[w->count], serve, w)) {
        w->count++;
    }
    bool have = w->count > 0;
    if (have) {
        work->next = NULL;
        w->pending++;
        *w->last = work;
        w->last = &work->next;
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
    if (!have) {
        work->run(work);
    }
}

void pl_workers_dispose(struct pl_workers *w)
{
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->wake);
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; i < w->count; i++) {
        pthread_join(w->threads[i], NULL);
    }
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
}
