/* Reader: one version of an object, from its start to its end. */
#include "module.h"

struct reader {
    PyObject_HEAD pail_reader *reader; /* NULL: closed */
    struct wait wait;                  /* the reader's hooks point to it */
    uint64_t left;                     /* bytes behind the position */
    bool busy;                         /* a thread is in a call without the lock */
};

PyObject *py_reader_open(const struct state *s, pail_bucket *bucket, const char *key)
{
    pail_get_opts o = {.size = sizeof o};
    pail_error *err = NULL;
    struct reader *self = (struct reader *)s->reader->tp_alloc(s->reader, 0);
    if (!self) {
        return NULL;
    }
    py_wait_hook(&self->wait, &o.call);
    py_wait_enter(&self->wait);
    pail_code rc = pail_reader_open(bucket, key, &o, &self->reader, &err);
    py_wait_leave(&self->wait);
    if (rc || self->wait.failed) {
        (void)py_raise(s, &self->wait, rc, err);
        Py_DECREF(self);
        return NULL;
    }
    self->left = pail_reader_info(self->reader)->size;
    return (PyObject *)self;
}

static void free_reader(struct reader *self)
{
    pail_reader *reader = self->reader;
    self->reader = NULL;
    Py_BEGIN_ALLOW_THREADS pail_reader_free(reader);
    Py_END_ALLOW_THREADS
}

static void dealloc(PyObject *self)
{
    free_reader((struct reader *)self);
    py_object_free(self);
}

static bool usable(const struct reader *self)
{
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError, "another thread is using this reader");
    } else if (!self->reader) {
        PyErr_SetString(PyExc_ValueError, "the reader is closed");
    } else {
        return true;
    }
    return false;
}

/* Fills `bytes`, which it takes. */
static PyObject *fill(struct reader *self, PyObject *bytes)
{
    pail_error *err = NULL;
    size_t got = 0;
    char *buf = PyBytes_AS_STRING(bytes);
    size_t n = (size_t)PyBytes_GET_SIZE(bytes);
    self->busy = true;
    py_wait_enter(&self->wait);
    pail_code rc = pail_reader_read(self->reader, buf, n, &got, &err);
    py_wait_leave(&self->wait);
    self->busy = false;
    if (rc < 0 || self->wait.failed) {
        Py_DECREF(bytes);
        return py_raise(py_state_of((PyObject *)self), &self->wait, rc, err);
    }
    self->left -= got;
    if (got < n) {
        (void)_PyBytes_Resize(&bytes, (Py_ssize_t)got); /* on failure: NULL, exception set */
    }
    return bytes;
}

static PyObject *read_bytes(PyObject *object, PyObject *args)
{
    struct reader *self = (struct reader *)object;
    Py_ssize_t n = -1;
    if (!PyArg_ParseTuple(args, "|n:read", &n) || !usable(self)) {
        return NULL;
    }
    uint64_t want = n < 0 || (uint64_t)n > self->left ? self->left : (uint64_t)n;
    if (want > PY_SSIZE_T_MAX) {
        return PyErr_NoMemory();
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)want);
    return bytes && want ? fill(self, bytes) : bytes;
}

static PyObject *close_reader(PyObject *object, PyObject *none)
{
    struct reader *self = (struct reader *)object;
    (void)none;
    if (self->reader && !usable(self)) {
        return NULL;
    }
    free_reader(self);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"read", read_bytes, METH_VARARGS,
     "read(n=-1) -> bytes\n\nThe next n bytes, fewer only at the end; all the rest without n."},
    {"close", close_reader, METH_NOARGS, "Ends what is under way. Again: nothing."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, SLOT(dealloc)},
    {Py_tp_methods, methods},
    {Py_tp_doc, SLOT("Reads one version of an object. Made by Bucket.reader().")},
    {0, NULL},
};

static PyType_Spec spec = {.name = "pail.Reader",
                           .basicsize = sizeof(struct reader),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                                    Py_TPFLAGS_IMMUTABLETYPE,
                           .slots = slots};

int py_reader_init(PyObject *module, struct state *s)
{
    return py_type_add(module, &spec, &s->reader);
}
