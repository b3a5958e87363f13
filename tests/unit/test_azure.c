/* Azure: settings that name a place and a credential, and names of metadata. */
#include "provider/azure.h"
#include "test.h"

static struct pl_azure *open_with(const char *const (*settings)[2], size_t n, struct pl_settings *s,
                                  struct pail_error **err)
{
    struct pl_provider_env env = {.settings = s};
    struct pl_dialect *d = NULL;
    for (size_t i = 0; i < n; i++) {
        CHECK_INT(pl_settings_set(s, settings[i][0], settings[i][1], "test", err), PAIL_OK);
    }
    return pl_azure_dialect_new(&env, &d, err) ? NULL : (struct pl_azure *)d;
}

static void expect_place(const char *const (*settings)[2], size_t n, const char *host,
                         const char *path, const char *account, enum pl_azure_auth auth)
{
    struct pl_settings s = {0};
    struct pail_error *err = NULL;
    struct pl_azure *az = open_with(settings, n, &s, &err);
    CHECK(az != NULL);
    if (az) {
        CHECK_STR(az->host, host);
        CHECK_STR(az->base_path, path);
        CHECK_STR(az->account, account);
        CHECK_INT(az->auth, auth);
        az->dialect.ops->free(&az->dialect);
    }
    pail_error_free(err);
    pl_settings_dispose(&s);
}

static void test_azure__account_names_the_host(void)
{
    static const char *const of_account[][2] = {{"account_name", "acct"}};
    static const char *const china[][2] = {{"azure_storage_account", "acct"},
                                           {"azure_endpoint_suffix", "core.chinacloudapi.cn"},
                                           {"azure_storage_token", "t"}};
    static const char *const host[][2] = {{"azure_endpoint", "https://Acct.blob.core.windows.net/"},
                                          {"azure_skip_signature", "1"}};
    expect_place(of_account, 1, "acct.blob.core.windows.net", "", "acct", PL_AZURE_LOGIN);
    expect_place(china, 3, "acct.blob.core.chinacloudapi.cn", "", "acct", PL_AZURE_BEARER);
    expect_place(host, 2, "acct.blob.core.windows.net", "", "Acct", PL_AZURE_ANONYMOUS);
}

static void test_azure__emulator_has_the_account_in_the_path(void)
{
    static const char *const flag[][2] = {{"azure_storage_use_emulator", "true"}};
    static const char *const string[][2] = {{"connection_string", "UseDevelopmentStorage=true"}};
    static const char *const path[][2] = {{"azure_endpoint", "http://127.0.0.1:1/other"}};
    expect_place(flag, 1, "127.0.0.1", "/devstoreaccount1", "devstoreaccount1", PL_AZURE_KEY);
    expect_place(string, 1, "127.0.0.1", "/devstoreaccount1", "devstoreaccount1", PL_AZURE_KEY);
    expect_place(path, 1, "127.0.0.1", "/other", "other", PL_AZURE_NONE);
}

static void test_azure__token_of_the_machine_is_for_azure_alone(void)
{
    static const char *const own[] = {"https://acct.blob.core.windows.net",
                                      "https://ACCT.BLOB.CORE.USGOVCLOUDAPI.NET",
                                      "https://acct.z01.blob.storage.azure.net"};
    static const char *const others[] = {"https://store.example/acct", "https://127.0.0.1:1/acct",
                                         "https://acct.blob.core.windows.net.example/acct",
                                         "https://acct-blob.core.windows.net/acct",
                                         "http://acct.blob.core.windows.net"};
    for (size_t i = 0; i < 3 + 5; i++) {
        const char *host = i < 3 ? own[i] : others[i - 3];
        struct pl_settings s = {0};
        const char *const plain[][2] = {{"azure_endpoint", host}};
        const char *const named[][2] = {{"azure_endpoint", host}, {"azure_use_azure_cli", "true"}};
        struct pl_azure *az = open_with(plain, 1, &s, NULL);
        CHECK_INT(az->auth, i < 3 ? PL_AZURE_LOGIN : PL_AZURE_NONE);
        az->dialect.ops->free(&az->dialect);
        pl_settings_dispose(&s);
        s = (struct pl_settings){0};
        az = open_with(named, 2, &s, NULL);
        CHECK_INT(az->auth, PL_AZURE_LOGIN);
        az->dialect.ops->free(&az->dialect);
        pl_settings_dispose(&s);
    }
}

static void test_azure__connection_string_fills_what_is_not_given(void)
{
    static const char *const key[][2] = {
        {"azure_storage_connection_string",
         "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=AAAA;EndpointSuffix=x.net"}};
    static const char *const sas[][2] = {
        {"azure_storage_connection_string",
         "BlobEndpoint=https://acct.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=a%3D"}};
    static const char *const both[][2] = {{"azure_storage_account_name", "mine"},
                                          {"connection_string", "AccountName=acct"}};
    expect_place(key, 1, "acct.blob.x.net", "", "acct", PL_AZURE_KEY);
    expect_place(sas, 1, "acct.blob.core.windows.net", "", "acct", PL_AZURE_SAS);
    expect_place(both, 2, "mine.blob.core.windows.net", "", "mine", PL_AZURE_LOGIN);
}

/* A key that is given stands before a login; the machine is not asked where nobody said so. */
static void test_azure__login_is_what_is_left(void)
{
    static const char *const names[] = {"azure_storage_account_name", "azure_client_id"};
    for (int with_id = 0; with_id < 2; with_id++) {
        struct pl_settings s = {0};
        struct pl_provider_env env = {.settings = &s, .ignore_environment = true};
        struct pl_dialect *d = NULL;
        for (int i = 0; i <= with_id; i++) {
            CHECK_INT(pl_settings_set(&s, names[i], "acct", "test", NULL), PAIL_OK);
        }
        CHECK_INT(pl_azure_dialect_new(&env, &d, NULL), PAIL_OK);
        CHECK_INT(((struct pl_azure *)d)->auth, with_id ? PL_AZURE_LOGIN : PL_AZURE_NONE);
        d->ops->free(d);
        pl_settings_dispose(&s);
    }
    static const char *const key[][2] = {{"azure_storage_account_name", "acct"},
                                         {"azure_storage_account_key", "AAAA"},
                                         {"azure_client_id", "app"}};
    expect_place(key, 3, "acct.blob.core.windows.net", "", "acct", PL_AZURE_KEY);
}

/* SPEC "Get User Delegation Key", sample answer. */
#define DELEGATION                                                                                 \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?><UserDelegationKey><SignedOid>OID</SignedOid>"      \
    "<SignedTid>TID</SignedTid><SignedStart>2023-11-14T21:58:20Z</SignedStart>"                    \
    "<SignedExpiry>2023-11-21T21:58:20Z</SignedExpiry><SignedService>b</SignedService>"            \
    "<SignedVersion>2023-11-03</SignedVersion><Value>AAAA</Value></UserDelegationKey>"

static enum pl_errand_step fetch_delegation(struct pl_dialect *d, struct pl_op *op, int status,
                                            const char *body, struct pail_error **err)
{
    static const int64_t at = INT64_C(1700000000000);
    struct pl_need need = {0};
    struct pl_http_request r = {0};
    struct pl_http_response answer = {.status = status, .body = PL_BUF_MAX(1 << 16)};
    d->ops->need(d, op, at, &need);
    CHECK(need.what && need.now);
    struct pl_errand *e = d->ops->errand(d, op, need.what, err);
    CHECK_INT(e->next(e, at, NULL, &r, err), PL_ERRAND_SEND);
    CHECK_STR(r.method, "POST");
    CHECK_STR(r.target, "/?restype=service&comp=userdelegationkey");
    CHECK_STR(r.text.ptr, "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo><Start>"
                          "2023-11-14T21:58:20Z</Start><Expiry>2023-11-21T21:58:20Z</Expiry>"
                          "</KeyInfo>");
    pl_http_request_dispose(&r);
    pl_buf_puts(&answer.body, body);
    enum pl_errand_step step = e->next(e, at, &answer, &r, err);
    e->free(e);
    pl_http_request_dispose(&r);
    pl_http_response_dispose(&answer);
    return step;
}

static void test_azure__delegation_key_is_fetched_once_for_many_urls(void)
{
    static const char *const settings[][2] = {{"account_name", "acct"},
                                              {"azure_storage_token", "SECRET"}};
    static const char *const bad[] = {"", "<a/>", "<a><Value>AAAA</Value></a>", "SECRET"};
    struct pl_settings s = {0};
    struct pail_error *err = NULL;
    struct pl_azure *az = open_with(settings, 2, &s, &err);
    struct pl_op op = {.kind = PL_OP_PRESIGN, .bucket = "con", .key = "k"};
    struct pl_attempt a = {.now_ms = INT64_C(1700000000000)};
    struct pl_need need = {0};
    pthread_mutex_init(&az->dialect.lock, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_INT(fetch_delegation(&az->dialect, &op, 200, bad[i], &err), PL_ERRAND_FAIL);
        CHECK_INT(pail_error_code(err), PAIL_E_PROTOCOL);
        CHECK(!strstr(pail_error_message(err), "SECRET"));
        pail_error_free(err);
        err = NULL;
    }
    CHECK_INT(fetch_delegation(&az->dialect, &op, 403, "", &err), PL_ERRAND_FAIL);
    CHECK_INT(pail_error_code(err), PAIL_E_FORBIDDEN);
    CHECK(strstr(pail_error_hint(err), "Storage Blob Delegator"));
    pail_error_free(err);
    err = NULL;
    CHECK_INT(fetch_delegation(&az->dialect, &op, 200, DELEGATION, &err), PL_ERRAND_DONE);
    az->dialect.ops->need(&az->dialect, &op, a.now_ms + 3600 * 1000, &need);
    CHECK_INT(need.what, 0);
    CHECK_INT(az->dialect.ops->presign(&az->dialect, &op, &a, &err), PAIL_OK);
    CHECK(strstr(op.out.presigned.url, "&skoid=OID&sktid=TID&skt=2023-11-14T21%3A58%3A20Z&"
                                       "ske=2023-11-21T21%3A58%3A20Z&sks=b&skv=2023-11-03&sig="));
    op.in.presign.expires_s = 7 * 24 * 3600; /* as long as it can, not longer */
    az->dialect.ops->need(&az->dialect, &op, a.now_ms, &need);
    CHECK_INT(need.what, 0);
    CHECK_INT(az->dialect.ops->presign(&az->dialect, &op, &a, &err), PAIL_OK);
    CHECK_INT(op.out.presigned.expires_ms, INT64_C(1700603900000));
    az->dialect.ops->need(&az->dialect, &op, a.now_ms + 3600 * 1000, &need);
    CHECK(need.what && need.now);
    pl_arena_dispose(&op.arena);
    pthread_mutex_destroy(&az->dialect.lock);
    az->dialect.ops->free(&az->dialect);
    pl_settings_dispose(&s);
    pail_error_free(err);
}

/* SPEC "Blob Batch", its sample answer, made shorter. */
#define CALL(id, rest)                                                                             \
    "--batchresponse_66925647\r\nContent-Type: application/http\r\nContent-ID: " id "\r\n\r\n"     \
    "HTTP/1.1 " rest "\r\n\r\n"
#define BATCH_END "--batchresponse_66925647--"

static enum pl_next read_batch(struct pl_op *op, const char *body, struct pail_error **err)
{
    static const char *const settings[][2] = {{"account_name", "acct"},
                                              {"azure_skip_signature", "1"}};
    struct pl_settings s = {0};
    struct pl_azure *az = open_with(settings, 2, &s, err);
    struct pl_header type = {PL_STR("content-type"),
                             PL_STR("multipart/mixed; boundary=batchresponse_66925647")};
    struct pl_http_response r = {
        .status = 202, .headers = &type, .header_count = 1, .body = PL_BUF_MAX(1 << 16)};
    struct pl_attempt a = {.number = 1};
    struct pl_verdict v = {0};
    pthread_mutex_init(&az->dialect.lock, NULL);
    pl_buf_puts(&r.body, body);
    az->dialect.ops->parse(&az->dialect, op, &a, &r, &v, err);
    pl_buf_dispose(&r.body);
    pthread_mutex_destroy(&az->dialect.lock);
    az->dialect.ops->free(&az->dialect);
    pl_settings_dispose(&s);
    return v.next;
}

static void test_azure__batch_tells_of_each_name(void)
{
    static const struct pl_name names[] = {{.key = "a"}, {.key = "b"}, {.key = "c"}};
    struct pl_op op = {.kind = PL_OP_DELETE_MANY, .bucket = "con"};
    struct pail_error *err = NULL;
    op.in.delete_many.names = names;
    op.in.delete_many.count = 3;
    CHECK_INT(read_batch(&op,
                         CALL("1", "403 Forbidden\r\nx-ms-error-code: AuthorizationFailure")
                             CALL("0", "202 Accepted\r\nx-ms-version: 2018-11-09") CALL(
                                 "2", "404 Not Found\r\nx-ms-error-code: BlobNotFound") BATCH_END,
                         &err),
              PL_NEXT_DONE);
    CHECK_INT(op.out.error_count, 3);
    CHECK(!op.out.errors[0] && op.out.errors[1] && !op.out.errors[2]);
    CHECK_INT(pail_error_code(op.out.errors[1]), PAIL_E_FORBIDDEN);
    CHECK_INT(read_batch(&op, CALL("0", "202 Accepted") BATCH_END, &err), PL_NEXT_RETRY);
    CHECK_INT(pail_error_code(err), PAIL_E_PROTOCOL);
    pail_error_free(err);
    err = NULL;
    CHECK_INT(read_batch(&op,
                         CALL("0", "202 Accepted") CALL("1", "503 Busy") CALL("2", "202 Accepted")
                             BATCH_END,
                         &err),
              PL_NEXT_THROTTLED);
    for (size_t i = 0; i < op.out.error_count; i++) {
        pail_error_free(op.out.errors[i]);
    }
    pail_error_free(err);
    pl_arena_dispose(&op.arena);
}

static void expect_refused(const char *name, const char *value)
{
    const char *const settings[][2] = {{name, value}};
    struct pl_settings s = {0};
    struct pail_error *err = NULL;
    CHECK(open_with(settings, 1, &s, &err) == NULL);
    CHECK_INT(pail_error_code(err), PAIL_E_BAD_CONFIG);
    CHECK(!strstr(pail_error_message(err), "SECRET"));
    pail_error_free(err);
    pl_settings_dispose(&s);
}

static void test_azure__what_makes_no_sense_is_refused(void)
{
    expect_refused("azure_storage_token", "SECRET"); /* no account */
    expect_refused("azure_storage_account_name", "Not/An.Account");
    expect_refused("azure_storage_connection_string", "SECRET");
    expect_refused("azure_endpoint", "ftp://host");
}

static void test_azure__metadata_names_go_and_come_back(void)
{
    static const char *const names[][2] = {{"plain_1", "plain_1"}, {"a-b", "a_x002d_b"},
                                           {"9th", "_x0039_th"},   {"_x002d_", "_x005f_x002d_"},
                                           {"a.b", "a_x002e_b"},   {"_x", "_x"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct pl_buf wire = PL_BUF_MAX(256);
        char back[64];
        pl_azure_metadata_name(&wire, pl_str_c(names[i][0]));
        CHECK_STR(wire.ptr, names[i][1]);
        snprintf(back, sizeof back, "%s", wire.ptr);
        pl_azure_metadata_name_decode(back);
        CHECK_STR(back, names[i][0]);
        pl_buf_dispose(&wire);
    }
}

int main(void)
{
    RUN(test_azure__account_names_the_host);
    RUN(test_azure__emulator_has_the_account_in_the_path);
    RUN(test_azure__token_of_the_machine_is_for_azure_alone);
    RUN(test_azure__connection_string_fills_what_is_not_given);
    RUN(test_azure__login_is_what_is_left);
    RUN(test_azure__delegation_key_is_fetched_once_for_many_urls);
    RUN(test_azure__batch_tells_of_each_name);
    RUN(test_azure__what_makes_no_sense_is_refused);
    RUN(test_azure__metadata_names_go_and_come_back);
    return test_end();
}
