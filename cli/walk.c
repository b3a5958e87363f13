#include "walk.h"

#include "mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct level {
    DIR *dir;
    size_t length; /* of the path of this directory */
};

struct walk {
    char *path;
    size_t room, root_length;
    struct level *levels;
    size_t depth;
    bool started;
};

struct walk *walk_open(const char *root)
{
    struct walk *walk = mem_new(sizeof *walk);
    size_t n = strlen(root);
    walk->path = mem_text(root);
    while (n > 1 && walk->path[n - 1] == '/') {
        walk->path[--n] = '\0';
    }
    walk->room = strlen(root) + 1;
    walk->root_length = n;
    return walk;
}

void walk_close(struct walk *walk)
{
    while (walk->depth > 0) {
        closedir(walk->levels[--walk->depth].dir);
    }
    mem_free(walk->levels);
    mem_free(walk->path);
    mem_free(walk);
}

static void fill(const struct walk *walk, struct walk_item *item, enum walk_kind kind)
{
    const char *rel = walk->path + walk->root_length;
    *item = (struct walk_item){.kind = kind, .path = walk->path, .rel = rel + (*rel == '/')};
}

static void fill_error(const struct walk *walk, struct walk_item *item, int error)
{
    fill(walk, item, WALK_ERROR);
    item->error = error;
}

/* Goes into the directory named by walk->path. */
static void descend(struct walk *walk, int at, const char *name, struct walk_item *item)
{
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (walk->depth > 0 ? O_NOFOLLOW : 0);
    int fd = openat(at, name, flags);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        fill_error(walk, item, errno);
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    walk->levels = mem_grow(walk->levels, (walk->depth + 1) * sizeof *walk->levels);
    walk->levels[walk->depth++] = (struct level){dir, strlen(walk->path)};
    fill(walk, item, WALK_ENTER);
}

static void append(struct walk *walk, size_t length, const char *name)
{
    size_t n = strlen(name);
    if (walk->room < length + n + 2) {
        walk->room = (length + n + 2) * 2;
        walk->path = mem_grow(walk->path, walk->room);
    }
    bool slash = walk->path[length - 1] != '/';
    if (slash) {
        walk->path[length] = '/';
    }
    memcpy(walk->path + length + slash, name, n + 1);
}

static void look(struct walk *walk, int at, const char *name, struct walk_item *item)
{
    struct stat st;
    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        fill_error(walk, item, errno);
    } else if (S_ISDIR(st.st_mode)) {
        descend(walk, at, name, item);
    } else {
        fill(walk, item, S_ISREG(st.st_mode) ? WALK_FILE : WALK_OTHER);
        item->size = (uint64_t)st.st_size;
    }
}

void walk_next(struct walk *walk, struct walk_item *item)
{
    if (!walk->started) {
        walk->started = true;
        descend(walk, AT_FDCWD, walk->path, item);
        return;
    }
    if (walk->depth == 0) {
        *item = (struct walk_item){.kind = WALK_END};
        return;
    }
    struct level *top = &walk->levels[walk->depth - 1];
    walk->path[top->length] = '\0';
    struct dirent *entry;
    do {
        errno = 0;
        entry = readdir(top->dir);
    } while (entry != NULL &&
             (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    if (entry != NULL) {
        append(walk, top->length, entry->d_name);
        look(walk, dirfd(top->dir), entry->d_name, item);
        return;
    }
    int error = errno;
    closedir(top->dir);
    walk->depth--;
    fill(walk, item, error != 0 ? WALK_ERROR : WALK_LEAVE);
    item->error = error;
}
