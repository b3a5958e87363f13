#include "runner.h"

#define AZURE "Azure is not supported yet"

/* The longest name that begins a file's or folder's name is its kind; without one, the first whose
 * fields are all in `input`. */
const struct kind kinds[] = {
    {.name = "checksums", .fields = "part_lengths length", .run_case = run_checksums},
    {.name = "sigv4_header_raw",
     .fields = "access_key service url path_rule",
     .run_case = run_sigv4_header_raw},
    {.name = "s3_presign_url",
     .fields = "access_key operation params expires",
     .run_case = run_s3_presign_url},
    {.name = "s3_client_requests",
     .fields = "access_key operation url headers payload_hash",
     .run_case = run_s3_client_requests},
    {.name = "sigv4_streaming_chunked",
     .fields = "access_key chunk_size decoded_length",
     .run_case = run_streaming_chunked},
    {.name = "aws_chunked_unsigned_trailer",
     .fields = "body_base64 chunk_size trailer",
     .run_case = run_unsigned_trailer},
    {.name = "s3_presigned_post",
     .fields = "access_key bucket key time endpoint",
     .skip = "forms for posting come with the gateway"},
    {.name = "v4", .is_folder = true, .run_folder = run_sigv4_suite},
    {.name = "v4a", .is_folder = true, .skip = "SigV4A is not supported"},

    {.name = "profile-parser-tests", .list = "tests", .run_case = run_profile_parser},
    {.name = "file-location-tests", .list = "tests", .run_case = run_file_location},
    {.name = "assume-role-tests", .list = "tests", .run_case = run_assume_role},
    {.name = "ecs-tests", .list = "tests", .run_case = run_ecs},
    {.name = "default-chain", .is_folder = true, .run_folder = run_aws_chain},
    {.name = "profile-provider", .is_folder = true, .run_folder = run_aws_chain},
    {.name = "endpoint-tests", .list = "testCases", .run_case = run_s3_endpoint},

    {.name = "azure_account_sas", .fields = "account_key resource_types", .skip = AZURE},
    {.name = "azure_user_delegation_sas", .fields = "user_delegation_key", .skip = AZURE},
    {.name = "azure_shared_key", .fields = "account_key url headers", .skip = AZURE},
    {.name = "azure_service_sas", .fields = "account_key container", .skip = AZURE},
    {.name = "azure_header_sort", .skip = AZURE},
    {.name = "azure", .skip = AZURE},
    {.name = "gcs_v4_signed_url",
     .fields = "bucket object style",
     .run_case = run_gcs_v4_signed_url},
    {.name = "gcs_goog4_hmac", .fields = "access_id secret", .run_case = run_gcs_goog4_hmac},
    {.name = "gcp_jwt_rs256", .fields = "payload key_id", .run_case = run_gcp_jwt},
    {.name = "v4_signatures", .list = "signingV4Tests", .run_case = run_gcs_conformance},
    {.name = "retry_tests",
     .list = "retryTests",
     .skip = "scenarios of a test bench, not of a client"},
    {.name = "test_service_account", .list = "", .skip = "a key, no cases"},
    {.name = "swift_tempurl", .fields = "account digest path", .run_case = run_swift_tempurl},
    {.name = "keystone_v3_auth", .fields = "auth_url kind", .run_case = run_keystone_v3_auth},
};
const size_t kind_count = sizeof kinds / sizeof *kinds;
