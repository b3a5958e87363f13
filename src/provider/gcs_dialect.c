/* The Cloud Storage dialect: its table, limits and making. */
#include "codec/url.h"
#include "cred/gcs.h"
#include "provider/gcs.h"

static const uint64_t MIB = UINT64_C(1) << 20, TIB = UINT64_C(1) << 40;

enum { LIST_PAGE = 1000, TRANSFER_CONCURRENCY = 8 };
enum { SESSION_MIN = 8, COMPOSE_MIN = 32, SESSION_PUT_BEST = 256 }; /* MiB */
enum { NEED_TOKEN = 1, NEED_EMAIL = 2, NEED_SIGNATURE = 16 };       /* of pl_need.what */

static struct pl_gcs *of(struct pl_dialect *d)
{
    return (struct pl_gcs *)d;
}

/* SPEC "Quotas and limits": an object is at most 5 TiB, however it is written. */
static void gcs_caps(struct pl_dialect *d, struct pl_caps *out)
{
    unsigned char *can = out->ability;
    *out = (struct pl_caps){0};
    for (int i = 0; i < PAIL_ABILITY_COUNT; i++) {
        can[i] = PAIL_NATIVE;
    }
    can[PAIL_CAN_TAGS] = PAIL_NO;
    can[PAIL_CAN_MULTIPART] = of(d)->by_session ? PAIL_NATIVE : PAIL_EMULATED;
    out->parts_in_order = of(d)->by_session;
    out->no_expires = true;
    can[PAIL_CAN_PRESIGN_GET] = can[PAIL_CAN_PRESIGN_PUT] =
        pl_gcs_can_sign(of(d)) ? PAIL_NATIVE : PAIL_NO;
    out->limit[PAIL_LIMIT_PART_MIN] = 1;
    out->limit[PAIL_LIMIT_PART_MAX] = out->limit[PAIL_LIMIT_PUT] = 5 * TIB;
    out->limit[PAIL_LIMIT_PARTS] = PL_GCS_PARTS_MAX;
    out->limit[PAIL_LIMIT_OBJECT] = out->limit[PAIL_LIMIT_COPY] = 5 * TIB;
    out->limit[PAIL_LIMIT_LIST_PAGE] = LIST_PAGE;
    out->limit[PAIL_LIMIT_DELETE_MANY] = PL_GCS_BATCH_MAX;
    out->part_best = 16 * MIB;
    out->get_best = 2 * out->part_best;
    out->put_best = of(d)->by_session ? SESSION_PUT_BEST * MIB : out->get_best;
    out->concurrency = TRANSFER_CONCURRENCY;
}

static bool gcs_is_own_write(struct pl_dialect *d, const struct pl_op *op,
                             const struct pl_attempt *a, const pail_info *found)
{
    const struct pl_gcs_memo *memo = a->memo;
    struct pl_sum_value sum;
    char text[PL_SUM_BASE64_MAX];
    uint64_t size = op->kind == PL_OP_MP_FINISH ? op->in.mp.size
                    : op->kind == PL_OP_PUT     ? op->in.put.source->len
                                                : UINT64_MAX;
    (void)d;
    if (!memo || !found->checksum || strncmp(found->checksum, "crc32c:", 7) != 0 ||
        found->size != size) {
        return false;
    }
    if (op->kind == PL_OP_MP_FINISH) {
        return pl_gcs_whole_sum(op, &sum) &&
               strcmp(found->checksum + 7, pl_sum_base64(&sum, text)) == 0;
    }
    return memo->has_sum && strcmp(found->checksum + 7, pl_sum_base64(&memo->crc32c, text)) == 0;
}

static void gcs_need(struct pl_dialect *d, const struct pl_op *op, int64_t now_ms,
                     struct pl_need *out)
{
    struct pl_gcs *gcs = of(d);
    const char *email = NULL;
    bool by_iam = op->kind == PL_OP_PRESIGN && !pl_gcs_has_key(gcs) &&
                  pl_gcs_auth_signs_elsewhere(gcs->auth, &email);
    if ((op->kind == PL_OP_MP_BEGIN && !gcs->by_session) ||
        (op->kind == PL_OP_PRESIGN && !by_iam)) {
        return; /* asks nobody */
    }
    if (pl_gcs_auth_lacks(gcs->auth, now_ms, &out->now)) {
        out->what = NEED_TOKEN;
    }
    if (!by_iam || out->now) {
        return;
    }
    uint64_t lacks = email ? pl_gcs_sign_lacks(gcs, op, now_ms) : 0;
    if (!email || lacks) {
        *out = (struct pl_need){.what = email ? NEED_SIGNATURE + lacks : NEED_EMAIL, .now = true};
    }
}

static struct pl_errand *gcs_errand(struct pl_dialect *d, const struct pl_op *op, uint64_t what,
                                    struct pail_error **err)
{
    return what == NEED_TOKEN   ? pl_gcs_auth_errand(of(d)->auth, err)
           : what == NEED_EMAIL ? pl_gcs_email_errand(of(d)->auth, err)
                                : pl_gcs_sign_errand(of(d), op, err);
}

static pail_code gcs_refresh(struct pl_dialect *d, struct pail_error **err)
{
    return pl_gcs_auth_forget(of(d)->auth)
               ? PAIL_OK
               : pl_fail(err, PAIL_E_UNAUTHENTICATED, "there are no other credentials");
}

static void gcs_explain(struct pl_dialect *d, struct pl_buf *out)
{
    pl_buf_printf(out, "credentials = %s\n", pl_gcs_auth_name(of(d)->auth));
}

/* SPEC "Bucket names": 3 to 63 of a-z 0-9 - _ . (222 with dots, each label up to 63), first and
 * last a letter or digit, not an IP address. Buckets of Google's own name are there to be read. */
static pail_code gcs_check_bucket(struct pl_dialect *d, const char *name, struct pail_error **err)
{
    size_t n = strlen(name), label = 0, dots = 0;
    const char *rule = n < 3 ? "it has fewer than 3 characters" : NULL;
    bool digits = true;
    (void)d;
    for (size_t i = 0; i < n && !rule; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        digits &= c == '.' || (c >= '0' && c <= '9');
        label = c == '.' ? 0 : label + 1;
        dots += c == '.';
        if (!plain && c != '-' && c != '_' && c != '.') {
            rule = "only a-z, 0-9, '-', '_' and '.' are allowed";
        } else if (!plain && (i == 0 || i + 1 == n)) {
            rule = "it must begin and end with a letter or digit";
        } else if (label > 63 || (c == '.' && name[i + 1] == '.')) {
            rule = "between dots there must be 1 to 63 characters";
        }
    }
    rule = rule                    ? rule
           : n > (dots ? 222 : 63) ? "it is too long"
           : digits && dots == 3   ? "it looks like an IP address"
                                   : NULL;
    return rule ? pl_fail(err, PAIL_E_BAD_BUCKET_NAME, "bucket name \"%.80s\" is refused: %s", name,
                          rule)
                : PAIL_OK;
}

static void gcs_free(struct pl_dialect *d)
{
    struct pl_gcs *gcs = of(d);
    pl_gcs_auth_free(gcs->auth);
    for (size_t i = 0; i < PL_GCS_SIGNED; i++) {
        pl_gcs_signed_dispose(&gcs->signed_urls[i]);
    }
    pl_gcs_sessions_dispose(gcs);
    pl_free(gcs->host);
    pl_free(gcs->base_path);
    pl_free(gcs);
}

static const struct pl_dialect_ops ops = {.scheme = "gs",
                                          .request_id_header = "x-guploader-uploadid",
                                          .caps = gcs_caps,
                                          .build = pl_gcs_build,
                                          .head = pl_gcs_head,
                                          .parse = pl_gcs_parse,
                                          .presign = pl_gcs_presign,
                                          .is_own_write = gcs_is_own_write,
                                          .need = gcs_need,
                                          .errand = gcs_errand,
                                          .refresh = gcs_refresh,
                                          .explain = gcs_explain,
                                          .check_bucket = gcs_check_bucket,
                                          .free = gcs_free};

/* STORAGE_EMULATOR_HOST is "host:port" or a URL; without a scheme it is plain HTTP. */
static pail_code configure(struct pl_gcs *gcs, const struct pl_settings *s, struct pail_error **err)
{
    const char *given = pl_settings_get(s, "gcs_endpoint");
    struct pl_buf text = PL_BUF_MAX(2048), host = PL_BUF_MAX(512);
    struct pl_url url;
    gcs->custom = given && *given;
    pl_buf_puts(&text, gcs->custom && !strstr(given, "://") ? "http://" : "");
    pl_buf_puts(&text, gcs->custom ? given : "https://storage.googleapis.com");
    pail_code rc = pl_buf_rc(&text);
    rc = rc ? pl_fail(err, rc, "gcs_endpoint is too long")
            : pl_url_parse(pl_buf_view(&text), &url, err);
    if (!rc) {
        for (size_t i = 0; i < url.host.len; i++) {
            char c = url.host.ptr[i];
            pl_buf_putc(&host, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
        }
        while (url.path.len && url.path.ptr[url.path.len - 1] == '/') {
            url.path.len--;
        }
        gcs->tls = url.tls;
        gcs->port = url.port;
        gcs->host = pl_buf_take(&host);
        gcs->base_path = pl_strndup(url.path.len ? url.path.ptr : "", url.path.len);
        rc = gcs->host && gcs->base_path ? PAIL_OK
                                         : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a client");
    }
    pl_buf_dispose(&text);
    pl_buf_dispose(&host);
    return rc;
}

static pail_code choose_upload(struct pl_gcs *gcs, struct pail_error **err)
{
    const char *how = pl_settings_get(gcs->settings, "gcs_upload");
    gcs->by_session = how && strcmp(how, "session") == 0;
    gcs->session_min = (gcs->by_session ? SESSION_MIN : COMPOSE_MIN) * MIB;
    return !how || gcs->by_session || strcmp(how, "compose") == 0
               ? PAIL_OK
               : pl_fail(err, PAIL_E_BAD_CONFIG,
                         "gcs_upload is \"compose\" or \"session\", not "
                         "\"%.40s\"",
                         how);
}

pail_code pl_gcs_dialect_new(const struct pl_provider_env *env, struct pl_dialect **out,
                             struct pail_error **err)
{
    struct pl_gcs *gcs = pl_calloc(1, sizeof *gcs);
    if (!gcs) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a Cloud Storage client");
    }
    gcs->dialect.ops = &ops;
    gcs->settings = env->settings;
    gcs->log = env->log;
    gcs->verify = pl_settings_bool(env->settings, "verify", true);
    pail_code rc = configure(gcs, env->settings, err);
    rc = rc ? rc : choose_upload(gcs, err);
    rc = rc ? rc
            : pl_gcs_auth_new(env->settings, env->ignore_environment, gcs->custom, &gcs->auth, err);
    if (rc) {
        gcs_free(&gcs->dialect);
        return rc;
    }
    *out = &gcs->dialect;
    return PAIL_OK;
}
