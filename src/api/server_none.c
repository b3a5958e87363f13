/* A library that was built without the server. */
#include "api/server.h"

PAIL_API pail_code pail_server_start(pail_client *c, const pail_server_opts *opts,
                                     pail_server **out, pail_error **err)
{
    (void)c;
    (void)opts;
    *out = NULL;
    return pl_fail(err, PAIL_E_UNSUPPORTED, "this library was built without the S3 server");
}

PAIL_API pail_code pail_server_set_keys(pail_server *s, const pail_server_key *keys, size_t count,
                                        pail_error **err)
{
    (void)s;
    (void)keys;
    (void)count;
    return pl_fail(err, PAIL_E_UNSUPPORTED, "this library was built without the S3 server");
}

PAIL_API const char *pail_server_address(const pail_server *s)
{
    (void)s;
    return NULL;
}

PAIL_API const char *pail_server_key_id(const pail_server *s)
{
    (void)s;
    return NULL;
}

PAIL_API const char *pail_server_key_secret(const pail_server *s)
{
    (void)s;
    return NULL;
}

PAIL_API void pail_server_stop(pail_server *s, uint32_t wait_ms)
{
    (void)s;
    (void)wait_ms;
}

bool pl_server_presigns(const pail_client *c)
{
    (void)c;
    return false;
}

pail_code pl_server_presign(pail_client *c, struct pl_op *op, struct pail_error **err)
{
    (void)c;
    (void)op;
    return pl_fail(err, PAIL_E_UNSUPPORTED, "this library was built without the S3 server");
}
