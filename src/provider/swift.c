/* "swift:": the dialect's table, limits and making. */
#include "provider/swift.h"

#include "provider/http_provider.h"

static const uint64_t MIB = UINT64_C(1) << 20;
/* SPEC Object Storage API "Large objects": 5 GiB and a little; /info tells the service's own. */
static const uint64_t PUT_MAX = UINT64_C(5) << 30;
enum { PARTS_MAX = 1000, DELETE_MAX = 10000, PAGE = 10000, TRANSFER_CONCURRENCY = 8 };

static struct pl_swift *of(struct pl_dialect *d)
{
    return (struct pl_swift *)d;
}

static void abilities(const struct pl_swift_info *info, unsigned char *can)
{
    unsigned char large = info->known && !info->slo ? PAIL_NO : PAIL_NATIVE;
    can[PAIL_CAN_PUT_CREATE_ONLY] = PAIL_NATIVE;
    can[PAIL_CAN_MULTIPART] = can[PAIL_CAN_MULTIPART_CREATE_ONLY] = large;
    /* A copy by the service has no condition on where it goes: then it is read and put. */
    can[PAIL_CAN_COPY_CREATE_ONLY] = PAIL_EMULATED;
    can[PAIL_CAN_COPY_SOURCE_IF_MATCH] = can[PAIL_CAN_GET_IF] = PAIL_NATIVE;
    can[PAIL_CAN_DELETE_MANY] = info->known && !info->bulk_delete ? PAIL_EMULATED : PAIL_NATIVE;
    can[PAIL_CAN_COPY] = can[PAIL_CAN_SUFFIX_RANGE] = can[PAIL_CAN_METADATA] = PAIL_NATIVE;
    can[PAIL_CAN_START_AFTER] = PAIL_NATIVE;
    can[PAIL_CAN_PRESIGN_GET] = can[PAIL_CAN_PRESIGN_PUT] =
        info->known && !info->tempurl ? PAIL_NO : PAIL_NATIVE;
}

static void swift_caps(struct pl_dialect *d, struct pl_caps *out)
{
    struct pl_swift_info info = pl_swift_info_view(of(d));
    uint64_t put_max = info.put_max ? info.put_max : PUT_MAX;
    *out = (struct pl_caps){0};
    abilities(&info, out->ability);
    out->attr_at_finish = out->no_expires = true;
    out->finish_lingers = true; /* a manifest that is still being stored makes an object later */
    out->limit[PAIL_LIMIT_PART_MIN] = info.part_min ? info.part_min : 1;
    out->limit[PAIL_LIMIT_PART_MAX] = out->limit[PAIL_LIMIT_PUT] = put_max;
    out->limit[PAIL_LIMIT_PARTS] = info.parts_max ? info.parts_max : PARTS_MAX;
    out->limit[PAIL_LIMIT_OBJECT] = put_max * out->limit[PAIL_LIMIT_PARTS];
    out->limit[PAIL_LIMIT_LIST_PAGE] = info.list_max ? info.list_max : PAGE;
    out->limit[PAIL_LIMIT_DELETE_MANY] = info.delete_max ? info.delete_max : DELETE_MAX;
    out->limit[PAIL_LIMIT_COPY] = put_max;
    out->part_best = 16 * MIB;
    out->put_best = out->get_best = 2 * out->part_best;
    out->concurrency = TRANSFER_CONCURRENCY;
}

static bool swift_is_own_write(struct pl_dialect *d, const struct pl_op *op,
                               const struct pl_attempt *a, const pail_info *found)
{
    const struct pl_swift_memo *memo = a->memo;
    char want[33];
    (void)d;
    if (!found->etag) {
        return false;
    }
    if (op->kind == PL_OP_MP_FINISH) {
        return pl_swift_manifest_etag(op->in.mp.parts, op->in.mp.count, want) &&
               found->size == op->in.mp.size && strcmp(found->etag, want) == 0;
    }
    return op->kind == PL_OP_PUT && memo && memo->md5[0] && strcmp(found->etag, memo->md5) == 0;
}

static void swift_explain(struct pl_dialect *d, struct pl_buf *out)
{
    struct pl_swift *s = of(d);
    char room[512];
    struct pl_swift_info info = pl_swift_info_view(s);
    static const char *const modes[] = {"token given", "token from a file", "token from a command",
                                        "auth version 1", "Keystone v3"};
    pl_buf_printf(out, "swift_login = %s  (by the settings)\n", modes[s->mode]);
    pthread_mutex_lock(&s->dialect.lock);
    if (s->place.host && !s->fixed_place) {
        struct pl_origin o = {s->place.tls, s->place.host, s->place.port};
        pl_buf_printf(out, "os_storage_url = %s%s  (learned)\n",
                      pl_origin_text(&o, room, sizeof room), s->place.path);
    }
    pthread_mutex_unlock(&s->dialect.lock);
    if (info.known) {
        pl_buf_printf(out, "swift_info = %s%s%s%s  (learned)\n",
                      info.offered ? "shown:" : "not shown", info.offered && info.slo ? " slo" : "",
                      info.offered && info.bulk_delete ? " bulk_delete" : "",
                      info.offered && info.tempurl ? " tempurl" : "");
    }
}

/* SPEC Object Storage API "Create container": at most 256 bytes of UTF-8 without a slash. */
static pail_code swift_check_bucket(struct pl_dialect *d, const char *name, struct pail_error **err)
{
    size_t n = name ? strlen(name) : 0;
    const char *rule = n == 0                  ? "it is empty"
                       : n > PL_SWIFT_NAME_MAX ? "it must have at most 256 bytes"
                       : strchr(name, '/')     ? "it may have no slash"
                       : !pl_utf8_valid(pl_str_n(name, n)) || !pl_header_safe(pl_str_n(name, n))
                           ? "it must be UTF-8 without control characters"
                       : strcmp(name, ".") == 0 || strcmp(name, "..") == 0
                           ? "it is a step in a path"
                           : NULL;
    (void)d;
    return rule ? pl_fail(err, PAIL_E_BAD_BUCKET_NAME, "bad container name \"%.80s\": %s",
                          name && pl_header_safe(pl_str_n(name, n)) ? name : "", rule)
                : PAIL_OK;
}

static void swift_free(struct pl_dialect *d)
{
    pl_swift_state_dispose(of(d));
    pl_free(of(d));
}

static const struct pl_dialect_ops ops = {.scheme = "swift",
                                          .request_id_header = "x-trans-id",
                                          .caps = swift_caps,
                                          .build = pl_swift_build,
                                          .head = pl_swift_head,
                                          .parse = pl_swift_parse,
                                          .presign = pl_swift_presign,
                                          .is_own_write = swift_is_own_write,
                                          .need = pl_swift_need,
                                          .errand = pl_swift_errand,
                                          .refresh = pl_swift_refresh,
                                          .explain = swift_explain,
                                          .check_bucket = swift_check_bucket,
                                          .free = swift_free};

/* ---- Which way to log in */

static const char *given(const struct pl_settings *s, const char *name)
{
    const char *value = pl_settings_get(s, name);
    return value && *value ? value : NULL;
}

static bool is_v1(const struct pl_settings *s)
{
    const char *version = given(s, "os_identity_api_version"), *type = given(s, "os_auth_type");
    const char *url = given(s, "os_auth_url");
    return given(s, "st_auth") || (type && strcmp(type, "v1password") == 0) ||
           (version && (strcmp(version, "1") == 0 || strcmp(version, "1.0") == 0)) ||
           (url && !version && strstr(url, "/auth/v1.0"));
}

static pail_code no_way(struct pail_error **err)
{
    pail_code rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "there is no way to log in to Swift");
    pl_error_hint(err, "set os_storage_url and os_auth_token (or os_auth_token_file or _command); "
                       "os_auth_url with a user or an application credential; st_auth, st_user "
                       "and st_key; or os_cloud");
    return rc;
}

/* Names of keystoneauth's plugins. A password that is meant for another service must not go to
 * Keystone. */
static pail_code check_type(const struct pl_settings *s, struct pail_error **err)
{
    static const char *const known[] = {"password", "v3password", "token",
                                        "v3token",  "v1password", "v3applicationcredential"};
    const char *type = given(s, "os_auth_type");
    for (size_t i = 0; type && i < sizeof known / sizeof *known; i++) {
        if (strcmp(type, known[i]) == 0) {
            return PAIL_OK;
        }
    }
    if (!type) {
        return PAIL_OK;
    }
    pl_fail(err, PAIL_E_BAD_CONFIG, "os_auth_type (%s) is \"%.40s\", which is not known here",
            pl_settings_origin(s, "os_auth_type"), type);
    pl_error_hint(err,
                  "password, token, v3applicationcredential or v1password; with any other get a "
                  "token elsewhere and give os_auth_token");
    return PAIL_E_BAD_CONFIG;
}

/* A token with its storage URL is used as it is; then a file or a command that has one; then what
 * can log in. */
static pail_code choose_mode(struct pl_swift *s, struct pail_error **err)
{
    const struct pl_settings *set = s->settings;
    struct pl_keystone_ask keystone;
    struct pl_swift_v1_ask v1;
    bool has_url = given(set, "os_storage_url") != NULL;
    bool has_token = given(set, "os_auth_token") != NULL;
    s->token_file = given(set, "os_auth_token_file");
    s->token_command = given(set, "os_auth_token_command");
    if (has_url && has_token) {
        s->mode = PL_SWIFT_STATIC;
        s->token = pl_strdup(given(set, "os_auth_token"));
        return s->token ? PAIL_OK : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a token");
    }
    if (has_url && s->token_file) {
        s->mode = PL_SWIFT_FILE;
        return PAIL_OK;
    }
    if (has_url && s->token_command) {
        s->mode = PL_SWIFT_COMMAND;
        return PAIL_OK;
    }
    pail_code type = check_type(set, err);
    if (type) {
        return type;
    }
    if (is_v1(set)) {
        s->mode = PL_SWIFT_V1;
        return pl_swift_v1_ask(set, &v1, err);
    }
    s->mode = PL_SWIFT_KEYSTONE;
    if (given(set, "os_auth_url")) {
        return pl_keystone_ask(set, &keystone, err);
    }
    if (has_url != (has_token || s->token_file || s->token_command)) {
        pail_code rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "Swift needs %s",
                               has_url ? "a token for the storage URL (os_auth_token)"
                                       : "the storage URL of the token (os_storage_url)");
        pl_error_hint(err, "set it, or os_auth_url and how to log in there");
        return rc;
    }
    return no_way(err);
}

static pail_code configure(struct pl_swift *s, struct pail_error **err)
{
    const char *url = given(s->settings, "os_storage_url");
    pail_code rc = choose_mode(s, err);
    if (!rc && url) {
        rc = pl_swift_place_read(url, pl_settings_origin(s->settings, "os_storage_url"), &s->place,
                                 err);
        s->fixed_place = !rc;
    }
    return rc;
}

pail_code pl_swift_dialect_new(const struct pl_provider_env *env, struct pl_dialect **out,
                               struct pail_error **err)
{
    struct pl_swift *s = pl_calloc(1, sizeof *s);
    if (!s) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a Swift client");
    }
    s->dialect.ops = &ops;
    s->settings = env->settings;
    s->verify = pl_settings_bool(env->settings, "verify", true);
    s->remove_segments = pl_settings_bool(env->settings, "swift_remove_segments", true);
    pail_code rc = configure(s, err);
    if (rc) {
        swift_free(&s->dialect);
        return rc;
    }
    *out = &s->dialect;
    return PAIL_OK;
}

pail_code pl_swift_new(const struct pl_provider_env *env, struct pl_provider **out,
                       struct pail_error **err)
{
    struct pl_dialect *d;
    pail_code rc = env->ignore_environment ? PAIL_OK : pl_swift_clouds_apply(env->settings, err);
    rc = rc ? rc : pl_swift_dialect_new(env, &d, err);
    return rc ? rc : pl_http_provider_new(env, d, out, err);
}
