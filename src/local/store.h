/* One open store: once per process and folder, shared by its clients. */
#ifndef PL_LOCAL_STORE_H
#define PL_LOCAL_STORE_H

#include <sys/types.h>

#include "local/home.h"
#include "local/index.h"
#include "local/work.h"

enum pl_durability { PL_DURABLE_OFF = 0, PL_DURABLE_BATCH, PL_DURABLE_FULL };

enum {
    PL_INLINE_MAX = 32 << 10, /* objects up to here stand in the index */
    PL_BLOCK = 1 << 20,       /* bytes under one checksum */
    PL_READERS_MAX = 16
};

struct pl_commit;
/* Commits of this process wait here for the committer. */
struct pl_committer {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct pl_commit *first, **last; /* under lock, as all below */
    bool started, stop;
    bool busy; /* somebody has the committer's part: its thread, or a caller */
    pthread_t thread;
    /* of whoever has that part */
    struct pl_conn *conn;
    enum pl_durability synchronous; /* what conn is set to */
    bool unsynced, recovered;
    int64_t sync_at_ns; /* where unsynced */
    int frames_written_back;
    size_t last_batch;
    uint64_t version; /* the last one given */
};

enum { PL_IDS_PER_BLOCK = 1024, PL_IDS_HELD = 16 };
/* Numbers for content files, from blocks that belong to this process. */
struct pl_ids {
    pthread_mutex_t fetching; /* before lock */
    pthread_mutex_t lock;
    struct { /* under lock, as all below */
        int64_t block;
        unsigned staged; /* ids given and neither committed nor given up */
    } held[PL_IDS_HELD];
    int held_count;
    int64_t next, end; /* of the last block held */
    int64_t owner;     /* committing thread only: the lock byte of this process; 0: none yet */
};

struct pl_dead; /* content files to delete after a commit (gc.h) */
struct pl_store {
    /* set once */
    dev_t dev;
    ino_t ino;
    char *home, id[PL_STORE_ID_MAX];
    int dir_fd, data_fd, gate_fd, db_fd;
    struct pl_index_files files;

    pthread_mutex_t gate; /* the gate within this process; the record lock between processes */

    pthread_mutex_t readers_lock;
    pthread_cond_t readers_free;
    struct pl_conn *readers; /* under readers_lock, with the count of all, lent ones too */
    int reader_count;

    struct pl_committer queue;
    struct pl_ids ids;
    struct pl_workers workers;

    pthread_mutex_t backup; /* one at a time in a process */
    pthread_mutex_t gc_lock;
    struct pl_dead *gc_done; /* under gc_lock: deleted, and still named in the index */

    /* under the lock of all stores */
    unsigned refs;
    struct pl_store *next;
};

/* *out NULL: there is no store, and `create` is false. Release it as often as it was opened. */
PAIL_MUST pail_code pl_store_open(const char *home, bool create, struct pl_store **out,
                                  struct pail_error **err);
void pl_store_release(struct pl_store *s);

/* Every commit and checkpoint of every process happens between these. */
PAIL_MUST pail_code pl_gate_enter(struct pl_store *s, struct pail_error **err);
void pl_gate_leave(struct pl_store *s);
/* Byte 0 of the gate file is the gate; byte n that the process with owner number n lives. */
PAIL_MUST bool pl_owner_claim(struct pl_store *s, int64_t owner);
bool pl_owner_lives(struct pl_store *s, int64_t owner);

/* A connection for short reads; waits where too many are out. */
PAIL_MUST pail_code pl_reader_take(struct pl_store *s, struct pl_conn **out,
                                   struct pail_error **err);
void pl_reader_give(struct pl_store *s, struct pl_conn *c);

#endif
