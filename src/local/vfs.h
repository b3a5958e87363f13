/* How SQLite reaches the files of a store: a named VFS of ours over the seam.
 *
 * Nothing of SQLite's own `unix` VFS is used for the index, because that one keeps locks and shared
 * memory per inode in process-wide tables that a fork copies: a child would believe in locks that
 * only its parent holds. Here all of it belongs to one struct pl_index_files, and a child makes its
 * own. The lock bytes and the layout of the shared memory are those of `unix`, so that other tools
 * may look at the index at the same time. */
#ifndef PL_LOCAL_VFS_H
#define PL_LOCAL_VFS_H

#include <pthread.h>

#include "base/error.h"

enum { PL_SHM_LOCKS = 8 };

/* The open files of one index: once per process and store, shared by its connections. */
struct pl_index_files {
    int dir_fd, db_fd; /* borrowed */
    int shm_fd;
    bool gather; /* committing thread only: each commit is synced, so writes to the log may wait for
                    that */
    pthread_mutex_t lock;
    char **regions; /* under lock, as all below */
    int region_count;
    int held[PL_SHM_LOCKS]; /* -1: exclusively, else by how many connections of this process */
};

/* Opens the shared memory beside the index; the caller holds the gate. dir_fd: the store's folder,
 * db_fd: the index, both borrowed. Also takes the lock that keeps other tools from treating the
 * index as unused. */
PAIL_MUST pail_code pl_index_files_open(struct pl_index_files *f, int dir_fd, int db_fd,
                                        struct pail_error **err);
void pl_index_files_close(struct pl_index_files *f);

/* The name to open a connection under: with the VFS and the files in it. */
void pl_vfs_uri(const struct pl_index_files *f, char *room, size_t size);
/* Registers the VFS once per process. */
PAIL_MUST pail_code pl_vfs_register(struct pail_error **err);

/* For vfs.c: shared memory as SQLite's methods want it. `file` keeps what one connection holds. */
struct pl_shm_use {
    unsigned shared, exclusive; /* bits */
};
int pl_shm_map(struct pl_index_files *f, int region, int size, bool extend, void volatile **out);
int pl_shm_lock(struct pl_index_files *f, struct pl_shm_use *use, int at, int n, int flags);

#define PL_INDEX_NAME "index.db"

#endif
