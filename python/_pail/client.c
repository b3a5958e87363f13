/* Client: an account. */
#include "module.h"

struct client {
    PyObject_HEAD pail_client *client;
};

PyObject *py_client_take(const struct state *s, pail_client *client)
{
    struct client *self = (struct client *)s->client->tp_alloc(s->client, 0);
    if (!self) {
        pail_close(client);
        return NULL;
    }
    self->client = client;
    return (PyObject *)self;
}

static pail_client *of(PyObject *self)
{
    return ((struct client *)self)->client;
}

static void dealloc(PyObject *self)
{
    pail_client *client = of(self);
    Py_BEGIN_ALLOW_THREADS pail_close(client);
    Py_END_ALLOW_THREADS py_object_free(self);
}

static PyObject *bucket(PyObject *self, PyObject *name)
{
    const struct state *s = py_state_of(self);
    pail_bucket *b = NULL;
    pail_error *err = NULL;
    const char *text;
    if (!PyArg_Parse(name, "s:bucket", &text)) {
        return NULL;
    }
    pail_code rc = pail_bucket_open(of(self), text, &b, &err);
    return rc ? py_raise(s, NULL, rc, err) : py_bucket_take(s, b);
}

static PyObject *buckets(PyObject *self, PyObject *args, PyObject *keywords)
{
    return py_iter_open(py_state_of(self), of(self), NULL, args, keywords);
}

static PyObject *explain(PyObject *self, PyObject *none)
{
    char *text = NULL;
    pail_error *err = NULL;
    (void)none;
    pail_code rc = pail_client_explain(of(self), &text, &err);
    PyObject *made = rc ? py_raise(py_state_of(self), NULL, rc, err) : py_text(text);
    pail_free(text);
    return made;
}

static PyObject *scheme(PyObject *self, void *none)
{
    (void)none;
    return py_text(pail_client_scheme(of(self)));
}

static PyObject *repr(PyObject *self)
{
    return PyUnicode_FromFormat("<pail.Client %s:>", pail_client_scheme(of(self)));
}

static PyMethodDef methods[] = {
    {"bucket", bucket, METH_O, "bucket(name) -> Bucket\n\nA handle; no request."},
    {"buckets", (PyCFunction)(void (*)(void))buckets, METH_VARARGS | METH_KEYWORDS,
     "buckets(*, prefix=None, pattern=None, page_size=0) -> iterator of Info, in name order"},
    {"explain", explain, METH_NOARGS,
     "Every effective setting, one a line 'name = value  (origin)'; secrets as ***."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"scheme", scheme, NULL, "'local', 'memory', 's3'", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, SLOT(dealloc)},
    {Py_tp_repr, SLOT(repr)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, SLOT("An account: where buckets are. Made by open().")},
    {0, NULL},
};

static PyType_Spec spec = {.name = "pail.Client",
                           .basicsize = sizeof(struct client),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                                    Py_TPFLAGS_IMMUTABLETYPE,
                           .slots = slots};

int py_client_init(PyObject *module, struct state *s)
{
    return py_type_add(module, &spec, &s->client);
}
