/* The C extension _pail: the calls of <pail.h> as Python objects. Nothing is global: all that the
 * files share is in struct state, one per interpreter. */
#ifndef PY_MODULE_H
#define PY_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pail.h>

enum { ERROR_MAX = 64 };

struct state {
    PyObject *errors[ERROR_MAX];    /* exception classes, in the order of the table in errors.c */
    PyTypeObject *info, *presigned; /* named tuples */
    PyTypeObject *client, *bucket, *iter, *reader;
    PyObject *read, *write; /* names of methods */
    PyObject *file_io;      /* io.FileIO */
};

/* Python's functions take keywords as `char **`, and change nothing. */
#define KEYWORDS(names) ((char **)(uintptr_t)(names))
/* Its tables hold functions and texts as `void *`, which ISO C does not convert by itself. */
#define SLOT(what) ((void *)(uintptr_t)(what))

/* ---- wait.c: calls that may take long, without the interpreter's lock */

/* One call of the library's that may wait. Meanwhile other threads run, and a signal that came
 * (Ctrl-C) ends it with the exception that its handler raised. */
struct wait {
    PyThreadState *thread; /* NULL: the lock is held */
    int64_t looked_ms;     /* when signals were looked for */
    bool failed;           /* a Python exception is set; the call is to end */
};
/* Makes the call, or what it opens, ask `w`, which must live as long. */
void py_wait_hook(struct wait *w, pail_call *call);
/* Between the two no Python object may be touched. */
void py_wait_enter(struct wait *w);
void py_wait_leave(struct wait *w);
/* In a callback of such a call: takes the lock for a moment. */
void py_wait_hold(struct wait *w);
void py_wait_drop(struct wait *w);

/* ---- errors.c */

int py_errors_init(PyObject *module, struct state *s);
/* Raises what went wrong and frees err; NULL. An exception that a callback raised goes first. */
PyObject *py_raise(const struct state *s, const struct wait *w, pail_code rc, pail_error *err);

/* ---- info.c */

int py_info_init(PyObject *module, struct state *s);
PyObject *py_info_new(const struct state *s, const pail_info *info);
/* As py_info_new; frees info. */
PyObject *py_info_take(const struct state *s, pail_info *info);
PyObject *py_presigned_take(const struct state *s, pail_presigned *signed_url);
PyObject *py_text(const char *text); /* None for NULL */

/* ---- body.c: what is read from or written to */

struct body {
    pail_body pub;
    Py_buffer view;
    PyObject *path;   /* bytes */
    PyObject *object; /* borrowed: the file; owned: the bytes that grow */
    bool owns_object;
    size_t used;  /* of the bytes that grow */
    bool is_pipe; /* the file is FileIO(pipe_fd) */
    int pipe_fd;
    const struct state *state;
    struct wait *wait;
};
/* A bytes-like object, path, descriptor or binary file. 0, or -1 with an exception. */
int py_source_take(struct body *b, const struct state *s, struct wait *w, PyObject *source);
/* The same as a destination; NULL: bytes, which py_body_bytes then hands over. */
int py_sink_take(struct body *b, const struct state *s, struct wait *w, PyObject *sink);
PyObject *py_body_bytes(struct body *b);
void py_body_drop(struct body *b);

/* Pairs of a dict of strings, borrowed as long as `items`. */
struct pairs {
    PyObject *items;
    pail_kv *kv;
    size_t count;
};
int py_pairs_take(struct pairs *p, PyObject *dict); /* NULL and None: no pairs */
void py_pairs_drop(struct pairs *p);

/* ---- the types */

int py_client_init(PyObject *module, struct state *s);
PyObject *py_client_take(const struct state *s, pail_client *client);
int py_bucket_init(PyObject *module, struct state *s);
PyObject *py_bucket_take(const struct state *s, pail_bucket *bucket);
int py_iter_init(PyObject *module, struct state *s);
/* buckets of `client`, or objects of `bucket`; args: keywords of a listing. */
PyObject *py_iter_open(const struct state *s, pail_client *client, pail_bucket *bucket,
                       PyObject *args, PyObject *keywords);
int py_reader_init(PyObject *module, struct state *s);
PyObject *py_reader_open(const struct state *s, pail_bucket *bucket, const char *key);

/* A type of `spec` that the module holds; -1 with an exception. */
int py_type_add(PyObject *module, PyType_Spec *spec, PyTypeObject **out);
/* Frees an object of a heap type without members of its own. */
void py_object_free(PyObject *self);
static inline const struct state *py_state_of(PyObject *self)
{
    return PyType_GetModuleState(Py_TYPE(self));
}

#endif
