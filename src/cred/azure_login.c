#include "cred/azure_login.h"

#include "base/sys.h"
#include "codec/url.h"

enum { AHEAD_MS = 5 * 60 * 1000, LATE_MS = 10 * 1000, AGAIN_MS = 30 * 1000, TAG_MAX = 256 };

#define AZURE_TAG "7783-7084-3265-9085-8269-3286-77"

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

/* It stands in a path and in a command. */
static pail_code check_tenant(const struct pl_azure_login *l, struct pail_error **err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-.";
    if (l->tenant &&
        (!*l->tenant || *l->tenant == '-' || strspn(l->tenant, allowed) != strlen(l->tenant))) {
        return pl_fail(err, PAIL_E_BAD_CONFIG,
                       "azure_tenant_id \"%.80s\" is no id or domain of a tenant", l->tenant);
    }
    return PAIL_OK;
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
    pail_code rc = check_tenant(l, err);
    return rc ? rc : check_authority(l->authority, err);
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

static void add_source(struct pl_azure_login *l, enum pl_azure_source source)
{
    l->sources[l->count++] = source;
}

static pail_code choose_application(struct pl_azure_login *l, struct pail_error **err)
{
    const struct {
        const char *value, *name;
        enum pl_azure_source source;
    } all[] = {{l->secret, "azure_client_secret", PL_AZURE_SECRET},
               {l->certificate, "azure_client_certificate_path", PL_AZURE_CERTIFICATE},
               {l->token_file, "azure_federated_token_file", PL_AZURE_WORKLOAD}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].value) {
            add_source(l, all[i].source);
            return check_application(l, all[i].name, err);
        }
    }
    return PAIL_OK;
}

/* The tag that the boards of Azure's machines have, as cloud-init knows them. */
static bool is_azures(void)
{
    size_t n = 0;
    char *tag = pl_sys_read_file("/sys/class/dmi/id/chassis_asset_tag", TAG_MAX, &n);
    bool azures = tag && pl_str_is(pl_str_trim(pl_str_n(tag, n)), AZURE_TAG);
    pl_free(tag);
    return azures;
}

/* SPEC azure-identity "DefaultAzureCredential": environment, workload identity, managed identity,
 * and behind those that need a desktop the az command. */
static pail_code choose(struct pl_azure_login *l, const struct pl_settings *s, bool alone,
                        struct pail_error **err)
{
    const char *metadata = pl_settings_get(s, "azure_imds_endpoint");
    bool cli = pl_settings_bool(s, "azure_use_azure_cli", false);
    bool may_cli = pl_settings_bool(s, "azure_use_azure_cli", alone);
    pail_code rc = choose_application(l, err);
    l->asked_for = true;
    if (rc || l->count) {
        return rc;
    }
    if (cli) {
        add_source(l, PL_AZURE_CLI);
        return check_tenant(l, err);
    }
    if (l->endpoint) {
        add_source(l, l->header ? PL_AZURE_SERVICE : PL_AZURE_ARC);
        return check_endpoint("azure_msi_endpoint", l->endpoint, err);
    }
    l->asked_for = metadata || l->client;
    l->endpoint = metadata ? metadata : "http://169.254.169.254";
    if (l->asked_for || alone) {
        l->on_azure = is_azures();
        add_source(l, PL_AZURE_MACHINE);
    }
    if (may_cli) {
        add_source(l, PL_AZURE_CLI);
        rc = check_tenant(l, err);
    }
    return rc ? rc : check_endpoint("azure_imds_endpoint", l->endpoint, err);
}

pail_code pl_azure_login_new(const struct pl_settings *s, const char *host, bool alone,
                             struct pl_azure_login **out, struct pail_error **err)
{
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
    l->certificate = pl_settings_get(s, "azure_client_certificate_path");
    l->password = pl_settings_get(s, "azure_client_certificate_password");
    l->token_file = pl_settings_get(s, "azure_federated_token_file");
    l->endpoint = pl_settings_get(s, "azure_msi_endpoint");
    l->header = pl_settings_get(s, "azure_identity_header");
    pail_code rc = choose(l, s, alone, err);
    if (rc || !l->count) {
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

const char *pl_azure_source_name(enum pl_azure_source source)
{
    static const char *const names[] = {
        [PL_AZURE_SECRET] = "client secret",
        [PL_AZURE_CERTIFICATE] = "client certificate",
        [PL_AZURE_WORKLOAD] = "workload identity",
        [PL_AZURE_SERVICE] = "managed identity of the app service",
        [PL_AZURE_ARC] = "managed identity of Azure Arc",
        [PL_AZURE_MACHINE] = "managed identity",
        [PL_AZURE_CLI] = "az command",
    };
    return names[source];
}

const char *pl_azure_login_name(struct pl_azure_login *l)
{
    pthread_mutex_lock(&l->lock);
    bool open = l->count > 1 && !l->token;
    enum pl_azure_source source = l->sources[l->good];
    pthread_mutex_unlock(&l->lock);
    return open ? "managed identity, else az command" : pl_azure_source_name(source);
}

void pl_azure_wipe(struct pl_buf *b)
{
    size_t max = b->max;
    if (b->ptr) {
        pl_zero(b->ptr, b->cap);
    }
    pl_buf_dispose(b);
    b->max = max;
}
