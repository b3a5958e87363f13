/* The module: its state, its types and what is not a method of one. */
#include "module.h"

static PyModuleDef definition;

void py_object_free(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type); /* an object of a heap type keeps its type */
}

int py_type_add(PyObject *module, PyType_Spec *spec, PyTypeObject **out)
{
    *out = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *out ? PyModule_AddType(module, *out) : -1;
}

const struct state *py_state_of_type(PyTypeObject *type)
{
    for (; type; type = type->tp_base) {
        bool is_heap = type->tp_flags & Py_TPFLAGS_HEAPTYPE;
        PyObject *module = is_heap ? ((PyHeapTypeObject *)type)->ht_module : NULL;
        if (module && PyModule_GetDef(module) == &definition) {
            return PyModule_GetState(module);
        }
    }
    return NULL;
}

const struct state *py_state_of(PyObject *self)
{
    return py_state_of_type(Py_TYPE(self));
}

static PyObject *split_url(PyObject *module, PyObject *url)
{
    char *account = NULL, *bucket = NULL, *key = NULL;
    pail_error *err = NULL;
    const char *text = PyUnicode_AsUTF8(url);
    if (!text) {
        return NULL;
    }
    pail_code rc = pail_split_url(text, &account, &bucket, &key, &err);
    if (rc) {
        return py_raise(PyModule_GetState(module), NULL, rc, err);
    }
    PyObject *made = Py_BuildValue("(NNN)", py_text(account), py_text(bucket), py_text(key));
    pail_free(account);
    return made;
}

static PyMethodDef functions[] = {
    {"split_url", split_url, METH_O,
     "split_url(url) -> (account, bucket, key)\n\nBucket and key are None where the URL has none.\n"
     "Raises BadConfig."},
    {NULL, NULL, 0, NULL},
};

static int init_names(struct state *s)
{
    const struct {
        PyObject **name;
        const char *text;
    } names[] = {
        {&s->read, "read"}, {&s->write, "write"},           {&s->timestamp, "timestamp"},
        {&s->done, "done"}, {&s->set_result, "set_result"}, {&s->set_exception, "set_exception"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *names[i].name = PyUnicode_InternFromString(names[i].text);
        if (!*names[i].name) {
            return -1;
        }
    }
    PyObject *io = PyImport_ImportModule("io");
    s->file_io = io ? PyObject_GetAttrString(io, "FileIO") : NULL;
    Py_XDECREF(io);
    return s->file_io ? 0 : -1;
}

static int init(PyObject *module)
{
    struct state *s = PyModule_GetState(module);
    static int (*const inits[])(PyObject *, struct state *) = {
        py_errors_init, py_info_init,   py_client_init, py_bucket_init, py_iter_init,
        py_reader_init, py_writer_init, py_cancel_init, py_queue_init};
    if (init_names(s) < 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof inits / sizeof *inits; i++) {
        if (inits[i](module, s) < 0) {
            return -1;
        }
    }
    return PyModule_AddStringConstant(module, "version", pail_version());
}

enum { OBJECT_COUNT = 17 };

/* All but the exceptions. */
static void objects_of(struct state *s, PyObject **out[OBJECT_COUNT])
{
    PyObject **all[OBJECT_COUNT] = {(PyObject **)&s->info,
                                    (PyObject **)&s->presigned,
                                    (PyObject **)&s->client,
                                    (PyObject **)&s->bucket,
                                    (PyObject **)&s->iter,
                                    (PyObject **)&s->reader,
                                    (PyObject **)&s->writer,
                                    (PyObject **)&s->cancel,
                                    (PyObject **)&s->queue,
                                    (PyObject **)&s->operation,
                                    &s->read,
                                    &s->write,
                                    &s->timestamp,
                                    &s->done,
                                    &s->set_result,
                                    &s->set_exception,
                                    &s->file_io};
    for (int i = 0; i < OBJECT_COUNT; i++) {
        out[i] = all[i];
    }
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    struct state *s = PyModule_GetState(module);
    PyObject **objects[OBJECT_COUNT];
    objects_of(s, objects);
    for (int i = 0; i < OBJECT_COUNT; i++) {
        Py_VISIT(*objects[i]);
    }
    for (int i = 0; i < ERROR_MAX; i++) {
        Py_VISIT(s->errors[i]);
    }
    return 0;
}

static int clear(PyObject *module)
{
    struct state *s = PyModule_GetState(module);
    PyObject **objects[OBJECT_COUNT];
    objects_of(s, objects);
    for (int i = 0; i < ERROR_MAX; i++) {
        Py_CLEAR(s->errors[i]);
    }
    for (int i = 0; i < OBJECT_COUNT; i++) {
        Py_CLEAR(*objects[i]);
    }
    return 0;
}

static void free_state(void *module)
{
    (void)clear(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, SLOT(init)},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030d0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "pail._pail",
    .m_doc = "The calls of libpail. Use the package pail.",
    .m_size = sizeof(struct state),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = free_state,
};

PyMODINIT_FUNC PyInit__pail(void); /* its name is fixed by Python */

PyMODINIT_FUNC PyInit__pail(void)
{
    return PyModuleDef_Init(&definition);
}
