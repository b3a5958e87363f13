/* The probe of unknown endpoints, over a service of one object that keeps, ignores or refuses
 * conditions. */
#include "provider/s3.h"
#include "test.h"

enum manner { KEEPS, IGNORES, REFUSES, FORBIDS, OWN_PARTS };
struct service {
    struct pl_provider base;
    enum manner manner;
    bool exists, upload;
    int requests;
    struct pl_op *held; /* the first op waits here while `holding` */
    bool holding;
};

static bool is_conditional_write(const struct pl_op *op)
{
    return op->kind == PL_OP_PUT || op->kind == PL_OP_MP_FINISH;
}

static pail_code judge(struct service *s, const struct pl_op *op)
{
    const pail_conditions *c = &op->cond;
    bool asked = is_conditional_write(op) && (c->if_match || c->if_none_match);
    if (!asked || s->manner == IGNORES) {
        return PAIL_OK;
    }
    if (s->manner == REFUSES) {
        return PAIL_E_UNSUPPORTED;
    }
    if (s->manner == OWN_PARTS && op->kind == PL_OP_MP_FINISH) {
        return c->if_none_match ? PAIL_E_EXISTS : PAIL_E_PRECONDITION;
    }
    if (c->if_none_match) {
        return s->exists ? PAIL_E_EXISTS : PAIL_OK;
    }
    return PAIL_E_PRECONDITION;
}

static void answer(struct service *s, struct pl_op *op)
{
    pail_code rc = s->manner == FORBIDS ? PAIL_E_FORBIDDEN : judge(s, op);
    s->requests++;
    if (!rc && (op->kind == PL_OP_PUT || op->kind == PL_OP_MP_FINISH)) {
        s->exists = true;
        s->upload = s->upload && op->kind == PL_OP_PUT;
    }
    if (!rc && op->kind == PL_OP_MP_BEGIN) {
        op->out.upload_id = "u";
        s->upload = true;
    }
    if (op->kind == PL_OP_MP_PART) {
        op->out.etag = "e";
    }
    if (op->kind == PL_OP_DELETE) {
        s->exists = false;
    }
    if (op->kind == PL_OP_MP_ABORT) {
        s->upload = false;
    }
    pl_op_complete(op, rc);
}

static enum pl_submit submit(struct pl_provider *p, struct pl_op *op)
{
    struct service *s = (struct service *)p;
    if (s->holding) {
        s->holding = false;
        s->held = op;
        return PL_STARTED;
    }
    answer(s, op);
    return PL_COMPLETED;
}

static void cancel(struct pl_provider *p, struct pl_op *op)
{
    (void)p;
    (void)op;
}

static void free_service(struct pl_provider *p)
{
    (void)p;
}

static const struct pl_provider_ops ops = {
    .submit = submit, .cancel = cancel, .free = free_service};

struct world {
    struct service service;
    struct pl_settings settings;
    struct pl_dialect *dialect;
    struct pl_provider *provider;
};

static void begin(struct world *w, enum manner manner)
{
    *w = (struct world){.service = {.base = {&ops}, .manner = manner}};
    CHECK(!pl_settings_set(&w->settings, "aws_endpoint_url", "http://h:1", "test", NULL));
    struct pl_provider_env env = {.settings = &w->settings};
    CHECK(!pl_s3_dialect_new(&env, &w->dialect, NULL));
    pthread_mutex_init(&w->dialect->lock, NULL);
    CHECK(!pl_s3_probe_new((struct pl_s3 *)w->dialect, &w->service.base, &w->provider, NULL));
}

static void end(struct world *w)
{
    w->provider->ops->free(w->provider);
    pthread_mutex_destroy(&w->dialect->lock);
    w->dialect->ops->free(w->dialect);
    pl_settings_dispose(&w->settings);
}

static const struct pl_s3_learned *learned(const struct world *w)
{
    return &((const struct pl_s3 *)w->dialect)->learned;
}

static int completed;
static void done(struct pl_op *op)
{
    (void)op;
    completed++;
}

static void fill(struct pl_op *op, enum pl_op_kind kind)
{
    memset(op, 0, sizeof *op);
    op->kind = kind;
    op->bucket = "bkt";
    op->key = "k";
    op->done = done;
    op->cond.if_none_match = "*";
}

/* What the endpoint is found to do, and whether it is clean again afterwards. */
static void expect(enum manner manner, enum pl_op_kind kind, enum pl_s3_probed create,
                   enum pl_s3_probed match)
{
    struct world w;
    struct pl_op op;
    begin(&w, manner);
    fill(&op, kind);
    completed = 0;
    w.provider->ops->submit(w.provider, &op);
    CHECK_INT(completed, 1);
    bool multipart = kind != PL_OP_PUT;
    CHECK_INT(multipart ? learned(&w)->multipart_create : learned(&w)->put_create, create);
    CHECK_INT(multipart ? learned(&w)->multipart_match : learned(&w)->put_match, match);
    CHECK(!w.service.upload || kind == PL_OP_MP_BEGIN);
    int before = w.service.requests;
    pl_op_dispose(&op);
    fill(&op, kind);
    w.provider->ops->submit(w.provider, &op);
    CHECK_INT(w.service.requests, before + 1);
    pl_op_dispose(&op);
    end(&w);
}

static void test_probe__finds_what_an_endpoint_does_with_conditions_of_puts(void)
{
    expect(KEEPS, PL_OP_PUT, PL_S3_KEPT, PL_S3_KEPT);
    expect(IGNORES, PL_OP_PUT, PL_S3_IGNORED, PL_S3_IGNORED);
    expect(REFUSES, PL_OP_PUT, PL_S3_IGNORED, PL_S3_IGNORED);
}

static void test_probe__finds_what_an_endpoint_does_with_conditions_of_uploads(void)
{
    expect(KEEPS, PL_OP_MP_BEGIN, PL_S3_KEPT, PL_S3_KEPT);
    expect(IGNORES, PL_OP_MP_BEGIN, PL_S3_IGNORED, PL_S3_IGNORED);
    expect(REFUSES, PL_OP_MP_FINISH, PL_S3_IGNORED, PL_S3_IGNORED);
    expect(OWN_PARTS, PL_OP_MP_FINISH, PL_S3_IGNORED, PL_S3_IGNORED);
}

static void test_probe__that_is_not_allowed_fails_the_write_and_remembers_nothing(void)
{
    struct world w;
    struct pl_op op;
    begin(&w, FORBIDS);
    fill(&op, PL_OP_PUT);
    w.provider->ops->submit(w.provider, &op);
    CHECK_INT(op.rc, PAIL_E_FORBIDDEN);
    CHECK_INT(learned(&w)->put_create, PL_S3_UNTRIED);
    pl_op_dispose(&op);
    end(&w);
}

static void test_probe__runs_once_for_all_that_wait(void)
{
    struct world w;
    struct pl_op a, b, c;
    begin(&w, KEEPS);
    w.service.holding = true;
    fill(&a, PL_OP_PUT);
    fill(&b, PL_OP_PUT);
    fill(&c, PL_OP_PUT);
    completed = 0;
    CHECK_INT(w.provider->ops->submit(w.provider, &a), PL_STARTED);
    CHECK_INT(w.provider->ops->submit(w.provider, &b), PL_STARTED);
    CHECK_INT(w.provider->ops->submit(w.provider, &c), PL_STARTED);
    w.provider->ops->cancel(w.provider, &b);
    CHECK_INT(completed, 1);
    CHECK_INT(b.rc, PAIL_E_CANCELLED);
    answer(&w.service, w.service.held);
    CHECK_INT(completed, 3);
    CHECK_INT(a.rc, PAIL_OK);
    CHECK_INT(c.rc, PAIL_E_EXISTS);
    CHECK_INT(w.service.requests, 4 + 2);
    pl_op_dispose(&a);
    pl_op_dispose(&b);
    pl_op_dispose(&c);
    end(&w);
}

static void test_probe__lets_writes_without_a_condition_pass(void)
{
    struct world w;
    struct pl_op op;
    begin(&w, KEEPS);
    fill(&op, PL_OP_PUT);
    op.cond.if_none_match = NULL;
    CHECK_INT(w.provider->ops->submit(w.provider, &op), PL_COMPLETED);
    CHECK_INT(w.service.requests, 1);
    pl_op_dispose(&op);
    end(&w);
}

int main(void)
{
    RUN(test_probe__finds_what_an_endpoint_does_with_conditions_of_puts);
    RUN(test_probe__finds_what_an_endpoint_does_with_conditions_of_uploads);
    RUN(test_probe__that_is_not_allowed_fails_the_write_and_remembers_nothing);
    RUN(test_probe__runs_once_for_all_that_wait);
    RUN(test_probe__lets_writes_without_a_condition_pass);
    return test_end();
}
