/* One exception class per pail_code, in one tree. */
#include "module.h"

#include <string.h>

/* A class stands behind its base. Groups have the code PAIL_OK. */
static const struct {
    pail_code code;
    const char *name, *base, *doc;
} classes[] = {
    {PAIL_OK, "Error", NULL,
     "Something that Pail could not do.\n\n"
     "message: one line. hint: what to try, or ''. code: a stable name, 'not_found'.\n"
     "status: of the HTTP answer, 0 where none came. service_code, request_id: the service's.\n"
     "operation, bucket, key, endpoint: where. attempts: how often it was tried.\n"
     "retryable: the same call may succeed later. maybe_applied: a write may have taken effect."},
    {PAIL_OK, "InvalidNameException", "Error", "A name that no bucket or object can have."},
    {PAIL_OK, "InvalidConfigurationException", "Error", "A wrong setting, URL or provider."},
    {PAIL_OK, "DuplicateResourceException", "Error", "It is there already."},
    {PAIL_OK, "ProviderConnectionException", "Error", "No way to the service, or into it."},
    {PAIL_OK, "ProviderInternalException", "Error", "The service did what it should not."},
    {PAIL_E_NOT_FOUND, "NotFound", "Error", "No such object."},
    {PAIL_E_BUCKET_NOT_FOUND, "BucketNotFound", "NotFound", "No such bucket."},
    {PAIL_E_VERSION_NOT_FOUND, "VersionNotFound", "NotFound", "No such version."},
    {PAIL_E_UPLOAD_NOT_FOUND, "UploadNotFound", "NotFound", "No such unfinished upload."},
    {PAIL_E_EXISTS, "Exists", "DuplicateResourceException", "The object is there already."},
    {PAIL_E_BUCKET_EXISTS, "BucketExists", "DuplicateResourceException",
     "A bucket of that name is there already."},
    {PAIL_E_BUCKET_NOT_EMPTY, "BucketNotEmpty", "Error", "The bucket still has contents."},
    {PAIL_E_PRECONDITION, "PreconditionFailed", "Error", "A condition did not hold."},
    {PAIL_E_NOT_MODIFIED, "NotModified", "Error", "The object is as you know it."},
    {PAIL_E_CONFLICT, "Conflict", "Error", "Another write came between."},
    {PAIL_E_UNAUTHENTICATED, "Unauthenticated", "ProviderConnectionException",
     "The service does not know the credentials."},
    {PAIL_E_FORBIDDEN, "Forbidden", "Error", "The credentials do not allow it."},
    {PAIL_E_EXPIRED_CREDENTIALS, "ExpiredCredentials", "ProviderConnectionException",
     "The credentials are no longer valid."},
    {PAIL_E_NO_CREDENTIALS, "NoCredentials", "ProviderConnectionException",
     "No credentials were found."},
    {PAIL_E_CLOCK_SKEW, "ClockSkew", "ProviderConnectionException",
     "The clock of this machine differs too much from the service's."},
    {PAIL_E_BAD_ARGUMENT, "BadArgument", "Error", "An argument that makes no sense."},
    {PAIL_E_BAD_CONFIG, "BadConfig", "InvalidConfigurationException",
     "An unknown setting or scheme, a malformed URL or value."},
    {PAIL_E_BAD_KEY, "BadKey", "InvalidNameException", "A key that no object can have."},
    {PAIL_E_BAD_BUCKET_NAME, "BadBucketName", "InvalidNameException",
     "A name that no bucket can have."},
    {PAIL_E_BAD_RANGE, "BadRange", "Error", "A range outside of the object."},
    {PAIL_E_TOO_LARGE, "TooLarge", "Error", "More than fits."},
    {PAIL_E_UNSUPPORTED, "Unsupported", "Error", "What this service cannot do."},
    {PAIL_E_THROTTLED, "Throttled", "Error", "The service asks for fewer requests."},
    {PAIL_E_UNAVAILABLE, "Unavailable", "ProviderInternalException",
     "The service failed after all retries."},
    {PAIL_E_TIMEOUT, "Timeout", "Error", "The deadline passed, or a peer stayed silent."},
    {PAIL_E_CANCELLED, "Cancelled", "Error", "Somebody asked it to stop."},
    {PAIL_E_ARCHIVED, "Archived", "Error", "The object must be restored first."},
    {PAIL_E_DNS, "Dns", "ProviderConnectionException", "The host's name has no address."},
    {PAIL_E_CONNECT, "Connect", "ProviderConnectionException", "No connection."},
    {PAIL_E_TLS, "Tls", "ProviderConnectionException", "No trusted connection."},
    {PAIL_E_PROTOCOL, "Protocol", "ProviderInternalException",
     "The server answered something that is not its protocol."},
    {PAIL_E_WRONG_REGION, "WrongRegion", "Error", "The bucket is elsewhere."},
    {PAIL_E_CHECKSUM, "Checksum", "Error", "Bytes were damaged on the way or at rest."},
    {PAIL_E_CHANGED, "Changed", "Error", "The source changed while it was read."},
    {PAIL_E_IO, "Io", "Error", "A file could not be read or written."},
    {PAIL_E_NO_SPACE, "NoSpace", "Io", "The disk is full."},
    {PAIL_E_NO_MEMORY, "NoMemory", "Error", "No memory."},
    {PAIL_E_CALLBACK, "Callback", "Error", "A callback asked to stop."},
    {PAIL_E_FORKED, "Forked", "Error", "The handle was made before a fork."},
    {PAIL_E_INTERNAL, "Internal", "ProviderInternalException", "A defect of Pail's."},
};
enum { COUNT = sizeof classes / sizeof *classes };
_Static_assert((int)COUNT <= (int)ERROR_MAX, "struct state has room for every class");

static int index_of(const char *name)
{
    for (int i = 0; i < COUNT; i++) {
        if (strcmp(classes[i].name, name) == 0) {
            return i;
        }
    }
    return 0;
}

/* What Python has a name of its own for is caught under that name too. */
static PyObject *second_base(pail_code code)
{
    return code == PAIL_E_UNSUPPORTED ? PyExc_NotImplementedError : NULL;
}

/* The attributes of an error; of none: what they are where nothing is known. */
static PyObject *details(const pail_error *e)
{
    return Py_BuildValue(
        "{s:N,s:N,s:i,s:N,s:N,s:N,s:N,s:N,s:N,s:i,s:N,s:N}", "message",
        py_text(pail_error_message(e)), "hint", py_text(pail_error_hint(e)), "status",
        pail_error_http_status(e), "service_code", py_text(pail_error_service_code(e)),
        "request_id", py_text(pail_error_request_id(e)), "operation",
        py_text(pail_error_operation(e)), "bucket", py_text(pail_error_bucket(e)), "key",
        py_text(pail_error_key(e)), "endpoint", py_text(pail_error_endpoint(e)), "attempts",
        pail_error_attempts(e), "retryable", PyBool_FromLong(pail_error_retryable(e)),
        "maybe_applied", PyBool_FromLong(pail_error_maybe_applied(e)));
}

static PyObject *make_class(const struct state *s, int i)
{
    char name[64];
    PyOS_snprintf(name, sizeof name, "pail.exceptions.%s", classes[i].name);
    PyObject *base = classes[i].base ? s->errors[index_of(classes[i].base)] : PyExc_Exception;
    PyObject *second = second_base(classes[i].code);
    PyObject *bases = second ? PyTuple_Pack(2, base, second) : PyTuple_Pack(1, base);
    PyObject *dict = bases ? details(NULL) : NULL;
    PyObject *own = dict ? Py_BuildValue("{s:s,s:s}", "__doc__", classes[i].doc, "code",
                                         classes[i].code ? pail_code_name(classes[i].code) : "")
                         : NULL;
    if (!own || PyDict_Update(dict, own) < 0) {
        Py_CLEAR(dict);
    }
    Py_XDECREF(own);
    PyObject *made = dict ? PyErr_NewException(name, bases, dict) : NULL;
    Py_XDECREF(bases);
    Py_XDECREF(dict);
    return made;
}

int py_errors_init(PyObject *module, struct state *s)
{
    for (int i = 0; i < COUNT; i++) {
        s->errors[i] = make_class(s, i);
        if (!s->errors[i] || PyModule_AddObjectRef(module, classes[i].name, s->errors[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

static PyObject *class_of(const struct state *s, pail_code code)
{
    for (int i = 0; i < COUNT; i++) {
        if (classes[i].code == code && code != PAIL_OK) {
            return s->errors[i];
        }
    }
    return s->errors[0];
}

/* "get my-bucket/my-key: what happened (what to try)". */
static PyObject *text_of(const pail_error *e)
{
    const char *operation = pail_error_operation(e), *bucket = pail_error_bucket(e),
               *key = pail_error_key(e), *hint = pail_error_hint(e);
    return PyUnicode_FromFormat("%s%s%s%s%s%s%s%s%s%s", operation, *operation && *bucket ? " " : "",
                                *operation ? bucket : "", *operation && *key ? "/" : "",
                                *operation ? key : "", *operation ? ": " : "",
                                pail_error_message(e), *hint ? " (" : "", hint, *hint ? ")" : "");
}

/* An exception with its attributes in __dict__, so that it can be pickled. */
static PyObject *new_error(PyObject *of, const pail_error *e)
{
    PyObject *text = text_of(e);
    PyObject *made = text ? PyObject_CallOneArg(of, text) : NULL;
    PyObject *more = made ? details(e) : NULL;
    PyObject *dict = more ? PyObject_GenericGetDict(made, NULL) : NULL;
    if (made && (!dict || PyDict_Update(dict, more) < 0)) {
        Py_CLEAR(made);
    }
    Py_XDECREF(dict);
    Py_XDECREF(more);
    Py_XDECREF(text);
    return made;
}

PyObject *py_error_new(const struct state *s, pail_code rc, const pail_error *err)
{
    return new_error(class_of(s, rc), err);
}

PyObject *py_raise(const struct state *s, const struct wait *w, pail_code rc, pail_error *err)
{
    if (!(w && w->failed) && !PyErr_Occurred()) {
        PyObject *error = py_error_new(s, rc, err);
        if (error) {
            PyErr_SetObject((PyObject *)Py_TYPE(error), error);
            Py_DECREF(error);
        }
    }
    pail_error_free(err);
    return NULL;
}
