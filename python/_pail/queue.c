/* Queue and Operation: the queue form, for event loops. An operation is submitted with a callable
 * done(result, exception) or a future, which are told in Queue.dispatch() on the loop's thread. The
 * interpreter's lock is kept throughout: nothing here waits. */
#include "module.h"

struct queue {
    PyObject_HEAD pail_queue *queue;
    atomic_bool busy; /* in dispatch */
    Py_ssize_t under_way;
};

enum verb {
    GET,
    PUT,
    STAT,
    TAGS,
    SET_TAGS,
    DELETE,
    COPY,
    RANGES,
    DELETE_MANY,
    PAGE,
    BUCKET,
    UPLOAD_BEGIN,
    UPLOAD_PART, /* and finish */
    UPLOAD_ABORT
};

struct operation {
    PyObject_HEAD pail_op *op; /* NULL: completed */
    struct queue *queue;       /* owned */
    PyObject *target;          /* the Bucket or Listing; owned */
    PyObject *done;            /* owned */
    enum verb verb;
    struct wait wait;
    struct args args;
    struct body body;
    struct ranges ranges;
    struct keys keys;
    struct parts parts;
    union {
        struct get_call get;
        struct put_call put;
        struct stat_call stat;
        struct delete_call delete;
        struct copy_call copy;
        struct ranges_call ranges;
        struct delete_many_call delete_many;
        struct tags_call tags;
        struct upload_call upload;
    } call;
};

/* ---- completion */

static PyObject *result_of(struct operation *o, const struct state *s, const pail_info *info)
{
    switch (o->verb) {
    case GET: return py_got(s, &o->body, o->call.get.sink, o->call.get.with_info ? info : NULL);
    case TAGS: return info ? py_dict_of(info->tags, info->tag_count) : PyDict_New();
    case RANGES: return py_ranges_list(&o->ranges);
    case UPLOAD_BEGIN: return py_text(info->upload_id);
    case PUT:
    case STAT:
    case UPLOAD_PART:
    case COPY: return info ? py_info_new(s, info) : Py_NewRef(Py_None);
    case SET_TAGS:
    case DELETE:
    case DELETE_MANY:
    case UPLOAD_ABORT:
    case BUCKET: return Py_NewRef(Py_None);
    case PAGE: return Py_NewRef(Py_True);
    }
    return NULL;
}

/* A future takes no StopIteration. The reference is taken over. */
static PyObject *as_runtime_error(PyObject *raised)
{
    PyObject *made =
        PyObject_CallFunction(PyExc_RuntimeError, "s", "a callback raised StopIteration");
    if (!made) {
        PyErr_Clear();
        return raised;
    }
    PyException_SetCause(made, raised);
    return made;
}

/* The exception of a failed operation: a callback's own goes first. */
static PyObject *failure_of(struct operation *o, const struct state *s, pail_code rc,
                            const pail_error *err)
{
    py_wait_drop(&o->wait); /* one that is set: of making the result */
    PyObject *raised = o->wait.raised;
    o->wait.raised = NULL;
    if (raised && PyErr_GivenExceptionMatches(raised, PyExc_StopIteration)) {
        raised = as_runtime_error(raised);
    }
    return raised ? raised : py_error_new(s, rc, err);
}

/* A future that was cancelled meanwhile is done already. */
static PyObject *tell(const struct state *s, PyObject *done, PyObject *result, PyObject *error)
{
    if (PyCallable_Check(done)) {
        return PyObject_CallFunctionObjArgs(done, result ? result : Py_None,
                                            error ? error : Py_None, NULL);
    }
    PyObject *over = PyObject_CallMethodNoArgs(done, s->done);
    int is_over = over ? PyObject_IsTrue(over) : -1;
    Py_XDECREF(over);
    if (is_over) {
        return is_over < 0 ? NULL : Py_NewRef(Py_None);
    }
    return error ? PyObject_CallMethodOneArg(done, s->set_exception, error)
                 : PyObject_CallMethodOneArg(done, s->set_result, result);
}

static void completed(pail_op *op, pail_code rc, const pail_info *info, const pail_error *err,
                      void *ctx)
{
    struct operation *o = ctx;
    const struct state *s = py_state_of((PyObject *)o);
    PyObject *done = o->done, *answer = NULL, *result = NULL, *error = NULL;
    (void)op;
    o->op = NULL;
    o->done = NULL;
    o->queue->under_way--;
    if (rc == PAIL_OK && !o->wait.raised && py_wait_end(&o->wait, o->body.pub.used)) {
        result = result_of(o, s, info);
    }
    if (!result) {
        error = failure_of(o, s, rc, err);
    }
    if (result || error) {
        answer = tell(s, done, result, error);
    }
    if (!answer) {
        PyErr_WriteUnraisable(done);
    }
    Py_XDECREF(answer);
    Py_XDECREF(result);
    Py_XDECREF(error);
    Py_DECREF(done);
    Py_DECREF(o); /* what the library had of it */
}

/* ---- operations */

#define FAST(f) (PyCFunction)(void (*)(void))(f), METH_FASTCALL

static int op_traverse(PyObject *self, visitproc visit, void *arg)
{
    struct operation *o = (struct operation *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(o->queue);
    Py_VISIT(o->target);
    Py_VISIT(o->done);
    Py_VISIT(o->args.keep);
    return 0;
}

static void op_dealloc(PyObject *self)
{
    struct operation *o = (struct operation *)self;
    PyObject_GC_UnTrack(self);
    py_body_drop(&o->body);
    py_ranges_drop(&o->ranges);
    py_keys_drop(&o->keys);
    py_parts_drop(&o->parts);
    py_args_drop(&o->args);
    Py_CLEAR(o->wait.raised);
    Py_CLEAR(o->done);
    Py_CLEAR(o->target);
    Py_CLEAR(o->queue);
    py_object_free(self);
}

static PyObject *op_cancel(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
    struct operation *o = (struct operation *)self;
    if (count > 1) {
        PyErr_SetString(PyExc_TypeError, "cancel() takes at most a callable");
        return NULL;
    }
    if (!o->op) {
        Py_RETURN_FALSE;
    }
    if (count) {
        Py_SETREF(o->done, Py_NewRef(values[0]));
    }
    pail_op_cancel(o->op);
    Py_RETURN_TRUE;
}

static PyMethodDef op_methods[] = {
    {"cancel", FAST(op_cancel),
     "cancel(done=the one of its submit) -> whether it is under way\n\n"
     "Asks it to stop; it may still succeed. On the queue's thread."},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot op_slots[] = {
    {Py_tp_dealloc, SLOT(op_dealloc)},
    {Py_tp_traverse, SLOT(op_traverse)},
    {Py_tp_methods, op_methods},
    {Py_tp_doc, SLOT("An operation under way. Made by Queue.")},
    {0, NULL},
};
static PyType_Spec op_spec = {.name = "pail._pail.Operation",
                              .basicsize = sizeof(struct operation),
                              .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
                                       Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
                              .slots = op_slots};

/* An operation on `target`, which `type` makes; -1 arguments are done and target. */
static struct operation *op_new(PyObject *queue, enum verb verb, PyTypeObject *type,
                                PyObject *const *values, Py_ssize_t count)
{
    const struct state *s = py_state_of(queue);
    if (count < 2 || !PyObject_TypeCheck(values[0], type) ||
        !(PyCallable_Check(values[1]) || PyObject_HasAttr(values[1], s->set_result))) {
        PyErr_Format(PyExc_TypeError,
                     "takes a %s, a future or a callable done(result, exception), and arguments",
                     type->tp_name);
        return NULL;
    }
    struct operation *o = (struct operation *)s->operation->tp_alloc(s->operation, 0);
    if (o) {
        o->verb = verb;
        o->queue = (struct queue *)Py_NewRef(queue);
        o->target = Py_NewRef(values[0]);
        o->done = Py_NewRef(values[1]);
        o->wait.keeps_lock = true;
    }
    return o;
}

/* Submits it; the library has a reference of its own until completion. NULL with an exception. */
static PyObject *submit(struct operation *o, pail_request *r)
{
    const struct state *s = py_state_of((PyObject *)o);
    pail_error *err = NULL;
    pail_code rc;
    Py_INCREF(o);
    o->queue->under_way++;
    if (o->verb == PAGE) {
        rc = pail_iter_submit(o->queue->queue, py_iter_of(o->target), completed, o, &o->op, &err);
    } else {
        r->size = sizeof *r;
        r->bucket = py_bucket_of(o->target);
        rc = pail_submit(o->queue->queue, r, completed, o, &o->op, &err);
    }
    if (rc == PAIL_OK) {
        return (PyObject *)o;
    }
    o->queue->under_way--;
    Py_DECREF(o);
    Py_DECREF(o);
    return rc == PAIL_DONE ? Py_NewRef(Py_None) : py_raise(s, NULL, rc, err);
}

static PyObject *take(PyObject *self, enum verb verb, const struct spec *spec,
                      PyObject *const *values, Py_ssize_t count, PyObject *names,
                      struct operation **out)
{
    const struct state *s = py_state_of(self);
    struct operation *o = op_new(self, verb, s->bucket, values, count);
    *out = o;
    if (o && py_args_keep(&o->args, s, spec, &o->call, values + 2, count - 2, names) < 0) {
        Py_DECREF(o);
        return NULL;
    }
    return (PyObject *)o;
}

static PY_METHOD(queue_get)
{
    struct operation *o;
    if (!take(self, GET, &py_get_spec, values, count, names, &o)) {
        return NULL;
    }
    struct get_call *c = &o->call.get;
    c->o.size = sizeof c->o;
    o->wait.progress = c->progress;
    py_wait_hook(&o->wait, &c->o.call);
    if (!c->progress) {
        c->o.call.progress = NULL;
    }
    if (py_sink_take(&o->body, py_state_of(self), &o->wait, c->sink) < 0) {
        Py_DECREF(o);
        return NULL;
    }
    pail_request r = {.verb = PAIL_GET, .key = c->key, .body = &o->body.pub, .opts = &c->o};
    return submit(o, &r);
}

static PY_METHOD(queue_put)
{
    struct operation *o;
    if (!take(self, PUT, &py_put_spec, values, count, names, &o)) {
        return NULL;
    }
    struct put_call *c = &o->call.put;
    c->o.size = sizeof c->o;
    o->wait.progress = c->progress;
    py_wait_hook(&o->wait, &c->o.call);
    if (!c->progress) {
        c->o.call.progress = NULL;
    }
    if (py_source_take(&o->body, py_state_of(self), &o->wait, c->source ? c->source : Py_None) <
        0) {
        Py_DECREF(o);
        return NULL;
    }
    o->body.pub.expected_size = c->expected_size;
    pail_request r = {.verb = PAIL_PUT, .key = c->key, .body = &o->body.pub, .opts = &c->o};
    return submit(o, &r);
}

static PyObject *stat_or_tags(PyObject *self, enum verb verb, PyObject *const *values,
                              Py_ssize_t count, PyObject *names)
{
    struct operation *o;
    if (!take(self, verb, &py_stat_spec, values, count, names, &o)) {
        return NULL;
    }
    struct stat_call *c = &o->call.stat;
    c->o.size = sizeof c->o;
    pail_request r = {
        .verb = verb == TAGS ? PAIL_TAGS_GET : PAIL_STAT, .key = c->key, .opts = &c->o};
    return submit(o, &r);
}

static PY_METHOD(queue_stat)
{
    return stat_or_tags(self, STAT, values, count, names);
}

static PY_METHOD(queue_tags)
{
    return stat_or_tags(self, TAGS, values, count, names);
}

static PY_METHOD(queue_set_tags)
{
    struct operation *o;
    if (!take(self, SET_TAGS, &py_tags_spec, values, count, names, &o)) {
        return NULL;
    }
    struct tags_call *c = &o->call.tags;
    c->o.size = sizeof c->o;
    pail_request r = {.verb = PAIL_TAGS_SET,
                      .key = c->key,
                      .opts = &c->o,
                      .tags = c->tags,
                      .count = c->tag_count};
    return submit(o, &r);
}

/* ---- uploads in parts */

static PyObject *submit_upload(struct operation *o, pail_verb verb)
{
    struct upload_call *c = &o->call.upload;
    c->o.size = sizeof c->o;
    c->abort.size = sizeof c->abort;
    pail_request r = {.verb = verb,
                      .key = c->key,
                      .opts = verb == PAIL_UPLOAD_ABORT ? (void *)&c->abort : (void *)&c->o,
                      .upload_id = c->upload_id,
                      .number = c->number,
                      .body = &o->body.pub,
                      .parts = o->parts.parts,
                      .count = o->parts.count};
    return submit(o, &r);
}

static PY_METHOD(queue_upload_begin)
{
    struct operation *o;
    return take(self, UPLOAD_BEGIN, &py_begin_spec, values, count, names, &o)
               ? submit_upload(o, PAIL_UPLOAD_BEGIN)
               : NULL;
}

static PY_METHOD(queue_upload_part)
{
    struct operation *o;
    if (!take(self, UPLOAD_PART, &py_part_spec, values, count, names, &o)) {
        return NULL;
    }
    PyObject *source = o->call.upload.source;
    if (py_source_take(&o->body, py_state_of(self), &o->wait, source ? source : Py_None) < 0) {
        Py_DECREF(o);
        return NULL;
    }
    return submit_upload(o, PAIL_UPLOAD_PART);
}

static PY_METHOD(queue_upload_finish)
{
    struct operation *o;
    if (!take(self, UPLOAD_PART, &py_finish_spec, values, count, names, &o)) {
        return NULL;
    }
    if (py_parts_take(&o->parts, py_state_of(self), o->call.upload.parts) < 0) {
        Py_DECREF(o);
        return NULL;
    }
    return submit_upload(o, PAIL_UPLOAD_FINISH);
}

static PY_METHOD(queue_upload_abort)
{
    struct operation *o;
    return take(self, UPLOAD_ABORT, &py_abort_spec, values, count, names, &o)
               ? submit_upload(o, PAIL_UPLOAD_ABORT)
               : NULL;
}

static PY_METHOD(queue_get_ranges)
{
    struct operation *o;
    if (!take(self, RANGES, &py_ranges_spec, values, count, names, &o)) {
        return NULL;
    }
    struct ranges_call *c = &o->call.ranges;
    struct ranges *g = &o->ranges;
    c->o.size = sizeof c->o;
    if (py_ranges_take(g, c->ranges ? c->ranges : Py_None) < 0) {
        Py_DECREF(o);
        return NULL;
    }
    pail_request r = {.verb = PAIL_GET_RANGES,
                      .key = c->key,
                      .opts = &c->o,
                      .count = g->count,
                      .ranges = g->ranges,
                      .bufs = g->bufs,
                      .got = g->got,
                      .coalesce_gap = c->gap};
    return submit(o, &r);
}

static PY_METHOD(queue_delete_many)
{
    struct operation *o;
    if (!take(self, DELETE_MANY, &py_delete_many_spec, values, count, names, &o)) {
        return NULL;
    }
    struct delete_many_call *c = &o->call.delete_many;
    c->o.size = sizeof c->o;
    if (c->errors) {
        PyErr_SetString(PyExc_TypeError, "errors=True is for the blocking call");
    }
    if (c->errors || py_keys_take(&o->keys, c->keys ? c->keys : Py_None) < 0) {
        Py_DECREF(o);
        return NULL;
    }
    pail_request r = {
        .verb = PAIL_DELETE_MANY, .opts = &c->o, .count = o->keys.count, .keys = o->keys.texts};
    return submit(o, &r);
}

static PY_METHOD(queue_delete)
{
    struct operation *o;
    if (!take(self, DELETE, &py_delete_spec, values, count, names, &o)) {
        return NULL;
    }
    struct delete_call *c = &o->call.delete;
    c->o.size = sizeof c->o;
    pail_request r = {.verb = PAIL_DELETE, .key = c->key, .opts = &c->o};
    return submit(o, &r);
}

static PY_METHOD(queue_copy)
{
    struct operation *o;
    if (!take(self, COPY, &py_copy_spec, values, count, names, &o)) {
        return NULL;
    }
    struct copy_call *c = &o->call.copy;
    c->o.size = sizeof c->o;
    c->o.attr = c->replace ? &c->attr : NULL;
    pail_request r = {.verb = PAIL_COPY,
                      .key = c->key,
                      .opts = &c->o,
                      .dst_bucket = py_bucket_of(c->to_bucket ? c->to_bucket : o->target),
                      .dst_key = c->to_key};
    return submit(o, &r);
}

/* ---- without arguments */

static PyObject *page(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
    struct operation *o = op_new(self, PAGE, py_state_of(self)->iter, values, count);
    return o ? submit(o, NULL) : NULL;
}

static PyObject *on_bucket(PyObject *self, PyObject *const *values, Py_ssize_t count,
                           pail_verb verb)
{
    pail_request r = {.verb = verb};
    struct operation *o = op_new(self, BUCKET, py_state_of(self)->bucket, values, count);
    return o ? submit(o, &r) : NULL;
}

static PyObject *bucket_create(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
    return on_bucket(self, values, count, PAIL_BUCKET_CREATE);
}

static PyObject *bucket_exists(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
    return on_bucket(self, values, count, PAIL_BUCKET_EXISTS);
}

static PyObject *bucket_delete(PyObject *self, PyObject *const *values, Py_ssize_t count)
{
    return on_bucket(self, values, count, PAIL_BUCKET_DELETE);
}

/* ---- the queue */

static PyObject *tp_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    if (PyTuple_GET_SIZE(args) || (keywords && PyDict_GET_SIZE(keywords))) {
        PyErr_SetString(PyExc_TypeError, "Queue() takes no arguments");
        return NULL;
    }
    struct queue *self = (struct queue *)type->tp_alloc(type, 0);
    if (self) {
        self->queue = pail_queue_new();
        if (!self->queue) {
            Py_DECREF(self);
            return PyErr_NoMemory();
        }
    }
    return (PyObject *)self;
}

/* Each operation has a reference, so none is under way. */
static void dealloc(PyObject *self)
{
    pail_queue_free(((struct queue *)self)->queue);
    py_object_free(self);
}

static PyObject *dispatch(PyObject *object, PyObject *none)
{
    struct queue *self = (struct queue *)object;
    (void)none;
    if (!py_occupy(&self->busy, "queue")) {
        return NULL;
    }
    int n = pail_queue_dispatch(self->queue, 0);
    py_leave(&self->busy);
    return PyErr_Occurred() ? NULL : PyLong_FromLong(n);
}

static PyObject *descriptor(PyObject *self, PyObject *none)
{
    (void)none;
    return PyLong_FromLong(pail_queue_fd(((struct queue *)self)->queue));
}

static PyObject *under_way(PyObject *self, void *none)
{
    (void)none;
    return PyLong_FromSsize_t(((struct queue *)self)->under_way);
}

static PyMethodDef methods[] = {
    {"fileno", descriptor, METH_NOARGS, "Readable when dispatch() has work."},
    {"dispatch", dispatch, METH_NOARGS,
     "dispatch() -> how many operations completed\n\nMoves operations on and calls their done;\n"
     "does not wait."},
    {"get", FAST_KEYWORDS(queue_get), "get(bucket, done, key, sink=None, **as_of_get)"},
    {"put", FAST_KEYWORDS(queue_put), "put(bucket, done, key, source, **as_of_put)"},
    {"stat", FAST_KEYWORDS(queue_stat), "stat(bucket, done, key, **as_of_stat)"},
    {"tags", FAST_KEYWORDS(queue_tags), "tags(bucket, done, key, **as_of_tags)"},
    {"set_tags", FAST_KEYWORDS(queue_set_tags), "set_tags(bucket, done, key, tags, ...)"},
    {"upload_begin", FAST_KEYWORDS(queue_upload_begin), "upload_begin(bucket, done, key, ...)"},
    {"upload_part", FAST_KEYWORDS(queue_upload_part),
     "upload_part(bucket, done, key, upload_id, number, source, ...)"},
    {"upload_finish", FAST_KEYWORDS(queue_upload_finish),
     "upload_finish(bucket, done, key, upload_id, parts, ...)"},
    {"upload_abort", FAST_KEYWORDS(queue_upload_abort),
     "upload_abort(bucket, done, key, upload_id, ...)"},
    {"get_ranges", FAST_KEYWORDS(queue_get_ranges), "get_ranges(bucket, done, key, ranges, ...)"},
    {"delete_many", FAST_KEYWORDS(queue_delete_many), "delete_many(bucket, done, keys, ...)"},
    {"delete", FAST_KEYWORDS(queue_delete), "delete(bucket, done, key, **as_of_delete)"},
    {"copy", FAST_KEYWORDS(queue_copy), "copy(bucket, done, key, to_key, **as_of_copy)"},
    {"page", FAST(page), "page(listing, done)\n\nBrings its next page; None where there is none."},
    {"bucket_create", FAST(bucket_create), "bucket_create(bucket, done)"},
    {"bucket_exists", FAST(bucket_exists), "bucket_exists(bucket, done)"},
    {"bucket_delete", FAST(bucket_delete), "bucket_delete(bucket, done)"},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef attributes[] = {
    {"under_way", under_way, NULL, "Operations that have not completed.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot slots[] = {
    {Py_tp_new, SLOT(tp_new)},
    {Py_tp_dealloc, SLOT(dealloc)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, SLOT("Queue()\n\nCompletions of one event loop; used on its thread alone.")},
    {0, NULL},
};
static PyType_Spec spec = {.name = "pail._pail.Queue",
                           .basicsize = sizeof(struct queue),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
                           .slots = slots};

int py_queue_init(PyObject *module, struct state *s)
{
    return py_type_add(module, &op_spec, &s->operation) < 0 ? -1
                                                            : py_type_add(module, &spec, &s->queue);
}
