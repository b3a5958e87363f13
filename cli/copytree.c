#include "copytree.h"

#include "mem.h"
#include "out.h"
#include "progress.h"
#include "tree.h"
#include "walk.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct copytree {
    struct transfers *all;
    const struct target *from, *to;
    struct folder folder; /* the destination, where that is local; opened for the first file */
    char *prefix;         /* in front of each relative name below the destination */
};

bool copytree_is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool ends_in_slash(const char *text)
{
    size_t n = strlen(text);
    return n > 0 && text[n - 1] == '/';
}

bool copytree_is_folder(const struct target *target)
{
    if (target->kind == TARGET_PATH) {
        return ends_in_slash(target->path) || copytree_is_directory(target->path);
    }
    return target->kind == TARGET_BUCKET && (*target->key == '\0' || ends_in_slash(target->key));
}

const char *copytree_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* "DIR" goes into a folder under its name; "DIR/", "." and a whole bucket go in as what they
 * hold. */
static char *make_prefix(const struct target *from, const struct target *to)
{
    const char *base = copytree_base(from->kind == TARGET_PATH ? from->path : from->key);
    bool named = *base != '\0' && strcmp(base, ".") != 0 && strcmp(base, "..") != 0;
    const char *key = to->kind == TARGET_BUCKET ? to->key : "";
    if (copytree_is_folder(to)) {
        return mem_printf("%s%s%s", key, named ? base : "", named ? "/" : "");
    }
    return mem_printf("%s%s", key, *key != '\0' ? "/" : "");
}

/* ---- A copy into itself would never end */

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* The real path of what may not exist yet: that of the nearest parent which does. */
static char *real_path(const char *path)
{
    char *copy = mem_text(path), *real = NULL;
    while ((real = realpath(*copy != '\0' ? copy : ".", NULL)) == NULL) {
        char *slash = strrchr(copy, '/');
        if (slash == copy || *copy == '\0') {
            real = realpath("/", NULL);
            break;
        }
        *(slash != NULL ? slash : copy) = '\0';
    }
    mem_free(copy);
    char *with_slash = mem_printf("%s%s", real != NULL ? real : "", "/");
    mem_free(real);
    return with_slash;
}

static bool into_itself(const struct copytree *copy)
{
    bool inside = false;
    if (target_same_bucket(copy->from, copy->to)) {
        const char *key = copy->from->key;
        char *source = mem_printf("%s%s", key, *key == '\0' || ends_in_slash(key) ? "" : "/");
        inside = begins_with(copy->prefix, source);
        mem_free(source);
    } else if (copy->from->kind == TARGET_PATH && copy->to->kind == TARGET_PATH) {
        char *whole = mem_printf("%s/%s", copy->to->path, copy->prefix);
        char *source = real_path(copy->from->path), *target = real_path(whole);
        inside = begins_with(target, source);
        mem_free(source);
        mem_free(target);
        mem_free(whole);
    }
    return inside;
}

/* ---- One entry */

static int folder_failure(const char *shown, int error)
{
    if (error == EXDEV || error == ELOOP) {
        return fail_with(PAIL_E_BAD_KEY, shown, "a symbolic link would lead out of the folder",
                         NULL);
    }
    return fail_errno(shown, error, 1);
}

static int open_folder(struct copytree *copy)
{
    return copy->folder.path != NULL ? 0 : folder_open(&copy->folder, copy->to->path);
}

static char *shown_below(const struct copytree *copy, const char *name)
{
    return mem_printf("%s%s%s", copy->to->path, ends_in_slash(copy->to->path) ? "" : "/", name);
}

/* The end for a name below a local destination. Returns 0 or an exit status after a message. */
static int place_end(struct copytree *copy, const char *name, struct end *out)
{
    if (copy->all->opts->dry_run) {
        char *shown = shown_below(copy, name);
        *out = end_path(shown);
        mem_free(shown);
        return 0;
    }
    struct place place;
    int error = open_folder(copy);
    error = error != 0 ? error : folder_place(&copy->folder, name, &place);
    if (error != 0) {
        char *shown = shown_below(copy, name);
        int status = folder_failure(shown, error);
        mem_free(shown);
        return status;
    }
    *out = end_place(&place);
    return 0;
}

/* The destination of a name relative to the source; "" is the key that the source itself names. */
static int destination(struct copytree *copy, const char *rel, struct end *out)
{
    char *name = mem_printf("%s%s", copy->prefix, rel);
    size_t n = strlen(name);
    int status = 0;
    if (*rel == '\0' && n > 0) {
        name[n - 1] = '\0';
    }
    if (copy->to->kind == TARGET_BUCKET) {
        *out = end_object(copy->to, name);
    } else if (*name == '\0') {
        *out = end_path(copy->to->path);
    } else {
        status = place_end(copy, name, out);
    }
    mem_free(name);
    return status;
}

static void copy_entry(struct copytree *copy, struct end from, const char *rel, uint64_t size)
{
    struct end to;
    int status = destination(copy, rel, &to);
    if (status != 0) {
        tally_add(&copy->all->tally, status);
        end_dispose(&from);
        return;
    }
    transfers_run(copy->all, &from, &to, (int64_t)size);
}

static void make_directory(struct copytree *copy, const char *rel, const char *shown)
{
    char *name = mem_printf("%s%s", copy->prefix, rel);
    int error = copy->all->opts->dry_run ? 0 : open_folder(copy);
    if (error == 0 && *name != '\0' && !copy->all->opts->dry_run) {
        error = folder_make(&copy->folder, name);
    }
    if (error != 0) {
        tally_add(&copy->all->tally, folder_failure(shown, error));
    }
    mem_free(name);
}

/* ---- From a prefix */

static void take_item(struct copytree *copy, const pail_info *item)
{
    const char *key = copy->from->key;
    size_t skip = strlen(key);
    const char *rel = item->key + skip;
    rel += skip > 0 && !ends_in_slash(key) && *rel == '/';
    bool local = copy->to->kind == TARGET_PATH;
    char *url = target_url(copy->from, item->key);
    const char *refusal = local ? folder_refusal(rel) : NULL;
    if (refusal != NULL) {
        tally_add(&copy->all->tally, fail_with(PAIL_E_BAD_KEY, url, refusal,
                                               "copy this one by itself, to a name of your own"));
    } else if (local && (ends_in_slash(item->key) && item->size == 0)) {
        make_directory(copy, rel, url);
    } else if (local && ends_in_slash(item->key)) {
        tally_add(&copy->all->tally,
                  fail_with(PAIL_E_BAD_KEY, url, "an object whose key ends in '/' is no file",
                            "copy this one by itself, to a name of your own"));
    } else {
        copy_entry(copy, end_object(copy->from, item->key), rel, item->size);
    }
    mem_free(url);
}

static int from_prefix(struct copytree *copy)
{
    struct tree tree;
    tree_open(&tree, copy->from, &(pail_list_opts){0});
    const pail_info *item;
    pail_error *err = NULL;
    pail_code code = PAIL_OK;
    int status = 0;
    uint64_t seen = 0;
    while (!app.interrupted && out_ok() && (code = tree_next(&tree, &item, &err)) == PAIL_OK) {
        take_item(copy, item);
        seen++;
    }
    if (code < 0) {
        status = fail_error(copy->from->text, err);
    } else if (seen == 0 && *copy->from->key != '\0' && !app.interrupted) {
        status = fail_with(PAIL_E_NOT_FOUND, copy->from->text, "no such key or prefix", NULL);
    }
    pail_error_free(err);
    tree_close(&tree);
    return status;
}

/* ---- From a local directory */

static void take_file(struct copytree *copy, const struct walk_item *item)
{
    bool local = copy->to->kind == TARGET_PATH;
    switch (item->kind) {
    case WALK_FILE: copy_entry(copy, end_path(item->path), item->rel, item->size); break;
    case WALK_ENTER:
        if (local) {
            make_directory(copy, item->rel, item->path);
        }
        break;
    case WALK_OTHER:
        fail_note(item->path, "skipped: neither a file nor a directory");
        copy->all->tally.skipped++;
        break;
    case WALK_ERROR: tally_add(&copy->all->tally, fail_errno(item->path, item->error, 1)); break;
    case WALK_LEAVE:
    case WALK_END: break;
    }
}

static void from_directory(struct copytree *copy)
{
    struct walk *walk = walk_open(copy->from->path);
    struct walk_item item;
    do {
        walk_next(walk, &item);
        take_file(copy, &item);
    } while (item.kind != WALK_END && !app.interrupted && out_ok());
    walk_close(walk);
}

int copytree_run(struct transfers *all, const struct target *from, const struct target *to)
{
    struct copytree copy = {.all = all, .from = from, .to = to, .prefix = make_prefix(from, to)};
    int status = 0;
    if (into_itself(&copy)) {
        status = fail_with(PAIL_E_BAD_ARGUMENT, from->text, "the destination is inside the source",
                           NULL);
    } else if (from->kind == TARGET_PATH) {
        from_directory(&copy);
    } else {
        status = from_prefix(&copy);
    }
    folder_close(&copy.folder);
    mem_free(copy.prefix);
    return status;
}
