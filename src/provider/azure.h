/* What the files of the Azure Blob dialect share. */
#ifndef PL_PROVIDER_AZURE_H
#define PL_PROVIDER_AZURE_H

#include "codec/digest.h"
#include "cred/azure_login.h"
#include "provider/dialect.h"
#include "sign/azure_sas.h"

/* Of requests and of signatures in URLs: one that services, emulators and sovereign clouds know. */
#define PL_AZURE_VERSION "2023-11-03"

enum { PL_AZURE_BATCH_MAX = 256 }; /* SPEC "Blob Batch" */

enum pl_azure_auth {
    PL_AZURE_NONE, /* nothing was given: an error at the first request */
    PL_AZURE_ANONYMOUS,
    PL_AZURE_KEY,
    PL_AZURE_SAS,
    PL_AZURE_BEARER, /* a token that was given */
    PL_AZURE_LOGIN   /* tokens that a login gives */
};

/* Signs URLs where the account's key is not there. */
struct pl_azure_delegation_key {
    bool key_ready;
    struct pl_azure_key key;
    struct pl_azure_delegation is; /* in the arena */
    struct pl_arena arena;
    int64_t expires_ms;
};

struct pl_azure {
    struct pl_dialect dialect; /* first */
    /* set once */
    const struct pl_settings *settings;
    enum pl_azure_auth auth;
    bool tls, verify;
    bool deletes_snapshots; /* with their blob; else it stays while it has any */
    uint16_t port;
    char *host, *base_path; /* base_path: "" or "/account" of an emulator */
    char *account;
    char *sas;   /* secret; without the '?' */
    char *token; /* secret */
    struct pl_azure_login *login;
    /* under dialect.lock */
    struct pl_azure_key key;
    struct pl_azure_delegation_key delegation;
    bool no_crc; /* an emulator refused checksums in CRC64: Content-MD5, of ranges none */
};

/* What one op keeps over its attempts and exchanges. */
struct pl_azure_memo {
    int stage;       /* of an op of several exchanges */
    enum pl_sum sum; /* of the body that is sent; NONE: not computed */
    struct pl_sum_value sum_value;
    char expected_md5[PL_SUM_BASE64_MAX]; /* get: what the first head said of the whole */
    char expected_crc[PL_SUM_BASE64_MAX]; /* get: ... of the range */
    bool asks_crc;                        /* get: the service was asked for that */
    int polls;                            /* copy: how often its state was asked for */
    const char *copy_id;                  /* of the copy that is waited for; NULL: not told */
    int resume;                           /* copy: the stage whose answer may be lost; 0: none */
    pail_code refused;                    /* end of an upload: what a second try was told */
};

/* azure_config.c: whether a host, in lower case, is Azure's own. */
bool pl_azure_is_own(const char *host);
/* Fills account, endpoint and credentials. ignore_environment: the machine's own
 * identity is then only tried where it is asked for; elsewhere than at Azure it always is. */
PAIL_MUST pail_code pl_azure_configure(struct pl_azure *az, struct pl_settings *settings,
                                       bool ignore_environment, struct pail_error **err);

/* azure_build.c */
/* SPEC "Delete Blob": a blob with snapshots goes only together with them. */
void pl_azure_add_snapshots(const struct pl_azure *az, struct pl_http_request *r,
                            const char *version); /* version: NULL, or one of them goes alone */
struct pl_azure_build {
    struct pl_azure *az;
    struct pl_op *op;
    struct pl_attempt *a;
    struct pl_azure_memo *memo;
    struct pl_http_request *r;
    struct pl_buf query;
    bool on_service, on_container; /* else on the blob */
    struct pail_error **err;
};
PAIL_MUST pail_code pl_azure_build(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                                   struct pl_http_request *out, struct pail_error **err);
/* Adds "/container/blob", encoded, behind the endpoint's own path; either may be NULL. */
void pl_azure_path(const struct pl_azure *az, const char *container, const char *blob,
                   struct pl_buf *out);
void pl_azure_parameter(struct pl_azure_build *b, const char *name, const char *value);
/* versionid= or snapshot=, as the version's text says. */
void pl_azure_version(struct pl_buf *query, const char *version);

/* azure_headers.c */
PAIL_MUST pail_code pl_azure_add_metadata(struct pl_azure_build *b, const pail_attributes *attr);
void pl_azure_add_content(struct pl_azure_build *b, const pail_attributes *attr);
PAIL_MUST pail_code pl_azure_add_attributes(struct pl_azure_build *b, const pail_attributes *attr);
PAIL_MUST pail_code pl_azure_add_encryption(struct pl_azure_build *b, const pail_encryption *e);
void pl_azure_add_conditions(struct pl_azure_build *b, const pail_conditions *cond,
                             const char *prefix);
PAIL_MUST pail_code pl_azure_add_extra(struct pl_azure_build *b);
/* A name as Azure takes it, a C# identifier, and back; name: lower case. */
void pl_azure_metadata_name(struct pl_buf *out, struct pl_str name);
/* In place. */
void pl_azure_metadata_name_decode(char *name);

/* azure_upload.c */
PAIL_MUST pail_code pl_azure_add_body(struct pl_azure_build *b);
void pl_azure_crc_text(const struct pl_sum_value *v, char text[PL_SUM_BASE64_MAX]);
PAIL_MUST pail_code pl_azure_begin(struct pl_azure_build *b);
PAIL_MUST pail_code pl_azure_part(struct pl_azure_build *b);
PAIL_MUST pail_code pl_azure_finish(struct pl_azure_build *b);
PAIL_MUST pail_code pl_azure_tags(struct pl_azure_build *b);

/* Adds the name of a part's block. */
void pl_azure_block_id(struct pl_buf *out, const char *upload_id, uint32_t number);

/* azure_commit.c: the end of an upload that was refused, but may have been done before. */
void pl_azure_doubt_refusal(const struct pl_op *op, const struct pl_attempt *a,
                            const struct pl_http_response *r, struct pl_verdict *out);
/* Whether the blocks that are there are looked at, instead of the list being written. */
bool pl_azure_looks_at_blocks(const struct pl_op *op, const struct pl_attempt *a);
void pl_azure_look_at_blocks(struct pl_azure_build *b);
/* Any answer to that. On DONE the result of the op is still to be read from the headers. */
void pl_azure_parse_blocks(struct pl_op *op, const struct pl_attempt *a,
                           const struct pl_http_response *r, struct pl_verdict *out,
                           struct pail_error **err);

/* azure_copy.c */
PAIL_MUST pail_code pl_azure_copy(struct pl_azure_build *b);
void pl_azure_doubt_copy(struct pl_op *op, struct pl_attempt *a, struct pl_verdict *out);
void pl_azure_parse_copy(struct pl_op *op, struct pl_attempt *a, const struct pl_http_response *r,
                         struct pl_verdict *out, struct pail_error **err);

/* azure_sign.c */
PAIL_MUST pail_code pl_azure_authorize(struct pl_azure *az, const struct pl_attempt *a,
                                       struct pl_http_request *r, struct pail_error **err);
PAIL_MUST pail_code pl_azure_presign(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                                     struct pail_error **err);

/* "2026-01-02T03:04:05Z", as signatures want it. */
const char *pl_azure_iso(int64_t ms, char *out);
/* How long the URL that op asks for shall serve. */
int64_t pl_azure_url_ms(const struct pl_op *op);

/* The same without the version, as the calls of a batch are. */
PAIL_MUST pail_code pl_azure_sign(struct pl_azure *az, const struct pl_attempt *a,
                                  struct pl_http_request *r, struct pail_error **err);

/* azure_batch.c */
PAIL_MUST pail_code pl_azure_add_batch(struct pl_azure_build *b);
void pl_azure_parse_batch(struct pl_azure *az, struct pl_op *op, struct pl_attempt *a,
                          const struct pl_http_response *r, struct pl_verdict *out,
                          struct pail_error **err);

/* azure_delegation.c */
void pl_azure_need(struct pl_dialect *d, const struct pl_op *op, int64_t now_ms,
                   struct pl_need *out);
struct pl_errand *pl_azure_errand(struct pl_dialect *d, const struct pl_op *op, uint64_t what,
                                  struct pail_error **err);
PAIL_MUST pail_code pl_azure_refresh(struct pl_dialect *d, struct pail_error **err);
void pl_azure_delegation_dispose(struct pl_azure_delegation_key *k);

/* azure_parse.c, azure_errors.c, azure_list.c */
void pl_azure_head(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                   const struct pl_http_response *r);
void pl_azure_parse(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                    const struct pl_http_response *r, struct pl_verdict *out,
                    struct pail_error **err);
void pl_azure_parse_error(struct pl_azure *az, struct pl_op *op, struct pl_attempt *a,
                          const struct pl_http_response *r, struct pl_verdict *out,
                          struct pail_error **err);
PAIL_MUST pail_code pl_azure_list_query(struct pl_azure_build *b);
void pl_azure_parse_list(struct pl_op *op, const struct pl_http_response *r, struct pl_verdict *out,
                         struct pail_error **err);
/* "the object exists already", ...; static. */
const char *pl_azure_plain_words(pail_code code);
/* The name that says what the error is, from the header or the body; a view of either. */
struct pl_str pl_azure_error_code(struct pl_arena *arena, const struct pl_http_response *r);

/* The dialect alone, as golden tests use it; its lock is made by http_provider. */
PAIL_MUST pail_code pl_azure_dialect_new(const struct pl_provider_env *env, struct pl_dialect **out,
                                         struct pail_error **err);

#endif
