/* Arguments into the structs of <pail.h>: one table per function instead of a format string, so
 * that the blocking form and the queue form read the same. */
#include "module.h"

#include <string.h>

static const struct arg *find(const struct spec *spec, PyObject *name)
{
    for (unsigned i = 0; i < spec->count; i++) {
        if (PyUnicode_CompareWithASCIIString(name, spec->args[i].name) == 0) {
            return &spec->args[i];
        }
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", spec->function,
                 name);
    return NULL;
}

static int wrong(const struct spec *spec, const struct arg *arg, const char *want, PyObject *value)
{
    PyErr_Format(PyExc_TypeError, "%s(): %s is %s, not %.100s", spec->function, arg->name, want,
                 Py_TYPE(value)->tp_name);
    return -1;
}

static int take_text(const struct spec *spec, const struct arg *arg, PyObject *value,
                     const char **out)
{
    Py_ssize_t n;
    if (!PyUnicode_Check(value)) {
        return wrong(spec, arg, "a str", value);
    }
    *out = PyUnicode_AsUTF8AndSize(value, &n);
    if (*out && strlen(*out) != (size_t)n) {
        PyErr_Format(PyExc_ValueError, "%s(): %s has a NUL in it", spec->function, arg->name);
        *out = NULL;
    }
    return *out ? 0 : -1;
}

static int take_whole(const struct spec *spec, const struct arg *arg, PyObject *value,
                      uint64_t most, uint64_t *out)
{
    PyObject *number = PyNumber_Index(value);
    if (!number) {
        return -1;
    }
    unsigned long long n = PyLong_AsUnsignedLongLong(number);
    Py_DECREF(number);
    if (n > most || (n == (unsigned long long)-1 && PyErr_Occurred())) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "%s(): %s is %S, it takes 0 to %llu", spec->function,
                     arg->name, value, (unsigned long long)most);
        return -1;
    }
    *out = n;
    return 0;
}

static int take_seconds(const struct spec *spec, const struct arg *arg, PyObject *value,
                        uint32_t *out)
{
    double s = PyFloat_AsDouble(value);
    if (s == -1.0 && PyErr_Occurred()) {
        return -1;
    }
    if (!(s > 0) || s * 1000 > UINT32_MAX) {
        PyErr_Format(PyExc_ValueError, "%s(): %s is %S, it takes seconds above 0", spec->function,
                     arg->name, value);
        return -1;
    }
    *out = s * 1000 < 1 ? 1 : (uint32_t)(s * 1000);
    return 0;
}

/* A datetime says its seconds by timestamp(). */
static int take_time(const struct state *s, PyObject *value, int64_t *out)
{
    if (PyLong_Check(value)) {
        *out = PyLong_AsLongLong(value);
        return *out == -1 && PyErr_Occurred() ? -1 : 0;
    }
    PyObject *seconds = PyObject_CallMethodNoArgs(value, s->timestamp);
    double d = seconds ? PyFloat_AsDouble(seconds) : -1;
    Py_XDECREF(seconds);
    *out = (int64_t)(d * 1000);
    return PyErr_Occurred() ? -1 : 0;
}

static int take_pairs(struct args *a, PyObject *value, char *to)
{
    struct pairs *p = &a->pairs[a->pair_count++];
    if (py_pairs_take(p, value) < 0) {
        return -1;
    }
    memcpy(to, &p->kv, sizeof p->kv);
    memcpy(to + sizeof p->kv, &p->count, sizeof p->count);
    return 0;
}

static int take_object(const struct state *s, const struct spec *spec, const struct arg *arg,
                       PyObject *value, PyObject **out)
{
    if (arg->kind == ARG_BUCKET && !PyObject_TypeCheck(value, s->bucket)) {
        return wrong(spec, arg, "a Bucket", value);
    }
    if (arg->kind == ARG_PROGRESS && !PyCallable_Check(value)) {
        return wrong(spec, arg, "a callable", value);
    }
    *out = value;
    return 0;
}

static int take_flag(PyObject *value, bool *out)
{
    int is = PyObject_IsTrue(value);
    *out = is > 0;
    return is < 0 ? -1 : 0;
}

static int take_count(const struct spec *spec, const struct arg *arg, PyObject *value,
                      uint32_t *out)
{
    uint64_t n = 0;
    int rc = take_whole(spec, arg, value, UINT32_MAX, &n);
    *out = (uint32_t)n;
    return rc;
}

static int take_cancel(const struct state *s, const struct spec *spec, const struct arg *arg,
                       PyObject *value, pail_cancel **out)
{
    if (!PyObject_TypeCheck(value, s->cancel)) {
        return wrong(spec, arg, "a Cancel", value);
    }
    *out = py_cancel_of(value);
    return 0;
}

static int take_one(struct args *a, const struct state *s, const struct spec *spec,
                    const struct arg *arg, void *into, PyObject *value)
{
    void *to = (char *)into + arg->offset;
    if (value == Py_None && arg->kind != ARG_FLAG) {
        bool required = arg < spec->args + spec->required;
        return required && arg->kind != ARG_OBJECT ? wrong(spec, arg, "needed", value) : 0;
    }
    switch (arg->kind) {
    case ARG_TEXT: return take_text(spec, arg, value, to);
    case ARG_BYTES: return take_whole(spec, arg, value, UINT64_MAX, to);
    case ARG_COUNT: return take_count(spec, arg, value, to);
    case ARG_FLAG: return take_flag(value, to);
    case ARG_SECONDS: return take_seconds(spec, arg, value, to);
    case ARG_TIME: return take_time(s, value, to);
    case ARG_PAIRS: return take_pairs(a, value, to);
    case ARG_OBJECT:
    case ARG_BUCKET:
    case ARG_PROGRESS: return take_object(s, spec, arg, value, to);
    case ARG_CANCEL: return take_cancel(s, spec, arg, value, to);
    }
    return 0;
}

static bool was_given(uint64_t *given, const struct spec *spec, const struct arg *arg)
{
    uint64_t bit = 1ull << (arg - spec->args);
    bool twice = *given & bit;
    *given |= bit;
    if (twice) {
        PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%s'", spec->function,
                     arg->name);
    }
    return twice;
}

int py_args_take(struct args *a, const struct state *s, const struct spec *spec, void *into,
                 PyObject *const *values, Py_ssize_t count, PyObject *names)
{
    uint64_t given = 0;
    Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
    *a = (struct args){.keep = NULL};
    if (count > (Py_ssize_t)spec->positional) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %u positional arguments (%zd given)",
                     spec->function, spec->positional, count);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count + named; i++) {
        const struct arg *arg =
            i < count ? &spec->args[i] : find(spec, PyTuple_GET_ITEM(names, i - count));
        if (!arg || was_given(&given, spec, arg) ||
            take_one(a, s, spec, arg, into, values[i]) < 0) {
            return -1;
        }
    }
    for (unsigned i = 0; i < spec->required; i++) {
        if (!(given & 1ull << i)) {
            PyErr_Format(PyExc_TypeError, "%s() is missing the argument '%s'", spec->function,
                         spec->args[i].name);
            return -1;
        }
    }
    return 0;
}

int py_args_keep(struct args *a, const struct state *s, const struct spec *spec, void *into,
                 PyObject *const *values, Py_ssize_t count, PyObject *names)
{
    if (py_args_take(a, s, spec, into, values, count, names) < 0) {
        return -1;
    }
    Py_ssize_t all = count + (names ? PyTuple_GET_SIZE(names) : 0);
    a->keep = PyTuple_New(all);
    for (Py_ssize_t i = 0; a->keep && i < all; i++) {
        PyTuple_SET_ITEM(a->keep, i, Py_NewRef(values[i]));
    }
    return a->keep ? 0 : -1;
}

PyObject *py_vectorized(py_new_fn make, PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    Py_ssize_t count = PyTuple_GET_SIZE(args), at = count, cursor = 0;
    Py_ssize_t named = keywords ? PyDict_GET_SIZE(keywords) : 0;
    PyObject **values = PyMem_Calloc((size_t)(count + named) + 1, sizeof *values);
    PyObject *names = values ? PyTuple_New(named) : NULL, *made = NULL, *name, *value;
    for (Py_ssize_t i = 0; names && i < count; i++) {
        values[i] = PyTuple_GET_ITEM(args, i);
    }
    while (names && named && PyDict_Next(keywords, &cursor, &name, &value)) {
        PyTuple_SET_ITEM(names, at - count, Py_NewRef(name));
        values[at++] = value;
    }
    if (names) {
        made = make(type, values, count, names);
    } else if (!values) {
        PyErr_NoMemory();
    }
    Py_XDECREF(names);
    PyMem_Free(values);
    return made;
}

void py_args_drop(struct args *a)
{
    for (unsigned i = 0; i < a->pair_count; i++) {
        py_pairs_drop(&a->pairs[i]);
    }
    a->pair_count = 0;
    Py_CLEAR(a->keep);
}

/* ---- pairs */

static int fill_pairs(struct pairs *p)
{
    for (size_t i = 0; i < p->count; i++) {
        PyObject *item = PyList_GET_ITEM(p->items, (Py_ssize_t)i);
        if (!PyArg_ParseTuple(item, "ss", &p->kv[i].name, &p->kv[i].value)) {
            return -1;
        }
    }
    return 0;
}

int py_pairs_take(struct pairs *p, PyObject *dict)
{
    *p = (struct pairs){0};
    if (!dict || dict == Py_None) {
        return 0;
    }
    p->items = PyMapping_Items(dict);
    if (!p->items) {
        return -1;
    }
    p->count = (size_t)PyList_GET_SIZE(p->items);
    p->kv = PyMem_Calloc(p->count + 1, sizeof *p->kv);
    if (!p->kv) {
        PyErr_NoMemory();
        return -1;
    }
    return fill_pairs(p);
}

void py_pairs_drop(struct pairs *p)
{
    PyMem_Free(p->kv);
    Py_CLEAR(p->items);
    *p = (struct pairs){0};
}
