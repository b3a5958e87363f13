/* Uploads in parts by hand. */
#include "module.h"

#define AT(field) offsetof(struct upload_call, field)
#define COMMON_ARGS                                                                                \
    {"timeout", ARG_SECONDS, AT(o.call.deadline_ms)}, {"cancel", ARG_CANCEL, AT(o.call.cancel)},   \
        {"headers", ARG_PAIRS, AT(o.call.headers)},                                                \
        {"request_payer", ARG_TEXT, AT(o.call.request_payer)},                                     \
    {                                                                                              \
        "customer_key", ARG_TEXT, AT(o.encryption.customer_key_base64)                             \
    }
#define OBJECT_ARGS                                                                                \
    {"content_type", ARG_TEXT, AT(o.attr.content_type)},                                           \
        {"content_encoding", ARG_TEXT, AT(o.attr.content_encoding)},                               \
        {"content_language", ARG_TEXT, AT(o.attr.content_language)},                               \
        {"content_disposition", ARG_TEXT, AT(o.attr.content_disposition)},                         \
        {"cache_control", ARG_TEXT, AT(o.attr.cache_control)},                                     \
        {"metadata", ARG_PAIRS, AT(o.attr.metadata)}, {"tags", ARG_PAIRS, AT(o.attr.tags)},        \
        {"storage_class", ARG_TEXT, AT(o.attr.storage_class)},                                     \
        {"acl", ARG_TEXT, AT(o.attr.canned_acl)}, {"if_match", ARG_TEXT, AT(o.cond.if_match)},     \
        {"if_none_match", ARG_TEXT, AT(o.cond.if_none_match)},                                     \
        {"encryption", ARG_TEXT, AT(o.encryption.algorithm)},                                      \
    {                                                                                              \
        "kms_key_id", ARG_TEXT, AT(o.encryption.kms_key_id)                                        \
    }

static const struct arg begin_args[] = {{"key", ARG_TEXT, AT(key)}, OBJECT_ARGS, COMMON_ARGS};
const struct spec py_begin_spec = SPEC("upload_begin", 1, 1, begin_args);
static const struct arg part_args[] = {{"key", ARG_TEXT, AT(key)},
                                       {"upload_id", ARG_TEXT, AT(upload_id)},
                                       {"number", ARG_COUNT, AT(number)},
                                       {"source", ARG_OBJECT, AT(source)},
                                       COMMON_ARGS};
const struct spec py_part_spec = SPEC("upload_part", 4, 4, part_args);
static const struct arg finish_args[] = {{"key", ARG_TEXT, AT(key)},
                                         {"upload_id", ARG_TEXT, AT(upload_id)},
                                         {"parts", ARG_OBJECT, AT(parts)},
                                         OBJECT_ARGS,
                                         COMMON_ARGS};
const struct spec py_finish_spec = SPEC("upload_finish", 3, 3, finish_args);
static const struct arg abort_args[] = {
    {"key", ARG_TEXT, AT(key)},
    {"upload_id", ARG_TEXT, AT(upload_id)},
    {"timeout", ARG_SECONDS, AT(abort.call.deadline_ms)},
    {"cancel", ARG_CANCEL, AT(abort.call.cancel)},
    {"headers", ARG_PAIRS, AT(abort.call.headers)},
};
const struct spec py_abort_spec = SPEC("upload_abort", 2, 2, abort_args);

PY_METHOD(py_upload_begin)
{
    const struct state *s = py_state_of(self);
    struct upload_call c = {.o.size = sizeof c.o};
    struct args a;
    struct wait w = {0};
    char *id = NULL;
    pail_error *err = NULL;
    if (py_args_take(&a, s, &py_begin_spec, &c, values, count, names) < 0) {
        py_args_drop(&a);
        return NULL;
    }
    py_wait_hook(&w, &c.o.call);
    py_wait_enter(&w);
    pail_code rc = pail_upload_begin(py_bucket_of(self), c.key, &c.o, &id, &err);
    py_wait_leave(&w);
    py_args_drop(&a);
    PyObject *made = rc || w.failed ? py_raise(s, &w, rc, err) : py_text(id);
    pail_free(id);
    return made;
}

static PyObject *run_part(PyObject *self, struct upload_call *c)
{
    const struct state *s = py_state_of(self);
    struct wait w = {0};
    struct body b;
    pail_info *info = NULL;
    pail_error *err = NULL;
    PyObject *made = NULL;
    if (py_source_take(&b, s, &w, c->source ? c->source : Py_None) == 0) {
        py_wait_hook(&w, &c->o.call);
        py_wait_enter(&w);
        pail_code rc = pail_upload_part(py_bucket_of(self), c->key, c->upload_id, c->number, &b.pub,
                                        &c->o, &info, &err);
        py_wait_leave(&w);
        if (rc || w.failed) {
            pail_info_free(info);
            made = py_raise(s, &w, rc, err);
        } else {
            made = py_info_take(s, info);
        }
    }
    py_body_drop(&b);
    return made;
}

PY_METHOD(py_upload_part)
{
    struct upload_call c = {.o.size = sizeof c.o};
    struct args a;
    PyObject *made =
        py_args_take(&a, py_state_of(self), &py_part_spec, &c, values, count, names) == 0
            ? run_part(self, &c)
            : NULL;
    py_args_drop(&a);
    return made;
}

enum { INFO_SIZE = 1, INFO_ETAG = 3, INFO_CHECKSUM = 11 }; /* fields of Info */

static int part_of(const struct state *s, PyObject *pair, pail_part *part)
{
    PyObject *info;
    unsigned long number;
    if (!PyTuple_Check(pair)) {
        PyErr_SetString(PyExc_TypeError, "a part is a tuple (number, Info)");
        return -1;
    }
    if (!PyArg_ParseTuple(pair, "kO!;a part is (number, Info)", &number, s->info, &info)) {
        return -1;
    }
    unsigned long long size = PyLong_AsUnsignedLongLong(PyStructSequence_GetItem(info, INFO_SIZE));
    const char *etag, *checksum;
    if (PyErr_Occurred() || !PyArg_Parse(PyStructSequence_GetItem(info, INFO_ETAG), "z", &etag) ||
        !PyArg_Parse(PyStructSequence_GetItem(info, INFO_CHECKSUM), "z", &checksum)) {
        return -1;
    }
    *part = (pail_part){.number = number > UINT32_MAX ? 0 : (uint32_t)number,
                        .size = size,
                        .etag = etag,
                        .checksum = checksum};
    return 0;
}

int py_parts_take(struct parts *p, const struct state *s, PyObject *pairs)
{
    p->list = PySequence_Tuple(pairs ? pairs : Py_None);
    if (!p->list) {
        return -1;
    }
    p->count = (size_t)PyTuple_GET_SIZE(p->list);
    p->parts = PyMem_Calloc(p->count + 1, sizeof *p->parts);
    if (!p->parts) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < p->count; i++) {
        if (part_of(s, PyTuple_GET_ITEM(p->list, (Py_ssize_t)i), &p->parts[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

void py_parts_drop(struct parts *p)
{
    PyMem_Free(p->parts);
    Py_XDECREF(p->list);
    *p = (struct parts){.list = NULL};
}

static PyObject *run_finish(PyObject *self, struct upload_call *c, const pail_part *parts,
                            size_t count)
{
    const struct state *s = py_state_of(self);
    struct wait w = {0};
    pail_info *info = NULL;
    pail_error *err = NULL;
    py_wait_hook(&w, &c->o.call);
    py_wait_enter(&w);
    pail_code rc = pail_upload_finish(py_bucket_of(self), c->key, c->upload_id, parts, count, &c->o,
                                      &info, &err);
    py_wait_leave(&w);
    if (rc || w.failed) {
        pail_info_free(info);
        return py_raise(s, &w, rc, err);
    }
    return py_info_take(s, info);
}

PY_METHOD(py_upload_finish)
{
    const struct state *s = py_state_of(self);
    struct upload_call c = {.o.size = sizeof c.o};
    struct args a;
    struct parts p = {.list = NULL};
    PyObject *made = NULL;
    if (py_args_take(&a, s, &py_finish_spec, &c, values, count, names) == 0 &&
        py_parts_take(&p, s, c.parts) == 0) {
        made = run_finish(self, &c, p.parts, p.count);
    }
    py_parts_drop(&p);
    py_args_drop(&a);
    return made;
}

PY_METHOD(py_upload_abort)
{
    const struct state *s = py_state_of(self);
    struct upload_call c = {0};
    struct args a;
    struct wait w = {0};
    pail_error *err = NULL;
    if (py_args_take(&a, s, &py_abort_spec, &c, values, count, names) < 0) {
        py_args_drop(&a);
        return NULL;
    }
    c.abort.size = sizeof c.abort;
    py_wait_hook(&w, &c.abort.call);
    py_wait_enter(&w);
    pail_code rc = pail_upload_abort(py_bucket_of(self), c.key, c.upload_id, &c.abort, &err);
    py_wait_leave(&w);
    py_args_drop(&a);
    if (rc || w.failed) {
        return py_raise(s, &w, rc, err);
    }
    Py_RETURN_NONE;
}
