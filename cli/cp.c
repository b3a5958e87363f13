/* pail cp and pail mv: files, objects, standard input and output, one to the other. */
#include "copytree.h"
#include "json.h"
#include "mem.h"
#include "out.h"
#include "progress.h"
#include "walk.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT_ONCE 8 /* files or objects of a tree */

static struct transfer_opts opt;
static struct {
    bool recursive;
    uint64_t jobs;
} more;

/* ---- One source that is not a tree */

static int join(const struct target *to, const char *base, struct end *out)
{
    if (to->kind == TARGET_BUCKET) {
        char *key = mem_printf("%s%s", to->key, base);
        *out = end_object(to, key);
        mem_free(key);
        return 0;
    }
    struct folder folder;
    int error = opt.dry_run ? 0 : folder_open(&folder, to->path);
    if (error != 0) {
        return fail_errno(to->text, error, 1);
    }
    if (!opt.dry_run) {
        folder_close(&folder);
    }
    size_t n = strlen(to->path);
    char *path = mem_printf("%s%s%s", to->path, to->path[n - 1] == '/' ? "" : "/", base);
    *out = end_path(path);
    mem_free(path);
    return 0;
}

static int destination(const struct target *from, const struct target *to, struct end *out)
{
    if (to->kind == TARGET_STDIO) {
        *out = end_stdio(true);
        return 0;
    }
    bool literal = from->kind == TARGET_STDIO && to->kind == TARGET_BUCKET && *to->key != '\0';
    if (!copytree_is_folder(to) || literal) {
        *out = to->kind == TARGET_PATH ? end_path(to->path) : end_object(to, to->key);
        return 0;
    }
    const char *base = from->kind == TARGET_STDIO  ? ""
                       : from->kind == TARGET_PATH ? copytree_base(from->path)
                                                   : copytree_base(from->key);
    if (*base == '\0') {
        return fail_with(PAIL_E_BAD_ARGUMENT, to->text,
                         "names a folder, and the source has no name to go there under",
                         "write the whole name of the destination");
    }
    const char *refusal = to->kind == TARGET_PATH ? folder_refusal(base) : NULL;
    if (refusal != NULL) {
        return fail_with(PAIL_E_BAD_KEY, from->text, refusal,
                         "write the whole name of the destination");
    }
    return join(to, base, out);
}

static bool same_file(const char *a, const char *b)
{
    struct stat one, two;
    return stat(a, &one) == 0 && stat(b, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino && S_ISREG(one.st_mode);
}

static bool onto_itself(const struct end *from, const struct end *to)
{
    if (from->kind == END_PATH && to->kind == END_PATH) {
        return same_file(from->place.path, to->place.path);
    }
    return opt.move && from->kind == END_OBJECT && to->kind == END_OBJECT &&
           target_same_bucket(from->target, to->target) && strcmp(from->key, to->key) == 0;
}

static int copy_one(struct transfers *all, const struct target *from, const struct target *to,
                    int64_t size)
{
    struct end source, target = {.place.dir_fd = -1};
    int status = destination(from, to, &target);
    if (status != 0) {
        return status;
    }
    source = from->kind == TARGET_STDIO  ? end_stdio(false)
             : from->kind == TARGET_PATH ? end_path(from->path)
                                         : end_object(from, from->key);
    if (onto_itself(&source, &target)) {
        status =
            fail_with(PAIL_E_BAD_ARGUMENT, from->text, "source and destination are the same", NULL);
        end_dispose(&source);
        end_dispose(&target);
        return status;
    }
    transfers_run(all, &source, &target, size);
    return 0;
}

/* ---- Choosing */

static void remove_empty_directories(const char *root)
{
    struct walk *walk = walk_open(root);
    struct walk_item item;
    do {
        walk_next(walk, &item);
        if (item.kind == WALK_LEAVE) {
            (void)rmdir(item.path); /* one that still holds something stays */
        }
    } while (item.kind != WALK_END);
    walk_close(walk);
}

static int copy_path(struct transfers *all, const struct target *from, const struct target *to)
{
    struct stat st;
    if (stat(from->path, &st) != 0) {
        return fail_errno(from->text, errno, 1);
    }
    if (!S_ISDIR(st.st_mode)) {
        return copy_one(all, from, to, S_ISREG(st.st_mode) ? (int64_t)st.st_size : -1);
    }
    if (!more.recursive) {
        return fail_with(PAIL_E_BAD_ARGUMENT, from->text, "is a directory", "add -r");
    }
    return copytree_run(all, from, to);
}

static int copy_object(struct transfers *all, struct target *from, const struct target *to)
{
    int status = target_bucket(from);
    if (status != 0) {
        return status;
    }
    if (more.recursive) {
        return copytree_run(all, from, to);
    }
    if (*from->key == '\0') {
        return fail_with(PAIL_E_BAD_ARGUMENT, from->text, "is a bucket",
                         "add -r, or write the key behind BUCKET/");
    }
    return copy_one(all, from, to, -1);
}

static int copy_from(struct transfers *all, struct target *from, const struct target *to)
{
    switch (from->kind) {
    case TARGET_STDIO:
        if (more.recursive || opt.move) {
            return fail_usage("standard input cannot be moved or copied with -r");
        }
        return copy_one(all, from, to, -1);
    case TARGET_PATH: return copy_path(all, from, to);
    case TARGET_BUCKET: return copy_object(all, from, to);
    case TARGET_ACCOUNT: break;
    }
    return fail_with(PAIL_E_BAD_ARGUMENT, from->text, "names no bucket", NULL);
}

static int open_destination(const char *text, bool many, struct target *to)
{
    int status = target_parse(text, SIDE_DST, to);
    if (status != 0) {
        return status;
    }
    if (to->kind == TARGET_ACCOUNT) {
        return fail_with(PAIL_E_BAD_ARGUMENT, to->text, "names no bucket", NULL);
    }
    if (to->kind == TARGET_STDIO) {
        app.json = false; /* the data has standard output for itself */
        return more.recursive || many ? fail_usage("only one object fits standard output") : 0;
    }
    if (many && !copytree_is_folder(to)) {
        return fail_with(PAIL_E_BAD_ARGUMENT, to->text, "several sources need a folder",
                         "end the destination in '/'");
    }
    return to->kind == TARGET_BUCKET ? target_bucket(to) : 0;
}

/* The last line of a command on many objects. */
static void summarize(const char *word, const struct tally *tally)
{
    json_begin("summary");
    json_text("command", word);
    json_bool("ok", tally->failed == 0);
    json_uint("copied", tally->done);
    json_uint("skipped", tally->skipped);
    json_uint("failed", tally->failed);
    json_uint("bytes", tally->bytes);
    json_end();
}

static void clean_up(struct target *from)
{
    if (opt.move && !opt.dry_run && from->kind == TARGET_PATH && from->path != NULL &&
        copytree_is_directory(from->path)) {
        remove_empty_directories(from->path);
    }
    target_dispose(from);
}

static void copy_all(struct transfers *all, struct target *from, char **argv, int count,
                     const struct target *to)
{
    for (int i = 0; i < count && !app.interrupted && out_ok(); i++) {
        int status = target_parse(argv[i], SIDE_SRC, &from[i]);
        status = status != 0 ? status : copy_from(all, &from[i], to);
        if (status != 0) {
            tally_add(&all->tally, status);
        }
    }
    progress_listed();
    transfers_close(all);
}

static int copy_or_move(int argc, char **argv, bool move)
{
    struct target to;
    struct transfers all;
    int sources = argc - 1;
    opt.move = move;
    opt.tree = more.recursive || sources > 1;
    int status = open_destination(argv[sources], sources > 1, &to);
    if (status == 0) {
        struct target *from = mem_new((size_t)sources * sizeof *from);
        uint64_t jobs = more.jobs > 0 && more.jobs < 1000 ? more.jobs : AT_ONCE;
        transfers_open(&all, &opt, opt.tree ? (unsigned)jobs : 1);
        progress_begin(app.command);
        if (!opt.tree) {
            progress_listed(); /* the one object is all there is */
        }
        copy_all(&all, from, argv, sources, &to);
        if (app.json && opt.tree) {
            summarize(app.command, &all.tally);
        }
        for (int i = 0; i < sources; i++) {
            clean_up(&from[i]);
        }
        mem_free(from);
        status = tally_status(&all.tally);
    }
    target_dispose(&to);
    return status;
}

static int run(int argc, char **argv)
{
    return copy_or_move(argc, argv, false);
}

static const struct opt opts[] = {
    {"recursive", 'r', OPT_FLAG, &more.recursive, NULL, "a directory, or all below a prefix", NULL},
    {"no-clobber", 'n', OPT_FLAG, &opt.no_clobber, NULL, "never replace anything", NULL},
    {"dry-run", 0, OPT_FLAG, &opt.dry_run, NULL, "only say what would be copied", NULL},
    {"if-match", 0, OPT_TEXT, &opt.if_match, "ETAG", "only if the object has that ETag", NULL},
    {"version-id", 0, OPT_TEXT, &opt.version, "ID", "that version of the source", NULL},
    {"content-type", 0, OPT_TEXT, &opt.content_type, "TYPE", "instead of a guess", NULL},
    {"content-encoding", 0, OPT_TEXT, &opt.content_encoding, "NAME", "such as gzip", NULL},
    {"content-disposition", 0, OPT_TEXT, &opt.content_disposition, "TEXT", "for browsers", NULL},
    {"cache-control", 0, OPT_TEXT, &opt.cache_control, "TEXT", "for browsers", NULL},
    {"meta", 0, OPT_PAIR, &opt.metadata, "NAME=VALUE", "metadata to store; repeatable", NULL},
    {"tag", 0, OPT_PAIR, &opt.tags, "NAME=VALUE", "a tag to store; repeatable", NULL},
    {"storage-class", 0, OPT_TEXT, &opt.storage_class, "NAME", "how to store it", NULL},
    {"expected-size", 0, OPT_SIZE, &opt.expected_size, "SIZE", "of a huge standard input", NULL},
    {"part-size", 0, OPT_SIZE, &opt.part_size, "SIZE", "of a part of a large object", NULL},
    {"concurrency", 0, OPT_NUMBER, &opt.concurrency, "N", "requests at once for one object", NULL},
    {"jobs", 0, OPT_NUMBER, &more.jobs, "N", "objects at once, with -r (8)", NULL},
    {"sync", 0, OPT_FLAG, &opt.sync, NULL, "a file is on the disk before pail ends", NULL},
};
#define RULES                                                                                      \
    "A source or destination is a URL, a local path, or - for standard input or output.\n"         \
    "A destination that is a directory, a bucket or ends in '/' takes the source under its own\n"  \
    "name. With -r, DIR goes there as DIR/..., and DIR/ as what it holds; an object that -n\n"     \
    "finds there is skipped. --if-match is the destination's, of a download the source's."
const struct command cmd_cp = {
    .name = "cp",
    .usage = "[-rn] SOURCE... DESTINATION",
    .summary = "copy files and objects",
    .details = RULES,
    .opts = opts,
    .opt_count = CLI_COUNT(opts),
    .min_args = 2,
    .max_args = -1,
    .two_sides = true,
    .run = run,
};

static int run_mv(int argc, char **argv)
{
    return copy_or_move(argc, argv, true);
}

/* Here and not in a file of its own: it shares the table. */
const struct command cmd_mv = {
    .name = "mv",
    .usage = "[-rn] SOURCE... DESTINATION",
    .summary = "move files and objects",
    .details =
        RULES "\n"
              "Each source is deleted when its copy is complete. After a failure both may be\n"
              "there.",
    .opts = opts,
    .opt_count = CLI_COUNT(opts),
    .min_args = 2,
    .max_args = -1,
    .two_sides = true,
    .run = run_mv,
};
