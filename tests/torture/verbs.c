#include "torture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char torture_bytes[BIG_BYTES];
static char room[BIG_BYTES];
static const char scratch[] = "torture.tmp";

/* As small as the store takes parts. */
static uint64_t part_size(pail_bucket *b)
{
    uint64_t least = pail_client_limit(pail_bucket_client(b), PAIL_LIMIT_PART_MIN);
    return least > PART_BYTES ? least : PART_BYTES;
}

/* ---- reading ---- */

static pail_code stat_it(pail_bucket *b, pail_error **err)
{
    pail_info *info = NULL;
    pail_code rc = pail_stat(b, "big", NULL, &info, err);
    pail_info_free(info);
    return rc;
}

static pail_code get_small(pail_bucket *b, pail_error **err)
{
    pail_info *info = NULL;
    pail_code rc = pail_get(b, "small", PAIL_BUF(room, sizeof room), NULL, &info, err);
    pail_info_free(info);
    return rc;
}

static pail_code get_big(pail_bucket *b, pail_error **err)
{
    memset(room, 0, sizeof room);
    pail_code rc = pail_get(b, "big", PAIL_BUF(room, sizeof room),
                            PAIL_OPTS(get, .part_size = part_size(b), .concurrency = 3), NULL, err);
    return rc == PAIL_OK && memcmp(room, torture_bytes, sizeof room) != 0 ? PAIL_E_INTERNAL : rc;
}

/* A failed one leaves no file, or the whole one where only syncing its name failed. */
static pail_code get_to_path(pail_bucket *b, pail_error **err)
{
    pail_code rc = pail_get(b, "big", PAIL_PATH(scratch),
                            PAIL_OPTS(get, .part_size = part_size(b), .sync = true), NULL, err);
    FILE *f = fopen(scratch, "rb");
    bool whole = f && fread(room, 1, BIG_BYTES, f) == BIG_BYTES &&
                 memcmp(room, torture_bytes, BIG_BYTES) == 0;
    bool fine = f ? whole : rc != PAIL_OK;
    if (f) {
        fclose(f);
        unlink(scratch);
    }
    return fine ? rc : PAIL_E_INTERNAL;
}

static pail_code get_alloc(pail_bucket *b, pail_error **err)
{
    void *data = NULL;
    size_t n = 0;
    pail_code rc = pail_get_alloc(b, "big", NULL, &data, &n, err);
    pail_free(data);
    return rc;
}

static pail_code get_ranges(pail_bucket *b, pail_error **err)
{
    pail_range ranges[] = {{.offset = 10, .length = 100}, {.offset = 200000, .length = 50000}};
    void *bufs[] = {room, room + 1000};
    size_t got[2];
    return pail_get_ranges(b, "big", ranges, bufs, got, 2, 1, NULL, err);
}

static pail_code read_it(pail_bucket *b, pail_error **err)
{
    pail_reader *r = NULL;
    size_t got = 0;
    pail_code rc = pail_reader_open(b, "big", NULL, &r, err);
    rc = rc ? rc : pail_reader_read(r, room, 1000, &got, err);
    rc = rc ? rc : pail_reader_seek(r, -10, SEEK_END, NULL, err);
    rc = rc ? rc : pail_reader_pread(r, room, 100, 150000, &got, err);
    pail_reader_free(r);
    return rc;
}

static pail_code walk(pail_iter *it, pail_error **err)
{
    const pail_info *item;
    pail_code rc;
    while ((rc = pail_iter_next(it, &item, err)) == PAIL_OK) {
    }
    pail_iter_free(it);
    return rc == PAIL_DONE ? PAIL_OK : rc;
}

static pail_code list(pail_bucket *b, pail_error **err)
{
    pail_iter *it = NULL;
    pail_code rc = pail_list(b, PAIL_OPTS(list, .page_size = 1), &it, err);
    return rc ? rc : walk(it, err);
}

static pail_code list_versions(pail_bucket *b, pail_error **err)
{
    pail_iter *it = NULL;
    pail_code rc = pail_list(b, PAIL_OPTS(list, .versions = true, .delimiter = "/"), &it, err);
    return rc ? rc : walk(it, err);
}

static pail_code list_uploads(pail_bucket *b, pail_error **err)
{
    pail_iter *it = NULL;
    pail_code rc = pail_uploads(b, NULL, &it, err);
    return rc ? rc : walk(it, err);
}

static pail_code list_buckets(pail_bucket *b, pail_error **err)
{
    pail_iter *it = NULL;
    pail_code rc = pail_bucket_list(pail_bucket_client(b), NULL, &it, err);
    return rc ? rc : walk(it, err);
}

static pail_code exists(pail_bucket *b, pail_error **err)
{
    bool there = false;
    return pail_bucket_exists(pail_bucket_client(b), pail_bucket_name(b), NULL, &there, err);
}

static pail_code tags_get(pail_bucket *b, pail_error **err)
{
    pail_info *info = NULL;
    pail_code rc = pail_tags_get(b, "small", NULL, &info, err);
    pail_info_free(info);
    return rc;
}

static pail_code explain(pail_bucket *b, pail_error **err)
{
    char *text = NULL;
    pail_code rc = pail_client_explain(pail_bucket_client(b), &text, err);
    pail_free(text);
    return rc;
}

/* ---- writing: always the bytes of "big" ---- */

static pail_code put_attributes(pail_bucket *b, pail_error **err)
{
    pail_info *info = NULL;
    pail_kv metadata[] = {{"a", "1"}, {"b", "2"}}, tags[] = {{"t", "u"}};
    pail_code rc = pail_put(b, "target", PAIL_BUF(torture_bytes, BIG_BYTES),
                            PAIL_OPTS(put, .attr = {.metadata = metadata,
                                                    .metadata_count = 2,
                                                    .tags = tags,
                                                    .tag_count = 1,
                                                    .cache_control = "no-cache"}),
                            &info, err);
    pail_info_free(info);
    return rc;
}

static pail_code put_parts(pail_bucket *b, pail_error **err)
{
    return pail_put(b, "target", PAIL_BUF(torture_bytes, BIG_BYTES),
                    PAIL_OPTS(put, .part_size = part_size(b), .concurrency = 2), NULL, err);
}

struct stream {
    uint64_t at;
};
static int64_t pull(void *buf, size_t n, void *ctx)
{
    struct stream *s = ctx;
    size_t left = BIG_BYTES - s->at;
    n = n < left ? n : left;
    memcpy(buf, torture_bytes + s->at, n);
    s->at += n;
    return (int64_t)n;
}

static pail_code put_stream(pail_bucket *b, pail_error **err)
{
    struct stream s = {0};
    return pail_put(b, "target", PAIL_FN(pull, &s), PAIL_OPTS(put, .part_size = part_size(b)), NULL,
                    err);
}

static pail_code put_path(pail_bucket *b, pail_error **err)
{
    return pail_put(b, "target", PAIL_PATH("torture.src"), NULL, NULL, err);
}

static pail_code write_it(pail_bucket *b, pail_error **err)
{
    pail_writer *w = NULL;
    pail_code rc =
        pail_writer_open(b, "target", PAIL_OPTS(put, .part_size = part_size(b)), &w, err);
    for (size_t at = 0; rc == PAIL_OK && at < BIG_BYTES; at += 10000) {
        rc = pail_writer_write(w, torture_bytes + at, 10000, err);
    }
    rc = rc ? rc : pail_writer_commit(w, NULL, err);
    pail_writer_free(w);
    return rc;
}

static pail_code copy(pail_bucket *b, pail_error **err)
{
    pail_info *info = NULL;
    pail_code rc = pail_copy(b, "big", b, "target", NULL, &info, err);
    pail_info_free(info);
    return rc;
}

static pail_code copy_across(pail_bucket *b, pail_error **err)
{
    pail_client *other = NULL;
    pail_bucket *to = NULL;
    pail_code rc = pail_open("memory:", NULL, &other, err);
    rc = rc ? rc : pail_bucket_create(other, "elsewhere", NULL, err);
    rc = rc ? rc : pail_bucket_open(other, "elsewhere", &to, err);
    rc = rc ? rc : pail_copy(b, "big", to, "k", NULL, NULL, err);
    pail_bucket_close(to);
    pail_close(other);
    return rc;
}

static pail_code delete_it(pail_bucket *b, pail_error **err)
{
    return pail_delete(b, "target", NULL, err);
}

static pail_code delete_many(pail_bucket *b, pail_error **err)
{
    const char *keys[] = {"target", "no such key", "nor/this"};
    return pail_delete_many(b, keys, 3, NULL, NULL, NULL, err);
}

static pail_code tags_set(pail_bucket *b, pail_error **err)
{
    pail_kv tags[] = {{"x", "y"}, {"z", ""}};
    return pail_tags_set(b, "small", tags, 2, NULL, err);
}

static pail_code whole_bucket(pail_bucket *b, pail_error **err)
{
    pail_client *c = pail_bucket_client(b);
    pail_bucket *other = NULL;
    pail_code rc = pail_bucket_create(c, "another", PAIL_OPTS(bucket, .exist_ok = true), err);
    rc = rc ? rc : pail_bucket_open(c, "another", &other, err);
    rc = rc ? rc : pail_put(other, "k", PAIL_BUF("x", 1), NULL, NULL, err);
    rc =
        rc ? rc : pail_bucket_delete(c, "another", PAIL_OPTS(bucket, .delete_contents = true), err);
    pail_bucket_close(other);
    return rc;
}

/* ---- the queue form ---- */

struct outcome {
    int done;
    pail_code rc;
};

static void completed(pail_op *op, pail_code code, const pail_info *info, const pail_error *err,
                      void *ctx)
{
    struct outcome *o = ctx;
    (void)op, (void)info;
    o->done++;
    code = code && !pail_error_message(err)[0] ? PAIL_E_INTERNAL : code;
    o->rc = o->rc ? o->rc : code;
}

static pail_code queued(pail_bucket *b, pail_error **err)
{
    pail_queue *q = pail_queue_new();
    if (!q) {
        return PAIL_E_NO_MEMORY;
    }
    struct outcome o = {0};
    pail_body put = {.buf = torture_bytes, .len = BIG_BYTES}, get = {.buf = room, .len = BIG_BYTES};
    pail_request requests[] = {
        {.size = sizeof *requests, .verb = PAIL_PUT, .bucket = b, .key = "target", .body = &put},
        {.size = sizeof *requests, .verb = PAIL_GET, .bucket = b, .key = "big", .body = &get},
        {.size = sizeof *requests, .verb = PAIL_STAT, .bucket = b, .key = "small"}};
    int submitted = 0;
    pail_code rc = PAIL_OK;
    for (size_t i = 0; rc == PAIL_OK && i < sizeof requests / sizeof *requests; i++) {
        rc = pail_submit(q, &requests[i], completed, &o, NULL, err);
        submitted += rc == PAIL_OK;
    }
    while (o.done < submitted) {
        (void)pail_queue_dispatch(q, -1);
    }
    pail_queue_free(q);
    return rc ? rc : o.rc;
}

const struct torture_verb torture_verbs[] = {
    {"stat", stat_it, false},
    {"get_small", get_small, false},
    {"get_big_in_parts", get_big, false},
    {"get_to_path", get_to_path, false},
    {"get_alloc", get_alloc, false},
    {"get_ranges", get_ranges, false},
    {"reader", read_it, false},
    {"list", list, false},
    {"list_versions", list_versions, false},
    {"list_uploads", list_uploads, false},
    {"bucket_list", list_buckets, false},
    {"bucket_exists", exists, false},
    {"tags_get", tags_get, false},
    {"explain", explain, false},
    {"put_with_attributes", put_attributes, true},
    {"delete", delete_it, true},
    {"put_in_parts", put_parts, true},
    {"delete_many", delete_many, true},
    {"put_stream", put_stream, true},
    {"put_path", put_path, true},
    {"writer", write_it, true},
    {"copy", copy, true},
    {"copy_to_another_store", copy_across, true},
    {"tags_set", tags_set, true},
    {"bucket_with_contents", whole_bucket, true},
    {"queue", queued, true},
};
const int torture_verb_count = sizeof torture_verbs / sizeof *torture_verbs;

/* ---- the bed ---- */

static bool same(pail_bucket *b, const char *key, size_t n, bool may_lack)
{
    static char found[BIG_BYTES];
    pail_body body = {.buf = found, .len = sizeof found};
    pail_code rc = pail_get(b, key, &body, NULL, NULL, NULL);
    return (rc == PAIL_E_NOT_FOUND && may_lack) ||
           (rc == PAIL_OK && body.used == n && memcmp(found, torture_bytes, n) == 0);
}

bool torture_is_whole(pail_bucket *b)
{
    return same(b, "small", 100, false) && same(b, "big", BIG_BYTES, false) &&
           same(b, "target", BIG_BYTES, true);
}

pail_bucket *torture_bucket(const char *url)
{
    pail_bucket *b = NULL;
    pail_error *err = NULL;
    for (int i = 0; i < BIG_BYTES; i++) {
        torture_bytes[i] = (char)(i * 31 + i / 257);
    }
    FILE *f = fopen("torture.src", "wb");
    bool written = f && fwrite(torture_bytes, BIG_BYTES, 1, f) == 1;
    if ((f && fclose(f) != 0) || !written || pail_open_bucket(url, NULL, &b, &err) ||
        pail_bucket_create(pail_bucket_client(b), pail_bucket_name(b), NULL, &err) ||
        pail_put(b, "small", PAIL_BUF(torture_bytes, 100), NULL, NULL, &err) ||
        pail_put(b, "big", PAIL_BUF(torture_bytes, BIG_BYTES), NULL, NULL, &err)) {
        printf("Bail out! %s: %s\n", url, pail_error_message(err));
        exit(1);
    }
    return b;
}
