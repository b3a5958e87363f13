/* A few threads for what may block: reads and staged writes of callers that may not. */
#ifndef PL_LOCAL_WORK_H
#define PL_LOCAL_WORK_H

#include <pthread.h>
#include <stdbool.h>

enum { PL_WORKERS_MAX = 4 };

struct pl_work {
    void (*run)(struct pl_work *w); /* the work may be gone when it returns */
    struct pl_work *next;
};

/* Threads start as they are needed. */
struct pl_workers {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct pl_work *first, **last; /* under lock, as all below */
    int count, idle, pending;
    bool stop;
    pthread_t threads[PL_WORKERS_MAX];
};

/* A thread of ours, which takes no signals of the process. False: none can be had. */
bool pl_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);

void pl_workers_init(struct pl_workers *w);
/* Runs it on the calling thread where no thread can be had. */
void pl_workers_add(struct pl_workers *w, struct pl_work *work);
/* Finishes all that was added. */
void pl_workers_dispose(struct pl_workers *w);

#endif
