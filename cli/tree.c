#include "tree.h"

#include "mem.h"

#include <string.h>

void tree_open(struct tree *tree, const struct target *target, const pail_list_opts *opts)
{
    const char *key = target->key;
    size_t n = strlen(key);
    *tree = (struct tree){.target = target, .opts = *opts};
    tree->opts.size = sizeof tree->opts;
    tree->opts.call = cli_call();
    if (n > 0) {
        bool open_end = key[n - 1] != '/';
        tree->at_key = open_end && opts->pattern == NULL;
        tree->folder = mem_printf("%s%s", key, open_end ? "/" : "");
    }
}

static pail_code start(struct tree *tree, pail_error **err)
{
    pail_list_opts opts = tree->opts;
    opts.prefix = tree->folder;
    if (tree->at_key) {
        /* In byte order the key itself is the first of all that begin with it. */
        opts.prefix = tree->target->key;
        opts.delimiter = NULL;
        opts.page_size = opts.versions ? 0 : 1;
    }
    return pail_list(tree->target->bucket, &opts, &tree->iter, err);
}

pail_code tree_next(struct tree *tree, const pail_info **item, pail_error **err)
{
    pail_code code = tree->iter != NULL ? PAIL_OK : start(tree, err);
    if (code == PAIL_OK) {
        code = pail_iter_next(tree->iter, item, err);
    }
    if (!tree->at_key || (code != PAIL_OK && code != PAIL_DONE)) {
        return code;
    }
    if (code == PAIL_OK && strcmp((*item)->key, tree->target->key) == 0) {
        return code;
    }
    pail_iter_free(tree->iter);
    tree->iter = NULL;
    tree->at_key = false;
    return tree_next(tree, item, err);
}

void tree_close(struct tree *tree)
{
    pail_iter_free(tree->iter);
    mem_free(tree->folder);
    tree->iter = NULL;
    tree->folder = NULL;
}
