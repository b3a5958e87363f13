/* Source: Azure Storage REST API "Authorize with Shared Key"; the order of headers is not
 * documented and was found from what the service's own clients sign. */
#include "sign/azure_key.h"

#include <stdlib.h>

#include "codec/base64.h"
#include "codec/url.h"

enum { PIECES_MAX = 80, TO_SIGN_MAX = 256 * 1024 };

pail_code pl_azure_key_init(struct pl_azure_key *k, struct pl_str key_base64,
                            struct pail_error **err)
{
    struct pl_buf key = PL_BUF_MAX(1024);
    *k = (struct pl_azure_key){.to_sign = PL_BUF_MAX(TO_SIGN_MAX)};
    pail_code rc = PAIL_OK;
    if (!pl_base64_decode(&key, key_base64) || pl_buf_rc(&key)) {
        rc = pl_fail(err, PAIL_E_BAD_CONFIG, "the Azure account key is no base64");
        pl_error_hint(err, "copy it whole, with the = at its end");
    }
    rc = rc ? rc : pl_hmac_init(&k->hmac, err);
    if (!rc && !pl_hmac_key(&k->hmac, key.ptr ? key.ptr : "", key.len)) {
        rc = pl_fail(err, PAIL_E_UNSUPPORTED, "OpenSSL does not take the Azure account key");
    }
    if (key.ptr) {
        pl_zero(key.ptr, key.len);
    }
    pl_buf_dispose(&key);
    if (rc) {
        pl_azure_key_dispose(k);
    }
    return rc;
}

void pl_azure_key_dispose(struct pl_azure_key *k)
{
    pl_hmac_dispose(&k->hmac);
    pl_buf_dispose(&k->to_sign);
}

static int low(char c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : (unsigned char)c;
}

/* What a character weighs when names are compared for the first time: '_' before digits before
 * letters; a hyphen nothing. */
static int weight(char c)
{
    int l = low(c);
    return l == '-' ? 0 : l >= 'a' && l <= 'z' ? 0x200 + l : l >= '0' && l <= '9' ? 0x100 + l : l;
}

int pl_azure_header_order(struct pl_str a, struct pl_str b)
{
    size_t i = 0, j = 0;
    for (;;) {
        while (i < a.len && weight(a.ptr[i]) == 0) {
            i++;
        }
        while (j < b.len && weight(b.ptr[j]) == 0) {
            j++;
        }
        int left = i < a.len ? weight(a.ptr[i]) : 0, right = j < b.len ? weight(b.ptr[j]) : 0;
        if (left != right) {
            return left < right ? -1 : 1;
        }
        if (!left) {
            break;
        }
        i++;
        j++;
    }
    /* The same but for hyphens: the later hyphen is the smaller name. */
    for (i = 0; i < a.len && i < b.len; i++) {
        if (low(a.ptr[i]) != low(b.ptr[i])) {
            return a.ptr[i] == '-' ? 1 : -1;
        }
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

static int by_name(const void *a, const void *b)
{
    return pl_azure_header_order(((const struct pl_header *)a)->name,
                                 ((const struct pl_header *)b)->name);
}

static void lower(struct pl_buf *out, struct pl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        pl_buf_putc(out, (char)low(s.ptr[i]));
    }
}

static bool is_service_header(struct pl_str name)
{
    return name.len > 5 && pl_str_ieq(pl_str_n(name.ptr, 5), PL_STR("x-ms-"));
}

static bool add_service_headers(struct pl_buf *out, const struct pl_azure_request *r)
{
    struct pl_header sorted[PIECES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < r->header_count; i++) {
        if (is_service_header(r->headers[i].name)) {
            if (n == PIECES_MAX) {
                return false;
            }
            sorted[n++] = r->headers[i];
        }
    }
    qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 0; i < n; i++) {
        lower(out, sorted[i].name);
        pl_buf_putc(out, ':');
        pl_buf_str(out, pl_str_trim(sorted[i].value));
        pl_buf_putc(out, '\n');
    }
    return true;
}

static void add_standard_headers(struct pl_buf *out, const struct pl_azure_request *r)
{
    static const char *const names[] = {"Content-Encoding",
                                        "Content-Language",
                                        "Content-Length",
                                        "Content-MD5",
                                        "Content-Type",
                                        "Date",
                                        "If-Modified-Since",
                                        "If-Match",
                                        "If-None-Match",
                                        "If-Unmodified-Since",
                                        "Range"};
    pl_buf_str(out, r->method);
    pl_buf_putc(out, '\n');
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        /* SPEC "Authorize with Shared Key": since 2015-02-21 a length of 0 is left empty. */
        if (i == 2 && r->body_bytes) {
            pl_buf_u64(out, r->body_bytes);
        }
        for (size_t j = 0; i != 2 && j < r->header_count; j++) {
            if (pl_str_ieq(r->headers[j].name, pl_str_c(names[i]))) {
                pl_buf_str(out, pl_str_trim(r->headers[j].value));
                break;
            }
        }
        pl_buf_putc(out, '\n');
    }
}

/* One parameter of the query, as views of the decoded text. */
struct parameter {
    size_t name, name_len, value, value_len;
};
struct parameters {
    struct pl_buf text;
    struct parameter list[PIECES_MAX];
    size_t count;
};

static bool read_query(struct parameters *p, struct pl_str query)
{
    struct pl_str name, value;
    while (pl_url_query_next(&query, &name, &value)) {
        if (p->count == PIECES_MAX) {
            return false;
        }
        struct parameter *one = &p->list[p->count++];
        one->name = p->text.len;
        if (!pl_url_decode(&p->text, name)) {
            return false;
        }
        one->name_len = p->text.len - one->name;
        for (size_t i = 0; i < one->name_len && p->text.ptr; i++) {
            p->text.ptr[one->name + i] = (char)low(p->text.ptr[one->name + i]);
        }
        one->value = p->text.len;
        if (!pl_url_decode(&p->text, value)) {
            return false;
        }
        one->value_len = p->text.len - one->value;
    }
    return !pl_buf_rc(&p->text);
}

static int order(struct pl_str a, struct pl_str b)
{
    int o = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return o ? o : (a.len > b.len) - (a.len < b.len);
}

static struct pl_str name_of(const struct parameters *p, size_t i)
{
    return pl_str_n(p->text.ptr + p->list[i].name, p->list[i].name_len);
}

static struct pl_str value_of(const struct parameters *p, size_t i)
{
    return pl_str_n(p->text.ptr + p->list[i].value, p->list[i].value_len);
}

/* By name, then value; there are few. */
static void sort(struct parameters *p)
{
    for (size_t i = 1; i < p->count; i++) {
        for (size_t j = i; j > 0; j--) {
            int o = order(name_of(p, j - 1), name_of(p, j));
            if (o < 0 || (o == 0 && order(value_of(p, j - 1), value_of(p, j)) <= 0)) {
                break;
            }
            struct parameter swap = p->list[j];
            p->list[j] = p->list[j - 1];
            p->list[j - 1] = swap;
        }
    }
}

static bool add_resource(struct pl_buf *out, const struct pl_azure_request *r)
{
    struct parameters p = {.text = PL_BUF_MAX(TO_SIGN_MAX)};
    struct pl_str query = r->target, path = pl_str_split(&query, '?');
    bool fine = read_query(&p, query.ptr ? query : PL_STR(""));
    pl_buf_putc(out, '/');
    pl_buf_str(out, r->account);
    pl_buf_str(out, path);
    if (fine) {
        sort(&p);
    }
    for (size_t i = 0; fine && i < p.count; i++) {
        bool again = i > 0 && order(name_of(&p, i - 1), name_of(&p, i)) == 0;
        pl_buf_putc(out, again ? ',' : '\n');
        if (!again) {
            pl_buf_str(out, name_of(&p, i));
            pl_buf_putc(out, ':');
        }
        pl_buf_str(out, value_of(&p, i));
    }
    pl_buf_dispose(&p.text);
    return fine;
}

pail_code pl_azure_key_sum(struct pl_azure_key *k, struct pl_str text, struct pl_buf *out,
                           struct pail_error **err)
{
    unsigned char sum[PL_SHA256_BYTES];
    if (!pl_hmac_sum(&k->hmac, text, sum)) {
        return pl_fail(err, PAIL_E_UNSUPPORTED, "OpenSSL does not compute HMAC-SHA256");
    }
    pl_base64_encode(out, sum, sizeof sum);
    return pl_buf_rc(out) ? pl_fail(err, pl_buf_rc(out), "no room for the signature") : PAIL_OK;
}

pail_code pl_azure_key_sign(struct pl_azure_key *k, const struct pl_azure_request *r,
                            struct pl_buf *out, struct pail_error **err)
{
    struct pl_buf *text = &k->to_sign;
    pl_buf_clear(text);
    add_standard_headers(text, r);
    if (!add_service_headers(text, r) || !add_resource(text, r)) {
        return pl_fail(err, PAIL_E_BAD_ARGUMENT,
                       "the request has more than %d headers or parameters", PIECES_MAX);
    }
    if (pl_buf_rc(text)) {
        return pl_fail(err, pl_buf_rc(text), "no room to sign the request");
    }
    pl_buf_puts(out, "SharedKey ");
    pl_buf_str(out, r->account);
    pl_buf_putc(out, ':');
    return pl_azure_key_sum(k, pl_buf_view(text), out, err);
}
