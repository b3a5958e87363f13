/* Source: Azure Storage REST API "Create an account SAS", "Create a service SAS", "Create a user
 * delegation SAS". */
#include "sign/azure_sas.h"

#include "codec/url.h"

static bool since(const struct pl_azure_sas *s, const char *version)
{
    return s->version && strcmp(s->version, version) >= 0;
}

/* Each of the signed fields is a line; one that is not there an empty one. */
static void line(struct pl_buf *text, const char *value)
{
    pl_buf_puts(text, value ? value : "");
    pl_buf_putc(text, '\n');
}

static void parameter(struct pl_buf *out, const char *name, const char *value)
{
    if (!value || !*value) {
        return;
    }
    if (out->len && out->ptr[out->len - 1] != '?') {
        pl_buf_putc(out, '&');
    }
    pl_buf_puts(out, name);
    pl_buf_putc(out, '=');
    pl_url_encode(out, pl_str_c(value), PL_URL_KEEP_SLASH);
}

static void common_parameters(struct pl_buf *out, const struct pl_azure_sas *s)
{
    parameter(out, "st", s->start);
    parameter(out, "se", s->expiry);
    parameter(out, "sp", s->permission);
    parameter(out, "sip", s->ip);
    parameter(out, "spr", s->protocol);
}

static pail_code add_signature(struct pl_azure_key *k, struct pl_buf *out, struct pail_error **err)
{
    struct pl_buf sum = PL_BUF_MAX(128);
    pail_code rc = pl_buf_rc(&k->to_sign);
    rc = rc ? pl_fail(err, rc, "no room to sign a URL")
            : pl_azure_key_sum(k, pl_buf_view(&k->to_sign), &sum, err);
    if (!rc) {
        parameter(out, "sig", sum.ptr);
        rc = pl_buf_rc(out) ? pl_fail(err, pl_buf_rc(out), "no room for a signed URL") : PAIL_OK;
    }
    pl_buf_dispose(&sum);
    return rc;
}

pail_code pl_azure_sas_account(struct pl_azure_key *k, const struct pl_azure_sas *s,
                               struct pl_buf *out, struct pail_error **err)
{
    struct pl_buf *text = &k->to_sign;
    pl_buf_clear(text);
    const char *const lines[] = {s->account, s->permission, s->services, s->resource_types,
                                 s->start,   s->expiry,     s->ip,       s->protocol,
                                 s->version};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        line(text, lines[i]);
    }
    if (since(s, "2020-12-06")) {
        line(text, s->encryption_scope);
    }
    common_parameters(out, s);
    parameter(out, "sv", s->version);
    parameter(out, "ss", s->services);
    parameter(out, "srt", s->resource_types);
    parameter(out, "ses", s->encryption_scope);
    return add_signature(k, out, err);
}

static const char *resource_of(const struct pl_azure_sas *s)
{
    return !s->blob ? "c" : s->snapshot ? "bs" : s->blob_version ? "bv" : "b";
}

static void resource_line(struct pl_buf *text, const struct pl_azure_sas *s)
{
    pl_buf_puts(text, "/blob/");
    pl_buf_puts(text, s->account);
    pl_buf_putc(text, '/');
    pl_buf_puts(text, s->container);
    if (s->blob) {
        pl_buf_putc(text, '/');
        pl_buf_puts(text, s->blob);
    }
    pl_buf_putc(text, '\n');
}

static void delegation_lines(struct pl_buf *text, const struct pl_azure_sas *s)
{
    const struct pl_azure_delegation *d = s->delegation;
    const char *const lines[] = {d->oid, d->tid, d->start, d->expiry, d->service, d->version};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        line(text, lines[i]);
    }
    if (since(s, "2020-02-10")) {
        line(text, s->authorized_oid);
        line(text, s->unauthorized_oid);
        line(text, s->correlation_id);
    }
    if (since(s, "2025-07-05")) {
        line(text, s->delegated_tid);
        line(text, s->delegated_oid);
    }
}

/* Headers as "name:value\n", parameters as "\nname:value", then the end of the line. */
static void demand_lines(struct pl_buf *text, const struct pl_azure_sas *s)
{
    for (size_t i = 0; i < s->request_header_count; i++) {
        pl_buf_printf(text, "%s:%s\n", s->request_headers[i].name, s->request_headers[i].value);
    }
    pl_buf_putc(text, '\n');
    for (size_t i = 0; i < s->request_query_count; i++) {
        pl_buf_printf(text, "\n%s:%s", s->request_query[i].name, s->request_query[i].value);
    }
    pl_buf_putc(text, '\n');
}

static void blob_text(struct pl_buf *text, const struct pl_azure_sas *s)
{
    line(text, s->permission);
    line(text, s->start);
    line(text, s->expiry);
    resource_line(text, s);
    if (s->delegation) {
        delegation_lines(text, s);
    } else {
        line(text, s->identifier);
    }
    line(text, s->ip);
    line(text, s->protocol);
    line(text, s->version);
    if (since(s, "2018-11-09")) {
        line(text, resource_of(s));
        line(text, s->snapshot ? s->snapshot : s->blob_version);
    }
    if (since(s, "2020-12-06")) {
        line(text, s->encryption_scope);
    }
    if (s->delegation && since(s, "2026-04-06")) {
        demand_lines(text, s);
    }
    line(text, s->cache_control);
    line(text, s->content_disposition);
    line(text, s->content_encoding);
    line(text, s->content_language);
    pl_buf_puts(text, s->content_type ? s->content_type : "");
}

static void names_parameter(struct pl_buf *out, const char *name, const pail_kv *kv, size_t count)
{
    struct pl_buf names = PL_BUF_MAX(8 * 1024);
    for (size_t i = 0; i < count; i++) {
        pl_buf_puts(&names, i ? "," : "");
        pl_buf_puts(&names, kv[i].name);
    }
    if (pl_buf_rc(&names)) {
        out->rc = pl_buf_rc(&names);
    } else {
        parameter(out, name, names.ptr);
    }
    pl_buf_dispose(&names);
}

static void delegation_parameters(struct pl_buf *out, const struct pl_azure_sas *s)
{
    const struct pl_azure_delegation *d = s->delegation;
    parameter(out, "saoid", s->authorized_oid);
    parameter(out, "suoid", s->unauthorized_oid);
    parameter(out, "scid", s->correlation_id);
    parameter(out, "skoid", d->oid);
    parameter(out, "sktid", d->tid);
    parameter(out, "skt", d->start);
    parameter(out, "ske", d->expiry);
    parameter(out, "sks", d->service);
    parameter(out, "skv", d->version);
    parameter(out, "skdutid", s->delegated_tid);
    names_parameter(out, "srh", s->request_headers, s->request_header_count);
    names_parameter(out, "srq", s->request_query, s->request_query_count);
}

pail_code pl_azure_sas_blob(struct pl_azure_key *k, const struct pl_azure_sas *s,
                            struct pl_buf *out, struct pail_error **err)
{
    pl_buf_clear(&k->to_sign);
    blob_text(&k->to_sign, s);
    common_parameters(out, s);
    parameter(out, "sv", s->version);
    parameter(out, "sduoid", s->delegation ? s->delegated_oid : NULL);
    parameter(out, "si", s->delegation ? NULL : s->identifier);
    parameter(out, "sr", resource_of(s));
    parameter(out, "rscc", s->cache_control);
    parameter(out, "rscd", s->content_disposition);
    parameter(out, "rsce", s->content_encoding);
    parameter(out, "rscl", s->content_language);
    parameter(out, "rsct", s->content_type);
    parameter(out, "ses", s->encryption_scope);
    if (s->delegation) {
        delegation_parameters(out, s);
    }
    return add_signature(k, out, err);
}
