/* What is behind the handles of pail.h. */
#ifndef PL_API_CLIENT_H
#define PL_API_CLIENT_H

#include <stdatomic.h>

#include "provider/provider.h"
#include "transfer/pool.h"
#include "transfer/task.h"

struct pail_client {
    atomic_uint refs;
    unsigned forks; /* pl_fork_count at its making */
    const char *scheme;
    char *path; /* "file:" */
    struct pl_settings settings;
    struct pl_log log;
    struct pl_pool pool;
    struct pl_provider *provider;
    uint32_t deadline_ms;
    uint64_t part_size;
    uint32_t concurrency;
    bool ignores_environment;
    struct pail_server *own_server; /* under the lock of server.c: made for signed URLs */
    struct pail_server *server;     /* ... any that runs here for this client */
};

struct pail_bucket {
    pail_client *client; /* holds a reference */
    char *name;
};

void pl_client_ref(pail_client *c);
/* PAIL_E_FORKED where the handle is of a parent process, PAIL_E_BAD_ARGUMENT where it is NULL. */
PAIL_MUST pail_code pl_client_usable(const pail_client *c, struct pail_error **err);
/* As that, and the key is one. */
PAIL_MUST pail_code pl_bucket_usable(const pail_bucket *b, const char *key,
                                     struct pail_error **err);
/* The client's and the call's extra headers hold nothing that could be another header. */
PAIL_MUST pail_code pl_call_check(const pail_call *call, struct pail_error **err);
PAIL_MUST pail_code pl_attributes_check(const pail_attributes *attr, struct pail_error **err);
/* Points the task at the client with what the call says. */
void pl_task_aim(struct pl_task *t, pail_client *c, const pail_call *call);

/* Copies a caller's options of an older or newer size into `to`, which is zeroed first; NULL: the
 * defaults. */
PAIL_MUST pail_code pl_take_opts(void *to, size_t to_size, const void *from,
                                 struct pail_error **err);

#endif
