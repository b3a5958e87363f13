#include <stdio.h>
#include <string.h>

#include "codec/digest.h"
#include "codec/hex.h"
#include "sign/aws_chunked.h"
#include "signing.h"

/* Frames the body and adds it to `out`. */
static void frame(struct run *run, struct pl_aws_chunked *c, struct pl_str body, size_t chunk,
                  struct pl_str trailer_name, struct pl_str trailer_value, struct pl_buf *out)
{
    bool ok = true;
    for (size_t at = 0, n; ok && at < body.len; at += n) {
        n = body.len - at < chunk ? body.len - at : chunk;
        ok = pl_aws_chunked_head(c, out, body.ptr + at, n, NULL) == PAIL_OK;
        pl_buf_add(out, body.ptr + at, n);
        pl_buf_puts(out, "\r\n");
    }
    ok = ok && pl_aws_chunked_end(c, out, trailer_name, trailer_value, NULL) == PAIL_OK;
    if (!ok) {
        broken(run, "not framed");
    }
    uint64_t length =
        pl_aws_chunked_length(c->kind, body.len, chunk, trailer_name.len, trailer_value.len);
    if (length != out->len) {
        broken(run, "the length up front is %llu, the body has %zu", (unsigned long long)length,
               out->len);
    }
}

void run_unsigned_trailer(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input");
    struct pl_buf body = decoded(run, member(input, "body_base64"));
    struct pl_buf expected =
        decoded(run, member(json_object_get(one, "expected"), "encoded_base64"));
    struct pl_buf got = PL_BUF_MAX(64 << 20);
    struct pl_str trailer = member(input, "trailer"), prefix = PL_STR("x-amz-checksum-");
    struct pl_aws_chunked c = {.kind = PL_AWS_CHUNKED_UNSIGNED_TRAILER};
    struct pl_sum_value sum;
    char value[PL_SUM_BASE64_MAX];
    enum pl_sum kind =
        pl_str_starts(trailer, prefix)
            ? pl_sum_by_name(pl_str_n(trailer.ptr + prefix.len, trailer.len - prefix.len))
            : PL_SUM_NONE;
    if (!kind || pl_sum_of(kind, body.ptr, body.len, &sum, NULL) ||
        pl_aws_chunked_init(&c, c.kind, NULL, NULL, NULL)) {
        broken(run, "unknown trailer %.*s", (int)trailer.len, trailer.ptr);
    } else {
        frame(run, &c, pl_buf_view(&body),
              (size_t)json_integer_value(json_object_get(input, "chunk_size")), trailer,
              pl_str_c(pl_sum_base64(&sum, value)), &got);
        same(run, "encoded", pl_buf_view(&got), pl_buf_view(&expected));
    }
    pl_aws_chunked_dispose(&c);
    pl_buf_dispose(&body);
    pl_buf_dispose(&expected);
    pl_buf_dispose(&got);
}

/* "byte[j]=(j*131+180)%256" */
static bool make_body(struct pl_buf *out, const json_t *input)
{
    size_t n = (size_t)json_integer_value(json_object_get(input, "decoded_length"));
    unsigned factor, offset;
    if (sscanf(member_c(input, "body_rule"), "byte[j]=(j*%u+%u)%%256", &factor, &offset) != 2) {
        return false;
    }
    for (size_t j = 0; j < n; j++) {
        pl_buf_putc(out, (char)((j * factor + offset) & 0xff));
    }
    pl_buf_puts(out, "");
    return true;
}

/* The signer of these vectors ends the trailer in LF CR LF, AWS's SDKs in CR LF; all signatures are
 * the same. Rewrites ours that way. */
static void end_trailer_in_lf(struct pl_buf *b)
{
    struct pl_buf out = PL_BUF_MAX(b->max);
    struct pl_str mark = PL_STR("\r\nx-amz-trailer-signature:");
    size_t tail = mark.len + 64 + 4; /* from the mark to the end */
    if (b->len > tail && memcmp(b->ptr + b->len - tail, mark.ptr, mark.len) == 0) {
        pl_buf_add(&out, b->ptr, b->len - tail);
        pl_buf_puts(&out, "\n");
        pl_buf_add(&out, b->ptr + b->len - tail, tail);
        pl_buf_dispose(b);
        *b = out;
    }
}

static struct pl_str header_of(const json_t *expected, const char *name)
{
    return member(json_object_get(expected, "headers"), name);
}

/* Their Authorization has no blank behind the commas. */
static void same_authorization(struct run *run, struct pl_str got, struct pl_str expected)
{
    struct pl_buf b = PL_BUF_MAX(8192);
    for (size_t i = 0; i < expected.len; i++) {
        pl_buf_putc(&b, expected.ptr[i]);
        pl_buf_puts(&b, expected.ptr[i] == ',' ? " " : "");
    }
    same(run, "Authorization", got, pl_buf_view(&b));
    pl_buf_dispose(&b);
}

static void check_stream(struct run *run, const json_t *one, struct signing *s, struct pl_str body)
{
    const json_t *input = json_object_get(one, "input"),
                 *expected = json_object_get(one, "expected");
    bool trailer = json_is_true(json_object_get(input, "trailer_crc32c"));
    size_t chunk = (size_t)json_integer_value(json_object_get(input, "chunk_size"));
    enum pl_aws_chunked_kind kind = trailer ? PL_AWS_CHUNKED_SIGNED_TRAILER : PL_AWS_CHUNKED_SIGNED;
    struct pl_aws_chunked c = {0};
    struct pl_buf got = PL_BUF_MAX(64 << 20);
    struct pl_sum_value sum;
    char value[PL_SUM_BASE64_MAX], hex[2 * PL_SUM_BYTES_MAX + 1];
    if (pl_sigv4_sign(&s->sigv4, &s->who, &s->request, &s->added, NULL) ||
        pl_aws_chunked_init(&c, kind, &s->sigv4, &s->who, NULL) ||
        pl_sum_of(PL_SUM_CRC32C, body.ptr, body.len, &sum, NULL)) {
        broken(run, "not signed");
        return;
    }
    same_authorization(run, s->added.headers[s->added.count - 1].value,
                       header_of(expected, "Authorization"));
    frame(run, &c, body, chunk, trailer ? PL_STR("x-amz-checksum-crc32c") : PL_STR(""),
          trailer ? pl_str_c(pl_sum_base64(&sum, value)) : PL_STR(""), &got);
    if (trailer) {
        end_trailer_in_lf(&got);
    }
    if (json_integer_value(json_object_get(expected, "encoded_length")) != (json_int_t)got.len) {
        broken(run, "encoded_length: expected %s, got %zu", "another", got.len);
    }
    if (!pl_sum_of(PL_SUM_SHA256, got.ptr, got.len, &sum, NULL)) {
        pl_hex_encode(hex, sum.bytes, sum.len);
        same_c(run, "encoded_sha256", hex, member_c(expected, "encoded_sha256"));
    }
    pl_aws_chunked_dispose(&c);
    pl_buf_dispose(&got);
}

void run_streaming_chunked(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input"),
                 *expected = json_object_get(one, "expected");
    struct pl_buf body = PL_BUF_MAX(64 << 20);
    char length[32];
    struct signing s;
    if (!signing_init(&s, run, input) || !make_body(&body, input)) {
        broken(run, "cannot make its body");
    } else {
        snprintf(length, sizeof length, "%zu", body.len);
        signing_url(&s, run, member(input, "url"));
        signing_header(&s, PL_STR("Content-Encoding"), PL_STR("aws-chunked"));
        signing_header(&s, PL_STR("X-Amz-Decoded-Content-Length"), pl_str_c(length));
        signing_header(&s, PL_STR("X-Amz-Meta-A"), member(input, "header_x_amz_meta_a"));
        if (json_is_true(json_object_get(input, "trailer_crc32c"))) {
            signing_header(&s, PL_STR("X-Amz-Trailer"), PL_STR("x-amz-checksum-crc32c"));
        }
        s.request.payload_hash = header_of(expected, "X-Amz-Content-Sha256");
        s.request.host = pl_buf_view(&s.host);
        s.request.target = pl_buf_view(&s.target);
        check_stream(run, one, &s, pl_buf_view(&body));
    }
    signing_dispose(&s);
    pl_buf_dispose(&body);
}
