/* Gets one operation done over HTTP: connection, retry, healing, deadline; what it looks like is
 * the dialect's. */
#ifndef PL_PROVIDER_HTTP_PROVIDER_H
#define PL_PROVIDER_HTTP_PROVIDER_H

#include "provider/dialect.h"

/* Takes the dialect, also on failure. No network, no thread yet. The settings read: proxy_url,
 * no_proxy, ca_file, client_cert_file, client_key_file, insecure, unix_socket, user_agent, http2,
 * max_connections, max_attempts, connect_timeout_ms, idle_timeout_ms, deadline_ms.
 * Errors: PAIL_E_BAD_CONFIG, PAIL_E_NO_MEMORY. */
PAIL_MUST pail_code pl_http_provider_new(const struct pl_provider_env *env,
                                         struct pl_dialect *dialect, struct pl_provider **out,
                                         struct pail_error **err);

#endif
