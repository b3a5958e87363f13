#include <errno.h>

#include "base/sys.h"
#include "local/job.h"
#include "local/local.h"
#include "local/maintain.h"

struct local {
    struct pl_provider base;
    unsigned forks;
    char *home;
    enum pl_durability durability;
    pthread_mutex_t lock;
    struct pl_store *store; /* under lock, as all below; NULL: not there yet */
    struct pl_job *running; /* those that may take long */
};

static struct local *of(struct pl_provider *p)
{
    return (struct local *)p;
}

/* ---- what may take long can be cancelled ---- */

static void note_running(struct pl_job *j)
{
    struct local *l = of(j->provider);
    pthread_mutex_lock(&l->lock);
    j->next_running = l->running;
    l->running = j;
    pthread_mutex_unlock(&l->lock);
}

static void note_ended(struct pl_job *j)
{
    struct local *l = of(j->provider);
    pthread_mutex_lock(&l->lock);
    struct pl_job **at = &l->running;
    while (*at && *at != j) {
        at = &(*at)->next_running;
    }
    if (*at) {
        *at = j->next_running;
    }
    pthread_mutex_unlock(&l->lock);
}

static void cancel(struct pl_provider *p, struct pl_op *op)
{
    struct local *l = of(p);
    if (l->forks != pl_fork_count()) {
        return;
    }
    pthread_mutex_lock(&l->lock);
    for (struct pl_job *j = l->running; j; j = j->next_running) {
        if (j->op == op) {
            atomic_store(&j->cancelled, true);
        }
    }
    pthread_mutex_unlock(&l->lock);
}

/* ---- operations ---- */

/* NULL: it only reads. */
static pail_code (*change_of(enum pl_op_kind kind))(struct pl_tx *, struct pl_commit *)
{
    switch (kind) {
    case PL_OP_PUT: return pl_apply_put;
    case PL_OP_DELETE: return pl_apply_delete;
    case PL_OP_DELETE_MANY: return pl_apply_delete_many;
    case PL_OP_COPY: return pl_apply_copy;
    case PL_OP_MP_BEGIN: return pl_apply_begin;
    case PL_OP_MP_PART:
    case PL_OP_MP_COPY_PART: return pl_apply_part;
    case PL_OP_MP_FINISH: return pl_apply_finish;
    case PL_OP_MP_ABORT: return pl_apply_abort;
    case PL_OP_TAGS_SET: return pl_apply_tags;
    case PL_OP_BUCKET_CREATE: return pl_apply_bucket_create;
    case PL_OP_BUCKET_DELETE: return pl_apply_bucket_delete;
    case PL_OP_STAT:
    case PL_OP_GET:
    case PL_OP_LIST:
    case PL_OP_MP_LIST:
    case PL_OP_TAGS_GET:
    case PL_OP_BUCKET_STAT:
    case PL_OP_BUCKET_LIST:
    case PL_OP_PRESIGN:
    case PL_OP_KIND_COUNT: return NULL;
    }
    return NULL;
}

static pail_code read_get(struct pl_job *j)
{
    const struct pl_body *sink = j->op->in.get.sink;
    bool is_long = sink && sink->len > PL_INLINE_MAX;
    if (is_long) {
        note_running(j);
    }
    pail_code rc = pl_read_get(j);
    if (is_long) {
        note_ended(j);
    }
    return rc;
}

static pail_code read_op(struct pl_job *j)
{
    switch ((int)j->op->kind) {
    case PL_OP_STAT:
    case PL_OP_TAGS_GET: return pl_read_stat(j);
    case PL_OP_GET: return read_get(j);
    case PL_OP_LIST: return pl_read_list(j);
    case PL_OP_MP_LIST:
        return j->op->in.list.upload_id || j->op->in.list.of_object ? pl_read_parts(j)
                                                                    : pl_read_uploads(j);
    case PL_OP_BUCKET_STAT: return pl_read_bucket(j);
    case PL_OP_BUCKET_LIST: return pl_read_buckets(j);
    default: return PAIL_E_INTERNAL;
    }
}

static pail_code stage(struct pl_job *j)
{
    bool is_long = pl_stage_blocks(j->op);
    if (is_long) {
        note_running(j);
    }
    pail_code rc = pl_stage(j);
    if (is_long) {
        note_ended(j);
    }
    return rc;
}

static pail_code clean_up(struct pl_job *j, pail_code rc)
{
    if (rc == PAIL_OK) {
        pl_staged_keep(j->store, &j->staged);
    }
    pl_staged_dispose(j->store, &j->staged);
    pl_attrs_dispose(&j->attrs);
    return rc;
}

static void prepare(struct pl_job *j, struct local *l, struct pl_store *s, struct pl_op *op)
{
    *j = (struct pl_job){.commit = {.apply = change_of(op->kind),
                                    .err = &op->error,
                                    .durability = l->durability,
                                    .bytes = 0,
                                    .deadline_ns = op->deadline_ns},
                         .store = s,
                         .provider = &l->base,
                         .op = op,
                         .durability = l->durability};
}

static pail_code run_here(struct local *l, struct pl_store *s, struct pl_op *op)
{
    struct pl_job j;
    prepare(&j, l, s, op);
    if (!j.commit.apply) {
        return read_op(&j);
    }
    pail_code rc = stage(&j);
    j.commit.bytes = j.staged.bytes ? j.staged.size : 0;
    return clean_up(&j, rc ? rc : pl_commit_run(s, &j.commit));
}

/* ---- the same without the caller's thread ---- */

static void complete(struct pl_job *j, pail_code rc)
{
    struct pl_op *op = j->op;
    pl_free(j);
    pl_op_complete(op, rc);
}

static void committed(struct pl_commit *c)
{
    struct pl_job *j = pl_job_of(c);
    complete(j, clean_up(j, c->rc));
}

static void stage_and_commit(struct pl_job *j)
{
    pail_code rc = stage(j);
    if (rc) {
        complete(j, clean_up(j, rc));
        return;
    }
    j->commit.bytes = j->staged.bytes ? j->staged.size : 0;
    j->commit.done = committed;
    pl_commit_submit(j->store, &j->commit);
}

static struct pl_job *job_of_work(struct pl_work *w)
{
    return (struct pl_job *)(void *)((char *)w - offsetof(struct pl_job, work));
}

static void work(struct pl_work *w)
{
    struct pl_job *j = job_of_work(w);
    if (j->commit.apply) {
        stage_and_commit(j);
    } else {
        complete(j, read_op(j));
    }
}

static void run_elsewhere(struct local *l, struct pl_store *s, struct pl_op *op)
{
    struct pl_job *j = pl_alloc(sizeof *j);
    if (!j) {
        pl_op_complete(op, PAIL_E_NO_MEMORY);
        return;
    }
    prepare(j, l, s, op);
    if (j->commit.apply && !pl_stage_blocks(op)) {
        stage_and_commit(j);
        return;
    }
    j->work.run = work;
    pl_workers_add(&s->workers, &j->work);
}

/* ---- submitting ---- */

static bool encrypts(const pail_encryption *e)
{
    return e && (e->algorithm || e->kms_key_id || e->customer_key_base64);
}

static pail_code check(struct pl_op *op)
{
    bool copies = op->kind == PL_OP_COPY || op->kind == PL_OP_MP_COPY_PART;
    if (encrypts(op->encryption) || (copies && encrypts(op->in.copy.encryption))) {
        return pl_fail(&op->error, PAIL_E_UNSUPPORTED, "a LOCAL store does not encrypt");
    }
    if (op->kind == PL_OP_PRESIGN) {
        pl_fail(&op->error, PAIL_E_UNSUPPORTED,
                "a signed URL needs a server, which a LOCAL store has none of");
        pl_error_hint(&op->error, "use a store that others can reach, such as s3://, for signed "
                                  "URLs");
        return PAIL_E_UNSUPPORTED;
    }
    return PAIL_OK;
}

static pail_code store_for(struct local *l, bool create, struct pl_store **out,
                           struct pail_error **err)
{
    pthread_mutex_lock(&l->lock);
    pail_code rc = l->store ? PAIL_OK : pl_store_open(l->home, create, &l->store, err);
    *out = l->store;
    pthread_mutex_unlock(&l->lock);
    return rc;
}

/* Where there is no store there are no buckets. */
static pail_code answer_empty(struct pl_op *op)
{
    if (op->kind == PL_OP_BUCKET_LIST) {
        return PAIL_OK;
    }
    pl_fail(&op->error, PAIL_E_BUCKET_NOT_FOUND, "no bucket \"%s\" in this LOCAL store",
            op->bucket);
    pl_error_hint(&op->error, "make it first: pail mb local:%s, or pail_bucket_create", op->bucket);
    return PAIL_E_BUCKET_NOT_FOUND;
}

static enum pl_submit submit(struct pl_provider *p, struct pl_op *op)
{
    struct local *l = of(p);
    struct pl_store *s = NULL;
    pail_code rc = l->forks == pl_fork_count() ? check(op) : PAIL_E_FORKED;
    rc = rc ? rc : store_for(l, op->kind == PL_OP_BUCKET_CREATE, &s, &op->error);
    if (rc == PAIL_OK && s && !op->may_block) {
        run_elsewhere(l, s, op);
        return PL_STARTED;
    }
    if (rc == PAIL_OK) {
        rc = s ? run_here(l, s, op) : answer_empty(op);
    }
    pl_op_complete(op, rc);
    return PL_COMPLETED;
}

static void caps(struct pl_provider *p, struct pl_caps *out)
{
    (void)p;
    memset(out, 0, sizeof *out);
    memset(out->ability, PAIL_NATIVE, sizeof out->ability);
    static const unsigned char none[] = {PAIL_CAN_STORAGE_CLASS, PAIL_CAN_ENCRYPT,
                                         PAIL_CAN_VERSIONS, PAIL_CAN_PRESIGN_GET,
                                         PAIL_CAN_PRESIGN_PUT};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        out->ability[none[i]] = PAIL_NO;
    }
    for (size_t i = 0; i < PAIL_LIMIT_COUNT; i++) {
        out->limit[i] = UINT64_MAX;
    }
    out->limit[PAIL_LIMIT_PART_MIN] = 1;
    out->limit[PAIL_LIMIT_PARTS] = 10000;
    out->limit[PAIL_LIMIT_LIST_PAGE] = 1000;
    out->limit[PAIL_LIMIT_DELETE_MANY] = 1000;
    out->part_best = 16 << 20;
    out->put_best = out->get_best = UINT64_MAX;
    out->concurrency = 2;
    out->takes_pull = out->keeps_etag = out->keeps_sums = out->lists_parts = true;
}

static pail_code check_bucket(struct pl_provider *p, const char *name, struct pail_error **err)
{
    (void)p;
    return pl_bucket_name_check(name, err);
}

static void free_local(struct pl_provider *p)
{
    struct local *l = of(p);
    if (l->forks == pl_fork_count()) {
        pl_store_release(l->store);
        pthread_mutex_destroy(&l->lock);
    }
    pl_free(l->home);
    pl_free(l);
}

static pail_code existing(struct local *l, struct pl_store **s, struct pail_error **err)
{
    if (l->forks != pl_fork_count()) {
        return pl_fail(err, PAIL_E_FORKED,
                       "this handle was made before a fork; open a new client in the child");
    }
    pail_code rc = store_for(l, false, s, err);
    return rc || *s ? rc : pl_fail(err, PAIL_E_NOT_FOUND, "there is no LOCAL store at %s", l->home);
}

static pail_code fsck(struct pl_provider *p, bool repair, pail_fsck_fn each, void *ctx,
                      pail_fsck_report *report, struct pail_error **err)
{
    struct pl_store *s;
    pail_code rc = existing(of(p), &s, err);
    return rc ? rc : pl_store_check(s, repair, each, ctx, report, err);
}

static pail_code backup(struct pl_provider *p, const char *folder, struct pail_error **err)
{
    struct pl_store *s;
    pail_code rc = existing(of(p), &s, err);
    return rc ? rc : pl_store_backup(s, folder, err);
}

static const struct pl_provider_ops ops = {.scheme = "local",
                                           .caps = caps,
                                           .submit = submit,
                                           .cancel = cancel,
                                           .check_bucket = check_bucket,
                                           .free = free_local,
                                           .fsck = fsck,
                                           .backup = backup};

static pail_code durability_of(const struct pl_settings *settings, enum pl_durability *out,
                               struct pail_error **err)
{
    static const char *const names[] = {"off", "batch", "full"};
    const char *set = pl_settings_get(settings, "local_durability");
    *out = PL_DURABLE_FULL;
    for (int i = 0; set && i <= (int)PL_DURABLE_FULL; i++) {
        if (strcmp(set, names[i]) == 0) {
            *out = (enum pl_durability)i;
            return PAIL_OK;
        }
    }
    return set ? pl_fail(err, PAIL_E_BAD_CONFIG,
                         "local_durability is \"%s\": it may be full, batch or off", set)
               : PAIL_OK;
}

static pail_code note_defaults(const struct pl_provider_env *env, const char *home,
                               struct pail_error **err)
{
    pail_code rc = pl_settings_default(env->settings, "local_home", home, "default");
    rc = rc ? rc : pl_settings_default(env->settings, "local_durability", "full", "default");
    return rc ? pl_fail(err, rc, "no memory for settings") : PAIL_OK;
}

pail_code pl_local_new(const struct pl_provider_env *env, struct pl_provider **out,
                       struct pail_error **err)
{
    struct local *l = pl_calloc(1, sizeof *l);
    if (!l) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a client");
    }
    l->base.ops = &ops;
    l->forks = pl_fork_count();
    pthread_mutex_init(&l->lock, NULL);
    pail_code rc = durability_of(env->settings, &l->durability, err);
    rc = rc ? rc : pl_home_path(env, &l->home, err);
    rc = rc ? rc : note_defaults(env, l->home, err);
    rc = rc ? rc : pl_store_open(l->home, false, &l->store, err);
    if (rc) {
        free_local(&l->base);
        return rc;
    }
    *out = &l->base;
    return PAIL_OK;
}
