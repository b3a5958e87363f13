/* A build without Cloud Storage. */
#include "runner.h"

static void none(struct run *run)
{
    skip_case(run, "this build has no Google Cloud Storage");
}

void run_gcs_v4_signed_url(struct run *run, const json_t *one)
{
    (void)one;
    none(run);
}

void run_gcs_goog4_hmac(struct run *run, const json_t *one)
{
    (void)one;
    none(run);
}

void run_gcs_conformance(struct run *run, const json_t *one)
{
    (void)one;
    none(run);
}

void run_gcp_jwt(struct run *run, const json_t *one)
{
    (void)one;
    none(run);
}
