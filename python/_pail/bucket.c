/* Bucket: a handle on one bucket. Its verbs on objects are in object.c, many.c and upload.c. */
#include "module.h"

struct bucket {
    PyObject_HEAD pail_bucket *bucket;
};

pail_bucket *py_bucket_of(PyObject *self)
{
    return ((struct bucket *)self)->bucket;
}

static void dealloc(PyObject *self)
{
    pail_bucket *bucket = py_bucket_of(self);
    Py_BEGIN_ALLOW_THREADS pail_bucket_close(bucket);
    Py_END_ALLOW_THREADS py_object_free(self);
}

/* ---- making one */

struct new_call {
    PyObject *client;
    const char *name;
};
static const struct arg new_args[] = {
    {"client", ARG_OBJECT, offsetof(struct new_call, client)},
    {"name", ARG_TEXT, offsetof(struct new_call, name)},
};
static const struct spec new_spec = SPEC("Bucket", 2, 2, new_args);

static PyObject *new_bucket(PyTypeObject *type, PyObject *const *values, Py_ssize_t count,
                            PyObject *names)
{
    const struct state *s = py_state_of_type(type);
    struct new_call c = {0};
    struct args a;
    pail_error *err = NULL;
    int ok = py_args_take(&a, s, &new_spec, &c, values, count, names);
    py_args_drop(&a);
    if (ok < 0) {
        return NULL;
    }
    if (!c.client || !PyObject_TypeCheck(c.client, s->client)) {
        PyErr_SetString(PyExc_TypeError, "Bucket(): client is not a Client");
        return NULL;
    }
    struct bucket *self = (struct bucket *)type->tp_alloc(type, 0);
    pail_code rc =
        self ? pail_bucket_open(py_client_of(c.client), c.name, &self->bucket, &err) : PAIL_OK;
    if (rc) {
        Py_DECREF(self);
        return py_raise(s, NULL, rc, err);
    }
    return (PyObject *)self;
}

static PyObject *tp_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    return py_vectorized(new_bucket, type, args, keywords);
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
static const struct spec open_spec = SPEC("from_url", 1, 2, open_args);

static PyObject *from_url(PyObject *type, PyObject *const *values, Py_ssize_t count,
                          PyObject *names)
{
    PyTypeObject *of = (PyTypeObject *)type;
    const struct state *s = py_state_of_type(of);
    struct open_call c = {0};
    struct args a;
    struct wait w = {0};
    pail_error *err = NULL;
    struct bucket *self = NULL;
    pail_code rc = PAIL_OK;
    if (py_args_take(&a, s, &open_spec, &c, values, count, names) == 0) {
        self = (struct bucket *)of->tp_alloc(of, 0);
    }
    if (self) {
        pail_client_opts o = {.size = sizeof o,
                              .settings = c.settings,
                              .settings_count = c.settings_count,
                              .ignore_environment = c.ignore_environment};
        py_wait_enter(&w);
        rc = pail_open_bucket(c.url, &o, &self->bucket, &err);
        py_wait_leave(&w);
    }
    py_args_drop(&a);
    if (rc) {
        Py_DECREF(self);
        return py_raise(s, &w, rc, err);
    }
    return (PyObject *)self;
}

/* ---- the bucket itself */

struct bucket_call {
    PyObject *progress;
    bool exist_ok, delete_contents;
    pail_bucket_opts o;
};
#define AT(field) offsetof(struct bucket_call, field)
static const struct arg create_args[] = {
    {"location", ARG_TEXT, AT(o.location)},           {"exist_ok", ARG_FLAG, AT(exist_ok)},
    {"timeout", ARG_SECONDS, AT(o.call.deadline_ms)}, {"cancel", ARG_CANCEL, AT(o.call.cancel)},
    {"headers", ARG_PAIRS, AT(o.call.headers)},
};
static const struct spec create_spec = SPEC("create", 0, 1, create_args);
static const struct arg remove_args[] = {
    {"delete_contents", ARG_FLAG, AT(delete_contents)},
    {"timeout", ARG_SECONDS, AT(o.call.deadline_ms)},
    {"cancel", ARG_CANCEL, AT(o.call.cancel)},
    {"headers", ARG_PAIRS, AT(o.call.headers)},
};
static const struct spec remove_spec = SPEC("remove", 0, 0, remove_args);

typedef pail_code (*bucket_fn)(pail_client *client, const char *name, const pail_bucket_opts *opts,
                               pail_error **err);

static PyObject *run(PyObject *self, const struct spec *spec, bucket_fn fn, PyObject *const *values,
                     Py_ssize_t count, PyObject *names)
{
    const struct state *s = py_state_of(self);
    struct bucket_call c = {.o.size = sizeof c.o};
    struct args a;
    struct wait w = {0};
    pail_error *err = NULL;
    pail_bucket *b = py_bucket_of(self);
    if (py_args_take(&a, s, spec, &c, values, count, names) < 0) {
        py_args_drop(&a);
        return NULL;
    }
    c.o.exist_ok = c.exist_ok;
    c.o.delete_contents = c.delete_contents;
    py_wait_hook(&w, &c.o.call);
    py_wait_enter(&w);
    pail_code rc = fn(pail_bucket_client(b), pail_bucket_name(b), &c.o, &err);
    py_wait_leave(&w);
    py_args_drop(&a);
    if (rc || w.failed) {
        return py_raise(s, &w, rc, err);
    }
    Py_RETURN_NONE;
}

static PyObject *create(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names)
{
    return run(self, &create_spec, pail_bucket_create, values, count, names);
}

static PyObject *remove_bucket(PyObject *self, PyObject *const *values, Py_ssize_t count,
                               PyObject *names)
{
    return run(self, &remove_spec, pail_bucket_delete, values, count, names);
}

static const struct arg exists_args[] = {
    {"timeout", ARG_SECONDS, AT(o.call.deadline_ms)},
    {"cancel", ARG_CANCEL, AT(o.call.cancel)},
    {"headers", ARG_PAIRS, AT(o.call.headers)},
};
static const struct spec exists_spec = SPEC("exists", 0, 0, exists_args);

static PyObject *exists(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names)
{
    const struct state *s = py_state_of(self);
    struct bucket_call c = {.o.size = sizeof c.o};
    struct args a;
    struct wait w = {0};
    pail_error *err = NULL;
    bool there = false;
    pail_bucket *b = py_bucket_of(self);
    if (py_args_take(&a, s, &exists_spec, &c, values, count, names) < 0) {
        py_args_drop(&a);
        return NULL;
    }
    py_wait_hook(&w, &c.o.call);
    py_wait_enter(&w);
    pail_code rc =
        pail_bucket_exists(pail_bucket_client(b), pail_bucket_name(b), &c.o, &there, &err);
    py_wait_leave(&w);
    py_args_drop(&a);
    return rc || w.failed ? py_raise(s, &w, rc, err) : PyBool_FromLong(there);
}

/* ---- listings, readers and writers */

static PyObject *list(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names)
{
    return py_iter_open(py_state_of(self), LIST_OBJECTS, self, values, count, names);
}

static PyObject *uploads(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names)
{
    return py_iter_open(py_state_of(self), LIST_UPLOADS, self, values, count, names);
}

static PyObject *name(PyObject *self, void *none)
{
    (void)none;
    return py_text(pail_bucket_name(py_bucket_of(self)));
}

static PyObject *scheme(PyObject *self, void *none)
{
    (void)none;
    return py_text(pail_client_scheme(pail_bucket_client(py_bucket_of(self))));
}

static PyObject *repr(PyObject *self)
{
    return PyUnicode_FromFormat("<pail.Bucket %s:%s>",
                                pail_client_scheme(pail_bucket_client(py_bucket_of(self))),
                                pail_bucket_name(py_bucket_of(self)));
}

static PyMethodDef methods[] = {
    {"from_url", (PyCFunction)(void (*)(void))from_url, METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_url(url, settings=None, *, ignore_environment=False) -> Bucket\n\n"
     "With a client of its own. No request. Raises BadConfig, BadBucketName."},
    {"create", FAST_KEYWORDS(create),
     "create(location=None, *, exist_ok=False, timeout=None, cancel=None, headers=None)\n\n"
     "Makes the bucket. 1 request. Raises BucketExists, BadBucketName, Forbidden."},
    {"exists", FAST_KEYWORDS(exists),
     "exists(*, timeout=None, cancel=None, headers=None) -> bool\n\n1 request. Raises Forbidden."},
    {"remove", FAST_KEYWORDS(remove_bucket),
     "remove(*, delete_contents=False, timeout=None, cancel=None, headers=None)\n\n"
     "Deletes the bucket, also with all in it. Raises BucketNotFound, BucketNotEmpty."},
    {"reader", FAST_KEYWORDS(py_reader_open),
     "reader(key, *, version=None, if_match=None, ...) -> Reader\n\n"
     "One version of an object, anywhere in it. 1 request. Raises NotFound."},
    {"writer", FAST_KEYWORDS(py_writer_open),
     "writer(key, *, content_type=None, metadata=None, if_none_match=None, ...) -> Writer\n\n"
     "Nothing is visible before commit(). The keywords are those of put()."},
    {"list", FAST_KEYWORDS(list),
     "list(*, prefix=None, delimiter=None, start_after=None, pattern=None, versions=False,\n"
     "page_size=0, timeout=None, cancel=None) -> Listing\n\n"
     "Info in byte order of the keys. 1 request a page."},
    {"uploads", FAST_KEYWORDS(uploads),
     "uploads(*, prefix=None, ...) -> Listing\n\nUnfinished uploads: key, upload_id, mtime_ms."},
    {"get", FAST_KEYWORDS(py_object_get),
     "get(key, sink=None, *, offset=0, length=0, suffix=0, version=None, sync=False,\n"
     "with_info=False, if_match=None, if_none_match=None, if_modified_since=None,\n"
     "if_unmodified_since=None, customer_key=None, part_size=0, concurrency=0, timeout=None,\n"
     "cancel=None, progress=None, headers=None, request_payer=None) -> bytes, or int with a "
     "sink\n\n"
     "Reads an object or a range of it: length 0 is to the end, suffix the last bytes. sink: a\n"
     "writable buffer, a path (replaced at the end, in one step), a descriptor or a binary file;\n"
     "then the count of bytes comes back. with_info: (that, Info). timeout in seconds; progress "
     "is\n"
     "called as progress(done, total or None) about ten times a second.\n"
     "Raises NotFound, BadRange, Checksum, Changed, TooLarge, NotModified, PreconditionFailed."},
    {"put", FAST_KEYWORDS(py_object_put),
     "put(key, source, *, content_type=None, content_encoding=None, content_language=None,\n"
     "content_disposition=None, cache_control=None, metadata=None, tags=None, storage_class=None,\n"
     "acl=None, if_match=None, if_none_match=None, encryption=None, kms_key_id=None,\n"
     "customer_key=None, expected_size=0, part_size=0, concurrency=0, timeout=None, cancel=None,\n"
     "progress=None, headers=None, request_payer=None) -> Info\n\n"
     "Stores an object in one step. source: bytes-like (not copied), a path, a descriptor (from "
     "its\n"
     "position) or a binary file, also of unknown length. if_none_match='*': only where there is\n"
     "none. Raises BucketNotFound, Exists, PreconditionFailed, Conflict, Changed, TooLarge."},
    {"stat", FAST_KEYWORDS(py_object_stat),
     "stat(key, *, version=None, if_match=None, ...) -> Info\n\n1 request.\n"
     "Raises NotFound, VersionNotFound, NotModified, PreconditionFailed."},
    {"delete", FAST_KEYWORDS(py_object_delete),
     "delete(key, *, version=None, if_match=None, missing_is_error=False, timeout=None, ...)\n\n"
     "One that is not there is fine. 1 request."},
    {"copy", FAST_KEYWORDS(py_object_copy),
     "copy(key, to_key, to_bucket=None, *, version=None, source_if_match=None, if_match=None,\n"
     "if_none_match=None, replace=False, content_type=None, metadata=None, ...) -> Info\n\n"
     "By the service where it can, else through bounded memory; to_bucket may be of another "
     "client\n"
     "and provider. replace: with the attributes given here, not those of the source."},
    {"rename", FAST_KEYWORDS(py_object_rename),
     "rename(key, to_key, **as_of_copy)\n\nCopies, then deletes the source: not atomic."},
    {"presign", FAST_KEYWORDS(py_object_presign),
     "presign(key, method='GET', *, expires_s=3600, version=None, content_type=None,\n"
     "response_content_type=None, response_content_disposition=None) -> Presigned\n\n"
     "No request. content_type (PUT): the user must send exactly this.\n"
     "Raises Unsupported, NoCredentials, BadArgument."},
    {"tags", FAST_KEYWORDS(py_object_tags),
     "tags(key, *, version=None) -> dict\n\n1 request. Raises NotFound, Unsupported."},
    {"set_tags", FAST_KEYWORDS(py_object_set_tags),
     "set_tags(key, tags, *, version=None)\n\nReplaces all tags. 1 request."},
    {"delete_many", FAST_KEYWORDS(py_many_delete),
     "delete_many(keys, *, errors=False, timeout=None, cancel=None)\n\n"
     "Up to 1000 a request. Raises the first failure after all were tried; with errors=True gives\n"
     "a dict of key: exception instead."},
    {"get_ranges", FAST_KEYWORDS(py_many_ranges),
     "get_ranges(key, ranges, *, coalesce_gap=1 MiB, version=None, if_match=None, ...)\n"
     "-> list of bytes\n\nranges: (offset, length) pairs, all of one version. Those within\n"
     "coalesce_gap bytes of each other share a request. Fewer bytes past the end."},
    {"upload_begin", FAST_KEYWORDS(py_upload_begin),
     "upload_begin(key, **attributes_of_put) -> upload id\n\n1 request."},
    {"upload_part", FAST_KEYWORDS(py_upload_part),
     "upload_part(key, upload_id, number, source, *, timeout=None, ...) -> Info\n\n"
     "source: bytes-like, a path or a descriptor. Numbers from 1, in any order. 1 request."},
    {"upload_finish", FAST_KEYWORDS(py_upload_finish),
     "upload_finish(key, upload_id, parts, **as_at_the_beginning) -> Info\n\n"
     "parts: (number, Info) pairs. 1 request."},
    {"upload_abort", FAST_KEYWORDS(py_upload_abort),
     "upload_abort(key, upload_id)\n\nFrees its parts. 1 request. Raises UploadNotFound."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"name", name, NULL, "The bucket's name.", NULL},
    {"scheme", scheme, NULL, "'local', 'memory', 'file', 's3', ...", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, SLOT(tp_new)},
    {Py_tp_dealloc, SLOT(dealloc)},
    {Py_tp_repr, SLOT(repr)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, SLOT("Bucket(client, name)\n\nA handle on one bucket, which need not exist.")},
    {0, NULL},
};

static PyType_Spec spec = {.name = "pail._pail.Bucket",
                           .basicsize = sizeof(struct bucket),
                           .flags =
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
                           .slots = slots};

int py_bucket_init(PyObject *module, struct state *s)
{
    return py_type_add(module, &spec, &s->bucket);
}
