/* pail.h - one API over S3, Google Cloud Storage, Azure Blob Storage, OpenStack Swift and an
 * embedded local object store, in C.
 *
 * OWNERSHIP: `const char *` and `const struct *` going in are borrowed for the call (pail_submit:
 * until its completion). `T **` coming out is yours; free it with the matching _free or _close.
 * Every _free accepts NULL. `const T *` coming out is the library's, valid as long as the function
 * says.
 *
 * THREADS: pail_client, pail_bucket, pail_cancel: any thread, concurrently. pail_error, pail_info:
 * immutable. pail_iter, pail_reader, pail_writer, pail_queue: one thread at a time, any thread.
 * Callbacks run only on a thread that you gave: the caller of a blocking call, or of
 * pail_queue_dispatch.
 *
 * FORK: A child may open new clients. A handle made before the fork answers PAIL_E_FORKED; freeing
 * it is safe and touches nothing of the parent's.
 *
 * ERRORS: Fallible calls return pail_code (0 ok, negative = error, PAIL_DONE = the end of an
 * iteration). `pail_error **err` may be NULL; it is set only on failure, then free it with
 * pail_error_free. Beside the errors that a function names each call that asks a service may end in
 * those of transport and login: PAIL_E_UNAUTHENTICATED, FORBIDDEN, EXPIRED_CREDENTIALS,
 * NO_CREDENTIALS, CLOCK_SKEW, THROTTLED, UNAVAILABLE, TIMEOUT, CANCELLED, DNS, CONNECT, TLS,
 * PROTOCOL, NO_MEMORY.
 *
 * KEYS: 1 to 1,024 bytes of valid UTF-8 without NUL, never changed or normalised: "a", "a/",
 * "a//b", ".." differ.
 *
 * UNITS: Sizes in bytes, times in Unix milliseconds UTC (int64_t, -1 unknown), durations in ms
 * unless named _s.
 *
 * NETWORK: What a function says is for S3; docs/providers/ says where another service needs more or
 * fewer. The first use of a client may add a login. SOURCE: AWS S3 API names stand for the call of
 * the same meaning elsewhere ("Put Blob", objects.insert, "PUT object").
 *
 * ABI: Option structs start with `size`, 0/NULL always means the default; write
 * PAIL_OPTS(put, .tags = t). C++: `pail_put_opts o = {}; o.size = sizeof o;`. The header is 0.x: it
 * may change until the first release. */
#ifndef PAIL_H
#define PAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define PAIL_API  __attribute__((visibility("default")))
#define PAIL_MUST __attribute__((warn_unused_result))
#else
#define PAIL_API
#define PAIL_MUST
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define PAIL_VERSION "0.1.0"

/* Options as an expression: PAIL_OPTS(get, .if_match = etag) is a `pail_get_opts *`, alive to the
 * end of the block. */
#define PAIL_OPTS(kind, ...)                                                                       \
    (&(pail_##kind##_opts){.size = sizeof(pail_##kind##_opts), __VA_ARGS__})

/* The version of the library at run time, "MAJOR.MINOR.PATCH". Static. */
PAIL_API const char *pail_version(void);

/* ---- Results and errors */

typedef enum pail_code {
    PAIL_OK = 0,
    PAIL_DONE = 1, /* an iterator or reader is exhausted; not an error */

    PAIL_E_NOT_FOUND = -100,        /* no such object */
    PAIL_E_BUCKET_NOT_FOUND = -101, /* no such bucket */
    PAIL_E_VERSION_NOT_FOUND = -102,
    PAIL_E_UPLOAD_NOT_FOUND = -103,
    PAIL_E_EXISTS = -110, /* create-only found the object there */
    PAIL_E_BUCKET_EXISTS = -111,
    PAIL_E_BUCKET_NOT_EMPTY = -112,
    PAIL_E_PRECONDITION = -113, /* if_match or if_unmodified_since did not hold */
    PAIL_E_NOT_MODIFIED =
        -114,               /* if_none_match or if_modified_since: the object is as you know it */
    PAIL_E_CONFLICT = -115, /* another write came between; try again */
    PAIL_E_UNAUTHENTICATED = -120,
    PAIL_E_FORBIDDEN = -121,
    PAIL_E_EXPIRED_CREDENTIALS = -122,
    PAIL_E_NO_CREDENTIALS = -123,
    PAIL_E_CLOCK_SKEW = -124,
    PAIL_E_BAD_ARGUMENT = -130,
    PAIL_E_BAD_CONFIG = -131, /* unknown setting or scheme, malformed URL or value */
    PAIL_E_BAD_KEY = -132,
    PAIL_E_BAD_BUCKET_NAME = -133,
    PAIL_E_BAD_RANGE = -134,
    PAIL_E_TOO_LARGE = -135,
    PAIL_E_UNSUPPORTED = -136,
    PAIL_E_THROTTLED = -140,
    PAIL_E_UNAVAILABLE = -141, /* the service failed (5xx) after all retries */
    PAIL_E_TIMEOUT = -142,     /* the deadline passed, or a peer stayed silent */
    PAIL_E_CANCELLED = -143,
    PAIL_E_ARCHIVED = -144,
    PAIL_E_DNS = -150,
    PAIL_E_CONNECT = -151,
    PAIL_E_TLS = -152,
    PAIL_E_PROTOCOL = -153, /* the server answered something that is not its protocol */
    PAIL_E_WRONG_REGION = -154,
    PAIL_E_CHECKSUM = -160, /* bytes were damaged on the way or at rest */
    PAIL_E_CHANGED = -161,  /* the object or the source file changed while it was read */
    PAIL_E_IO = -170,
    PAIL_E_NO_SPACE = -171,
    PAIL_E_NO_MEMORY = -172,
    PAIL_E_CALLBACK = -173, /* a callback of the caller's asked to stop */
    PAIL_E_FORKED = -174,
    PAIL_E_INTERNAL = -175
} pail_code;

typedef struct pail_error pail_error;

/* The stable name of a code for logs and tests: "not_found", "checksum". Static; "unknown" for
 * other numbers. */
PAIL_API const char *pail_code_name(pail_code code);

/* Accessors: all accept NULL (then PAIL_OK, "", 0 or false). Strings live as long as the error. */
PAIL_API pail_code pail_error_code(const pail_error *err);
PAIL_API const char *
pail_error_message(const pail_error *err); /* one line: what, where, why; no secrets */
PAIL_API const char *pail_error_hint(const pail_error *err); /* what to try, or "" */
PAIL_API int pail_error_http_status(const pail_error *err);  /* 0: no answer came */
PAIL_API const char *
pail_error_service_code(const pail_error *err); /* "NoSuchKey", "SlowDown", or "" */
PAIL_API const char *pail_error_request_id(const pail_error *err);
PAIL_API const char *pail_error_operation(const pail_error *err); /* "put", "get", ... */
PAIL_API const char *pail_error_bucket(const pail_error *err);
PAIL_API const char *pail_error_key(const pail_error *err);
PAIL_API const char *pail_error_endpoint(const pail_error *err);
PAIL_API int pail_error_attempts(const pail_error *err);
PAIL_API bool pail_error_retryable(const pail_error *err); /* the same call may succeed later */
PAIL_API bool
pail_error_maybe_applied(const pail_error *err); /* a write that may have taken effect */
PAIL_API void pail_error_free(pail_error *err);

/* ---- Process-wide hooks */

/* Replaces the allocator of Pail's own memory. realloc_fn(NULL, n) allocates, (p, 0) frees and
 * returns NULL. Errors: PAIL_E_BAD_ARGUMENT when called after the first allocation. Threads: before
 * any other call. */
typedef struct pail_allocator {
    void *(*realloc_fn)(void *ptr, size_t size, void *ctx);
    void *ctx;
} pail_allocator;
PAIL_API PAIL_MUST pail_code pail_set_allocator(const pail_allocator *allocator);

/* Frees what a function returned as plain memory (pail_get_alloc, pail_client_explain). */
PAIL_API void pail_free(void *ptr);

typedef struct pail_kv {
    const char *name;
    const char *value;
} pail_kv;

typedef enum pail_level {
    PAIL_LOG_ERROR = 1,
    PAIL_LOG_WARN,
    PAIL_LOG_INFO,
    PAIL_LOG_DEBUG,
    PAIL_LOG_TRACE
} pail_level;

/* Receives log lines, secrets already removed. Without a hook PAIL_LOG=error|warn|info|debug|trace
 * sends them to stderr. Threads: called from any thread of the library's, one call at a time per
 * client. It must not call the library. */
typedef void (*pail_log_fn)(pail_level level, const char *message, void *ctx);

/* One attempt of one request, retries included. Durations in microseconds, 0 = did not happen.
 * Borrowed for the call. */
typedef struct pail_event {
    size_t size;
    const char *operation, *bucket, *key, *method, *endpoint, *request_id;
    int attempt; /* 1 is the first */
    int http_status;
    bool reused_connection;
    pail_code code;
    uint64_t sent_bytes, received_bytes;
    int64_t dns_us, connect_us, tls_us, first_byte_us, total_us;
    int64_t server_time_ms; /* the Date of the answer, -1 unknown */
} pail_event;
/* Threads: as pail_log_fn. */
typedef void (*pail_event_fn)(const pail_event *event, void *ctx);

/* ---- Clients and buckets */

typedef struct pail_client pail_client;
typedef struct pail_bucket pail_bucket;
typedef struct pail_cancel pail_cancel;

typedef struct pail_client_opts {
    size_t size;
    const pail_kv *settings; /* copied; see docs/settings.md; an unknown name is an error */
    size_t settings_count;
    bool ignore_environment; /* read no variables and no profile files: only `settings` and the URL
                                count */
    pail_log_fn log;
    void *log_ctx;
    pail_level log_level; /* 0: PAIL_LOG_INFO where `log` is set */
    pail_event_fn event;
    void *event_ctx;
} pail_client_opts;

/* Opens a client for an account: "local:", "memory:", "s3://", "gs://", "az://", "swift://",
 * "file:///dir"; a query of settings may follow: "s3://?aws_endpoint_url=http://127.0.0.1:9000".
 * NULL means "local:". out: yours, pail_close. Errors: PAIL_E_BAD_CONFIG (unknown scheme or setting
 * with the nearest name, a URL that names a bucket). Threads: any. Network: none. */
PAIL_API PAIL_MUST pail_code pail_open(const char *url, const pail_client_opts *opts,
                                       pail_client **out, pail_error **err);

/* Opens a bucket with a client of its own: "local:my-bucket",
 * "s3://my-bucket?aws_region=eu-west-1", "file:///dir". The bucket need not exist. out: yours,
 * pail_bucket_close (which closes the client too). Errors: as pail_open; PAIL_E_BAD_BUCKET_NAME;
 * PAIL_E_BAD_CONFIG for a URL with a key. Network: none. */
PAIL_API PAIL_MUST pail_code pail_open_bucket(const char *url, const pail_client_opts *opts,
                                              pail_bucket **out, pail_error **err);

/* Splits "SCHEME://BUCKET/KEY" into the URL of the account, the bucket and the raw key. The three
 * strings are one allocation: free *account with pail_free; *bucket and *key are NULL where the URL
 * has none. Errors: PAIL_E_BAD_CONFIG. Network: none. */
PAIL_API PAIL_MUST pail_code pail_split_url(const char *url, char **account, char **bucket,
                                            char **key, pail_error **err);

/* Closes; buckets, readers, writers and iterators made from it stay usable until they are closed.
 * NULL is fine. */
PAIL_API void pail_close(pail_client *client);

/* A handle on one bucket, for as many objects as you like. Network: none; the bucket need not
 * exist. out: yours, pail_bucket_close; keeps the client alive. Errors: PAIL_E_BAD_BUCKET_NAME. */
PAIL_API PAIL_MUST pail_code pail_bucket_open(pail_client *client, const char *name,
                                              pail_bucket **out, pail_error **err);
PAIL_API void pail_bucket_close(pail_bucket *bucket);

/* The client and the name of a bucket handle. Valid as long as the handle. */
PAIL_API pail_client *pail_bucket_client(const pail_bucket *bucket);
PAIL_API const char *pail_bucket_name(const pail_bucket *bucket);

/* The scheme of a client: "local", "memory", "file", "s3", "gs", "az", "swift". Static. */
PAIL_API const char *pail_client_scheme(const pail_client *client);

/* Every effective setting, one a line "name = value  (origin)", secrets shown as "***". out: yours,
 * pail_free. */
PAIL_API PAIL_MUST pail_code pail_client_explain(pail_client *client, char **out, pail_error **err);

/* The value of one setting, or NULL where it is unset. Secrets too: do not print it. Valid as long
 * as the client. */
PAIL_API const char *pail_client_setting(const pail_client *client, const char *name);

/* What a provider can do. NATIVE: by the service in one request. EMULATED: by Pail from other
 * requests, as documented at the call. NO: the call answers PAIL_E_UNSUPPORTED before any request.
 * Conditions are never emulated. */
typedef enum pail_support { PAIL_NO = 0, PAIL_EMULATED = 1, PAIL_NATIVE = 2 } pail_support;
typedef enum pail_ability {
    PAIL_CAN_PUT_CREATE_ONLY = 0,
    PAIL_CAN_PUT_IF_MATCH,
    PAIL_CAN_MULTIPART_CREATE_ONLY,
    PAIL_CAN_MULTIPART_IF_MATCH,
    PAIL_CAN_COPY_CREATE_ONLY,
    PAIL_CAN_COPY_IF_MATCH, /* the destination's */
    PAIL_CAN_COPY_SOURCE_IF_MATCH,
    PAIL_CAN_DELETE_IF_MATCH,
    PAIL_CAN_GET_IF, /* the four conditions of get and stat */
    PAIL_CAN_DELETE_MANY,
    PAIL_CAN_COPY,
    PAIL_CAN_SUFFIX_RANGE,
    PAIL_CAN_MULTIPART,
    PAIL_CAN_METADATA,
    PAIL_CAN_TAGS,
    PAIL_CAN_STORAGE_CLASS,
    PAIL_CAN_ENCRYPT,  /* server-side encryption options */
    PAIL_CAN_VERSIONS, /* a history of versions */
    PAIL_CAN_PRESIGN_GET,
    PAIL_CAN_PRESIGN_PUT,
    PAIL_CAN_START_AFTER,
    PAIL_ABILITY_COUNT
} pail_ability;
typedef enum pail_limit {
    PAIL_LIMIT_PART_MIN = 0, /* bytes, of all parts but the last */
    PAIL_LIMIT_PART_MAX,
    PAIL_LIMIT_PARTS,
    PAIL_LIMIT_PUT,         /* bytes in one request */
    PAIL_LIMIT_OBJECT,      /* bytes */
    PAIL_LIMIT_LIST_PAGE,   /* entries */
    PAIL_LIMIT_DELETE_MANY, /* keys in one request */
    PAIL_LIMIT_COPY,        /* bytes in one server-side copy */
    PAIL_LIMIT_COUNT
} pail_limit;
PAIL_API pail_support pail_supports(pail_client *client, pail_ability ability);
PAIL_API uint64_t pail_client_limit(pail_client *client, pail_limit limit); /* UINT64_MAX: none */

/* A flag that many calls may share; once fired they end with PAIL_E_CANCELLED, soon. A write may
 * still take effect. pail_cancel_fire: any thread, also in a signal handler. Free it after the
 * calls that use it have ended. */
PAIL_API pail_cancel *pail_cancel_new(void);
PAIL_API void pail_cancel_fire(pail_cancel *cancel);
PAIL_API void pail_cancel_free(pail_cancel *cancel);

/* ---- What every call takes */

/* total: -1 unknown. Return non-zero to stop the call with PAIL_E_CALLBACK. On the caller's thread,
 * never overlapping, about ten times a second and after each signal that interrupts the wait. A
 * listing or a reader keeps it, calls it while it waits for a page or a block (a listing: with the
 * entries given so far), and then ends with PAIL_E_CANCELLED. */
typedef int (*pail_progress_fn)(uint64_t done_bytes, int64_t total_bytes, void *ctx);

typedef struct pail_call {
    pail_cancel *cancel;
    uint32_t deadline_ms; /* for the whole call, retries included; 0: the client's `deadline_ms`, by
                             default none */
    pail_progress_fn progress;
    void *progress_ctx;
    const pail_kv *headers; /* sent as they are with each request; names and values may hold no
                               control characters */
    size_t header_count;
    const char *request_payer; /* "requester" */
} pail_call;

/* ---- Objects: what comes out */

/* One object, prefix, version, upload or bucket. Strings are NULL where the service did not tell.
 */
typedef struct pail_info {
    const char *key; /* or the bucket's name, or a prefix that ends with the delimiter */
    uint64_t size;
    int64_t mtime_ms;
    const char *etag; /* opaque, without quotes */
    const char *version;
    const char *content_type, *content_encoding, *content_language, *content_disposition,
        *cache_control;
    const char *storage_class;
    const char *checksum; /* of the whole object, "crc64nvme:BASE64", "crc32c:BASE64", ... */
    const char *composite_checksum; /* of the checksums of its parts, "sha256:BASE64-3" */
    const char *expires;            /* the Expires header as it was given */
    const char *upload_id;
    const char *encryption;
    const pail_kv *metadata; /* names in lower case, without the service's prefix */
    size_t metadata_count;
    const pail_kv *tags;
    size_t tag_count;
    bool is_prefix, is_latest, is_delete_marker;
} pail_info;
PAIL_API void pail_info_free(pail_info *info);

/* ---- Objects: what goes in */

/* A source's function fills buf with up to n bytes and returns how many, 0 at the end, negative to
 * stop; a sink's takes n bytes and returns 0 to go on, negative to stop. A rewind function goes
 * back to byte `offset` of what it gave; with it nothing needs to be kept for a retry. */
typedef int64_t (*pail_io_fn)(void *buf, size_t n, void *ctx);
typedef int (*pail_rewind_fn)(uint64_t offset, void *ctx);
/* Gives the room for `size` bytes, once it is known how many will come; NULL: to stop. */
typedef void *(*pail_room_fn)(uint64_t size, void *ctx);

typedef enum pail_body_kind {
    PAIL_BODY_BUF = 0,
    PAIL_BODY_PATH,
    PAIL_BODY_FD,
    PAIL_BODY_FN,
    PAIL_BODY_ROOM
} pail_body_kind;

/* The bytes of an object, in either direction; borrowed until the call has ended.
 * BUF   len bytes at buf; as a sink the room: an object that does not fit is PAIL_E_TOO_LARGE.
 * PATH  a file; as a sink it is replaced at the end in one step (temporary file beside it, then
 * rename), so a failed download leaves the old one whole. A pipe or device is read or written as it
 * comes. FD    from its current position to its end; as a sink written in order at its position.
 * Never closed. FN    as pail_io_fn says, in order. ROOM  a sink: what fits into the len bytes at
 * buf (none: NULL, 0) goes there; else into memory that `room` gives on the thread of the caller or
 * dispatcher, at most once, and buf and len then tell. */
typedef struct pail_body {
    pail_body_kind kind;
    void *buf;
    size_t len;
    const char *path;
    int fd;
    pail_io_fn fn;
    pail_rewind_fn rewind; /* FN as a source: optional */
    void *ctx;
    uint64_t expected_size; /* FD, FN as a source: a hint where the length is unknown; sets the part
                               size */
    uint64_t used;          /* out: bytes moved */
    pail_room_fn room;
} pail_body;
#define PAIL_BUF(p, n)                                                                             \
    (&(pail_body){.kind = PAIL_BODY_BUF, .buf = (void *)(uintptr_t)(p), .len = (n)})
#define PAIL_PATH(p)    (&(pail_body){.kind = PAIL_BODY_PATH, .path = (p)})
#define PAIL_FD(f)      (&(pail_body){.kind = PAIL_BODY_FD, .fd = (f)})
#define PAIL_FN(f, c)   (&(pail_body){.kind = PAIL_BODY_FN, .fn = (f), .ctx = (c)})
#define PAIL_ROOM(f, c) (&(pail_body){.kind = PAIL_BODY_ROOM, .room = (f), .ctx = (c)})

/* Bytes [offset, offset + length); length 0: to the end. suffix n: the last n bytes (offset and
 * length are then 0). */
typedef struct pail_range {
    uint64_t offset, length, suffix;
} pail_range;

/* Conditions that the service checks in the request itself. "*" in if_none_match of a write: create
 * only. Where the service cannot, the call answers PAIL_E_UNSUPPORTED before any request. */
typedef struct pail_conditions {
    const char *if_match, *if_none_match;                 /* an ETag without quotes, or "*" */
    int64_t if_modified_since_ms, if_unmodified_since_ms; /* 0: unset; whole seconds count */
} pail_conditions;

/* Server-side encryption; nothing is sent where all is NULL. */
typedef struct pail_encryption {
    const char *algorithm; /* "AES256", "aws:kms", "aws:kms:dsse" */
    const char *kms_key_id;
    const char *customer_key_base64; /* SSE-C: 32 bytes; needed again for every read */
} pail_encryption;

/* What a write stores with the bytes; each is sent only where set. */
typedef struct pail_attributes {
    const char *content_type; /* NULL: guessed from the key's ending where known, else the service's
                                 default */
    const char *content_encoding, *content_language, *content_disposition, *cache_control;
    const pail_kv *metadata;
    size_t metadata_count;
    const pail_kv *tags;
    size_t tag_count;
    const char *storage_class;
    const char *canned_acl;
    const char *expires; /* the Expires header, as it stands; S3, local and memory keep it, others
                            answer PAIL_E_UNSUPPORTED */
} pail_attributes;

typedef struct pail_stat_opts {
    size_t size;
    pail_call call;
    pail_conditions cond;
    const char *version;
    pail_encryption encryption;
} pail_stat_opts;

typedef struct pail_get_opts {
    size_t size;
    pail_call call;
    pail_range range;
    pail_conditions cond;
    const char *version;
    pail_encryption encryption;
    uint64_t part_size;   /* bytes; 0: chosen */
    uint32_t concurrency; /* requests at once; 0: chosen */
    bool sync;            /* PATH: fsync file and folder before the call returns */
} pail_get_opts;

typedef struct pail_put_opts {
    size_t size;
    pail_call call;
    pail_attributes attr;
    pail_conditions cond;
    pail_encryption encryption;
    uint64_t part_size;
    uint32_t concurrency;
} pail_put_opts;

typedef struct pail_delete_opts {
    size_t size;
    pail_call call;
    const char *version;
    const char *if_match;
    bool missing_is_error; /* PAIL_E_NOT_FOUND where the service tells; costs a stat first where it
                              does not */
} pail_delete_opts;

typedef struct pail_copy_opts {
    size_t size;
    pail_call call;
    const char *source_version;
    pail_conditions source_cond;
    pail_conditions cond;        /* of the destination */
    const pail_attributes *attr; /* NULL: those of the source; else exactly these */
    pail_encryption encryption;
    pail_encryption source_encryption;
    uint64_t part_size;
    uint32_t concurrency;
} pail_copy_opts;

typedef struct pail_list_opts {
    size_t size;
    pail_call call;
    const char *prefix;
    const char
        *delimiter; /* any string, usually "/": then prefixes come as entries with is_prefix */
    const char *start_after; /* exclusive */
    const char *pattern;     /* only names that match: * ? [a-z]; unset: every name */
    bool versions;           /* all versions and delete markers, newest first for each key */
    uint32_t page_size;      /* 0: the service's most */
} pail_list_opts;

typedef struct pail_bucket_opts {
    size_t size;
    pail_call call;
    const char *location; /* create: the service's region or location; NULL: the client's */
    bool exist_ok;        /* create: an own bucket of that name is fine */
    bool delete_contents; /* delete: all objects, versions and unfinished uploads first */
} pail_bucket_opts;

typedef struct pail_presign_opts {
    size_t size;
    pail_call call;
    const char *method; /* "GET" (default), "HEAD", "PUT", "DELETE" */
    uint32_t expires_s; /* 0: 3600; the service's most is 604800 */
    const char *version;
    const char *content_type;          /* PUT: the user must send exactly this */
    const char *response_content_type; /* GET: what the answer will say */
    const char *response_content_disposition;
} pail_presign_opts;

/* ---- Buckets */

/* Creates a bucket. Errors: PAIL_E_BUCKET_EXISTS, PAIL_E_BAD_BUCKET_NAME (before any request),
 * PAIL_E_FORBIDDEN. Blocks: yes. Network: 1 request. Source: AWS S3 API "CreateBucket". */
PAIL_API PAIL_MUST pail_code pail_bucket_create(pail_client *client, const char *name,
                                                const pail_bucket_opts *opts, pail_error **err);
/* Whether a bucket of exactly that name exists and may be used; opts: call. A bucket that exists
 * but is another's is PAIL_E_FORBIDDEN. Network: 1 request. Source: AWS S3 API "HeadBucket". */
PAIL_API PAIL_MUST pail_code pail_bucket_exists(pail_client *client, const char *name,
                                                const pail_bucket_opts *opts, bool *out,
                                                pail_error **err);
/* Deletes a bucket, with opts->delete_contents all in it first (not atomic). Errors:
 * PAIL_E_BUCKET_NOT_FOUND, PAIL_E_BUCKET_NOT_EMPTY. Network: 1 request, and those of listing and
 * deleting the contents. Source: AWS S3 API "DeleteBucket". */
PAIL_API PAIL_MUST pail_code pail_bucket_delete(pail_client *client, const char *name,
                                                const pail_bucket_opts *opts, pail_error **err);

typedef struct pail_iter pail_iter;

/* Iterates over the buckets of the account in name order; opts: pattern, prefix, call. out: yours,
 * pail_iter_free. Network: 1 request a page. Source: AWS S3 API "ListBuckets". */
PAIL_API PAIL_MUST pail_code pail_bucket_list(pail_client *client, const pail_list_opts *opts,
                                              pail_iter **out, pail_error **err);

/* ---- Objects */

/* Reads what is known of one object. info: yours on PAIL_OK (may be NULL), pail_info_free.
 * Errors: PAIL_E_NOT_FOUND, PAIL_E_VERSION_NOT_FOUND, PAIL_E_NOT_MODIFIED, PAIL_E_PRECONDITION.
 * Network: 1 request. Source: AWS S3 API "HeadObject". */
PAIL_API PAIL_MUST pail_code pail_stat(pail_bucket *bucket, const char *key,
                                       const pail_stat_opts *opts, pail_info **info,
                                       pail_error **err);

/* Reads an object or a range of it into dst. The bytes are verified where the service keeps a
 * checksum, and pinned to one version throughout. info: the whole object's (size is the full size);
 * may be NULL. dst->used: bytes delivered. Errors: PAIL_E_NOT_FOUND, PAIL_E_BAD_RANGE,
 * PAIL_E_CHECKSUM, PAIL_E_CHANGED, PAIL_E_TOO_LARGE (BUF too small), PAIL_E_ARCHIVED. Network: 1
 * request per part, at least 1. Source: AWS S3 API "GetObject". */
PAIL_API PAIL_MUST pail_code pail_get(pail_bucket *bucket, const char *key, pail_body *dst,
                                      const pail_get_opts *opts, pail_info **info,
                                      pail_error **err);
/* As pail_get, into memory of the library's: *data has *len bytes and a NUL behind them; yours,
 * pail_free. */
PAIL_API PAIL_MUST pail_code pail_get_alloc(pail_bucket *bucket, const char *key,
                                            const pail_get_opts *opts, void **data, size_t *len,
                                            pail_error **err);
/* Reads many ranges at once into one buffer each: bufs[i] has room for ranges[i].length bytes
 * (suffix ranges are not taken). Ranges that lie within coalesce_gap bytes of each other share a
 * request (0: 1 MiB). got[i]: bytes read, fewer past the end. Network: 1 request per coalesced run.
 */
PAIL_API PAIL_MUST pail_code pail_get_ranges(pail_bucket *bucket, const char *key,
                                             const pail_range *ranges, void *const *bufs,
                                             size_t *got, size_t count, uint64_t coalesce_gap,
                                             const pail_get_opts *opts, pail_error **err);

/* Stores an object in one atomic step: until the call succeeds the old one stays as it was.
 * info: of the new object (may be NULL): size, etag, version. src->used: bytes read.
 * Errors: PAIL_E_BUCKET_NOT_FOUND, PAIL_E_EXISTS, PAIL_E_PRECONDITION, PAIL_E_CONFLICT,
 * PAIL_E_CHANGED (the file changed meanwhile), PAIL_E_NO_SPACE, PAIL_E_TOO_LARGE. Network: 1
 * request up to one part, else parts + 2. Source: AWS S3 API "PutObject", "CreateMultipartUpload",
 * "UploadPart", "CompleteMultipartUpload". */
PAIL_API PAIL_MUST pail_code pail_put(pail_bucket *bucket, const char *key, pail_body *src,
                                      const pail_put_opts *opts, pail_info **info,
                                      pail_error **err);

/* Deletes an object. One that is not there is fine unless missing_is_error. Network: 1 request.
 * Source: "DeleteObject". */
PAIL_API PAIL_MUST pail_code pail_delete(pail_bucket *bucket, const char *key,
                                         const pail_delete_opts *opts, pail_error **err);

/* Called once for each key of a pail_delete_many, in the order given; err: NULL where it was
 * deleted; borrowed. */
typedef void (*pail_deleted_fn)(const char *key, const pail_error *err, void *ctx);
/* Deletes many objects. Returns PAIL_OK when every one is gone, else the first failure (each goes
 * to `each`, which may be NULL). Network: 1 request per PAIL_LIMIT_DELETE_MANY keys. Source: AWS S3
 * API "DeleteObjects". */
PAIL_API PAIL_MUST pail_code pail_delete_many(pail_bucket *bucket, const char *const *keys,
                                              size_t count, pail_deleted_fn each, void *each_ctx,
                                              const pail_delete_opts *opts, pail_error **err);

/* Copies an object, also to another bucket, client or provider: by the service where it can, else
 * through bounded memory. Network: 1 request by the service, else as get and put. Source: AWS S3
 * API "CopyObject", "UploadPartCopy". */
PAIL_API PAIL_MUST pail_code pail_copy(pail_bucket *src_bucket, const char *src_key,
                                       pail_bucket *dst_bucket, const char *dst_key,
                                       const pail_copy_opts *opts, pail_info **info,
                                       pail_error **err);
/* Copies, then deletes the source: not atomic; after a failure both may be there. info: as
 * pail_copy. Errors: those of pail_copy and pail_delete; PAIL_E_BAD_ARGUMENT onto itself. Network:
 * those of pail_copy and 1. Source: AWS S3 API "CopyObject", "DeleteObject". */
PAIL_API PAIL_MUST pail_code pail_rename(pail_bucket *bucket, const char *src_key,
                                         const char *dst_key, const pail_copy_opts *opts,
                                         pail_error **err);

/* Iterates over keys in UTF-8 byte order, prefixes among them, page by page with one page of
 * read-ahead. out: yours, pail_iter_free. Errors come from pail_iter_next. Network: 1 request a
 * page. Source: AWS S3 API "ListObjectsV2", "ListObjectVersions". */
PAIL_API PAIL_MUST pail_code pail_list(pail_bucket *bucket, const pail_list_opts *opts,
                                       pail_iter **out, pail_error **err);
/* The next entry: PAIL_OK with *item (valid until the next call or pail_iter_free), PAIL_DONE at
 * the end, or an error. */
PAIL_API PAIL_MUST pail_code pail_iter_next(pail_iter *iter, const pail_info **item,
                                            pail_error **err);
/* Whether pail_iter_next has the next entry already, and so will not wait. */
PAIL_API bool pail_iter_ready(const pail_iter *iter);
PAIL_API void pail_iter_free(pail_iter *iter);

/* Unfinished multipart uploads: entries with key, upload_id and mtime_ms (when begun). out: yours,
 * pail_iter_free. Errors: PAIL_E_BUCKET_NOT_FOUND, from pail_iter_next. Network: 1 request a page.
 * Source: AWS S3 API "ListMultipartUploads". */
PAIL_API PAIL_MUST pail_code pail_uploads(pail_bucket *bucket, const pail_list_opts *opts,
                                          pail_iter **out, pail_error **err);
/* Ends an unfinished upload and frees its parts; opts: call. Errors: PAIL_E_UPLOAD_NOT_FOUND.
 * Network: 1 request. Source: AWS S3 API "AbortMultipartUpload". */
PAIL_API PAIL_MUST pail_code pail_upload_abort(pail_bucket *bucket, const char *key,
                                               const char *upload_id, const pail_delete_opts *opts,
                                               pail_error **err);

/* Uploads in parts by the caller's own hand, for who has the parts at other times or places:
 * pail_put and the writers do all of this by themselves. Begin one; send parts of any number from 1
 * up in any order, from any thread or process; finish with what the parts' infos said: the object
 * is visible then. Until finish or pail_upload_abort the parts take room. A service that keeps no
 * list of uploads (Azure, Swift) takes parts of one that was ended, too: they are never visible. */
typedef struct pail_part {
    uint32_t number;
    uint64_t size; /* bytes */
    const char *etag;
    const char *checksum; /* or NULL */
} pail_part;

/* *upload_id: yours, pail_free. opts: the attributes and conditions of the object. Network: 1
 * request. Source: AWS S3 API "CreateMultipartUpload". */
PAIL_API PAIL_MUST pail_code pail_upload_begin(pail_bucket *bucket, const char *key,
                                               const pail_put_opts *opts, char **upload_id,
                                               pail_error **err);
/* src: memory or a file, not a stream; all but the last part have PAIL_LIMIT_PART_MIN bytes or
 * more. A number that was sent before is replaced. info: size, etag and checksum of the part; may
 * be NULL. Errors: PAIL_E_UPLOAD_NOT_FOUND. Network: 1 request. Source: AWS S3 API "UploadPart". */
PAIL_API PAIL_MUST pail_code pail_upload_part(pail_bucket *bucket, const char *key,
                                              const char *upload_id, uint32_t number,
                                              pail_body *src, const pail_put_opts *opts,
                                              pail_info **info, pail_error **err);
/* parts: in any order, each number once. opts: the same as at the beginning. info: may be NULL.
 * Network: 1 request. Source: AWS S3 API "CompleteMultipartUpload". */
PAIL_API PAIL_MUST pail_code pail_upload_finish(pail_bucket *bucket, const char *key,
                                                const char *upload_id, const pail_part *parts,
                                                size_t count, const pail_put_opts *opts,
                                                pail_info **info, pail_error **err);

/* The tags of an object, in info->tags. info: yours, pail_info_free. Errors: PAIL_E_NOT_FOUND,
 * PAIL_E_UNSUPPORTED (no tags here). Network: 1 request. Source: AWS S3 API "GetObjectTagging". */
PAIL_API PAIL_MUST pail_code pail_tags_get(pail_bucket *bucket, const char *key,
                                           const pail_stat_opts *opts, pail_info **info,
                                           pail_error **err);
/* Replaces all tags of an object; tags: borrowed, count 0 removes them. Errors: PAIL_E_NOT_FOUND,
 * PAIL_E_UNSUPPORTED. Network: 1 request. Source: AWS S3 API "PutObjectTagging". */
PAIL_API PAIL_MUST pail_code pail_tags_set(pail_bucket *bucket, const char *key,
                                           const pail_kv *tags, size_t tag_count,
                                           const pail_stat_opts *opts, pail_error **err);

/* A URL with which anyone may do one thing to one object for a while. */
typedef struct pail_presigned {
    const char *url;
    const pail_kv *headers; /* the user must send these */
    size_t header_count;
    int64_t expires_ms; /* Unix time */
} pail_presigned;
/* out: yours, pail_presigned_free. Errors: PAIL_E_UNSUPPORTED (no server can answer it: the hint
 * says how to start one), PAIL_E_NO_CREDENTIALS, PAIL_E_BAD_ARGUMENT (expiry). Network: none.
 * Source: AWS "Authenticating Requests: Using Query Parameters". */
PAIL_API PAIL_MUST pail_code pail_presign(pail_bucket *bucket, const char *key,
                                          const pail_presign_opts *opts, pail_presigned **out,
                                          pail_error **err);
PAIL_API void pail_presigned_free(pail_presigned *signed_url);

/* ---- Readers and writers */

typedef struct pail_reader pail_reader;
typedef struct pail_writer pail_writer;

/* Opens one version of an object for reading anywhere in it, with read-ahead. out: yours,
 * pail_reader_free. Errors: PAIL_E_NOT_FOUND, PAIL_E_NO_MEMORY (no room under the memory limit).
 * Network: 1 request; more as it reads. */
PAIL_API PAIL_MUST pail_code pail_reader_open(pail_bucket *bucket, const char *key,
                                              const pail_get_opts *opts, pail_reader **out,
                                              pail_error **err);
/* Reads up to n bytes at the position and moves it. PAIL_DONE with *got = 0 at the end. */
PAIL_API PAIL_MUST pail_code pail_reader_read(pail_reader *reader, void *buf, size_t n, size_t *got,
                                              pail_error **err);
/* Reads up to n bytes at offset without moving the position; fewer only at the end. */
PAIL_API PAIL_MUST pail_code pail_reader_pread(pail_reader *reader, void *buf, size_t n,
                                               uint64_t offset, size_t *got, pail_error **err);
/* whence as lseek: SEEK_SET, SEEK_CUR, SEEK_END. *position (may be NULL): the new one.
 * PAIL_E_BAD_ARGUMENT before the start. */
PAIL_API PAIL_MUST pail_code pail_reader_seek(pail_reader *reader, int64_t offset, int whence,
                                              uint64_t *position, pail_error **err);
PAIL_API const pail_info *
pail_reader_info(const pail_reader *reader); /* valid as long as the reader */
PAIL_API void pail_reader_free(pail_reader *reader);

/* Opens an object for writing from start to end. Nothing is visible before pail_writer_commit. out:
 * yours, pail_writer_free. */
PAIL_API PAIL_MUST pail_code pail_writer_open(pail_bucket *bucket, const char *key,
                                              const pail_put_opts *opts, pail_writer **out,
                                              pail_error **err);
/* Takes all n bytes, or fails for good. Network: 1 request each time a part is full. */
PAIL_API PAIL_MUST pail_code pail_writer_write(pail_writer *writer, const void *buf, size_t n,
                                               pail_error **err);
/* Makes the object visible in one step. info: may be NULL. */
PAIL_API PAIL_MUST pail_code pail_writer_commit(pail_writer *writer, pail_info **info,
                                                pail_error **err);
/* Not committed: drops all that was written, nothing is left behind. */
PAIL_API void pail_writer_free(pail_writer *writer);

/* ---- The queue form */

typedef struct pail_queue pail_queue;
typedef struct pail_op pail_op;

/* A queue of completions with a descriptor of its own; each event loop or thread makes its own.
 * NULL: out of memory or descriptors. Free it after the operations submitted to it have completed.
 */
PAIL_API pail_queue *pail_queue_new(void);
PAIL_API void pail_queue_free(pail_queue *queue);
/* Readable (poll, epoll, asyncio, libuv) when pail_queue_dispatch has work. Owned by the queue. */
PAIL_API int pail_queue_fd(const pail_queue *queue);
/* Moves operations on and runs completions here; waits up to timeout_ms (-1 for ever, 0 not) for
 * the first. Returns how many operations completed. */
PAIL_API int pail_queue_dispatch(pail_queue *queue, int timeout_ms);

typedef enum pail_verb {
    PAIL_GET = 1,
    PAIL_PUT,
    PAIL_STAT,
    PAIL_DELETE,
    PAIL_COPY,
    PAIL_GET_RANGES,
    PAIL_DELETE_MANY,
    PAIL_TAGS_GET,
    PAIL_TAGS_SET,
    PAIL_BUCKET_CREATE, /* of the bucket's own name; without exist_ok */
    PAIL_BUCKET_EXISTS, /* completes with PAIL_OK or PAIL_E_BUCKET_NOT_FOUND */
    PAIL_BUCKET_DELETE, /* without delete_contents */
    PAIL_UPLOAD_BEGIN,  /* info has the upload_id */
    PAIL_UPLOAD_PART,
    PAIL_UPLOAD_FINISH,
    PAIL_UPLOAD_ABORT
} pail_verb;
/* One operation: the arguments of the blocking call of that name. All borrowed until its
 * completion. */
typedef struct pail_request {
    size_t size;
    pail_verb verb;
    pail_bucket *bucket;
    const char *key;
    pail_body *body;         /* get, put, upload_part */
    const void *opts;        /* pail_VERB_opts or NULL */
    pail_bucket *dst_bucket; /* copy */
    const char *dst_key;
    size_t count;             /* of what follows */
    const char *const *keys;  /* delete_many */
    pail_deleted_fn each;     /* delete_many; may be NULL */
    void *each_ctx;           /* delete_many */
    const pail_range *ranges; /* get_ranges */
    void *const *bufs;        /* get_ranges */
    size_t *got;              /* get_ranges */
    uint64_t coalesce_gap;    /* get_ranges */
    const pail_kv *tags;      /* tags_set */
    const char *upload_id;    /* upload_part, upload_finish, upload_abort */
    uint32_t number;          /* upload_part */
    const pail_part *parts;   /* upload_finish */
} pail_request;
/* info: of the object on PAIL_OK where the verb has one; err: on failure; both borrowed for the
 * call. The op is gone after it. */
typedef void (*pail_done_fn)(pail_op *op, pail_code code, const pail_info *info,
                             const pail_error *err, void *ctx);

/* Starts an operation; `done` runs exactly once, in pail_queue_dispatch, also after pail_op_cancel,
 * and never inside pail_submit. *op (may be NULL): valid until done has run. Errors:
 * PAIL_E_BAD_ARGUMENT, PAIL_E_NO_MEMORY; then done never runs. */
PAIL_API PAIL_MUST pail_code pail_submit(pail_queue *queue, const pail_request *request,
                                         pail_done_fn done, void *ctx, pail_op **op,
                                         pail_error **err);
/* Brings the next page of a listing: once `done` has run with PAIL_OK, pail_iter_next gives its
 * entries without waiting as long as pail_iter_ready says so. Until then the listing is not to be
 * used. PAIL_DONE: there are no more pages, and done never runs. For a listing that is read by this
 * alone. */
PAIL_API PAIL_MUST pail_code pail_iter_submit(pail_queue *queue, pail_iter *iter, pail_done_fn done,
                                              void *ctx, pail_op **op, pail_error **err);
/* Asks it to stop; it may still succeed. Threads: the queue's. */
PAIL_API void pail_op_cancel(pail_op *op);

/* ---- The server */

typedef struct pail_server pail_server;
/* One request that was answered. Strings may be NULL where there is none; borrowed for the call. */
typedef struct pail_access {
    size_t size;
    const char *remote, *request_id, *operation, *method, *bucket, *key, *access_key;
    const char *error; /* the S3 error code; NULL: none */
    int status;
    uint64_t received_bytes, sent_bytes;
    int64_t took_us, at_ms;
    bool complete; /* false: the connection ended before the answer had gone out */
} pail_access;
/* Threads: called from threads of the server's, several at once. It must not stop the server. */
typedef void (*pail_access_fn)(const pail_access *access, void *ctx);

typedef struct pail_server_key {
    const char *id, *secret;
    const char *const *buckets; /* NULL: all */
    size_t bucket_count;
    bool read_only;
} pail_server_key;

typedef struct pail_server_opts {
    size_t size;
    const char *address; /* an IP address; NULL: "127.0.0.1" */
    uint16_t port;       /* 0: any free one */
    const pail_server_key *keys;
    size_t key_count; /* 0: the key of the store, see pail_server_key_id */
    bool read_only;
    const char *const *buckets; /* served; NULL: all */
    size_t bucket_count;
    const char *const *public_read; /* buckets that anybody may read and list */
    size_t public_read_count;
    const char *domain;             /* NULL: buckets in the path, or as BUCKET.localhost */
    const char *region;             /* told to clients; NULL: "us-east-1" */
    const char *tls_cert, *tls_key; /* PEM texts, not files; NULL: plain HTTP */
    uint32_t connections;           /* at once, more are told to come again; 0: 512 */
    pail_access_fn access;
    void *access_ctx;
    /* Origins whose pages a browser may let read answers (CORS), as "https://a.example"; one "*"
     * in it stands for any text. NULL: none. It gives nobody a right. */
    const char *const *cors;
    size_t cors_count;
    uint32_t idle_s; /* without a byte, and for all of a request's head; 0: 60 */
    /* A TCP socket that listens already, of which the server takes a copy: address and port are
     * its. 0: none. */
    int listen_fd;
} pail_server_opts;

/* Serves the client's store as S3 until pail_server_stop. Besides the keys given, it takes the
 * store's own key, with which pail_presign signs for LOCAL, file and memory while it runs: made
 * once for a LOCAL or file store, kept there (mode 0600), anew each time for others. out: yours,
 * pail_server_stop; keeps the client alive. Errors: PAIL_E_BAD_ARGUMENT (an address that is not
 * loopback without keys), PAIL_E_IO (the port is taken), PAIL_E_UNSUPPORTED (built without it).
 * Threads: any. Network: listens. */
PAIL_API PAIL_MUST pail_code pail_server_start(pail_client *client, const pail_server_opts *opts,
                                               pail_server **out, pail_error **err);
/* Takes these keys instead of those given before, all at once; the store's own stays. Requests that
 * were let in go on. Errors: PAIL_E_BAD_ARGUMENT, and the keys are as before. Threads: any. */
PAIL_API PAIL_MUST pail_code pail_server_set_keys(pail_server *server, const pail_server_key *keys,
                                                  size_t count, pail_error **err);
/* "http://127.0.0.1:9000", and the store's own key, of which the secret must not be logged. Valid
 * as long as the server. */
PAIL_API const char *pail_server_address(const pail_server *server);
PAIL_API const char *pail_server_key_id(const pail_server *server);
PAIL_API const char *pail_server_key_secret(const pail_server *server);
/* Takes no more connections, gives requests under way up to wait_ms to end, cuts the rest. NULL is
 * fine. Blocks: yes. */
PAIL_API void pail_server_stop(pail_server *server, uint32_t wait_ms);

/* ---- The LOCAL store */

typedef struct pail_fsck_report {
    uint64_t objects, bytes; /* checked */
    uint64_t damaged;        /* objects whose bytes or files are not what the index says */
    uint64_t orphans;        /* files that no object owns; removed with `repair` */
} pail_fsck_report;
/* Called for each finding; bucket and key may be NULL. */
typedef void (*pail_fsck_fn)(const char *bucket, const char *key, const char *finding, void *ctx);
/* Reads every byte of a LOCAL store and compares it with the index. Others may use the store
 * meanwhile. Errors: PAIL_E_UNSUPPORTED (not a LOCAL store), PAIL_E_CHECKSUM (findings). */
PAIL_API PAIL_MUST pail_code pail_fsck(pail_client *client, bool repair, pail_fsck_fn each,
                                       void *ctx, pail_fsck_report *report, pail_error **err);
/* Copies a LOCAL store, as it is at one moment, into a new folder, while others use it.
 * Errors: PAIL_E_UNSUPPORTED, PAIL_E_EXISTS (the folder is there), PAIL_E_NO_SPACE. */
PAIL_API PAIL_MUST pail_code pail_backup(pail_client *client, const char *folder, pail_error **err);

#ifdef __cplusplus
}
#endif
#endif
