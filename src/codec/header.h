/* One header of a request or an answer: shared by the signers and the HTTP rooms. */
#ifndef PL_CODEC_HEADER_H
#define PL_CODEC_HEADER_H

#include "base/str.h"

struct pl_header {
    struct pl_str name, value; /* borrowed; names compare without case */
};

#endif
