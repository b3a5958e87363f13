/* Iterators over buckets and objects. */
#include "module.h"

struct iter {
    PyObject_HEAD pail_iter *iter;
    struct wait wait; /* the listing's hooks point to it */
    bool busy;        /* a thread is in a call without the lock */
};

PyObject *py_iter_open(const struct state *s, pail_client *client, pail_bucket *bucket,
                       PyObject *args, PyObject *keywords)
{
    static const char *const names[] = {"prefix",  "delimiter", "start_after",
                                        "pattern", "page_size", NULL};
    pail_list_opts o = {.size = sizeof o};
    pail_error *err = NULL;
    unsigned page_size = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|$zzzzI:list", KEYWORDS(names), &o.prefix,
                                     &o.delimiter, &o.start_after, &o.pattern, &page_size)) {
        return NULL;
    }
    o.page_size = page_size;
    struct iter *self = (struct iter *)s->iter->tp_alloc(s->iter, 0);
    if (!self) {
        return NULL;
    }
    py_wait_hook(&self->wait, &o.call);
    pail_code rc = bucket ? pail_list(bucket, &o, &self->iter, &err)
                          : pail_bucket_list(client, &o, &self->iter, &err);
    if (rc) {
        Py_DECREF(self);
        return py_raise(s, NULL, rc, err);
    }
    return (PyObject *)self;
}

static void dealloc(PyObject *self)
{
    pail_iter *iter = ((struct iter *)self)->iter;
    Py_BEGIN_ALLOW_THREADS pail_iter_free(iter);
    Py_END_ALLOW_THREADS py_object_free(self);
}

/* Entries of the page that is there come without giving the lock away. */
static pail_code step(struct iter *self, const pail_info **item, pail_error **err)
{
    if (pail_iter_ready(self->iter)) {
        self->wait.failed = false;
        return pail_iter_next(self->iter, item, err);
    }
    self->busy = true;
    py_wait_enter(&self->wait);
    pail_code rc = pail_iter_next(self->iter, item, err);
    py_wait_leave(&self->wait);
    self->busy = false;
    return rc;
}

static PyObject *next(PyObject *object)
{
    struct iter *self = (struct iter *)object;
    const struct state *s = py_state_of(object);
    const pail_info *item = NULL;
    pail_error *err = NULL;
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError, "another thread is using this listing");
        return NULL;
    }
    pail_code rc = step(self, &item, &err);
    if (rc < 0 || self->wait.failed) {
        return py_raise(s, &self->wait, rc, err);
    }
    return rc == PAIL_DONE ? NULL : py_info_new(s, item);
}

static PyType_Slot slots[] = {
    {Py_tp_dealloc, SLOT(dealloc)},
    {Py_tp_iter, SLOT(PyObject_SelfIter)},
    {Py_tp_iternext, SLOT(next)},
    {Py_tp_doc, SLOT("An iterator of Info; pages are read as they are needed.")},
    {0, NULL},
};

static PyType_Spec spec = {.name = "pail.Listing",
                           .basicsize = sizeof(struct iter),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                                    Py_TPFLAGS_IMMUTABLETYPE,
                           .slots = slots};

int py_iter_init(PyObject *module, struct state *s)
{
    return py_type_add(module, &spec, &s->iter);
}
