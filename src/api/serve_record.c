/* "serve/NAME" in the home of LOCAL stores: the key that signs URLs, and the server's address. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "api/server.h"
#include "base/sys.h"
#include "codec/digest.h"
#include "codec/hex.h"

enum { RECORD_MAX = 4096, ID_BYTES = 10, SECRET_BYTES = 30 };

void pl_serve_record_dispose(struct pl_serve_record *r)
{
    pl_free(r->id);
    pl_free_secret(r->secret);
    pl_free(r->store);
    pl_free(r->address);
    *r = (struct pl_serve_record){0};
}

static char *random_text(size_t n)
{
    unsigned char bytes[SECRET_BYTES];
    char hex[2 * SECRET_BYTES + 1];
    if (!pl_sys.random(bytes, n)) {
        return NULL;
    }
    pl_hex_encode(hex, bytes, n);
    char *text = pl_strdup(hex);
    pl_zero(hex, sizeof hex);
    pl_zero(bytes, sizeof bytes);
    return text;
}

static pail_code make(struct pl_serve_record *r, struct pail_error **err)
{
    r->id = random_text(ID_BYTES);
    r->secret = random_text(SECRET_BYTES);
    r->store = random_text(ID_BYTES);
    return r->id && r->secret && r->store
               ? PAIL_OK
               : pl_fail(err, PAIL_E_NO_MEMORY, "no memory or no random numbers for a key");
}

/* ---- where it is ---- */

static bool is_kept(const pail_client *c)
{
    return strcmp(c->scheme, "local") == 0 || strcmp(c->scheme, "file") == 0;
}

/* The folder of records of plain folders, which may be anybody's to write. */
static bool add_home(const pail_client *c, struct pl_buf *b)
{
    const char *set = pl_settings_get(&c->settings, "local_home");
    const char *env = c->ignores_environment ? NULL : pl_sys.env("PAIL_HOME");
    const char *data = c->ignores_environment ? NULL : pl_sys.env("XDG_DATA_HOME");
    const char *user = c->ignores_environment ? NULL : pl_sys.env("HOME");
    set = set ? set : env;
    if (set || data) {
        pl_buf_puts(b, set ? set : data);
        pl_buf_puts(b, set ? "" : "/pail");
    } else if (user) {
        pl_buf_puts(b, user);
        pl_buf_puts(b, "/.local/share/pail");
    }
    return set || data || user;
}

static pail_code record_path(const pail_client *c, struct pl_buf *folder, struct pl_buf *file,
                             struct pail_error **err)
{
    struct pl_sum_value v = {.len = 0};
    char hex[2 * PL_SUM_BYTES_MAX + 1] = "store";
    bool known = add_home(c, folder);
    pail_code rc = PAIL_OK;
    if (strcmp(c->scheme, "file") == 0) {
        rc = pl_sum_of(PL_SUM_SHA256, c->path, strlen(c->path), &v, err);
        pl_hex_encode(hex, v.bytes, v.len / 2);
    }
    pl_buf_puts(folder, "/serve");
    pl_buf_str(file, pl_buf_view(folder));
    pl_buf_printf(file, "/%s", hex);
    rc = rc ? rc : pl_buf_rc(folder);
    rc = rc ? rc : pl_buf_rc(file);
    if (rc == PAIL_OK && !known) {
        rc = pl_fail(err, PAIL_E_BAD_CONFIG, "no place for the key of signed URLs is known");
        pl_error_hint(err, "set PAIL_HOME in the environment");
    }
    return rc;
}

/* ---- reading and writing ---- */

static void parse(struct pl_str text, struct pl_serve_record *r)
{
    while (text.ptr && text.len) {
        struct pl_str value = pl_str_split(&text, '\n'), name = pl_str_split(&value, ' ');
        char **to = pl_str_is(name, "id")        ? &r->id
                    : pl_str_is(name, "secret")  ? &r->secret
                    : pl_str_is(name, "store")   ? &r->store
                    : pl_str_is(name, "address") ? &r->address
                                                 : NULL;
        if (to && !*to && value.len) {
            *to = pl_strndup(value.ptr, value.len);
        }
    }
}

pail_code pl_serve_record_read(const pail_client *c, struct pl_serve_record *r,
                               struct pail_error **err)
{
    struct pl_buf folder = PL_BUF_MAX(PATH_MAX), file = PL_BUF_MAX(PATH_MAX);
    size_t n = 0;
    *r = (struct pl_serve_record){0};
    if (!is_kept(c)) {
        return PAIL_E_NOT_FOUND;
    }
    pail_code rc = record_path(c, &folder, &file, err);
    char *text = rc ? NULL : pl_sys_read_file(file.ptr, RECORD_MAX, &n);
    if (text) {
        parse(pl_str_n(text, n), r);
        pl_free_secret(text);
    }
    rc = rc ? rc : r->id && r->secret && r->store ? PAIL_OK : PAIL_E_NOT_FOUND;
    pl_buf_dispose(&folder);
    pl_buf_dispose(&file);
    if (rc) {
        pl_serve_record_dispose(r);
    }
    return rc;
}

static pail_code write_file(const char *path, struct pl_str text, struct pail_error **err)
{
    struct pl_buf temp = PL_BUF_MAX(PATH_MAX);
    pl_buf_printf(&temp, "%s.new", path);
    if (pl_buf_rc(&temp)) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a path");
    }
    (void)pl_sys.unlink(AT_FDCWD, temp.ptr, 0);
    int fd = pl_sys.open(AT_FDCWD, temp.ptr, O_WRONLY | O_CREAT | O_EXCL, 0600);
    bool ok = fd >= 0 && pl_sys_write_full(fd, text.ptr, text.len, 0);
    int saved = errno;
    if (fd >= 0) {
        pl_sys.close(fd);
    }
    if (ok && pl_sys.rename(AT_FDCWD, temp.ptr, AT_FDCWD, path, 0) < 0) {
        saved = errno;
        ok = false;
    }
    pl_buf_dispose(&temp);
    return ok ? PAIL_OK : pl_fail_errno(err, saved, "writing %s", path);
}

pail_code pl_serve_record_save(const pail_client *c, const struct pl_serve_record *r,
                               struct pail_error **err)
{
    struct pl_buf folder = PL_BUF_MAX(PATH_MAX), file = PL_BUF_MAX(PATH_MAX);
    struct pl_buf text = PL_BUF_MAX(RECORD_MAX);
    if (!is_kept(c)) {
        return PAIL_OK;
    }
    pail_code rc = record_path(c, &folder, &file, err);
    pl_buf_printf(&text, "id %s\nsecret %s\nstore %s\n", r->id, r->secret, r->store);
    if (r->address) {
        pl_buf_printf(&text, "address %s\n", r->address);
    }
    rc = rc ? rc : pl_buf_rc(&text);
    for (char *at = folder.ptr; rc == PAIL_OK && at && (at = strchr(at + 1, '/')) != NULL;) {
        *at = '\0';
        (void)pl_sys.mkdir(AT_FDCWD, folder.ptr, 0700);
        *at = '/';
    }
    if (rc == PAIL_OK && pl_sys.mkdir(AT_FDCWD, folder.ptr, 0700) < 0 && errno != EEXIST) {
        rc = pl_fail_errno(err, errno, "making %s", folder.ptr);
    }
    rc = rc ? rc : write_file(file.ptr, pl_buf_view(&text), err);
    if (text.ptr) {
        pl_zero(text.ptr, text.cap);
    }
    pl_buf_dispose(&text);
    pl_buf_dispose(&folder);
    pl_buf_dispose(&file);
    return rc;
}

pail_code pl_serve_record_open(const pail_client *c, struct pl_serve_record *r,
                               struct pail_error **err)
{
    pail_code rc = pl_serve_record_read(c, r, err);
    if (rc != PAIL_E_NOT_FOUND) {
        return rc;
    }
    rc = make(r, err);
    if (rc) {
        pl_serve_record_dispose(r);
    }
    return rc;
}
