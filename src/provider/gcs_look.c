/* What came of a finish whose compose found a source missing. Either the step was done already -
 * its answer was lost, or another process has ended the upload half and died - or a part is not as
 * it was sent, or the upload was ended or aborted. The parts are listed to tell. Source: Cloud
 * Storage JSON API v1 "Objects: list".
 *
 * That a step was done is told by its mark alone, which names the generations of all its parts:
 * parts of one size composed otherwise have the same size and count, and the sums of parts are not
 * always known, nor told of objects under a customer's key. */
#include <stdio.h>

#include "provider/gcs.h"

enum { PAGES_MAX = 200 }; /* of 1,000 names each: an upload has 10,000, and a page may be short */

void pl_gcs_look_begin(struct pl_gcs_memo *memo, bool for_step)
{
    memo->phase = PL_GCS_LOOK;
    memo->look = (struct pl_gcs_look){.for_step = for_step};
    memo->token = NULL;
}

/* At first all is listed, as an upload that was ended is known by how much is left of it. Later,
 * from the group before on: what it is composed of stays until the end. */
void pl_gcs_look_from(struct pl_gcs_build *b, struct pl_str hex)
{
    const struct pl_gcs_memo *memo = b->memo;
    struct pl_buf name = PL_BUF_MAX(256);
    if (memo->token) {
        pl_gcs_query(b, "pageToken", memo->token);
    }
    if (memo->look.for_step) {
        pl_gcs_step_name(&name, hex, memo->step);
    } else if (memo->at > 0) {
        pl_gcs_part_name(&name, hex, b->op->in.mp.parts[memo->base].number);
    }
    if (name.len) {
        pl_gcs_query(b, "startOffset", name.ptr);
    }
    b->r->failed |= pl_buf_rc(&name) != PAIL_OK;
    pl_buf_dispose(&name);
}

static const json_t *item_of(const json_t *items, const char *name)
{
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *text = pl_json_text(item, "name");
        if (text && strcmp(text, name) == 0) {
            return item;
        }
    }
    return NULL;
}

static bool has_mark(const json_t *item, const char *mark)
{
    const char *text = pl_json_text(json_object_get(item, "metadata"), PL_GCS_MARK);
    return text && (!mark || strcmp(text, mark) == 0);
}

static void note(struct pl_gcs_look *look, const struct pl_part *p, const json_t *item)
{
    const char *there = item ? pl_json_text(item, "generation") : NULL;
    bool other = there && strcmp(there, p->etag) != 0;
    look->missing += !there;
    look->others += other;
    if (!look->bad && (!there || other)) {
        look->bad = p;
        look->composed = has_mark(item, NULL);
        snprintf(look->there, sizeof look->there, "%s", there ? there : "");
    }
}

/* One page, whose names are in order: a part behind its last name is not judged by it. True: the
 * step was done, memo says so. */
static bool read_page(const struct pl_op *op, struct pl_gcs_memo *memo, const json_t *root,
                      bool whole)
{
    struct pl_str rest = pl_str_c(op->in.mp.upload_id), hex = pl_str_split(&rest, '.');
    struct pl_gcs_look *look = &memo->look;
    const json_t *items = json_object_get(root, "items");
    size_t count = json_array_size(items);
    const char *end = count ? pl_json_text(json_array_get(items, count - 1), "name") : NULL;
    bool last = memo->at + memo->took == op->in.mp.count, done = false;
    struct pl_buf name = PL_BUF_MAX(256);
    look->left += count;
    for (; look->judged < memo->took && !done; look->judged++) {
        const struct pl_part *p = &op->in.mp.parts[memo->at + look->judged];
        pl_buf_clear(&name);
        pl_gcs_part_name(&name, hex, p->number);
        if (pl_buf_rc(&name) || (!whole && (!end || strcmp(name.ptr, end) > 0))) {
            break;
        }
        const json_t *item = item_of(items, name.ptr);
        const char *generation = item ? pl_json_text(item, "generation") : NULL;
        done = !look->judged && !last && generation && has_mark(item, memo->next_mark);
        if (done) {
            pl_gcs_step_done(memo, generation);
        } else {
            note(look, p, item);
        }
    }
    pl_buf_dispose(&name);
    return done;
}

static pail_code blame(const struct pl_gcs_look *look, bool is_begun, struct pail_error **err)
{
    const pail_code rc = PAIL_E_BAD_ARGUMENT;
    const struct pl_part *bad = look->bad;
    if (!bad && is_begun) { /* between this and the answer that refused it */
        pl_fail(err, PAIL_E_CONFLICT, "what was composed of the parts is another one by now");
        pl_error_hint(err, "see that nobody else ends or aborts the upload, then finish it again");
        return PAIL_E_CONFLICT;
    }
    if (!bad) {
        pl_fail(err, rc, "a part of the upload is not there as it was sent");
    } else if (look->composed) {
        pl_fail(err, rc, "part %u, generation %.20s, was composed with other parts by a finish",
                (unsigned)bad->number, bad->etag);
    } else if (*look->there) {
        pl_fail(err, rc, "part %u is generation %s by now, not %.20s", (unsigned)bad->number,
                look->there, bad->etag);
    } else {
        pl_fail(err, rc, "part %u, generation %.20s, is not there", (unsigned)bad->number,
                bad->etag);
    }
    pl_error_hint(err, "send that part again and finish with its new ETag, or abort the upload");
    return rc;
}

/* Where more are missing than are left, the upload was aborted or ended, and what came late goes as
 * well; else all stays for another finish or an abort. */
static void judge(struct pl_gcs *gcs, struct pl_op *op, struct pl_gcs_memo *memo,
                  struct pl_verdict *out, struct pail_error **err)
{
    const struct pl_gcs_look *look = &memo->look;
    *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .never_applied = true};
    if (look->left && (look->others || look->missing <= look->left)) {
        out->code = blame(look, memo->at > 0, err);
        return;
    }
    (void)pl_gcs_forget_upload(gcs, op->in.mp.upload_id);
    if (!look->left) {
        out->code = pl_gcs_no_such_upload(err);
        return;
    }
    memo->gone = true;
    memo->at = 0;
    memo->phase = PL_GCS_SWEEP;
    *out = (struct pl_verdict){.next = PL_NEXT_MORE};
}

/* Nothing may be written over: is it because the step was done? */
static void judge_step(const struct pl_op *op, struct pl_gcs_memo *memo, const json_t *root,
                       struct pl_verdict *out, struct pail_error **err)
{
    struct pl_str rest = pl_str_c(op->in.mp.upload_id), hex = pl_str_split(&rest, '.');
    struct pl_buf name = PL_BUF_MAX(256);
    pl_gcs_step_name(&name, hex, memo->step);
    const json_t *item =
        pl_buf_rc(&name) ? NULL : item_of(json_object_get(root, "items"), name.ptr);
    const char *generation = item ? pl_json_text(item, "generation") : NULL;
    if (generation && has_mark(item, memo->next_mark)) {
        pl_gcs_step_done(memo, generation);
        *out = (struct pl_verdict){.next = PL_NEXT_MORE};
    } else {
        *out = (struct pl_verdict){
            .next = PL_NEXT_FAIL, .code = PAIL_E_FORBIDDEN, .never_applied = true};
        pl_fail(err, PAIL_E_FORBIDDEN,
                item ? "a finish of other parts has composed some already, "
                       "which this account may not write over"
                     : "the account may not compose the parts");
        pl_error_hint(err, "give it storage.objects.create, get, list and delete on the bucket");
    }
    pl_buf_dispose(&name);
}

void pl_gcs_looked(struct pl_gcs *gcs, struct pl_op *op, struct pl_gcs_memo *memo,
                   const struct pl_http_response *r, struct pl_verdict *out,
                   struct pail_error **err)
{
    json_t *root = pl_gcs_answer(r, out, err);
    if (!root) {
        return;
    }
    if (memo->look.for_step) {
        judge_step(op, memo, root, out, err);
        json_decref(root);
        return;
    }
    const char *token = pl_json_text(root, "nextPageToken");
    const struct pl_gcs_look *look = &memo->look;
    bool done = read_page(op, memo, root, !token);
    bool enough = look->judged == memo->took && look->missing <= look->left;
    if (done) {
        *out = (struct pl_verdict){.next = PL_NEXT_MORE};
    } else if (enough || !token) {
        judge(gcs, op, memo, out, err);
    } else if (++memo->look.pages > PAGES_MAX) {
        pl_gcs_fail(out, PL_NEXT_FAIL, PAIL_E_PROTOCOL, err,
                    "the service's listing of the parts has no end");
    } else {
        memo->token = pl_arena_dup_c(&op->arena, token);
        *out = (struct pl_verdict){.next = memo->token ? PL_NEXT_MORE : PL_NEXT_FAIL,
                                   .code = PAIL_E_NO_MEMORY};
    }
    json_decref(root);
}
