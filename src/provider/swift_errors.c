/* What a refusal means. Swift gives a status and a sentence; some middlewares add a reason. Source:
 * Object Storage API, "Response codes" of each request. */
#include "codec/json.h"
#include "provider/swift.h"

struct meaning {
    int status;
    pail_code code;
    enum pl_next next;
};
static const struct meaning meanings[] = {{304, PAIL_E_NOT_MODIFIED, PL_NEXT_FAIL},
                                          {400, PAIL_E_BAD_ARGUMENT, PL_NEXT_FAIL},
                                          {401, PAIL_E_UNAUTHENTICATED, PL_NEXT_CREDENTIALS},
                                          {403, PAIL_E_FORBIDDEN, PL_NEXT_FAIL},
                                          {404, PAIL_E_NOT_FOUND, PL_NEXT_FAIL},
                                          {405, PAIL_E_UNSUPPORTED, PL_NEXT_FAIL},
                                          {408, PAIL_E_TIMEOUT, PL_NEXT_RETRY},
                                          {409, PAIL_E_CONFLICT, PL_NEXT_FAIL},
                                          {411, PAIL_E_UNSUPPORTED, PL_NEXT_FAIL},
                                          {412, PAIL_E_PRECONDITION, PL_NEXT_FAIL},
                                          {413, PAIL_E_TOO_LARGE, PL_NEXT_FAIL},
                                          {414, PAIL_E_TOO_LARGE, PL_NEXT_FAIL},
                                          {416, PAIL_E_BAD_RANGE, PL_NEXT_FAIL},
                                          {422, PAIL_E_CHECKSUM, PL_NEXT_RETRY},
                                          {429, PAIL_E_THROTTLED, PL_NEXT_THROTTLED},
                                          {498, PAIL_E_THROTTLED, PL_NEXT_THROTTLED},
                                          {499, PAIL_E_TIMEOUT, PL_NEXT_RETRY},
                                          {501, PAIL_E_UNSUPPORTED, PL_NEXT_FAIL},
                                          {503, PAIL_E_UNAVAILABLE, PL_NEXT_THROTTLED},
                                          {507, PAIL_E_NO_SPACE, PL_NEXT_FAIL}};

static struct meaning meaning_of(int status)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        if (meanings[i].status == status) {
            return meanings[i];
        }
    }
    if (status >= 500) {
        return (struct meaning){status, PAIL_E_UNAVAILABLE, PL_NEXT_RETRY};
    }
    return (struct meaning){status, status / 100 == 3 ? PAIL_E_PROTOCOL : PAIL_E_BAD_ARGUMENT,
                            PL_NEXT_FAIL};
}

static bool says(const struct pl_swift_answer *x, const char *word)
{
    struct pl_str body = pl_buf_view(&x->r->body);
    return body.len && memmem(body.ptr, body.len, word, strlen(word));
}

/* Without the container nothing can be in it; only some requests tell the two apart. */
static pail_code missing(const struct pl_swift_answer *x)
{
    switch (x->op->kind) {
    case PL_OP_PUT:
    case PL_OP_LIST:
    case PL_OP_BUCKET_CREATE:
    case PL_OP_BUCKET_DELETE:
    case PL_OP_BUCKET_STAT:
    case PL_OP_BUCKET_LIST: return PAIL_E_BUCKET_NOT_FOUND;
    case PL_OP_MP_PART:
    case PL_OP_MP_FINISH: return PAIL_E_UPLOAD_NOT_FOUND;
    default: return PAIL_E_NOT_FOUND;
    }
}

/* A miss in a container that nobody has seen yet: whether it is there is asked once. */
static bool ask_for_bucket(const struct pl_swift_answer *x)
{
    bool asks = false;
    if (x->op->kind != PL_OP_GET) {
        return false;
    }
    pthread_mutex_lock(&x->s->dialect.lock);
    struct pl_swift_bucket *b = pl_swift_bucket_locked(x->s, x->op->bucket);
    if (b && !b->exists) {
        asks = b->unsure = x->memo->missed = true;
    }
    pthread_mutex_unlock(&x->s->dialect.lock);
    if (asks) {
        x->out->next = PL_NEXT_LEARNED;
        x->out->learned = PL_LEARNED_OTHER;
    }
    return asks;
}

/* A delete of what is not there is a success, in a container that is there. */
static bool is_gone(const struct pl_swift_answer *x)
{
    struct pl_swift_bucket b = pl_swift_bucket_view(x->s, x->op->bucket);
    return x->op->kind == PL_OP_DELETE && !(b.known && !b.exists);
}

/* Swift refuses pages that are larger than it makes them: /info tells how large, else a small one
 * will do. */
static bool smaller_pages(const struct pl_swift_answer *x)
{
    enum { SMALL = 100 };
    bool lists = x->op->kind == PL_OP_LIST || x->op->kind == PL_OP_BUCKET_LIST ||
                 x->op->kind == PL_OP_MP_LIST;
    if (!lists || x->r->status != 412 || x->memo->sent_limit <= SMALL) {
        return false;
    }
    pthread_mutex_lock(&x->s->dialect.lock);
    bool asks = !x->s->info.known;
    x->s->asks_list = true;
    x->s->info.list_max = asks ? 10 * SMALL : SMALL;
    pthread_mutex_unlock(&x->s->dialect.lock);
    x->out->next = PL_NEXT_LEARNED;
    x->out->learned = asks ? PL_LEARNED_OTHER : PL_LEARNED_LIST;
    return true;
}

static bool react(const struct pl_swift_answer *x)
{
    if (x->r->status == 404 && is_gone(x)) {
        pl_swift_read_written(x);
        *x->out = (struct pl_verdict){.next = PL_NEXT_DONE};
        pl_swift_then_clean(x);
        return true;
    }
    return x->r->status == 404 && ask_for_bucket(x);
}

/* What holds for one kind of operation in particular. */
static void refine(const struct pl_swift_answer *x)
{
    const struct pl_op *op = x->op;
    const pail_conditions *c = &op->cond;
    struct pl_verdict *out = x->out;
    int status = x->r->status;
    bool writes = pl_op_writes(op->kind);
    out->never_applied = status / 100 == 4 || status / 100 == 3;
    if (status == 404) {
        out->code = missing(x);
    } else if (status == 412 && says(x, "Bad URL")) {
        out->code = PAIL_E_BAD_CONFIG;
    } else if (status == 412 && writes && c->if_none_match) {
        out->code = PAIL_E_EXISTS;
    } else if (status == 409 && op->kind == PL_OP_BUCKET_DELETE) {
        out->code = PAIL_E_BUCKET_NOT_EMPTY;
    } else if (status == 409 && op->kind == PL_OP_PUT) {
        out->next = PL_NEXT_RETRY; /* another write with the same time */
    } else if (status == 413 && says(x, "quota")) {
        out->code = PAIL_E_NO_SPACE;
    } else if (op->kind == PL_OP_MP_FINISH && status == 400 && says(x, "404 Not Found")) {
        out->code = PAIL_E_UPLOAD_NOT_FOUND;
    } else if (op->kind == PL_OP_MP_FINISH && status == 400 && says(x, "Mismatch")) {
        out->code = PAIL_E_CHECKSUM;
    } else if (op->kind == PL_OP_COPY && status == 304) {
        out->code = PAIL_E_PRECONDITION;
    }
}

static const char *words(const struct pl_swift_answer *x)
{
    bool reads = x->op->kind == PL_OP_GET || x->op->kind == PL_OP_COPY;
    if (reads && x->r->status == 409) { /* SPEC Swift "Static Large Objects" */
        return "a part of the object is gone, or another one by now";
    }
    switch ((int)x->out->code) {
    case PAIL_E_NOT_FOUND: return "no such object";
    case PAIL_E_BUCKET_NOT_FOUND: return "no such bucket";
    case PAIL_E_UPLOAD_NOT_FOUND: return "parts of the upload are gone: was it aborted";
    case PAIL_E_BAD_CONFIG: return "the storage URL is not that of an account";
    case PAIL_E_NOT_MODIFIED: return "the object has not changed";
    case PAIL_E_PRECONDITION:
        return "the condition does not hold: the object is another one by now, or gone";
    case PAIL_E_EXISTS: return "the object exists already";
    case PAIL_E_BUCKET_NOT_EMPTY: return "the container is not empty";
    case PAIL_E_UNAUTHENTICATED: return "the service does not accept the token";
    case PAIL_E_FORBIDDEN: return "the service refuses access";
    case PAIL_E_NO_SPACE: return "the quota of the account or container is used up";
    case PAIL_E_TOO_LARGE: return "the service says that it is too large";
    case PAIL_E_CHECKSUM: return "the service received other bytes than those sent (MD5)";
    case PAIL_E_BAD_RANGE: return "the object has no such range";
    case PAIL_E_THROTTLED: return "the service asks to slow down";
    case PAIL_E_UNAVAILABLE: return "the service is not available";
    case PAIL_E_UNSUPPORTED: return "the service cannot do this";
    default: return NULL;
    }
}

/* The sentence of a plain-text answer, where it is one; pages of HTML say nothing more than the
 * status does. */
static struct pl_str sentence(const struct pl_swift_answer *x)
{
    struct pl_str body = pl_str_trim(pl_buf_view(&x->r->body));
    size_t n = 0;
    if (pl_str_starts(body, PL_STR("<")) || pl_str_starts(body, PL_STR("{"))) {
        return PL_STR("");
    }
    while (n < body.len && n < 200 && (unsigned char)body.ptr[n] >= 0x20) {
        n++;
    }
    while (n && (body.ptr[n - 1] == '.' || ((unsigned char)body.ptr[n - 1] & 0x80))) {
        n--;
    }
    return pl_str_n(body.ptr, n);
}

static void hint(const struct pl_swift_answer *x)
{
    const struct pl_swift *s = x->s;
    switch ((int)x->out->code) {
    case PAIL_E_UNAUTHENTICATED:
        if (s->mode == PL_SWIFT_STATIC) {
            const char *origin = pl_settings_origin(s->settings, "os_auth_token");
            pl_error_hint(x->err,
                          "the token (os_auth_token, %s) is wrong or has ended: get a new one, or "
                          "set os_auth_token_file or _command, or how to log in (os_auth_url, ...)",
                          origin ? origin : "unset");
        } else if (s->same_again && s->mode == PL_SWIFT_FILE) {
            pl_error_hint(x->err,
                          "os_auth_token_file (%s) still has the token that was refused: "
                          "write a new one into it",
                          s->token_file);
        } else if (s->same_again && s->mode == PL_SWIFT_COMMAND) {
            pl_error_hint(x->err, "os_auth_token_command wrote the token that was refused again: "
                                  "it has to get a new one");
        } else {
            pl_error_hint(x->err, "a new token was not accepted either: is the storage URL of "
                                  "this project?");
        }
        break;
    case PAIL_E_FORBIDDEN:
        pl_error_hint(x->err, "the token is good, but its user may not do this: check the roles in "
                              "the project and the container's read and write ACL");
        break;
    case PAIL_E_BAD_CONFIG:
        pl_error_hint(x->err, "it (os_storage_url) looks like https://HOST/v1/AUTH_account");
        break;
    case PAIL_E_NO_SPACE:
        pl_error_hint(x->err, "delete something, or ask the operator for more");
        break;
    case PAIL_E_BUCKET_NOT_EMPTY: pl_error_hint(x->err, "delete what is in it first"); break;
    case PAIL_E_CONFLICT:
        if (x->op->kind == PL_OP_GET || x->op->kind == PL_OP_COPY) {
            pl_error_hint(x->err, "it is a large object, whose parts are objects of their own: put "
                                  "it again, or delete it");
        }
        break;
    case PAIL_E_TOO_LARGE:
        pl_error_hint(x->err, "/info tells the limits of the service (swift.max_file_size)");
        break;
    default: break;
    }
}

void pl_swift_parse_error(const struct pl_swift_answer *x)
{
    struct meaning m = meaning_of(x->r->status);
    *x->out = (struct pl_verdict){.next = m.next, .code = m.code};
    bool handled = react(x) || smaller_pages(x);
    if (x->out->next == PL_NEXT_DONE || x->out->next == PL_NEXT_MORE) {
        return;
    }
    if (!handled) {
        refine(x);
    }
    const char *plain = words(x);
    struct pl_str said = sentence(x);
    if (plain) {
        pl_fail(x->err, x->out->code, "%s", plain);
    } else if (said.len) {
        pl_fail(x->err, x->out->code, "%.*s", (int)said.len, said.ptr);
    } else {
        pl_fail(x->err, x->out->code, "the service refused the request with HTTP %d", x->r->status);
    }
    if (x->err && *x->err && !(*x->err)->is_static) {
        pl_error_set(&(*x->err)->request_id, pl_http_header(x->r, "x-trans-id"));
        (*x->err)->http_status = x->r->status;
    }
    hint(x);
}
