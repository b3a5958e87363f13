/* Commits and checkpoints from four processes at once, compared with a log of acknowledged writes:
 * SQLite before 3.51.3 may lose committed pages when a checkpoint overlaps the commit of another
 * connection (the WAL-reset bug); the gate must keep them apart. PAIL_CRASH_WRITES says how many
 * writes each process makes (400). */
#include "../unit/local.h"

enum { PROCESSES = 4, KEYS = 50, SIZE = 9000, PER_OPENING = 60 };

static int writes(void)
{
    const char *text = getenv("PAIL_CRASH_WRITES");
    return text ? atoi(text) : 400;
}

static uint32_t seed_of(int process, int key, uint32_t version)
{
    return (uint32_t)process * 1000003u + (uint32_t)key * 10007u + version;
}

/* Opens anew again and again: closing writes the log back and empties it, while others commit. */
static int write_all(struct store *s, int process, uint32_t *acknowledged)
{
    unsigned x = (unsigned)process + 99;
    for (int i = 0; i < writes(); i++) {
        char name[32];
        if (i % PER_OPENING == 0) {
            store_close(s);
            if (store_open(s) != PAIL_OK) {
                return 1;
            }
        }
        int key = (int)((x = x * 1103515245u + 12345u) >> 16) % KEYS;
        snprintf(name, sizeof name, "p%d/%d", process, key);
        char *data = pattern(SIZE, seed_of(process, key, (uint32_t)i + 1));
        pail_code rc = put(s, name, data, SIZE);
        free(data);
        if (rc) {
            fprintf(stderr, "# put: %s\n", pail_code_name(rc));
            return 2;
        }
        acknowledged[key] = (uint32_t)i + 1;
    }
    store_close(s);
    return 0;
}

static void test_wal__checkpoints_beside_commits_of_others_lose_nothing(void)
{
    struct store s;
    uint32_t acknowledged[PROCESSES][KEYS] = {{0}};
    int pipes[PROCESSES][2];
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    store_close(&s);
    for (int p = 0; p < PROCESSES; p++) {
        REQUIRE(pipe(pipes[p]) == 0);
        if (fork() == 0) {
            uint32_t mine[KEYS] = {0};
            int rc = write_all(&s, p, mine);
            _exit(rc || write(pipes[p][1], mine, sizeof mine) != sizeof mine);
        }
    }
    for (int p = 0; p < PROCESSES; p++) {
        CHECK(read(pipes[p][0], acknowledged[p], sizeof acknowledged[p]) == sizeof acknowledged[p]);
        int status = -1;
        CHECK(wait(&status) > 0 && status == 0);
    }
    REQUIRE(store_open(&s) == PAIL_OK);
    int lost = 0, objects = 0;
    for (int p = 0; p < PROCESSES; p++) {
        for (int k = 0; k < KEYS; k++) {
            char name[32];
            snprintf(name, sizeof name, "p%d/%d", p, k);
            objects += acknowledged[p][k] != 0;
            lost += acknowledged[p][k] &&
                    !has_pattern(&s, name, SIZE, seed_of(p, k, acknowledged[p][k]));
        }
    }
    CHECK_INT(lost, 0);
    pail_fsck_report report;
    CHECK_INT(fsck(&s, false, &report), PAIL_OK);
    CHECK_INT(report.objects, objects);
    char path[160];
    struct stat st = {0};
    snprintf(path, sizeof path, "%s/index.db", s.home);
    CHECK(stat(path, &st) == 0 && st.st_size > objects * SIZE / 2); /* they did write back */
    store_remove(&s);
}

int main(void)
{
    RUN(test_wal__checkpoints_beside_commits_of_others_lose_nothing);
    return test_end();
}
