/* One line of progress on a terminal; elsewhere nothing at all. */
#ifndef PAIL_CLI_PROGRESS_H
#define PAIL_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Starts where standard error is a terminal and neither --json nor -q was given. */
void progress_begin(const char *label);
bool progress_active(void);
/* More to do. The totals are shown with ~ until progress_listed. */
void progress_expect(uint64_t bytes, uint64_t objects);
void progress_listed(void);
void progress_advance(int64_t bytes);
void progress_object_done(void);
/* Takes the line off the screen, before a message or at the end. */
void progress_clear(void);
void progress_end(void);

#endif
