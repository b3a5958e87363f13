#include "local/home.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statfs.h>

#include "base/sys.h"
#include "codec/hex.h"
#include "local/index.h"

#define FORMAT_NAME "format"
#define FORMAT_NEW  "format.new"
#define INDEX_NEW   "index.new"
enum { FORMAT = 3, FORMAT_OLDEST = 2, FORMAT_MAX = 4096 };

static char *join(const char *folder, const char *name)
{
    struct pl_buf b = PL_BUF_MAX(PATH_MAX);
    pl_buf_printf(&b, "%s/%s", folder, name);
    return pl_buf_take(&b);
}

static char *absolute(const char *path)
{
    char room[PATH_MAX];
    if (*path == '/') {
        return pl_strdup(path);
    }
    return realpath(".", room) ? join(room, path) : NULL;
}

pail_code pl_home_path(const struct pl_provider_env *env, char **home, struct pail_error **err)
{
    const char *set = pl_settings_get(env->settings, "local_home");
    const char *data = env->ignore_environment ? NULL : pl_sys.env("XDG_DATA_HOME");
    const char *user = env->ignore_environment ? NULL : pl_sys.env("HOME");
    *home = NULL;
    if (set) {
        *home = absolute(set);
    } else if (data && *data == '/') {
        *home = join(data, "pail");
    } else if (user) {
        *home = join(user, ".local/share/pail");
    } else {
        pl_fail(err, PAIL_E_BAD_CONFIG, "no place for the LOCAL store is known");
        pl_error_hint(err, "set local_home, or PAIL_HOME in the environment");
        return PAIL_E_BAD_CONFIG;
    }
    return *home ? PAIL_OK
                 : pl_fail(err, PAIL_E_BAD_CONFIG,
                           "the path of the LOCAL store is too long, or there is no memory for it");
}

/* ---- file systems between machines: their locks and shared memory do not hold ---- */

static const struct {
    unsigned long magic;
    const char *name;
} network[] = {{0x6969, "NFS"},        {0x517b, "SMB"},       {0xff534d42, "CIFS"},
               {0xfe534d42, "SMB"},    {0x01021997, "9P"},    {0x5346414f, "AFS"},
               {0x6b414653, "AFS"},    {0x73757245, "Coda"},  {0x00c36400, "Ceph"},
               {0x0bd00bd0, "Lustre"}, {0x01161970, "GFS2"},  {0x7461636f, "OCFS2"},
               {0x47504653, "GPFS"},   {0x19830326, "BeeGFS"}};
static const char *const fuse_network[] = {
    "fuse.sshfs",    "fuse.rclone",    "fuse.s3fs",          "fuse.gcsfuse",   "fuse.glusterfs",
    "fuse.davfs",    "fuse.curlftpfs", "fuse.juicefs",       "fuse.goofys",    "fuse.mount-s3",
    "fuse.smbnetfs", "fuse.ceph-fuse", "fuse.mountpoint-s3", "fuse.blobfuse2", "fuse.afp"};
enum { FUSE_MAGIC = 0x65735546, MOUNTS_MAX = 4 << 20 };

/* One line of mountinfo: "36 35 98:0 /root /mnt options - fuse.sshfs source ..." */
static const char *fuse_kind(struct pl_str line)
{
    struct pl_str word = {0};
    while (line.ptr && !pl_str_is(word, "-")) {
        word = pl_str_split(&line, ' ');
    }
    word = pl_str_split(&line, ' ');
    for (size_t i = 0; i < sizeof fuse_network / sizeof *fuse_network; i++) {
        if (pl_str_is(word, fuse_network[i])) {
            return fuse_network[i];
        }
    }
    return NULL;
}

static const char *fuse_network_kind(int fd)
{
    struct stat st;
    size_t len = 0;
    char *mounts = pl_sys_read_file("/proc/self/mountinfo", MOUNTS_MAX, &len);
    const char *kind = NULL;
    if (mounts && pl_sys.fstat(fd, &st) == 0) {
        char device[48];
        snprintf(device, sizeof device, "%u:%u", (unsigned)(st.st_dev >> 8 & 0xfff),
                 (unsigned)((st.st_dev & 0xff) | (st.st_dev >> 12 & 0xfff00)));
        struct pl_str rest = pl_str_n(mounts, len);
        while (rest.ptr && !kind) {
            struct pl_str line = pl_str_split(&rest, '\n'), words = line;
            pl_str_split(&words, ' ');
            pl_str_split(&words, ' ');
            if (pl_str_is(pl_str_split(&words, ' '), device)) {
                kind = fuse_kind(line);
            }
        }
    }
    pl_free(mounts);
    return kind;
}

static pail_code check_file_system(int fd, const char *home, struct pail_error **err)
{
    struct statfs st;
    if (pl_sys.fstatfs(fd, &st) != 0) {
        return pl_fail_errno(err, errno, "asking for the file system of %s", home);
    }
    unsigned long magic = (unsigned long)st.f_type & 0xffffffffUL;
    const char *name = magic == FUSE_MAGIC ? fuse_network_kind(fd) : NULL;
    for (size_t i = 0; i < sizeof network / sizeof *network; i++) {
        name = network[i].magic == magic ? network[i].name : name;
    }
    if (!name) {
        return PAIL_OK;
    }
    pl_fail(err, PAIL_E_UNSUPPORTED,
            "the LOCAL store cannot live on a network file system, and %s is on %s", home, name);
    pl_error_hint(err, "put it on a local disk (PAIL_HOME=/other/place), or use plain files there "
                       "with file:///folder");
    return PAIL_E_UNSUPPORTED;
}

/* ---- the folder ---- */

/* The name of a new folder must outlive the power as the store in it does. */
static bool sync_parent(const char *path)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash && slash > path ? (size_t)(slash - path) : 1;
    memcpy(parent, path, n);
    parent[n] = '\0';
    int fd = pl_sys.open(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, 0);
    bool ok = fd >= 0 && pl_sys.fsync(fd) == 0;
    int saved = errno;
    if (fd >= 0) {
        pl_sys.close(fd);
    }
    errno = saved;
    return ok;
}

static pail_code make_folders(const char *home, struct pail_error **err)
{
    char path[PATH_MAX];
    size_t n = strlen(home);
    if (n >= sizeof path) {
        return pl_fail(err, PAIL_E_BAD_CONFIG, "the path of the LOCAL store is too long");
    }
    for (size_t i = 1; i <= n; i++) {
        if (i == n || home[i] == '/') {
            memcpy(path, home, i);
            path[i] = '\0';
            bool made = pl_sys.mkdir(AT_FDCWD, path, 0700) == 0;
            if (made ? !sync_parent(path) : errno != EEXIST) {
                return pl_fail_errno(err, errno, "making the folder %s", path);
            }
        }
    }
    return PAIL_OK;
}

pail_code pl_home_open(const char *home, bool create, int *fd, struct pail_error **err)
{
    int flags = O_RDONLY | O_DIRECTORY;
    *fd = pl_sys.open(AT_FDCWD, home, flags, 0);
    if (*fd < 0 && errno == ENOENT) {
        if (!create) {
            return PAIL_OK;
        }
        pail_code rc = make_folders(home, err);
        if (rc) {
            return rc;
        }
        *fd = pl_sys.open(AT_FDCWD, home, flags, 0);
    }
    if (*fd < 0) {
        return pl_fail_errno(err, errno, "opening the folder %s of the LOCAL store", home);
    }
    pail_code rc = check_file_system(*fd, home, err);
    if (rc) {
        pl_sys.close(*fd);
        *fd = -1;
    }
    return rc;
}

/* "pail local store\nformat 3\nid HEX\n" */
static pail_code parse(struct pl_str text, const char *home, char *id, bool *old,
                       struct pail_error **err)
{
    uint64_t format = 0;
    bool ours = pl_str_is(pl_str_split(&text, '\n'), "pail local store");
    struct pl_str line = pl_str_split(&text, '\n');
    if (!ours || !pl_str_starts(line, PL_STR("format ")) ||
        !pl_str_u64(pl_str_n(line.ptr + 7, line.len - 7), &format)) {
        return pl_fail(err, PAIL_E_CHECKSUM, "%s/" FORMAT_NAME " is not that of a LOCAL store",
                       home);
    }
    *old = format < FORMAT;
    if (format > FORMAT || format < FORMAT_OLDEST) {
        pl_fail(err, PAIL_E_UNSUPPORTED, "the LOCAL store %s has format %llu, this Pail knows %d",
                home, (unsigned long long)format, FORMAT);
        pl_error_hint(err, format > FORMAT
                               ? "use a newer Pail for it"
                               : "read it with the Pail that made it, and copy it over");
        return PAIL_E_UNSUPPORTED;
    }
    line = pl_str_split(&text, '\n');
    if (line.len != 3 + PL_STORE_ID_MAX - 1 || !pl_str_starts(line, PL_STR("id "))) {
        return pl_fail(err, PAIL_E_CHECKSUM, "%s/" FORMAT_NAME " has no id", home);
    }
    memcpy(id, line.ptr + 3, line.len - 3);
    id[line.len - 3] = '\0';
    return PAIL_OK;
}

pail_code pl_home_read(int fd, const char *home, bool *found, bool *old, char id[PL_STORE_ID_MAX],
                       struct pail_error **err)
{
    char text[FORMAT_MAX];
    int file = pl_sys.open(fd, FORMAT_NAME, O_RDONLY, 0);
    *found = file >= 0;
    if (file < 0) {
        return errno == ENOENT ? PAIL_OK
                               : pl_fail_errno(err, errno, "opening %s/" FORMAT_NAME, home);
    }
    ssize_t n = pl_sys.read(file, text, sizeof text);
    int saved = errno;
    pl_sys.close(file);
    return n < 0 ? pl_fail_errno(err, saved, "reading %s/" FORMAT_NAME, home)
                 : parse(pl_str_n(text, (size_t)n), home, id, old, err);
}

pail_code pl_home_write(int fd, const char *id, struct pail_error **err)
{
    char text[128];
    int n = snprintf(text, sizeof text, "pail local store\nformat %d\nid %s\n", FORMAT, id);
    int file = pl_sys.open(fd, FORMAT_NEW, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    bool ok = file >= 0 && pl_sys_write_full(file, text, (size_t)n, 0) && pl_sys.fsync(file) == 0 &&
              pl_sys.rename(fd, FORMAT_NEW, fd, FORMAT_NAME, 0) == 0 && pl_sys.fsync(fd) == 0;
    int saved = errno;
    if (file >= 0) {
        pl_sys.close(file);
    }
    return ok ? PAIL_OK : pl_fail_errno(err, saved, "writing the format file of the LOCAL store");
}

/* What may be there before a store is made: what an interrupted try left, and what does not
 * matter. */
static bool is_known(const char *name, void *ctx)
{
    static const char *const known[] = {PL_GATE_NAME, FORMAT_NEW, PL_DATA_NAME, "serve",
                                        "lost+found"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i]) == 0) {
            return true;
        }
    }
    if (strncmp(name, INDEX_NEW, strlen(INDEX_NEW)) == 0 ||
        strncmp(name, PL_INDEX_NAME, strlen(PL_INDEX_NAME)) == 0) {
        return true;
    }
    snprintf(ctx, NAME_MAX + 1, "%s", name);
    return false;
}

static pail_code make_index(int fd, const char *home, struct pail_error **err)
{
    static const char *const old[] = {INDEX_NEW, INDEX_NEW "-wal", INDEX_NEW "-shm",
                                      INDEX_NEW "-journal", PL_INDEX_NAME "-wal"};
    for (size_t i = 0; i < sizeof old / sizeof *old; i++) {
        (void)pl_sys.unlink(fd, old[i], 0);
    }
    char *path = join(home, INDEX_NEW);
    int file = pl_sys.open(fd, INDEX_NEW, O_RDWR | O_CREAT | O_EXCL, 0600);
    pail_code rc = !path      ? pl_fail(err, PAIL_E_BAD_CONFIG, "the path of the store is too long")
                   : file < 0 ? pl_fail_errno(err, errno, "making the index in %s", home)
                              : pl_index_create(path, err);
    if (rc == PAIL_OK &&
        (pl_sys.fsync(file) != 0 || pl_sys.rename(fd, INDEX_NEW, fd, PL_INDEX_NAME, 0) != 0)) {
        rc = pl_fail_errno(err, errno, "making the index in %s", home);
    }
    if (file >= 0) {
        pl_sys.close(file);
    }
    pl_free(path);
    return rc;
}

pail_code pl_home_create(int fd, const char *home, char id[PL_STORE_ID_MAX],
                         struct pail_error **err)
{
    char other[NAME_MAX + 1] = "";
    unsigned char random[(PL_STORE_ID_MAX - 1) / 2];
    if (!pl_sys_list(fd, ".", is_known, other)) {
        if (*other) {
            pl_fail(err, PAIL_E_BAD_CONFIG, "%s holds no LOCAL store but other things, such as %s",
                    home, other);
            pl_error_hint(err,
                          "name an empty or new folder for it; file://%s uses the files as "
                          "they are",
                          home);
            return PAIL_E_BAD_CONFIG;
        }
        return pl_fail_errno(err, errno, "listing %s", home);
    }
    pail_code rc = make_index(fd, home, err);
    if (rc) {
        return rc;
    }
    if (pl_sys.mkdir(fd, PL_DATA_NAME, 0700) != 0 && errno != EEXIST) {
        return pl_fail_errno(err, errno, "making %s/" PL_DATA_NAME, home);
    }
    if (!pl_sys.random(random, sizeof random)) {
        return pl_fail_errno(err, errno, "asking the system for random bytes");
    }
    pl_hex_encode(id, random, sizeof random);
    return pl_home_write(fd, id, err);
}
