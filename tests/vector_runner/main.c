/* build/tests/vectors PATH…: runs test vectors; --tap prints a line per file for the test harness,
 * --upstream runs what PAIL_VECTORS names. Ends with a line of counts; 1: some case failed. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runner.h"

static void run_path(struct run *run, const char *path, const struct kind *inherited);

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const struct kind *kind_by_name(const char *name, bool is_folder)
{
    const struct kind *best = NULL;
    for (size_t i = 0; i < kind_count; i++) {
        size_t len = strlen(kinds[i].name);
        bool fits = strncmp(name, kinds[i].name, len) == 0 && (is_folder || !kinds[i].is_folder);
        if (fits && (!best || len > strlen(best->name))) {
            best = &kinds[i];
        }
    }
    return best;
}

static bool has_fields(const json_t *input, const char *fields)
{
    struct pl_str rest = pl_str_c(fields);
    while (rest.ptr && rest.len) {
        struct pl_str field = pl_str_split(&rest, ' ');
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)field.len, field.ptr);
        if (!json_object_get(input, name)) {
            return false;
        }
    }
    return true;
}

static const struct kind *kind_by_fields(const json_t *root)
{
    const json_t *input =
        json_object_get(json_array_get(json_object_get(root, "cases"), 0), "input");
    for (size_t i = 0; input && i < kind_count; i++) {
        if (kinds[i].fields && has_fields(input, kinds[i].fields)) {
            return &kinds[i];
        }
    }
    const json_t *test = json_array_get(json_object_get(root, "tests"), 0);
    bool parser = json_object_get(json_object_get(test, "input"), "configFile") != NULL ||
                  json_object_get(json_object_get(test, "input"), "credentialsFile") != NULL;
    const char *name = json_object_get(test, "configLocation") ? "file-location-tests"
                       : parser                                ? "profile-parser-tests"
                                                               : NULL;
    return name ? kind_by_name(name, false) : NULL;
}

/* Prints what became of one file or suite, and adds it to the total. */
static void end_file(struct run *run)
{
    const struct counts *c = &run->file;
    if (run->tap) {
        bool all_skipped = c->skipped && !c->passed && !c->failed;
        printf("%s %d - %s: %zu passed, %zu failed, %zu skipped%s%s\n", c->failed ? "not ok" : "ok",
               ++run->tap_number, base_name(run->path), c->passed, c->failed, c->skipped,
               all_skipped ? " # SKIP " : "", all_skipped ? run->reason : "");
    } else if (c->skipped) {
        printf("skipped %zu of %s: %s\n", c->skipped, run->path, run->reason);
    }
    fflush(stdout);
    run->total.passed += c->passed;
    run->total.failed += c->failed;
    run->total.skipped += c->skipped;
    run->file = (struct counts){0};
}

static void fail_file(struct run *run, const char *path, const char *why)
{
    run->path = path;
    printf("%sFAIL %s: %s\n", run->tap ? "# " : "", path, why);
    run->file.failed++;
    end_file(run);
}

static void run_cases(struct run *run, const struct kind *kind, const json_t *root)
{
    const char *list = kind->list ? kind->list : "cases";
    const json_t *cases = json_object_get(root, list), *one;
    size_t i;
    if (*list && !json_array_size(cases)) {
        fail_file(run, run->path, "it holds no cases");
        return;
    }
    json_array_foreach(cases, i, one)
    {
        const char *name = member_c(one, "name");
        snprintf(run->what, sizeof run->what, "case %zu%s%s", i, *name ? " " : "", name);
        if (kind->run_case) {
            kind->run_case(run, one);
            end_case(run);
        } else {
            run->file.skipped++;
        }
    }
    run->reason = kind->skip ? kind->skip : run->reason;
    end_file(run);
}

static void run_file(struct run *run, const char *path, const struct kind *inherited)
{
    size_t len = 0;
    json_error_t error;
    char *text = read_text(path, &len);
    json_t *root = text ? json_loadb(text, len, JSON_ALLOW_NUL, &error) : NULL;
    const struct kind *kind = kind_by_name(base_name(path), false);
    kind = kind ? kind : inherited;
    kind = kind || !root ? kind : kind_by_fields(root);
    run->path = path;
    if (!text) {
        fail_file(run, path, strerror(errno));
    } else if (!root) {
        fail_file(run, path, error.text);
    } else if (!kind) {
        fail_file(run, path,
                  "unknown kind: neither its name nor the fields of its input are known");
    } else {
        run_cases(run, kind, root);
    }
    json_decref(root);
    pl_free(text);
}

/* "folder/name"; pl_free. */
static char *join(const char *folder, const char *name)
{
    struct pl_buf path = PL_BUF_MAX(1 << 16);
    pl_buf_printf(&path, "%s/%s", folder, name);
    return pl_buf_take(&path);
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool has_file(const char *folder, const char *name)
{
    char *path = join(folder, name);
    struct stat st;
    bool there = path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
    pl_free(path);
    return there;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* One case of the signing suite, which may also be given alone. */
static const struct kind *suite_of_case(const char *path)
{
    if (!has_file(path, "request.txt") || !has_file(path, "context.json")) {
        return NULL;
    }
    return kind_by_name(has_file(path, "public-key.json") ? "v4a" : "v4", true);
}

static void run_suite_case(struct run *run, const struct kind *kind, const char *path)
{
    snprintf(run->what, sizeof run->what, "%.*s", (int)sizeof run->what - 1, base_name(path));
    if (kind->run_folder) {
        kind->run_folder(run, path);
        end_case(run);
    } else {
        run->file.skipped++;
        run->reason = kind->skip;
    }
}

static void run_suite(struct run *run, const struct kind *kind, const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, not_hidden, alphasort);
    for (int i = 0; i < n; i++) {
        char *child = join(path, entries[i]->d_name);
        if (child && is_folder(child)) {
            run_suite_case(run, kind, child);
        }
        pl_free(child);
        free(entries[i]);
    }
    if (n >= 0) {
        free(entries);
    }
    run->path = path;
    end_file(run);
}

static bool is_json(const char *name)
{
    size_t len = strlen(name);
    return len > 5 && strcmp(name + len - 5, ".json") == 0;
}

static void run_folder(struct run *run, const char *path, const struct kind *inherited)
{
    struct dirent **entries;
    int n = scandir(path, &entries, not_hidden, alphasort);
    if (n < 0) {
        fail_file(run, path, strerror(errno));
        return;
    }
    for (int i = 0; i < n; i++) {
        char *child = join(path, entries[i]->d_name);
        if (child && (is_folder(child) || is_json(child))) {
            run_path(run, child, inherited);
        }
        pl_free(child);
        free(entries[i]);
    }
    free(entries);
}

static void run_path(struct run *run, const char *path, const struct kind *inherited)
{
    char clean[4096];
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    snprintf(clean, sizeof clean, "%.*s", (int)len, path);
    if (!is_folder(clean)) {
        run_file(run, clean, inherited);
        return;
    }
    const struct kind *kind = suite_of_case(clean);
    if (kind) {
        run->path = clean;
        run_suite_case(run, kind, clean);
        end_file(run);
        return;
    }
    kind = kind_by_name(base_name(clean), true);
    if (kind && kind->is_folder) {
        run->path = clean;
        run_suite(run, kind, clean);
    } else {
        run_folder(run, clean, kind ? kind : inherited);
    }
}

static void run_upstream(struct run *run)
{
    const char *path = getenv("PAIL_VECTORS");
    if (path && *path) {
        run_path(run, path, NULL);
    } else if (run->tap) {
        printf("ok %d - upstream suites # SKIP PAIL_VECTORS names no folder\n", ++run->tap_number);
    } else {
        puts("skipped the upstream suites: PAIL_VECTORS names no folder");
    }
}

int main(int argc, char **argv)
{
    static struct run run;
    int paths = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tap") == 0) {
            run.tap = true;
        } else if (strcmp(argv[i], "--upstream") == 0) {
            run_upstream(&run);
            paths++;
        } else if (strcmp(argv[i], "--help") == 0) {
            puts(
                "usage: vectors [--tap] [--upstream] PATH...\n"
                "Runs files of cases, folders of them, and folders of a signing suite. The kind is "
                "the longest\nknown beginning of the file's or folder's name, else it is told by "
                "the fields of `input`.");
            return 0;
        } else {
            run_path(&run, argv[i], NULL);
            paths++;
        }
    }
    if (!paths) {
        fputs("usage: vectors [--tap] [--upstream] PATH...\n", stderr);
        return 2;
    }
    if (run.tap) {
        printf("1..%d\n# ", run.tap_number);
    }
    printf("%zu passed, %zu failed, %zu skipped\n", run.total.passed, run.total.failed,
           run.total.skipped);
    return run.total.failed ? 1 : 0;
}
