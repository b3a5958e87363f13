/* Cancel: a flag that many calls may share. */
#include "module.h"

struct cancel {
    PyObject_HEAD pail_cancel *cancel;
};

pail_cancel *py_cancel_of(PyObject *self)
{
    return ((struct cancel *)self)->cancel;
}

static PyObject *tp_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    if (PyTuple_GET_SIZE(args) || (keywords && PyDict_GET_SIZE(keywords))) {
        PyErr_SetString(PyExc_TypeError, "Cancel() takes no arguments");
        return NULL;
    }
    struct cancel *self = (struct cancel *)type->tp_alloc(type, 0);
    if (self) {
        self->cancel = pail_cancel_new();
        if (!self->cancel) {
            Py_DECREF(self);
            return PyErr_NoMemory();
        }
    }
    return (PyObject *)self;
}

static void dealloc(PyObject *self)
{
    pail_cancel_free(py_cancel_of(self));
    py_object_free(self);
}

static PyObject *fire(PyObject *self, PyObject *none)
{
    (void)none;
    pail_cancel_fire(py_cancel_of(self));
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"fire", fire, METH_NOARGS,
     "Ends the calls that use it with Cancelled, soon; from any thread. A write may still apply."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, SLOT(tp_new)},
    {Py_tp_dealloc, SLOT(dealloc)},
    {Py_tp_methods, methods},
    {Py_tp_doc,
     SLOT("Cancel()\n\nA flag that many calls may share: cancel=flag, then flag.fire().")},
    {0, NULL},
};

static PyType_Spec spec = {.name = "pail._pail.Cancel",
                           .basicsize = sizeof(struct cancel),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
                           .slots = slots};

int py_cancel_init(PyObject *module, struct state *s)
{
    return py_type_add(module, &spec, &s->cancel);
}
