/* The Google Cloud Storage dialect, JSON API. Source: Cloud Storage JSON API v1, the method of each
 * name. Inside this room only.
 *
 * The ETag that Pail shows is the object's generation: it names one content of one name for ever,
 * and if_match becomes ifGenerationMatch. */
#ifndef PL_PROVIDER_GCS_H
#define PL_PROVIDER_GCS_H

#include "codec/digest.h"
#include "codec/json.h"
#include "provider/dialect.h"

/* Parts of an upload are objects of this prefix until it ends: PREFIX ID "/" NUMBER, and "/c" STEP
 * for what is composed on the way where no part may be written over. Listings leave them out. */
#define PL_GCS_PARTS ".pail-uploads/"
#define PL_GCS_MARK  "pail-composed" /* metadata of what is composed on the way: of which parts */
enum {
    PL_GCS_ID_HEX = 32, /* of an upload, without a NUL */
    PL_GCS_MARK_HEX = 64,
    PL_GCS_COMPOSE_MAX = 32, /* SPEC Objects: compose: sources of one request */
    PL_GCS_BATCH_MAX = 100,  /* SPEC "Batch requests": calls of one request */
    PL_GCS_PARTS_MAX = 10000,
    PL_GCS_BEGUN = 64,
    PL_GCS_SIGNED = 16,
    PL_GCS_TARGET_MAX = 16 * 1024
};

struct pl_gcs_auth; /* cred/gcs.h */

/* A URL that IAM signed. Owned; zero: none. */
struct pl_gcs_signed {
    char *wish; /* what it is of */
    char *url;
    int64_t time_ms; /* from when on it is good */
};

struct pl_gcs_session; /* gcs_session.c */

struct pl_gcs {
    struct pl_dialect dialect; /* first */
    /* set once */
    const struct pl_settings *settings;
    struct pl_log *log;
    struct pl_gcs_auth *auth;
    bool custom, verify, tls;
    bool by_session;      /* uploads in parts go by a session instead of by composed objects */
    uint64_t session_min; /* puts of more bytes go by a session */
    uint16_t port;
    /* under dialect.lock: uploads begun here that may have no part yet, the oldest forgotten first
     */
    char begun[PL_GCS_BEGUN][PL_GCS_ID_HEX];
    size_t begun_next;
    struct pl_gcs_signed signed_urls[PL_GCS_SIGNED]; /* the oldest makes room */
    size_t signed_next;
    struct pl_gcs_session *sessions;
    char *host, *base_path; /* lower case; "" or "/path" without a final '/' */
};

/* Where a multi-exchange op is. */
enum pl_gcs_phase {
    PL_GCS_FIRST = 0,
    PL_GCS_REWRITE, /* copy: with memo->token */
    PL_GCS_COMPOSE, /* mp_finish: parts from memo->at on, onto step memo->step */
    PL_GCS_LOOK,    /* mp_finish: a source was not there; which are, and was it this step? */
    PL_GCS_SWEEP,   /* mp_finish, mp_abort: the parts go, PL_GCS_BATCH_MAX at once */
    PL_GCS_SEND,    /* session: bytes */
    PL_GCS_ASK      /* session: how many are there? */
};

/* What listings have told, page by page, of the parts that were to be composed. */
struct pl_gcs_look {
    size_t judged, missing, others; /* parts; not there at all; there with another generation */
    size_t left;                    /* names there from the first that was listed on */
    const struct pl_part *bad;      /* the first that is not as it was sent; NULL: none */
    char there[24];                 /* its generation by now; "": none */
    bool composed;                  /* it is a result of steps of other parts */
    bool for_step;                  /* nothing of the parts, but whether the step was done */
    unsigned pages;
};

/* What one op keeps over its attempts and exchanges; in op->arena. */
struct pl_gcs_memo {
    enum pl_gcs_phase phase;
    bool has_sum;
    struct pl_sum_value crc32c; /* of the source, or of all parts */
    char boundary[40];
    char generation[24]; /* get: of the version that was begun; finish: of what is composed so far
                          */
    char expected[PL_SUM_BASE64_MAX]; /* get: what the head said of the whole */
    const char *token;                /* rewrite, look: to go on with; NULL: from the start */
    size_t at, step, took;            /* finish: parts done, composes done, parts of this compose */
    size_t base;                      /* finish: the part whose name has what is composed so far */
    bool apart, base_apart; /* finish: no part may be written over; that has a name of its own */
    char mark[PL_GCS_MARK_HEX + 1],
        next_mark[PL_GCS_MARK_HEX + 1]; /* finish: so far; this step's */
    struct pl_gcs_look look;
    bool gone;          /* finish: it was aborted, so late parts go as well */
    const char **names; /* sweep: of the page that is being deleted */
    size_t name_count;
    bool found; /* abort: there was something */
    unsigned sweeps;
    bool looked_again; /* abort */
    /* Sessions: `token` is the query of a put's. */
    bool by_session, is_doubtful; /* doubtful: what was sent was not answered */
    uint64_t sent;                /* bytes known to be there; of a part behind the session's */
    unsigned stalls;              /* answers without progress */
    unsigned restarts;            /* sessions of a put that were lost */
    struct pl_body cut;           /* what is sent of the source */
};

struct pl_gcs_build {
    struct pl_gcs *gcs;
    struct pl_op *op;
    struct pl_attempt *a;
    struct pl_gcs_memo *memo;
    struct pl_http_request *r;
    struct pl_buf path, query; /* path: behind the host and base path */
    struct pail_error **err;
};

/* gcs_build.c */
PAIL_MUST pail_code pl_gcs_build(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                                 struct pl_http_request *out, struct pail_error **err);
/* "/storage/v1/b/BUCKET/o/KEY" behind `service` ("" or "/upload"); key NULL: of the objects. */
void pl_gcs_object_path(struct pl_buf *out, const char *service, const char *bucket,
                        const char *key);
void pl_gcs_query(struct pl_gcs_build *b, const char *name, const char *value);
/* ifGenerationMatch and its kin for the op's conditions; prefix "if" or "ifSource". A write takes
 * no conditions on dates. */
PAIL_MUST pail_code pl_gcs_add_conditions(struct pl_gcs_build *b, const pail_conditions *cond,
                                          const char *prefix, bool is_write);
/* SPEC "Customer-supplied encryption keys"; of_source: of a rewrite's source. */
PAIL_MUST pail_code pl_gcs_add_encryption(struct pl_gcs_build *b, const pail_encryption *e,
                                          bool of_source);
void pl_gcs_set_json(struct pl_gcs_build *b, struct pl_buf *json);

/* gcs_resource.c: an object's resource, both ways. */
/* Adds the members of attr and encryption to a resource that is begun with '{'. */
PAIL_MUST pail_code pl_gcs_write_attributes(struct pl_buf *out, const pail_attributes *attr,
                                            const pail_encryption *e, struct pail_error **err);
/* Adds `"name":"value"` with a comma in front unless it is the object's first member. */
PAIL_MUST bool pl_gcs_member(struct pl_buf *out, const char *name, const char *value);
/* The multipart/related body of an insert around the op's source. */
PAIL_MUST pail_code pl_gcs_add_insert(struct pl_gcs_build *b, struct pl_buf *resource);
/* Fills info from a resource; false: it is none. */
PAIL_MUST bool pl_gcs_read_resource(struct pl_arena *arena, const json_t *o, pail_info *info);
/* Of a media download's headers. */
void pl_gcs_read_headers(struct pl_op *op, const struct pl_http_response *r);
/* "crc32c=" or "md5=" of x-goog-hash; empty: it is not there. */
struct pl_str pl_gcs_hash(const struct pl_http_response *r, const char *name);

/* gcs_parse.c, gcs_list.c, gcs_errors.c */
void pl_gcs_head(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                 const struct pl_http_response *r);
void pl_gcs_parse(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                  const struct pl_http_response *r, struct pl_verdict *out,
                  struct pail_error **err);
void pl_gcs_fail(struct pl_verdict *out, enum pl_next next, pail_code code, struct pail_error **err,
                 const char *why);
/* The root object of an answer, NULL: it is none and *out says so. json_decref. */
json_t *pl_gcs_answer(const struct pl_http_response *r, struct pl_verdict *out,
                      struct pail_error **err);
PAIL_MUST pail_code pl_gcs_build_list(struct pl_gcs_build *b);
void pl_gcs_parse_list(struct pl_op *op, const struct pl_http_response *r, struct pl_verdict *out,
                       struct pail_error **err);
void pl_gcs_parse_error(struct pl_gcs *gcs, struct pl_op *op, struct pl_attempt *a,
                        const struct pl_http_response *r, struct pl_verdict *out,
                        struct pail_error **err);
/* What a status and the "reason" of an error mean for an op. */
pail_code pl_gcs_code(int status, struct pl_str reason, const struct pl_op *op, enum pl_next *next);

/* gcs_batch.c: deletes of many. */
struct pl_gcs_batch_result {
    int status; /* 0: the answer has none for it */
    struct pl_str body;
};
PAIL_MUST pail_code pl_gcs_add_batch(struct pl_gcs_build *b, const struct pl_name *names,
                                     size_t count);
/* Fills results[count]; false: the answer is no multipart/mixed. Views of r. */
PAIL_MUST bool pl_gcs_read_batch(const struct pl_http_response *r,
                                 struct pl_gcs_batch_result *results, size_t count);
void pl_gcs_parse_delete_many(struct pl_gcs *gcs, struct pl_op *op,
                              const struct pl_http_response *r, struct pl_verdict *out,
                              struct pail_error **err);

/* Sets memo->crc32c and out.sum; one pass over the source, once. */
PAIL_MUST pail_code pl_gcs_source_sum(struct pl_gcs_build *b);
/* Fills out.info from a resource and compares its crc32c with memo's, if that has one. */
void pl_gcs_parse_stored(struct pl_op *op, const struct pl_gcs_memo *memo,
                         const struct pl_http_response *r, struct pl_verdict *out,
                         struct pail_error **err);

/* gcs_session.c: resumable upload sessions. */
bool pl_gcs_is_session(const char *upload_id);
/* resource: without its '}'. */
PAIL_MUST pail_code pl_gcs_build_session_put(struct pl_gcs_build *b, struct pl_buf *resource);
PAIL_MUST pail_code pl_gcs_build_session(struct pl_gcs_build *b); /* mp_begin ... mp_abort */
void pl_gcs_parse_session(struct pl_gcs *gcs, struct pl_op *op, struct pl_attempt *a,
                          const struct pl_http_response *r, struct pl_verdict *out,
                          struct pail_error **err);
void pl_gcs_sessions_dispose(struct pl_gcs *gcs);

/* gcs_abort.c */
void pl_gcs_list_parts(struct pl_gcs_build *b, struct pl_str hex, const char *most);
PAIL_MUST pail_code pl_gcs_build_abort(struct pl_gcs_build *b, struct pl_str hex);
void pl_gcs_parse_abort(struct pl_gcs *gcs, struct pl_op *op, struct pl_attempt *a,
                        const struct pl_http_response *r, struct pl_verdict *out,
                        struct pail_error **err);

/* gcs_look.c: a finish whose sources are not as they were sent. */
/* for_step: only for the result of the step that is next, under its own name. */
void pl_gcs_look_begin(struct pl_gcs_memo *memo, bool for_step);
/* Adds to the listing of the parts where it begins. */
void pl_gcs_look_from(struct pl_gcs_build *b, struct pl_str hex);
/* Judges a page of it: the step was done, or whom to blame. */
void pl_gcs_looked(struct pl_gcs *gcs, struct pl_op *op, struct pl_gcs_memo *memo,
                   const struct pl_http_response *r, struct pl_verdict *out,
                   struct pail_error **err);

/* gcs_compose.c: uploads in parts. */
void pl_gcs_part_name(struct pl_buf *out, struct pl_str hex, uint32_t number);
void pl_gcs_step_name(struct pl_buf *out, struct pl_str hex, size_t step);
/* The step that was next is there, of this generation. */
void pl_gcs_step_done(struct pl_gcs_memo *memo, const char *generation);
PAIL_MUST pail_code pl_gcs_no_such_upload(struct pail_error **err);
/* False: the upload was not begun here, or is forgotten. */
bool pl_gcs_forget_upload(struct pl_gcs *gcs, const char *id);
PAIL_MUST pail_code pl_gcs_build_upload(struct pl_gcs_build *b);
void pl_gcs_parse_upload(struct pl_gcs *gcs, struct pl_op *op, struct pl_attempt *a,
                         const struct pl_http_response *r, struct pl_verdict *out,
                         struct pail_error **err);
/* CRC32C of the parts together; false: one of them has none. */
bool pl_gcs_whole_sum(const struct pl_op *op, struct pl_sum_value *out);

/* gcs_sign.c: signed URLs, of the XML API's path style. */
PAIL_MUST pail_code pl_gcs_presign(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                                   struct pail_error **err);

bool pl_gcs_can_sign(const struct pl_gcs *gcs);
bool pl_gcs_has_key(const struct pl_gcs *gcs); /* at hand, to sign URLs with */
/* Where an account signs whose key is elsewhere: a number that is the same for the same wish; 0:
 * the URL is there. */
uint64_t pl_gcs_sign_lacks(struct pl_gcs *gcs, const struct pl_op *op, int64_t now_ms);
struct pl_errand *pl_gcs_sign_errand(struct pl_gcs *gcs, const struct pl_op *op,
                                     struct pail_error **err);
void pl_gcs_signed_dispose(struct pl_gcs_signed *s);

/* gcs_hmac.c: the XML API by S3's dialect; gcs_hmac_none.c: a build without that. */
PAIL_MUST pail_code pl_gcs_hmac_new(const struct pl_provider_env *env, struct pl_provider **out,
                                    struct pail_error **err);

/* The dialect alone, as golden tests use it; its lock is made by http_provider. */
PAIL_MUST pail_code pl_gcs_dialect_new(const struct pl_provider_env *env, struct pl_dialect **out,
                                       struct pail_error **err);

#endif
