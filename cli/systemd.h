/* What a service manager passes to a service, and wants to hear from it. */
#ifndef PAIL_CLI_SYSTEMD_H
#define PAIL_CLI_SYSTEMD_H

/* How many sockets were passed to this process; the first is SYSTEMD_FIRST. Once: what told so is
 * taken out of the environment, and the sockets are closed in programs that this one starts. Before
 * any other thread runs; it also takes down whom systemd_tell speaks to. */
enum { SYSTEMD_FIRST = 3 };
int systemd_sockets(void);
/* "READY=1", ...: tells the manager, where there is one that listens. */
void systemd_tell(const char *state);
/* The same for a service that takes its settings anew, until READY=1. */
void systemd_tell_reloading(void);

#endif
