/* Shared access signatures of Azure Storage: of a service, an account, and with a user delegation
 * key. */
#ifndef PL_SIGN_AZURE_SAS_H
#define PL_SIGN_AZURE_SAS_H

#include "sign/azure_key.h"

/* What the service gave for "Get User Delegation Key", but for the key itself. */
struct pl_azure_delegation {
    const char *oid, *tid, *start, *expiry, *service, *version;
};

/* What the token allows. Borrowed for the call; each may be NULL. Dates: "2026-01-02T03:04:05Z". */
struct pl_azure_sas {
    const char *version; /* "sv": also decides what is signed */
    const char *permission, *start, *expiry, *ip, *protocol;
    const char *account, *encryption_scope;
    const char *services, *resource_types; /* of an account SAS */
    /* of the others: container and blob as they are, not encoded */
    const char *container, *blob; /* blob NULL: the container */
    const char *identifier;       /* of a stored access policy */
    const char *snapshot, *blob_version;
    const char *cache_control, *content_disposition, *content_encoding, *content_language,
        *content_type;                            /* for the answer */
    const struct pl_azure_delegation *delegation; /* NULL: signed with the account's key */
    const char *authorized_oid, *unauthorized_oid, *correlation_id, *delegated_tid, *delegated_oid;
    /* since 2026-04-06: what the request must have */
    const pail_kv *request_headers, *request_query;
    size_t request_header_count, request_query_count;
};

/* Each adds the token "se=...&sig=..." to out; the string that was signed is in k->to_sign.
 * k: with the account's key, or that of the delegation. Errors: PAIL_E_NO_MEMORY,
 * PAIL_E_TOO_LARGE. */
PAIL_MUST pail_code pl_azure_sas_account(struct pl_azure_key *k, const struct pl_azure_sas *s,
                                         struct pl_buf *out, struct pail_error **err);
PAIL_MUST pail_code pl_azure_sas_blob(struct pl_azure_key *k, const struct pl_azure_sas *s,
                                      struct pl_buf *out, struct pail_error **err);

#endif
