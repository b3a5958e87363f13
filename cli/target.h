/* What an argument names: a local path, standard input or output, or something in a store. */
#ifndef PAIL_CLI_TARGET_H
#define PAIL_CLI_TARGET_H

#include "cli.h"

enum target_kind {
    TARGET_STDIO,
    TARGET_PATH,
    TARGET_ACCOUNT, /* a URL without a bucket */
    TARGET_BUCKET,  /* a URL with a bucket; its key may be empty */
};
enum side { SIDE_NONE, SIDE_SRC, SIDE_DST }; /* which of --src and --dst also count */

struct target {
    enum target_kind kind;
    enum side side;
    char *text;                    /* as given, without settings: they may hold secrets */
    char *path;                    /* TARGET_PATH */
    char *account;                 /* one allocation with the next two */
    const char *bucket_name, *key; /* key: "" where the URL has none */
    pail_client *client;           /* borrowed from the program's table */
    pail_bucket *bucket;
};

/* Returns 0, or an exit status after a message. No network. Free with target_dispose. */
int target_parse(const char *text, enum side side, struct target *out);
void target_dispose(struct target *target);

/* Opens the client, or the client and the bucket's handle. Returns 0 or an exit status. */
int target_client(struct target *target);
/* Both as far as the target names them; the error is the caller's to tell. */
pail_code target_open(struct target *target, pail_error **err);
int target_bucket(struct target *target);

/* Parses and opens: an account; a bucket without a key; a bucket with any key; one with a key that
 * is not empty. Anything else is a usage error. Returns 0 or an exit status. */
int target_need_account(const char *text, struct target *out);
int target_need_bucket(const char *text, struct target *out);
int target_need_prefix(const char *text, struct target *out);
int target_need_object(const char *text, struct target *out);

/* "s3://BUCKET/KEY" of a key in the target's bucket, without settings. Yours, mem_free. */
char *target_url(const struct target *target, const char *key);
bool target_same_bucket(const struct target *a, const struct target *b);

/* A client of that URL with the settings of the flags, the caller's own: pail_close. */
pail_code target_open_url(const char *url, pail_client **out, pail_error **err);

/* Tells each attempt of each request to `event`, for clients opened from now on. */
void target_watch(pail_event_fn event, void *ctx);

/* Closes every client. */
void target_close_clients(void);

#endif
