/* pail backup: copy the embedded store as it is at one moment. */
#include "fail.h"
#include "target.h"

static int run(int argc, char **argv)
{
    struct target store, folder;
    int status = target_parse(argv[argc - 1], SIDE_NONE, &folder);
    if (status == 0 && folder.kind != TARGET_PATH) {
        status = fail_with(PAIL_E_BAD_ARGUMENT, folder.text, "a backup goes into a new folder",
                           "name a local path that does not exist yet");
    }
    if (status != 0) {
        target_dispose(&folder);
        return status;
    }
    status = target_need_account(argc > 1 ? argv[0] : "local:", &store);
    if (status == 0) {
        pail_error *err = NULL;
        if (pail_backup(store.client, folder.path, &err) != PAIL_OK) {
            status = fail_error(folder.text, err);
        }
        pail_error_free(err);
    }
    target_dispose(&store);
    target_dispose(&folder);
    return status;
}

const struct command cmd_backup = {
    .name = "backup",
    .usage = "[local:] DIR",
    .summary = "copy the embedded store while it is in use",
    .details = "DIR must not exist. Use the copy with --home DIR.",
    .min_args = 1,
    .max_args = 2,
    .run = run,
};
