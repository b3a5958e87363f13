/* Logins to Azure: the exchanges of each source, driven with recorded answers; no socket. */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include "cred/azure_login.h"
#include "test.h"

#define AT   INT64_C(1700000000000)
#define MARK "hunter2"

static struct pl_settings settings;
static struct pl_azure_login *login;
static struct pl_errand *errand;
static struct pl_http_request request;
static struct pail_error *error;

static void set(const char *name, const char *value)
{
    CHECK_INT(pl_settings_set(&settings, name, value, "test", NULL), PAIL_OK);
}

static pail_code make(bool alone)
{
    pail_error_free(error);
    error = NULL;
    return pl_azure_login_new(&settings, "acct.blob.core.windows.net", alone, &login, &error);
}

static enum pl_errand_step answer(const struct pl_http_response *r)
{
    pl_http_request_dispose(&request);
    request = (struct pl_http_request){0};
    errand->timeout_ms = errand->wait_ms = 0;
    return errand->next(errand, AT, r, &request, &error);
}

static enum pl_errand_step first(void)
{
    errand = pl_azure_login_errand(login, &error);
    return answer(NULL);
}

static enum pl_errand_step say(int status, const char *body)
{
    struct pl_http_response r = {.status = status, .head_done = true, .body = PL_BUF_MAX(1 << 16)};
    pl_buf_puts(&r.body, body);
    enum pl_errand_step step = answer(&r);
    pl_http_response_dispose(&r);
    return step;
}

static enum pl_errand_step fail(void)
{
    struct pl_http_response r = {.fail = PL_HTTP_CONNECT, .why = "no connection within 1 s"};
    return answer(&r);
}

static void expect_token(const char *want)
{
    struct pl_buf token = PL_BUF_MAX(1 << 16);
    CHECK_INT(pl_azure_login_token(login, &token, NULL), PAIL_OK);
    CHECK_STR(token.ptr, want);
    pl_buf_dispose(&token);
}

static bool sends(const char *text)
{
    return request.body && strstr(request.text.ptr, text);
}

static const char *header(const char *name)
{
    for (size_t i = 0; i < request.header_count; i++) {
        if (pl_str_ieq(request.headers[i].name, pl_str_c(name))) {
            return request.headers[i].value.ptr;
        }
    }
    return NULL;
}

static void expect_error(pail_code code, const char *text, const char *hint)
{
    CHECK_INT(pail_error_code(error), code);
    CHECK(error && strstr(pail_error_message(error), text));
    CHECK(error && (!hint || strstr(pail_error_hint(error), hint)));
    CHECK(error && !strstr(pail_error_message(error), MARK));
    if (test_failed) {
        printf("# %s\n", pail_error_message(error));
    }
}

static void end_errand(void)
{
    if (errand) {
        errand->free(errand);
        errand = NULL;
    }
    pl_http_request_dispose(&request);
    request = (struct pl_http_request){0};
    pail_error_free(error);
    error = NULL;
}

static void end(void)
{
    end_errand();
    pl_azure_login_free(login);
    login = NULL;
    pl_settings_dispose(&settings);
    settings = (struct pl_settings){0};
}

static void set_secret(void)
{
    set("azure_client_id", "app");
    set("azure_tenant_id", "tenant.example");
    set("azure_client_secret", MARK "&+");
}

static void test_secret__is_posted_to_the_authority(void)
{
    bool now = false;
    set_secret();
    CHECK_INT(make(false), PAIL_OK);
    CHECK(pl_azure_login_lacks(login, AT, &now) && now);
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_STR(request.method, "POST");
    CHECK_STR(request.origin.host, "login.microsoftonline.com");
    CHECK(request.origin.tls && request.origin.port == 443 && !request.direct);
    CHECK_STR(request.target, "/tenant.example/oauth2/v2.0/token");
    CHECK_STR(header("content-type"), "application/x-www-form-urlencoded");
    CHECK(sends("grant_type=client_credentials&client_id=app&"
                "scope=https%3A%2F%2Fstorage.azure.com%2F.default&client_secret=" MARK "%26%2B"));
    CHECK_INT(say(200, "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"T1\"}"),
              PL_ERRAND_DONE);
    expect_token("T1");
    end();
}

static void test_token__is_renewed_ahead_of_its_end(void)
{
    bool now = true;
    set_secret();
    CHECK_INT(make(false), PAIL_OK);
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_INT(say(200, "{\"expires_in\":3600,\"access_token\":\"T1\"}"), PL_ERRAND_DONE);
    CHECK(!pl_azure_login_lacks(login, AT + 3200000, &now));
    CHECK(pl_azure_login_lacks(login, AT + 3400000, &now) && !now);
    CHECK(pl_azure_login_lacks(login, AT + 3595000, &now) && now);
    end_errand();
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_INT(say(400, "{}"), PL_ERRAND_FAIL);
    expect_token("T1"); /* good until it ends */
    pl_azure_login_forget(login);
    CHECK(pl_azure_login_lacks(login, AT, &now) && now);
    end();
}

static void test_secret__refused_says_why_in_the_authoritys_words(void)
{
    set_secret();
    CHECK_INT(make(false), PAIL_OK);
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_INT(say(401, "{\"error\":\"invalid_client\",\"error_description\":"
                       "\"AADSTS7000215: Invalid client secret " MARK "\"}"),
              PL_ERRAND_FAIL);
    expect_error(PAIL_E_UNAUTHENTICATED,
                 "client secret: no token from https://login.microsoftonline.com: HTTP 401, "
                 "invalid_client AADSTS7000215",
                 "application app in tenant tenant.example");
    end();
}

static void test_authority__that_is_none_is_named_as_such(void)
{
    static const char *const bodies[] = {
        ("<html>" MARK), "", "{", "{\"access_token\":\"\"}", "{\"access_token\":\"a\\nb\"}", "[]"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        set_secret();
        CHECK_INT(make(false), PAIL_OK);
        CHECK_INT(first(), PL_ERRAND_SEND);
        CHECK_INT(say(200, bodies[i]), PL_ERRAND_FAIL);
        expect_error(PAIL_E_UNAUTHENTICATED, "HTTP 200, an answer without a token", NULL);
        end();
    }
    set_secret();
    CHECK_INT(make(false), PAIL_OK);
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_INT(say(302, MARK), PL_ERRAND_FAIL);
    expect_error(PAIL_E_UNAUTHENTICATED, "HTTP 302", NULL);
    end();
}

static void test_authority__that_stumbles_is_asked_three_times(void)
{
    set_secret();
    CHECK_INT(make(false), PAIL_OK);
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_INT(say(503, ""), PL_ERRAND_SEND);
    CHECK(errand->wait_ms > 0 && sends("client_secret="));
    CHECK_INT(say(429, ""), PL_ERRAND_SEND);
    CHECK_INT(say(503, ""), PL_ERRAND_FAIL);
    expect_error(PAIL_E_UNAVAILABLE, "HTTP 503", NULL);
    end();
}

static void test_half_a_login_is_refused_at_once(void)
{
    set("azure_client_secret", MARK);
    CHECK_INT(make(true), PAIL_E_BAD_CONFIG);
    expect_error(PAIL_E_BAD_CONFIG, "azure_client_secret is set, but azure_client_id is not", NULL);
    set("azure_client_id", "app");
    set("azure_tenant_id", "../other");
    CHECK_INT(make(true), PAIL_E_BAD_CONFIG);
    expect_error(PAIL_E_BAD_CONFIG, "no id or domain of a tenant", NULL);
    set("azure_tenant_id", "t");
    set("azure_authority_host", "http://login.example");
    CHECK_INT(make(true), PAIL_E_BAD_CONFIG);
    expect_error(PAIL_E_BAD_CONFIG, "must be https", NULL);
    end();
}

static void test_workload__sends_the_files_token_and_reads_it_anew(void)
{
    char path[] = "/tmp/pail-azure-XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    CHECK(f != NULL);
    fputs(" jwt." MARK "\n", f);
    fclose(f);
    set("azure_client_id", "app");
    set("azure_tenant_id", "t");
    set("azure_federated_token_file", path);
    set("azure_authority_host", "https://login.microsoftonline.us/");
    CHECK_INT(make(false), PAIL_OK);
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_STR(request.origin.host, "login.microsoftonline.us");
    CHECK_STR(request.target, "/t/oauth2/v2.0/token");
    CHECK(sends("client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3A"
                "jwt-bearer&client_assertion=jwt." MARK));
    CHECK(!sends(MARK "%0A"));
    CHECK_INT(say(200, "{\"expires_in\":\"60\",\"access_token\":\"W\"}"), PL_ERRAND_DONE);
    expect_token("W");
    end_errand();
    remove(path);
    CHECK_INT(first(), PL_ERRAND_FAIL);
    expect_error(PAIL_E_NO_CREDENTIALS, "workload identity: cannot read /tmp/pail-azure-", NULL);
    end();
}

static void test_machine__is_asked_directly_and_for_a_second(void)
{
    set("azure_client_id", "of-user");
    CHECK_INT(make(false), PAIL_OK);
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_STR(request.method, "GET");
    CHECK_STR(request.origin.host, "169.254.169.254");
    CHECK(!request.origin.tls && request.direct && errand->timeout_ms == 1000);
    CHECK_STR(request.target, "/metadata/identity/oauth2/token?api-version=2018-02-01&"
                              "resource=https%3A%2F%2Fstorage.azure.com%2F&client_id=of-user");
    CHECK_STR(header("metadata"), "true");
    CHECK_INT(say(404, ""), PL_ERRAND_SEND); /* it is starting */
    CHECK_INT(say(200, "{\"access_token\":\"M\",\"expires_in\":\"86400\",\"resource\":\"r\"}"),
              PL_ERRAND_DONE);
    expect_token("M");
    end();
}

/* How often it is asked, and how long is waited in between, where it always answers so. */
static int asked(int status, int64_t *waited)
{
    int tries = 1;
    *waited = 0;
    CHECK_INT(first(), PL_ERRAND_SEND);
    while (tries < 20 && say(status, "") == PL_ERRAND_SEND) {
        *waited += errand->wait_ms;
        tries++;
    }
    end_errand();
    return tries;
}

/* SPEC "How to use managed identities ... on an Azure VM to acquire an access token", error
 * handling: 404, 410, 429 and 5xx are retried with growing waits; a 410 ends within 70 s. */
static void test_machine__that_is_being_updated_gets_its_time(void)
{
    int64_t waited;
    set("azure_client_id", "of-user");
    CHECK_INT(make(false), PAIL_OK);
    CHECK_INT(asked(410, &waited), 8);
    CHECK(waited >= 70000);
    CHECK_INT(asked(404, &waited), 5);
    CHECK(waited >= 9000);
    CHECK_INT(asked(429, &waited), 5);
    CHECK_INT(asked(503, &waited), 5);
    CHECK(waited >= 9000);
    CHECK_INT(asked(400, &waited), 1);
    end();
}

/* Other clouds have a metadata service at the same address, which knows no such path. */
static void test_machine__of_another_cloud_costs_little(void)
{
    int64_t waited;
    CHECK_INT(make(true), PAIL_OK);
    CHECK(asked(404, &waited) <= 3);
    CHECK(waited < 1000);
    end();
}

static enum pl_errand_step fails(enum pl_http_fail fail, int sends)
{
    struct pl_http_response r = {.fail = fail, .sends = sends, .why = "why"};
    return answer(&r);
}

static void test_machine__that_cut_the_connection_is_there(void)
{
    CHECK_INT(make(true), PAIL_OK);
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_INT(errand->timeout_ms, 1000);
    CHECK_INT(fails(PL_HTTP_BROKEN, 1), PL_ERRAND_SEND);
    CHECK(errand->timeout_ms > 1000 && errand->wait_ms > 0);
    CHECK_INT(fails(PL_HTTP_DEADLINE, 1), PL_ERRAND_SEND);
    CHECK_INT(say(200, "{\"access_token\":\"M\",\"expires_in\":\"86400\"}"), PL_ERRAND_DONE);
    expect_token("M");
    end();
}

static int (*open_before)(int dir, const char *path, int flags, mode_t mode);
static char board[32];
static int open_board(int dir, const char *path, int flags, mode_t mode)
{
    bool asked_for = strcmp(path, "/sys/class/dmi/id/chassis_asset_tag") == 0;
    return open_before(dir, asked_for ? board : path, flags, mode);
}

static void test_machine__of_azures_may_take_its_time(void)
{
    int64_t waited;
    snprintf(board, sizeof board, "/tmp/pail-azure-XXXXXX");
    int fd = mkstemp(board);
    CHECK(fd >= 0 && write(fd, "7783-7084-3265-9085-8269-3286-77\n", 33) == 33);
    close(fd);
    open_before = pl_sys.open;
    pl_sys.open = open_board;
    CHECK_INT(make(true), PAIL_OK);
    pl_sys.open = open_before;
    remove(board);
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_INT(errand->timeout_ms, 3000);
    CHECK_INT(fails(PL_HTTP_DEADLINE, 0), PL_ERRAND_SEND);
    CHECK_INT(fails(PL_HTTP_CONNECT, 0), PL_ERRAND_SEND);
    CHECK_INT(fails(PL_HTTP_CONNECT, 0), PL_ERRAND_WORK); /* on to az */
    end_errand();
    CHECK_INT(asked(404, &waited), 5);
    end();
}

static void test_app_service__has_an_endpoint_and_a_header(void)
{
    bool now = false;
    set("identity_endpoint", "http://127.0.0.1:41741/msi/token/");
    set("identity_header", MARK);
    CHECK_INT(make(false), PAIL_OK);
    CHECK_STR(pl_azure_login_name(login), "managed identity of the app service");
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_STR(request.target, "/msi/token?api-version=2019-08-01&"
                              "resource=https%3A%2F%2Fstorage.azure.com%2F");
    CHECK_STR(header("x-identity-header"), MARK);
    CHECK(request.direct && request.origin.port == 41741);
    CHECK_INT(say(200, "{\"access_token\":\"S\",\"expires_on\":\"1700003600\"}"), PL_ERRAND_DONE);
    CHECK(!pl_azure_login_lacks(login, AT + 3000000, &now));
    CHECK(pl_azure_login_lacks(login, AT + 3599000, &now) && now);
    end();
}

/* ---- Azure Arc */

#define ARC_FILE "/var/opt/azcmagent/tokens/one.key"

static char arc_key[32];
static int (*real_open)(int dir, const char *path, int flags, mode_t mode);
static int open_arc(int dir, const char *path, int flags, mode_t mode)
{
    return real_open(dir, strcmp(path, ARC_FILE) == 0 ? arc_key : path, flags, mode);
}

static enum pl_errand_step challenge(const char *value)
{
    struct pl_header h = {PL_STR("WWW-Authenticate"), pl_str_c(value)};
    struct pl_http_response r = {
        .status = 401, .head_done = true, .headers = &h, .header_count = 1};
    return answer(&r);
}

static void begin_arc(void)
{
    set("azure_msi_endpoint", "http://localhost:40342/metadata/identity/oauth2/token");
    CHECK_INT(make(false), PAIL_OK);
    CHECK_STR(pl_azure_login_name(login), "managed identity of Azure Arc");
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_STR(request.target, "/metadata/identity/oauth2/token?api-version=2020-06-01&"
                              "resource=https%3A%2F%2Fstorage.azure.com%2F");
    CHECK_STR(header("metadata"), "true");
    CHECK(header("authorization") == NULL && request.direct);
}

static void test_arc__proves_itself_by_the_file_that_the_agent_names(void)
{
    snprintf(arc_key, sizeof arc_key, "/tmp/pail-azure-XXXXXX");
    int fd = mkstemp(arc_key);
    CHECK(fd >= 0 && write(fd, MARK "\n", sizeof MARK) == sizeof MARK);
    close(fd);
    real_open = pl_sys.open;
    pl_sys.open = open_arc;
    begin_arc();
    CHECK_INT(challenge("Basic realm=" ARC_FILE), PL_ERRAND_SEND);
    CHECK_STR(header("authorization"), "Basic " MARK);
    CHECK_STR(header("metadata"), "true");
    CHECK_INT(say(200, "{\"access_token\":\"A\",\"expires_in\":\"3600\"}"), PL_ERRAND_DONE);
    expect_token("A");
    end();
    begin_arc();
    CHECK_INT(challenge("Basic realm=" ARC_FILE), PL_ERRAND_SEND);
    CHECK_INT(challenge("Basic realm=" ARC_FILE), PL_ERRAND_FAIL);
    expect_error(PAIL_E_NO_CREDENTIALS, "HTTP 401", NULL);
    end();
    pl_sys.open = real_open;
    remove(arc_key);
}

static void test_arc__reads_no_other_file(void)
{
    static const char *const others[] = {"Basic realm=/etc/passwd",
                                         "Basic realm=/var/opt/azcmagent/tokens/../x.key",
                                         "Basic realm=/var/opt/azcmagent/tokens/one.txt",
                                         "Basic realm=one.key",
                                         ("Bearer realm=" ARC_FILE),
                                         ""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        begin_arc();
        CHECK_INT(challenge(others[i]), PL_ERRAND_FAIL);
        expect_error(PAIL_E_NO_CREDENTIALS, "the agent names no file of", NULL);
        end();
    }
    begin_arc();
    CHECK_INT(challenge("Basic realm=" ARC_FILE), PL_ERRAND_FAIL);
    expect_error(PAIL_E_NO_CREDENTIALS, "cannot read " ARC_FILE, NULL);
    end();
}

/* ---- The az command, as the seam shows it */

static struct {
    int status, number, runs;
    const char *output;
} az;

static int run_az(const char *const *argv, int64_t timeout_ms, char *out, size_t room, size_t *len)
{
    size_t n = az.output ? strlen(az.output) : 0;
    static const char *const words[] = {
        "account",    "get-access-token",           "--output", "json",
        "--resource", "https://storage.azure.com/", "--tenant", "tenant.example"};
    CHECK_STR(argv[2], "exec az \"$@\" 2>/dev/null");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        CHECK_STR(argv[4 + i], words[i]);
    }
    CHECK(timeout_ms == 20000 && n <= room);
    memcpy(out, az.output ? az.output : "", n);
    *len = n;
    az.runs++;
    errno = az.number;
    return az.status;
}

static enum pl_errand_step run_cli(int status, int number, const char *output)
{
    int (*real)(const char *const *, int64_t, char *, size_t, size_t *) = pl_sys.run;
    az.status = status;
    az.number = number;
    az.output = output;
    pl_sys.run = run_az;
    errand->work(errand);
    pl_sys.run = real;
    return answer(NULL);
}

static void begin_cli(void)
{
    set("azure_use_azure_cli", "true");
    set("azure_tenant_id", "tenant.example");
    CHECK_INT(make(false), PAIL_OK);
    CHECK_STR(pl_azure_login_name(login), "az command");
    CHECK_INT(first(), PL_ERRAND_WORK);
}

static void test_cli__gives_its_token_until_the_time_it_says(void)
{
    static const char *const ends[] = {
        "\"expires_on\":1700003600", "\"expiresOn\":\"2023-11-14 23:13:20.000000\"",
        "\"expiresOn\":\"2023-11-14T23:13:20.000000\"", "\"expiresOn\":\"2023-11-14T23:13:20Z\""};
    bool now = true;
    setenv("TZ", "UTC", 1);
    tzset();
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char text[256];
        begin_cli();
        snprintf(text, sizeof text, "{\"accessToken\":\"C" MARK "\",%s,\"tokenType\":\"Bearer\"}",
                 ends[i]);
        CHECK_INT(run_cli(0, 0, text), PL_ERRAND_DONE);
        expect_token("C" MARK);
        CHECK(!pl_azure_login_lacks(login, AT + 3000000, &now));
        CHECK(pl_azure_login_lacks(login, AT + 3599000, &now) && now);
        end();
    }
}

static void test_cli__that_fails_says_how(void)
{
    const struct {
        int status, number;
        const char *output, *want;
    } all[] = {
        {1, 0, "", "ended with status 1"},
        {127, 0, "", "not in the PATH"},
        {-1, ETIMEDOUT, MARK, "stopped after 20 s"},
        {-1, EFBIG, MARK, "more than 64 KiB"},
        {-1, EAGAIN, "", "cannot be run"},
        {0, 0, "<html>" MARK, "no JSON"},
        {0, 0, "{\"accessToken\":7}", "no accessToken"},
        {0, 0, "{\"accessToken\":\"" MARK "\\n\"}", "no accessToken"},
        {0, 0, "{\"accessToken\":\"" MARK "\"}", "no expires_on"},
        {0, 0, "{\"accessToken\":\"" MARK "\",\"expiresOn\":\"2023-11-14 2\"}", "no expires_on"},
        {0, 0, "{\"accessToken\":\"" MARK "\",\"expires_on\":1600000000}", "expired already"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        begin_cli();
        CHECK_INT(run_cli(all[i].status, all[i].number, all[i].output), PL_ERRAND_FAIL);
        expect_error(PAIL_E_NO_CREDENTIALS, all[i].want, "az login");
        end();
    }
}

static void test_chain__begins_with_the_machine_each_time(void)
{
    set("azure_tenant_id", "tenant.example");
    CHECK_INT(make(true), PAIL_OK);
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_INT(fail(), PL_ERRAND_WORK);
    CHECK_INT(run_cli(0, 0, "{\"accessToken\":\"C\",\"expires_on\":1700003600}"), PL_ERRAND_DONE);
    end_errand();
    CHECK_STR(pl_azure_login_name(login), "az command");
    CHECK_INT(first(), PL_ERRAND_SEND); /* it may have stumbled only */
    CHECK_INT(fail(), PL_ERRAND_WORK);
    CHECK_INT(run_cli(1, 0, ""), PL_ERRAND_FAIL);
    end_errand();
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_INT(say(200, "{\"access_token\":\"M\",\"expires_in\":3600}"), PL_ERRAND_DONE);
    end_errand();
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_INT(fail(), PL_ERRAND_SEND); /* it is there: it gave the token before */
    CHECK_INT(fail(), PL_ERRAND_SEND);
    CHECK_INT(fail(), PL_ERRAND_WORK);
    end();
}

static void test_nothing__tries_the_machine_last_and_names_all(void)
{
    set("azure_tenant_id", "tenant.example");
    CHECK_INT(make(false), PAIL_OK);
    CHECK(login == NULL);
    CHECK_INT(make(true), PAIL_OK);
    CHECK_INT(first(), PL_ERRAND_SEND);
    CHECK_INT(fail(), PL_ERRAND_WORK);
    CHECK_INT(run_cli(127, 0, ""), PL_ERRAND_FAIL);
    expect_error(PAIL_E_NO_CREDENTIALS,
                 "no credentials for Azure; tried key, SAS and token: not set; client secret: "
                 "azure_client_secret is not set; client certificate: "
                 "azure_client_certificate_path is not set; workload identity: "
                 "azure_federated_token_file is not set; managed identity: no token from "
                 "http://169.254.169.254: no connection within 1 s; az command: it is not in the "
                 "PATH",
                 "azure_storage_account_key");
    end();
}

int main(void)
{
    RUN(test_secret__is_posted_to_the_authority);
    RUN(test_token__is_renewed_ahead_of_its_end);
    RUN(test_secret__refused_says_why_in_the_authoritys_words);
    RUN(test_authority__that_is_none_is_named_as_such);
    RUN(test_authority__that_stumbles_is_asked_three_times);
    RUN(test_half_a_login_is_refused_at_once);
    RUN(test_workload__sends_the_files_token_and_reads_it_anew);
    RUN(test_machine__is_asked_directly_and_for_a_second);
    RUN(test_machine__that_is_being_updated_gets_its_time);
    RUN(test_machine__of_another_cloud_costs_little);
    RUN(test_machine__that_cut_the_connection_is_there);
    RUN(test_machine__of_azures_may_take_its_time);
    RUN(test_app_service__has_an_endpoint_and_a_header);
    RUN(test_arc__proves_itself_by_the_file_that_the_agent_names);
    RUN(test_arc__reads_no_other_file);
    RUN(test_cli__gives_its_token_until_the_time_it_says);
    RUN(test_cli__that_fails_says_how);
    RUN(test_chain__begins_with_the_machine_each_time);
    RUN(test_nothing__tries_the_machine_last_and_names_all);
    return test_end();
}
