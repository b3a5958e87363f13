/* Google: URLs that IAM signs are asked for once, and whose answer is looked at; what the end of an
 * upload in parts costs. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/sys.h"
#include "codec/base64.h"
#include "cred/gcs_auth.h"
#include "provider/gcs.h"
#include "test.h"

static struct pl_gcs *open_with(struct pl_settings *s)
{
    static const char *const settings[][2] = {
        {"google_token", "given"}, {"google_impersonate_service_account", "t@p.example"}};
    struct pl_provider_env env = {.settings = s, .ignore_environment = true};
    struct pl_dialect *d = NULL;
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(pl_settings_set(s, settings[i][0], settings[i][1], "test", NULL), PAIL_OK);
    }
    CHECK_INT(pl_gcs_dialect_new(&env, &d, NULL), PAIL_OK);
    CHECK_INT(pthread_mutex_init(&d->lock, NULL), 0);
    return (struct pl_gcs *)d;
}

static void close_it(struct pl_gcs *gcs, struct pl_settings *s)
{
    pthread_mutex_destroy(&gcs->dialect.lock);
    gcs->dialect.ops->free(&gcs->dialect);
    pl_settings_dispose(s);
}

/* One errand of one exchange with this answer; the path that was asked goes to room. */
static enum pl_errand_step run(struct pl_gcs *gcs, const struct pl_op *op, uint64_t what,
                               int64_t now_ms, int status, const char *body, char room[256])
{
    struct pl_dialect *d = &gcs->dialect;
    struct pail_error *err = NULL;
    struct pl_http_request request = {0}, none = {0};
    struct pl_http_response answer = {.status = status, .body = PL_BUF_MAX(4096)};
    struct pl_errand *e = d->ops->errand(d, op, what, &err);
    CHECK(e != NULL);
    CHECK_INT(e->next(e, now_ms, NULL, &request, &err), PL_ERRAND_SEND);
    snprintf(room, 256, "%s", request.target ? request.target : "");
    pl_buf_puts(&answer.body, body);
    enum pl_errand_step step = e->next(e, now_ms, &answer, &none, &err);
    e->free(e);
    pl_http_request_dispose(&request);
    pl_http_request_dispose(&none);
    pl_http_response_dispose(&answer);
    pail_error_free(err);
    return step;
}

static struct pl_need need_of(struct pl_gcs *gcs, const struct pl_op *op, int64_t now_ms)
{
    struct pl_need need = {0};
    gcs->dialect.ops->need(&gcs->dialect, op, now_ms, &need);
    return need;
}

static void fetch_token(struct pl_gcs *gcs, const struct pl_op *op, int64_t now_ms)
{
    char target[256];
    struct pl_need need = need_of(gcs, op, now_ms);
    CHECK(need.what && need.now);
    CHECK_INT(run(gcs, op, need.what, now_ms, 200,
                  "{\"accessToken\":\"ya29.x\",\"expireTime\":\"2286-11-20T17:46:40Z\"}", target),
              PL_ERRAND_DONE);
    CHECK_STR(target, "/v1/projects/-/serviceAccounts/t@p.example:generateAccessToken");
}

static void signed_answer(char room[512])
{
    char raw[256];
    struct pl_buf text = PL_BUF_MAX(512);
    memset(raw, 7, sizeof raw);
    pl_base64_encode(&text, raw, sizeof raw);
    snprintf(room, 512, "{\"signedBlob\":\"%s\"}", text.ptr);
    pl_buf_dispose(&text);
}

static void test_gcs_sign__the_same_wish_asks_once(void)
{
    struct pl_settings s = {0};
    struct pl_gcs *gcs = open_with(&s);
    struct pl_op op = {.kind = PL_OP_PRESIGN, .bucket = "b", .key = "k"}, other = op;
    const int64_t now = INT64_C(1700000000000);
    char answer[512], target[256];
    signed_answer(answer);
    other.key = "k2";
    fetch_token(gcs, &op, now);
    struct pl_need need = need_of(gcs, &op, now), twin = need_of(gcs, &op, now + 5000);
    CHECK(need.what && need.now && need.what == twin.what);
    CHECK(need_of(gcs, &other, now).what != need.what);
    CHECK_INT(run(gcs, &op, need.what, now, 200, answer, target), PL_ERRAND_DONE);
    CHECK_STR(target, "/v1/projects/-/serviceAccounts/t@p.example:signBlob");
    CHECK_INT(need_of(gcs, &op, now).what, 0);
    CHECK_INT(need_of(gcs, &op, now + 59000).what, 0);
    CHECK(need_of(gcs, &op, now + 61000).what != 0);
    CHECK(need_of(gcs, &other, now).what != 0);
    struct pl_attempt a = {.now_ms = now + 59000};
    CHECK_INT(gcs->dialect.ops->presign(&gcs->dialect, &op, &a, NULL), PAIL_OK);
    CHECK(op.out.presigned.url && strstr(op.out.presigned.url, "GOOG4-RSA-SHA256"));
    CHECK(op.out.presigned.url && strstr(op.out.presigned.url, "Signature=0707"));
    CHECK_INT(op.out.presigned.expires_ms, now + INT64_C(3600000)); /* of the one that was made */
    pl_op_dispose(&op);
    close_it(gcs, &s);
}

static void test_gcs_sign__what_is_no_signature_is_refused(void)
{
    static const char *const bad[] = {"",
                                      "<html>",
                                      "{}",
                                      "{\"signedBlob\":7}",
                                      "{\"signedBlob\":\"QUJD\"}",
                                      "{\"signedBlob\":\"?\"}"};
    struct pl_settings s = {0};
    struct pl_gcs *gcs = open_with(&s);
    struct pl_op op = {.kind = PL_OP_PRESIGN, .bucket = "b", .key = "k"};
    const int64_t now = INT64_C(1700000000000);
    char answer[512], target[256];
    signed_answer(answer);
    fetch_token(gcs, &op, now);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_INT(run(gcs, &op, need_of(gcs, &op, now).what, now, 200, bad[i], target),
                  PL_ERRAND_FAIL);
    }
    CHECK_INT(run(gcs, &op, need_of(gcs, &op, now).what, now, 403, answer, target), PL_ERRAND_FAIL);
    CHECK(need_of(gcs, &op, now).what != 0);
    close_it(gcs, &s);
}

static void test_gcs__bucket_names_that_the_service_forbids(void)
{
    static const char *const bad[] = {"ab",      "UPPER", "-a1", "a1-",      "a..b",
                                      "1.2.3.4", "a/b",   "a b", "b\xc3\xbc"};
    static const char *const good[] = {"abc", "a_b",           "a.example.com", "1.2.3",
                                       "0-0", "dl.google.com", "goog-x"};
    struct pl_settings s = {0};
    struct pl_gcs *gcs = open_with(&s);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pail_error *err = NULL;
        CHECK_INT(gcs->dialect.ops->check_bucket(&gcs->dialect, bad[i], &err),
                  PAIL_E_BAD_BUCKET_NAME);
        pail_error_free(err);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK_INT(gcs->dialect.ops->check_bucket(&gcs->dialect, good[i], NULL), PAIL_OK);
    }
    close_it(gcs, &s);
}

/* Begins an upload by session under this condition, then builds its end under another. */
static pail_code finish_under(struct pl_gcs *gcs, const char *begun, const char *ended)
{
    const struct pl_dialect_ops *ops = gcs->dialect.ops;
    struct pl_header location = {
        PL_STR("location"),
        PL_STR("https://storage.googleapis.com/upload/storage/v1/b/b/o?upload_id=u")};
    struct pl_http_response r = {
        .status = 200, .head_done = true, .headers = &location, .header_count = 1};
    struct pl_op op = {
        .kind = PL_OP_MP_BEGIN, .bucket = "b", .key = "k", .cond = {.if_none_match = begun}};
    struct pl_attempt a = {.number = 1}, b = a;
    struct pl_http_request first = {0}, last = {0};
    struct pl_verdict verdict = {0};
    CHECK_INT(ops->build(&gcs->dialect, &op, &a, &first, NULL), PAIL_OK);
    ops->parse(&gcs->dialect, &op, &a, &r, &verdict, NULL);
    CHECK_INT(verdict.next, PL_NEXT_DONE);
    struct pl_op end = {.kind = PL_OP_MP_FINISH,
                        .bucket = "b",
                        .key = "k",
                        .cond = {.if_none_match = ended},
                        .in.mp.upload_id = op.out.upload_id};
    pail_code rc = ops->build(&gcs->dialect, &end, &b, &last, NULL);
    pl_http_request_dispose(&first);
    pl_http_request_dispose(&last);
    pl_op_dispose(&end);
    pl_op_dispose(&op);
    return rc;
}

static void test_gcs_session__takes_no_other_condition_at_its_end(void)
{
    struct pl_settings s = {0};
    struct pl_gcs *gcs = open_with(&s);
    struct pl_op any = {.kind = PL_OP_STAT, .bucket = "b", .key = "k"};
    fetch_token(gcs, &any, INT64_C(1700000000000));
    gcs->by_session = true;
    CHECK_INT(finish_under(gcs, NULL, "*"), PAIL_E_UNSUPPORTED);
    CHECK_INT(finish_under(gcs, "17", "*"), PAIL_E_UNSUPPORTED);
    CHECK_INT(finish_under(gcs, "*", "*"), PAIL_OK);
    CHECK_INT(finish_under(gcs, "*", NULL), PAIL_OK); /* it holds already */
    CHECK_INT(finish_under(gcs, NULL, NULL), PAIL_OK);
    close_it(gcs, &s);
}

/* How many requests end an upload of so many parts. */
static size_t cost_of_finish(struct pl_gcs *gcs, const struct pl_part *parts, size_t count)
{
    const struct pl_dialect_ops *ops = gcs->dialect.ops;
    struct pl_op begin = {.kind = PL_OP_MP_BEGIN, .bucket = "b", .key = "k"};
    struct pl_attempt first = {.number = 1}, a = {0};
    struct pl_http_request none = {0};
    CHECK_INT(ops->build(&gcs->dialect, &begin, &first, &none, NULL), PAIL_OK);
    CHECK(!none.method);
    struct pl_op op = {.kind = PL_OP_MP_FINISH,
                       .bucket = "b",
                       .key = "k",
                       .in.mp = {.upload_id = begin.out.upload_id, .parts = parts, .count = count}};
    struct pl_verdict v = {.next = PL_NEXT_MORE};
    while (v.next == PL_NEXT_MORE && a.number <= (int)count) {
        struct pl_http_request r = {0};
        struct pl_http_response answer = {.status = 200, .body = PL_BUF_MAX(4096)};
        a.number++;
        pl_buf_puts(&answer.body, "{\"name\":\"n\",\"generation\":\"9\",\"size\":\"1\"}");
        CHECK_INT(ops->build(&gcs->dialect, &op, &a, &r, NULL), PAIL_OK);
        ops->parse(&gcs->dialect, &op, &a, &answer, &v, NULL);
        pl_http_request_dispose(&r);
        pl_http_response_dispose(&answer);
    }
    CHECK_INT(v.next, PL_NEXT_DONE);
    pl_http_request_dispose(&none);
    pl_op_dispose(&op);
    pl_op_dispose(&begin);
    return (size_t)a.number;
}

/* "N-part upload ... by compose N + ceil(N/31) + ceil(N/100)", for each N about which a step or a
 * batch more begins. */
static void test_gcs_compose__costs_no_more_than_its_formula(void)
{
    static struct pl_part parts[PL_GCS_PARTS_MAX];
    struct pl_settings s = {0};
    struct pl_gcs *gcs = open_with(&s);
    struct pl_op any = {.kind = PL_OP_STAT, .bucket = "b", .key = "k"};
    fetch_token(gcs, &any, INT64_C(1700000000000));
    for (size_t i = 0; i < PL_GCS_PARTS_MAX; i++) {
        parts[i] = (struct pl_part){.number = (uint32_t)i + 1, .etag = "1700000000000001"};
    }
    for (size_t n = 2; n <= PL_GCS_PARTS_MAX; n++) {
        bool near = n % 31 < 3 || n % 100 < 2;
        if (n < 300 || (near && n < 1200) || n > PL_GCS_PARTS_MAX - 3) {
            size_t most = (n + 30) / 31 + (n + 99) / 100, cost = cost_of_finish(gcs, parts, n);
            CHECK(cost <= most && cost + 1 >= most);
        }
    }
    close_it(gcs, &s);
}

/* ---- the metadata server */

static struct pl_gcs_auth *machine;
static struct pl_errand *errand;
static struct pl_http_request request;
static struct pail_error *error;
static int (*real_open)(int dir, const char *path, int flags, mode_t mode);
static const char *product; /* a file of this text is the machine's name; NULL: there is none */
static char product_path[32];

static int open_product(int dir, const char *path, int flags, mode_t mode)
{
    if (strcmp(path, "/sys/class/dmi/id/product_name") != 0) {
        return real_open(dir, path, flags, mode);
    }
    errno = ENOENT;
    return product ? real_open(dir, product_path, flags, mode) : -1;
}

static enum pl_errand_step answer(int status, enum pl_http_fail fail, int sends, const char *body)
{
    struct pl_header flavour = {PL_STR("Metadata-Flavor"), PL_STR("Google")};
    struct pl_http_response r = {.status = status,
                                 .fail = fail,
                                 .sends = sends,
                                 .headers = &flavour,
                                 .header_count = 1,
                                 .body = PL_BUF_MAX(4096)};
    pl_buf_puts(&r.body, body);
    pl_http_request_dispose(&request);
    memset(&request, 0, sizeof request);
    errand->timeout_ms = errand->wait_ms = 0;
    enum pl_errand_step step = errand->next(errand, 1000, &r, &request, &error);
    pl_buf_dispose(&r.body);
    return step;
}

/* The errand has asked. */
static void ask_machine(const char *name)
{
    struct pl_settings s = {0};
    real_open = pl_sys.open;
    product = name;
    if (name) {
        snprintf(product_path, sizeof product_path, "/tmp/pail-gcs-XXXXXX");
        int fd = mkstemp(product_path);
        CHECK(fd >= 0 && write(fd, name, strlen(name)) == (ssize_t)strlen(name));
        close(fd);
    }
    pl_sys.open = open_product;
    CHECK_INT(pl_gcs_auth_new(&s, true, false, &machine, NULL), PAIL_OK);
    errand = pl_gcs_auth_errand(machine, NULL);
    CHECK_INT(errand->next(errand, 1000, NULL, &request, &error), PL_ERRAND_SEND);
    CHECK_STR(request.origin.host, "metadata.google.internal");
}
static void end_machine(void)
{
    errand->free(errand);
    pl_gcs_auth_free(machine);
    pl_http_request_dispose(&request);
    memset(&request, 0, sizeof request);
    pail_error_free(error);
    error = NULL;
    pl_sys.open = real_open;
    if (product) {
        remove(product_path);
    }
}

#define TOKEN "{\"access_token\":\"T\",\"expires_in\":3600}"

static void test_machine__one_that_is_not_there_costs_one_try(void)
{
    static const enum pl_http_fail none[] = {PL_HTTP_DNS, PL_HTTP_DEADLINE};
    for (int i = 0; i < 2; i++) {
        ask_machine(i ? "OpenStack Compute\n" : NULL);
        CHECK_INT(errand->timeout_ms, 1500);
        CHECK_INT(answer(0, none[i], 0, ""), PL_ERRAND_FAIL);
        CHECK_INT(pail_error_code(error), PAIL_E_NO_CREDENTIALS);
        end_machine();
    }
}

static void test_machine__one_that_is_there_may_take_its_time(void)
{
    ask_machine(NULL);
    CHECK_INT(answer(0, PL_HTTP_CONNECT, 0, ""), PL_ERRAND_SEND); /* not listening yet */
    uint32_t waited = errand->wait_ms;
    CHECK(waited > 0);
    CHECK_STR(request.target, "/computeMetadata/v1/instance/service-accounts/default/token");
    CHECK_INT(answer(0, PL_HTTP_DEADLINE, 1, ""), PL_ERRAND_SEND); /* took it, and said nothing */
    CHECK(errand->wait_ms > waited && errand->timeout_ms == 3000);
    CHECK_INT(answer(503, PL_HTTP_OK, 1, ""), PL_ERRAND_SEND);
    CHECK_INT(answer(0, PL_HTTP_BROKEN, 1, ""), PL_ERRAND_SEND);
    CHECK_INT(answer(200, PL_HTTP_OK, 1, TOKEN), PL_ERRAND_DONE);
    end_machine();
}

static void test_machine__of_googles_is_asked_again_whatever_failed(void)
{
    ask_machine("Google Compute Engine\n");
    CHECK_INT(errand->timeout_ms, 3000);
    CHECK_INT(answer(0, PL_HTTP_DEADLINE, 0, ""), PL_ERRAND_SEND);
    CHECK_INT(answer(0, PL_HTTP_DNS, 0, ""), PL_ERRAND_SEND);
    CHECK_INT(answer(200, PL_HTTP_OK, 1, TOKEN), PL_ERRAND_DONE);
    end_machine();
}

static void test_machine__is_not_asked_for_ever(void)
{
    int64_t waited = 0;
    int tries = 1;
    ask_machine(NULL);
    while (answer(503, PL_HTTP_OK, 1, "") == PL_ERRAND_SEND && tries < 20) {
        waited += errand->wait_ms;
        tries++;
    }
    CHECK_INT(tries, 5);
    CHECK_INT(waited, 3000);
    end_machine();
    tries = 1;
    waited = 0;
    ask_machine(NULL);
    while (answer(0, PL_HTTP_CONNECT, 0, "") == PL_ERRAND_SEND && tries < 20) {
        waited += errand->wait_ms;
        tries++;
    }
    CHECK(tries == 3 && waited < 1000); /* nobody listens: within 2 s that is said */
    end_machine();
    ask_machine("Google\n");
    CHECK_INT(answer(403, PL_HTTP_OK, 1, ""), PL_ERRAND_FAIL); /* that is an answer */
    end_machine();
}

int main(void)
{
    RUN(test_gcs_sign__the_same_wish_asks_once);
    RUN(test_gcs_sign__what_is_no_signature_is_refused);
    RUN(test_gcs__bucket_names_that_the_service_forbids);
    RUN(test_gcs_session__takes_no_other_condition_at_its_end);
    RUN(test_gcs_compose__costs_no_more_than_its_formula);
    RUN(test_machine__one_that_is_not_there_costs_one_try);
    RUN(test_machine__one_that_is_there_may_take_its_time);
    RUN(test_machine__of_googles_is_asked_again_whatever_failed);
    RUN(test_machine__is_not_asked_for_ever);
    return test_end();
}
