#include "api/registry.h"

#ifdef PL_WITH_LOCAL
#include "local/local.h"
#endif

typedef pail_code (*open_fn)(const struct pl_provider_env *, struct pl_provider **,
                             struct pail_error **);

static const struct {
    const char *scheme, *alias;
    open_fn open;
} providers[] = {
#ifdef PL_WITH_AZURE
    {"az", "azure", pl_azure_new},
#endif
#ifdef PL_WITH_FILE
    {"file", NULL, pl_file_new},
#endif
#ifdef PL_WITH_GCS
    {"gs", "gcs", pl_gcs_new},
#endif
#ifdef PL_WITH_LOCAL
    {"local", NULL, pl_local_new},
#endif
    {"memory", "mem", pl_memory_new},
#ifdef PL_WITH_S3
    {"s3", "s3a", pl_s3_new},
#endif
#ifdef PL_WITH_SWIFT
    {"swift", NULL, pl_swift_new},
#endif
};
enum { COUNT = sizeof providers / sizeof *providers };

const char *pl_registry_schemes(void)
{
    return
#ifdef PL_WITH_LOCAL
        "local:, "
#endif
#ifdef PL_WITH_S3
        "s3:, "
#endif
#ifdef PL_WITH_SWIFT
        "swift:, "
#endif
#ifdef PL_WITH_AZURE
        "az:, "
#endif
#ifdef PL_WITH_GCS
        "gs:, "
#endif
#ifdef PL_WITH_FILE
        "file:, "
#endif
        "memory:";
}

const char *pl_registry_scheme(struct pl_str name)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (pl_str_ieq(name, pl_str_c(providers[i].scheme)) ||
            (providers[i].alias && pl_str_ieq(name, pl_str_c(providers[i].alias)))) {
            return providers[i].scheme;
        }
    }
    return NULL;
}

const char *pl_registry_nearest(const char *name)
{
    const char *best = NULL;
    size_t least = 3;
    for (size_t i = 0; i < COUNT; i++) {
        size_t d = pl_edit_distance(name, providers[i].scheme);
        if (d < least && d < strlen(providers[i].scheme)) {
            least = d;
            best = providers[i].scheme;
        }
    }
    return best;
}

pail_code pl_registry_open(const char *scheme, const struct pl_provider_env *env,
                           struct pl_provider **out, struct pail_error **err)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (strcmp(providers[i].scheme, scheme) == 0) {
            return providers[i].open(env, out, err);
        }
    }
    return pl_fail(err, PAIL_E_BAD_CONFIG, "unknown scheme \"%s:\"", scheme);
}
