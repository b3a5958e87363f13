#include "cred/azure_login.h"

#include "codec/url.h"

enum { AHEAD_MS = 5 * 60 * 1000, LATE_MS = 10 * 1000, AGAIN_MS = 30 * 1000 };

static bool ends(const char *host, const char *suffix)
{
    size_t n = host ? strlen(host) : 0, m = strlen(suffix);
    return n >= m && strcmp(host + n - m, suffix) == 0;
}

/* SPEC "National clouds": each has an authority of its own. */
static const char *authority_of(const char *host)
{
    return ends(host, ".chinacloudapi.cn")    ? "https://login.chinacloudapi.cn"
           : ends(host, ".usgovcloudapi.net") ? "https://login.microsoftonline.us"
                                              : "https://login.microsoftonline.com";
}

/* A secret goes over TLS, or not beyond this machine. */
static pail_code check_authority(const char *text, struct pail_error **err)
{
    struct pl_url url;
    pail_code rc = pl_url_parse(pl_str_c(text), &url, err);
    if (rc) {
        pl_error_hint(err, "azure_authority_host is a URL such as "
                           "https://login.microsoftonline.com");
        return rc;
    }
    bool here = pl_str_ieq(url.host, PL_STR("localhost")) ||
                pl_str_eq(url.host, PL_STR("127.0.0.1")) || pl_str_eq(url.host, PL_STR("::1"));
    if (!url.tls && !here) {
        return pl_fail(err, PAIL_E_BAD_CONFIG,
                       "azure_authority_host must be https: it is sent a secret");
    }
    return url.has_query
               ? pl_fail(err, PAIL_E_BAD_CONFIG, "azure_authority_host must not have a query")
               : PAIL_OK;
}

static pail_code check_application(const struct pl_azure_login *l, const char *what,
                                   struct pail_error **err)
{
    const char *lacks = !l->client ? "azure_client_id" : !l->tenant ? "azure_tenant_id" : NULL;
    if (lacks) {
        pail_code rc = pl_fail(err, PAIL_E_BAD_CONFIG, "%s is set, but %s is not", what, lacks);
        pl_error_hint(err, "an application logs in with azure_client_id and azure_tenant_id beside "
                           "its secret or token file");
        return rc;
    }
    if (!*l->tenant || strspn(l->tenant, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "0123456789-.") != strlen(l->tenant)) {
        return pl_fail(err, PAIL_E_BAD_CONFIG,
                       "azure_tenant_id \"%.80s\" is no id or domain of a tenant", l->tenant);
    }
    return check_authority(l->authority, err);
}

static pail_code check_endpoint(const char *name, const char *text, struct pail_error **err)
{
    struct pl_url url;
    pail_code rc = pl_url_parse(pl_str_c(text), &url, err);
    if (rc) {
        pl_error_hint(err, "%s is a URL", name);
    }
    return rc;
}

/* The order is that of the Azure SDKs: secret, workload, managed identity. */
static pail_code choose(struct pl_azure_login *l, const struct pl_settings *s, bool *found,
                        struct pail_error **err)
{
    const char *metadata = pl_settings_get(s, "azure_imds_endpoint");
    l->asked_for = *found = true;
    if (l->secret) {
        l->source = PL_AZURE_SECRET;
        return check_application(l, "azure_client_secret", err);
    }
    if (l->token_file) {
        l->source = PL_AZURE_WORKLOAD;
        return check_application(l, "azure_federated_token_file", err);
    }
    if (l->endpoint && l->header) {
        l->source = PL_AZURE_SERVICE;
        return check_endpoint("azure_msi_endpoint", l->endpoint, err);
    }
    l->source = PL_AZURE_MACHINE;
    l->endpoint = metadata ? metadata : "http://169.254.169.254";
    *found = l->asked_for = metadata || l->client;
    return check_endpoint("azure_imds_endpoint", l->endpoint, err);
}

pail_code pl_azure_login_new(const struct pl_settings *s, const char *host, bool alone,
                             struct pl_azure_login **out, struct pail_error **err)
{
    bool found = false;
    const char *authority = pl_settings_get(s, "azure_authority_host");
    struct pl_azure_login *l = pl_calloc(1, sizeof *l);
    *out = NULL;
    if (!l) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a login");
    }
    pthread_mutex_init(&l->lock, NULL);
    l->authority = authority ? authority : authority_of(host);
    l->tenant = pl_settings_get(s, "azure_tenant_id");
    l->client = pl_settings_get(s, "azure_client_id");
    l->secret = pl_settings_get(s, "azure_client_secret");
    l->token_file = pl_settings_get(s, "azure_federated_token_file");
    l->endpoint = pl_settings_get(s, "azure_msi_endpoint");
    l->header = pl_settings_get(s, "azure_identity_header");
    pail_code rc = choose(l, s, &found, err);
    if (rc || (!found && !alone)) {
        pl_azure_login_free(l);
        return rc;
    }
    *out = l;
    return PAIL_OK;
}

void pl_azure_login_free(struct pl_azure_login *l)
{
    if (!l) {
        return;
    }
    pthread_mutex_destroy(&l->lock);
    pl_free_secret(l->token);
    pl_free(l);
}

bool pl_azure_login_lacks(struct pl_azure_login *l, int64_t now_ms, bool *now)
{
    pthread_mutex_lock(&l->lock);
    *now = !l->token || l->expires_ms - now_ms < LATE_MS;
    bool soon = l->token && l->expires_ms - now_ms < AHEAD_MS && now_ms - l->failed_ms > AGAIN_MS;
    pthread_mutex_unlock(&l->lock);
    return *now || soon;
}

void pl_azure_login_forget(struct pl_azure_login *l)
{
    pthread_mutex_lock(&l->lock);
    pl_free_secret(l->token);
    l->token = NULL;
    pthread_mutex_unlock(&l->lock);
}

pail_code pl_azure_login_keep(struct pl_azure_login *l, const char *token, int64_t expires_ms,
                              struct pail_error **err)
{
    char *kept = pl_strdup(token);
    if (!kept) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a token");
    }
    pthread_mutex_lock(&l->lock);
    pl_free_secret(l->token);
    l->token = kept;
    l->expires_ms = expires_ms;
    pthread_mutex_unlock(&l->lock);
    return PAIL_OK;
}

pail_code pl_azure_login_token(struct pl_azure_login *l, struct pl_buf *out,
                               struct pail_error **err)
{
    pthread_mutex_lock(&l->lock);
    bool have = l->token != NULL;
    if (have) {
        pl_buf_puts(out, l->token);
    }
    pthread_mutex_unlock(&l->lock);
    if (!have) {
        return pl_fail(err, PAIL_E_NO_CREDENTIALS, "there is no token for Azure");
    }
    return pl_buf_rc(out) ? pl_fail(err, pl_buf_rc(out), "no room for a token") : PAIL_OK;
}

const char *pl_azure_login_name(const struct pl_azure_login *l)
{
    static const char *const names[] = {"client secret", "workload identity",
                                        "managed identity of the app service", "managed identity"};
    return names[l->source];
}
