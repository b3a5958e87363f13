#include "target.h"

#include "fail.h"
#include "mem.h"

#include <stdio.h>
#include <string.h>

/* ---- Clients: one for each account and side */

struct opened {
    struct opened *next;
    char *account;
    enum side side;
    pail_client *client;
};
static struct opened *clients;
static struct {
    pail_event_fn event;
    void *ctx;
} watch;

void target_watch(pail_event_fn event, void *ctx)
{
    watch.event = event;
    watch.ctx = ctx;
}

static void log_line(pail_level level, const char *message, void *ctx)
{
    (void)level;
    (void)ctx;
    fail_note(NULL, message);
}

static const struct pairs *side_settings(enum side side)
{
    static const struct pairs none;
    return side == SIDE_SRC ? &app.src : side == SIDE_DST ? &app.dst : &none;
}

/* What the schemes call what the flags of every command set; one that a scheme has not is left out:
 * the flag is the other side's. */
static const struct {
    const char *flag, *schemes[2], *setting;
} flag_settings[] = {
    {"@endpoint", {"s3", "s3a"}, "aws_endpoint_url"},
    {"@endpoint", {"gs", "gcs"}, "gcs_endpoint"},
    {"@endpoint", {"az", "azure"}, "azure_endpoint"},
    {"@endpoint", {"swift"}, "os_auth_url"},
    {"@region", {"s3", "s3a"}, "aws_region"},
    {"@region", {"swift"}, "os_region_name"},
    {"@profile", {"s3", "s3a"}, "aws_profile"},
    {"@profile", {"swift"}, "os_cloud"},
    {"@anonymous", {"s3", "s3a"}, "aws_skip_signature"},
    {"@anonymous", {"gs", "gcs"}, "google_skip_signature"},
    {"@anonymous", {"az", "azure"}, "azure_skip_signature"},
};

static bool is_of(const char *account, const char *scheme)
{
    return scheme != NULL && strncmp(account, scheme, strlen(scheme)) == 0 &&
           account[strlen(scheme)] == ':';
}

/* NULL: none. */
static const char *flag_setting(const char *account, const char *flag)
{
    for (size_t i = 0; flag[0] == '@' && i < CLI_COUNT(flag_settings); i++) {
        if (strcmp(flag_settings[i].flag, flag) == 0 &&
            (is_of(account, flag_settings[i].schemes[0]) ||
             is_of(account, flag_settings[i].schemes[1]))) {
            return flag_settings[i].setting;
        }
    }
    return flag[0] == '@' ? NULL : flag;
}

static pail_code open_client(const char *account, enum side side, pail_client **out,
                             pail_error **err)
{
    const struct pairs *own = side_settings(side);
    const struct pairs *all[] = {&app.flags, &app.set, own};
    size_t count = 0;
    pail_kv *settings =
        mem_new((app.flags.count + app.set.count + own->count + 1) * sizeof *settings);
    for (size_t a = 0; a < CLI_COUNT(all); a++) {
        for (size_t i = 0; i < all[a]->count; i++) {
            const char *name = flag_setting(account, all[a]->items[i].name);
            if (name != NULL) {
                settings[count++] = (pail_kv){name, all[a]->items[i].value};
            }
        }
    }
    pail_client_opts opts = {.size = sizeof opts,
                             .settings = settings,
                             .settings_count = count,
                             .event = watch.event,
                             .event_ctx = watch.ctx};
    if (app.verbose > 0) {
        opts.log = log_line;
        opts.log_level = app.verbose > 1 ? PAIL_LOG_DEBUG : PAIL_LOG_INFO;
    }
    pail_code code = pail_open(account, &opts, out, err);
    mem_free(settings);
    return code;
}

pail_code target_open_url(const char *url, pail_client **out, pail_error **err)
{
    return open_client(url, SIDE_NONE, out, err);
}

static pail_code client_of(struct target *target, pail_error **err)
{
    enum side side = side_settings(target->side)->count > 0 ? target->side : SIDE_NONE;
    for (struct opened *o = clients; o != NULL; o = o->next) {
        if (o->side == side && strcmp(o->account, target->account) == 0) {
            target->client = o->client;
            return PAIL_OK;
        }
    }
    pail_code code = open_client(target->account, side, &target->client, err);
    if (code == PAIL_OK) {
        struct opened *opened = mem_new(sizeof *opened);
        *opened = (struct opened){clients, mem_text(target->account), side, target->client};
        clients = opened;
    }
    return code;
}

pail_code target_open(struct target *target, pail_error **err)
{
    pail_code code = client_of(target, err);
    return code || target->bucket_name == NULL
               ? code
               : pail_bucket_open(target->client, target->bucket_name, &target->bucket, err);
}

static int told(const struct target *target, pail_code code, pail_error *err)
{
    int status = code == PAIL_OK ? 0 : fail_error(target->text, err);
    pail_error_free(err);
    return status;
}

int target_client(struct target *target)
{
    pail_error *err = NULL;
    pail_code code = client_of(target, &err);
    return told(target, code, err);
}

int target_bucket(struct target *target)
{
    pail_error *err = NULL;
    pail_code code = target_open(target, &err);
    return told(target, code, err);
}

void target_close_clients(void)
{
    while (clients != NULL) {
        struct opened *next = clients->next;
        pail_close(clients->client);
        mem_free(clients->account);
        mem_free(clients);
        clients = next;
    }
}

/* ---- Arguments */

/* Whether the text begins with a scheme and ':' (RFC 3986 section 3.1), before any '/'. */
static bool has_scheme(const char *text)
{
    if (!((text[0] | 0x20) >= 'a' && (text[0] | 0x20) <= 'z')) {
        return false;
    }
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    return text[n] == ':';
}

/* The argument without the query of settings, which stands before any '/' of a key. */
static char *without_settings(const char *text)
{
    char *shown = mem_text(text);
    if (has_scheme(text)) {
        char *authority = strchr(shown, ':') + 1;
        authority += strspn(authority, "/");
        char *query = authority + strcspn(authority, "/?");
        if (*query == '?') {
            *query = '\0';
        }
    }
    return shown;
}

static int parse_file_url(const char *text, struct target *out)
{
    const char *path = text + strlen("file:");
    if (strncmp(path, "///", 3) == 0) {
        path += 2;
    }
    if (path[0] != '/' || path[1] == '/') {
        return fail_with(PAIL_E_BAD_CONFIG, text, "a file URL needs an absolute path",
                         "write file:///DIR/FILE, or just the path");
    }
    out->kind = TARGET_PATH;
    out->path = mem_text(path);
    return 0;
}

static int parse_url(const char *text, struct target *out)
{
    pail_error *err = NULL;
    char *bucket = NULL, *key = NULL;
    if (pail_split_url(text, &out->account, &bucket, &key, &err) != PAIL_OK) {
        int status = fail_error(out->text, err);
        pail_error_free(err);
        return status;
    }
    out->kind = bucket != NULL ? TARGET_BUCKET : TARGET_ACCOUNT;
    out->bucket_name = bucket;
    out->key = key != NULL ? key : "";
    return 0;
}

int target_parse(const char *text, enum side side, struct target *out)
{
    *out = (struct target){.side = side, .text = without_settings(text), .key = ""};
    if (*text == '\0') {
        return fail_usage("an empty argument names nothing");
    }
    if (strcmp(text, "-") == 0) {
        out->kind = TARGET_STDIO;
        return 0;
    }
    if (strncmp(text, "file:", 5) == 0) {
        return parse_file_url(text, out);
    }
    if (has_scheme(text)) {
        return parse_url(text, out);
    }
    out->kind = TARGET_PATH;
    out->path = mem_text(text);
    return 0;
}

void target_dispose(struct target *target)
{
    pail_bucket_close(target->bucket);
    pail_free(target->account);
    mem_free(target->path);
    mem_free(target->text);
    *target = (struct target){.kind = target->kind};
}

/* ---- What commands ask for */

static int refuse_path(const struct target *target)
{
    char *hint = mem_printf("a bucket is written local:%s or s3://%s", target->text, target->text);
    const char *plain = "use local:BUCKET/KEY or s3://BUCKET/KEY";
    int status =
        fail_with(PAIL_E_BAD_ARGUMENT, target->text,
                  target->kind == TARGET_PATH ? "this is a local path, not a store"
                                              : "standard input is not a store",
                  target->kind == TARGET_PATH && strchr(target->text, '/') == NULL ? hint : plain);
    mem_free(hint);
    return status;
}

static int parse_store(const char *text, struct target *out)
{
    int status = target_parse(text, SIDE_NONE, out);
    if (status == 0 && (out->kind == TARGET_PATH || out->kind == TARGET_STDIO)) {
        status = refuse_path(out);
    }
    return status;
}

int target_need_account(const char *text, struct target *out)
{
    int status = parse_store(text, out);
    if (status == 0 && out->kind != TARGET_ACCOUNT) {
        status = fail_with(PAIL_E_BAD_ARGUMENT, out->text, "names a bucket, but a store is wanted",
                           "write local: or s3://");
    }
    return status != 0 ? status : target_client(out);
}

int target_need_prefix(const char *text, struct target *out)
{
    int status = parse_store(text, out);
    if (status == 0 && out->kind == TARGET_ACCOUNT) {
        char *hint = mem_printf("write %sBUCKET", out->text);
        status = fail_with(PAIL_E_BAD_ARGUMENT, out->text, "names no bucket", hint);
        mem_free(hint);
    }
    return status != 0 ? status : target_bucket(out);
}

int target_need_bucket(const char *text, struct target *out)
{
    int status = target_need_prefix(text, out);
    if (status == 0 && *out->key != '\0') {
        status = fail_with(PAIL_E_BAD_ARGUMENT, out->text,
                           "names an object, but a bucket is wanted", NULL);
    }
    return status;
}

int target_need_object(const char *text, struct target *out)
{
    int status = target_need_prefix(text, out);
    if (status == 0 && *out->key == '\0') {
        status =
            fail_with(PAIL_E_BAD_ARGUMENT, out->text, "names a bucket, but an object is wanted",
                      "write the key behind BUCKET/");
    }
    return status;
}

/* ---- Names */

/* The argument's text up to its bucket, as the user likes to write it. */
static int scheme_length(const struct target *target)
{
    const char *behind = strchr(target->text, ':') + 1;
    return (int)(behind + strspn(behind, "/") - target->text);
}

char *target_url(const struct target *target, const char *key)
{
    return mem_printf("%.*s%s/%s", scheme_length(target), target->text, target->bucket_name, key);
}

bool target_same_bucket(const struct target *a, const struct target *b)
{
    return a->kind == TARGET_BUCKET && b->kind == TARGET_BUCKET && a->client == b->client &&
           strcmp(a->bucket_name, b->bucket_name) == 0;
}
