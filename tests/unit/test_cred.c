#include "test.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "cred/aws.h"
#include "cred/aws_chain.h"
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
    begin("[default]\nregion = eu-west-3\ns3 =\n  addressing_style = virtual\n"
          "  use_accelerate_endpoint = true\nmax_attempts = 7\n",
          "\n[default]\naws_access_key_id = AK\naws_secret_access_key = SK\naws_session_token=T");
    CHECK_INT(apply(), PAIL_OK);
    check_setting("aws_access_key_id", "AK");
    check_setting("aws_secret_access_key", "SK");
    check_setting("aws_session_token", "T");
    check_setting("aws_region", "eu-west-3");
    check_setting("s3_style", "virtual");
    check_setting("s3_accelerate", "true");
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

static void test_aws__keys_that_have_to_be_fetched_are_left_to_the_chain(void)
{
    begin("[profile a]\nrole_arn = arn:x\nsource_profile = b\naws_access_key_id = AK\n"
          "aws_secret_access_key = SK\n[profile b]\ncredential_process = x\n",
          NULL);
    option("aws_profile", "a");
    CHECK_INT(apply(), PAIL_OK);
    check_setting("aws_access_key_id", "(unset)");
    end();
    begin("[default]\ncredential_process = x\naws_access_key_id = AK\n", NULL);
    CHECK_INT(apply(), PAIL_OK);
    check_setting("aws_access_key_id", "(unset)");
    end();
    begin("[default]\ncredential_process = x\n",
          "[default]\naws_access_key_id = AK\naws_secret_access_key = SK\n");
    CHECK_INT(apply(), PAIL_OK); /* keys of the credentials file stand before a process */
    check_setting("aws_access_key_id", "AK");
    end();
    begin(NULL, "[default]\naws_access_key_id = AK\naws_secret_access_key = SK\n");
    set_var("AWS_WEB_IDENTITY_TOKEN_FILE", "/t");
    set_var("AWS_ROLE_ARN", "arn:x");
    CHECK_INT(apply(), PAIL_OK);
    check_setting("aws_access_key_id", "(unset)");
    end();
    begin("[default]\nlogin_session = x\n", NULL);
    check_failure(PAIL_E_UNSUPPORTED, "~/.aws/config line 2: profile default gets its keys by "
                                      "login_session");
    end();
}

/* ---- The chain */

static struct pl_aws_chain *chain;
static struct pl_errand *errand;
static struct pl_http_request request;
static struct pl_http_response answer = {.body = {.max = 1 << 16}};

static void begin_chain(void)
{
    CHECK_INT(apply(), PAIL_OK);
    CHECK_INT(pl_aws_chain_new(&s, &chain, &err), PAIL_OK);
    errand = pl_aws_chain_errand(chain, &err);
}

static enum pl_errand_step step(int64_t now_ms, int status, const char *body)
{
    answer.status = status;
    pl_buf_clear(&answer.body);
    pl_buf_puts(&answer.body, body ? body : "");
    pl_http_request_dispose(&request);
    return errand->next(errand, now_ms, body ? &answer : NULL, &request, &err);
}

static void again(void)
{
    errand->free(errand);
    errand = pl_aws_chain_errand(chain, &err);
}

static void end_chain(void)
{
    errand->free(errand);
    pl_aws_chain_free(chain);
    pl_http_request_dispose(&request);
    pl_http_response_dispose(&answer);
    answer.body = PL_BUF_MAX(1 << 16);
    end();
}

static void check_keys(const char *id)
{
    struct pl_aws_keys *k = pl_aws_chain_keys(chain);
    CHECK_STR(k ? k->access_key : "(none)", id);
    pl_aws_keys_release(k);
}

static void check_message(const char *part)
{
    CHECK(strstr(pail_error_message(err), part) != NULL);
    if (test_failed) {
        printf("# got: %s\n", pail_error_message(err));
    }
}

/* 1970-01-01T01:00:00Z and so on: easy to count with. */
static const char *const first_keys =
    "{\"AccessKeyId\":\"A1\",\"SecretAccessKey\":\"S\",\"Token\":\"T\","
    "\"Expiration\":\"1970-01-01T01:00:00Z\"}";
static const char *const later_keys =
    "{\"AccessKeyId\":\"A2\",\"SecretAccessKey\":\"S\",\"Token\":\"T\","
    "\"Expiration\":\"1970-01-01T02:00:00Z\"}";

enum { MINUTE = 60000 };

static void test_chain__keys_are_renewed_ahead_of_their_expiry_and_kept_while_good(void)
{
    bool now;
    begin(NULL, NULL);
    set_var("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/x");
    begin_chain();
    CHECK(pl_aws_chain_wants(chain, 0, &now) && now);
    CHECK_INT(step(0, 0, NULL), PL_ERRAND_SEND);
    CHECK(request.direct);
    CHECK_INT(step(0, 200, first_keys), PL_ERRAND_DONE);
    check_keys("A1");
    CHECK(!pl_aws_chain_wants(chain, 40 * MINUTE, &now));
    CHECK(pl_aws_chain_wants(chain, 46 * MINUTE, &now) && !now);
    again();
    CHECK_INT(step(46 * MINUTE, 0, NULL), PL_ERRAND_SEND);
    CHECK_INT(step(46 * MINUTE, 403, "no"), PL_ERRAND_DONE); /* good for 14 minutes yet */
    check_keys("A1");
    CHECK(!pl_aws_chain_wants(chain, 46 * MINUTE + 1, &now));
    CHECK(pl_aws_chain_wants(chain, 60 * MINUTE, &now) && now);
    again();
    CHECK_INT(step(60 * MINUTE, 0, NULL), PL_ERRAND_SEND);
    CHECK_INT(step(60 * MINUTE, 200, later_keys), PL_ERRAND_DONE);
    check_keys("A2");
    end_chain();
}

static void test_chain__a_rotated_file_is_noticed_when_its_keys_are_refused(void)
{
    bool now;
    begin(NULL, "[default]\naws_access_key_id = AK\naws_secret_access_key = SK\n");
    begin_chain();
    CHECK(!pl_aws_chain_wants(chain, 0, &now));
    CHECK_INT(pl_aws_chain_refuse(chain, NULL), PAIL_OK);
    CHECK(pl_aws_chain_wants(chain, 0, &now) && now);
    CHECK_INT(step(0, 0, NULL), PL_ERRAND_FAIL);
    CHECK_INT(pail_error_code(err), PAIL_E_EXPIRED_CREDENTIALS);
    pail_error_free(err);
    err = NULL;
    write_file(".aws/credentials", "[default]\naws_access_key_id=NEW\naws_secret_access_key=SK\n");
    again();
    CHECK_INT(step(0, 0, NULL), PL_ERRAND_DONE);
    check_keys("NEW");
    end_chain();
}

static void test_chain__keys_given_by_hand_are_not_renewed(void)
{
    bool now;
    begin(NULL, NULL);
    option("aws_access_key_id", "AK");
    option("aws_secret_access_key", "SK");
    begin_chain();
    CHECK(!pl_aws_chain_wants(chain, 0, &now));
    CHECK_INT(pl_aws_chain_refuse(chain, NULL), PAIL_E_EXPIRED_CREDENTIALS);
    end_chain();
}

static void test_chain__without_any_source_all_are_named(void)
{
    begin(NULL, NULL);
    set_var("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    begin_chain();
    CHECK_INT(step(0, 0, NULL), PL_ERRAND_SEND);
    CHECK_INT(errand->timeout_ms, 1000);
    CHECK_INT(step(0, 500, ""), PL_ERRAND_SEND);
    CHECK_INT(step(0, 500, ""), PL_ERRAND_SEND);
    CHECK_INT(step(0, 500, ""), PL_ERRAND_FAIL);
    CHECK_INT(pail_error_code(err), PAIL_E_NO_CREDENTIALS);
    check_message("tried variables: AWS_ACCESS_KEY_ID is not set; profile default: no keys in the "
                  "shared files; web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set; container: "
                  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set; instance "
                  "metadata: http://127.0.0.1:1 refused (HTTP 500)");
    end_chain();
}

static enum pl_errand_step cut(enum pl_http_fail fail, int sends)
{
    answer.fail = fail;
    answer.sends = sends;
    answer.status = 0;
    pl_http_request_dispose(&request);
    errand->timeout_ms = errand->wait_ms = 0;
    enum pl_errand_step next = errand->next(errand, 0, &answer, &request, &err);
    answer.fail = PL_HTTP_OK;
    return next;
}

static void test_chain__a_service_that_is_there_is_asked_again(void)
{
    begin(NULL, NULL);
    begin_chain();
    CHECK_INT(step(0, 0, NULL), PL_ERRAND_SEND);
    CHECK_INT(cut(PL_HTTP_BROKEN, 1), PL_ERRAND_SEND);
    uint32_t waited = errand->wait_ms;
    CHECK_INT(cut(PL_HTTP_STALE, 1), PL_ERRAND_SEND);
    CHECK(waited > 0 && errand->wait_ms > waited);
    CHECK_INT(step(0, 200, "token"), PL_ERRAND_SEND);
    CHECK_INT(step(0, 200, "my-role"), PL_ERRAND_SEND);
    CHECK_INT(step(0, 200, first_keys), PL_ERRAND_DONE);
    end_chain();
    begin(NULL, NULL);
    begin_chain();
    CHECK_INT(step(0, 0, NULL), PL_ERRAND_SEND);
    CHECK_INT(cut(PL_HTTP_DEADLINE, 1), PL_ERRAND_FAIL); /* nobody who answers */
    end_chain();
}

/* The variable says that there is one. */
static void test_chain__a_container_may_not_listen_yet(void)
{
    begin(NULL, NULL);
    set_var("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/x");
    begin_chain();
    CHECK_INT(step(0, 0, NULL), PL_ERRAND_SEND);
    CHECK_INT(cut(PL_HTTP_CONNECT, 0), PL_ERRAND_SEND);
    CHECK_INT(step(0, 503, ""), PL_ERRAND_SEND);
    CHECK_INT(step(0, 200, first_keys), PL_ERRAND_DONE);
    check_keys("A1");
    end_chain();
    begin(NULL, NULL);
    set_var("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/x");
    begin_chain();
    CHECK_INT(step(0, 0, NULL), PL_ERRAND_SEND);
    CHECK_INT(cut(PL_HTTP_CONNECT, 0), PL_ERRAND_SEND);
    CHECK_INT(cut(PL_HTTP_CONNECT, 0), PL_ERRAND_SEND);
    CHECK_INT(cut(PL_HTTP_CONNECT, 0), PL_ERRAND_FAIL);
    end_chain();
}

static void test_chain__version_1_of_metadata_only_where_it_is_allowed(void)
{
    begin(NULL, NULL);
    begin_chain();
    CHECK_INT(step(0, 0, NULL), PL_ERRAND_SEND);
    CHECK_STR(request.target, "/latest/api/token");
    CHECK_INT(step(0, 404, ""), PL_ERRAND_SEND);
    CHECK_STR(request.target, "/latest/meta-data/iam/security-credentials/");
    CHECK_INT(step(0, 200, "my-role\n"), PL_ERRAND_SEND);
    CHECK_STR(request.target, "/latest/meta-data/iam/security-credentials/my-role");
    CHECK_INT(step(0, 200, first_keys), PL_ERRAND_DONE);
    end_chain();
    begin(NULL, NULL);
    set_var("AWS_EC2_METADATA_V1_DISABLED", "true");
    begin_chain();
    CHECK_INT(step(0, 0, NULL), PL_ERRAND_SEND);
    CHECK_INT(step(0, 404, ""), PL_ERRAND_FAIL);
    check_message("version 1 is switched off");
    end_chain();
}

static void test_chain__metadata_keeps_keys_in_use_that_it_calls_expired(void)
{
    bool now;
    begin(NULL, NULL);
    begin_chain();
    CHECK_INT(step(61 * MINUTE, 0, NULL), PL_ERRAND_SEND);
    CHECK_INT(step(61 * MINUTE, 200, "token"), PL_ERRAND_SEND);
    CHECK_INT(step(61 * MINUTE, 200, "my-role"), PL_ERRAND_SEND);
    CHECK_INT(step(61 * MINUTE, 200, first_keys), PL_ERRAND_DONE);
    check_keys("A1");
    CHECK(!pl_aws_chain_wants(chain, 62 * MINUTE, &now));
    end_chain();
}

static void test_chain__containers_see_tokens_in_the_clear_only_on_this_machine(void)
{
    static const char *const far[] = {"http://example.com/x", "http://127.0.0.1.example.com/",
                                      "http://127.0.0.256/", "http://169.254.169.254/"};
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        begin(NULL, NULL);
        set_var("AWS_CONTAINER_CREDENTIALS_FULL_URI", far[i]);
        begin_chain();
        CHECK_INT(step(0, 0, NULL), PL_ERRAND_FAIL);
        CHECK_INT(pail_error_code(err), PAIL_E_BAD_CONFIG);
        check_message("over plain HTTP");
        end_chain();
    }
    begin(NULL, NULL);
    set_var("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.9.9.9:7/x?y");
    set_var("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\nb");
    begin_chain();
    CHECK_INT(step(0, 0, NULL), PL_ERRAND_FAIL);
    check_message("line break");
    end_chain();
}

static void test_chain__nonsense_of_a_service_is_no_key_and_is_not_shown(void)
{
    static const char *const nonsense[] = {
        "",
        "<html>hunter2</html>",
        "[]",
        "{\"AccessKeyId\":\"hunter2\"}",
        "{\"AccessKeyId\":\"A\\u000a\",\"SecretAccessKey\":\"hunter2\"}",
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hunter2\",\"Expiration\":\"soon\"}",
        "{\"Code\":\"hunter2 is no code\"}"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        begin(NULL, NULL);
        set_var("AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://example.com/x");
        begin_chain();
        CHECK_INT(step(0, 0, NULL), PL_ERRAND_SEND);
        CHECK_INT(step(0, 200, nonsense[i]), PL_ERRAND_FAIL);
        CHECK_INT(pail_error_code(err), PAIL_E_NO_CREDENTIALS);
        CHECK(strstr(pail_error_message(err), "hunter2") == NULL);
        end_chain();
    }
}

static const char *const role_answer =
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>R</AccessKeyId>"
    "<SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"
    "<Expiration>1970-01-01T01:00:00Z</Expiration></Credentials></AssumeRoleResult>"
    "</AssumeRoleResponse>";

static bool body_has(const char *part)
{
    char text[4096];
    snprintf(text, sizeof text, "%.*s", request.body ? (int)request.body->len : 0,
             request.body ? request.body->ptr : "");
    return strstr(text, part) != NULL;
}

static void test_chain__roles_are_taken_on_one_after_the_other(void)
{
    begin("[default]\nrole_arn = arn:outer\nsource_profile = b\nexternal_id = x/y\n"
          "duration_seconds = 900\n[profile b]\nrole_arn = arn:inner\nrole_session_name = me\n"
          "credential_source = Environment\n",
          NULL);
    option("aws_profile", "default");
    set_var("AWS_ACCESS_KEY_ID", "EAK");
    set_var("AWS_SECRET_ACCESS_KEY", "ESK");
    set_var("AWS_ENDPOINT_URL_STS", "http://sts.test:9/base/");
    begin_chain();
    CHECK_INT(step(0, 0, NULL), PL_ERRAND_SEND);
    CHECK_STR(request.origin.host, "sts.test");
    CHECK_STR(request.target, "/base/");
    CHECK(body_has("RoleArn=arn%3Ainner&RoleSessionName=me"));
    CHECK_INT(step(0, 200, role_answer), PL_ERRAND_SEND);
    CHECK(body_has("RoleArn=arn%3Aouter&"));
    CHECK(body_has("&DurationSeconds=900&ExternalId=x%2Fy"));
    CHECK_INT(step(0, 200, role_answer), PL_ERRAND_DONE);
    check_keys("R");
    end_chain();
}

static void test_chain__a_refused_role_says_which_and_why(void)
{
    begin("[default]\nrole_arn = arn:x\nsource_profile = default\naws_access_key_id = AK\n"
          "aws_secret_access_key = SK\n",
          NULL);
    begin_chain();
    CHECK_INT(step(0, 0, NULL), PL_ERRAND_SEND);
    CHECK_STR(request.origin.host, "sts.us-east-1.amazonaws.com");
    CHECK_INT(step(0, 403,
                   "<ErrorResponse><Error><Code>AccessDenied</Code><Message>hunter2</Message>"
                   "</Error></ErrorResponse>"),
              PL_ERRAND_FAIL);
    check_message("the profile's role: AssumeRole of arn:x refused: AccessDenied (HTTP 403)");
    CHECK(strstr(pail_error_message(err), "hunter2") == NULL);
    end_chain();
    begin("[default]\nrole_arn = arn:x\nsource_profile = b\n[profile b]\nrole_arn = arn:y\n"
          "source_profile = default\n",
          NULL);
    check_failure(PAIL_E_BAD_CONFIG, "~/.aws/config line 6: profile b comes back to itself");
    end();
    begin("[default]\nrole_arn = arn:x\nmfa_serial = m\nsource_profile = default\n"
          "aws_access_key_id = AK\naws_secret_access_key = SK\n",
          NULL);
    begin_chain();
    CHECK_INT(step(0, 0, NULL), PL_ERRAND_FAIL);
    CHECK_INT(pail_error_code(err), PAIL_E_UNSUPPORTED);
    check_message("mfa_serial");
    end_chain();
}

static void run_process(const char *command, enum pl_errand_step want)
{
    char config[512];
    snprintf(config, sizeof config, "[default]\ncredential_process = %s\n", command);
    begin(config, NULL);
    begin_chain();
    CHECK_INT(step(0, 0, NULL), PL_ERRAND_WORK);
    errand->work(errand);
    CHECK_INT(step(0, 0, NULL), want);
}

static void test_chain__a_helper_process_gives_keys_without_a_shell_where_words_do(void)
{
    run_process(
        "echo '{\"Version\":1,\"AccessKeyId\":\"P\",' \"\\\"SecretAccessKey\\\":\\\"S\\\"}\"",
        PL_ERRAND_DONE);
    check_keys("P");
    end_chain();
    run_process(
        "printf '{\"Version\":1,\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"S\"}' a | tr a Q",
        PL_ERRAND_DONE);
    check_keys("Q");
    end_chain();
}

static void test_chain__a_helper_process_that_fails_says_how(void)
{
    static const char *const cases[][2] = {
        {"false", "ended with status 1"},
        {"/nonexistent/helper", "cannot be run: No such file"},
        {"echo 'x", "a quote is not closed"},
        {"echo hunter2", "is no JSON"},
        {"echo '{\"Version\":2}'", "no \"Version\": 1"},
        {"head -c 70000 /dev/zero", "more than 64 KiB"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_process(cases[i][0], PL_ERRAND_FAIL);
        check_message(cases[i][1]);
        CHECK(strstr(pail_error_message(err), "hunter2") == NULL);
        end_chain();
    }
}

static void test_run__a_helper_is_stopped_after_its_time(void)
{
    static const char *const argv[] = {"sh", "-c", "sleep 60 & sleep 60", NULL};
    char out[16];
    size_t len = 0;
    CHECK_INT(pl_sys.run(argv, 20, out, sizeof out, &len), -1);
    CHECK_INT(errno, ETIMEDOUT);
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
    RUN(test_aws__keys_that_have_to_be_fetched_are_left_to_the_chain);
    RUN(test_chain__keys_are_renewed_ahead_of_their_expiry_and_kept_while_good);
    RUN(test_chain__a_rotated_file_is_noticed_when_its_keys_are_refused);
    RUN(test_chain__keys_given_by_hand_are_not_renewed);
    RUN(test_chain__without_any_source_all_are_named);
    RUN(test_chain__a_service_that_is_there_is_asked_again);
    RUN(test_chain__a_container_may_not_listen_yet);
    RUN(test_chain__version_1_of_metadata_only_where_it_is_allowed);
    RUN(test_chain__metadata_keeps_keys_in_use_that_it_calls_expired);
    RUN(test_chain__containers_see_tokens_in_the_clear_only_on_this_machine);
    RUN(test_chain__nonsense_of_a_service_is_no_key_and_is_not_shown);
    RUN(test_chain__roles_are_taken_on_one_after_the_other);
    RUN(test_chain__a_refused_role_says_which_and_why);
    RUN(test_chain__a_helper_process_gives_keys_without_a_shell_where_words_do);
    RUN(test_chain__a_helper_process_that_fails_says_how);
    RUN(test_run__a_helper_is_stopped_after_its_time);
    RUN(test_aws__half_a_pair_of_variables_is_an_error);
    RUN(test_aws__files_are_where_variables_say);
    return test_end();
}
