/* Account, endpoint and credentials from the settings. Source: Azure Storage documentation
 * "Configure Azure Storage connection strings"; "Use the Azurite emulator". */
#include "base/sys.h"
#include "codec/base64.h"
#include "codec/url.h"
#include "provider/azure.h"

#define ACCOUNT    "azure_storage_account_name"
#define KEY        "azure_storage_account_key"
#define CONNECTION "azure_storage_connection_string"

/* The emulator's account is public knowledge. */
#define EMULATOR_ACCOUNT "devstoreaccount1"
#define EMULATOR_KEY                                                                               \
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

static pail_code use_emulator(struct pl_settings *s, const char *origin)
{
    pail_code rc = pl_settings_default(s, ACCOUNT, EMULATOR_ACCOUNT, origin);
    rc = rc ? rc : pl_settings_default(s, KEY, EMULATOR_KEY, origin);
    const char *account = pl_settings_get(s, ACCOUNT);
    struct pl_buf url = PL_BUF_MAX(256);
    pl_buf_printf(&url, "http://127.0.0.1:10000/%s", account ? account : EMULATOR_ACCOUNT);
    rc = rc ? rc : pl_buf_rc(&url);
    rc = rc ? rc : pl_settings_default(s, "azure_endpoint", url.ptr, origin);
    pl_buf_dispose(&url);
    return rc;
}

static bool is_account(const char *name)
{
    size_t n = strlen(name);
    return n >= 1 && n <= 63 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* ---- The connection string */

static const char *check_account(struct pl_str value)
{
    char name[64] = "";
    if (value.len < sizeof name) {
        memcpy(name, value.ptr, value.len);
    }
    return is_account(name) ? NULL : "it is no account: lower-case letters and digits";
}

static const char *check_key(struct pl_str value)
{
    struct pl_buf key = PL_BUF_MAX(1024);
    bool fine = pl_base64_decode(&key, value) && !pl_buf_rc(&key);
    if (key.ptr) {
        pl_zero(key.ptr, key.cap);
    }
    pl_buf_dispose(&key);
    return fine ? NULL : "it is no base64";
}

static const char *check_url(struct pl_str value)
{
    struct pl_url url;
    return pl_url_parse(value, &url, NULL)
               ? "it is no URL such as https://ACCOUNT.blob.core.windows.net"
               : NULL;
}

static const char *check_protocol(struct pl_str value)
{
    bool fine = pl_str_ieq(value, PL_STR("http")) || pl_str_ieq(value, PL_STR("https"));
    return fine ? NULL : "it is http or https, not";
}

static const char *check_flag(struct pl_str value)
{
    bool fine = pl_str_ieq(value, PL_STR("true")) || pl_str_ieq(value, PL_STR("false"));
    return fine ? NULL : "it is true or false, not";
}

/* SPEC "Configure Azure Storage connection strings". Queues, tables and files have parts of their
 * own, which are passed over. */
static const struct {
    const char *name, *setting;
    const char *(*check)(struct pl_str value); /* NULL, or what is wrong */
} parts[] = {{"AccountName", ACCOUNT, check_account},
             {"AccountKey", KEY, check_key},
             {"BlobEndpoint", "azure_endpoint", check_url},
             {"EndpointSuffix", "azure_endpoint_suffix", NULL},
             {"SharedAccessSignature", "azure_storage_sas_token", NULL},
             {"DefaultEndpointsProtocol", NULL, check_protocol},
             {"UseDevelopmentStorage", NULL, check_flag},
             {"DevelopmentStorageProxyUri", NULL, NULL},
             {"BlobSecondaryEndpoint", NULL, NULL},
             {"DfsEndpoint", NULL, NULL},
             {"DfsSecondaryEndpoint", NULL, NULL},
             {"FileEndpoint", NULL, NULL},
             {"FileSecondaryEndpoint", NULL, NULL},
             {"QueueEndpoint", NULL, NULL},
             {"QueueSecondaryEndpoint", NULL, NULL},
             {"TableEndpoint", NULL, NULL},
             {"TableSecondaryEndpoint", NULL, NULL}};

enum { PARTS = sizeof parts / sizeof *parts, PART_NAME_MAX = 30, NEAR = 3 };

/* Of the values only a word that nobody has for a secret is shown. */
static int word(struct pl_str value)
{
    enum { WORD_MAX = 8 };
    size_t n = 0;
    while (n < value.len && value.ptr[n] >= 'a' && value.ptr[n] <= 'z') {
        n++;
    }
    return n == value.len && n <= WORD_MAX ? (int)n : 0;
}

/* The names are ours: a part that has none may be a piece of a key. */
static pail_code bad_part(size_t number, struct pl_str name, struct pl_str value, const char *why,
                          struct pail_error **err)
{
    char written[PART_NAME_MAX + 1] = "";
    const char *near = NULL;
    bool open = pl_str_ends(pl_str_c(why), PL_STR(", not"));
    if (name.len <= PART_NAME_MAX) {
        memcpy(written, name.ptr, name.len);
    }
    for (size_t i = 0; i < PARTS && !near; i++) {
        near = pl_edit_distance(written, parts[i].name) <= NEAR ? parts[i].name : NULL;
    }
    pail_code rc = pl_fail(err, PAIL_E_BAD_CONFIG, CONNECTION ", part %zu%s%s: %s%s%.*s", number,
                           near ? ", " : "", near ? near : "", why,
                           !open         ? ""
                           : word(value) ? " "
                                         : " that",
                           open ? word(value) : 0, value.ptr ? value.ptr : "");
    pl_error_hint(err, "copy it whole: AccountName=...;AccountKey=...;EndpointSuffix=...");
    return rc;
}

static pail_code use_part(struct pl_settings *s, size_t number, struct pl_str name,
                          struct pl_str value, struct pail_error **err)
{
    size_t i = 0;
    while (i < PARTS && !pl_str_ieq(name, pl_str_c(parts[i].name))) {
        i++;
    }
    const char *why = i == PARTS       ? "no part has the name that is written there"
                      : !value.len     ? "it is empty"
                      : parts[i].check ? parts[i].check(value)
                                       : NULL;
    if (why) {
        return bad_part(number, name, value, why, err);
    }
    if (pl_str_ieq(name, PL_STR("UseDevelopmentStorage")) && pl_str_ieq(value, PL_STR("true"))) {
        return use_emulator(s, CONNECTION);
    }
    if (!parts[i].setting || pl_settings_get(s, parts[i].setting)) {
        return PAIL_OK; /* a value that is given alone counts more */
    }
    char *text = pl_strndup(value.ptr, value.len);
    pail_code rc =
        text ? pl_settings_set(s, parts[i].setting, text, CONNECTION, err) : PAIL_E_NO_MEMORY;
    pl_free_secret(text);
    return rc;
}

static pail_code read_connection_string(struct pl_settings *s, bool *http, struct pail_error **err)
{
    const char *all = pl_settings_get(s, CONNECTION);
    struct pl_str rest = pl_str_c(all);
    pail_code rc = PAIL_OK;
    for (size_t number = 1; all && rest.ptr && rest.len && !rc; number++) {
        struct pl_str value = pl_str_split(&rest, ';');
        struct pl_str name = pl_str_trim(pl_str_split(&value, '='));
        if (!name.len && !value.ptr) {
            continue;
        }
        if (!value.ptr) {
            rc = bad_part(number, name, value, "it has no \"=\"", err);
        } else {
            value = pl_str_trim(value);
            *http |= pl_str_ieq(name, PL_STR("DefaultEndpointsProtocol")) &&
                     pl_str_ieq(value, PL_STR("http"));
            rc = use_part(s, number, name, value, err);
        }
    }
    return rc;
}

/* ---- The endpoint */

/* "myaccount.blob.core.windows.net" names its account. */
static char *account_of_host(struct pl_str host)
{
    const char *dot = memchr(host.ptr, '.', host.len);
    bool of_service =
        dot && pl_str_starts(pl_str_n(dot, host.len - (size_t)(dot - host.ptr)), PL_STR(".blob."));
    return of_service ? pl_strndup(host.ptr, (size_t)(dot - host.ptr)) : NULL;
}

static bool is_address(const struct pl_url *url)
{
    for (size_t i = 0; i < url->host.len; i++) {
        char c = url->host.ptr[i];
        if (c != '.' && (c < '0' || c > '9')) {
            return url->ipv6 || pl_str_ieq(url->host, PL_STR("localhost"));
        }
    }
    return true;
}

static pail_code set_endpoint(struct pl_azure *az, struct pl_str text, struct pail_error **err)
{
    struct pl_url url;
    struct pl_buf path = PL_BUF_MAX(1024);
    pail_code rc = pl_url_parse(text, &url, err);
    if (rc) {
        pl_error_hint(err, "azure_endpoint is a URL such as https://ACCOUNT.blob.core.windows.net");
        return rc;
    }
    while (url.path.len && url.path.ptr[url.path.len - 1] == '/') {
        url.path.len--;
    }
    az->tls = url.tls;
    az->port = url.port;
    az->host = pl_strndup(url.host.ptr, url.host.len);
    for (char *c = az->host; c && *c; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    }
    if (!az->account) {
        az->account = account_of_host(url.host);
    }
    if (!az->account && url.path.len > 1 && !memchr(url.path.ptr + 1, '/', url.path.len - 1)) {
        az->account = pl_strndup(url.path.ptr + 1, url.path.len - 1);
    }
    pl_buf_str(&path, url.path);
    if (!url.path.len && is_address(&url) && az->account) { /* an emulator's path has the account */
        pl_buf_putc(&path, '/');
        pl_buf_puts(&path, az->account);
    }
    pl_buf_puts(&path, "");
    az->base_path = path.len ? pl_buf_take(&path) : pl_strdup("");
    pl_buf_dispose(&path);
    return az->host && az->base_path ? PAIL_OK
                                     : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for an endpoint");
}

static pail_code set_place(struct pl_azure *az, const struct pl_settings *s, bool http,
                           struct pail_error **err)
{
    const char *account = pl_settings_get(s, ACCOUNT);
    const char *endpoint = pl_settings_get(s, "azure_endpoint");
    const char *suffix = pl_settings_get(s, "azure_endpoint_suffix");
    struct pl_buf url = PL_BUF_MAX(1024);
    if (account && !is_account(account)) {
        return pl_fail(err, PAIL_E_BAD_CONFIG,
                       ACCOUNT " \"%.80s\" is no account: lower-case letters and digits", account);
    }
    az->account = account ? pl_strdup(account) : NULL;
    if (endpoint) {
        return set_endpoint(az, pl_str_c(endpoint), err);
    }
    if (!account) {
        pail_code rc = pl_fail(err, PAIL_E_BAD_CONFIG, "there is no account for Azure");
        pl_error_hint(err, "set " ACCOUNT " (AZURE_STORAGE_ACCOUNT_NAME), " CONNECTION
                           " or azure_endpoint");
        return rc;
    }
    pl_buf_printf(&url, "%s://%s.blob.%s", http ? "http" : "https", account,
                  suffix ? suffix : "core.windows.net");
    pail_code rc = pl_buf_rc(&url);
    rc =
        rc ? pl_fail(err, rc, "no room for an endpoint") : set_endpoint(az, pl_buf_view(&url), err);
    pl_buf_dispose(&url);
    return rc;
}

/* Where a token of the machine or of its user is at home: any other host could use it at Azure.
 * SPEC "Storage account overview", standard and DNS zone endpoints; "National clouds". */
bool pl_azure_is_own(const char *host)
{
    static const char *const suffixes[] = {".blob.core.windows.net", ".blob.core.chinacloudapi.cn",
                                           ".blob.core.usgovcloudapi.net", ".storage.azure.net"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if (pl_str_ends(pl_str_c(host), pl_str_c(suffixes[i]))) {
            return true;
        }
    }
    return false;
}

static pail_code set_credentials(struct pl_azure *az, const struct pl_settings *s, bool by_machine,
                                 struct pail_error **err)
{
    const char *key = pl_settings_get(s, KEY);
    const char *sas = pl_settings_get(s, "azure_storage_sas_token");
    const char *token = pl_settings_get(s, "azure_storage_token");
    if (pl_settings_bool(s, "azure_skip_signature", false)) {
        az->auth = PL_AZURE_ANONYMOUS;
        return PAIL_OK;
    }
    if (key) {
        if (!az->account) {
            return pl_fail(err, PAIL_E_BAD_CONFIG, KEY " needs " ACCOUNT);
        }
        az->auth = PL_AZURE_KEY;
        return pl_azure_key_init(&az->key, pl_str_c(key), err);
    }
    if (sas) {
        az->auth = PL_AZURE_SAS;
        const char *query = strchr(sas, '?'); /* of a whole URL, as portals show it */
        sas = query ? query + 1 : sas;
        if (strncmp(sas, "sig=", 4) != 0 && !strstr(sas, "&sig=")) {
            pail_code rc = pl_fail(err, PAIL_E_BAD_CONFIG, "azure_storage_sas_token has no sig=");
            pl_error_hint(err, "copy it whole: sv=...&sp=...&se=...&sig=...");
            return rc;
        }
        az->sas = pl_strdup(sas);
        return az->sas ? PAIL_OK : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a token");
    }
    if (token) {
        az->auth = PL_AZURE_BEARER;
        az->token = pl_strdup(token);
        return az->token ? PAIL_OK : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a token");
    }
    /* What nobody asked for is not sent in clear, nor to anybody else. */
    bool alone = by_machine && az->tls && pl_azure_is_own(az->host);
    pail_code rc = pl_azure_login_new(s, az->host, alone, &az->login, err);
    az->auth = az->login ? PL_AZURE_LOGIN : PL_AZURE_NONE;
    return rc;
}

pail_code pl_azure_configure(struct pl_azure *az, struct pl_settings *settings,
                             bool ignore_environment, struct pail_error **err)
{
    bool http = false;
    pail_code rc = read_connection_string(settings, &http, err);
    if (!rc && pl_settings_bool(settings, "azure_storage_use_emulator", false)) {
        rc = use_emulator(settings, "azure_storage_use_emulator");
    }
    rc = rc ? rc : set_place(az, settings, http, err);
    rc = rc ? rc : set_credentials(az, settings, !ignore_environment, err);
    return rc == PAIL_E_NO_MEMORY ? pl_fail(err, rc, "no memory for the settings of Azure") : rc;
}
