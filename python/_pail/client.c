/* Client: an account. */
#include "module.h"

#include <string.h>

struct client {
    PyObject_HEAD pail_client *client;
};

pail_client *py_client_of(PyObject *self)
{
    return ((struct client *)self)->client;
}

struct open_call {
    const char *url;
    const pail_kv *settings;
    size_t settings_count;
    bool ignore_environment;
};
static const struct arg open_args[] = {
    {"url", ARG_TEXT, offsetof(struct open_call, url)},
    {"settings", ARG_PAIRS, offsetof(struct open_call, settings)},
    {"ignore_environment", ARG_FLAG, offsetof(struct open_call, ignore_environment)},
};
static const struct spec open_spec = SPEC("Client", 0, 2, open_args);

static PyObject *new_client(PyTypeObject *type, PyObject *const *values, Py_ssize_t count,
                            PyObject *names)
{
    const struct state *s = py_state_of_type(type);
    struct client *self = (struct client *)type->tp_alloc(type, 0);
    struct open_call c = {0};
    struct args a = {0};
    pail_error *err = NULL;
    if (!self || py_args_take(&a, s, &open_spec, &c, values, count, names) < 0) {
        py_args_drop(&a);
        Py_XDECREF(self);
        return NULL;
    }
    pail_client_opts o = {.size = sizeof o,
                          .settings = c.settings,
                          .settings_count = c.settings_count,
                          .ignore_environment = c.ignore_environment};
    struct wait w = {0};
    py_wait_enter(&w);
    pail_code rc = pail_open(c.url, &o, &self->client, &err);
    py_wait_leave(&w);
    py_args_drop(&a);
    if (rc) {
        Py_DECREF(self);
        return py_raise(s, &w, rc, err);
    }
    return (PyObject *)self;
}

static PyObject *tp_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    return py_vectorized(new_client, type, args, keywords);
}

static void dealloc(PyObject *self)
{
    pail_client *client = py_client_of(self);
    Py_BEGIN_ALLOW_THREADS pail_close(client);
    Py_END_ALLOW_THREADS py_object_free(self);
}

static PyObject *buckets(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names)
{
    return py_iter_open(py_state_of(self), LIST_BUCKETS, self, values, count, names);
}

static PyObject *explain(PyObject *self, PyObject *none)
{
    char *text = NULL;
    pail_error *err = NULL;
    (void)none;
    pail_code rc = pail_client_explain(py_client_of(self), &text, &err);
    PyObject *made = rc ? py_raise(py_state_of(self), NULL, rc, err) : py_text(text);
    pail_free(text);
    return made;
}

static PyObject *setting(PyObject *self, PyObject *name)
{
    const char *text = PyUnicode_AsUTF8(name);
    return text ? py_text(pail_client_setting(py_client_of(self), text)) : NULL;
}

static const char *const abilities[PAIL_ABILITY_COUNT] = {
    [PAIL_CAN_PUT_CREATE_ONLY] = "put_create_only",
    [PAIL_CAN_PUT_IF_MATCH] = "put_if_match",
    [PAIL_CAN_MULTIPART_CREATE_ONLY] = "multipart_create_only",
    [PAIL_CAN_MULTIPART_IF_MATCH] = "multipart_if_match",
    [PAIL_CAN_COPY_CREATE_ONLY] = "copy_create_only",
    [PAIL_CAN_COPY_IF_MATCH] = "copy_if_match",
    [PAIL_CAN_COPY_SOURCE_IF_MATCH] = "copy_source_if_match",
    [PAIL_CAN_DELETE_IF_MATCH] = "delete_if_match",
    [PAIL_CAN_GET_IF] = "get_if",
    [PAIL_CAN_DELETE_MANY] = "delete_many",
    [PAIL_CAN_COPY] = "copy",
    [PAIL_CAN_SUFFIX_RANGE] = "suffix_range",
    [PAIL_CAN_MULTIPART] = "multipart",
    [PAIL_CAN_METADATA] = "metadata",
    [PAIL_CAN_TAGS] = "tags",
    [PAIL_CAN_STORAGE_CLASS] = "storage_class",
    [PAIL_CAN_ENCRYPT] = "encrypt",
    [PAIL_CAN_VERSIONS] = "versions",
    [PAIL_CAN_PRESIGN_GET] = "presign_get",
    [PAIL_CAN_PRESIGN_PUT] = "presign_put",
    [PAIL_CAN_START_AFTER] = "start_after",
};
static const char *const limits[PAIL_LIMIT_COUNT] = {
    [PAIL_LIMIT_PART_MIN] = "part_min",
    [PAIL_LIMIT_PART_MAX] = "part_max",
    [PAIL_LIMIT_PARTS] = "parts",
    [PAIL_LIMIT_PUT] = "put",
    [PAIL_LIMIT_OBJECT] = "object",
    [PAIL_LIMIT_LIST_PAGE] = "list_page",
    [PAIL_LIMIT_DELETE_MANY] = "delete_many",
    [PAIL_LIMIT_COPY] = "copy",
};

/* The index of a name, or -1 with an exception that lists them. */
static int index_of(PyObject *name, const char *const *names, int count, const char *what)
{
    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "%s is named by a str, not %.100s", what,
                     Py_TYPE(name)->tp_name);
        return -1;
    }
    for (int i = 0; i < count; i++) {
        if (names[i] && PyUnicode_CompareWithASCIIString(name, names[i]) == 0) {
            return i;
        }
    }
    PyErr_Format(PyExc_ValueError, "there is no %s '%U': see help(pail.Client)", what, name);
    return -1;
}

static PyObject *supports(PyObject *self, PyObject *name)
{
    static const char *const answers[] = {
        [PAIL_NO] = "no", [PAIL_EMULATED] = "emulated", [PAIL_NATIVE] = "native"};
    int i = index_of(name, abilities, PAIL_ABILITY_COUNT, "ability");
    return i < 0 ? NULL : py_text(answers[pail_supports(py_client_of(self), (pail_ability)i)]);
}

static PyObject *limit(PyObject *self, PyObject *name)
{
    int i = index_of(name, limits, PAIL_LIMIT_COUNT, "limit");
    if (i < 0) {
        return NULL;
    }
    uint64_t n = pail_client_limit(py_client_of(self), (pail_limit)i);
    if (n == UINT64_MAX) {
        Py_RETURN_NONE;
    }
    return PyLong_FromUnsignedLongLong(n);
}

/* ---- the LOCAL store */

struct findings {
    struct wait wait;
    PyObject *list; /* of (bucket, key, finding) */
};

static void add_finding(const char *bucket, const char *key, const char *finding, void *ctx)
{
    struct findings *f = ctx;
    py_wait_hold(&f->wait);
    PyObject *one = f->wait.failed
                        ? NULL
                        : Py_BuildValue("(NNN)", py_text(bucket), py_text(key), py_text(finding));
    if (!one || PyList_Append(f->list, one) < 0) {
        f->wait.failed = true;
    }
    Py_XDECREF(one);
    py_wait_drop(&f->wait);
}

static PyObject *run_fsck(PyObject *self, bool repair)
{
    struct findings f = {.list = PyList_New(0)};
    pail_fsck_report r = {0};
    pail_error *err = NULL;
    if (!f.list) {
        return NULL;
    }
    py_wait_enter(&f.wait);
    pail_code rc = pail_fsck(py_client_of(self), repair, add_finding, &f, &r, &err);
    py_wait_leave(&f.wait);
    if ((rc && rc != PAIL_E_CHECKSUM) || f.wait.failed) { /* findings are the answer */
        Py_DECREF(f.list);
        return py_raise(py_state_of(self), &f.wait, rc, err);
    }
    pail_error_free(err);
    return Py_BuildValue("{s:K,s:K,s:K,s:K,s:N}", "objects", (unsigned long long)r.objects, "bytes",
                         (unsigned long long)r.bytes, "damaged", (unsigned long long)r.damaged,
                         "orphans", (unsigned long long)r.orphans, "findings", f.list);
}

static const struct arg fsck_args[] = {{"repair", ARG_FLAG, 0}};
static const struct spec fsck_spec = SPEC("fsck", 0, 0, fsck_args);

static PyObject *fsck(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names)
{
    struct args a;
    bool repair = false;
    int rc = py_args_take(&a, py_state_of(self), &fsck_spec, &repair, values, count, names);
    py_args_drop(&a);
    return rc < 0 ? NULL : run_fsck(self, repair);
}

static PyObject *backup(PyObject *self, PyObject *folder)
{
    PyObject *path = NULL;
    pail_error *err = NULL;
    struct wait w = {0};
    if (!PyUnicode_FSConverter(folder, &path)) {
        return NULL;
    }
    py_wait_enter(&w);
    pail_code rc = pail_backup(py_client_of(self), PyBytes_AS_STRING(path), &err);
    py_wait_leave(&w);
    Py_DECREF(path);
    if (rc) {
        return py_raise(py_state_of(self), &w, rc, err);
    }
    Py_RETURN_NONE;
}

static PyObject *scheme(PyObject *self, void *none)
{
    (void)none;
    return py_text(pail_client_scheme(py_client_of(self)));
}

static PyObject *repr(PyObject *self)
{
    return PyUnicode_FromFormat("<pail.Client %s:>", pail_client_scheme(py_client_of(self)));
}

static PyMethodDef methods[] = {
    {"buckets", FAST_KEYWORDS(buckets),
     "buckets(*, prefix=None, pattern=None, page_size=0, timeout=None) -> Listing\n\n"
     "Info of each bucket in name order. 1 request a page."},
    {"explain", explain, METH_NOARGS,
     "Every effective setting, one a line 'name = value  (origin)'; secrets as ***."},
    {"setting", setting, METH_O,
     "setting(name) -> str or None\n\nAlso of secrets: do not print it."},
    {"supports", supports, METH_O,
     "supports(ability) -> 'no', 'emulated' or 'native'\n\n"
     "put_create_only, put_if_match, multipart_create_only, multipart_if_match, copy_create_only,\n"
     "copy_if_match, copy_source_if_match, delete_if_match, get_if, delete_many, copy,\n"
     "suffix_range, multipart, metadata, tags, storage_class, encrypt, versions, presign_get,\n"
     "presign_put, start_after. No request."},
    {"limit", limit, METH_O,
     "limit(name) -> int, or None where there is none\n\n"
     "part_min, part_max, put, object, copy (bytes); parts, list_page, delete_many (counts)."},
    {"fsck", FAST_KEYWORDS(fsck),
     "fsck(*, repair=False) -> dict\n\nReads every byte of a LOCAL store: objects, bytes, "
     "damaged,\n"
     "orphans, and findings as (bucket, key, text). Raises Unsupported for other stores."},
    {"backup", backup, METH_O,
     "backup(folder)\n\nCopies a LOCAL store into a new folder, as it is at one moment.\n"
     "Raises Unsupported, Exists, NoSpace."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"scheme", scheme, NULL, "'local', 'memory', 'file', 's3', ...", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, SLOT(tp_new)},
    {Py_tp_dealloc, SLOT(dealloc)},
    {Py_tp_repr, SLOT(repr)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, SLOT("Client(url='local:', settings=None, *, ignore_environment=False)\n\n"
                     "An account: where buckets are. No request. Raises BadConfig.")},
    {0, NULL},
};

static PyType_Spec spec = {.name = "pail._pail.Client",
                           .basicsize = sizeof(struct client),
                           .flags =
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
                           .slots = slots};

int py_client_init(PyObject *module, struct state *s)
{
    return py_type_add(module, &spec, &s->client);
}
