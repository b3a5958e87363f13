/* The C extension _pail: the calls of <pail.h> as Python objects. Nothing is global: all that the
 * files share is in struct state, one per interpreter. */
#ifndef PY_MODULE_H
#define PY_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pail.h>
#include <stdatomic.h>

enum { ERROR_MAX = 64 };

struct state {
    PyObject *errors[ERROR_MAX];    /* exception classes, in the order of the table in errors.c */
    PyTypeObject *info, *presigned; /* named tuples */
    PyTypeObject *client, *bucket, *iter, *reader, *writer, *cancel, *queue, *operation;
    PyObject *read, *write, *timestamp; /* names of methods */
    PyObject *done, *set_result, *set_exception;
    PyObject *file_io; /* io.FileIO */
};

/* Its tables hold functions and texts as `void *`, which ISO C does not convert by itself. */
#define SLOT(what)       ((void *)(uintptr_t)(what))
#define FAST_KEYWORDS(f) (PyCFunction)(void (*)(void))(f), METH_FASTCALL | METH_KEYWORDS

/* ---- wait.c: calls that may take long, without the interpreter's lock */

/* One call of the library's that may wait. Meanwhile other threads run, and a signal that came
 * (Ctrl-C) ends it with the exception that its handler raised. */
struct wait {
    PyThreadState *thread; /* NULL: the lock is held */
    bool keeps_lock;       /* it is never given away: the queue form, which does not wait */
    int64_t looked_ms;     /* when signals were looked for */
    bool failed;           /* a Python exception is set; the call is to end */
    PyObject *raised;      /* owned: what a callback raised in the queue form */
    PyObject *progress;    /* borrowed: progress(done, total or None); NULL: none */
};
/* Makes the call, or what it opens, ask `w`, which must live as long. */
void py_wait_hook(struct wait *w, pail_call *call);
/* Between the two no Python object may be touched. */
void py_wait_enter(struct wait *w);
void py_wait_leave(struct wait *w);
/* After a success: tells the progress that all is done. False: it raised. */
bool py_wait_end(struct wait *w, uint64_t bytes);
/* In a callback of such a call: takes the lock for a moment. */
void py_wait_hold(struct wait *w);
void py_wait_drop(struct wait *w);

/* ---- errors.c */

int py_errors_init(PyObject *module, struct state *s);
/* An exception with what is known of it. */
PyObject *py_error_new(const struct state *s, pail_code rc, const pail_error *err);
/* Raises what went wrong and frees err; NULL. An exception that a callback raised goes first. */
PyObject *py_raise(const struct state *s, const struct wait *w, pail_code rc, pail_error *err);

/* ---- info.c */

int py_info_init(PyObject *module, struct state *s);
PyObject *py_info_new(const struct state *s, const pail_info *info);
/* As py_info_new; frees info. */
PyObject *py_info_take(const struct state *s, pail_info *info);
PyObject *py_presigned_take(const struct state *s, pail_presigned *signed_url);
PyObject *py_text(const char *text); /* None for NULL */
PyObject *py_dict_of(const pail_kv *kv, size_t count);

/* ---- args.c: arguments into the structs of <pail.h>, by tables */

enum arg_kind {
    ARG_TEXT,    /* const char *; None: NULL */
    ARG_BYTES,   /* uint64_t */
    ARG_COUNT,   /* uint32_t */
    ARG_FLAG,    /* bool */
    ARG_SECONDS, /* uint32_t of milliseconds, from a number of seconds */
    ARG_TIME,    /* int64_t of Unix milliseconds, from those or a datetime */
    ARG_PAIRS,   /* const pail_kv * and behind it size_t, from a dict of strings */
    ARG_OBJECT,  /* PyObject *, borrowed; None: NULL */
    ARG_BUCKET,  /* PyObject *, borrowed: a Bucket */
    ARG_CANCEL,  /* pail_cancel *, from a Cancel */
    ARG_PROGRESS /* PyObject *, borrowed: callable */
};
struct arg {
    const char *name;
    enum arg_kind kind;
    size_t offset; /* in the struct that is filled */
};
/* A signature: the first `positional` may come without a name, the first `required` must come. */
struct spec {
    const char *function;
    unsigned required, positional, count;
    const struct arg *args;
};
#define SPEC(function, required, positional, table)                                                \
    {                                                                                              \
        function, required, positional, sizeof(table) / sizeof *(table), table                     \
    }

enum { PAIRS_MAX = 4 };
struct pairs {
    PyObject *items;
    pail_kv *kv;
    size_t count;
};
/* What the filled struct borrows from, beside the arguments themselves. */
struct args {
    struct pairs pairs[PAIRS_MAX];
    unsigned pair_count;
    PyObject *keep; /* a tuple of the arguments, where they are to outlive the call */
};
/* Fills the zeroed struct `into`. 0, or -1 with an exception; py_args_drop in both cases. */
int py_args_take(struct args *a, const struct state *s, const struct spec *spec, void *into,
                 PyObject *const *values, Py_ssize_t count, PyObject *names);
/* For tp_new, which gets a tuple and a dict. */
typedef PyObject *(*py_new_fn)(PyTypeObject *type, PyObject *const *values, Py_ssize_t count,
                               PyObject *names);
PyObject *py_vectorized(py_new_fn make, PyTypeObject *type, PyObject *args, PyObject *keywords);
/* As py_args_take, and keeps the arguments alive until py_args_drop. */
int py_args_keep(struct args *a, const struct state *s, const struct spec *spec, void *into,
                 PyObject *const *values, Py_ssize_t count, PyObject *names);
void py_args_drop(struct args *a);
int py_pairs_take(struct pairs *p, PyObject *dict); /* NULL and None: no pairs */
void py_pairs_drop(struct pairs *p);

/* ---- calls.c: the arguments of verbs, for the blocking form and the queue form alike */

struct get_call {
    const char *key;
    PyObject *sink, *progress;
    bool with_info;
    pail_get_opts o;
};
struct put_call {
    const char *key;
    PyObject *source, *progress;
    uint64_t expected_size;
    pail_put_opts o;
};
struct stat_call {
    const char *key;
    PyObject *progress;
    pail_stat_opts o;
};
struct delete_call {
    const char *key;
    PyObject *progress;
    pail_delete_opts o;
};
struct copy_call {
    const char *key, *to_key;
    PyObject *to_bucket, *progress;
    bool replace; /* the attributes are `attr`, not the source's */
    pail_attributes attr;
    pail_copy_opts o;
};
struct ranges_call {
    const char *key;
    PyObject *ranges, *progress;
    uint64_t gap;
    pail_get_opts o;
};
struct tags_call {
    const char *key;
    const pail_kv *tags;
    size_t tag_count;
    pail_stat_opts o;
};
struct upload_call {
    const char *key, *upload_id;
    PyObject *source, *parts;
    uint32_t number;
    pail_put_opts o;
    pail_delete_opts abort;
};
struct delete_many_call {
    PyObject *keys;
    bool errors;
    pail_delete_opts o;
};
extern const struct spec py_get_spec, py_put_spec, py_stat_spec, py_delete_spec, py_copy_spec;
extern const struct spec py_ranges_spec, py_delete_many_spec;                        /* many.c */
extern const struct spec py_tags_spec;                                               /* object.c */
extern const struct spec py_begin_spec, py_part_spec, py_finish_spec, py_abort_spec; /* upload.c */

/* ---- upload.c */

/* Pairs (number, Info). */
struct parts {
    PyObject *list;
    pail_part *parts;
    size_t count;
};
/* Zeroed memory comes in. 0, or -1 with an exception; py_parts_drop in both cases. */
int py_parts_take(struct parts *p, const struct state *s, PyObject *pairs);
void py_parts_drop(struct parts *p);

/* ---- many.c */

/* A bytes object for each range, which the library fills. */
struct ranges {
    size_t count;
    pail_range *ranges;
    void **bufs;
    size_t *got;
    PyObject *list;
};
/* Zeroed memory comes in. 0, or -1 with an exception; py_ranges_drop in both cases. */
int py_ranges_take(struct ranges *r, PyObject *pairs);
PyObject *py_ranges_list(struct ranges *r); /* once they are filled */
void py_ranges_drop(struct ranges *r);

/* Many keys. */
struct keys {
    PyObject *list;
    const char **texts;
    size_t count;
};
int py_keys_take(struct keys *k, PyObject *iterable); /* as py_ranges_take */
void py_keys_drop(struct keys *k);

/* ---- body.c: what is read from or written to */

struct body {
    pail_body pub;
    Py_buffer view;
    PyObject *path;     /* bytes */
    PyObject *object;   /* borrowed: the file; owned: the bytes that are filled */
    const char *little; /* borrowed: where bytes go that are few; NULL: nowhere */
    bool owns_object;
    bool is_pipe; /* the file is FileIO(pipe_fd) */
    int pipe_fd;
    const struct state *state;
    struct wait *wait;
};
/* A bytes-like object, path, descriptor or binary file. 0, or -1 with an exception. */
int py_source_take(struct body *b, const struct state *s, struct wait *w, PyObject *source);
/* The same as a destination; NULL: bytes, which py_body_bytes then hands over. */
int py_sink_take(struct body *b, const struct state *s, struct wait *w, PyObject *sink);
/* Few bytes go to the `n` at `little` first: they need no lock while the call runs. */
void py_sink_little(struct body *b, char *little, size_t n);
PyObject *py_body_bytes(struct body *b);
/* object.c: the bytes, or their count where they went into a sink; and the info, if not NULL. */
PyObject *py_got(const struct state *s, struct body *b, bool has_sink, const pail_info *info);
void py_body_drop(struct body *b);

/* ---- the types */

int py_client_init(PyObject *module, struct state *s);
pail_client *py_client_of(PyObject *client);
int py_bucket_init(PyObject *module, struct state *s);
pail_bucket *py_bucket_of(PyObject *bucket);
int py_iter_init(PyObject *module, struct state *s);
enum listing { LIST_BUCKETS, LIST_OBJECTS, LIST_UPLOADS };
/* What `of`, a Client or Bucket, has; values: keywords of a listing. */
PyObject *py_iter_open(const struct state *s, enum listing what, PyObject *of,
                       PyObject *const *values, Py_ssize_t count, PyObject *names);
pail_iter *py_iter_of(PyObject *iter);
int py_reader_init(PyObject *module, struct state *s);
PyObject *py_reader_open(PyObject *bucket, PyObject *const *values, Py_ssize_t count,
                         PyObject *names);
int py_writer_init(PyObject *module, struct state *s);
PyObject *py_writer_open(PyObject *bucket, PyObject *const *values, Py_ssize_t count,
                         PyObject *names);
int py_cancel_init(PyObject *module, struct state *s);
pail_cancel *py_cancel_of(PyObject *cancel);
int py_queue_init(PyObject *module, struct state *s);

/* Methods of Bucket that are not in bucket.c. */
#define PY_METHOD(name)                                                                            \
    PyObject *name(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names)
PY_METHOD(py_object_get); /* object.c */
PY_METHOD(py_object_put);
PY_METHOD(py_object_stat);
PY_METHOD(py_object_delete);
PY_METHOD(py_object_copy);
PY_METHOD(py_object_rename);
PY_METHOD(py_object_presign);
PY_METHOD(py_object_tags);
PY_METHOD(py_object_set_tags);
PY_METHOD(py_many_delete); /* many.c */
PY_METHOD(py_many_ranges);
PY_METHOD(py_upload_begin); /* upload.c */
PY_METHOD(py_upload_part);
PY_METHOD(py_upload_finish);
PY_METHOD(py_upload_abort);

/* A type of `spec` that the module holds; -1 with an exception. */
int py_type_add(PyObject *module, PyType_Spec *spec, PyTypeObject **out);
/* Frees an object of a heap type without members of its own. */
void py_object_free(PyObject *self);
/* The module's state, also for types that are made in Python from ours. */
const struct state *py_state_of(PyObject *self);
const struct state *py_state_of_type(PyTypeObject *type);

/* One thread at a time: true where this one may go on; until py_leave. */
static inline bool py_occupy(atomic_bool *busy, const char *what)
{
    if (atomic_exchange(busy, true)) {
        PyErr_Format(PyExc_RuntimeError, "another thread is using this %s", what);
        return false;
    }
    return true;
}

static inline void py_leave(atomic_bool *busy)
{
    atomic_store(busy, false);
}

#endif
