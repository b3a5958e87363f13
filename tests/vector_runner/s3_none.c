/* In place of aws_chain.c, s3_build.c and s3_endpoint.c where S3 is left out of the build. */
#include "runner.h"

void check_built_request(struct run *run, const json_t *one)
{
    (void)run, (void)one;
}

void run_s3_endpoint(struct run *run, const json_t *one)
{
    (void)one;
    skip_case(run, "built without S3");
}

void run_assume_role(struct run *run, const json_t *one)
{
    run_s3_endpoint(run, one);
}

void run_ecs(struct run *run, const json_t *one)
{
    run_s3_endpoint(run, one);
}

void run_aws_chain(struct run *run, const char *folder)
{
    (void)folder;
    skip_case(run, "built without S3");
}
