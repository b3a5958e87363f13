#include "contract.h"

#include <poll.h>

struct outcome {
    int calls;
    pail_code code;
    uint64_t size;
};

static void note(pail_op *op, pail_code code, const pail_info *info, const pail_error *e, void *ctx)
{
    struct outcome *o = ctx;
    (void)op;
    (void)e;
    o->calls++;
    o->code = code;
    o->size = info ? info->size : 0;
}

static void dispatch_all(pail_queue *q, struct outcome *outcomes, size_t n)
{
    for (int rounds = 0; rounds < 10000; rounds++) {
        size_t done = 0;
        for (size_t i = 0; i < n; i++) {
            done += outcomes[i].calls > 0;
        }
        if (done == n) {
            return;
        }
        struct pollfd fd = {.fd = pail_queue_fd(q), .events = POLLIN};
        (void)poll(&fd, 1, 1000);
        (void)pail_queue_dispatch(q, 0);
    }
}

static void test_queue__many_operations_complete_once_each(void)
{
    enum { N = 24 };
    pail_queue *q = pail_queue_new();
    struct outcome puts[N] = {{0}}, gets[N] = {{0}};
    char keys[N][8], bufs[N][16];
    pail_body bodies[N];
    REQUIRE(q != NULL);
    for (int i = 0; i < N; i++) {
        snprintf(keys[i], sizeof keys[i], "k%02d", i);
        bodies[i] = (pail_body){.kind = PAIL_BODY_BUF, .buf = keys[i], .len = 3};
        pail_request r = {.size = sizeof r,
                          .verb = PAIL_PUT,
                          .bucket = bucket,
                          .key = keys[i],
                          .body = &bodies[i]};
        CODE(pail_submit(q, &r, note, &puts[i], NULL, &err), PAIL_OK);
        CHECK_INT(puts[i].calls, 0);
    }
    dispatch_all(q, puts, N);
    for (int i = 0; i < N; i++) {
        bodies[i] = (pail_body){.kind = PAIL_BODY_BUF, .buf = bufs[i], .len = 16};
        pail_request r = {.size = sizeof r,
                          .verb = PAIL_GET,
                          .bucket = bucket,
                          .key = keys[i],
                          .body = &bodies[i]};
        CODE(pail_submit(q, &r, note, &gets[i], NULL, &err), PAIL_OK);
    }
    dispatch_all(q, gets, N);
    for (int i = 0; i < N; i++) {
        CHECK_INT(puts[i].calls, 1);
        CHECK_INT(puts[i].code, PAIL_OK);
        CHECK_INT(gets[i].calls, 1);
        CHECK_INT(gets[i].code, PAIL_OK);
        CHECK_INT(gets[i].size, 3);
        CHECK(memcmp(bufs[i], keys[i], 3) == 0);
    }
    pail_queue_free(q);
}

static void test_queue__cancelled_operation_completes_too(void)
{
    pail_queue *q = pail_queue_new();
    struct outcome o = {0};
    pail_op *op = NULL;
    char buf[8];
    pail_body body = {.kind = PAIL_BODY_BUF, .buf = buf, .len = 8};
    pail_request r = {
        .size = sizeof r, .verb = PAIL_GET, .bucket = bucket, .key = "gone", .body = &body};
    REQUIRE(q != NULL);
    OK(pail_submit(q, &r, note, &o, &op, &err));
    pail_op_cancel(op);
    dispatch_all(q, &o, 1);
    CHECK_INT(o.calls, 1);
    CHECK(o.code == PAIL_E_CANCELLED || o.code == PAIL_E_NOT_FOUND);
    pail_queue_free(q);
}

static void test_queue__stat_copy_and_delete(void)
{
    pail_queue *q = pail_queue_new();
    struct outcome o[3] = {{0}};
    put_text("k", "12345");
    REQUIRE(q != NULL);
    pail_request stat = {.size = sizeof stat, .verb = PAIL_STAT, .bucket = bucket, .key = "k"};
    pail_request copy = {.size = sizeof copy,
                         .verb = PAIL_COPY,
                         .bucket = bucket,
                         .key = "k",
                         .dst_bucket = bucket,
                         .dst_key = "c"};
    OK(pail_submit(q, &stat, note, &o[0], NULL, &err));
    OK(pail_submit(q, &copy, note, &o[1], NULL, &err));
    dispatch_all(q, o, 2);
    CHECK_INT(o[0].size, 5);
    CHECK_INT(o[1].code, PAIL_OK);
    pail_request delete = {
        .size = sizeof delete, .verb = PAIL_DELETE, .bucket = bucket, .key = "k"};
    OK(pail_submit(q, &delete, note, &o[2], NULL, &err));
    dispatch_all(q, o, 3);
    CHECK_INT(o[2].code, PAIL_OK);
    CHECK_STR(keys_of(NULL), "c");
    pail_queue_free(q);
}

static int64_t count_bytes(void *buf, size_t n, void *ctx)
{
    (void)buf;
    *(size_t *)ctx += n;
    return 0;
}

/* Each stream needs a buffer: those that find none begin when others have ended. */
static void test_queue__streams_wait_for_their_buffers(void)
{
    enum { N = 120 };
    pail_queue *q = pail_queue_new();
    struct outcome gets[N] = {{0}};
    pail_body bodies[N];
    size_t got[N] = {0};
    REQUIRE(q != NULL);
    put_text("k", "12345");
    for (int i = 0; i < N; i++) {
        bodies[i] = (pail_body){.kind = PAIL_BODY_FN, .fn = count_bytes, .ctx = &got[i]};
        pail_request r = {
            .size = sizeof r, .verb = PAIL_GET, .bucket = bucket, .key = "k", .body = &bodies[i]};
        CODE(pail_submit(q, &r, note, &gets[i], NULL, &err), PAIL_OK);
    }
    dispatch_all(q, gets, N);
    for (int i = 0; i < N; i++) {
        CHECK_INT(gets[i].calls, 1);
        CHECK_INT(gets[i].code, PAIL_OK);
        CHECK_INT(got[i], 5);
    }
    pail_queue_free(q);
}

static void deleted(const char *key, const pail_error *e, void *ctx)
{
    (void)key;
    *(int *)ctx += e == NULL;
}

/* Submits one request and waits for its completion. */
static pail_code run(pail_queue *q, pail_request r)
{
    struct outcome o = {0};
    r.size = sizeof r;
    r.bucket = bucket;
    pail_code rc = pail_submit(q, &r, note, &o, NULL, &err);
    if (rc == PAIL_OK) {
        dispatch_all(q, &o, 1);
    }
    CHECK_INT(o.calls, rc == PAIL_OK);
    return rc ? rc : o.code;
}

static void test_queue__pages_of_a_listing(void)
{
    pail_queue *q = pail_queue_new();
    pail_iter *it = NULL;
    const pail_info *i;
    char seen[64] = "";
    REQUIRE(q != NULL);
    for (const char *k = "a\0b\0c\0d\0e\0"; *k; k += 2) {
        put_text(k, "x");
    }
    OK(pail_list(bucket, PAIL_OPTS(list, .page_size = 2), &it, &err));
    int pages = 0;
    for (;; pages++) {
        struct outcome o = {0};
        CHECK(!pail_iter_ready(it));
        pail_code rc = pail_iter_submit(q, it, note, &o, NULL, &err);
        if (rc != PAIL_OK || pages == 10) {
            CHECK_INT(rc, PAIL_DONE);
            break;
        }
        dispatch_all(q, &o, 1);
        CHECK_INT(o.code, PAIL_OK);
        while (pail_iter_ready(it) && pail_iter_next(it, &i, &err) == PAIL_OK) {
            strncat(seen, i->key, 1);
        }
    }
    CHECK_STR(seen, "abcde");
    CHECK(pages >= 3);
    pail_iter_free(it);
    pail_queue_free(q);
}

static void test_queue__ranges_and_many_deletes(void)
{
    static const char *const keys[] = {"a", "b", "never there"};
    pail_range ranges[] = {{.offset = 1, .length = 2}, {.offset = 8, .length = 5}};
    char first[2], second[5];
    void *bufs[] = {first, second};
    size_t got[2];
    int gone = 0;
    pail_queue *q = pail_queue_new();
    REQUIRE(q != NULL);
    put_text("a", "0123456789");
    put_text("b", "x");
    CHECK_INT(run(q, (pail_request){.verb = PAIL_GET_RANGES,
                                    .key = "a",
                                    .ranges = ranges,
                                    .bufs = bufs,
                                    .got = got,
                                    .count = 2}),
              PAIL_OK);
    CHECK(got[0] == 2 && memcmp(first, "12", 2) == 0 && got[1] == 2 &&
          memcmp(second, "89", 2) == 0);
    CHECK_INT(run(q, (pail_request){.verb = PAIL_DELETE_MANY,
                                    .keys = keys,
                                    .count = 3,
                                    .each = deleted,
                                    .each_ctx = &gone}),
              PAIL_OK);
    CHECK_INT(gone, 3);
    CHECK(!object_there("a") && !object_there("b"));
    CHECK_INT(run(q, (pail_request){.verb = PAIL_DELETE_MANY}), PAIL_OK);
    pail_queue_free(q);
}

static void test_queue__tags_and_buckets(void)
{
    pail_kv tag = {"kind", "test"};
    pail_queue *q = pail_queue_new();
    REQUIRE(q != NULL);
    put_text("a", "x");
    if (supports(PAIL_CAN_TAGS)) {
        pail_code rc =
            run(q, (pail_request){.verb = PAIL_TAGS_SET, .key = "a", .tags = &tag, .count = 1});
        CHECK(rc == PAIL_OK || rc == PAIL_E_UNSUPPORTED); /* an unknown server may have none */
        if (rc == PAIL_OK) {
            CHECK_INT(run(q, (pail_request){.verb = PAIL_TAGS_GET, .key = "a"}), PAIL_OK);
        }
    }
    CHECK_INT(run(q, (pail_request){.verb = PAIL_BUCKET_EXISTS}), PAIL_OK);
    CHECK_INT(run(q, (pail_request){.verb = PAIL_BUCKET_DELETE}), PAIL_E_BUCKET_NOT_EMPTY);
    CODE(pail_delete(bucket, "a", NULL, &err), PAIL_OK);
    CHECK_INT(run(q, (pail_request){.verb = PAIL_BUCKET_DELETE}), PAIL_OK);
    CHECK_INT(run(q, (pail_request){.verb = PAIL_BUCKET_EXISTS}), PAIL_E_BUCKET_NOT_FOUND);
    CHECK_INT(run(q, (pail_request){.verb = PAIL_BUCKET_CREATE}), PAIL_OK);
    CHECK_INT(run(q, (pail_request){.verb = PAIL_BUCKET_EXISTS}), PAIL_OK);
    pail_queue_free(q);
}

/* What a step of an upload tells, for the next. */
struct upload_step {
    struct outcome o;
    bool told;
    char id[1024], etag[256], checksum[128];
};

static void copy_text(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text ? text : "");
}

static void keep(pail_op *op, pail_code code, const pail_info *info, const pail_error *e, void *ctx)
{
    struct upload_step *step = ctx;
    note(op, code, info, e, &step->o);
    step->told = info != NULL;
    copy_text(step->id, sizeof step->id, info ? info->upload_id : NULL);
    copy_text(step->etag, sizeof step->etag, info ? info->etag : NULL);
    copy_text(step->checksum, sizeof step->checksum, info ? info->checksum : NULL);
}

static void upload_step(pail_queue *q, pail_request r, struct upload_step *step)
{
    r.size = sizeof r;
    r.bucket = bucket;
    r.key = "up";
    *step = (struct upload_step){.told = false};
    OK(pail_submit(q, &r, keep, step, NULL, &err));
    dispatch_all(q, &step->o, 1);
}

static void test_queue__uploads_in_parts(void)
{
    struct upload_step begun, sent, done;
    char bytes[] = "12345";
    pail_queue *q = pail_queue_new();
    pail_body body = {.kind = PAIL_BODY_BUF, .buf = bytes, .len = 5};
    REQUIRE(q != NULL);
    if (!supports(PAIL_CAN_MULTIPART)) {
        pail_queue_free(q);
        return;
    }
    upload_step(q, (pail_request){.verb = PAIL_UPLOAD_BEGIN}, &begun);
    CHECK_INT(begun.o.code, PAIL_OK);
    CHECK(begun.id[0]);
    pail_request r = {.verb = PAIL_UPLOAD_PART, .upload_id = begun.id, .number = 1, .body = &body};
    upload_step(q, r, &sent);
    CHECK_INT(sent.o.code, PAIL_OK);
    CHECK_INT(body.used, 5);
    pail_part part = {.number = 1, .size = 5, .etag = sent.etag, .checksum = sent.checksum};
    r = (pail_request){
        .verb = PAIL_UPLOAD_FINISH, .upload_id = begun.id, .parts = &part, .count = 1};
    upload_step(q, r, &done);
    CHECK_INT(done.o.code, PAIL_OK);
    CHECK_INT(done.o.size, 5);
    CHECK(object_there("up"));
    upload_step(q, (pail_request){.verb = PAIL_UPLOAD_BEGIN}, &begun);
    CHECK_INT(begun.o.code, PAIL_OK);
    r = (pail_request){.verb = PAIL_UPLOAD_ABORT, .upload_id = begun.id};
    upload_step(q, r, &done);
    CHECK_INT(done.o.code, PAIL_OK);
    CHECK(!done.told);
    pail_queue_free(q);
}

static void test_queue__an_upload_step_is_checked_before_it_begins(void)
{
    pail_queue *q = pail_queue_new();
    pail_request r = {.size = sizeof r, .bucket = bucket, .key = "up"};
    REQUIRE(q != NULL);
    r.verb = PAIL_UPLOAD_PART;
    r.number = 1;
    CODE(pail_submit(q, &r, note, NULL, NULL, &err), PAIL_E_BAD_ARGUMENT); /* no id */
    r.upload_id = "id";
    CODE(pail_submit(q, &r, note, NULL, NULL, &err), PAIL_E_BAD_ARGUMENT); /* no source */
    r.number = 0;
    CODE(pail_submit(q, &r, note, NULL, NULL, &err), PAIL_E_BAD_ARGUMENT); /* no number */
    r.verb = PAIL_UPLOAD_FINISH;
    r.parts = (const pail_part[]){{.number = 1}, {.number = 1}};
    r.count = 2;
    CODE(pail_submit(q, &r, note, NULL, NULL, &err), PAIL_E_BAD_ARGUMENT); /* twice */
    pail_queue_free(q);
}

void queue_suite(void)
{
    CONTRACT(test_queue__many_operations_complete_once_each);
    CONTRACT(test_queue__cancelled_operation_completes_too);
    CONTRACT(test_queue__stat_copy_and_delete);
    CONTRACT(test_queue__streams_wait_for_their_buffers);
    CONTRACT(test_queue__pages_of_a_listing);
    CONTRACT(test_queue__ranges_and_many_deletes);
    CONTRACT(test_queue__tags_and_buckets);
    CONTRACT(test_queue__uploads_in_parts);
    CONTRACT(test_queue__an_upload_step_is_checked_before_it_begins);
}
