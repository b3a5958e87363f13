/* Storing one object: in one request, or in parts that are made visible in one step. */
#ifndef PL_TRANSFER_PUT_H
#define PL_TRANSFER_PUT_H

#include "transfer/ahead.h"
#include "transfer/plan.h"
#include "transfer/source.h"
#include "transfer/task.h"

enum pl_put_state { PL_PUT_FILLING = 0, PL_PUT_SINGLE, PL_PUT_BEGIN, PL_PUT_PARTS, PL_PUT_FINISH };

/* A part buffer and how much of it is filled. */
struct pl_put_buffer {
    char *ptr; /* NULL: none */
    size_t len;
};

struct pl_put {
    struct pl_task task; /* first */
    const char *bucket, *key;
    pail_put_opts opts;
    struct pl_caps caps;
    struct pl_source source; /* not of a writer */
    bool is_writer;          /* bytes are pushed with pl_put_write */
    enum pl_put_state state;
    uint64_t part_size;
    unsigned window;
    struct pl_ahead ahead;        /* of a source that is known */
    uint64_t planned;             /* bytes handed to parts so far */
    bool ended;                   /* the source has no more */
    struct pl_put_buffer full;    /* the next part of a stream, waiting to be sent */
    struct pl_put_buffer filling; /* of a writer */
    char *spare[PL_PLAN_WINDOW];  /* own buffers at rest */
    size_t spare_count;
    char *upload_id;
    bool may_stand; /* the finish was sent, and whether it took effect is not known */
    struct pl_part *parts;
    size_t part_count, part_room;
    struct pl_arena arena; /* ETags of parts */
};

/* Set task.provider, .pool, .call, .deadline_ns, bucket, key, opts and either source or is_writer
 * first. */
void pl_put_init(struct pl_put *p);

/* For a writer, whose task has a queue: takes bytes, waiting for room. */
pail_code pl_put_write(struct pl_put *p, const void *data, size_t n);
/* Makes what was written visible; then pl_task_result. Also ends a failed one. */
pail_code pl_put_commit(struct pl_put *p);
/* Ends a writer that is not to be committed. */
void pl_put_drop(struct pl_put *p);

#endif
