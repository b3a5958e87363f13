/* Which exit status a code of the library becomes. */
#include "fail.h"

enum {
    EXIT_SOME = 1, /* also: an error of this machine */
    EXIT_USAGE = 2,
    EXIT_MISSING = 4,
    EXIT_ACCESS = 5,
    EXIT_CONFLICT = 6,
    EXIT_TEMPORARY = 7,
    EXIT_DAMAGED = 9,
    EXIT_CONFIG = 10,
    EXIT_UNSUPPORTED = 11,
    EXIT_NETWORK = 12,
    EXIT_INTERRUPTED = 130
};

int exit_status(pail_code code)
{
    switch (code) {
    case PAIL_OK:
    case PAIL_DONE: return 0;
    case PAIL_E_NOT_FOUND:
    case PAIL_E_BUCKET_NOT_FOUND:
    case PAIL_E_VERSION_NOT_FOUND:
    case PAIL_E_UPLOAD_NOT_FOUND: return EXIT_MISSING;
    case PAIL_E_EXISTS:
    case PAIL_E_BUCKET_EXISTS:
    case PAIL_E_BUCKET_NOT_EMPTY:
    case PAIL_E_PRECONDITION:
    case PAIL_E_NOT_MODIFIED:
    case PAIL_E_CHANGED:
    case PAIL_E_ARCHIVED:
    case PAIL_E_CONFLICT: return EXIT_CONFLICT;
    case PAIL_E_UNAUTHENTICATED:
    case PAIL_E_FORBIDDEN:
    case PAIL_E_EXPIRED_CREDENTIALS:
    case PAIL_E_NO_CREDENTIALS:
    case PAIL_E_CLOCK_SKEW: return EXIT_ACCESS;
    case PAIL_E_BAD_ARGUMENT:
    case PAIL_E_BAD_KEY:
    case PAIL_E_BAD_BUCKET_NAME:
    case PAIL_E_BAD_RANGE: return EXIT_USAGE;
    case PAIL_E_BAD_CONFIG:
    case PAIL_E_WRONG_REGION: return EXIT_CONFIG;
    case PAIL_E_TOO_LARGE:
    case PAIL_E_UNSUPPORTED: return EXIT_UNSUPPORTED;
    case PAIL_E_THROTTLED:
    case PAIL_E_UNAVAILABLE:
    case PAIL_E_TIMEOUT: return EXIT_TEMPORARY;
    case PAIL_E_DNS:
    case PAIL_E_CONNECT:
    case PAIL_E_TLS:
    case PAIL_E_PROTOCOL: return EXIT_NETWORK;
    case PAIL_E_CHECKSUM: return EXIT_DAMAGED;
    case PAIL_E_CANCELLED: return EXIT_INTERRUPTED;
    case PAIL_E_IO:
    case PAIL_E_NO_SPACE:
    case PAIL_E_NO_MEMORY:
    case PAIL_E_CALLBACK:
    case PAIL_E_FORKED:
    case PAIL_E_INTERNAL: return EXIT_SOME;
    }
    return EXIT_SOME;
}
