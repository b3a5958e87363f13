#include "base/sys.h"
#include "cred/aws_walk.h"

static const char *const names[] = {"AWS_ACCESS_KEY_ID",
                                    "AWS_SECRET_ACCESS_KEY",
                                    "AWS_SESSION_TOKEN",
                                    "AWS_WEB_IDENTITY_TOKEN_FILE",
                                    "AWS_ROLE_ARN",
                                    "AWS_ROLE_SESSION_NAME",
                                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                    "AWS_EC2_METADATA_DISABLED",
                                    "AWS_EC2_METADATA_V1_DISABLED",
                                    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                                    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
                                    "AWS_ENDPOINT_URL",
                                    "AWS_ENDPOINT_URL_STS",
                                    "AWS_ENDPOINT_URL_SSO",
                                    "AWS_ENDPOINT_URL_SSO_OIDC",
                                    "HOME"};
enum { COUNT = sizeof names / sizeof *names };
_Static_assert((int)COUNT <= 24, "struct pl_aws_env has room for every variable");

pail_code pl_aws_env_read(struct pl_aws_env *env, struct pail_error **err)
{
    for (size_t i = 0; i < COUNT; i++) {
        struct pl_str value = pl_str_trim(pl_str_c(pl_sys.env(names[i])));
        env->value[i] = value.len ? pl_arena_dup(&env->arena, value) : NULL;
    }
    return env->arena.failed
               ? pl_fail(err, PAIL_E_NO_MEMORY, "no memory for the variables of the AWS tools")
               : PAIL_OK;
}

const char *pl_aws_env_get(const struct pl_aws_env *env, const char *name)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            return env->value[i];
        }
    }
    PL_ASSERT(false);
    return NULL;
}

void pl_aws_env_dispose(struct pl_aws_env *env)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (env->value[i]) {
            pl_zero(env->value[i], strlen(env->value[i]));
        }
    }
    pl_arena_dispose(&env->arena);
    *env = (struct pl_aws_env){0};
}
