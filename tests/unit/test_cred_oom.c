/* Every allocation of the chain fails once: the answer is no_memory, nothing leaks, and the next
 * try works. */
#include "test.h"

#include "base/sys.h"
#include "cred/aws.h"
#include "cred/aws_chain.h"

static int left = -1; /* allocations until one fails; -1: never */
static const char *vars[8][2];
static struct pl_settings settings;
static struct pl_aws_chain *chain;

static void *failing(void *ptr, size_t size, void *ctx)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    if (left == 0) {
        return NULL;
    }
    left -= left > 0;
    return realloc(ptr, size);
}

static const char *fake_env(const char *name)
{
    for (int i = 0; i < 8 && vars[i][0]; i++) {
        if (strcmp(vars[i][0], name) == 0) {
            return vars[i][1];
        }
    }
    return NULL;
}

/* From nothing to keys with these answers, one for each request. */
static pail_code walk(const char *const *answers, struct pail_error **err)
{
    struct pl_http_response answer = {.status = 200, .body = {.max = 1 << 16}};
    enum pl_errand_step step = PL_ERRAND_FAIL;
    pail_code rc = pl_settings_from_env(&settings, "s3", err);
    rc = rc ? rc : pl_aws_profile_apply(&settings, err);
    rc = rc ? rc : pl_aws_chain_new(&settings, &chain, err);
    struct pl_errand *e = rc ? NULL : pl_aws_chain_errand(chain, err);
    for (int i = -1; e; i++) {
        struct pl_http_request r = {0};
        int before = left;
        left = -1;
        pl_buf_clear(&answer.body);
        pl_buf_puts(&answer.body, i < 0 ? "" : answers[i]);
        left = before;
        step = e->next(e, 0, i < 0 ? NULL : &answer, &r, err);
        pl_http_request_dispose(&r);
        if (step != PL_ERRAND_SEND) {
            e->free(e);
            e = NULL;
        }
    }
    pl_http_response_dispose(&answer);
    pl_aws_chain_free(chain);
    chain = NULL;
    pl_settings_dispose(&settings);
    return step == PL_ERRAND_DONE ? PAIL_OK : pail_error_code(*err);
}

static void torture(const char *const *answers)
{
    pl_sys.env = fake_env;
    for (int n = 0; n < 500; n++) {
        struct pail_error *err = NULL;
        left = n;
        pail_code rc = walk(answers, &err);
        left = -1;
        if (rc == PAIL_OK) {
            CHECK(err == NULL && n > 0);
            return;
        }
        CHECK_INT(rc, PAIL_E_NO_MEMORY);
        pail_error_free(err);
    }
    CHECK(left == 0); /* it never works */
}

static void test_oom__container(void)
{
    static const char *const answers[] = {
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Token\":\"T\","
        "\"Expiration\":\"1970-01-01T01:00:00Z\"}"};
    vars[0][0] = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    vars[0][1] = "http://127.0.0.1:1/x";
    vars[1][0] = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
    vars[1][1] = "token";
    torture(answers);
}

static void test_oom__instance(void)
{
    static const char *const answers[] = {
        "token", "role", "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Token\":\"T\"}"};
    vars[0][0] = NULL;
    torture(answers);
}

static void test_oom__roles(void)
{
    static const char *const answers[] = {
        "<A><AccessKeyId>R</AccessKeyId><SecretAccessKey>S</SecretAccessKey>"
        "<SessionToken>T</SessionToken><Expiration>1970-01-01T01:00:00Z</Expiration></A>"};
    char path[] = "/tmp/pail-oom-XXXXXX";
    int fd = mkstemp(path);
    const char *text = "[default]\nrole_arn = arn:x\nsource_profile = default\n"
                       "aws_access_key_id = A\naws_secret_access_key = S\n";
    CHECK(fd >= 0 && pl_sys_write_full(fd, text, strlen(text), 0) && pl_sys.close(fd) == 0);
    vars[0][0] = "AWS_CONFIG_FILE";
    vars[0][1] = path;
    vars[1][0] = NULL;
    torture(answers);
    CHECK(remove(path) == 0);
}

int main(void)
{
    const pail_allocator allocator = {failing, NULL};
    if (pail_set_allocator(&allocator)) {
        return 1;
    }
    RUN(test_oom__container);
    RUN(test_oom__instance);
    RUN(test_oom__roles);
    return test_end();
}
