/* One transfer as the library wants it. */
#ifndef PAIL_CLI_JOB_H
#define PAIL_CLI_JOB_H

#include "transfer.h"

struct job {
    struct transfers *all;
    struct job *next;
    struct end from, to;
    int64_t size, begun_ms;
    uint64_t moved;
    char *temporary; /* a download that must not replace anything */
    int input_error; /* errno of standard input */
    bool removing;   /* the copy is done, the source goes */
    char *etag;      /* of the source, where known */
    pail_body body;
    pail_request request;
    pail_get_opts get;
    pail_put_opts put;
    pail_copy_opts copy;
    pail_delete_opts removal;
    pail_attributes attr;
    pail_info *info; /* of the source of a copy with new attributes; attr points into it */
};

/* Fills the request for the two ends. Between stores it may ask the source for its attributes. */
pail_code job_prepare(struct job *job, pail_error **err);
/* The request that deletes the source of a move whose copy is done. */
pail_request job_removal(struct job *job);
/* Counts bytes for the display; also as pail_progress_fn. */
int job_progress(uint64_t done, int64_t total, void *ctx);

#endif
