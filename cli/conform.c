/* pail conform: what a store really does, tried in a scratch bucket or below a scratch prefix. */
#include "behaviour.h"
#include "explain.h"
#include "fail.h"
#include "json.h"
#include "mem.h"
#include "out.h"
#include "target.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const words[] = {"native", "emulated", "none", "WRONG"};

static const char *format;
static const struct opt opts[] = {
    {"format", 0, OPT_TEXT, &format, "FORM", "text, or json: all that was found as one object",
     NULL},
};

static bool as_record(void)
{
    return format != NULL && strcmp(format, "json") == 0;
}

static void show(const struct behaviour *b, enum finding found, const char *why)
{
    if (as_record()) {
        json_text(b->name, words[found]);
        return;
    }
    if (app.json) {
        json_begin("behaviour");
        json_text("name", b->name);
        json_text("result", words[found]);
        json_text("summary", b->summary);
        json_text("why", why);
        json_end();
        return;
    }
    out_printf("%-8s  %-17s ", words[found], b->name);
    out_text(b->summary);
    if (why != NULL) {
        out_text(": ");
        out_name(why);
    }
    out_text("\n");
}

/* Tries one. What the client says it cannot do must be refused, what it says it can must come out
 * right. Returns whether it was as promised. */
static bool examine(const struct scratch *s, const struct behaviour *b)
{
    pail_error *err = NULL;
    pail_code code = b->try(s, &err);
    pail_client *client = pail_bucket_client(s->bucket);
    /* Asked afterwards: some stores are probed by the first try. */
    pail_support claimed =
        b->ability < 0 ? PAIL_NATIVE : pail_supports(client, (pail_ability)b->ability);
    const char *why = pail_error_message(err);
    why = *why != '\0' ? why : NULL;
    enum finding found = FOUND_WRONG;
    if (code == PAIL_OK) {
        found = claimed == PAIL_EMULATED ? FOUND_EMULATED : FOUND_NATIVE;
        why = claimed == PAIL_NO ? "works, though the client says that it cannot" : NULL;
    } else if (code == PAIL_E_UNSUPPORTED) {
        found = FOUND_NONE;
    } else if (why == NULL) {
        why = "another answer than was asked for";
    }
    /* One bucket may lack what its service has: then it is refused before any request. */
    bool fine = found != FOUND_WRONG && (code == PAIL_OK || claimed != PAIL_NATIVE ||
                                         b->ability < 0 || pail_error_attempts(err) == 0);
    show(b, fine ? found : FOUND_WRONG, why);
    pail_error_free(err);
    return fine;
}

/* What is told, not tried: versions and the like need a bucket made for them. */
static void show_claims(pail_client *client)
{
    static const struct {
        const char *name;
        pail_ability ability;
    } claims[] = {{"versions", PAIL_CAN_VERSIONS},
                  {"sse", PAIL_CAN_ENCRYPT},
                  {"class", PAIL_CAN_STORAGE_CLASS}};
    static const struct {
        const char *name;
        pail_limit limit;
    } limits[] = {{"part_min", PAIL_LIMIT_PART_MIN},  {"parts_max", PAIL_LIMIT_PARTS},
                  {"put_max", PAIL_LIMIT_PUT},        {"copy_max", PAIL_LIMIT_COPY},
                  {"list_max", PAIL_LIMIT_LIST_PAGE}, {"delete_max", PAIL_LIMIT_DELETE_MANY}};
    for (size_t i = 0; i < CLI_COUNT(claims); i++) {
        pail_support can = pail_supports(client, claims[i].ability);
        json_text(claims[i].name, can == PAIL_NATIVE     ? "native"
                                  : can == PAIL_EMULATED ? "emulated"
                                                         : "none");
    }
    for (size_t i = 0; i < CLI_COUNT(limits); i++) {
        uint64_t value = pail_client_limit(client, limits[i].limit);
        if (value > 0 && value < UINT64_MAX) {
            json_uint(limits[i].name, value);
        }
    }
}

/* The fields of an S3 service that no behaviour is named for. */
static void show_profile(pail_client *client)
{
    static const char *const fields[] = {"service",     "style",      "payload",   "sums", "list",
                                         "list_urlenc", "part_equal", "copy_part", "acl"};
    char *text = NULL;
    if (pail_client_explain(client, &text, NULL) != PAIL_OK) {
        return;
    }
    for (size_t i = 0; i < CLI_COUNT(fields); i++) {
        char *name = mem_printf("s3_%s", fields[i]);
        struct explained found;
        if (explain_find(text, name, &found)) {
            json_text(fields[i], found.value);
            mem_free(found.name);
        }
        mem_free(name);
    }
    pail_free(text);
}

static int examine_all(const struct scratch *s)
{
    pail_client *client = pail_bucket_client(s->bucket);
    int wrong = 0;
    if (as_record()) {
        json_begin("support");
        json_text("scheme", pail_client_scheme(client));
        show_profile(client);
    }
    for (int i = 0; i < behaviour_count && !app.interrupted && out_ok(); i++) {
        wrong += !examine(s, &behaviours[i]);
    }
    if (as_record()) {
        show_claims(client);
        json_end();
    }
    return wrong ? 1 : 0;
}

/* Removes what was made, also after an interrupt. */
static int clean_prefix(const struct scratch *s, const char *subject)
{
    pail_list_opts which = {.size = sizeof which, .prefix = s->prefix};
    pail_iter *iter = NULL;
    const pail_info *item;
    pail_error *err = NULL;
    pail_code code = pail_list(s->bucket, &which, &iter, &err);
    while (code == PAIL_OK && (code = pail_iter_next(iter, &item, &err)) == PAIL_OK) {
        code = pail_delete(s->bucket, item->key, NULL, &err);
    }
    pail_iter_free(iter);
    int status = code == PAIL_DONE ? 0 : fail_error(subject, err);
    pail_error_free(err);
    return status;
}

static char *scratch_name(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return mem_printf("pail-conform-%lx-%lx", (unsigned long)getpid(),
                      (unsigned long)now.tv_sec * 1000 + (unsigned long)now.tv_nsec / 1000000);
}

static int below_prefix(struct target *target)
{
    char *name = scratch_name(), *prefix = mem_printf("%s%s/", target->key, name);
    struct scratch s = {.bucket = target->bucket, .prefix = prefix};
    int status = examine_all(&s), cleaned = clean_prefix(&s, target->text);
    mem_free(prefix);
    mem_free(name);
    return status ? status : cleaned;
}

static int in_bucket(struct target *target)
{
    char *name = scratch_name();
    struct scratch s = {.prefix = ""};
    pail_error *err = NULL;
    pail_code code = pail_bucket_create(target->client, name, NULL, &err);
    int status = code ? 0 : 1;
    code = code ? code : pail_bucket_open(target->client, name, &s.bucket, &err);
    if (code == PAIL_OK) {
        status = examine_all(&s);
        pail_bucket_opts all = {.size = sizeof all, .delete_contents = true};
        code = pail_bucket_delete(target->client, name, &all, &err);
    }
    status = code ? fail_error(target->text, err) : status;
    pail_bucket_close(s.bucket);
    pail_error_free(err);
    mem_free(name);
    return status;
}

static int run(int argc, char **argv)
{
    struct target target;
    if (format != NULL && !as_record() && strcmp(format, "text") != 0) {
        return fail_usage("--format: \"%s\" is not text or json", format);
    }
    int status = target_parse(argc > 0 ? argv[0] : "local:", SIDE_NONE, &target);
    if (status == 0 && target.account == NULL) {
        status = fail_with(PAIL_E_BAD_ARGUMENT, target.text, "this is a local path",
                           "use local: or s3://BUCKET");
    } else if (status == 0 && target.bucket_name != NULL) {
        status = target_bucket(&target);
        status = status ? status : below_prefix(&target);
    } else if (status == 0) {
        status = target_client(&target);
        status = status ? status : in_bucket(&target);
    }
    target_dispose(&target);
    return status;
}

const struct command cmd_conform = {
    .name = "conform",
    .usage = "[URL]",
    .summary = "try what a store does, on scratch objects",
    .details = "Works in a bucket of its own, or below a prefix of its own where the URL names a "
               "bucket, and\n"
               "cleans up. Each line is native, emulated (by other requests), none (refused before "
               "any request)\n"
               "or WRONG (another answer than was asked for); the exit status is 0 when nothing "
               "was wrong. With --format json it is one object, its fields named as those of the "
               "profiles of\n"
               "S3 services, with the limits that count.",
    .opts = opts,
    .opt_count = CLI_COUNT(opts),
    .max_args = 1,
    .run = run,
};
