#include "local.h"

#include <sys/statfs.h>

enum { BIG = (2 << 20) + 12345 };

static void test_local__reading_where_no_store_is_makes_nothing(void)
{
    struct store s;
    store_folder(&s);
    rmdir(s.home);
    REQUIRE(store_open(&s) == PAIL_OK);
    size_t n = 0;
    CHECK_INT(get(&s, "k", NULL, &n), PAIL_E_BUCKET_NOT_FOUND);
    struct pl_op op = {.kind = PL_OP_BUCKET_LIST};
    CHECK_INT(run(&s, &op), PAIL_OK);
    CHECK_INT(op.out.item_count, 0);
    pl_op_dispose(&op);
    CHECK(access(s.home, F_OK) != 0);
    CHECK_INT(make_bucket(&s, "bucket"), PAIL_OK);
    CHECK_INT(put(&s, "k", "v", 1), PAIL_OK);
    store_remove(&s);
}

static ino_t synced[64];
static int synced_count;
static int noting_fsync(int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && synced_count < 64) {
        synced[synced_count++] = st.st_ino;
    }
    return real.fsync(fd);
}

static void test_local__the_names_of_new_folders_are_synced_too(void)
{
    struct store s;
    struct stat st = {0};
    bool found = false;
    char above[128];
    store_folder(&s);
    snprintf(above, sizeof above, "%s", s.home);
    snprintf(s.home, sizeof s.home, "%.100s/a/b", above);
    REQUIRE(store_open(&s) == PAIL_OK);
    atomic_store(&hook.fsync, noting_fsync);
    CHECK_INT(make_bucket(&s, "bucket"), PAIL_OK);
    atomic_store(&hook.fsync, NULL);
    CHECK_INT(stat(above, &st), 0);
    for (int i = 0; i < synced_count; i++) {
        found |= synced[i] == st.st_ino;
    }
    CHECK(found);
    store_close(&s);
    remove_tree(above);
}

static void test_local__small_objects_need_no_file_and_large_ones_are_byte_exact_files(void)
{
    struct store s;
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    char *data = pattern(BIG, 1), *file = malloc(BIG + 1);
    CHECK_INT(put(&s, "small", data, 32 << 10), PAIL_OK);
    CHECK_INT(count_files(&s), 0);
    CHECK_INT(put(&s, "some/where/film.mp4", data, BIG), PAIL_OK);
    CHECK_INT(count_files(&s), 1);
    CHECK(strstr(store_file, "-film.mp4") != NULL);
    int fd = open(store_file, O_RDONLY);
    CHECK_INT(read(fd, file, BIG + 1), BIG);
    CHECK(memcmp(data, file, BIG) == 0);
    close(fd);
    CHECK(has_pattern(&s, "some/where/film.mp4", BIG, 1));
    free(data);
    free(file);
    store_remove(&s);
}

static void test_local__any_key_goes_even_where_no_file_name_would(void)
{
    static const char *const keys[] = {"a",      "a/",  "a/b", "..",       "//", "/",
                                       "\x01\n", ".\t", "é/é", "a/../b/.", "-",  "con"};
    struct store s;
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    char *data = pattern(40000, 2);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        CHECK_INT(put(&s, keys[i], data, i % 2 ? 40000 : i), PAIL_OK);
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        CHECK(has_pattern(&s, keys[i], i % 2 ? 40000 : i, 2));
    }
    char longest[1025];
    memset(longest, 'k', 1024);
    longest[1024] = '\0';
    CHECK_INT(put(&s, longest, data, 40000), PAIL_OK);
    CHECK(has_pattern(&s, longest, 40000, 2));
    free(data);
    store_remove(&s);
}

/* Deleting goes on behind the answers; closing waits for it. */
static int files_after_close(struct store *s)
{
    store_close(s);
    int n = count_files(s);
    return store_open(s) == PAIL_OK ? n : -1;
}

static void test_local__a_replaced_file_is_deleted(void)
{
    struct store s;
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    char *data = pattern(BIG, 3);
    CHECK_INT(put(&s, "k", data, BIG), PAIL_OK);
    CHECK_INT(put(&s, "k", data, BIG - 1), PAIL_OK);
    CHECK_INT(files_after_close(&s), 1);
    CHECK(has_pattern(&s, "k", BIG - 1, 3));
    CHECK_INT(put(&s, "k", "now small", 9), PAIL_OK);
    CHECK_INT(files_after_close(&s), 0);
    CHECK_STR(text_of(&s, "k"), "now small");
    free(data);
    store_remove(&s);
}

static void test_local__a_copy_shares_the_file_until_the_last_one_goes(void)
{
    struct store s;
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    char *data = pattern(BIG, 4);
    CHECK_INT(put(&s, "a", data, BIG), PAIL_OK);
    CHECK_INT(put(&s, "small", "text", 4), PAIL_OK);
    CHECK_INT(copy(&s, "a", "b"), PAIL_OK);
    CHECK_INT(copy(&s, "a", "a"), PAIL_OK);
    CHECK_INT(copy(&s, "small", "small2"), PAIL_OK);
    CHECK_INT(copy(&s, "small", "small"), PAIL_OK);
    CHECK_INT(del(&s, "small"), PAIL_OK);
    CHECK_STR(text_of(&s, "small2"), "text");
    CHECK_INT(count_files(&s), 1);
    CHECK_INT(del(&s, "a"), PAIL_OK);
    CHECK_INT(files_after_close(&s), 1);
    CHECK(has_pattern(&s, "b", BIG, 4));
    CHECK_INT(del(&s, "b"), PAIL_OK);
    CHECK_INT(files_after_close(&s), 0);
    pail_fsck_report report;
    CHECK_INT(fsck(&s, false, &report), PAIL_OK);
    CHECK_INT(report.orphans, 0);
    free(data);
    store_remove(&s);
}

static void test_local__other_versions_are_not_found(void)
{
    struct store s;
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    char version[64];
    struct pl_body body = mem_body((char[]){"one"}, 3);
    struct pl_op op = {.kind = PL_OP_PUT, .bucket = "bucket", .key = "k", .in.put.source = &body};
    REQUIRE(run(&s, &op) == PAIL_OK && op.out.info.version);
    snprintf(version, sizeof version, "%s", op.out.info.version);
    pl_op_dispose(&op);
    struct pl_op stat = {.kind = PL_OP_STAT, .bucket = "bucket", .key = "k", .version = version};
    CHECK_INT(run_and_dispose(&s, &stat), PAIL_OK);
    CHECK_INT(put(&s, "k", "one", 3), PAIL_OK);
    CHECK_INT(run_and_dispose(&s, &stat), PAIL_E_VERSION_NOT_FOUND);
    struct pl_op gone = {.kind = PL_OP_DELETE, .bucket = "bucket", .key = "k", .version = version};
    CHECK_INT(run_and_dispose(&s, &gone), PAIL_E_VERSION_NOT_FOUND);
    CHECK_STR(text_of(&s, "k"), "one");
    store_remove(&s);
}

/* ---- uploads ---- */

static char upload_id[64];
static pail_code begin(struct store *s, const char *key)
{
    struct pl_op op = {.kind = PL_OP_MP_BEGIN, .bucket = "bucket", .key = key};
    pail_code rc = run(s, &op);
    snprintf(upload_id, sizeof upload_id, "%s", rc ? "" : op.out.upload_id);
    pl_op_dispose(&op);
    return rc;
}
static pail_code part(struct store *s, const char *key, uint32_t number, char *data, size_t n,
                      struct pl_part *out)
{
    static char etags[8][64];
    struct pl_body body = mem_body(data, n);
    struct pl_op op = {.kind = PL_OP_MP_PART,
                       .bucket = "bucket",
                       .key = key,
                       .in.put = {.source = &body, .upload_id = upload_id, .number = number}};
    pail_code rc = run(s, &op);
    snprintf(etags[number % 8], 64, "%s", rc ? "" : op.out.etag);
    *out = (struct pl_part){.number = number, .etag = etags[number % 8], .size = n};
    pl_op_dispose(&op);
    return rc;
}
static pail_code finish(struct store *s, const char *key, struct pl_part *parts, size_t count)
{
    struct pl_op op = {.kind = PL_OP_MP_FINISH,
                       .bucket = "bucket",
                       .key = key,
                       .in.mp = {.upload_id = upload_id, .parts = parts, .count = count}};
    return run_and_dispose(s, &op);
}

static void test_local__a_finished_upload_is_its_part_files(void)
{
    struct store s;
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    char *data = pattern(BIG, 5);
    struct pl_part parts[3], first;
    size_t third = BIG / 3;
    REQUIRE(begin(&s, "k") == PAIL_OK);
    CHECK_INT(part(&s, "k", 5, data + third, third, &parts[1]), PAIL_OK); /* out of order */
    CHECK_INT(part(&s, "k", 2, data, 7, &first), PAIL_OK);
    CHECK_INT(part(&s, "k", 2, data, third, &parts[0]), PAIL_OK); /* the last one counts */
    CHECK_INT(part(&s, "k", 4, data, 100, &first), PAIL_OK);      /* not in the list */
    CHECK_INT(part(&s, "k", 7, data + 2 * third, BIG - 2 * third, &parts[2]), PAIL_OK);
    CHECK_INT(finish(&s, "k", parts, 3), PAIL_OK);
    CHECK(has_pattern(&s, "k", BIG, 5));
    CHECK_INT(copy(&s, "k", "k2"), PAIL_OK);
    CHECK_INT(del(&s, "k"), PAIL_OK);
    CHECK_INT(files_after_close(&s), 3);
    char room[2000];
    size_t n = sizeof room;
    struct pl_range across = {PL_RANGE_SPAN, third - 1000, 2000};
    CHECK_INT(get_range(&s, "k2", across, room, &n), PAIL_OK);
    CHECK(n == 2000 && memcmp(room, data + third - 1000, 2000) == 0);
    CHECK_INT(finish(&s, "k", parts, 3), PAIL_E_UPLOAD_NOT_FOUND);
    pail_fsck_report report;
    CHECK_INT(fsck(&s, false, &report), PAIL_OK);
    CHECK_INT(del(&s, "k2"), PAIL_OK);
    CHECK_INT(files_after_close(&s), 0);
    free(data);
    store_remove(&s);
}

static void test_local__finish_refuses_other_parts_and_leaves_the_upload(void)
{
    struct store s;
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    char *data = pattern(BIG, 6);
    struct pl_part parts[2], wrong[2];
    REQUIRE(begin(&s, "k") == PAIL_OK);
    CHECK_INT(part(&s, "k", 1, data, 50000, &parts[0]), PAIL_OK);
    CHECK_INT(part(&s, "k", 2, data, 60000, &parts[1]), PAIL_OK);
    memcpy(wrong, parts, sizeof wrong);
    wrong[1].size = 1;
    CHECK_INT(finish(&s, "k", wrong, 2), PAIL_E_BAD_ARGUMENT);
    wrong[1] = parts[0];
    CHECK_INT(finish(&s, "k", wrong, 2), PAIL_E_BAD_ARGUMENT);
    wrong[1] = parts[1];
    wrong[1].number = 3;
    CHECK_INT(finish(&s, "k", wrong, 2), PAIL_E_BAD_ARGUMENT);
    CHECK_INT(finish(&s, "k", parts, 0), PAIL_E_BAD_ARGUMENT);
    size_t n = 0;
    CHECK_INT(get(&s, "k", NULL, &n), PAIL_E_NOT_FOUND);
    CHECK_INT(finish(&s, "k", parts, 2), PAIL_OK);
    free(data);
    store_remove(&s);
}

static void test_local__abort_and_the_end_of_a_bucket_free_the_parts(void)
{
    struct store s;
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    char *data = pattern(BIG, 7);
    struct pl_part p;
    REQUIRE(begin(&s, "k") == PAIL_OK);
    CHECK_INT(part(&s, "k", 1, data, BIG, &p), PAIL_OK);
    struct pl_op abort_op = {
        .kind = PL_OP_MP_ABORT, .bucket = "bucket", .key = "k", .in.mp.upload_id = upload_id};
    CHECK_INT(run_and_dispose(&s, &abort_op), PAIL_OK);
    CHECK_INT(files_after_close(&s), 0);
    CHECK_INT(part(&s, "k", 1, data, BIG, &p), PAIL_E_UPLOAD_NOT_FOUND);
    CHECK_INT(files_after_close(&s), 0);
    REQUIRE(begin(&s, "k") == PAIL_OK);
    CHECK_INT(part(&s, "k", 1, data, BIG, &p), PAIL_OK);
    CHECK_INT(put(&s, "o", "x", 1), PAIL_OK);
    struct pl_op drop = {.kind = PL_OP_BUCKET_DELETE, .bucket = "bucket"};
    CHECK_INT(run_and_dispose(&s, &drop), PAIL_E_BUCKET_NOT_EMPTY);
    CHECK_INT(del(&s, "o"), PAIL_OK);
    CHECK_INT(run_and_dispose(&s, &drop), PAIL_OK);
    CHECK_INT(files_after_close(&s), 0);
    free(data);
    store_remove(&s);
}

/* ---- two handles, and places where no store can be ---- */

static void test_local__clients_of_one_folder_share_a_store(void)
{
    struct store a, b;
    store_folder(&a);
    b = a;
    REQUIRE(store_open(&a) == PAIL_OK && make_bucket(&a, "bucket") == PAIL_OK);
    REQUIRE(store_open(&b) == PAIL_OK);
    CHECK_INT(put(&a, "k", "from a", 6), PAIL_OK);
    CHECK_STR(text_of(&b, "k"), "from a");
    store_close(&a);
    CHECK_INT(put(&b, "k", "from b", 6), PAIL_OK);
    REQUIRE(store_open(&a) == PAIL_OK);
    CHECK_STR(text_of(&a, "k"), "from b");
    store_close(&b);
    store_remove(&a);
}

static void write_file(const char *home, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", home, name);
    FILE *f = fopen(path, "w");
    if (f) {
        fputs(text, f);
        fclose(f);
    }
}

static void test_local__a_newer_format_is_refused(void)
{
    struct store s;
    struct pail_error *e = NULL;
    store_folder(&s);
    write_file(s.home, "format", "pail local store\nformat 9\nid x\nmore: things\n");
    CHECK_INT(store_open_err(&s, NULL, &e), PAIL_E_UNSUPPORTED);
    CHECK(strstr(pail_error_message(e), "format 9") && strstr(pail_error_hint(e), "newer Pail"));
    pail_error_free(e);
    e = NULL;
    write_file(s.home, "format", "something else\n");
    CHECK_INT(store_open_err(&s, NULL, &e), PAIL_E_CHECKSUM);
    pail_error_free(e);
    store_remove(&s);
}

static void test_local__a_folder_with_other_things_stays_as_it_is(void)
{
    struct store s;
    store_folder(&s);
    write_file(s.home, "thesis.txt", "mine\n");
    REQUIRE(store_open(&s) == PAIL_OK);
    struct pl_op op = {.kind = PL_OP_BUCKET_CREATE, .bucket = "bucket"};
    CHECK_INT(run(&s, &op), PAIL_E_BAD_CONFIG);
    CHECK(strstr(pail_error_message(op.error), "thesis.txt") != NULL);
    pl_op_dispose(&op);
    char path[256];
    snprintf(path, sizeof path, "%s/index.db", s.home);
    CHECK(access(path, F_OK) != 0);
    store_remove(&s);
}

static int nfs(int fd, struct statfs *st)
{
    (void)fd;
    memset(st, 0, sizeof *st);
    st->f_type = 0x6969;
    return 0;
}

static void test_local__a_network_file_system_is_refused_with_the_way_out(void)
{
    struct store s;
    struct pail_error *e = NULL;
    store_folder(&s);
    atomic_store(&hook.fstatfs, nfs);
    CHECK_INT(store_open_err(&s, NULL, &e), PAIL_E_UNSUPPORTED);
    atomic_store(&hook.fstatfs, NULL);
    CHECK(strstr(pail_error_message(e), "NFS") && strstr(pail_error_hint(e), "PAIL_HOME") &&
          strstr(pail_error_hint(e), "file:///"));
    pail_error_free(e);
    store_remove(&s);
}

static void test_local__an_unknown_durability_is_refused(void)
{
    struct store s;
    store_folder(&s);
    CHECK_INT(store_open_err(&s, "sometimes", NULL), PAIL_E_BAD_CONFIG);
    CHECK_INT(store_open_err(&s, "batch", NULL), PAIL_OK);
    CHECK_INT(make_bucket(&s, "bucket"), PAIL_OK);
    CHECK_INT(put(&s, "k", "v", 1), PAIL_OK);
    store_remove(&s);
}

/* ---- fork ---- */

/* What the child of a process with an open store does; 0: all was right. */
static int child(struct store *s)
{
    size_t n = 0;
    struct store own = *s;
    if (get(s, "k", NULL, &n) != PAIL_E_FORKED || put(s, "k", "x", 1) != PAIL_E_FORKED) {
        return 1;
    }
    store_close(s); /* touches nothing of the parent's */
    if (store_open(&own) != PAIL_OK || !text_of(&own, "k") ||
        put(&own, "child", "hello", 5) != PAIL_OK) {
        return 2;
    }
    char *data = pattern(BIG, 8);
    if (put(&own, "big", data, BIG) != PAIL_OK || !has_pattern(&own, "big", BIG, 8)) {
        return 3;
    }
    free(data);
    store_close(&own);
    return 0;
}

static void test_local__a_child_opens_the_store_anew_and_the_parent_goes_on(void)
{
    struct store s;
    SKIP_UNDER_TSAN();
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    CHECK_INT(put(&s, "k", "parent", 6), PAIL_OK);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(child(&s));
    }
    int status = -1;
    CHECK_INT(put(&s, "k2", "meanwhile", 9), PAIL_OK);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    CHECK_STR(text_of(&s, "child"), "hello");
    CHECK(has_pattern(&s, "big", BIG, 8));
    CHECK_INT(put(&s, "k", "after", 5), PAIL_OK);
    pail_fsck_report report;
    CHECK_INT(fsck(&s, false, &report), PAIL_OK);
    CHECK_INT(report.objects, 4);
    store_remove(&s);
}

static atomic_bool stop_writing;
static void *write_on(void *arg)
{
    struct store *s = arg;
    char *data = pattern(100000, 9);
    for (unsigned i = 0; !atomic_load(&stop_writing); i++) {
        char key[32];
        snprintf(key, sizeof key, "t%u", i % 10);
        if (put(s, key, data, i % 3 ? 4096 : 100000) != PAIL_OK) {
            break;
        }
    }
    free(data);
    return NULL;
}

static void test_local__forks_beside_writing_threads_leave_a_working_child(void)
{
    struct store s;
    pthread_t threads[2];
    SKIP_UNDER_TSAN();
    SKIP_UNDER_ASAN();
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    CHECK_INT(put(&s, "k", "parent", 6), PAIL_OK);
    atomic_store(&stop_writing, false);
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, write_on, &s);
    }
    for (int i = 0; i < 10; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            _exit(child(&s));
        }
        int status = -1;
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK_INT(status, 0);
    }
    atomic_store(&stop_writing, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    pail_fsck_report report;
    CHECK_INT(fsck(&s, false, &report), PAIL_OK);
    store_remove(&s);
}

int main(void)
{
    hook_the_seam();
    RUN(test_local__reading_where_no_store_is_makes_nothing);
    RUN(test_local__the_names_of_new_folders_are_synced_too);
    RUN(test_local__small_objects_need_no_file_and_large_ones_are_byte_exact_files);
    RUN(test_local__any_key_goes_even_where_no_file_name_would);
    RUN(test_local__a_replaced_file_is_deleted);
    RUN(test_local__a_copy_shares_the_file_until_the_last_one_goes);
    RUN(test_local__other_versions_are_not_found);
    RUN(test_local__a_finished_upload_is_its_part_files);
    RUN(test_local__finish_refuses_other_parts_and_leaves_the_upload);
    RUN(test_local__abort_and_the_end_of_a_bucket_free_the_parts);
    RUN(test_local__clients_of_one_folder_share_a_store);
    RUN(test_local__a_newer_format_is_refused);
    RUN(test_local__a_folder_with_other_things_stays_as_it_is);
    RUN(test_local__a_network_file_system_is_refused_with_the_way_out);
    RUN(test_local__an_unknown_durability_is_refused);
    RUN(test_local__a_child_opens_the_store_anew_and_the_parent_goes_on);
    RUN(test_local__forks_beside_writing_threads_leave_a_working_child);
    return test_end();
}
