#include "provider/s3_services.h"

/* What is safe on any endpoint that is not known: no checksum header, a signed payload, few and
 * equal parts, no trust in conditions before they were tried. */
static const char safe[] =
    "style=path payload=signed sums=none delete_max=1000 delete_sum=md5 list=v2 list_urlenc=false "
    "parts_max=1000 part_min=5M part_equal=true put_max=5G copy_part=true copy_max=5G "
    "cond_put=probe cond_multipart=probe cond_copy=none cond_delete=none cond_extra=none "
    "location=false versions=true acl=true tags=true class=true sse=all etag_md5=false";

#define AWS_FIELDS                                                                                 \
    "style=virtual payload=unsigned_tls sums=crc64nvme,crc32c,crc32,sha256,sha1 list_urlenc=true " \
    "parts_max=10000 part_equal=false cond_put=native cond_multipart=native cond_copy=native "     \
    "cond_delete=native location=true etag_md5=true"
/* Ceph RGW leaves CommonPrefixes raw under encoding-type=url. Its PUT has known the conditions for
 * long, its CompleteMultipartUpload since late 2025. */
#define CEPH_FIELDS "list=v1 parts_max=10000 cond_put=native"

/* Services change: seen 2026-11. The order matters, the first pattern that fits wins. */
static const struct pl_s3_service table[] = {
    {"aws",
     {"s3.{region}.amazonaws.com", "s3.dualstack.{region}.amazonaws.com",
      "s3-fips.{region}.amazonaws.com", "*.s3.{region}.vpce.amazonaws.com"},
     NULL,
     AWS_FIELDS},
    {"aws",
     {"s3.{region}.amazonaws.com.cn", "s3.dualstack.{region}.amazonaws.com.cn",
      "s3.{region}.amazonaws.eu", "s3.amazonaws.com", "s3-accelerate.amazonaws.com"},
     NULL,
     AWS_FIELDS},
    /* A part copy there takes no source condition, so a large copy could mix two versions. */
    {"r2",
     {"*.r2.cloudflarestorage.com"},
     "auto",
     "delete_max=700 list_urlenc=true parts_max=10000 put_max=4.99G copy_part=false "
     "cond_put=native cond_multipart=native cond_copy=prefix:cf-copy-destination- versions=false "
     "acl=false tags=false sse=customer"},
    {"b2",
     {"s3.{region}.backblazeb2.com"},
     NULL,
     "list_urlenc=true parts_max=10000 tags=false class=false"},
    {"wasabi",
     {"s3.{region}.wasabisys.com", "s3.wasabisys.com"},
     NULL,
     "list_urlenc=true parts_max=10000"},
    {"spaces",
     {"{region}.digitaloceanspaces.com"},
     NULL,
     "parts_max=10000 copy_part=false sse=customer"},
    {"minio",
     {"play.min.io"},
     NULL,
     "payload=unsigned_tls sums=crc32c,crc32,crc64nvme,sha256,sha1 list_urlenc=true "
     "parts_max=10000 part_equal=false cond_put=native etag_md5=true"},
    {"ceph", {"s3.{region}.dream.io"}, NULL, CEPH_FIELDS},
    {"hetzner", {"{region}.your-objectstorage.com"}, NULL, "list=v1 parts_max=10000 sse=customer"},
    {"swift",
     {0},
     NULL,
     "list_urlenc=true cond_put=create cond_multipart=none tags=false sse=none class=false"},
    /* If-Match and If-None-Match on PUT are ignored there: a silent overwrite. */
    {"gcs",
     {"storage.googleapis.com"},
     "auto",
     "list_urlenc=true parts_max=10000 copy_part=false copy_max=5T "
     "cond_put=header:x-goog-if-generation-match=0 cond_multipart=none versions=false tags=false"},
    {"oci",
     {"*.compat.objectstorage.{region}.oraclecloud.com",
      "*.compat.objectstorage.{region}.oci.customer-oci.com"},
     NULL,
     "parts_max=10000 cond_multipart=none acl=false sse=customer"},
    {"oci",
     {"*.vhcompat.objectstorage.{region}.oci.customer-oci.com",
      "vhcompat.objectstorage.{region}.oci.customer-oci.com",
      "vhcompat.objectstorage.{region}.oraclecloud.com"},
     NULL,
     "style=virtual parts_max=10000 cond_multipart=none acl=false sse=customer"},
    {"ibm",
     {"s3.{region}.cloud-object-storage.appdomain.cloud",
      "s3.private.{region}.cloud-object-storage.appdomain.cloud",
      "s3.direct.{region}.cloud-object-storage.appdomain.cloud"},
     NULL,
     "list=v1 parts_max=10000 cond_put=native cond_multipart=native"},
    /* The signature's region is the whole label: oss-cn-hangzhou. */
    {"oss",
     {"{region}.aliyuncs.com", "s3.{region}.aliyuncs.com"},
     NULL,
     "style=virtual parts_max=10000 cond_put=header:x-oss-forbid-overwrite=true "
     "cond_multipart=none"},
    {"cos",
     {"cos.{region}.myqcloud.com"},
     NULL,
     "style=virtual list=v1 parts_max=10000 cond_put=header:x-cos-forbid-overwrite=true "
     "cond_multipart=none"},
    {"obs", {"obs.{region}.myhuaweicloud.com"}, NULL, "style=virtual list=v1 parts_max=10000"},
    {"seaweedfs", {0}, "us-east-1", "list=v1 parts_max=10000"},
    {"garage", {0}, "garage", "parts_max=10000 acl=false tags=false versions=false"},
    {"scaleway",
     {"s3.{region}.scw.cloud"},
     NULL,
     "payload=unsigned_tls sums=crc64nvme,crc32c,crc32,sha256,sha1 cond_put=native "
     "cond_multipart=native"},
    {"ovh",
     {"s3.{region}.io.cloud.ovh.net", "s3.{region}.perf.cloud.ovh.net"},
     NULL,
     "parts_max=10000 cond_put=native"},
    {"tigris",
     {"t3.storage.dev", "fly.storage.tigris.dev"},
     "auto",
     "style=virtual delete_sum=none parts_max=10000 cond_put=native cond_multipart=native "
     "cond_extra=header:x-tigris-consistent=true"},
    {"storj",
     {"gateway.storjshare.io", "*.gateway.storjshare.io"},
     NULL,
     "part_min=64M parts_max=10000 copy_part=false"},
    /* It may take If-Match and not enforce it, as somebody configured it. */
    {"storagegrid", {0}, NULL, "parts_max=10000 cond_put=none cond_multipart=none"},
    /* If-None-Match is ignored there as of 7.2. */
    {"incus", {0}, NULL, "cond_put=none cond_multipart=none"},
    {"other", {0}, NULL, ""},
};
enum { COUNT = sizeof table / sizeof *table };

/* Matches from the last label on, so that "*" takes what is left in front. */
static bool host_fits(struct pl_str pattern, struct pl_str host, struct pl_str *region)
{
    while (pattern.len > 0) {
        if (pl_str_is(pattern, "*")) {
            return host.len > 0;
        }
        size_t p = pattern.len, h = host.len;
        while (p > 0 && pattern.ptr[p - 1] != '.') {
            p--;
        }
        while (h > 0 && host.ptr[h - 1] != '.') {
            h--;
        }
        struct pl_str want = pl_str_n(pattern.ptr + p, pattern.len - p);
        struct pl_str have = pl_str_n(host.ptr + h, host.len - h);
        if (pl_str_is(want, "{region}") && have.len > 0) {
            *region = have;
        } else if (!pl_str_ieq(want, have)) {
            return false;
        }
        if ((p == 0) != (h == 0)) {
            return false;
        }
        pattern.len = p ? p - 1 : 0;
        host.len = h ? h - 1 : 0;
    }
    return host.len == 0;
}

const struct pl_s3_service *pl_s3_service_of_host(struct pl_str host, struct pl_str *region)
{
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < 6 && table[i].hosts[j]; j++) {
            *region = (struct pl_str){0};
            if (host_fits(pl_str_c(table[i].hosts[j]), host, region)) {
                if (pl_str_ends(*region, PL_STR("-internal"))) {
                    region->len -= sizeof "-internal" - 1;
                }
                return &table[i];
            }
        }
    }
    *region = (struct pl_str){0};
    return &table[COUNT - 1];
}

const struct pl_s3_service *pl_s3_service_named(const char *name)
{
    for (int i = 0; i < COUNT; i++) {
        if (pl_str_ieq(pl_str_c(name), pl_str_c(table[i].name))) {
            return &table[i];
        }
    }
    return NULL;
}

const char *pl_s3_service_near(const char *name)
{
    size_t least = 1 + strlen(name) / 2;
    const char *best = NULL;
    for (int i = 0; i < COUNT; i++) {
        size_t d = pl_edit_distance(name, table[i].name);
        if (d < least) {
            least = d;
            best = table[i].name;
        }
    }
    return best;
}

bool pl_s3_service_address(const struct pl_s3_service *service, struct pl_str region,
                           struct pl_buf *out)
{
    const char *host = service->hosts[0], *hole = host ? strstr(host, "{region}") : NULL;
    if (!host || strchr(host, '*') || (hole && region.len == 0)) {
        return false;
    }
    pl_buf_puts(out, "https://");
    if (!hole) {
        pl_buf_puts(out, host);
        return true;
    }
    pl_buf_add(out, host, (size_t)(hole - host));
    pl_buf_str(out, region);
    pl_buf_puts(out, hole + sizeof "{region}" - 1);
    return true;
}

/* The fields of a profile: how each is spelt and where it goes. */
enum field_kind { WORD, NUMBER, SIZE, FLAG, COND, SUMS, SUM };
static const struct field {
    const char *name;
    enum field_kind kind;
    size_t at;
    const char *words; /* WORD: in the order of the enum */
} fields[] = {
#define AT(member) offsetof(struct pl_s3_profile, member)
    {"s3_style", WORD, AT(style), "path virtual"},
    {"s3_payload", WORD, AT(payload), "signed unsigned_tls"},
    {"s3_sums", SUMS, AT(sums), NULL},
    {"s3_delete_max", NUMBER, AT(delete_max), NULL},
    {"s3_delete_sum", SUM, AT(delete_sum), NULL},
    {"s3_list", WORD, AT(list), "v2 v1"},
    {"s3_list_urlenc", FLAG, AT(list_urlenc), NULL},
    {"s3_parts_max", NUMBER, AT(parts_max), NULL},
    {"s3_part_min", SIZE, AT(part_min), NULL},
    {"s3_part_equal", FLAG, AT(part_equal), NULL},
    {"s3_put_max", SIZE, AT(put_max), NULL},
    {"s3_copy_part", FLAG, AT(copy_part), NULL},
    {"s3_copy_max", SIZE, AT(copy_max), NULL},
    {"s3_cond_put", COND, AT(cond_put), NULL},
    {"s3_cond_multipart", COND, AT(cond_multipart), NULL},
    {"s3_cond_copy", COND, AT(cond_copy), NULL},
    {"s3_cond_delete", COND, AT(cond_delete), NULL},
    {"s3_cond_extra", COND, AT(cond_extra), NULL},
    {"s3_location", FLAG, AT(location), NULL},
    {"s3_versions", FLAG, AT(versions), NULL},
    {"s3_acl", FLAG, AT(acl), NULL},
    {"s3_tags", FLAG, AT(tags), NULL},
    {"s3_class", FLAG, AT(storage_class), NULL},
    {"s3_sse", WORD, AT(sse), "all customer none"},
    {"s3_etag_md5", FLAG, AT(etag_md5), NULL},
#undef AT
};
enum { FIELDS = sizeof fields / sizeof *fields };

static pail_code add_defaults(struct pl_settings *settings, const char *text, const char *origin)
{
    struct pl_str rest = pl_str_c(text);
    while (rest.len > 0) {
        struct pl_str value = pl_str_split(&rest, ' ');
        struct pl_str name = pl_str_split(&value, '=');
        if (name.len == 0) {
            continue;
        }
        struct pl_buf n = PL_BUF_MAX(64), v = PL_BUF_MAX(256);
        pl_buf_puts(&n, "s3_");
        pl_buf_str(&n, name);
        pl_buf_str(&v, value);
        pail_code rc = pl_buf_rc(&n) ? pl_buf_rc(&n) : pl_buf_rc(&v);
        rc = rc ? rc : pl_settings_default(settings, n.ptr, v.ptr, origin);
        pl_buf_dispose(&n);
        pl_buf_dispose(&v);
        if (rc) {
            return rc;
        }
    }
    return PAIL_OK;
}

static int word_index(const char *words, struct pl_str word)
{
    struct pl_str rest = pl_str_c(words);
    for (int i = 0; rest.len > 0; i++) {
        if (pl_str_ieq(pl_str_split(&rest, ' '), word)) {
            return i;
        }
    }
    return -1;
}

static bool read_sums(struct pl_s3_profile *out, struct pl_str text)
{
    out->sums = 0;
    out->put_sum = PL_SUM_NONE;
    if (text.len == 0 || pl_str_is(text, "none")) {
        return true;
    }
    while (text.len > 0) {
        enum pl_sum sum = pl_sum_by_name(pl_str_trim(pl_str_split(&text, ',')));
        if (sum == PL_SUM_NONE || sum == PL_SUM_MD5) {
            return false;
        }
        out->sums |= 1u << sum;
        out->put_sum = out->put_sum ? out->put_sum : sum;
    }
    return true;
}

static bool read_cond(struct pl_s3_cond *out, struct pl_str text)
{
    *out = (struct pl_s3_cond){0};
    int i = word_index("none probe native create", text);
    if (i >= 0) {
        out->kind = (enum pl_s3_cond_kind)i;
        return true;
    }
    struct pl_str kind = pl_str_split(&text, ':');
    if (pl_str_is(kind, "header")) {
        out->kind = PL_S3_COND_HEADER;
        out->name = pl_str_split(&text, '=');
        out->value = text;
    } else if (pl_str_is(kind, "prefix")) {
        out->kind = PL_S3_COND_PREFIX;
        out->name = text;
    }
    return out->name.len > 0 && (out->kind == PL_S3_COND_PREFIX || out->value.len > 0);
}

static bool read_field(struct pl_s3_profile *out, const struct field *f, const char *text)
{
    char *to = (char *)out + f->at;
    struct pl_str v = pl_str_c(text);
    uint64_t n = 0;
    bool flag = false;
    switch (f->kind) {
    case WORD: {
        int i = word_index(f->words, v);
        memcpy(to, &i, sizeof i);
        return i >= 0;
    }
    case NUMBER: {
        bool ok = pl_str_u64(v, &n) && n <= UINT32_MAX;
        memcpy(to, &(uint32_t){(uint32_t)n}, sizeof(uint32_t));
        return ok;
    }
    case SIZE: {
        bool ok = pl_str_size(v, &n);
        memcpy(to, &n, sizeof n);
        return ok;
    }
    case FLAG: {
        bool ok = pl_str_bool(v, &flag);
        memcpy(to, &flag, sizeof flag);
        return ok;
    }
    case COND: return read_cond((struct pl_s3_cond *)(void *)to, v);
    case SUMS: return read_sums(out, v);
    case SUM: {
        enum pl_sum sum = pl_sum_by_name(v);
        memcpy(to, &sum, sizeof sum);
        return sum != PL_SUM_NONE || pl_str_is(v, "none");
    }
    }
    return false;
}

static const char *wish(const struct field *f)
{
    switch (f->kind) {
    case WORD: return f->words;
    case NUMBER: return "a whole number";
    case SIZE: return "a size such as 5M";
    case FLAG: return "true or false";
    case COND: return "none, probe, native, create, header:NAME=VALUE or prefix:NAME";
    case SUMS: return "none or a list of crc64nvme,crc32c,crc32,sha256,sha1";
    case SUM: return "none, md5, crc64nvme, crc32c, crc32, sha256 or sha1";
    }
    return "";
}

_Static_assert(sizeof(enum pl_s3_style) == sizeof(int), "read_field stores words as int");

pail_code pl_s3_profile_load(struct pl_s3_profile *out, const struct pl_s3_service *service,
                             struct pl_settings *settings, struct pail_error **err)
{
    *out = (struct pl_s3_profile){.service = service->name};
    struct pl_buf origin = PL_BUF_MAX(64);
    pl_buf_printf(&origin, "profile %s", service->name);
    pail_code rc = pl_buf_rc(&origin);
    rc = rc ? rc : add_defaults(settings, service->fields, origin.ptr);
    rc = rc ? rc : add_defaults(settings, safe, "safe for any service");
    pl_buf_dispose(&origin);
    if (rc) {
        return pl_fail(err, rc, "no memory for the settings of service %s", service->name);
    }
    for (int i = 0; i < FIELDS; i++) {
        const char *value = pl_settings_get(settings, fields[i].name);
        if (!read_field(out, &fields[i], value)) {
            return pl_fail(err, PAIL_E_BAD_CONFIG, "setting %s is \"%s\" (%s), it takes %s",
                           fields[i].name, value, pl_settings_origin(settings, fields[i].name),
                           wish(&fields[i]));
        }
    }
    return PAIL_OK;
}
