/* Credentials and settings as the AWS tools find them. */
#ifndef PL_CRED_AWS_H
#define PL_CRED_AWS_H

#include "base/settings.h"

/* Fills what is unset from the profile in the shared files: keys and session token (as one: never
 * from two sources), region, endpoint (also by a `services` section), addressing style, CA bundle,
 * attempts. Call it after pl_settings_from_env, and not where the environment is to be ignored.
 * Also puts right what the environment gave: its keys do not count beside a profile that was asked
 * for by name, its token not beside other keys, its endpoint not where
 * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS says so. No keys anywhere is no error here: what has
 * to be fetched is left to pl_aws_chain_new, which goes the same way.
 * Origins read "profile work in ~/.aws/config line 3".
 * Errors: PAIL_E_BAD_CONFIG (malformed or unreadable file with its line, unknown profile, half a
 * pair of keys, roles that lead nowhere), PAIL_E_UNSUPPORTED (login_session),
 * PAIL_E_NO_MEMORY. */
PAIL_MUST pail_code pl_aws_profile_apply(struct pl_settings *s, struct pail_error **err);

#endif
