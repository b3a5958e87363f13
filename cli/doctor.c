/* pail doctor: what stands between this machine and a store, one line for each thing. */
#include "explain.h"
#include "fail.h"
#include "json.h"
#include "mem.h"
#include "out.h"
#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SKEW_WARN_S 60
#define SKEW_FAIL_S (15 * 60) /* AWS refuses signatures that are further off than this */

enum verdict { OK, WARN, FAIL };

struct doctor {
    struct target target;
    char *explained;
    /* of the last attempt that got an answer, and of any */
    bool answered, tls;
    int64_t skew_ms;
    bool has_skew;
    char *endpoint;
    int attempts;
    int status;
};

static void line(struct doctor *doctor, enum verdict verdict, const char *topic, const char *text,
                 const char *hint)
{
    static const char *const words[] = {"ok", "warn", "fail"};
    if (verdict == FAIL && doctor->status == 0) {
        doctor->status = 1;
    }
    if (app.json) {
        json_begin("check");
        json_text("check", topic);
        json_text("result", words[verdict]);
        json_text("text", text);
        json_text("hint", hint);
        json_end();
        return;
    }
    out_printf("%-4s  %-11s ", words[verdict], topic);
    out_name(text);
    out_text("\n");
    if (hint != NULL) {
        out_text("      hint: ");
        out_name(hint);
        out_text("\n");
    }
}

static void watch(const pail_event *event, void *ctx)
{
    struct doctor *doctor = ctx;
    doctor->attempts++;
    doctor->tls = doctor->tls || event->tls_us > 0;
    doctor->answered = doctor->answered || event->http_status > 0;
    if (event->endpoint != NULL) {
        mem_free(doctor->endpoint);
        doctor->endpoint = mem_text(event->endpoint);
    }
    if (event->server_time_ms >= 0) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        doctor->skew_ms = (int64_t)now.tv_sec * 1000 - event->server_time_ms;
        doctor->has_skew = true;
    }
}

/* "value  (origin)" of a setting, or NULL. Yours, mem_free. */
static char *setting(const struct doctor *doctor, const char *name)
{
    struct explained found;
    if (!explain_find(doctor->explained, name, &found)) {
        return NULL;
    }
    char *text = mem_printf("%s  (%s)", found.value, found.origin);
    mem_free(found.name);
    return text;
}

/* By scheme: the flag that wants none, what may hold them in the order they count, what to try. */
static const struct {
    const char *scheme, *none;
    const char *names[8];
    const char *hint;
} credentials[] = {
    {"s3",
     "aws_skip_signature",
     {"aws_access_key_id"},
     "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, use --profile, or --no-sign-request for a "
     "public bucket"},
    {"az",
     "azure_skip_signature",
     {"azure_storage_connection_string", "azure_storage_sas_token", "azure_storage_account_key",
      "azure_storage_token"},
     "set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME with a key, a SAS or a "
     "token"},
    {"gs",
     "google_skip_signature",
     {"google_token", "google_service_account_key", "google_service_account",
      "google_application_credentials", "google_hmac_access_id"},
     "set GOOGLE_APPLICATION_CREDENTIALS to a credentials file"},
    {"swift",
     NULL,
     {"os_application_credential_id", "os_username", "os_user_id", "os_auth_token_file",
      "os_auth_token_command", "os_auth_token", "os_cloud", "st_user"},
     "set OS_AUTH_URL with OS_USERNAME and OS_PASSWORD, or OS_STORAGE_URL with OS_AUTH_TOKEN"},
};

/* What is written; where nothing is, the service's own ways (roles, metadata servers) are asked. */
static void check_credentials(struct doctor *doctor, const char *scheme)
{
    for (size_t i = 0; i < CLI_COUNT(credentials); i++) {
        if (strcmp(credentials[i].scheme, scheme) != 0) {
            continue;
        }
        char *none = credentials[i].none ? setting(doctor, credentials[i].none) : NULL,
             *found = NULL;
        const char *name = NULL;
        for (int j = 0; found == NULL && j < 8 && credentials[i].names[j] != NULL; j++) {
            name = credentials[i].names[j];
            found = setting(doctor, name);
        }
        char *text = mem_printf("%s = %s", name, found != NULL ? found : "");
        bool unwanted = none != NULL && strncmp(none, "true", 4) == 0;
        line(doctor, unwanted || found != NULL ? OK : WARN, "credentials",
             unwanted        ? "none wanted: requests are not signed"
             : found != NULL ? text
                             : "none in settings, environment or files",
             unwanted || found != NULL ? NULL : credentials[i].hint);
        mem_free(text);
        mem_free(found);
        mem_free(none);
    }
}

static void check_place(struct doctor *doctor)
{
    char *region = setting(doctor, "aws_region"), *endpoint = setting(doctor, "aws_endpoint_url");
    bool known = region != NULL || endpoint != NULL;
    line(doctor, known ? OK : WARN, "region", region != NULL ? region : "not set",
         known ? NULL : "use --region or AWS_REGION; the service tells the right one otherwise");
    line(doctor, OK, "endpoint", endpoint != NULL ? endpoint : "Amazon S3", NULL);
    mem_free(region);
    mem_free(endpoint);
}

static void check_addressing(struct doctor *doctor)
{
    const char *bucket = doctor->target.bucket_name, *host = doctor->endpoint;
    char *style = setting(doctor, "s3_style");
    if (bucket != NULL && host != NULL) {
        const char *slashes = strstr(host, "://");
        host = slashes != NULL ? slashes + 3 : host;
        size_t n = strlen(bucket);
        bool virtual_host = strncmp(host, bucket, n) == 0 && host[n] == '.';
        line(doctor, OK, "addressing",
             virtual_host ? "the bucket in the host name" : "the bucket in the path", NULL);
    } else if (style != NULL) {
        line(doctor, OK, "addressing", style, NULL);
    }
    mem_free(style);
}

static bool is_this_machine(const char *http_url)
{
    const char *host = http_url + strlen("http://");
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "localhost", 9) == 0 ||
           strncmp(host, "[::1]", 5) == 0;
}

static void check_tls(struct doctor *doctor, pail_code code)
{
    const char *endpoint = doctor->endpoint;
    if (code == PAIL_E_TLS) {
        line(doctor, FAIL, "tls", "the certificate was not accepted",
             "use --ca-bundle FILE for a server with its own authority");
    } else if (endpoint != NULL && strncmp(endpoint, "http://", 7) == 0) {
        if (is_this_machine(endpoint)) {
            line(doctor, OK, "tls", "none, on this machine", NULL);
            return;
        }
        line(doctor, WARN, "tls", "plain http: anyone on the way can read along",
             "use an https:// endpoint outside this machine");
    } else if (doctor->tls || doctor->answered) {
        line(doctor, OK, "tls", "certificate verified", NULL);
    }
}

static void check_clock(struct doctor *doctor)
{
    if (!doctor->has_skew) {
        return;
    }
    int64_t s = doctor->skew_ms / 1000;
    char *text =
        mem_printf("%lld s %s the server's", (long long)llabs(s), s < 0 ? "behind" : "ahead of");
    bool off = llabs(s) >= SKEW_WARN_S;
    line(doctor,
         llabs(s) >= SKEW_FAIL_S ? FAIL
         : off                   ? WARN
                                 : OK,
         "clock", off ? text : "agrees with the server's",
         off ? "set this machine's clock (NTP)" : NULL);
    mem_free(text);
}

/* One small request: the first key, or the first bucket. */
static pail_code ask(struct doctor *doctor, pail_error **err)
{
    struct target *target = &doctor->target;
    pail_iter *iter = NULL;
    const pail_info *item;
    pail_list_opts opts = {.size = sizeof opts, .call = cli_call(), .page_size = 1};
    pail_code code = target->bucket != NULL ? pail_list(target->bucket, &opts, &iter, err)
                                            : pail_bucket_list(target->client, &opts, &iter, err);
    if (code == PAIL_OK) {
        code = pail_iter_next(iter, &item, err);
    }
    pail_iter_free(iter);
    return code == PAIL_DONE ? PAIL_OK : code;
}

/* The failure, with the service's word for it; `hint` instead of the error's own. */
static void tell(struct doctor *doctor, const char *topic, const char *what, const pail_error *err,
                 const char *hint)
{
    hint = hint != NULL ? hint : pail_error_hint(err);
    char *text =
        mem_printf("%s%s%s%s%s", what, *what != '\0' ? ": " : "", pail_error_message(err),
                   *pail_error_service_code(err) != '\0' ? ", " : "", pail_error_service_code(err));
    doctor->status = exit_status(pail_error_code(err));
    line(doctor, FAIL, topic, text, *hint != '\0' ? hint : NULL);
    mem_free(text);
}

static void check_request(struct doctor *doctor, pail_code code, const pail_error *err)
{
    const char *what = doctor->target.bucket != NULL ? "listing the bucket" : "listing the buckets";
    if (code == PAIL_OK) {
        char *text = mem_printf("%s works", what);
        line(doctor, OK, "request", text, NULL);
        mem_free(text);
        return;
    }
    bool buckets = doctor->target.bucket == NULL && code == PAIL_E_FORBIDDEN;
    tell(doctor, "request", what, err,
         buckets ? "these credentials may not list buckets; try doctor with a bucket's URL" : NULL);
}

static void examine(struct doctor *doctor)
{
    const char *scheme = pail_client_scheme(doctor->target.client);
    bool s3 = strcmp(scheme, "s3") == 0;
    line(doctor, OK, "scheme", scheme, NULL);
    check_credentials(doctor, scheme);
    if (s3) {
        check_place(doctor);
    } else {
        char *home = setting(doctor, "local_home");
        if (home != NULL) {
            line(doctor, OK, "home", home, NULL);
        }
        mem_free(home);
    }
    pail_error *err = NULL;
    pail_code code = ask(doctor, &err);
    if (s3) {
        check_addressing(doctor);
    } else if (doctor->endpoint != NULL) {
        line(doctor, OK, "endpoint", doctor->endpoint, NULL);
    }
    check_tls(doctor, code);
    check_clock(doctor);
    check_request(doctor, code, err);
    pail_error_free(err);
}

/* What opening reads (settings, files, names) is a thing to check like any other. */
static void open_and_examine(struct doctor *doctor)
{
    struct target *target = &doctor->target;
    pail_error *err = NULL;
    pail_code code = target_open(target, &err);
    if (code != PAIL_OK) {
        tell(doctor, target->client == NULL ? "settings" : "bucket", "", err, NULL);
    }
    if (target->client != NULL) {
        pail_error_free(err);
        err = NULL;
        pail_code explained = pail_client_explain(target->client, &doctor->explained, &err);
        if (explained != PAIL_OK) {
            tell(doctor, "settings", "", err, NULL);
        } else if (code == PAIL_OK) {
            examine(doctor);
        }
    }
    pail_error_free(err);
}

static int run(int argc, char **argv)
{
    struct doctor doctor = {0};
    target_watch(watch, &doctor);
    int status = target_parse(argc > 0 ? argv[0] : "local:", SIDE_NONE, &doctor.target);
    if (status == 0 && doctor.target.account == NULL) {
        status = fail_with(PAIL_E_BAD_ARGUMENT, doctor.target.text, "this is a local path",
                           "use local: or s3://BUCKET");
    } else if (status == 0) {
        open_and_examine(&doctor);
        status = doctor.status;
    }
    pail_free(doctor.explained);
    mem_free(doctor.endpoint);
    target_dispose(&doctor.target);
    target_close_clients(); /* they hold a pointer to `doctor` */
    return status;
}

const struct command cmd_doctor = {
    .name = "doctor",
    .usage = "[URL]",
    .summary = "check settings, credentials and connection",
    .details = "Each line is ok, warn or fail; the exit status is 0 when nothing failed.",
    .max_args = 1,
    .run = run,
};
