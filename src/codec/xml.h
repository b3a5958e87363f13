/* A reader of XML as it arrives, over expat; no DOCTYPE, no entities of its own, bounded. */
#ifndef PL_CODEC_XML_H
#define PL_CODEC_XML_H

#include "base/error.h"

enum { PL_XML_DEPTH_MAX = 16, PL_XML_TOKEN_MAX = 1 << 20 };

/* Elements by their name without a prefix; depth is 1 for the root. Return anything but PAIL_OK to
 * stop: the feeding call returns it. Strings: borrowed for the call. Each may be NULL. */
struct pl_xml_events {
    pail_code (*open)(void *ctx, int depth, struct pl_str name);
    /* text: what stood between the last tag and this one, so all the text of an element that has no
     * children; at most text_max bytes. */
    pail_code (*close)(void *ctx, int depth, struct pl_str name, struct pl_str text);
    /* Of the element that was just opened. */
    pail_code (*attribute)(void *ctx, int depth, const char *name, const char *value);
};

/* Zero: nothing to dispose of. Must not move between init and dispose. */
struct pl_xml {
    struct XML_ParserStruct *parser;
    const struct pl_xml_events *events;
    void *ctx;
    struct pl_buf text;
    int depth;
    uint64_t fed, seen; /* bytes given; where the last token stood */
    pail_code stopped;  /* why the handlers stopped it */
    const char *refused;
};

/* Errors of feed and finish: PAIL_E_PROTOCOL with the place for what is no well-formed XML or
 * passes a limit; the result of a handler; PAIL_E_NO_MEMORY. After one, only dispose. */
PAIL_MUST pail_code pl_xml_init(struct pl_xml *x, const struct pl_xml_events *events, void *ctx,
                                size_t text_max, struct pail_error **err);
PAIL_MUST pail_code pl_xml_feed(struct pl_xml *x, const void *data, size_t n,
                                struct pail_error **err);
PAIL_MUST pail_code pl_xml_finish(struct pl_xml *x, struct pail_error **err);
void pl_xml_dispose(struct pl_xml *x);

/* How many bytes a character at the beginning of text has that XML 1.0 cannot carry: control
 * characters, U+FFFE and U+FFFF. 0: it can. */
size_t pl_xml_illegal(struct pl_str text);
/* Adds text as it may stand in an element. False: it has a character that XML 1.0 cannot carry. */
PAIL_MUST bool pl_xml_escape(struct pl_buf *out, struct pl_str text);

#endif
