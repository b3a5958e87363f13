/* Damage at rest, files that vanish under a reader, fsck, and backups. */
#include "local.h"

#include <sqlite3.h>

enum { BIG = (3 << 20) + 777, BLOCK = 1 << 20 };

static void flip(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    char c = 0;
    CHECK(fd >= 0 && pread(fd, &c, 1, at) == 1);
    c ^= 1;
    CHECK(pwrite(fd, &c, 1, at) == 1);
    close(fd);
}

static void sql(struct store *s, const char *text)
{
    char path[160];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/index.db", s->home);
    CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_damage__a_flipped_byte_is_found_by_get_and_by_ranges_over_it(void)
{
    struct store s;
    char *data = pattern(BIG, 1), *room = malloc(BIG);
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    CHECK_INT(put(&s, "k", data, BIG), PAIL_OK);
    CHECK_INT(count_files(&s), 1);
    flip(store_file, BLOCK + 5);
    size_t n = BIG;
    CHECK_INT(get(&s, "k", room, &n), PAIL_E_CHECKSUM);
    CHECK_INT(n, BLOCK); /* what was whole came */
    n = 10;
    CHECK_INT(get_range(&s, "k", (struct pl_range){PL_RANGE_SPAN, 2 * BLOCK - 10, 10}, room, &n),
              PAIL_E_CHECKSUM);
    CHECK_INT(n, 0);
    n = 10;
    CHECK_INT(get_range(&s, "k", (struct pl_range){PL_RANGE_SPAN, BLOCK - 10, 10}, room, &n),
              PAIL_OK);
    n = 100;
    CHECK_INT(get_range(&s, "k", (struct pl_range){PL_RANGE_SUFFIX, 0, 100}, room, &n), PAIL_OK);
    CHECK(memcmp(room, data + BIG - 100, 100) == 0);
    pail_fsck_report report;
    CHECK_INT(fsck(&s, false, &report), PAIL_E_CHECKSUM);
    CHECK_INT(report.damaged, 1);
    flip(store_file, BLOCK + 5);
    CHECK(has_pattern(&s, "k", BIG, 1));
    CHECK(truncate(store_file, BIG - 1) == 0);
    n = BIG;
    CHECK_INT(get(&s, "k", room, &n), PAIL_E_CHECKSUM);
    unlink(store_file);
    n = BIG;
    CHECK_INT(get(&s, "k", room, &n), PAIL_E_CHECKSUM);
    CHECK_INT(fsck(&s, false, &report), PAIL_E_CHECKSUM);
    CHECK_INT(report.damaged, 1);
    free(data);
    free(room);
    store_remove(&s);
}

static void test_damage__a_flipped_byte_of_a_small_object_is_found(void)
{
    struct store s;
    char room[16];
    size_t n = sizeof room;
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    CHECK_INT(put(&s, "k", "0123456789", 10), PAIL_OK);
    store_close(&s);
    sql(&s, "UPDATE inline SET bytes=CAST('0123456788' AS BLOB)");
    REQUIRE(store_open(&s) == PAIL_OK);
    CHECK_INT(get(&s, "k", room, &n), PAIL_E_CHECKSUM);
    n = sizeof room;
    CHECK_INT(get_range(&s, "k", (struct pl_range){PL_RANGE_SPAN, 0, 2}, room, &n),
              PAIL_E_CHECKSUM);
    pail_fsck_report report;
    CHECK_INT(fsck(&s, false, &report), PAIL_E_CHECKSUM);
    CHECK_INT(report.damaged, 1);
    store_remove(&s);
}

/* ---- a replacement between the look at the index and the opening of the file ---- */

static struct store *racing;
static const char *new_data;
static int replace_at; /* the open that comes too late; counts down */

static int late_open(int dir, const char *path, int flags, mode_t mode)
{
    if (strstr(path, "-race") && (flags & O_ACCMODE) == O_RDONLY && replace_at-- == 0) {
        atomic_store(&hook.open, NULL);
        CHECK_INT(put(racing, "race", new_data, BIG), PAIL_OK);
        errno = ENOENT; /* as if the old file were deleted already */
        return -1;
    }
    return real.open(dir, path, flags, mode);
}

static void test_damage__a_reader_whose_file_vanished_starts_again_with_the_new_one(void)
{
    struct store s;
    char *old = pattern(BIG, 1), *new = pattern(BIG, 2);
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    CHECK_INT(put(&s, "race", old, BIG), PAIL_OK);
    racing = &s;
    new_data = new;
    replace_at = 0;
    atomic_store(&hook.open, late_open);
    CHECK(has_pattern(&s, "race", BIG, 2));
    free(old);
    free(new);
    store_remove(&s);
}

static char upload_id[64], etags[2][64];
static void upload_two_parts(struct store *s, const char *key, char *data)
{
    struct pl_op op = {.kind = PL_OP_MP_BEGIN, .bucket = "bucket", .key = key};
    REQUIRE(run(s, &op) == PAIL_OK);
    snprintf(upload_id, sizeof upload_id, "%s", op.out.upload_id);
    pl_op_dispose(&op);
    struct pl_part parts[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct pl_body body = mem_body(data, BIG);
        struct pl_op p = {.kind = PL_OP_MP_PART,
                          .bucket = "bucket",
                          .key = key,
                          .in.put = {.source = &body, .upload_id = upload_id, .number = i + 1}};
        REQUIRE(run(s, &p) == PAIL_OK);
        snprintf(etags[i], 64, "%s", p.out.etag);
        parts[i] = (struct pl_part){.number = i + 1, .etag = etags[i], .size = BIG};
        pl_op_dispose(&p);
    }
    struct pl_op f = {
        .kind = PL_OP_MP_FINISH,
        .bucket = "bucket",
        .key = key,
        .in.mp = {.upload_id = upload_id, .parts = parts, .count = 2, .size = 2 * (uint64_t)BIG}};
    CHECK_INT(run_and_dispose(s, &f), PAIL_OK);
}

static void test_damage__a_reader_that_has_delivered_bytes_says_changed(void)
{
    struct store s;
    char *old = pattern(BIG, 1), *new = pattern(BIG, 2), *room = malloc(2 * BIG);
    size_t n = 2 * BIG;
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    upload_two_parts(&s, "race", old);
    racing = &s;
    new_data = new;
    replace_at = 1;
    atomic_store(&hook.open, late_open);
    CHECK_INT(get(&s, "race", room, &n), PAIL_E_CHANGED);
    CHECK_INT(n, BIG);
    free(old);
    free(new);
    free(room);
    store_remove(&s);
}

/* ---- what a killed process leaves ---- */

static int no_unlink(int dir, const char *path, int flags)
{
    (void)dir;
    (void)path;
    (void)flags;
    return 0;
}
static int dying_fsync(int fd)
{
    (void)fd;
    _exit(0);
}

static void test_damage__the_next_process_deletes_what_a_killed_one_left(void)
{
    struct store s;
    char *data = pattern(BIG, 3);
    SKIP_UNDER_TSAN();
    store_folder(&s);
    pid_t pid = fork();
    if (pid == 0) {
        bool ok = store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK &&
                  put(&s, "kept", data, BIG) == PAIL_OK && put(&s, "k", data, BIG) == PAIL_OK;
        atomic_store(&hook.unlink, no_unlink); /* from here on nothing gets deleted */
        ok = ok && del(&s, "k") == PAIL_OK;
        if (ok) {
            atomic_store(&hook.fsync, dying_fsync); /* of its folder, when the file is written */
            (void)put(&s, "staged", data, BIG);
        }
        _exit(1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    CHECK_INT(status, 0);
    CHECK_INT(count_files(&s), 3);
    REQUIRE(store_open(&s) == PAIL_OK);
    pail_fsck_report report;
    CHECK_INT(put(&s, "any", "write", 5), PAIL_OK);
    store_close(&s);
    CHECK_INT(count_files(&s), 1);
    REQUIRE(store_open(&s) == PAIL_OK);
    CHECK(has_pattern(&s, "kept", BIG, 3));
    CHECK_INT(fsck(&s, false, &report), PAIL_OK);
    CHECK_INT(report.orphans, 0);
    CHECK_INT(report.objects, 2);
    free(data);
    store_remove(&s);
}

static void test_damage__fsck_finds_stray_files_and_repair_removes_them(void)
{
    struct store s;
    char *data = pattern(BIG, 4), path[700];
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    CHECK_INT(put(&s, "k", data, BIG), PAIL_OK);
    CHECK_INT(count_files(&s), 1);
    snprintf(path, sizeof path, "%s.stray", store_file);
    memcpy(strrchr(path, '/') + 1, "7ff", 3);
    store_close(&s);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0 && close(fd) == 0);
    REQUIRE(store_open(&s) == PAIL_OK);
    sql(&s, "UPDATE idblocks SET owner=0");
    pail_fsck_report report;
    CHECK_INT(fsck(&s, false, &report), PAIL_OK);
    CHECK_INT(report.orphans, 1);
    CHECK_INT(fsck(&s, true, &report), PAIL_OK);
    CHECK_INT(report.orphans, 1);
    CHECK_INT(fsck(&s, true, &report), PAIL_OK);
    CHECK_INT(report.orphans, 0);
    CHECK(has_pattern(&s, "k", BIG, 4));
    free(data);
    store_remove(&s);
}

/* ---- backups ---- */

static int deletes_left;
static int deleting_link(int old_dir, const char *old_path, int new_dir, const char *new_path,
                         int flags)
{
    if (deletes_left-- == 1) { /* in the middle of the backup */
        CHECK_INT(del(racing, "a"), PAIL_OK);
        CHECK_INT(put(racing, "b", "replaced", 8), PAIL_OK);
        CHECK_INT(put(racing, "late", "x", 1), PAIL_OK);
    }
    return real.link(old_dir, old_path, new_dir, new_path, flags);
}

static void test_backup__is_the_store_at_one_moment_while_others_write(void)
{
    struct store s, copy_store;
    char *data = pattern(BIG, 5);
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    CHECK_INT(put(&s, "a", data, BIG), PAIL_OK);
    CHECK_INT(put(&s, "b", data, BIG), PAIL_OK);
    CHECK_INT(put(&s, "small", "text", 4), PAIL_OK);
    memset(&copy_store, 0, sizeof copy_store);
    snprintf(copy_store.home, sizeof copy_store.home, "%.100s-copy", s.home);
    racing = &s;
    deletes_left = 1;
    atomic_store(&hook.link, deleting_link);
    CHECK_INT(s.p->ops->backup(s.p, copy_store.home, NULL), PAIL_OK);
    atomic_store(&hook.link, NULL);
    CHECK_INT(s.p->ops->backup(s.p, copy_store.home, NULL), PAIL_E_EXISTS);
    store_close(&s);
    CHECK_INT(count_files(&s), 0); /* what was deleted meanwhile is gone now */
    REQUIRE(store_open(&copy_store) == PAIL_OK);
    CHECK(has_pattern(&copy_store, "a", BIG, 5));
    CHECK(has_pattern(&copy_store, "b", BIG, 5));
    CHECK_STR(text_of(&copy_store, "small"), "text");
    CHECK(text_of(&copy_store, "late") == NULL);
    CHECK_INT(put(&copy_store, "c", data, BIG), PAIL_OK);
    pail_fsck_report report;
    CHECK_INT(fsck(&copy_store, false, &report), PAIL_OK);
    CHECK_INT(report.objects, 4);
    free(data);
    store_remove(&copy_store);
    store_remove(&s);
}

static int no_link(int old_dir, const char *old_path, int new_dir, const char *new_path, int flags)
{
    (void)old_dir;
    (void)old_path;
    (void)new_dir;
    (void)new_path;
    (void)flags;
    errno = EXDEV;
    return -1;
}

static ssize_t full_pwrite(int fd, const void *buf, size_t n, off_t at)
{
    (void)fd;
    (void)buf;
    (void)n;
    (void)at;
    errno = ENOSPC;
    return -1;
}

static int link_to_a_full_disk(int old_dir, const char *old_path, int new_dir, const char *new_path,
                               int flags)
{
    atomic_store(&hook.pwrite, full_pwrite);
    return no_link(old_dir, old_path, new_dir, new_path, flags);
}

static void test_backup__copies_where_it_cannot_link_and_a_failed_one_leaves_nothing(void)
{
    struct store s, copy_store;
    char *data = pattern(BIG, 6);
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    CHECK_INT(put(&s, "a", data, BIG), PAIL_OK);
    memset(&copy_store, 0, sizeof copy_store);
    snprintf(copy_store.home, sizeof copy_store.home, "%.100s-copy", s.home);
    atomic_store(&hook.link, link_to_a_full_disk);
    pail_code rc = s.p->ops->backup(s.p, copy_store.home, NULL);
    atomic_store(&hook.pwrite, NULL);
    CHECK(rc == PAIL_E_NO_SPACE);
    CHECK(access(copy_store.home, F_OK) != 0);
    atomic_store(&hook.link, no_link);
    CHECK_INT(s.p->ops->backup(s.p, copy_store.home, NULL), PAIL_OK);
    atomic_store(&hook.link, NULL);
    REQUIRE(store_open(&copy_store) == PAIL_OK);
    CHECK(has_pattern(&copy_store, "a", BIG, 6));
    free(data);
    store_remove(&copy_store);
    store_remove(&s);
}

/* Format 2 had no checksums of parts. */
static void test_local__a_store_of_the_format_before_is_renewed(void)
{
    struct store s;
    char path[160], text[128] = "", id[64] = "", room[8];
    size_t n = sizeof room;
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    CHECK_INT(put(&s, "k", "0123", 4), PAIL_OK);
    store_close(&s);
    sql(&s, "ALTER TABLE parts DROP COLUMN sum");
    snprintf(path, sizeof path, "%s/format", s.home);
    FILE *f = fopen(path, "r+");
    REQUIRE(f != NULL);
    CHECK_INT(fscanf(f, "pail local store\nformat 3\nid %63s\n", id), 1);
    rewind(f);
    fprintf(f, "pail local store\nformat 2\nid %s\n", id);
    fclose(f);
    for (int i = 0; i < 2; i++) {
        REQUIRE(store_open(&s) == PAIL_OK);
        CHECK_INT(get(&s, "k", room, &n), PAIL_OK);
        store_close(&s);
        sql(&s, "SELECT sum FROM parts");
    }
    f = fopen(path, "r");
    REQUIRE(f != NULL);
    CHECK_INT((int)fread(text, 1, sizeof text - 1, f) > 0, 1);
    fclose(f);
    CHECK(strstr(text, "format 3\n") && strstr(text, id));
    store_remove(&s);
}

int main(void)
{
    hook_the_seam();
    RUN(test_damage__a_flipped_byte_is_found_by_get_and_by_ranges_over_it);
    RUN(test_damage__a_flipped_byte_of_a_small_object_is_found);
    RUN(test_damage__a_reader_whose_file_vanished_starts_again_with_the_new_one);
    RUN(test_damage__a_reader_that_has_delivered_bytes_says_changed);
    RUN(test_damage__the_next_process_deletes_what_a_killed_one_left);
    RUN(test_damage__fsck_finds_stray_files_and_repair_removes_them);
    RUN(test_backup__is_the_store_at_one_moment_while_others_write);
    RUN(test_backup__copies_where_it_cannot_link_and_a_failed_one_leaves_nothing);
    RUN(test_local__a_store_of_the_format_before_is_renewed);
    return test_end();
}
