/* How an application asks the authority for a token: by a secret, by a certificate or by the token
 * of another issuer. Source: "The OAuth 2.0 client credentials flow on the Microsoft identity
 * platform". */
#include <errno.h>

#include "base/sys.h"
#include "codec/hex.h"
#include "codec/url.h"
#include "cred/azure_login.h"
#include "sign/azure_assertion.h"

enum { FORM_MAX = 128 * 1024, FILE_MAX = 64 * 1024, ID_BYTES = 16 };

/* A whole file with a secret in it; free_secret. */
static char *read_secret(const char *path, enum pl_azure_source source, size_t *len,
                         struct pail_error **err)
{
    char room[128];
    char *text = pl_sys_read_file(path, FILE_MAX, len);
    if (!text) {
        (void)pl_fail(err, PAIL_E_NO_CREDENTIALS, "%s: cannot read %s: %s",
                      pl_azure_source_name(source), path, pl_errno_text(errno, room, sizeof room));
    }
    return text;
}

static void free_secret(char *text, size_t len)
{
    if (text) {
        pl_zero(text, len);
    }
    pl_free(text);
}

static void add_assertion(struct pl_buf *form, struct pl_str token)
{
    pl_url_query_add(form, "client_assertion_type",
                     PL_STR("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
    pl_url_query_add(form, "client_assertion", token);
}

static pail_code add_federated(const struct pl_azure_login *l, struct pl_buf *form,
                               struct pail_error **err)
{
    size_t len = 0;
    char *text = read_secret(l->token_file, PL_AZURE_WORKLOAD, &len, err);
    if (!text) {
        return PAIL_E_NO_CREDENTIALS;
    }
    struct pl_str token = pl_str_trim(pl_str_n(text, len));
    add_assertion(form, token);
    pail_code rc = token.len ? PAIL_OK
                             : pl_fail(err, PAIL_E_NO_CREDENTIALS, "workload identity: %s is empty",
                                       l->token_file);
    free_secret(text, len);
    return rc;
}

static pail_code sign_assertion(const struct pl_azure_login *l, const char *audience,
                                int64_t now_ms, const struct pl_azure_certificate *certificate,
                                struct pl_buf *form, struct pail_error **err)
{
    unsigned char bytes[ID_BYTES];
    char id[2 * ID_BYTES + 1];
    struct pl_buf token = PL_BUF_MAX(FILE_MAX);
    if (!pl_sys.random(bytes, sizeof bytes)) {
        return pl_fail(err, PAIL_E_IO, "the system gives no random numbers");
    }
    pl_hex_encode(id, bytes, sizeof bytes);
    struct pl_azure_claims claims = {
        .audience = audience, .client = l->client, .id = id, .now_s = now_ms / 1000};
    pail_code rc = pl_azure_assertion(certificate, &claims, &token, err);
    if (!rc) {
        add_assertion(form, pl_buf_view(&token));
    }
    pl_azure_wipe(&token);
    return rc;
}

static pail_code add_signed(const struct pl_azure_login *l, const char *audience, int64_t now_ms,
                            struct pl_buf *form, struct pail_error **err)
{
    size_t len = 0;
    struct pl_azure_certificate certificate = {0};
    char *text = read_secret(l->certificate, PL_AZURE_CERTIFICATE, &len, err);
    if (!text) {
        return PAIL_E_NO_CREDENTIALS;
    }
    pail_code rc = pl_azure_certificate_parse(pl_str_n(text, len), l->password, l->certificate,
                                              &certificate, err);
    free_secret(text, len);
    if (rc) {
        pl_error_hint(err, "azure_client_certificate_path is a PEM file with a private RSA key and "
                           "its certificate, azure_client_certificate_password that of the key; a "
                           "PFX file becomes one by openssl pkcs12 -in FILE.pfx -out FILE.pem");
        return rc;
    }
    rc = sign_assertion(l, audience, now_ms, &certificate, form, err);
    pl_azure_certificate_dispose(&certificate);
    return rc;
}

/* SPEC "OAuth 2.0 client credentials flow": first case (a shared secret), second (a certificate)
 * and third (a federated credential). */
static pail_code add_proof(const struct pl_azure_login *l, enum pl_azure_source source,
                           int64_t now_ms, const char *path, struct pl_buf *form,
                           struct pail_error **err)
{
    if (source == PL_AZURE_SECRET) {
        pl_url_query_add(form, "client_secret", pl_str_c(l->secret));
        return PAIL_OK;
    }
    if (source == PL_AZURE_WORKLOAD) {
        return add_federated(l, form, err);
    }
    struct pl_buf audience = PL_BUF_MAX(4096);
    struct pl_str authority = pl_str_c(l->authority);
    while (authority.len && authority.ptr[authority.len - 1] == '/') {
        authority.len--;
    }
    pl_buf_str(&audience, authority);
    pl_buf_puts(&audience, path);
    pail_code rc = pl_buf_rc(&audience);
    rc = rc ? pl_fail(err, rc, "no room to ask for a token")
            : add_signed(l, audience.ptr, now_ms, form, err);
    pl_buf_dispose(&audience);
    return rc;
}

pail_code pl_azure_ask_authority(const struct pl_azure_login *l, enum pl_azure_source source,
                                 int64_t now_ms, struct pl_http_request *out,
                                 struct pail_error **err)
{
    struct pl_buf form = PL_BUF_MAX(FORM_MAX), path = PL_BUF_MAX(1024);
    pl_buf_printf(&path, "/%s/oauth2/v2.0/token", l->tenant);
    pl_url_query_add(&form, "grant_type", PL_STR("client_credentials"));
    pl_url_query_add(&form, "client_id", pl_str_c(l->client));
    pl_url_query_add(&form, "scope", PL_STR(PL_AZURE_RESOURCE ".default"));
    pail_code rc = pl_buf_rc(&path);
    rc = rc ? rc : add_proof(l, source, now_ms, path.ptr, &form, err);
    rc = rc ? rc : pl_buf_rc(&form);
    if (rc) {
        (void)pl_fail(err, rc, "no room to ask for a token");
    }
    rc = rc ? rc : pl_azure_ask(out, "POST", l->authority, &path, err);
    if (!rc) {
        pl_http_add_c(out, "content-type", "application/x-www-form-urlencoded");
        pl_http_set_text(out, pl_buf_view(&form));
    }
    pl_azure_wipe(&form);
    pl_buf_dispose(&path);
    return rc;
}
