/* Percent-encoding, query strings and the parts of an http URL. */
#ifndef PL_CODEC_URL_H
#define PL_CODEC_URL_H

#include "base/error.h"

enum { PL_URL_KEEP_SLASH = 1 }; /* '/' stays as it is: for a whole key */

/* Every byte but A-Z a-z 0-9 - . _ ~ as %XX, upper case (RFC 3986 section 2.3). */
void pl_url_encode(struct pl_buf *out, struct pl_str text, unsigned flags);
/* False where a % is not followed by two digits; '+' stays '+'. Whether out had room: pl_buf_rc. */
PAIL_MUST bool pl_url_decode(struct pl_buf *out, struct pl_str text);

/* Adds "name=value" encoded, behind "&" unless query is empty. */
void pl_url_query_add(struct pl_buf *query, const char *name, struct pl_str value);
/* Takes the next "name=value" off *query, still encoded; a bare name has an empty value. False at
 * the end; empty pieces ("&&") are passed over. */
bool pl_url_query_next(struct pl_str *query, struct pl_str *name, struct pl_str *value);

/* Views into the text that was parsed. */
struct pl_url {
    struct pl_str scheme;    /* as written: "http" or "https" in either case */
    struct pl_str host;      /* as written, IPv6 without its brackets */
    struct pl_str host_port; /* as written, with brackets and port */
    struct pl_str path;      /* still encoded; empty or begins with '/' */
    struct pl_str query;     /* still encoded, without the '?' */
    uint16_t port;           /* that of the scheme where none is written */
    bool tls, ipv6, has_query;
};

/* Takes http and https. Refuses user info (a credential in a URL ends in logs), a fragment, blanks
 * and control bytes, percent-encoding or anything but letters, digits, '-', '_' and '.' in the
 * host. Errors: PAIL_E_BAD_CONFIG; the message never shows the text behind the host. */
PAIL_MUST pail_code pl_url_parse(struct pl_str text, struct pl_url *out, struct pail_error **err);
/* Adds what the Host header says: lower case, without the port of the scheme. */
void pl_url_host_header(struct pl_buf *out, const struct pl_url *url);

#endif
