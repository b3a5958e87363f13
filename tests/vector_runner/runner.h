/* The vector runner: files of cases, each a kind, each case compared field by field. */
#ifndef PAIL_VECTOR_RUNNER_H
#define PAIL_VECTOR_RUNNER_H

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"

struct counts {
    size_t passed, failed, skipped;
};

/* One run of the program. */
struct run {
    struct counts total, file; /* file: of the file or suite at hand */
    bool tap;
    int tap_number;
    const char *path; /* of the file or folder at hand */
    char what[512];   /* the case at hand, for messages */
    bool case_failed, case_skipped;
    const char *reason; /* why cases were skipped */
};

struct kind {
    const char *name;   /* the beginning of file names */
    const char *fields; /* of `input`, by which a file without a known name is told; may be NULL */
    const char *list;   /* the member that holds the cases; NULL: "cases" */
    bool is_folder;     /* a folder of folders, one a case */
    void (*run_case)(struct run *run, const json_t *one); /* NULL: skipped */
    void (*run_folder)(struct run *run, const char *path);
    const char *skip; /* why it is skipped */
};
extern const struct kind kinds[];
extern const size_t kind_count;

/* Reports a difference under the name of a field. Returns whether they were the same. */
bool same(struct run *run, const char *field, struct pl_str got, struct pl_str expected);
bool same_c(struct run *run, const char *field, const char *got, const char *expected);
/* Fails the case at hand. */
void broken(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Skips it. */
void skip_case(struct run *run, const char *reason);
/* Counts the case at hand. */
void end_case(struct run *run);

/* A text member; "" where it is null or missing. */
struct pl_str member(const json_t *object, const char *name);
const char *member_c(const json_t *object, const char *name);
/* Decodes base64 or gives up on the case. */
struct pl_buf decoded(struct run *run, struct pl_str base64);
char *read_text(const char *path, size_t *len); /* NULL: cannot; pl_free */

void run_checksums(struct run *run, const json_t *one);
void run_sigv4_header_raw(struct run *run, const json_t *one);
void run_sigv4_suite(struct run *run, const char *folder);
void run_s3_presigned_post(struct run *run, const json_t *one);
void run_s3_presign_url(struct run *run, const json_t *one);
void run_s3_client_requests(struct run *run, const json_t *one);
/* Part of the above; does nothing in a build without S3. */
void check_built_request(struct run *run, const json_t *one);
void run_s3_endpoint(struct run *run, const json_t *one);
void run_streaming_chunked(struct run *run, const json_t *one);
void run_unsigned_trailer(struct run *run, const json_t *one);
void run_swift_tempurl(struct run *run, const json_t *one);
void run_keystone_v3_auth(struct run *run, const json_t *one);
void run_azure_shared_key(struct run *run, const json_t *one);
void run_azure_sas(struct run *run, const json_t *one);
void run_azure_user_delegation_sas(struct run *run, const json_t *one);
void run_azure_header_sort(struct run *run, const json_t *one);
void run_profile_parser(struct run *run, const json_t *one);
void run_assume_role(struct run *run, const json_t *one);
void run_ecs(struct run *run, const json_t *one);
void run_aws_chain(struct run *run, const char *folder);
void run_file_location(struct run *run, const json_t *one);
void run_gcs_v4_signed_url(struct run *run, const json_t *one);
void run_gcs_goog4_hmac(struct run *run, const json_t *one);
void run_gcs_conformance(struct run *run, const json_t *one);
void run_gcp_jwt(struct run *run, const json_t *one);

#endif
