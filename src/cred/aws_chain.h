/* The keys of an S3 client that are not written in its settings: found where the AWS tools find
 * them, fetched, and fetched anew ahead of their expiry. */
#ifndef PL_CRED_AWS_CHAIN_H
#define PL_CRED_AWS_CHAIN_H

#include "base/settings.h"
#include "cred/errand.h"

/* Immutable, shared by those who hold it. */
struct pl_aws_keys {
    const char *access_key, *secret_key, *token; /* token "": long-lived keys */
    const char *source;                          /* where they are from, for people */
    int64_t fetched_ms, expires_ms;              /* expires 0: never */
};
/* Copies. NULL: out of memory. */
struct pl_aws_keys *pl_aws_keys_new(struct pl_str access_key, struct pl_str secret_key,
                                    struct pl_str token, const char *source, int64_t fetched_ms,
                                    int64_t expires_ms);
struct pl_aws_keys *pl_aws_keys_hold(struct pl_aws_keys *keys); /* NULL stays NULL */
void pl_aws_keys_release(struct pl_aws_keys *keys); /* zeroes when the last lets go; NULL is fine */

struct pl_aws_chain;
/* settings: after pl_aws_profile_apply; borrowed as long as errands run. The variables are read
 * here, once. */
PAIL_MUST pail_code pl_aws_chain_new(const struct pl_settings *settings, struct pl_aws_chain **out,
                                     struct pail_error **err);
/* The keys to sign with; NULL: those of the settings, or none yet. Any thread; release them. */
struct pl_aws_keys *pl_aws_chain_keys(struct pl_aws_chain *chain);
/* Whether an errand is wanted at now_ms; *now: there is nothing to sign with until it is done. */
bool pl_aws_chain_wants(struct pl_aws_chain *chain, int64_t now_ms, bool *now);
/* Looks for keys; files are read anew. Errors of the errand: PAIL_E_NO_CREDENTIALS with all the
 * sources that were tried and why each failed; PAIL_E_BAD_CONFIG; PAIL_E_UNSUPPORTED (an MFA
 * code). NULL: out of memory. */
struct pl_errand *pl_aws_chain_errand(struct pl_aws_chain *chain, struct pail_error **err);
/* The service calls the keys expired: the next errand has to find others. Errors:
 * PAIL_E_EXPIRED_CREDENTIALS where they stand in the settings themselves. */
PAIL_MUST pail_code pl_aws_chain_refuse(struct pl_aws_chain *chain, struct pail_error **err);
void pl_aws_chain_free(struct pl_aws_chain *chain);

#endif
