/* Listings: iterators over buckets, objects and unfinished uploads. */
#include "module.h"

struct iter {
    PyObject_HEAD pail_iter *iter;
    PyObject *of;     /* the Client or Bucket */
    struct wait wait; /* the listing's hooks point to it */
    struct args args;
    atomic_bool busy; /* a thread is in a call without the lock */
};

struct list_call {
    PyObject *progress;
    pail_list_opts o;
};
#define AT(field) offsetof(struct list_call, field)
static const struct arg list_args[] = {
    {"prefix", ARG_TEXT, AT(o.prefix)},
    {"delimiter", ARG_TEXT, AT(o.delimiter)},
    {"start_after", ARG_TEXT, AT(o.start_after)},
    {"pattern", ARG_TEXT, AT(o.pattern)},
    {"versions", ARG_FLAG, AT(o.versions)},
    {"page_size", ARG_COUNT, AT(o.page_size)},
    {"timeout", ARG_SECONDS, AT(o.call.deadline_ms)},
    {"cancel", ARG_CANCEL, AT(o.call.cancel)},
    {"progress", ARG_PROGRESS, AT(progress)},
    {"headers", ARG_PAIRS, AT(o.call.headers)},
    {"request_payer", ARG_TEXT, AT(o.call.request_payer)},
};
static const struct spec list_spec = SPEC("list", 0, 0, list_args);

static pail_code open_listing(struct iter *self, enum listing what, const pail_list_opts *o,
                              pail_error **err)
{
    switch (what) {
    case LIST_BUCKETS: return pail_bucket_list(py_client_of(self->of), o, &self->iter, err);
    case LIST_OBJECTS: return pail_list(py_bucket_of(self->of), o, &self->iter, err);
    case LIST_UPLOADS: return pail_uploads(py_bucket_of(self->of), o, &self->iter, err);
    }
    return PAIL_E_INTERNAL;
}

PyObject *py_iter_open(const struct state *s, enum listing what, PyObject *of,
                       PyObject *const *values, Py_ssize_t count, PyObject *names)
{
    struct list_call c = {.o.size = sizeof c.o};
    pail_error *err = NULL;
    struct iter *self = (struct iter *)s->iter->tp_alloc(s->iter, 0);
    if (!self) {
        return NULL;
    }
    self->of = Py_NewRef(of);
    if (py_args_keep(&self->args, s, &list_spec, &c, values, count, names) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    self->wait.progress = c.progress;
    py_wait_hook(&self->wait, &c.o.call);
    pail_code rc = open_listing(self, what, &c.o, &err);
    if (rc) {
        Py_DECREF(self);
        return py_raise(s, NULL, rc, err);
    }
    return (PyObject *)self;
}

pail_iter *py_iter_of(PyObject *self)
{
    return ((struct iter *)self)->iter;
}

static int traverse(PyObject *object, visitproc visit, void *arg)
{
    struct iter *self = (struct iter *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->of);
    Py_VISIT(self->args.keep);
    return 0;
}

static void dealloc(PyObject *object)
{
    struct iter *self = (struct iter *)object;
    pail_iter *iter = self->iter;
    PyObject_GC_UnTrack(object);
    Py_BEGIN_ALLOW_THREADS pail_iter_free(iter);
    Py_END_ALLOW_THREADS py_args_drop(&self->args);
    Py_CLEAR(self->of);
    py_object_free(object);
}

/* Entries of the page that is there come without giving the lock away. */
static pail_code step(struct iter *self, const pail_info **item, pail_error **err)
{
    if (pail_iter_ready(self->iter)) {
        self->wait.failed = false;
        return pail_iter_next(self->iter, item, err);
    }
    py_wait_enter(&self->wait);
    pail_code rc = pail_iter_next(self->iter, item, err);
    py_wait_leave(&self->wait);
    return rc;
}

static PyObject *next(PyObject *object)
{
    struct iter *self = (struct iter *)object;
    const struct state *s = py_state_of(object);
    const pail_info *item = NULL;
    pail_error *err = NULL;
    PyObject *made = NULL;
    if (!py_occupy(&self->busy, "listing")) {
        return NULL;
    }
    pail_code rc = step(self, &item, &err);
    if (rc < 0 || self->wait.failed) {
        (void)py_raise(s, &self->wait, rc, err);
    } else if (rc == PAIL_OK) {
        made = py_info_new(s, item);
    }
    py_leave(&self->busy);
    return made;
}

/* All that is left of the page that is there; what an asyncio loop reads between two fetches. */
static PyObject *ready(PyObject *object, PyObject *none)
{
    struct iter *self = (struct iter *)object;
    const struct state *s = py_state_of(object);
    PyObject *list = PyList_New(0);
    (void)none;
    if (!list || !py_occupy(&self->busy, "listing")) {
        Py_XDECREF(list);
        return NULL;
    }
    while (list && pail_iter_ready(self->iter)) {
        const pail_info *item = NULL;
        pail_error *err = NULL;
        pail_code rc = pail_iter_next(self->iter, &item, &err);
        PyObject *one = rc ? py_raise(s, NULL, rc, err) : py_info_new(s, item);
        if (!one || PyList_Append(list, one) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(one);
    }
    py_leave(&self->busy);
    return list;
}

static PyMethodDef methods[] = {
    {"ready", ready, METH_NOARGS,
     "ready() -> list of Info\n\nThe rest of the page that is there, without a request."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, SLOT(dealloc)},
    {Py_tp_traverse, SLOT(traverse)},
    {Py_tp_iter, SLOT(PyObject_SelfIter)},
    {Py_tp_iternext, SLOT(next)},
    {Py_tp_methods, methods},
    {Py_tp_doc, SLOT("An iterator of Info; pages are read as they are needed.")},
    {0, NULL},
};

static PyType_Spec spec = {.name = "pail._pail.Listing",
                           .basicsize = sizeof(struct iter),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
                                    Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
                           .slots = slots};

int py_iter_init(PyObject *module, struct state *s)
{
    return py_type_add(module, &spec, &s->iter);
}
