/* The verbs on one object, in their blocking form. */
#include "module.h"

enum { LITTLE = 16 << 10 };

/* ---- put and get */

static PyObject *run_put(PyObject *self, struct put_call *c)
{
    const struct state *s = py_state_of(self);
    pail_info *info = NULL;
    pail_error *err = NULL;
    struct wait w = {.progress = c->progress};
    struct body b;
    if (py_source_take(&b, s, &w, c->source ? c->source : Py_None) < 0) {
        py_body_drop(&b);
        return NULL;
    }
    b.pub.expected_size = c->expected_size;
    py_wait_hook(&w, &c->o.call);
    py_wait_enter(&w);
    pail_code rc = pail_put(py_bucket_of(self), c->key, &b.pub, &c->o, &info, &err);
    py_wait_leave(&w);
    py_body_drop(&b);
    if (rc || w.failed || !py_wait_end(&w, b.pub.used)) {
        pail_info_free(info);
        return py_raise(s, &w, rc, err);
    }
    return py_info_take(s, info);
}

PY_METHOD(py_object_put)
{
    struct put_call c = {.o.size = sizeof c.o};
    struct args a;
    PyObject *made =
        py_args_take(&a, py_state_of(self), &py_put_spec, &c, values, count, names) == 0
            ? run_put(self, &c)
            : NULL;
    py_args_drop(&a);
    return made;
}

PyObject *py_got(const struct state *s, struct body *b, bool has_sink, const pail_info *info)
{
    PyObject *made = has_sink ? PyLong_FromUnsignedLongLong(b->pub.used) : py_body_bytes(b);
    if (!info) {
        return made;
    }
    PyObject *known = py_info_new(s, info);
    PyObject *both = made && known ? PyTuple_Pack(2, made, known) : NULL;
    Py_XDECREF(made);
    Py_XDECREF(known);
    return both;
}

static PyObject *run_get(PyObject *self, struct get_call *c)
{
    const struct state *s = py_state_of(self);
    pail_info *info = NULL;
    pail_error *err = NULL;
    PyObject *made;
    char little[LITTLE];
    struct wait w = {.progress = c->progress};
    struct body b;
    if (py_sink_take(&b, s, &w, c->sink) < 0) {
        py_body_drop(&b);
        return NULL;
    }
    py_sink_little(&b, little, sizeof little);
    py_wait_hook(&w, &c->o.call);
    py_wait_enter(&w);
    pail_code rc =
        pail_get(py_bucket_of(self), c->key, &b.pub, &c->o, c->with_info ? &info : NULL, &err);
    py_wait_leave(&w);
    made = rc || w.failed || !py_wait_end(&w, b.pub.used) ? py_raise(s, &w, rc, err)
                                                          : py_got(s, &b, c->sink != NULL, info);
    pail_info_free(info);
    py_body_drop(&b);
    return made;
}

PY_METHOD(py_object_get)
{
    struct get_call c = {.o.size = sizeof c.o};
    struct args a;
    PyObject *made =
        py_args_take(&a, py_state_of(self), &py_get_spec, &c, values, count, names) == 0
            ? run_get(self, &c)
            : NULL;
    py_args_drop(&a);
    return made;
}

/* ---- stat and tags */

typedef pail_code (*stat_fn)(pail_bucket *bucket, const char *key, const pail_stat_opts *opts,
                             pail_info **info, pail_error **err);

/* The info of an object; NULL with an exception. */
static pail_info *run_stat(PyObject *self, stat_fn fn, PyObject *const *values, Py_ssize_t count,
                           PyObject *names)
{
    const struct state *s = py_state_of(self);
    struct stat_call c = {.o.size = sizeof c.o};
    struct args a;
    pail_info *info = NULL;
    pail_error *err = NULL;
    if (py_args_take(&a, s, &py_stat_spec, &c, values, count, names) < 0) {
        py_args_drop(&a);
        return NULL;
    }
    struct wait w = {.progress = c.progress};
    py_wait_hook(&w, &c.o.call);
    py_wait_enter(&w);
    pail_code rc = fn(py_bucket_of(self), c.key, &c.o, &info, &err);
    py_wait_leave(&w);
    py_args_drop(&a);
    if (rc || w.failed) {
        pail_info_free(info);
        (void)py_raise(s, &w, rc, err);
        return NULL;
    }
    return info;
}

PY_METHOD(py_object_stat)
{
    pail_info *info = run_stat(self, pail_stat, values, count, names);
    return info ? py_info_take(py_state_of(self), info) : NULL;
}

PY_METHOD(py_object_tags)
{
    pail_info *info = run_stat(self, pail_tags_get, values, count, names);
    PyObject *dict = info ? py_dict_of(info->tags, info->tag_count) : NULL;
    pail_info_free(info);
    return dict;
}

static const struct arg tags_args[] = {
    {"key", ARG_TEXT, offsetof(struct tags_call, key)},
    {"tags", ARG_PAIRS, offsetof(struct tags_call, tags)},
    {"version", ARG_TEXT, offsetof(struct tags_call, o.version)},
    {"timeout", ARG_SECONDS, offsetof(struct tags_call, o.call.deadline_ms)},
    {"cancel", ARG_CANCEL, offsetof(struct tags_call, o.call.cancel)},
};
const struct spec py_tags_spec = SPEC("set_tags", 2, 2, tags_args);

PY_METHOD(py_object_set_tags)
{
    const struct state *s = py_state_of(self);
    struct tags_call c = {.o.size = sizeof c.o};
    struct args a;
    struct wait w = {0};
    pail_error *err = NULL;
    if (py_args_take(&a, s, &py_tags_spec, &c, values, count, names) < 0) {
        py_args_drop(&a);
        return NULL;
    }
    py_wait_hook(&w, &c.o.call);
    py_wait_enter(&w);
    pail_code rc = pail_tags_set(py_bucket_of(self), c.key, c.tags, c.tag_count, &c.o, &err);
    py_wait_leave(&w);
    py_args_drop(&a);
    if (rc || w.failed) {
        return py_raise(s, &w, rc, err);
    }
    Py_RETURN_NONE;
}

/* ---- delete, copy and rename */

PY_METHOD(py_object_delete)
{
    const struct state *s = py_state_of(self);
    struct delete_call c = {.o.size = sizeof c.o};
    struct args a;
    pail_error *err = NULL;
    if (py_args_take(&a, s, &py_delete_spec, &c, values, count, names) < 0) {
        py_args_drop(&a);
        return NULL;
    }
    struct wait w = {.progress = c.progress};
    py_wait_hook(&w, &c.o.call);
    py_wait_enter(&w);
    pail_code rc = pail_delete(py_bucket_of(self), c.key, &c.o, &err);
    py_wait_leave(&w);
    py_args_drop(&a);
    if (rc || w.failed) {
        return py_raise(s, &w, rc, err);
    }
    Py_RETURN_NONE;
}

static PyObject *run_copy(PyObject *self, struct copy_call *c, bool rename)
{
    const struct state *s = py_state_of(self);
    pail_info *info = NULL;
    pail_error *err = NULL;
    struct wait w = {.progress = c->progress};
    pail_bucket *from = py_bucket_of(self);
    pail_bucket *to = c->to_bucket ? py_bucket_of(c->to_bucket) : from;
    c->o.attr = c->replace ? &c->attr : NULL;
    py_wait_hook(&w, &c->o.call);
    py_wait_enter(&w);
    pail_code rc = rename ? pail_rename(from, c->key, c->to_key, &c->o, &err)
                          : pail_copy(from, c->key, to, c->to_key, &c->o, &info, &err);
    py_wait_leave(&w);
    if (rc || w.failed) {
        pail_info_free(info);
        return py_raise(s, &w, rc, err);
    }
    return rename ? Py_NewRef(Py_None) : py_info_take(s, info);
}

static PyObject *copy(PyObject *self, bool rename, PyObject *const *values, Py_ssize_t count,
                      PyObject *names)
{
    struct copy_call c = {.o.size = sizeof c.o};
    struct args a;
    PyObject *made = NULL;
    if (py_args_take(&a, py_state_of(self), &py_copy_spec, &c, values, count, names) == 0) {
        if (rename && c.to_bucket) {
            PyErr_SetString(PyExc_TypeError, "rename() stays in its bucket: copy() and delete()");
        } else {
            made = run_copy(self, &c, rename);
        }
    }
    py_args_drop(&a);
    return made;
}

PY_METHOD(py_object_copy)
{
    return copy(self, false, values, count, names);
}

PY_METHOD(py_object_rename)
{
    return copy(self, true, values, count, names);
}

/* ---- presign */

struct presign_call {
    const char *key;
    pail_presign_opts o;
};
#define AT(field) offsetof(struct presign_call, field)
static const struct arg presign_args[] = {
    {"key", ARG_TEXT, AT(key)},
    {"method", ARG_TEXT, AT(o.method)},
    {"expires_s", ARG_COUNT, AT(o.expires_s)},
    {"version", ARG_TEXT, AT(o.version)},
    {"content_type", ARG_TEXT, AT(o.content_type)},
    {"response_content_type", ARG_TEXT, AT(o.response_content_type)},
    {"response_content_disposition", ARG_TEXT, AT(o.response_content_disposition)},
    {"timeout", ARG_SECONDS, AT(o.call.deadline_ms)},
};
static const struct spec presign_spec = SPEC("presign", 1, 2, presign_args);

PY_METHOD(py_object_presign)
{
    const struct state *s = py_state_of(self);
    struct presign_call c = {.o.size = sizeof c.o};
    struct args a;
    struct wait w = {0};
    pail_presigned *made = NULL;
    pail_error *err = NULL;
    if (py_args_take(&a, s, &presign_spec, &c, values, count, names) < 0) {
        py_args_drop(&a);
        return NULL;
    }
    py_wait_hook(&w, &c.o.call);
    py_wait_enter(&w);
    pail_code rc = pail_presign(py_bucket_of(self), c.key, &c.o, &made, &err);
    py_wait_leave(&w);
    py_args_drop(&a);
    if (rc || w.failed) {
        pail_presigned_free(made);
        return py_raise(s, &w, rc, err);
    }
    return py_presigned_take(s, made);
}
