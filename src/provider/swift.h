/* What the files of the Swift dialect share. Source: OpenStack "Object Storage API"; where a
 * middleware is meant, Swift's own documentation of it. */
#ifndef PL_PROVIDER_SWIFT_H
#define PL_PROVIDER_SWIFT_H

#include "codec/digest.h"
#include "codec/json.h"
#include "cred/swift_login.h"
#include "provider/dialect.h"
#include "sign/swift_tempurl.h"

/* The parts of a container's large objects lie in CONTAINER+segments, as Swift's own S3 layer does
 * it: KEY/UPLOAD/NUMBER, and an empty KEY/UPLOAD as long as the upload is not finished. */
#define PL_SWIFT_SEGMENTS "+segments"
#define PL_SWIFT_OTHERS   "_segments" /* python-swiftclient's */
enum {
    PL_SWIFT_BUCKETS_REMEMBERED = 64,
    PL_SWIFT_UPLOAD_ID = 32,
    PL_SWIFT_POLICY_MAX = 64,
    PL_SWIFT_NAME_MAX = 256
};

enum pl_swift_mode {
    PL_SWIFT_STATIC,
    PL_SWIFT_FILE,
    PL_SWIFT_COMMAND,
    PL_SWIFT_V1,
    PL_SWIFT_KEYSTONE
};

/* Where the account is. */
struct pl_swift_place {
    bool tls;
    uint16_t port;
    char *host, *path; /* lower case; "/v1/AUTH_account" without a final '/', percent-encoded */
};

/* What is known of one container. */
struct pl_swift_bucket {
    char *name;
    bool known;  /* the rest was asked for, until until_ms */
    bool unsure; /* whether it exists is to be asked */
    bool exists;
    bool segments;  /* has a container of segments beside it */
    bool others;    /* has one as python-swiftclient makes them, of what others store in parts */
    bool versioned; /* keeps what is replaced: then nobody may remove segments */
    char policy[PL_SWIFT_POLICY_MAX];
    int64_t until_ms;
    int64_t key_until_ms; /* 0: the key was not asked for */
    bool key_hidden;      /* the account did not let its key be seen */
    char *tempurl_key;    /* NULL: there is none */
};

/* The methods that URLs can be signed for; NULL behind the last. */
extern const char *const pl_swift_methods[];

/* What /info says. */
struct pl_swift_info {
    bool known,
        offered; /* offered: the service has /info, so that what it leaves out is not there */
    bool slo, bulk_delete, tempurl;
    bool lists_large;              /* listings tell static large objects */
    enum pl_tempurl_digest digest; /* of temporary URLs */
    unsigned methods;              /* of temporary URLs: bits by the index in pl_swift_methods */
    uint32_t parts_max, delete_max, list_max;
    uint64_t put_max, part_min;
    /* Of metadata, in bytes but for the count; 0: not told. */
    uint32_t meta_name_max, meta_value_max, meta_count_max, meta_overall_max, header_max;
};

struct pl_swift {
    struct pl_dialect dialect; /* first */
    /* set once */
    const struct pl_settings *settings;
    enum pl_swift_mode mode;
    bool verify, remove_segments, fixed_place;
    const char *token_file, *token_command;
    /* under dialect.lock */
    struct pl_swift_place place;
    char *token, *refused; /* refused: the one before, that the service did not accept */
    bool same_again;       /* what came after it is the same */
    int64_t expires_ms;    /* 0: unknown */
    int64_t looked_ms;     /* when the token's file was looked at */
    int64_t file_mtime_ns; /* of the file that the token is from; 0: none */
    uint64_t file_inode;
    struct pl_swift_info info;
    struct pl_swift_bucket buckets[PL_SWIFT_BUCKETS_REMEMBERED];
    size_t bucket_count, bucket_next;
    bool no_bulk;   /* bulk-delete was refused */
    bool asks_list; /* a page was refused: /info tells how large one may be */
};

/* swift_state.c: what is known, and what is lacking. */
PAIL_MUST pail_code pl_swift_place_read(const char *url, const char *origin,
                                        struct pl_swift_place *out, struct pail_error **err);
void pl_swift_place_dispose(struct pl_swift_place *place);
/* The entry of a bucket, made where there is none; NULL: out of memory. */
struct pl_swift_bucket *pl_swift_bucket_locked(struct pl_swift *s, const char *name);
/* A copy of what is known, without the strings; zero where nothing is. */
struct pl_swift_bucket pl_swift_bucket_view(struct pl_swift *s, const char *name);
struct pl_swift_info pl_swift_info_view(struct pl_swift *s);
/* Something happened that proves that the bucket exists. */
void pl_swift_saw(struct pl_swift *s, const char *name);
/* Whether the name leaves room for that of the container of its parts. */
bool pl_swift_may_have_segments(const char *bucket);
void pl_swift_need(struct pl_dialect *d, const struct pl_op *op, int64_t now_ms,
                   struct pl_need *out);
pail_code pl_swift_refresh(struct pl_dialect *d, struct pail_error **err);
void pl_swift_state_dispose(struct pl_swift *s);
/* swift_errand.c */
enum { PL_SWIFT_NEED_AUTH = 1, PL_SWIFT_NEED_INFO = 2 };
#define PL_SWIFT_NEED_BUCKET (UINT64_C(1) << 32) /* or-ed with a hash of the name */
#define PL_SWIFT_NEED_KEY    (UINT64_C(2) << 32)
struct pl_errand *pl_swift_errand(struct pl_dialect *d, const struct pl_op *op, uint64_t what,
                                  struct pail_error **err);

/* What an op is at. Most have one exchange; those that replace or remove large objects look at what
 * is there first and clear up behind it. */
enum pl_swift_stage {
    PL_SWIFT_FIRST = 0,    /* nothing was asked yet */
    PL_SWIFT_TRY,          /* the manifest, where nothing is to be replaced */
    PL_SWIFT_LOOK,         /* HEAD of what is there */
    PL_SWIFT_PARTS,        /* the manifest of a large object, or the listing of its parts */
    PL_SWIFT_SCAN,         /* the parts of an upload, to be aborted */
    PL_SWIFT_SURVEY,       /* which of many names are large objects */
    PL_SWIFT_SURVEY_PARTS, /* and which parts are theirs */
    PL_SWIFT_EACH,         /* those that need a request of their own */
    PL_SWIFT_COMPARE,      /* HEAD, after If-Match did not hold */
    PL_SWIFT_MAKE,         /* the container of segments */
    PL_SWIFT_MAIN,         /* the operation itself */
    PL_SWIFT_CLEAN,        /* removing names */
    PL_SWIFT_LAST          /* removing the container of segments */
};
struct pl_swift_memo {
    enum pl_swift_stage stage;
    bool is_slo, missed, made, swept;
    bool by_etag;         /* If-Match is not sent: the ETag of the answer is compared */
    bool is_own, is_same; /* what is there is of this very upload; has the ETag that it gives */
    const char *dlo;      /* "CONTAINER/PREFIX" of a dynamic one */
    char md5[33];         /* of a source, in hex; empty: not known */
    char expected[PL_SUM_BASE64_MAX];
    char upload_id[PL_SWIFT_UPLOAD_ID + 1];
    const char **paths; /* what CLEAN removes: "CONTAINER/KEY", not encoded; in the op's arena */
    size_t path_count, path_cap, path_at, path_sent;
    uint32_t sent_limit;
    int refused; /* an abort's: the first status of a name that was not deleted; 0: none */
    const char *parts_marker;   /* where the next page of parts begins */
    struct pl_swift_many *many; /* swift_many.c */
};

/* swift_build.c, swift_headers.c, swift_large.c, swift_upload.c, swift_bulk.c */
struct pl_swift_build {
    struct pl_swift *s;
    struct pl_op *op;
    struct pl_attempt *a;
    struct pl_swift_memo *memo;
    struct pl_http_request *r;
    struct pl_buf path, query; /* behind the account; without '?' */
    struct pl_swift_bucket bucket;
    struct pl_swift_info info;
    struct pail_error **err;
};
PAIL_MUST pail_code pl_swift_build(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                                   struct pl_http_request *out, struct pail_error **err);
/* Sets path to "/CONTAINER[suffix]/KEY", encoded; key NULL: the container. */
void pl_swift_path(struct pl_swift_build *b, const char *container, const char *suffix,
                   const char *key);
PAIL_MUST pail_code pl_swift_refuse(struct pl_swift_build *b, const char *what, const char *hint);
PAIL_MUST pail_code pl_swift_add_attributes(struct pl_swift_build *b, const pail_attributes *attr);
PAIL_MUST pail_code pl_swift_add_read_conditions(struct pl_swift_build *b,
                                                 const pail_conditions *cond);
PAIL_MUST pail_code pl_swift_add_write_conditions(struct pl_swift_build *b);
PAIL_MUST pail_code pl_swift_add_extra(struct pl_swift_build *b);
PAIL_MUST pail_code pl_swift_add_body(struct pl_swift_build *b);
PAIL_MUST pail_code pl_swift_add_list_query(struct pl_swift_build *b);
/* Whether the parts of what is replaced or removed in the bucket go, too. */
bool pl_swift_removes_parts(const struct pl_swift_build *b);
/* Whether the op has to look at what is there before it replaces or removes it. */
bool pl_swift_looks_first(const struct pl_swift_build *b);
PAIL_MUST pail_code pl_swift_build_look(struct pl_swift_build *b);
PAIL_MUST pail_code pl_swift_build_parts(struct pl_swift_build *b);
PAIL_MUST pail_code pl_swift_build_clean(struct pl_swift_build *b);
PAIL_MUST pail_code pl_swift_build_begin(struct pl_swift_build *b);
PAIL_MUST pail_code pl_swift_build_part(struct pl_swift_build *b);
PAIL_MUST pail_code pl_swift_build_copy_part(struct pl_swift_build *b);
PAIL_MUST pail_code pl_swift_build_finish(struct pl_swift_build *b);
PAIL_MUST pail_code pl_swift_build_bulk(struct pl_swift_build *b);
/* Whether these names can go in bulk at all. */
PAIL_MUST pail_code pl_swift_check_bulk(struct pl_swift_build *b);
/* The request that deletes all of "CONTAINER/KEY". */
PAIL_MUST pail_code pl_swift_write_bulk(struct pl_swift_build *b, const char *const *paths,
                                        size_t count);
bool pl_swift_add_path(struct pl_op *op, struct pl_swift_memo *memo, struct pl_str path);
bool pl_swift_add_mark(struct pl_op *op, struct pl_swift_memo *memo); /* of an upload */
PAIL_MUST bool pl_swift_is_upload_id(struct pl_str text);

/* swift_parse.c, swift_list.c, swift_large.c, swift_bulk.c, swift_errors.c */
struct pl_swift_answer {
    struct pl_swift *s;
    struct pl_op *op;
    struct pl_attempt *a;
    struct pl_swift_memo *memo;
    const struct pl_http_response *r;
    struct pl_verdict *out;
    struct pail_error **err;
};
void pl_swift_head(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                   const struct pl_http_response *r);
void pl_swift_parse(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                    const struct pl_http_response *r, struct pl_verdict *out,
                    struct pail_error **err);
void pl_swift_parse_error(const struct pl_swift_answer *x);
void pl_swift_parse_list(const struct pl_swift_answer *x);
void pl_swift_parse_look(const struct pl_swift_answer *x);
void pl_swift_parse_parts(const struct pl_swift_answer *x);
void pl_swift_parse_clean(const struct pl_swift_answer *x);
void pl_swift_parse_bulk(const struct pl_swift_answer *x);
/* Whether it is one; *root: json_decref, NULL where it is not. */
bool pl_swift_is_bulk_answer(const struct pl_swift_answer *x, json_t **root);
/* The upload is not there (any more). */
void pl_swift_upload_gone(const struct pl_swift_answer *x);
/* After the operation itself: done, or names to be cleared up. */
void pl_swift_then_clean(const struct pl_swift_answer *x);
/* Fails with a retry: what was answered is not what Swift answers. */
void pl_swift_garbled(const struct pl_swift_answer *x, const char *what);
void pl_swift_read_written(const struct pl_swift_answer *x);
/* The MD5 of the MD5s: what a manifest's ETag is. */
bool pl_swift_manifest_etag(const struct pl_part *parts, size_t count, char out[33]);

/* Whether it is a container where the parts of the bucket's objects lie. swift_parts.c */
PAIL_MUST bool pl_swift_is_segments(const char *bucket, struct pl_str container);
/* Whether "CONTAINER/NAME" lies where the parts of this very key do. swift_parts.c */
PAIL_MUST bool pl_swift_is_part(const char *bucket, const char *key, struct pl_str path);
/* "CONTAINER/PREFIX" of a dynamic large object, decoded; NULL where it is none, or names what may
 * be anybody's. */
const char *pl_swift_read_dlo(const struct pl_swift_answer *x, struct pl_str header);

/* swift_many.c: names of which some may be large objects. */
PAIL_MUST pail_code pl_swift_build_many(struct pl_swift_build *b);
void pl_swift_parse_many(const struct pl_swift_answer *x);
void pl_swift_many_took_parts(const struct pl_swift_answer *x);
/* The name whose parts are asked for. */
const char *pl_swift_many_key(const struct pl_swift_memo *memo);
void pl_swift_many_keep_parts(const struct pl_swift_answer *x);

/* swift_presign.c */
PAIL_MUST pail_code pl_swift_presign(struct pl_dialect *d, struct pl_op *op, struct pl_attempt *a,
                                     struct pail_error **err);

/* The dialect alone, as golden tests use it; its lock is made by http_provider. */
PAIL_MUST pail_code pl_swift_dialect_new(const struct pl_provider_env *env, struct pl_dialect **out,
                                         struct pail_error **err);

#endif
