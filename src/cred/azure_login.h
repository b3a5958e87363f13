/* A login to Azure (Entra ID): an application's secret, a workload's federated token, or the
 * machine's own managed identity give a token, which is kept and renewed. Thread-safe. Source: "The
 * OAuth 2.0 client credentials flow on the Microsoft identity platform"; "How to use managed
 * identities on an Azure VM to acquire an access token"; "How to use managed identities for App
 * Service". */
#ifndef PL_CRED_AZURE_LOGIN_H
#define PL_CRED_AZURE_LOGIN_H

#include <pthread.h>

#include "base/settings.h"
#include "cred/errand.h"

enum pl_azure_source {
    PL_AZURE_SECRET,   /* azure_client_secret */
    PL_AZURE_WORKLOAD, /* azure_federated_token_file, read anew for each token */
    PL_AZURE_SERVICE,  /* App Service, Functions, Container Apps: azure_msi_endpoint */
    PL_AZURE_MACHINE   /* the instance metadata service */
};

struct pl_azure_login {
    pthread_mutex_t lock;
    /* set once; texts of the settings, which live longer */
    enum pl_azure_source source;
    bool asked_for;        /* somebody configured this source; else it is tried last of all */
    const char *authority; /* "https://login.microsoftonline.com" */
    const char *tenant, *client, *secret, *token_file, *endpoint, *header;
    /* under lock */
    char *token;        /* zeroed */
    int64_t expires_ms; /* of token */
    int64_t failed_ms;  /* when a fetch ahead of expiry failed last */
};

/* Reads the settings; no network. host: the service's, whose cloud decides the authority. alone:
 * nothing else was given, so the machine's identity may be tried. *out NULL with PAIL_OK: there is
 * no way to log in. settings must outlive it. Errors: PAIL_E_BAD_CONFIG for half a login, or an
 * authority that would get a secret in clear. */
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
const char *pl_azure_login_name(const struct pl_azure_login *login);

/* For azure_token.c. */
PAIL_MUST pail_code pl_azure_login_keep(struct pl_azure_login *login, const char *token,
                                        int64_t expires_ms, struct pail_error **err);

#endif
