/* Signed URLs and tokens of Google. The private key of the cases is kept upstream alone: where it
 * is not at hand, all but the signature is compared, and that of the case is verified over what was
 * made here. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/base64.h"
#include "codec/date.h"
#include "codec/hex.h"
#include "codec/url.h"
#include "runner.h"
#include "sign/gcs_v4.h"
#include "sign/jwt.h"

enum { HEADERS = 32, TEXT = 64 * 1024 };

static const char public_pem[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArD8zIqyKLbX0Nq8o0Jj1\n"
    "qHEhHhqO3+0OP7TEFx5Vxc6PdwBoFNrfnJRI/S+ZaDYS1avr5Pqpp8g8+UNOMvI1\n"
    "VsjGM8xjTaxkVv8mmKp6pSmQstTt25pzY1exA2wv4xNWSwWNFNx2kh35+kvTQ/DF\n"
    "3YA9P7pUU1sKur1PP8OoubWLFO59iy5UE5dX0O/3pjvZ2HAhSXsx2VWtB5nlrHR8\n"
    "FrKJNLJMEGEDSMz9yRfQaUeYCU9oDYHuiqKQ3rCXi6C82l+3FJw5/ggJ5y7iw8ME\n"
    "rCFSslcYQRbBVz6ZYKWkEcJhs8BG3/16bfaqNusNlDIJ99I7DmipUngF/HEulYhf\n"
    "rQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
static const char email[] = "test-iam-credentials@dummy-project-id.iam.gserviceaccount.com";

static EVP_PKEY *public_key(void)
{
    BIO *bio = BIO_new_mem_buf(public_pem, -1);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

/* One for all cases: it takes longer to make than all of them. */
static EVP_PKEY *key_of_ours(void)
{
    static EVP_PKEY *key;
    key = key ? key : EVP_RSA_gen(2048);
    return key && EVP_PKEY_up_ref(key) == 1 ? key : NULL;
}

/* The key of the cases beside them, or in PAIL_VECTORS; *real: it is that one. */
static EVP_PKEY *private_key(struct run *run, bool *real)
{
    static const char name[] = "test_service_account.not-a-test.json";
    const char *all = getenv("PAIL_VECTORS"), *slash = strrchr(run->path, '/');
    char paths[3][4096];
    EVP_PKEY *key = NULL;
    int folder = slash ? (int)(slash - run->path) : 0;
    snprintf(paths[0], sizeof *paths, "%.*s/%s", folder, run->path, name);
    snprintf(paths[1], sizeof *paths, "%.*s/../gcs-conformance/%s", folder, run->path, name);
    snprintf(paths[2], sizeof *paths, "%s/gcs-conformance/%s", all ? all : ".", name);
    for (int i = 0; i < 3 && !key; i++) {
        size_t len = 0;
        char *text = read_text(paths[i], &len);
        json_t *root = text ? json_loadb(text, len, 0, NULL) : NULL;
        const char *pem = json_string_value(json_object_get(root, "private_key"));
        if (pem && pl_rsa_parse(pl_str_c(pem), paths[i], &key, NULL)) {
            key = NULL;
        }
        json_decref(root);
        pl_free(text);
    }
    *real = key != NULL;
    return key ? key : key_of_ours();
}

static bool verify(struct pl_str text, struct pl_str signature)
{
    EVP_PKEY *key = public_key();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool fine = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestVerify(ctx, (const unsigned char *)signature.ptr, signature.len,
                                 (const unsigned char *)text.ptr, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return fine;
}

/* One URL to sign; all views but those of the buffers are of the case. */
struct url_case {
    struct pl_gcs_v4 in;
    struct pl_header headers[HEADERS];
    struct pl_buf host, path, query;
};

static void add_header(struct url_case *c, const char *name, const char *value)
{
    if (c->in.header_count < HEADERS && value && *value) {
        c->headers[c->in.header_count++] = (struct pl_header){pl_str_c(name), pl_str_c(value)};
    }
}

static void init(struct url_case *c, const json_t *input, const char *headers, const char *query)
{
    const char *name;
    json_t *value;
    *c = (struct url_case){
        .host = PL_BUF_MAX(TEXT), .path = PL_BUF_MAX(TEXT), .query = PL_BUF_MAX(TEXT)};
    c->in.headers = c->headers;
    c->in.method = member_c(input, "method");
    json_object_foreach(json_object_get(input, headers), name, value)
    {
        add_header(c, name, json_string_value(value));
    }
    json_object_foreach(json_object_get(input, query), name, value)
    {
        pl_url_query_add(&c->query, name, pl_str_c(json_string_value(value)));
    }
}

static void set_path(struct url_case *c, const json_t *input, bool with_bucket)
{
    if (with_bucket) {
        pl_buf_putc(&c->path, '/');
        pl_url_encode(&c->path, member(input, "bucket"), 0);
    }
    if (!with_bucket || member(input, "object").len) { /* else it is about the bucket */
        pl_buf_putc(&c->path, '/');
        pl_url_encode(&c->path, member(input, "object"), PL_URL_KEEP_SLASH);
    }
}

static struct pl_str without_signature(struct pl_str url)
{
    const char *at = memmem(url.ptr, url.len, "&X-Goog-Signature=", 18);
    return at ? pl_str_n(url.ptr, (size_t)(at - url.ptr) + 18) : url;
}

static void check(struct run *run, struct url_case *c, struct pl_str url, struct pl_str canonical,
                  struct pl_str to_sign)
{
    struct pl_buf made = PL_BUF_MAX(TEXT), made_canonical = PL_BUF_MAX(TEXT),
                  made_to_sign = PL_BUF_MAX(TEXT);
    struct pail_error *err = NULL;
    bool real = true;
    if (!c->in.secret.len) {
        c->in.key = private_key(run, &real);
        c->in.id = email;
    }
    c->in.host = c->host.ptr;
    c->in.path = pl_buf_view(&c->path);
    c->in.query = pl_buf_view(&c->query);
    if (pl_gcs_v4_url(&c->in, &made, &made_canonical, &made_to_sign, &err)) {
        broken(run, "%s", err ? err->message : "cannot sign");
    } else {
        struct pl_str got = pl_buf_view(&made), head = without_signature(url);
        same(run, "string_to_sign", pl_buf_view(&made_to_sign), to_sign);
        if (canonical.len) {
            same(run, "canonical_request", pl_buf_view(&made_canonical), canonical);
        }
        same(run, "url", real ? got : without_signature(got), real ? url : head);
        size_t n = (url.len - head.len) / 2;
        unsigned char signature[1024];
        if (!real && (n > sizeof signature ||
                      !pl_hex_decode(signature, n, pl_str_n(url.ptr + head.len, 2 * n)) ||
                      !verify(pl_buf_view(&made_to_sign), pl_str_n((char *)signature, n)))) {
            broken(run, "the expected signature is not of what was made");
        }
    }
    pail_error_free(err);
    pl_rsa_free(c->in.key);
    struct pl_buf *all[] = {&made, &made_canonical, &made_to_sign, &c->host, &c->path, &c->query};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        pl_buf_dispose(all[i]);
    }
}

static void set_origin(struct url_case *c, struct run *run, const char *endpoint)
{
    struct pl_url url;
    if (pl_url_parse(pl_str_c(endpoint), &url, NULL)) {
        broken(run, "endpoint is no URL");
        return;
    }
    c->in.scheme = url.tls ? "https" : "http";
    pl_buf_str(&c->host, url.host_port);
}

void run_gcs_v4_signed_url(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input"), *want = json_object_get(one, "expected");
    static const char *const extra[][2] = {{"response_disposition", "response-content-disposition"},
                                           {"response_type", "response-content-type"},
                                           {"generation", "generation"}};
    struct url_case c;
    init(&c, input, "headers", "query");
    if (strcmp(c.in.method, "RESUMABLE") == 0) {
        c.in.method = "POST";
        add_header(&c, "x-goog-resumable", "start");
    }
    add_header(&c, "content-type", member_c(input, "content_type"));
    add_header(&c, "content-md5", member_c(input, "content_md5"));
    for (size_t i = 0; i < 3; i++) {
        if (json_object_get(input, extra[i][0])) {
            char number[32];
            const json_t *value = json_object_get(input, extra[i][0]);
            snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
            pl_url_query_add(&c.query, extra[i][1],
                             pl_str_c(json_is_integer(value) ? number : json_string_value(value)));
        }
    }
    set_origin(&c, run, member_c(input, "endpoint"));
    set_path(&c, input, strcmp(member_c(input, "style"), "path") == 0);
    c.in.expires_s = (uint64_t)json_integer_value(json_object_get(input, "expires"));
    (void)pl_date_basic_parse(member(input, "time"), &c.in.time_ms);
    check(run, &c, member(want, "url"), member(want, "canonical_request"),
          member(want, "string_to_sign"));
}

void run_gcs_goog4_hmac(struct run *run, const json_t *one)
{
    const json_t *input = json_object_get(one, "input"), *want = json_object_get(one, "expected");
    struct url_case c;
    init(&c, input, "headers", "query");
    c.in.id = member_c(input, "access_id");
    c.in.secret = member(input, "secret");
    set_origin(&c, run, "https://storage.googleapis.com");
    set_path(&c, input, true);
    c.in.expires_s = (uint64_t)json_integer_value(json_object_get(input, "expires"));
    (void)pl_date_basic_parse(member(input, "time"), &c.in.time_ms);
    check(run, &c, member(want, "url"), (struct pl_str){0}, member(want, "string_to_sign"));
}

/* Google's own conformance cases. */
void run_gcs_conformance(struct run *run, const json_t *one)
{
    const char *style = member_c(one, "urlStyle"), *scheme = member_c(one, "scheme"),
               *universe = member_c(one, "universeDomain"),
               *endpoint = member_c(one, "clientEndpoint");
    bool virtual_host = strcmp(style, "VIRTUAL_HOSTED_STYLE") == 0,
         bound = strcmp(style, "BUCKET_BOUND_HOSTNAME") == 0;
    struct pl_buf origin = PL_BUF_MAX(TEXT);
    struct pl_str canonical = member(one, "expectedCanonicalRequest");
    struct url_case c;
    init(&c, one, "headers", "queryParameters");
    pl_buf_printf(&origin, "%s://%s%s", *scheme ? scheme : "https",
                  virtual_host ? member_c(one, "bucket") : "", virtual_host ? "." : "");
    if (bound) {
        pl_buf_puts(&origin, member_c(one, "bucketBoundHostname"));
    } else if (*member_c(one, "hostname")) {
        pl_buf_puts(&origin, member_c(one, "hostname"));
    } else {
        pl_buf_printf(&origin, "storage.%s", *universe ? universe : "googleapis.com");
    }
    set_origin(&c, run, *endpoint ? endpoint : origin.ptr);
    char host[256];
    snprintf(host, sizeof host, "%.*s", (int)strcspn(c.host.ptr, ":"), c.host.ptr);
    c.in.signed_host = host;
    set_path(&c, one, !virtual_host && !bound);
    if (*universe && virtual_host) {
        canonical.len = 0; /* the case's own shows the path of another style */
    }
    c.in.expires_s = (uint64_t)json_integer_value(json_object_get(one, "expiration"));
    (void)pl_date_iso_parse(member(one, "timestamp"), &c.in.time_ms);
    check(run, &c, member(one, "expectedUrl"), canonical, member(one, "expectedStringToSign"));
    pl_buf_dispose(&origin);
}

/* The order and blanks of a token's members are free, so its own texts are signed again. */
void run_gcp_jwt(struct run *run, const json_t *one)
{
    const json_t *want = json_object_get(one, "expected");
    struct pl_str text = member(want, "signing_input");
    struct pl_buf header = PL_BUF_MAX(TEXT), claims = PL_BUF_MAX(TEXT), made = PL_BUF_MAX(TEXT);
    struct pl_buf *to[] = {&header, &claims};
    struct pail_error *err = NULL;
    bool real = false;
    EVP_PKEY *key = private_key(run, &real);
    for (int i = 0; i < 2; i++) {
        struct pl_buf padded = PL_BUF_MAX(TEXT);
        struct pl_str piece = pl_str_split(&text, '.');
        for (size_t j = 0; j < piece.len; j++) {
            char c = piece.ptr[j];
            pl_buf_putc(&padded, c == '-' ? '+' : c == '_' ? '/' : c);
        }
        while (padded.len % 4) {
            pl_buf_putc(&padded, '=');
        }
        if (!pl_base64_decode(to[i], pl_buf_view(&padded))) {
            broken(run, "signing_input is no base64url");
        }
        pl_buf_dispose(&padded);
    }
    if (pl_jwt_rs256(key, pl_buf_view(&header), pl_buf_view(&claims), &made, &err)) {
        broken(run, "%s", err ? err->message : "cannot sign");
    } else {
        struct pl_str got = pl_buf_view(&made), input = member(want, "signing_input");
        got.len = real || got.len < input.len ? got.len : input.len;
        same(run, "assertion", got, real ? member(want, "assertion") : input);
    }
    pail_error_free(err);
    pl_rsa_free(key);
    pl_buf_dispose(&header);
    pl_buf_dispose(&claims);
    pl_buf_dispose(&made);
}
