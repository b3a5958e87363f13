/* GetObject, HeadObject, GetObjectAttributes. Bodies go out block by block, each read with the
 * version of the first pinned. */
#include "gateway/gateway.h"

enum { BLOCK = 1 << 20, WAIT_S = 30, TRIES = 5 };

/* ---- ranges ---- */

/* SPEC RFC 9110#14.2: one range of bytes; anything else is not looked at, and all is sent. */
static struct pl_range take_range(struct pl_gw_call *c)
{
    struct pl_str text = pl_str_c(pl_gw_header(c, "range")), unit = PL_STR("bytes=");
    struct pl_range none = {0};
    uint64_t first, last = UINT64_MAX;
    if (text.len < unit.len || !pl_str_ieq(pl_str_n(text.ptr, unit.len), unit)) {
        return none;
    }
    text = pl_str_n(text.ptr + unit.len, text.len - unit.len);
    struct pl_str begin = pl_str_split(&text, '-');
    if (!text.ptr) {
        return none;
    }
    if (begin.len == 0) {
        return pl_str_u64(text, &last) ? (struct pl_range){PL_RANGE_SUFFIX, 0, last} : none;
    }
    if (!pl_str_u64(begin, &first) || (text.len && !pl_str_u64(text, &last)) || last < first) {
        return none;
    }
    return (struct pl_range){PL_RANGE_SPAN, first,
                             last == UINT64_MAX ? UINT64_MAX - first : last - first + 1};
}

/* SPEC RFC 9110#13.1.5: "If the validator does not match, the server MUST ignore the Range header
 * field"; an ETag compares strongly, a date only with the very same. */
static void hold_range(struct pl_gw_call *c, struct pl_range *range, const pail_info *i)
{
    const char *said = c->out.if_range;
    int64_t ms;
    if (!said || range->kind == PL_RANGE_ALL) {
        return;
    }
    bool is_date = pl_date_http_parse(pl_str_c(said), &ms);
    const char *etag = is_date ? NULL : pl_gw_unquoted(c, said);
    bool same = is_date ? i->mtime_ms / 1000 == ms / 1000
                        : etag && etag != said && i->etag && strcmp(etag, i->etag) == 0;
    if (!same) {
        *range = (struct pl_range){0};
    }
}

/* ---- the reply ---- */

static void range_headers(struct pl_gw_call *c, const struct pl_range *range, uint64_t size,
                          uint64_t offset, uint64_t length)
{
    struct pl_buf b = PL_BUF_MAX(128);
    if (range->kind != PL_RANGE_ALL) {
        pl_buf_printf(&b, "bytes %llu-%llu/%llu", (unsigned long long)offset,
                      (unsigned long long)(offset + length - 1), (unsigned long long)size);
        pl_http_reply_header(c->http, "Content-Range", pl_buf_view(&b));
    }
    pl_buf_dispose(&b);
}

static void version_header(struct pl_gw_call *c, const pail_info *i)
{
    if (c->g->caps.ability[PAIL_CAN_VERSIONS]) {
        pl_gw_header_text(c, "x-amz-version-id", i->version);
    }
}

static void reply(struct pl_gw_call *c, const struct pl_range *range, const pail_info *i,
                  uint64_t offset, uint64_t length)
{
    pl_gw_object_headers(c, i);
    version_header(c, i);
    range_headers(c, range, i->size, offset, length);
    pl_gw_header_text(c, "x-amz-mp-parts-count", c->out.parts_count);
    pl_gw_reply(c, range->kind == PL_RANGE_ALL ? 200 : 206);
}

static void fail_range(struct pl_gw_call *c)
{
    pl_gw_fail(c, "InvalidRange", NULL);
}

/* SPEC RFC 9110#15.4.5: a 304 has the ETag that a 200 would have had. */
static void end_failed(struct pl_gw_call *c, struct pl_simple *s, pail_code rc)
{
    const char *known = c->cond.if_none_match;
    pail_info info;
    pl_gw_op_end(c, s, false);
    if (rc != PAIL_E_NOT_MODIFIED) {
        return;
    }
    if (known && !strpbrk(known, "*,\"")) {
        pl_gw_etag_header(c, known);
    } else if (pl_gw_look(c, &info)) {
        pl_gw_etag_header(c, info.etag);
    }
}

/* ---- HEAD, and what GET needs to know first ---- */

/* False: an error was set. info's texts are in the call's arena. */
static bool stat_object(struct pl_gw_call *c, pail_info *info)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_STAT, c->bucket, c->key);
    if (!op) {
        return false;
    }
    op->version = c->out.version;
    op->cond = c->cond;
    pail_code rc = pl_gw_run(&s);
    if (rc) {
        end_failed(c, &s, rc);
        return false;
    }
    pl_info_copy(c->arena, info, &op->out.info);
    pl_gw_op_end(c, &s, true);
    return true;
}

static void head(struct pl_gw_call *c, struct pl_range *range)
{
    pail_info info;
    uint64_t offset, length;
    if (!stat_object(c, &info)) {
        return;
    }
    hold_range(c, range, &info);
    if (pl_range_resolve(range, info.size, &offset, &length)) {
        fail_range(c);
        return;
    }
    c->http->body_bytes = length;
    reply(c, range, &info, offset, length);
}

static void empty(struct pl_gw_call *c)
{
    pail_info info;
    struct pl_range all = {0};
    if (stat_object(c, &info)) {
        reply(c, &all, &info, 0, 0);
    }
}

/* ---- GET ---- */

/* Reads of the n bytes at `offset` what the block takes; pinned: of the version of before. Stores
 * have their checksums over such blocks, so a long read ends where one of them does. */
static pail_code read_block(struct pl_gw_call *c, char *block, uint64_t offset, uint64_t n,
                            bool pinned, struct pl_simple *s, struct pl_op **out)
{
    uint64_t most = n > BLOCK ? BLOCK - offset % BLOCK : n;
    struct pl_op *op = *out = pl_gw_op(c, s, PL_OP_GET, c->bucket, c->key);
    if (!op) {
        return PAIL_E_NO_MEMORY;
    }
    struct pl_body sink = {.kind = PL_BODY_MEM, .ptr = block, .len = pinned ? most : BLOCK};
    op->version = c->out.version;
    if (pinned) {
        op->cond.if_match = c->out.etag;
    } else {
        op->cond = c->cond;
    }
    op->in.get.range = (struct pl_range){PL_RANGE_SPAN, offset, most};
    op->in.get.sink = &sink;
    pail_code rc = pl_gw_run(s);
    c->out.at = 0;
    c->out.len = rc ? 0 : (size_t)atomic_load(&sink.done);
    op->in.get.sink = NULL;
    return rc;
}

/* The next block of a stream, straight into the reply's own buffer. */
static int64_t next_block(struct pl_gw_call *c, char *buf, size_t n)
{
    struct pl_gw_stream *o = &c->out;
    struct pl_simple s;
    struct pl_op *op;
    uint64_t left = o->end - o->next;
    pail_code rc = read_block(c, buf, o->next, left < n ? left : n, true, &s, &op);
    if (op) {
        pl_gw_op_end(c, &s, true);
    }
    if (rc || o->len == 0) {
        return -1;
    }
    o->next += o->len;
    o->at = o->len;
    c->bytes_out += o->len;
    return (int64_t)o->len;
}

void pl_gw_stream_dispose(struct pl_gw_call *c)
{
    pl_pool_give(c->g->pool, c->out.block, BLOCK);
    c->out.block = NULL;
}

/* Only the first block lies in the pool's memory, and no longer than until it is handed on: readers
 * that are slow hold none of it. */
int64_t pl_gw_get_pull(struct pl_gw_call *c, char *buf, size_t n)
{
    struct pl_gw_stream *o = &c->out;
    if (o->at == o->len) {
        return o->next < o->end ? next_block(c, buf, n) : -1;
    }
    size_t take = o->len - o->at < n ? o->len - o->at : n;
    memcpy(buf, o->block + o->at, take);
    o->at += take;
    if (o->at == o->len) {
        pl_gw_stream_dispose(c);
    }
    c->bytes_out += take;
    return (int64_t)take;
}

/* The first block is there: all of it, or the beginning of a stream. */
static void send(struct pl_gw_call *c, const struct pl_range *range, struct pl_op *op)
{
    const pail_info *i = &op->out.info;
    uint64_t offset, length;
    if (pl_range_resolve(range, i->size, &offset, &length)) {
        fail_range(c);
        return;
    }
    if (length == c->out.len) {
        pl_buf_add(&c->http->body, c->out.block, c->out.len);
        c->bytes_out = length;
    } else {
        c->out.etag = pl_arena_dup_c(c->arena, i->etag);
        c->out.next = offset + c->out.len;
        c->out.end = offset + length;
        c->http->streamed = true;
        c->http->body_bytes = length;
    }
    reply(c, range, i, offset, length);
}

/* Reads the first block; of what a range is held against is looked at here, so that it is that of
 * these bytes. *op NULL: an error was set. */
static pail_code read_first(struct pl_gw_call *c, struct pl_range *range, struct pl_simple *s,
                            struct pl_op **op)
{
    enum pl_range_kind asked;
    pail_code rc;
    for (;;) {
        pail_info info;
        asked = range->kind;
        uint64_t offset = asked == PL_RANGE_SPAN ? range->offset : 0;
        uint64_t length = asked == PL_RANGE_SPAN ? range->length : UINT64_MAX;
        rc = read_block(c, c->out.block, offset, length, false, s, op);
        if (!*op) {
            return rc;
        }
        if (rc == PAIL_OK) {
            hold_range(c, range, &(*op)->out.info);
        } else if (rc == PAIL_E_BAD_RANGE && c->out.if_range && pl_gw_look(c, &info)) {
            hold_range(c, range, &info);
        }
        if (range->kind == asked) {
            return rc;
        }
        pl_gw_op_end(c, s, true);
    }
}

static void get(struct pl_gw_call *c, struct pl_range *range)
{
    struct pl_simple s;
    struct pl_op *op;
    c->out.block =
        pl_pool_take(c->g->pool, BLOCK, c->begun_ns + (int64_t)WAIT_S * 1000000000, NULL);
    if (!c->out.block) {
        pl_gw_fail(c, "SlowDown", NULL);
        return;
    }
    pail_code rc = read_first(c, range, &s, &op);
    if (!op) {
        return;
    }
    if (rc == PAIL_OK) {
        send(c, range, op);
        pl_gw_op_end(c, &s, true);
    } else if (rc == PAIL_E_BAD_RANGE && range->kind == PL_RANGE_ALL) {
        pl_gw_op_end(c, &s, true);
        empty(c);
    } else {
        end_failed(c, &s, rc);
    }
    if (!c->http->streamed) {
        pl_gw_stream_dispose(c);
    }
}

/* The last n bytes: where they begin has to be known. */
static bool suffix(struct pl_gw_call *c, struct pl_range *range)
{
    pail_info info;
    uint64_t offset, length;
    if (!stat_object(c, &info)) {
        return false;
    }
    hold_range(c, range, &info);
    if (range->kind == PL_RANGE_ALL) {
        return true;
    }
    if (pl_range_resolve(range, info.size, &offset, &length)) {
        fail_range(c);
        return false;
    }
    *range = (struct pl_range){PL_RANGE_SPAN, offset, length};
    return true;
}

/* SPEC S3 GetObject, partNumber: "Effectively performs a 'ranged' GET request for the part
 * specified." Of an object that came in one piece the first part is all of it. */
static bool take_part(struct pl_gw_call *c, struct pl_range *range)
{
    bool bad;
    uint32_t number = pl_gw_number(c, "partNumber", 0, &bad);
    struct pl_gw_part p;
    if (!bad && !pl_gw_param(c, "partNumber")) {
        return true;
    }
    if (bad || number < 1 || number > 10000 || pl_gw_header(c, "range")) {
        pl_gw_fail(c, bad || number < 1 || number > 10000 ? "InvalidArgument" : "InvalidRequest",
                   "partNumber is 1 to 10000, and not together with Range");
        return false;
    }
    if (!c->g->caps.keeps_sums) {
        if (number != 1) { /* an object is told as one part */
            pl_gw_fail(c, "InvalidPart", NULL);
        }
        return number == 1;
    }
    if (!pl_gw_find_part(c, number, &p)) {
        return false;
    }
    if (p.there && !p.part.size && p.of > 1) { /* no range of bytes is empty */
        fail_range(c);
        return false;
    }
    if (p.there && p.part.size) {
        struct pl_buf count = PL_BUF_MAX(32);
        pl_buf_u64(&count, p.of);
        c->out.parts_count = pl_arena_dup(c->arena, pl_buf_view(&count));
        pl_buf_dispose(&count);
        c->out.of_part = true;
        c->out.part_sum = p.part.checksum;
        *range = (struct pl_range){PL_RANGE_SPAN, p.offset, p.part.size};
    }
    return true;
}

/* Whether the request has to be seen to once more: another object came in the place of the one
 * whose parts were looked up, and the client named no version. */
static bool was_replaced(struct pl_gw_call *c, const char *named, int tries)
{
    if (named || !c->error || strcmp(c->error, "NoSuchVersion") != 0) {
        return false;
    }
    if (tries == TRIES) {
        pl_gw_fail(c, "ServiceUnavailable", "the object was replaced again and again");
        return false;
    }
    pl_gw_forget(c);
    return true;
}

static void get_object(struct pl_gw_call *c)
{
    struct pl_range range = take_range(c);
    c->out.if_range = range.kind == PL_RANGE_ALL ? NULL : pl_gw_header(c, "if-range");
    if (!take_part(c, &range)) {
        return;
    }
    if (pl_str_is(c->http->method, "HEAD")) {
        head(c, &range);
    } else if (range.kind != PL_RANGE_SUFFIX || suffix(c, &range)) {
        get(c, &range);
    }
}

void pl_gw_get_object(struct pl_gw_call *c)
{
    const char *named = pl_gw_version(c, pl_gw_param(c, "versionId"));
    int tries = 0;
    pl_gw_take_conditions(c, "", &c->cond);
    do {
        c->out = (struct pl_gw_stream){.version = named};
        get_object(c);
    } while (was_replaced(c, named, ++tries));
}

/* ---- GetObjectAttributes ---- */

static bool wants(struct pl_gw_call *c, const char *what)
{
    struct pl_str rest = pl_str_c(pl_gw_header(c, "x-amz-object-attributes"));
    while (rest.ptr && rest.len) {
        if (pl_str_is(pl_str_trim(pl_str_split(&rest, ',')), what)) {
            return true;
        }
    }
    return false;
}

static void checksum(struct pl_buf *b, const pail_info *i)
{
    const char *sum = i->composite_checksum ? i->composite_checksum : i->checksum;
    if (sum) {
        pl_buf_puts(b, "<Checksum>");
        pl_gw_sum_text(b, sum);
        pl_gw_text(b, "ChecksumType", i->composite_checksum ? "COMPOSITE" : "FULL_OBJECT");
        pl_buf_puts(b, "</Checksum>");
    }
}

/* SPEC S3 GetObjectAttributes, ObjectParts: in pages; where the parts came without checksums S3
 * tells their number alone, here also their sizes. */
static bool object_parts(struct pl_gw_call *c, const struct pl_gw_parts *all, struct pl_buf *b)
{
    const char *max_text = pl_gw_header(c, "x-amz-max-parts"),
               *after_text = pl_gw_header(c, "x-amz-part-number-marker");
    uint64_t max = 1000, after = 0;
    if ((max_text && !pl_str_u64(pl_str_c(max_text), &max)) ||
        (after_text && !pl_str_u64(pl_str_c(after_text), &after))) {
        pl_gw_fail(c, "InvalidArgument", NULL);
        return false;
    }
    if (all->count == 0) {
        return true;
    }
    size_t at = 0, n = 0;
    max = max < 1000 ? max : 1000;
    while (at < all->count && all->parts[at].number <= after) {
        at++;
    }
    n = all->count - at < max ? all->count - at : (size_t)max;
    pl_buf_puts(b, "<ObjectParts>");
    pl_gw_u64(b, "PartsCount", all->count);
    pl_gw_u64(b, "PartNumberMarker", after);
    pl_gw_u64(b, "NextPartNumberMarker", n ? all->parts[at + n - 1].number : 0);
    pl_gw_u64(b, "MaxParts", max);
    pl_gw_bool(b, "IsTruncated", at + n < all->count);
    for (size_t i = at; i < at + n; i++) {
        pl_buf_puts(b, "<Part>");
        pl_gw_u64(b, "PartNumber", all->parts[i].number);
        pl_gw_u64(b, "Size", all->parts[i].size);
        pl_gw_sum_text(b, all->parts[i].checksum);
        pl_buf_puts(b, "</Part>");
    }
    pl_buf_puts(b, "</ObjectParts>");
    return true;
}

/* What is told of an object, all of one version. False: an error was set. */
static bool look_at(struct pl_gw_call *c, pail_info *i, struct pl_gw_parts *parts)
{
    *parts = (struct pl_gw_parts){0};
    if (!stat_object(c, i)) {
        return false;
    }
    if (!c->g->caps.keeps_sums || !wants(c, "ObjectParts")) {
        return true;
    }
    c->out.version = i->version;
    pail_code rc = pl_gw_all_parts(c, NULL, parts);
    if (rc) {
        pl_gw_fail_op(c, rc, NULL);
    }
    return !rc;
}

void pl_gw_object_attributes(struct pl_gw_call *c)
{
    pail_info i;
    struct pl_gw_parts parts;
    char date[PL_DATE_HTTP_SIZE];
    const char *named = pl_gw_version(c, pl_gw_param(c, "versionId"));
    int tries = 0;
    if (!pl_gw_header(c, "x-amz-object-attributes")) {
        pl_gw_fail(c, "InvalidArgument", "x-amz-object-attributes is needed");
        return;
    }
    bool there;
    do {
        c->out.version = named;
        there = look_at(c, &i, &parts);
    } while (!there && was_replaced(c, named, ++tries));
    if (!there) {
        return;
    }
    struct pl_buf *b = pl_gw_xml(c, "GetObjectAttributesResponse");
    if (wants(c, "ETag")) {
        pl_gw_text(b, "ETag", i.etag);
    }
    if (wants(c, "Checksum")) {
        checksum(b, &i);
    }
    if (wants(c, "ObjectParts") && !object_parts(c, &parts, b)) {
        return;
    }
    if (wants(c, "StorageClass")) {
        pl_gw_text(b, "StorageClass", i.storage_class ? i.storage_class : "STANDARD");
    }
    if (wants(c, "ObjectSize")) {
        pl_gw_u64(b, "ObjectSize", i.size);
    }
    if (i.mtime_ms >= 0) {
        pl_gw_header_text(c, "Last-Modified", pl_date_http(i.mtime_ms, date));
    }
    pl_gw_xml_end(c, "GetObjectAttributesResponse");
}
