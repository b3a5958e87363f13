/* Every write and sync of a store is recorded through the seam. Then the power is cut at many
 * places of the record: a folder is made of what had been synced by then - and, every other time,
 * of some of what had not - and the store in it must hold each acknowledged write, and of the one
 * under way all or nothing. PAIL_CRASH_CUTS says how many places (60). */
#include "../unit/local.h"

enum { KEYS = 10, STEPS = 260, FILES_MAX = 4096, FDS_MAX = 4096 };

/* ---- the record ---- */

enum event_kind { WRITE, TRUNCATE, SYNC, CREATE, MAKE_DIR, REMOVE, RENAME, SYNC_DIR, ACK };
struct event {
    enum event_kind kind;
    int file; /* WRITE, TRUNCATE, SYNC, CREATE, REMOVE */
    off_t at;
    size_t n;
    char *data, *path; /* path: below the store; of SYNC_DIR the folder; RENAME: the new one */
};
static struct event *events;
static size_t event_count, event_room;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root;

/* Files by name at the time of their making; a folder's descriptor has a path and no file. */
static struct {
    char *path;
    int file;
} fds[FDS_MAX];
static char *names[FILES_MAX];
static int file_count;

static void record(struct event e)
{
    if (event_count == event_room) {
        event_room = event_room ? event_room * 2 : 1024;
        events = realloc(events, event_room * sizeof *events);
    }
    events[event_count++] = e;
}

/* "data/00000001/400-x" for a path below the store; NULL for any other. */
static char *below(int dir, const char *path)
{
    char room[1024];
    if (*path == '/') {
        snprintf(room, sizeof room, "%s", path);
    } else if (dir >= 0 && dir < FDS_MAX && fds[dir].path) {
        snprintf(room, sizeof room, "%s/%s", fds[dir].path, path);
    } else {
        return NULL;
    }
    size_t n = strlen(root);
    if (strncmp(room, root, n) != 0) {
        return NULL;
    }
    return strdup(room[n] == '/' ? room + n + 1 : room + n);
}

static int file_named(const char *path)
{
    for (int i = file_count; i-- > 0;) {
        if (names[i] && strcmp(names[i], path) == 0) {
            return i;
        }
    }
    return -1;
}

static int rec_open(int dir, const char *path, int flags, mode_t mode)
{
    pthread_mutex_lock(&lock);
    char *name = below(dir, path);
    struct stat st;
    bool is_new = name && (flags & O_CREAT) && real.stat(dir, path, &st, 0) != 0;
    int fd = real.open(dir, path, flags, mode);
    if (fd >= 0 && fd < FDS_MAX) {
        free(fds[fd].path);
        fds[fd].path = NULL;
        fds[fd].file = -1;
        if (name) {
            char room[1024];
            snprintf(room, sizeof room, "%s/%s", root, name);
            fds[fd].path = strdup(name[0] ? room : root);
            fds[fd].file = flags & O_DIRECTORY ? -1 : file_named(name);
            if (is_new || (!(flags & O_DIRECTORY) && fds[fd].file < 0)) {
                names[file_count] = strdup(name);
                fds[fd].file = file_count++;
                record((struct event){CREATE, fds[fd].file, 0, 0, NULL, strdup(name)});
            }
        }
    }
    free(name);
    pthread_mutex_unlock(&lock);
    return fd;
}

static int file_of(int fd)
{
    return fd >= 0 && fd < FDS_MAX && fds[fd].path ? fds[fd].file : -1;
}

static ssize_t rec_pwrite(int fd, const void *buf, size_t n, off_t at)
{
    pthread_mutex_lock(&lock);
    ssize_t done = real.pwrite(fd, buf, n, at);
    if (done > 0 && file_of(fd) >= 0) {
        char *data = malloc((size_t)done);
        memcpy(data, buf, (size_t)done);
        record((struct event){WRITE, file_of(fd), at, (size_t)done, data, NULL});
    }
    pthread_mutex_unlock(&lock);
    return done;
}

static int rec_ftruncate(int fd, off_t size)
{
    pthread_mutex_lock(&lock);
    int rc = real.ftruncate(fd, size);
    if (rc == 0 && file_of(fd) >= 0) {
        record((struct event){TRUNCATE, file_of(fd), size, 0, NULL, NULL});
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

/* Room alone is no content, but the size counts. */
static int rec_fallocate(int fd, off_t size)
{
    pthread_mutex_lock(&lock);
    int rc = real.fallocate(fd, size);
    if (rc == 0 && file_of(fd) >= 0) {
        record((struct event){TRUNCATE, file_of(fd), size, 0, NULL, NULL});
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static void record_sync(int fd)
{
    if (fd >= 0 && fd < FDS_MAX && fds[fd].path) {
        size_t n = strlen(root);
        const char *path = fds[fd].path + n + (fds[fd].path[n] == '/');
        record((struct event){fds[fd].file < 0 ? SYNC_DIR : SYNC, fds[fd].file, 0, 0, NULL,
                              strdup(path)});
    }
}
/* The event stands behind the call: only when it has returned is anything promised. */
static int rec_fsync(int fd)
{
    pthread_mutex_lock(&lock);
    record_sync(fd);
    pthread_mutex_unlock(&lock);
    return 0; /* the real disk does not matter here */
}

static int rec_mkdir(int dir, const char *path, mode_t mode)
{
    pthread_mutex_lock(&lock);
    int rc = real.mkdir(dir, path, mode);
    char *name = rc == 0 ? below(dir, path) : NULL;
    if (name) {
        record((struct event){MAKE_DIR, -1, 0, 0, NULL, name});
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static int rec_unlink(int dir, const char *path, int flags)
{
    pthread_mutex_lock(&lock);
    int rc = real.unlink(dir, path, flags);
    char *name = rc == 0 ? below(dir, path) : NULL;
    int file = name ? file_named(name) : -1;
    if (file >= 0) {
        record((struct event){REMOVE, file, 0, 0, NULL, strdup(name)});
        free(names[file]);
        names[file] = NULL;
    }
    free(name);
    pthread_mutex_unlock(&lock);
    return rc;
}

static void start_recording(void)
{
    real = pl_sys;
    pl_sys.open = rec_open;
    pl_sys.pwrite = rec_pwrite;
    pl_sys.ftruncate = rec_ftruncate;
    pl_sys.fallocate = rec_fallocate;
    pl_sys.fsync = rec_fsync;
    pl_sys.fdatasync = rec_fsync;
    pl_sys.mkdir = rec_mkdir;
    pl_sys.unlink = rec_unlink;
}

/* ---- the disk after a cut ---- */

struct image {
    char *data;   /* what is sure */
    size_t size;  /* of it */
    size_t first; /* the event behind the last sync */
    bool exists;
};
static struct image images[FILES_MAX];

static void image_write(struct image *m, off_t at, const char *data, size_t n)
{
    size_t end = (size_t)at + n;
    if (end > m->size) {
        m->data = realloc(m->data, end);
        memset(m->data + m->size, 0, end - m->size);
        m->size = end;
    }
    if (n) {
        memcpy(m->data + at, data, n);
    }
}

static void image_truncate(struct image *m, off_t size)
{
    if ((size_t)size <= m->size) {
        m->size = (size_t)size;
    } else {
        image_write(m, size, "", 0);
    }
}

static void apply(struct image *m, const struct event *e)
{
    if (e->kind == WRITE) {
        image_write(m, e->at, e->data, e->n);
    } else if (e->kind == TRUNCATE) {
        /* fallocate only ever grows; a real truncate only ever shrinks */
        image_truncate(m, e->at);
    }
}

static unsigned dice_state;
static unsigned dice(void)
{
    return (dice_state = dice_state * 1103515245u + 12345u) >> 16;
}

/* All writes of one file in (from, to): those before its last sync surely, others by chance. */
static void settle_file(int file, size_t to, bool some)
{
    struct image *m = &images[file];
    size_t last = 0;
    for (size_t i = 0; i < to; i++) {
        if (events[i].kind == SYNC && events[i].file == file) {
            last = i + 1;
        }
    }
    for (size_t i = 0; i < to; i++) {
        if (events[i].file == file && (i < last || (some && dice() % 2))) {
            apply(m, &events[i]);
        }
    }
}

/* Whether the folder of a path was synced between event `since` and `to`. */
static bool folder_synced(const char *path, size_t since, size_t to)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    for (size_t i = since; i < to; i++) {
        if (events[i].kind == SYNC_DIR && strlen(events[i].path) == n &&
            strncmp(events[i].path, path, n) == 0) {
            return true;
        }
    }
    return false;
}

static void write_out(const char *home, const char *path, const struct image *m)
{
    char room[1200];
    snprintf(room, sizeof room, "%s/%s", home, path);
    int fd = open(room, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    CHECK(fd >= 0);
    if (m->size) {
        CHECK(write(fd, m->data, m->size) == (ssize_t)m->size);
    }
    close(fd);
}

/* The folder as it may look after a cut before event `to`. */
static void make_image(const char *home, size_t to, bool some)
{
    char room[1200];
    snprintf(room, sizeof room, "%s/data", home);
    mkdir(room, 0700);
    for (size_t i = 0; i < to; i++) {
        const struct event *e = &events[i];
        bool sure = e->path && folder_synced(e->path, i, to);
        if (e->kind == MAKE_DIR && (sure || (some && dice() % 2))) {
            snprintf(room, sizeof room, "%s/%s", home, e->path);
            mkdir(room, 0700);
        } else if (e->kind == CREATE && e->file >= 0) {
            images[e->file].exists = sure || (some && dice() % 2);
        } else if (e->kind == REMOVE && (sure || (some && dice() % 2))) {
            images[e->file].exists = false;
        }
    }
    for (int f = 0; f < file_count; f++) {
        if (images[f].exists) {
            settle_file(f, to, some);
        }
    }
    for (size_t i = 0; i < to; i++) {
        if (events[i].kind == CREATE && images[events[i].file].exists &&
            !strstr(events[i].path, "-shm")) {
            write_out(home, events[i].path, &images[events[i].file]);
        }
    }
}

static void drop_images(void)
{
    for (int f = 0; f < file_count; f++) {
        free(images[f].data);
        images[f] = (struct image){0};
    }
}

/* ---- the story ---- */

static uint32_t state[STEPS + 1][KEYS]; /* after each step: the version of each key, 0: none */
static size_t acks[STEPS + 1];          /* the event at which a step was acknowledged */

static size_t size_of(uint32_t key, uint32_t version)
{
    static const size_t sizes[] = {100, 5000, 20000, 9000, 70000, 8000, 3000};
    return (key + version) % 41 == 0 ? (1 << 20) + 5 : sizes[(key + version) % 7];
}

static void key_name(char *room, size_t n, uint32_t key)
{
    snprintf(room, n, "k%u", key);
}

/* One change; what it does follows from the step alone. */
static pail_code step(struct store *s, uint32_t i)
{
    char name[16], from[16];
    unsigned x = i * 2654435761u;
    uint32_t key = (x >> 8) % KEYS, other = (x >> 16) % KEYS;
    memcpy(state[i], state[i - 1], sizeof state[i]);
    key_name(name, sizeof name, key);
    key_name(from, sizeof from, other);
    if (i % 9 == 0) {
        state[i][key] = 0;
        return del(s, name);
    }
    if (i % 11 == 0 && state[i][other] && other != key) {
        /* a copy has the bytes of the other key: its own version says so */
        state[i][key] = state[i][other] | (other + 1) << 16;
        if (state[i][other] >> 16) {
            state[i][key] = state[i][other];
        }
        return copy(s, from, name);
    }
    size_t n = size_of(key, i);
    char *data = pattern(n, key * 10007u + i);
    state[i][key] = i;
    pail_code rc = put(s, name, data, n);
    free(data);
    return rc;
}

static bool key_is(struct store *s, uint32_t key, uint32_t version)
{
    char name[16], c;
    size_t n = 1;
    key_name(name, sizeof name, key);
    uint32_t owner = version >> 16 ? (version >> 16) - 1 : key, v = version & 0xffff;
    return version ? has_pattern(s, name, size_of(owner, v), owner * 10007u + v)
                   : get(s, name, &c, &n) == PAIL_E_NOT_FOUND;
}

/* The state after step `i`, or with the one after it. */
static bool is_state(struct store *s, uint32_t i)
{
    for (uint32_t k = 0; k < KEYS; k++) {
        if (!key_is(s, k, state[i][k])) {
            return false;
        }
    }
    return true;
}

static void check_cut(size_t to, bool some)
{
    struct store s;
    uint32_t done = 0;
    while (done < STEPS && acks[done + 1] && acks[done + 1] < to) {
        done++;
    }
    store_folder(&s);
    make_image(s.home, to, some);
    drop_images();
    CHECK_INT(store_open(&s), PAIL_OK);
    bool right = s.p && (is_state(&s, done) || (done < STEPS && is_state(&s, done + 1)));
    CHECK(right);
    pail_fsck_report report = {0};
    CHECK(s.p && put(&s, "any", "x", 1) == PAIL_OK && fsck(&s, false, &report) == PAIL_OK);
    CHECK_INT(report.orphans, 0);
    if (test_failed) {
        printf("# cut before event %zu of %zu, after step %u%s; left in %s\n", to, event_count,
               done, some ? ", with some of what was not synced" : "", s.home);
        store_close(&s);
        return;
    }
    store_remove(&s);
}

/* The store as it was made: taken as it is, and synced. */
static void take_over(const char *home, const char *name)
{
    char path[300];
    struct stat st = {0};
    snprintf(path, sizeof path, "%s/%s", home, name);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return;
    }
    char *data = malloc((size_t)st.st_size + 1);
    CHECK(read(fd, data, (size_t)st.st_size) == st.st_size);
    close(fd);
    names[file_count] = strdup(name);
    record((struct event){CREATE, file_count, 0, 0, NULL, strdup(name)});
    record((struct event){WRITE, file_count, 0, (size_t)st.st_size, data, NULL});
    record((struct event){SYNC, file_count, 0, 0, NULL, strdup(name)});
    file_count++;
}

static void test_cut__acknowledged_writes_are_durable_wherever_the_power_goes(void)
{
    static const char *const made[] = {"format", "gate", "index.db", "index.db-wal"};
    const char *text = getenv("PAIL_CRASH_CUTS");
    size_t cuts = text ? (size_t)atoi(text) : 60;
    struct store s;
    store_folder(&s);
    root = s.home;
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    store_close(&s);
    for (size_t i = 0; i < 4; i++) {
        take_over(s.home, made[i]);
    }
    record((struct event){SYNC_DIR, -1, 0, 0, NULL, strdup("")});
    size_t start_of_story = event_count;
    start_recording();
    REQUIRE(store_open(&s) == PAIL_OK);
    for (uint32_t i = 1; i <= STEPS; i++) {
        CHECK_INT(step(&s, i), PAIL_OK);
        pthread_mutex_lock(&lock);
        acks[i] = event_count;
        record((struct event){ACK, -1, 0, 0, NULL, NULL});
        pthread_mutex_unlock(&lock);
    }
    store_close(&s);
    pl_sys = real;
    REQUIRE(!test_failed);
    size_t span = event_count - start_of_story;
    for (size_t i = 0; i < cuts && !test_failed; i++) {
        dice_state = (unsigned)i;
        size_t at = i % 3 == 0 ? acks[1 + i * STEPS / cuts] + 1 /* right after an answer */
                               : start_of_story + (i * span + dice() % span) / cuts;
        check_cut(at < event_count ? at : event_count, i % 2);
    }
    bool written_back = false;
    for (size_t i = start_of_story; i < event_count; i++) {
        written_back |= events[i].kind == WRITE && names[events[i].file] &&
                        strcmp(names[events[i].file], "index.db") == 0;
    }
    CHECK(written_back); /* a checkpoint was among it */
    for (size_t i = 0; i < event_count; i++) {
        free(events[i].data);
        free(events[i].path);
    }
    free(events);
    for (int i = 0; i < file_count; i++) {
        free(names[i]);
    }
    for (int i = 0; i < FDS_MAX; i++) {
        free(fds[i].path);
    }
    store_remove(&s);
}

int main(void)
{
    RUN(test_cut__acknowledged_writes_are_durable_wherever_the_power_goes);
    return test_end();
}
