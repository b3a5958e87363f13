/* The content type that the ending of a name stands for. */
#ifndef PL_CODEC_MIME_H
#define PL_CODEC_MIME_H

#include "base/str.h"

/* Static; NULL where the ending is unknown or there is none. */
const char *pl_mime_by_name(struct pl_str name);

#endif
