/* What the files of Google's credentials share. */
#ifndef PL_CRED_GCS_AUTH_H
#define PL_CRED_GCS_AUTH_H

#include <pthread.h>

#include "codec/json.h"
#include "cred/gcs.h"

#define PL_GCS_SCOPE_STORAGE "https://www.googleapis.com/auth/devstorage.full_control"
#define PL_GCS_SCOPE_CLOUD   "https://www.googleapis.com/auth/cloud-platform"

enum {
    PL_GCS_ANSWER_MAX = 64 * 1024,
    PL_GCS_ENDPOINT_MS = 30000,
    PL_GCS_METADATA_MS = 1500, /* a machine without the server costs one of them */
    PL_GCS_HEADERS_MAX = 8
};

enum pl_gcs_source {
    PL_GCS_NOBODY,
    PL_GCS_BEARER,   /* google_token */
    PL_GCS_ACCOUNT,  /* a service account's key: a self-signed token, or one in exchange for it */
    PL_GCS_USER,     /* authorized_user: a refresh token */
    PL_GCS_METADATA, /* the machine's own account */
    PL_GCS_EXTERNAL  /* external_account: somebody else's token in exchange for one */
};

/* Where the subject token of an external account comes from. */
enum pl_gcs_subject { PL_GCS_SUBJECT_FILE, PL_GCS_SUBJECT_URL, PL_GCS_SUBJECT_AWS };

/* Of an external_account file; strings owned. */
struct pl_gcs_external {
    enum pl_gcs_subject kind;
    char *audience, *subject_type;
    char *project;    /* workforce_pool_user_project; NULL: none */
    char *file, *url; /* AWS: url of the roles, NULL: only variables */
    char *field;      /* of a JSON answer that has the token; NULL: it is all text */
    char *header_names[PL_GCS_HEADERS_MAX], *header_values[PL_GCS_HEADERS_MAX];
    char *region_url, *session_url, *verification_url; /* AWS */
};

struct pl_gcs_token {
    char *text;         /* zeroed */
    int64_t expires_ms; /* INT64_MAX: not known */
};

struct pl_gcs_auth {
    pthread_mutex_t lock;
    /* set once */
    enum pl_gcs_source source;
    bool exchange; /* ACCOUNT: always ask the token endpoint */
    bool ignore_environment;
    bool on_google; /* METADATA: the machine is one of Google's */
    char *name;     /* for explain and hints; no secret */
    char *email, *key_id, *project;
    char *token_uri;
    char *client_id, *client_secret, *refresh_token; /* USER; EXTERNAL: the first two, or none */
    char *metadata_host, *iam_endpoint;
    char *own_host; /* of gcs_endpoint: files may name it; NULL: none is set */
    struct evp_pkey_st *key;
    struct pl_gcs_external external;
    char *target, *target_url; /* whom the token is for in the end; NULL: nobody else */
    char *delegates;           /* JSON: the accounts between; NULL: none */
    uint64_t lifetime_s;
    /* under lock */
    struct pl_gcs_token token;
    struct pl_gcs_token base; /* with a target: whose it was got with */
    char *machine;            /* METADATA: its account's address, once it is known */
    int64_t failed_ms;        /* when a fetch ahead of expiry failed last */
};

/* gcs_read.c: the files. Each fills *a. where: the file, or the setting that holds the text. */
PAIL_MUST pail_code pl_gcs_read_json(struct pl_gcs_auth *a, struct pl_str text, const char *where,
                                     struct pail_error **err);
PAIL_MUST pail_code pl_gcs_read_file(struct pl_gcs_auth *a, const char *path,
                                     struct pail_error **err);
/* BAD_CONFIG, which names `where`, unless token_uri (NULL: fine) is Google's or of own_host. */
PAIL_MUST pail_code pl_gcs_check_token_uri(const struct pl_gcs_auth *a, const char *where,
                                           struct pail_error **err);
PAIL_MUST bool pl_gcs_set_name(struct pl_gcs_auth *a, const char *kind, const char *who,
                               const char *where);
/* Who is impersonated: "A,B,TARGET", each on behalf of the one before. */
PAIL_MUST pail_code pl_gcs_impersonate(struct pl_gcs_auth *a, const char *chain,
                                       struct pail_error **err);
pail_code pl_gcs_no_memory(struct pail_error **err);

/* A token to `audience` made here: {iss, sub, aud|scope, iat, exp}. */
PAIL_MUST pail_code pl_gcs_self_signed(const struct pl_gcs_auth *auth, bool for_exchange,
                                       int64_t now_ms, struct pl_buf *out, struct pail_error **err);
/* Both take over nothing; base NULL: there is none. */
void pl_gcs_auth_keep(struct pl_gcs_auth *auth, const char *token, int64_t expires_ms,
                      const struct pl_gcs_token *base);
void pl_gcs_token_set(struct pl_gcs_token *to, const char *text, int64_t expires_ms);

/* gcs_token.c: what its steps share with those of the other files. */
/* Begins a request to a URL. */
PAIL_MUST pail_code pl_gcs_ask(struct pl_http_request *out, const char *method, struct pl_str url,
                               struct pail_error **err);
/* Sets the error for an answer that is not what was asked for: "no WHAT from WHERE: why". */
pail_code pl_gcs_blame(const struct pl_http_response *r, pail_code code, const char *what,
                       const char *where, struct pail_error **err);
void pl_gcs_wipe(struct pl_buf *b); /* zeroes, then disposes */

/* gcs_machine.c: the metadata server. */
struct pl_gcs_tries {
    unsigned failed;
    bool met; /* one of them reached it */
};
bool pl_gcs_machine_is_googles(void); /* reads a file of the system's */
/* Asks for "token", "email" of its account; sets how long that may take, and what to wait before.
 */
PAIL_MUST pail_code pl_gcs_machine_ask(struct pl_gcs_auth *auth, const char *what,
                                       struct pl_errand *e, const struct pl_gcs_tries *t,
                                       struct pl_http_request *out, struct pail_error **err);
/* Whether it is worth another try after this answer, which is counted. */
bool pl_gcs_machine_again(struct pl_gcs_auth *auth, struct pl_gcs_tries *t,
                          const struct pl_http_response *r);

/* gcs_external.c: the subject token, step by step as pl_errand.next. */
struct pl_gcs_subject_walk {
    const struct pl_gcs_auth *auth;
    uint32_t timeout_ms; /* set with SEND */
    int at;
    struct pl_buf session, region, access_key, secret_key, token; /* AWS; wiped */
    struct pl_buf subject;                                        /* the result; secret */
};
enum pl_errand_step pl_gcs_subject_next(struct pl_gcs_subject_walk *w, int64_t now_ms,
                                        const struct pl_http_response *answer,
                                        struct pl_http_request *out, struct pail_error **err);
void pl_gcs_subject_dispose(struct pl_gcs_subject_walk *w);
/* gcs_aws.c: the signed call that AWS will answer with who asks. */
PAIL_MUST pail_code pl_gcs_aws_subject(struct pl_gcs_subject_walk *w, int64_t now_ms,
                                       struct pail_error **err);
enum pl_errand_step pl_gcs_aws_next(struct pl_gcs_subject_walk *w, int64_t now_ms,
                                    const struct pl_http_response *answer,
                                    struct pl_http_request *out, struct pail_error **err);

#endif
