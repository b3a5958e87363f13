/* Writer: an object from its start to its end, visible once it is committed. */
#include "module.h"

struct writer {
    PyObject_HEAD pail_writer *writer; /* NULL: ended */
    struct wait wait;                  /* the writer's hooks point to it */
    struct args args;
    uint64_t at;      /* bytes written */
    atomic_bool busy; /* a thread is in a call without the lock */
};

/* put()'s arguments without its source. */
static PyObject *open_with(PyObject *bucket, struct writer *self, PyObject *const *values,
                           Py_ssize_t count, PyObject *names)
{
    const struct state *s = py_state_of(bucket);
    struct spec spec = py_put_spec;
    struct put_call c = {.o.size = sizeof c.o};
    pail_error *err = NULL;
    spec.function = "writer";
    spec.required = spec.positional = 1;
    if (py_args_keep(&self->args, s, &spec, &c, values, count, names) < 0) {
        return NULL;
    }
    if (c.source) {
        PyErr_SetString(PyExc_TypeError, "writer() takes no source: write() to it");
        return NULL;
    }
    self->wait.progress = c.progress;
    py_wait_hook(&self->wait, &c.o.call);
    py_wait_enter(&self->wait);
    pail_code rc = pail_writer_open(py_bucket_of(bucket), c.key, &c.o, &self->writer, &err);
    py_wait_leave(&self->wait);
    return rc || self->wait.failed ? py_raise(s, &self->wait, rc, err) : (PyObject *)self;
}

PyObject *py_writer_open(PyObject *bucket, PyObject *const *values, Py_ssize_t count,
                         PyObject *names)
{
    const struct state *s = py_state_of(bucket);
    struct writer *self = (struct writer *)s->writer->tp_alloc(s->writer, 0);
    if (self && !open_with(bucket, self, values, count, names)) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void free_writer(struct writer *self)
{
    pail_writer *writer = self->writer;
    self->writer = NULL;
    py_wait_enter(&self->wait);
    self->wait.failed = false;
    pail_writer_free(writer);
    py_wait_leave(&self->wait);
}

static int traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct writer *)object)->args.keep);
    return 0;
}

static void dealloc(PyObject *object)
{
    struct writer *self = (struct writer *)object;
    PyObject *type, *value, *traceback;
    PyObject_GC_UnTrack(object);
    PyErr_Fetch(&type, &value, &traceback); /* the hook asks for signals meanwhile */
    self->wait.progress = NULL;
    free_writer(self);
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(NULL);
    }
    PyErr_Restore(type, value, traceback);
    py_args_drop(&self->args);
    py_object_free(object);
}

/* True: this thread has the writer, until py_leave. */
static bool begin(struct writer *self)
{
    if (!py_occupy(&self->busy, "writer")) {
        return false;
    }
    if (!self->writer) {
        PyErr_SetString(PyExc_ValueError, "the writer has ended");
        py_leave(&self->busy);
        return false;
    }
    return true;
}

static PyObject *write_bytes(PyObject *object, PyObject *from)
{
    struct writer *self = (struct writer *)object;
    Py_buffer view;
    pail_error *err = NULL;
    if (PyObject_GetBuffer(from, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    if (!begin(self)) {
        PyBuffer_Release(&view);
        return NULL;
    }
    py_wait_enter(&self->wait);
    pail_code rc = pail_writer_write(self->writer, view.buf, (size_t)view.len, &err);
    py_wait_leave(&self->wait);
    self->at += rc ? 0 : (uint64_t)view.len;
    py_leave(&self->busy);
    Py_ssize_t n = view.len;
    PyBuffer_Release(&view);
    return rc || self->wait.failed ? py_raise(py_state_of(object), &self->wait, rc, err)
                                   : PyLong_FromSsize_t(n);
}

static PyObject *commit(PyObject *object, PyObject *none)
{
    struct writer *self = (struct writer *)object;
    pail_info *info = NULL;
    pail_error *err = NULL;
    (void)none;
    if (!begin(self)) {
        return NULL;
    }
    py_wait_enter(&self->wait);
    pail_code rc = pail_writer_commit(self->writer, &info, &err);
    py_wait_leave(&self->wait);
    bool failed = self->wait.failed;
    pail_writer_free(self->writer); /* has ended: nothing is left to wait for */
    self->writer = NULL;
    py_leave(&self->busy);
    if (rc || failed) {
        pail_info_free(info);
        return py_raise(py_state_of(object), &self->wait, rc, err);
    }
    return py_info_take(py_state_of(object), info);
}

static PyObject *discard(PyObject *object, PyObject *none)
{
    struct writer *self = (struct writer *)object;
    (void)none;
    if (!py_occupy(&self->busy, "writer")) {
        return NULL;
    }
    free_writer(self);
    py_leave(&self->busy);
    if (PyErr_Occurred()) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *tell(PyObject *object, PyObject *none)
{
    (void)none;
    return PyLong_FromUnsignedLongLong(((struct writer *)object)->at);
}

static PyObject *ended(PyObject *object, void *none)
{
    (void)none;
    return PyBool_FromLong(!((struct writer *)object)->writer);
}

static PyMethodDef methods[] = {
    {"write", write_bytes, METH_O,
     "write(data) -> int\n\nTakes all of a bytes-like object, or fails for good."},
    {"commit", commit, METH_NOARGS,
     "commit() -> Info\n\nMakes the object visible in one step; the writer has ended then."},
    {"discard", discard, METH_NOARGS,
     "Drops all that was written: nothing is left behind. Again, or after commit(): nothing."},
    {"tell", tell, METH_NOARGS, "tell() -> bytes written so far"},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"ended", ended, NULL, "Committed or discarded.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, SLOT(dealloc)},
    {Py_tp_traverse, SLOT(traverse)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, SLOT("Writes one object. Made by Bucket.writer(). Dropped without commit():\n"
                     "nothing is stored.")},
    {0, NULL},
};

static PyType_Spec spec = {.name = "pail._pail.Writer",
                           .basicsize = sizeof(struct writer),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
                                    Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
                           .slots = slots};

int py_writer_init(PyObject *module, struct state *s)
{
    return py_type_add(module, &spec, &s->writer);
}
