/* Bucket: the verbs on objects, and on the bucket itself. */
#include "module.h"

struct bucket {
    PyObject_HEAD pail_bucket *bucket;
};

PyObject *py_bucket_take(const struct state *s, pail_bucket *bucket)
{
    struct bucket *self = (struct bucket *)s->bucket->tp_alloc(s->bucket, 0);
    if (!self) {
        pail_bucket_close(bucket);
        return NULL;
    }
    self->bucket = bucket;
    return (PyObject *)self;
}

static pail_bucket *of(PyObject *self)
{
    return ((struct bucket *)self)->bucket;
}

static void dealloc(PyObject *self)
{
    pail_bucket *bucket = of(self);
    Py_BEGIN_ALLOW_THREADS pail_bucket_close(bucket);
    Py_END_ALLOW_THREADS py_object_free(self);
}

/* ---- the bucket itself */

static PyObject *create(PyObject *self, PyObject *args, PyObject *keywords)
{
    static const char *const names[] = {"location", "exist_ok", NULL};
    pail_bucket_opts o = {.size = sizeof o};
    pail_error *err = NULL;
    struct wait w;
    int exist_ok = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|z$p:create", KEYWORDS(names), &o.location,
                                     &exist_ok)) {
        return NULL;
    }
    o.exist_ok = exist_ok;
    py_wait_hook(&w, &o.call);
    py_wait_enter(&w);
    pail_code rc =
        pail_bucket_create(pail_bucket_client(of(self)), pail_bucket_name(of(self)), &o, &err);
    py_wait_leave(&w);
    if (rc || w.failed) {
        return py_raise(py_state_of(self), &w, rc, err);
    }
    Py_RETURN_NONE;
}

static PyObject *exists(PyObject *self, PyObject *none)
{
    pail_error *err = NULL;
    struct wait w;
    bool there = false;
    (void)none;
    py_wait_enter(&w);
    pail_code rc = pail_bucket_exists(pail_bucket_client(of(self)), pail_bucket_name(of(self)),
                                      NULL, &there, &err);
    py_wait_leave(&w);
    return rc ? py_raise(py_state_of(self), &w, rc, err) : PyBool_FromLong(there);
}

static PyObject *remove_bucket(PyObject *self, PyObject *args, PyObject *keywords)
{
    static const char *const names[] = {"delete_contents", NULL};
    pail_bucket_opts o = {.size = sizeof o};
    pail_error *err = NULL;
    struct wait w;
    int delete_contents = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|$p:remove", KEYWORDS(names),
                                     &delete_contents)) {
        return NULL;
    }
    o.delete_contents = delete_contents;
    py_wait_hook(&w, &o.call);
    py_wait_enter(&w);
    pail_code rc =
        pail_bucket_delete(pail_bucket_client(of(self)), pail_bucket_name(of(self)), &o, &err);
    py_wait_leave(&w);
    if (rc || w.failed) {
        return py_raise(py_state_of(self), &w, rc, err);
    }
    Py_RETURN_NONE;
}

/* ---- put and get */

static PyObject *run_put(PyObject *self, const char *key, PyObject *source, pail_put_opts *o)
{
    const struct state *s = py_state_of(self);
    pail_info *info = NULL;
    pail_error *err = NULL;
    struct wait w;
    struct body b;
    if (py_source_take(&b, s, &w, source) < 0) {
        return NULL;
    }
    py_wait_hook(&w, &o->call);
    py_wait_enter(&w);
    pail_code rc = pail_put(of(self), key, &b.pub, o, &info, &err);
    py_wait_leave(&w);
    py_body_drop(&b);
    if (rc || w.failed) {
        pail_info_free(info);
        return py_raise(s, &w, rc, err);
    }
    return py_info_take(s, info);
}

static PyObject *put(PyObject *self, PyObject *args, PyObject *keywords)
{
    static const char *const names[] = {
        "key", "source", "content_type", "metadata", "if_match", "if_none_match", NULL};
    pail_put_opts o = {.size = sizeof o};
    const char *key;
    PyObject *source, *metadata = NULL, *made = NULL;
    struct pairs pairs;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "sO|$zOzz:put", KEYWORDS(names), &key, &source,
                                     &o.attr.content_type, &metadata, &o.cond.if_match,
                                     &o.cond.if_none_match)) {
        return NULL;
    }
    if (py_pairs_take(&pairs, metadata) == 0) {
        o.attr.metadata = pairs.kv;
        o.attr.metadata_count = pairs.count;
        made = run_put(self, key, source, &o);
    }
    py_pairs_drop(&pairs);
    return made;
}

/* Into bytes where sink is NULL, else the count of the bytes that went into it. */
static PyObject *run_get(PyObject *self, const char *key, PyObject *sink, pail_get_opts *o)
{
    const struct state *s = py_state_of(self);
    pail_error *err = NULL;
    PyObject *made = NULL;
    struct wait w;
    struct body b;
    if (py_sink_take(&b, s, &w, sink) < 0) {
        return NULL;
    }
    py_wait_hook(&w, &o->call);
    py_wait_enter(&w);
    pail_code rc = pail_get(of(self), key, &b.pub, o, NULL, &err);
    py_wait_leave(&w);
    if (rc || w.failed) {
        made = py_raise(s, &w, rc, err);
    } else {
        made = sink ? PyLong_FromUnsignedLongLong(b.pub.used) : py_body_bytes(&b);
    }
    py_body_drop(&b);
    return made;
}

static PyObject *get(PyObject *self, PyObject *args, PyObject *keywords)
{
    static const char *const names[] = {"key", "sink", "offset", "length", "suffix", NULL};
    pail_get_opts o = {.size = sizeof o};
    const char *key;
    PyObject *sink = NULL;
    unsigned long long offset = 0, length = 0, suffix = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "s|O$KKK:get", KEYWORDS(names), &key, &sink,
                                     &offset, &length, &suffix)) {
        return NULL;
    }
    o.range = (pail_range){.offset = offset, .length = length, .suffix = suffix};
    return run_get(self, key, sink == Py_None ? NULL : sink, &o);
}

static PyObject *reader(PyObject *self, PyObject *key)
{
    const char *text;
    if (!PyArg_Parse(key, "s:reader", &text)) {
        return NULL;
    }
    return py_reader_open(py_state_of(self), of(self), text);
}

/* ---- stat, delete, copy */

static PyObject *stat_object(PyObject *self, PyObject *key)
{
    const struct state *s = py_state_of(self);
    pail_stat_opts o = {.size = sizeof o};
    pail_info *info = NULL;
    pail_error *err = NULL;
    struct wait w;
    const char *text;
    if (!PyArg_Parse(key, "s:stat", &text)) {
        return NULL;
    }
    py_wait_hook(&w, &o.call);
    py_wait_enter(&w);
    pail_code rc = pail_stat(of(self), text, &o, &info, &err);
    py_wait_leave(&w);
    if (rc || w.failed) {
        pail_info_free(info);
        return py_raise(s, &w, rc, err);
    }
    return py_info_take(s, info);
}

static PyObject *delete_object(PyObject *self, PyObject *key)
{
    pail_delete_opts o = {.size = sizeof o};
    pail_error *err = NULL;
    struct wait w;
    const char *text;
    if (!PyArg_Parse(key, "s:delete", &text)) {
        return NULL;
    }
    py_wait_hook(&w, &o.call);
    py_wait_enter(&w);
    pail_code rc = pail_delete(of(self), text, &o, &err);
    py_wait_leave(&w);
    if (rc || w.failed) {
        return py_raise(py_state_of(self), &w, rc, err);
    }
    Py_RETURN_NONE;
}

static PyObject *run_delete_many(PyObject *self, const char *const *keys, size_t count)
{
    pail_delete_opts o = {.size = sizeof o};
    pail_error *err = NULL;
    struct wait w;
    py_wait_hook(&w, &o.call);
    py_wait_enter(&w);
    pail_code rc = pail_delete_many(of(self), keys, count, NULL, NULL, &o, &err);
    py_wait_leave(&w);
    if (rc || w.failed) {
        return py_raise(py_state_of(self), &w, rc, err);
    }
    Py_RETURN_NONE;
}

static PyObject *delete_many(PyObject *self, PyObject *iterable)
{
    if (PyUnicode_Check(iterable)) { /* else each of its letters would be a key */
        PyErr_SetString(PyExc_TypeError,
                        "delete_many() takes many keys; for one there is delete()");
        return NULL;
    }
    PyObject *list = PySequence_Tuple(iterable), *made = NULL;
    size_t count = list ? (size_t)PyTuple_GET_SIZE(list) : 0;
    const char **keys = list ? PyMem_Calloc(count + 1, sizeof *keys) : NULL;
    if (list && !keys) {
        PyErr_NoMemory();
    }
    bool ok = keys != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        ok = PyArg_Parse(PyTuple_GET_ITEM(list, (Py_ssize_t)i), "s:delete_many", &keys[i]);
    }
    if (ok) {
        made = run_delete_many(self, keys, count);
    }
    PyMem_Free(keys);
    Py_XDECREF(list);
    return made;
}

static PyObject *copy(PyObject *self, PyObject *args, PyObject *keywords)
{
    static const char *const names[] = {"key", "to_key", "to_bucket", NULL};
    const struct state *s = py_state_of(self);
    pail_copy_opts o = {.size = sizeof o};
    pail_info *info = NULL;
    pail_error *err = NULL;
    struct wait w;
    const char *key, *to_key;
    PyObject *to = self;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "ss|O!:copy", KEYWORDS(names), &key, &to_key,
                                     s->bucket, &to)) {
        return NULL;
    }
    py_wait_hook(&w, &o.call);
    py_wait_enter(&w);
    pail_code rc = pail_copy(of(self), key, of(to), to_key, &o, &info, &err);
    py_wait_leave(&w);
    if (rc || w.failed) {
        pail_info_free(info);
        return py_raise(s, &w, rc, err);
    }
    return py_info_take(s, info);
}

/* ---- list, presign and names */

static PyObject *list(PyObject *self, PyObject *args, PyObject *keywords)
{
    return py_iter_open(py_state_of(self), NULL, of(self), args, keywords);
}

static PyObject *presign(PyObject *self, PyObject *args, PyObject *keywords)
{
    static const char *const names[] = {
        "key", "method", "expires_s", "response_content_type", "response_content_disposition",
        NULL};
    const struct state *s = py_state_of(self);
    pail_presign_opts o = {.size = sizeof o};
    pail_presigned *made = NULL;
    pail_error *err = NULL;
    struct wait w;
    const char *key;
    unsigned expires_s = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "s|z$Izz:presign", KEYWORDS(names), &key,
                                     &o.method, &expires_s, &o.response_content_type,
                                     &o.response_content_disposition)) {
        return NULL;
    }
    o.expires_s = expires_s;
    py_wait_hook(&w, &o.call);
    py_wait_enter(&w);
    pail_code rc = pail_presign(of(self), key, &o, &made, &err);
    py_wait_leave(&w);
    if (rc || w.failed) {
        pail_presigned_free(made);
        return py_raise(s, &w, rc, err);
    }
    return py_presigned_take(s, made);
}

static PyObject *name(PyObject *self, void *none)
{
    (void)none;
    return py_text(pail_bucket_name(of(self)));
}

static PyObject *repr(PyObject *self)
{
    return PyUnicode_FromFormat("<pail.Bucket %s:%s>",
                                pail_client_scheme(pail_bucket_client(of(self))),
                                pail_bucket_name(of(self)));
}

#define WITH_KEYWORDS(f) (PyCFunction)(void (*)(void))(f), METH_VARARGS | METH_KEYWORDS

static PyMethodDef methods[] = {
    {"create", WITH_KEYWORDS(create),
     "create(location=None, *, exist_ok=False)\n\nMakes the bucket. 1 request.\n"
     "Raises BucketExists, BadBucketName, Forbidden."},
    {"exists", exists, METH_NOARGS, "Whether there is such a bucket. 1 request."},
    {"remove", WITH_KEYWORDS(remove_bucket),
     "remove(*, delete_contents=False)\n\nDeletes the bucket, also with all in it.\n"
     "Raises BucketNotFound, BucketNotEmpty."},
    {"put", WITH_KEYWORDS(put),
     "put(key, source, *, content_type=None, metadata=None, if_match=None, if_none_match=None)"
     " -> Info\n\nStores an object in one step. source: bytes-like, a path, a descriptor (from its"
     "\nposition) or a binary file. if_none_match='*': only where there is none.\n"
     "Raises BucketNotFound, Exists, PreconditionFailed, Changed."},
    {"get", WITH_KEYWORDS(get),
     "get(key, sink=None, *, offset=0, length=0, suffix=0) -> bytes, or int with a sink\n\n"
     "Reads an object or a range of it: length 0 is to the end, suffix the last bytes. sink: a\n"
     "writable buffer, a path (replaced at the end, in one step), a descriptor or a binary file;\n"
     "then the count of bytes comes back. Raises NotFound, BadRange, Checksum, TooLarge."},
    {"reader", reader, METH_O,
     "reader(key) -> Reader\n\nReads in pieces, all of one version. Raises NotFound."},
    {"stat", stat_object, METH_O, "stat(key) -> Info\n\n1 request. Raises NotFound."},
    {"delete", delete_object, METH_O, "delete(key)\n\nOne that is not there is fine. 1 request."},
    {"delete_many", delete_many, METH_O,
     "delete_many(keys)\n\nUp to 1000 a request. Raises the first failure, after all were tried."},
    {"copy", WITH_KEYWORDS(copy),
     "copy(key, to_key, to_bucket=None) -> Info\n\nBy the service where it can."},
    {"list", WITH_KEYWORDS(list),
     "list(*, prefix=None, delimiter=None, start_after=None, pattern=None, page_size=0)\n\n"
     "An iterator of Info in byte order of the keys."},
    {"presign", WITH_KEYWORDS(presign),
     "presign(key, method='GET', *, expires_s=3600, response_content_type=None,\n"
     "response_content_disposition=None) -> Presigned\n\nNo request. Raises Unsupported."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"name", name, NULL, "The bucket's name.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, SLOT(dealloc)},
    {Py_tp_repr, SLOT(repr)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, SLOT("A handle on one bucket, which need not exist.")},
    {0, NULL},
};

static PyType_Spec spec = {.name = "pail.Bucket",
                           .basicsize = sizeof(struct bucket),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                                    Py_TPFLAGS_IMMUTABLETYPE,
                           .slots = slots};

int py_bucket_init(PyObject *module, struct state *s)
{
    return py_type_add(module, &spec, &s->bucket);
}
