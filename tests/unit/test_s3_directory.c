/* Directory buckets: when a session is asked for, and pages that come in no order. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "codec/date.h"
#include "provider/s3.h"
#include "test.h"

#define BUCKET "bkt--use1-az4--x-s3"
enum { NAMES = 500, MINUTE = 60000 };
static const int64_t START = INT64_C(1440936000000); /* 2015-08-30T12:00:00Z */

static struct pl_settings settings;
static struct pl_dialect *dialect;

static void begin(void)
{
    struct pl_provider_env env = {.settings = &settings, .ignore_environment = true};
    const char *const keys[] = {"aws_access_key_id", "aws_secret_access_key"};
    for (int i = 0; i < 2; i++) {
        CHECK_INT(pl_settings_set(&settings, keys[i], "x", "option", NULL), PAIL_OK);
    }
    CHECK_INT(pl_s3_dialect_new(&env, &dialect, NULL), PAIL_OK);
    pthread_mutex_init(&dialect->lock, NULL);
}

static void end(void)
{
    pthread_mutex_destroy(&dialect->lock);
    dialect->ops->free(dialect);
    pl_settings_dispose(&settings);
}

static struct pl_need need_of(const char *bucket, int64_t now_ms)
{
    struct pl_op op = {.kind = PL_OP_GET, .bucket = bucket, .key = "k"};
    struct pl_need need = {0};
    dialect->ops->need(dialect, &op, now_ms, &need);
    return need;
}

static void answer(struct pl_http_response *r, int status, const char *body)
{
    *r = (struct pl_http_response){.status = status, .body = PL_BUF_MAX(1 << 20)};
    pl_buf_puts(&r->body, body);
}

/* One CreateSession at now_ms that ends in `end_ms`, or the status of a refusal. */
static enum pl_errand_step fetch(const char *bucket, int64_t now_ms, int64_t end_ms, int status)
{
    struct pl_op op = {.kind = PL_OP_GET, .bucket = bucket, .key = "k"};
    struct pl_errand *e = dialect->ops->errand(dialect, &op, need_of(bucket, now_ms).what, NULL);
    struct pl_http_request ask = {0};
    struct pl_http_response r;
    char date[PL_DATE_ISO_SIZE], body[512];
    CHECK_INT(e->next(e, now_ms, NULL, &ask, NULL), PL_ERRAND_SEND);
    CHECK_STR(ask.target, "/?session");
    pl_http_request_dispose(&ask);
    snprintf(body, sizeof body,
             "<CreateSessionResult><Credentials><SessionToken>t</SessionToken><SecretAccessKey>s"
             "</SecretAccessKey><AccessKeyId>a</AccessKeyId><Expiration>%s</Expiration>"
             "</Credentials></CreateSessionResult>",
             pl_date_iso(end_ms, date));
    answer(&r, status, status == 200 ? body : "<Error><Code>AccessDenied</Code></Error>");
    enum pl_errand_step step = e->next(e, now_ms, &r, &ask, NULL);
    pl_http_request_dispose(&ask);
    pl_http_response_dispose(&r);
    e->free(e);
    return step;
}

static void test_session__is_renewed_ahead_of_its_end(void)
{
    begin();
    int64_t end_ms = START + 5 * MINUTE;
    struct pl_need need = need_of(BUCKET, START);
    CHECK(need.what && need.now);
    CHECK_INT(fetch(BUCKET, START, end_ms, 200), PL_ERRAND_DONE);
    CHECK_INT(need_of(BUCKET, START).what, 0);
    CHECK_INT(need_of(BUCKET, end_ms - 76000).what, 0);
    need = need_of(BUCKET, end_ms - 75000); /* a quarter ahead, beside the work */
    CHECK(need.what && !need.now);
    CHECK_INT(fetch(BUCKET, end_ms - 75000, 0, 403), PL_ERRAND_FAIL);
    CHECK_INT(need_of(BUCKET, end_ms - 70000).what, 0); /* not again at once */
    CHECK(need_of(BUCKET, end_ms - 65000).what && !need_of(BUCKET, end_ms - 65000).now);
    CHECK(need_of(BUCKET, end_ms).now);
    CHECK_INT(fetch(BUCKET, end_ms, end_ms + 5 * MINUTE, 200), PL_ERRAND_DONE);
    CHECK_INT(need_of(BUCKET, end_ms).what, 0);
    end();
}

static void test_session__is_of_one_bucket(void)
{
    begin();
    CHECK(need_of(BUCKET, START).what != need_of("b2--use1-az4--x-s3", START).what);
    CHECK_INT(need_of("plain", START).what, 0);
    for (int i = 0; i < PL_S3_SESSIONS_REMEMBERED + 5; i++) { /* the first are forgotten */
        char name[64];
        snprintf(name, sizeof name, "b%d--use1-az4--x-s3", i);
        CHECK_INT(fetch(name, START, START + MINUTE, 200), PL_ERRAND_DONE);
        CHECK_INT(need_of(name, START).what, 0);
    }
    CHECK(need_of("b0--use1-az4--x-s3", START).now);
    end();
}

static void test_session__that_was_refused_is_dropped_but_not_its_successor(void)
{
    begin();
    struct pl_s3 *s3 = (struct pl_s3 *)dialect;
    CHECK_INT(fetch(BUCKET, START, START + MINUTE, 200), PL_ERRAND_DONE);
    pl_s3_session_drop(s3, BUCKET, START + 2 * MINUTE);
    CHECK_INT(need_of(BUCKET, START).what, 0);
    pl_s3_session_drop(s3, BUCKET, START + MINUTE);
    CHECK(need_of(BUCKET, START).now);
    end();
}

static unsigned mixed(unsigned i)
{
    return i * 211u % NAMES; /* a permutation: 500 and 211 have no common factor */
}

/* One page of 7 names of the service's, by the token in the request. */
static void give_page(const struct pl_http_request *ask, struct pl_http_response *r)
{
    const char *at = strstr(ask->target, "continuation-token=");
    unsigned from = at ? (unsigned)strtoul(at + strlen("continuation-token="), NULL, 10) : 0;
    unsigned to = from + 7 < NAMES ? from + 7 : NAMES;
    answer(r, 200, "<ListBucketResult>");
    for (unsigned i = from; i < to; i++) {
        pl_buf_printf(&r->body, "<Contents><Key>k%03u</Key><Size>1</Size></Contents>", mixed(i));
    }
    pl_buf_printf(&r->body, "<IsTruncated>%s</IsTruncated>", to < NAMES ? "true" : "false");
    if (to < NAMES) {
        pl_buf_printf(&r->body, "<NextContinuationToken>%u</NextContinuationToken>", to);
    }
    pl_buf_puts(&r->body, "</ListBucketResult>");
}

/* One page of ours; the token to go on with, or NULL. */
static char *list_page(uint32_t max, const char *token, unsigned *next)
{
    struct pl_op op = {.kind = PL_OP_LIST, .bucket = BUCKET};
    struct pl_attempt a = {.now_ms = START};
    struct pl_verdict v = {.next = PL_NEXT_MORE};
    op.in.list.max = max;
    op.in.list.token = token;
    while (v.next == PL_NEXT_MORE) {
        struct pl_http_request ask = {0};
        struct pl_http_response r;
        CHECK_INT(dialect->ops->build(dialect, &op, &a, &ask, NULL), PAIL_OK);
        give_page(&ask, &r);
        dialect->ops->parse(dialect, &op, &a, &r, &v, NULL);
        pl_http_response_dispose(&r);
        pl_http_request_dispose(&ask);
    }
    CHECK_INT(v.next, PL_NEXT_DONE);
    CHECK(!max || op.out.item_count <= max);
    for (size_t i = 0; i < op.out.item_count; i++) {
        char want[8];
        snprintf(want, sizeof want, "k%03u", (*next)++ % 1000u);
        CHECK_STR(op.out.items[i].key, want);
    }
    char *on = op.out.next_token ? strdup(op.out.next_token) : NULL;
    pl_op_dispose(&op);
    return on;
}

static void test_list__of_any_length_is_complete_and_in_order(void)
{
    static const uint32_t lengths[] = {0, 1000, 500, 499, 100, 33};
    begin();
    CHECK_INT(fetch(BUCKET, START, START + MINUTE, 200), PL_ERRAND_DONE);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        unsigned next = 0;
        char *token = list_page(lengths[i], NULL, &next);
        while (token) {
            char *on = list_page(lengths[i], token, &next);
            free(token);
            token = on;
        }
        CHECK_INT(next, NAMES);
    }
    end();
}

int main(void)
{
    RUN(test_session__is_renewed_ahead_of_its_end);
    RUN(test_session__is_of_one_bucket);
    RUN(test_session__that_was_refused_is_dropped_but_not_its_successor);
    RUN(test_list__of_any_length_is_complete_and_in_order);
    return test_end();
}
