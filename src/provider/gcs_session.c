/* Resumable upload sessions: an object arrives in one stream, and after a broken exchange the
 * service says how much of it it has. Large puts use them; uploads in parts do with
 * gcs_upload=session, for buckets in which parts must not lie about: retention policies, holds,
 * soft delete, colder default classes. Source: Cloud Storage "Perform resumable uploads" and
 * "Resumable uploads" of the JSON API.
 *
 * SPEC "Perform resumable uploads": a chunk is a multiple of 256 KiB unless it is the last; 308
 * with Range: bytes=0-N has N + 1 bytes, 308 without Range none; the status query is an empty PUT
 * with Content-Range: bytes * / TOTAL; 404 and 410 end a session for good. */
#include <errno.h>
#include <stdio.h>

#include "base/sys.h"
#include "codec/hex.h"
#include "codec/url.h"
#include "provider/gcs.h"

#define SESSION "session."

enum { CHUNK = 256 * 1024, ID_HEX = 32, RESTARTS_MAX = 3 };

/* One upload in parts, known only to whoever began it. Under dialect.lock. */
struct pl_gcs_session {
    struct pl_gcs_session *next;
    char id[sizeof SESSION + ID_HEX];
    char *query;      /* of the session's URL: with it alone one can write */
    uint64_t base;    /* bytes that the service is known to have; a multiple of CHUNK */
    uint32_t parts;   /* done */
    bool is_doubtful; /* something was sent whose answer is not known */
    char *if_match, *if_none_match; /* what the begin said, which the service holds to; or NULL */
    char *tail;                     /* CHUNK bytes of room: what came of the parts behind `base` */
    size_t tail_len;
};

static pail_code no_session(struct pail_error **err)
{
    pail_code rc = pl_fail(err, PAIL_E_UPLOAD_NOT_FOUND,
                           "no such upload session; it may have been finished, aborted or expired");
    pl_error_hint(err, "start the upload again; a session is continued only by the client that "
                       "began it");
    return rc;
}

bool pl_gcs_is_session(const char *upload_id)
{
    return upload_id && strncmp(upload_id, SESSION, sizeof SESSION - 1) == 0;
}

static void session_free(struct pl_gcs_session *s)
{
    if (s) {
        pl_free_secret(s->query);
        pl_free(s->if_match);
        pl_free(s->if_none_match);
        pl_free(s->tail);
        pl_free(s);
    }
}

static struct pl_gcs_session **find_locked(struct pl_gcs *gcs, const char *id)
{
    struct pl_gcs_session **at = &gcs->sessions;
    while (*at && strcmp((*at)->id, id) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static void forget(struct pl_gcs *gcs, const char *id)
{
    pthread_mutex_lock(&gcs->dialect.lock);
    struct pl_gcs_session **at = find_locked(gcs, id), *s = *at;
    if (s) {
        *at = s->next;
    }
    pthread_mutex_unlock(&gcs->dialect.lock);
    session_free(s);
}

void pl_gcs_sessions_dispose(struct pl_gcs *gcs)
{
    while (gcs->sessions) {
        struct pl_gcs_session *s = gcs->sessions;
        gcs->sessions = s->next;
        session_free(s);
    }
}

/* ---- Requests */

/* Begins a session for the object of `resource`, which lacks its '}'. */
static pail_code start(struct pl_gcs_build *b, struct pl_buf *resource)
{
    const pail_attributes *attr = b->op->attr;
    const pail_encryption *e = b->op->encryption;
    struct pl_buf json = PL_BUF_MAX(64 * 1024);
    pail_code rc = pl_gcs_add_conditions(b, &b->op->cond, "if", true);
    rc = rc ? rc : pl_gcs_add_encryption(b, e, false);
    b->r->method = "POST";
    pl_gcs_object_path(&b->path, "/upload", b->op->bucket, NULL);
    pl_gcs_query(b, "uploadType", "resumable");
    if (attr && attr->canned_acl) {
        pl_gcs_query(b, "predefinedAcl", attr->canned_acl);
    }
    if (e && e->kms_key_id) {
        pl_gcs_query(b, "kmsKeyName", e->kms_key_id);
    }
    pl_http_add_c(b->r, "x-upload-content-type",
                  attr && attr->content_type ? attr->content_type : "application/octet-stream");
    pl_buf_str(&json, pl_buf_view(resource));
    pl_buf_putc(&json, '}');
    pl_gcs_set_json(b, &json);
    b->memo->phase = PL_GCS_FIRST;
    return rc;
}

/* An exchange with a session: bytes from `at` on to before `end`; end == at: a question. */
static void send(struct pl_gcs_build *b, const char *query, uint64_t at, uint64_t end,
                 const uint64_t *total)
{
    char of[24] = "*", range[96];
    if (total) {
        snprintf(of, sizeof of, "%llu", (unsigned long long)*total);
    }
    if (end > at) {
        snprintf(range, sizeof range, "bytes %llu-%llu/%s", (unsigned long long)at,
                 (unsigned long long)end - 1, of);
    } else {
        snprintf(range, sizeof range, "bytes */%s", of);
    }
    b->r->method = "PUT";
    pl_gcs_object_path(&b->path, "/upload", b->op->bucket, NULL);
    pl_buf_puts(&b->query, query);
    pl_http_add_c(b->r, "content-range", range);
}

/* The source from `from` on, `len` bytes of it. */
static struct pl_body *part_of(struct pl_gcs_build *b, uint64_t from, uint64_t len)
{
    struct pl_body *source = b->op->in.put.source, *cut = &b->memo->cut;
    if (from == 0 && len == source->len) {
        return source;
    }
    *cut = (struct pl_body){.kind = source->kind,
                            .ptr = source->ptr,
                            .fd = source->fd,
                            .offset = source->offset + from,
                            .len = len,
                            .before = source->before};
    if (cut->kind == PL_BODY_MEM) {
        cut->ptr += from;
    }
    return cut;
}

/* ---- A put */

pail_code pl_gcs_build_session_put(struct pl_gcs_build *b, struct pl_buf *resource)
{
    struct pl_gcs_memo *memo = b->memo;
    const uint64_t len = b->op->in.put.source->len;
    char text[PL_SUM_BASE64_MAX];
    memo->by_session = true;
    memo->phase = memo->token && memo->is_doubtful ? PL_GCS_ASK : PL_GCS_SEND;
    if (memo->token) {
        bool asks = memo->phase == PL_GCS_ASK;
        send(b, memo->token, asks ? 0 : memo->sent, asks ? 0 : len, &len);
        if (!asks) {
            b->r->body = part_of(b, memo->sent, len - memo->sent);
            memo->is_doubtful = true;
        }
        return pl_gcs_add_encryption(b, b->op->encryption, false);
    }
    /* SPEC Objects: insert: the service checks the resource's crc32c against the bytes. */
    pail_code rc = b->gcs->verify ? pl_gcs_source_sum(b) : PAIL_OK;
    if (!rc && b->gcs->verify &&
        !pl_gcs_member(resource, "crc32c", pl_sum_base64(&memo->crc32c, text))) {
        rc = PAIL_E_NO_MEMORY;
    }
    snprintf(text, sizeof text, "%llu", (unsigned long long)len);
    pl_http_add_c(b->r, "x-upload-content-length", text);
    return rc ? rc : start(b, resource);
}

/* ---- An upload in parts */

static pail_code begin(struct pl_gcs_build *b)
{
    struct pl_buf resource = PL_BUF_MAX(64 * 1024);
    pl_buf_putc(&resource, '{');
    pail_code rc = pl_gcs_member(&resource, "name", b->op->key)
                       ? PAIL_OK
                       : pl_fail(b->err, PAIL_E_BAD_KEY, "the key is not UTF-8");
    rc = rc ? rc : pl_gcs_write_attributes(&resource, b->op->attr, b->op->encryption, b->err);
    rc = rc ? rc : start(b, &resource);
    pl_buf_dispose(&resource);
    return rc;
}

/* What the session stands at; false: it is not there, or this part is not its next. */
static bool check_turn(const struct pl_gcs_session *s, uint32_t number, pail_code *rc,
                       struct pail_error **err)
{
    *rc = PAIL_OK;
    if (!s) {
        *rc = no_session(err);
    } else if (number != s->parts + 1) {
        *rc = pl_fail(err, PAIL_E_BAD_ARGUMENT,
                      "part %u is not the next one: a session takes its parts in order, and %u are "
                      "there",
                      (unsigned)number, (unsigned)s->parts);
    }
    return *rc == PAIL_OK;
}

static bool is_other(const char *given, const char *kept)
{
    return given && (!kept || strcmp(given, kept) != 0);
}

/* A session has the conditions that it began with, and takes no others at its end. */
static bool check_conditions(const struct pl_gcs_session *s, const pail_conditions *c,
                             pail_code *rc, struct pail_error **err)
{
    if (is_other(c->if_match, s->if_match) || is_other(c->if_none_match, s->if_none_match) ||
        c->if_modified_since_ms || c->if_unmodified_since_ms) {
        *rc = pl_fail(err, PAIL_E_UNSUPPORTED,
                      "an upload session takes its conditions when it begins, not at its end");
        pl_error_hint(err, "give the condition when the upload begins, or set gcs_upload=compose");
    }
    return *rc == PAIL_OK;
}

/* Takes what stands behind the last whole chunk into the tail, and counts the part. The session is
 * this op's while it runs: parts go one after the other. */
static pail_code end_part(struct pl_gcs *gcs, struct pl_op *op, uint64_t whole, size_t tail_len,
                          struct pail_error **err)
{
    const struct pl_body *source = op->in.put.source;
    size_t kept = whole ? 0 : tail_len;
    size_t rest = (size_t)(tail_len + source->len - whole) - kept;
    char *room = pl_arena_alloc(&op->arena, rest + 1), *tail = pl_alloc(CHUNK);
    pail_code rc = PAIL_OK;
    if (!room || !tail) {
        rc = pl_fail(err, PAIL_E_NO_MEMORY, "no memory for the end of a part");
    } else if (rest && !pl_body_read(source, source->len - rest, room, rest)) {
        rc = errno ? pl_fail_errno(err, errno, "cannot read the source")
                   : pl_fail(err, PAIL_E_CHANGED, "the source changed while it was read");
    }
    pthread_mutex_lock(&gcs->dialect.lock);
    struct pl_gcs_session *s = *find_locked(gcs, op->in.put.upload_id);
    if (!rc && check_turn(s, op->in.put.number, &rc, err)) {
        if (!s->tail) {
            s->tail = tail;
            tail = NULL;
        }
        memcpy(s->tail + kept, room, rest);
        s->tail_len = kept + rest;
        s->base += whole;
        s->parts++;
    }
    pthread_mutex_unlock(&gcs->dialect.lock);
    pl_free(tail);
    return rc;
}

static pail_code part(struct pl_gcs_build *b)
{
    struct pl_gcs_memo *memo = b->memo;
    struct pl_body *source = b->op->in.put.source;
    pail_code rc = b->gcs->verify ? pl_gcs_source_sum(b) : PAIL_OK;
    if (rc) {
        return rc;
    }
    pthread_mutex_lock(&b->gcs->dialect.lock);
    struct pl_gcs_session *s = *find_locked(b->gcs, b->op->in.put.upload_id);
    uint64_t whole = s ? (s->tail_len + source->len) / CHUNK * CHUNK : 0;
    size_t tail_len = s ? s->tail_len : 0;
    bool ours = check_turn(s, b->op->in.put.number, &rc, b->err);
    if (ours && whole) {
        bool asks = s->is_doubtful;
        memo->phase = asks ? PL_GCS_ASK : PL_GCS_SEND;
        send(b, s->query, s->base + memo->sent, asks ? 0 : s->base + whole, NULL);
        if (!asks) {
            size_t skip = memo->sent < s->tail_len ? (size_t)memo->sent : s->tail_len;
            uint64_t from = memo->sent - skip, len = whole - s->tail_len - from;
            struct pl_str tail = pl_str_n(s->tail ? s->tail + skip : "", s->tail_len - skip);
            b->r->before = pl_str_n(pl_arena_dup(&b->r->arena, tail), tail.len);
            b->r->body = part_of(b, from, len);
            s->is_doubtful = true;
            rc = b->r->before.ptr ? PAIL_OK : PAIL_E_NO_MEMORY;
        }
    }
    pthread_mutex_unlock(&b->gcs->dialect.lock);
    if (ours && !whole) { /* too little to be sent */
        b->op->out.etag = "";
        return end_part(b->gcs, b->op, 0, tail_len, b->err);
    }
    if (!rc) {
        rc = pl_gcs_add_encryption(b, b->op->encryption, false);
    }
    return rc;
}

static pail_code finish(struct pl_gcs_build *b)
{
    struct pl_op *op = b->op;
    struct pl_gcs_memo *memo = b->memo;
    char text[PL_SUM_BASE64_MAX], value[PL_SUM_BASE64_MAX + 8];
    pail_code rc = PAIL_OK;
    pthread_mutex_lock(&b->gcs->dialect.lock);
    const struct pl_gcs_session *s = *find_locked(b->gcs, op->in.mp.upload_id);
    if (check_turn(s, (uint32_t)op->in.mp.count + 1, &rc, b->err) &&
        check_conditions(s, &op->cond, &rc, b->err)) {
        uint64_t total = s->base + s->tail_len;
        bool asks = memo->is_doubtful;
        memo->phase = asks ? PL_GCS_ASK : PL_GCS_SEND;
        send(b, s->query, asks ? 0 : s->base, asks ? 0 : total, &total);
        if (!asks && s->tail_len) {
            pl_http_set_text(b->r, pl_str_n(s->tail, s->tail_len));
        }
        memo->is_doubtful = true;
    }
    pthread_mutex_unlock(&b->gcs->dialect.lock);
    if (!rc && b->gcs->verify && pl_gcs_whole_sum(op, &memo->crc32c)) {
        snprintf(value, sizeof value, "crc32c=%s", pl_sum_base64(&memo->crc32c, text));
        pl_http_add_c(b->r, "x-goog-hash", value); /* checked by the service at the end */
        memo->has_sum = true;
    }
    return rc ? rc : pl_gcs_add_encryption(b, op->encryption, false);
}

static pail_code abort_session(struct pl_gcs_build *b)
{
    pail_code rc = PAIL_OK;
    pthread_mutex_lock(&b->gcs->dialect.lock);
    const struct pl_gcs_session *s = *find_locked(b->gcs, b->op->in.mp.upload_id);
    if (s) {
        b->r->method = "DELETE";
        pl_gcs_object_path(&b->path, "/upload", b->op->bucket, NULL);
        pl_buf_puts(&b->query, s->query);
    }
    pthread_mutex_unlock(&b->gcs->dialect.lock);
    if (!s) {
        rc = no_session(b->err);
    }
    return rc;
}

pail_code pl_gcs_build_session(struct pl_gcs_build *b)
{
    b->memo->by_session = true;
    switch ((int)b->op->kind) {
    case PL_OP_MP_BEGIN: return begin(b);
    case PL_OP_MP_PART: return part(b);
    case PL_OP_MP_FINISH: return finish(b);
    default: return abort_session(b);
    }
}

/* ---- Answers */

/* The query of the URL in Location, if it is of the place that was asked: nobody else gets the
 * bytes. */
static char *session_query(struct pl_op *op, const struct pl_http_response *r)
{
    struct pl_str location = pl_http_header(r, "location"), rest = location;
    struct pl_buf path = PL_BUF_MAX(4096);
    (void)pl_str_split(&rest, '?');
    pl_gcs_object_path(&path, "/upload", op->bucket, NULL);
    struct pl_str before =
        pl_str_n(location.ptr, rest.ptr ? (size_t)(rest.ptr - 1 - location.ptr) : 0);
    size_t n = path.len;
    bool fine = !pl_buf_rc(&path) && before.len >= n && rest.len && rest.len < 8192 &&
                memcmp(before.ptr + before.len - n, path.ptr, n) == 0 &&
                memmem(rest.ptr, rest.len, "upload_id=", 10);
    for (size_t i = 0; fine && i < rest.len; i++) {
        fine = rest.ptr[i] > ' ' && rest.ptr[i] < 0x7f && rest.ptr[i] != '#';
    }
    pl_buf_dispose(&path);
    return fine ? pl_arena_dup(&op->arena, rest) : NULL;
}

static pail_code keep_session(struct pl_gcs *gcs, struct pl_op *op, const char *query)
{
    struct pl_gcs_session *s = pl_calloc(1, sizeof *s);
    unsigned char random[ID_HEX / 2];
    char hex[ID_HEX + 1];
    char *copy = pl_strdup(query);
    const pail_conditions *c = &op->cond;
    if (s) {
        s->query = copy;
        s->if_match = c->if_match ? pl_strdup(c->if_match) : NULL;
        s->if_none_match = c->if_none_match ? pl_strdup(c->if_none_match) : NULL;
    }
    if (!s || !copy || !s->if_match != !c->if_match || !s->if_none_match != !c->if_none_match ||
        !pl_sys.random(random, sizeof random)) {
        if (!s) {
            pl_free_secret(copy);
        }
        session_free(s);
        return PAIL_E_NO_MEMORY;
    }
    pl_hex_encode(hex, random, sizeof random);
    snprintf(s->id, sizeof s->id, SESSION "%s", hex);
    op->out.upload_id = pl_arena_dup_c(&op->arena, s->id);
    pthread_mutex_lock(&gcs->dialect.lock);
    s->next = gcs->sessions;
    gcs->sessions = s;
    pthread_mutex_unlock(&gcs->dialect.lock);
    return op->out.upload_id ? PAIL_OK : PAIL_E_NO_MEMORY;
}

static void started(struct pl_gcs *gcs, struct pl_op *op, struct pl_gcs_memo *memo,
                    const struct pl_http_response *r, struct pl_verdict *out,
                    struct pail_error **err)
{
    char *query = session_query(op, r);
    if (!query) {
        pl_gcs_fail(out, PL_NEXT_RETRY, PAIL_E_PROTOCOL, err,
                    "the service began an upload session without saying where it is");
    } else if (op->kind == PL_OP_PUT) {
        memo->token = query;
        memo->sent = 0;
        memo->is_doubtful = false;
        *out = (struct pl_verdict){.next = PL_NEXT_MORE};
    } else if (keep_session(gcs, op, query)) {
        pl_gcs_fail(out, PL_NEXT_FAIL, PAIL_E_NO_MEMORY, err, "no memory for an upload session");
    }
    if (query && op->kind != PL_OP_PUT) {
        pl_zero(query, strlen(query));
    }
}

/* How many bytes a 308 says are there; false: it says something else. */
static bool stored(const struct pl_http_response *r, uint64_t *out)
{
    struct pl_str range = pl_http_header(r, "range");
    uint64_t last;
    if (!range.ptr) { /* SPEC: "no Range header: no bytes have been persisted" */
        *out = 0;
        return true;
    }
    struct pl_str head = PL_STR("bytes=0-");
    bool fine = pl_str_starts(range, head) &&
                pl_str_u64(pl_str_n(range.ptr + head.len, range.len - head.len), &last) &&
                last < UINT64_MAX;
    *out = fine ? last + 1 : 0;
    return fine;
}

/* On with what is missing: at once where something has moved, else after a pause that counts. */
static void go_on(struct pl_gcs_memo *memo, uint64_t sent, struct pl_verdict *out,
                  struct pail_error **err)
{
    bool moved = sent > memo->sent;
    memo->sent = sent;
    memo->stalls = moved ? 0 : memo->stalls + 1;
    if (moved || memo->stalls == 1) {
        *out = (struct pl_verdict){.next = PL_NEXT_MORE};
        return;
    }
    pl_gcs_fail(out, PL_NEXT_RETRY, PAIL_E_UNAVAILABLE, err,
                "the upload session takes no more bytes");
}

/* A put whose session is lost begins another one, but not for ever: each sends all bytes. */
static void restart(struct pl_gcs_memo *memo, pail_code code, struct pl_verdict *out,
                    struct pail_error **err, const char *why)
{
    bool more = memo->restarts++ < RESTARTS_MAX;
    memo->token = NULL;
    memo->sent = 0;
    memo->is_doubtful = false;
    pl_gcs_fail(out, more ? PL_NEXT_RETRY : PL_NEXT_FAIL, code, err, why);
}

static void put_continues(struct pl_op *op, struct pl_gcs_memo *memo,
                          const struct pl_http_response *r, struct pl_verdict *out,
                          struct pail_error **err)
{
    uint64_t have = 0;
    if (!stored(r, &have) || have < memo->sent || have > op->in.put.source->len) {
        restart(memo, PAIL_E_PROTOCOL, out, err, "the upload session lost bytes that it had");
        return;
    }
    memo->is_doubtful = false;
    go_on(memo, have, out, err);
}

static void part_continues(struct pl_gcs *gcs, struct pl_op *op, struct pl_gcs_memo *memo,
                           const struct pl_http_response *r, struct pl_verdict *out,
                           struct pail_error **err)
{
    uint64_t have = 0;
    bool fine = stored(r, &have);
    pail_code rc = PAIL_OK;
    size_t tail_len = 0;
    pthread_mutex_lock(&gcs->dialect.lock);
    struct pl_gcs_session *s = *find_locked(gcs, op->in.put.upload_id);
    uint64_t whole = s ? (s->tail_len + op->in.put.source->len) / CHUNK * CHUNK : 0;
    fine = fine && s && have >= s->base + memo->sent && have <= s->base + whole;
    if (fine) {
        s->is_doubtful = false;
        have -= s->base;
        tail_len = s->tail_len;
    }
    pthread_mutex_unlock(&gcs->dialect.lock);
    if (!fine) {
        pl_gcs_fail(out, PL_NEXT_FAIL, PAIL_E_UPLOAD_NOT_FOUND, err,
                    "the upload session lost bytes that it had");
    } else if (have < whole) {
        go_on(memo, have, out, err);
    } else if ((rc = end_part(gcs, op, whole, tail_len, err)) != PAIL_OK) {
        *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = rc};
    } else {
        op->out.etag = "";
    }
}

/* A finish that was answered by 308: the end has not come, or not whole. */
static void finish_continues(struct pl_gcs_memo *memo, struct pl_verdict *out,
                             struct pail_error **err)
{
    memo->is_doubtful = false;
    go_on(memo, memo->sent, out, err);
}

static void finished(struct pl_gcs *gcs, struct pl_op *op, struct pl_gcs_memo *memo,
                     const struct pl_http_response *r, struct pl_verdict *out,
                     struct pail_error **err)
{
    pl_gcs_parse_stored(op, memo, r, out, err);
    if (op->kind == PL_OP_MP_FINISH && out->next != PL_NEXT_RETRY) {
        forget(gcs, op->in.mp.upload_id);
    }
}

/* 4xx and 5xx. */
static void failed(struct pl_gcs *gcs, struct pl_op *op, struct pl_attempt *a,
                   const struct pl_http_response *r, struct pl_verdict *out,
                   struct pail_error **err)
{
    struct pl_gcs_memo *memo = a->memo;
    bool within = memo->phase == PL_GCS_SEND || memo->phase == PL_GCS_ASK;
    bool gone = (within || op->kind == PL_OP_MP_ABORT) && (r->status == 404 || r->status == 410);
    if (op->kind == PL_OP_PUT && gone && memo->token) { /* SPEC: start again */
        restart(memo, PAIL_E_UPLOAD_NOT_FOUND, out, err,
                "the upload session is gone: it starts again");
        return;
    }
    if (gone) {
        *out = (struct pl_verdict){.next = PL_NEXT_FAIL, .code = no_session(err)};
        forget(gcs, op->kind == PL_OP_MP_PART ? op->in.put.upload_id : op->in.mp.upload_id);
        return;
    }
    pl_gcs_parse_error(gcs, op, a, r, out, err);
    /* What was refused was not taken, but a stumble says nothing. */
    out->never_applied = out->never_applied && r->status != 408 && r->status != 429;
}

void pl_gcs_parse_session(struct pl_gcs *gcs, struct pl_op *op, struct pl_attempt *a,
                          const struct pl_http_response *r, struct pl_verdict *out,
                          struct pail_error **err)
{
    struct pl_gcs_memo *memo = a->memo;
    *out = (struct pl_verdict){.next = PL_NEXT_DONE};
    if (op->kind == PL_OP_MP_ABORT && (r->status == 499 || r->status / 100 == 2)) {
        forget(gcs, op->in.mp.upload_id); /* SPEC "Cancel an upload": 499 */
    } else if (r->status != 308 && r->status / 100 != 2) {
        failed(gcs, op, a, r, out, err);
    } else if (op->kind == PL_OP_MP_BEGIN || (op->kind == PL_OP_PUT && !memo->token)) {
        started(gcs, op, memo, r, out, err);
    } else if (r->status != 308 && op->kind != PL_OP_MP_PART) {
        finished(gcs, op, memo, r, out, err);
    } else if (r->status != 308) {
        pl_gcs_fail(out, PL_NEXT_FAIL, PAIL_E_PROTOCOL, err,
                    "the service ended an upload session that has not ended");
    } else if (op->kind == PL_OP_PUT) {
        put_continues(op, memo, r, out, err);
    } else if (op->kind == PL_OP_MP_PART) {
        part_continues(gcs, op, memo, r, out, err);
    } else {
        finish_continues(memo, out, err);
    }
}
