#include "api/verbs.h"

/* Runs one operation on a bucket's name. */
static pail_code run(pail_client *c, enum pl_op_kind kind, const char *name,
                     const pail_bucket_opts *o, struct pail_error **err)
{
    struct pl_simple s = {0};
    pl_task_aim(&s.task, c, &o->call);
    struct pl_op *op = pl_simple_init(&s, kind, name, NULL);
    if (op) {
        if (kind == PL_OP_BUCKET_CREATE) {
            op->in.bucket_create.location = o->location;
        }
        (void)pl_task_run(&s.task);
    }
    return pl_task_result(&s.task, NULL, err);
}

static pail_code check(pail_client *c, const char *name, pail_bucket_opts *o,
                       const pail_bucket_opts *user, struct pail_error **err)
{
    pail_code rc = pl_client_usable(c, err);
    rc = rc ? rc : pl_take_opts(o, sizeof *o, user, err);
    rc = rc ? rc : pl_call_check(&o->call, err);
    return rc ? rc : c->provider->ops->check_bucket(c->provider, name, err);
}

PAIL_API pail_code pail_bucket_create(pail_client *c, const char *name,
                                      const pail_bucket_opts *opts, pail_error **err)
{
    pail_bucket_opts o;
    struct pail_error *e = NULL;
    pail_code rc = check(c, name, &o, opts, err);
    if (rc) {
        return rc;
    }
    rc = run(c, PL_OP_BUCKET_CREATE, name, &o, &e);
    if (rc == PAIL_E_BUCKET_EXISTS && o.exist_ok) { /* ours, or another's? */
        pail_error_free(e);
        e = NULL;
        rc = run(c, PL_OP_BUCKET_STAT, name, &o, &e);
    }
    if (err) {
        *err = e;
    } else {
        pail_error_free(e);
    }
    return rc;
}

PAIL_API pail_code pail_bucket_exists(pail_client *c, const char *name,
                                      const pail_bucket_opts *opts, bool *out, pail_error **err)
{
    pail_bucket_opts o;
    struct pail_error *e = NULL;
    *out = false;
    pail_code rc = check(c, name, &o, opts, err);
    if (rc) {
        return rc;
    }
    rc = run(c, PL_OP_BUCKET_STAT, name, &o, &e);
    *out = rc == PAIL_OK;
    if (rc == PAIL_E_BUCKET_NOT_FOUND || !err) {
        pail_error_free(e);
        return rc == PAIL_E_BUCKET_NOT_FOUND ? PAIL_OK : rc;
    }
    *err = e;
    return rc;
}

enum { BATCH = 1000 };

static void free_names(struct pl_name *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pl_free((void *)(uintptr_t)names[i].key);
        pl_free((void *)(uintptr_t)names[i].version);
    }
}

static pail_code delete_batch(pail_bucket *b, struct pl_name *names, size_t *n,
                              const pail_call *call, struct pail_error **err)
{
    pail_code rc = *n ? pl_delete_names(b, names, *n, NULL, NULL, call, err) : PAIL_OK;
    free_names(names, *n);
    *n = 0;
    return rc;
}

/* Deletes every object, with `versions` every version of each. */
static pail_code empty(pail_bucket *b, bool versions, const pail_call *call,
                       struct pail_error **err)
{
    struct pl_name *names = pl_calloc(BATCH, sizeof *names);
    pail_list_opts list = {.size = sizeof list, .call = *call, .versions = versions};
    pail_iter *it = NULL;
    const pail_info *i;
    size_t n = 0;
    pail_code rc = names ? pail_list(b, &list, &it, err)
                         : pl_fail(err, PAIL_E_NO_MEMORY, "no memory for names");
    while (rc == PAIL_OK && (rc = pail_iter_next(it, &i, err)) == PAIL_OK) {
        names[n].key = pl_strdup(i->key);
        names[n].version = versions ? pl_strdup(i->version) : NULL;
        n++;
        if (!names[n - 1].key || (versions && i->version && !names[n - 1].version)) {
            rc = pl_fail(err, PAIL_E_NO_MEMORY, "no memory for names");
        } else if (n == BATCH) {
            rc = delete_batch(b, names, &n, call, err);
        }
    }
    if (rc == PAIL_DONE) {
        rc = delete_batch(b, names, &n, call, err);
    }
    free_names(names, n);
    pail_iter_free(it);
    pl_free(names);
    return rc;
}

static pail_code abort_uploads(pail_bucket *b, const pail_call *call, struct pail_error **err)
{
    pail_list_opts list = {.size = sizeof list, .call = *call};
    pail_iter *it = NULL;
    const pail_info *i;
    pail_code rc = pail_uploads(b, &list, &it, err);
    while (rc == PAIL_OK && (rc = pail_iter_next(it, &i, err)) == PAIL_OK) {
        rc = pail_upload_abort(b, i->key, i->upload_id, PAIL_OPTS(delete, .call = *call), NULL);
        rc = rc == PAIL_E_UPLOAD_NOT_FOUND ? PAIL_OK : rc;
        rc = rc ? pl_fail(err, rc, "aborting an upload of \"%s\"", i->key) : rc;
    }
    pail_iter_free(it);
    return rc == PAIL_DONE ? PAIL_OK : rc;
}

/* With all that is in it. Uploads that hold a bucket back are looked for once they do; those that
 * would outlive it, before. */
static pail_code delete_whole(pail_client *c, const char *name, const pail_bucket_opts *o,
                              struct pail_error **err)
{
    pail_bucket *b = NULL;
    struct pail_error *e = NULL;
    struct pl_caps caps = {0};
    c->provider->ops->caps(c->provider, &caps);
    bool versions = pail_supports(c, PAIL_CAN_VERSIONS) != PAIL_NO;
    bool uploads = pail_supports(c, PAIL_CAN_MULTIPART) != PAIL_NO;
    pail_code rc = pail_bucket_open(c, name, &b, err);
    rc = rc ? rc : empty(b, versions, &o->call, err);
    if (rc == PAIL_OK && uploads && !caps.uploads_inside) {
        rc = abort_uploads(b, &o->call, err);
    }
    rc = rc ? rc : run(c, PL_OP_BUCKET_DELETE, name, o, &e);
    if (rc == PAIL_E_BUCKET_NOT_EMPTY && uploads && caps.uploads_inside) {
        pail_error_free(e);
        e = NULL;
        rc = abort_uploads(b, &o->call, err);
        rc = rc ? rc : run(c, PL_OP_BUCKET_DELETE, name, o, &e);
    }
    pail_bucket_close(b);
    if (e && err) {
        *err = e;
    } else {
        pail_error_free(e);
    }
    return rc;
}

PAIL_API pail_code pail_bucket_delete(pail_client *c, const char *name,
                                      const pail_bucket_opts *opts, pail_error **err)
{
    pail_bucket_opts o;
    pail_code rc = check(c, name, &o, opts, err);
    if (rc == PAIL_OK) {
        rc = o.delete_contents ? delete_whole(c, name, &o, err)
                               : run(c, PL_OP_BUCKET_DELETE, name, &o, err);
    }
    if (rc == PAIL_E_BUCKET_NOT_EMPTY) {
        pl_error_hint(err, "delete its contents too: pail rb --force, or delete_contents");
    }
    return rc;
}

PAIL_API pail_code pail_fsck(pail_client *c, bool repair, pail_fsck_fn each, void *ctx,
                             pail_fsck_report *report, pail_error **err)
{
    pail_code rc = pl_client_usable(c, err);
    pail_fsck_report ignored = {0};
    if (rc == PAIL_OK && !c->provider->ops->fsck) {
        return pl_fail(err, PAIL_E_UNSUPPORTED,
                       "only a LOCAL store can be checked, this is \"%s:\"", c->scheme);
    }
    return rc ? rc
              : c->provider->ops->fsck(c->provider, repair, each, ctx, report ? report : &ignored,
                                       err);
}

PAIL_API pail_code pail_backup(pail_client *c, const char *folder, pail_error **err)
{
    pail_code rc = pl_client_usable(c, err);
    if (rc == PAIL_OK && !c->provider->ops->backup) {
        return pl_fail(err, PAIL_E_UNSUPPORTED,
                       "only a LOCAL store can be backed up, this is \"%s:\"", c->scheme);
    }
    return rc ? rc : c->provider->ops->backup(c->provider, folder, err);
}
