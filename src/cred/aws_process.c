/* Keys from a helper program. Source: AWS SDKs and Tools Reference Guide "Process credential
 * provider". */
#include "codec/json.h"
#include "cred/aws_walk.h"

void pl_aws_process_work(struct pl_errand *e)
{
    struct pl_aws_walk *w = (struct pl_aws_walk *)e;
    pl_command_run(w->plan.process, &w->command);
}

static enum pl_errand_step fail(struct pl_aws_walk *w, struct pail_error **err)
{
    struct pl_buf who = PL_BUF_MAX(4096);
    pl_buf_printf(&who, "%s line %u: the credential_process", w->plan.at->file, w->plan.at->line);
    pl_command_fail(&w->command, who.ptr ? who.ptr : "the credential_process", err);
    pl_buf_dispose(&who);
    return PL_ERRAND_FAIL;
}

enum pl_errand_step pl_aws_process(struct pl_aws_walk *w, const struct pl_http_response *answer,
                                   struct pl_http_request *out, struct pail_error **err)
{
    json_t *root = NULL;
    uint64_t version = 0;
    (void)answer;
    (void)out;
    if (w->at == 0) {
        w->at = 1;
        return PL_ERRAND_WORK;
    }
    if (w->command.status != 0) {
        return fail(w, err);
    }
    pail_code rc = pl_json_parse(pl_buf_view(&w->command.output), "its output", &root, err);
    if (!rc && (!pl_json_u64(root, "Version", &version) || version != 1)) {
        rc = pl_fail(err, PAIL_E_NO_CREDENTIALS, "it wrote no \"Version\": 1");
    }
    pl_json_free_secret(root);
    rc = rc ? rc : pl_aws_take_json(w, pl_buf_view(&w->command.output), "SessionToken", err);
    pl_aws_wipe(&w->command.output);
    return rc ? PL_ERRAND_FAIL : PL_ERRAND_DONE;
}
