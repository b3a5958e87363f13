/* Pages of keys, uploads and buckets, in the order of their bytes. */
#include <errno.h>
#include <fcntl.h>

#include "provider/file.h"
#include "provider/file_order.h"

struct page {
    struct pl_op *op;
    struct pl_str prefix, delimiter, after; /* after: an empty one is before all */
    pail_info *items;
    size_t count, room, max;
    bool more;
};

static struct page page_of(struct pl_op *op, const char *after)
{
    uint32_t max = op->in.list.max;
    return (struct page){.op = op,
                         .prefix = pl_str_c(op->in.list.prefix),
                         .delimiter = pl_str_c(op->in.list.delimiter),
                         .after = pl_str_c(after),
                         .max = max && max < PL_FILE_PAGE_MAX ? max : PL_FILE_PAGE_MAX};
}

/* The next free entry; NULL: the page is full, or there is no memory (rc tells). */
static pail_info *add(struct page *p, pail_code *rc)
{
    struct pl_arena *a = &p->op->arena;
    p->more = p->count == p->max;
    *rc = p->more ? PAIL_DONE : PAIL_OK;
    if (!p->more && p->count == p->room) {
        size_t room = p->room ? p->room * 2 : 16;
        pail_info *items = pl_arena_alloc(a, room * sizeof *items);
        if (!items) {
            *rc = PAIL_E_NO_MEMORY;
            return NULL;
        }
        if (p->count) {
            memcpy(items, p->items, p->count * sizeof *items);
        }
        p->items = items;
        p->room = room;
    }
    return p->more ? NULL : &p->items[p->count++];
}

static pail_code close_page(struct page *p, pail_code rc)
{
    p->op->out.items = p->items;
    p->op->out.item_count = p->count;
    return rc && rc != PAIL_DONE ? rc : p->op->arena.failed ? PAIL_E_NO_MEMORY : PAIL_OK;
}

static const char *place_after(const struct pl_op *op)
{
    return op->in.list.token ? op->in.list.token : op->in.list.start_after;
}

/* The length of the common prefix that a key belongs to, 0: none. */
static size_t group_length(const struct page *p, struct pl_str key)
{
    if (p->delimiter.len == 0 || key.len < p->prefix.len) {
        return 0;
    }
    const char *hit = memmem(key.ptr + p->prefix.len, key.len - p->prefix.len, p->delimiter.ptr,
                             p->delimiter.len);
    return hit ? (size_t)(hit - key.ptr) + p->delimiter.len : 0;
}

/* Whether that common prefix was given already, on this page or before it. */
static bool group_given(const struct page *p, struct pl_str group)
{
    const pail_info *last = p->count ? &p->items[p->count - 1] : NULL;
    return pl_str_starts(p->after, group) ||
           (last && last->is_prefix && pl_str_is(group, last->key));
}

static pail_code add_group(struct page *p, struct pl_str group)
{
    pail_code rc = PAIL_OK;
    pail_info *item = group_given(p, group) ? NULL : add(p, &rc);
    if (item) {
        *item = (pail_info){
            .key = pl_arena_dup(&p->op->arena, group), .is_prefix = true, .mtime_ms = -1};
        rc = item->key ? PAIL_OK : PAIL_E_NO_MEMORY;
    }
    return rc;
}

/* ---- objects: a walk through the folders, which compare as "name/" ---- */

struct walk {
    struct page page;
    int folder;                     /* that is read now */
    size_t len;                     /* of its path */
    char path[PL_FILE_KEY_MAX + 2]; /* from the bucket; a folder's ends in '/' */
};

static bool usable_name(struct pl_str name)
{
    return !pl_file_segment_rule(name) && pl_utf8_valid(name);
}

/* Whether keys that are `text` (or begin with it, where it ends in '/') may be on the page. */
static bool wanted(const struct page *p, struct pl_str text, bool is_folder)
{
    if (!is_folder) {
        return pl_str_starts(text, p->prefix) && pl_order_compare(text, p->after) > 0;
    }
    bool prefixed = pl_str_starts(text, p->prefix) || pl_str_starts(p->prefix, text);
    return prefixed && (pl_order_compare(text, p->after) > 0 || pl_str_starts(p->after, text));
}

/* Puts a name behind the path; empty: it cannot be part of a key. */
static struct pl_str joined(struct walk *w, struct pl_str name, bool is_folder)
{
    size_t n = w->len + name.len;
    if (!usable_name(name) || n + is_folder > PL_FILE_KEY_MAX) {
        return pl_str_c(NULL);
    }
    memcpy(w->path + w->len, name.ptr, name.len);
    w->path[n] = is_folder ? '/' : '\0';
    w->path[n + 1] = '\0';
    return pl_str_n(w->path, n + is_folder);
}

struct filling {
    struct walk *walk;
    struct pl_window *window;
};

static bool offer_entry(const char *name, enum pl_entry kind, void *ctx)
{
    struct filling *f = ctx;
    struct walk *w = f->walk;
    bool is_folder = kind == PL_ENTRY_FOLDER;
    struct pl_str text =
        kind == PL_ENTRY_OTHER ? pl_str_c(NULL) : joined(w, pl_str_c(name), is_folder);
    if (text.len && wanted(&w->page, text, is_folder)) {
        pl_window_offer(f->window, pl_str_n(text.ptr + w->len, text.len - w->len));
    }
    return true;
}

/* A folder that is deleted while it is read has nothing in it. */
static pail_code scan(struct walk *w, int folder,
                      bool (*each)(const char *name, enum pl_entry kind, void *ctx), void *ctx)
{
    if (pl_sys_scan(folder, each, ctx) || errno == 0 || errno == ENOENT) {
        return PAIL_OK;
    }
    int number = errno;
    w->path[w->len] = '\0';
    return pl_file_fail(&w->page.op->error, number, "reading the folder",
                        w->len ? w->path : w->page.op->bucket);
}

static pail_code fill_folder(struct pl_window *window, void *ctx)
{
    struct walk *w = ctx;
    struct filling f = {w, window};
    return scan(w, w->folder, offer_entry, &f);
}

static pail_code visit_entry(struct pl_str text, void *ctx);

static pail_code walk_folder(struct walk *w)
{
    struct pl_order order = {fill_folder, visit_entry, w};
    return pl_order_run(&order, w->page.max - w->page.count + 1);
}

/* Looks for any object in a folder. */
struct looking {
    struct walk *walk;
    int folder;
    bool found;
    pail_code rc;
};

static bool look_at_entry(const char *name, enum pl_entry kind, void *ctx)
{
    struct looking *l = ctx;
    struct walk *w = l->walk;
    bool is_folder = kind == PL_ENTRY_FOLDER;
    struct pl_str text =
        kind == PL_ENTRY_OTHER ? pl_str_c(NULL) : joined(w, pl_str_c(name), is_folder);
    l->found = text.len && !is_folder;
    int fd = text.len && is_folder ? pl_file_folder(l->folder, name) : -1;
    if (fd >= 0) {
        struct looking below = {.walk = w, .folder = fd};
        size_t before = w->len;
        w->len = text.len;
        below.rc = scan(w, fd, look_at_entry, &below);
        w->len = before;
        l->found = below.found;
        l->rc = below.rc;
        pl_file_close(fd);
    }
    return !l->found && l->rc == PAIL_OK;
}

static pail_code visit_group(struct walk *w, size_t group)
{
    struct looking l = {.walk = w, .folder = w->folder};
    struct pl_str name = pl_str_n(w->path, group);
    if (group_given(&w->page, name)) {
        return PAIL_OK;
    }
    pail_code rc = scan(w, w->folder, look_at_entry, &l);
    rc = rc ? rc : l.rc;
    return rc || !l.found ? rc : add_group(&w->page, name);
}

static pail_code visit_folder(struct walk *w, struct pl_str path)
{
    w->path[path.len - 1] = '\0';
    int parent = w->folder, fd = pl_file_folder(parent, w->path + w->len);
    w->path[path.len - 1] = '/';
    if (fd < 0) {
        return errno == EACCES || errno == EMFILE || errno == ENFILE
                   ? pl_file_fail(&w->page.op->error, errno, "opening the folder", path.ptr)
                   : PAIL_OK;
    }
    size_t before = w->len, group = group_length(&w->page, path);
    w->folder = fd;
    w->len = path.len;
    pail_code rc = group ? visit_group(w, group) : walk_folder(w);
    w->folder = parent;
    w->len = before;
    pl_file_close(fd);
    return rc;
}

static pail_code visit_file(struct walk *w, struct pl_str key)
{
    struct stat st;
    size_t group = group_length(&w->page, key);
    if (group) {
        return add_group(&w->page, pl_str_n(key.ptr, group));
    }
    if (pl_sys.stat(w->folder, key.ptr + w->len, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(st.st_mode)) {
        return PAIL_OK; /* deleted meanwhile */
    }
    pail_code rc;
    pail_info *item = add(&w->page, &rc);
    if (item) {
        *item = (pail_info){.key = pl_arena_dup(&w->page.op->arena, key)};
        pl_file_info_of(&w->page.op->arena, item, &st);
    }
    return rc;
}

static pail_code visit_entry(struct pl_str text, void *ctx)
{
    struct walk *w = ctx;
    bool is_folder = text.ptr[text.len - 1] == '/';
    struct pl_str path = joined(w, pl_str_n(text.ptr, text.len - is_folder), is_folder);
    return is_folder ? visit_folder(w, path) : visit_file(w, path);
}

/* The walk begins in the deepest folder that the prefix names; PAIL_DONE: there is none. */
static pail_code go_to_prefix(struct walk *w, int bucket)
{
    const char *prefix = w->page.prefix.ptr, *slash = memrchr(prefix, '/', w->page.prefix.len);
    w->len = slash ? (size_t)(slash - prefix) + 1 : 0;
    if (w->len > PL_FILE_KEY_MAX) {
        return PAIL_DONE;
    }
    memcpy(w->path, prefix, w->len);
    memcpy(w->path + w->len, "x", 2); /* any name: a key in that folder */
    if (pl_file_key_check(w->path, NULL)) {
        return PAIL_DONE;
    }
    struct pl_file_place at;
    pail_code rc = pl_file_find(bucket, w->path, &at, &w->page.op->error);
    w->folder = at.folder;
    return rc == PAIL_E_NOT_FOUND ? PAIL_DONE : rc;
}

pail_code pl_file_list(const struct pl_file *f, struct pl_op *op)
{
    int bucket;
    pail_code rc = pl_file_bucket(f, op->bucket, &bucket, &op->error);
    struct walk *w = rc ? NULL : pl_arena_alloc(&op->arena, sizeof *w);
    if (!w) {
        pl_file_close(bucket);
        return rc ? rc : PAIL_E_NO_MEMORY;
    }
    *w = (struct walk){.page = page_of(op, place_after(op)), .folder = -1};
    rc = go_to_prefix(w, bucket);
    rc = rc ? rc : walk_folder(w);
    pl_file_close(w->folder);
    pl_file_close(bucket);
    if (w->page.more) {
        op->out.next_token = w->page.items[w->page.count - 1].key;
    }
    return close_page(&w->page, rc);
}

/* ---- uploads: by key, then id. Their token is an id, a blank, and the key ---- */

enum { ID = 16 };
static const char no_id[] = "0000000000000000"; /* of a common prefix */

struct uploads {
    struct page page;
    int folder;
    struct pl_window *window;
    struct pl_str after; /* key, NUL, id */
    char room[PL_FILE_KEY_MAX + 2 + ID];
};

static bool offer_upload(const char *id, enum pl_entry kind, void *ctx)
{
    struct uploads *u = ctx;
    char text[PL_FILE_KEY_MAX + 2 + ID];
    int64_t begun;
    if (kind == PL_ENTRY_FOLDER && pl_file_upload_read(u->folder, id, text, &begun)) {
        size_t n = strlen(text);
        memcpy(text + n + 1, id, ID);
        struct pl_str all = pl_str_n(text, n + 1 + ID);
        if (pl_str_starts(pl_str_n(text, n), u->page.prefix) &&
            pl_order_compare(all, u->after) > 0) {
            pl_window_offer(u->window, all);
        }
    }
    return true;
}

static pail_code fill_uploads(struct pl_window *window, void *ctx)
{
    struct uploads *u = ctx;
    u->window = window;
    return pl_sys_scan(u->folder, offer_upload, u) || errno == ENOENT
               ? PAIL_OK
               : pl_file_fail(&u->page.op->error, errno, "reading the folder", PL_FILE_UPLOADS);
}

static pail_code visit_upload(struct pl_str text, void *ctx)
{
    struct uploads *u = ctx;
    struct pl_str key = pl_str_n(text.ptr, text.len - ID - 1);
    size_t group = group_length(&u->page, key);
    if (group) {
        return add_group(&u->page, pl_str_n(key.ptr, group));
    }
    char again[PL_FILE_KEY_MAX + 1];
    int64_t begun;
    pail_code rc = PAIL_OK;
    char id[ID + 1] = "";
    memcpy(id, text.ptr + key.len + 1, ID);
    pail_info *item = pl_file_upload_read(u->folder, id, again, &begun) ? add(&u->page, &rc) : NULL;
    if (item) {
        *item = (pail_info){.key = pl_arena_dup(&u->page.op->arena, key),
                            .upload_id = pl_arena_dup_c(&u->page.op->arena, id),
                            .mtime_ms = begun};
    }
    return rc;
}

/* Where the page begins, from the token or start_after. */
static void place_of_uploads(struct uploads *u, struct pl_op *op)
{
    const char *token = op->in.list.token, *key = op->in.list.start_after;
    char id[ID + 1] = "\xff"; /* behind all of that key */
    if (token && strlen(token) > ID + 1 && token[ID] == ' ') {
        key = token + ID + 1;
        if (memcmp(token, no_id, ID) != 0) {
            memcpy(id, token, ID);
        }
    }
    size_t n = key ? strlen(key) : 0;
    u->page = page_of(op, n <= PL_FILE_KEY_MAX ? key : NULL);
    if (n && n <= PL_FILE_KEY_MAX) {
        memcpy(u->room, key, n + 1);
        memcpy(u->room + n + 1, id, strlen(id));
        u->after = pl_str_n(u->room, n + 1 + strlen(id));
    }
}

static const char *upload_token(struct page *p)
{
    const pail_info *last = &p->items[p->count - 1];
    size_t n = strlen(last->key);
    char *token = pl_arena_alloc(&p->op->arena, ID + 1 + n + 1);
    if (token) {
        memcpy(token, last->upload_id ? last->upload_id : no_id, ID);
        token[ID] = ' ';
        memcpy(token + ID + 1, last->key, n);
    }
    return token;
}

pail_code pl_file_list_uploads(const struct pl_file *f, struct pl_op *op)
{
    int bucket;
    struct uploads u = {.folder = -1};
    pail_code rc = pl_file_bucket(f, op->bucket, &bucket, &op->error);
    place_of_uploads(&u, op);
    u.folder = rc ? -1 : pl_file_folder(bucket, PL_FILE_UPLOADS);
    if (u.folder >= 0) {
        struct pl_order order = {fill_uploads, visit_upload, &u};
        rc = pl_order_run(&order, u.page.max + 1);
    }
    pl_file_close(u.folder);
    pl_file_close(bucket);
    if (u.page.more) {
        op->out.next_token = upload_token(&u.page);
    }
    return close_page(&u.page, rc);
}

/* ---- buckets ---- */

struct buckets {
    struct page page;
    int root;
    struct pl_window *window;
    const char *path;
};

static bool offer_bucket(const char *name, enum pl_entry kind, void *ctx)
{
    struct buckets *b = ctx;
    struct pl_str text = pl_str_c(name);
    if (kind == PL_ENTRY_FOLDER && usable_name(text) && wanted(&b->page, text, false)) {
        pl_window_offer(b->window, text);
    }
    return true;
}

static pail_code fill_buckets(struct pl_window *window, void *ctx)
{
    struct buckets *b = ctx;
    b->window = window;
    return pl_sys_scan(b->root, offer_bucket, b)
               ? PAIL_OK
               : pl_file_fail(&b->page.op->error, errno, "reading the folder", b->path);
}

static pail_code visit_bucket(struct pl_str text, void *ctx)
{
    struct buckets *b = ctx;
    char name[PL_FILE_SEGMENT_MAX + 1] = "";
    memcpy(name, text.ptr, text.len);
    struct stat st;
    if (pl_sys.stat(b->root, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return PAIL_OK; /* deleted meanwhile */
    }
    pail_code rc;
    pail_info *item = add(&b->page, &rc);
    if (item) {
        *item = (pail_info){.key = pl_arena_dup(&b->page.op->arena, text),
                            .mtime_ms =
                                (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000};
    }
    return rc;
}

pail_code pl_file_list_buckets(const struct pl_file *f, struct pl_op *op)
{
    struct buckets b = {.page = page_of(op, place_after(op)), .root = -1, .path = f->root};
    pail_code rc = pl_file_root(f, &b.root, &op->error);
    if (rc == PAIL_OK) {
        struct pl_order order = {fill_buckets, visit_bucket, &b};
        rc = pl_order_run(&order, b.page.max + 1);
    }
    pl_file_close(b.root);
    if (b.page.more) {
        op->out.next_token = b.page.items[b.page.count - 1].key;
    }
    return close_page(&b.page, rc);
}
