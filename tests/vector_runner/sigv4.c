#include <stdio.h>
#include <stdlib.h>

#include "sign/sigv4_verify.h"
#include "signing.h"

void run_sigv4_header_raw(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input"),
                 *expected = json_object_get(one, "expected");
    const json_t *header;
    size_t i;
    struct signing s;
    if (signing_init(&s, run, input)) {
        struct pl_buf body = decoded(run, member(input, "body_base64"));
        s.who.service = member(input, "service");
        s.who.flags = pl_str_is(s.who.service, "s3") ? PL_SIGV4_S3 : PL_SIGV4_GENERAL;
        signing_url(&s, run, member(input, "url"));
        json_array_foreach(json_object_get(input, "headers"), i, header)
        {
            signing_header(&s, pl_str_c(json_string_value(json_array_get(header, 0))),
                           pl_str_c(json_string_value(json_array_get(header, 1))));
        }
        signing_body(&s, run, pl_buf_view(&body));
        if (s.who.flags == PL_SIGV4_S3) {
            same_c(run, "amz_content_sha256", s.body_hash,
                   member_c(expected, "amz_content_sha256"));
        }
        signing_check(&s, run, expected);
        pl_buf_dispose(&body);
    }
    signing_dispose(&s);
}

/* ---- Forms that a browser posts: the gateway's side of them */

static enum pl_sigv4_verdict verify_form(const struct pl_sigv4_claim *claim, struct pl_str secret,
                                         struct pl_str policy)
{
    struct pl_hmac h;
    unsigned char key[PL_SHA256_BYTES];
    enum pl_sigv4_verdict verdict = PL_SIGV4_FAILED;
    if (!pl_hmac_init(&h, NULL)) {
        if (pl_sigv4_claim_key(claim, &h, secret, key)) {
            verdict = pl_sigv4_verify_post(claim, &h, key, policy);
        }
        pl_hmac_dispose(&h);
    }
    return verdict;
}

void run_s3_presigned_post(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input"),
                 *fields = json_object_get(json_object_get(one, "expected"), "fields");
    struct pl_str secret = member(input, "secret_key"), policy = member(fields, "policy");
    struct pl_sigv4_claim claim;
    const char *wrong =
        pl_sigv4_claim_post(&claim, member(fields, "x-amz-credential"),
                            member(fields, "x-amz-date"), member(fields, "x-amz-signature"));
    if (wrong) {
        broken(run, "%s", wrong);
        return;
    }
    same(run, "access_key", claim.access_key, member(input, "access_key"));
    same(run, "region", claim.region, member(input, "region"));
    same(run, "time", claim.date, member(input, "time"));
    if (verify_form(&claim, secret, policy) != PL_SIGV4_GOOD) {
        broken(run, "the signature is told to be wrong");
    }
    if (verify_form(&claim, secret, pl_str_n(policy.ptr, policy.len - 1)) != PL_SIGV4_BAD ||
        verify_form(&claim, PL_STR("another"), policy) != PL_SIGV4_BAD) {
        broken(run, "a signature of another policy or key is let in");
    }
}

/* ---- The suite of folders: context.json, request.txt and what should become of them */

struct suite_case {
    char *context_text, *request_text;
    json_t *context;
    struct signing s;
    struct pl_buf values; /* header values that go over several lines, joined */
};

static struct pl_str suite_file(const char *folder, const char *name, char **text)
{
    char path[4096];
    size_t len = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    *text = read_text(path, &len);
    while (*text && len && (*text)[len - 1] == '\n') {
        len--;
    }
    return *text ? pl_str_n(*text, len) : PL_STR("");
}

/* A line of the request, without its end. */
static struct pl_str next_line(struct pl_str *rest)
{
    struct pl_str line = pl_str_split(rest, '\n');
    return pl_str_ends(line, PL_STR("\r")) ? pl_str_n(line.ptr, line.len - 1) : line;
}

static void add_suite_headers(struct suite_case *c, struct pl_str *rest)
{
    for (;;) {
        struct pl_str value = next_line(rest);
        if (!value.ptr || !value.len) {
            return;
        }
        struct pl_str name = pl_str_split(&value, ':');
        size_t at = c->values.len;
        pl_buf_str(&c->values, value.ptr ? value : PL_STR(""));
        while (rest->ptr && rest->len && (*rest->ptr == ' ' || *rest->ptr == '\t')) {
            pl_buf_putc(&c->values, '\n');
            pl_buf_str(&c->values, next_line(rest));
        }
        value = pl_str_n(c->values.ptr + at, c->values.len - at);
        if (pl_str_ieq(name, PL_STR("host"))) {
            pl_buf_str(&c->s.host, pl_str_trim(value));
        } else {
            signing_header(&c->s, name, value);
        }
    }
}

static bool parse_request(struct suite_case *c, struct run *run, struct pl_str text, bool sign_body)
{
    struct pl_str rest = text, line = next_line(&rest);
    const char *first = memchr(line.ptr, ' ', line.len);
    const char *last = line.len ? memrchr(line.ptr, ' ', line.len) : NULL;
    if (!first || last <= first) {
        broken(run, "malformed request line");
        return false;
    }
    c->s.request.method = pl_str_n(line.ptr, (size_t)(first - line.ptr));
    pl_buf_add(&c->s.target, first + 1, (size_t)(last - first - 1));
    char *values = pl_buf_reserve(&c->values, text.len); /* so that views into it stay */
    add_suite_headers(c, &rest);
    if (sign_body && values) {
        signing_body(&c->s, run, rest.ptr ? rest : PL_STR(""));
    }
    return values != NULL;
}

static bool load_context(struct suite_case *c, struct run *run, struct pl_str text)
{
    json_error_t error;
    c->context = json_loadb(text.ptr, text.len, 0, &error);
    const json_t *keys = json_object_get(c->context, "credentials");
    int64_t time_ms = 0;
    if (!c->context || !pl_date_iso_parse(member(c->context, "timestamp"), &time_ms)) {
        broken(run, "malformed context.json");
        return false;
    }
    bool ok = pl_sigv4_init(&c->s.sigv4, NULL) == PAIL_OK;
    unsigned flags = PL_SIGV4_ENCODE_PATH;
    flags |= json_is_true(json_object_get(c->context, "normalize")) ? PL_SIGV4_NORMALIZE_PATH : 0;
    flags |= json_is_true(json_object_get(c->context, "sign_body")) ? 0 : PL_SIGV4_NO_HASH_HEADER;
    flags |= json_is_true(json_object_get(c->context, "omit_session_token"))
                 ? PL_SIGV4_TOKEN_UNSIGNED
                 : 0;
    c->s.request.headers = c->s.headers;
    c->s.request.payload_hash = PL_SIGV4_EMPTY_HASH;
    c->s.who = (struct pl_sigv4_identity){
        .access_key = member(keys, "access_key_id"),
        .secret_key = member(keys, "secret_access_key"),
        .token = member(keys, "token"),
        .region = member(c->context, "region"),
        .service = member(c->context, "service"),
        .time_ms = time_ms,
        .flags = flags,
    };
    return ok;
}

static void same_file(struct run *run, const char *folder, const char *name, struct pl_str got)
{
    char *text;
    struct pl_str expected = suite_file(folder, name, &text);
    if (text) {
        same(run, name, got, expected);
    } else {
        broken(run, "%s is missing", name);
    }
    pl_free(text);
}

static void check_suite(struct suite_case *c, struct run *run, const char *folder)
{
    struct signing *s = &c->s;
    struct pl_buf url = PL_BUF_MAX(1 << 20);
    uint64_t expires =
        (uint64_t)json_integer_value(json_object_get(c->context, "expiration_in_seconds"));
    s->request.host = pl_buf_view(&s->host);
    s->request.target = pl_buf_view(&s->target);
    if (pl_sigv4_sign(&s->sigv4, &s->who, &s->request, &s->added, NULL)) {
        broken(run, "not signed by header");
    }
    same_file(run, folder, "header-canonical-request.txt", pl_buf_view(&s->sigv4.canonical));
    same_file(run, folder, "header-string-to-sign.txt", pl_buf_view(&s->sigv4.to_sign));
    same_file(run, folder, "header-signature.txt", pl_str_c(s->sigv4.signature));
    if (pl_sigv4_presign(&s->sigv4, &s->who, &s->request, expires, &url, NULL)) {
        broken(run, "not signed by query");
    }
    same_file(run, folder, "query-canonical-request.txt", pl_buf_view(&s->sigv4.canonical));
    same_file(run, folder, "query-string-to-sign.txt", pl_buf_view(&s->sigv4.to_sign));
    same_file(run, folder, "query-signature.txt", pl_str_c(s->sigv4.signature));
    pl_buf_dispose(&url);
}

void run_sigv4_suite(struct run *run, const char *folder)
{
    struct suite_case c = {.values = PL_BUF_MAX(1 << 20)};
    char path[4096];
    size_t request_len = 0;
    c.s.host = PL_BUF_MAX(4096);
    c.s.target = PL_BUF_MAX(1 << 20);
    struct pl_str context = suite_file(folder, "context.json", &c.context_text);
    snprintf(path, sizeof path, "%s/request.txt", folder);
    c.request_text = read_text(path, &request_len); /* to its last byte: it may end in the body */
    if (!c.context_text || !c.request_text) {
        broken(run, "context.json or request.txt is missing");
    } else if (load_context(&c, run, context) &&
               parse_request(&c, run, pl_str_n(c.request_text, request_len),
                             json_is_true(json_object_get(c.context, "sign_body")))) {
        check_suite(&c, run, folder);
    }
    signing_dispose(&c.s);
    pl_buf_dispose(&c.values);
    json_decref(c.context);
    pl_free(c.context_text);
    pl_free(c.request_text);
}
