/* Where a bucket is: host, port, path, region. Source: Amazon S3 User Guide "Methods for accessing
 * a general purpose bucket"; the endpoint rules' public test cases. */
#include "codec/url.h"
#include "cred/aws_partition.h"
#include "provider/s3.h"

bool pl_s3_region_valid(struct pl_str region)
{
    if (region.len == 0 || region.len >= PL_S3_REGION_MAX || region.ptr[0] == '-' ||
        region.ptr[region.len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < region.len; i++) {
        char c = region.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_')) {
            return false;
        }
    }
    return true;
}

static void set_region(char *to, struct pl_str region)
{
    memcpy(to, region.ptr, region.len);
    to[region.len] = '\0';
}

static struct pl_s3_region *find_region_locked(struct pl_s3 *s3, const char *bucket)
{
    for (size_t i = 0; i < s3->region_count; i++) {
        const char *name = s3->regions[i].bucket;
        if (bucket ? name && strcmp(name, bucket) == 0 : !name) {
            return &s3->regions[i];
        }
    }
    return NULL;
}

bool pl_s3_learn_region(struct pl_s3 *s3, const char *bucket, struct pl_str region)
{
    if (!pl_s3_region_valid(region)) {
        return false;
    }
    char *name = bucket ? pl_strdup(bucket) : NULL;
    if (bucket && !name) {
        return false;
    }
    pthread_mutex_lock(&s3->dialect.lock);
    struct pl_s3_region *known = find_region_locked(s3, bucket);
    bool news = !known || !pl_str_is(region, known->name);
    if (!known) {
        if (s3->region_count < PL_S3_BUCKETS_REMEMBERED) {
            known = &s3->regions[s3->region_count++];
        } else {
            known = &s3->regions[s3->region_next++ % PL_S3_BUCKETS_REMEMBERED];
            pl_free(known->bucket);
        }
        known->bucket = name;
        name = NULL;
    }
    set_region(known->name, region);
    pthread_mutex_unlock(&s3->dialect.lock);
    pl_free(name);
    return news;
}

void pl_s3_view(struct pl_s3 *s3, const char *bucket, struct pl_s3_view *out)
{
    out->p = s3->profile;
    out->of_buckets = false;
    out->session_of = NULL;
    out->express = bucket && pl_s3_is_express(s3, bucket);
    pthread_mutex_lock(&s3->dialect.lock);
    out->learned = s3->learned;
    const struct pl_s3_region *known = bucket ? find_region_locked(s3, bucket) : NULL;
    known = known ? known : find_region_locked(s3, NULL);
    set_region(out->region, pl_str_c(known ? known->name : s3->region));
    pthread_mutex_unlock(&s3->dialect.lock);
    struct pl_s3_arn arn;
    if (pl_s3_is_arn(bucket) && !pl_s3_arn_parse(bucket, &arn, NULL)) {
        set_region(out->region, arn.region); /* what its host is of, it is signed for */
    }
    const struct pl_s3_learned *l = &out->learned;
    if (l->no_sums) {
        out->p.sums = 0;
        out->p.put_sum = PL_SUM_NONE;
    }
    if (l->signed_only) {
        out->p.payload = PL_S3_SIGNED;
    }
    if (l->list_v1) {
        out->p.list = PL_S3_V1;
    }
    if (l->delete_md5) {
        out->p.delete_sum = PL_SUM_MD5;
    }
    if (l->no_delete_sum) {
        out->p.delete_sum = PL_SUM_NONE;
    }
    out->p.delete_max = l->no_delete_many ? 0 : l->delete_max ? l->delete_max : out->p.delete_max;
    out->p.parts_max = l->parts_max ? l->parts_max : out->p.parts_max;
    out->p.style = l->style_known ? l->style : out->p.style;
    out->p.copy_part &= !l->no_copy_part;
    out->p.versions &= !l->no_versions;
    out->p.location &= !l->no_location;
    if (out->express) {
        pl_s3_express_profile(&out->p);
    }
}

void pl_s3_view_op(struct pl_s3 *s3, const struct pl_op *op, struct pl_s3_view *out)
{
    bool lists = op->kind == PL_OP_BUCKET_LIST;
    pl_s3_view(s3, lists ? NULL : op->bucket, out);
    out->of_buckets = lists || op->kind == PL_OP_BUCKET_CREATE || op->kind == PL_OP_BUCKET_DELETE;
    out->express |= lists && s3->list_directories;
    out->session_of = pl_s3_wants_session(s3, op) ? op->bucket : NULL;
}

/* AWS's own host names are made from the region, so that a bucket elsewhere is found. */
static bool is_aws_regional(const struct pl_url *url, const struct pl_s3_service *service)
{
    return strcmp(service->name, "aws") == 0 && url->tls && url->port == 443 &&
           url->path.len <= 1 && pl_str_starts(url->host, PL_STR("s3.")) &&
           !pl_str_starts(url->host, PL_STR("s3.dualstack.")) &&
           (pl_str_ends(url->host, PL_STR(".amazonaws.com")) ||
            pl_str_ends(url->host, PL_STR(".amazonaws.com.cn"))) &&
           !pl_str_ends(url->host, PL_STR(".vpce.amazonaws.com"));
}

static pail_code use_endpoint(struct pl_s3 *s3, const struct pl_url *url, struct pail_error **err)
{
    if (s3->dualstack || s3->fips || s3->accelerate) {
        return pl_fail(err, PAIL_E_BAD_CONFIG,
                       "%s cannot be combined with an endpoint of your own (aws_endpoint_url)",
                       s3->dualstack ? "aws_use_dualstack_endpoint"
                       : s3->fips    ? "aws_use_fips_endpoint"
                                     : "s3_accelerate");
    }
    if (url->has_query) {
        return pl_fail(err, PAIL_E_BAD_CONFIG, "aws_endpoint_url may not have a query");
    }
    struct pl_str path = url->path;
    while (path.len > 0 && path.ptr[path.len - 1] == '/') {
        path.len--;
    }
    s3->custom = true;
    s3->tls = url->tls;
    s3->port = url->port;
    s3->host = pl_strndup(url->host.ptr, url->host.len);
    s3->base_path = pl_strndup(path.ptr, path.len);
    if (!s3->host || !s3->base_path) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for the endpoint");
    }
    for (char *c = s3->host; *c; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    }
    return PAIL_OK;
}

/* Whether the user set an empty region. An empty variable is as good as none. */
static bool is_emptied(const struct pl_settings *settings)
{
    const char *set = pl_settings_get(settings, "aws_region");
    const char *origin = pl_settings_origin(settings, "aws_region");
    return set && !*set && !(origin && pl_str_starts(pl_str_c(origin), PL_STR("environment")));
}

/* SPEC Amazon S3 User Guide "Configuring fast, secure file transfers using Amazon S3 Transfer
 * Acceleration": not with FIPS, not in China. */
static pail_code check_accelerate(const struct pl_s3 *s3, struct pail_error **err)
{
    const char *with = s3->fips ? "aws_use_fips_endpoint"
                       : pl_str_starts(pl_str_c(s3->region), PL_STR("cn-")) ? s3->region
                                                                            : NULL;
    if (!s3->accelerate || !with) {
        return PAIL_OK;
    }
    pail_code rc =
        pl_fail(err, PAIL_E_BAD_CONFIG, "there is no transfer acceleration with %s", with);
    pl_error_hint(err, "leave s3_accelerate out");
    return rc;
}

static pail_code choose_region(struct pl_s3 *s3, const struct pl_settings *settings,
                               const struct pl_s3_service *service, struct pl_str of_host,
                               struct pail_error **err)
{
    const char *set = pl_settings_get(settings, "aws_region");
    struct pl_str region = pl_str_c(set);
    if (region.len == 0) {
        region = service->region ? pl_str_c(service->region) : of_host;
    }
    if (region.len == 0 && is_emptied(settings)) {
        pail_code rc = pl_fail(err, PAIL_E_BAD_CONFIG, "a region must be set: aws_region is empty");
        pl_error_hint(err, "set aws_region (or AWS_REGION, or region in the profile) to one like "
                           "eu-west-1, or leave it out for us-east-1");
        return rc;
    }
    if (region.len == 0) {
        region = PL_STR("us-east-1");
    }
    if (!pl_s3_region_valid(region)) {
        return pl_fail(err, PAIL_E_BAD_CONFIG, "aws_region \"%.*s\" is no name of a region",
                       (int)(region.len < 80 ? region.len : 80), region.ptr);
    }
    s3->global = pl_str_is(region, "aws-global") && !s3->custom;
    set_region(s3->region, pl_str_is(region, "aws-global") ? PL_STR("us-east-1") : region);
    if (s3->fips && pl_str_starts(region, PL_STR("cn-"))) {
        return pl_fail(err, PAIL_E_BAD_CONFIG, "there are no FIPS endpoints in region %s",
                       s3->region);
    }
    return check_accelerate(s3, err);
}

static pail_code named_service(const char *name, const struct pl_s3_service **out,
                               struct pail_error **err)
{
    *out = pl_s3_service_named(name);
    if (*out) {
        return PAIL_OK;
    }
    const char *near = pl_s3_service_near(name);
    return pl_fail(err, PAIL_E_BAD_CONFIG, "s3_service \"%s\" is not known%s%s%s", name,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* s3_service without an address: some services need no more than the region. */
static pail_code address_of_service(const struct pl_s3_service *service, const char *region,
                                    struct pl_buf *out, struct pail_error **err)
{
    if (pl_s3_service_address(service, pl_str_c(region), out)) {
        return pl_buf_rc(out);
    }
    const char *host = service->hosts[0];
    pail_code rc = pl_fail(err, PAIL_E_BAD_CONFIG, "service %s needs its address%s", service->name,
                           host && !strchr(host, '*') ? ", or its region" : "");
    pl_error_hint(err, "set aws_endpoint_url%s%s%s", host ? ", it looks like https://" : "",
                  host ? host : "", host && !strchr(host, '*') ? ", or aws_region" : "");
    return rc;
}

static bool is_aws(const struct pl_s3_service *service)
{
    return strcmp(service->name, "aws") == 0;
}

/* The old settings of others for the style: they overrule the profile, not s3_style. */
static pail_code style_setting(struct pl_settings *settings, struct pail_error **err)
{
    if (!pl_settings_get(settings, "aws_virtual_hosted_style_request")) {
        return PAIL_OK;
    }
    bool on = pl_settings_bool(settings, "aws_virtual_hosted_style_request", false);
    pail_code rc = pl_settings_default(settings, "s3_style", on ? "virtual" : "path",
                                       "aws_virtual_hosted_style_request");
    return rc ? pl_fail(err, rc, "no memory for the settings") : PAIL_OK;
}

/* What explain prints where the user did not say. */
static pail_code show_choices(const struct pl_s3 *s3, struct pl_settings *settings,
                              const struct pl_s3_service *service, struct pail_error **err)
{
    bool plain = pl_str_is(pl_str_c(s3->region), "us-east-1");
    pail_code rc = pl_settings_default(settings, "s3_service", service->name,
                                       s3->custom ? "by the endpoint's host" : "no endpoint given");
    rc = rc ? rc
            : pl_settings_default(settings, "aws_region", s3->region,
                                  plain ? "default" : "by the endpoint's host or service");
    return rc ? pl_fail(err, rc, "no memory for the settings") : PAIL_OK;
}

pail_code pl_s3_configure(struct pl_s3 *s3, struct pl_settings *settings, struct pail_error **err)
{
    const char *address = pl_settings_get(settings, "aws_endpoint_url");
    const char *name = pl_settings_get(settings, "s3_service");
    const struct pl_s3_service *service = pl_s3_service_named("aws");
    struct pl_str of_host = {0};
    struct pl_buf made = PL_BUF_MAX(512);
    pail_code rc = PAIL_OK;
    s3->dualstack = pl_settings_bool(settings, "aws_use_dualstack_endpoint", false);
    s3->fips = pl_settings_bool(settings, "aws_use_fips_endpoint", false);
    s3->accelerate = pl_settings_bool(settings, "s3_accelerate", false);
    s3->list_directories = pl_settings_bool(settings, "s3_list_directory_buckets", false);
    s3->no_sessions = pl_settings_bool(settings, "s3_disable_express_session_auth", false);
    s3->use_arn_region = pl_settings_bool(settings, "s3_use_arn_region", true);
    s3->tls = true;
    s3->port = 443;
    if (name && *name) {
        rc = named_service(name, &service, err);
        if (!rc && (!address || !*address) && !is_aws(service)) {
            rc = address_of_service(service, pl_settings_get(settings, "aws_region"), &made, err);
            address = made.ptr;
        }
    }
    if (!rc && address && *address) {
        struct pl_url url;
        rc = pl_url_parse(pl_str_c(address), &url, err);
        if (rc) {
            pl_error_hint(err, "aws_endpoint_url looks like https://HOST[:PORT][/PATH]");
            goto out;
        }
        const struct pl_s3_service *found = pl_s3_service_of_host(url.host, &of_host);
        service = name && *name ? service : found;
        rc = is_aws_regional(&url, service) ? PAIL_OK : use_endpoint(s3, &url, err);
    }
    rc = rc ? rc : choose_region(s3, settings, service, of_host, err);
    rc = rc ? rc : show_choices(s3, settings, service, err);
    rc = rc ? rc : style_setting(settings, err);
    rc = rc ? rc : pl_s3_profile_load(&s3->profile, service, settings, err);
out:
    pl_buf_dispose(&made);
    return rc;
}

static void add_aws_host(const struct pl_s3 *s3, const char *region, struct pl_buf *host)
{
    pl_buf_puts(host, s3->fips ? "s3-fips." : "s3.");
    if (s3->dualstack) {
        pl_buf_puts(host, "dualstack.");
    }
    if (!s3->global || s3->fips || s3->dualstack || strcmp(region, "us-east-1") != 0) {
        pl_buf_puts(host, region);
        pl_buf_putc(host, '.');
    }
    pl_buf_puts(host, pl_aws_domain(region));
}

bool pl_s3_is_address(const char *host)
{
    if (strchr(host, ':')) {
        return true;
    }
    for (const char *c = host; *c; c++) {
        if (!(*c >= '0' && *c <= '9') && *c != '.') {
            return false;
        }
    }
    return true;
}

/* Whether a bucket may stand before the host: a certificate's "*" covers one label, so a dot needs
 * plain HTTP. */
static bool is_hostable(const char *bucket, bool tls)
{
    size_t n = strlen(bucket);
    if (n < 3 || n > 63 || bucket[0] == '-' || bucket[n - 1] == '-' || bucket[0] == '.' ||
        bucket[n - 1] == '.') {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        char c = bucket[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
              (c == '.' && !tls && bucket[i - 1] != '.'))) {
            return false;
        }
    }
    return true;
}

/* The bucket's name has to stand before the host, and of one certificate.
 * SPEC Amazon S3 User Guide "Transfer Acceleration": BUCKET.s3-accelerate[.dualstack]. */
static pail_code add_accelerated_host(const struct pl_s3 *s3, const struct pl_s3_view *view,
                                      const char *bucket, struct pl_buf *host,
                                      struct pail_error **err)
{
    const char *why = view->express                 ? "a directory bucket has none"
                      : pl_s3_is_arn(bucket)        ? "an access point has none"
                      : view->p.style == PL_S3_PATH ? "it is not for path style (s3_style)"
                      : !is_hostable(bucket, s3->tls)
                          ? "the bucket's name is no host name, or has a dot"
                          : NULL;
    if (why) {
        pail_code rc =
            pl_fail(err, PAIL_E_BAD_CONFIG, "no transfer acceleration for %.200s: %s", bucket, why);
        pl_error_hint(err, "leave s3_accelerate out");
        return rc;
    }
    pl_buf_printf(host, "%s.s3-accelerate%s.%s%s%s", bucket, s3->dualstack ? ".dualstack" : "",
                  s3->global && s3->dualstack ? view->region : "",
                  s3->global && s3->dualstack ? "." : "", pl_aws_domain(view->region));
    return PAIL_OK;
}

/* Whether the bucket stands before the host; else in the path. */
static bool goes_to_host(const struct pl_s3 *s3, const struct pl_s3_view *view, const char *bucket)
{
    if (view->express && view->of_buckets && !s3->custom) {
        return false; /* the control endpoint is one for all */
    }
    return bucket && view->p.style == PL_S3_VIRTUAL && is_hostable(bucket, s3->tls) &&
           !(s3->custom && pl_s3_is_address(s3->host));
}

static pail_code add_host(const struct pl_s3 *s3, const struct pl_s3_view *view, const char *bucket,
                          struct pl_buf *host, struct pail_error **err)
{
    if (bucket && s3->accelerate && !view->of_buckets) {
        return add_accelerated_host(s3, view, bucket, host, err);
    }
    if (pl_s3_is_arn(bucket)) {
        return pl_s3_arn_host(s3, bucket, host, err);
    }
    if (view->express && pl_s3_express_host(s3, view, bucket, host)) {
        return PAIL_OK;
    }
    if (goes_to_host(s3, view, bucket)) {
        pl_buf_puts(host, bucket);
        pl_buf_putc(host, '.');
    }
    if (s3->custom) {
        pl_buf_puts(host, s3->host);
    } else {
        add_aws_host(s3, view->region, host);
    }
    return PAIL_OK;
}

pail_code pl_s3_locate(const struct pl_s3 *s3, const struct pl_s3_view *view, const char *bucket,
                       const char *key, struct pl_http_request *out, struct pl_buf *target,
                       struct pail_error **err)
{
    struct pl_buf host = PL_BUF_MAX(512);
    pail_code bad = view->express && bucket ? pl_s3_express_check(bucket, err) : PAIL_OK;
    if (bad) {
        return bad;
    }
    bool in_host = pl_s3_is_arn(bucket) || goes_to_host(s3, view, bucket);
    pail_code rc = add_host(s3, view, bucket, &host, err);
    if (rc) {
        goto out;
    }
    pl_buf_puts(target, s3->custom ? s3->base_path : "");
    if (bucket && !in_host) {
        pl_buf_putc(target, '/');
        pl_url_encode(target, pl_str_c(bucket), 0);
    }
    if (key) {
        pl_buf_putc(target, '/');
        pl_url_encode(target, pl_str_c(key), PL_URL_KEEP_SLASH);
    } else if (!bucket || in_host) {
        pl_buf_putc(target, '/');
    }
    out->origin.tls = s3->tls;
    out->origin.port = s3->port;
    out->origin.host = pl_arena_dup(&out->arena, pl_buf_view(&host));
    if (pl_buf_rc(&host) || !out->origin.host) {
        rc = pl_fail(err, PAIL_E_NO_MEMORY, "no memory for the address");
    }
out:
    pl_buf_dispose(&host);
    return rc;
}
