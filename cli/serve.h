/* Waiting beside a server that runs in this process. */
#ifndef PAIL_CLI_SERVE_H
#define PAIL_CLI_SERVE_H

#include "cli.h"

/* Until an interrupt, or for ms milliseconds; negative: only until an interrupt. */
void serve_wait(int64_t ms);

#endif
