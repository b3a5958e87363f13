#include "job.h"

#include "mem.h"
#include "out.h"
#include "progress.h"
#include "pump.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

int job_progress(uint64_t done, int64_t total, void *ctx)
{
    struct job *job = ctx;
    if (job->size < 0 && total >= 0) {
        job->size = total;
        progress_expect((uint64_t)total, 0);
    }
    progress_advance((int64_t)done - (int64_t)job->moved);
    job->moved = done;
    return 0;
}

static pail_call call_of(struct job *job)
{
    pail_call call = cli_call();
    if (progress_active()) {
        call.progress = job_progress;
        call.progress_ctx = job;
    }
    return call;
}

static int64_t pull_input(void *buf, size_t n, void *ctx)
{
    struct job *job = ctx;
    int64_t got = pump_read_input(buf, n);
    job->input_error = got < 0 ? errno : 0;
    return got;
}

static int64_t push_output(void *buf, size_t n, void *ctx)
{
    (void)ctx;
    return out_write_through(buf, n) && !app.interrupted ? 0 : -1;
}

static void prepare_get(struct job *job)
{
    const struct transfer_opts *opts = job->all->opts;
    job->get = (pail_get_opts){.size = sizeof job->get,
                               .call = call_of(job),
                               .cond.if_match = opts->if_match,
                               .version = opts->version,
                               .part_size = opts->part_size,
                               .concurrency = (uint32_t)opts->concurrency,
                               .sync = opts->sync};
    job->body = (pail_body){.kind = PAIL_BODY_FN, .fn = push_output};
    if (job->to.kind == END_PATH) {
        job->body = (pail_body){.kind = PAIL_BODY_PATH, .path = job->to.place.path};
        if (opts->no_clobber) {
            job->temporary = folder_temporary(job->to.place.path);
            job->body.path = job->temporary;
        }
    }
    job->request.verb = PAIL_GET;
    job->request.bucket = job->from.target->bucket;
    job->request.key = job->from.key;
    job->request.opts = &job->get;
}

static bool changes_attributes(const struct transfer_opts *opts)
{
    return opts->content_type != NULL || opts->content_encoding != NULL ||
           opts->content_disposition != NULL || opts->cache_control != NULL ||
           opts->storage_class != NULL || opts->metadata.count > 0 || opts->tags.count > 0;
}

/* Over what `attr` already has. */
static void apply_attributes(const struct transfer_opts *opts, pail_attributes *attr)
{
    const char *const given[] = {opts->content_type, opts->content_encoding,
                                 opts->content_disposition, opts->cache_control,
                                 opts->storage_class};
    const char **const to[] = {&attr->content_type, &attr->content_encoding,
                               &attr->content_disposition, &attr->cache_control,
                               &attr->storage_class};
    for (size_t i = 0; i < CLI_COUNT(given); i++) {
        *to[i] = given[i] != NULL ? given[i] : *to[i];
    }
    if (opts->metadata.count > 0) {
        attr->metadata = opts->metadata.items;
        attr->metadata_count = opts->metadata.count;
    }
    if (opts->tags.count > 0) {
        attr->tags = opts->tags.items;
        attr->tag_count = opts->tags.count;
    }
}

static void prepare_put(struct job *job)
{
    const struct transfer_opts *opts = job->all->opts;
    job->put = (pail_put_opts){.size = sizeof job->put,
                               .call = call_of(job),
                               .cond.if_match = opts->if_match,
                               .cond.if_none_match = opts->no_clobber ? "*" : NULL,
                               .part_size = opts->part_size,
                               .concurrency = (uint32_t)opts->concurrency};
    apply_attributes(opts, &job->put.attr);
    struct stat st;
    if (job->from.kind == END_PATH) {
        job->body = (pail_body){.kind = PAIL_BODY_PATH, .path = job->from.place.path};
    } else if (fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode)) {
        job->body = (pail_body){.kind = PAIL_BODY_FD, .fd = STDIN_FILENO};
    } else {
        job->body = (pail_body){.kind = PAIL_BODY_FN, .fn = pull_input, .ctx = job};
    }
    job->body.expected_size = opts->expected_size;
    job->request.verb = PAIL_PUT;
    job->request.bucket = job->to.target->bucket;
    job->request.key = job->to.key;
    job->request.opts = &job->put;
}

/* New attributes replace all of the old ones: what was not given comes from the source. */
static pail_code keep_attributes(struct job *job, pail_error **err)
{
    pail_stat_opts opts = {
        .size = sizeof opts, .call = cli_call(), .version = job->all->opts->version};
    pail_code code = pail_stat(job->from.target->bucket, job->from.key, &opts, &job->info, err);
    if (code == PAIL_OK) {
        const pail_info *info = job->info;
        job->attr = (pail_attributes){.content_type = info->content_type,
                                      .content_encoding = info->content_encoding,
                                      .content_language = info->content_language,
                                      .content_disposition = info->content_disposition,
                                      .cache_control = info->cache_control,
                                      .metadata = info->metadata,
                                      .metadata_count = info->metadata_count,
                                      .tags = info->tags,
                                      .tag_count = info->tag_count,
                                      .storage_class = info->storage_class};
    }
    return code;
}

static pail_code prepare_copy(struct job *job, pail_error **err)
{
    const struct transfer_opts *opts = job->all->opts;
    pail_code code = PAIL_OK;
    job->copy = (pail_copy_opts){.size = sizeof job->copy,
                                 .call = call_of(job),
                                 .source_version = opts->version,
                                 .cond.if_match = opts->if_match,
                                 .cond.if_none_match = opts->no_clobber ? "*" : NULL,
                                 .part_size = opts->part_size,
                                 .concurrency = (uint32_t)opts->concurrency};
    if (changes_attributes(opts)) {
        code = keep_attributes(job, err);
        apply_attributes(opts, &job->attr);
        job->copy.attr = &job->attr;
    }
    job->request.verb = PAIL_COPY;
    job->request.bucket = job->from.target->bucket;
    job->request.key = job->from.key;
    job->request.dst_bucket = job->to.target->bucket;
    job->request.dst_key = job->to.key;
    job->request.opts = &job->copy;
    return code;
}

pail_code job_prepare(struct job *job, pail_error **err)
{
    job->request = (pail_request){.size = sizeof job->request, .body = &job->body};
    if (job->to.kind != END_OBJECT) {
        prepare_get(job);
        return PAIL_OK;
    }
    if (job->from.kind != END_OBJECT) {
        prepare_put(job);
        return PAIL_OK;
    }
    return prepare_copy(job, err);
}

pail_request job_removal(struct job *job)
{
    struct target *source = (struct target *)(uintptr_t)job->from.target;
    job->removing = true;
    job->removal = (pail_delete_opts){.size = sizeof job->removal, .call = cli_call()};
    if (pail_supports(source->client, PAIL_CAN_DELETE_IF_MATCH) == PAIL_NATIVE) {
        job->removal.if_match = job->etag; /* what was read, not what came since */
    }
    return (pail_request){.size = sizeof(pail_request),
                          .verb = PAIL_DELETE,
                          .bucket = source->bucket,
                          .key = job->from.key,
                          .opts = &job->removal};
}
