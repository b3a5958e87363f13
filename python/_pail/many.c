/* Many keys, and many ranges of one. */
#include "module.h"

#include <string.h>

/* ---- delete_many */

static const struct arg delete_many_args[] = {
    {"keys", ARG_OBJECT, offsetof(struct delete_many_call, keys)},
    {"errors", ARG_FLAG, offsetof(struct delete_many_call, errors)},
    {"timeout", ARG_SECONDS, offsetof(struct delete_many_call, o.call.deadline_ms)},
    {"cancel", ARG_CANCEL, offsetof(struct delete_many_call, o.call.cancel)},
    {"headers", ARG_PAIRS, offsetof(struct delete_many_call, o.call.headers)},
    {"request_payer", ARG_TEXT, offsetof(struct delete_many_call, o.call.request_payer)},
};
const struct spec py_delete_many_spec = SPEC("delete_many", 1, 1, delete_many_args);

struct deleting {
    struct wait wait;
    const struct state *state;
    PyObject *errors; /* a dict, or NULL: the first failure is raised */
};

static void deleted(const char *key, const pail_error *err, void *ctx)
{
    struct deleting *d = ctx;
    if (!err || !d->errors) {
        return;
    }
    py_wait_hold(&d->wait);
    PyObject *name = d->wait.failed ? NULL : py_text(key);
    PyObject *error = name ? py_error_new(d->state, pail_error_code(err), err) : NULL;
    if (!error || PyDict_SetItem(d->errors, name, error) < 0) {
        d->wait.failed = true;
    }
    Py_XDECREF(name);
    Py_XDECREF(error);
    py_wait_drop(&d->wait);
}

static PyObject *run_delete(PyObject *self, struct delete_many_call *c, const char *const *keys,
                            size_t count)
{
    const struct state *s = py_state_of(self);
    struct deleting d = {.state = s, .errors = c->errors ? PyDict_New() : NULL};
    pail_error *err = NULL;
    if (c->errors && !d.errors) {
        return NULL;
    }
    py_wait_hook(&d.wait, &c->o.call);
    py_wait_enter(&d.wait);
    pail_code rc = pail_delete_many(py_bucket_of(self), keys, count, deleted, &d, &c->o, &err);
    py_wait_leave(&d.wait);
    bool told = d.errors && PyDict_GET_SIZE(d.errors) > 0;
    if (d.wait.failed || (rc && !told)) {
        Py_XDECREF(d.errors);
        return py_raise(s, &d.wait, rc, err);
    }
    pail_error_free(err);
    return d.errors ? d.errors : Py_NewRef(Py_None);
}

int py_keys_take(struct keys *k, PyObject *iterable)
{
    if (PyUnicode_Check(iterable)) { /* else each of its letters would be a key */
        PyErr_SetString(PyExc_TypeError,
                        "delete_many() takes many keys; for one there is delete()");
        return -1;
    }
    k->list = PySequence_Tuple(iterable);
    k->count = k->list ? (size_t)PyTuple_GET_SIZE(k->list) : 0;
    k->texts = k->list ? PyMem_Calloc(k->count + 1, sizeof *k->texts) : NULL;
    if (k->list && !k->texts) {
        PyErr_NoMemory();
    }
    int rc = k->texts ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < k->count; i++) {
        PyObject *key = PyTuple_GET_ITEM(k->list, (Py_ssize_t)i);
        rc = PyArg_Parse(key, "s;a key is a str", &k->texts[i]) ? 0 : -1;
    }
    return rc;
}

void py_keys_drop(struct keys *k)
{
    PyMem_Free(k->texts);
    Py_CLEAR(k->list);
    *k = (struct keys){0};
}

PY_METHOD(py_many_delete)
{
    struct delete_many_call c = {.o.size = sizeof c.o};
    struct keys k = {0};
    struct args a;
    PyObject *made = NULL;
    if (py_args_take(&a, py_state_of(self), &py_delete_many_spec, &c, values, count, names) == 0 &&
        py_keys_take(&k, c.keys ? c.keys : Py_None) == 0) {
        made = run_delete(self, &c, k.texts, k.count);
    }
    py_keys_drop(&k);
    py_args_drop(&a);
    return made;
}

/* ---- get_ranges */

#define AT(field) offsetof(struct ranges_call, field)
static const struct arg ranges_args[] = {
    {"key", ARG_TEXT, AT(key)},
    {"ranges", ARG_OBJECT, AT(ranges)},
    {"coalesce_gap", ARG_BYTES, AT(gap)},
    {"version", ARG_TEXT, AT(o.version)},
    {"if_match", ARG_TEXT, AT(o.cond.if_match)},
    {"customer_key", ARG_TEXT, AT(o.encryption.customer_key_base64)},
    {"concurrency", ARG_COUNT, AT(o.concurrency)},
    {"timeout", ARG_SECONDS, AT(o.call.deadline_ms)},
    {"cancel", ARG_CANCEL, AT(o.call.cancel)},
    {"progress", ARG_PROGRESS, AT(progress)},
    {"headers", ARG_PAIRS, AT(o.call.headers)},
};
const struct spec py_ranges_spec = SPEC("get_ranges", 2, 2, ranges_args);

void py_ranges_drop(struct ranges *r)
{
    PyMem_Free(r->ranges);
    PyMem_Free(r->bufs);
    PyMem_Free(r->got);
    Py_CLEAR(r->list);
}

static int add_range(struct ranges *r, size_t i, PyObject *pair)
{
    unsigned long long offset, length;
    PyObject *two = PySequence_Tuple(pair);
    int ok = two && PyArg_ParseTuple(two, "KK;a range is (offset, length)", &offset, &length);
    Py_XDECREF(two);
    if (!ok) {
        return -1;
    }
    if (length > PY_SSIZE_T_MAX / 2) {
        PyErr_SetString(PyExc_ValueError, "a range is too long for bytes");
        return -1;
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (!bytes) {
        return -1;
    }
    PyList_SET_ITEM(r->list, (Py_ssize_t)i, bytes);
    r->ranges[i] = (pail_range){.offset = offset, .length = length};
    r->bufs[i] = PyBytes_AS_STRING(bytes);
    return 0;
}

int py_ranges_take(struct ranges *r, PyObject *given)
{
    PyObject *all = PySequence_Tuple(given);
    if (!all) {
        return -1;
    }
    r->count = (size_t)PyTuple_GET_SIZE(all);
    r->ranges = PyMem_Calloc(r->count + 1, sizeof *r->ranges);
    r->bufs = PyMem_Calloc(r->count + 1, sizeof *r->bufs);
    r->got = PyMem_Calloc(r->count + 1, sizeof *r->got);
    r->list = PyList_New((Py_ssize_t)r->count);
    int rc = r->ranges && r->bufs && r->got && r->list ? 0 : -1;
    if (rc < 0) {
        PyErr_NoMemory();
    }
    for (size_t i = 0; rc == 0 && i < r->count; i++) {
        rc = add_range(r, i, PyTuple_GET_ITEM(all, (Py_ssize_t)i));
    }
    Py_DECREF(all);
    return rc;
}

/* Ranges past the end got fewer bytes: theirs are cut. */
PyObject *py_ranges_list(struct ranges *r)
{
    for (size_t i = 0; i < r->count; i++) {
        PyObject **slot = ((PyListObject *)r->list)->ob_item + i;
        if (r->got[i] < r->ranges[i].length && _PyBytes_Resize(slot, (Py_ssize_t)r->got[i]) < 0) {
            *slot = Py_NewRef(Py_None);
            return NULL;
        }
    }
    return Py_NewRef(r->list);
}

static PyObject *run_ranges(PyObject *self, struct ranges_call *c, struct ranges *r)
{
    const struct state *s = py_state_of(self);
    struct wait w = {.progress = c->progress};
    pail_error *err = NULL;
    py_wait_hook(&w, &c->o.call);
    py_wait_enter(&w);
    pail_code rc = pail_get_ranges(py_bucket_of(self), c->key, r->ranges, r->bufs, r->got, r->count,
                                   c->gap, &c->o, &err);
    py_wait_leave(&w);
    return rc || w.failed ? py_raise(s, &w, rc, err) : py_ranges_list(r);
}

PY_METHOD(py_many_ranges)
{
    struct ranges_call c = {.o.size = sizeof c.o};
    struct ranges r = {0};
    struct args a;
    PyObject *made = NULL;
    if (py_args_take(&a, py_state_of(self), &py_ranges_spec, &c, values, count, names) == 0 &&
        py_ranges_take(&r, c.ranges ? c.ranges : Py_None) == 0) {
        made = run_ranges(self, &c, &r);
    }
    py_ranges_drop(&r);
    py_args_drop(&a);
    return made;
}
