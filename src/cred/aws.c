#include "cred/aws.h"

#include "base/sys.h"
#include "codec/ini.h"
#include "cred/aws_plan.h"

struct applying {
    struct pl_settings *s;
    struct pl_aws_files files;
    const char *profile;
    struct pail_error **err;
};

static bool is_set(const struct pl_settings *s, const char *name)
{
    return pl_settings_get(s, name) != NULL;
}

static bool is_of_environment(const struct pl_settings *s, const char *name)
{
    const char *origin = pl_settings_origin(s, name);
    return origin && pl_str_starts(pl_str_c(origin), PL_STR("environment"));
}

static const struct pl_aws_entry *get(const struct applying *a, const char *key)
{
    const struct pl_aws_entry *e = pl_aws_files_get(&a->files, PL_AWS_PROFILE, a->profile, key);
    return e && e->value[0] ? e : NULL;
}

/* Sets a value of the file where nothing is set. */
static pail_code fill(const struct applying *a, const char *setting, const char *value,
                      const struct pl_aws_entry *e)
{
    struct pl_buf origin = PL_BUF_MAX(8192);
    if (is_set(a->s, setting)) {
        return PAIL_OK;
    }
    pl_buf_printf(&origin, "%s %s in %s line %u",
                  e->section == PL_AWS_SERVICES ? "services" : "profile", e->name, e->file,
                  e->line);
    pail_code rc = pl_buf_rc(&origin)
                       ? pl_fail(a->err, PAIL_E_NO_MEMORY, "no memory to read %s", e->file)
                       : pl_settings_set(a->s, setting, value, origin.ptr, a->err);
    pl_buf_dispose(&origin);
    return rc;
}

static pail_code check_profile(struct applying *a)
{
    if (!is_set(a->s, "aws_profile") ||
        pl_aws_files_get(&a->files, PL_AWS_PROFILE, a->profile, "")) {
        return PAIL_OK;
    }
    char *config = NULL, *credentials = NULL;
    pl_free(pl_aws_files_path(a->s, false, &config));
    pl_free(pl_aws_files_path(a->s, true, &credentials));
    pail_code rc = pl_fail(a->err, PAIL_E_BAD_CONFIG, "there is no profile \"%s\" (%s) in %s or %s",
                           a->profile, pl_settings_origin(a->s, "aws_profile"),
                           config ? config : "~/.aws/config",
                           credentials ? credentials : "~/.aws/credentials");
    pl_error_hint(a->err,
                  "write it as [profile %s] in the config file, or as [%s] in the "
                  "credentials file",
                  a->profile, a->profile);
    pl_free(config);
    pl_free(credentials);
    return rc;
}

/* ---- Keys */

static const char *const key_settings[] = {"aws_access_key_id", "aws_secret_access_key",
                                           "aws_session_token"};

/* Keys of the environment give way to a profile asked for by name (an option, not AWS_PROFILE), and
 * its token is of its own keys alone. */
static void drop_foreign_keys(struct pl_settings *s)
{
    for (int i = 0; i < 3; i++) { /* blanks alone are as good as nothing */
        const char *value = pl_settings_get(s, key_settings[i]);
        if (value && is_of_environment(s, key_settings[i]) &&
            pl_str_trim(pl_str_c(value)).len == 0) {
            pl_settings_unset(s, key_settings[i]);
        }
    }
    bool by_name = is_set(s, "aws_profile") && !is_of_environment(s, "aws_profile");
    bool own_keys = is_set(s, "aws_access_key_id") && !is_of_environment(s, "aws_access_key_id");
    for (int i = 0; i < 3; i++) {
        bool drop = own_keys ? i == 2 : by_name;
        if (drop && is_of_environment(s, key_settings[i])) {
            pl_settings_unset(s, key_settings[i]);
        }
    }
}

/* Keys that stand written in the profile; all other ways are the chain's, which goes the same
 * way. Where the way cannot be gone at all, that is said at once. */
static pail_code keys_of_profile(const struct applying *a)
{
    struct pl_aws_plan plan;
    bool by_name = is_set(a->s, "aws_profile") && !is_of_environment(a->s, "aws_profile");
    bool web = !by_name && pl_sys.env("AWS_WEB_IDENTITY_TOKEN_FILE") && pl_sys.env("AWS_ROLE_ARN");
    pail_code rc = pl_aws_plan_make(&a->files, a->profile, &plan, a->err);
    if (rc || plan.base != PL_AWS_BASE_KEYS || plan.role_count || web) {
        return rc;
    }
    rc = fill(a, key_settings[0], plan.access_key->value, plan.access_key);
    rc = rc ? rc : fill(a, key_settings[1], plan.secret_key->value, plan.secret_key);
    return rc || !plan.token ? rc : fill(a, key_settings[2], plan.token->value, plan.token);
}

static pail_code apply_keys(const struct applying *a)
{
    bool id = is_set(a->s, key_settings[0]), secret = is_set(a->s, key_settings[1]);
    if (pl_settings_bool(a->s, "aws_skip_signature", false) || (id && secret)) {
        return PAIL_OK;
    }
    if (id || secret) {
        return pl_fail(a->err, PAIL_E_BAD_CONFIG, "%s is set (%s) without %s", key_settings[!id],
                       pl_settings_origin(a->s, key_settings[!id]), key_settings[id]);
    }
    return keys_of_profile(a);
}

/* ---- Everything else */

/* The first entry of the key among the sub-properties: "s3 =\n endpoint_url = ...". */
static bool sub_value(const struct pl_aws_entry *e, const char *key, struct pl_buf *out)
{
    struct pl_str rest = pl_str_c(e ? e->value : ""), name, text;
    pl_buf_clear(out);
    while (e && pl_ini_sub(&rest, &name, &text)) {
        if (pl_str_ieq(name, pl_str_c(key)) && text.len) {
            pl_buf_str(out, text);
            return pl_buf_rc(out) == PAIL_OK;
        }
    }
    return false;
}

static bool ignores_endpoints(const struct applying *a)
{
    const struct pl_aws_entry *e = get(a, "ignore_configured_endpoint_urls");
    bool flag = false;
    if (!is_set(a->s, "aws_ignore_configured_endpoint_urls")) {
        return e && pl_str_bool(pl_str_c(e->value), &flag) && flag;
    }
    return pl_settings_bool(a->s, "aws_ignore_configured_endpoint_urls", false);
}

/* SPEC AWS SDKs and Tools Reference Guide, "Service-specific endpoints": variables first, then the
 * services section, then endpoint_url of the profile. */
static pail_code apply_endpoint(const struct applying *a, struct pl_buf *text)
{
    if (ignores_endpoints(a)) {
        if (is_of_environment(a->s, "aws_endpoint_url")) {
            pl_settings_unset(a->s, "aws_endpoint_url");
        }
        return PAIL_OK;
    }
    const struct pl_aws_entry *services = get(a, "services"), *url = get(a, "endpoint_url");
    if (services) {
        if (!pl_aws_files_get(&a->files, PL_AWS_SERVICES, services->value, "")) {
            return pl_fail(a->err, PAIL_E_BAD_CONFIG,
                           "%s line %u: profile %s names [services %s], which is not there",
                           services->file, services->line, services->name, services->value);
        }
        const struct pl_aws_entry *s3 =
            pl_aws_files_get(&a->files, PL_AWS_SERVICES, services->value, "s3");
        if (sub_value(s3, "endpoint_url", text)) {
            return fill(a, "aws_endpoint_url", text->ptr, s3);
        }
    }
    return url ? fill(a, "aws_endpoint_url", url->value, url) : PAIL_OK;
}

static pail_code apply_s3_section(const struct applying *a, struct pl_buf *text)
{
    const struct pl_aws_entry *s3 = get(a, "s3");
    bool on = false;
    pail_code rc = PAIL_OK;
    if (sub_value(s3, "addressing_style", text) && strcmp(text->ptr, "auto") != 0 &&
        !is_set(a->s, "aws_virtual_hosted_style_request")) {
        rc = fill(a, "s3_style", text->ptr, s3);
    }
    if (!rc && sub_value(s3, "use_dualstack_endpoint", text)) {
        rc = fill(a, "aws_use_dualstack_endpoint", text->ptr, s3);
    }
    if (!rc && sub_value(s3, "use_arn_region", text)) {
        rc = fill(a, "s3_use_arn_region", text->ptr, s3);
    }
    if (!rc && sub_value(s3, "use_accelerate_endpoint", text)) {
        rc = fill(a, "s3_accelerate", text->ptr, s3);
    }
    if (!rc && sub_value(s3, "payload_signing_enabled", text) &&
        pl_str_bool(pl_buf_view(text), &on) && on) {
        rc = fill(a, "s3_payload", "signed", s3);
    }
    return rc;
}

static pail_code apply_rest(const struct applying *a)
{
    static const char *const pairs[][2] = {
        {"region", "aws_region"},
        {"max_attempts", "max_attempts"},
        {"ca_bundle", "ca_file"},
        {"use_dualstack_endpoint", "aws_use_dualstack_endpoint"},
        {"use_fips_endpoint", "aws_use_fips_endpoint"},
        {"s3_disable_express_session_auth", "s3_disable_express_session_auth"},
    };
    struct pl_buf text = PL_BUF_MAX(64 << 10);
    pail_code rc = apply_endpoint(a, &text);
    rc = rc ? rc : apply_s3_section(a, &text);
    for (size_t i = 0; !rc && i < sizeof pairs / sizeof *pairs; i++) {
        const struct pl_aws_entry *e = get(a, pairs[i][0]);
        rc = e ? fill(a, pairs[i][1], e->value, e) : PAIL_OK;
    }
    pl_buf_dispose(&text);
    return rc;
}

pail_code pl_aws_profile_apply(struct pl_settings *s, struct pail_error **err)
{
    const char *name = pl_settings_get(s, "aws_profile");
    struct applying a = {.s = s, .profile = name ? name : "default", .err = err};
    drop_foreign_keys(s);
    pail_code rc = pl_aws_files_read(s, &a.files, err);
    rc = rc ? rc : check_profile(&a);
    rc = rc ? rc : apply_keys(&a);
    rc = rc ? rc : apply_rest(&a);
    pl_aws_files_dispose(&a.files);
    return rc;
}
