/* pail presign: a URL with which anyone may read or write one object for a while. */
#include "fail.h"
#include "json.h"
#include "out.h"
#include "serve.h"
#include "target.h"

#include <string.h>

static struct {
    const char *method, *content_type, *version;
    const char *type, *disposition;
    uint64_t expires_s;
    bool serve;
} opt = {.expires_s = 3600};

static void show(const pail_presigned *signed_url, const char *method)
{
    if (app.json) {
        json_begin("presigned");
        json_text("url", signed_url->url);
        json_text("method", method);
        json_time("expires", signed_url->expires_ms);
        json_pairs("headers", signed_url->headers, signed_url->header_count);
        json_end();
        return;
    }
    out_printf("%s\n", signed_url->url);
    for (size_t i = 0; i < signed_url->header_count; i++) {
        out_printf("%s: %s\n", signed_url->headers[i].name, signed_url->headers[i].value);
    }
}

static int presign(struct target *target, const char *method)
{
    pail_presigned *signed_url = NULL;
    pail_error *err = NULL;
    pail_presign_opts opts = {.size = sizeof opts,
                              .call = cli_call(),
                              .method = method,
                              .expires_s = (uint32_t)opt.expires_s,
                              .version = opt.version,
                              .content_type = opt.content_type,
                              .response_content_type = opt.type,
                              .response_content_disposition = opt.disposition};
    int status = 0;
    if (pail_presign(target->bucket, target->key, &opts, &signed_url, &err) != PAIL_OK) {
        status = fail_error(target->text, err);
    } else {
        show(signed_url, method);
    }
    pail_presigned_free(signed_url);
    pail_error_free(err);
    return status;
}

/* Answers the URL from here, until it expires or an interrupt comes. */
static int presign_and_serve(struct target *target, const char *method)
{
    pail_server *server = NULL;
    pail_error *err = NULL;
    int status = 0;
    if (pail_server_start(target->client, NULL, &server, &err) != PAIL_OK) {
        status = fail_error(target->text, err);
    } else {
        status = presign(target, method);
        if (status == 0 && out_flush()) {
            serve_wait((int64_t)opt.expires_s * 1000);
            app.interrupted = 0; /* the usual way to end it */
        }
        pail_server_stop(server, 5000);
    }
    pail_error_free(err);
    return status;
}

static int run(int argc, char **argv)
{
    (void)argc;
    const char *method = opt.method == NULL ? "GET" : opt.method;
    if (strcmp(method, "GET") != 0 && strcmp(method, "PUT") != 0 && strcmp(method, "HEAD") != 0 &&
        strcmp(method, "DELETE") != 0) {
        return fail_usage("--method: \"%s\" is not GET, HEAD, PUT or DELETE", method);
    }
    if (opt.expires_s == 0 || opt.expires_s > UINT32_MAX) {
        return fail_usage("--expires: from 1 second to 7 days");
    }
    struct target target;
    int status = target_need_object(argv[0], &target);
    status = status != 0 ? status
             : opt.serve ? presign_and_serve(&target, method)
                         : presign(&target, method);
    target_dispose(&target);
    return status;
}

static const struct opt opts[] = {
    {"method", 0, OPT_TEXT, &opt.method, "GET|HEAD|PUT|DELETE", "what the URL allows (GET)", NULL},
    {"expires", 0, OPT_SECONDS, &opt.expires_s, "TIME", "how long: 3600, 1h, 7d (3600)", NULL},
    {"content-type", 0, OPT_TEXT, &opt.content_type, "TYPE", "PUT: the type to be sent", NULL},
    {"response-content-type", 0, OPT_TEXT, &opt.type, "TYPE", "GET: what the answer says it is",
     NULL},
    {"response-content-disposition", 0, OPT_TEXT, &opt.disposition, "TEXT",
     "GET: as what it is to be saved", NULL},
    {"serve", 0, OPT_FLAG, &opt.serve, NULL, "answer the URL from here until it expires", NULL},
    {"version-id", 0, OPT_TEXT, &opt.version, "ID", "GET: that version", NULL},
};
const struct command cmd_presign = {
    .name = "presign",
    .usage = "[--method GET|HEAD|PUT|DELETE] [--expires TIME] URL",
    .summary = "make a URL that works without credentials",
    .details = "Prints the URL alone on the first line, then the headers that must be sent.\n"
               "For local:, file: and memory: a server has to answer it: `pail serve` beside, or\n"
               "--serve.",
    .opts = opts,
    .opt_count = CLI_COUNT(opts),
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
