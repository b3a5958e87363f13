/* Two processes write to one store and are killed; what was acknowledged must be there, nothing may
 * be torn, and nothing may be left over. PAIL_CRASH_ROUNDS says how often (50). */
#include "../unit/local.h"

enum { KEYS = 12, PROCESSES = 2, VERSIONS_MAX = 4096 };

/* What a writer says over its pipe: before and after each change. */
struct note {
    uint32_t key, version; /* version 0: deleted */
    bool acknowledged;
};

/* Sizes around what stands in the index, in one block, in several. */
static size_t size_of(uint32_t key, uint32_t version)
{
    static const size_t sizes[] = {0, 10, 4096, 32 << 10, (32 << 10) + 1, 200000, (1 << 20) + 1};
    return sizes[(key + version) % 7];
}

static void key_name(char *room, size_t n, int writer, uint32_t key)
{
    snprintf(room, n, "w%d/k%u", writer, key);
}

static bool tell(int fd, uint32_t key, uint32_t version, bool acknowledged)
{
    struct note note = {key, version, acknowledged};
    return write(fd, &note, sizeof note) == sizeof note;
}

/* An object made of two parts, so that lists and parts are in the game. */
static pail_code put_parts(struct store *s, const char *name, char *data, size_t n)
{
    char id[64] = "", etags[2][64];
    struct pl_part parts[2];
    struct pl_op begin = {.kind = PL_OP_MP_BEGIN, .bucket = "bucket", .key = name};
    pail_code rc = run(s, &begin);
    snprintf(id, sizeof id, "%s", rc ? "" : begin.out.upload_id);
    pl_op_dispose(&begin);
    for (uint32_t i = 0; rc == PAIL_OK && i < 2; i++) {
        size_t from = i ? n / 2 : 0, length = i ? n - n / 2 : n / 2;
        struct pl_body body = mem_body(data + from, length);
        struct pl_op op = {.kind = PL_OP_MP_PART,
                           .bucket = "bucket",
                           .key = name,
                           .in.put = {.source = &body, .upload_id = id, .number = i + 1}};
        rc = run(s, &op);
        snprintf(etags[i], sizeof etags[i], "%s", rc ? "" : op.out.etag);
        parts[i] = (struct pl_part){.number = i + 1, .etag = etags[i], .size = length};
        pl_op_dispose(&op);
    }
    struct pl_op finish = {.kind = PL_OP_MP_FINISH,
                           .bucket = "bucket",
                           .key = name,
                           .in.mp = {.upload_id = id, .parts = parts, .count = 2, .size = n}};
    return rc ? rc : run_and_dispose(s, &finish);
}

static pail_code change(struct store *s, const char *name, uint32_t key, uint32_t version,
                        uint32_t seed)
{
    if (version == 0) {
        return del(s, name);
    }
    size_t n = size_of(key, version);
    char *data = pattern(n, seed);
    pail_code rc = key % 4 == 3 && n > 1 ? put_parts(s, name, data, n) : put(s, name, data, n);
    free(data);
    return rc;
}

static uint32_t seed_of(int writer, uint32_t key, uint32_t version)
{
    return (uint32_t)writer * 1000003u + key * 10007u + version;
}

/* Runs until it is killed. */
static void write_for_ever(struct store *s, int writer, int out, uint32_t first_version)
{
    unsigned x = first_version * 31u + (unsigned)writer;
    if (store_open(s) != PAIL_OK) {
        _exit(1);
    }
    for (uint32_t version = first_version;; version++) {
        char name[32];
        uint32_t key = ((x = x * 1103515245u + 12345u) >> 16) % KEYS;
        uint32_t what = (x >> 8) % 8 == 0 ? 0 : version;
        key_name(name, sizeof name, writer, key);
        if (!tell(out, key, what, false) ||
            change(s, name, key, what, seed_of(writer, key, what)) != PAIL_OK ||
            !tell(out, key, what, true)) {
            _exit(1);
        }
    }
}

/* ---- the judge ---- */

struct expected {
    uint32_t acknowledged, begun; /* versions; equal: nothing was under way */
};
static struct expected want[PROCESSES][KEYS];
static uint32_t newest[PROCESSES];

static int take_notes(int fd, int writer, int at_most)
{
    struct note note;
    int acks = 0;
    while (acks < at_most && read(fd, &note, sizeof note) == sizeof note) {
        struct expected *e = &want[writer][note.key % KEYS];
        e->begun = note.version;
        if (note.acknowledged) {
            e->acknowledged = note.version;
            acks++;
        }
        newest[writer] = note.version > newest[writer] ? note.version : newest[writer];
    }
    return acks;
}

static bool is_version(struct store *s, int writer, uint32_t key, uint32_t version)
{
    char name[32];
    key_name(name, sizeof name, writer, key);
    if (version == 0) {
        char c;
        size_t n = 1;
        return get(s, name, &c, &n) == PAIL_E_NOT_FOUND;
    }
    return has_pattern(s, name, size_of(key, version), seed_of(writer, key, version));
}

/* Runs in a process of its own, as the next user of the store would. 0: all is well. */
static int judge(struct store *s)
{
    int bad = 0;
    if (store_open(s) != PAIL_OK) {
        return 1;
    }
    for (int w = 0; w < PROCESSES; w++) {
        for (uint32_t k = 0; k < KEYS; k++) {
            const struct expected *e = &want[w][k];
            if (!is_version(s, w, k, e->acknowledged) && !is_version(s, w, k, e->begun)) {
                fprintf(stderr, "# writer %d key %u: neither %u nor %u\n", w, k, e->acknowledged,
                        e->begun);
                bad++;
            }
        }
    }
    pail_fsck_report report = {0};
    bad += put(s, "any", "write ends what was interrupted", 31) != PAIL_OK;
    bad += fsck(s, false, &report) != PAIL_OK || report.orphans != 0;
    if (bad) {
        fprintf(stderr, "# fsck: %llu damaged, %llu orphans\n", (unsigned long long)report.damaged,
                (unsigned long long)report.orphans);
    }
    store_close(s);
    return bad ? 1 : 0;
}

/* What was under way may or may not have happened: from here on what is there counts. */
static void settle(struct store *s)
{
    if (store_open(s) != PAIL_OK) {
        return;
    }
    for (int w = 0; w < PROCESSES; w++) {
        for (uint32_t k = 0; k < KEYS; k++) {
            struct expected *e = &want[w][k];
            e->acknowledged = is_version(s, w, k, e->begun) ? e->begun : e->acknowledged;
            e->begun = e->acknowledged;
        }
    }
    store_close(s);
}

static bool round_of(struct store *s, int round)
{
    pid_t pids[PROCESSES];
    int pipes[PROCESSES][2], status = 0;
    for (int w = 0; w < PROCESSES; w++) {
        if (pipe(pipes[w]) != 0) {
            return false;
        }
        pids[w] = fork();
        if (pids[w] == 0) {
            close(pipes[w][0]);
            write_for_ever(s, w, pipes[w][1], newest[w] + 1);
        }
        close(pipes[w][1]);
    }
    /* The first is killed while the second goes on, so that one recovers beside a living one. */
    for (int w = 0; w < PROCESSES; w++) {
        take_notes(pipes[w][0], w, 3 + (round * 7 + w * 5) % 23);
        kill(pids[w], SIGKILL);
    }
    for (int w = 0; w < PROCESSES; w++) {
        take_notes(pipes[w][0], w, VERSIONS_MAX);
        close(pipes[w][0]);
        waitpid(pids[w], &status, 0);
        if (!WIFSIGNALED(status)) {
            printf("# writer %d ended by itself\n", w);
            return false;
        }
    }
    pid_t pid = fork();
    if (pid == 0) {
        _exit(judge(s));
    }
    waitpid(pid, &status, 0);
    settle(s);
    return status == 0;
}

static void test_kill__acknowledged_writes_survive_and_nothing_is_torn_or_left(void)
{
    const char *text = getenv("PAIL_CRASH_ROUNDS");
    int rounds = text ? atoi(text) : 50;
    struct store s;
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    store_close(&s);
    for (int i = 0; i < rounds && !test_failed; i++) {
        CHECK(round_of(&s, i));
    }
    if (test_failed) {
        printf("# the store is left in %s\n", s.home);
        return;
    }
    store_remove(&s);
}

int main(void)
{
    RUN(test_kill__acknowledged_writes_survive_and_nothing_is_torn_or_left);
    return test_end();
}
