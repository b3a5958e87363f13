#include "base/settings.h"

#include "base/sys.h"

enum kind { TEXT, SECRET, NUMBER, SIZE, FLAG };

/* Names follow the de-facto standard of object_store's users, with the origin page's own as
 * aliases. `scheme` says for which provider an environment variable counts; NULL: for all. */
static const struct setting {
    const char *name;
    enum kind kind;
    const char *scheme;
    const char *aliases[4];
    const char *env[3];
} table[] = {
    {"local_home", TEXT, "local", {"home"}, {"PAIL_HOME"}},
    {"local_durability", TEXT, "local", {"durability"}, {"PAIL_LOCAL_DURABILITY"}},
    {"local_presign", TEXT, NULL, {0}, {"PAIL_LOCAL_PRESIGN"}},
    {"memory_limit", SIZE, NULL, {0}, {"PAIL_MEMORY_LIMIT"}},
    {"deadline_ms", NUMBER, NULL, {"timeout_ms"}, {"PAIL_DEADLINE_MS"}},
    {"max_connections", NUMBER, NULL, {0}, {"PAIL_MAX_CONNECTIONS"}},
    {"max_attempts", NUMBER, NULL, {"aws_max_attempts"}, {"AWS_MAX_ATTEMPTS"}},
    {"connect_timeout_ms", NUMBER, NULL, {0}, {0}},
    {"idle_timeout_ms", NUMBER, NULL, {"read_timeout_ms"}, {0}},
    {"part_size", SIZE, NULL, {0}, {"PAIL_PART_SIZE"}},
    {"concurrency", NUMBER, NULL, {0}, {"PAIL_CONCURRENCY"}},
    {"verify", FLAG, NULL, {0}, {0}},
    {"proxy_url", SECRET, NULL, {"proxy"}, {0}},
    {"no_proxy", TEXT, NULL, {"proxy_excludes"}, {0}},
    {"ca_file", TEXT, NULL, {"aws_ca_bundle", "ca_bundle"}, {"AWS_CA_BUNDLE"}},
    {"client_cert_file", TEXT, NULL, {0}, {0}},
    {"client_key_file", TEXT, NULL, {0}, {0}},
    {"insecure", FLAG, NULL, {"allow_invalid_certificates"}, {0}},
    {"unix_socket", TEXT, NULL, {0}, {0}},
    {"user_agent", TEXT, NULL, {0}, {0}},
    {"http2", FLAG, NULL, {0}, {0}},
    {"aws_access_key_id",
     TEXT,
     "s3",
     {"aws_access_key", "access_key_id"},
     {"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"}},
    {"aws_secret_access_key",
     SECRET,
     "s3",
     {"aws_secret_key", "secret_access_key"},
     {"AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"}},
    {"aws_session_token",
     SECRET,
     "s3",
     {"aws_token", "session_token", "token"},
     {"AWS_SESSION_TOKEN"}},
    {"aws_region",
     TEXT,
     "s3",
     {"aws_default_region", "aws_region_name", "region"},
     {"AWS_REGION", "AWS_DEFAULT_REGION"}},
    {"aws_endpoint_url",
     TEXT,
     "s3",
     {"aws_endpoint", "aws_endpoint_url_s3", "endpoint_url", "s3_endpoint_url"},
     {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}},
    {"aws_profile", TEXT, "s3", {"profile"}, {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}},
    {"aws_config_file", TEXT, "s3", {0}, {"AWS_CONFIG_FILE"}},
    {"aws_shared_credentials_file", TEXT, "s3", {0}, {"AWS_SHARED_CREDENTIALS_FILE"}},
    {"aws_skip_signature",
     FLAG,
     "s3",
     {"skip_signature", "no_sign_request"},
     {"AWS_SKIP_SIGNATURE"}},
    {"aws_ignore_configured_endpoint_urls",
     FLAG,
     "s3",
     {0},
     {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}},
    {"aws_virtual_hosted_style_request", FLAG, "s3", {"virtual_hosted_style_request"}, {0}},
    {"aws_use_dualstack_endpoint", FLAG, "s3", {0}, {"AWS_USE_DUALSTACK_ENDPOINT"}},
    {"aws_use_fips_endpoint", FLAG, "s3", {0}, {"AWS_USE_FIPS_ENDPOINT"}},
    {"s3_use_arn_region", FLAG, "s3", {"aws_s3_use_arn_region"}, {"AWS_S3_USE_ARN_REGION"}},
    {"s3_accelerate", FLAG, "s3", {"use_accelerate_endpoint"}, {0}},
    {"s3_disable_express_session_auth", FLAG, "s3", {0}, {"AWS_S3_DISABLE_EXPRESS_SESSION_AUTH"}},
    {"s3_list_directory_buckets", FLAG, "s3", {0}, {0}},
    {"s3_service", TEXT, "s3", {0}, {0}},
    /* The fields of a service profile: research of services gives the defaults, these overrule
       them. */
    {"s3_style", TEXT, "s3", {"style"}, {0}},
    {"s3_payload", TEXT, "s3", {"payload"}, {0}},
    {"s3_sums", TEXT, "s3", {"sums"}, {0}},
    {"s3_delete_max", NUMBER, "s3", {"delete_max"}, {0}},
    {"s3_delete_sum", TEXT, "s3", {"delete_sum"}, {0}},
    {"s3_list", TEXT, "s3", {"list"}, {0}},
    {"s3_list_urlenc", FLAG, "s3", {"list_urlenc"}, {0}},
    {"s3_parts_max", NUMBER, "s3", {"parts_max"}, {0}},
    {"s3_part_min", SIZE, "s3", {"part_min"}, {0}},
    {"s3_part_equal", FLAG, "s3", {"part_equal"}, {0}},
    {"s3_copy_part", FLAG, "s3", {"copy_part"}, {0}},
    {"s3_put_max", SIZE, "s3", {"put_max"}, {0}},
    {"s3_cond_put", TEXT, "s3", {"cond_put"}, {0}},
    {"s3_cond_multipart", TEXT, "s3", {"cond_multipart"}, {0}},
    {"s3_cond_copy", TEXT, "s3", {"cond_copy"}, {0}},
    {"s3_cond_delete", TEXT, "s3", {"cond_delete"}, {0}},
    {"s3_cond_extra", TEXT, "s3", {"cond_extra"}, {0}},
    {"s3_copy_max", SIZE, "s3", {"copy_max"}, {0}},
    {"s3_location", FLAG, "s3", {0}, {0}},
    {"s3_acl", FLAG, "s3", {0}, {0}},
    {"s3_class", FLAG, "s3", {0}, {0}},
    {"s3_sse", TEXT, "s3", {0}, {0}},
    {"s3_versions", FLAG, "s3", {"versions"}, {0}},
    {"s3_tags", FLAG, "s3", {"tags"}, {0}},
    {"s3_etag_md5", FLAG, "s3", {"etag_md5"}, {0}},
    {"os_storage_url", TEXT, "swift", {"storage_url", "swift_storage_url"}, {"OS_STORAGE_URL"}},
    {"os_auth_token", SECRET, "swift", {"swift_auth_token"}, {"OS_AUTH_TOKEN", "OS_TOKEN"}},
    {"os_auth_token_file", TEXT, "swift", {0}, {"OS_AUTH_TOKEN_FILE"}},
    {"os_auth_token_command", SECRET, "swift", {0}, {"OS_AUTH_TOKEN_COMMAND"}},
    {"os_auth_url", TEXT, "swift", {"auth_url"}, {"OS_AUTH_URL"}},
    {"os_auth_type", TEXT, "swift", {0}, {"OS_AUTH_TYPE"}},
    {"os_identity_api_version",
     TEXT,
     "swift",
     {"os_auth_version"},
     {"OS_IDENTITY_API_VERSION", "ST_AUTH_VERSION"}},
    {"os_username", TEXT, "swift", {"os_user_name"}, {"OS_USERNAME"}},
    {"os_user_id", TEXT, "swift", {0}, {"OS_USER_ID"}},
    {"os_password", SECRET, "swift", {0}, {"OS_PASSWORD"}},
    {"os_user_domain_id", TEXT, "swift", {0}, {"OS_USER_DOMAIN_ID"}},
    {"os_user_domain_name", TEXT, "swift", {0}, {"OS_USER_DOMAIN_NAME"}},
    {"os_default_domain", TEXT, "swift", {0}, {"OS_DEFAULT_DOMAIN"}},
    {"os_project_id", TEXT, "swift", {"os_tenant_id"}, {"OS_PROJECT_ID", "OS_TENANT_ID"}},
    {"os_project_name", TEXT, "swift", {"os_tenant_name"}, {"OS_PROJECT_NAME", "OS_TENANT_NAME"}},
    {"os_project_domain_id", TEXT, "swift", {0}, {"OS_PROJECT_DOMAIN_ID"}},
    {"os_project_domain_name", TEXT, "swift", {0}, {"OS_PROJECT_DOMAIN_NAME"}},
    {"os_domain_id", TEXT, "swift", {0}, {"OS_DOMAIN_ID"}},
    {"os_domain_name", TEXT, "swift", {0}, {"OS_DOMAIN_NAME"}},
    {"os_trust_id", TEXT, "swift", {0}, {"OS_TRUST_ID"}},
    {"os_system_scope", TEXT, "swift", {0}, {"OS_SYSTEM_SCOPE"}},
    {"os_application_credential_id", TEXT, "swift", {0}, {"OS_APPLICATION_CREDENTIAL_ID"}},
    {"os_application_credential_name", TEXT, "swift", {0}, {"OS_APPLICATION_CREDENTIAL_NAME"}},
    {"os_application_credential_secret",
     SECRET,
     "swift",
     {0},
     {"OS_APPLICATION_CREDENTIAL_SECRET"}},
    {"os_region_name", TEXT, "swift", {"os_region"}, {"OS_REGION_NAME"}},
    {"os_interface", TEXT, "swift", {"os_endpoint_type"}, {"OS_INTERFACE", "OS_ENDPOINT_TYPE"}},
    {"os_cloud", TEXT, "swift", {0}, {"OS_CLOUD"}},
    {"os_client_config_file", TEXT, "swift", {0}, {"OS_CLIENT_CONFIG_FILE"}},
    {"st_auth", TEXT, "swift", {0}, {"ST_AUTH"}},
    {"st_user", TEXT, "swift", {0}, {"ST_USER"}},
    {"st_key", SECRET, "swift", {0}, {"ST_KEY"}},
    {"swift_storage_policy", TEXT, "swift", {"os_storage_policy"}, {0}},
    {"swift_tempurl_key", SECRET, "swift", {"temp_url_key"}, {0}},
    {"swift_delete_after", NUMBER, "swift", {0}, {0}},
    {"swift_tempurl_key_create", FLAG, "swift", {0}, {0}},
    {"swift_remove_segments", FLAG, "swift", {0}, {0}},
    {"azure_storage_account_name",
     TEXT,
     "az",
     {"azure_storage_account", "azure_account_name", "account_name"},
     {"AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"}},
    {"azure_storage_account_key",
     SECRET,
     "az",
     {"azure_storage_access_key", "azure_storage_master_key", "azure_storage_key", "account_key"},
     {"AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_KEY"}},
    {"azure_storage_connection_string",
     SECRET,
     "az",
     {"connection_string"},
     {"AZURE_STORAGE_CONNECTION_STRING"}},
    {"azure_storage_sas_token",
     SECRET,
     "az",
     {"azure_storage_sas_key", "sas_token", "sas_key"},
     {"AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY"}},
    {"azure_storage_token", SECRET, "az", {"bearer_token"}, {"AZURE_STORAGE_TOKEN"}},
    {"azure_endpoint",
     TEXT,
     "az",
     {"azure_storage_endpoint"},
     {"AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"}},
    {"azure_endpoint_suffix", TEXT, "az", {"azure_storage_endpoint_suffix"}, {0}},
    {"azure_storage_use_emulator", FLAG, "az", {"use_emulator"}, {"AZURE_STORAGE_USE_EMULATOR"}},
    {"azure_delete_snapshots", FLAG, "az", {0}, {0}},
    {"azure_skip_signature", FLAG, "az", {0}, {"AZURE_SKIP_SIGNATURE"}},
    {"azure_client_id",
     TEXT,
     "az",
     {"azure_storage_client_id", "client_id"},
     {"AZURE_STORAGE_CLIENT_ID", "AZURE_CLIENT_ID"}},
    {"azure_client_secret",
     SECRET,
     "az",
     {"azure_storage_client_secret", "client_secret"},
     {"AZURE_STORAGE_CLIENT_SECRET", "AZURE_CLIENT_SECRET"}},
    {"azure_client_certificate_path", TEXT, "az", {0}, {"AZURE_CLIENT_CERTIFICATE_PATH"}},
    {"azure_client_certificate_password", SECRET, "az", {0}, {"AZURE_CLIENT_CERTIFICATE_PASSWORD"}},
    {"azure_use_azure_cli", FLAG, "az", {"use_azure_cli"}, {"AZURE_USE_AZURE_CLI"}},
    {"azure_tenant_id",
     TEXT,
     "az",
     {"azure_storage_tenant_id", "azure_authority_id", "tenant_id", "authority_id"},
     {"AZURE_STORAGE_TENANT_ID", "AZURE_TENANT_ID"}},
    {"azure_authority_host",
     TEXT,
     "az",
     {"azure_storage_authority_host", "authority_host"},
     {"AZURE_STORAGE_AUTHORITY_HOST", "AZURE_AUTHORITY_HOST"}},
    {"azure_federated_token_file",
     TEXT,
     "az",
     {"federated_token_file"},
     {"AZURE_FEDERATED_TOKEN_FILE"}},
    {"azure_msi_endpoint",
     TEXT,
     "az",
     {"azure_identity_endpoint", "identity_endpoint", "msi_endpoint"},
     {"IDENTITY_ENDPOINT"}},
    {"azure_identity_header", SECRET, "az", {"identity_header"}, {"IDENTITY_HEADER"}},
    {"azure_imds_endpoint", TEXT, "az", {0}, {"AZURE_POD_IDENTITY_AUTHORITY_HOST"}},
    {"google_application_credentials",
     TEXT,
     "gs",
     {"application_credentials", "gcs_application_credentials"},
     {"GOOGLE_APPLICATION_CREDENTIALS"}},
    {"google_service_account",
     TEXT,
     "gs",
     {"service_account", "google_service_account_path", "service_account_path"},
     {"GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH"}},
    {"google_service_account_key",
     SECRET,
     "gs",
     {"service_account_key"},
     {"GOOGLE_SERVICE_ACCOUNT_KEY"}},
    {"google_project_id",
     TEXT,
     "gs",
     {"google_project", "gcs_project", "project_id"},
     {"GOOGLE_CLOUD_PROJECT", "GOOGLE_PROJECT_ID"}},
    {"google_user_project", TEXT, "gs", {"gcs_user_project", "user_project"}, {0}},
    {"google_token", SECRET, "gs", {"google_access_token"}, {"GOOGLE_OAUTH_ACCESS_TOKEN"}},
    {"google_skip_signature",
     FLAG,
     "gs",
     {"google_anonymous", "gcs_anonymous"},
     {"GOOGLE_SKIP_SIGNATURE"}},
    {"google_hmac_access_id", TEXT, "gs", {"gcs_hmac_access_id"}, {0}},
    {"google_hmac_secret", SECRET, "gs", {"gcs_hmac_secret"}, {0}},
    {"google_token_exchange", FLAG, "gs", {0}, {0}},
    {"google_impersonate_service_account",
     TEXT,
     "gs",
     {"impersonate_service_account"},
     {"GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"}},
    {"gcs_upload", TEXT, "gs", {0}, {0}},
    {"google_iam_endpoint", TEXT, "gs", {0}, {0}},
    {"gcs_endpoint",
     TEXT,
     "gs",
     {"google_endpoint", "gcs_endpoint_url"},
     {"STORAGE_EMULATOR_HOST"}},
    {"gcs_metadata_host", TEXT, "gs", {"gce_metadata_host"}, {"GCE_METADATA_HOST"}},
};

enum { COUNT = sizeof table / sizeof *table };
_Static_assert((int)COUNT <= (int)PL_SETTINGS_MAX, "struct pl_settings has room for every setting");

static int find(const char *name)
{
    struct pl_str wanted = pl_str_c(name);
    for (int i = 0; i < COUNT; i++) {
        if (pl_str_ieq(wanted, pl_str_c(table[i].name))) {
            return i;
        }
        for (int j = 0; j < 4 && table[i].aliases[j]; j++) {
            if (pl_str_ieq(wanted, pl_str_c(table[i].aliases[j]))) {
                return i;
            }
        }
    }
    return -1;
}

static const char *nearest(const char *name)
{
    size_t least = 1 + strlen(name) / 2;
    const char *best = NULL;
    for (int i = 0; i < COUNT; i++) {
        for (int j = -1; j < 4 && (j < 0 || table[i].aliases[j]); j++) {
            const char *candidate = j < 0 ? table[i].name : table[i].aliases[j];
            size_t d = pl_edit_distance(name, candidate);
            if (d < least) {
                least = d;
                best = candidate;
            }
        }
    }
    return best;
}

static const char *wrong_value(int i, const char *value)
{
    uint64_t n;
    bool flag;
    struct pl_str v = pl_str_c(value);
    switch (table[i].kind) {
    case TEXT:
    case SECRET: return pl_header_safe(v) ? NULL : "text without control characters";
    case NUMBER: return pl_str_u64(v, &n) ? NULL : "a whole number";
    case SIZE: return pl_str_size(v, &n) ? NULL : "a size such as 64M";
    case FLAG: return pl_str_bool(v, &flag) ? NULL : "true or false";
    }
    return NULL;
}

static void clear(struct pl_settings *s, int i)
{
    pl_free_secret(s->value[i]);
    pl_free(s->origin[i]);
    s->value[i] = s->origin[i] = NULL;
}

static pail_code put(struct pl_settings *s, int i, const char *value, const char *origin)
{
    char *v = pl_strdup(value), *o = pl_strdup(origin);
    if (!v || !o) {
        pl_free_secret(v);
        pl_free(o);
        return PAIL_E_NO_MEMORY;
    }
    clear(s, i);
    s->value[i] = v;
    s->origin[i] = o;
    return PAIL_OK;
}

pail_code pl_settings_set(struct pl_settings *s, const char *name, const char *value,
                          const char *origin, struct pail_error **err)
{
    int i = find(name ? name : "");
    if (i < 0) {
        const char *near = nearest(name ? name : "");
        return pl_fail(err, PAIL_E_BAD_CONFIG, "unknown setting \"%s\"%s%s%s", name ? name : "",
                       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    const char *wish = wrong_value(i, value ? value : "");
    if (wish) {
        bool secret = table[i].kind == SECRET;
        return pl_fail(err, PAIL_E_BAD_CONFIG, "setting %s is \"%s\" (%s), it takes %s",
                       table[i].name,
                       secret  ? "***"
                       : value ? value
                               : "",
                       origin, wish);
    }
    if (put(s, i, value ? value : "", origin) != PAIL_OK) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for the settings");
    }
    return PAIL_OK;
}

pail_code pl_settings_default(struct pl_settings *s, const char *name, const char *value,
                              const char *origin)
{
    int i = find(name);
    PL_ASSERT(i >= 0);
    return i < 0 || s->value[i] ? PAIL_OK : put(s, i, value, origin);
}

void pl_settings_unset(struct pl_settings *s, const char *name)
{
    int i = find(name);
    PL_ASSERT(i >= 0);
    if (i >= 0) {
        clear(s, i);
    }
}

static pail_code from_one_env(struct pl_settings *s, int i, const char *variable,
                              struct pail_error **err)
{
    const char *value = pl_sys.env(variable);
    if (!value || s->value[i]) {
        return PAIL_OK;
    }
    char origin[96];
    struct pl_buf text = PL_BUF_MAX(sizeof origin);
    pl_buf_printf(&text, "environment %s", variable);
    pail_code rc =
        pl_settings_set(s, table[i].name, value, text.ptr ? text.ptr : "environment", err);
    pl_buf_dispose(&text);
    return rc;
}

pail_code pl_settings_from_env(struct pl_settings *s, const char *scheme, struct pail_error **err)
{
    for (int i = 0; i < COUNT; i++) {
        if (table[i].scheme && strcmp(table[i].scheme, scheme) != 0) {
            continue;
        }
        for (int j = 0; j < 3 && table[i].env[j]; j++) {
            pail_code rc = from_one_env(s, i, table[i].env[j], err);
            if (rc) {
                return rc;
            }
        }
    }
    return PAIL_OK;
}

const char *pl_settings_name(const char *name)
{
    int i = find(name);
    return i < 0 ? NULL : table[i].name;
}

const char *pl_settings_get(const struct pl_settings *s, const char *name)
{
    int i = find(name);
    PL_ASSERT(i >= 0);
    return i < 0 ? NULL : s->value[i];
}

const char *pl_settings_origin(const struct pl_settings *s, const char *name)
{
    int i = find(name);
    return i < 0 ? NULL : s->origin[i];
}

uint64_t pl_settings_u64(const struct pl_settings *s, const char *name, uint64_t unset)
{
    const char *value = pl_settings_get(s, name);
    uint64_t n;
    return value && pl_str_size(pl_str_c(value), &n) ? n : unset;
}

bool pl_settings_bool(const struct pl_settings *s, const char *name, bool unset)
{
    const char *value = pl_settings_get(s, name);
    bool flag;
    return value && pl_str_bool(pl_str_c(value), &flag) ? flag : unset;
}

void pl_settings_explain(const struct pl_settings *s, struct pl_buf *out)
{
    for (int i = 0; i < COUNT; i++) {
        if (s->value[i]) {
            pl_buf_printf(out, "%s = %s  (%s)\n", table[i].name,
                          table[i].kind == SECRET ? "***" : s->value[i], s->origin[i]);
        }
    }
}

void pl_settings_dispose(struct pl_settings *s)
{
    for (int i = 0; i < COUNT; i++) {
        clear(s, i);
    }
}
