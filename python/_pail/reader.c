/* Reader: one version of an object, anywhere in it. */
#include "module.h"

#include <stdio.h>

struct reader {
    PyObject_HEAD pail_reader *reader; /* NULL: closed */
    struct wait wait;                  /* the reader's hooks point to it */
    struct args args;
    uint64_t at, size; /* bytes */
    atomic_bool busy;  /* a thread is in a call without the lock */
};

PyObject *py_reader_open(PyObject *bucket, PyObject *const *values, Py_ssize_t count,
                         PyObject *names)
{
    const struct state *s = py_state_of(bucket);
    struct get_call c = {.o.size = sizeof c.o};
    pail_error *err = NULL;
    struct reader *self = (struct reader *)s->reader->tp_alloc(s->reader, 0);
    if (!self) {
        return NULL;
    }
    if (py_args_keep(&self->args, s, &py_get_spec, &c, values, count, names) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    if (c.sink || c.with_info) {
        PyErr_SetString(PyExc_TypeError, "reader() takes neither sink nor with_info");
        Py_DECREF(self);
        return NULL;
    }
    self->wait.progress = c.progress;
    py_wait_hook(&self->wait, &c.o.call);
    py_wait_enter(&self->wait);
    pail_code rc = pail_reader_open(py_bucket_of(bucket), c.key, &c.o, &self->reader, &err);
    py_wait_leave(&self->wait);
    if (rc || self->wait.failed) {
        (void)py_raise(s, &self->wait, rc, err);
        Py_DECREF(self);
        return NULL;
    }
    self->size = pail_reader_info(self->reader)->size;
    return (PyObject *)self;
}

static void free_reader(struct reader *self)
{
    pail_reader *reader = self->reader;
    self->reader = NULL;
    Py_BEGIN_ALLOW_THREADS pail_reader_free(reader);
    Py_END_ALLOW_THREADS
}

static int traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct reader *)object)->args.keep);
    return 0;
}

static void dealloc(PyObject *object)
{
    struct reader *self = (struct reader *)object;
    PyObject_GC_UnTrack(object);
    free_reader(self);
    py_args_drop(&self->args);
    py_object_free(object);
}

/* True: this thread has the reader, until py_leave. */
static bool begin(struct reader *self)
{
    if (!py_occupy(&self->busy, "reader")) {
        return false;
    }
    if (!self->reader) {
        PyErr_SetString(PyExc_ValueError, "the reader is closed");
        py_leave(&self->busy);
        return false;
    }
    return true;
}

/* Reads up to n bytes at `offset`; -1 with an exception. */
static Py_ssize_t read_at(struct reader *self, void *buf, size_t n, uint64_t offset)
{
    pail_error *err = NULL;
    size_t got = 0;
    py_wait_enter(&self->wait);
    pail_code rc = pail_reader_pread(self->reader, buf, n, offset, &got, &err);
    py_wait_leave(&self->wait);
    if (rc < 0 || self->wait.failed) {
        (void)py_raise(py_state_of((PyObject *)self), &self->wait, rc, err);
        return -1;
    }
    return (Py_ssize_t)got;
}

/* Bytes of [offset, offset + n) that there are. */
static PyObject *read_new(struct reader *self, Py_ssize_t n, uint64_t offset)
{
    uint64_t left = offset < self->size ? self->size - offset : 0;
    uint64_t want = n < 0 || (uint64_t)n > left ? left : (uint64_t)n;
    if (want > PY_SSIZE_T_MAX / 2) {
        return PyErr_NoMemory();
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)want);
    Py_ssize_t got = bytes && want ? read_at(self, PyBytes_AS_STRING(bytes), want, offset) : 0;
    if (got < 0) {
        Py_CLEAR(bytes);
    } else if (bytes && (uint64_t)got < want) {
        (void)_PyBytes_Resize(&bytes, got); /* on failure: NULL, exception set */
    }
    return bytes;
}

static PyObject *read_next(PyObject *object, PyObject *args)
{
    struct reader *self = (struct reader *)object;
    PyObject *given = Py_None;
    if (!PyArg_ParseTuple(args, "|O:read", &given)) {
        return NULL;
    }
    Py_ssize_t n = given == Py_None ? -1 : PyNumber_AsSsize_t(given, PyExc_OverflowError);
    if (PyErr_Occurred() || !begin(self)) {
        return NULL;
    }
    PyObject *bytes = read_new(self, n, self->at);
    self->at += bytes ? (uint64_t)PyBytes_GET_SIZE(bytes) : 0;
    py_leave(&self->busy);
    return bytes;
}

static PyObject *pread_at(PyObject *object, PyObject *args)
{
    struct reader *self = (struct reader *)object;
    Py_ssize_t n;
    unsigned long long offset;
    if (!PyArg_ParseTuple(args, "nK:pread", &n, &offset) || !begin(self)) {
        return NULL;
    }
    PyObject *bytes = read_new(self, n, offset);
    py_leave(&self->busy);
    return bytes;
}

static PyObject *readinto(PyObject *object, PyObject *into)
{
    struct reader *self = (struct reader *)object;
    Py_buffer view;
    if (PyObject_GetBuffer(into, &view, PyBUF_WRITABLE) < 0) {
        return NULL;
    }
    Py_ssize_t got = -1;
    if (begin(self)) {
        got = view.len ? read_at(self, view.buf, (size_t)view.len, self->at) : 0;
        self->at += got > 0 ? (uint64_t)got : 0;
        py_leave(&self->busy);
    }
    PyBuffer_Release(&view);
    return got < 0 ? NULL : PyLong_FromSsize_t(got);
}

static PyObject *seek(PyObject *object, PyObject *args)
{
    struct reader *self = (struct reader *)object;
    long long offset, base, to;
    int whence = SEEK_SET;
    if (!PyArg_ParseTuple(args, "L|i:seek", &offset, &whence) || !begin(self)) {
        return NULL;
    }
    base = whence == SEEK_CUR   ? (long long)self->at
           : whence == SEEK_END ? (long long)self->size
                                : 0;
    bool ok = (whence == SEEK_SET || whence == SEEK_CUR || whence == SEEK_END) &&
              !__builtin_add_overflow(base, offset, &to) && to >= 0;
    if (ok) {
        self->at = (uint64_t)to;
    } else {
        PyErr_Format(PyExc_ValueError, "no place to seek to: %lld from %d", offset, whence);
    }
    py_leave(&self->busy);
    return ok ? PyLong_FromLongLong(to) : NULL;
}

static PyObject *tell(PyObject *object, PyObject *none)
{
    (void)none;
    return PyLong_FromUnsignedLongLong(((struct reader *)object)->at);
}

static PyObject *close_reader(PyObject *object, PyObject *none)
{
    struct reader *self = (struct reader *)object;
    (void)none;
    if (!py_occupy(&self->busy, "reader")) {
        return NULL;
    }
    free_reader(self);
    py_leave(&self->busy);
    Py_RETURN_NONE;
}

static PyObject *info(PyObject *object, void *none)
{
    struct reader *self = (struct reader *)object;
    (void)none;
    if (!begin(self)) {
        return NULL;
    }
    PyObject *made = py_info_new(py_state_of(object), pail_reader_info(self->reader));
    py_leave(&self->busy);
    return made;
}

static PyMethodDef methods[] = {
    {"read", read_next, METH_VARARGS,
     "read(n=-1) -> bytes\n\nThe next n bytes, fewer only at the end; all the rest without n."},
    {"pread", pread_at, METH_VARARGS,
     "pread(n, offset) -> bytes\n\nWithout moving the position; fewer only at the end."},
    {"readinto", readinto, METH_O,
     "readinto(buffer) -> int\n\nFills a writable buffer; fewer bytes only at the end."},
    {"seek", seek, METH_VARARGS, "seek(offset, whence=0) -> the new position"},
    {"tell", tell, METH_NOARGS, "tell() -> the position"},
    {"close", close_reader, METH_NOARGS, "Ends what is under way. Again: nothing."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"info", info, NULL, "Info of the version that is read.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, SLOT(dealloc)},
    {Py_tp_traverse, SLOT(traverse)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, SLOT("Reads one version of an object. Made by Bucket.reader().")},
    {0, NULL},
};

static PyType_Spec spec = {.name = "pail._pail.Reader",
                           .basicsize = sizeof(struct reader),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
                                    Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
                           .slots = slots};

int py_reader_init(PyObject *module, struct state *s)
{
    return py_type_add(module, &spec, &s->reader);
}
