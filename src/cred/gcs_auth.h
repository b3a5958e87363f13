/* What the two files of Google's credentials share. */
#ifndef PL_CRED_GCS_AUTH_H
#define PL_CRED_GCS_AUTH_H

#include <pthread.h>

#include "cred/gcs.h"

enum pl_gcs_source {
    PL_GCS_NOBODY,
    PL_GCS_BEARER,  /* google_token */
    PL_GCS_ACCOUNT, /* a service account's key: a self-signed token, or one in exchange for it */
    PL_GCS_USER,    /* authorized_user: a refresh token */
    PL_GCS_METADATA /* the machine's own account */
};

struct pl_gcs_auth {
    pthread_mutex_t lock;
    /* set once */
    enum pl_gcs_source source;
    bool exchange; /* ACCOUNT: always ask the token endpoint */
    char *name;    /* for explain and hints; no secret */
    char *email, *key_id, *project;
    char *token_uri;
    char *client_id, *client_secret, *refresh_token; /* USER */
    char *metadata_host;
    struct evp_pkey_st *key;
    /* under lock */
    char *token;        /* zeroed */
    int64_t expires_ms; /* INT64_MAX: not known */
    int64_t failed_ms;  /* when a fetch ahead of expiry failed last */
};

/* A token to `audience` made here: {iss, sub, aud|scope, iat, exp}. */
PAIL_MUST pail_code pl_gcs_self_signed(const struct pl_gcs_auth *auth, bool for_exchange,
                                       int64_t now_ms, struct pl_buf *out, struct pail_error **err);
void pl_gcs_auth_keep(struct pl_gcs_auth *auth, const char *token, int64_t expires_ms);

#endif
