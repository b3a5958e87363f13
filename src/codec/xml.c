#include "codec/xml.h"

#include <expat.h>

/* expat's own names for the three; its blocks come from Pail's allocator. */
static const XML_Memory_Handling_Suite memory = {pl_alloc, pl_realloc, pl_free};

static void stop(struct pl_xml *x, pail_code rc, const char *why)
{
    if (rc && !x->stopped) {
        x->stopped = rc;
        x->refused = why;
        (void)XML_StopParser(x->parser, XML_FALSE);
    }
}

/* Marks that a token was complete here: what grows without end is refused by feed. */
static void mark(struct pl_xml *x)
{
    XML_Index at = XML_GetCurrentByteIndex(x->parser);
    x->seen = at > 0 ? (uint64_t)at : x->seen;
}

static struct pl_str local_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return pl_str_c(colon ? colon + 1 : name);
}

static void XMLCALL on_open(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    struct pl_xml *x = ctx;
    mark(x);
    pl_buf_clear(&x->text);
    if (++x->depth > PL_XML_DEPTH_MAX) {
        stop(x, PAIL_E_PROTOCOL, "elements are nested too deep");
    } else if (!x->stopped && x->events->open) {
        stop(x, x->events->open(x->ctx, x->depth, local_name(name)), NULL);
    }
    for (; x->events->attribute && !x->stopped && *attributes; attributes += 2) {
        stop(x, x->events->attribute(x->ctx, x->depth, attributes[0], attributes[1]), NULL);
    }
}

static void XMLCALL on_close(void *ctx, const XML_Char *name)
{
    struct pl_xml *x = ctx;
    mark(x);
    if (!x->stopped && x->events->close) {
        struct pl_str text = pl_buf_view(&x->text);
        stop(x, x->events->close(x->ctx, x->depth, local_name(name), text), NULL);
    }
    x->depth--;
    pl_buf_clear(&x->text);
}

static void XMLCALL on_text(void *ctx, const XML_Char *text, int n)
{
    struct pl_xml *x = ctx;
    mark(x);
    pl_buf_add(&x->text, text, (size_t)n);
    if (pl_buf_rc(&x->text)) {
        stop(x, pl_buf_rc(&x->text) == PAIL_E_NO_MEMORY ? PAIL_E_NO_MEMORY : PAIL_E_PROTOCOL,
             "the text of an element is too long");
    }
}

static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int internal)
{
    (void)name, (void)system_id, (void)public_id, (void)internal;
    stop(ctx, PAIL_E_PROTOCOL, "a DOCTYPE is refused");
}

pail_code pl_xml_init(struct pl_xml *x, const struct pl_xml_events *events, void *ctx,
                      size_t text_max, struct pail_error **err)
{
    *x = (struct pl_xml){.events = events, .ctx = ctx, .text = PL_BUF_MAX(text_max)};
    x->parser = XML_ParserCreate_MM(NULL, &memory, NULL);
    if (!x->parser) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory for an XML reader");
    }
    XML_SetUserData(x->parser, x);
    XML_SetElementHandler(x->parser, on_open, on_close);
    XML_SetCharacterDataHandler(x->parser, on_text);
    XML_SetStartDoctypeDeclHandler(x->parser, on_doctype);
    return PAIL_OK;
}

static pail_code fail(struct pl_xml *x, struct pail_error **err)
{
    enum XML_Error error = XML_GetErrorCode(x->parser);
    if (error == XML_ERROR_NO_MEMORY || x->stopped == PAIL_E_NO_MEMORY) {
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory to read an XML answer");
    }
    if (x->stopped && !x->refused) {
        return pl_fail(err, x->stopped, "an XML answer was not as expected at line %lu",
                       (unsigned long)XML_GetCurrentLineNumber(x->parser));
    }
    return pl_fail(err, PAIL_E_PROTOCOL, "malformed XML at line %lu, column %lu: %s",
                   (unsigned long)XML_GetCurrentLineNumber(x->parser),
                   (unsigned long)XML_GetCurrentColumnNumber(x->parser),
                   x->refused ? x->refused : XML_ErrorString(error));
}

pail_code pl_xml_feed(struct pl_xml *x, const void *data, size_t n, struct pail_error **err)
{
    const char *p = data;
    for (size_t step; n; p += step, n -= step) {
        step = n < 64 << 10 ? n : 64 << 10;
        if (XML_Parse(x->parser, p, (int)step, 0) == XML_STATUS_ERROR) {
            return fail(x, err);
        }
        x->fed += step;
        if (x->fed - x->seen > PL_XML_TOKEN_MAX) {
            x->refused = "a tag or comment is too long";
            return fail(x, err);
        }
    }
    return PAIL_OK;
}

pail_code pl_xml_finish(struct pl_xml *x, struct pail_error **err)
{
    return XML_Parse(x->parser, "", 0, 1) == XML_STATUS_ERROR ? fail(x, err) : PAIL_OK;
}

void pl_xml_dispose(struct pl_xml *x)
{
    if (x->parser) {
        XML_ParserFree(x->parser);
    }
    pl_buf_dispose(&x->text);
    *x = (struct pl_xml){0};
}

/* XML 1.0 section 2.2: of what UTF-8 can say, these are no characters of XML. */
size_t pl_xml_illegal(struct pl_str text)
{
    unsigned char c = text.len ? (unsigned char)text.ptr[0] : ' ';
    if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
        return 1;
    }
    bool end = text.len >= 3 && c == 0xef && (unsigned char)text.ptr[1] == 0xbf &&
               (unsigned char)text.ptr[2] >= 0xbe; /* U+FFFE, U+FFFF */
    return end ? 3 : 0;
}

bool pl_xml_escape(struct pl_buf *out, struct pl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        switch (c) {
        case '&': pl_buf_puts(out, "&amp;"); break;
        case '<': pl_buf_puts(out, "&lt;"); break;
        case '>': pl_buf_puts(out, "&gt;"); break;
        /* XML 1.0 section 2.11: a reader turns a bare CR into LF; as a reference it stays. */
        case '\r': pl_buf_puts(out, "&#xD;"); break;
        case '\n': pl_buf_puts(out, "&#xA;"); break;
        case '\t': pl_buf_putc(out, c); break;
        default:
            if (pl_xml_illegal(pl_str_n(text.ptr + i, text.len - i))) {
                return false;
            }
            pl_buf_putc(out, c);
        }
    }
    return true;
}
