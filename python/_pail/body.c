/* Where bytes come from and go to: the buffer protocol without a copy, paths and descriptors by the
 * library itself, files of Python's by their read and write. */
#include "module.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

enum {
    CHUNK = 1 << 20, /* bytes of one read or write of a Python file */
    LOOK_EVERY_MS = 100
};

/* ---- files of Python's */

/* Waits for bytes of a pipe, in slices: a signal that comes just before a wait does not end it. */
static bool await_bytes(const struct body *b)
{
    struct pollfd pipe = {.fd = b->pipe_fd, .events = POLLIN};
    int ready = 0;
    while (ready == 0 && PyErr_CheckSignals() == 0) {
        Py_BEGIN_ALLOW_THREADS ready = poll(&pipe, 1, LOOK_EVERY_MS);
        Py_END_ALLOW_THREADS ready = ready < 0 && errno == EINTR ? 0 : ready;
    }
    return ready != 0; /* what is wrong with it, read() tells */
}

/* bytes of at most n, or NULL with an exception. */
static PyObject *read_some(const struct body *b, size_t n)
{
    if (b->is_pipe ? !await_bytes(b) : PyErr_CheckSignals() < 0) {
        return NULL;
    }
    PyObject *size = PyLong_FromSize_t(n);
    PyObject *got = size ? PyObject_CallMethodOneArg(b->object, b->state->read, size) : NULL;
    Py_XDECREF(size);
    if (got && !PyBytes_Check(got)) {
        PyErr_Format(PyExc_TypeError, "read() gave %.100s, not bytes: open the file in binary mode",
                     Py_TYPE(got)->tp_name);
        Py_CLEAR(got);
    } else if (got && (size_t)PyBytes_GET_SIZE(got) > n) {
        PyErr_SetString(PyExc_ValueError, "read() gave more bytes than were asked for");
        Py_CLEAR(got);
    }
    return got;
}

static int64_t pull(void *buf, size_t n, void *ctx)
{
    struct body *b = ctx;
    int64_t used = -1;
    py_wait_hold(b->wait);
    PyObject *got = b->wait->failed ? NULL : read_some(b, n < CHUNK ? n : CHUNK);
    if (got) {
        used = PyBytes_GET_SIZE(got);
        memcpy(buf, PyBytes_AS_STRING(got), (size_t)used);
        Py_DECREF(got);
    }
    b->wait->failed = used < 0;
    py_wait_drop(b->wait);
    return used;
}

/* How many of the n bytes the file took; negative: an exception. */
static Py_ssize_t write_some(const struct body *b, const char *data, size_t n)
{
    PyObject *bytes = PyBytes_FromStringAndSize(data, (Py_ssize_t)n);
    PyObject *took = bytes ? PyObject_CallMethodOneArg(b->object, b->state->write, bytes) : NULL;
    Py_ssize_t count = took && PyLong_Check(took) ? PyLong_AsSsize_t(took) : (Py_ssize_t)n;
    Py_XDECREF(bytes);
    Py_XDECREF(took);
    if (took && !PyErr_Occurred() && (count <= 0 || (size_t)count > n)) {
        PyErr_Format(PyExc_OSError, "write() took %zd of %zu bytes", count, n);
    }
    /* A write that a signal cut short looks like one that was done. */
    return !took || PyErr_Occurred() || PyErr_CheckSignals() < 0 ? -1 : count;
}

static int64_t push(void *buf, size_t n, void *ctx)
{
    struct body *b = ctx;
    const char *data = buf;
    py_wait_hold(b->wait);
    while (n && !b->wait->failed) {
        Py_ssize_t took = write_some(b, data, n < CHUNK ? n : CHUNK);
        b->wait->failed = took < 0;
        data += took < 0 ? 0 : took;
        n -= took < 0 ? 0 : (size_t)took;
    }
    py_wait_drop(b->wait);
    return b->wait->failed ? -1 : 0;
}

/* ---- bytes */

/* The library fills the new bytes while nobody else knows of them. */
static void *make_room(uint64_t size, void *ctx)
{
    struct body *b = ctx;
    py_wait_hold(b->wait);
    if (!b->wait->failed && size > PY_SSIZE_T_MAX) {
        PyErr_NoMemory();
    } else if (!b->wait->failed) {
        b->object = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    }
    b->wait->failed = !b->object;
    py_wait_drop(b->wait);
    return b->object ? PyBytes_AS_STRING(b->object) : NULL;
}

void py_sink_little(struct body *b, char *little, size_t n)
{
    if (b->pub.kind == PAIL_BODY_ROOM) {
        b->pub.buf = little;
        b->pub.len = n;
        b->little = little;
    }
}

PyObject *py_body_bytes(struct body *b)
{
    PyObject *bytes = b->object;
    b->object = NULL;
    return bytes ? bytes : PyBytes_FromStringAndSize(b->little, (Py_ssize_t)b->pub.used);
}

/* ---- which kind is it? */

static int take_buffer(struct body *b, PyObject *from, int flags)
{
    if (PyObject_GetBuffer(from, &b->view, flags) < 0) {
        return -1;
    }
    b->pub.kind = PAIL_BODY_BUF;
    b->pub.buf = b->view.buf;
    b->pub.len = (size_t)b->view.len;
    return 0;
}

static int take_path(struct body *b, PyObject *from)
{
    if (!PyUnicode_FSConverter(from, &b->path)) {
        return -1;
    }
    b->pub.kind = PAIL_BODY_PATH;
    b->pub.path = PyBytes_AS_STRING(b->path);
    return 0;
}

static int take_file(struct body *b, PyObject *file, pail_io_fn fn)
{
    b->pub.kind = PAIL_BODY_FN;
    b->pub.fn = fn;
    b->pub.ctx = b;
    b->object = file;
    return 0;
}

/* The library moves the bytes of a file by itself; Python those of a pipe, because its waits end on
 * Ctrl-C. */
static int take_fd(struct body *b, PyObject *from, const char *mode, pail_io_fn fn)
{
    struct stat st;
    int fd = PyObject_AsFileDescriptor(from);
    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
        PyObject *file = PyObject_CallFunction(b->state->file_io, "isO", fd, mode, Py_False);
        b->owns_object = file != NULL;
        b->is_pipe = true;
        b->pipe_fd = fd;
        return file ? take_file(b, file, fn) : -1;
    }
    b->pub.kind = PAIL_BODY_FD;
    b->pub.fd = fd;
    return 0;
}

static bool is_path(PyObject *o)
{
    return PyUnicode_Check(o) || PyObject_HasAttrString((PyObject *)Py_TYPE(o), "__fspath__");
}

static int take(struct body *b, PyObject *from, bool is_sink)
{
    pail_io_fn fn = is_sink ? push : pull;
    if (PyObject_CheckBuffer(from)) {
        return take_buffer(b, from, is_sink ? PyBUF_WRITABLE : PyBUF_SIMPLE);
    }
    if (is_path(from)) {
        return take_path(b, from);
    }
    if (PyLong_Check(from) && !PyBool_Check(from)) {
        return take_fd(b, from, is_sink ? "wb" : "rb", fn);
    }
    if (PyObject_HasAttr(from, is_sink ? b->state->write : b->state->read)) {
        return take_file(b, from, fn);
    }
    PyErr_Format(PyExc_TypeError,
                 "expected a bytes-like object, a path, a descriptor or a binary file, not %.100s",
                 Py_TYPE(from)->tp_name);
    return -1;
}

int py_source_take(struct body *b, const struct state *s, struct wait *w, PyObject *source)
{
    *b = (struct body){.state = s, .wait = w};
    return take(b, source, false);
}

int py_sink_take(struct body *b, const struct state *s, struct wait *w, PyObject *sink)
{
    *b = (struct body){.state = s, .wait = w};
    if (sink) {
        return take(b, sink, true);
    }
    b->pub.kind = PAIL_BODY_ROOM;
    b->pub.room = make_room;
    b->pub.ctx = b;
    b->owns_object = true;
    return 0;
}

void py_body_drop(struct body *b)
{
    PyBuffer_Release(&b->view);
    Py_CLEAR(b->path);
    if (b->owns_object) {
        Py_CLEAR(b->object);
    }
}
