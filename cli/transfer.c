#include "transfer.h"

#include "job.h"
#include "json.h"
#include "mem.h"
#include "out.h"
#include "progress.h"
#include "pump.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- What is told */

static const char *operation(const struct job *job)
{
    bool down = job->from.kind == END_OBJECT, up = job->to.kind == END_OBJECT;
    return down && up ? "copy" : up ? "upload" : down ? "download" : "copy";
}

static void tell(const struct job *job, const char *op, const char *reason, bool dry_run)
{
    const char *word = job->all->opts->move ? "mv" : "cp";
    if (app.json) {
        json_begin("transfer");
        json_text("op", op);
        json_text("src", job->from.shown);
        json_text("dst", job->to.shown);
        json_text("reason", reason);
        if (reason == NULL && !dry_run) {
            json_uint("bytes", job->moved);
            json_int("duration_ms", now_ms() - job->begun_ms);
        }
        json_bool("dry_run", dry_run);
        json_end();
    } else if (dry_run) {
        out_printf("%s ", word);
        out_name(job->from.shown);
        out_text(" ");
        out_name(job->to.shown);
        out_text("\n");
    } else if (app.verbose > 0) {
        char *line = mem_printf("%s -> %s", job->from.shown, job->to.shown);
        fail_note(reason != NULL ? "skipped" : NULL, line);
        mem_free(line);
    }
}

/* Which end an error speaks of. */
static const char *subject(const struct job *job, const pail_error *err)
{
    pail_code code = pail_error_code(err);
    bool local = code == PAIL_E_IO || code == PAIL_E_NO_SPACE;
    if (job->removing) {
        return job->from.shown;
    }
    if (job->from.kind != END_OBJECT) {
        return local || code == PAIL_E_CHANGED ? job->from.shown : job->to.shown;
    }
    if (job->to.kind != END_OBJECT) {
        return local ? job->to.shown : job->from.shown;
    }
    bool target = strcmp(pail_error_bucket(err), job->to.target->bucket_name) == 0 &&
                  strcmp(pail_error_key(err), job->to.key) == 0;
    return target || code == PAIL_E_EXISTS || code == PAIL_E_PRECONDITION ? job->to.shown
                                                                          : job->from.shown;
}

/* ---- The end of a job */

static void free_job(struct job *job)
{
    end_dispose(&job->from);
    end_dispose(&job->to);
    pail_info_free(job->info);
    mem_free(job->temporary);
    mem_free(job->etag);
    mem_free(job);
}

static void settle(struct job *job, int status)
{
    tally_add(&job->all->tally, status);
    if (status == 0) {
        job->all->tally.bytes += job->moved;
        tell(job, operation(job), NULL, false);
        progress_object_done();
    }
    free_job(job);
}

static void skip(struct job *job)
{
    job->all->tally.skipped++;
    tell(job, "skip", "exists", false);
    progress_object_done();
    free_job(job);
}

static int report(const struct job *job, const pail_error *err)
{
    if (pail_error_code(err) != PAIL_E_CALLBACK) {
        return fail_error(subject(job, err), err);
    }
    if (job->input_error != 0) {
        return fail_errno(job->from.shown, job->input_error, 1);
    }
    return out_ok() ? fail_error(subject(job, err), err) : 1; /* out_finish says why */
}

static int settle_local(struct job *job, int error, enum pump_side side)
{
    if (error == EEXIST) {
        return fail_with(PAIL_E_EXISTS, job->to.shown, "the file is already there", NULL);
    }
    if (side == PUMP_SINK && job->to.kind == END_STDIO) {
        return 1; /* out_finish says why */
    }
    return fail_errno(side == PUMP_SOURCE ? job->from.shown : job->to.shown, error, 1);
}

static bool may_skip(const struct job *job)
{
    return job->all->opts->tree && job->all->opts->no_clobber;
}

/* ---- Removing the source of a move */

static void remove_source(struct job *job)
{
    if (job->from.kind == END_PATH) {
        int error = unlink(job->from.place.path) != 0 ? errno : 0;
        settle(job, error != 0 ? fail_errno(job->from.shown, error, 1) : 0);
        return;
    }
    if (job->all->queue != NULL) {
        job->next = job->all->waiting;
        job->all->waiting = job;
        return;
    }
    pail_error *err = NULL;
    pail_request request = job_removal(job);
    pail_code code = pail_delete(request.bucket, request.key, request.opts, &err);
    settle(job, code == PAIL_OK ? 0 : report(job, err));
    pail_error_free(err);
}

/* Ends a download into a temporary file: takes its name, unless something is there. */
static int claim(const struct job *job, bool ok)
{
    int error = ok ? folder_claim(job->temporary, job->to.place.path) : 0;
    if (!ok || error != 0) {
        unlink(job->temporary);
    }
    return error;
}

static void finish(struct job *job, pail_code code, const pail_info *info, const pail_error *err)
{
    int error = job->temporary != NULL ? claim(job, code == PAIL_OK) : 0;
    if ((code == PAIL_E_EXISTS || error == EEXIST) && may_skip(job)) {
        skip(job);
    } else if (error != 0) {
        settle(job, settle_local(job, error, PUMP_SINK));
    } else if (code != PAIL_OK) {
        settle(job, report(job, err));
    } else if (job->all->opts->move && !job->removing) {
        if (job->request.verb == PAIL_GET && info != NULL) {
            job->etag = mem_text(info->etag);
        }
        remove_source(job);
    } else {
        settle(job, 0);
    }
}

/* ---- Running */

static void done(pail_op *op, pail_code code, const pail_info *info, const pail_error *err,
                 void *ctx)
{
    (void)op;
    struct job *job = ctx;
    job->all->running--;
    job->moved = job->body.used > 0 ? job->body.used : job->moved;
    finish(job, code, info, err);
}

static void submit(struct job *job)
{
    struct transfers *all = job->all;
    pail_error *err = NULL;
    if (pail_submit(all->queue, &job->request, done, job, NULL, &err) != PAIL_OK) {
        settle(job, report(job, err));
    } else {
        all->running++;
    }
    pail_error_free(err);
}

static void run_now(struct job *job)
{
    const pail_request *r = &job->request;
    pail_info *info = NULL;
    pail_error *err = NULL;
    pail_code code;
    if (r->verb == PAIL_GET) {
        code = pail_get(r->bucket, r->key, r->body, r->opts, &info, &err);
    } else if (r->verb == PAIL_PUT) {
        code = pail_put(r->bucket, r->key, r->body, r->opts, &info, &err);
    } else {
        code = pail_copy(r->bucket, r->key, r->dst_bucket, r->dst_key, r->opts, &info, &err);
    }
    job->moved = job->body.used > 0 ? job->body.used : job->moved;
    finish(job, code, info, err);
    pail_info_free(info);
    pail_error_free(err);
}

static void progress_local(uint64_t done, void *ctx)
{
    (void)job_progress(done, -1, ctx);
}

static void run_local(struct job *job)
{
    struct pump pump = {.from = job->from.place.path,
                        .to = job->to.place.path,
                        .no_clobber = job->all->opts->no_clobber,
                        .sync = job->all->opts->sync,
                        .progress = progress_active() ? progress_local : NULL,
                        .ctx = job};
    int error = pump_run(&pump);
    job->moved = pump.moved;
    if (error == EEXIST && may_skip(job)) {
        skip(job);
    } else if (error != 0) {
        settle(job, settle_local(job, error, pump.failed));
    } else if (job->all->opts->move) {
        remove_source(job);
    } else {
        settle(job, 0);
    }
}

/* Moves the queue on until fewer than `most` run. */
static void turn(struct transfers *all, unsigned most)
{
    do {
        while (all->waiting != NULL) {
            struct job *job = all->waiting;
            all->waiting = job->next;
            job->request = job_removal(job);
            submit(job);
        }
        pail_queue_dispatch(all->queue, all->running > most ? -1 : 0);
    } while (all->running > most || all->waiting != NULL);
}

/* A downloaded file takes the place of what is there, but only of a file. */
static int check_sink(const struct job *job)
{
    struct stat st;
    if (job->to.kind != END_PATH) {
        return 0;
    }
    bool there = lstat(job->to.place.path, &st) == 0;
    if (there && job->all->opts->no_clobber) {
        return EEXIST;
    }
    if (there && stat(job->to.place.path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return EISDIR;
    }
    return 0;
}

static void start(struct job *job)
{
    pail_error *err = NULL;
    int error = check_sink(job);
    if (error == EEXIST && may_skip(job)) {
        skip(job);
        return;
    }
    if (error != 0) {
        settle(job, settle_local(job, error, PUMP_SINK));
        return;
    }
    if (job->from.kind != END_OBJECT && job->to.kind != END_OBJECT) {
        run_local(job);
        return;
    }
    if (job_prepare(job, &err) != PAIL_OK) {
        settle(job, report(job, err));
        pail_error_free(err);
    } else if (job->all->queue == NULL) {
        run_now(job);
    } else {
        struct transfers *all = job->all; /* a job that cannot be submitted is freed at once */
        submit(job);
        turn(all, all->limit - 1);
    }
}

void transfers_run(struct transfers *all, struct end *from, struct end *to, int64_t size)
{
    struct job *job = mem_new(sizeof *job);
    job->all = all;
    job->from = *from;
    job->to = *to;
    job->size = size;
    job->begun_ms = now_ms();
    *from = *to = (struct end){.place.dir_fd = -1};
    progress_expect(size > 0 ? (uint64_t)size : 0, 1);
    if (all->opts->dry_run) {
        tell(job, operation(job), NULL, true);
        all->tally.done++;
        free_job(job);
        return;
    }
    start(job);
}

void transfers_open(struct transfers *all, const struct transfer_opts *opts, unsigned limit)
{
    *all = (struct transfers){.opts = opts, .limit = limit};
    if (limit > 1) {
        all->queue = pail_queue_new();
    }
}

void transfers_close(struct transfers *all)
{
    if (all->queue != NULL) {
        turn(all, 0);
    }
    pail_queue_free(all->queue);
    all->queue = NULL;
}
