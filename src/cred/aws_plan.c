#include "cred/aws_plan.h"

struct planning {
    const struct pl_aws_files *files;
    struct pl_aws_plan *plan;
    struct pail_error **err;
};

static const struct pl_aws_entry *get(const struct planning *p, const char *profile,
                                      const char *key)
{
    const struct pl_aws_entry *e = pl_aws_files_get(p->files, PL_AWS_PROFILE, profile, key);
    return e && e->value[0] ? e : NULL;
}

static const char *text(const struct planning *p, const char *profile, const char *key)
{
    const struct pl_aws_entry *e = get(p, profile, key);
    return e ? e->value : NULL;
}

static pail_code bad(const struct planning *p, const struct pl_aws_entry *at, const char *what)
{
    return pl_fail(p->err, PAIL_E_BAD_CONFIG, "%s line %u: profile %s %s", at->file, at->line,
                   at->name, what);
}

static struct pl_aws_role role_of(const struct planning *p, const char *profile)
{
    return (struct pl_aws_role){.profile = profile,
                                .arn = text(p, profile, "role_arn"),
                                .session = text(p, profile, "role_session_name"),
                                .external_id = text(p, profile, "external_id"),
                                .duration_s = text(p, profile, "duration_seconds"),
                                .mfa_serial = text(p, profile, "mfa_serial")};
}

/* Both or neither, and the token only from the file that the key id is from. */
static pail_code plan_keys(const struct planning *p, const char *profile)
{
    const struct pl_aws_entry *id = get(p, profile, "aws_access_key_id");
    const struct pl_aws_entry *secret = get(p, profile, "aws_secret_access_key");
    const struct pl_aws_entry *token = get(p, profile, "aws_session_token");
    if (!id || !secret) {
        return bad(p, id ? id : secret,
                   id ? "has aws_access_key_id without aws_secret_access_key"
                      : "has aws_secret_access_key without aws_access_key_id");
    }
    p->plan->base = PL_AWS_BASE_KEYS;
    p->plan->at = p->plan->access_key = id;
    p->plan->secret_key = secret;
    p->plan->token = token && token->of_credentials == id->of_credentials ? token : NULL;
    return PAIL_OK;
}

static bool has_keys(const struct planning *p, const char *profile)
{
    return get(p, profile, "aws_access_key_id") || get(p, profile, "aws_secret_access_key");
}

/* SPEC AWS SDKs and Tools Reference Guide "IAM Identity Center credential provider": values of the
 * session and of the profile have to agree where both have them. */
static pail_code sso_value(const struct planning *p, const struct pl_aws_entry *session,
                           const char *profile, const char *key, const char **out)
{
    const struct pl_aws_entry *own = get(p, profile, key), *shared = NULL;
    if (session) {
        shared = pl_aws_files_get(p->files, PL_AWS_SSO_SESSION, session->value, key);
    }
    if (own && shared && strcmp(own->value, shared->value) != 0) {
        return pl_fail(p->err, PAIL_E_BAD_CONFIG,
                       "%s line %u: profile %s has another %s than its sso-session %s", own->file,
                       own->line, profile, key, session->value);
    }
    own = shared ? shared : own;
    *out = own && own->value[0] ? own->value : NULL;
    return PAIL_OK;
}

static pail_code plan_sso(const struct planning *p, const char *profile,
                          const struct pl_aws_entry *at)
{
    struct pl_aws_plan *plan = p->plan;
    const struct pl_aws_entry *session = get(p, profile, "sso_session");
    if (session && !pl_aws_files_get(p->files, PL_AWS_SSO_SESSION, session->value, "")) {
        return pl_fail(p->err, PAIL_E_BAD_CONFIG,
                       "%s line %u: profile %s names [sso-session %s], which is not there",
                       session->file, session->line, profile, session->value);
    }
    pail_code rc = sso_value(p, session, profile, "sso_start_url", &plan->sso_start_url);
    rc = rc ? rc : sso_value(p, session, profile, "sso_region", &plan->sso_region);
    if (rc) {
        return rc;
    }
    plan->base = PL_AWS_BASE_SSO;
    plan->at = at;
    plan->sso_session = session ? session->value : NULL;
    plan->sso_account = text(p, profile, "sso_account_id");
    plan->sso_role = text(p, profile, "sso_role_name");
    if (!plan->sso_start_url || !plan->sso_region) {
        return bad(p, at,
                   plan->sso_start_url ? "uses single sign-on without sso_region"
                                       : "uses single sign-on without sso_start_url");
    }
    if (!plan->sso_account != !plan->sso_role || (!session && !plan->sso_role)) {
        return bad(p, at,
                   plan->sso_account ? "has sso_account_id without sso_role_name"
                                     : "uses single sign-on without sso_account_id");
    }
    return PAIL_OK;
}

/* A profile without a role, in botocore's order. */
static pail_code plan_base(const struct planning *p, const char *profile)
{
    const struct pl_aws_entry *sso = get(p, profile, "sso_session");
    const struct pl_aws_entry *id = get(p, profile, "aws_access_key_id");
    const struct pl_aws_entry *process = get(p, profile, "credential_process");
    const struct pl_aws_entry *login = get(p, profile, "login_session");
    sso = sso ? sso : get(p, profile, "sso_start_url");
    if (sso) {
        return plan_sso(p, profile, sso);
    }
    if (id && id->of_credentials) {
        return plan_keys(p, profile);
    }
    if (login) {
        pail_code rc = pl_fail(p->err, PAIL_E_UNSUPPORTED,
                               "%s line %u: profile %s gets its keys by login_session, which is "
                               "not supported",
                               login->file, login->line, profile);
        pl_error_hint(p->err,
                      "set the keys as variables: eval \"$(aws configure export-credentials "
                      "--profile %s --format env)\"",
                      profile);
        return rc;
    }
    if (process) {
        p->plan->base = PL_AWS_BASE_PROCESS;
        p->plan->at = process;
        p->plan->process = process->value;
        return PAIL_OK;
    }
    return has_keys(p, profile) ? plan_keys(p, profile) : PAIL_OK;
}

static pail_code plan_web_identity(const struct planning *p, const char *profile,
                                   const struct pl_aws_entry *file)
{
    p->plan->base = PL_AWS_BASE_WEB_IDENTITY;
    p->plan->at = file;
    p->plan->token_file = file->value;
    p->plan->web = role_of(p, profile);
    return p->plan->web.arn ? PAIL_OK
                            : bad(p, file, "has web_identity_token_file without role_arn");
}

static pail_code plan_named(const struct planning *p, const struct pl_aws_entry *named)
{
    static const struct {
        const char *name;
        enum pl_aws_base base;
    } sources[] = {{"Environment", PL_AWS_BASE_ENVIRONMENT},
                   {"EcsContainer", PL_AWS_BASE_CONTAINER},
                   {"Ec2InstanceMetadata", PL_AWS_BASE_INSTANCE}};
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        if (pl_str_ieq(pl_str_c(named->value), pl_str_c(sources[i].name))) {
            p->plan->base = sources[i].base;
            p->plan->at = named;
            return PAIL_OK;
        }
    }
    return bad(p, named,
               "has a credential_source that is none of Environment, EcsContainer and "
               "Ec2InstanceMetadata");
}

static bool was_visited(const struct pl_aws_plan *plan, const char *profile)
{
    for (size_t i = 0; i < plan->role_count; i++) {
        if (strcmp(plan->roles[i].profile, profile) == 0) {
            return true;
        }
    }
    return false;
}

/* The profile that a role's own keys are from; NULL with *rc: the plan ends here. */
static const char *source_of(const struct planning *p, const char *profile,
                             const struct pl_aws_entry *role, pail_code *rc)
{
    struct pl_aws_plan *plan = p->plan;
    const struct pl_aws_entry *source = get(p, profile, "source_profile");
    const struct pl_aws_entry *named = get(p, profile, "credential_source");
    *rc = PAIL_OK;
    if (!source == !named) {
        *rc = bad(p, role,
                  source ? "has both source_profile and credential_source"
                         : "has role_arn without source_profile, credential_source or "
                           "web_identity_token_file");
    } else if (plan->role_count == PL_AWS_ROLES_MAX) {
        *rc = bad(p, role, "needs more roles one after the other than are supported (8)");
    } else {
        plan->roles[plan->role_count++] = role_of(p, profile);
        if (named) {
            *rc = plan_named(p, named);
        } else if (strcmp(source->value, profile) == 0 && has_keys(p, profile)) {
            *rc = plan_keys(p, profile);
        } else if (was_visited(plan, source->value)) {
            *rc = bad(p, source, "comes back to itself by source_profile");
        } else if (!pl_aws_files_get(p->files, PL_AWS_PROFILE, source->value, "")) {
            *rc = pl_fail(p->err, PAIL_E_BAD_CONFIG,
                          "%s line %u: profile %s names source_profile %s, which is not there",
                          source->file, source->line, profile, source->value);
        } else {
            return source->value;
        }
    }
    return NULL;
}

pail_code pl_aws_plan_make(const struct pl_aws_files *files, const char *profile,
                           struct pl_aws_plan *out, struct pail_error **err)
{
    struct planning p = {files, out, err};
    pail_code rc = PAIL_OK;
    *out = (struct pl_aws_plan){0};
    for (;;) {
        const struct pl_aws_entry *role = get(&p, profile, "role_arn");
        const struct pl_aws_entry *web = get(&p, profile, "web_identity_token_file");
        bool is_source = out->role_count > 0;
        out->profile = profile;
        if (is_source && has_keys(&p, profile)) {
            return plan_keys(&p, profile);
        }
        if (web) {
            return plan_web_identity(&p, profile, web);
        }
        if (!role) {
            rc = plan_base(&p, profile);
            if (!rc && is_source && !out->base) {
                return pl_fail(err, PAIL_E_BAD_CONFIG,
                               "profile %s gets its keys from profile %s, which has none",
                               out->roles[out->role_count - 1].profile, profile);
            }
            return rc;
        }
        profile = source_of(&p, profile, role, &rc);
        if (!profile) {
            return rc;
        }
    }
}
