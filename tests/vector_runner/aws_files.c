#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "cred/aws_files.h"
#include "runner.h"

static json_t *object_of(json_t *parent, const char *name)
{
    json_t *object = json_object_get(parent, name);
    if (!object) {
        object = json_object();
        json_object_set_new(parent, name, object);
    }
    return object;
}

/* The files as the suite writes what they should hold. */
static json_t *as_json(const struct pl_aws_files *files)
{
    json_t *root = json_object();
    (void)object_of(root, "profiles");
    for (const struct pl_aws_entry *e = files->first; e; e = e->next) {
        if (!pl_aws_files_counts(files, e) || e->section == PL_AWS_SERVICES) {
            continue;
        }
        json_t *section =
            object_of(root, e->section == PL_AWS_PROFILE ? "profiles" : "sso_sessions");
        json_t *one = object_of(section, e->name);
        if (e->key[0]) {
            json_object_set_new(one, e->key, json_string(e->value));
        }
    }
    return root;
}

static void same_files(struct run *run, const struct pl_aws_files *files, const json_t *expected)
{
    json_t *got = as_json(files);
    if (!json_equal(got, expected)) {
        char *a = json_dumps(got, JSON_SORT_KEYS), *b = json_dumps(expected, JSON_SORT_KEYS);
        same_c(run, "config", a, b);
        free(a);
        free(b);
    }
    json_decref(got);
}

static bool contains(const char *text, const char *part)
{
    return *part && strcasestr(text, part) != NULL;
}

void run_profile_parser(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input"), *output = json_object_get(one, "output");
    const char *wanted = member_c(output, "errorContaining");
    struct pl_aws_files files = {0};
    struct pail_error *err = NULL;
    pail_code rc = pl_aws_files_add(&files, member(input, "configFile"), false, "config", &err);
    rc = rc ? rc
            : pl_aws_files_add(&files, member(input, "credentialsFile"), true, "credentials", &err);
    if (*wanted && !contains(pail_error_message(err), wanted)) {
        same_c(run, "errorContaining", pail_error_message(err), wanted);
    } else if (!*wanted && rc) {
        broken(run, "%s", pail_error_message(err));
    } else if (!*wanted) {
        same_files(run, &files, json_object_get(output, "config"));
    }
    pail_error_free(err);
    pl_aws_files_dispose(&files);
}

static const json_t *variables; /* of the case at hand */

static const char *variable(const char *name)
{
    const char *value = member_c(variables, name);
    return *value ? value : NULL;
}

static void check_location(struct run *run, const struct pl_settings *s, const json_t *one,
                           bool credentials, const char *field)
{
    char *path = pl_aws_files_path(s, credentials, NULL);
    same_c(run, field, path ? path : "", member_c(one, field));
    pl_free(path);
}

void run_file_location(struct run *run, const json_t *one)
{
    struct pl_settings s = {0};
    const char *(*before)(const char *) = pl_sys.env;
    if (!pl_str_is(member(one, "platform"), "linux")) {
        skip_case(run, "of another platform");
        return;
    }
    variables = json_object_get(one, "environment");
    pl_sys.env = variable;
    if (pl_settings_from_env(&s, "s3", NULL)) {
        broken(run, "the variables are refused");
    }
    check_location(run, &s, one, false, "configLocation");
    check_location(run, &s, one, true, "credentialsLocation");
    pl_sys.env = before;
    pl_settings_dispose(&s);
}
