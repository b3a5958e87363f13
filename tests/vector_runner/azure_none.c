/* In place of azure.c, in a build without Azure. */
#include "runner.h"

static void skip(struct run *run, const json_t *one)
{
    (void)one;
    skip_case(run, "this build has no Azure");
}

void run_azure_shared_key(struct run *run, const json_t *one)
{
    skip(run, one);
}

void run_azure_sas(struct run *run, const json_t *one)
{
    skip(run, one);
}

void run_azure_user_delegation_sas(struct run *run, const json_t *one)
{
    skip(run, one);
}

void run_azure_header_sort(struct run *run, const json_t *one)
{
    skip(run, one);
}
