/* The verbs of the public API, prepared but not run: for the blocking form, the queue form, readers
 * and writers. */
#ifndef PL_API_VERBS_H
#define PL_API_VERBS_H

#include "api/client.h"
#include "transfer/copy.h"
#include "transfer/get.h"
#include "transfer/put.h"
#include "transfer/simple.h"
#include "transfer/source.h"

/* Each checks its arguments and points the transfer at the client; zeroed memory comes in. After
 * PAIL_OK run the task and take its result; after an error there is nothing to free. */
PAIL_MUST pail_code pl_get_prepare(struct pl_get *g, pail_bucket *b, const char *key,
                                   pail_body *dst, const pail_get_opts *user,
                                   struct pail_error **err);
PAIL_MUST pail_code pl_put_prepare(struct pl_put *p, pail_bucket *b, const char *key,
                                   pail_body *src, const pail_put_opts *user,
                                   struct pail_error **err);
/* o: the options as taken; must live as long as the task. */
PAIL_MUST pail_code pl_delete_prepare(struct pl_simple *s, pail_delete_opts *o, pail_bucket *b,
                                      const char *key, const pail_delete_opts *user,
                                      struct pail_error **err);
PAIL_MUST pail_code pl_copy_prepare(struct pl_copy *c, pail_bucket *from, const char *key,
                                    pail_bucket *to, const char *to_key, const pail_copy_opts *user,
                                    struct pail_error **err);
/* One step of an upload by parts: r's verb, key, upload_id, number, body, parts and opts. */
struct pl_upload {
    struct pl_simple simple; /* first */
    pail_put_opts opts;
    pail_delete_opts abort_opts;
    struct pl_source source;
    struct pl_part *parts; /* owned: in order */
};
PAIL_MUST pail_code pl_upload_prepare(struct pl_upload *u, const pail_request *r,
                                      struct pail_error **err);
/* Runs to its end: names with their versions. */
PAIL_MUST pail_code pl_delete_names(pail_bucket *b, const struct pl_name *names, size_t count,
                                    pail_deleted_fn each, void *each_ctx, const pail_call *call,
                                    struct pail_error **err);

/* A task that brings the next page of a listing, and what it brought handed to the listing. `call`
 * must live as long as the task. PAIL_DONE: there is no next page, and no task. */
PAIL_MUST pail_code pl_iter_ask(pail_iter *it, struct pl_simple *s, pail_call *call,
                                struct pail_error **err);
PAIL_MUST pail_code pl_iter_accept(pail_iter *it, struct pl_op *op, struct pail_error **err);

#endif
