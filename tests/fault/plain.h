/* A dialect of its own for tests of http_provider: as plain as HTTP. */
#ifndef PAIL_TEST_PLAIN_H
#define PAIL_TEST_PLAIN_H

#include <semaphore.h>

#include "provider/http_provider.h"

struct plain {
    struct pl_dialect dialect; /* first */
    uint16_t port;
    int refreshes;
    bool can_refresh;
    int sum; /* what head chooses */
    /* What ops need: a token from GET /token, which is at hand after it answered 200. */
    enum { PLAIN_NO_NEED, PLAIN_NEED_BESIDE, PLAIN_NEED_NOW } need;
    bool work_first;  /* the errand begins on a thread of its own */
    bool never_there; /* the token that is fetched does not serve */
    bool each;        /* each key needs a token of its own */
    char tokens[128]; /* of each: those at hand, by the key's first letter; on the reactor */
    atomic_int token, errands, works;
    int exchanges; /* a delete is done after so many; 0: it needs none, -1: as any op */
};

enum { PLAIN_EVENTS = 256 };
/* A client of the dialect, under a clock that moves only by waiting. */
struct plain_client {
    struct plain *d;
    struct pl_provider *p;
    struct pl_settings settings;
    struct pl_log log;
    struct pl_buf logged;
    int events, event_status[PLAIN_EVENTS];
    pail_code event_code[PLAIN_EVENTS];
};

struct plain_call {
    struct pl_op op;
    sem_t done;
    int times;
};

void plain_open(struct plain_client *c, uint16_t port);
/* The same of another kind: make sets c->p, after settings of its own. */
typedef pail_code (*plain_make)(struct plain_client *c, const struct pl_provider_env *env,
                                void *ctx);
void plain_open_as(struct plain_client *c, plain_make make, void *ctx);
void plain_close(struct plain_client *c);

void plain_call_init(struct plain_call *call, enum pl_op_kind kind);
/* Submits and waits; the op's code. */
pail_code plain_run(struct plain_client *c, struct plain_call *call);
void plain_call_free(struct plain_call *call);
void plain_wait(struct plain_call *call);

/* Time stands still but for waits, which take none and are counted. */
void plain_clock_start(void);
void plain_clock_stop(void);
int64_t plain_waited_ms(void);

#endif
