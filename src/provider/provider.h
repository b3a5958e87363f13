/* What every store looks like to the layers above. */
#ifndef PL_PROVIDER_PROVIDER_H
#define PL_PROVIDER_PROVIDER_H

#include "base/log.h"
#include "base/settings.h"
#include "provider/op.h"

/* Limits and abilities are data. */
struct pl_caps {
    unsigned char ability[PAIL_ABILITY_COUNT]; /* pail_support */
    uint64_t limit[PAIL_LIMIT_COUNT];
    uint64_t part_best;   /* bytes of a part or range that suit the service */
    uint64_t put_best;    /* objects up to here go in one put; UINT64_MAX: all */
    uint64_t get_best;    /* ranges up to here come in one get; UINT64_MAX: all */
    uint32_t concurrency; /* requests of one transfer at once */
    bool takes_pull;      /* put and mp_part take a PL_BODY_PULL, on the submitting thread */
    bool keeps_etag;      /* in.put.etag and in.mp.etag */
    bool keeps_sums;      /* in.put.checksum, in.mp.checksum, in.mp.note */
    bool lists_parts;     /* mp_list with an upload_id, or of_object */
    bool attr_at_finish;  /* op->attr of mp_begin is told again with mp_finish, or it is lost */
    bool parts_in_order;  /* one part after the other */
    bool parts_equal;     /* all parts but the last must have one size */
    bool no_whole_sum;    /* no checksum that those of ranges combine to, an MD5 at most */
    bool no_expires;      /* objects have no Expires: one that is asked for is refused */
    bool finish_lingers;  /* a mp_finish that got no answer may take effect behind a mp_abort, which
                             would have taken the parts of the object away */
    bool uploads_inside;  /* unfinished uploads go with their bucket, or it is "not empty" */
};

enum pl_submit {
    PL_STARTED,  /* done will run, on any thread, perhaps already */
    PL_COMPLETED /* done has run on this thread */
};

struct pl_provider;
struct pl_provider_ops {
    const char *scheme;
    void (*caps)(struct pl_provider *p, struct pl_caps *out);
    /* Takes the op until its done has run. Never fails: errors come through the op. */
    enum pl_submit (*submit)(struct pl_provider *p, struct pl_op *op);
    /* Asks an op that was submitted to end soon with PAIL_E_CANCELLED; it may have ended already.
     */
    void (*cancel)(struct pl_provider *p, struct pl_op *op);
    /* Adds lines "name = value  (origin)" to pail_client_explain; NULL: none. */
    void (*explain)(struct pl_provider *p, struct pl_buf *out);
    /* NULL or PAIL_E_BAD_BUCKET_NAME with the rule that it breaks; without any request. */
    pail_code (*check_bucket)(struct pl_provider *p, const char *name, struct pail_error **err);
    /* No op is under way any more. After a fork (see pl_fork_count): frees memory, touches nothing
     * else. */
    void (*free)(struct pl_provider *p);
    /* Abilities of single stores; NULL where they make no sense. */
    pail_code (*fsck)(struct pl_provider *p, bool repair, pail_fsck_fn each, void *ctx,
                      pail_fsck_report *report, struct pail_error **err);
    pail_code (*backup)(struct pl_provider *p, const char *folder, struct pail_error **err);
};
struct pl_provider {
    const struct pl_provider_ops *ops;
};

/* What a provider is made from; borrowed as long as it lives. */
struct pl_provider_env {
    struct pl_settings *settings; /* a provider may add defaults of its own, with their origin */
    struct pl_log *log;
    pail_event_fn event;
    void *event_ctx;
    bool ignore_environment;
    const char *path; /* "file:": the folder; else NULL */
};

/* S3's rules for names, which the stores of our own share: 3 to 63 of a-z 0-9 . - and so on. */
pail_code pl_bucket_name_check(const char *name, struct pail_error **err);
/* 1 to 1,024 bytes of valid UTF-8. */
pail_code pl_key_check(const char *key, struct pail_error **err);

/* The constructors that registry.c knows. */
pail_code pl_memory_new(const struct pl_provider_env *env, struct pl_provider **out,
                        struct pail_error **err);
pail_code pl_file_new(const struct pl_provider_env *env, struct pl_provider **out,
                      struct pail_error **err);
pail_code pl_gcs_new(const struct pl_provider_env *env, struct pl_provider **out,
                     struct pail_error **err);
pail_code pl_s3_new(const struct pl_provider_env *env, struct pl_provider **out,
                    struct pail_error **err);
pail_code pl_swift_new(const struct pl_provider_env *env, struct pl_provider **out,
                       struct pail_error **err);
pail_code pl_azure_new(const struct pl_provider_env *env, struct pl_provider **out,
                       struct pail_error **err);

#endif
