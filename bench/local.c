/* LOCAL against bare loops on the same disk and index: see bench/README.md. */
#include <fcntl.h>
#include <ftw.h>
#include <pail.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slices.h"

enum { SIZE = 4096, CALLERS = 64, GET_KEYS = 10000, PAGE = 1000, MIB = 1 << 20 };

static char folder[256], data[SIZE];
static pail_client *client;
static pail_bucket *bucket, *pages;
static unsigned next_key;
static double slice_s = 0.4;

static void must(pail_code rc, pail_error *err)
{
    if (rc) {
        fprintf(stderr, "%s: %s\n", pail_code_name(rc), pail_error_message(err));
        exit(1);
    }
}
#define MUST(call)                                                                                 \
    do {                                                                                           \
        pail_error *err = NULL;                                                                    \
        must(call, err);                                                                           \
    } while (0)

static void check(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}
static void sql(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", text, sqlite3_errmsg(db));
        exit(1);
    }
}
static void path_of(char *room, size_t n, const char *name)
{
    snprintf(room, n, "%s/%s", folder, name);
}
/* Keys as files in folders have them, in no order. */
static void key_of(char *room, size_t n, unsigned i)
{
    snprintf(room, n, "d%03u/file-%06u.bin", i * 2654435761u % 1000, i);
}

/* ---- puts of 4 KiB ---- */

static int append_fd;
static double append_slice(void *ctx)
{
    (void)ctx;
    int n = 0;
    double start = bench_now(), took;
    do {
        check(write(append_fd, data, SIZE) == SIZE && fdatasync(append_fd) == 0, "append");
        n++;
        took = bench_now() - start;
    } while (took < slice_s);
    return n / took;
}

static sqlite3 *bare;
static sqlite3_stmt *bare_insert;
static double sqlite_slice(void *ctx)
{
    (void)ctx;
    int n = 0;
    double start = bench_now(), took;
    do {
        char key[64];
        key_of(key, sizeof key, next_key++);
        sqlite3_bind_text(bare_insert, 1, key, -1, SQLITE_STATIC);
        sqlite3_bind_blob(bare_insert, 2, data, SIZE, SQLITE_STATIC);
        check(sqlite3_step(bare_insert) == SQLITE_DONE, "insert");
        sqlite3_reset(bare_insert);
        n++;
        took = bench_now() - start;
    } while (took < slice_s);
    return n / took;
}

static void put_one(void)
{
    static atomic_uint next;
    char key[64];
    key_of(key, sizeof key, atomic_fetch_add(&next, 1));
    MUST(pail_put(bucket, key, PAIL_BUF(data, SIZE), NULL, NULL, &err));
}
/* One file per object done right: temporary file, fdatasync, rename, fsync of the folder. */
static int files_fd;
static void file_one(void)
{
    static atomic_uint next;
    unsigned i = atomic_fetch_add(&next, 1);
    char name[64], temporary[64];
    snprintf(name, sizeof name, "file-%06u.bin", i);
    snprintf(temporary, sizeof temporary, "temporary-%06u", i);
    int fd = openat(files_fd, temporary, O_CREAT | O_WRONLY | O_EXCL, 0600);
    check(fd >= 0 && write(fd, data, SIZE) == SIZE && fdatasync(fd) == 0 && close(fd) == 0 &&
              renameat(files_fd, temporary, files_fd, name) == 0 && fsync(files_fd) == 0,
          "file per object");
}

/* ctx: put_one or file_one in a box, as functions are no objects. */
struct doing {
    void (*one)(void);
};
static const struct doing putting = {put_one}, filing = {file_one};

static double one_slice(void *ctx)
{
    const struct doing *d = ctx;
    int n = 0;
    double start = bench_now(), took;
    do {
        d->one();
        n++;
        took = bench_now() - start;
    } while (took < slice_s);
    return n / took;
}

static atomic_int done_count;
static atomic_bool stop_doing;
static void *do_many(void *ctx)
{
    const struct doing *d = ctx;
    while (!atomic_load(&stop_doing)) {
        d->one();
        atomic_fetch_add(&done_count, 1);
    }
    return NULL;
}
static double callers_slice(void *ctx)
{
    pthread_t threads[CALLERS];
    atomic_store(&done_count, 0);
    atomic_store(&stop_doing, false);
    double start = bench_now();
    for (int i = 0; i < CALLERS; i++) {
        check(pthread_create(&threads[i], NULL, do_many, ctx) == 0, "thread");
    }
    struct timespec t = {.tv_nsec = (long)(slice_s * 1e9)};
    nanosleep(&t, NULL);
    atomic_store(&stop_doing, true);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
    }
    return atomic_load(&done_count) / (bench_now() - start);
}

static void open_bare(void)
{
    char path[300];
    path_of(path, sizeof path, "bare.db");
    check(sqlite3_open(path, &bare) == SQLITE_OK, path);
    sql(bare, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=OFF;"
              "CREATE TABLE o(key TEXT PRIMARY KEY, value BLOB)");
    sqlite3_prepare_v2(bare, "INSERT INTO o VALUES(?1, ?2)", -1, &bare_insert, NULL);
    path_of(path, sizeof path, "append");
    append_fd = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600);
    check(append_fd >= 0, path);
    path_of(path, sizeof path, "files");
    check(mkdir(path, 0700) == 0, path);
    files_fd = open(path, O_RDONLY | O_DIRECTORY);
    check(files_fd >= 0, path);
}

static int bench_puts(size_t rounds)
{
    void *put = (void *)(uintptr_t)&putting, *file = (void *)(uintptr_t)&filing;
    struct bench_case cases[] = {{"append 4 KiB + fdatasync (F)", append_slice, NULL},
                                 {"bare SQLite insert, WAL, FULL", sqlite_slice, NULL},
                                 {"pail_put, 1 caller", one_slice, put},
                                 {"pail_put, 64 callers", callers_slice, put},
                                 {"one file per object, 1 caller", one_slice, file},
                                 {"one file per object, 64 callers", callers_slice, file}};
    struct bench_case pair[] = {cases[1], cases[2]}, many[] = {cases[5], cases[3]},
                      single[] = {cases[4], cases[2]};
    struct bench_result r[6], s[2], m[2], o[2];
    open_bare();
    bench_run(pair, 2, rounds, s); /* first, while both hold about as many objects */
    bench_print("One caller against SQLite alone", "per second", pair, 2, s);
    bench_run(single, 2, rounds, o);
    bench_print("One caller against one file per object", "per second", single, 2, o);
    bench_run(many, 2, rounds, m);
    bench_print("64 callers against one file per object", "per second", many, 2, m);
    bench_run(cases, 6, rounds, r);
    bench_print("Durable puts of 4 KiB", "per second", cases, 6, r);
    bool slow = r[0].median < 200;
    return bench_goal("put, 1 caller, to a bare SQLite loop", s[1].ratio, ">=", 0.8) +
           bench_goal("put, 64 callers, to F", r[3].ratio, ">=", slow ? 20 : 4) +
           bench_goal("put to one file per object, 64 callers each", m[1].ratio, ">=", 5);
}

/* ---- gets and pages ---- */

static sqlite3 *same; /* our own index, through SQLite alone */
static sqlite3_stmt *same_get, *same_page;
static unsigned random_state = 1;
static unsigned any(unsigned n)
{
    return ((random_state = random_state * 1103515245u + 12345u) >> 8) % n;
}

static double bare_get_slice(void *ctx)
{
    (void)ctx;
    char key[64], room[SIZE];
    double start = bench_now();
    for (int i = 0; i < GET_KEYS; i++) {
        key_of(key, sizeof key, any(GET_KEYS));
        sqlite3_bind_text(same_get, 1, key, -1, SQLITE_STATIC);
        check(sqlite3_step(same_get) == SQLITE_ROW, "get");
        memcpy(room, sqlite3_column_blob(same_get, 1), (size_t)sqlite3_column_bytes(same_get, 1));
        sqlite3_reset(same_get);
    }
    return GET_KEYS / (bench_now() - start);
}
static double get_slice(void *ctx)
{
    (void)ctx;
    char key[64], room[SIZE];
    double start = bench_now();
    for (int i = 0; i < GET_KEYS; i++) {
        key_of(key, sizeof key, any(GET_KEYS));
        MUST(pail_get(bucket, key, PAIL_BUF(room, SIZE), NULL, NULL, &err));
    }
    return GET_KEYS / (bench_now() - start);
}
static double stat_slice(void *ctx)
{
    (void)ctx;
    char key[64];
    double start = bench_now();
    for (int i = 0; i < GET_KEYS; i++) {
        key_of(key, sizeof key, any(GET_KEYS));
        MUST(pail_stat(bucket, key, NULL, NULL, &err));
    }
    return GET_KEYS / (bench_now() - start);
}

enum { PAGES = 30 };
static size_t page_keys;
static void start_of_page(char *room, size_t n)
{
    snprintf(room, n, "k%07u", any((unsigned)page_keys - PAGE));
}

static double bare_page_slice(void *ctx)
{
    (void)ctx;
    char from[64], room[64];
    double start = bench_now();
    for (int i = 0; i < PAGES; i++) {
        start_of_page(from, sizeof from);
        sqlite3_bind_text(same_page, 1, from, -1, SQLITE_STATIC);
        int n = 0;
        while (n < PAGE && sqlite3_step(same_page) == SQLITE_ROW) {
            memcpy(room, sqlite3_column_text(same_page, 0),
                   (size_t)sqlite3_column_bytes(same_page, 0));
            n += sqlite3_column_int64(same_page, 1) >= 0 && sqlite3_column_int64(same_page, 2) > 0;
        }
        sqlite3_reset(same_page);
        check(n == PAGE, "page");
    }
    return (bench_now() - start) / PAGES * 1e3;
}
static double page_slice(void *ctx)
{
    (void)ctx;
    char from[64];
    double start = bench_now();
    for (int i = 0; i < PAGES; i++) {
        pail_iter *it;
        const pail_info *item;
        start_of_page(from, sizeof from);
        MUST(pail_list(pages, PAIL_OPTS(list, .start_after = from, .page_size = PAGE), &it, &err));
        for (int n = 0; n < PAGE; n++) {
            MUST(pail_iter_next(it, &item, &err));
        }
        pail_iter_free(it);
    }
    return (bench_now() - start) / PAGES * 1e3;
}

/* Straight into the index: what is measured is reading. */
static void fill_index(void)
{
    char path[300], text[900];
    path_of(path, sizeof path, "store/index.db");
    check(sqlite3_open(path, &same) == SQLITE_OK, path);
    snprintf(text, sizeof text,
             "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<%zu)"
             " INSERT INTO objects SELECT b.id, printf('k%%07d', i), 4096, 1700000000000+i,"
             " (i+1)*77777777777777, i*99999999999+1, 0, NULL, NULL, NULL FROM n, buckets b"
             " WHERE b.name='pages'",
             page_keys - 1);
    sql(same, "PRAGMA synchronous=OFF");
    sql(same, text);
    sqlite3_close(same);
    check(sqlite3_open(path, &same) == SQLITE_OK, path);
    sql(same, "PRAGMA wal_autocheckpoint=0");
    sqlite3_prepare_v2(same,
                       "SELECT o.size, i.bytes FROM objects o JOIN inline i ON i.id=o.place>>2"
                       " WHERE o.bucket=(SELECT id FROM buckets WHERE name='bench') AND o.key=?1",
                       -1, &same_get, NULL);
    sqlite3_prepare_v2(same,
                       "SELECT key, size, mtime_ms, crc, version, etag FROM objects WHERE"
                       " bucket=(SELECT id FROM buckets WHERE name='pages') AND key>?1"
                       " ORDER BY key",
                       -1, &same_page, NULL);
}

static int bench_reads(size_t rounds)
{
    struct bench_case gets[] = {{"bare prepared statement", bare_get_slice, NULL},
                                {"pail_get", get_slice, NULL},
                                {"pail_stat", stat_slice, NULL}};
    struct bench_case lists[] = {{"bare prepared statement", bare_page_slice, NULL},
                                 {"pail_list", page_slice, NULL}};
    struct bench_result g[3], l[2];
    fill_index();
    bench_run(gets, 3, rounds, g);
    bench_print("Gets of 4 KiB", "per second", gets, 3, g);
    bench_run(lists, 2, rounds, l);
    char title[80];
    snprintf(title, sizeof title, "Page of 1,000 keys of %zu", page_keys);
    bench_print(title, "ms", lists, 2, l);
    return bench_goal("get to a bare prepared statement", g[1].ratio, ">=", 0.7) +
           bench_goal("time of a page to a bare prepared statement", l[1].ratio, "<=", 1.6);
}

/* ---- one large put ---- */

static char *large;
static size_t large_bytes;
static void fill_large(void)
{
    large = malloc(large_bytes);
    check(large != NULL, "memory");
    uint64_t x = 1;
    for (size_t i = 0; i + 8 <= large_bytes; i += 8) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        memcpy(large + i, &x, 8);
    }
}
static double probe_slice(void *ctx)
{
    (void)ctx;
    char path[300];
    path_of(path, sizeof path, "probe");
    unlink(path);
    double start = bench_now();
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    check(fd >= 0 && fallocate(fd, 0, 0, (off_t)large_bytes) == 0, path);
    for (size_t at = 0; at < large_bytes; at += MIB) {
        check(pwrite(fd, large + at, MIB, (off_t)at) == MIB, "write");
        if ((at + MIB) % (32 * MIB) == 0) {
            sync_file_range(fd, (off_t)(at + MIB - 32 * MIB), 32 * MIB, SYNC_FILE_RANGE_WRITE);
        }
    }
    check(fsync(fd) == 0, "fsync");
    close(fd);
    double took = bench_now() - start;
    unlink(path);
    return took;
}
static double large_slice(void *ctx)
{
    (void)ctx;
    double start = bench_now();
    MUST(pail_put(bucket, "large", PAIL_BUF(large, large_bytes), NULL, NULL, &err));
    double took = bench_now() - start;
    MUST(pail_delete(bucket, "large", NULL, &err));
    return took;
}

static int bench_large(size_t rounds)
{
    struct bench_case cases[] = {{"fallocate + write + sync_file_range + fsync", probe_slice, NULL},
                                 {"pail_put", large_slice, NULL}};
    struct bench_result r[2];
    fill_large();
    MUST(pail_put(bucket, "warm", PAIL_BUF(large, MIB), NULL, NULL, &err));
    bench_run(cases, 2, rounds, r);
    char title[80];
    snprintf(title, sizeof title, "Durable put of %zu MiB from memory", large_bytes / MIB);
    bench_print(title, "s", cases, 2, r);
    free(large);
    return bench_goal("time of a large put to the probe", r[1].ratio, "<=", 1.1);
}

/* ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void open_store(void)
{
    char home[300];
    path_of(home, sizeof home, "store");
    pail_kv settings[] = {{"local_home", home}};
    MUST(pail_open("local:", PAIL_OPTS(client, .settings = settings, .settings_count = 1), &client,
                   &err));
    MUST(pail_bucket_create(client, "bench", NULL, &err));
    MUST(pail_bucket_create(client, "pages", NULL, &err));
    MUST(pail_bucket_open(client, "bench", &bucket, &err));
    MUST(pail_bucket_open(client, "pages", &pages, &err));
}

int main(int argc, char **argv)
{
    const char *base = getenv("BENCH_DIR"), *only = argc > 1 ? argv[1] : "";
    size_t rounds = bench_env("BENCH_ROUNDS", 9);
    page_keys = bench_env("BENCH_KEYS", 1000000);
    large_bytes = bench_env("BENCH_MIB", 1024) * MIB;
    slice_s = (double)bench_env("BENCH_SLICE_MS", 400) / 1e3;
    snprintf(folder, sizeof folder, "%s/pail-bench-XXXXXX", base ? base : ".");
    check(mkdtemp(folder) != NULL, folder);
    memset(data, 'x', SIZE);
    open_store();
    int missed = 0;
    if (!*only || strcmp(only, "puts") == 0) {
        missed += bench_puts(rounds);
    }
    if (!*only || strcmp(only, "reads") == 0) {
        for (unsigned i = 0; i < GET_KEYS; i++) {
            put_one();
        }
        missed += bench_reads(rounds);
    }
    if (!*only || strcmp(only, "large") == 0) {
        missed += bench_large(rounds);
    }
    pail_bucket_close(bucket);
    pail_bucket_close(pages);
    pail_close(client);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return missed != 0;
}
