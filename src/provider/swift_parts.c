/* Whose a part is. A manifest may point to anything: objects of the same listing, parts of another
 * key (as after a copy of the manifest), other manifests. With an object go only those that lie
 * where the parts of its very key do. Source: Swift "Static Large Objects", "Dynamic Large
 * Objects"; the names that Swift's S3 layer, python-swiftclient and rclone give to parts. */
#include "provider/swift.h"

bool pl_swift_is_segments(const char *bucket, struct pl_str container)
{
    struct pl_str name = pl_str_c(bucket);
    if (!pl_str_starts(container, name)) {
        return false;
    }
    struct pl_str suffix = pl_str_n(container.ptr + name.len, container.len - name.len);
    return pl_str_eq(suffix, PL_STR(PL_SWIFT_SEGMENTS)) ||
           pl_str_eq(suffix, PL_STR(PL_SWIFT_OTHERS));
}

static bool is_number(struct pl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
    }
    return text.len > 0;
}

/* Up to the next slash, which goes with it. */
static struct pl_str step(struct pl_str *rest)
{
    size_t n = 0;
    while (n < rest->len && rest->ptr[n] != '/') {
        n++;
    }
    struct pl_str one = pl_str_n(rest->ptr, n);
    n += n < rest->len;
    *rest = pl_str_n(rest->ptr + n, rest->len - n);
    return one;
}

/* UPLOAD/NUMBER: two steps, so that a key below this one has more. */
static bool is_upload_part(struct pl_str rest)
{
    struct pl_str upload = step(&rest);
    return upload.len >= PL_SWIFT_UPLOAD_ID && is_number(rest);
}

/* [slo/]MTIME/SIZE/PART_SIZE/NUMBER of python-swiftclient, YYYY-MM-DD-RANDOM/NUMBER of rclone, or
 * NUMBER: so exact that parts of a key below this one are none of them. */
static bool is_others_part(struct pl_str rest)
{
    size_t depth = 0, dashes = 0;
    struct pl_str one = PL_STR("");
    bool slo = pl_str_starts(rest, PL_STR("slo/"));
    if (slo) {
        (void)step(&rest);
    }
    while (rest.len) {
        one = step(&rest);
        if (!one.len || one.ptr[0] < '0' || one.ptr[0] > '9') {
            return false;
        }
        dashes += memchr(one.ptr, '-', one.len) != NULL;
        depth++;
    }
    return is_number(one) &&
           (depth == 1 || (depth == 2 && dashes && !slo) || (depth == 4 && !dashes));
}

bool pl_swift_is_part(const char *bucket, const char *key, struct pl_str path)
{
    struct pl_str rest = path;
    struct pl_str container = step(&rest), name = pl_str_c(key);
    if (!pl_swift_is_segments(bucket, container) || !pl_str_starts(rest, name) ||
        rest.len <= name.len || rest.ptr[name.len] != '/') {
        return false;
    }
    rest = pl_str_n(rest.ptr + name.len + 1, rest.len - name.len - 1);
    bool ours = pl_str_ends(container, PL_STR(PL_SWIFT_SEGMENTS));
    return ours ? is_upload_part(rest) : is_others_part(rest);
}
