/* Logging in to Swift: what a login gives, and the errands that fetch it. */
#ifndef PL_CRED_SWIFT_LOGIN_H
#define PL_CRED_SWIFT_LOGIN_H

#include "base/settings.h"
#include "cred/errand.h"

/* Borrowed for the call of who receives it. */
struct pl_swift_login {
    const char *token;
    const char *storage_url; /* NULL: the login names none, and a setting has to */
    int64_t expires_ms;      /* Unix time; 0: unknown */
};
typedef void (*pl_swift_login_fn)(void *ctx, const struct pl_swift_login *got);

/* What TempAuth and its like (auth version 1) are asked with. */
struct pl_swift_v1_ask {
    const char *auth_url, *user, *key;
};

/* What Keystone is asked with; NULL: not given. Exactly one way to log in and at most one scope are
 * used, in the order of the fields. */
struct pl_keystone_ask {
    const char *auth_url;
    const char *application_credential_id, *application_credential_name,
        *application_credential_secret;
    const char *user_id, *username, *password, *user_domain_id, *user_domain_name;
    const char *token;
    const char *project_id, *project_name, *project_domain_id, *project_domain_name;
    const char *domain_id, *domain_name, *trust_id;
    bool system, unscoped;
    /* Which endpoint of the catalog. */
    const char *region, *interface;
};

/* Reads the settings os_* and st_*; the strings are theirs. Errors: PAIL_E_NO_CREDENTIALS or
 * PAIL_E_BAD_CONFIG naming what is missing. */
PAIL_MUST pail_code pl_swift_v1_ask(const struct pl_settings *s, struct pl_swift_v1_ask *out,
                                    struct pail_error **err);
PAIL_MUST pail_code pl_keystone_ask(const struct pl_settings *s, struct pl_keystone_ask *out,
                                    struct pail_error **err);

/* The address and the JSON that are posted to it. False: something is not UTF-8. */
PAIL_MUST bool pl_keystone_write(const struct pl_keystone_ask *ask, struct pl_buf *url,
                                 struct pl_buf *body);
/* The object-store endpoint of a token's answer, and when the token ends. *url: in `arena`; NULL
 * with PAIL_OK: the token has no catalog. Errors: PAIL_E_PROTOCOL, PAIL_E_BAD_CONFIG (no such
 * region or interface; says which there are). */
PAIL_MUST pail_code pl_keystone_read(const struct pl_keystone_ask *ask, struct pl_str body,
                                     struct pl_arena *arena, const char **url, int64_t *expires_ms,
                                     struct pail_error **err);

/* The errands; the settings live as long as they do. give runs once, with ctx, before DONE. NULL
 * with *err: what the settings lack, or no memory. */
struct pl_errand *pl_swift_v1_errand(const struct pl_settings *s, pl_swift_login_fn give, void *ctx,
                                     struct pail_error **err);
struct pl_errand *pl_keystone_errand(const struct pl_settings *s, pl_swift_login_fn give, void *ctx,
                                     struct pail_error **err);
/* Reads the token from os_auth_token_file, or takes what os_auth_token_command writes (path NULL).
 */
struct pl_errand *pl_swift_token_errand(const char *path, const char *line, pl_swift_login_fn give,
                                        void *ctx, struct pail_error **err);

/* Sets what clouds.yaml has for the cloud of os_cloud where nothing else did. Without os_cloud it
 * does nothing. Errors: PAIL_E_BAD_CONFIG with the file and the line. */
PAIL_MUST pail_code pl_swift_clouds_apply(struct pl_settings *s, struct pail_error **err);

/* Shared by the errands: sets origin, target and method of a request to an http(s) address. */
PAIL_MUST pail_code pl_swift_aim(struct pl_http_request *r, const char *method, const char *url,
                                 const char *setting, struct pail_error **err);
/* What an answer that is no success means, in words with a hint; false: another try may help.
 * url: the address, which the setting gave. */
PAIL_MUST bool pl_swift_login_failed(const struct pl_http_response *answer, const char *setting,
                                     const char *url, struct pail_error **err);
/* The hint for a login that was refused: what it was tried with, and where that is from. */
void pl_swift_login_hint(const struct pl_settings *s, const char *user, const char *secret,
                         struct pail_error **err);

#endif
