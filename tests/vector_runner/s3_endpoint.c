/* Where a bucket is, against the public cases of the endpoint rules. */
#include <stdio.h>
#include <string.h>

#include "provider/s3.h"
#include "runner.h"

/* What Pail does not offer, or decides another way. NULL: it is run. */
static const char *left_out(const json_t *params)
{
    static const char *const flags[][2] = {
        {"UseObjectLambdaEndpoint", "Object Lambda is not offered"},
    };
    static const char *const names[][2] = {
        {"s3-outposts", "Outposts are not offered"},
        {"--op-s3", "Outposts are not offered"},
        {"s3-object-lambda", "Object Lambda is not offered"},
    };
    const char *bucket = member_c(params, "Bucket");
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (json_is_true(json_object_get(params, flags[i][0]))) {
            return flags[i][1];
        }
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strstr(bucket, names[i][0])) {
            return names[i][1];
        }
    }
    return NULL;
}

static void set(struct run *run, struct pl_settings *s, const char *name, const char *value)
{
    if (pl_settings_set(s, name, value, "vector", NULL)) {
        broken(run, "setting %s refused", name);
    }
}

static bool is_on(const json_t *params, const char *name)
{
    return json_is_true(json_object_get(params, name));
}

static void fill(struct run *run, struct pl_settings *s, const json_t *params)
{
    const char *region = member_c(params, "Region"), *endpoint = member_c(params, "Endpoint");
    /* The global endpoint has no second stack: there it is the region's, as without the flag. */
    bool global = is_on(params, "UseGlobalEndpoint") && strcmp(region, "us-east-1") == 0 &&
                  !is_on(params, "UseDualStack");
    const json_t *arn = json_object_get(params, "UseArnRegion");
    set(run, s, "aws_region", global ? "aws-global" : region);
    set(run, s, "s3_style", is_on(params, "ForcePathStyle") ? "path" : "virtual");
    if (is_on(params, "UseFIPS")) {
        set(run, s, "aws_use_fips_endpoint", "true");
    }
    if (is_on(params, "UseDualStack")) {
        set(run, s, "aws_use_dualstack_endpoint", "true");
    }
    if (is_on(params, "Accelerate")) {
        set(run, s, "s3_accelerate", "true");
    }
    if (is_on(params, "UseS3ExpressControlEndpoint")) {
        set(run, s, "s3_list_directory_buckets", "true");
    }
    if (is_on(params, "DisableS3ExpressSessionAuth")) {
        set(run, s, "s3_disable_express_session_auth", "true");
    }
    if (*endpoint) {
        set(run, s, "aws_endpoint_url", endpoint);
    }
    if (json_is_boolean(arn)) {
        set(run, s, "s3_use_arn_region", json_is_true(arn) ? "true" : "false");
    }
}

/* Where the bucket's own session signs, and where the keys do. */
static void same_scheme(struct run *run, const struct pl_s3_view *view, const json_t *want)
{
    const json_t *auth =
        json_array_get(json_object_get(json_object_get(want, "properties"), "authSchemes"), 0);
    same_c(run, "authScheme", view->session_of ? "sigv4-s3express" : "sigv4",
           member_c(auth, "name"));
    same_c(run, "signingName", view->express ? "s3express" : "s3", member_c(auth, "signingName"));
}

/* An operation that asks the endpoint that a case is about. */
static enum pl_op_kind kind_of(const json_t *params)
{
    bool control = is_on(params, "UseS3ExpressControlEndpoint");
    return !*member_c(params, "Bucket") ? PL_OP_BUCKET_LIST
           : control                    ? PL_OP_BUCKET_CREATE
                                        : PL_OP_LIST;
}

static void same_place(struct run *run, const struct pl_http_request *r,
                       const struct pl_s3_view *view, struct pl_str target, const json_t *want)
{
    char origin[512];
    struct pl_buf url = PL_BUF_MAX(4096);
    const json_t *auth =
        json_array_get(json_object_get(json_object_get(want, "properties"), "authSchemes"), 0);
    pl_buf_puts(&url, pl_origin_text(&r->origin, origin, sizeof origin));
    target.len -= pl_str_ends(target, PL_STR("/")); /* the cases end without one */
    pl_buf_str(&url, target);
    same(run, "url", pl_buf_view(&url), member(want, "url"));
    same_c(run, "signingRegion", view->region, member_c(auth, "signingRegion"));
    pl_buf_dispose(&url);
}

void run_s3_endpoint(struct run *run, const json_t *one)
{
    const json_t *params = json_object_get(one, "params"), *expect = json_object_get(one, "expect");
    const char *why = left_out(params), *bucket = member_c(params, "Bucket");
    struct pl_settings settings = {0};
    struct pl_s3 s3 = {0};
    struct pl_s3_view view;
    struct pl_http_request r = {0};
    struct pl_buf target = PL_BUF_MAX(4096);
    struct pail_error *err = NULL;
    if (why) {
        skip_case(run, why);
        return;
    }
    fill(run, &settings, params);
    pthread_mutex_init(&s3.dialect.lock, NULL);
    pail_code rc = pl_s3_configure(&s3, &settings, &err);
    if (!rc) {
        struct pl_op op = {.kind = kind_of(params), .bucket = *bucket ? bucket : NULL};
        pl_s3_view_op(&s3, &op, &view);
        rc = pl_s3_locate(&s3, &view, *bucket ? bucket : NULL, NULL, &r, &target, &err);
    }
    if (json_object_get(expect, "error")) {
        if (!rc) {
            broken(run, "%s: it succeeded", member_c(expect, "error"));
        }
    } else if (rc) {
        broken(run, "%s", pail_error_message(err));
    } else {
        const json_t *want = json_object_get(expect, "endpoint");
        same_place(run, &r, &view, pl_buf_view(&target), want);
        same_scheme(run, &view, want);
    }
    pail_error_free(err);
    pl_buf_dispose(&target);
    pl_http_request_dispose(&r);
    pthread_mutex_destroy(&s3.dialect.lock);
    pl_free(s3.host);
    pl_free(s3.base_path);
    pl_settings_dispose(&settings);
}
