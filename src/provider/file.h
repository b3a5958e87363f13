/* "file:///dir": objects are the plain files of a tree. `dir` is the account, its direct subfolders
 * are the buckets. What the files of this provider share.
 *
 * Every name is looked up one segment at a time from an open folder, so that no symbolic link in
 * the tree is ever followed. */
#ifndef PL_PROVIDER_FILE_H
#define PL_PROVIDER_FILE_H

#include "base/sys.h"
#include "provider/provider.h"

/* Names that begin so are ours: temporary files and unfinished uploads. */
#define PL_FILE_OURS    ".pail-"
#define PL_FILE_UPLOADS ".pail-uploads"
enum {
    PL_FILE_SEGMENT_MAX = 255,
    PL_FILE_KEY_MAX = 1024,
    PL_FILE_PAGE_MAX = 10000, /* entries of a listing: each page reads its folders anew */
    PL_FILE_PARTS_MAX = 10000,
    PL_FILE_STEP = 1 << 20, /* bytes moved at once */
};

struct pl_file {
    struct pl_provider base;
    unsigned forks;
    char *root;
    bool has_attributes; /* the file system of the root keeps extended attributes */
};

/* ---- file_tree.c: names, folders, errors ---- */

/* NULL or the rule that one segment of a key breaks. */
const char *pl_file_segment_rule(struct pl_str segment);
pail_code pl_file_key_check(const char *key, struct pail_error **err);
/* As pl_fail_errno, "WHAT "NAME": REASON"; knows the codes of files. */
pail_code pl_file_fail(struct pail_error **err, int number, const char *what, const char *name);
/* The folder of the account; pl_file_close. */
pail_code pl_file_root(const struct pl_file *f, int *fd, struct pail_error **err);
/* Errors: PAIL_E_BUCKET_NOT_FOUND; a link is none. */
pail_code pl_file_bucket(const struct pl_file *f, const char *bucket, int *fd,
                         struct pail_error **err);
/* A folder in a folder, not a link; -1 with errno. */
int pl_file_folder(int parent, const char *name);
/* Keeps errno; -1 is fine. */
void pl_file_close(int fd);
/* Where the last segment of a key is, or would be. */
struct pl_file_place {
    int folder;
    const char *name; /* in the key */
};
/* Errors: PAIL_E_NOT_FOUND where a folder on the way is missing; *out is then {-1}. */
pail_code pl_file_find(int bucket, const char *key, struct pl_file_place *out,
                       struct pail_error **err);
/* Makes the folders that are missing. Errors: PAIL_E_BAD_KEY where something else stands in the
 * way; PAIL_E_NOT_FOUND: another deleted a folder meanwhile, or the bucket. */
pail_code pl_file_make(int bucket, const char *key, struct pl_file_place *out,
                       struct pail_error **err);
/* Removes the folders above a key as far as they are empty, never the bucket. */
void pl_file_prune(int bucket, const char *key);
/* Opens the object at a place. Errors: PAIL_E_NOT_FOUND, also for what is no plain file. */
pail_code pl_file_open(const struct pl_file_place *at, int *fd, struct stat *st,
                       struct pail_error **err);
/* Removes what holds no file but folders. Errors: PAIL_E_BUCKET_NOT_EMPTY naming an entry. */
pail_code pl_file_clear(int folder, struct pail_error **err);

/* ---- file_attrs.c: what is known of a file ---- */

enum { PL_FILE_ETAG = 3 * 16 + 3 };
/* Inode, size and time of change in nanoseconds. Returns out. */
const char *pl_file_etag(char out[PL_FILE_ETAG], const struct stat *st);
/* Size, times, ETag and version; key stays as it is. */
void pl_file_info_of(struct pl_arena *a, pail_info *info, const struct stat *st);
/* All that the open file tells of itself; info->key = key. */
pail_code pl_file_info(int fd, const char *key, struct pl_arena *a, pail_info *info,
                       struct pail_error **err);
/* Errors: PAIL_E_UNSUPPORTED for what a file cannot have, here or on this file system. */
pail_code pl_file_attributes_set(int fd, const char *key, const pail_attributes *attr,
                                 struct pail_error **err);
pail_code pl_file_tags_set(int fd, const char *key, const pail_kv *tags, size_t count,
                           struct pail_error **err);

/* ---- file_draft.c: an object in the making ---- */

/* A temporary file beside where it will be. Zero-initialize with PL_FILE_DRAFT. */
struct pl_file_draft {
    const char *key;
    int bucket, fd;
    struct pl_file_place place;
    char name[32];
};
#define PL_FILE_DRAFT ((struct pl_file_draft){.bucket = -1, .fd = -1, .place = {-1, NULL}})

/* Opens one for op->bucket and op->key. Errors: PAIL_E_EXISTS early, PAIL_E_BAD_KEY. */
pail_code pl_file_draft_open(const struct pl_file *f, struct pl_op *op, struct pl_file_draft *d);
/* Sets the attributes and makes it the object of its key in one step; fills op->out.info. */
pail_code pl_file_draft_commit(struct pl_op *op, struct pl_file_draft *d,
                               const pail_attributes *attr);
/* Ends a draft; one that was not committed leaves nothing. */
void pl_file_draft_close(struct pl_file_draft *d);
/* A new temporary file in a folder; fills name. -1 with errno. */
int pl_file_temp(int folder, char name[32], mode_t mode);
/* Moves all bytes of `from` to `to`, a step at a time; the names are for messages. Errors:
 * PAIL_E_CHANGED where `from` ends early, PAIL_E_TIMEOUT, PAIL_E_NO_SPACE. */
pail_code pl_file_pour(struct pl_op *op, struct pl_body *from, const char *from_name,
                       struct pl_body *to, const char *to_name);
/* A write's conditions: create-only is all that files can do. */
pail_code pl_file_write_conditions(struct pl_op *op);

/* ---- file_object.c, file_list.c, file_upload.c: the operations ---- */

/* The object that a copy reads, open, with its conditions checked; info in op->arena. */
pail_code pl_file_copy_source(const struct pl_file *f, struct pl_op *op, int *fd, pail_info *info);
/* PAIL_E_CHANGED where the open file is not what `info` says any more. */
pail_code pl_file_unchanged(int fd, const pail_info *info, struct pail_error **err);

pail_code pl_file_stat(const struct pl_file *f, struct pl_op *op);
pail_code pl_file_get(const struct pl_file *f, struct pl_op *op);
pail_code pl_file_put(const struct pl_file *f, struct pl_op *op);
pail_code pl_file_copy(const struct pl_file *f, struct pl_op *op);
pail_code pl_file_delete(const struct pl_file *f, struct pl_op *op);
pail_code pl_file_delete_many(const struct pl_file *f, struct pl_op *op);
pail_code pl_file_tags(const struct pl_file *f, struct pl_op *op);

pail_code pl_file_list(const struct pl_file *f, struct pl_op *op);
pail_code pl_file_list_uploads(const struct pl_file *f, struct pl_op *op);
pail_code pl_file_list_buckets(const struct pl_file *f, struct pl_op *op);

pail_code pl_file_begin(const struct pl_file *f, struct pl_op *op);
pail_code pl_file_part(const struct pl_file *f, struct pl_op *op);
pail_code pl_file_copy_part(const struct pl_file *f, struct pl_op *op);
pail_code pl_file_finish(const struct pl_file *f, struct pl_op *op);
pail_code pl_file_abort(const struct pl_file *f, struct pl_op *op);
/* Reads what an upload in the folder of uploads is for; false: it is none. */
bool pl_file_upload_read(int uploads, const char *id, char key[PL_FILE_KEY_MAX + 1],
                         int64_t *begun_ms);

#endif
