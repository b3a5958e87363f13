/* The gateway's handling of one request, without a connection. */
#include "gateway/gateway.h"
#include "test.h"

struct bed {
    struct pl_gateway gateway;
    struct pl_http_call http;
    struct pl_gw_route route;
    struct pl_gw_call call;
};

static void bed_make(struct bed *b, const struct pl_header *headers, size_t count)
{
    *b = (struct bed){.route = {.operation = "PutObject", .body = PL_GW_BYTES},
                      .http = {.headers = headers, .header_count = count}};
    b->call = (struct pl_gw_call){
        .g = &b->gateway, .http = &b->http, .arena = &b->http.arena, .route = &b->route};
}

static void bed_free(struct bed *b)
{
    pl_gw_body_dispose(&b->call);
    pl_buf_dispose(&b->http.body);
    pl_arena_dispose(&b->http.arena);
}

static bool computes_md5(bool keeps_etag, bool said)
{
    const struct pl_header headers[] = {
        {PL_STR("content-length"), PL_STR("3")},
        {PL_STR("content-md5"), PL_STR("kAFQmDzST7DWlj99KOF/cg==")}};
    struct bed b;
    bed_make(&b, headers, said ? 2 : 1);
    b.gateway.caps.keeps_etag = keeps_etag;
    CHECK(pl_gw_body_begin(&b.call));
    CHECK(pl_gw_body_data(&b.call, "abc", 3));
    CHECK(pl_gw_body_end(&b.call));
    bool has = b.call.body.has_md5;
    CHECK_STR(b.call.body.md5_hex, has ? "900150983cd24fb0d6963f7d28e17f72" : "");
    bed_free(&b);
    return has;
}

static void test_md5__only_where_somebody_reads_it(void)
{
    CHECK(computes_md5(true, false));
    CHECK(computes_md5(true, true));
    CHECK(computes_md5(false, true));
    CHECK(!computes_md5(false, false));
}

/* ---- an object that is replaced while a request reads it ---- */

static const struct pl_provider_ops *memory;
static struct {
    int left;       /* operations until it happens; 0: never */
    uint32_t parts; /* of the object that is put in the place of the other; 0: it is deleted */
    char fill;
} meanwhile;

static void done(struct pl_op *op)
{
    (void)op;
}
static void run(struct pl_provider *p, struct pl_op *op)
{
    op->may_block = true;
    op->done = done;
    memory->submit(p, op);
    CHECK_INT(op->rc, PAIL_OK);
}

/* An object of so many parts, the n-th of n bytes. */
static void put_in_parts(struct pl_provider *p, uint32_t count, char fill)
{
    char id[64], etags[4][64], data[4];
    struct pl_part parts[4] = {{0}};
    memset(data, fill, sizeof data);
    struct pl_op op = {.kind = PL_OP_MP_BEGIN, .bucket = "bucket", .key = "key"};
    run(p, &op);
    snprintf(id, sizeof id, "%s", op.out.upload_id ? op.out.upload_id : "");
    pl_op_dispose(&op);
    for (uint32_t i = 0; i < count; i++) {
        struct pl_body body = {.kind = PL_BODY_MEM, .ptr = data, .len = i + 1};
        op = (struct pl_op){.kind = PL_OP_MP_PART,
                            .bucket = "bucket",
                            .key = "key",
                            .in.put = {.source = &body, .upload_id = id, .number = i + 1}};
        run(p, &op);
        snprintf(etags[i], sizeof etags[i], "%s", op.out.etag ? op.out.etag : "");
        parts[i] = (struct pl_part){.number = i + 1, .etag = etags[i], .size = i + 1};
        pl_op_dispose(&op);
    }
    op = (struct pl_op){.kind = PL_OP_MP_FINISH,
                        .bucket = "bucket",
                        .key = "key",
                        .in.mp = {.upload_id = id, .parts = parts, .count = count}};
    run(p, &op);
    pl_op_dispose(&op);
}

static enum pl_submit submit(struct pl_provider *p, struct pl_op *op)
{
    if (meanwhile.left && --meanwhile.left == 0) {
        if (meanwhile.parts) {
            put_in_parts(p, meanwhile.parts, meanwhile.fill);
        } else {
            struct pl_op gone = {.kind = PL_OP_DELETE, .bucket = "bucket", .key = "key"};
            run(p, &gone);
            pl_op_dispose(&gone);
        }
    }
    return memory->submit(p, op);
}

/* A gateway over a store in memory whose object has 3 parts of 'a'. */
struct stored {
    struct bed bed;
    struct pl_settings settings;
    struct pl_provider *provider;
    struct pl_provider_ops ops;
    struct pl_pool pool;
    pail_kv params[1];
};
static void stored_make(struct stored *s, const struct pl_header *headers, size_t count)
{
    struct pl_op op = {.kind = PL_OP_BUCKET_CREATE, .bucket = "bucket"};
    *s = (struct stored){0};
    struct pl_provider_env env = {.settings = &s->settings, .ignore_environment = true};
    CHECK_INT(pl_memory_new(&env, &s->provider, NULL), PAIL_OK);
    memory = s->provider->ops;
    s->ops = *memory;
    s->ops.submit = submit;
    s->provider->ops = &s->ops;
    run(s->provider, &op);
    pl_op_dispose(&op);
    put_in_parts(s->provider, 3, 'a');
    pl_pool_init(&s->pool, 8 << 20);
    bed_make(&s->bed, headers, count);
    s->bed.http.method = PL_STR("GET");
    s->bed.http.body = PL_BUF_MAX(1 << 20);
    s->bed.gateway.provider = s->provider;
    s->bed.gateway.pool = &s->pool;
    memory->caps(s->provider, &s->bed.gateway.caps);
    s->bed.call.bucket = "bucket";
    s->bed.call.key = "key";
    s->bed.call.params = s->params;
}
static void stored_free(struct stored *s)
{
    pl_gw_stream_dispose(&s->bed.call);
    bed_free(&s->bed);
    pl_pool_dispose(&s->pool);
    memory->free(s->provider);
}

/* GET of part `number` of an object that becomes another one in the call's at-th operation. False:
 * the call had not so many of them. */
static bool get_part(const char *number, int at, uint32_t other, int *status, char *body,
                     const char **error)
{
    struct stored s;
    stored_make(&s, NULL, 0);
    s.params[0] = (pail_kv){"partNumber", number};
    s.bed.call.param_count = 1;
    meanwhile.parts = other;
    meanwhile.fill = 'b';
    meanwhile.left = at;
    pl_gw_get_object(&s.bed.call);
    bool happened = meanwhile.left == 0;
    meanwhile.left = 0;
    *status = s.bed.http.status;
    *error = s.bed.call.error;
    snprintf(body, 16, "%.*s", (int)s.bed.http.body.len,
             s.bed.http.body.len ? s.bed.http.body.ptr : "");
    stored_free(&s);
    return happened;
}

static void test_part__of_an_object_that_is_replaced_is_of_the_one_or_the_other(void)
{
    static const struct {
        const char *number;
        uint32_t other;
        const char *old, *new;
        const char *error;
    } cases[] = {{"2", 3, "aa", "bb", NULL},
                 {"1", 2, "a", "b", NULL},
                 {"3", 3, "aaa", "bbb", NULL},
                 {"3", 2, "aaa", NULL, "InvalidPart"},
                 {"2", 0, "aa", NULL, "NoSuchKey"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool happened = true;
        for (int at = 1; happened && at < 20; at++) {
            int status;
            char body[16];
            const char *error;
            happened = get_part(cases[i].number, at, cases[i].other, &status, body, &error);
            if (error) {
                CHECK_STR(error, cases[i].error ? cases[i].error : "none");
            } else {
                CHECK_INT(status, 206);
                CHECK_STR(body, cases[i].new &&body[0] == 'b' ? cases[i].new : cases[i].old);
            }
        }
        CHECK(!happened);
    }
}

/* The size and the parts of one object. */
static void test_attributes__are_of_one_object(void)
{
    const struct pl_header wants[] = {
        {PL_STR("x-amz-object-attributes"), PL_STR("ObjectSize,ObjectParts")}};
    bool happened = true;
    for (int at = 1; happened && at < 20; at++) {
        struct stored s;
        stored_make(&s, wants, 1);
        meanwhile.parts = 2;
        meanwhile.fill = 'b';
        meanwhile.left = at;
        pl_gw_object_attributes(&s.bed.call);
        happened = meanwhile.left == 0;
        meanwhile.left = 0;
        const char *text = pl_buf_rc(&s.bed.http.body) ? "" : s.bed.http.body.ptr;
        CHECK(!s.bed.call.error);
        CHECK((strstr(text, "<PartsCount>3<") && strstr(text, "<ObjectSize>6<")) ||
              (strstr(text, "<PartsCount>2<") && strstr(text, "<ObjectSize>3<")));
        stored_free(&s);
    }
    CHECK(!happened);
}

/* The file of a form, to a store that keeps ETags or does not. */
static bool form_computes_md5(bool keeps_etag)
{
    const struct pl_header type[] = {
        {PL_STR("content-type"), PL_STR("multipart/form-data; boundary=b")}};
    struct stored s;
    stored_make(&s, type, 1);
    s.bed.gateway.caps.keeps_etag = keeps_etag;
    s.bed.route.run = pl_gw_post_object;
    s.bed.call.form = (struct pl_gw_form){.in_file = true, .most = UINT64_MAX};
    s.bed.call.body.small = PL_BUF_MAX(64);
    pl_buf_puts(&s.bed.call.body.small, "abc\r\n--b--");
    pl_gw_post_object(&s.bed.call);
    CHECK_INT(s.bed.http.status, 204);
    bool has = s.bed.call.body.has_md5;
    pail_error_free(s.bed.call.worker.error);
    pl_free(s.bed.call.worker.etag);
    stored_free(&s);
    return has;
}

static void test_md5__of_a_forms_file_only_where_the_store_keeps_it(void)
{
    CHECK(form_computes_md5(true));
    CHECK(!form_computes_md5(false));
}

int main(void)
{
    RUN(test_part__of_an_object_that_is_replaced_is_of_the_one_or_the_other);
    RUN(test_attributes__are_of_one_object);
    RUN(test_md5__only_where_somebody_reads_it);
    RUN(test_md5__of_a_forms_file_only_where_the_store_keeps_it);
    return test_end();
}
