/* A login to Azure (Entra ID): an application's secret or certificate, a workload's federated
 * token, the machine's own managed identity or the az command give a token, which is kept and
 * renewed. Thread-safe. Source: "The OAuth 2.0 client credentials flow on the Microsoft identity
 * platform"; "How to use managed identities on an Azure VM to acquire an access token"; "How to use
 * managed identities for App Service"; az "account get-access-token". */
#ifndef PL_CRED_AZURE_LOGIN_H
#define PL_CRED_AZURE_LOGIN_H

#include <pthread.h>

#include "base/settings.h"
#include "cred/errand.h"

/* In the order of the Azure SDKs' DefaultAzureCredential. */
enum pl_azure_source {
    PL_AZURE_SECRET,      /* azure_client_secret */
    PL_AZURE_CERTIFICATE, /* azure_client_certificate_path, read anew for each token */
    PL_AZURE_WORKLOAD,    /* azure_federated_token_file, read anew for each token */
    PL_AZURE_SERVICE,     /* App Service, Functions, Container Apps: azure_msi_endpoint */
    PL_AZURE_ARC,         /* Azure Arc's agent: the same without a header */
    PL_AZURE_MACHINE,     /* the instance metadata service */
    PL_AZURE_CLI          /* the az command */
};

struct pl_azure_login {
    pthread_mutex_t lock;
    /* set once; texts of the settings, which live longer */
    enum pl_azure_source sources[2]; /* that are tried, in order */
    size_t count;
    bool asked_for;        /* somebody configured them; else they are tried last of all */
    bool on_azure;         /* the machine is one of Azure's */
    const char *authority; /* "https://login.microsoftonline.com" */
    const char *tenant, *client, *secret, *certificate, *password, *token_file, *endpoint, *header;
    /* under lock */
    size_t good;        /* which source gave a token last */
    char *token;        /* zeroed */
    int64_t expires_ms; /* of token */
    int64_t failed_ms;  /* when a fetch ahead of expiry failed last */
};

/* Reads the settings; no network. host: the service's, whose cloud decides the authority. alone:
 * nothing else was given, so the machine's identity and az may be tried. *out NULL with PAIL_OK:
 * there is no way to log in. settings must outlive it. Errors: PAIL_E_BAD_CONFIG for half a login,
 * or an authority that would get a secret in clear. */
PAIL_MUST pail_code pl_azure_login_new(const struct pl_settings *settings, const char *host,
                                       bool alone, struct pl_azure_login **out,
                                       struct pail_error **err);
void pl_azure_login_free(struct pl_azure_login *login);
/* Whether a token has to be fetched; *now: before anything can be asked. */
bool pl_azure_login_lacks(struct pl_azure_login *login, int64_t now_ms, bool *now);
/* The fetching of it. Borrows login. NULL with *err: no memory. */
struct pl_errand *pl_azure_login_errand(struct pl_azure_login *login, struct pail_error **err);
/* Forgets the token, which the service refused. */
void pl_azure_login_forget(struct pl_azure_login *login);
/* Adds the token. Zero the buffer after use. Errors: PAIL_E_NO_CREDENTIALS, PAIL_E_NO_MEMORY. */
PAIL_MUST pail_code pl_azure_login_token(struct pl_azure_login *login, struct pl_buf *out,
                                         struct pail_error **err);
/* "client secret", ...: for explain and hints. */
const char *pl_azure_login_name(struct pl_azure_login *login);

/* Which ways to log in are not configured, as an error lists them. */
#define PL_AZURE_UNSET                                                                             \
    "key, SAS and token: not set; client secret: azure_client_secret is not set; client "          \
    "certificate: azure_client_certificate_path is not set; workload identity: "                   \
    "azure_federated_token_file is not set"

/* ---- What azure_token.c, azure_application.c, azure_arc.c and azure_cli.c share */

#define PL_AZURE_RESOURCE "https://storage.azure.com/"

/* The fetching of one token, along the sources. */
struct pl_azure_fetch {
    struct pl_errand errand; /* first */
    struct pl_azure_login *login;
    size_t at;            /* of the sources */
    int tries;            /* of this source */
    bool met;             /* it was there */
    bool worked;          /* az has run */
    struct pl_buf proof;  /* for Arc's agent; secret */
    struct pl_buf tried;  /* "source: why not; " */
    struct pl_buf output; /* of az; secret */
    int status, number;   /* of az; status -1: `number` says why */
};

/* Begins a request to url with `path` behind it. */
PAIL_MUST pail_code pl_azure_ask(struct pl_http_request *out, const char *method, const char *url,
                                 const struct pl_buf *path, struct pail_error **err);
/* The request of an application to the authority; reads its files. */
PAIL_MUST pail_code pl_azure_ask_authority(const struct pl_azure_login *l,
                                           enum pl_azure_source source, int64_t now_ms,
                                           struct pl_http_request *out, struct pail_error **err);
/* What Arc's agent wants to see, from the file that its answer names. */
PAIL_MUST pail_code pl_azure_arc_prove(struct pl_azure_fetch *f, const struct pl_http_response *r,
                                       struct pail_error **err);
void pl_azure_cli_work(struct pl_errand *e); /* runs az */
/* Keeps the token that az wrote. Errors: PAIL_E_NO_CREDENTIALS with the reason. */
PAIL_MUST pail_code pl_azure_cli_take(struct pl_azure_fetch *f, int64_t now_ms,
                                      struct pail_error **err);
PAIL_MUST pail_code pl_azure_login_keep(struct pl_azure_login *login, const char *token,
                                        int64_t expires_ms, struct pail_error **err);
const char *pl_azure_source_name(enum pl_azure_source source);
void pl_azure_wipe(struct pl_buf *b); /* zeroes, then disposes; the maximum is kept */

#endif
