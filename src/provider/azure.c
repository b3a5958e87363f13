/* "az://": the Azure Blob dialect: its table, limits and making. */
#include "provider/azure.h"

#include "codec/base64.h"
#include "provider/http_provider.h"
#include "provider/request.h"

static const uint64_t MIB = UINT64_C(1) << 20, GIB = UINT64_C(1) << 30;

enum { LIST_PAGE = 5000, BLOCKS = 50000, TRANSFER_CONCURRENCY = 8 };

static struct pl_azure *of(struct pl_dialect *d)
{
    return (struct pl_azure *)d;
}

/* Source: "Scalability and performance targets for Blob storage". */
static void azure_caps(struct pl_dialect *d, struct pl_caps *out)
{
    *out = (struct pl_caps){0};
    unsigned char *can = out->ability;
    for (int i = PAIL_CAN_PUT_CREATE_ONLY; i <= PAIL_CAN_GET_IF; i++) {
        can[i] = PAIL_NATIVE; /* all conditions */
    }
    can[PAIL_CAN_DELETE_MANY] = PAIL_NATIVE;
    can[PAIL_CAN_SUFFIX_RANGE] = PAIL_EMULATED;
    can[PAIL_CAN_START_AFTER] = PAIL_EMULATED;
    can[PAIL_CAN_COPY] = can[PAIL_CAN_MULTIPART] = can[PAIL_CAN_METADATA] = PAIL_NATIVE;
    can[PAIL_CAN_TAGS] = can[PAIL_CAN_STORAGE_CLASS] = PAIL_NATIVE;
    can[PAIL_CAN_ENCRYPT] = can[PAIL_CAN_VERSIONS] = PAIL_NATIVE;
    can[PAIL_CAN_PRESIGN_GET] = can[PAIL_CAN_PRESIGN_PUT] =
        of(d)->auth == PL_AZURE_KEY || of(d)->auth == PL_AZURE_BEARER ||
                of(d)->auth == PL_AZURE_LOGIN
            ? PAIL_NATIVE
            : PAIL_NO;
    out->limit[PAIL_LIMIT_PART_MIN] = 1;
    out->limit[PAIL_LIMIT_PART_MAX] = 4000 * MIB;
    out->limit[PAIL_LIMIT_PARTS] = BLOCKS;
    out->limit[PAIL_LIMIT_PUT] = 5000 * MIB;
    out->limit[PAIL_LIMIT_OBJECT] = 4000 * MIB * BLOCKS;
    out->limit[PAIL_LIMIT_LIST_PAGE] = LIST_PAGE;
    out->limit[PAIL_LIMIT_DELETE_MANY] = PL_AZURE_BATCH_MAX;
    out->limit[PAIL_LIMIT_COPY] = 200000 * GIB;
    out->part_best = 16 * MIB;
    out->put_best = out->get_best = 2 * out->part_best;
    out->concurrency = TRANSFER_CONCURRENCY;
    out->no_expires = true;
    out->no_whole_sum = true; /* an MD5 at most */
}

/* SPEC "Put Blob": the service keeps the MD5 of a blob that was written whole. */
static bool azure_is_own_write(struct pl_dialect *d, const struct pl_op *op,
                               const struct pl_attempt *a, const pail_info *found)
{
    const struct pl_body *source = op->kind == PL_OP_PUT ? op->in.put.source : NULL;
    struct pl_sum_value md5;
    char text[PL_SUM_BASE64_MAX];
    (void)d, (void)a;
    if (!source || found->size != source->len || !found->checksum ||
        strncmp(found->checksum, "md5:", 4) != 0) {
        return false;
    }
    return !pl_request_sum_source(PL_SUM_MD5, source, &md5, NULL) &&
           strcmp(found->checksum + 4, pl_sum_base64(&md5, text)) == 0;
}

static void azure_explain(struct pl_dialect *d, struct pl_buf *out)
{
    static const char *const names[] = {"none", "anonymous", "account key", "SAS", "bearer token"};
    const struct pl_azure *az = of(d);
    pl_buf_printf(out, "azure credentials = %s\n",
                  az->login ? pl_azure_login_name(az->login) : names[az->auth]);
    pl_buf_printf(out, "azure service = %s://%s:%u%s\n", az->tls ? "https" : "http", az->host,
                  (unsigned)az->port, az->base_path);
}

/* SPEC "Naming and referencing containers". */
static pail_code azure_check_bucket(struct pl_dialect *d, const char *name, struct pail_error **err)
{
    size_t n = name ? strlen(name) : 0;
    const char *why = NULL;
    (void)d;
    if (n &&
        (strcmp(name, "$root") == 0 || strcmp(name, "$web") == 0 || strcmp(name, "$logs") == 0)) {
        return PAIL_OK;
    }
    if (n < 3 || n > 63) {
        why = "it has 3 to 63 characters";
    } else if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != n) {
        why = "it has lower-case letters, digits and hyphens";
    } else if (name[0] == '-' || name[n - 1] == '-' || strstr(name, "--")) {
        why = "hyphens stand alone between letters and digits";
    }
    return why ? pl_fail(err, PAIL_E_BAD_BUCKET_NAME, "\"%.80s\" is no container of Azure: %s",
                         n ? name : "", why)
               : PAIL_OK;
}

/* The service takes a backslash for a slash and answers with another blob. */
static pail_code azure_check_key(struct pl_dialect *d, const char *key, struct pail_error **err)
{
    (void)d;
    return strchr(key, '\\')
               ? pl_fail(err, PAIL_E_BAD_KEY, "Azure has no backslash in names of blobs")
               : PAIL_OK;
}

static void azure_free(struct pl_dialect *d)
{
    struct pl_azure *az = of(d);
    pl_azure_key_dispose(&az->key);
    pl_azure_delegation_dispose(&az->delegation);
    pl_azure_login_free(az->login);
    pl_free_secret(az->sas);
    pl_free_secret(az->token);
    pl_free(az->host);
    pl_free(az->base_path);
    pl_free(az->account);
    pl_free(az);
}

static const struct pl_dialect_ops ops = {.scheme = "az",
                                          .request_id_header = "x-ms-request-id",
                                          .caps = azure_caps,
                                          .build = pl_azure_build,
                                          .head = pl_azure_head,
                                          .parse = pl_azure_parse,
                                          .presign = pl_azure_presign,
                                          .is_own_write = azure_is_own_write,
                                          .need = pl_azure_need,
                                          .errand = pl_azure_errand,
                                          .refresh = pl_azure_refresh,
                                          .explain = azure_explain,
                                          .check_bucket = azure_check_bucket,
                                          .check_key = azure_check_key,
                                          .free = azure_free};

pail_code pl_azure_dialect_new(const struct pl_provider_env *env, struct pl_dialect **out,
                               struct pail_error **err)
{
    struct pl_azure *az = pl_calloc(1, sizeof *az);
    if (!az) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for an Azure client");
    }
    az->dialect.ops = &ops;
    az->settings = env->settings;
    az->verify = pl_settings_bool(env->settings, "verify", true);
    az->deletes_snapshots = pl_settings_bool(env->settings, "azure_delete_snapshots", false);
    pail_code rc = pl_azure_configure(az, env->settings, env->ignore_environment, err);
    if (rc) {
        azure_free(&az->dialect);
        return rc;
    }
    *out = &az->dialect;
    return PAIL_OK;
}

pail_code pl_azure_new(const struct pl_provider_env *env, struct pl_provider **out,
                       struct pail_error **err)
{
    struct pl_dialect *d = NULL;
    pail_code rc = pl_azure_dialect_new(env, &d, err);
    return rc ? rc : pl_http_provider_new(env, d, out, err);
}
