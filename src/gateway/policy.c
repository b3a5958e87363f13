/* The policy of a form that a browser posts: JSON in base64, whose signature was verified.
 * SPEC S3 "Creating a POST policy": expiration; conditions that match exactly, by their beginning,
 * or by the file's length; no field without a condition. */
#include "gateway/gateway.h"

#include <strings.h>

#include "base/sys.h"
#include "codec/base64.h"
#include "codec/date.h"
#include "codec/json.h"

static bool no_policy(struct pl_gw_call *c, const char *message)
{
    pl_gw_fail(c, "InvalidPolicyDocument", message);
    return false;
}

static bool against(struct pl_gw_call *c, const char *message)
{
    atomic_fetch_add(&c->g->counts[PL_GW_REFUSED], 1);
    pl_gw_fail(c, "AccessDenied", message);
    return false;
}

/* What a condition speaks of: fields, the key with the file's name in it, the bucket. */
static const char *value_of(const struct pl_gw_call *c, const char *name)
{
    if (strcasecmp(name, "bucket") == 0) {
        return c->bucket;
    }
    return strcasecmp(name, "key") == 0 ? c->key : pl_gw_field(c, name);
}

/* SPEC S3 "Creating a POST policy": each of a list of content types must begin so. */
static bool begins(const char *name, const char *value, const char *start)
{
    struct pl_str rest = pl_str_c(value);
    if (strcasecmp(name, "content-type") != 0 || !strchr(value, ',')) {
        return pl_str_starts(rest, pl_str_c(start));
    }
    while (rest.ptr) {
        if (!pl_str_starts(pl_str_trim(pl_str_split(&rest, ',')), pl_str_c(start))) {
            return false;
        }
    }
    return true;
}

/* Marks the fields that a condition spoke of; the bucket, which the path says, is the last. */
static void mark(const struct pl_gw_call *c, bool *spoken, const char *name)
{
    spoken[c->form.count] = spoken[c->form.count] || strcasecmp(name, "bucket") == 0;
    for (size_t i = 0; i < c->form.count; i++) {
        spoken[i] = spoken[i] || pl_str_ieq(c->form.fields[i].name, pl_str_c(name));
    }
}

static bool check_text(struct pl_gw_call *c, bool *spoken, const char *how, const char *name,
                       const char *want)
{
    const char *value = value_of(c, name);
    bool equal = strcasecmp(how, "eq") == 0;
    if (!equal && strcasecmp(how, "starts-with") != 0) {
        return no_policy(c, "a condition is none of eq, starts-with, content-length-range");
    }
    mark(c, spoken, name);
    bool holds =
        value ? (equal ? strcmp(value, want) == 0 : begins(name, value, want)) : !equal && !*want;
    return holds || against(c, "Invalid according to Policy: Policy Condition failed");
}

static bool number(const json_t *v, uint64_t *out)
{
    if (json_is_string(v)) {
        return pl_str_u64(pl_str_c(json_string_value(v)), out);
    }
    *out = (uint64_t)json_integer_value(v);
    return json_is_integer(v) && json_integer_value(v) >= 0;
}

static bool check_list(struct pl_gw_call *c, bool *spoken, const json_t *list)
{
    const char *how = json_string_value(json_array_get(list, 0));
    const char *name = json_string_value(json_array_get(list, 1));
    const char *want = json_string_value(json_array_get(list, 2));
    if (!how || json_array_size(list) != 3) {
        return no_policy(c, "a condition is not [HOW, $FIELD, VALUE]");
    }
    if (strcasecmp(how, "content-length-range") == 0) {
        uint64_t least, most;
        if (!number(json_array_get(list, 1), &least) || !number(json_array_get(list, 2), &most)) {
            return no_policy(c, "content-length-range needs two numbers");
        }
        c->form.least = least > c->form.least ? least : c->form.least;
        c->form.most = most < c->form.most ? most : c->form.most;
        return true;
    }
    if (!name || name[0] != '$' || !want) {
        return no_policy(c, "a condition is not [HOW, $FIELD, VALUE]");
    }
    return check_text(c, spoken, how, name + 1, want);
}

static bool check_one(struct pl_gw_call *c, bool *spoken, json_t *one)
{
    const char *name;
    json_t *value;
    if (json_is_array(one)) {
        return check_list(c, spoken, one);
    }
    if (!json_is_object(one) || json_object_size(one) != 1) {
        return no_policy(c, "a condition is neither a list nor an object of one field");
    }
    json_object_foreach(one, name, value)
    {
        if (!json_is_string(value)) {
            return no_policy(c, "the value of a condition is no text");
        }
        if (!check_text(c, spoken, "eq", name, json_string_value(value))) {
            return false;
        }
    }
    return true;
}

static bool extra(struct pl_gw_call *c, struct pl_str name)
{
    struct pl_buf b = PL_BUF_MAX(256);
    pl_buf_printf(&b, "Invalid according to Policy: Extra input fields: %.*s",
                  (int)(name.len < 128 ? name.len : 128), name.ptr);
    (void)against(c, pl_buf_rc(&b) ? NULL : b.ptr);
    pl_buf_dispose(&b);
    return false;
}

/* False: there is a field that no condition speaks of, other than those that need none, or none
 * speaks of the bucket: a form is good for the buckets that its policy names. */
static bool all_spoken(struct pl_gw_call *c, const bool *spoken)
{
    static const char *const free_of[] = {"policy", "x-amz-signature", "signature",
                                          "awsaccesskeyid", "file"};
    struct pl_str ignored = PL_STR("x-ignore-");
    for (size_t i = 0; i < c->form.count; i++) {
        struct pl_str name = c->form.fields[i].name;
        bool fine = spoken[i] || (name.len >= ignored.len &&
                                  pl_str_ieq(pl_str_n(name.ptr, ignored.len), ignored));
        for (size_t k = 0; k < sizeof free_of / sizeof *free_of; k++) {
            fine = fine || pl_str_ieq(name, pl_str_c(free_of[k]));
        }
        if (!fine) {
            return extra(c, name);
        }
    }
    return spoken[c->form.count] || extra(c, PL_STR("bucket"));
}

static bool check_all(struct pl_gw_call *c, const json_t *policy)
{
    int64_t until;
    const char *expiration = pl_json_text(policy, "expiration");
    const json_t *conditions = json_object_get(policy, "conditions");
    bool *spoken = pl_arena_alloc(c->arena, (c->form.count + 1) * sizeof *spoken);
    if (!expiration || !pl_date_iso_parse(pl_str_c(expiration), &until)) {
        return no_policy(c, "the policy has no expiration such as 2030-01-01T00:00:00Z");
    }
    if (pl_sys.wall_ms() >= until) {
        return against(c, "Invalid according to Policy: Policy expired");
    }
    if (!json_is_array(conditions)) {
        return no_policy(c, "the policy has no list of conditions");
    }
    if (!spoken) {
        pl_gw_fail(c, "SlowDown", NULL);
        return false;
    }
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        if (!check_one(c, spoken, json_array_get(conditions, i))) {
            return false;
        }
    }
    return all_spoken(c, spoken);
}

bool pl_gw_policy_allows(struct pl_gw_call *c)
{
    struct pl_buf text = PL_BUF_MAX(64 << 10);
    json_t *policy = NULL;
    bool ok = pl_base64_decode(&text, pl_str_c(pl_gw_field(c, "policy"))) && !pl_buf_rc(&text) &&
              pl_json_parse(pl_buf_view(&text), "the policy", &policy, NULL) == PAIL_OK;
    ok = ok ? check_all(c, policy) : no_policy(c, "the policy is not JSON in base64");
    json_decref(policy);
    pl_buf_dispose(&text);
    return ok;
}
