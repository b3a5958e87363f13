/* The module: its state, its types and open(). */
#include "module.h"

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

/* A client where the URL names no bucket, else a bucket. */
static PyObject *open_either(const struct state *s, const char *url, const pail_client_opts *o)
{
    char *account = NULL, *name = NULL, *key = NULL;
    pail_client *client = NULL;
    pail_bucket *bucket = NULL;
    pail_error *err = NULL;
    struct wait w;
    py_wait_enter(&w);
    pail_code rc = pail_split_url(url, &account, &name, &key, &err);
    bool is_bucket = name || key;
    if (rc == PAIL_OK && is_bucket) {
        rc = pail_open_bucket(url, o, &bucket, &err);
    } else if (rc == PAIL_OK) {
        rc = pail_open(url, o, &client, &err);
    }
    pail_free(account);
    py_wait_leave(&w);
    return rc          ? py_raise(s, &w, rc, err)
           : is_bucket ? py_bucket_take(s, bucket)
                       : py_client_take(s, client);
}

static PyObject *open_url(PyObject *module, PyObject *args, PyObject *keywords)
{
    static const char *const names[] = {"url", "settings", "ignore_environment", NULL};
    pail_client_opts o = {.size = sizeof o};
    const char *url = NULL;
    PyObject *settings = NULL, *made = NULL;
    int ignore_environment = 0;
    struct pairs pairs;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|zO$p:open", KEYWORDS(names), &url, &settings,
                                     &ignore_environment)) {
        return NULL;
    }
    o.ignore_environment = ignore_environment;
    if (py_pairs_take(&pairs, settings) == 0) {
        o.settings = pairs.kv;
        o.settings_count = pairs.count;
        made = open_either(PyModule_GetState(module), url, &o);
    }
    py_pairs_drop(&pairs);
    return made;
}

static PyMethodDef functions[] = {
    {"open", (PyCFunction)(void (*)(void))open_url, METH_VARARGS | METH_KEYWORDS,
     "open(url='local:', settings=None, *, ignore_environment=False) -> Client or Bucket\n\n"
     "A Bucket where the URL names one: 's3://my-bucket'. settings: dict of strings. No request.\n"
     "Raises BadConfig, BadBucketName."},
    {NULL, NULL, 0, NULL},
};

static int init(PyObject *module)
{
    struct state *s = PyModule_GetState(module);
    s->read = PyUnicode_InternFromString("read");
    s->write = PyUnicode_InternFromString("write");
    PyObject *io = PyImport_ImportModule("io");
    s->file_io = io ? PyObject_GetAttrString(io, "FileIO") : NULL;
    Py_XDECREF(io);
    bool ok = s->read && s->write && s->file_io && py_errors_init(module, s) == 0 &&
              py_info_init(module, s) == 0 && py_client_init(module, s) == 0 &&
              py_bucket_init(module, s) == 0 && py_iter_init(module, s) == 0 &&
              py_reader_init(module, s) == 0 &&
              PyModule_AddStringConstant(module, "version", pail_version()) == 0;
    return ok ? 0 : -1;
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    struct state *s = PyModule_GetState(module);
    for (int i = 0; i < ERROR_MAX; i++) {
        Py_VISIT(s->errors[i]);
    }
    Py_VISIT(s->file_io);
    Py_VISIT(s->info);
    Py_VISIT(s->presigned);
    Py_VISIT(s->client);
    Py_VISIT(s->bucket);
    Py_VISIT(s->iter);
    Py_VISIT(s->reader);
    return 0;
}

static int clear(PyObject *module)
{
    struct state *s = PyModule_GetState(module);
    for (int i = 0; i < ERROR_MAX; i++) {
        Py_CLEAR(s->errors[i]);
    }
    Py_CLEAR(s->info);
    Py_CLEAR(s->presigned);
    Py_CLEAR(s->client);
    Py_CLEAR(s->bucket);
    Py_CLEAR(s->iter);
    Py_CLEAR(s->reader);
    Py_CLEAR(s->file_io);
    Py_CLEAR(s->read);
    Py_CLEAR(s->write);
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
