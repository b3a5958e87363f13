#include <stdio.h>

#include "api/verbs.h"
#include "base/sys.h"
#include "transfer/blocks.h"
#include "transfer/ranges.h"

struct pail_reader {
    pail_bucket *bucket; /* its own handle */
    char *key, *version;
    pail_encryption encryption; /* strings in arena */
    struct pl_arena arena;
    pail_info *info;
    struct pl_blocks blocks;
    bool open; /* blocks is */
    uint64_t position;
};

static pail_code open_reader(struct pail_reader *r, pail_bucket *b, const char *key,
                             const pail_get_opts *user, struct pail_error **err)
{
    pail_get_opts o;
    pail_code rc = pl_bucket_usable(b, key, err);
    rc = rc ? rc : pl_take_opts(&o, sizeof o, user, err);
    rc = rc ? rc : pail_bucket_open(b->client, b->name, &r->bucket, err);
    if (rc) {
        return rc;
    }
    pail_stat_opts s = {.size = sizeof s,
                        .call = o.call,
                        .cond = o.cond,
                        .version = o.version,
                        .encryption = o.encryption};
    rc = pail_stat(b, key, &s, &r->info, err);
    if (rc) {
        return rc;
    }
    r->key = pl_arena_dup_c(&r->arena, key);
    r->version = pl_arena_dup_c(&r->arena, o.version);
    r->encryption.customer_key_base64 = pl_arena_dup_c(&r->arena, o.encryption.customer_key_base64);
    if (r->arena.failed) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a reader");
    }
    r->blocks = (struct pl_blocks){.provider = b->client->provider,
                                   .pool = &b->client->pool,
                                   .bucket = r->bucket->name,
                                   .key = r->key,
                                   .etag = r->info->etag,
                                   .version = r->version,
                                   .encryption = &r->encryption,
                                   .cancel = o.call.cancel,
                                   .progress = o.call.progress,
                                   .progress_ctx = o.call.progress_ctx,
                                   .deadline_ms = o.call.deadline_ms ? o.call.deadline_ms
                                                                     : b->client->deadline_ms,
                                   .size = r->info->size,
                                   .block_size = o.part_size};
    rc = pl_blocks_init(&r->blocks, err);
    r->open = rc == PAIL_OK;
    return rc;
}

PAIL_API pail_code pail_reader_open(pail_bucket *b, const char *key, const pail_get_opts *opts,
                                    pail_reader **out, pail_error **err)
{
    *out = NULL;
    pail_reader *r = pl_calloc(1, sizeof *r);
    if (!r) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for a reader");
    }
    pail_code rc = open_reader(r, b, key, opts, err);
    if (rc) {
        pail_reader_free(r);
        return rc;
    }
    *out = r;
    return PAIL_OK;
}

PAIL_API pail_code pail_reader_pread(pail_reader *r, void *buf, size_t n, uint64_t offset,
                                     size_t *got, pail_error **err)
{
    *got = 0;
    pail_code rc = pl_client_usable(r ? r->bucket->client : NULL, err);
    rc = rc ? rc : pl_blocks_read(&r->blocks, buf, n, offset, got, err);
    return rc == PAIL_OK && n && *got == 0 ? PAIL_DONE : rc;
}

PAIL_API pail_code pail_reader_read(pail_reader *r, void *buf, size_t n, size_t *got,
                                    pail_error **err)
{
    pail_code rc = pail_reader_pread(r, buf, n, r ? r->position : 0, got, err);
    if (rc == PAIL_OK) {
        r->position += *got;
    }
    return rc;
}

PAIL_API pail_code pail_reader_seek(pail_reader *r, int64_t offset, int whence, uint64_t *position,
                                    pail_error **err)
{
    pail_code rc = pl_client_usable(r ? r->bucket->client : NULL, err);
    if (rc) {
        return rc;
    }
    if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END) {
        return pl_fail(err, PAIL_E_BAD_ARGUMENT,
                       "whence is neither SEEK_SET, SEEK_CUR nor SEEK_END");
    }
    int64_t base = whence == SEEK_SET   ? 0
                   : whence == SEEK_CUR ? (int64_t)r->position
                                        : (int64_t)r->info->size;
    int64_t to;
    if (__builtin_add_overflow(base, offset, &to) || to < 0) {
        return pl_fail(err, PAIL_E_BAD_ARGUMENT, "a seek to before the start of \"%s\"", r->key);
    }
    r->position = (uint64_t)to;
    if (position) {
        *position = r->position;
    }
    return PAIL_OK;
}

PAIL_API const pail_info *pail_reader_info(const pail_reader *r)
{
    return r ? r->info : NULL;
}

PAIL_API void pail_reader_free(pail_reader *r)
{
    if (!r) {
        return;
    }
    if (r->open && r->bucket->client->forks == pl_fork_count()) {
        pl_blocks_dispose(&r->blocks);
    }
    pail_info_free(r->info);
    pail_bucket_close(r->bucket);
    pl_arena_dispose(&r->arena);
    pl_free(r);
}

PAIL_API pail_code pail_get_ranges(pail_bucket *b, const char *key, const pail_range *ranges,
                                   void *const *bufs, size_t *got, size_t count,
                                   uint64_t coalesce_gap, const pail_get_opts *user,
                                   pail_error **err)
{
    struct pl_ranges r = {.key = key,
                          .ranges = ranges,
                          .bufs = bufs,
                          .got = got,
                          .count = count,
                          .gap = coalesce_gap};
    pail_code rc = pl_bucket_usable(b, key, err);
    rc = rc ? rc : pl_take_opts(&r.opts, sizeof r.opts, user, err);
    rc = rc ? rc : pl_call_check(&r.opts.call, err);
    if (rc) {
        return rc;
    }
    r.bucket = b->name;
    pl_task_aim(&r.task, b->client, &r.opts.call);
    rc = pl_ranges_init(&r, err);
    if (rc) {
        return rc;
    }
    (void)pl_task_run(&r.task);
    return pl_task_result(&r.task, NULL, err);
}
