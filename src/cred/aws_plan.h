/* How a profile gets its keys: a source of the first ones, and the roles to take on with them. */
#ifndef PL_CRED_AWS_PLAN_H
#define PL_CRED_AWS_PLAN_H

#include "cred/aws_files.h"

enum pl_aws_base {
    PL_AWS_BASE_NONE = 0, /* the profile says nothing of keys */
    PL_AWS_BASE_KEYS,
    PL_AWS_BASE_WEB_IDENTITY,
    PL_AWS_BASE_SSO,
    PL_AWS_BASE_PROCESS,
    PL_AWS_BASE_ENVIRONMENT, /* credential_source = Environment */
    PL_AWS_BASE_CONTAINER,   /* EcsContainer */
    PL_AWS_BASE_INSTANCE     /* Ec2InstanceMetadata */
};

enum { PL_AWS_ROLES_MAX = 8 };

struct pl_aws_role {
    const char *profile, *arn;
    const char *session, *external_id, *duration_s, *mfa_serial; /* NULL: not given */
};

/* Views of the files. */
struct pl_aws_plan {
    enum pl_aws_base base;
    const char *profile;           /* that has the base */
    const struct pl_aws_entry *at; /* what names the base; NULL: NONE */
    const struct pl_aws_entry *access_key, *secret_key, *token; /* KEYS; token may be NULL */
    const char *token_file;                                     /* WEB_IDENTITY */
    struct pl_aws_role web;
    /* SSO; session NULL: the legacy form. account and role NULL: only a token can be had. */
    const char *sso_session, *sso_start_url, *sso_region, *sso_account, *sso_role;
    const char *process;
    struct pl_aws_role roles[PL_AWS_ROLES_MAX]; /* the last is taken on first */
    size_t role_count;
};

/* SPEC AWS SDKs and Tools Reference Guide "Assume role credential provider" and the pages of the
 * other providers. Errors: PAIL_E_BAD_CONFIG with file and line. */
PAIL_MUST pail_code pl_aws_plan_make(const struct pl_aws_files *files, const char *profile,
                                     struct pl_aws_plan *out, struct pail_error **err);

#endif
