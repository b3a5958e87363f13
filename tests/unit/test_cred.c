#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "cred/aws.h"
#include "cred/aws_files.h"

/* A home folder with an .aws in it, and variables that are not the process's. */
static char home[64];
static const char *vars[8][2];
static struct pl_settings s;
static struct pail_error *err;

static const char *fake_env(const char *name)
{
    for (int i = 0; i < 8 && vars[i][0]; i++) {
        if (strcmp(vars[i][0], name) == 0) {
            return vars[i][1];
        }
    }
    return NULL;
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", home, name);
    FILE *f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void set_var(const char *name, const char *value)
{
    int i = 0;
    while (vars[i][0] && strcmp(vars[i][0], name) != 0) {
        i++;
    }
    vars[i][0] = name;
    vars[i][1] = value;
}

/* Both files; NULL: not there. */
static void begin(const char *config, const char *credentials)
{
    char path[128];
    strcpy(home, "/tmp/pail-cred-XXXXXX");
    CHECK(mkdtemp(home) != NULL);
    snprintf(path, sizeof path, "%s/.aws", home);
    CHECK(mkdir(path, 0700) == 0);
    memset(vars, 0, sizeof vars);
    set_var("HOME", home);
    pl_sys.env = fake_env;
    if (config) {
        write_file(".aws/config", config);
    }
    if (credentials) {
        write_file(".aws/credentials", credentials);
    }
}

static pail_code apply(void)
{
    pail_code rc = pl_settings_from_env(&s, "s3", &err);
    return rc ? rc : pl_aws_profile_apply(&s, &err);
}

static void option(const char *name, const char *value)
{
    CHECK_INT(pl_settings_set(&s, name, value, "option", NULL), PAIL_OK);
}

static void end(void)
{
    static const char *const names[] = {".aws/config", ".aws/credentials", "other", ".aws", ""};
    for (int i = 0; i < 5; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", home, names[i]);
        (void)remove(path);
    }
    pl_settings_dispose(&s);
    pail_error_free(err);
    err = NULL;
}

static void check_setting(const char *name, const char *want)
{
    const char *got = pl_settings_get(&s, name);
    CHECK_STR(got ? got : "(unset)", want);
}

static void check_failure(pail_code code, const char *part)
{
    CHECK_INT(apply(), code);
    CHECK(strstr(pail_error_message(err), part) != NULL);
    if (test_failed) {
        printf("# got: %s\n", pail_error_message(err));
    }
}

static void test_aws__nothing_there_is_no_error(void)
{
    begin(NULL, NULL);
    CHECK_INT(apply(), PAIL_OK);
    check_setting("aws_access_key_id", "(unset)");
    end();
}

static void test_aws__default_profile_of_both_files_with_its_origin(void)
{
    begin("[default]\nregion = eu-west-3\ns3 =\n  addressing_style = virtual\nmax_attempts = 7\n",
          "\n[default]\naws_access_key_id = AK\naws_secret_access_key = SK\naws_session_token=T");
    CHECK_INT(apply(), PAIL_OK);
    check_setting("aws_access_key_id", "AK");
    check_setting("aws_secret_access_key", "SK");
    check_setting("aws_session_token", "T");
    check_setting("aws_region", "eu-west-3");
    check_setting("s3_style", "virtual");
    check_setting("max_attempts", "7");
    CHECK_STR(pl_settings_origin(&s, "aws_access_key_id"),
              "profile default in ~/.aws/credentials line 3");
    CHECK_STR(pl_settings_origin(&s, "aws_region"), "profile default in ~/.aws/config line 2");
    end();
}

static void test_aws__variables_and_options_stand_before_the_profile(void)
{
    begin("[profile work]\nregion = a\naws_access_key_id = AK\naws_secret_access_key = SK\n"
          "aws_session_token = T\n",
          NULL);
    set_var("AWS_PROFILE", "work");
    set_var("AWS_ACCESS_KEY_ID", "EAK");
    set_var("AWS_SECRET_ACCESS_KEY", "ESK");
    set_var("AWS_REGION", "b");
    CHECK_INT(apply(), PAIL_OK);
    check_setting("aws_access_key_id", "EAK");
    check_setting("aws_secret_access_key", "ESK");
    check_setting("aws_session_token", "(unset)"); /* never the token of another source */
    check_setting("aws_region", "b");
    end();
}

static void test_aws__a_profile_asked_for_by_name_stands_before_keys_of_variables(void)
{
    begin(NULL, "[work]\naws_access_key_id = AK\naws_secret_access_key = SK\n");
    option("aws_profile", "work");
    set_var("AWS_ACCESS_KEY_ID", "EAK");
    set_var("AWS_SECRET_ACCESS_KEY", "ESK");
    set_var("AWS_SESSION_TOKEN", "ET");
    CHECK_INT(apply(), PAIL_OK);
    check_setting("aws_access_key_id", "AK");
    check_setting("aws_session_token", "(unset)");
    end();
}

static void test_aws__own_keys_do_not_take_the_token_of_variables(void)
{
    begin(NULL, NULL);
    option("aws_access_key_id", "AK");
    option("aws_secret_access_key", "SK");
    set_var("AWS_SESSION_TOKEN", "ET");
    CHECK_INT(apply(), PAIL_OK);
    check_setting("aws_session_token", "(unset)");
    end();
}

static void test_aws__anonymous_takes_no_keys_but_the_rest(void)
{
    begin("[default]\nregion = a\nrole_arn = r\n", "[default]\naws_access_key_id = AK\n");
    option("aws_skip_signature", "true");
    CHECK_INT(apply(), PAIL_OK);
    check_setting("aws_access_key_id", "(unset)");
    check_setting("aws_region", "a");
    end();
}

static const char *const endpoints =
    "[profile a]\nendpoint_url = http://all\nservices = local\n"
    "[services local]\ndynamodb =\n  endpoint_url = http://dynamo\n"
    "s3 =\n  endpoint_url = http://s3\n[profile b]\nendpoint_url = http://all\n";

static void check_endpoint(const char *profile, const char *want)
{
    option("aws_profile", profile);
    CHECK_INT(apply(), PAIL_OK);
    check_setting("aws_endpoint_url", want);
}

static void test_aws__endpoint_of_the_service_stands_before_that_of_the_profile(void)
{
    begin(endpoints, NULL);
    check_endpoint("a", "http://s3");
    CHECK_STR(pl_settings_origin(&s, "aws_endpoint_url"), "services local in ~/.aws/config line 7");
    end();
    begin(endpoints, NULL);
    check_endpoint("b", "http://all");
    end();
    begin(endpoints, NULL);
    set_var("AWS_ENDPOINT_URL", "http://var");
    check_endpoint("a", "http://var");
    end();
}

static void test_aws__ignored_endpoints_are_those_of_files_and_variables(void)
{
    begin(endpoints, NULL);
    set_var("AWS_ENDPOINT_URL_S3", "http://var");
    set_var("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    check_endpoint("a", "(unset)");
    end();
    begin(endpoints, NULL);
    option("aws_endpoint_url", "http://mine");
    set_var("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    check_endpoint("a", "http://mine");
    end();
    begin("[default]\nignore_configured_endpoint_urls = true\nendpoint_url = http://x\n", NULL);
    CHECK_INT(apply(), PAIL_OK);
    check_setting("aws_endpoint_url", "(unset)");
    end();
}

static void test_aws__unknown_profile_says_where_it_was_asked_for(void)
{
    begin("[profile work]\n", NULL);
    set_var("AWS_PROFILE", "wrok");
    check_failure(PAIL_E_BAD_CONFIG, "there is no profile \"wrok\" (environment AWS_PROFILE) in "
                                     "~/.aws/config or ~/.aws/credentials");
    end();
    begin(NULL, NULL);
    option("aws_profile", "default");
    check_failure(PAIL_E_BAD_CONFIG, "there is no profile \"default\"");
    end();
}

static void test_aws__errors_name_file_and_line(void)
{
    begin("[default]\nregion a\n", NULL);
    check_failure(PAIL_E_BAD_CONFIG, "~/.aws/config line 2: expected an '=' sign");
    end();
    begin(NULL, "[default]\n\naws_access_key_id = AK\n");
    check_failure(PAIL_E_BAD_CONFIG,
                  "~/.aws/credentials line 3: profile default has aws_access_key_id without "
                  "aws_secret_access_key");
    end();
    begin("[default]\nmax_attempts = many\n", NULL);
    check_failure(PAIL_E_BAD_CONFIG, "(profile default in ~/.aws/config line 2)");
    end();
    begin("[default]\nservices = nowhere\n", NULL);
    check_failure(PAIL_E_BAD_CONFIG, "~/.aws/config line 2: profile default names [services "
                                     "nowhere]");
    end();
}

static void test_aws__secrets_stay_out_of_messages(void)
{
    begin(NULL, "[default]\naws_access_key_id = AK\naws_secret_access_key = hunter\x01\n");
    check_failure(PAIL_E_BAD_CONFIG, "***");
    CHECK(strstr(pail_error_message(err), "hunter") == NULL);
    end();
    begin(NULL, "[default]\nhunter2\n");
    check_failure(PAIL_E_BAD_CONFIG, "line 2");
    CHECK(strstr(pail_error_message(err), "hunter") == NULL);
    end();
}

static void test_aws__ways_not_known_yet_are_named(void)
{
    begin("[profile a]\nrole_arn = arn:x\nsource_profile = b\naws_access_key_id = AK\n"
          "aws_secret_access_key = SK\n[profile b]\ncredential_process = x\n",
          NULL);
    option("aws_profile", "a");
    check_failure(PAIL_E_UNSUPPORTED, "~/.aws/config line 2: profile a gets its keys by role_arn");
    end();
    begin("[default]\ncredential_process = x\naws_access_key_id = AK\n", NULL);
    check_failure(PAIL_E_UNSUPPORTED, "credential_process");
    end();
    begin("[default]\ncredential_process = x\n",
          "[default]\naws_access_key_id = AK\naws_secret_access_key = SK\n");
    CHECK_INT(apply(), PAIL_OK); /* keys of the credentials file stand before a process */
    end();
    begin(NULL, NULL);
    set_var("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/x");
    check_failure(PAIL_E_UNSUPPORTED, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    end();
}

static void test_aws__half_a_pair_of_variables_is_an_error(void)
{
    begin(NULL, "[default]\naws_access_key_id = AK\naws_secret_access_key = SK\n");
    set_var("AWS_ACCESS_KEY_ID", "EAK");
    check_failure(PAIL_E_BAD_CONFIG, "aws_access_key_id is set (environment AWS_ACCESS_KEY_ID) "
                                     "without aws_secret_access_key");
    end();
    begin(NULL, NULL);
    set_var("AWS_SECRET_ACCESS_KEY", "ESK");
    check_failure(PAIL_E_BAD_CONFIG, "aws_secret_access_key is set (environment "
                                     "AWS_SECRET_ACCESS_KEY) without aws_access_key_id");
    end();
}

static void test_aws__files_are_where_variables_say(void)
{
    begin(NULL, "[default]\naws_access_key_id = AK\naws_secret_access_key = SK\n");
    write_file("other", "[default]\naws_access_key_id = OK\naws_secret_access_key = SK\n");
    set_var("AWS_SHARED_CREDENTIALS_FILE", "~/other");
    set_var("AWS_CONFIG_FILE", "/nonexistent/config");
    CHECK_INT(apply(), PAIL_OK);
    check_setting("aws_access_key_id", "OK");
    CHECK_STR(pl_settings_origin(&s, "aws_access_key_id"), "profile default in ~/other line 2");
    end();
    begin(NULL, NULL);
    option("aws_config_file", "/nonexistent/config");
    check_failure(PAIL_E_BAD_CONFIG, "cannot read /nonexistent/config: No such file");
    end();
}

int main(void)
{
    RUN(test_aws__nothing_there_is_no_error);
    RUN(test_aws__default_profile_of_both_files_with_its_origin);
    RUN(test_aws__variables_and_options_stand_before_the_profile);
    RUN(test_aws__a_profile_asked_for_by_name_stands_before_keys_of_variables);
    RUN(test_aws__own_keys_do_not_take_the_token_of_variables);
    RUN(test_aws__anonymous_takes_no_keys_but_the_rest);
    RUN(test_aws__endpoint_of_the_service_stands_before_that_of_the_profile);
    RUN(test_aws__ignored_endpoints_are_those_of_files_and_variables);
    RUN(test_aws__unknown_profile_says_where_it_was_asked_for);
    RUN(test_aws__errors_name_file_and_line);
    RUN(test_aws__secrets_stay_out_of_messages);
    RUN(test_aws__ways_not_known_yet_are_named);
    RUN(test_aws__half_a_pair_of_variables_is_an_error);
    RUN(test_aws__files_are_where_variables_say);
    return test_end();
}
