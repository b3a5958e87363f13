/* Many transfers of one queue share little memory: those that find no buffer begin later. */
#include <poll.h>

#include <pail.h>

#include "test.h"

/* 12 times a piece of 4 MiB, with 16 for all: the least that memory_limit may be. */
enum { MIB = 1 << 20, PIECE = 4 * MIB, N = 12 };

static pail_bucket *from, *to;

static pail_bucket *open_store(const char *limit)
{
    const pail_kv settings[] = {{"memory_limit", limit}};
    pail_client_opts opts = {.size = sizeof opts, .settings = settings, .settings_count = 1};
    pail_client *client = NULL;
    pail_bucket *b = NULL;
    if (pail_open("memory:", &opts, &client, NULL) == PAIL_OK &&
        pail_bucket_create(client, "bucket", NULL, NULL) == PAIL_OK) {
        CHECK_INT(pail_bucket_open(client, "bucket", &b, NULL), PAIL_OK);
    }
    pail_close(client);
    return b;
}

static void fill(size_t size)
{
    char *bytes = malloc(size);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(i * 31 + i / 256);
    }
    from = open_store("16777216");
    to = open_store("16777216");
    pail_body body = {.kind = PAIL_BODY_BUF, .buf = bytes, .len = size};
    CHECK_INT(pail_put(from, "k", &body, NULL, NULL, NULL), PAIL_OK);
    free(bytes);
}

static void clear(void)
{
    pail_bucket_close(from);
    pail_bucket_close(to);
}

struct outcome {
    int calls;
    pail_code code;
};

static void note(pail_op *op, pail_code code, const pail_info *info, const pail_error *e, void *ctx)
{
    struct outcome *o = ctx;
    (void)op, (void)info, (void)e;
    o->calls++;
    o->code = code;
}

static void dispatch_all(pail_queue *q, const struct outcome *o)
{
    for (int rounds = 0, done = 0; rounds < 1000 && done < N; rounds++) {
        (void)pail_queue_dispatch(q, 100);
        done = 0;
        for (int i = 0; i < N; i++) {
            done += o[i].calls;
        }
    }
}

static void copy_all(uint64_t part_size, pail_code want)
{
    pail_queue *q = pail_queue_new();
    struct outcome o[N] = {{0}};
    char keys[N][8];
    pail_copy_opts opts = {.size = sizeof opts, .part_size = part_size};
    for (int i = 0; i < N; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        pail_request r = {.size = sizeof r,
                          .verb = PAIL_COPY,
                          .bucket = from,
                          .key = "k",
                          .dst_bucket = to,
                          .dst_key = keys[i],
                          .opts = &opts};
        CHECK_INT(pail_submit(q, &r, note, &o[i], NULL, NULL), PAIL_OK);
    }
    dispatch_all(q, o);
    for (int i = 0; i < N; i++) {
        CHECK_INT(o[i].calls, 1);
        CHECK_INT(o[i].code, want);
        CHECK_INT(pail_stat(to, keys[i], NULL, NULL, NULL), want ? PAIL_E_NOT_FOUND : PAIL_OK);
    }
    pail_queue_free(q);
}

static void test_copies__of_whole_objects_wait_for_memory(void)
{
    fill(PIECE);
    copy_all(PIECE, PAIL_OK);
    clear();
}

static void test_copies__in_parts_wait_for_memory(void)
{
    fill(2 * PIECE + 5);
    copy_all(PIECE, PAIL_OK);
    clear();
}

static void test_copies__that_never_could_have_the_memory_fail(void)
{
    fill(18 * MIB);
    copy_all(17 * MIB, PAIL_E_NO_MEMORY);
    clear();
}

static void test_ranges__wait_for_memory(void)
{
    static char first[N][PIECE], second[N][100];
    const pail_range ranges[] = {{.offset = 0, .length = PIECE - 1000},
                                 {.offset = PIECE - 500, .length = 100}};
    pail_queue *q = pail_queue_new();
    struct outcome o[N] = {{0}};
    void *bufs[N][2];
    size_t got[N][2];
    pail_get_opts opts = {.size = sizeof opts, .part_size = PIECE};
    fill(PIECE);
    for (int i = 0; i < N; i++) {
        bufs[i][0] = first[i];
        bufs[i][1] = second[i];
        pail_request r = {.size = sizeof r,
                          .verb = PAIL_GET_RANGES,
                          .bucket = from,
                          .key = "k",
                          .opts = &opts,
                          .ranges = ranges,
                          .bufs = bufs[i],
                          .got = got[i],
                          .count = 2};
        CHECK_INT(pail_submit(q, &r, note, &o[i], NULL, NULL), PAIL_OK);
    }
    dispatch_all(q, o);
    for (int i = 0; i < N; i++) {
        CHECK_INT(o[i].code, PAIL_OK);
        CHECK(o[i].calls == 1 && got[i][0] == PIECE - 1000 && got[i][1] == 100);
        CHECK_INT(second[i][0], (char)((PIECE - 500) * 31 + (PIECE - 500) / 256));
    }
    pail_queue_free(q);
    clear();
}

int main(void)
{
    RUN(test_copies__of_whole_objects_wait_for_memory);
    RUN(test_copies__in_parts_wait_for_memory);
    RUN(test_copies__that_never_could_have_the_memory_fail);
    RUN(test_ranges__wait_for_memory);
    return test_end();
}
