/* What runs behind pail_server, and signed URLs that it answers. */
#ifndef PL_API_SERVER_H
#define PL_API_SERVER_H

#include "api/client.h"

/* What a store keeps of the server that serves it. Owned strings; secret zeroed. */
struct pl_serve_record {
    char *id, *secret;
    char *store;   /* random: /-/healthz of the right server answers with it */
    char *address; /* NULL: none has served it yet */
};
void pl_serve_record_dispose(struct pl_serve_record *r);
/* The record of the client's store; made where there is none. Stores that are gone with their
 * process, and remote ones, get one that is nowhere kept. */
PAIL_MUST pail_code pl_serve_record_open(const pail_client *c, struct pl_serve_record *r,
                                         struct pail_error **err);
/* As that, but only what is there. PAIL_E_NOT_FOUND without an error: nothing. */
PAIL_MUST pail_code pl_serve_record_read(const pail_client *c, struct pl_serve_record *r,
                                         struct pail_error **err);
/* Writes down the address; NULL takes it off. */
PAIL_MUST pail_code pl_serve_record_save(const pail_client *c, const struct pl_serve_record *r,
                                         struct pail_error **err);

/* Whether the client's store has no signed URLs but those of a server of ours. */
bool pl_server_presigns(const pail_client *c);
/* Answers a presign op for such a store. Errors: PAIL_E_UNSUPPORTED, with how to start a server. */
PAIL_MUST pail_code pl_server_presign(pail_client *c, struct pl_op *op, struct pail_error **err);
/* The record of the server that runs in this process for the client; false: none. Dispose. */
bool pl_server_here(pail_client *c, struct pl_serve_record *out);
/* Starts one that lives as long as the client, unless one runs. */
PAIL_MUST pail_code pl_server_own(pail_client *c, struct pail_error **err);

#endif
