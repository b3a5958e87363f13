/* The files of the web page, made part of the program by ui/embed.py. */
#ifndef PL_GATEWAY_PAGE_H
#define PL_GATEWAY_PAGE_H

#include <stddef.h>

struct pl_gw_file {
    const char *path, *type, *etag; /* etag: with its quotes */
    const unsigned char *bytes;
    size_t size;
};
/* The last has no path. */
extern const struct pl_gw_file pl_gw_files[];

#endif
