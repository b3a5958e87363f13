/* Many names deleted at once. Source: Swift "Bulk Operations". */
#include "codec/json.h"
#include "codec/url.h"
#include "provider/swift.h"

pail_code pl_swift_check_bulk(struct pl_swift_build *b)
{
    size_t n = b->op->in.delete_many.count;
    if (!b->info.bulk_delete && b->info.known) {
        return pl_swift_refuse(b, "bulk deletion here (/info does not offer it)", NULL);
    }
    if (pl_swift_removes_parts(b) && !b->info.lists_large) {
        return pl_swift_refuse(b, "listings here that tell which objects have parts", NULL);
    }
    if (b->info.delete_max && n > b->info.delete_max) {
        return pl_fail(b->err, PAIL_E_TOO_LARGE, "the service deletes %u names in one request",
                       b->info.delete_max);
    }
    for (size_t i = 0; i < n; i++) {
        const char *version = b->op->in.delete_many.names[i].version;
        if (version && *version) {
            return pl_swift_refuse(b, "versions that can be asked for here", NULL);
        }
    }
    return PAIL_OK;
}

pail_code pl_swift_build_bulk(struct pl_swift_build *b)
{
    const struct pl_op *op = b->op;
    size_t n = op->in.delete_many.count;
    pail_code rc = PAIL_OK;
    const char **paths = pl_alloc((n + 1) * sizeof *paths);
    struct pl_arena arena = {0};
    for (size_t i = 0; paths && i < n; i++) {
        struct pl_buf path = PL_BUF_MAX(4096);
        pl_buf_printf(&path, "%s/%s", op->bucket, op->in.delete_many.names[i].key);
        paths[i] = pl_arena_dup(&arena, pl_buf_view(&path));
        arena.failed |= pl_buf_rc(&path) != PAIL_OK;
        pl_buf_dispose(&path);
    }
    if (!paths || arena.failed) {
        rc = pl_fail(b->err, PAIL_E_NO_MEMORY, "no memory for the names to delete");
    }
    rc = rc ? rc : pl_swift_write_bulk(b, paths, n);
    pl_arena_dispose(&arena);
    pl_free(paths);
    return rc;
}

/* Errors name "/CONTAINER/KEY", percent-encoded or not, as the versions of Swift do it. */
static bool is_name(const struct pl_swift_answer *x, const char *found, const char *key)
{
    struct pl_buf plain = PL_BUF_MAX(4096), decoded = PL_BUF_MAX(4096);
    struct pl_str name = pl_str_c(found);
    name = name.len && name.ptr[0] == '/' ? pl_str_n(name.ptr + 1, name.len - 1) : name;
    pl_buf_printf(&plain, "%s/%s", x->op->bucket, key);
    bool same =
        pl_str_eq(name, pl_buf_view(&plain)) ||
        (pl_url_decode(&decoded, name) && pl_str_eq(pl_buf_view(&decoded), pl_buf_view(&plain)));
    pl_buf_dispose(&plain);
    pl_buf_dispose(&decoded);
    return same;
}

static struct pail_error *bulk_error(const char *status)
{
    struct pail_error *e = NULL;
    pail_code code = strncmp(status, "401", 3) == 0   ? PAIL_E_UNAUTHENTICATED
                     : strncmp(status, "403", 3) == 0 ? PAIL_E_FORBIDDEN
                     : strncmp(status, "409", 3) == 0 ? PAIL_E_CONFLICT
                     : status[0] == '4'               ? PAIL_E_BAD_ARGUMENT
                                                      : PAIL_E_UNAVAILABLE;
    pl_fail(&e, code, "the service did not delete it: %.80s", status);
    return e;
}

static bool take_errors(const struct pl_swift_answer *x, const json_t *errors)
{
    struct pl_op *op = x->op;
    size_t n = op->in.delete_many.count, i, at = 0;
    json_t *one;
    if (!json_array_size(errors)) {
        return true;
    }
    op->out.errors = pl_arena_alloc(&op->arena, n * sizeof *op->out.errors);
    op->out.error_count = op->out.errors ? n : 0;
    json_array_foreach((json_t *)(uintptr_t)errors, i, one)
    {
        const char *name = json_string_value(json_array_get(one, 0));
        const char *status = json_string_value(json_array_get(one, 1));
        size_t tried = 0; /* they come in the order of the request */
        while (name && tried < n && !is_name(x, name, op->in.delete_many.names[at].key)) {
            at = (at + 1) % n;
            tried++;
        }
        if (!name || !status || tried == n || !op->out.errors) {
            return false;
        }
        if (!op->out.errors[at]) {
            op->out.errors[at] = bulk_error(status);
        }
    }
    return true;
}

static void drop_errors(struct pl_op *op)
{
    for (size_t i = 0; i < op->out.error_count; i++) {
        pail_error_free(op->out.errors[i]);
    }
    op->out.errors = NULL;
    op->out.error_count = 0;
}

/* Swift gives up on the way, as after 1,000 names that it may not delete (max_failed_deletes): its
 * Errors then are of those it tried, and nothing is said of the others. */
static bool tells_all(const struct pl_swift_answer *x, const json_t *root)
{
    uint64_t told = json_array_size(json_object_get(root, "Errors")), n = 0;
    told += pl_json_u64(root, "Number Deleted", &n) ? n : 0;
    told += pl_json_u64(root, "Number Not Found", &n) ? n : 0;
    return told == x->op->in.delete_many.count;
}

/* SPEC Swift "Bulk Operations" #bulk-delete-response: always 200; what happened is in the body. */
void pl_swift_parse_bulk(const struct pl_swift_answer *x)
{
    json_t *root;
    drop_errors(x->op); /* of an earlier attempt */
    if (!pl_swift_is_bulk_answer(x, &root)) {
        json_decref(root);
        pthread_mutex_lock(&x->s->dialect.lock);
        x->s->no_bulk = true; /* the layer above deletes one by one */
        pthread_mutex_unlock(&x->s->dialect.lock);
        x->out->next = PL_NEXT_FAIL;
        x->out->code =
            pl_fail(x->err, PAIL_E_UNSUPPORTED, "the service does not know bulk deletion");
        return;
    }
    const json_t *errors = json_object_get(root, "Errors");
    const char *status = pl_json_text(root, "Response Status");
    bool refused = status[0] != '2' && (!json_array_size(errors) || !tells_all(x, root));
    if (refused || !take_errors(x, errors)) {
        drop_errors(x->op);
        *x->out = (struct pl_verdict){.next = PL_NEXT_RETRY, .code = PAIL_E_UNAVAILABLE};
        pl_fail(x->err, PAIL_E_UNAVAILABLE, "the bulk deletion ended with %.60s", status);
    }
    json_decref(root);
}
