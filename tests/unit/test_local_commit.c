/* The committer, seen through the seam: what shares a sync, what a full disk leaves, what a reader
 * sees of damage. */
#include "local.h"

enum { BIG = (2 << 20) + 12345, MANY = 63 };

static atomic_int syncs;
static atomic_bool hold_sync;
static sem_t held, go_on;

/* The first sync while `hold_sync` waits until the test lets it go. */
static int counting_fdatasync(int fd)
{
    atomic_fetch_add(&syncs, 1);
    if (atomic_exchange(&hold_sync, false)) {
        sem_post(&held);
        sem_wait(&go_on);
    }
    return real.fdatasync(fd);
}

static void watch_syncs(void)
{
    atomic_store(&hook.fdatasync, counting_fdatasync);
    atomic_store(&syncs, 0);
    atomic_store(&hold_sync, false);
    sem_init(&held, 0, 0);
    sem_init(&go_on, 0, 0);
}

struct flying {
    struct pl_op op;
    struct pl_body body;
    char key[16];
};

static void start_put(struct store *s, struct flying *f, const char *key, const char *text,
                      pail_conditions cond, sem_t *sem)
{
    snprintf(f->key, sizeof f->key, "%s", key);
    f->body = mem_body((void *)(uintptr_t)text, strlen(text));
    f->op = (struct pl_op){.kind = PL_OP_PUT,
                           .bucket = "bucket",
                           .key = f->key,
                           .cond = cond,
                           .in.put.source = &f->body};
    start(s, &f->op, sem);
}

static void wait_for(sem_t *sem, int n)
{
    while (n--) {
        sem_wait(sem);
    }
}

static void test_commit__what_waits_shares_one_sync(void)
{
    static struct flying first, more[MANY];
    struct store s;
    sem_t done;
    sem_init(&done, 0, 0);
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    watch_syncs();
    atomic_store(&hold_sync, true);
    start_put(&s, &first, "first", "1", (pail_conditions){0}, &done);
    sem_wait(&held); /* its transaction is being synced */
    for (int i = 0; i < MANY; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        start_put(&s, &more[i], key, "more", (pail_conditions){0}, &done);
    }
    sem_post(&go_on);
    wait_for(&done, 1 + MANY);
    atomic_store(&hook.fdatasync, NULL);
    CHECK_INT(atomic_load(&syncs), 2);
    for (int i = 0; i < MANY; i++) {
        CHECK_INT(more[i].op.rc, PAIL_OK);
        CHECK_STR(text_of(&s, more[i].key), "more");
        pl_op_dispose(&more[i].op);
    }
    pl_op_dispose(&first.op);
    store_remove(&s);
}

static void test_commit__conditions_of_a_batch_are_tested_one_after_the_other(void)
{
    static struct flying f[7];
    struct store s;
    sem_t done;
    sem_init(&done, 0, 0);
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    watch_syncs();
    atomic_store(&hold_sync, true);
    pail_conditions none = {0}, create = {.if_none_match = "*"}, wrong = {.if_match = "x"};
    start_put(&s, &f[0], "first", "1", none, &done);
    sem_wait(&held);
    start_put(&s, &f[1], "k", "winner", create, &done);
    start_put(&s, &f[2], "k", "loser", create, &done);
    start_put(&s, &f[3], "k", "stranger", wrong, &done);
    start_put(&s, &f[4], "other", "neighbour", create, &done);
    start_put(&s, &f[5], "missing", "x", wrong, &done);
    start_put(&s, &f[6], "k", "last", none, &done);
    sem_post(&go_on);
    wait_for(&done, 7);
    atomic_store(&hook.fdatasync, NULL);
    static const pail_code want[] = {
        PAIL_OK, PAIL_OK, PAIL_E_EXISTS, PAIL_E_PRECONDITION, PAIL_OK, PAIL_E_PRECONDITION,
        PAIL_OK};
    for (int i = 0; i < 7; i++) {
        CHECK_INT(f[i].op.rc, want[i]);
        pl_op_dispose(&f[i].op);
    }
    CHECK_INT(atomic_load(&syncs), 2);
    CHECK_STR(text_of(&s, "k"), "last");
    CHECK_STR(text_of(&s, "other"), "neighbour");
    CHECK(text_of(&s, "missing") == NULL);
    store_remove(&s);
}

struct racer {
    struct store *s;
    pthread_t thread;
    int won;
};
static void *race(void *arg)
{
    struct racer *r = arg;
    for (int i = 0; i < 50; i++) {
        char key[16];
        snprintf(key, sizeof key, "r%d", i);
        struct pl_body body = mem_body(key, strlen(key));
        struct pl_op op = {.kind = PL_OP_PUT,
                           .bucket = "bucket",
                           .key = key,
                           .cond.if_none_match = "*",
                           .in.put.source = &body};
        pail_code rc = run_and_dispose(r->s, &op);
        r->won += rc == PAIL_OK ? 1 : rc == PAIL_E_EXISTS ? 0 : 1000;
    }
    return NULL;
}

static void test_commit__create_only_has_one_winner_of_threads_and_processes(void)
{
    struct store s;
    struct racer r[3];
    int pipes[2], won = 0, total = 0;
    SKIP_UNDER_TSAN();
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    REQUIRE(pipe(pipes) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct store own = s;
        struct racer mine = {.s = &own};
        if (store_open(&own) == PAIL_OK) {
            race(&mine);
        }
        _exit(write(pipes[1], &mine.won, sizeof mine.won) == sizeof mine.won ? 0 : 1);
    }
    for (int i = 0; i < 3; i++) {
        r[i] = (struct racer){.s = &s};
        pthread_create(&r[i].thread, NULL, race, &r[i]);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(r[i].thread, NULL);
        total += r[i].won;
    }
    CHECK(read(pipes[0], &won, sizeof won) == sizeof won);
    waitpid(pid, NULL, 0);
    CHECK_INT(total + won, 50);
    store_remove(&s);
}

/* ---- full disks ---- */

static atomic_int writes_left; /* before the disk is full */
static ssize_t full_pwrite(int fd, const void *buf, size_t n, off_t at)
{
    if (atomic_fetch_sub(&writes_left, 1) <= 0) {
        errno = ENOSPC;
        return -1;
    }
    return real.pwrite(fd, buf, n, at);
}

static void test_commit__a_full_disk_leaves_the_old_object_at_every_step(void)
{
    struct store s;
    char *data = pattern(BIG, 2);
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    CHECK_INT(put(&s, "small", "old", 3), PAIL_OK);
    CHECK_INT(put(&s, "big", data, BIG - 1), PAIL_OK);
    bool went = false;
    int tries = 0;
    for (; !went && tries < 200; tries++) {
        bool small = tries % 2;
        atomic_store(&writes_left, tries / 2);
        atomic_store(&hook.pwrite, full_pwrite);
        pail_code rc = small ? put(&s, "small", "new", 3) : put(&s, "big", data, BIG);
        bool spent = atomic_load(&writes_left) < 0;
        atomic_store(&hook.pwrite, NULL);
        if (spent && rc) { /* growing the log ahead may fail without harm */
            CHECK_INT(rc, PAIL_E_NO_SPACE);
            CHECK(small ? strcmp(text_of(&s, "small"), "old") == 0
                        : has_pattern(&s, "big", BIG - 1, 2));
        } else if (small) {
            CHECK_STR(text_of(&s, "small"), "new");
            CHECK_INT(put(&s, "small", "old", 3), PAIL_OK);
        } else {
            went = true;
        }
    }
    CHECK(went && tries > 4);
    CHECK(has_pattern(&s, "big", BIG, 2));
    store_close(&s);
    REQUIRE(store_open(&s) == PAIL_OK);
    pail_fsck_report report;
    CHECK_INT(fsck(&s, false, &report), PAIL_OK);
    CHECK_INT(report.orphans, 0);
    CHECK_INT(count_files(&s), 1);
    free(data);
    store_remove(&s);
}

static int failing_sync(int fd)
{
    (void)fd;
    errno = EIO;
    return -1;
}

static void test_commit__a_failed_sync_says_that_the_write_may_have_been_applied(void)
{
    struct store s;
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    atomic_store(&hook.fdatasync, failing_sync);
    struct pl_body body = mem_body((char[]){"new"}, 3);
    struct pl_op op = {.kind = PL_OP_PUT, .bucket = "bucket", .key = "k", .in.put.source = &body};
    CHECK_INT(run(&s, &op), PAIL_E_IO);
    CHECK(pail_error_maybe_applied(op.error));
    pl_op_dispose(&op);
    atomic_store(&hook.fdatasync, NULL);
    CHECK(text_of(&s, "k") == NULL);
    CHECK_INT(put(&s, "k", "later", 5), PAIL_OK);
    CHECK_STR(text_of(&s, "k"), "later");
    store_remove(&s);
}

static void test_commit__durability_decides_which_syncs_a_put_waits_for(void)
{
    static const struct {
        const char *durability;
        pail_code small, big;
    } cases[] = {
        {"full", PAIL_E_IO, PAIL_E_IO}, {"batch", PAIL_OK, PAIL_E_IO}, {"off", PAIL_OK, PAIL_OK}};
    char *data = pattern(BIG, 3);
    for (size_t i = 0; i < 3; i++) {
        struct store s;
        store_folder(&s);
        REQUIRE(store_open_err(&s, cases[i].durability, NULL) == PAIL_OK &&
                make_bucket(&s, "bucket") == PAIL_OK && put(&s, "warm", data, BIG) == PAIL_OK);
        atomic_store(&hook.fdatasync, failing_sync);
        CHECK_INT(put(&s, "small", "x", 1), cases[i].small);
        CHECK_INT(put(&s, "big", data, BIG), cases[i].big);
        atomic_store(&hook.fdatasync, NULL);
        store_remove(&s);
    }
    free(data);
}

/* ---- cancel and deadline ---- */

static struct store *cancel_store;
static struct pl_op *cancel_op;
static ssize_t cancelling_pwrite(int fd, const void *buf, size_t n, off_t at)
{
    cancel_store->p->ops->cancel(cancel_store->p, cancel_op);
    return real.pwrite(fd, buf, n, at);
}

static void test_commit__cancel_and_deadline_end_a_large_put_and_leave_nothing(void)
{
    struct store s;
    char *data = pattern(BIG, 4);
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    CHECK_INT(put(&s, "k", data, BIG), PAIL_OK);
    struct pl_body body = mem_body(data, BIG);
    struct pl_op op = {.kind = PL_OP_PUT, .bucket = "bucket", .key = "k2", .in.put.source = &body};
    cancel_store = &s;
    cancel_op = &op;
    atomic_store(&hook.pwrite, cancelling_pwrite);
    CHECK_INT(run_and_dispose(&s, &op), PAIL_E_CANCELLED);
    atomic_store(&hook.pwrite, NULL);
    op.deadline_ns = 1;
    CHECK_INT(run_and_dispose(&s, &op), PAIL_E_TIMEOUT);
    op.in.put.source = NULL;
    CHECK_INT(run_and_dispose(&s, &op), PAIL_E_TIMEOUT);
    CHECK_INT(count_files(&s), 1);
    free(data);
    store_remove(&s);
}

/* ---- bytes that are lent ---- */

enum { LENT = (5 << 20) + 100, LENT_PIECE = 64 << 10 };

struct lender {
    char *data;
    size_t at, end;
};

static const char *lend(void *ctx, size_t *n)
{
    struct lender *l = ctx;
    const char *data = l->data + l->at;
    *n = l->end - l->at < LENT_PIECE ? l->end - l->at : LENT_PIECE;
    l->at += *n;
    errno = EIO;
    return *n ? data : NULL;
}

static pail_code put_lent(struct store *s, struct lender *l)
{
    struct pl_body body = {.kind = PL_BODY_PULL, .len = LENT, .lend = lend, .pull_ctx = l};
    struct pl_op op = {.kind = PL_OP_PUT, .bucket = "bucket", .key = "k", .in.put.source = &body};
    l->at = 0;
    return run_and_dispose(s, &op);
}

/* As a file system that wants larger pieces, or none. */
static ssize_t indirect_pwrite(int fd, const void *buf, size_t n, off_t at)
{
    if (fcntl(fd, F_GETFL) & O_DIRECT) {
        errno = EINVAL;
        return -1;
    }
    return real.pwrite(fd, buf, n, at);
}

static void test_commit__lent_bytes_are_stored_as_they_lie_or_not_at_all(void)
{
    struct store s;
    char *room = pattern(LENT + 8192, 7), *back = malloc(LENT);
    struct lender l = {room + (4096 - (uintptr_t)room % 4096), 0, LENT};
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    for (int i = 0; i < 3; i++) { /* straight, in pieces that cannot be, from where none can be */
        size_t n = LENT;
        atomic_store(&hook.pwrite, i == 1 ? indirect_pwrite : NULL);
        l.data += i == 2 ? 1 : 0;
        CHECK_INT(put_lent(&s, &l), PAIL_OK);
        CHECK_INT(get_range(&s, "k", (struct pl_range){0}, back, &n), PAIL_OK);
        CHECK(n == LENT && memcmp(back, l.data, LENT) == 0);
    }
    l.end = LENT - 1;
    CHECK_INT(put_lent(&s, &l), PAIL_E_IO);
    l.end = LENT_PIECE;
    CHECK_INT(put_lent(&s, &l), PAIL_E_IO);
    CHECK_INT(count_files(&s), 1);
    free(room);
    free(back);
    store_remove(&s);
}

/* ---- without the caller's thread ---- */

static void test_commit__async_operations_complete_from_memory_and_files(void)
{
    enum { N = 24 };
    static struct flying f[N];
    struct store s;
    sem_t done;
    sem_init(&done, 0, 0);
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    char *data = pattern(BIG, 5), path[] = "/tmp/pail-source-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0 && write(fd, data, BIG) == BIG);
    for (int i = 0; i < N; i++) {
        size_t n = i % 2 ? BIG : 1000;
        f[i].body = i % 4 < 2 ? mem_body(data, n)
                              : (struct pl_body){.kind = PL_BODY_FILE, .fd = fd, .len = n};
        snprintf(f[i].key, sizeof f[i].key, "k%d", i);
        f[i].op = (struct pl_op){
            .kind = PL_OP_PUT, .bucket = "bucket", .key = f[i].key, .in.put.source = &f[i].body};
        start(&s, &f[i].op, &done);
    }
    wait_for(&done, N);
    for (int i = 0; i < N; i++) {
        CHECK_INT(f[i].op.rc, PAIL_OK);
        CHECK(has_pattern(&s, f[i].key, i % 2 ? BIG : 1000, 5));
        pl_op_dispose(&f[i].op);
    }
    CHECK(ftruncate(fd, 0) == 0);
    struct pl_body sink = {.kind = PL_BODY_FILE, .fd = fd, .len = BIG};
    struct pl_op read_back = {
        .kind = PL_OP_GET, .bucket = "bucket", .key = "k1", .in.get.sink = &sink};
    start(&s, &read_back, &done);
    wait_for(&done, 1);
    CHECK_INT(read_back.rc, PAIL_OK);
    char *got = malloc(BIG);
    CHECK(pread(fd, got, BIG, 0) == BIG && memcmp(got, data, BIG) == 0);
    pl_op_dispose(&read_back);
    free(got);
    free(data);
    close(fd);
    unlink(path);
    store_remove(&s);
}

int main(void)
{
    hook_the_seam();
    RUN(test_commit__what_waits_shares_one_sync);
    RUN(test_commit__conditions_of_a_batch_are_tested_one_after_the_other);
    RUN(test_commit__create_only_has_one_winner_of_threads_and_processes);
    RUN(test_commit__a_full_disk_leaves_the_old_object_at_every_step);
    RUN(test_commit__a_failed_sync_says_that_the_write_may_have_been_applied);
    RUN(test_commit__durability_decides_which_syncs_a_put_waits_for);
    RUN(test_commit__cancel_and_deadline_end_a_large_put_and_leave_nothing);
    RUN(test_commit__lent_bytes_are_stored_as_they_lie_or_not_at_all);
    RUN(test_commit__async_operations_complete_from_memory_and_files);
    return test_end();
}
