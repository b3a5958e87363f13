/* One walk along the chain: what its sources share. */
#ifndef PL_CRED_AWS_WALK_H
#define PL_CRED_AWS_WALK_H

#include <pthread.h>

#include "cred/aws_chain.h"
#include "cred/aws_plan.h"
#include "cred/command.h"

/* The variables that count for the chain, as they were when the client was made. */
struct pl_aws_env {
    struct pl_arena arena;
    char *value[24];
};
PAIL_MUST pail_code pl_aws_env_read(struct pl_aws_env *env, struct pail_error **err);
const char *pl_aws_env_get(const struct pl_aws_env *env, const char *name); /* NULL: unset */
void pl_aws_env_dispose(struct pl_aws_env *env);                            /* zeroes */

struct pl_aws_walk;
/* A source is asked step by step: `at` is 0 and answer NULL at first. DONE: pl_aws_take was called.
 * FAIL: *err says why, without the sources before it. */
typedef enum pl_errand_step pl_aws_source(struct pl_aws_walk *w,
                                          const struct pl_http_response *answer,
                                          struct pl_http_request *out, struct pail_error **err);
pl_aws_source pl_aws_assume_role, pl_aws_web_identity; /* aws_sts.c */
pl_aws_source pl_aws_sso, pl_aws_process, pl_aws_container, pl_aws_instance;
void pl_aws_process_work(struct pl_errand *e); /* aws_process.c: runs the helper */

struct pl_aws_walk {
    struct pl_errand errand; /* first */
    const struct pl_settings *settings;
    const struct pl_aws_env *env;
    const char *profile; /* that was chosen */
    struct pl_aws_files files;
    struct pl_aws_plan plan;
    int64_t now_ms;
    struct pl_aws_keys *keys; /* what the last source gave */
    struct pl_aws_chain *chain;
    struct pl_buf tried; /* "source: why not; ..." */
    size_t roles_left;
    bool is_configured; /* somebody asked for this source: where it fails, the walk ends */
    const char *name;   /* of the source, for people */
    pl_aws_source *source;

    /* The source's own, empty when it begins. */
    int at, tries;
    struct pl_aws_role role;   /* STS */
    const char *token_file;    /* web identity */
    struct pl_buf secret;      /* a bearer token or its like */
    struct pl_buf text;        /* not secret */
    struct pl_command command; /* a helper process */
};

/* Keeps the keys that a source gave, after a look at their form. expires_ms 0: never. */
PAIL_MUST pail_code pl_aws_take(struct pl_aws_walk *w, struct pl_str access_key,
                                struct pl_str secret_key, struct pl_str token, int64_t expires_ms,
                                struct pail_error **err);
/* The same out of a JSON object with the usual names; token_name differs. */
PAIL_MUST pail_code pl_aws_take_json(struct pl_aws_walk *w, struct pl_str text,
                                     const char *token_name, struct pail_error **err);
/* Begins a request to url with `path` behind it. */
PAIL_MUST pail_code pl_aws_ask(struct pl_http_request *out, const char *method, const char *url,
                               const char *path, struct pail_error **err);
/* What is wrong with an answer that is no 2xx: who, where, what. code: a name that the service
 * gave, shown only if it looks like one; may be empty. */
pail_code pl_aws_blame(const struct pl_http_response *answer, const char *who, struct pl_str code,
                       struct pail_error **err);
/* Where a service is. NEAR: one that cuts the connection may just be starting. PROMISED:
 * also one that does not listen yet, for whoever runs this was told that it is there. */
enum pl_aws_place { PL_AWS_FAR, PL_AWS_NEAR, PL_AWS_PROMISED };
/* Whether asking once more makes sense: the server stumbled, which it may twice. Sets the wait. */
bool pl_aws_again(struct pl_aws_walk *w, const struct pl_http_response *answer,
                  enum pl_aws_place place);
/* Reads a file that holds a token: no blanks at its ends, no control characters in it. */
PAIL_MUST pail_code pl_aws_read_token(const char *path, struct pl_buf *out,
                                      struct pail_error **err);
/* Where a service ("sts", "sso", "sso_oidc") is, by variable or profile; else as `host` of the
 * region with AWS's domain. Adds to out. */
PAIL_MUST pail_code pl_aws_service_url(struct pl_aws_walk *w, const char *service, const char *host,
                                       const char *region, struct pl_buf *out,
                                       struct pail_error **err);
/* A property of the chosen profile; NULL: unset. */
const char *pl_aws_profile_text(const struct pl_aws_walk *w, const char *key);
void pl_aws_wipe(struct pl_buf *b); /* zeroes, then disposes; the maximum is kept */

#endif
