#include "gateway/gateway.h"

#include <stdio.h>

#include "codec/xml.h"

/* ---- ListBuckets ---- */

enum { BUCKETS_MAX = 10000 };

/* A page of the reply; the store's own pages have no bearing on it. */
struct buckets {
    struct pl_buf *b;
    const char *after; /* NULL, or the name that the page before ended with */
    uint32_t max, count;
    const char *last; /* the last name of a full page that others follow; NULL: no such */
    char name[256];
};

static void add_bucket(struct pl_gw_call *c, struct buckets *l, const pail_info *i)
{
    if (l->last || !pl_gw_may(c, i->key, false) || (l->after && strcmp(i->key, l->after) <= 0)) {
        return;
    }
    if (l->count == l->max) {
        l->last = l->name;
        return;
    }
    l->count++;
    snprintf(l->name, sizeof l->name, "%s", i->key);
    pl_buf_puts(l->b, "<Bucket>");
    pl_gw_text(l->b, "Name", i->key);
    pl_gw_time(l->b, "CreationDate", i->mtime_ms < 0 ? 0 : i->mtime_ms);
    pl_buf_puts(l->b, "</Bucket>");
}

/* One page of the store's; false: an error was set. *token: where the next begins. */
static bool add_page(struct pl_gw_call *c, struct buckets *l, const char **token)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_BUCKET_LIST, NULL, NULL);
    if (!op) {
        return false;
    }
    op->in.list.token = *token;
    op->in.list.prefix = pl_gw_param(c, "prefix");
    bool ok = pl_gw_run(&s) == PAIL_OK;
    for (size_t i = 0; ok && i < op->out.item_count; i++) {
        add_bucket(c, l, &op->out.items[i]);
    }
    *token = ok && !l->last ? pl_arena_dup_c(c->arena, op->out.next_token) : NULL;
    pl_gw_op_end(c, &s, false);
    return ok;
}

void pl_gw_list_buckets(struct pl_gw_call *c)
{
    bool bad;
    const char *token = NULL, *said = pl_gw_param(c, "continuation-token");
    struct buckets l = {.max = pl_gw_number(c, "max-buckets", UINT32_MAX, &bad),
                        .after = pl_gw_unpack_token(c, said)};
    if (bad || l.max == 0 || (l.max > BUCKETS_MAX && l.max != UINT32_MAX) ||
        (said && *said && !l.after)) {
        pl_gw_fail(c, "InvalidArgument", "max-buckets or continuation-token is not valid");
        return;
    }
    l.b = pl_gw_xml(c, "ListAllMyBucketsResult");
    pl_gw_owner(l.b, "Owner");
    pl_buf_puts(l.b, "<Buckets>");
    do {
        if (!add_page(c, &l, &token)) {
            return;
        }
    } while (token);
    pl_buf_puts(l.b, "</Buckets>");
    if (l.last) {
        pl_gw_text(l.b, "ContinuationToken", pl_gw_pack_token(c, l.last));
    }
    pl_gw_text(l.b, "Prefix", pl_gw_param(c, "prefix"));
    pl_gw_xml_end(c, "ListAllMyBucketsResult");
}

/* ---- single buckets ---- */

/* Runs an op without arguments. False: an error was set. */
static bool run(struct pl_gw_call *c, enum pl_op_kind kind)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, kind, c->bucket, NULL);
    if (!op) {
        return false;
    }
    bool ok = pl_gw_run(&s) == PAIL_OK;
    pl_gw_op_end(c, &s, false);
    return ok;
}

static pail_code check_configuration(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    (void)ctx;
    (void)text;
    return depth == 1 && !pl_str_is(name, "CreateBucketConfiguration") ? PAIL_E_PROTOCOL : PAIL_OK;
}

/* The location in the body is that of the service that is imitated here; it must be XML. */
static bool body_is_fine(struct pl_gw_call *c)
{
    static const struct pl_xml_events events = {.close = check_configuration};
    struct pl_xml x = {0};
    if (c->body.small.len == 0) {
        return true;
    }
    pail_code rc = pl_xml_init(&x, &events, c, 4096, NULL);
    rc = rc ? rc : pl_xml_feed(&x, c->body.small.ptr, c->body.small.len, NULL);
    rc = rc ? rc : pl_xml_finish(&x, NULL);
    pl_xml_dispose(&x);
    if (rc) {
        pl_gw_fail(c, "MalformedXML", NULL);
    }
    return rc == PAIL_OK;
}

void pl_gw_create_bucket(struct pl_gw_call *c)
{
    if (body_is_fine(c) && run(c, PL_OP_BUCKET_CREATE)) {
        struct pl_buf path = PL_BUF_MAX(256);
        pl_buf_printf(&path, "/%s", c->bucket);
        pl_http_reply_header(c->http, "Location", pl_buf_view(&path));
        pl_buf_dispose(&path);
        pl_gw_reply(c, 200);
    }
}

void pl_gw_head_bucket(struct pl_gw_call *c)
{
    if (run(c, PL_OP_BUCKET_STAT)) {
        pl_gw_header_text(c, "x-amz-bucket-region", c->g->region);
        pl_gw_reply(c, 200);
    }
}

void pl_gw_delete_bucket(struct pl_gw_call *c)
{
    if (run(c, PL_OP_BUCKET_DELETE)) {
        pl_gw_reply(c, 204);
    }
}

void pl_gw_bucket_location(struct pl_gw_call *c)
{
    if (run(c, PL_OP_BUCKET_STAT)) {
        struct pl_buf *b = pl_gw_xml(c, "LocationConstraint");
        /* SPEC S3 GetBucketLocation: us-east-1 is told as nothing. */
        pl_buf_puts(b, strcmp(c->g->region, "us-east-1") == 0 ? "" : c->g->region);
        pl_gw_xml_end(c, "LocationConstraint");
    }
}

/* ---- what a bucket here never has ---- */

static void private_acl(struct pl_gw_call *c)
{
    struct pl_buf *b = pl_gw_xml(c, "AccessControlPolicy");
    pl_gw_owner(b, "Owner");
    pl_buf_puts(b,
                "<AccessControlList><Grant>"
                "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
                "xsi:type=\"CanonicalUser\"><ID>pail</ID><DisplayName>pail</DisplayName></Grantee>"
                "<Permission>FULL_CONTROL</Permission></Grant></AccessControlList>");
    pl_gw_xml_end(c, "AccessControlPolicy");
}

void pl_gw_bucket_answer(struct pl_gw_call *c)
{
    static const struct {
        const char *param, *error;
    } not_configured[] = {
        {"policy", "NoSuchBucketPolicy"},
        {"policyStatus", "NoSuchBucketPolicy"},
        {"publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"},
        {"cors", "NoSuchCORSConfiguration"},
        {"lifecycle", "NoSuchLifecycleConfiguration"},
        {"tagging", "NoSuchTagSet"},
        {"website", "NoSuchWebsiteConfiguration"},
        {"encryption", "ServerSideEncryptionConfigurationNotFoundError"},
        {"object-lock", "ObjectLockConfigurationNotFoundError"},
        {"replication", "ReplicationConfigurationNotFoundError"},
        {"ownershipControls", "OwnershipControlsNotFoundError"},
    };
    if (!run(c, PL_OP_BUCKET_STAT)) {
        return;
    }
    for (size_t i = 0; i < sizeof not_configured / sizeof *not_configured; i++) {
        if (pl_gw_param(c, not_configured[i].param)) {
            pl_gw_fail(c, not_configured[i].error, NULL);
            return;
        }
    }
    if (pl_gw_param(c, "acl")) {
        private_acl(c);
        return;
    }
    (void)pl_gw_xml(c, "VersioningConfiguration");
    pl_gw_xml_end(c, "VersioningConfiguration");
}

/* Objects and buckets are their owner's alone, so that is the one ACL that can be set. */
static bool stays_private(struct pl_gw_call *c)
{
    const char *canned = pl_gw_header(c, "x-amz-acl");
    if (canned &&
        (strcmp(canned, "private") == 0 || strcmp(canned, "bucket-owner-full-control") == 0)) {
        return true;
    }
    pl_gw_fail(c, "NotImplemented", "an ACL here is private: rights come with the access keys");
    return false;
}

void pl_gw_put_acl(struct pl_gw_call *c)
{
    pail_info info;
    if (!stays_private(c)) {
        return;
    }
    if (!c->key) {
        if (run(c, PL_OP_BUCKET_STAT)) {
            pl_gw_reply(c, 200);
        }
    } else if (pl_gw_look(c, &info)) {
        pl_gw_reply(c, 200);
    } else if (!c->error) {
        pl_gw_fail(c, "NoSuchKey", NULL);
    }
}

void pl_gw_object_acl(struct pl_gw_call *c)
{
    struct pl_simple s;
    struct pl_op *op = pl_gw_op(c, &s, PL_OP_STAT, c->bucket, c->key);
    bool ok = op && pl_gw_run(&s) == PAIL_OK;
    if (op) {
        pl_gw_op_end(c, &s, false);
    }
    if (ok) {
        private_acl(c);
    }
}
