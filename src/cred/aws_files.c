#include "cred/aws_files.h"

#include <errno.h>

#include "base/sys.h"
#include "codec/ini.h"

/* Rules: AWS SDKs and Tools Reference Guide, "Shared config and credentials files" and "Location of
 * the shared config and credentials files". */

struct reading {
    struct pl_aws_files *files;
    bool credentials;
    const char *shown;
};

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           memchr("_-/.%@:+", c, 8) != NULL;
}

static bool is_name(struct pl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_name_byte(s.ptr[i])) {
            return false;
        }
    }
    return s.len > 0;
}

/* "profile NAME" with that word: NAME in *name. */
static bool takes_prefix(struct pl_str section, struct pl_str word, struct pl_str *name)
{
    if (!pl_str_starts(section, word) || section.len == word.len ||
        (section.ptr[word.len] != ' ' && section.ptr[word.len] != '\t')) {
        return false;
    }
    *name = pl_str_trim(pl_str_n(section.ptr + word.len, section.len - word.len));
    return true;
}

/* What a section is. False: nothing that counts. */
static bool classify(const struct reading *r, struct pl_str section, struct pl_aws_entry *e,
                     struct pl_str *name)
{
    e->section = PL_AWS_PROFILE;
    if (r->credentials) {
        *name = section;
    } else if (takes_prefix(section, PL_STR("profile"), name)) {
        e->is_prefixed = true;
    } else if (takes_prefix(section, PL_STR("sso-session"), name)) {
        e->section = PL_AWS_SSO_SESSION;
    } else if (takes_prefix(section, PL_STR("services"), name)) {
        e->section = PL_AWS_SERVICES;
    } else if (pl_str_is(section, "default")) {
        *name = section;
    } else {
        return false;
    }
    return is_name(*name);
}

static pail_code on_item(void *ctx, const struct pl_ini_item *item, struct pail_error **err)
{
    const struct reading *r = ctx;
    struct pl_aws_files *f = r->files;
    struct pl_aws_entry found = {.of_credentials = r->credentials, .line = item->line};
    struct pl_str name;
    if (!classify(r, item->section, &found, &name) || (item->key.len && !is_name(item->key))) {
        return PAIL_OK;
    }
    struct pl_aws_entry *e = pl_arena_alloc(&f->arena, sizeof *e);
    if (e) {
        *e = found;
        e->name = pl_arena_dup(&f->arena, name);
        e->key = pl_arena_dup(&f->arena, item->key);
        e->value = pl_arena_dup(&f->arena, item->value);
        e->file = pl_arena_dup_c(&f->arena, r->shown);
    }
    if (!e || f->arena.failed) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory to read %s", r->shown);
    }
    f->default_is_prefixed |=
        e->section == PL_AWS_PROFILE && e->is_prefixed && strcmp(e->name, "default") == 0;
    if (f->last) {
        f->last->next = e;
    } else {
        f->first = e;
    }
    f->last = e;
    return PAIL_OK;
}

pail_code pl_aws_files_add(struct pl_aws_files *f, struct pl_str text, bool credentials,
                           const char *shown, struct pail_error **err)
{
    struct reading r = {f, credentials, shown};
    return pl_ini_parse(text, shown, on_item, &r, err);
}

bool pl_aws_files_counts(const struct pl_aws_files *f, const struct pl_aws_entry *e)
{
    return !(f->default_is_prefixed && e->section == PL_AWS_PROFILE && !e->is_prefixed &&
             !e->of_credentials && strcmp(e->name, "default") == 0);
}

const struct pl_aws_entry *pl_aws_files_get(const struct pl_aws_files *f,
                                            enum pl_aws_section section, const char *name,
                                            const char *key)
{
    const struct pl_aws_entry *found = NULL;
    for (const struct pl_aws_entry *e = f->first; e; e = e->next) {
        if (e->section == section && strcmp(e->name, name) == 0 && strcmp(e->key, key) == 0 &&
            pl_aws_files_counts(f, e)) {
            found = e;
        }
    }
    return found;
}

void pl_aws_files_dispose(struct pl_aws_files *f)
{
    for (struct pl_aws_entry *e = f->first; e; e = e->next) {
        pl_zero(e->value, strlen(e->value));
    }
    pl_arena_dispose(&f->arena);
    *f = (struct pl_aws_files){0};
}

char *pl_aws_files_path(const struct pl_settings *s, bool credentials, char **shown)
{
    const char *home = pl_sys.env("HOME");
    const char *given =
        pl_settings_get(s, credentials ? "aws_shared_credentials_file" : "aws_config_file");
    struct pl_buf path = PL_BUF_MAX(1 << 16);
    if (shown) {
        *shown = NULL;
    }
    if (given && (given[0] != '~' || given[1] != '/')) {
        pl_buf_puts(&path, given);
    } else if (home) {
        pl_buf_puts(&path, home);
        pl_buf_puts(&path, given ? given + 1 : credentials ? "/.aws/credentials" : "/.aws/config");
    } else {
        return NULL;
    }
    if (shown) {
        size_t n = home ? strlen(home) : 0;
        bool inside = n > 1 && path.ptr && pl_str_starts(pl_buf_view(&path), pl_str_n(home, n)) &&
                      path.ptr[n] == '/';
        struct pl_buf text = PL_BUF_MAX(1 << 16);
        pl_buf_puts(&text, inside ? "~" : "");
        pl_buf_puts(&text, path.ptr ? path.ptr + (inside ? n : 0) : "");
        *shown = pl_buf_take(&text);
    }
    return pl_buf_take(&path);
}

enum { FILE_MAX_BYTES = 1 << 20 };

static bool is_set(const struct pl_settings *s, const char *name)
{
    return pl_settings_get(s, name) != NULL;
}

static bool is_of_environment(const struct pl_settings *s, const char *name)
{
    const char *origin = pl_settings_origin(s, name);
    return origin && pl_str_starts(pl_str_c(origin), PL_STR("environment"));
}

/* ---- Reading the two files */

/* A file that is not there is no error, unless it was asked for by more than the environment; nor
 * is one in another user's home, where it is not needed. */
static bool may_be_missing(const struct pl_settings *s, bool credentials, int number)
{
    const char *name = credentials ? "aws_shared_credentials_file" : "aws_config_file";
    bool by_hand = is_set(s, name) && !is_of_environment(s, name);
    if (number == ENOENT || number == ENOTDIR) {
        return !by_hand;
    }
    bool needed = !is_set(s, "aws_access_key_id") && !is_set(s, "aws_skip_signature");
    return number == EACCES && !is_set(s, name) && !needed;
}

static pail_code read_file(const struct pl_settings *s, struct pl_aws_files *f, bool credentials,
                           struct pail_error **err)
{
    char *shown = NULL, *path = pl_aws_files_path(s, credentials, &shown);
    size_t len = 0;
    pail_code rc = PAIL_OK;
    char *text = path ? pl_sys_read_file(path, FILE_MAX_BYTES, &len) : NULL;
    if (text) {
        rc = pl_aws_files_add(f, pl_str_n(text, len), credentials, shown ? shown : path, err);
        pl_zero(text, len);
    } else if (path && !may_be_missing(s, credentials, errno)) {
        char room[128];
        rc = pl_fail(err, errno == ENOMEM ? PAIL_E_NO_MEMORY : PAIL_E_BAD_CONFIG,
                     "cannot read %s: %s", shown ? shown : path,
                     pl_errno_text(errno, room, sizeof room));
        pl_error_hint(err, "%s names another file",
                      credentials ? "AWS_SHARED_CREDENTIALS_FILE" : "AWS_CONFIG_FILE");
    }
    pl_free(text);
    pl_free(path);
    pl_free(shown);
    return rc;
}

pail_code pl_aws_files_read(const struct pl_settings *s, struct pl_aws_files *f,
                            struct pail_error **err)
{
    pail_code rc = read_file(s, f, false, err);
    return rc ? rc : read_file(s, f, true, err);
}
