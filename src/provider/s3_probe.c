/* Asks an endpoint of an unknown service whether it checks conditions of writes, once, before the
 * first one. A service that ignores a condition overwrites silently, so its word is not taken: a
 * scratch object is written twice.
 *
 * A provider before the http provider. Ops with a condition wait here while the probe runs. */
#include "base/sys.h"
#include "codec/hex.h"
#include "provider/s3.h"

struct probe {
    struct pl_provider provider; /* first */
    struct pl_provider *next;
    struct pl_s3 *s3;
    unsigned forks;
    pthread_mutex_t lock;
    struct pl_op *waiting; /* under lock */
    bool running;
};

/* In their order; which of them run depends on what is asked. */
enum step {
    CREATE,
    AGAIN,
    PLAIN,
    MATCH,
    BEGIN,
    PART,
    FINISH,
    FINISH_MATCH,
    REMOVE,      /* the object, so that the next one has to succeed: one service refuses */
    FINISH_FREE, /* every conditional upload, having found the upload's own parts there */
    ABORT,
    DELETE,
    END
};
struct run {
    struct pl_op op; /* first: its done gets it back */
    struct probe *probe;
    struct pl_body body;
    struct pl_part part;
    struct pl_part_sum sum;
    enum step step;
    bool multipart, exists, upload;
    char *bucket, *upload_id, *etag;
    char key[40];
    int64_t deadline_ns;
    enum pl_s3_probed create, match;
    pail_code rc; /* why it could not be found out */
    struct pail_error *error;
};

static struct probe *of(struct pl_provider *p)
{
    return (struct probe *)p;
}

static void probe_done(struct pl_op *op);

bool pl_s3_is_probe(const struct pl_op *op)
{
    return op->done == probe_done;
}

static bool is_multipart(const struct pl_op *op)
{
    return op->kind == PL_OP_MP_BEGIN || op->kind == PL_OP_MP_FINISH;
}

/* Whether the op's condition needs an answer that nobody has yet. */
static bool needs_probe(struct probe *p, const struct pl_op *op)
{
    const struct pl_s3_profile *profile = &p->s3->profile;
    const pail_conditions *c = &op->cond;
    bool multipart = is_multipart(op);
    if ((op->kind != PL_OP_PUT && !multipart) || (!c->if_match && !c->if_none_match) ||
        (multipart ? profile->cond_multipart : profile->cond_put).kind != PL_S3_COND_PROBE) {
        return false;
    }
    pthread_mutex_lock(&p->s3->dialect.lock);
    const struct pl_s3_learned *l = &p->s3->learned;
    bool known =
        multipart ? l->multipart_create && l->multipart_match : l->put_create && l->put_match;
    pthread_mutex_unlock(&p->s3->dialect.lock);
    return !known;
}

static void free_run(struct run *r)
{
    pl_op_dispose(&r->op);
    pail_error_free(r->error);
    pl_free(r->bucket);
    pl_free(r->upload_id);
    pl_free(r->etag);
    pl_free(r);
}

static void remember(struct run *r)
{
    struct pl_s3_learned *l = &r->probe->s3->learned;
    pthread_mutex_lock(&r->probe->s3->dialect.lock);
    *(r->multipart ? &l->multipart_create : &l->put_create) = r->create;
    *(r->multipart ? &l->multipart_match : &l->put_match) = r->match;
    pthread_mutex_unlock(&r->probe->s3->dialect.lock);
    pl_log(r->probe->s3->log, PAIL_LOG_INFO, "s3: the endpoint %s if-none-match, %s if-match on %s",
           r->create == PL_S3_KEPT ? "checks" : "ignores",
           r->match == PL_S3_KEPT ? "checks" : "ignores", r->multipart ? "multipart" : "put");
}

/* All that waited go on, each through the gate of the build, or fail as the probe did. One of the
 * other kind (put, multipart) may start the next probe. */
static void release(struct run *r)
{
    struct probe *p = r->probe;
    pthread_mutex_lock(&p->lock);
    struct pl_op *op = p->waiting;
    p->waiting = NULL;
    p->running = false;
    pthread_mutex_unlock(&p->lock);
    while (op) {
        struct pl_op *following = op->next;
        op->next = NULL;
        if (r->rc && is_multipart(op) == r->multipart) {
            op->error = pl_error_dup(r->error);
            pl_op_complete(op, r->rc);
        } else {
            p->provider.ops->submit(&p->provider, op);
        }
        op = following;
    }
}

static void set_op(struct run *r, enum pl_op_kind kind)
{
    struct pl_op *op = &r->op;
    pl_op_dispose(op);
    memset(op, 0, sizeof *op);
    op->kind = kind;
    op->bucket = r->bucket;
    op->key = r->key;
    op->deadline_ns = r->deadline_ns;
    op->done = probe_done;
    if (kind == PL_OP_PUT || kind == PL_OP_MP_PART) {
        op->in.put.source = &r->body;
        op->in.put.upload_id = r->upload_id;
        op->in.put.number = kind == PL_OP_MP_PART;
    }
    if (kind == PL_OP_MP_FINISH || kind == PL_OP_MP_ABORT) {
        r->part =
            (struct pl_part){.number = 1, .etag = r->etag, .size = r->body.len, .sum = r->sum};
        op->in.mp.upload_id = r->upload_id;
        op->in.mp.parts = &r->part;
        op->in.mp.count = 1;
        op->in.mp.size = r->body.len;
    }
}

static void submit(struct run *r)
{
    static const enum pl_op_kind kinds[] = {
        [CREATE] = PL_OP_PUT,       [AGAIN] = PL_OP_PUT,
        [PLAIN] = PL_OP_PUT,        [MATCH] = PL_OP_PUT,
        [BEGIN] = PL_OP_MP_BEGIN,   [PART] = PL_OP_MP_PART,
        [FINISH] = PL_OP_MP_FINISH, [FINISH_MATCH] = PL_OP_MP_FINISH,
        [REMOVE] = PL_OP_DELETE,    [FINISH_FREE] = PL_OP_MP_FINISH,
        [ABORT] = PL_OP_MP_ABORT,   [DELETE] = PL_OP_DELETE};
    if (r->step == END) {
        if (!r->rc) {
            remember(r);
        }
        release(r);
        free_run(r);
        return;
    }
    set_op(r, kinds[r->step]);
    if (r->step == CREATE || r->step == AGAIN || r->step == FINISH || r->step == FINISH_FREE) {
        r->op.cond.if_none_match = "*";
    } else if (r->step == MATCH || r->step == FINISH_MATCH) {
        r->op.cond.if_match = "0123456789abcdef0123456789abcdef";
    }
    r->probe->next->ops->submit(r->probe->next, &r->op);
}

/* Cleans up what there is, then ends. */
static enum step leave(const struct run *r)
{
    return r->upload ? ABORT : r->exists ? DELETE : END;
}

static enum step give_up(struct run *r)
{
    if (!r->rc) {
        r->rc = r->op.rc;
        r->error = r->op.error;
        r->op.error = NULL;
    }
    return leave(r);
}

/* How the answer to a conditional write speaks: KEPT where it was refused as it had to be, IGNORED
 * where it went through or is not known there; UNTRIED: another failure. */
static enum pl_s3_probed verdict(pail_code rc, pail_code refusal)
{
    if (rc == refusal) {
        return PL_S3_KEPT;
    }
    bool unknown_there =
        rc == PAIL_E_UNSUPPORTED || rc == PAIL_E_BAD_ARGUMENT || rc == PAIL_E_UPLOAD_NOT_FOUND;
    return rc == PAIL_OK || unknown_there ? PL_S3_IGNORED : PL_S3_UNTRIED;
}

static enum step after_finish(struct run *r, pail_code rc)
{
    r->create = verdict(rc, PAIL_E_EXISTS);
    if (r->create == PL_S3_UNTRIED) {
        return give_up(r);
    }
    if (rc == PAIL_OK) { /* the upload is gone, and what ignores one will ignore the other */
        r->upload = false;
        r->match = PL_S3_IGNORED;
        return leave(r);
    }
    return FINISH_MATCH;
}

static enum step after_free(struct run *r, pail_code rc)
{
    r->upload = rc != PAIL_OK;
    r->exists = rc == PAIL_OK;
    if (rc == PAIL_E_EXISTS || rc == PAIL_E_PRECONDITION) {
        r->create = r->match = PL_S3_IGNORED;
        return leave(r);
    }
    return rc ? give_up(r) : leave(r);
}

static enum step after_begin(struct run *r, pail_code rc)
{
    if (r->step == BEGIN && !rc) {
        r->upload_id = pl_strdup(r->op.out.upload_id);
        r->upload = r->upload_id != NULL;
        return r->upload ? PART : give_up(r);
    }
    if (r->step == PART && !rc) {
        r->etag = pl_strdup(r->op.out.etag);
        r->sum = r->op.out.sum;
        return r->etag ? FINISH : give_up(r);
    }
    return give_up(r);
}

static enum step next_step(struct run *r, pail_code rc)
{
    switch (r->step) {
    case CREATE:
        if (rc == PAIL_OK) {
            r->exists = true;
            return AGAIN;
        }
        r->create = PL_S3_IGNORED;
        return verdict(rc, PAIL_E_EXISTS) == PL_S3_IGNORED ? PLAIN : give_up(r);
    case AGAIN:
        r->create = verdict(rc, PAIL_E_EXISTS);
        return r->create == PL_S3_UNTRIED ? give_up(r) : MATCH;
    case PLAIN: r->exists = rc == PAIL_OK; return rc ? give_up(r) : r->multipart ? BEGIN : MATCH;
    case MATCH:
        r->match = verdict(rc, PAIL_E_PRECONDITION);
        return r->match == PL_S3_UNTRIED ? give_up(r) : leave(r);
    case BEGIN:
    case PART: return after_begin(r, rc);
    case FINISH: return after_finish(r, rc);
    case FINISH_MATCH:
        r->match = verdict(rc, PAIL_E_PRECONDITION);
        r->upload = rc != PAIL_OK && rc != PAIL_E_UPLOAD_NOT_FOUND;
        return r->match == PL_S3_UNTRIED              ? give_up(r)
               : r->upload && r->create == PL_S3_KEPT ? REMOVE
                                                      : leave(r);
    case REMOVE: r->exists = rc != PAIL_OK; return rc ? give_up(r) : FINISH_FREE;
    case FINISH_FREE: return after_free(r, rc);
    case ABORT: r->upload = false; return leave(r);
    case DELETE:
    case END: break;
    }
    return END;
}

static void probe_done(struct pl_op *op)
{
    struct run *r = (struct run *)op;
    r->step = next_step(r, op->rc);
    submit(r);
}

/* NULL: out of memory. */
static struct run *new_run(struct probe *p, const struct pl_op *op)
{
    static char byte[] = "p";
    unsigned char random[8];
    struct run *r = pl_calloc(1, sizeof *r);
    char *bucket = pl_strdup(op->bucket);
    if (!r || !bucket || !pl_sys.random(random, sizeof random)) {
        pl_free(r);
        pl_free(bucket);
        return NULL;
    }
    r->probe = p;
    r->bucket = bucket;
    r->deadline_ns = op->deadline_ns;
    r->multipart = is_multipart(op);
    r->step = r->multipart ? PLAIN : CREATE;
    r->body.kind = PL_BODY_MEM;
    r->body.ptr = byte;
    r->body.len = 1;
    memcpy(r->key, ".pail-probe-", 12);
    pl_hex_encode(r->key + 12, random, sizeof random);
    return r;
}

static enum pl_submit probe_submit(struct pl_provider *provider, struct pl_op *op)
{
    struct probe *p = of(provider);
    if (p->forks != pl_fork_count() || !needs_probe(p, op)) {
        return p->next->ops->submit(p->next, op);
    }
    op->may_block = false; /* it goes on from another thread */
    pthread_mutex_lock(&p->lock);
    struct pl_op **end = &p->waiting;
    while (*end) {
        end = &(*end)->next;
    }
    op->next = NULL;
    *end = op;
    bool start = !p->running;
    struct run *r = start ? new_run(p, op) : NULL;
    if (start && !r) {
        *end = NULL;
    }
    p->running |= r != NULL;
    pthread_mutex_unlock(&p->lock);
    if (start && !r) {
        pl_op_complete(op, PAIL_E_NO_MEMORY);
        return PL_COMPLETED;
    }
    if (r) {
        submit(r);
    }
    return PL_STARTED;
}

static void probe_cancel(struct pl_provider *provider, struct pl_op *op)
{
    struct probe *p = of(provider);
    bool found = false;
    pthread_mutex_lock(&p->lock);
    for (struct pl_op **at = &p->waiting; *at && !found; at = &(*at)->next) {
        if (*at == op) {
            *at = op->next;
            op->next = NULL;
            found = true;
            break;
        }
    }
    pthread_mutex_unlock(&p->lock);
    if (found) {
        pl_op_complete(op, PAIL_E_CANCELLED);
    } else {
        p->next->ops->cancel(p->next, op);
    }
}

static void probe_caps(struct pl_provider *p, struct pl_caps *out)
{
    of(p)->next->ops->caps(of(p)->next, out);
}

static void probe_explain(struct pl_provider *p, struct pl_buf *out)
{
    of(p)->next->ops->explain(of(p)->next, out);
}

static pail_code probe_check_bucket(struct pl_provider *p, const char *name,
                                    struct pail_error **err)
{
    return of(p)->next->ops->check_bucket(of(p)->next, name, err);
}

static void probe_free(struct pl_provider *provider)
{
    struct probe *p = of(provider);
    p->next->ops->free(p->next);
    if (p->forks == pl_fork_count()) {
        pthread_mutex_destroy(&p->lock);
    }
    pl_free(p);
}

static const struct pl_provider_ops ops = {.scheme = "s3",
                                           .caps = probe_caps,
                                           .submit = probe_submit,
                                           .cancel = probe_cancel,
                                           .explain = probe_explain,
                                           .check_bucket = probe_check_bucket,
                                           .free = probe_free};

pail_code pl_s3_probe_new(struct pl_s3 *s3, struct pl_provider *next, struct pl_provider **out,
                          struct pail_error **err)
{
    struct probe *p = pl_calloc(1, sizeof *p);
    if (!p) {
        next->ops->free(next);
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for an S3 client");
    }
    *p =
        (struct probe){.provider = {.ops = &ops}, .next = next, .s3 = s3, .forks = pl_fork_count()};
    pthread_mutex_init(&p->lock, NULL);
    *out = &p->provider;
    return PAIL_OK;
}
