/* Pages found by seeks, compared with a plain walk over all keys. */
#include "local.h"

enum { KEYS = 400 };
static char keys[KEYS][32];
static int key_count;

static int by_bytes(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Keys of few letters, so that prefixes and delimiters meet often. */
static void make_keys(void)
{
    unsigned x = 7;
    for (int i = 0; i < KEYS; i++) {
        int n = 1 + (int)((x = x * 1103515245u + 12345u) >> 16) % 12;
        for (int j = 0; j < n; j++) {
            keys[i][j] = "a/b-c\xc3/"[((x = x * 1103515245u + 12345u) >> 16) % 5];
        }
        keys[i][n] = '\0';
    }
    qsort(keys, KEYS, sizeof *keys, by_bytes);
    key_count = 1;
    for (int i = 1; i < KEYS; i++) {
        if (strcmp(keys[i], keys[key_count - 1]) != 0) {
            memmove(keys[key_count++], keys[i], sizeof *keys);
        }
    }
}

struct query {
    const char *prefix, *delimiter, *start_after;
    uint32_t max;
};

/* The names that a listing must give, each on a line, prefixes marked. */
static void expect(const struct query *q, struct pl_buf *out)
{
    char group[64] = "";
    size_t plen = q->prefix ? strlen(q->prefix) : 0;
    for (int i = 0; i < key_count; i++) {
        const char *k = keys[i];
        const char *hit = q->delimiter && strncmp(k, q->prefix ? q->prefix : "", plen) == 0
                              ? strstr(k + plen, q->delimiter)
                              : NULL;
        size_t n = hit ? (size_t)(hit - k) + strlen(q->delimiter) : 0;
        if ((plen && strncmp(k, q->prefix, plen) != 0) ||
            (q->start_after && strcmp(k, q->start_after) <= 0) ||
            (n && q->start_after && strncmp(q->start_after, k, n) == 0)) {
            continue;
        }
        if (n && strlen(group) == n && strncmp(group, k, n) == 0) {
            continue;
        }
        snprintf(group, sizeof group, "%.*s", (int)n, k);
        pl_buf_printf(out, "%s%s\n", n ? "P:" : "K:", n ? group : k);
    }
}

static int pages;
static void walk(struct store *s, const struct query *q, struct pl_buf *out)
{
    char *token = NULL;
    pages = 0;
    do {
        struct pl_op op = {.kind = PL_OP_LIST,
                           .bucket = "bucket",
                           .in.list = {.prefix = q->prefix,
                                       .delimiter = q->delimiter,
                                       .start_after = token ? NULL : q->start_after,
                                       .token = token,
                                       .max = q->max}};
        CHECK_INT(run(s, &op), PAIL_OK);
        CHECK(op.out.item_count <= q->max);
        for (size_t i = 0; i < op.out.item_count; i++) {
            pl_buf_printf(out, "%s%s\n",
                          op.out.items[i].is_prefix ? "P:" : "K:", op.out.items[i].key);
        }
        free(token);
        token = op.out.next_token ? strdup(op.out.next_token) : NULL;
        CHECK(!token || op.out.item_count == q->max);
        pl_op_dispose(&op);
    } while (token && ++pages < 1000);
    free(token);
}

static void test_list__every_prefix_delimiter_and_page_size_gives_what_a_walk_gives(void)
{
    static const char *const prefixes[] = {NULL, "", "a", "a/", "b-", "/", "zz", "a/b"};
    static const char *const delimiters[] = {NULL, "/", "-", "a/", "//", "b-b"};
    static const char *const starts[] = {NULL, "a", "a/", "b-", "c", "a/b/a", "zzz"};
    static const uint32_t sizes[] = {1, 7, 1000};
    struct store s;
    store_folder(&s);
    REQUIRE(store_open_err(&s, "off", NULL) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    make_keys();
    for (int i = 0; i < key_count; i++) {
        CHECK_INT(put(&s, keys[i], "x", 1), PAIL_OK);
    }
    for (int i = 0; i < 8 * 6 * 7 * 3; i++) {
        struct query q = {prefixes[i % 8], delimiters[i / 8 % 6], starts[i / 48 % 7],
                          sizes[i / 336]};
        struct pl_buf want = PL_BUF_MAX(1 << 20), got = PL_BUF_MAX(1 << 20);
        expect(&q, &want);
        walk(&s, &q, &got);
        if (!pl_str_eq(pl_buf_view(&want), pl_buf_view(&got))) {
            printf("# prefix %s delimiter %s start %s size %u\n", q.prefix, q.delimiter,
                   q.start_after, q.max);
            test_failed = 1;
            i = 100000;
        }
        pl_buf_dispose(&want);
        pl_buf_dispose(&got);
    }
    store_remove(&s);
}

static void test_list__a_bucket_made_again_under_its_name_is_another_one(void)
{
    struct store s;
    store_folder(&s);
    REQUIRE(store_open_err(&s, "off", NULL) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    struct query q = {.max = 10};
    struct pl_buf got = PL_BUF_MAX(1 << 20);
    CHECK_INT(put(&s, "old", "x", 1), PAIL_OK);
    walk(&s, &q, &got);
    CHECK_INT(del(&s, "old"), PAIL_OK);
    struct pl_op drop = {.kind = PL_OP_BUCKET_DELETE, .bucket = "bucket"};
    CHECK_INT(run_and_dispose(&s, &drop), PAIL_OK);
    CHECK(text_of(&s, "old") == NULL);
    CHECK_INT(make_bucket(&s, "bucket"), PAIL_OK);
    CHECK_INT(put(&s, "new", "x", 1), PAIL_OK);
    CHECK_STR(text_of(&s, "new"), "x");
    walk(&s, &q, &got);
    CHECK_STR(got.ptr, "K:old\nK:new\n");
    pl_buf_dispose(&got);
    store_remove(&s);
}

static void test_list__uploads_come_in_order_of_keys_page_by_page(void)
{
    static const char *const names[] = {"a/1", "a/2", "b", "b", "c/x", "c/y", "d"};
    struct store s;
    char seen[256] = "", *token = NULL;
    store_folder(&s);
    REQUIRE(store_open_err(&s, "off", NULL) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    for (size_t i = 7; i-- > 0;) {
        struct pl_op op = {.kind = PL_OP_MP_BEGIN, .bucket = "bucket", .key = names[i]};
        CHECK_INT(run_and_dispose(&s, &op), PAIL_OK);
    }
    for (int round = 0; round < 20; round++) {
        struct pl_op op = {.kind = PL_OP_MP_LIST,
                           .bucket = "bucket",
                           .in.list = {.token = token, .max = 1, .delimiter = "/"}};
        CHECK_INT(run(&s, &op), PAIL_OK);
        CHECK_INT(op.out.item_count, 1);
        strcat(seen, op.out.items[0].key);
        strcat(seen, op.out.items[0].upload_id ? ";" : "*;");
        free(token);
        token = op.out.next_token ? strdup(op.out.next_token) : NULL;
        pl_op_dispose(&op);
        if (!token) {
            break;
        }
    }
    CHECK_STR(seen, "a/*;b;b;c/*;d;");
    free(token);
    struct pl_op op = {.kind = PL_OP_MP_LIST, .bucket = "bucket", .in.list.prefix = "a/"};
    CHECK_INT(run(&s, &op), PAIL_OK);
    CHECK_INT(op.out.item_count, 2);
    pl_op_dispose(&op);
    store_remove(&s);
}

/* ---- an object that is replaced while its parts are listed ---- */

static struct {
    int left; /* allocations until it happens; 0: never */
    struct store *s;
    uint32_t parts; /* of the object that is put in the place of the other */
} meanwhile;

/* An object of so many parts. */
static void put_in_parts(struct store *s, uint32_t count)
{
    char id[64], etags[4][64], data[4] = "abc";
    struct pl_part parts[4] = {{0}};
    struct pl_op op = {.kind = PL_OP_MP_BEGIN, .bucket = "bucket", .key = "key"};
    CHECK_INT(run(s, &op), PAIL_OK);
    snprintf(id, sizeof id, "%s", op.out.upload_id ? op.out.upload_id : "");
    pl_op_dispose(&op);
    for (uint32_t i = 0; i < count; i++) {
        struct pl_body body = mem_body(data, sizeof data);
        op = (struct pl_op){.kind = PL_OP_MP_PART,
                            .bucket = "bucket",
                            .key = "key",
                            .in.put = {.source = &body, .upload_id = id, .number = i + 1}};
        CHECK_INT(run(s, &op), PAIL_OK);
        snprintf(etags[i], sizeof etags[i], "%s", op.out.etag ? op.out.etag : "");
        parts[i] = (struct pl_part){.number = i + 1, .etag = etags[i], .size = sizeof data};
        pl_op_dispose(&op);
    }
    op = (struct pl_op){.kind = PL_OP_MP_FINISH,
                        .bucket = "bucket",
                        .key = "key",
                        .in.mp = {.upload_id = id, .parts = parts, .count = count}};
    CHECK_INT(run_and_dispose(s, &op), PAIL_OK);
}

static void *allocate(void *ptr, size_t size, void *ctx)
{
    (void)ctx;
    if (size && meanwhile.left && --meanwhile.left == 0) {
        put_in_parts(meanwhile.s, meanwhile.parts);
    }
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

static void test_parts__are_those_of_one_object_whenever_it_is_replaced(void)
{
    struct store s;
    store_folder(&s);
    REQUIRE(store_open(&s) == PAIL_OK && make_bucket(&s, "bucket") == PAIL_OK);
    bool happened = true;
    for (int at = 1; happened && at < 100; at++) {
        put_in_parts(&s, 3);
        meanwhile.s = &s;
        meanwhile.parts = 2;
        meanwhile.left = at;
        struct pl_op op = {
            .kind = PL_OP_MP_LIST, .bucket = "bucket", .key = "key", .in.list.of_object = true};
        CHECK_INT(run(&s, &op), PAIL_OK);
        happened = meanwhile.left == 0;
        meanwhile.left = 0;
        CHECK(op.out.part_count == 3 || op.out.part_count == 2);
        CHECK_INT(op.out.info.size, 4 * op.out.part_count);
        pl_op_dispose(&op);
    }
    CHECK(!happened);
    store_remove(&s);
}

int main(void)
{
    const pail_allocator allocator = {allocate, NULL};
    if (pail_set_allocator(&allocator)) {
        return 1;
    }
    RUN(test_parts__are_those_of_one_object_whenever_it_is_replaced);
    RUN(test_list__every_prefix_delimiter_and_page_size_gives_what_a_walk_gives);
    RUN(test_list__a_bucket_made_again_under_its_name_is_another_one);
    RUN(test_list__uploads_come_in_order_of_keys_page_by_page);
    return test_end();
}
