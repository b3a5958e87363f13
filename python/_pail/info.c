/* What comes out of calls, as named tuples: Info and Presigned. */
#include "module.h"

#include <string.h>

static PyStructSequence_Field info_fields[] = {
    {"key", "or the bucket's name, or a prefix that ends with the delimiter"},
    {"size", "bytes"},
    {"mtime_ms", "Unix milliseconds UTC; -1: unknown"},
    {"etag", "opaque, without quotes"},
    {"version", "or None"},
    {"content_type", "or None"},
    {"content_encoding", "or None"},
    {"content_language", "or None"},
    {"content_disposition", "or None"},
    {"cache_control", "or None"},
    {"storage_class", "or None"},
    {"checksum", "of the whole object, 'crc64nvme:BASE64', or None"},
    {"metadata", "dict; names in lower case"},
    {"tags", "dict"},
    {"is_prefix", "a prefix, not an object"},
    {"is_latest", "of a listing of versions: the current one"},
    {"is_delete_marker", "of a listing of versions: the object was deleted"},
    {"upload_id", "of an unfinished upload, or None"},
    {"encryption", "or None"},
    {NULL, NULL},
};
static PyStructSequence_Desc info_desc = {
    "pail.Info", "What is known of one object, prefix or bucket.", info_fields,
    sizeof info_fields / sizeof *info_fields - 1};

static PyStructSequence_Field presigned_fields[] = {
    {"url", "the signed URL"},
    {"headers", "dict: whoever uses the URL must send these"},
    {"expires_ms", "Unix milliseconds UTC"},
    {NULL, NULL},
};
static PyStructSequence_Desc presigned_desc = {
    "pail.Presigned", "A URL with which anyone may do one thing to one object for a while.",
    presigned_fields, sizeof presigned_fields / sizeof *presigned_fields - 1};

static int add(PyObject *module, PyStructSequence_Desc *desc, PyTypeObject **out)
{
    *out = PyStructSequence_NewType(desc);
    return *out ? PyModule_AddType(module, *out) : -1;
}

int py_info_init(PyObject *module, struct state *s)
{
    return add(module, &info_desc, &s->info) < 0 || add(module, &presigned_desc, &s->presigned) < 0
               ? -1
               : 0;
}

/* Services and file systems may hold other bytes than UTF-8: they come back as they went. */
PyObject *py_text(const char *text)
{
    if (!text) {
        Py_RETURN_NONE;
    }
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "surrogateescape");
}

PyObject *py_dict_of(const pail_kv *kv, size_t count)
{
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict && i < count; i++) {
        PyObject *name = py_text(kv[i].name), *value = py_text(kv[i].value);
        if (!name || !value || PyDict_SetItem(dict, name, value) < 0) {
            Py_CLEAR(dict);
        }
        Py_XDECREF(name);
        Py_XDECREF(value);
    }
    return dict;
}

/* Takes the references; a NULL among them: NULL with its exception. */
static PyObject *tuple_of(PyTypeObject *type, PyObject **values, Py_ssize_t count)
{
    PyObject *made = PyStructSequence_New(type);
    bool whole = made != NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        whole = whole && values[i];
        if (made) {
            PyStructSequence_SetItem(made, i, values[i]);
        } else {
            Py_XDECREF(values[i]);
        }
    }
    if (!whole) {
        Py_CLEAR(made);
    }
    return made;
}

PyObject *py_info_new(const struct state *s, const pail_info *i)
{
    PyObject *values[] = {
        py_text(i->key),
        PyLong_FromUnsignedLongLong(i->size),
        PyLong_FromLongLong(i->mtime_ms),
        py_text(i->etag),
        py_text(i->version),
        py_text(i->content_type),
        py_text(i->content_encoding),
        py_text(i->content_language),
        py_text(i->content_disposition),
        py_text(i->cache_control),
        py_text(i->storage_class),
        py_text(i->checksum),
        py_dict_of(i->metadata, i->metadata_count),
        py_dict_of(i->tags, i->tag_count),
        PyBool_FromLong(i->is_prefix),
        PyBool_FromLong(i->is_latest),
        PyBool_FromLong(i->is_delete_marker),
        py_text(i->upload_id),
        py_text(i->encryption),
    };
    return tuple_of(s->info, values, sizeof values / sizeof *values);
}

PyObject *py_info_take(const struct state *s, pail_info *info)
{
    PyObject *made = py_info_new(s, info);
    pail_info_free(info);
    return made;
}

PyObject *py_presigned_take(const struct state *s, pail_presigned *p)
{
    PyObject *values[] = {py_text(p->url), py_dict_of(p->headers, p->header_count),
                          PyLong_FromLongLong(p->expires_ms)};
    pail_presigned_free(p);
    return tuple_of(s->presigned, values, sizeof values / sizeof *values);
}
