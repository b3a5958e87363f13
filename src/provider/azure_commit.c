/* Whether a list of blocks whose answer was lost took effect: the blocks of an upload have names
 * from a random number of their own, so a blob that has exactly these is what was written. Source:
 * Azure Blob Storage REST API "Get Block List". */
#include "codec/date.h"
#include "codec/xml.h"
#include "provider/azure.h"

enum { COMMIT = 0, LOOK };
enum { TEXT_MAX = 4096 };

bool pl_azure_looks_at_blocks(const struct pl_op *op, const struct pl_attempt *a)
{
    const struct pl_azure_memo *memo = a->memo;
    return op->kind == PL_OP_MP_FINISH && memo->stage == LOOK;
}

void pl_azure_look_at_blocks(struct pl_azure_build *b)
{
    b->r->method = "GET";
    pl_azure_parameter(b, "comp", "blocklist");
    pl_azure_parameter(b, "blocklisttype", "committed");
}

/* SPEC "Put Block List": a condition that fails refuses the list also where it is the second of its
 * kind, and blocks that were committed and then replaced by another's are gone. */
void pl_azure_doubt_refusal(const struct pl_op *op, const struct pl_attempt *a,
                            const struct pl_http_response *r, struct pl_verdict *out)
{
    struct pl_azure_memo *memo = a->memo;
    bool went_before = a->number > 1 || r->sends > 1;
    bool doubtful = out->code == PAIL_E_EXISTS || out->code == PAIL_E_PRECONDITION ||
                    out->code == PAIL_E_UPLOAD_NOT_FOUND;
    if (op->kind == PL_OP_MP_FINISH && went_before && doubtful && out->next == PL_NEXT_FAIL) {
        memo->refused = out->code;
        memo->stage = LOOK;
        *out = (struct pl_verdict){.next = PL_NEXT_MORE};
    }
}

struct look {
    const struct pl_op *op;
    size_t count;
    bool same;
};

static pail_code close_name(void *ctx, int depth, struct pl_str name, struct pl_str text)
{
    struct look *l = ctx;
    struct pl_buf id = PL_BUF_MAX(256);
    if (depth != 4 || !pl_str_is(name, "Name")) {
        return PAIL_OK;
    }
    if (l->count < l->op->in.mp.count) {
        pl_azure_block_id(&id, l->op->in.mp.upload_id, l->op->in.mp.parts[l->count].number);
    }
    l->same = l->same && id.len && pl_str_eq(pl_str_trim(text), pl_buf_view(&id));
    l->count++;
    pail_code rc = pl_buf_rc(&id);
    pl_buf_dispose(&id);
    return rc;
}

static bool has_our_blocks(const struct pl_op *op, const struct pl_http_response *r)
{
    static const struct pl_xml_events events = {.close = close_name};
    struct look l = {.op = op, .same = true};
    struct pl_xml xml = {0};
    struct pl_str body = pl_buf_view(&r->body);
    if (pl_str_starts(body, PL_STR("\xef\xbb\xbf"))) {
        body = pl_str_n(body.ptr + 3, body.len - 3);
    }
    pail_code rc = pl_xml_init(&xml, &events, &l, TEXT_MAX, NULL);
    rc = rc ? rc : pl_xml_feed(&xml, body.ptr, body.len, NULL);
    rc = rc ? rc : pl_xml_finish(&xml, NULL);
    pl_xml_dispose(&xml);
    return !rc && l.same && l.count == op->in.mp.count;
}

void pl_azure_parse_blocks(struct pl_op *op, const struct pl_attempt *a,
                           const struct pl_http_response *r, struct pl_verdict *out,
                           struct pail_error **err)
{
    const struct pl_azure_memo *memo = a->memo;
    if (r->status == 200 && has_our_blocks(op, r)) {
        *out = (struct pl_verdict){.next = PL_NEXT_DONE};
        return;
    }
    *out = (struct pl_verdict){
        .next = PL_NEXT_FAIL, .code = memo->refused, .never_applied = r->status == 200};
    pl_fail(err, memo->refused, "%s", pl_azure_plain_words(memo->refused));
}
