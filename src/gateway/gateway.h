/* An S3 server over any provider: what its files share. */
#ifndef PL_GATEWAY_GATEWAY_H
#define PL_GATEWAY_GATEWAY_H

#include <pthread.h>
#include <stdatomic.h>

#include "codec/digest.h"
#include "gateway/http_server.h"
#include "provider/provider.h"
#include "sign/aws_chunked_read.h"
#include "transfer/pool.h"
#include "transfer/simple.h"

/* ---- the server ---- */

/* Who may do what. Strings owned; the secret is zeroed. */
struct pl_gw_key {
    char *id, *secret;
    char **buckets; /* NULL: all */
    size_t bucket_count;
    bool read_only;
    struct pl_gw_key *next;
};

/* One line of the access log. Borrowed for the call. */
struct pl_gw_access {
    const struct pl_http_call *http;
    const char *request_id, *operation, *bucket, *key, *access_key, *error;
    uint64_t bytes_in, bytes_out;
    int64_t took_us, at_ms;
    bool complete;
};
typedef void (*pl_gw_access_fn)(const struct pl_gw_access *a, void *ctx);

enum pl_gw_count {
    PL_GW_REQUESTS,
    PL_GW_ERRORS_4XX,
    PL_GW_ERRORS_5XX,
    PL_GW_REFUSED,
    PL_GW_BYTES_IN,
    PL_GW_BYTES_OUT,
    PL_GW_CUT,
    PL_GW_COUNTS
};

struct pl_gateway {
    /* Set before the start, borrowed. */
    struct pl_provider *provider;
    struct pl_pool *pool;
    const char *region, *store_id; /* store_id: what /-/healthz answers with */
    const char *domain;            /* NULL: buckets as BUCKET.localhost and in the path */
    bool read_only;
    const char *const *public_read; /* buckets that anybody may read */
    size_t public_count;
    const char *const *only; /* buckets that are served; NULL: all */
    size_t only_count;
    const char *const *cors; /* origins whose pages may read answers; "*" stands for any text */
    size_t cors_count;
    pl_gw_access_fn access;
    void *access_ctx;

    struct pl_caps caps;
    bool tls;
    atomic_bool stopping;
    struct pl_http_server *http;
    pthread_rwlock_t keys_lock;
    struct pl_gw_key *keys; /* under keys_lock */
    atomic_uint_fast64_t serial, counts[PL_GW_COUNTS];
    atomic_int large_blocks; /* see relay.c */
};
/* Set the fields above first. Errors: those of pl_http_server_start. */
PAIL_MUST pail_code pl_gateway_start(struct pl_gateway *g, const struct pl_http_server_opts *opts,
                                     struct pail_error **err);
/* Puts a key before a list; buckets NULL: all. */
PAIL_MUST pail_code pl_gateway_key(struct pl_gw_key **list, const char *id, const char *secret,
                                   const char *const *buckets, size_t bucket_count, bool read_only,
                                   struct pail_error **err);
void pl_gateway_free_keys(struct pl_gw_key *list);
/* Takes the list for that of the server, also while it runs: the next request is held to it. */
void pl_gateway_set_keys(struct pl_gateway *g, struct pl_gw_key *list);
void pl_gateway_stop(struct pl_gateway *g, unsigned wait_ms);

/* ---- one call ---- */

enum pl_gw_payload {
    PL_GW_PLAIN,   /* not signed, or no body */
    PL_GW_HASHED,  /* a SHA-256 of the whole */
    PL_GW_CHUNKED, /* signed chunks */
    PL_GW_CHUNKED_TRAILER,
    PL_GW_UNSIGNED_TRAILER
};

struct pl_gw_relay;

/* A body on its way in: framing taken off, checksums computed. */
struct pl_gw_body {
    bool wanted, ended;
    bool dropped;    /* the rest is read over: the store has refused already */
    uint64_t length; /* of the bytes without framing; UINT64_MAX: not told */
    uint64_t seen, raw;
    struct pl_aws_chunked_reader chunked;
    bool is_chunked, hashes;
    struct pl_digest hash, md5, sum; /* hash: of the signed payload */
    bool has_md5, has_sum;
    enum pl_sum sum_kind;
    struct pl_str want_md5, want_sum;      /* base64 as the client said; ptr NULL: not said */
    struct pl_str trailer;                 /* the name of the checksum that comes behind */
    char md5_hex[33];                      /* once ended */
    char sum_text[16 + PL_SUM_BASE64_MAX]; /* "sha256:BASE64", once ended */
    enum pl_sum said_kind;                 /* of the object that a CompleteMultipartUpload makes */
    struct pl_str said;
    struct pl_buf small; /* all of it, where it is small or of a length that was not told */
    size_t pooled;       /* bytes of the pool that it lies in; 0: in none of it */
    const char *refusal, *refusal_text; /* told at its end, once it was dropped; NULL: none */
    char *part;                         /* all of it, `length` bytes of the pool: see put.c */
    struct pl_gw_relay *relay;
};

/* A form that a browser posts: fields, then the file. */
struct pl_gw_form {
    struct pl_header *fields; /* in the arena, values with a NUL behind them */
    size_t count;
    bool in_file;         /* the fields are there and were let in */
    uint64_t least, most; /* bytes that the policy takes */
};

struct pl_gw_call;
struct pl_gw_route {
    const char *operation;
    /* "GET", ...; which part of the path is there; a parameter that must be there. */
    const char *method;
    enum pl_gw_level { PL_GW_SERVICE, PL_GW_BUCKET, PL_GW_OBJECT } level;
    const char *param, *header; /* NULL: none is needed */
    bool writes;
    enum { PL_GW_NO_BODY, PL_GW_XML, PL_GW_BYTES, PL_GW_FORM } body;
    /* After admission. FORM: admitted once its fields are there; run comes after its file. XML:
     * with the body in body.small, verified. BYTES: before the body comes; `finish` then runs after
     * it. */
    void (*run)(struct pl_gw_call *c);
    void (*finish)(struct pl_gw_call *c);
    const char *params; /* those that it knows beside `param`, blanks between; NULL: none */
};

/* A body on its way out, block by block, all of one version. */
struct pl_gw_stream {
    char *block;
    size_t at, len;
    uint64_t next, end; /* in the object */
    char *etag;
    const char *version;
    const char *if_range; /* the validator that the range is for; NULL: none */
    bool of_part;         /* of an object: partNumber */
    const char *part_sum, *parts_count;
};

/* An upload that a thread of its own hands to the store. */
struct pl_gw_worker {
    pthread_t thread;
    bool runs;
    pail_code rc;
    struct pail_error *error;
    pail_info *info;
    char *etag; /* of a part */
};

struct pl_gw_call {
    struct pl_gateway *g;
    struct pl_http_call *http;
    struct pl_arena *arena; /* the call's */
    const struct pl_gw_route *route;
    char request_id[17];
    int64_t begun_ns, begun_ms;
    struct pl_str path, query;
    pail_kv *params; /* decoded; "" for a bare name */
    size_t param_count;
    const char *bucket, *key;    /* decoded; NULL: none */
    const char *access_key;      /* of the verified key; NULL: anonymous */
    const struct pl_gw_key *who; /* copied into the arena */
    struct pl_sigv4_claim claim;
    unsigned char signing_key[PL_SHA256_BYTES];
    enum pl_gw_payload payload;
    struct pl_str payload_hash;
    const char *error; /* its code; NULL: none */
    bool sent_100;
    struct pl_gw_body body;
    struct pl_gw_stream out;
    struct pl_gw_worker worker;
    struct pl_gw_form form;
    pail_attributes attr; /* of a put */
    pail_conditions cond;
    uint64_t bytes_out;
};

/* ---- request.c: what the request says ---- */

/* NULL, or the code of an error that was set. */
bool pl_gw_parse(struct pl_gw_call *c);
/* SPEC S3 "Virtual hosting of buckets": the bucket may stand before the name of the server. False:
 * it does not. *bucket: in the call's headers. */
bool pl_gw_bucket_of_host(const struct pl_gw_call *c, struct pl_str *bucket);
const char *pl_gw_param(const struct pl_gw_call *c, const char *name); /* NULL: not there */
/* A name or value of a query, in the call's arena; NULL: it cannot be decoded. */
const char *pl_gw_decoded(struct pl_gw_call *c, struct pl_str text);
/* A header as a string in the arena; NULL: not there. */
const char *pl_gw_header(const struct pl_gw_call *c, const char *name);
/* A number; false: not there or none, then `unset`. *bad: it is there and none. */
uint32_t pl_gw_number(const struct pl_gw_call *c, const char *name, uint32_t unset, bool *bad);
/* False: the headers ask for what is not done here; an error was set. */
bool pl_gw_can_all(struct pl_gw_call *c);
/* Content headers and metadata of a put, copy or begun upload. False: an error was set. */
bool pl_gw_take_attributes(struct pl_gw_call *c, pail_attributes *out);
/* SPEC S3 "Categorizing your storage using tags": in characters, not bytes. */
enum { PL_GW_TAG_KEY_MAX = 128, PL_GW_TAG_VALUE_MAX = 256 };
#define PL_GW_TAG_RULE                                                                             \
    "an object has 10 tags at most, each name once, of 128 characters at most, and values of 256"
size_t pl_gw_characters(struct pl_str text); /* of UTF-8 */
/* "a=b&c=d" as tags. */
bool pl_gw_take_tags(struct pl_gw_call *c, const char *text, pail_attributes *out);
/* If-Match and so on, with a prefix for the source of a copy ("x-amz-copy-source-"). */
/* An ETag without its quotes, in the call's arena. */
const char *pl_gw_unquoted(struct pl_gw_call *c, const char *text);
void pl_gw_take_conditions(struct pl_gw_call *c, const char *prefix, pail_conditions *out);
/* "null" is the one version of a store without a history. */
const char *pl_gw_version(const struct pl_gw_call *c, const char *text);

/* ---- auth.c ---- */

/* The one gate: nobody gets past it without a right that is written down. False: an error was set.
 */
bool pl_gw_admit(struct pl_gw_call *c);
/* Whether the verified key may use a bucket. */
bool pl_gw_may(const struct pl_gw_call *c, const char *bucket, bool write);

/* ---- cors.c ---- */

/* Adds what a browser must read to show the reply to a page; nothing where no origin is allowed. */
void pl_gw_cors_headers(struct pl_gw_call *c);
/* A preflight: true where it was one, and is answered. */
bool pl_gw_preflight(struct pl_gw_call *c);

/* The same gate for a form, once its fields are there. */
bool pl_gw_admit_form(struct pl_gw_call *c);

/* ---- form.c, policy.c ---- */

/* A field's value, its name without case; NULL: not there. */
const char *pl_gw_field(const struct pl_gw_call *c, const char *name);
/* Bytes came; they are in body.small. False: an error was set. */
bool pl_gw_form_data(struct pl_gw_call *c);
void pl_gw_post_object(struct pl_gw_call *c);
/* Whether the policy, which was verified, lets the fields pass. False: an error was set. */
bool pl_gw_policy_allows(struct pl_gw_call *c);

/* ---- errors.c ---- */

/* Sets the reply to an error of S3's list, with the status of that list. */
void pl_gw_fail(struct pl_gw_call *c, const char *code, const char *message);
/* The same for what a provider answered. */
void pl_gw_fail_op(struct pl_gw_call *c, pail_code rc, const struct pail_error *error);
/* ... to a write with c->cond. */
void pl_gw_fail_write(struct pl_gw_call *c, pail_code rc, const struct pail_error *error);
/* A reply or an error that was begun and is not to be. */
void pl_gw_forget(struct pl_gw_call *c);
/* The code and text for an entry of a list of errors. */
const char *pl_gw_error_code(pail_code rc);

/* ---- render.c: replies ---- */

void pl_gw_reply(struct pl_gw_call *c, int status);
/* Begins an XML reply: the root element with S3's namespace. */
struct pl_buf *pl_gw_xml(struct pl_gw_call *c, const char *root);
void pl_gw_xml_end(struct pl_gw_call *c, const char *root);
void pl_gw_text(struct pl_buf *b, const char *name, const char *value); /* NULL: left out */
void pl_gw_u64(struct pl_buf *b, const char *name, uint64_t value);
void pl_gw_bool(struct pl_buf *b, const char *name, bool value);
void pl_gw_time(struct pl_buf *b, const char *name, int64_t ms);
void pl_gw_etag(struct pl_buf *b, const char *etag); /* with its quotes */
void pl_gw_owner(struct pl_buf *b, const char *element);
/* A key as it may stand in XML, percent-encoded where the client asked for it. */
void pl_gw_key_text(struct pl_buf *b, const char *name, const char *value, bool encoded);
/* ETag, Last-Modified, metadata and so on of an object as headers. */
void pl_gw_object_headers(struct pl_gw_call *c, const pail_info *i);
void pl_gw_etag_header(struct pl_gw_call *c, const char *etag);
void pl_gw_header_text(struct pl_gw_call *c, const char *name, const char *value); /* NULL: none */

/* ---- sums.c: the checksums that S3 calls additional ---- */

/* What an upload is begun with. */
struct pl_gw_sum_rule {
    enum pl_sum sum; /* PL_SUM_NONE: nothing */
    bool composite;
};
enum { PL_GW_SUM_NAME = 16 };
const char *pl_gw_sum_upper(enum pl_sum sum, char out[PL_GW_SUM_NAME]); /* "SHA256" */
/* <ChecksumSHA256> and x-amz-checksum-sha256 of "sha256:BASE64"; nothing for NULL. */
void pl_gw_sum_text(struct pl_buf *b, const char *checksum);
bool pl_gw_sum_header(struct pl_gw_call *c, const char *checksum); /* false: it is none of S3's */
/* The algorithm of "x-amz-checksum-NAME"; PL_SUM_NONE: not known. *is: it is such a name, and none
 * of those that say how checksums are to be used. */
enum pl_sum pl_gw_sum_kind(struct pl_str name, bool *is);
/* The checksum of the body that the headers announce; false: an error was set. */
bool pl_gw_sum_take(struct pl_gw_call *c);
/* Whether a part may come with that checksum: its upload's algorithm is no other. False: an error
 * was set. */
bool pl_gw_sum_suits_upload(struct pl_gw_call *c);
/* From the headers; false: an error was set. */
bool pl_gw_sum_rule_take(struct pl_gw_call *c, struct pl_gw_sum_rule *out);
/* From the note of an upload, which may be NULL; false: there is none. */
bool pl_gw_sum_rule_read(const char *note, struct pl_gw_sum_rule *out);
/* In the call's arena; NULL: the parts came without it. */
const char *pl_gw_sum_of_parts(struct pl_gw_call *c, const struct pl_gw_sum_rule *rule,
                               const struct pl_part *parts, size_t count);

/* ---- parts.c ---- */

/* Texts in the call's arena. */
struct pl_gw_parts {
    struct pl_part *parts; /* in order of number */
    size_t count;
    const char *note; /* of an upload */
    pail_info info;   /* of an object */
};
/* All of an upload; of the call's object where upload_id is NULL, all of one version. Sets no
 * error. PAIL_E_VERSION_NOT_FOUND: another object came in its place meanwhile. */
pail_code pl_gw_all_parts(struct pl_gw_call *c, const char *upload_id, struct pl_gw_parts *out);
struct pl_gw_part {
    struct pl_part part;
    bool there; /* false: the object came in one piece, which counts as its first */
    uint64_t offset;
    size_t of;
};
/* One part of the call's object, whose version is c->out.version from then on. False: an error was
 * set. */
bool pl_gw_find_part(struct pl_gw_call *c, uint32_t number, struct pl_gw_part *out);

/* ---- body.c ---- */

/* What the headers announce. False: an error was set. */
bool pl_gw_body_begin(struct pl_gw_call *c);
/* False: an error was set. */
bool pl_gw_body_data(struct pl_gw_call *c, const char *data, size_t n);
bool pl_gw_body_end(struct pl_gw_call *c);
void pl_gw_body_dispose(struct pl_gw_call *c);

/* ---- keep.c ---- */

enum { PL_GW_KEPT_MAX = 64 << 20 };
/* Room for n more bytes in body.small, of body.seen. False: the body was dropped, and body.refusal
 * says why. */
bool pl_gw_keep_room(struct pl_gw_call *c, size_t n);
void pl_gw_keep_dispose(struct pl_gw_call *c);

/* ---- relay.c: a body from the connection's thread to the one that has the store's op ---- */

/* total: of the body. large: how many large blocks all relays have. NULL: no memory. */
struct pl_gw_relay *pl_gw_relay_new(struct pl_pool *pool, atomic_int *large, uint64_t total);
void pl_gw_relay_free(struct pl_gw_relay *r);
/* False: the other side takes no more. */
bool pl_gw_relay_put(struct pl_gw_relay *r, const char *data, size_t n);
/* Once all has come. Only a good end gives the other side the last byte. */
void pl_gw_relay_end(struct pl_gw_relay *r, bool good);
/* The other side: see `lend` and `pull` of struct pl_body. */
const char *pl_gw_relay_lend(void *relay, size_t *n);
bool pl_gw_relay_take(void *relay, void *buf, size_t n);
void pl_gw_relay_stop(struct pl_gw_relay *r);

/* ---- xml_in.c: request bodies ---- */

/* What must hold of an object that is to be deleted. */
struct pl_gw_if {
    const char *etag; /* without quotes, or "*"; NULL: any */
    bool has_size, has_mtime;
    uint64_t size;
    int64_t mtime_ms; /* whole seconds count */
};
struct pl_gw_names {
    struct pl_name *names;
    struct pl_gw_if *conditions; /* one a name */
    size_t count;
    bool quiet;
};
bool pl_gw_read_delete(struct pl_gw_call *c, struct pl_gw_names *out);
bool pl_gw_read_parts(struct pl_gw_call *c, struct pl_part **parts, size_t *count);
bool pl_gw_read_tags(struct pl_gw_call *c, pail_kv **tags, size_t *count);

/* ---- operations ---- */

/* Whether the store takes such names; NULL: none. False: an error was set. */
bool pl_gw_check_names(struct pl_gw_call *c, const char *bucket, const char *key);
/* An op of the provider, run to its end on this thread. NULL: an error was set. Set op->in first,
 * then pl_gw_run; read op->out before pl_gw_op_end. */
struct pl_op *pl_gw_op(struct pl_gw_call *c, struct pl_simple *s, enum pl_op_kind kind,
                       const char *bucket, const char *key);
/* The same for a thread of its own, whose names were checked: sets no error. NULL: no memory. */
struct pl_op *pl_gw_op_apart(const struct pl_gw_call *c, struct pl_simple *s, enum pl_op_kind kind,
                             const char *bucket, const char *key);
pail_code pl_gw_run(struct pl_simple *s);
/* What is there under the call's key, whatever its conditions; texts in the call's arena. Sets an
 * error only for names that cannot be. */
bool pl_gw_look(struct pl_gw_call *c, pail_info *info);
/* Frees the op. Where it failed: sets the error, unless quiet. */
void pl_gw_op_end(struct pl_gw_call *c, struct pl_simple *s, bool quiet);

/* A token of the store's as clients get it, and back (NULL: it is none); in the call's arena. */
const char *pl_gw_pack_token(struct pl_gw_call *c, const char *token);
const char *pl_gw_unpack_token(struct pl_gw_call *c, const char *text);
void pl_gw_list_buckets(struct pl_gw_call *c);
void pl_gw_create_bucket(struct pl_gw_call *c);
void pl_gw_head_bucket(struct pl_gw_call *c);
void pl_gw_delete_bucket(struct pl_gw_call *c);
void pl_gw_bucket_location(struct pl_gw_call *c);
void pl_gw_bucket_answer(struct pl_gw_call *c); /* versioning, acl and what is not configured */

void pl_gw_list_v1(struct pl_gw_call *c);
void pl_gw_list_v2(struct pl_gw_call *c);
void pl_gw_list_versions(struct pl_gw_call *c);
void pl_gw_list_uploads(struct pl_gw_call *c);
void pl_gw_list_parts(struct pl_gw_call *c);

void pl_gw_get_object(struct pl_gw_call *c); /* and HEAD */
int64_t pl_gw_get_pull(struct pl_gw_call *c, char *buf, size_t n);
void pl_gw_stream_dispose(struct pl_gw_call *c);
void pl_gw_object_attributes(struct pl_gw_call *c);

void pl_gw_put_object(struct pl_gw_call *c);
void pl_gw_put_part(struct pl_gw_call *c);
void pl_gw_put_finish(struct pl_gw_call *c);
/* Stores body.small under the key, with attr; worker.etag is its ETag. An error may be set. */
void pl_gw_put_small(struct pl_gw_call *c);
/* Ends the worker's op, which fails unless the body was verified. */
void pl_gw_worker_join(struct pl_gw_call *c);

void pl_gw_delete_object(struct pl_gw_call *c);
void pl_gw_delete_objects(struct pl_gw_call *c);
void pl_gw_copy_object(struct pl_gw_call *c);
void pl_gw_copy_part(struct pl_gw_call *c);
void pl_gw_get_tags(struct pl_gw_call *c);
void pl_gw_put_tags(struct pl_gw_call *c);
void pl_gw_delete_tags(struct pl_gw_call *c);
void pl_gw_object_acl(struct pl_gw_call *c);
void pl_gw_put_acl(struct pl_gw_call *c); /* of a bucket too */

/* The uploadId of the request as the store knows it. */
const char *pl_gw_upload_id(struct pl_gw_call *c);
void pl_gw_begin_upload(struct pl_gw_call *c);
void pl_gw_finish_upload(struct pl_gw_call *c);
void pl_gw_abort_upload(struct pl_gw_call *c);

/* ---- route.c, own.c, page.c ---- */

/* NULL: an error was set. */
const struct pl_gw_route *pl_gw_find_route(struct pl_gw_call *c);
/* "/-/...": the server's own pages. False: it is none of them. */
bool pl_gw_own_page(struct pl_gw_call *c);
/* "/-/ui": the web page. False: it is no path of its files. */
bool pl_gw_page(struct pl_gw_call *c, struct pl_str path);

#endif
