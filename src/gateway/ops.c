#include "gateway/gateway.h"

bool pl_gw_check_names(struct pl_gw_call *c, const char *bucket, const char *key)
{
    struct pail_error *e = NULL;
    if ((bucket && c->g->provider->ops->check_bucket(c->g->provider, bucket, &e)) ||
        (key && pl_key_check(key, &e))) {
        pl_gw_fail_op(c, pail_error_code(e), e);
        pail_error_free(e);
        return false;
    }
    return true;
}

struct pl_op *pl_gw_op_apart(const struct pl_gw_call *c, struct pl_simple *s, enum pl_op_kind kind,
                             const char *bucket, const char *key)
{
    *s = (struct pl_simple){0};
    s->task.provider = c->g->provider;
    s->task.pool = c->g->pool;
    struct pl_op *op = pl_simple_init(s, kind, bucket, key);
    if (!op) {
        (void)pl_task_result(&s->task, NULL, NULL);
    }
    return op;
}

struct pl_op *pl_gw_op(struct pl_gw_call *c, struct pl_simple *s, enum pl_op_kind kind,
                       const char *bucket, const char *key)
{
    if (!pl_gw_check_names(c, bucket, key)) {
        return NULL;
    }
    struct pl_op *op = pl_gw_op_apart(c, s, kind, bucket, key);
    if (!op) {
        pl_gw_fail(c, "SlowDown", NULL);
    }
    return op;
}

pail_code pl_gw_run(struct pl_simple *s)
{
    return pl_task_run(&s->task);
}

bool pl_gw_look(struct pl_gw_call *c, pail_info *info)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_STAT, c->bucket, c->key);
    bool ok = op && pl_gw_run(&s) == PAIL_OK;
    if (ok) {
        pl_info_copy(c->arena, info, &op->out.info);
    }
    if (op) {
        pl_gw_op_end(c, &s, true);
    }
    return ok;
}

void pl_gw_op_end(struct pl_gw_call *c, struct pl_simple *s, bool quiet)
{
    struct pail_error *e = NULL;
    pail_code rc = pl_task_result(&s->task, NULL, &e);
    if (rc && !quiet) {
        pl_gw_fail_op(c, rc, e);
    }
    pail_error_free(e);
}
